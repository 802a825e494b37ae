/* Topics of the engine: their logs, and the schema of those that have none in the project.
 *
 * Where records carry a schema id, columns come from schemas: the project's, else the newest of the subject, else that of the first record; and
 * what a later version brings, columns and promoted types, widens them. Else:
 *
 * Such a schema is inferred from the first records, written down in the store ("schema/<topic>"), and from then on it only grows: a record
 * with a field that it lacks widens it before the record's row goes anywhere, so a new field is never lost on the way. */
#include "format/json.h"
#include "job/engine_private.h"
#include "job/engine_struct.h"
#include "obs/event.h"
#include "topic/key.h"
#include "topic/schemas.h"

struct topic_state *topic_state_find(struct engine *engine, struct str name)
{
    for (struct topic_state *t = engine->topics; t; t = t->next)
        if (str_is(name, t->def->name))
            return t;
    return NULL;
}

static struct str schema_key(struct arena *arena, const struct topic_def *def)
{
    return str_of(arena_printf(arena, "schema/%s", def->name));
}

static void write_down(struct topic_state *t) ON(work);

/* Rows of the new columns may go now. */
static void schema_is_durable(struct topic_state *t) ON(work)
{
    t->schema_busy = false;
    for (struct stream *s = t->engine->streams; s; s = s->next) {
        run_wake_all(s);
        if (s->job)
            job_wake(s->job);
        if (!s->started)
            stream_start(s);
    }
}

static void frame_ended(struct frame *frame) ON(work)
{
    struct topic_state *t = frame->arg;
    if (!frame->durable && frame->err.class == ERR_RETRY) {
        t->schema_refused = true;
        log_wait_cancel(&t->schema_room);
        store_wait_room(t->engine->store, &t->schema_room, &t->schema_waker);
        engine_look_quiet(t->engine);
        return;
    }
    if (!frame->durable)
        event_err(EVENT_STREAM_STOPPED, t->def->name, &frame->err);
    else if (t->schema_again)
        write_down(t);
    else
        schema_is_durable(t);
    engine_look_quiet(t->engine);
}

static bool on_room(struct task *task) ON(work)
{
    struct topic_state *t = CONTAINER_OF(task, struct topic_state, schema_task);
    if (t->schema_refused && !t->engine->stopping) {
        t->schema_refused = false;
        frame_submit(t->schema_frame);
    }
    return false;
}

/* The engine keeps old schemas: batches that were decoded by them may still be on their way. */
static void set_schema(struct topic_state *t, const struct type *schema)
{
    lock_take(t->engine->schema_lock);
    t->schema = type_copy(pool_arena(t->engine->schema_pool), schema);
    t->schema_version++;
    lock_release(t->engine->schema_lock);
}

static void write_down(struct topic_state *t) ON(work)
{
    struct arena arena = {0};
    struct sbuf json = {0};
    type_to_json(t->schema, &json);
    frame_reset(t->schema_frame);
    frame_put(t->schema_frame, schema_key(&arena, t->def), sbuf_view(&json));
    arena_fini(&arena);
    t->schema_frame->done = frame_ended;
    t->schema_frame->arg = t;
    t->schema_frame->internal = true;
    t->schema_busy = true;
    t->schema_again = false;
    frame_submit(t->schema_frame);
    sbuf_fini(&json);
}

/* The given schema, or the one that was written down. A given one that grew by records keeps its growth. */
static bool stored_schema(struct store *store, struct arena *arena, const struct topic_def *def,
                          const struct type **schema, struct err *err)
{
    struct sbuf json = {0};
    const struct type *pinned;
    *schema = def->schema;
    if (!store_get(store, schema_key(arena, def), &json))
        return true;
    struct str text = str_n(arena_dup(arena, json.p, json.n), json.n);
    sbuf_fini(&json);
    TRY(type_from_json(arena, text, &pinned, err));
    if (def->schema && topic_has_schema(def))
        pinned = topic_columns_evolve(arena, def->format, def->schema, pinned);
    else if (def->schema)
        pinned = json_schema_evolve(arena, def->schema, pinned, false);
    *schema = pinned;
    return true;
}

const struct type *topic_schema_stored(struct store *store, struct arena *arena, const struct topic_def *def)
{
    const struct type *schema;
    return store == NULL ? def->schema : stored_schema(store, arena, def, &schema, NULL) ? schema : NULL;
}

static bool load_schema(struct topic_state *t, struct err *err)
{
    struct arena arena = {0};
    const struct type *schema;
    bool ok = stored_schema(t->engine->store, &arena, t->def, &schema, err);
    if (ok && schema)
        set_schema(t, schema);
    arena_fini(&arena);
    return ok;
}

/* Makes the topic exist as the project has it; partitions never become fewer. */
static bool create_or_alter(struct engine *engine, const struct topic_def *def, struct topic_info *info,
                            struct err *err)
{
    bool exists = store_topic(engine->store, def->name, info);
    if (exists && info->partitions > def->partitions)
        event_log(EVENT_STORE, def->name, "the topic keeps its %d partitions, though the project says %d",
                  info->partitions, def->partitions);
    if (exists && info->partitions >= def->partitions && !topic_differs(def, &info->config))
        return true;
    struct frame *frame = frame_new(engine->store);
    if (exists)
        frame_topic_alter(frame, def->name,
                          info->partitions > def->partitions ? info->partitions : def->partitions,
                          def->implied ? &info->config : &def->config);
    else
        frame_topic_create(frame, def->name, def->partitions, &def->config);
    bool ok = frame_commit_now(frame, err) && store_topic(engine->store, def->name, info);
    frame_free(frame);
    return ok || err_context(err, "topic \"%s\"", def->name);
}

bool topic_state_new(struct engine *engine, const struct topic_def *def, struct err *err)
{
    struct topic_state *t = pool_new_struct(engine->pool, struct topic_state);
    t->engine = engine;
    t->schema_frame = frame_new(engine->store);
    task_init(&t->schema_task, on_room);
    waker_init(&t->schema_waker, engine->options.work, &t->schema_task);
    list_init(&t->schema_room.link);
    TRY(create_or_alter(engine, def, &t->info, err));
    t->own_def = *def;
    t->own_def.partitions = t->info.partitions;
    t->own_def.config = t->info.config;
    t->own_def.schemas = schema_desk_view(engine->desk);
    t->def = &t->own_def;
    t->logs = pool_alloc(engine->pool, mem_product((size_t)t->info.partitions, sizeof(struct log *)));
    for (int32_t i = 0; i < t->info.partitions; i++) {
        t->logs[i] = log_get(engine->store, def->name, i);
        CHECK(t->logs[i] != NULL);
    }
    t->next = engine->topics;
    engine->topics = t;
    return def->raw || load_schema(t, err);
}

bool internal_topic(struct store *store, const char *name, int32_t partitions, struct topic_config *config,
                    struct topic_info *info, struct err *err)
{
    if (store_topic(store, name, info))
        return true;
    struct frame *frame = frame_new(store);
    config->internal = true;
    frame->internal = true;
    frame_topic_create(frame, name, partitions, config);
    bool ok = frame_commit_now(frame, err) && store_topic(store, name, info);
    frame_free(frame);
    return ok || err_context(err, "topic \"%s\"", name);
}

struct gathering {
    struct json_inference *inference;
    uint64_t limit; /* records */
};

static bool gather_value(void *arg, struct str value)
{
    struct gathering *g = arg;
    struct err ignored; /* no JSON, no column: the decoder will say so */
    (void)!json_inference_add(g->inference, value, &ignored);
    return json_inference_records(g->inference) < g->limit;
}

/* What the records of a slice have that the schema lacks. */
static bool find_wider(struct topic_state *t, struct pool *pool, const struct log_slice *slice,
                       const struct type **wider, struct err *err) ON(work)
{
    struct topic_decoder *decoder;
    struct gathering g = {json_inference_new(pool, NULL), UINT64_MAX};
    TRY(topic_decoder_new(pool, t->def, t->schema, NULL, &decoder, err) &&
        topic_values(decoder, slice, 0, gather_value, &g, err));
    const struct type *found = json_inference_schema(g.inference, pool_arena(pool));
    *wider = json_schema_evolve(pool_arena(pool), t->schema, found, false);
    return true;
}

/* From now on, and for ever, the topic has these columns. */
static void pin(struct topic_state *t, const struct type *schema) ON(work)
{
    set_schema(t, schema);
    if (t->schema_busy)
        t->schema_again = true;
    else
        write_down(t);
}

bool topic_state_grow(struct topic_state *t, const struct topic_decoder *decoder,
                      const struct log_slice *slice, bool *grew, struct err *err)
{
    struct pool *pool = pool_new(NULL, "schema growth");
    const struct type *wider = t->schema;
    bool ok = true;
    if (topic_has_schema(t->def))
        wider = topic_columns_brought(decoder, pool_arena(pool), t->schema);
    else
        ok = find_wider(t, pool, slice, &wider, err);
    *grew = ok && wider != t->schema;
    if (*grew) {
        bool more = wider->field_count > t->schema->field_count;
        pin(t, wider);
        event_log(EVENT_SCHEMA, t->def->name,
                  more ? "the topic has new columns: %u now"
                       : "columns of the topic have wider types: %u columns",
                  t->schema->field_count);
    }
    pool_free(pool);
    return ok;
}

bool topic_state_latest(struct topic_state *t, struct err *err)
{
    struct pool *pool = pool_new(NULL, "newest schema");
    const struct schema *schema;
    uint32_t id;
    struct err why = {0};
    bool ok = topic_schema_register(pool_arena(pool), t->def, false, NULL, &schema, &id, &why);
    if (ok) {
        const struct type *columns = topic_columns(pool_arena(pool), t->def->format, schema, err);
        ok = columns != NULL || err_context(err, "topic \"%s\"", t->def->name);
        if (ok)
            pin(t, columns);
    } else if (why.class == ERR_CONFIG) {
        ok = true; /* there is none yet: the first record brings it */
    } else if (err) {
        *err = why;
    }
    pool_free(pool);
    return ok;
}

bool topic_state_register(struct topic_state *t, struct err *err)
{
    struct arena arena = {0};
    const struct topic_def *def = t->def;
    const struct schema *schema;
    uint32_t id;
    bool ok = true;
    if (t->registered)
        return true;
    if (topic_has_schema(def) && (def->value_schema || def->schema))
        ok = topic_schema_register(&arena, def, false, def->schema, &schema, &id, err);
    else if (topic_has_schema(def) && t->schema == NULL)
        ok = topic_state_latest(t, err);
    if (ok && topic_key_has_schema(def) && (def->key_schema || def->schema)) {
        const struct type *keys = def->key_schema ? NULL : topic_key_columns(&arena, def, def->schema, err);
        ok = (def->key_schema || keys) && topic_schema_register(&arena, def, true, keys, &schema, &id, err);
    }
    arena_fini(&arena);
    t->registered = ok;
    return ok;
}

/* From the first record whose schema the registry has. */
static bool find_columns(struct topic_state *t, bool *known, struct err *err) ON(work)
{
    if (t->first_pool == NULL) {
        t->first_pool = pool_new(t->engine->pool, "first schema");
        TRY(topic_decoder_new(t->first_pool, t->def, NULL, NULL, &t->first, err));
    }
    struct pool *pool = pool_new(NULL, "first schema");
    const struct type *columns = NULL;
    bool ok = true;
    for (int32_t i = 0; ok && columns == NULL && i < t->info.partitions; i++) {
        int64_t offset = log_start(t->logs[i]);
        while (ok && columns == NULL && offset < log_end(t->logs[i])) {
            struct log_slice slice;
            ok = log_read(t->logs[i], offset, RUN_SLICE_BYTES, &slice, err);
            if (!ok || slice.n == 0)
                break;
            ok = topic_columns_found(t->first, &slice, offset, pool_arena(pool), &columns, err);
            offset = slice.next_offset;
            buf_unref(slice.buf);
        }
    }
    if (ok && columns) {
        pin(t, columns);
        event_log(EVENT_SCHEMA, t->def->name, "%u columns from the schema of the first record",
                  t->schema->field_count);
    }
    *known = ok && columns != NULL;
    if (ok) { /* else the same records are looked at again */
        pool_free(t->first_pool);
        t->first_pool = NULL;
    }
    pool_free(pool);
    return ok;
}

bool topic_state_infer(struct topic_state *t, bool now, bool *known, struct err *err)
{
    *known = t->schema != NULL || t->def->raw;
    if (*known)
        return true;
    if (topic_has_schema(t->def))
        return find_columns(t, known, err);
    struct pool *pool = pool_new(NULL, "inference");
    struct topic_decoder *decoder;
    struct gathering g = {json_inference_new(pool, NULL), INFER_RECORDS};
    bool ok = topic_decoder_new(pool, t->def, NULL, NULL, &decoder, err);
    for (int32_t i = 0; ok && i < t->info.partitions; i++) {
        int64_t offset = log_start(t->logs[i]);
        while (ok && offset < log_end(t->logs[i]) && json_inference_records(g.inference) < INFER_RECORDS) {
            struct log_slice slice;
            ok = log_read(t->logs[i], offset, RUN_SLICE_BYTES, &slice, err);
            if (!ok || slice.n == 0)
                break;
            ok = topic_values(decoder, &slice, offset, gather_value, &g, err);
            offset = slice.next_offset;
            buf_unref(slice.buf);
        }
    }
    uint64_t records = json_inference_records(g.inference);
    if (ok && records > 0 && (now || records >= INFER_RECORDS)) {
        set_schema(t, json_inference_schema(g.inference, pool_arena(pool)));
        write_down(t);
        event_log(EVENT_SCHEMA, t->def->name, "%u columns inferred from %llu records", t->schema->field_count,
                  (unsigned long long)records);
        *known = true;
    }
    pool_free(pool);
    return ok;
}

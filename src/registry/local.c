/* The topic `_schemas` and the state that it makes.
 *
 *     request → decide (a pure function of the state) → entries ── applied at once, and undone if the disk refuses
 *                                                         │
 *               building ── while a frame is in flight, one batch gathers entries and those who wait for them
 *               flying   ── the batch whose frame is on its way to the journal; then all of its waits are answered
 *
 * So a commit is shared by whoever asked meanwhile, and there is one order of changes. An answer that was made from the state waits until
 * all that the state then held is durable, reads too: nobody ever sees what a crash could take back.
 *
 * Others may write to the topic, as Kafka clients. What they wrote counts where it stands: between our frames, or before them. For that the entries that
 * are not durable yet are undone, theirs applied, and ours done again, so that the state is at any time what a replay would make of the topic and of what
 * is on its way to it. */
#include "registry/local.h"

#include <errno.h>

#include "format/compress.h"
#include "format/records.h"
#include "obs/event.h"
#include "os/os.h"
#include "registry/registry_private.h"
#include "registry/subject.h"

enum {
    LOAD_BYTES = 1 << 20,
    BATCH_BYTES = 900 << 10,   /* of one record batch; a frame may hold several */
    ENTRY_BYTES_MAX = 1 << 20, /* of one record, as Kafka's max.message.bytes has it */
};

struct batch {
    struct arena arena;
    struct entry *entries, *inverses; /* in the order in which they were applied */
    size_t entry_count, entry_capacity, inverse_count, inverse_capacity;
    struct list waits;
};

struct local {
    struct registry registry;
    struct store *store;
    struct compress_ctx *compress;
    struct state *state OWNED_BY(net);
    struct log *log OWNED_BY(net);  /* NULL: there is no such topic yet */
    int64_t position OWNED_BY(net); /* up to here the topic is in the state */
    struct batch batches[2], *building OWNED_BY(net), *flying OWNED_BY(net);
    bool in_flight OWNED_BY(net), submit_posted OWNED_BY(net);
    struct frame *frame OWNED_BY(net);
    struct records_builder records OWNED_BY(net);
    struct msg submit;
    struct waker waker; /* others have written */
    struct task tail OWNED_BY(net);
    struct log_wait log_wait OWNED_BY(net);
    uint64_t skipped;
};

struct local *local_of(struct registry *registry)
{
    return CONTAINER_OF(registry, struct local, registry);
}

struct state *local_state(struct local *local)
{
    return local->state;
}

struct loop *local_net(const struct local *local)
{
    return local->registry.net;
}

struct store *local_store(const struct local *local)
{
    return local->store;
}

/* ---- entries that are not durable yet -------------------------------------------------------------------------------------------- */

static void batch_init(struct batch *b)
{
    *b = (struct batch){0};
    list_init(&b->waits);
}

static void batch_clear(struct batch *b)
{
    arena_reset(&b->arena);
    b->entry_count = b->inverse_count = 0;
}

static void batch_fini(struct batch *b)
{
    arena_fini(&b->arena);
    mem_free(b->entries);
    mem_free(b->inverses);
}

static void apply(struct local *l, const struct entry *entry) ON(net)
{
    struct err err;
    if (!state_apply(l->state, entry, &err) && l->skipped++ == 0)
        event_err(EVENT_REGISTRY_TROUBLE, REGISTRY_TOPIC, &err);
}

static void apply_ours(struct local *l, struct batch *b, const struct entry *entry) ON(net)
{
    size_t count;
    const struct entry *inverse = state_invert(l->state, &b->arena, entry, &count);
    b->inverses = mem_grow(b->inverses, &b->inverse_capacity, b->inverse_count + count, sizeof *b->inverses);
    if (count > 0)
        memcpy(b->inverses + b->inverse_count, inverse, count * sizeof *inverse);
    b->inverse_count += count;
    apply(l, entry);
}

static void undo(struct local *l, struct batch *b) ON(net)
{
    while (b->inverse_count > 0)
        apply(l, &b->inverses[--b->inverse_count]);
}

static void redo(struct local *l, struct batch *b) ON(net)
{
    for (size_t i = 0; i < b->entry_count; i++)
        apply_ours(l, b, &b->entries[i]);
}

/* ---- reading the topic ----------------------------------------------------------------------------------------------------------- */

static bool read_batch(struct local *l, struct arena *arena, const uint8_t *p, size_t n, int64_t from,
                       int64_t to, struct err *err) ON(net)
{
    struct records_reader reader;
    struct record record;
    struct buf *scratch = NULL;
    bool more = true, done;
    TRY(records_open(p, n, l->compress, &scratch, &reader, err));
    if (reader.batch.attributes & RECORDS_CONTROL) {
        buf_unref(scratch);
        return true;
    }
    while ((done = records_next(&reader, &record, &more, err)) && more) {
        struct entry entry;
        struct err why;
        if (record.offset < from || record.offset >= to || record.key.p == NULL)
            continue;
        arena_reset(arena);
        if (entry_read(arena, record.key, record.value, record.timestamp_ms, &entry, &why))
            apply(l, &entry);
        else if (l->skipped++ == 0)
            event_err(EVENT_REGISTRY_TROUBLE, REGISTRY_TOPIC, &why);
    }
    buf_unref(scratch);
    return done;
}

/* Applies what the topic holds from l->position to `to`. */
static bool read_to(struct local *l, int64_t to, struct err *err) ON(net)
{
    struct arena arena = {0};
    bool done = true;
    while (done && l->position < to) {
        struct log_slice slice;
        struct records_batch batch;
        if (!(done = log_read_committed(l->log, l->position, LOAD_BYTES, &slice, err)))
            break;
        if (slice.n == 0)
            break;
        for (size_t at = 0; done && at < slice.n; at += batch.size)
            done = records_batch_read(slice.p + at, slice.n - at, false, &batch, err) &&
                   read_batch(l, &arena, slice.p + at, batch.size, l->position, to, err);
        l->position = slice.next_offset < to ? slice.next_offset : to;
        buf_unref(slice.buf);
    }
    arena_fini(&arena);
    return done || err_context(err, REGISTRY_TOPIC);
}

/* What others have written before an offset. (What is young enough to be news comes from memory.) */
static void read_others(struct local *l, int64_t to) ON(net)
{
    struct err err;
    if (l->position >= to)
        return;
    undo(l, l->building);
    undo(l, l->flying);
    if (l->position < log_start(l->log))
        l->position = log_start(l->log);
    if (!read_to(l, to, &err))
        event_err(EVENT_REGISTRY_TROUBLE, REGISTRY_TOPIC, &err);
    redo(l, l->flying);
    redo(l, l->building);
}

static bool run_tail(struct task *task)
{
    struct local *l = CONTAINER_OF(task, struct local, tail);
    run_on_net();
    if (l->log == NULL || l->in_flight) /* the frame's end looks, too */
        return false;
    read_others(l, log_stable(l->log));
    log_wait_stable(l->log, &l->log_wait, &l->waker, l->position);
    return false;
}

/* The topic was deleted. */
static void detach(struct local *l) ON(net)
{
    log_wait_cancel(&l->log_wait);
    log_release(l->log);
    l->log = NULL;
    state_free(l->state);
    l->state = state_new();
    for (int i = 0; i < 2; i++)
        l->batches[i].inverse_count = 0;
    redo(l, l->flying);
    redo(l, l->building);
    event_log(EVENT_REGISTRY_TROUBLE, REGISTRY_TOPIC, "the topic was deleted, and all schemas with it");
}

void local_look(struct local *l)
{
    if (l->log && log_is_dead(l->log))
        detach(l);
    if (l->log || (l->log = log_get(l->store, REGISTRY_TOPIC, 0)) == NULL)
        return;
    l->position = log_start(l->log);
    read_others(l, log_stable(l->log));
    task_wake(&l->tail);
}

bool local_is_settled(const struct local *l)
{
    return l->building->entry_count == 0 && !l->in_flight;
}

/* ---- writing --------------------------------------------------------------------------------------------------------------------- */

static void answer_waits(struct list *waits, bool ok) ON(net)
{
    struct list *link;
    while ((link = list_pop_front(waits)) != NULL) {
        struct local_wait *wait = CONTAINER_OF(link, struct local_wait, link);
        wait->done(wait, ok);
    }
}

static void look_for_end(struct local *l) ON(net)
{
    if (l->registry.ending && !l->in_flight && l->building->entry_count == 0)
        registry_ended(&l->registry);
}

/* Everything that is not durable never was. */
static void give_up(struct local *l, const struct err *why) ON(net)
{
    struct list waits;
    event_err(EVENT_REGISTRY_TROUBLE, REGISTRY_TOPIC, why);
    undo(l, l->building);
    undo(l, l->flying);
    list_init(&waits);
    for (int i = 0; i < 2; i++) {
        struct list *link;
        struct batch *b = i == 0 ? l->flying : l->building;
        batch_clear(b);
        while ((link = list_pop_front(&b->waits)) != NULL)
            list_push_back(&waits, link);
    }
    answer_waits(&waits, false);
}

static void post_submit(struct local *l) ON(net)
{
    if (l->in_flight || l->submit_posted || l->building->entry_count == 0)
        return;
    l->submit_posted = true;
    loop_post(l->registry.net, &l->submit);
}

static void written(struct frame *frame)
{
    struct local *l = frame->arg;
    run_on_net();
    l->in_flight = false;
    if (frame->durable && frame->results[0].error == APPEND_DONE) {
        int64_t base = frame->results[0].base_offset;
        read_others(l, base);
        l->position = base + (int64_t)l->flying->entry_count;
        batch_clear(l->flying);
        answer_waits(&l->flying->waits, true);
    } else {
        struct err err = frame->err;
        if (frame->durable)
            err_set(&err, ERR_RETRY, "the topic is gone");
        give_up(l, &err);
    }
    frame_reset(frame);
    task_wake(&l->tail);
    post_submit(l);
    look_for_end(l);
}

/* Records of the flying batch, as record batches that are not too large, one behind the other. */
static void lay_records(struct local *l) ON(net)
{
    struct sbuf key = {0}, value = {0};
    struct str batch;
    int64_t now = os_wall().us / US_PER_MS;
    records_begin(&l->records);
    for (size_t i = 0; i < l->flying->entry_count; i++) {
        const struct entry *entry = &l->flying->entries[i];
        sbuf_clear(&key);
        sbuf_clear(&value);
        entry_write_key(&key, entry);
        if (!entry->tombstone)
            entry_write_value(&value, entry);
        if (l->records.count > 0 && records_size(&l->records) + key.n + value.n > BATCH_BYTES) {
            bool ended = records_end(&l->records, CODEC_NONE, 0, NULL, &batch, NULL);
            CHECK(ended);
            records_begin_next(&l->records);
        }
        int64_t at = entry->kind == ENTRY_SCHEMA && !entry->tombstone ? entry->schema.timestamp_ms : now;
        records_add(&l->records, at, sbuf_view(&key), entry->tombstone ? (struct str){0} : sbuf_view(&value),
                    NULL, 0);
    }
    bool ended = records_end(&l->records, CODEC_NONE, 0, NULL, &batch, NULL);
    CHECK(ended);
    sbuf_fini(&key);
    sbuf_fini(&value);
    frame_append(l->frame, l->log, l->records.buf, 0, l->records.buf->n);
}

static void fly(struct local *l) ON(net)
{
    struct batch *empty = l->flying;
    CHECK(!l->in_flight && empty->entry_count == 0);
    l->flying = l->building;
    l->building = empty;
    l->in_flight = true;
    l->frame->done = written;
    l->frame->arg = l;
    l->frame->internal = true;
    lay_records(l);
    frame_submit(l->frame);
}

static void topic_made(struct frame *frame)
{
    struct local *l = frame->arg;
    struct err err = frame->err;
    bool made = frame->durable || err.code == EEXIST;
    run_on_net();
    l->in_flight = false;
    frame_reset(frame);
    local_look(l);
    if (made && l->log)
        fly(l);
    else
        give_up(l, &err);
    look_for_end(l);
}

static void make_topic(struct local *l) ON(net)
{
    struct topic_config config;
    topic_config_default(&config);
    config.compact = true;
    config.retention_ms = -1;
    l->in_flight = true;
    l->frame->done = topic_made;
    l->frame->arg = l;
    frame_topic_create(l->frame, REGISTRY_TOPIC, 1, &config);
    frame_submit(l->frame);
}

static void handle_submit(struct msg *msg)
{
    struct local *l = CONTAINER_OF(msg, struct local, submit);
    run_on_net();
    l->submit_posted = false;
    if (l->in_flight || l->building->entry_count == 0)
        return;
    if (l->log)
        fly(l);
    else
        make_topic(l);
}

/* One that no consumer would take. */
static bool fits(const struct entry *entry)
{
    struct sbuf value = {0};
    if (entry->kind != ENTRY_SCHEMA || entry->tombstone || entry->schema.text.n < ENTRY_BYTES_MAX / 8)
        return true;
    entry_write_value(&value, entry);
    bool fits = value.n < ENTRY_BYTES_MAX;
    sbuf_fini(&value);
    return fits;
}

bool local_write(struct local *l, struct work *w)
{
    struct batch *b = l->building;
    int64_t now = os_wall().us / US_PER_MS;
    if (l->registry.ending)
        return refuse(w, CODE_STORE, "the schema registry is ending");
    for (size_t i = 0; i < w->entry_count; i++)
        if (!fits(&w->entries[i]))
            return refuse(w, CODE_TOO_LARGE, "Register operation failed because schema is too large");
    size_t first = b->entry_count;
    b->entries = mem_grow(b->entries, &b->entry_capacity, first + w->entry_count, sizeof *b->entries);
    for (size_t i = 0; i < w->entry_count;
         i++) { /* copies first: to apply one may end what another borrows */
        b->entries[first + i] = entry_copy(&b->arena, &w->entries[i]);
        b->entries[first + i].schema.timestamp_ms = now;
    }
    b->entry_count += w->entry_count;
    for (size_t i = first; i < b->entry_count; i++)
        apply_ours(l, b, &b->entries[i]);
    post_submit(l);
    return true;
}

void local_wait(struct local *l, struct local_wait *wait)
{
    list_init(&wait->link);
    if (l->building->entry_count > 0)
        list_push_back(&l->building->waits, &wait->link);
    else if (l->in_flight)
        list_push_back(&l->flying->waits, &wait->link);
    else
        wait->done(wait, true);
}

/* ---- questions of the program ---------------------------------------------------------------------------------------------------- */

struct asked {
    struct local_wait wait;
    struct registry_call *call;
};

static void answer_asked(struct local_wait *wait, bool ok)
{
    struct asked *asked = CONTAINER_OF(wait, struct asked, wait);
    struct registry_call *call = asked->call;
    run_on_net();
    mem_free(asked);
    if (!ok) {
        call->ok = false;
        err_set(&call->err, ERR_RETRY, "the schema registry could not write");
    }
    registry_answer(call);
}

static bool refused(const struct work *w, struct err *err)
{
    err_set(err, w->code == CODE_STORE ? ERR_RETRY : ERR_DATA, "%.*s", STR_ARG(w->message));
    err->code = w->code;
    return false;
}

static struct str copy_text(struct arena *arena, struct str text)
{
    return text.p ? str_n(str_dup(arena, text), text.n) : text;
}

/* What is shown, with all that it refers to, in the answer's arena. */
static bool give(struct work *w, struct arena *arena, const struct shown *shown, struct registry_schema *out,
                 struct err *err)
{
    struct schema_source *source = &out->source;
    if (!resolve(w, shown->subject, shown->kind, shown->text, shown->references, source))
        return refused(w, err);
    out->id = shown->id;
    out->version = shown->version;
    out->subject = copy_text(arena, shown->subject);
    source->text = copy_text(arena, source->text);
    struct schema_reference *references = arena_array(arena, struct schema_reference,
                                                      source->reference_count);
    for (uint32_t i = 0; i < source->reference_count; i++) {
        references[i] = source->references[i];
        references[i].name = copy_text(arena, references[i].name);
        references[i].subject = copy_text(arena, references[i].subject);
        references[i].text = copy_text(arena, references[i].text);
    }
    source->references = references;
    return true;
}

static bool find_by_id(struct work *w, int32_t id, struct str subject, struct shown *shown)
{
    struct str where;
    int32_t version;
    const struct state_content *content = find_id(w, id, subject_normal(w->arena, subject), &where, &version);
    if (content == NULL)
        content = find_id(w, id, subject_context_of(w->arena, subject), &where, &version);
    if (content == NULL)
        return refuse(w, CODE_SCHEMA_NOT_FOUND, "Schema %d not found", (int)id);
    *shown = shown_of(where, state_version(w->state, where, version));
    shown->version = 0;
    return true;
}

static bool find_by_guid(struct work *w, const uint8_t guid[16], struct shown *shown)
{
    const struct state_content **contents;
    char text[GUID_TEXT + 1];
    size_t count;
    guid_text(guid, text);
    if (find_guid(w, guid, &contents) == 0)
        return refuse(w, CODE_SCHEMA_NOT_FOUND, "Schema %s not found", text);
    const struct state_use *uses = state_uses(contents[0], &count);
    struct str name = state_subject_name(uses[0].subject);
    *shown = shown_of(name, state_version(w->state, name, uses[0].version));
    shown->version = 0;
    return true;
}

static bool find_by_version(struct work *w, struct str subject, int32_t version, struct shown *shown)
{
    struct str name = subject_normal(w->arena, subject);
    const struct state_version *v = find_version_somewhere(w, &name, version, false);
    if (v == NULL && !state_has_subjects(w->state, name, false))
        return refuse_subject_not_found(w, subject);
    if (v == NULL)
        return refuse_version_not_found(w, version);
    *shown = shown_of(name, v);
    return true;
}

static bool find(struct local *l, struct arena *arena, const struct registry_call *call,
                 struct registry_schema *schema, struct err *err) ON(net)
{
    struct arena scratch = {0};
    struct work w = {.state = l->state, .arena = &scratch};
    struct shown shown;
    bool found = call->what == REGISTRY_BY_ID     ? find_by_id(&w, call->id, call->subject, &shown)
                 : call->what == REGISTRY_BY_GUID ? find_by_guid(&w, call->guid, &shown)
                                                  : find_by_version(&w, call->subject, call->version, &shown);
    found = found ? give(&w, arena, &shown, schema, err) : refused(&w, err);
    if (found && call->what != REGISTRY_BY_VERSION)
        schema->subject = str_n("", 0);
    arena_fini(&scratch);
    return found;
}

static bool do_register(struct local *l, struct registry_call *call) ON(net)
{
    struct arena scratch = {0};
    struct work w = {.state = l->state, .arena = &scratch};
    struct config config;
    struct shown shown;
    const struct wanted wanted = {.subject = subject_normal(&scratch, call->subject),
                                  .type = str_of(schema_kind_name(call->kind)),
                                  .text = call->text,
                                  .references = call->references,
                                  .reference_count = call->reference_count,
                                  .id = -1};
    config_in_scope(&w, wanted.subject, &config);
    unsigned how = call->normalize || config_is_true(&config, CONFIG_NORMALIZE) ? DECIDE_NORMALIZE : 0;
    bool done = decide_register(&w, &wanted, how, &shown) || refused(&w, &call->err);
    done = done && give(&w, &call->arena, &shown, &call->schema, &call->err);
    if (done && w.entry_count > 0)
        done = local_write(l, &w) || refused(&w, &call->err);
    arena_fini(&scratch);
    return done;
}

static void ask(struct registry *registry, struct registry_call *call) ON(net)
{
    struct local *l = local_of(registry);
    struct asked *asked = mem_new(sizeof *asked);
    local_look(l);
    arena_reset(&call->arena);
    call->ok = call->what == REGISTRY_REGISTER ? do_register(l, call)
                                               : find(l, &call->arena, call, &call->schema, &call->err);
    *asked = (struct asked){.wait = {.done = answer_asked}, .call = call};
    local_wait(l, &asked->wait);
}

bool registry_get_id_now(struct registry *registry, struct arena *arena, int32_t id, struct str subject,
                         struct registry_schema *schema, struct err *err)
{
    const struct registry_call call = {.what = REGISTRY_BY_ID, .id = id, .subject = subject};
    return find(local_of(registry), arena, &call, schema, err);
}

bool registry_get_guid_now(struct registry *registry, struct arena *arena, const uint8_t guid[16],
                           struct registry_schema *schema, struct err *err)
{
    struct registry_call call = {.what = REGISTRY_BY_GUID};
    memcpy(call.guid, guid, sizeof call.guid);
    return find(local_of(registry), arena, &call, schema, err);
}

bool registry_get_version_now(struct registry *registry, struct arena *arena, struct str subject,
                              int32_t version, struct registry_schema *schema, struct err *err)
{
    const struct registry_call call = {.what = REGISTRY_BY_VERSION, .subject = subject, .version = version};
    return find(local_of(registry), arena, &call, schema, err);
}

bool registry_compatible_now(struct registry *registry, struct arena *arena, struct str subject,
                             enum schema_kind kind, struct str text,
                             const struct registry_reference *references, uint32_t reference_count,
                             struct schema_messages *messages, struct registry_schema *latest,
                             struct err *err)
{
    struct work w = {.state = local_of(registry)->state, .arena = arena};
    const struct wanted wanted = {.subject = subject_normal(arena, subject),
                                  .type = str_of(schema_kind_name(kind)),
                                  .text = text,
                                  .references = references,
                                  .reference_count = reference_count,
                                  .id = -1};
    const struct registry_call newest = {
        .what = REGISTRY_BY_VERSION, .subject = wanted.subject, .version = REGISTRY_LATEST};
    struct config config;
    struct err none;
    size_t count;
    const struct state_version **alive = state_alive(w.state, arena, wanted.subject, &count);
    *latest = (struct registry_schema){0};
    config_in_scope(&w, wanted.subject, &config);
    bool ok = decide_compatible(&w, &wanted, alive, count, config_is_true(&config, CONFIG_NORMALIZE),
                                messages) ||
              refused(&w, err);
    if (count > 0 && !find(local_of(registry), arena, &newest, latest, &none))
        *latest = (struct registry_schema){0};
    return ok;
}

/* ---- its life -------------------------------------------------------------------------------------------------------------------- */

static void end(struct registry *registry) ON(net)
{
    look_for_end(local_of(registry));
}

static void local_free(struct registry *registry) UNSHARED
{
    struct local *l = local_of(registry);
    log_wait_cancel(&l->log_wait);
    log_release(l->log);
    frame_free(l->frame);
    records_builder_fini(&l->records);
    batch_fini(&l->batches[0]);
    batch_fini(&l->batches[1]);
    state_free(l->state);
    compress_ctx_free(l->compress);
    l->log = NULL;
    l->state = NULL;
    l->frame = NULL;
    l->compress = NULL;
}

static const struct registry_slots slots = {ask, end, local_free};

bool registry_new(struct pool *pool, struct loop *net, struct store *store, struct registry **registry,
                  struct err *err) UNSHARED
{
    struct local *l = pool_new_struct(pool, struct local);
    registry_init(&l->registry, &slots, net);
    l->store = store;
    l->compress = compress_ctx_new();
    l->state = state_new();
    l->frame = frame_new(store);
    for (int i = 0; i < 2; i++)
        batch_init(&l->batches[i]);
    l->building = &l->batches[0];
    l->flying = &l->batches[1];
    list_init(&l->log_wait.link);
    msg_init(&l->submit, handle_submit);
    task_init(&l->tail, run_tail);
    if (net)
        waker_init(&l->waker, net, &l->tail);
    *registry = &l->registry;
    l->log = log_get(store, REGISTRY_TOPIC, 0);
    if (l->log == NULL)
        return true;
    l->position = log_start(l->log);
    TRY(read_to(l, log_stable(l->log), err));
    if (l->skipped > 1)
        event_log(EVENT_REGISTRY_TROUBLE, REGISTRY_TOPIC, "%llu records were not understood, and skipped",
                  (unsigned long long)l->skipped);
    if (net)
        log_wait_stable(l->log, &l->log_wait, &l->waker, l->position);
    return true;
}

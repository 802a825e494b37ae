/* Rows to records: one record batch builder for each partition of the topic.
 *
 * The key of a raw JSON record is found by decoding it with a schema of that one field, so a million keys cost one pass over the
 * bytes and no parsing into trees. */
#include "format/json.h"
#include "topic/topic.h"

enum {
    BATCH_BYTES = 1000 * 1000
}; /* of one record batch: below the 1 MiB that Kafka's clients take by default */

struct partition {
    struct records_builder builder; /* count 0 = begun, empty */
    struct sbuf done;               /* whole batches */
    uint64_t records;
};

struct topic_writer {
    struct pool *pool;
    const struct topic_def *def;
    struct partition *partitions; /* partitions[def->partitions] */
    int32_t sticky;               /* partition of rows without a key, for this turn */
    size_t bytes;

    /* keys of raw records */
    struct json_decoder *key_decoder; /* NULL: the topic has no key rule */
    struct batch *key_batch;

    /* rows of batches */
    struct pool *encoder_pool;
    const struct type *encoder_schema; /* in encoder_pool */
    struct json_encoder *encoder;
    struct sbuf text; /* encoded rows */
    uint32_t *ends;
    size_t ends_capacity;
};

static void close_writer(void *arg)
{
    struct topic_writer *w = arg;
    for (int32_t i = 0; i < w->def->partitions; i++) {
        records_builder_fini(&w->partitions[i].builder);
        sbuf_fini(&w->partitions[i].done);
    }
    sbuf_fini(&w->text);
    mem_free(w->ends);
    batch_free(w->key_batch);
}

/* STRUCT<a: STRUCT<b: STRING>> for the path "a.b". */
static const struct type *path_schema(struct arena *arena, struct str path)
{
    size_t dot = str_find(path, STR("."), 0);
    struct str name = dot == SIZE_MAX ? path : str_n(path.p, dot);
    struct field field = {.name = str_dup(arena, name), .nullable = true};
    field.type = dot == SIZE_MAX ? type_simple(TYPE_STRING)
                                 : path_schema(arena, str_n(path.p + dot + 1, path.n - dot - 1));
    return type_struct(arena, &field, 1);
}

bool topic_writer_new(struct pool *pool, const struct topic_def *def, struct topic_writer **writer,
                      struct err *err)
{
    struct topic_writer *w = pool_new_struct(pool, struct topic_writer);
    *w = (struct topic_writer){.pool = pool, .def = def};
    w->partitions = pool_alloc(pool, mem_product((size_t)def->partitions, sizeof *w->partitions));
    for (int32_t i = 0; i < def->partitions; i++)
        records_begin(&w->partitions[i].builder);
    w->key_batch = batch_new();
    pool_on_free(pool, close_writer, w);
    *writer = w;
    if (def->key == NULL || def->format != TOPIC_JSON)
        return true;
    struct json_options options = json_options_default();
    w->key_decoder = json_decoder_new(pool, path_schema(pool_arena(pool), str_of(def->key)), &options, err);
    return w->key_decoder != NULL || err_context(err, "key of topic \"%s\"", def->name);
}

static bool end_batch(struct partition *p, struct err *err)
{
    struct str batch;
    if (p->builder.count == 0)
        return true;
    TRY(records_end(&p->builder, CODEC_NONE, 0, NULL, &batch, err));
    sbuf_str(&p->done, batch);
    p->records += (uint64_t)p->builder.count;
    records_begin(&p->builder);
    return true;
}

static bool add_record(struct topic_writer *w, struct str key, struct str value, int64_t timestamp_ms,
                       struct err *err)
{
    int32_t index = key.p ? records_partition(key, w->def->partitions) : w->sticky;
    struct partition *p = &w->partitions[index];
    if (p->builder.count && records_size(&p->builder) + key.n + value.n > BATCH_BYTES)
        TRY(end_batch(p, err));
    size_t before = records_size(&p->builder);
    records_add(&p->builder, timestamp_ms, key, value, NULL, 0);
    w->bytes += records_size(&p->builder) - before;
    return true;
}

/* The text at the end of a chain of one-field structs, or NULL. */
static struct str key_text(const struct column *column, uint32_t row)
{
    while (column->type->kind == TYPE_STRUCT) {
        if (column_is_null(column, row))
            return (struct str){0};
        column = &column->children[0];
    }
    return column_is_null(column, row) ? (struct str){0} : view_str((const struct view *)column->data + row);
}

bool topic_writer_add(struct topic_writer *w, const struct str *keys, const struct str *values,
                      const int64_t *timestamps_ms, uint32_t count, int64_t now_ms, struct err *err)
{
    bool by_rule = keys == NULL && w->key_decoder != NULL;
    if (by_rule) {
        batch_reset(w->key_batch);
        TRY(json_decode(w->key_decoder, values, count, w->key_batch, NULL, err));
    }
    for (uint32_t i = 0; i < count; i++) {
        struct str key = by_rule ? key_text(&w->key_batch->columns[0], i) : keys ? keys[i] : (struct str){0};
        TRY(add_record(w, key, values[i], timestamps_ms ? timestamps_ms[i] : now_ms, err));
    }
    return true;
}

static bool need_encoder(struct topic_writer *w, const struct type *schema, struct err *err)
{
    if (w->encoder && type_equal(w->encoder_schema, schema))
        return true;
    pool_free(w->encoder_pool);
    w->encoder_pool = pool_new(w->pool, "topic encoder");
    w->encoder_schema = type_copy(pool_arena(w->encoder_pool), schema);
    struct json_options options = json_options_default();
    w->encoder = json_encoder_new(w->encoder_pool, w->encoder_schema, &options, err);
    return w->encoder != NULL || err_context(err, "topic \"%s\"", w->def->name);
}

/* The key column's path, resolved against the batch; NULL and false when there is no such column. */
static bool find_key(const struct topic_writer *w, const struct batch *batch, const struct column **key,
                     struct err *err)
{
    *key = NULL;
    if (w->def->key == NULL)
        return true;
    const struct type *type = batch->schema;
    const struct column *columns = batch->columns;
    struct str rest = str_of(w->def->key);
    for (;;) {
        size_t dot = str_find(rest, STR("."), 0);
        int index = type_field(type, str_n(rest.p, dot == SIZE_MAX ? rest.n : dot), true);
        if (index < 0)
            return err_set(err, ERR_CONFIG,
                           "topic \"%s\": the key column \"%s\" is not among the stream's columns",
                           w->def->name, w->def->key);
        *key = &columns[index];
        if (dot == SIZE_MAX)
            return true;
        type = type->fields[index].type;
        if (type->kind != TYPE_STRUCT || (*key)->encoding != COLUMN_FLAT)
            return err_set(err, ERR_CONFIG, "topic \"%s\": the key column \"%s\" cannot be reached",
                           w->def->name, w->def->key);
        columns = (*key)->children;
        rest = str_n(rest.p + dot + 1, rest.n - dot - 1);
    }
}

/* A key as text, in the batch's own bytes or in scratch. */
static struct str row_key(const struct column *key, uint32_t row, struct arena *arena, struct sbuf *scratch)
{
    if (key == NULL || column_is_null(key, row))
        return (struct str){0};
    if (type_is_view(key->type)) {
        const struct column *values;
        uint32_t index = column_resolve(key, row, &values);
        struct str text = view_str((const struct view *)values->data + index);
        return text.p ? text : STR("");
    }
    struct value value = column_value(key, row, arena);
    sbuf_clear(scratch);
    value_to_text(&value, NULL, scratch);
    return sbuf_view(scratch);
}

bool topic_writer_batch(struct topic_writer *w, const struct batch *batch, int64_t now_ms, struct err *err)
{
    const struct column *key;
    TRY(need_encoder(w, batch->schema, err));
    TRY(find_key(w, batch, &key, err));
    w->ends = mem_grow(w->ends, &w->ends_capacity, batch->rows, sizeof *w->ends);
    sbuf_clear(&w->text);
    json_encode(w->encoder, batch, 0, batch->rows, 0, &w->text, w->ends);
    struct arena arena = {0};
    struct sbuf scratch = {0};
    bool ok = true;
    for (uint32_t row = 0; ok && row < batch->rows; row++) {
        enum change change = batch->change ? (enum change)batch->change[row] : CHANGE_INSERT;
        uint32_t start = row ? w->ends[row - 1] : 0;
        struct str value = str_n(w->text.p + start, w->ends[row] - start);
        if (change == CHANGE_UPDATE_BEFORE)
            continue;
        if (change == CHANGE_DELETE)
            value = (struct str){0};
        int64_t at_ms = batch->event_time ? batch->event_time[row] / US_PER_MS : now_ms;
        ok = add_record(w, row_key(key, row, &arena, &scratch), value, at_ms, err);
    }
    arena_fini(&arena);
    sbuf_fini(&scratch);
    return ok;
}

bool topic_writer_flush(struct topic_writer *w, struct frame *frame, struct log *const *logs,
                        uint64_t *records, struct err *err)
{
    for (int32_t i = 0; i < w->def->partitions; i++) {
        struct partition *p = &w->partitions[i];
        TRY(end_batch(p, err));
        if (p->done.n == 0)
            continue;
        frame_append_copy(frame, logs[i], p->done.p, p->done.n);
        *records += p->records;
        p->records = 0;
        sbuf_clear(&p->done);
    }
    w->bytes = 0;
    w->sticky = (w->sticky + 1) % w->def->partitions;
    return true;
}

size_t topic_writer_bytes(const struct topic_writer *w)
{
    return w->bytes;
}

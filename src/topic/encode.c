/* Rows to records: one record batch builder for each partition of the topic. A frame takes a builder's buffer by reference, so a record is
 * copied once on its way to the journal. */
#include "format/json.h"
#include "topic/key.h"

enum {
    BATCH_BYTES = 1000 * 1000
}; /* of one record batch: below the 1 MiB that Kafka's clients take by default */

struct partition {
    struct records_builder builder; /* its buffer goes into the frame by reference */
    bool begun;                     /* there is something since the last flush */
    uint64_t records;               /* of whole batches */
};

enum { RAW_KEY, RAW_VALUE, RAW_PARTITION, RAW_HEADERS, RAW_COLUMNS };

/* Of the rows that go to a raw topic, as Spark's Kafka sink wants them: −1 = none. */
struct raw_columns {
    int at[RAW_COLUMNS];
};

struct topic_writer {
    struct pool *pool;
    const struct topic_def *def;
    struct partition *partitions; /* partitions[def->partitions] */
    struct buf **taken;           /* taken[def->partitions], by the last flush */
    int32_t sticky;               /* partition of rows without a key, for this turn */
    enum codec codec;             /* the topic's, as of the last flush */
    struct compress_ctx *compress;
    size_t bytes;

    struct topic_key *record_key; /* NULL: the topic has no key rule */

    /* rows of batches */
    struct pool *encoder_pool;
    const struct type *encoder_schema; /* in encoder_pool */
    struct topic_key *row_key;         /* or NULL */
    struct json_encoder *encoder;
    struct sbuf text; /* encoded rows */
    uint32_t *ends;
    size_t ends_capacity;
    struct raw_columns raw; /* of a raw topic, instead */
};

static void close_writer(void *arg)
{
    struct topic_writer *w = arg;
    for (int32_t i = 0; i < w->def->partitions; i++)
        records_builder_fini(&w->partitions[i].builder);
    compress_ctx_free(w->compress);
    sbuf_fini(&w->text);
    mem_free(w->ends);
}

bool topic_differs(const struct topic_def *def, const struct topic_config *config)
{
    const struct topic_config *wanted = &def->config;
    return !def->implied &&
           (config->retention_ms != wanted->retention_ms ||
            config->retention_bytes != wanted->retention_bytes || config->compact != wanted->compact ||
            config->compression != wanted->compression || config->segment_bytes != wanted->segment_bytes ||
            config->segment_ms != wanted->segment_ms);
}

bool topic_writer_new(struct pool *pool, const struct topic_def *def, struct topic_writer **writer,
                      struct err *err)
{
    struct topic_writer *w = pool_new_struct(pool, struct topic_writer);
    *w = (struct topic_writer){.pool = pool, .def = def, .codec = (enum codec)def->config.compression};
    w->partitions = pool_alloc(pool, mem_product((size_t)def->partitions, sizeof *w->partitions));
    w->taken = pool_alloc(pool, mem_product((size_t)def->partitions, sizeof(struct buf *)));
    w->compress = compress_ctx_new();
    pool_on_free(pool, close_writer, w);
    *writer = w;
    return def->key_count == 0 || def->format == TOPIC_RAW ||
           topic_key_of_records(pool, def, &w->record_key, err);
}

static bool end_batch(struct topic_writer *w, struct partition *p, struct err *err)
{
    struct str batch;
    p->records += (uint64_t)p->builder.count;
    return records_end(&p->builder, (int)w->codec, 0, w->compress, &batch, err);
}

/* A record whose partition −1 leaves to its key. */
static bool add_record(struct topic_writer *w, int32_t partition, int64_t timestamp_ms, struct str key,
                       struct str value, const struct records_header *headers, uint32_t header_count,
                       struct err *err)
{
    if (partition < 0)
        partition = key.p ? records_partition(key, w->def->partitions) : w->sticky;
    struct partition *p = &w->partitions[partition];
    if (!p->begun) {
        records_begin(&p->builder);
        p->begun = true;
    } else if (records_size(&p->builder) + key.n + value.n > BATCH_BYTES) {
        TRY(end_batch(w, p, err));
        records_begin_next(&p->builder);
    }
    size_t before = records_size(&p->builder);
    records_add(&p->builder, timestamp_ms, key, value, headers, header_count);
    w->bytes += records_size(&p->builder) - before;
    return true;
}

bool topic_writer_add(struct topic_writer *w, const struct str *keys, const struct str *values,
                      const int64_t *timestamps_ms, uint32_t count, int64_t now_ms, struct err *err)
{
    if (keys == NULL && w->record_key && count > 0)
        TRY(topic_key_records(w->record_key, values, count, &keys, err));
    for (uint32_t i = 0; i < count; i++)
        TRY(add_record(w, -1, timestamps_ms ? timestamps_ms[i] : now_ms, keys ? keys[i] : (struct str){0},
                       values[i], NULL, 0, err));
    return true;
}

/* ---- rows -------------------------------------------------------------------------------------------------------------- */

static bool find_raw_columns(const struct topic_def *def, const struct type *schema, struct raw_columns *raw,
                             struct err *err)
{
    static const struct {
        const char *name, *wanted;
    } columns[RAW_COLUMNS] = {{"key", "STRING or BINARY"},
                              {"value", "STRING or BINARY"},
                              {"partition", "INT"},
                              {"headers", "ARRAY<STRUCT<key: STRING, value: BINARY>>"}};
    for (int i = 0; i < RAW_COLUMNS; i++) {
        raw->at[i] = type_field(schema, str_of(columns[i].name), true);
        if (raw->at[i] < 0)
            continue;
        const struct type *type = schema->fields[raw->at[i]].type;
        const struct type *entry = type->kind == TYPE_ARRAY ? type->fields[0].type : NULL;
        bool fits = i == RAW_PARTITION ? type->kind == TYPE_INT
                    : i == RAW_HEADERS ? entry && entry->kind == TYPE_STRUCT && entry->field_count == 2 &&
                                             entry->fields[0].type->kind == TYPE_STRING &&
                                             entry->fields[1].type->kind == TYPE_BINARY
                                       : type->kind == TYPE_STRING || type->kind == TYPE_BINARY;
        if (!fits)
            return err_set(err, ERR_CONFIG, "the column \"%s\" of rows for the raw topic \"%s\" is not %s",
                           columns[i].name, def->name, columns[i].wanted);
    }
    if (raw->at[RAW_VALUE] >= 0)
        return true;
    err_set(err, ERR_CONFIG, "rows for the raw topic \"%s\" have no column \"value\"", def->name);
    return err_hint(err, "Name what goes into it: SELECT to_json(struct(*)) AS value …");
}

bool topic_takes(const struct topic_def *def, const struct type *schema, struct err *err)
{
    struct raw_columns raw;
    return def->format != TOPIC_RAW || find_raw_columns(def, schema, &raw, err);
}

static bool need_encoder(struct topic_writer *w, const struct type *schema, struct err *err)
{
    if (w->encoder_pool && type_equal(w->encoder_schema, schema))
        return true;
    pool_free(w->encoder_pool);
    w->encoder_pool = pool_new(w->pool, "topic encoder");
    w->encoder_schema = type_copy(pool_arena(w->encoder_pool), schema);
    w->row_key = NULL;
    if (w->def->format == TOPIC_RAW)
        return find_raw_columns(w->def, schema, &w->raw, err);
    if (w->def->key_count > 0)
        TRY(topic_key_of_rows(w->encoder_pool, w->def, w->encoder_schema, &w->row_key, err));
    w->encoder = json_encoder_new(w->encoder_pool, w->encoder_schema, NULL, err);
    return w->encoder != NULL || err_context(err, "topic \"%s\"", w->def->name);
}

static enum change change_of(const struct batch *batch, uint32_t row)
{
    return batch->change ? (enum change)batch->change[row] : CHANGE_INSERT;
}

static int64_t time_of(const struct batch *batch, uint32_t row, int64_t now_ms)
{
    return batch->event_time ? batch->event_time[row] / US_PER_MS : now_ms;
}

static bool add_json(struct topic_writer *w, const struct batch *batch, int64_t now_ms, struct err *err)
{
    const struct str *keys = w->row_key ? topic_key_rows(w->row_key, batch) : NULL;
    w->ends = mem_grow(w->ends, &w->ends_capacity, batch->rows, sizeof *w->ends);
    sbuf_clear(&w->text);
    json_encode(w->encoder, batch, 0, batch->rows, 0, &w->text, w->ends);
    for (uint32_t row = 0; row < batch->rows; row++) {
        enum change change = change_of(batch, row);
        uint32_t start = row ? w->ends[row - 1] : 0;
        struct str value = str_n(w->text.p + start, w->ends[row] - start);
        if (change == CHANGE_UPDATE_BEFORE)
            continue;
        TRY(add_record(w, -1, time_of(batch, row, now_ms), keys ? keys[row] : (struct str){0},
                       change == CHANGE_DELETE ? (struct str){0} : value, NULL, 0, err));
    }
    return true;
}

/* What a column of texts holds; p NULL = null, or no such column. */
static struct str raw_text(const struct topic_writer *w, const struct batch *batch, int which, uint32_t row)
{
    if (w->raw.at[which] < 0 || column_is_null(&batch->columns[w->raw.at[which]], row))
        return (struct str){0};
    const struct column *values;
    uint32_t at = column_resolve(&batch->columns[w->raw.at[which]], row, &values);
    struct str text = view_str((const struct view *)values->data + at);
    return text.p ? text : STR("");
}

static bool raw_partition(const struct topic_writer *w, const struct batch *batch, uint32_t row,
                          int32_t *partition, struct err *err)
{
    const struct column *column = w->raw.at[RAW_PARTITION] < 0 ? NULL
                                                               : &batch->columns[w->raw.at[RAW_PARTITION]];
    *partition = -1;
    if (column == NULL || column_is_null(column, row))
        return true;
    uint32_t at = column_resolve(column, row, &column);
    *partition = ((const int32_t *)column->data)[at];
    return (*partition >= 0 && *partition < w->def->partitions) ||
           err_set(err, ERR_FATAL, "a row wants partition %d of the topic \"%s\", which has %d", *partition,
                   w->def->name, w->def->partitions);
}

/* The headers of a row, in arena. */
static uint32_t raw_headers(const struct topic_writer *w, const struct batch *batch, uint32_t row,
                            struct arena *arena, struct records_header **headers)
{
    const struct column *column = w->raw.at[RAW_HEADERS] < 0 ? NULL : &batch->columns[w->raw.at[RAW_HEADERS]];
    if (column == NULL || column_is_null(column, row))
        return 0;
    struct value list = column_value(column, row, arena);
    *headers = arena_array(arena, struct records_header, list.nested.count);
    for (uint32_t i = 0; i < list.nested.count; i++) {
        const struct value *entry = &list.nested.items[i];
        const struct value *name = entry->is_null ? NULL : &entry->nested.items[0];
        const struct value *value = entry->is_null ? NULL : &entry->nested.items[1];
        (*headers)[i].key = name && !name->is_null && name->str.p ? name->str : STR("");
        (*headers)[i].value = value == NULL || value->is_null ? (struct str){0}
                              : value->str.p                  ? value->str
                                                              : STR("");
    }
    return list.nested.count;
}

static bool add_raw(struct topic_writer *w, const struct batch *batch, int64_t now_ms, struct err *err)
{
    struct arena arena = {0};
    bool ok = true;
    for (uint32_t row = 0; ok && row < batch->rows; row++) {
        enum change change = change_of(batch, row);
        struct records_header *headers = NULL;
        int32_t partition;
        if (change == CHANGE_UPDATE_BEFORE)
            continue;
        arena_reset(&arena);
        uint32_t count = raw_headers(w, batch, row, &arena, &headers);
        ok = raw_partition(w, batch, row, &partition, err) &&
             add_record(w, partition, time_of(batch, row, now_ms), raw_text(w, batch, RAW_KEY, row),
                        change == CHANGE_DELETE ? (struct str){0} : raw_text(w, batch, RAW_VALUE, row),
                        headers, count, err);
    }
    arena_fini(&arena);
    return ok;
}

bool topic_writer_batch(struct topic_writer *w, const struct batch *batch, int64_t now_ms, struct err *err)
{
    if (batch->rows == 0)
        return true;
    TRY(need_encoder(w, batch->schema, err));
    return w->def->format == TOPIC_RAW ? add_raw(w, batch, now_ms, err) : add_json(w, batch, now_ms, err);
}

bool topic_writer_take(struct topic_writer *w, struct buf **bufs, uint64_t *records, struct err *err)
{
    for (int32_t i = 0; i < w->def->partitions; i++) {
        struct partition *p = &w->partitions[i];
        bufs[i] = NULL;
        if (!p->begun)
            continue;
        p->begun = false;
        TRY(end_batch(w, p, err));
        bufs[i] = p->builder.buf;
        *records += p->records;
        p->records = 0;
    }
    w->bytes = 0;
    w->sticky = (w->sticky + 1) % w->def->partitions;
    return true;
}

bool topic_writer_flush(struct topic_writer *w, struct frame *frame, struct log *const *logs,
                        uint64_t *records, struct err *err)
{
    TRY(topic_writer_take(w, w->taken, records, err));
    for (int32_t i = 0; i < w->def->partitions; i++)
        if (w->taken[i])
            frame_append(frame, logs[i], w->taken[i], 0, w->taken[i]->n);
    w->codec = (enum codec)log_topic(logs[0])->config.compression;
    return true;
}

size_t topic_writer_bytes(const struct topic_writer *w)
{
    return w->bytes;
}

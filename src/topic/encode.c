/* Rows to records: one record batch builder for each partition of the topic. A frame takes a builder's buffer by reference, so a record is
 * copied once on its way to the journal. */
#include <stdio.h>

#include "base/bytes.h"
#include "topic/codec_private.h"
#include "topic/key.h"
#include "topic/schemas.h"

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

/* A batch's rows as bytes. */
struct encoded {
    const struct batch *batch; /* whose rows; NULL: nobody's any more */
    struct sbuf text;
    uint32_t *ends; /* where each row ends; one that cannot be written has no bytes */
    size_t ends_capacity;
};

enum {
    ENCODED_KEPT =
        4 /* batches that were looked through for misfits and are not written yet: as many as a run has */
};

/* Of values or keys: rows to bytes, behind the schema's id where the format has one. */
struct encoder {
    const struct record_codec *codec;
    void *encoder;
    const struct type *columns;
    struct sbuf prefix;
    struct encoded kept[ENCODED_KEPT];
    uint32_t next; /* of kept: the oldest */
    char bad[256]; /* why the first row that cannot be written cannot */
};

/* Records that sources bring, as JSON, for a topic whose format is another. */
struct intake {
    struct pool *pool; /* NULL: not ready */
    void *decoder;
    struct batch *batch;
    struct encoder values, keys;
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
    struct encoder values, keys;       /* keys: where they have a schema */
    struct raw_columns raw;            /* of a raw topic, instead */
    struct arena arena;                /* of one batch */
    struct str *key_texts;
    size_t key_capacity;

    struct intake intake;
    bool *
        unfit_rows; /* of one batch: those that lost something on the way in, or whose key cannot be written */
    size_t unfit_capacity;
    bool strict;
    bool skip_values, skip_keys; /* rows that the schema given for them does not take */
    uint64_t unfit;
};

static void encoder_fini(struct encoder *e)
{
    sbuf_fini(&e->prefix);
    for (int i = 0; i < ENCODED_KEPT; i++) {
        sbuf_fini(&e->kept[i].text);
        mem_free(e->kept[i].ends);
    }
}

static void close_writer(void *arg)
{
    struct topic_writer *w = arg;
    for (int32_t i = 0; i < w->def->partitions; i++)
        records_builder_fini(&w->partitions[i].builder);
    compress_ctx_free(w->compress);
    encoder_fini(&w->values);
    encoder_fini(&w->keys);
    encoder_fini(&w->intake.values);
    encoder_fini(&w->intake.keys);
    batch_free(w->intake.batch);
    mem_free(w->unfit_rows);
    mem_free(w->key_texts);
    arena_fini(&w->arena);
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
    return def->key_count == 0 || def->format == TOPIC_RAW || topic_key_has_schema(def) ||
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

/* An encoder of rows with these columns in the topic's format; registers their schema. */
static bool encoder_open(struct encoder *e, struct pool *pool, const struct topic_def *def, bool is_key,
                         const struct type *columns, const struct type *made_of, struct err *err)
{
    enum topic_format format = is_key ? def->key_format : def->format;
    const struct schema *schema = NULL;
    e->codec = codec_of(format);
    e->columns = columns;
    sbuf_clear(&e->prefix);
    for (int i = 0; i < ENCODED_KEPT; i++)
        e->kept[i].batch = NULL;
    if (format != TOPIC_JSON) {
        uint32_t id;
        uint8_t bytes[SCHEMA_ID_BYTES] = {0};
        TRY(topic_schema_register(pool_arena(pool), def, is_key, made_of, &schema, &id, err));
        put_be32(bytes + 1, id);
        sbuf_add(&e->prefix, (const char *)bytes, sizeof bytes);
    }
    e->encoder = e->codec->encoder_new(pool, schema, columns, &e->prefix, err);
    return e->encoder != NULL || err_context(err, "%s of topic \"%s\"", is_key ? "keys" : "rows", def->name);
}

/* Of the schema that the project gives: nothing is registered. */
bool topic_takes(const struct topic_def *def, const struct type *schema, struct err *err)
{
    struct raw_columns raw;
    if (def->format == TOPIC_RAW)
        return find_raw_columns(def, schema, &raw, err);
    if (!topic_has_schema(def))
        return true;
    struct pool *pool = pool_new(NULL, "probe");
    struct sbuf text = {0};
    const struct schema *given;
    bool ok = def->value_schema
                  ? schema_parse(pool_arena(pool), def->value_schema, &given, err) &&
                        codec_of(def->format)->encoder_new(pool, given, schema, &text, err) != NULL
                  : topic_schema_text(def, false, schema, &text, err);
    sbuf_fini(&text);
    pool_free(pool);
    return ok || err_context(err, "the schema of topic \"%s\"", def->name);
}

static bool need_encoder(struct topic_writer *w, const struct type *schema, struct err *err)
{
    if (w->encoder_pool && w->encoder_schema && type_equal(w->encoder_schema, schema))
        return true;
    pool_free(w->encoder_pool);
    w->encoder_pool = pool_new(w->pool, "topic encoder");
    w->encoder_schema = NULL; /* until all of it is there */
    const struct type *columns = type_copy(pool_arena(w->encoder_pool), schema);
    w->row_key = NULL;
    if (w->def->format == TOPIC_RAW)
        TRY(find_raw_columns(w->def, columns, &w->raw, err));
    else
        TRY(encoder_open(&w->values, w->encoder_pool, w->def, false, columns,
                         w->def->declared ? w->def->schema : columns, err));
    if (w->def->format != TOPIC_RAW && topic_key_has_schema(w->def)) {
        const struct type *keys = topic_key_columns(pool_arena(w->encoder_pool), w->def, columns, err);
        TRY(keys && encoder_open(&w->keys, w->encoder_pool, w->def, true, keys, keys, err));
    } else if (w->def->format != TOPIC_RAW && w->def->key_count > 0) {
        TRY(topic_key_of_rows(w->encoder_pool, w->def, columns, &w->row_key, err));
    }
    w->encoder_schema = columns;
    return true;
}

/* ---- encoding --------------------------------------------------------------------------------------------------------------- */

static void note_bad(void *arg, const struct codec_bad *bad)
{
    struct encoder *e = arg;
    if (e->bad[0] == '\0')
        snprintf(e->bad, sizeof e->bad, "%.*s%s%.*s", STR_ARG(bad->path), bad->path.n ? ": " : "",
                 STR_ARG(bad->reason));
}

/* What was kept of a batch, or room for it. */
static struct encoded *find_kept(struct encoder *e, const struct batch *batch)
{
    for (int i = 0; i < ENCODED_KEPT; i++)
        if (e->kept[i].batch == batch)
            return &e->kept[i];
    e->next = (e->next + 1) % ENCODED_KEPT;
    e->kept[e->next].batch = NULL;
    return &e->kept[e->next];
}

static struct encoded *encode_to(struct encoder *e, const struct batch *batch,
                                 const struct codec_report *report)
{
    struct encoded *out = find_kept(e, batch);
    out->ends = mem_grow(out->ends, &out->ends_capacity, batch->rows, sizeof *out->ends);
    sbuf_clear(&out->text);
    e->codec->encode(e->encoder, batch, 0, batch->rows, sbuf_view(&e->prefix), &out->text, out->ends, report);
    return out;
}

/* Borrowed until the next but three. */
static const struct encoded *encode(struct encoder *e, const struct batch *batch)
{
    e->bad[0] = '\0';
    return encode_to(e, batch, &(struct codec_report){.bad = note_bad, .arg = e});
}

/* The same of a batch that is perhaps known; once, for its memory will hold other rows. */
static const struct encoded *take_encoded(struct encoder *e, const struct batch *batch)
{
    struct encoded *kept = find_kept(e, batch);
    if (kept->batch == NULL)
        return encode(e, batch);
    kept->batch = NULL;
    return kept;
}

/* p NULL: the row cannot be written. */
static struct str encoded_row(const struct encoded *e, uint32_t row)
{
    uint32_t start = row ? e->ends[row - 1] : 0;
    return e->ends[row] == start ? (struct str){0} : str_n(e->text.p + start, e->ends[row] - start);
}

/* For the rows of a batch, none of which is unfit yet. */
static bool *need_unfit(struct topic_writer *w, uint32_t rows)
{
    w->unfit_rows = mem_grow(w->unfit_rows, &w->unfit_capacity, rows, sizeof *w->unfit_rows);
    memset(w->unfit_rows, 0, rows * sizeof *w->unfit_rows);
    return w->unfit_rows;
}

static bool all_null(const struct batch *keys, uint32_t row)
{
    for (uint32_t i = 0; i < keys->schema->field_count; i++)
        if (!column_is_null(&keys->columns[i], row))
            return false;
    return true;
}

/* Keys by a schema of theirs: p NULL = null, as they are when all their columns are. unfit (or NULL): those that cannot be written. */
static bool encode_keys(struct topic_writer *w, struct encoder *e, const struct batch *batch, bool *unfit,
                        const struct str **out, struct err *err)
{
    struct batch keys;
    arena_reset(&w->arena);
    topic_key_batch(&w->arena, w->def, e->columns, batch, &keys);
    const struct encoded *texts = encode(e, &keys);
    w->key_texts = mem_grow(w->key_texts, &w->key_capacity, batch->rows, sizeof *w->key_texts);
    for (uint32_t row = 0; row < batch->rows; row++) {
        w->key_texts[row] = encoded_row(texts, row);
        if (all_null(&keys, row))
            w->key_texts[row] = (struct str){0};
        else if (w->key_texts[row].p == NULL && unfit)
            unfit[row] = true;
        else if (w->key_texts[row].p == NULL)
            return err_set(err, ERR_FATAL, "a key cannot be written to topic \"%s\": %s", w->def->name,
                           e->bad);
    }
    *out = w->key_texts;
    return true;
}

/* ---- records of sources ------------------------------------------------------------------------------------------------- */

static bool open_intake(struct topic_writer *w, struct intake *in, struct err *err)
{
    const struct type *columns = w->def->schema;
    if (columns == NULL) { /* then the registry has to know them */
        const struct schema *schema;
        uint32_t id;
        TRY(topic_schema_register(pool_arena(in->pool), w->def, false, NULL, &schema, &id, err));
        columns = topic_columns(pool_arena(in->pool), w->def->format, schema, err);
        if (columns == NULL)
            return false;
    }
    TRY(encoder_open(&in->values, in->pool, w->def, false, columns, w->def->schema, err));
    if (topic_key_has_schema(w->def)) {
        const struct type *keys = topic_key_columns(pool_arena(in->pool), w->def, columns, err);
        TRY(keys && encoder_open(&in->keys, in->pool, w->def, true, keys, keys, err));
    }
    in->decoder = codec_json.decoder_new(in->pool, columns, false, err);
    return in->decoder != NULL;
}

bool topic_writer_ready(struct topic_writer *w, struct err *err)
{
    struct intake *in = &w->intake;
    if (in->pool || !topic_has_schema(w->def))
        return true;
    if (in->batch == NULL)
        in->batch = batch_new();
    in->pool = pool_new(w->pool, "intake");
    if (open_intake(w, in, err))
        return true;
    pool_free(in->pool);
    in->pool = NULL;
    return false;
}

static void lost_value(void *arg, const struct codec_bad *bad)
{
    struct topic_writer *w = arg;
    w->unfit_rows[bad->row] = true;
    note_bad(&w->intake.values, bad);
}

/* A record that the schema cannot take is written as it came, so that it is not lost: whoever reads the topic finds it to be no record of it,
 * and it goes to <stream>_bad. */
static bool add_encoded(struct topic_writer *w, const struct str *keys, const struct str *values,
                        const int64_t *timestamps_ms, uint32_t count, int64_t now_ms, struct err *err)
{
    struct intake *in = &w->intake;
    const struct codec_report report = {.bad = lost_value, .arg = w};
    char why[sizeof in->values.bad];
    need_unfit(w, count);
    batch_reset(in->batch);
    in->values.bad[0] = '\0';
    TRY(codec_json.decode(in->decoder, values, NULL, count, in->batch, &report, err));
    memcpy(why, in->values.bad, sizeof why);
    if (in->keys.encoder)
        TRY(encode_keys(w, &in->keys, in->batch, w->unfit_rows, &keys, err));
    const struct encoded *texts = encode(&in->values, in->batch);
    for (uint32_t i = 0; i < count; i++) {
        struct str value = values[i].p ? encoded_row(texts, i) : values[i];
        bool unfit = w->unfit_rows[i] || (values[i].p && value.p == NULL);
        if (unfit && w->strict)
            return err_set(err, ERR_DATA, "record %u does not fit the schema of topic \"%s\": %s", i + 1,
                           w->def->name, why[0] ? why : in->values.bad);
        w->unfit += unfit;
        TRY(add_record(w, -1, timestamps_ms ? timestamps_ms[i] : now_ms, keys ? keys[i] : (struct str){0},
                       unfit ? values[i] : value, NULL, 0, err));
    }
    if (why[0])
        memcpy(in->values.bad, why, sizeof why);
    return true;
}

bool topic_writer_add(struct topic_writer *w, const struct str *keys, const struct str *values,
                      const int64_t *timestamps_ms, uint32_t count, int64_t now_ms, struct err *err)
{
    if (count == 0)
        return true;
    TRY(topic_writer_ready(w, err));
    if (keys == NULL && w->record_key)
        TRY(topic_key_records(w->record_key, values, count, &keys, err));
    if (w->intake.pool)
        return add_encoded(w, keys, values, timestamps_ms, count, now_ms, err);
    for (uint32_t i = 0; i < count; i++)
        TRY(add_record(w, -1, timestamps_ms ? timestamps_ms[i] : now_ms, keys ? keys[i] : (struct str){0},
                       values[i], NULL, 0, err));
    return true;
}

void topic_writer_strict(struct topic_writer *w)
{
    w->strict = true;
}

uint64_t topic_writer_unfit(const struct topic_writer *w, const char **why)
{
    *why = w->intake.values.bad;
    return w->unfit;
}

void topic_writer_drop(struct topic_writer *w)
{
    for (int32_t i = 0; i < w->def->partitions; i++) {
        w->partitions[i].begun = false;
        w->partitions[i].records = 0;
    }
    w->bytes = 0;
}

/* ---- batches of rows ---------------------------------------------------------------------------------------------------------- */

static enum change change_of(const struct batch *batch, uint32_t row)
{
    return batch->change ? (enum change)batch->change[row] : CHANGE_INSERT;
}

static int64_t time_of(const struct batch *batch, uint32_t row, int64_t now_ms)
{
    return batch->event_time ? batch->event_time[row] / US_PER_MS : now_ms;
}

static bool add_rows(struct topic_writer *w, const struct batch *batch, int64_t now_ms, struct err *err)
{
    const struct str *keys = w->row_key ? topic_key_rows(w->row_key, batch) : NULL;
    bool *unfit = NULL;
    if (topic_key_has_schema(w->def) && w->skip_keys)
        unfit = need_unfit(w, batch->rows);
    if (topic_key_has_schema(w->def))
        TRY(encode_keys(w, &w->keys, batch, unfit, &keys, err));
    const struct encoded *values = take_encoded(&w->values, batch);
    for (uint32_t row = 0; row < batch->rows; row++) {
        enum change change = change_of(batch, row);
        struct str value = change == CHANGE_DELETE ? (struct str){0} : encoded_row(values, row);
        if (change == CHANGE_UPDATE_BEFORE || (unfit && unfit[row]))
            continue;
        if (change != CHANGE_DELETE && value.p == NULL && w->skip_values)
            continue;
        if (change != CHANGE_DELETE && value.p == NULL)
            return err_set(err, ERR_FATAL, "a row cannot be written to topic \"%s\": %s", w->def->name,
                           w->values.bad);
        TRY(add_record(w, -1, time_of(batch, row, now_ms), keys ? keys[row] : (struct str){0}, value, NULL, 0,
                       err));
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
    return w->def->format == TOPIC_RAW ? add_raw(w, batch, now_ms, err) : add_rows(w, batch, now_ms, err);
}

struct misfits {
    const struct batch *batch;
    bool *told; /* [rows] */
    topic_misfit *misfit;
    void *arg;
};

static void tell(struct misfits *to, uint32_t row, struct str path, struct str reason)
{
    if (!to->told[row])
        to->misfit(to->arg, row, path, reason);
    to->told[row] = true;
}

static void tell_misfit(void *arg, const struct codec_bad *bad)
{
    struct misfits *to = arg;
    enum change change = change_of(to->batch, bad->row);
    if (change != CHANGE_DELETE && change != CHANGE_UPDATE_BEFORE)
        tell(to, bad->row, bad->path, bad->reason);
}

/* Deletions have keys, too. One whose columns are all NULL is null. */
static void tell_key_misfit(void *arg, const struct codec_bad *bad)
{
    struct misfits *to = arg;
    if (change_of(to->batch, bad->row) != CHANGE_UPDATE_BEFORE)
        tell(to, bad->row, bad->path, bad->reason);
}

static void find_key_misfits(struct topic_writer *w, struct misfits *to)
{
    struct batch keys;
    arena_reset(&w->arena);
    topic_key_batch(&w->arena, w->def, w->keys.columns, to->batch, &keys);
    for (uint32_t row = 0; row < keys.rows; row++)
        to->told[row] = to->told[row] || all_null(&keys, row);
    encode_to(&w->keys, &keys, &(struct codec_report){.bad = tell_key_misfit, .arg = to});
}

bool topic_writer_misfits(struct topic_writer *w, const struct batch *batch, topic_misfit *misfit, void *arg,
                          struct err *err)
{
    bool keys = topic_key_has_schema(w->def) && w->def->key_schema;
    if (batch->rows == 0 || !(keys || (topic_has_schema(w->def) && w->def->value_schema)))
        return true;
    TRY(need_encoder(w, batch->schema, err));
    struct misfits to = {batch, need_unfit(w, batch->rows), misfit, arg};
    struct encoded *values = encode_to(&w->values, batch,
                                       &(struct codec_report){.bad = tell_misfit, .arg = &to});
    values->batch = batch;
    if (keys)
        find_key_misfits(w, &to);
    return true;
}

void topic_writer_skip_misfits(struct topic_writer *w)
{
    w->skip_values = w->def->value_schema != NULL;
    w->skip_keys = w->def->key_schema != NULL;
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

/* Records to columns.
 *
 * A slice of the log holds whole record batches. Their records are gathered into arrays of keys, values, offsets and
 * timestamps that point into the slice (or into decompressed copies), and the values are decoded in one call, straight into
 * columns that point into the same bytes: out holds the buffers.
 *
 * Where records carry a schema id, each is decoded by its own schema (wire.c), all of them into the same columns.
 *
 * A record that cannot be decoded has no row. Since that is rare, it is not masked out but left out: the arrays are closed up, and the
 * values decoded once more. */
#include "topic/wire_private.h"

enum meta {
    META_KEY,
    META_VALUE,
    META_TOPIC,
    META_PARTITION,
    META_OFFSET,
    META_TIMESTAMP,
    META_TIMESTAMP_TYPE,
    META_HEADERS,
    META_COLUMNS,
};
_Static_assert((int)META_COLUMNS == (int)TOPIC_META_COLUMNS, "as the header says");

static const char *const meta_names[TOPIC_META_COLUMNS] = {
    "key", "value", "topic", "partition", "offset", "timestamp", "timestampType", "headers"};

static const struct type *meta_type(struct arena *arena, enum meta meta)
{
    switch (meta) {
    case META_KEY:
    case META_VALUE: return type_simple(TYPE_BINARY);
    case META_TOPIC: return type_simple(TYPE_STRING);
    case META_PARTITION:
    case META_TIMESTAMP_TYPE: return type_simple(TYPE_INT);
    case META_OFFSET: return type_simple(TYPE_LONG);
    case META_TIMESTAMP: return type_simple(TYPE_TIMESTAMP);
    case META_HEADERS: {
        const struct field header[2] = {{"key", type_simple(TYPE_STRING), true, NULL},
                                        {"value", type_simple(TYPE_BINARY), true, NULL}};
        return type_array(arena, type_struct(arena, header, 2), true);
    }
    case META_COLUMNS: break;
    }
    UNREACHABLE("meta column");
}

void topic_relation(struct arena *arena, const struct topic_def *def, const struct type *schema,
                    struct relation *relation)
{
    bool raw = def->raw;
    uint32_t data_count = raw ? 0 : schema->field_count;
    struct field *fields = arena_array(arena, struct field, data_count + TOPIC_META_COLUMNS);
    if (data_count)
        memcpy(fields, schema->fields, data_count * sizeof *fields);
    for (enum meta meta = 0; meta < META_COLUMNS; meta++)
        fields[data_count + meta] = (struct field){
            .name = raw ? meta_names[meta] : arena_printf(arena, "_%s", meta_names[meta]),
            .type = meta_type(arena, meta),
            .nullable = meta == META_KEY || meta == META_VALUE || meta == META_HEADERS,
        };
    *relation = (struct relation){
        .schema = type_struct(arena, fields, data_count + TOPIC_META_COLUMNS),
        .hidden_from = raw ? TOPIC_META_COLUMNS : data_count,
    };
}

struct topic_decoder {
    const struct topic_def *def;
    const struct plan *scan;
    uint32_t data_count;              /* fields of the topic's schema; meta columns follow */
    const struct type *wanted;        /* the data columns that the scan needs, in scan order */
    const struct record_codec *codec; /* of the data columns; NULL: there are none */
    struct wire *wire;                /* of records that carry a schema id, or NULL */
    void *plain;                      /* the codec's decoder of others, or NULL */
    const struct type *schema;        /* whole data schema, to tell new fields from unwanted ones */
    struct compress_ctx *ctx;

    /* of the slice that is being decoded */
    struct str *keys, *values, *headers;
    struct str *payloads; /* values without a schema's id, */
    const void **writers; /* and who wrote them: of records that carry one */
    size_t payload_capacity, writer_capacity;
    int64_t *offsets, *timestamps;
    uint32_t *header_counts;
    uint8_t *log_time; /* timestamp type of each record */
    uint32_t count;
    size_t capacity;
    uint32_t *bad_rows; /* rows that are no JSON, ascending */
    uint32_t bad_count;
    size_t bad_capacity;
    int32_t partition;
    const struct topic_report *report;
    bool second_pass;
};

static void close_decoder(void *arg)
{
    struct topic_decoder *d = arg;
    compress_ctx_free(d->ctx);
    mem_free(d->keys);
    mem_free(d->values);
    mem_free(d->headers);
    mem_free(d->offsets);
    mem_free(d->timestamps);
    mem_free(d->header_counts);
    mem_free(d->log_time);
    mem_free(d->bad_rows);
    mem_free(d->payloads);
    mem_free(d->writers);
}

bool topic_decoder_new(struct pool *pool, const struct topic_def *def, const struct type *schema,
                       const struct plan *scan, struct topic_decoder **decoder, struct err *err)
{
    CHECK(scan == NULL || scan->kind == PLAN_SCAN);
    struct topic_decoder *d = pool_new_struct(pool, struct topic_decoder);
    *d = (struct topic_decoder){.def = def, .scan = scan, .schema = schema, .ctx = compress_ctx_new()};
    pool_on_free(pool, close_decoder, d);
    *decoder = d;
    d->data_count = def->raw || schema == NULL ? 0 : schema->field_count;
    if (scan == NULL && topic_has_schema(def))
        return (d->wire = wire_new(pool, def, false, NULL, NULL, err)) != NULL;
    if (scan == NULL)
        return true;
    struct field *fields = arena_array(pool_arena(pool), struct field, scan->column_count + 1);
    uint32_t wanted = 0;
    for (uint32_t i = 0; i < scan->column_count; i++)
        if (scan->columns[i] < d->data_count)
            fields[wanted++] = schema->fields[scan->columns[i]];
    d->wanted = type_struct(pool_arena(pool), fields, wanted);
    if (d->data_count == 0)
        return true;
    d->codec = codec_of(def->format);
    if (topic_has_schema(def))
        return (d->wire = wire_new(pool, def, false, d->wanted, schema, err)) != NULL;
    d->plain = d->codec->decoder_new(pool, d->wanted, true, err);
    return d->plain != NULL || err_context(err, "topic \"%s\"", def->name);
}

/* ---- gathering ------------------------------------------------------------------------------------------------------- */

static void make_room(struct topic_decoder *d, size_t wanted)
{
    if (wanted <= d->capacity)
        return;
    size_t n = d->capacity ? d->capacity : 1024;
    while (n < wanted)
        n *= 2;
    d->keys = mem_resize(d->keys, n * sizeof *d->keys);
    d->values = mem_resize(d->values, n * sizeof *d->values);
    d->headers = mem_resize(d->headers, n * sizeof *d->headers);
    d->offsets = mem_resize(d->offsets, n * sizeof *d->offsets);
    d->timestamps = mem_resize(d->timestamps, n * sizeof *d->timestamps);
    d->header_counts = mem_resize(d->header_counts, n * sizeof *d->header_counts);
    d->log_time = mem_resize(d->log_time, n);
    d->capacity = n;
}

static bool gather_batch(struct topic_decoder *d, struct records_reader *reader, int64_t from, int64_t until,
                         struct err *err)
{
    struct record record;
    bool more;
    bool tombstones = d->def->raw;
    make_room(d, d->count + (size_t)reader->batch.count);
    for (;;) {
        TRY(records_next(reader, &record, &more, err));
        if (!more)
            return true;
        if (record.offset < from || record.offset >= until || (record.value.p == NULL && !tombstones))
            continue;
        uint32_t i = d->count++;
        d->keys[i] = record.key;
        d->values[i] = record.value;
        d->offsets[i] = record.offset;
        d->timestamps[i] = record.timestamp_ms;
        d->headers[i] = record.headers;
        d->header_counts[i] = record.header_count;
        d->log_time[i] = (reader->batch.attributes & RECORDS_LOG_APPEND_TIME) != 0;
    }
}

/* All records of the slice that are wanted; hold (may be NULL) keeps what they point into. */
static bool gather(struct topic_decoder *d, const struct log_slice *slice, int64_t from, int64_t until,
                   struct batch *hold, struct err *err)
{
    d->count = 0;
    for (size_t at = 0; at < slice->n;) {
        struct records_reader reader;
        struct buf *scratch;
        if (!records_open(slice->p + at, slice->n - at, d->ctx, &scratch, &reader, err))
            goto damaged;
        at += reader.batch.size;
        bool ok = (reader.batch.attributes & RECORDS_CONTROL) || gather_batch(d, &reader, from, until, err);
        if (scratch && hold)
            batch_hold(hold, scratch);
        buf_unref(scratch);
        if (!ok)
            goto damaged;
    }
    return true;
damaged:
    if (err)
        err->class = ERR_FATAL;
    return err_context(err, "topic \"%s\", partition %d", d->def->name, d->partition);
}

bool topic_values(struct topic_decoder *d, const struct log_slice *slice, int64_t from,
                  bool (*each)(void *arg, struct str value), void *arg, struct err *err)
{
    struct batch *hold = batch_new();
    bool ok = gather(d, slice, from, INT64_MAX, hold, err);
    for (uint32_t i = 0; ok && i < d->count; i++)
        if (d->values[i].p && !each(arg, d->values[i]))
            break;
    batch_free(hold);
    return ok;
}

const struct type *topic_columns_brought(const struct topic_decoder *d, struct arena *arena,
                                         const struct type *pinned)
{
    return d->wire ? wire_brought(d->wire, arena, pinned) : pinned;
}

bool topic_columns_found(struct topic_decoder *d, const struct log_slice *slice, int64_t from,
                         struct arena *arena, const struct type **columns, struct err *err)
{
    struct batch *hold = batch_new();
    bool ok = gather(d, slice, from, INT64_MAX, hold, err);
    *columns = NULL;
    for (uint32_t i = 0; ok && *columns == NULL && i < d->count; i++)
        if (d->values[i].p)
            ok = wire_columns(d->wire, arena, d->values[i], d->headers[i], columns, err);
    batch_free(hold);
    return ok;
}

/* ---- decoding -------------------------------------------------------------------------------------------------------- */

static void note_bad_row(struct topic_decoder *d, uint32_t row)
{
    d->bad_rows = mem_grow(d->bad_rows, &d->bad_capacity, d->bad_count + 1, sizeof *d->bad_rows);
    d->bad_rows[d->bad_count++] = row;
}

static void report_bad(void *arg, const struct codec_bad *bad)
{
    struct topic_decoder *d = arg;
    if (bad->whole && !d->second_pass)
        note_bad_row(d, bad->row);
    if (d->report == NULL || d->report->bad == NULL)
        return;
    struct topic_bad out = {
        .partition = d->partition,
        .offset = d->offsets[bad->row],
        .timestamp_ms = d->timestamps[bad->row],
        .key = d->keys[bad->row],
        .value = d->values[bad->row],
        .reason = bad->reason,
        .path = bad->path,
        .found = bad->found,
        .wanted = bad->wanted,
        .delivered = !bad->whole,
    };
    d->report->bad(d->report->arg, &out);
}

/* The decoder knows the wanted columns only: a field is news when the whole schema lacks it as well. */
static void report_unknown(void *arg, struct str path)
{
    struct topic_decoder *d = arg;
    const struct type *type = d->schema;
    struct str rest = path;
    for (;;) {
        while (type->kind == TYPE_ARRAY || type->kind == TYPE_MAP)
            type = type->fields[type->field_count - 1].type;
        if (type->kind != TYPE_STRUCT)
            return;
        size_t dot = str_find(rest, STR("."), 0);
        struct str name = str_n(rest.p, dot == SIZE_MAX ? rest.n : dot);
        if (str_ends(name, STR("[]")))
            name.n -= 2;
        int index = type_field(type, name, false);
        if (index < 0)
            break;
        if (dot == SIZE_MAX)
            return;
        type = type->fields[index].type;
        rest = str_n(rest.p + dot + 1, rest.n - dot - 1);
    }
    if (d->report && d->report->unknown)
        d->report->unknown(d->report->arg, path);
}

static void leave_out_bad_rows(struct topic_decoder *d)
{
    uint32_t kept = 0, next_bad = 0;
    for (uint32_t i = 0; i < d->count; i++) {
        if (next_bad < d->bad_count && d->bad_rows[next_bad] == i) {
            next_bad++;
            continue;
        }
        d->keys[kept] = d->keys[i];
        d->values[kept] = d->values[i];
        if (d->wire) {
            d->payloads[kept] = d->payloads[i];
            d->writers[kept] = d->writers[i];
        }
        d->offsets[kept] = d->offsets[i];
        d->timestamps[kept] = d->timestamps[i];
        d->headers[kept] = d->headers[i];
        d->header_counts[kept] = d->header_counts[i];
        d->log_time[kept++] = d->log_time[i];
    }
    d->count = kept;
    d->bad_count = 0;
}

/* Who wrote each record; those that nobody knows are reported and left out. */
static bool find_writers(struct topic_decoder *d, struct err *err)
{
    bool brings = false;
    d->payloads = mem_grow(d->payloads, &d->payload_capacity, d->count, sizeof *d->payloads);
    d->writers = mem_grow(d->writers, &d->writer_capacity, d->count, sizeof *d->writers);
    d->bad_count = 0;
    TRY(wire_begin(d->wire, err));
    for (uint32_t i = 0; i < d->count; i++) {
        struct wire_found found;
        TRY(wire_find(d->wire, d->values[i], d->headers[i], &found, err));
        d->payloads[i] = found.payload;
        d->writers[i] = found.writer;
        brings = brings || found.brings;
        if (found.writer == NULL)
            report_bad(d, &(struct codec_bad){.row = i, .whole = true, .reason = str_of(found.reason)});
    }
    wire_end(d->wire);
    if (d->bad_count)
        leave_out_bad_rows(d);
    if (brings && d->report && d->report->unknown)
        d->report->unknown(d->report->arg, (struct str){0});
    return true;
}

/* The wanted data columns. Bad records are reported in the first pass, bad values in the last. */
static bool decode_data(struct topic_decoder *d, struct batch *out, struct err *err)
{
    const struct codec_report heard = {.bad = report_bad, .unknown = report_unknown, .arg = d};
    const struct topic_report *report = d->report;
    d->second_pass = false;
    if (d->wire)
        TRY(find_writers(d, err));
    void *decoder = d->wire ? wire_decoder(d->wire) : d->plain;
    const struct str *records = d->wire ? d->payloads : d->values;
    d->bad_count = 0;
    TRY(d->codec->decode(decoder, records, d->writers, d->count, out, &heard, err));
    if (d->bad_count == 0)
        return true;
    leave_out_bad_rows(d);
    d->second_pass = true;
    d->report = NULL; /* bad values were reported by the first pass */
    bool ok = d->codec->decode(decoder, records, d->writers, d->count, out, &heard, err);
    d->report = report;
    return ok;
}

bool topic_decoder_find(const struct topic_decoder *d, int64_t offset, struct topic_bad *record)
{
    uint32_t low = 0, high = d->count; /* offsets ascend */
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (d->offsets[middle] < offset)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == d->count || d->offsets[low] != offset)
        return false;
    *record = (struct topic_bad){.partition = d->partition,
                                 .offset = offset,
                                 .timestamp_ms = d->timestamps[low],
                                 .key = d->keys[low],
                                 .value = d->values[low]};
    return true;
}

static void fill_bytes(struct column *column, const struct str *texts, uint32_t count, struct arena *arena)
{
    struct view *views = column->data;
    for (uint32_t i = 0; i < count; i++) {
        if (texts[i].p == NULL) {
            bit_clear(column_need_validity(column, arena), i);
            views[i] = (struct view){0};
        } else {
            views[i] = view_of(texts[i].p, texts[i].n);
        }
    }
}

static void fill_headers(struct topic_decoder *d, struct column *column, struct arena *arena)
{
    struct column_builder builder;
    column_builder_init(&builder, column->type, arena);
    for (uint32_t i = 0; i < d->count; i++) {
        struct str raw = d->headers[i];
        struct records_header header;
        struct column_builder *entry = &builder.children[0];
        while (records_header_next(&raw, &header)) {
            column_builder_str(&entry->children[0], header.key, false);
            if (header.value.p)
                column_builder_str(&entry->children[1], header.value, false);
            else
                column_builder_null(&entry->children[1]);
            column_builder_nested(entry);
        }
        if (d->header_counts[i])
            column_builder_nested(&builder);
        else
            column_builder_null(&builder);
    }
    *column = column_builder_finish(&builder);
}

static void fill_meta(struct topic_decoder *d, enum meta meta, struct column *column, struct arena *arena)
{
    switch (meta) {
    case META_KEY: fill_bytes(column, d->keys, d->count, arena); return;
    case META_VALUE: fill_bytes(column, d->values, d->count, arena); return;
    case META_TOPIC:
        column->encoding = COLUMN_CONSTANT;
        if (d->count)
            *(struct view *)column->data = view_of(d->def->name, strlen(d->def->name));
        return;
    case META_PARTITION:
        column->encoding = COLUMN_CONSTANT;
        if (d->count)
            *(int32_t *)column->data = d->partition;
        return;
    case META_OFFSET: memcpy(column->data, d->offsets, d->count * sizeof *d->offsets); return;
    case META_TIMESTAMP:
        for (uint32_t i = 0; i < d->count; i++)
            ((int64_t *)column->data)[i] = d->timestamps[i] * US_PER_MS;
        return;
    case META_TIMESTAMP_TYPE:
        for (uint32_t i = 0; i < d->count; i++)
            ((int32_t *)column->data)[i] = d->log_time[i];
        return;
    case META_HEADERS: fill_headers(d, column, arena); return;
    case META_COLUMNS: UNREACHABLE("meta column");
    }
}

bool topic_decode(struct topic_decoder *d, const struct log_slice *slice, int32_t partition, int64_t from,
                  int64_t until, struct batch *out, const struct topic_report *report, struct err *err)
{
    CHECK(d->scan != NULL);
    batch_reset(out);
    batch_hold(out, slice->buf);
    d->partition = partition;
    d->report = report;
    TRY(gather(d, slice, from, until, out, err));
    if (d->codec)
        TRY(decode_data(d, out, err));
    struct column *data = out->columns;
    struct column *columns = arena_zarray(&out->arena, struct column, d->scan->column_count + 1);
    for (uint32_t i = 0, next = 0; i < d->scan->column_count; i++) {
        uint32_t index = d->scan->columns[i];
        if (index < d->data_count) {
            columns[i] = data[next++];
            continue;
        }
        column_layout(&columns[i], d->scan->schema->fields[i].type, d->count, &out->arena);
        fill_meta(d, (enum meta)(index - d->data_count), &columns[i], &out->arena);
    }
    out->schema = d->scan->schema;
    out->columns = columns;
    out->rows = d->count;
    out->partition = partition;
    out->offset = arena_dup(&out->arena, d->offsets, d->count * sizeof *d->offsets);
    DCHECK(batch_check(out, NULL));
    return true;
}

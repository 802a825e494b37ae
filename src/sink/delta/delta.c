/* Delta Lake on local disk.
 *
 * Rows go into Parquet files, one open file for each partition; a commit finishes them, makes them and their folders durable, and
 * adds one version to the log: commitInfo, where needed protocol and metaData, one txn for each input partition, one add for each file. The
 * position of input partition p is the txn
 *
 *     appId  sluice/<project>/<stream>/<uuid>/<p>      (of a second input topic: <input>-<p>)
 *     version = next offset
 *
 * so rows and position become visible together, and any Delta reader sees either. Losing a race against another writer costs nothing but another
 * try: appends do not conflict unless the schema was changed or the position moved.
 *
 * Upkeep between commits: a checkpoint every CHECKPOINT_EVERY versions, old log files cleaned, small files merged (dataChange false), files
 * that were merged away a week ago deleted. */
#include <stdio.h>

#include "base/utf8.h"
#include "format/parquet.h"
#include "os/os.h"
#include "sink/delta/log.h"
#include "sink/sink.h"
#include "type/timestamp.h"

enum {
    OPEN_FILES_MAX = 64,             /* partitions that are written to at the same time; the fullest is finished first */
    FILE_BYTES = 128 << 20,          /* a file is finished past this */
    CHECKPOINT_EVERY = 10,
    STATS_COLUMNS = 32,              /* leaf columns with statistics in the log, as Delta's default */
    STATS_TEXT = 32,                 /* characters */
    MERGE_FILES = 16,                /* so many small files of one partition are merged */
    MERGE_SMALL_BYTES = 16 << 20,
    MERGE_BATCH_MAX = 256,           /* files merged at once */
    KEEP_REMOVED_MS = 7 * 24 * 3600 * 1000,
};

struct delta_options {
    int codec;
    int64_t level;
};

/* A data file that is being written. */
struct open_file {
    struct sbuf partition;   /* the partition's values as compact JSON: identity */
    struct sbuf folder;      /* "country=DE/", as a path on disk, or "" */
    char name[80];
    int file;
    uint64_t at;
    struct pool *pool;
    struct parquet_writer *parquet;
    uint32_t *rows;          /* of the batch that is being taken apart [row_count] */
    uint32_t row_count;
    size_t row_capacity;
    uint64_t used;           /* clock of the last use */
};

struct delta_sink {
    struct sink *sink;
    struct delta_table table;
    const char *path;
    const struct type *schema;   /* of the rows, as the table will have it after this commit; in pool */
    const struct type *stored;   /* of the rows that the open files take: schema's own pool */
    struct pool *schema_pool;
    bool schema_moved;           /* metaData belongs into the next commit */
    uint64_t device, inode;      /* of the log folder; 0: not there yet */
    bool *drop;                  /* partition columns [schema->field_count] */
    struct open_file *open[OPEN_FILES_MAX];
    uint32_t open_count;
    uint64_t clock;
    struct sbuf adds;            /* add actions of files that are finished */
    struct sbuf lines;
    struct compress_ctx *ctx;
    struct arena arena;
    uint64_t file_count;
};

/* ---- the table's schema -------------------------------------------------------------------------------------------------- */

/* Types that Delta does not have become the nearest one that it has. */
static const struct type *delta_type(struct arena *arena, const struct type *type)
{
    if (type->kind == TYPE_NULL || type->kind == TYPE_INTERVAL_YM || type->kind == TYPE_INTERVAL_DT)
        return type_simple(TYPE_STRING);
    return type;
}

static bool has_kind(const struct type *type, enum type_kind kind)
{
    if (type->kind == kind)
        return true;
    for (uint32_t i = 0; i < type->field_count; i++) /* as deep as types are: TYPE_DEPTH_MAX */
        if (has_kind(type->fields[i].type, kind))
            return true;
    return false;
}

static bool check_names(const struct type *schema, struct err *err)
{
    for (uint32_t i = 0; i < schema->field_count; i++) {
        const char *name = schema->fields[i].name;
        if (schema->kind == TYPE_STRUCT && (name[0] == '\0' || strpbrk(name, " ,;{}()\n\t=") != NULL)) {
            err_set(err, ERR_FATAL, "column name \"%s\" is not possible in a Delta table", name);
            return err_hint(err, "Name it otherwise in the query: AS another_name.");
        }
        TRY(check_names(schema->fields[i].type, err));
    }
    return true;
}

/* have with what it lacks of want, recursively; false where a type differs. */
static bool merge_types(struct arena *arena, const struct type *have, const struct type *want, const char *path, const struct type **out,
                        struct err *err);

static bool merge_fields(struct arena *arena, const struct type *have, const struct type *want, const char *path,
                         const struct type **out, struct err *err)
{
    struct field *fields = arena_array(arena, struct field, have->field_count + want->field_count);
    uint32_t count = have->field_count;
    memcpy(fields, have->fields, count * sizeof *fields);
    for (uint32_t i = 0; i < want->field_count; i++) {
        int index = type_field(have, str_of(want->fields[i].name), true);
        if (index < 0) {
            fields[count] = want->fields[i];
            fields[count].type = delta_type(arena, want->fields[i].type);
            fields[count++].nullable = true;
            continue;
        }
        char *inner = arena_printf(arena, "%s%s%s", path, *path ? "." : "", want->fields[i].name);
        TRY(merge_types(arena, have->fields[index].type, delta_type(arena, want->fields[i].type), inner, &fields[index].type, err));
    }
    *out = type_struct(arena, fields, count);
    return true;
}

static bool merge_types(struct arena *arena, const struct type *have, const struct type *want, const char *path, const struct type **out,
                        struct err *err)
{
    *out = have;
    if (type_same(have, want))
        return true;
    if (have->kind == TYPE_STRUCT && want->kind == TYPE_STRUCT)
        return merge_fields(arena, have, want, path, out, err);
    const struct type *inner, *value;
    if (have->kind == TYPE_ARRAY && want->kind == TYPE_ARRAY) {
        TRY(merge_types(arena, have->fields[0].type, want->fields[0].type, path, &inner, err));
        *out = type_array(arena, inner, true);
        return true;
    }
    if (have->kind == TYPE_MAP && want->kind == TYPE_MAP && type_same(have->fields[0].type, want->fields[0].type)) {
        TRY(merge_types(arena, have->fields[1].type, want->fields[1].type, path, &value, err));
        *out = type_map(arena, have->fields[0].type, value, true);
        return true;
    }
    struct sbuf text = {0};
    type_to_sql(have, &text);
    sbuf_cstr(&text, ", the stream's rows have ");
    type_to_sql(want, &text);
    err_set(err, ERR_FATAL, "column \"%s\" of the table is %s", path, text.p);
    err_hint(err, "Cast the column in the stream's query, or write to another table.");
    sbuf_fini(&text);
    return false;
}

/* All fields nullable: rows of other writers, and of later versions of the stream, may lack them. */
static const struct type *nullable_fields(struct arena *arena, const struct type *schema)
{
    struct field *fields = arena_dup(arena, schema->fields, schema->field_count * sizeof *fields);
    for (uint32_t i = 0; i < schema->field_count; i++) {
        fields[i].nullable = true;
        fields[i].type = delta_type(arena, fields[i].type);
    }
    return type_struct(arena, fields, schema->field_count);
}

static bool is_partition_column(const struct delta_sink *d, const char *name)
{
    const struct sink_spec *spec = d->sink->spec;
    for (uint32_t i = 0; i < spec->partition_by_count; i++)
        if (str_eq_nocase(str_of(spec->partition_by[i]), str_of(name)))
            return true;
    return false;
}

static bool close_files(struct delta_sink *d, struct err *err);

/* The table follows the rows' schema, in the next commit. */
static bool follow_schema(struct delta_sink *d, const struct type *rows, struct err *err)
{
    const struct type *wider;
    struct pool *pool;
    if (d->stored && type_same(d->stored, rows))
        return true;
    TRY(close_files(d, err)); /* they have the old columns, which is fine: the new ones are NULL there */
    pool = pool_new(d->sink->pool, "schema");
    TRY(check_names(rows, err));
    if (d->schema == NULL)
        d->schema = d->table.version >= 0 ? d->table.schema : NULL;
    if (d->schema == NULL)
        wider = nullable_fields(pool_arena(pool), rows);
    else
        TRY(merge_types(pool_arena(pool), d->schema, rows, "", &wider, err));
    if (d->schema == NULL || !type_equal(wider, d->schema))
        d->schema_moved = true;
    d->schema = type_copy(pool_arena(pool), wider);
    d->stored = type_copy(pool_arena(pool), rows);
    d->drop = pool_alloc(pool, rows->field_count * sizeof *d->drop);
    for (uint32_t i = 0; i < rows->field_count; i++)
        d->drop[i] = is_partition_column(d, rows->fields[i].name);
    return true;
}

static void put_metadata(struct delta_sink *d)
{
    const struct sink_spec *spec = d->sink->spec;
    struct sbuf *out = &d->lines, schema = {0};
    char uuid[37];
    bool first = d->table.version < 0;
    struct str id = d->table.id;
    if (first || d->schema_moved) {
        bool features = has_kind(d->schema, TYPE_TIMESTAMP_NTZ) || has_kind(d->schema, TYPE_VARIANT);
        if (first && !features)
            sbuf_cstr(out, "{\"protocol\":{\"minReaderVersion\":1,\"minWriterVersion\":2}}\n");
        if (features && d->table.reader_version < 3) {
            const char *names = !has_kind(d->schema, TYPE_VARIANT)         ? "\"timestampNtz\""
                                : has_kind(d->schema, TYPE_TIMESTAMP_NTZ) ? "\"timestampNtz\",\"variantType\""
                                                                          : "\"variantType\"";
            sbuf_printf(out,
                        "{\"protocol\":{\"minReaderVersion\":3,\"minWriterVersion\":7,\"readerFeatures\":[%s],"
                        "\"writerFeatures\":[\"appendOnly\",\"invariants\",%s]}}\n",
                        names, names);
        }
    }
    if (first) {
        os_uuid(uuid);
        id = str_of(uuid);
    }
    type_to_json(d->schema, &schema);
    sbuf_cstr(out, "{\"metaData\":{\"id\":");
    sbuf_json(out, id);
    sbuf_cstr(out, ",\"format\":{\"provider\":\"parquet\",\"options\":{}},\"schemaString\":");
    sbuf_json(out, sbuf_view(&schema));
    sbuf_cstr(out, ",\"partitionColumns\":[");
    for (uint32_t i = 0; i < (first ? spec->partition_by_count : d->table.partition_column_count); i++) {
        sbuf_cstr(out, i ? "," : "");
        sbuf_json(out, str_of(first ? spec->partition_by[i] : d->table.partition_columns[i]));
    }
    sbuf_cstr(out, "],\"configuration\":{");
    bool any = false;
    MAP_EACH(entry, &d->table.configuration)
    {
        sbuf_cstr(out, any ? "," : "");
        sbuf_json(out, entry->key);
        sbuf_char(out, ':');
        sbuf_json(out, *(struct str *)entry->value);
        any = true;
    }
    sbuf_printf(out, "},\"createdTime\":%lld}}\n", (long long)(os_wall().us / US_PER_MS));
    sbuf_fini(&schema);
}

/* ---- data files ---------------------------------------------------------------------------------------------------------------- */

static bool write_out(void *arg, const void *p, size_t n, struct err *err)
{
    struct open_file *f = arg;
    TRY(os_pwrite(f->file, p, n, f->at, err));
    f->at += n;
    return true;
}

static void free_file(struct open_file *f)
{
    parquet_writer_free(f->parquet);
    os_close(f->file);
    sbuf_fini(&f->partition);
    sbuf_fini(&f->folder);
    mem_free(f->rows);
    pool_free(f->pool);
    mem_free(f);
}

/* A partition value as the protocol writes it. */
static void value_text(const struct value *v, struct sbuf *out)
{
    char text[64];
    if (v->type->kind == TYPE_TIMESTAMP)
        sbuf_add(out, text, timestamp_to_iso(v->i64, "Z", text));
    else
        value_to_text(v, NULL, out);
}

/* "year=2024/country=DE/" with what a folder's name cannot hold percent-encoded, as Hive does. */
static void folder_part(struct sbuf *out, const char *name, struct str value, bool is_null)
{
    sbuf_printf(out, "%s=", name);
    if (is_null || value.n == 0)
        sbuf_cstr(out, "__HIVE_DEFAULT_PARTITION__");
    for (size_t i = 0; !is_null && i < value.n; i++) {
        unsigned char c = (unsigned char)value.p[i];
        if (c < 0x20 || c == 0x7F || strchr("\"#%'*/:=?\\{[]^", c))
            sbuf_printf(out, "%%%02X", c);
        else
            sbuf_char(out, (char)c);
    }
    sbuf_char(out, '/');
}

static void partition_of(struct delta_sink *d, const struct batch *batch, uint32_t row, struct sbuf *json, struct sbuf *folder)
{
    const struct sink_spec *spec = d->sink->spec;
    struct sbuf text = {0};
    sbuf_clear(json);
    sbuf_clear(folder);
    sbuf_char(json, '{');
    for (uint32_t i = 0; i < spec->partition_by_count; i++) {
        int index = type_field(batch->schema, str_of(spec->partition_by[i]), true);
        struct value v = column_value(&batch->columns[index], row, &d->arena);
        sbuf_clear(&text);
        if (!v.is_null)
            value_text(&v, &text);
        sbuf_cstr(json, i ? "," : "");
        sbuf_json(json, str_of(spec->partition_by[i]));
        sbuf_char(json, ':');
        if (v.is_null)
            sbuf_cstr(json, "null");
        else
            sbuf_json(json, sbuf_view(&text));
        folder_part(folder, spec->partition_by[i], sbuf_view(&text), v.is_null);
    }
    sbuf_char(json, '}');
    sbuf_fini(&text);
}

static bool open_file(struct delta_sink *d, struct str partition, struct str folder, const struct type *schema, const bool *drop,
                      struct open_file **out, struct err *err)
{
    const struct delta_options *o = d->sink->spec->options;
    struct open_file *f = mem_new(sizeof *f);
    struct arena arena = {0};
    char uuid[37];
    f->file = -1;
    f->pool = pool_new(NULL, "data file");
    sbuf_str(&f->partition, partition);
    sbuf_str(&f->folder, folder);
    os_uuid(uuid);
    snprintf(f->name, sizeof f->name, "part-%05llu-%s-c000.zstd.parquet", (unsigned long long)(d->file_count++ % 100000), uuid);
    struct parquet_writer_options options = PARQUET_WRITER_OPTIONS;
    options.ctx = d->ctx;
    options.drop = drop;
    if (o) {
        options.codec = (enum codec)o->codec;
        options.level = (int)o->level;
    }
    char *dir = arena_printf(&arena, "%s/%.*s", d->path, STR_ARG(folder));
    char *path = arena_printf(&arena, "%s%s%s", dir, str_ends(str_of(dir), STR("/")) ? "" : "/", f->name);
    bool ok = os_mkdirs(dir, err) && os_open(path, OS_WRITE | OS_CREATE | OS_EXCLUSIVE, &f->file, err);
    if (ok) {
        f->parquet = parquet_writer_new(f->pool, schema, &options, (struct parquet_output){write_out, f}, err);
        ok = f->parquet != NULL;
    }
    arena_fini(&arena);
    if (!ok)
        free_file(f);
    else
        *out = f;
    return ok;
}

/* ---- statistics in the log ------------------------------------------------------------------------------------------------------- */

enum stat_kind { STAT_MIN, STAT_MAX, STAT_NULLS };

static bool has_log_bounds(const struct parquet_field_stats *s)
{
    enum type_kind kind = s->field->type->kind;
    return s->has_bounds && kind != TYPE_BOOLEAN && kind != TYPE_BINARY && kind != TYPE_VARIANT;
}

/* Strings are cut to 32 characters; a cut maximum gets a character that sorts after all that follow. */
static void put_string_bound(struct sbuf *out, struct str s, bool max)
{
    size_t cut = utf8_offset(s.p, s.n, STATS_TEXT);
    if (cut >= s.n) {
        sbuf_json(out, s);
        return;
    }
    struct sbuf text = {0};
    sbuf_add(&text, s.p, cut);
    if (max)
        sbuf_cstr(&text, (unsigned char)s.p[cut] < 0x7F ? "\x7F" : "\xF4\x8F\xBF\xBF");
    sbuf_json(out, sbuf_view(&text));
    sbuf_fini(&text);
}

static void put_bound(struct sbuf *out, const struct value *v, bool max)
{
    char text[64];
    switch (v->type->kind) {
    case TYPE_STRING:
        put_string_bound(out, v->str, max);
        break;
    case TYPE_TIMESTAMP:
    case TYPE_TIMESTAMP_NTZ: { /* milliseconds, rounded down */
        struct datetime at;
        timestamp_to_datetime(v->i64, &at);
        sbuf_printf(out, "\"%04d-%02d-%02dT%02d:%02d:%02d.%03u%s\"", at.year, at.month, at.day, at.hour, at.minute, at.second,
                    at.micro / 1000, v->type->kind == TYPE_TIMESTAMP ? "Z" : "");
        break;
    }
    case TYPE_DATE:
        sbuf_char(out, '"');
        sbuf_add(out, text, date_to_text((int32_t)v->i64, text));
        sbuf_char(out, '"');
        break;
    case TYPE_FLOAT:
    case TYPE_DOUBLE:
        sbuf_add(out, text, str_from_f64(v->f64, text));
        break;
    default:
        value_to_text(v, NULL, out);
        break;
    }
}

static bool infinite(const struct value *v)
{
    return (v->type->kind == TYPE_FLOAT || v->type->kind == TYPE_DOUBLE) && (v->f64 - v->f64) != 0;
}

/* One of the three objects, nested as the columns are; *leaves counts down over the first 32 leaf columns. */
static void put_stats(struct sbuf *out, const struct parquet_field_stats *fields, uint32_t count, const bool *drop, enum stat_kind kind,
                      int *leaves)
{
    bool any = false;
    sbuf_char(out, '{');
    for (uint32_t i = 0; i < count && *leaves > 0; i++) {
        const struct parquet_field_stats *s = &fields[i];
        bool is_struct = s->field->type->kind == TYPE_STRUCT;
        if (drop && drop[i])
            continue;
        const struct value *v = kind == STAT_MIN ? &s->min : &s->max;
        if (!is_struct)
            --*leaves;
        if (!is_struct && kind != STAT_NULLS && (!has_log_bounds(s) || infinite(v)))
            continue;
        sbuf_cstr(out, any ? "," : "");
        sbuf_json(out, str_of(s->field->name));
        sbuf_char(out, ':');
        any = true;
        if (is_struct)
            put_stats(out, s->children, s->child_count, NULL, kind, leaves); /* as deep as types are */
        else if (kind == STAT_NULLS)
            sbuf_printf(out, "%lld", (long long)s->null_count);
        else
            put_bound(out, v, kind == STAT_MAX);
    }
    sbuf_char(out, '}');
}

static void put_add(struct delta_sink *d, struct sbuf *out, const struct open_file *f, const struct parquet_file_stats *stats,
                    const bool *drop, bool data_change)
{
    struct sbuf text = {0}, path = {0};
    sbuf_str(&path, sbuf_view(&f->folder));
    sbuf_cstr(&path, f->name);
    sbuf_cstr(out, "{\"add\":{\"path\":");
    delta_encode_path(&text, sbuf_view(&path));
    sbuf_json(out, sbuf_view(&text));
    sbuf_printf(out, ",\"partitionValues\":%.*s,\"size\":%llu,\"modificationTime\":%lld,\"dataChange\":%s,\"stats\":",
                STR_ARG(sbuf_view(&f->partition)), (unsigned long long)f->at, (long long)(os_wall().us / US_PER_MS),
                data_change ? "true" : "false");
    sbuf_clear(&text);
    sbuf_printf(&text, "{\"numRecords\":%lld", (long long)stats->rows);
    static const char *const names[] = {",\"minValues\":", ",\"maxValues\":", ",\"nullCount\":"};
    for (enum stat_kind kind = STAT_MIN; kind <= STAT_NULLS; kind++) {
        int leaves = STATS_COLUMNS;
        sbuf_cstr(&text, names[kind]);
        put_stats(&text, stats->fields, stats->field_count, drop, kind, &leaves);
    }
    sbuf_char(&text, '}');
    sbuf_json(out, sbuf_view(&text));
    sbuf_cstr(out, "}}\n");
    sbuf_fini(&text);
    sbuf_fini(&path);
    (void)d;
}

/* Ends a file: footer, data and folder entry durable, its add action appended to out. */
static bool finish_file(struct delta_sink *d, struct open_file *f, struct sbuf *out, const bool *drop, bool data_change, struct err *err)
{
    struct parquet_file_stats stats;
    struct arena arena = {0};
    char *dir = arena_printf(&arena, "%s/%.*s", d->path, STR_ARG(sbuf_view(&f->folder)));
    bool ok = parquet_writer_finish(f->parquet, &stats, err) && os_sync(f->file, err) && os_sync_folder(dir, err);
    if (ok)
        put_add(d, out, f, &stats, drop, data_change);
    arena_fini(&arena);
    return ok;
}

static bool close_file(struct delta_sink *d, uint32_t index, struct err *err)
{
    struct open_file *f = d->open[index];
    bool ok = finish_file(d, f, &d->adds, d->drop, true, err);
    free_file(f);
    d->open[index] = d->open[--d->open_count];
    return ok;
}

static bool close_files(struct delta_sink *d, struct err *err)
{
    while (d->open_count)
        TRY(close_file(d, d->open_count - 1, err));
    return true;
}

static bool file_for(struct delta_sink *d, struct str partition, struct str folder, struct open_file **out, struct err *err)
{
    for (uint32_t i = 0; i < d->open_count; i++)
        if (str_eq(sbuf_view(&d->open[i]->partition), partition)) {
            *out = d->open[i];
            return true;
        }
    if (d->open_count == OPEN_FILES_MAX) {
        uint32_t oldest = 0;
        for (uint32_t i = 1; i < d->open_count; i++)
            if (d->open[i]->row_count == 0 && (d->open[oldest]->row_count || d->open[i]->used < d->open[oldest]->used))
                oldest = i;
        if (d->open[oldest]->row_count) {
            *out = NULL; /* all have rows of this batch that wait: the caller writes them first */
            return true;
        }
        TRY(close_file(d, oldest, err));
    }
    TRY(open_file(d, partition, folder, d->stored, d->drop, out, err));
    d->open[d->open_count++] = *out;
    return true;
}

/* ---- the slots ---------------------------------------------------------------------------------------------------------------------- */

static const char *table_path(struct sink *sink)
{
    const struct sink_spec *spec = sink->spec;
    const char *root = spec->url + strlen("file:");
    if (strncmp(root, "//", 2) == 0)
        root += 2;
    if (root[0] == '/')
        return pool_printf(sink->pool, "%s/%s", root, spec->table);
    return pool_printf(sink->pool, "%s/%s/%s", spec->folder, root, spec->table);
}

/* "sluice/<project>/<stream>/<uuid>/" or, for a uuid of NULL, up to the stream. */
static char *app_prefix(struct sink *sink, struct arena *arena, const char *uuid)
{
    const struct sink_spec *spec = sink->spec;
    return uuid ? arena_printf(arena, "sluice/%s/%s/%s/", spec->project, spec->stream, uuid)
                : arena_printf(arena, "sluice/%s/%s/", spec->project, spec->stream);
}

static bool read_position(struct str tail, struct position *p)
{
    int64_t input = 0, partition;
    size_t dash = str_find(tail, STR("-"), 0);
    if (dash != SIZE_MAX && !str_to_i64(str_n(tail.p, dash), &input))
        return false;
    struct str last = dash == SIZE_MAX ? tail : str_n(tail.p + dash + 1, tail.n - dash - 1);
    if (!str_to_i64(last, &partition))
        return false;
    p->input = (int32_t)input;
    p->partition = (int32_t)partition;
    return true;
}

static void find_positions(struct delta_sink *d, enum sink_found *found, struct position *positions, uint32_t *count)
{
    struct str ours = str_of(app_prefix(d->sink, &d->arena, d->sink->spec->uuid));
    struct str stream = str_of(app_prefix(d->sink, &d->arena, NULL));
    *found = SINK_NEW;
    MAP_EACH(entry, &d->table.txns)
    {
        const struct delta_txn *txn = entry->value;
        struct position p = {.next_offset = txn->version};
        if (str_starts(txn->app_id, ours)) {
            *found = SINK_OURS;
            if (read_position(str_n(txn->app_id.p + ours.n, txn->app_id.n - ours.n), &p) && *count < SINK_INPUTS_MAX)
                positions[(*count)++] = p;
        } else if (str_starts(txn->app_id, stream) && *found == SINK_NEW) {
            *found = SINK_FOREIGN;
        }
    }
}

static bool same_partitioning(struct delta_sink *d, struct err *err)
{
    const struct sink_spec *spec = d->sink->spec;
    bool same = spec->partition_by_count == d->table.partition_column_count;
    for (uint32_t i = 0; same && i < spec->partition_by_count; i++)
        same = strcmp(spec->partition_by[i], d->table.partition_columns[i]) == 0;
    if (same)
        return true;
    err_set(err, ERR_FATAL, "the table \"%s\" is partitioned by other columns than partition_by says", spec->table);
    return err_hint(err, "A table's partitioning cannot change; write to another table.");
}

static bool note_identity(struct delta_sink *d, struct err *err)
{
    struct os_stat stat;
    if (d->table.version < 0)
        return true;
    TRY(os_stat(d->table.log_path, &stat, err));
    d->device = stat.device;
    d->inode = stat.inode;
    return true;
}

static bool delta_open(struct sink *sink, const struct type *schema, enum sink_found *found, struct position *positions,
                       uint32_t *count, struct err *err)
{
    struct delta_sink *d = pool_new_struct(sink->pool, struct delta_sink);
    const struct sink_spec *spec = sink->spec;
    sink->state = d;
    d->sink = sink;
    d->ctx = compress_ctx_new();
    d->path = table_path(sink);
    if (spec->mode != SINK_APPEND) {
        err_set(err, ERR_FATAL, "this version writes Delta tables in mode append only");
        return err_hint(err, "Leave `mode` out for \"%s\".", spec->name);
    }
    for (uint32_t i = 0; i < spec->partition_by_count; i++) {
        int index = type_field(schema, str_of(spec->partition_by[i]), true);
        if (index < 0 || type_is_nested(schema->fields[index].type) || schema->fields[index].type->kind == TYPE_VARIANT)
            return err_set(err, ERR_FATAL, "partition_by column \"%s\" is not among the stream's plain columns", spec->partition_by[i]);
    }
    TRY(delta_load(&d->table, d->path, -1, err));
    if (d->table.version < 0)
        return true;
    const char *feature = delta_unknown_feature(&d->table, true);
    if (feature)
        return err_set(err, ERR_FATAL, "the table \"%s\" uses a Delta feature that this version cannot write: %s", spec->table, feature);
    TRY(same_partitioning(d, err));
    const struct type *merged;
    TRY(merge_types(pool_arena(sink->pool), d->table.schema, schema, "", &merged, err));
    find_positions(d, found, positions, count);
    return note_identity(d, err);
}

/* Rows of a batch by the partition they belong to. */
static bool write_partitioned(struct delta_sink *d, const struct batch *batch, struct err *err)
{
    struct sbuf partition = {0}, folder = {0};
    bool ok = true;
    uint32_t row = 0;
    while (ok && row < batch->rows) {
        for (; ok && row < batch->rows; row++) {
            struct open_file *f;
            partition_of(d, batch, row, &partition, &folder);
            ok = file_for(d, sbuf_view(&partition), sbuf_view(&folder), &f, err);
            if (!ok || f == NULL)
                break;
            f->rows = mem_grow(f->rows, &f->row_capacity, f->row_count + 1, sizeof *f->rows);
            f->rows[f->row_count++] = row;
        }
        for (uint32_t i = 0; ok && i < d->open_count; i++) {
            struct open_file *f = d->open[i];
            if (f->row_count == 0)
                continue;
            ok = parquet_writer_batch(f->parquet, batch, f->rows, 0, f->row_count, err);
            f->row_count = 0;
            f->used = ++d->clock;
        }
    }
    sbuf_fini(&partition);
    sbuf_fini(&folder);
    return ok;
}

static bool delta_write(struct sink *sink, const struct batch *batch, struct err *err)
{
    struct delta_sink *d = sink->state;
    TRY(follow_schema(d, batch->schema, err));
    bool ok;
    if (sink->spec->partition_by_count) {
        ok = write_partitioned(d, batch, err);
    } else {
        struct open_file *f;
        ok = file_for(d, STR("{}"), STR(""), &f, err) && parquet_writer_batch(f->parquet, batch, NULL, 0, batch->rows, err);
    }
    for (uint32_t i = d->open_count; ok && i > 0; i--)
        if (parquet_writer_bytes(d->open[i - 1]->parquet) > FILE_BYTES)
            ok = close_file(d, i - 1, err);
    arena_reset(&d->arena);
    return ok;
}

static void put_txns(struct delta_sink *d, const struct position *positions, uint32_t count)
{
    char *prefix = app_prefix(d->sink, &d->arena, d->sink->spec->uuid);
    long long now_ms = (long long)(os_wall().us / US_PER_MS);
    for (uint32_t i = 0; i < count; i++) {
        char tail[32];
        const struct position *p = &positions[i];
        if (p->input == 0)
            snprintf(tail, sizeof tail, "%d", p->partition);
        else
            snprintf(tail, sizeof tail, "%d-%d", p->input, p->partition);
        char *app_id = arena_printf(&d->arena, "%s%s", prefix, tail);
        const struct delta_txn *known = map_get(&d->table.txns, str_of(app_id));
        if (known && known->version == p->next_offset)
            continue;
        sbuf_cstr(&d->lines, "{\"txn\":{\"appId\":");
        sbuf_json(&d->lines, str_of(app_id));
        sbuf_printf(&d->lines, ",\"version\":%lld,\"lastUpdated\":%lld}}\n", (long long)p->next_offset, now_ms);
    }
}

static void put_commit_info(struct delta_sink *d, const char *operation, bool blind, const char *txn_id)
{
    sbuf_printf(&d->lines,
                "{\"commitInfo\":{\"timestamp\":%lld,\"operation\":\"%s\",\"operationParameters\":{\"outputMode\":\"Append\",\"queryId\":\"%s\"},"
                "\"readVersion\":%lld,\"isBlindAppend\":%s,\"engineInfo\":\"sluice/" SLUICE_VERSION "\",\"txnId\":\"%s\"}}\n",
                (long long)(os_wall().us / US_PER_MS), operation, d->sink->spec->uuid, (long long)d->table.version,
                blind ? "true" : "false", txn_id);
}

/* The log folder is still the one that we opened. */
static bool still_there(struct delta_sink *d, struct err *err)
{
    struct os_stat stat;
    if (d->inode == 0)
        return true;
    if (os_stat(d->table.log_path, &stat, NULL) && stat.inode == d->inode && stat.device == d->device)
        return true;
    return err_set(err, ERR_RETRY, "the table \"%s\" was deleted or replaced while it was open", d->path);
}

/* Another writer's commits came in between: may ours follow them? */
static bool still_valid(struct delta_sink *d, const struct position *positions, uint32_t count, struct err *err)
{
    const char *feature = delta_unknown_feature(&d->table, true);
    if (d->table.protocol_changed && feature)
        return err_set(err, ERR_FATAL, "another writer turned on a Delta feature that this version cannot write: %s", feature);
    if (d->table.metadata_changed) {
        const struct type *merged;
        TRY(merge_types(pool_arena(d->sink->pool), d->table.schema, d->schema, "", &merged, err));
        d->schema = merged;
        d->schema_moved = !type_equal(merged, d->table.schema);
    }
    enum sink_found found;
    struct position *theirs = mem_new_array(struct position, SINK_INPUTS_MAX);
    uint32_t their_count = 0;
    find_positions(d, &found, theirs, &their_count);
    bool ok = true;
    for (uint32_t i = 0; i < their_count; i++)
        for (uint32_t k = 0; k < count; k++)
            if (theirs[i].input == positions[k].input && theirs[i].partition == positions[k].partition &&
                theirs[i].next_offset > positions[k].next_offset)
                ok = err_set(err, ERR_FATAL, "somebody else writes to \"%s\" as this very stream", d->path);
    mem_free(theirs);
    d->table.metadata_changed = d->table.protocol_changed = false;
    return ok;
}

static bool delta_commit_rows(struct sink *sink, const struct position *positions, uint32_t count, struct err *err)
{
    struct delta_sink *d = sink->state;
    char txn_id[37];
    bool won = false;
    TRY(still_there(d, err));
    TRY(close_files(d, err));
    d->table.metadata_changed = d->table.protocol_changed = false;
    for (int tries = 0; !won; tries++) {
        if (tries == DELTA_CONFLICTS_MAX)
            return err_set(err, ERR_RETRY, "lost against other writers %d times", tries);
        if (tries > 0)
            TRY(still_valid(d, positions, count, err));
        os_uuid(txn_id);
        sbuf_clear(&d->lines);
        put_commit_info(d, "STREAMING UPDATE", !d->schema_moved, txn_id);
        if (d->schema_moved || d->table.version < 0)
            put_metadata(d);
        put_txns(d, positions, count);
        sbuf_str(&d->lines, sbuf_view(&d->adds));
        TRY(delta_commit(&d->table, sbuf_view(&d->lines), txn_id, &won, err));
    }
    sbuf_clear(&d->adds);
    d->schema_moved = false;
    arena_reset(&d->arena);
    return d->inode != 0 || note_identity(d, err);
}

static size_t delta_pending(const struct sink *sink)
{
    const struct delta_sink *d = sink->state;
    size_t bytes = 0;
    for (uint32_t i = 0; i < d->open_count; i++)
        bytes += parquet_writer_memory(d->open[i]->parquet);
    return bytes;
}

static void delta_abort(struct sink *sink)
{
    struct delta_sink *d = sink->state;
    while (d->open_count)
        free_file(d->open[--d->open_count]);
    delta_fini(&d->table);
    compress_ctx_free(d->ctx);
    sbuf_fini(&d->adds);
    sbuf_fini(&d->lines);
    arena_fini(&d->arena);
}

/* ---- upkeep ---------------------------------------------------------------------------------------------------------------------------- */

struct merge {
    struct delta_file *files[MERGE_BATCH_MAX];
    uint32_t count;
    struct str partition;
};

/* The partition with the most small files, if they are enough to be worth it. */
static bool find_merge(struct delta_sink *d, struct merge *m)
{
    struct map counts = {0};
    struct str best = {0};
    uintptr_t most = 0;
    MAP_EACH(entry, &d->table.files)
    {
        const struct delta_file *f = entry->value;
        if (f->size >= MERGE_SMALL_BYTES || f->dv.n)
            continue;
        uintptr_t n = (uintptr_t)map_get(&counts, f->partition) + 1;
        map_put(&counts, f->partition, (void *)n);
        if (n > most) {
            most = n;
            best = f->partition;
        }
    }
    map_fini(&counts);
    m->partition = best;
    m->count = 0;
    if (most < MERGE_FILES)
        return false;
    MAP_EACH(entry, &d->table.files)
    {
        struct delta_file *f = entry->value;
        if (f->size < MERGE_SMALL_BYTES && !f->dv.n && str_eq(f->partition, best) && m->count < MERGE_BATCH_MAX)
            m->files[m->count++] = f;
    }
    return true;
}

struct small_file {
    int file;
};

static bool read_at(void *arg, uint64_t offset, size_t n, uint8_t *out, struct err *err)
{
    size_t got;
    TRY(os_pread(((struct small_file *)arg)->file, out, n, offset, &got, err));
    return got == n || err_set(err, ERR_DATA, "file is cut");
}

/* All rows of one small file into the merged one. */
static bool copy_rows(struct delta_sink *d, const struct delta_file *from, const struct type *columns, struct open_file *to, struct err *err)
{
    struct pool *pool = pool_new(NULL, "merge");
    struct batch *batch = batch_new();
    struct small_file small = {.file = -1};
    struct os_stat stat;
    char *path;
    bool ok = false, end = false;
    TRY_OUT(delta_file_path(&d->table, pool_arena(pool), from->path, &path, err));
    TRY_OUT(os_open(path, OS_READ, &small.file, err));
    TRY_OUT(os_fstat(small.file, &stat, err));
    const struct parquet_source source = {stat.size, read_at, &small};
    struct parquet_file *file = parquet_open(pool, &source, err);
    TRY_OUT(file != NULL);
    const struct parquet_scan_options options = {.columns = columns, .nocase = true, .ctx = d->ctx};
    struct parquet_scan *scan = parquet_scan_new(pool, file, &options, err);
    TRY_OUT(scan != NULL);
    for (;;) {
        TRY_OUT(parquet_scan_next(scan, batch, &end, err));
        if (end)
            break;
        TRY_OUT(parquet_writer_batch(to->parquet, batch, NULL, 0, batch->rows, err));
    }
    ok = true;
out:
    batch_free(batch);
    pool_free(pool);
    os_close(small.file);
    return ok;
}

/* The table's schema without its partition columns: what is in the files. */
static const struct type *file_columns(struct delta_sink *d, struct arena *arena)
{
    struct field *fields = arena_array(arena, struct field, d->table.schema->field_count);
    uint32_t count = 0;
    for (uint32_t i = 0; i < d->table.schema->field_count; i++)
        if (!is_partition_column(d, d->table.schema->fields[i].name))
            fields[count++] = d->table.schema->fields[i];
    return type_struct(arena, fields, count);
}

static void put_removes(struct delta_sink *d, const struct merge *m)
{
    long long now_ms = (long long)(os_wall().us / US_PER_MS);
    for (uint32_t i = 0; i < m->count; i++) {
        sbuf_cstr(&d->lines, "{\"remove\":{\"path\":");
        sbuf_json(&d->lines, m->files[i]->path);
        sbuf_printf(&d->lines,
                    ",\"deletionTimestamp\":%lld,\"dataChange\":false,\"extendedFileMetadata\":true,\"partitionValues\":%.*s,\"size\":%lld}}\n",
                    now_ms, STR_ARG(m->partition), (long long)m->files[i]->size);
    }
}

/* Where the partition's files lie: the folder of the first of them. */
static struct str folder_of(struct delta_sink *d, const struct merge *m, struct arena *arena, struct err *err)
{
    char *path;
    if (!delta_file_path(&d->table, arena, m->files[0]->path, &path, err))
        return (struct str){0};
    struct str relative = str_of(path + strlen(d->path) + 1);
    size_t end = relative.n;
    while (end > 0 && relative.p[end - 1] != '/')
        end--;
    return str_n(relative.p, end);
}

static bool merge_files(struct delta_sink *d, struct merge *m, bool (*stop)(void *arg), void *arg, struct err *err)
{
    struct arena arena = {0};
    struct open_file *to;
    char txn_id[37];
    bool won = false;
    int64_t version = d->table.version;
    const struct type *columns = file_columns(d, &arena);
    struct str folder = folder_of(d, m, &arena, err);
    bool ok = folder.p != NULL && open_file(d, m->partition, folder, columns, NULL, &to, err);
    bool opened = ok, stopped = false;
    for (uint32_t i = 0; ok && !stopped && i < m->count; i++) {
        ok = copy_rows(d, m->files[i], columns, to, err);
        stopped = stop(arg);
    }
    if (ok && !stopped) {
        os_uuid(txn_id);
        sbuf_clear(&d->lines);
        put_commit_info(d, "OPTIMIZE", false, txn_id);
        put_removes(d, m);
        ok = finish_file(d, to, &d->lines, NULL, false, err);
        /* Only while nothing else has happened: other writers may have removed one of these files. The next upkeep tries again. */
        ok = ok && delta_refresh(&d->table, err);
        if (ok && d->table.version == version)
            ok = delta_commit(&d->table, sbuf_view(&d->lines), txn_id, &won, err);
    }
    if (opened) {
        char *path = arena_printf(&arena, "%s/%.*s%s", d->path, STR_ARG(folder), to->name);
        free_file(to);
        if (!won)
            (void)!os_unlink(path, NULL);
    }
    arena_fini(&arena);
    return ok;
}

/* Files that were merged away longer ago than any reader may still need them. */
static bool delete_removed(struct delta_sink *d, struct err *err)
{
    struct arena arena = {0};
    int64_t expired_ms = os_wall().us / US_PER_MS - KEEP_REMOVED_MS;
    bool ok = true;
    MAP_EACH(entry, &d->table.removed)
    {
        const struct delta_file *f = entry->value;
        char *path;
        if (f->time_ms >= expired_ms || f->data_change || !delta_file_path(&d->table, &arena, f->path, &path, NULL))
            continue;
        struct err gone;
        if (!os_unlink(path, &gone) && gone.code != 2)
            ok = false;
        map_remove(&d->table.removed, entry->key);
    }
    arena_fini(&arena);
    (void)err;
    return ok || true; /* a file that stays costs room only; the next vacuum has another chance */
}

static bool delta_maintain(struct sink *sink, bool (*stop)(void *arg), void *arg, struct err *err)
{
    struct delta_sink *d = sink->state;
    struct merge *m = mem_new(sizeof *m);
    int64_t version = d->table.version;
    bool ok = true;
    if (version >= 0 && find_merge(d, m))
        ok = merge_files(d, m, stop, arg, err);
    mem_free(m);
    if (ok && d->table.version >= 0 && d->table.version - d->table.checkpoint >= CHECKPOINT_EVERY)
        ok = delta_checkpoint(&d->table, err) && delta_clean_log(&d->table, os_wall().us / US_PER_MS, err) && delete_removed(d, err);
    return ok;
}

/* ---- reset -------------------------------------------------------------------------------------------------------------------------------- */

static bool delta_reset(struct sink *sink, bool replace, struct err *err)
{
    struct delta_sink *d = sink->state;
    char txn_id[37];
    bool won = false;
    if (d->table.version < 0)
        return true;
    while (!won) {
        os_uuid(txn_id);
        sbuf_clear(&d->lines);
        put_commit_info(d, replace ? "TRUNCATE" : "SET TRANSACTION", false, txn_id);
        sbuf_cstr(&d->lines, "{\"txn\":{\"appId\":");
        sbuf_json(&d->lines, str_of(arena_printf(&d->arena, "%sknown", app_prefix(sink, &d->arena, sink->spec->uuid))));
        sbuf_cstr(&d->lines, ",\"version\":0}}\n");
        MAP_EACH(entry, &d->table.files)
        {
            const struct delta_file *f = entry->value;
            if (!replace)
                break;
            sbuf_cstr(&d->lines, "{\"remove\":{\"path\":");
            sbuf_json(&d->lines, f->path);
            sbuf_printf(&d->lines, ",\"deletionTimestamp\":%lld,\"dataChange\":true,\"extendedFileMetadata\":true,\"partitionValues\":%.*s,\"size\":%lld}}\n",
                        (long long)(os_wall().us / US_PER_MS), STR_ARG(f->partition), (long long)f->size);
        }
        TRY(delta_commit(&d->table, sbuf_view(&d->lines), txn_id, &won, err));
    }
    return true;
}

static const char *const schemes[] = {"file", NULL};

static const struct option_choice codecs[] = {
    {"zstd", CODEC_ZSTD, "small and quick"}, {"snappy", CODEC_SNAPPY, "quicker, larger"}, {"gzip", CODEC_GZIP, "for old readers"}, {"none", CODEC_NONE, "not at all"}, {0}};

static const struct option options[] = {
    {.name = "compression",
     .type = OPTION_ENUM,
     .offset = OPTION_AT(struct delta_options, codec),
     .default_text = "zstd",
     .choices = codecs,
     .help = "How data files are compressed."},
    {.name = "compression_level",
     .type = OPTION_I64,
     .offset = OPTION_AT(struct delta_options, level),
     .default_text = "3",
     .min = -7,
     .max = 22,
     .help = "Level of zstd or gzip."},
    {0},
};

extern const struct sink_kind sink_delta;
const struct sink_kind sink_delta = {
    .name = "delta",
    .schemes = schemes,
    .cadence_ms = 10000,
    .exactly_once = true,
    .open = delta_open,
    .write = delta_write,
    .commit = delta_commit_rows,
    .abort = delta_abort,
    .maintain = delta_maintain,
    .pending_bytes = delta_pending,
    .reset = delta_reset,
    .options = options,
    .options_size = sizeof(struct delta_options),
};

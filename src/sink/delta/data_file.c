/* Data files: rows by partition into Parquet files, and what the log says of each.
 *
 * A file is one Parquet writer, which holds its rows in memory until a row group is full; on disk there is nothing before. So a commit with a
 * thousand partitions needs memory for their rows and no thousand descriptors. A file's folder is a convention only (Hive's), the action says
 * what the partition is. */
#include <stdio.h>

#include "base/utf8.h"
#include "os/os.h"
#include "sink/delta/delta_private.h"
#include "type/timestamp.h"

enum {
    STATS_COLUMNS = 32,    /* leaf columns with statistics in the log, as Delta's default */
    STATS_TEXT = 32,       /* characters */
    FOLDER_PART_MAX = 180, /* bytes of "column=value"; longer ones are cut and told apart by a hash */
    YEAR_LAST = 9999,      /* bounds past it have forms that readers do not agree on */
};

/* ---- partitions ---------------------------------------------------------------------------------------------------------------------- */

/* A partition value as the protocol writes it; "" = NULL. */
static void value_text(const struct value *v, struct sbuf *out)
{
    char text[64];
    if (v->is_null)
        return;
    if (v->type->kind == TYPE_TIMESTAMP)
        sbuf_add(out, text, timestamp_to_iso(v->i64, "Z", text));
    else
        value_to_text(v, NULL, out);
}

static void escape(struct sbuf *out, struct str text)
{
    for (size_t i = 0; i < text.n; i++) {
        unsigned char c = (unsigned char)text.p[i];
        if (c < 0x20 || c == 0x7F || strchr("\"#%'*/:=?\\{[]^", c))
            sbuf_printf(out, "%%%02X", c);
        else
            sbuf_char(out, (char)c);
    }
}

/* "year=2024/country=DE/" with what a folder's name cannot hold percent-encoded, as Hive does. */
static void folder_part(struct sbuf *out, struct str name, struct str value)
{
    size_t start = out->n;
    escape(out, name);
    sbuf_char(out, '=');
    if (value.n == 0)
        sbuf_cstr(out, "__HIVE_DEFAULT_PARTITION__");
    else
        escape(out, value);
    if (out->n - start > FOLDER_PART_MAX) {
        out->n = start + FOLDER_PART_MAX;
        while ((out->p[out->n] & 0xC0) == 0x80) /* not within a character */
            out->n--;
        sbuf_printf(out, "~%016llx", (unsigned long long)hash_bytes(value.p, value.n));
    }
    sbuf_char(out, '/');
}

/* values[partition_count] → partitionValues and folder. */
static void partition_of(const struct delta_sink *d, const struct value *values, struct sbuf *json,
                         struct sbuf *folder)
{
    struct sbuf text = {0};
    sbuf_clear(json);
    sbuf_clear(folder);
    sbuf_char(json, '{');
    for (uint32_t i = 0; i < d->partition_count; i++) {
        sbuf_clear(&text);
        value_text(&values[i], &text);
        sbuf_cstr(json, i ? "," : "");
        sbuf_json(json, str_of(d->partition[i]));
        sbuf_char(json, ':');
        if (text.n)
            sbuf_json(json, sbuf_view(&text));
        else
            sbuf_cstr(json, "null"); /* the protocol knows no empty string */
        folder_part(folder, str_of(d->partition[i]), sbuf_view(&text));
    }
    sbuf_char(json, '}');
    sbuf_fini(&text);
}

/* ---- a file ---------------------------------------------------------------------------------------------------------------------------- */

static char *folder_path(const struct open_file *f)
{
    return pool_printf(f->pool, "%.*s", (int)(strlen(f->path) - strlen(f->name)), f->path);
}

static bool create(struct open_file *f, struct err *err)
{
    TRY(os_mkdirs(folder_path(f), err));
    TRY(os_open(f->path, OS_WRITE | OS_CREATE | OS_EXCLUSIVE, &f->file, err));
    f->created = true;
    return true;
}

static bool write_out(void *arg, const void *p, size_t n, struct err *err)
{
    struct open_file *f = arg;
    if (f->file < 0)
        TRY(create(f, err));
    TRY(os_pwrite(f->file, p, n, f->at, err));
    f->at += n;
    return true;
}

void delta_file_free(struct open_file *f)
{
    parquet_writer_free(f->parquet);
    os_close(f->file);
    if (f->created && !f->finished)
        (void)!os_unlink(f->path, NULL);
    pool_free(f->pool);
}

bool delta_file_new(struct delta_sink *d, struct str partition, struct str folder, const struct type *schema,
                    const bool *drop, struct open_file **out, struct err *err)
{
    static const char *const suffixes[] = {[CODEC_NONE] = "",
                                           [CODEC_GZIP] = "gz.",
                                           [CODEC_SNAPPY] = "snappy.",
                                           [CODEC_LZ4] = "lz4.",
                                           [CODEC_ZSTD] = "zstd."};
    const struct delta_options *o = d->sink->spec->options;
    struct parquet_writer_options options = PARQUET_WRITER_OPTIONS;
    struct pool *pool = pool_new(NULL, "data file");
    struct open_file *f = pool_new_struct(pool, struct open_file);
    char uuid[37];
    f->file = -1;
    f->pool = pool;
    f->partition = str_of(str_dup(pool_arena(pool), partition));
    f->folder = str_of(str_dup(pool_arena(pool), folder));
    options.ctx = d->ctx;
    options.drop = drop;
    if (o) {
        options.codec = (enum codec)o->codec;
        options.level = (int)o->level;
    }
    os_uuid(uuid);
    f->name = pool_printf(pool, "part-%05llu-%s" DELTA_OUR_MARK "%sparquet",
                          (unsigned long long)(d->file_count++ % 100000), uuid, suffixes[options.codec]);
    f->path = pool_printf(pool, "%s/%s%s", d->path, f->folder.p, f->name);
    f->parquet = parquet_writer_new(pool, schema, &options, (struct parquet_output){write_out, f}, err);
    if (f->parquet == NULL) {
        pool_free(pool);
        return false;
    }
    *out = f;
    return true;
}

/* ---- statistics in the log ------------------------------------------------------------------------------------------------------- */

enum stat_kind { STAT_MIN, STAT_MAX, STAT_NULLS };

static bool year_fits(const struct value *v)
{
    struct datetime at;
    int64_t us = v->type->kind == TYPE_DATE ? v->i64 * US_PER_DAY : v->i64;
    if (v->type->kind == TYPE_DATE && (v->i64 > INT64_C(4000000) || v->i64 < -INT64_C(4000000)))
        return false; /* some 11,000 years */
    timestamp_to_datetime(us, &at);
    return at.year >= 1 && at.year <= YEAR_LAST;
}

/* Strings are cut to 32 characters; a cut maximum gets a character that sorts after all that follow, unless nothing does. */
static bool string_fits(const struct value *v, bool max)
{
    size_t cut = utf8_offset(v->str.p, v->str.n, STATS_TEXT);
    return !max || cut >= v->str.n ||
           !str_starts(str_n(v->str.p + cut, v->str.n - cut), STR("\xF4\x8F\xBF\xBF"));
}

/* May the bound stand in the log? A maximum without the NaN is none: to Spark NaN is the largest. */
static bool has_bound(const struct parquet_field_stats *s, bool max)
{
    const struct value *v = max ? &s->max : &s->min;
    if (!s->has_bounds)
        return false;
    switch (s->field->type->kind) {
    case TYPE_BYTE:
    case TYPE_SHORT:
    case TYPE_INT:
    case TYPE_LONG:
    case TYPE_DECIMAL: return true;
    case TYPE_FLOAT:
    case TYPE_DOUBLE: return (v->f64 - v->f64) == 0 && !(max && s->nan_count);
    case TYPE_DATE:
    case TYPE_TIMESTAMP:
    case TYPE_TIMESTAMP_NTZ: return year_fits(v);
    case TYPE_STRING: return string_fits(v, max);
    default: return false;
    }
}

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
    case TYPE_STRING: put_string_bound(out, v->str, max); break;
    case TYPE_TIMESTAMP:
    case TYPE_TIMESTAMP_NTZ: { /* milliseconds, rounded down */
        struct datetime at;
        timestamp_to_datetime(v->i64, &at);
        sbuf_printf(out, "\"%04d-%02d-%02dT%02d:%02d:%02d.%03u%s\"", at.year, at.month, at.day, at.hour,
                    at.minute, at.second, at.micro / 1000, v->type->kind == TYPE_TIMESTAMP ? "Z" : "");
        break;
    }
    case TYPE_DATE:
        sbuf_char(out, '"');
        sbuf_add(out, text, date_to_text((int32_t)v->i64, text));
        sbuf_char(out, '"');
        break;
    case TYPE_FLOAT:
    case TYPE_DOUBLE: sbuf_add(out, text, str_from_f64(v->f64, text)); break;
    default: value_to_text(v, NULL, out); break;
    }
}

/* One of the three objects, nested as the columns are; *leaves counts down over the first 32 leaf columns. */
static void put_stats(struct sbuf *out, const struct parquet_field_stats *fields, uint32_t count,
                      const bool *drop, enum stat_kind kind, int *leaves)
{
    bool any = false;
    sbuf_char(out, '{');
    for (uint32_t i = 0; i<count && * leaves> 0; i++) {
        const struct parquet_field_stats *s = &fields[i];
        bool is_struct = s->field->type->kind == TYPE_STRUCT;
        if (drop && drop[i])
            continue;
        if (!is_struct)
            --*leaves;
        if (!is_struct && kind != STAT_NULLS && !has_bound(s, kind == STAT_MAX))
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
            put_bound(out, kind == STAT_MIN ? &s->min : &s->max, kind == STAT_MAX);
    }
    sbuf_char(out, '}');
}

static void put_add(struct sbuf *out, const struct open_file *f, const struct parquet_file_stats *stats,
                    const bool *drop, bool data_change)
{
    struct sbuf text = {0}, path = {0};
    sbuf_str(&path, f->folder);
    sbuf_cstr(&path, f->name);
    sbuf_cstr(out, "{\"add\":{\"path\":");
    delta_encode_path(&text, sbuf_view(&path));
    sbuf_json(out, sbuf_view(&text));
    sbuf_printf(
        out, ",\"partitionValues\":%.*s,\"size\":%llu,\"modificationTime\":%lld,\"dataChange\":%s,\"stats\":",
        STR_ARG(f->partition), (unsigned long long)f->at, (long long)(os_wall().us / US_PER_MS),
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
}

bool delta_file_finish(struct delta_sink *d, struct open_file *f, struct sbuf *out, const bool *drop,
                       bool data_change, struct err *err)
{
    struct parquet_file_stats stats;
    TRY(parquet_writer_finish(f->parquet, &stats, err));
    TRY(os_sync(f->file, err));
    TRY(os_sync_folder(folder_path(f), err));
    put_add(out, f, &stats, drop, data_change);
    f->finished = true;
    return true;
}

/* ---- the files of the next commit ---------------------------------------------------------------------------------------------------- */

static bool close_file(struct delta_sink *d, uint32_t index, struct err *err)
{
    struct open_file *f = d->open[index];
    bool ok = delta_file_finish(d, f, &d->adds, d->drop, !d->rewriting, err);
    if (ok)
        sbuf_add(&d->finished, f->path, strlen(f->path) + 1);
    map_remove(&d->by_partition, f->partition);
    delta_file_free(f);
    d->open[index] = d->open[--d->open_count];
    return ok;
}

bool delta_files_close(struct delta_sink *d, struct err *err)
{
    while (d->open_count)
        TRY(close_file(d, d->open_count - 1, err));
    map_fini(&d->by_partition);
    return true;
}

void delta_files_abort(struct delta_sink *d)
{
    while (d->open_count)
        delta_file_free(d->open[--d->open_count]);
    map_fini(&d->by_partition);
    for (size_t at = 0; !d->attempted && at < d->finished.n; at += strlen(d->finished.p + at) + 1)
        (void)!os_unlink(d->finished.p + at, NULL);
    sbuf_fini(&d->finished);
    sbuf_fini(&d->adds);
}

static bool file_for(struct delta_sink *d, struct str partition, struct str folder, struct open_file **out,
                     struct err *err)
{
    *out = map_get(&d->by_partition, partition);
    if (*out == NULL && d->open_count == DELTA_OPEN_MAX) {
        uint32_t oldest = 0;
        for (uint32_t i = 1; i < d->open_count; i++)
            if (d->open[i]->used < d->open[oldest]->used)
                oldest = i;
        TRY(close_file(d, oldest, err));
    }
    if (*out == NULL) {
        TRY(delta_file_new(d, partition, folder, d->stored, d->drop, out, err));
        map_put(&d->by_partition, partition, *out);
        d->open[d->open_count++] = *out;
    }
    (*out)->used = ++d->clock;
    return true;
}

/* The rows of a batch that belong to one partition. */
struct group {
    struct str partition, folder;
    uint32_t count, next; /* next: where its next row goes in the order */
};

struct groups {
    struct group *list; /* on the heap */
    size_t count, capacity;
    struct map by_partition; /* partition → index + 1 */
};

static uint32_t group_for(struct delta_sink *d, struct groups *groups, struct str partition,
                          struct str folder)
{
    uintptr_t known = (uintptr_t)map_get(&groups->by_partition, partition);
    if (known)
        return (uint32_t)(known - 1);
    groups->list = mem_grow(groups->list, &groups->capacity, groups->count + 1, sizeof *groups->list);
    groups->list[groups->count] = (struct group){.partition = str_of(str_dup(&d->arena, partition)),
                                                 .folder = str_of(str_dup(&d->arena, folder))};
    map_put(&groups->by_partition, partition, (void *)(uintptr_t)(groups->count + 1));
    return (uint32_t)groups->count++;
}

static bool same_values(const struct value *a, const struct value *b, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (a[i].is_null != b[i].is_null || (!a[i].is_null && value_cmp(&a[i], &b[i]) != 0))
            return false;
    return true;
}

/* Says of each row which group it belongs to: group_of[rows]. */
static void sort_rows(struct delta_sink *d, const struct batch *batch, struct groups *groups,
                      uint32_t *group_of)
{
    uint32_t count = d->partition_count, group = 0;
    const struct column **columns = arena_array(&d->arena, const struct column *, count);
    struct value *now = arena_array(&d->arena, struct value, count);
    struct value *before = arena_array(&d->arena, struct value, count);
    struct sbuf partition = {0}, folder = {0};
    for (uint32_t i = 0; i < count; i++) {
        int index = type_field(batch->schema, str_of(d->partition[i]), true);
        CHECK(index >= 0); /* open has looked */
        columns[i] = &batch->columns[index];
    }
    for (uint32_t row = 0; row < batch->rows; row++) {
        for (uint32_t i = 0; i < count; i++)
            now[i] = column_value(columns[i], row, &d->arena);
        if (row == 0 || !same_values(now, before, count)) {
            partition_of(d, now, &partition, &folder);
            group = group_for(d, groups, sbuf_view(&partition), sbuf_view(&folder));
        }
        struct value *swap = before;
        before = now;
        now = swap;
        group_of[row] = group;
        groups->list[group].count++;
    }
    sbuf_fini(&partition);
    sbuf_fini(&folder);
}

/* Partition by partition, so that a batch opens a file for each of them once, however its rows are mixed. */
static bool write_groups(struct delta_sink *d, const struct batch *batch, struct err *err)
{
    struct groups groups = {0};
    uint32_t *group_of = arena_array(&d->arena, uint32_t, batch->rows);
    uint32_t *order = arena_array(&d->arena, uint32_t, batch->rows), start = 0;
    bool ok = true;
    sort_rows(d, batch, &groups, group_of);
    for (size_t i = 0; i < groups.count; i++) {
        groups.list[i].next = start;
        start += groups.list[i].count;
    }
    for (uint32_t row = 0; row < batch->rows; row++)
        order[groups.list[group_of[row]].next++] = row;
    for (size_t i = 0; ok && i < groups.count; i++) {
        const struct group *g = &groups.list[i];
        struct open_file *f;
        ok = file_for(d, g->partition, g->folder, &f, err) &&
             parquet_writer_batch(f->parquet, batch, order + (g->next - g->count), 0, g->count, err);
    }
    map_fini(&groups.by_partition);
    mem_free(groups.list);
    return ok;
}

bool delta_files_write(struct delta_sink *d, const struct batch *batch, struct err *err)
{
    struct open_file *f;
    if (d->partition_count) {
        TRY(write_groups(d, batch, err));
    } else {
        TRY(file_for(d, STR("{}"), STR(""), &f, err));
        TRY(parquet_writer_batch(f->parquet, batch, NULL, 0, batch->rows, err));
    }
    for (uint32_t i = d->open_count; i > 0; i--)
        if (parquet_writer_bytes(d->open[i - 1]->parquet) > DELTA_FILE_BYTES)
            TRY(close_file(d, i - 1, err));
    return true;
}

/* Files by path: JSON lines, JSON arrays and documents, CSV, Parquet, Avro.
 *
 * A path is a file, a pattern (`in/2024-*.jsonl`, wildcards in any part), or a folder: all files in it whose names do not begin with `_` or `.`.
 * JSON and CSV may be compressed (.gz, .zst, .lz4). Columns come from the first records of all files together, Parquet's and Avro's from the first file. */
#include <stdio.h>

#include "cli/relation_private.h"
#include "format/avro_file.h"
#include "format/compress.h"
#include "format/csv.h"
#include "format/parquet.h"
#include "json/tree.h"

enum { CHUNK = 1 << 20, RECORDS = 4096 };

/* ---- paths ------------------------------------------------------------------------------------------------------------ */

struct paths {
    struct arena *arena;
    char **items;
    size_t count, capacity;
};

static bool add_path(struct paths *p, const char *path, struct err *err)
{
    if (p->count >= RELATION_FILES_MAX)
        return err_set(err, ERR_CONFIG, "more than %d files", RELATION_FILES_MAX);
    p->items = mem_grow(p->items, &p->capacity, p->count + 1, sizeof *p->items);
    p->items[p->count++] = arena_strdup(p->arena, path);
    return true;
}

/* Each path so far with what `part` of a pattern stands for in that folder. */
static bool expand_part(struct paths *in, const char *part, struct paths *out, struct err *err)
{
    for (size_t i = 0; i < in->count; i++) {
        char **names;
        size_t count;
        struct err ignored;
        if (strpbrk(part, "*?[") == NULL) {
            TRY(add_path(out, arena_printf(in->arena, "%s/%s", in->items[i], part), err));
            continue;
        }
        if (!os_list(in->items[i], in->arena, &names, &count, &ignored)) /* a file, or no folder there */
            continue;
        for (size_t k = 0; k < count; k++)
            if (source_name_matches(part, names[k]))
                TRY(add_path(out, arena_printf(in->arena, "%s/%s", in->items[i], names[k]), err));
    }
    return true;
}

static bool expand(struct paths *paths, const char *pattern, struct err *err)
{
    TRY(add_path(paths, "", err));
    for (const char *at = pattern; *at;) {
        size_t n = strcspn(at, "/");
        struct paths next = {.arena = paths->arena};
        char *part = str_dup(paths->arena, str_n(at, n));
        at += n + (at[n] == '/');
        if (n == 0)
            continue;
        bool ok = expand_part(paths, part, &next, err);
        mem_free(paths->items);
        *paths = next;
        TRY(ok);
    }
    return true;
}

/* Folders become the files in them. */
static bool open_folders(struct paths *in, struct paths *out, struct err *err)
{
    for (size_t i = 0; i < in->count; i++) {
        struct os_stat stat;
        struct err ignored;
        char **names;
        size_t count;
        if (!os_stat(in->items[i], &stat, &ignored))
            continue;
        if (!stat.is_folder) {
            TRY(add_path(out, in->items[i], err));
            continue;
        }
        TRY(os_list(in->items[i], in->arena, &names, &count, err));
        for (size_t k = 0; k < count; k++) {
            char *path = arena_printf(in->arena, "%s/%s", in->items[i], names[k]);
            if (names[k][0] != '_' && names[k][0] != '.' && os_stat(path, &stat, &ignored) && stat.is_file)
                TRY(add_path(out, path, err));
        }
    }
    return true;
}

static bool find_files(struct relations *r, struct relation_source *s, const char *pattern, struct err *err)
{
    struct arena *arena = pool_arena(r->pool);
    struct paths found = {.arena = arena}, files = {.arena = arena};
    bool ok = expand(&found, pattern, err) && open_folders(&found, &files, err);
    s->files = arena_array(arena, char *, files.count + 1);
    s->file_count = files.count;
    if (files.count)
        memcpy(s->files, files.items, files.count * sizeof *files.items);
    mem_free(found.items);
    mem_free(files.items);
    if (ok && s->file_count == 0)
        return err_set(err, ERR_CONFIG, "PATH_NOT_FOUND: there is no file \"%s\"", pattern);
    return ok;
}

/* ---- bytes of a file, unpacked ------------------------------------------------------------------------------------------- */

struct reader {
    const char *path;
    int file;
    struct inflate_stream *inflate;
    struct sbuf raw, window;
    uint64_t at;
    bool end;
};

static bool reader_open(struct reader *r, const char *path, struct err *err)
{
    *r = (struct reader){.path = path};
    enum codec codec = inflate_stream_codec_of_name(str_of(path));
    TRY(os_open(path, OS_READ, &r->file, err));
    if (codec != CODEC_NONE)
        r->inflate = inflate_stream_new(codec);
    return true;
}

static void reader_close(struct reader *r)
{
    os_close(r->file);
    inflate_stream_free(r->inflate);
    sbuf_fini(&r->raw);
    sbuf_fini(&r->window);
}

static bool read_raw(struct reader *r, struct sbuf *to, size_t *got, struct err *err)
{
    TRY(os_pread(r->file, sbuf_reserve(to, CHUNK), CHUNK, r->at, got, err));
    sbuf_added(to, *got);
    r->at += *got;
    return true;
}

/* More into the window, or end. */
static bool reader_fill(struct reader *r, struct err *err)
{
    size_t got = 0, out = 0;
    if (r->window.n > JSON_RECORD_MAX)
        return err_set(err, ERR_DATA, "a record has more than %d bytes", JSON_RECORD_MAX);
    if (r->inflate == NULL) {
        TRY(read_raw(r, &r->window, &got, err));
        r->end = got == 0;
        return true;
    }
    while (out == 0 && !r->end) {
        struct str in = sbuf_view(&r->raw);
        size_t before = in.n;
        TRY(inflate_stream_step(r->inflate, &in, (uint8_t *)sbuf_reserve(&r->window, CHUNK), CHUNK, &out,
                                err));
        sbuf_added(&r->window, out);
        if (before > in.n)
            memmove(r->raw.p, r->raw.p + (before - in.n), in.n);
        r->raw.n = in.n;
        if (out > 0)
            break;
        TRY(read_raw(r, &r->raw, &got, err));
        r->end = got == 0;
    }
    return !r->end || inflate_stream_end(r->inflate, err);
}

static void reader_drop(struct reader *r, size_t n)
{
    memmove(r->window.p, r->window.p + n, r->window.n - n);
    r->window.n -= n;
}

/* ---- records of a file ------------------------------------------------------------------------------------------------------ */

/* take(arg, records, count): borrowed; false = no more is wanted. */
struct taker {
    bool (*take)(struct taker *t, const struct str *records, uint32_t count, struct err *err);
    bool enough;
};

static bool each_line(struct reader *r, const struct csv_options *csv, struct taker *t, struct err *err)
{
    struct str *records = mem_new_array(struct str, RECORDS);
    bool ok = true;
    while (ok && !t->enough) {
        size_t used = 0;
        size_t n = csv ? csv_records(sbuf_view(&r->window), r->end, csv, records, RECORDS, &used)
                       : json_lines(sbuf_view(&r->window), r->end, records, RECORDS, &used);
        if (n > 0)
            ok = t->take(t, records, (uint32_t)n, err);
        reader_drop(r, used);
        if (n > 0)
            continue;
        if (r->end)
            break;
        ok = ok && reader_fill(r, err);
    }
    mem_free(records);
    return ok;
}

static bool each_document(struct reader *r, struct taker *t, struct err *err)
{
    struct str *records = mem_new_array(struct str, RECORDS);
    struct json_split split;
    size_t base = 0; /* of the window is done with, but records point into it */
    uint32_t n = 0;
    bool ok = true, done = false;
    json_split_init(&split, STR(""), JSON_RECORD_MAX);
    while (ok && !done && !t->enough) {
        struct str window = str_n(r->window.p + base, r->window.n - base);
        enum json_split_result result = json_split_next(&split, window, r->end, &records[n], err);
        ok = result != JSON_SPLIT_BAD;
        base += split.used;
        n += result == JSON_SPLIT_RECORD;
        done = result == JSON_SPLIT_END;
        if (n > 0 && (n == RECORDS || result != JSON_SPLIT_RECORD)) {
            ok = ok && t->take(t, records, n, err);
            n = 0;
        }
        if (ok && result == JSON_SPLIT_MORE) {
            reader_drop(r, base);
            base = 0;
            ok = reader_fill(r, err);
        }
    }
    mem_free(records);
    return ok;
}

/* JSON that begins with '[', or whose first line is not a whole record, is documents; anything else is lines. */
static bool is_lines(struct str window)
{
    struct arena arena = {0};
    struct str text = str_trim(window);
    size_t line = str_find(text, STR("\n"), 0);
    const struct json_node *root;
    struct err ignored;
    if (text.n == 0 || text.p[0] != '{')
        return text.n == 0 || text.p[0] != '[';
    bool whole = line == SIZE_MAX || json_parse(&arena, str_n(text.p, line), &root, &ignored) ||
                 str_find(str_n(text.p, line), STR("}"), 0) != SIZE_MAX; /* a bad line is still a line */
    arena_fini(&arena);
    return whole;
}

static bool each_record(const char *path, const struct csv_options *csv, struct taker *t, struct err *err)
{
    struct reader r;
    TRY(reader_open(&r, path, err));
    bool ok = reader_fill(&r, err);
    if (ok && csv == NULL && !is_lines(sbuf_view(&r.window)))
        ok = each_document(&r, t, err);
    else if (ok)
        ok = each_line(&r, csv, t, err);
    reader_close(&r);
    return ok || err_context(err, "file \"%s\"", path);
}

/* ---- columns ------------------------------------------------------------------------------------------------------------------ */

struct json_columns {
    struct taker taker;
    struct json_inference *inference;
};

static bool infer_json(struct taker *t, const struct str *records, uint32_t count, struct err *err)
{
    struct json_columns *c = CONTAINER_OF(t, struct json_columns, taker);
    struct err ignored;
    (void)err;
    for (uint32_t i = 0; i < count && json_inference_records(c->inference) < RELATION_INFER_RECORDS; i++)
        (void)!json_inference_add(c->inference, records[i], &ignored);
    t->enough = json_inference_records(c->inference) >= RELATION_INFER_RECORDS;
    return true;
}

static bool open_json(struct relations *r, struct relation_source *s, struct err *err)
{
    struct pool *pool = pool_new(r->pool, "inference");
    struct json_columns c = {.taker = {.take = infer_json}, .inference = json_inference_new(pool, NULL)};
    bool ok = true;
    for (size_t i = 0; ok && i < s->file_count && !c.taker.enough; i++)
        ok = each_record(s->files[i], NULL, &c.taker, err);
    if (ok && json_inference_records(c.inference) == 0)
        ok = err_set(err, ERR_CONFIG, "UNABLE_TO_INFER_SCHEMA: no JSON object in \"%s\"", s->path);
    if (ok)
        s->schema = json_inference_schema(c.inference, pool_arena(r->pool));
    pool_free(pool);
    return ok;
}

struct csv_columns {
    struct taker taker;
    struct arena arena;
    struct str *records; /* [RELATION_INFER_RECORDS] */
    size_t count;
};

static bool collect_csv(struct taker *t, const struct str *records, uint32_t count, struct err *err)
{
    struct csv_columns *c = CONTAINER_OF(t, struct csv_columns, taker);
    (void)err;
    for (uint32_t i = 0; i < count && c->count < RELATION_INFER_RECORDS; i++)
        c->records[c->count++] = str_n(arena_dup(&c->arena, records[i].p, records[i].n), records[i].n);
    t->enough = c->count >= RELATION_INFER_RECORDS;
    return true;
}

static struct csv_options csv_settings(void)
{
    struct csv_options options = csv_options_default();
    options.multi_line = true;
    options.copy = true;
    return options;
}

/* A header is a first record whose fields are all texts, filled and different. */
static bool looks_like_header(struct str record, const struct csv_options *options)
{
    struct arena arena = {0};
    struct str fields[256];
    size_t count = csv_fields(record, options, fields, 256, &arena);
    bool header = count > 0 && count <= 256;
    const struct type *types = csv_infer(&arena, (struct str){0}, &record, 1, options);
    for (size_t i = 0; header && i < count; i++) {
        header = fields[i].n > 0 && i < types->field_count && types->fields[i].type->kind == TYPE_STRING;
        for (size_t k = 0; header && k < i; k++)
            header = !str_eq(fields[i], fields[k]);
    }
    arena_fini(&arena);
    return header;
}

static bool open_csv(struct relations *r, struct relation_source *s, struct err *err)
{
    struct csv_options options = csv_settings();
    struct csv_columns c = {.taker = {.take = collect_csv}};
    c.records = arena_array(&c.arena, struct str, RELATION_INFER_RECORDS);
    bool ok = each_record(s->files[0], &options, &c.taker, err);
    if (ok && c.count == 0)
        ok = err_set(err, ERR_CONFIG, "UNABLE_TO_INFER_SCHEMA: no record in \"%s\"", s->files[0]);
    if (ok) {
        s->csv_header = r->csv_header == CSV_HEADER_YES ||
                        (r->csv_header == CSV_HEADER_GUESS && looks_like_header(c.records[0], &options));
        struct str names = s->csv_header ? c.records[0] : (struct str){0};
        const struct type *schema = csv_infer(&c.arena, names, c.records + s->csv_header,
                                              c.count - s->csv_header, &options);
        s->schema = type_copy(pool_arena(r->pool), schema);
    }
    arena_fini(&c.arena);
    return ok;
}

static bool read_range(void *arg, uint64_t offset, size_t n, uint8_t *out, struct err *err)
{
    size_t got;
    TRY(os_pread(*(int *)arg, out, n, offset, &got, err));
    return got == n || err_set(err, ERR_DATA, "the file is shorter than it was");
}

/* *file stays open for as long as the Parquet file is read. */
static struct parquet_file *open_parquet_file(struct pool *pool, const char *path, int *file, struct err *err)
{
    struct os_stat stat;
    if (!os_open(path, OS_READ, file, err))
        return NULL;
    struct parquet_file *parquet = NULL;
    if (os_fstat(*file, &stat, err)) {
        const struct parquet_source source = {.size = stat.size, .read = read_range, .arg = file};
        parquet = parquet_open(pool, &source, err);
    }
    if (parquet == NULL) {
        err_context(err, "file \"%s\"", path);
        os_close(*file);
    }
    return parquet;
}

static bool open_parquet(struct relations *r, struct relation_source *s, struct err *err)
{
    int file;
    struct pool *pool = pool_new(r->pool, "parquet");
    struct parquet_file *parquet = open_parquet_file(pool, s->files[0], &file, err);
    if (parquet) {
        s->schema = type_copy(pool_arena(r->pool), parquet_schema(parquet));
        parquet_close(parquet);
        os_close(file);
    }
    pool_free(pool);
    return parquet != NULL;
}

/* *file stays open for as long as the Avro file is read. columns as avro_file_open has it. */
static struct avro_file *open_avro_file(struct pool *pool, const char *path, const struct type *columns,
                                        int *file, struct err *err)
{
    struct os_stat stat;
    if (!os_open(path, OS_READ, file, err))
        return NULL;
    struct avro_file *avro = NULL;
    if (os_fstat(*file, &stat, err)) {
        const struct avro_source source = {.size = stat.size, .read = read_range, .arg = file};
        avro = avro_file_open(pool, &source, columns, err);
    }
    if (avro == NULL) {
        err_context(err, "file \"%s\"", path);
        os_close(*file);
    }
    return avro;
}

static bool open_avro(struct relations *r, struct relation_source *s, struct err *err)
{
    int file;
    struct avro_file *avro = open_avro_file(r->pool, s->files[0], NULL, &file, err);
    if (avro == NULL)
        return false;
    s->schema = type_copy(pool_arena(r->pool), avro_file_columns(avro));
    avro_file_close(avro);
    os_close(file);
    return true;
}

bool files_relation_open(struct relations *r, struct relation_source *s, const char *path, struct err *err)
{
    TRY(find_files(r, s, path, err));
    if (s->kind == RELATION_PARQUET)
        return open_parquet(r, s, err);
    if (s->kind == RELATION_AVRO)
        return open_avro(r, s, err);
    return s->kind == RELATION_CSV ? open_csv(r, s, err) : open_json(r, s, err);
}

/* ---- rows ------------------------------------------------------------------------------------------------------------------------ */

struct decoding {
    struct taker taker;
    struct feed *feed;
    struct json_decoder *json;
    struct csv_decoder *csv;
    struct batch *batch;
    const char *path;
    uint64_t row; /* records of this file so far */
    bool header_waits;
};

static void bad_row(void *arg, const struct json_bad *bad)
{
    struct decoding *d = arg;
    unsigned long long number = d->row + bad->row + 1;
    if (bad->kind == JSON_BAD_VALUE)
        relations_bad(d->feed->relations, "%s, record %llu: %s where %.*s is wanted, at \"%.*s\"", d->path,
                      number, bad->found, STR_ARG(bad->wanted), STR_ARG(bad->path));
    else
        relations_bad(d->feed->relations, "%s, record %llu: %s", d->path, number,
                      bad->found ? bad->found : "empty");
}

/* The scan's columns of a batch that has all. */
static bool give_pruned(struct feed *f, const struct batch *all, const struct type *schema)
{
    struct batch view = *all;
    struct column *columns = arena_array(pool_arena(f->pool), struct column, f->scan->column_count + 1);
    for (uint32_t i = 0; i < f->scan->column_count; i++)
        columns[i] = all->columns[f->scan->columns[i]];
    (void)schema;
    view.columns = columns;
    return feed_give(f, &view);
}

static bool decode(struct taker *t, const struct str *records, uint32_t count, struct err *err)
{
    struct decoding *d = CONTAINER_OF(t, struct decoding, taker);
    const struct json_report report = {.bad = bad_row, .arg = d};
    uint32_t skip = d->header_waits;
    if (d->header_waits)
        csv_decoder_header(d->csv, records[0]);
    d->header_waits = false;
    batch_reset(d->batch);
    if (d->json)
        TRY(json_decode(d->json, records, count, d->batch, &report, err));
    else
        TRY(csv_decode(d->csv, records + skip, count - skip, d->batch, &report, err));
    d->row += count;
    if (d->json)
        feed_give(d->feed, d->batch);
    else
        give_pruned(d->feed, d->batch, d->feed->source->schema);
    t->enough = d->feed->stopped;
    return true;
}

static bool text_feed(struct feed *f, struct err *err)
{
    bool csv = f->source->kind == RELATION_CSV;
    struct decoding d = {.taker = {.take = decode}, .feed = f, .batch = batch_new()};
    struct csv_options csv_options = csv_settings();
    struct json_options json_options = json_options_default();
    json_options.copy = true;
    if (csv)
        d.csv = csv_decoder_new(f->pool, f->source->schema, &csv_options, err);
    else
        d.json = json_decoder_new(f->pool, f->wanted, &json_options, err);
    bool ok = csv ? d.csv != NULL : d.json != NULL;
    for (size_t i = 0; ok && i < f->source->file_count && !f->stopped; i++) {
        d.path = f->source->files[i];
        d.row = 0;
        d.header_waits = csv && f->source->csv_header;
        ok = each_record(d.path, csv ? &csv_options : NULL, &d.taker, err);
    }
    batch_free(d.batch);
    return ok;
}

static bool scan_parquet(struct feed *f, struct parquet_file *parquet, struct batch *batch, struct err *err)
{
    const struct parquet_scan_options options = {.columns = f->wanted, .nocase = true};
    struct parquet_scan *scan = parquet_scan_new(f->pool, parquet, &options, err);
    bool ok = scan != NULL, end = false;
    while (ok && !f->stopped) {
        ok = parquet_scan_next(scan, batch, &end, err);
        if (end)
            break;
        if (ok)
            feed_give(f, batch);
        batch_reset(batch);
    }
    parquet_scan_free(scan);
    return ok;
}

static bool parquet_feed(struct feed *f, struct err *err)
{
    struct batch *batch = batch_new();
    bool ok = true;
    for (size_t i = 0; ok && i < f->source->file_count && !f->stopped; i++) {
        int file;
        struct parquet_file *parquet = open_parquet_file(f->pool, f->source->files[i], &file, err);
        ok = parquet != NULL;
        if (!ok)
            break;
        ok = scan_parquet(f, parquet, batch, err) || err_context(err, "file \"%s\"", f->source->files[i]);
        batch_reset(batch); /* its buffers may be the file's */
        parquet_close(parquet);
        os_close(file);
    }
    batch_free(batch);
    return ok;
}

struct avro_feeding {
    struct feed *feed;
    const char *path;
    uint64_t row; /* of this file so far */
};

static void bad_avro_row(void *arg, const struct avro_bad *bad)
{
    const struct avro_feeding *a = arg;
    relations_bad(a->feed->relations, "%s, record %llu: %s, at \"%.*s\"", a->path,
                  (unsigned long long)(a->row + bad->row + 1), bad->reason, STR_ARG(bad->path));
}

static bool scan_avro(struct feed *f, struct avro_file *avro, const char *path, struct batch *batch,
                      struct err *err)
{
    struct avro_feeding feeding = {.feed = f, .path = path};
    const struct avro_report report = {.bad = bad_avro_row, .arg = &feeding};
    bool end = false;
    while (!f->stopped) {
        TRY(avro_file_next(avro, batch, &report, &end, err));
        if (end)
            return !avro_file_is_cut(avro) || err_set(err, ERR_DATA, "it ends inside of a block");
        feeding.row += batch->rows;
        feed_give(f, batch);
    }
    return true;
}

static bool avro_feed(struct feed *f, struct err *err)
{
    struct batch *batch = batch_new();
    bool ok = true;
    for (size_t i = 0; ok && i < f->source->file_count && !f->stopped; i++) {
        int file;
        const char *path = f->source->files[i];
        struct avro_file *avro = open_avro_file(f->pool, path, f->wanted, &file, err);
        ok = avro != NULL;
        if (!ok)
            break;
        ok = scan_avro(f, avro, path, batch, err) || err_context(err, "file \"%s\"", path);
        batch_reset(batch);
        avro_file_close(avro);
        os_close(file);
    }
    batch_free(batch);
    return ok;
}

bool files_feed(struct feed *f, struct err *err)
{
    if (f->source->kind == RELATION_AVRO)
        return avro_feed(f, err);
    return f->source->kind == RELATION_PARQUET ? parquet_feed(f, err) : text_feed(f, err);
}

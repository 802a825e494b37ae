/* A table written anew with wider columns.
 *
 *     take_in    the files that were not yet taken in → rows → wider columns → files of our own, durable
 *     commit     one version: the new columns, every old file out, every new one in, dataChange false
 *
 * A commit that loses against one that only adds files costs those files: they are taken in, too, and it is tried again. One that removes files or changes
 * columns makes all of it worthless, and it begins anew. Nothing of ours is named before the commit, so a crash leaves files that vacuum finds.
 *
 * Types that the table had before are of no file any more: what delta.typeChanges says goes, and no reader needs typeWidening for it. */
#include "sink/delta/rewrite.h"

#include "os/os.h"
#include "sink/delta/delta_private.h"
#include "sink/delta/scan.h"

enum { REWRITE_TRIES = 5 /* begun anew, because others changed more than they added */ };

struct rewrite {
    struct delta_sink d;
    struct sink sink; /* d's, never open */
    struct pool *pool;
    const struct type *wide; /* the table's columns as they will be */
    const struct type *read; /* the same, where the reader of files can make them wider by itself */
    struct map taken;        /* of the table's files: those whose rows are in ours */
    bool (*stop)(void *arg);
    void *arg;
    struct delta_rewritten *done;
};

/* ---- columns ------------------------------------------------------------------------------------------------------------------------- */

/* Of integers only those that a fraction holds exactly, so they are looked at one by one. */
static bool is_looked_at(const struct type *have, const struct type *want)
{
    return type_is_integer(have) &&
           (want->kind == TYPE_FLOAT || (want->kind == TYPE_DOUBLE && have->kind == TYPE_LONG));
}

static const struct type *read_type(struct arena *arena, const struct type *have, const struct type *want,
                                    uint32_t *wider)
{
    if (type_same(have, want))
        return want;
    *wider += !type_is_nested(want);
    if (!type_is_nested(want))
        return is_looked_at(have, want) ? have : want;
    struct type *copy = arena_dup(arena, want, sizeof *want);
    struct field *fields = arena_dup(arena, want->fields, want->field_count * sizeof *fields);
    for (uint32_t i = 0; i < want->field_count; i++) /* as deep as types are: TYPE_DEPTH_MAX */
        fields[i].type = read_type(arena, have->fields[i].type, want->fields[i].type, wider);
    copy->fields = fields;
    return copy;
}

static bool to_fraction(const struct column *column, const struct type *to, struct arena *arena,
                        struct column *out, struct err *err)
{
    struct column_builder b;
    column_builder_init(&b, to, arena);
    for (uint32_t i = 0; i < column->rows; i++) {
        struct value v = column_value(column, i, arena);
        double wide = to->kind == TYPE_FLOAT ? (double)(float)v.i64 : (double)v.i64;
        if (v.is_null) {
            column_builder_null(&b);
            continue;
        }
        if (wide >= 9223372036854775808.0 || (int64_t)wide != v.i64)
            return err_set(err, ERR_FATAL, "the value %lld would be another one as %s", (long long)v.i64,
                           to->kind == TYPE_FLOAT ? "FLOAT" : "DOUBLE") ||
                   err_hint(err, "Cast the column in the stream's query, or write to another table.");
        column_builder_f64(&b, wide);
    }
    *out = column_builder_finish(&b);
    return true;
}

static bool widen(const struct column *column, const struct type *to, struct arena *arena, struct column *out,
                  struct err *err)
{
    *out = *column;
    if (type_same(column->type, to))
        return true;
    *out = column_flatten(column, arena);
    if (!type_is_nested(to))
        return to_fraction(out, to, arena, out, err);
    out->type = to;
    uint32_t count = column_child_count(to);
    struct column *children = arena_array(arena, struct column, count);
    for (uint32_t i = 0; i < count; i++)
        TRY(widen(&out->children[i], column_child_type(to, i), arena, &children[i], err));
    out->children = children;
    return true;
}

static bool write_rows(struct rewrite *r, struct batch *batch, struct err *err)
{
    struct delta_sink *d = &r->d;
    size_t pending = 0;
    for (uint32_t i = 0; i < r->wide->field_count; i++)
        if (!widen(&batch->columns[i], d->stored->fields[i].type, &batch->arena, &batch->columns[i], err))
            return err_context(err, "column \"%s\"", r->wide->fields[i].name);
    batch->schema = d->stored;
    TRY(delta_files_write(d, batch, err));
    r->done->rows += batch->rows;
    arena_reset(&d->arena);
    for (uint32_t i = 0; i < d->open_count; i++)
        pending += parquet_writer_memory(d->open[i]->parquet);
    return pending <= DELTA_FILE_BYTES / 2 || delta_files_close(d, err);
}

/* ---- files --------------------------------------------------------------------------------------------------------------------------- */

static void put_key(const struct delta_file *f, struct sbuf *key)
{
    sbuf_clear(key);
    sbuf_str(key, f->path);
    sbuf_char(key, '\0');
    sbuf_str(key, f->dv);
}

static bool is_new(void *arg, const struct delta_file *f)
{
    struct rewrite *r = arg;
    struct sbuf key = {0};
    put_key(f, &key);
    bool known = map_get(&r->taken, sbuf_view(&key)) != NULL;
    sbuf_fini(&key);
    return !known;
}

/* How many of the table's files were taken in. */
static size_t count_taken(struct rewrite *r)
{
    size_t count = 0;
    MAP_EACH(entry, &r->d.table.files)
    count += !is_new(r, entry->value);
    return count;
}

static void note_taken(struct rewrite *r)
{
    struct sbuf key = {0};
    MAP_EACH(entry, &r->d.table.files)
    {
        put_key(entry->value, &key);
        map_put(&r->taken, sbuf_view(&key), r);
    }
    sbuf_fini(&key);
}

/* The rows of all files that are not taken in. */
static bool take_in(struct rewrite *r, struct err *err)
{
    struct pool *pool = pool_new(NULL, "rewrite");
    struct batch *batch = batch_new();
    bool ok = true, end = false;
    struct delta_scan *scan = delta_scan_new(pool, r->d.path, r->d.table.version, r->read, err);
    if (scan)
        delta_scan_only(scan, is_new, r);
    ok = scan != NULL;
    while (ok && (ok = delta_scan_next(scan, batch, &end, err)) && !end) {
        ok = write_rows(r, batch, err);
        if (ok && r->stop && r->stop(r->arg))
            ok = err_set(err, ERR_FATAL, "interrupted; the table is as it was");
    }
    batch_free(batch);
    pool_free(pool);
    if (ok)
        note_taken(r);
    return ok && delta_files_close(&r->d, err);
}

/* One version. *won false: others were quicker. */
static bool commit(struct rewrite *r, bool *won, struct err *err)
{
    struct delta_sink *d = &r->d;
    char txn_id[37];
    os_uuid(txn_id);
    sbuf_clear(&d->lines);
    delta_put_commit_info(d, "REORG", false, txn_id);
    delta_put_metadata(d, &d->lines);
    MAP_EACH(entry, &d->table.files)
    delta_put_remove(&d->lines, entry->value, false);
    sbuf_str(&d->lines, sbuf_view(&d->adds));
    r->done->files = d->table.files.count;
    d->attempted = true;
    TRY(delta_commit(&d->table, sbuf_view(&d->lines), txn_id, won, err));
    d->attempted = *won;
    return true;
}

/* ---- the whole ----------------------------------------------------------------------------------------------------------------------- */

static bool open_table(struct rewrite *r, const struct type *rows, struct err *err)
{
    struct delta_sink *d = &r->d;
    struct arena *arena = pool_arena(r->pool);
    TRY(delta_load(&d->table, d->path, -1, err));
    if (d->table.version < 0)
        return err_set(err, ERR_DATA, "there is no Delta table in \"%s\"", d->path);
    const char *feature = delta_unknown_feature(&d->table, true);
    if (feature)
        return err_set(err, ERR_FATAL, "the table uses a Delta feature that this version cannot write: %s",
                       feature);
    TRY(delta_note_identity(d, err));
    TRY(delta_widest_schema(arena, d->table.schema, delta_type(arena, rows), &r->wide, err));
    uint32_t wider = 0;
    r->read = read_type(arena, d->table.schema, r->wide, &wider);
    r->done->columns = wider;
    r->done->version = d->table.version;
    d->schema = r->wide;
    d->stored = type_nullable(arena, r->wide);
    d->partition_count = d->table.partition_column_count;
    d->partition = d->table.partition_columns;
    d->drop = arena_zarray(arena, bool, r->wide->field_count);
    for (uint32_t i = 0; i < r->wide->field_count; i++)
        d->drop[i] = delta_is_partition(d, r->wide->fields[i].name);
    return true;
}

static void close_table(struct rewrite *r)
{
    struct delta_sink *d = &r->d;
    delta_files_abort(d);
    delta_fini(&d->table);
    compress_ctx_free(d->ctx);
    sbuf_fini(&d->lines);
    arena_fini(&d->arena);
    map_fini(&r->taken);
    pool_free(r->pool);
}

/* *again: others changed so much that it is to be begun anew. */
static bool attempt(struct rewrite *r, const struct type *rows, bool *again, struct err *err)
{
    struct delta_sink *d = &r->d;
    bool won = false;
    TRY(open_table(r, rows, err));
    if (r->done->columns == 0)
        return true;
    for (int tries = 0; !won; tries++) {
        if (tries == DELTA_CONFLICTS_MAX)
            return err_set(err, ERR_RETRY, "lost against other writers %d times", tries);
        TRY(take_in(r, err));
        TRY(delta_still_there(d, err));
        TRY(commit(r, &won, err));
        *again = !won &&
                 (d->table.metadata_changed || d->table.protocol_changed || count_taken(r) < r->taken.count);
        if (*again)
            return true;
    }
    r->done->version = d->table.version;
    return true;
}

bool delta_rewrite(const struct sink_spec *spec, const struct type *rows, bool (*stop)(void *arg), void *arg,
                   struct delta_rewritten *done, struct err *err)
{
    bool ok = true, again = true;
    for (int tries = 0; ok && again; tries++) {
        struct rewrite *r = mem_new(sizeof *r);
        struct sink_spec anonymous = *spec;
        *done = (struct delta_rewritten){.version = -1};
        *r = (struct rewrite){.pool = pool_new(NULL, "rewrite"), .stop = stop, .arg = arg, .done = done};
        r->sink = (struct sink){.spec = &anonymous, .pool = r->pool, .state = &r->d};
        r->d.sink = &r->sink;
        r->d.ctx = compress_ctx_new();
        r->d.path = delta_table_path(r->pool, spec);
        r->d.rewriting = true;
        again = false;
        ok = tries == REWRITE_TRIES
                 ? err_set(err, ERR_RETRY, "others changed the table's files %d times meanwhile", tries)
                 : attempt(r, rows, &again, err);
        close_table(r);
        mem_free(r);
    }
    return ok || err_context(err, "table \"%s\"", spec->name);
}

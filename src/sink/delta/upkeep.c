/* Upkeep between commits: small files of a partition merged, a checkpoint every ten versions or more, the old log cleaned, and files deleted that no
 * reader may need any more (vacuum.c).
 *
 * Merging goes by tiers: only files of about the same size are merged, so a byte is written again once for each tier (four in all), and a partition
 * keeps at most some dozens of small files, however many commits there were. A merge changes no row (dataChange false), so it is no conflict with
 * writers that append; one that loses against any other commit is dropped and planned anew later.
 *
 * A merge leaves a tombstone for each file that it took in, and each checkpoint has those of a week. So that neither memory nor a commit's share of the
 * checkpoints grows with history, only so many are kept, see forget_tombstones.
 *
 * Nothing here is needed for correctness, so a failure is a line in the log, not the end of the sink. */
#include <stdlib.h>

#include "obs/event.h"
#include "os/os.h"
#include "sink/delta/delta_private.h"
#include "sink/delta/scan.h"

enum {
    MERGE_FILES = 16,      /* so many files of one tier and partition are merged */
    MERGE_BATCH_MAX = 256, /* files merged at once */
    MERGES_MAX = 64,       /* in one turn of upkeep */
    TIERS = 4,
    CHECKPOINT_ACTIONS = 50,         /* of the state for each version between checkpoints */
    CHECKPOINT_AT_LEAST_EVERY = 100, /* versions */
    CLEAN_EVERY_MS = 3600 * 1000,    /* the table's folders are looked through */
    TOMBSTONES_MAX = 4 << 10,        /* of files that were merged away */
    TOMBSTONES_LEFT = 3 << 10,       /* when there were more */
};
static const int64_t tiers[TIERS] = {64 << 10, 512 << 10, 4 << 20,
                                     32 << 20}; /* bytes: a file is of the first tier that is larger */

struct merge {
    struct delta_file *files[MERGE_BATCH_MAX];
    uint32_t count;
    struct str partition;
    int tier;
};

/* −1: too large to be merged, or not ours to touch. */
static int tier_of(const struct delta_file *f)
{
    if (f->dv.n || f->partition.n == 0 || !delta_is_inside(f->path))
        return -1;
    for (int i = 0; i < TIERS; i++)
        if (f->size < tiers[i])
            return i;
    return -1;
}

/* The partition and tier with the most files, if they are enough to be worth it. */
static bool find_merge(struct delta_sink *d, struct merge *m)
{
    struct map counts = {0};
    struct sbuf key = {0};
    uintptr_t most = 0;
    MAP_EACH(entry, &d->table.files)
    {
        const struct delta_file *f = entry->value;
        int tier = tier_of(f);
        if (tier < 0)
            continue;
        sbuf_clear(&key);
        sbuf_char(&key, (char)('0' + tier));
        sbuf_str(&key, f->partition);
        uintptr_t n = (uintptr_t)map_get(&counts, sbuf_view(&key)) + 1;
        map_put(&counts, sbuf_view(&key), (void *)n);
        if (n > most) {
            most = n;
            m->partition = f->partition;
            m->tier = tier;
        }
    }
    map_fini(&counts);
    sbuf_fini(&key);
    m->count = 0;
    if (most < MERGE_FILES)
        return false;
    int64_t bytes = 0;
    MAP_EACH(entry, &d->table.files)
    {
        struct delta_file *f = entry->value;
        if (m->count == MERGE_BATCH_MAX || bytes > DELTA_FILE_BYTES)
            break;
        if (tier_of(f) != m->tier || !str_eq(f->partition, m->partition))
            continue;
        m->files[m->count++] = f;
        bytes += f->size;
    }
    return true;
}

/* ---- merging ---------------------------------------------------------------------------------------------------------------------------- */

static bool read_at(void *arg, uint64_t offset, size_t n, uint8_t *out, struct err *err)
{
    size_t got;
    TRY(os_pread(*(int *)arg, out, n, offset, &got, err));
    return got == n || err_set(err, ERR_DATA, "file is cut");
}

static uint32_t young_rows(const struct delta_age *age, const struct batch *batch, uint32_t *rows)
{
    const struct column *column = &batch->columns[age->column], *values;
    uint32_t count = 0;
    for (uint32_t row = 0; row < batch->rows; row++) {
        uint32_t at = column_resolve(column, row, &values);
        if (column_is_null(column, row) || ((const int64_t *)values->data)[at] >= age->before_us)
            rows[count++] = row;
    }
    return count;
}

bool delta_copy_rows(struct delta_sink *d, const struct delta_file *from, const struct type *columns,
                     const struct delta_age *age, struct open_file *to, struct err *err)
{
    uint32_t rows[BATCH_ROWS];
    struct pool *pool = pool_new(NULL, "merge");
    struct batch *batch = batch_new();
    struct os_stat stat;
    int small = -1;
    char *path;
    bool ok = false, end = false;
    TRY_OUT(delta_file_path(&d->table, pool_arena(pool), from->path, &path, err));
    TRY_OUT(os_open(path, OS_READ, &small, err));
    TRY_OUT(os_fstat(small, &stat, err));
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
        CHECK(batch->rows <= BATCH_ROWS);
        uint32_t count = age ? young_rows(age, batch, rows) : batch->rows;
        TRY_OUT(parquet_writer_batch(to->parquet, batch, age ? rows : NULL, 0, count, err));
    }
    ok = true;
out:
    batch_free(batch);
    pool_free(pool);
    os_close(small);
    return ok;
}

const struct type *delta_file_columns(struct delta_sink *d, struct arena *arena)
{
    struct field *fields = arena_array(arena, struct field, d->table.schema->field_count);
    uint32_t count = 0;
    for (uint32_t i = 0; i < d->table.schema->field_count; i++)
        if (!delta_is_partition(d, d->table.schema->fields[i].name))
            fields[count++] = d->table.schema->fields[i];
    return type_nullable(arena, type_struct(arena, fields, count));
}

bool delta_folder_of(struct delta_sink *d, const struct delta_file *f, struct arena *arena, struct str *out,
                     struct err *err)
{
    char *path;
    TRY(delta_file_path(&d->table, arena, f->path, &path, err));
    *out = str_of(path + strlen(d->path) + 1);
    while (out->n > 0 && out->p[out->n - 1] != '/')
        out->n--;
    return true;
}

bool delta_replace(struct delta_sink *d, struct delta_file *const *files, uint32_t count,
                   struct open_file *to, const char *operation, bool data_change, bool *won, struct err *err)
{
    int64_t version = d->table.version;
    char txn_id[37];
    *won = false;
    os_uuid(txn_id);
    sbuf_clear(&d->lines);
    delta_put_commit_info(d, operation, false, txn_id);
    for (uint32_t i = 0; i < count; i++)
        delta_put_remove(&d->lines, files[i], data_change);
    TRY(delta_file_finish(d, to, &d->lines, NULL, data_change, err));
    to->finished = false; /* deleted again if no version names it */
    TRY(delta_refresh(&d->table, err));
    if (d->table.version != version)
        return true;
    to->finished = true; /* from here on it may be named, whatever the answer is */
    TRY(delta_commit(&d->table, sbuf_view(&d->lines), txn_id, won, err));
    to->finished = *won;
    return true;
}

static bool merge_files(struct delta_sink *d, struct merge *m, bool (*stop)(void *arg), void *arg, bool *won,
                        struct err *err)
{
    struct arena arena = {0};
    struct open_file *to = NULL;
    struct str folder;
    const struct type *columns = delta_file_columns(d, &arena);
    bool stopped = false;
    *won = false;
    bool ok = delta_folder_of(d, m->files[0], &arena, &folder, err) &&
              delta_file_new(d, m->partition, folder, columns, NULL, &to, err);
    for (uint32_t i = 0; ok && !stopped && i < m->count; i++) {
        ok = delta_copy_rows(d, m->files[i], columns, NULL, to, err) ||
             err_context(err, "\"%.*s\"", STR_ARG(m->files[i]->path));
        stopped = stop && stop(arg);
    }
    if (ok && !stopped)
        ok = delta_replace(d, m->files, m->count, to, "OPTIMIZE", false, won, err);
    if (to)
        delta_file_free(to);
    arena_fini(&arena);
    return ok;
}

static bool merge_all(struct delta_sink *d, bool (*stop)(void *arg), void *arg, struct err *err)
{
    struct merge *m = mem_new(sizeof *m);
    bool ok = true, won = true;
    for (int i = 0; ok && won && i < MERGES_MAX && !(stop && stop(arg)) && find_merge(d, m); i++)
        ok = merge_files(d, m, stop, arg, &won, err);
    mem_free(m);
    return ok;
}

/* ---- turns ------------------------------------------------------------------------------------------------------------------------------ */

/* A checkpoint holds the whole state, a week of removed files included: the larger it is, the rarer, so that a commit's share stays small. */
static int64_t checkpoint_interval(const struct delta_table *t)
{
    const struct str *text = delta_property(t, "delta.checkpointInterval");
    int64_t versions, wanted = (int64_t)(t->files.count + t->removed.count) / CHECKPOINT_ACTIONS;
    if (text && str_to_i64(*text, &versions) && versions > 0)
        return versions;
    return wanted < DELTA_CHECKPOINT_EVERY      ? DELTA_CHECKPOINT_EVERY
           : wanted > CHECKPOINT_AT_LEAST_EVERY ? CHECKPOINT_AT_LEAST_EVERY
                                                : wanted;
}

/* A small file was merged soon after it had been written, and is kept without its tombstone nearly as long as with it: whoever vacuums, we too, leaves
 * files alone that are younger than the retention. A larger one may be old, and needs it more. */
static int64_t tombstone_worth(const struct delta_file *f, int64_t retention_ms)
{
    return f->time_ms + (f->size < tiers[0] ? 0 : retention_ms);
}

struct tombstone {
    int64_t worth;
    struct str key; /* the map's */
};

static int by_worth(const void *a, const void *b)
{
    const struct tombstone *x = a, *y = b;
    return (x->worth > y->worth) - (x->worth < y->worth);
}

/* Those of merged files that are worth least go when they are too many, unless the table itself says how long they stay. */
static void forget_tombstones(struct delta_sink *d)
{
    struct map *removed = &d->table.removed;
    size_t count = 0;
    if (removed->count <= TOMBSTONES_MAX || delta_property(&d->table, "delta.deletedFileRetentionDuration"))
        return;
    struct tombstone *all = mem_new_array(struct tombstone, removed->count);
    MAP_EACH(entry, removed)
    {
        const struct delta_file *f = entry->value;
        if (!f->data_change)
            all[count++] = (struct tombstone){tombstone_worth(f, delta_retention_ms(&d->table)), entry->key};
    }
    if (count > TOMBSTONES_MAX) {
        qsort(all, count, sizeof *all, by_worth);
        for (size_t i = 0; i < count - TOMBSTONES_LEFT; i++)
            map_remove(removed, all[i].key);
    }
    mem_free(all);
}

static bool checkpoint(struct delta_sink *d, bool (*stop)(void *arg), void *arg, struct err *err)
{
    struct delta_vacuum done = {0};
    if (d->table.version < 0 || d->table.version - d->table.checkpoint < checkpoint_interval(&d->table))
        return true;
    forget_tombstones(d);
    TRY(delta_checkpoint(&d->table, err));
    int64_t now_ms = os_wall().us / US_PER_MS;
    if (now_ms - d->cleaned_ms < CLEAN_EVERY_MS && now_ms >= d->cleaned_ms)
        return true;
    d->cleaned_ms = now_ms;
    TRY(delta_vacuum(&d->table, now_ms, false, stop, arg, &done, err));
    if (done.files)
        event_log(EVENT_TABLE_VACUUM, d->sink->spec->name, "%llu files with %llu bytes deleted",
                  (unsigned long long)done.files, (unsigned long long)done.bytes);
    return delta_clean_log(&d->table, now_ms, err);
}

static void upkeep(struct delta_sink *d, bool (*stop)(void *arg), void *arg)
{
    struct err err;
    if (d->table.version < 0)
        return;
    bool merge = delta_unknown_feature(&d->table, true) == NULL;
    d->upkeep_version = d->table.version;
    if ((merge && !merge_all(d, stop, arg, &err)) || !checkpoint(d, stop, arg, &err))
        event_err(EVENT_SINK_UPKEEP, d->sink->spec->name, &err);
    arena_reset(&d->arena);
}

bool delta_maintain(struct sink *sink, bool (*stop)(void *arg), void *arg, struct err *err)
{
    (void)err;
    upkeep(sink->state, stop, arg);
    return true;
}

void delta_upkeep_overdue(struct delta_sink *d)
{
    struct err err;
    if (d->table.version - d->upkeep_version >= DELTA_UPKEEP_OVERDUE)
        upkeep(d, NULL, NULL);
    else if (!checkpoint(d, NULL, NULL, &err))
        event_err(EVENT_SINK_UPKEEP, d->sink->spec->name, &err);
}

/* Rows that are too old: whole files go with one version of the log, by the bounds that it has of them. A file that also holds younger rows is written anew
 * without the old ones, but only when the oldest of them is late by an eighth of the retention: so merging may mix rows of all ages, and still a
 * byte is written again some eight times at most before it goes.
 *
 * The files stay on disk for readers of older versions, as all that a version removes: vacuum.c. */
#include "os/os.h"
#include "sink/delta/delta_private.h"
#include "sink/delta/scan.h"

enum { SLACK = 8 };

/* The bound of a column that the add action's statistics have, or `unknown`. Milliseconds, rounded down. */
static int64_t bound_us(struct arena *arena, const struct json_node *stats, const char *bound,
                        const char *column, int64_t unknown)
{
    const struct json_node *bounds = json_get(stats, bound);
    struct str text;
    struct value value;
    if (bounds == NULL || !json_str(bounds, column, &text) ||
        !delta_partition_value(arena, text, type_simple(TYPE_TIMESTAMP), &value, NULL) || value.is_null)
        return unknown;
    return value.i64;
}

/* When the file's oldest row is from at least, and its youngest at most. Without statistics: from when the file is. */
static void ages_of(const struct delta_file *f, const char *column, int64_t *oldest_us, int64_t *youngest_us)
{
    struct arena arena = {0};
    const struct json_node *action, *stats = NULL;
    struct str text;
    *oldest_us = *youngest_us = f->time_ms * US_PER_MS + US_PER_MS - 1;
    if (json_parse(&arena, f->action, &action, NULL) && json_str(action, "add.stats", &text) &&
        json_parse(&arena, text, &stats, NULL)) {
        *oldest_us = bound_us(&arena, stats, "minValues", column, *oldest_us);
        *youngest_us = bound_us(&arena, stats, "maxValues", column, *youngest_us - US_PER_MS + 1) +
                       US_PER_MS - 1;
    }
    arena_fini(&arena);
}

/* All files whose every row is too old, in one version. */
static bool drop_files(struct delta_sink *d, const char *column, int64_t before_us, bool *won,
                       struct err *err)
{
    char txn_id[37];
    uint32_t count = 0;
    os_uuid(txn_id);
    sbuf_clear(&d->lines);
    delta_put_commit_info(d, "DELETE", false, txn_id);
    MAP_EACH(entry, &d->table.files)
    {
        int64_t oldest_us, youngest_us;
        ages_of(entry->value, column, &oldest_us, &youngest_us);
        if (youngest_us >= before_us)
            continue;
        delta_put_remove(&d->lines, entry->value, true);
        count++;
    }
    *won = true;
    return count == 0 || delta_commit(&d->table, sbuf_view(&d->lines), txn_id, won, err);
}

/* One that holds rows which are late by more than the slack. NULL: none is left. */
static struct delta_file *find_late(struct delta_sink *d, const char *column, int64_t late_us)
{
    MAP_EACH(entry, &d->table.files)
    {
        struct delta_file *f = entry->value;
        int64_t oldest_us, youngest_us;
        if (f->dv.n || f->partition.n == 0 || !delta_is_inside(f->path))
            continue;
        ages_of(f, column, &oldest_us, &youngest_us);
        if (oldest_us < late_us)
            return f;
    }
    return NULL;
}

static bool rewrite(struct delta_sink *d, struct delta_file *f, const struct delta_age *age, bool *won,
                    struct err *err)
{
    struct arena arena = {0};
    struct open_file *to = NULL;
    struct str folder;
    const struct type *columns = delta_file_columns(d, &arena);
    bool ok = delta_folder_of(d, f, &arena, &folder, err) &&
              delta_file_new(d, f->partition, folder, columns, NULL, &to, err) &&
              delta_copy_rows(d, f, columns, age, to, err) &&
              delta_replace(d, &f, 1, to, "DELETE", true, won, err);
    if (to)
        delta_file_free(to);
    arena_fini(&arena);
    return ok || err_context(err, "\"%.*s\"", STR_ARG(f->path));
}

static bool expire(struct delta_sink *d, const char *column, int64_t before_us, struct err *err)
{
    const struct str *append_only = delta_property(&d->table, "delta.appendOnly");
    int64_t late_us = before_us - d->sink->spec->retention_ms * US_PER_MS / SLACK;
    const struct type *columns = delta_file_columns(d, &d->arena);
    int index = type_field(columns, str_of(column), false);
    struct delta_file *f;
    bool won = true;
    if (index < 0 || columns->fields[index].type->kind != TYPE_TIMESTAMP)
        return true; /* somebody's own table: nothing says how old its rows are */
    if (append_only && str_is(*append_only, "true"))
        return err_set(err, ERR_FATAL, "it is append-only (delta.appendOnly): old rows stay in it");
    const char *feature = delta_unknown_feature(&d->table, true);
    if (feature)
        return err_set(err, ERR_FATAL, "it uses a Delta feature that this version cannot write: %s", feature);
    const struct delta_age age = {(uint32_t)index, before_us};
    TRY(delta_still_there(d, err));
    TRY(drop_files(d, column, before_us, &won, err));
    while (won && (f = find_late(d, column, late_us)) != NULL)
        TRY(rewrite(d, f, &age, &won,
                    err)); /* lost: somebody else was quicker, the next time has another chance */
    return true;
}

bool delta_expire(struct sink *sink, int64_t before_us, struct err *err)
{
    struct delta_sink *d = sink->state;
    bool ok = d->table.version < 0 || expire(d, sink->spec->age_column, before_us, err);
    arena_reset(&d->arena);
    return ok;
}

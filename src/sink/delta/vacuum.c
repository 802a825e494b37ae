/* Which data files may go, and their going.
 *
 * Files that were merged away are known by their tombstones, which stay in the log as long as a reader of an older version may need the files. All else that
 * no version names is found by looking through the folders: what a killed process had written and never committed, and what lost its
 * tombstone to a checkpoint before it was deleted. There only our own files count, known by their names: one of another writer may be about to be
 * committed. One of our own may be that too, in another process; so it has to be a day old at least, whatever the retention. */
#include <errno.h>
#include <stdio.h>

#include "os/os.h"
#include "sink/delta/log.h"

enum {
    UNNAMED_KEPT_MS = 24 * 3600 * 1000, /* a file that no version names stays so long at least */
    DEPTH_MAX = 64,                     /* folders within folders: partition columns */
};

struct vacuum {
    struct delta_table *t;
    int64_t expired_ms; /* tombstones before it do not count any more */
    int64_t old_us;     /* files before it, neither */
    bool dry;
    bool (*stop)(void *arg);
    void *arg;
    struct delta_vacuum *done;
    struct map needed; /* names, without folders: they hold a UUID */
};

static bool stopped(const struct vacuum *v)
{
    return v->stop && v->stop(v->arg);
}

/* True: it is gone. */
static bool take_away(struct vacuum *v, const char *path, uint64_t size)
{
    struct err gone;
    if (!v->dry && !os_unlink(path, &gone))
        return gone.code == ENOENT;
    v->done->files++;
    v->done->bytes += size;
    return true;
}

static struct str last_name(struct str path)
{
    size_t at = path.n;
    while (at > 0 && path.p[at - 1] != '/')
        at--;
    return str_n(path.p + at, path.n - at);
}

/* Merged away, longer ago than the retention, and not active again (with another deletion vector perhaps). */
static void delete_merged(struct vacuum *v)
{
    struct arena arena = {0};
    struct map active = {0};
    MAP_EACH(entry, &v->t->files)
    map_put(&active, ((struct delta_file *)entry->value)->path, entry->value);
    MAP_EACH(entry, &v->t->removed)
    {
        const struct delta_file *f = entry->value;
        char *path;
        if (f->time_ms <= 0 || f->time_ms >= v->expired_ms || f->data_change || !delta_is_inside(f->path) ||
            map_get(&active, f->path) || !delta_file_path(v->t, &arena, f->path, &path, NULL) ||
            !os_exists(path))
            continue;
        if (!take_away(v, path, (uint64_t)f->size))
            continue; /* the next time has another chance */
        if (v->dry)
            map_put(&v->needed, last_name(f->path), v); /* not to be counted twice */
        else
            map_remove(&v->t->removed, entry->key);
        arena_reset(&arena);
    }
    map_fini(&active);
    arena_fini(&arena);
}

static bool is_data_folder(const char *name)
{
    return (name[0] != '_' && name[0] != '.') ||
           strchr(name, '='); /* a partition column's name may begin so */
}

/* Recursive, as deep as DEPTH_MAX. */
static bool look_through(struct vacuum *v, const char *folder, int depth, struct err *err)
{
    struct arena arena = {0};
    char **names;
    size_t count;
    bool ok = os_list(folder, &arena, &names, &count, err);
    for (size_t i = 0; ok && i < count && !stopped(v); i++) {
        struct os_stat stat;
        bool ours = str_find(str_of(names[i]), STR(DELTA_OUR_MARK), 0) != SIZE_MAX;
        if (!is_data_folder(names[i]) || (ours && map_get(&v->needed, str_of(names[i]))))
            continue;
        char *path = arena_printf(&arena, "%s/%s", folder, names[i]);
        if (!os_stat(path, &stat, NULL))
            continue;
        if (stat.is_folder && depth < DEPTH_MAX)
            ok = look_through(v, path, depth + 1, err);
        else if (stat.is_file && ours && stat.mtime_us < v->old_us)
            take_away(v, path, stat.size);
    }
    arena_fini(&arena);
    return ok;
}

bool delta_vacuum(struct delta_table *t, int64_t now_ms, bool dry, bool (*stop)(void *arg), void *arg,
                  struct delta_vacuum *done, struct err *err)
{
    int64_t kept_ms = delta_retention_ms(t);
    struct vacuum v = {.t = t, .dry = dry, .stop = stop, .arg = arg, .done = done};
    v.expired_ms = now_ms - kept_ms;
    v.old_us = (now_ms - (kept_ms > UNNAMED_KEPT_MS ? kept_ms : UNNAMED_KEPT_MS)) * US_PER_MS;
    *done = (struct delta_vacuum){0};
    delete_merged(&v);
    MAP_EACH(entry, &t->files)
    map_put(&v.needed, last_name(((struct delta_file *)entry->value)->path), t);
    MAP_EACH(entry, &t->removed)
    {
        const struct delta_file *f = entry->value;
        if (f->time_ms >= v.expired_ms)
            map_put(&v.needed, last_name(f->path), t);
    }
    bool ok = look_through(&v, t->path, 0, err);
    map_fini(&v.needed);
    return ok || err_context(err, "vacuum of \"%s\"", t->path);
}

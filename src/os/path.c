/* File operations that take several calls: folders with their parents, whole trees, whole files. Each step goes through
 * os.h, so each counts, and can fail, on its own. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/map.h"
#include "base/str.h"
#include "os/os.h"
#include "os/os_private.h"

enum { TREE_DEPTH_MAX = 64, READ_STEP = 64 * 1024, DURABLE_MAX = 4096 /* folders that are remembered */ };

/* A path of two parts in out; false when it is longer than OS_PATH_MAX. */
static bool join(char out[OS_PATH_MAX], const char *folder, const char *name, struct err *err)
{
    size_t a = strlen(folder), b = strlen(name);
    bool slash = a > 0 && folder[a - 1] != '/';
    if (a + slash + b + 1 > OS_PATH_MAX)
        return err_set_errno(err, ERR_FATAL, ENAMETOOLONG, "cannot use the path \"%.64s…/%.64s\"", folder,
                             name);
    memcpy(out, folder, a);
    out[a] = '/';
    memcpy(out + a + slash, name, b + 1);
    return true;
}

/* The folder that holds path's last name: "a/b" → "a", "a" → ".", "/a" → "/". */
static void parent_of(char out[OS_PATH_MAX], const char *path)
{
    size_t n = strlen(path);
    while (n > 1 && path[n - 1] == '/')
        n--;
    while (n > 0 && path[n - 1] != '/')
        n--;
    while (n > 1 && path[n - 1] == '/')
        n--;
    if (n == 0) {
        memcpy(out, ".", 2);
        return;
    }
    CHECK(n < OS_PATH_MAX);
    memcpy(out, path, n);
    out[n] = '\0';
}

/* ---- folders ------------------------------------------------------------------------------------------------------- */

/* A folder that is there may be known to the page cache alone: a process that made it was killed before it synced the entry, or another thread
 * is about to. So what is found is synced as what is made, but only once in the life of the process: here are the hashes of paths whose entries are
 * durable. One that another path pushes out is synced once more.
 *
 * LAYERS: allow _Atomic for the hashes: any thread may make a folder, and run/, which has the locks, stands on this file. */
static uint64_t durable[DURABLE_MAX];

static bool is_durable(uint64_t hash)
{
    return __atomic_load_n(&durable[hash % DURABLE_MAX], __ATOMIC_ACQUIRE) == hash;
}

static void note_durable(uint64_t hash)
{
    __atomic_store_n(&durable[hash % DURABLE_MAX], hash, __ATOMIC_RELEASE);
}

void os_folders_forget(void)
{
    memset(durable, 0, sizeof durable);
}

static bool sync_entry(const char *path, bool is_new, struct err *err)
{
    struct err why;
    char parent[OS_PATH_MAX];
    parent_of(parent, path);
    if (os_sync_folder(parent, &why))
        return true;
    if (!is_new && (why.code == EACCES || why.code == EINVAL))
        return true; /* we may not read it, or it cannot be synced: nobody like us made anything in it */
    if (err)
        *err = why;
    return false;
}

static bool make_one(const char *path, struct err *err)
{
    struct os_stat stat;
    struct err why;
    bool is_new = false;
    uint64_t hash = hash_bytes(path, strlen(path));
    if (!os_stat(path, &stat, NULL)) {
        is_new = os_mkdir(path, &why);
        if (!is_new && why.code != EEXIST) { /* another thread may be as fast */
            if (err)
                *err = why;
            return false;
        }
        TRY(os_stat(path, &stat, err));
    }
    if (!stat.is_folder)
        return err_set_errno(err, ERR_FATAL, ENOTDIR, "cannot create folder \"%s\"", path);
    if (is_durable(hash) && !is_new)
        return true;
    TRY(sync_entry(path, is_new, err));
    note_durable(hash);
    return true;
}

bool os_mkdirs(const char *path, struct err *err)
{
    size_t n = strlen(path);
    if (n == 0 || n >= OS_PATH_MAX)
        return err_set_errno(err, ERR_FATAL, n ? ENAMETOOLONG : ENOENT, "cannot create folder \"%.64s\"",
                             path);
    char prefix[OS_PATH_MAX];
    for (size_t i = 1; i <= n; i++) {
        if (path[i - 1] == '/' || (path[i] != '/' && path[i] != '\0'))
            continue;
        memcpy(prefix, path, i);
        prefix[i] = '\0';
        TRY(make_one(prefix, err));
    }
    return true;
}

static bool remove_at(const char *path, int depth, struct err *err)
{
    struct err why;
    if (os_unlink(path, &why) || why.code == ENOENT)
        return true;
    if (why.code != EISDIR) {
        if (err)
            *err = why;
        return false;
    }
    if (depth == TREE_DEPTH_MAX)
        return err_set_errno(err, ERR_FATAL, ELOOP, "cannot remove \"%s\": too many folders in folders",
                             path);
    struct arena arena = {0};
    char **names;
    size_t count;
    bool done = os_list(path, &arena, &names, &count, err);
    for (size_t i = 0; done && i < count; i++) {
        char inner[OS_PATH_MAX];
        done = join(inner, path, names[i], err) && remove_at(inner, depth + 1, err);
    }
    arena_fini(&arena);
    return done && os_rmdir(path, err);
}

bool os_remove_tree(const char *path, struct err *err)
{
    return remove_at(path, 0, err);
}

bool os_read_file(const char *path, size_t limit, struct sbuf *buf, struct err *err)
{
    sbuf_clear(buf);
    int file;
    TRY(os_open(path, OS_READ, &file, err));
    bool done = false;
    struct os_stat stat;
    TRY_OUT(os_fstat(file, &stat, err));
    /* The size is a first guess only: files of /proc have none, others grow while they are read. */
    size_t step = stat.is_file && stat.size < limit ? (size_t)stat.size + 1 : READ_STEP;
    for (;;) {
        size_t got;
        char *p = sbuf_reserve(buf, step);
        TRY_OUT(os_read(file, p, step, &got, err));
        sbuf_added(buf, got);
        if (got == 0)
            break;
        if (buf->n > limit) {
            err_set(err, ERR_DATA, "\"%s\" is larger than %zu bytes", path, limit);
            goto out;
        }
        step = READ_STEP;
    }
    done = true;
out:
    os_close(file);
    return done;
}

bool os_write_file(const char *path, const void *p, size_t n, struct err *err)
{
    char temporary[OS_PATH_MAX], parent[OS_PATH_MAX];
    if (strlen(path) + sizeof ".tmp" > OS_PATH_MAX)
        return err_set_errno(err, ERR_FATAL, ENAMETOOLONG, "cannot write \"%.64s…\"", path);
    memcpy(temporary, path, strlen(path));
    memcpy(temporary + strlen(path), ".tmp", sizeof ".tmp");
    parent_of(parent, path);
    int file;
    TRY(os_open(temporary, OS_WRITE | OS_CREATE | OS_TRUNCATE, &file, err));
    bool done = os_pwrite(file, p, n, 0, err) && os_sync(file, err);
    os_close(file);
    if (!done || !os_rename(temporary, path, err)) {
        os_unlink(temporary, NULL);
        return false;
    }
    return os_sync_folder(parent, err);
}

char *os_absolute(struct arena *arena, const char *path)
{
    char folder[OS_PATH_MAX] = "/";
    if (path[0] != '/')
        os_world->folder_now(folder, sizeof folder);
    size_t room = strlen(folder) + strlen(path) + 3, n = 0;
    char *both = arena_alloc(arena, room), *out = arena_alloc(arena, room);
    snprintf(both, room, "%s/%s", path[0] == '/' ? "" : folder, path);
    for (const char *at = both; *at;) {
        at += strspn(at, "/");
        size_t length = strcspn(at, "/");
        if (length == 2 && memcmp(at, "..", 2) == 0) {
            while (n > 0 && out[--n] != '/')
                ;
        } else if (length > 0 && !(length == 1 && at[0] == '.')) {
            out[n++] = '/';
            memcpy(out + n, at, length);
            n += length;
        }
        at += length;
    }
    if (n == 0)
        out[n++] = '/';
    out[n] = '\0';
    return out;
}

void os_uuid(char out[37])
{
    uint8_t b[16];
    char hex[33];
    os_random(b, sizeof b);
    b[6] = (uint8_t)((b[6] & 0x0F) | 0x40);
    b[8] = (uint8_t)((b[8] & 0x3F) | 0x80);
    hex_encode(hex, b, sizeof b);
    snprintf(out, 37, "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12, hex + 16, hex + 20);
}

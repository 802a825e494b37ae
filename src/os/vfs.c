/* A SQLite VFS on os/: see vfs.h.
 *
 * The world is chosen when a file is opened: xOpen of the real world fills the file with the unix VFS's methods, which then are on their
 * own; everything else here is the simulator's. There one process has one thread, so the locks between connections (SQLite's five states of a
 * file, and the eight locks of a WAL index) are plain counters in a node per file, and the WAL index is heap memory: both are gone
 * with the life, as with a process.
 *
 * Like the unix VFS, a new journal or WAL is followed by a sync of its folder when it is synced first; and a write does not change bytes beside
 * it when power fails (POWERSAFE_OVERWRITE), which is how the simulator's sectors behave. */
#include "os/vfs.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

#include "base/list.h"
#include "os/os_private.h"
#include "os/sim.h"

enum { SHM_REGIONS_MAX = 256, VFS_SECTOR = 4096 };

/* What all connections to one file share. */
struct vfs_node {
    struct list all;
    char *path;
    int files;                                /* that are open on it */
    int shared, reserved, pending, exclusive; /* locks held, by how many */
    void *regions[SHM_REGIONS_MAX];
    int region_size;
    int shm_users, shm_shared[SQLITE_SHM_NLOCK], shm_exclusive[SQLITE_SHM_NLOCK];
};

struct vfs_file {
    sqlite3_file base;
    int file;
    int lock; /* SQLITE_LOCK_NONE … */
    struct vfs_node *node;
    bool syncs_folder; /* new: its folder is synced with its first sync */
    bool uses_shm;
    unsigned shm_shared, shm_exclusive; /* bits: locks that this connection holds */
};

static struct list nodes = {&nodes, &nodes};
static sqlite3_vfs *unix_vfs;

static struct vfs_file *file_of(sqlite3_file *file)
{
    return (struct vfs_file *)(void *)file;
}

/* ---- nodes ------------------------------------------------------------------------------------------------------- */

static struct vfs_node *node_open(const char *path)
{
    LIST_EACH(link, &nodes)
    {
        struct vfs_node *node = CONTAINER_OF(link, struct vfs_node, all);
        if (strcmp(node->path, path) == 0) {
            node->files++;
            return node;
        }
    }
    struct vfs_node *node = mem_new(sizeof *node);
    node->path = mem_strdup(path);
    node->files = 1;
    list_push_back(&nodes, &node->all);
    return node;
}

static void forget_shm(struct vfs_node *node)
{
    for (int i = 0; i < SHM_REGIONS_MAX; i++) {
        mem_free(node->regions[i]);
        node->regions[i] = NULL;
    }
}

static void node_close(struct vfs_node *node)
{
    if (node == NULL || --node->files > 0)
        return;
    forget_shm(node);
    list_remove(&node->all);
    mem_free(node->path);
    mem_free(node);
}

/* ---- contents ---------------------------------------------------------------------------------------------------- */

static int file_unlock(sqlite3_file *base, int lock);
static int file_shm_unmap(sqlite3_file *base, int delete_it);

static int file_close(sqlite3_file *base)
{
    struct vfs_file *f = file_of(base);
    file_unlock(base, SQLITE_LOCK_NONE);
    file_shm_unmap(base, 0);
    os_close(f->file);
    node_close(f->node);
    return SQLITE_OK;
}

static int file_read(sqlite3_file *base, void *p, int n, sqlite3_int64 offset)
{
    size_t got;
    if (!os_pread(file_of(base)->file, p, (size_t)n, (uint64_t)offset, &got, NULL))
        return SQLITE_IOERR_READ;
    if (got == (size_t)n)
        return SQLITE_OK;
    memset((char *)p + got, 0, (size_t)n - got);
    return SQLITE_IOERR_SHORT_READ;
}

static int file_write(sqlite3_file *base, const void *p, int n, sqlite3_int64 offset)
{
    struct err err;
    if (os_pwrite(file_of(base)->file, p, (size_t)n, (uint64_t)offset, &err))
        return SQLITE_OK;
    return err.code == ENOSPC ? SQLITE_FULL : SQLITE_IOERR_WRITE;
}

static int file_truncate(sqlite3_file *base, sqlite3_int64 size)
{
    return os_truncate(file_of(base)->file, (uint64_t)size, NULL) ? SQLITE_OK : SQLITE_IOERR_TRUNCATE;
}

static bool sync_folder_of(const char *path, struct err *err)
{
    char folder[OS_PATH_MAX];
    snprintf(folder, sizeof folder, "%s", path);
    char *slash = strrchr(folder, '/'); /* paths are absolute: xFullPathname made them */
    CHECK(slash != NULL);
    slash[slash == folder] = '\0';
    return os_sync_folder(folder, err);
}

static int file_sync(sqlite3_file *base, int flags)
{
    (void)flags;
    struct vfs_file *f = file_of(base);
    if (!os_sync(f->file, NULL))
        return SQLITE_IOERR_FSYNC;
    if (f->syncs_folder) {
        if (!sync_folder_of(f->node->path, NULL))
            return SQLITE_IOERR_DIR_FSYNC;
        f->syncs_folder = false;
    }
    return SQLITE_OK;
}

static int file_size(sqlite3_file *base, sqlite3_int64 *size)
{
    struct os_stat stat;
    if (!os_fstat(file_of(base)->file, &stat, NULL))
        return SQLITE_IOERR_FSTAT;
    *size = (sqlite3_int64)stat.size;
    return SQLITE_OK;
}

/* ---- locks ------------------------------------------------------------------------------------------------------- */

static int *holders_of(struct vfs_node *node, int lock)
{
    switch (lock) {
    case SQLITE_LOCK_SHARED: return &node->shared;
    case SQLITE_LOCK_RESERVED: return &node->reserved;
    case SQLITE_LOCK_PENDING: return &node->pending;
    case SQLITE_LOCK_EXCLUSIVE: return &node->exclusive;
    default: UNREACHABLE("not a lock of SQLite");
    }
}

/* Moves this connection to a lock, upwards or downwards; each level includes those below it. */
static void set_lock(struct vfs_file *f, int lock)
{
    for (; f->lock < lock; f->lock++)
        ++*holders_of(f->node, f->lock + 1);
    for (; f->lock > lock; f->lock--)
        --*holders_of(f->node, f->lock);
}

static int file_lock(sqlite3_file *base, int lock)
{
    struct vfs_file *f = file_of(base);
    struct vfs_node *node = f->node;
    if (f->lock >= lock)
        return SQLITE_OK;
    int mine = f->lock >= SQLITE_LOCK_PENDING;
    if (lock == SQLITE_LOCK_SHARED && node->pending > mine)
        return SQLITE_BUSY;
    if (lock >= SQLITE_LOCK_RESERVED && node->reserved > (f->lock >= SQLITE_LOCK_RESERVED))
        return SQLITE_BUSY;
    if (lock == SQLITE_LOCK_EXCLUSIVE &&
        node->shared > 1) { /* the readers may finish, and no new one comes */
        if (f->lock >= SQLITE_LOCK_RESERVED || node->pending == 0)
            set_lock(f, SQLITE_LOCK_PENDING);
        return SQLITE_BUSY;
    }
    set_lock(f, lock);
    return SQLITE_OK;
}

static int file_unlock(sqlite3_file *base, int lock)
{
    struct vfs_file *f = file_of(base);
    if (f->lock > lock)
        set_lock(f, lock);
    return SQLITE_OK;
}

static int file_check_reserved(sqlite3_file *base, int *result)
{
    *result = file_of(base)->node->reserved > 0;
    return SQLITE_OK;
}

/* ---- properties ---------------------------------------------------------------------------------------------------- */

static int file_control(sqlite3_file *base, int op, void *arg)
{
    switch (op) {
    case SQLITE_FCNTL_LOCKSTATE: *(int *)arg = file_of(base)->lock; return SQLITE_OK;
    case SQLITE_FCNTL_VFSNAME: *(char **)arg = sqlite3_mprintf("%s", OS_VFS_NAME); return SQLITE_OK;
    default: return SQLITE_NOTFOUND;
    }
}

static int file_sector_size(sqlite3_file *base)
{
    (void)base;
    return VFS_SECTOR;
}

static int file_characteristics(sqlite3_file *base)
{
    (void)base;
    return SQLITE_IOCAP_POWERSAFE_OVERWRITE;
}

/* ---- the WAL index --------------------------------------------------------------------------------------------------- */

static int file_shm_map(sqlite3_file *base, int region, int size, int extend, void volatile **out)
{
    struct vfs_file *f = file_of(base);
    struct vfs_node *node = f->node;
    *out = NULL;
    if (region < 0 || region >= SHM_REGIONS_MAX)
        return SQLITE_NOMEM;
    CHECK(node->region_size == 0 || node->region_size == size);
    node->shm_users += !f->uses_shm;
    f->uses_shm = true;
    if (node->regions[region] == NULL && extend) {
        node->region_size = size;
        node->regions[region] = mem_new((size_t)size);
    }
    *out = node->regions[region];
    return SQLITE_OK;
}

static int file_shm_lock(sqlite3_file *base, int offset, int n, int flags)
{
    struct vfs_file *f = file_of(base);
    CHECK(offset >= 0 && n >= 1 && offset + n <= SQLITE_SHM_NLOCK);
    for (int i = offset; i < offset + n && flags & SQLITE_SHM_LOCK; i++) {
        bool others_write = f->node->shm_exclusive[i] > (int)(f->shm_exclusive >> i & 1);
        bool others_read = f->node->shm_shared[i] > (int)(f->shm_shared >> i & 1);
        if (others_write || (flags & SQLITE_SHM_EXCLUSIVE && others_read))
            return SQLITE_BUSY;
    }
    for (int i = offset; i < offset + n; i++) {
        bool is_shared = flags & SQLITE_SHM_SHARED, is_lock = flags & SQLITE_SHM_LOCK;
        unsigned *mine = is_shared ? &f->shm_shared : &f->shm_exclusive;
        int *all = is_shared ? f->node->shm_shared : f->node->shm_exclusive;
        if ((*mine >> i & 1) == is_lock)
            continue;
        *mine ^= 1u << i;
        all[i] += is_lock ? 1 : -1;
    }
    return SQLITE_OK;
}

static void file_shm_barrier(sqlite3_file *base)
{
    (void)base; /* one thread */
}

static int file_shm_unmap(sqlite3_file *base, int delete_it)
{
    (void)delete_it; /* it is no file */
    struct vfs_file *f = file_of(base);
    if (!f->uses_shm)
        return SQLITE_OK;
    file_shm_lock(base, 0, SQLITE_SHM_NLOCK, SQLITE_SHM_UNLOCK | SQLITE_SHM_SHARED);
    file_shm_lock(base, 0, SQLITE_SHM_NLOCK, SQLITE_SHM_UNLOCK | SQLITE_SHM_EXCLUSIVE);
    f->uses_shm = false;
    if (--f->node->shm_users == 0) {
        forget_shm(f->node);
        f->node->region_size = 0;
    }
    return SQLITE_OK;
}

static const sqlite3_io_methods methods = {
    .iVersion = 2,
    .xClose = file_close,
    .xRead = file_read,
    .xWrite = file_write,
    .xTruncate = file_truncate,
    .xSync = file_sync,
    .xFileSize = file_size,
    .xLock = file_lock,
    .xUnlock = file_unlock,
    .xCheckReservedLock = file_check_reserved,
    .xFileControl = file_control,
    .xSectorSize = file_sector_size,
    .xDeviceCharacteristics = file_characteristics,
    .xShmMap = file_shm_map,
    .xShmLock = file_shm_lock,
    .xShmBarrier = file_shm_barrier,
    .xShmUnmap = file_shm_unmap,
};

/* ---- names --------------------------------------------------------------------------------------------------------- */

/* A name for a file without one: for sorting and the like, removed as soon as it is open. */
static void temporary_name(char out[64])
{
    uint64_t random[2];
    os_random(random, sizeof random);
    snprintf(out, 64, "/sqlite-%016llx%016llx", (unsigned long long)random[0], (unsigned long long)random[1]);
}

static int vfs_open(sqlite3_vfs *vfs, const char *path, sqlite3_file *base, int flags, int *out_flags)
{
    (void)vfs;
    if (!sim_is_on())
        return unix_vfs->xOpen(unix_vfs, path, base, flags, out_flags);
    struct vfs_file *f = file_of(base);
    *f = (struct vfs_file){.file = -1};
    char temporary[64];
    bool is_temporary = path == NULL;
    if (is_temporary) {
        temporary_name(temporary);
        path = temporary;
    }
    bool is_journal = flags & (SQLITE_OPEN_MAIN_JOURNAL | SQLITE_OPEN_SUPER_JOURNAL | SQLITE_OPEN_WAL);
    bool is_new =
        is_journal &&
        flags &
            SQLITE_OPEN_CREATE; /* or made by another connection that has not synced it: unix does the same */
    unsigned how = flags & SQLITE_OPEN_READWRITE ? OS_READ | OS_WRITE : OS_READ;
    how |= flags & SQLITE_OPEN_CREATE ? OS_CREATE : 0;
    how |= flags & SQLITE_OPEN_EXCLUSIVE ? OS_EXCLUSIVE : 0;
    if (!os_open(path, how, &f->file, NULL))
        return SQLITE_CANTOPEN;
    if (is_temporary || flags & SQLITE_OPEN_DELETEONCLOSE)
        os_unlink(path, NULL);
    f->node = node_open(path);
    f->syncs_folder = is_new;
    f->base.pMethods = &methods;
    if (out_flags)
        *out_flags = flags;
    return SQLITE_OK;
}

static int vfs_delete(sqlite3_vfs *vfs, const char *path, int sync_folder)
{
    (void)vfs;
    if (!sim_is_on())
        return unix_vfs->xDelete(unix_vfs, path, sync_folder);
    struct err err;
    if (!os_unlink(path, &err))
        return err.code == ENOENT ? SQLITE_IOERR_DELETE_NOENT : SQLITE_IOERR_DELETE;
    return !sync_folder || sync_folder_of(path, NULL) ? SQLITE_OK : SQLITE_IOERR_DIR_FSYNC;
}

static int vfs_access(sqlite3_vfs *vfs, const char *path, int flags, int *result)
{
    (void)vfs;
    if (!sim_is_on())
        return unix_vfs->xAccess(unix_vfs, path, flags, result);
    struct os_stat stat;
    struct err err;
    *result = os_stat(path, &stat, &err);
    if (!*result && err.code != ENOENT)
        return SQLITE_IOERR_ACCESS;
    if (*result && flags == SQLITE_ACCESS_EXISTS && stat.is_file && stat.size == 0)
        *result = 0; /* as the unix VFS has it: an empty journal is none */
    return SQLITE_OK;
}

static int vfs_full_path(sqlite3_vfs *vfs, const char *path, int size, char *out)
{
    (void)vfs;
    if (!sim_is_on())
        return unix_vfs->xFullPathname(unix_vfs, path, size, out);
    struct arena arena = {0};
    int n = snprintf(out, (size_t)size, "%s", os_absolute(&arena, path));
    arena_fini(&arena);
    return n < size ? SQLITE_OK : SQLITE_CANTOPEN;
}

/* ---- the rest of the world ------------------------------------------------------------------------------------------- */

static int vfs_randomness(sqlite3_vfs *vfs, int n, char *out)
{
    (void)vfs;
    os_random(out, (size_t)n);
    return n;
}

static int vfs_sleep(sqlite3_vfs *vfs, int us)
{
    (void)vfs;
    if (!sim_is_on())
        return unix_vfs->xSleep(unix_vfs, us);
    sim_sleep((int64_t)us * NS_PER_US);
    return us;
}

/* Milliseconds since noon of 24 November 4714 BC, which was 210866760000000 ms before 1970. */
static int vfs_time_int64(sqlite3_vfs *vfs, sqlite3_int64 *out)
{
    (void)vfs;
    *out = os_wall().us / US_PER_MS + INT64_C(210866760000000);
    return SQLITE_OK;
}

static int vfs_time(sqlite3_vfs *vfs, double *out)
{
    sqlite3_int64 ms;
    vfs_time_int64(vfs, &ms);
    *out = (double)ms / 86400000.0;
    return SQLITE_OK;
}

static int vfs_last_error(sqlite3_vfs *vfs, int n, char *out)
{
    (void)vfs;
    return sim_is_on() || unix_vfs->xGetLastError == NULL ? 0 : unix_vfs->xGetLastError(unix_vfs, n, out);
}

static sqlite3_vfs sluice_vfs = {
    .iVersion = 2,
    .zName = OS_VFS_NAME,
    .xOpen = vfs_open,
    .xDelete = vfs_delete,
    .xAccess = vfs_access,
    .xFullPathname = vfs_full_path,
    .xRandomness = vfs_randomness,
    .xSleep = vfs_sleep,
    .xCurrentTime = vfs_time,
    .xGetLastError = vfs_last_error,
    .xCurrentTimeInt64 = vfs_time_int64,
};

void os_vfs_register(void)
{
    if (unix_vfs)
        return;
    unix_vfs = sqlite3_vfs_find("unix");
    CHECK(unix_vfs != NULL);
    int room = (int)sizeof(struct vfs_file);
    sluice_vfs.szOsFile = unix_vfs->szOsFile > room ? unix_vfs->szOsFile : room;
    sluice_vfs.mxPathname = unix_vfs->mxPathname;
    CHECK(sqlite3_vfs_register(&sluice_vfs, 0) == SQLITE_OK);
}

/* The calls of os.h in the simulator: handles, paths, and for each call its time, its place in the trace, and its chance to be the one
 * that a life ends in.
 *
 * A life that ends in a call ends before anything was done, after all was done, or, for writes, when a part was done and nothing
 * of it is durable. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/map.h"
#include "os/sim_private.h"

enum { /* about how long a call takes, in virtual ns */
       TIME_CLOCK = 100,
       TIME_NAME = 10 * 1000,
       TIME_READ = 20 * 1000,
       TIME_WRITE = 5 * 1000,
       TIME_DURABLE_WRITE = 200 * 1000,
       TIME_SYNC = 2 * 1000 * 1000,
};

/* ---- handles ----------------------------------------------------------------------------------------------------- */

struct sim_handle *sim_handle(int file)
{
    int i = file - OS_SIM_BASE;
    return i >= 0 && i < SIM_HANDLES && sim->handles[i].kind != SIM_FREE ? &sim->handles[i] : NULL;
}

int sim_handle_new(enum sim_handle_kind kind, int *file)
{
    for (int i = 0; i < SIM_HANDLES; i++) {
        if (sim->handles[i].kind != SIM_FREE)
            continue;
        sim->handles[i] = (struct sim_handle){.kind = kind, .life = sim->in_life ? sim->life : 0};
        *file = i + OS_SIM_BASE;
        return 0;
    }
    return EMFILE;
}

static void table_close(int file)
{
    struct sim_handle *handle = sim_handle(file);
    if (handle == NULL)
        return;
    if (handle->socket)
        sim_socket_close(handle);
    struct sim_inode *inode = handle->inode;
    if (inode) {
        if (inode->locked_by == file)
            inode->locked_by = -1;
        inode->handles--;
        sim_inode_release(inode);
    }
    if (handle->path)
        sim_free(handle->path, strlen(handle->path) + 1);
    *handle = (struct sim_handle){.kind = SIM_FREE};
}

void sim_forget_life(void)
{
    for (int i = 0; i < SIM_HANDLES; i++)
        if (sim->handles[i].kind != SIM_FREE && sim->handles[i].life == sim->life)
            table_close(i + OS_SIM_BASE);
}

/* The handle of an open file that allows what flag says. */
static int file_of(int file, unsigned flag, struct sim_handle **handle)
{
    *handle = sim_handle(file);
    if (*handle == NULL || (*handle)->kind != SIM_FILE || ((*handle)->flags & flag) != flag)
        return EBADF;
    return (*handle)->inode->is_folder ? EISDIR : 0;
}

/* ---- clocks and randomness --------------------------------------------------------------------------------------- */

static void pass_clock(void)
{
    if (sim->in_life)
        sim_advance(1 + (int64_t)sim_pick(2 * TIME_CLOCK));
}

static struct wall_time table_wall(void)
{
    pass_clock();
    return (struct wall_time){SIM_WALL_START + sim->clock_ns / NS_PER_US};
}

static struct mono_time table_mono(void)
{
    pass_clock();
    return (struct mono_time){sim->clock_ns - sim->boot_ns};
}

static void table_random(void *p, size_t n)
{
    for (uint8_t *at = p; n > 0;) {
        uint64_t word = sim_next(&sim->program);
        size_t step = n < sizeof word ? n : sizeof word;
        memcpy(at, &word, step);
        at += step;
        n -= step;
    }
}

/* ---- names ------------------------------------------------------------------------------------------------------- */

static int open_inode(const char *path, unsigned flags, struct sim_inode **inode)
{
    struct sim_inode *folder;
    char name[OS_NAME_MAX + 1];
    int why = sim_find_place(path, &folder, name, inode);
    if (flags & OS_CREATE && (why == 0 || why == ENOTDIR) && path[strlen(path) - 1] == '/')
        return EISDIR;
    if (why)
        return why;
    if (*inode == NULL) {
        if (!(flags & OS_CREATE))
            return ENOENT;
        *inode = sim_inode_new(false);
        return sim_folder_set(folder, name, *inode);
    }
    if (flags & OS_CREATE && flags & OS_EXCLUSIVE)
        return EEXIST;
    if ((*inode)->is_folder)
        return flags & (OS_WRITE | OS_CREATE) ? EISDIR : 0;
    return flags & OS_TRUNCATE ? sim_file_resize(*inode, 0) : 0;
}

static int table_open(const char *path, unsigned flags, int *file)
{
    enum sim_crash crash = SIM_LIVE;
    if (flags & (OS_CREATE | OS_TRUNCATE))
        crash = sim_begin("open", path, flags, 0, TIME_NAME);
    else
        sim_look("open", path, flags, 0, TIME_NAME);
    if (flags & OS_DIRECT && sim->options.no_direct)
        return sim_end(crash, EINVAL);
    int opened, why = sim_handle_new(SIM_FILE, &opened);
    if (why)
        return sim_end(crash, why);
    struct sim_handle *handle = sim_handle(opened);
    struct sim_inode *inode;
    why = open_inode(path, flags, &inode);
    if (why) {
        table_close(opened);
        return sim_end(crash, why);
    }
    handle->inode = inode;
    handle->flags = flags;
    handle->path = sim_strdup(path);
    inode->handles++;
    *file = opened;
    return sim_end(crash, 0);
}

static int find_folder(const char *path, struct sim_inode **inode)
{
    int why = sim_find(path, inode);
    return why ? why : (*inode)->is_folder ? 0 : ENOTDIR;
}

static int table_sync_folder(const char *path)
{
    enum sim_crash crash = sim_begin("sync_folder", path, 0, 0, TIME_SYNC);
    struct sim_inode *inode;
    int why = find_folder(path, &inode);
    if (why == 0 && crash != SIM_DIE_WITHIN)
        sim_folder_sync(inode);
    return sim_end(crash, why);
}

static int rename_now(const char *from, const char *to)
{
    struct sim_inode *from_folder, *to_folder, *inode, *target;
    char from_name[OS_NAME_MAX + 1], to_name[OS_NAME_MAX + 1];
    int why_from = sim_find_place(from, &from_folder, from_name, &inode);
    int why_to = sim_find_place(to, &to_folder, to_name, &target);
    if (why_from && inode == NULL)
        return why_from;
    if (why_to && target == NULL)
        return why_to;
    if (inode == NULL)
        return ENOENT;
    if (why_from || why_to) /* a file with a slash behind it */
        return ENOTDIR;
    if (from_name[0] == '\0' || to_name[0] == '\0')
        return EBUSY;
    if (!inode->is_folder && to[strlen(to) - 1] == '/')
        return ENOTDIR;
    return sim_folder_rename(from_folder, from_name, to_folder, to_name);
}

static int table_rename(const char *from, const char *to)
{
    enum sim_crash crash = sim_begin("rename", from, hash_bytes(to, strlen(to)), 0, TIME_NAME);
    return sim_end(crash, crash == SIM_DIE_WITHIN ? 0 : rename_now(from, to));
}

static int link_now(const char *from, const char *to)
{
    struct sim_inode *folder, *inode, *target;
    char name[OS_NAME_MAX + 1];
    int why = sim_find(from, &inode);
    if (why)
        return why;
    why = sim_find_place(to, &folder, name, &target);
    if (target) /* also a file with a slash behind it */
        return EEXIST;
    if (why)
        return why;
    if (to[strlen(to) - 1] == '/')
        return ENOENT;
    return inode->is_folder ? EPERM : sim_folder_set(folder, name, inode);
}

static int table_link(const char *from, const char *to)
{
    enum sim_crash crash = sim_begin("link", from, hash_bytes(to, strlen(to)), 0, TIME_NAME);
    return sim_end(crash, crash == SIM_DIE_WITHIN ? 0 : link_now(from, to));
}

static int remove_now(const char *path, bool is_folder)
{
    struct sim_inode *folder, *inode;
    char name[OS_NAME_MAX + 1];
    int why = sim_find_place(path, &folder, name, &inode);
    if (why)
        return why;
    if (inode == NULL)
        return ENOENT;
    if (inode->is_folder != is_folder)
        return is_folder ? ENOTDIR : EISDIR;
    if (name[0] == '\0')
        return EBUSY;
    return inode->now.count > 0 ? ENOTEMPTY : sim_folder_set(folder, name, NULL);
}

static int table_unlink(const char *path)
{
    enum sim_crash crash = sim_begin("unlink", path, 0, 0, TIME_NAME);
    return sim_end(crash, crash == SIM_DIE_WITHIN ? 0 : remove_now(path, false));
}

static int table_rmdir(const char *path)
{
    enum sim_crash crash = sim_begin("rmdir", path, 0, 0, TIME_NAME);
    return sim_end(crash, crash == SIM_DIE_WITHIN ? 0 : remove_now(path, true));
}

static int mkdir_now(const char *path)
{
    struct sim_inode *folder, *inode;
    char name[OS_NAME_MAX + 1];
    int why = sim_find_place(path, &folder, name, &inode);
    if (inode) /* also a file with a slash behind it */
        return EEXIST;
    return why ? why : sim_folder_set(folder, name, sim_inode_new(true));
}

static int table_mkdir(const char *path)
{
    enum sim_crash crash = sim_begin("mkdir", path, 0, 0, TIME_NAME);
    return sim_end(crash, crash == SIM_DIE_WITHIN ? 0 : mkdir_now(path));
}

static void stat_of(const struct sim_inode *inode, struct os_stat *stat)
{
    *stat = (struct os_stat){
        .size = inode->size,
        .inode = inode->number,
        .device = SIM_DEVICE,
        .allocated = inode->blocks * SIM_BLOCK,
        .mtime_us = inode->mtime_us,
        .is_folder = inode->is_folder,
        .is_file = !inode->is_folder,
    };
}

static int table_stat(const char *path, struct os_stat *stat)
{
    sim_look("stat", path, 0, 0, TIME_NAME);
    struct sim_inode *inode;
    int why = sim_find(path, &inode);
    if (why == 0)
        stat_of(inode, stat);
    return why;
}

static int table_list(const char *path, struct arena *arena, char ***names, size_t *count)
{
    sim_look("list", path, 0, 0, TIME_NAME);
    struct sim_inode *folder;
    int why = find_folder(path, &folder);
    if (why)
        return why;
    *names = arena_array(arena, char *, folder->now.count);
    *count = folder->now.count;
    for (size_t i = 0; i < *count; i++)
        (*names)[i] = arena_strdup(arena, folder->now.all[i].name);
    return 0;
}

static int table_disk_free(const char *path, uint64_t *bytes)
{
    sim_look("disk_free", path, 0, 0, TIME_NAME);
    struct sim_inode *inode;
    int why = sim_find(path, &inode);
    if (why == 0)
        *bytes = (sim->blocks_total - sim->blocks_used) * SIM_BLOCK;
    return why;
}

/* ---- contents ---------------------------------------------------------------------------------------------------- */

/* A program that gets these wrong works here and fails on a real disk, so it fails here at once. */
static void check_direct(const struct sim_handle *handle, const void *p, size_t n, uint64_t offset)
{
    CHECK(!(handle->flags & OS_DIRECT) ||
          ((uintptr_t)p % OS_DIRECT_ALIGN == 0 && n % OS_DIRECT_ALIGN == 0 && offset % OS_DIRECT_ALIGN == 0));
}

static int table_pread(int file, void *p, size_t n, uint64_t offset, size_t *got)
{
    struct sim_handle *handle;
    int why = file_of(file, OS_READ, &handle);
    if (why)
        return why;
    check_direct(handle, p, n, offset);
    sim_look("pread", handle->path, n, offset, TIME_READ);
    *got = sim_file_read(handle->inode, p, n, offset);
    return 0;
}

static int table_pread_cached(int file, void *p, size_t n, uint64_t offset, size_t *got)
{
    return sim_random() % 4 ? table_pread(file, p, n, offset, got) : EAGAIN;
}

static int table_prefetch(int file, uint64_t offset, uint64_t n, enum os_prefetch how)
{
    struct sim_handle *handle;
    int why = file_of(file, OS_READ, &handle);
    if (why)
        return why;
    sim_look("prefetch", handle->path, n, offset, how == OS_PREFETCH_WAIT ? TIME_READ : 0);
    return how == OS_PREFETCH_LOOK && sim_random() % 4 == 0 ? EAGAIN : 0;
}

static int table_read(int file, void *p, size_t n, size_t *got)
{
    struct sim_handle *handle;
    int why = file_of(file, OS_READ, &handle);
    if (why)
        return why;
    why = table_pread(file, p, n, handle->position, got);
    handle->position += *got;
    return why;
}

static int write_at(struct sim_handle *handle, const void *p, size_t n, uint64_t offset)
{
    struct sim_inode *inode = handle->inode;
    bool durable = handle->flags & OS_DSYNC;
    check_direct(handle, p, n, offset);
    enum sim_crash crash = sim_begin("pwrite", handle->path, offset, n + 3 * hash_bytes(p, n),
                                     durable ? TIME_DURABLE_WRITE : TIME_WRITE + (int64_t)(n / 4));
    if (crash == SIM_DIE_WITHIN)
        n = (size_t)sim_pick(n / SIM_SECTOR + 1) * SIM_SECTOR;
    int why = sim_file_write(inode, p, n, offset);
    inode->mtime_us = SIM_WALL_START + sim->clock_ns / NS_PER_US;
    if (durable && crash != SIM_DIE_WITHIN && why == 0)
        sim_file_sync_range(inode, offset, n);
    return sim_end(crash, why);
}

static int table_pwrite(int file, const void *p, size_t n, uint64_t offset)
{
    struct sim_handle *handle;
    int why = file_of(file, OS_WRITE, &handle);
    return why ? why : write_at(handle, p, n, offset);
}

static int table_write(int file, const void *p, size_t n)
{
    struct sim_handle *handle = sim_handle(file);
    if (handle && handle->kind == SIM_STANDARD)
        return os_real_table.write(os_real_table.adopt(handle->real), p, n);
    int why = file_of(file, OS_WRITE, &handle);
    if (why)
        return why;
    if (handle->flags & OS_APPEND)
        handle->position = handle->inode->size;
    why = write_at(handle, p, n, handle->position);
    handle->position += why ? 0 : n;
    return why;
}

static int table_sync(int file)
{
    struct sim_handle *handle = sim_handle(file);
    if (handle == NULL || handle->inode == NULL)
        return EBADF;
    enum sim_crash crash = sim_begin("sync", handle->path, 0, 0, TIME_SYNC);
    if (crash != SIM_DIE_WITHIN && handle->inode->is_folder)
        sim_folder_sync(handle->inode);
    else if (crash != SIM_DIE_WITHIN)
        sim_file_sync(handle->inode);
    return sim_end(crash, 0);
}

static void table_sync_failed(int file)
{
    struct sim_handle *handle;
    if (file_of(file, 0, &handle) == 0)
        sim_file_sync_failed(handle->inode, sim->options.fail_sync_loses);
}

static int table_truncate(int file, uint64_t size)
{
    struct sim_handle *handle;
    int why = file_of(file, 0, &handle);
    if (why || !(handle->flags & OS_WRITE))
        return why == EBADF ? EBADF : EINVAL;
    enum sim_crash crash = sim_begin("truncate", handle->path, size, 0, TIME_NAME);
    return sim_end(crash, crash == SIM_DIE_WITHIN ? 0 : sim_file_resize(handle->inode, size));
}

static int table_allocate(int file, uint64_t offset, uint64_t n)
{
    struct sim_handle *handle;
    int why = file_of(file, OS_WRITE, &handle);
    if (why)
        return why;
    enum sim_crash crash = sim_begin("allocate", handle->path, offset, n, TIME_NAME);
    return sim_end(crash, crash == SIM_DIE_WITHIN ? 0 : sim_file_allocate(handle->inode, offset, n));
}

static int table_fstat(int file, struct os_stat *stat)
{
    struct sim_handle *handle = sim_handle(file);
    if (handle == NULL || handle->inode == NULL)
        return EBADF;
    sim_look("fstat", handle->path, 0, 0, TIME_CLOCK);
    stat_of(handle->inode, stat);
    return 0;
}

static int table_lock(int file)
{
    struct sim_handle *handle = sim_handle(file);
    if (handle == NULL || handle->inode == NULL)
        return EBADF;
    sim_look("lock", handle->path, 0, 0, TIME_CLOCK);
    if (handle->inode->locked_by >= 0 && handle->inode->locked_by != file)
        return EWOULDBLOCK;
    handle->inode->locked_by = file;
    return 0;
}

static int table_fd(int file)
{
    (void)file;
    return -1;
}

static int table_adopt(int fd)
{
    int file = -1;
    if (fd < 0 || fd > 2 || sim_handle_new(SIM_STANDARD, &file) != 0)
        return -1;
    sim_handle(file)->real = fd;
    return file;
}

static void table_describe(int file, char *out, size_t size)
{
    const struct sim_handle *handle = sim_handle(file);
    snprintf(out, size, "%s", handle == NULL ? "closed file" : handle->path ? handle->path : "a socket");
}

static void table_folder_now(char *out, size_t size)
{
    snprintf(out, size, "/");
}

static const char *table_env(const char *name)
{
    (void)name; /* the same everywhere: none */
    return NULL;
}

static int table_pid(void)
{
    return 1000 + (int)(sim->life % 30000);
}

const struct os_table os_sim_table = {
    .wall = table_wall,
    .mono = table_mono,
    .random = table_random,
    .open = table_open,
    .close = table_close,
    .pread = table_pread,
    .read = table_read,
    .pwrite = table_pwrite,
    .write = table_write,
    .sync = table_sync,
    .sync_failed = table_sync_failed,
    .sync_folder = table_sync_folder,
    .truncate = table_truncate,
    .allocate = table_allocate,
    .pread_cached = table_pread_cached,
    .prefetch = table_prefetch,
    .fstat = table_fstat,
    .stat = table_stat,
    .rename = table_rename,
    .link = table_link,
    .unlink = table_unlink,
    .mkdir = table_mkdir,
    .rmdir = table_rmdir,
    .list = table_list,
    .lock = table_lock,
    .disk_free = table_disk_free,
    .fd = table_fd,
    .adopt = table_adopt,
    .describe = table_describe,
    .folder_now = table_folder_now,
    .listen = sim_listen,
    .accept = sim_accept,
    .connect = sim_connect,
    .recv = sim_recv,
    .send = sim_send,
    .sendfile = sim_sendfile,
    .port_holder = sim_port_holder,
    .poller_new = sim_poller_new,
    .poller_free = sim_poller_free,
    .poller_watch = sim_poller_watch,
    .poller_watch_fd = sim_poller_watch_fd,
    .poller_wait = sim_poller_wait,
    .poller_wake = sim_poller_wake,
    .signals = sim_signals,
    .env = table_env,
    .pid = table_pid,
    .exit = sim_exit_life,
};

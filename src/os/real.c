/* The real system: clocks, randomness, files, the process. Sockets are in real_net.c, waiting and threads in real_poll.c.
 *
 * A handle is a descriptor plus OS_REAL_BASE: no table, no lock, and a descriptor given in its place is refused. The path of a
 * handle, for an error's text, is asked of /proc when there is an error. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "os/os_private.h"

static int fd_of(int file)
{
    return file >= OS_REAL_BASE && file < OS_SIM_BASE ? file - OS_REAL_BASE : -1;
}

static int handle_of(int fd)
{
    return fd < 0 ? fd : fd + OS_REAL_BASE;
}

#define NO_SIGNAL(result, call)                                                                              \
    do {                                                                                                     \
        (result) = (call);                                                                                   \
    } while ((result) < 0 && errno == EINTR)

/* ---- clocks and randomness ------------------------------------------------------------------------------------ */

static struct wall_time real_wall(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (struct wall_time){t.tv_sec * US_PER_S + t.tv_nsec / NS_PER_US};
}

static struct mono_time real_mono(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (struct mono_time){t.tv_sec * NS_PER_S + t.tv_nsec};
}

static void real_random(void *p, size_t n)
{
    for (uint8_t *at = p; n > 0;) {
        ssize_t got;
        NO_SIGNAL(got, getrandom(at, n, 0));
        CHECK(got > 0); /* the system call exists and its arguments are right: it cannot fail */
        at += got;
        n -= (size_t)got;
    }
}

/* ---- files ---------------------------------------------------------------------------------------------------- */

static int real_open(const char *path, unsigned flags, int *file)
{
    static const struct {
        unsigned ours;
        int theirs;
    } map[] = {{OS_CREATE, O_CREAT},  {OS_EXCLUSIVE, O_EXCL}, {OS_TRUNCATE, O_TRUNC},
               {OS_DIRECT, O_DIRECT}, {OS_DSYNC, O_DSYNC},    {OS_APPEND, O_APPEND}};
    int how = O_CLOEXEC | O_NOCTTY;
    how |= !(flags & OS_WRITE) ? O_RDONLY : flags & OS_READ ? O_RDWR : O_WRONLY;
    for (size_t i = 0; i < sizeof map / sizeof map[0]; i++)
        if (flags & map[i].ours)
            how |= map[i].theirs;
    int fd;
    NO_SIGNAL(fd, open(path, how, flags & OS_PRIVATE ? 0600 : 0640));
    if (fd < 0)
        return errno;
    *file = handle_of(fd);
    return 0;
}

static void real_close(int file)
{
    /* Never tried again: on Linux the descriptor is gone, whatever close says. */
    close(fd_of(file));
}

static int real_pread(int file, void *p, size_t n, uint64_t offset, size_t *got)
{
    while (*got < n) {
        ssize_t r;
        NO_SIGNAL(r, pread(fd_of(file), (char *)p + *got, n - *got, (off_t)(offset + *got)));
        if (r <
            0) /* EINVAL after a part: a direct read may not go on in the middle of a block, so that part was the end */
            return errno == EINVAL && *got > 0 ? 0 : errno;
        *got += (size_t)r;
        if (r == 0 || (*got & 511) != 0)
            return 0;
    }
    return 0;
}

static int real_read(int file, void *p, size_t n, size_t *got)
{
    ssize_t r;
    NO_SIGNAL(r, read(fd_of(file), p, n));
    if (r < 0)
        return errno;
    *got = (size_t)r;
    return 0;
}

static int real_pwrite(int file, const void *p, size_t n, uint64_t offset)
{
    for (size_t done = 0; done < n;) {
        ssize_t r;
        NO_SIGNAL(r, pwrite(fd_of(file), (const char *)p + done, n - done, (off_t)(offset + done)));
        if (r <= 0)
            return r < 0 ? errno : EIO;
        done += (size_t)r;
    }
    return 0;
}

static int real_write(int file, const void *p, size_t n)
{
    for (size_t done = 0; done < n;) {
        ssize_t r;
        NO_SIGNAL(r, write(fd_of(file), (const char *)p + done, n - done));
        if (r <= 0)
            return r < 0 ? errno : EIO;
        done += (size_t)r;
    }
    return 0;
}

static int real_sync(int file)
{
    int r;
    NO_SIGNAL(r, fdatasync(fd_of(file)));
    return r < 0 ? errno : 0;
}

static void real_sync_failed(int file)
{
    (void)file;
}

static int real_sync_folder(const char *path)
{
    int fd, r;
    NO_SIGNAL(fd, open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (fd < 0)
        return errno;
    NO_SIGNAL(r, fsync(fd));
    int why = r < 0 ? errno : 0;
    close(fd);
    return why;
}

static int real_truncate(int file, uint64_t size)
{
    int r;
    NO_SIGNAL(r, ftruncate(fd_of(file), (off_t)size));
    return r < 0 ? errno : 0;
}

/* For file systems without fallocate: writes zeros behind the end. Holes before it stay holes. */
static int allocate_by_writing(int file, uint64_t end)
{
    struct stat st;
    if (fstat(fd_of(file), &st) < 0)
        return errno;
    _Alignas(OS_DIRECT_ALIGN) static const char zeros[64 * 1024];
    for (uint64_t at = (uint64_t)st.st_size; at < end;) {
        size_t n = end - at < sizeof zeros ? (size_t)(end - at) : sizeof zeros;
        int why = real_pwrite(file, zeros, n, at);
        if (why)
            return why;
        at += n;
    }
    return 0;
}

static int real_allocate(int file, uint64_t offset, uint64_t n)
{
    int r;
    NO_SIGNAL(r, fallocate(fd_of(file), 0, (off_t)offset, (off_t)n));
    if (r == 0)
        return 0;
    return errno == EOPNOTSUPP || errno == ENOSYS ? allocate_by_writing(file, offset + n) : errno;
}

static int real_pread_cached(int file, void *p, size_t n, uint64_t offset, size_t *got)
{
    for (ssize_t r = 1; *got < n && r > 0; *got += (size_t)r) {
        const struct iovec rest = {(char *)p + *got, n - *got};
        NO_SIGNAL(r, preadv2(fd_of(file), &rest, 1, (off_t)(offset + *got), RWF_NOWAIT));
        if (r < 0)
            return errno == EOPNOTSUPP ? EAGAIN : errno;
    }
    return 0;
}

/* Is the byte there, or where the file ends? EAGAIN: it would have to come from the disk. */
static int look_at(int fd, uint64_t offset, int flags)
{
    char byte;
    const struct iovec one = {&byte, 1};
    ssize_t r;
    NO_SIGNAL(r, preadv2(fd, &one, 1, (off_t)offset, flags));
    return r >= 0 ? 0 : errno == EOPNOTSUPP ? EAGAIN : errno;
}

/* What is there costs a look at every 64 KiB, since pages come and go in runs; from the first that is not on, all of the rest is asked for, and waited
 * for. */
static int real_prefetch(int file, uint64_t offset, uint64_t n, enum os_prefetch how)
{
    enum { STEP = 64 << 10 };
    bool is_asked = false;
    int why = 0;
    for (uint64_t at = offset, end = offset + n; why == 0 && at < end;
         at += at + STEP < end || at + 1 == end ? STEP : end - at - 1) {
        why = is_asked ? EAGAIN : look_at(fd_of(file), at, RWF_NOWAIT);
        if (why != EAGAIN || how == OS_PREFETCH_LOOK)
            continue;
        if (!is_asked)
            posix_fadvise(fd_of(file), (off_t)at, (off_t)(end - at), POSIX_FADV_WILLNEED);
        if (how == OS_PREFETCH_BEGIN)
            return 0;
        is_asked = true;
        why = look_at(fd_of(file), at, 0);
    }
    return why;
}

void os_huge_hint(void *p, size_t n)
{
    enum { HUGE_PAGE = 2 << 20 };
    if (n >= HUGE_PAGE)
        madvise(p, n, MADV_HUGEPAGE);
}

static void stat_of(const struct stat *st, struct os_stat *stat)
{
    *stat = (struct os_stat){
        .size = (uint64_t)st->st_size,
        .inode = st->st_ino,
        .device = st->st_dev,
        .allocated = (uint64_t)st->st_blocks * 512,
        .mtime_us = st->st_mtim.tv_sec * US_PER_S + st->st_mtim.tv_nsec / NS_PER_US,
        .is_folder = S_ISDIR(st->st_mode),
        .is_file = S_ISREG(st->st_mode),
    };
}

static int real_fstat(int file, struct os_stat *out)
{
    struct stat st;
    if (fstat(fd_of(file), &st) < 0)
        return errno;
    stat_of(&st, out);
    return 0;
}

static int real_stat(const char *path, struct os_stat *out)
{
    struct stat st;
    if (stat(path, &st) < 0)
        return errno;
    stat_of(&st, out);
    return 0;
}

static int real_rename(const char *from, const char *to)
{
    return rename(from, to) < 0 ? errno : 0;
}

static int real_link(const char *from, const char *to)
{
    return link(from, to) < 0 ? errno : 0;
}

static int real_unlink(const char *path)
{
    return unlink(path) < 0 ? errno : 0;
}

static int real_mkdir(const char *path)
{
    return mkdir(path, 0750) < 0 ? errno : 0;
}

static int real_rmdir(const char *path)
{
    return rmdir(path) < 0 ? errno : 0;
}

static int real_list(const char *path, struct arena *arena, char ***names, size_t *count)
{
    DIR *dir = opendir(path);
    if (dir == NULL)
        return errno;
    char **all = NULL;
    size_t used = 0, capacity = 0;
    int why;
    for (;;) {
        errno = 0;
        struct dirent *entry = readdir(dir);
        why = errno;
        if (entry == NULL)
            break;
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        all = mem_grow(all, &capacity, used + 1, sizeof *all);
        all[used++] = arena_strdup(arena, entry->d_name);
    }
    closedir(dir);
    if (why == 0) {
        *names = arena_dup(arena, all ? all : (char **)"", used * sizeof *all);
        *count = used;
    }
    mem_free(all);
    return why;
}

static int real_lock(int file)
{
    int r;
    NO_SIGNAL(r, flock(fd_of(file), LOCK_EX | LOCK_NB));
    return r < 0 ? errno : 0;
}

static int real_disk_free(const char *path, uint64_t *bytes)
{
    struct statvfs v;
    int r;
    NO_SIGNAL(r, statvfs(path, &v));
    if (r < 0)
        return errno;
    *bytes = (uint64_t)v.f_bavail * v.f_frsize;
    return 0;
}

static void real_describe(int file, char *out, size_t size)
{
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd_of(file));
    ssize_t n = readlink(link, out, size - 1);
    if (n < 0)
        snprintf(out, size, "closed file %d", file);
    else
        out[n] = '\0';
}

static void real_folder_now(char *out, size_t size)
{
    if (getcwd(out, size) == NULL)
        snprintf(out, size, "/");
}

/* ---- the process ----------------------------------------------------------------------------------------------- */

static const char *real_env(const char *name)
{
    return getenv(name);
}

static int real_pid(void)
{
    return getpid();
}

static void real_exit(int status)
{
    _exit(status);
}

bool os_is_terminal(int fd)
{
    return isatty(fd) == 1;
}

void os_terminal_size(int *columns, int *rows)
{
    struct winsize size = {0};
    for (int fd = 2; fd >= 0 && size.ws_col == 0; fd--)
        if (ioctl(fd, TIOCGWINSZ, &size) < 0)
            size.ws_col = 0;
    *columns = size.ws_col ? size.ws_col : 80;
    *rows = size.ws_row ? size.ws_row : 24;
}

uint64_t os_memory_resident(void)
{
    FILE *f = fopen("/proc/self/statm", "re");
    if (f == NULL)
        return 0;
    unsigned long long total, resident = 0;
    if (fscanf(f, "%llu %llu", &total, &resident) != 2)
        resident = 0;
    fclose(f);
    return resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

char *os_program(struct arena *arena)
{
    char path[OS_PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);
    if (n < 0)
        n = 0;
    path[n] = '\0';
    return arena_strdup(arena, path);
}

void os_raise_file_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit); /* if not: it stays as it is */
}

const struct os_table os_real_table = {
    .wall = real_wall,
    .mono = real_mono,
    .random = real_random,
    .open = real_open,
    .close = real_close,
    .pread = real_pread,
    .read = real_read,
    .pwrite = real_pwrite,
    .write = real_write,
    .sync = real_sync,
    .sync_failed = real_sync_failed,
    .sync_folder = real_sync_folder,
    .truncate = real_truncate,
    .allocate = real_allocate,
    .pread_cached = real_pread_cached,
    .prefetch = real_prefetch,
    .fstat = real_fstat,
    .stat = real_stat,
    .rename = real_rename,
    .link = real_link,
    .unlink = real_unlink,
    .mkdir = real_mkdir,
    .rmdir = real_rmdir,
    .list = real_list,
    .lock = real_lock,
    .disk_free = real_disk_free,
    .fd = fd_of,
    .adopt = handle_of,
    .describe = real_describe,
    .folder_now = real_folder_now,
    .listen = real_listen,
    .accept = real_accept,
    .connect = real_connect,
    .recv = real_recv,
    .send = real_send,
    .sendfile = real_sendfile,
    .port_holder = real_port_holder,
    .poller_new = real_poller_new,
    .poller_free = real_poller_free,
    .poller_watch = real_poller_watch,
    .poller_watch_fd = real_poller_watch_fd,
    .poller_wait = real_poller_wait,
    .poller_wake = real_poller_wake,
    .signals = real_signals,
    .env = real_env,
    .pid = real_pid,
    .exit = real_exit,
};

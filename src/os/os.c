/* The door itself: every call of os.h that is one call of the world's table.
 *
 * Three things are added here, the same for the real system and for the simulator: the class and text of an error, the
 * fault that a test asks for (os_fail_after), and the count of calls that could have failed. Operations made of several
 * calls are in path.c; each of their steps passes through here, so each can fail in a test. */
#include "os/os.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "os/os_private.h"

const struct os_table *os_world = &os_real_table;

/* ---- faults --------------------------------------------------------------------------------------------------- */

/* LAYERS: allow _Atomic for the count of calls: run/, which has the others, stands on this file. */
static uint64_t fault_calls, fault_at;
static int fault_errno;

uint64_t os_fail_after(uint64_t n, int os_errno)
{
    __atomic_store_n(&fault_at, 0, __ATOMIC_RELAXED);
    uint64_t made = __atomic_exchange_n(&fault_calls, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&fault_errno, os_errno ? os_errno : EIO, __ATOMIC_RELAXED);
    __atomic_store_n(&fault_at, n, __ATOMIC_RELAXED);
    return made;
}

/* The errno that this call has to fail with, or 0. */
static int fault_now(void)
{
    uint64_t n = __atomic_add_fetch(&fault_calls, 1, __ATOMIC_RELAXED);
    uint64_t at = __atomic_load_n(&fault_at, __ATOMIC_RELAXED);
    return at != 0 && n == at ? __atomic_load_n(&fault_errno, __ATOMIC_RELAXED) : 0;
}

/* call, unless it has to fail. */
#define WORLD(call)                                                                                          \
    __extension__({                                                                                          \
        int fault_ = fault_now();                                                                            \
        fault_ ? fault_ : os_world->call;                                                                    \
    })

/* ---- errors --------------------------------------------------------------------------------------------------- */

/* What no waiting and no operator cures: the program asked for something impossible. */
static bool is_for_ever(int os_errno)
{
    static const int all[] = {EINVAL,     EBADF,   EFAULT, ENAMETOOLONG, ENOSYS,
                              EOPNOTSUPP, ENOTDIR, EISDIR, EAFNOSUPPORT};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        if (all[i] == os_errno)
            return true;
    return false;
}

static const char *hint_of(int os_errno)
{
    switch (os_errno) {
    case ENOSPC: return "Free some space on this disk, or move the data folder to another one.";
    case EMFILE: return "Raise the limit of open files (ulimit -n).";
    case EROFS: return "The file system is mounted read-only.";
    case EACCES: return "Check who owns it and its permissions.";
    default: return NULL;
    }
}

/* `verb "what"`, as far as the errno allows: "could not open "x": No such file or directory". */
static bool fail(struct err *err, int os_errno, const char *verb, const char *what)
{
    if (err == NULL)
        return false;
    bool never = is_for_ever(os_errno);
    err_set_errno(err, never ? ERR_FATAL : ERR_RETRY, os_errno, "%s %s \"%s\"",
                  never ? "cannot" : "could not", verb, what);
    const char *hint = hint_of(os_errno);
    if (hint)
        err_hint(err, "%s", hint);
    return false;
}

static bool path_result(int os_errno, struct err *err, const char *verb, const char *path)
{
    return os_errno == 0 || fail(err, os_errno, verb, path);
}

static bool pair_result(int os_errno, struct err *err, const char *verb, const char *from, const char *to)
{
    if (os_errno == 0)
        return true;
    if (err == NULL)
        return false;
    char what[ERR_TEXT_MAX];
    snprintf(what, sizeof what, "%s\" to \"%s", from, to);
    return fail(err, os_errno, verb, what);
}

/* EAGAIN is no failure but the usual end of a loop over a socket: no text is made for it. */
static bool would_block(struct err *err)
{
    if (err) {
        err->class = ERR_RETRY;
        err->code = EAGAIN;
        memcpy(err->text, "would block", sizeof "would block");
        err->hint[0] = '\0';
        err->place = (struct err_place){0};
    }
    return false;
}

static bool file_result(int os_errno, struct err *err, const char *verb, int file)
{
    if (os_errno == 0)
        return true;
    if (os_errno == EAGAIN)
        return would_block(err);
    if (err == NULL)
        return false;
    char what[ERR_TEXT_MAX] = "?";
    os_world->describe(file, what, sizeof what);
    return fail(err, os_errno, verb, what);
}

/* ---- clocks and randomness ------------------------------------------------------------------------------------ */

struct wall_time os_wall(void)
{
    return os_world->wall();
}

struct mono_time os_mono(void)
{
    return os_world->mono();
}

void os_random(void *p, size_t n)
{
    os_world->random(p, n);
}

/* ---- files ---------------------------------------------------------------------------------------------------- */

bool os_open(const char *path, unsigned flags, int *file, struct err *err)
{
    CHECK(flags & (OS_READ | OS_WRITE));
    *file = -1;
    return path_result(WORLD(open(path, flags, file)), err, "open", path);
}

void os_close(int file)
{
    if (file >= 0)
        os_world->close(file);
}

bool os_pread(int file, void *p, size_t n, uint64_t offset, size_t *got, struct err *err)
{
    *got = 0;
    return file_result(WORLD(pread(file, p, n, offset, got)), err, "read", file);
}

bool os_read(int file, void *p, size_t n, size_t *got, struct err *err)
{
    *got = 0;
    return file_result(WORLD(read(file, p, n, got)), err, "read", file);
}

bool os_pwrite(int file, const void *p, size_t n, uint64_t offset, struct err *err)
{
    return file_result(WORLD(pwrite(file, p, n, offset)), err, "write", file);
}

bool os_write(int file, const void *p, size_t n, struct err *err)
{
    return file_result(WORLD(write(file, p, n)), err, "write", file);
}

bool os_sync(int file, struct err *err)
{
    int fault = fault_now();
    if (fault)
        os_world->sync_failed(file);
    return file_result(fault ? fault : os_world->sync(file), err, "sync", file);
}

bool os_sync_folder(const char *path, struct err *err)
{
    return path_result(WORLD(sync_folder(path)), err, "sync folder", path);
}

bool os_truncate(int file, uint64_t size, struct err *err)
{
    return file_result(WORLD(truncate(file, size)), err, "resize", file);
}

bool os_allocate(int file, uint64_t offset, uint64_t n, struct err *err)
{
    return file_result(WORLD(allocate(file, offset, n)), err, "allocate space for", file);
}

bool os_pread_cached(int file, void *p, size_t n, uint64_t offset, size_t *got, struct err *err)
{
    *got = 0;
    return file_result(WORLD(pread_cached(file, p, n, offset, got)), err, "read", file);
}

bool os_prefetch(int file, uint64_t offset, uint64_t n, enum os_prefetch how, struct err *err)
{
    return file_result(WORLD(prefetch(file, offset, n, how)), err, "read", file);
}

bool os_fstat(int file, struct os_stat *stat, struct err *err)
{
    return file_result(WORLD(fstat(file, stat)), err, "look at", file);
}

bool os_stat(const char *path, struct os_stat *stat, struct err *err)
{
    return path_result(WORLD(stat(path, stat)), err, "find", path);
}

bool os_exists(const char *path)
{
    struct os_stat stat;
    return os_world->stat(path, &stat) == 0;
}

bool os_rename(const char *from, const char *to, struct err *err)
{
    return pair_result(WORLD(rename(from, to)), err, "rename", from, to);
}

bool os_link(const char *from, const char *to, struct err *err)
{
    return pair_result(WORLD(link(from, to)), err, "link", from, to);
}

bool os_unlink(const char *path, struct err *err)
{
    return path_result(WORLD(unlink(path)), err, "remove", path);
}

bool os_mkdir(const char *path, struct err *err)
{
    return path_result(WORLD(mkdir(path)), err, "create folder", path);
}

bool os_rmdir(const char *path, struct err *err)
{
    return path_result(WORLD(rmdir(path)), err, "remove folder", path);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

bool os_list(const char *path, struct arena *arena, char ***names, size_t *count, struct err *err)
{
    *names = NULL;
    *count = 0;
    TRY(path_result(WORLD(list(path, arena, names, count)), err, "list folder", path));
    if (*count > 1)
        qsort(*names, *count, sizeof **names, compare_names);
    return true;
}

bool os_lock(int file, struct err *err)
{
    int os_errno = WORLD(lock(file));
    if (os_errno == EWOULDBLOCK && err != NULL) {
        char what[ERR_TEXT_MAX] = "?";
        os_world->describe(file, what, sizeof what);
        return fail(err, os_errno, "lock", what);
    }
    return file_result(os_errno, err, "lock", file);
}

bool os_disk_free(const char *path, uint64_t *bytes, struct err *err)
{
    return path_result(WORLD(disk_free(path, bytes)), err, "look at the disk of", path);
}

int os_fd(int file)
{
    return os_world->fd(file);
}

int os_adopt(int fd)
{
    return os_world->adopt(fd);
}

/* ---- sockets -------------------------------------------------------------------------------------------------- */

bool os_listen(const char *address, int *file, char *bound, size_t bound_size, struct err *err)
{
    *file = -1;
    int os_errno = WORLD(listen(address, file, bound, bound_size));
    if (os_errno != EADDRINUSE)
        return path_result(os_errno, err, "listen on", address);
    fail(err, os_errno, "listen on", address);
    char holder[128];
    os_port_holder(address, holder, sizeof holder);
    if (holder[0])
        err_hint(err, "The port is taken by %s: stop that, or choose another port.", holder);
    return false;
}

bool os_accept(int listener, int *file, char *peer, size_t peer_size, struct err *err)
{
    *file = -1;
    return file_result(WORLD(accept(listener, file, peer, peer_size)), err, "accept a connection on",
                       listener);
}

bool os_connect(const char *address, int *file, struct err *err)
{
    *file = -1;
    return path_result(WORLD(connect(address, file)), err, "connect to", address);
}

bool os_recv(int file, void *p, size_t n, size_t *got, struct err *err)
{
    *got = 0;
    return file_result(WORLD(recv(file, p, n, got)), err, "receive from", file);
}

bool os_send(int file, const void *p, size_t n, size_t *sent, struct err *err)
{
    const struct os_span span = {p, n};
    return os_send_spans(file, &span, 1, false, sent, err);
}

bool os_send_spans(int file, const struct os_span *spans, size_t count, bool more, size_t *sent,
                   struct err *err)
{
    CHECK(count > 0);
    *sent = 0;
    count = count < OS_SPANS_MAX ? count : OS_SPANS_MAX;
    return file_result(WORLD(send(file, spans, count, more, sent)), err, "send to", file);
}

bool os_sendfile(int socket, int file, uint64_t offset, size_t n, size_t *sent, struct err *err)
{
    CHECK(n > 0);
    *sent = 0;
    return file_result(WORLD(sendfile(socket, file, offset, n, sent)), err, "send", file);
}

void os_port_holder(const char *address, char *out, size_t size)
{
    CHECK(size > 0);
    out[0] = '\0';
    os_world->port_holder(address, out, size);
}

/* ---- waiting -------------------------------------------------------------------------------------------------- */

bool os_poller_new(struct os_poller **poller, struct err *err)
{
    *poller = NULL;
    return path_result(WORLD(poller_new(poller)), err, "create", "poller");
}

void os_poller_free(struct os_poller *poller)
{
    if (poller)
        poller->table->poller_free(poller);
}

bool os_poller_watch(struct os_poller *poller, int file, unsigned interest, void *arg, struct err *err)
{
    int fault = interest ? fault_now() : 0;
    return file_result(fault ? fault : poller->table->poller_watch(poller, file, interest, arg), err, "watch",
                       file);
}

bool os_poller_watch_fd(struct os_poller *poller, int fd, unsigned interest, void *arg, struct err *err)
{
    int fault = interest ? fault_now() : 0;
    int os_errno = fault ? fault : poller->table->poller_watch_fd(poller, fd, interest, arg);
    return path_result(os_errno, err, "watch", "descriptor");
}

int os_poller_wait(struct os_poller *poller, struct os_event *events, int max, int64_t timeout_ns)
{
    return poller->table->poller_wait(poller, events, max, timeout_ns);
}

void os_poller_wake(struct os_poller *poller)
{
    poller->table->poller_wake(poller);
}

bool os_signals(struct os_poller *poller, void (*handler)(void *arg, int count), void *arg, struct err *err)
{
    return path_result(poller->table->signals(poller, handler, arg), err, "handle", "signals");
}

/* ---- the process ----------------------------------------------------------------------------------------------- */

const char *os_env(const char *name)
{
    return os_world->env(name);
}

int os_pid(void)
{
    return os_world->pid();
}

_Noreturn void os_exit(int status)
{
    os_world->exit(status);
    UNREACHABLE("a process came back from its end");
}

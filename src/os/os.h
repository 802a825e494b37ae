/* The one door to the outside: clocks, randomness, files, sockets, threads, processes.
 *
 * Every call goes through the table `os`, which is the real system (os/real.c) or the simulator (os/sim.h: one thread, one
 * seed, a disk that loses or tears what was not synced). File and socket handles are small integers of that table, not to
 * be given to the system; os_fd() gives the real one where a library needs it.
 *
 * Errors: ERR_RETRY for what may pass (ENOSPC, EIO, EMFILE, EAGAIN, ENOENT …), always with err->code = errno. The caller decides
 * what it means. No call is interrupted by a signal. */
#ifndef OS_OS_H
#define OS_OS_H

#include "base/err.h"
#include "base/mem.h"
#include "base/time.h"

/* ---- clocks and randomness ------------------------------------------------------------------------------------ */
struct wall_time os_wall(void);
struct mono_time os_mono(void);
void os_uuid(char out[37]);        /* a random UUID as text (RFC 4122, version 4) */
void os_random(void *p, size_t n); /* cryptographic in the real world, seeded in the simulator */

/* ---- files ---------------------------------------------------------------------------------------------------- */
enum {
    OS_READ = 1 << 0,
    OS_WRITE = 1 << 1,
    OS_CREATE = 1 << 2,    /* mode 0640; 0600 with OS_PRIVATE */
    OS_EXCLUSIVE = 1 << 3, /* with OS_CREATE: EEXIST if it is there */
    OS_TRUNCATE = 1 << 4,
    OS_DIRECT =
        1
        << 5, /* around the page cache: offsets, sizes and addresses multiples of OS_DIRECT_ALIGN; EINVAL where the file system cannot */
    OS_DSYNC = 1 << 6, /* a write returns when it is durable */
    OS_PRIVATE = 1 << 7,
    OS_APPEND = 1 << 8,
};
enum { OS_DIRECT_ALIGN = 4096, OS_PATH_MAX = 4096, OS_NAME_MAX = 255 };

struct os_stat {
    uint64_t size, inode, device;
    uint64_t allocated; /* bytes on disk */
    int64_t mtime_us;
    bool is_folder, is_file;
};

bool os_open(const char *path, unsigned flags, int *file, struct err *err);
void os_close(int file); /* −1 is fine */
/* Reads n bytes unless the file ends before: *got says how many. */
bool os_pread(int file, void *p, size_t n, uint64_t offset, size_t *got, struct err *err);
/* Sequential read of up to n bytes (pipes, stdin): *got 0 = end. */
bool os_read(int file, void *p, size_t n, size_t *got, struct err *err);
/* All n bytes or an error (then: unknown how much). */
bool os_pwrite(int file, const void *p, size_t n, uint64_t offset, struct err *err);
bool os_write(int file, const void *p, size_t n, struct err *err); /* sequential: pipes, stdout */
/* Data and what is needed to read it (fdatasync). A failed one is never tried again on the same handle. */
bool os_sync(int file, struct err *err);
/* Makes the entries of the folder durable. */
bool os_sync_folder(const char *path, struct err *err);
bool os_truncate(int file, uint64_t size, struct err *err);
/* Reserves space: writes into [offset, offset + n) cannot fail with ENOSPC afterwards. Extends the file. */
bool os_allocate(int file, uint64_t offset, uint64_t n, struct err *err);
/* Memory that goes to disks and comes from them: in huge pages it is a few long pieces instead of hundreds of short ones, which a
 * device takes a third faster. A hint. */
void os_huge_hint(void *p, size_t n);
/* Of what the system has in memory: code EAGAIN when it would have to wait for the disk. */
bool os_pread_cached(int file, void *p, size_t n, uint64_t offset, size_t *got, struct err *err);
/* That a read of [offset, offset + n), and os_sendfile, does not wait for the disk, so far as there is memory for the bytes.
 *   OS_PREFETCH_LOOK    is it so? Code EAGAIN: it is not
 *   OS_PREFETCH_BEGIN   it will be soon: a hint, for what is read next
 *   OS_PREFETCH_WAIT    blocks until it is so */
enum os_prefetch { OS_PREFETCH_LOOK, OS_PREFETCH_BEGIN, OS_PREFETCH_WAIT };
bool os_prefetch(int file, uint64_t offset, uint64_t n, enum os_prefetch how, struct err *err);
bool os_fstat(int file, struct os_stat *stat, struct err *err);
/* ENOENT is an error with code ENOENT. Follows links. */
bool os_stat(const char *path, struct os_stat *stat, struct err *err);
bool os_exists(const char *path);
bool os_rename(const char *from, const char *to, struct err *err); /* replaces `to` */
/* A second name; EEXIST if `to` is there: put-if-absent. */
bool os_link(const char *from, const char *to, struct err *err);
bool os_unlink(const char *path, struct err *err);
bool os_mkdir(const char *path, struct err *err); /* EEXIST is an error */
/* With parents; existing folders are fine. After it the way to the folder is durable: each entry was synced, by this process, once. */
bool os_mkdirs(const char *path, struct err *err);
bool os_rmdir(const char *path, struct err *err);
/* The folder and all in it. Missing is fine. */
bool os_remove_tree(const char *path, struct err *err);
/* Names in the folder, sorted bytewise, without "." and "..": names[*count] in arena. */
bool os_list(const char *path, struct arena *arena, char ***names, size_t *count, struct err *err);
/* An exclusive advisory lock on an open file; false with code EWOULDBLOCK when another process has it. */
bool os_lock(int file, struct err *err);
bool os_disk_free(const char *path, uint64_t *bytes, struct err *err);
/* Whole file into buf (cleared first); ERR_DATA when it is larger than limit. */
struct sbuf;
bool os_read_file(const char *path, size_t limit, struct sbuf *buf, struct err *err);
/* Atomically and durably: temporary file, sync, rename, sync of the folder. */
bool os_write_file(const char *path, const void *p, size_t n, struct err *err);
/* Real file descriptor for libraries (sqlite is behind its VFS and needs none). −1 in the simulator. */
int os_fd(int file);
/* Takes a real descriptor (0, 1, 2, an inherited socket) into the table. */
int os_adopt(int fd);
/* From now on this process may have as many open files as the system lets it have: 1,024, where shells begin, are few connections. */
void os_raise_file_limit(void);

/* ---- sockets -------------------------------------------------------------------------------------------------- */
/* All non-blocking, close-on-exec. `address` is "127.0.0.1:9092", "[::1]:0", "localhost:8080", or "unix:/path". */
bool os_listen(const char *address, int *file, char *bound, size_t bound_size,
               struct err *err); /* bound: with the real port */
/* code EAGAIN when nobody waits. peer: printable address. */
bool os_accept(int listener, int *file, char *peer, size_t peer_size, struct err *err);
/* How many bytes the system takes for the peer before it lets the sender wait. A hint. */
void os_send_buffer_hint(int file, size_t n);
bool os_connect(const char *address, int *file, struct err *err); /* may be in progress: writable when done */
/* *got 0 = the peer closed; code EAGAIN when nothing is there. */
bool os_recv(int file, void *p, size_t n, size_t *got, struct err *err);
bool os_send(int file, const void *p, size_t n, size_t *sent, struct err *err);
/* The spans one behind the other, of which at most the first OS_SPANS_MAX are looked at. */
enum { OS_SPANS_MAX = 64 };
struct os_span {
    const void *p;
    size_t n; /* > 0 */
};
/* more: other bytes follow at once, so that these need no packet of their own. */
bool os_send_spans(int file, const struct os_span *spans, size_t count, bool more, size_t *sent,
                   struct err *err);
/* Bytes [offset, offset + n) of an open file, which this process never sees: *sent of them; 0: the file ends before offset. It may wait for the disk, not for the
 * peer (EAGAIN). They have to stay as they are until the peer has them. Where os_signals was not called, a peer that is gone is SIGPIPE. */
bool os_sendfile(int socket, int file, uint64_t offset, size_t n, size_t *sent, struct err *err);
/* Who holds a listening TCP port, for "port is taken by …": "sluice (pid 123)", "" if unknown. */
void os_port_holder(const char *address, char *out, size_t size);

/* ---- waiting -------------------------------------------------------------------------------------------------- */
enum { OS_READABLE = 1, OS_WRITABLE = 2, OS_HANGUP = 4 };
struct os_event {
    void *arg;
    unsigned ready; /* OS_READABLE … */
};
/* A poller (epoll) with one wake handle. */
struct os_poller;
bool os_poller_new(struct os_poller **poller, struct err *err);
void os_poller_free(struct os_poller *poller);
/* interest 0 removes. Works on table handles; os_poller_watch_fd on real descriptors (libcurl, libmicrohttpd). */
bool os_poller_watch(struct os_poller *poller, int file, unsigned interest, void *arg, struct err *err);
bool os_poller_watch_fd(struct os_poller *poller, int fd, unsigned interest, void *arg, struct err *err);
/* Waits until something is ready, the poller is woken, or timeout_ns is over (−1 = for ever). Returns the number of events[max]. */
int os_poller_wait(struct os_poller *poller, struct os_event *events, int max, int64_t timeout_ns);
void os_poller_wake(struct os_poller *poller); /* any thread */

/* ---- threads (used by run/ only) ------------------------------------------------------------------------------- */
struct os_thread;
struct os_mutex;
bool os_thread_start(const char *name, void (*main)(void *arg), void *arg, struct os_thread **thread,
                     struct err *err);
void os_thread_join(struct os_thread *thread);
struct os_mutex *os_mutex_new(void);
void os_mutex_free(struct os_mutex *mutex);
void os_mutex_lock(struct os_mutex *mutex);
void os_mutex_unlock(struct os_mutex *mutex);
unsigned os_cpu_count(void); /* that this process may use */

/* ---- the process ----------------------------------------------------------------------------------------------- */
const char *os_env(const char *name); /* or NULL */
int os_pid(void);
bool os_is_terminal(int fd);
void os_terminal_size(int *columns, int *rows);
uint64_t os_memory_resident(void); /* VmRSS in bytes */
/* From now on SIGINT and SIGTERM call handler(arg, count) on the thread that waits in `poller` (count = 1, 2, …); SIGPIPE is ignored. */
bool os_signals(struct os_poller *poller, void (*handler)(void *arg, int count), void *arg, struct err *err);
_Noreturn void os_exit(int status); /* at once, no destructors */
/* Absolute path of path (which need not exist). */
char *os_absolute(struct arena *arena, const char *path);
/* The running program's own file. */
char *os_program(struct arena *arena);

/* ---- fault injection -------------------------------------------------------------------------------------------- */
/* The n-th call from now that can fail fails once with os_errno (0 = off). Returns the number of such calls since the last call. */
uint64_t os_fail_after(uint64_t n, int os_errno);

#endif

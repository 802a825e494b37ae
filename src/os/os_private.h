/* Inside os/: the table of functions that stands behind os.h, once for the real system and once for the simulator.
 *
 * Its functions return 0 or an errno and know nothing of texts, faults or compound operations: os.c and path.c add those, once
 * for both worlds. */
#ifndef OS_OS_PRIVATE_H
#define OS_OS_PRIVATE_H

#include "os/os.h"

struct os_table {
    struct wall_time (*wall)(void);
    struct mono_time (*mono)(void);
    void (*random)(void *p, size_t n);

    int (*open)(const char *path, unsigned flags, int *file);
    void (*close)(int file);
    int (*pread)(int file, void *p, size_t n, uint64_t offset, size_t *got);
    int (*read)(int file, void *p, size_t n, size_t *got);
    int (*pwrite)(int file, const void *p, size_t n, uint64_t offset);
    int (*write)(int file, const void *p, size_t n);
    int (*sync)(int file);
    void (*sync_failed)(int file); /* a fault was injected into a sync: what the system does then */
    int (*sync_folder)(const char *path);
    int (*truncate)(int file, uint64_t size);
    int (*allocate)(int file, uint64_t offset, uint64_t n);
    int (*pread_cached)(int file, void *p, size_t n, uint64_t offset, size_t *got);
    int (*prefetch)(int file, uint64_t offset, uint64_t n, enum os_prefetch how);
    int (*fstat)(int file, struct os_stat *stat);
    int (*stat)(const char *path, struct os_stat *stat);
    int (*rename)(const char *from, const char *to);
    int (*link)(const char *from, const char *to);
    int (*unlink)(const char *path);
    int (*mkdir)(const char *path);
    int (*rmdir)(const char *path);
    /* Names in any order, in arena. */
    int (*list)(const char *path, struct arena *arena, char ***names, size_t *count);
    int (*lock)(int file);
    int (*disk_free)(const char *path, uint64_t *bytes);
    int (*fd)(int file);
    int (*adopt)(int fd);
    /* What the handle stands for, for error texts. */
    void (*describe)(int file, char *out, size_t size);
    void (*folder_now)(char *out, size_t size); /* the current folder */

    int (*listen)(const char *address, int *file, char *bound, size_t bound_size);
    int (*accept)(int listener, int *file, char *peer, size_t peer_size);
    int (*connect)(const char *address, int *file);
    int (*recv)(int file, void *p, size_t n, size_t *got);
    int (*send)(int file, const struct os_span *spans, size_t count, bool more, size_t *sent); /* count ≥ 1 */
    int (*sendfile)(int socket, int file, uint64_t offset, size_t n, size_t *sent);            /* n ≥ 1 */
    void (*port_holder)(const char *address, char *out, size_t size);

    int (*poller_new)(struct os_poller **poller);
    void (*poller_free)(struct os_poller *poller);
    int (*poller_watch)(struct os_poller *poller, int file, unsigned interest, void *arg);
    int (*poller_watch_fd)(struct os_poller *poller, int fd, unsigned interest, void *arg);
    int (*poller_wait)(struct os_poller *poller, struct os_event *events, int max, int64_t timeout_ns);
    void (*poller_wake)(struct os_poller *poller);
    int (*signals)(struct os_poller *poller, void (*handler)(void *arg, int count), void *arg);

    const char *(*env)(const char *name);
    int (*pid)(void);
    void (*exit)(int status);
};

/* First member of each world's poller. */
struct os_poller {
    const struct os_table *table;
};

/* The world that calls go to now. Changed by sim_open and sim_close only, while there is one thread. */
extern const struct os_table *os_world;
extern const struct os_table os_real_table, os_sim_table;

/* path.c: nothing is known of what is durable, as at the start of a process. */
void os_folders_forget(void);

/* Handles differ from descriptors, so that one given in the place of the other is EBADF and not another file. */
enum { OS_REAL_BASE = 1 << 16, OS_SIM_BASE = 1 << 20 };

/* real_net.c, for the table in real.c */
int real_listen(const char *text, int *file, char *bound, size_t bound_size);
int real_accept(int listener, int *file, char *peer, size_t peer_size);
int real_connect(const char *text, int *file);
int real_recv(int file, void *p, size_t n, size_t *got);
int real_send(int file, const struct os_span *spans, size_t count, bool more, size_t *sent);
int real_sendfile(int socket, int file, uint64_t offset, size_t n, size_t *sent);
void real_port_holder(const char *address, char *out, size_t size);

/* real_poll.c */
int real_poller_new(struct os_poller **out);
void real_poller_free(struct os_poller *base);
int real_poller_watch(struct os_poller *base, int file, unsigned interest, void *arg);
int real_poller_watch_fd(struct os_poller *base, int fd, unsigned interest, void *arg);
int real_poller_wait(struct os_poller *base, struct os_event *events, int max, int64_t timeout_ns);
void real_poller_wake(struct os_poller *base);
int real_signals(struct os_poller *base, void (*handler)(void *arg, int count), void *arg);

#endif

/* Inside the simulator: its state, all of it in memory shared between the test and the lives.
 *
 * The state is mapped before any life forks, at an address that all of them inherit: pointers into it mean the same everywhere. */
#ifndef OS_SIM_PRIVATE_H
#define OS_SIM_PRIVATE_H

#include "base/list.h"
#include "os/os_private.h"
#include "os/sim.h"

enum {
    SIM_BLOCK = 4096,   /* of a file's content */
    SIM_SECTOR = 512,   /* written whole or not at all, whatever happens */
    SIM_CHUNK = 512,    /* slots of a file's table that are made at a time */
    SIM_HANDLES = 4096, /* open at a time; EMFILE past it */
    SIM_DEVICE = 0x51,
    SIM_SMALL_MAX = 8192,       /* allocations up to this have a free list for each multiple of 16 */
    SIM_LARGE_CLASSES = 96,     /* and 4 for each doubling above it */
    SIM_LIFE_SECONDS_MAX = 600, /* real ones: an endless loop is a failed life */
};
#define SIM_MEMORY (UINT64_C(8) << 30)   /* address space; pages come as they are touched */
#define SIM_FILE_MAX (UINT64_C(1) << 40) /* bytes; EFBIG past it */
#define SIM_DIRTY_MAX                                                                                        \
    (UINT64_C(16)                                                                                            \
     << 20) /* unsynced bytes of a file; then the oldest half is written back, as a kernel does */
#define SIM_DISK_DEFAULT (UINT64_C(1) << 30)
#define SIM_WALL_START (INT64_C(1706933106) * US_PER_S) /* 2024-02-03T04:05:06Z */

/* ---- files ---------------------------------------------------------------------------------------------------- */

struct sim_block {
    uint64_t refs; /* slots that show it */
    uint8_t data[SIM_BLOCK];
};

/* 4 KiB of a file: as programs see it, and as a power cut would leave it if all that is unsynced were lost. NULL = zeros. */
struct sim_slot {
    struct sim_block *now, *durable;
    uint64_t synced_at; /* sim->order when durable became now: older unsynced writes do not count any more */
    bool reserved, reserved_durable; /* os_allocate */
};

struct sim_chunk {
    struct sim_slot slots[SIM_CHUNK];
};

enum sim_change_kind { SIM_WRITE, SIM_RESIZE, SIM_ALLOCATE };
enum sim_fate { SIM_LOST, SIM_KEPT, SIM_TORN };

/* Something done to a file and not synced yet. */
struct sim_write {
    struct sim_write *next;
    enum sim_change_kind kind;
    enum sim_fate fate; /* while a power cut is settled */
    uint64_t order;
    uint64_t offset; /* SIM_RESIZE: the new size */
    uint64_t n;      /* SIM_RESIZE: the size before */
    bool is_clean;   /* a sync of it failed: no later sync concerns it */
    uint8_t data[];  /* data[n] of SIM_WRITE */
};

/* ---- folders --------------------------------------------------------------------------------------------------- */

struct sim_entry {
    char *name;
    struct sim_inode *inode; /* counted in its names or durable_names */
};

/* Sorted by name. */
struct sim_entries {
    struct sim_entry *all; /* all[count] */
    size_t count, capacity;
};

/* One name of a folder, set to an inode or removed, and not synced yet. A rename is two of the same order: both or none is kept. */
struct sim_renaming {
    struct sim_renaming *next;
    uint64_t order;
    char *name;
    struct sim_inode *after;   /* NULL = removed; counted in its change_refs */
    struct sim_inode *partner; /* the folder that has the other half, NULL = no rename */
};

struct sim_inode {
    uint64_t number;
    bool is_folder;
    bool is_counted; /* its blocks are in sim->blocks_used */
    uint32_t names, durable_names, change_refs, handles;
    int locked_by; /* handle, −1 = nobody */
    int64_t mtime_us;
    struct list all; /* of sim->inodes */

    /* files */
    uint64_t size, durable_size;
    struct sim_chunk **chunks; /* chunks[chunk_count] */
    size_t chunk_count;
    uint64_t blocks; /* slots that hold or reserve space */
    struct sim_write *first_write, *last_write;
    uint64_t unsynced_bytes;

    /* folders */
    struct sim_inode *parent; /* NULL for the root */
    struct sim_entries now, durable;
    struct sim_renaming *first_renaming, *last_renaming;
    uint64_t keep_order; /* while renamings are committed or cut */
};

/* ---- handles, sockets ------------------------------------------------------------------------------------------ */

enum sim_handle_kind { SIM_FREE, SIM_FILE, SIM_STANDARD, SIM_LISTENER, SIM_STREAM };

struct sim_handle {
    enum sim_handle_kind kind;
    struct sim_inode *inode;
    char *path; /* as it was opened, for texts */
    unsigned flags;
    uint64_t position;
    uint64_t life; /* 0 = the test's own */
    int real;      /* SIM_STANDARD: 0, 1 or 2 */
    struct sim_socket *socket;
};

/* ---- all of it --------------------------------------------------------------------------------------------------- */

/* Bytes on their way. */
struct sim_segment {
    struct sim_segment *next;
    int64_t due_ns; /* of sim->clock_ns: when they arrive */
    size_t n, taken;
    uint8_t data[]; /* data[n] */
};

/* A listener, or one end of a connection. Gone with the life. */
struct sim_socket {
    uint64_t id;
    struct list all;               /* of sim->sockets */
    char address[OS_NAME_MAX + 1]; /* its own, as "127.0.0.1:port" or "unix:path" */
    char peer_address[OS_NAME_MAX + 1];
    bool is_listener;
    struct list backlog;     /* of a listener: ends that wait to be accepted; of such an end: its link */
    struct sim_socket *peer; /* NULL = closed, or never there */
    int64_t ready_ns;        /* when it is connected, or arrives at the listener */
    int64_t end_ns;          /* when the end of the peer's bytes arrives; INT64_MAX = the peer lives */
    int why;                 /* ECONNREFUSED, ECONNRESET: what each call says */
    struct sim_segment *first, *last;
    size_t waiting; /* bytes in segments */
};

struct sim_rng {
    uint64_t state;
};

struct sim_world {
    uint8_t *at, *end; /* free memory */
    void *free_small[SIM_SMALL_MAX / 16 + 1], *free_large[SIM_LARGE_CLASSES];

    struct sim_rng scenario, program, inner;
    int64_t clock_ns, boot_ns; /* since sim_open; of the last start of the machine */
    uint64_t trace;
    bool prints;

    struct sim_options options;
    uint64_t life; /* number of the life that runs or ran last */
    bool in_life;
    bool has_no_child; /* the life was begun by sim_live_here */
    bool has_crashed, has_exited, has_returned;
    int status;
    uint64_t calls, calls_fallible;

    struct list inodes;
    struct sim_inode *root;
    uint64_t next_number, order;
    uint64_t blocks_total, blocks_used;
    struct sim_handle handles[SIM_HANDLES];
    struct list sockets;
    uint64_t next_port;
};

extern struct sim_world *sim; /* NULL = the simulator is off */

/* sim_memory.c */
void sim_memory_init(struct sim_world *world, void *begin, void *end);
/* Zeroed; freed with its size. */
void *sim_alloc(size_t size) __attribute__((returns_nonnull));
void sim_free(void *p, size_t size);
char *sim_strdup(const char *s);

/* sim.c */
uint64_t sim_next(struct sim_rng *rng);
/* True with a probability of one in n. */
bool sim_one_in(uint64_t n);
void sim_exit_life(int status); /* os_exit */
void sim_forget_life(void);     /* closes what the last life left open */

/* sim_file.c */
int sim_file_write(struct sim_inode *inode, const void *p, size_t n, uint64_t offset);
size_t sim_file_read(const struct sim_inode *inode, void *p, size_t n, uint64_t offset);
int sim_file_resize(struct sim_inode *inode, uint64_t size);
int sim_file_allocate(struct sim_inode *inode, uint64_t offset, uint64_t n);
void sim_file_sync(struct sim_inode *inode);
/* What a synchronous write makes durable: its range, and the size. */
void sim_file_sync_range(struct sim_inode *inode, uint64_t offset, uint64_t n);
void sim_file_sync_failed(struct sim_inode *inode, bool loses);
void sim_file_power_cut(struct sim_inode *inode);
void sim_file_damage(struct sim_inode *inode, uint64_t offset, uint64_t n);
void sim_file_check(const struct sim_inode *inode);
void sim_file_free(struct sim_inode *inode); /* its content */

/* sim_folder.c */
struct sim_inode *sim_inode_new(bool is_folder);
/* After a name, a handle or a pending change went away. */
void sim_inode_release(struct sim_inode *inode);
/* *inode of a path that is there. */
int sim_find(const char *path, struct sim_inode **inode);
/* The folder and last name of a path; *inode NULL when the name is not there. */
int sim_find_place(const char *path, struct sim_inode **folder, char name[OS_NAME_MAX + 1],
                   struct sim_inode **inode);
int sim_folder_set(struct sim_inode *folder, const char *name, struct sim_inode *inode); /* NULL removes */
int sim_folder_rename(struct sim_inode *from, const char *from_name, struct sim_inode *to,
                      const char *to_name);
void sim_folder_sync(struct sim_inode *folder);
void sim_folders_power_cut(void); /* all of them, and frees what no name leads to */
void sim_disk_check(void);
void sim_folder_dump(const struct sim_inode *folder, int depth);

/* sim_net.c */
void sim_socket_close(struct sim_handle *handle);
int sim_listen(const char *address, int *file, char *bound, size_t bound_size);
int sim_accept(int listener, int *file, char *peer, size_t peer_size);
int sim_connect(const char *address, int *file);
int sim_recv(int file, void *p, size_t n, size_t *got);
int sim_send(int file, const struct os_span *spans, size_t count, bool more, size_t *sent);
int sim_sendfile(int socket, int file, uint64_t offset, size_t n, size_t *sent);
void sim_port_holder(const char *address, char *out, size_t size);
int sim_poller_new(struct os_poller **out);
void sim_poller_free(struct os_poller *base);
int sim_poller_watch(struct os_poller *base, int file, unsigned interest, void *arg);
int sim_poller_watch_fd(struct os_poller *base, int fd, unsigned interest, void *arg);
int sim_poller_wait(struct os_poller *base, struct os_event *events, int max, int64_t timeout_ns);
void sim_poller_wake(struct os_poller *base);
int sim_signals(struct os_poller *base, void (*handler)(void *arg, int count), void *arg);

/* sim_table.c: handles */
struct sim_handle *sim_handle(int file); /* NULL when it is not open */
int sim_handle_new(enum sim_handle_kind kind, int *file);

/* Of sim_table.c and sim_net.c: the beginning of a call that changes the outside. Time passes; *crash says whether this is the call
 * that the life ends in: SIM_DIE_BEFORE does not return. */
enum sim_crash { SIM_LIVE, SIM_DIE_WITHIN, SIM_DIE_AFTER };
enum sim_crash sim_begin(const char *name, const char *what, uint64_t a, uint64_t b, int64_t ns);
/* Its end: dies when it has to, otherwise returns result. */
int sim_end(enum sim_crash crash, int result);
/* A call that only looks: time passes. */
void sim_look(const char *name, const char *what, uint64_t a, uint64_t b, int64_t ns);

#endif

/* Inside log/: the store, its logs and segments, and who touches what.
 *
 * Fields are grouped by who may touch them:
 *   [const]  set before anyone else sees the struct
 *   [disk]   the disk role alone (main, while the store opens or closes)
 *   [lock]   any role, with the struct's lock held; written by the disk role alone unless said otherwise
 * Order of locks: store->lock, then log->lock, then files_lock or a pool's.
 *
 *   store.c     opening and closing          frame.c    what producers build
 *   admit.c     may this frame in?           commit.c   gather, write, acknowledge
 *   apply.c     what a durable frame does    catalog.c  topics and segment states as records
 *   tail.c      young data in memory         segment.c  files, positions, indexes
 *   behind.c    segments behind, tail moves  read.c     reading by offset and by time
 *   lease.c     reading for others, in place
 *   retain.c    retention, pins, deletion    compact.c  compacted topics
 *   producer.c  what a log knows of them     txnindex.c aborted transactions
 *   journal.c   the ring (rules above it)    kv.c       a sorted map */
#ifndef LOG_LOG_PRIVATE_H
#define LOG_LOG_PRIVATE_H

#include "base/map.h"
#include "format/records.h"
#include "log/journal.h"
#include "log/kv.h"
#include "log/producer.h"
#include "log/store.h"
#include "run/buf_pool.h"

/* Test only: each breaks one mechanism of exactly-once on purpose, so that a test can show that it is caught. */
struct store_faults {
    bool any_end_is_fine;       /* rule 1: damage is taken for the end */
    bool no_chain;              /* rule 1: neither incarnation nor the previous frame's checksum count */
    bool ack_before_write;      /* rules 1, 6: frames are acknowledged and readable before they are written */
    void (*acknowledged)(void); /* runs between the two: others may act on it */
    bool no_segment_sync;       /* rule 2 */
    bool no_folder_sync;        /* rule 2 */
    bool name_before_sync;      /* rule 3: a compacted file is named before it is synced */
    bool ignore_sync_error;     /* rule 4 */
    bool no_allocation;         /* rule 5: space is not allocated before an append is accepted */
    bool no_reserve;            /* rule 5: all frames may use all of the ring */
    bool length_of_file;        /* rule 6: valid length is taken from the file */
    bool lazy_sinks;            /* rule 7: log_synced is log_end */
    bool same_epoch;            /* rule 7: a start does not raise the leader epoch */
    bool no_pins;               /* rule 8 */
    bool no_producers;          /* a tail moves without what is known of producers */
    bool stable_when_placed;    /* a transaction ends when its marker is placed, not when it is durable */
    bool answer_at_once;        /* a duplicate is answered before its original is durable */
    bool no_txn_index_sync;     /* a tail moves before the index of aborted transactions is synced */
};
extern struct store_faults store_faults;

enum {
    LOG_CATALOG = 1, /* ids of the two built-in logs */
    LOG_POSITIONS = 2,
    LOG_FIRST_FREE = 3,

    RING_FILE_BYTES_MIN = 64 << 10,
    RESERVE_BYTES_MIN = 32 << 10, /* half of it is for root frames: two may be needed to free a file */

    GROUP_BYTES_MAX = 512 << 10, /* frames gathered into one write, unless a single one is larger */
    FLIGHT_BYTES = 128 << 10,
    CHUNK_BYTES_MAX = 4 << 20, /* of tail memory */
    CHUNK_BYTES_MIN = 64 << 10,
    CONFIRM_IDLE_MS = 5,      /* rule 1: the confirming frame */
    LAZY_SYNC_MS = 5,         /* flush: os */
    ROOM_RETRY_MS = 500,      /* while frames are refused: how often the disk is asked again */
    TAIL_MOVE_MS = 30 * 1000, /* a tail that stands longer is moved though nothing presses */
    RETENTION_MS = 10 * 1000, /* how often retention looks */
    RETENTION_LEAST_MS = 300 *
                         1000, /* how long a segment stays though its records were too old when they came */
    RETENTION_GRACE_MS = 60 * 1000, /* after a start, before retention looks first: readers set their pins */
    INDEX_INTERVAL = 4096,          /* bytes of a segment between two entries of its indexes */
    SEGMENT_BYTES_MIN = 1 << 12,
    SEGMENT_BYTES_MAX = 1 << 30,
    ALLOCATE_FIRST = 64 << 10, /* a segment's space is reserved in doubling steps */
    ALLOCATE_STEP_MAX = 16 << 20,
    KV_ALLOCATE = 1 << 20,        /* and at least so far ahead for built-in logs */
    KV_SLACK_BYTES = 4 << 20,     /* a kv log is rewritten when it is twice its content and this */
    DISK_MARGIN_BYTES = 32 << 20, /* disk space that is left for internal frames */
    OPEN_FILES_MAX = 384,         /* segment files that are kept open */
    CURSORS = 8,                  /* remembered places of sequential readers, per log */
    READ_POOL_BYTES = (1 << 20) +
                      4 * INDEX_INTERVAL, /* clients ask for 1 MiB; more is read to find its beginning */
    READ_POOL_KEEP = 16,
    QUEUE_BYTES_MAX = 64 << 20,    /* of frames waiting; then store_has_room is false */
    EPOCHS_MAX = 64,               /* kept leader epochs of a log */
    PRODUCER_LOOK_MS = 600 * 1000, /* how often producers are looked for that were idle for too long */
    PRODUCERS_CHANGED_MAX =
        1 << 16, /* so many changed ones, of all logs, make the tail move: they go into one root frame */
    ABORTED_KEEP =
        128, /* entries of a segment's transaction index that stay in memory though they are in the file */
    ABORTED_BYTES = 34, /* of one entry in the file */
};
#define PIN_BYTES_DEFAULT (INT64_C(16) << 30)

/* ---- segments -------------------------------------------------------------------------------------------------------------- */

struct index_entry {
    uint32_t relative; /* last offset of a batch, minus the segment's base */
    uint32_t position; /* where that batch begins */
};
struct time_entry {
    int64_t timestamp;
    uint32_t relative;
};

/* An aborted transaction: the entry of a .txnindex file in memory. */
struct aborted {
    int64_t producer_id, first, last; /* its first record's offset, and its marker's */
    int64_t stable; /* the last stable offset behind it: no open transaction begins before that */
};

/* What a restart has to know of a segment, kept in the catalogue. */
struct segment_state {
    int64_t base, next_offset;
    uint32_t length;                  /* valid bytes */
    uint32_t generation;              /* + 1 with each compaction */
    uint32_t index_count, time_count; /* entries in the index files */
    uint32_t since_index;             /* bytes since the last index entry */
    uint32_t aborted_count;           /* entries in the transaction index file */
    int64_t max_timestamp, max_timestamp_offset, last_time_entry;
    int64_t created_ms; /* wall time of its first append */
};

struct segment {
    struct log *log;            /* [const] */
    struct segment_state state; /* [log->lock] */
    int refs;                   /* [files_lock] the log's one, and a lease each */
    bool doomed; /* [files_lock] its file was unlinked or replaced: close the handle with the last lease */
    int file, file_users;      /* [files_lock] −1 = closed */
    struct list file_link;     /* [files_lock] in store->open_files, least recently used first */
    uint32_t spilled;          /* [log->lock] bytes that are in the file */
    struct index_entry *index; /* [log->lock] entries that are not in the index file yet */
    struct time_entry *times;
    size_t index_n, index_capacity, times_n, times_capacity;
    struct aborted *
        aborted; /* [log->lock] the newest ones, by `last`; of them the last aborted_new are not in the file yet */
    size_t aborted_n, aborted_new, aborted_capacity;
    int64_t aborted_before; /* [log->lock] those that only the file has end before that offset */
    uint64_t allocated;     /* [disk] */
    uint32_t aborted_reserved,
        aborted_allocated; /* [disk] entries that there will be, or are; bytes of the file */
    bool closed;           /* [disk] a later segment has begun */
    bool unsynced;         /* [disk] */
    bool changed;          /* [disk] its state differs from the catalogue's */
    bool gone;             /* [disk] deleted or replaced */
    bool settled;          /* [disk] closed, synced, and the tail has passed it */
    bool lost;             /* [disk] when the store was opened its file was not there, or too short */
    bool trimmed;          /* [disk] settled, and its file ends where its bytes end */
};

/* ---- logs ------------------------------------------------------------------------------------------------------------------ */

struct chunk {
    struct list link; /* store->chunks, oldest first */
    struct buf *buf;
    size_t used;
    struct log **logs; /* that have entries in it */
    size_t log_count, log_capacity;
    size_t unspilled; /* entries whose bytes are not in a segment yet, and groups that are being written */
};

/* One append in memory. */
struct tail_entry {
    int64_t base, next;
    struct chunk *chunk;
    const uint8_t *p;
    struct segment *segment;
    int64_t stable;       /* last stable offset once this is durable */
    uint32_t n, position; /* in the segment */
};

struct tail {
    struct tail_entry *ring; /* [capacity], a power of two */
    size_t first, count, capacity;
    size_t spilled; /* of the first: are in segments too */
};

struct cursor {
    struct segment *segment; /* compared, never followed */
    int64_t offset;
    uint32_t position;
};

struct epoch_start {
    int32_t epoch;
    int64_t start;
};

struct log {
    struct store *store; /* [const] */
    struct topic *topic;
    int32_t partition;
    uint32_t id;
    char *folder;
    struct lock *lock;

    /* [lock] */
    int64_t start, end, synced, stable;
    struct segment **segments; /* ascending; the last one is written to */
    size_t segment_count, segment_capacity;
    struct tail tail;
    struct list waits, pins;
    struct cursor cursors[CURSORS];
    unsigned next_cursor;
    struct epoch_start *epochs;
    size_t epoch_count, epoch_capacity;
    struct producers producers; /* as of what was placed */
    bool has_aborted;           /* some segment may have an entry in its transaction index */
    unsigned swaps;             /* segments that compaction has replaced */
    int refs;
    bool dead;

    /* [disk] */
    struct log *next_dead;
    uint64_t
        drop_after; /* built-in: segments before the start go when the tail has passed this position; 0 = nothing to do */
    int64_t next_offset;
    struct chunk *last_chunk;
    bool folder_made, folder_unsynced, epochs_changed;
    bool is_dirty, is_unsynced_end;
    struct list dirty_link;    /* store->dirty: has something to spill or sync */
    struct list unsynced_link; /* store->unsynced_ends: flush: os */
    const void *plan_owner;    /* the frame that is being admitted, and how far it would bring this log */
    struct segment *plan_segment;
    int64_t plan_next;
    uint64_t plan_length;
};

struct topic {
    struct store *store;
    const struct topic_info
        *info;         /* [store->lock] replaced whole; old ones are kept until the store closes */
    struct log **logs; /* [store->lock] [info->partitions] */
    bool dead;
};

/* ---- frames ---------------------------------------------------------------------------------------------------------------- */

enum item_kind { ITEM_APPEND, ITEM_CREATE, ITEM_DELETE, ITEM_ALTER, ITEM_TRUNCATE };

struct frame_item {
    enum item_kind kind;
    struct log *log; /* append, truncate */
    struct buf *buf; /* one reference, or NULL: bytes in frame->copied */
    size_t at, n;
    int64_t offset;           /* truncate: the new start; append: offsets it uses */
    struct topic_info *topic; /* create, delete, alter */
    struct segment *begins;   /* append: a new segment that it begins, made when it was admitted */
    int64_t time_ms;          /* append: the time that its batches get; −1 = they keep theirs */
    /* of frame_append_produce and frame_append_marker: */
    size_t result; /* index into the frame's results */
    unsigned flags;
    bool may_fall_out, has_fallen_out, is_corrupt, is_marker, raises_epoch;
    bool aborts;            /* it ends a transaction that had begun in this log */
    struct aborted aborted; /* then */
};

/* What was known of a producer before an append of the frame that is being admitted. */
struct producer_undo {
    struct log *log;
    struct producer before;
};

struct frame_full {
    struct frame f;
    struct store *store;
    struct loop *loop; /* where done runs; NULL: in place, on the disk role */
    struct msg submit, reply;
    struct list link;
    struct frame_item *items;
    size_t item_count, item_capacity, append_count, result_capacity;
    struct sbuf copied;
    struct records_builder puts; /* frame_put */
    struct str put_batch;
    bool has_puts, in_flight, finished;
    struct err early; /* an append or put that cannot be: the frame will be refused */
    size_t bytes;
    /* [disk] */
    struct records_builder catalog; /* records for the catalogue's log */
    struct str catalog_batch;
    bool has_catalog;
    struct frame_item catalog_item, put_item;
    const struct sbuf *root; /* payload of JF_ROOT */
    uint64_t root_tail;      /* the tail that it describes */
    bool is_root, is_opening, last_part;
    struct sbuf last_key; /* of a part of a rewriting */
    size_t encoded;       /* bytes in the journal */
    size_t produce_count; /* appends that may fall out */
    size_t fallen_out;
    struct producer_undo *undo;
    size_t undo_count, undo_capacity;
};

/* ---- the store --------------------------------------------------------------------------------------------------------------- */

struct behind_job;

struct store {
    struct pool *pool;
    char *folder, *topics_folder;
    struct store_options options;
    struct loop *disk;
    int lock_file;
    struct os_stat folder_stat;
    bool is_replaying;
    bool is_open;  /* recovery is over */
    bool in_place; /* [disk] loops do not run: segment work is done at once */

    struct lock *lock;       /* topics, kv, room waiters */
    struct map topics;       /* [lock] name → struct topic */
    struct map topics_by_id; /* [lock] the same */
    struct kv catalog;       /* [disk] */
    struct kv positions;     /* [lock] */
    struct list room_waits;  /* [lock] */

    struct lock *files_lock;
    struct list open_files;
    size_t open_count;

    struct buf_pool *chunk_pool, *read_pool;
    size_t chunk_bytes;

    /* ---- disk ---- */
    struct journal journal;
    struct log **logs; /* [log id], NULL where none lives */
    size_t logs_capacity;
    uint32_t next_log_id;
    struct log *dead_logs; /* of deleted topics: freed when the store closes, since readers may hold them */
    struct log *catalog_log, *positions_log;
    struct list queue, internal_queue;
    uint64_t queue_bytes;
    struct task task;
    struct msg start;
    struct timer confirm_timer, sync_timer, room_timer, tail_timer, retention_timer;
    bool task_ready;
    bool blocked;            /* the first frame of a queue waits for room */
    struct flights *flights; /* groups that are being written; NULL: all are written in place */
    struct list chunks;
    uint64_t chunk_total;     /* bytes of all chunks */
    uint64_t unspilled_bytes; /* of those that have something unspilled: they cannot go */
    struct list dirty, unsynced_ends;
    bool topics_folder_unsynced;
    struct loop *behind; /* carries out jobs; NULL: they are done in place */
    struct behind_job *job;
    bool growing;                /* the job adds a file to the ring */
    bool tail_wanted;            /* move the tail as soon as no job runs */
    bool root_refused;           /* there was no space for a root frame: not before room_timer */
    bool refused_since;          /* an append was refused for want of space since room_timer fired last */
    uint64_t disk_margin;        /* free bytes that are left for internal frames */
    uint64_t kv_ahead;           /* bytes reserved ahead in the built-in logs */
    struct sbuf root;            /* of the root frame in flight */
    struct frame_full *kv_frame; /* rewriting of a kv log: */
    int kv_which;                /* 0 = none, 1 = the catalogue's, 2 = the positions' */
    struct sbuf kv_key;          /* the key that it has come to */
    int64_t kv_from;             /* the offset where it began */
    bool kv_paused;
    /* keys (each after its length, u8) of deleted segments and forgotten producers, for the next root frame */
    struct sbuf forgotten;
    size_t forgotten_n;       /* bytes of them that are in the root frame in flight */
    size_t producers_changed; /* in all logs: the next root frame, or the one in flight, tells of so many */
    struct mono_time producers_looked;
    struct log *kv_roll; /* this log begins a new segment with its next append */
    struct compaction *compaction;
    bool compaction_waits; /* for the tail to pass segments that are worth it */

    /* counters of the disk role, read by any */
    struct counter frames, refused, ring_used, ring_bytes, tail_bytes, writes, bytes, syncs, waiting,
        pausing,    /* an append was refused: the next ones wait until room_timer fires */
        full_said,  /* the disk is full, and those who listen know */
        epoch, lsn; /* of the newest frame that is durable */
};

/* store.c */
__attribute__((format(printf, 3, 4))) void store_log(struct store *store, enum store_event event,
                                                     const char *format, ...);
/* Rule 4: says why, and ends the process; the next start recovers. */
_Noreturn void store_die(struct store *store, const struct err *err);
enum { STORE_EXIT = 1 };
/* Tests: forgets the store as a crash would, without writing anything. */
void store_faults_forget(struct store *store);
/* Ends the process if the folder that we write to by name is not the one that we opened. */
void store_check_folder(struct store *store);
/* Would the disk still have its margin with `more` bytes taken? */
bool store_leaves_margin(struct store *store, uint64_t more, struct err *err) ON(disk);
/* Wakes those who wait for room when there is some. */
void store_room_back(struct store *store) ON(disk);

/* frame.c */
struct frame_full *frame_internal(struct store *store);
void frame_catalog_put(struct frame_full *frame, struct str key, struct str value) ON(disk);
void frame_seal(struct frame_full *frame); /* its batches are complete; frame->encoded is known */
const uint8_t *frame_item_bytes(const struct frame_full *frame, const struct frame_item *item);
/* All its appends fell out, and nothing else is in it: there is nothing to write. */
static inline bool frame_is_void(const struct frame_full *frame)
{
    return frame->fallen_out > 0 && frame->fallen_out == frame->item_count && !frame->has_puts &&
           !frame->has_catalog && frame->root == NULL;
}
void frame_finish(struct frame_full *frame, bool durable, const struct err *err);

/* admit.c */
enum admit { ADMIT_YES, ADMIT_WAIT, ADMIT_NO };
enum admit frame_admit(struct store *store, struct frame_full *frame, size_t group_bytes, struct err *err)
    ON(disk);
bool segment_prepare(struct log *log, int64_t base, struct segment **segment, struct err *err) ON(disk);
bool segment_allocate(struct segment *segment, uint64_t length, bool internal, struct err *err) ON(disk);
void frame_unadmit(struct frame_full *frame) ON(disk);

/* commit.c */
/* Queues a frame of the store's own; done runs in place. */
void store_queue(struct store *store, struct frame_full *frame);
void store_wake(struct store *store);
/* One group if there is one, and what has to be done behind. True: there is more to do. */
bool store_work(struct store *store) ON(disk);
/* Works in place until the frame is finished. */
void store_work_until(struct store *store, struct frame_full *frame) ON(disk);
/* Gets the loops that write groups in flight, lets them run, and ends them; lands: after what is in flight has been acknowledged. */
bool commit_start(struct store *store, struct err *err);
bool commit_run(struct store *store, struct err *err);
void commit_stop(struct store *store, bool lands);
void store_sync_ends(struct store *store) ON(disk);
void store_drop_queues(struct store *store);

/* apply.c */
/* Gives the append its place: base offset and epoch in its batches at p, segment, indexes. Returns the offset after it. */
void log_place(struct log *log, uint8_t *p, uint32_t n, bool roll, struct segment *begins, int32_t epoch,
               struct tail_entry *entry) ON(disk);
/* The producer's part of it: before it is placed, at batch->base_offset. False: it ends no transaction by abortion; true: that is in *aborted. With the log's lock. */
bool log_apply_producer(struct log *log, const uint8_t *p, const struct records_batch *batch,
                        struct aborted *aborted) ON(disk);
/* What is known of a producer is this. With the log's lock. */
void log_set_producer(struct log *log, const struct producer *producer) ON(disk);
/* It is durable: readers may see it. */
void log_publish(struct log *log, struct chunk *chunk, const struct tail_entry *entry) ON(disk);
bool store_apply_frame(struct store *store, struct chunk *chunk, const uint8_t *frame,
                       const struct jf_header *header, const struct tail_entry *entries, struct err *err)
    ON(disk);
bool store_replay_frame(void *arg, const struct jf_header *header, const uint8_t *frame, struct err *err);
void kv_apply_batch(struct kv *kv, struct lock *lock, const uint8_t *p, size_t n);

/* tail.c */
struct chunk *tail_chunk(struct store *store, size_t n) ON(disk); /* with n free bytes, block aligned */
void tail_push(struct log *log, const struct tail_entry *entry) ON(disk);
void chunk_hold(struct store *store, struct chunk *chunk) ON(disk);
void chunk_let(struct store *store, struct chunk *chunk) ON(disk);
void tail_drop_old(struct store *store) ON(disk);
/* What is in segments and ends by that offset is read from there. With the log's lock held. */
void tail_drop_before(struct log *log, int64_t offset) ON(disk);
void tail_drop_log(struct log *log) ON(disk);
void tail_fini(struct store *store);
static inline struct tail_entry *tail_at(const struct tail *tail, size_t i)
{
    return &tail->ring[(tail->first + i) & (tail->capacity - 1)];
}
/* Index of the entry that holds offset, or of the first after it; count when none. */
size_t tail_find(const struct tail *tail, int64_t offset);

/* segment.c */
struct segment *segment_new(struct log *log, const struct segment_state *state);
void segment_unref(struct segment *segment);
/* A handle that stays open until given back. */
bool segment_file_take(struct segment *segment, int *file, struct err *err);
bool segment_file_take_open(struct segment *segment,
                            int *file); /* only if it is open: no call that may wait for the disk */
void segment_file_give(struct segment *segment);
bool segment_is_doomed(struct segment *segment);
void segment_ref(struct segment *segment);
/* The file ends where the valid bytes end: what was allocated beyond them is given back. Disk role. */
void segment_trim(struct segment *segment);
void segment_close_file(
    struct segment *segment); /* with the last lease: the name leads to another file, or to none */
void segment_path(const struct segment *segment, const char *suffix, char *out, size_t size);
void segment_index(struct segment *segment, const struct records_batch *batch, uint32_t position);
void segment_close(struct segment *segment); /* no append follows: last index entries */
size_t segment_of(const struct log *log,
                  int64_t offset); /* index of the last one with base ≤ offset; SIZE_MAX */
void log_add_segment(struct log *log, struct segment *segment);
/* Adds to its transaction index; with the log's lock. */
void segment_add_aborted(struct segment *segment, const struct aborted *aborted);
/* Space for one more entry in the file. */
bool segment_reserve_aborted(struct segment *segment, bool internal, struct err *err) ON(disk);
uint32_t segment_aborted_count(const struct segment *segment); /* with the log's lock */
void aborted_put(uint8_t p[ABORTED_BYTES], const struct aborted *aborted);
/* Entries [from, to) of the file. */
bool segment_read_aborted(const struct segment *segment, uint32_t from, uint32_t to, struct aborted *aborted,
                          struct err *err);
/* Entries that concern [from, to), by first offset, for mem_free. With the log's lock, which it lets go while it reads files. cached: it reads none;
 * *cold: it would have had to. */
bool log_find_aborted(struct log *log, int64_t from, int64_t to, bool cached, struct aborted **aborted,
                      size_t *count, bool *cold, struct err *err);
/* The same as log_aborted gives them. */
bool log_give_aborted(struct log *log, int64_t from, int64_t to, bool cached, struct arena *arena,
                      struct records_aborted **given, size_t *count, bool *cold, struct err *err);
/* Deletes files of a segment that is in no log any more. */
void segment_delete(struct segment *segment) ON(disk);
bool segment_swap_in(struct segment *segment, struct err *err) ON(disk);
/* Greatest position ≤ within that memory knows to begin a batch with last offset ≤ offset; zeroed: none. False: its index file, with count entries, may know
 * one. With the log's lock; the second reads the file, and without. */
bool segment_seek(const struct segment *segment, int64_t offset, uint32_t within, struct index_entry *found);
struct index_entry segment_seek_file(const struct segment *segment, int64_t offset, uint32_t within,
                                     uint32_t count);
/* The same for an offset before which nothing has a timestamp ≥ timestamp. */
bool segment_seek_time(const struct segment *segment, int64_t timestamp, int64_t *offset);
int64_t segment_seek_time_file(const struct segment *segment, int64_t timestamp, uint32_t count);

/* behind.c */
/* Starts what is due: spilling, a tail move. calm: nothing is in flight, as a tail move needs. pressed: a frame waits for it. */
void behind_work(struct store *store, bool calm, bool pressed) ON(disk);
bool behind_wants_move(const struct store *store) ON(disk);
bool behind_is_due(const struct store *store) ON(disk);
/* Gets the loop that carries out jobs, and gives it back: afterwards jobs are done in place. */
bool behind_start(struct store *store, struct err *err);
void behind_stop(struct store *store);
/* In place: everything is in synced segments and the tail is at the head. */
void behind_finish(struct store *store) ON(disk);
void log_mark_dirty(struct log *log) ON(disk);

/* catalog.c */
bool catalog_apply(struct store *store, struct str key, struct str value, bool deleted, struct err *err)
    ON(disk);
void catalog_key_segment(struct sbuf *key, uint32_t log, int64_t base);
void catalog_key_start(struct sbuf *key, uint32_t log);
void catalog_key_topic(struct sbuf *key, struct str name);
void catalog_key_producer(struct sbuf *key, uint32_t log, int64_t producer_id);
void catalog_put_state(struct sbuf *value, const struct segment_state *state);
bool catalog_get_state(struct str value, struct segment_state *state);
/* Checks a frame's topic items and makes their records. */
bool catalog_admit(struct store *store, struct frame_full *frame, struct err *err) ON(disk);
/* The payload of JF_ROOT for that tail: call it when segments stand where the tail does. */
void catalog_root(struct store *store, const struct jf_place *tail, struct sbuf *root) ON(disk);
bool catalog_load(struct store *store, const struct jf_header *header, const uint8_t *frame,
                  struct jf_place *from, struct err *err);
/* After the journal was replayed: ERR_FATAL where segments that nothing has deleted since were not whole. */
bool catalog_check_lost(struct store *store, struct err *err);
void catalog_builtin(struct store *store);
struct log *store_log_of(struct store *store, uint32_t id);
void catalog_free(struct store *store);

/* retain.c */
void log_set_start(struct log *log, int64_t start) ON(disk);
void log_drop_segments(struct log *log) ON(disk);
void retain_work(struct store *store) ON(disk);
void retain_trim(struct store *store) ON(disk);
/* Forgets producers that were idle for too long. */
void retain_producers(struct store *store) ON(disk);
/* Its record in the catalogue goes with the next root frame. arg: the log. */
void forget_producer(void *arg, const struct producer *producer) ON(disk);
bool log_pinned_below(struct log *log, int64_t offset, char *owner, size_t size, int64_t *pinned);
/* Before a group is gathered: puts the next part of a rewriting first into the queue; after: takes it back if it had to wait. */
void kv_rewrite_before(struct store *store) ON(disk);
bool kv_wants_rewriting(const struct store *store) ON(disk);
void kv_rewrite_after(struct store *store) ON(disk);

/* compact.c */
void compact_work(struct store *store) ON(disk);
void compact_fini(struct store *store);
void compact_stop(struct store *store); /* when nobody steps it any more */
/* A segment's record in the catalogue is durable: when it is of a newer generation, the compacted file takes its place. */
bool compact_apply(struct log *log, const struct segment_state *state, bool deleted, struct err *err)
    ON(disk);

/* read.c */
bool log_wake_all(struct log *log);
/* Where the reading of a segment begins. */
struct place {
    struct segment *segment; /* one reference */
    int file;
    uint32_t position, limit; /* valid bytes */
    uint32_t seek; /* entries of its index file that have to be asked for the position; 0 = it is known */
    bool hint;     /* position comes from an index or a memory: may be wrong */
    bool index;    /* from an index: the batch there begins at or before the wanted offset */
    bool cached;   /* nothing may be read but what the system has in memory */
};

/* lease.c: batches from the one that has offset on, up to max_bytes (or one), all before the offset limit, as a slice that lies in the file; *end: its end there.
 * False: read them, or (cached) find them cold. The caller has taken the file. */
bool segment_lease(struct place *at, int64_t offset, size_t max_bytes, int64_t limit, struct log_slice *slice,
                   uint32_t *end);

#endif

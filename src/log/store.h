/* The store: one journal and all the logs behind it. One frame is the only commit.
 *
 * A log is one partition of a topic: Kafka record batches in Kafka's segment files. Internal logs (names beginning with
 * "__") are logs like any other. A frame is a set of appends to any logs, whole or absent after a crash. Producers build frames on any role
 * and submit them to the disk role, which assigns offsets in the order of arrival, writes many frames with one direct
 * synchronous write (group commit), and then tells each producer. Segments are written lazily behind; the ring's tail
 * moves only after they and their folder entries are synced. The rules of the journal stand above journal.c.
 *
 *     frame = frame_new(store)
 *     frame_append(frame, log, batch …), frame_put(frame, key, value)
 *     frame_submit(frame)      → later frame->done(frame) on the submitting loop: durable, or refused (disk full)
 *     frame_free(frame)
 *
 * A producer has at most one frame in flight: it builds the next one meanwhile. So order within a producer is certain, and a
 * refused frame can simply be submitted again.
 *
 * Readers are on any role. They see offsets below the durable high watermark and nothing else; young data comes from the
 * very memory that was journaled, older data by pread, or by a lease of its file. (Rule Zero: look-ups take a lock for some hundred nanoseconds instead
 * of a message to the disk role, because every read would otherwise wait for whatever write is in progress.) */
#ifndef LOG_STORE_H
#define LOG_STORE_H

#include "base/buf.h"
#include "format/records.h"
#include "run/run.h"

enum {
    STORE_FORMAT = 1, /* version of the data folder; a newer one is refused */
    TOPIC_NAME_MAX = 249,
    TOPIC_PARTITIONS_MAX = 10000,
    FRAME_BYTES_MAX = 64 << 20,
    FRAME_APPENDS_MAX = 65536,
    PRODUCERS_MAX = 65536, /* that one log knows; those that were idle longest make room for new ones */
    STORE_KEY_MAX = 1024,  /* bytes of a key of frame_put */
    STORE_VALUE_MAX = 1 << 20,
};

enum store_flush { STORE_FLUSH_FSYNC, STORE_FLUSH_OS };

/* What the store has to say without being asked. */
enum store_event {
    STORE_NOTE,    /* nothing to do about it */
    STORE_TROUBLE, /* bytes that are not what was written, records that a reader loses, the end of the process */
    STORE_DISK_FULL, /* appends are refused from now on; said once */
    STORE_DISK_ROOM, /* and no longer */
};

/* All sizes in bytes. Zeroed fields take the defaults named here. */
struct store_options {
    enum store_flush flush;
    uint64_t ring_bytes; /* journal: default 1 GiB, at most 1/16 of the disk, grown lazily from one file */
    uint64_t ring_file_bytes; /* default 16 MiB */
    uint64_t tail_bytes;      /* memory of the tail ring: default 64 MiB */
    uint64_t reserve_bytes;   /* part of the ring for internal frames alone: default 1/8 */
    uint64_t
        flight_bytes; /* a group of frames from this size on is written while the next is gathered: default 128 KiB */
    int64_t producer_ms; /* a producer that a log has not heard of for so long is forgotten: default a day */
    bool accept_damage;  /* go on without the frames behind a damaged one: what they held is lost */
    bool read_only_attach; /* take the lock, recover, start no background work (short CLI commands) */
    void (*log_event)(void *arg, enum store_event event, const char *text); /* may be NULL; any role */
    void *log_arg;
};

struct store;
struct log;
struct frame;

/* Opens or creates the data folder: lock (ERR_FATAL naming the holder's pid), format version, recovery, all logs. Called on main before
 * the disk loop runs; `disk` is where it will live. Damage that loses acknowledged data is an error (ERR_FATAL, with what and how to
 * go on); what was never acknowledged is cut in silence. */
bool store_open(struct pool *pool, const char *folder, const struct store_options *options, struct loop *disk,
                struct store **store, struct err *err);
/* After the loops have ended, or on the disk loop: writes segments, syncs, moves the tail. */
bool store_close(struct store *store, struct err *err);

/* ---- topics (any role; the catalogue is an internal log) --------------------------------------------------------- */
struct topic_config {
    int64_t retention_ms;    /* −1 = for ever; default 7 d */
    int64_t retention_bytes; /* per partition; −1 = no limit (default) */
    int64_t segment_bytes;   /* default 1 GiB; 64 MiB for internal logs */
    int64_t segment_ms;      /* default 7 d */
    int64_t
        pin_bytes; /* what pins may hold beyond retention, per partition; default 16 GiB; past it they break */
    int64_t min_compaction_lag_ms; /* a record stays at least so long; default 0 */
    int64_t max_compaction_lag_ms; /* one that is older makes its log due; default INT64_MAX */
    int64_t delete_retention_ms; /* of tombstones and transaction markers in a compact topic; default a day */
    /* The next three are for whoever takes records in: the log does not look at them. */
    int64_t timestamp_before_max_ms; /* how far a record's time may lie before now; default INT64_MAX */
    int64_t timestamp_after_max_ms;  /* and after; default an hour */
    int32_t max_message_bytes;       /* of a record batch; default 1 MiB + 12 */
    uint16_t min_dirty_permille;     /* compaction is due from so large a part of new bytes on; default 500 */
    uint8_t
        compression; /* of the record batches that this program writes into it: a codec of format/compress.h; default none */
    /* Batches of clients get that codec, too, at this level of format/compress.h (0: the codec's default); else they stay as they came. For whoever takes
     * them in. */
    bool recompress;
    int32_t compression_level;
    bool compact;    /* keep the newest value of each key */
    bool delete_too; /* a compact topic: and what retention says goes as well (Kafka's "compact,delete") */
    bool log_append_time; /* record batches get the time when they were appended, not their producer's */
    bool internal;
};
/* The leader epoch of all logs: each start raises it. */
int32_t store_epoch(struct store *store);
/* A random number that was made with the data folder. */
uint64_t store_id(const struct store *store);
/* The same as Kafka writes the id of a cluster. */
enum { STORE_ID_TEXT = 22 };
void store_id_text(const struct store *store, char out[STORE_ID_TEXT + 1]);

struct topic_info {
    char name[TOPIC_NAME_MAX + 1];
    uint8_t id[16]; /* random UUID; a recreated topic has another */
    int32_t partitions;
    struct topic_config config;
};
void topic_config_default(struct topic_config *config);
/* Sets both, and segments small enough that the limits mean something: whole segments go. */
void topic_config_retain(struct topic_config *config, int64_t retention_ms, int64_t retention_bytes);
/* Creation and deletion are frames: with appends and puts that belong to the same commit. The frame refuses (done with err) when the topic
 * exists, or does not. id: given back after done in topic_info. */
void frame_topic_create(struct frame *frame, const char *name, int32_t partitions,
                        const struct topic_config *config);
void frame_topic_delete(struct frame *frame, const char *name);
void frame_topic_alter(struct frame *frame, const char *name, int32_t partitions,
                       const struct topic_config *config);
/* New lower bound of what can be read (DeleteRecords; outbox and changelog truncation). */
void frame_log_truncate_before(struct frame *frame, struct log *log, int64_t offset);

bool store_topic(struct store *store, const char *name, struct topic_info *info); /* false: no such topic */
bool store_topic_by_id(struct store *store, const uint8_t id[16], struct topic_info *info);
/* All topics, sorted by name, in arena. */
size_t store_topics(struct store *store, struct arena *arena, struct topic_info **infos);
/* NULL when there is none. Valid until its topic is deleted and log_release was called; each log_get needs one log_release. */
struct log *log_get(struct store *store, const char *topic, int32_t partition);
void log_release(struct log *log);

/* ---- frames ------------------------------------------------------------------------------------------------------- */

/* Why an append of frame_append_produce or frame_append_marker fell out of its frame. */
enum append_error {
    APPEND_DONE,               /* it did not */
    APPEND_CORRUPT,            /* not one whole record batch, or its checksum is wrong */
    APPEND_OUT_OF_ORDER,       /* its first sequence is not the one after the producer's last */
    APPEND_PRODUCER_FENCED,    /* the log has seen a newer epoch of this producer */
    APPEND_TXN_STATE,          /* no transactional batch, though a transaction of the producer is open */
    APPEND_COORDINATOR_FENCED, /* a marker of an older coordinator epoch than the log has seen */
    APPEND_TOO_MANY,           /* PRODUCERS_MAX of them have open transactions */
    APPEND_TOPIC_GONE,
};
struct frame_append_result {
    int64_t base_offset;  /* of a duplicate: the original's; −1 when it fell out with an error */
    int64_t timestamp_ms; /* what log_append_time gave it; of a duplicate: the original's newest; else −1 */
    enum append_error error;
    bool is_duplicate; /* nothing was appended: the same batch is there already */
};
struct frame {
    /* set by the producer before frame_submit */
    void (*done)(struct frame *frame); /* on the loop that submitted; never inside frame_submit */
    void *arg;
    bool internal; /* may use the reserved part of the ring: positions, checkpoints, deletions */
    bool
        synced; /* done when a power cut cannot take it, with flush: os, too: something outside is about to rely on it */
    /* valid in done */
    bool durable;
    struct err err; /* refused: ERR_RETRY with code ENOSPC (submit again later), ERR_FATAL (topic gone …) */
    uint64_t lsn;   /* of the last frame before it, when nothing of it had to be written */
    struct frame_append_result *results; /* [number of frame_append… calls, in order] */
};
struct frame *frame_new(struct store *store) __attribute__((returns_nonnull));
/* Empties it for reuse. Not in flight. */
void frame_reset(struct frame *frame);
void frame_free(struct frame *frame);
/* Bytes [at, at + n) of buf: one whole record batch (or several) with offsets from 0; the frame takes a reference on buf and changes nothing in it
 * (base offsets are set in the journal's own copy). `last_delta` + 1 offsets are used per batch, as its header says. */
void frame_append(struct frame *frame, struct log *log, struct buf *buf, size_t at, size_t n);
/* The same for bytes that are copied into the frame. Batches of both have no producer id and no transaction: what has comes by the next two. */
void frame_append_copy(struct frame *frame, struct log *log, const void *batches, size_t n);

/* One record batch of a client: bytes [at, at + n) of buf, as above, with or without producer id. Whether it may be appended is decided in
 * commit order, on the disk role, by what the log knows of its producer (log/producer.h). One that may not, or need not, falls out: the rest
 * of the frame commits, and results[i] says why. The frame's `durable` is true then, too; a frame of which nothing is left writes nothing. A
 * duplicate is answered, like everything, when its original is durable. Several batches of a producer may be in one frame, in their
 * order. A frame that is refused as a whole (no room) has changed nothing.
 *
 * That a transactional batch belongs to a transaction that its coordinator knows is the caller's to see to: right before each submission, since
 * between two of them a marker may have ended it. */
enum {
    /* written by a coordinator for its client, as offsets of a transaction are: epochs count, sequences do not */
    PRODUCE_NO_SEQUENCES = 1 << 0,
    /* a producer that the log does not know begins with sequence 0 (transaction version 2) */
    PRODUCE_FROM_ZERO = 1 << 1,
};
void frame_append_produce(struct frame *frame, struct log *log, struct buf *buf, size_t at, size_t n,
                          unsigned flags);
/* The end of a transaction in one log: a control batch. It falls out when the log has seen a newer epoch of the producer, or of the
 * coordinator. With raises_epoch (transaction version 2) the marker's epoch is newer than that of the transaction; then one of the same
 * epoch, when no transaction is open, is a repetition: a duplicate without base offset. */
struct txn_marker {
    int64_t producer_id;
    int16_t producer_epoch;
    int32_t coordinator_epoch;
    bool commits, raises_epoch;
};
void frame_append_marker(struct frame *frame, struct log *log, const struct txn_marker *marker);
/* Key-value state that lives and dies with frames: positions, sink identities, small settings. n = 0 deletes. */
void frame_put(struct frame *frame, struct str key, struct str value);
size_t frame_bytes(const struct frame *frame);
void frame_submit(struct frame *frame);
/* For start-up and commands, when the disk loop does not run: submit and wait by running the disk's work in place. */
bool frame_commit_now(struct frame *frame, struct err *err);

/* Durable value of a key, appended to out; false: none. Any role. */
bool store_get(struct store *store, struct str key, struct sbuf *out);
/* Calls each(arg, key, value) for every key with that prefix, in key order. Not to be nested with frame submission. */
void store_each(struct store *store, struct str prefix,
                void (*each)(void *arg, struct str key, struct str value), void *arg);

/* ---- reading --------------------------------------------------------------------------------------------------------
 *
 * What may block on the disk: log_read, log_read_committed, log_fetch without LOG_CACHED, log_aborted, log_find_time, log_max_timestamp. All
 * else answers from memory, and waits for nothing but a lock that is never held over input or output. */
int64_t log_start(struct log *log); /* first readable offset */
int64_t log_end(struct log *log);   /* durable high watermark: the next offset to be written */
/* What a power cut cannot take: = log_end, except with flush: os. No sink commits beyond it. */
int64_t log_synced(struct log *log);
/* Last stable offset: the first offset of a transaction that is open (its marker is not durable yet), or log_end. Never goes back. */
int64_t log_stable(struct log *log);
int32_t log_epoch(struct log *log); /* leader epoch */
/* OffsetForLeaderEpoch: the largest epoch ≤ `epoch` that has records, and its end offset. False: none has. */
bool log_epoch_end(struct log *log, int32_t epoch, int32_t *found_epoch, int64_t *end_offset);
uint64_t log_bytes(struct log *log);
const char *log_folder(const struct log *log); /* absolute path, as long as the store */
const char *store_folder(const struct store *store);
const struct topic_info *log_topic(const struct log *log);
int32_t log_partition(const struct log *log);
bool log_is_dead(struct log *log); /* its topic was deleted */

/* Whole record batches, contiguous, the first of them contains `offset` (or is the first after it where compaction made a hole). */
struct log_slice {
    struct buf *buf;     /* one reference, given: buf_unref */
    const uint8_t *p;    /* in buf; NULL with LOG_IN_PLACE: the bytes are in a file, */
    int file;            /* this one, which stays open and as it is while buf is held, */
    uint64_t position;   /* from here on */
    size_t n;            /* 0 = nothing there (yet) */
    int64_t next_offset; /* where to go on */
    bool is_full;        /* what follows would not have had room in max_bytes */
};
enum { LOG_OUT_OF_RANGE = 1 }; /* err->code: offset < log_start or > log_end (ERR_FATAL) */
/* Up to max_bytes, but at least one batch when there is one. Reads from disk block the caller. Damaged bytes: ERR_FATAL with file and
 * position. */
bool log_read(struct log *log, int64_t offset, size_t max_bytes, struct log_slice *slice, struct err *err);
/* The same in the ways that a fetch wants it.
 *   LOG_COMMITTED  nothing at or after log_stable; *aborted: the aborted transactions that the slice has records of
 *   LOG_CACHED     from memory alone: *cold when it would have had to wait for the disk (there is no slice then)
 *   LOG_IN_PLACE   the slice may be a lease: whole batches in a segment's file, which are in the system's memory but were not read, so that their checksums are
 *                  not verified. For those who send them on to somebody who verifies. Leases are large (64 KiB and more), and each may hold a file open
 *                  that was deleted: whoever keeps some limits their bytes, and has let go of all before the store closes.
 *   LOG_BOUNDS     no slice: whether the offset is in range, and what the log's bounds are */
enum { LOG_COMMITTED = 1 << 0, LOG_CACHED = 1 << 1, LOG_IN_PLACE = 1 << 2, LOG_BOUNDS = 1 << 3 };
struct log_fetched {
    struct log_slice slice;
    struct records_aborted *aborted; /* in the caller's arena, by first offset */
    size_t aborted_count;
    int64_t start, end, stable; /* of the log, when it was read */
    bool cold;
};
bool log_fetch(struct log *log, int64_t offset, size_t max_bytes, unsigned flags, struct arena *arena,
               struct log_fetched *fetched, struct err *err);
/* Aborted transactions with records in [from, to), to ≤ log_stable, in arena, by first offset. */
bool log_aborted(struct log *log, int64_t from, int64_t to, struct arena *arena,
                 struct records_aborted **aborted, size_t *count, struct err *err);
/* log_read for what is committed, as a program wants it that is no Kafka client: nothing at or after log_stable, and batches of aborted
 * transactions have no records. */
bool log_read_committed(struct log *log, int64_t offset, size_t max_bytes, struct log_slice *slice,
                        struct err *err);
/* First offset whose record has timestamp ≥ ts (record exact), or −1. */
bool log_find_time(struct log *log, int64_t timestamp_ms, int64_t *offset, int64_t *found_timestamp_ms,
                   struct err *err);
/* The largest timestamp of all records, and the first record that has it; −1, −1 when there are none. */
bool log_max_timestamp(struct log *log, int64_t *timestamp_ms, int64_t *offset, struct err *err);

/* What the log knows of its producers (DescribeProducers), in arena. Batches that are not durable yet count. */
struct log_producer {
    int64_t producer_id;
    int64_t timestamp_ms;      /* of its newest batch or marker */
    int64_t txn_first_offset;  /* of its open transaction; −1 = none */
    int32_t last_sequence;     /* −1 = none */
    int32_t coordinator_epoch; /* −1 = none */
    int16_t epoch;
};
size_t log_producers(struct log *log, struct arena *arena, struct log_producer **producers);

/* Wakes the waker once when log_end > offset (at once if it is already). One waker can wait on many logs. */
struct log_wait {
    struct list link;
    struct waker *waker;
    int64_t offset;
    struct log *log;     /* or */
    struct store *store; /* of store_wait_room */
    bool stable;         /* log_wait_stable */
};
void log_wait(struct log *log, struct log_wait *wait, struct waker *waker, int64_t offset);
/* The same when log_stable > offset. */
void log_wait_stable(struct log *log, struct log_wait *wait, struct waker *waker, int64_t offset);
void log_wait_cancel(struct log_wait *wait);

/* A reader's claim: what lies at or after offset is not removed by retention, compaction or deletion, up to the topic's pin limit;
 * past it the pin is broken: log_pin_broken, and the reader stops and names what is lost. */
struct log_pin {
    struct list link;
    struct log *log;
    int64_t offset;
    const char *owner; /* for messages; borrowed */
    bool broken;
};
void log_pin_set(struct log_pin *pin, struct log *log, int64_t offset,
                 const char *owner); /* again = moves it */
void log_pin_drop(struct log_pin *pin);
bool log_pin_broken(const struct log_pin *pin);

/* ---- figures ---------------------------------------------------------------------------------------------------------- */
struct store_stats {
    uint64_t frames, writes, bytes, syncs, ring_bytes, ring_used, tail_bytes, refused;
    uint64_t lsn; /* of the newest frame that is durable; never goes back, over all starts */
    bool disk_full;
};
void store_stats(struct store *store, struct store_stats *stats);
/* Waiting for room after a refusal, or when too many bytes are in flight. */
bool store_has_room(struct store *store);
void store_wait_room(struct store *store, struct log_wait *wait, struct waker *waker);

#endif

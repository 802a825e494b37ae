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
 * very memory that was journaled, older data by pread. (Rule Zero: look-ups take a lock for some hundred nanoseconds instead
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
    STORE_KEY_MAX = 1024, /* bytes of a key of frame_put */
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
    bool accept_damage;    /* go on without the frames behind a damaged one: what they held is lost */
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
    uint8_t
        compression; /* of the record batches that this program writes into it: a codec of format/compress.h; default none */
    bool compact; /* keep the newest value of each key */
    bool internal;
};
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
/* All topics, sorted by name, in arena. */
size_t store_topics(struct store *store, struct arena *arena, struct topic_info **infos);
/* NULL when there is none. Valid until its topic is deleted and log_release was called; each log_get needs one log_release. */
struct log *log_get(struct store *store, const char *topic, int32_t partition);
void log_release(struct log *log);

/* ---- frames ------------------------------------------------------------------------------------------------------- */
struct frame_append_result {
    int64_t base_offset;
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
    uint64_t lsn;
    struct frame_append_result *results; /* [number of frame_append calls, in order] */
};
struct frame *frame_new(struct store *store) __attribute__((returns_nonnull));
/* Empties it for reuse. Not in flight. */
void frame_reset(struct frame *frame);
void frame_free(struct frame *frame);
/* Bytes [at, at + n) of buf: one whole record batch (or several) with offsets from 0; the frame takes a reference on buf and changes nothing in it
 * (base offsets are set in the journal's own copy). `last_delta` + 1 offsets are used per batch, as its header says. */
void frame_append(struct frame *frame, struct log *log, struct buf *buf, size_t at, size_t n);
/* The same for bytes that are copied into the frame. */
void frame_append_copy(struct frame *frame, struct log *log, const void *batches, size_t n);
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

/* ---- reading -------------------------------------------------------------------------------------------------------- */
int64_t log_start(struct log *log); /* first readable offset */
int64_t log_end(struct log *log);   /* durable high watermark: the next offset to be written */
/* What a power cut cannot take: = log_end, except with flush: os. No sink commits beyond it. */
int64_t log_synced(struct log *log);
int32_t log_epoch(struct log *log); /* leader epoch */
/* OffsetForLeaderEpoch: the largest epoch ≤ `epoch` that has records, and its end offset. False: none has. */
bool log_epoch_end(struct log *log, int32_t epoch, int32_t *found_epoch, int64_t *end_offset);
uint64_t log_bytes(struct log *log);
const struct topic_info *log_topic(const struct log *log);
int32_t log_partition(const struct log *log);

/* Whole record batches, contiguous, the first of them contains `offset` (or is the first after it where compaction made a hole). */
struct log_slice {
    struct buf *buf;     /* one reference, given: buf_unref */
    const uint8_t *p;    /* in buf */
    size_t n;            /* 0 = nothing there (yet) */
    int64_t next_offset; /* where to go on */
};
enum { LOG_OUT_OF_RANGE = 1 }; /* err->code: offset < log_start or > log_end (ERR_FATAL) */
/* Up to max_bytes, but at least one batch when there is one. Reads from disk block the caller. Damaged bytes: ERR_FATAL with file and
 * position. */
bool log_read(struct log *log, int64_t offset, size_t max_bytes, struct log_slice *slice, struct err *err);
/* First offset whose record has timestamp ≥ ts (record exact), or −1. */
bool log_find_time(struct log *log, int64_t timestamp_ms, int64_t *offset, int64_t *found_timestamp_ms,
                   struct err *err);

/* Wakes the waker once when log_end > offset (at once if it is already). One waker can wait on many logs. */
struct log_wait {
    struct list link;
    struct waker *waker;
    int64_t offset;
    struct log *log;     /* or */
    struct store *store; /* of store_wait_room */
};
void log_wait(struct log *log, struct log_wait *wait, struct waker *waker, int64_t offset);
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
    bool disk_full;
};
void store_stats(struct store *store, struct store_stats *stats);
/* Waiting for room after a refusal, or when too many bytes are in flight. */
bool store_has_room(struct store *store);
void store_wait_room(struct store *store, struct log_wait *wait, struct waker *waker);

#endif

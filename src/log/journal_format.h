/* The bytes of the journal: frames, ring files, and the walk that recovery takes through them. Pure: bytes in, bytes out.
 *
 * The journal is one endless line of bytes; a position is a place on it. A ring file holds one stretch of the line at a
 * time: a block of 4 KiB that says which one (its sequence number), then ring->file_data bytes. What is written at once, a
 * group of frames, begins at a multiple of 4 KiB and is padded to one; frames within a group follow each other directly.
 *
 *   frame header, 96 bytes, little endian
 *      0  magic u32            │  4  checksum u32: CRC-32C of bytes 8 … 95
 *      8  store u64: random number of the data folder
 *     16  lsn u64              │ 24  durable u64: highest LSN that was durable when this was written
 *     32  position u64: where on the line it lies; an older lap's frame never matches
 *     40  tail u64             │ 48  root u64: recovery begins at `tail` with the state in the frame at `root`
 *     56  size u32: of the frame, header included, multiple of 8
 *     60  previous u32: checksum of the frame with lsn − 1
 *     64  incarnation u32      │ 68  entries u32
 *     72  body checksum u32    │ 76  flags u32
 *     80  epoch u32: leader epoch from here on
 *     84  files u32: of the ring when this was written; 0 = not said │ 88 … 95 zero
 *   entry, 24 bytes, then its payload, padded to 8
 *      0  kind u8  │ 1 flags u8 │ 2 zero u16 │ 4 log u32 │ 8 base offset i64 │ 16 size u32 │ 20 zero u32
 *
 * The body checksum covers all entry heads and payloads, except that of a record batch it covers the first 21 bytes only:
 * they hold the batch's own CRC-32C of all the rest, which the walk verifies. So the bytes of a record are summed once,
 * by whoever made the batch, and not again on the one thread that everybody waits for. */
#ifndef LOG_JOURNAL_FORMAT_H
#define LOG_JOURNAL_FORMAT_H

#include "base/bytes.h"
#include "base/err.h"
#include "base/mem.h"

enum {
    JF_BLOCK = 4096, /* of direct writes: groups begin and end at multiples */
    JF_HEADER = 96,
    JF_ENTRY = 24,
    JF_ALIGN = 8,
    JF_FRAME_MAX = (64 << 20) + (8 << 20), /* payload of the largest frame, and its entries' heads */
    JF_LSN_FIRST = 1,
};

enum jf_flag {
    JF_GROUP_END = 1 << 0, /* the next frame begins on a block of its own */
    JF_OPENING = 1 << 1,   /* the first of an incarnation */
    JF_WITH_ROOT = 1 << 2, /* holds an entry JF_ROOT */
};

enum jf_kind { JF_APPEND = 1, JF_ROOT = 2 };
enum { JF_ROLL = 1 }; /* entry flag: a new segment begins with this append */

struct jf_header {
    uint64_t store, lsn, durable, position, tail, root;
    uint32_t size, previous, incarnation, entries, flags, epoch, files;
    uint32_t checksum, body_checksum;
};

struct jf_entry {
    enum jf_kind kind;
    unsigned flags;
    uint32_t log;
    int64_t base_offset;
    const uint8_t *p; /* borrowed from the frame */
    uint32_t size;
};

static inline size_t jf_padded(size_t n)
{
    return (n + JF_ALIGN - 1) & ~(size_t)(JF_ALIGN - 1);
}
static inline uint64_t jf_block_up(uint64_t position)
{
    return (position + JF_BLOCK - 1) & ~(uint64_t)(JF_BLOCK - 1);
}

/* Puts the head of an entry at p[JF_ENTRY]; its payload follows. */
void jf_entry_put(uint8_t *p, const struct jf_entry *entry);
/* Fills the frame's header at p, whose body p[JF_HEADER … size) is complete: both checksums, into *header too. */
void jf_header_put(uint8_t *p, struct jf_header *header);
/* A header at p[JF_HEADER] that is whole, of this store, and lies where it says. */
bool jf_header_get(const uint8_t *p, uint64_t store, uint64_t position, struct jf_header *header);
/* The body that belongs to the header: checksum, entries and batches well formed. p[header->size] is the whole frame. */
bool jf_body_ok(const uint8_t *p, const struct jf_header *header);
/* Entries one by one: rd is over the body. False at the end, or at a malformed one (rd->bad). */
bool jf_entry_next(struct rd *rd, struct jf_entry *entry);

/* ---- ring files -------------------------------------------------------------------------------------------------- */
/* The first block of a ring file. It is written, durably, before anything else when the file gets its next stretch. */
struct jf_file {
    uint64_t store, sequence, file_data, tail, root;
};
void jf_file_put(uint8_t p[JF_BLOCK], const struct jf_file *file);
bool jf_file_get(const uint8_t *p, struct jf_file *file);

/* ---- recovery ----------------------------------------------------------------------------------------------------- */
/* How recovery sees the ring: up to n bytes at a position. *got less than n: no file holds what follows. */
struct jf_ring {
    uint64_t store;
    bool (*read)(void *arg, uint64_t position, uint8_t *p, size_t n, size_t *got, struct err *err);
    void *arg;
};

/* The place after a frame: what the next one has to fit to. */
struct jf_place {
    uint64_t position; /* where the frame ended, not yet rounded */
    uint64_t lsn;      /* of the next frame */
    uint32_t previous, incarnation;
    bool group_end;
};

struct jf_walk {
    const struct jf_ring *ring;
    struct jf_place at;
    bool any_chain; /* test only: take any frame with the right LSN */
    /* private */
    uint8_t *window; /* bytes [window_position, + window_n) of the line */
    uint64_t window_position;
    size_t window_n, window_capacity;
};

void jf_walk_init(struct jf_walk *walk, const struct jf_ring *ring, const struct jf_place *from);
void jf_walk_fini(struct jf_walk *walk);
/* The next frame of the chain: *found, and frame[header->size], borrowed until the next call. Not found: the chain ends at walk->at. */
bool jf_walk_next(struct jf_walk *walk, struct jf_header *header, const uint8_t **frame, bool *found,
                  struct err *err);
/* After the end: remains of the frame that would have been next, *position: where. A crash while it was written leaves them, and so does damage:
 * nothing can tell the two apart, so the caller says it and goes on. */
bool jf_walk_remains(struct jf_walk *walk, bool *remains, uint64_t *position, struct err *err);
/* After the end: looks through positions [from, to) for a frame that says that lsn `wanted` was durable. *found: there is one. */
bool jf_find_later(const struct jf_ring *ring, uint64_t from, uint64_t to, uint64_t wanted,
                   struct jf_header *later, bool *found, struct err *err);
/* The highest root that any frame header in [from, to) names (with its tail), of at most below_root. */
bool jf_find_root(const struct jf_ring *ring, uint64_t from, uint64_t to, uint64_t below_root,
                  struct jf_header *best, bool *found, struct err *err);
/* Reads the one frame at position, whole and valid, into a block that the caller frees with mem_free. */
bool jf_read_frame(const struct jf_ring *ring, uint64_t position, struct jf_header *header, uint8_t **frame,
                   bool *found, struct err *err);

#endif

/* The journal's ring of allocated files: writing groups of frames at its head, and finding everything again.
 *
 * It knows positions and frames, not logs: what is in a frame, when the tail may move, and what is done with a frame that
 * recovery finds are the store's. One role at a time calls this: main while the store opens, the disk role after. */
#ifndef LOG_JOURNAL_H
#define LOG_JOURNAL_H

#include "log/journal_format.h"
#include "os/os.h"

struct ring_file {
    char *path;
    int file; /* os handle, open for writing; −1 = not yet */
    uint64_t sequence;
    bool named; /* sequence is known: the file holds that stretch of the line */
    bool dirty; /* buffered writes since the last sync */
};

struct journal {
    const char *folder; /* "<data>/journal", borrowed */
    uint64_t store;
    uint64_t file_data;  /* bytes of the line in each file */
    uint64_t ring_bytes; /* the ring grows up to here: */
    size_t files_max;    /* that many files */
    bool
        direct; /* direct synchronous writes; false: buffered, synced by journal_write or, when lazy, by journal_sync */
    bool lazy;         /* flush: os */
    bool grow_refused; /* the disk was full when the ring last tried to grow */
    struct ring_file *files;
    size_t count, capacity;
    struct buf *block; /* aligned scratch of JF_BLOCK */

    uint64_t head; /* where the next group begins: multiple of JF_BLOCK */
    uint64_t next_lsn;
    uint32_t previous, incarnation, epoch;
    uint64_t written; /* highest LSN that was written */
    uint64_t durable; /* highest LSN that a power cut does not take: = written unless lazy */
    uint64_t tail;    /* recovery begins here; what is before it may be overwritten */
    uint64_t root;    /* position of the frame with the state at the tail */
    uint64_t torn; /* after recovery: 1 + position of the remains of a frame behind the last one; 0 = none */
    uint64_t writes, bytes, syncs;
    uint64_t grown_writes, grown_bytes; /* of these, when the ring grew last */
};

/* Sizes and mode; nothing is touched yet. file_bytes: with the header block, a multiple of JF_BLOCK. */
void journal_init(struct journal *j, const char *folder, uint64_t store, uint64_t file_bytes,
                  uint64_t ring_bytes, bool lazy);
void journal_fini(struct journal *j);
/* A new ring of one prewritten file. */
bool journal_create(struct journal *j, struct err *err);
/* Finds the files of an existing ring and what they hold. ERR_FATAL: there is none, or it is another store's. */
bool journal_load(struct journal *j, struct err *err);

/* The newest frame with a root: header and frame[header->size], freed by the caller with mem_free. Sets tail and root. */
bool journal_find_root(struct journal *j, struct jf_header *header, uint8_t **frame, struct err *err);
/* Walks from `from` to the end, each(arg, header, frame) for every frame; then all that was read is synced, and head, next_lsn … stand
 * behind the last frame. ERR_FATAL with code JOURNAL_DAMAGED: a frame is bad that a later one calls durable, or a file of the ring is missing;
 * accept_damage cuts there. */
enum { JOURNAL_DAMAGED = 1 };
bool journal_replay(struct journal *j, const struct jf_place *from, bool accept_damage,
                    bool (*each)(void *arg, const struct jf_header *header, const uint8_t *frame,
                                 struct err *err),
                    void *arg, struct err *err);

/* Bytes of groups that can be written before the tail has to move; grown: counting files that can still be made. */
uint64_t journal_room(const struct journal *j, bool grown);
uint64_t journal_used(const struct journal *j); /* tail … head */
/* Of a ring of full size. */
uint64_t journal_capacity(const struct journal *j);
/* True when the ring should get another file soon: the next one is not free, and it may grow. */
bool journal_wants_file(const struct journal *j);
/* Were the groups since the ring grew last so large that prewriting files for them takes longer than it saves? */
bool journal_takes_bulk(const struct journal *j);
/* Makes one more file, prewritten unless the journal takes bulk; an error sets grow_refused. In two steps: the first, which takes long, touches
 * nothing that others change and may run on another role; the second takes the path (NULL: it was an error). */
bool journal_grow(struct journal *j, struct err *err);
char *journal_make_file(const struct journal *j, bool prewritten, struct err *err);
void journal_add_file(struct journal *j, char *path);

/* Writes the group p[n] at the head; p aligned and n a multiple of JF_BLOCK, at most journal_room. Its frames have been given their
 * headers by the caller; last_lsn is the last one's. After: written, and durable unless lazy. An error here is final (rule 4). */
bool journal_write(struct journal *j, const uint8_t *p, size_t n, uint64_t last_lsn, uint32_t last_checksum,
                   struct err *err);
/* The same in two steps, for a direct journal. claim gives the group its place: what has to be written where. Whoever then writes
 * the parts, on any role and beside other claimed groups, says so with journal_landed, in the order of the claims: now the group
 * is durable. */
struct journal_part {
    int file; /* os handle, stays open */
    uint64_t offset;
    const uint8_t *p; /* [n], borrowed from the group */
    size_t n;
};
struct journal_parts {
    struct journal_part *p; /* [n], freed by the caller with mem_free */
    size_t n, capacity;
};
bool journal_claim(struct journal *j, const uint8_t *p, size_t n, uint64_t last_lsn, uint32_t last_checksum,
                   struct journal_parts *parts, struct err *err);
void journal_landed(struct journal *j, uint64_t last_lsn);
/* Lazy or buffered: makes everything written durable. */
bool journal_sync(struct journal *j, struct err *err);
/* "<file>, offset N" of a position, for messages. out[size] */
void journal_describe(const struct journal *j, uint64_t position, char *out, size_t size);

#endif

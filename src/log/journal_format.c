/* The bytes of the journal, and how recovery finds its end.
 *
 * The end. Frames form a chain: each names the checksum of the one before it, and its own LSN is the next. The chain
 * is followed from the tail until no frame fits. That is the end, unless some frame beyond it says that the missing one
 * was durable: then acknowledged data was damaged, and the caller is loud about it. A frame beyond the end that does not say so was
 * never acknowledged: a group's frames name only groups as durable that were acknowledged before it was written.
 *
 * Where the next frame may lie: directly after the last one, when that was not the end of its group, or on the next block. Both can hold a
 * fitting frame: a group [a b] was cut to [a] by a crash, recovery began a new incarnation on the next block, and b's bytes came back
 * to life (a disk that answered with an error before). So the higher incarnation wins.
 *
 * What is read has no length that the input chose before its header's checksum was verified; then at most JF_FRAME_MAX. */
#include "log/journal_format.h"

#include "base/check.h"
#include "format/records.h"

enum {
    MAGIC_FRAME = 0x314A4C53, /* "SLJ1" */
    MAGIC_FILE = 0x31524C53,  /* "SLR1" */
    FILE_HEADER = 64,
    BATCH_HEAD = 21, /* bytes of a batch before those that its own checksum covers */
    WINDOW = 1 << 20,
};

void jf_entry_put(uint8_t *p, const struct jf_entry *entry)
{
    memset(p, 0, JF_ENTRY);
    p[0] = (uint8_t)entry->kind;
    p[1] = (uint8_t)entry->flags;
    put_le32(p + 4, entry->log);
    put_le64(p + 8, (uint64_t)entry->base_offset);
    put_le32(p + 16, entry->size);
}

bool jf_entry_next(struct rd *rd, struct jf_entry *entry)
{
    if (rd->bad || rd_left(rd) == 0)
        return false;
    const uint8_t *p = rd_take(rd, JF_ENTRY);
    if (p == NULL)
        return false;
    *entry = (struct jf_entry){
        .kind = p[0],
        .flags = p[1],
        .log = get_le32(p + 4),
        .base_offset = (int64_t)get_le64(p + 8),
        .size = get_le32(p + 16),
    };
    entry->p = rd_take(rd, entry->size);
    rd_take(rd, jf_padded(entry->size) - entry->size);
    if ((entry->kind != JF_APPEND && entry->kind != JF_ROOT) || get_le16(p + 2) != 0 || get_le32(p + 20) != 0)
        rd->bad = true;
    return !rd->bad;
}

/* The checksum of one append's batches: their first 21 bytes. verify: their own checksums too. */
static bool sum_batches(const uint8_t *p, size_t n, bool verify, uint32_t *sum)
{
    while (n > 0) {
        struct records_batch batch;
        if (!records_batch_read(p, n, verify, &batch, NULL))
            return false;
        *sum = crc32c(*sum, p, BATCH_HEAD);
        p += batch.size;
        n -= batch.size;
    }
    return true;
}

static bool sum_body(const uint8_t *p, size_t n, uint32_t entries, bool verify, uint32_t *sum)
{
    struct rd rd = rd_of(p, n);
    struct jf_entry entry;
    *sum = 0;
    while (jf_entry_next(&rd, &entry)) {
        *sum = crc32c(*sum, entry.p - JF_ENTRY, JF_ENTRY);
        if (entries-- == 0)
            return false;
        if (entry.kind != JF_APPEND)
            *sum = crc32c(*sum, entry.p, entry.size);
        else if (entry.size == 0 || !sum_batches(entry.p, entry.size, verify, sum))
            return false;
    }
    return !rd.bad && entries == 0;
}

void jf_header_put(uint8_t *p, struct jf_header *h)
{
    bool whole = sum_body(p + JF_HEADER, h->size - JF_HEADER, h->entries, false, &h->body_checksum);
    CHECK(whole && h->size % JF_ALIGN == 0 && h->size <= JF_FRAME_MAX);
    memset(p, 0, JF_HEADER);
    put_le32(p, MAGIC_FRAME);
    put_le64(p + 8, h->store);
    put_le64(p + 16, h->lsn);
    put_le64(p + 24, h->durable);
    put_le64(p + 32, h->position);
    put_le64(p + 40, h->tail);
    put_le64(p + 48, h->root);
    put_le32(p + 56, h->size);
    put_le32(p + 60, h->previous);
    put_le32(p + 64, h->incarnation);
    put_le32(p + 68, h->entries);
    put_le32(p + 72, h->body_checksum);
    put_le32(p + 76, h->flags);
    put_le32(p + 80, h->epoch);
    h->checksum = crc32c(0, p + 8, JF_HEADER - 8);
    put_le32(p + 4, h->checksum);
}

bool jf_header_get(const uint8_t *p, uint64_t store, uint64_t position, struct jf_header *h)
{
    if (get_le32(p) != MAGIC_FRAME || get_le64(p + 8) != store || get_le64(p + 32) != position)
        return false;
    *h = (struct jf_header){
        .store = store,
        .lsn = get_le64(p + 16),
        .durable = get_le64(p + 24),
        .position = position,
        .tail = get_le64(p + 40),
        .root = get_le64(p + 48),
        .size = get_le32(p + 56),
        .previous = get_le32(p + 60),
        .incarnation = get_le32(p + 64),
        .entries = get_le32(p + 68),
        .body_checksum = get_le32(p + 72),
        .flags = get_le32(p + 76),
        .epoch = get_le32(p + 80),
        .checksum = get_le32(p + 4),
    };
    return crc32c(0, p + 8, JF_HEADER - 8) == h->checksum && h->size >= JF_HEADER &&
           h->size <= JF_FRAME_MAX && h->size % JF_ALIGN == 0 && h->lsn >= JF_LSN_FIRST &&
           h->durable < h->lsn && h->tail <= position && h->root <= position && position % JF_ALIGN == 0 &&
           h->tail % JF_BLOCK == 0;
}

bool jf_body_ok(const uint8_t *p, const struct jf_header *h)
{
    uint32_t sum;
    return sum_body(p + JF_HEADER, h->size - JF_HEADER, h->entries, true, &sum) && sum == h->body_checksum;
}

/* ---- ring files -------------------------------------------------------------------------------------------------- */

void jf_file_put(uint8_t p[JF_BLOCK], const struct jf_file *file)
{
    memset(p, 0, JF_BLOCK);
    put_le32(p, MAGIC_FILE);
    put_le64(p + 8, file->store);
    put_le64(p + 16, file->sequence);
    put_le64(p + 24, file->file_data);
    put_le64(p + 32, file->tail);
    put_le64(p + 40, file->root);
    put_le32(p + 4, crc32c(0, p + 8, FILE_HEADER - 8));
}

bool jf_file_get(const uint8_t *p, struct jf_file *file)
{
    if (get_le32(p) != MAGIC_FILE || crc32c(0, p + 8, FILE_HEADER - 8) != get_le32(p + 4))
        return false;
    *file = (struct jf_file){
        .store = get_le64(p + 8),
        .sequence = get_le64(p + 16),
        .file_data = get_le64(p + 24),
        .tail = get_le64(p + 32),
        .root = get_le64(p + 40),
    };
    return file->file_data >= JF_BLOCK && file->file_data % JF_BLOCK == 0 && file->file_data <= UINT32_MAX &&
           file->sequence <= UINT64_MAX / file->file_data - 1;
}

/* ---- recovery ----------------------------------------------------------------------------------------------------- */

void jf_walk_init(struct jf_walk *walk, const struct jf_ring *ring, const struct jf_place *from)
{
    *walk = (struct jf_walk){.ring = ring, .at = *from};
}

void jf_walk_fini(struct jf_walk *walk)
{
    mem_free(walk->window);
    walk->window = NULL;
}

/* Bytes [position, position + n) in the window; *got less than n at the end of what the ring holds. */
static bool window_at(struct jf_walk *walk, uint64_t position, size_t n, const uint8_t **p, size_t *got,
                      struct err *err)
{
    bool inside = position >= walk->window_position && position + n <= walk->window_position + walk->window_n;
    if (!inside) {
        uint64_t from = position & ~(uint64_t)(JF_BLOCK - 1);
        size_t wanted = (size_t)jf_block_up(position - from + n);
        if (wanted < WINDOW)
            wanted = WINDOW;
        if (wanted > walk->window_capacity) {
            walk->window = mem_resize(walk->window, wanted);
            walk->window_capacity = wanted;
        }
        walk->window_position = from;
        walk->window_n = 0;
        TRY(walk->ring->read(walk->ring->arg, from, walk->window, wanted, &walk->window_n, err));
    }
    size_t skip = (size_t)(position - walk->window_position);
    size_t left = walk->window_n > skip ? walk->window_n - skip : 0;
    *p = walk->window + skip;
    *got = left < n ? left : n;
    return true;
}

/* A frame at position that continues the chain. */
static bool fits_at(struct jf_walk *walk, uint64_t position, struct jf_header *h, const uint8_t **frame,
                    bool *fits, struct err *err)
{
    size_t got;
    *fits = false;
    TRY(window_at(walk, position, JF_HEADER, frame, &got, err));
    if (got < JF_HEADER || !jf_header_get(*frame, walk->ring->store, position, h))
        return true;
    bool chained = h->previous == walk->at.previous && h->incarnation >= walk->at.incarnation;
    if (h->lsn != walk->at.lsn || !(chained || walk->any_chain))
        return true;
    TRY(window_at(walk, position, h->size, frame, &got, err));
    *fits = got == h->size && jf_body_ok(*frame, h);
    return true;
}

bool jf_walk_next(struct jf_walk *walk, struct jf_header *h, const uint8_t **frame, bool *found,
                  struct err *err)
{
    uint64_t direct = walk->at.position, block = jf_block_up(direct), chosen = block;
    struct jf_header at_direct = {0};
    bool fits_direct = false, fits_block = false;
    if (!walk->at.group_end && direct != block)
        TRY(fits_at(walk, direct, &at_direct, frame, &fits_direct, err));
    TRY(fits_at(walk, block, h, frame, &fits_block, err));
    *found = fits_direct || fits_block;
    if (!*found)
        return true;
    if (fits_direct && (!fits_block || h->incarnation <= at_direct.incarnation)) {
        chosen = direct;
        TRY(fits_at(walk, direct, h, frame, &fits_direct, err));
        if (!fits_direct)
            return err_set(err, ERR_FATAL, "the journal changed while it was read, at position %llu",
                           (unsigned long long)direct);
    }
    walk->at = (struct jf_place){
        .position = chosen + h->size,
        .lsn = h->lsn + 1,
        .previous = h->checksum,
        .incarnation = h->incarnation,
        .group_end = h->flags & JF_GROUP_END,
    };
    return true;
}

/* Calls each(arg, header) for every whole header in [from, to), until it returns false. Frames lie at multiples of 8; where
 * the ring has a hole (a file that it does not hold), the search goes on behind it. */
static bool each_header(const struct jf_ring *ring, uint64_t from, uint64_t to,
                        bool (*each)(void *arg, const struct jf_header *h), void *arg, struct err *err)
{
    struct jf_walk walk = {.ring = ring};
    bool done = false;
    for (uint64_t position = (from + JF_ALIGN - 1) & ~(uint64_t)(JF_ALIGN - 1); position + JF_HEADER <= to;) {
        const uint8_t *p;
        size_t got;
        TRY_OUT(window_at(&walk, position, JF_HEADER, &p, &got, err));
        if (got < JF_HEADER) {
            position = jf_block_up(position + 1);
            walk.window_n = 0;
            continue;
        }
        struct jf_header h;
        if (get_le32(p) == MAGIC_FRAME && jf_header_get(p, ring->store, position, &h) && !each(arg, &h))
            break;
        position += JF_ALIGN;
    }
    done = true;
out:
    jf_walk_fini(&walk);
    return done;
}

struct later {
    struct jf_header *header;
    uint64_t wanted;
    bool found;
};

static bool is_later(void *arg, const struct jf_header *h)
{
    struct later *later = arg;
    later->found = h->lsn > later->wanted && h->durable >= later->wanted;
    if (later->found)
        *later->header = *h;
    return !later->found;
}

bool jf_find_later(const struct jf_ring *ring, uint64_t from, uint64_t to, uint64_t wanted,
                   struct jf_header *header, bool *found, struct err *err)
{
    struct later later = {.header = header, .wanted = wanted};
    TRY(each_header(ring, from, to, is_later, &later, err));
    *found = later.found;
    return true;
}

struct best_root {
    struct jf_header *best;
    uint64_t below;
    bool found;
};

static bool is_better_root(void *arg, const struct jf_header *h)
{
    struct best_root *best = arg;
    if (h->root < best->below && (!best->found || h->root > best->best->root)) {
        *best->best = *h;
        best->found = true;
    }
    return true;
}

bool jf_find_root(const struct jf_ring *ring, uint64_t from, uint64_t to, uint64_t below_root,
                  struct jf_header *header, bool *found, struct err *err)
{
    struct best_root best = {.best = header, .below = below_root};
    TRY(each_header(ring, from, to, is_better_root, &best, err));
    *found = best.found;
    return true;
}

bool jf_read_frame(const struct jf_ring *ring, uint64_t position, struct jf_header *h, uint8_t **frame,
                   bool *found, struct err *err)
{
    uint8_t head[JF_HEADER];
    size_t got;
    *found = false;
    *frame = NULL;
    TRY(ring->read(ring->arg, position, head, sizeof head, &got, err));
    if (got < sizeof head || !jf_header_get(head, ring->store, position, h))
        return true;
    *frame = mem_new(h->size);
    bool done = ring->read(ring->arg, position, *frame, h->size, &got, err);
    *found = done && got == h->size && memcmp(*frame, head, sizeof head) == 0 && jf_body_ok(*frame, h);
    if (!*found) {
        mem_free(*frame);
        *frame = NULL;
    }
    return done;
}

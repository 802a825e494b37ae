/* Leases: record batches that go to a client from the segment file in which they lie.
 *
 * A lease is a range of whole batches and a hold that keeps the file open, whatever retention or compaction do meanwhile. Only the headers of a few
 * batches are read:
 *
 *     begin   the batch that has the wanted offset: from where the last reader stopped, or where the index leads, on from header to header
 *     end     the last batch within max_bytes that the index knows, or the segment's end; or the end of the first batch
 *
 * A lease that may not wait for the disk (place.cached) asks no index file: it goes from header to header to its end, too, so far as the system has them in memory.
 *
 * What an index says is only believed when a header with that offset stands there. All that is odd (a hole of compaction, a wrong hint, damage) makes no
 * lease: the caller reads, verifies, and has the words for it. */
#include "log/log_private.h"

enum {
    LEASE_MIN = 64 << 10, /* bytes that are worth it: fewer are read as fast, and hold no file open */
    WALK_MAX = 128,  /* headers from where the index leads to the wanted offset, and from there to the end */
    AHEAD = 4 << 20, /* bytes behind a lease that are asked of the disk: who reads on finds them in memory */
};

/* A buffer of nothing, whose last reference gives the file back. */
static void end_hold(struct buf *hold, void *arg)
{
    segment_file_give(arg);
    mem_free(hold);
}

/* Of a file that the caller has taken, too. */
static struct buf *hold_file(struct segment *s)
{
    int file;
    bool taken = segment_file_take(s, &file, NULL);
    CHECK(taken);
    struct buf *hold = mem_new(sizeof *hold);
    *hold = (struct buf){.refs = 1, .release = end_hold, .arg = s};
    return hold;
}

/* A header of a batch that can be whole before the limit? */
static bool header_at(const struct place *at, uint32_t position, struct records_batch *batch)
{
    uint8_t p[RECORDS_HEADER];
    size_t got;
    struct err why = {0};
    if (position > at->limit || at->limit - position < sizeof p ||
        !(at->cached ? os_pread_cached : os_pread)(at->file, p, sizeof p, position, &got, NULL) ||
        got < sizeof p)
        return false;
    bool plausible = records_batch_read(p, sizeof p, false, batch, &why) || why.code == RECORDS_CUT;
    return plausible && batch->size <= at->limit - position && batch->last_offset_delta >= 0 &&
           batch->base_offset >= at->segment->state.base;
}

static int64_t last_of(const struct records_batch *batch)
{
    return batch->base_offset + batch->last_offset_delta;
}

static bool find_begin(const struct place *at, int64_t offset, uint32_t *begin, struct records_batch *first)
{
    *begin = at->position;
    for (int i = 0; i < WALK_MAX; i++) {
        if (!header_at(at, *begin, first) || (i == 0 && at->hint && first->base_offset > offset))
            return false;
        if (last_of(first) >= offset)
            return true;
        *begin += first->size;
    }
    return false;
}

/* From the end of the first batch, *end, on: the last place where a batch ends that is not behind `to`, nor behind an offset ≥ limit, and the offset there. */
static void walk_to_end(const struct place *at, uint32_t to, int64_t limit, uint32_t *end, int64_t *next)
{
    struct records_batch batch;
    for (int i = 0; i < WALK_MAX && header_at(at, *end, &batch) && batch.size <= to - *end &&
                    batch.base_offset >= *next && last_of(&batch) < limit;
         i++) {
        *end += batch.size;
        *next = last_of(&batch) + 1;
    }
}

/* The greatest place to end at that is not behind `to`, nor behind an offset ≥ limit: *end, and the offset there. What the index knows may not be in the
 * file yet. */
static bool find_end(struct place *at, uint32_t to, int64_t limit, uint32_t *end, int64_t *next)
{
    struct segment *s = at->segment;
    struct index_entry entry;
    struct records_batch batch;
    lock_take(s->log->lock);
    uint32_t asked = 0;
    at->limit = s->spilled;
    bool is_whole = at->limit == s->state.length && at->limit <= to && s->state.next_offset <= limit;
    uint32_t within = to < at->limit - RECORDS_HEADER ? to : at->limit - RECORDS_HEADER;
    if (!is_whole && !segment_seek(s, limit - 1, within, &entry))
        asked = s->state.index_count;
    *next = s->state.next_offset;
    *end = at->limit;
    lock_release(s->log->lock);
    if (is_whole)
        return true;
    if (asked > 0)
        entry = segment_seek_file(s, limit - 1, within, asked);
    *end = entry.position;
    if (!header_at(at, entry.position, &batch) || last_of(&batch) != s->state.base + entry.relative)
        return false;
    *next = batch.base_offset;
    return true;
}

/* The bytes are there, and in memory? */
static bool is_there(const struct place *at, uint32_t begin, uint32_t end)
{
    uint8_t last;
    size_t got;
    if (at->cached)
        return os_prefetch(at->file, begin, end - begin, OS_PREFETCH_LOOK, NULL) &&
               os_pread_cached(at->file, &last, 1, end - 1, &got, NULL) && got == 1;
    bool there = os_prefetch(at->file, begin, end - begin, OS_PREFETCH_WAIT, NULL) &&
                 os_pread(at->file, &last, 1, end - 1, &got, NULL) && got == 1;
    uint32_t ahead = at->limit - end < AHEAD ? at->limit - end : AHEAD;
    if (there && ahead > 0)
        os_prefetch(at->file, end, ahead, OS_PREFETCH_BEGIN, NULL);
    return there;
}

bool segment_lease(struct place *at, int64_t offset, size_t max_bytes, int64_t limit, struct log_slice *slice,
                   uint32_t *end)
{
    struct records_batch first;
    uint32_t begin;
    int64_t next;
    if (max_bytes < LEASE_MIN || at->limit - at->position < LEASE_MIN ||
        !find_begin(at, offset, &begin, &first) || last_of(&first) >= limit)
        return false;
    uint64_t to = (uint64_t)begin + max_bytes;
    to = to < UINT32_MAX ? to : UINT32_MAX;
    if (at->cached || !find_end(at, (uint32_t)to, limit, end, &next) || *end < begin + first.size ||
        next <= last_of(&first)) {
        *end = begin + first.size;
        next = last_of(&first) + 1;
        if (at->cached && *end < to)
            walk_to_end(at, (uint32_t)to, limit, end, &next);
    }
    if (*end - begin < LEASE_MIN || !is_there(at, begin, *end))
        return false;
    *slice = (struct log_slice){.buf = hold_file(at->segment),
                                .file = at->file,
                                .position = begin,
                                .n = *end - begin,
                                .next_offset = next,
                                .is_full = to < at->limit};
    return true;
}

/* Reading: what is young comes from the tail, the rest from segment files.
 *
 * A slice of the tail is one append as it was journaled, without a copy. A reader that is some way behind small appends would get one of them
 * at a time, so they are gathered into a buffer of their own instead.
 *
 * From a file: the place comes from where the last reader stopped, from the index, or from the segment's beginning; batches are skipped
 * up to the wanted offset; each one that is handed out had its checksum verified. What an index says is only believed when a batch
 * stands there. The caller holds no lock while bytes are read: a lease keeps the file, though retention may have unlinked it. */
#include "format/compress.h"
#include "log/log_private.h"

enum {
    READ_MIN = 16 << 10,
    SHARE_MIN = 16 << 10, /* appends from this size on are shared, smaller ones gathered */
    GATHER_MAX = 256 << 10,
    INDEX_REACH = 2 * INDEX_INTERVAL,
};

static bool out_of_range(const struct log *log, int64_t offset, struct err *err)
{
    err_set(err, ERR_FATAL, "offset %lld is out of range: \"%s-%d\" has %lld to %lld", (long long)offset,
            log->topic->info->name, log->partition, (long long)log->start, (long long)log->end);
    if (err)
        err->code = LOG_OUT_OF_RANGE;
    return false;
}

static bool check_alive(const struct log *log, struct err *err)
{
    return !log->dead || err_set(err, ERR_FATAL, "the topic \"%s\" was deleted", log->topic->info->name);
}

static bool check_range(const struct log *log, int64_t offset, struct err *err)
{
    return check_alive(log, err) &&
           ((offset >= log->start && offset <= log->end) || out_of_range(log, offset, err));
}

/* Records of an open transaction may have been deleted. */
static int64_t stable_of(const struct log *log)
{
    return log->stable < log->start ? log->start : log->stable;
}

/* ---- the tail ------------------------------------------------------------------------------------------------------------- */

/* Bytes of the batches of an entry before the one that holds offset. */
static uint32_t skip_batches(const struct tail_entry *entry, int64_t offset)
{
    uint32_t at = 0;
    while (at < entry->n) {
        struct records_batch batch;
        bool whole = records_batch_read(entry->p + at, entry->n - at, false, &batch, NULL);
        CHECK(whole);
        if (batch.base_offset + batch.last_offset_delta >= offset)
            break;
        at += batch.size;
    }
    return at;
}

/* Whole batches of p[n] up to max_bytes, one at least. */
static uint32_t whole_batches(const uint8_t *p, uint32_t n, size_t max_bytes, int64_t *next)
{
    uint32_t at = 0;
    while (at < n) {
        struct records_batch batch;
        bool whole = records_batch_read(p + at, n - at, false, &batch, NULL);
        CHECK(whole);
        if (at > 0 && at + batch.size > max_bytes)
            break;
        at += batch.size;
        *next = batch.base_offset + batch.last_offset_delta + 1;
    }
    return at;
}

/* Small appends one behind the other, in a buffer of their own. */
static void gather_entries(struct log *log, size_t i, uint32_t skip, size_t max_bytes,
                           struct log_slice *slice)
{
    size_t limit = max_bytes < GATHER_MAX ? max_bytes : GATHER_MAX, n = 0;
    struct buf *buf = buf_pool_take(log->store->read_pool, limit);
    for (; i < log->tail.count; i++, skip = 0) {
        const struct tail_entry *entry = tail_at(&log->tail, i);
        if (n + entry->n - skip > limit)
            break;
        memcpy(buf->p + n, entry->p + skip, entry->n - skip);
        n += entry->n - skip;
        slice->next_offset = entry->next;
    }
    buf->n = n;
    slice->buf = buf;
    slice->p = buf->p;
    slice->n = n;
}

static bool read_tail(struct log *log, int64_t offset, size_t max_bytes, struct log_slice *slice)
{
    if (log->tail.count == 0 || offset < tail_at(&log->tail, 0)->base)
        return false;
    size_t i = tail_find(&log->tail, offset);
    CHECK(i < log->tail.count);
    const struct tail_entry *entry = tail_at(&log->tail, i);
    uint32_t skip = skip_batches(entry, offset), left = entry->n - skip;
    bool next_fits = i + 1 < log->tail.count && left + tail_at(&log->tail, i + 1)->n <= max_bytes;
    if (left < SHARE_MIN && next_fits && max_bytes >= 2 * (size_t)left) {
        gather_entries(log, i, skip, max_bytes, slice);
        return true;
    }
    slice->p = entry->p + skip;
    slice->n = whole_batches(slice->p, left, max_bytes, &slice->next_offset);
    slice->is_full = slice->n < left;
    slice->buf = buf_ref(entry->chunk->buf);
    return true;
}

/* ---- files ------------------------------------------------------------------------------------------------------------------ */

static bool damaged(const struct place *at, uint32_t position, const struct err *why, struct err *err)
{
    char path[OS_PATH_MAX];
    segment_path(at->segment, ".log", path, sizeof path);
    err_set(err, ERR_FATAL, "\"%.300s\" is damaged at byte %u: %.120s", path, position, why->text);
    return err_hint(
        err,
        "Restore the file from a copy, or let readers go on behind the damage by deleting the records before it.");
}

/* Reads at position into buf[buf->n]. */
static bool fill(const struct place *at, uint32_t position, size_t n, struct buf *buf, struct err *err)
{
    size_t left = at->limit - position, got;
    if (n > left)
        n = left;
    TRY(os_pread(at->file, buf->p, n, position, &got, err));
    buf->n = got;
    if (got == n)
        return true;
    struct err why;
    err_set(&why, ERR_DATA, "it ends there, before byte %u", at->limit);
    return damaged(at, position + (uint32_t)got, &why, err);
}

/* Takes whole, verified batches from buf (which begins at `position`), the first of which holds offset or lies behind it. *skipped: bytes before
 * them. *need: bytes of the buffer that the first wanted batch needs when it is cut. */
static bool take_batches(const struct place *at, uint32_t position, int64_t offset, size_t max_bytes,
                         const struct buf *buf, struct log_slice *slice, uint32_t *skipped, size_t *need,
                         struct err *err)
{
    uint32_t p = 0;
    *need = 0;
    slice->n = 0;
    slice->is_full = false;
    *skipped = 0;
    while (p < buf->n) {
        struct records_batch batch;
        struct err why = {0};
        bool whole = records_batch_read(buf->p + p, buf->n - p, false, &batch, &why);
        if (!whole && why.code == RECORDS_CUT && position + buf->n < at->limit) {
            *need = batch.size > RECORDS_HEADER ? batch.size : RECORDS_HEADER;
            slice->is_full = slice->n > 0 && slice->n + batch.size > max_bytes;
            return true;
        }
        bool wanted = whole && batch.base_offset + batch.last_offset_delta >= offset;
        if (whole && wanted && slice->n > 0 && slice->n + batch.size > max_bytes) {
            slice->is_full = true;
            return true;
        }
        if (wanted && records_batch_read(buf->p + p, buf->n - p, true, &batch, &why) == false)
            whole = false;
        if (whole && (batch.base_offset < at->segment->state.base ||
                      (slice->n > 0 && batch.base_offset < slice->next_offset)))
            whole = err_set(&why, ERR_DATA, "a batch of offset %lld does not belong there",
                            (long long)batch.base_offset);
        if (whole && at->index && p == 0 && batch.base_offset > offset)
            whole = err_set(&why, ERR_DATA, "the index leads behind offset %lld", (long long)offset);
        if (!whole)
            return damaged(at, position + p, &why, err);
        if (wanted) {
            slice->n += batch.size;
            slice->next_offset = batch.base_offset + batch.last_offset_delta + 1;
        } else {
            *skipped += batch.size;
        }
        p += batch.size;
    }
    return true;
}

/* The batches of one segment from `at` on. slice->n = 0: there is none at or after offset. */
static bool read_segment(struct place *at, int64_t offset, size_t max_bytes, struct log_slice *slice,
                         uint32_t *end, struct err *err)
{
    size_t size = max_bytes + (at->hint ? INDEX_REACH : 0);
    size = size < READ_MIN ? READ_MIN : size > RECORDS_BATCH_BYTES_MAX ? RECORDS_BATCH_BYTES_MAX : size;
    if (size > at->limit - at->position)
        size = at->limit - at->position;
    struct buf *buf = NULL;
    while (at->position < at->limit) {
        uint32_t skipped;
        size_t need;
        buf_unref(buf);
        buf = buf_pool_take(at->segment->log->store->read_pool, size);
        TRY_OUT(fill(at, at->position, size, buf, err));
        TRY_OUT(take_batches(at, at->position, offset, max_bytes, buf, slice, &skipped, &need, err));
        if (slice->n > 0) {
            slice->buf = buf;
            slice->p = buf->p + skipped;
            *end = at->position + skipped + (uint32_t)slice->n;
            return true;
        }
        at->position += skipped;
        at->index = false;
        if (need > size)
            size = need;
    }
    buf_unref(buf);
    return true;
out:
    buf_unref(buf);
    return false;
}

static void remember(struct log *log, const struct segment *s, int64_t offset, uint32_t position)
{
    lock_take(log->lock);
    struct cursor *cursor = &log->cursors[log->next_cursor++ % CURSORS];
    *cursor = (struct cursor){.segment = (struct segment *)s, .offset = offset, .position = position};
    lock_release(log->lock);
}

/* The segment that may hold offset, with a reference. With the log's lock. */
static bool find_place(struct log *log, int64_t offset, struct place *at, struct err *err)
{
    size_t i = segment_of(log, offset);
    if (i == SIZE_MAX)
        i = 0;
    while (i + 1 < log->segment_count && log->segments[i]->state.next_offset <= offset)
        i++;
    if (log->segment_count == 0)
        return err_set(err, ERR_FATAL, "\"%s-%d\" has no segment for offset %lld", log->topic->info->name,
                       log->partition, (long long)offset);
    struct segment *s = log->segments[i];
    *at = (struct place){.segment = s, .limit = s->spilled};
    segment_ref(s);
    for (size_t k = 0; k < CURSORS; k++)
        if (log->cursors[k].segment == s && log->cursors[k].offset == offset &&
            log->cursors[k].position <= at->limit) {
            at->position = log->cursors[k].position;
            at->hint = true;
            return true;
        }
    struct index_entry entry;
    if (!segment_seek(s, offset, UINT32_MAX, &entry))
        at->seek = s->state.index_count;
    at->position = entry.position;
    at->hint = at->index = true;
    return true;
}

/* *gone: the segment was deleted or replaced before its file was leased. */
static bool read_place(struct log *log, struct place *at, int64_t offset, size_t max_bytes, int64_t limit,
                       bool in_place, struct log_slice *slice, bool *gone, struct err *err)
{
    uint32_t end = 0;
    struct err why = {0};
    *gone = false;
    if (!segment_file_take(at->segment, &at->file, err)) {
        *gone = segment_is_doomed(at->segment);
        return *gone;
    }
    if (at->seek > 0)
        at->position = segment_seek_file(at->segment, offset, UINT32_MAX, at->seek).position;
    if (at->position >= at->limit)
        at->position = 0;
    if (at->position == 0)
        at->hint = at->index = false;
    bool done = (in_place && segment_lease(at, offset, max_bytes, limit, slice, &end)) ||
                read_segment(at, offset, max_bytes, slice, &end, &why);
    if (!done && at->hint) { /* the hint may have been wrong */
        at->hint = at->index = false;
        at->position = 0;
        done = read_segment(at, offset, max_bytes, slice, &end, &why);
    }
    if (done && slice->n > 0)
        remember(log, at->segment, slice->next_offset, end);
    if (!done && err != NULL)
        *err = why;
    segment_file_give(at->segment);
    return done;
}

/* A lease of what is in memory. False: there is none, it would have to come from the disk. */
static bool lease_cached(struct log *log, struct place *at, int64_t offset, size_t max_bytes, int64_t limit,
                         struct log_slice *slice)
{
    uint32_t end;
    at->cached = true;
    if (at->seek > 0 || at->position == 0 || !segment_file_take_open(at->segment, &at->file))
        return false;
    bool done = segment_lease(at, offset, max_bytes, limit, slice, &end);
    if (done)
        remember(log, at->segment, slice->next_offset, end);
    segment_file_give(at->segment);
    return done;
}

/* Batches at or after the limit go. */
static void cut(struct log_slice *slice, int64_t limit)
{
    CHECK(slice->p != NULL);
    size_t at = 0;
    int64_t next = slice->next_offset;
    while (at < slice->n) {
        struct records_batch batch;
        bool whole = records_batch_read(slice->p + at, slice->n - at, false, &batch, NULL);
        CHECK(whole);
        if (batch.base_offset >= limit)
            break;
        next = batch.base_offset + batch.last_offset_delta + 1;
        at += batch.size;
    }
    if (at < slice->n)
        slice->next_offset = at > 0 ? next : limit;
    slice->n = at;
}

/* log_read of what is before the limit. With the log's lock, which it lets go while it reads a file. With LOG_CACHED it waits for none, and *cold says that it
 * would have had to. */
static bool read_locked(struct log *log, int64_t offset, size_t max_bytes, int64_t limit, unsigned flags,
                        bool *cold, struct log_slice *slice, struct err *err)
{
    *slice = (struct log_slice){.next_offset = offset};
    bool done = true, first = true;
    while (done && slice->n == 0) {
        done = first ? check_range(log, offset, err) : check_alive(log, err);
        if (!done)
            break;
        first = false;
        if (offset < log->start)
            offset = log->start; /* retention was faster than this reader's disk */
        if (offset >= log->end || offset >= limit || read_tail(log, offset, max_bytes, slice))
            break;
        bool cached = flags & LOG_CACHED, in_place = flags & LOG_IN_PLACE;
        *cold = cached && !in_place;
        if (*cold)
            break;
        struct place at;
        done = find_place(log, offset, &at, err);
        if (!done)
            break;
        int64_t behind = at.segment->state.next_offset;
        bool gone = false;
        lock_release(log->lock);
        if (cached)
            *cold = !lease_cached(log, &at, offset, max_bytes, limit, slice);
        else
            done = read_place(log, &at, offset, max_bytes, limit, in_place, slice, &gone, err);
        segment_unref(at.segment);
        lock_take(log->lock);
        if (*cold)
            break;
        if (done && !gone && slice->n == 0) { /* a hole that compaction made at the segment's end */
            CHECK(behind > offset);
            offset = slice->next_offset = behind;
        }
    }
    if (done && slice->next_offset > limit && slice->n > 0)
        cut(slice, limit); /* no lease: that ends before */
    return done;
}

bool log_read(struct log *log, int64_t offset, size_t max_bytes, struct log_slice *slice, struct err *err)
{
    bool cold;
    lock_take(log->lock);
    bool done = read_locked(log, offset, max_bytes, INT64_MAX, 0, &cold, slice, err);
    lock_release(log->lock);
    return done;
}

static void drop_slice(struct log_slice *slice, int64_t offset)
{
    buf_unref(slice->buf);
    *slice = (struct log_slice){.next_offset = offset};
}

/* With the log's lock. */
static bool fetch(struct log *log, int64_t offset, size_t max_bytes, unsigned flags, struct arena *arena,
                  struct log_fetched *fetched, struct err *err)
{
    bool cached = flags & LOG_CACHED, committed = flags & LOG_COMMITTED;
    *fetched = (struct log_fetched){.start = log->start, .end = log->end, .stable = stable_of(log)};
    int64_t limit = committed ? fetched->stable : INT64_MAX;
    if (flags & LOG_BOUNDS)
        return check_range(log, offset, err);
    TRY(read_locked(log, offset, max_bytes, limit, flags, &fetched->cold, &fetched->slice, err));
    if (fetched->slice.n == 0 || !committed)
        return true;
    bool done = log_give_aborted(log, offset, fetched->slice.next_offset, cached, arena, &fetched->aborted,
                                 &fetched->aborted_count, &fetched->cold, err);
    if (done && !fetched->cold)
        return true;
    drop_slice(&fetched->slice, offset);
    return done || (offset < log->start && out_of_range(log, offset, err));
}

bool log_fetch(struct log *log, int64_t offset, size_t max_bytes, unsigned flags, struct arena *arena,
               struct log_fetched *fetched, struct err *err)
{
    unsigned swaps;
    bool done;
    lock_take(log->lock);
    for (;;) { /* the index of aborted transactions has to be of the same files as the records */
        swaps = log->swaps;
        done = fetch(log, offset, max_bytes, flags, arena, fetched, err);
        if (!done || swaps == log->swaps || !(flags & LOG_COMMITTED))
            break;
        drop_slice(&fetched->slice, offset);
    }
    lock_release(log->lock);
    return done;
}

/* A copy of the slice in which batches of aborted transactions are empty. */
static void empty_aborted(const struct log_fetched *fetched, struct arena *arena, struct log_slice *slice)
{
    struct records_aborting aborting = {.aborted = fetched->aborted,
                                        .aborted_count = fetched->aborted_count,
                                        .producers = arena_array(arena, int64_t, fetched->aborted_count)};
    struct buf *buf = buf_new(slice->n);
    for (size_t at = 0; at < slice->n;) {
        struct records_batch batch;
        bool whole = records_batch_read(slice->p + at, slice->n - at, false, &batch, NULL);
        CHECK(whole);
        if (records_is_aborted(&aborting, slice->p + at, &batch)) {
            records_batch_empty(buf->p + buf->n, slice->p + at);
            buf->n += RECORDS_HEADER;
        } else {
            memcpy(buf->p + buf->n, slice->p + at, batch.size);
            buf->n += batch.size;
        }
        at += batch.size;
    }
    buf_unref(slice->buf);
    slice->buf = buf;
    slice->p = buf->p;
    slice->n = buf->n;
}

bool log_read_committed(struct log *log, int64_t offset, size_t max_bytes, struct log_slice *slice,
                        struct err *err)
{
    struct arena arena = {0};
    struct log_fetched fetched;
    bool done = log_fetch(log, offset, max_bytes, LOG_COMMITTED, &arena, &fetched, err);
    *slice = fetched.slice;
    if (done && fetched.aborted_count > 0)
        empty_aborted(&fetched, &arena, slice);
    arena_fini(&arena);
    return done;
}

/* ---- by time ----------------------------------------------------------------------------------------------------------------- */

/* The first record of the batches p[n] with offset ≥ from and timestamp ≥ ts. */
static bool find_in_batches(const uint8_t *p, size_t n, int64_t from, int64_t ts, struct compress_ctx *ctx,
                            int64_t *offset, int64_t *found_ts, struct err *err)
{
    while (n > 0 && *offset < 0) {
        struct records_batch batch;
        TRY(records_batch_read(p, n, false, &batch, err));
        if (batch.max_timestamp_ms >= ts && batch.count > 0) {
            struct records_reader reader;
            struct record record;
            struct buf *scratch;
            bool more = true;
            TRY(records_open(p, n, ctx, &scratch, &reader, err));
            bool done = records_next(&reader, &record, &more, err);
            while (done && more && (record.timestamp_ms < ts || record.offset < from))
                done = records_next(&reader, &record, &more, err);
            if (done && more) {
                *offset = record.offset;
                *found_ts = record.timestamp_ms;
            }
            buf_unref(scratch);
            TRY(done);
        }
        p += batch.size;
        n -= batch.size;
    }
    return true;
}

/* Where a search for ts begins: the first segment that can have it, by its time index. */
static int64_t time_start(struct log *log, int64_t ts)
{
    lock_take(log->lock);
    int64_t from = log->start;
    for (size_t i = 0; i < log->segment_count; i++) {
        struct segment *s = log->segments[i];
        if (s->state.max_timestamp < ts)
            continue;
        int64_t at;
        uint32_t seek = segment_seek_time(s, ts, &at) ? 0 : s->state.time_count;
        segment_ref(s);
        lock_release(log->lock);
        if (seek > 0)
            at = segment_seek_time_file(s, ts, seek);
        segment_unref(s);
        return at > from ? at : from;
    }
    lock_release(log->lock);
    return from;
}

bool log_find_time(struct log *log, int64_t ts, int64_t *offset, int64_t *found_ts, struct err *err)
{
    *offset = *found_ts = -1;
    int64_t at = time_start(log, ts), end = log_end(log), from = log_start(log);
    if (at < from)
        at = from;
    struct compress_ctx *ctx = compress_ctx_new();
    bool done = true;
    while (done && at < end && *offset < 0) {
        struct log_slice slice;
        done = log_read(log, at, 1 << 20, &slice, err);
        if (!done || slice.n == 0)
            break;
        done = find_in_batches(slice.p, slice.n, from, ts, ctx, offset, found_ts, err);
        buf_unref(slice.buf);
        at = slice.next_offset;
    }
    compress_ctx_free(ctx);
    return done;
}

bool log_max_timestamp(struct log *log, int64_t *timestamp_ms, int64_t *offset, struct err *err)
{
    int64_t most = -1;
    lock_take(log->lock);
    for (size_t i = 0; i < log->segment_count; i++)
        if (log->segments[i]->state.next_offset > log->start && log->segments[i]->state.max_timestamp > most)
            most = log->segments[i]->state.max_timestamp;
    lock_release(log->lock);
    *timestamp_ms = *offset = -1;
    return most < 0 || log_find_time(log, most, offset, timestamp_ms, err);
}

/* ---- small questions ---------------------------------------------------------------------------------------------------------- */

#define LOCKED(type, name, expression)                                                                       \
    type name(struct log *log)                                                                               \
    {                                                                                                        \
        lock_take(log->lock);                                                                                \
        type value = (expression);                                                                           \
        lock_release(log->lock);                                                                             \
        return value;                                                                                        \
    }

LOCKED(int64_t, log_start, log->start)
LOCKED(bool, log_is_dead, log->dead)
LOCKED(int64_t, log_end, log->end)
LOCKED(int64_t, log_stable, stable_of(log))
LOCKED(int64_t, log_synced, store_faults.lazy_sinks ? log->end : log->synced)

static uint64_t bytes_of(const struct log *log)
{
    uint64_t n = 0;
    for (size_t i = 0; i < log->segment_count; i++)
        n += log->segments[i]->state.length;
    return n;
}
LOCKED(uint64_t, log_bytes, bytes_of(log))

int32_t store_epoch(struct store *store)
{
    return (int32_t)counter_get(&store->epoch);
}

int32_t log_epoch(struct log *log)
{
    return store_epoch(log->store);
}

bool log_epoch_end(struct log *log, int32_t epoch, int32_t *found_epoch, int64_t *end_offset)
{
    lock_take(log->lock);
    size_t i = log->epoch_count;
    while (i > 0 && log->epochs[i - 1].epoch > epoch)
        i--;
    if (i > 0) {
        *found_epoch = log->epochs[i - 1].epoch;
        *end_offset = i < log->epoch_count ? log->epochs[i].start : log->end;
    }
    lock_release(log->lock);
    return i > 0;
}

const char *log_folder(const struct log *log)
{
    return log->folder;
}

const char *store_folder(const struct store *store)
{
    return store->folder;
}

size_t log_producers(struct log *log, struct arena *arena, struct log_producer **producers)
{
    lock_take(log->lock);
    size_t n = log->producers.count;
    *producers = arena_array(arena, struct log_producer, n);
    for (size_t i = 0; i < n; i++) {
        const struct producer *p = &log->producers.list[i];
        (*producers)[i] = (struct log_producer){
            .producer_id = p->id,
            .timestamp_ms = p->timestamp_ms,
            .txn_first_offset = p->txn_first,
            .last_sequence = p->batch_count ? p->batches[p->batch_count - 1].last_sequence : -1,
            .coordinator_epoch = p->coordinator_epoch,
            .epoch = p->epoch,
        };
    }
    lock_release(log->lock);
    return n;
}

const struct topic_info *log_topic(const struct log *log)
{
    lock_take(log->store->lock);
    const struct topic_info *info = log->topic->info;
    lock_release(log->store->lock);
    return info;
}

int32_t log_partition(const struct log *log)
{
    return log->partition;
}

/* ---- waiting ------------------------------------------------------------------------------------------------------------------- */

static void begin_waiting(struct log *log, struct log_wait *wait)
{
    struct waker *waker = wait->waker;
    list_init(&wait->link);
    lock_take(log->lock);
    bool now = (wait->stable ? log->stable : log->end) > wait->offset || log->dead;
    if (!now)
        list_push_back(&log->waits, &wait->link);
    lock_release(log->lock);
    if (now)
        waker_wake(waker);
}

void log_wait(struct log *log, struct log_wait *wait, struct waker *waker, int64_t offset)
{
    *wait = (struct log_wait){.waker = waker, .offset = offset, .log = log};
    begin_waiting(log, wait);
}

void log_wait_stable(struct log *log, struct log_wait *wait, struct waker *waker, int64_t offset)
{
    *wait = (struct log_wait){.waker = waker, .offset = offset, .log = log, .stable = true};
    begin_waiting(log, wait);
}

void log_wait_cancel(struct log_wait *wait)
{
    struct lock *lock = wait->log ? wait->log->lock : wait->store ? wait->store->lock : NULL;
    if (lock == NULL)
        return;
    lock_take(lock);
    list_remove(&wait->link);
    lock_release(lock);
}

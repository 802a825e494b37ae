/* What a frame does: first, before it is written, its appends get their places; then, when it is durable, readers see them and
 * the catalogue and the keys change. Recovery takes the same two steps with each frame that it finds. */
#include "log/log_private.h"

static void note_epoch(struct log *log, int32_t epoch)
{
    if (log->epoch_count > 0 && log->epochs[log->epoch_count - 1].epoch >= epoch)
        return;
    if (log->epoch_count == EPOCHS_MAX) { /* the oldest two become one */
        memmove(&log->epochs[1], &log->epochs[2], (EPOCHS_MAX - 2) * sizeof *log->epochs);
        log->epoch_count--;
    }
    log->epochs = mem_grow(log->epochs, &log->epoch_capacity, log->epoch_count + 1, sizeof *log->epochs);
    log->epochs[log->epoch_count++] = (struct epoch_start){.epoch = epoch, .start = log->next_offset};
    log->epochs_changed = true;
}

void log_set_producer(struct log *log, const struct producer *producer)
{
    size_t before = log->producers.changed;
    producers_set(&log->producers, producer);
    log->store->producers_changed += log->producers.changed - before;
}

bool log_apply_producer(struct log *log, const uint8_t *p, const struct records_batch *batch,
                        struct aborted *aborted)
{
    struct producer producer = producers_copy(&log->producers, batch->producer_id);
    struct records_marker marker;
    int64_t first = -1;
    producer.touched_s = (uint32_t)(os_wall().us / US_PER_S);
    if (!(batch->attributes & RECORDS_CONTROL))
        producer_apply(&producer, batch);
    else if (records_marker_read(p, batch->size, &marker))
        first = producer_apply_marker(&producer, &marker);
    log_set_producer(log, &producer);
    if (first < 0 || marker.commits)
        return false;
    int64_t last = batch->base_offset, first_open = producers_first_open(&log->producers);
    *aborted = (struct aborted){.producer_id = producer.id,
                                .first = first,
                                .last = last,
                                .stable = first_open <= last ? first_open : last + 1};
    return true;
}

void log_place(struct log *log, uint8_t *p, uint32_t n, bool roll, struct segment *begins, int32_t epoch,
               struct tail_entry *entry)
{
    lock_take(log->lock);
    CHECK(roll == (begins != NULL));
    if (roll) {
        CHECK(begins->state.base == log->next_offset);
        if (log->segment_count > 0)
            segment_close(log->segments[log->segment_count - 1]);
        log_add_segment(log, begins);
    }
    CHECK(log->segment_count > 0);
    struct segment *s = log->segments[log->segment_count - 1];
    note_epoch(log, epoch);
    *entry = (struct tail_entry){
        .base = log->next_offset, .p = p, .n = n, .segment = s, .position = s->state.length};
    for (uint32_t at = 0; at < n;) {
        struct records_batch batch;
        bool whole = records_batch_read(p + at, n - at, false, &batch, NULL);
        CHECK(whole);
        records_batch_place(p + at, log->next_offset, epoch);
        batch.base_offset = log->next_offset;
        segment_index(s, &batch, s->state.length + at);
        log->next_offset += batch.last_offset_delta + INT64_C(1);
        at += batch.size;
    }
    entry->next = log->next_offset;
    int64_t first_open = producers_first_open(&log->producers);
    entry->stable = first_open < entry->next ? first_open : entry->next;
    if (store_faults.stable_when_placed)
        log->stable = entry->stable < log->end ? entry->stable : log->end;
    s->state.length += n;
    s->state.next_offset = log->next_offset;
    s->changed = s->unsynced = true;
    lock_release(log->lock);
}

void log_publish(struct log *log, struct chunk *chunk, const struct tail_entry *placed)
{
    struct tail_entry entry = *placed;
    struct store *store = log->store;
    entry.chunk = chunk;
    segment_ref(entry.segment); /* dropped with the entry */
    lock_take(log->lock);
    tail_push(log, &entry);
    CHECK(entry.stable >= log->stable || store_faults.stable_when_placed || store_faults.no_producers);
    log->end = entry.next;
    log->stable = entry.stable;
    if (!store->journal.lazy)
        log->synced = log->end;
    for (struct list *link = log->waits.next, *next; link != &log->waits; link = next) {
        struct log_wait *wait = CONTAINER_OF(link, struct log_wait, link);
        next = link->next;
        if (wait->offset < (wait->stable ? log->stable : log->end)) {
            list_remove(&wait->link);
            waker_wake(wait->waker);
        }
    }
    lock_release(log->lock);
    log_mark_dirty(log);
    if (store->journal.lazy && !log->is_unsynced_end) {
        list_push_back(&store->unsynced_ends, &log->unsynced_link);
        log->is_unsynced_end = true;
    }
}

/* ---- the two kv logs ------------------------------------------------------------------------------------------------------- */

/* Calls each for every record of the batches at p[n]. */
static bool each_record(const uint8_t *p, size_t n,
                        bool (*each)(void *arg, struct str key, struct str value, bool deleted,
                                     struct err *err),
                        void *arg, struct err *err)
{
    while (n > 0) {
        struct records_reader reader;
        struct record record;
        struct buf *scratch;
        bool more;
        TRY(records_open(p, n, NULL, &scratch, &reader, err));
        for (;;) {
            TRY(records_next(&reader, &record, &more, err));
            if (!more)
                break;
            TRY(each(arg, record.key, record.value, record.value.p == NULL, err));
        }
        p += reader.batch.size;
        n -= reader.batch.size;
    }
    return true;
}

static bool put_in_kv(void *arg, struct str key, struct str value, bool deleted, struct err *err)
{
    (void)err;
    if (deleted)
        kv_remove(arg, key);
    else
        kv_put(arg, key, value);
    return true;
}

void kv_apply_batch(struct kv *kv, struct lock *lock, const uint8_t *p, size_t n)
{
    lock_take(lock);
    bool done = each_record(p, n, put_in_kv, kv, NULL);
    lock_release(lock);
    CHECK(done); /* the journal's checksums have held */
}

static bool put_in_catalog(void *arg, struct str key, struct str value, bool deleted, struct err *err)
    ON(disk)
{
    return catalog_apply(arg, key, value, deleted, err);
}

/* ---- frames -------------------------------------------------------------------------------------------------------------------- */

bool store_apply_frame(struct store *store, struct chunk *chunk, const uint8_t *frame,
                       const struct jf_header *header, const struct tail_entry *entries, struct err *err)
{
    struct rd rd = rd_of(frame + JF_HEADER, header->size - JF_HEADER);
    struct jf_entry entry;
    while (jf_entry_next(&rd, &entry)) {
        if (entry.kind != JF_APPEND)
            continue;
        struct log *log = store_log_of(store, entry.log);
        CHECK(log != NULL);
        log_publish(log, chunk, entries++);
        if (log == store->positions_log)
            kv_apply_batch(&store->positions, store->lock, entry.p, entry.size);
        else if (log == store->catalog_log)
            TRY(each_record(entry.p, entry.size, put_in_catalog, store, err));
    }
    CHECK(!rd.bad);
    return true;
}

/* What its batches tell of their producers; the marker of an aborted transaction is alone in its append. */
static bool replay_producers(struct log *log, const struct jf_entry *entry, struct aborted *aborted) ON(disk)
{
    bool aborts = false;
    int64_t offset = entry->base_offset;
    lock_take(log->lock);
    for (uint32_t at = 0; at < entry->size;) {
        struct records_batch batch;
        bool whole = records_batch_read(entry->p + at, entry->size - at, false, &batch, NULL);
        CHECK(whole);
        batch.base_offset = offset;
        if (batch.producer_id >= 0 && batch.producer_epoch >= 0)
            aborts = log_apply_producer(log, entry->p + at, &batch, aborted);
        offset += batch.last_offset_delta + INT64_C(1);
        at += batch.size;
    }
    lock_release(log->lock);
    return aborts;
}

static bool replay_append(struct store *store, const struct jf_entry *entry, int32_t epoch,
                          struct tail_entry *placed, struct err *err) ON(disk)
{
    struct log *log = store_log_of(store, entry->log);
    if (log == NULL || log->next_offset != entry->base_offset) {
        err_set(err, ERR_FATAL,
                "the journal does not fit to the segments: log %u should go on at offset %lld, not %lld",
                entry->log, (long long)(log ? log->next_offset : -1), (long long)entry->base_offset);
        return err_hint(
            err, "The data folder was put together from parts of different times; restore it from one copy.");
    }
    struct segment *begins = NULL;
    bool roll = entry->flags & JF_ROLL;
    if (roll)
        TRY(segment_prepare(log, entry->base_offset, &begins, err));
    struct segment *s = roll ? begins : log->segment_count ? log->segments[log->segment_count - 1] : NULL;
    if (s == NULL)
        return err_set(err, ERR_FATAL, "the journal appends to log %u, which has no segment", entry->log);
    if (!segment_allocate(s, (roll ? 0 : s->state.length) + entry->size, true, err)) {
        segment_unref(begins);
        return err_hint(err, "Recovery needs space for what the journal holds; free some and start again.");
    }
    struct aborted aborted;
    bool aborts = replay_producers(log, entry, &aborted);
    if (aborts && !segment_reserve_aborted(s, true, err)) {
        segment_unref(begins);
        return err_hint(err, "Recovery needs space for what the journal holds; free some and start again.");
    }
    log_place(log, (uint8_t *)entry->p, entry->size, roll, begins, epoch, placed);
    if (aborts) {
        lock_take(log->lock);
        segment_add_aborted(s, &aborted);
        log->has_aborted = true;
        lock_release(log->lock);
    }
    return true;
}

bool store_replay_frame(void *arg, const struct jf_header *header, const uint8_t *frame,
                        struct err *err) UNSHARED
{
    struct store *store = arg;
    struct chunk *chunk = tail_chunk(store, jf_padded(header->size));
    uint8_t *p = chunk->buf->p + chunk->used;
    memcpy(p, frame, header->size);
    struct tail_entry *placed = mem_new_array(struct tail_entry, header->entries + 1);
    struct rd rd = rd_of(p + JF_HEADER, header->size - JF_HEADER);
    struct jf_entry entry;
    size_t count = 0;
    bool done = false;
    while (jf_entry_next(&rd, &entry))
        if (entry.kind == JF_APPEND)
            TRY_OUT(replay_append(store, &entry, (int32_t)header->epoch, &placed[count++], err));
    TRY_OUT(store_apply_frame(store, chunk, p, header, placed, err));
    store->journal.epoch = header->epoch;
    if (count > 0)
        chunk->used += header->size; /* a frame without appends leaves nothing to keep */
    behind_work(store, true, false);
    done = true;
out:
    mem_free(placed);
    return done;
}

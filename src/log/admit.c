/* May this frame in? Everything that could refuse it is asked before anything of it takes place: the topics it names, room in the
 * ring, memory of the tail, and space for its appends in their segments (rule 5). A frame that has to wait stays first in its queue. */
#include <errno.h>

#include "log/log_private.h"

/* How far the frames admitted so far would bring a log; placed ones are in the log itself. */
static void plan_begin(struct log *log, const struct frame_full *frame)
{
    if (log->plan_owner == frame)
        return;
    log->plan_owner = frame;
    log->plan_segment = log->segment_count ? log->segments[log->segment_count - 1] : NULL;
    log->plan_next = log->next_offset;
    log->plan_length = log->plan_segment ? log->plan_segment->state.length : 0;
}

static bool has_to_roll(const struct log *log, const struct frame_item *item, int64_t now_ms)
{
    const struct topic_config *config = &log->topic->info->config;
    const struct segment *s = log->plan_segment;
    int64_t most_ms = config->segment_ms;
    if (config->compact && config->max_compaction_lag_ms < most_ms) /* the last segment is not compacted */
        most_ms = config->max_compaction_lag_ms;
    if (s == NULL || s->closed)
        return true;
    if (log->plan_length == 0)
        return false;
    if (log->store->kv_roll == log && s->state.base < log->plan_next)
        return true;
    return log->plan_length + item->n > (uint64_t)config->segment_bytes ||
           log->plan_next + item->offset - s->state.base > INT32_MAX ||
           now_ms - s->state.created_ms >= most_ms;
}

/* ---- producers ---------------------------------------------------------------------------------------------------------- */

static struct frame_append_result *result_of(struct frame_full *frame, const struct frame_item *item)
{
    return &frame->f.results[item->result];
}

/* It is not appended, and its frame goes on without it. */
static void fall_out(struct frame_full *frame, struct frame_item *item, enum append_error error)
{
    *result_of(frame,
               item) = (struct frame_append_result){.base_offset = -1, .timestamp_ms = -1, .error = error};
    item->has_fallen_out = true;
    frame->fallen_out++;
    frame->encoded -= JF_ENTRY + jf_padded(item->n);
}

static enum append_error check_marker(const struct frame_item *item, const uint8_t *p, size_t n,
                                      const struct producer *producer, bool *is_repetition)
{
    struct records_marker marker;
    bool is_one = records_marker_read(p, n, &marker);
    CHECK(is_one);
    return producer_check_marker(producer,
                                 &(struct txn_marker){.producer_id = marker.producer_id,
                                                      .producer_epoch = marker.producer_epoch,
                                                      .coordinator_epoch = marker.coordinator_epoch,
                                                      .commits = marker.commits,
                                                      .raises_epoch = item->raises_epoch},
                                 is_repetition);
}

/* What the log's producers have to say to it. */
static void admit_producer(struct frame_full *frame, struct frame_item *item, const uint8_t *p,
                           const struct records_batch *batch) ON(disk)
{
    struct log *log = item->log;
    const struct producer known = producers_copy(&log->producers, batch->producer_id);
    const struct producer_batch *original = NULL;
    bool is_repetition = false;
    enum append_error error = item->is_marker ? check_marker(item, p, item->n, &known, &is_repetition)
                                              : producer_check(&known, batch, item->flags, &original);
    if (error == APPEND_DONE && known.epoch < 0 && log->producers.count >= PRODUCERS_MAX) {
        lock_take(log->lock);
        bool has_room = producers_make_room(&log->producers, forget_producer, log);
        lock_release(log->lock);
        error = has_room ? APPEND_DONE : APPEND_TOO_MANY;
    }
    if (error == APPEND_DONE && original == NULL && !is_repetition)
        return;
    fall_out(frame, item, error);
    result_of(frame, item)->is_duplicate = error == APPEND_DONE;
    if (original != NULL) {
        result_of(frame, item)->base_offset = original->last_offset - original->offset_delta;
        result_of(frame, item)->timestamp_ms = original->timestamp_ms;
    }
}

/* It is in: the next one of its producer is checked against it. What was known before is kept until the frame is laid. */
static void apply_producer(struct frame_full *frame, struct frame_item *item, const uint8_t *p,
                           const struct records_batch *batch) ON(disk)
{
    struct log *log = item->log;
    frame->undo = mem_grow(frame->undo, &frame->undo_capacity, frame->undo_count + 1, sizeof *frame->undo);
    frame->undo[frame->undo_count++] = (struct producer_undo){
        .log = log, .before = producers_copy(&log->producers, batch->producer_id)};
    lock_take(log->lock);
    item->aborts = log_apply_producer(log, p, batch, &item->aborted);
    lock_release(log->lock);
}

static void undo_producers(struct frame_full *frame) ON(disk)
{
    while (frame->undo_count > 0) {
        struct producer_undo *undo = &frame->undo[--frame->undo_count];
        lock_take(undo->log->lock);
        log_set_producer(undo->log, &undo->before);
        lock_release(undo->log->lock);
    }
}

/* ---- appends ------------------------------------------------------------------------------------------------------------ */

static bool admit_place(struct frame_full *frame, struct frame_item *item, int64_t now_ms, struct err *err)
    ON(disk)
{
    struct log *log = item->log;
    if (has_to_roll(log, item, now_ms)) {
        TRY(segment_prepare(log, log->plan_next, &item->begins, err));
        log->plan_segment = item->begins;
        log->plan_length = 0;
    }
    TRY(segment_allocate(log->plan_segment, log->plan_length + item->n, frame->f.internal, err));
    log->plan_length += item->n;
    log->plan_next += item->offset;
    return true;
}

static bool admit_append(struct frame_full *frame, struct frame_item *item, int64_t now_ms, struct err *err)
    ON(disk)
{
    struct log *log = item->log;
    if (item->has_fallen_out) /* when it was put into the frame */
        return true;
    item->time_ms = log->topic->info->config.log_append_time ? now_ms : -1;
    if (log->dead && item->may_fall_out) {
        fall_out(frame, item, APPEND_TOPIC_GONE);
        return true;
    }
    if (log->dead)
        return err_set(err, ERR_FATAL, "the topic \"%s\" was deleted", log->topic->info->name);
    plan_begin(log, frame);
    if (!item->may_fall_out)
        return admit_place(frame, item, now_ms, err);
    const uint8_t *p = frame_item_bytes(frame, item);
    struct records_batch batch;
    bool whole = records_batch_read(p, item->n, false, &batch, NULL);
    CHECK(whole);
    batch.base_offset = log->plan_next;
    if (item->time_ms >= 0)
        batch.max_timestamp_ms = item->time_ms;
    if (batch.producer_id < 0)
        return admit_place(frame, item, now_ms, err);
    admit_producer(frame, item, p, &batch);
    if (item->has_fallen_out)
        return true;
    TRY(admit_place(frame, item, now_ms, err));
    apply_producer(frame, item, p, &batch);
    return !item->aborts || segment_reserve_aborted(log->plan_segment, frame->f.internal, err);
}

static void unadmit_item(struct frame_item *item) ON(disk)
{
    if (item->begins != NULL)
        segment_delete(item->begins);
    item->begins = NULL;
}

void frame_unadmit(struct frame_full *frame)
{
    undo_producers(frame);
    for (size_t i = 0; i < frame->item_count; i++)
        unadmit_item(&frame->items[i]);
    unadmit_item(&frame->put_item);
    unadmit_item(&frame->catalog_item);
}

static void end_plans(const struct frame_full *frame) ON(disk)
{
    for (size_t i = 0; i < frame->item_count; i++)
        if (frame->items[i].log != NULL)
            frame->items[i].log->plan_owner = NULL;
    frame->store->positions_log->plan_owner = frame->store->catalog_log->plan_owner = NULL;
}

static bool admit_appends(struct frame_full *frame, struct err *err) ON(disk)
{
    int64_t now_ms = os_wall().us / US_PER_MS;
    for (size_t i = 0; i < frame->item_count; i++)
        if (frame->items[i].kind == ITEM_APPEND)
            TRY(admit_append(frame, &frame->items[i], now_ms, err));
    if (frame->has_puts)
        TRY(admit_append(frame, &frame->put_item, now_ms, err));
    if (frame->has_catalog)
        TRY(admit_append(frame, &frame->catalog_item, now_ms, err));
    return true;
}

/* Bytes of the ring that this kind of frame must leave. */
static uint64_t reserve_for(const struct store *store, const struct frame_full *frame)
{
    if (frame->is_root || frame->is_opening || store_faults.no_reserve)
        return 0;
    uint64_t own = frame->produce_count *
                   (uint64_t)PRODUCER_RECORD_MAX; /* what the next root frame tells of it */
    return own + (frame->f.internal ? store->options.reserve_bytes / 2 : store->options.reserve_bytes);
}

/* And for what the next root frame will have to tell of producers that wrote before: a tail move ends that. */
static uint64_t reserve_for_producers(const struct store *store, const struct frame_full *frame)
{
    return frame->is_root || frame->is_opening ? 0 : store->producers_changed * (uint64_t)PRODUCER_RECORD_MAX;
}

static void grow(struct store *store) ON(disk)
{
    struct journal *j = &store->journal;
    struct err err;
    if (!store_leaves_margin(store, j->file_data + JF_BLOCK, &err))
        j->grow_refused = true;
    else if (!journal_grow(j, &err))
        store_log(store, STORE_NOTE, "%s", err.text);
}

static enum admit admit_ring(struct store *store, const struct frame_full *frame, size_t group_bytes,
                             struct err *err) ON(disk)
{
    struct journal *j = &store->journal;
    uint64_t need = jf_block_up(group_bytes + frame->encoded), reserve = reserve_for(store, frame);
    uint64_t all = need + reserve + reserve_for_producers(store, frame);
    while (!store->growing && all > journal_room(j, false) && all <= journal_room(j, true))
        grow(store);
    if (all <= journal_room(j, false))
        return ADMIT_YES;
    uint64_t others = (j->files_max - 1) * j->file_data, others_now = (j->count - 1) * j->file_data;
    if (group_bytes == 0 && need + reserve > others) {
        err_set(err, ERR_FATAL, "a frame of %zu bytes cannot be: the journal takes at most %llu",
                frame->encoded, (unsigned long long)(others > reserve ? others - reserve : 0));
        return ADMIT_NO;
    }
    if (group_bytes == 0 && need + reserve > others_now && j->grow_refused) {
        err_set_errno(err, ERR_RETRY, ENOSPC, "could not grow the journal for a frame of %zu bytes",
                      frame->encoded);
        return ADMIT_NO;
    }
    return ADMIT_WAIT;
}

enum admit frame_admit(struct store *store, struct frame_full *frame, size_t group_bytes, struct err *err)
{
    if (frame->early.class != ERR_NONE) {
        *err = frame->early;
        return ADMIT_NO;
    }
    if (!catalog_admit(store, frame, err))
        return ADMIT_NO;
    frame_seal(frame);
    enum admit ring = admit_ring(store, frame, group_bytes, err);
    if (ring != ADMIT_YES)
        return ring;
    bool memory = store->unspilled_bytes == 0 || frame->is_root ||
                  store->unspilled_bytes + frame->encoded <= store->options.tail_bytes;
    if (!memory)
        return ADMIT_WAIT;
    bool admitted = admit_appends(frame, err);
    end_plans(frame);
    if (admitted)
        return ADMIT_YES;
    frame_unadmit(frame);
    return ADMIT_NO;
}

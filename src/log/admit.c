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
    if (s == NULL || s->closed)
        return true;
    if (log->plan_length == 0)
        return false;
    if (log->store->kv_roll == log && s->state.base < log->plan_next)
        return true;
    return log->plan_length + item->n > (uint64_t)config->segment_bytes ||
           log->plan_next + item->offset - s->state.base > INT32_MAX ||
           now_ms - s->state.created_ms >= config->segment_ms;
}

static bool admit_append(struct frame_full *frame, struct frame_item *item, int64_t now_ms, struct err *err)
    ON(disk)
{
    struct log *log = item->log;
    if (log->dead)
        return err_set(err, ERR_FATAL, "the topic \"%s\" was deleted", log->topic->info->name);
    plan_begin(log, frame);
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

static void unadmit_item(struct frame_item *item) ON(disk)
{
    if (item->begins != NULL)
        segment_delete(item->begins);
    item->begins = NULL;
}

void frame_unadmit(struct frame_full *frame)
{
    for (size_t i = 0; i < frame->item_count; i++) {
        unadmit_item(&frame->items[i]);
        if (frame->items[i].log != NULL)
            frame->items[i].log->plan_owner = NULL;
    }
    unadmit_item(&frame->put_item);
    unadmit_item(&frame->catalog_item);
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
    return frame->f.internal ? store->options.reserve_bytes / 2 : store->options.reserve_bytes;
}

static void grow(struct store *store) ON(disk)
{
    struct journal *j = &store->journal;
    struct err err;
    if (!store_leaves_margin(store, j->file_data + JF_BLOCK, &err))
        j->grow_refused = true;
    else if (!journal_grow(j, &err))
        store_log(store, 1, "%s", err.text);
}

static enum admit admit_ring(struct store *store, const struct frame_full *frame, size_t group_bytes,
                             struct err *err) ON(disk)
{
    struct journal *j = &store->journal;
    uint64_t need = jf_block_up(group_bytes + frame->encoded), reserve = reserve_for(store, frame);
    while (!store->growing && need + reserve > journal_room(j, false) &&
           need + reserve <= journal_room(j, true))
        grow(store);
    if (need + reserve <= journal_room(j, false))
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
    if (admit_appends(frame, err))
        return ADMIT_YES;
    frame_unadmit(frame);
    return ADMIT_NO;
}

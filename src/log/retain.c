/* What goes: records before a log's start, by retention, by DeleteRecords, or because their owner truncates; and what holds them: pins.
 *
 * A log's start moves by a frame. When that is durable, segments wholly before it are unlinked; a reader's lease keeps one readable. The
 * built-in logs are different: recovery reads them whole, as of the tail, so their old segments stay until the tail has passed the frame.
 *
 * Pins live in memory. After a start retention waits some time before it looks first, so that every reader has set its own. */
#include <errno.h>
#include <stdio.h>

#include "log/log_private.h"

enum {
    LAST_SEGMENT_MIN = 1 << 20,
    TRIMS_MAX = 256, /* files of one look */
};

/* Takes the segments wholly before the start out of the log; the last one only when it is worth it. This depends on nothing but what the
 * journal says, since a replay must come to the same list: an append names no segment. With the log's lock. */
static size_t take_out(struct log *log, struct segment **out, size_t max)
{
    size_t n = 0;
    while (n < max && n < log->segment_count && log->segments[n]->state.next_offset <= log->start) {
        const struct segment *s = log->segments[n];
        bool is_last = n + 1 == log->segment_count;
        if (is_last && (s->state.length < LAST_SEGMENT_MIN || log->id < LOG_FIRST_FREE))
            break;
        out[n] = log->segments[n];
        n++;
    }
    if (n == 0)
        return 0;
    memmove(log->segments, log->segments + n, (log->segment_count - n) * sizeof log->segments[0]);
    log->segment_count -= n;
    memset(log->cursors, 0, sizeof log->cursors);
    return n;
}

static void forget_segment(struct store *store, const struct segment *s)
{
    struct sbuf key = {0};
    catalog_key_segment(&key, s->log->id, s->state.base);
    sbuf_char(&store->forgotten, (char)key.n);
    sbuf_str(&store->forgotten, sbuf_view(&key));
    sbuf_fini(&key);
}

void log_drop_segments(struct log *log)
{
    struct segment *out[64];
    size_t n;
    do {
        lock_take(log->lock);
        n = take_out(log, out, sizeof out / sizeof out[0]);
        lock_release(log->lock);
        for (size_t i = 0; i < n; i++) {
            if (log->id != LOG_CATALOG)
                forget_segment(log->store, out[i]);
            segment_delete(out[i]);
        }
    } while (n > 0);
}

void log_set_start(struct log *log, int64_t start)
{
    lock_take(log->lock);
    bool moves = start > log->start;
    if (moves)
        log->start = start;
    lock_release(log->lock);
    if (!moves)
        return;
    if (log->id < LOG_FIRST_FREE)
        log->drop_after = log->store->journal.head;
    else
        log_drop_segments(log);
}

/* ---- producers -------------------------------------------------------------------------------------------------------------- */

void forget_producer(void *arg, const struct producer *producer)
{
    struct log *log = arg;
    struct store *store = log->store;
    store->producers_changed -= producer->changed;
    if (!producer->saved)
        return;
    struct sbuf key = {0};
    catalog_key_producer(&key, log->id, producer->id);
    sbuf_char(&store->forgotten, (char)key.n);
    sbuf_str(&store->forgotten, sbuf_view(&key));
    sbuf_fini(&key);
}

void retain_producers(struct store *store)
{
    struct mono_time now = os_mono();
    if (mono_since_ns(now, store->producers_looked) < PRODUCER_LOOK_MS * NS_PER_MS)
        return;
    store->producers_looked = now;
    int64_t before = (os_wall().us / US_PER_MS - store->options.producer_ms) / 1000;
    for (size_t id = LOG_FIRST_FREE; before > 0 && id < store->logs_capacity; id++) {
        struct log *log = store->logs[id];
        if (log == NULL || log->producers.count == 0)
            continue;
        lock_take(log->lock);
        producers_expire(&log->producers, (uint32_t)before, forget_producer, log);
        lock_release(log->lock);
    }
}

/* ---- pins ------------------------------------------------------------------------------------------------------------------ */

void log_pin_set(struct log_pin *pin, struct log *log, int64_t offset, const char *owner)
{
    lock_take(log->lock);
    if (pin->log == NULL) {
        *pin = (struct log_pin){.log = log};
        list_push_back(&log->pins, &pin->link);
    }
    CHECK(pin->log == log);
    pin->offset = offset;
    pin->owner = owner;
    if (offset < log->start || log->dead)
        pin->broken = true;
    lock_release(log->lock);
}

void log_pin_drop(struct log_pin *pin)
{
    if (pin->log == NULL)
        return;
    struct log *log = pin->log;
    lock_take(log->lock);
    list_remove(&pin->link);
    pin->log = NULL;
    lock_release(log->lock);
}

bool log_pin_broken(const struct log_pin *pin)
{
    if (pin->log == NULL)
        return false;
    lock_take(pin->log->lock);
    bool broken = pin->broken;
    lock_release(pin->log->lock);
    return broken;
}

bool log_pinned_below(struct log *log, int64_t offset, char *owner, size_t size, int64_t *pinned)
{
    bool found = false;
    if (store_faults.no_pins)
        return false;
    lock_take(log->lock);
    LIST_EACH(link, &log->pins)
    {
        const struct log_pin *pin = CONTAINER_OF(link, struct log_pin, link);
        if (pin->broken || pin->offset >= offset || (found && pin->offset >= *pinned))
            continue;
        found = true;
        *pinned = pin->offset;
        snprintf(owner, size, "%s", pin->owner ? pin->owner : "a reader");
    }
    lock_release(log->lock);
    return found;
}

/* ---- retention ---------------------------------------------------------------------------------------------------------------- */

/* A record may be too old by its own time when it comes; whoever follows the log gets it nevertheless. (Kafka looks every five minutes.) */
static bool is_too_old(const struct segment_state *s, const struct topic_config *config, int64_t now_ms)
{
    int64_t newest = s->max_timestamp >= 0 ? s->max_timestamp : s->created_ms;
    int64_t least = config->retention_ms < RETENTION_LEAST_MS ? config->retention_ms : RETENTION_LEAST_MS;
    return config->retention_ms >= 0 && s->length > 0 && newest < now_ms - config->retention_ms &&
           s->created_ms < now_ms - least;
}

/* The start that time and size ask for. With the log's lock. */
static int64_t wanted_start(const struct log *log, const struct topic_config *config, int64_t now_ms)
{
    uint64_t bytes = 0;
    int64_t start = log->start;
    for (size_t i = 0; i < log->segment_count; i++)
        bytes += log->segments[i]->state.length;
    for (size_t i = 0; i < log->segment_count; i++) {
        const struct segment_state *s = &log->segments[i]->state;
        bool is_last = i + 1 == log->segment_count;
        bool too_much = config->retention_bytes >= 0 && !is_last &&
                        bytes - s->length >= (uint64_t)config->retention_bytes;
        if (!is_too_old(s, config, now_ms) && !too_much)
            break;
        bytes -= s->length;
        start = s->next_offset;
    }
    return start > log->end ? log->end : start;
}

static uint64_t bytes_between(const struct log *log, int64_t from, int64_t to)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < log->segment_count; i++)
        if (log->segments[i]->state.next_offset > from && log->segments[i]->state.base < to)
            bytes += log->segments[i]->state.length;
    return bytes;
}

/* Pins hold the start back, up to the topic's limit; then they break, loudly. With the log's lock. */
static int64_t held_start(struct log *log, const struct topic_config *config, int64_t wanted)
{
    int64_t start = wanted;
    LIST_EACH(link, &log->pins)
    {
        struct log_pin *pin = CONTAINER_OF(link, struct log_pin, link);
        if (pin->broken || pin->offset >= wanted || store_faults.no_pins)
            continue;
        uint64_t held = bytes_between(log, pin->offset, wanted);
        if (config->pin_bytes >= 0 && held > (uint64_t)config->pin_bytes) {
            pin->broken = true;
            store_log(
                log->store, STORE_TROUBLE,
                "retention of \"%s-%d\" passes %s, which is %llu MiB behind: it loses offsets %lld to %lld",
                log->topic->info->name, log->partition, pin->owner ? pin->owner : "a reader",
                (unsigned long long)(held >> 20), (long long)pin->offset, (long long)wanted);
        } else if (pin->offset < start) {
            start = pin->offset;
        }
    }
    return start;
}

static int64_t retained_start(struct log *log, int64_t now_ms)
{
    const struct topic_config *config = &log->topic->info->config;
    lock_take(log->lock);
    int64_t start = log->start;
    if (!config->compact || config->delete_too) {
        int64_t wanted = wanted_start(log, config, now_ms);
        if (wanted > start)
            start = held_start(log, config, wanted);
    }
    lock_release(log->lock);
    return start;
}

static void retained(struct frame *f)
{
    frame_free(f);
}

void retain_work(struct store *store)
{
    int64_t now_ms = os_wall().us / US_PER_MS;
    struct frame_full *frame = NULL;
    for (size_t id = LOG_FIRST_FREE; id < store->logs_capacity; id++) {
        struct log *log = store->logs[id];
        if (log == NULL)
            continue;
        int64_t start = retained_start(log, now_ms);
        if (start <= log->start)
            continue;
        if (frame == NULL)
            frame = frame_internal(store);
        frame_log_truncate_before(&frame->f, log, start);
    }
    if (frame == NULL)
        return;
    frame->f.done = retained; /* refused: a pin came meanwhile, or no space; the next look decides anew */
    store_queue(store, frame);
}

/* ---- space ------------------------------------------------------------------------------------------------------------------------- */

/* Segments that are settled give back what was allocated beyond their bytes, so that other programs can read them, too. */
void retain_trim(struct store *store)
{
    size_t count = 0;
    for (size_t id = 0; id < store->logs_capacity; id++) {
        struct log *log = store->logs[id];
        for (size_t i = 0; log && i < log->segment_count && count < TRIMS_MAX; i++) {
            struct segment *s = log->segments[i];
            if (!s->settled || s->trimmed)
                continue;
            segment_trim(s);
            s->trimmed = true;
            count++;
        }
    }
}

/* ---- rewriting the kv logs ------------------------------------------------------------------------------------------------------- */

/* A kv log that is mostly history is rewritten from memory: all pairs are put once more, behind a new segment's beginning, then the log
 * starts there. Every part is made right before it is written and goes first in its group, so it never undoes a newer put. */
enum { REWRITE_BYTES = 1 << 20 };

static bool needs_rewriting(const struct store *store, int which)
{
    struct log *log = which == 1 ? store->catalog_log : store->positions_log;
    const struct kv *kv = which == 1 ? &store->catalog : &store->positions;
    uint64_t live = kv->bytes + kv->count * 16, slack = KV_SLACK_BYTES;
    if (slack > journal_capacity(&store->journal) / 8)
        slack = journal_capacity(&store->journal) / 8;
    return log->drop_after == 0 && log_bytes(log) > 2 * live + slack;
}

static void rewritten(struct frame *f)
{
    struct frame_full *frame = CONTAINER_OF(f, struct frame_full, f);
    struct store *store = frame->store;
    store->kv_frame = NULL;
    if (f->durable) {
        store->kv_roll = NULL;
        if (frame->last_part) {
            store->kv_which = 0;
            sbuf_clear(&store->kv_key);
        } else {
            sbuf_clear(&store->kv_key);
            sbuf_str(&store->kv_key, sbuf_view(&frame->last_key));
        }
    } else { /* no space: begins anew, but not before the room timer */
        store->kv_paused = true;
        store->kv_which = 0;
        store->kv_roll = NULL;
    }
    sbuf_fini(&frame->last_key);
    frame_free(f);
}

static void add_pair(struct frame_full *frame, int which, const struct kv_node *node) ON(disk)
{
    if (which == 1)
        frame_catalog_put(frame, node->key, node->value);
    else
        frame_put(&frame->f, node->key, node->value);
}

bool kv_wants_rewriting(const struct store *store)
{
    return store->is_open && !store->kv_paused &&
           (store->kv_which != 0 || needs_rewriting(store, 1) || needs_rewriting(store, 2));
}

void kv_rewrite_before(struct store *store)
{
    if (!kv_wants_rewriting(store))
        return;
    CHECK(store->kv_frame == NULL);
    if (!list_empty(&store->internal_queue) &&
        CONTAINER_OF(store->internal_queue.next, struct frame_full, link)->is_root)
        return;
    for (int which = 1; store->kv_which == 0; which++) {
        CHECK(which <= 2);
        if (!needs_rewriting(store, which))
            continue;
        struct log *log = which == 1 ? store->catalog_log : store->positions_log;
        store->kv_which = which;
        store->kv_from = log->next_offset;
        store->kv_roll = log;
        sbuf_clear(&store->kv_key);
    }
    const struct kv *kv = store->kv_which == 1 ? &store->catalog : &store->positions;
    struct frame_full *frame = frame_internal(store);
    size_t bytes = 0, most = REWRITE_BYTES;
    if (most > journal_capacity(&store->journal) / 16)
        most = journal_capacity(&store->journal) / 16;
    const struct kv_node *node = store->kv_key.n ? kv_after(kv, sbuf_view(&store->kv_key)) : kv->first[0];
    for (; node != NULL && (bytes == 0 || bytes < most); node = node->next[0]) {
        add_pair(frame, store->kv_which, node);
        bytes += node->key.n + node->value.n + 16;
        sbuf_clear(&frame->last_key);
        sbuf_str(&frame->last_key, node->key);
    }
    frame->last_part = node == NULL;
    if (frame->last_part) {
        struct sbuf key = {0};
        uint8_t value[8];
        catalog_key_start(&key, store->kv_which == 1 ? LOG_CATALOG : LOG_POSITIONS);
        put_le64(value, (uint64_t)store->kv_from);
        frame_catalog_put(frame, sbuf_view(&key), str_n(value, sizeof value));
        sbuf_fini(&key);
    }
    frame->f.done = rewritten;
    store->kv_frame = frame;
    frame->in_flight = true;
    store->queue_bytes += frame->bytes;
    list_push_front(&store->internal_queue, &frame->link);
}

void kv_rewrite_after(struct store *store)
{
    struct frame_full *frame = store->kv_frame;
    if (frame == NULL)
        return;
    list_remove(&frame->link);
    store->queue_bytes -= frame->bytes;
    store->kv_frame = NULL;
    frame->in_flight = false;
    sbuf_fini(&frame->last_key);
    frame_free(&frame->f);
}

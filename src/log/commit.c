/* The disk role's work: gather the frames that wait, write them with one write, acknowledge them in order.
 *
 *     gather        admit a frame, lay it into the chunk, give its appends their places; while there are frames, and room
 *     write         headers, one write at the journal's head
 *     acknowledge   in LSN order: readers see it, then its producer hears of it
 *
 * While a write is in progress frames gather in the queues: so groups grow under load by themselves and no frame waits for others when
 * there are none. Internal frames go first; they may use room that others may not (rule 5). */
#include <errno.h>

#include "log/log_private.h"

struct grouped {
    struct frame_full *frame;
    size_t at, first_entry; /* in the chunk; in the group's entries */
    struct jf_header header;
};

struct group {
    struct chunk *chunk;
    size_t start, n;
    struct grouped *frames;
    size_t count, capacity;
    struct tail_entry *entries;
    size_t entry_count, entry_capacity;
};

void store_wake(struct store *store)
{
    if (store->task_ready && !store->in_place)
        task_wake(&store->task);
}

void store_queue(struct store *store, struct frame_full *frame)
{
    frame->in_flight = true;
    frame->finished = false;
    if (frame->is_root) /* what waits for room, waits for it */
        list_push_front(&store->internal_queue, &frame->link);
    else
        list_push_back(frame->f.internal ? &store->internal_queue : &store->queue, &frame->link);
    store->queue_bytes += frame->bytes;
    counter_set(&store->waiting, store->queue_bytes);
    store_wake(store);
}

static void unqueue(struct store *store, struct frame_full *frame)
{
    list_remove(&frame->link);
    store->queue_bytes -= frame->bytes;
    counter_set(&store->waiting, store->queue_bytes);
}

static bool is_catalog_frame(const struct frame_full *frame)
{
    for (size_t i = 0; i < frame->item_count; i++)
        if (frame->items[i].kind != ITEM_APPEND)
            return true;
    return frame->has_catalog || frame->root != NULL;
}

/* ---- gathering --------------------------------------------------------------------------------------------------------- */

static uint8_t *lay_append(struct group *group, const struct frame_full *frame, struct frame_item *item,
                           const void *bytes, uint8_t *p)
{
    struct log *log = item->log;
    uint8_t *payload = p + JF_ENTRY;
    size_t padded = jf_padded(item->n);
    memcpy(payload, bytes, item->n);
    memset(payload + item->n, 0, padded - item->n);
    group->entries = mem_grow(group->entries, &group->entry_capacity, group->entry_count + 1,
                              sizeof *group->entries);
    struct tail_entry *entry = &group->entries[group->entry_count++];
    bool roll = item->begins != NULL;
    log_place(log, payload, (uint32_t)item->n, roll, item->begins, (int32_t)frame->store->journal.epoch,
              entry);
    item->begins = NULL; /* the log's now */
    log->plan_owner = NULL;
    jf_entry_put(p, &(struct jf_entry){.kind = JF_APPEND,
                                       .flags = roll ? JF_ROLL : 0,
                                       .log = log->id,
                                       .base_offset = entry->base,
                                       .size = (uint32_t)item->n});
    return payload + padded;
}

static uint8_t *lay_root(const struct sbuf *root, uint8_t *p)
{
    jf_entry_put(p, &(struct jf_entry){.kind = JF_ROOT, .size = (uint32_t)root->n});
    memset(p + JF_ENTRY + root->n, 0, jf_padded(root->n) - root->n);
    memcpy(p + JF_ENTRY, root->p, root->n);
    return p + JF_ENTRY + jf_padded(root->n);
}

/* Lays the frame behind the group's others. */
static void lay(struct group *group, struct frame_full *frame)
{
    group->frames = mem_grow(group->frames, &group->capacity, group->count + 1, sizeof *group->frames);
    struct grouped *g = &group->frames[group->count++];
    *g = (struct grouped){.frame = frame, .at = group->start + group->n, .first_entry = group->entry_count};
    uint8_t *start = group->chunk->buf->p + g->at, *p = start + JF_HEADER;
    size_t append = 0;
    uint32_t entries = 0;
    if (frame->root != NULL) {
        p = lay_root(frame->root, p);
        entries++;
    }
    for (size_t i = 0; i < frame->item_count; i++) {
        struct frame_item *item = &frame->items[i];
        if (item->kind != ITEM_APPEND)
            continue;
        p = lay_append(group, frame, item, (item->buf ? (char *)item->buf->p : frame->copied.p) + item->at,
                       p);
        if (append < frame->append_count)
            frame->f.results[append++].base_offset = group->entries[group->entry_count - 1].base;
    }
    if (frame->has_puts)
        p = lay_append(group, frame, &frame->put_item, frame->put_batch.p, p);
    if (frame->has_catalog) /* last: it may delete what the frame appends to */
        p = lay_append(group, frame, &frame->catalog_item, frame->catalog_batch.p, p);
    CHECK((size_t)(p - start) == frame->encoded);
    g->header.entries = entries + (uint32_t)(group->entry_count - g->first_entry);
    group->n += frame->encoded;
}

static void refuse(struct store *store, struct frame_full *frame, const struct err *err)
{
    unqueue(store, frame);
    if (err->class == ERR_RETRY) { /* not at once: it would be refused again, and again */
        counter_set(&store->pausing, 1);
        store->refused_since = true;
        if (store->task_ready && !timer_is_set(&store->room_timer))
            timer_set_in(&store->room_timer, ROOM_RETRY_MS * NS_PER_MS);
    }
    if (err->code == ENOSPC && counter_get(&store->full_said) == 0) {
        counter_set(&store->full_said, 1);
        store_log(store, STORE_DISK_FULL, "%s", err->text);
    }
    counter_add(&store->refused, 1);
    frame_finish(frame, false, err);
}

/* Chunk memory for a group that begins with this frame. */
static void begin_group(struct store *store, struct group *group, const struct frame_full *frame)
{
    size_t wanted = (size_t)jf_block_up(frame->encoded), likely = GROUP_BYTES_MAX;
    if (store->queue_bytes + store->queue_bytes / 8 < likely)
        likely = (size_t)(store->queue_bytes + store->queue_bytes / 8);
    if (likely > store->chunk_bytes / 2)
        likely = store->chunk_bytes / 2;
    likely = (size_t)jf_block_up(likely);
    group->chunk = tail_chunk(store, (wanted > likely ? wanted : likely) + JF_BLOCK);
    group->start = (size_t)jf_block_up(group->chunk->used);
}

static bool fits(const struct group *group, size_t encoded)
{
    size_t end = (size_t)jf_block_up(group->start + group->n + encoded);
    return end <= group->chunk->buf->capacity && group->n + encoded <= GROUP_BYTES_MAX;
}

/* Takes frames from one queue into the group. False: the first of them has to wait. */
static bool gather(struct store *store, struct group *group, struct list *queue)
{
    while (!list_empty(queue)) {
        struct frame_full *frame = CONTAINER_OF(queue->next, struct frame_full, link);
        struct err err = {0};
        bool alone = is_catalog_frame(frame);
        if (group->count > 0 && (alone || is_catalog_frame(group->frames[0].frame) ||
                                 !fits(group, frame->bytes + frame->bytes / 8 + JF_BLOCK)))
            return true;
        enum admit admit = frame_admit(store, frame, group->n, &err);
        if (admit == ADMIT_WAIT)
            return false;
        if (admit == ADMIT_YES && group->count > 0 && !fits(group, frame->encoded)) {
            frame_unadmit(frame); /* many small appends: larger than it looked */
            return true;
        }
        if (admit == ADMIT_NO) {
            refuse(store, frame, &err);
            continue;
        }
        unqueue(store, frame);
        if (group->count == 0)
            begin_group(store, group, frame);
        lay(group, frame);
    }
    return true;
}

/* ---- writing -------------------------------------------------------------------------------------------------------------- */

/* Headers, in LSN order: each needs the checksum of the one before. */
static void seal_group(struct store *store, struct group *group)
{
    struct journal *j = &store->journal;
    uint32_t previous = j->previous;
    for (size_t i = 0; i < group->count; i++) {
        struct grouped *g = &group->frames[i];
        uint64_t position = j->head + g->at - group->start;
        const struct frame_full *frame = g->frame;
        g->header = (struct jf_header){
            .store = j->store,
            .lsn = j->next_lsn + i,
            .durable = j->durable,
            .position = position,
            .tail = frame->root ? frame->root_tail : j->tail,
            .root = frame->root ? position : j->root,
            .size = (uint32_t)frame->encoded,
            .previous = previous,
            .incarnation = j->incarnation,
            .entries = g->header.entries,
            .flags = (i + 1 == group->count ? JF_GROUP_END : 0u) | (frame->root ? JF_WITH_ROOT : 0u) |
                     (frame->is_opening ? JF_OPENING : 0u),
            .epoch = j->epoch,
            .files = (uint32_t)j->count,
        };
        jf_header_put(group->chunk->buf->p + g->at, &g->header);
        previous = g->header.checksum;
    }
    size_t padded = (size_t)jf_block_up(group->n);
    memset(group->chunk->buf->p + group->start + group->n, 0, padded - group->n);
    group->chunk->used = group->start + padded;
    group->n = padded;
}

static void write_group(struct store *store, struct group *group)
{
    struct err err = {0};
    struct grouped *last = &group->frames[group->count - 1];
    const struct frame_full *first = group->frames[0].frame;
    if (!journal_write(&store->journal, group->chunk->buf->p + group->start, group->n, last->header.lsn,
                       last->header.checksum, &err) ||
        (store->journal.lazy && (is_catalog_frame(first) || first->root || first->is_opening) &&
         !journal_sync(&store->journal, &err)))
        store_die(store, &err);
    counter_add(&store->writes, 1);
    counter_add(&store->bytes, group->n);
    counter_set(&store->syncs, store->journal.syncs);
    counter_set(&store->ring_used, journal_used(&store->journal));
    counter_set(&store->ring_bytes, store->journal.count * (store->journal.file_data + JF_BLOCK));
}

static void acknowledge(struct store *store, struct group *group)
{
    for (size_t i = 0; i < group->count; i++) {
        struct grouped *g = &group->frames[i];
        struct err err = {0};
        if (!store_apply_frame(store, group->chunk, group->chunk->buf->p + g->at, &g->header,
                               group->entries + g->first_entry, &err))
            store_die(store, &err);
        if (g->frame->root != NULL) {
            store->journal.tail = g->frame->root_tail;
            store->journal.root = g->header.position;
        }
        g->frame->f.lsn = g->header.lsn;
        counter_add(&store->frames, 1);
        frame_finish(g->frame, true, NULL);
    }
}

static void set_timers(struct store *store, const struct group *group)
{
    if (!store->task_ready || store->in_place)
        return;
    bool is_confirming = group->count == 1 && group->frames[0].header.entries == 0;
    if (store->journal.lazy && !timer_is_set(&store->sync_timer))
        timer_set_in(&store->sync_timer, LAZY_SYNC_MS * NS_PER_MS);
    if (is_confirming)
        timer_cancel(&store->confirm_timer);
    else
        timer_set_in(&store->confirm_timer, CONFIRM_IDLE_MS * NS_PER_MS);
}

/* Writes one group. *blocked: the first frame of a queue has to wait. */
static bool commit_group(struct store *store, bool *blocked)
{
    struct group group = {0};
    bool went = gather(store, &group, &store->internal_queue);
    bool went_too = gather(store, &group, &store->queue);
    *blocked = !went || !went_too;
    if (group.count > 0) {
        seal_group(store, &group);
        if (store_faults.ack_before_write)
            acknowledge(store, &group);
        write_group(store, &group);
        if (!store_faults.ack_before_write)
            acknowledge(store, &group);
        set_timers(store, &group);
    }
    mem_free(group.frames);
    mem_free(group.entries);
    return group.count > 0;
}

/* flush: os: what was written is durable now. */
void store_sync_ends(struct store *store)
{
    while (!list_empty(&store->unsynced_ends)) {
        struct log *log = CONTAINER_OF(list_pop_front(&store->unsynced_ends), struct log, unsynced_link);
        log->is_unsynced_end = false;
        lock_take(log->lock);
        log->synced = log->end;
        lock_release(log->lock);
    }
}

/* The tail cannot move for want of disk space: what waits for it is told so. */
static void refuse_waiting(struct store *store)
{
    struct list *queues[] = {&store->internal_queue, &store->queue};
    struct err err;
    err_set_errno(&err, ERR_RETRY, ENOSPC, "could not make room in the journal: the disk of \"%s\" is full",
                  store->folder);
    for (size_t i = 0; i < 2; i++)
        while (!list_empty(queues[i]))
            refuse(store, CONTAINER_OF(queues[i]->next, struct frame_full, link), &err);
}

/* Frames that nobody waits for any more. */
void store_drop_queues(struct store *store)
{
    struct list *queues[] = {&store->internal_queue, &store->queue};
    for (size_t i = 0; i < 2; i++)
        while (!list_empty(queues[i])) {
            struct frame_full *frame = CONTAINER_OF(queues[i]->next, struct frame_full, link);
            unqueue(store, frame);
            frame->in_flight = false;
            if (frame->loop == NULL)
                frame_finish(frame, false, NULL); /* the store's own: its done frees it */
        }
}

bool store_work(struct store *store)
{
    bool blocked = false;
    kv_rewrite_before(store);
    commit_group(store, &blocked);
    kv_rewrite_after(store);
    behind_work(store, blocked);
    if (blocked && store->job == NULL && store->root_refused)
        refuse_waiting(store);
    store_room_back(store);
    bool waits = !list_empty(&store->queue) || !list_empty(&store->internal_queue);
    return waits && (!blocked || store->job == NULL);
}

void store_work_until(struct store *store, struct frame_full *frame)
{
    bool was = store->in_place;
    store->in_place = true;
    while (!frame->finished)
        store_work(store);
    store->in_place = was;
}

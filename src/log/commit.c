/* The disk role's work: gather the frames that wait, write them with one write, acknowledge them in order.
 *
 *     gather        admit a frame, lay it into the chunk, give its appends their places; while there are frames, and room
 *     write         headers, one write at the journal's head
 *     acknowledge   in LSN order: readers see it, then its producer hears of it
 *
 * While a write is in progress frames gather in the queues: so groups grow under load by themselves and no frame waits for others when
 * there are none. Internal frames go first; they may use room that others may not (rule 5).
 *
 * A small group is written in place: nothing is quicker. A large one takes off: one of FLIGHTS_MAX loops writes it, while the disk role
 * gathers the next; without that the disk would wait for the copying as long as the copying waits for the disk. Groups land, that is, are
 * acknowledged, in the order in which they took off, whichever was written first. To recovery a group that was written
 * before an earlier one is a frame beyond the end: it names only landed groups as durable.
 *
 *     gathered ── small, nothing in flight ──> written in place ──> acknowledged
 *        └────── large, or others in flight ──> in flight ──> written ──> all earlier ones landed: acknowledged
 *
 * What an append in flight has changed already (its segment's state, its log's next offset) is not true yet. So what looks at that (tail
 * moves, the catalogue, rewriting of keys) waits until nothing is in flight, and no group takes off while it waits. */
#include <errno.h>

#include "log/log_private.h"

enum { FLIGHTS_MAX = 2 };

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
    struct frame_full *
        *riders; /* frames of which nothing has to be written, and that wait for those before them */
    size_t rider_count, rider_capacity;
};

struct flight {
    struct msg run, landed;
    struct store *store;
    struct loop *loop; /* writes it */
    struct group group;
    struct journal_parts parts;
    bool is_written;    /* set by its loop, read when that has said so or has ended */
    bool has_come_back; /* [disk] */
    struct err err;
};

struct flights {
    struct flight slots[FLIGHTS_MAX];
    unsigned first, count; /* in flight: slots[first], [first + 1] … modulo FLIGHTS_MAX */
};

static unsigned in_flight(const struct store *store)
{
    return store->flights ? store->flights->count : 0;
}

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

static void set_time(uint8_t *p, size_t n, int64_t time_ms)
{
    for (size_t at = 0; at < n;) {
        struct records_batch batch;
        bool whole = records_batch_read(p + at, n - at, false, &batch, NULL);
        CHECK(whole);
        records_batch_set_time(p + at, batch.size, time_ms);
        at += batch.size;
    }
}

static void add_aborted(struct log *log, const struct frame_item *item, const struct tail_entry *entry)
    ON(disk)
{
    CHECK(item->aborted.last == entry->base);
    lock_take(log->lock);
    segment_add_aborted(entry->segment, &item->aborted);
    log->has_aborted = true;
    lock_release(log->lock);
}

static uint8_t *lay_append(struct group *group, const struct frame_full *frame, struct frame_item *item,
                           const void *bytes, uint8_t *p) ON(disk)
{
    struct log *log = item->log;
    uint8_t *payload = p + JF_ENTRY;
    size_t padded = jf_padded(item->n);
    memcpy(payload, bytes, item->n);
    memset(payload + item->n, 0, padded - item->n);
    if (item->time_ms >= 0)
        set_time(payload, item->n, item->time_ms);
    group->entries = mem_grow(group->entries, &group->entry_capacity, group->entry_count + 1,
                              sizeof *group->entries);
    struct tail_entry *entry = &group->entries[group->entry_count++];
    bool roll = item->begins != NULL;
    log_place(log, payload, (uint32_t)item->n, roll, item->begins, (int32_t)frame->store->journal.epoch,
              entry);
    if (item->aborts)
        add_aborted(log, item, entry);
    item->begins = NULL; /* the log's now */
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
static void lay(struct group *group, struct frame_full *frame) ON(disk)
{
    group->frames = mem_grow(group->frames, &group->capacity, group->count + 1, sizeof *group->frames);
    struct grouped *g = &group->frames[group->count++];
    *g = (struct grouped){.frame = frame, .at = group->start + group->n, .first_entry = group->entry_count};
    uint8_t *start = group->chunk->buf->p + g->at, *p = start + JF_HEADER;
    uint32_t entries = 0;
    if (frame->root != NULL) {
        p = lay_root(frame->root, p);
        entries++;
    }
    for (size_t i = 0; i < frame->item_count; i++) {
        struct frame_item *item = &frame->items[i];
        if (item->kind != ITEM_APPEND || item->has_fallen_out)
            continue;
        p = lay_append(group, frame, item, frame_item_bytes(frame, item), p);
        frame->f.results[item->result] = (struct frame_append_result){
            .base_offset = group->entries[group->entry_count - 1].base, .timestamp_ms = item->time_ms};
    }
    frame->undo_count = 0; /* it is true now */
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
static void begin_group(struct store *store, struct group *group, const struct frame_full *frame) ON(disk)
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

/* Nothing of it has to be written; but what it was told may not be durable yet: it waits for the group that is being gathered or written. */
static void ride(struct store *store, struct group *group, struct frame_full *frame) ON(disk)
{
    struct flights *flights = store->flights;
    frame->f.lsn = store->journal.next_lsn - 1 + group->count;
    bool waits = group->count > 0 || in_flight(store) > 0;
    if (!waits || store_faults.answer_at_once) {
        frame_finish(frame, true, NULL);
        return;
    }
    if (group->count == 0)
        group = &flights->slots[(flights->first + flights->count - 1) % FLIGHTS_MAX].group;
    group->riders = mem_grow(group->riders, &group->rider_capacity, group->rider_count + 1,
                             sizeof(struct frame_full *));
    group->riders[group->rider_count++] = frame;
}

/* Takes frames from one queue into the group. False: the first of them has to wait. */
static bool gather(struct store *store, struct group *group, struct list *queue, bool calm) ON(disk)
{
    while (!list_empty(queue)) {
        struct frame_full *frame = CONTAINER_OF(queue->next, struct frame_full, link);
        struct err err = {0};
        bool alone = is_catalog_frame(frame);
        if (alone && !calm)
            return true;
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
        if (frame_is_void(frame)) {
            ride(store, group, frame);
            continue;
        }
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

static const struct jf_header *last_header(const struct group *group)
{
    return &group->frames[group->count - 1].header;
}

/* flush: os, and a frame that cannot wait for the next sync. */
static bool wants_sync(const struct group *group)
{
    const struct frame_full *first = group->frames[0].frame;
    bool wants = is_catalog_frame(first) || first->root || first->is_opening;
    for (size_t i = 0; i < group->count; i++)
        wants = wants || group->frames[i].frame->f.synced;
    return wants;
}

static void write_group(struct store *store, struct group *group)
{
    struct err err = {0};
    const struct jf_header *last = last_header(group);
    if (!journal_write(&store->journal, group->chunk->buf->p + group->start, group->n, last->lsn,
                       last->checksum, &err) ||
        (store->journal.lazy && wants_sync(group) && !journal_sync(&store->journal, &err)))
        store_die(store, &err);
}

static void count_group(struct store *store, const struct group *group)
{
    counter_add(&store->writes, 1);
    counter_add(&store->bytes, group->n);
    counter_set(&store->syncs, store->journal.syncs);
    counter_set(&store->ring_used, journal_used(&store->journal));
    counter_set(&store->ring_bytes, store->journal.count * (store->journal.file_data + JF_BLOCK));
}

static void acknowledge(struct store *store, struct group *group) ON(disk)
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
        counter_set(&store->lsn, g->header.lsn);
        frame_finish(g->frame, true, NULL);
    }
    for (size_t i = 0; i < group->rider_count; i++)
        frame_finish(group->riders[i], true, NULL);
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

static void free_group(struct group *group)
{
    mem_free(group->frames);
    mem_free(group->entries);
    mem_free(group->riders);
    *group = (struct group){0};
}

static void commit_in_place(struct store *store, struct group *group) ON(disk)
{
    if (store_faults.ack_before_write) {
        acknowledge(store, group);
        if (store_faults.acknowledged)
            store_faults.acknowledged();
    }
    write_group(store, group);
    count_group(store, group);
    if (!store_faults.ack_before_write)
        acknowledge(store, group);
    set_timers(store, group);
    free_group(group);
}

/* ---- in flight -------------------------------------------------------------------------------------------------------------- */

static bool may_fly(const struct store *store, const struct group *group) ON(disk)
{
    const struct frame_full *first = group->frames[0].frame;
    return store->flights != NULL && store->task_ready && !store->in_place && store->journal.direct &&
           !store_faults.ack_before_write && !is_catalog_frame(first) && !first->is_opening &&
           first != store->kv_frame && (group->n >= store->options.flight_bytes || in_flight(store) > 0);
}

static void write_parts(struct flight *flight)
{
    bool done = true;
    for (size_t i = 0; i < flight->parts.n && done; i++) {
        const struct journal_part *part = &flight->parts.p[i];
        done = os_pwrite(part->file, part->p, part->n, part->offset, &flight->err);
    }
    if (done)
        err_clear(&flight->err);
    flight->is_written = true;
}

static void land(struct store *store, struct flight *flight) ON(disk)
{
    struct group *group = &flight->group;
    if (flight->err.class != ERR_NONE)
        store_die(store, &flight->err);
    journal_landed(&store->journal, last_header(group)->lsn);
    count_group(store, group);
    chunk_let(store, group->chunk);
    acknowledge(store, group);
    set_timers(store, group);
    free_group(group);
    store->flights->first = (store->flights->first + 1) % FLIGHTS_MAX;
    store->flights->count--;
}

/* On the flight's loop. */
static void write_flight(struct msg *msg)
{
    struct flight *flight = CONTAINER_OF(msg, struct flight, run);
    write_parts(flight);
    loop_post(flight->store->disk, &flight->landed);
}

/* Back on the disk role. */
static void flight_landed(struct msg *msg) ON(disk)
{
    struct flight *flight = CONTAINER_OF(msg, struct flight, landed);
    struct store *store = flight->store;
    struct flights *flights = store->flights;
    run_on_disk();
    flight->has_come_back = true;
    while (flights->count > 0 && flights->slots[flights->first].has_come_back)
        land(store, &flights->slots[flights->first]);
    store_wake(store);
}

static void take_off(struct store *store, struct group *group) ON(disk)
{
    struct flights *flights = store->flights;
    struct flight *flight = &flights->slots[(flights->first + flights->count++) % FLIGHTS_MAX];
    const struct jf_header *last = last_header(group);
    flight->group = *group;
    flight->is_written = flight->has_come_back = false;
    if (!journal_claim(&store->journal, group->chunk->buf->p + group->start, group->n, last->lsn,
                       last->checksum, &flight->parts, &flight->err))
        store_die(store, &flight->err);
    chunk_hold(store, group->chunk); /* it stays, though no log knows of it yet */
    loop_post(flight->loop, &flight->run);
}

bool commit_start(struct store *store, struct err *err)
{
    struct flights *flights = pool_alloc(store->pool, sizeof *flights);
    *flights = (struct flights){0};
    store->flights = flights;
    for (size_t i = 0; i < FLIGHTS_MAX; i++) {
        struct flight *flight = &flights->slots[i];
        flight->store = store;
        msg_init(&flight->run, write_flight);
        msg_init(&flight->landed, flight_landed);
        TRY(loop_new(ROLE_DISK, "journal", &flight->loop, err));
    }
    return true;
}

bool commit_run(struct store *store, struct err *err)
{
    for (size_t i = 0; i < FLIGHTS_MAX; i++)
        TRY(loop_start(store->flights->slots[i].loop, err));
    return true;
}

/* The loops that submitted may have ended. */
static void forget_submitter(struct frame_full *frame)
{
    if (frame->loop != NULL)
        frame->f.done = NULL;
    frame->loop = NULL;
}

static void forget_submitters(struct group *group)
{
    for (size_t i = 0; i < group->count; i++)
        forget_submitter(group->frames[i].frame);
    for (size_t i = 0; i < group->rider_count; i++)
        forget_submitter(group->riders[i]);
}

void commit_stop(struct store *store, bool lands) UNSHARED
{
    struct flights *flights = store->flights;
    if (flights == NULL)
        return;
    for (size_t i = 0; i < FLIGHTS_MAX; i++) {
        struct loop *loop = flights->slots[i].loop;
        if (loop == NULL)
            continue;
        loop_stop(loop);
        loop_join(loop);
        loop_free(loop);
    }
    while (lands && flights->count > 0) {
        struct flight *flight = &flights->slots[flights->first];
        if (!flight->is_written) /* its loop had ended before */
            write_parts(flight);
        forget_submitters(&flight->group);
        land(store, flight);
    }
    for (size_t i = 0; i < FLIGHTS_MAX; i++) {
        free_group(&flights->slots[i].group);
        mem_free(flights->slots[i].parts.p);
    }
    store->flights = NULL;
}

/* Writes one group, or sends it off. *blocked: the first frame of a queue has to wait for room. */
static void commit_group(struct store *store, bool *blocked) ON(disk)
{
    struct group group = {0};
    bool calm = in_flight(store) == 0;
    bool went = gather(store, &group, &store->internal_queue, calm);
    bool went_too = gather(store, &group, &store->queue, calm);
    *blocked = !went || !went_too;
    if (group.count == 0)
        return;
    seal_group(store, &group);
    if (may_fly(store, &group)) {
        take_off(store, &group);
        return;
    }
    CHECK(calm);
    commit_in_place(store, &group);
}

/* flush: os: what was written, or found, is durable now. */
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

/* Is there something that may begin only when nothing is in flight? */
static bool wants_calm(const struct store *store) ON(disk)
{
    const struct list *queues[] = {&store->internal_queue, &store->queue};
    for (size_t i = 0; i < 2; i++)
        if (!list_empty(queues[i]) &&
            is_catalog_frame(CONTAINER_OF(queues[i]->next, struct frame_full, link)))
            return true;
    return store->blocked || store->in_place || behind_wants_move(store) || kv_wants_rewriting(store);
}

bool store_work(struct store *store)
{
    bool calm = in_flight(store) == 0;
    if (!calm && (in_flight(store) == FLIGHTS_MAX || wants_calm(store)))
        return false; /* the next landing wakes */
    if (calm)
        kv_rewrite_before(store);
    commit_group(store, &store->blocked);
    if (calm)
        kv_rewrite_after(store);
    calm = in_flight(store) == 0;
    behind_work(store, calm, store->blocked);
    if (calm && store->blocked && store->job == NULL && store->root_refused)
        refuse_waiting(store);
    store_room_back(store);
    if (list_empty(&store->queue) && list_empty(&store->internal_queue))
        return false;
    return !store->blocked || (calm && store->job == NULL);
}

void store_work_until(struct store *store, struct frame_full *frame)
{
    bool was = store->in_place;
    store->in_place = true;
    while (!frame->finished)
        store_work(store);
    store->in_place = was;
}

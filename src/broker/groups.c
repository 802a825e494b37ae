/* The life of the group coordinator: what comes in is handed to the file that knows about it, what must be durable goes out and comes
 * back, time-outs are told.
 *
 * A call, from groups_serve to its reply:
 *
 *                  the group is busy                     (or: commits are under way, and the fetch wants to see them)
 *              ┌───────────────────────→ QUEUED ──┐
 *     NONE ──serve────────────────────────────────┴─ served again
 *              ├─ reply at once                                         ────────────────→ NONE
 *              ├─ its write is under way ─────────→ HELD by the write   ── persisted ───→ NONE
 *              └─ a join or sync is parked ───────→ HELD by the member  ── rebalance ───→ NONE
 *                                                   groups_cancel, anywhere ────────────→ NONE
 *
 * Invariant: a call that is not NONE is in exactly one place, and that place knows it: link, or *held_at == call.
 *
 * A group is busy from the begin of a CHANGE to its end. So everything that decides about members and epochs decides by what is durable,
 * no change is built on one that may fail, and nothing ever has to be undone. It costs that changes of one group go one after the other,
 * each a write long; heartbeats that change nothing, which are nearly all, need no write.
 *
 * Time-outs. Members know their deadlines; a group knows the first of them, or an earlier time: it is not moved when a member
 * is heard of. When it comes, the group looks at its members, ends what is due, and finds the next. So a heartbeat moves one
 * number, and a group of n members is looked through about once in a session's time. */
#include "broker/groups_private.h"
#include "broker/java_hash.h"

enum {
    SPARE_MAX = 64,         /* writes kept for reuse, with their arenas */
    EXPIRE_RECORDS = 10000, /* offsets that expire go into writes of about so many records */
    ARENA_KEPT = 64 << 10,  /* an arena that had more is freed, not reset: a rebalance's memory is not kept */
};

struct groups_faults groups_faults;

const struct groups_config groups_config_default = {
    .session_min_ms = 6000,
    .session_max_ms = 1800000,
    .initial_rebalance_delay_ms = 3000,
    .group_size_max = 100000,
    .consumer_session_ms = 45000,
    .consumer_heartbeat_ms = 5000,
    .offset_metadata_max = 4096,
    .offsets_retention_ms = INT64_C(7) * 24 * 3600 * 1000,
    .retention_check_ms = 600000,
    .offsets_partitions = 50,
    .groups_max = 100000,
    .offsets_max = 10000000,
};

/* ---- groups --------------------------------------------------------------------------------------------------- */

int32_t groups_partition_of(const struct groups *groups, struct str group_id)
{
    return coordinator_partition(group_id, groups->config.offsets_partitions);
}

struct group *group_find(const struct groups *groups, struct str name)
{
    return table_get(&groups->by_name, name);
}

struct group *group_get(struct groups *groups, struct str name)
{
    struct group *group = group_find(groups, name);
    if (group || groups->by_name.count >= groups->config.groups_max)
        return group;
    group = mem_new(sizeof *group);
    group->name.key = str_keep(name);
    group->partition = groups_partition_of(groups, name);
    group->deadline_ms = TIME_NONE;
    list_init(&group->queue);
    table_put(&groups->by_name, &group->name);
    return group;
}

static void heap_remove(struct groups *groups, struct group *group);

static void group_free(struct groups *groups, struct group *group)
{
    while (!list_empty(&group->queue))
        CONTAINER_OF(list_pop_front(&group->queue), struct groups_call, link)->state = GROUPS_CALL_NONE;
    heap_remove(groups, group);
    classic_free(groups, group->classic);
    consumer_free(groups, group->consumer);
    offsets_free(groups, group);
    str_drop(&group->name.key);
    mem_free(group);
}

void group_settle(struct groups *groups, struct group *group)
{
    bool is_vacant = group->writes == 0 && list_empty(&group->queue) && group->consumer == NULL &&
                     classic_is_simple(group) && group->offsets == 0 && group->pendings == 0;
    if (!is_vacant)
        return;
    CHECK(!group->is_busy);
    table_remove(&groups->by_name, &group->name);
    group_free(groups, group);
}

/* ---- deadlines: a heap ---------------------------------------------------------------------------------------- */

static void heap_set(struct groups *groups, size_t index, struct group *group)
{
    groups->heap[index] = group;
    group->heap_index = (uint32_t)index;
}

static void heap_up(struct groups *groups, struct group *group)
{
    size_t i = group->heap_index;
    for (; i > 1 && groups->heap[i / 2]->deadline_ms > group->deadline_ms; i /= 2)
        heap_set(groups, i, groups->heap[i / 2]);
    heap_set(groups, i, group);
}

static void heap_down(struct groups *groups, struct group *group)
{
    size_t i = group->heap_index;
    for (size_t child; (child = i * 2) <= groups->heap_count; i = child) {
        if (child < groups->heap_count &&
            groups->heap[child + 1]->deadline_ms < groups->heap[child]->deadline_ms)
            child++;
        if (groups->heap[child]->deadline_ms >= group->deadline_ms)
            break;
        heap_set(groups, i, groups->heap[child]);
    }
    heap_set(groups, i, group);
}

static void heap_remove(struct groups *groups, struct group *group)
{
    group->deadline_ms = TIME_NONE;
    if (group->heap_index == 0)
        return;
    struct group *last = groups->heap[groups->heap_count--];
    if (last != group) {
        heap_set(groups, group->heap_index, last);
        heap_up(groups, last);
        heap_down(groups, last);
    }
    group->heap_index = 0;
}

void group_deadline(struct groups *groups, struct group *group, int64_t at_ms)
{
    if (at_ms >= group->deadline_ms)
        return;
    group->deadline_ms = at_ms;
    if (group->heap_index == 0) {
        groups->heap = mem_grow(groups->heap, &groups->heap_capacity, groups->heap_count + 2,
                                sizeof(struct group *));
        heap_set(groups, ++groups->heap_count, group);
    }
    heap_up(groups, group);
}

static void group_expire(struct groups *groups, struct group *group)
{
    if (group->is_busy) {
        group->is_late = true;
        return;
    }
    group->is_late = false;
    if (group->classic)
        classic_expire(groups, group);
    else if (group->consumer)
        consumer_expire(groups, group);
    group_settle(groups, group);
}

/* ---- calls ---------------------------------------------------------------------------------------------------- */

void call_hold(struct groups_call *call, struct groups_call **at)
{
    CHECK(call->state == GROUPS_CALL_NONE && *at == NULL);
    *at = call;
    call->held_at = at;
    call->state = GROUPS_CALL_HELD;
}

struct groups_call *call_release(struct groups_call **at)
{
    struct groups_call *call = *at;
    if (call == NULL)
        return NULL;
    CHECK(call->state == GROUPS_CALL_HELD && call->held_at == at);
    *at = NULL;
    call->state = GROUPS_CALL_NONE;
    return call;
}

static void call_queue(struct groups_call *call, struct list *queue)
{
    CHECK(call->state == GROUPS_CALL_NONE);
    list_push_back(queue, &call->link);
    call->state = GROUPS_CALL_QUEUED;
}

bool call_waits(struct group *group, struct groups_call *call)
{
    if (group->is_busy)
        call_queue(call, &group->queue);
    return group->is_busy;
}

void groups_reply(struct groups *groups, struct groups_call *call, const void *response)
{
    if (call == NULL)
        return;
    CHECK(call->state == GROUPS_CALL_NONE);
    groups->slots.reply(groups->arg, call, response);
}

void groups_dispatch(struct groups *groups, struct groups_call *call)
{
    switch (call->api) {
    case KAFKA_API_OFFSET_COMMIT: return offsets_commit(groups, call);
    case KAFKA_API_OFFSET_FETCH: return offsets_fetch(groups, call);
    case KAFKA_API_JOIN_GROUP: return classic_join(groups, call);
    case KAFKA_API_HEARTBEAT: return classic_heartbeat(groups, call);
    case KAFKA_API_LEAVE_GROUP: return classic_leave(groups, call);
    case KAFKA_API_SYNC_GROUP: return classic_sync(groups, call);
    case KAFKA_API_DESCRIBE_GROUPS: return groups_describe(groups, call);
    case KAFKA_API_LIST_GROUPS: return groups_list(groups, call);
    case KAFKA_API_TXN_OFFSET_COMMIT: return offsets_commit_txn(groups, call);
    case KAFKA_API_DELETE_GROUPS: return groups_delete(groups, call);
    case KAFKA_API_OFFSET_DELETE: return offsets_delete(groups, call);
    case KAFKA_API_CONSUMER_GROUP_HEARTBEAT: return consumer_heartbeat(groups, call);
    case KAFKA_API_CONSUMER_GROUP_DESCRIBE: return groups_describe_consumer(groups, call);
    default: UNREACHABLE("an API that is not of groups");
    }
}

/* ---- writes --------------------------------------------------------------------------------------------------- */

void arena_rest(struct arena *arena)
{
    if (arena->bytes > ARENA_KEPT)
        arena_fini(arena);
    else
        arena_reset(arena);
}

struct write *write_new(struct groups *groups, enum write_kind kind)
{
    struct list *link = list_pop_front(&groups->spare);
    struct write *write = link ? CONTAINER_OF(link, struct write, link) : mem_new(sizeof *write);
    groups->spare_count -= link != NULL;
    list_init(&write->link);
    list_init(&write->after);
    write->kind = kind;
    write->producer_id = -1;
    write->producer_epoch = -1;
    write->seq = ++groups->seq;
    return write;
}

void write_concerns(struct write *write, struct group *group)
{
    for (uint32_t i = 0; i < write->groups_count; i++)
        if (write->groups[i] == group)
            return;
    write->groups = mem_grow(write->groups, &write->groups_capacity, write->groups_count + 1,
                             sizeof(struct group *));
    write->groups[write->groups_count++] = group;
}

static void write_free(struct write *write)
{
    arena_fini(&write->arena);
    mem_free(write->records);
    mem_free(write->groups);
    mem_free(write);
}

void write_discard(struct groups *groups, struct write *write)
{
    CHECK(list_empty(&write->after) && write->call == NULL);
    if (groups->spare_count >= SPARE_MAX) {
        write_free(write);
        return;
    }
    struct write fresh = {.arena = write->arena,
                          .records = write->records,
                          .records_capacity = write->records_capacity,
                          .groups = write->groups,
                          .groups_capacity = write->groups_capacity};
    *write = fresh;
    arena_rest(&write->arena);
    list_push_front(&groups->spare, &write->link);
    groups->spare_count++;
}

void write_begin(struct groups *groups, struct write *write, struct groups_call *call, const void *response)
{
    if (write->records_count == 0) {
        CHECK(response || call == NULL);
        groups_reply(groups, call, response);
        write_discard(groups, write);
        return;
    }
    write->token = ++groups->token;
    write->response = response;
    for (uint32_t i = 0; i < write->groups_count; i++) {
        struct group *group = write->groups[i];
        group->writes++;
        if (write->kind == WRITE_CHANGE) {
            CHECK(!group->is_busy);
            group->is_busy = true;
        } else if (write->kind == WRITE_OFFSETS) {
            group->commit_token = write->token;
        }
    }
    if (call && groups_faults.replies_early && response)
        groups_reply(groups, call, response);
    else if (call)
        call_hold(call, &write->call);
    list_push_back(&groups->writes, &write->link);
    groups->slots.persist(groups->arg, &(struct groups_write){
                                           .token = write->token,
                                           .producer_id = write->producer_id,
                                           .producer_epoch = write->producer_epoch,
                                           .records = write->records,
                                           .records_count = (uint32_t)write->records_count,
                                       });
}

struct write *write_of(const struct groups *groups, uint64_t token)
{
    LIST_EACH(link, &groups->writes)
    {
        struct write *write = CONTAINER_OF(link, struct write, link);
        if (write->token == token)
            return write;
    }
    return NULL;
}

bool call_waits_for(struct groups *groups, struct groups_call *call, uint64_t token)
{
    struct write *write = token && !call->is_again ? write_of(groups, token) : NULL;
    if (write)
        call_queue(call, &write->after);
    return write != NULL;
}

static void write_apply(struct groups *groups, struct write *write)
{
    for (size_t i = 0; i < write->records_count; i++) {
        struct groups_record *record = &write->records[i];
        bool ok = record_apply(groups, write->producer_id, write->seq, record->key, record->value, NULL);
        CHECK(ok); /* made here, from a state that it fits */
    }
    if (write->kind == WRITE_SYNC)
        classic_synced(groups, write, true);
    if (write->returning)
        classic_returned(groups, write);
}

static void write_undo(struct groups *groups, struct write *write)
{
    if (write->producer_id >= 0)
        offsets_forget_pending(groups, write->producer_id, write->seq);
    if (write->kind == WRITE_SYNC)
        classic_synced(groups, write, false);
}

/* What waited for it goes on, in order. */
static void write_resume(struct groups *groups, struct write *write)
{
    while (!list_empty(&write->after)) {
        struct groups_call *call = CONTAINER_OF(list_pop_front(&write->after), struct groups_call, link);
        call->state = GROUPS_CALL_NONE;
        call->is_again = true;
        groups_dispatch(groups, call);
    }
    for (uint32_t i = 0; i < write->groups_count; i++) {
        struct group *group = write->groups[i];
        while (!group->is_busy && !list_empty(&group->queue)) {
            struct groups_call *call = CONTAINER_OF(list_pop_front(&group->queue), struct groups_call, link);
            call->state = GROUPS_CALL_NONE;
            groups_dispatch(groups, call);
        }
        if (group->is_late)
            group_expire(groups, group); /* it is pinned: this write has not let go of it */
    }
}

static void enter(struct groups *groups, struct groups_time now)
{
    groups->now = now;
    groups->now_ms = now.mono.ns / NS_PER_MS;
    arena_rest(&groups->out);
}

void groups_persisted(struct groups *groups, uint64_t token, bool ok, struct groups_time now)
{
    enter(groups, now);
    struct write *write = write_of(groups, token);
    CHECK(write);
    CHECK(!ok || groups->writes.next == &write->link); /* what is durable is told in order */
    list_remove(&write->link);
    groups->stats.writes++;
    groups->stats.writes_failed += !ok;
    if (write->kind == WRITE_CHANGE)
        for (uint32_t i = 0; i < write->groups_count; i++)
            write->groups[i]->is_busy = false;
    if (ok)
        write_apply(groups, write);
    else
        write_undo(groups, write);

    struct groups_call *call = call_release(&write->call);
    if (call && !ok)
        groups_reply_error(groups, call, KAFKA_ERR_COORDINATOR_NOT_AVAILABLE);
    else if (call && write->response)
        groups_reply(groups, call, write->response);
    else if (call)
        groups_dispatch(groups, call);
    write_resume(groups, write);
    for (uint32_t i = 0; i < write->groups_count; i++) {
        CHECK(write->groups[i]->writes > 0);
        DCHECK(group_holds(groups, write->groups[i]));
        write->groups[i]->writes--;
        group_settle(groups, write->groups[i]);
    }
    write_discard(groups, write);
}

/* ---- life ----------------------------------------------------------------------------------------------------- */

struct groups *groups_new(const struct groups_config *config, const struct groups_slots *slots, void *arg)
{
    struct groups *groups = mem_new(sizeof *groups);
    groups->config = *config;
    groups->slots = *slots;
    groups->arg = arg;
    groups->is_loading = true;
    groups->topics_version = 1;
    groups->retention_ms = TIME_NONE;
    list_init(&groups->writes);
    list_init(&groups->spare);
    return groups;
}

static void free_writes(struct list *writes)
{
    while (!list_empty(writes)) {
        struct write *write = CONTAINER_OF(list_pop_front(writes), struct write, link);
        call_release(&write->call);
        write_free(write);
    }
}

void groups_free(struct groups *groups)
{
    if (groups == NULL)
        return;
    free_writes(&groups->writes);
    free_writes(&groups->spare);
    TABLE_EACH(entry, &groups->by_name)
    group_free(groups, (struct group *)entry);
    TABLE_EACH(entry, &groups->producers)
    mem_free(entry);
    table_fini(&groups->by_name);
    table_fini(&groups->producers);
    mem_free(groups->heap);
    arena_fini(&groups->out);
    arena_fini(&groups->applying);
    kafka_out_fini(&groups->encoded);
    mem_free(groups);
}

bool groups_load(struct groups *groups, int64_t producer_id, struct str key, struct str value,
                 struct err *err)
{
    CHECK(groups->is_loading);
    return record_apply(groups, producer_id, ++groups->seq, key, value, err);
}

void groups_loaded(struct groups *groups, struct groups_time now)
{
    CHECK(groups->is_loading);
    enter(groups, now);
    groups->is_loading = false;
    groups->retention_ms = groups->now_ms + groups->config.retention_check_ms;
    TABLE_EACH(entry, &groups->by_name)
    {
        struct group *group = (struct group *)entry;
        if (group->classic)
            classic_loaded(groups, group);
        else if (group->consumer)
            consumer_loaded(groups, group);
        group_settle(groups, group);
    }
}

void groups_serve(struct groups *groups, struct groups_call *call, struct groups_time now)
{
    enter(groups, now);
    CHECK(call->state == GROUPS_CALL_NONE);
    call->is_again = false;
    if (groups->is_loading)
        groups_reply_error(groups, call, KAFKA_ERR_COORDINATOR_LOAD_IN_PROGRESS);
    else
        groups_dispatch(groups, call);
}

void groups_cancel(struct groups *groups, struct groups_call *call)
{
    if (call->state == GROUPS_CALL_QUEUED)
        list_remove(&call->link);
    else if (call->state == GROUPS_CALL_HELD)
        *call->held_at = NULL;
    call->state = GROUPS_CALL_NONE;
}

void groups_topics_changed(struct groups *groups)
{
    groups->topics_version++;
}

void groups_topic_deleted(struct groups *groups, struct str name, const struct kafka_uuid *id,
                          struct groups_time now)
{
    enter(groups, now);
    groups_topics_changed(groups);
    offsets_topic_deleted(groups, name, id);
}

/* ---- time ----------------------------------------------------------------------------------------------------- */

/* Offsets that have expired go, and groups of which nothing else is left. */
static void look_through_offsets(struct groups *groups)
{
    groups->retention_ms = groups->now_ms + groups->config.retention_check_ms;
    struct write *write = NULL;
    TABLE_EACH(entry, &groups->by_name)
    {
        struct group *group = (struct group *)entry;
        if (group->writes > 0) /* what is under way may be newer; the next time */
            continue;
        if (write == NULL)
            write = write_new(groups, WRITE_CHANGE);
        size_t before = write->records_count;
        if (offsets_expire(groups, write, group))
            group_remove(groups, write, group);
        if (write->records_count > before)
            write_concerns(write, group);
        else
            group_settle(groups, group);
        if (write->records_count >= EXPIRE_RECORDS) {
            write_begin(groups, write, NULL, NULL);
            write = NULL;
        }
    }
    if (write)
        write_begin(groups, write, NULL, NULL);
}

void groups_tick(struct groups *groups, struct groups_time now)
{
    enter(groups, now);
    while (groups->heap_count && groups->heap[1]->deadline_ms <= groups->now_ms) {
        struct group *group = groups->heap[1];
        heap_remove(groups, group);
        group_expire(groups, group);
    }
    if (groups->retention_ms <= groups->now_ms)
        look_through_offsets(groups);
}

bool groups_next_deadline(const struct groups *groups, struct mono_time *at)
{
    int64_t first = groups->retention_ms;
    if (groups->heap_count && groups->heap[1]->deadline_ms < first)
        first = groups->heap[1]->deadline_ms;
    if (first == TIME_NONE)
        return false;
    at->ns = first * NS_PER_MS;
    return true;
}

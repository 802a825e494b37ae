/* A group's offsets, in memory: an array of topics by name, in each an array of partitions by number. 48 bytes for a committed offset, and
 * nothing else unless it has metadata; a lookup is two binary searches.
 *
 * Offsets of open transactions wait beside them until groups_txn_completed. They are here from the moment at which their write
 * begins, so that a fetch of stable offsets cannot slip in between; if the write fails, they go. Which of two commits of one
 * partition is the later is the order in which they were written (seq), not that in which transactions end. */
#include "broker/groups_private.h"

struct offset_extra *offset_extra_new(struct str metadata, int64_t expire_ms)
{
    if (metadata.n == 0 && expire_ms < 0)
        return NULL;
    struct offset_extra *extra = mem_new(sizeof *extra + metadata.n);
    extra->expire_ms = expire_ms;
    extra->size = (uint32_t)metadata.n;
    if (metadata.n)
        memcpy(extra->metadata, metadata.p, metadata.n);
    return extra;
}

/* Where the topic is, or would be. */
static uint32_t topic_index(const struct group *group, struct str name)
{
    uint32_t low = 0, high = group->topics_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (str_cmp(group->topics[middle]->name, name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct offset_topic *offsets_topic(const struct group *group, struct str name)
{
    uint32_t i = topic_index(group, name);
    return i < group->topics_count && str_eq(group->topics[i]->name, name) ? group->topics[i] : NULL;
}

static struct offset_topic *topic_make(struct group *group, struct str name)
{
    struct offset_topic *topic = offsets_topic(group, name);
    if (topic)
        return topic;
    uint32_t i = topic_index(group, name);
    topic = mem_new(sizeof *topic);
    topic->name = str_keep(name);
    group->topics = mem_grow(group->topics, &group->topics_capacity, group->topics_count + 1,
                             sizeof(struct offset_topic *));
    memmove(group->topics + i + 1, group->topics + i,
            (group->topics_count - i) * sizeof(struct offset_topic *));
    group->topics[i] = topic;
    group->topics_count++;
    return topic;
}

static void topic_free(struct offset_topic *topic)
{
    for (uint32_t i = 0; i < topic->count; i++)
        mem_free(topic->offsets[i].extra);
    mem_free(topic->offsets);
    str_drop(&topic->name);
    mem_free(topic);
}

/* Frees it when nothing is in it. */
static void topic_settle(struct group *group, struct offset_topic *topic)
{
    if (topic->count || topic->pendings)
        return;
    uint32_t i = topic_index(group, topic->name);
    CHECK(group->topics[i] == topic);
    group->topics_count--;
    memmove(group->topics + i, group->topics + i + 1,
            (group->topics_count - i) * sizeof(struct offset_topic *));
    topic_free(topic);
    if (group->topics_count == 0) {
        mem_free(group->topics);
        group->topics = NULL;
        group->topics_capacity = 0;
    }
}

static uint32_t offset_index(const struct offset_topic *topic, int32_t partition)
{
    uint32_t low = 0, high = topic->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (topic->offsets[middle].partition < partition)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

const struct offset *offsets_get(const struct offset_topic *topic, int32_t partition)
{
    if (topic == NULL)
        return NULL;
    uint32_t i = offset_index(topic, partition);
    return i < topic->count && topic->offsets[i].partition == partition ? &topic->offsets[i] : NULL;
}

bool offsets_is_pending(const struct offset_topic *topic, int32_t partition)
{
    if (topic == NULL || groups_faults.forgets_pending)
        return false;
    for (const struct pending *p = topic->pendings; p; p = p->next)
        if (p->offset.partition == partition)
            return true;
    return false;
}

/* ---- committed ------------------------------------------------------------------------------------------------ */

static void grow_offsets(struct offset_topic *topic)
{
    if (topic->count < topic->capacity)
        return;
    topic->capacity = topic->capacity < 4 ? topic->capacity + 1
                                          : topic->capacity + topic->capacity / 2; /* most have few */
    topic->offsets = mem_resize(topic->offsets, mem_product(topic->capacity, sizeof *topic->offsets));
}

static void put(struct groups *groups, struct group *group, struct offset_topic *topic,
                const struct offset *offset, uint64_t seq)
{
    for (struct pending *p = topic->pendings; p; p = p->next)
        if (p->offset.partition == offset->partition && p->seq < seq)
            p->is_superseded = true;
    uint32_t i = offset_index(topic, offset->partition);
    if (i < topic->count && topic->offsets[i].partition == offset->partition) {
        mem_free(topic->offsets[i].extra);
    } else {
        grow_offsets(topic);
        memmove(topic->offsets + i + 1, topic->offsets + i, (topic->count - i) * sizeof *topic->offsets);
        topic->count++;
        group->offsets++;
        groups->offsets++;
    }
    topic->offsets[i] = *offset;
    CHECK(i == 0 || topic->offsets[i - 1].partition < offset->partition);
    CHECK(i + 1 == topic->count || topic->offsets[i + 1].partition > offset->partition);
}

void offsets_put(struct groups *groups, struct group *group, struct str topic, const struct offset *offset,
                 uint64_t seq)
{
    put(groups, group, topic_make(group, topic), offset, seq);
}

static void pending_free(struct groups *groups, struct pending *pending);

void offsets_remove(struct groups *groups, struct group *group, struct str name, int32_t partition,
                    uint64_t seq)
{
    struct offset_topic *topic = offsets_topic(group, name);
    if (topic == NULL)
        return;
    uint32_t i = offset_index(topic, partition);
    if (i < topic->count && topic->offsets[i].partition == partition) {
        mem_free(topic->offsets[i].extra);
        topic->count--;
        memmove(topic->offsets + i, topic->offsets + i + 1, (topic->count - i) * sizeof *topic->offsets);
        group->offsets--;
        groups->offsets--;
    }
    for (struct pending *p = topic->pendings, *next; p; p = next) {
        next = p->next;
        if (p->offset.partition == partition && p->seq < seq)
            pending_free(groups, p);
    }
    topic_settle(group, topic);
}

/* ---- pending -------------------------------------------------------------------------------------------------- */

static struct producer *producer_find(const struct groups *groups, int64_t id)
{
    return table_get(&groups->producers, str_n(&id, sizeof id));
}

static struct producer *producer_make(struct groups *groups, int64_t id)
{
    struct producer *producer = producer_find(groups, id);
    if (producer)
        return producer;
    producer = mem_new(sizeof *producer);
    producer->id = id;
    producer->name.key = str_n(&producer->id, sizeof producer->id);
    list_init(&producer->pendings);
    table_put(&groups->producers, &producer->name);
    return producer;
}

static void producer_settle(struct groups *groups, struct producer *producer)
{
    if (!list_empty(&producer->pendings))
        return;
    table_remove(&groups->producers, &producer->name);
    mem_free(producer);
}

/* Out of its topic; it stays its producer's. */
static void pending_unlink(struct groups *groups, struct pending *pending)
{
    struct pending **at = &pending->topic->pendings;
    while (*at != pending)
        at = &(*at)->next;
    *at = pending->next;
    CHECK(pending->group->pendings > 0 && groups->pendings > 0);
    pending->group->pendings--;
    groups->pendings--;
}

/* Its topic and its producer stay, be they empty. */
static void pending_free(struct groups *groups, struct pending *pending)
{
    pending_unlink(groups, pending);
    list_remove(&pending->of_producer);
    mem_free(pending->offset.extra);
    mem_free(pending);
}

void offsets_put_pending(struct groups *groups, struct group *group, struct str name,
                         const struct offset *offset, int64_t producer_id, uint64_t seq, bool is_durable)
{
    struct offset_topic *topic = topic_make(group, name);
    struct producer *producer = producer_make(groups, producer_id);
    struct pending *mine = NULL;
    for (struct pending *p = topic->pendings, *next; p; p = next) {
        next = p->next;
        if (p->offset.partition != offset->partition || p->producer != producer)
            continue;
        if (p->seq == seq)
            mine = p;
        else if (is_durable && p->seq < seq)
            pending_free(groups, p); /* the transaction's later commit takes its place */
    }
    if (mine == NULL) {
        mine = mem_new(sizeof *mine);
        *mine = (struct pending){
            .next = topic->pendings, .group = group, .topic = topic, .producer = producer, .seq = seq};
        topic->pendings = mine;
        list_push_back(&producer->pendings, &mine->of_producer);
        group->pendings++;
        groups->pendings++;
    }
    mem_free(mine->offset.extra);
    mine->offset = *offset;
    mine->is_durable = is_durable;
}

void offsets_forget_pending(struct groups *groups, int64_t producer_id, uint64_t seq)
{
    struct producer *producer = producer_find(groups, producer_id);
    if (producer == NULL)
        return;
    for (struct list *link = producer->pendings.next, *next; link != &producer->pendings; link = next) {
        next = link->next;
        struct pending *pending = CONTAINER_OF(link, struct pending, of_producer);
        if (pending->seq != seq)
            continue;
        struct group *group = pending->group;
        struct offset_topic *topic = pending->topic;
        pending_free(groups, pending);
        topic_settle(group, topic);
    }
    producer_settle(groups, producer);
}

void groups_txn_completed(struct groups *groups, int64_t producer_id, bool committed, struct groups_time now)
{
    struct producer *producer = producer_find(groups, producer_id);
    if (producer == NULL)
        return;
    for (struct list *link = producer->pendings.next, *next; link != &producer->pendings; link = next) {
        next = link->next;
        struct pending *pending = CONTAINER_OF(link, struct pending, of_producer);
        if (!pending->is_durable) /* of what comes after the marker */
            continue;
        struct group *group = pending->group;
        struct offset_topic *topic = pending->topic;
        pending_unlink(groups, pending);
        if (committed && !pending->is_superseded) {
            put(groups, group, topic, &pending->offset, pending->seq);
            pending->offset.extra = NULL;
        }
        list_remove(&pending->of_producer);
        mem_free(pending->offset.extra);
        mem_free(pending);
        topic_settle(group, topic);
        if (!groups->is_loading)
            group_settle(groups, group);
    }
    producer_settle(groups, producer);
}

void offsets_free(struct groups *groups, struct group *group)
{
    for (uint32_t i = 0; i < group->topics_count; i++) {
        while (group->topics[i]->pendings)
            pending_free(groups, group->topics[i]->pendings);
        topic_free(group->topics[i]);
    }
    mem_free(group->topics);
}

void groups_each_offset(const struct groups *groups,
                        void (*seen)(void *arg, struct str group_id, struct str topic, int32_t partition,
                                     int64_t offset),
                        void *arg)
{
    TABLE_EACH(entry, &groups->by_name)
    {
        const struct group *group = (const struct group *)entry;
        for (uint32_t i = 0; i < group->topics_count; i++)
            for (uint32_t k = 0; k < group->topics[i]->count; k++)
                seen(arg, group->name.key, group->topics[i]->name, group->topics[i]->offsets[k].partition,
                     group->topics[i]->offsets[k].offset);
    }
}

/* What a heartbeat of the new protocol comes to: from subscriptions to topics, from topics to a target, from the target to what the
 * member is told. All of it is computed beside the state, into a write; nothing changes before that is confirmed.
 *
 * Cost. A heartbeat with nothing new compares a few numbers. One that changes a subscription, or finds that topics have changed, goes
 * through all members once: their names are gathered, each topic is looked up once, and the assignor runs. */
#include "base/map.h"
#include "broker/group_beat_private.h"

/* ---- topics --------------------------------------------------------------------------------------------------- */

const struct consumer_member *beat_member(const struct beat *b, const struct list *link)
{
    const struct consumer_member *member = CONTAINER_OF(link, const struct consumer_member, link);
    for (uint32_t i = 0; i < b->leaving_count; i++)
        if (b->leaving[i] == member)
            return NULL;
    return member == b->member || member == b->replaced ? NULL : member;
}

static const struct regex *regex_of(const struct beat *b, struct str text)
{
    for (uint32_t i = 0; i < b->regexes_count; i++)
        if (str_eq(b->regexes[i].text, text))
            return &b->regexes[i];
    return NULL;
}

static void gather(struct str *names, uint32_t *n, const struct beat *b, const struct consumer_member *member)
{
    const struct regex *regex = member->regex.n ? regex_of(b, member->regex) : NULL;
    if (names)
        for (uint32_t i = 0; i < member->names_count; i++)
            names[*n + i] = member->names[i];
    *n += member->names_count;
    if (names && regex)
        for (uint32_t i = 0; i < regex->topics_count; i++)
            names[*n + i] = regex->topics[i];
    *n += regex ? regex->topics_count : 0;
}

static void gather_all(struct str *names, uint32_t *n, struct beat *b)
{
    *n = 0;
    LIST_EACH(link, &b->consumer->members)
    {
        const struct consumer_member *member = beat_member(b, link);
        if (member)
            gather(names, n, b, member);
    }
    if (b->leaving_count == 0)
        gather(names, n, b, &b->next);
}

static int compare_names(const void *a, const void *b)
{
    return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

/* The topics that any member subscribes to and that there are: b->topics, sorted by name; and their hash. */
void beat_topics(struct groups *groups, struct beat *b)
{
    uint32_t count;
    if (b->has_topics)
        return;
    b->has_topics = true;
    gather_all(NULL, &count, b);
    struct str *names = arena_array(&groups->out, struct str, count);
    gather_all(names, &count, b);
    qsort(names, count, sizeof *names, compare_names);
    b->topics = arena_array(&groups->out, struct beat_topic, count);
    struct sbuf hashed = {0};
    for (uint32_t i = 0; i < count; i++) {
        struct groups_topic topic;
        if ((i > 0 && str_eq(names[i], names[i - 1])) ||
            !groups->slots.topic_by_name(groups->arg, names[i], &topic))
            continue;
        b->topics[b->topics_count++] = (struct beat_topic){.name = names[i],
                                                           .index = consumer_topic(b->consumer, &topic.id),
                                                           .partitions = topic.partitions};
        sbuf_str(&hashed, names[i]);
        sbuf_add(&hashed, &topic.id, sizeof topic.id);
        sbuf_add(&hashed, &topic.partitions, sizeof topic.partitions);
    }
    b->hash = hashed.n ? (int64_t)hash_bytes(hashed.p, hashed.n) : 0;
    sbuf_fini(&hashed);
}

static const struct beat_topic *topic_named(const struct beat *b, struct str name)
{
    struct beat_topic key = {.name = name};
    return b->topics_count ? bsearch(&key, b->topics, b->topics_count, sizeof key, compare_names) : NULL;
}

static int compare_u32(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

/* Indices of the topics that the member subscribes to, ascending, each once, in groups->out. */
static uint32_t *subscribed(struct groups *groups, const struct beat *b, const struct consumer_member *member,
                            uint32_t *count)
{
    uint32_t n = 0, kept = 0;
    gather(NULL, &n, b, member);
    struct str *names = arena_array(&groups->out, struct str, n);
    uint32_t *topics = arena_array(&groups->out, uint32_t, n);
    n = 0;
    gather(names, &n, b, member);
    for (uint32_t i = 0; i < n; i++) {
        struct groups_topic found;
        const struct beat_topic *topic = b->has_topics ? topic_named(b, names[i]) : NULL;
        if (topic)
            topics[kept++] = topic->index;
        else if (!b->has_topics && groups->slots.topic_by_name(groups->arg, names[i], &found))
            topics[kept++] = consumer_topic(b->consumer, &found.id);
    }
    qsort(topics, kept, sizeof *topics, compare_u32);
    *count = 0;
    for (uint32_t i = 0; i < kept; i++)
        if (i == 0 || topics[i] != topics[i - 1])
            topics[(*count)++] = topics[i];
    return topics;
}

/* ---- the target ----------------------------------------------------------------------------------------------- */

static bool same_subscription(const struct consumer_member *a, const struct consumer_member *b)
{
    bool is_same = a->names_count == b->names_count && str_same(a->regex, b->regex);
    for (uint32_t i = 0; is_same && i < a->names_count; i++)
        is_same = str_eq(a->names[i], b->names[i]);
    return is_same;
}

/* before: the member whose subscription was resolved last; most have the same. */
static void add_spec(struct groups *groups, const struct beat *b, struct assign_member *specs,
                     uint32_t *count, const struct consumer_member *member,
                     const struct consumer_member **before)
{
    struct assign_member *spec = &specs[*count];
    *spec = (struct assign_member){
        .id = member->id.key, .instance = member->instance, .before = member->target};
    if (*before && same_subscription(*before, member)) {
        spec->topics = spec[-1].topics;
        spec->topics_count = spec[-1].topics_count;
    } else {
        spec->topics = subscribed(groups, b, member, &spec->topics_count);
    }
    *before = member;
    (*count)++;
}

void beat_assign(struct groups *groups, struct beat *b)
{
    struct consumer *consumer = b->consumer;
    struct assign_member *specs = arena_array(&groups->out, struct assign_member, consumer->by_id.count + 1);
    const struct consumer_member *before = NULL;
    uint32_t count = 0;
    beat_topics(groups, b);
    LIST_EACH(link, &consumer->members)
    {
        const struct consumer_member *member = beat_member(b, link);
        if (member || CONTAINER_OF(link, struct consumer_member, link) == b->member)
            add_spec(groups, b, specs, &count, member ? member : &b->next, &before);
    }
    if (b->member == NULL) /* the newest comes last */
        add_spec(groups, b, specs, &count, &b->next, &before);
    int32_t *partitions = arena_zarray(&groups->out, int32_t, consumer->topics_count);
    for (uint32_t i = 0; i < b->topics_count; i++)
        partitions[b->topics[i].index] = b->topics[i].partitions;
    assign(consumer_assignor(consumer, &b->next), specs, count, partitions, consumer->topics_count,
           &groups->out);
    struct write *write = beat_write(groups, b);
    for (uint32_t i = 0; i < count; i++) {
        bool is_next = str_eq(specs[i].id, b->next.id.key);
        if (!parts_eq(&specs[i].before, &specs[i].after, false) || (is_next && b->replaced))
            record_target(groups, write, b->group, consumer, specs[i].id, &specs[i].after);
        if (is_next)
            b->next.target = specs[i].after;
    }
    record_target_epoch(groups, write, b->group, b->epoch, groups->now.wall.us / US_PER_MS);
    b->target_epoch = b->epoch;
    groups->stats.rebalances++;
}

/* ---- what the member is told ---------------------------------------------------------------------------------- */

/* Does the client still own one of them? It does not say: it may. */
static bool owns_any(const struct beat *b, const struct parts *parts)
{
    const struct kafka_consumer_group_heartbeat_request *request = b->request;
    if (request->topic_partitions == NULL)
        return true;
    for (uint32_t i = 0; i < request->topic_partitions_count; i++) {
        uint32_t topic = consumer_topic_find(b->consumer, &request->topic_partitions[i].topic_id);
        for (uint32_t k = 0; topic != UINT32_MAX && k < request->topic_partitions[i].partitions_count; k++)
            if (parts_find(parts, topic, request->topic_partitions[i].partitions[k]))
                return true;
    }
    return false;
}

static bool has_u32(const uint32_t *sorted, uint32_t count, uint32_t value)
{
    return count && bsearch(&value, sorted, count, sizeof value, compare_u32);
}

static void add_part(struct parts *to, struct part part)
{
    to->p[to->n++] = part;
}

static void settle_member(struct consumer_member *next, enum member_state state, int32_t epoch,
                          struct parts assigned, struct parts revoking)
{
    next->previous_epoch = next->epoch;
    next->epoch = epoch;
    next->state = state;
    next->assigned = assigned;
    next->revoking = revoking;
}

/* One step towards the target. topics: that the member subscribes to now. */
static void step(struct groups *groups, struct beat *b, const uint32_t *topics, uint32_t topics_count)
{
    struct consumer_member *next = &b->next;
    uint32_t n = next->assigned.n + next->target.n;
    struct parts kept = {.p = arena_array(&groups->out, struct part, n)};
    struct parts revoking = {.p = arena_array(&groups->out, struct part, n)};
    bool waits_for_others = false, gets_more = false;
    for (uint32_t i = 0; i < next->assigned.n; i++) {
        const struct part *part = &next->assigned.p[i];
        bool is_wanted = parts_have(&next->target, part) && has_u32(topics, topics_count, part->topic);
        add_part(is_wanted ? &kept : &revoking, *part);
    }
    if (revoking.n && owns_any(b, &revoking)) {
        settle_member(next, MEMBER_UNREVOKED, next->epoch, kept, revoking);
        return;
    }
    for (uint32_t i = 0; i < next->target.n; i++) {
        struct part part = next->target.p[i];
        if (parts_have(&next->assigned, &part) || !has_u32(topics, topics_count, part.topic))
            continue;
        if (consumer_owner(b->consumer, &part) && !parts_have(&next->revoking, &part) &&
            !groups_faults.ignores_owners) {
            waits_for_others = true;
            continue;
        }
        part.epoch = b->target_epoch;
        add_part(&kept, part);
        gets_more = true;
    }
    if (gets_more)
        parts_sort(&kept);
    CHECK(kept.n <= next->target.n);
    settle_member(next, waits_for_others ? MEMBER_UNRELEASED : MEMBER_STABLE, b->target_epoch, kept,
                  (struct parts){0});
}

/* The member does not subscribe any more to something that it has: that is taken back, whatever the target says. */
static void shrink(struct groups *groups, struct beat *b, const uint32_t *topics, uint32_t topics_count)
{
    struct consumer_member *next = &b->next;
    struct parts kept = {.p = arena_array(&groups->out, struct part, next->assigned.n)};
    struct parts revoking = {
        .p = arena_array(&groups->out, struct part, next->assigned.n + next->revoking.n)};
    for (uint32_t i = 0; i < next->revoking.n; i++)
        add_part(&revoking, next->revoking.p[i]);
    for (uint32_t i = 0; i < next->assigned.n; i++)
        add_part(has_u32(topics, topics_count, next->assigned.p[i].topic) ? &kept : &revoking,
                 next->assigned.p[i]);
    if (kept.n == next->assigned.n)
        return;
    parts_sort(&revoking);
    if (owns_any(b, &revoking))
        settle_member(next, MEMBER_UNREVOKED, next->epoch, kept, revoking);
    else
        settle_member(next, next->state, next->epoch, kept, next->revoking);
}

void beat_reconcile(struct groups *groups, struct beat *b)
{
    struct consumer_member *next = &b->next;
    bool is_there = next->state == MEMBER_STABLE && next->epoch == b->target_epoch;
    if (is_there && !b->has_subscribed)
        return;
    if (next->state == MEMBER_UNREVOKED && owns_any(b, &next->revoking) && !b->has_subscribed)
        return;
    uint32_t topics_count;
    const uint32_t *topics = subscribed(groups, b, next, &topics_count);
    if (is_there || (next->state == MEMBER_UNREVOKED && owns_any(b, &next->revoking)))
        shrink(groups, b, topics, topics_count);
    else
        step(groups, b, topics, topics_count);
}

/* The assignors of the new protocol; pure. Kafka's rules:
 *
 *   range      each topic's partitions in ranges, one for each of its subscribers, in the order of instance ids, then member ids; the first
 *              ones get one more where it does not come out even. So topics with as many partitions are assigned alike.
 *   uniform    as even as it can be, over all topics, and a partition stays where it is where evenness permits.
 *
 * Uniform, where all subscribe to the same: everybody keeps what it has up to its quota, n / members, one more for the first n % members
 * that have so many; the rest goes to who has room. That is balanced exactly, and moves as little as any balanced assignment
 * can. Where subscriptions differ: everybody keeps what it may keep; the free partitions of each topic, topics with the fewest subscribers
 * for their partitions first, go to the subscriber that has least; then each topic is levelled among its subscribers, from who has most
 * to who has least, until a round moves nothing. Balance comes before stickiness.
 *
 * Cost. Range and the first uniform: members + partitions. The second: rounds (at most ROUNDS_MAX) × topics × (subscribers × log +
 * partitions moved). */
#include "broker/groups_private.h"

enum { ROUNDS_MAX = 16, NOBODY = -1 };

struct work {
    struct assign_member *members;
    uint32_t members_count;
    const int32_t *partitions; /* partitions[topics_count] */
    uint32_t topics_count;
    int32_t **
        owner; /* owner[topic][partition]: index of a member, or NOBODY; NULL: nobody subscribes to the topic */
    uint32_t *load; /* load[member]: partitions that it has */
    struct arena *arena;
};

static int compare_u32(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static bool subscribes(const struct assign_member *member, uint32_t topic)
{
    return member->topics_count &&
           bsearch(&topic, member->topics, member->topics_count, sizeof topic, compare_u32);
}

static void give(struct work *w, uint32_t topic, int32_t partition, uint32_t member)
{
    int32_t *owner = &w->owner[topic][partition];
    if (*owner != NOBODY)
        w->load[*owner]--;
    *owner = (int32_t)member;
    w->load[member]++;
}

/* owner → after of each member. Topics and partitions ascend, so every set comes out sorted. */
static void hand_out(struct work *w)
{
    for (uint32_t i = 0; i < w->members_count; i++) {
        w->members[i].after = (struct parts){.p = arena_array(w->arena, struct part, w->load[i])};
    }
    for (uint32_t topic = 0; topic < w->topics_count; topic++)
        for (int32_t p = 0; w->owner[topic] && p < w->partitions[topic]; p++) {
            if (w->owner[topic][p] == NOBODY)
                continue;
            struct parts *after = &w->members[w->owner[topic][p]].after;
            after->p[after->n++] = (struct part){.topic = topic, .partition = p};
        }
    for (uint32_t i = 0; i < w->members_count; i++)
        CHECK(w->members[i].after.n == w->load[i]);
}

/* ---- range ---------------------------------------------------------------------------------------------------- */

static int compare_members(const void *a, const void *b)
{
    const struct assign_member *x = *(struct assign_member *const *)a, *y = *(struct assign_member *const *)b;
    if (x->instance.p && y->instance.p)
        return str_cmp(x->instance, y->instance);
    if (x->instance.p || y->instance.p)
        return x->instance.p ? -1 : 1;
    return str_cmp(x->id, y->id);
}

static void assign_range(struct work *w, const uint32_t *subscribers)
{
    struct assign_member **order = arena_array(w->arena, struct assign_member *, w->members_count);
    int32_t *next = arena_zarray(w->arena, int32_t, w->topics_count);
    int32_t *extra = arena_zarray(w->arena, int32_t, w->topics_count);
    for (uint32_t i = 0; i < w->members_count; i++)
        order[i] = &w->members[i];
    qsort(order, w->members_count, sizeof *order, compare_members);
    for (uint32_t t = 0; t < w->topics_count; t++)
        extra[t] = subscribers[t] ? w->partitions[t] % (int32_t)subscribers[t] : 0;
    for (uint32_t i = 0; i < w->members_count; i++) {
        for (uint32_t k = 0; k < order[i]->topics_count; k++) {
            uint32_t t = order[i]->topics[k];
            int32_t count = w->partitions[t] / (int32_t)subscribers[t] + (extra[t] > 0);
            extra[t] -= extra[t] > 0;
            for (; count > 0; count--)
                give(w, t, next[t]++, (uint32_t)(order[i] - w->members));
        }
    }
}

/* ---- uniform, all alike --------------------------------------------------------------------------------------- */

static void assign_alike(struct work *w)
{
    uint32_t total = 0;
    const struct assign_member *first = &w->members[0];
    for (uint32_t k = 0; k < first->topics_count; k++)
        total += (uint32_t)w->partitions[first->topics[k]];
    uint32_t quota = total / w->members_count, extra = total % w->members_count;
    uint32_t *room = arena_zarray(w->arena, uint32_t, w->members_count);
    for (uint32_t i = 0; i < w->members_count; i++) {
        const struct parts *before = &w->members[i].before;
        uint32_t may_have = quota + (extra > 0);
        bool has_extra = extra > 0;
        for (uint32_t k = 0; k < before->n; k++) {
            const struct part *part = &before->p[k];
            if (may_have == 0 || !subscribes(&w->members[i], part->topic) ||
                part->partition >= w->partitions[part->topic] ||
                w->owner[part->topic][part->partition] != NOBODY)
                continue;
            give(w, part->topic, part->partition, i);
            may_have--;
        }
        if (may_have > 0 && has_extra && w->members_count - i > extra) {
            may_have--; /* somebody who has so many already may keep it */
            has_extra = false;
        }
        extra -= has_extra;
        room[i] = may_have;
    }
    uint32_t to = 0;
    for (uint32_t k = 0; k < first->topics_count; k++) {
        uint32_t topic = first->topics[k];
        for (int32_t p = 0; p < w->partitions[topic]; p++) {
            if (w->owner[topic][p] != NOBODY)
                continue;
            while (to < w->members_count && room[to] == 0)
                to++;
            CHECK(to < w->members_count); /* room and what is free come to the same */
            give(w, topic, p, to);
            room[to]--;
        }
    }
}

/* ---- uniform, subscriptions that differ ----------------------------------------------------------------------- */

/* A topic's subscribers, and how they are sorted. */
struct level {
    uint32_t *members; /* members[count] */
    uint32_t count;
};

struct topic_order {
    uint32_t topic, subscribers;
    int32_t partitions;
};

/* Most partitions for each subscriber first; then fewest subscribers. */
static int compare_topics(const void *a, const void *b)
{
    const struct topic_order *x = a, *y = b;
    uint64_t left = (uint64_t)x->partitions * y->subscribers,
             right = (uint64_t)y->partitions * x->subscribers;
    if (left != right)
        return left > right ? -1 : 1;
    if (x->subscribers != y->subscribers)
        return x->subscribers < y->subscribers ? -1 : 1;
    return (x->topic > y->topic) - (x->topic < y->topic);
}

/* The subscriber with the least load; the first of them. */
static uint32_t least(const struct work *w, const struct level *level)
{
    uint32_t best = level->members[0];
    for (uint32_t i = 1; i < level->count; i++)
        if (w->load[level->members[i]] < w->load[best])
            best = level->members[i];
    return best;
}

/* The subscriber with the greatest load among those that have a partition of the topic; NOBODY: none. */
static int32_t most(const struct work *w, const struct level *level, const uint32_t *has)
{
    int32_t best = NOBODY;
    for (uint32_t i = 0; i < level->count; i++) {
        uint32_t member = level->members[i];
        if (has[member] > 0 && (best == NOBODY || w->load[member] > w->load[best]))
            best = (int32_t)member;
    }
    return best;
}

/* Moves partitions of the topic from who has most to who has least while that makes them more even. Returns how many. */
static uint32_t level_topic(struct work *w, uint32_t topic, const struct level *level, uint32_t *has)
{
    uint32_t moved = 0;
    for (uint32_t i = 0; i < level->count; i++)
        has[level->members[i]] = 0;
    for (int32_t p = 0; p < w->partitions[topic]; p++)
        has[w->owner[topic][p]]++;
    for (;;) {
        uint32_t to = least(w, level);
        int32_t from = most(w, level, has);
        if (from == NOBODY || w->load[from] <= w->load[to] + 1)
            return moved;
        int32_t p = w->partitions[topic] - 1;
        while (w->owner[topic][p] != from)
            p--;
        give(w, topic, p, to);
        has[from]--;
        has[to]++;
        moved++;
    }
}

static void keep_what_may_be_kept(struct work *w)
{
    for (uint32_t i = 0; i < w->members_count; i++) {
        const struct parts *before = &w->members[i].before;
        for (uint32_t k = 0; k < before->n; k++) {
            const struct part *part = &before->p[k];
            if (subscribes(&w->members[i], part->topic) && part->partition < w->partitions[part->topic] &&
                w->owner[part->topic][part->partition] == NOBODY)
                give(w, part->topic, part->partition, i);
        }
    }
}

static void assign_differing(struct work *w, const uint32_t *subscribers)
{
    struct topic_order *order = arena_array(w->arena, struct topic_order, w->topics_count);
    struct level *levels = arena_zarray(w->arena, struct level, w->topics_count);
    uint32_t *has = arena_zarray(w->arena, uint32_t, w->members_count);
    uint32_t topics = 0;
    keep_what_may_be_kept(w);
    for (uint32_t t = 0; t < w->topics_count; t++) {
        if (subscribers[t] == 0 || w->partitions[t] == 0)
            continue;
        order[topics++] = (struct topic_order){t, subscribers[t], w->partitions[t]};
        levels[t].members = arena_array(w->arena, uint32_t, subscribers[t]);
    }
    for (uint32_t i = 0; i < w->members_count; i++)
        for (uint32_t k = 0; k < w->members[i].topics_count; k++) {
            struct level *level = &levels[w->members[i].topics[k]];
            if (level->members)
                level->members[level->count++] = i;
        }
    qsort(order, topics, sizeof *order, compare_topics);
    for (uint32_t i = 0; i < topics; i++)
        for (int32_t p = 0; p < order[i].partitions; p++)
            if (w->owner[order[i].topic][p] == NOBODY)
                give(w, order[i].topic, p, least(w, &levels[order[i].topic]));
    uint32_t quiet = 0; /* topics in a row in which nothing moved */
    for (uint32_t n = 0; n < ROUNDS_MAX * topics && quiet < topics; n++) {
        uint32_t topic = order[n % topics].topic;
        quiet = level_topic(w, topic, &levels[topic], has) > 0 ? 0 : quiet + 1;
    }
}

static bool are_alike(const struct work *w)
{
    const struct assign_member *first = &w->members[0];
    for (uint32_t i = 1; i < w->members_count; i++) {
        const struct assign_member *member = &w->members[i];
        if (member->topics == first->topics && member->topics_count == first->topics_count)
            continue;
        if (member->topics_count != first->topics_count ||
            memcmp(member->topics, first->topics, first->topics_count * sizeof *first->topics) != 0)
            return false;
    }
    return true;
}

void assign(enum assignor assignor, struct assign_member *members, uint32_t members_count,
            const int32_t *partitions, uint32_t topics_count, struct arena *arena)
{
    struct work w = {.members = members,
                     .members_count = members_count,
                     .partitions = partitions,
                     .topics_count = topics_count,
                     .owner = arena_zarray(arena, int32_t *, topics_count),
                     .load = arena_zarray(arena, uint32_t, members_count),
                     .arena = arena};
    uint32_t *subscribers = arena_zarray(arena, uint32_t, topics_count);
    if (members_count == 0)
        return;
    for (uint32_t i = 0; i < members_count; i++)
        for (uint32_t k = 0; k < members[i].topics_count; k++)
            subscribers[members[i].topics[k]]++;
    for (uint32_t t = 0; t < topics_count; t++) {
        if (subscribers[t] == 0)
            continue;
        w.owner[t] = arena_array(arena, int32_t, (size_t)partitions[t]);
        for (int32_t p = 0; p < partitions[t]; p++)
            w.owner[t][p] = NOBODY;
    }
    if (assignor == ASSIGNOR_RANGE)
        assign_range(&w, subscribers);
    else if (are_alike(&w))
        assign_alike(&w);
    else
        assign_differing(&w, subscribers);
    hand_out(&w);
}

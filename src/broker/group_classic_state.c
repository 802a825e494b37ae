/* A classic group: its members, what they can agree on, and its states.
 *
 *                          first join
 *            ┌─────────┐ ─────────────→ ┌───────────┐ ←──────────────────────────────┐
 *            │  EMPTY  │                │ PREPARING │                                │ a member joins with something new,
 *            └─────────┘ ←───────────── └───────────┘ ←──────────┐                   │ leaves, or is not heard of;
 *                          nobody left        │                  │                   │ the leader joins again
 *                                             │ all have joined, │                   │
 *                                             │ or time is over  │                   │
 *                                             ↓                  │                   │
 *                                       ┌────────────┐ ──────────┘             ┌──────────┐
 *                                       │ COMPLETING │ ──────────────────────→ │  STABLE  │
 *                                       └────────────┘  the leader's           └──────────┘
 *                                                       assignment is durable
 *
 * Invariant (classic_check): EMPTY has no members. Joins are parked in PREPARING, and in STABLE while a static member's return is
 * written; syncs in COMPLETING only. The leader is a member. A generation has a protocol that all its members support. */
#include "broker/groups_private.h"

const char *const classic_state_names[CLASSIC_STATES] = {"Empty", "PreparingRebalance", "CompletingRebalance",
                                                         "Stable"};

/* allowed[from] is a set of states. */
static const uint8_t allowed[CLASSIC_STATES] = {
    [CLASSIC_EMPTY] = 1 << CLASSIC_PREPARING,
    [CLASSIC_PREPARING] = 1 << CLASSIC_COMPLETING | 1 << CLASSIC_EMPTY,
    [CLASSIC_COMPLETING] = 1 << CLASSIC_STABLE | 1 << CLASSIC_PREPARING,
    [CLASSIC_STABLE] = 1 << CLASSIC_PREPARING,
};

void classic_move(struct groups *groups, struct classic *classic, enum classic_state to)
{
    CHECK(allowed[classic->state] >> to & 1);
    classic->previous = classic->state;
    classic->state = to;
    classic->state_ms = groups->now.wall.us / US_PER_MS;
}

struct classic *classic_new(void)
{
    struct classic *classic = mem_new(sizeof *classic);
    classic->state_ms = -1;
    classic->join_ms = classic->sync_ms = TIME_NONE;
    list_init(&classic->members);
    return classic;
}

bool classic_is_simple(const struct group *group)
{
    const struct classic *classic = group->classic;
    return group->consumer == NULL &&
           (classic == NULL || (classic->protocol_type.p == NULL && classic->state == CLASSIC_EMPTY &&
                                classic->pending.count == 0));
}

bool classic_is_consumer(const struct classic *classic)
{
    return str_is(classic->protocol_type, "consumer");
}

/* ---- votes ---------------------------------------------------------------------------------------------------- */

static void count_protocols(struct classic *classic, const struct classic_member *member, int by)
{
    for (uint32_t i = 0; i < member->protocols_count; i++) {
        uint32_t k = 0;
        while (k < classic->supported_count && !str_eq(classic->supported[k].name, member->protocols[i].name))
            k++;
        if (k == classic->supported_count) {
            classic->supported = mem_grow(classic->supported, &classic->supported_capacity,
                                          classic->supported_count + 1, sizeof *classic->supported);
            classic->supported[classic->supported_count++] = (struct protocol_count){
                .name = str_keep(member->protocols[i].name)};
        }
        classic->supported[k].members += (uint32_t)by;
        if (classic->supported[k].members > 0)
            continue;
        str_drop(&classic->supported[k].name);
        classic->supported_count--;
        memmove(classic->supported + k, classic->supported + k + 1,
                (classic->supported_count - k) * sizeof *classic->supported);
    }
}

static bool all_support(const struct classic *classic, struct str name)
{
    for (uint32_t i = 0; i < classic->supported_count; i++)
        if (str_eq(classic->supported[i].name, name))
            return classic->supported[i].members == classic->by_id.count;
    return false;
}

bool classic_supports(const struct classic *classic, struct str type,
                      const struct kafka_join_group_request_protocol *protocols, uint32_t count)
{
    if (classic == NULL || classic->state == CLASSIC_EMPTY)
        return type.n > 0 && count > 0;
    if (!str_eq(classic->protocol_type, type))
        return false;
    if (classic->by_id.count == 0) /* of a rebalance that nobody is left in */
        return count > 0;
    for (uint32_t i = 0; i < count; i++)
        if (all_support(classic, protocols[i].name))
            return true;
    return false;
}

struct str classic_vote(const struct classic *classic)
{
    uint32_t votes_max = 0;
    struct str best = {0};
    CHECK(classic->by_id.count > 0);
    for (uint32_t i = 0; i < classic->supported_count; i++) {
        if (classic->supported[i].members != classic->by_id.count)
            continue;
        uint32_t votes = 0;
        LIST_EACH(link, &classic->members)
        {
            const struct classic_member *member = CONTAINER_OF(link, struct classic_member, link);
            uint32_t k = 0;
            while (!all_support(classic, member->protocols[k].name))
                k++;
            votes += str_eq(member->protocols[k].name, classic->supported[i].name);
        }
        if (votes > votes_max) {
            votes_max = votes;
            best = classic->supported[i].name;
        }
    }
    CHECK(votes_max > 0);
    return best;
}

struct str classic_metadata(const struct classic_member *member, struct str protocol)
{
    for (uint32_t i = 0; i < member->protocols_count; i++)
        if (str_eq(member->protocols[i].name, protocol))
            return member->protocols[i].metadata;
    return STR("");
}

bool classic_subscribed(const struct classic *classic, struct str topic, bool *is_known)
{
    *is_known = true;
    if (!classic_is_consumer(classic) || classic->by_id.count == 0)
        return false;
    bool is_subscribed = false;
    struct arena arena = {0};
    if (classic->protocol.p == NULL)
        *is_known = false;
    LIST_EACH(link, &classic->members)
    {
        const struct classic_member *member = CONTAINER_OF(link, struct classic_member, link);
        struct str metadata = classic_metadata(member, classic->protocol);
        struct rd r = rd_of(metadata.p, metadata.n);
        struct kafka_consumer_protocol_subscription subscription;
        int version;
        if (!*is_known || is_subscribed)
            break;
        if (!kafka_versioned_decode(&kafka_consumer_protocol_subscription, &r, &arena, &version,
                                    &subscription, NULL)) {
            *is_known = false;
            break;
        }
        for (uint32_t i = 0; i < subscription.topics_count && !is_subscribed; i++)
            is_subscribed = str_eq(subscription.topics[i], topic);
    }
    arena_fini(&arena);
    return is_subscribed || !*is_known;
}

int32_t classic_rebalance_ms(const struct classic *classic)
{
    int32_t most = 0;
    LIST_EACH(link, &classic->members)
    {
        const struct classic_member *member = CONTAINER_OF(link, struct classic_member, link);
        most = member->rebalance_ms > most ? member->rebalance_ms : most;
    }
    return most;
}

/* ---- members -------------------------------------------------------------------------------------------------- */

struct classic_member *classic_member_new(struct str id, struct str instance, struct str client_id,
                                          struct str client_host, int32_t rebalance_ms, int32_t session_ms)
{
    struct classic_member *member = mem_new(sizeof *member);
    list_init(&member->link);
    member->id.key = str_keep(id);
    member->instance = str_keep(instance);
    member->client_id = str_keep(client_id);
    member->client_host = str_keep(client_host);
    member->rebalance_ms = rebalance_ms;
    member->session_ms = session_ms;
    member->deadline_ms = TIME_NONE;
    return member;
}

/* Copies them into one block. classic NULL: the member is not in a group yet. */
void classic_member_set_protocols(struct classic *classic, struct classic_member *member,
                                  const struct kafka_join_group_request_protocol *protocols, uint32_t count)
{
    if (classic)
        count_protocols(classic, member, -1);
    mem_free(member->protocols);
    size_t bytes = mem_product(count, sizeof *member->protocols);
    for (uint32_t i = 0; i < count; i++)
        bytes += protocols[i].name.n + protocols[i].metadata.n;
    member->protocols = mem_new(bytes ? bytes : 1);
    member->protocols_count = 0;
    char *at = (char *)(member->protocols + count);
    for (uint32_t i = 0; i < count; i++) {
        bool is_new = true; /* Kafka's set drops the second of a name */
        for (uint32_t k = 0; k < member->protocols_count; k++)
            is_new = is_new && !str_eq(member->protocols[k].name, protocols[i].name);
        if (!is_new)
            continue;
        struct protocol *to = &member->protocols[member->protocols_count++];
        to->name = str_n(memcpy(at, protocols[i].name.p ? protocols[i].name.p : "", protocols[i].name.n),
                         protocols[i].name.n);
        at += protocols[i].name.n;
        to->metadata = str_n(
            memcpy(at, protocols[i].metadata.p ? protocols[i].metadata.p : "", protocols[i].metadata.n),
            protocols[i].metadata.n);
        at += protocols[i].metadata.n;
    }
    if (classic)
        count_protocols(classic, member, +1);
}

void classic_add(struct classic *classic, struct classic_member *member)
{
    CHECK(member->protocols_count > 0);
    table_put(&classic->by_id, &member->id);
    list_push_back(&classic->members, &member->link);
    count_protocols(classic, member, +1);
    if (classic->leader == NULL)
        classic->leader = member;
    classic->awaiting_join += member->awaits_join;
    classic->owing_sync += member->owes_sync;
}

/* Whoever waited for the member's answers is told by the caller before. */
void classic_remove(struct groups *groups, struct classic *classic, struct classic_member *member)
{
    CHECK(member->join == NULL && member->sync == NULL);
    table_remove(&classic->by_id, &member->id);
    list_remove(&member->link);
    count_protocols(classic, member, -1);
    classic->awaiting_join -= member->awaits_join;
    classic->owing_sync -= member->owes_sync;
    if (classic->leader == member)
        classic->leader = list_empty(&classic->members)
                              ? NULL
                              : CONTAINER_OF(classic->members.next, struct classic_member, link);
    str_drop(&member->id.key);
    str_drop(&member->instance);
    str_drop(&member->client_id);
    str_drop(&member->client_host);
    str_drop(&member->assignment);
    mem_free(member->protocols);
    mem_free(member);
}

void classic_rename(struct classic *classic, struct classic_member *member, struct str id)
{
    table_remove(&classic->by_id, &member->id);
    str_drop(&member->id.key);
    member->id.key = str_keep(id);
    table_put(&classic->by_id, &member->id);
}

struct classic_member *classic_member_of(const struct classic *classic, struct str id)
{
    return classic ? table_get(&classic->by_id, id) : NULL;
}

struct classic_member *classic_static(const struct classic *classic, struct str instance)
{
    if (classic == NULL || instance.p == NULL)
        return NULL;
    LIST_EACH(link, &classic->members)
    {
        struct classic_member *member = CONTAINER_OF(link, struct classic_member, link);
        if (str_same(member->instance, instance))
            return member;
    }
    return NULL;
}

int16_t classic_validate(const struct classic *classic, struct str member_id, struct str instance)
{
    struct classic_member *member = classic_member_of(classic, member_id);
    if (instance.p == NULL || (member && str_same(member->instance, instance)))
        return member ? KAFKA_ERR_NONE : KAFKA_ERR_UNKNOWN_MEMBER_ID;
    const struct classic_member *holder = classic_static(classic, instance);
    return holder && !holder->is_silent ? KAFKA_ERR_FENCED_INSTANCE_ID : KAFKA_ERR_UNKNOWN_MEMBER_ID;
}

void classic_free(struct groups *groups, struct classic *classic)
{
    if (classic == NULL)
        return;
    while (!list_empty(&classic->members)) {
        struct classic_member *member = CONTAINER_OF(classic->members.next, struct classic_member, link);
        call_release(&member->join);
        call_release(&member->sync);
        classic_remove(groups, classic, member);
    }
    TABLE_EACH(entry, &classic->pending)
    {
        str_drop(&entry->key);
        mem_free(entry);
    }
    table_fini(&classic->pending);
    table_fini(&classic->by_id);
    mem_free(classic->supported);
    str_drop(&classic->protocol_type);
    str_drop(&classic->protocol);
    mem_free(classic);
}

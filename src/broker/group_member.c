/* A consumer group: its members, the partitions that they have, and who owns what.
 *
 * Partitions are numbers: the group's own index of a topic, and the partition. A member has three sorted sets of them:
 *
 *     target     what it shall have, of the assignment at consumer.assignment_epoch
 *     assigned   what it has been told that it has
 *     revoking   what it had, has been told to give back, and has not given back yet
 *
 * Invariant (consumer_check): a partition is assigned to, or being revoked by, at most one member: its owner. While a member has it,
 * nobody else is told that he has.
 *
 * States of a member, as its last heartbeat left them (`epoch` is the member's, `target` the assignment's):
 *
 *                     nothing to give back, all of the target is free
 *          ┌─────────────────────────────────────────────────────────────────────┐
 *          │                                                                     ↓
 *     ┌─────────┐  must give   ┌────────────┐  has given back,  ┌────────────┐  all has   ┌────────┐
 *     │ STABLE  │ ───────────→ │ UNREVOKED  │ ────────────────→ │ UNRELEASED │ ─────────→ │ STABLE │  epoch == target
 *     └─────────┘  back        └────────────┘  others still     └────────────┘  become    └────────┘
 *      epoch < target           epoch < target  have some of     epoch == target free
 *          │                        │           its target           ↑
 *          │                        └── not within the rebalance     │
 *          │                            time-out: it is removed      │
 *          └─────────────── others still have some of its target ────┘
 *
 * A new target begins the way again from any of them. */
#include "broker/groups_private.h"

const struct str assignor_names[ASSIGNORS] = {{NULL, 0}, {"uniform", 7}, {"range", 5}};
const char *const consumer_state_names[CONSUMER_STATES] = {"Empty", "Assigning", "Reconciling", "Stable"};

/* ---- sets of partitions --------------------------------------------------------------------------------------- */

int part_cmp(const struct part *a, const struct part *b)
{
    if (a->topic != b->topic)
        return a->topic < b->topic ? -1 : 1;
    return (a->partition > b->partition) - (a->partition < b->partition);
}

static int part_cmp_void(const void *a, const void *b)
{
    return part_cmp(a, b);
}

void parts_sort(struct parts *parts)
{
    bool is_sorted = true;
    for (uint32_t i = 1; i < parts->n && is_sorted; i++)
        is_sorted = part_cmp(&parts->p[i - 1], &parts->p[i]) < 0;
    if (is_sorted)
        return;
    qsort(parts->p, parts->n, sizeof *parts->p, part_cmp_void);
    uint32_t kept = 1;
    for (uint32_t i = 1; i < parts->n; i++)
        if (part_cmp(&parts->p[i], &parts->p[kept - 1]) != 0)
            parts->p[kept++] = parts->p[i];
    parts->n = kept;
}

const struct part *parts_find(const struct parts *parts, uint32_t topic, int32_t partition)
{
    struct part key = {.topic = topic, .partition = partition};
    return parts->n ? bsearch(&key, parts->p, parts->n, sizeof *parts->p, part_cmp_void) : NULL;
}

bool parts_have(const struct parts *parts, const struct part *part)
{
    return parts_find(parts, part->topic, part->partition) != NULL;
}

struct parts parts_keep(const struct parts *parts)
{
    struct parts copy = {.n = parts->n};
    if (copy.n) {
        copy.p = mem_new_array(struct part, copy.n);
        memcpy(copy.p, parts->p, copy.n * sizeof *copy.p);
    }
    return copy;
}

void parts_drop(struct parts *parts)
{
    mem_free(parts->p);
    *parts = (struct parts){0};
}

bool parts_eq(const struct parts *a, const struct parts *b, bool with_epochs)
{
    bool is_same = a->n == b->n;
    for (uint32_t i = 0; is_same && i < a->n; i++)
        is_same = part_cmp(&a->p[i], &b->p[i]) == 0 && (!with_epochs || a->p[i].epoch == b->p[i].epoch);
    return is_same;
}

/* ---- topics and owners ---------------------------------------------------------------------------------------- */

uint32_t consumer_topic_find(const struct consumer *consumer, const struct kafka_uuid *id)
{
    for (uint32_t i = 0; i < consumer->topics_count; i++)
        if (uuid_eq(&consumer->topics[i].id, id))
            return i;
    return UINT32_MAX;
}

uint32_t consumer_topic(struct consumer *consumer, const struct kafka_uuid *id)
{
    uint32_t i = consumer_topic_find(consumer, id);
    if (i != UINT32_MAX)
        return i;
    consumer->topics = mem_grow(consumer->topics, &consumer->topics_capacity, consumer->topics_count + 1,
                                sizeof *consumer->topics);
    consumer->topics[consumer->topics_count] = (struct group_topic){.id = *id};
    return consumer->topics_count++;
}

/* The place of a partition's owner, made. */
static struct consumer_member **owner_of(struct consumer *consumer, const struct part *part)
{
    struct group_topic *topic = &consumer->topics[part->topic];
    uint32_t wanted = (uint32_t)part->partition + 1;
    if (wanted > topic->owners_count) {
        topic->owners = mem_resize(topic->owners, mem_product(wanted, sizeof(struct consumer_member *)));
        memset(topic->owners + topic->owners_count, 0,
               (wanted - topic->owners_count) * sizeof(struct consumer_member *));
        topic->owners_count = wanted;
    }
    return &topic->owners[part->partition];
}

struct consumer_member *consumer_owner(const struct consumer *consumer, const struct part *part)
{
    const struct group_topic *topic = &consumer->topics[part->topic];
    return (uint32_t)part->partition < topic->owners_count ? topic->owners[part->partition] : NULL;
}

static void disown(struct consumer *consumer, struct consumer_member *member, const struct parts *parts)
{
    for (uint32_t i = 0; i < parts->n; i++) {
        struct consumer_member **owner = owner_of(consumer, &parts->p[i]);
        if (*owner == member)
            *owner = NULL;
    }
}

/* A copy on the heap; the member owns what is in it, and, while loading, leaves to others what they own. */
static struct parts own(struct consumer *consumer, struct consumer_member *member, const struct parts *parts,
                        bool is_loading)
{
    struct parts copy = parts_keep(parts);
    uint32_t n = 0;
    for (uint32_t i = 0; i < copy.n; i++) {
        struct consumer_member **owner = owner_of(consumer, &copy.p[i]);
        if (*owner && is_loading)
            continue;
        CHECK(*owner == NULL || groups_faults.ignores_owners);
        *owner = member;
        copy.p[n++] = copy.p[i];
    }
    copy.n = n;
    return copy;
}

void consumer_member_own(struct groups *groups, struct consumer *consumer, struct consumer_member *member,
                         const struct parts *assigned, const struct parts *revoking)
{
    struct parts old_assigned = member->assigned, old_revoking = member->revoking;
    if (groups->is_loading) { /* owners come at the end */
        member->assigned = parts_keep(assigned);
        member->revoking = parts_keep(revoking);
    } else {
        disown(consumer, member, &old_assigned);
        disown(consumer, member, &old_revoking);
        member->assigned = own(consumer, member, assigned, false);
        member->revoking = own(consumer, member, revoking, false);
    }
    parts_drop(&old_assigned);
    parts_drop(&old_revoking);
}

/* ---- members -------------------------------------------------------------------------------------------------- */

struct consumer *consumer_new(void)
{
    struct consumer *consumer = mem_new(sizeof *consumer);
    list_init(&consumer->members);
    return consumer;
}

struct consumer_member *consumer_member_of(const struct consumer *consumer, struct str id)
{
    return consumer ? table_get(&consumer->by_id, id) : NULL;
}

struct consumer_member *consumer_static(const struct consumer *consumer, struct str instance)
{
    if (instance.p == NULL)
        return NULL;
    LIST_EACH(link, &consumer->members)
    {
        struct consumer_member *member = CONTAINER_OF(link, struct consumer_member, link);
        if (str_same(member->instance, instance))
            return member;
    }
    return NULL;
}

struct consumer_member *consumer_member_get(struct groups *groups, struct group *group, struct str id)
{
    struct consumer_member *member = consumer_member_of(group->consumer, id);
    if (member)
        return member;
    member = mem_new(sizeof *member);
    member->id.key = str_keep(id);
    member->rebalance_ms = -1;
    member->revoke_ms = TIME_NONE;
    member->session_ms = TIME_NONE;
    table_put(&group->consumer->by_id, &member->id);
    list_push_back(&group->consumer->members, &member->link);
    if (!groups->is_loading) {
        member->session_ms = groups->now_ms + groups->config.consumer_session_ms;
        group_deadline(groups, group, member->session_ms);
    }
    return member;
}

static void member_free(struct consumer_member *member)
{
    str_drop(&member->id.key);
    str_drop(&member->instance);
    str_drop(&member->rack);
    str_drop(&member->client_id);
    str_drop(&member->client_host);
    str_drop(&member->regex);
    mem_free(member->names);
    parts_drop(&member->assigned);
    parts_drop(&member->revoking);
    parts_drop(&member->target);
    mem_free(member);
}

static void forget_topics(struct consumer *consumer)
{
    for (uint32_t i = 0; i < consumer->topics_count; i++)
        mem_free(consumer->topics[i].owners);
    mem_free(consumer->topics);
    consumer->topics = NULL;
    consumer->topics_count = 0;
    consumer->topics_capacity = 0;
}

void consumer_member_remove(struct groups *groups, struct consumer *consumer, struct consumer_member *member)
{
    if (!groups->is_loading) {
        disown(consumer, member, &member->assigned);
        disown(consumer, member, &member->revoking);
    }
    table_remove(&consumer->by_id, &member->id);
    list_remove(&member->link);
    member_free(member);
    if (consumer->by_id.count == 0)
        forget_topics(consumer);
}

void consumer_free(struct groups *groups, struct consumer *consumer)
{
    if (consumer == NULL)
        return;
    while (!list_empty(&consumer->members))
        consumer_member_remove(groups, consumer,
                               CONTAINER_OF(consumer->members.next, struct consumer_member, link));
    while (consumer->regexes_count)
        consumer_regex_remove(consumer, consumer->regexes[0].text);
    forget_topics(consumer);
    mem_free(consumer->regexes);
    table_fini(&consumer->by_id);
    mem_free(consumer);
}

enum consumer_state consumer_state(const struct consumer *consumer)
{
    if (consumer->by_id.count == 0)
        return CONSUMER_EMPTY;
    if (consumer->epoch > consumer->assignment_epoch)
        return CONSUMER_ASSIGNING;
    LIST_EACH(link, &consumer->members)
    {
        const struct consumer_member *member = CONTAINER_OF(link, struct consumer_member, link);
        if (member->state != MEMBER_STABLE || member->epoch != consumer->assignment_epoch)
            return CONSUMER_RECONCILING;
    }
    return CONSUMER_STABLE;
}

enum assignor consumer_assignor(const struct consumer *consumer, const struct consumer_member *instead)
{
    uint32_t votes[ASSIGNORS] = {0};
    LIST_EACH(link, &consumer->members)
    {
        const struct consumer_member *member = CONTAINER_OF(link, struct consumer_member, link);
        if (instead == NULL || !str_eq(instead->id.key, member->id.key))
            votes[member->assignor]++;
    }
    if (instead)
        votes[instead->assignor]++;
    return votes[ASSIGNOR_RANGE] > votes[ASSIGNOR_UNIFORM] ? ASSIGNOR_RANGE : ASSIGNOR_UNIFORM;
}

struct str *names_keep(const struct str *names, uint32_t count)
{
    size_t bytes = mem_product(count, sizeof *names);
    for (uint32_t i = 0; i < count; i++)
        bytes += names[i].n;
    struct str *kept = mem_new(bytes ? bytes : 1);
    char *at = (char *)(kept + count);
    for (uint32_t i = 0; i < count; i++) {
        kept[i] = str_n(at, names[i].n);
        memcpy(at, names[i].p ? names[i].p : "", names[i].n);
        at += names[i].n;
    }
    return kept;
}

/* ---- expressions ---------------------------------------------------------------------------------------------- */

struct regex *consumer_regex(const struct consumer *consumer, struct str text)
{
    for (uint32_t i = 0; i < consumer->regexes_count; i++)
        if (str_eq(consumer->regexes[i].text, text))
            return &consumer->regexes[i];
    return NULL;
}

void consumer_regex_remove(struct consumer *consumer, struct str text)
{
    struct regex *regex = consumer_regex(consumer, text);
    if (regex == NULL)
        return;
    str_drop(&regex->text);
    mem_free(regex->topics);
    consumer->regexes_count--;
    size_t after = consumer->regexes_count - (size_t)(regex - consumer->regexes);
    memmove(regex, regex + 1, after * sizeof *regex);
}

void consumer_regex_set(struct consumer *consumer, const struct regex *from)
{
    struct regex fresh = *from;
    fresh.text = str_keep(from->text);
    fresh.topics = names_keep(from->topics, from->topics_count);
    struct regex *regex = consumer_regex(consumer, from->text);
    if (regex == NULL) {
        consumer->regexes = mem_grow(consumer->regexes, &consumer->regexes_capacity,
                                     consumer->regexes_count + 1, sizeof *consumer->regexes);
        regex = &consumer->regexes[consumer->regexes_count++];
    } else {
        str_drop(&regex->text);
        mem_free(regex->topics);
    }
    *regex = fresh;
}

static bool names_have(const struct str *names, uint32_t count, struct str name)
{
    for (uint32_t low = 0, high = count; low < high;) {
        uint32_t middle = low + (high - low) / 2;
        int order = str_cmp(names[middle], name);
        if (order == 0)
            return true;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return false;
}

bool consumer_subscribed(const struct consumer *consumer, struct str topic)
{
    LIST_EACH(link, &consumer->members)
    {
        const struct consumer_member *member = CONTAINER_OF(link, struct consumer_member, link);
        if (names_have(member->names, member->names_count, topic))
            return true;
    }
    for (uint32_t i = 0; i < consumer->regexes_count; i++)
        if (names_have(consumer->regexes[i].topics, consumer->regexes[i].topics_count, topic))
            return true;
    return false;
}

/* ---- may it? -------------------------------------------------------------------------------------------------- */

int16_t consumer_may_commit(const struct consumer *consumer, struct str member_id, struct str instance,
                            int32_t epoch, int16_t version, bool is_txn,
                            const struct consumer_member **by_partition)
{
    *by_partition = NULL;
    if (epoch < 0 && consumer->by_id.count == 0)
        return KAFKA_ERR_NONE;
    if (is_txn && epoch == -1 && member_id.n == 0 && instance.p == NULL)
        return KAFKA_ERR_NONE; /* old producers say nothing of the member */
    const struct consumer_member *member = consumer_member_of(consumer, member_id);
    if (member == NULL)
        return KAFKA_ERR_UNKNOWN_MEMBER_ID;
    if (!is_txn && version < 9)
        return KAFKA_ERR_UNSUPPORTED_VERSION;
    if (epoch > member->epoch)
        return KAFKA_ERR_STALE_MEMBER_EPOCH;
    if (epoch < member->epoch)
        *by_partition = member;
    return KAFKA_ERR_NONE;
}

int16_t consumer_may_commit_partition(const struct consumer *consumer, const struct consumer_member *member,
                                      const struct kafka_uuid *topic_id, int32_t partition, int32_t epoch)
{
    uint32_t topic = consumer_topic_find(consumer, topic_id);
    const struct part *part = NULL;
    if (topic != UINT32_MAX) {
        part = parts_find(&member->assigned, topic, partition);
        part = part ? part : parts_find(&member->revoking, topic, partition);
    }
    return part && epoch >= part->epoch ? KAFKA_ERR_NONE : KAFKA_ERR_STALE_MEMBER_EPOCH;
}

int16_t consumer_may_fetch(const struct consumer *consumer, struct str member_id, int32_t epoch)
{
    if (member_id.p == NULL && epoch < 0)
        return KAFKA_ERR_NONE;
    const struct consumer_member *member = consumer_member_of(consumer, member_id);
    if (member == NULL)
        return KAFKA_ERR_UNKNOWN_MEMBER_ID;
    return member->epoch == epoch ? KAFKA_ERR_NONE : KAFKA_ERR_STALE_MEMBER_EPOCH;
}

/* ---- loaded --------------------------------------------------------------------------------------------------- */

/* Records can be missing where a log was damaged. Epochs that do not follow from each other are overtaken: the next heartbeat of
 * anybody assigns anew. */
static void mend_epochs(struct consumer *consumer)
{
    int32_t highest = 0;
    LIST_EACH(link, &consumer->members)
    {
        const struct consumer_member *member = CONTAINER_OF(link, struct consumer_member, link);
        highest = member->epoch > highest ? member->epoch : highest;
    }
    if (consumer->epoch < consumer->assignment_epoch)
        consumer->epoch = consumer->assignment_epoch;
    if (highest > consumer->assignment_epoch)
        consumer->epoch = (consumer->epoch > highest ? consumer->epoch : highest) + 1;
}

void consumer_loaded(struct groups *groups, struct group *group)
{
    struct consumer *consumer = group->consumer;
    for (struct list *link = consumer->members.next, *next; link != &consumer->members; link = next) {
        next = link->next;
        struct consumer_member *member = CONTAINER_OF(link, struct consumer_member, link);
        if (!member->has_metadata) { /* what is left of one that is gone */
            consumer_member_remove(groups, consumer, member);
            continue;
        }
        struct parts assigned = member->assigned, revoking = member->revoking;
        member->assigned = own(consumer, member, &assigned, true);
        member->revoking = own(consumer, member, &revoking, true);
        parts_drop(&assigned);
        parts_drop(&revoking);
        member->session_ms = groups->now_ms + groups->config.consumer_session_ms;
        group_deadline(groups, group, member->session_ms);
        if (member->state == MEMBER_UNREVOKED) {
            member->revoke_ms = groups->now_ms + member->rebalance_ms;
            group_deadline(groups, group, member->revoke_ms);
        }
    }
    mend_epochs(consumer);
}

/* What must hold of every group, at any time between two entries; and all that is durable, as records. */
#include <stdio.h>

#include "broker/groups_private.h"

static bool bad(struct err *err, const struct group *group, const char *what)
{
    return err_set(err, ERR_FATAL, "group \"%.*s\": %s", STR_ARG(group->name.key), what);
}

#define HOLDS(condition, what)                                                                               \
    do {                                                                                                     \
        if (!(condition))                                                                                    \
            return bad(err, group, what);                                                                    \
    } while (0)

static bool check_classic_member(const struct group *group, const struct classic_member *member,
                                 struct err *err)
{
    const struct classic *classic = group->classic;
    HOLDS(table_get(&classic->by_id, member->id.key) == member, "a member is not found by its id");
    HOLDS(member->protocols_count > 0, "a member has no protocol");
    HOLDS(member->join == NULL || (member->awaits_join && member->join->held_at == &member->join &&
                                   member->join->state == GROUPS_CALL_HELD),
          "a parked join is not known where it waits");
    HOLDS(member->sync == NULL || (member->awaits_sync && member->sync->held_at == &member->sync &&
                                   member->sync->state == GROUPS_CALL_HELD),
          "a parked sync is not known where it waits");
    HOLDS(!member->awaits_join || classic->state == CLASSIC_PREPARING,
          "a join is parked outside a rebalance");
    HOLDS(!member->awaits_sync || classic->state == CLASSIC_COMPLETING,
          "a sync is parked outside a rebalance");
    HOLDS(member->deadline_ms == TIME_NONE || member->deadline_ms >= group->deadline_ms || group->is_late,
          "a member's deadline comes before the group's");
    return true;
}

static bool check_classic(const struct group *group, struct err *err)
{
    const struct classic *classic = group->classic;
    uint32_t members = 0, awaiting = 0, owing = 0;
    bool has_leader = false;
    LIST_EACH(link, &classic->members)
    {
        const struct classic_member *member = CONTAINER_OF(link, struct classic_member, link);
        TRY(check_classic_member(group, member, err));
        members++;
        awaiting += member->awaits_join;
        owing += member->owes_sync;
        has_leader = has_leader || member == classic->leader;
    }
    HOLDS(members == classic->by_id.count, "members are not all found by id");
    HOLDS(awaiting == classic->awaiting_join && owing == classic->owing_sync, "members are miscounted");
    HOLDS((members > 0) == has_leader, "the leader is not a member");
    HOLDS(classic->state != CLASSIC_EMPTY || members == 0, "an empty group has members");
    HOLDS((classic->state != CLASSIC_COMPLETING && classic->state != CLASSIC_STABLE) ||
              (members > 0 && classic->protocol.p && classic->protocol_type.p),
          "a generation without members or protocol");
    HOLDS((classic->join_ms != TIME_NONE) == (classic->state == CLASSIC_PREPARING),
          "a rebalance without an end");
    for (uint32_t i = 0; i < classic->supported_count; i++)
        HOLDS(classic->supported[i].members > 0 && classic->supported[i].members <= members,
              "protocols are miscounted");
    int64_t first = classic->join_ms < classic->sync_ms ? classic->join_ms : classic->sync_ms;
    HOLDS(first == TIME_NONE || first >= group->deadline_ms || group->is_late,
          "the group's deadline is too late");
    return true;
}

static bool check_parts(const struct group *group, const struct consumer_member *member,
                        const struct parts *parts, bool are_owned, struct err *err)
{
    for (uint32_t i = 0; i < parts->n; i++) {
        HOLDS(parts->p[i].topic < group->consumer->topics_count, "a partition of no topic");
        HOLDS(i == 0 || part_cmp(&parts->p[i - 1], &parts->p[i]) < 0, "partitions are not in order");
        HOLDS(!are_owned || consumer_owner(group->consumer, &parts->p[i]) == member,
              "a partition with another owner");
    }
    return true;
}

static bool check_consumer(const struct group *group, struct err *err)
{
    const struct consumer *consumer = group->consumer;
    uint32_t members = 0;
    size_t parts = 0, owned = 0;
    LIST_EACH(link, &consumer->members)
    {
        const struct consumer_member *member = CONTAINER_OF(link, struct consumer_member, link);
        members++;
        HOLDS(table_get(&consumer->by_id, member->id.key) == member, "a member is not found by its id");
        TRY(check_parts(group, member, &member->assigned, true, err));
        TRY(check_parts(group, member, &member->revoking, true, err));
        TRY(check_parts(group, member, &member->target, false, err));
        HOLDS(member->epoch <= consumer->assignment_epoch || member->epoch < consumer->epoch,
              "a member is ahead of the group");
        HOLDS(member->state != MEMBER_UNREVOKED || member->revoking.n > 0 || member->epoch < 0,
              "a member gives back nothing");
        HOLDS(member->session_ms >= group->deadline_ms || group->is_late,
              "a session ends before the group's deadline");
        parts += member->assigned.n + member->revoking.n;
    }
    for (uint32_t t = 0; t < consumer->topics_count; t++)
        for (uint32_t p = 0; p < consumer->topics[t].owners_count; p++)
            owned += consumer->topics[t].owners[p] != NULL;
    HOLDS(members == consumer->by_id.count, "members are not all found by id");
    HOLDS(parts == owned, "owners and what members have differ");
    HOLDS(consumer->assignment_epoch <= consumer->epoch, "the assignment is ahead of the group");
    return true;
}

static bool check_offsets(const struct group *group, uint64_t *offsets, uint64_t *pendings, struct err *err)
{
    uint32_t count = 0, pending = 0;
    for (uint32_t i = 0; i < group->topics_count; i++) {
        const struct offset_topic *topic = group->topics[i];
        HOLDS(i == 0 || str_cmp(group->topics[i - 1]->name, topic->name) < 0, "topics are not in order");
        HOLDS(topic->count || topic->pendings, "a topic without offsets");
        for (uint32_t k = 1; k < topic->count; k++)
            HOLDS(topic->offsets[k - 1].partition < topic->offsets[k].partition, "offsets are not in order");
        count += topic->count;
        for (const struct pending *p = topic->pendings; p; p = p->next) {
            HOLDS(p->group == group && p->topic == topic, "a pending offset of another");
            pending++;
        }
    }
    HOLDS(count == group->offsets && pending == group->pendings, "offsets are miscounted");
    *offsets += count;
    *pendings += pending;
    return true;
}

static bool check_group(const struct groups *groups, const struct group *group, struct err *err)
{
    HOLDS(group->classic == NULL || group->consumer == NULL, "of both protocols");
    HOLDS(!group->is_busy || group->writes > 0, "busy without a write");
    HOLDS(group->heap_index == 0 || groups->heap[group->heap_index] == group, "not where its deadline is");
    HOLDS((group->heap_index == 0) == (group->deadline_ms == TIME_NONE), "a deadline that nobody sees");
    LIST_EACH(link, &group->queue)
    HOLDS(CONTAINER_OF(link, struct groups_call, link)->state == GROUPS_CALL_QUEUED,
          "a call that does not wait waits");
    if (group->classic)
        TRY(check_classic(group, err));
    if (group->consumer && !groups->is_loading && !groups_faults.ignores_owners)
        TRY(check_consumer(group, err));
    return true;
}

bool group_holds(const struct groups *groups, const struct group *group)
{
    struct err err;
    uint64_t offsets = 0, pendings = 0;
    bool holds = check_group(groups, group, &err) && check_offsets(group, &offsets, &pendings, &err);
    if (!holds)
        fprintf(stderr, "%s\n", err.text);
    return holds;
}

bool groups_check(const struct groups *groups, struct err *err)
{
    uint64_t offsets = 0, pendings = 0, last = 0;
    TABLE_EACH(entry, &groups->by_name)
    {
        const struct group *group = (const struct group *)entry;
        TRY(check_group(groups, group, err));
        TRY(check_offsets(group, &offsets, &pendings, err));
        HOLDS(group->is_busy || list_empty(&group->queue), "calls wait for a group that is not busy");
    }
    if (offsets != groups->offsets || pendings != groups->pendings)
        return err_set(err, ERR_FATAL, "offsets of all groups are miscounted");
    for (size_t i = 2; i <= groups->heap_count; i++)
        if (groups->heap[i / 2]->deadline_ms > groups->heap[i]->deadline_ms)
            return err_set(err, ERR_FATAL, "the groups' deadlines are not in order");
    LIST_EACH(link, &groups->writes)
    {
        const struct write *write = CONTAINER_OF(link, struct write, link);
        if (write->token <= last || write->records_count == 0)
            return err_set(err, ERR_FATAL, "writes are not in order");
        if (write->call && (write->call->held_at != &write->call || write->call->state != GROUPS_CALL_HELD))
            return err_set(err, ERR_FATAL, "a call does not know the write that holds it");
        last = write->token;
    }
    return true;
}

/* ---- as records ----------------------------------------------------------------------------------------------- */

static void dump_consumer(struct groups *groups, struct write *write, const struct group *group)
{
    const struct consumer *consumer = group->consumer;
    LIST_EACH(link, &consumer->members)
    record_member(groups, write, group, CONTAINER_OF(link, struct consumer_member, link));
    record_consumer(groups, write, group, consumer->epoch, consumer->metadata_hash);
    for (uint32_t i = 0; i < consumer->regexes_count; i++)
        record_regex(groups, write, group, &consumer->regexes[i]);
    LIST_EACH(link, &consumer->members)
    {
        const struct consumer_member *member = CONTAINER_OF(link, struct consumer_member, link);
        record_target(groups, write, group, consumer, member->id.key, &member->target);
    }
    record_target_epoch(groups, write, group, consumer->assignment_epoch, consumer->assignment_ms);
    LIST_EACH(link, &consumer->members)
    record_current(groups, write, group, consumer, CONTAINER_OF(link, struct consumer_member, link));
}

void groups_dump(struct groups *groups, void (*seen)(void *arg, const struct groups_record *record),
                 void *arg)
{
    TABLE_EACH(entry, &groups->by_name)
    {
        const struct group *group = (const struct group *)entry;
        struct write *write = write_new(groups, WRITE_OFFSETS);
        const struct classic *classic = group->classic;
        if (classic && !classic_is_simple(group) &&
            (classic->state == CLASSIC_STABLE || classic->state == CLASSIC_EMPTY))
            record_classic(groups, write, group, NULL,
                           0); /* between generations only the last one is durable */
        else if (group->consumer)
            dump_consumer(groups, write, group);
        for (uint32_t i = 0; i < group->topics_count; i++)
            for (uint32_t k = 0; k < group->topics[i]->count; k++)
                record_offset(groups, write, group, group->topics[i]->name, &group->topics[i]->offsets[k]);
        for (size_t i = 0; i < write->records_count; i++)
            seen(arg, &write->records[i]);
        write_discard(groups, write);
    }
}

void groups_stats(const struct groups *groups, struct groups_stats *stats)
{
    *stats = groups->stats;
    stats->offsets = groups->offsets;
    stats->offsets_pending = groups->pendings;
    TABLE_EACH(entry, &groups->by_name)
    {
        const struct group *group = (const struct group *)entry;
        uint32_t *by_classic[CLASSIC_STATES] = {&stats->classic_empty, &stats->classic_preparing,
                                                &stats->classic_completing, &stats->classic_stable};
        uint32_t *by_consumer[CONSUMER_STATES] = {&stats->consumer_empty, &stats->consumer_assigning,
                                                  &stats->consumer_reconciling, &stats->consumer_stable};
        if (group->consumer)
            ++*by_consumer[consumer_state(group->consumer)];
        else
            ++*by_classic[group->classic ? group->classic->state : CLASSIC_EMPTY];
        stats->members += group->consumer  ? group->consumer->by_id.count
                          : group->classic ? group->classic->by_id.count
                                           : 0;
    }
}

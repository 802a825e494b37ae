/* The new protocol, as stories; and its assignors. */
#include <ref/group_world.h>

#include "base/test.h"
#include "broker/groups_private.h"

static struct world w;

static void begin(void)
{
    world_init(&w);
    world_topic(&w, "t", 4);
    world_topic(&w, "u", 2);
}

static void end(void)
{
    EXPECT(world_check(&w));
    world_fini(&w);
}

#define HAS(answer, text) test_has((answer), (text), __FILE__, __LINE__)

static bool test_has(const char *answer, const char *text, const char *file, int line)
{
    bool has = strstr(answer, text) != NULL;
    if (!test_expect(has, file, line, text))
        fprintf(stderr, "    in: %s\n", answer[0] ? answer : "(no answer)");
    return has;
}

static const char *beat(const char *more)
{
    return world_ask(&w, "ConsumerGroupHeartbeat", 1, "GroupId: g, %s", more);
}

/* Joins "g" with a subscription to "t". */
static const char *join(const char *id)
{
    return world_ask(
        &w, "ConsumerGroupHeartbeat", 1,
        "GroupId: g, MemberId: %s, MemberEpoch: 0, RebalanceTimeoutMs: 60000, SubscribedTopicNames: [t], "
        "TopicPartitions: []",
        id);
}

static const char *idle(const char *id, int epoch)
{
    return world_ask(&w, "ConsumerGroupHeartbeat", 1, "GroupId: g, MemberId: %s, MemberEpoch: %d", id, epoch);
}

/* A heartbeat that says which partitions of "t" the member owns: "0, 1". */
static const char *owning(const char *id, int epoch, const char *partitions)
{
    const char *topic = world_field(
        &w, world_ask(&w, "OffsetFetch", 10, "Groups: [{GroupId: ids, Topics: null}]"), "TopicId", 0);
    return world_ask(
        &w, "ConsumerGroupHeartbeat", 1,
        "GroupId: g, MemberId: %s, MemberEpoch: %d, TopicPartitions: [{TopicId: %s, Partitions: [%s]}]", id,
        epoch, topic, partitions);
}

/* So that owning() finds t's id as text. */
static void make_ids(void)
{
    world_ask(&w, "OffsetCommit", 7, "GroupId: ids, Topics: [{Name: t, Partitions: [{CommittedOffset: 1}]}]");
}

static const char *state(void)
{
    return world_field(&w, world_ask(&w, "ConsumerGroupDescribe", 1, "GroupIds: [g]"), "GroupState", 0);
}

#define EPOCH(answer) atoi(world_field(&w, (answer), "MemberEpoch", 0))

TEST(one_member_gets_everything)
{
    begin();
    const char *a = join("a");
    HAS(a, "ErrorCode: NONE, ErrorMessage: null, MemberId: \"a\", MemberEpoch: 1, HeartbeatIntervalMs: 5000");
    HAS(a, "Partitions: [0, 1, 2, 3]");
    HAS(idle("a", 1), "Assignment: null");
    EXPECT_STR(state(), "Stable");
    world_restart(&w, 0);
    HAS(idle("a", 1), "MemberEpoch: 1, HeartbeatIntervalMs: 5000, Assignment: null");
    const char *all = world_ask(&w, "ConsumerGroupDescribe", 1, "GroupIds: [g]");
    HAS(all, "GroupState: \"Stable\", GroupEpoch: 1, AssignmentEpoch: 1, AssignorName: \"uniform\"");
    HAS(all, "TopicName: \"t\", Partitions: [0, 1, 2, 3]");
    HAS(all, "MemberType: 1");
    HAS(world_ask(&w, "ListGroups", 5, "TypesFilter: [consumer]"),
        "{GroupId: \"g\", ProtocolType: \"consumer\", GroupState: \"Stable\", GroupType: \"consumer\"}");
    HAS(world_ask(&w, "DescribeGroups", 6, "Groups: [g]"), "Group g is not a classic group.");
    end();
}

TEST(a_second_member_waits_until_the_first_has_given_back)
{
    begin();
    make_ids();
    join("a");
    const char *b = join("b");
    HAS(b, "MemberEpoch: 2");
    HAS(b, "Assignment: {TopicPartitions: []}");
    EXPECT_STR(state(), "Reconciling");
    const char *a = owning("a", 1, "0, 1, 2, 3");
    HAS(a, "MemberEpoch: 1"); /* it stays where it is until it has given back */
    HAS(a, "Partitions: [0, 1]}");
    HAS(idle("b", 2), "Assignment: null");
    a = owning("a", 1, "0, 1");
    HAS(a, "MemberEpoch: 2");
    HAS(idle("b", 2), "Partitions: [2, 3]");
    EXPECT_STR(state(), "Stable");
    world_restart(&w, 0);
    EXPECT_STR(state(), "Stable");
    end();
}

TEST(who_does_not_give_back_in_time_is_removed)
{
    begin();
    make_ids();
    join("a");
    join("b");
    owning("a", 1, "0, 1, 2, 3");
    for (int i = 0; i < 12; i++) {
        world_advance(&w, 5000);
        idle("b", 2);
        owning("a", 1, "0, 1, 2, 3");
    }
    HAS(idle("a", 1), "ErrorCode: UNKNOWN_MEMBER_ID");
    HAS(idle("b", 3), "MemberEpoch: 3");
    HAS(world_ask(&w, "ConsumerGroupDescribe", 1, "GroupIds: [g]"), "Partitions: [0, 1, 2, 3]");
    end();
}

TEST(epochs_are_checked)
{
    begin();
    make_ids();
    HAS(idle("a", 1), "ErrorCode: GROUP_ID_NOT_FOUND");
    join("a");
    HAS(idle("x", 1), "ErrorCode: UNKNOWN_MEMBER_ID");
    HAS(idle("a", 2), "ErrorCode: FENCED_MEMBER_EPOCH");
    join("b");
    owning("a", 1, "0, 1, 2, 3");
    HAS(owning("a", 1, "0, 1"), "MemberEpoch: 2");
    /* The answer was lost: the epoch before is taken, while it owns no more than it has. */
    HAS(owning("a", 1, "0, 1"), "MemberEpoch: 2");
    HAS(owning("a", 1, "0, 1, 2"), "ErrorCode: FENCED_MEMBER_EPOCH");
    HAS(idle("a", 1), "ErrorCode: FENCED_MEMBER_EPOCH");
    HAS(join("a"), "MemberEpoch: 2"); /* it joins again, with nothing */
    end();
}

TEST(requests_are_checked)
{
    begin();
    HAS(beat("MemberId: \"\""), "ErrorMessage: \"MemberId can't be empty.\"");
    HAS(world_ask(&w, "ConsumerGroupHeartbeat", 1, "GroupId: \"\", MemberId: a"), "GroupId can't be empty.");
    HAS(beat("MemberId: a, InstanceId: \"\""), "InstanceId can't be empty.");
    HAS(beat("MemberId: a"), "RebalanceTimeoutMs must be provided in first request.");
    HAS(beat("MemberId: a, RebalanceTimeoutMs: 1"), "TopicPartitions must be empty when (re-)joining.");
    HAS(beat("MemberId: a, RebalanceTimeoutMs: 1, TopicPartitions: []"),
        "must be non-null when (re-)joining.");
    HAS(beat("MemberId: a, MemberEpoch: -2"), "InstanceId can't be null.");
    HAS(beat("MemberId: a, MemberEpoch: -3"), "MemberEpoch is invalid.");
    HAS(beat("MemberId: a, MemberEpoch: 1, ServerAssignor: odd"), "ErrorCode: UNSUPPORTED_ASSIGNOR");
    HAS(beat("MemberId: a, MemberEpoch: -1"), "ErrorCode: GROUP_ID_NOT_FOUND");
    HAS(world_ask(
            &w, "ConsumerGroupHeartbeat", 0,
            "GroupId: g, MemberEpoch: 0, RebalanceTimeoutMs: 1, SubscribedTopicNames: [t], TopicPartitions: []"),
        "ErrorCode: NONE"); /* version 0 need not have an id */
    end();
}

TEST(members_leave_and_are_not_heard_of)
{
    begin();
    make_ids();
    join("a");
    join("b");
    HAS(beat("MemberId: a, MemberEpoch: -1"), "MemberId: \"a\", MemberEpoch: -1");
    HAS(idle("a", 1), "ErrorCode: UNKNOWN_MEMBER_ID");
    HAS(idle("b", 2), "Partitions: [0, 1, 2, 3]");
    world_advance(&w, 45000);
    HAS(idle("b", 3), "ErrorCode: UNKNOWN_MEMBER_ID");
    EXPECT_STR(state(), "Empty");
    world_restart(&w, 0);
    EXPECT_STR(state(), "Empty");
    HAS(world_ask(&w, "DeleteGroups", 2, "GroupsNames: [g]"), "ErrorCode: NONE");
    EXPECT_STR(world_field(&w, world_ask(&w, "ConsumerGroupDescribe", 1, "GroupIds: [g]"), "ErrorCode", 0),
               "GROUP_ID_NOT_FOUND");
    end();
}

#define JOIN_STATIC(id)                                                                                      \
    beat(                                                                                                    \
        "MemberId: " id                                                                                      \
        ", InstanceId: i, MemberEpoch: 0, RebalanceTimeoutMs: 60000, SubscribedTopicNames: [t], TopicPartitions: []")

TEST(a_static_member_keeps_its_partitions)
{
    begin();
    make_ids();
    JOIN_STATIC("a");
    join("b");
    HAS(JOIN_STATIC("c"), "ErrorCode: UNRELEASED_INSTANCE_ID");
    owning("a", 1, "0, 1, 2, 3");
    HAS(owning("a", 1, "0, 1"), "MemberEpoch: 2");
    HAS(beat("MemberId: a, InstanceId: i, MemberEpoch: -2"), "MemberEpoch: -2");
    HAS(idle("b", 2), "Partitions: [2, 3]");
    world_restart(&w, 0);
    const char *c = JOIN_STATIC("c");
    HAS(c, "MemberId: \"c\", MemberEpoch: 2");
    HAS(c, "Partitions: [0, 1]}");
    HAS(beat("MemberId: a, InstanceId: i, MemberEpoch: 2"), "ErrorCode: FENCED_INSTANCE_ID");
    HAS(beat("MemberId: a, InstanceId: j, MemberEpoch: 2"), "ErrorCode: UNKNOWN_MEMBER_ID");
    EXPECT_STR(state(), "Stable");
    HAS(beat("MemberId: c, InstanceId: i, MemberEpoch: -2"), "MemberEpoch: -2");
    for (int i = 0; i < 9; i++) { /* it does not come back in time */
        world_advance(&w, 5000);
        idle("b", 2);
    }
    HAS(owning("b", 3, "0, 1, 2, 3"), "ErrorCode: NONE");
    end();
}

TEST(a_removal_that_cannot_be_written_is_tried_again)
{
    begin();
    join("a");
    w.is_lazy = true;
    world_advance(&w, 45000);
    EXPECT_EQ_INT(w.writes_count, 1);
    world_confirm(&w, false);
    EXPECT_EQ_INT(w.writes_count, 0); /* not at once */
    world_advance(&w, 1000);
    world_confirm(&w, true);
    EXPECT_STR(state(), "Empty");
    end();
}

TEST(nothing_is_told_before_it_is_durable)
{
    begin();
    w.is_lazy = true;
    struct world_call *a = world_send(
        &w, "ConsumerGroupHeartbeat", 1,
        "GroupId: g, MemberId: a, RebalanceTimeoutMs: 60000, SubscribedTopicNames: [t], TopicPartitions: []");
    struct world_call *b = world_send(
        &w, "ConsumerGroupHeartbeat", 1,
        "GroupId: g, MemberId: b, RebalanceTimeoutMs: 60000, SubscribedTopicNames: [t], TopicPartitions: []");
    EXPECT_STR(world_answer(a), "");
    EXPECT_EQ_INT(w.writes_count, 1); /* one change at a time */
    world_confirm(&w, false);
    HAS(world_answer(a), "ErrorCode: COORDINATOR_NOT_AVAILABLE");
    EXPECT_STR(world_answer(b), "");
    world_confirm(&w, true);
    HAS(world_answer(b), "MemberEpoch: 1");
    HAS(world_answer(b), "Partitions: [0, 1, 2, 3]");
    end();
}

TEST(topics_that_change_are_noticed)
{
    begin();
    join("a");
    world_topic(&w, "t", 6);
    const char *a = idle("a", 1);
    HAS(a, "MemberEpoch: 2");
    HAS(a, "Partitions: [0, 1, 2, 3, 4, 5]");
    world_topic(&w, "v", 1); /* nobody subscribes to it */
    HAS(idle("a", 2), "MemberEpoch: 2, HeartbeatIntervalMs: 5000, Assignment: null");
    world_topic_gone(&w, "t");
    HAS(idle("a", 2), "Assignment: {TopicPartitions: []}");
    end();
}

TEST(a_subscription_changes)
{
    begin();
    make_ids();
    join("a");
    const char *a = beat("MemberId: a, MemberEpoch: 1, SubscribedTopicNames: [u]");
    HAS(a, "MemberEpoch: 1"); /* t is still owned */
    HAS(a, "Assignment: {TopicPartitions: []}");
    a = beat("MemberId: a, MemberEpoch: 1, TopicPartitions: []");
    HAS(a, "MemberEpoch: 2");
    HAS(a, "Partitions: [0, 1]}");
    end();
}

TEST(expressions_are_resolved)
{
    begin();
    world_topic(&w, "orders.eu", 2);
    world_topic(&w, "orders.us", 2);
    world_topic(&w, "my.orders.eu", 9);
#define JOIN_REGEX(id, regex)                                                                                 \
    world_ask(                                                                                                \
        &w, "ConsumerGroupHeartbeat", 1,                                                                      \
        "GroupId: g, MemberId: %s, RebalanceTimeoutMs: 1, SubscribedTopicRegex: \"%s\", TopicPartitions: []", \
        id, regex)
    HAS(JOIN_REGEX("a", "orders("), "ErrorCode: INVALID_REGULAR_EXPRESSION");
    HAS(JOIN_REGEX("a", "orders(?=x)"), "ErrorCode: INVALID_REGULAR_EXPRESSION");
    HAS(JOIN_REGEX("a", "(a)\\\\1"), "ErrorCode: INVALID_REGULAR_EXPRESSION");
    HAS(JOIN_REGEX("a", "a++"), "ErrorCode: INVALID_REGULAR_EXPRESSION");
    EXPECT_STR(state(), ""); /* none of them made a group */
    const char *a = JOIN_REGEX("a", "orders\\\\..*");
    EXPECT_EQ_INT(EPOCH(a), 1);
    EXPECT(strstr(a, "Partitions: [0, 1]}, {") != NULL);
    EXPECT(strstr(a, "[0, 1, 2") == NULL);
    world_topic(&w, "orders.as", 3);
    world_advance(&w, 1000);
    HAS(idle("a", 1), "Partitions: [0, 1, 2]");
    world_restart(&w, 0);
    HAS(JOIN_REGEX("b", "orders\\\\..*"), "MemberEpoch: 3");
    HAS(world_ask(&w, "ConsumerGroupDescribe", 1, "GroupIds: [g]"),
        "SubscribedTopicRegex: \"orders\\\\..*\"");
    beat("MemberId: a, MemberEpoch: -1");
    HAS(beat(
            "MemberId: b, MemberEpoch: 3, SubscribedTopicRegex: \"\", SubscribedTopicNames: [u], TopicPartitions: []"),
        "ErrorCode: NONE");
    bool has_regex = false;
    for (size_t i = 0; i < w.durable_count; i++)
        if (get_be16(w.durable[i].key.p) == KEY_REGEX)
            has_regex = w.durable[i].value.p != NULL;
    EXPECT(!has_regex); /* nobody uses it any more: its last record removes it */
    end();
}

TEST(commits_of_members_are_checked)
{
    begin();
    make_ids();
    join("a");
    join("b");
    owning("a", 1, "0, 1, 2, 3");
    HAS(owning("a", 1, "0, 1"), "MemberEpoch: 2");
#define COMMIT(version, id, epoch, partition)                                                                            \
    world_ask(                                                                                                           \
        &w, "OffsetCommit", version,                                                                                     \
        "GroupId: g, MemberId: %s, GenerationIdOrMemberEpoch: %d, Topics: [{Name: t, Partitions: [{PartitionIndex: %d, " \
        "CommittedOffset: 5}]}]",                                                                                        \
        id, epoch, partition)
    HAS(COMMIT(9, "a", 2, 0), "ErrorCode: NONE");
    HAS(COMMIT(9, "a", 3, 0), "ErrorCode: STALE_MEMBER_EPOCH");
    HAS(COMMIT(9, "x", 2, 0), "ErrorCode: UNKNOWN_MEMBER_ID");
    HAS(COMMIT(9, "\"\"", -1, 0), "ErrorCode: UNKNOWN_MEMBER_ID");
    HAS(COMMIT(8, "a", 2, 0), "ErrorCode: UNSUPPORTED_VERSION");
    HAS(COMMIT(9, "a", 1, 1), "ErrorCode: NONE"); /* an older epoch, of a partition that it had then */
    HAS(COMMIT(9, "a", 1, 2), "ErrorCode: STALE_MEMBER_EPOCH");
    HAS(COMMIT(9, "a", 0, 1), "ErrorCode: STALE_MEMBER_EPOCH");
    HAS(world_ask(&w, "OffsetFetch", 9, "Groups: [{GroupId: g, MemberId: a, MemberEpoch: 1, Topics: null}]"),
        "ErrorCode: STALE_MEMBER_EPOCH");
    HAS(world_ask(&w, "OffsetFetch", 9, "Groups: [{GroupId: g, MemberId: x, MemberEpoch: 1, Topics: null}]"),
        "ErrorCode: UNKNOWN_MEMBER_ID");
    HAS(world_ask(&w, "OffsetFetch", 9, "Groups: [{GroupId: g, MemberId: a, MemberEpoch: 2, Topics: null}]"),
        "CommittedOffset: 5");
    HAS(world_ask(
            &w, "TxnOffsetCommit", 3,
            "TransactionalId: x, GroupId: g, MemberId: a, GenerationIdOrMemberEpoch: 3, Topics: [{Name: t, Partitions: [{}]}]"),
        "ErrorCode: ILLEGAL_GENERATION");
    end();
}

TEST(the_two_protocols_do_not_mix)
{
    begin();
    join("a");
#define CLASSIC(member)                                                                                              \
    world_send(                                                                                                      \
        &w, "JoinGroup", 3,                                                                                          \
        "GroupId: g, SessionTimeoutMs: 10000, RebalanceTimeoutMs: 10000, MemberId: \"%s\", ProtocolType: consumer, " \
        "Protocols: [{Name: range, Metadata: 0x00}]",                                                                \
        member)
    HAS(world_answer(CLASSIC("")), "ErrorCode: INCONSISTENT_GROUP_PROTOCOL");
    HAS(world_ask(&w, "Heartbeat", 3, "GroupId: g, MemberId: a, GenerationId: 1"),
        "ErrorCode: UNKNOWN_MEMBER_ID");
    HAS(world_ask(&w, "SyncGroup", 3, "GroupId: g, MemberId: a, GenerationId: 1"),
        "ErrorCode: UNKNOWN_MEMBER_ID");
    beat("MemberId: a, MemberEpoch: -1");
    world_ask(&w, "OffsetCommit", 7, "GroupId: g, Topics: [{Name: t, Partitions: [{CommittedOffset: 5}]}]");
    struct world_call *c = CLASSIC(""); /* an empty group becomes a classic one */
    EXPECT_STR(world_answer(c), "");
    world_advance(&w, 3000);
    HAS(world_answer(c), "GenerationId: 1");
    HAS(join("b"), "Cannot upgrade classic group g to consumer group because online upgrade is disabled.");
    HAS(idle("b", 1), "ErrorCode: GROUP_ID_NOT_FOUND");
    world_ask(&w, "LeaveGroup", 1, "GroupId: g, MemberId: \"%s\"",
              world_field(&w, world_answer(c), "MemberId", 0));
    HAS(join("b"), "MemberEpoch: 1"); /* and back */
    world_restart(&w, 0);
    HAS(idle("b", 1), "ErrorCode: NONE");
    HAS(world_ask(&w, "OffsetFetch", 6, "GroupId: g, Topics: [{Name: t, PartitionIndexes: [0]}]"),
        "CommittedOffset: 5");
    end();
}

TEST(an_administrator_removes_members)
{
    begin();
    JOIN_STATIC("a");
    const char *answer = world_ask(
        &w, "LeaveGroup", 3,
        "GroupId: g, Members: [{GroupInstanceId: i}, {MemberId: x}, {GroupInstanceId: j}]");
    HAS(answer, "GroupInstanceId: \"i\", ErrorCode: NONE");
    HAS(answer, "GroupInstanceId: null, ErrorCode: UNKNOWN_MEMBER_ID");
    HAS(answer, "GroupInstanceId: \"j\", ErrorCode: UNKNOWN_MEMBER_ID");
    EXPECT_STR(state(), "Empty");
    end();
}

/* ---- assignors ------------------------------------------------------------------------------------------------ */

enum { MEMBERS_MAX = 12, TOPICS_MAX = 6 };

struct scene {
    struct assign_member members[MEMBERS_MAX];
    uint32_t topics[MEMBERS_MAX][TOPICS_MAX];
    char ids[MEMBERS_MAX][16];
    uint32_t members_count, topics_count;
    int32_t partitions[TOPICS_MAX];
    struct arena arena;
};

static void make_scene(struct scene *s, bool alike)
{
    *s = (struct scene){.members_count = 1 + world_below(&w, MEMBERS_MAX),
                        .topics_count = 1 + world_below(&w, TOPICS_MAX)};
    for (uint32_t t = 0; t < s->topics_count; t++)
        s->partitions[t] = (int32_t)world_below(&w, 12);
    for (uint32_t i = 0; i < s->members_count; i++) {
        struct assign_member *m = &s->members[i];
        snprintf(s->ids[i], sizeof s->ids[i], "m%02u", i);
        m->id = str_of(s->ids[i]);
        m->topics = s->topics[i];
        for (uint32_t t = 0; t < s->topics_count; t++)
            if (alike || world_below(&w, 3))
                s->topics[i][m->topics_count++] = t;
    }
}

static void run(struct scene *s, enum assignor assignor)
{
    assign(assignor, s->members, s->members_count, s->partitions, s->topics_count, &s->arena);
}

/* Every partition of a subscribed topic has one owner, who subscribes to it. */
static bool is_whole(const struct scene *s)
{
    int owners[TOPICS_MAX][12] = {{0}};
    bool subscribed[TOPICS_MAX] = {false};
    for (uint32_t i = 0; i < s->members_count; i++) {
        const struct assign_member *m = &s->members[i];
        for (uint32_t k = 0; k < m->topics_count; k++)
            subscribed[m->topics[k]] = true;
        for (uint32_t k = 0; k < m->after.n; k++) {
            bool wants = false;
            for (uint32_t j = 0; j < m->topics_count; j++)
                wants = wants || m->topics[j] == m->after.p[k].topic;
            if (!wants || (k > 0 && part_cmp(&m->after.p[k - 1], &m->after.p[k]) >= 0))
                return false;
            owners[m->after.p[k].topic][m->after.p[k].partition]++;
        }
    }
    for (uint32_t t = 0; t < s->topics_count; t++)
        for (int32_t p = 0; p < s->partitions[t]; p++)
            if (owners[t][p] != (subscribed[t] ? 1 : 0))
                return false;
    return true;
}

static uint32_t spread(const struct scene *s)
{
    uint32_t least = UINT32_MAX, most = 0;
    for (uint32_t i = 0; i < s->members_count; i++) {
        least = s->members[i].after.n < least ? s->members[i].after.n : least;
        most = s->members[i].after.n > most ? s->members[i].after.n : most;
    }
    return most - least;
}

/* Partitions that have left a member that is still there. */
static uint32_t moved(const struct scene *s)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < s->members_count; i++)
        for (uint32_t k = 0; k < s->members[i].before.n; k++)
            count += !parts_have(&s->members[i].after, &s->members[i].before.p[k]);
    return count;
}

static void again(struct scene *s)
{
    for (uint32_t i = 0; i < s->members_count; i++)
        s->members[i].before = s->members[i].after;
}

TEST(uniform_is_even_and_moves_no_more_than_it_must)
{
    begin();
    for (int round = 0; round < 2000; round++) {
        struct scene s;
        make_scene(&s, true);
        run(&s, ASSIGNOR_UNIFORM);
        EXPECT(is_whole(&s));
        EXPECT(spread(&s) <= 1);
        again(&s);
        run(&s, ASSIGNOR_UNIFORM);
        EXPECT_EQ_INT(moved(&s), 0); /* nothing has changed: nothing moves */
        again(&s);
        if (s.members_count > 1) { /* one goes: only what it had is given to others */
            s.members_count--;
            run(&s, ASSIGNOR_UNIFORM);
            EXPECT(is_whole(&s));
            EXPECT(spread(&s) <= 1);
            EXPECT_EQ_INT(moved(&s), 0);
            again(&s);
            s.members[s.members_count].before = (struct parts){0};
            s.members_count++;
            run(&s, ASSIGNOR_UNIFORM); /* one comes: it gets its share, and nothing else moves */
            EXPECT(spread(&s) <= 1);
            EXPECT_EQ_INT(moved(&s), s.members[s.members_count - 1].after.n);
        }
        arena_fini(&s.arena);
    }
    end();
}

/* No partition can go to a subscriber of its topic that has two less than its owner. */
static bool is_level(const struct scene *s)
{
    for (uint32_t i = 0; i < s->members_count; i++)
        for (uint32_t k = 0; k < s->members[i].after.n; k++)
            for (uint32_t j = 0; j < s->members_count; j++)
                for (uint32_t n = 0; n < s->members[j].topics_count; n++)
                    if (s->members[j].topics[n] == s->members[i].after.p[k].topic &&
                        s->members[j].after.n + 1 < s->members[i].after.n)
                        return false;
    return true;
}

TEST(uniform_levels_each_topic_where_subscriptions_differ)
{
    begin();
    for (int round = 0; round < 2000; round++) {
        struct scene s;
        make_scene(&s, false);
        run(&s, ASSIGNOR_UNIFORM);
        EXPECT(is_whole(&s));
        EXPECT(is_level(&s));
        again(&s);
        run(&s, ASSIGNOR_UNIFORM);
        EXPECT_EQ_INT(moved(&s), 0);
        arena_fini(&s.arena);
    }
    end();
}

TEST(range_gives_the_same_ranges_of_all_topics)
{
    begin();
    for (int round = 0; round < 500; round++) {
        struct scene s;
        make_scene(&s, world_below(&w, 2));
        run(&s, ASSIGNOR_RANGE);
        EXPECT(is_whole(&s));
        arena_fini(&s.arena);
    }
    struct scene s = {.members_count = 3, .topics_count = 2, .partitions = {4, 4}};
    static const char *ids[] = {"b", "a", "c"};
    for (uint32_t i = 0; i < 3; i++) {
        s.members[i] = (struct assign_member){.id = str_of(ids[i]), .topics = s.topics[i], .topics_count = 2};
        s.topics[i][1] = 1;
    }
    s.members[2].instance = STR("z"); /* static members come first */
    run(&s, ASSIGNOR_RANGE);
    EXPECT_EQ_INT(s.members[2].after.n, 4);
    EXPECT_EQ_INT(s.members[2].after.p[1].partition, 1);
    EXPECT_EQ_INT(s.members[1].after.n, 2);
    EXPECT_EQ_INT(s.members[1].after.p[0].partition, 2);
    EXPECT_EQ_INT(s.members[0].after.p[1].partition, 3);
    arena_fini(&s.arena);
    end();
}

int main(void)
{
    RUN(one_member_gets_everything);
    RUN(a_second_member_waits_until_the_first_has_given_back);
    RUN(who_does_not_give_back_in_time_is_removed);
    RUN(epochs_are_checked);
    RUN(requests_are_checked);
    RUN(members_leave_and_are_not_heard_of);
    RUN(a_static_member_keeps_its_partitions);
    RUN(a_removal_that_cannot_be_written_is_tried_again);
    RUN(nothing_is_told_before_it_is_durable);
    RUN(topics_that_change_are_noticed);
    RUN(a_subscription_changes);
    RUN(expressions_are_resolved);
    RUN(commits_of_members_are_checked);
    RUN(the_two_protocols_do_not_mix);
    RUN(an_administrator_removes_members);
    RUN(uniform_is_even_and_moves_no_more_than_it_must);
    RUN(uniform_levels_each_topic_where_subscriptions_differ);
    RUN(range_gives_the_same_ranges_of_all_topics);
    return test_end();
}

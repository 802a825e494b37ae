/* Classic groups and offsets, as stories: requests go in as text, answers come out as text. The world is tests/ref/group_world.h. */
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

/* A JoinGroup of version 5 with the protocol "range" (or another) and a subscription to "t". */
static struct world_call *join_as(const char *group, const char *id, const char *instance,
                                  const char *protocols)
{
    return world_send(&w, "JoinGroup", 5,
                      "GroupId: %s, SessionTimeoutMs: 10000, RebalanceTimeoutMs: 60000, MemberId: \"%s\", "
                      "GroupInstanceId: %s, ProtocolType: consumer, Protocols: [%s]",
                      group, id, instance, protocols);
}

#define RANGE "{Name: range, Metadata: 0x00000000000100017400000000}"
#define RANGE_2 "{Name: range, Metadata: 0x00000000000100017500000000}"
#define STICKY "{Name: sticky, Metadata: 0x00000000000100017400000000}"

static struct world_call *join(const char *group, const char *id)
{
    return join_as(group, id, "null", RANGE);
}

/* A dynamic member's id, got with MEMBER_ID_REQUIRED. */
static const char *new_id(const char *group)
{
    struct world_call *call = join(group, "");
    HAS(world_answer(call), "ErrorCode: MEMBER_ID_REQUIRED");
    return world_field(&w, world_answer(call), "MemberId", 0);
}

static const char *sync_as(const char *group, int generation, const char *id, const char *assignments)
{
    return world_ask(&w, "SyncGroup", 3, "GroupId: %s, GenerationId: %d, MemberId: \"%s\", Assignments: [%s]",
                     group, generation, id, assignments);
}

static const char *heartbeat(const char *group, int generation, const char *id)
{
    return world_ask(&w, "Heartbeat", 3, "GroupId: %s, GenerationId: %d, MemberId: \"%s\"", group, generation,
                     id);
}

static const char *commit(const char *group, int generation, const char *id, int partition, int offset)
{
    return world_ask(
        &w, "OffsetCommit", 7,
        "GroupId: %s, GenerationIdOrMemberEpoch: %d, MemberId: \"%s\", Topics: [{Name: t, Partitions: "
        "[{PartitionIndex: %d, CommittedOffset: %d, CommittedMetadata: m}]}]",
        group, generation, id, partition, offset);
}

static const char *fetch(const char *group, const char *topic, int partition)
{
    return world_ask(&w, "OffsetFetch", 7,
                     "GroupId: %s, Topics: [{Name: %s, PartitionIndexes: [%d]}], RequireStable: true", group,
                     topic, partition);
}

static const char *state_of(const char *group)
{
    return world_field(&w, world_ask(&w, "DescribeGroups", 5, "Groups: [%s]", group), "GroupState", 0);
}

/* A group "g" in generation 1, STABLE, of two members whose ids are given. */
static void make_pair(const char **leader, const char **follower)
{
    *leader = new_id("g");
    *follower = new_id("g");
    struct world_call *a = join("g", *leader), *b = join("g", *follower);
    EXPECT_STR(world_answer(a), "");
    world_advance(&w, 3000); /* b came after a: waits once more */
    world_advance(&w, 3000);
    HAS(world_answer(a), "GenerationId: 1");
    HAS(world_answer(b), "GenerationId: 1");
    EXPECT_STR(world_field(&w, world_answer(b), "Leader", 0), *leader);
    HAS(world_answer(b), "Members: []");
    struct world_call *waits = world_send(&w, "SyncGroup", 3, "GroupId: g, GenerationId: 1, MemberId: \"%s\"",
                                          *follower);
    EXPECT_STR(world_answer(waits), "");
    char assignments[512];
    snprintf(assignments, sizeof assignments,
             "{MemberId: \"%s\", Assignment: 0xaa}, {MemberId: \"%s\", Assignment: 0xbb}", *leader,
             *follower);
    HAS(sync_as("g", 1, *leader, assignments), "Assignment: 0xaa");
    HAS(world_answer(waits), "Assignment: 0xbb");
    EXPECT_STR(state_of("g"), "Stable");
}

/* ---- classic -------------------------------------------------------------------------------------------------- */

TEST(a_group_forms_and_is_written)
{
    begin();
    const char *a, *b;
    make_pair(&a, &b);
    HAS(heartbeat("g", 1, a), "ErrorCode: NONE");
    HAS(heartbeat("g", 0, a), "ErrorCode: ILLEGAL_GENERATION");
    HAS(heartbeat("g", 1, "nobody"), "ErrorCode: UNKNOWN_MEMBER_ID");
    HAS(heartbeat("other", 1, a), "ErrorCode: UNKNOWN_MEMBER_ID");
    world_restart(&w, 0); /* what was durable is there again, and the members go on */
    EXPECT_STR(state_of("g"), "Stable");
    HAS(heartbeat("g", 1, a), "ErrorCode: NONE");
    HAS(sync_as("g", 1, b, ""), "Assignment: 0xbb");
    end();
}

TEST(joins_are_checked_in_kafkas_order)
{
    begin();
    HAS(world_ask(&w, "JoinGroup", 5, "GroupId: \"\", SessionTimeoutMs: 1"), "ErrorCode: INVALID_GROUP_ID");
    HAS(world_ask(&w, "JoinGroup", 5, "GroupId: g, SessionTimeoutMs: 5999"),
        "ErrorCode: INVALID_SESSION_TIMEOUT");
    HAS(world_ask(&w, "JoinGroup", 5, "GroupId: g, SessionTimeoutMs: 10000, MemberId: x"),
        "ErrorCode: UNKNOWN_MEMBER_ID");
    HAS(world_ask(&w, "JoinGroup", 5, "GroupId: g, SessionTimeoutMs: 10000"),
        "ErrorCode: INCONSISTENT_GROUP_PROTOCOL");
    EXPECT_STR(state_of("g"), "Dead"); /* none of them left a group behind */
    const char *a, *b;
    make_pair(&a, &b);
    HAS(world_ask(&w, "JoinGroup", 5,
                  "GroupId: g, SessionTimeoutMs: 10000, ProtocolType: connect, Protocols: [" RANGE "]"),
        "ErrorCode: INCONSISTENT_GROUP_PROTOCOL");
    HAS(world_answer(join_as("g", "", "null", STICKY)), "ErrorCode: INCONSISTENT_GROUP_PROTOCOL");
    HAS(world_answer(join("g", "unknown")), "ErrorCode: UNKNOWN_MEMBER_ID");
    end();
}

TEST(old_clients_join_without_an_id)
{
    begin();
    w.config.initial_rebalance_delay_ms = 0;
    world_restart(&w, 0);
    struct world_call *call = world_send(
        &w, "JoinGroup", 0,
        "GroupId: g, SessionTimeoutMs: 10000, ProtocolType: consumer, Protocols: [" RANGE "]");
    world_advance(&w, 0);
    HAS(world_answer(call), "ErrorCode: NONE, GenerationId: 1, ProtocolName: \"range\"");
    end();
}

TEST(the_protocol_most_want_is_chosen)
{
    begin();
    struct world_call *a = join_as("g", "", "i1", STICKY ", " RANGE);
    struct world_call *b = join_as("g", "", "i2", RANGE ", " STICKY);
    struct world_call *c = join_as("g", "", "i3", "{Name: odd}, " RANGE ", " STICKY);
    world_advance(&w, 6000);
    HAS(world_answer(a), "ProtocolName: \"range\"");
    HAS(world_answer(b), "ProtocolName: \"range\"");
    HAS(world_answer(c), "ProtocolName: \"range\"");
    end();
}

TEST(the_first_rebalance_waits_for_others)
{
    begin();
    struct world_call *a = join("g", new_id("g"));
    const char *late = NULL;
    for (int i = 0; i < 2; i++) { /* each newcomer lets it wait again */
        world_advance(&w, 2999);
        late = new_id("g");
        join("g", late);
        EXPECT_STR(world_answer(a), "");
        world_advance(&w, 1);
    }
    EXPECT_STR(world_answer(a), "");
    world_advance(&w, 3000);
    HAS(world_answer(a), "GenerationId: 1");
    end();
}

TEST(a_new_member_makes_the_others_join_again)
{
    begin();
    const char *a, *b, *c = NULL;
    make_pair(&a, &b);
    c = new_id("g");
    EXPECT_STR(state_of("g"), "Stable"); /* an id that is not used yet changes nothing */
    struct world_call *joins = join("g", c);
    EXPECT_STR(world_answer(joins), "");
    HAS(heartbeat("g", 1, a), "ErrorCode: REBALANCE_IN_PROGRESS");
    HAS(sync_as("g", 1, a, ""), "ErrorCode: REBALANCE_IN_PROGRESS");
    HAS(commit("g", 1, b, 0, 5), "ErrorCode: NONE"); /* what the old generation has read still counts */
    struct world_call *ja = join("g", a), *jb = join("g", b);
    HAS(world_answer(joins), "GenerationId: 2");
    HAS(world_answer(ja), "GenerationId: 2");
    HAS(world_answer(jb), "GenerationId: 2");
    EXPECT_STR(world_field(&w, world_answer(jb), "Leader", 0), a);
    HAS(commit("g", 2, b, 0, 6), "ErrorCode: REBALANCE_IN_PROGRESS");
    HAS(commit("g", 1, b, 0, 6), "ErrorCode: ILLEGAL_GENERATION");
    end();
}

TEST(who_does_not_come_back_is_removed)
{
    begin();
    const char *a, *b;
    make_pair(&a, &b);
    struct world_call *ja = join("g",
                                 a); /* the leader begins a rebalance; b does not come, but is heard of */
    for (int i = 0; i < 12; i++) {
        EXPECT_STR(world_answer(ja), "");
        world_advance(&w, 5000);
        heartbeat("g", 1, b);
    }
    HAS(world_answer(ja), "GenerationId: 2");
    HAS(heartbeat("g", 2, b), "ErrorCode: UNKNOWN_MEMBER_ID");
    end();
}

TEST(a_follower_with_nothing_new_is_told_what_it_knows)
{
    begin();
    const char *a, *b;
    make_pair(&a, &b);
    HAS(world_answer(join("g", b)), "GenerationId: 1");
    EXPECT_STR(state_of("g"), "Stable");
    EXPECT_STR(world_answer(join_as("g", b, "null", RANGE_2)), "");
    EXPECT_STR(state_of("g"), "PreparingRebalance");
    end();
}

TEST(the_leaders_rejoin_in_completing_is_answered_again)
{
    begin();
    const char *a = new_id("g");
    struct world_call *first = join("g", a);
    world_advance(&w, 3000);
    HAS(world_answer(first), "GenerationId: 1");
    HAS(world_answer(join("g", a)), "GenerationId: 1"); /* it did not hear the first */
    EXPECT_STR(state_of("g"), "CompletingRebalance");
    HAS(world_answer(join_as("g", a, "null", RANGE_2)), "GenerationId: 2"); /* it wants something else now */
    end();
}

TEST(a_member_that_is_not_heard_of_goes)
{
    begin();
    const char *a, *b;
    make_pair(&a, &b);
    world_advance(&w, 9000);
    heartbeat("g", 1, a);
    world_advance(&w, 1000); /* b's session of 10 s ends */
    HAS(heartbeat("g", 1, a), "ErrorCode: REBALANCE_IN_PROGRESS");
    HAS(heartbeat("g", 1, b), "ErrorCode: UNKNOWN_MEMBER_ID");
    HAS(world_answer(join("g", a)), "GenerationId: 2");
    end();
}

TEST(an_id_that_is_not_used_ends_with_its_session)
{
    begin();
    const char *a = new_id("g");
    world_advance(&w, 10000);
    HAS(world_answer(join("g", a)), "ErrorCode: UNKNOWN_MEMBER_ID");
    end();
}

TEST(who_joins_and_never_syncs_is_removed)
{
    begin();
    const char *a = new_id("g"), *b = new_id("g");
    struct world_call *ja = join("g", a);
    join("g", b);
    world_advance(&w, 6000);
    HAS(world_answer(ja), "GenerationId: 1");
    HAS(sync_as("g", 1, a, ""), "ErrorCode: NONE");
    for (int i = 0; i < 12; i++) {
        world_advance(&w, 5000);
        heartbeat("g", 1, a);
        heartbeat("g", 1, b);
    }
    HAS(heartbeat("g", 1, b), "ErrorCode: UNKNOWN_MEMBER_ID");
    HAS(heartbeat("g", 1, a), "ErrorCode: REBALANCE_IN_PROGRESS");
    end();
}

TEST(members_leave)
{
    begin();
    const char *a, *b;
    make_pair(&a, &b);
    HAS(world_ask(&w, "LeaveGroup", 1, "GroupId: g, MemberId: nobody"), "ErrorCode: UNKNOWN_MEMBER_ID");
    HAS(world_ask(&w, "LeaveGroup", 1, "GroupId: g, MemberId: \"%s\"", b), "ErrorCode: NONE");
    HAS(heartbeat("g", 1, a), "ErrorCode: REBALANCE_IN_PROGRESS");
    HAS(world_answer(join("g", a)), "GenerationId: 2");
    w.is_lazy = true;
    struct world_call *leaves = world_send(
        &w, "LeaveGroup", 3, "GroupId: g, Members: [{MemberId: \"%s\"}, {MemberId: x}, {GroupInstanceId: y}]",
        a);
    EXPECT_STR(world_answer(leaves), ""); /* the empty group is being written */
    world_confirm_all(&w);
    HAS(world_answer(leaves), "ErrorCode: NONE, Members: [{MemberId: \"");
    EXPECT_STR(world_field(&w, world_answer(leaves), "ErrorCode", 1), "NONE");
    EXPECT_STR(world_field(&w, world_answer(leaves), "ErrorCode", 2), "UNKNOWN_MEMBER_ID");
    EXPECT_STR(world_field(&w, world_answer(leaves), "ErrorCode", 3), "UNKNOWN_MEMBER_ID");
    EXPECT_STR(state_of("g"), "Empty");
    world_restart(&w, 0);
    EXPECT_STR(state_of("g"), "Empty");
    end();
}

TEST(a_static_member_comes_back_without_a_rebalance)
{
    begin();
    struct world_call *ja = join_as("g", "", "i1", RANGE), *jb = join_as("g", "", "i2", RANGE);
    world_advance(&w, 6000);
    const char *a = world_field(&w, world_answer(ja), "MemberId", 0),
               *b = world_field(&w, world_answer(jb), "MemberId", 0);
    char text[512];
    snprintf(text, sizeof text, "{MemberId: \"%s\", Assignment: 0x01}, {MemberId: \"%s\", Assignment: 0x02}",
             a, b);
    sync_as("g", 1, a, text);
    HAS(sync_as("g", 1, b, ""), "Assignment: 0x02");

    w.is_lazy = true;
    struct world_call *back = join_as("g", "", "i2", RANGE);
    EXPECT_STR(world_answer(back), ""); /* not before its new id is durable */
    struct world_call *beat = world_send(&w, "Heartbeat", 3, "GroupId: g, GenerationId: 1, MemberId: \"%s\"",
                                         a);
    EXPECT_STR(world_answer(beat), "");
    world_confirm_all(&w);
    w.is_lazy = false;
    HAS(world_answer(beat), "ErrorCode: NONE");
    HAS(world_answer(back), "GenerationId: 1");
    const char *c = world_field(&w, world_answer(back), "MemberId", 0);
    EXPECT(strcmp(b, c) != 0);
    HAS(sync_as("g", 1, c, ""), "Assignment: 0x02");
    HAS(world_ask(&w, "Heartbeat", 3, "GroupId: g, GenerationId: 1, MemberId: \"%s\", GroupInstanceId: i2",
                  b),
        "ErrorCode: FENCED_INSTANCE_ID");
    HAS(world_answer(join_as("g", b, "i2", RANGE)), "ErrorCode: FENCED_INSTANCE_ID");
    HAS(world_ask(
            &w, "OffsetCommit", 7,
            "GroupId: g, GenerationIdOrMemberEpoch: 1, MemberId: \"%s\", GroupInstanceId: i2, Topics: [{Name: t, "
            "Partitions: [{PartitionIndex: 0}]}]",
            b),
        "ErrorCode: FENCED_INSTANCE_ID");
    EXPECT_STR(state_of("g"), "Stable");
    world_restart(&w, 0);
    HAS(sync_as("g", 1, c, ""), "Assignment: 0x02");
    /* An old client's leader is told that another one leads. */
    struct world_call *leader = join_as("g", "", "i1", RANGE);
    EXPECT_STR(world_field(&w, world_answer(leader), "Leader", 0), a);
    HAS(world_answer(leader), "Members: []");
    /* A new one's is told that it leads, and need not assign. */
    leader = world_send(
        &w, "JoinGroup", 9,
        "GroupId: g, SessionTimeoutMs: 10000, RebalanceTimeoutMs: 60000, GroupInstanceId: i1, ProtocolType: "
        "consumer, Protocols: [" RANGE "]");
    HAS(world_answer(leader), "SkipAssignment: true");
    HAS(world_answer(leader), "GroupInstanceId: \"i2\"");
    end();
}

TEST(a_return_that_cannot_be_written_has_not_been)
{
    begin();
    struct world_call *ja = join_as("g", "", "i1", RANGE);
    world_advance(&w, 3000);
    const char *a = world_field(&w, world_answer(ja), "MemberId", 0);
    sync_as("g", 1, a, "");
    w.is_lazy = true;
    struct world_call *back = join_as("g", "", "i1", RANGE);
    world_confirm(&w, false);
    w.is_lazy = false;
    HAS(world_answer(back), "ErrorCode: COORDINATOR_NOT_AVAILABLE");
    HAS(heartbeat("g", 1, a), "ErrorCode: NONE"); /* by its old id, as after a restart */
    EXPECT(world_check(&w));
    back = join_as("g", "", "i1", RANGE);
    HAS(world_answer(back), "GenerationId: 1");
    HAS(heartbeat("g", 1, a), "ErrorCode: UNKNOWN_MEMBER_ID");
    end();
}

TEST(static_members_are_removed_by_instance)
{
    begin();
    join_as("g", "", "i1", RANGE);
    struct world_call *jb = join_as("g", "", "i2", RANGE);
    world_advance(&w, 6000);
    HAS(world_answer(jb), "GenerationId: 1");
    HAS(world_ask(&w, "LeaveGroup", 3, "GroupId: g, Members: [{GroupInstanceId: i2}]"),
        "ErrorCode: NONE, Members: [{");
    EXPECT_STR(state_of("g"), "PreparingRebalance");
    HAS(world_ask(&w, "LeaveGroup", 3, "GroupId: g, Members: [{GroupInstanceId: i1}]"), "ErrorCode: NONE");
    EXPECT_STR(state_of("g"), "Empty");
    end();
}

TEST(a_static_member_that_is_replaced_while_it_waits_is_fenced)
{
    begin();
    struct world_call *first = join_as("g", "", "i1", RANGE), *second = join_as("g", "", "i1", RANGE);
    HAS(world_answer(first), "ErrorCode: FENCED_INSTANCE_ID");
    world_advance(&w, 6000);
    HAS(world_answer(second), "GenerationId: 1");
    end();
}

TEST(an_assignment_that_cannot_be_written_begins_again)
{
    begin();
    const char *a = new_id("g");
    struct world_call *ja = join("g", a);
    world_advance(&w, 3000);
    HAS(world_answer(ja), "GenerationId: 1");
    w.is_lazy = true;
    struct world_call *sync = world_send(
        &w, "SyncGroup", 3,
        "GroupId: g, GenerationId: 1, MemberId: \"%s\", Assignments: [{MemberId: \"%s\", Assignment: 0x01}]",
        a, a);
    EXPECT_STR(world_answer(sync), "");
    EXPECT_STR(state_of("g"), "CompletingRebalance");
    world_confirm(&w, false);
    HAS(world_answer(sync), "ErrorCode: COORDINATOR_NOT_AVAILABLE");
    EXPECT_STR(state_of("g"), "PreparingRebalance");
    end();
}

TEST(a_group_takes_no_more_than_its_size)
{
    begin();
    w.config.group_size_max = 2;
    world_restart(&w, 0);
    const char *a, *b;
    make_pair(&a, &b);
    HAS(world_answer(join("g", "")), "ErrorCode: GROUP_MAX_SIZE_REACHED");
    HAS(world_answer(join_as("g", "", "i", RANGE)), "ErrorCode: GROUP_MAX_SIZE_REACHED");
    HAS(world_answer(join("g", b)), "GenerationId: 1");
    end();
}

TEST(a_connection_that_dies_leaves_its_member)
{
    begin();
    const char *a = new_id("g"), *b = new_id("g");
    struct world_call *ja = join("g", a), *jb = join("g", b);
    world_cancel(&w, ja);
    world_advance(&w, 6000);
    EXPECT_STR(world_field(&w, world_answer(jb), "Leader", 0), a);
    HAS(heartbeat("g", 1, a), "ErrorCode: NONE");
    end();
}

TEST(a_second_join_of_a_member_takes_the_place_of_the_first)
{
    begin();
    const char *a = new_id("g");
    struct world_call *first = join("g", a), *second = join("g", a);
    HAS(world_answer(first), "ErrorCode: REBALANCE_IN_PROGRESS");
    world_advance(&w, 3000);
    HAS(world_answer(second), "GenerationId: 1");
    end();
}

/* ---- offsets -------------------------------------------------------------------------------------------------- */

TEST(offsets_are_committed_and_fetched)
{
    begin();
    HAS(commit("g", -1, "", 1, 7), "ErrorCode: NONE"); /* a consumer without membership makes the group */
    HAS(fetch("g", "t", 1), "CommittedOffset: 7, CommittedLeaderEpoch: -1, Metadata: \"m\", ErrorCode: NONE");
    HAS(fetch("g", "t", 2), "CommittedOffset: -1, CommittedLeaderEpoch: -1, Metadata: \"\", ErrorCode: NONE");
    HAS(fetch("g", "nowhere", 2), "CommittedOffset: -1");
    HAS(fetch("none", "t", 1), "CommittedOffset: -1");
    world_restart(&w, 0);
    HAS(fetch("g", "t", 1), "CommittedOffset: 7");
    HAS(world_ask(&w, "OffsetFetch", 5, "GroupId: g, Topics: null"),
        "Topics: [{Name: \"t\", Partitions: [{PartitionIndex: 1, CommittedOffset: 7");
    HAS(world_ask(
            &w, "OffsetFetch", 8,
            "Groups: [{GroupId: g, Topics: null}, {GroupId: h, Topics: [{Name: t, PartitionIndexes: [0]}]}]"),
        "{GroupId: \"h\", Topics: [{Name: \"t\", Partitions: [{PartitionIndex: 0, CommittedOffset: -1");
    EXPECT_STR(state_of("g"), "Empty");
    end();
}

TEST(commits_are_checked)
{
    begin();
    HAS(commit("none", 3, "x", 0, 1), "ErrorCode: ILLEGAL_GENERATION");
    HAS(world_ask(
            &w, "OffsetCommit", 9,
            "GroupId: none, GenerationIdOrMemberEpoch: 3, MemberId: x, Topics: [{Name: t, Partitions: [{}]}]"),
        "ErrorCode: GROUP_ID_NOT_FOUND");
    HAS(world_ask(
            &w, "OffsetCommit", 7,
            "GroupId: g, Topics: [{Name: nowhere, Partitions: [{}]}, {Name: t, Partitions: [{PartitionIndex: 4}]}]"),
        "[{PartitionIndex: 4, ErrorCode: UNKNOWN_TOPIC_OR_PARTITION}]");
    EXPECT_STR(state_of("g"), "Dead");
    const char *a, *b;
    make_pair(&a, &b);
    HAS(commit("g", -1, "", 0, 1), "ErrorCode: UNKNOWN_MEMBER_ID");
    HAS(commit("g", 1, "x", 0, 1), "ErrorCode: UNKNOWN_MEMBER_ID");
    HAS(commit("g", 2, a, 0, 1), "ErrorCode: ILLEGAL_GENERATION");
    HAS(commit("g", 1, a, 0, 1), "ErrorCode: NONE");
    char *long_text = mem_new(4098);
    memset(long_text, 'x', 4097);
    HAS(world_ask(
            &w, "OffsetCommit", 7,
            "GroupId: h, Topics: [{Name: t, Partitions: [{CommittedMetadata: \"%s\"}, {PartitionIndex: 1, "
            "CommittedMetadata: \"%s\"}]}]",
            long_text, long_text + 1),
        "[{PartitionIndex: 0, ErrorCode: OFFSET_METADATA_TOO_LARGE}, {PartitionIndex: 1, ErrorCode: NONE}]");
    mem_free(long_text);
    end();
}

TEST(a_commit_counts_when_it_is_durable)
{
    begin();
    w.is_lazy = true;
    struct world_call *c = world_send(&w, "OffsetCommit", 7,
                                      "GroupId: g, Topics: [{Name: t, Partitions: [{CommittedOffset: 9}]}]");
    EXPECT_STR(world_answer(c), "");
    HAS(world_ask(&w, "OffsetFetch", 6, "GroupId: g, Topics: [{Name: t, PartitionIndexes: [0]}]"),
        "CommittedOffset: -1");
    struct world_call *f = world_send(
        &w, "OffsetFetch", 7, "GroupId: g, Topics: [{Name: t, PartitionIndexes: [0]}], RequireStable: true");
    EXPECT_STR(world_answer(f), ""); /* it sees what was under way before it */
    world_confirm(&w, true);
    HAS(world_answer(c), "ErrorCode: NONE");
    HAS(world_answer(f), "CommittedOffset: 9");
    c = world_send(&w, "OffsetCommit", 7,
                   "GroupId: g, Topics: [{Name: t, Partitions: [{CommittedOffset: 10}]}]");
    world_confirm(&w, false);
    HAS(world_answer(c), "ErrorCode: COORDINATOR_NOT_AVAILABLE");
    HAS(fetch("g", "t", 0), "CommittedOffset: 9");
    world_restart(&w, 0);
    HAS(fetch("g", "t", 0), "CommittedOffset: 9");
    end();
}

TEST(offsets_of_a_transaction_wait_for_its_end)
{
    begin();
    commit("g", -1, "", 0, 5);
#define TXN(pid, offset)                                                                                            \
    world_ask(                                                                                                      \
        &w, "TxnOffsetCommit", 3,                                                                                   \
        "TransactionalId: x, GroupId: g, ProducerId: %d, Topics: [{Name: t, Partitions: [{CommittedOffset: %d}]}]", \
        pid, offset)
    HAS(TXN(7, 6), "ErrorCode: NONE");
    HAS(fetch("g", "t", 0),
        "CommittedOffset: -1, CommittedLeaderEpoch: -1, Metadata: \"\", ErrorCode: UNSTABLE_OFFSET_COMMIT");
    HAS(world_ask(&w, "OffsetFetch", 6, "GroupId: g, Topics: [{Name: t, PartitionIndexes: [0]}]"),
        "CommittedOffset: 5");
    world_restart(&w, 0);
    HAS(fetch("g", "t", 0), "UNSTABLE_OFFSET_COMMIT");
    world_end_txn(&w, 7, false);
    HAS(fetch("g", "t", 0), "CommittedOffset: 5");
    TXN(7, 6);
    TXN(8, 7);
    world_end_txn(&w, 8, true); /* ends first, and was written later */
    world_end_txn(&w, 7, true);
    HAS(fetch("g", "t", 0), "CommittedOffset: 7");
    TXN(9, 8);
    commit("g", -1, "", 0, 9);
    world_end_txn(&w, 9, true);
    HAS(fetch("g", "t", 0), "CommittedOffset: 9");
    w.is_lazy =
        true; /* one that is not durable yet makes the offset unstable, too; one that fails does not */
    struct world_call *c = world_send(
        &w, "TxnOffsetCommit", 3,
        "TransactionalId: x, GroupId: g, ProducerId: 4, Topics: [{Name: t, Partitions: [{CommittedOffset: 12}]}]");
    struct world_call *f = world_send(
        &w, "OffsetFetch", 7, "GroupId: g, Topics: [{Name: t, PartitionIndexes: [0]}], RequireStable: true");
    world_confirm(&w, false);
    HAS(world_answer(c), "ErrorCode: COORDINATOR_NOT_AVAILABLE");
    HAS(world_answer(f), "CommittedOffset: 9");
    end();
}

TEST(a_transactions_commit_is_checked_when_it_says_who)
{
    begin();
    const char *a, *b;
    make_pair(&a, &b);
#define TXN_AS(generation, id)                                                                                     \
    world_ask(                                                                                                     \
        &w, "TxnOffsetCommit", 3,                                                                                  \
        "TransactionalId: x, GroupId: g, ProducerId: 1, GenerationIdOrMemberEpoch: %d, MemberId: \"%s\", Topics: " \
        "[{Name: t, Partitions: [{}]}]",                                                                           \
        generation, id)
    HAS(TXN_AS(-1, ""), "ErrorCode: NONE");
    HAS(TXN_AS(1, a), "ErrorCode: NONE");
    HAS(TXN_AS(0, a), "ErrorCode: ILLEGAL_GENERATION");
    HAS(TXN_AS(1, "x"), "ErrorCode: UNKNOWN_MEMBER_ID");
    HAS(world_ask(&w, "TxnOffsetCommit", 3,
                  "TransactionalId: x, GroupId: \"\", Topics: [{Name: t, Partitions: [{}]}]"),
        "ErrorCode: INVALID_GROUP_ID");
    HAS(world_ask(
            &w, "TxnOffsetCommit", 3,
            "TransactionalId: x, GroupId: h, GenerationIdOrMemberEpoch: 3, Topics: [{Name: t, Partitions: [{}]}]"),
        "ErrorCode: ILLEGAL_GENERATION");
    end();
}

TEST(offsets_are_deleted_where_nobody_reads)
{
    begin();
    HAS(world_ask(&w, "OffsetDelete", 0, "GroupId: g"), "ErrorCode: GROUP_ID_NOT_FOUND");
    commit("g", -1, "", 0, 5);
    world_ask(&w, "OffsetCommit", 7, "GroupId: g, Topics: [{Name: u, Partitions: [{CommittedOffset: 3}]}]");
    const char *a, *b;
    make_pair(&a, &b);
    const char *answer = world_ask(
        &w, "OffsetDelete", 0,
        "GroupId: g, Topics: [{Name: t, Partitions: [{}]}, {Name: u, Partitions: [{}, {PartitionIndex: 2}]}]");
    HAS(answer, "{Name: \"t\", Partitions: [{PartitionIndex: 0, ErrorCode: GROUP_SUBSCRIBED_TO_TOPIC}]}");
    HAS(answer,
        "{Name: \"u\", Partitions: [{PartitionIndex: 0, ErrorCode: NONE}, {PartitionIndex: 2, ErrorCode: UNKNOWN_TOPIC_OR_PARTITION}]}");
    HAS(fetch("g", "u", 0), "CommittedOffset: -1");
    HAS(fetch("g", "t", 0), "CommittedOffset: 5");
    world_restart(&w, 0);
    HAS(fetch("g", "u", 0), "CommittedOffset: -1");
    end();
}

TEST(groups_are_deleted_when_nobody_is_in_them)
{
    begin();
    const char *a, *b;
    make_pair(&a, &b);
    commit("g", 1, a, 0, 5);
    commit("h", -1, "", 0, 5);
    const char *answer = world_ask(&w, "DeleteGroups", 2, "GroupsNames: [g, h, i]");
    HAS(answer, "{GroupId: \"g\", ErrorCode: NON_EMPTY_GROUP}");
    HAS(answer, "{GroupId: \"h\", ErrorCode: NONE}");
    HAS(answer, "{GroupId: \"i\", ErrorCode: GROUP_ID_NOT_FOUND}");
    HAS(fetch("h", "t", 0), "CommittedOffset: -1");
    EXPECT_STR(state_of("h"), "Dead");
    HAS(world_ask(&w, "DescribeGroups", 6, "Groups: [h]"),
        "ErrorCode: GROUP_ID_NOT_FOUND, ErrorMessage: \"Group h not found.\"");
    world_restart(&w, 0);
    EXPECT_STR(state_of("h"), "Dead");
    end();
}

TEST(offsets_expire_when_nobody_uses_them)
{
    begin();
    w.config.offsets_retention_ms = 3600000;
    world_restart(&w, 0);
    const char *a, *b;
    make_pair(&a, &b);
    commit("g", 1, a, 0, 5);
    commit("h", -1, "", 0, 5);
    world_ask(&w, "OffsetCommit", 4,
              "GroupId: k, RetentionTimeMs: 1000, Topics: [{Name: t, Partitions: [{CommittedOffset: 1}]}]");
    world_restart(&w, 0);
    for (int i = 0; i < 800; i++) {
        world_advance(&w, 5000);
        heartbeat("g", 1, a);
        heartbeat("g", 1, b);
        if (i == 130) { /* a look after 600 s: the one that asked for less is gone */
            EXPECT_STR(state_of("k"), "Dead");
            EXPECT_STR(state_of("h"), "Empty");
        }
    }
    EXPECT_STR(state_of("h"), "Dead");
    HAS(fetch("g", "t", 0), "CommittedOffset: 5"); /* it is read */
    world_ask(&w, "LeaveGroup", 3, "GroupId: g, Members: [{MemberId: \"%s\"}, {MemberId: \"%s\"}]", a, b);
    world_advance(&w, 3000000);
    HAS(fetch("g", "t", 0), "CommittedOffset: 5"); /* since it became empty */
    world_advance(&w, 1300000);
    EXPECT_STR(state_of("g"), "Dead");
    world_restart(&w, 0);
    EXPECT_STR(state_of("g"), "Dead");
    end();
}

TEST(offsets_go_with_their_topic)
{
    begin();
    commit("g", -1, "", 0, 5);
    world_topic_gone(&w, "t");
    world_topic(&w, "t", 4);
    HAS(fetch("g", "t", 0), "CommittedOffset: -1");
    end();
}

TEST(offsets_by_topic_id)
{
    begin();
    commit("g", -1, "", 1, 5);
    char id[33];
    hex_encode(id, w.topics[0].id.b, 16);
    const char *all = world_ask(&w, "OffsetFetch", 10, "Groups: [{GroupId: g, Topics: null}]");
    HAS(all, "CommittedOffset: 5");
    const char *uuid = world_field(&w, all, "TopicId", 0);
    HAS(world_ask(
            &w, "OffsetCommit", 10,
            "GroupId: g, Topics: [{TopicId: %s, Partitions: [{PartitionIndex: 2, CommittedOffset: 8}]}]",
            uuid),
        "ErrorCode: NONE");
    HAS(world_ask(&w, "OffsetFetch", 10,
                  "Groups: [{GroupId: g, Topics: [{TopicId: %s, PartitionIndexes: [2]}]}]", uuid),
        "CommittedOffset: 8");
    HAS(world_ask(&w, "OffsetCommit", 10,
                  "GroupId: g, Topics: [{TopicId: AAAAAAAAAAAAAAAAAAAAAg, Partitions: [{}]}]"),
        "ErrorCode: UNKNOWN_TOPIC_ID");
    HAS(world_ask(
            &w, "OffsetFetch", 10,
            "Groups: [{GroupId: g, Topics: [{TopicId: AAAAAAAAAAAAAAAAAAAAAg, PartitionIndexes: [2]}]}]"),
        "CommittedOffset: -1, CommittedLeaderEpoch: -1, Metadata: \"\", ErrorCode: UNKNOWN_TOPIC_ID");
    end();
}

TEST(what_was_being_committed_is_deleted_too)
{
    begin();
    for (int i = 0; i < 2; i++) {
        w.is_lazy = true;
        world_send(&w, "OffsetCommit", 7,
                   "GroupId: g, Topics: [{Name: t, Partitions: [{CommittedOffset: 9}]}]");
        struct world_call *gone = i == 0 ? world_send(&w, "DeleteGroups", 2, "GroupsNames: [g]")
                                         : world_send(&w, "OffsetDelete", 0,
                                                      "GroupId: g, Topics: [{Name: t, Partitions: [{}]}]");
        world_confirm_all(&w);
        w.is_lazy = false;
        HAS(world_answer(gone), "ErrorCode: NONE");
        HAS(fetch("g", "t", 0), "CommittedOffset: -1");
        EXPECT_STR(state_of("g"), "Dead");
    }
    end();
}

TEST(a_refusal_may_come_out_of_order)
{
    begin();
    w.is_lazy = true;
    struct world_call *calls[3];
    for (int i = 0; i < 3; i++)
        calls[i] = world_send(&w, "OffsetCommit", 7,
                              "GroupId: g, Topics: [{Name: t, Partitions: [{CommittedOffset: %d}]}]", i + 1);
    groups_persisted(w.groups, w.writes[1].token, false, world_time(&w)); /* there was no room for it */
    HAS(world_answer(calls[1]), "ErrorCode: COORDINATOR_NOT_AVAILABLE");
    EXPECT_STR(world_answer(calls[0]), "");
    groups_persisted(w.groups, w.writes[0].token, true, world_time(&w));
    groups_persisted(w.groups, w.writes[2].token, true, world_time(&w));
    HAS(world_answer(calls[0]), "ErrorCode: NONE");
    HAS(world_answer(calls[2]), "ErrorCode: NONE");
    HAS(world_ask(&w, "OffsetFetch", 6, "GroupId: g, Topics: [{Name: t, PartitionIndexes: [0]}]"),
        "CommittedOffset: 3");
    world_fini(&w);
}

static void add_offset(void *arg, struct str group, struct str topic, int32_t partition, int64_t offset)
{
    int64_t *sum = arg;
    *sum += offset + partition + (int64_t)(group.n + topic.n);
}

TEST(groups_are_counted)
{
    begin();
    const char *a, *b;
    make_pair(&a, &b);
    commit("h", -1, "", 3, 100);
    struct groups_stats stats;
    groups_stats(w.groups, &stats);
    EXPECT_EQ_INT(stats.classic_stable, 1);
    EXPECT_EQ_INT(stats.classic_empty, 1);
    EXPECT_EQ_INT(stats.members, 2);
    EXPECT_EQ_INT(stats.offsets, 1);
    EXPECT_EQ_INT(stats.rebalances, 1);
    int64_t sum = 0;
    groups_each_offset(w.groups, add_offset, &sum);
    EXPECT_EQ_INT(sum, 100 + 3 + 2);
    struct mono_time at;
    EXPECT(groups_next_deadline(w.groups, &at));
    EXPECT(at.ns / NS_PER_MS <= w.now_ms + 10000);
    end();
}

TEST(an_id_that_is_not_used_yet_can_leave)
{
    begin();
    const char *a = new_id("g");
    HAS(world_ask(&w, "LeaveGroup", 3, "GroupId: g, Members: [{MemberId: \"%s\"}]", a),
        "ErrorCode: NONE, Members: [{");
    EXPECT_STR(state_of("g"), "Dead"); /* nothing is left of it */
    end();
}

/* ---- the rest ------------------------------------------------------------------------------------------------- */

TEST(groups_are_listed)
{
    begin();
    const char *a, *b;
    make_pair(&a, &b);
    commit("h", -1, "", 0, 5);
    const char *all = world_ask(&w, "ListGroups", 5, "%s", "");
    HAS(all, "{GroupId: \"g\", ProtocolType: \"consumer\", GroupState: \"Stable\", GroupType: \"classic\"}");
    HAS(all, "{GroupId: \"h\", ProtocolType: \"\", GroupState: \"Empty\", GroupType: \"classic\"}");
    const char *stable = world_ask(&w, "ListGroups", 4, "StatesFilter: [stable]");
    HAS(stable, "\"g\"");
    EXPECT(strstr(stable, "\"h\"") == NULL);
    HAS(world_ask(&w, "ListGroups", 5, "TypesFilter: [consumer]"), "Groups: []");
    HAS(world_ask(&w, "DescribeGroups", 5, "Groups: [g]"), "MemberAssignment: 0xbb");
    end();
}

TEST(calls_wait_for_loading)
{
    begin();
    groups_free(w.groups);
    w.groups = groups_new(&w.config, &world_slots, &w);
    HAS(fetch("g", "t", 0), "ErrorCode: COORDINATOR_LOAD_IN_PROGRESS");
    HAS(heartbeat("g", 0, "x"), "ErrorCode: NONE");
    HAS(commit("g", -1, "", 0, 1), "ErrorCode: COORDINATOR_LOAD_IN_PROGRESS");
    HAS(world_ask(&w, "OffsetFetch", 1, "GroupId: g, Topics: [{Name: t, PartitionIndexes: [0]}]"),
        "ErrorCode: COORDINATOR_LOAD_IN_PROGRESS");
    world_restart(&w, 0);
    end();
}

TEST(partitions_are_kafkas)
{
    begin(); /* by java.lang.String.hashCode: "console-consumer-1".hashCode() and others */
    EXPECT_EQ_INT(groups_partition_of(w.groups, STR("")), 0);
    EXPECT_EQ_INT(groups_partition_of(w.groups, STR("a")), 97 % 50);
    EXPECT_EQ_INT(groups_partition_of(w.groups, STR("group")), 98629247 % 50);
    EXPECT_EQ_INT(groups_partition_of(w.groups, STR("polygenelubricants")), 0); /* Integer.MIN_VALUE */
    end();
}

int main(void)
{
    RUN(a_group_forms_and_is_written);
    RUN(joins_are_checked_in_kafkas_order);
    RUN(old_clients_join_without_an_id);
    RUN(the_protocol_most_want_is_chosen);
    RUN(the_first_rebalance_waits_for_others);
    RUN(a_new_member_makes_the_others_join_again);
    RUN(who_does_not_come_back_is_removed);
    RUN(a_follower_with_nothing_new_is_told_what_it_knows);
    RUN(the_leaders_rejoin_in_completing_is_answered_again);
    RUN(a_member_that_is_not_heard_of_goes);
    RUN(an_id_that_is_not_used_ends_with_its_session);
    RUN(who_joins_and_never_syncs_is_removed);
    RUN(members_leave);
    RUN(a_static_member_comes_back_without_a_rebalance);
    RUN(a_return_that_cannot_be_written_has_not_been);
    RUN(static_members_are_removed_by_instance);
    RUN(a_static_member_that_is_replaced_while_it_waits_is_fenced);
    RUN(an_assignment_that_cannot_be_written_begins_again);
    RUN(a_group_takes_no_more_than_its_size);
    RUN(a_connection_that_dies_leaves_its_member);
    RUN(a_second_join_of_a_member_takes_the_place_of_the_first);
    RUN(offsets_are_committed_and_fetched);
    RUN(commits_are_checked);
    RUN(a_commit_counts_when_it_is_durable);
    RUN(offsets_of_a_transaction_wait_for_its_end);
    RUN(a_transactions_commit_is_checked_when_it_says_who);
    RUN(offsets_are_deleted_where_nobody_reads);
    RUN(groups_are_deleted_when_nobody_is_in_them);
    RUN(offsets_expire_when_nobody_uses_them);
    RUN(offsets_go_with_their_topic);
    RUN(offsets_by_topic_id);
    RUN(what_was_being_committed_is_deleted_too);
    RUN(a_refusal_may_come_out_of_order);
    RUN(groups_are_counted);
    RUN(an_id_that_is_not_used_yet_can_leave);
    RUN(groups_are_listed);
    RUN(calls_wait_for_loading);
    RUN(partitions_are_kafkas);
    return test_end();
}

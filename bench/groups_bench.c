/* What the group coordinator costs: ns for a heartbeat and a commit in each protocol, what a thousand members take to join, and bytes for a
 * member and for a committed offset. Writes are confirmed at once: only the coordinator is measured, not a disk. */
#include <stdio.h>
#include <stdlib.h>

#include "bench.h"
#include "broker/groups.h"

enum { CALLS = 20000, ROUNDS = 15, MEMBERS = 1000, PARTITIONS = 5000, OFFSETS = 300000, GROUPS = 3000 };

static struct groups *groups;
static uint64_t tokens[16];
static int tokens_count, replies;
static char last_id[128];
static int32_t last_epoch;

static void on_reply(void *arg, struct groups_call *call, const void *response)
{
    replies++;
    if (call->api == KAFKA_API_CONSUMER_GROUP_HEARTBEAT)
        last_epoch = ((const struct kafka_consumer_group_heartbeat_response *)response)->member_epoch;
    if (call->api == KAFKA_API_JOIN_GROUP)
        snprintf(last_id, sizeof last_id, "%.*s",
                 STR_ARG(((const struct kafka_join_group_response *)response)->member_id));
}

static void on_persist(void *arg, const struct groups_write *write)
{
    tokens[tokens_count++] = write->token;
}

static bool on_topic(void *arg, struct str name, struct groups_topic *topic)
{
    *topic = (struct groups_topic){.name = name, .id = {{1, (uint8_t)name.p[0]}}, .partitions = PARTITIONS};
    return true;
}

static bool on_topic_id(void *arg, const struct kafka_uuid *id, struct groups_topic *topic)
{
    return on_topic(arg, STR("t"), topic);
}

static bool on_next(void *arg, size_t *at, struct groups_topic *topic)
{
    return (*at)++ == 0 && on_topic(arg, STR("t"), topic);
}

static void on_random(void *arg, void *out, size_t n)
{
    for (size_t i = 0; i < n; i++)
        ((uint8_t *)out)[i] = (uint8_t)rand();
}

static struct groups_time now = {.mono = {1000000000}, .wall = {INT64_C(1700000000000000)}};

static void serve(int16_t api, int16_t version, const void *request)
{
    struct groups_call call = {.api = api,
                               .version = version,
                               .client_id = STR("bench"),
                               .client_host = STR("/127.0.0.1"),
                               .request = request};
    int before = replies;
    groups_serve(groups, &call, now);
    while (tokens_count)
        groups_persisted(groups, tokens[--tokens_count], true, now);
    if (replies == before)
        groups_cancel(groups, &call); /* it is parked */
}

static void measure(const char *what, int16_t api, int16_t version, const void *request)
{
    double best = 1e18;
    for (int round = 0; round < ROUNDS; round++) {
        double start = bench_now_ns();
        for (int i = 0; i < CALLS; i++)
            serve(api, version, request);
        double took = (bench_now_ns() - start) / CALLS;
        best = took < best ? took : best;
    }
    printf("%-52s %8.0f ns\n", what, best);
}

static void begin(void)
{
    static const struct groups_slots slots = {.reply = on_reply,
                                              .persist = on_persist,
                                              .topic_by_name = on_topic,
                                              .topic_by_id = on_topic_id,
                                              .topic_next = on_next,
                                              .random = on_random};
    groups_free(groups);
    groups = groups_new(&groups_config_default, &slots, NULL);
    groups_loaded(groups, now);
}

static struct kafka_offset_commit_request commit_of(struct str group, struct str member, int32_t epoch,
                                                    int32_t partition)
{
    static struct kafka_offset_commit_request_partition part;
    static struct kafka_offset_commit_request_topic topic;
    part = (struct kafka_offset_commit_request_partition){.partition_index = partition,
                                                          .committed_offset = 5};
    topic = (struct kafka_offset_commit_request_topic){
        .name = STR("t"), .partitions = &part, .partitions_count = 1};
    return (struct kafka_offset_commit_request){.group_id = group,
                                                .member_id = member,
                                                .generation_id_or_member_epoch = epoch,
                                                .retention_time_ms = -1,
                                                .topics = &topic,
                                                .topics_count = 1};
}

static void classic(void)
{
    begin();
    size_t before = mem_in_use();
    static char ids[MEMBERS][128];
    struct kafka_join_group_request_protocol protocol = {STR("range"),
                                                         str_n("\0\0\0\0\0\1\0\1t\0\0\0\0", 13)};
    struct kafka_join_group_request join = {.group_id = STR("g"),
                                            .session_timeout_ms = 45000,
                                            .rebalance_timeout_ms = 300000,
                                            .protocol_type = STR("consumer"),
                                            .protocols = &protocol,
                                            .protocols_count = 1};
    double start = bench_now_ns();
    for (int i = 0; i < MEMBERS; i++) {
        join.member_id = (struct str){0};
        serve(KAFKA_API_JOIN_GROUP, 9, &join);
        memcpy(ids[i], last_id, sizeof last_id);
        join.member_id = str_of(ids[i]);
        serve(KAFKA_API_JOIN_GROUP, 9, &join);
    }
    for (int i = 0; i < 3; i++) { /* the first rebalance waits for others */
        now.mono.ns += 3000 * NS_PER_MS;
        groups_tick(groups, now);
    }
    static struct kafka_sync_group_request_assignment assignments[MEMBERS];
    for (int i = 0; i < MEMBERS; i++)
        assignments[i] = (struct kafka_sync_group_request_assignment){
            str_of(ids[i]), str_n("0123456789012345678901234567890123456789", 40)};
    struct kafka_sync_group_request sync = {.group_id = STR("g"), .generation_id = 1};
    for (int i = MEMBERS; i-- > 0;) {
        sync.member_id = str_of(ids[i]);
        sync.assignments = assignments;
        sync.assignments_count = i == 0 ? MEMBERS : 0;
        serve(KAFKA_API_SYNC_GROUP, 5, &sync);
    }
    double took = bench_now_ns() - start;
    struct kafka_heartbeat_request beat = {
        .group_id = STR("g"), .generation_id = 1, .member_id = str_of(ids[MEMBERS / 2])};
    measure("classic: heartbeat", KAFKA_API_HEARTBEAT, 4, &beat);
    struct kafka_offset_commit_request commit = commit_of(STR("g"), str_of(ids[7]), 1, 3);
    measure("classic: commit of one offset, written", KAFKA_API_OFFSET_COMMIT, 9, &commit);
    printf("%-52s %8.1f ms\n", "classic: 1,000 members join and sync", took / 1e6);
    printf("%-52s %8zu\n", "classic: bytes for a member", (mem_in_use() - before) / MEMBERS);
}

static void consumer(void)
{
    begin();
    static char ids[MEMBERS][32];
    static int32_t epochs[MEMBERS];
    size_t before = mem_in_use();
    struct str name = STR("t");
    struct kafka_consumer_group_heartbeat_request_topic none = {0};
    double start = bench_now_ns();
    for (int i = 0; i < MEMBERS; i++) {
        snprintf(ids[i], sizeof ids[i], "aaaaaaaaaaaaaaaaaa%04d", i);
        struct kafka_consumer_group_heartbeat_request join = {.group_id = STR("g"),
                                                              .member_id = str_of(ids[i]),
                                                              .rebalance_timeout_ms = 300000,
                                                              .subscribed_topic_names = &name,
                                                              .subscribed_topic_names_count = 1,
                                                              .topic_partitions = &none};
        serve(KAFKA_API_CONSUMER_GROUP_HEARTBEAT, 1, &join);
        epochs[i] = last_epoch;
    }
    double joined = bench_now_ns();
    for (int round = 0; round < 3; round++)
        for (int i = 0; i < MEMBERS; i++) { /* everybody gives back all that it has, and gets its share */
            struct kafka_consumer_group_heartbeat_request beat = {.group_id = STR("g"),
                                                                  .member_id = str_of(ids[i]),
                                                                  .member_epoch = epochs[i],
                                                                  .rebalance_timeout_ms = -1,
                                                                  .topic_partitions = &none};
            serve(KAFKA_API_CONSUMER_GROUP_HEARTBEAT, 1, &beat);
            epochs[i] = last_epoch;
        }
    double settled = bench_now_ns();
    struct kafka_consumer_group_heartbeat_request idle = {.group_id = STR("g"),
                                                          .member_id = str_of(ids[500]),
                                                          .member_epoch = epochs[500],
                                                          .rebalance_timeout_ms = -1};
    measure("consumer: heartbeat with nothing new", KAFKA_API_CONSUMER_GROUP_HEARTBEAT, 1, &idle);
    struct kafka_offset_commit_request commit = commit_of(STR("g"), str_of(ids[500]), epochs[500], 3);
    measure("consumer: commit of one offset, written", KAFKA_API_OFFSET_COMMIT, 9, &commit);
    printf("%-52s %8.1f ms\n", "consumer: 1,000 members join, 5,000 partitions", (joined - start) / 1e6);
    printf("%-52s %8.1f ms\n", "consumer: … and get their shares", (settled - joined) / 1e6);
    printf("%-52s %8zu\n", "consumer: bytes for a member with 5 partitions",
           (mem_in_use() - before) / MEMBERS);
}

struct copy {
    struct str *records;
    size_t count, capacity;
};

static void keep(void *arg, const struct groups_record *record)
{
    struct copy *copy = arg;
    copy->records = mem_grow(copy->records, &copy->capacity, copy->count + 2, sizeof *copy->records);
    struct str both[] = {record->key, record->value};
    for (int i = 0; i < 2; i++) {
        char *bytes = mem_new(both[i].n + 1);
        memcpy(bytes, both[i].p, both[i].n);
        copy->records[copy->count++] = str_n(bytes, both[i].n);
    }
}

static void offsets(void)
{
    begin();
    size_t before = mem_in_use();
    char name[32];
    for (int i = 0; i < OFFSETS; i++) {
        snprintf(name, sizeof name, "group-%d", i % GROUPS);
        struct kafka_offset_commit_request commit = commit_of(str_of(name), (struct str){0}, -1, i / GROUPS);
        serve(KAFKA_API_OFFSET_COMMIT, 9, &commit);
    }
    printf("%-52s %8zu\n", "bytes for an offset (300,000 in 3,000 groups)",
           (mem_in_use() - before) / OFFSETS);
    struct copy copy = {0};
    groups_dump(groups, keep, &copy);
    groups_free(groups);
    static const struct groups_slots slots = {
        .reply = on_reply, .persist = on_persist, .topic_by_name = on_topic};
    groups = groups_new(&groups_config_default, &slots, NULL);
    struct err err;
    double start = bench_now_ns();
    for (size_t i = 0; i < copy.count; i += 2)
        if (!groups_load(groups, -1, copy.records[i], copy.records[i + 1], &err))
            abort();
    groups_loaded(groups, now);
    printf("%-52s %8.0f ns\n", "loading an offset", (bench_now_ns() - start) / (double)(copy.count / 2));
}

int main(void)
{
    classic();
    consumer();
    offsets();
    groups_free(groups);
    return 0;
}

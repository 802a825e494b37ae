/* The client with a broker that answers otherwise than one hopes: in the simulator, so that time-outs take no time. */
#include <ref/fake_broker.h>

#include "base/test.h"
#include "format/records.h"
#include "os/sim.h"
#include "topic/client.h"

static struct fake_broker fake;
static struct pool *pool;
static struct client *client;
static struct err err;

/* What a test wants of the answers to one API. */
static struct {
    int key;       /* which; −1 = none */
    int times;     /* to so many of them */
    int16_t error; /* or */
    enum fake_conduct conduct;
    const char *garbage;
    bool aborts;
    bool gives_nothing;  /* Fetch */
    int32_t throttle_ms; /* and says so */
} wish;

static bool is_wished(const struct kafka_header *header)
{
    return header->key == wish.key && wish.times > 0;
}

static enum fake_conduct conduct(void *arg, const struct kafka_header *header, const void *request)
{
    (void)arg, (void)request;
    if (!is_wished(header) || wish.conduct == FAKE_ANSWERS)
        return FAKE_ANSWERS;
    wish.times--;
    return wish.conduct;
}

/* The error goes where this API has its first one. */
static void spoil(void *arg, const struct kafka_header *header, void *response)
{
    static struct kafka_fetch_response_aborted aborted = {.producer_id = 77,
                                                          .first_offset = FAKE_RECORDS / 2};
    (void)arg;
    if (!is_wished(header) || (wish.error == 0 && !wish.aborts && !wish.gives_nothing))
        return;
    wish.times--;
    if (header->key == KAFKA_API_FETCH) {
        struct kafka_fetch_response *r = response;
        for (uint32_t i = 0; i < r->responses->partitions_count; i++) {
            struct kafka_fetch_response_partition *p = &r->responses->partitions[i];
            p->error_code = wish.error;
            p->aborted_transactions = wish.aborts ? &aborted : NULL;
            p->aborted_transactions_count = wish.aborts;
            p->records = wish.error || wish.gives_nothing ? STR("") : p->records;
        }
        r->throttle_time_ms = wish.throttle_ms;
    } else if (header->key == KAFKA_API_PRODUCE) {
        struct kafka_produce_response *r = response;
        r->responses->partition_responses->error_code = wish.error;
    } else if (header->key == KAFKA_API_LIST_OFFSETS) {
        struct kafka_list_offsets_response *r = response;
        r->topics->partitions->error_code = wish.error;
    } else if (header->key == KAFKA_API_METADATA) {
        struct kafka_metadata_response *r = response;
        for (uint32_t i = 0; i < r->topics_count; i++)
            r->topics[i].error_code = wish.error;
    } else if (header->key == KAFKA_API_CREATE_TOPICS) {
        ((struct kafka_create_topics_response *)response)->topics->error_code = wish.error;
    } else if (header->key == KAFKA_API_FIND_COORDINATOR) {
        ((struct kafka_find_coordinator_response *)response)->error_code = wish.error;
    } else if (header->key == KAFKA_API_DESCRIBE_GROUPS) {
        ((struct kafka_describe_groups_response *)response)->groups->error_code = wish.error;
    } else if (header->key == KAFKA_API_OFFSET_COMMIT) {
        struct kafka_offset_commit_response *r = response;
        r->topics->partitions->error_code = wish.error;
    } else if (header->key == KAFKA_API_INIT_PRODUCER_ID) {
        ((struct kafka_init_producer_id_response *)response)->error_code = wish.error;
    }
}

static void mangle(void *arg, const struct kafka_header *header, struct sbuf *bytes)
{
    (void)arg;
    if (!is_wished(header) || wish.garbage == NULL)
        return;
    wish.times--;
    sbuf_clear(bytes);
    sbuf_cstr(bytes, wish.garbage);
}

static void begin(void)
{
    sim_open(1);
    sim_live_here(NULL);
    fake = (struct fake_broker){.conduct = conduct, .spoil = spoil, .mangle = mangle, .committed = {4, -1}};
    wish.key = -1;
    fake_broker_start(&fake);
    pool = pool_new(NULL, "test");
}

static bool open(const char *bootstrap)
{
    const struct client_options options = {.bootstrap = bootstrap, .client_id = "test"};
    return client_open(pool, &options, &client, &err);
}

static void end(void)
{
    pool_free(pool);
    fake_broker_stop(&fake);
    sim_close();
}

#define WISH(...)                                                                                            \
    do {                                                                                                     \
        wish.error = 0, wish.conduct = FAKE_ANSWERS, wish.garbage = NULL, wish.aborts = false;               \
        wish.gives_nothing = false, wish.throttle_ms = 0;                                                    \
        __VA_ARGS__;                                                                                         \
    } while (0)

/* ---- reading -------------------------------------------------------------------------------------------------------------------- */

static uint32_t seen[FAKE_PARTITIONS];
static bool in_order;

static bool take(void *arg, int32_t partition, const uint8_t *p, size_t n, struct err *e)
{
    struct records_reader reader;
    struct record record;
    struct buf *scratch;
    bool more;
    (void)arg;
    if (!records_open(p, n, NULL, &scratch, &reader, e))
        return false;
    while (records_next(&reader, &record, &more, e) && more) {
        in_order = in_order && record.offset == seen[partition];
        seen[partition]++;
    }
    buf_unref(scratch);
    return true;
}

static bool read_topic(void)
{
    struct client_topic topic;
    const int64_t next[FAKE_PARTITIONS] = {0, 0};
    const struct client_reader_options options = {.next = next};
    memset(seen, 0, sizeof seen);
    in_order = true;
    if (!client_topic(client, pool_arena(pool), "t", &topic, &err))
        return false;
    struct pool *own = pool_new(pool, "reader");
    struct client_reader *reader = client_reader_new(own, client, &topic, &options);
    bool ok = true;
    while (ok && (client_reader_next(reader, 0) >= 0 || client_reader_next(reader, 1) >= 0)) {
        ok = client_read(reader, 1000, take, NULL, &err);
        for (int32_t p = 0; p < FAKE_PARTITIONS; p++)
            if (client_reader_next(reader, p) >= FAKE_RECORDS || client_reader_is_at_end(reader, p))
                client_reader_stop(reader, p);
    }
    pool_free(own);
    return ok;
}

TEST(reads_all_and_only_what_is_committed)
{
    begin();
    if (EXPECT(open("127.0.0.1:9092"))) {
        EXPECT(read_topic() && in_order);
        EXPECT(seen[0] == FAKE_RECORDS && seen[1] == FAKE_RECORDS);
        WISH(wish.key = KAFKA_API_FETCH, wish.times = 1, wish.aborts = true);
        EXPECT(read_topic() && in_order);
        EXPECT(seen[0] == FAKE_RECORDS / 2 && seen[1] == FAKE_RECORDS / 2);
    }
    end();
}

TEST(an_end_is_told_from_a_quota)
{
    begin();
    if (EXPECT(open("127.0.0.1:9092"))) {
        WISH(wish.key = KAFKA_API_FETCH, wish.times = 9, wish.gives_nothing = true, wish.throttle_ms = 100);
        EXPECT(read_topic() && seen[0] == FAKE_RECORDS && seen[1] == FAKE_RECORDS);
        WISH(wish.key = KAFKA_API_FETCH, wish.times = 9, wish.gives_nothing = true);
        EXPECT(read_topic() && seen[0] == 0 && seen[1] == 0);
        EXPECT_EQ_INT(wish.times, 7);
    }
    end();
}

TEST(a_reader_follows_the_leader)
{
    static const int16_t passing[] = {KAFKA_ERR_NOT_LEADER_OR_FOLLOWER, KAFKA_ERR_UNKNOWN_TOPIC_ID,
                                      KAFKA_ERR_FENCED_LEADER_EPOCH, KAFKA_ERR_UNKNOWN_TOPIC_OR_PARTITION};
    begin();
    if (EXPECT(open("127.0.0.1:9092"))) {
        for (size_t i = 0; i < sizeof passing / sizeof *passing; i++) {
            WISH(wish.key = KAFKA_API_FETCH, wish.times = 3, wish.error = passing[i]);
            EXPECT(read_topic() && seen[0] == FAKE_RECORDS && seen[1] == FAKE_RECORDS && in_order);
            EXPECT_EQ_INT(wish.times, 0);
        }
        WISH(wish.key = KAFKA_API_FETCH, wish.times = 2, wish.conduct = FAKE_HANGS_UP);
        EXPECT(read_topic() && seen[0] == FAKE_RECORDS && in_order);
        WISH(wish.key = KAFKA_API_FETCH, wish.times = 1, wish.conduct = FAKE_IS_SILENT);
        EXPECT(read_topic() && seen[0] == FAKE_RECORDS && in_order);
        WISH(wish.key = KAFKA_API_FETCH, wish.times = 1000, wish.error = KAFKA_ERR_NOT_LEADER_OR_FOLLOWER);
        EXPECT(!read_topic() && err.code == KAFKA_ERR_NOT_LEADER_OR_FOLLOWER);
        WISH(wish.key = KAFKA_API_FETCH, wish.times = 1, wish.error = KAFKA_ERR_TOPIC_AUTHORIZATION_FAILED);
        EXPECT(!read_topic() && err.class == ERR_FATAL && strstr(err.hint, "ACL"));
        WISH(wish.key = KAFKA_API_LIST_OFFSETS, wish.times = 2,
             wish.error = KAFKA_ERR_NOT_LEADER_OR_FOLLOWER);
        struct client_topic topic;
        EXPECT(client_topic(client, pool_arena(pool), "t", &topic, &err));
        EXPECT(client_offsets(client, &topic, 1, CLIENT_LATEST, true, &err));
        EXPECT(topic.partitions[0].found == FAKE_RECORDS && topic.partitions[1].found == FAKE_RECORDS);
    }
    end();
}

/* ---- writing -------------------------------------------------------------------------------------------------------------------- */

static bool write_both(struct client_writer *writer)
{
    struct records_builder builders[FAKE_PARTITIONS] = {{0}};
    struct buf *bufs[FAKE_PARTITIONS];
    struct str batch;
    bool ok = true;
    for (int p = 0; p < FAKE_PARTITIONS; p++) {
        records_begin(&builders[p]);
        for (int b = 0; b < 2; b++) { /* two batches of three records */
            for (int i = 0; i < 3; i++)
                records_add(&builders[p], 1000 + i, (struct str){0}, STR("value"), NULL, 0);
            ok = ok && records_end(&builders[p], 0, 0, NULL, &batch, &err);
            if (b == 0)
                records_begin_next(&builders[p]);
        }
        bufs[p] = builders[p].buf;
    }
    ok = ok && client_write(writer, bufs, &err);
    for (int p = 0; p < FAKE_PARTITIONS; p++)
        records_builder_fini(&builders[p]);
    return ok;
}

TEST(what_is_written_again_is_there_once)
{
    struct client_topic topic;
    struct client_writer *writer;
    begin();
    if (EXPECT(open("127.0.0.1:9092")) && EXPECT(client_topic(client, pool_arena(pool), "t", &topic, &err)) &&
        EXPECT(client_writer_new(pool, client, &topic, &writer, &err))) {
        EXPECT(write_both(writer));
        EXPECT_EQ_INT(fake.batches, 4);
        WISH(wish.key = KAFKA_API_PRODUCE, wish.times = 3, wish.conduct = FAKE_HANGS_UP);
        EXPECT(write_both(writer));
        EXPECT_EQ_INT(fake.batches, 8);
        WISH(wish.key = KAFKA_API_PRODUCE, wish.times = 2, wish.error = KAFKA_ERR_NOT_LEADER_OR_FOLLOWER);
        EXPECT(write_both(writer));
        EXPECT_EQ_INT(fake.batches, 12);
        WISH(wish.key = KAFKA_API_PRODUCE, wish.times = 1, wish.conduct = FAKE_IS_SILENT);
        EXPECT(write_both(writer));
        EXPECT_EQ_INT(fake.batches, 16);
        EXPECT_EQ_INT(fake.next_sequence[0], 24);
        WISH(wish.key = KAFKA_API_PRODUCE, wish.times = 1, wish.error = KAFKA_ERR_MESSAGE_TOO_LARGE);
        EXPECT(!write_both(writer) && err.code == KAFKA_ERR_MESSAGE_TOO_LARGE);
        /* who may not be an idempotent producer is another one */
        WISH(wish.key = KAFKA_API_INIT_PRODUCER_ID, wish.times = 1,
             wish.error = KAFKA_ERR_CLUSTER_AUTHORIZATION_FAILED);
        EXPECT(client_writer_new(pool, client, &topic, &writer, &err));
        EXPECT(write_both(writer));
    }
    end();
}

/* ---- groups, topics ---------------------------------------------------------------------------------------------------------------- */

TEST(coordinators_and_controllers_move)
{
    struct client_group_info info;
    struct client_committed *offsets;
    uint32_t count;
    begin();
    if (EXPECT(open("127.0.0.1:9092"))) {
        struct arena *arena = pool_arena(pool);
        WISH(wish.key = KAFKA_API_FIND_COORDINATOR, wish.times = 2,
             wish.error = KAFKA_ERR_COORDINATOR_NOT_AVAILABLE);
        EXPECT(client_group(client, arena, "g", &info, &err));
        EXPECT_STR(info.group.state, "Stable");
        if (EXPECT(info.member_count == 1 && info.members[0].assigned_count == 1)) {
            EXPECT_STR(info.members[0].assigned[0].topic, "t");
            EXPECT_EQ_INT(info.members[0].assigned[0].partition, 1);
        }
        WISH(wish.key = KAFKA_API_OFFSET_COMMIT, wish.times = 2, wish.error = KAFKA_ERR_NOT_COORDINATOR);
        struct client_committed wanted[] = {{.place = {"t", 1}, .offset = 9},
                                            {.place = {"t", 0}, .offset = 8}};
        EXPECT(client_group_commit(client, "g", wanted, 2, &err));
        EXPECT(fake.committed[0] == 8 && fake.committed[1] == 9);
        EXPECT(client_group_offsets(client, arena, "g", &offsets, &count, &err) && count == 2);
        EXPECT(offsets[0].offset == 8 && offsets[1].offset == 9);
        WISH(wish.key = KAFKA_API_OFFSET_COMMIT, wish.times = 1, wish.error = KAFKA_ERR_UNKNOWN_MEMBER_ID);
        EXPECT(!client_group_commit(client, "g", wanted, 2, &err) && err.code == KAFKA_ERR_UNKNOWN_MEMBER_ID);
        EXPECT(!client_group(client, arena, "h", &info, &err) && err.class == ERR_CONFIG);
        EXPECT_STR(err.text, "there is no group \"h\"");
        WISH(wish.key = KAFKA_API_DESCRIBE_GROUPS, wish.times = 1,
             wish.error = KAFKA_ERR_GROUP_AUTHORIZATION_FAILED);
        EXPECT(!client_group(client, arena, "g", &info, &err) && err.class == ERR_FATAL && err.hint[0]);
        WISH(wish.key = KAFKA_API_CREATE_TOPICS, wish.times = 2, wish.error = KAFKA_ERR_NOT_CONTROLLER);
        EXPECT(client_topic_create(client, "new", 1, 1, NULL, 0, &err));
        WISH(wish.key = KAFKA_API_CREATE_TOPICS, wish.times = 1,
             wish.error = KAFKA_ERR_TOPIC_AUTHORIZATION_FAILED);
        EXPECT(!client_topic_create(client, "new", 1, 1, NULL, 0, &err) && strstr(err.hint, "ACL"));
        struct client_topic topic;
        EXPECT(!client_topic(client, arena, "nope", &topic, &err) && err.class == ERR_CONFIG);
    }
    end();
}

/* ---- who is there ------------------------------------------------------------------------------------------------------------------- */

TEST(old_brokers_are_spoken_to_in_their_versions)
{
    for (int age = 0; age < 14; age++) {
        begin();
        for (int i = 0; i < KAFKA_APIS; i++) {
            const struct kafka_api *api = kafka_api_of(i);
            int first = api && api->first > api->request->first ? api->first : api ? api->request->first : 0;
            fake.version_max[i] = api == NULL || i == KAFKA_API_CONSUMER_GROUP_DESCRIBE ? -1
                                  : first + age > api->last                             ? api->last
                                                                                        : first + age;
        }
        /* as old as the isolation level, offsets of all topics, and answers without a topic */
        fake.version_max[KAFKA_API_LIST_OFFSETS] += fake.version_max[KAFKA_API_LIST_OFFSETS] < 2;
        fake.version_max[KAFKA_API_OFFSET_FETCH] += fake.version_max[KAFKA_API_OFFSET_FETCH] < 2;
        fake.version_max[KAFKA_API_METADATA] += 4 * (fake.version_max[KAFKA_API_METADATA] < 4);
        fake.version_max[KAFKA_API_CREATE_TOPICS] += 2 * (fake.version_max[KAFKA_API_CREATE_TOPICS] < 4);
        if (fake.version_max[KAFKA_API_API_VERSIONS] == 0)
            fake.version_max[KAFKA_API_API_VERSIONS] = 1;
        struct client_group_info info;
        struct client_topic topic;
        struct client_writer *writer;
        struct client_committed *offsets;
        struct client_group *groups;
        struct client_configs *configs;
        uint32_t count;
        if (EXPECT(open("127.0.0.1"))) {
            struct arena *arena = pool_arena(pool);
            EXPECT(read_topic() && seen[0] == FAKE_RECORDS);
            EXPECT(client_topic(client, arena, "t", &topic, &err));
            EXPECT(client_writer_new(pool, client, &topic, &writer, &err) && write_both(writer));
            EXPECT(client_group(client, arena, "g", &info, &err));
            EXPECT(client_groups(client, arena, &groups, &count, &err) && count == 1);
            EXPECT(client_group_offsets(client, arena, "g", &offsets, &count, &err) && count == 1);
            EXPECT(client_group_commit(client, "g", offsets, count, &err));
            EXPECT(client_configs(client, arena, &topic, 1, NULL, &configs, &err));
            EXPECT(client_topic_create(client, "n", 1, 1, NULL, 0, &err));
            EXPECT(client_topic_delete(client, "n", &err));
            EXPECT(client_topic_grow(client, "n", 2, &err));
            EXPECT(client_group_delete(client, "g", &err));
        }
        end();
    }
}

TEST(an_api_that_is_not_there_is_named)
{
    begin();
    fake.version_max[KAFKA_API_DELETE_GROUPS] = -1;
    if (EXPECT(open("127.0.0.1:9092"))) {
        EXPECT(!client_group_delete(client, "g", &err) && err.code == KAFKA_ERR_UNSUPPORTED_VERSION);
        EXPECT(strstr(err.text, "does not serve DeleteGroups") != NULL);
    }
    end();
}

TEST(nobody_or_someone_else_is_there)
{
    begin();
    struct mono_time start = os_mono();
    EXPECT(!open("127.0.0.1:1,127.0.0.1:2") && err.class == ERR_RETRY &&
           strstr(err.text, "could not connect"));
    EXPECT(mono_since_ns(os_mono(), start) < NS_PER_S);
    EXPECT(open("127.0.0.1:1, 127.0.0.1:9092"));
    EXPECT(!open("127.0.0.1:0") && err.class == ERR_CONFIG);
    EXPECT(!open(" , ") && err.class == ERR_CONFIG);
    EXPECT(!open("host:http") && err.class == ERR_CONFIG);

    WISH(wish.key = KAFKA_API_API_VERSIONS, wish.times = 1, wish.conduct = FAKE_IS_SILENT);
    start = os_mono();
    EXPECT(!open("127.0.0.1:9092") && strstr(err.text, "no answer in 10000 ms"));
    EXPECT(mono_since_ns(os_mono(), start) < 11 * NS_PER_S);
    WISH(wish.key = KAFKA_API_API_VERSIONS, wish.times = 1, wish.conduct = FAKE_HANGS_UP);
    EXPECT(!open("127.0.0.1:9092") && strstr(err.text, "ended the connection") && strstr(err.hint, "TLS"));
    WISH(wish.key = KAFKA_API_API_VERSIONS, wish.times = 1,
         wish.garbage = "HTTP/1.1 400 Bad Request\r\n\r\n");
    EXPECT(!open("127.0.0.1:9092") && err.class == ERR_FATAL && strstr(err.text, "not Kafka's protocol"));
    WISH(wish.key = KAFKA_API_METADATA, wish.times = 1, wish.garbage = "\x15\x03\x03");
    EXPECT(!open("127.0.0.1:9092"));
    WISH(wish.key = KAFKA_API_METADATA, wish.times = 9, wish.conduct = FAKE_HANGS_UP);
    EXPECT(!open("127.0.0.1:9092") && strstr(err.hint, "SASL"));
    wish.times = 0;
    fake.advertised_host = "127.0.0.1";
    fake.advertised_port = 7;
    if (EXPECT(open("127.0.0.1:9092")))
        EXPECT(!read_topic() && strstr(err.hint, "advertises for broker 1"));
    end();
}

TEST(answers_that_make_no_sense_are_errors)
{
    static const char *const garbage[] = {"\x7f\xff\xff\xff", "abcdefgh", "\xff\xff\xff\xff"};
    for (size_t i = 0; i < sizeof garbage / sizeof *garbage; i++)
        for (int key = 0; key < KAFKA_APIS; key++) {
            struct client_group_info info;
            struct client_topic topic;
            struct client_writer *writer;
            if (kafka_api_of(key) == NULL)
                continue;
            begin();
            WISH(wish.key = key, wish.times = 1000, wish.garbage = garbage[i]);
            if (open("127.0.0.1:9092")) {
                bool read = read_topic();
                EXPECT(read || err.class != ERR_NONE);
                if (client_topic(client, pool_arena(pool), "t", &topic, &err) &&
                    client_writer_new(pool, client, &topic, &writer, &err))
                    EXPECT(write_both(writer) || key == KAFKA_API_PRODUCE);
                (void)!client_group(client, pool_arena(pool), "g", &info, &err);
            }
            end();
        }
}

int main(void)
{
    RUN(reads_all_and_only_what_is_committed);
    RUN(an_end_is_told_from_a_quota);
    RUN(a_reader_follows_the_leader);
    RUN(what_is_written_again_is_there_once);
    RUN(coordinators_and_controllers_move);
    RUN(old_brokers_are_spoken_to_in_their_versions);
    RUN(an_api_that_is_not_there_is_named);
    RUN(nobody_or_someone_else_is_there);
    RUN(answers_that_make_no_sense_are_errors);
    return test_end();
}

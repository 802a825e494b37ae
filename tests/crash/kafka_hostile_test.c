/* What no client would send, and thousands of clients at once, against the whole program; while a client that behaves goes on writing and reading
 * as if nothing were.
 *
 *     frames       requests of all APIs, mutated: some are still good, most are not. FRAMES=1000000 for more than the check has
 *     connections  CONNECTIONS=10000 that ask one thing and stay, and as many that begin a request and never end it
 *     announcers   begin requests of 96 MiB, and send nothing of them, or half a megabyte; then a byte now and then
 *
 * In the end the program ends in order, and its memory was never more than it may be. SEED=n for other mutations. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/test.h"
#include "format/records.h"
#include "ref/outside.h"
#include "ref/random_kafka.h"
#include "wire/kafka.h"

enum {
    FRAMES = 20000,
    CONNECTIONS = 500,
    THREADS = 3,
    FRAMES_PER_CONNECTION = 24,
    PATIENCE_MS = 20000, /* of the client that behaves, for one answer */
    MEMORY_MAX_MB = 700, /* under AddressSanitizer, which keeps what was freed */
};

static int port;
static pid_t program;

static uint64_t number_from(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    return text ? strtoull(text, NULL, 10) : otherwise;
}

/* ---- sockets --------------------------------------------------------------------------------------------------------------------- */

static struct sockaddr_in address(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return a;
}

static int free_port(void)
{
    struct sockaddr_in a = address();
    socklen_t n = sizeof a;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    a.sin_port = 0;
    if (bind(fd, (struct sockaddr *)&a, sizeof a) != 0 || getsockname(fd, (struct sockaddr *)&a, &n) != 0)
        perror("bind");
    close(fd);
    return ntohs(a.sin_port);
}

static int open_connection(void)
{
    struct sockaddr_in a = address();
    struct timeval patience = {PATIENCE_MS / 1000, 0};
    int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    if (connect(fd, (struct sockaddr *)&a, sizeof a) == 0)
        return fd;
    close(fd);
    return -1;
}

static bool send_all(int fd, const void *p, size_t n)
{
    for (ssize_t sent; n > 0; n -= (size_t)sent, p = (const char *)p + sent)
        if ((sent = send(fd, p, n, MSG_NOSIGNAL)) <= 0)
            return false;
    return true;
}

static bool recv_all(int fd, void *p, size_t n)
{
    return recv(fd, p, n, MSG_WAITALL) == (ssize_t)n;
}

/* ---- a client that behaves ----------------------------------------------------------------------------------------------------------- */

struct good {
    int fd;
    struct kafka_out out;
    struct sbuf in;
    struct arena arena;
    atomic_bool stop;
    bool failed;
    int64_t written, slowest_ms;
    pthread_t thread;
};

/* One request and its answer, both in version `version`. */
static bool call(struct good *g, int key, int version, const void *request, void *response)
{
    const struct kafka_api *api = kafka_api_of(key);
    struct err err = {0};
    uint8_t size[4];
    int32_t id;
    int64_t begun = outside_now_ms();
    kafka_out_clear(&g->out);
    if (!kafka_request_encode(api, version, 7, STR("good"), request, &g->out, &err) ||
        !send_all(g->fd, g->out.bytes.p, g->out.bytes.n) || !recv_all(g->fd, size, 4))
        return fprintf(stderr, "%s: %s\n", api->name, err.text[0] ? err.text : strerror(errno)), false;
    size_t n = get_be32(size);
    sbuf_clear(&g->in);
    if (!recv_all(g->fd, sbuf_reserve(&g->in, n), n))
        return fprintf(stderr, "%s: %s\n", api->name, strerror(errno)), false;
    struct rd rd = rd_of(g->in.p, n);
    int64_t took = outside_now_ms() - begun;
    g->slowest_ms = took > g->slowest_ms ? took : g->slowest_ms;
    return kafka_response_header_decode(api, version, &rd, &id, &err) && id == 7 &&
           kafka_decode(api->response, version, &rd, &g->arena, response, &err);
}

static bool write_one(struct good *g, int64_t n)
{
    struct records_builder records = {0};
    struct str batch, value = str_of(arena_printf(&g->arena, "row %lld", (long long)n));
    struct kafka_produce_request_partition partition = {.index = 0};
    struct kafka_produce_request_topic topic = {
        .name = STR("good"), .partition_data = &partition, .partition_data_count = 1};
    struct kafka_produce_request request;
    struct kafka_produce_response response;
    records_begin(&records);
    records_add(&records, n, STR("k"), value, NULL, 0);
    records_end(&records, 0, 0, NULL, &batch, NULL);
    partition.records = batch;
    KAFKA_INIT(kafka_produce_request, &request);
    request.acks = -1;
    request.topic_data = &topic;
    request.topic_data_count = 1;
    bool done = call(g, KAFKA_API_PRODUCE, 9, &request, &response);
    records_builder_fini(&records);
    if (!done || response.responses_count != 1 || response.responses[0].partition_responses_count != 1)
        return false;
    const struct kafka_produce_response_partition *to = &response.responses[0].partition_responses[0];
    if (to->error_code == 0 && to->base_offset == n)
        return true;
    fprintf(stderr, "row %lld: error %d, offset %lld\n", (long long)n, to->error_code,
            (long long)to->base_offset);
    return false;
}

static bool read_one(struct good *g, int64_t n)
{
    struct kafka_fetch_request_partition partition;
    struct kafka_fetch_request_topic topic = {
        .topic = STR("good"), .partitions = &partition, .partitions_count = 1};
    struct kafka_fetch_request request;
    struct kafka_fetch_response response;
    struct records_reader reader;
    struct record record;
    struct buf *scratch;
    char wanted[32];
    bool more;
    KAFKA_INIT(kafka_fetch_request_partition, &partition);
    partition.fetch_offset = n;
    partition.partition_max_bytes = 1000;
    KAFKA_INIT(kafka_fetch_request, &request);
    request.max_wait_ms = 1000;
    request.topics = &topic;
    request.topics_count = 1;
    snprintf(wanted, sizeof wanted, "row %lld", (long long)n);
    if (!call(g, KAFKA_API_FETCH, 11, &request, &response) || response.responses_count != 1)
        return false;
    struct str records = response.responses[0].partitions[0].records;
    return records_open((const uint8_t *)records.p, records.n, NULL, &scratch, &reader, NULL) &&
           records_next(&reader, &record, &more, NULL) && more && record.offset == n &&
           str_is(record.value, wanted);
}

static bool make_topic(struct good *g)
{
    struct kafka_create_topics_request request;
    struct kafka_create_topics_response response;
    struct kafka_create_topics_request_topic topic;
    KAFKA_INIT(kafka_create_topics_request_topic, &topic);
    KAFKA_INIT(kafka_create_topics_request, &request);
    topic.name = STR("good");
    topic.num_partitions = 1;
    topic.replication_factor = 1;
    request.topics = &topic;
    request.topics_count = 1;
    return call(g, KAFKA_API_CREATE_TOPICS, 5, &request, &response) && response.topics_count == 1 &&
           response.topics[0].error_code == 0;
}

static void *behave(void *arg)
{
    struct good *g = arg;
    while (!g->failed && !atomic_load(&g->stop)) {
        arena_reset(&g->arena);
        g->failed = !write_one(g, g->written) || !read_one(g, g->written);
        g->written += !g->failed;
        outside_sleep_ms(1);
    }
    return NULL;
}

static bool good_begins(struct good *g)
{
    *g = (struct good){.fd = open_connection()};
    if (g->fd < 0 || !make_topic(g))
        return false;
    return pthread_create(&g->thread, NULL, behave, g) == 0;
}

static void good_ends(struct good *g, const char *where)
{
    atomic_store(&g->stop, true);
    pthread_join(g->thread, NULL);
    EXPECT(!g->failed);
    EXPECT(g->written > 10);
    printf("%s: %lld rows written and read meanwhile, the slowest answer after %lld ms\n", where,
           (long long)g->written, (long long)g->slowest_ms);
    close(g->fd);
    kafka_out_fini(&g->out);
    sbuf_fini(&g->in);
    arena_fini(&g->arena);
}

/* ---- the program ---------------------------------------------------------------------------------------------------------------------- */

static bool listens(void *arg)
{
    int fd = open_connection();
    (void)arg;
    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

static bool program_begins(void)
{
    char yaml[256];
    outside_folder();
    port = free_port();
    int n = snprintf(
        yaml, sizeof yaml,
        "name: hostile\nsettings:\n  listen:\n    kafka: 127.0.0.1:%d\n    http: off\n    registry: off\n",
        port);
    outside_write(outside_path("sluice.yaml"), str_n(yaml, (size_t)n));
    program = outside_start("up", NULL, -1);
    return EXPECT(outside_until(listens, NULL, 30000));
}

/* Resident, now or at most. */
static long program_mb(const char *field)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/status", (int)program);
    char *text = outside_read(path), *at = strstr(text, field);
    long kb = at ? atol(at + strlen(field)) : 0;
    free(text);
    return kb / 1024;
}

static void program_ends(void)
{
    long most = program_mb("VmHWM:");
    printf("at most %ld MB\n", most);
    EXPECT(most > 0 && most < MEMORY_MAX_MB);
    kill(program, SIGTERM);
    EXPECT_EQ_INT(outside_wait_for(program, 60000), 0);
    if (test_is_bad) {
        char *log = outside_read(outside_path("log"));
        size_t all = strlen(log);
        fprintf(stderr, "%s\n", log + (all > 6000 ? all - 6000 : 0));
        free(log);
    }
    outside_clean();
}

/* ---- frames ---------------------------------------------------------------------------------------------------------------------------- */

/* What clients say, over and over, as text. */
static const struct {
    int key, version;
    const char *text;
} sessions[] = {
    {KAFKA_API_API_VERSIONS, 3, "ClientSoftwareName: hostile, ClientSoftwareVersion: 1"},
    {KAFKA_API_METADATA, 12, "Topics: null"},
    {KAFKA_API_METADATA, 4, "Topics: [{Name: junk}]"},
    {KAFKA_API_CREATE_TOPICS, 5,
     "Topics: [{Name: junk2, NumPartitions: 2, ReplicationFactor: 1}], ValidateOnly: true"},
    {KAFKA_API_DELETE_TOPICS, 4, "TopicNames: [junk]"},
    {KAFKA_API_FETCH, 11,
     "MaxWaitMs: 20, MinBytes: 1, Topics: [{Topic: good, Partitions: [{Partition: 0, FetchOffset: 3, PartitionMaxBytes: 5000}]}]"},
    {KAFKA_API_FETCH, 12,
     "MaxWaitMs: 20, MinBytes: 1, SessionEpoch: 0, IsolationLevel: 1, Topics: [{Topic: good, Partitions: [{Partition: 0, FetchOffset: 0, PartitionMaxBytes: 9000}]}]"},
    {KAFKA_API_LIST_OFFSETS, 7, "Topics: [{Name: good, Partitions: [{PartitionIndex: 0, Timestamp: 5}]}]"},
    {KAFKA_API_OFFSET_FOR_LEADER_EPOCH, 4,
     "Topics: [{Topic: good, Partitions: [{Partition: 0, CurrentLeaderEpoch: 0, LeaderEpoch: 0}]}]"},
    {KAFKA_API_FIND_COORDINATOR, 4, "KeyType: 1, CoordinatorKeys: [x, y]"},
    {KAFKA_API_JOIN_GROUP, 5,
     "GroupId: g, SessionTimeoutMs: 6000, RebalanceTimeoutMs: 6000, ProtocolType: consumer, Protocols: [{Name: range, Metadata: \"abc\"}]"},
    {KAFKA_API_SYNC_GROUP, 3,
     "GroupId: g, GenerationId: 1, MemberId: m, Assignments: [{MemberId: m, Assignment: \"x\"}]"},
    {KAFKA_API_HEARTBEAT, 3, "GroupId: g, GenerationId: 1, MemberId: m"},
    {KAFKA_API_LEAVE_GROUP, 3, "GroupId: g, Members: [{MemberId: m}]"},
    {KAFKA_API_CONSUMER_GROUP_HEARTBEAT, 1,
     "GroupId: h, MemberId: m, MemberEpoch: 0, RebalanceTimeoutMs: 6000, SubscribedTopicNames: [good], TopicPartitions: []"},
    {KAFKA_API_OFFSET_COMMIT, 8,
     "GroupId: i, Topics: [{Name: good, Partitions: [{PartitionIndex: 0, CommittedOffset: 4}]}]"},
    {KAFKA_API_OFFSET_FETCH, 8,
     "Groups: [{GroupId: i, Topics: null}, {GroupId: g, Topics: [{Name: good, PartitionIndexes: [0]}]}]"},
    {KAFKA_API_INIT_PRODUCER_ID, 4, "TransactionalId: x, TransactionTimeoutMs: 5000"},
    {KAFKA_API_ADD_PARTITIONS_TO_TXN, 3,
     "V3AndBelowTransactionalId: x, V3AndBelowProducerId: 0, V3AndBelowTopics: [{Name: junk, Partitions: [0]}]"},
    {KAFKA_API_ADD_OFFSETS_TO_TXN, 3, "TransactionalId: x, ProducerId: 0, GroupId: g"},
    {KAFKA_API_TXN_OFFSET_COMMIT, 3,
     "TransactionalId: x, GroupId: g, ProducerId: 0, Topics: [{Name: junk, Partitions: [{CommittedOffset: 1}]}]"},
    {KAFKA_API_END_TXN, 3, "TransactionalId: x, ProducerId: 0, Committed: true"},
    {KAFKA_API_DESCRIBE_GROUPS, 5, "Groups: [g, h, i]"},
    {KAFKA_API_LIST_GROUPS, 4, ""},
    {KAFKA_API_DESCRIBE_CLUSTER, 0, ""},
    {KAFKA_API_DESCRIBE_TRANSACTIONS, 0, "TransactionalIds: [x]"},
};

static bool add_session(struct kafka_out *out, size_t i, struct arena *arena)
{
    const struct kafka_api *api = kafka_api_of(sessions[i].key);
    struct err err = {0};
    void *body = arena_alloc(arena, api->request->size);
    return (kafka_parse(api->request, str_of(sessions[i].text), arena, body, &err) &&
            kafka_request_encode(api, sessions[i].version, (int32_t)i, STR("hostile"), body, out, &err)) ||
           (fprintf(stderr, "%s: %s\n", api->name, err.text), false);
}

/* A batch of records, some of them good, to a topic that is junk. */
static bool add_produce(struct kafka_out *out, struct rng *rng)
{
    struct records_builder records = {0};
    struct kafka_produce_request_partition partition = {.index = 0};
    struct kafka_produce_request_topic topic = {
        .name = STR("junk"), .partition_data = &partition, .partition_data_count = 1};
    struct kafka_produce_request request;
    KAFKA_INIT(kafka_produce_request, &request);
    records_begin(&records);
    for (int i = 0; i < 5; i++)
        records_add(&records, i, STR("key"), STR("a value of some length"), NULL, 0);
    records_end(&records, 0, 0, NULL, &partition.records, NULL);
    request.acks = (int16_t)(rng_below(rng, 3)) - 1;
    request.topic_data = &topic;
    request.topic_data_count = 1;
    bool done = kafka_request_encode(kafka_api_of(KAFKA_API_PRODUCE), 3 + (int)rng_below(rng, 10), 1,
                                     STR("p"), &request, out, NULL);
    records_builder_fini(&records);
    return done;
}

/* Any message in any version, if it can be harmed by without harm: not those that make thousands of partitions. */
static bool add_random(struct kafka_out *out, struct rng *rng, struct arena *arena)
{
    const struct kafka_api *api = kafka_api_of((int)rng_below(rng, KAFKA_APIS));
    if (api == NULL || api->key == KAFKA_API_CREATE_TOPICS || api->key == KAFKA_API_CREATE_PARTITIONS ||
        api->key == KAFKA_API_PRODUCE)
        return add_produce(out, rng);
    int first = api->request->first,
        version = first + (int)rng_below(rng, (uint64_t)(api->request->last - first + 1));
    void *body = arena_alloc(arena, api->request->size);
    kafka_random(rng, api->request, version, arena, body);
    return kafka_request_encode(api, version, 1, STR("random"), body, out, NULL);
}

static void mutate(struct sbuf *frame, struct rng *rng)
{
    uint8_t *p = (uint8_t *)frame->p;
    uint64_t times = rng_below(rng, 4);
    for (uint64_t i = 0; i < times; i++) {
        size_t at = rng_below(rng, 8) ? 4 + (size_t)rng_below(rng, frame->n - 4)
                                      : (size_t)rng_below(rng, frame->n);
        switch (rng_below(rng, 5)) {
        case 0: p[at] ^= (uint8_t)(1 << rng_below(rng, 8)); break;
        case 1: p[at] = (uint8_t)rng_below(rng, 256); break;
        case 2: p[at] = rng_below(rng, 2) ? 0xFF : 0x7F; break;
        case 3: memset(p + at, 0, frame->n - at < 4 ? frame->n - at : 4); break;
        default: /* its end is cut off, and the length says so, or not */
            if (at > 14) {
                frame->n = at;
                if (rng_below(rng, 4))
                    put_be32(p, (uint32_t)(frame->n - 4));
            }
        }
    }
}

static atomic_ulong frames_left, frames_sent, connections_ended;

static void drain(int fd)
{
    char bytes[16384];
    while (recv(fd, bytes, sizeof bytes, MSG_DONTWAIT) > 0)
        ;
}

static void send_garbage(int fd, struct rng *rng, struct kafka_out *out, struct arena *arena)
{
    for (int i = 0; i < FRAMES_PER_CONNECTION; i++) {
        kafka_out_clear(out);
        arena_reset(arena);
        uint64_t kind = rng_below(rng, 4);
        bool made = kind == 0 ? add_random(out, rng, arena)
                    : kind == 1
                        ? add_produce(out, rng)
                        : add_session(out, (size_t)rng_below(rng, sizeof sessions / sizeof *sessions), arena);
        if (!made || out->bytes.n < 16)
            continue;
        mutate(&out->bytes, rng);
        atomic_fetch_add(&frames_sent, 1);
        if (!send_all(fd, out->bytes.p, out->bytes.n)) {
            atomic_fetch_add(&connections_ended, 1);
            return;
        }
        if (rng_below(rng, 3) == 0)
            drain(fd);
    }
}

static void *be_hostile(void *arg)
{
    struct rng rng = {(uintptr_t)arg};
    struct kafka_out out = {0};
    struct arena arena = {0};
    while (atomic_load(&frames_left) > atomic_load(&frames_sent)) {
        int fd = open_connection();
        if (fd < 0)
            continue;
        send_garbage(fd, &rng, &out, &arena);
        if (rng_below(&rng, 4)) { /* and waits for what comes */
            struct pollfd p = {.fd = fd, .events = POLLIN};
            shutdown(fd, SHUT_WR);
            if (poll(&p, 1, 50) > 0)
                drain(fd);
        }
        close(fd);
    }
    kafka_out_fini(&out);
    arena_fini(&arena);
    return NULL;
}

TEST(malformed_frames)
{
    pthread_t threads[THREADS];
    struct good good;
    uint64_t seed = number_from("SEED", 1);
    if (!program_begins() || !EXPECT(good_begins(&good)))
        return;
    atomic_store(&frames_left, number_from("FRAMES", FRAMES));
    for (uintptr_t i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, be_hostile, (void *)(uintptr_t)(seed * 1000 + i + 1));
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    good_ends(&good, "malformed frames");
    printf("%lu frames, %lu connections ended early\n", atomic_load(&frames_sent),
           atomic_load(&connections_ended));
    program_ends();
}

/* ---- connections ------------------------------------------------------------------------------------------------------------------------ */

static bool ask_versions(int fd)
{
    static const uint8_t versions[] = {0, 0, 0, 10, 0, 18, 0, 0, 0, 0, 0, 1, 0xFF, 0xFF};
    return send_all(fd, versions, sizeof versions);
}

TEST(thousands_of_connections)
{
    size_t count = number_from("CONNECTIONS", CONNECTIONS), open = 0, answered = 0;
    int *fds = calloc(2 * count, sizeof *fds);
    uint8_t head[8];
    struct good good;
    if (!program_begins() || !EXPECT(good_begins(&good)))
        return;
    long before = program_mb("VmRSS:");
    for (size_t i = 0; i < 2 * count; i++) {
        fds[i] = open_connection();
        if (fds[i] < 0)
            break;
        open++;
        if (i % 2 == 0)
            answered += ask_versions(fds[i]) && recv_all(fds[i], head, sizeof head);
        else /* a length, and never what it announces */
            send_all(fds[i], "\0\0\x10\0\0\x12", 6);
    }
    EXPECT_EQ_INT(open, 2 * count);
    EXPECT_EQ_INT(answered, count);
    long with = program_mb("VmRSS:");
    printf("%zu connections: %ld MB, before them %ld MB\n", open, with, before);
    EXPECT(with - before < 64 + (long)(open / 100)); /* 10 KiB for each */
    outside_sleep_ms(1000);
    good_ends(&good, "connections");
    for (size_t i = 0; i < open; i++)
        close(fds[i]);
    free(fds);
    program_ends();
}

enum { ANNOUNCERS = 120, PART_BYTES = 512 << 10, TRICKLES = 20 };

TEST(large_requests_that_do_not_come)
{
    static char part[PART_BYTES];
    int fds[ANNOUNCERS];
    struct good good;
    if (!program_begins() || !EXPECT(good_begins(&good)))
        return;
    for (size_t i = 0; i < ANNOUNCERS; i++) {
        EXPECT((fds[i] = open_connection()) >= 0);
        send_all(fds[i], "\6\0\0\0\0\0", 6);
        if (i % 2)
            send(fds[i], part, sizeof part, MSG_NOSIGNAL | MSG_DONTWAIT);
    }
    for (int i = 0; i < TRICKLES; i++) {
        for (size_t k = 0; k < ANNOUNCERS; k++)
            send(fds[k], "", 1, MSG_NOSIGNAL | MSG_DONTWAIT);
        outside_sleep_ms(100);
    }
    good_ends(&good, "announcers");
    EXPECT(good.slowest_ms < 5000);
    for (size_t i = 0; i < ANNOUNCERS; i++)
        close(fds[i]);
    program_ends();
}

int main(void)
{
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    RUN(malformed_frames);
    RUN(thousands_of_connections);
    RUN(large_requests_that_do_not_come);
    return test_end();
}

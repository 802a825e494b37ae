#include <ref/fake_broker.h>

#include <errno.h>
#include <stdio.h>

#include "format/records.h"
#include "os/sim.h"

enum { CONNECTIONS = 16, PORT = 9092, NODE = 1, PRODUCER = 77, RECEIVE = 64 * 1024 };

static struct {
    struct fake_broker *fake;
    int listener;
    struct {
        int file; /* −1 = free */
        struct sbuf in, out;
    } connections[CONNECTIONS];
} net;

static const struct kafka_uuid topic_id = {{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}};

/* ---- answers: each fills a struct that is zeroed to its defaults ----------------------------------------------------------- */

static void api_versions(struct fake_broker *f, struct arena *arena, void *response)
{
    struct kafka_api_versions_response *r = response;
    r->api_keys = KAFKA_NEW(arena, kafka_api_versions_response_api, KAFKA_APIS);
    for (int i = 0; i < KAFKA_APIS; i++) {
        const struct kafka_api *api = kafka_api_of(i);
        if (api && f->version_max[i] >= 0)
            r->api_keys[r->api_keys_count++] = (struct kafka_api_versions_response_api){
                (int16_t)i, api->first, f->version_max[i] ? (int16_t)f->version_max[i] : api->last};
    }
}

static void metadata(struct fake_broker *f, struct arena *arena, const void *request, void *response)
{
    const struct kafka_metadata_request *q = request;
    struct kafka_metadata_response *r = response;
    static int32_t node[1] = {NODE};
    r->brokers = KAFKA_NEW(arena, kafka_metadata_response_broker, 1);
    r->brokers_count = 1;
    r->brokers[0].node_id = NODE;
    r->brokers[0].host = f->advertised_host ? str_of(f->advertised_host) : STR("127.0.0.1");
    r->brokers[0].port = f->advertised_host ? f->advertised_port : PORT;
    r->cluster_id = STR("fake");
    r->controller_id = NODE;
    uint32_t count = q->topics ? q->topics_count : 1;
    r->topics = KAFKA_NEW(arena, kafka_metadata_response_topic, count);
    r->topics_count = count;
    for (uint32_t i = 0; i < count; i++) {
        struct kafka_metadata_response_topic *t = &r->topics[i];
        t->name = q->topics ? q->topics[i].name : STR("t");
        t->topic_id = topic_id;
        if (!str_is(t->name, "t")) {
            t->error_code = KAFKA_ERR_UNKNOWN_TOPIC_OR_PARTITION;
            continue;
        }
        t->partitions = KAFKA_NEW(arena, kafka_metadata_response_partition, FAKE_PARTITIONS);
        t->partitions_count = FAKE_PARTITIONS;
        for (int p = 0; p < FAKE_PARTITIONS; p++) {
            t->partitions[p].partition_index = p;
            t->partitions[p].leader_id = NODE;
            t->partitions[p].leader_epoch = 3;
            t->partitions[p].replica_nodes = t->partitions[p].isr_nodes = node;
            t->partitions[p].replica_nodes_count = t->partitions[p].isr_nodes_count = 1;
        }
    }
}

static void list_offsets(struct arena *arena, const void *request, void *response)
{
    const struct kafka_list_offsets_request *q = request;
    struct kafka_list_offsets_response *r = response;
    r->topics = KAFKA_NEW(arena, kafka_list_offsets_response_topic, q->topics_count);
    r->topics_count = q->topics_count;
    for (uint32_t i = 0; i < q->topics_count; i++) {
        uint32_t n = r->topics[i].partitions_count = q->topics[i].partitions_count;
        r->topics[i].name = q->topics[i].name;
        r->topics[i].partitions = KAFKA_NEW(arena, kafka_list_offsets_response_partition, n);
        for (uint32_t k = 0; k < n; k++) {
            int64_t time = q->topics[i].partitions[k].timestamp;
            r->topics[i].partitions[k].partition_index = q->topics[i].partitions[k].partition_index;
            r->topics[i].partitions[k].offset = time == -1 ? FAKE_RECORDS : time == -2 ? 0 : FAKE_RECORDS / 2;
        }
    }
}

/* Records of two batches, "p:offset" each; the second one of a transaction. */
static struct str records_of(struct arena *arena, int32_t partition, int64_t from)
{
    struct records_builder builder = {0};
    struct sbuf all = {0};
    struct str batch;
    struct err err;
    for (int start = 0; start < FAKE_RECORDS; start += FAKE_RECORDS / 2) {
        if (from >= start + FAKE_RECORDS / 2)
            continue;
        records_begin(&builder);
        for (int i = start; i < start + FAKE_RECORDS / 2; i++) {
            char text[32];
            int n = snprintf(text, sizeof text, "%d:%d", partition, i);
            records_add(&builder, 1000 + i, str_n(text, 1), str_n(text, (size_t)n), NULL, 0);
        }
        bool ended = records_end(&builder, 0, 0, NULL, &batch, &err);
        CHECK(ended);
        uint8_t *p = (uint8_t *)sbuf_reserve(&all, batch.n);
        memcpy(p, batch.p, batch.n);
        if (start > 0)
            records_batch_set_producer(p, batch.n, PRODUCER, 0);
        records_batch_place(p, start, 3);
        sbuf_added(&all, batch.n);
    }
    records_builder_fini(&builder);
    struct str copy = str_n(arena_dup(arena, all.n ? all.p : "", all.n), all.n);
    sbuf_fini(&all);
    return copy;
}

static void fetch(struct arena *arena, const void *request, void *response)
{
    const struct kafka_fetch_request *q = request;
    struct kafka_fetch_response *r = response;
    r->responses = KAFKA_NEW(arena, kafka_fetch_response_topic, q->topics_count);
    r->responses_count = q->topics_count;
    for (uint32_t i = 0; i < q->topics_count; i++) {
        uint32_t n = r->responses[i].partitions_count = q->topics[i].partitions_count;
        r->responses[i].topic = q->topics[i].topic;
        r->responses[i].topic_id = q->topics[i].topic_id;
        r->responses[i].partitions = KAFKA_NEW(arena, kafka_fetch_response_partition, n);
        for (uint32_t k = 0; k < n; k++) {
            struct kafka_fetch_response_partition *p = &r->responses[i].partitions[k];
            p->partition_index = q->topics[i].partitions[k].partition;
            p->high_watermark = p->last_stable_offset = FAKE_RECORDS;
            p->log_start_offset = 0;
            p->records = records_of(arena, p->partition_index, q->topics[i].partitions[k].fetch_offset);
        }
    }
}

/* As an idempotent producer's broker: a sequence that was there is no second batch, one that skips is refused. */
static int16_t append(struct fake_broker *f, int32_t partition, struct str records)
{
    struct records_batch batch;
    if (partition < 0 || partition >= FAKE_PARTITIONS ||
        !records_batch_read((const uint8_t *)records.p, records.n, true, &batch, NULL) ||
        batch.size != records.n)
        return KAFKA_ERR_CORRUPT_MESSAGE;
    int32_t *next = &f->next_sequence[partition];
    if (batch.producer_id >= 0 && batch.base_sequence < *next)
        return KAFKA_ERR_NONE;
    if (batch.producer_id >= 0 && batch.base_sequence > *next)
        return KAFKA_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER;
    *next += batch.count;
    f->batches++;
    return KAFKA_ERR_NONE;
}

static void produce(struct fake_broker *f, struct arena *arena, const void *request, void *response)
{
    const struct kafka_produce_request *q = request;
    struct kafka_produce_response *r = response;
    r->responses = KAFKA_NEW(arena, kafka_produce_response_topic, q->topic_data_count);
    r->responses_count = q->topic_data_count;
    for (uint32_t i = 0; i < q->topic_data_count; i++) {
        uint32_t n = r->responses[i].partition_responses_count = q->topic_data[i].partition_data_count;
        r->responses[i].name = q->topic_data[i].name;
        r->responses[i].topic_id = q->topic_data[i].topic_id;
        r->responses[i].partition_responses = KAFKA_NEW(arena, kafka_produce_response_partition, n);
        for (uint32_t k = 0; k < n; k++) {
            r->responses[i].partition_responses[k].index = q->topic_data[i].partition_data[k].index;
            r->responses[i].partition_responses[k].error_code = append(
                f, q->topic_data[i].partition_data[k].index, q->topic_data[i].partition_data[k].records);
        }
    }
}

static void describe_group(struct arena *arena, const void *request, void *response)
{
    const struct kafka_describe_groups_request *q = request;
    struct kafka_describe_groups_response *r = response;
    static const uint8_t assignment[] = {0, 0, 0, 0, 0, 1, 0,    1,    't',  0,   0,
                                         0, 1, 0, 0, 0, 1, 0xFF, 0xFF, 0xFF, 0xFF};
    r->groups = KAFKA_NEW(arena, kafka_describe_groups_response_group, q->groups_count);
    r->groups_count = q->groups_count;
    for (uint32_t i = 0; i < q->groups_count; i++) {
        struct kafka_describe_groups_response_group *g = &r->groups[i];
        g->group_id = q->groups[i];
        g->error_code = str_is(g->group_id, "g") ? 0 : KAFKA_ERR_GROUP_ID_NOT_FOUND;
        g->group_state = str_is(g->group_id, "g") ? STR("Stable") : STR("Dead");
        if (g->error_code)
            continue;
        g->protocol_type = STR("consumer");
        g->protocol_data = STR("range");
        g->members = KAFKA_NEW(arena, kafka_describe_groups_response_member, 1);
        g->members_count = 1;
        g->members[0].member_id = STR("m");
        g->members[0].client_id = STR("c");
        g->members[0].client_host = STR("/h");
        g->members[0].member_assignment = str_n(assignment, sizeof assignment);
    }
}

static void fetch_offsets(struct fake_broker *f, struct arena *arena, const void *request, void *response)
{
    const struct kafka_offset_fetch_request *q = request;
    struct kafka_offset_fetch_response *r = response;
    if (!str_is(q->group_id, "g"))
        return;
    r->topics = KAFKA_NEW(arena, kafka_offset_fetch_response_topic, 1);
    r->topics_count = 1;
    r->topics[0].name = STR("t");
    r->topics[0].partitions = KAFKA_NEW(arena, kafka_offset_fetch_response_partition, FAKE_PARTITIONS);
    for (int p = 0; p < FAKE_PARTITIONS; p++) {
        struct kafka_offset_fetch_response_partition *to = &r->topics[0].partitions[p];
        if (f->committed[p] < 0)
            continue;
        r->topics[0].partitions_count++;
        to->partition_index = p;
        to->committed_offset = f->committed[p];
        to->metadata = STR("");
    }
}

static void commit_offsets(struct fake_broker *f, struct arena *arena, const void *request, void *response)
{
    const struct kafka_offset_commit_request *q = request;
    struct kafka_offset_commit_response *r = response;
    r->topics = KAFKA_NEW(arena, kafka_offset_commit_response_topic, q->topics_count);
    r->topics_count = q->topics_count;
    for (uint32_t i = 0; i < q->topics_count; i++) {
        uint32_t n = r->topics[i].partitions_count = q->topics[i].partitions_count;
        r->topics[i].name = q->topics[i].name;
        r->topics[i].partitions = KAFKA_NEW(arena, kafka_offset_commit_response_partition, n);
        for (uint32_t k = 0; k < n; k++) {
            int32_t p = r->topics[i].partitions[k].partition_index =
                q->topics[i].partitions[k].partition_index;
            if (p >= 0 && p < FAKE_PARTITIONS)
                f->committed[p] = q->topics[i].partitions[k].committed_offset;
        }
    }
}

/* One thing that was asked for, and was done. */
#define DONE_ONE(response_struct, element, list)                                                             \
    do {                                                                                                     \
        struct response_struct *one = response;                                                              \
        one->list = KAFKA_NEW(arena, element, 1);                                                            \
        one->list##_count = 1;                                                                               \
    } while (0)

static void fill(struct fake_broker *f, const struct kafka_header *header, const void *request,
                 struct arena *arena, void *response)
{
    switch (header->key) {
    case KAFKA_API_API_VERSIONS: api_versions(f, arena, response); break;
    case KAFKA_API_METADATA: metadata(f, arena, request, response); break;
    case KAFKA_API_LIST_OFFSETS: list_offsets(arena, request, response); break;
    case KAFKA_API_FETCH: fetch(arena, request, response); break;
    case KAFKA_API_PRODUCE: produce(f, arena, request, response); break;
    case KAFKA_API_DESCRIBE_GROUPS: describe_group(arena, request, response); break;
    case KAFKA_API_OFFSET_FETCH: fetch_offsets(f, arena, request, response); break;
    case KAFKA_API_OFFSET_COMMIT: commit_offsets(f, arena, request, response); break;
    case KAFKA_API_INIT_PRODUCER_ID:
        ((struct kafka_init_producer_id_response *)response)->producer_id = PRODUCER;
        break;
    case KAFKA_API_FIND_COORDINATOR:
        ((struct kafka_find_coordinator_response *)response)->node_id = NODE;
        break;
    case KAFKA_API_LIST_GROUPS:
        DONE_ONE(kafka_list_groups_response, kafka_list_groups_response_group, groups);
        ((struct kafka_list_groups_response *)response)->groups->group_id = STR("g");
        break;
    case KAFKA_API_CONSUMER_GROUP_DESCRIBE:
        DONE_ONE(kafka_consumer_group_describe_response, kafka_consumer_group_describe_response_group,
                 groups);
        ((struct kafka_consumer_group_describe_response *)response)->groups->error_code =
            KAFKA_ERR_GROUP_ID_NOT_FOUND;
        break;
    case KAFKA_API_CREATE_TOPICS:
        DONE_ONE(kafka_create_topics_response, kafka_create_topics_response_topic, topics);
        break;
    case KAFKA_API_DELETE_TOPICS:
        DONE_ONE(kafka_delete_topics_response, kafka_delete_topics_response_topic, responses);
        break;
    case KAFKA_API_CREATE_PARTITIONS:
        DONE_ONE(kafka_create_partitions_response, kafka_create_partitions_response_topic, results);
        break;
    case KAFKA_API_DELETE_GROUPS:
        DONE_ONE(kafka_delete_groups_response, kafka_delete_groups_response_group, results);
        break;
    case KAFKA_API_INCREMENTAL_ALTER_CONFIGS:
        DONE_ONE(kafka_incremental_alter_configs_response, kafka_incremental_alter_configs_response_resource,
                 responses);
        break;
    case KAFKA_API_DESCRIBE_CONFIGS:
        DONE_ONE(kafka_describe_configs_response, kafka_describe_configs_response_resource, results);
        ((struct kafka_describe_configs_response *)response)->results->resource_name = STR("t");
        break;
    default: break; /* an empty answer */
    }
}

/* ---- the connection --------------------------------------------------------------------------------------------------------- */

/* False: the connection ends. */
static bool answer(struct fake_broker *f, struct str frame, struct sbuf *to)
{
    struct kafka_header header;
    struct arena arena = {0};
    struct kafka_out out = {0};
    struct err err;
    struct rd r = rd_of(frame.p, frame.n);
    bool decoded = kafka_header_decode(&r, &header, &err);
    CHECK(decoded && header.api);
    f->requests[header.key]++;
    int known = f->version_max[header.key] ? f->version_max[header.key] : header.api->last;
    bool refused = header.version > known; /* of ApiVersions alone: its answer is in version 0 then */
    CHECK(!refused || header.key == KAFKA_API_API_VERSIONS);
    void *request = kafka_new(&arena, header.api->request, 1),
         *response = kafka_new(&arena, header.api->response, 1);
    decoded = refused || kafka_decode(header.api->request, header.version, &r, &arena, request, &err);
    CHECK(decoded);
    enum fake_conduct conduct = f->conduct ? f->conduct(f->arg, &header, request) : FAKE_ANSWERS;
    if (conduct != FAKE_IS_SILENT)
        fill(f, &header, request, &arena, response);
    if (conduct == FAKE_ANSWERS) {
        if (refused)
            ((struct kafka_api_versions_response *)response)->error_code = KAFKA_ERR_UNSUPPORTED_VERSION;
        if (f->spoil)
            f->spoil(f->arg, &header, response);
        bool encoded = kafka_response_encode(header.api, refused ? 0 : header.version, header.correlation_id,
                                             response, &out, &err);
        CHECK(encoded);
        if (f->mangle)
            f->mangle(f->arg, &header, &out.bytes);
        sbuf_str(to, sbuf_view(&out.bytes));
    }
    kafka_out_fini(&out);
    arena_fini(&arena);
    return conduct != FAKE_HANGS_UP;
}

static void end(int i)
{
    os_close(net.connections[i].file);
    net.connections[i].file = -1;
    sbuf_fini(&net.connections[i].in);
    sbuf_fini(&net.connections[i].out);
}

static void drop_front(struct sbuf *b, size_t n)
{
    memmove(b->p, b->p + n, b->n - n);
    b->n -= n;
}

static void serve(int i)
{
    struct sbuf *in = &net.connections[i].in, *out = &net.connections[i].out;
    struct err err;
    size_t n, size;
    struct str frame;
    while (os_recv(net.connections[i].file, sbuf_reserve(in, RECEIVE), RECEIVE, &n, &err)) {
        if (n == 0) {
            end(i);
            return;
        }
        sbuf_added(in, n);
    }
    if (err.code != EAGAIN) {
        end(i);
        return;
    }
    while (kafka_frame_next(in->p, in->n, KAFKA_FRAME_MAX, &frame, &size) == KAFKA_FRAME_WHOLE) {
        if (!answer(net.fake, frame, out)) {
            end(i);
            return;
        }
        drop_front(in, size);
    }
    while (out->n > 0 && os_send(net.connections[i].file, out->p, out->n, &n, &err))
        drop_front(out, n);
}

static void go_on(struct mono_time until)
{
    struct err err;
    int file;
    while (net.fake && os_accept(net.listener, &file, NULL, 0, &err)) {
        int i = 0;
        while (net.connections[i].file >= 0)
            CHECK(++i < CONNECTIONS);
        net.connections[i].file = file;
    }
    for (int i = 0; net.fake && i < CONNECTIONS; i++)
        if (net.connections[i].file >= 0)
            serve(i);
    struct mono_time next = sim_next_io(), now = os_mono();
    int64_t to = next.ns < until.ns ? next.ns : until.ns;
    sim_advance(to > now.ns ? to - now.ns : 1000);
}

void fake_broker_start(struct fake_broker *fake)
{
    struct err err;
    CHECK(net.fake == NULL);
    bool listens = os_listen("127.0.0.1:9092", &net.listener, fake->address, sizeof fake->address, &err);
    CHECK(listens);
    for (int i = 0; i < CONNECTIONS; i++)
        net.connections[i].file = -1;
    net.fake = fake;
    sim_on_sleep(go_on);
}

void fake_broker_stop(struct fake_broker *fake)
{
    CHECK(net.fake == fake);
    for (int i = 0; i < CONNECTIONS; i++)
        if (net.connections[i].file >= 0)
            end(i);
    os_close(net.listener);
    net.fake = NULL;
    sim_on_sleep(NULL);
}

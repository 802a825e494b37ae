/* Every message in every version, there and back; what is wrong is refused; the bytes are those that other programs write. */
#include "wire/kafka.h"

#include <ref/random_kafka.h>

#include "base/test.h"

enum { ROUNDS = 20 };

static struct arena arena;
static struct kafka_out out;
static struct err err;

/* Of the type's size, from the arena. */
static void *message_of(const struct kafka_type *type)
{
    return arena_zalloc(&arena, type->size);
}

static struct rd encoded(void)
{
    return rd_of(out.bytes.p, out.bytes.n);
}

static void expect_round_trip(struct rng *rng, const struct kafka_type *type, int version)
{
    void *sent = message_of(type), *got = message_of(type);
    kafka_random(rng, type, version, &arena, sent);
    kafka_out_clear(&out);
    if (!EXPECT(kafka_encode(type, version, sent, &out, &err))) {
        fprintf(stderr, "    %s\n", err.text);
        return;
    }
    EXPECT_EQ_INT(kafka_size(type, version, sent, &err), out.bytes.n);
    struct rd r = encoded();
    bool same = kafka_decode(type, version, &r, &arena, got, &err) && rd_left(&r) == 0 &&
                kafka_same(type, sent, got);
    if (!EXPECT(same))
        fprintf(stderr, "    %s version %d: %s\n", type->name, version, err.text);
}

TEST(every_message_and_version_comes_back_as_it_was)
{
    int count = 0;
    for (int i = 0; i < KAFKA_TYPES_COUNT; i++) {
        const struct kafka_type *type = kafka_types[i];
        for (int version = type->first; version <= type->last; version++, count++) {
            struct rng rng = {(uint64_t)i << 8 | (uint64_t)version};
            for (int round = 0; round < ROUNDS; round++) {
                expect_round_trip(&rng, type, version);
                arena_reset(&arena);
            }
        }
    }
    EXPECT(count > 400);
    printf("%d messages, %d versions\n", KAFKA_TYPES_COUNT, count);
}

/* ---- the description ------------------------------------------------------------------------------------------- */

static double growth_below(const struct kafka_type *type);

/* Bytes in C for each byte on the wire that the fields of a struct can make, arrays within arrays added up. */
static double growth_of(const struct kafka_field *f)
{
    double within = f->kind == KAFKA_STRUCT ? growth_below(f->type) : 0;
    if (f->kind == KAFKA_STRUCT && (f->is_array || f->is_pointer))
        return within + (double)f->type->size / f->type->wire_min;
    if (f->is_array && (f->kind == KAFKA_STR || f->kind == KAFKA_BYTES))
        return sizeof(struct str);
    return f->is_array ? 1 : within;
}

static double growth_below(const struct kafka_type *type)
{
    double most = 0;
    for (int i = 0; i < type->fields_count; i++) {
        double growth = growth_of(&type->fields[i]);
        most = growth > most ? growth : most;
    }
    return most;
}

TEST(decoding_grows_by_no_more_than_is_said)
{
    double most = 0;
    for (int i = 0; i < KAFKA_TYPES_COUNT; i++) {
        double growth = growth_below(kafka_types[i]);
        EXPECT(growth <= KAFKA_GROWTH_MAX);
        most = growth > most ? growth : most;
    }
    EXPECT(2 * most > KAFKA_GROWTH_MAX); /* nor is the bound far off */
}

TEST(apis_advertise_what_is_described)
{
    for (int key = 0; key < KAFKA_APIS; key++) {
        const struct kafka_api *api = kafka_api_of(key);
        if (api == NULL)
            continue;
        EXPECT_EQ_INT(api->key, key);
        EXPECT(api->last <= api->request->last && api->last <= api->response->last);
        EXPECT_EQ_INT(api->request->first, api->response->first);
        EXPECT(key == KAFKA_API_PRODUCE || api->first == api->request->first);
    }
    const struct kafka_api *produce = kafka_api_of(KAFKA_API_PRODUCE);
    EXPECT_EQ_INT(produce->first, 0);
    EXPECT(!kafka_api_has(produce, 2) && kafka_api_has(produce, 3) && kafka_api_has(produce, 13) &&
           !kafka_api_has(produce, 14));
    EXPECT(kafka_api_of(-1) == NULL && kafka_api_of(4) == NULL && kafka_api_of(KAFKA_APIS) == NULL);
    EXPECT(kafka_type_named(STR("FetchRequest")) == &kafka_fetch_request &&
           kafka_type_named(STR("Fetch")) == NULL);
}

TEST(errors_have_names_and_texts)
{
    EXPECT_STR(kafka_error(KAFKA_ERR_NOT_COORDINATOR)->name, "NOT_COORDINATOR");
    EXPECT(kafka_error(16)->is_retriable && !kafka_error(22)->is_retriable);
    EXPECT_STR(kafka_error(-1)->name, "UNKNOWN_SERVER_ERROR");
    EXPECT(kafka_error(-2) == kafka_error(-1) && kafka_error(KAFKA_ERRORS_END) == kafka_error(-1));
    for (int code = -1; code < KAFKA_ERRORS_END; code++)
        EXPECT_EQ_INT(kafka_error(code)->code, code);
}

/* ---- messages -------------------------------------------------------------------------------------------------- */

/* Bytes written as hex. */
static struct rd hex(const char *text)
{
    size_t n = strlen(text) / 2;
    uint8_t *p = arena_alloc(&arena, n);
    EXPECT(hex_decode(p, text, n));
    return rd_of(p, n);
}

static void expect_bad(const struct kafka_type *type, int version, const char *bytes, const char *text)
{
    struct rd r = hex(bytes);
    err_clear(&err);
    EXPECT(!kafka_decode(type, version, &r, &arena, message_of(type), &err));
    EXPECT(r.bad);
    EXPECT_EQ_INT(err.class, ERR_DATA);
    EXPECT_STR(err.text, text);
    arena_reset(&arena);
}

/* As that much of it arrived, in memory of its own, so that a read behind it is seen. */
static void expect_cut(const struct kafka_type *type, int version, const uint8_t *p, size_t n)
{
    uint8_t *copy = malloc(n ? n : 1);
    memcpy(copy, p, n);
    struct rd r = rd_of(copy, n);
    EXPECT(!kafka_decode(type, version, &r, &arena, message_of(type), &err));
    free(copy);
}

TEST(every_message_that_is_cut_is_refused)
{
    for (int i = 0; i < KAFKA_TYPES_COUNT; i++) {
        const struct kafka_type *type = kafka_types[i];
        for (int version = type->first; version <= type->last; version++) {
            struct rng rng = {(uint64_t)i << 8 | (uint64_t)version};
            void *message = message_of(type);
            kafka_random(&rng, type, version, &arena, message);
            kafka_out_clear(&out);
            EXPECT(kafka_encode(type, version, message, &out, &err));
            for (size_t n = 0; n < out.bytes.n; n++)
                expect_cut(type, version, (uint8_t *)out.bytes.p, n);
            arena_reset(&arena);
        }
    }
}

TEST(what_is_malformed_is_refused_with_its_place)
{
    expect_bad(
        &kafka_produce_request, 3, "ffffffff0000753000000001000174",
        "cannot read ProduceRequest version 3: ProduceRequest.Topic.PartitionData: the message ends here");
    expect_bad(&kafka_produce_request, 3, "ffffffff00007530ffffffff",
               "cannot read ProduceRequest version 3: ProduceRequest.TopicData: it is null");
    expect_bad(&kafka_produce_request, 3, "fffeffff",
               "cannot read ProduceRequest version 3: ProduceRequest.TransactionalId: a negative length");
    expect_bad(
        &kafka_produce_request, 3, "0005616263",
        "cannot read ProduceRequest version 3: ProduceRequest.TransactionalId: it is longer than what is left");
    expect_bad(&kafka_heartbeat_request, 4, "00",
               "cannot read HeartbeatRequest version 4: HeartbeatRequest.GroupId: it is null");
    expect_bad(&kafka_heartbeat_request, 4, "ffffffff7f",
               "cannot read HeartbeatRequest version 4: HeartbeatRequest.GroupId: a varint is above 32 bits");
    expect_bad(
        &kafka_api_versions_request, 3, "0101010005",
        "cannot read ApiVersionsRequest version 3: ApiVersionsRequest.a tagged field: a tagged field is longer than what is left");
    /* ClusterId in three bytes, of which it needs two */
    expect_bad(
        &kafka_fetch_request, 12, "ffffffff000001f400000001032000000100000000ffffffff01010101000302630000",
        "cannot read FetchRequest version 12: FetchRequest.ClusterId: the tagged field is shorter than it says");
}

TEST(a_string_has_32767_bytes_at_most)
{
    struct kafka_heartbeat_request request = {.group_id = str_n(arena_zalloc(&arena, 1 << 15), 1 << 15)};
    EXPECT(!kafka_encode(&kafka_heartbeat_request, 0, &request, &out, &err));
    EXPECT_STR(err.text, "cannot write HeartbeatRequest version 0: HeartbeatRequest.GroupId is too long");
    uint8_t *bytes = arena_zalloc(&arena, 40000);
    put_uvarint(bytes, (1 << 15) + 1);
    struct rd r = rd_of(bytes, 40000);
    EXPECT(!kafka_decode(&kafka_heartbeat_request, 4, &r, &arena, &request, &err));
    EXPECT_STR(err.text,
               "cannot read HeartbeatRequest version 4: HeartbeatRequest.GroupId: the string is too long");
    arena_reset(&arena);
}

TEST(a_count_that_lies_allocates_nothing)
{
    struct kafka_metadata_request request;
    struct rd r = hex("7fffffff000174");
    arena_reset(&arena);
    size_t before = arena.bytes;
    EXPECT(!kafka_decode(&kafka_metadata_request, 1, &r, &arena, &request, &err));
    EXPECT_STR(
        err.text,
        "cannot read MetadataRequest version 1: MetadataRequest.Topics: there are fewer bytes left than so many "
        "elements have");
    EXPECT_EQ_INT(arena.bytes, before);
}

TEST(an_arena_with_a_limit_is_enough_of_a_bound)
{
    struct arena small = {.limit = 64};
    struct kafka_metadata_request request;
    struct rd r = hex("00000003000174000175000176"), again = r;
    EXPECT(!kafka_decode(&kafka_metadata_request, 1, &r, &small, &request, &err));
    EXPECT_STR(
        err.text,
        "cannot read MetadataRequest version 1: MetadataRequest.Topics: the message needs more memory than there is for it");
    EXPECT(kafka_decode(&kafka_metadata_request, 1, &again, &arena, &request, &err));
    EXPECT_EQ_INT(request.topics_count, 3);
    arena_fini(&small);
    arena_reset(&arena);
}

TEST(memory_that_fails_is_an_error)
{
    struct rng rng = {1};
    struct kafka_fetch_request sent, got;
    kafka_random(&rng, &kafka_fetch_request, 12, &arena, &sent);
    kafka_out_clear(&out);
    EXPECT(kafka_encode(&kafka_fetch_request, 12, &sent, &out, &err));
    struct arena fresh = {0};
    struct rd r = encoded();
    mem_fail_after(1);
    EXPECT(!kafka_decode(&kafka_fetch_request, 12, &r, &fresh, &got, &err));
    mem_fail_after(0);
    r = encoded();
    EXPECT(kafka_decode(&kafka_fetch_request, 12, &r, &fresh, &got, &err) &&
           kafka_same(&kafka_fetch_request, &sent, &got));
    arena_fini(&fresh);
    arena_reset(&arena);
}

TEST(unknown_tags_are_skipped_and_known_ones_come_in_any_order)
{
    struct kafka_api_versions_response response;
    /* 200: unknown; 2: finalized features, empty; 1: their epoch */
    struct rd r = hex("0000"
                      "01"
                      "00000000"
                      "03"
                      "c80103aabbcc"
                      "020101"
                      "01080000000000000007");
    EXPECT(kafka_decode(&kafka_api_versions_response, 3, &r, &arena, &response, &err));
    EXPECT_EQ_INT(response.finalized_features_epoch, 7);
    EXPECT_EQ_INT(response.finalized_features_count, 0);
    EXPECT_EQ_INT(rd_left(&r), 0);
    arena_reset(&arena);
}

TEST(fields_that_a_version_lacks_have_their_default)
{
    struct kafka_fetch_request request;
    struct rd r = hex("ffffffff000001f400000001032000000100000000");
    EXPECT(kafka_decode(&kafka_fetch_request, 4, &r, &arena, &request, &err));
    EXPECT_EQ_INT(request.session_epoch, -1);
    EXPECT_EQ_INT(request.replica_state.replica_id, -1);
    EXPECT(request.cluster_id.p == NULL && request.rack_id.p != NULL && request.rack_id.n == 0);
    EXPECT(request.forgotten_topics_data != NULL && request.forgotten_topics_data_count == 0);
    struct kafka_fetch_request_partition *partitions = KAFKA_NEW(&arena, kafka_fetch_request_partition, 2);
    EXPECT_EQ_INT(partitions[1].log_start_offset, -1);
    EXPECT_EQ_INT(partitions[1].high_watermark, INT64_MAX);
    arena_reset(&arena);
}

TEST(what_a_version_cannot_tell_is_refused_or_ignored)
{
    struct kafka_heartbeat_request request = {.group_instance_id = STR("i")};
    kafka_out_clear(&out);
    sbuf_cstr(&out.bytes, "x");
    EXPECT(!kafka_encode(&kafka_heartbeat_request, 2, &request, &out, &err));
    EXPECT_EQ_INT(err.class, ERR_FATAL);
    EXPECT_STR(
        err.text,
        "cannot write HeartbeatRequest version 2: HeartbeatRequest.GroupInstanceId is set, but this version has no "
        "such field");
    EXPECT_EQ_INT(kafka_size(&kafka_heartbeat_request, 2, &request, &err), 0);
    EXPECT_EQ_INT(out.bytes.n, 1);
    struct kafka_heartbeat_response response = {.throttle_time_ms = 5, .error_code = 27};
    EXPECT(kafka_encode(&kafka_heartbeat_response, 0, &response, &out, &err));
    EXPECT_EQ_INT(out.bytes.n, 3);
    EXPECT_MEM(out.bytes.p, "x\0\x1b", 3);
}

TEST(null_is_a_null_pointer)
{
    struct kafka_metadata_request request = {.allow_auto_topic_creation = true};
    kafka_out_clear(&out);
    EXPECT(kafka_encode(&kafka_metadata_request, 1, &request, &out, &err));
    EXPECT_MEM(out.bytes.p, "\xff\xff\xff\xff", 4);
    EXPECT(!kafka_encode(&kafka_metadata_request, 0, &request, &out, &err));
    EXPECT_STR(
        err.text,
        "cannot write MetadataRequest version 0: MetadataRequest.Topics is null, which this version does not know");
    KAFKA_INIT(kafka_metadata_request, &request);
    EXPECT(request.topics != NULL && request.topics_count == 0);
    kafka_out_clear(&out);
    EXPECT(kafka_encode(&kafka_metadata_request, 1, &request, &out, &err));
    EXPECT_MEM(out.bytes.p, "\0\0\0\0", 4);
    struct rd r = encoded();
    EXPECT(kafka_decode(&kafka_metadata_request, 1, &r, &arena, &request, &err));
    EXPECT(request.topics != NULL && request.topics_count == 0);
    /* a string that cannot be null is written as empty, so that a zeroed struct can be sent */
    struct kafka_heartbeat_request heartbeat = {0};
    kafka_out_clear(&out);
    EXPECT(kafka_encode(&kafka_heartbeat_request, 0, &heartbeat, &out, &err));
    EXPECT_EQ_INT(out.bytes.n, 8);
}

/* ---- holes, frames, headers ------------------------------------------------------------------------------------ */

/* What was encoded, its holes filled. */
static struct str filled(const struct kafka_out *o)
{
    struct sbuf whole = {0};
    size_t at = 0;
    for (size_t i = 0; i < o->holes_count; i++) {
        sbuf_add(&whole, o->bytes.p + at, o->holes[i].at - at);
        sbuf_str(&whole, o->holes[i].records);
        at = o->holes[i].at;
    }
    sbuf_add(&whole, o->bytes.p + at, o->bytes.n - at);
    struct str s = str_n(arena_dup(&arena, whole.p, whole.n), whole.n);
    sbuf_fini(&whole);
    return s;
}

TEST(records_can_be_left_out)
{
    struct kafka_out pieces = {.leaves_records = true};
    const struct kafka_api *fetch = kafka_api_of(KAFKA_API_FETCH);
    size_t holes = 0;
    kafka_out_clear(&out);
    for (int version = fetch->first; version <= fetch->last; version++) {
        struct rng rng = {(uint64_t)version};
        struct kafka_fetch_response response;
        kafka_random(&rng, &kafka_fetch_response, version, &arena, &response);
        EXPECT(kafka_response_encode(fetch, version, version, &response, &out, &err));
        EXPECT(kafka_response_encode(fetch, version, version, &response, &pieces, &err));
    }
    struct str whole = filled(&pieces);
    EXPECT(str_eq(whole, sbuf_view(&out.bytes)));
    for (size_t i = 0; i < pieces.holes_count; i++)
        holes += pieces.holes[i].records.n;
    EXPECT(holes > 0 && pieces.bytes.n + holes == out.bytes.n);
    kafka_out_clear(&pieces);
    EXPECT(pieces.bytes.n == 0 && pieces.holes_count == 0);
    kafka_out_fini(&pieces);
    arena_reset(&arena);
}

TEST(a_frame_that_cannot_be_written_leaves_no_trace)
{
    struct kafka_out pieces = {.leaves_records = true};
    struct kafka_fetch_response_partition partition = {.records = STR("abc")};
    struct kafka_fetch_response_topic topic = {.partitions = &partition, .partitions_count = 1};
    struct kafka_fetch_response response = {.responses = &topic, .responses_count = 1, .session_id = 1};
    EXPECT(!kafka_response_encode(kafka_api_of(KAFKA_API_FETCH), 4, 1, &response, &pieces, &err));
    EXPECT(pieces.bytes.n == 0 && pieces.holes_count == 0);
    kafka_out_fini(&pieces);
}

TEST(frames_are_found_in_a_stream)
{
    struct str frame;
    size_t size;
    EXPECT_EQ_INT(kafka_frame_next("\0\0\0", 3, 100, &frame, &size), KAFKA_FRAME_PART);
    EXPECT_EQ_INT(size, 4);
    EXPECT_EQ_INT(kafka_frame_next("\0\0\0\x5"
                                   "abcd",
                                   8, 100, &frame, &size),
                  KAFKA_FRAME_PART);
    EXPECT_EQ_INT(size, 9);
    EXPECT_EQ_INT(kafka_frame_next("\0\0\0\x5"
                                   "abcdefg",
                                   11, 100, &frame, &size),
                  KAFKA_FRAME_WHOLE);
    EXPECT_EQ_INT(size, 9);
    EXPECT(str_is(frame, "abcde"));
    EXPECT_EQ_INT(kafka_frame_next("\0\0\0\x65", 4, 100, &frame, &size), KAFKA_FRAME_BAD);
    EXPECT_EQ_INT(kafka_frame_next("\0\0\0\x64", 4, 100, &frame, &size), KAFKA_FRAME_PART);
    EXPECT_EQ_INT(kafka_frame_next("\0\0\0\x3", 4, 100, &frame, &size), KAFKA_FRAME_BAD);
    EXPECT_EQ_INT(kafka_frame_next("\xff\xff\xff\xff", 4, SIZE_MAX, &frame, &size), KAFKA_FRAME_BAD);
    EXPECT_EQ_INT(kafka_frame_next("GET ", 4, KAFKA_FRAME_MAX, &frame, &size), KAFKA_FRAME_BAD);
}

/* The bytes are kafka-python's (3.0.12). */
TEST(requests_have_headers)
{
    struct kafka_api_versions_request request = {STR("kcat"), STR("1.7.1"), {0}, -1};
    struct kafka_header header;
    struct rd r = hex("0000001e0012000300000007000772646b61666b6100056b63617406312e372e3100");
    kafka_out_clear(&out);
    EXPECT(kafka_request_encode(kafka_api_of(KAFKA_API_API_VERSIONS), 3, 7, STR("rdkafka"), &request, &out,
                                &err));
    EXPECT(EXPECT_EQ_INT(out.bytes.n, rd_left(&r)) && EXPECT_MEM(out.bytes.p, r.p, out.bytes.n));
    rd_be32(&r);
    EXPECT(kafka_header_decode(&r, &header, &err));
    EXPECT(header.api == &kafka_apis[KAFKA_API_API_VERSIONS] && header.key == 18 && header.version == 3);
    EXPECT_EQ_INT(header.correlation_id, 7);
    EXPECT(str_is(header.client_id, "rdkafka"));
    EXPECT(kafka_decode(header.api->request, header.version, &r, &arena, &request, &err));
    EXPECT(str_is(request.client_software_version, "1.7.1"));

    r = hex("000c0003000000080001630001670000000300016dffff");
    EXPECT(kafka_header_decode(&r, &header, &err));
    EXPECT(header.api == &kafka_apis[KAFKA_API_HEARTBEAT] && str_is(header.client_id, "c"));
    EXPECT_EQ_INT(rd_left(&r), 12);
    r = hex("000c000300000008ffff");
    EXPECT(kafka_header_decode(&r, &header, &err) && header.client_id.p == NULL);
    r = hex("0004000300000008");
    EXPECT(kafka_header_decode(&r, &header, &err) && header.api == NULL && header.key == 4);
    r = hex("00120063000000080001630100017a");
    EXPECT(kafka_header_decode(&r, &header, &err) && header.version == 99 && rd_left(&r) == 0);
    arena_reset(&arena);
}

TEST(bad_headers_are_refused)
{
    static const char *const bad[] = {"",
                                      "000c0003000000",
                                      "000c000300000008",           /* no client id */
                                      "000c0003000000080005636363", /* a short one */
                                      "000c000300000008fffe",       /* of length -2 */
                                      "000c000400000008000163",     /* no tags */
                                      "000c00040000000800016301",   /* half of them */
                                      "000c00040000000800016301000561"};
    struct kafka_header header;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct rd r = hex(bad[i]);
        EXPECT(!kafka_header_decode(&r, &header, &err));
        EXPECT_EQ_INT(err.class, ERR_DATA);
    }
    arena_reset(&arena);
}

static void expect_response_header(int key, int version, size_t size)
{
    const struct kafka_api *api = kafka_api_of(key);
    void *message = message_of(api->response);
    int32_t correlation_id;
    kafka_init(api->response, message);
    kafka_out_clear(&out);
    EXPECT(kafka_response_encode(api, version, 0x01020304, message, &out, &err));
    EXPECT_EQ_INT(out.bytes.n, 4 + size + kafka_size(api->response, version, message, &err));
    EXPECT_EQ_INT(get_be32(out.bytes.p), out.bytes.n - 4);
    struct rd r = rd_of(out.bytes.p + 4, out.bytes.n - 4);
    EXPECT(kafka_response_header_decode(api, version, &r, &correlation_id, &err));
    EXPECT_EQ_INT(correlation_id, 0x01020304);
    EXPECT(kafka_decode(api->response, version, &r, &arena, message, &err) && rd_left(&r) == 0);
    arena_reset(&arena);
}

TEST(responses_have_headers)
{
    expect_response_header(KAFKA_API_HEARTBEAT, 3, 4);
    expect_response_header(KAFKA_API_HEARTBEAT, 4, 5);
    expect_response_header(KAFKA_API_API_VERSIONS, 0, 4);
    expect_response_header(KAFKA_API_API_VERSIONS, 4, 4); /* the exception */
    expect_response_header(KAFKA_API_SASL_HANDSHAKE, 1, 4);
}

/* ---- data with a version in front ------------------------------------------------------------------------------ */

TEST(consumers_may_be_newer_than_the_broker)
{
    struct kafka_consumer_protocol_subscription subscription;
    int version;
    struct rd r = hex("0001"
                      "00000001"
                      "000174"
                      "ffffffff"
                      "00000001"
                      "000174"
                      "00000001"
                      "00000002");
    EXPECT(kafka_versioned_decode(&kafka_consumer_protocol_subscription, &r, &arena, &version, &subscription,
                                  &err));
    EXPECT_EQ_INT(version, 1);
    EXPECT(str_is(subscription.topics[0], "t") && subscription.user_data.p == NULL);
    EXPECT_EQ_INT(subscription.owned_partitions[0].partitions[0], 2);
    r = hex("0009"
            "00000000"
            "ffffffff"
            "00000000"
            "00000007"
            "ffff"
            "aabb");
    EXPECT(kafka_versioned_decode(&kafka_consumer_protocol_subscription, &r, &arena, &version, &subscription,
                                  &err));
    EXPECT_EQ_INT(version, 9);
    EXPECT_EQ_INT(subscription.generation_id, 7);
    r = hex("0009");
    struct kafka_consumer_group_metadata_value value;
    EXPECT(!kafka_versioned_decode(&kafka_consumer_group_metadata_value, &r, &arena, &version, &value, &err));
    EXPECT_STR(err.text, "cannot read ConsumerGroupMetadataValue: version 9 is unknown");
    r = hex("ffff00000000");
    EXPECT(!kafka_versioned_decode(&kafka_consumer_protocol_subscription, &r, &arena, &version, &subscription,
                                   &err));
    r = hex("00");
    EXPECT(!kafka_versioned_decode(&kafka_consumer_protocol_subscription, &r, &arena, &version, &subscription,
                                   &err));
    arena_reset(&arena);
}

TEST(coordinators_records_say_what_they_are)
{
    struct str topic = STR("__consumer_offsets");
    const struct kafka_record *record = kafka_record_of(topic, 1), *found;
    union kafka_record_key key = {.offset_commit_key = {STR("g"), STR("t"), 3}}, got;
    struct rd r = hex("0001"
                      "000167"
                      "000174"
                      "00000003");
    kafka_out_clear(&out);
    EXPECT_STR(record->name, "OffsetCommit");
    EXPECT(kafka_record_key_encode(record, &key, &out, &err));
    EXPECT(EXPECT_EQ_INT(out.bytes.n, rd_left(&r)) && EXPECT_MEM(out.bytes.p, r.p, out.bytes.n));
    EXPECT(kafka_record_key_decode(topic, &r, &arena, &found, &got, &err));
    EXPECT(found == record && str_is(got.offset_commit_key.group, "g") &&
           got.offset_commit_key.partition == 3);
    r = hex("0063");
    EXPECT(kafka_record_key_decode(topic, &r, &arena, &found, &got, &err) && found == NULL);
    r = hex("00");
    EXPECT(!kafka_record_key_decode(topic, &r, &arena, &found, &got, &err));
    r = hex("000100");
    EXPECT(!kafka_record_key_decode(topic, &r, &arena, &found, &got, &err));
    EXPECT_STR(kafka_record_of(STR("__transaction_state"), 0)->name, "TransactionLog");

    struct kafka_offset_commit_value value = {
        .offset = 42, .leader_epoch = -1, .metadata = STR("m"), .commit_timestamp = 9};
    int version;
    kafka_out_clear(&out);
    EXPECT(kafka_versioned_encode(record->value, 3, &value, &out, &err));
    r = hex("0003"
            "000000000000002a"
            "ffffffff"
            "00016d"
            "0000000000000009");
    EXPECT(EXPECT_EQ_INT(out.bytes.n, rd_left(&r)) && EXPECT_MEM(out.bytes.p, r.p, out.bytes.n));
    EXPECT(kafka_versioned_decode(record->value, &r, &arena, &version, &value, &err) && version == 3 &&
           value.offset == 42);
    arena_reset(&arena);
}

int main(void)
{
    RUN(every_message_and_version_comes_back_as_it_was);
    RUN(decoding_grows_by_no_more_than_is_said);
    RUN(apis_advertise_what_is_described);
    RUN(errors_have_names_and_texts);
    RUN(every_message_that_is_cut_is_refused);
    RUN(what_is_malformed_is_refused_with_its_place);
    RUN(a_string_has_32767_bytes_at_most);
    RUN(a_count_that_lies_allocates_nothing);
    RUN(an_arena_with_a_limit_is_enough_of_a_bound);
    RUN(memory_that_fails_is_an_error);
    RUN(unknown_tags_are_skipped_and_known_ones_come_in_any_order);
    RUN(fields_that_a_version_lacks_have_their_default);
    RUN(what_a_version_cannot_tell_is_refused_or_ignored);
    RUN(null_is_a_null_pointer);
    RUN(records_can_be_left_out);
    RUN(a_frame_that_cannot_be_written_leaves_no_trace);
    RUN(frames_are_found_in_a_stream);
    RUN(requests_have_headers);
    RUN(bad_headers_are_refused);
    RUN(responses_have_headers);
    RUN(consumers_may_be_newer_than_the_broker);
    RUN(coordinators_records_say_what_they_are);
    kafka_out_fini(&out);
    arena_fini(&arena);
    return test_end();
}

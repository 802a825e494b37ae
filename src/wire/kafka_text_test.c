/* Messages as text: there and back, what is wrong in it; and, written as text, messages whose bytes other programs made. */
#include <ref/random_kafka.h>

#include "base/test.h"

static struct arena arena;
static struct kafka_out out;
static struct err err;

static struct sbuf print(const struct kafka_type *type, int version, const void *message)
{
    struct sbuf text = {0};
    kafka_print(type, version, message, SIZE_MAX, &text);
    return text;
}

/* ---- golden bytes ---------------------------------------------------------------------------------------------- */

/* The bytes are kafka-python's (3.0.12), which takes its codec from Kafka's own description; those of records Kafka's (4.3.1). */
static const struct {
    const char *type;
    int version;
    const char *text, *hex;
} golden[] = {
    {"ApiVersionsRequest", 3, "ClientSoftwareName: kcat, ClientSoftwareVersion: 1.7.1",
     "056b63617406312e372e3100"},
    {"ApiVersionsResponse", 0, "ApiKeys: [{ApiKey: 0, MaxVersion: 13}, {ApiKey: 18, MaxVersion: 4}]",
     "00000000000200000000000d001200000004"},
    {"ApiVersionsResponse", 3,
     "ApiKeys: [{ApiKey: 0, MaxVersion: 13}, {ApiKey: 18, MaxVersion: 4}], ThrottleTimeMs: 7"
     " SupportedFeatures: [{Name: transaction.version, MaxVersion: 2}], FinalizedFeaturesEpoch: 5"
     " FinalizedFeatures: [{Name: transaction.version, MaxVersionLevel: 2, MinVersionLevel: 2}]",
     "00000300000000000d00001200000004000000000703001a02147472616e73616374696f6e2e76657273696f6e000000020001080000000000"
     "000005021a02147472616e73616374696f6e2e76657273696f6e0002000200"},
    {"MetadataRequest", 1, "Topics: null", "ffffffff"},
    {"MetadataRequest", 12,
     "Topics: [{TopicId: ABEiM0RVZneImaq7zN3u_w, Name: orders}] AllowAutoTopicCreation: false"
     " IncludeTopicAuthorizedOperations: true",
     "0200112233445566778899aabbccddeeff076f726465727300000100"},
    {"MetadataResponse", 5,
     "Brokers: [{NodeId: 1, Host: 127.0.0.1, Port: 9092}] ClusterId: sluice, ControllerId: 1, Topics: [{ErrorCode:"
     " UNKNOWN_TOPIC_OR_PARTITION, Name: t, Partitions: [{PartitionIndex: 0, LeaderId: 1, ReplicaNodes: [1], IsrNodes: [1]}]}]",
     "00000000000000010000000100093132372e302e302e3100002384ffff0006736c756963650000000100000001000300017400000000010000"
     "00000000000000010000000100000001000000010000000100000000"},
    {"MetadataResponse", 12,
     "Brokers: [{NodeId: 1, Host: 127.0.0.1, Port: 9092}] ClusterId: sluice, ControllerId: 1, Topics: [{ErrorCode: 3, Name: t,"
     " TopicId: ABEiM0RVZneImaq7zN3u_w, Partitions: [{LeaderId: 1, LeaderEpoch: 4, ReplicaNodes: [1], IsrNodes: [1]}]}]",
     "0000000002000000010a3132372e302e302e3100002384000007736c7569636500000001020003027400112233445566778899aabbccddeeff"
     "00020000000000000000000100000004020000000102000000010100800000000000"},
    {"ProduceRequest", 3,
     "Acks: -1, TimeoutMs: 30000, TopicData: [{Name: t, PartitionData: [{Index: 2, Records: 0x0001feff}]}]",
     "ffffffff00007530000000010001740000000100000002000000040001feff"},
    {"ProduceRequest", 9,
     "Acks: -1, TimeoutMs: 30000, TopicData: [{Name: t, PartitionData: [{Index: 2, Records: 0x0001feff}]}]",
     "00ffff000075300202740200000002050001feff000000"},
    {"ProduceRequest", 13,
     "Acks: -1, TimeoutMs: 30000, TopicData: [{TopicId: ABEiM0RVZneImaq7zN3u_w, PartitionData: [{Index: 2, Records: 0x0001feff}]}]",
     "00ffff000075300200112233445566778899aabbccddeeff0200000002050001feff000000"},
    {"ProduceResponse", 8,
     "Responses: [{Name: t, PartitionResponses: [{Index: 2, ErrorCode: INVALID_RECORD, BaseOffset: -1, LogStartOffset: 0,"
     " RecordErrors: [{BatchIndex: 3, BatchIndexErrorMessage: \"no key\"}], ErrorMessage: rejected}]}], ThrottleTimeMs: 1",
     "0000000100017400000001000000020057ffffffffffffffffffffffffffffffff0000000000000000000000010000000300066e6f206b6579"
     "000872656a656374656400000001"},
    {"FetchRequest", 4,
     "MaxWaitMs: 500, MinBytes: 1, MaxBytes: 52428800, IsolationLevel: 1, Topics: [{Topic: t, Partitions: [{Partition: 2,"
     " FetchOffset: 1000, PartitionMaxBytes: 1048576}]}]",
     "ffffffff000001f400000001032000000100000001000174000000010000000200000000000003e800100000"},
    {"FetchRequest", 12,
     "ClusterId: c, MaxWaitMs: 500, MinBytes: 1, MaxBytes: 52428800, IsolationLevel: 1, Topics: [{Topic: t, Partitions:"
     " [{Partition: 2, CurrentLeaderEpoch: 4, FetchOffset: 1000, PartitionMaxBytes: 1048576}]}]",
     "ffffffff000001f400000001032000000100000000ffffffff02027402000000020000000400000000000003e8ffffffffffffffffffffffff"
     "00100000000001010100020263"},
    {"FetchResponse", 4,
     "Responses: [{Topic: t, Partitions: [{PartitionIndex: 2, HighWatermark: 1010, LastStableOffset: 1005,"
     " AbortedTransactions: [{ProducerId: 77, FirstOffset: 1001}], Records: 0x010203}]}]",
     "00000000000000010001740000000100000002000000000000000003f200000000000003ed00000001000000000000004d00000000000003e9"
     "00000003010203"},
    {"FetchResponse", 13,
     "SessionId: 9, Responses: [{TopicId: ABEiM0RVZneImaq7zN3u_w, Partitions: [{PartitionIndex: 2, HighWatermark: 1010,"
     " LastStableOffset: 1005, LogStartOffset: 0, AbortedTransactions: [{ProducerId: 77, FirstOffset: 1001}], Records: 0x010203}]}]",
     "000000000000000000090200112233445566778899aabbccddeeff0200000002000000000000000003f200000000000003ed00000000000000"
     "0002000000000000004d00000000000003e900ffffffff04010203000000"},
    {"JoinGroupRequest", 5,
     "GroupId: g, SessionTimeoutMs: 10000, RebalanceTimeoutMs: 60000, ProtocolType: consumer, Protocols: [{Name: range,"
     " Metadata: 0x0001}]",
     "000167000027100000ea600000ffff0008636f6e73756d657200000001000572616e6765000000020001"},
    {"OffsetCommitRequest", 2,
     "GroupId: g, GenerationIdOrMemberEpoch: 3, MemberId: m, Topics: [{Name: t, Partitions: [{CommittedOffset: 42,"
     " CommittedMetadata: null}]}]",
     "0001670000000300016dffffffffffffffff000000010001740000000100000000000000000000002affff"},
    {"OffsetCommitRequest", 8,
     "GroupId: g, GenerationIdOrMemberEpoch: 3, MemberId: m, Topics: [{Name: t, Partitions: [{CommittedOffset: 42,"
     " CommittedMetadata: null}]}]",
     "026700000003026d000202740200000000000000000000002affffffff00000000"},
    {"DescribeClientQuotasResponse", 0,
     "ErrorMessage: null, Entries: [{Entity: [{EntityType: user, EntityName: null}], Values: [{Key: producer_byte_rate, Value:"
     " 1048576.5}]}]",
     "000000000000ffff0000000100000001000475736572ffff00000001001270726f64756365725f627974655f726174654130000080000000"},
    {"ConsumerGroupMemberMetadataValue", 0, "ClassicMemberMetadata: null", "010101010101ffffffff0101000100"},
    {"ConsumerGroupMemberMetadataValue", 0, "ClassicMemberMetadata: {SessionTimeoutMs: 5}",
     "010101010101ffffffff0101000701000000050100"},
};

TEST(bytes_are_those_of_other_programs)
{
    for (size_t i = 0; i < sizeof golden / sizeof golden[0]; i++) {
        const struct kafka_type *type = kafka_type_named(str_of(golden[i].type));
        size_t n = strlen(golden[i].hex) / 2;
        uint8_t *bytes = arena_alloc(&arena, n);
        void *sent = arena_zalloc(&arena, type->size), *got = arena_zalloc(&arena, type->size);
        kafka_out_clear(&out);
        hex_decode(bytes, golden[i].hex, n);
        struct rd r = rd_of(bytes, n);
        EXPECT(kafka_parse(type, str_of(golden[i].text), &arena, sent, &err));
        EXPECT(kafka_encode(type, golden[i].version, sent, &out, &err));
        bool same = EXPECT_EQ_INT(out.bytes.n, n) && EXPECT_MEM(out.bytes.p, bytes, n);
        same &= EXPECT(kafka_decode(type, golden[i].version, &r, &arena, got, &err) && rd_left(&r) == 0);
        same &= EXPECT(kafka_same(type, sent, got));
        if (!same)
            fprintf(stderr, "    %s version %d: %s\n", type->name, golden[i].version, err.text);
    }
    arena_reset(&arena);
}

/* ---- text ------------------------------------------------------------------------------------------------------ */

TEST(what_is_printed_can_be_read)
{
    for (int i = 0; i < KAFKA_TYPES_COUNT; i++) {
        const struct kafka_type *type = kafka_types[i];
        for (int version = type->first; version <= type->last; version++) {
            struct rng rng = {(uint64_t)i << 8 | (uint64_t)version};
            void *message = arena_zalloc(&arena, type->size), *got = arena_zalloc(&arena, type->size);
            kafka_random(&rng, type, version, &arena, message);
            struct sbuf once = print(type, version, message), twice = {0};
            if (EXPECT(kafka_parse(type, sbuf_view(&once), &arena, got, &err))) {
                twice = print(type, version, got);
                EXPECT_STR(twice.p, once.p);
            } else {
                fprintf(stderr, "    %s:%d: %s\n%s\n", type->name, err.place.column, err.text, once.p);
            }
            sbuf_fini(&once);
            sbuf_fini(&twice);
            arena_reset(&arena);
        }
    }
}

static void expect_print(const struct kafka_type *type, int version, const char *text, size_t bytes_max,
                         const char *printed)
{
    void *message = arena_zalloc(&arena, type->size);
    struct sbuf again = {0};
    if (EXPECT(kafka_parse(type, str_of(text), &arena, message, &err))) {
        kafka_print(type, version, message, bytes_max, &again);
        EXPECT_STR(again.p, printed);
    } else {
        fprintf(stderr, "    %s\n", err.text);
    }
    sbuf_fini(&again);
    arena_reset(&arena);
}

TEST(text_may_be_written_as_people_do)
{
    expect_print(&kafka_heartbeat_request, 3,
                 "group_id: g  generationid: 7 # a comment, too\n MEMBER_ID: \"a b\"\n", SIZE_MAX,
                 "{GroupId: \"g\", GenerationId: 7, MemberId: \"a b\", GroupInstanceId: null}");
    expect_print(&kafka_sync_group_response, 0, "{ErrorCode: -1 Assignment: \"\\u00e9\\n\\ud83d\\ude00\"}",
                 SIZE_MAX, "{ErrorCode: UNKNOWN_SERVER_ERROR, Assignment: 0xc3a90af09f9880}");
    expect_print(&kafka_sync_group_response, 0, "ErrorCode: 999, Assignment: 0x00010203", 2,
                 "{ErrorCode: 999, Assignment: 0x0001…(4 bytes)}");
    expect_print(
        &kafka_describe_topic_partitions_request, 0, "Topics: [{Name: \"\xff\"}] Cursor: {TopicName: t}",
        SIZE_MAX,
        "{Topics: [{Name: 0xff}], ResponsePartitionLimit: 2000, Cursor: {TopicName: \"t\", PartitionIndex: 0}}");
    expect_print(
        &kafka_fetch_request, 12, "", SIZE_MAX,
        "{ReplicaId: -1, MaxWaitMs: 0, MinBytes: 0, MaxBytes: 2147483647, IsolationLevel: 0, SessionId: 0, SessionEpoch: -1,"
        " Topics: [], ForgottenTopicsData: [], RackId: \"\"}");
}

TEST(mistakes_in_text_are_told_with_their_place)
{
    static const struct {
        const char *text, *error;
        int line, column;
        const char *hint;
    } cases[] = {
        {"GroupId: g\nMemberIt: m", "HeartbeatRequest has no field \"MemberIt\"", 2, 1,
         "Did you mean MemberId?"},
        {"GroupId g", "\":\" is missing behind GroupId", 1, 9, ""},
        {"{GroupId: g", "\"}\" is missing", 1, 12, ""},
        {"{GroupId: g} x", "HeartbeatRequest has ended already", 1, 14, ""},
        {"GroupId: null", "GroupId cannot be null", 1, 10, ""},
        {"GroupId: \"é", "a string that does not end", 1, 10, ""},
        {"GroupId: \"é\\x\"", "an unknown escape in a string", 1, 13, ""},
        {"GroupId: \"\\ud800\"", "\"\\ud800\" is half of a pair", 1, 17, ""},
        {"GroupId: 0xabc", "\"0xabc\" is no hex", 1, 10, ""},
        {"GenerationId: much", "GenerationId is a number, \"much\" is not", 1, 15, ""},
        {"GenerationId: 2147483648", "GenerationId is from -2147483648 to 2147483647, not 2147483648", 1, 15,
         ""},
    };
    struct kafka_heartbeat_request request;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        err_clear(&err);
        EXPECT(!kafka_parse(&kafka_heartbeat_request, str_of(cases[i].text), &arena, &request, &err));
        EXPECT_STR(err.text, cases[i].error);
        EXPECT_STR(err.hint, cases[i].hint);
        EXPECT_EQ_INT(err.class, ERR_CONFIG);
        EXPECT_EQ_INT(err.place.line, cases[i].line);
        EXPECT_EQ_INT(err.place.column, cases[i].column);
    }
    struct kafka_metadata_request metadata;
    EXPECT(!kafka_parse(&kafka_metadata_request, STR("Topics: [{TopicId: AAAA}]"), &arena, &metadata, &err));
    EXPECT_STR(err.text, "TopicId is a uuid of 22 characters, \"AAAA\" is not");
    EXPECT(!kafka_parse(&kafka_metadata_request, STR("Topics: [{}"), &arena, &metadata, &err));
    EXPECT_STR(err.text, "\"]\" is missing");
    arena_reset(&arena);
}

TEST(uuids_are_texts_of_22_characters)
{
    struct kafka_uuid uuid = {{0, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0xAA, 0xBB, 0xCC,
                               0xDD, 0xEE, 0xFF}},
                      got;
    char text[KAFKA_UUID_TEXT + 1];
    kafka_uuid_print(uuid, text);
    EXPECT_STR(text, "ABEiM0RVZneImaq7zN3u_w");
    EXPECT(kafka_uuid_parse(str_of(text), &got));
    EXPECT_MEM(got.b, uuid.b, 16);
    EXPECT(!kafka_uuid_parse(STR("ABEiM0RVZneImaq7zN3u_x"), &got)); /* a bit more than 128 */
    EXPECT(!kafka_uuid_parse(STR("ABEiM0RVZneImaq7zN3u+w"), &got));
    EXPECT(!kafka_uuid_parse(STR("ABEiM0RVZneImaq7zN3u_"), &got));
}

int main(void)
{
    RUN(bytes_are_those_of_other_programs);
    RUN(what_is_printed_can_be_read);
    RUN(text_may_be_written_as_people_do);
    RUN(mistakes_in_text_are_told_with_their_place);
    RUN(uuids_are_texts_of_22_characters);
    kafka_out_fini(&out);
    arena_fini(&arena);
    return test_end();
}

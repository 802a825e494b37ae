/* Protobuf's C library, for protobuf_bench.c: the code that its compiler would make for the message there, by hand. */
#include "bench.h"
#include <protobuf-c/protobuf-c.h>

double protobuf_peer(const struct str *records, int count);

struct peer_time {
    ProtobufCMessage base;
    int64_t seconds;
    int32_t nanos;
};

struct peer_event {
    ProtobufCMessage base;
    int64_t id;
    char *user_id, *event;
    struct peer_time *at;
    char *country, *city;
    double amount;
    int32_t quantity;
    protobuf_c_boolean premium;
    char *url, *session, *agent;
};

#define FIELD(owner, member, number, kind, of, value)                                                        \
    {                                                                                                        \
        .name = #member, .id = (number), .label = PROTOBUF_C_LABEL_NONE, .type = PROTOBUF_C_TYPE_##kind,     \
        .offset = offsetof(struct owner, member), .descriptor = (of), .default_value = (value)               \
    }

static const ProtobufCFieldDescriptor time_fields[] = {
    FIELD(peer_time, seconds, 1, INT64, NULL, NULL),
    FIELD(peer_time, nanos, 2, INT32, NULL, NULL),
};
static const ProtobufCIntRange time_ranges[] = {{1, 0}, {0, 2}}, event_ranges[] = {{1, 0}, {0, 12}};

static const ProtobufCMessageDescriptor time_type = {
    .magic = PROTOBUF_C__MESSAGE_DESCRIPTOR_MAGIC,
    .sizeof_message = sizeof(struct peer_time),
    .n_fields = 2,
    .fields = time_fields,
    .n_field_ranges = 1,
    .field_ranges = time_ranges,
};

static const char empty[] = "";

static const ProtobufCFieldDescriptor event_fields[] = {
    FIELD(peer_event, id, 1, INT64, NULL, NULL),         FIELD(peer_event, user_id, 2, STRING, NULL, empty),
    FIELD(peer_event, event, 3, STRING, NULL, empty),    FIELD(peer_event, at, 4, MESSAGE, &time_type, NULL),
    FIELD(peer_event, country, 5, STRING, NULL, empty),  FIELD(peer_event, city, 6, STRING, NULL, empty),
    FIELD(peer_event, amount, 7, DOUBLE, NULL, NULL),    FIELD(peer_event, quantity, 8, INT32, NULL, NULL),
    FIELD(peer_event, premium, 9, BOOL, NULL, NULL),     FIELD(peer_event, url, 10, STRING, NULL, empty),
    FIELD(peer_event, session, 11, STRING, NULL, empty), FIELD(peer_event, agent, 12, STRING, NULL, empty),
};

static const ProtobufCMessageDescriptor event_type = {
    .magic = PROTOBUF_C__MESSAGE_DESCRIPTOR_MAGIC,
    .sizeof_message = sizeof(struct peer_event),
    .n_fields = 12,
    .fields = event_fields,
    .n_field_ranges = 1,
    .field_ranges = event_ranges,
};

double protobuf_peer(const struct str *records, int count)
{
    double best = 1e9;
    for (int round = 0; round < 50; round++) {
        double from = bench_now_s();
        for (int i = 0; i < count; i++) {
            ProtobufCMessage *message = protobuf_c_message_unpack(&event_type, NULL, records[i].n,
                                                                  (const uint8_t *)records[i].p);
            if (message == NULL || ((struct peer_event *)(void *)message)->at == NULL)
                abort();
            protobuf_c_message_free_unpacked(message, NULL);
        }
        double took = bench_now_s() - from;
        best = took < best ? took : best;
    }
    return best;
}

/* ListOffsets and OffsetForLeaderEpoch: offsets by time, by epoch, by name. */
#include "broker/api.h"

/* Timestamps that mean something else. */
enum {
    OFFSET_LATEST = -1,
    OFFSET_EARLIEST = -2,
    OFFSET_MAX_TIMESTAMP = -3,
    OFFSET_EARLIEST_LOCAL = -4,
    OFFSET_LATEST_TIERED = -5,
    OFFSET_EARLIEST_PENDING_UPLOAD = -6,
};
enum { LEADER_EPOCH_FROM_VERSION = 4 };

/* A request that may have to look into files runs on the block role; what it needs of the net role is found before. */
struct look_up {
    struct request *request;
    struct kafka_list_offsets_response out;
    struct log **logs; /* of all partitions, in order; NULL: not found */
    struct msg cold, back;
};

static bool is_committed(const struct request *r)
{
    const struct kafka_list_offsets_request *in = r->body;
    return in->isolation_level == 1;
}

static int16_t check_epoch(struct log *log, int32_t asked)
{
    int32_t epoch = log_epoch(log);
    if (asked < 0 || asked == epoch)
        return KAFKA_ERR_NONE;
    return asked < epoch ? KAFKA_ERR_FENCED_LEADER_EPOCH : KAFKA_ERR_UNKNOWN_LEADER_EPOCH;
}

/* The epoch in which the record of that offset was written. */
static int32_t epoch_at(struct log *log, int64_t offset)
{
    int32_t epoch = log_epoch(log), found;
    int64_t end;
    for (; epoch >= 0 && log_epoch_end(log, epoch - 1, &found, &end) && end > offset; epoch = found)
        ;
    return epoch;
}

static int16_t find_by_time(struct request *r, struct log *log, int64_t timestamp,
                            struct kafka_list_offsets_response_partition *out)
{
    int64_t offset = -1, found = -1;
    struct err err;
    bool done = timestamp == OFFSET_MAX_TIMESTAMP ? log_max_timestamp(log, &found, &offset, &err)
                                                  : log_find_time(log, timestamp, &offset, &found, &err);
    if (!done)
        return KAFKA_ERR_KAFKA_STORAGE_ERROR;
    if (offset < 0 || (is_committed(r) && offset >= log_stable(log)))
        return KAFKA_ERR_NONE; /* none: −1, −1 */
    out->offset = offset;
    out->timestamp = found;
    out->leader_epoch = epoch_at(log, offset);
    return KAFKA_ERR_NONE;
}

static int16_t find_offset(struct request *r, struct log *log,
                           const struct kafka_list_offsets_request_partition *in,
                           struct kafka_list_offsets_response_partition *out)
{
    int16_t error = check_epoch(log, in->current_leader_epoch);
    if (error != KAFKA_ERR_NONE)
        return error;
    switch (in->timestamp) {
    case OFFSET_LATEST:
        out->offset = is_committed(r) ? log_stable(log) : log_end(log);
        out->leader_epoch = log_epoch(log);
        return KAFKA_ERR_NONE;
    case OFFSET_EARLIEST:
    case OFFSET_EARLIEST_LOCAL: /* there is no other storage than ours */
        out->offset = log_start(log);
        out->leader_epoch = epoch_at(log, out->offset);
        return KAFKA_ERR_NONE;
    case OFFSET_LATEST_TIERED:
    case OFFSET_EARLIEST_PENDING_UPLOAD: return KAFKA_ERR_NONE;
    default: return find_by_time(r, log, in->timestamp, out);
    }
}

static void find_offsets(struct look_up *l)
{
    const struct kafka_list_offsets_request *in = l->request->body;
    size_t at = 0;
    for (uint32_t i = 0; i < in->topics_count; i++)
        for (uint32_t k = 0; k < in->topics[i].partitions_count; k++) {
            struct kafka_list_offsets_response_partition *to = &l->out.topics[i].partitions[k];
            struct log *log = l->logs[at++];
            if (to->error_code == KAFKA_ERR_NONE)
                to->error_code = log ? find_offset(l->request, log, &in->topics[i].partitions[k], to)
                                     : KAFKA_ERR_UNKNOWN_TOPIC_OR_PARTITION;
            if (l->request->header.version < LEADER_EPOCH_FROM_VERSION)
                to->leader_epoch = -1;
            log_release(log);
        }
}

static void handle_cold(struct msg *msg)
{
    struct look_up *l = CONTAINER_OF(msg, struct look_up, cold);
    run_on_block();
    find_offsets(l);
    loop_post(l->request->broker->net, &l->back);
}

static void handle_back(struct msg *msg)
{
    struct look_up *l = CONTAINER_OF(msg, struct look_up, back);
    run_on_net();
    request_answer(l->request, &l->out);
}

static bool is_supported(int64_t timestamp, int version)
{
    return timestamp >= OFFSET_EARLIEST || (timestamp == OFFSET_MAX_TIMESTAMP && version >= 7) ||
           (timestamp == OFFSET_EARLIEST_LOCAL && version >= 8) ||
           (timestamp == OFFSET_LATEST_TIERED && version >= 9) ||
           (timestamp == OFFSET_EARLIEST_PENDING_UPLOAD && version >= 11);
}

/* Lays the answer out, and finds the logs. True: some question needs the records. */
static bool prepare(struct look_up *l) ON(net)
{
    struct request *r = l->request;
    const struct kafka_list_offsets_request *in = r->body;
    size_t count = 0;
    bool needs_records = false;
    for (uint32_t i = 0; i < in->topics_count; i++)
        count += in->topics[i].partitions_count;
    l->logs = arena_zarray(&r->arena, struct log *, count);
    l->out.topics = KAFKA_NEW(&r->arena, kafka_list_offsets_response_topic, in->topics_count);
    l->out.topics_count = in->topics_count;
    count = 0;
    for (uint32_t i = 0; i < in->topics_count; i++) {
        const struct kafka_list_offsets_request_topic *topic = &in->topics[i];
        struct topic_info info;
        bool is_there = broker_topic_find(r->broker, topic->name, NULL, &info);
        l->out.topics[i].name = topic->name;
        l->out.topics[i].partitions = KAFKA_NEW(&r->arena, kafka_list_offsets_response_partition,
                                                topic->partitions_count);
        l->out.topics[i].partitions_count = topic->partitions_count;
        for (uint32_t k = 0; k < topic->partitions_count; k++) {
            int64_t timestamp = topic->partitions[k].timestamp;
            l->out.topics[i].partitions[k].partition_index = topic->partitions[k].partition_index;
            if (!is_supported(timestamp, r->header.version))
                l->out.topics[i].partitions[k].error_code = KAFKA_ERR_UNSUPPORTED_VERSION;
            l->logs[count++] = is_there ? log_get(r->broker->store, info.name,
                                                  topic->partitions[k].partition_index)
                                        : NULL;
            needs_records |= timestamp >= 0 || timestamp == OFFSET_MAX_TIMESTAMP;
        }
    }
    return needs_records;
}

void handle_list_offsets(struct request *r)
{
    struct look_up *l = arena_new(&r->arena, struct look_up);
    l->request = r;
    KAFKA_INIT(kafka_list_offsets_response, &l->out);
    msg_init(&l->cold, handle_cold);
    msg_init(&l->back, handle_back);
    if (prepare(l)) {
        loop_post(r->broker->reader, &l->cold);
        return;
    }
    find_offsets(l);
    request_answer(r, &l->out);
}

/* ---- OffsetForLeaderEpoch ---------------------------------------------------------------------------------------------------------- */

static void find_epoch(struct request *r, const struct topic_info *topic,
                       const struct kafka_offset_for_leader_epoch_request_partition *in,
                       struct kafka_offset_for_leader_epoch_response_partition *out)
{
    struct log *log = topic ? log_get(r->broker->store, topic->name, in->partition) : NULL;
    out->partition = in->partition;
    out->error_code = log ? check_epoch(log, in->current_leader_epoch) : KAFKA_ERR_UNKNOWN_TOPIC_OR_PARTITION;
    if (out->error_code == KAFKA_ERR_NONE) {
        int32_t found;
        int64_t end;
        if (in->leader_epoch == log_epoch(log)) {
            out->leader_epoch = in->leader_epoch;
            out->end_offset = log_end(log);
        } else if (in->leader_epoch < log_epoch(log) && log_epoch_end(log, in->leader_epoch, &found, &end)) {
            out->leader_epoch = found;
            out->end_offset = end;
        }
    }
    log_release(log);
}

void handle_offset_for_leader_epoch(struct request *r)
{
    const struct kafka_offset_for_leader_epoch_request *in = r->body;
    struct kafka_offset_for_leader_epoch_response out;
    KAFKA_INIT(kafka_offset_for_leader_epoch_response, &out);
    out.topics = KAFKA_NEW(&r->arena, kafka_offset_for_leader_epoch_response_topic, in->topics_count);
    out.topics_count = in->topics_count;
    for (uint32_t i = 0; i < in->topics_count; i++) {
        uint32_t count = in->topics[i].partitions_count;
        struct topic_info info;
        bool is_there = broker_topic_find(r->broker, in->topics[i].topic, NULL, &info);
        out.topics[i].topic = in->topics[i].topic;
        out.topics[i].partitions = KAFKA_NEW(&r->arena, kafka_offset_for_leader_epoch_response_partition,
                                             count);
        out.topics[i].partitions_count = count;
        for (uint32_t k = 0; k < count; k++)
            find_epoch(r, is_there ? &info : NULL, &in->topics[i].partitions[k],
                       &out.topics[i].partitions[k]);
    }
    request_answer(r, &out);
}

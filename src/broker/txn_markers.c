/* WriteTxnMarkers: an administrator ends what a transaction has left hanging in a log (Kafka's transactions tool: abort). Markers of our own coordinator do
 * not come this way. All markers of a request are one frame; each stands for itself. */
#include "broker/api.h"

enum { FIRST_WITH_BUMPED_EPOCHS = 2 }; /* transaction version */

struct writing {
    struct request *request;
    struct kafka_write_txn_markers_response out;
    struct marked {
        const struct kafka_write_txn_markers_request_marker *marker;
        struct kafka_write_txn_markers_response_partition *to;
        struct log *log; /* one reference */
    } * marked;          /* [count], in the order of the frame */
    uint32_t count;
};

static int16_t error_of(enum append_error error)
{
    switch (error) {
    case APPEND_DONE: return KAFKA_ERR_NONE;
    case APPEND_PRODUCER_FENCED: return KAFKA_ERR_INVALID_PRODUCER_EPOCH;
    case APPEND_COORDINATOR_FENCED: return KAFKA_ERR_TRANSACTION_COORDINATOR_FENCED;
    case APPEND_TOPIC_GONE: return KAFKA_ERR_UNKNOWN_TOPIC_OR_PARTITION;
    default: return KAFKA_ERR_UNKNOWN_SERVER_ERROR;
    }
}

static void written(struct frame *frame)
{
    struct writing *w = frame->arg;
    struct request *r = w->request;
    run_on_net();
    for (uint32_t i = 0; i < w->count; i++) {
        struct marked *m = &w->marked[i];
        m->to->error_code = frame->durable ? error_of(frame->results[i].error) : frame_error(&frame->err);
        if (m->to->error_code == KAFKA_ERR_NONE && strcmp(log_topic(m->log)->name, "__consumer_offsets") == 0)
            coordinator_offsets_ended(r->broker, m->marker->producer_id, m->marker->transaction_result);
        log_release(m->log);
    }
    frame_give(r->broker, frame);
    request_answer(r, &w->out);
}

static void take_topic(struct writing *w, const struct kafka_write_txn_markers_request_marker *marker,
                       const struct kafka_write_txn_markers_request_topic *in,
                       struct kafka_write_txn_markers_response_topic *out)
{
    struct request *r = w->request;
    struct topic_info info;
    bool is_there = broker_topic_find(r->broker, in->name, NULL, &info) &&
                    strcmp(info.name, "__transaction_state") != 0;
    out->name = in->name;
    out->partitions = KAFKA_NEW(&r->arena, kafka_write_txn_markers_response_partition,
                                in->partition_indexes_count);
    out->partitions_count = in->partition_indexes_count;
    for (uint32_t i = 0; i < in->partition_indexes_count; i++) {
        struct log *log = is_there ? log_get(r->broker->store, info.name, in->partition_indexes[i]) : NULL;
        out->partitions[i].partition_index = in->partition_indexes[i];
        if (log == NULL) {
            out->partitions[i].error_code = KAFKA_ERR_UNKNOWN_TOPIC_OR_PARTITION;
        } else if (marker->producer_id < 0 || marker->producer_epoch < 0) {
            out->partitions[i].error_code = KAFKA_ERR_INVALID_PRODUCER_EPOCH;
            log_release(log);
        } else {
            w->marked[w->count++] = (struct marked){marker, &out->partitions[i], log};
        }
    }
}

static uint32_t count_partitions(const struct kafka_write_txn_markers_request *in)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < in->markers_count; i++)
        for (uint32_t k = 0; k < in->markers[i].topics_count; k++)
            count += in->markers[i].topics[k].partition_indexes_count;
    return count;
}

static void submit(struct writing *w) ON(net)
{
    struct frame *frame = frame_take(w->request->broker, written, w);
    for (uint32_t i = 0; i < w->count; i++) {
        const struct kafka_write_txn_markers_request_marker *in = w->marked[i].marker;
        const struct txn_marker marker = {
            .producer_id = in->producer_id,
            .producer_epoch = in->producer_epoch,
            .coordinator_epoch = in->coordinator_epoch,
            .commits = in->transaction_result,
            .raises_epoch = in->transaction_version >= FIRST_WITH_BUMPED_EPOCHS,
        };
        frame_append_marker(frame, w->marked[i].log, &marker);
    }
    frame_submit(frame);
}

void handle_write_txn_markers(struct request *r)
{
    const struct kafka_write_txn_markers_request *in = r->body;
    struct writing *w = arena_new(&r->arena, struct writing);
    w->request = r;
    KAFKA_INIT(kafka_write_txn_markers_response, &w->out);
    w->marked = arena_array(&r->arena, struct marked, count_partitions(in));
    w->out.markers = KAFKA_NEW(&r->arena, kafka_write_txn_markers_response_marker, in->markers_count);
    w->out.markers_count = in->markers_count;
    for (uint32_t i = 0; i < in->markers_count; i++) {
        const struct kafka_write_txn_markers_request_marker *marker = &in->markers[i];
        struct kafka_write_txn_markers_response_marker *to = &w->out.markers[i];
        to->producer_id = marker->producer_id;
        to->topics = KAFKA_NEW(&r->arena, kafka_write_txn_markers_response_topic, marker->topics_count);
        to->topics_count = marker->topics_count;
        for (uint32_t k = 0; k < marker->topics_count; k++)
            take_topic(w, marker, &marker->topics[k], &to->topics[k]);
    }
    if (w->count > 0)
        submit(w);
    else
        request_answer(r, &w->out);
}

/* Produce: one frame for all partitions of a request, answered when it is durable.
 *
 *     look at each batch ──> transactional ones: may they? ──> one frame ──> answer
 *                                │         ▲
 *                                └ later ──┘
 *
 * Each partition stands for itself: what is wrong with one batch leaves the others alone. Sequences, epochs and duplicates are judged by the log,
 * in commit order; what a batch must be like in itself, and whether its transaction is open, is judged here. */
#include "broker/api.h"
#include "broker/throttle.h"
#include "broker/validate.h"

struct produce {
    struct request *request;
    struct kafka_produce_response out;
    struct accepted {
        struct kafka_produce_response_partition *to;
        struct log *log; /* one reference */
        struct str records;
        struct buf *packed; /* what records lie in, if that is not the request: one reference, or NULL */
        struct records_batch batch;
    } * accepted;                 /* in the order of the frame's appends */
    struct txns_partition *names; /* [accepted_count], for the transaction coordinator */
    uint32_t accepted_count;
    size_t bytes;
    bool is_transactional;
};

static void fail(struct kafka_produce_response_partition *to, int16_t error, const char *text)
{
    to->error_code = error;
    to->base_offset = -1;
    if (text)
        to->error_message = str_of(text);
}

static int16_t error_of_append(enum append_error error)
{
    static const int16_t codes[] = {
        [APPEND_DONE] = KAFKA_ERR_NONE,
        [APPEND_CORRUPT] = KAFKA_ERR_CORRUPT_MESSAGE,
        [APPEND_OUT_OF_ORDER] = KAFKA_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER,
        [APPEND_PRODUCER_FENCED] = KAFKA_ERR_INVALID_PRODUCER_EPOCH,
        [APPEND_TXN_STATE] = KAFKA_ERR_INVALID_TXN_STATE,
        [APPEND_COORDINATOR_FENCED] = KAFKA_ERR_TRANSACTION_COORDINATOR_FENCED,
        [APPEND_TOPIC_GONE] = KAFKA_ERR_UNKNOWN_TOPIC_OR_PARTITION,
    };
    return codes[error];
}

static void answer(struct produce *p) ON(net)
{
    const struct kafka_produce_request *in = p->request->body;
    bool failed = false;
    throttle_charge(p->request, QUOTA_PRODUCE, (double)p->request->held->n);
    for (uint32_t i = 0; in->acks == 0 && i < p->out.responses_count; i++)
        for (uint32_t k = 0; k < p->out.responses[i].partition_responses_count; k++)
            failed |= p->out.responses[i].partition_responses[k].error_code != KAFKA_ERR_NONE;
    if (in->acks != 0)
        request_answer(p->request, &p->out);
    else if (failed) /* there is no other way to tell: the client refreshes what it knows */
        request_refuse(p->request, "an append that nobody waits for has failed");
    else
        request_answer_nothing(p->request);
}

static void let_go(struct accepted *a)
{
    log_release(a->log);
    buf_unref(a->packed);
}

static void written(struct frame *frame)
{
    struct produce *p = frame->arg;
    struct request *r = p->request;
    run_on_net();
    for (uint32_t i = 0; i < p->accepted_count; i++) {
        struct accepted *a = &p->accepted[i];
        const struct frame_append_result *result = &frame->results[i];
        int16_t error = frame->durable ? error_of_append(result->error) : frame_error(&frame->err);
        if (error != KAFKA_ERR_NONE) {
            fail(a->to, error, NULL);
        } else {
            a->to->base_offset = result->base_offset;
            a->to->log_start_offset = log_start(a->log);
            if (log_topic(a->log)->config.log_append_time)
                a->to->log_append_time_ms = result->timestamp_ms;
        }
        let_go(a);
    }
    frame_give(r->broker, frame);
    answer(p);
}

static void submit(struct produce *p) ON(net)
{
    struct request *r = p->request;
    if (p->accepted_count == 0) {
        answer(p);
        return;
    }
    unsigned flags = p->is_transactional && r->header.version >= 12 ? PRODUCE_FROM_ZERO : 0;
    struct frame *frame = frame_take(r->broker, written, p);
    for (uint32_t i = 0; i < p->accepted_count; i++) {
        const struct accepted *a = &p->accepted[i];
        struct buf *buf = a->packed ? a->packed : r->held;
        size_t at = (size_t)((const uint8_t *)a->records.p - buf->p);
        frame_append_produce(frame, a->log, buf, at, a->records.n, flags);
    }
    frame_submit(frame);
}

/* ---- transactions ----------------------------------------------------------------------------------------------------------------- */

/* Those with an error fall out; the order of the others stays. */
static void drop_refused(struct produce *p, const int16_t *errors)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < p->accepted_count; i++) {
        if (errors[i] == KAFKA_ERR_NONE) {
            p->accepted[kept++] = p->accepted[i];
            continue;
        }
        fail(p->accepted[i].to, errors[i], NULL);
        let_go(&p->accepted[i]);
    }
    p->accepted_count = kept;
}

static void drop_all(struct produce *p, int16_t error)
{
    int16_t *errors = arena_array(&p->request->arena, int16_t, p->accepted_count);
    for (uint32_t i = 0; i < p->accepted_count; i++)
        errors[i] = error;
    drop_refused(p, errors);
}

static void try_transaction(struct request *r, int16_t error)
{
    struct produce *p = r->work;
    const struct kafka_produce_request *in = r->body;
    run_on_net();
    if (error != KAFKA_ERR_NONE) {
        drop_all(p, error);
    } else {
        const struct txn_batches batches = {
            .transactional_id = in->transactional_id,
            .producer_id = p->accepted[0].batch.producer_id,
            .producer_epoch = p->accepted[0].batch.producer_epoch,
            .partitions = p->names,
            .count = p->accepted_count,
            .errors = arena_zarray(&r->arena, int16_t, p->accepted_count),
        };
        if (!txn_admit_produce(r, &batches))
            return; /* it is called again */
        drop_refused(p, batches.errors);
    }
    submit(p);
}

static bool is_transactional(const struct accepted *a)
{
    return a->batch.attributes & RECORDS_TRANSACTIONAL;
}

/* All batches of a transactional request are of one producer, and of its transaction. */
static int16_t check_transaction(const struct produce *p)
{
    const struct kafka_produce_request *in = p->request->body;
    if (in->transactional_id.p == NULL)
        return KAFKA_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED;
    for (uint32_t i = 0; i < p->accepted_count; i++) {
        const struct records_batch *first = &p->accepted[0].batch, *b = &p->accepted[i].batch;
        if (!is_transactional(&p->accepted[i]) || b->producer_id != first->producer_id ||
            b->producer_epoch != first->producer_epoch)
            return KAFKA_ERR_INVALID_PRODUCER_ID_MAPPING;
    }
    return KAFKA_ERR_NONE;
}

/* ---- what is asked for ------------------------------------------------------------------------------------------------------------- */

/* The topic's codec is another than the batch's: the batch is packed anew. Its memory counts as the request's. */
static struct verdict recompress(struct request *r, const struct topic_config *config, struct verdict v,
                                 struct str *records, struct buf **packed) ON(net)
{
    struct err err;
    if (!config->recompress || (v.batch.attributes & RECORDS_CODEC_MASK) == config->compression)
        return v;
    int level = config->compression_level ? config->compression_level : COMPRESS_LEVEL_DEFAULT;
    if (!records_batch_recompress((const uint8_t *)records->p, records->n, config->compression, level,
                                  r->broker->compress, packed, &err)) {
        v.error = KAFKA_ERR_CORRUPT_MESSAGE;
        v.text = "the record batch is damaged, or too large when it is decompressed";
        return v;
    }
    request_charge(r, (*packed)->capacity);
    *records = str_n((*packed)->p, (*packed)->n);
    if (records->n > (size_t)config->max_message_bytes) {
        v.error = KAFKA_ERR_MESSAGE_TOO_LARGE;
        v.text = "the record batch, compressed as the topic wants it, is larger than its max.message.bytes";
    }
    return v;
}

static void accept(struct produce *p, const struct topic_info *topic, struct str name,
                   const struct kafka_produce_request_partition *in,
                   struct kafka_produce_response_partition *to) ON(net)
{
    struct request *r = p->request;
    struct log *log = log_get(r->broker->store, topic->name, in->index);
    struct verdict v = {0};
    struct str records = in->records;
    struct buf *packed = NULL;
    to->index = in->index;
    if (log == NULL)
        v.error = KAFKA_ERR_UNKNOWN_TOPIC_OR_PARTITION;
    else
        v = records_validate((const uint8_t *)in->records.p, in->records.n, r->header.version, &topic->config,
                             os_wall(), r->broker->compress, &r->arena);
    if (v.error == KAFKA_ERR_NONE)
        v = recompress(r, &topic->config, v, &records, &packed);
    if (v.error == KAFKA_ERR_NONE && p->bytes + records.n > FRAME_BYTES_MAX) {
        v.error = KAFKA_ERR_MESSAGE_TOO_LARGE;
        v.text = "the batches of the request are too large together";
    }
    if (v.error != KAFKA_ERR_NONE) {
        let_go(&(struct accepted){.log = log, .packed = packed});
        fail(to, v.error, v.text);
        to->record_errors = v.blamed;
        to->record_errors_count = v.blamed_count;
        return;
    }
    p->names[p->accepted_count] = (struct txns_partition){name, in->index};
    p->accepted[p->accepted_count] = (struct accepted){to, log, records, packed, v.batch};
    p->is_transactional |= is_transactional(&p->accepted[p->accepted_count]);
    p->accepted_count++;
    p->bytes += records.n;
}

static void accept_topic(struct produce *p, const struct kafka_produce_request_topic *in,
                         struct kafka_produce_response_topic *out) ON(net)
{
    struct request *r = p->request;
    struct topic_info topic;
    int16_t error = KAFKA_ERR_NONE;
    struct str name = in->name;
    out->name = in->name;
    out->topic_id = in->topic_id;
    out->partition_responses = KAFKA_NEW(&r->arena, kafka_produce_response_partition,
                                         in->partition_data_count);
    out->partition_responses_count = in->partition_data_count;
    if (!broker_topic_find(r->broker, in->name, &in->topic_id, &topic))
        error = r->header.version >= 13 ? KAFKA_ERR_UNKNOWN_TOPIC_ID : KAFKA_ERR_UNKNOWN_TOPIC_OR_PARTITION;
    else if (broker_topic_is_internal(topic.name))
        error = KAFKA_ERR_INVALID_TOPIC_EXCEPTION;
    else if (name.n == 0)
        name = str_of(arena_strdup(&r->arena, topic.name));
    for (uint32_t i = 0; i < in->partition_data_count; i++) {
        struct kafka_produce_response_partition *to = &out->partition_responses[i];
        to->index = in->partition_data[i].index;
        if (error == KAFKA_ERR_NONE)
            accept(p, &topic, name, &in->partition_data[i], to);
        else
            fail(to, error, NULL);
    }
}

static void refuse_all(struct produce *p, int16_t error) ON(net)
{
    const struct kafka_produce_request *in = p->request->body;
    struct arena *arena = &p->request->arena;
    for (uint32_t i = 0; i < in->topic_data_count; i++) {
        const struct kafka_produce_request_topic *topic = &in->topic_data[i];
        struct kafka_produce_response_topic *out = &p->out.responses[i];
        out->name = topic->name;
        out->topic_id = topic->topic_id;
        out->partition_responses = KAFKA_NEW(arena, kafka_produce_response_partition,
                                             topic->partition_data_count);
        out->partition_responses_count = topic->partition_data_count;
        for (uint32_t k = 0; k < topic->partition_data_count; k++) {
            out->partition_responses[k].index = topic->partition_data[k].index;
            fail(&out->partition_responses[k], error, NULL);
        }
    }
    answer(p);
}

void handle_produce(struct request *r)
{
    const struct kafka_produce_request *in = r->body;
    struct produce *p = arena_new(&r->arena, struct produce);
    uint32_t partitions = 0;
    p->request = r;
    KAFKA_INIT(kafka_produce_response, &p->out);
    p->out.responses = KAFKA_NEW(&r->arena, kafka_produce_response_topic, in->topic_data_count);
    p->out.responses_count = in->topic_data_count;
    if (in->acks < -1 || in->acks > 1) {
        refuse_all(p, KAFKA_ERR_INVALID_REQUIRED_ACKS);
        return;
    }
    for (uint32_t i = 0; i < in->topic_data_count; i++)
        partitions += in->topic_data[i].partition_data_count;
    p->accepted = arena_array(&r->arena, struct accepted, partitions);
    p->names = arena_array(&r->arena, struct txns_partition, partitions);
    for (uint32_t i = 0; i < in->topic_data_count; i++)
        accept_topic(p, &in->topic_data[i], &p->out.responses[i]);
    if (!p->is_transactional) {
        submit(p);
        return;
    }
    r->work = p;
    r->resume = try_transaction;
    try_transaction(r, check_transaction(p));
}

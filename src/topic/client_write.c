/* Producing: one batch of each partition is under way at a time, so that order and sequences are plain; a batch that may have been lost on the
 * way is sent again under the same sequence, and the broker knows it again. */
#include "base/buf.h"
#include "format/records.h"
#include "os/os.h"
#include "topic/client_private.h"

enum { ACKS_ALL = -1, REQUEST_BYTES_MAX = 8 << 20 /* of one request: more batches wait for the next */ };

/* A partition's batches. */
struct writing {
    uint8_t *bytes; /* bytes[n] are left to be written: whole batches */
    size_t n;
    uint32_t size; /* of the first of them */
    int32_t count; /* of its records */
    int32_t sequence;
    bool is_numbered; /* the first one has its sequence */
};

struct client_writer {
    struct client *client;
    struct client_topic *topic;
    struct writing *writings; /* writings[topic->partition_count] */
    int64_t producer_id;      /* −1 = not idempotent */
    int16_t epoch;
};

/* One leader's request. */
struct produce {
    struct client_call call;
    struct kafka_produce_response answer;
};

/* Not every cluster lets everybody be an idempotent producer, and not every one knows them. */
static bool ask_id(struct client_writer *w, struct err *err)
{
    struct kafka_init_producer_id_request request;
    struct kafka_init_producer_id_response answer;
    struct arena arena = {0};
    struct retry retry;
    bool ok;
    KAFKA_INIT(kafka_init_producer_id_request, &request);
    request.transactional_id = (struct str){0};
    request.transaction_timeout_ms = w->client->options.request_ms;
    w->producer_id = -1;
    retry_begin(w->client, &retry);
    do {
        ok = client_call(w->client, CLIENT_ANY, KAFKA_API_INIT_PRODUCER_ID, PEER_VERSION_ANY, &request,
                         &arena, &answer, err) &&
             client_check(answer.error_code, (struct str){0}, err, "no producer id");
    } while (!ok && err->class == ERR_RETRY && retry_again(w->client, &retry));
    if (ok) {
        w->producer_id = answer.producer_id;
        w->epoch = answer.producer_epoch;
    }
    arena_fini(&arena);
    return ok || err->code == KAFKA_ERR_UNSUPPORTED_VERSION ||
           err->code == KAFKA_ERR_CLUSTER_AUTHORIZATION_FAILED;
}

bool client_writer_new(struct pool *pool, struct client *client, struct client_topic *topic,
                       struct client_writer **writer, struct err *err)
{
    struct client_writer *w = *writer = pool_new_struct(pool, struct client_writer);
    *w = (struct client_writer){.client = client, .topic = topic};
    w->writings = pool_alloc(pool, mem_product((size_t)topic->partition_count, sizeof *w->writings));
    return ask_id(w, err);
}

/* ---- batches --------------------------------------------------------------------------------------------------------------- */

/* The first batch of what is left gets its sequence. */
static void number(const struct client_writer *w, struct writing *to)
{
    struct records_batch batch;
    bool whole = records_batch_read(to->bytes, to->n, false, &batch, NULL);
    CHECK(whole && batch.count > 0);
    to->size = batch.size;
    to->count = batch.count;
    to->is_numbered = true;
    if (w->producer_id >= 0)
        records_batch_set_sequence(to->bytes, to->size, w->producer_id, w->epoch, to->sequence);
}

static void acknowledged(struct writing *to)
{
    to->bytes += to->size;
    to->n -= to->size;
    to->is_numbered = false;
    /* behind 2³¹ − 1 comes 0 */
    to->sequence = (int32_t)(((int64_t)to->sequence + to->count) & INT32_MAX);
}

static bool any_left(const struct client_writer *w)
{
    for (int32_t p = 0; p < w->topic->partition_count; p++)
        if (w->writings[p].n > 0)
            return true;
    return false;
}

/* ---- requests --------------------------------------------------------------------------------------------------------------- */

static bool send_to(struct client_writer *w, int32_t leader, struct produce *produce, struct arena *arena,
                    struct err *err)
{
    struct client_topic *topic = w->topic;
    struct kafka_produce_request request;
    struct kafka_produce_request_topic to;
    size_t bytes = 0;
    KAFKA_INIT(kafka_produce_request, &request);
    KAFKA_INIT(kafka_produce_request_topic, &to);
    request.acks = ACKS_ALL;
    request.timeout_ms = w->client->options.request_ms;
    request.topic_data = &to;
    request.topic_data_count = 1;
    to.name = str_of(topic->name);
    to.topic_id = topic->id;
    to.partition_data = KAFKA_NEW(arena, kafka_produce_request_partition, (size_t)topic->partition_count);
    for (int32_t p = 0; p < topic->partition_count; p++) {
        struct writing *writing = &w->writings[p];
        if (writing->n == 0 || topic->partitions[p].leader != leader || bytes > REQUEST_BYTES_MAX)
            continue;
        if (!writing->is_numbered)
            number(w, writing);
        to.partition_data[to.partition_data_count++] = (struct kafka_produce_request_partition){
            p, str_n(writing->bytes, writing->size)};
        bytes += writing->size;
    }
    return client_start(w->client, leader, &produce->call, KAFKA_API_PRODUCE, PEER_VERSION_ANY, &request,
                        arena, &produce->answer, err);
}

static bool take_partition(struct client_writer *w, const struct kafka_produce_response_partition *in,
                           struct err *trouble, struct err *err)
{
    if (in->index < 0 || in->index >= w->topic->partition_count || !w->writings[in->index].is_numbered)
        return err_set(err, ERR_DATA,
                       "the broker answers for partition %d of topic \"%s\", which nothing was written to",
                       in->index, w->topic->name);
    if (in->error_code == 0 || in->error_code == KAFKA_ERR_DUPLICATE_SEQUENCE_NUMBER) {
        acknowledged(&w->writings[in->index]);
        return true;
    }
    struct str message = in->error_message;
    if (in->record_errors_count > 0 && in->record_errors[0].batch_index_error_message.p)
        message = in->record_errors[0].batch_index_error_message;
    (void)!client_check(in->error_code, message, err, "could not write to topic \"%s\", partition %d",
                        w->topic->name, in->index);
    if (!is_retriable(in->error_code))
        return false;
    err->class = ERR_RETRY;
    *trouble = *err;
    return true;
}

static bool take_answer(struct client_writer *w, const struct kafka_produce_response *answer,
                        struct err *trouble, struct err *err)
{
    for (uint32_t i = 0; i < answer->responses_count; i++)
        for (uint32_t k = 0; k < answer->responses[i].partition_responses_count; k++)
            TRY(take_partition(w, &answer->responses[i].partition_responses[k], trouble, err));
    return true;
}

/* A batch of each partition, to all leaders at once. trouble->class says whether something has to be tried again. */
static bool write_once(struct client_writer *w, struct arena *arena, struct err *trouble, struct err *err)
{
    struct client_topic *topic = w->topic;
    size_t count = 0;
    bool ok = true;
    struct produce *produces = arena_zarray(arena, struct produce, (size_t)topic->partition_count);
    int32_t *leaders = arena_array(arena, int32_t, (size_t)topic->partition_count);
    for (int32_t p = 0; p < topic->partition_count && ok; p++) {
        int32_t leader = topic->partitions[p].leader;
        size_t k = 0;
        if (w->writings[p].n == 0)
            continue;
        if (leader < 0) {
            (void)!client_check(KAFKA_ERR_LEADER_NOT_AVAILABLE, (struct str){0}, trouble,
                                "could not write to topic \"%s\", partition %d", topic->name, p);
            continue;
        }
        while (k < count && leaders[k] != leader)
            k++;
        if (k < count)
            continue;
        if (send_to(w, leader, &produces[count], arena, err))
            leaders[count++] = leader;
        else if (err->class == ERR_RETRY)
            *trouble = *err;
        else
            ok = false;
    }
    for (size_t i = 0; i < count; i++) {
        struct err lost;
        if (!client_wait(w->client, &produces[i].call, &lost)) {
            *trouble = lost;
            if (ok && lost.class != ERR_RETRY) {
                *err = lost;
                ok = false;
            }
        } else if (ok) {
            ok = take_answer(w, &produces[i].answer, trouble, err);
        }
    }
    return ok;
}

static void begin_write(const struct client_writer *w, struct retry *retry)
{
    retry_begin(w->client, retry);
    retry->until = mono_add_ns(os_mono(), CLIENT_WRITE_MS * NS_PER_MS);
}

bool client_write(struct client_writer *w, struct buf *const *bufs, struct err *err)
{
    struct retry retry;
    begin_write(w, &retry);
    for (int32_t p = 0; p < w->topic->partition_count; p++)
        if (bufs[p]) {
            w->writings[p].bytes = bufs[p]->p;
            w->writings[p].n = bufs[p]->n;
            w->writings[p].is_numbered = false;
        }
    while (any_left(w)) {
        struct arena arena = {0};
        struct err trouble = {0};
        bool ok = write_once(w, &arena, &trouble, err);
        arena_fini(&arena);
        TRY(ok);
        if (trouble.class == ERR_NONE) {
            begin_write(w, &retry);
        } else if (!retry_again(w->client, &retry)) {
            *err = trouble;
            return false;
        } else {
            struct err ignored;
            (void)!client_refresh(w->client, w->topic, 1, &ignored);
        }
    }
    return true;
}

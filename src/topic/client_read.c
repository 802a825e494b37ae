/* Fetching: one request to each leader is always under way, over all partitions of it that are read; whoever has answered is asked again. So
 * a broker without news holds up no other. No fetch sessions: a command reads few partitions. */
#include "format/records.h"
#include "os/os.h"
#include "topic/client_private.h"

enum {
    BYTES_DEFAULT = 8 << 20,
    BROKER_WAIT_MS = 500, /* for news, at the broker */
    NOTHING_MIN = 2,      /* answers without a record are an end: compaction may have left a hole before it */
};

struct reading {
    int64_t next; /* −1 = not read */
    uint32_t
        nothing; /* answers one behind the other without any record, from a broker that was free to give some */
};

/* A leader, and the request that is under way to it. */
struct fetch {
    int32_t leader;
    bool is_under_way;
    struct mono_time until;
    struct client_call call;
    struct arena arena; /* of the answer */
    struct kafka_fetch_response answer;
};

struct client_reader {
    struct pool *pool;
    struct client *client;
    struct client_topic *topic;
    int32_t bytes_max;
    bool is_patient;
    struct reading *readings; /* readings[topic->partition_count] */
    struct fetch **fetches;   /* fetches[fetch_count] */
    size_t fetch_count, fetch_capacity;
    struct retry retry;
    bool is_troubled; /* since retry has begun, no answer was without trouble */
    struct err trouble;
    uint64_t lost;
    bool (*each)(void *arg, int32_t partition, const uint8_t *batch, size_t n, struct err *err);
    void *arg;
};

static void close_reader(void *arg)
{
    struct client_reader *r = arg;
    struct err err;
    err_set(&err, ERR_FATAL, "nobody waits for it");
    for (size_t i = 0; i < r->fetch_count; i++) {
        struct fetch *f = r->fetches[i];
        if (f->is_under_way && !f->call.peer.is_done)
            node_close(r->client, f->call.node, &err);
        arena_fini(&f->arena);
    }
    mem_free(r->fetches);
}

struct client_reader *client_reader_new(struct pool *pool, struct client *client, struct client_topic *topic,
                                        const struct client_reader_options *options)
{
    struct client_reader *r = pool_new_struct(pool, struct client_reader);
    *r = (struct client_reader){.client = client, .topic = topic, .pool = pool};
    r->is_patient = options->is_patient;
    r->bytes_max = options->bytes_max ? options->bytes_max : BYTES_DEFAULT;
    r->readings = pool_alloc(pool, mem_product((size_t)topic->partition_count, sizeof *r->readings));
    for (int32_t p = 0; p < topic->partition_count; p++)
        r->readings[p].next = options->next[p];
    pool_on_free(pool, close_reader, r);
    return r;
}

int64_t client_reader_next(const struct client_reader *r, int32_t partition)
{
    return r->readings[partition].next;
}

bool client_reader_is_at_end(const struct client_reader *r, int32_t partition)
{
    return r->readings[partition].nothing >= NOTHING_MIN;
}

void client_reader_stop(struct client_reader *r, int32_t partition)
{
    r->readings[partition].next = -1;
}

const struct err *client_reader_trouble(const struct client_reader *r)
{
    return r->is_troubled ? &r->trouble : NULL;
}

uint64_t client_reader_lost(const struct client_reader *r)
{
    return r->lost;
}

/* ---- asking -------------------------------------------------------------------------------------------------------------- */

static struct fetch *fetch_of(struct client_reader *r, int32_t leader)
{
    for (size_t i = 0; i < r->fetch_count; i++)
        if (r->fetches[i]->leader == leader)
            return r->fetches[i];
    struct fetch *f = pool_new_struct(r->pool, struct fetch);
    *f = (struct fetch){.leader = leader};
    r->fetches = mem_grow(r->fetches, &r->fetch_capacity, r->fetch_count + 1, sizeof(struct fetch *));
    return r->fetches[r->fetch_count++] = f;
}

static bool ask(struct client_reader *r, struct fetch *f, struct err *err)
{
    struct client_topic *topic = r->topic;
    struct kafka_fetch_request request;
    struct kafka_fetch_request_topic asked;
    arena_reset(&f->arena);
    KAFKA_INIT(kafka_fetch_request, &request);
    KAFKA_INIT(kafka_fetch_request_topic, &asked);
    request.max_wait_ms = BROKER_WAIT_MS;
    request.min_bytes = 1;
    request.max_bytes = r->bytes_max;
    request.isolation_level = 1;
    request.topics = &asked;
    request.topics_count = 1;
    asked.topic = str_of(topic->name);
    asked.topic_id = topic->id;
    asked.partitions = KAFKA_NEW(&f->arena, kafka_fetch_request_partition, (size_t)topic->partition_count);
    for (int32_t p = 0; p < topic->partition_count; p++) {
        if (r->readings[p].next < 0 || topic->partitions[p].leader != f->leader)
            continue;
        struct kafka_fetch_request_partition *to = &asked.partitions[asked.partitions_count++];
        to->partition = p;
        to->current_leader_epoch = topic->partitions[p].leader_epoch;
        to->fetch_offset = r->readings[p].next;
        to->partition_max_bytes = r->bytes_max;
    }
    f->until = mono_add_ns(os_mono(), (BROKER_WAIT_MS + r->client->options.request_ms) * NS_PER_MS);
    f->is_under_way = client_start(r->client, f->leader, &f->call, KAFKA_API_FETCH, PEER_VERSION_ANY,
                                   &request, &f->arena, &f->answer, err);
    return f->is_under_way;
}

static bool trouble(struct client_reader *r, const struct err *why)
{
    if (!r->is_troubled)
        retry_begin(r->client, &r->retry);
    r->is_troubled = true;
    r->trouble = *why;
    return why->class == ERR_RETRY;
}

/* Every leader that is not being asked is asked. */
static bool ask_all(struct client_reader *r, struct err *err)
{
    for (int32_t p = 0; p < r->topic->partition_count; p++) {
        int32_t leader = r->topic->partitions[p].leader;
        if (r->readings[p].next < 0)
            continue;
        if (leader < 0) {
            (void)!client_check(KAFKA_ERR_LEADER_NOT_AVAILABLE, (struct str){0}, err,
                                "topic \"%s\", partition %d", r->topic->name, p);
            trouble(r, err);
            continue;
        }
        struct fetch *f = fetch_of(r, leader);
        if (!f->is_under_way && !ask(r, f, err) && !trouble(r, err))
            return false;
    }
    return true;
}

/* ---- answers ------------------------------------------------------------------------------------------------------------- */

static bool give_batches(struct client_reader *r, int32_t p, const struct kafka_fetch_response_partition *in,
                         struct arena *arena, struct err *err)
{
    struct reading *reading = &r->readings[p];
    struct records_aborting aborting = {.aborted_count = in->aborted_transactions_count};
    struct records_aborted *aborted = arena_array(arena, struct records_aborted, aborting.aborted_count);
    for (size_t i = 0; i < aborting.aborted_count; i++)
        aborted[i] = (struct records_aborted){in->aborted_transactions[i].producer_id,
                                              in->aborted_transactions[i].first_offset};
    aborting.aborted = aborted;
    aborting.producers = arena_array(arena, int64_t, aborting.aborted_count);
    const uint8_t *bytes = (const uint8_t *)in->records.p;
    for (size_t at = 0; at < in->records.n && reading->next >= 0;) {
        struct records_batch batch;
        if (!records_batch_read(bytes + at, in->records.n - at, true, &batch, err)) {
            if (err->code == RECORDS_CUT && at > 0)
                break; /* an answer may end in the middle of a batch, which comes again */
            return err_context(err, "topic \"%s\", partition %d, offset %lld", r->topic->name, p,
                               (long long)reading->next);
        }
        if (batch.base_offset < 0 || batch.base_offset > INT64_MAX - 1 - batch.last_offset_delta)
            return err_set(err, ERR_DATA, "topic \"%s\", partition %d: a batch at offset %lld",
                           r->topic->name, p, (long long)batch.base_offset);
        int64_t next = batch.base_offset + batch.last_offset_delta + 1;
        if (!records_is_aborted(&aborting, bytes + at, &batch) && !(batch.attributes & RECORDS_CONTROL) &&
            next > reading->next)
            TRY(r->each(r->arg, p, bytes + at, batch.size, err));
        if (reading->next >= 0 && next > reading->next)
            reading->next = next;
        at += batch.size;
    }
    return true;
}

/* Retention was faster: reading goes on where the partition begins now. */
static bool catch_up(struct client_reader *r, int32_t p, struct err *err)
{
    struct client_topic one = *r->topic;
    struct reading *reading = &r->readings[p];
    TRY(client_offsets(r->client, &one, 1, CLIENT_EARLIEST, true, err));
    int64_t start = one.partitions[p].found;
    if (start <= reading->next) {
        err_set(err, ERR_FATAL, "topic \"%s\", partition %d has no offset %lld", r->topic->name, p,
                (long long)reading->next);
        return err_hint(err, "See: sluice topic describe %s.", r->topic->name);
    }
    r->lost += (uint64_t)(start - reading->next);
    reading->next = start;
    return true;
}

static bool take_partition(struct client_reader *r, const struct kafka_fetch_response_partition *in,
                           struct arena *arena, bool *troubled, struct err *err)
{
    int32_t p = in->partition_index;
    if (p < 0 || p >= r->topic->partition_count || r->readings[p].next < 0)
        return true;
    if (in->error_code == KAFKA_ERR_OFFSET_OUT_OF_RANGE)
        return catch_up(r, p, err);
    if (client_check(in->error_code, (struct str){0}, err, "could not read topic \"%s\", partition %d",
                     r->topic->name, p))
        return give_batches(r, p, in, arena, err);
    err->class = is_retriable(in->error_code) ? ERR_RETRY : ERR_FATAL;
    *troubled = true;
    return trouble(r, err);
}

static bool take_answer(struct client_reader *r, struct fetch *f, struct err *err)
{
    bool troubled = false;
    f->is_under_way = false;
    if (!f->call.peer.is_ok) {
        *err = f->call.peer.err;
        return trouble(r, err);
    }
    if (!client_check(f->answer.error_code, (struct str){0}, err, "could not read topic \"%s\"",
                      r->topic->name))
        return trouble(r, err);
    bool empty = f->answer.throttle_time_ms == 0; /* a quota makes a broker answer at once, with nothing */
    for (uint32_t i = 0; i < f->answer.responses_count; i++) {
        const struct kafka_fetch_response_topic *topic = &f->answer.responses[i];
        for (uint32_t k = 0; k < topic->partitions_count; k++)
            empty = empty && topic->partitions[k].records.n == 0 && topic->partitions[k].error_code == 0;
        for (uint32_t k = 0; k < topic->partitions_count; k++)
            TRY(take_partition(r, &topic->partitions[k], &f->arena, &troubled, err));
    }
    for (int32_t p = 0; p < r->topic->partition_count; p++)
        if (r->topic->partitions[p].leader == f->leader)
            r->readings[p].nothing = empty ? r->readings[p].nothing + 1 : 0;
    r->is_troubled = r->is_troubled && troubled;
    return true;
}

static bool is_over(struct mono_time until)
{
    return mono_since_ns(os_mono(), until) >= 0;
}

/* Takes the answers that are there. *took: there was one. */
static bool take_answers(struct client_reader *r, bool *took, struct err *err)
{
    *took = false;
    for (size_t i = 0; i < r->fetch_count; i++) {
        struct fetch *f = r->fetches[i];
        if (!f->is_under_way)
            continue;
        if (!f->call.peer.is_done && is_over(f->until)) {
            struct err late;
            err_set(&late, ERR_RETRY, "Kafka broker %s: no answer in %d ms", f->call.node->address,
                    r->client->options.request_ms);
            node_close(r->client, f->call.node, &late);
        }
        if (!f->call.peer.is_done)
            continue;
        TRY(take_answer(r, f, err));
        *took = true;
    }
    return true;
}

static bool wants_any(const struct client_reader *r)
{
    for (int32_t p = 0; p < r->topic->partition_count; p++)
        if (r->readings[p].next >= 0)
            return true;
    return false;
}

bool client_read(struct client_reader *r, int32_t wait_ms,
                 bool (*each)(void *arg, int32_t partition, const uint8_t *batch, size_t n, struct err *err),
                 void *arg, struct err *err)
{
    struct mono_time until = mono_add_ns(os_mono(), wait_ms * NS_PER_MS);
    bool took = false;
    r->each = each;
    r->arg = arg;
    while (!took && wants_any(r)) {
        if (r->is_troubled) {
            struct err ignored;
            bool again = retry_again(r->client, &r->retry);
            if (!again && !r->is_patient) {
                *err = r->trouble;
                return false;
            }
            if (!again)
                retry_begin(r->client, &r->retry);
            (void)!client_refresh(r->client, r->topic, 1, &ignored);
        }
        TRY(ask_all(r, err));
        TRY(take_answers(r, &took, err));
        if (took || is_over(until))
            break;
        if (r->is_troubled)
            continue;
        client_step(r->client, until);
        TRY(take_answers(r, &took, err));
    }
    return true;
}

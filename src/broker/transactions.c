/* The transaction coordinator at work: its topic, its clock, its requests; see txns.h.
 *
 * What it persists is one frame: records of __transaction_state, the markers of all partitions, and how far producer ids are given away (a key
 * of the store). */
#include "broker/api.h"
#include "broker/topic_log.h"
#include "os/os.h"

#define PRODUCER_IDS_KEY STR("kafka.producer_ids")

static int64_t now_ms(void)
{
    return os_wall().us / US_PER_MS;
}

static uint64_t ticket_of(struct request *r)
{
    return (uint64_t)(uintptr_t)r;
}

static struct request *request_of(uint64_t ticket)
{
    return (struct request *)(uintptr_t)ticket;
}

/* ---- time ---------------------------------------------------------------------------------------------------------------------------- */

static void set_timer(struct coordinator *c) ON(net)
{
    int64_t due = txns_deadline_ms(c->txns), now = now_ms();
    if (due == INT64_MAX)
        timer_cancel(&c->txns_timer);
    else
        timer_set_in(&c->txns_timer, (due > now ? due - now : 0) * NS_PER_MS);
}

static void on_timer(struct timer *timer)
{
    struct coordinator *c = CONTAINER_OF(timer, struct coordinator, txns_timer);
    run_on_net();
    txns_tick(c->txns, now_ms());
    set_timer(c);
}

/* ---- what it needs ------------------------------------------------------------------------------------------------------------------- */

static void reply(void *arg, uint64_t ticket, const void *response)
{
    run_on_net();
    (void)arg;
    request_answer(request_of(ticket), response);
}

static void ready(void *arg, uint64_t ticket, int16_t error)
{
    struct request *r = request_of(ticket);
    (void)arg;
    r->resume(r, error);
}

struct write {
    struct topic_write topic_write;
    struct coordinator *coordinator;
    uint64_t token;
    int64_t producer_ids_end;
    struct marked {
        struct log *log;
        struct txn_marker marker;
    } * markers; /* [count] */
    size_t count;
};

static void lay_more(struct topic_write *topic_write)
{
    struct write *w = CONTAINER_OF(topic_write, struct write, topic_write);
    for (size_t i = 0; i < w->count; i++)
        frame_append_marker(topic_write->frame, w->markers[i].log, &w->markers[i].marker);
    if (w->producer_ids_end >= 0) {
        uint8_t value[8];
        put_be64(value, (uint64_t)w->producer_ids_end);
        frame_put(topic_write->frame, PRODUCER_IDS_KEY, str_n(value, sizeof value));
    }
}

static void written(struct topic_write *topic_write, bool ok)
{
    struct write *w = CONTAINER_OF(topic_write, struct write, topic_write);
    struct coordinator *c = w->coordinator;
    uint64_t token = w->token;
    run_on_net();
    for (size_t i = 0; i < w->count; i++)
        log_release(w->markers[i].log);
    mem_free(w->markers);
    mem_free(w);
    txns_persisted(c->txns, token, ok, now_ms());
    set_timer(c);
}

static void persist(void *arg, uint64_t token, const struct txns_write *in)
{
    struct coordinator *c = arg;
    struct write *w = mem_new(sizeof *w);
    run_on_net();
    *w = (struct write){.coordinator = c, .token = token, .producer_ids_end = in->producer_ids_end};
    topic_write_init(&w->topic_write, c->broker, &c->transactions, written);
    w->topic_write.lay_more = lay_more;
    for (size_t i = 0; i < in->records_count; i++)
        topic_write_add(&w->topic_write, in->records[i].partition, in->records[i].key, in->records[i].value);
    w->markers = mem_new_array(struct marked, in->markers_count + 1);
    for (size_t i = 0; i < in->markers_count; i++) {
        const struct txns_marker *m = &in->markers[i];
        char name[TOPIC_NAME_MAX + 1];
        str_copy(name, sizeof name, m->topic);
        struct log *log = log_get(c->broker->store, name, m->partition);
        if (log == NULL)
            continue; /* deleted since */
        w->markers[w->count++] = (struct marked){
            log, {m->producer_id, m->producer_epoch, m->coordinator_epoch, m->commit, m->is_bumped}};
    }
    topic_write_submit(&w->topic_write);
}

static void offsets_ended(void *arg, int32_t partition, int64_t producer_id, int16_t producer_epoch,
                          bool commits)
{
    struct coordinator *c = arg;
    run_on_net();
    (void)partition, (void)producer_epoch;
    coordinator_offsets_ended(c->broker, producer_id, commits);
}

static bool partition_exists(void *arg, struct str topic, int32_t partition)
{
    struct coordinator *c = arg;
    struct topic_info info;
    return topic.n > 0 && broker_topic_find(c->broker, topic, NULL, &info) && partition >= 0 &&
           partition < info.partitions;
}

/* ---- start ---------------------------------------------------------------------------------------------------------------------------- */

static bool load_record(void *arg, int64_t producer_id, struct str key, struct str value, struct err *err)
{
    (void)producer_id;
    return txns_load(arg, key, value, err);
}

static void load_marker(void *arg, const struct records_marker *marker)
{
    (void)arg, (void)marker; /* there are none in this topic */
}

bool coordinator_start_txns(struct broker *b, struct err *err)
{
    struct coordinator *c = &b->coordinator;
    const struct txns_slots slots = {c, reply, ready, persist, offsets_ended, partition_exists};
    struct sbuf end = {0};
    timer_init(&c->txns_timer, on_timer);
    topic_log_init(&c->transactions, "__transaction_state");
    c->txns = txns_new(&(struct txns_options){.coordinator_epoch = store_epoch(b->store)}, &slots);
    if (store_get(b->store, PRODUCER_IDS_KEY, &end) && end.n == 8)
        txns_load_producer_ids(c->txns, (int64_t)get_be64(end.p));
    sbuf_fini(&end);
    return topic_log_load(b, &c->transactions, load_record, load_marker, c->txns, err);
}

void coordinator_open_txns(struct broker *b)
{
    txns_loaded(b->coordinator.txns, now_ms());
    set_timer(&b->coordinator);
}

/* ---- requests ------------------------------------------------------------------------------------------------------------------------- */

void handle_init_producer_id(struct request *r)
{
    struct coordinator *c = &r->broker->coordinator;
    txns_init_producer_id(c->txns, now_ms(), ticket_of(r), r->header.version, r->body);
    set_timer(c);
}

void handle_add_partitions_to_txn(struct request *r)
{
    struct coordinator *c = &r->broker->coordinator;
    txns_add_partitions(c->txns, now_ms(), ticket_of(r), r->header.version, r->body);
    set_timer(c);
}

void handle_add_offsets_to_txn(struct request *r)
{
    struct coordinator *c = &r->broker->coordinator;
    txns_add_offsets(c->txns, now_ms(), ticket_of(r), r->header.version, r->body);
    set_timer(c);
}

void handle_end_txn(struct request *r)
{
    struct coordinator *c = &r->broker->coordinator;
    txns_end_txn(c->txns, now_ms(), ticket_of(r), r->header.version, r->body);
    set_timer(c);
}

void handle_describe_transactions(struct request *r)
{
    struct kafka_describe_transactions_response out;
    KAFKA_INIT(kafka_describe_transactions_response, &out);
    txns_describe(r->broker->coordinator.txns, r->body, &r->arena, &out);
    request_answer(r, &out);
}

void handle_list_transactions(struct request *r)
{
    struct kafka_list_transactions_response out;
    KAFKA_INIT(kafka_list_transactions_response, &out);
    txns_list(r->broker->coordinator.txns, now_ms(), r->body, &r->arena, &out);
    request_answer(r, &out);
}

/* ---- what goes into a transaction ------------------------------------------------------------------------------------------------------ */

bool txn_admit_produce(struct request *r, const struct txn_batches *batches)
{
    struct coordinator *c = &r->broker->coordinator;
    enum txns_admission admission = txns_admit_produce(
        c->txns, now_ms(), ticket_of(r), r->header.version, batches->transactional_id, batches->producer_id,
        batches->producer_epoch, batches->partitions, batches->count, batches->errors);
    set_timer(c);
    return admission == TXNS_NOW;
}

static void refuse_offsets(struct request *r, int16_t error) ON(net)
{
    const struct kafka_txn_offset_commit_request *in = r->body;
    struct kafka_txn_offset_commit_response out;
    KAFKA_INIT(kafka_txn_offset_commit_response, &out);
    out.topics = KAFKA_NEW(&r->arena, kafka_txn_offset_commit_response_topic, in->topics_count);
    out.topics_count = in->topics_count;
    for (uint32_t i = 0; i < in->topics_count; i++) {
        uint32_t count = in->topics[i].partitions_count;
        out.topics[i].name = in->topics[i].name;
        out.topics[i].topic_id = in->topics[i].topic_id;
        out.topics[i].partitions = KAFKA_NEW(&r->arena, kafka_txn_offset_commit_response_partition, count);
        out.topics[i].partitions_count = count;
        for (uint32_t k = 0; k < count; k++) {
            out.topics[i].partitions[k].partition_index = in->topics[i].partitions[k].partition_index;
            out.topics[i].partitions[k].error_code = error;
        }
    }
    request_answer(r, &out);
}

static void try_offsets(struct request *r, int16_t error)
{
    struct coordinator *c = &r->broker->coordinator;
    run_on_net();
    if (error == KAFKA_ERR_NONE && txns_admit_offsets(c->txns, now_ms(), ticket_of(r), r->header.version,
                                                      r->body, &error) == TXNS_LATER) {
        set_timer(c);
        return;
    }
    set_timer(c);
    if (error == KAFKA_ERR_NONE)
        coordinator_serve(r);
    else
        refuse_offsets(r, error);
}

void handle_txn_offset_commit(struct request *r)
{
    r->resume = try_offsets;
    try_offsets(r, KAFKA_ERR_NONE);
}

/* ---- DescribeProducers ---------------------------------------------------------------------------------------------------------------- */

static void describe_partition(struct request *r, const struct topic_info *info, int32_t partition,
                               struct kafka_describe_producers_response_partition *out)
{
    struct log *log = info ? log_get(r->broker->store, info->name, partition) : NULL;
    struct log_producer *producers;
    out->partition_index = partition;
    if (log == NULL) {
        out->error_code = KAFKA_ERR_UNKNOWN_TOPIC_OR_PARTITION;
        return;
    }
    size_t count = log_producers(log, &r->arena, &producers);
    out->active_producers = KAFKA_NEW(&r->arena, kafka_describe_producers_response_producer, count);
    out->active_producers_count = (uint32_t)count;
    for (size_t i = 0; i < count; i++) {
        struct kafka_describe_producers_response_producer *to = &out->active_producers[i];
        to->producer_id = producers[i].producer_id;
        to->producer_epoch = producers[i].epoch;
        to->last_sequence = producers[i].last_sequence;
        to->last_timestamp = producers[i].timestamp_ms;
        to->coordinator_epoch = producers[i].coordinator_epoch;
        to->current_txn_start_offset = producers[i].txn_first_offset;
    }
    log_release(log);
}

void handle_describe_producers(struct request *r)
{
    const struct kafka_describe_producers_request *in = r->body;
    struct kafka_describe_producers_response out;
    KAFKA_INIT(kafka_describe_producers_response, &out);
    out.topics = KAFKA_NEW(&r->arena, kafka_describe_producers_response_topic, in->topics_count);
    out.topics_count = in->topics_count;
    for (uint32_t i = 0; i < in->topics_count; i++) {
        uint32_t count = in->topics[i].partition_indexes_count;
        struct topic_info info;
        bool is_there = broker_topic_find(r->broker, in->topics[i].name, NULL, &info);
        out.topics[i].name = in->topics[i].name;
        out.topics[i].partitions = KAFKA_NEW(&r->arena, kafka_describe_producers_response_partition, count);
        out.topics[i].partitions_count = count;
        for (uint32_t k = 0; k < count; k++)
            describe_partition(r, is_there ? &info : NULL, in->topics[i].partition_indexes[k],
                               &out.topics[i].partitions[k]);
    }
    request_answer(r, &out);
}

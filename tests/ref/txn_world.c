#include "ref/txn_world.h"

#include <stdio.h>

#include "base/list.h"
#include "broker/java_hash.h"

struct world_frame {
    struct list link;
    uint64_t token; /* 0: a batch */
    struct world_record records[2];
    size_t records_count;
    struct {
        int log;
        struct world_entry entry;
    } entries[WORLD_FRAME_MARKERS];
    size_t entries_count;
    int64_t ids_end;
    uint64_t ticket; /* of a batch */
};
/* A request, kept until it is answered. */
struct world_request {
    struct world_request *next;
    uint64_t ticket;
    int16_t api;
    struct arena arena;
};

/* ---- names ---------------------------------------------------------------------------------------------------- */

struct str txn_world_topic(int log)
{
    static const char *const names[] = {"t0", "t1", "t2", "t3"};
    return log < WORLD_PARTITIONS ? str_of(names[log / 2]) : STR("__consumer_offsets");
}

int32_t world_partition(int log)
{
    return log < WORLD_PARTITIONS ? log % 2 : log - WORLD_PARTITIONS;
}

struct str world_group(int log)
{
    static const char *const groups[] = {"a", "b", "c", "d", "e", "f", "g", "h"};
    for (size_t i = 0; i < sizeof groups / sizeof *groups; i++)
        if (coordinator_partition(str_of(groups[i]), WORLD_OFFSETS) == log - WORLD_PARTITIONS)
            return str_of(groups[i]);
    UNREACHABLE("a partition without a group");
}

int world_log_of(struct str topic, int32_t partition)
{
    for (int log = 0; log < WORLD_LOGS; log++)
        if (str_eq(txn_world_topic(log), topic) && world_partition(log) == partition)
            return log;
    return -1;
}

/* ---- answers -------------------------------------------------------------------------------------------------- */

/* Not within a slot: the coordinator is in the middle of something then. */
static void check(const struct txn_world *world)
{
    if (world->depth == 0)
        txns_check(world->txns);
}

static void add_answer(struct txn_world *world, struct txn_world_answer answer)
{
    if (world->on_answer) {
        world->depth++;
        world->on_answer(world->on_answer_arg, &answer);
        world->depth--;
        return;
    }
    world->answers = mem_grow(world->answers, &world->answers_capacity, world->answers_count + 1,
                              sizeof answer);
    world->answers[world->answers_count++] = answer;
}

bool txn_world_answer(struct txn_world *world, uint64_t ticket, struct txn_world_answer *answer)
{
    for (size_t i = 0; i < world->answers_count; i++)
        if (world->answers[i].ticket == ticket) {
            *answer = world->answers[i];
            world->answers[i] = world->answers[--world->answers_count];
            return true;
        }
    return false;
}

static struct world_request *request_new(struct txn_world *world, int16_t api)
{
    struct world_request *request = mem_new(sizeof *request);
    request->ticket = ++world->next_ticket;
    request->api = api;
    request->next = world->requests;
    world->requests = request;
    return request;
}

uint64_t world_expect(struct txn_world *world, int16_t api)
{
    return request_new(world, api)->ticket;
}

static void free_request(struct world_request *request)
{
    arena_fini(&request->arena);
    mem_free(request);
}

static void topics_error(const struct kafka_add_partitions_to_txn_response_topic *topics, uint32_t count,
                         struct sbuf *text, int16_t *error)
{
    for (uint32_t i = 0; i < count; i++)
        for (uint32_t k = 0; k < topics[i].results_by_partition_count; k++) {
            int16_t e = topics[i].results_by_partition[k].partition_error_code;
            sbuf_printf(text, "%.*s-%d=%d ", STR_ARG(topics[i].name),
                        topics[i].results_by_partition[k].partition_index, e);
            if (*error == 0 || *error == KAFKA_ERR_OPERATION_NOT_ATTEMPTED)
                *error = e ? e : *error;
        }
}

static void reply(void *arg, uint64_t ticket, const void *response)
{
    struct txn_world *world = arg;
    struct world_request **at = &world->requests;
    while (*at && (*at)->ticket != ticket)
        at = &(*at)->next;
    struct world_request *request = *at;
    CHECK(request != NULL); /* else answered twice */
    *at = request->next;
    struct txn_world_answer answer = {.ticket = ticket, .producer_id = -1, .epoch = -1};
    if (request->api == KAFKA_API_INIT_PRODUCER_ID) {
        const struct kafka_init_producer_id_response *r = response;
        answer.error = r->error_code;
        answer.producer_id = r->producer_id;
        answer.epoch = r->producer_epoch;
    } else if (request->api == KAFKA_API_END_TXN) {
        const struct kafka_end_txn_response *r = response;
        answer.error = r->error_code;
        answer.producer_id = r->producer_id;
        answer.epoch = r->producer_epoch;
    } else if (request->api == KAFKA_API_ADD_OFFSETS_TO_TXN) {
        answer.error = ((const struct kafka_add_offsets_to_txn_response *)response)->error_code;
    } else {
        const struct kafka_add_partitions_to_txn_response *r = response;
        struct sbuf text = {0};
        topics_error(r->results_by_topic_v3_and_below, r->results_by_topic_v3_and_below_count, &text,
                     &answer.error);
        for (uint32_t i = 0; i < r->results_by_transaction_count; i++) {
            sbuf_printf(&text, "%.*s: ", STR_ARG(r->results_by_transaction[i].transactional_id));
            topics_error(r->results_by_transaction[i].topic_results,
                         r->results_by_transaction[i].topic_results_count, &text, &answer.error);
        }
        snprintf(answer.text, sizeof answer.text, "%s", text.p ? text.p : "");
        sbuf_fini(&text);
    }
    free_request(request);
    add_answer(world, answer);
}

static void ready(void *arg, uint64_t ticket, int16_t error)
{
    add_answer(arg, (struct txn_world_answer){.ticket = ticket, .error = error, .is_ready = true});
}

/* ---- frames --------------------------------------------------------------------------------------------------- */

static void free_frame(struct txn_world *world, struct world_frame *frame)
{
    list_remove(&frame->link);
    world->frames_count--;
    for (size_t i = 0; i < frame->records_count; i++) {
        mem_free(frame->records[i].key);
        mem_free(frame->records[i].value);
    }
    mem_free(frame);
}

static struct world_frame *frame_new(struct txn_world *world)
{
    struct world_frame *frame = mem_new(sizeof *frame);
    frame->ids_end = -1;
    list_push_back(&world->frames, &frame->link);
    world->frames_count++;
    return frame;
}

static char *copy(struct str bytes)
{
    char *p = mem_new(bytes.n + 1);
    if (bytes.n)
        memcpy(p, bytes.p, bytes.n);
    return p;
}

static void persist(void *arg, uint64_t token, const struct txns_write *write)
{
    struct txn_world *world = arg;
    struct world_frame *frame = frame_new(world);
    CHECK(token != 0 && write->records_count <= 2 && write->markers_count <= WORLD_FRAME_MARKERS);
    frame->token = token;
    frame->ids_end = write->producer_ids_end;
    frame->records_count = write->records_count;
    for (size_t i = 0; i < write->records_count; i++) {
        const struct txns_record *r = &write->records[i];
        frame->records[i] = (struct world_record){
            .key = copy(r->key),
            .key_size = r->key.n,
            .value = r->value.p ? copy(r->value) : NULL,
            .value_size = r->value.n,
            .partition = r->partition,
        };
    }
    for (size_t i = 0; i < write->markers_count; i++) {
        const struct txns_marker *m = &write->markers[i];
        frame->entries[i].log = world_log_of(m->topic, m->partition);
        frame->entries[i].entry = (struct world_entry){.producer_id = m->producer_id,
                                                       .epoch = m->producer_epoch,
                                                       .kind = m->commit ? WORLD_COMMIT : WORLD_ABORT,
                                                       .tag = -1};
    }
    frame->entries_count = write->markers_count;
}

void world_append(struct txn_world *world, uint64_t ticket, int log, struct world_entry entry)
{
    struct world_frame *frame = frame_new(world);
    frame->ticket = ticket;
    frame->entries[0].log = log;
    frame->entries[0].entry = entry;
    frame->entries_count = 1;
}

/* The frame's content is on the disk; the frame has no records any more. */
static void write_down(struct txn_world *world, struct world_frame *frame)
{
    for (size_t i = 0; i < frame->records_count; i++) {
        world->records = mem_grow(world->records, &world->records_capacity, world->records_count + 1,
                                  sizeof *world->records);
        world->records[world->records_count++] = frame->records[i];
    }
    frame->records_count = 0;
    for (size_t i = 0; i < frame->entries_count; i++) {
        struct world_log *log = &world->logs[frame->entries[i].log];
        log->entries = mem_grow(log->entries, &log->capacity, log->count + 1, sizeof *log->entries);
        log->entries[log->count++] = frame->entries[i].entry;
    }
    if (frame->ids_end >= 0)
        world->ids_end = frame->ids_end;
}

void world_frame(struct txn_world *world, bool ok)
{
    CHECK(!list_empty(&world->frames));
    struct world_frame *frame = CONTAINER_OF(world->frames.next, struct world_frame, link);
    if (ok)
        write_down(world, frame);
    uint64_t token = frame->token, ticket = frame->ticket;
    free_frame(world, frame);
    if (token)
        txns_persisted(world->txns, token, ok, world->now_ms);
    else
        add_answer(world, (struct txn_world_answer){.ticket = ticket,
                                                    .error = ok ? 0 : KAFKA_ERR_NOT_ENOUGH_REPLICAS});
    check(world);
}

void world_settle(struct txn_world *world)
{
    while (!list_empty(&world->frames))
        world_frame(world, true);
}

/* ---- life ----------------------------------------------------------------------------------------------------- */

static void offsets_ended(void *arg, int32_t partition, int64_t producer_id, int16_t epoch, bool commit)
{
    struct txn_world *world = arg;
    const struct world_log *log = &world->logs[WORLD_PARTITIONS + partition];
    world->offsets_ended[commit]++;
    /* It is told once the marker is durable, and not before. */
    bool found = log->is_gone;
    for (size_t i = 0; i < log->count; i++)
        found = found || (log->entries[i].kind == (commit ? WORLD_COMMIT : WORLD_ABORT) &&
                          log->entries[i].producer_id == producer_id && log->entries[i].epoch == epoch);
    CHECK(found);
}

static bool partition_exists(void *arg, struct str topic, int32_t partition)
{
    struct txn_world *world = arg;
    int log = world_log_of(topic, partition);
    return log >= 0 && !world->logs[log].is_gone;
}

struct txns *world_unloaded(struct txn_world *world)
{
    struct txns_slots slots = {
        .arg = world,
        .reply = reply,
        .ready = ready,
        .persist = persist,
        .offsets_ended = offsets_ended,
        .partition_exists = partition_exists,
    };
    return txns_new(&world->options, &slots);
}

static void start(struct txn_world *world)
{
    world->txns = world_unloaded(world);
    for (size_t i = 0; i < world->records_count; i++) {
        const struct world_record *r = &world->records[i];
        struct str value = r->value ? str_n(r->value, r->value_size) : (struct str){0};
        struct err err;
        CHECK(txns_load(world->txns, str_n(r->key, r->key_size), value, &err));
    }
    if (world->ids_end >= 0)
        txns_load_producer_ids(world->txns, world->ids_end);
    txns_loaded(world->txns, world->now_ms);
    check(world);
}

void world_put_record(struct txn_world *world, const char *id,
                      const struct kafka_transaction_log_value *value)
{
    struct kafka_transaction_log_key key = {.transactional_id = str_of(id)};
    struct kafka_out out = {0};
    CHECK(kafka_record_key_encode(kafka_record_of(STR("__transaction_state"), 0), &key, &out, NULL));
    size_t key_size = out.bytes.n;
    CHECK(kafka_versioned_encode(&kafka_transaction_log_value, 1, value, &out, NULL));
    size_t value_size = out.bytes.n - key_size;
    world->records = mem_grow(world->records, &world->records_capacity, world->records_count + 1,
                              sizeof *world->records);
    world->records[world->records_count++] = (struct world_record){
        .key = copy(str_n(out.bytes.p, key_size)),
        .key_size = key_size,
        .value = copy(str_n(out.bytes.p + key_size, value_size)),
        .value_size = value_size,
    };
    kafka_out_fini(&out);
}

void txn_world_init(struct txn_world *world, const struct txns_options *options)
{
    *world = (struct txn_world){.now_ms = INT64_C(1700000000000), .ids_end = -1};
    list_init(&world->frames);
    world->options = *options;
    world->options.offsets_partitions = WORLD_OFFSETS;
    start(world);
}

static void stop(struct txn_world *world)
{
    while (!list_empty(&world->frames))
        free_frame(world, CONTAINER_OF(world->frames.next, struct world_frame, link));
    txns_free(world->txns);
    for (struct world_request *request; (request = world->requests) != NULL;) {
        world->requests = request->next;
        free_request(request);
    }
}

void world_crash(struct txn_world *world, size_t kept)
{
    for (size_t i = 0; i < kept && !list_empty(&world->frames); i++) {
        struct world_frame *frame = CONTAINER_OF(world->frames.next, struct world_frame, link);
        write_down(world, frame);
        free_frame(world, frame);
    }
    stop(world);
    start(world);
}

void txn_world_fini(struct txn_world *world)
{
    stop(world);
    for (size_t i = 0; i < world->records_count; i++) {
        mem_free(world->records[i].key);
        mem_free(world->records[i].value);
    }
    mem_free(world->records);
    for (int i = 0; i < WORLD_LOGS; i++)
        mem_free(world->logs[i].entries);
    mem_free(world->answers);
}

/* ---- requests ------------------------------------------------------------------------------------------------- */

static struct str keep(struct world_request *request, const char *text)
{
    return text ? str_of(arena_strdup(&request->arena, text)) : (struct str){0};
}

uint64_t world_init_producer_id(struct txn_world *world, int version, const char *id, int32_t timeout_ms,
                                int64_t producer_id, int16_t epoch)
{
    struct world_request *request = request_new(world, KAFKA_API_INIT_PRODUCER_ID);
    struct kafka_init_producer_id_request *m = KAFKA_NEW(&request->arena, kafka_init_producer_id_request, 1);
    m->transactional_id = keep(request, id);
    m->transaction_timeout_ms = timeout_ms;
    m->producer_id = producer_id;
    m->producer_epoch = epoch;
    uint64_t ticket = request->ticket;
    txns_init_producer_id(world->txns, world->now_ms, ticket, version, m);
    check(world);
    return ticket;
}

static struct kafka_add_partitions_to_txn_request_topic *topics_of(struct world_request *request,
                                                                   unsigned logs, uint32_t *count)
{
    struct kafka_add_partitions_to_txn_request_topic *topics = KAFKA_NEW(
        &request->arena, kafka_add_partitions_to_txn_request_topic, WORLD_LOGS);
    *count = 0;
    for (int log = 0; log < WORLD_LOGS; log++) {
        if (!(logs & 1u << log))
            continue;
        struct kafka_add_partitions_to_txn_request_topic *topic = *count ? &topics[*count - 1] : topics;
        if (*count == 0 || !str_eq(topic->name, txn_world_topic(log))) {
            topic = &topics[(*count)++];
            topic->name = txn_world_topic(log);
            topic->partitions = arena_array(&request->arena, int32_t, WORLD_LOGS);
        }
        topic->partitions[topic->partitions_count++] = world_partition(log);
    }
    return topics;
}

uint64_t world_add_partitions(struct txn_world *world, int version, const char *id, int64_t producer_id,
                              int16_t epoch, unsigned logs, bool verify_only)
{
    struct world_request *request = request_new(world, KAFKA_API_ADD_PARTITIONS_TO_TXN);
    struct kafka_add_partitions_to_txn_request *m = KAFKA_NEW(&request->arena,
                                                              kafka_add_partitions_to_txn_request, 1);
    if (version < 4) {
        m->v3_and_below_transactional_id = keep(request, id);
        m->v3_and_below_producer_id = producer_id;
        m->v3_and_below_producer_epoch = epoch;
        m->v3_and_below_topics = topics_of(request, logs, &m->v3_and_below_topics_count);
    } else {
        m->transactions = KAFKA_NEW(&request->arena, kafka_add_partitions_to_txn_request_transaction, 1);
        m->transactions_count = 1;
        m->transactions[0].transactional_id = keep(request, id);
        m->transactions[0].producer_id = producer_id;
        m->transactions[0].producer_epoch = epoch;
        m->transactions[0].verify_only = verify_only;
        m->transactions[0].topics = topics_of(request, logs, &m->transactions[0].topics_count);
    }
    uint64_t ticket = request->ticket;
    txns_add_partitions(world->txns, world->now_ms, ticket, version, m);
    check(world);
    return ticket;
}

uint64_t world_add_offsets(struct txn_world *world, int version, const char *id, int64_t producer_id,
                           int16_t epoch, int log)
{
    struct world_request *request = request_new(world, KAFKA_API_ADD_OFFSETS_TO_TXN);
    struct kafka_add_offsets_to_txn_request *m = KAFKA_NEW(&request->arena, kafka_add_offsets_to_txn_request,
                                                           1);
    m->transactional_id = keep(request, id);
    m->producer_id = producer_id;
    m->producer_epoch = epoch;
    m->group_id = world_group(log);
    uint64_t ticket = request->ticket;
    txns_add_offsets(world->txns, world->now_ms, ticket, version, m);
    check(world);
    return ticket;
}

uint64_t txn_world_end_txn(struct txn_world *world, int version, const char *id, int64_t producer_id,
                           int16_t epoch, bool commit)
{
    struct world_request *request = request_new(world, KAFKA_API_END_TXN);
    struct kafka_end_txn_request *m = KAFKA_NEW(&request->arena, kafka_end_txn_request, 1);
    m->transactional_id = keep(request, id);
    m->producer_id = producer_id;
    m->producer_epoch = epoch;
    m->committed = commit;
    uint64_t ticket = request->ticket;
    txns_end_txn(world->txns, world->now_ms, ticket, version, m);
    check(world);
    return ticket;
}

enum txns_admission world_admit(struct txn_world *world, uint64_t ticket, int version, const char *id,
                                int64_t producer_id, int16_t epoch, unsigned logs, int16_t *error)
{
    struct txns_partition partitions[WORLD_LOGS];
    int16_t errors[WORLD_LOGS] = {0};
    size_t count = 0;
    for (int log = 0; log < WORLD_LOGS; log++)
        if (logs & 1u << log)
            partitions[count++] = (struct txns_partition){txn_world_topic(log), world_partition(log)};
    *error = 0;
    enum txns_admission admission;
    if (logs >> WORLD_PARTITIONS) {
        struct kafka_txn_offset_commit_request m;
        kafka_init(&kafka_txn_offset_commit_request, &m);
        m.transactional_id = str_of(id);
        m.producer_id = producer_id;
        m.producer_epoch = epoch;
        m.group_id = world_group(__builtin_ctz(logs));
        admission = txns_admit_offsets(world->txns, world->now_ms, ticket, version, &m, error);
    } else {
        admission = txns_admit_produce(world->txns, world->now_ms, ticket, version, str_of(id), producer_id,
                                       epoch, partitions, count, errors);
        for (size_t i = 0; i < count && *error == 0; i++)
            *error = errors[i];
    }
    check(world);
    return admission;
}

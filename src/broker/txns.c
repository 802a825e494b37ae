/* The transaction coordinator's requests, frames, answers and time. The contract: txns.h. The states: txn_moves.c.
 *
 * Everything that somebody waits for is a struct txn_op. An op is run when it comes in; what it finds decides:
 *
 *     answered at once    wrong epoch, nothing to do …
 *     waits for the id    a move of this id is on its way to the disk (txn->waiting)
 *     waits for an id     it needs a fresh producer id, and the block is used up (txns->want_ids)
 *     moves the id        one persist; the op itself is the token, and txn->pending until the frame is durable or refused
 *
 * and when what it waited for has happened it is run again, from the beginning: nothing that was looked up before is kept. So there is
 * one place for each rule, and a request that waited is the same as one that came later.
 *
 * txn->image and txn->parts only ever say what is durable. What a move makes of them is in the op until then. */
#include <string.h>

#include "broker/java_hash.h"
#include "broker/txns_private.h"

enum {
    SPARE_MAX = 1000,    /* ops that are kept for the next ones */
    TICK_MAX = 1000,     /* ids that one txns_tick moves; the next goes on */
    END_BUMPS_SINCE = 5, /* EndTxn */
};

static void op_run(struct txns *txns, struct txn_op *op);

/* ---- life ----------------------------------------------------------------------------------------------------- */

struct txns *txns_new(const struct txns_options *options, const struct txns_slots *slots)
{
    CHECK(slots->reply && slots->ready && slots->persist && slots->offsets_ended && slots->partition_exists);
    struct txns *txns = mem_new(sizeof *txns);
    txns->options = *options;
    struct txns_options *o = &txns->options;
    o->ids_max = o->ids_max ? o->ids_max : TXNS_IDS_MAX;
    o->partitions_max = o->partitions_max ? o->partitions_max : TXNS_PARTITIONS_MAX;
    o->timeout_max_ms = o->timeout_max_ms ? o->timeout_max_ms : TXNS_TIMEOUT_MAX_MS;
    o->expiration_ms = o->expiration_ms ? o->expiration_ms : TXNS_EXPIRATION_MS;
    o->state_partitions = o->state_partitions ? o->state_partitions : TXNS_STATE_PARTITIONS;
    o->offsets_partitions = o->offsets_partitions ? o->offsets_partitions : TXNS_OFFSETS_PARTITIONS;
    o->producer_ids_block = o->producer_ids_block ? o->producer_ids_block : TXNS_PRODUCER_IDS_BLOCK;
    txns->slots = *slots;
    list_init(&txns->want_ids);
    list_init(&txns->spare);
    list_init(&txns->in_flight);
    return txns;
}

static void op_free(struct txns *txns, struct txn_op *op)
{
    if (op->batch)
        txn_batch_leave(op->batch);
    txn_parts_free(txns, &op->parts, op->txn ? &op->txn->parts : NULL);
    mem_free(op);
}

static void free_ops(struct txns *txns, struct list *ops)
{
    for (struct list *link; (link = list_pop_front(ops)) != NULL;)
        op_free(txns, CONTAINER_OF(link, struct txn_op, link));
}

void txns_free(struct txns *txns)
{
    if (txns == NULL)
        return;
    free_ops(txns, &txns->want_ids);
    free_ops(txns, &txns->spare);
    free_ops(txns, &txns->in_flight);
    while (txns->heap_count > 0) {
        struct txn *txn = txns->heap[txns->heap_count - 1];
        free_ops(txns, &txn->waiting);
        txn->pending = NULL;
        txn_remove(txns, txn);
    }
    names_fini(&txns->ids);
    names_fini(&txns->topic_names);
    mem_free(txns->topics);
    mem_free(txns->heap);
    arena_fini(&txns->arena);
    kafka_out_fini(&txns->out);
    mem_free(txns);
}

/* ---- ops and answers ------------------------------------------------------------------------------------------ */

struct txn_op *txn_op_new(struct txns *txns, enum txn_op_kind kind, uint64_t ticket, int version)
{
    struct list *link = list_pop_front(&txns->spare);
    struct txn_op *op = link ? CONTAINER_OF(link, struct txn_op, link) : mem_new(sizeof *op);
    txns->spare_count -= link != NULL;
    *op = (struct txn_op){.kind = kind, .ticket = ticket, .version = version};
    list_init(&op->link);
    return op;
}

/* It is answered; nobody knows it any more. */
void txn_op_done(struct txns *txns, struct txn_op *op)
{
    CHECK(op->parts.items == NULL && op->batch == NULL);
    if (txns->spare_count >= SPARE_MAX) {
        mem_free(op);
        return;
    }
    op->txn = NULL;
    txns->spare_count++;
    list_push_front(&txns->spare, &op->link);
}

int16_t txn_fenced_for(int version, int first, int16_t error)
{
    return version < first && error == KAFKA_ERR_PRODUCER_FENCED ? KAFKA_ERR_INVALID_PRODUCER_EPOCH : error;
}

static void answer_init(struct txns *txns, struct txn_op *op, int16_t error, int64_t id, int16_t epoch)
{
    struct kafka_init_producer_id_response response;
    kafka_init(&kafka_init_producer_id_response, &response);
    response.error_code = txn_fenced_for(op->version, 4, error);
    response.producer_id = id;
    response.producer_epoch = epoch;
    uint64_t ticket = op->ticket;
    txn_op_done(txns, op);
    txns->slots.reply(txns->slots.arg, ticket, &response);
}

static void answer_offsets(struct txns *txns, struct txn_op *op, int16_t error)
{
    struct kafka_add_offsets_to_txn_response response;
    kafka_init(&kafka_add_offsets_to_txn_response, &response);
    response.error_code = txn_fenced_for(op->version, 2, error);
    uint64_t ticket = op->ticket;
    txn_op_done(txns, op);
    txns->slots.reply(txns->slots.arg, ticket, &response);
}

static void answer_end(struct txns *txns, struct txn_op *op, int16_t error, int64_t id, int16_t epoch)
{
    struct kafka_end_txn_response response;
    kafka_init(&kafka_end_txn_response, &response);
    response.error_code = txn_fenced_for(op->version, 2, error);
    if (op->version >= END_BUMPS_SINCE) {
        response.producer_id = id;
        response.producer_epoch = epoch;
    }
    uint64_t ticket = op->ticket;
    txn_op_done(txns, op);
    txns->slots.reply(txns->slots.arg, ticket, &response);
}

/* The end of an op. id and epoch: what InitProducerId and EndTxn tell the client when there is no error. */
void txn_op_answer(struct txns *txns, struct txn_op *op, int16_t error, int64_t id, int16_t epoch)
{
    if (error != KAFKA_ERR_NONE) {
        id = -1;
        epoch = -1;
    }
    uint64_t ticket = op->ticket;
    switch (op->kind) {
    case TXN_OP_INIT: answer_init(txns, op, error, id, epoch); return;
    case TXN_OP_ADD: txn_answer_add(txns, op, error); return;
    case TXN_OP_ADD_OFFSETS: answer_offsets(txns, op, error); return;
    case TXN_OP_END: answer_end(txns, op, error, id, epoch); return;
    case TXN_OP_ADMIT:
        error = txn_admit_error(op, error);
        txn_op_done(txns, op);
        txns->slots.ready(txns->slots.arg, ticket, error);
        return;
    case TXN_OP_FENCE:
    case TXN_OP_FINISH:
    case TXN_OP_EXPIRE:
    case TXN_OP_BLOCK: txn_op_done(txns, op); return;
    }
    UNREACHABLE("a kind of op that there is not");
}

/* ---- frames --------------------------------------------------------------------------------------------------- */

static void submit(struct txns *txns, struct txn_op *op, const struct txns_write *write)
{
    op->in_flight = true;
    list_push_back(&txns->in_flight, &op->link);
    txns->slots.persist(txns->slots.arg, (uint64_t)(uintptr_t)op, write);
}

static struct txns_record record_of(const struct txns *txns, int32_t partition, struct txn_encoded at)
{
    const char *bytes = txns->out.bytes.p;
    return (struct txns_record){
        .partition = partition,
        .key = str_n(bytes + at.key_at, at.key_size),
        .value = at.value_size ? str_n(bytes + at.value_at, at.value_size) : (struct str){0},
    };
}

/* The markers of all partitions that still exist, in the arena. */
static const struct txns_marker *markers_of(struct txns *txns, const struct txn *txn,
                                            const struct txn_image *prepared, size_t *count)
{
    struct txns_marker *markers = arena_array(&txns->arena, struct txns_marker, txn->parts.count);
    *count = 0;
    for (uint32_t i = 0; i < txn->parts.count; i++) {
        struct str topic = txn_topic_name(txns, txn->parts.items[i].topic);
        int32_t partition = txn->parts.items[i].partition;
        if (txns->slots.partition_exists(txns->slots.arg, topic, partition))
            markers[(*count)++] = (struct txns_marker){
                .topic = topic,
                .partition = partition,
                .coordinator_epoch = txns->options.coordinator_epoch,
                .producer_id = prepared->producer_id,
                .producer_epoch = prepared->epoch,
                .commit = prepared->state == TXN_PREPARE_COMMIT,
                .is_bumped = prepared->client_version >= 2,
            };
    }
    return markers;
}

/* Makes op->move durable: op is its id's pending move from now on. op->parts: of ONGOING. */
static void op_move(struct txns *txns, struct txn_op *op, struct txn *txn)
{
    CHECK(txn->pending == NULL && !op->in_flight);
    const struct txn_image *to = &op->move.to;
    CHECK(txn_may_move(txn->image.state, to->state) || op->kind == TXN_OP_FINISH);
    arena_reset(&txns->arena);
    kafka_out_clear(&txns->out);
    op->txn = txn;
    op->final = *to;
    struct txn_encoded at[2];
    struct txns_record records[2];
    struct txns_write write = {.records = records, .producer_ids_end = -1};
    const struct txn_parts none = {0};
    if (txn_is_prepared(to->state)) {
        op->final = txn_complete(to, txns->now_ms);
        write.markers = markers_of(txns, txn, to, &write.markers_count);
        at[write.records_count++] = txn_encode(txns, txn, to, &txn->parts);
        at[write.records_count++] = txn_encode(txns, txn, &op->final, &none);
    } else {
        at[write.records_count++] = txn_encode(txns, txn, to, &op->parts);
    }
    int32_t partition = coordinator_partition(named_str(&txn->named), txns->options.state_partitions);
    for (size_t i = 0; i < write.records_count; i++)
        records[i] = record_of(txns, partition, at[i]);
    txn->pending = op;
    txn_set_deadline(txns, txn, INT64_MAX);
    submit(txns, op, &write);
}

/* ---- producer ids --------------------------------------------------------------------------------------------- */

static void want_block(struct txns *txns)
{
    if (txns->block_in_flight)
        return;
    txns->block_in_flight = true;
    struct txn_op *op = txn_op_new(txns, TXN_OP_BLOCK, 0, 0);
    op->ids_end = txns->ids_end + txns->options.producer_ids_block;
    submit(txns, op, &(struct txns_write){.producer_ids_end = op->ids_end});
}

/* A fresh one without taking it, or −1. */
static int64_t id_at_hand(const struct txns *txns)
{
    return txns->next_id < txns->ids_end ? txns->next_id : -1;
}

static void id_taken(struct txns *txns)
{
    CHECK(txns->next_id < txns->ids_end);
    txns->next_id++;
    if (txns->ids_end - txns->next_id <= txns->options.producer_ids_block / 4)
        want_block(txns);
}

static void wait_for_id(struct txns *txns, struct txn_op *op)
{
    if (txns->stats.waiting >= TXNS_WAITING_MAX) {
        txns->stats.refused++;
        txn_op_answer(txns, op, KAFKA_ERR_COORDINATOR_LOAD_IN_PROGRESS, -1, -1);
        return;
    }
    list_push_back(&txns->want_ids, &op->link);
    txns->stats.waiting++;
    want_block(txns);
}

static void block_persisted(struct txns *txns, struct txn_op *op, bool ok)
{
    txns->block_in_flight = false;
    if (ok)
        txns->ids_end = op->ids_end;
    txn_op_done(txns, op);
    struct list waiting;
    list_init(&waiting);
    for (struct list *link; (link = list_pop_front(&txns->want_ids)) != NULL;)
        list_push_back(&waiting, link);
    for (struct list *link; (link = list_pop_front(&waiting)) != NULL;) {
        struct txn_op *next = CONTAINER_OF(link, struct txn_op, link);
        txns->stats.waiting--;
        if (ok)
            op_run(txns, next);
        else
            txn_op_answer(txns, next, KAFKA_ERR_COORDINATOR_LOAD_IN_PROGRESS, -1, -1);
    }
}

/* ---- running an op -------------------------------------------------------------------------------------------- */

/* True: it was put aside until the id's move is over (or refused, when too many are). txn may be NULL. */
bool txn_op_waits(struct txns *txns, struct txn_op *op, struct txn *txn)
{
    if (txn == NULL || txn->pending == NULL)
        return false;
    if (txns->stats.waiting >= TXNS_WAITING_MAX) {
        txns->stats.refused++;
        txn_op_answer(txns, op, KAFKA_ERR_CONCURRENT_TRANSACTIONS, -1, -1);
        return true;
    }
    list_push_back(&txn->waiting, &op->link);
    txns->stats.waiting++;
    return true;
}

/* What was decided about txn, for every kind of request. */
void txn_op_obey(struct txns *txns, struct txn_op *op, struct txn *txn, struct txn_decision decision)
{
    switch (decision.verdict) {
    case TXN_ANSWER:
        txn_op_answer(txns, op, decision.error, txn->image.producer_id, txn->image.epoch);
        return;
    case TXN_NEEDS_ID: wait_for_id(txns, op); return;
    case TXN_MOVE:
        op->move = decision;
        op_move(txns, op, txn);
        if (decision.took_id)
            id_taken(txns);
        return;
    }
    UNREACHABLE("a verdict that there is not");
}

static void run_init(struct txns *txns, struct txn_op *op)
{
    const struct kafka_init_producer_id_request *request = op->request;
    struct txn_who expected = {request->producer_id, request->producer_epoch};
    bool has_expected = expected.producer_id != -1 && expected.epoch != -1;
    if (!has_expected && (expected.producer_id != -1 || expected.epoch != -1)) {
        txn_op_answer(txns, op, KAFKA_ERR_INVALID_REQUEST, -1, -1);
        return;
    }
    int64_t fresh_id = id_at_hand(txns);
    if (request->transactional_id.p == NULL) {
        if (fresh_id < 0) {
            wait_for_id(txns, op);
            return;
        }
        id_taken(txns);
        txn_op_answer(txns, op, KAFKA_ERR_NONE, fresh_id, 0);
        return;
    }
    int16_t error = request->transactional_id.n == 0 ? KAFKA_ERR_INVALID_REQUEST
                    : request->enable2_pc            ? KAFKA_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED
                    : request->keep_prepared_txn     ? KAFKA_ERR_UNSUPPORTED_VERSION
                    : request->transaction_timeout_ms <= 0 ||
                            request->transaction_timeout_ms > txns->options.timeout_max_ms
                        ? KAFKA_ERR_INVALID_TRANSACTION_TIMEOUT
                        : KAFKA_ERR_NONE;
    if (error) {
        txn_op_answer(txns, op, error, -1, -1);
        return;
    }
    struct txn *txn = txn_find(txns, request->transactional_id);
    if (txn_op_waits(txns, op, txn))
        return;
    if (txn == NULL && fresh_id < 0) {
        wait_for_id(txns, op);
        return;
    }
    if (txn == NULL && txns->ids.count >= txns->options.ids_max) {
        txns->stats.refused++;
        txn_op_answer(txns, op, KAFKA_ERR_POLICY_VIOLATION, -1, -1);
        return;
    }
    if (txn == NULL)
        txn = txn_add(txns, request->transactional_id);
    txn_op_obey(txns, op, txn,
                txn_decide_init(&txn->image, request->transaction_timeout_ms, has_expected ? &expected : NULL,
                                fresh_id, txns->now_ms));
}

static void run_end(struct txns *txns, struct txn_op *op)
{
    const struct kafka_end_txn_request *request = op->request;
    if (request->transactional_id.n == 0) {
        txn_op_answer(txns, op, KAFKA_ERR_INVALID_REQUEST, -1, -1);
        return;
    }
    struct txn *txn = txn_find(txns, request->transactional_id);
    if (txn_op_waits(txns, op, txn))
        return;
    if (txn == NULL) {
        txn_op_answer(txns, op, KAFKA_ERR_INVALID_PRODUCER_ID_MAPPING, -1, -1);
        return;
    }
    txn_op_obey(txns, op, txn,
                txn_decide_end(&txn->image, (struct txn_who){request->producer_id, request->producer_epoch},
                               request->committed, op->version >= END_BUMPS_SINCE ? 2 : 0, id_at_hand(txns),
                               txns->now_ms));
}

static void op_run(struct txns *txns, struct txn_op *op)
{
    switch (op->kind) {
    case TXN_OP_INIT: run_init(txns, op); return;
    case TXN_OP_ADD: txn_run_add(txns, op); return;
    case TXN_OP_ADD_OFFSETS: txn_run_add_offsets(txns, op); return;
    case TXN_OP_END: run_end(txns, op); return;
    case TXN_OP_ADMIT: txn_op_answer(txns, op, KAFKA_ERR_NONE, -1, -1); return; /* it asks again */
    case TXN_OP_FENCE:
    case TXN_OP_FINISH:
    case TXN_OP_EXPIRE:
    case TXN_OP_BLOCK: break;
    }
    UNREACHABLE("moves of our own do not wait");
}

/* ---- requests ------------------------------------------------------------------------------------------------- */

static void request(struct txns *txns, enum txn_op_kind kind, int64_t now_ms, uint64_t ticket, int version,
                    const void *message)
{
    txns->now_ms = now_ms;
    struct txn_op *op = txn_op_new(txns, kind, ticket, version);
    op->request = message;
    if (txns->is_loaded)
        op_run(txns, op);
    else
        txn_op_answer(txns, op, KAFKA_ERR_COORDINATOR_LOAD_IN_PROGRESS, -1, -1);
}

void txns_init_producer_id(struct txns *txns, int64_t now_ms, uint64_t ticket, int version,
                           const struct kafka_init_producer_id_request *message)
{
    request(txns, TXN_OP_INIT, now_ms, ticket, version, message);
}

void txns_end_txn(struct txns *txns, int64_t now_ms, uint64_t ticket, int version,
                  const struct kafka_end_txn_request *message)
{
    request(txns, TXN_OP_END, now_ms, ticket, version, message);
}

/* ---- when a frame is durable, or refused ---------------------------------------------------------------------- */

static void count_move(struct txns *txns, enum txn_op_kind kind, const struct txn_image *from,
                       const struct txn_image *to)
{
    txns->stats.ongoing += to->state == TXN_ONGOING;
    txns->stats.ongoing -= from->state == TXN_ONGOING;
    txns->stats.committed += to->state == TXN_COMPLETE_COMMIT;
    txns->stats.aborted += to->state == TXN_COMPLETE_ABORT;
    txns->stats.timed_out += kind == TXN_OP_FENCE;
    txns->stats.fenced += kind == TXN_OP_INIT && to->state == TXN_COMPLETE_ABORT;
}

static void tell_offsets(struct txns *txns, const struct txn *txn, const struct txn_image *prepared)
{
    uint32_t topic = txn_topic_find(txns, TXN_OFFSETS_TOPIC);
    for (uint32_t i = 0; topic != UINT32_MAX && i < txn->parts.count; i++)
        if (txn->parts.items[i].topic == topic)
            txns->slots.offsets_ended(txns->slots.arg, txn->parts.items[i].partition, prepared->producer_id,
                                      prepared->epoch, prepared->state == TXN_PREPARE_COMMIT);
}

/* The id is as op's move has it. */
static void apply(struct txns *txns, struct txn *txn, struct txn_op *op)
{
    CHECK(txn_image_is_sane(&op->final));
    if (txn_is_prepared(op->move.to.state))
        tell_offsets(txns, txn, &op->move.to);
    count_move(txns, op->kind, &txn->image, &op->final);
    txn->image = op->final;
    txn->is_durable = true;
    txn_parts_free(txns, &txn->parts, &op->parts);
    txn->parts = op->parts;
    op->parts = (struct txn_parts){0};
}

/* When txns_tick comes to it, in the state that it is in now. */
static int64_t deadline_of(const struct txns *txns, const struct txn *txn)
{
    const struct txn_image *image = &txn->image;
    if (txn->pending)
        return INT64_MAX;
    if (txn_is_prepared(image->state))
        return INT64_MIN;
    if (image->state == TXN_ONGOING)
        return image->timeout_ms == TXN_NO_TIMEOUT ? INT64_MAX : image->start_ms + image->timeout_ms + 1;
    return image->update_ms + txns->options.expiration_ms;
}

/* Requests that waited for the id's move. An id that is gone, or never was, is looked for anew by each of them. */
static void run_waiting(struct txns *txns, struct list *waiting, const struct txn *txn)
{
    while (!list_empty(waiting) && (txn == NULL || txn->pending == NULL)) {
        struct txn_op *op = CONTAINER_OF(list_pop_front(waiting), struct txn_op, link);
        txns->stats.waiting--;
        op_run(txns, op);
    }
}

static void forget(struct txns *txns, struct txn *txn, struct txn_op *op, int16_t error)
{
    struct list waiting;
    list_init(&waiting);
    for (struct list *link; (link = list_pop_front(&txn->waiting)) != NULL;)
        list_push_back(&waiting, link);
    txn_remove(txns, txn);
    txn_op_answer(txns, op, error, -1, -1);
    run_waiting(txns, &waiting, NULL);
}

void txns_persisted(struct txns *txns, uint64_t token, bool ok, int64_t now_ms)
{
    struct txn_op *op = (struct txn_op *)(uintptr_t)token;
    CHECK(op != NULL && op->in_flight);
    txns->now_ms = now_ms;
    txns->stats.rejected += !ok;
    op->in_flight = false;
    list_remove(&op->link);
    if (op->kind == TXN_OP_BLOCK) {
        block_persisted(txns, op, ok);
        return;
    }
    struct txn *txn = op->txn;
    CHECK(txn->pending == op);
    txn->pending = NULL;
    if (op->kind == TXN_OP_EXPIRE && ok) {
        txns->stats.expired++;
        forget(txns, txn, op, KAFKA_ERR_NONE);
        return;
    }
    if (ok)
        apply(txns, txn, op);
    else
        txn_parts_free(txns, &op->parts, &txn->parts);
    int16_t error = ok ? op->move.error : KAFKA_ERR_COORDINATOR_NOT_AVAILABLE;
    if (!txn->is_durable) {
        forget(txns, txn, op, error);
        return;
    }
    int64_t due = deadline_of(txns, txn);
    txn_set_deadline(txns, txn, !ok && due <= now_ms ? now_ms + TXNS_RETRY_MS : due);
    txn_op_answer(txns, op, error, txn->image.producer_id, txn->image.epoch);
    run_waiting(txns, &txn->waiting, txn);
}

/* ---- time ----------------------------------------------------------------------------------------------------- */

int64_t txns_deadline_ms(const struct txns *txns)
{
    return txns->is_loaded && txns->heap_count > 0 ? txns->heap[0]->deadline_ms : INT64_MAX;
}

static void expire(struct txns *txns, struct txn *txn)
{
    CHECK(txn_may_expire(txn->image.state));
    struct txn_op *op = txn_op_new(txns, TXN_OP_EXPIRE, 0, 0);
    arena_reset(&txns->arena);
    kafka_out_clear(&txns->out);
    struct txn_encoded at = txn_encode(txns, txn, NULL, NULL);
    int32_t partition = coordinator_partition(named_str(&txn->named), txns->options.state_partitions);
    struct txns_record tombstone = record_of(txns, partition, at);
    op->txn = txn;
    op->move.to = txn->image;
    op->move.to.state = TXN_DEAD;
    txn->pending = op;
    txn_set_deadline(txns, txn, INT64_MAX);
    submit(txns, op, &(struct txns_write){.records = &tombstone, .records_count = 1, .producer_ids_end = -1});
}

/* What txn's time has come for. */
static void act(struct txns *txns, struct txn *txn)
{
    if (txn_may_expire(txn->image.state)) {
        expire(txns, txn);
        return;
    }
    bool is_prepared = txn_is_prepared(txn->image.state);
    struct txn_op *op = txn_op_new(txns, is_prepared ? TXN_OP_FINISH : TXN_OP_FENCE, 0, 0);
    if (is_prepared)
        op->move = (struct txn_decision){.verdict = TXN_MOVE, .to = txn->image};
    else
        op->move = txn_decide_fence(&txn->image, id_at_hand(txns), txns->now_ms);
    if (op->move.verdict == TXN_NEEDS_ID) {
        txn_op_done(txns, op);
        want_block(txns);
        txn_set_deadline(txns, txn, txns->now_ms + TXNS_RETRY_MS);
        return;
    }
    txn_op_obey(txns, op, txn, op->move);
}

void txns_tick(struct txns *txns, int64_t now_ms)
{
    CHECK(txns->is_loaded);
    txns->now_ms = now_ms;
    for (int i = 0; i < TICK_MAX && txns_deadline_ms(txns) <= now_ms; i++)
        act(txns, txns->heap[0]);
}

/* ---- the start ------------------------------------------------------------------------------------------------ */

void txns_load_producer_ids(struct txns *txns, int64_t producer_ids_end)
{
    CHECK(!txns->is_loaded && producer_ids_end >= 0);
    txns->next_id = txns->ids_end = producer_ids_end;
}

void txns_loaded(struct txns *txns, int64_t now_ms)
{
    CHECK(!txns->is_loaded);
    txns->is_loaded = true;
    txns->now_ms = now_ms;
    for (size_t i = 0; i < txns->heap_count; i++)
        txns->heap[i]->deadline_ms = deadline_of(txns, txns->heap[i]);
    txn_heap_build(txns);
    for (size_t i = 0; i < txns->heap_count; i++) {
        const struct txn_image *image = &txns->heap[i]->image;
        txns->stats.ongoing += image->state == TXN_ONGOING;
        /* Records of other origin may name ids that we did not give away. */
        int64_t last = image->producer_id > image->next_producer_id ? image->producer_id
                                                                    : image->next_producer_id;
        if (last >= txns->ids_end)
            txns->next_id = txns->ids_end = last + 1;
    }
    while (txns_deadline_ms(txns) == INT64_MIN)
        act(txns, txns->heap[0]);
}

void txns_stats(const struct txns *txns, struct txns_stats *stats)
{
    *stats = txns->stats;
    stats->ids = txns->ids.count;
    stats->bytes = txns->ids.count * (sizeof(struct txn) + 32) +
                   (txns->ids.buckets_count + txns->heap_capacity) * sizeof(void *);
}

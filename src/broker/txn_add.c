/* What a transaction writes to: its partitions come in by AddPartitionsToTxn and AddOffsetsToTxn (clients of version 1), or by writing
 * itself (version 2); and nobody writes in a transaction to a partition that is not in it.
 *
 * Why the last: the marker that ends a transaction goes to its partitions and to no others. A batch that came to another one,
 * or late, would be open for ever, and readers of committed records would wait behind it. */
#include <string.h>

#include "broker/java_hash.h"
#include "broker/txns_private.h"

enum {
    BATCH_SINCE = 4,        /* AddPartitionsToTxn: several transactions, from other brokers */
    PRODUCE_ABORTABLE = 11, /* first version that knows TRANSACTION_ABORTABLE */
    PRODUCE_ADDS = 12,      /* first version that adds by writing */
    OFFSETS_ABORTABLE = 4,
    OFFSETS_ADDS = 5,
};

/* Are they all in the set? */
static bool has_all(const struct txns *txns, const struct txn_parts *parts,
                    const struct txns_partition *partitions, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct txn_part part = {txn_topic_find(txns, partitions[i].topic), partitions[i].partition};
        if (!txn_parts_has(parts, part))
            return false;
    }
    return true;
}

/* The set that op's move has; false: too large. */
static bool unite(struct txns *txns, struct txn_op *op, const struct txn *txn,
                  const struct txns_partition *partitions, size_t count)
{
    op->parts = txn_parts_union(txns, &txn->parts, partitions, count);
    if (op->parts.count <= txns->options.partitions_max)
        return true;
    txn_parts_free(txns, &op->parts, &txn->parts);
    txns->stats.refused++;
    return false;
}

/* Adds partitions for a request; the op is answered, waits or moves. */
static void add(struct txns *txns, struct txn_op *op, struct str transactional_id, struct txn_who who,
                const struct txns_partition *partitions, size_t count, uint8_t client_version)
{
    if (transactional_id.n == 0) {
        txn_op_answer(txns, op, KAFKA_ERR_INVALID_REQUEST, -1, -1);
        return;
    }
    struct txn *txn = txn_find(txns, transactional_id);
    if (txn == NULL) {
        txn_op_answer(txns, op, KAFKA_ERR_INVALID_PRODUCER_ID_MAPPING, -1, -1);
        return;
    }
    if (txn_op_waits(txns, op, txn))
        return;
    struct txn_decision decision = txn_decide_add(
        &txn->image, who, has_all(txns, &txn->parts, partitions, count), client_version, txns->now_ms);
    if (decision.verdict == TXN_MOVE && !unite(txns, op, txn, partitions, count))
        txn_op_answer(txns, op, KAFKA_ERR_POLICY_VIOLATION, -1, -1);
    else
        txn_op_obey(txns, op, txn, decision);
}

/* ---- AddOffsetsToTxn ------------------------------------------------------------------------------------------ */

static struct txns_partition offsets_partition(const struct txns *txns, struct str group)
{
    int32_t partition = coordinator_partition(group, txns->options.offsets_partitions);
    return (struct txns_partition){TXN_OFFSETS_TOPIC, partition};
}

void txn_run_add_offsets(struct txns *txns, struct txn_op *op)
{
    const struct kafka_add_offsets_to_txn_request *request = op->request;
    struct txn_who who = {request->producer_id, request->producer_epoch};
    struct txns_partition partition = offsets_partition(txns, request->group_id);
    add(txns, op, request->transactional_id, who, &partition, 1, 0);
}

void txns_add_offsets(struct txns *txns, int64_t now_ms, uint64_t ticket, int version,
                      const struct kafka_add_offsets_to_txn_request *request)
{
    txns->now_ms = now_ms;
    struct txn_op *op = txn_op_new(txns, TXN_OP_ADD_OFFSETS, ticket, version);
    op->request = request;
    if (txns->is_loaded)
        txn_run_add_offsets(txns, op);
    else
        txn_op_answer(txns, op, KAFKA_ERR_COORDINATOR_LOAD_IN_PROGRESS, -1, -1);
}

/* ---- AddPartitionsToTxn --------------------------------------------------------------------------------------- */

/* One transaction of the request. */
struct batch_item {
    const struct kafka_add_partitions_to_txn_request_transaction *transaction;
    struct txns_partition *partitions; /* partitions[count], as the request has them */
    int16_t *errors;                   /* errors[count] */
    size_t count;
};
/* A request; an op for each of its transactions. */
struct txn_batch {
    struct arena arena;
    struct batch_item *items; /* items[count] */
    uint32_t count;
    uint32_t left;   /* ops that hold it, and the one who makes them */
    uint32_t waited; /* items that are not answered */
    uint64_t ticket;
    int version;
};

void txn_batch_leave(struct txn_batch *batch)
{
    CHECK(batch->left > 0);
    if (--batch->left > 0)
        return;
    arena_fini(&batch->arena);
    mem_free(batch);
}

static struct kafka_add_partitions_to_txn_response_topic *topic_results(struct txn_batch *batch,
                                                                        const struct batch_item *item)
{
    const struct kafka_add_partitions_to_txn_request_transaction *t = item->transaction;
    struct kafka_add_partitions_to_txn_response_topic *topics = KAFKA_NEW(
        &batch->arena, kafka_add_partitions_to_txn_response_topic, t->topics_count);
    size_t at = 0;
    for (uint32_t i = 0; i < t->topics_count; i++) {
        uint32_t count = t->topics[i].partitions_count;
        topics[i].name = t->topics[i].name;
        topics[i].results_by_partition = KAFKA_NEW(&batch->arena,
                                                   kafka_add_partitions_to_txn_response_partition, count);
        topics[i].results_by_partition_count = count;
        for (uint32_t k = 0; k < count; k++, at++) {
            topics[i].results_by_partition[k].partition_index = item->partitions[at].partition;
            topics[i].results_by_partition[k].partition_error_code = item->errors[at];
        }
    }
    return topics;
}

static void batch_reply(struct txns *txns, struct txn_batch *batch)
{
    struct kafka_add_partitions_to_txn_response response;
    kafka_init(&kafka_add_partitions_to_txn_response, &response);
    if (batch->version < BATCH_SINCE) {
        response.results_by_topic_v3_and_below = topic_results(batch, &batch->items[0]);
        response.results_by_topic_v3_and_below_count = batch->items[0].transaction->topics_count;
    } else {
        response.results_by_transaction = KAFKA_NEW(
            &batch->arena, kafka_add_partitions_to_txn_response_transaction, batch->count);
        response.results_by_transaction_count = batch->count;
        for (uint32_t i = 0; i < batch->count; i++) {
            const struct kafka_add_partitions_to_txn_request_transaction *t = batch->items[i].transaction;
            response.results_by_transaction[i].transactional_id = t->transactional_id;
            response.results_by_transaction[i].topic_results = topic_results(batch, &batch->items[i]);
            response.results_by_transaction[i].topic_results_count = t->topics_count;
        }
    }
    txns->slots.reply(txns->slots.arg, batch->ticket, &response);
}

/* The item's errors are filled. */
static void item_done(struct txns *txns, struct txn_op *op)
{
    struct txn_batch *batch = op->batch;
    op->batch = NULL;
    txn_op_done(txns, op);
    if (--batch->waited == 0)
        batch_reply(txns, batch);
    txn_batch_leave(batch);
}

void txn_answer_add(struct txns *txns, struct txn_op *op, int16_t error)
{
    struct batch_item *item = &op->batch->items[op->batch_index];
    for (size_t i = 0; i < item->count; i++)
        item->errors[i] = txn_fenced_for(op->version, 2, error);
    item_done(txns, op);
}

static bool is_internal(struct str topic)
{
    return str_is(topic, "__consumer_offsets") || str_is(topic, "__transaction_state") ||
           str_is(topic, "__share_group_state");
}

/* False, and errors: one of the partitions cannot be in a transaction; the others are not tried. */
static bool are_there(struct txns *txns, struct batch_item *item, bool from_client)
{
    bool all = true;
    for (size_t i = 0; i < item->count; i++) {
        struct str topic = item->partitions[i].topic;
        item->errors[i] = KAFKA_ERR_OPERATION_NOT_ATTEMPTED;
        if (from_client && is_internal(topic))
            item->errors[i] = KAFKA_ERR_TOPIC_AUTHORIZATION_FAILED;
        else if (!txns->slots.partition_exists(txns->slots.arg, topic, item->partitions[i].partition))
            item->errors[i] = KAFKA_ERR_UNKNOWN_TOPIC_OR_PARTITION;
        all = all && item->errors[i] == KAFKA_ERR_OPERATION_NOT_ATTEMPTED;
    }
    return all;
}

/* What both kinds of verification have in common: *txn, or an error for all partitions. */
static int16_t verify(const struct txns *txns, struct str transactional_id, struct txn_who who,
                      const struct txn **found)
{
    if (transactional_id.n == 0)
        return KAFKA_ERR_INVALID_REQUEST;
    const struct txn *txn = txn_find(txns, transactional_id);
    if (txn == NULL || txn->image.producer_id != who.producer_id)
        return KAFKA_ERR_INVALID_PRODUCER_ID_MAPPING;
    if (txn->image.epoch != who.epoch)
        return KAFKA_ERR_PRODUCER_FENCED;
    if (txn_is_prepared(txn->image.state))
        return KAFKA_ERR_CONCURRENT_TRANSACTIONS;
    *found = txn;
    return KAFKA_ERR_NONE;
}

static void verify_all(const struct txns *txns, const struct txn *txn,
                       const struct txns_partition *partitions, size_t count, int16_t *errors)
{
    for (size_t i = 0; i < count; i++) {
        bool has = has_all(txns, &txn->parts, &partitions[i], 1);
        errors[i] = has ? KAFKA_ERR_NONE : KAFKA_ERR_TRANSACTION_ABORTABLE;
    }
}

void txn_run_add(struct txns *txns, struct txn_op *op)
{
    struct batch_item *item = &op->batch->items[op->batch_index];
    const struct kafka_add_partitions_to_txn_request_transaction *t = item->transaction;
    struct txn_who who = {t->producer_id, t->producer_epoch};
    bool from_client = op->version < BATCH_SINCE;
    if (!are_there(txns, item, from_client)) {
        item_done(txns, op);
        return;
    }
    if (!t->verify_only) {
        add(txns, op, t->transactional_id, who, item->partitions, item->count, from_client ? 0 : 2);
        return;
    }
    const struct txn *txn = NULL;
    int16_t error = verify(txns, t->transactional_id, who, &txn);
    if (error) {
        txn_answer_add(txns, op, error);
        return;
    }
    verify_all(txns, txn, item->partitions, item->count, item->errors);
    item_done(txns, op);
}

static struct txn_batch *batch_new(uint64_t ticket, int version,
                                   const struct kafka_add_partitions_to_txn_request *request)
{
    struct txn_batch *batch = mem_new(sizeof *batch);
    batch->ticket = ticket;
    batch->version = version;
    const struct kafka_add_partitions_to_txn_request_transaction *transactions = request->transactions;
    batch->count = request->transactions_count;
    if (version < BATCH_SINCE) {
        struct kafka_add_partitions_to_txn_request_transaction *only = KAFKA_NEW(
            &batch->arena, kafka_add_partitions_to_txn_request_transaction, 1);
        only->transactional_id = request->v3_and_below_transactional_id;
        only->producer_id = request->v3_and_below_producer_id;
        only->producer_epoch = request->v3_and_below_producer_epoch;
        only->topics = request->v3_and_below_topics;
        only->topics_count = request->v3_and_below_topics_count;
        transactions = only;
        batch->count = 1;
    }
    batch->items = arena_zarray(&batch->arena, struct batch_item, batch->count);
    for (uint32_t i = 0; i < batch->count; i++) {
        struct batch_item *item = &batch->items[i];
        const struct kafka_add_partitions_to_txn_request_transaction *t = item->transaction =
            &transactions[i];
        for (uint32_t k = 0; k < t->topics_count; k++)
            item->count += t->topics[k].partitions_count;
        item->partitions = arena_array(&batch->arena, struct txns_partition, item->count);
        item->errors = arena_zarray(&batch->arena, int16_t, item->count);
        size_t at = 0;
        for (uint32_t k = 0; k < t->topics_count; k++)
            for (uint32_t p = 0; p < t->topics[k].partitions_count; p++)
                item->partitions[at++] = (struct txns_partition){t->topics[k].name,
                                                                 t->topics[k].partitions[p]};
    }
    return batch;
}

void txns_add_partitions(struct txns *txns, int64_t now_ms, uint64_t ticket, int version,
                         const struct kafka_add_partitions_to_txn_request *request)
{
    txns->now_ms = now_ms;
    struct txn_batch *batch = batch_new(ticket, version, request);
    batch->waited = batch->count;
    batch->left = batch->count + 1;
    if (batch->count == 0)
        batch_reply(txns, batch);
    for (uint32_t i = 0, count = batch->count; i < count; i++) {
        struct txn_op *op = txn_op_new(txns, TXN_OP_ADD, ticket, version);
        op->batch = batch;
        op->batch_index = i;
        if (txns->is_loaded)
            txn_run_add(txns, op);
        else
            txn_op_answer(txns, op, KAFKA_ERR_COORDINATOR_LOAD_IN_PROGRESS, -1, -1);
    }
    txn_batch_leave(batch);
}

/* ---- writing -------------------------------------------------------------------------------------------------- */

/* An error as the answer to the write has it. */
static int16_t write_error(bool is_produce, int version, int16_t error)
{
    switch (error) {
    case KAFKA_ERR_PRODUCER_FENCED: return KAFKA_ERR_INVALID_PRODUCER_EPOCH;
    case KAFKA_ERR_TRANSACTION_ABORTABLE:
        return version >= (is_produce ? PRODUCE_ABORTABLE : OFFSETS_ABORTABLE) ? error
                                                                               : KAFKA_ERR_INVALID_TXN_STATE;
    case KAFKA_ERR_COORDINATOR_LOAD_IN_PROGRESS:
    case KAFKA_ERR_COORDINATOR_NOT_AVAILABLE: return is_produce ? KAFKA_ERR_NOT_ENOUGH_REPLICAS : error;
    case KAFKA_ERR_CONCURRENT_TRANSACTIONS:
        return is_produce && version < PRODUCE_ADDS ? KAFKA_ERR_NOT_ENOUGH_REPLICAS : error;
    default: return error;
    }
}

static int16_t fill_errors(int16_t *errors, size_t count, int16_t error)
{
    for (size_t i = 0; i < count; i++)
        errors[i] = error;
    return error;
}

struct write {
    uint64_t ticket;
    int version;
    bool is_produce, adds;
    struct str transactional_id;
    struct txn_who who;
    const struct txns_partition *partitions;
    size_t count;
};

/* May a batch be written now, whatever is on its way? If both sides of a pending move allow it: it comes into a frame behind the move's. But not past
 * another batch, of this producer as well, that waits for the move or behind it: their sequences would be out of order. */
static bool may_pass(const struct txn *txn)
{
    if (txn->image.state != TXN_ONGOING)
        return false;
    return txn->pending == NULL || (txn->pending->move.to.state == TXN_ONGOING &&
                                    txn->pending->kind != TXN_OP_ADMIT && list_empty(&txn->waiting));
}

/* Errors that are not yet those of the answer. */
static enum txns_admission admit(struct txns *txns, const struct write *w, int16_t *errors)
{
    const struct txn *found = NULL;
    int16_t error = txns->is_loaded ? verify(txns, w->transactional_id, w->who, &found)
                                    : KAFKA_ERR_COORDINATOR_LOAD_IN_PROGRESS;
    if (error) {
        fill_errors(errors, w->count, error);
        return TXNS_NOW;
    }
    struct txn *txn = txn_find(txns, w->transactional_id);
    if (may_pass(txn) && has_all(txns, &txn->parts, w->partitions, w->count)) {
        fill_errors(errors, w->count, KAFKA_ERR_NONE);
        return TXNS_NOW;
    }
    if (!w->adds && txn->pending == NULL) {
        verify_all(txns, txn, w->partitions, w->count, errors);
        return TXNS_NOW;
    }
    if (txn->pending && txns->stats.waiting >= TXNS_WAITING_MAX) {
        txns->stats.refused++;
        fill_errors(errors, w->count, KAFKA_ERR_CONCURRENT_TRANSACTIONS);
        return TXNS_NOW;
    }
    struct txn_op *op = txn_op_new(txns, TXN_OP_ADMIT, w->ticket, w->version);
    op->is_produce = w->is_produce;
    if (txn_op_waits(txns, op, txn))
        return TXNS_LATER;
    if (!unite(txns, op, txn, w->partitions, w->count)) {
        txn_op_done(txns, op);
        fill_errors(errors, w->count, KAFKA_ERR_POLICY_VIOLATION);
        return TXNS_NOW;
    }
    struct txn_decision decision = txn_decide_add(&txn->image, w->who, false, 2, txns->now_ms);
    CHECK(decision.verdict == TXN_MOVE);
    txn_op_obey(txns, op, txn, decision);
    return TXNS_LATER;
}

int16_t txn_admit_error(const struct txn_op *op, int16_t error)
{
    return write_error(op->is_produce, op->version, error);
}

enum txns_admission txns_admit_produce(struct txns *txns, int64_t now_ms, uint64_t ticket, int version,
                                       struct str transactional_id, int64_t producer_id,
                                       int16_t producer_epoch, const struct txns_partition *partitions,
                                       size_t count, int16_t *errors)
{
    txns->now_ms = now_ms;
    struct write w = {
        .ticket = ticket,
        .version = version,
        .is_produce = true,
        .adds = version >= PRODUCE_ADDS,
        .transactional_id = transactional_id,
        .who = {producer_id, producer_epoch},
        .partitions = partitions,
        .count = count,
    };
    if (admit(txns, &w, errors) == TXNS_LATER)
        return TXNS_LATER;
    for (size_t i = 0; i < count; i++)
        errors[i] = write_error(true, version, errors[i]);
    return TXNS_NOW;
}

enum txns_admission txns_admit_offsets(struct txns *txns, int64_t now_ms, uint64_t ticket, int version,
                                       const struct kafka_txn_offset_commit_request *request, int16_t *error)
{
    txns->now_ms = now_ms;
    struct txns_partition partition = offsets_partition(txns, request->group_id);
    struct write w = {
        .ticket = ticket,
        .version = version,
        .adds = version >= OFFSETS_ADDS,
        .transactional_id = request->transactional_id,
        .who = {request->producer_id, request->producer_epoch},
        .partitions = &partition,
        .count = 1,
    };
    if (admit(txns, &w, error) == TXNS_LATER)
        return TXNS_LATER;
    *error = write_error(false, version, *error);
    return TXNS_NOW;
}

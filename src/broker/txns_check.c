/* The invariants of the transaction coordinator. */
#include "broker/java_hash.h"
#include "broker/txns_private.h"

static void check_pending(const struct txns *txns, const struct txn *txn)
{
    const struct txn_op *op = txn->pending;
    CHECK(op->in_flight && op->txn == txn && txn->deadline_ms == INT64_MAX);
    if (op->kind == TXN_OP_EXPIRE) {
        CHECK(txn_may_expire(txn->image.state));
        return;
    }
    CHECK(op->kind == TXN_OP_FINISH || txn_may_move(txn->image.state, op->move.to.state));
    CHECK(txn_image_is_sane(&op->move.to) && txn_image_is_sane(&op->final));
    CHECK(op->move.to.state == TXN_ONGOING || op->parts.count == 0);
    for (uint32_t i = 0; i < txn->parts.count; i++)
        CHECK(op->parts.count == 0 || txn_parts_has(&op->parts, txn->parts.items[i]));
}

/* Sorted, each once, of topics that are there; counts their uses. */
static void check_parts(const struct txns *txns, const struct txn_parts *parts,
                        const struct txn_parts *counted, uint32_t *uses)
{
    for (uint32_t i = 0; i < parts->count; i++) {
        struct txn_part part = parts->items[i];
        CHECK(part.topic < txns->topics_count && txns->topics[part.topic] != NULL);
        CHECK(i == 0 || parts->items[i - 1].topic < part.topic ||
              (parts->items[i - 1].topic == part.topic && parts->items[i - 1].partition < part.partition));
        if (counted == NULL || !txn_parts_has(counted, part))
            uses[part.topic]++;
    }
}

static void check_txn(const struct txns *txns, const struct txn *txn, uint32_t *uses)
{
    CHECK(txn->is_durable ? txn_image_is_sane(&txn->image) : txn->image.producer_id == -1 && txn->pending);
    CHECK(txn->parts.count == 0 || txn->image.state == TXN_ONGOING || txn_is_prepared(txn->image.state));
    CHECK(txn->pending || list_empty(&txn->waiting));
    CHECK(txn->heap_index < txns->heap_count && txns->heap[txn->heap_index] == txn);
    CHECK(txn->heap_index == 0 || txns->heap[(txn->heap_index - 1) / 2]->deadline_ms <= txn->deadline_ms);
    CHECK(txn->image.producer_id < txns->ids_end && txn->image.next_producer_id < txns->ids_end);
    check_parts(txns, &txn->parts, NULL, uses);
    if (txn->pending) {
        check_pending(txns, txn);
        check_parts(txns, &txn->pending->parts, &txn->parts, uses);
    }
}

void txns_check(const struct txns *txns)
{
    CHECK(txns->next_id <= txns->ids_end);
    if (!txns->is_loaded)
        return;
    CHECK(txns->ids.count == txns->heap_count && txns->ids.count <= txns->options.ids_max);
    uint32_t *uses = mem_new_array(uint32_t, txns->topics_count + 1);
    uint64_t ongoing = 0, waiting = 0;
    for (size_t i = 0; i < txns->heap_count; i++) {
        check_txn(txns, txns->heap[i], uses);
        ongoing += txns->heap[i]->image.state == TXN_ONGOING;
        LIST_EACH(link, &txns->heap[i]->waiting)
        waiting++;
    }
    LIST_EACH(link, &txns->want_ids)
    waiting++;
    CHECK(list_empty(&txns->want_ids) || txns->block_in_flight);
    CHECK(ongoing == txns->stats.ongoing && waiting == txns->stats.waiting);
    for (size_t i = 0; i < txns->topics_count; i++)
        CHECK(txns->topics[i] ? txns->topics[i]->uses == uses[i] && uses[i] > 0 : uses[i] == 0);
    mem_free(uses);
}

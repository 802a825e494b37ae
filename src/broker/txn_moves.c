/* The states of a transactional id, and what each request does in each of them.
 *
 *                        InitProducerId                  ┌── add partitions
 *                     ┌────────────────┐                 ▼  │
 *      (new) ─────▶ EMPTY ◀──────────┐ │  add       ┌─ ONGOING ──────────────┐
 *                     │ ▲ └──────────┼─┴───────────▶│    ▲ ▲                 │ EndTxn(abort), time-out,
 *                     │ │            │              │    │ │                 │ InitProducerId of another
 *      EndTxn(abort), │ │            │ EndTxn(commit)    │ │ add             ▼
 *       version 2     │ │            │              ▼    │ │           PREPARE_ABORT ◀─── EndTxn(abort), version 2
 *                     │ │      Init  │     PREPARE_COMMIT │ └─────────┐       │            from EMPTY and COMPLETE_*
 *                     │ │            │              │     │           │       │ (same frame)
 *                     │ │            │ (same frame) ▼     │           │       ▼
 *                     │ └────────────┼─ COMPLETE_COMMIT ──┘           └─ COMPLETE_ABORT
 *                     │              └──────────────────────────────────────┘  Init
 *                     └──▶ PREPARE_ABORT                       EMPTY, COMPLETE_*: after 7 days unused ──▶ DEAD, gone
 *
 * Epochs. Whoever holds the newest epoch of a producer id owns the transactional id. Under version 1 an epoch lives until another
 * InitProducerId; a batch of a transaction that had timed out could be late, and fall into the next one. Under version 2 (KIP-890)
 * every end of a transaction takes the next epoch: the marker has it, the client gets it with the answer, and whatever is late has an
 * old one. A client that never saw the answer asks again with the old epoch: that is the "retry" of the table below. Epochs end at
 * 32,767; the last one is kept for fencing, and a client at 32,766 goes on with a fresh producer id at epoch 0.
 *
 * Invariants: txn_image_is_sane. Order of checks and errors: Kafka's TransactionCoordinator, 4.3. */
#include "broker/txn_moves.h"

#include <string.h>

#include "base/check.h"
#include "wire/kafka.h"

#define BIT(state) (1u << (state))

static const struct {
    const char *name;
    unsigned from; /* states that it may follow */
    bool expires;
} states[TXN_STATES] = {
    [TXN_EMPTY] = {"Empty", BIT(TXN_EMPTY) | BIT(TXN_COMPLETE_COMMIT) | BIT(TXN_COMPLETE_ABORT), true},
    [TXN_ONGOING] = {"Ongoing",
                     BIT(TXN_ONGOING) | BIT(TXN_EMPTY) | BIT(TXN_COMPLETE_COMMIT) | BIT(TXN_COMPLETE_ABORT),
                     false},
    [TXN_PREPARE_COMMIT] = {"PrepareCommit", BIT(TXN_ONGOING), false},
    [TXN_PREPARE_ABORT] = {"PrepareAbort",
                           BIT(TXN_ONGOING) | BIT(TXN_EMPTY) | BIT(TXN_COMPLETE_COMMIT) |
                               BIT(TXN_COMPLETE_ABORT),
                           false},
    [TXN_COMPLETE_COMMIT] = {"CompleteCommit", BIT(TXN_PREPARE_COMMIT), true},
    [TXN_COMPLETE_ABORT] = {"CompleteAbort", BIT(TXN_PREPARE_ABORT), true},
    [TXN_DEAD] = {"Dead", BIT(TXN_EMPTY) | BIT(TXN_COMPLETE_COMMIT) | BIT(TXN_COMPLETE_ABORT), false},
    [TXN_PREPARE_EPOCH_FENCE] = {"PrepareEpochFence", 0, false},
};

/* EndTxn, by version, state, result and epoch. */
enum {
    DO_ABORT = -1,
    DO_COMMIT = -2,
    OK = KAFKA_ERR_NONE,
    WAIT = KAFKA_ERR_CONCURRENT_TRANSACTIONS,
    NOT_SO = KAFKA_ERR_INVALID_TXN_STATE,
    FENCED = KAFKA_ERR_PRODUCER_FENCED,
};
/*                                   abort: current, retry      commit: current, retry */
static const int8_t end_table[2][TXN_COMPLETE_ABORT + 1][2][2] = {
    {
        /* version 1: an epoch that is not the current one is always fenced */
        [TXN_EMPTY] = {{NOT_SO, FENCED}, {NOT_SO, FENCED}},
        [TXN_ONGOING] = {{DO_ABORT, FENCED}, {DO_COMMIT, FENCED}},
        [TXN_PREPARE_COMMIT] = {{NOT_SO, FENCED}, {WAIT, FENCED}},
        [TXN_PREPARE_ABORT] = {{WAIT, FENCED}, {NOT_SO, FENCED}},
        [TXN_COMPLETE_COMMIT] = {{NOT_SO, FENCED}, {OK, FENCED}},
        [TXN_COMPLETE_ABORT] = {{OK, FENCED}, {NOT_SO, FENCED}},
    },
    {
        /* version 2 */
        [TXN_EMPTY] = {{DO_ABORT, FENCED}, {NOT_SO, FENCED}},
        [TXN_ONGOING] = {{DO_ABORT, FENCED}, {DO_COMMIT, FENCED}},
        [TXN_PREPARE_COMMIT] = {{FENCED, NOT_SO}, {FENCED, WAIT}},
        [TXN_PREPARE_ABORT] = {{FENCED, WAIT}, {FENCED, NOT_SO}},
        [TXN_COMPLETE_COMMIT] = {{DO_ABORT, NOT_SO}, {NOT_SO, OK}},
        [TXN_COMPLETE_ABORT] = {{DO_ABORT, OK}, {NOT_SO, NOT_SO}},
    },
};

const char *txn_state_name(int state)
{
    CHECK(state >= 0 && state < TXN_STATES);
    return states[state].name;
}

int txn_state_named(const char *name, size_t n)
{
    for (int state = 0; state < TXN_STATES; state++)
        if (strlen(states[state].name) == n && memcmp(states[state].name, name, n) == 0)
            return state;
    return -1;
}

bool txn_may_move(int from, int to)
{
    CHECK(from >= 0 && from < TXN_STATES && to >= 0 && to < TXN_STATES);
    return states[to].from & BIT(from);
}

bool txn_may_expire(int state)
{
    CHECK(state >= 0 && state < TXN_STATES);
    return states[state].expires;
}

bool txn_is_prepared(int state)
{
    return state == TXN_PREPARE_COMMIT || state == TXN_PREPARE_ABORT;
}

static struct txn_decision answer(int error)
{
    return (struct txn_decision){.verdict = TXN_ANSWER, .error = (int16_t)error};
}

/* *at as it is after any move: later, and its producer id is the one before. */
static struct txn_image moved(const struct txn_image *at, enum txn_state state, int64_t now_ms)
{
    CHECK(txn_may_move(at->state, (int)state));
    struct txn_image to = *at;
    to.state = (uint8_t)state;
    to.previous_producer_id = at->producer_id;
    to.update_ms = now_ms;
    return to;
}

static bool is_exhausted(int16_t epoch)
{
    return epoch >= TXN_EPOCH_MAX;
}

/* ---- InitProducerId ------------------------------------------------------------------------------------------- */

/* Does the client name the producer that it may go on as? One that lost the answer to a change of producer ids names the one before. */
static bool is_expected(const struct txn_image *at, const struct txn_who *expected)
{
    return at->epoch < 0 || expected->producer_id == at->producer_id ||
           (expected->producer_id == at->previous_producer_id && is_exhausted(expected->epoch));
}

/* EMPTY with another producer id (rotate), or the next epoch of this one. */
static struct txn_decision start_over(const struct txn_image *at, bool rotate, int32_t timeout_ms,
                                      int16_t last_epoch, int64_t fresh_id, int64_t now_ms)
{
    if (rotate && fresh_id < 0)
        return (struct txn_decision){.verdict = TXN_NEEDS_ID};
    struct txn_decision decision = {.verdict = TXN_MOVE, .took_id = rotate};
    struct txn_image *to = &decision.to;
    *to = moved(at, TXN_EMPTY, now_ms);
    to->epoch = rotate ? 0 : (int16_t)(at->epoch + 1);
    if (rotate)
        to->producer_id = fresh_id;
    if (at->producer_id < 0)
        to->previous_producer_id = fresh_id;
    to->last_epoch = last_epoch;
    to->timeout_ms = timeout_ms;
    to->start_ms = -1;
    return decision;
}

struct txn_decision txn_decide_init(const struct txn_image *at, int32_t timeout_ms,
                                    const struct txn_who *expected, int64_t fresh_id, int64_t now_ms)
{
    if (expected && !is_expected(at, expected))
        return answer(KAFKA_ERR_PRODUCER_FENCED);
    if (txn_is_prepared(at->state))
        return answer(KAFKA_ERR_CONCURRENT_TRANSACTIONS);
    if (at->state == TXN_ONGOING) {
        /* The client asks again, and is told an epoch above the one that fenced. */
        struct txn_decision decision = txn_decide_fence(at, fresh_id, now_ms);
        decision.error = KAFKA_ERR_CONCURRENT_TRANSACTIONS;
        return decision;
    }
    bool is_new = at->epoch < 0, rotate = is_new || is_exhausted(at->epoch);
    if (expected == NULL)
        return start_over(at, rotate, timeout_ms, -1, fresh_id, now_ms);
    if (is_new || expected->epoch == at->epoch)
        return start_over(at, rotate, timeout_ms, at->epoch, fresh_id, now_ms);
    if (expected->epoch != at->last_epoch)
        return answer(KAFKA_ERR_PRODUCER_FENCED);
    /* It asked before, and the answer was lost. */
    struct txn_decision decision = {.verdict = TXN_MOVE, .to = moved(at, TXN_EMPTY, now_ms)};
    decision.to.timeout_ms = timeout_ms;
    decision.to.start_ms = -1;
    return decision;
}

/* ---- adding --------------------------------------------------------------------------------------------------- */

struct txn_decision txn_decide_add(const struct txn_image *at, struct txn_who who, bool has_all,
                                   uint8_t client_version, int64_t now_ms)
{
    if (who.producer_id != at->producer_id)
        return answer(KAFKA_ERR_INVALID_PRODUCER_ID_MAPPING);
    if (who.epoch != at->epoch)
        return answer(KAFKA_ERR_PRODUCER_FENCED);
    if (txn_is_prepared(at->state))
        return answer(KAFKA_ERR_CONCURRENT_TRANSACTIONS);
    if (at->state == TXN_ONGOING && has_all)
        return answer(KAFKA_ERR_NONE);
    struct txn_decision decision = {.verdict = TXN_MOVE, .to = moved(at, TXN_ONGOING, now_ms)};
    if (at->state != TXN_ONGOING)
        decision.to.start_ms = now_ms;
    decision.to.client_version = client_version;
    return decision;
}

/* ---- ending --------------------------------------------------------------------------------------------------- */

static struct txn_decision prepare(const struct txn_image *at, bool commit, uint8_t client_version,
                                   int64_t fresh_id, int64_t now_ms)
{
    bool bumps = client_version >= 2, rotate = bumps && is_exhausted(at->epoch);
    if (rotate && fresh_id < 0)
        return (struct txn_decision){.verdict = TXN_NEEDS_ID};
    struct txn_decision decision = {
        .verdict = TXN_MOVE,
        .took_id = rotate,
        .to = moved(at, commit ? TXN_PREPARE_COMMIT : TXN_PREPARE_ABORT, now_ms),
    };
    struct txn_image *to = &decision.to;
    if (bumps) {
        to->last_epoch = at->epoch;
        to->epoch = at->epoch < INT16_MAX ? (int16_t)(at->epoch + 1) : INT16_MAX;
    }
    to->next_producer_id = rotate ? fresh_id : -1;
    if (at->state != TXN_ONGOING) /* an abort of nothing */
        to->start_ms = now_ms;
    to->client_version = client_version;
    return decision;
}

struct txn_decision txn_decide_end(const struct txn_image *at, struct txn_who who, bool commit,
                                   uint8_t client_version, int64_t fresh_id, int64_t now_ms)
{
    bool is_v2 = client_version >= 2;
    /* The answer with epoch 0 of the next producer id was lost. */
    bool after_rotation = is_v2 && at->previous_producer_id == who.producer_id &&
                          who.epoch == TXN_EPOCH_MAX && at->epoch == 0 && !txn_is_prepared(at->state);
    if (who.producer_id != at->producer_id && !after_rotation)
        return answer(KAFKA_ERR_INVALID_PRODUCER_ID_MAPPING);
    /* Kafka takes any epoch that is one behind for a retry. But when the end before was one of version 1, this epoch is that of a new
     * producer's start, and the one behind it belongs to a zombie, which would be told the epoch that fences it. */
    bool is_retry = after_rotation || (at->epoch == who.epoch + 1 && at->client_version >= 2);
    if (!is_retry && at->epoch != who.epoch)
        return answer(KAFKA_ERR_PRODUCER_FENCED);
    CHECK(at->state <= TXN_COMPLETE_ABORT);
    int8_t what = end_table[is_v2][at->state][commit][is_retry];
    if (what >= 0)
        return answer(what);
    return prepare(at, what == DO_COMMIT, is_v2 ? 2 : 0, fresh_id, now_ms);
}

struct txn_decision txn_decide_fence(const struct txn_image *at, int64_t fresh_id, int64_t now_ms)
{
    CHECK(at->state == TXN_ONGOING);
    return prepare(at, false, 2, fresh_id, now_ms);
}

struct txn_image txn_complete(const struct txn_image *prepared, int64_t now_ms)
{
    bool commits = prepared->state == TXN_PREPARE_COMMIT;
    struct txn_image to = moved(prepared, commits ? TXN_COMPLETE_COMMIT : TXN_COMPLETE_ABORT, now_ms);
    if (prepared->next_producer_id >= 0) {
        to.producer_id = prepared->next_producer_id;
        to.epoch = 0;
    }
    to.next_producer_id = -1;
    return to;
}

bool txn_image_is_sane(const struct txn_image *image)
{
    enum { ROOM = 1 << 30 }; /* for sums of times, and blocks of producer ids */
    bool is_prepared = txn_is_prepared(image->state);
    return image->producer_id < INT64_MAX - ROOM && image->next_producer_id < INT64_MAX - ROOM &&
           image->start_ms >= -1 && image->start_ms < INT64_MAX / 2 && image->update_ms >= -1 &&
           image->update_ms < INT64_MAX / 2 && image->timeout_ms >= 0 && image->state <= TXN_COMPLETE_ABORT &&
           image->producer_id >= 0 && image->epoch >= 0 && (image->next_producer_id < 0 || is_prepared) &&
           (image->epoch < INT16_MAX || is_prepared || image->client_version < 2) &&
           (image->state == TXN_EMPTY || image->start_ms >= 0) &&
           (image->client_version == 0 || image->client_version == 2);
}

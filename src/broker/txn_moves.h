/* What may happen to one transactional id, as tables: see txn_moves.c. Pure, and knows nothing of partitions, frames or clients. */
#ifndef BROKER_TXN_MOVES_H
#define BROKER_TXN_MOVES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Kafka's numbers: they stand in records. */
enum txn_state {
    TXN_EMPTY,
    TXN_ONGOING,
    TXN_PREPARE_COMMIT,
    TXN_PREPARE_ABORT,
    TXN_COMPLETE_COMMIT,
    TXN_COMPLETE_ABORT,
    TXN_DEAD,
    TXN_PREPARE_EPOCH_FENCE, /* Kafka's name for an abort that was decided and not yet written; never ours */
    TXN_STATES
};

enum {
    TXN_EPOCH_MAX = INT16_MAX - 1, /* the last that a client gets: one is left to fence it with */
    TXN_NO_TIMEOUT = INT32_MAX,
};

/* What a record says of a transactional id, but for its partitions. */
struct txn_image {
    int64_t producer_id; /* −1: of an id that nobody has persisted yet, and then epoch is −1 too */
    int64_t previous_producer_id; /* before the last move */
    int64_t next_producer_id;     /* prepared, and the epochs are used up: the one to go on with; else −1 */
    int64_t start_ms;             /* of the transaction; −1: none since InitProducerId */
    int64_t update_ms;            /* of the last move */
    int32_t timeout_ms;
    int16_t epoch;
    int16_t last_epoch;     /* whose owner may ask for epoch again; −1: nobody */
    uint8_t state;          /* enum txn_state */
    uint8_t client_version; /* 0 or 2: transaction.version of the client that moved it */
};

enum txn_verdict {
    TXN_ANSWER,   /* nothing moves */
    TXN_MOVE,     /* to `to`, when that is durable */
    TXN_NEEDS_ID, /* ask again with a fresh producer id */
};
struct txn_decision {
    enum txn_verdict verdict;
    int16_t error; /* the answer: at once, or when `to` is durable */
    bool took_id;  /* fresh_id is in `to` */
    struct txn_image to;
};

struct txn_who {
    int64_t producer_id;
    int16_t epoch;
};

const char *txn_state_name(int state);
/* −1: there is no such state. */
int txn_state_named(const char *name, size_t n);
bool txn_may_move(int from, int to);
bool txn_may_expire(int state);
bool txn_is_prepared(int state);

/* fresh_id: a producer id that nobody has, or −1 when there is none at hand. */

/* InitProducerId. expected: what the client says that it had; NULL where it says nothing. */
struct txn_decision txn_decide_init(const struct txn_image *at, int32_t timeout_ms,
                                    const struct txn_who *expected, int64_t fresh_id, int64_t now_ms);
/* Adding partitions. has_all: they are all there already. client_version: 0 or 2. */
struct txn_decision txn_decide_add(const struct txn_image *at, struct txn_who who, bool has_all,
                                   uint8_t client_version, int64_t now_ms);
/* EndTxn; `to` is prepared. */
struct txn_decision txn_decide_end(const struct txn_image *at, struct txn_who who, bool commit,
                                   uint8_t client_version, int64_t fresh_id, int64_t now_ms);
/* Somebody else ends it: by time-out, or a new producer. `to` is prepared, with an epoch that its producer does not have. */
struct txn_decision txn_decide_fence(const struct txn_image *at, int64_t fresh_id, int64_t now_ms);
/* What follows when the markers of a prepared one are written. */
struct txn_image txn_complete(const struct txn_image *prepared, int64_t now_ms);

/* The invariants of what is durable: what a record may say. */
bool txn_image_is_sane(const struct txn_image *image);

#endif

/* A world around a transaction coordinator, for its tests: frames that become durable in their order, or are refused, or are lost with
 * a crash; the logs of partitions, which receive batches and markers; and the answers that came. */
#ifndef REF_TXN_WORLD_H
#define REF_TXN_WORLD_H

#include "base/list.h"
#include "broker/txns.h"

enum {
    WORLD_PARTITIONS = 8, /* "t0" … "t3" with two partitions each */
    WORLD_OFFSETS = 4,    /* partitions of __consumer_offsets, behind them */
    WORLD_LOGS = WORLD_PARTITIONS + WORLD_OFFSETS,
    WORLD_FRAME_MARKERS = 64,
};

enum world_kind { WORLD_BATCH, WORLD_ABORT, WORLD_COMMIT };
/* A batch, or a marker, in a partition's log. */
struct world_entry {
    int64_t producer_id;
    int16_t epoch;
    uint8_t kind;
    int32_t tag; /* of the transaction, as the client counts; of a marker −1 */
    int32_t batch;
};
struct world_log {
    struct world_entry *entries;
    size_t count, capacity;
    bool is_gone; /* its topic was deleted */
};
struct world_frame;
/* What came of a request, by its ticket. */
struct txn_world_answer {
    uint64_t ticket;
    int16_t
        error; /* of AddPartitionsToTxn: the first partition's that is not 0 and not OPERATION_NOT_ATTEMPTED, else the first */
    int64_t producer_id;
    int16_t epoch;
    bool is_ready; /* ready(ticket, error), not reply */
    char text[96]; /* of AddPartitionsToTxn: "id: topic-partition=error …" */
};

struct txn_world {
    struct txns *txns;
    struct txns_options options;
    int64_t now_ms;
    struct list frames; /* in flight, the oldest first */
    size_t frames_count;
    /* durable */
    struct world_record {
        char *key, *value;
        size_t key_size, value_size; /* value NULL: a tombstone */
        int32_t partition;
    } * records;
    size_t records_count, records_capacity;
    int64_t ids_end; /* −1: none */
    struct world_log logs[WORLD_LOGS];
    /* answers not yet taken */
    struct txn_world_answer *answers;
    size_t answers_count, answers_capacity;
    struct world_request *requests; /* whose answers are due: their messages are kept so long */
    uint64_t next_ticket;
    uint64_t offsets_ended[2];                                           /* [commit]: calls */
    void (*on_answer)(void *arg, const struct txn_world_answer *answer); /* if set, instead of `answers` */
    void *on_answer_arg;
    int depth; /* of on_answer within on_answer */
};

void txn_world_init(struct txn_world *world, const struct txns_options *options);
void txn_world_fini(struct txn_world *world);
/* Another coordinator of this world, that is not loaded. */
struct txns *world_unloaded(struct txn_world *world);
/* The process dies: the first `kept` frames in flight were durable all the same. It starts again, from what is. */
void world_crash(struct txn_world *world, size_t kept);
/* The oldest frame is durable, or refused. There is one. */
void world_frame(struct txn_world *world, bool ok);
/* All frames, all durable, until there are none. */
void world_settle(struct txn_world *world);
/* Puts a batch into a frame of its own. ready(ticket) when it is durable. */
void world_append(struct txn_world *world, uint64_t ticket, int log, struct world_entry entry);

struct str txn_world_topic(int log);
int32_t world_partition(int log);
/* A group whose offsets are in that log. */
struct str world_group(int log);
int world_log_of(struct str topic, int32_t partition);

/* A record of that id becomes durable, as if another program had written it. */
void world_put_record(struct txn_world *world, const char *id,
                      const struct kafka_transaction_log_value *value);
/* A ticket for a request that the test makes itself. */
uint64_t world_expect(struct txn_world *world, int16_t api);
/* Requests; the ticket by which the answer can be known. */
uint64_t world_init_producer_id(struct txn_world *world, int version, const char *id, int32_t timeout_ms,
                                int64_t producer_id, int16_t epoch);
/* logs: bits, of both kinds of log. */
uint64_t world_add_partitions(struct txn_world *world, int version, const char *id, int64_t producer_id,
                              int16_t epoch, unsigned logs, bool verify_only);
uint64_t world_add_offsets(struct txn_world *world, int version, const char *id, int64_t producer_id,
                           int16_t epoch, int log);
uint64_t txn_world_end_txn(struct txn_world *world, int version, const char *id, int64_t producer_id,
                           int16_t epoch, bool commit);
/* Produce for logs below WORLD_PARTITIONS, TxnOffsetCommit for one above. *error: the worst. */
enum txns_admission world_admit(struct txn_world *world, uint64_t ticket, int version, const char *id,
                                int64_t producer_id, int16_t epoch, unsigned logs, int16_t *error);
/* The answer, if it came; it is taken. */
bool txn_world_answer(struct txn_world *world, uint64_t ticket, struct txn_world_answer *answer);

#endif

/* What a log knows of its producers: who writes into it with which epoch, the last five batches of each, and open transactions. A pure state
 * machine: record batch headers in, verdicts out; no clock, no file, no lock.
 *
 *     unknown ──batch or marker──> known: epoch, up to five batches     ──idle for a day──> unknown
 *                                    │  newer epoch: the batches are forgotten
 *                                    │
 *                        no transaction ──transactional batch──> open, from that batch's offset
 *                                    └───────── marker ────────────┘
 *
 * The order of the checks is Kafka's (ProducerAppendInfo, ProducerStateManager; version 4):
 *   1. the same epoch, first and last sequence as one of the five batches: a duplicate
 *   2. an older epoch than the last: fenced
 *   3. a newer epoch begins with sequence 0; the same goes on with the sequence after the last one, and after INT32_MAX comes 0;
 *      a producer that is not known may begin anywhere, because what was known of it may have been forgotten
 *   4. while a transaction is open every batch belongs to it
 *
 * So a retry of an append whose reply was lost, before a crash or after, is answered with the offset that it got; and of what comes out of
 * order, or late from a producer that was replaced, nothing is appended. Different from Kafka: all five batches survive a restart, not
 * the last alone; and a producer is forgotten by the time of its last append, not by the time that it wrote into its records. */
#ifndef LOG_PRODUCER_H
#define LOG_PRODUCER_H

#include "format/records.h"
#include "log/store.h"

enum {
    PRODUCER_BATCHES = 5,
    PRODUCER_RECORD_MAX = 192, /* bytes of its record in the catalogue, key and record's own included */
};

struct producer_batch {
    int64_t last_offset, timestamp_ms; /* its newest record's */
    int32_t last_sequence, offset_delta;
};

struct producer {
    int64_t id;
    int64_t txn_first;         /* first offset of its open transaction; −1 = none */
    int64_t timestamp_ms;      /* of its newest batch or marker */
    uint32_t touched_s;        /* wall time of its last append */
    int32_t coordinator_epoch; /* of its last marker; −1 = none */
    int16_t epoch;             /* −1 = not known */
    uint8_t batch_count;
    bool changed;                                    /* since its record in the catalogue was made */
    bool saved;                                      /* it has one */
    struct producer_batch batches[PRODUCER_BATCHES]; /* oldest first */
};

struct open_txn {
    int64_t first, producer_id;
};

/* Of one log. Zeroed = empty and valid. */
struct producers {
    struct producer *list; /* [count], in no order */
    size_t count, capacity;
    uint32_t *slots; /* [slot_count], index + 1 into list, 0 = free; NULL while there are few */
    size_t slot_count;
    struct open_txn *open; /* [open_count], by first offset */
    size_t open_count, open_capacity;
    size_t changed; /* how many are */
};

void producers_fini(struct producers *producers);
/* NULL: not known. Until the next change. */
const struct producer *producers_find(const struct producers *producers, int64_t id);
/* A copy of what is known of id, or of one that nothing is known of. */
struct producer producers_copy(const struct producers *producers, int64_t id);
/* What is known of producer->id now. One with epoch −1 is forgotten. */
void producers_set(struct producers *producers, const struct producer *producer);
/* Forgets those whose last append was before that and that have no open transaction; each(arg, producer) for each, before. */
void producers_expire(struct producers *producers, uint32_t before_s,
                      void (*each)(void *arg, const struct producer *producer), void *arg);
/* There are PRODUCERS_MAX: forgets an eighth, those that were idle longest. False: all have open transactions. */
bool producers_make_room(struct producers *producers,
                         void (*each)(void *arg, const struct producer *producer), void *arg);
/* First offset of the oldest open transaction; INT64_MAX = none is open. */
int64_t producers_first_open(const struct producers *producers);
/* Aborts when something does not fit. */
void producers_check(const struct producers *producers);

/* May the batch (not a control batch, with a producer id) follow? flags: of frame_append_produce. *original: of a duplicate, else NULL. */
enum append_error producer_check(const struct producer *producer, const struct records_batch *batch,
                                 unsigned flags, const struct producer_batch **original);
enum append_error producer_check_marker(const struct producer *producer, const struct txn_marker *marker,
                                        bool *is_repetition);
/* It is appended, at batch->base_offset. */
void producer_apply(struct producer *producer, const struct records_batch *batch);
/* Returns the first offset of the transaction that it ends; −1: none was open. */
int64_t producer_apply_marker(struct producer *producer, const struct records_marker *marker);

/* Its record in the catalogue: all but id, changed and saved. */
void producer_encode(const struct producer *producer, struct sbuf *out);
bool producer_decode(struct str bytes, struct producer *producer);

#endif

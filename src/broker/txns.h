/* The transaction coordinator: every transactional id of this node, and the producer ids that it gives away.
 *
 * Pure: no I/O, no clock, no threads. Requests and the time come in; answers, and what must be durable first, go out through slots.
 * One role owns it and makes every call (the slots run on that role too, inside the call).
 *
 *      request ──▶ txns_end_txn() ──▶ persist(token, records, markers) ┄┄┄ one frame ┄┄┄▶ txns_persisted(token, true)
 *                                                                                        │
 *      client  ◀── reply(ticket, response) ◀── offsets_ended(partition, producer id) ◀───┘
 *
 * Nothing is answered before it is durable, and nothing changes that was not persisted: when a frame is refused, the state is what it
 * was, and the client is told to try again.
 *
 * A transaction ends with one frame: the records that say "prepared" and "complete", and the marker of every partition. Kafka answers
 * after "prepared" and writes markers later, because they are on other nodes; here a client that has its answer sees its commit
 * everywhere. So nobody ever meets a transaction that is prepared and not complete, except in records of other origin: txns_loaded
 * completes those.
 *
 * While a transition of an id is on its way to the disk, requests for that id wait for it, in their order. (Kafka answers
 * CONCURRENT_TRANSACTIONS then, and clients ask again some tens of milliseconds later; its own produce path does so within the broker.)
 *
 * The order of frames matters, and it is the owner's to keep: the batches that txns_admit_produce allowed go into a frame that is
 * submitted before, or with, whatever is persisted after that call. Otherwise a batch could land behind the marker that ended
 * its transaction, and be open for ever.
 *
 * Which errors, in which order they are looked for: Kafka 4.3's, with transaction.version 2. The tables stand in txn_moves.c. */
#ifndef BROKER_TXNS_H
#define BROKER_TXNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/mem.h"
#include "base/str.h"
#include "wire/kafka.h"

enum {
    TXNS_IDS_MAX = 200000,       /* transactional ids; a further one is refused with POLICY_VIOLATION */
    TXNS_PARTITIONS_MAX = 10000, /* partitions of one transaction, likewise */
    TXNS_WAITING_MAX = 10000, /* requests that wait for a frame; past it CONCURRENT_TRANSACTIONS, as Kafka */
    TXNS_TIMEOUT_MAX_MS = 900000,   /* transaction.max.timeout.ms */
    TXNS_EXPIRATION_MS = 604800000, /* transactional.id.expiration.ms: 7 days */
    TXNS_STATE_PARTITIONS = 50,     /* of __transaction_state */
    TXNS_OFFSETS_PARTITIONS = 50,   /* of __consumer_offsets */
    TXNS_PRODUCER_IDS_BLOCK = 1000, /* producer ids that one frame allocates */
    TXNS_RETRY_MS = 1000, /* a time-out or an expiration whose frame was refused is tried again after this */
};

/* Zeroed fields take the defaults above. */
struct txns_options {
    uint32_t ids_max;
    uint32_t partitions_max;
    int32_t timeout_max_ms;
    int64_t expiration_ms;
    int32_t state_partitions;
    int32_t offsets_partitions;
    int32_t producer_ids_block;
    int32_t coordinator_epoch; /* goes into markers; never less than in an earlier life of the data folder */
};

/* A record for a partition of __transaction_state, in Kafka's format. */
struct txns_record {
    int32_t partition;
    struct str key;
    struct str value; /* p NULL: a tombstone */
};
/* A control batch for a partition: EndTxnMarker. */
struct txns_marker {
    struct str topic;
    int32_t partition;
    int32_t coordinator_epoch;
    int64_t producer_id;
    int16_t producer_epoch;
    bool commit;
    bool is_bumped; /* version 2: producer_epoch is above that of the transaction's batches */
};
/* What one frame makes durable, whole or not at all. Borrowed until persist returns. */
struct txns_write {
    const struct txns_record *records; /* records[records_count], in this order */
    size_t records_count;
    const struct txns_marker *markers; /* markers[markers_count] */
    size_t markers_count;
    int64_t
        producer_ids_end; /* ids below it are given away for good: for txns_load_producer_ids; −1: unchanged */
};

/* What the owner does. All mandatory. Only reply and ready may call the coordinator: to make requests, and no more. */
struct txns_slots {
    void *arg;
    /* The answer to a request: the response struct of its API, borrowed until this returns. Once for each ticket. */
    void (*reply)(void *arg, uint64_t ticket, const void *response);
    /* After TXNS_LATER: error 0 = ask again now, with the same arguments; else refused with that error. Once for each TXNS_LATER. */
    void (*ready)(void *arg, uint64_t ticket, int16_t error);
    /* Puts *write into a frame and submits it. Frames are submitted in the order of these calls. Later, once: txns_persisted(token). */
    void (*persist)(void *arg, uint64_t token, const struct txns_write *write);
    /* The marker of this producer is durable in that partition of __consumer_offsets: its pending offsets count, or are dropped. */
    void (*offsets_ended)(void *arg, int32_t partition, int64_t producer_id, int16_t producer_epoch,
                          bool commit);
    /* Is there such a partition now? A deleted one gets no marker. */
    bool (*partition_exists)(void *arg, struct str topic, int32_t partition);
};

struct txns;

/* options and slots are copied. Requests before txns_loaded are answered with COORDINATOR_LOAD_IN_PROGRESS. */
struct txns *txns_new(const struct txns_options *options, const struct txns_slots *slots)
    __attribute__((returns_nonnull));
/* What is unanswered stays so. NULL is fine. */
void txns_free(struct txns *txns);

/* ---- loading, before anything else ---------------------------------------------------------------------------- */

/* A record of __transaction_state, in the order of its partition; value.p NULL is a tombstone. A record of a version that nobody here knows
 * is skipped, as Kafka does. False: ERR_DATA, the record is damaged. */
bool txns_load(struct txns *txns, struct str key, struct str value, struct err *err);
/* The last producer_ids_end that was persisted. Not called: there was none. */
void txns_load_producer_ids(struct txns *txns, int64_t producer_ids_end);
/* All is loaded: requests are served, and what was prepared is completed (through persist). */
void txns_loaded(struct txns *txns, int64_t now_ms);

/* ---- time and frames ------------------------------------------------------------------------------------------ */

/* Wall time in ms, here and below. */
/* When txns_tick has something to do, in ms; INT64_MAX: never. Changes with every call. */
int64_t txns_deadline_ms(const struct txns *txns);
/* Aborts transactions past their time-out (and fences their producers), forgets ids that were not used for expiration_ms. */
void txns_tick(struct txns *txns, int64_t now_ms);
/* The frame of that token is durable, or was refused and will never be. */
void txns_persisted(struct txns *txns, uint64_t token, bool ok, int64_t now_ms);

/* ---- requests ------------------------------------------------------------------------------------------------- */

/* version: of the request, one that is advertised. request: borrowed until its reply. The reply may come before the call returns. */
void txns_init_producer_id(struct txns *txns, int64_t now_ms, uint64_t ticket, int version,
                           const struct kafka_init_producer_id_request *request);
void txns_add_partitions(struct txns *txns, int64_t now_ms, uint64_t ticket, int version,
                         const struct kafka_add_partitions_to_txn_request *request);
void txns_add_offsets(struct txns *txns, int64_t now_ms, uint64_t ticket, int version,
                      const struct kafka_add_offsets_to_txn_request *request);
void txns_end_txn(struct txns *txns, int64_t now_ms, uint64_t ticket, int version,
                  const struct kafka_end_txn_request *request);

enum txns_admission {
    TXNS_NOW,   /* errors are filled */
    TXNS_LATER, /* ready(ticket) will say when to ask again */
};
struct txns_partition {
    struct str topic;
    int32_t partition;
};
/* May this producer write to these partitions in a transaction now? To be asked for each Produce request that names a transactional id,
 * when nothing else can refuse its batches but their sequence, and right before they go into a frame.
 * From version 12 on the partitions become part of the transaction (TXNS_LATER until that is durable); before, they must be.
 * errors[count]: as Produce's response has them in that version. */
enum txns_admission txns_admit_produce(struct txns *txns, int64_t now_ms, uint64_t ticket, int version,
                                       struct str transactional_id, int64_t producer_id,
                                       int16_t producer_epoch, const struct txns_partition *partitions,
                                       size_t count, int16_t *errors);
/* The same for TxnOffsetCommit and the partition of __consumer_offsets that its group has: from version 5 on it becomes part of the
 * transaction. *error: for all partitions of the response. */
enum txns_admission txns_admit_offsets(struct txns *txns, int64_t now_ms, uint64_t ticket, int version,
                                       const struct kafka_txn_offset_commit_request *request, int16_t *error);

/* These are answered at once: *response is filled, its arrays in arena; strings are borrowed from txns until the next call. */
void txns_describe(const struct txns *txns, const struct kafka_describe_transactions_request *request,
                   struct arena *arena, struct kafka_describe_transactions_response *response);
void txns_list(const struct txns *txns, int64_t now_ms, const struct kafka_list_transactions_request *request,
               struct arena *arena, struct kafka_list_transactions_response *response);

/* ---- watching ------------------------------------------------------------------------------------------------- */

struct txns_stats {
    uint64_t ids, ongoing; /* now */
    uint64_t waiting;      /* requests that wait for a frame now */
    uint64_t committed, aborted, timed_out, fenced, expired;
    uint64_t refused;  /* by a limit */
    uint64_t rejected; /* frames that were refused */
    uint64_t skipped;  /* records of unknown versions at the start */
    uint64_t bytes;    /* of memory, about */
};
void txns_stats(const struct txns *txns, struct txns_stats *stats);
/* Aborts the program when an invariant does not hold. Not within a slot. O(everything). */
void txns_check(const struct txns *txns);

#endif

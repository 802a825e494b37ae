/* What the files of the transaction coordinator share:
 *
 *     txn_moves.c    the states of one id, and what each request does to them
 *     txn_table.c    ids and topics by name, partitions as sets, ids by deadline
 *     txn_record.c   ids ↔ records of __transaction_state
 *     txn_add.c      AddPartitionsToTxn, AddOffsetsToTxn, and who may write
 *     txns.c         the other requests, frames, answers, time
 *     txn_list.c     describe, list
 *     txns_check.c   the invariants */
#ifndef BROKER_TXNS_PRIVATE_H
#define BROKER_TXNS_PRIVATE_H

#include "base/list.h"
#include "broker/txn_moves.h"
#include "broker/txns.h"

/* ---- tables (txn_table.c) ------------------------------------------------------------------------------------- */

/* A named thing is one of these with its name behind the struct that it is in. */
struct named {
    struct named *next; /* of the same bucket */
    const char *name;
    uint32_t size;
    uint32_t hash;
};
/* Zeroed = empty and valid. */
struct names {
    struct named **buckets; /* buckets[buckets_count], a power of two, or NULL */
    uint32_t buckets_count;
    uint32_t count;
};
static inline struct str named_str(const struct named *named)
{
    return str_n(named->name, named->size);
}
struct named *names_find(const struct names *names, struct str name);
/* *named of size bytes for the struct, given; its name is copied behind. Not there yet. */
void *names_new(struct names *names, struct str name, size_t size) __attribute__((returns_nonnull));
/* Takes it out and frees it. */
void names_free(struct names *names, struct named *named);
/* Frees all. */
void names_fini(struct names *names);
#define NAMES_EACH(named, names)                                                                             \
    for (uint32_t names_at = 0; names_at < (names)->buckets_count; names_at++)                               \
        for (struct named *named = (names)->buckets[names_at]; named; named = named->next)

/* A topic that some transaction names: kept once, counted. */
struct txn_topic {
    struct named named; /* first */
    uint32_t index;     /* in txns->topics */
    uint32_t uses;      /* partitions in sets */
};
/* A partition in a set; sets are sorted by both fields. */
struct txn_part {
    uint32_t topic; /* index */
    int32_t partition;
};
struct txn_parts {
    struct txn_part *items; /* owned, or NULL */
    uint32_t count;
};

struct txn_op;
struct txn {
    struct named named;     /* first */
    struct txn_image image; /* as it is durable */
    struct txn_parts parts; /* of the transaction that is ongoing or prepared */
    struct txn_op *pending; /* its move is on the way to the disk */
    struct list waiting;    /* of struct txn_op: requests, in their order. Empty unless pending */
    int64_t deadline_ms;    /* when txns_tick looks at it; INT64_MAX while pending */
    uint32_t heap_index;
    bool is_durable; /* false: its first record is on the way */
};

/* A request, or a move of our own, from when it has to wait until it is answered. */
enum txn_op_kind {
    TXN_OP_INIT,
    TXN_OP_ADD,
    TXN_OP_ADD_OFFSETS,
    TXN_OP_END,
    TXN_OP_ADMIT,  /* txns_admit_…: what waits is told to ask again */
    TXN_OP_FENCE,  /* from here on nobody waits for the answer: a time-out */
    TXN_OP_FINISH, /* completes what was prepared */
    TXN_OP_EXPIRE,
    TXN_OP_BLOCK, /* producer ids */
};
struct txn_batch;
struct txn_op {
    struct list link; /* in txn->waiting, txns->want_ids or txns->spare */
    enum txn_op_kind kind;
    int version;
    uint64_t ticket;
    const void *request;     /* borrowed; INIT, ADD_OFFSETS, END */
    struct txn_batch *batch; /* ADD: the answer that it is a part of */
    uint32_t batch_index;
    bool is_produce; /* ADMIT: or offsets */
    bool in_flight;  /* its frame is submitted, and `move`, `parts`, `txn` are set */
    struct txn *txn;
    struct txn_decision move; /* `to` is what follows, prepared or not */
    struct txn_image final;   /* completes move.to when that is prepared; else equal to it */
    struct txn_parts parts;   /* ONGOING: all partitions, the new ones too */
    int64_t ids_end;          /* BLOCK */
};

struct txns {
    struct txns_options options;
    struct txns_slots slots;
    struct names ids;          /* of struct txn */
    struct names topic_names;  /* of struct txn_topic */
    struct txn_topic **topics; /* topics[topics_count]; NULL: free */
    size_t topics_count, topics_capacity;
    size_t topics_free; /* no free one before it */
    struct txn **heap;  /* heap[ids.count], the earliest deadline first */
    size_t heap_count, heap_capacity;
    struct list want_ids;  /* of struct txn_op: requests that wait for producer ids */
    struct list in_flight; /* of struct txn_op: their frames are on the way */
    struct list spare;     /* of struct txn_op: for the next ones */
    uint32_t spare_count;
    int64_t next_id, ids_end; /* producer ids at hand: [next_id, ids_end) */
    bool block_in_flight;
    bool is_loaded;
    int64_t now_ms;
    struct arena arena;   /* of one persist, or one answer */
    struct kafka_out out; /* likewise: encoded records */
    struct txns_stats stats;
};

/* The index of a topic, with one use more. */
uint32_t txn_topic_use(struct txns *txns, struct str name);
void txn_topic_release(struct txns *txns, uint32_t index);
static inline struct str txn_topic_name(const struct txns *txns, uint32_t index)
{
    return named_str(&txns->topics[index]->named);
}
/* UINT32_MAX: no transaction names it. */
uint32_t txn_topic_find(const struct txns *txns, struct str name);

bool txn_parts_has(const struct txn_parts *parts, struct txn_part part);
/* The union as a set of its own; what is new in it uses its topic once. */
struct txn_parts txn_parts_union(struct txns *txns, const struct txn_parts *parts,
                                 const struct txns_partition *added, size_t count);
/* Frees set; what is not in `kept` (may be NULL) releases its topic. */
void txn_parts_free(struct txns *txns, struct txn_parts *set, const struct txn_parts *kept);

struct txn *txn_find(const struct txns *txns, struct str transactional_id);
/* A new one, EMPTY, without a producer id. */
struct txn *txn_add(struct txns *txns, struct str transactional_id) __attribute__((returns_nonnull));
/* Nobody waits for it. */
void txn_remove(struct txns *txns, struct txn *txn);
/* When txns_tick comes to it. */
void txn_set_deadline(struct txns *txns, struct txn *txn, int64_t deadline_ms);
/* After many deadlines were set without that. */
void txn_heap_build(struct txns *txns);

/* ---- records (txn_record.c) ----------------------------------------------------------------------------------- */

/* Appends to txns->out: the key, and the value of that image, or none (NULL: a tombstone). The bytes stay where they are said to be,
 * counted from the beginning of txns->out; the memory may move until all is encoded. */
struct txn_encoded {
    size_t key_at, key_size, value_at, value_size;
};
struct txn_encoded txn_encode(struct txns *txns, const struct txn *txn, const struct txn_image *image,
                              const struct txn_parts *parts);

/* ---- ops (txns.c) --------------------------------------------------------------------------------------------- */

struct txn_op *txn_op_new(struct txns *txns, enum txn_op_kind kind, uint64_t ticket, int version)
    __attribute__((returns_nonnull));
/* It is answered; nobody knows it any more. */
void txn_op_done(struct txns *txns, struct txn_op *op);
/* The end of an op. id and epoch: what InitProducerId and EndTxn tell the client when there is no error. */
void txn_op_answer(struct txns *txns, struct txn_op *op, int16_t error, int64_t id, int16_t epoch);
/* True: it was put aside until the id's move is over (or refused, when too many are). txn may be NULL. */
bool txn_op_waits(struct txns *txns, struct txn_op *op, struct txn *txn);
/* What was decided about txn, for every kind of request. */
void txn_op_obey(struct txns *txns, struct txn_op *op, struct txn *txn, struct txn_decision decision);
/* Clients of versions before `first` do not know PRODUCER_FENCED. */
int16_t txn_fenced_for(int version, int first, int16_t error);

/* ---- what a transaction writes to (txn_add.c) ----------------------------------------------------------------- */

void txn_run_add(struct txns *txns, struct txn_op *op);
void txn_answer_add(struct txns *txns, struct txn_op *op, int16_t error);
void txn_run_add_offsets(struct txns *txns, struct txn_op *op);
/* The error that is told to what waits for an admission. */
int16_t txn_admit_error(const struct txn_op *op, int16_t error);
/* One op of it is gone; the last one frees it. */
void txn_batch_leave(struct txn_batch *batch);

/* The topic whose partitions keep the offsets of groups. */
#define TXN_OFFSETS_TOPIC STR("__consumer_offsets")

#endif

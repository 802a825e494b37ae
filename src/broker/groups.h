/* The group coordinator: consumer groups of both protocols, their committed offsets, and what transactions add to these.
 *
 * A pure state machine. It opens nothing, knows no clock and no chance: requests, the time, confirmed writes and changed topics go
 * in; answers and records to be written go out through slots. The simulator can therefore lose, delay and repeat everything around
 * it, and end it at any instant.
 *
 *     server                                    groups
 *     groups_serve(call: api, request)  ──────→ valid now? what does it change?
 *                                       ←────── reply(call, response)              nothing durable depends on it
 *                                       ←────── persist(token, records)            something does; the call is held
 *     groups_persisted(token, ok)       ──────→ ok: the records are applied
 *                                       ←────── reply(call, response or error)
 *
 * What is durable changes in one place: where a record is applied, be it read at the start (groups_load) or confirmed
 * (groups_persisted). So what a restart rebuilds is what was there, and a write that failed has changed nothing. The records
 * are Kafka's own, of __consumer_offsets, byte for byte; Kafka's tools read them.
 *
 * Two kinds of state are not durable, as in Kafka: a classic group between two generations (who has joined, who has synced), and
 * when a member was heard of last.
 *
 * A group whose members or epochs are being written is busy: what else arrives for it waits, in order, until that is
 * confirmed (about a write's time). Committing offsets does not make it busy, and any number of commits are under way at once.
 *
 * Kafka 4.3 is the reference, for every check, its order and its error. What differs:
 *   - A classic member cannot join a consumer group that has members, nor the reverse: what Kafka answers with
 *     group.consumer.migration.policy=disabled. Empty groups change their type as in Kafka.
 *   - Regular expressions are PCRE2's, restricted to what RE2 has too (no look-around, no back-references), and resolved at once.
 *   - A new target assignment is computed with the change that causes it (Kafka 4.3 waits up to a second, earlier ones do not).
 *   - A fetch of stable offsets waits for commits that are under way when it arrives.
 *
 * One role calls everything here; nothing blocks; slots do not call back into groups. */
#ifndef BROKER_GROUPS_H
#define BROKER_GROUPS_H

#include "base/list.h"
#include "base/time.h"
#include "wire/kafka.h"

/* Limits that are not configured. Past one that has no error of its own, the answer is COORDINATOR_NOT_AVAILABLE. */
enum {
    GROUPS_RECORD_BYTES_MAX =
        8 << 20, /* of one record: a classic group's members with subscriptions and assignments */
    GROUPS_MEMBER_BYTES_MAX = 1 << 20, /* of a member's protocols, or topic names; beyond: INVALID_REQUEST */
    GROUPS_SUBSCRIBED_MAX = 10000,     /* topic names of one member */
    GROUPS_REGEX_BYTES_MAX = 4096,     /* of one expression; longer: INVALID_REGULAR_EXPRESSION */
    GROUPS_REGEX_REFRESH_MS =
        1000, /* expressions of a group are resolved anew at most this often when topics change */
    GROUPS_PENDING_MEMBERS_MAX = 10000, /* of one classic group, ids given out and not used yet */
    GROUPS_NEW_MEMBER_JOIN_MS =
        5 * 60000, /* a new member whose connection may be gone waits this long in a rebalance */
};

/* Kafka's options, with Kafka's defaults (groups_config_default). */
struct groups_config {
    int32_t session_min_ms, session_max_ms; /* group.{min,max}.session.timeout.ms: 6,000, 1,800,000 */
    int32_t initial_rebalance_delay_ms;     /* group.initial.rebalance.delay.ms: 3,000 */
    int32_t group_size_max;      /* group.max.size, group.consumer.max.size: 100,000 here; Kafka's is none */
    int32_t consumer_session_ms; /* group.consumer.session.timeout.ms: 45,000 */
    int32_t consumer_heartbeat_ms; /* group.consumer.heartbeat.interval.ms: 5,000 */
    int32_t offset_metadata_max;   /* offset.metadata.max.bytes, in UTF-16 units as there: 4,096 */
    int64_t offsets_retention_ms;  /* offsets.retention.minutes: 7 days */
    int32_t retention_check_ms;    /* offsets.retention.check.interval.ms: 600,000 */
    int32_t offsets_partitions;    /* offsets.topic.num.partitions: 50 */
    uint32_t groups_max;           /* 100,000 */
    uint32_t offsets_max;          /* committed and pending, all groups: 10,000,000 */
};
extern const struct groups_config groups_config_default;

struct groups_time {
    struct mono_time mono; /* for time-outs; does not go back */
    struct wall_time wall; /* goes into records */
};

/* ---- a call --------------------------------------------------------------------------------------------------- */

enum groups_call_state {
    GROUPS_CALL_NONE,   /* not here: before groups_serve, after the reply or groups_cancel */
    GROUPS_CALL_QUEUED, /* in a list, to be served later */
    GROUPS_CALL_HELD,   /* by a member (parked join or sync) or by a write */
};

/* One request and its answer. The caller embeds it in what it keeps of the request; zeroed but for the first part. From groups_serve
 * until reply or groups_cancel it, the request, and all that the request points to stay as they are and where they are. */
struct groups_call {
    int16_t api, version;   /* key: one of those below; a version that is described */
    struct str client_id;   /* of the request's header; p may be NULL */
    struct str client_host; /* "/127.0.0.1", as Kafka writes it */
    const void *request;    /* struct kafka_…_request of that API */
    void *owner;            /* the caller's own */
    /* groups' own */
    enum groups_call_state state;
    struct list link;             /* QUEUED */
    struct groups_call **held_at; /* HELD: the pointer that holds it */
    bool is_again;                /* it has waited for the commits under way, and does not wait again */
};

/*  api                            what it does beside answering
 *  OffsetCommit            8      commits
 *  OffsetFetch             9
 *  JoinGroup              11      parked until the rebalance is over
 *  Heartbeat              12
 *  LeaveGroup             13
 *  SyncGroup              14      parked until the leader's assignment is durable
 *  DescribeGroups         15
 *  ListGroups             16
 *  TxnOffsetCommit        28      pending until groups_txn_completed; that the transaction is open is the caller's to check
 *  DeleteGroups           42
 *  OffsetDelete           47
 *  ConsumerGroupHeartbeat 68
 *  ConsumerGroupDescribe  69
 * Authorization and throttling are the caller's. */

/* ---- what groups need ----------------------------------------------------------------------------------------- */

/* A topic as metadata has it now. */
struct groups_topic {
    struct str name; /* borrowed until the next call of a slot */
    struct kafka_uuid id;
    int32_t partitions;
};

/* A record of __consumer_offsets. */
struct groups_record {
    int32_t partition; /* of __consumer_offsets */
    struct str key;
    struct str value; /* p NULL: a tombstone */
};

/* Records that become durable together or not at all. Borrowed until groups_persisted(token). */
struct groups_write {
    uint64_t token; /* 1, 2, … */
    int64_t
        producer_id; /* of a transaction's offsets: they go into a transactional batch of that producer; else -1 */
    int16_t producer_epoch; /* else -1 */
    const struct groups_record *records;
    uint32_t records_count; /* at least 1 */
};

/* All mandatory. None of them calls back into groups. */
struct groups_slots {
    /* Once for each call that was served and not cancelled. response: struct kafka_…_response of call->api, borrowed until this
     * returns. The call is the caller's again. */
    void (*reply)(void *arg, struct groups_call *call, const void *response);
    /* Begins a write. Its end is told later by groups_persisted. */
    void (*persist)(void *arg, const struct groups_write *write);
    /* False: there is no such topic. */
    bool (*topic_by_name)(void *arg, struct str name, struct groups_topic *topic);
    bool (*topic_by_id)(void *arg, const struct kafka_uuid *id, struct groups_topic *topic);
    /* All topics, in any order: *at begins with 0 and is the slot's; false: that was all. Internal topics are among them. */
    bool (*topic_next)(void *arg, size_t *at, struct groups_topic *topic);
    /* n bytes that nobody can guess. */
    void (*random)(void *arg, void *out, size_t n);
};

/* ---- life ----------------------------------------------------------------------------------------------------- */

struct groups;

/* config and slots are copied; arg is borrowed. Loading: every call is answered COORDINATOR_LOAD_IN_PROGRESS (Heartbeat: no error). */
struct groups *groups_new(const struct groups_config *config, const struct groups_slots *slots, void *arg)
    __attribute__((returns_nonnull));
/* Calls and writes that are under way are forgotten. NULL is fine. */
void groups_free(struct groups *groups);

/* While loading: one record of __consumer_offsets, in the order of its partition. producer_id: of a transactional batch, else -1; the
 * transaction's marker is groups_txn_completed. False: ERR_DATA, the record is damaged and was skipped; what nobody knows is no
 * error. */
bool groups_load(struct groups *groups, int64_t producer_id, struct str key, struct str value,
                 struct err *err);
/* All records were loaded: members' time-outs begin now, and calls are served. Once. */
void groups_loaded(struct groups *groups, struct groups_time now);

/* ---- at work -------------------------------------------------------------------------------------------------- */

/* Serves a call; the reply may come before this returns. After this, as after any entry, groups_next_deadline may be earlier. */
void groups_serve(struct groups *groups, struct groups_call *call, struct groups_time now);
/* Nobody waits for the answer any more (the connection is gone). Nothing else changes: a member that was parked stays, as in Kafka,
 * until its session ends; a write goes on. A call that is not here is fine. */
void groups_cancel(struct groups *groups, struct groups_call *call);
/* The end of a write. ok: it is durable; this is told in the order of tokens (a refusal may come at any time, out of order). Not ok: none of
 * it is durable and never will be; who waits is answered COORDINATOR_NOT_AVAILABLE. */
void groups_persisted(struct groups *groups, uint64_t token, bool ok, struct groups_time now);

/* A transaction's marker is durable in __consumer_offsets: its pending offsets are committed, or dropped. After the
 * confirmation of the writes before it. Also while loading. */
void groups_txn_completed(struct groups *groups, int64_t producer_id, bool committed, struct groups_time now);
/* Topics were made, grew, or were deleted: consumer groups look at them with their next heartbeat. */
void groups_topics_changed(struct groups *groups);
/* And the offsets of a deleted one are removed. */
void groups_topic_deleted(struct groups *groups, struct str name, const struct kafka_uuid *id,
                          struct groups_time now);

/* Runs the time-outs that are due. */
void groups_tick(struct groups *groups, struct groups_time now);
/* When groups_tick has something to do; false: never. May be early, is not late. */
bool groups_next_deadline(const struct groups *groups, struct mono_time *at);

/* ---- looking -------------------------------------------------------------------------------------------------- */

/* The partition of __consumer_offsets that a group's records go into: Kafka's rule, a Java string's hash. */
int32_t groups_partition_of(const struct groups *groups, struct str group_id);

/* For metrics; groups by state. */
struct groups_stats {
    uint32_t classic_empty, classic_preparing, classic_completing, classic_stable;
    uint32_t consumer_empty, consumer_assigning, consumer_reconciling, consumer_stable;
    uint64_t members;
    uint64_t offsets, offsets_pending; /* committed; of open transactions */
    uint64_t rebalances;               /* generations and target assignments since the start */
    uint64_t writes, writes_failed;    /* ended since the start */
};
void groups_stats(const struct groups *groups, struct groups_stats *stats);

/* Calls seen(arg, …) for each committed offset of each group. What it is given is borrowed. */
void groups_each_offset(const struct groups *groups,
                        void (*seen)(void *arg, struct str group_id, struct str topic, int32_t partition,
                                     int64_t offset),
                        void *arg);

/* All that is durable, as the fewest records that rebuild it (pending offsets apart), each group's in an order that can be loaded. */
void groups_dump(struct groups *groups, void (*seen)(void *arg, const struct groups_record *record),
                 void *arg);

/* Everything that must hold, of everything. False: what does not. Costs as much as there is. */
bool groups_check(const struct groups *groups, struct err *err);

#endif

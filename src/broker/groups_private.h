/* What the files of the group coordinator share.
 *
 *     groups.c            life, calls, writes, time-outs, loading: everything passes through here
 *     group_table.c       names → structs
 *     group_record.c      records of __consumer_offsets: made from state
 *     group_apply.c       … and applied to it
 *     group_offset.c      requests about offsets, and when they end
 *     group_offset_table.c   … where they are: committed, and pending in transactions
 *     group_classic.c     the classic protocol
 *     group_classic_state.c  its group: members, votes, the states' table
 *     group_consumer.c    the new protocol's heartbeat
 *     group_member.c      its group: members, their partitions, who owns what
 *     group_assign.c      the assignors; pure
 *     group_regex.c       subscriptions by expression
 *     group_admin.c       list, describe, delete
 *     group_error.c       the answer to a call that failed, for each API
 *     group_check.c       what must hold                                                                              */
#ifndef BROKER_GROUPS_PRIVATE_H
#define BROKER_GROUPS_PRIVATE_H

#include <stdlib.h>

#include "broker/groups.h"

#define TIME_NONE INT64_MAX /* a deadline that does not come */

/* ---- names ---------------------------------------------------------------------------------------------------- */

/* First in what a table holds. The key's bytes belong to whoever owns the struct. */
struct named {
    struct named *next;
    uint64_t hash;
    struct str key;
};
/* Zeroed = empty and valid. */
struct table {
    struct named **buckets; /* buckets[bucket_count], a power of two */
    uint32_t bucket_count, count;
};
void *table_get(const struct table *table, struct str key);
void table_put(struct table *table, struct named *named); /* key is set, and not there yet */
void table_remove(struct table *table, struct named *named);
void table_fini(struct table *table);
/* Every one; the table must not change meanwhile, but that `entry` itself may be removed. */
#define TABLE_EACH(entry, table)                                                                             \
    for (uint32_t entry##_i = 0; entry##_i < (table)->bucket_count; entry##_i++)                             \
        for (struct named *entry = (table)->buckets[entry##_i], *entry##_next;                               \
             entry && (entry##_next = entry->next, true); entry = entry##_next)

/* A copy on the heap (NUL-terminated), or null for null. Freed with mem_free. */
struct str str_keep(struct str s);
void str_drop(struct str *s);
/* "p NULL = null" compared: null equals null only. */
static inline bool str_same(struct str a, struct str b)
{
    return (a.p == NULL) == (b.p == NULL) && str_eq(a, b);
}
static inline bool uuid_eq(const struct kafka_uuid *a, const struct kafka_uuid *b)
{
    return memcmp(a, b, sizeof *a) == 0;
}
bool uuid_is_zero(const struct kafka_uuid *id);

/* ---- offsets -------------------------------------------------------------------------------------------------- */

/* What few offsets have: metadata, or a time of its own at which it ends. */
struct offset_extra {
    int64_t expire_ms; /* −1 = by retention */
    uint32_t size;
    char metadata[];
};
struct offset {
    int64_t offset;
    int64_t commit_ms;
    struct kafka_uuid topic_id; /* zero: was not told */
    int32_t partition;
    int32_t leader_epoch; /* −1 = none */
    struct offset_extra *extra;
};
/* Of an open transaction, or of a write of one that is under way. */
struct pending {
    struct pending *next;    /* of its topic */
    struct list of_producer; /* in producer.pendings */
    struct producer *producer;
    struct group *group;
    struct offset_topic *topic;
    uint64_t seq; /* order of commits: a later commit that became valid first is not undone */
    bool is_durable, is_superseded;
    struct offset offset;
};
struct producer {
    struct named name; /* key: the 8 bytes of id */
    int64_t id;
    struct list pendings;
};
/* A group's offsets of one topic. */
struct offset_topic {
    struct str name;        /* owned */
    struct offset *offsets; /* offsets[count], by partition */
    uint32_t count, capacity;
    struct pending *pendings;
};

/* ---- classic groups ------------------------------------------------------------------------------------------- */

enum classic_state { CLASSIC_EMPTY, CLASSIC_PREPARING, CLASSIC_COMPLETING, CLASSIC_STABLE, CLASSIC_STATES };

struct protocol {
    struct str name, metadata; /* in the member's block */
};
struct classic_member {
    struct named id;
    struct list link;    /* in classic.members, by time of joining */
    struct str instance; /* p NULL: dynamic */
    struct str client_id, client_host;
    struct protocol
        *protocols; /* protocols[protocols_count], most wanted first; one block with their bytes */
    uint32_t protocols_count;
    int32_t rebalance_ms, session_ms;
    struct str assignment;           /* owned; empty: none */
    struct groups_call *join, *sync; /* who waits for the answer; may be NULL while it is awaited */
    bool awaits_join, awaits_sync;
    bool is_new;    /* has not been through a rebalance: is not kept just because it waits */
    bool owes_sync; /* in this generation */
    bool
        is_silent; /* loaded, and not heard of since: a static one may have got another id in a generation that was lost with the
                     * process, which is no reason to fence it (Kafka would) */
    int64_t deadline_ms; /* mono: its session ends */
};
/* A member id that was given out with MEMBER_ID_REQUIRED. */
struct classic_pending {
    struct named id;
    int64_t deadline_ms;
};
struct protocol_count {
    struct str name; /* owned */
    uint32_t members;
};
struct classic {
    enum classic_state state, previous;
    int64_t state_ms; /* wall: since when; −1 = unknown */
    int32_t generation;
    struct str protocol_type; /* owned; p NULL: none yet */
    struct str protocol;      /* owned; p NULL: none */
    struct classic_member *leader;
    struct table by_id;
    struct list members;
    struct table pending;
    struct protocol_count *supported; /* supported[supported_count], in the order in which they came up */
    uint32_t supported_count;
    size_t supported_capacity;
    uint32_t awaiting_join, owing_sync; /* members */
    bool has_new_member;                /* since the initial delay began anew */
    int32_t delay_ms, remaining_ms;     /* of the initial rebalance */
    bool is_initial;                    /* the rebalance is the first of an empty group, and waits for more */
    int64_t join_ms, sync_ms; /* mono: when the rebalance, and the wait for syncs, ends; or TIME_NONE */
};

/* ---- consumer groups ------------------------------------------------------------------------------------------ */

enum assignor { ASSIGNOR_NONE, ASSIGNOR_UNIFORM, ASSIGNOR_RANGE, ASSIGNORS };
extern const struct str assignor_names[ASSIGNORS];

/* On the wire, these values. */
enum member_state { MEMBER_STABLE = 0, MEMBER_UNREVOKED = 1, MEMBER_UNRELEASED = 2 };
/* What records say beyond is not believed: partitions of a topic; epochs and generations, and times (ms), which go on from there. */
enum { PARTITIONS_MAX = 1 << 20, EPOCH_MAX = INT32_MAX / 2 };
#define TIME_MAX (INT64_MAX / 4)
enum { MEMBER_LEFT = -1, MEMBER_LEFT_STATIC = -2 }; /* epochs of a heartbeat that leaves */

/* A partition of a topic of the group. */
struct part {
    uint32_t topic; /* index in consumer.topics */
    int32_t partition;
    int32_t epoch; /* member epoch at which it was assigned; of no meaning in a target */
};
/* Sorted by topic and partition. */
struct parts {
    struct part *p;
    uint32_t n;
};
struct group_topic {
    struct kafka_uuid id;
    struct consumer_member **owners; /* owners[owners_count], by partition; NULL: free */
    uint32_t owners_count;
};
struct consumer_member {
    struct named id;
    struct list link;                                         /* in consumer.members, by time of joining */
    struct str instance, rack, client_id, client_host, regex; /* p NULL: none; regex may be empty, too */
    struct str *names; /* names[names_count]: subscribed, sorted, each once */
    uint32_t names_count;
    enum assignor assignor;
    int32_t rebalance_ms;
    int32_t epoch, previous_epoch;
    enum member_state state;
    struct parts assigned, revoking, target;
    int64_t session_ms; /* mono: when its session ends */
    int64_t revoke_ms;  /* mono: when it must have given back what it revokes, or TIME_NONE */
    bool has_metadata;  /* while loading: its own record was seen */
};
struct regex {
    struct str text;    /* owned */
    struct str *topics; /* topics[topics_count], sorted; owned */
    uint32_t topics_count;
    int64_t version, time_ms; /* as Kafka records them: of the metadata, wall */
};
struct consumer {
    int32_t epoch, assignment_epoch; /* −1: no assignment yet */
    int64_t assignment_ms;           /* wall, of the assignment; 0 = unknown */
    int64_t metadata_hash;           /* of the subscribed topics, when the epoch was raised last */
    uint64_t topics_version;         /* of groups.topics_version, that metadata_hash was compared at */
    uint64_t regex_version;          /* the same, that expressions were resolved at */
    int64_t regex_ms;                /* mono: when */
    bool has_partition_metadata;     /* Kafka 4.0's record of it is in the log, and has to go */
    struct table by_id;
    struct list members;
    struct group_topic *topics; /* topics[topics_count]; forgotten when the group is empty */
    uint32_t topics_count;
    size_t topics_capacity;
    struct regex *regexes; /* regexes[regexes_count] */
    uint32_t regexes_count;
    size_t regexes_capacity;
};

/* ---- a group -------------------------------------------------------------------------------------------------- */

/* Which protocol, and what it has. A group that has offsets only has neither. */
struct group {
    struct named name;
    struct classic *classic; /* at most one of both */
    struct consumer *consumer;
    bool is_busy;                 /* its members or epochs are being written */
    bool is_late;                 /* a time-out was due while it was busy */
    uint32_t writes;              /* under way, that concern it */
    uint64_t commit_token;        /* of its last write of offsets; 0 = none */
    struct list queue;            /* calls, while it is busy */
    int32_t partition;            /* of __consumer_offsets */
    int64_t deadline_ms;          /* mono, no later than the first time-out of anything in it */
    uint32_t heap_index;          /* of its place in groups.heap; 0 = none */
    struct offset_topic **topics; /* topics[topics_count], by name */
    uint32_t topics_count;
    size_t topics_capacity;
    uint32_t offsets, pendings;
};

/* ---- writes --------------------------------------------------------------------------------------------------- */

struct assignment { /* of a member in a generation */
    struct str member_id, bytes;
};
enum write_kind {
    WRITE_OFFSETS, /* a commit, or offsets deleted: the groups are not busy */
    WRITE_SYNC,    /* a classic generation's assignment: the group is not busy, and may have moved on */
    WRITE_CHANGE,  /* anything else: its groups are busy */
};
struct write {
    uint64_t token;
    struct list link; /* in groups.writes, by token; or in groups.spare */
    enum write_kind kind;
    struct arena arena;
    struct groups_record *records;
    size_t records_count, records_capacity;
    int64_t producer_id;
    int16_t producer_epoch;
    struct groups_call *call; /* answered at the end; may be NULL */
    const void *response;     /* if ok; NULL: the call is served again instead */
    struct group **groups;    /* groups[groups_count], that it concerns */
    uint32_t groups_count;
    size_t groups_capacity;
    struct list after;  /* calls to be served again at its end, ok or not */
    int32_t generation; /* SYNC: whose assignments these are; in the arena */
    struct assignment *assignments;
    uint32_t assignments_count;
    struct classic_return *returning; /* CHANGE: a static member that is back; NULL: none */
    uint64_t seq;                     /* its place in the order of commits */
};

struct groups {
    struct groups_config config;
    struct groups_slots slots;
    void *arg;
    struct groups_time now; /* of the entry that runs */
    int64_t now_ms;         /* its mono part */
    bool is_loading;
    struct table by_name;   /* struct group */
    struct table producers; /* struct producer */
    struct group **heap;    /* heap[1 … heap_count], by deadline */
    size_t heap_count, heap_capacity;
    struct list writes; /* under way, by token */
    struct list spare;  /* writes to be used again */
    uint32_t spare_count;
    uint64_t token, seq;
    uint64_t topics_version;
    int64_t retention_ms; /* mono: when offsets are looked through next */
    uint64_t offsets, pendings;
    struct arena out;         /* of the entry that runs: responses, scratch */
    struct arena applying;    /* of the record that is applied */
    struct kafka_out encoded; /* scratch of the record that is being encoded */
    struct groups_stats stats;
};

/* Switched on by tests that see what each mechanism is good for. */
struct groups_faults {
    bool replies_early;      /* a reply does not wait for its write */
    bool ignores_owners;     /* a partition is given out while another member has it */
    bool ignores_generation; /* commits are not checked against the generation, or epoch */
    bool forgets_pending;    /* a fetch of stable offsets does not see open transactions */
};
extern struct groups_faults groups_faults;

/* ---- groups.c ------------------------------------------------------------------------------------------------- */

struct group *group_find(const struct groups *groups, struct str name);
/* Found or made; NULL: there are groups_max. */
struct group *group_get(struct groups *groups, struct str name);
/* Frees it when nothing is left of it: nothing durable, nobody waits. */
void group_settle(struct groups *groups, struct group *group);

void groups_reply(struct groups *groups, struct groups_call *call, const void *response);
void groups_reply_error(struct groups *groups, struct groups_call *call, int16_t error); /* group_error.c */
/* As much of it as an answer may say. */
struct str message_cut(struct str text);
void groups_dispatch(struct groups *groups, struct groups_call *call);
/* The call is held by *at. */
void call_hold(struct groups_call *call, struct groups_call **at);
/* The one that was held, or NULL. */
struct groups_call *call_release(struct groups_call **at);
/* True: the group is busy, and the call waits for it. */
bool call_waits(struct group *group, struct groups_call *call);

/* The write of that token, if it is still under way. */
struct write *write_of(const struct groups *groups, uint64_t token);
/* True: the write of that token is under way, and the call is served again at its end; once, so that it cannot wait for ever. */
bool call_waits_for(struct groups *groups, struct groups_call *call, uint64_t token);

/* Resets it; without keeping much. */
void arena_rest(struct arena *arena);
/* A write to be filled. Its arena is for records and the response. */
struct write *write_new(struct groups *groups, enum write_kind kind);
/* It concerns this group, too. */
void write_concerns(struct write *write, struct group *group);
/* Begins it. call: answered when it ends, by response, or, if that is NULL, by being served again; may be NULL. Without records, the
 * call is answered now. */
void write_begin(struct groups *groups, struct write *write, struct groups_call *call, const void *response);
void write_discard(struct groups *groups, struct write *write);

/* The group's first time-out is now no later than at_ms. */
void group_deadline(struct groups *groups, struct group *group, int64_t at_ms);

/* ---- group_record.c, group_apply.c ------------------------------------------------------------------------------ */

/* The first two bytes of a key. */
enum {
    KEY_OFFSET = 1,
    KEY_CLASSIC = 2,
    KEY_CONSUMER = 3,
    KEY_PARTITION_METADATA = 4,
    KEY_MEMBER = 5,
    KEY_TARGET_EPOCH = 6,
    KEY_TARGET = 7,
    KEY_CURRENT = 8,
    KEY_REGEX = 16,
};

/* Each adds one record to the write. */
void record_offset(struct groups *groups, struct write *write, const struct group *group, struct str topic,
                   const struct offset *offset);
void record_offset_gone(struct groups *groups, struct write *write, const struct group *group,
                        struct str topic, int32_t partition);
/* assignments NULL: as the members have it. */
void record_classic(struct groups *groups, struct write *write, const struct group *group,
                    const struct assignment *assignments, uint32_t assignments_count);
void record_classic_gone(struct groups *groups, struct write *write, const struct group *group);
void record_consumer(struct groups *groups, struct write *write, const struct group *group, int32_t epoch,
                     int64_t hash);
void record_partition_metadata_gone(struct groups *groups, struct write *write, const struct group *group);
void record_member(struct groups *groups, struct write *write, const struct group *group,
                   const struct consumer_member *member);
void record_current(struct groups *groups, struct write *write, const struct group *group,
                    const struct consumer *consumer, const struct consumer_member *member);
void record_target(struct groups *groups, struct write *write, const struct group *group,
                   const struct consumer *consumer, struct str member_id, const struct parts *parts);
void record_target_epoch(struct groups *groups, struct write *write, const struct group *group, int32_t epoch,
                         int64_t time_ms);
void record_regex(struct groups *groups, struct write *write, const struct group *group,
                  const struct regex *regex);
void record_regex_gone(struct groups *groups, struct write *write, const struct group *group,
                       struct str text);
void record_member_gone(struct groups *groups, struct write *write, const struct group *group,
                        struct str member_id);
/* All that makes it a consumer group. */
void record_consumer_gone(struct groups *groups, struct write *write, const struct group *group);

/* Applies one record to the state. False: ERR_DATA. */
bool record_apply(struct groups *groups, int64_t producer_id, uint64_t seq, struct str key, struct str value,
                  struct err *err);

/* ---- group_offset.c, group_offset_table.c ------------------------------------------------------------------------ */

void offsets_commit(struct groups *groups, struct groups_call *call);
void offsets_commit_txn(struct groups *groups, struct groups_call *call);
void offsets_fetch(struct groups *groups, struct groups_call *call);
void offsets_delete(struct groups *groups, struct groups_call *call);
/* Records that remove all of the group's. */
void offsets_remove_all(struct groups *groups, struct write *write, struct group *group);
/* Records that remove what has expired; true: then none is left, and no open transaction has one. */
bool offsets_expire(struct groups *groups, struct write *write, struct group *group);
void offsets_topic_deleted(struct groups *groups, struct str name, const struct kafka_uuid *id);
/* NULL: none. */
struct offset_topic *offsets_topic(const struct group *group, struct str name);
const struct offset *offsets_get(const struct offset_topic *topic, int32_t partition); /* topic may be NULL */
bool offsets_is_pending(const struct offset_topic *topic, int32_t partition);
/* NULL where it says nothing. */
struct offset_extra *offset_extra_new(struct str metadata, int64_t expire_ms);
/* Applied; offset->extra is taken. seq: of the write, see struct pending. */
void offsets_put(struct groups *groups, struct group *group, struct str topic, const struct offset *offset,
                 uint64_t seq);
void offsets_put_pending(struct groups *groups, struct group *group, struct str topic,
                         const struct offset *offset, int64_t producer_id, uint64_t seq, bool is_durable);
void offsets_remove(struct groups *groups, struct group *group, struct str topic, int32_t partition,
                    uint64_t seq);
/* The write of a transaction's commit has failed: what was pending because of it is not. */
void offsets_forget_pending(struct groups *groups, int64_t producer_id, uint64_t seq);
void offsets_free(struct groups *groups, struct group *group);

/* ---- group_classic.c, group_classic_state.c -------------------------------------------------------------------- */

void classic_join(struct groups *groups, struct groups_call *call);
void classic_sync(struct groups *groups, struct groups_call *call);
void classic_heartbeat(struct groups *groups, struct groups_call *call);
void classic_leave(struct groups *groups, struct groups_call *call);
void consumer_leave(struct groups *groups, struct group *group, struct groups_call *call);
/* The leader's assignment is durable, or is not. */
void classic_synced(struct groups *groups, struct write *write, bool ok);
/* A static member's return is durable: the write's response is made. */
void classic_returned(struct groups *groups, struct write *write);
/* Time-outs that are due; then the deadline is set anew. */
void classic_expire(struct groups *groups, struct group *group);
void classic_loaded(struct groups *groups, struct group *group);
/* May a commit of that member and generation be taken? An error, or 0. */
int16_t classic_may_commit(struct groups *groups, struct group *group, struct str member_id,
                           struct str instance, int32_t generation, bool is_txn);

struct classic *classic_new(void);
void classic_free(struct groups *groups, struct classic *classic);
void classic_move(struct groups *groups, struct classic *classic, enum classic_state to);
extern const char *const classic_state_names[CLASSIC_STATES];
struct classic_member *classic_member_new(struct str id, struct str instance, struct str client_id,
                                          struct str client_host, int32_t rebalance_ms, int32_t session_ms);
void classic_member_set_protocols(struct classic *classic, struct classic_member *member,
                                  const struct kafka_join_group_request_protocol *protocols, uint32_t count);
void classic_add(struct classic *classic, struct classic_member *member);
void classic_remove(struct groups *groups, struct classic *classic, struct classic_member *member);
/* The member is known by another id from now on. */
void classic_rename(struct classic *classic, struct classic_member *member, struct str id);
struct classic_member *classic_member_of(const struct classic *classic, struct str id);
struct classic_member *classic_static(const struct classic *classic, struct str instance);
int16_t classic_validate(const struct classic *classic, struct str member_id, struct str instance);
bool classic_supports(const struct classic *classic, struct str type,
                      const struct kafka_join_group_request_protocol *protocols, uint32_t count);
/* The one that most members prefer among those that all support. */
struct str classic_vote(const struct classic *classic);
struct str classic_metadata(const struct classic_member *member, struct str protocol);
bool classic_is_consumer(const struct classic *classic); /* uses the consumers' embedded protocol */
/* Of a group that uses it. Unknown (no generation yet, or metadata that cannot be read): true. */
bool classic_subscribed(const struct classic *classic, struct str topic, bool *is_known);
int32_t classic_rebalance_ms(const struct classic *classic);
static inline bool classic_all_joined(const struct classic *classic)
{
    return classic->by_id.count == classic->awaiting_join && classic->pending.count == 0;
}
bool classic_is_simple(const struct group *group);

/* ---- group_consumer.c, group_member.c --------------------------------------------------------------------------- */

void consumer_heartbeat(struct groups *groups, struct groups_call *call);
void consumer_expire(struct groups *groups, struct group *group);
void consumer_loaded(struct groups *groups, struct group *group);
int16_t consumer_may_commit(const struct consumer *consumer, struct str member_id, struct str instance,
                            int32_t epoch, int16_t version, bool is_txn,
                            const struct consumer_member **by_partition);
int16_t consumer_may_commit_partition(const struct consumer *consumer, const struct consumer_member *member,
                                      const struct kafka_uuid *topic_id, int32_t partition, int32_t epoch);
int16_t consumer_may_fetch(const struct consumer *consumer, struct str member_id, int32_t epoch);
bool consumer_subscribed(const struct consumer *consumer, struct str topic);

struct consumer *consumer_new(void);
void consumer_free(struct groups *groups, struct consumer *consumer);
struct consumer_member *consumer_member_of(const struct consumer *consumer, struct str id);
struct consumer_member *consumer_static(const struct consumer *consumer, struct str instance);
/* Found or made; a new one's session begins now. */
struct consumer_member *consumer_member_get(struct groups *groups, struct group *group, struct str id);
void consumer_member_remove(struct groups *groups, struct consumer *consumer, struct consumer_member *member);
/* One block: the array, then the bytes. */
struct str *names_keep(const struct str *names, uint32_t count);
enum consumer_state {
    CONSUMER_EMPTY,
    CONSUMER_ASSIGNING,
    CONSUMER_RECONCILING,
    CONSUMER_STABLE,
    CONSUMER_STATES
};
enum consumer_state consumer_state(const struct consumer *consumer);
extern const char *const consumer_state_names[CONSUMER_STATES];
/* The assignor that most members name, else uniform. instead: a member as it will be, in place of the one of its id; or NULL. */
enum assignor consumer_assignor(const struct consumer *consumer, const struct consumer_member *instead);
uint32_t consumer_topic(struct consumer *consumer, const struct kafka_uuid *id); /* its index, made if new */
uint32_t consumer_topic_find(const struct consumer *consumer,
                             const struct kafka_uuid *id); /* UINT32_MAX: not there */
/* The member has these from now on; parts are copied. Frees what it had. */
void consumer_member_own(struct groups *groups, struct consumer *consumer, struct consumer_member *member,
                         const struct parts *assigned, const struct parts *revoking);
struct consumer_member *consumer_owner(const struct consumer *consumer, const struct part *part);
struct regex *consumer_regex(const struct consumer *consumer, struct str text);
void consumer_regex_set(struct consumer *consumer, const struct regex *regex); /* copied */
void consumer_regex_remove(struct consumer *consumer, struct str text);

int part_cmp(const struct part *a, const struct part *b);
bool parts_have(const struct parts *parts, const struct part *part);
const struct part *parts_find(const struct parts *parts, uint32_t topic, int32_t partition);
struct parts parts_keep(const struct parts *parts); /* on the heap */
void parts_drop(struct parts *parts);
bool parts_eq(const struct parts *a, const struct parts *b, bool with_epochs);
void parts_sort(struct parts *parts); /* and each once */

/* ---- group_assign.c ------------------------------------------------------------------------------------------- */

/* What an assignor is given of a member, and gives. */
struct assign_member {
    struct str id, instance; /* instance: p NULL = none */
    const uint32_t *topics;  /* topics[topics_count]: subscribed, ascending */
    uint32_t topics_count;
    struct parts before; /* its target until now */
    struct parts after;  /* given, in the arena; sorted */
};
/* partitions[topic] of each topic. before: no partition twice. All of the members' topics are assigned: each of their partitions to one
 * member that has subscribed to the topic. */
void assign(enum assignor assignor, struct assign_member *members, uint32_t members_count,
            const int32_t *partitions, uint32_t topics_count, struct arena *arena);

/* ---- group_regex.c -------------------------------------------------------------------------------------------- */

/* False: it is not an expression, or one that RE2 has not; *why, in arena, says why. */
bool regex_valid(struct str text, struct arena *arena, const char **why);
/* The topics that it matches as a whole: regex->topics, sorted, in the arena. Not valid: none. */
void regex_resolve(struct groups *groups, struct str text, struct arena *arena, struct regex *regex);

/* ---- group_check.c ------------------------------------------------------------------------------------------- */

/* groups_check for one group; prints what does not hold. */
bool group_holds(const struct groups *groups, const struct group *group);

/* ---- group_admin.c -------------------------------------------------------------------------------------------- */

void groups_list(struct groups *groups, struct groups_call *call);
void groups_describe(struct groups *groups, struct groups_call *call);
void groups_describe_consumer(struct groups *groups, struct groups_call *call);
void groups_delete(struct groups *groups, struct groups_call *call);
/* What is left of a group when it is deleted: records that remove it. */
void group_remove(struct groups *groups, struct write *write, struct group *group);

#endif

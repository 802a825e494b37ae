/* A client of any Kafka cluster: what commands ask of it, each call waiting for its answer.
 *
 * The client knows brokers by their node ids; each has at most one connection (topic/peer.h), opened by the first call. All sockets stand in one
 * poller, and one function (client_step) moves bytes on all of them until a call is done: calls to several brokers are under way at
 * once, and whoever wants to wait for none of them can step the same connections from a loop.
 *
 * Two kinds of trouble. What may pass (a broker is lost, a leader or coordinator has moved, a topic is being made) is tried again here, with
 * metadata asked anew and pauses that grow, until retry_ms are over. All else is an error: its code is Kafka's (KAFKA_ERR_…, 0 =
 * not from the broker), its text says what was tried and what the broker said.
 *
 * Everything that is given lives in the caller's arena. Not shared between threads. There is no TLS and no SASL yet: both belong between the
 * socket and the peer, in client_connection.c. */
#ifndef TOPIC_CLIENT_H
#define TOPIC_CLIENT_H

#include "wire/kafka.h"

enum {
    CLIENT_BOOTSTRAP_MAX = 64,
    CLIENT_NODES_MAX = 4096,
    CLIENT_CONNECT_MS = 10 * 1000,
    CLIENT_REQUEST_MS = 30 * 1000,
    CLIENT_RETRY_MS = 15 * 1000,
    CLIENT_WRITE_MS = 120 * 1000,    /* records are tried for so long, as by Kafka's own producers */
    CLIENT_PARTITIONS_MAX = 1 << 20, /* of one topic */
};

struct client;

struct client_options {
    const char *bootstrap; /* "host:port,host:port"; a port that is not given is 9092. Borrowed */
    const char *client_id; /* borrowed */
    int32_t connect_ms, request_ms, retry_ms; /* 0: as above */
};

/* Connects to the first broker of the list that answers. Lives in pool, which closes the connections. ERR_RETRY: none can be reached; ERR_CONFIG: the
 * list is none. */
bool client_open(struct pool *pool, const struct client_options *options, struct client **client,
                 struct err *err);

/* An error out of an answer: the format says what was tried ("could not create topic \"x\""); message may be null. The class is RETRY where the
 * code is retriable, CONFIG where it names something that is not there, else FATAL. NONE is no error: true. */
bool client_check(int16_t code, struct str message, struct err *err, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

struct client_brokers {
    const char *cluster; /* or NULL */
    int32_t controller;  /* −1 = not known */
    struct client_broker {
        int32_t node;
        const char *address; /* "host:port" */
    } * all;                 /* all[count] */
    uint32_t count;
};
bool client_brokers(struct client *client, struct arena *arena, struct client_brokers *brokers,
                    struct err *err);

/* ---- topics -------------------------------------------------------------------------------------------------------------- */

struct client_partition {
    int32_t leader, leader_epoch; /* −1 = none */
    const int32_t *replicas, *isr;
    uint32_t replica_count, isr_count;
    int16_t error;   /* of the last call about it */
    bool is_pending; /* the call under way is about it: the client's own */
    int64_t found;   /* client_offsets; −1 = none */
    int64_t bytes;   /* client_sizes; −1 = not known */
};
struct client_topic {
    const char *name;
    struct kafka_uuid id; /* zero: the cluster has no ids */
    bool is_internal;
    int16_t error;
    int32_t partition_count;
    struct client_partition *partitions; /* partitions[partition_count], by number */
};

/* names NULL: all topics, sorted by name; else those, in their order, a missing one with its error. No topic is made by being asked for. */
bool client_topics(struct client *client, struct arena *arena, const char *const *names, uint32_t count,
                   struct client_topic **topics, uint32_t *topics_count, struct err *err);
/* One that is there. ERR_CONFIG with code UNKNOWN_TOPIC_OR_PARTITION: it is not, and the hint may know a similar name. */
bool client_topic(struct client *client, struct arena *arena, const char *name, struct client_topic *topic,
                  struct err *err);

enum { CLIENT_LATEST = -1, CLIENT_EARLIEST = -2 };
/* The first offset with that time (ms) or later, in each partition's `found` (−1: there is none), or the ends. committed: LATEST is the last stable offset.
 * A partition that has no answer keeps its error; false only where no broker answers. */
bool client_offsets(struct client *client, struct client_topic *topics, uint32_t count, int64_t time_ms,
                    bool committed, struct err *err);
/* Each partition's bytes at its leader. False: the cluster does not say (it is old, or one may not ask). */
bool client_sizes(struct client *client, struct client_topic *topics, uint32_t count, struct err *err);

struct client_config {
    const char *name, *value; /* value NULL: a secret, or (when it is set) back to the default */
    bool is_topics_own;       /* set for the topic, not a default */
};
struct client_configs {
    struct client_config *all; /* all[count] */
    uint32_t count;
    int16_t error;
};
/* configs[count], of each topic. names: the keys that are wanted, ending in NULL; NULL: all. */
bool client_configs(struct client *client, struct arena *arena, const struct client_topic *topics,
                    uint32_t count, const char *const *names, struct client_configs **configs,
                    struct err *err);
/* The value of that name, or NULL. */
const char *client_config_value(const struct client_configs *configs, const char *name);

/* partitions, replicas: −1 = what the cluster gives by default. */
bool client_topic_create(struct client *client, const char *name, int32_t partitions, int16_t replicas,
                         const struct client_config *configs, uint32_t count, struct err *err);
bool client_topic_delete(struct client *client, const char *name, struct err *err);
bool client_topic_grow(struct client *client, const char *name, int32_t partitions, struct err *err);
bool client_topic_alter(struct client *client, const char *name, const struct client_config *configs,
                        uint32_t count, struct err *err);

/* ---- reading ------------------------------------------------------------------------------------------------------------- */

/* Reads what is committed in a topic's partitions, each from an offset on. */
struct client_reader;
struct client_reader_options {
    const int64_t *next; /* next[topic->partition_count]; −1 = not this one. Copied */
    int32_t bytes_max;   /* of an answer; 0 = 8 MiB */
    bool is_patient;     /* trouble that may pass is tried again for ever */
};
/* topic: borrowed as long as pool lives, and its leaders are kept up to date in it. */
struct client_reader *client_reader_new(struct pool *pool, struct client *client, struct client_topic *topic,
                                        const struct client_reader_options *options);
/* Waits up to wait_ms for records, and gives them: each(arg, partition, batch, n, err), whole record batches in the order of their partition,
 * without those of aborted transactions and without markers. False from it ends the call. Brokers that are lost and leaders that move are
 * followed. */
bool client_read(struct client_reader *reader, int32_t wait_ms,
                 bool (*each)(void *arg, int32_t partition, const uint8_t *batch, size_t n, struct err *err),
                 void *arg, struct err *err);
/* The broker was asked more than once, and had nothing at or after `next` (yet). */
bool client_reader_is_at_end(const struct client_reader *reader, int32_t partition);
/* Where a partition's reading goes on. */
int64_t client_reader_next(const struct client_reader *reader, int32_t partition);
/* No more of this partition. */
void client_reader_stop(struct client_reader *reader, int32_t partition);
/* What is being tried again; NULL: all is well. */
const struct err *client_reader_trouble(const struct client_reader *reader);
/* Records that were gone before they were read: retention was faster. */
uint64_t client_reader_lost(const struct client_reader *reader);

/* ---- writing ------------------------------------------------------------------------------------------------------------- */

/* Appends record batches with acks=all, as an idempotent producer where the cluster lets us be one: what is sent again is not there twice. */
struct client_writer;
bool client_writer_new(struct pool *pool, struct client *client, struct client_topic *topic,
                       struct client_writer **writer, struct err *err);
struct buf;
/* bufs[topic->partition_count]: whole batches, one behind the other, or NULL. Returns when all are acknowledged. They get the
 * producer's id and sequences, in place. */
bool client_write(struct client_writer *writer, struct buf *const *bufs, struct err *err);

/* ---- groups -------------------------------------------------------------------------------------------------------------- */

struct client_group {
    const char *id, *type, *state, *protocol_type; /* "" = the cluster does not say */
    int32_t coordinator;
};
/* Of all brokers, sorted by id. */
bool client_groups(struct client *client, struct arena *arena, struct client_group **groups, uint32_t *count,
                   struct err *err);

struct client_place {
    const char *topic;
    int32_t partition;
};
struct client_member {
    const char *id, *instance, *client, *host; /* instance NULL: a dynamic member */
    struct client_place *assigned;             /* assigned[assigned_count] */
    uint32_t assigned_count;
};
struct client_group_info {
    struct client_group group;
    const char *assignor; /* or "" */
    struct client_member *members;
    uint32_t member_count;
};
/* Classic and new groups alike. ERR_CONFIG with code GROUP_ID_NOT_FOUND: there is no such group, and the hint may know a similar name. */
bool client_group(struct client *client, struct arena *arena, const char *id, struct client_group_info *info,
                  struct err *err);

struct client_committed {
    struct client_place place;
    int64_t offset; /* −1 = none */
    int32_t leader_epoch;
    const char *metadata;
    int16_t error; /* of committing it */
};
/* All that the group has committed, by topic and partition. */
bool client_group_offsets(struct client *client, struct arena *arena, const char *id,
                          struct client_committed **offsets, uint32_t *count, struct err *err);
/* Commits for a group without members. An offset that was refused keeps its error, and the call fails with the first of them. */
bool client_group_commit(struct client *client, const char *id, struct client_committed *offsets,
                         uint32_t count, struct err *err);
/* Forgets what the group has committed for these; those that were refused keep their error. */
bool client_group_forget(struct client *client, const char *id, struct client_committed *offsets,
                         uint32_t count, struct err *err);
bool client_group_delete(struct client *client, const char *id, struct err *err);

#endif

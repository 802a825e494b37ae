/* Rejected records once more: `stream replay`.
 *
 * A replay is an input like any other. Each stream has, for each topic that it reads, an internal topic beside it,
 *
 *     __replay.<stream>.<topic>   partition 0: records of which no sink has a row yet; all of them read it
 *                                 partition 1: records whose row went on, with a NULL; only sinks with a key read it
 *
 * and `stream replay` does no more than append to it, in one frame, the raw records that <stream>_bad holds. From there on positions, pins,
 * runs, turns and commits do what they do for the topic itself, with today's columns and today's query: exactly once under any crash, a sink that
 * is down takes them later, and none of the three spines knows of it. (The other way, a command that reads the table and writes to the sinks,
 * would need a position of its own in each of them.)
 *
 * A record of that topic is an envelope of a rejected record:
 *
 *     key     partition i32 │ attempt i32: how often it has been replayed, this time included │ where it was rejected: input i32,
 *             partition i32, offset i64 │ by which query u64
 *     value   a record batch with the record, at the offset that it has in the topic
 *
 * so decoders, offsets in queries, and the place that <stream>_bad names if a record is rejected again, are those of the topic. What was replayed
 * before is known from the envelopes: (topic, partition, offset, timestamp, attempt) names a rejected record, and is taken once.
 *
 * Sinks are at different places when a query changes. One that was behind reads with the new query what <stream>_bad had rejected with the old one,
 * and may have a row of it. So each sink without a key, and <stream>_bad, remembers from which positions on it has read with which query
 * ("sink/<stream>/<sink>/query", in the order of time: query u64 │ count u32 │ count × (input i32 │ partition i32 │ from i64), big endian), durable
 * before it reads any further; and such a sink takes a replayed record only if it read it, back then, with the query that rejected it. */
#ifndef JOB_REPLAY_H
#define JOB_REPLAY_H

#include "log/store.h"

enum { REPLAY_TO_ALL, REPLAY_TO_KEYED, REPLAY_PARTITIONS };
enum { REPLAY_BYTES = 1 << 20 }; /* of records: a frame of them is due */

/* A rejected record. */
struct replay_record {
    struct str topic;
    int32_t partition, attempt; /* attempt: how often it had been replayed when it was rejected */
    int64_t offset, timestamp_ms;
    struct str key, value; /* p NULL: null */
};

/* Where and by which query a record was rejected. */
struct rejection {
    bool known;
    int32_t input, partition;
    int64_t offset;
    uint64_t query;
};

/* What a sink remembers: with which query the offset was read; 0: nobody knows. */
uint64_t queries_at(struct str queries, int32_t input, int32_t partition, int64_t offset);
/* The newest of them; 0: none. */
uint64_t queries_last(struct str queries);

struct replay;
/* Reads what was replayed before. topics[count]: that the stream reads, borrowed. Freed by replay_free, after an error too. */
bool replay_new(struct pool *pool, struct store *store, const char *stream, const char *const *topics,
                uint32_t count, struct replay **replay, struct err *err);
void replay_free(struct replay *r);

enum replay_state { REPLAY_NEW, REPLAY_DONE, REPLAY_NO_TOPIC };
/* Was it replayed before? REPLAY_NO_TOPIC: the stream does not read its topic, or has not run since it does. */
enum replay_state replay_state(struct replay *r, const struct replay_record *record);
/* Takes a REPLAY_NEW one, which is REPLAY_DONE from here on; copies everything. */
void replay_add(struct replay *r, const struct replay_record *record, int to);
size_t replay_bytes(const struct replay *r);
/* Moves what was added into frame, which is empty before. */
bool replay_put(struct replay *r, struct frame *frame, struct err *err);

#endif

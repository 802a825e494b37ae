/* Fetch sessions (KIP-227): a consumer names its partitions once, and later only what changes; and hears only of partitions that have news.
 *
 *     epoch −1   no session: all partitions, all answered      epoch 0   a new one: all partitions, all answered
 *     epoch n    the session's next fetch: changes in, news out
 *
 * A session belongs to no connection. There are at most SESSIONS_MAX: a new one takes the place of one that nobody has used for a while, or is not
 * made, which is as good: its consumer goes on naming all. */
#ifndef BROKER_SESSION_H
#define BROKER_SESSION_H

#include "base/list.h"
#include "base/map.h"
#include "log/store.h"
#include "wire/kafka.h"

enum {
    SESSIONS_MAX = 1024, /* Kafka has 1,000: max.incremental.fetch.session.cache.slots */
    SESSION_IDLE_MS = 120 * 1000,
    SESSION_PARTITIONS_MAX = 100000, /* of all sessions together */
};

/* A partition that a consumer fetches. */
struct fetch_part {
    struct list link; /* session->parts, in the order in which they are served */
    struct kafka_uuid topic_id;
    struct str topic; /* as the consumer named it; empty from version 13 on */
    int32_t partition, max_bytes, leader_epoch, last_epoch;
    int64_t offset;
    struct log *log; /* one reference; NULL: not found */
    bool is_told;    /* an answer had: */
    int16_t told_error;
    int64_t told_start, told_end, told_stable;
};

struct fetch_session {
    struct list link; /* sessions->by_use, the longest unused first */
    int32_t id, epoch;
    bool busy, by_id;
    struct mono_time used;
    struct list parts;
    struct map by_key; /* topic and partition → part */
    uint32_t part_count;
};

struct fetch_sessions {
    struct list by_use;
    struct fetch_session *slots[SESSIONS_MAX]; /* an id's lowest bits are its slot */
    uint32_t part_count;
};

void sessions_init(struct fetch_sessions *sessions);
void sessions_fini(struct fetch_sessions *sessions);
/* NULL: there is no room. */
struct fetch_session *session_new(struct fetch_sessions *sessions, bool by_id, struct mono_time now);
struct fetch_session *session_find(struct fetch_sessions *sessions, int32_t id);
void session_free(struct fetch_sessions *sessions, struct fetch_session *session);
void session_use(struct fetch_sessions *sessions, struct fetch_session *session, struct mono_time now);
/* Adds the partition, or changes it; part->link and log are not looked at. False: there is no room for more. */
bool session_put(struct fetch_sessions *sessions, struct fetch_session *session,
                 const struct fetch_part *part);
void session_forget(struct fetch_sessions *sessions, struct fetch_session *session, struct str topic,
                    const struct kafka_uuid *topic_id, int32_t partition);
/* It has been served with records: others come first next time. */
static inline void session_served(struct fetch_session *session, struct fetch_part *part)
{
    list_remove(&part->link);
    list_push_back(&session->parts, &part->link);
}

#endif

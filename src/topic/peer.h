/* The other side of one connection to a Kafka broker, as bytes: what is asked, in which version, and what is answered.
 *
 * Pure: whoever has the connection sends what waits in `out`, and gives what came to peer_take. So the same code serves a command that waits for
 * each answer, a loop that never waits, and a fuzzer.
 *
 *     ASKS ──(the broker's versions came)──▶ READY ──┐
 *       └──────────────(garbage)──────────────────────┴──▶ BAD: nothing more is understood; the connection is of no use
 *
 * A peer begins by asking for the versions that the broker speaks (ApiVersions), in the newest version that we know and, where that is too
 * new, in the one that the broker names. Each call goes out in the highest version that both sides speak. */
#ifndef TOPIC_PEER_H
#define TOPIC_PEER_H

#include "base/list.h"
#include "wire/kafka.h"

enum peer_state { PEER_ASKS, PEER_READY, PEER_BAD };

enum {
    PEER_ANSWER_MEMORY_MAX = 1 << 30, /* bytes that one answer may take when it is decoded */
    PEER_VERSION_ANY = INT16_MAX,
};

/* A request that was sent. The caller's, until it is done; then it is in no list any more. */
struct peer_call {
    struct list link;
    const struct kafka_api *api;
    int version;
    int32_t id;
    struct arena *arena; /* of the answer: all that it points to is copied there */
    void *answer;        /* api->response->size bytes */
    bool is_done, is_ok; /* done, and with an answer */
    struct err err;      /* done, and without */
};

struct peer {
    enum peer_state state;
    const char *client_id;       /* borrowed */
    struct kafka_out out;        /* to be sent, from `sent` on */
    size_t sent;                 /* bytes of it */
    struct sbuf in;              /* came, and is no whole answer yet */
    struct list calls;           /* sent and not answered, oldest first */
    struct peer_call versions;   /* the first one: which versions there are */
    struct arena versions_arena; /* its answer */
    struct kafka_api_versions_response versions_answer;
    struct {
        int16_t first, last;
    } speaks[KAFKA_APIS]; /* first > last: not at all */
    int32_t next_id;
};

/* Puts the first request into out. */
void peer_init(struct peer *p, const char *client_id);
/* All calls have to be done (peer_fail). */
void peer_fini(struct peer *p);

/* The highest version of the API that both sides speak, and that is at most version_max. READY only. ERR_FATAL: there is none. */
bool peer_version(const struct peer *p, const struct kafka_api *api, int version_max, int *version,
                  struct err *err);
/* Encodes a request into out: call->api, arena and answer are set; the rest is set here. READY only. ERR_FATAL: it cannot be said in that version. */
bool peer_send(struct peer *p, struct peer_call *call, int version, const void *request, struct err *err);
/* Takes in what came: calls become done in the order in which they were sent. ERR_DATA: what came is no answer (the state is BAD then,
 * and the calls are as they were). */
bool peer_take(struct peer *p, const void *bytes, size_t n, struct err *err);
/* All calls are done with this error: the connection is lost. */
void peer_fail(struct peer *p, const struct err *err);

static inline struct str peer_to_send(const struct peer *p)
{
    return str_n(p->out.bytes.p + p->sent, p->out.bytes.n - p->sent);
}
void peer_has_sent(struct peer *p, size_t n);

#endif

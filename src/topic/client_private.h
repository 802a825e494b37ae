/* Inside the client: brokers and their connections, and trying again. */
#ifndef TOPIC_CLIENT_PRIVATE_H
#define TOPIC_CLIENT_PRIVATE_H

#include "base/time.h"
#include "topic/client.h"
#include "topic/peer.h"

enum { CLIENT_RECEIVE_BYTES = 256 * 1024 };

struct node {
    int32_t id;          /* CLIENT_ANY: a bootstrap server whose id is not known */
    const char *address; /* "host:port" */
    int socket;          /* −1 = no connection */
    bool is_advertised;  /* the cluster gave the address */
    bool is_watched_for_writing;
    struct peer peer; /* of the connection */
    struct err lost;  /* why the last one ended */
};

/* A request under way. The caller's until it is done. */
struct client_call {
    struct peer_call peer;
    struct node *node;
};

struct client {
    struct pool *pool;
    struct client_options options;
    struct os_poller *poller;
    char *received; /* CLIENT_RECEIVE_BYTES */
    const char *bootstrap[CLIENT_BOOTSTRAP_MAX];
    uint32_t bootstrap_count;
    struct node **nodes; /* nodes[node_count]; the first is the one that we began with */
    size_t node_count, node_capacity;
    const char *cluster;
    int32_t controller;   /* −1 = not known */
    struct arena scratch; /* of one call within */
};

/* ---- client_connection.c ------------------------------------------------------------------------------------------------- */

/* A connection that is ready to be asked, within connect_ms. ERR_RETRY: it cannot be reached; ERR_FATAL: whoever is there is no Kafka broker. */
bool node_open(struct client *c, struct node *node, struct err *err);
/* Loses the connection: its calls are done with the error. */
void node_close(struct client *c, struct node *node, const struct err *why);
/* Sends a request to a broker without waiting; opens the connection if need be. True: the call is under way, or done already. */
bool client_start(struct client *c, int32_t node, struct client_call *call, int api, int version_max,
                  const void *request, struct arena *arena, void *answer, struct err *err);
/* Moves bytes on all connections; waits up to until for something to happen. Trouble of a connection is its calls' trouble. */
void client_step(struct client *c, struct mono_time until);
/* Waits for a call, up to request_ms: past it the connection is lost. */
bool client_wait(struct client *c, struct client_call *call, struct err *err);
/* The broker of that id (or CLIENT_ANY, CLIENT_CONTROLLER); NULL: not known. */
struct node *client_node(struct client *c, int32_t id);

/* ---- client.c ------------------------------------------------------------------------------------------------------------ */

enum { CLIENT_ANY = -1, CLIENT_CONTROLLER = -2 };

/* Sends one request to one broker (CLIENT_ANY, CLIENT_CONTROLLER, a node id) and waits for the answer, in the highest version that both speak, up to
 * version_max (PEER_VERSION_ANY: no limit). A lost connection is tried again. api: KAFKA_API_…; answer: the struct of its response.
 * ERR_RETRY: the broker is lost. ERR_FATAL: it does not speak that API (code UNSUPPORTED_VERSION). */
bool client_call(struct client *client, int32_t node, int api, int version_max, const void *request,
                 struct arena *arena, void *answer, struct err *err);

struct retry {
    struct mono_time until;
    int32_t pause_ms;
};
void retry_begin(const struct client *c, struct retry *retry);
/* After an error that may pass: pauses, asks for the brokers anew; false when the time is over. */
bool retry_again(struct client *c, struct retry *retry);
static inline bool is_retriable(int16_t code)
{
    return code != 0 && kafka_error(code)->is_retriable;
}

/* Asks for the leaders of these topics again, in place. A topic that is gone, or is another by now, keeps what it had. */
bool client_refresh(struct client *c, struct client_topic *topics, uint32_t count, struct err *err);

/* text in the arena, NUL-terminated; NULL for null */
static inline const char *text_of(struct arena *arena, struct str s)
{
    return s.p ? str_dup(arena, s) : NULL;
}

#endif

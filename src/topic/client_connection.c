/* Connections: opening, moving bytes, waiting. Here alone are sockets; TLS and SASL would be steps of node_open. */
#include <errno.h>

#include "os/os.h"
#include "topic/client_private.h"

enum { EVENTS = 64 };

#define ADVERTISED                                                                                           \
    "This is what the cluster advertises for broker %d: the address has to be reachable from here."

static int64_t left_ns(struct mono_time until)
{
    int64_t left = mono_since_ns(until, os_mono());
    return left > 0 ? left : 0;
}

void node_close(struct client *c, struct node *node, const struct err *why)
{
    struct err ignored;
    if (node->socket < 0)
        return;
    (void)!os_poller_watch(c->poller, node->socket, 0, node, &ignored);
    os_close(node->socket);
    node->socket = -1;
    node->lost = *why;
    peer_fail(&node->peer, why);
    peer_fini(&node->peer);
}

static bool watch(struct client *c, struct node *node, bool writing, struct err *err)
{
    node->is_watched_for_writing = writing;
    return os_poller_watch(c->poller, node->socket, OS_READABLE | (writing ? OS_WRITABLE : 0), node, err);
}

static bool send_waiting(struct client *c, struct node *node, struct err *err)
{
    for (;;) {
        struct str bytes = peer_to_send(&node->peer);
        size_t sent = 0;
        if (bytes.n == 0)
            return !node->is_watched_for_writing || watch(c, node, false, err);
        if (!os_send(node->socket, bytes.p, bytes.n, &sent, err))
            return err->code == EAGAIN && (node->is_watched_for_writing || watch(c, node, true, err));
        peer_has_sent(&node->peer, sent);
    }
}

/* Says what is known of a connection that ends before it has ever answered. */
static void explain_silence(const struct node *node, struct err *err)
{
    if (node->peer.state == PEER_ASKS)
        err_hint(err, "Does it speak Kafka's protocol? TLS is not supported yet.");
    else
        err_hint(err, "If it asks for authentication (SASL): that is not supported yet.");
}

static bool receive(struct client *c, struct node *node, struct err *err)
{
    for (;;) {
        size_t got;
        if (!os_recv(node->socket, c->received, CLIENT_RECEIVE_BYTES, &got, err))
            return err->code == EAGAIN;
        if (got == 0) {
            err_set(err, ERR_RETRY, "it ended the connection");
            explain_silence(node, err);
            return false;
        }
        if (!peer_take(&node->peer, c->received, got, err)) {
            err->class = ERR_FATAL;
            return err_hint(err, "Is this the port of a Kafka broker? TLS is not supported yet.");
        }
        if (got < CLIENT_RECEIVE_BYTES)
            return true;
    }
}

/* The connection is lost, or never came about: all that waits for it learns why. */
static void lose(struct client *c, struct node *node, struct err *err)
{
    bool never = node->peer.state == PEER_ASKS && node->peer.in.n == 0 && err->code != 0;
    if (never)
        err_set_errno(err, ERR_RETRY, err->code, "could not connect");
    err_context(err, "Kafka broker %s", node->address);
    err->code = 0;
    if (node->is_advertised && node->peer.state == PEER_ASKS && err->class == ERR_RETRY)
        err_hint(err, ADVERTISED, node->id);
    node_close(c, node, err);
}

void client_step(struct client *c, struct mono_time until)
{
    struct os_event events[EVENTS];
    int count = os_poller_wait(c->poller, events, EVENTS, left_ns(until));
    for (int i = 0; i < count; i++) {
        struct node *node = events[i].arg;
        struct err err;
        if (node->socket < 0)
            continue;
        bool readable = events[i].ready & (OS_READABLE | OS_HANGUP);
        /* what was received may have to be answered, so sending comes behind it */
        if ((readable && !receive(c, node, &err)) || !send_waiting(c, node, &err))
            lose(c, node, &err);
    }
}

/* Steps until the call is done, or the connection is lost since it took too long. */
static bool wait_until(struct client *c, struct node *node, struct peer_call *call, int32_t ms,
                       struct err *err)
{
    struct mono_time until = mono_add_ns(os_mono(), ms * NS_PER_MS);
    while (!call->is_done) {
        if (left_ns(until) == 0) {
            struct err late;
            err_set(&late, ERR_RETRY, "no answer in %d ms", ms);
            lose(c, node, &late);
            break;
        }
        client_step(c, until);
    }
    if (!call->is_ok && err)
        *err = call->err;
    return call->is_ok;
}

/* A connection could not even be begun. */
static bool refuse(struct node *node, struct err *err)
{
    if (err->code == EADDRNOTAVAIL || err->code == EHOSTUNREACH)
        err_set(err, ERR_RETRY, "no such host is known");
    else
        err_set_errno(err, ERR_RETRY, err->code, "could not connect");
    err_context(err, "Kafka broker %s", node->address);
    err->code = 0;
    return node->is_advertised && err_hint(err, ADVERTISED, node->id);
}

bool node_open(struct client *c, struct node *node, struct err *err)
{
    if (node->socket >= 0)
        return true;
    if (!os_connect(node->address, &node->socket, err)) {
        node->socket = -1;
        return refuse(node, err);
    }
    peer_init(&node->peer, c->options.client_id);
    if (!watch(c, node, true, err)) {
        node_close(c, node, err);
        return false;
    }
    /* one question, or two where the first was in a version that the broker does not know */
    while (node->socket >= 0 && node->peer.state == PEER_ASKS)
        (void)!wait_until(c, node, &node->peer.versions, c->options.connect_ms, err);
    if (node->socket < 0)
        *err = node->lost;
    return node->socket >= 0;
}

struct node *client_node(struct client *c, int32_t id)
{
    if (id == CLIENT_CONTROLLER)
        id = c->controller;
    for (size_t i = 0; i < c->node_count; i++)
        if (id == CLIENT_ANY ? c->nodes[i]->socket >= 0 : c->nodes[i]->id == id)
            return c->nodes[i];
    return id == CLIENT_ANY ? c->nodes[0] : NULL;
}

bool client_start(struct client *c, int32_t id, struct client_call *call, int api, int version_max,
                  const void *request, struct arena *arena, void *answer, struct err *err)
{
    struct node *node = client_node(c, id);
    int version;
    if (node == NULL)
        return err_set(err, ERR_RETRY, "the cluster does not say where broker %d is", id);
    TRY(node_open(c, node, err));
    *call = (struct client_call){.node = node};
    call->peer = (struct peer_call){.api = &kafka_apis[api], .arena = arena, .answer = answer};
    if (!peer_version(&node->peer, call->peer.api, version_max, &version, err) ||
        !peer_send(&node->peer, &call->peer, version, request, err))
        return err_context(err, "Kafka broker %s", node->address);
    struct err trouble;
    if (!send_waiting(c, node, &trouble))
        lose(c, node, &trouble); /* the call is done, and knows */
    return true;
}

bool client_wait(struct client *c, struct client_call *call, struct err *err)
{
    return wait_until(c, call->node, &call->peer, c->options.request_ms, err);
}

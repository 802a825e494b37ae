/* The listener, and what all its connections share. */
#include <errno.h>
#include <stdio.h>

#include "broker/broker_private.h"
#include "broker/features.h"
#include "broker/settings.h"
#include "broker/throttle.h"
#include "format/compress.h"
#include "obs/event.h"

enum { ACCEPTS_PER_TURN = 64, ACCEPT_PAUSE_MS = 100, TRIM_MS = 30 * 1000 };

/* ---- accepting -------------------------------------------------------------------------------------------------------------- */

static bool listen_on(struct broker *b, bool on, struct err *err) ON(net)
{
    return loop_watch(b->net, &b->watch, b->listener, on ? OS_READABLE : 0, err);
}

static void listen_again_in(struct broker *b, int32_t ms) ON(net)
{
    struct err err;
    if (listen_on(b, false, &err))
        timer_set_in(&b->accept_timer, ms * NS_PER_MS);
}

void listener_resume(struct broker *b)
{
    struct err err;
    if (!b->is_full || b->stopping || limits_wait(b) < 0)
        return;
    b->is_full = false;
    if (!listen_on(b, true, &err))
        timer_set_in(&b->accept_timer, ACCEPT_PAUSE_MS * NS_PER_MS);
}

/* Who wants to connect has to wait. */
static bool must_wait(struct broker *b) ON(net)
{
    struct err err;
    int32_t wait_ms = limits_wait(b);
    if (wait_ms > 0)
        listen_again_in(b, wait_ms);
    else if (wait_ms < 0)
        b->is_full = listen_on(b, false, &err);
    return wait_ms != 0;
}

/* Out of descriptors, or of memory: who waits goes on waiting, and is asked again in a moment. */
static void pause_listening(struct broker *b, const struct err *why) ON(net)
{
    if (!b->pause_said)
        event_err(EVENT_KAFKA_TROUBLE, "kafka", why);
    b->pause_said = true;
    listen_again_in(b, ACCEPT_PAUSE_MS);
}

static void on_accept_timer(struct timer *timer)
{
    struct broker *b = CONTAINER_OF(timer, struct broker, accept_timer);
    struct err err;
    run_on_net();
    if (!listen_on(b, true, &err))
        timer_set_in(&b->accept_timer, ACCEPT_PAUSE_MS * NS_PER_MS);
}

static void on_listener(struct watch *watch, unsigned events)
{
    struct broker *b = CONTAINER_OF(watch, struct broker, watch);
    struct err err;
    char peer[64];
    int file;
    (void)events;
    run_on_net();
    for (int i = 0; i < ACCEPTS_PER_TURN && !must_wait(b); i++) {
        if (!os_accept(b->listener, &file, peer, sizeof peer, &err)) {
            if (err.code != EAGAIN)
                pause_listening(b, &err);
            return;
        }
        if (b->connection_count >= BROKER_CONNECTIONS_MAX) {
            os_close(file);
            err_set(&err, ERR_RETRY, "%d connections are open, and no more are taken",
                    BROKER_CONNECTIONS_MAX);
            pause_listening(b, &err);
            return;
        }
        b->pause_said = false;
        if (!limits_admit(b, peer)) {
            event_log(EVENT_KAFKA, peer,
                      "connection refused: its address has as many as max.connections.per.ip");
            limits_count(b, 1);
            os_close(file);
            continue;
        }
        int32_t hold_ms = throttle_connect(b, peer);
        limits_count(b, hold_ms == 0);
        if (hold_ms > 0)
            event_log(EVENT_KAFKA, peer, "connection refused: its address connects too often");
        if (!connection_open(b, file, peer, hold_ms, &err))
            event_err(EVENT_KAFKA_TROUBLE, peer, &err);
    }
}

/* ---- frames ------------------------------------------------------------------------------------------------------------------- */

struct frame *frame_take(struct broker *b, void (*done)(struct frame *frame), void *arg)
{
    struct frame *frame = b->idle_frame_count > 0 ? b->idle_frames[--b->idle_frame_count]
                                                  : frame_new(b->store);
    frame->done = done;
    frame->arg = arg;
    frame->internal = false;
    return frame;
}

void frame_give(struct broker *b, struct frame *frame)
{
    frame_reset(frame);
    if (b->idle_frame_count < IDLE_FRAMES_MAX)
        b->idle_frames[b->idle_frame_count++] = frame;
    else
        frame_free(frame);
}

void frames_fini(struct broker *b)
{
    while (b->idle_frame_count > 0)
        frame_free(b->idle_frames[--b->idle_frame_count]);
}

int16_t frame_error(const struct err *err)
{
    switch (err->code) {
    case ENOENT: return KAFKA_ERR_UNKNOWN_TOPIC_OR_PARTITION;
    case EEXIST: return KAFKA_ERR_TOPIC_ALREADY_EXISTS;
    default: return KAFKA_ERR_KAFKA_STORAGE_ERROR;
    }
}

/* ---- its life ------------------------------------------------------------------------------------------------------------------ */

/* What a burst of requests took and nobody needs any more. */
static void on_trim_timer(struct timer *timer)
{
    struct broker *b = CONTAINER_OF(timer, struct broker, trim_timer);
    buf_pool_trim(b->request_pool);
    timer_set_in(timer, TRIM_MS * NS_PER_MS);
}

static void handle_start(struct msg *msg)
{
    struct broker *b = CONTAINER_OF(msg, struct broker, start);
    struct err err;
    run_on_net();
    coordinator_open(b);
    timer_set_in(&b->trim_timer, TRIM_MS * NS_PER_MS);
    if (!listen_on(b, true, &err))
        event_err(EVENT_KAFKA_TROUBLE, "kafka", &err);
}

/* Clients look the host up themselves: what listens on localhost is told as that, and the port is the one that is really listened on. */
static bool set_advertised(struct broker *b, struct err *err)
{
    const char *advertised = b->options.advertised ? b->options.advertised : b->options.address;
    const char *colon = strrchr(advertised, ':');
    const char *port_at = b->options.advertised ? colon : strrchr(b->address, ':');
    struct str host = colon ? str_n(advertised, (size_t)(colon - advertised)) : (struct str){0};
    int64_t port;
    if (host.n > 2 && host.p[0] == '[' && host.p[host.n - 1] == ']')
        host = str_n(host.p + 1, host.n - 2);
    if (b->options.advertised == NULL &&
        (host.n == 0 || str_eq(host, STR("0.0.0.0")) || str_eq(host, STR("::"))))
        host = STR("localhost"); /* nobody connects to everywhere */
    if (colon == NULL || host.n == 0 || host.n >= sizeof b->advertised_host ||
        !str_to_i64(str_of(port_at + 1), &port) || port < 1 || port > 65535)
        return err_set(err, ERR_CONFIG, "\"%s\" is no address that clients could connect to", advertised);
    snprintf(b->advertised_host, sizeof b->advertised_host, "%.*s", STR_ARG(host));
    b->advertised_port = (int32_t)port;
    return true;
}

bool broker_start(struct pool *pool, struct loop *net, struct store *store,
                  const struct broker_options *options, struct broker **out, struct err *err)
{
    struct broker *b = pool_new_struct(pool, struct broker);
    *b = (struct broker){.pool = pool, .net = net, .store = store, .options = *options};
    list_init(&b->connections);
    limits_init(&b->limits);
    list_init(&b->starved);
    list_init(&b->starved_large);
    list_init(&b->arriving);
    list_init(&b->hungry);
    sessions_init(&b->sessions);
    list_init(&b->idle_requests);
    timer_init(&b->accept_timer, on_accept_timer);
    timer_init(&b->trim_timer, on_trim_timer);
    timer_init(&b->arriving_timer, connections_judge);
    msg_init(&b->start, handle_start);
    b->watch.ready = on_listener;
    TRY(os_listen(options->address, &b->listener, b->address, sizeof b->address, err));
    if (!set_advertised(b, err)) {
        os_close(b->listener);
        return false;
    }
    store_id_text(store, b->cluster_id);
    b->compress = compress_ctx_new();
    b->scratch = buf_new(CONNECTION_READ_BYTES);
    b->request_pool = buf_pool_new(REQUEST_POOL_BYTES, REQUEST_POOL_KEEP);
    *out = b; /* from here on broker_stop ends it */
    TRY(settings_start(b, err));
    TRY(throttle_start(b, err));
    TRY(features_start(b, err));
    TRY(coordinator_start(b, err));
    TRY(loop_new(ROLE_BLOCK, "kafka-read", &b->reader, err));
    TRY(loop_start(b->reader, err));
    loop_post(net, &b->start);
    return true;
}

const char *broker_address(const struct broker *b)
{
    return b->address;
}

/* ---- its end -------------------------------------------------------------------------------------------------------------------- */

void broker_look_for_end(struct broker *b)
{
    if (!b->stopping || b->running > 0 || b->ended == NULL)
        return;
    coordinator_end(b);
    while (!list_empty(&b->connections))
        connection_close(CONTAINER_OF(b->connections.next, struct connection, link));
    void (*ended)(void *arg) = b->ended;
    b->ended = NULL;
    ended(b->ended_arg);
}

static void handle_end(struct msg *msg)
{
    struct broker *b = CONTAINER_OF(msg, struct broker, end);
    struct err ignored;
    run_on_net();
    listen_on(b, false, &ignored);
    timer_cancel(&b->accept_timer);
    timer_cancel(&b->trim_timer);
    timer_cancel(&b->arriving_timer);
    b->stopping = true;
    b->running++; /* no end before all have been told */
    LIST_EACH(link, &b->connections)
    connection_cancel(CONTAINER_OF(link, struct connection, link));
    b->running--;
    broker_look_for_end(b);
}

void broker_end(struct broker *b, void (*ended)(void *arg), void *arg)
{
    b->ended = ended;
    b->ended_arg = arg;
    msg_init(&b->end, handle_end);
    loop_post(b->net, &b->end);
}

void broker_stop(struct broker *b)
{
    if (b == NULL)
        return;
    CHECK(list_empty(&b->connections));
    if (b->reader) {
        loop_stop(b->reader);
        loop_join(b->reader);
        loop_free(b->reader);
    }
    coordinator_stop(b);
    throttle_stop(b);
    settings_stop(b);
    sessions_fini(&b->sessions);
    requests_fini(b);
    frames_fini(b);
    metrics_fini(b);
    buf_unref(b->scratch);
    buf_pool_close(b->request_pool);
    compress_ctx_free(b->compress);
    os_close(b->listener);
}

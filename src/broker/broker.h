/* The Kafka server: to every Kafka client, a cluster of one broker over the store's topics.
 *
 * Everything here runs on the net role: connections, requests, group and transaction coordinators. A request that needs the disk
 * becomes a frame of the store; what has to be read from files is read on a loop of the block role. So nothing here waits. */
#ifndef BROKER_BROKER_H
#define BROKER_BROKER_H

#include "log/store.h"

enum {
    BROKER_NODE = 1, /* our node id, and the controller's */
    BROKER_CONNECTIONS_MAX = 20000,
    BROKER_FRAME_MAX = 100 << 20, /* bytes of a request: Kafka's socket.request.max.bytes */
    BROKER_PIPELINE_MAX = 64,     /* requests of one connection that are read ahead of their answers */
    BROKER_REQUEST_BYTES_MAX =
        24 << 20, /* of all requests that are not answered; past it nothing more is read */
    BROKER_ARRIVING_BYTES_MAX =
        16 << 20,                    /* of all large requests that have come in part; past it only the eldest
                                             of them is read on, */
    BROKER_ARRIVING_MS = 1000,       /* and its connection ends when in this time */
    BROKER_ARRIVING_STEP = 16 << 10, /* not so many bytes come, and others wait */
    BROKER_REPLY_BYTES_MAX = 32 << 20, /* of all answers that are not sent; past it no fetch begins */
    BROKER_IDLE_MS = 600 * 1000,       /* Kafka's connections.max.idle.ms */
    BROKER_FRAME_MS =
        60 *
        1000, /* a request arrives whole within this time, and an answer finds a reader that takes some of it */
};

struct broker;
struct metric_page;

struct broker_options {
    const char *address;    /* "127.0.0.1:9092"; port 0 = a free one; borrowed until broker_start returns */
    const char *advertised; /* what clients are told, "host:port"; NULL: the address, with the host as it is written there */
    int32_t partitions;     /* of topics that are made by their first use: Kafka's num.partitions */
    bool auto_create;       /* Kafka's auto.create.topics.enable */
};

/* Listens and serves on loop (net), until broker_stop. Call before the loop runs or on it. ERR_FATAL when the port is taken: the text names
 * who has it. *broker may be set then too: broker_stop frees what there is. */
bool broker_start(struct pool *pool, struct loop *net, struct store *store,
                  const struct broker_options *options, struct broker **broker, struct err *err);
/* "127.0.0.1:9092", with the port that it really has. */
const char *broker_address(const struct broker *broker);
/* Takes no more requests, finishes those that have begun, ends all connections, and calls ended(arg) on the net loop. Any role, once. */
void broker_end(struct broker *broker, void (*ended)(void *arg), void *arg);
/* Its figures. NULL is fine. */
void broker_metrics(struct broker *broker, struct metric_page *page) ON(net);
/* After the loop has ended, and before the store closes. NULL is fine. */
void broker_stop(struct broker *broker);

#endif

/* How many connections there may be: max.connections, max.connections.per.ip with its overrides, max.connection.creation.rate. As in Kafka,
 *
 *   - past max.connections, and past the rate, new ones wait until there is a place for them, before anything is read of them;
 *   - where max.connections is lowered below what is there, those go that were silent longest;
 *   - one too many from an address is closed at once. */
#ifndef BROKER_LIMITS_H
#define BROKER_LIMITS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "base/str.h"
#include "run/run.h"

struct broker;
struct connection;

enum {
    LIMITS_BUCKETS = 1024,
    LIMITS_BURST_S = 10, /* of the rate: what Kafka's mean over its windows comes to, as in quotas.h */
};

struct limits {
    int32_t connections, per_address, per_second;
    struct str overrides;                /* "address:number,…"; the settings' */
    struct list buckets[LIMITS_BUCKETS]; /* connections by a hash of their address */
    double tokens;                       /* connections that may be made at once */
    int64_t filled_ms;
};

void limits_init(struct limits *limits);
/* Takes them from the node's settings. */
void limits_load(struct broker *broker);
/* After they have changed: too many connections end, and those who wait may come. */
void limits_apply(struct broker *broker) ON(net);

/* May somebody connect? 0: yes; −1: when a connection has ended; else in so many ms. */
int32_t limits_wait(struct broker *broker) ON(net);
/* n have been accepted. */
void limits_count(struct broker *broker, int n) ON(net);
/* May there be one more from that address? */
bool limits_admit(const struct broker *broker, const char *peer) ON(net);
void limits_enter(struct connection *connection) ON(net);
void limits_leave(struct connection *connection) ON(net);

#endif

/* The coordinators' side of the broker: what the two state machines need, their topics, and the requests that go to them. */
#ifndef BROKER_COORDINATOR_H
#define BROKER_COORDINATOR_H

#include "base/list.h"
#include "broker/groups.h"
#include "broker/txns.h"
#include "log/store.h"
#include "run/run.h"

struct broker;

enum {
    COORDINATOR_PARTITIONS = 50, /* of each of their topics, as in Kafka */
};

/* A topic of a coordinator. It is made when something is written to it for the first time; what comes before it is there waits. */
struct coordinator_topic {
    const char *name;
    struct log *logs[COORDINATOR_PARTITIONS]; /* NULL until it is there */
    bool is_making;
    struct list waiting; /* writes, in order */
};

struct coordinator {
    struct broker *broker;
    struct groups *groups;
    struct txns *txns;
    struct coordinator_topic offsets, transactions;
    struct timer groups_timer, txns_timer;
    /* of the slots */
    char topic_name[TOPIC_NAME_MAX + 1];
    struct arena topics;
    struct topic_info *topic_infos;
    size_t topic_count;
};

/* Reads both topics. Before the net loop runs. */
bool coordinator_start(struct broker *broker, struct err *err);
void coordinator_stop(struct broker *broker);

#endif

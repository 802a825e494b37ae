/* What is behind registry.h: our own registry, or another one. */
#ifndef REGISTRY_REGISTRY_PRIVATE_H
#define REGISTRY_REGISTRY_PRIVATE_H

#include "registry/registry.h"

/* Each slot is mandatory. ask, end: on net. */
struct registry_slots {
    /* Sooner or later calls registry_answer. */
    void (*ask)(struct registry *registry, struct registry_call *call);
    /* Calls registry_ended when nothing is under way any more. */
    void (*end)(struct registry *registry);
    void (*free)(struct registry *registry); /* what is not its pool's */
};

struct registry {
    const struct registry_slots *slots;
    struct loop *net;
    bool ending OWNED_BY(net);
    void (*ended)(void *arg);
    void *ended_arg;
    struct msg end;
};

void registry_init(struct registry *registry, const struct registry_slots *slots, struct loop *net);
/* call->ok, and call->schema or call->err, are set. */
void registry_answer(struct registry_call *call) ON(net);
void registry_ended(struct registry *registry) ON(net);

#endif

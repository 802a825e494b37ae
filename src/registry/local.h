/* Our own registry: the state, and the topic that it comes from. */
#ifndef REGISTRY_LOCAL_H
#define REGISTRY_LOCAL_H

#include "base/list.h"
#include "registry/decide.h"
#include "registry/registry.h"

#define REGISTRY_TOPIC "_schemas"

struct local;

/* Of registry_new's. */
struct local *local_of(struct registry *registry);

/* Before a request: is the topic there, and still the same? Somebody else may have made it, or deleted it. */
void local_look(struct local *local) ON(net);
/* The state as it will be when everything that was written is durable: no answer that was made from it may leave before local_wait says so. On net, up to the
 * next write. */
struct state *local_state(struct local *local) ON(net);
/* Applies the work's entries, and writes them. False: they are too large, or it is ending; then nothing has happened. */
bool local_write(struct local *local, struct work *work) ON(net);

/* Is all of it durable? Then nobody has to wait. */
bool local_is_settled(const struct local *local) ON(net);
struct local_wait {
    struct list link;
    void (*done)(struct local_wait *wait,
                 bool ok); /* on net; !ok: what was written since is not, and undone */
};
/* Calls done when everything that was written before is durable: at once, from inside, where it is. */
void local_wait(struct local *local, struct local_wait *wait) ON(net);

struct loop *local_net(const struct local *local);
struct store *local_store(const struct local *local);

#endif

/* The registry's REST interface, as Confluent's has it: paths, parameters, error codes, messages. */
#ifndef REGISTRY_REST_H
#define REGISTRY_REST_H

#include "registry/registry.h"

struct registry_server;

/* Serves one of registry_new's on "127.0.0.1:8081" (port 0: a free one). Before the net loop runs. ERR_FATAL when the port is taken: the text names who
 * has it. */
bool registry_server_start(struct pool *pool, struct registry *registry, const char *address,
                           struct registry_server **server, struct err *err) UNSHARED;
const char *registry_server_address(const struct registry_server *server);
/* After the loop has ended. NULL is fine. */
void registry_server_stop(struct registry_server *server) UNSHARED;

#endif

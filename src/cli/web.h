/* /healthz, /readyz and /metrics. */
#ifndef CLI_WEB_H
#define CLI_WEB_H

#include "broker/broker.h"
#include "http/server.h"
#include "job/engine.h"

/* What is looked at: borrowed for the server's life. broker may be NULL, or be set later, before the loop runs. */
struct web {
    struct engine *engine;
    struct broker *broker;
};
bool web_start(struct pool *pool, struct loop *net, const char *address, struct web *web,
               struct http_server **server, struct err *err);

#endif

/* /healthz, /readyz and /metrics. */
#ifndef CLI_WEB_H
#define CLI_WEB_H

#include "http/server.h"
#include "job/engine.h"

/* engine is borrowed for the server's life. */
bool web_start(struct pool *pool, struct loop *net, const char *address, struct engine *engine,
               struct http_server **server, struct err *err);

#endif

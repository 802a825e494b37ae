/* A stand-in for the servers of the world: one thread for each connection, one request for each connection, and a handler that writes what it likes,
 * whole answers or bytes that are none. */
#ifndef REF_WEB_STAND_H
#define REF_WEB_STAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

struct web_stand;

struct web_request {
    struct web_stand *stand;
    int fd;
    int number;     /* from 1, of the stand */
    char path[256]; /* without the query */
    char query[1024];
    char head[8192]; /* the request up to its empty line */
    size_t head_size;
    int port; /* of the stand */
};

/* handle runs on a thread of the connection; arg is the caller's. NULL: it could not listen. */
struct web_stand *web_stand_new(void (*handle)(void *arg, struct web_request *request), void *arg);
int web_stand_port(const struct web_stand *stand);
int web_stand_requests(const struct web_stand *stand);
/* Ends the listener and waits for the connections' threads; handlers end soon, see web_hang. */
void web_stand_free(struct web_stand *stand);

/* An integer parameter of the query. */
int64_t web_param(const struct web_request *request, const char *name, int64_t otherwise);
/* The request's head holds this text, case ignored. */
bool web_has_header(const struct web_request *request, const char *text);
/* A whole answer; headers: lines with "\r\n", or "". */
void web_answer(struct web_request *request, int status, const char *headers, struct str body);
void web_text(struct web_request *request, int status, const char *headers, const char *body);
/* Bytes as they are. */
void web_raw(struct web_request *request, const void *p, size_t n);
/* Keeps the connection open until the other side closes it or the stand is freed. */
void web_hang(struct web_request *request);

#endif

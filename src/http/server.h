/* An HTTP/1.1 server on the net loop (libmicrohttpd, by its epoll descriptor: no thread of its own).
 *
 * A server has a table of routes. A handler runs on the net role and answers when it returns; what has to wait for something else says so by
 * http_later, and answers by http_answer. */
#ifndef HTTP_SERVER_H
#define HTTP_SERVER_H

#include "base/err.h"
#include "base/str.h"
#include "run/run.h"

enum {
    HTTP_CONNECTIONS_MAX = 1000,
    HTTP_IDLE_S = 30,
    HTTP_BODY_MAX = 16 << 20, /* bytes of a request's body */
};

struct http_server;
struct http_later;

struct http_request {
    const char *method, *path; /* borrowed, decoded */
    const char *raw_path;      /* as it was sent, to tell a '/' from a "%2F"; without the query */
    struct str body;
    void *connection, *exchange; /* the server's */
    void *arg;                   /* of the route */
};

struct http_response {
    int status;               /* default 200 */
    const char *content_type; /* default "text/plain; charset=utf-8" */
    struct sbuf body;
    const char *header_names[8], *header_values[8]; /* further ones, borrowed until the handler returns */
    uint32_t header_count;
};

struct http_route {
    const char *method; /* "GET" (answers HEAD too); NULL: any */
    const char *path;   /* exact, or with a '*' at its end: a prefix */
    void (*handle)(const struct http_request *request, struct http_response *response);
};

/* A query parameter of the request, decoded, or NULL; borrowed. */
const char *http_query(const struct http_request *request, const char *name) ON(net);
const char *http_header(const struct http_request *request, const char *name) ON(net);
/* Calls each(arg, value) for every query parameter of that name, in their order; a value may be NULL. */
void http_query_each(const struct http_request *request, const char *name,
                     void (*each)(void *arg, const char *value), void *arg) ON(net);

/* In a handler: nothing is answered when it returns, but by http_answer, once, on the net role, and not before the handler has returned. The request is
 * not valid any more then. When the server stops before, the client gets nothing, and http_answer must not be called. */
struct http_later *http_later(const struct http_request *request) ON(net);
/* The body is taken. */
void http_answer(struct http_later *later, struct http_response *response) ON(net);

/* Listens on "127.0.0.1:8080" (port 0 = a free one) and answers on loop (net). routes end with a zeroed one, and are borrowed; arg is handed to
 * them. Call before the loop runs or on it. ERR_FATAL when the port is taken: the text names who has it. */
bool http_server_start(struct pool *pool, struct loop *loop, const char *address,
                       const struct http_route *routes, void *arg, struct http_server **server,
                       struct err *err);
/* "127.0.0.1:8080", with the port that it really has. */
const char *http_server_address(const struct http_server *server);
/* After the loop has ended. NULL is fine. */
void http_server_stop(struct http_server *server);

#endif

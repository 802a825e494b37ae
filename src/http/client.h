/* An HTTP client on the net loop (libcurl's multi interface, driven by the loop's descriptors and timers).
 *
 * TLS is verified, proxies come from the environment, gzip is asked for, redirects are followed but never carry credentials to another host. Nothing
 * here retries: whoever asked knows when that makes sense. */
#ifndef HTTP_CLIENT_H
#define HTTP_CLIENT_H

#include "base/err.h"
#include "base/str.h"
#include "run/run.h"

enum { HTTP_REDIRECTS_MAX = 10, HTTP_HEADERS_MAX = 64 };

struct http_client;

struct http_call {
    /* set before http_send; borrowed until done */
    const char *method; /* NULL = GET, or POST with a body */
    const char *url;
    const char *headers[HTTP_HEADERS_MAX]; /* "Name: value" [header_count] */
    uint32_t header_count;
    const char *user, *password; /* basic authentication */
    const char *bearer;
    struct str body;
    int64_t timeout_ms;         /* of the whole call */
    int64_t connect_timeout_ms; /* 0 = 10 s */
    size_t answer_max;          /* bytes; a longer answer is an error, not cut */
    void (*done)(struct http_call *call);
    void *arg;
    /* valid in done, until http_call_fini or the next send */
    bool ok; /* an answer came, whatever its status */
    int status;
    struct sbuf answer;
    char content_type[128];
    int64_t retry_after_ms; /* −1 = not said */
    struct err
        err; /* !ok: ERR_RETRY; ERR_FATAL for a URL that cannot be; ERR_DATA for an answer over the limit */
    /* private */
    void *easy, *list;
    struct http_client *client;
    char error_text[256];
    bool too_large, foreign, as_get;
    int redirects;
    char *location; /* where redirects have led */
};

bool http_client_new(struct pool *pool, struct http_client **client, struct err *err)
    ON(net); /* on the net loop; freed with the pool, on it too */
/* done runs later on this loop, exactly once, unless http_cancel comes first. */
void http_send(struct http_client *client, struct http_call *call) ON(net);
void http_cancel(struct http_call *call) ON(net);
/* Drops the answer's memory. */
void http_call_fini(struct http_call *call) ON(net);
/* A link as it stands in an answer of the URL `base`, made absolute; appended. Nothing where it is no link. */
void http_resolve(struct sbuf *out, const char *base, struct str link);
/* text percent-encoded for a query, appended. */
void http_encode(struct sbuf *out, struct str text);

#endif

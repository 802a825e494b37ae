#include "http/client.h"

#include <curl/curl.h>
#include <stdio.h>
#include <time.h> /* LAYERS: allow <time.h> libcurl's dates are time_t */

enum { WATCHES_MAX = 1024 };

/* A descriptor of libcurl's. */
struct socket_watch {
    struct watch watch;
    struct http_client *client;
    struct socket_watch *next; /* free list */
};

struct http_client {
    struct pool *pool;
    struct loop *loop;
    CURLM *multi OWNED_BY(net);
    struct timer timer OWNED_BY(net);
    struct socket_watch *spare OWNED_BY(net);
};

/* ---- what libcurl asks for ---------------------------------------------------------------------------------------------- */

static void finish_calls(struct http_client *client) ON(net);

static void on_socket(struct watch *watch, unsigned events) ON(net)
{
    struct socket_watch *w = CONTAINER_OF(watch, struct socket_watch, watch);
    struct http_client *client = w->client;
    int running, what = (events & OS_READABLE ? CURL_CSELECT_IN : 0) |
                        (events & OS_WRITABLE ? CURL_CSELECT_OUT : 0) |
                        (events & OS_HANGUP ? CURL_CSELECT_ERR : 0);
    curl_multi_socket_action(client->multi, watch->fd, what, &running);
    finish_calls(client);
}

static void on_timer(struct timer *timer) ON(net)
{
    struct http_client *client = CONTAINER_OF(timer, struct http_client, timer);
    int running;
    curl_multi_socket_action(client->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    finish_calls(client);
}

static int want_timer(CURLM *multi, long ms, void *arg) ON(net)
{
    struct http_client *client = arg;
    (void)multi;
    if (ms < 0)
        timer_cancel(&client->timer);
    else
        timer_set_in(&client->timer, (int64_t)ms * NS_PER_MS);
    return 0;
}

static int want_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *socket_arg) ON(net)
{
    struct http_client *client = arg;
    struct socket_watch *w = socket_arg;
    struct err err;
    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        if (w) {
            (void)!loop_watch_fd(client->loop, &w->watch, fd, 0, &err);
            curl_multi_assign(client->multi, fd, NULL);
            w->next = client->spare;
            client->spare = w;
        }
        return 0;
    }
    if (w == NULL) {
        w = client->spare ? client->spare : pool_new_struct(client->pool, struct socket_watch);
        client->spare = w->next;
        *w = (struct socket_watch){.client = client, .watch = {.ready = on_socket}};
        curl_multi_assign(client->multi, fd, w);
    }
    unsigned interest = (what & CURL_POLL_IN ? OS_READABLE : 0u) | (what & CURL_POLL_OUT ? OS_WRITABLE : 0u);
    return loop_watch_fd(client->loop, &w->watch, fd, interest, &err) ? 0 : -1;
}

static size_t take_body(char *p, size_t size, size_t n, void *arg) ON(net)
{
    struct http_call *call = arg;
    if (call->answer.n + size * n > call->answer_max) {
        call->too_large = true;
        return 0;
    }
    sbuf_add(&call->answer, p, size * n);
    return size * n;
}

/* Seconds, or a date. */
static void take_retry_after(struct http_call *call, struct str value) ON(net)
{
    int64_t seconds;
    char date[64];
    if (str_to_i64(value, &seconds)) {
        call->retry_after_ms = seconds < 0 ? 0 : seconds > 86400 ? 86400000 : seconds * 1000;
        return;
    }
    snprintf(date, sizeof date, "%.*s", STR_ARG(value));
    time_t at = curl_getdate(date, NULL);
    int64_t ms = at < 0 ? -1 : (int64_t)at * 1000 - os_wall().us / US_PER_MS;
    if (at >= 0)
        call->retry_after_ms = ms < 0 ? 0 : ms > 86400000 ? 86400000 : ms;
}

static size_t take_header(char *p, size_t size, size_t n, void *arg) ON(net)
{
    struct http_call *call = arg;
    struct str line = str_trim(str_n(p, size * n)), name = line;
    size_t colon = str_find(line, STR(":"), 0);
    if (str_starts(line, STR("HTTP/"))) { /* of another answer: after a proxy's or an interim one */
        call->retry_after_ms = -1;
        sbuf_clear(&call->answer);
    }
    if (colon == SIZE_MAX)
        return size * n;
    name.n = colon;
    struct str value = str_trim(str_n(line.p + colon + 1, line.n - colon - 1));
    if (str_eq_nocase(name, STR("retry-after")))
        take_retry_after(call, value);
    if (str_eq_nocase(name, STR("content-type")))
        snprintf(call->content_type, sizeof call->content_type, "%.*s", STR_ARG(value));
    return size * n;
}

/* ---- calls ------------------------------------------------------------------------------------------------------------------ */

static void release(struct http_call *call) ON(net)
{
    if (call->easy) {
        curl_multi_remove_handle(call->client->multi, call->easy);
        curl_easy_cleanup(call->easy);
    }
    curl_slist_free_all(call->list);
    call->easy = call->list = NULL;
}

static void judge(struct http_call *call, CURLcode code) ON(net)
{
    long status = 0;
    curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &status);
    call->status = (int)status;
    call->ok = code == CURLE_OK;
    if (call->ok)
        return;
    if (call->too_large) {
        err_set(&call->err, ERR_DATA, "the answer is longer than the limit of %zu bytes", call->answer_max);
        err_hint(&call->err, "Raise `limit` of the source, or ask for less at once.");
        return;
    }
    bool spoken = strncmp(call->url, "http://", 7) == 0 ||
                  strncmp(call->url, "https://", 8) == 0; /* else it is the answer that is none */
    bool never = call->location == NULL &&
                 (code == CURLE_URL_MALFORMAT || (code == CURLE_UNSUPPORTED_PROTOCOL && !spoken));
    err_set(&call->err, never ? ERR_FATAL : ERR_RETRY, "%s",
            call->error_text[0] ? call->error_text : curl_easy_strerror(code));
    call->err.code = (int)code;
}

/* Scheme, host and port of two URLs are the same. */
static bool same_origin(const char *a, const char *b)
{
    static const CURLUPart parts[] = {CURLUPART_SCHEME, CURLUPART_HOST, CURLUPART_PORT};
    CURLU *x = curl_url(), *y = curl_url();
    bool same = curl_url_set(x, CURLUPART_URL, a, 0) == CURLUE_OK &&
                curl_url_set(y, CURLUPART_URL, b, 0) == CURLUE_OK;
    for (size_t i = 0; same && i < sizeof parts / sizeof *parts; i++) {
        char *p = NULL, *q = NULL;
        same = curl_url_get(x, parts[i], &p, CURLU_DEFAULT_PORT) == CURLUE_OK &&
               curl_url_get(y, parts[i], &q, CURLU_DEFAULT_PORT) == CURLUE_OK &&
               str_eq_nocase(str_of(p), str_of(q));
        curl_free(p);
        curl_free(q);
    }
    curl_url_cleanup(x);
    curl_url_cleanup(y);
    return same;
}

static void begin(struct http_call *call) ON(net);

/* Goes where the answer points, if it does. Once another host was met, neither headers, credentials nor a body of ours are sent any more. */
static bool redirect(struct http_call *call) ON(net)
{
    char *to = NULL;
    if (!call->ok || call->status < 301 || call->status > 308 || (call->status > 303 && call->status < 307))
        return false;
    curl_easy_getinfo(call->easy, CURLINFO_REDIRECT_URL, &to);
    if (to == NULL)
        return false;
    bool same = same_origin(call->location ? call->location : call->url, to);
    bool keeps_body = call->status >= 307 && call->body.p && !call->as_get;
    call->ok = false;
    if (++call->redirects > HTTP_REDIRECTS_MAX)
        return err_set(&call->err, ERR_RETRY, "more than %d redirects", HTTP_REDIRECTS_MAX);
    if (!same && keeps_body)
        return err_set(&call->err, ERR_FATAL, "the server redirects a request with a body to another host");
    mem_free(call->location);
    call->location = mem_strdup(to);
    call->foreign = call->foreign || !same;
    call->as_get = call->as_get || call->status <= 303;
    release(call);
    begin(call);
    return true;
}

static void finish_calls(struct http_client *client) ON(net)
{
    CURLMsg *message;
    int left;
    while ((message = curl_multi_info_read(client->multi, &left)) != NULL) {
        struct http_call *call;
        if (message->msg != CURLMSG_DONE)
            continue;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&call);
        judge(call, message->data.result);
        if (redirect(call))
            continue;
        release(call);
        call->done(call);
    }
}

static void set_options(struct http_call *call, CURL *easy)
{
    curl_easy_setopt(easy, CURLOPT_URL, call->location ? call->location : call->url);
    curl_easy_setopt(easy, CURLOPT_PRIVATE, call);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, call->error_text);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, "gzip, deflate");
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "sluice/" SLUICE_VERSION);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)call->timeout_ms);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS,
                     (long)(call->connect_timeout_ms ? call->connect_timeout_ms : 10000));
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, call);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, take_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, call);
    if (call->user && !call->foreign) {
        curl_easy_setopt(easy, CURLOPT_HTTPAUTH, CURLAUTH_BASIC);
        curl_easy_setopt(easy, CURLOPT_USERNAME, call->user);
        curl_easy_setopt(easy, CURLOPT_PASSWORD, call->password ? call->password : "");
    }
    if (call->bearer && !call->foreign) {
        curl_easy_setopt(easy, CURLOPT_HTTPAUTH, CURLAUTH_BEARER);
        curl_easy_setopt(easy, CURLOPT_XOAUTH2_BEARER, call->bearer);
    }
    if (call->body.p && !call->as_get) {
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)call->body.n);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDS, call->body.p);
    }
    if (call->method && !call->as_get)
        curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, call->method);
    for (uint32_t i = 0; i < call->header_count && !call->foreign; i++)
        call->list = curl_slist_append(call->list, call->headers[i]);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, call->list);
}

static void begin(struct http_call *call) ON(net)
{
    sbuf_clear(&call->answer);
    call->ok = call->too_large = false;
    call->status = 0;
    call->retry_after_ms = -1;
    call->content_type[0] = call->error_text[0] = '\0';
    call->err = (struct err){0};
    call->easy = curl_easy_init();
    if (call->easy == NULL)
        mem_exhausted(sizeof(void *));
    set_options(call, call->easy);
    CURLMcode code = curl_multi_add_handle(call->client->multi, call->easy);
    CHECK(code == CURLM_OK);
}

void http_send(struct http_client *client, struct http_call *call)
{
    run_on_net();
    CHECK(call->easy == NULL && call->done != NULL);
    call->client = client;
    call->redirects = 0;
    call->foreign = call->as_get = false;
    mem_free(call->location);
    call->location = NULL;
    begin(call);
}

void http_cancel(struct http_call *call)
{
    if (call->easy)
        release(call);
}

void http_call_fini(struct http_call *call)
{
    http_cancel(call);
    mem_free(call->location);
    call->location = NULL;
    sbuf_fini(&call->answer);
}

void http_resolve(struct sbuf *out, const char *base, struct str link)
{
    CURLU *url = curl_url();
    struct arena arena = {0};
    char *text = NULL;
    if (curl_url_set(url, CURLUPART_URL, base, 0) == CURLUE_OK &&
        curl_url_set(url, CURLUPART_URL, str_dup(&arena, link), 0) == CURLUE_OK &&
        curl_url_get(url, CURLUPART_URL, &text, 0) == CURLUE_OK)
        sbuf_cstr(out, text);
    curl_free(text);
    curl_url_cleanup(url);
    arena_fini(&arena);
}

void http_encode(struct sbuf *out, struct str text)
{
    for (size_t i = 0; i < text.n; i++) {
        unsigned char c = (unsigned char)text.p[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                     (c && strchr("-._~", c));
        if (plain)
            sbuf_char(out, (char)c);
        else
            sbuf_printf(out, "%%%02X", c);
    }
}

/* ---- life ----------------------------------------------------------------------------------------------------------------------- */

static void close_client(void *arg) ON(net)
{
    struct http_client *client = arg;
    timer_cancel(&client->timer);
    curl_multi_cleanup(client->multi);
}

bool http_client_new(struct pool *pool, struct http_client **client, struct err *err)
{
    struct http_client *c = pool_new_struct(pool, struct http_client);
    *c = (struct http_client){.pool = pool, .loop = loop_current()};
    timer_init(&c->timer, on_timer);
    c->multi = curl_multi_init();
    if (c->multi == NULL)
        return err_set(err, ERR_FATAL, "could not start the HTTP client");
    curl_multi_setopt(c->multi, CURLMOPT_SOCKETFUNCTION, want_socket);
    curl_multi_setopt(c->multi, CURLMOPT_SOCKETDATA, c);
    curl_multi_setopt(c->multi, CURLMOPT_TIMERFUNCTION, want_timer);
    curl_multi_setopt(c->multi, CURLMOPT_TIMERDATA, c);
    pool_on_free(pool, close_client, c);
    *client = c;
    return true;
}

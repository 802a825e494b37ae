#include "http/server.h"

#include <microhttpd.h>
#include <stdio.h>

#include "os/os.h"

struct http_server {
    struct loop *loop;
    const struct http_route *routes;
    void *arg;
    struct MHD_Daemon *daemon OWNED_BY(net);
    int listener; /* handle of os/ */
    struct watch watch OWNED_BY(net);
    struct timer timer OWNED_BY(net);    /* the daemon's own time-outs */
    struct list suspended OWNED_BY(net); /* exchanges that are answered later */
    struct msg start;
    char address[128];
};

/* A request, from its first line until its answer is sent. */
struct exchange {
    char *raw_path;
    struct sbuf body;
    bool begun, too_large;
    bool later;                    /* its handler has called http_later */
    bool answered;                 /* and this is the answer: */
    struct http_response response; /* headers are literals, or nothing */
    struct list link;              /* server->suspended, while it is suspended */
    struct http_server *server;
    struct MHD_Connection *connection;
};

const char *http_query(const struct http_request *request, const char *name)
{
    return MHD_lookup_connection_value(request->connection, MHD_GET_ARGUMENT_KIND, name);
}

const char *http_header(const struct http_request *request, const char *name)
{
    return MHD_lookup_connection_value(request->connection, MHD_HEADER_KIND, name);
}

struct each_query {
    const char *name;
    void (*each)(void *arg, const char *value);
    void *arg;
};

static enum MHD_Result on_query(void *cls, enum MHD_ValueKind kind, const char *name, const char *value)
{
    struct each_query *e = cls;
    (void)kind;
    if (strcmp(name, e->name) == 0)
        e->each(e->arg, value);
    return MHD_YES;
}

void http_query_each(const struct http_request *request, const char *name,
                     void (*each)(void *arg, const char *value), void *arg)
{
    struct each_query e = {name, each, arg};
    MHD_get_connection_values(request->connection, MHD_GET_ARGUMENT_KIND, on_query, &e);
}

struct http_later {
    struct exchange exchange;
};

struct http_later *http_later(const struct http_request *request)
{
    struct exchange *exchange = request->exchange;
    exchange->later = true;
    return (struct http_later *)exchange;
}

static bool matches(const struct http_route *route, const char *method, const char *path, bool *wrong_method)
{
    size_t n = strlen(route->path);
    bool prefix = n && route->path[n - 1] == '*';
    if (prefix ? strncmp(path, route->path, n - 1) != 0 : strcmp(path, route->path) != 0)
        return false;
    if (route->method == NULL)
        return true;
    bool head = strcmp(method, "HEAD") == 0 && strcmp(route->method, "GET") == 0;
    if (head || strcmp(method, route->method) == 0)
        return true;
    *wrong_method = true;
    return false;
}

static void plain(struct http_response *response, int status, const char *text)
{
    response->status = status;
    sbuf_printf(&response->body, "%s\n", text);
}

static void dispatch(struct http_server *server, const struct http_request *request,
                     struct http_response *response) ON(net)
{
    bool wrong_method = false;
    for (const struct http_route *route = server->routes; route->path; route++)
        if (matches(route, request->method, request->path, &wrong_method)) {
            route->handle(request, response);
            return;
        }
    plain(response, wrong_method ? 405 : 404, wrong_method ? "method not allowed" : "not found");
}

static enum MHD_Result send_response(struct MHD_Connection *connection, struct http_response *r) ON(net)
{
    sbuf_reserve(&r->body, 1); /* so that there is a place, for an empty body too */
    struct MHD_Response *out = MHD_create_response_from_buffer(r->body.n, r->body.p, MHD_RESPMEM_MUST_COPY);
    if (out == NULL)
        return MHD_NO;
    MHD_add_response_header(out, "Content-Type",
                            r->content_type ? r->content_type : "text/plain; charset=utf-8");
    MHD_add_response_header(out, "X-Content-Type-Options", "nosniff");
    for (uint32_t i = 0; i < r->header_count; i++)
        MHD_add_response_header(out, r->header_names[i], r->header_values[i]);
    enum MHD_Result result = MHD_queue_response(connection, (unsigned)r->status, out);
    MHD_destroy_response(out);
    return result;
}

/* The first that is heard of a request: what it returns is the request's state. */
static void *on_uri(void *cls, const char *uri, struct MHD_Connection *connection) ON(net)
{
    struct exchange *exchange = mem_new(sizeof *exchange);
    exchange->server = cls;
    exchange->connection = connection;
    size_t n = strcspn(uri, "?");
    exchange->raw_path = mem_new(n + 1);
    memcpy(exchange->raw_path, uri, n);
    list_init(&exchange->link);
    return exchange;
}

static enum MHD_Result answer(struct exchange *exchange) ON(net)
{
    enum MHD_Result result = send_response(exchange->connection, &exchange->response);
    sbuf_fini(&exchange->response.body);
    return result;
}

static enum MHD_Result on_request(void *cls, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *upload,
                                  size_t *upload_size, void **state) ON(net)
{
    struct http_server *server = cls;
    struct exchange *exchange = *state;
    (void)version;
    run_on_net();
    if (!exchange->begun) {
        exchange->begun = true;
        return MHD_YES;
    }
    if (*upload_size) {
        exchange->too_large = exchange->too_large || exchange->body.n + *upload_size > HTTP_BODY_MAX;
        if (!exchange->too_large)
            sbuf_add(&exchange->body, upload, *upload_size);
        *upload_size = 0;
        return MHD_YES;
    }
    if (exchange->answered)
        return answer(exchange);
    exchange->response.status = 200;
    const struct http_request request = {
        .method = method,
        .path = url,
        .raw_path = exchange->raw_path,
        .body = sbuf_view(&exchange->body),
        .connection = connection,
        .exchange = exchange,
        .arg = server->arg,
    };
    if (exchange->too_large)
        plain(&exchange->response, 413, "the request is too large");
    else
        dispatch(server, &request, &exchange->response);
    if (!exchange->later)
        return answer(exchange);
    sbuf_fini(&exchange->response.body);
    MHD_suspend_connection(connection);
    list_push_back(&server->suspended, &exchange->link);
    return MHD_YES;
}

static void on_completed(void *cls, struct MHD_Connection *connection, void **state,
                         enum MHD_RequestTerminationCode how) ON(net)
{
    struct exchange *exchange = *state;
    (void)cls, (void)connection, (void)how;
    if (exchange == NULL)
        return;
    list_remove(&exchange->link);
    sbuf_fini(&exchange->body);
    sbuf_fini(&exchange->response.body);
    mem_free(exchange->raw_path);
    mem_free(exchange);
    *state = NULL;
}

/* ---- on the loop ---------------------------------------------------------------------------------------------------- */

static void plan_timer(struct http_server *server) ON(net)
{
    MHD_UNSIGNED_LONG_LONG ms;
    if (MHD_get_timeout(server->daemon, &ms) == MHD_YES)
        timer_set_in(&server->timer, (int64_t)ms * NS_PER_MS);
    else
        timer_cancel(&server->timer);
}

static void step(struct http_server *server) ON(net)
{
    MHD_run(server->daemon);
    plan_timer(server);
}

static void on_ready(struct watch *watch, unsigned events) ON(net)
{
    (void)events;
    step(CONTAINER_OF(watch, struct http_server, watch));
}

static void on_timer(struct timer *timer) ON(net)
{
    step(CONTAINER_OF(timer, struct http_server, timer));
}

/* The connection goes on with its exchange's answer in the server's next step. */
void http_answer(struct http_later *later, struct http_response *response)
{
    struct exchange *exchange = &later->exchange;
    struct http_server *server = exchange->server;
    CHECK(exchange->later && !exchange->answered);
    exchange->answered = true;
    exchange->response = *response;
    response->body = (struct sbuf){0};
    list_remove(&exchange->link);
    MHD_resume_connection(exchange->connection);
    timer_set_in(&server->timer, 0);
}

static void handle_start(struct msg *msg) ON(net)
{
    struct http_server *server = CONTAINER_OF(msg, struct http_server, start);
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    struct err err;
    CHECK(info != NULL && loop_watch_fd(server->loop, &server->watch, info->epoll_fd, OS_READABLE, &err));
    step(server);
}

bool http_server_start(struct pool *pool, struct loop *loop, const char *address,
                       const struct http_route *routes, void *arg, struct http_server **server,
                       struct err *err) UNSHARED
{
    struct http_server *s = pool_new_struct(pool, struct http_server);
    *s = (struct http_server){.loop = loop, .routes = routes, .arg = arg};
    s->watch.ready = on_ready;
    list_init(&s->suspended);
    timer_init(&s->timer, on_timer);
    msg_init(&s->start, handle_start);
    if (!os_listen(address, &s->listener, s->address, sizeof s->address, err)) {
        char holder[128];
        os_port_holder(address, holder, sizeof holder);
        if (holder[0])
            err_hint(err, "The address %s is taken by %s.", address, holder);
        return false;
    }
    s->daemon = MHD_start_daemon(MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, on_request, s,
                                 MHD_OPTION_LISTEN_SOCKET, os_fd(s->listener), MHD_OPTION_URI_LOG_CALLBACK,
                                 on_uri, s, MHD_OPTION_CONNECTION_LIMIT, (unsigned)HTTP_CONNECTIONS_MAX,
                                 MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)HTTP_IDLE_S,
                                 MHD_OPTION_NOTIFY_COMPLETED, on_completed, NULL, MHD_OPTION_END);
    if (s->daemon == NULL)
        return err_set(err, ERR_FATAL, "could not serve HTTP on \"%s\"", address);
    *server = s;
    loop_post(loop, &s->start);
    return true;
}

const char *http_server_address(const struct http_server *server)
{
    return server->address;
}

void http_server_stop(struct http_server *server) UNSHARED
{
    struct list *link;
    if (server == NULL || server->daemon == NULL)
        return;
    while ((link = list_pop_front(&server->suspended)) != NULL)
        MHD_resume_connection(CONTAINER_OF(link, struct exchange, link)->connection);
    MHD_stop_daemon(server->daemon); /* closes the listener's descriptor with it */
}

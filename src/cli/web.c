/* What the program serves over HTTP on settings.listen.http. */
#include "cli/web.h"

#include "obs/metric.h"

static void healthz(const struct http_request *request, struct http_response *response)
{
    (void)request;
    sbuf_cstr(&response->body, "ok\n");
}

static void readyz(const struct http_request *request, struct http_response *response)
{
    const struct web *web = request->arg;
    bool ready = engine_is_ready(web->engine);
    response->status = ready ? 200 : 503;
    sbuf_cstr(&response->body, ready ? "ready\n" : "starting\n");
}

static void metrics(const struct http_request *request, struct http_response *response)
{
    struct web *web = request->arg;
    struct metric_page page = {0};
    run_on_net();
    response->content_type = "text/plain; version=0.0.4; charset=utf-8";
    engine_metrics(web->engine, &page);
    broker_metrics(web->broker, &page);
    metric_page_end(&page, &response->body);
}

static const struct http_route routes[] = {
    {"GET", "/healthz", healthz},
    {"GET", "/readyz", readyz},
    {"GET", "/metrics", metrics},
    {0},
};

bool web_start(struct pool *pool, struct loop *net, const char *address, struct web *web,
               struct http_server **server, struct err *err)
{
    return http_server_start(pool, net, address, routes, web, server, err);
}

#include "source/builtin.h"

#include "http/server.h"
#include "source/randomuser.h"

struct builtin {
    struct http_server *server;
    const char *url;
};

static void answer(const struct http_request *request, struct http_response *response) ON(net)
{
    struct randomuser_request r = {
        .results = http_query(request, "results"),
        .seed = http_query(request, "seed"),
        .nat = http_query(request, "nat"),
        .gender = http_query(request, "gender"),
        .inc = http_query(request, "inc"),
        .exc = http_query(request, "exc"),
        .page = http_query(request, "page"),
        .noinfo = http_query(request, "noinfo"),
        .format = http_query(request, "format") ? http_query(request, "format") : http_query(request, "fmt"),
        .now = os_wall(),
    };
    os_random(&r.entropy, sizeof r.entropy);
    response->content_type = randomuser_answer(&r, &response->body);
    response->header_names[0] = "Cache-Control";
    response->header_values[0] = "no-cache";
    response->header_names[1] = "Access-Control-Allow-Origin";
    response->header_values[1] = "*";
    response->header_count = 2;
}

static void unknown(const struct http_request *request, struct http_response *response) ON(net)
{
    (void)request;
    response->status = 404;
    sbuf_cstr(&response->body, "Not Found");
}

static const struct http_route routes[] = {
    {"GET", "/api", answer},      {"GET", "/api/", answer},   {"GET", "/api/1.4", answer},
    {"GET", "/api/1.4/", answer}, {"GET", "/api/*", unknown}, {0},
};

bool builtin_start(struct pool *pool, struct loop *net, struct builtin **builtin, struct err *err)
{
    struct builtin *b = pool_new_struct(pool, struct builtin);
    TRY(http_server_start(pool, net, "127.0.0.1:0", routes, b, &b->server, err));
    b->url = pool_printf(pool, "http://%s", http_server_address(b->server));
    *builtin = b;
    return true;
}

const char *builtin_url(const struct builtin *builtin)
{
    return builtin->url;
}

void builtin_stop(struct builtin *builtin)
{
    if (builtin)
        http_server_stop(builtin->server);
}

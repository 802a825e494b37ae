#include "cli/remote_schemas.h"

#include "conf/option.h"
#include "job/schemas.h"

struct remote_schemas {
    struct pool *pool;
    struct loop *net;
    struct registry *registry;
    struct registry_remote_options options;
    struct schema_desk *desk;
    struct latch ended;
    bool started;
};

bool registry_options_of(struct pool *pool, const char *text, const char *token,
                         struct registry_remote_options *options, struct err *err)
{
    struct conf_url url;
    TRY(conf_url_parse(pool_arena(pool), text, &url, err));
    bool is_v6 = url.host && strchr(url.host, ':');
    const char *port = url.port ? pool_printf(pool, ":%u", url.port) : "";
    *options = (struct registry_remote_options){
        .url = pool_printf(pool, is_v6 ? "%s://[%s]%s%s" : "%s://%s%s%s", url.scheme,
                           url.host ? url.host : "", port, url.path ? url.path : ""),
        .user = url.user,
        .password = url.password,
        .token = token,
    };
    return true;
}

/* Nobody waits but the one who asked. */
static void woke(void *arg)
{
    (void)arg;
}

static bool open_remote(struct remote_schemas *r, const char *url, const char *token,
                        struct err *err) UNSHARED
{
    TRY(registry_options_of(r->pool, url, token, &r->options, err));
    TRY(loop_new(ROLE_NET, "net", &r->net, err));
    TRY(registry_remote_new(r->pool, r->net, &r->options, &r->registry, err));
    r->desk = schema_desk_new(r->pool, r->registry, r->net, woke, NULL);
    r->started = loop_start(r->net, err);
    return r->started;
}

struct remote_schemas *remote_schemas_open(const char *url, const char *token, struct err *err)
{
    struct pool *pool = pool_new(NULL, "remote schemas");
    struct remote_schemas *r = pool_new_struct(pool, struct remote_schemas);
    r->pool = pool;
    if (open_remote(r, url, token, err))
        return r;
    remote_schemas_close(r);
    return NULL;
}

const struct topic_schemas *remote_schemas_view(struct remote_schemas *r)
{
    return schema_desk_patient(r->desk);
}

static void on_ended(void *arg)
{
    latch_open(&((struct remote_schemas *)arg)->ended);
}

void remote_schemas_close(struct remote_schemas *r)
{
    struct err ignored;
    if (r == NULL)
        return;
    if (r->started && latch_init(&r->ended, &ignored)) {
        registry_end(r->registry, on_ended, r);
        latch_wait(&r->ended);
    }
    if (r->started) {
        loop_stop(r->net);
        loop_join(r->net);
    }
    registry_free(r->registry);
    schema_desk_fini(r->desk);
    if (r->net)
        loop_free(r->net);
    pool_free(r->pool);
}

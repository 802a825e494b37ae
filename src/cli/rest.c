#include "cli/rest.h"

#include "http/client.h"
#include "os/os.h"

enum { REST_TIMEOUT_MS = 30 * 1000, REST_ANSWER_MAX = 64 << 20 };

struct rest_client {
    struct pool *pool;
    struct loop *net;
    const char *url;
    struct http_client *http OWNED_BY(net);
    /* of the request under way */
    struct msg msg;
    struct latch latch;
    struct http_call call;
    struct err err;
    bool made;
};

static void on_answer(struct http_call *call)
{
    struct rest_client *c = call->arg;
    latch_open(&c->latch);
}

static void handle_request(struct msg *msg)
{
    struct rest_client *c = CONTAINER_OF(msg, struct rest_client, msg);
    run_on_net();
    if (c->http == NULL && !(c->made = http_client_new(c->pool, &c->http, &c->err))) {
        latch_open(&c->latch);
        return;
    }
    http_send(c->http, &c->call);
}

bool rest_client_new(struct pool *pool, const char *url, struct rest_client **client, struct err *err)
{
    struct rest_client *c = pool_new_struct(pool, struct rest_client);
    struct str text = str_of(url);
    while (text.n > 0 && text.p[text.n - 1] == '/')
        text.n--;
    *c = (struct rest_client){.pool = pool_new(NULL, "rest"), .made = true};
    c->url = pool_printf(pool, "%.*s", STR_ARG(text));
    *client = c;
    TRY(loop_new(ROLE_NET, "net", &c->net, err));
    return loop_start(c->net, err);
}

static void handle_fini(struct msg *msg)
{
    struct rest_client *c = CONTAINER_OF(msg, struct rest_client, msg);
    run_on_net();
    http_call_fini(&c->call);
    pool_free(c->pool);
    c->pool = NULL;
}

void rest_client_end(struct rest_client *c)
{
    if (c == NULL || c->net == NULL)
        return;
    msg_init(&c->msg, handle_fini);
    loop_post(c->net, &c->msg);
    loop_stop(c->net);
    loop_join(c->net);
    loop_free(c->net);
}

/* The registry's own words, where there are any. */
static bool refused(const struct rest_answer *answer, struct err *err)
{
    struct str message;
    int64_t code = answer->status;
    if (!json_str(answer->json, "message", &message))
        return err_set(err, ERR_DATA, "the registry answers with status %d", answer->status);
    json_i64(answer->json, "error_code", &code);
    err_set(err, ERR_DATA, "%.*s (%lld)", STR_ARG(message), (long long)code);
    err->code = (int)code;
    return false;
}

bool rest_ask(struct rest_client *c, const char *method, const char *path, struct str body,
              struct rest_answer *answer, struct err *err) UNSHARED
{
    struct err ignored;
    http_call_fini(&c->call);
    c->call = (struct http_call){
        .method = method,
        .url = arena_printf(pool_arena(c->pool), "%s%s", c->url, path),
        .headers = {"Content-Type: application/vnd.schemaregistry.v1+json",
                    "Accept: application/vnd.schemaregistry.v1+json, application/json"},
        .header_count = 2,
        .body = body,
        .timeout_ms = REST_TIMEOUT_MS,
        .answer_max = REST_ANSWER_MAX,
        .done = on_answer,
        .arg = c};
    TRY(latch_init(&c->latch, err));
    msg_init(&c->msg, handle_request);
    loop_post(c->net, &c->msg);
    latch_wait(&c->latch);
    if (!c->made || !c->call.ok) {
        *err = c->made ? c->call.err : c->err;
        return err_context(err, "schema registry \"%s\"", c->url);
    }
    *answer = (struct rest_answer){.status = c->call.status};
    struct str text = sbuf_view(&c->call.answer);
    answer->text = str_n(str_dup(pool_arena(c->pool), text), text.n);
    if (answer->text.n > 0)
        json_parse(pool_arena(c->pool), answer->text, &answer->json, &ignored);
    return answer->status < 400 || refused(answer, err);
}

/* Another registry, asked over HTTP: any that speaks Confluent's REST interface.
 *
 *     question → GET of the schema → GET of each schema that it refers to, the needed ones first → answer
 *
 * What an id means, and what a numbered version is, never changes: such answers are kept, so that a restart of many readers asks for each once. A
 * request that got no answer, or one that says "later", is sent again after a while, RETRIES times; then the caller, who knows whether to go on, is told. */
#include <stdio.h>

#include "base/map.h"
#include "http/client.h"
#include "os/os.h"
#include "registry/parts.h"
#include "registry/registry_private.h"
#include "registry/subject.h"
#include "schema/text.h"
#include "json/tree.h"

enum {
    TIMEOUT_MS = 20 * 1000,
    RETRIES = 4,
    RETRY_MS = 200, /* then twice as long each time */
    ANSWER_MAX = 8 << 20,
    CACHE_MAX = 10000, /* answers; then all of them are forgotten */
    DEPTH_MAX = 100,   /* of references */
};

struct remote {
    struct registry registry;
    struct pool *pool;
    struct registry_remote_options options;
    const char *url; /* without a '/' at its end */
    struct http_client *client OWNED_BY(net);
    struct map cache OWNED_BY(net); /* path → answer, as a text of mem_new */
    struct list jobs OWNED_BY(net);
};

/* Schemas whose references are being fetched, the innermost last. */
struct level {
    struct str subject, name, text; /* of the schema; name: under which it was referred to */
    int32_t version;
    const struct registry_reference *references;
    uint32_t count, next;
};

struct job {
    struct list link; /* remote->jobs */
    struct remote *remote;
    struct registry_call *call;
    struct http_call http;
    struct timer timer;
    struct sbuf url, body;
    size_t path_at; /* in url */
    bool is_kept;   /* the answer never changes */
    int attempt;
    struct level levels[DEPTH_MAX];
    uint32_t depth;
    struct schema_reference *found; /* in the call's arena */
    uint32_t found_count, found_capacity;
};

static struct remote *remote_of(struct registry *registry)
{
    return CONTAINER_OF(registry, struct remote, registry);
}

/* ---- one request ------------------------------------------------------------------------------------------------------------------- */

static void finish(struct job *job, bool ok) ON(net)
{
    struct remote *r = job->remote;
    struct registry_call *call = job->call;
    call->ok = ok;
    timer_cancel(&job->timer);
    http_call_fini(&job->http);
    sbuf_fini(&job->url);
    sbuf_fini(&job->body);
    list_remove(&job->link);
    mem_free(job);
    registry_answer(call);
    if (r->registry.ending && list_empty(&r->jobs))
        registry_ended(&r->registry); /* more than once is fine */
}

static void take_answer(struct job *job, struct str text) ON(net);

static void send_request(struct job *job) ON(net)
{
    const struct registry_remote_options *o = &job->remote->options;
    http_call_fini(&job->http);
    job->http.method = job->body.n > 0 ? "POST" : "GET";
    job->http.url = job->url.p;
    job->http.headers[0] = "Accept: application/vnd.schemaregistry.v1+json, application/json";
    job->http.headers[1] = "Content-Type: application/vnd.schemaregistry.v1+json";
    job->http.header_count = job->body.n > 0 ? 2 : 1;
    job->http.user = o->user;
    job->http.password = o->password;
    job->http.bearer = o->token;
    job->http.body = job->body.n > 0 ? sbuf_view(&job->body) : (struct str){0};
    job->http.timeout_ms = TIMEOUT_MS;
    job->http.answer_max = ANSWER_MAX;
    http_send(job->remote->client, &job->http);
}

static void on_timer(struct timer *timer)
{
    struct job *job = CONTAINER_OF(timer, struct job, timer);
    run_on_net();
    send_request(job);
}

/* False: it has been tried often enough, or it is ending. */
static bool try_again(struct job *job) ON(net)
{
    if (job->attempt >= RETRIES || job->remote->registry.ending)
        return false;
    int64_t ms = (int64_t)RETRY_MS << job->attempt++;
    if (job->http.retry_after_ms > ms && job->http.retry_after_ms < TIMEOUT_MS)
        ms = job->http.retry_after_ms;
    timer_set_in(&job->timer, ms * NS_PER_MS);
    return true;
}

static void keep_answer(struct job *job, struct str text) ON(net)
{
    struct map *cache = &job->remote->cache;
    char *copy = mem_new(text.n + 1);
    memcpy(copy, text.p, text.n);
    if (cache->count >= CACHE_MAX) {
        MAP_EACH(entry, cache)
        mem_free(entry->value);
        map_fini(cache);
        *cache = (struct map){0};
    }
    mem_free(map_put(cache, str_of(job->url.p + job->path_at), copy));
}

/* It refuses: in its own words, where there are any. */
static void refuse(struct job *job) ON(net)
{
    struct arena arena = {0};
    const struct json_node *root = NULL;
    struct str message;
    int64_t code = job->http.status;
    struct err ignored, *err = &job->call->err;
    json_parse(&arena, sbuf_view(&job->http.answer), &root, &ignored);
    bool later = job->http.status >= 500 || job->http.status == 429;
    if (json_str(root, "message", &message))
        err_set(err, later ? ERR_RETRY : ERR_DATA, "%.*s", STR_ARG(message));
    else
        err_set(err, later ? ERR_RETRY : ERR_DATA, "the schema registry answers with status %d",
                job->http.status);
    json_i64(root, "error_code", &code);
    err->code = (int)code;
    arena_fini(&arena);
    finish(job, false);
}

static void on_answer(struct http_call *call)
{
    struct job *job = call->arg;
    run_on_net();
    bool later = !call->ok ? call->err.class == ERR_RETRY : call->status >= 500 || call->status == 429;
    if (later && try_again(job))
        return;
    if (!call->ok) {
        job->call->err = call->err;
        err_context(&job->call->err, "schema registry \"%s\"", job->remote->url);
        finish(job, false);
        return;
    }
    if (call->status >= 300) {
        refuse(job);
        return;
    }
    if (job->is_kept)
        keep_answer(job, sbuf_view(&call->answer));
    take_answer(job, sbuf_view(&call->answer));
}

/* GET of a path, or what is kept of it. */
static void get(struct job *job, bool kept) ON(net)
{
    const char *known = kept ? map_get(&job->remote->cache, str_of(job->url.p + job->path_at)) : NULL;
    job->is_kept = kept;
    job->attempt = 0;
    sbuf_clear(&job->body);
    if (known)
        take_answer(job, str_of(known));
    else
        send_request(job);
}

static void begin_url(struct job *job)
{
    sbuf_clear(&job->url);
    sbuf_cstr(&job->url, job->remote->url);
    job->path_at = job->url.n;
}

static void get_version(struct job *job, struct str subject, int32_t version) ON(net)
{
    begin_url(job);
    sbuf_cstr(&job->url, "/subjects/");
    http_encode(&job->url, subject);
    if (version == REGISTRY_LATEST)
        sbuf_cstr(&job->url, "/versions/latest");
    else /* referred to, and perhaps deleted since */
        sbuf_printf(&job->url, "/versions/%d?deleted=true", (int)version);
    get(job, version != REGISTRY_LATEST);
}

/* ---- a schema and its references ----------------------------------------------------------------------------------------------------- */

static struct str copy_text(struct arena *arena, struct str text)
{
    return text.p ? str_n(str_dup(arena, text), text.n) : str_n("", 0);
}

static void finish_schema(struct job *job) ON(net)
{
    struct registry_schema *schema = &job->call->schema;
    schema->source.references = job->found;
    schema->source.reference_count = job->found_count;
    finish(job, true);
}

static void add_found(struct job *job, const struct level *level)
{
    struct arena *arena = &job->call->arena;
    if (job->found_count == job->found_capacity) {
        uint32_t capacity = job->found_capacity ? 2 * job->found_capacity : 8;
        struct schema_reference *more = arena_array(arena, struct schema_reference, capacity);
        if (job->found_count > 0)
            memcpy(more, job->found, job->found_count * sizeof *more);
        job->found = more;
        job->found_capacity = capacity;
    }
    job->found[job->found_count++] = (struct schema_reference){.name = level->name,
                                                               .subject = level->subject,
                                                               .version = level->version,
                                                               .text = level->text,
                                                               .indirect = job->depth > 1};
}

static bool is_found(const struct job *job, struct str name)
{
    for (uint32_t i = 0; i < job->found_count; i++)
        if (str_eq(job->found[i].name, name))
            return true;
    for (uint32_t i = 1; i < job->depth; i++)
        if (str_eq(job->levels[i].name, name))
            return true;
    return false;
}

/* Asks for the next schema that is needed, or has them all. */
static void go_on(struct job *job) ON(net)
{
    while (job->depth > 0) {
        struct level *level = &job->levels[job->depth - 1];
        if (level->next == level->count) {
            if (job->depth > 1)
                add_found(job, level);
            job->depth--;
            continue;
        }
        const struct registry_reference *ref = &level->references[level->next];
        if (is_found(job, ref->name)) {
            level->next++;
            continue;
        }
        if (job->depth == DEPTH_MAX || job->found_count >= SCHEMA_REFERENCES_MAX) {
            err_set(&job->call->err, ERR_DATA, "the schema has too many references");
            finish(job, false);
            return;
        }
        get_version(job, subject_beside(&job->call->arena, level->subject, ref->subject), ref->version);
        return;
    }
    finish_schema(job);
}

/* The schema that was asked for, or the next one that it needs. */
static bool push_level(struct job *job, const struct json_node *root, struct err *err)
{
    struct registry_call *call = job->call;
    struct arena *arena = &call->arena;
    struct level *above = job->depth > 0 ? &job->levels[job->depth - 1] : NULL,
                 *level = &job->levels[job->depth];
    struct str text, subject = call->subject, kind = {0};
    int64_t id = call->id, version = 0;
    *level = (struct level){0};
    if (!json_str(root, "schema", &text))
        return err_set(err, ERR_RETRY, "the schema registry answers with something else than a schema");
    json_str(root, "subject", &subject);
    json_i64(root, "version", &version);
    json_str(root, "schemaType", &kind);
    TRY(references_parse(arena, json_member(root, STR("references")), &level->references, &level->count,
                         err));
    level->subject = copy_text(arena, subject);
    level->version = (int32_t)version;
    level->text = copy_text(arena, text);
    if (above)
        level->name = above->references[above->next++].name;
    job->depth++;
    if (above)
        return true;
    struct registry_schema *schema = &call->schema;
    json_i64(root, "id", &id);
    schema->source = (struct schema_source){.text = level->text, .lenient = true};
    if (kind.p && !schema_kind_find(kind, &schema->source.kind))
        return err_set(err, ERR_DATA, "the schema's type \"%.*s\" is not known", STR_ARG(kind));
    schema->id = (int32_t)id;
    bool by_version = call->what != REGISTRY_BY_ID && call->what != REGISTRY_BY_GUID;
    schema->subject = by_version ? level->subject : str_n("", 0);
    schema->version = by_version ? (int32_t)version : 0;
    return true;
}

/* After a registration: of what the answer lacks only the version is needed, and the text that the registry made of it. */
static void look_up(struct job *job) ON(net)
{
    begin_url(job);
    sbuf_cstr(&job->url, "/subjects/");
    http_encode(&job->url, job->call->subject);
    if (job->call->normalize)
        sbuf_cstr(&job->url, "?normalize=true");
    job->is_kept = false;
    job->attempt = 0;
    send_request(job); /* with the body that it has */
}

static void take_answer(struct job *job, struct str text) ON(net)
{
    struct arena *arena = &job->call->arena;
    const struct json_node *root;
    struct err *err = &job->call->err;
    struct str copy = str_n(str_dup(arena, text), text.n), ignored;
    int64_t number;
    if (!json_parse(arena, copy, &root, err)) {
        err->class = ERR_RETRY;
        err_context(err, "schema registry \"%s\"", job->remote->url);
        finish(job, false);
        return;
    }
    bool is_old_answer = job->call->what == REGISTRY_REGISTER && job->depth == 0 &&
                         (!json_str(root, "schema", &ignored) || !json_i64(root, "version", &number));
    if (is_old_answer && json_i64(root, "id", &number)) {
        look_up(job);
        return;
    }
    if (push_level(job, root, err))
        go_on(job);
    else
        finish(job, false);
}

/* ---- questions ----------------------------------------------------------------------------------------------------------------------- */

static void send_registration(struct job *job) ON(net)
{
    const struct registry_call *call = job->call;
    struct sbuf *body = &job->body;
    begin_url(job);
    sbuf_cstr(&job->url, "/subjects/");
    http_encode(&job->url, call->subject);
    sbuf_cstr(&job->url, call->normalize ? "/versions?normalize=true" : "/versions");
    sbuf_printf(body, "{\"schemaType\":\"%s\"", schema_kind_name(call->kind));
    struct str references = references_text(&job->call->arena, call->references, call->reference_count);
    if (references.p)
        sbuf_printf(body, ",\"references\":%.*s", STR_ARG(references));
    sbuf_cstr(body, ",\"schema\":");
    text_string(body, call->text);
    sbuf_char(body, '}');
    send_request(job);
}

static void ask(struct registry *registry, struct registry_call *call) ON(net)
{
    struct remote *r = remote_of(registry);
    struct job *job = mem_new(sizeof *job);
    arena_reset(&call->arena);
    job->remote = r;
    job->call = call;
    job->http.done = on_answer;
    job->http.arg = job;
    timer_init(&job->timer, on_timer);
    list_push_back(&r->jobs, &job->link);
    if (r->client == NULL && !http_client_new(r->pool, &r->client, &call->err)) {
        finish(job, false);
        return;
    }
    switch (call->what) {
    case REGISTRY_BY_ID:
        begin_url(job);
        sbuf_printf(&job->url, "/schemas/ids/%d", (int)call->id);
        if (call->subject.n > 0) {
            sbuf_cstr(&job->url, "?subject=");
            http_encode(&job->url, call->subject);
        }
        get(job, true);
        return;
    case REGISTRY_BY_GUID: {
        char text[GUID_TEXT + 1];
        guid_text(call->guid, text);
        begin_url(job);
        sbuf_printf(&job->url, "/schemas/guids/%s", text);
        get(job, true);
        return;
    }
    case REGISTRY_BY_VERSION: get_version(job, call->subject, call->version); return;
    case REGISTRY_REGISTER: send_registration(job); return;
    }
    UNREACHABLE("a question");
}

/* ---- its life ------------------------------------------------------------------------------------------------------------------------ */

/* What waits to be tried again is given up; what is on its way is waited for. */
static void end(struct registry *registry) ON(net)
{
    struct remote *r = remote_of(registry);
    struct list waiting, *link;
    list_init(&waiting);
    for (link = r->jobs.next; link != &r->jobs;) {
        struct job *job = CONTAINER_OF(link, struct job, link);
        link = link->next;
        if (timer_is_set(&job->timer)) {
            list_remove(&job->link);
            list_push_back(&waiting, &job->link);
        }
    }
    while ((link = list_pop_front(&waiting)) != NULL) {
        struct job *job = CONTAINER_OF(link, struct job, link);
        err_set(&job->call->err, ERR_RETRY, "the schema registry is ending");
        finish(job, false);
    }
    if (list_empty(&r->jobs))
        registry_ended(registry);
}

static void remote_free(struct registry *registry) UNSHARED
{
    struct remote *r = remote_of(registry);
    MAP_EACH(entry, &r->cache)
    mem_free(entry->value);
    map_fini(&r->cache);
}

static const struct registry_slots slots = {ask, end, remote_free};

bool registry_remote_new(struct pool *pool, struct loop *net, const struct registry_remote_options *options,
                         struct registry **registry, struct err *err) UNSHARED
{
    struct remote *r = pool_new_struct(pool, struct remote);
    struct str url = str_of(options->url);
    if (!str_starts(url, STR("http://")) && !str_starts(url, STR("https://")))
        return err_set(err, ERR_CONFIG, "\"%s\" is no URL of a schema registry", options->url);
    while (url.n > 0 && url.p[url.n - 1] == '/')
        url.n--;
    registry_init(&r->registry, &slots, net);
    r->pool = pool;
    r->options = *options;
    r->url = pool_printf(pool, "%.*s", STR_ARG(url));
    list_init(&r->jobs);
    *registry = &r->registry;
    return true;
}

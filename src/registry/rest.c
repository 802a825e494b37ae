/* One request: its path is taken apart, a context before it and aliases in it resolved, its route found, its answer sent when all that it may show is
 * durable. */
#include "registry/rest.h"

#include "base/utf8.h"
#include "registry/rest_private.h"
#include "registry/subject.h"
#include "schema/text.h"

#define CONTENT_TYPE "application/vnd.schemaregistry.v1+json"

struct registry_server {
    struct local *local;
    struct http_server *http;
};

/* ---- parameters ---------------------------------------------------------------------------------------------------------------- */

struct str rest_text(const struct rest *r, const char *name)
{
    run_on_net();
    return str_of(http_query(r->http, name));
}

bool rest_bool(const struct rest *r, const char *name)
{
    return str_eq_nocase(rest_text(r, name), STR("true"));
}

static bool refuse_not_found(struct work *w)
{
    return refuse(w, 404, "HTTP 404 Not Found");
}

bool rest_int(struct rest *r, const char *name, int32_t usual, int32_t *value)
{
    struct str text = rest_text(r, name);
    int64_t number;
    *value = usual;
    if (text.n == 0)
        return true;
    if (!str_to_i64(text, &number) || number < INT32_MIN || number > INT32_MAX)
        return refuse_not_found(&r->work);
    *value = (int32_t)number;
    return true;
}

bool rest_page(struct rest *r, int64_t max, struct rest_page *page)
{
    int32_t offset, limit;
    TRY(rest_int(r, "offset", 0, &offset));
    TRY(rest_int(r, "limit", -1, &limit));
    page->offset = offset < 0 ? 0 : offset;
    page->limit = limit > 0 && limit <= max ? limit : max;
    return true;
}

struct str rest_subject(struct rest *r)
{
    return subject_normal(r->work.arena, r->segments[r->segment_count > 1 ? 1 : 0]);
}

bool refuse_invalid_version(struct work *w, struct str version)
{
    return refuse(w, CODE_INVALID_VERSION,
                  "The specified version '%.*s' is not a valid version id. Allowed values are between [1, "
                  "2^31-1] and the string \"latest\"",
                  STR_ARG(version));
}

bool rest_version(struct rest *r, uint32_t i, int32_t *version)
{
    struct str text = str_trim(r->segments[i]);
    int64_t number;
    if (str_eq_nocase(text, STR("latest"))) {
        *version = REGISTRY_LATEST;
        return true;
    }
    if (!str_to_i64(text, &number) || number > INT32_MAX || (number <= 0 && number != REGISTRY_LATEST))
        return refuse_invalid_version(&r->work, r->segments[i]);
    *version = (int32_t)number;
    return true;
}

static bool refuse_body(struct work *w, const char *why)
{
    return refuse(w, 400, "%s", why);
}

static bool int_of(struct rest *r, const char *name, int32_t usual, int32_t *value)
{
    const struct json_node *node = json_member(r->body, str_of(name));
    int64_t number;
    *value = usual;
    if (node == NULL || node->kind == JSON_NULL)
        return true;
    if (!str_to_i64(node->text, &number) || number < INT32_MIN || number > INT32_MAX)
        return refuse(&r->work, 400, "Cannot deserialize value of \"%s\"", name);
    *value = (int32_t)number;
    return true;
}

static bool text_in(struct rest *r, const char *name, struct str *text)
{
    const struct json_node *node = json_member(r->body, str_of(name));
    *text = (struct str){0};
    if (node == NULL || node->kind == JSON_NULL)
        return true;
    *text = node->text;
    return node->kind == JSON_STRING || node->kind == JSON_NUMBER ||
           refuse(&r->work, 400, "Cannot deserialize value of \"%s\"", name);
}

static bool refuse_tags(struct rest *r, const char *name)
{
    return refuse(&r->work, 400, "Cannot deserialize value of \"%s\"", name);
}

/* {"schemaEntity": {"entityPath": …, "entityType": …}, "tags": […]} */
static bool read_tags(struct rest *r, const struct json_node *node, const char *name,
                      struct schema_tags *tags)
{
    const struct json_node *list = json_member(node, STR("tags"));
    struct str type;
    if (!json_str(node, "schemaEntity.entityPath", &tags->path) ||
        !json_str(node, "schemaEntity.entityType", &type) || list == NULL || list->kind != JSON_ARRAY)
        return refuse_tags(r, name);
    tags->is_field = str_is(type, "sr_field");
    tags->count = 0;
    if (!tags->is_field && !str_is(type, "sr_record"))
        return refuse_tags(r, name);
    struct str *words = arena_array(r->work.arena, struct str, list->count + 1);
    JSON_EACH(word, list)
    {
        if (word->kind != JSON_STRING)
            return refuse_tags(r, name);
        words[tags->count++] = word->text;
    }
    tags->tags = words;
    return true;
}

bool rest_tags(struct rest *r, const char *name, const struct schema_tags **tags, uint32_t *count)
{
    const struct json_node *node = json_member(r->body, str_of(name));
    *count = 0;
    if (node == NULL || node->kind == JSON_NULL)
        return true;
    if (node->kind != JSON_ARRAY)
        return refuse_tags(r, name);
    struct schema_tags *list = arena_array(r->work.arena, struct schema_tags, node->count + 1);
    JSON_EACH(item, node)
    TRY(read_tags(r, item, name, &list[(*count)++]));
    *tags = list;
    return true;
}

bool rest_wanted(struct rest *r, struct str subject, struct wanted *wanted)
{
    struct arena *arena = r->work.arena;
    struct err err;
    *wanted = (struct wanted){.subject = subject};
    TRY(text_in(r, "schema", &wanted->text));
    TRY(text_in(r, "schemaType", &wanted->type));
    TRY(int_of(r, "id", -1, &wanted->id));
    TRY(int_of(r, "version", 0, &wanted->version));
    TRY(rest_tags(r, "schemaTagsToAdd", &wanted->retag.add, &wanted->retag.add_count));
    TRY(rest_tags(r, "schemaTagsToRemove", &wanted->retag.remove, &wanted->retag.remove_count));
    json_bool(r->body, "propagateSchemaTags", &wanted->propagates_tags);
    if (!references_parse(arena, json_member(r->body, STR("references")), &wanted->references,
                          &wanted->reference_count, &err) ||
        !metadata_text(arena, json_member(r->body, STR("metadata")), &wanted->metadata, &err) ||
        !rules_text(arena, json_member(r->body, STR("ruleSet")), &wanted->rules, &err))
        return refuse_body(&r->work, err.text);
    return true;
}

bool rest_normalizes(struct rest *r, struct str subject)
{
    struct config config;
    if (rest_bool(r, "normalize"))
        return true;
    config_in_scope(&r->work, subject, &config);
    return config_is_true(&config, CONFIG_NORMALIZE);
}

/* ---- schemas in answers -------------------------------------------------------------------------------------------------------- */

static void show_references(struct rest *r, const struct shown *shown, bool qualified)
{
    const struct registry_reference *references;
    uint32_t count;
    struct str text = shown->references;
    if (text.p == NULL)
        return;
    if (qualified && !str_is(subject_split(shown->subject).context, ".")) {
        references_read(r->work.arena, text, &references, &count);
        struct registry_reference *whole = arena_array(r->work.arena, struct registry_reference, count);
        for (uint32_t i = 0; i < count; i++) {
            whole[i] = references[i];
            whole[i].subject = subject_beside(r->work.arena, shown->subject, references[i].subject);
        }
        text = references_text(r->work.arena, whole, count);
    }
    sbuf_printf(&r->out, ",\"references\":%.*s", STR_ARG(text));
}

void rest_show(struct rest *r, const struct shown *shown, unsigned what)
{
    struct sbuf *out = &r->out;
    char guid[GUID_TEXT + 1];
    guid_text(shown->md5, guid);
    if (what & SHOW_SUBJECT) {
        sbuf_cstr(out, "\"subject\":");
        text_string(out, shown->subject);
        sbuf_char(out, ',');
    }
    if (what & SHOW_VERSION && shown->version != 0)
        sbuf_printf(out, "\"version\":%d,", (int)shown->version);
    if (what & SHOW_ID)
        sbuf_printf(out, "\"id\":%d,", (int)shown->id);
    sbuf_printf(out, "\"guid\":\"%s\",\"schemaType\":\"%s\"", guid, schema_kind_name(shown->kind));
    show_references(r, shown, what & SHOW_QUALIFIED);
    if (shown->metadata.p)
        sbuf_printf(out, ",\"metadata\":%.*s", STR_ARG(shown->metadata));
    if (shown->rules.p)
        sbuf_printf(out, ",\"ruleSet\":%.*s", STR_ARG(shown->rules));
    sbuf_cstr(out, ",\"schema\":");
    text_string(out, shown->text);
    if (shown->tags.p)
        sbuf_printf(out, ",\"schemaTags\":%.*s", STR_ARG(shown->tags));
    if (shown->is_stored)
        sbuf_printf(out, ",\"ts\":%lld,\"deleted\":%s", (long long)shown->timestamp_ms,
                    shown->deleted ? "true" : "false");
}

struct words {
    struct arena *arena;
    struct str *items;
    size_t count, capacity;
};

static void add_word(void *arg, const char *value)
{
    struct words *words = arg;
    if (words->count == words->capacity) {
        struct str *before = words->items;
        words->capacity = words->capacity ? 2 * words->capacity : 8;
        words->items = arena_array(words->arena, struct str, words->capacity);
        if (words->count > 0)
            memcpy(words->items, before, words->count * sizeof *before);
    }
    words->items[words->count++] = str_of(value ? value : "");
}

bool rest_find_tags(struct rest *r, struct shown *shown)
{
    struct words words = {.arena = r->work.arena};
    run_on_net();
    http_query_each(r->http, "findTags", add_word, &words);
    return words.count == 0 || find_tags(&r->work, shown, words.items, words.count);
}

bool rest_format(struct rest *r, struct shown *shown)
{
    return format_text(&r->work, shown, rest_text(r, "format"), &shown->text);
}

/* ---- paths --------------------------------------------------------------------------------------------------------------------- */

static int hex_value(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
}

static struct str decode(struct arena *arena, struct str text)
{
    char *out = arena_alloc(arena, text.n + 1);
    size_t n = 0;
    for (size_t i = 0; i < text.n; i++) {
        int high = text.p[i] == '%' && i + 2 < text.n ? hex_value(text.p[i + 1]) : -1,
            low = high >= 0 ? hex_value(text.p[i + 2]) : -1;
        if (low >= 0)
            i += 2;
        out[n++] = low >= 0 ? (char)(high * 16 + low) : text.p[i];
    }
    out[n] = '\0';
    return str_n(out, n);
}

static bool split_path(struct rest *r, struct str path)
{
    size_t at = 0;
    while (at < path.n) {
        size_t end = str_find(path, STR("/"), at);
        end = end == SIZE_MAX ? path.n : end;
        if (end > at) {
            if (r->segment_count == REST_SEGMENTS_MAX)
                return refuse_not_found(&r->work);
            r->segments[r->segment_count++] = decode(r->work.arena, str_n(path.p + at, end - at));
        }
        at = end + 1;
    }
    return true;
}

static bool starts_with_context(struct str text)
{
    return str_starts(text, STR(":.")) || str_starts(text, STR(":*:"));
}

static struct str in_context(struct rest *r, struct str text)
{
    if (starts_with_context(text) || r->context.n == 0)
        return text;
    return str_of(arena_printf(r->work.arena, "%.*s%.*s", STR_ARG(r->context), STR_ARG(text)));
}

static void add_segment(struct rest *r, struct str segment)
{
    if (r->segment_count < REST_SEGMENTS_MAX)
        r->segments[r->segment_count++] = segment;
}

/* "/contexts/CTX/subjects/S" is "/subjects/:.CTX:S", and so on. */
static bool resolve_context(struct rest *r)
{
    if (r->segment_count < 2 || !str_is(r->segments[0], "contexts"))
        return true;
    struct str given = r->segments[1];
    if (!subject_context_prefix(r->work.arena, given, &r->context))
        return refuse(&r->work, 400, "Context name '%.*s' cannot contain a colon", STR_ARG(given));
    r->segment_count -= 2;
    memmove(r->segments, r->segments + 2, r->segment_count * sizeof *r->segments);
    if (r->segment_count == 0) {
        add_segment(r, STR("contexts"));
        if (r->context.n > 0)
            add_segment(r, r->context);
        return true;
    }
    bool is_setting = str_is(r->segments[0], "config") || str_is(r->segments[0], "mode");
    if (is_setting && r->segment_count == 1 && r->context.n > 0)
        add_segment(r, r->context);
    else if (is_setting && r->segment_count > 1)
        r->segments[1] = in_context(r, r->segments[1]);
    for (uint32_t i = 0; i + 1 < r->segment_count; i++)
        if (str_is(r->segments[i], "subjects")) {
            r->segments[i + 1] = in_context(r, r->segments[i + 1]);
            break;
        }
    return true;
}

/* The subject that another one is an alias of. */
static struct str resolve_alias(struct rest *r, struct str subject)
{
    struct config config;
    if (subject.n == 0 || !config_of(&r->work, subject, &config) || config.fields[CONFIG_ALIAS].n == 0)
        return subject;
    return subject_beside(r->work.arena, subject, config.fields[CONFIG_ALIAS]);
}

static void resolve_aliases(struct rest *r)
{
    for (uint32_t i = 0; i + 1 < r->segment_count; i++)
        if (str_is(r->segments[i], "subjects")) {
            r->segments[i + 1] = resolve_alias(r, r->segments[i + 1]);
            return;
        }
}

/* ---- routes -------------------------------------------------------------------------------------------------------------------- */

static const struct rest_route *const tables[] = {rest_subject_routes, rest_schema_routes,
                                                  rest_compatibility_routes, rest_setting_routes,
                                                  rest_server_routes};

static bool matches(const struct rest *r, const char *path)
{
    uint32_t i = 0;
    struct str rest = str_of(path);
    while (rest.n > 0) {
        size_t end = str_find(rest, STR("/"), 0);
        struct str part = end == SIZE_MAX ? rest : str_n(rest.p, end);
        if (i == r->segment_count || (!str_is(part, "*") && !str_eq(part, r->segments[i])))
            return false;
        i++;
        rest = end == SIZE_MAX ? str_n("", 0) : str_n(rest.p + end + 1, rest.n - end - 1);
    }
    return i == r->segment_count;
}

static const struct rest_route *find_route(struct rest *r)
{
    bool is_path = false;
    const char *method = strcmp(r->method, "HEAD") == 0 ? "GET" : r->method;
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
        for (const struct rest_route *route = tables[i]; route->path; route++)
            if (matches(r, route->path)) {
                if (strcmp(route->method, method) == 0)
                    return route;
                is_path = true;
            }
    if (is_path)
        refuse(&r->work, 405, "HTTP 405 Method Not Allowed");
    else
        refuse_not_found(&r->work);
    return NULL;
}

/* Of answers, the most wanted first; requests may have any of them, or octets. */
static const char *const media_types[] = {CONTENT_TYPE, "application/vnd.schemaregistry+json",
                                          "application/json"};
enum { MEDIA_TYPES = sizeof media_types / sizeof *media_types };

/* What stands before the separator; *rest: what stands behind it. */
static struct str cut_at(struct str text, struct str separator, struct str *rest)
{
    size_t at = str_find(text, separator, 0);
    *rest = at == SIZE_MAX ? STR("") : str_n(text.p + at + 1, text.n - at - 1);
    return str_trim(at == SIZE_MAX ? text : str_n(text.p, at));
}

static bool is_media_type(struct str type)
{
    struct str parameters;
    type = cut_at(type, STR(";"), &parameters);
    for (size_t i = 0; i < MEDIA_TYPES; i++)
        if (str_eq_nocase(type, str_of(media_types[i])))
            return true;
    return str_eq_nocase(type, STR("application/octet-stream"));
}

/* The parameter q of one range of Accept: 0 to 1. */
static double quality_of(struct str parameters)
{
    double q = 1;
    while (parameters.n > 0) {
        struct str one = cut_at(parameters, STR(";"), &parameters);
        if (str_starts(one, STR("q=")))
            str_to_f64(str_n(one.p + 2, one.n - 2), &q);
    }
    return q;
}

/* The type of the answer that the client likes best, by RFC 9110, 12.5.1; NULL: it takes none of ours. */
static const char *negotiate(struct str accept)
{
    const char *best = NULL;
    double best_quality = 0;
    for (size_t i = 0; i < MEDIA_TYPES; i++) {
        for (struct str left = accept; left.n > 0;) {
            struct str parameters, range = cut_at(cut_at(left, STR(","), &left), STR(";"), &parameters);
            double quality = quality_of(parameters);
            if (quality > best_quality &&
                (str_eq_nocase(range, str_of(media_types[i])) || str_eq(range, STR("*/*")) ||
                 str_eq_nocase(range, STR("application/*")) || str_eq(range, STR("*")))) {
                best = media_types[i];
                best_quality = quality;
            }
        }
    }
    return best;
}

static bool read_body(struct rest *r, const struct rest_route *route) ON(net)
{
    struct str type = str_of(http_header(r->http, "Content-Type")),
               accept = str_of(http_header(r->http, "Accept"));
    struct err err;
    if (accept.n > 0 && (r->content_type = negotiate(accept)) == NULL)
        return refuse(&r->work, 406, "HTTP 406 Not Acceptable");
    if (!route->has_body)
        return true;
    if (type.n > 0 && !is_media_type(type))
        return refuse(&r->work, 415, "HTTP 415 Unsupported Media Type");
    if (r->http->body.n > REST_BODY_MAX)
        return refuse(&r->work, 413, "HTTP 413 Request Entity Too Large");
    if (r->http->body.n == 0)
        return refuse(&r->work, 422, "The request body must not be null");
    if (!utf8_valid(r->http->body.p, r->http->body.n))
        return refuse_body(&r->work, "Invalid UTF-8");
    if (!json_parse(r->work.arena, r->http->body, &r->body, &err))
        return refuse_body(&r->work, err.text);
    if (r->body->kind != JSON_OBJECT)
        return refuse_body(&r->work, "Cannot deserialize the request: it is no object");
    return true;
}

static bool serve(struct rest *r) ON(net)
{
    TRY(split_path(r, str_of(r->http->raw_path)));
    TRY(resolve_context(r));
    resolve_aliases(r);
    const struct rest_route *route = find_route(r);
    if (route == NULL)
        return false;
    TRY(read_body(r, route));
    TRY(route->handle(r));
    return r->work.entry_count == 0 || local_write(r->local, &r->work);
}

/* ---- answers ------------------------------------------------------------------------------------------------------------------- */

static void write_refusal(struct http_response *response, int code, struct str message)
{
    response->status = code < 1000 ? code : code / 100;
    sbuf_clear(&response->body);
    sbuf_printf(&response->body, "{\"error_code\":%d,\"message\":", code);
    text_string(&response->body, message);
    sbuf_char(&response->body, '}');
}

struct waiting {
    struct local_wait wait;
    struct http_later *later;
    struct http_response response;
};

static void answer_later(struct local_wait *wait, bool ok)
{
    struct waiting *waiting = CONTAINER_OF(wait, struct waiting, wait);
    run_on_net();
    if (!ok)
        write_refusal(&waiting->response, CODE_STORE, STR("The operation failed while writing to the store"));
    http_answer(waiting->later, &waiting->response);
    mem_free(waiting);
}

static void handle(const struct http_request *request, struct http_response *response) ON(net)
{
    struct registry_server *server = request->arg;
    struct arena arena = {0};
    struct rest r = {.http = request, .local = server->local, .method = request->method, .status = 200};
    run_on_net();
    local_look(server->local);
    r.work = (struct work){.state = local_state(server->local), .arena = &arena};
    bool is_served = serve(&r);
    response->content_type = r.content_type ? r.content_type : CONTENT_TYPE;
    if (is_served) {
        response->status = r.status;
        response->body = r.out;
    } else {
        response->body = r.out;
        write_refusal(response, r.work.code, r.work.message);
    }
    arena_fini(&arena);
    if (local_is_settled(server->local))
        return;
    struct waiting *waiting = mem_new(sizeof *waiting);
    waiting->wait.done = answer_later;
    waiting->later = http_later(request);
    waiting->response = *response;
    response->body = (struct sbuf){0};
    local_wait(server->local, &waiting->wait);
}

static const struct http_route routes[] = {{NULL, "/*", handle}, {0}};

bool registry_server_start(struct pool *pool, struct registry *registry, const char *address,
                           struct registry_server **server, struct err *err) UNSHARED
{
    struct registry_server *s = pool_new_struct(pool, struct registry_server);
    s->local = local_of(registry);
    *server = s;
    return http_server_start(pool, local_net(s->local), address, routes, s, &s->http, err);
}

const char *registry_server_address(const struct registry_server *server)
{
    return http_server_address(server->http);
}

void registry_server_stop(struct registry_server *server) UNSHARED
{
    if (server)
        http_server_stop(server->http);
}

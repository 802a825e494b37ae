/* HTTP: rows from an API's answers.
 *
 * What can be replayed is exactly once. The position is stored with the rows, as a small JSON object:
 *
 *     cursor   {"cursor": "1234"}              the value of `field` in the last row taken; asked for as ?param=1234
 *     page     {"page": 3, "seen": 12}         rows 0 … 11 of page 3 are taken; the next page counts once it has a row and page 3
 *                                              was read again after that: rows may have come to it meanwhile
 *     next     {"url": "…", "seen": 12}        the same along the links of the answers
 *     none     {"answers": 7}                  each whole answer once, or not at all
 *
 * An answer counts when it is whole and says what was asked for: status 200 to 299, JSON, no "error" in the place of rows, the rows where
 * `rows` says. Everything else is a failure: reported, and tried again with growing pauses, or when the server says. An API without a position that
 * answers with no row at all has failed too: such outages come with status 200. */
#include <stdio.h>

#include "base/utf8.h"
#include "format/json.h"
#include "http/client.h"
#include "source/source.h"
#include "json/tree.h"

enum {
    BACKOFF_MIN_MS = 500,
    BACKOFF_MAX_MS = 60000,
};

struct http_basic {
    const char *user, *password;
};
struct http_auth {
    struct http_basic *basic;
    const char *bearer;
};
struct http_cursor {
    const char *field, *param, *start;
};
struct http_page {
    const char *param;
    int64_t from;
};
struct http_options {
    const char *url, *method, *rows, *body;
    struct conf_map query, headers;
    struct http_auth *auth;
    int64_t every_ms, timeout_ms;
    uint64_t retries;
    uint64_t limit;
    struct http_cursor *cursor;
    struct http_page *page;
    const char *next;
};

enum http_way { WAY_ANSWERS, WAY_CURSOR, WAY_PAGES, WAY_LINKS };

struct http_source {
    struct source *source;
    enum http_way way;
    struct http_client *client;
    struct http_call call OWNED_BY(net);
    struct sbuf url;
    const char *base; /* the URL without our parameters */
    struct timer timer OWNED_BY(net);
    bool in_flight, answered; /* a call is out; one came back and was not looked at */
    bool due;                 /* the next call may go out */
    bool finished;            /* `run`: nothing more to ask */
    uint32_t tries;           /* failures in a row */

    /* position: durable or handed out */
    struct sbuf cursor;
    int64_t page;
    struct sbuf link; /* "" = the first */
    uint64_t seen, answers;
    bool looking_ahead; /* this call asks for the page or link after the one that is taken */
    bool complete;      /* pages: no row can come to this one any more */
    bool completing;    /* pages: this call asks for the page again, since the next one has rows */
    uint64_t page_size; /* pages: rows of a complete one; 0 = not known yet */
    size_t first_new;   /* of `rows`: those before it were taken earlier */
    struct sbuf ahead;  /* the link it asks for */

    struct str *rows;
    size_t row_capacity;
    struct sbuf position;
    const char *headers[HTTP_HEADERS_MAX]; /* "Name: value" [header_count] */
    uint32_t header_count;
};

/* ---- the request --------------------------------------------------------------------------------------------------- */

static void add_param(struct http_source *h, const char *name, struct str value) ON(net)
{
    sbuf_char(&h->url, str_find(sbuf_view(&h->url), STR("?"), 0) == SIZE_MAX ? '?' : '&');
    http_encode(&h->url, str_of(name));
    sbuf_char(&h->url, '=');
    http_encode(&h->url, value);
}

static void make_url(struct http_source *h) ON(net)
{
    const struct http_options *o = h->source->options;
    char number[32];
    const struct sbuf *link = h->looking_ahead ? &h->ahead : &h->link;
    sbuf_clear(&h->url);
    if (h->way == WAY_LINKS && link->n) {
        sbuf_str(&h->url, sbuf_view(link));
        return;
    }
    sbuf_cstr(&h->url, h->base);
    for (uint32_t i = 0; i < o->query.count; i++)
        add_param(h, o->query.keys[i], str_of(((const char **)o->query.items)[i]));
    if (h->way == WAY_CURSOR && h->cursor.n)
        add_param(h, o->cursor->param, sbuf_view(&h->cursor));
    if (h->way == WAY_PAGES) {
        int n = snprintf(number, sizeof number, "%lld", (long long)(h->page + h->looking_ahead));
        add_param(h, o->page->param, str_n(number, (size_t)n));
    }
}

static void on_done(struct http_call *call) ON(net)
{
    struct http_source *h = call->arg;
    h->in_flight = false;
    h->answered = true;
    task_wake(h->source->task);
}

/* Links of an answer may lead to another host: it gets no credentials of ours. */
static bool is_foreign(struct http_source *h) ON(net)
{
    struct conf_url ours, theirs;
    struct arena arena = {0};
    bool same = conf_url_parse(&arena, h->base, &ours, NULL) &&
                conf_url_parse(&arena, h->url.p, &theirs, NULL) && ours.host && theirs.host &&
                strcmp(ours.scheme, theirs.scheme) == 0 && strcmp(ours.host, theirs.host) == 0 &&
                ours.port == theirs.port;
    arena_fini(&arena);
    return !same;
}

static void ask(struct http_source *h) ON(net)
{
    const struct http_options *o = h->source->options;
    make_url(h);
    bool ours = !is_foreign(h);
    h->call.method = o->method && strcmp(o->method, "GET") != 0 ? o->method : NULL;
    h->call.url = h->url.p;
    h->call.header_count = ours ? h->header_count : 0;
    memcpy(h->call.headers, h->headers, sizeof h->headers);
    h->call.user = ours && o->auth && o->auth->basic ? o->auth->basic->user : NULL;
    h->call.password = ours && o->auth && o->auth->basic ? o->auth->basic->password : NULL;
    h->call.bearer = ours && o->auth ? o->auth->bearer : NULL;
    h->call.body = o->body ? str_of(o->body) : (struct str){0};
    h->call.timeout_ms = o->timeout_ms;
    h->call.answer_max = o->limit;
    h->call.done = on_done;
    h->call.arg = h;
    h->in_flight = true;
    h->due = false;
    h->source->health.last_try = os_wall();
    http_send(h->client, &h->call);
}

static void wait_ms(struct http_source *h, int64_t ms) ON(net)
{
    h->source->health.next_try = (struct wall_time){os_wall().us + ms * US_PER_MS};
    timer_set_in(&h->timer, ms * NS_PER_MS);
}

static void on_timer(struct timer *timer) ON(net)
{
    struct http_source *h = CONTAINER_OF(timer, struct http_source, timer);
    h->due = true;
    h->source->health.note[0] = '\0';
    task_wake(h->source->task);
}

/* ---- the answer ------------------------------------------------------------------------------------------------------ */

/* Pauses grow by two from half a second, with up to a quarter of jitter; the server's own word counts more. */
static void back_off(struct http_source *h) ON(net)
{
    uint32_t jitter;
    int64_t ms = BACKOFF_MIN_MS;
    for (uint32_t i = 1; i < h->tries && ms < BACKOFF_MAX_MS; i++)
        ms *= 2;
    if (ms > BACKOFF_MAX_MS)
        ms = BACKOFF_MAX_MS;
    os_random(&jitter, sizeof jitter);
    ms += (int64_t)(jitter % (uint32_t)(ms / 4 + 1));
    if (h->call.retry_after_ms >= 0) {
        ms = h->call.retry_after_ms > ms ? h->call.retry_after_ms : ms;
        snprintf(h->source->health.note, sizeof h->source->health.note,
                 "waiting %lld s, as the server asked (%d)", (long long)(ms + 999) / 1000, h->call.status);
    }
    wait_ms(h, ms);
}

static enum source_status failed(struct http_source *h, struct err *err) ON(net)
{
    const struct http_options *o = h->source->options;
    h->looking_ahead = h->completing = false;
    h->tries++;
    if (h->source->once && h->tries > o->retries) {
        err->class = ERR_FATAL;
        return SOURCE_FAILED;
    }
    if (err->class != ERR_FATAL)
        err->class = ERR_RETRY;
    back_off(h);
    return SOURCE_FAILED;
}

/* The first value under a path of the answer, raw; false: there is none, or the answer is no JSON. */
static bool find_value(struct str answer, const char *path, struct str *value)
{
    struct json_split split;
    struct err err;
    json_split_init(&split, str_of(path), JSON_RECORD_MAX);
    return json_split_next(&split, answer, true, value, &err) == JSON_SPLIT_RECORD;
}

static bool bad_status(struct http_source *h, struct err *err) ON(net)
{
    struct str text = str_trim(sbuf_view(&h->call.answer));
    if (text.n > 120)
        text.n = utf8_offset(text.p, text.n < 600 ? text.n : 600, 120);
    return err_set(err, ERR_RETRY, "the server answered with status %d%s%.*s", h->call.status,
                   text.n ? ": " : "", STR_ARG(text));
}

static bool add_row(struct http_source *h, size_t *count, struct str row, struct err *err) ON(net)
{
    struct str inner = row.n >= 2 && row.p[0] == '{' ? str_trim(str_n(row.p + 1, row.n - 2)) : row;
    if (inner.n == 0) { /* {}: what an API gives for fields that it does not know */
        h->source->health.bad++;
        return true;
    }
    if (*count == SOURCE_ROWS_MAX)
        return err_set(err, ERR_RETRY, "the answer holds more than %d rows", SOURCE_ROWS_MAX) ||
               err_hint(err, "Ask for less at once.");
    h->rows = mem_grow(h->rows, &h->row_capacity, *count + 1, sizeof *h->rows);
    h->rows[(*count)++] = row;
    return true;
}

static bool no_json(const struct http_source *h, struct err *err) ON(net)
{
    return err_context(err, "the answer is no whole JSON document%s%s",
                       h->call.content_type[0] ? ", but " : "", h->call.content_type);
}

/* The splitter looks for rows and crosses what stands around them. Pages for people, and what follows after a document, are seen here. */
static bool looks_like_json(struct str text, bool object)
{
    if (text.n >= 3 && memcmp(text.p, "\xEF\xBB\xBF", 3) == 0)
        text = str_n(text.p + 3, text.n - 3);
    char first = text.n ? text.p[0] : '\0', last = text.n ? text.p[text.n - 1] : '\0';
    return (first == '{' && last == '}') || (!object && first == '[' && last == ']');
}

/* What an answer without rows says under "error", if that is anything. */
static bool find_error(struct str answer, struct err *err)
{
    static const char *const nothing[] = {"null", "false", "\"\"", "0", "{}", "[]"};
    struct str message;
    if (!find_value(answer, "error", &message))
        return false;
    for (size_t i = 0; i < sizeof nothing / sizeof *nothing; i++)
        if (str_is(message, nothing[i]))
            return false;
    message.n = message.n > 200 ? 200 : message.n;
    err_set(err, ERR_RETRY, "the server says: %.*s", STR_ARG(message));
    return true;
}

/* What stands at `rows` is one value: a row, unless it is no object. */
static bool is_row(const struct http_source *h, struct str value, struct err *err)
{
    const struct http_options *o = h->source->options;
    const char *what = value.p[0] == '"'                        ? "a text"
                       : value.p[0] == 't' || value.p[0] == 'f' ? "a boolean"
                                                                : "a number";
    if (value.p[0] == '{')
        return true;
    err_set(err, ERR_RETRY, "the answer has %s at \"%s\", not rows: %.*s", what, o->rows ? o->rows : "",
            value.n > 100 ? 100 : (int)value.n, value.p);
    return err_hint(err, "`rows` says where in the answer the rows are: a list of objects, or one object.");
}

/* All rows of the answer into h->rows. total counts empty ones too. */
static bool split_rows(struct http_source *h, size_t *count, uint64_t *total, struct err *err) ON(net)
{
    const struct http_options *o = h->source->options;
    struct str answer = sbuf_view(&h->call.answer), row;
    struct json_split split;
    size_t at = 0;
    *count = 0;
    *total = 0;
    h->first_new = 0;
    if (str_trim(answer).n == 0)
        return h->call.status == 204 || /* No Content */
               err_set(err, ERR_RETRY, "the answer (status %d) is empty", h->call.status);
    if (!looks_like_json(str_trim(answer), o->rows != NULL))
        return err_set(err, ERR_RETRY, "it does not begin and end as one does") || no_json(h, err);
    json_split_init(&split, str_of(o->rows ? o->rows : ""), JSON_RECORD_MAX);
    for (;;) {
        struct str window = str_n(answer.p + at, answer.n - at);
        enum json_split_result result = json_split_next(&split, window, true, &row, err);
        at += split.used;
        if (result == JSON_SPLIT_BAD)
            return no_json(h, err);
        if (result != JSON_SPLIT_RECORD)
            break;
        if (str_is(row, "null")) /* how some write an empty list */
            continue;
        TRY(!split.single || is_row(h, row, err));
        TRY(add_row(h, count, row, err));
        if (!h->looking_ahead && *total < h->seen)
            h->first_new = *count;
        ++*total;
    }
    if (*total > 0)
        return true;
    if (find_error(answer, err))
        return false;
    if (o->rows && !split.found)
        return err_set(err, ERR_RETRY, "the answer has nothing at \"%s\"", o->rows) ||
               err_hint(err, "`rows` says where in the answer the rows are.");
    return true;
}

static void write_position(struct http_source *h) ON(net)
{
    struct sbuf *p = &h->position;
    sbuf_clear(p);
    switch (h->way) {
    case WAY_ANSWERS: sbuf_printf(p, "{\"answers\":%llu}", (unsigned long long)h->answers); break;
    case WAY_CURSOR:
        sbuf_cstr(p, "{\"cursor\":");
        sbuf_json(p, sbuf_view(&h->cursor));
        sbuf_char(p, '}');
        break;
    case WAY_PAGES:
        sbuf_printf(p, "{\"page\":%lld,\"seen\":%llu}", (long long)h->page, (unsigned long long)h->seen);
        break;
    case WAY_LINKS:
        sbuf_cstr(p, "{\"url\":");
        sbuf_json(p, sbuf_view(&h->link));
        sbuf_printf(p, ",\"seen\":%llu}", (unsigned long long)h->seen);
        break;
    }
}

static enum source_status give(struct http_source *h, const struct str *rows, size_t count,
                               struct source_rows *out) ON(net)
{
    write_position(h);
    *out = (struct source_rows){
        .values = rows, .count = (uint32_t)count, .position = sbuf_view(&h->position)};
    return SOURCE_ROWS;
}

/* The round is over: the next after `every`, or in `run` never. */
static enum source_status rest(struct http_source *h) ON(net)
{
    const struct http_options *o = h->source->options;
    h->looking_ahead = h->completing = false;
    h->source->health.failing = false; /* an answer without news is a good one here */
    if (h->source->once) {
        h->finished = true;
        return SOURCE_END;
    }
    wait_ms(h, o->every_ms);
    return SOURCE_IDLE;
}

/* The cursor's value in a row. */
static bool find_cursor(struct http_source *h, struct arena *arena, struct str text, struct str *value,
                        struct err *err) ON(net)
{
    const struct http_options *o = h->source->options;
    const struct json_node *row;
    TRY(json_parse(arena, text, &row, err));
    if (json_text(row, o->cursor->field, value))
        return true;
    return err_set(err, ERR_RETRY, "a row has no value at \"%s\", which is to be the cursor",
                   o->cursor->field);
}

/* Rows up to the one where we stand were taken earlier: some APIs give rows from a value on, not after it, and one that does not know the parameter
 * gives all. Texts are compared before anything is parsed. */
static bool pass_known_rows(struct http_source *h, size_t count, struct err *err) ON(net)
{
    struct arena arena = {0};
    struct str cursor = sbuf_view(&h->cursor), value;
    bool ok = true;
    for (size_t i = count; ok && cursor.n && h->first_new == 0 && i > 0; i--) {
        if (str_find(h->rows[i - 1], cursor, 0) == SIZE_MAX)
            continue;
        arena_reset(&arena);
        ok = find_cursor(h, &arena, h->rows[i - 1], &value, err);
        if (ok && str_eq(value, cursor))
            h->first_new = i;
    }
    arena_fini(&arena);
    return ok;
}

/* The cursor moves to the last row. */
static bool move_cursor(struct http_source *h, size_t count, struct err *err) ON(net)
{
    struct arena arena = {0};
    struct str value;
    bool ok = find_cursor(h, &arena, h->rows[count - 1], &value, err);
    if (ok) {
        sbuf_clear(&h->cursor);
        sbuf_str(&h->cursor, value);
    }
    arena_fini(&arena);
    return ok;
}

static enum source_status take_answer_whole(struct http_source *h, size_t count, struct source_rows *out,
                                            struct err *err) ON(net)
{
    if (count == 0) {
        err_set(err, ERR_RETRY, "the answer (status %d) holds no row", h->call.status);
        return failed(h, err);
    }
    h->tries = 0;
    h->answers++;
    if (h->source->once)
        h->finished = true;
    else
        wait_ms(h, ((const struct http_options *)h->source->options)->every_ms);
    return give(h, h->rows, count, out);
}

static enum source_status take_after_cursor(struct http_source *h, size_t count, struct source_rows *out,
                                            struct err *err) ON(net)
{
    if (!pass_known_rows(h, count, err))
        return failed(h, err);
    size_t first = h->first_new;
    if (count > first && !move_cursor(h, count, err))
        return failed(h, err);
    h->tries = 0;
    if (count == first)
        return rest(h);
    h->due = true; /* there may be more at once */
    return give(h, h->rows + first, count - first, out);
}

/* The next link of the answer as an absolute URL in h->ahead; empty when there is none. */
static bool find_link(struct http_source *h) ON(net)
{
    const struct http_options *o = h->source->options;
    struct str raw;
    struct arena arena = {0};
    const struct json_node *node;
    sbuf_clear(&h->ahead);
    if (find_value(sbuf_view(&h->call.answer), o->next, &raw) && json_parse(&arena, raw, &node, NULL) &&
        node->kind == JSON_STRING && node->text.n > 0)
        http_resolve(&h->ahead, h->url.p, node->text);
    arena_fini(&arena);
    return h->ahead.n > 0 &&
           !str_is(sbuf_view(&h->ahead), h->url.p); /* some APIs' last answer leads to itself */
}

/* The page or link that was asked for ahead is where we are now. */
static void step(struct http_source *h) ON(net)
{
    h->page++;
    sbuf_clear(&h->link);
    sbuf_str(&h->link, sbuf_view(&h->ahead));
    h->seen = 0;
    h->complete = false;
}

/* Pages: is this one complete? It is when it was read after the next one had rows, or when it is as long as such a one. */
static void judge_page(struct http_source *h, uint64_t total) ON(net)
{
    if (h->completing && total > h->page_size)
        h->page_size = total;
    h->complete = h->completing || (h->page_size > 0 && total >= h->page_size);
    h->completing = false;
}

static bool lost_rows(struct http_source *h, uint64_t total, struct err *err) ON(net)
{
    err_set(err, ERR_RETRY, "the answer holds %llu rows, and held %llu", (unsigned long long)total,
            (unsigned long long)h->seen);
    return err_hint(err, "`page` and `next` are for APIs that only add rows.");
}

/* Pages and links: first what is new on the one we are on, then a look at the one after it. */
static enum source_status take_step(struct http_source *h, size_t count, uint64_t total,
                                    struct source_rows *out, struct err *err) ON(net)
{
    if (h->looking_ahead && total == 0) {
        h->tries = 0;
        return rest(h);
    }
    if (h->looking_ahead && h->way == WAY_PAGES && !h->complete) {
        h->looking_ahead = false;
        h->completing = true;
        ask(h);
        return SOURCE_IDLE;
    }
    if (h->looking_ahead)
        step(h);
    else if (total < h->seen) {
        lost_rows(h, total, err);
        return failed(h, err);
    }
    h->tries = 0;
    size_t first = h->first_new;
    h->seen = total;
    judge_page(h, total);
    bool has_next = h->way == WAY_PAGES ? total > 0 : find_link(h);
    h->looking_ahead = has_next;
    h->due = has_next;
    if (count > first) {
        if (!has_next && h->source->once)
            h->finished = true;
        else if (!has_next)
            wait_ms(h, ((const struct http_options *)h->source->options)->every_ms);
        return give(h, h->rows + first, count - first, out);
    }
    if (!has_next)
        return rest(h);
    ask(h);
    return SOURCE_IDLE;
}

static enum source_status take_answer(struct http_source *h, struct source_rows *out, struct err *err) ON(net)
{
    size_t count;
    uint64_t total;
    h->answered = false;
    if (!h->call.ok) {
        *err = h->call.err;
        return failed(h, err);
    }
    if (h->looking_ahead && h->call.status == 404) /* how some say that there is no such page yet */
        return rest(h);
    if (h->call.status < 200 || h->call.status > 299) {
        bad_status(h, err);
        return failed(h, err);
    }
    if (!split_rows(h, &count, &total, err))
        return failed(h, err);
    switch (h->way) {
    case WAY_ANSWERS: return take_answer_whole(h, count, out, err);
    case WAY_CURSOR: return take_after_cursor(h, count, out, err);
    case WAY_PAGES:
    case WAY_LINKS: return take_step(h, count, total, out, err);
    }
    UNREACHABLE("way");
}

/* ---- the slots ---------------------------------------------------------------------------------------------------------- */

static void load_position(struct http_source *h, struct str text) ON(net)
{
    struct arena arena = {0};
    const struct json_node *node;
    struct str value;
    if (json_parse(&arena, text, &node, NULL)) {
        if (json_str(node, "cursor", &value))
            sbuf_str(&h->cursor, value);
        if (json_str(node, "url", &value))
            sbuf_str(&h->link, value);
        json_i64(node, "page", &h->page);
        json_u64(node, "seen", &h->seen);
        json_u64(node, "answers", &h->answers);
    }
    arena_fini(&arena);
}

static bool http_open(struct source *source, const struct source_position *positions, uint32_t count,
                      struct err *err) ON(net)
{
    const struct http_options *o = source->options;
    struct http_source *h = pool_new_struct(source->pool, struct http_source);
    source->state = h;
    h->source = source;
    timer_init(&h->timer, on_timer);
    h->way = o->cursor ? WAY_CURSOR : o->page ? WAY_PAGES : o->next ? WAY_LINKS : WAY_ANSWERS;
    source->replayable = h->way != WAY_ANSWERS;
    h->base = o->url;
    if (strncmp(o->url, "builtin:", 8) == 0) {
        if (source->builtin_url == NULL)
            return err_set(err, ERR_FATAL, "\"%s\" is not served here", o->url);
        h->base = pool_printf(source->pool, "%s/api/1.4/", source->builtin_url);
    }
    if (o->page)
        h->page = o->page->from;
    if (o->cursor && o->cursor->start)
        sbuf_cstr(&h->cursor, o->cursor->start);
    if (count) {
        sbuf_clear(&h->cursor);
        load_position(h, positions[0].value);
    }
    for (uint32_t i = 0; i < o->headers.count && i < HTTP_HEADERS_MAX; i++)
        h->headers[h->header_count++] = pool_printf(source->pool, "%s: %s", o->headers.keys[i],
                                                    ((const char **)o->headers.items)[i]);
    h->due = true;
    return http_client_new(source->pool, &h->client, err);
}

static enum source_status http_poll(struct source *source, struct source_rows *rows, struct err *err) ON(net)
{
    struct http_source *h = source->state;
    if (h->answered)
        return take_answer(h, rows, err);
    if (h->finished)
        return SOURCE_END;
    if (h->due && !h->in_flight)
        ask(h);
    return SOURCE_IDLE;
}

static void http_close(struct source *source) ON(net)
{
    struct http_source *h = source->state;
    timer_cancel(&h->timer);
    http_call_fini(&h->call);
    sbuf_fini(&h->url);
    sbuf_fini(&h->cursor);
    sbuf_fini(&h->link);
    sbuf_fini(&h->ahead);
    sbuf_fini(&h->position);
    mem_free(h->rows);
}

/* ---- what is checked before ---------------------------------------------------------------------------------------------- */

static bool check_url(const void *value, struct err *err)
{
    const char *text = *(const char *const *)value;
    struct arena arena = {0};
    struct conf_url url;
    bool is_builtin = strncmp(text, "builtin:", 8) == 0, ok = true;
    if (is_builtin && strcmp(text, "builtin:randomuser") != 0) {
        err_set(err, ERR_CONFIG, "there is no \"%s\" built in", text);
        ok = err_hint(err, "There is builtin:randomuser.");
    } else if (!is_builtin && conf_url_parse(&arena, text, &url, NULL) && strcmp(url.scheme, "http") != 0 &&
               strcmp(url.scheme, "https") != 0) {
        err_set(err, ERR_CONFIG, "\"url\" must begin with http:// or https://, not \"%s:\"", url.scheme);
        ok = err_hint(err, "Files of this machine are read by kind: file.");
    } else if (!is_builtin && (url.host == NULL || url.host[0] == '\0')) {
        ok = err_set(err, ERR_CONFIG, "\"url\" names no host") ||
             err_hint(err, "As in https://example.com/rows.");
    }
    arena_fini(&arena);
    return ok;
}

static bool check_method(const void *value, struct err *err)
{
    const char *text = *(const char *const *)value;
    size_t n = 0;
    while (text[n] >= 'A' && text[n] <= 'Z')
        n++;
    if (n > 0 && text[n] == '\0')
        return true;
    err_set(err, ERR_CONFIG, "\"method\" must be one of HTTP's, not \"%s\"", text);
    return err_hint(err, "They are in capital letters: GET, POST.");
}

/* Names with dots between them: "data.items". */
static bool check_field_path(const void *value, struct err *err)
{
    const char *text = *(const char *const *)value;
    size_t n = text ? strlen(text) : 0;
    if (text == NULL || (n > 0 && strpbrk(text, "$[]*") == NULL && text[0] != '.' && text[n - 1] != '.' &&
                         strstr(text, "..") == NULL))
        return true;
    err_set(err, ERR_CONFIG, "\"%s\" is no path of names with dots between them", text);
    return err_hint(err, "As in results or data.items; all elements of a list there are meant.");
}

static bool check_line(const void *value, struct err *err)
{
    const char *text = *(const char *const *)value;
    for (const char *p = text; p && *p; p++)
        if ((unsigned char)*p < ' ' || *p == 0x7F)
            return err_set(err, ERR_CONFIG,
                           "the value holds a control character, which HTTP does not allow") ||
                   err_hint(err, "It may be a line's end from a file: ${NAME} takes the variable as it is.");
    return true;
}

static void check_headers(const struct http_options *o, struct conf_diags *diags)
{
    for (uint32_t i = 0; i < o->headers.count; i++) {
        const char *name = o->headers.keys[i];
        if (*name == '\0' || strpbrk(name, " \t\r\n:()<>@,;\\\"/[]?={}") != NULL)
            err_hint(
                &conf_say(diags, CONF_ERROR, o->headers.key_nodes[i], "\"%s\" is no name of a header", name)
                     ->err,
                "As in X-Api-Key: the colon is YAML's.");
    }
    if (o->headers.count > HTTP_HEADERS_MAX)
        conf_say(diags, CONF_ERROR, o->headers.key_nodes[HTTP_HEADERS_MAX], "there are more than %d headers",
                 HTTP_HEADERS_MAX);
}

/* The parameter that we set ourselves is among those that are always the same. */
static void check_param(const struct http_options *o, const char *name, struct conf_diags *diags)
{
    for (uint32_t i = 0; name && i < o->query.count; i++)
        if (strcmp(o->query.keys[i], name) == 0)
            err_hint(&conf_say(diags, CONF_ERROR, o->query.key_nodes[i],
                               "the parameter \"%s\" is in \"query\", and says the position", name)
                          ->err,
                     "Leave it out of \"query\".");
}

static void http_check(const void *options, const struct conf_node *node, struct conf_diags *diags)
{
    static const char *const ways[] = {"cursor", "page", "next"};
    const struct http_options *o = options;
    const struct conf_node *method = conf_get(node, "method"), *first = NULL, *at;
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        at = conf_get(node, ways[i]);
        if (at && first)
            err_hint(
                &conf_say(diags, CONF_ERROR, at, "\"cursor\", \"page\" and \"next\" exclude each other")->err,
                "They are three ways to ask for what follows; keep the one that the API has.");
        first = first ? first : at;
    }
    if (o->auth && (o->auth->basic != NULL) == (o->auth->bearer != NULL))
        err_hint(&conf_say(diags, CONF_ERROR, conf_get(node, "auth"),
                           "\"auth\" needs one of \"basic\" and \"bearer\"")
                      ->err,
                 "For example: auth: { bearer: \"${TOKEN}\" }");
    if (o->body && method && (str_is(method->text, "GET") || str_is(method->text, "HEAD")))
        err_hint(&conf_say(diags, CONF_ERROR, method, "a request with a \"body\" is no %.*s",
                           STR_ARG(method->text))
                      ->err,
                 "Leave `method` out for a POST.");
    check_headers(o, diags);
    check_param(o, o->cursor ? o->cursor->param : NULL, diags);
    check_param(o, o->page ? o->page->param : NULL, diags);
}

static const struct option header_option = {
    .name = "value", .type = OPTION_TEXT, .check = check_line, .help = "A text."};
static const struct option text_option = {.name = "value", .type = OPTION_TEXT, .help = "A text."};
static const struct option basic_options[] = {
    {.name = "user",
     .type = OPTION_TEXT,
     .offset = OPTION_AT(struct http_basic, user),
     .flags = OPTION_REQUIRED,
     .help = "The user's name."},
    {.name = "password",
     .type = OPTION_TEXT,
     .offset = OPTION_AT(struct http_basic, password),
     .flags = OPTION_REQUIRED | OPTION_SECRET,
     .help = "The password; best taken from the environment: ${PASSWORD}."},
    {0},
};
static const struct option auth_options[] = {
    {.name = "basic",
     .type = OPTION_STRUCT,
     .offset = OPTION_AT(struct http_auth, basic),
     .flags = OPTION_OPTIONAL,
     .table = basic_options,
     .size = sizeof(struct http_basic),
     .help = "Basic authentication."},
    {.name = "bearer",
     .type = OPTION_TEXT,
     .offset = OPTION_AT(struct http_auth, bearer),
     .flags = OPTION_SECRET | OPTION_NOT_EMPTY,
     .check = check_line,
     .help = "A bearer token; best taken from the environment: ${TOKEN}."},
    {0},
};
static const struct option cursor_options[] = {
    {.name = "field",
     .type = OPTION_TEXT,
     .offset = OPTION_AT(struct http_cursor, field),
     .flags = OPTION_REQUIRED | OPTION_NOT_EMPTY,
     .check = check_field_path,
     .help = "The field of a row that grows: `seq`, `meta.id`."},
    {.name = "param",
     .type = OPTION_TEXT,
     .offset = OPTION_AT(struct http_cursor, param),
     .flags = OPTION_REQUIRED | OPTION_NOT_EMPTY,
     .help = "The query parameter that asks for rows after it."},
    {.name = "start",
     .type = OPTION_TEXT,
     .offset = OPTION_AT(struct http_cursor, start),
     .help = "Its value in the very first request."},
    {0},
};
static const struct option page_options[] = {
    {.name = "param",
     .type = OPTION_TEXT,
     .offset = OPTION_AT(struct http_page, param),
     .default_text = "page",
     .flags = OPTION_NOT_EMPTY,
     .help = "The query parameter that holds the page's number."},
    {.name = "from",
     .type = OPTION_I64,
     .offset = OPTION_AT(struct http_page, from),
     .default_text = "1",
     .help = "The first page."},
    {0},
};

static const struct option options[] = {
    {.name = "url",
     .type = OPTION_URL,
     .offset = OPTION_AT(struct http_options, url),
     .flags = OPTION_REQUIRED,
     .check = check_url,
     .help =
         "http:// or https://, or `builtin:randomuser`, a stand-in of the randomuser.me API that the program serves itself."},
    {.name = "method",
     .type = OPTION_TEXT,
     .offset = OPTION_AT(struct http_options, method),
     .default_text = "GET",
     .check = check_method,
     .help = "The request's method."},
    {.name = "query",
     .type = OPTION_MAP,
     .offset = OPTION_AT(struct http_options, query),
     .of = &text_option,
     .keys = OPTION_TEXT,
     .help = "Query parameters.",
     .example = "{ results: 50 }"},
    {.name = "headers",
     .type = OPTION_MAP,
     .offset = OPTION_AT(struct http_options, headers),
     .flags = OPTION_SECRET,
     .of = &header_option,
     .keys = OPTION_TEXT,
     .help = "Request headers."},
    {.name = "auth",
     .type = OPTION_STRUCT,
     .offset = OPTION_AT(struct http_options, auth),
     .flags = OPTION_OPTIONAL,
     .table = auth_options,
     .size = sizeof(struct http_auth),
     .help = "Who we are: `basic` or `bearer`."},
    {.name = "body",
     .type = OPTION_TEXT,
     .offset = OPTION_AT(struct http_options, body),
     .help = "The request's body; makes it a POST."},
    {.name = "rows",
     .type = OPTION_TEXT,
     .offset = OPTION_AT(struct http_options, rows),
     .check = check_field_path,
     .help = "Where in the answer the rows are, `results` or `data.items`; without it, the answer itself."},
    {.name = "every",
     .type = OPTION_DURATION,
     .offset = OPTION_AT(struct http_options, every_ms),
     .default_text = "10s",
     .min = 10,
     .max = 365.0 * 86400000,
     .help = "The pause after an answer that held all there is."},
    {.name = "timeout",
     .type = OPTION_DURATION,
     .offset = OPTION_AT(struct http_options, timeout_ms),
     .default_text = "30s",
     .min = 10,
     .max = 3600000,
     .help = "How long one request may take in all."},
    {.name = "retries",
     .type = OPTION_U64,
     .offset = OPTION_AT(struct http_options, retries),
     .default_text = "4",
     .unit = "tries",
     .max = 1000,
     .help = "In `run`: after so many further tries the source has failed. `up` never gives up."},
    {.name = "limit",
     .type = OPTION_SIZE,
     .offset = OPTION_AT(struct http_options, limit),
     .default_text = "32MiB",
     .min = 1024,
     .max = 48 * 1024 * 1024,
     .help = "A longer answer is refused, not half read."},
    {.name = "cursor",
     .type = OPTION_STRUCT,
     .offset = OPTION_AT(struct http_options, cursor),
     .flags = OPTION_OPTIONAL,
     .table = cursor_options,
     .size = sizeof(struct http_cursor),
     .help = "The API gives rows after a value: exactly once.",
     .example = "{ field: seq, param: after }"},
    {.name = "page",
     .type = OPTION_STRUCT,
     .offset = OPTION_AT(struct http_options, page),
     .flags = OPTION_OPTIONAL,
     .table = page_options,
     .size = sizeof(struct http_page),
     .help = "The API gives numbered pages to which rows are only added: exactly once.",
     .example = "{ param: page, from: 1 }"},
    {.name = "next",
     .type = OPTION_TEXT,
     .offset = OPTION_AT(struct http_options, next),
     .check = check_field_path,
     .help = "Where in the answer the link to the next one is: exactly once.",
     .example = "links.next"},
    {0},
};

extern const struct source_kind source_http;
const struct source_kind source_http = {
    .name = "http",
    .role = ROLE_NET,
    .check = http_check,
    .open = http_open,
    .poll = http_poll,
    .close = http_close,
    .options = options,
    .options_size = sizeof(struct http_options),
};

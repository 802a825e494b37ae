/* Stories: what clients say to the broker, and what it answers, told in the .story files beside this one.
 *
 * Store, broker and clients live in the simulator: time is virtual, so that a story may wait for minutes, and every seed cuts the bytes in other
 * pieces and lets things happen in another order. SEEDS=n tells each story n times; arguments are the stories to tell, by their names.
 *
 * A statement begins at the left margin; lines that are indented go on with it; # begins a comment. a, b … are connections, which are opened when they
 * speak for the first time. A name in brackets, a(kcat), is the client's id.
 *
 *     a > Fetch 13 {…}             sends a request, as kafka_parse reads it; version 13. Several may be under way
 *     a < {…}                      the next answer: fields that are named have these values. * anything; [x, ...] an array that begins with x;
 *                                  $name: what it is called from now on, or, if it has that name already, is again
 *     a < {…} after 500 ms         not before that time has passed, and no more than 200 ms later; measured from the last statement
 *     a < nothing for 500 ms
 *     a < closed                   the broker ends the connection
 *     a is cut off                 the same, whatever it hears before
 *     a >> 0000001a "text" 12*00   raw bytes; n*xx: n times
 *     a closes
 *     metrics say LINE             a line of /metrics
 *     wait 3 s
 *     let $name = …                text for what follows
 *     with auto_create off         before all else, or behind `restart`; also: partitions 3, advertised kafka:9093
 *     restart                      ends the broker in order, and starts it again; connections are gone
 *     kill                         kill -9; it is started again within 5 s
 *     power cut                    within 10 minutes, and the disk has lost what was not synced
 *
 * Records are written records(k=v, k=v; producer 5 epoch 0 sequence 0 transactional), and read the same way with the offset of the first one
 * in front: records(7: k=v, k=v). ~ is null. Behind the semicolon, in any order: producer n, epoch n, sequence n, transactional, control, gzip (and other
 * codecs), time n (ms; else now), append-time, offset n, corrupt (a wrong checksum), magic n, count n, delta n (of the last offset). A batch that a
 * transaction's end left is records(8: commit) or records(8: abort). Several batches stand one behind the other:
 * records(0: a=1)(1: commit). What is not named behind the semicolon is not looked at. */
#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/test.h"
#include "broker/broker.h"
#include "format/compress.h"
#include "obs/event.h"
#include "obs/metric.h"
#include "os/sim.h"
#include "wire/kafka.h"

enum {
    CLIENTS_MAX = 64,
    NAMES_MAX = 128,
    TEXT_MAX = 4096, /* of what has a name */
    PENDING_MAX = 256,
    PATIENCE_MS = 60 * 1000,
    LATE_MS = 200, /* what the disk and the network may take */
};

/* What outlives a life. */
struct shared {
    uint32_t at; /* the next statement */
    uint32_t count;
    bool ends_by_power, auto_create;
    int32_t partitions;
    char advertised[64]; /* "": as it listens */
    struct named {
        char name[32];
        char text[TEXT_MAX];
    } names[NAMES_MAX];
};
static struct shared *shared;

struct statement {
    int line;
    struct str text;
};
static struct {
    const char *path;
    struct statement *statements;
    uint32_t count;
} story;

struct client {
    char name[16];
    struct str id;
    int file;
    bool is_open, is_over; /* over: the other side has ended it */
    int32_t next_id;
    struct pending {
        const struct kafka_api *api;
        int version;
    } pending[PENDING_MAX];
    uint32_t sent, answered;
    struct sbuf in;
};

static struct {
    struct loop *net, *disk, *main;
    struct store *store;
    struct broker *broker;
    struct client clients[CLIENTS_MAX];
    uint32_t client_count;
    struct arena arena; /* of the statement */
    const struct statement *now;
    struct mono_time since; /* the last statement's end */
    bool has_ended;
    struct timer timer;
} life;

static bool wrong(const char *format, ...) __attribute__((format(printf, 1, 2)));
static bool wrong(const char *format, ...)
{
    va_list args;
    fprintf(stderr, "%s:%d: ", story.path, life.now->line);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fprintf(stderr, "\n");
    return false;
}

/* ---- words -------------------------------------------------------------------------------------------------------------------- */

static bool is_space(char c)
{
    return c == ' ' || c == '\n' || c == '\t';
}

static struct str next_word(struct str *text)
{
    *text = str_trim(*text);
    size_t n = 0;
    while (n < text->n && !is_space(text->p[n]))
        n++;
    struct str word = str_n(text->p, n);
    *text = str_trim(str_n(text->p + n, text->n - n));
    return word;
}

static bool next_number(struct str *text, int64_t *number)
{
    return str_to_i64(next_word(text), number);
}

/* "500 ms", "3 s" */
static bool next_time(struct str *text, int64_t *ms)
{
    if (!next_number(text, ms))
        return wrong("a time is missing");
    struct str unit = next_word(text);
    if (str_is(unit, "ms"))
        return true;
    if (!str_is(unit, "s"))
        return wrong("times are in ms or s");
    *ms *= 1000;
    return true;
}

static struct named *find_name(struct str name)
{
    for (uint32_t i = 0; i < shared->count; i++)
        if (str_is(name, shared->names[i].name))
            return &shared->names[i];
    return NULL;
}

static bool give_name(struct str name, struct str text)
{
    struct named *named = find_name(name);
    if (named == NULL) {
        CHECK(shared->count < NAMES_MAX);
        named = &shared->names[shared->count++];
        str_copy(named->name, sizeof named->name, name);
    }
    if (text.n >= TEXT_MAX)
        return wrong("a text of %zu bytes is too long for a name", text.n);
    str_copy(named->text, sizeof named->text, text);
    return true;
}

static size_t name_at(struct str text, size_t at)
{
    size_t n = 1;
    while (at + n < text.n && (text.p[at + n] == '_' || (text.p[at + n] >= 'a' && text.p[at + n] <= 'z') ||
                               (text.p[at + n] >= '0' && text.p[at + n] <= '9')))
        n++;
    return n;
}

/* With the texts of names that are known. must: all have to be. */
static bool fill_in(struct str text, bool must, struct str *out)
{
    struct sbuf b = {0};
    bool done = true;
    for (size_t at = 0; at < text.n && done;) {
        size_t n = 1;
        const struct named *named = NULL;
        if (text.p[at] == '$') {
            n = name_at(text, at);
            named = find_name(str_n(text.p + at, n));
            done = named || !must || wrong("\"%.*s\" is not known", (int)n, text.p + at);
        }
        if (named)
            sbuf_cstr(&b, named->text);
        else
            sbuf_add(&b, text.p + at, n);
        at += n;
    }
    *out = str_n(arena_dup(&life.arena, b.p, b.n), b.n);
    sbuf_fini(&b);
    return done;
}

/* ---- records ------------------------------------------------------------------------------------------------------------------ */

static struct str null_or(struct str s)
{
    return str_is(s, "~") ? (struct str){0} : s;
}

/* Cuts text at the first `c`. */
static struct str cut(struct str *text, char c)
{
    const char *at = memchr(text->p, c, text->n);
    size_t n = at ? (size_t)(at - text->p) : text->n;
    struct str first = str_trim(str_n(text->p, n));
    *text = at ? str_n(at + 1, text->n - n - 1) : str_n(text->p + text->n, 0);
    return first;
}

static void seal(uint8_t *p, size_t n, bool corrupt)
{
    put_be32(p + 17, crc32c(0, p + 21, n - 21) ^ (corrupt ? 1 : 0));
}

/* "k=v, k=v; producer 5 …", behind the parenthesis. */
static bool write_batch(struct str text, struct sbuf *out)
{
    struct records_builder b = {0};
    struct compress_ctx *ctx = compress_ctx_new();
    struct str records = cut(&text, ';'), batch, rest = text, word;
    enum codec codec = CODEC_NONE;
    int64_t time = os_wall().us / 1000, n;
    bool corrupt = false, done = true;
    struct err err;
    while (rest.n > 0 && (word = next_word(&rest)).n > 0)
        if (str_is(word, "time") && !next_number(&rest, &time))
            done = wrong("a time is missing");
    records_begin(&b);
    while (records.n > 0) {
        struct str value = cut(&records, ','), key = cut(&value, '=');
        records_add(&b, time, null_or(key), null_or(value), NULL, 0);
    }
    for (rest = text; rest.n > 0;) {
        enum codec found;
        if (codec_find(next_word(&rest), &found))
            codec = found;
    }
    done = done &&
           (records_end(&b, codec, COMPRESS_LEVEL_DEFAULT, ctx, &batch, &err) || wrong("%s", err.text));
    uint8_t *p = done ? (uint8_t *)(uintptr_t)batch.p : NULL;
    for (rest = text; done && rest.n > 0;) {
        enum codec found;
        word = next_word(&rest);
        if (codec_find(word, &found))
            continue;
        else if (str_is(word, "transactional"))
            p[22] |= RECORDS_TRANSACTIONAL;
        else if (str_is(word, "control"))
            p[22] |= RECORDS_CONTROL;
        else if (str_is(word, "append-time"))
            p[22] |= RECORDS_LOG_APPEND_TIME;
        else if (str_is(word, "corrupt"))
            corrupt = true;
        else if (!next_number(&rest, &n))
            done = wrong("\"%.*s\" says nothing about a batch, or lacks a number", STR_ARG(word));
        else if (str_is(word, "producer"))
            put_be64(p + 43, (uint64_t)n);
        else if (str_is(word, "epoch"))
            put_be16(p + 51, (uint16_t)n);
        else if (str_is(word, "sequence"))
            put_be32(p + 53, (uint32_t)n);
        else if (str_is(word, "offset"))
            put_be64(p, (uint64_t)n);
        else if (str_is(word, "magic"))
            p[16] = (uint8_t)n;
        else if (str_is(word, "count"))
            put_be32(p + 57, (uint32_t)n);
        else if (str_is(word, "delta"))
            put_be32(p + 23, (uint32_t)n);
        else if (!str_is(word, "time"))
            done = wrong("\"%.*s\" says nothing about a batch", STR_ARG(word));
    }
    if (done) {
        seal(p, batch.n, corrupt);
        sbuf_str(out, batch);
    }
    records_builder_fini(&b);
    compress_ctx_free(ctx);
    return done;
}

static const char RECORDS[] = "records(";

/* text.p[at] is behind "records(": the end of the last of the parentheses. */
static size_t end_of_records(struct str text, size_t at)
{
    for (;;) {
        while (at < text.n && text.p[at] != ')')
            at++;
        if (at + 1 >= text.n || text.p[at + 1] != '(')
            return at < text.n ? at + 1 : text.n;
        at += 2;
    }
}

/* Puts 0x… in the place of each records(…). */
static bool write_records(struct str text, struct str *out)
{
    struct sbuf b = {0}, bytes = {0};
    bool done = true;
    for (size_t at = 0; at < text.n && done;) {
        size_t found = str_find(text, str_of(RECORDS), at);
        if (found >= text.n) {
            sbuf_add(&b, text.p + at, text.n - at);
            break;
        }
        sbuf_add(&b, text.p + at, found - at);
        size_t from = found + strlen(RECORDS);
        at = end_of_records(text, from);
        sbuf_clear(&bytes);
        struct str inner = str_n(text.p + from, at - from);
        while (done && inner.n > 0) {
            struct str one = cut(&inner, ')');
            done = one.n == 0 || write_batch(one, &bytes);
            if (inner.n > 0)
                inner = str_n(inner.p + 1, inner.n - 1); /* the next one's ( */
        }
        sbuf_cstr(&b, "0x");
        hex_encode(sbuf_reserve(&b, 2 * bytes.n + 1), bytes.p, bytes.n);
        sbuf_added(&b, 2 * bytes.n);
    }
    *out = str_n(arena_dup(&life.arena, b.p, b.n), b.n);
    sbuf_fini(&b);
    sbuf_fini(&bytes);
    return done;
}

static void show(struct sbuf *out, struct str s)
{
    sbuf_str(out, s.p ? s : STR("~"));
}

/* One batch as it would be written, with everything behind the semicolon. */
static void read_batch(const uint8_t *p, size_t n, struct sbuf *out, struct sbuf *more)
{
    struct records_reader reader;
    struct record record;
    struct records_marker marker;
    struct buf *scratch = NULL;
    struct compress_ctx *ctx = compress_ctx_new();
    struct err err;
    bool has = true;
    const char *separator = "";
    if (!records_open(p, n, ctx, &scratch, &reader, &err)) {
        sbuf_printf(out, "unreadable: %s", err.text);
    } else {
        const struct records_batch *b = &reader.batch;
        sbuf_printf(out, "%lld:", (long long)b->base_offset);
        if (b->attributes & RECORDS_CONTROL && records_marker_read(p, n, &marker))
            sbuf_cstr(out, marker.commits ? " commit" : " abort");
        else
            while (records_next(&reader, &record, &has, &err) && has) {
                sbuf_printf(out, "%s ", separator);
                show(out, record.key);
                sbuf_char(out, '=');
                show(out, record.value);
                separator = ",";
            }
        int codec = b->attributes & RECORDS_CODEC_MASK;
        sbuf_printf(more, "producer %lld epoch %d sequence %d time %lld %s%s%s%s", (long long)b->producer_id,
                    b->producer_epoch, b->base_sequence, (long long)b->base_timestamp_ms, codec_name(codec),
                    b->attributes & RECORDS_TRANSACTIONAL ? " transactional" : "",
                    b->attributes & RECORDS_CONTROL ? " control" : "",
                    b->attributes & RECORDS_LOG_APPEND_TIME ? " append-time" : "");
    }
    buf_unref(scratch);
    compress_ctx_free(ctx);
}

/* Is each word of a, with the number behind it, in b? */
static bool has_words(struct str a, struct str b)
{
    while (a.n > 0) {
        struct str word = next_word(&a), rest = b, found = {0};
        while (rest.n > 0 && !str_eq(found = next_word(&rest), word))
            found = (struct str){0};
        if (!str_eq(found, word))
            return false;
        int64_t x, y;
        struct str peek = a;
        if (next_number(&peek, &x) && !(next_number(&rest, &y) && x == y))
            return false;
        if (next_number(&(struct str){a.p, a.n}, &x))
            next_word(&a);
    }
    return true;
}

/* pattern: what stands in records(…). */
static bool match_records(struct str pattern, const uint8_t *p, size_t n)
{
    struct sbuf out = {0}, more = {0};
    bool same = true;
    size_t at = 0;
    for (struct str left = pattern; same;) {
        struct records_batch batch;
        struct err err;
        if (left.n > 0 && left.p[0] == '(')
            left = str_n(left.p + 1, left.n - 1);
        struct str one = cut(&left, ')');
        if (one.n == 0 && at == n)
            break;
        sbuf_clear(&out);
        sbuf_clear(&more);
        if (at == n || !records_batch_read(p + at, n - at, true, &batch, &err)) {
            same = wrong("instead of \"%.*s\": %s", STR_ARG(one), at == n ? "no more records" : err.text);
            break;
        }
        read_batch(p + at, batch.size, &out, &more);
        at += batch.size;
        struct str records = cut(&one, ';');
        if (!str_eq(records, sbuf_view(&out)) || !has_words(one, sbuf_view(&more)))
            same = wrong("records(%.*s; %.*s), and not records(%.*s%s%.*s)", STR_ARG(sbuf_view(&out)),
                         STR_ARG(sbuf_view(&more)), STR_ARG(records), one.n ? ";" : "", STR_ARG(one));
    }
    sbuf_fini(&out);
    sbuf_fini(&more);
    return same;
}

/* ---- answers as trees -------------------------------------------------------------------------------------------------------------- */

/* What a message's text is made of. */
struct node {
    enum { NODE_WORD, NODE_TEXT, NODE_RECORDS, NODE_ARRAY, NODE_STRUCT } kind;
    struct str name, text; /* name: of a field */
    struct node *first, *next;
};

struct reading {
    struct str text;
    size_t at;
};

static char peek(struct reading *r)
{
    while (r->at < r->text.n && (is_space(r->text.p[r->at]) || r->text.p[r->at] == ','))
        r->at++;
    return r->at < r->text.n ? r->text.p[r->at] : 0;
}

static struct node *read_node(struct reading *r, int depth);

static bool read_list(struct reading *r, struct node *list, char end, int depth)
{
    struct node **last = &list->first;
    r->at++;
    while (peek(r) != end) {
        if (peek(r) == 0)
            return wrong("\"%c\" is missing", end);
        struct str name = {0};
        if (end == '}') {
            size_t from = r->at;
            while (r->at < r->text.n && r->text.p[r->at] != ':' && !is_space(r->text.p[r->at]))
                r->at++;
            name = str_n(r->text.p + from, r->at - from);
            if (peek(r) != ':')
                return wrong("\":\" is missing behind \"%.*s\"", STR_ARG(name));
            r->at++;
        }
        if ((*last = read_node(r, depth + 1)) == NULL)
            return false;
        (*last)->name = name;
        last = &(*last)->next;
    }
    r->at++;
    return true;
}

static struct node *read_node(struct reading *r, int depth)
{
    struct node *node = arena_new(&life.arena, struct node);
    char c = peek(r);
    size_t from = r->at;
    CHECK(depth < 32);
    if (c == '{' || c == '[') {
        node->kind = c == '{' ? NODE_STRUCT : NODE_ARRAY;
        return read_list(r, node, c == '{' ? '}' : ']', depth) ? node : NULL;
    }
    if (c == '"') {
        node->kind = NODE_TEXT;
        do
            r->at += r->text.p[r->at] == '\\' ? 2 : 1;
        while (r->at < r->text.n && r->text.p[r->at] != '"');
        node->text = str_n(r->text.p + from + 1, r->at - from - 1);
        r->at++;
        return node;
    }
    if (str_starts(str_n(r->text.p + from, r->text.n - from), str_of(RECORDS))) {
        node->kind = NODE_RECORDS;
        r->at = end_of_records(r->text, from + strlen(RECORDS));
        from += strlen(RECORDS);
        node->text = str_n(r->text.p + from, r->at - from - 1);
        return node;
    }
    while (r->at < r->text.n && strchr(" \n\t,[]{}", r->text.p[r->at]) == NULL)
        r->at++;
    node->text = str_n(r->text.p + from, r->at - from);
    return node->text.n > 0 ? node : (wrong("a value is missing"), NULL);
}

static bool is_same_name(struct str a, struct str b)
{
    size_t i = 0, k = 0;
    for (; i < a.n; i++) {
        if (a.p[i] == '_')
            continue;
        if (k == b.n || (a.p[i] | 0x20) != (b.p[k++] | 0x20))
            return false;
    }
    return k == b.n;
}

static bool match(const struct node *want, const struct node *have, const char *where);

static bool match_struct(const struct node *want, const struct node *have, const char *where)
{
    for (const struct node *w = want->first; w; w = w->next) {
        const struct node *h = have->first;
        char *path = arena_printf(&life.arena, "%s%s%.*s", where, *where ? "." : "", STR_ARG(w->name));
        while (h && !is_same_name(w->name, h->name))
            h = h->next;
        if (h == NULL && w->kind == NODE_WORD && str_is(w->text, "absent"))
            continue;
        if (h == NULL)
            return wrong("%s is not there", path);
        if (!match(w, h, path))
            return false;
    }
    return true;
}

static bool is_rest(const struct node *node)
{
    return node->kind == NODE_WORD && str_is(node->text, "...");
}

static bool match_array(const struct node *want, const struct node *have, const char *where)
{
    int i = 0;
    const struct node *w = want->first, *h = have->first;
    for (; w && !is_rest(w); w = w->next, h = h->next) {
        if (h == NULL)
            return wrong("%s has only %d elements", where, i);
        if (!match(w, h, arena_printf(&life.arena, "%s[%d]", where, i++)))
            return false;
    }
    return w || h == NULL || wrong("%s has more than %d elements", where, i);
}

/* Bytes are printed as hex; a story may have them as text. */
static struct str readable(const struct node *want, const struct node *have)
{
    struct str hex = have->text;
    if (have->kind != NODE_WORD || want->kind != NODE_TEXT || !str_starts(hex, STR("0x")))
        return hex;
    uint8_t *bytes = arena_alloc(&life.arena, hex.n);
    return hex_decode(bytes, hex.p + 2, hex.n / 2 - 1) ? str_n(bytes, hex.n / 2 - 1) : hex;
}

static bool match(const struct node *want, const struct node *have, const char *where)
{
    if (want->kind == NODE_WORD && str_is(want->text, "*"))
        return true;
    if (want->kind == NODE_STRUCT || want->kind == NODE_ARRAY) {
        if (have->kind != want->kind)
            return wrong("%s is %.*s", where, STR_ARG(have->text));
        return want->kind == NODE_STRUCT ? match_struct(want, have, where) : match_array(want, have, where);
    }
    if (have->kind == NODE_STRUCT || have->kind == NODE_ARRAY)
        return wrong("%s is more than one value", where);
    if (want->kind == NODE_WORD && want->text.n > 1 && want->text.p[0] == '$') /* known ones are filled in */
        return give_name(want->text, have->text);
    if (want->kind == NODE_RECORDS) {
        size_t n = have->text.n / 2 - 1;
        uint8_t *bytes = arena_alloc(&life.arena, have->text.n);
        if (!str_starts(have->text, STR("0x")) || !hex_decode(bytes, have->text.p + 2, n))
            return want->text.n == 0 || wrong("%s is %.*s", where, STR_ARG(have->text));
        return match_records(want->text, bytes, n);
    }
    struct str text = readable(want, have);
    return str_eq(want->text, text) ||
           wrong("%s is %.*s, and not %.*s", where, STR_ARG(text), STR_ARG(want->text));
}

/* ---- time -------------------------------------------------------------------------------------------------------------------------- */

static void on_time(struct timer *timer)
{
    timer_cancel(timer);
}

/* Lets the world go on until done(arg), or for that time. */
static bool go_on(bool (*done)(void *arg), void *arg, int64_t ms)
{
    struct mono_time end = {os_mono().ns + ms * NS_PER_MS};
    bool is_done = false;
    timer_set(&life.timer, end);
    while (!(is_done = done && done(arg)) && os_mono().ns < end.ns && run_sim_step())
        ;
    timer_cancel(&life.timer);
    return is_done;
}

static int64_t passed_ms(void)
{
    return mono_since_ns(os_mono(), life.since) / NS_PER_MS;
}

/* ---- clients ------------------------------------------------------------------------------------------------------------------------ */

static void receive(struct client *c)
{
    struct err err;
    size_t got;
    while (c->is_open && !c->is_over) {
        if (!os_recv(c->file, sbuf_reserve(&c->in, 4096), 4096, &got, &err)) {
            c->is_over = err.code != EAGAIN;
            return;
        }
        sbuf_added(&c->in, got);
        c->is_over = got == 0;
    }
}

static bool has_frame(const struct client *c)
{
    return c->in.n >= 4 && c->in.n - 4 >= get_be32(c->in.p);
}

static bool has_news(void *arg)
{
    receive(arg);
    return has_frame(arg) || ((struct client *)arg)->is_over;
}

static bool is_over(void *arg)
{
    receive(arg);
    return ((struct client *)arg)->is_over;
}

/* CORPUS=folder: what stories say becomes inputs of the fuzzer of whole sessions. */
static void keep_for_fuzzer(const struct client *c, struct str frame)
{
    const char *folder = getenv("CORPUS"), *name = strrchr(story.path, '/');
    char path[512];
    uint8_t head[3] = {(uint8_t)((c - life.clients) & 3)};
    FILE *file;
    if (folder == NULL || frame.n < 4 || frame.n - 4 > UINT16_MAX)
        return;
    snprintf(path, sizeof path, "%s%s", folder, name);
    put_be16(head + 1, (uint16_t)(frame.n - 4));
    file = fopen(path, "a");
    if (file == NULL)
        return;
    fwrite(head, 1, sizeof head, file);
    fwrite(frame.p + 4, 1, frame.n - 4, file);
    fclose(file);
}

struct sending {
    struct client *client;
    struct str left;
};

static bool is_sent(void *arg)
{
    struct sending *s = arg;
    struct err err;
    size_t sent;
    while (s->left.n > 0) {
        if (!os_send(s->client->file, s->left.p, s->left.n, &sent, &err)) {
            s->client->is_over |= err.code != EAGAIN;
            return s->client->is_over;
        }
        s->left = str_n(s->left.p + sent, s->left.n - sent);
    }
    return true;
}

static bool send_bytes(struct client *c, struct str bytes)
{
    struct sending sending = {c, bytes};
    return go_on(is_sent, &sending, PATIENCE_MS) || wrong("nobody takes what %s sends", c->name);
}

static struct client *client_of(struct str word)
{
    struct err err;
    struct str id = word, name = cut(&id, '(');
    struct client *c = life.clients;
    while (c < life.clients + life.client_count && !str_is(name, c->name))
        c++;
    if (c == life.clients + life.client_count) {
        CHECK(life.client_count < CLIENTS_MAX);
        life.client_count++;
        str_copy(c->name, sizeof c->name, name);
    }
    if (c->is_open)
        return c;
    *c = (struct client){.id = STR("story"), .in = c->in, .is_open = true};
    str_copy(c->name, sizeof c->name, name);
    sbuf_clear(&c->in);
    if (id.n > 1)
        c->id = str_n(id.p, id.n - 1);
    if (!os_connect("127.0.0.1:9092", &c->file, &err))
        return wrong("%s: %s", c->name, err.text), NULL;
    return c;
}

static bool say(struct client *c, struct str text)
{
    struct kafka_out out = {0};
    struct err err;
    int64_t version;
    struct str name = next_word(&text);
    const struct kafka_api *api = NULL;
    for (int key = 0; key < KAFKA_APIS; key++)
        if (kafka_api_of(key) && str_is(name, kafka_api_of(key)->name))
            api = kafka_api_of(key);
    if (api == NULL)
        return wrong("there is no API %.*s", STR_ARG(name));
    if (!next_number(&text, &version) || version < api->request->first || version > api->request->last)
        return wrong("%s has versions %d to %d", api->name, api->request->first, api->request->last);
    if (!fill_in(text, true, &text) || !write_records(text, &text))
        return false;
    void *body = arena_alloc(&life.arena, api->request->size);
    if (!kafka_parse(api->request, text, &life.arena, body, &err))
        return wrong("%s, at %d:%d of the message", err.text, err.place.line, err.place.column);
    CHECK(c->sent - c->answered < PENDING_MAX);
    c->pending[c->sent++ % PENDING_MAX] = (struct pending){api, (int)version};
    if (!kafka_request_encode(api, (int)version, c->next_id++, c->id, body, &out, &err))
        return wrong("%s", err.text);
    const struct kafka_produce_request *produce = body;
    if (api->key == KAFKA_API_PRODUCE && produce->acks == 0)
        c->sent--; /* it is never answered; its number is used up */
    keep_for_fuzzer(c, sbuf_view(&out.bytes));
    bool done = send_bytes(c, sbuf_view(&out.bytes));
    kafka_out_fini(&out);
    return done;
}

/* The next answer, as text. */
static bool take_answer(struct client *c, struct str *text)
{
    struct sbuf out = {0};
    struct err err;
    int32_t id;
    if (c->sent == c->answered)
        return wrong("%s has asked for nothing", c->name);
    const struct pending *p = &c->pending[c->answered++ % PENDING_MAX];
    size_t size = get_be32(c->in.p);
    struct rd rd = rd_of(c->in.p + 4, size);
    void *body = arena_alloc(&life.arena, p->api->response->size);
    int version = p->version;
    /* whoever asks for the versions in one that the broker does not know, is answered in version 0 */
    if (p->api->key == KAFKA_API_API_VERSIONS &&
        (int)get_be16((uint8_t *)c->in.p + 8) == KAFKA_ERR_UNSUPPORTED_VERSION)
        version = 0;
    if (!kafka_response_header_decode(p->api, version, &rd, &id, &err) ||
        !kafka_decode(p->api->response, version, &rd, &life.arena, body, &err))
        return wrong("%s", err.text);
    if (rd_left(&rd) != 0)
        return wrong("%zu bytes behind the answer to %s", rd_left(&rd), p->api->name);
    kafka_print(p->api->response, version, body, SIZE_MAX, &out);
    *text = str_n(arena_dup(&life.arena, out.p, out.n), out.n);
    sbuf_fini(&out);
    memmove(c->in.p, c->in.p + 4 + size, c->in.n - 4 - size);
    c->in.n -= 4 + size;
    return true;
}

/* Text behind the last brace: "after 500 ms". */
static bool split_time(struct str *text, int64_t *ms)
{
    size_t end = text->n;
    *ms = -1;
    while (end > 0 && text->p[end - 1] != '}')
        end--;
    struct str rest = str_trim(str_n(text->p + end, text->n - end));
    *text = str_n(text->p, end);
    if (rest.n == 0)
        return true;
    return str_is(next_word(&rest), "after") ? next_time(&rest, ms) : wrong("\"after\" is missing");
}

static bool hear(struct client *c, struct str text)
{
    struct str have;
    int64_t ms;
    if (!split_time(&text, &ms))
        return false;
    if (!go_on(has_news, c, PATIENCE_MS))
        return wrong("%s hears nothing", c->name);
    if (!has_frame(c))
        return wrong("%s's connection was ended instead", c->name);
    if (ms >= 0 && (passed_ms() < ms || passed_ms() > ms + LATE_MS))
        return wrong("it came after %lld ms", (long long)passed_ms());
    if (!take_answer(c, &have) || !fill_in(text, false, &text))
        return false;
    struct reading want_text = {text, 0}, have_text = {have, 0};
    struct node *want = read_node(&want_text, 0), *got = read_node(&have_text, 0);
    if (want == NULL || got == NULL)
        return false;
    if (match(want, got, ""))
        return true;
    fprintf(stderr, "    in %.*s\n", (int)(have.n < 3000 ? have.n : 3000), have.p);
    return false;
}

static bool hear_bytes(struct client *c, struct str text)
{
    int64_t ms;
    if (str_starts(text, STR("nothing"))) {
        next_word(&text);
        if (!str_is(next_word(&text), "for") || !next_time(&text, &ms))
            return wrong("for how long?");
        if (go_on(has_news, c, ms))
            return wrong("%s hears something%s", c->name, c->is_over ? ": its connection has ended" : "");
        return true;
    }
    if (!str_is(text, "closed"))
        return hear(c, text);
    if (!go_on(is_over, c, PATIENCE_MS * 20))
        return wrong("%s's connection stays", c->name);
    if (c->in.n > 0)
        return wrong("%s hears something before the end", c->name);
    os_close(c->file);
    c->is_open = false;
    return true;
}

/* 00ff "text" 12*00 */
static bool say_bytes(struct client *c, struct str text)
{
    struct sbuf out = {0};
    bool done = true;
    while (done && text.n > 0) {
        uint8_t bytes[512];
        int64_t times = 1;
        if (text.p[0] == '"') {
            text = str_n(text.p + 1, text.n - 1);
            sbuf_str(&out, cut(&text, '"'));
            text = str_trim(text);
            continue;
        }
        struct str word = next_word(&text);
        if (memchr(word.p, '*', word.n) && !str_to_i64(cut(&word, '*'), &times))
            done = wrong("how often?");
        if (word.n % 2 || word.n / 2 > sizeof bytes || !hex_decode(bytes, word.p, word.n / 2))
            done = wrong("\"%.*s\" is no hex", STR_ARG(word));
        for (int64_t i = 0; done && i < times; i++)
            sbuf_add(&out, bytes, word.n / 2);
    }
    done = done && send_bytes(c, sbuf_view(&out));
    sbuf_fini(&out);
    return done;
}

/* ---- a life -------------------------------------------------------------------------------------------------------------------------- */

enum course { GO_ON, END_IN_ORDER, FAILED };

static bool set_option(struct str text)
{
    struct str name = next_word(&text);
    int64_t n;
    if (str_is(name, "auto_create"))
        shared->auto_create = str_is(text, "on");
    else if (str_is(name, "partitions") && next_number(&text, &n))
        shared->partitions = (int32_t)n;
    else if (str_is(name, "advertised"))
        snprintf(shared->advertised, sizeof shared->advertised, "%.*s", STR_ARG(text));
    else
        return wrong("there is no option %.*s", STR_ARG(name));
    return true;
}

static bool is_life_end(struct str text)
{
    return str_is(text, "restart") || str_is(text, "kill") || str_is(text, "power cut");
}

static enum course end_life(struct str text)
{
    shared->at++;
    if (str_is(text, "restart"))
        return END_IN_ORDER;
    shared->ends_by_power = str_is(text, "power cut");
    sim_crash();
}

/* Nothing else runs meanwhile: in the simulator all roles share a thread. */
static bool look_at_metrics(struct str line) UNSHARED
{
    struct metric_page page = {0};
    struct sbuf text = {0}, wanted = {0};
    broker_metrics(life.broker, &page);
    metric_page_end(&page, &text);
    sbuf_printf(&wanted, "\n%.*s\n", STR_ARG(line));
    bool found = str_find(sbuf_view(&text), sbuf_view(&wanted), 0) != SIZE_MAX;
    if (!found)
        wrong("no line of the metrics is \"%.*s\"", STR_ARG(line));
    sbuf_fini(&text);
    sbuf_fini(&wanted);
    return found;
}

static bool do_statement(struct str text)
{
    int64_t ms;
    struct str rest = text, subject = next_word(&rest), verb;
    if (str_is(subject, "with"))
        return life.broker == NULL ? set_option(rest) : wrong("the broker runs already");
    if (str_is(subject, "wait"))
        return next_time(&rest, &ms) && (go_on(NULL, NULL, ms), true);
    if (str_is(subject, "let")) {
        struct str name = next_word(&rest);
        return str_is(next_word(&rest), "=") && fill_in(rest, true, &rest) && give_name(name, rest);
    }
    verb = next_word(&rest);
    if (str_is(subject, "metrics"))
        return look_at_metrics(rest);
    struct client *c = client_of(subject);
    if (c == NULL)
        return false;
    if (str_is(verb, ">"))
        return say(c, rest);
    if (str_is(verb, "<"))
        return hear_bytes(c, rest);
    if (str_is(verb, ">>"))
        return say_bytes(c, rest);
    if (str_is(verb, "is"))
        return go_on(is_over, c, PATIENCE_MS) || wrong("%s's connection stays", c->name);
    if (!str_is(verb, "closes"))
        return wrong("nothing is known of \"%.*s\"", STR_ARG(verb));
    os_close(c->file);
    c->is_open = false;
    return true;
}

static bool start_broker(struct pool *pool, struct err *err)
{
    const struct store_options store_options = {
        .ring_bytes = 16 << 20, .ring_file_bytes = 1 << 20, .tail_bytes = 4 << 20, .flight_bytes = 1};
    const struct broker_options options = {
        .address = "127.0.0.1:9092",
        .advertised = shared->advertised[0] ? shared->advertised : NULL,
        .partitions = shared->partitions,
        .auto_create = shared->auto_create,
    };
    TRY(loop_new(ROLE_MAIN, "main", &life.main, err));
    TRY(loop_new(ROLE_NET, "net", &life.net, err));
    TRY(loop_new(ROLE_DISK, "disk", &life.disk, err));
    TRY(loop_start(life.main, err));
    TRY(os_mkdirs("/d", err));
    TRY(store_open(pool, "/d", &store_options, life.disk, &life.store, err));
    TRY(broker_start(pool, life.net, life.store, &options, &life.broker, err));
    TRY(loop_start(life.disk, err));
    return loop_start(life.net, err);
}

static void on_ended(void *arg)
{
    (void)arg;
    life.has_ended = true;
}

static bool has_ended(void *arg)
{
    (void)arg;
    return life.has_ended;
}

static bool end_broker(struct err *err)
{
    broker_end(life.broker, on_ended, NULL);
    if (!go_on(has_ended, NULL, PATIENCE_MS))
        return err_set(err, ERR_FATAL, "the broker does not end");
    loop_stop(life.net);
    loop_join(life.net);
    loop_stop(life.disk);
    loop_join(life.disk);
    broker_stop(life.broker);
    for (uint32_t i = 0; i < life.client_count; i++)
        sbuf_fini(&life.clients[i].in);
    return store_close(life.store, err);
}

static enum course tell(void)
{
    while (shared->at < story.count) {
        life.now = &story.statements[shared->at];
        if (is_life_end(life.now->text))
            return end_life(life.now->text);
        if (!do_statement(life.now->text))
            return FAILED;
        life.since = os_mono();
        arena_reset(&life.arena);
        shared->at++;
    }
    return END_IN_ORDER;
}

static int live(void *arg)
{
    struct pool *pool = pool_new(NULL, "story");
    struct err err;
    (void)arg;
    event_setup(getenv("VERBOSE") ? EVENT_LEVEL_DEBUG : EVENT_LEVEL_ERROR, false, -1);
    life.now = &story.statements[shared->at];
    for (; shared->at < story.count && str_starts(story.statements[shared->at].text, STR("with "));
         shared->at++) {
        life.now = &story.statements[shared->at];
        if (!do_statement(life.now->text))
            return 1;
    }
    timer_init(&life.timer, on_time);
    if (!start_broker(pool, &err))
        return wrong("the broker does not start: %s", err.text), 1;
    life.since = os_mono();
    if (tell() == FAILED)
        return 1;
    if (!end_broker(&err))
        return wrong("%s", err.text), 1;
    arena_fini(&life.arena);
    run_sim_reset();
    pool_free(pool);
    return 0;
}

/* ---- stories --------------------------------------------------------------------------------------------------------------------------- */

static char *read_file(const char *path)
{
    FILE *file = fopen(path, "r");
    size_t n, capacity = 1 << 20;
    if (file == NULL)
        return NULL;
    char *text = malloc(capacity);
    n = fread(text, 1, capacity - 1, file);
    text[n] = '\0';
    fclose(file);
    return text;
}

/* Cuts the text into statements; comments go. */
static void read_story(char *text)
{
    int line = 0;
    struct statement *last = NULL;
    story.count = 0;
    for (char *next; text && *text; text = next) {
        next = strchr(text, '\n');
        size_t n = next ? (size_t)(next - text) : strlen(text);
        char *comment = memchr(text, '#', n);
        line++;
        next = next ? next + 1 : text + n;
        if (comment) {
            memset(comment, ' ', n - (size_t)(comment - text));
        }
        struct str s = str_trim(str_n(text, n));
        if (s.n == 0)
            continue;
        if (!is_space(*text)) {
            story.statements = realloc(story.statements, (story.count + 1) * sizeof *story.statements);
            last = &story.statements[story.count++];
            *last = (struct statement){line, s};
        } else if (last) {
            last->text.n = (size_t)(s.p + s.n - last->text.p);
        }
    }
}

static bool tell_story(const char *path, uint64_t seed)
{
    char *text = read_file(path);
    bool good = text != NULL;
    story.path = path;
    read_story(text);
    sim_open(seed);
    shared = sim_shared(sizeof *shared);
    shared->auto_create = true;
    shared->partitions = 1;
    shared->advertised[0] = '\0';
    do {
        int status = 0;
        enum sim_end end = sim_life(live, NULL, NULL, &status);
        if (end == SIM_CRASHED && shared->ends_by_power)
            sim_power_cut();
        else if (end == SIM_CRASHED)
            sim_kill();
        good = good && (end == SIM_CRASHED || (end == SIM_RETURNED && status == 0));
    } while (good && shared->at < story.count);
    sim_close();
    free(text);
    if (!good)
        fprintf(stderr, "    with seed %llu\n", (unsigned long long)seed);
    return good;
}

static char **wanted;

static bool is_wanted(const char *path)
{
    for (char **name = wanted; *name; name++)
        if (strstr(path, *name))
            return true;
    return *wanted == NULL;
}

TEST(stories)
{
    const char *source = getenv("SLUICE_SOURCE"), *seeds = getenv("SEEDS"), *first = getenv("SEED");
    char pattern[512];
    glob_t found = {0};
    snprintf(pattern, sizeof pattern, "%s/tests/wire/*.story", source ? source : ".");
    EXPECT(glob(pattern, 0, NULL, &found) == 0 && found.gl_pathc > 0);
    for (size_t i = 0; i < found.gl_pathc; i++) {
        bool good = true;
        uint64_t from = first ? strtoull(first, NULL, 10) : 1;
        for (uint64_t seed = from;
             good && is_wanted(found.gl_pathv[i]) && seed < from + (seeds ? strtoull(seeds, NULL, 10) : 2);
             seed++)
            good = tell_story(found.gl_pathv[i], seed);
        EXPECT(good);
    }
    globfree(&found);
}

int main(int argc, char **argv)
{
    (void)argc;
    wanted = argv + 1;
    RUN(stories);
    free(story.statements);
    return test_end();
}

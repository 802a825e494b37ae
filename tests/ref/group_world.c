#include <ref/group_world.h>

#include <stdio.h>
#include <stdlib.h>

#include "broker/groups_private.h"

/* ---- slots ---------------------------------------------------------------------------------------------------- */

static void on_reply(void *arg, struct groups_call *call, const void *response)
{
    struct world *w = arg;
    struct world_call *c = CONTAINER_OF(call, struct world_call, call);
    CHECK(c->reply == NULL);
    if (c->done)
        c->done(w, c, response);
    if (c->keeps_text) {
        struct sbuf text = {0};
        kafka_print(kafka_api_of(call->api)->response, call->version, response, SIZE_MAX, &text);
        c->reply = text.p;
        return;
    }
    /* A response that cannot be encoded is a mistake, too. */
    struct kafka_out out = {0};
    struct err err;
    if (!kafka_encode(kafka_api_of(call->api)->response, call->version, response, &out, &err)) {
        fprintf(stderr, "a response cannot be encoded: %s\n", err.text);
        abort();
    }
    kafka_out_fini(&out);
    list_remove(&c->link);
    arena_fini(&c->arena);
    mem_free(c);
}

static void on_persist(void *arg, const struct groups_write *write)
{
    struct world *w = arg;
    w->writes = mem_grow(w->writes, &w->writes_capacity, w->writes_count + 1, sizeof *w->writes);
    struct world_write *to = &w->writes[w->writes_count++];
    *to = (struct world_write){.token = write->token, .count = write->records_count};
    to->records = mem_new_array(struct world_record, write->records_count);
    for (uint32_t i = 0; i < write->records_count; i++)
        to->records[i] = (struct world_record){.producer_id = write->producer_id,
                                               .key = str_keep(write->records[i].key),
                                               .value = str_keep(write->records[i].value)};
}

static bool give(const struct world_topic *from, struct groups_topic *topic)
{
    *topic = (struct groups_topic){str_of(from->name), from->id, from->partitions};
    return true;
}

static bool on_topic_by_name(void *arg, struct str name, struct groups_topic *topic)
{
    struct world *w = arg;
    for (uint32_t i = 0; i < w->topics_count; i++)
        if (str_is(name, w->topics[i].name))
            return give(&w->topics[i], topic);
    return false;
}

static bool on_topic_by_id(void *arg, const struct kafka_uuid *id, struct groups_topic *topic)
{
    struct world *w = arg;
    for (uint32_t i = 0; i < w->topics_count; i++)
        if (uuid_eq(id, &w->topics[i].id))
            return give(&w->topics[i], topic);
    return false;
}

static bool on_topic_next(void *arg, size_t *at, struct groups_topic *topic)
{
    struct world *w = arg;
    return *at < w->topics_count && give(&w->topics[(*at)++], topic);
}

static void on_random(void *arg, void *out, size_t n)
{
    for (size_t i = 0; i < n; i++)
        ((uint8_t *)out)[i] = (uint8_t)world_random(arg);
}

const struct groups_slots world_slots = {
    .reply = on_reply,
    .persist = on_persist,
    .topic_by_name = on_topic_by_name,
    .topic_by_id = on_topic_by_id,
    .topic_next = on_topic_next,
    .random = on_random,
};

/* ---- life ----------------------------------------------------------------------------------------------------- */

uint64_t world_random(struct world *w)
{
    uint64_t z = (w->random += UINT64_C(0x9E3779B97F4A7C15)); /* splitmix64 */
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return z ^ (z >> 31);
}

uint32_t world_below(struct world *w, uint32_t n)
{
    return (uint32_t)(world_random(w) % n);
}

struct groups_time world_time(const struct world *w)
{
    return (struct groups_time){.mono = {w->now_ms * NS_PER_MS},
                                .wall = {(w->now_ms + INT64_C(1700000000000)) * US_PER_MS}};
}

void world_init_loading(struct world *w)
{
    *w = (struct world){.config = groups_config_default, .now_ms = 1000000, .random = 1};
    list_init(&w->calls);
    w->groups = groups_new(&w->config, &world_slots, w);
}

void world_init(struct world *w)
{
    world_init_loading(w);
    groups_loaded(w->groups, world_time(w));
}

static void records_free(struct world_record *records, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        str_drop(&records[i].key);
        str_drop(&records[i].value);
    }
    mem_free(records);
}

static void calls_free(struct world *w)
{
    while (!list_empty(&w->calls)) {
        struct world_call *c = CONTAINER_OF(list_pop_front(&w->calls), struct world_call, link);
        free(c->reply);
        arena_fini(&c->arena);
        mem_free(c);
    }
}

void world_fini(struct world *w)
{
    groups_free(w->groups);
    calls_free(w);
    for (size_t i = 0; i < w->writes_count; i++)
        records_free(w->writes[i].records, w->writes[i].count);
    mem_free(w->writes);
    records_free(w->durable, w->durable_count);
    arena_fini(&w->texts);
}

void world_topic(struct world *w, const char *name, int32_t partitions)
{
    struct world_topic *topic = NULL;
    for (uint32_t i = 0; i < w->topics_count; i++)
        if (strcmp(w->topics[i].name, name) == 0)
            topic = &w->topics[i];
    if (topic == NULL) {
        CHECK(w->topics_count < WORLD_TOPICS_MAX);
        topic = &w->topics[w->topics_count++];
        snprintf(topic->name, sizeof topic->name, "%s", name);
        on_random(w, topic->id.b, sizeof topic->id.b);
    }
    topic->partitions = partitions;
    groups_topics_changed(w->groups);
}

void world_topic_gone(struct world *w, const char *name)
{
    for (uint32_t i = 0; i < w->topics_count; i++) {
        if (strcmp(w->topics[i].name, name) != 0)
            continue;
        struct world_topic gone = w->topics[i];
        w->topics[i] = w->topics[--w->topics_count];
        groups_topic_deleted(w->groups, str_of(gone.name), &gone.id, world_time(w));
        break;
    }
    if (!w->is_lazy)
        world_confirm_all(w);
}

/* ---- calls ---------------------------------------------------------------------------------------------------- */

struct world_call *world_call_new(struct world *w)
{
    struct world_call *c = mem_new(sizeof *c);
    c->call.client_id = STR("c");
    c->call.client_host = STR("/127.0.0.1");
    list_push_back(&w->calls, &c->link);
    return c;
}

void world_serve(struct world *w, struct world_call *call)
{
    groups_serve(w->groups, &call->call, world_time(w));
    if (!w->is_lazy)
        world_confirm_all(w);
}

static struct world_call *send(struct world *w, const char *api_name, int version, const char *format,
                               va_list args) __attribute__((format(printf, 4, 0)));

static struct world_call *send(struct world *w, const char *api_name, int version, const char *format,
                               va_list args)
{
    struct world_call *c = world_call_new(w);
    const struct kafka_api *api = NULL;
    for (int i = 0; i < KAFKA_APIS; i++)
        if (kafka_apis[i].name && strcmp(kafka_apis[i].name, api_name) == 0)
            api = &kafka_apis[i];
    CHECK(api);
    struct sbuf text = {0};
    struct err err;
    sbuf_vprintf(&text, format, args);
    void *request = arena_zalloc(&c->arena, api->request->size);
    /* The arena has the text's copies. */
    if (!kafka_parse(api->request, str_n(arena_dup(&c->arena, text.p, text.n), text.n), &c->arena, request,
                     &err)) {
        fprintf(stderr, "%s: %s\n", text.p, err.text);
        abort();
    }
    sbuf_fini(&text);
    c->keeps_text = true;
    c->call.api = api->key;
    c->call.version = (int16_t)version;
    c->call.request = request;
    world_serve(w, c);
    return c;
}

struct world_call *world_send(struct world *w, const char *api, int version, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    struct world_call *c = send(w, api, version, format, args);
    va_end(args);
    return c;
}

const char *world_answer(const struct world_call *call)
{
    return call->reply ? call->reply : "";
}

const char *world_ask(struct world *w, const char *api, int version, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    struct world_call *c = send(w, api, version, format, args);
    va_end(args);
    return world_answer(c);
}

const char *world_field(struct world *w, const char *answer, const char *name, int n)
{
    char wanted[80];
    snprintf(wanted, sizeof wanted, "%s: ", name);
    const char *at = answer;
    for (int i = 0; i <= n; i++) {
        at = strstr(at, wanted);
        while (at && at > answer && at[-1] != '{' && at[-1] != ' ')
            at = strstr(at + 1, wanted);
        if (at == NULL)
            return "(none)";
        at += strlen(wanted);
    }
    size_t length = *at == '"' ? strcspn(++at, "\"") : strcspn(at, ",]} ");
    return arena_printf(&w->texts, "%.*s", (int)length, at);
}

void world_cancel(struct world *w, struct world_call *call)
{
    groups_cancel(w->groups, &call->call);
    list_remove(&call->link);
    arena_fini(&call->arena);
    free(call->reply);
    mem_free(call);
}

/* ---- the journal ---------------------------------------------------------------------------------------------- */

static void keep(struct world *w, struct world_record record)
{
    w->durable = mem_grow(w->durable, &w->durable_capacity, w->durable_count + 1, sizeof *w->durable);
    w->durable[w->durable_count++] = record;
}

void world_keep(struct world *w, int64_t producer_id, struct str key, struct str value)
{
    keep(w,
         (struct world_record){.producer_id = producer_id, .key = str_keep(key), .value = str_keep(value)});
}

static struct world_write take(struct world *w)
{
    struct world_write write = w->writes[0];
    w->writes_count--;
    memmove(w->writes, w->writes + 1, w->writes_count * sizeof *w->writes);
    return write;
}

void world_confirm(struct world *w, bool ok)
{
    struct world_write write = take(w);
    if (ok) {
        for (uint32_t i = 0; i < write.count; i++)
            keep(w, write.records[i]);
        mem_free(write.records);
    } else {
        records_free(write.records, write.count);
    }
    groups_persisted(w->groups, write.token, ok, world_time(w));
}

void world_confirm_all(struct world *w)
{
    while (w->writes_count)
        world_confirm(w, true);
}

void world_advance(struct world *w, int64_t ms)
{
    int64_t until = w->now_ms + ms;
    struct mono_time at;
    while (groups_next_deadline(w->groups, &at) && at.ns / NS_PER_MS <= until) {
        if (at.ns / NS_PER_MS > w->now_ms)
            w->now_ms = at.ns / NS_PER_MS;
        groups_tick(w->groups, world_time(w));
        if (!w->is_lazy)
            world_confirm_all(w);
    }
    w->now_ms = until;
}

static void load(struct world *w, struct groups *groups)
{
    for (size_t i = 0; i < w->durable_count; i++) {
        const struct world_record *r = &w->durable[i];
        struct err err;
        if (r->marker) {
            groups_txn_completed(groups, r->producer_id, r->marker == 1, world_time(w));
        } else if (!groups_load(groups, r->producer_id, r->key, r->value, &err)) {
            fprintf(stderr, "could not load: %s\n", err.text);
            abort();
        }
    }
    groups_loaded(groups, world_time(w));
}

void world_restart(struct world *w, size_t keeps)
{
    groups_free(w->groups);
    calls_free(w);
    for (size_t n = 0; w->writes_count; n++) {
        struct world_write write = take(w);
        for (uint32_t i = 0; n < keeps && i < write.count; i++)
            keep(w, write.records[i]);
        if (n < keeps)
            mem_free(write.records);
        else
            records_free(write.records, write.count);
    }
    w->groups = groups_new(&w->config, &world_slots, w);
    load(w, w->groups);
}

void world_end_txn(struct world *w, int64_t producer_id, bool committed)
{
    world_confirm_all(w); /* the marker is in the same journal */
    keep(w, (struct world_record){.producer_id = producer_id, .marker = committed ? 1 : 2});
    groups_txn_completed(w->groups, producer_id, committed, world_time(w));
}

/* ---- what is there, and what a restart would make of it -------------------------------------------------------- */

struct dump {
    struct sbuf *lines;
    size_t count, capacity;
};

/* Of a classic group what its generation is; when its state began, and time-outs that changed since, are not written again. */
static void print_classic(struct str value, struct sbuf *line)
{
    struct kafka_group_metadata_value v;
    struct arena arena = {0};
    struct rd r = rd_of(value.p, value.n);
    int version;
    CHECK(kafka_versioned_decode(&kafka_group_metadata_value, &r, &arena, &version, &v, NULL));
    sbuf_printf(line, "generation %d protocol %.*s leader %.*s", v.generation, STR_ARG(v.protocol),
                STR_ARG(v.leader));
    for (uint32_t i = 0; i < v.members_count; i++) {
        sbuf_char(line, '\n');
        sbuf_str(line, v.members[i].member_id);
        sbuf_char(line, ' ');
        sbuf_str(line, v.members[i].assignment);
    }
    arena_fini(&arena);
}

/* Bytes of the key, and then of the value: of many, few are ever printed. */
static void add_line(void *arg, const struct groups_record *record)
{
    struct dump *dump = arg;
    dump->lines = mem_grow(dump->lines, &dump->capacity, dump->count + 1, sizeof *dump->lines);
    struct sbuf *line = &dump->lines[dump->count++];
    *line = (struct sbuf){0};
    sbuf_str(line, record->key);
    if (get_be16(record->key.p) == KEY_CLASSIC)
        print_classic(record->value, line);
    else
        sbuf_str(line, record->value);
}

static int compare_lines(const void *a, const void *b)
{
    return str_cmp(sbuf_view(a), sbuf_view(b));
}

static struct dump dump_of(struct groups *groups)
{
    struct dump dump = {0};
    groups_dump(groups, add_line, &dump);
    if (dump.count)
        qsort(dump.lines, dump.count, sizeof *dump.lines, compare_lines);
    return dump;
}

static void dump_free(struct dump *dump)
{
    for (size_t i = 0; i < dump->count; i++)
        sbuf_fini(&dump->lines[i]);
    mem_free(dump->lines);
}

static bool is_classic(const struct sbuf *line)
{
    return get_be16(line->p) == KEY_CLASSIC;
}

static void print_line(const char *label, const struct sbuf *line)
{
    struct sbuf text = {0};
    if (line)
        sbuf_json(&text, sbuf_view(line));
    fprintf(stderr, "%s %s\n", label, line ? text.p : "(nothing)");
    sbuf_fini(&text);
}

/* A classic group between generations, or one whose last member has just gone, is not what is durable of it. */
static bool same_dumps(const struct dump *live, const struct dump *loaded)
{
    size_t i = 0, k = 0;
    for (;;) {
        while (i < live->count && is_classic(&live->lines[i]) &&
               str_find(sbuf_view(&live->lines[i]), STR("\n"), 0) == SIZE_MAX)
            i++;
        while (k < loaded->count && is_classic(&loaded->lines[k]) &&
               (i >= live->count || compare_lines(&loaded->lines[k], &live->lines[i]) != 0))
            k++;
        if (i >= live->count || k >= loaded->count || compare_lines(&live->lines[i], &loaded->lines[k]) != 0)
            break;
        i++;
        k++;
    }
    if (i >= live->count && k >= loaded->count)
        return true;
    print_line("alive: ", i < live->count ? &live->lines[i] : NULL);
    print_line("loaded:", k < loaded->count ? &loaded->lines[k] : NULL);
    return false;
}

bool world_check(struct world *w)
{
    struct err err;
    if (!groups_check(w->groups, &err)) {
        fprintf(stderr, "groups_check: %s\n", err.text);
        return false;
    }
    if (w->writes_count)
        return true;
    struct groups *loaded = groups_new(&w->config, &world_slots, w);
    load(w, loaded);
    struct dump a = dump_of(w->groups), b = dump_of(loaded);
    bool same = same_dumps(&a, &b);
    if (!groups_check(loaded, &err)) {
        fprintf(stderr, "groups_check of what was loaded: %s\n", err.text);
        same = false;
    }
    dump_free(&a);
    dump_free(&b);
    groups_free(loaded);
    return same;
}

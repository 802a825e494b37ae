#include "ref/random_avro.h"

#include <stdlib.h>

struct maker {
    struct rng shape;  /* the same for writer and reader */
    struct rng change; /* the reader's own */
    unsigned changes;
    unsigned names;
    struct sbuf *out;
};

static void make_type(struct maker *m, unsigned depth, bool in_union);

static bool is_changed(struct maker *m)
{
    return m->changes > 0 && rng_one_in(&m->change, m->changes);
}

static void make_simple(struct maker *m)
{
    static const char *const texts[] = {
        "\"boolean\"",
        "\"int\"",
        "\"long\"",
        "\"float\"",
        "\"double\"",
        "\"bytes\"",
        "\"string\"",
        "\"null\"",
        "{\"type\":\"int\",\"logicalType\":\"date\"}",
        "{\"type\":\"int\",\"logicalType\":\"time-millis\"}",
        "{\"type\":\"long\",\"logicalType\":\"timestamp-millis\"}",
        "{\"type\":\"long\",\"logicalType\":\"timestamp-micros\"}",
        "{\"type\":\"long\",\"logicalType\":\"timestamp-nanos\"}",
        "{\"type\":\"long\",\"logicalType\":\"local-timestamp-millis\"}",
        "{\"type\":\"long\",\"logicalType\":\"local-timestamp-micros\"}",
        "{\"type\":\"bytes\",\"logicalType\":\"decimal\",\"precision\":9,\"scale\":2}",
        "{\"type\":\"bytes\",\"logicalType\":\"decimal\",\"precision\":38,\"scale\":10}",
        "{\"type\":\"string\",\"logicalType\":\"uuid\"}",
    };
    static const char *const promoted[] = {
        [1] = "\"long\"", [2] = "\"double\"", [3] = "\"double\"", [5] = "\"string\"", [6] = "\"bytes\""};
    uint64_t i = rng_below(&m->shape, sizeof texts / sizeof *texts);
    bool other = is_changed(m) && i < sizeof promoted / sizeof *promoted && promoted[i] != NULL;
    sbuf_cstr(m->out, other ? promoted[i] : texts[i]);
}

static void make_named(struct maker *m)
{
    unsigned name = m->names++;
    switch (rng_below(&m->shape, 5)) {
    case 0:
    case 1:
        sbuf_printf(
            m->out,
            "{\"type\":\"enum\",\"name\":\"E%u\",\"symbols\":[\"A\",\"B\",\"LONGER_THAN_A_VIEW\"%s]%s}", name,
            is_changed(m) ? ",\"NEW\"" : "", is_changed(m) ? ",\"default\":\"B\"" : "");
        return;
    case 2:
        sbuf_printf(m->out, "{\"type\":\"fixed\",\"name\":\"F%u\",\"size\":%u}", name,
                    (unsigned)rng_below(&m->shape, 20));
        return;
    case 3:
        sbuf_printf(m->out, "{\"type\":\"fixed\",\"name\":\"F%u\",\"size\":12,\"logicalType\":\"duration\"}",
                    name);
        return;
    default:
        sbuf_printf(m->out, "{\"type\":\"fixed\",\"name\":\"F%u\",\"size\":16,\"logicalType\":\"%s}", name,
                    rng_one_in(&m->shape, 2) ? "uuid\"" : "decimal\",\"precision\":30,\"scale\":3");
        return;
    }
}

static void make_record(struct maker *m, unsigned depth)
{
    sbuf_printf(m->out, "{\"type\":\"record\",\"name\":\"R%u\",\"fields\":[", m->names++);
    uint64_t count = rng_below(&m->shape, 6);
    bool first = true;
    for (uint64_t i = 0; i < count; i++) {
        size_t before = m->out->n;
        sbuf_cstr(m->out, first ? "" : ",");
        if (is_changed(m))
            sbuf_printf(m->out, "{\"name\":\"renamed%d\",\"aliases\":[\"f%d\"],\"type\":", (int)i, (int)i);
        else
            sbuf_printf(m->out, "{\"name\":\"f%d\",\"type\":", (int)i);
        make_type(m, depth - 1, false);
        sbuf_cstr(m->out, "}");
        if (is_changed(m))
            m->out->n = before; /* left out */
        else
            first = false;
    }
    if (is_changed(m))
        sbuf_printf(
            m->out,
            "%s{\"name\":\"added\",\"type\":[\"string\",\"null\"],\"default\":\"longer than a view\"}",
            first ? "" : ",");
    sbuf_cstr(m->out, "]}");
}

static void make_union(struct maker *m, unsigned depth)
{
    if (rng_one_in(&m->shape, 2)) {
        bool null_first = rng_one_in(&m->shape, 2);
        sbuf_cstr(m->out, null_first ? "[\"null\"," : "[");
        make_type(m, depth - 1, true);
        sbuf_cstr(m->out, null_first ? "]" : ",\"null\"]");
        return;
    }
    static const char *const texts[] = {"[\"int\",\"string\",\"null\"]", "[\"int\",\"long\"]",
                                        "[\"null\",\"double\",\"float\"]", "[\"boolean\"]"};
    if (rng_one_in(&m->shape, 2)) {
        sbuf_cstr(m->out, texts[rng_below(&m->shape, sizeof texts / sizeof *texts)]);
        return;
    }
    sbuf_cstr(m->out, "[\"string\",");
    make_record(m, depth - 1);
    sbuf_cstr(m->out, ",{\"type\":\"array\",\"items\":");
    make_type(m, depth - 1, false);
    sbuf_cstr(m->out, "}]");
}

/* in_union: neither a union nor null. */
static void make_type(struct maker *m, unsigned depth, bool in_union)
{
    uint64_t kind = rng_below(&m->shape, depth > 1 ? 8 : 4);
    bool nullable = !in_union && kind < 4 && is_changed(m);
    size_t before = m->out->n;
    switch (kind) {
    case 0:
    case 1:
    case 2: make_simple(m); break;
    case 3: make_named(m); break;
    case 4: make_record(m, depth); break;
    case 5:
    case 6:
        sbuf_cstr(m->out, kind == 5 ? "{\"type\":\"array\",\"items\":" : "{\"type\":\"map\",\"values\":");
        make_type(m, depth - 1, false);
        sbuf_cstr(m->out, "}");
        break;
    default:
        if (in_union)
            make_record(m, depth);
        else
            make_union(m, depth);
        break;
    }
    if (in_union && str_is(str_n(m->out->p + before, m->out->n - before), "\"null\"")) {
        m->out->n = before;
        sbuf_cstr(m->out, "\"int\"");
    }
    if (nullable && !str_is(str_n(m->out->p + before, m->out->n - before), "\"null\"")) {
        sbuf_cstr(m->out, ",\"null\"]");
        sbuf_reserve(m->out, 1);
        memmove(m->out->p + before + 1, m->out->p + before, m->out->n - before);
        m->out->p[before] = '[';
        m->out->n++;
    }
}

void random_avro(uint64_t seed, unsigned depth, unsigned change, struct sbuf *out)
{
    struct maker m = {.shape = {seed}, .change = {seed ^ 0x5EED}, .changes = change, .out = out};
    make_record(&m, depth);
}

const struct avro_schema *random_avro_parse(struct arena *arena, uint64_t seed, unsigned depth,
                                            unsigned change)
{
    struct sbuf text = {0};
    const struct schema *schema;
    struct err err = {0};
    random_avro(seed, depth, change, &text);
    struct str copy = str_n(arena_dup(arena, text.p, text.n), text.n);
    sbuf_fini(&text);
    if (!schema_parse(arena, &(struct schema_source){.text = copy}, &schema, &err))
        check_failed(__FILE__, __LINE__, err.text);
    return schema_avro(schema);
}

#include <ref/random_proto.h>

#include "base/bytes.h"

enum { MESSAGES_MAX = 4, FIELDS_MAX = 8, TAGS = 20 };

static const char *const scalars[] = {"double",   "float",    "int64",  "uint64", "int32", "fixed64",
                                      "fixed32",  "bool",     "string", "string", "bytes", "uint32",
                                      "sfixed32", "sfixed64", "sint32", "sint64"};
static const char *const known[] = {"google.protobuf.Timestamp",  "google.protobuf.Duration",
                                    "google.protobuf.Struct",     "google.protobuf.Value",
                                    "google.protobuf.Int32Value", "google.protobuf.StringValue",
                                    "google.type.Date",           "google.protobuf.UInt64Value",
                                    "confluent.type.Variant",     "confluent.type.Decimal"};

enum syntax { PROTO2, PROTO3, EDITION };

struct proto_writer {
    struct rng *rng;
    struct sbuf *out;
    enum syntax syntax;
    bool plain;
    unsigned message;          /* that is written */
    unsigned messages, fields; /* so far, of the message: for names and numbers */
    uint32_t tag;
};

static const char *pick(struct rng *rng, const char *const *names, size_t count)
{
    return names[rng_below(rng, count)];
}

static void write_type(struct proto_writer *w)
{
    uint64_t what = rng_below(w->rng, 10);
    unsigned from = w->plain ? w->message + 1 : 0;
    if (what < 5 || (w->plain && (what >= 8 || from >= w->messages)))
        sbuf_cstr(w->out, pick(w->rng, scalars, sizeof scalars / sizeof *scalars));
    else if (what < 6)
        sbuf_cstr(w->out, "E");
    else if (what < 8)
        sbuf_printf(w->out, "M%u", from + (unsigned)rng_below(w->rng, w->messages - from));
    else
        sbuf_cstr(w->out, pick(w->rng, known, sizeof known / sizeof *known));
}

static uint32_t next_tag(struct proto_writer *w)
{
    return w->tag += rng_one_in(w->rng, 8) ? 1 + (uint32_t)rng_below(w->rng, 20) : 1;
}

static void write_map(struct proto_writer *w)
{
    static const char *const keys[] = {"string", "int32", "bool", "uint64", "sfixed32"};
    sbuf_printf(w->out, "map<%s, ", pick(w->rng, keys, sizeof keys / sizeof *keys));
    write_type(w);
    sbuf_printf(w->out, "> f%u = %u;\n", w->fields++, next_tag(w));
}

static void write_group(struct proto_writer *w, const char *label)
{
    sbuf_printf(w->out, "%sgroup G%u = %u { optional int32 x = 1; repeated string y = 2; }\n", label,
                w->fields++, next_tag(w));
}

static void write_field(struct proto_writer *w)
{
    static const char *const labels[][4] = {{"optional ", "optional ", "repeated ", "required "},
                                            {"", "", "optional ", "repeated "},
                                            {"", "", "", "repeated "}};
    const char *label = labels[w->syntax][rng_below(w->rng, 4)];
    if (!w->plain && rng_one_in(w->rng, 8)) {
        write_map(w);
        return;
    }
    if (w->syntax == PROTO2 && rng_one_in(w->rng, 10)) {
        write_group(w, label);
        return;
    }
    if (strcmp(label, "required ") == 0 && !rng_one_in(w->rng, 4))
        label = "optional ";
    sbuf_cstr(w->out, label);
    size_t from = w->out->n;
    write_type(w);
    struct str type = str_n(w->out->p + from, w->out->n - from);
    bool is_message = type.p[0] == 'M' || memchr(type.p, '.', type.n) != NULL;
    bool is_decimal = str_is(type, "confluent.type.Decimal");
    bool is_number = !is_message && !str_is(type, "string") && !str_is(type, "bytes");
    sbuf_printf(w->out, " f%u = %u", w->fields++, next_tag(w));
    if (is_decimal)
        sbuf_cstr(
            w->out,
            " [(confluent.field_meta) = {params: [{key: \"precision\", value: \"20\"}, {key: \"scale\", "
            "value: \"4\"}]}]");
    else if (w->syntax == EDITION && is_message && rng_one_in(w->rng, 3))
        sbuf_cstr(w->out, " [features.message_encoding = DELIMITED]");
    else if (w->syntax == EDITION && !is_message && label[0] != 'r' && rng_one_in(w->rng, 3))
        sbuf_cstr(w->out, " [features.field_presence = IMPLICIT]");
    else if (w->syntax != EDITION && is_number && label[0] == 'r' && label[2] == 'p' && rng_one_in(w->rng, 3))
        sbuf_cstr(w->out, w->syntax == PROTO2 ? " [packed = true]" : " [packed = false]");
    sbuf_cstr(w->out, ";\n");
}

static void write_oneof(struct proto_writer *w)
{
    sbuf_printf(w->out, "oneof o%u {\n", w->fields);
    for (uint64_t i = 1 + rng_below(w->rng, 3); i > 0; i--) {
        write_type(w);
        sbuf_printf(w->out, " f%u = %u;\n", w->fields++, next_tag(w));
    }
    sbuf_cstr(w->out, "}\n");
}

void random_proto(struct rng *rng, bool plain, struct sbuf *out)
{
    static const char *const heads[] = {"syntax = \"proto2\";\n", "syntax = \"proto3\";\n",
                                        "edition = \"2023\";\n"};
    struct proto_writer w = {
        .rng = rng, .out = out, .syntax = (enum syntax)rng_below(rng, 3), .plain = plain};
    w.messages = 1 + (unsigned)rng_below(rng, MESSAGES_MAX);
    sbuf_cstr(out, heads[w.syntax]);
    static const char *const files[] = {"google/protobuf/timestamp", "google/protobuf/duration",
                                        "google/protobuf/struct",    "google/protobuf/wrappers",
                                        "google/type/date",          "confluent/type/decimal",
                                        "confluent/type/variant",    "confluent/meta"};
    for (size_t i = 0; !plain && i < sizeof files / sizeof *files; i++)
        sbuf_printf(out, "import \"%s.proto\";\n", files[i]);
    for (unsigned i = 0; i < w.messages; i++) {
        w.message = i;
        w.fields = w.tag = 0;
        sbuf_printf(out, "message M%u {\n", i);
        for (uint64_t k = 1 + rng_below(rng, FIELDS_MAX); k > 0; k--)
            if (rng_one_in(rng, 8))
                write_oneof(&w);
            else
                write_field(&w);
        sbuf_cstr(out, "}\n");
    }
    sbuf_cstr(out, "enum E { ZERO = 0; ONE = 1; ANOTHERONETHATISLONG = 2; FAR = 100; }\n");
}

static void put_number(struct sbuf *out, uint64_t value)
{
    uint8_t bytes[VARINT_MAX];
    sbuf_add(out, bytes, put_uvarint(bytes, value));
}

void random_proto_bytes(struct rng *rng, unsigned depth, struct sbuf *out)
{
    static const unsigned wires[] = {0, 0, 0, 1, 2, 2, 2, 2, 5, 3};
    for (uint64_t i = rng_below(rng, 12); i > 0; i--) {
        uint64_t tag = 1 + rng_below(rng, TAGS), word = rng_next(rng) >> rng_below(rng, 64);
        unsigned wire = wires[rng_below(rng, sizeof wires / sizeof *wires)];
        struct sbuf inner = {0};
        put_number(out, tag << 3 | wire);
        if (wire == 0)
            put_number(out, word);
        else if (wire == 1 || wire == 5)
            sbuf_add(out, &word, wire == 1 ? 8 : 4);
        if (wire == 0 || wire == 1 || wire == 5)
            continue;
        if (depth > 0 && !rng_one_in(rng, 3))
            random_proto_bytes(rng, depth - 1, &inner);
        else if (wire == 2)
            for (uint64_t n = rng_below(rng, 24); n > 0; n--)
                sbuf_char(&inner, (char)(1 + rng_below(rng, 120)));
        if (wire == 2) {
            put_number(out, inner.n);
            sbuf_str(out, sbuf_view(&inner));
        } else {
            sbuf_str(out, sbuf_view(&inner));
            put_number(out, tag << 3 | 4);
        }
        sbuf_fini(&inner);
    }
}

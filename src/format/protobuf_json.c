/* google.protobuf.Struct, Value and ListValue, which are JSON in Protobuf's encoding, and JSON text.
 *
 *   Struct     1: repeated { 1: name, 2: Value }          ListValue  1: repeated Value
 *   Value      one of 1: null  2: double  3: string  4: bool  5: Struct  6: ListValue */
#include <math.h>

#include "base/bytes.h"
#include "base/utf8.h"
#include "format/protobuf_private.h"
#include "json/tree.h"

enum shape { SHAPE_VALUE, SHAPE_STRUCT, SHAPE_LIST };

static enum shape shape_of(const char *message)
{
    const char *name = strrchr(message, '.') + 1;
    return strcmp(name, "Struct") == 0      ? SHAPE_STRUCT
           : strcmp(name, "ListValue") == 0 ? SHAPE_LIST
                                            : SHAPE_VALUE;
}

const char *protobuf_empty_json(const char *message)
{
    static const char *const texts[] = {"null", "{}", "[]"};
    return texts[shape_of(message)];
}

/* ---- to text -------------------------------------------------------------------------------------------------------------- */

struct to_text {
    struct sbuf *out;
    unsigned depth;
    const char *reason;
};

static bool write_shape(struct to_text *w, enum shape shape, struct str bytes);

static bool bad(struct to_text *w, const char *reason)
{
    w->reason = reason;
    return false;
}

/* One field of a message; p past it. bytes: of wire type BYTES; number: of the others. */
struct item {
    uint32_t key;
    struct str bytes;
    uint64_t number;
};

static bool next_item(struct to_text *w, const uint8_t **p, const uint8_t *end, struct item *item)
{
    const uint8_t *at = protobuf_tag(*p, end, &item->key, &w->reason), *next;
    if (at == NULL || (next = protobuf_skip(at, end, item->key, NULL, &w->reason)) == NULL)
        return false;
    *p = next;
    item->number = 0;
    switch (item->key & 7) {
    case WIRE_BYTES:
        at = protobuf_varint(at, next, &item->number);
        item->bytes = str_n(at, (size_t)(next - at));
        break;
    case WIRE_VARINT: protobuf_varint(at, next, &item->number); break;
    case WIRE_FIXED64: item->number = get_le64(at); break;
    default: break;
    }
    return true;
}

static bool write_text(struct to_text *w, struct str text)
{
    if (!utf8_valid(text.p, text.n))
        return bad(w, "a string is not UTF-8");
    sbuf_json(w->out, text);
    return true;
}

static void write_number(struct sbuf *out, uint64_t bits)
{
    double number;
    char text[32];
    memcpy(&number, &bits, sizeof number);
    if (isfinite(number))
        sbuf_add(out, text, str_from_f64(number, text));
    else
        sbuf_cstr(out, isnan(number) ? "\"NaN\"" : number > 0 ? "\"Infinity\"" : "\"-Infinity\"");
}

static bool write_value(struct to_text *w, struct str bytes)
{
    const uint8_t *p = (const uint8_t *)bytes.p, *end = p + bytes.n;
    struct item item, last = {0};
    while (p < end) {
        TRY(next_item(w, &p, end, &item));
        static const uint8_t wires[] = {WIRE_VARINT, WIRE_FIXED64, WIRE_BYTES,
                                        WIRE_VARINT, WIRE_BYTES,   WIRE_BYTES};
        uint32_t number = item.key >> 3;
        if (number <= sizeof wires && wires[number - 1] == (item.key & 7))
            last = item; /* of a oneof the last one counts */
    }
    switch (last.key >> 3) {
    case 2: write_number(w->out, last.number); return true;
    case 3: return write_text(w, last.bytes);
    case 4: sbuf_cstr(w->out, last.number != 0 ? "true" : "false"); return true;
    case 5: return write_shape(w, SHAPE_STRUCT, last.bytes);
    case 6: return write_shape(w, SHAPE_LIST, last.bytes);
    default: sbuf_cstr(w->out, "null"); return true;
    }
}

static bool write_pair(struct to_text *w, struct str bytes)
{
    const uint8_t *p = (const uint8_t *)bytes.p, *end = p + bytes.n;
    struct str name = STR(""), value = STR("");
    while (p < end) {
        struct item item;
        TRY(next_item(w, &p, end, &item));
        if (item.key == (1 << 3 | WIRE_BYTES))
            name = item.bytes;
        else if (item.key == (2 << 3 | WIRE_BYTES))
            value = item.bytes;
    }
    TRY(write_text(w, name));
    sbuf_char(w->out, ':');
    return write_shape(w, SHAPE_VALUE, value);
}

static bool write_shape(struct to_text *w, enum shape shape, struct str bytes)
{
    const uint8_t *p = (const uint8_t *)bytes.p, *end = p + bytes.n;
    bool is_first = true;
    if (w->depth == PROTOBUF_SKIP_DEPTH_MAX)
        return bad(w, "values are nested too deeply");
    w->depth++;
    if (shape == SHAPE_VALUE) {
        TRY(write_value(w, bytes));
        w->depth--;
        return true;
    }
    sbuf_char(w->out, shape == SHAPE_LIST ? '[' : '{');
    while (p < end) {
        struct item item;
        TRY(next_item(w, &p, end, &item));
        if (item.key != (1 << 3 | WIRE_BYTES))
            continue;
        if (!is_first)
            sbuf_char(w->out, ',');
        is_first = false;
        TRY(shape == SHAPE_LIST ? write_shape(w, SHAPE_VALUE, item.bytes) : write_pair(w, item.bytes));
    }
    sbuf_char(w->out, shape == SHAPE_LIST ? ']' : '}');
    w->depth--;
    return true;
}

bool protobuf_to_json(struct str bytes, const char *message, struct sbuf *out, const char **reason)
{
    struct to_text w = {.out = out};
    if (write_shape(&w, shape_of(message), bytes))
        return true;
    *reason = w.reason;
    return false;
}

/* ---- from text ------------------------------------------------------------------------------------------------------------ */

/* A length is known behind what it counts: that moves up by what the length takes more than the one byte kept for it. */
static size_t open_body(struct sbuf *out, uint32_t number)
{
    sbuf_char(out, (char)(number << 3 | WIRE_BYTES));
    sbuf_char(out, '\0');
    return out->n;
}

static void close_body(struct sbuf *out, size_t from)
{
    size_t n = out->n - from, more = uvarint_size(n) - 1;
    if (more > 0) {
        sbuf_reserve(out, more);
        memmove(out->p + from + more, out->p + from, n);
        sbuf_added(out, more);
    }
    put_uvarint((uint8_t *)out->p + from - 1, n);
}

static void add_text(struct sbuf *out, uint32_t number, struct str text)
{
    size_t from = open_body(out, number);
    sbuf_str(out, text);
    close_body(out, from);
}

/* Depth: JSON_TREE_DEPTH_MAX, set by the parser's limit. */
static void add_node(struct sbuf *out, enum shape shape, const struct json_node *node)
{
    uint8_t bits[8];
    double number = 0;
    uint64_t word;
    size_t from, value;
    if (shape == SHAPE_STRUCT) {
        JSON_EACH(member, node)
        {
            from = open_body(out, 1);
            add_text(out, 1, member->name);
            value = open_body(out, 2);
            add_node(out, SHAPE_VALUE, member);
            close_body(out, value);
            close_body(out, from);
        }
        return;
    }
    if (shape == SHAPE_LIST) {
        JSON_EACH(element, node)
        {
            from = open_body(out, 1);
            add_node(out, SHAPE_VALUE, element);
            close_body(out, from);
        }
        return;
    }
    switch (node->kind) {
    case JSON_NULL: sbuf_add(out, "\x08\x00", 2); break;
    case JSON_BOOLEAN: sbuf_add(out, node->boolean ? "\x20\x01" : "\x20\x00", 2); break;
    case JSON_NUMBER:
        str_to_f64(node->text, &number);
        memcpy(&word, &number, sizeof word);
        put_le64(bits, word);
        sbuf_char(out, 2 << 3 | WIRE_FIXED64);
        sbuf_add(out, bits, sizeof bits);
        break;
    case JSON_STRING: add_text(out, 3, node->text); break;
    case JSON_OBJECT:
    case JSON_ARRAY:
        from = open_body(out, node->kind == JSON_OBJECT ? 5 : 6);
        add_node(out, node->kind == JSON_OBJECT ? SHAPE_STRUCT : SHAPE_LIST, node);
        close_body(out, from);
        break;
    }
}

const char *protobuf_from_json(struct str json, const char *message, struct arena *scratch, struct sbuf *out)
{
    const struct json_node *root;
    struct err err = {0};
    enum shape shape = shape_of(message);
    if (!json_parse_as(scratch, json, false, PROTOBUF_SKIP_DEPTH_MAX / 2 - 1, &root, &err))
        return err.class == ERR_DATA ? "a text is no JSON" : "there is no memory for a text";
    if ((shape == SHAPE_STRUCT && root->kind != JSON_OBJECT) ||
        (shape == SHAPE_LIST && root->kind != JSON_ARRAY))
        return shape == SHAPE_STRUCT ? "a text is no JSON object" : "a text is no JSON array";
    add_node(out, shape, root);
    return NULL;
}

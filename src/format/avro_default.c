/* Defaults: a JSON value of a schema, as Avro's binary encoding has it. A decoder reads it like any other value, an encoder copies it. */
#include "base/bytes.h"
#include "base/utf8.h"
#include "format/avro_private.h"

enum { DEPTH_MAX = 64, STEPS_MAX = 1 << 16 };

struct writer {
    struct sbuf *out;
    uint32_t steps; /* values so far: defaults inside of defaults may be many more than a schema has bytes */
};

static bool write_value(struct writer *w, const struct avro_type *type, const struct json_node *node,
                        unsigned depth);

static void write_long(struct sbuf *out, int64_t value)
{
    sbuf_added(out, put_varint((uint8_t *)sbuf_reserve(out, VARINT_MAX), value));
}

static bool write_integer(const struct avro_type *type, const struct json_node *node, struct sbuf *out)
{
    int64_t value;
    if (node->kind != JSON_NUMBER || !str_to_i64(node->text, &value) ||
        (type->kind == AVRO_INT && value != (int32_t)value))
        return false;
    write_long(out, value);
    return true;
}

static bool write_float(const struct avro_type *type, const struct json_node *node, struct sbuf *out)
{
    double value;
    bool is_text = node->kind == JSON_STRING &&
                   (str_is(node->text, "NaN") || str_is(node->text, "Infinity") ||
                    str_is(node->text, "-Infinity"));
    if ((node->kind != JSON_NUMBER && !is_text) || !str_to_f64(node->text, &value))
        return false;
    float narrow = (float)value;
    sbuf_add(out, type->kind == AVRO_FLOAT ? (void *)&narrow : &value, type->kind == AVRO_FLOAT ? 4 : 8);
    return true;
}

/* Each character is a byte. */
static bool write_latin1(const struct avro_type *type, const struct json_node *node, struct sbuf *out)
{
    uint32_t code;
    size_t start = out->n;
    if (node->kind != JSON_STRING)
        return false;
    if (type->kind == AVRO_BYTES)
        write_long(out, (int64_t)utf8_length(node->text.p, node->text.n));
    for (size_t at = 0; at < node->text.n;) {
        size_t n = utf8_decode(node->text.p + at, node->text.n - at, &code);
        if (n == 0 || code > 0xFF)
            return false;
        sbuf_char(out, (char)code);
        at += n;
    }
    return type->kind == AVRO_BYTES || out->n - start == type->size;
}

/* Items without their names, or with. */
static bool write_items(struct writer *w, const struct avro_type *type, const struct json_node *node,
                        unsigned depth)
{
    struct sbuf *out = w->out;
    if (node->kind != (type->kind == AVRO_MAP ? JSON_OBJECT : JSON_ARRAY))
        return false;
    if (node->count > 0)
        write_long(out, node->count);
    JSON_EACH(item, node)
    {
        if (type->kind == AVRO_MAP) {
            write_long(out, (int64_t)item->name.n);
            sbuf_str(out, item->name);
        }
        TRY(write_value(w, type->items, item, depth));
    }
    write_long(out, 0);
    return true;
}

static bool write_fields(struct writer *w, const struct avro_type *type, const struct json_node *node,
                         unsigned depth)
{
    if (node->kind != JSON_OBJECT)
        return false;
    for (uint32_t i = 0; i < type->names.count; i++) {
        const struct avro_field *field = &type->fields[i];
        const struct json_node *value = json_member(node, field->name);
        value = value ? value : field->default_value;
        TRY(value != NULL && write_value(w, field->type, value, depth));
    }
    return true;
}

/* The first branch, as it was until 1.12, or else the first that takes it. */
static bool write_union(struct writer *w, const struct avro_type *type, const struct json_node *node,
                        unsigned depth)
{
    struct sbuf *out = w->out;
    size_t start = out->n;
    for (uint32_t i = 0; i < type->names.count; i++) {
        write_long(out, i);
        if (write_value(w, type->types[i], node, depth))
            return true;
        out->n = start;
    }
    return false;
}

static bool write_value(struct writer *w, const struct avro_type *type, const struct json_node *node,
                        unsigned depth)
{
    struct sbuf *out = w->out;
    int32_t symbol;
    if (depth >= DEPTH_MAX || w->steps++ >= STEPS_MAX)
        return false;
    switch (type->kind) {
    case AVRO_NULL: return node->kind == JSON_NULL;
    case AVRO_BOOLEAN: sbuf_char(out, node->boolean); return node->kind == JSON_BOOLEAN;
    case AVRO_INT:
    case AVRO_LONG: return write_integer(type, node, out);
    case AVRO_FLOAT:
    case AVRO_DOUBLE: return write_float(type, node, out);
    case AVRO_BYTES:
    case AVRO_FIXED: return write_latin1(type, node, out);
    case AVRO_STRING:
        if (node->kind != JSON_STRING)
            return false;
        write_long(out, (int64_t)node->text.n);
        sbuf_str(out, node->text);
        return true;
    case AVRO_ENUM:
        symbol = node->kind == JSON_STRING ? avro_names_find(&type->names, node->text) : -1;
        write_long(out, symbol);
        return symbol >= 0;
    case AVRO_ARRAY:
    case AVRO_MAP: return write_items(w, type, node, depth + 1);
    case AVRO_RECORD: return write_fields(w, type, node, depth + 1);
    case AVRO_UNION: return write_union(w, type, node, depth + 1);
    }
    UNREACHABLE("kind of an Avro type");
}

bool avro_default_write(const struct avro_type *type, const struct json_node *node, struct sbuf *out)
{
    struct writer w = {.out = out};
    return write_value(&w, type, node, 0);
}

/* VARIANT, as the Parquet project specifies it (VariantEncoding.md, version 1), from JSON and to JSON.
 *
 *   metadata   header: version 1 | sorted << 4 | (offset size − 1) << 6
 *              count, offsets[count + 1], bytes        integers of `offset size`, little endian
 *   value      header: basic type | more << 2
 *     0 primitive      more = primitive type; then its bytes
 *     1 short string   more = size, up to 63
 *     2 object         more = (offset size − 1) | (id size − 1) << 2 | large << 4; count (1 byte, large: 4),
 *                      ids[count] in the order of their names, offsets[count + 1], values
 *     3 array          more = (offset size − 1) | large << 2; count, offsets[count + 1], values
 *
 * Writing: the members are appended first, then moved up by the size of the header that their sizes ask
 * for. Reading trusts nothing: a struct rd checks every bound. */
#include "format/variant.h"

#include <math.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "base/map.h"
#include "format/json_decode_private.h"
#include "type/cast.h"
#include "json/number.h"
#include "json/tree.h"

enum { BASIC_PRIMITIVE, BASIC_SHORT_STRING, BASIC_OBJECT, BASIC_ARRAY };
enum {
    PRIMITIVE_NULL,
    PRIMITIVE_TRUE,
    PRIMITIVE_FALSE,
    PRIMITIVE_INT8,
    PRIMITIVE_INT16,
    PRIMITIVE_INT32,
    PRIMITIVE_INT64,
    PRIMITIVE_DOUBLE,
    PRIMITIVE_DECIMAL4,
    PRIMITIVE_DECIMAL8,
    PRIMITIVE_DECIMAL16,
    PRIMITIVE_DATE,
    PRIMITIVE_TIMESTAMP,
    PRIMITIVE_TIMESTAMP_NTZ,
    PRIMITIVE_FLOAT,
    PRIMITIVE_BINARY,
    PRIMITIVE_STRING,
    PRIMITIVE_TIME,
    PRIMITIVE_TIMESTAMP_NS,
    PRIMITIVE_TIMESTAMP_NTZ_NS,
    PRIMITIVE_UUID,
};
enum { VARIANT_VERSION = 1, SHORT_STRING_MAX = 63 };

/* ---- writing ------------------------------------------------------------------------------------------- */

struct build {
    struct sbuf value, names; /* names: their bytes, one after another */
    struct map ids;           /* name → uint32_t, in arena */
    uint32_t *offsets;        /* of the names: offsets[count] */
    size_t count, capacity;
    struct arena arena;
    struct err *err;
};

/* A member that has been written. */
struct member {
    struct str name;
    uint32_t id;
    uint32_t offset;
};

static unsigned bytes_for(size_t n)
{
    return n <= 0xFF ? 1 : n <= 0xFFFF ? 2 : n <= 0xFFFFFF ? 3 : 4;
}

static char *put_le(char *to, uint64_t value, unsigned size)
{
    for (unsigned i = 0; i < size; i++)
        *to++ = (char)(value >> (8 * i));
    return to;
}

static void add_primitive(struct build *b, unsigned type, uint64_t value, unsigned size)
{
    char bytes[9] = {(char)(BASIC_PRIMITIVE | type << 2)};
    put_le(bytes + 1, value, size);
    sbuf_add(&b->value, bytes, 1 + size);
}

static void add_string(struct build *b, struct str text)
{
    if (text.n <= SHORT_STRING_MAX)
        sbuf_char(&b->value, (char)(BASIC_SHORT_STRING | text.n << 2));
    else
        add_primitive(b, PRIMITIVE_STRING, text.n, 4);
    sbuf_str(&b->value, text);
}

static void add_integer(struct build *b, int64_t v)
{
    if (v == (int8_t)v)
        add_primitive(b, PRIMITIVE_INT8, (uint64_t)v, 1);
    else if (v == (int16_t)v)
        add_primitive(b, PRIMITIVE_INT16, (uint64_t)v, 2);
    else if (v == (int32_t)v)
        add_primitive(b, PRIMITIVE_INT32, (uint64_t)v, 4);
    else
        add_primitive(b, PRIMITIVE_INT64, (uint64_t)v, 8);
}

static void add_decimal(struct build *b, i128 v, struct decimal_shape shape)
{
    bool fits4 = shape.precision <= 9 && shape.scale <= 9, fits8 = shape.precision <= 18 && shape.scale <= 18;
    unsigned type = fits4 ? PRIMITIVE_DECIMAL4 : fits8 ? PRIMITIVE_DECIMAL8 : PRIMITIVE_DECIMAL16;
    unsigned size = fits4 ? 4 : fits8 ? 8 : 16;
    char bytes[16];
    put_le(bytes, (uint64_t)v, 8);
    put_le(bytes + 8, (uint64_t)(v >> 64), 8);
    add_primitive(b, type, shape.scale, 1);
    sbuf_add(&b->value, bytes, size);
}

static void add_number(struct build *b, struct str text)
{
    struct json_number number = json_number_read(text.p, text.p + text.n);
    struct decimal_shape shape;
    int64_t i;
    i128 decimal;
    double f = 0;
    if (json_number_i64(&number, text.p, &i)) {
        add_integer(b, i);
        return;
    }
    bool has_exponent = memchr(text.p, 'e', text.n) != NULL || memchr(text.p, 'E', text.n) != NULL;
    if (!has_exponent && decimal_parse_exact(text, &decimal, &shape) == DECIMAL_OK) {
        add_decimal(b, decimal, shape);
        return;
    }
    uint64_t bits;
    number_to_f64(text, &f);
    memcpy(&bits, &f, 8);
    add_primitive(b, PRIMITIVE_DOUBLE, bits, 8);
}

static uint32_t name_id(struct build *b, struct str name)
{
    uint32_t *id = map_get(&b->ids, name);
    if (id != NULL)
        return *id;
    b->offsets = mem_grow(b->offsets, &b->capacity, b->count + 1, sizeof *b->offsets);
    b->offsets[b->count++] = (uint32_t)b->names.n;
    sbuf_str(&b->names, name);
    id = arena_new(&b->arena, uint32_t);
    *id = (uint32_t)b->count - 1;
    map_put(&b->ids, name, id);
    return *id;
}

static int by_name(const void *a, const void *b)
{
    return str_cmp(((const struct member *)a)->name, ((const struct member *)b)->name);
}

/* The members lie at `start`; puts the header before them. */
static void add_header(struct build *b, size_t start, const struct member *members, uint32_t count,
                       bool is_object)
{
    size_t data = b->value.n - start;
    unsigned offset_size = bytes_for(data), id_size = is_object ? bytes_for(b->count ? b->count - 1 : 0) : 0;
    bool large = count > 0xFF;
    size_t size = 1 + (large ? 4 : 1) + (size_t)count * id_size + ((size_t)count + 1) * offset_size;
    sbuf_reserve(&b->value, size);
    char *to = b->value.p + start;
    memmove(to + size, to, data);
    unsigned more = is_object ? (offset_size - 1) | (id_size - 1) << 2 | (unsigned)large << 4
                              : (offset_size - 1) | (unsigned)large << 2;
    *to++ = (char)((is_object ? BASIC_OBJECT : BASIC_ARRAY) | more << 2);
    to = put_le(to, count, large ? 4 : 1);
    for (uint32_t i = 0; is_object && i < count; i++)
        to = put_le(to, members[i].id, id_size);
    for (uint32_t i = 0; i < count; i++)
        to = put_le(to, members[i].offset, offset_size);
    put_le(to, data, offset_size);
    sbuf_added(&b->value, size);
}

static bool add_value(struct build *b, const struct json_node *node);

static bool add_nested(struct build *b, const struct json_node *node)
{
    bool is_object = node->kind == JSON_OBJECT;
    struct member *members = arena_array(&b->arena, struct member, node->count);
    size_t start = b->value.n;
    uint32_t count = 0;
    JSON_EACH(child, node)
    {
        uint32_t id = is_object ? name_id(b, child->name) : 0;
        members[count++] = (struct member){child->name, id, (uint32_t)(b->value.n - start)};
        TRY(add_value(b, child));
    }
    if (is_object && count > 1) {
        qsort(members, count, sizeof *members, by_name);
        for (uint32_t i = 1; i < count; i++)
            if (members[i].id == members[i - 1].id)
                return err_set(b->err, ERR_DATA, "a VARIANT object has the name \"%.*s\" twice",
                               STR_ARG(members[i].name));
    }
    add_header(b, start, members, count, is_object);
    return true;
}

/* Depth is bounded by the parser of the tree. */
static bool add_value(struct build *b, const struct json_node *node)
{
    switch (node->kind) {
    case JSON_NULL: add_primitive(b, PRIMITIVE_NULL, 0, 0); break;
    case JSON_BOOLEAN: add_primitive(b, node->boolean ? PRIMITIVE_TRUE : PRIMITIVE_FALSE, 0, 0); break;
    case JSON_NUMBER: add_number(b, node->text); break;
    case JSON_STRING: add_string(b, node->text); break;
    case JSON_ARRAY:
    case JSON_OBJECT: TRY(add_nested(b, node)); break;
    }
    if (b->value.n > VARIANT_SIZE_MAX || b->names.n > VARIANT_SIZE_MAX)
        return err_set(b->err, ERR_DATA, "a VARIANT is larger than %d bytes", VARIANT_SIZE_MAX);
    return true;
}

static struct str metadata_of(const struct build *b, struct arena *arena)
{
    size_t most = b->names.n > b->count ? b->names.n : b->count;
    unsigned size = bytes_for(most);
    size_t n = 1 + size + (b->count + 1) * size + b->names.n;
    char *bytes = arena_alloc(arena, n), *to = bytes;
    *to++ = (char)(VARIANT_VERSION | (size - 1) << 6);
    to = put_le(to, b->count, size);
    for (size_t i = 0; i < b->count; i++)
        to = put_le(to, b->offsets[i], size);
    to = put_le(to, b->names.n, size);
    if (b->names.n > 0)
        memcpy(to, b->names.p, b->names.n);
    return str_n(bytes, n);
}

bool variant_from_json(struct arena *arena, struct str json, struct str *metadata, struct str *value,
                       struct err *err)
{
    struct build b = {.err = err};
    const struct json_node *root;
    bool ok = json_parse(&b.arena, json, &root, err) && add_value(&b, root);
    if (ok) {
        *metadata = metadata_of(&b, arena);
        *value = str_n(arena_dup(arena, b.value.p, b.value.n), b.value.n);
    }
    sbuf_fini(&b.value);
    sbuf_fini(&b.names);
    map_fini(&b.ids);
    mem_free(b.offsets);
    arena_fini(&b.arena);
    return ok;
}

/* ---- reading ------------------------------------------------------------------------------------------- */

struct dictionary {
    struct rd offsets; /* [count + 1] of `size` bytes */
    const uint8_t *bytes;
    size_t bytes_size;
    uint32_t count;
    unsigned size;
};

static uint32_t take_le(struct rd *r, unsigned size)
{
    const uint8_t *p = rd_take(r, size);
    uint32_t v = 0;
    for (unsigned i = 0; p != NULL && i < size; i++)
        v |= (uint32_t)p[i] << (8 * i);
    return v;
}

/* The i-th integer of an array of them. */
static uint32_t le_at(struct rd array, uint32_t i, unsigned size)
{
    rd_take(&array, (size_t)i * size);
    return take_le(&array, size);
}

/* The next count integers, as a reader of their own. */
static struct rd take_array(struct rd *r, size_t count, unsigned size)
{
    const uint8_t *p = rd_take(r, count * size);
    return p ? rd_of(p, count * size) : (struct rd){.bad = true};
}

static bool read_dictionary(struct str metadata, struct dictionary *d)
{
    struct rd r = metadata.n ? rd_of(metadata.p, metadata.n) : (struct rd){.bad = true};
    uint8_t header = rd_u8(&r);
    d->size = (unsigned)(header >> 6) + 1;
    d->count = take_le(&r, d->size);
    d->offsets = take_array(&r, (size_t)d->count + 1, d->size);
    d->bytes_size = rd_left(&r);
    d->bytes = r.p;
    return !r.bad && (header & 0x0F) == VARIANT_VERSION;
}

static bool dictionary_name(const struct dictionary *d, uint32_t id, struct str *name)
{
    if (id >= d->count)
        return false;
    uint32_t from = le_at(d->offsets, id, d->size), to = le_at(d->offsets, id + 1, d->size);
    if (from > to || to > d->bytes_size)
        return false;
    *name = str_n(d->bytes + from, to - from);
    return true;
}

static void write_double(struct sbuf *out, double f, bool is_float)
{
    char text[CAST_F64_MAX];
    if (isnan(f) || isinf(f))
        sbuf_cstr(out, isnan(f) ? "\"NaN\"" : f > 0 ? "\"Infinity\"" : "\"-Infinity\"");
    else
        sbuf_add(out, text, is_float ? cast_f32_to_str((float)f, text) : cast_f64_to_str(f, text));
}

static bool write_decimal(struct rd *r, unsigned size, struct sbuf *out)
{
    uint8_t scale = rd_u8(r);
    const uint8_t *p = rd_take(r, size);
    if (p == NULL || scale > DECIMAL_PRECISION_MAX)
        return false;
    i128 v = size == 4 ? (int32_t)get_le32(p) : (int64_t)get_le64(p);
    if (size == 16)
        v = (i128)((unsigned __int128)get_le64(p + 8) << 64 | get_le64(p));
    if (!decimal_fits(v, DECIMAL_PRECISION_MAX))
        return false;
    char text[DECIMAL_TEXT_MAX];
    sbuf_add(out, text, decimal_to_text(v, scale, text));
    return true;
}

static void write_quoted(struct sbuf *out, const char *text, size_t n)
{
    sbuf_char(out, '"');
    sbuf_add(out, text, n);
    sbuf_char(out, '"');
}

static bool write_bytes(struct rd *r, bool is_text, struct sbuf *out)
{
    uint32_t n = rd_le32(r);
    const uint8_t *p = rd_take(r, n);
    if (p == NULL)
        return false;
    if (is_text) {
        sbuf_json(out, str_n(p, n));
        return true;
    }
    sbuf_char(out, '"');
    char *to = sbuf_reserve(out, ((size_t)n + 2) / 3 * 4 + 1);
    sbuf_added(out, json_base64_encode(p, n, to));
    sbuf_char(out, '"');
    return true;
}

static bool write_time(struct rd *r, unsigned type, struct sbuf *out)
{
    char text[TIMESTAMP_TEXT_MAX];
    bool is_ns = type >= PRIMITIVE_TIMESTAMP_NS;
    bool has_zone = type == PRIMITIVE_TIMESTAMP || type == PRIMITIVE_TIMESTAMP_NS;
    if (type == PRIMITIVE_DATE) {
        write_quoted(out, text, date_to_text((int32_t)rd_le32(r), text));
    } else {
        int64_t value = (int64_t)rd_le64(r);
        write_quoted(out, text,
                     timestamp_to_iso(is_ns ? floor_div(value, 1000) : value, has_zone ? "Z" : NULL, text));
    }
    return !r->bad;
}

static bool write_uuid(struct rd *r, struct sbuf *out)
{
    const uint8_t *p = rd_take(r, 16);
    char hex[33];
    if (p == NULL)
        return false;
    hex_encode(hex, p, 16);
    sbuf_printf(out, "\"%.8s-%.4s-%.4s-%.4s-%.12s\"", hex, hex + 8, hex + 12, hex + 16, hex + 20);
    return true;
}

static bool write_primitive(struct rd *r, unsigned type, struct sbuf *out)
{
    uint64_t bits;
    uint32_t bits32;
    double f;
    float f32;
    switch (type) {
    case PRIMITIVE_NULL: sbuf_cstr(out, "null"); break;
    case PRIMITIVE_TRUE: sbuf_cstr(out, "true"); break;
    case PRIMITIVE_FALSE: sbuf_cstr(out, "false"); break;
    case PRIMITIVE_INT8: sbuf_printf(out, "%d", (int8_t)rd_u8(r)); break;
    case PRIMITIVE_INT16: sbuf_printf(out, "%d", (int16_t)rd_le16(r)); break;
    case PRIMITIVE_INT32: sbuf_printf(out, "%d", (int32_t)rd_le32(r)); break;
    case PRIMITIVE_INT64: sbuf_printf(out, "%lld", (long long)rd_le64(r)); break;
    case PRIMITIVE_DOUBLE:
        bits = rd_le64(r);
        memcpy(&f, &bits, 8);
        write_double(out, f, false);
        break;
    case PRIMITIVE_FLOAT:
        bits32 = rd_le32(r);
        memcpy(&f32, &bits32, 4);
        write_double(out, (double)f32, true);
        break;
    case PRIMITIVE_DECIMAL4: return write_decimal(r, 4, out);
    case PRIMITIVE_DECIMAL8: return write_decimal(r, 8, out);
    case PRIMITIVE_DECIMAL16: return write_decimal(r, 16, out);
    case PRIMITIVE_DATE:
    case PRIMITIVE_TIMESTAMP:
    case PRIMITIVE_TIMESTAMP_NTZ:
    case PRIMITIVE_TIMESTAMP_NS:
    case PRIMITIVE_TIMESTAMP_NTZ_NS: return write_time(r, type, out);
    case PRIMITIVE_BINARY: return write_bytes(r, false, out);
    case PRIMITIVE_STRING: return write_bytes(r, true, out);
    case PRIMITIVE_UUID: return write_uuid(r, out);
    default: return false;
    }
    return !r->bad;
}

/* What is left of the output's size and of the depth: values may overlap, so that small damaged bytes
 * could grow without end. */
struct limits {
    const struct dictionary *dictionary;
    size_t out_max;
    unsigned depth;
};

static bool write_value(struct limits *limits, struct rd r, struct sbuf *out);

static bool write_nested(struct limits *limits, struct rd r, unsigned more, bool is_object, struct sbuf *out)
{
    unsigned offset_size = (more & 3) + 1, id_size = is_object ? (more >> 2 & 3) + 1 : 0;
    bool large = more >> (is_object ? 4 : 2) & 1;
    uint32_t count = take_le(&r, large ? 4 : 1);
    struct rd ids = take_array(&r, count, id_size), offsets = take_array(&r, (size_t)count + 1, offset_size);
    if (r.bad || limits->depth == VARIANT_DEPTH_MAX)
        return false;
    limits->depth++;
    sbuf_char(out, is_object ? '{' : '[');
    for (uint32_t i = 0; i < count; i++) {
        struct str name;
        struct rd member = r;
        rd_take(&member, le_at(offsets, i, offset_size));
        if (i > 0)
            sbuf_char(out, ',');
        if (is_object) {
            if (!dictionary_name(limits->dictionary, le_at(ids, i, id_size), &name))
                return false;
            sbuf_json(out, name);
            sbuf_char(out, ':');
        }
        if (!write_value(limits, member, out))
            return false;
    }
    sbuf_char(out, is_object ? '}' : ']');
    limits->depth--;
    return true;
}

/* The value that r begins with. */
static bool write_value(struct limits *limits, struct rd r, struct sbuf *out)
{
    uint8_t header = rd_u8(&r);
    unsigned more = header >> 2;
    if (r.bad || out->n > limits->out_max)
        return false;
    if ((header & 3) == BASIC_PRIMITIVE)
        return write_primitive(&r, more, out);
    if ((header & 3) != BASIC_SHORT_STRING)
        return write_nested(limits, r, more, (header & 3) == BASIC_OBJECT, out);
    const uint8_t *p = rd_take(&r, more);
    if (p == NULL)
        return false;
    sbuf_json(out, str_n(p, more));
    return true;
}

bool variant_to_json(struct str metadata, struct str value, struct sbuf *out, struct err *err)
{
    struct dictionary dictionary;
    enum {
        GROWTH_MAX = 64
    }; /* bytes of text per byte of VARIANT, with room: names repeat, "\u0001" is six for one */
    struct limits limits = {&dictionary, out->n + GROWTH_MAX * (metadata.n + 1) * (value.n + 1), 0};
    size_t start = out->n;
    if (limits.out_max > start + 4 * (size_t)VARIANT_SIZE_MAX)
        limits.out_max = start + 4 * (size_t)VARIANT_SIZE_MAX;
    if (read_dictionary(metadata, &dictionary) && value.n > 0 &&
        write_value(&limits, rd_of(value.p, value.n), out))
        return true;
    out->n = start;
    if (out->p != NULL)
        out->p[start] = '\0';
    return err_set(err, ERR_DATA, "a VARIANT of %zu bytes is damaged", value.n);
}

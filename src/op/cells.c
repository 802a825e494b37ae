/* See cells.h. Bytes of a cell: 0 = NULL; else 1 and the value: fixed widths little endian, text as uvarint
 * length and bytes, lists as uvarint count and cells, structs as cells. Depth is bounded by TYPE_DEPTH_MAX,
 * which every parser of types keeps. */
#include "op/cells.h"

#include <math.h>

#include "op/text.h"

static int cmp_i64(int64_t a, int64_t b)
{
    return (a > b) - (a < b);
}

static int cmp_f64(double a, double b)
{
    if (isnan(a) || isnan(b))
        return isnan(a) - isnan(b);
    return (a > b) - (a < b);
}

struct str collation_key(const struct type *type, struct str text, struct arena *arena)
{
    if (type->kind != TYPE_STRING || type->collation == NULL || strcmp(type->collation, "UTF8_LCASE") != 0)
        return text;
    return text_lower(text, arena);
}

static int cmp_text(const struct type *type, const struct view *a, const struct view *b)
{
    if (type->collation == NULL)
        return view_cmp(a, b);
    struct arena arena = {0};
    int c = str_cmp(collation_key(type, view_str(a), &arena), collation_key(type, view_str(b), &arena));
    arena_fini(&arena);
    return c;
}

/* MAP has no order; its entries are compared in their order, which is enough to tell equal ones. */
static int cmp_list(const struct column *a, uint32_t i, const struct column *b, uint32_t j)
{
    uint32_t n = a->offsets[i + 1] - a->offsets[i], m = b->offsets[j + 1] - b->offsets[j];
    for (uint32_t k = 0; k < n && k < m; k++)
        for (uint32_t f = 0; f < a->type->field_count; f++) {
            int c = cell_cmp(&a->children[f], a->offsets[i] + k, &b->children[f], b->offsets[j] + k);
            if (c)
                return c;
        }
    return cmp_i64(n, m);
}

static int cmp_fields(const struct column *a, uint32_t i, const struct column *b, uint32_t j)
{
    for (uint32_t f = 0; f < column_child_count(a->type); f++) {
        int c = cell_cmp(&a->children[f], i, &b->children[f], j);
        if (c)
            return c;
    }
    return 0;
}

#define AT(column, type, i) (((const type *)(column)->data)[i])

static int cmp_values(const struct column *a, uint32_t i, const struct column *b, uint32_t j)
{
    switch (a->type->kind) {
    case TYPE_NULL: return 0;
    case TYPE_BOOLEAN: return cmp_i64(AT(a, uint8_t, i), AT(b, uint8_t, j));
    case TYPE_BYTE: return cmp_i64(AT(a, int8_t, i), AT(b, int8_t, j));
    case TYPE_SHORT: return cmp_i64(AT(a, int16_t, i), AT(b, int16_t, j));
    case TYPE_INT:
    case TYPE_DATE:
    case TYPE_INTERVAL_YM: return cmp_i64(AT(a, int32_t, i), AT(b, int32_t, j));
    case TYPE_LONG:
    case TYPE_TIMESTAMP:
    case TYPE_TIMESTAMP_NTZ:
    case TYPE_INTERVAL_DT: return cmp_i64(AT(a, int64_t, i), AT(b, int64_t, j));
    case TYPE_FLOAT: return cmp_f64(AT(a, float, i), AT(b, float, j));
    case TYPE_DOUBLE: return cmp_f64(AT(a, double, i), AT(b, double, j));
    case TYPE_DECIMAL: return (AT(a, i128, i) > AT(b, i128, j)) - (AT(a, i128, i) < AT(b, i128, j));
    case TYPE_STRING:
    case TYPE_BINARY: return cmp_text(a->type, &AT(a, struct view, i), &AT(b, struct view, j));
    case TYPE_ARRAY:
    case TYPE_MAP: return cmp_list(a, i, b, j);
    case TYPE_STRUCT:
    case TYPE_VARIANT: return cmp_fields(a, i, b, j);
    case TYPE_KINDS: break;
    }
    UNREACHABLE("type kinds");
}

int cell_cmp(const struct column *a, uint32_t row_a, const struct column *b, uint32_t row_b)
{
    bool null_a = column_is_null(a, row_a), null_b = column_is_null(b, row_b);
    if (null_a || null_b)
        return null_b - null_a;
    const struct column *values_a, *values_b;
    uint32_t i = column_resolve(a, row_a, &values_a), j = column_resolve(b, row_b, &values_b);
    return cmp_values(values_a, i, values_b, j);
}

bool cell_equal(const struct column *a, uint32_t row_a, const struct column *b, uint32_t row_b)
{
    return cell_cmp(a, row_a, b, row_b) == 0;
}

/* ---- bytes --------------------------------------------------------------------------------------------- */

static void write_uvarint(struct sbuf *out, uint64_t v)
{
    sbuf_added(out, put_uvarint((uint8_t *)sbuf_reserve(out, VARINT_MAX), v));
}

static void write_text(const struct type *type, struct str text, bool key, struct sbuf *out)
{
    struct arena arena = {0};
    if (key && type->collation)
        text = collation_key(type, text, &arena);
    write_uvarint(out, text.n);
    sbuf_str(out, text);
    arena_fini(&arena);
}

static void write_floating(const struct column *v, uint32_t i, bool key, struct sbuf *out)
{
    if (v->type->kind == TYPE_FLOAT) {
        float f = AT(v, float, i);
        if (key)
            f = isnan(f) ? NAN : f == 0 ? 0 : f;
        sbuf_add(out, &f, sizeof(f));
        return;
    }
    double d = AT(v, double, i);
    if (key)
        d = isnan(d) ? (double)NAN : d == 0 ? 0 : d;
    sbuf_add(out, &d, sizeof(d));
}

static void write_nested(const struct column *v, uint32_t i, bool key, struct sbuf *out)
{
    if (v->type->kind == TYPE_STRUCT || v->type->kind == TYPE_VARIANT) {
        for (uint32_t f = 0; f < column_child_count(v->type); f++)
            cell_write(&v->children[f], i, key, out);
        return;
    }
    write_uvarint(out, v->offsets[i + 1] - v->offsets[i]);
    for (uint32_t k = v->offsets[i]; k < v->offsets[i + 1]; k++)
        for (uint32_t f = 0; f < v->type->field_count; f++)
            cell_write(&v->children[f], k, key, out);
}

void cell_write(const struct column *column, uint32_t row, bool key, struct sbuf *out)
{
    bool null = column_is_null(column, row);
    sbuf_char(out, (char)!null);
    if (null)
        return;
    const struct column *v;
    uint32_t i = column_resolve(column, row, &v);
    size_t width = type_width(v->type);
    if (type_is_view(v->type))
        write_text(v->type, view_str(&AT(v, struct view, i)), key, out);
    else if (v->type->kind == TYPE_FLOAT || v->type->kind == TYPE_DOUBLE)
        write_floating(v, i, key, out);
    else if (width > 0)
        sbuf_add(out, (const char *)v->data + i * width, width);
    else
        write_nested(v, i, key, out);
}

static bool read_fixed(struct rd *r, struct column_builder *out, size_t width)
{
    const uint8_t *p = rd_take(r, width);
    if (p == NULL)
        return false;
    union {
        int8_t i8;
        int16_t i16;
        int32_t i32;
        int64_t i64;
        float f32;
        double f64;
        i128 decimal;
    } v;
    memcpy(&v, p, width);
    switch (out->type->kind) {
    case TYPE_BOOLEAN: column_builder_bool(out, v.i8 != 0); return v.i8 == 0 || v.i8 == 1;
    case TYPE_FLOAT: column_builder_f64(out, v.f32); return true;
    case TYPE_DOUBLE: column_builder_f64(out, v.f64); return true;
    case TYPE_DECIMAL: column_builder_decimal(out, v.decimal); return true;
    default: break;
    }
    column_builder_i64(out, width == 1 ? v.i8 : width == 2 ? v.i16 : width == 4 ? v.i32 : v.i64);
    return true;
}

static bool read_nested(struct rd *r, struct column_builder *out)
{
    uint64_t count = 1;
    if (out->type->kind == TYPE_ARRAY || out->type->kind == TYPE_MAP) {
        count = rd_uvarint(r);
        if (r->bad || count > rd_left(r)) /* every element takes a byte */
            return false;
    }
    for (uint64_t k = 0; k < count; k++)
        for (uint32_t f = 0; f < column_child_count(out->type); f++)
            if (!cell_read(r, &out->children[f]))
                return false;
    column_builder_nested(out);
    return true;
}

bool cell_read(struct rd *r, struct column_builder *out)
{
    uint8_t there = rd_u8(r);
    if (r->bad || there > 1)
        return false;
    if (!there) {
        column_builder_null(out);
        return true;
    }
    if (out->type->kind == TYPE_NULL)
        return false;
    if (type_is_view(out->type)) {
        uint64_t n = rd_uvarint(r);
        const uint8_t *p = n <= UINT32_MAX ? rd_take(r, (size_t)n) : NULL;
        if (p == NULL)
            return false;
        column_builder_str(out, str_n(p, (size_t)n), true);
        return true;
    }
    size_t width = type_width(out->type);
    return width > 0 ? read_fixed(r, out, width) : read_nested(r, out);
}

#include "ref/random_batch.h"

#include <stdio.h>

#include "base/check.h"
#include "base/utf8.h"
#include "type/decimal.h"

uint64_t rng_next(struct rng *rng)
{
    uint64_t z = rng->state += UINT64_C(0x9E3779B97F4A7C15);
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return z ^ (z >> 31);
}

uint64_t rng_below(struct rng *rng, uint64_t n)
{
    return (uint64_t)((unsigned __int128)rng_next(rng) * n >> 64);
}

bool rng_one_in(struct rng *rng, unsigned n)
{
    return rng_below(rng, n) == 0;
}

/* ---- types --------------------------------------------------------------------------------------------- */

static const struct type *random_leaf(struct rng *rng, unsigned kinds, struct arena *arena)
{
    kinds &= ~(1u << TYPE_ARRAY | 1u << TYPE_MAP | 1u << TYPE_STRUCT);
    CHECK((kinds & RANDOM_ALL) != 0);
    enum type_kind kind;
    do
        kind = (enum type_kind)rng_below(rng, TYPE_KINDS);
    while (!(kinds >> kind & 1));
    if (kind != TYPE_DECIMAL)
        return type_simple(kind);
    unsigned precision = 1 + (unsigned)rng_below(rng, DECIMAL_PRECISION_MAX);
    return type_decimal(arena, precision, (unsigned)rng_below(rng, precision + 1));
}

static const struct type *random_struct(struct rng *rng, unsigned depth, unsigned kinds, const char *prefix,
                                        unsigned count, struct arena *arena)
{
    struct field *fields = arena_zarray(arena, struct field, count);
    for (unsigned i = 0; i < count; i++) {
        fields[i].name = arena_printf(arena, "%s%u", prefix, i);
        fields[i].type = random_type(rng, depth, kinds, arena);
        fields[i].nullable = fields[i].type->kind == TYPE_NULL || !rng_one_in(rng, 4);
    }
    return type_struct(arena, fields, count);
}

const struct type *random_type(struct rng *rng, unsigned depth, unsigned kinds, struct arena *arena)
{
    unsigned which = (unsigned)rng_below(rng, 6);
    if (depth > 1 && which == 0 && kinds >> TYPE_ARRAY & 1) {
        const struct type *element = random_type(rng, depth - 1, kinds, arena);
        return type_array(arena, element, element->kind == TYPE_NULL || !rng_one_in(rng, 3));
    }
    if (depth > 1 && which == 1 && kinds >> TYPE_MAP & 1) {
        const struct type *key = random_leaf(rng, kinds & ~(1u << TYPE_NULL | 1u << TYPE_VARIANT), arena);
        const struct type *value = random_type(rng, depth - 1, kinds, arena);
        return type_map(arena, key, value, value->kind == TYPE_NULL || !rng_one_in(rng, 3));
    }
    if (depth > 1 && which == 2 && kinds >> TYPE_STRUCT & 1)
        return random_struct(rng, depth - 1, kinds, "f", 1 + (unsigned)rng_below(rng, 4), arena);
    return random_leaf(rng, kinds, arena);
}

const struct type *random_schema_of(struct rng *rng, unsigned depth, unsigned kinds, struct arena *arena)
{
    return random_struct(rng, depth, kinds, "c", 1 + (unsigned)rng_below(rng, 8), arena);
}

const struct type *random_schema(struct rng *rng, unsigned depth, struct arena *arena)
{
    return random_schema_of(rng, depth, RANDOM_ALL, arena);
}

/* ---- values -------------------------------------------------------------------------------------------- */

static int64_t random_int(struct rng *rng, int64_t min, int64_t max)
{
    uint64_t range = (uint64_t)max - (uint64_t)min;
    switch (rng_below(rng, 8)) {
    case 0: return min;
    case 1: return max;
    case 2: return min <= 0 && max >= 0 ? 0 : min;
    case 3:
    case 4: /* small ones, so that equal values meet */
        return min <= 0 && max >= 9 ? (int64_t)rng_below(rng, 10) : min;
    default:
        return (int64_t)((uint64_t)min + (range == UINT64_MAX ? rng_next(rng) : rng_below(rng, range + 1)));
    }
}

static struct str random_text(struct rng *rng, bool binary, struct arena *arena)
{
    size_t wanted = rng_one_in(rng, 3) ? rng_below(rng, 4) : rng_below(rng, 37), n = 0;
    char *p = arena_alloc(arena, wanted + 4);
    while (n < wanted) {
        if (binary) {
            p[n++] = (char)rng_next(rng);
            continue;
        }
        uint32_t code = 'a' + (uint32_t)rng_below(rng, 26);
        if (rng_one_in(rng, 8))
            code = (uint32_t)rng_below(rng, 0x110000);
        if (code >= 0xD800 && code <= 0xDFFF)
            code = 0xFFFD;
        n += utf8_encode(code, p + n);
    }
    return str_n(p, n);
}

static double random_double(struct rng *rng, bool is_float)
{
    static const double edges[] = {0.0, -0.0, 1.0, -1.0, 0.5, 1e10, 123.456, -2.5e-3};
    uint64_t bits = rng_next(rng);
    if (rng_one_in(rng, 3)) {
        double edge = edges[rng_below(rng, 8)];
        return is_float ? (double)(float)edge : edge;
    }
    if (is_float) {
        uint32_t half = (uint32_t)bits;
        float f;
        memcpy(&f, &half, sizeof f);
        return (double)f;
    }
    double d;
    memcpy(&d, &bits, sizeof d);
    return d;
}

static i128 random_decimal(struct rng *rng, unsigned precision)
{
    i128 limit = decimal_pow10[rng_one_in(rng, 2) ? precision : 1 + rng_below(rng, precision)];
    unsigned __int128 bits = (unsigned __int128)rng_next(rng) << 64 | rng_next(rng);
    i128 v = rng_one_in(rng, 8) ? limit - 1 : (i128)(bits % (unsigned __int128)limit);
    return rng_one_in(rng, 2) ? -v : v;
}

static bool has_key(const struct value *items, uint32_t pairs, const struct value *key)
{
    for (uint32_t i = 0; i < pairs; i++)
        if (value_cmp(&items[2 * i], key) == 0)
            return true;
    return false;
}

static void random_nested(struct rng *rng, struct value *v, struct arena *arena)
{
    const struct type *type = v->type;
    uint32_t wanted = type->kind == TYPE_STRUCT ? type->field_count : (uint32_t)rng_below(rng, 5);
    struct value *items = arena_zarray(arena, struct value, (size_t)wanted * 2);
    uint32_t count = 0;
    for (uint32_t i = 0; i < wanted; i++) {
        if (type->kind == TYPE_STRUCT) {
            items[count++] = random_value(rng, type->fields[i].type, type->fields[i].nullable, arena);
        } else if (type->kind == TYPE_ARRAY) {
            items[count++] = random_value(rng, type->fields[0].type, type->fields[0].nullable, arena);
        } else {
            struct value key = random_value(rng, type->fields[0].type, false, arena);
            if (has_key(items, count, &key))
                continue;
            items[2 * count] = key;
            items[2 * count++ + 1] = random_value(rng, type->fields[1].type, type->fields[1].nullable, arena);
        }
    }
    v->nested.count = count;
    v->nested.items = items;
}

struct value random_value(struct rng *rng, const struct type *type, bool nullable, struct arena *arena)
{
    enum { DAY_MIN = -719162, DAY_MAX = 2932896 }; /* years 1 to 9999 */
    const int64_t us_per_day = 86400 * US_PER_S;
    if (type->kind == TYPE_NULL || (nullable && rng_one_in(rng, 8)))
        return value_null(type);
    struct value v = {.type = type};
    switch (type->kind) {
    case TYPE_BOOLEAN: v.boolean = rng_one_in(rng, 2); break;
    case TYPE_BYTE: v.i64 = random_int(rng, INT8_MIN, INT8_MAX); break;
    case TYPE_SHORT: v.i64 = random_int(rng, INT16_MIN, INT16_MAX); break;
    case TYPE_INT:
    case TYPE_INTERVAL_YM: v.i64 = random_int(rng, INT32_MIN, INT32_MAX); break;
    case TYPE_LONG:
    case TYPE_INTERVAL_DT: v.i64 = random_int(rng, INT64_MIN, INT64_MAX); break;
    case TYPE_DATE: v.i64 = random_int(rng, DAY_MIN, DAY_MAX); break;
    case TYPE_TIMESTAMP:
    case TYPE_TIMESTAMP_NTZ:
        v.i64 = random_int(rng, DAY_MIN * us_per_day, (DAY_MAX + INT64_C(1)) * us_per_day - 1);
        break;
    case TYPE_FLOAT:
    case TYPE_DOUBLE: v.f64 = random_double(rng, type->kind == TYPE_FLOAT); break;
    case TYPE_DECIMAL: v.decimal = random_decimal(rng, type->precision); break;
    case TYPE_STRING:
    case TYPE_BINARY: v.str = random_text(rng, type->kind == TYPE_BINARY, arena); break;
    case TYPE_VARIANT: /* any bytes: whoever reads variants makes real ones */
        v.metadata = random_text(rng, true, arena);
        v.str = random_text(rng, true, arena);
        break;
    default: random_nested(rng, &v, arena);
    }
    return v;
}

/* ---- columns ------------------------------------------------------------------------------------------- */

static struct column random_column(struct rng *rng, const struct type *type, bool nullable, uint32_t rows,
                                   unsigned encodings, struct arena *arena);

static struct column flat_column(struct rng *rng, const struct type *type, bool nullable, uint32_t rows,
                                 struct arena *arena)
{
    struct column_builder b;
    column_builder_init(&b, type, arena);
    for (uint32_t i = 0; i < rows; i++) {
        struct value v = random_value(rng, type, nullable, arena);
        column_builder_value(&b, &v);
    }
    return column_builder_finish(&b);
}

static void clear_some(struct rng *rng, struct column *column, struct arena *arena)
{
    uint8_t *validity = column_need_validity(column, arena);
    for (uint32_t i = 0; i < column->rows; i++)
        if (rng_one_in(rng, 6))
            bit_clear(validity, i);
}

static struct column dictionary_column(struct rng *rng, const struct type *type, bool nullable, uint32_t rows,
                                       struct arena *arena)
{
    uint32_t size = 1 + (uint32_t)rng_below(rng, 10);
    struct column *dictionary = arena_new(arena, struct column);
    *dictionary = flat_column(rng, type, nullable, size, arena);
    struct column column = {
        .type = type, .encoding = COLUMN_DICTIONARY, .rows = rows, .dictionary = dictionary};
    column.indices = arena_array(arena, uint32_t, rows);
    for (uint32_t i = 0; i < rows; i++)
        column.indices[i] = (uint32_t)rng_below(rng, size);
    if (nullable && rng_one_in(rng, 2))
        clear_some(rng, &column, arena);
    return column;
}

/* The last `rows` rows of a longer column of lists: offsets that do not begin at 0. */
static struct column sliced_column(struct rng *rng, const struct type *type, bool nullable, uint32_t rows,
                                   struct arena *arena)
{
    struct column column = flat_column(rng, type, nullable, rows + 8, arena);
    column.rows = rows;
    column.offsets += 8;
    if (column.validity)
        column.validity += 1;
    return column;
}

static struct column struct_column(struct rng *rng, const struct type *type, uint32_t rows,
                                   unsigned encodings, struct arena *arena)
{
    struct column column = {.type = type, .rows = rows};
    column.children = arena_array(arena, struct column, type->field_count);
    for (uint32_t i = 0; i < type->field_count; i++) {
        const struct field *field = &type->fields[i];
        column.children[i] = random_column(rng, field->type, field->nullable, rows, encodings, arena);
    }
    return column;
}

static struct column random_column(struct rng *rng, const struct type *type, bool nullable, uint32_t rows,
                                   unsigned encodings, struct arena *arena)
{
    bool is_list = type->kind == TYPE_ARRAY || type->kind == TYPE_MAP;
    if ((encodings & RANDOM_CONSTANT) && type->kind != TYPE_NULL && rng_one_in(rng, 5)) {
        struct column column = flat_column(rng, type, nullable, 1, arena);
        column.encoding = COLUMN_CONSTANT;
        column.rows = rows;
        return column;
    }
    if ((encodings & RANDOM_DICTIONARY) && type->kind != TYPE_NULL && rng_one_in(rng, 4))
        return dictionary_column(rng, type, nullable, rows, arena);
    if ((encodings & RANDOM_SLICES) && is_list && rng_one_in(rng, 3))
        return sliced_column(rng, type, nullable, rows, arena);
    if (type->kind == TYPE_STRUCT && rng_one_in(rng, 2))
        return struct_column(rng, type, rows, encodings, arena);
    return flat_column(rng, type, nullable, rows, arena);
}

void random_batch(struct rng *rng, struct batch *batch, const struct type *schema, uint32_t rows,
                  unsigned encodings)
{
    struct column all = struct_column(rng, schema, rows, encodings, &batch->arena);
    batch->schema = schema;
    batch->rows = rows;
    batch->columns = all.children;
}

void random_hidden(struct rng *rng, struct batch *batch)
{
    uint32_t rows = batch->rows;
    if (rng_one_in(rng, 2)) {
        batch->change = arena_alloc(&batch->arena, rows);
        for (uint32_t i = 0; i < rows; i++)
            batch->change[i] = (uint8_t)rng_below(rng, 4);
    }
    if (rng_one_in(rng, 2)) {
        batch->offset = arena_array(&batch->arena, int64_t, rows);
        for (uint32_t i = 0; i < rows; i++)
            batch->offset[i] = (int64_t)i;
    }
    if (rng_one_in(rng, 2)) {
        batch->event_time = arena_array(&batch->arena, int64_t, rows);
        for (uint32_t i = 0; i < rows; i++)
            batch->event_time[i] = (int64_t)rng_below(rng, 1000000);
    }
    batch->partition = (int32_t)rng_below(rng, 3) - 1;
}

/* ---- the row model ------------------------------------------------------------------------------------- */

static struct value own(const struct value *v, struct arena *arena)
{
    struct value out = *v;
    if (v->is_null)
        return out;
    if (type_is_view(v->type) || v->type->kind == TYPE_VARIANT) {
        out.str.p = arena_dup(arena, v->str.p, v->str.n);
        if (v->type->kind == TYPE_VARIANT)
            out.metadata.p = arena_dup(arena, v->metadata.p, v->metadata.n);
    } else if (type_is_nested(v->type)) {
        size_t n = (size_t)v->nested.count * (v->type->kind == TYPE_MAP ? 2 : 1);
        struct value *items = arena_array(arena, struct value, n);
        for (size_t i = 0; i < n; i++)
            items[i] = own(&v->nested.items[i], arena);
        out.nested.items = items;
    }
    return out;
}

struct value *batch_to_rows(const struct batch *batch, struct arena *arena)
{
    uint32_t columns = batch->schema->field_count;
    struct value *rows = arena_array(arena, struct value, batch->rows);
    for (uint32_t r = 0; r < batch->rows; r++) {
        struct value *items = arena_array(arena, struct value, columns);
        for (uint32_t c = 0; c < columns; c++) {
            struct value v = column_value(&batch->columns[c], r, arena);
            items[c] = own(&v, arena);
        }
        rows[r] = (struct value){.type = batch->schema, .nested = {columns, items}};
    }
    return rows;
}

bool rows_equal(const struct value *a, const struct value *b, uint32_t rows)
{
    for (uint32_t r = 0; r < rows; r++)
        for (uint32_t c = 0; c < a[r].nested.count; c++) {
            const struct value *x = &a[r].nested.items[c], *y = &b[r].nested.items[c];
            if (!type_same(x->type, y->type) || value_cmp(x, y) != 0) {
                fprintf(stderr, "row %u differs in column %u\n", r, c);
                return false;
            }
        }
    return true;
}

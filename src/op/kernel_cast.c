/* CAST: Spark's ANSI matrix.
 *
 * Pairs of simple types have loops of their own over type/cast.h's scalar conversions; a row that fails is
 * asked for its sentence from value_cast, which is slow and rare. Nested types and intervals go through
 * value_cast altogether. */
#include "type/cast.h"

#include <math.h>

#include "base/utf8.h"
#include "op/kernels_private.h"
#include "type/timestamp.h"

/* The sentence of a row that failed. */
static void cast_fail(struct call *c, uint32_t row)
{
    struct err err = {0};
    struct value in = column_value(&c->args[0], row, c->arena), out;
    if (c->step->try_) {
        out_null(c, row);
        return;
    }
    if (value_cast(&in, c->out->type, c->context->zone, c->arena, &out, &err))
        cast_invalid_input(&in, c->out->type, &err);
    out_error(c, row, "%s", err.text);
}

/* ---- numbers ------------------------------------------------------------------------------------------- */

/* Between fixed widths: `expression` of x, the source's value; cannot fail. */
#define CONVERT(name, from, to, expression)                                                                  \
    static void name(struct call *c)                                                                         \
    {                                                                                                        \
        const from *a = c->args[0].data;                                                                     \
        to *out = c->out->data;                                                                              \
        const uint32_t n = c->rows;                                                                          \
        for (uint32_t i = 0; i < n; i++) {                                                                   \
            const from x = a[i];                                                                             \
            out[i] = expression;                                                                             \
        }                                                                                                    \
    }
/* Narrowing: all rows, then, if one does not fit, those that fail. */
#define NARROW(name, from, to)                                                                               \
    static void name(struct call *c)                                                                         \
    {                                                                                                        \
        const from *a = c->args[0].data;                                                                     \
        to *out = c->out->data;                                                                              \
        const uint32_t n = c->rows;                                                                          \
        from bad = 0;                                                                                        \
        for (uint32_t i = 0; i < n; i++) {                                                                   \
            out[i] = (to)a[i];                                                                               \
            bad |= a[i] ^ (from)out[i];                                                                      \
        }                                                                                                    \
        if (!bad)                                                                                            \
            return;                                                                                          \
        for (EACH_ROW(c, row))                                                                               \
            if (call_live(c, row) && a[row] != (from)out[row])                                               \
                cast_fail(c, row);                                                                           \
    }
#define TO_FRACTION(suffix, from)                                                                            \
    CONVERT(suffix##_to_f32, from, float, (float)x)                                                          \
    CONVERT(suffix##_to_f64, from, double, (double)x)                                                        \
    CONVERT(suffix##_to_bool, from, uint8_t, x != 0)
TO_FRACTION(i8, int8_t)
TO_FRACTION(i16, int16_t)
TO_FRACTION(i32, int32_t)
TO_FRACTION(i64, int64_t)
TO_FRACTION(bool, uint8_t)
CONVERT(i8_to_i16, int8_t, int16_t, (int16_t)x)
CONVERT(i8_to_i32, int8_t, int32_t, (int32_t)x)
CONVERT(i8_to_i64, int8_t, int64_t, (int64_t)x)
CONVERT(i16_to_i32, int16_t, int32_t, (int32_t)x)
CONVERT(i16_to_i64, int16_t, int64_t, (int64_t)x)
CONVERT(i32_to_i64, int32_t, int64_t, (int64_t)x)
CONVERT(bool_to_i16, uint8_t, int16_t, (int16_t)x)
CONVERT(bool_to_i32, uint8_t, int32_t, (int32_t)x)
CONVERT(bool_to_i64, uint8_t, int64_t, (int64_t)x)
CONVERT(bool_to_i8, uint8_t, int8_t, (int8_t)x)
NARROW(i16_to_i8_checked, int16_t, int8_t)
NARROW(i32_to_i8_checked, int32_t, int8_t)
NARROW(i32_to_i16_checked, int32_t, int16_t)
NARROW(i64_to_i8_checked, int64_t, int8_t)
NARROW(i64_to_i16_checked, int64_t, int16_t)
NARROW(i64_to_i32_checked, int64_t, int32_t)
CONVERT(f32_to_f64, float, double, (double)x)
CONVERT(f64_to_f32, double, float, (float)x)
CONVERT(f32_to_bool, float, uint8_t, x != 0)
CONVERT(f64_to_bool, double, uint8_t, x != 0)
CONVERT(decimal_to_bool, i128, uint8_t, x != 0)

static void f64_to_integer(struct call *c)
{
    enum type_kind k = c->out->type->kind;
    for (EACH_ROW(c, row)) {
        int64_t v;
        if (cast_f64_to_i64(arg_f64(c, 0, row), type_int_min(k), type_int_max(k), &v))
            out_i64(c, row, v);
        else
            cast_fail(c, row);
    }
}

static void decimal_to_integer(struct call *c)
{
    enum type_kind k = c->out->type->kind;
    for (EACH_ROW(c, row)) {
        int64_t v;
        if (decimal_to_i64(ARG(c, i128, 0, row), c->args[0].type->scale, &v) && v >= type_int_min(k) &&
            v <= type_int_max(k))
            out_i64(c, row, v);
        else
            cast_fail(c, row);
    }
}

static void decimal_to_floating(struct call *c)
{
    for (EACH_ROW(c, row)) {
        double v = decimal_to_f64(ARG(c, i128, 0, row), c->args[0].type->scale);
        if (c->out->type->kind == TYPE_FLOAT)
            OUT(c, float)[row] = (float)v;
        else
            OUT(c, double)[row] = v;
    }
}

static bool to_decimal(const struct call *c, uint32_t row, struct decimal_shape shape, i128 *out)
{
    switch (arg_kind(c, 0)) {
    case TYPE_FLOAT:
    case TYPE_DOUBLE: return decimal_from_f64(arg_f64(c, 0, row), shape, out);
    case TYPE_DECIMAL: return decimal_rescale(ARG(c, i128, 0, row), c->args[0].type->scale, shape, out);
    case TYPE_STRING: return decimal_parse(arg_str(c, 0, row), shape, out) == DECIMAL_OK;
    default: return decimal_from_i64(arg_i64(c, 0, row), shape, out);
    }
}

static void any_to_decimal(struct call *c)
{
    struct decimal_shape shape = decimal_shape_of(c->out->type);
    bool floating = arg_kind(c, 0) == TYPE_FLOAT || arg_kind(c, 0) == TYPE_DOUBLE;
    for (EACH_ROW(c, row)) {
        i128 v = 0;
        if (floating && !isfinite(arg_f64(c, 0, row))) { /* as Spark: no error */
            out_null(c, row);
            continue;
        }
        if (!to_decimal(c, row, shape, &v)) {
            v = 0;
            cast_fail(c, row);
        }
        OUT(c, i128)[row] = v;
    }
}

/* ---- from text ----------------------------------------------------------------------------------------- */

static void str_to_integer(struct call *c)
{
    enum type_kind k = c->out->type->kind;
    int64_t min = type_int_min(k), max = type_int_max(k), v;
    for (EACH_ROW(c, row)) {
        if (cast_str_to_i64(arg_str(c, 0, row), min, max, &v))
            out_i64(c, row, v);
        else
            cast_fail(c, row);
    }
}

static void str_to_floating(struct call *c)
{
    for (EACH_ROW(c, row)) {
        bool ok;
        if (c->out->type->kind == TYPE_FLOAT)
            ok = cast_str_to_f32(arg_str(c, 0, row), &OUT(c, float)[row]);
        else
            ok = cast_str_to_f64(arg_str(c, 0, row), &OUT(c, double)[row]);
        if (!ok)
            cast_fail(c, row);
    }
}

static void str_to_boolean(struct call *c)
{
    for (EACH_ROW(c, row)) {
        bool v = false;
        if (!cast_str_to_bool(arg_str(c, 0, row), &v))
            cast_fail(c, row);
        OUT(c, uint8_t)[row] = v;
    }
}

static void str_to_date(struct call *c)
{
    for (EACH_ROW(c, row))
        if (!date_parse(arg_str(c, 0, row), &OUT(c, int32_t)[row]))
            cast_fail(c, row);
}

static void str_to_timestamp(struct call *c)
{
    int32_t today = timestamp_to_date(c->context->zone, c->context->now.us);
    for (EACH_ROW(c, row))
        if (!timestamp_parse(arg_str(c, 0, row), c->context->zone, &today, &OUT(c, int64_t)[row]))
            cast_fail(c, row);
}

static void str_to_ntz(struct call *c)
{
    for (EACH_ROW(c, row))
        if (!timestamp_ntz_parse(arg_str(c, 0, row), true, &OUT(c, int64_t)[row]))
            cast_fail(c, row);
}

/* ---- to text ------------------------------------------------------------------------------------------- */

enum { CAST_TEXT_MAX = 64 };

/* Each prints into `text` one value; a loop around each. */
#define PRINT(name, call_)                                                                                   \
    static void name(struct call *c)                                                                         \
    {                                                                                                        \
        char text[CAST_TEXT_MAX];                                                                            \
        for (EACH_ROW(c, row)) {                                                                             \
            size_t n = call_;                                                                                \
            out_copy(c, row, str_n(text, n));                                                                \
        }                                                                                                    \
    }
_Static_assert((int)CAST_TEXT_MAX >= (int)DECIMAL_TEXT_MAX && (int)CAST_TEXT_MAX >= (int)TIMESTAMP_TEXT_MAX,
               "the longest text fits");

PRINT(integer_to_str, cast_i64_to_str(arg_i64(c, 0, row), text))
PRINT(f32_to_str, cast_f32_to_str(ARG(c, float, 0, row), text))
PRINT(f64_to_str, cast_f64_to_str(ARG(c, double, 0, row), text))
PRINT(decimal_to_str, decimal_to_text(ARG(c, i128, 0, row), c->args[0].type->scale, text))
PRINT(date_to_str, date_to_text(ARG(c, int32_t, 0, row), text))
PRINT(timestamp_to_str, timestamp_to_text(c->context->zone, ARG(c, int64_t, 0, row), text))
PRINT(ntz_to_str, timestamp_ntz_to_text(ARG(c, int64_t, 0, row), text))

static void boolean_to_str(struct call *c)
{
    for (EACH_ROW(c, row))
        out_str(c, row, ARG(c, uint8_t, 0, row) ? STR("true") : STR("false"));
}

/* ---- times --------------------------------------------------------------------------------------------- */

static void timestamp_to_date_rows(struct call *c)
{
    struct timezone_cursor cursor = {0};
    for (EACH_ROW(c, row)) {
        int64_t us = ARG(c, int64_t, 0, row);
        timezone_local(c->context->zone, us, &cursor);
        OUT(c, int32_t)
        [row] = (int32_t)floor_div(floor_div(us, US_PER_S) + cursor.offset_us / US_PER_S, 86400);
    }
}

static void ntz_to_date(struct call *c)
{
    for (EACH_ROW(c, row))
        OUT(c, int32_t)[row] = (int32_t)floor_div(ARG(c, int64_t, 0, row), US_PER_DAY);
}

static void timestamp_to_ntz(struct call *c)
{
    struct timezone_cursor cursor = {0};
    for (EACH_ROW(c, row))
        if (!timezone_local_exact(c->context->zone, ARG(c, int64_t, 0, row), &cursor, &OUT(c, int64_t)[row]))
            cast_fail(c, row);
}

static void ntz_to_timestamp(struct call *c)
{
    for (EACH_ROW(c, row))
        if (!timezone_to_utc_exact(c->context->zone, ARG(c, int64_t, 0, row), &OUT(c, int64_t)[row]))
            cast_fail(c, row);
}

static void date_to_timestamp_rows(struct call *c)
{
    const struct timezone_data *zone = c->out->type->kind == TYPE_TIMESTAMP ? c->context->zone : NULL;
    for (EACH_ROW(c, row))
        if (!date_to_timestamp(zone, ARG(c, int32_t, 0, row), &OUT(c, int64_t)[row]))
            cast_fail(c, row);
}

static void integer_to_timestamp(struct call *c)
{
    for (EACH_ROW(c, row)) {
        int64_t seconds = arg_i64(c, 0, row);
        if (__builtin_mul_overflow(seconds, US_PER_S, &OUT(c, int64_t)[row]))
            OUT(c, int64_t)[row] = seconds < 0 ? INT64_MIN : INT64_MAX;
    }
}

static void f64_to_timestamp(struct call *c)
{
    for (EACH_ROW(c, row))
        if (!cast_f64_to_timestamp(arg_f64(c, 0, row), &OUT(c, int64_t)[row]))
            cast_fail(c, row);
}

static void timestamp_to_integer(struct call *c)
{
    enum type_kind k = c->out->type->kind;
    for (EACH_ROW(c, row)) {
        int64_t seconds = floor_div(ARG(c, int64_t, 0, row), US_PER_S);
        if (seconds >= type_int_min(k) && seconds <= type_int_max(k))
            out_i64(c, row, seconds);
        else
            cast_fail(c, row);
    }
}

static void timestamp_to_f64(struct call *c)
{
    for (EACH_ROW(c, row))
        OUT(c, double)[row] = (double)ARG(c, int64_t, 0, row) / 1e6;
}

/* ---- bytes --------------------------------------------------------------------------------------------------- */

static void str_to_binary(struct call *c)
{
    if (c->rows)
        memcpy(c->out->data, c->args[0].data, c->rows * sizeof(struct view));
}

static void binary_to_str(struct call *c)
{
    for (EACH_ROW(c, row)) {
        struct view v = ARG(c, struct view, 0, row);
        if (utf8_valid(view_bytes(&v), v.size))
            OUT(c, struct view)[row] = v;
        else
            cast_fail(c, row);
    }
}

/* ---- the rest ------------------------------------------------------------------------------------------ */

static void cast_values(struct call *c)
{
    struct column_builder b;
    uint8_t *validity = c->out->validity;
    column_builder_init(&b, c->out->type, c->arena);
    column_builder_reserve(&b, c->rows);
    uint32_t next = 0;
    for (EACH_ROW(c, row)) {
        for (; next < row; next++)
            column_builder_null(&b);
        next++;
        struct err err = {0};
        struct value in = column_value(&c->args[0], row, c->arena), out;
        if (!in.is_null && value_cast(&in, c->out->type, c->context->zone, c->arena, &out, &err)) {
            if (out.is_null)
                column_builder_null(&b);
            else
                column_builder_value(&b, &out);
            continue;
        }
        column_builder_null(&b);
        if (!in.is_null && !c->step->try_)
            row_errors_add(
                c->errors, c->arena, row,
                arena_printf(c->arena, "%s in %s", err.text, c->step->text ? c->step->text : "CAST"));
    }
    for (; next < c->rows; next++)
        column_builder_null(&b);
    (void)validity; /* rows that are NULL are not among c's: they were NULL above */
    *c->out = column_builder_finish(&b);
}

static kernel_fn *pick_from_integer(enum type_kind from, const struct type *to, uint32_t *flags)
{
    enum { I8, I16, I32, I64, F32, F64, BOOL, TARGETS };
    static kernel_fn *const table[5][TARGETS] = {
        [0] = {bool_to_i8, bool_to_i16, bool_to_i32, bool_to_i64, bool_to_f32, bool_to_f64, bool_to_bool},
        [1] = {NULL, i8_to_i16, i8_to_i32, i8_to_i64, i8_to_f32, i8_to_f64, i8_to_bool},
        [2] = {i16_to_i8_checked, NULL, i16_to_i32, i16_to_i64, i16_to_f32, i16_to_f64, i16_to_bool},
        [3] = {i32_to_i8_checked, i32_to_i16_checked, NULL, i32_to_i64, i32_to_f32, i32_to_f64, i32_to_bool},
        [4] = {i64_to_i8_checked, i64_to_i16_checked, i64_to_i32_checked, NULL, i64_to_f32, i64_to_f64,
               i64_to_bool},
    };
    int source = from == TYPE_BOOLEAN ? 0 : (int)from - TYPE_BYTE + 1, target;
    switch (to->kind) {
    case TYPE_BYTE: target = I8; break;
    case TYPE_SHORT: target = I16; break;
    case TYPE_INT: target = I32; break;
    case TYPE_LONG: target = I64; break;
    case TYPE_FLOAT: target = F32; break;
    case TYPE_DOUBLE: target = F64; break;
    case TYPE_BOOLEAN: target = BOOL; break;
    case TYPE_STRING: return from == TYPE_BOOLEAN ? boolean_to_str : integer_to_str;
    case TYPE_TIMESTAMP: return from == TYPE_BOOLEAN ? NULL : integer_to_timestamp;
    case TYPE_DECIMAL: return from == TYPE_BOOLEAN ? NULL : any_to_decimal;
    default: return NULL;
    }
    bool narrows = source > 0 && target <= I64 && target < source - 1;
    *flags |= narrows ? KERNEL_DENSE : KERNEL_TOTAL;
    return table[source][target];
}

static kernel_fn *pick_from_fraction(enum type_kind from, const struct type *to, uint32_t *flags)
{
    bool is_float = from == TYPE_FLOAT, is_decimal = from == TYPE_DECIMAL;
    if (type_is_integer(to))
        return is_decimal ? decimal_to_integer : f64_to_integer;
    switch (to->kind) {
    case TYPE_FLOAT:
    case TYPE_DOUBLE:
        if (is_decimal)
            return decimal_to_floating;
        *flags |= KERNEL_TOTAL;
        return is_float ? f32_to_f64 : f64_to_f32;
    case TYPE_BOOLEAN:
        *flags |= KERNEL_TOTAL;
        return is_decimal ? decimal_to_bool : is_float ? f32_to_bool : f64_to_bool;
    case TYPE_STRING: return is_decimal ? decimal_to_str : is_float ? f32_to_str : f64_to_str;
    case TYPE_TIMESTAMP: return is_decimal ? NULL : f64_to_timestamp;
    case TYPE_DECIMAL: return any_to_decimal;
    default: return NULL;
    }
}

static kernel_fn *pick_from_string(const struct type *to, uint32_t *flags)
{
    if (type_is_integer(to))
        return str_to_integer;
    switch (to->kind) {
    case TYPE_FLOAT:
    case TYPE_DOUBLE: return str_to_floating;
    case TYPE_DECIMAL: return any_to_decimal;
    case TYPE_BOOLEAN: return str_to_boolean;
    case TYPE_DATE: return str_to_date;
    case TYPE_TIMESTAMP: *flags |= KERNEL_CONTEXT; return str_to_timestamp;
    case TYPE_TIMESTAMP_NTZ: return str_to_ntz;
    case TYPE_BINARY: *flags |= KERNEL_TOTAL; return str_to_binary;
    default: return NULL;
    }
}

static kernel_fn *pick_from_date(const struct type *to, uint32_t *flags)
{
    if (to->kind == TYPE_TIMESTAMP)
        *flags |= KERNEL_CONTEXT;
    return to->kind == TYPE_STRING                                        ? date_to_str
           : to->kind == TYPE_TIMESTAMP || to->kind == TYPE_TIMESTAMP_NTZ ? date_to_timestamp_rows
                                                                          : NULL;
}

static kernel_fn *pick_from_time(enum type_kind from, const struct type *to, uint32_t *flags)
{
    if (from == TYPE_DATE)
        return pick_from_date(to, flags);
    if (from == TYPE_TIMESTAMP && type_is_integer(to))
        return timestamp_to_integer;
    if (from == TYPE_TIMESTAMP && to->kind == TYPE_DOUBLE)
        return timestamp_to_f64;
    if (from == TYPE_TIMESTAMP) {
        *flags |= KERNEL_CONTEXT;
        return to->kind == TYPE_STRING          ? timestamp_to_str
               : to->kind == TYPE_DATE          ? timestamp_to_date_rows
               : to->kind == TYPE_TIMESTAMP_NTZ ? timestamp_to_ntz
                                                : NULL;
    }
    if (to->kind == TYPE_TIMESTAMP) {
        *flags |= KERNEL_CONTEXT;
        return ntz_to_timestamp;
    }
    return to->kind == TYPE_STRING ? ntz_to_str : to->kind == TYPE_DATE ? ntz_to_date : NULL;
}

static kernel_fn *pick_simple(const struct type *from, const struct type *to, uint32_t *flags)
{
    if (from->kind == TYPE_BOOLEAN || type_is_integer(from))
        return pick_from_integer(from->kind, to, flags);
    if (type_is_numeric(from))
        return pick_from_fraction(from->kind, to, flags);
    switch (from->kind) {
    case TYPE_STRING: return pick_from_string(to, flags);
    case TYPE_BINARY: return to->kind == TYPE_STRING ? binary_to_str : NULL;
    case TYPE_DATE:
    case TYPE_TIMESTAMP:
    case TYPE_TIMESTAMP_NTZ: return pick_from_time(from->kind, to, flags);
    default: return NULL;
    }
}

bool cast_pick(struct kernel_pick *p, struct err *err)
{
    const struct type *from = p->expr->args[0]->type, *to = p->expr->type;
    p->run = pick_simple(from, to, &p->flags);
    if (p->run == NULL) {
        p->run = cast_values;
        p->flags |= KERNEL_OUT | KERNEL_CONTEXT;
    }
    return true;
}

/* Arithmetic: + - * / % div, pmod, negation, abs, bits.
 *
 * Integers: one loop computes all rows modulo 2^n and gathers, without a branch, whether any row overflowed;
 * only then a second one looks for the rows to fail. Decimals keep the scales of their sides; results are
 * exact, then rounded half up, and fail past their precision. */
#include <math.h>

#include "op/kernels_private.h"
#include "type/decimal.h"

static const char *type_word(const struct type *t)
{
    switch (t->kind) {
    case TYPE_BYTE: return "TINYINT";
    case TYPE_SHORT: return "SMALLINT";
    case TYPE_INT: return "INT";
    case TYPE_LONG: return "BIGINT";
    case TYPE_DECIMAL: return "DECIMAL";
    default: return "INTERVAL";
    }
}

void out_overflow(struct call *c, uint32_t row)
{
    out_error(c, row, "ARITHMETIC_OVERFLOW: %s overflow", type_word(c->out->type));
}

static void out_zero(struct call *c, uint32_t row)
{
    out_error(c, row, "DIVIDE_BY_ZERO: division by zero");
}

/* ---- integers ------------------------------------------------------------------------------------------ */

/* wrapped(a, b, r): r = the result modulo 2^n; over(a, b, r): not 0 where it overflowed, below 0 in the sign
 * bit. */
#define INTEGER(name, type, wide, op, builtin)                                                               \
    static void name##_fail(struct call *c)                                                                  \
    {                                                                                                        \
        for (EACH_ROW(c, row)) {                                                                             \
            type r;                                                                                          \
            if (call_live(c, row) && builtin(ARG(c, type, 0, row), ARG(c, type, 1, row), &r))                \
                out_overflow(c, row);                                                                        \
        }                                                                                                    \
    }                                                                                                        \
    static void name(struct call *c)                                                                         \
    {                                                                                                        \
        const type *a = c->args[0].data, *b = c->args[1].data;                                               \
        type *out = c->out->data;                                                                            \
        const uint32_t n = c->rows;                                                                          \
        wide bad = 0;                                                                                        \
        if (c->args[0].encoding == COLUMN_CONSTANT) {                                                        \
            const type x = a[0];                                                                             \
            for (uint32_t i = 0; i < n; i++)                                                                 \
                op(x, b[i]);                                                                                 \
        } else if (c->args[1].encoding == COLUMN_CONSTANT) {                                                 \
            const type y = b[0];                                                                             \
            for (uint32_t i = 0; i < n; i++)                                                                 \
                op(a[i], y);                                                                                 \
        } else {                                                                                             \
            for (uint32_t i = 0; i < n; i++)                                                                 \
                op(a[i], b[i]);                                                                              \
        }                                                                                                    \
        if (bad)                                                                                             \
            name##_fail(c);                                                                                  \
    }

/* narrow: computed in 32 or 64 bits, and compared with its narrowed self */
#define NARROW(x, y, wide, type, op)                                                                         \
    wide r = (wide)(x)op(wide)(y);                                                                           \
    out[i] = (type)r;                                                                                        \
    bad |= r ^ (wide)out[i]
#define ADD_8(x, y)                                                                                          \
    {                                                                                                        \
        NARROW(x, y, int32_t, int8_t, +);                                                                    \
    }
#define SUB_8(x, y)                                                                                          \
    {                                                                                                        \
        NARROW(x, y, int32_t, int8_t, -);                                                                    \
    }
#define MUL_8(x, y)                                                                                          \
    {                                                                                                        \
        NARROW(x, y, int32_t, int8_t, *);                                                                    \
    }
#define ADD_16(x, y)                                                                                         \
    {                                                                                                        \
        NARROW(x, y, int32_t, int16_t, +);                                                                   \
    }
#define SUB_16(x, y)                                                                                         \
    {                                                                                                        \
        NARROW(x, y, int32_t, int16_t, -);                                                                   \
    }
#define MUL_16(x, y)                                                                                         \
    {                                                                                                        \
        NARROW(x, y, int32_t, int16_t, *);                                                                   \
    }
#define ADD_32(x, y)                                                                                         \
    {                                                                                                        \
        NARROW(x, y, int64_t, int32_t, +);                                                                   \
    }
#define SUB_32(x, y)                                                                                         \
    {                                                                                                        \
        NARROW(x, y, int64_t, int32_t, -);                                                                   \
    }
#define MUL_32(x, y)                                                                                         \
    {                                                                                                        \
        NARROW(x, y, int64_t, int32_t, *);                                                                   \
    }
/* 64 bits: the sign of the result against those of the sides */
#define ADD_64(x, y)                                                                                         \
    {                                                                                                        \
        uint64_t p = (uint64_t)(x), q = (uint64_t)(y), r = p + q;                                            \
        out[i] = (int64_t)r;                                                                                 \
        bad |= ((p ^ r) & (q ^ r)) >> 63;                                                                    \
    }
#define SUB_64(x, y)                                                                                         \
    {                                                                                                        \
        uint64_t p = (uint64_t)(x), q = (uint64_t)(y), r = p - q;                                            \
        out[i] = (int64_t)r;                                                                                 \
        bad |= ((p ^ q) & (p ^ r)) >> 63;                                                                    \
    }
#define MUL_64(x, y)                                                                                         \
    {                                                                                                        \
        int64_t r;                                                                                           \
        bad |= __builtin_mul_overflow(x, y, &r);                                                             \
        out[i] = r;                                                                                          \
    }
#define ADD_OVER(a, b, r) __builtin_add_overflow(a, b, r)
#define SUB_OVER(a, b, r) __builtin_sub_overflow(a, b, r)
#define MUL_OVER(a, b, r) __builtin_mul_overflow(a, b, r)

INTEGER(add_i8, int8_t, int32_t, ADD_8, ADD_OVER)
INTEGER(sub_i8, int8_t, int32_t, SUB_8, SUB_OVER)
INTEGER(mul_i8, int8_t, int32_t, MUL_8, MUL_OVER)
INTEGER(add_i16, int16_t, int32_t, ADD_16, ADD_OVER)
INTEGER(sub_i16, int16_t, int32_t, SUB_16, SUB_OVER)
INTEGER(mul_i16, int16_t, int32_t, MUL_16, MUL_OVER)
INTEGER(add_i32, int32_t, int64_t, ADD_32, ADD_OVER)
INTEGER(sub_i32, int32_t, int64_t, SUB_32, SUB_OVER)
INTEGER(mul_i32, int32_t, int64_t, MUL_32, MUL_OVER)
INTEGER(add_i64, int64_t, uint64_t, ADD_64, ADD_OVER)
INTEGER(sub_i64, int64_t, uint64_t, SUB_64, SUB_OVER)
INTEGER(mul_i64, int64_t, uint64_t, MUL_64, MUL_OVER)

enum arith_op { ARITH_ADD, ARITH_SUB, ARITH_MUL, ARITH_COUNT };

static kernel_fn *integer_kernel(enum arith_op op, size_t width)
{
    static kernel_fn *const table[ARITH_COUNT][4] = {
        [ARITH_ADD] = {add_i8, add_i16, add_i32, add_i64},
        [ARITH_SUB] = {sub_i8, sub_i16, sub_i32, sub_i64},
        [ARITH_MUL] = {mul_i8, mul_i16, mul_i32, mul_i64},
    };
    return table[op][width == 1 ? 0 : width == 2 ? 1 : width == 4 ? 2 : 3];
}

/* ---- floating ------------------------------------------------------------------------------------------ */

#define FLOATING(name, type, op)                                                                             \
    static void name(struct call *c)                                                                         \
    {                                                                                                        \
        const type *a = c->args[0].data, *b = c->args[1].data;                                               \
        type *out = c->out->data;                                                                            \
        const uint32_t n = c->rows;                                                                          \
        if (c->args[0].encoding == COLUMN_CONSTANT) {                                                        \
            const type x = a[0];                                                                             \
            for (uint32_t i = 0; i < n; i++)                                                                 \
                out[i] = x op b[i];                                                                          \
        } else if (c->args[1].encoding == COLUMN_CONSTANT) {                                                 \
            const type y = b[0];                                                                             \
            for (uint32_t i = 0; i < n; i++)                                                                 \
                out[i] = a[i] op y;                                                                          \
        } else {                                                                                             \
            for (uint32_t i = 0; i < n; i++)                                                                 \
                out[i] = a[i] op b[i];                                                                       \
        }                                                                                                    \
    }
FLOATING(add_f32, float, +)
FLOATING(sub_f32, float, -)
FLOATING(mul_f32, float, *)
FLOATING(add_f64, double, +)
FLOATING(sub_f64, double, -)
FLOATING(mul_f64, double, *)

static kernel_fn *floating_kernel(enum arith_op op, bool is_float)
{
    static kernel_fn *const table[ARITH_COUNT][2] = {
        {add_f64, add_f32}, {sub_f64, sub_f32}, {mul_f64, mul_f32}};
    return table[op][is_float];
}

/* ---- decimals ------------------------------------------------------------------------------------------ */

typedef bool decimal_fn(i128 a, unsigned sa, i128 b, unsigned sb, struct decimal_shape out, i128 *result);

static void decimal_binary(struct call *c, decimal_fn *run)
{
    unsigned sa = c->args[0].type->scale, sb = c->args[1].type->scale;
    struct decimal_shape shape = decimal_shape_of(c->out->type);
    for (EACH_ROW(c, row))
        if (!run(ARG(c, i128, 0, row), sa, ARG(c, i128, 1, row), sb, shape, &OUT(c, i128)[row])) {
            OUT(c, i128)[row] = 0;
            out_error(c, row, "NUMERIC_VALUE_OUT_OF_RANGE: the result does not fit DECIMAL(%d,%d)",
                      shape.precision, shape.scale);
        }
}

/* The sum or difference where all three scales are one and the sides are short: no rescaling, no overflow of
 * 128 bits. */
static void decimal_add_same(struct call *c)
{
    i128 limit = decimal_pow10[c->out->type->precision];
    for (EACH_ROW(c, row)) {
        i128 r = ARG(c, i128, 0, row) + ARG(c, i128, 1, row);
        OUT(c, i128)[row] = r;
        if (__builtin_expect(r >= limit || r <= -limit, 0)) {
            OUT(c, i128)[row] = 0;
            out_error(c, row, "NUMERIC_VALUE_OUT_OF_RANGE: the result does not fit DECIMAL(%d,%d)",
                      c->out->type->precision, c->out->type->scale);
        }
    }
}

static void decimal_add_rows(struct call *c)
{
    decimal_binary(c, decimal_add);
}
static void decimal_sub_rows(struct call *c)
{
    decimal_binary(c, decimal_sub);
}
static void decimal_mul_rows(struct call *c)
{
    decimal_binary(c, decimal_mul);
}

/* A zero divisor fails; other rows are computed. */
static bool divisor_zero(struct call *c, uint32_t row)
{
    if (ARG(c, i128, 1, row) != 0)
        return false;
    out_zero(c, row);
    return true;
}

static void decimal_quotient(struct call *c, decimal_fn *run)
{
    unsigned sa = c->args[0].type->scale, sb = c->args[1].type->scale;
    struct decimal_shape shape = decimal_shape_of(c->out->type);
    for (EACH_ROW(c, row)) {
        if (divisor_zero(c, row))
            continue;
        if (!run(ARG(c, i128, 0, row), sa, ARG(c, i128, 1, row), sb, shape, &OUT(c, i128)[row])) {
            OUT(c, i128)[row] = 0;
            out_error(c, row, "NUMERIC_VALUE_OUT_OF_RANGE: the result does not fit DECIMAL(%d,%d)",
                      shape.precision, shape.scale);
        }
    }
}

static void decimal_div_rows(struct call *c)
{
    decimal_quotient(c, decimal_div);
}
static void decimal_rem_rows(struct call *c)
{
    decimal_quotient(c, decimal_rem);
}

/* pmod: the remainder, and where it is negative the remainder of remainder + divisor. */
static bool decimal_pmod(i128 a, unsigned sa, i128 b, unsigned sb, struct decimal_shape out, i128 *result)
{
    struct decimal_shape exact = {DECIMAL_PRECISION_MAX, (uint8_t)(sa > sb ? sa : sb)};
    i128 r;
    if (!decimal_rem(a, sa, b, sb, exact, &r))
        return false;
    if (r < 0 &&
        (!decimal_add(r, exact.scale, b, sb, exact, &r) || !decimal_rem(r, exact.scale, b, sb, exact, &r)))
        return false;
    return decimal_rescale(r, exact.scale, out, result);
}

static void decimal_pmod_rows(struct call *c)
{
    decimal_quotient(c, decimal_pmod);
}

static bool pick_basic(struct kernel_pick *p, enum arith_op op)
{
    static kernel_fn *const decimals[] = {decimal_add_rows, decimal_sub_rows, decimal_mul_rows};
    const struct type *t = p->expr->type;
    if (t->kind == TYPE_FLOAT || t->kind == TYPE_DOUBLE) {
        p->run = floating_kernel(op, t->kind == TYPE_FLOAT);
        p->flags |= KERNEL_TOTAL;
    } else if (t->kind == TYPE_DECIMAL) {
        const struct type *a = p->expr->args[0]->type, *b = p->expr->args[1]->type;
        bool same = op == ARITH_ADD && a->scale == t->scale && b->scale == t->scale && a->precision < 38 &&
                    b->precision < 38;
        p->run = same ? decimal_add_same : decimals[op];
    } else {
        p->run = integer_kernel(op, type_width(t));
        p->flags |= KERNEL_DENSE;
    }
    return true;
}

bool pick_add(struct kernel_pick *p, struct err *err)
{
    return pick_basic(p, ARITH_ADD);
}
bool pick_subtract(struct kernel_pick *p, struct err *err)
{
    return pick_basic(p, ARITH_SUB);
}
bool pick_multiply(struct kernel_pick *p, struct err *err)
{
    return pick_basic(p, ARITH_MUL);
}

/* ---- division ------------------------------------------------------------------------------------------ */

static void divide_f64(struct call *c)
{
    for (EACH_ROW(c, row)) {
        double y = ARG(c, double, 1, row);
        if (y == 0)
            out_zero(c, row);
        else
            OUT(c, double)[row] = ARG(c, double, 0, row) / y;
    }
}

static void divide_f32(struct call *c)
{
    for (EACH_ROW(c, row)) {
        float y = ARG(c, float, 1, row);
        if (y == 0)
            out_zero(c, row);
        else
            OUT(c, float)[row] = ARG(c, float, 0, row) / y;
    }
}

bool pick_divide(struct kernel_pick *p, struct err *err)
{
    enum type_kind k = p->expr->type->kind;
    p->run = k == TYPE_DECIMAL ? decimal_div_rows : k == TYPE_FLOAT ? divide_f32 : divide_f64;
    return true;
}

/* Integers of any width, intervals of one kind: both sides int64 by arg_i64. */
static void int_divide(struct call *c)
{
    for (EACH_ROW(c, row)) {
        int64_t x = arg_i64(c, 0, row), y = arg_i64(c, 1, row);
        if (y == 0)
            out_zero(c, row);
        else if (x == INT64_MIN && y == -1)
            out_overflow(c, row);
        else
            OUT(c, int64_t)[row] = x / y;
    }
}

static void int_divide_decimal(struct call *c)
{
    unsigned sa = c->args[0].type->scale, sb = c->args[1].type->scale;
    for (EACH_ROW(c, row)) {
        if (divisor_zero(c, row))
            continue;
        if (!decimal_int_div(ARG(c, i128, 0, row), sa, ARG(c, i128, 1, row), sb, &OUT(c, int64_t)[row]))
            out_overflow(c, row);
    }
}

bool pick_int_divide(struct kernel_pick *p, struct err *err)
{
    p->run = p->expr->args[0]->type->kind == TYPE_DECIMAL ? int_divide_decimal : int_divide;
    return true;
}

static void mod_integer(struct call *c)
{
    for (EACH_ROW(c, row)) {
        int64_t x = arg_i64(c, 0, row), y = arg_i64(c, 1, row);
        if (y == 0)
            out_zero(c, row);
        else
            out_i64(c, row, y == -1 ? 0 : x % y);
    }
}

static void pmod_integer(struct call *c)
{
    for (EACH_ROW(c, row)) {
        int64_t x = arg_i64(c, 0, row), y = arg_i64(c, 1, row);
        if (y == 0) {
            out_zero(c, row);
            continue;
        }
        int64_t r = y == -1 ? 0 : x % y;
        if (r < 0)
            r = (int64_t)(((i128)r + y) % y);
        out_i64(c, row, r);
    }
}

static double pmod_f64(double x, double y)
{
    double r = fmod(x, y);
    return r < 0 ? fmod(r + y, y) : r;
}

static float pmod_f32(float x, float y)
{
    float r = fmodf(x, y);
    return r < 0 ? fmodf(r + y, y) : r;
}

#define REMAINDER(name, type, remainder)                                                                     \
    static void name(struct call *c)                                                                         \
    {                                                                                                        \
        for (EACH_ROW(c, row)) {                                                                             \
            type y = ARG(c, type, 1, row);                                                                   \
            if (y == 0)                                                                                      \
                out_zero(c, row);                                                                            \
            else                                                                                             \
                OUT(c, type)[row] = remainder(ARG(c, type, 0, row), y);                                      \
        }                                                                                                    \
    }
REMAINDER(mod_f64_rows, double, fmod)
REMAINDER(mod_f32_rows, float, fmodf)
REMAINDER(pmod_f64_rows, double, pmod_f64)
REMAINDER(pmod_f32_rows, float, pmod_f32)

bool pick_mod(struct kernel_pick *p, struct err *err)
{
    enum type_kind k = p->expr->args[0]->type->kind;
    p->run = k == TYPE_DECIMAL  ? decimal_rem_rows
             : k == TYPE_DOUBLE ? mod_f64_rows
             : k == TYPE_FLOAT  ? mod_f32_rows
                                : mod_integer;
    return true;
}

bool pick_pmod(struct kernel_pick *p, struct err *err)
{
    enum type_kind k = p->expr->args[0]->type->kind;
    p->run = k == TYPE_DECIMAL  ? decimal_pmod_rows
             : k == TYPE_DOUBLE ? pmod_f64_rows
             : k == TYPE_FLOAT  ? pmod_f32_rows
                                : pmod_integer;
    return true;
}

/* ---- one side ------------------------------------------------------------------------------------------ */

static int64_t least_of(const struct type *t)
{
    return type_width(t) == 1   ? INT8_MIN
           : type_width(t) == 2 ? INT16_MIN
           : type_width(t) == 4 ? INT32_MIN
                                : INT64_MIN;
}

static void negate_integer(struct call *c)
{
    int64_t least = least_of(c->out->type);
    for (EACH_ROW(c, row)) {
        int64_t v = arg_i64(c, 0, row);
        if (v == least)
            out_overflow(c, row);
        else
            out_i64(c, row, -v);
    }
}

static void abs_integer(struct call *c)
{
    int64_t least = least_of(c->out->type);
    for (EACH_ROW(c, row)) {
        int64_t v = arg_i64(c, 0, row);
        if (v == least)
            out_overflow(c, row);
        else
            out_i64(c, row, v < 0 ? -v : v);
    }
}

#define UNARY(name, type, value)                                                                             \
    static void name(struct call *c)                                                                         \
    {                                                                                                        \
        const type *a = c->args[0].data;                                                                     \
        type *out = c->out->data;                                                                            \
        const uint32_t n = c->rows;                                                                          \
        for (uint32_t i = 0; i < n; i++)                                                                     \
            out[i] = value;                                                                                  \
    }
UNARY(negate_f32, float, -a[i])
UNARY(negate_f64, double, -a[i])
UNARY(negate_i128, i128, -a[i])
UNARY(abs_f32, float, fabsf(a[i]))
UNARY(abs_f64, double, fabs(a[i]))
UNARY(abs_i128, i128, a[i] < 0 ? -a[i] : a[i])

static bool pick_unary(struct kernel_pick *p, kernel_fn *f32, kernel_fn *f64, kernel_fn *wide,
                       kernel_fn *integer)
{
    enum type_kind k = p->expr->args[0]->type->kind;
    p->run = k == TYPE_FLOAT ? f32 : k == TYPE_DOUBLE ? f64 : k == TYPE_DECIMAL ? wide : integer;
    if (p->run != integer)
        p->flags |= KERNEL_TOTAL;
    return true;
}

bool pick_negate(struct kernel_pick *p, struct err *err)
{
    return pick_unary(p, negate_f32, negate_f64, negate_i128, negate_integer);
}
bool pick_abs(struct kernel_pick *p, struct err *err)
{
    return pick_unary(p, abs_f32, abs_f64, abs_i128, abs_integer);
}

/* ---- bits ---------------------------------------------------------------------------------------------- */

void kernel_bit_and(struct call *c)
{
    for (EACH_ROW(c, row))
        out_i64(c, row, arg_i64(c, 0, row) & arg_i64(c, 1, row));
}
void kernel_bit_or(struct call *c)
{
    for (EACH_ROW(c, row))
        out_i64(c, row, arg_i64(c, 0, row) | arg_i64(c, 1, row));
}
void kernel_bit_xor(struct call *c)
{
    for (EACH_ROW(c, row))
        out_i64(c, row, arg_i64(c, 0, row) ^ arg_i64(c, 1, row));
}
void kernel_bit_not(struct call *c)
{
    for (EACH_ROW(c, row))
        out_i64(c, row, ~arg_i64(c, 0, row));
}

/* As Java: the count is taken modulo the width. */
void kernel_shift_left(struct call *c)
{
    unsigned mask = type_width(c->out->type) == 8 ? 63 : 31;
    for (EACH_ROW(c, row))
        out_i64(c, row, (int64_t)((uint64_t)arg_i64(c, 0, row) << ((unsigned)arg_i64(c, 1, row) & mask)));
}
void kernel_shift_right(struct call *c)
{
    unsigned mask = type_width(c->out->type) == 8 ? 63 : 31;
    for (EACH_ROW(c, row))
        out_i64(c, row, arg_i64(c, 0, row) >> ((unsigned)arg_i64(c, 1, row) & mask));
}
void kernel_shift_right_unsigned(struct call *c)
{
    bool is_long = type_width(c->out->type) == 8;
    for (EACH_ROW(c, row)) {
        int64_t v = arg_i64(c, 0, row);
        unsigned count = (unsigned)arg_i64(c, 1, row);
        out_i64(c, row,
                is_long ? (int64_t)((uint64_t)v >> (count & 63)) : (int64_t)((uint32_t)v >> (count & 31)));
    }
}
void kernel_bit_count(struct call *c)
{
    for (EACH_ROW(c, row))
        out_i64(c, row, __builtin_popcountll((uint64_t)arg_i64(c, 0, row)));
}
void kernel_bit_get(struct call *c)
{
    int64_t bits = (int64_t)type_width(c->args[0].type) * 8;
    for (EACH_ROW(c, row)) {
        int64_t at = arg_i64(c, 1, row);
        if (at < 0 || at >= bits)
            out_error(
                c, row,
                "INVALID_PARAMETER_VALUE.BIT_POSITION_RANGE: the bit position %lld is not within 0 to %lld",
                (long long)at, (long long)bits - 1);
        else
            out_i64(c, row, arg_i64(c, 0, row) >> at & 1);
    }
}

/* Functions of numbers: rounding, logarithms, trigonometry, digits, buckets, random numbers. */
#include <math.h>
#include <stdio.h>

#include "op/kernels_private.h"
#include "type/cast.h"
#include "type/decimal.h"

/* ---- of doubles ---------------------------------------------------------------------------------------- */

#define DOUBLE_OF(name, expression)                                                                          \
    void name(struct call *c)                                                                                \
    {                                                                                                        \
        for (EACH_ROW(c, row)) {                                                                             \
            const double x = ARG(c, double, 0, row);                                                         \
            OUT(c, double)[row] = expression;                                                                \
        }                                                                                                    \
    }
DOUBLE_OF(kernel_sqrt, sqrt(x))
DOUBLE_OF(kernel_cbrt, cbrt(x))
DOUBLE_OF(kernel_exp, exp(x))
DOUBLE_OF(kernel_expm1, expm1(x))
DOUBLE_OF(kernel_rint, rint(x))
DOUBLE_OF(kernel_sin, sin(x))
DOUBLE_OF(kernel_cos, cos(x))
DOUBLE_OF(kernel_tan, tan(x))
DOUBLE_OF(kernel_cot, 1 / tan(x))
DOUBLE_OF(kernel_sec, 1 / cos(x))
DOUBLE_OF(kernel_csc, 1 / sin(x))
DOUBLE_OF(kernel_asin, asin(x))
DOUBLE_OF(kernel_acos, acos(x))
DOUBLE_OF(kernel_atan, atan(x))
DOUBLE_OF(kernel_sinh, sinh(x))
DOUBLE_OF(kernel_cosh, cosh(x))
DOUBLE_OF(kernel_tanh, tanh(x))
DOUBLE_OF(kernel_asinh, asinh(x))
DOUBLE_OF(kernel_acosh, acosh(x))
DOUBLE_OF(kernel_atanh, atanh(x))
DOUBLE_OF(kernel_degrees, x * 180 / M_PI)
DOUBLE_OF(kernel_radians, x / 180 * M_PI)

#define DOUBLE_OF_TWO(name, expression)                                                                      \
    void name(struct call *c)                                                                                \
    {                                                                                                        \
        for (EACH_ROW(c, row)) {                                                                             \
            const double x = ARG(c, double, 0, row), y = ARG(c, double, 1, row);                             \
            OUT(c, double)[row] = expression;                                                                \
        }                                                                                                    \
    }
DOUBLE_OF_TWO(kernel_power, pow(x, y))
DOUBLE_OF_TWO(kernel_atan2, atan2(x, y))
DOUBLE_OF_TWO(kernel_hypot, hypot(x, y))

/* NULL at and below the pole. */
#define LOGARITHM(name, pole, expression)                                                                    \
    void name(struct call *c)                                                                                \
    {                                                                                                        \
        for (EACH_ROW(c, row)) {                                                                             \
            const double x = ARG(c, double, 0, row);                                                         \
            if (x <= (pole))                                                                                 \
                out_null(c, row);                                                                            \
            else                                                                                             \
                OUT(c, double)[row] = expression;                                                            \
        }                                                                                                    \
    }
LOGARITHM(kernel_ln, 0, log(x))
LOGARITHM(kernel_log10, 0, log10(x))
LOGARITHM(kernel_log2, 0, log2(x))
LOGARITHM(kernel_log1p, -1, log1p(x))

void kernel_log(struct call *c)
{
    for (EACH_ROW(c, row)) {
        double base = ARG(c, double, 0, row), x = c->arg_count > 1 ? ARG(c, double, 1, row) : base;
        if (x <= 0 || base <= 0)
            out_null(c, row);
        else
            OUT(c, double)[row] = c->arg_count > 1 ? log(x) / log(base) : log(x);
    }
}

void kernel_pi(struct call *c)
{
    for (EACH_ROW(c, row))
        OUT(c, double)[row] = M_PI;
}
void kernel_e(struct call *c)
{
    for (EACH_ROW(c, row))
        OUT(c, double)[row] = M_E;
}

void kernel_sign(struct call *c)
{
    bool is_double = c->out->type->kind == TYPE_DOUBLE;
    for (EACH_ROW(c, row)) {
        double v;
        if (arg_kind(c, 0) == TYPE_DECIMAL)
            v = (ARG(c, i128, 0, row) > 0) - (ARG(c, i128, 0, row) < 0);
        else
            v = arg_f64(c, 0, row);
        v = isnan(v) ? v : (v > 0) - (v < 0);
        if (is_double)
            OUT(c, double)[row] = v;
        else if (c->out->type->kind == TYPE_DECIMAL)
            OUT(c, i128)[row] = (i128)v;
        else
            out_i64(c, row, (int64_t)v);
    }
}

/* ---- rounding ------------------------------------------------------------------------------------------ */

static int64_t scale_of(const struct call *c, uint32_t row)
{
    return c->arg_count > 1 ? arg_i64(c, 1, row) : 0;
}

/* v of scale `from` to the scale wanted (which may be negative), then at the result's scale. */
static bool round_decimal(i128 v, int64_t from, int64_t wanted, const struct type *type,
                          enum decimal_rounding how, i128 *out)
{
    i128 r = v;
    int64_t at = from;
    if (wanted < from) {
        if (from - wanted > 76)
            r = how == DECIMAL_CEILING && v > 0 ? 1 : how == DECIMAL_FLOOR && v < 0 ? -1 : 0;
        else
            r = decimal_round(v, (unsigned)(from - wanted), how);
        at = wanted;
    }
    for (; r != 0 && at < type->scale; at++)
        if (__builtin_mul_overflow(r, 10, &r))
            return false;
    *out = r;
    return decimal_fits(r, type->precision);
}

static void round_decimals(struct call *c, enum decimal_rounding how)
{
    for (EACH_ROW(c, row)) {
        i128 v;
        int64_t wanted = scale_of(c, row);
        if (wanted > c->out->type->scale)
            wanted = c->out->type->scale;
        if (round_decimal(ARG(c, i128, 0, row), c->args[0].type->scale, wanted, c->out->type, how, &v))
            OUT(c, i128)[row] = v;
        else
            out_error(c, row, "NUMERIC_VALUE_OUT_OF_RANGE: the result does not fit DECIMAL(%d,%d)",
                      c->out->type->precision, c->out->type->scale);
    }
}

static int64_t saturate(double v)
{
    if (isnan(v))
        return 0;
    return v >= 9223372036854775807.0 ? INT64_MAX : v <= -9223372036854775808.0 ? INT64_MIN : (int64_t)v;
}

static void ceil_rows(struct call *c)
{
    for (EACH_ROW(c, row))
        out_i64(c, row,
                type_is_integer(c->args[0].type) ? arg_i64(c, 0, row) : saturate(ceil(arg_f64(c, 0, row))));
}
static void floor_rows(struct call *c)
{
    for (EACH_ROW(c, row))
        out_i64(c, row,
                type_is_integer(c->args[0].type) ? arg_i64(c, 0, row) : saturate(floor(arg_f64(c, 0, row))));
}
static void ceil_decimals(struct call *c)
{
    round_decimals(c, DECIMAL_CEILING);
}
static void floor_decimals(struct call *c)
{
    round_decimals(c, DECIMAL_FLOOR);
}

bool pick_ceil(struct kernel_pick *p, struct err *err)
{
    p->run = p->expr->args[0]->type->kind == TYPE_DECIMAL ? ceil_decimals : ceil_rows;
    return true;
}
bool pick_floor(struct kernel_pick *p, struct err *err)
{
    p->run = p->expr->args[0]->type->kind == TYPE_DECIMAL ? floor_decimals : floor_rows;
    return true;
}

/* A double rounded in decimal, by its shortest digits, as Spark does: round(2.675, 2) is 2.68. */
static double round_digits(uint64_t digits, int exponent, bool negative, int64_t scale, bool even)
{
    int64_t drop = -(int64_t)exponent - scale;
    char text[48];
    double out = 0;
    if (drop > 19)
        return negative ? -0.0 : 0.0;
    i128 q = decimal_round((i128)digits, (unsigned)drop, even ? DECIMAL_HALF_EVEN : DECIMAL_HALF_UP);
    snprintf(text, sizeof(text), "%s%llue%lld", negative ? "-" : "", (unsigned long long)q,
             (long long)-scale);
    number_to_f64(str_of(text), &out);
    return out;
}

static void round_floating(struct call *c, bool even)
{
    bool is_float = arg_kind(c, 0) == TYPE_FLOAT;
    for (EACH_ROW(c, row)) {
        double v = arg_f64(c, 0, row);
        int64_t scale = scale_of(c, row);
        int exponent = 0;
        if (isfinite(v) && v != 0) {
            uint64_t digits = is_float ? f32_shortest((float)fabs(v), &exponent)
                                       : f64_shortest(fabs(v), &exponent);
            if (-(int64_t)exponent > scale)
                v = round_digits(digits, exponent, v < 0, scale, even);
        }
        v = v == 0 ? 0 : v; /* a BigDecimal has no −0 */
        if (is_float)
            OUT(c, float)[row] = (float)v;
        else
            OUT(c, double)[row] = v;
    }
}

static void round_integers(struct call *c, bool even)
{
    enum type_kind k = c->out->type->kind;
    for (EACH_ROW(c, row)) {
        int64_t v = arg_i64(c, 0, row), scale = scale_of(c, row);
        i128 r = v;
        if (scale < -19)
            r = 0;
        else if (scale < 0)
            r = decimal_round(v, (unsigned)-scale, even ? DECIMAL_HALF_EVEN : DECIMAL_HALF_UP) *
                decimal_pow10[-scale];
        if (r < type_int_min(k) || r > type_int_max(k))
            out_overflow(c, row);
        else
            out_i64(c, row, (int64_t)r);
    }
}

static void round_up_decimal(struct call *c)
{
    round_decimals(c, DECIMAL_HALF_UP);
}
static void round_even_decimal(struct call *c)
{
    round_decimals(c, DECIMAL_HALF_EVEN);
}
static void round_up_floating(struct call *c)
{
    round_floating(c, false);
}
static void round_even_floating(struct call *c)
{
    round_floating(c, true);
}
static void round_up_integer(struct call *c)
{
    round_integers(c, false);
}
static void round_even_integer(struct call *c)
{
    round_integers(c, true);
}

bool pick_round(struct kernel_pick *p, struct err *err)
{
    const struct type *t = p->expr->args[0]->type;
    p->run = t->kind == TYPE_DECIMAL ? round_up_decimal
             : type_is_integer(t)    ? round_up_integer
                                     : round_up_floating;
    return true;
}
bool pick_bround(struct kernel_pick *p, struct err *err)
{
    const struct type *t = p->expr->args[0]->type;
    p->run = t->kind == TYPE_DECIMAL ? round_even_decimal
             : type_is_integer(t)    ? round_even_integer
                                     : round_even_floating;
    return true;
}

/* ---- digits -------------------------------------------------------------------------------------------- */

void kernel_factorial(struct call *c)
{
    for (EACH_ROW(c, row)) {
        int32_t n = ARG(c, int32_t, 0, row);
        int64_t v = 1;
        if (n < 0 || n > 20) {
            out_null(c, row);
            continue;
        }
        for (int32_t i = 2; i <= n; i++)
            v *= i;
        OUT(c, int64_t)[row] = v;
    }
}

static size_t digits_of(uint64_t v, unsigned base, char out[65])
{
    char reversed[65];
    size_t n = 0;
    do {
        reversed[n++] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"[v % base];
        v /= base;
    } while (v);
    for (size_t i = 0; i < n; i++)
        out[i] = reversed[n - 1 - i];
    return n;
}

void kernel_bin(struct call *c)
{
    char text[65];
    for (EACH_ROW(c, row))
        out_copy(c, row, str_n(text, digits_of((uint64_t)ARG(c, int64_t, 0, row), 2, text)));
}

static void hex_number(struct call *c)
{
    char text[65];
    for (EACH_ROW(c, row))
        out_copy(c, row, str_n(text, digits_of((uint64_t)ARG(c, int64_t, 0, row), 16, text)));
}

void out_hex(struct call *c, uint32_t row, struct str s)
{
    char *to = out_room(c, row, s.n * 2);
    if (to == NULL)
        return;
    for (size_t i = 0; i < s.n; i++) {
        to[2 * i] = "0123456789ABCDEF"[(uint8_t)s.p[i] >> 4];
        to[2 * i + 1] = "0123456789ABCDEF"[s.p[i] & 15];
    }
    out_str(c, row, str_n(to, s.n * 2));
}

static void hex_bytes(struct call *c)
{
    for (EACH_ROW(c, row))
        out_hex(c, row, arg_str(c, 0, row));
}

bool pick_hex(struct kernel_pick *p, struct err *err)
{
    p->run = type_is_view(p->expr->args[0]->type) ? hex_bytes : hex_number;
    return true;
}

static int hex_value(char ch)
{
    return ch >= '0' && ch <= '9'   ? ch - '0'
           : ch >= 'a' && ch <= 'f' ? ch - 'a' + 10
           : ch >= 'A' && ch <= 'F' ? ch - 'A' + 10
                                    : -1;
}

/* Hex digits to bytes, an odd first one alone; false: another character. */
bool text_unhex(struct str s, char *out)
{
    size_t n = 0;
    for (size_t i = 0; i < s.n;) {
        int high = i == 0 && s.n % 2 ? 0 : hex_value(s.p[i++]), low = hex_value(s.p[i++]);
        if (high < 0 || low < 0)
            return false;
        out[n++] = (char)(high << 4 | low);
    }
    return true;
}

void kernel_unhex(struct call *c)
{
    for (EACH_ROW(c, row)) {
        struct str s = arg_str(c, 0, row);
        char *to = out_room(c, row, s.n / 2 + 1);
        if (to == NULL)
            continue;
        if (text_unhex(s, to))
            out_str(c, row, str_n(to, (s.n + 1) / 2));
        else
            out_null(c, row);
    }
}

static int digit_value(char ch)
{
    return ch >= '0' && ch <= '9'   ? ch - '0'
           : ch >= 'a' && ch <= 'z' ? ch - 'a' + 10
           : ch >= 'A' && ch <= 'Z' ? ch - 'A' + 10
                                    : 99;
}

static void conv_row(struct call *c, uint32_t row)
{
    struct str s = str_trim(arg_str(c, 0, row));
    int64_t from = ARG(c, int32_t, 1, row), to = ARG(c, int32_t, 2, row);
    uint64_t base_to = (uint64_t)(to < 0 ? -to : to), v = 0;
    bool negative = s.n && s.p[0] == '-', overflow = false;
    char text[66];
    if (from < 2 || from > 36 || base_to < 2 || base_to > 36 || s.n == 0) {
        out_null(c, row);
        return;
    }
    for (size_t i = negative; i < s.n && digit_value(s.p[i]) < from; i++)
        overflow |= __builtin_mul_overflow(v, (uint64_t)from, &v) ||
                    __builtin_add_overflow(v, (uint64_t)digit_value(s.p[i]), &v);
    if (overflow) {
        out_error(c, row, "ARITHMETIC_OVERFLOW: the number \"%.*s\" overflows 64 bits in function conv()",
                  (int)(s.n < 80 ? s.n : 80), s.p);
        return;
    }
    if (negative && to > 0)
        v = 0 - v;
    bool minus = to < 0 && (negative || (int64_t)v < 0);
    if (to < 0 && !negative && (int64_t)v < 0)
        v = 0 - v;
    text[0] = '-';
    size_t n = digits_of(v, (unsigned)base_to, text + 1);
    out_copy(c, row, minus ? str_n(text, n + 1) : str_n(text + 1, n));
}

void kernel_conv(struct call *c)
{
    for (EACH_ROW(c, row))
        conv_row(c, row);
}

static double number_arg(const struct call *c, uint32_t i, uint32_t row)
{
    return arg_kind(c, i) == TYPE_DECIMAL ? decimal_to_f64(ARG(c, i128, i, row), c->args[i].type->scale)
                                          : arg_f64(c, i, row);
}

void kernel_width_bucket(struct call *c)
{
    for (EACH_ROW(c, row)) {
        double x = number_arg(c, 0, row), low = number_arg(c, 1, row), high = number_arg(c, 2, row);
        int64_t count = arg_i64(c, 3, row);
        if (count <= 0 || count == INT64_MAX || low == high || isnan(x) || !isfinite(low) ||
            !isfinite(high)) {
            out_null(c, row);
            continue;
        }
        double from = low < high ? low : high, to = low < high ? high : low;
        int64_t bucket;
        if (low < high)
            bucket = x < from  ? 0
                     : x >= to ? count + 1
                               : (int64_t)((double)count * (x - from) / (to - from)) + 1;
        else
            bucket = x > to      ? 0
                     : x <= from ? count + 1
                                 : (int64_t)((double)count * (to - x) / (to - from)) + 1;
        OUT(c, int64_t)[row] = bucket;
    }
}

/* ---- random -------------------------------------------------------------------------------------------- */

/* A stream of numbers that the turn's seed, the call's place in the query and its own seed decide. */
struct random_state {
    uint64_t place, turn_seed, drawn;
};

static uint64_t scramble(uint64_t x)
{
    x += 0x9E3779B97F4A7C15u;
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9u;
    x = (x ^ x >> 27) * 0x94D049BB133111EBu;
    return x ^ x >> 31;
}

uint64_t random_draw(struct call *c, uint64_t own_seed)
{
    struct random_state *s = c->step->state;
    if (s->turn_seed != c->context->seed) {
        s->turn_seed = c->context->seed;
        s->drawn = 0;
    }
    return scramble(scramble(scramble(s->turn_seed ^ s->place) ^ own_seed) + s->drawn++);
}

static double uniform(struct call *c, uint64_t own_seed)
{
    return (double)(random_draw(c, own_seed) >> 11) * 0x1p-53;
}

static uint64_t seed_arg(const struct call *c, uint32_t i, uint32_t row)
{
    return i < c->arg_count && !arg_null(c, i, row) ? (uint64_t)arg_i64(c, i, row) : 0;
}

bool pick_random(struct kernel_pick *p, kernel_fn *run)
{
    struct random_state *s = pool_new_struct(p->pool, struct random_state);
    s->place = (uint64_t)p->expr->span.offset << 32 ^ (uint64_t)p->expr->function->id;
    s->turn_seed = UINT64_MAX;
    p->state = s;
    p->run = run;
    p->flags |= KERNEL_VOLATILE;
    return true;
}

static void rand_rows(struct call *c)
{
    for (EACH_ROW(c, row))
        OUT(c, double)[row] = uniform(c, seed_arg(c, 0, row));
}

static void randn_rows(struct call *c)
{
    for (EACH_ROW(c, row)) {
        uint64_t seed = seed_arg(c, 0, row);
        double u = 1 - uniform(c, seed), v = uniform(c, seed);
        OUT(c, double)[row] = sqrt(-2 * log(u)) * cos(2 * M_PI * v);
    }
}

static void uniform_rows(struct call *c)
{
    for (EACH_ROW(c, row)) {
        if (arg_null(c, 0, row) || arg_null(c, 1, row)) {
            out_null(c, row);
            continue;
        }
        double u = uniform(c, seed_arg(c, 2, row));
        if (type_is_integer(c->out->type)) {
            int64_t low = arg_i64(c, 0, row), high = arg_i64(c, 1, row);
            out_i64(c, row, low + (int64_t)floor(u * ((double)high - (double)low)));
        } else if (c->out->type->kind == TYPE_DECIMAL) {
            i128 low = ARG(c, i128, 0, row), high = ARG(c, i128, 1, row);
            OUT(c, i128)[row] = low + (i128)(u * ((double)high - (double)low));
        } else {
            double low = arg_f64(c, 0, row), v = low + u * (arg_f64(c, 1, row) - low);
            if (c->out->type->kind == TYPE_FLOAT)
                OUT(c, float)[row] = (float)v;
            else
                OUT(c, double)[row] = v;
        }
    }
}

static void randstr_rows(struct call *c)
{
    for (EACH_ROW(c, row)) {
        int64_t length = arg_null(c, 0, row) ? 0 : arg_i64(c, 0, row);
        char *to = length < 0 ? NULL : out_blown_up(c, row, (size_t)length, 0);
        if (length < 0)
            out_error(c, row, "INVALID_PARAMETER_VALUE.LENGTH: the length %lld is negative",
                      (long long)length);
        if (to == NULL)
            continue;
        for (int64_t i = 0; i < length; i++)
            to[i] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                [random_draw(c, seed_arg(c, 1, row)) % 62];
        out_str(c, row, str_n(to, (size_t)length));
    }
}

static void uuid_rows(struct call *c)
{
    for (EACH_ROW(c, row)) {
        uint64_t high = random_draw(c, seed_arg(c, 0, row)), low = random_draw(c, seed_arg(c, 0, row));
        char text[40];
        high = (high & ~UINT64_C(0xF000)) | 0x4000;
        low = (low & ~(UINT64_C(3) << 62)) | UINT64_C(1) << 63;
        snprintf(text, sizeof(text), "%08x-%04x-%04x-%04x-%012llx", (unsigned)(high >> 32),
                 (unsigned)(high >> 16 & 0xFFFF), (unsigned)(high & 0xFFFF), (unsigned)(low >> 48),
                 (unsigned long long)(low & 0xFFFFFFFFFFFF));
        out_copy(c, row, str_n(text, 36));
    }
}

static void counter_rows(struct call *c)
{
    struct random_state *s = c->step->state;
    for (EACH_ROW(c, row))
        OUT(c, int64_t)[row] = (int64_t)s->drawn++;
}

bool pick_rand(struct kernel_pick *p, struct err *err)
{
    return pick_random(p, rand_rows);
}
bool pick_randn(struct kernel_pick *p, struct err *err)
{
    return pick_random(p, randn_rows);
}
bool pick_uniform(struct kernel_pick *p, struct err *err)
{
    return pick_random(p, uniform_rows);
}
bool pick_randstr(struct kernel_pick *p, struct err *err)
{
    return pick_random(p, randstr_rows);
}
bool pick_uuid(struct kernel_pick *p, struct err *err)
{
    return pick_random(p, uuid_rows);
}
bool pick_monotonic_id(struct kernel_pick *p, struct err *err)
{
    return pick_random(p, counter_rows);
}

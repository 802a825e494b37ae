/* Decimals: exact arithmetic on __int128, and on 256 bits where that does not suffice.
 *
 * Nearly all values in practice have far fewer than 38 digits, so each operation first tries plain
 * __int128 with overflow detection. Only when that fails are the operands taken as eight 32-bit limbs:
 * products of two 38-digit numbers, and a number of 38 digits scaled up by another 38, have at most 76
 * digits, which 253 bits hold; division is Knuth's algorithm D. */
#include "type/decimal.h"

#include "base/check.h"
#include "type/cast.h"

#define E18 ((i128)1000000000000000000)
const i128 decimal_pow10[DECIMAL_PRECISION_MAX + 1] = {
    1,
    10,
    100,
    1000,
    10000,
    100000,
    1000000,
    10000000,
    100000000,
    1000000000,
    10000000000,
    100000000000,
    1000000000000,
    10000000000000,
    100000000000000,
    1000000000000000,
    10000000000000000,
    100000000000000000,
    E18,
    E18 * 10,
    E18 * 100,
    E18 * 1000,
    E18 * 10000,
    E18 * 100000,
    E18 * 1000000,
    E18 * 10000000,
    E18 * 100000000,
    E18 * 1000000000,
    E18 * 10000000000,
    E18 * 100000000000,
    E18 * 1000000000000,
    E18 * 10000000000000,
    E18 * 100000000000000,
    E18 * 1000000000000000,
    E18 * 10000000000000000,
    E18 * 100000000000000000,
    E18 *E18,
    E18 *E18 * 10,
    E18 *E18 * 100,
};

unsigned decimal_digits(i128 v)
{
    if (v < 0)
        v = -v;
    unsigned n = 1;
    while (n < DECIMAL_PRECISION_MAX && v >= decimal_pow10[n])
        n++;
    return n;
}

/* ---- types of results ---------------------------------------------------------------------------------- */

static unsigned max_of(unsigned a, unsigned b)
{
    return a > b ? a : b;
}

static unsigned min_of(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

enum { SCALE_KEPT = 6 }; /* Spark's MINIMUM_ADJUSTED_SCALE */

struct decimal_shape decimal_adjust(unsigned precision, unsigned scale)
{
    if (precision <= DECIMAL_PRECISION_MAX)
        return (struct decimal_shape){(uint8_t)max_of(precision, 1), (uint8_t)scale};
    unsigned whole = precision - scale, least = min_of(scale, SCALE_KEPT);
    unsigned room = whole < DECIMAL_PRECISION_MAX ? DECIMAL_PRECISION_MAX - whole : 0;
    return (struct decimal_shape){DECIMAL_PRECISION_MAX, (uint8_t)max_of(room, least)};
}

struct decimal_shape decimal_result(enum decimal_op op, struct decimal_shape a, struct decimal_shape b)
{
    unsigned pa = a.precision, sa = a.scale, pb = b.precision, sb = b.scale, scale = max_of(sa, sb);
    switch (op) {
    case DECIMAL_ADD:
    case DECIMAL_SUB: return decimal_adjust(max_of(pa - sa, pb - sb) + scale + 1, scale);
    case DECIMAL_MUL: return decimal_adjust(pa + pb + 1, sa + sb);
    case DECIMAL_DIV:
        scale = max_of(SCALE_KEPT, sa + pb + 1);
        return decimal_adjust(pa - sa + sb + scale, scale);
    case DECIMAL_REM: return decimal_adjust(min_of(pa - sa, pb - sb) + scale, scale);
    }
    UNREACHABLE("an operation that is none");
}

struct decimal_shape decimal_widest(struct decimal_shape a, struct decimal_shape b)
{
    unsigned scale = max_of(a.scale, b.scale);
    unsigned whole = max_of((unsigned)a.precision - a.scale, (unsigned)b.precision - b.scale);
    unsigned excess = whole + scale > DECIMAL_PRECISION_MAX ? whole + scale - DECIMAL_PRECISION_MAX : 0;
    return (struct decimal_shape){(uint8_t)(whole + scale - excess),
                                  (uint8_t)(scale > excess ? scale - excess : 0)};
}

struct decimal_shape decimal_of_kind(enum type_kind kind)
{
    static const struct decimal_shape shapes[TYPE_KINDS] = {
        [TYPE_BYTE] = {3, 0},  [TYPE_SHORT] = {5, 0},  [TYPE_INT] = {10, 0},
        [TYPE_LONG] = {20, 0}, [TYPE_FLOAT] = {14, 7}, [TYPE_DOUBLE] = {30, 15},
    };
    CHECK(shapes[kind].precision > 0);
    return shapes[kind];
}

/* ---- 256 bits ------------------------------------------------------------------------------------------ */

typedef unsigned __int128 u128;

enum { LIMBS = 8 };

/* An unsigned number, least limb first. */
struct wide {
    uint32_t limb[LIMBS];
};

static u128 magnitude(i128 v)
{
    return v < 0 ? (u128)0 - (u128)v : (u128)v;
}

static struct wide wide_of(u128 v)
{
    return (struct wide){{(uint32_t)v, (uint32_t)(v >> 32), (uint32_t)(v >> 64), (uint32_t)(v >> 96)}};
}

static unsigned wide_size(const struct wide *a)
{
    unsigned n = LIMBS;
    while (n > 0 && a->limb[n - 1] == 0)
        n--;
    return n;
}

static bool wide_to_u128(const struct wide *a, u128 *v)
{
    *v = (u128)a->limb[3] << 96 | (u128)a->limb[2] << 64 | (u128)a->limb[1] << 32 | a->limb[0];
    return wide_size(a) <= 4;
}

static int wide_cmp(const struct wide *a, const struct wide *b)
{
    for (int i = LIMBS - 1; i >= 0; i--)
        if (a->limb[i] != b->limb[i])
            return a->limb[i] < b->limb[i] ? -1 : 1;
    return 0;
}

/* a + b; the sum fits: both are below 2^255. */
static struct wide wide_add(const struct wide *a, const struct wide *b)
{
    struct wide sum;
    uint64_t carry = 0;
    for (int i = 0; i < LIMBS; i++) {
        carry += (uint64_t)a->limb[i] + b->limb[i];
        sum.limb[i] = (uint32_t)carry;
        carry >>= 32;
    }
    DCHECK(carry == 0);
    return sum;
}

/* a − b, a ≥ b. */
static struct wide wide_sub(const struct wide *a, const struct wide *b)
{
    struct wide difference;
    int64_t borrow = 0;
    for (int i = 0; i < LIMBS; i++) {
        borrow += (int64_t)a->limb[i] - b->limb[i];
        difference.limb[i] = (uint32_t)borrow;
        borrow >>= 32;
    }
    DCHECK(borrow == 0);
    return difference;
}

/* false: 256 bits do not hold the product. */
static bool wide_mul(const struct wide *a, u128 b, struct wide *product)
{
    struct wide m = wide_of(b);
    unsigned na = wide_size(a), nb = wide_size(&m);
    uint32_t out[LIMBS + 4] = {0};
    for (unsigned i = 0; i < na; i++) {
        uint64_t carry = 0;
        for (unsigned j = 0; j < nb; j++) {
            carry += (uint64_t)a->limb[i] * m.limb[j] + out[i + j];
            out[i + j] = (uint32_t)carry;
            carry >>= 32;
        }
        out[i + nb] = (uint32_t)carry;
    }
    memcpy(product->limb, out, sizeof product->limb);
    return (out[LIMBS] | out[LIMBS + 1] | out[LIMBS + 2] | out[LIMBS + 3]) == 0;
}

/* a × 10^n, n ≤ 76. */
static bool wide_scale_up(struct wide *a, unsigned n)
{
    unsigned first = min_of(n, DECIMAL_PRECISION_MAX);
    return (first == 0 || wide_mul(a, (u128)decimal_pow10[first], a)) &&
           (n == first || wide_mul(a, (u128)decimal_pow10[n - first], a));
}

static void divide_by_limb(const struct wide *a, uint32_t b, struct wide *quotient, struct wide *rest)
{
    uint64_t r = 0;
    for (int i = LIMBS - 1; i >= 0; i--) {
        r = r << 32 | a->limb[i];
        quotient->limb[i] = (uint32_t)(r / b);
        r %= b;
    }
    *rest = wide_of(r);
}

/* One limb of the quotient, for the dividend's limbs u[0 .. n] (u[n] on top) and the divisor's v[0 .. n −
 * 1], whose top bit is set; u is left with the rest. Knuth, volume 2, 4.3.1, algorithm D, steps D3 to D6. */
static uint32_t divide_step(uint32_t *u, const uint32_t *v, unsigned n)
{
    uint64_t top = (uint64_t)u[n] << 32 | u[n - 1], q = top / v[n - 1], r = top % v[n - 1];
    while (q >> 32 || q * v[n - 2] > (r << 32 | u[n - 2])) {
        q--;
        r += v[n - 1];
        if (r >> 32)
            break;
    }
    int64_t borrow = 0;
    uint64_t carry = 0;
    for (unsigned i = 0; i < n; i++) {
        carry += q * v[i];
        borrow += (int64_t)u[i] - (uint32_t)carry;
        u[i] = (uint32_t)borrow;
        borrow >>= 32;
        carry >>= 32;
    }
    borrow += (int64_t)u[n] - (int64_t)carry;
    u[n] = (uint32_t)borrow;
    if (borrow >> 32 == 0)
        return (uint32_t)q;
    carry = 0; /* one too many: add the divisor back */
    for (unsigned i = 0; i < n; i++) {
        carry += (uint64_t)u[i] + v[i];
        u[i] = (uint32_t)carry;
        carry >>= 32;
    }
    u[n] += (uint32_t)carry;
    return (uint32_t)q - 1;
}

/* b is not 0. */
static void wide_divide(const struct wide *a, const struct wide *b, struct wide *quotient, struct wide *rest)
{
    unsigned n = wide_size(b), m = wide_size(a);
    CHECK(n > 0);
    *quotient = (struct wide){{0}};
    if (n == 1) {
        divide_by_limb(a, b->limb[0], quotient, rest);
        return;
    }
    if (m < n) {
        *rest = *a;
        return;
    }
    uint32_t u[LIMBS + 1] = {0}, v[LIMBS] = {0};
    unsigned shift = (unsigned)__builtin_clz(b->limb[n - 1]);
    for (unsigned i = n; i-- > 0;)
        v[i] = (uint32_t)(((uint64_t)b->limb[i] << 32 | (i > 0 ? b->limb[i - 1] : 0)) << shift >> 32);
    u[m] = (uint32_t)((uint64_t)a->limb[m - 1] << shift >> 32);
    for (unsigned i = m; i-- > 0;)
        u[i] = (uint32_t)(((uint64_t)a->limb[i] << 32 | (i > 0 ? a->limb[i - 1] : 0)) << shift >> 32);
    for (unsigned i = m - n + 1; i-- > 0;)
        quotient->limb[i] = divide_step(u + i, v, n);
    *rest = (struct wide){{0}};
    for (unsigned i = 0; i < n; i++)
        rest->limb[i] = (uint32_t)(((uint64_t)u[i + 1] << 32 | u[i]) >> shift);
}

/* a / b rounded HALF_UP. */
static struct wide wide_divide_round(const struct wide *a, const struct wide *b)
{
    struct wide quotient, rest, one = wide_of(1);
    wide_divide(a, b, &quotient, &rest);
    struct wide missing = wide_sub(b, &rest);
    return wide_cmp(&rest, &missing) >= 0 ? wide_add(&quotient, &one) : quotient;
}

/* The magnitude a, of `scale`, at out's scale; false: too many digits. */
static bool finish(struct wide a, unsigned scale, bool negative, struct decimal_shape out, i128 *result)
{
    if (out.scale >= scale) {
        if (!wide_scale_up(&a, out.scale - scale))
            return false;
    } else {
        struct wide power = wide_of(1);
        CHECK(wide_scale_up(&power, scale - out.scale));
        a = wide_divide_round(&a, &power);
    }
    u128 v;
    if (!wide_to_u128(&a, &v) || v >= (u128)decimal_pow10[out.precision])
        return false;
    *result = negative ? -(i128)v : (i128)v;
    return true;
}

/* ---- arithmetic ---------------------------------------------------------------------------------------- */

static i128 half_up(i128 v, i128 divisor)
{
    i128 quotient = v / divisor, rest = v % divisor;
    if (rest < 0)
        return -rest >= divisor + rest ? quotient - 1 : quotient;
    return rest >= divisor - rest ? quotient + 1 : quotient;
}

bool decimal_rescale(i128 v, unsigned scale, struct decimal_shape out, i128 *result)
{
    i128 r = v;
    if (out.scale > scale) {
        if (__builtin_mul_overflow(v, decimal_pow10[out.scale - scale], &r))
            return false;
    } else if (out.scale < scale) {
        r = half_up(v, decimal_pow10[scale - out.scale]);
    }
    *result = r;
    return decimal_fits(r, out.precision);
}

/* Both at the larger scale as i128, where they fit: no value of 38 digits does unless the scales are
 * close, but most are far smaller. */
static bool align(i128 *a, unsigned a_scale, i128 *b, unsigned b_scale)
{
    if (a_scale < b_scale)
        return !__builtin_mul_overflow(*a, decimal_pow10[b_scale - a_scale], a);
    if (a_scale > b_scale)
        return !__builtin_mul_overflow(*b, decimal_pow10[a_scale - b_scale], b);
    return true;
}

struct aligned {
    struct wide a, b;
    unsigned scale;
};

static struct aligned align_wide(i128 a, unsigned a_scale, i128 b, unsigned b_scale)
{
    struct aligned r = {wide_of(magnitude(a)), wide_of(magnitude(b)), max_of(a_scale, b_scale)};
    CHECK(wide_scale_up(&r.a, r.scale - a_scale) && wide_scale_up(&r.b, r.scale - b_scale));
    return r;
}

bool decimal_add(i128 a, unsigned a_scale, i128 b, unsigned b_scale, struct decimal_shape out, i128 *result)
{
    i128 x = a, y = b, sum;
    if (align(&x, a_scale, &y, b_scale) && !__builtin_add_overflow(x, y, &sum))
        return decimal_rescale(sum, max_of(a_scale, b_scale), out, result);
    struct aligned w = align_wide(a, a_scale, b, b_scale);
    if ((a < 0) == (b < 0))
        return finish(wide_add(&w.a, &w.b), w.scale, a < 0, out, result);
    if (wide_cmp(&w.a, &w.b) >= 0)
        return finish(wide_sub(&w.a, &w.b), w.scale, a < 0, out, result);
    return finish(wide_sub(&w.b, &w.a), w.scale, b < 0, out, result);
}

bool decimal_sub(i128 a, unsigned a_scale, i128 b, unsigned b_scale, struct decimal_shape out, i128 *result)
{
    return decimal_add(a, a_scale, -b, b_scale, out, result);
}

bool decimal_mul(i128 a, unsigned a_scale, i128 b, unsigned b_scale, struct decimal_shape out, i128 *result)
{
    i128 product;
    unsigned scale = a_scale + b_scale;
    bool near = out.scale <= scale && scale - out.scale <= DECIMAL_PRECISION_MAX;
    if (near && !__builtin_mul_overflow(a, b, &product))
        return decimal_rescale(product, scale, out, result);
    struct wide w = wide_of(magnitude(a));
    CHECK(wide_mul(&w, magnitude(b), &w));
    return finish(w, scale, (a < 0) != (b < 0), out, result);
}

bool decimal_div(i128 a, unsigned a_scale, i128 b, unsigned b_scale, struct decimal_shape out, i128 *result)
{
    CHECK(b != 0);
    /* a / b = (a × 10^up) / (b × 10^down) at out's scale */
    int shift = (int)out.scale - (int)a_scale + (int)b_scale;
    struct wide n = wide_of(magnitude(a)), d = wide_of(magnitude(b));
    if (shift > 0 && !wide_scale_up(&n, (unsigned)shift))
        return false; /* past 2^256 over less than 10^38: too large whatever b is */
    if (shift < 0)
        CHECK(wide_scale_up(&d, (unsigned)-shift));
    return finish(wide_divide_round(&n, &d), out.scale, (a < 0) != (b < 0), out, result);
}

bool decimal_rem(i128 a, unsigned a_scale, i128 b, unsigned b_scale, struct decimal_shape out, i128 *result)
{
    CHECK(b != 0);
    i128 x = a, y = b;
    if (align(&x, a_scale, &y, b_scale))
        return decimal_rescale(y == -1 ? 0 : x % y, max_of(a_scale, b_scale), out, result);
    struct aligned w = align_wide(a, a_scale, b, b_scale);
    struct wide quotient, rest;
    wide_divide(&w.a, &w.b, &quotient, &rest);
    return finish(rest, w.scale, a < 0, out, result);
}

bool decimal_int_div(i128 a, unsigned a_scale, i128 b, unsigned b_scale, int64_t *result)
{
    CHECK(b != 0);
    struct aligned w = align_wide(a, a_scale, b, b_scale);
    struct wide quotient, rest;
    wide_divide(&w.a, &w.b, &quotient, &rest);
    bool negative = (a < 0) != (b < 0);
    u128 v;
    if (!wide_to_u128(&quotient, &v) || v > (u128)INT64_MAX + negative)
        return false;
    *result = negative ? (int64_t) - (i128)v : (int64_t)v;
    return true;
}

i128 decimal_round(i128 v, unsigned places, enum decimal_rounding rounding)
{
    if (places == 0)
        return v;
    bool all = places > DECIMAL_PRECISION_MAX; /* nothing of v is left, and it is less than a half */
    i128 divisor = decimal_pow10[all ? DECIMAL_PRECISION_MAX : places];
    i128 quotient = all ? 0 : v / divisor, rest = all ? v : v % divisor, distance = rest < 0 ? -rest : rest;
    i128 away = v < 0 ? quotient - 1 : quotient + 1;
    switch (rounding) {
    case DECIMAL_HALF_UP: return !all && distance >= divisor - distance ? away : quotient;
    case DECIMAL_HALF_EVEN:
        if (all || distance < divisor - distance)
            return quotient;
        return distance > divisor - distance || quotient % 2 != 0 ? away : quotient;
    case DECIMAL_FLOOR: return rest < 0 ? away : quotient;
    case DECIMAL_CEILING: return rest > 0 ? away : quotient;
    case DECIMAL_DOWN: return quotient;
    }
    UNREACHABLE("a rounding that is none");
}

int decimal_cmp(i128 a, unsigned a_scale, i128 b, unsigned b_scale)
{
    i128 x = a, y = b;
    if (align(&x, a_scale, &y, b_scale))
        return (x > y) - (x < y);
    if ((a < 0) != (b < 0) || a == 0 || b == 0)
        return (a > b) - (a < b);
    struct aligned w = align_wide(a, a_scale, b, b_scale);
    int c = wide_cmp(&w.a, &w.b);
    return a < 0 ? -c : c;
}

/* ---- text and numbers ---------------------------------------------------------------------------------- */

enum { EXPONENT_LIMIT = 100000000 };

/* A number's text, cut into its parts. */
struct number {
    const char *p, *end; /* digits and at most one point */
    bool negative;
    int64_t exponent;
    int64_t whole;    /* digits before the point, without leading zeros */
    int64_t fraction; /* digits behind it */
    int64_t zeros;    /* of those, the leading ones where whole is 0 */
    int64_t digits;   /* whole + fraction − zeros */
};

static bool scan_exponent(const char *p, const char *end, int64_t *exponent)
{
    bool negative = p < end && *p == '-';
    p += p < end && (*p == '-' || *p == '+');
    if (p == end)
        return false;
    int64_t v = 0;
    for (; p < end; p++) {
        if (*p < '0' || *p > '9')
            return false;
        if (v < EXPONENT_LIMIT)
            v = v * 10 + (*p - '0');
    }
    *exponent = negative ? -v : v;
    return true;
}

static bool scan(struct str text, struct number *n)
{
    text = cast_trim(text);
    *n = (struct number){0};
    if (text.n == 0)
        return false;
    const char *p = text.p, *end = text.p + text.n;
    n->negative = *p == '-';
    p += *p == '-' || *p == '+';
    n->p = p;
    bool point = false, any = false;
    for (; p < end && ((*p >= '0' && *p <= '9') || (*p == '.' && !point)); p++) {
        if (*p == '.') {
            point = true;
            continue;
        }
        any = true;
        bool leading = n->whole + n->fraction == n->zeros && *p == '0';
        n->fraction += point;
        n->zeros += point && leading;
        n->whole += !point && !leading;
    }
    n->end = p;
    n->digits = n->whole + n->fraction - n->zeros;
    if (!any)
        return false;
    if (p == end)
        return true;
    return (*p == 'e' || *p == 'E') && scan_exponent(p + 1, end, &n->exponent);
}

/* The first `count` significant digits (zeros where the text has no more), count ≤ 38, and the digit after
 * them. */
static i128 take_digits(const struct number *n, int64_t count, unsigned *next)
{
    i128 v = 0;
    int64_t taken = 0;
    *next = 0;
    for (const char *p = n->p; p < n->end; p++) {
        if (*p == '.' || (taken == 0 && *p == '0'))
            continue;
        if (taken == count) {
            *next = (unsigned)(*p - '0');
            return v;
        }
        v = v * 10 + (*p - '0');
        taken++;
    }
    return taken > 0 ? v * decimal_pow10[count - taken] : 0;
}

enum decimal_status decimal_parse(struct str text, struct decimal_shape shape, i128 *result)
{
    struct number n;
    if (!scan(text, &n))
        return DECIMAL_MALFORMED;
    *result = 0;
    /* digits to keep: those before the point once the exponent is applied, and the scale */
    int64_t keep = n.whole - n.zeros + n.exponent + shape.scale;
    if (n.digits == 0 || keep < 0)
        return DECIMAL_OK;
    if (keep > DECIMAL_PRECISION_MAX)
        return DECIMAL_OVERFLOW;
    unsigned next;
    i128 v = take_digits(&n, keep, &next) + (next >= 5);
    *result = n.negative ? -v : v;
    return decimal_fits(v, shape.precision) ? DECIMAL_OK : DECIMAL_OVERFLOW;
}

enum decimal_status decimal_parse_exact(struct str text, i128 *result, struct decimal_shape *shape)
{
    struct number n;
    if (!scan(text, &n))
        return DECIMAL_MALFORMED;
    int64_t scale = n.fraction - n.exponent, digits = n.digits;
    if (scale < 0) { /* 1e3 is 1000 */
        digits = digits > 0 ? digits - scale : 0;
        scale = 0;
    }
    if (digits > DECIMAL_PRECISION_MAX || scale > DECIMAL_PRECISION_MAX)
        return DECIMAL_OVERFLOW;
    unsigned next;
    i128 v = take_digits(&n, digits, &next);
    *result = n.negative ? -v : v;
    shape->scale = (uint8_t)scale;
    shape->precision = (uint8_t)max_of(max_of((unsigned)digits, (unsigned)scale), 1);
    return DECIMAL_OK;
}

size_t decimal_to_text(i128 v, unsigned scale, char *out)
{
    char digits[40];
    unsigned n = 0;
    u128 rest = magnitude(v);
    while (rest > 0 || n <= scale) {
        uint64_t low = (uint64_t)rest;
        if (rest >> 64 == 0) { /* the cheap division, as soon as it will do */
            for (; low > 0 || n <= scale; low /= 10)
                digits[n++] = (char)('0' + low % 10);
            break;
        }
        digits[n++] = (char)('0' + (unsigned)(rest % 10));
        rest /= 10;
    }
    char *at = out;
    if (v < 0)
        *at++ = '-';
    while (n > 0) {
        *at++ = digits[--n];
        if (n == scale && scale > 0)
            *at++ = '.';
    }
    *at = '\0';
    return (size_t)(at - out);
}

double decimal_to_f64(i128 v, unsigned scale)
{
    static const double exact[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                   1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    const i128 limit = (i128)1 << 53;
    if (v <= limit && v >= -limit && scale <= 22)
        return (double)(int64_t)v / exact[scale];
    char text[DECIMAL_TEXT_MAX];
    double d = 0;
    number_to_f64(str_n(text, decimal_to_text(v, scale, text)), &d);
    return d;
}

bool decimal_from_f64(double d, struct decimal_shape shape, i128 *result)
{
    if (!(d >= -1.0e39 && d <= 1.0e39))
        return false;
    int exponent;
    i128 v = (i128)f64_shortest(d, &exponent);
    int shift = exponent + shape.scale;
    if (shift < 0)
        v = decimal_round(v, (unsigned)-shift, DECIMAL_HALF_UP);
    else if (v != 0 && (shift > DECIMAL_PRECISION_MAX || __builtin_mul_overflow(v, decimal_pow10[shift], &v)))
        return false;
    *result = d < 0 ? -v : v;
    return decimal_fits(v, shape.precision);
}

bool decimal_to_i64(i128 v, unsigned scale, int64_t *result)
{
    i128 whole = v / decimal_pow10[scale];
    *result = (int64_t)whole;
    return whole == *result;
}

bool decimal_from_i64(int64_t v, struct decimal_shape shape, i128 *result)
{
    return decimal_rescale(v, 0, shape, result);
}

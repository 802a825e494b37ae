/* Numbers and their text: integers, and doubles both ways, correctly rounded and with the fewest digits.
 *
 * To text: Raffaello Giulietti's "The Schubfach way to render doubles". Between the two halfway points
 * around a double lies at most one decimal of each coarse length; three products with a 128-bit power of
 * ten find it. Java's rules on top: at least two digits, plain between 10^-3 and 10^7.
 *
 * From text: the exact path (an integer below 2^53 times or over a power of ten below 10^23), then Daniel
 * Lemire's "Number Parsing at a Gigabyte per Second" (one or two products with the same powers of ten),
 * and where that cannot decide, or digits past the 19th matter, strtod on a cleaned copy. */
#include "type/cast.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "type/pow10_private.h"

typedef unsigned __int128 u128;

struct str cast_trim(struct str s)
{
    while (s.n > 0 && ((unsigned char)s.p[0] <= ' ' || s.p[0] == 0x7F))
        s.p++, s.n--;
    while (s.n > 0 && ((unsigned char)s.p[s.n - 1] <= ' ' || s.p[s.n - 1] == 0x7F))
        s.n--;
    return s;
}

/* ---- integers ------------------------------------------------------------------------------------------ */

bool cast_str_to_i64(struct str s, int64_t min, int64_t max, int64_t *out)
{
    s = cast_trim(s);
    bool negative = s.n > 0 && s.p[0] == '-';
    size_t i = negative || (s.n > 0 && s.p[0] == '+');
    if (i == s.n)
        return false;
    uint64_t v = 0;
    size_t safe = i + 18 < s.n ? i + 18 : s.n; /* 18 digits cannot overflow */
    for (; i < safe; i++) {
        unsigned digit = (unsigned)(s.p[i] - '0');
        if (digit > 9)
            return false;
        v = v * 10 + digit;
    }
    for (; i < s.n; i++) {
        unsigned digit = (unsigned)(s.p[i] - '0');
        if (digit > 9 || __builtin_mul_overflow(v, UINT64_C(10), &v) ||
            __builtin_add_overflow(v, (uint64_t)digit, &v))
            return false;
    }
    if (v > (uint64_t)INT64_MAX + negative)
        return false;
    *out = (int64_t)(negative ? UINT64_C(0) - v : v);
    return *out >= min && *out <= max;
}

static const char pairs[] =
    "0001020304050607080910111213141516171819202122232425262728293031323334353637383940414243444546474849"
    "5051525354555657585960616263646566676869707172737475767778798081828384858687888990919293949596979899";

/* Digits of v to the left of end; returns where they begin. */
static char *put_digits(uint64_t v, char *end)
{
    while (v >= 100) {
        end -= 2;
        memcpy(end, pairs + v % 100 * 2, 2);
        v /= 100;
    }
    if (v >= 10) {
        end -= 2;
        memcpy(end, pairs + v * 2, 2);
    } else {
        *--end = (char)('0' + v);
    }
    return end;
}

size_t cast_i64_to_str(int64_t v, char *out)
{
    char buffer[20], *end = buffer + sizeof buffer;
    char *start = put_digits(v < 0 ? UINT64_C(0) - (uint64_t)v : (uint64_t)v, end);
    size_t n = (size_t)(end - start), sign = v < 0;
    out[0] = '-';
    memcpy(out + sign, start, n);
    out[sign + n] = '\0';
    return sign + n;
}

/* ---- the shortest decimal ------------------------------------------------------------------------------ */

/* floor(log10(2^e)), floor(log10(3/4 × 2^e)), floor(log2(10^e)), for |e| ≤ 1233. */
static int log10_of_pow2(int e)
{
    return (int)((e * INT64_C(1262611)) >> 22);
}
static int log10_of_three_quarters_pow2(int e)
{
    return (int)((e * INT64_C(1262611) - 524031) >> 22);
}
static int log2_of_pow10(int e)
{
    return (int)((e * INT64_C(1741647)) >> 19);
}

/* g × c / 2^128 with a sticky last bit: the bits shifted out, unless they are the tiny excess of g. */
static uint64_t product_to_odd(struct pow10 g, uint64_t c)
{
    u128 low = (u128)g.low * c, high = (u128)g.high * c + (uint64_t)(low >> 64);
    return (uint64_t)(high >> 64) | ((uint64_t)high > 1);
}

/* The format's parts of one finite, positive number: c × 2^q. */
struct binary {
    uint64_t c;
    int q;
    bool is_power;   /* the gap below is half of that above */
    unsigned c_tiny; /* below this many units, one more digit is needed to have two */
};

static uint64_t shortest(struct binary v, int *exponent)
{
    int down = v.c < v.c_tiny ? 1 : 0; /* as ten times the number */
    uint64_t c = down ? v.c * 10 : v.c, odd = c & 1;
    uint64_t cb = c << 2, cb_right = cb + 2, cb_left = cb - (v.is_power ? 1 : 2);
    int k = v.is_power ? log10_of_three_quarters_pow2(v.q) : log10_of_pow2(v.q);
    int h = v.q + log2_of_pow10(-k) + 1;
    struct pow10 g = pow10_table[-k - POW10_MIN];
    g.low += -k >= 0; /* rounded up, also where it is exact */
    uint64_t vb = product_to_odd(g, cb << h), left = product_to_odd(g, cb_left << h);
    uint64_t right = product_to_odd(g, cb_right << h), s = vb >> 2;
    *exponent = k - down;
    if (s >= 100) { /* one digit less? */
        uint64_t under = s / 10 * 10, over = under + 10;
        bool under_in = left + odd <= under << 2, over_in = (over << 2) + odd <= right;
        if (under_in != over_in)
            return under_in ? under : over;
    }
    bool s_in = left + odd <= s << 2, t_in = ((s + 1) << 2) + odd <= right;
    if (s_in != t_in)
        return s_in ? s : s + 1;
    uint64_t middle = (s << 2) + 2;
    return vb < middle || (vb == middle && (s & 1) == 0) ? s : s + 1;
}

static uint64_t strip_zeros(uint64_t digits, int *exponent)
{
    if (digits == 0) {
        *exponent = 0;
        return 0;
    }
    while (digits % 10 == 0) {
        digits /= 10;
        (*exponent)++;
    }
    return digits;
}

uint64_t f64_shortest(double v, int *exponent)
{
    uint64_t bits;
    memcpy(&bits, &v, sizeof bits);
    uint64_t fraction = bits & ((UINT64_C(1) << 52) - 1);
    int biased = (int)(bits >> 52 & 0x7FF);
    DCHECK(biased != 0x7FF);
    double magnitude = fabs(v);
    *exponent = 0;
    if (magnitude < 9007199254740992.0 && magnitude == (double)(uint64_t)magnitude)
        return strip_zeros((uint64_t)magnitude, exponent);
    struct binary b = {.c = fraction, .q = -1074, .c_tiny = 3};
    if (biased > 0) {
        b.c |= UINT64_C(1) << 52;
        b.q = biased - 1075;
        b.is_power = fraction == 0 && biased > 1;
    }
    return strip_zeros(shortest(b, exponent), exponent);
}

uint64_t f32_shortest(float v, int *exponent)
{
    uint32_t bits;
    memcpy(&bits, &v, sizeof bits);
    uint32_t fraction = bits & ((UINT32_C(1) << 23) - 1);
    int biased = (int)(bits >> 23 & 0xFF);
    DCHECK(biased != 0xFF);
    float magnitude = fabsf(v);
    *exponent = 0;
    if (magnitude < 16777216.0f && magnitude == (float)(uint32_t)magnitude)
        return strip_zeros((uint64_t)magnitude, exponent);
    struct binary b = {.c = fraction, .q = -149, .c_tiny = 8};
    if (biased > 0) {
        b.c |= UINT32_C(1) << 23;
        b.q = biased - 150;
        b.is_power = fraction == 0 && biased > 1;
    }
    return strip_zeros(shortest(b, exponent), exponent);
}

/* Java's layout of ±digits × 10^exponent. */
static size_t put_java(bool negative, uint64_t digits, int exponent, char *out)
{
    char buffer[20], *end = buffer + sizeof buffer, *start = put_digits(digits, end), *at = out;
    int n = (int)(end - start), point = n + exponent; /* digits before the point */
    if (negative)
        *at++ = '-';
    if (point > -3 && point <= 7) {
        if (point <= 0) {
            *at++ = '0';
        } else {
            int whole = point < n ? point : n;
            memcpy(at, start, (size_t)whole);
            memset(at + whole, '0', (size_t)(point - whole));
            at += point, start += whole, n -= whole;
        }
        *at++ = '.';
        for (; point < 0; point++)
            *at++ = '0';
        if (n == 0)
            *at++ = '0';
        memcpy(at, start, (size_t)n);
        at += n;
    } else {
        *at++ = *start++;
        *at++ = '.';
        if (n == 1)
            *at++ = '0';
        memcpy(at, start, (size_t)(n - 1));
        at += n - 1;
        *at++ = 'E';
        at += cast_i64_to_str(point - 1, at);
    }
    *at = '\0';
    return (size_t)(at - out);
}

static size_t put_special(bool nan, bool negative, char *out)
{
    const char *text = nan ? "NaN" : negative ? "-Infinity" : "Infinity";
    size_t n = strlen(text);
    memcpy(out, text, n + 1);
    return n;
}

size_t cast_f64_to_str(double v, char *out)
{
    if (!isfinite(v))
        return put_special(isnan(v), v < 0, out);
    int exponent;
    uint64_t digits = f64_shortest(v, &exponent);
    return put_java(signbit(v), digits, exponent, out);
}

size_t cast_f32_to_str(float v, char *out)
{
    if (!isfinite(v))
        return put_special(isnan(v), v < 0, out);
    int exponent;
    uint64_t digits = f32_shortest(v, &exponent);
    return put_java(signbit(v), digits, exponent, out);
}

/* ---- from text ----------------------------------------------------------------------------------------- */

/* digits × 10^exponent, of which only the first 19 digits are in `digits`. */
struct decimal_text {
    bool negative, cut; /* cut: non-zero digits past the 19th */
    uint64_t digits;
    int64_t exponent;
    const char *start, *end; /* of the digits and the point, leading zeros included */
    int64_t written_exponent;
};

enum { EXPONENT_LIMIT = 1000000 }; /* a larger one changes nothing: the result is 0 or an infinity */

static bool scan_exponent(const char *p, const char *end, int64_t *exponent)
{
    bool negative = p < end && *p == '-';
    p += p < end && (*p == '-' || *p == '+');
    if (p == end)
        return false;
    int64_t v = 0;
    for (; p < end; p++) {
        unsigned digit = (unsigned)(*p - '0');
        if (digit > 9)
            return false;
        if (v < EXPONENT_LIMIT)
            v = v * 10 + digit;
    }
    *exponent = negative ? -v : v;
    return true;
}

static bool scan(struct str s, struct decimal_text *t)
{
    const char *p = s.p, *end = s.p ? s.p + s.n : s.p;
    *t = (struct decimal_text){0};
    t->negative = p < end && *p == '-';
    p += p < end && (*p == '-' || *p == '+');
    t->start = p;
    int64_t taken = 0, fraction = 0;
    bool point = false, any = false;
    for (; p < end; p++) {
        unsigned digit = (unsigned)(*p - '0');
        if (digit > 9) {
            if (*p != '.' || point)
                break;
            point = true;
            continue;
        }
        any = true;
        if (taken < 19) {
            t->digits = t->digits * 10 + digit;
            taken += t->digits != 0;
            fraction += point;
        } else {
            t->cut = t->cut || digit != 0;
            t->exponent += !point;
        }
    }
    t->end = p;
    if (!any)
        return false;
    if (p < end && (*p == 'e' || *p == 'E')) {
        if (!scan_exponent(p + 1, end, &t->written_exponent))
            return false;
    } else if (p < end) {
        return false;
    }
    t->exponent += t->written_exponent - fraction;
    return true;
}

/* What the parser needs to know of a binary format. */
struct format {
    int mantissa_bits, bias, infinite;
    int pow10_min, pow10_max; /* outside: zero, infinity */
    int even_min, even_max;   /* powers of ten with which a product can lie exactly at a half */
};
static const struct format f64_format = {52, 1023, 0x7FF, -342, 308, -4, 23};
static const struct format f32_format = {23, 127, 0xFF, -64, 38, -17, 10};

static u128 scaled_product(uint64_t w, struct pow10 power, int precision)
{
    u128 first = (u128)w * power.high;
    uint64_t mask = UINT64_MAX >> precision;
    if (((uint64_t)(first >> 64) & mask) == mask)
        first += (uint64_t)((u128)w * power.low >> 64);
    return first;
}

/* The bits, without sign, of digits × 10^exponent; false: cannot decide. */
static bool lemire(uint64_t digits, int64_t exponent, const struct format *f, uint64_t *bits)
{
    *bits = 0;
    if (digits == 0 || exponent < f->pow10_min)
        return true;
    *bits = (uint64_t)f->infinite << f->mantissa_bits;
    if (exponent > f->pow10_max)
        return true;
    int q = (int)exponent, zeros = __builtin_clzll(digits);
    u128 product = scaled_product(digits << zeros, pow10_table[q - POW10_MIN], f->mantissa_bits + 3);
    uint64_t high = (uint64_t)(product >> 64), low = (uint64_t)product;
    if (low == UINT64_MAX && (q < -27 || q > 55))
        return false;
    int top = (int)(high >> 63), shift = top + 64 - f->mantissa_bits - 3;
    uint64_t mantissa = high >> shift;
    int power = log2_of_pow10(q) + 63 + top - zeros + f->bias;
    if (power <= 0) { /* subnormal */
        if (1 - power >= 64) {
            *bits = 0;
            return true;
        }
        mantissa >>= 1 - power;
        mantissa = (mantissa + (mantissa & 1)) >> 1;
        *bits = mantissa; /* a carry into the exponent is the smallest normal number: right as it is */
        return true;
    }
    if (low <= 1 && q >= f->even_min && q <= f->even_max && (mantissa & 3) == 1 && mantissa << shift == high)
        mantissa &= ~UINT64_C(1); /* exactly a half: to even */
    mantissa = (mantissa + (mantissa & 1)) >> 1;
    if (mantissa >= UINT64_C(2) << f->mantissa_bits) {
        mantissa = UINT64_C(1) << f->mantissa_bits;
        power++;
    }
    if (power < f->infinite)
        *bits = (mantissa & ~(UINT64_C(1) << f->mantissa_bits)) | (uint64_t)power << f->mantissa_bits;
    return true;
}

/* A copy that strtod reads: at most this many digits decide, the others only say that there is more. */
enum { DIGITS_MAX = 770 };

static void clean_copy(const struct decimal_text *t, char *out)
{
    int64_t exponent = t->written_exponent;
    int n = 0;
    bool point = false, more = false;
    for (const char *p = t->start; p < t->end; p++) {
        if (*p == '.') {
            point = true;
            continue;
        }
        exponent -= point;
        if (n == 0 && *p == '0')
            continue;
        if (n < DIGITS_MAX) {
            out[n++] = *p;
        } else {
            more = more || *p != '0';
            exponent++;
        }
    }
    if (more) {
        out[n++] = '1';
        exponent--;
    }
    if (n == 0)
        out[n++] = '0';
    snprintf(out + n, 24, "e%lld", (long long)exponent);
}

static bool decide(const struct decimal_text *t, const struct format *f, uint64_t *bits)
{
    uint64_t above;
    if (!lemire(t->digits, t->exponent, f, bits))
        return false;
    return !t->cut || (lemire(t->digits + 1, t->exponent, f, &above) && above == *bits);
}

bool number_to_f64(struct str s, double *out)
{
    static const double exact[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                   1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    struct decimal_text t;
    uint64_t bits;
    double v;
    if (!scan(s, &t))
        return false;
    if (!t.cut && t.digits <= UINT64_C(1) << 53 && t.exponent >= -22 && t.exponent <= 22) {
        v = (double)t.digits;
        v = t.exponent < 0 ? v / exact[-t.exponent] : v * exact[t.exponent];
    } else if (decide(&t, &f64_format, &bits)) {
        memcpy(&v, &bits, sizeof v);
    } else {
        char copy[DIGITS_MAX + 32];
        clean_copy(&t, copy);
        v = strtod(copy, NULL);
    }
    *out = t.negative ? -v : v;
    return true;
}

bool number_to_f32(struct str s, float *out)
{
    struct decimal_text t;
    uint64_t bits;
    float v;
    if (!scan(s, &t))
        return false;
    if (decide(&t, &f32_format, &bits)) {
        uint32_t narrow = (uint32_t)bits;
        memcpy(&v, &narrow, sizeof v);
    } else {
        char copy[DIGITS_MAX + 32];
        clean_copy(&t, copy);
        v = strtof(copy, NULL);
    }
    *out = t.negative ? -v : v;
    return true;
}

/* NaN and the infinities, signed; 0 where s is none of them, else a double that is. */
static bool special(struct str s, double *out)
{
    bool negative = s.n > 0 && s.p[0] == '-';
    if (s.n > 0 && (s.p[0] == '-' || s.p[0] == '+'))
        s.p++, s.n--;
    if (str_eq_nocase(s, STR("nan")))
        *out = (double)NAN;
    else if (str_eq_nocase(s, STR("inf")) || str_eq_nocase(s, STR("infinity")))
        *out = negative ? -(double)INFINITY : (double)INFINITY;
    else
        return false;
    return true;
}

/* Without Java's suffix. */
static struct str without_suffix(struct str s)
{
    char last = s.n > 1 ? s.p[s.n - 1] : '\0';
    bool suffix = last == 'd' || last == 'D' || last == 'f' || last == 'F';
    unsigned before = s.n > 1 ? (unsigned)(s.p[s.n - 2] - '0') : 10;
    if (suffix && (before <= 9 || s.p[s.n - 2] == '.'))
        s.n--;
    return s;
}

bool cast_str_to_f64(struct str s, double *out)
{
    s = cast_trim(s);
    return number_to_f64(without_suffix(s), out) || special(s, out);
}

bool cast_str_to_f32(struct str s, float *out)
{
    s = cast_trim(s);
    double v;
    if (number_to_f32(without_suffix(s), out))
        return true;
    if (!special(s, &v))
        return false;
    *out = (float)v;
    return true;
}

bool cast_str_to_bool(struct str s, bool *out)
{
    static const char *const words[] = {"f", "false", "n", "no", "0", "t", "true", "y", "yes", "1"};
    s = cast_trim(s);
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (str_eq_nocase(s, str_of(words[i]))) {
            *out = i >= 5;
            return true;
        }
    return false;
}

bool cast_f64_to_timestamp(double seconds, int64_t *us)
{
    if (!isfinite(seconds))
        return false;
    double v = seconds * 1e6;
    *us = v >= 9223372036854775808.0 ? INT64_MAX : v < -9223372036854775808.0 ? INT64_MIN : (int64_t)v;
    return true;
}

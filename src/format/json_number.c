/* Numbers, exactly.
 *
 * A double comes from its decimal digits in one of three ways, each exact where it answers:
 *   - Clinger: at most 53 bits of digits and a power of ten up to 22 are both exact doubles, so one multiplication or
 *     division rounds once, correctly. Nearly all numbers that people write.
 *   - Eisel and Lemire (Lemire, "Number Parsing at a Gigabyte per Second", 2021): the digits times a 128-bit
 *     approximation of the power of five. The product says itself when it is too close to call.
 *   - the C library, on a copy: digits past 800 can only matter as "more than nothing". */
#include "format/json_number.h"

#include <math.h>
#include <stdlib.h>

#include "type/decimal.h"

enum {
    DIGITS_KEPT = 19, /* the most that always fit in 64 bits */
    EXPONENT_MAX =
        100000000, /* further ones are all the same, zero or infinity; no record has that many digits */
    STRTOD_DIGITS_MAX = 800, /* a midpoint between two doubles has at most 767 significant digits */
};

static bool is_digit(char c)
{
    return (unsigned char)(c - '0') <= 9;
}

/* Takes the digits from p on into the mantissa; returns where they end. */
static const char *read_digits(struct json_number *number, const char *p, const char *limit)
{
    for (; p < limit && is_digit(*p); p++) {
        unsigned digit = (unsigned)(*p - '0');
        if (number->digits == 0 && digit == 0)
            continue;
        if (number->digits++ < DIGITS_KEPT)
            number->mantissa = number->mantissa * 10 + digit;
    }
    return p;
}

/* "e+12" at p: false when no digit follows. */
static bool read_exponent(const char **at, const char *limit, int32_t *exponent)
{
    const char *p = *at + 1;
    bool negative = p < limit && *p == '-';
    if (p < limit && (*p == '-' || *p == '+'))
        p++;
    if (p >= limit || !is_digit(*p))
        return false;
    int32_t value = 0;
    for (; p < limit && is_digit(*p); p++)
        if (value < EXPONENT_MAX)
            value = value * 10 + (*p - '0');
    if (value > EXPONENT_MAX)
        value = EXPONENT_MAX;
    *exponent = negative ? -value : value;
    *at = p;
    return true;
}

static int32_t clamp(int64_t exponent)
{
    return (int32_t)(exponent > EXPONENT_MAX    ? EXPONENT_MAX
                     : exponent < -EXPONENT_MAX ? -EXPONENT_MAX
                                                : exponent);
}

struct json_number json_number_read(const char *p, const char *limit)
{
    struct json_number number = {.is_integer = true};
    const struct json_number none = {0};
    if (p < limit && *p == '-') {
        number.negative = true;
        p++;
    }
    const char *first = p;
    p = read_digits(&number, p, limit);
    if (p == first || (*first == '0' && p - first > 1))
        return none;
    int64_t exponent = 0;
    if (p < limit && *p == '.') {
        const char *fraction = p + 1;
        p = read_digits(&number, fraction, limit);
        if (p == fraction)
            return none;
        exponent = -(int64_t)(p - fraction);
        number.is_integer = false;
    }
    if (p < limit && (*p == 'e' || *p == 'E')) {
        int32_t power;
        if (!read_exponent(&p, limit, &power))
            return none;
        exponent += power;
        number.is_integer = false;
    }
    number.is_cut = number.digits > DIGITS_KEPT;
    if (number.is_cut)
        exponent += number.digits - DIGITS_KEPT;
    number.exponent = clamp(exponent);
    number.end = p;
    return number;
}

/* ---- doubles ---------------------------------------------------------------------------------------------------- */

static const double powers_of_ten[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                       1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
enum { MANTISSA_BITS = 52, EXPONENT_BIAS = 1023, EXPONENT_INFINITE = 0x7FF };

static double from_bits(uint64_t mantissa, uint64_t exponent)
{
    uint64_t bits = mantissa | exponent << MANTISSA_BITS;
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* The upper 128 bits of m × 5^q, as high and *low; the lowest bits may be one too small. */
static uint64_t product(uint64_t m, int q, uint64_t *low)
{
    const uint64_t *five = json_pow5[q - JSON_POW5_MIN];
    unsigned __int128 first = (unsigned __int128)m * five[0];
    uint64_t high = (uint64_t)(first >> 64);
    *low = (uint64_t)first;
    if ((high & 0x1FF) == 0x1FF) {
        uint64_t second = (uint64_t)(((unsigned __int128)m * five[1]) >> 64);
        if (__builtin_add_overflow(*low, second, low))
            high++;
    }
    return high;
}

/* mantissa × 10^q, not zero; false: too close to the middle between two doubles to say. */
static bool eisel_lemire(uint64_t mantissa, int q, double *value)
{
    if (q < JSON_POW5_MIN || q > JSON_POW5_MAX) {
        *value = q < 0 ? 0.0 : (double)INFINITY;
        return true;
    }
    int zeros = __builtin_clzll(mantissa);
    uint64_t low, high = product(mantissa << zeros, q, &low);
    if (low == UINT64_MAX && (q < -27 || q > 55))
        return false;
    int top = (int)(high >> 63);
    int shift = top + 64 - MANTISSA_BITS - 3;
    uint64_t m = high >> shift;
    int power = ((217706 * q) >> 16) + 63 + top - zeros + EXPONENT_BIAS; /* 217706 / 2^16 = log2(10) */
    if (power <= 0) {
        if (1 - power >= 64) {
            *value = 0.0;
            return true;
        }
        m >>= 1 - power;
        m = (m + (m & 1)) >> 1;
        *value = from_bits(m, 0); /* a carry into bit 52 makes it the smallest normal number */
        return true;
    }
    if (low <= 1 && q >= -4 && q <= 23 && (m & 3) == 1 && m << shift == high)
        m &= ~UINT64_C(1); /* exactly in the middle: to even */
    m = (m + (m & 1)) >> 1;
    if (m >> (MANTISSA_BITS + 1)) {
        m >>= 1;
        power++;
    }
    m &= ~(UINT64_C(1) << MANTISSA_BITS);
    *value = power >= EXPONENT_INFINITE ? (double)INFINITY : from_bits(m, (uint64_t)power);
    return true;
}

/* The digits of the text as an integer and an exponent, at most STRTOD_DIGITS_MAX of them and a 1 for a rest. */
static double by_library(const struct json_number *number, const char *p)
{
    char text[STRTOD_DIGITS_MAX + 32];
    size_t n = 0;
    bool rest = false;
    for (; p < number->end && *p != 'e' && *p != 'E'; p++) {
        if (!is_digit(*p) || (n == 0 && *p == '0'))
            continue;
        if (n < STRTOD_DIGITS_MAX)
            text[n++] = *p;
        else
            rest |= *p != '0';
    }
    int64_t exponent = (int64_t)number->exponent + DIGITS_KEPT -
                       (int64_t)n; /* the number is cut, so n > 19 */
    if (rest) {
        text[n++] = '1';
        exponent--;
    }
    text[n++] = 'e';
    if (exponent < 0)
        text[n++] = '-';
    uint64_t rest_of = (uint64_t)(exponent < 0 ? -exponent : exponent);
    char digits[20];
    size_t count = 0;
    do
        digits[count++] = (char)('0' + rest_of % 10);
    while ((rest_of /= 10) != 0);
    while (count > 0)
        text[n++] = digits[--count];
    text[n] = '\0';
    return strtod(text, NULL);
}

double json_number_double(const struct json_number *number, const char *p)
{
    double value, above;
    uint64_t m = number->mantissa;
    int q = number->exponent;
    if (m == 0) {
        value = 0.0;
    } else if (!number->is_cut && m <= UINT64_C(1) << 53 && q >= -22 && q <= 22) {
        value = (double)m;
        value = q < 0 ? value / powers_of_ten[-q] : value * powers_of_ten[q];
    } else if (!eisel_lemire(m, q, &value) ||
               (number->is_cut && (!eisel_lemire(m + 1, q, &above) || above != value))) {
        struct json_number whole = *number;
        if (!number->is_cut) /* by_library counts from the first 19 digits */
            whole.exponent = clamp((int64_t)number->exponent + (int64_t)number->digits - DIGITS_KEPT);
        value = by_library(&whole, p);
    }
    return number->negative ? -value : value;
}

/* ---- integers and decimals -------------------------------------------------------------------------------------- */

bool json_number_i64(const struct json_number *number, const char *p, int64_t *value)
{
    if (!number->is_integer || number->is_cut || number->mantissa > (uint64_t)INT64_MAX + number->negative)
        return false;
    *value = (int64_t)(number->negative ? UINT64_C(0) - number->mantissa : number->mantissa);
    return true;
}

/* The number as digits × 10^exponent with all of its digits: of the text's significant digits the first `keep` (≤ 38),
 * and *next the one after them. */
static i128 leading_digits(const struct json_number *number, const char *p, int64_t keep, unsigned *next)
{
    i128 value = 0;
    int64_t taken = 0;
    *next = 0;
    for (; p < number->end && *p != 'e' && *p != 'E'; p++) {
        if (!is_digit(*p) || (taken == 0 && *p == '0'))
            continue;
        if (taken == keep) {
            *next = (unsigned)(*p - '0');
            break;
        }
        value = value * 10 + (*p - '0');
        taken++;
    }
    return value;
}

bool json_number_decimal(const struct json_number *number, const char *p, unsigned precision, unsigned scale,
                         i128 *value)
{
    i128 unscaled = 0;
    if (number->mantissa != 0) {
        int64_t digits = number->digits, cut = number->is_cut ? digits - DIGITS_KEPT : 0;
        int64_t shift = (int64_t)number->exponent - cut + scale; /* digits × 10^shift is the unscaled value */
        int64_t keep = shift < 0 ? digits + shift : digits;
        if (keep > DECIMAL_PRECISION_MAX || (shift > 0 && digits + shift > DECIMAL_PRECISION_MAX))
            return false;
        unsigned next = 0;
        if (keep >= 0)
            unscaled = leading_digits(number, p, keep, &next);
        if (shift > 0)
            unscaled *= decimal_pow10[shift];
        else if (shift < 0 && keep >= 0 && next >= 5)
            unscaled++;
    }
    if (!decimal_fits(unscaled, precision))
        return false;
    *value = number->negative ? -unscaled : unscaled;
    return true;
}

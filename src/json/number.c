/* The grammar of JSON numbers, and their exact values as integers and decimals. Doubles are type/'s
 * (cast.h). */
#include "json/number.h"

#include "type/decimal.h"

enum {
    DIGITS_KEPT = 19, /* the most that always fit in 64 bits */
    EXPONENT_MAX =
        100000000, /* further ones are all the same, zero or infinity; no record has that many digits */
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

/* ---- integers and decimals ----------------------------------------------------------------------------- */

bool json_number_i64(const struct json_number *number, const char *p, int64_t *value)
{
    if (!number->is_integer || number->is_cut || number->mantissa > (uint64_t)INT64_MAX + number->negative)
        return false;
    *value = (int64_t)(number->negative ? UINT64_C(0) - number->mantissa : number->mantissa);
    return true;
}

/* The number as digits × 10^exponent with all of its digits: of the text's significant digits the first
 * `keep` (≤ 38), and *next the one after them. */
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

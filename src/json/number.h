/* Numbers as JSON writes them: their grammar, and their values as integers and decimals, exactly. */
#ifndef JSON_NUMBER_H
#define JSON_NUMBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "type/type.h"

/* A number as it was found. value = ±mantissa × 10^exponent, of more than 19 significant digits the first
 * 19. */
struct json_number {
    const char *end;   /* the byte after it; NULL: there is no number */
    uint64_t mantissa; /* of the first 19 significant digits */
    int32_t exponent;  /* clamped to ±10^8 */
    uint32_t digits;   /* significant ones: leading zeros do not count */
    bool negative, is_integer /* neither fraction nor exponent */, is_cut /* more than 19 digits */;
};

/* Reads the longest number at p, which ends at limit at the latest. */
struct json_number json_number_read(const char *p, const char *limit);
/* False: out of range, or not an integer. */
bool json_number_i64(const struct json_number *number, const char *p, int64_t *value);
/* Rounded half up to `scale` digits after the point; false: more than `precision` digits then. */
bool json_number_decimal(const struct json_number *number, const char *p, unsigned precision, unsigned scale,
                         i128 *value);

/* ---- eight digits at a time: the bytes of a text without their '0's, the first lowest ------------------ */

/* How many of the eight are digits (at most nine), from the first on. */
static inline unsigned json_digits_count(uint64_t digits)
{
    uint64_t others = ((digits + UINT64_C(0x7676767676767676)) | digits) & UINT64_C(0x8080808080808080);
    return others ? (unsigned)__builtin_ctzll(others) >> 3 : 8;
}

/* The value of the first `count` of them, 1 to 8. */
static inline uint64_t json_digits_value(uint64_t digits, unsigned count)
{
    const uint64_t mask = UINT64_C(0x000000FF000000FF);
    digits <<= 64 - 8 * count;
    digits = digits * 10 + (digits >> 8);
    return ((digits & mask) * (100 + (UINT64_C(1000000) << 32)) +
            ((digits >> 16) & mask) * (1 + (UINT64_C(10000) << 32))) >>
           32;
}

#endif

/* Values of JSON in their common forms, for loops that have no time for a call: json_decode.c's over one record, json_block.c's over many.
 *
 * `at` is the entry of the value's first byte, base and end those of its record, which has at least JSON_RECORD_MIN bytes. What is read ends
 * where the functions say; whether the value ends there as well is the caller's to see. */
#ifndef FORMAT_JSON_VALUE_PRIVATE_H
#define FORMAT_JSON_VALUE_PRIVATE_H

#include "format/json_decode_private.h"
#include "format/view_private.h"
#include "type/cast.h"
#include "json/number.h"

#define JSON_TRUE_WORD UINT64_C(0x65757274)    /* "true", the first byte lowest */
#define JSON_FALSE_WORD UINT64_C(0x65736C6166) /* "false" */
#define JSON_NULL_WORD UINT64_C(0x6C6C756E)    /* "null" */

/* ---- names ----------------------------------------------------------------------------------------------------------------- */

/* Does the key's "name": stand at p, and something behind it? */
ALWAYS_INLINE bool json_key_is(const struct json_key *key, const char *p, const char *end)
{
#ifdef __SSE2__
    if (LIKELY((size_t)(end - p) >= key->reach)) {
        __m128i a = _mm_cmpeq_epi8(view_load16(p), view_load16(key->first));
        __m128i b = _mm_cmpeq_epi8(view_load16(p + key->last_at), view_load16(key->last));
        return (((unsigned)_mm_movemask_epi8(_mm_and_si128(a, b)) | key->beyond) & 0xFFFF) == 0xFFFF;
    }
#endif
    return (size_t)(end - p) > key->size && memcmp(p, key->text, key->size) == 0;
}

/* ---- numbers --------------------------------------------------------------------------------------------------------------- */

/* Digits as they come, at most 18 in all; what follows is at p. */
struct json_digits {
    uint64_t value;
    const char *p;
    unsigned count; /* 0 or more than 18: for the slow path */
};

ALWAYS_INLINE struct json_digits json_read_digits(uint64_t value, const char *p, const char *end)
{
    static const uint64_t tens[] = {1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000};
    struct json_digits found = {value, p, 0};
    for (;;) {
        uint64_t word = view_load8(found.p, end) ^ UINT64_C(0x3030303030303030);
        unsigned count = json_digits_count(word);
        if (count == 0)
            return found;
        found.value = found.value * tens[count] + json_digits_value(word, count);
        found.count += count;
        found.p += count;
        if (LIKELY(count < 8) || found.count > 18)
            return found;
    }
}

/* An integer; its end, or NULL: it is in no common form. */
ALWAYS_INLINE const char *json_read_i64(const char *p, const char *end, int64_t *value)
{
    bool negative = *p == '-';
    struct json_digits number = json_read_digits(0, p + negative, end);
    if (UNLIKELY(number.count - 1 >= 18 || (p[negative] == '0' && number.count > 1)))
        return NULL;
    *value = negative ? -(int64_t)number.value : (int64_t)number.value;
    return number.p;
}

/* As json_read_fixed, where the number and what follows it are eight bytes: its point is taken out, and its digits become a number at once. NULL: it is
 * longer, or none. */
ALWAYS_INLINE const char *json_read_short_fixed(const char *p, const char *end, uint64_t *mantissa,
                                                unsigned *places)
{
    uint64_t digits = view_load8(p, end) ^ UINT64_C(0x3030303030303030);
    uint64_t others = ((digits + UINT64_C(0x7676767676767676)) | digits) & UINT64_C(0x8080808080808080);
    unsigned whole = others ? (unsigned)__builtin_ctzll(others) >> 3 : 8;
    others &= others - 1;
    if (UNLIKELY(whole - 1 >= 7 || others == 0 || ((digits & 0xFF) == 0 && whole > 1)))
        return NULL;
    bool has_point = (digits >> 8 * whole & 0xFF) == ('.' ^ '0');
    unsigned length = has_point ? (unsigned)__builtin_ctzll(others) >> 3 : whole;
    *places = length - whole - has_point;
    if (UNLIKELY(has_point && *places == 0))
        return NULL;
    uint64_t before = (UINT64_C(1) << 8 * whole) - 1;
    digits = has_point ? (digits & before) | (digits >> 8 & ~before) : digits;
    *mantissa = json_digits_value(digits, length - has_point);
    return p + length;
}

/* A number with or without a fraction, ±mantissa × 10^-places; its end, or NULL. */
ALWAYS_INLINE const char *json_read_fixed(const char *p, const char *end, struct json_number *number)
{
    bool negative = *p == '-';
    p += negative;
    struct json_digits found = {0};
    unsigned places = 0;
    found.p = json_read_short_fixed(p, end, &found.value, &places);
    if (UNLIKELY(found.p == NULL)) {
        found = json_read_digits(0, p, end);
        if (UNLIKELY(found.count - 1 >= 18 || (*p == '0' && found.count > 1)))
            return NULL;
        if (found.p < end && *found.p == '.') {
            unsigned whole = found.count;
            found = json_read_digits(found.value, found.p + 1, end);
            places = found.count;
            if (UNLIKELY(places == 0 || whole + places > 19))
                return NULL;
        }
    }
    *number = (struct json_number){
        .mantissa = found.value, .exponent = -(int32_t)places, .negative = negative, .end = found.p};
    return found.p;
}

ALWAYS_INLINE const char *json_read_f64(const char *p, const char *end, double *value)
{
    static const double tens[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,
                                  1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19};
    struct json_number number;
    if (UNLIKELY(json_read_fixed(p, end, &number) == NULL))
        return NULL;
    if (LIKELY(number.mantissa <= UINT64_C(1) << 53)) {
        double v = (double)number.mantissa / tens[-number.exponent];
        *value = number.negative ? -v : v;
    } else if (!number_to_f64(str_n(p, (size_t)(number.end - p)), value)) {
        return NULL;
    }
    return number.end;
}

/* Reads digits only as far as the mantissa has room; the rest is the slow path's. */
ALWAYS_INLINE const char *json_read_decimal(const struct type *type, const char *p, const char *end,
                                            i128 *value)
{
    struct json_number number;
    if (UNLIKELY(json_read_fixed(p, end, &number) == NULL))
        return NULL;
    int shift = (int)type->scale + number.exponent;
    if (UNLIKELY(shift < 0 || shift > 18))
        return NULL;
    *value = (i128)number.mantissa * (i128)(uint64_t)decimal_pow10[shift];
    if (number.negative)
        *value = -*value;
    return decimal_fits(*value, type->precision) ? number.end : NULL;
}

ALWAYS_INLINE const char *json_read_boolean(const char *p, const char *end, uint8_t *value)
{
    uint64_t word = view_load8(p, end);
    bool is_true = (word & 0xFFFFFFFF) == JSON_TRUE_WORD, is_false = (word & 0xFFFFFFFFFF) == JSON_FALSE_WORD;
    *value = is_true; /* no branch per value: which one it is cannot be foreseen */
    return LIKELY(is_true | is_false) ? p + 5 - is_true : NULL;
}

/* ---- columns --------------------------------------------------------------------------------------------------------------- */

/* The text p[n], which is borrowed. */
ALWAYS_INLINE void json_store_view(struct view *to, const char *p, uint32_t n, const char *end)
{
#ifdef __SSE2__
    if (LIKELY(end - p >= 16))
        view_store16(to, (const uint8_t *)p, n);
    else
#endif
        view_store(to, p, n, end);
}

ALWAYS_INLINE void json_set_valid(struct json_slot *slot, uint32_t row)
{
    slot->validity[row >> 3] |= (uint8_t)(1u << (row & 7));
}

#endif

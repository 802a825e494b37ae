/* The arithmetic on masks that every processor's scanner shares. */
#ifndef JSON_SCAN_PRIVATE_H
#define JSON_SCAN_PRIVATE_H

#include <string.h>

#include "base/inline.h"
#include "json/scan.h"

/* What a block of 64 bytes holds, one bit per byte, the first byte in the lowest bit. */
struct json_bits {
    uint64_t quote, backslash, op, blank, control;
};

/* Carried from block to block. */
struct json_carry {
    uint64_t escaped;            /* bit 0: the next byte is escaped */
    uint64_t in_string;          /* all ones: the next byte is inside a string */
    uint64_t in_word;            /* bit 0: the last byte belongs to a bare word */
    uint64_t backslash, control; /* seen so far */
};

/* The bits of bytes that a backslash escapes. A run of backslashes escapes what follows it when it is odd,
 * which an addition finds for all runs at once: it carries from the start of a run to its end. */
ALWAYS_INLINE uint64_t json_escaped(uint64_t backslash, struct json_carry *carry)
{
    const uint64_t even = UINT64_C(0x5555555555555555);
    if (LIKELY(backslash == 0)) {
        uint64_t escaped = carry->escaped;
        carry->escaped = 0;
        return escaped;
    }
    backslash &= ~carry->escaped;
    uint64_t follows = backslash << 1 | carry->escaped;
    uint64_t odd_starts = backslash & ~even & ~follows;
    uint64_t from_even;
    carry->escaped = __builtin_add_overflow(odd_starts, backslash, &from_even);
    return (even ^ (from_even << 1)) & follows;
}

/* The entries of one block. inside: given the unescaped quotes, the bits from each opening quote up to
 * before its closing one, as the prefix sum modulo two, without the carry. */
ALWAYS_INLINE uint64_t json_structure(const struct json_bits *bits, uint64_t quote, uint64_t inside,
                                      struct json_carry *carry)
{
    inside ^= carry->in_string;
    carry->in_string = (uint64_t)((int64_t)inside >> 63);
    carry->control |= bits->control & inside;
    uint64_t word = ~(bits->op | bits->blank | quote);
    uint64_t begins = word & ~(word << 1 | carry->in_word);
    carry->in_word = word >> 63;
    return ((bits->op | begins) & ~inside) | quote;
}

#endif

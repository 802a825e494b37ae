/* What the files of the JSON reader share among themselves. */
#ifndef FORMAT_JSON_PRIVATE_H
#define FORMAT_JSON_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/str.h"
#include "format/json.h"

#define LIKELY(x) __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)
#define ALWAYS_INLINE static inline __attribute__((always_inline))
#define NEVER_INLINE __attribute__((noinline, cold))

/* ---- the structural index: json_scan.c, json_scan_x86.c ------------------------------------------------ */

enum {
    JSON_SCAN_BACKSLASH = 1, /* there is one somewhere: strings may hold escapes */
    JSON_SCAN_WIDE = 2,      /* bytes ≥ 0x80: UTF-8 is to be validated */
    JSON_SCAN_CONTROL = 4,   /* an unescaped control character in a string: not JSON */
    JSON_SCAN_OPEN = 8,      /* the text ends inside a string: not JSON */
    JSON_SCAN_SLACK = 72,    /* entries of the index that may be written past the last one */
};

struct json_scan {
    uint32_t count; /* entries written */
    uint32_t flags;
};

/* The code for one kind of processor. All of them give the same answers. */
struct json_cpu_code {
    const char *name;
    /* Writes the byte positions, ascending, of each bracket, colon, comma and first byte of a bare word
     * outside of strings, and of both quotes of each string, to index[n + JSON_SCAN_SLACK]. n < 2^32.
     * Reads p[n] only. */
    struct json_scan (*scan)(const char *p, size_t n, uint32_t *index);
    bool (*utf8)(const char *p, size_t n);
};

extern const struct json_cpu_code json_code_scalar;
/* The best of this processor up to `wanted`. */
const struct json_cpu_code *json_cpu_code(enum json_cpu wanted);
/* As json_cpu_code for x86, or NULL where this is none. */
const struct json_cpu_code *json_cpu_code_x86(enum json_cpu wanted);

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

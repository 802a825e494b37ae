/* The structural index, in portable C: where things begin and end in a JSON text.
 *
 * Sixty-four bytes at a time become a handful of 64-bit masks, one bit per byte: quotes, backslashes,
 * brackets and separators, blanks, control characters. From there it is arithmetic on masks, the same on
 * every processor (scan_private.h): which quotes are escaped, what lies inside strings, where a bare word
 * begins. The bits that remain become positions. The reader then walks from position to position and never
 * searches; that is why there is an index at all: its walk has no dependence on how long a string was, so
 * the processor works on several fields at once.
 *
 * The method is that of Langdale and Lemire, "Parsing Gigabytes of JSON per Second" (VLDB Journal, 2019).
 * Two things differ: closing quotes are in the index too, so that the length of a string is a subtraction,
 * and positions count from the record's start.
 *
 * Here the masks come from a table: each byte has one bit per class, eight bits apart, so that eight bytes
 * shifted together give eight classes times eight bytes in one word. scan_x86.c gets them with vector
 * compares. */
#include "base/utf8.h"
#include "json/scan_private.h"

#define CLASS_QUOTE UINT64_C(1)
#define CLASS_BACKSLASH (UINT64_C(1) << 8)
#define CLASS_OP (UINT64_C(1) << 16)
#define CLASS_BLANK (UINT64_C(1) << 24)
#define CLASS_CONTROL (UINT64_C(1) << 32)
#define CLASS_WIDE (UINT64_C(1) << 40)

static const uint64_t classes[256] = {
    [0x00 ... 0x08] = CLASS_CONTROL,
    ['\t'] = CLASS_CONTROL | CLASS_BLANK,
    ['\n'] = CLASS_CONTROL | CLASS_BLANK,
    [0x0B] = CLASS_CONTROL,
    [0x0C] = CLASS_CONTROL | CLASS_OP, /* as the vector code has it; the reader refuses the byte */
    ['\r'] = CLASS_CONTROL | CLASS_BLANK,
    [0x0E ... 0x19] = CLASS_CONTROL,
    [0x1A] = CLASS_CONTROL | CLASS_OP,
    [0x1B ... 0x1F] = CLASS_CONTROL,
    [' '] = CLASS_BLANK,
    ['"'] = CLASS_QUOTE,
    ['\\'] = CLASS_BACKSLASH,
    ['{'] = CLASS_OP,
    ['}'] = CLASS_OP,
    ['['] = CLASS_OP,
    [']'] = CLASS_OP,
    [':'] = CLASS_OP,
    [','] = CLASS_OP,
    [0x80 ... 0xFF] = CLASS_WIDE,
};

/* Adds the classes of p[8], bytes `at` to `at + 7` of the block. */
ALWAYS_INLINE uint64_t classify_word(const uint8_t *p, unsigned at, struct json_bits *bits)
{
    uint64_t all = 0;
    for (unsigned i = 0; i < 8; i++)
        all |= classes[p[i]] << i;
    bits->quote |= (all & 0xFF) << at;
    bits->backslash |= (all >> 8 & 0xFF) << at;
    bits->op |= (all >> 16 & 0xFF) << at;
    bits->blank |= (all >> 24 & 0xFF) << at;
    bits->control |= (all >> 32 & 0xFF) << at;
    return all >> 40;
}

static uint64_t prefix_xor(uint64_t bits)
{
    bits ^= bits << 1;
    bits ^= bits << 2;
    bits ^= bits << 4;
    bits ^= bits << 8;
    bits ^= bits << 16;
    bits ^= bits << 32;
    return bits;
}

static struct json_scan scan_scalar(const char *p, size_t n, uint32_t *index)
{
    struct json_carry carry = {0};
    uint64_t wide = 0;
    uint32_t count = 0;
    for (size_t at = 0; at < n; at += 64) {
        uint8_t rest[64];
        const uint8_t *block = (const uint8_t *)p + at;
        if (n - at < 64) {
            memset(rest, ' ', sizeof rest);
            memcpy(rest, block, n - at);
            block = rest;
        }
        struct json_bits bits = {0};
        for (unsigned i = 0; i < 64; i += 8)
            wide |= classify_word(block + i, i, &bits);
        carry.backslash |= bits.backslash;
        uint64_t quote = bits.quote & ~json_escaped(bits.backslash, &carry);
        uint64_t found = json_structure(&bits, quote, prefix_xor(quote), &carry);
        for (; found != 0; found &= found - 1)
            index[count++] = (uint32_t)at + (uint32_t)__builtin_ctzll(found);
    }
    uint32_t flags = (carry.backslash ? JSON_SCAN_BACKSLASH : 0u) | (wide ? JSON_SCAN_WIDE : 0u) |
                     (carry.control ? JSON_SCAN_CONTROL : 0u) | (carry.in_string ? JSON_SCAN_OPEN : 0u);
    return (struct json_scan){count, flags};
}

const struct json_cpu_code json_code_scalar = {"scalar", JSON_CPU_SCALAR, scan_scalar, utf8_valid};

const struct json_cpu_code *json_cpu_code(enum json_cpu wanted)
{
    const struct json_cpu_code *code = json_cpu_code_x86(wanted);
    return code ? code : &json_code_scalar;
}

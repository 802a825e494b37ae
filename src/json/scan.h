/* The structural index of a JSON text: where its brackets, separators, words and quotes are. scan.c says how. */
#ifndef JSON_SCAN_H
#define JSON_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Which code finds the structure; JSON_CPU_BEST asks the processor. The others are for tests and
 * measurements, and are lowered to what the processor has. */
enum json_cpu { JSON_CPU_BEST, JSON_CPU_SCALAR, JSON_CPU_SSE, JSON_CPU_AVX2, JSON_CPU_AVX512 };

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
    enum json_cpu cpu;
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

#endif

/* Integers in bytes: little and big endian, varints, and a reader and writer with a sticky error.
 *
 * The reader never jumps: a read past the end, or a malformed varint, sets `bad` and yields zero; it is checked once
 * at the end. */
#ifndef BASE_BYTES_H
#define BASE_BYTES_H

#include <endian.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define BYTES_ACCESS(bits, order)                                                                            \
    static inline uint##bits##_t get_##order##bits(const void *p)                                            \
    {                                                                                                        \
        uint##bits##_t v;                                                                                    \
        memcpy(&v, p, sizeof v);                                                                             \
        return order##bits##toh(v);                                                                          \
    }                                                                                                        \
    static inline void put_##order##bits(void *p, uint##bits##_t v)                                          \
    {                                                                                                        \
        v = hto##order##bits(v);                                                                             \
        memcpy(p, &v, sizeof v);                                                                             \
    }
BYTES_ACCESS(16, le)
BYTES_ACCESS(32, le)
BYTES_ACCESS(64, le)
BYTES_ACCESS(16, be)
BYTES_ACCESS(32, be)
BYTES_ACCESS(64, be)

enum { VARINT_MAX = 10 }; /* bytes of the longest 64-bit varint */

/* LEB128. out[VARINT_MAX]; returns the bytes written. */
static inline size_t put_uvarint(uint8_t *out, uint64_t v)
{
    size_t n = 0;
    while (v >= 0x80) {
        out[n++] = (uint8_t)(v | 0x80);
        v >>= 7;
    }
    out[n++] = (uint8_t)v;
    return n;
}
static inline uint64_t zigzag(int64_t v)
{
    return ((uint64_t)v << 1) ^ (uint64_t)(v >> 63);
}
static inline int64_t unzigzag(uint64_t v)
{
    return (int64_t)(v >> 1) ^ -(int64_t)(v & 1);
}
static inline size_t put_varint(uint8_t *out, int64_t v)
{
    return put_uvarint(out, zigzag(v));
}
static inline size_t uvarint_size(uint64_t v)
{
    return (size_t)(63 - __builtin_clzll(v | 1)) / 7 + 1;
}
static inline size_t varint_size(int64_t v)
{
    return uvarint_size(zigzag(v));
}

/* A reader over borrowed bytes. */
struct rd {
    const uint8_t *p, *end;
    bool bad;
};

static inline struct rd rd_of(const void *p, size_t n)
{
    return (struct rd){.p = p, .end = (const uint8_t *)p + n};
}
static inline size_t rd_left(const struct rd *r)
{
    return (size_t)(r->end - r->p);
}
/* n bytes, borrowed, or NULL and bad. */
static inline const uint8_t *rd_take(struct rd *r, size_t n)
{
    if (r->bad || rd_left(r) < n) {
        r->bad = true;
        return NULL;
    }
    const uint8_t *p = r->p;
    r->p += n;
    return p;
}
#define RD_FIXED(name, bits, get)                                                                            \
    static inline uint##bits##_t name(struct rd *r)                                                          \
    {                                                                                                        \
        const uint8_t *p = rd_take(r, bits / 8);                                                             \
        return p ? get(p) : 0;                                                                               \
    }
static inline uint8_t get_u8(const void *p)
{
    return *(const uint8_t *)p;
}
RD_FIXED(rd_u8, 8, get_u8)
RD_FIXED(rd_le16, 16, get_le16)
RD_FIXED(rd_le32, 32, get_le32)
RD_FIXED(rd_le64, 64, get_le64)
RD_FIXED(rd_be16, 16, get_be16)
RD_FIXED(rd_be32, 32, get_be32)
RD_FIXED(rd_be64, 64, get_be64)

/* LEB128 of at most VARINT_MAX bytes; an over-long one that overflows 64 bits is bad. */
static inline uint64_t rd_uvarint(struct rd *r)
{
    uint64_t v = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        const uint8_t *p = rd_take(r, 1);
        if (p == NULL)
            return 0;
        if (shift == 63 && *p > 1)
            break;
        v |= (uint64_t)(*p & 0x7F) << shift;
        if (*p < 0x80)
            return v;
    }
    r->bad = true;
    return 0;
}
static inline int64_t rd_varint(struct rd *r)
{
    return unzigzag(rd_uvarint(r));
}

/* CRC-32C (Castagnoli), hardware where the processor has it. crc = 0 to begin; chains. */
uint32_t crc32c(uint32_t crc, const void *p, size_t n);

/* Hex, lower case: out[2 * n + 1], NUL-terminated. */
void hex_encode(char *out, const void *p, size_t n);
/* text[2 * n] → out[n]; false on anything but hex digits. */
bool hex_decode(uint8_t *out, const char *text, size_t n);

#endif

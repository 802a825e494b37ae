/* The encodings of integers in Parquet pages (parquet-format, Encodings.md): bit packing, the RLE and
 * bit-packing hybrid, and DELTA_BINARY_PACKED. Encoders work on a page's whole array; decoders are states
 * that give the next n values, so that a page that claims two billion values costs no more memory than what
 * is asked of it. */
#ifndef FORMAT_PARQUET_CODEC_I_H
#define FORMAT_PARQUET_CODEC_I_H

#include "base/bytes.h"

enum {
    DELTA_BLOCK = 128,    /* values of a block that we write */
    DELTA_MINIBLOCKS = 4, /* in a block that we write */
    DELTA_BLOCK_MAX = 1 << 20,
    DELTA_MINIBLOCKS_MAX = 1 << 12,
};

/* Bits that v needs; 0 for 0. */
static inline unsigned bits_of(uint64_t v)
{
    return v ? 64 - (unsigned)__builtin_clzll(v) : 0;
}

/* Value number `index` of values of `width` (0..64) bits at p[n], LSB first; bits past the end are 0. */
static inline uint64_t bits_get(const uint8_t *p, size_t n, size_t index, unsigned width)
{
    size_t bit = index * width, byte = bit >> 3;
    unsigned shift = bit & 7;
    uint64_t mask = width == 64 ? UINT64_MAX : ((uint64_t)1 << width) - 1;
    uint8_t tail[16] = {0};
    const uint8_t *from = p + byte;
    if (__builtin_expect(byte + 9 > n, 0)) {
        if (byte < n)
            memcpy(tail, p + byte, n - byte < 9 ? n - byte : 9);
        from = tail;
    }
    uint64_t v = get_le64(from) >> shift;
    if (shift + width > 64)
        v |= (uint64_t)from[8] << (64 - shift);
    return v & mask;
}

/* ---- RLE and bit-packing hybrid -------------------------------------------------------------------- */

struct rle_reader {
    const uint8_t *p, *end;
    unsigned width; /* bits of a value, 0..32 */
    uint64_t left;  /* values left of the current run */
    bool is_packed;
    uint32_t value;                /* of an RLE run */
    const uint8_t *packed;         /* of a bit-packed run: packed[packed_size] */
    size_t packed_size, packed_at; /* packed_at: values taken */
};

/* width ≤ 32, else all reads give nothing. */
void rle_reader_init(struct rle_reader *r, const void *p, size_t n, unsigned width);
/* The next values: at most n, fewer only where the bytes end. */
size_t rle_read(struct rle_reader *r, uint32_t *out, size_t n);
size_t rle_read8(struct rle_reader *r, uint8_t *out, size_t n); /* width ≤ 8 */
/* How many equal values come next, at most n, without taking them: 0 where that is not known (bit-packed)
 * or the bytes end. */
size_t rle_peek(struct rle_reader *r, size_t n, uint32_t *value);
/* Takes n values that rle_peek has promised. */
void rle_skip(struct rle_reader *r, size_t n);

/* The deprecated BIT_PACKED levels: MSB first, no runs. out[n] = values first..first+n of p[size]; false
 * where they end early. */
bool bit_packed_read8(const uint8_t *p, size_t size, unsigned width, size_t first, uint8_t *out, size_t n);

/* Bytes that rle_write may need. */
static inline size_t rle_bound(size_t n, unsigned width)
{
    return (n / 8 + 1) * (width + 6) + 16;
}
/* in[n], each below 2^width → out; returns the bytes written, without width or length in front. */
size_t rle_write(const uint32_t *in, size_t n, unsigned width, uint8_t *out);
size_t rle_write8(const uint8_t *in, size_t n, unsigned width, uint8_t *out);
/* n times the same value, n > 0. */
size_t rle_write_run(uint32_t value, uint64_t n, unsigned width, uint8_t *out);

/* ---- DELTA_BINARY_PACKED --------------------------------------------------------------------------- */

struct delta_reader {
    struct rd in;
    bool is_32;          /* arithmetic wraps at 32 bits */
    uint64_t left;       /* values not yet given */
    uint64_t block, per; /* values per block and per miniblock */
    uint32_t miniblocks; /* per block */
    bool first;          /* the first value has not been given */
    uint64_t value;      /* the last value given */
    uint64_t min_delta;
    const uint8_t *widths; /* of the current block */
    uint32_t miniblock;    /* index of the next miniblock; = miniblocks: a block header comes */
    const uint8_t *packed;
    size_t packed_size;
    uint64_t packed_at, packed_left; /* of the current miniblock */
    unsigned width;
};

/* Reads the header; false where it is malformed. */
bool delta_reader_init(struct delta_reader *r, const void *p, size_t n, bool is_32);
/* The next n values; false where there are fewer, or the bytes are malformed. */
bool delta_read(struct delta_reader *r, int64_t *out, size_t n);
/* Moves a fresh copy of r past all of its values: where the bytes after them begin. */
bool delta_end(const struct delta_reader *r, const uint8_t **end);

static inline size_t delta_bound(size_t n)
{
    return 64 + (n / DELTA_BLOCK + 1) * (VARINT_MAX + DELTA_MINIBLOCKS + DELTA_BLOCK * 8);
}
size_t delta_write32(const int32_t *in, size_t n, uint8_t *out);
size_t delta_write64(const int64_t *in, size_t n, uint8_t *out);

#endif

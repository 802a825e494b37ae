/* Bits are packed eight values at a time: eight values of w bits are w whole bytes, so groups never share a
 * byte, and the packing of a group is a few shifts into two or four words instead of a loop over bits.
 * Unpacking loads the eight bytes around each value; that needs no table of functions per width and costs
 * about a nanosecond. */
#include "format/parquet_codec_i.h"

#include "base/check.h"

/* ---- bit packing ----------------------------------------------------------------------------------- */

/* v[8] of w ≤ 32 bits → w bytes at out, of which 32 are writable. */
static inline void pack8(const uint32_t *v, unsigned w, uint8_t *out)
{
    if (w <= 16) {
        uint64_t lo = v[0] | (uint64_t)v[1] << w | (uint64_t)v[2] << 2 * w | (uint64_t)v[3] << 3 * w;
        uint64_t hi = v[4] | (uint64_t)v[5] << w | (uint64_t)v[6] << 2 * w | (uint64_t)v[7] << 3 * w;
        unsigned __int128 all = (unsigned __int128)lo | (unsigned __int128)hi << 4 * w;
        put_le64(out, (uint64_t)all);
        put_le64(out + 8, (uint64_t)(all >> 64));
        return;
    }
    unsigned __int128 acc = 0;
    unsigned bits = 0;
    for (unsigned i = 0; i < 8; i += 2) {
        uint64_t pair = v[i] | (uint64_t)v[i + 1] << w;
        acc |= (unsigned __int128)pair << bits;
        bits += 2 * w;
        while (bits >= 64) {
            put_le64(out, (uint64_t)acc);
            out += 8;
            acc >>= 64;
            bits -= 64;
        }
    }
    put_le64(out, (uint64_t)acc);
}

/* n values, a multiple of 8, of `width` 0..64 bits. Returns the bytes written; 8 more are writable. */
static size_t pack64(const uint64_t *v, size_t n, unsigned width, uint8_t *out)
{
    uint64_t acc = 0;
    unsigned bits = 0;
    uint8_t *at = out;
    for (size_t i = 0; i < n; i++) {
        acc |= v[i] << bits;
        unsigned sum = bits + width;
        if (sum >= 64) {
            put_le64(at, acc);
            at += 8;
            sum -= 64;
            acc = sum ? v[i] >> (width - sum) : 0;
        }
        bits = sum;
    }
    put_le64(at, acc);
    return n * width / 8;
}

/* ---- hybrid: reading ------------------------------------------------------------------------------- */

void rle_reader_init(struct rle_reader *r, const void *p, size_t n, unsigned width)
{
    *r = (struct rle_reader){.p = p, .end = (const uint8_t *)p + n, .width = width};
    if (width > 32)
        r->p = r->end;
}

/* Begins the next run that is not empty; false at the end or where the bytes are malformed. */
static bool next_run(struct rle_reader *r)
{
    while (r->left == 0) {
        struct rd in = rd_of(r->p, (size_t)(r->end - r->p));
        uint64_t head = rd_uvarint(&in);
        size_t size = (r->width + 7) / 8;
        if (in.bad)
            return false;
        r->is_packed = head & 1;
        if (r->is_packed) {
            uint64_t groups = head >> 1;
            size_t left = rd_left(&in);
            /* Writers may cut the last group to the bytes that hold values. */
            bool is_cut = r->width > 0 && groups > left / r->width;
            r->packed_size = is_cut ? left : (size_t)groups * r->width;
            r->packed = rd_take(&in, r->packed_size);
            r->packed_at = 0;
            r->left = is_cut ? (uint64_t)left * 8 / r->width : groups > UINT32_MAX ? UINT32_MAX : groups * 8;
        } else {
            uint8_t bytes[4] = {0};
            const uint8_t *p = rd_take(&in, size);
            if (p == NULL)
                return false;
            memcpy(bytes, p, size);
            r->value = get_le32(bytes);
            r->left = head >> 1;
        }
        if (in.p == r->p)
            return false;
        r->p = in.p;
    }
    return true;
}

/* The loops of rle_read and rle_read8, which differ in the type of out[i] only. */
#define RLE_READ(r, out, n)                                                                                  \
    size_t done = 0;                                                                                         \
    while (done < (n)) {                                                                                     \
        if ((r)->left == 0 && !next_run(r))                                                                  \
            break;                                                                                           \
        size_t some = (r)->left < (n)-done ? (size_t)(r)->left : (n)-done;                                   \
        if (!(r)->is_packed) {                                                                               \
            for (size_t i = 0; i < some; i++)                                                                \
                (out)[done + i] = (__typeof__((out)[0]))(r)->value;                                          \
        } else {                                                                                             \
            unpack_run((r), some);                                                                           \
            for (size_t i = 0; i < some; i++)                                                                \
                (out)[done + i] = (__typeof__((out)[0]))bits_get((r)->packed, (r)->packed_size, from + i,    \
                                                                 (r)->width);                                \
        }                                                                                                    \
        (r)->left -= some;                                                                                   \
        done += some;                                                                                        \
    }                                                                                                        \
    return done
#define unpack_run(r, some)                                                                                  \
    size_t from = (r)->packed_at;                                                                            \
    (r)->packed_at += (some)

size_t rle_read(struct rle_reader *r, uint32_t *out, size_t n)
{
    RLE_READ(r, out, n);
}

size_t rle_read8(struct rle_reader *r, uint8_t *out, size_t n)
{
    RLE_READ(r, out, n);
}

size_t rle_peek(struct rle_reader *r, size_t n, uint32_t *value)
{
    if ((r->left == 0 && !next_run(r)) || r->is_packed)
        return 0;
    *value = r->value;
    return r->left < n ? (size_t)r->left : n;
}

void rle_skip(struct rle_reader *r, size_t n)
{
    CHECK(!r->is_packed && n <= r->left);
    r->left -= n;
}

bool bit_packed_read8(const uint8_t *p, size_t size, unsigned width, size_t first, uint8_t *out, size_t n)
{
    if (width > 8 || (width > 0 && first + n > size * 8 / width))
        return false;
    for (size_t i = 0; i < n; i++) {
        unsigned v = 0;
        for (unsigned b = 0; b < width; b++) {
            size_t bit = (first + i) * width + b;
            v = v << 1 | (p[bit >> 3] >> (7 - (bit & 7)) & 1);
        }
        out[i] = (uint8_t)v;
    }
    return true;
}

/* ---- hybrid: writing ------------------------------------------------------------------------------- */

size_t rle_write_run(uint32_t value, uint64_t n, unsigned width, uint8_t *out)
{
    size_t size = put_uvarint(out, n << 1), bytes = (width + 7) / 8;
    uint8_t all[4];
    put_le32(all, value);
    memcpy(out + size, all, bytes);
    return size + bytes;
}

/* A run pays when it is shorter than the packed groups that it ends, their next header included. */
static size_t run_min(unsigned width)
{
    return width <= 1 ? 32 : width == 2 ? 16 : 8;
}

/* in[n] as one bit-packed run, n a multiple of 8 or the rest of the values (then padded with zeros). */
#define WRITE_PACKED(in, n, width, out)                                                                      \
    do {                                                                                                     \
        uint32_t group_[8];                                                                                  \
        uint8_t bytes_[40];                                                                                  \
        size_t at_ = 0;                                                                                      \
        (out) += put_uvarint((out), (((n) + 7) / 8) << 1 | 1);                                               \
        for (; at_ < (n); at_ += 8, (out) += (width)) {                                                      \
            if ((n)-at_ >= 8) {                                                                              \
                for (size_t j_ = 0; j_ < 8; j_++)                                                            \
                    group_[j_] = (in)[at_ + j_];                                                             \
            } else {                                                                                         \
                memset(group_, 0, sizeof group_);                                                            \
                for (size_t j_ = 0; at_ + j_ < (n); j_++)                                                    \
                    group_[j_] = (in)[at_ + j_];                                                             \
            }                                                                                                \
            pack8(group_, (width), bytes_);                                                                  \
            memcpy((out), bytes_, (width));                                                                  \
        }                                                                                                    \
    } while (0)

#define RLE_WRITE(in, n, width, out)                                                                         \
    uint8_t *at = (out);                                                                                     \
    size_t start = 0, i = 0, least = run_min(width);                                                         \
    while (i < (n)) {                                                                                        \
        size_t same = i + 1;                                                                                 \
        while (same < (n) && (in)[same] == (in)[i])                                                          \
            same++;                                                                                          \
        if (same - i >= least || (same == (n) && i == start)) {                                              \
            if (i > start)                                                                                   \
                WRITE_PACKED((in) + start, i - start, (width), at);                                          \
            at += rle_write_run((in)[i], same - i, (width), at);                                             \
            start = i = same;                                                                                \
        } else {                                                                                             \
            i = (n)-i < 8 ? (n) : i + 8;                                                                     \
        }                                                                                                    \
    }                                                                                                        \
    if (start < (n))                                                                                         \
        WRITE_PACKED((in) + start, (n)-start, (width), at);                                                  \
    return (size_t)(at - (out))

size_t rle_write(const uint32_t *in, size_t n, unsigned width, uint8_t *out)
{
    RLE_WRITE(in, n, width, out);
}

size_t rle_write8(const uint8_t *in, size_t n, unsigned width, uint8_t *out)
{
    RLE_WRITE(in, n, width, out);
}

/* ---- DELTA_BINARY_PACKED: reading ------------------------------------------------------------------ */

bool delta_reader_init(struct delta_reader *r, const void *p, size_t n, bool is_32)
{
    *r = (struct delta_reader){.in = rd_of(p, n), .is_32 = is_32, .first = true};
    r->block = rd_uvarint(&r->in);
    uint64_t miniblocks = rd_uvarint(&r->in);
    r->left = rd_uvarint(&r->in);
    r->value = (uint64_t)rd_varint(&r->in);
    if (r->in.bad || miniblocks == 0 || miniblocks > DELTA_MINIBLOCKS_MAX || r->block == 0 ||
        r->block > DELTA_BLOCK_MAX || r->block % miniblocks != 0 || r->block / miniblocks % 8 != 0)
        return false;
    r->miniblocks = r->miniblock = (uint32_t)miniblocks;
    r->per = r->block / miniblocks;
    return true;
}

/* Begins the next miniblock. */
static bool next_miniblock(struct delta_reader *r)
{
    if (r->miniblock == r->miniblocks) {
        r->min_delta = (uint64_t)rd_varint(&r->in);
        r->widths = rd_take(&r->in, r->miniblocks);
        r->miniblock = 0;
        if (r->in.bad)
            return false;
    }
    r->width = r->widths[r->miniblock++];
    if (r->width > 64)
        return false;
    size_t size = (size_t)r->per / 8 * r->width;
    if (size > rd_left(&r->in)) { /* some writers cut the last miniblock */
        if (r->left > (uint64_t)rd_left(&r->in) * 8 / r->width)
            return false;
        size = rd_left(&r->in);
    }
    r->packed = rd_take(&r->in, size);
    r->packed_size = size;
    r->packed_at = 0;
    r->packed_left = r->per;
    return true;
}

bool delta_read(struct delta_reader *r, int64_t *out, size_t n)
{
    size_t done = 0;
    if (n > r->left)
        return false;
    if (n > 0 && r->first) {
        r->first = false;
        out[done++] = r->is_32 ? (int32_t)r->value : (int64_t)r->value;
        r->left--;
    }
    while (done < n) {
        if (r->packed_left == 0 && !next_miniblock(r))
            return false;
        size_t some = r->packed_left < n - done ? (size_t)r->packed_left : n - done;
        uint64_t value = r->value, at = r->packed_at;
        for (size_t i = 0; i < some; i++) {
            value += r->min_delta + bits_get(r->packed, r->packed_size, at + i, r->width);
            out[done + i] = r->is_32 ? (int32_t)value : (int64_t)value;
        }
        r->value = value;
        r->packed_at += some;
        r->packed_left -= some;
        r->left -= some;
        done += some;
    }
    return true;
}

bool delta_end(const struct delta_reader *fresh, const uint8_t **end)
{
    struct delta_reader r = *fresh;
    uint64_t deltas = r.left > 0 ? r.left - 1 : 0;
    r.left = deltas;
    while (deltas > 0) {
        if (!next_miniblock(&r))
            return false;
        deltas -= deltas < r.per ? deltas : r.per;
        r.left = deltas;
    }
    *end = r.in.p;
    return true;
}

/* ---- DELTA_BINARY_PACKED: writing ------------------------------------------------------------------ */

/* deltas[n], 0 < n ≤ DELTA_BLOCK, as one block. Deltas are of `bits` bits, signed; deltas above min wrap in
 * `mask`. */
static uint8_t *delta_block(const int64_t *deltas, size_t n, uint64_t mask, uint8_t *out)
{
    enum { PER = DELTA_BLOCK / DELTA_MINIBLOCKS };
    uint64_t above[DELTA_BLOCK] = {0};
    int64_t least = deltas[0];
    for (size_t i = 1; i < n; i++)
        least = deltas[i] < least ? deltas[i] : least;
    for (size_t i = 0; i < n; i++)
        above[i] = ((uint64_t)deltas[i] - (uint64_t)least) & mask;
    out += put_varint(out, least);
    uint8_t *widths = out;
    out += DELTA_MINIBLOCKS;
    for (size_t m = 0; m < DELTA_MINIBLOCKS; m++) {
        uint64_t any = 0;
        for (size_t i = m * PER; i < (m + 1) * PER; i++)
            any |= above[i];
        widths[m] = (uint8_t)bits_of(any);
        if (widths[m] > 0)
            out += pack64(above + m * PER, PER, widths[m], out);
    }
    return out;
}

static uint8_t *delta_header(size_t n, int64_t first, uint8_t *out)
{
    out += put_uvarint(out, DELTA_BLOCK);
    out += put_uvarint(out, DELTA_MINIBLOCKS);
    out += put_uvarint(out, n);
    return out + put_varint(out, first);
}

size_t delta_write32(const int32_t *in, size_t n, uint8_t *out)
{
    uint8_t *at = delta_header(n, n ? in[0] : 0, out);
    int64_t deltas[DELTA_BLOCK];
    for (size_t i = 1; i < n; i += DELTA_BLOCK) {
        size_t some = n - i < DELTA_BLOCK ? n - i : DELTA_BLOCK;
        for (size_t j = 0; j < some; j++)
            deltas[j] = (int32_t)((uint32_t)in[i + j] - (uint32_t)in[i + j - 1]);
        at = delta_block(deltas, some, UINT32_MAX, at);
    }
    return (size_t)(at - out);
}

size_t delta_write64(const int64_t *in, size_t n, uint8_t *out)
{
    uint8_t *at = delta_header(n, n ? in[0] : 0, out);
    int64_t deltas[DELTA_BLOCK];
    for (size_t i = 1; i < n; i += DELTA_BLOCK) {
        size_t some = n - i < DELTA_BLOCK ? n - i : DELTA_BLOCK;
        for (size_t j = 0; j < some; j++)
            deltas[j] = (int64_t)((uint64_t)in[i + j] - (uint64_t)in[i + j - 1]);
        at = delta_block(deltas, some, UINT64_MAX, at);
    }
    return (size_t)(at - out);
}

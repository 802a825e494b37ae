/* RLE and bit packing, and DELTA_BINARY_PACKED, on hostile bytes; what comes out is encoded and must come
 * back. The first two bytes choose the codec, the width and the size of pieces. */
#include "format/parquet_codec_i.h"

#include "base/check.h"
#include "base/mem.h"

enum { MOST = 20000 };

static void hybrid(const uint8_t *p, size_t n, unsigned width, size_t piece)
{
    uint32_t *v = mem_new_array(uint32_t, MOST), *again = mem_new_array(uint32_t, MOST);
    struct rle_reader r;
    size_t count = 0, got = 1;
    rle_reader_init(&r, p, n, width);
    while (got > 0 && count + piece <= MOST) {
        uint32_t value;
        size_t run = rle_peek(&r, piece, &value);
        CHECK(run <= piece);
        got = rle_read(&r, v + count, piece);
        CHECK(got >= run);
        count += got;
    }
    uint32_t mask = width >= 32 ? UINT32_MAX : (1U << width) - 1;
    for (size_t i = 0; i < count; i++)
        v[i] &= mask;
    uint8_t *out = mem_new(rle_bound(count, width));
    size_t size = width <= 32 ? rle_write(v, count, width, out) : 0;
    rle_reader_init(&r, out, size, width);
    CHECK(width > 32 || rle_read(&r, again, count) == count);
    CHECK(width > 32 || memcmp(v, again, count * sizeof *v) == 0);
    mem_free(out);
    mem_free(v);
    mem_free(again);
}

static void delta(const uint8_t *p, size_t n, bool is_32, size_t piece)
{
    int64_t *v = mem_new_array(int64_t, MOST), *again = mem_new_array(int64_t, MOST);
    int32_t *narrow = mem_new_array(int32_t, MOST);
    struct delta_reader r;
    const uint8_t *end;
    size_t count = 0;
    if (delta_reader_init(&r, p, n, is_32)) {
        CHECK(!delta_end(&r, &end) || (end >= p && end <= p + n));
        while (count + piece <= MOST && delta_read(&r, v + count, piece))
            count += piece;
    }
    for (size_t i = 0; i < count; i++)
        narrow[i] = (int32_t)v[i];
    uint8_t *out = mem_new(delta_bound(count));
    size_t size = is_32 ? delta_write32(narrow, count, out) : delta_write64(v, count, out);
    CHECK(delta_reader_init(&r, out, size, is_32) && delta_end(&r, &end) && end == out + size);
    CHECK(delta_read(&r, again, count) && memcmp(v, again, count * sizeof *v) == 0);
    mem_free(out);
    mem_free(narrow);
    mem_free(v);
    mem_free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    if (data[0] & 0x80)
        delta(data + 2, size - 2, data[0] & 1, 1 + data[1]);
    else
        hybrid(data + 2, size - 2, data[0] % 34, 1 + data[1]);
    uint8_t levels[64];
    bit_packed_read8(data + 2, size - 2, data[0] % 10, data[1], levels, 64);
    return 0;
}

/* Bytes of a record as a view, without a branch that depends on how many there are. What is read lies within the record: before its `end`
 * stand at least VIEW_BEFORE bytes that can be read, and nothing is behind it. */
#ifndef FORMAT_VIEW_PRIVATE_H
#define FORMAT_VIEW_PRIVATE_H

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "base/bytes.h"
#include "base/inline.h"
#include "batch/batch.h"

enum { VIEW_BEFORE = 8 };

#define VIEW_TOPS UINT64_C(0x8080808080808080)

/* Eight bytes from p on, the first in the lowest bits, with zeros behind `end`. A caller is near the end in all records or in none, so
 * this branch is foreseen. */
ALWAYS_INLINE uint64_t view_load8(const void *bytes, const void *end)
{
    const uint8_t *p = bytes, *limit = end;
    if (LIKELY(limit - p >= 8))
        return get_le64(p);
    return p < limit ? get_le64(limit - 8) >> (64 - 8 * (unsigned)(limit - p)) : 0;
}

#ifdef __SSE2__

ALWAYS_INLINE __m128i view_load16(const void *p)
{
    return _mm_loadu_si128((const __m128i *)p);
}

/* The bytes p[n], of which 16 can be read, become a view. Returned: the first 16 of them, with zeros behind the n-th. */
ALWAYS_INLINE __m128i view_store16(struct view *to, const uint8_t *p, uint64_t n)
{
    /* 16 bytes from ones + 16 - n on are n ones and zeros */
    static const uint8_t ones[32] = {0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF,
                                     0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF};
    __m128i first = _mm_and_si128(view_load16(p), view_load16(ones + 16 - (n < 16 ? n : 16)));
    uint64_t low = (uint64_t)_mm_cvtsi128_si64(_mm_slli_si128(first, 4)) | n;
    uint64_t high = (uint64_t)_mm_cvtsi128_si64(_mm_srli_si128(first, 4));
    uint64_t words[2] = {low, n <= VIEW_INLINE ? high : (uint64_t)(uintptr_t)p};
    memcpy(to, words, sizeof words);
    return first;
}

#endif

/* The bytes p[n] become a view. The top bits of what is in it, where it is short. */
ALWAYS_INLINE uint64_t view_store(struct view *to, const void *bytes, uint64_t n, const void *end)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    static const uint64_t masks[VIEW_INLINE + 1][2] = {
        {0x00000000FFFFFFFF, 0},
        {0x000000FFFFFFFFFF, 0},
        {0x0000FFFFFFFFFFFF, 0},
        {0x00FFFFFFFFFFFFFF, 0},
        {0xFFFFFFFFFFFFFFFF, 0},
        {0xFFFFFFFFFFFFFFFF, 0x00000000000000FF},
        {0xFFFFFFFFFFFFFFFF, 0x000000000000FFFF},
        {0xFFFFFFFFFFFFFFFF, 0x0000000000FFFFFF},
        {0xFFFFFFFFFFFFFFFF, 0x00000000FFFFFFFF},
        {0xFFFFFFFFFFFFFFFF, 0x000000FFFFFFFFFF},
        {0xFFFFFFFFFFFFFFFF, 0x0000FFFFFFFFFFFF},
        {0xFFFFFFFFFFFFFFFF, 0x00FFFFFFFFFFFFFF},
        {0xFFFFFFFFFFFFFFFF, 0xFFFFFFFFFFFFFFFF},
    };
    const uint8_t *p = bytes;
    uint64_t row = n < VIEW_INLINE ? n : VIEW_INLINE;
    uint64_t low = (n | view_load8(p, end) << 32) & masks[row][0],
             high = view_load8(p + 4, end) & masks[row][1];
    uint64_t words[2] = {low, n <= VIEW_INLINE ? high : (uint64_t)(uintptr_t)p};
    memcpy(to, words, sizeof words);
    return (low >> 32 | high) & VIEW_TOPS;
#else
    (void)end;
    *to = view_of(bytes, n);
    return VIEW_TOPS;
#endif
}

#endif

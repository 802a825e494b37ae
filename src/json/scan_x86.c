/* The structural index and the validation of UTF-8 for x86: SSE4.2, AVX2, AVX-512. What the index is,
 * scan.c says.
 *
 * Blanks and operators are found with one byte shuffle each: the low four bits of a byte select from a
 * table of sixteen the one character with those bits that counts, and the byte is compared with it. For
 * operators the byte first gets bit 0x20, which makes [ and { one, and ] and } (0x0C and 0x1A then look
 * like comma and colon; the reader, which looks at the byte itself, refuses them).
 *
 * UTF-8: Keiser and Lemire, "Validating UTF-8 In Less Than One Instruction Per Byte" (2021). Three table
 * look-ups by the nibbles of each two neighbours give the set of errors that each nibble would allow; a
 * bit left in all three is an error. Third and fourth bytes are checked by what stands two and three bytes
 * before. */
#include "json/scan_private.h"

#if defined(__x86_64__)

#include <immintrin.h>

/* Bit sets of the UTF-8 tables. */
enum {
    TOO_SHORT = 1 << 0,  /* 11______ 0_______, or 11______ 11______ */
    TOO_LONG = 1 << 1,   /* 0_______ 10______ */
    OVERLONG_3 = 1 << 2, /* 11100000 100_____ */
    TOO_LARGE = 1 << 3,  /* 11110100 1001____, 101_____ and above */
    SURROGATE = 1 << 4,  /* 11101101 101_____ */
    OVERLONG_2 = 1 << 5, /* 1100000_ 10______ */
    LARGE_1000 = 1 << 6, /* 11110101 1000____ and above; also 11110000 1000____ */
    TWO_CONTS = 1 << 7,  /* 10______ 10______ */
    OVERLONG_4 = 1 << 6,
    CARRY = TOO_SHORT | TOO_LONG | TWO_CONTS,
};

#define TABLE_BYTE_1_HIGH                                                                                    \
    TOO_LONG, TOO_LONG, TOO_LONG, TOO_LONG, TOO_LONG, TOO_LONG, TOO_LONG, TOO_LONG, (char)TWO_CONTS,         \
        (char)TWO_CONTS, (char)TWO_CONTS, (char)TWO_CONTS, TOO_SHORT | OVERLONG_2, TOO_SHORT,                \
        TOO_SHORT | OVERLONG_3 | SURROGATE, TOO_SHORT | TOO_LARGE | LARGE_1000 | OVERLONG_4
#define TABLE_BYTE_1_LOW                                                                                     \
    (char)(CARRY | OVERLONG_3 | OVERLONG_2 | OVERLONG_4), (char)(CARRY | OVERLONG_2), (char)CARRY,           \
        (char)CARRY, (char)(CARRY | TOO_LARGE), (char)(CARRY | TOO_LARGE | LARGE_1000),                      \
        (char)(CARRY | TOO_LARGE | LARGE_1000), (char)(CARRY | TOO_LARGE | LARGE_1000),                      \
        (char)(CARRY | TOO_LARGE | LARGE_1000), (char)(CARRY | TOO_LARGE | LARGE_1000),                      \
        (char)(CARRY | TOO_LARGE | LARGE_1000), (char)(CARRY | TOO_LARGE | LARGE_1000),                      \
        (char)(CARRY | TOO_LARGE | LARGE_1000), (char)(CARRY | TOO_LARGE | LARGE_1000 | SURROGATE),          \
        (char)(CARRY | TOO_LARGE | LARGE_1000), (char)(CARRY | TOO_LARGE | LARGE_1000)
#define TABLE_BYTE_2_HIGH                                                                                    \
    TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT,                  \
        (char)(TOO_LONG | OVERLONG_2 | TWO_CONTS | OVERLONG_3 | LARGE_1000 | OVERLONG_4),                    \
        (char)(TOO_LONG | OVERLONG_2 | TWO_CONTS | OVERLONG_3 | TOO_LARGE),                                  \
        (char)(TOO_LONG | OVERLONG_2 | TWO_CONTS | SURROGATE | TOO_LARGE),                                   \
        (char)(TOO_LONG | OVERLONG_2 | TWO_CONTS | SURROGATE | TOO_LARGE), TOO_SHORT, TOO_SHORT, TOO_SHORT,  \
        TOO_SHORT
#define TABLE_BLANK ' ', 100, 100, 100, 17, 100, 113, 2, 100, '\t', '\n', 112, 100, '\r', 100, 100
#define TABLE_OP 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, ':', '{', ',', '}', 0, 0

ALWAYS_INLINE uint32_t flags_of(const struct json_carry *carry, bool wide)
{
    return (carry->backslash ? JSON_SCAN_BACKSLASH : 0u) | (wide ? JSON_SCAN_WIDE : 0u) |
           (carry->control ? JSON_SCAN_CONTROL : 0u) | (carry->in_string ? JSON_SCAN_OPEN : 0u);
}

/* ---- SSE4.2: what every processor that we run on has --------------------------------------------------- */

ALWAYS_INLINE uint64_t join4(int a, int b, int c, int d)
{
    return (uint64_t)(uint16_t)a | (uint64_t)(uint16_t)b << 16 | (uint64_t)(uint16_t)c << 32 |
           (uint64_t)(uint16_t)d << 48;
}

#define SSE_MASK(expression)                                                                                 \
    join4(_mm_movemask_epi8(expression(v[0])), _mm_movemask_epi8(expression(v[1])),                          \
          _mm_movemask_epi8(expression(v[2])), _mm_movemask_epi8(expression(v[3])))
#define SSE_IS_QUOTE(x) _mm_cmpeq_epi8(x, _mm_set1_epi8('"'))
#define SSE_IS_BACKSLASH(x) _mm_cmpeq_epi8(x, _mm_set1_epi8('\\'))
#define SSE_IS_OP(x) _mm_cmpeq_epi8(_mm_or_si128(x, _mm_set1_epi8(0x20)), _mm_shuffle_epi8(ops, x))
#define SSE_IS_BLANK(x) _mm_cmpeq_epi8(x, _mm_shuffle_epi8(blanks, x))
#define SSE_IS_CONTROL(x) _mm_cmpeq_epi8(_mm_max_epu8(x, _mm_set1_epi8(0x1F)), _mm_set1_epi8(0x1F))

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

static struct json_scan scan_sse(const char *p, size_t n, uint32_t *index)
{
    const __m128i blanks = _mm_setr_epi8(TABLE_BLANK), ops = _mm_setr_epi8(TABLE_OP);
    struct json_carry carry = {0};
    __m128i wide = _mm_setzero_si128();
    uint32_t *out = index;
    for (size_t at = 0; at < n; at += 64) {
        char rest[64];
        const char *block = p + at;
        if (n - at < 64) {
            memset(rest, ' ', sizeof rest);
            memcpy(rest, block, n - at);
            block = rest;
        }
        __m128i v[4];
        for (int i = 0; i < 4; i++)
            v[i] = _mm_loadu_si128((const __m128i *)(const void *)(block + i * 16));
        wide = _mm_or_si128(wide, _mm_or_si128(_mm_or_si128(v[0], v[1]), _mm_or_si128(v[2], v[3])));
        struct json_bits bits = {SSE_MASK(SSE_IS_QUOTE), SSE_MASK(SSE_IS_BACKSLASH), SSE_MASK(SSE_IS_OP),
                                 SSE_MASK(SSE_IS_BLANK), SSE_MASK(SSE_IS_CONTROL)};
        carry.backslash |= bits.backslash;
        uint64_t quote = bits.quote & ~json_escaped(bits.backslash, &carry);
        uint64_t found = json_structure(&bits, quote, prefix_xor(quote), &carry);
        for (; found != 0; found &= found - 1)
            *out++ = (uint32_t)at + (uint32_t)__builtin_ctzll(found);
    }
    return (struct json_scan){(uint32_t)(out - index), flags_of(&carry, _mm_movemask_epi8(wide) != 0)};
}

ALWAYS_INLINE __m128i sse_nibble(__m128i x)
{
    return _mm_and_si128(_mm_srli_epi16(x, 4), _mm_set1_epi8(0x0F));
}

/* The errors of sixteen bytes, given the sixteen before them. */
ALWAYS_INLINE __m128i sse_utf8_errors(__m128i now, __m128i before)
{
    const __m128i byte_1_high = _mm_setr_epi8(TABLE_BYTE_1_HIGH),
                  byte_1_low = _mm_setr_epi8(TABLE_BYTE_1_LOW),
                  byte_2_high = _mm_setr_epi8(TABLE_BYTE_2_HIGH);
    __m128i last1 = _mm_alignr_epi8(now, before, 15), last2 = _mm_alignr_epi8(now, before, 14),
            last3 = _mm_alignr_epi8(now, before, 13);
    __m128i special = _mm_and_si128(
        _mm_and_si128(_mm_shuffle_epi8(byte_1_high, sse_nibble(last1)),
                      _mm_shuffle_epi8(byte_1_low, _mm_and_si128(last1, _mm_set1_epi8(0x0F)))),
        _mm_shuffle_epi8(byte_2_high, sse_nibble(now)));
    __m128i third = _mm_subs_epu8(last2, _mm_set1_epi8((char)(0xE0 - 0x80)));
    __m128i fourth = _mm_subs_epu8(last3, _mm_set1_epi8((char)(0xF0 - 0x80)));
    __m128i must = _mm_and_si128(_mm_or_si128(third, fourth), _mm_set1_epi8((char)0x80));
    return _mm_xor_si128(must, special);
}

static bool utf8_sse(const char *p, size_t n)
{
    __m128i before = _mm_setzero_si128(), errors = before;
    for (size_t at = 0; at <= n;
         at += 16) { /* the last round may hold zeros only: a cut character shows there */
        __m128i now;
        if (n - at >= 16) {
            now = _mm_loadu_si128((const __m128i *)(const void *)(p + at));
        } else {
            char rest[16] = {0};
            if (n > at)
                memcpy(rest, p + at, n - at);
            now = _mm_loadu_si128((const __m128i *)(const void *)rest);
        }
        errors = _mm_or_si128(errors, sse_utf8_errors(now, before));
        before = now;
    }
    return _mm_testz_si128(errors, errors) != 0;
}

/* ---- AVX2 ---------------------------------------------------------------------------------------------- */

#define AVX2 __attribute__((target("avx2,bmi,bmi2,pclmul,popcnt")))

/* Bits to positions; writes eight at a time, since a count that is not known well costs more than a few
 * stores. */
AVX2 static inline uint32_t *positions(uint64_t found, uint32_t base, uint32_t *out)
{
    uint32_t count = (uint32_t)__builtin_popcountll(found);
    uint32_t *end = out + count;
    do {
        for (unsigned i = 0; i < 8; i++) {
            out[i] = base + (uint32_t)_tzcnt_u64(found);
            found &= found - 1;
        }
        out += 8;
    } while (UNLIKELY(out < end));
    return end;
}

#define AVX2_MASK(expression)                                                                                \
    ((uint64_t)(uint32_t)_mm256_movemask_epi8(expression(v[0])) |                                            \
     (uint64_t)(uint32_t)_mm256_movemask_epi8(expression(v[1])) << 32)
#define AVX2_IS_QUOTE(x) _mm256_cmpeq_epi8(x, _mm256_set1_epi8('"'))
#define AVX2_IS_BACKSLASH(x) _mm256_cmpeq_epi8(x, _mm256_set1_epi8('\\'))
#define AVX2_IS_OP(x)                                                                                        \
    _mm256_cmpeq_epi8(_mm256_or_si256(x, _mm256_set1_epi8(0x20)), _mm256_shuffle_epi8(ops, x))
#define AVX2_IS_BLANK(x) _mm256_cmpeq_epi8(x, _mm256_shuffle_epi8(blanks, x))
#define AVX2_IS_CONTROL(x)                                                                                   \
    _mm256_cmpeq_epi8(_mm256_max_epu8(x, _mm256_set1_epi8(0x1F)), _mm256_set1_epi8(0x1F))

AVX2 static struct json_scan scan_avx2(const char *p, size_t n, uint32_t *index)
{
    const __m256i blanks = _mm256_setr_epi8(TABLE_BLANK, TABLE_BLANK),
                  ops = _mm256_setr_epi8(TABLE_OP, TABLE_OP);
    const __m128i ones = _mm_set1_epi8((char)0xFF);
    struct json_carry carry = {0};
    __m256i wide = _mm256_setzero_si256();
    uint32_t *out = index;
    for (size_t at = 0; at < n; at += 64) {
        char rest[64];
        const char *block = p + at;
        if (n - at < 64) {
            memset(rest, ' ', sizeof rest);
            memcpy(rest, block, n - at);
            block = rest;
        }
        __m256i v[2];
        v[0] = _mm256_loadu_si256((const __m256i *)(const void *)block);
        v[1] = _mm256_loadu_si256((const __m256i *)(const void *)(block + 32));
        wide = _mm256_or_si256(wide, _mm256_or_si256(v[0], v[1]));
        struct json_bits bits = {AVX2_MASK(AVX2_IS_QUOTE), AVX2_MASK(AVX2_IS_BACKSLASH),
                                 AVX2_MASK(AVX2_IS_OP), AVX2_MASK(AVX2_IS_BLANK), AVX2_MASK(AVX2_IS_CONTROL)};
        carry.backslash |= bits.backslash;
        uint64_t quote = bits.quote & ~json_escaped(bits.backslash, &carry);
        __m128i inside = _mm_clmulepi64_si128(_mm_set_epi64x(0, (int64_t)quote), ones, 0);
        uint64_t found = json_structure(&bits, quote, (uint64_t)_mm_cvtsi128_si64(inside), &carry);
        out = positions(found, (uint32_t)at, out);
    }
    return (struct json_scan){(uint32_t)(out - index), flags_of(&carry, _mm256_movemask_epi8(wide) != 0)};
}

AVX2 static inline __m256i avx2_before(__m256i now, __m256i before)
{
    return _mm256_permute2x128_si256(before, now, 0x21); /* the upper half of before, the lower of now */
}

AVX2 static inline __m256i avx2_utf8_errors(__m256i now, __m256i before)
{
    const __m256i byte_1_high = _mm256_setr_epi8(TABLE_BYTE_1_HIGH, TABLE_BYTE_1_HIGH),
                  byte_1_low = _mm256_setr_epi8(TABLE_BYTE_1_LOW, TABLE_BYTE_1_LOW),
                  byte_2_high = _mm256_setr_epi8(TABLE_BYTE_2_HIGH, TABLE_BYTE_2_HIGH),
                  low = _mm256_set1_epi8(0x0F);
    __m256i middle = avx2_before(now, before);
    __m256i last1 = _mm256_alignr_epi8(now, middle, 15), last2 = _mm256_alignr_epi8(now, middle, 14),
            last3 = _mm256_alignr_epi8(now, middle, 13);
    __m256i a = _mm256_shuffle_epi8(byte_1_high, _mm256_and_si256(_mm256_srli_epi16(last1, 4), low));
    __m256i b = _mm256_shuffle_epi8(byte_1_low, _mm256_and_si256(last1, low));
    __m256i c = _mm256_shuffle_epi8(byte_2_high, _mm256_and_si256(_mm256_srli_epi16(now, 4), low));
    __m256i third = _mm256_subs_epu8(last2, _mm256_set1_epi8((char)(0xE0 - 0x80)));
    __m256i fourth = _mm256_subs_epu8(last3, _mm256_set1_epi8((char)(0xF0 - 0x80)));
    __m256i must = _mm256_and_si256(_mm256_or_si256(third, fourth), _mm256_set1_epi8((char)0x80));
    return _mm256_xor_si256(must, _mm256_and_si256(_mm256_and_si256(a, b), c));
}

AVX2 static bool utf8_avx2(const char *p, size_t n)
{
    __m256i before = _mm256_setzero_si256(), errors = before;
    for (size_t at = 0; at <= n; at += 32) {
        __m256i now;
        if (n - at >= 32) {
            now = _mm256_loadu_si256((const __m256i *)(const void *)(p + at));
        } else {
            char rest[32] = {0};
            if (n > at)
                memcpy(rest, p + at, n - at);
            now = _mm256_loadu_si256((const __m256i *)(const void *)rest);
        }
        errors = _mm256_or_si256(errors, avx2_utf8_errors(now, before));
        before = now;
    }
    return _mm256_testz_si256(errors, errors) != 0;
}

/* ---- AVX-512, with the byte compress of VBMI2 ---------------------------------------------------------- */

#define AVX512 __attribute__((target("avx512f,avx512bw,avx512vl,avx512vbmi2,bmi,bmi2,pclmul,popcnt")))

/* As positions(), by compressing the numbers 0 to 63. */
AVX512 static inline uint32_t *positions_avx512(uint64_t found, uint32_t base, uint32_t *out)
{
    const __m512i numbers = _mm512_set_epi8(63, 62, 61, 60, 59, 58, 57, 56, 55, 54, 53, 52, 51, 50, 49, 48,
                                            47, 46, 45, 44, 43, 42, 41, 40, 39, 38, 37, 36, 35, 34, 33, 32,
                                            31, 30, 29, 28, 27, 26, 25, 24, 23, 22, 21, 20, 19, 18, 17, 16,
                                            15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
    __m512i packed = _mm512_maskz_compress_epi8(found, numbers), bases = _mm512_set1_epi32((int)base);
    uint32_t count = (uint32_t)_mm_popcnt_u64(found);
    _mm512_storeu_si512(out, _mm512_add_epi32(bases, _mm512_cvtepu8_epi32(_mm512_castsi512_si128(packed))));
    _mm512_storeu_si512(out + 16,
                        _mm512_add_epi32(bases, _mm512_cvtepu8_epi32(_mm512_extracti32x4_epi32(packed, 1))));
    if (UNLIKELY(count > 32)) {
        _mm512_storeu_si512(
            out + 32, _mm512_add_epi32(bases, _mm512_cvtepu8_epi32(_mm512_extracti32x4_epi32(packed, 2))));
        _mm512_storeu_si512(
            out + 48, _mm512_add_epi32(bases, _mm512_cvtepu8_epi32(_mm512_extracti32x4_epi32(packed, 3))));
    }
    return out + count;
}

AVX512 static struct json_scan scan_avx512(const char *p, size_t n, uint32_t *index)
{
    const __m512i blanks = _mm512_broadcast_i32x4(_mm_setr_epi8(TABLE_BLANK)),
                  ops = _mm512_broadcast_i32x4(_mm_setr_epi8(TABLE_OP));
    const __m128i ones = _mm_set1_epi8((char)0xFF);
    struct json_carry carry = {0};
    uint64_t wide = 0;
    uint32_t *out = index;
    for (size_t at = 0; at < n; at += 64) {
        __mmask64 here = n - at >= 64 ? ~UINT64_C(0) : _bzhi_u64(~UINT64_C(0), (uint32_t)(n - at));
        __m512i v = _mm512_mask_loadu_epi8(_mm512_set1_epi8(' '), here, p + at);
        wide |= _mm512_movepi8_mask(v);
        struct json_bits bits = {
            _mm512_cmpeq_epi8_mask(v, _mm512_set1_epi8('"')),
            _mm512_cmpeq_epi8_mask(v, _mm512_set1_epi8('\\')),
            _mm512_cmpeq_epi8_mask(_mm512_or_si512(v, _mm512_set1_epi8(0x20)), _mm512_shuffle_epi8(ops, v)),
            _mm512_cmpeq_epi8_mask(v, _mm512_shuffle_epi8(blanks, v)),
            _mm512_cmplt_epu8_mask(v, _mm512_set1_epi8(0x20)),
        };
        carry.backslash |= bits.backslash;
        uint64_t quote = bits.quote & ~json_escaped(bits.backslash, &carry);
        __m128i inside = _mm_clmulepi64_si128(_mm_set_epi64x(0, (int64_t)quote), ones, 0);
        uint64_t found = json_structure(&bits, quote, (uint64_t)_mm_cvtsi128_si64(inside), &carry);
        out = positions_avx512(found, (uint32_t)at, out);
    }
    return (struct json_scan){(uint32_t)(out - index), flags_of(&carry, wide != 0)};
}

/* ---- which one ----------------------------------------------------------------------------------------- */

static const struct json_cpu_code code_sse = {"sse", JSON_CPU_SSE, scan_sse, utf8_sse};
static const struct json_cpu_code code_avx2 = {"avx2", JSON_CPU_AVX2, scan_avx2, utf8_avx2};
static const struct json_cpu_code code_avx512 = {"avx512", JSON_CPU_AVX512, scan_avx512, utf8_avx2};

const struct json_cpu_code *json_cpu_code_x86(enum json_cpu wanted)
{
    if (wanted == JSON_CPU_SCALAR)
        return NULL;
    __builtin_cpu_init();
    bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") &&
                __builtin_cpu_supports("bmi2") && __builtin_cpu_supports("pclmul");
    bool avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                  __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512vbmi2");
    if (avx512 && (wanted == JSON_CPU_BEST || wanted == JSON_CPU_AVX512))
        return &code_avx512;
    return avx2 && wanted != JSON_CPU_SSE ? &code_avx2 : &code_sse;
}

#else

const struct json_cpu_code *json_cpu_code_x86(enum json_cpu wanted)
{
    return NULL;
}

#endif

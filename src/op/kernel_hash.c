/* Hashes: MD5, SHA, CRC of bytes, and Spark's hash() and xxhash64() of any values. */
#include <math.h>
#include <openssl/evp.h>
#define XXH_INLINE_ALL
#include <xxhash.h>
#include <zlib.h>

#include "base/bytes.h"
#include "op/kernels_private.h"

static void digest_rows(struct call *c, const EVP_MD *(*choose)(const struct call *c, uint32_t row))
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    CHECK(context);
    for (EACH_ROW(c, row)) {
        const EVP_MD *algorithm = choose(c, row);
        struct str s = arg_str(c, 0, row);
        uint8_t digest[EVP_MAX_MD_SIZE];
        char text[2 * EVP_MAX_MD_SIZE + 1];
        unsigned n = 0;
        if (algorithm == NULL) {
            out_null(c, row);
            continue;
        }
        bool ok = EVP_DigestInit_ex(context, algorithm, NULL) && EVP_DigestUpdate(context, s.p, s.n) &&
                  EVP_DigestFinal_ex(context, digest, &n);
        CHECK(ok);
        hex_encode(text, digest, n);
        out_copy(c, row, str_n(text, 2 * (size_t)n));
    }
    EVP_MD_CTX_free(context);
}

static const EVP_MD *choose_md5(const struct call *c, uint32_t row)
{
    return EVP_md5();
}
static const EVP_MD *choose_sha1(const struct call *c, uint32_t row)
{
    return EVP_sha1();
}
static const EVP_MD *choose_sha2(const struct call *c, uint32_t row)
{
    switch (ARG(c, int32_t, 1, row)) {
    case 224: return EVP_sha224();
    case 0:
    case 256: return EVP_sha256();
    case 384: return EVP_sha384();
    case 512: return EVP_sha512();
    default: return NULL;
    }
}

void kernel_md5(struct call *c)
{
    digest_rows(c, choose_md5);
}
void kernel_sha1(struct call *c)
{
    digest_rows(c, choose_sha1);
}
void kernel_sha2(struct call *c)
{
    digest_rows(c, choose_sha2);
}
void kernel_crc32(struct call *c)
{
    for (EACH_ROW(c, row)) {
        struct str s = arg_str(c, 0, row);
        OUT(c, int64_t)[row] = (int64_t)crc32_z(0, (const Bytef *)s.p, s.n);
    }
}

/* ---- Murmur3, as Spark has it -------------------------------------------------------------------------- */

static uint32_t rotl32(uint32_t x, unsigned n)
{
    return x << n | x >> (32 - n);
}
static uint32_t mix_k(uint32_t k)
{
    return rotl32(k * 0xCC9E2D51u, 15) * 0x1B873593u;
}
static uint32_t mix_h(uint32_t h, uint32_t k)
{
    return rotl32(h ^ k, 13) * 5 + 0xE6546B64u;
}
static uint32_t finish(uint32_t h, uint32_t length)
{
    h ^= length;
    h = (h ^ h >> 16) * 0x85EBCA6Bu;
    h = (h ^ h >> 13) * 0xC2B2AE35u;
    return h ^ h >> 16;
}

static uint64_t murmur_int(uint64_t seed, uint32_t v)
{
    return finish(mix_h((uint32_t)seed, mix_k(v)), 4);
}
static uint64_t murmur_long(uint64_t seed, uint64_t v)
{
    return finish(mix_h(mix_h((uint32_t)seed, mix_k((uint32_t)v)), mix_k((uint32_t)(v >> 32))), 8);
}
/* The bytes past the last whole word are mixed in one by one, signed: that is Spark's own. */
static uint64_t murmur_bytes(uint64_t seed, struct str s)
{
    uint32_t h = (uint32_t)seed;
    size_t i = 0;
    for (; i + 4 <= s.n; i += 4)
        h = mix_h(h, mix_k(get_le32(s.p + i)));
    for (; i < s.n; i++)
        h = mix_h(h, mix_k((uint32_t)(int32_t)(int8_t)s.p[i]));
    return finish(h, (uint32_t)s.n);
}

static uint64_t xx_int(uint64_t seed, uint32_t v)
{
    uint8_t bytes[4];
    put_le32(bytes, v);
    return XXH64(bytes, 4, seed);
}
static uint64_t xx_long(uint64_t seed, uint64_t v)
{
    uint8_t bytes[8];
    put_le64(bytes, v);
    return XXH64(bytes, 8, seed);
}
static uint64_t xx_bytes(uint64_t seed, struct str s)
{
    return XXH64(s.p, s.n, seed);
}

struct hasher {
    uint64_t (*of_int)(uint64_t seed, uint32_t v);
    uint64_t (*of_long)(uint64_t seed, uint64_t v);
    uint64_t (*of_bytes)(uint64_t seed, struct str s);
};
static const struct hasher murmur = {murmur_int, murmur_long, murmur_bytes};
static const struct hasher xx = {xx_int, xx_long, xx_bytes};

/* A long decimal is hashed as Java's BigInteger.toByteArray: big endian, as few bytes as the sign allows. */
static uint64_t hash_decimal(const struct hasher *h, uint64_t seed, i128 v, unsigned precision)
{
    uint8_t bytes[16];
    if (precision <= 18)
        return h->of_long(seed, (uint64_t)(int64_t)v);
    put_be64(bytes, (uint64_t)(v >> 64));
    put_be64(bytes + 8, (uint64_t)v);
    size_t from = 0;
    while (from < 15 &&
           ((bytes[from] == 0 && bytes[from + 1] < 0x80) || (bytes[from] == 0xFF && bytes[from + 1] >= 0x80)))
        from++;
    return h->of_bytes(seed, str_n(bytes + from, 16 - from));
}

static uint64_t hash_floating(const struct hasher *h, uint64_t seed, const struct column *v, uint32_t at)
{
    if (v->type->kind == TYPE_FLOAT) {
        float f = ((const float *)v->data)[at];
        uint32_t bits;
        f = isnan(f) ? NAN : f == 0 ? 0 : f;
        memcpy(&bits, &f, 4);
        return h->of_int(seed, bits);
    }
    double d = ((const double *)v->data)[at];
    uint64_t bits;
    d = isnan(d) ? (double)NAN : d == 0 ? 0 : d;
    memcpy(&bits, &d, 8);
    return h->of_long(seed, bits);
}

/* Recursion is as deep as the type. */
static uint64_t hash_cell(const struct hasher *h, uint64_t seed, const struct column *column, uint32_t row)
{
    const struct column *v;
    if (column_is_null(column, row))
        return seed;
    uint32_t at = column_resolve(column, row, &v);
    switch (v->type->kind) {
    case TYPE_BOOLEAN:
    case TYPE_BYTE: return h->of_int(seed, (uint32_t)(int32_t)((const int8_t *)v->data)[at]);
    case TYPE_SHORT: return h->of_int(seed, (uint32_t)(int32_t)((const int16_t *)v->data)[at]);
    case TYPE_INT:
    case TYPE_DATE:
    case TYPE_INTERVAL_YM: return h->of_int(seed, ((const uint32_t *)v->data)[at]);
    case TYPE_LONG:
    case TYPE_TIMESTAMP:
    case TYPE_TIMESTAMP_NTZ:
    case TYPE_INTERVAL_DT: return h->of_long(seed, ((const uint64_t *)v->data)[at]);
    case TYPE_FLOAT:
    case TYPE_DOUBLE: return hash_floating(h, seed, v, at);
    case TYPE_DECIMAL: return hash_decimal(h, seed, ((const i128 *)v->data)[at], v->type->precision);
    case TYPE_STRING:
    case TYPE_BINARY: return h->of_bytes(seed, view_str((const struct view *)v->data + at));
    case TYPE_ARRAY:
    case TYPE_MAP:
        for (uint32_t k = v->offsets[at]; k < v->offsets[at + 1]; k++)
            for (uint32_t f = 0; f < v->type->field_count; f++)
                seed = hash_cell(h, seed, &v->children[f], k);
        return seed;
    default:
        for (uint32_t f = 0; f < column_child_count(v->type); f++)
            seed = hash_cell(h, seed, &v->children[f], at);
        return seed;
    }
}

void kernel_hash(struct call *c)
{
    for (EACH_ROW(c, row)) {
        uint64_t h = 42;
        for (uint32_t i = 0; i < c->arg_count; i++)
            h = hash_cell(&murmur, h, &c->args[i], row);
        OUT(c, int32_t)[row] = (int32_t)(uint32_t)h;
    }
}

void kernel_xxhash64(struct call *c)
{
    for (EACH_ROW(c, row)) {
        uint64_t h = 42;
        for (uint32_t i = 0; i < c->arg_count; i++)
            h = hash_cell(&xx, h, &c->args[i], row);
        OUT(c, int64_t)[row] = (int64_t)h;
    }
}

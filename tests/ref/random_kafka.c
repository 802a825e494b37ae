#include "ref/random_kafka.h"

enum { ELEMENTS_MAX = 4, TEXT_MAX = 40 };

static size_t size_of(const struct kafka_field *f)
{
    static const uint8_t sizes[KAFKA_KINDS] = {
        [KAFKA_BOOL] = 1, [KAFKA_I8] = 1,     [KAFKA_I16] = 2,      [KAFKA_ERROR] = 2, [KAFKA_U16] = 2,
        [KAFKA_I32] = 4,  [KAFKA_U32] = 4,    [KAFKA_I64] = 8,      [KAFKA_F64] = 8,   [KAFKA_UUID] = 16,
        [KAFKA_STR] = 16, [KAFKA_BYTES] = 16, [KAFKA_RECORDS] = 16,
    };
    return f->kind == KAFKA_STRUCT ? f->type->size : sizes[f->kind];
}

static bool is_text(const struct kafka_field *f)
{
    return f->kind == KAFKA_STR || f->kind == KAFKA_BYTES || f->kind == KAFKA_RECORDS;
}

/* Short, or as long as a varint of two bytes needs. */
static struct str random_text(struct rng *rng, const struct kafka_field *f, struct arena *arena)
{
    size_t n = rng_below(rng, rng_one_in(rng, 8) ? 300 : TEXT_MAX);
    char *p = arena_alloc(arena, n);
    for (size_t i = 0; i < n; i++)
        p[i] = f->kind == KAFKA_STR ? (char)(' ' + rng_below(rng, 95)) : (char)rng_next(rng);
    return str_n(p, n);
}

static void random_of_kind(struct rng *rng, const struct kafka_field *f, int version, struct arena *arena,
                           void *out)
{
    uint64_t bits[2] = {rng_next(rng), rng_next(rng)};
    if (rng_one_in(rng, 4))
        bits[0] = rng_one_in(rng, 2) ? 0 : UINT64_MAX;
    if (f->kind == KAFKA_STRUCT)
        kafka_random(rng, f->type, version, arena, out);
    else if (is_text(f))
        *(struct str *)out = random_text(rng, f, arena);
    else if (f->kind == KAFKA_BOOL)
        *(bool *)out = bits[0] & 1;
    else
        memcpy(out, bits, size_of(f));
}

static void random_elements(struct rng *rng, const struct kafka_field *f, int version, struct arena *arena,
                            uint8_t *out)
{
    uint32_t count = (uint32_t)rng_below(rng, ELEMENTS_MAX + 1);
    uint8_t *p = arena_zalloc(arena, count * size_of(f));
    for (uint32_t i = 0; i < count; i++)
        random_of_kind(rng, f, version, arena, p + i * size_of(f));
    memcpy(out, &p, sizeof p);
    memcpy(out + sizeof p, &count, sizeof count);
}

static void random_member(struct rng *rng, const struct kafka_field *f, int version, struct arena *arena,
                          uint8_t *out)
{
    bool can_be_null = version >= f->null_first && version <= f->null_last;
    if (can_be_null && rng_one_in(rng, 4)) {
        memset(out, 0, f->is_array || !is_text(f) ? sizeof(void *) : sizeof(struct str));
        if (f->is_array)
            memset(out + sizeof(void *), 0, sizeof(uint32_t));
    } else if (f->is_array) {
        random_elements(rng, f, version, arena, out);
    } else if (f->is_pointer) {
        void *p = arena_zalloc(arena, f->type->size);
        kafka_random(rng, f->type, version, arena, p);
        memcpy(out, &p, sizeof p);
    } else {
        random_of_kind(rng, f, version, arena, out);
    }
}

void kafka_random(struct rng *rng, const struct kafka_type *type, int version, struct arena *arena,
                  void *message)
{
    kafka_init(type, message);
    for (const struct kafka_field *f = type->fields, *end = f + type->fields_count; f < end; f++) {
        if (version < f->first || version > f->last || (f->tag != KAFKA_NEVER && rng_one_in(rng, 2)))
            continue;
        random_member(rng, f, version, arena, (uint8_t *)message + f->offset);
    }
}

static bool same_value(const struct kafka_field *f, const void *a, const void *b)
{
    if (f->kind == KAFKA_STRUCT)
        return kafka_same(f->type, a, b);
    if (is_text(f)) {
        const struct str *x = a, *y = b;
        return (x->p == NULL) == (y->p == NULL) && str_eq(*x, *y);
    }
    return memcmp(a, b, size_of(f)) == 0;
}

static bool same_field(const struct kafka_field *f, const uint8_t *a, const uint8_t *b)
{
    if (!f->is_array && !f->is_pointer)
        return same_value(f, a, b);
    const uint8_t *p, *q;
    uint32_t count = 1, other = 1;
    memcpy(&p, a, sizeof p);
    memcpy(&q, b, sizeof q);
    if (f->is_array) {
        memcpy(&count, a + sizeof p, sizeof count);
        memcpy(&other, b + sizeof q, sizeof other);
    }
    if (p == NULL || q == NULL || count != other)
        return p == q;
    for (uint32_t i = 0; i < count; i++)
        if (!same_value(f, p + i * size_of(f), q + i * size_of(f)))
            return false;
    return true;
}

bool kafka_same(const struct kafka_type *type, const void *a, const void *b)
{
    for (const struct kafka_field *f = type->fields, *end = f + type->fields_count; f < end; f++)
        if (!same_field(f, (const uint8_t *)a + f->offset, (const uint8_t *)b + f->offset))
            return false;
    return true;
}

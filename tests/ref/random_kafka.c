#include "ref/random_kafka.h"

#include "wire/kafka_i.h"

enum { ELEMENTS_MAX = 4, TEXT_MAX = 40, LONG_TEXT_MAX = 300 };

/* Short, or as long as a varint of two bytes needs. */
static struct str random_text(struct rng *rng, const struct kafka_field *f, struct arena *arena)
{
    size_t n = rng_below(rng, rng_one_in(rng, 8) ? LONG_TEXT_MAX : TEXT_MAX);
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
    else if (kafka_is_text(f->kind))
        *(struct str *)out = random_text(rng, f, arena);
    else if (f->kind == KAFKA_BOOL)
        *(bool *)out = bits[0] & 1;
    else
        memcpy(out, bits, kafka_kind_size[f->kind]);
}

static void random_elements(struct rng *rng, const struct kafka_field *f, int version, struct arena *arena,
                            void *out)
{
    uint32_t count = (uint32_t)rng_below(rng, ELEMENTS_MAX + 1);
    size_t size = kafka_element_size(f);
    uint8_t *p = arena_zalloc(arena, count * size);
    for (uint32_t i = 0; i < count; i++)
        random_of_kind(rng, f, version, arena, p + i * size);
    kafka_set_array(out, p, count);
}

static void random_member(struct rng *rng, const struct kafka_field *f, int version, struct arena *arena,
                          void *out)
{
    bool is_null = kafka_can_be_null(f, version) && rng_one_in(rng, 4);
    if (f->is_array && is_null) {
        kafka_set_array(out, NULL, 0);
    } else if (f->is_array) {
        random_elements(rng, f, version, arena, out);
    } else if (f->is_pointer) {
        void *p = is_null ? NULL : arena_zalloc(arena, f->type->size);
        if (p)
            kafka_random(rng, f->type, version, arena, p);
        memcpy(out, &p, sizeof p);
    } else if (is_null) {
        *(struct str *)out = (struct str){NULL, 0};
    } else {
        random_of_kind(rng, f, version, arena, out);
    }
}

void kafka_random(struct rng *rng, const struct kafka_type *type, int version, struct arena *arena,
                  void *message)
{
    kafka_init(type, message);
    for (const struct kafka_field *f = type->fields, *end = f + type->fields_count; f < end; f++) {
        bool is_left_out = f->tag != KAFKA_NEVER && rng_one_in(rng, 2);
        if (kafka_has_field(f, version) && !is_left_out)
            random_member(rng, f, version, arena, (uint8_t *)message + f->offset);
    }
}

static bool same_value(const struct kafka_field *f, const void *a, const void *b)
{
    if (f->kind == KAFKA_STRUCT)
        return kafka_same(f->type, a, b);
    if (!kafka_is_text(f->kind))
        return memcmp(a, b, kafka_kind_size[f->kind]) == 0;
    const struct str *x = a, *y = b;
    if (x->p == NULL || y->p == NULL)
        return x->p == y->p;
    return str_eq(*x, *y);
}

static bool same_field(const struct kafka_field *f, const void *a, const void *b)
{
    if (!f->is_array && !f->is_pointer)
        return same_value(f, a, b);
    const uint8_t *p = kafka_pointer(a), *q = kafka_pointer(b);
    uint32_t count = f->is_array ? kafka_count(a) : 1;
    if (p == NULL || q == NULL || (f->is_array && kafka_count(b) != count))
        return p == q;
    for (uint32_t i = 0; i < count; i++)
        if (!same_value(f, p + i * kafka_element_size(f), q + i * kafka_element_size(f)))
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

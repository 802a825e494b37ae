/* Dictionaries: open addressing over slots that carry 32 bits of the hash, so that a probe touches the
 * values only when they are very probably equal, and a larger table is made from the slots alone. Values
 * are compared by their bits: NaNs of one pattern are one entry, −0.0 and 0.0 are two. */
#include "base/map.h"
#include "format/parquet_write_i.h"

enum { FIRST_SLOTS = 1024 };

static const size_t dense_width[] = {1, 4, 8, 4, 8, 16, 16};

static inline uint64_t mix(uint64_t a, uint64_t b)
{
    unsigned __int128 m = (unsigned __int128)(a ^ UINT64_C(0x9E3779B97F4A7C15)) *
                          (b ^ UINT64_C(0xD6E8FEB86659FD93));
    return (uint64_t)m ^ (uint64_t)(m >> 64);
}

void dict_init(struct dict *d, enum dense_kind kind, unsigned plain_width)
{
    d->kind = kind;
    d->plain_width = plain_width;
}

void dict_fini(struct dict *d)
{
    mem_free(d->slots);
    mem_free(d->values);
    mem_free(d->stamps);
    arena_fini(&d->bytes);
}

void dict_reset(struct dict *d)
{
    if (d->slots && d->count > 0)
        memset(d->slots, 0, ((size_t)d->mask + 1) * sizeof *d->slots);
    d->count = 0;
    d->plain_bytes = 0;
    arena_reset(&d->bytes);
}

static void grow_slots(struct dict *d)
{
    uint32_t count = d->slots ? (d->mask + 1) * 4 : FIRST_SLOTS, mask = count - 1;
    uint64_t *slots = mem_new_array(uint64_t, count);
    for (uint32_t i = 0; d->slots && i <= d->mask; i++) {
        if (d->slots[i] == 0)
            continue;
        uint32_t at = (uint32_t)(d->slots[i] >> 32) & mask;
        while (slots[at])
            at = (at + 1) & mask;
        slots[at] = d->slots[i];
    }
    mem_free(d->slots);
    d->slots = slots;
    d->mask = mask;
}

/* Room for n more values without a test in the loop. */
static void make_room(struct dict *d, size_t n)
{
    while (d->slots == NULL || (d->count + n) * 2 > (size_t)d->mask + 1)
        grow_slots(d);
    d->values = mem_grow(d->values, &d->capacity, d->count + n, dense_width[d->kind]);
    size_t before = d->stamp_capacity;
    d->stamps = mem_grow(d->stamps, &d->stamp_capacity, d->count + n, sizeof *d->stamps);
    if (d->stamp_capacity > before)
        memset(d->stamps + before, 0, (d->stamp_capacity - before) * sizeof *d->stamps);
}

static inline uint64_t hash_u32(const uint32_t *v)
{
    return mix(*v, 0);
}
static inline uint64_t hash_u64(const uint64_t *v)
{
    return mix(*v, 0);
}
static inline uint64_t hash_i128(const i128 *v)
{
    return mix((uint64_t)*v, (uint64_t)(*v >> 64));
}
static inline uint64_t hash_view(const struct view *v)
{
    if (v->size > VIEW_INLINE)
        return hash_bytes(v->far.p, v->size);
    uint64_t words[2];
    memcpy(words, v, sizeof words);
    return mix(words[0], words[1]);
}
static inline bool eq_u32(const uint32_t *a, const uint32_t *b)
{
    return *a == *b;
}
static inline bool eq_u64(const uint64_t *a, const uint64_t *b)
{
    return *a == *b;
}
static inline bool eq_i128(const i128 *a, const i128 *b)
{
    return *a == *b;
}
static inline bool eq_view(const struct view *a, const struct view *b)
{
    uint64_t x[2], y[2];
    memcpy(x, a, sizeof x);
    memcpy(y, b, sizeof y);
    if (x[0] != y[0])
        return false;
    return x[1] == y[1] || (a->size > VIEW_INLINE && memcmp(a->far.p + 4, b->far.p + 4, a->size - 4) == 0);
}
static inline void keep_fixed(struct dict *d, void *value)
{
    (void)value;
    d->plain_bytes += d->plain_width;
}
static inline void keep_view(struct dict *d, struct view *v)
{
    if (v->size > VIEW_INLINE)
        v->far.p = arena_dup(&d->bytes, v->far.p, v->size);
    d->plain_bytes += 4 + (size_t)v->size;
}

#define DICT_PUT(name, type, hash, eq, keep)                                                                 \
    static void name(struct dict *d, const type *values, size_t n, uint32_t *indices)                        \
    {                                                                                                        \
        type *all = d->values;                                                                               \
        uint32_t mask = d->mask;                                                                             \
        for (size_t i = 0; i < n; i++) {                                                                     \
            if (i > 0 && eq(&values[i], &values[i - 1])) {                                                   \
                indices[i] = indices[i - 1];                                                                 \
                continue;                                                                                    \
            }                                                                                                \
            uint32_t tag = (uint32_t)hash(&values[i]), at = tag & mask;                                      \
            uint64_t slot;                                                                                   \
            while ((slot = d->slots[at]) != 0) {                                                             \
                if ((uint32_t)(slot >> 32) == tag && eq(&all[(uint32_t)slot - 1], &values[i]))               \
                    break;                                                                                   \
                at = (at + 1) & mask;                                                                        \
            }                                                                                                \
            if (slot == 0) {                                                                                 \
                all[d->count] = values[i];                                                                   \
                d->stamps[d->count] = 0;                                                                     \
                keep(d, &all[d->count]);                                                                     \
                slot = (uint64_t)tag << 32 | ++d->count;                                                     \
                d->slots[at] = slot;                                                                         \
            }                                                                                                \
            indices[i] = (uint32_t)slot - 1;                                                                 \
        }                                                                                                    \
    }
DICT_PUT(put_u32, uint32_t, hash_u32, eq_u32, keep_fixed)
DICT_PUT(put_u64, uint64_t, hash_u64, eq_u64, keep_fixed)
DICT_PUT(put_i128, i128, hash_i128, eq_i128, keep_fixed)
DICT_PUT(put_view, struct view, hash_view, eq_view, keep_view)

void dict_put(struct dict *d, const void *values, size_t n, uint32_t *indices)
{
    make_room(d, n);
    switch (d->kind) {
    case DENSE_I32:
    case DENSE_F32: put_u32(d, values, n, indices); break;
    case DENSE_I64:
    case DENSE_F64: put_u64(d, values, n, indices); break;
    case DENSE_I128: put_i128(d, values, n, indices); break;
    case DENSE_VIEW: put_view(d, values, n, indices); break;
    case DENSE_BOOL: UNREACHABLE("booleans have no dictionary");
    }
}

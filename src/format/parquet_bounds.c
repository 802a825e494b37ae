/* Least and greatest values, for statistics and indexes.
 *
 * Order is the column's: signed for numbers, bytes unsigned for strings. NaN is left out and counted,
 * because readers disagree about its place; where a chunk has one, the file gets no bounds at all (a reader
 * to whom NaN is the greatest value would skip rows otherwise). A least zero is written as −0.0, a greatest
 * as +0.0 (parquet.thrift, ColumnOrder). */
#include "format/parquet_write_i.h"

#include <math.h>

#include "base/utf8.h"

static inline uint32_t view_key(const struct view *v)
{
    return get_be32(v->inlined);
}

static inline int view_order(const struct view *a, const struct view *b)
{
    uint32_t x = view_key(a), y = view_key(b);
    if (x != y)
        return x < y ? -1 : 1;
    size_t n = a->size < b->size ? a->size : b->size;
    int order = n > 4 ? memcmp(view_bytes(a) + 4, view_bytes(b) + 4, n - 4) : 0;
    return order ? order : (a->size > b->size) - (a->size < b->size);
}

void bounds_fini(struct bounds *b)
{
    sbuf_fini(&b->min_bytes);
    sbuf_fini(&b->max_bytes);
}

void bounds_reset(struct bounds *b)
{
    b->has = b->owned = false;
    b->nans = 0;
}

/* Integers of one type; the loop is over registers. */
#define ADD_INTS(name, type)                                                                                 \
    static void name(struct bounds *b, const type *v, size_t n)                                              \
    {                                                                                                        \
        type lo = v[0], hi = v[0];                                                                           \
        for (size_t i = 1; i < n; i++) {                                                                     \
            lo = v[i] < lo ? v[i] : lo;                                                                      \
            hi = v[i] > hi ? v[i] : hi;                                                                      \
        }                                                                                                    \
        b->min = b->has && b->min < lo ? b->min : lo;                                                        \
        b->max = b->has && b->max > hi ? b->max : hi;                                                        \
        b->has = true;                                                                                       \
    }
ADD_INTS(add_u8, uint8_t)
ADD_INTS(add_i32, int32_t)
ADD_INTS(add_i64, int64_t)
ADD_INTS(add_i128, i128)

#define ADD_FLOATS(name, type)                                                                               \
    static void name(struct bounds *b, const type *v, size_t n)                                              \
    {                                                                                                        \
        double lo = b->has ? b->f_min : (double)INFINITY, hi = b->has ? b->f_max : -(double)INFINITY;        \
        size_t nans = 0;                                                                                     \
        for (size_t i = 0; i < n; i++) {                                                                     \
            double x = (double)v[i];                                                                         \
            nans += x != x;                                                                                  \
            lo = x < lo ? x : lo;                                                                            \
            hi = x > hi ? x : hi;                                                                            \
        }                                                                                                    \
        if (nans < n) {                                                                                      \
            b->f_min = lo;                                                                                   \
            b->f_max = hi;                                                                                   \
            b->has = true;                                                                                   \
        }                                                                                                    \
        b->nans += (int64_t)nans;                                                                            \
    }
ADD_FLOATS(add_f32, float)
ADD_FLOATS(add_f64, double)

static void add_views(struct bounds *b, const struct view *v, size_t n)
{
    const struct view *lo = b->has ? &b->view_min : v, *hi = b->has ? &b->view_max : v;
    for (size_t i = 0; i < n; i++) {
        if (view_order(&v[i], lo) < 0)
            lo = &v[i];
        else if (view_order(&v[i], hi) > 0)
            hi = &v[i];
    }
    if (lo != &b->view_min)
        b->view_min = *lo, b->owned = false;
    if (hi != &b->view_max)
        b->view_max = *hi, b->owned = false;
    b->has = true;
}

void bounds_add(struct bounds *b, const void *values, size_t n)
{
    if (n == 0)
        return;
    switch (b->kind) {
    case DENSE_BOOL: add_u8(b, values, n); break;
    case DENSE_I32: add_i32(b, values, n); break;
    case DENSE_I64: add_i64(b, values, n); break;
    case DENSE_I128: add_i128(b, values, n); break;
    case DENSE_F32: add_f32(b, values, n); break;
    case DENSE_F64: add_f64(b, values, n); break;
    case DENSE_VIEW: add_views(b, values, n); break;
    }
}

static void own_view(struct view *v, struct sbuf *bytes)
{
    if (v->size <= VIEW_INLINE || v->far.p == bytes->p)
        return;
    sbuf_clear(bytes);
    sbuf_add(bytes, v->far.p, v->size);
    v->far.p = bytes->p;
}

void bounds_own(struct bounds *b)
{
    if (b->kind != DENSE_VIEW || !b->has || b->owned)
        return;
    own_view(&b->view_min, &b->min_bytes);
    own_view(&b->view_max, &b->max_bytes);
    b->owned = true;
}

void bounds_merge(struct bounds *b, const struct bounds *from)
{
    b->nans += from->nans;
    if (!from->has)
        return;
    if (b->kind == DENSE_VIEW) {
        add_views(b, &from->view_min, 1);
        add_views(b, &from->view_max, 1);
        bounds_own(b);
    } else if (b->kind == DENSE_F32 || b->kind == DENSE_F64) {
        b->f_min = b->has && b->f_min < from->f_min ? b->f_min : from->f_min;
        b->f_max = b->has && b->f_max > from->f_max ? b->f_max : from->f_max;
    } else {
        b->min = b->has && b->min < from->min ? b->min : from->min;
        b->max = b->has && b->max > from->max ? b->max : from->max;
    }
    b->has = true;
}

int bounds_cmp(const struct bounds *a, const struct bounds *b, bool is_max)
{
    if (a->kind == DENSE_VIEW)
        return is_max ? view_order(&a->view_max, &b->view_max) : view_order(&a->view_min, &b->view_min);
    if (a->kind == DENSE_F32 || a->kind == DENSE_F64) {
        double x = is_max ? a->f_max : a->f_min, y = is_max ? b->f_max : b->f_min;
        return (x > y) - (x < y);
    }
    i128 x = is_max ? a->max : a->min, y = is_max ? b->max : b->min;
    return (x > y) - (x < y);
}

/* ---- as bytes -------------------------------------------------------------------------------------- */

/* The shortest prefix rule: cut to PARQUET_STAT_BYTES, text at a character. */
static size_t cut_length(struct str s, bool is_text)
{
    size_t n = PARQUET_STAT_BYTES;
    if (is_text)
        while (n > PARQUET_STAT_BYTES - 4 && ((uint8_t)s.p[n] & 0xC0) == 0x80)
            n--;
    return n;
}

/* Makes p[n] greater than everything that begins with it, as short as can be; 0 where that cannot be. */
static size_t increment_bytes(uint8_t *p, size_t n)
{
    while (n > 0 && p[n - 1] == 0xFF)
        n--;
    if (n > 0)
        p[n - 1]++;
    return n;
}

/* As increment_bytes, and valid UTF-8 stays valid. */
static size_t increment_text(uint8_t *p, size_t n)
{
    while (n > 0) {
        size_t start = n - 1;
        while (start > 0 && (p[start] & 0xC0) == 0x80)
            start--;
        uint32_t code;
        size_t length = utf8_decode((const char *)p + start, n - start, &code);
        if (length == 0 || length != n - start)
            return increment_bytes(p, n); /* no UTF-8 */
        code = code == 0xD7FF ? 0xE000 : code + 1;
        char next[4];
        if (code <= 0x10FFFF && utf8_encode(code, next) == length) {
            memcpy(p + start, next, length);
            return n;
        }
        n = start;
    }
    return 0;
}

static bool view_bound(const struct view *v, bool is_max, bool is_text, struct arena *arena, struct str *out,
                       bool *exact)
{
    struct str s = view_str(v);
    *exact = s.n <= PARQUET_STAT_BYTES;
    size_t n = *exact ? s.n : cut_length(s, is_text);
    uint8_t *p = arena_alloc(arena, n + 1);
    memcpy(p, s.p, n);
    if (!*exact && is_max)
        n = is_text ? increment_text(p, n) : increment_bytes(p, n);
    *out = str_n(p, n);
    return *exact || n > 0;
}

static struct str fixed_bytes(i128 v, unsigned width, struct arena *arena)
{
    uint8_t *p = arena_alloc(arena, width);
    for (unsigned i = 0; i < width; i++)
        p[i] = (uint8_t)((unsigned __int128)v >> 8 * (width - 1 - i));
    return str_n(p, width);
}

static struct str float_bytes(double v, bool is_max, bool is_single, struct arena *arena)
{
    uint8_t *p = arena_alloc(arena, 8);
    if (v == 0)
        v = is_max ? 0.0 : -0.0;
    float single = (float)v;
    if (is_single)
        memcpy(p, &single, 4);
    else
        memcpy(p, &v, 8);
    return str_n(p, is_single ? 4 : 8);
}

bool bounds_bytes(const struct bounds *b, bool is_max, enum pq_type physical, unsigned fixed, bool is_text,
                  struct arena *arena, struct str *out, bool *exact)
{
    *exact = true;
    if (!b->has || b->nans > 0)
        return false;
    if (b->kind == DENSE_VIEW)
        return view_bound(is_max ? &b->view_max : &b->view_min, is_max, is_text, arena, out, exact);
    if (b->kind == DENSE_F32 || b->kind == DENSE_F64) {
        *out = float_bytes(is_max ? b->f_max : b->f_min, is_max, b->kind == DENSE_F32, arena);
        return true;
    }
    i128 v = is_max ? b->max : b->min;
    if (physical == PQ_FIXED) {
        *out = fixed_bytes(v, fixed, arena);
        return true;
    }
    uint8_t *p = arena_alloc(arena, 8);
    put_le64(p, (uint64_t)v);
    *out = str_n(p, physical == PQ_BOOLEAN ? 1 : physical == PQ_INT32 ? 4 : 8);
    return true;
}

struct value bounds_value(const struct bounds *b, bool is_max, const struct type *type)
{
    struct value v = value_null(type);
    if (!b->has)
        return v;
    v.is_null = false;
    if (b->kind == DENSE_VIEW)
        v.str = view_str(is_max ? &b->view_max : &b->view_min);
    else if (b->kind == DENSE_F32 || b->kind == DENSE_F64)
        v.f64 = is_max ? b->f_max : b->f_min;
    else if (type->kind == TYPE_DECIMAL)
        v.decimal = is_max ? b->max : b->min;
    else if (type->kind == TYPE_BOOLEAN)
        v.boolean = (is_max ? b->max : b->min) != 0;
    else
        v.i64 = (int64_t)(is_max ? b->max : b->min);
    return v;
}

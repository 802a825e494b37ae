/* Single values: NULL and the total order. */
#include "type/type.h"

#include <unicode/uchar.h>

#include "base/check.h"
#include "base/utf8.h"

struct value value_null(const struct type *type)
{
    return (struct value){.type = type, .is_null = true};
}

/* ---- order --------------------------------------------------------------------------------------------- */

static int cmp_f64(double a, double b)
{
    if (a != a || b != b)
        return (a != a) - (b != b);
    return (a > b) - (a < b);
}

/* One character of s from *at on, lower case; a byte that is no UTF-8 stands for itself, above all
 * characters. */
static uint32_t next_lower(struct str s, size_t *at)
{
    uint32_t code;
    size_t n = utf8_decode(s.p + *at, s.n - *at, &code);
    if (n == 0)
        return 0x110000 + (uint8_t)s.p[(*at)++];
    *at += n;
    return (uint32_t)u_tolower((UChar32)code);
}

static int cmp_lcase(struct str a, struct str b)
{
    size_t i = 0, j = 0;
    while (i < a.n && j < b.n) {
        uint32_t x = next_lower(a, &i), y = next_lower(b, &j);
        if (x != y)
            return x < y ? -1 : 1;
    }
    return (i < a.n) - (j < b.n);
}

static int cmp_str(const struct type *type, struct str a, struct str b)
{
    if (type->collation != NULL && str_eq_nocase(str_of(type->collation), STR("UTF8_LCASE")))
        return cmp_lcase(a, b);
    int c = str_cmp(a, b);
    return (c > 0) - (c < 0);
}

static int cmp_nested(const struct value *a, const struct value *b)
{
    uint32_t per_item = a->type->kind == TYPE_MAP ? 2 : 1;
    uint32_t n = (a->nested.count < b->nested.count ? a->nested.count : b->nested.count) * per_item;
    for (uint32_t i = 0; i < n; i++) {
        int c = value_cmp(&a->nested.items[i], &b->nested.items[i]);
        if (c != 0)
            return c;
    }
    return (a->nested.count > b->nested.count) - (a->nested.count < b->nested.count);
}

int value_cmp(const struct value *a, const struct value *b)
{
    if (a->is_null || b->is_null)
        return b->is_null - a->is_null;
    DCHECK(a->type->kind == b->type->kind);
    switch (a->type->kind) {
    case TYPE_NULL: return 0;
    case TYPE_BOOLEAN: return a->boolean - b->boolean;
    case TYPE_FLOAT:
    case TYPE_DOUBLE: return cmp_f64(a->f64, b->f64);
    case TYPE_DECIMAL: return (a->decimal > b->decimal) - (a->decimal < b->decimal);
    case TYPE_STRING:
    case TYPE_BINARY: return cmp_str(a->type, a->str, b->str);
    case TYPE_ARRAY:
    case TYPE_MAP:
    case TYPE_STRUCT: return cmp_nested(a, b);
    case TYPE_VARIANT: {
        int c = str_cmp(a->metadata, b->metadata);
        c = c ? c : str_cmp(a->str, b->str);
        return (c > 0) - (c < 0);
    }
    default: return (a->i64 > b->i64) - (a->i64 < b->i64);
    }
}

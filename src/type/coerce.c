/* Which casts there are, and which of them happen by themselves: Spark's ANSI rules as tables over kinds
 * of types. */
#include "base/check.h"
#include "type/cast.h"

#define KIND(kind) (1u << TYPE_##kind)

enum {
    INTEGERS = KIND(BYTE) | KIND(SHORT) | KIND(INT) | KIND(LONG),
    NUMBERS = INTEGERS | KIND(FLOAT) | KIND(DOUBLE) | KIND(DECIMAL),
    TIMES = KIND(DATE) | KIND(TIMESTAMP) | KIND(TIMESTAMP_NTZ),
    INTERVALS = KIND(INTERVAL_YM) | KIND(INTERVAL_DT),
    NESTED = KIND(ARRAY) | KIND(MAP) | KIND(STRUCT),
    SIMPLE = (1u << TYPE_ARRAY) - 1, /* all before ARRAY; VARIANT is neither */
    EVERYTHING = (1u << TYPE_KINDS) - 1,
};

static bool in_set(unsigned set, enum type_kind kind)
{
    return set >> kind & 1;
}

/* A rule for simple types, and whether a nested type may lose its NULLs. */
typedef bool rule(const struct type *from, const struct type *to);

/* Same shape, each part by the rule; what may be NULL stays so. */
static bool nested_by(rule *of_parts, const struct type *from, const struct type *to)
{
    if (from->kind != to->kind || from->field_count != to->field_count)
        return false;
    for (uint32_t i = 0; i < from->field_count; i++)
        if (!of_parts(from->fields[i].type, to->fields[i].type) ||
            (from->fields[i].nullable && !to->fields[i].nullable))
            return false;
    return true;
}

/* ---- explicit casts ------------------------------------------------------------------------------------ */

/* By kind of the source: the kinds it can be cast to, itself and STRING aside. */
static const unsigned cast_to[TYPE_KINDS] = {
    [TYPE_NULL] = EVERYTHING,
    [TYPE_BOOLEAN] = NUMBERS,
    [TYPE_BYTE] = NUMBERS | KIND(BOOLEAN) | KIND(TIMESTAMP) | INTERVALS,
    [TYPE_SHORT] = NUMBERS | KIND(BOOLEAN) | KIND(TIMESTAMP) | INTERVALS,
    [TYPE_INT] = NUMBERS | KIND(BOOLEAN) | KIND(TIMESTAMP) | INTERVALS,
    [TYPE_LONG] = NUMBERS | KIND(BOOLEAN) | KIND(TIMESTAMP) | INTERVALS,
    [TYPE_FLOAT] = NUMBERS | KIND(BOOLEAN) | KIND(TIMESTAMP),
    [TYPE_DOUBLE] = NUMBERS | KIND(BOOLEAN) | KIND(TIMESTAMP),
    [TYPE_DECIMAL] = NUMBERS | KIND(BOOLEAN) | KIND(TIMESTAMP) | INTERVALS,
    [TYPE_STRING] = SIMPLE & ~KIND(NULL),
    [TYPE_BINARY] = 0,
    [TYPE_DATE] = TIMES,
    [TYPE_TIMESTAMP] = TIMES | NUMBERS,
    [TYPE_TIMESTAMP_NTZ] = TIMES,
    [TYPE_INTERVAL_YM] = INTEGERS | KIND(DECIMAL),
    [TYPE_INTERVAL_DT] = INTEGERS | KIND(DECIMAL),
    [TYPE_VARIANT] = EVERYTHING & ~(KIND(NULL) | INTERVALS),
};

bool type_can_cast(const struct type *from, const struct type *to)
{
    if (from->kind == TYPE_NULL || to->kind == TYPE_STRING)
        return true;
    if (in_set(NESTED, from->kind))
        return nested_by(type_can_cast, from, to);
    return from->kind == to->kind || in_set(cast_to[from->kind], to->kind);
}

static bool decimal_holds(struct decimal_shape wide, struct decimal_shape narrow)
{
    return wide.scale >= narrow.scale && wide.precision - wide.scale >= narrow.precision - narrow.scale;
}

static bool number_can_fail(const struct type *from, const struct type *to)
{
    bool fraction = from->kind == TYPE_FLOAT || from->kind == TYPE_DOUBLE;
    if (to->kind == TYPE_FLOAT || to->kind == TYPE_DOUBLE || to->kind == TYPE_BOOLEAN)
        return false;
    if (to->kind == TYPE_TIMESTAMP)
        return fraction;
    if (in_set(INTERVALS, to->kind) || fraction)
        return true;
    if (to->kind == TYPE_DECIMAL && from->kind == TYPE_DECIMAL)
        /* rounding can carry into one digit more */
        return to->scale < from->scale ? to->precision - to->scale <= from->precision - from->scale
                                       : !decimal_holds(decimal_shape_of(to), decimal_shape_of(from));
    if (to->kind == TYPE_DECIMAL) /* every long has at most 19 digits, whatever (20,0) says */
        return to->precision - to->scale <
               (from->kind == TYPE_LONG ? 19 : decimal_of_kind(from->kind).precision);
    return from->kind == TYPE_DECIMAL || to->kind < from->kind;
}

bool type_cast_can_fail(const struct type *from, const struct type *to)
{
    if (from->kind == TYPE_NULL)
        return false;
    if (from->kind == TYPE_STRING)
        return to->kind != TYPE_STRING && to->kind != TYPE_BINARY;
    if (to->kind == TYPE_STRING)
        return from->kind == TYPE_BINARY;
    if (in_set(NESTED, from->kind)) {
        for (uint32_t i = 0; i < from->field_count && i < to->field_count; i++)
            if (type_cast_can_fail(from->fields[i].type, to->fields[i].type))
                return true;
        return from->kind != to->kind;
    }
    if (in_set(NUMBERS, from->kind))
        return number_can_fail(from, to);
    if (from->kind == TYPE_BOOLEAN && to->kind == TYPE_DECIMAL)
        return to->precision == to->scale;
    if (from->kind == TYPE_TIMESTAMP && in_set(NUMBERS, to->kind))
        return to->kind != TYPE_LONG && to->kind != TYPE_FLOAT && to->kind != TYPE_DOUBLE;
    return (in_set(INTERVALS, from->kind) && to->kind != from->kind) || from->kind == TYPE_VARIANT;
}

/* ---- implicit casts ------------------------------------------------------------------------------------ */

bool type_can_assign(const struct type *from, const struct type *to)
{
    if (from->kind == TYPE_NULL)
        return true;
    if (in_set(NESTED, from->kind))
        return nested_by(type_can_assign, from, to);
    if (from->kind == to->kind)
        return true;
    if (in_set(NUMBERS, from->kind))
        return in_set(NUMBERS | KIND(STRING), to->kind);
    if (in_set(TIMES, from->kind))
        return in_set(TIMES | KIND(STRING), to->kind);
    return to->kind == TYPE_STRING && in_set(SIMPLE, from->kind);
}

bool type_can_promote(const struct type *from, const struct type *to)
{
    if (in_set(NESTED, from->kind))
        return nested_by(type_can_promote, from, to);
    return type_can_assign(from, to) || (from->kind == TYPE_STRING && in_set(SIMPLE & ~KIND(NULL), to->kind));
}

/* ---- common types -------------------------------------------------------------------------------------- */

typedef const struct type *common(struct arena *arena, const struct type *a, const struct type *b);

static const struct type *common_number(struct arena *arena, const struct type *a, const struct type *b)
{
    bool a_decimal = a->kind == TYPE_DECIMAL, b_decimal = b->kind == TYPE_DECIMAL;
    if (a_decimal || b_decimal) {
        if (a->kind == TYPE_FLOAT || a->kind == TYPE_DOUBLE || b->kind == TYPE_FLOAT ||
            b->kind == TYPE_DOUBLE)
            return type_simple(TYPE_DOUBLE);
        struct decimal_shape x = a_decimal ? decimal_shape_of(a) : decimal_of_kind(a->kind);
        struct decimal_shape y = b_decimal ? decimal_shape_of(b) : decimal_of_kind(b->kind);
        struct decimal_shape w = decimal_widest(x, y);
        return type_decimal(arena, w.precision, w.scale);
    }
    enum type_kind wide = a->kind > b->kind ? a->kind : b->kind;
    /* a float does not hold all integers */
    return type_simple(wide == TYPE_FLOAT && a->kind != b->kind ? TYPE_DOUBLE : wide);
}

static const struct type *common_interval(struct arena *arena, const struct type *a, const struct type *b)
{
    struct type *t = arena_dup(arena, a, sizeof *a);
    if (b->interval_from < t->interval_from)
        t->interval_from = b->interval_from;
    if (b->interval_to > t->interval_to)
        t->interval_to = b->interval_to;
    return t;
}

static const struct type *common_nested(struct arena *arena, const struct type *a, const struct type *b,
                                        common *of_parts)
{
    if (a->field_count != b->field_count)
        return NULL;
    struct field *fields = arena_zarray(arena, struct field, a->field_count);
    for (uint32_t i = 0; i < a->field_count; i++) {
        const struct field *x = &a->fields[i], *y = &b->fields[i];
        if (!str_eq_nocase(str_of(x->name), str_of(y->name)))
            return NULL;
        fields[i] = *x;
        fields[i].nullable = x->nullable || y->nullable;
        fields[i].type = of_parts(arena, x->type, y->type);
        if (fields[i].type == NULL)
            return NULL;
    }
    struct type *t = arena_dup(arena, a, sizeof *a);
    t->fields = fields;
    return t;
}

/* What both rules share: everything but strings next to something else. */
static const struct type *common_plain(struct arena *arena, const struct type *a, const struct type *b,
                                       common *of_parts)
{
    if (type_equal(a, b) || b->kind == TYPE_NULL)
        return a;
    if (a->kind == TYPE_NULL)
        return b;
    if (in_set(NUMBERS, a->kind) && in_set(NUMBERS, b->kind))
        return common_number(arena, a, b);
    if (in_set(TIMES, a->kind) && in_set(TIMES, b->kind)) {
        if (a->kind == TYPE_TIMESTAMP || b->kind == TYPE_TIMESTAMP)
            return type_simple(TYPE_TIMESTAMP);
        return type_simple(TYPE_TIMESTAMP_NTZ);
    }
    if (a->kind != b->kind)
        return NULL;
    if (in_set(INTERVALS, a->kind))
        return common_interval(arena, a, b);
    if (a->kind == TYPE_STRING) /* one of them has a collation, or both */
        return a->collation != NULL ? a : b;
    return in_set(NESTED, a->kind) ? common_nested(arena, a, b, of_parts) : NULL;
}

const struct type *type_tightest(struct arena *arena, const struct type *a, const struct type *b)
{
    return common_plain(arena, a, b, type_tightest);
}

/* A string next to `other`. */
static const struct type *common_string(const struct type *other)
{
    if (in_set(INTEGERS, other->kind))
        return type_simple(TYPE_LONG);
    if (in_set(NUMBERS, other->kind))
        return type_simple(TYPE_DOUBLE);
    return in_set(SIMPLE & ~INTERVALS, other->kind) ? other : NULL;
}

const struct type *type_common(struct arena *arena, const struct type *a, const struct type *b)
{
    bool a_string = a->kind == TYPE_STRING, b_string = b->kind == TYPE_STRING;
    if (a_string && !b_string && b->kind != TYPE_NULL)
        return common_string(b);
    if (b_string && !a_string && a->kind != TYPE_NULL)
        return common_string(a);
    return common_plain(arena, a, b, type_common);
}

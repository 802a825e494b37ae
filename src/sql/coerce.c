/* Implicit casts, as Spark's ANSI mode has them. type/cast.h knows which types promote to which; here are the expressions. */
#include "sql/bind_private.h"
#include "type/cast.h"

bool type_is_interval(const struct type *t)
{
    return t->kind == TYPE_INTERVAL_YM || t->kind == TYPE_INTERVAL_DT;
}

bool type_is_void(const struct type *t)
{
    return t->kind == TYPE_NULL;
}

/* The depth of types is bounded by TYPE_DEPTH_MAX. */
static bool has_kind(const struct type *t, enum type_kind kind)
{
    if (t->kind == kind)
        return true;
    for (uint32_t i = 0; i < t->field_count; i++)
        if (has_kind(t->fields[i].type, kind))
            return true;
    return false;
}

bool type_is_orderable(const struct type *t)
{
    return !has_kind(t, TYPE_MAP) && !has_kind(t, TYPE_VARIANT);
}

bool type_is_groupable(const struct type *t)
{
    return type_is_orderable(t);
}

const struct expr *cast_to(struct arena *arena, const struct expr *e, const struct type *type)
{
    if (type_same(e->type, type))
        return e;
    if (expr_is_null(e))
        return expr_null(arena, type, e->span);
    const struct expr **args = arena_array(arena, const struct expr *, 1);
    args[0] = e;
    struct expr *cast = expr_new(arena, EXPR_CAST, type, args, 1, e->span);
    return cast;
}

static bool is_atomic(const struct type *t)
{
    return !type_is_nested(t) && t->kind != TYPE_NULL && t->kind != TYPE_VARIANT;
}

/* Element by element; string elements do not become numbers, but NULL ones anything. */
static bool nested_can(const struct type *from, const struct type *to)
{
    if (from->kind != to->kind || from->field_count != to->field_count)
        return false;
    for (uint32_t i = 0; i < from->field_count; i++) {
        const struct type *a = from->fields[i].type, *b = to->fields[i].type;
        if (!type_same(a, b) && !type_is_void(a) && !type_can_assign(a, b) && !nested_can(a, b))
            return false;
    }
    return type_is_nested(from);
}

const struct expr *cast_implicit(struct arena *arena, const struct expr *e, const struct type *type)
{
    const struct type *from = e->type;
    if (type_same(from, type))
        return e;
    bool ok = type_is_void(from) ||
              (from->kind == TYPE_STRING && is_atomic(type) && !type_is_interval(type)) ||
              (from->kind == TYPE_STRING && type->kind == TYPE_STRING) ||
              (is_atomic(from) && is_atomic(type) && type_can_assign(from, type)) || nested_can(from, type);
    /* Binary reads as text where text is wanted, but never silently the other way round for numbers. */
    if (from->kind == TYPE_BINARY && type->kind == TYPE_STRING)
        ok = true;
    return ok ? cast_to(arena, e, type) : NULL;
}

const struct type *common_type(struct arena *arena, const struct expr *const *args, uint32_t count)
{
    const struct type *common = count ? args[0]->type : type_simple(TYPE_NULL);
    /* Strings last, as Spark does it: (1, 'a', 2.0) is DOUBLE whatever the order. */
    for (uint32_t i = 1; i < count && common; i++)
        common = type_same(common, args[i]->type) ? common : type_common(arena, common, args[i]->type);
    return common;
}

const struct type *coerce_common(struct arena *arena, const struct expr **args, uint32_t count)
{
    const struct type *common = common_type(arena, args, count);
    for (uint32_t i = 0; i < count && common; i++)
        args[i] = cast_to(arena, args[i], common);
    return common;
}

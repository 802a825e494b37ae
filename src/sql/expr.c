/* Building, comparing and rewriting bound expressions.
 *
 * Trees may share parts (COALESCE(a, b) names a twice, an alias of the select list stands for its expression wherever it is used), so a walk
 * over one costs its `size`, which counts shared parts each time. The size is bounded where expressions are built; that bounds every
 * walk. */
#include "sql/bind_private.h"
#include "type/cast.h"

struct expr *expr_new(struct arena *arena, enum expr_kind kind, const struct type *type,
                      const struct expr **args, uint32_t arg_count, struct span span)
{
    struct expr *e = arena_zalloc(arena, kind == EXPR_CALL ? sizeof(struct aggregate_expr) : sizeof *e);
    uint64_t size = 1;
    *e = (struct expr){.kind = kind,
                       .type = type,
                       .deterministic = true,
                       .span = span,
                       .arg_count = arg_count,
                       .args = args};
    for (uint32_t i = 0; i < arg_count; i++) {
        e->deterministic &= args[i]->deterministic;
        e->nullable |= args[i]->nullable;
        size += args[i]->size;
    }
    e->size = size < SQL_EXPR_SIZE_MAX + 1 ? (uint32_t)size : SQL_EXPR_SIZE_MAX + 1;
    return e;
}

const struct expr *expr_literal(struct arena *arena, const struct value *value, struct span span)
{
    struct expr *e = expr_new(arena, EXPR_LITERAL, value->type, NULL, 0, span);
    e->literal = *value;
    e->nullable = value->is_null;
    return e;
}

const struct expr *expr_null(struct arena *arena, const struct type *type, struct span span)
{
    struct value v = value_null(type);
    return expr_literal(arena, &v, span);
}

const struct expr *expr_int(struct arena *arena, int64_t value, struct span span)
{
    return expr_literal(arena, &(struct value){.type = type_simple(TYPE_INT), .i64 = value}, span);
}

const struct expr *expr_long(struct arena *arena, int64_t value, struct span span)
{
    return expr_literal(arena, &(struct value){.type = type_simple(TYPE_LONG), .i64 = value}, span);
}

const struct expr *expr_string(struct arena *arena, struct str value, struct span span)
{
    return expr_literal(arena, &(struct value){.type = type_simple(TYPE_STRING), .str = value}, span);
}

const struct expr *expr_bool(struct arena *arena, bool value, struct span span)
{
    return expr_literal(arena, &(struct value){.type = type_simple(TYPE_BOOLEAN), .boolean = value}, span);
}

const struct expr *expr_column(struct arena *arena, uint32_t index, const struct type *type, bool nullable,
                               struct span span)
{
    struct expr *e = expr_new(arena, EXPR_COLUMN, type, NULL, 0, span);
    e->index = index;
    e->nullable = nullable;
    return e;
}

struct expr *expr_call(struct arena *arena, enum function_id id, const struct type *type, bool nullable,
                       const struct expr **args, uint32_t arg_count, struct span span)
{
    struct expr *e = expr_new(arena, EXPR_CALL, type, args, arg_count, span);
    e->function = &functions[id];
    e->nullable = nullable;
    if (functions[id].flags & FUNCTION_NONDETERMINISTIC)
        e->deterministic = false;
    return e;
}

const struct expr *expr_call1(struct arena *arena, enum function_id id, const struct type *type,
                              bool nullable, const struct expr *a, struct span span)
{
    const struct expr **args = arena_array(arena, const struct expr *, 1);
    args[0] = a;
    return expr_call(arena, id, type, nullable, args, 1, span);
}

const struct expr *expr_call2(struct arena *arena, enum function_id id, const struct type *type,
                              bool nullable, const struct expr *a, const struct expr *b, struct span span)
{
    const struct expr **args = arena_array(arena, const struct expr *, 2);
    args[0] = a;
    args[1] = b;
    return expr_call(arena, id, type, nullable, args, 2, span);
}

const struct expr *expr_not(struct arena *arena, const struct expr *a, struct span span)
{
    return expr_call1(arena, FN_NOT, type_simple(TYPE_BOOLEAN), a->nullable, a, span);
}

const struct expr *expr_field(struct arena *arena, const struct expr *base, uint32_t index, struct span span)
{
    const struct expr **args = arena_array(arena, const struct expr *, 1);
    const struct field *f = &base->type->fields[index];
    args[0] = base;
    struct expr *e = expr_new(arena, EXPR_FIELD, f->type, args, 1, span);
    e->index = index;
    e->nullable = base->nullable || f->nullable;
    return e;
}

bool expr_is_null(const struct expr *e)
{
    return e->kind == EXPR_LITERAL && e->literal.is_null;
}

static bool literal_equal(const struct value *a, const struct value *b)
{
    if (a->is_null || b->is_null)
        return a->is_null && b->is_null;
    return a->type->kind != TYPE_MAP && a->type->kind != TYPE_VARIANT && value_cmp(a, b) == 0;
}

bool expr_equal(const struct expr *a, const struct expr *b)
{
    if (a == b)
        return true;
    if (a->kind != b->kind || a->size != b->size || a->arg_count != b->arg_count || a->index != b->index ||
        a->function != b->function || a->try_ != b->try_ || !a->deterministic || !b->deterministic ||
        !type_same(a->type, b->type))
        return false;
    if (a->kind == EXPR_LITERAL && !literal_equal(&a->literal, &b->literal))
        return false;
    const struct aggregate_expr *x = expr_aggregate(a), *y = expr_aggregate(b);
    if (x && (x->distinct != y->distinct || (x->filter == NULL) != (y->filter == NULL) ||
              (x->filter && !expr_equal(x->filter, y->filter))))
        return false;
    for (uint32_t i = 0; i < a->arg_count; i++)
        if (!expr_equal(a->args[i], b->args[i]))
            return false;
    return true;
}

/* ---- constants ----------------------------------------------------------------------------------------------------- */

/* Would the cast look at the session's time zone? Then only the evaluator may do it. */
static bool cast_needs_zone(const struct type *from, const struct type *to)
{
    enum type_kind a = from->kind, b = to->kind;
    if (a == TYPE_TIMESTAMP || b == TYPE_TIMESTAMP)
        return a != b && a != TYPE_NULL && b != TYPE_NULL;
    return type_is_nested(from) || type_is_nested(to);
}

static bool constant_items(struct arena *arena, const struct expr *e, struct value *value)
{
    struct value *items = arena_array(arena, struct value, e->arg_count);
    for (uint32_t i = 0; i < e->arg_count; i++)
        if (!expr_constant(arena, e->args[i], &items[i]))
            return false;
    uint32_t count = e->function->id == FN_MAP ? e->arg_count / 2 : e->arg_count;
    *value = (struct value){.type = e->type, .nested = {count, items}};
    return true;
}

static bool constant_negate(struct arena *arena, const struct expr *e, struct value *value)
{
    if (!expr_constant(arena, e->args[0], value) || value->is_null)
        return false;
    switch (value->type->kind) {
    case TYPE_BYTE:
    case TYPE_SHORT:
    case TYPE_INT:
    case TYPE_LONG:
        if (value->i64 == type_int_min(value->type->kind))
            return false;
        value->i64 = -value->i64;
        return true;
    case TYPE_INTERVAL_DT:
    case TYPE_INTERVAL_YM:
        if (value->i64 == INT64_MIN)
            return false;
        value->i64 = -value->i64;
        return true;
    case TYPE_FLOAT:
    case TYPE_DOUBLE: value->f64 = -value->f64; return true;
    case TYPE_DECIMAL: value->decimal = -value->decimal; return true;
    default: return false;
    }
}

/* Whole numbers, as in LIMIT 2 + 1; what overflows is left to the evaluator. */
static bool constant_arithmetic(struct arena *arena, const struct expr *e, struct value *value)
{
    struct value a, b;
    if (!type_is_integer(e->type) || !expr_constant(arena, e->args[0], &a) ||
        !expr_constant(arena, e->args[1], &b) || a.is_null || b.is_null)
        return false;
    bool overflow = e->function->id == FN_ADD        ? __builtin_add_overflow(a.i64, b.i64, &value->i64)
                    : e->function->id == FN_SUBTRACT ? __builtin_sub_overflow(a.i64, b.i64, &value->i64)
                                                     : __builtin_mul_overflow(a.i64, b.i64, &value->i64);
    value->type = e->type;
    value->is_null = false;
    return !overflow && value->i64 >= type_int_min(e->type->kind) &&
           value->i64 <= type_int_max(e->type->kind);
}

/* Maps with equal keys are an error that the evaluator words. */
static bool map_keys_differ(const struct value *map)
{
    for (uint32_t i = 0; i < map->nested.count; i++) {
        if (map->nested.items[2 * i].is_null || i > 64)
            return false;
        for (uint32_t j = 0; j < i; j++)
            if (value_cmp(&map->nested.items[2 * i], &map->nested.items[2 * j]) == 0)
                return false;
    }
    return true;
}

bool expr_constant(struct arena *arena, const struct expr *e, struct value *value)
{
    if (e->kind == EXPR_LITERAL) {
        *value = e->literal;
        return true;
    }
    if (e->kind == EXPR_CAST) {
        struct value in;
        struct err ignored;
        if (cast_needs_zone(e->args[0]->type, e->type) || !expr_constant(arena, e->args[0], &in))
            return false;
        return value_cast(&in, e->type, NULL, arena, value, &ignored);
    }
    if (e->kind != EXPR_CALL)
        return false;
    switch (e->function->id) {
    case FN_ARRAY:
    case FN_STRUCT: return constant_items(arena, e, value);
    case FN_MAP: return constant_items(arena, e, value) && map_keys_differ(value);
    case FN_NEGATE: return constant_negate(arena, e, value);
    case FN_ADD:
    case FN_SUBTRACT:
    case FN_MULTIPLY: return constant_arithmetic(arena, e, value);
    default: return false;
    }
}

/* ---- rewriting ------------------------------------------------------------------------------------------------------ */

static const struct expr *copy_with(struct arena *arena, const struct expr *e, const struct expr **args)
{
    bool is_call = e->kind == EXPR_CALL;
    struct expr *copy = arena_alloc(arena, is_call ? sizeof(struct aggregate_expr) : sizeof *copy);
    memcpy(copy, e, is_call ? sizeof(struct aggregate_expr) : sizeof *copy);
    copy->args = args;
    return copy;
}

bool expr_rewrite(struct expr_rewriter *r, const struct expr *e, const struct expr **out)
{
    bool done = false;
    TRY(r->visit(r, e, out, &done));
    if (done)
        return true;
    const struct expr **args = NULL;
    for (uint32_t i = 0; i < e->arg_count; i++) {
        const struct expr *arg;
        TRY(expr_rewrite(r, e->args[i], &arg));
        if (arg == e->args[i])
            continue;
        if (args == NULL) {
            args = arena_array(r->arena, const struct expr *, e->arg_count);
            memcpy(args, e->args, e->arg_count * sizeof(const struct expr *));
        }
        args[i] = arg;
    }
    *out = args ? copy_with(r->arena, e, args) : e;
    return true;
}

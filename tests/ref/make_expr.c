/* See make_expr.h. */
#include <ref/make_expr.h>

enum {
    ST = FUNCTION_STRICT,
    ND = FUNCTION_NONDETERMINISTIC,
    CL = FUNCTION_CLOCK,
    AG = FUNCTION_AGGREGATE,
    GE = FUNCTION_GENERATOR,
    LO = FUNCTION_LOWERED,
    OP = FUNCTION_OPERATOR,
    WI = FUNCTION_WINDOW,
    LA = FUNCTION_LAMBDA,
};

#define RULE(text) NULL
#define BY(resolver) NULL
static const struct function table[FN_COUNT] = {
#define FUNCTION(id_, name_, signature_, min, max, flags_, types_, help_)                                    \
    [FN_##id_] = {.id = FN_##id_,                                                                            \
                  .name = name_,                                                                             \
                  .signature = signature_,                                                                   \
                  .args_min = min,                                                                           \
                  .args_max = max,                                                                           \
                  .flags = (flags_)},
#include "sql/function.def"
};

const struct function *make_function(enum function_id id)
{
    return &table[id];
}

bool make_needs_kernel(enum function_id id)
{
    return !(table[id].flags & (LO | AG | GE | WI));
}

static struct expr *new_expr(struct arena *arena, enum expr_kind kind, const struct type *type)
{
    struct expr *e = arena_new(arena, struct expr);
    e->kind = kind;
    e->type = type;
    e->nullable = true;
    e->deterministic = true;
    return e;
}

const struct expr *make_column(struct arena *arena, const struct type *schema, uint32_t index)
{
    struct expr *e = new_expr(arena, EXPR_COLUMN, schema->fields[index].type);
    e->index = index;
    return e;
}

const struct expr *make_literal(struct arena *arena, struct value value)
{
    struct expr *e = new_expr(arena, EXPR_LITERAL, value.type);
    e->literal = value;
    return e;
}

const struct expr *make_i32(struct arena *arena, int32_t v)
{
    return make_literal(arena, (struct value){.type = type_simple(TYPE_INT), .i64 = v});
}
const struct expr *make_i64(struct arena *arena, int64_t v)
{
    return make_literal(arena, (struct value){.type = type_simple(TYPE_LONG), .i64 = v});
}
const struct expr *make_f64(struct arena *arena, double v)
{
    return make_literal(arena, (struct value){.type = type_simple(TYPE_DOUBLE), .f64 = v});
}
const struct expr *make_bool(struct arena *arena, bool v)
{
    return make_literal(arena, (struct value){.type = type_simple(TYPE_BOOLEAN), .boolean = v});
}
const struct expr *make_str(struct arena *arena, const char *s)
{
    return make_literal(
        arena, (struct value){.type = type_simple(TYPE_STRING), .str = str_of(arena_strdup(arena, s))});
}
const struct expr *make_null(struct arena *arena, const struct type *type)
{
    return make_literal(arena, value_null(type));
}

const struct expr *make_node(struct arena *arena, enum expr_kind kind, const struct type *type,
                             const struct expr *const *args, uint32_t count)
{
    struct expr *e = new_expr(arena, kind, type);
    e->arg_count = count;
    e->args = arena_array(arena, const struct expr *, count + 1);
    for (uint32_t i = 0; i < count; i++) {
        e->args[i] = args[i];
        e->deterministic &= args[i]->deterministic;
    }
    return e;
}

const struct expr *make_field(struct arena *arena, const struct expr *from, uint32_t index)
{
    struct expr *e = (struct expr *)make_node(arena, EXPR_FIELD, from->type->fields[index].type, &from, 1);
    e->index = index;
    return e;
}

const struct expr *make_cast(struct arena *arena, const struct expr *from, const struct type *type, bool try_)
{
    struct expr *e = (struct expr *)make_node(arena, EXPR_CAST, type, &from, 1);
    e->try_ = try_;
    return e;
}

const struct expr *make_call(struct arena *arena, enum function_id id, const struct type *type,
                             const struct expr *const *args, uint32_t count)
{
    struct expr *e = (struct expr *)make_node(arena, EXPR_CALL, type, args, count);
    e->function = &table[id];
    e->deterministic &= !(table[id].flags & ND);
    return e;
}

const struct expr *make_call1(struct arena *arena, enum function_id id, const struct type *type,
                              const struct expr *a)
{
    return make_call(arena, id, type, &a, 1);
}
const struct expr *make_call2(struct arena *arena, enum function_id id, const struct type *type,
                              const struct expr *a, const struct expr *b)
{
    return make_call(arena, id, type, (const struct expr *[]){a, b}, 2);
}
const struct expr *make_call3(struct arena *arena, enum function_id id, const struct type *type,
                              const struct expr *a, const struct expr *b, const struct expr *c)
{
    return make_call(arena, id, type, (const struct expr *[]){a, b, c}, 3);
}

const struct expr *make_lambda(struct arena *arena, const struct expr *body, uint32_t first, uint32_t count)
{
    struct expr *e = (struct expr *)make_node(arena, EXPR_LAMBDA, body->type, &body, 1);
    e->index = first;
    e->param_count = count;
    return e;
}

const struct expr *make_param(struct arena *arena, const struct type *type, uint32_t slot)
{
    struct expr *e = new_expr(arena, EXPR_PARAM, type);
    e->index = slot;
    return e;
}

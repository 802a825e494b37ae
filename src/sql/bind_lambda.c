/* Higher-order functions. What a lambda's variables are follows from the arguments before it; the body is bound with them in scope. The
 * variables of one query have slots of their own, so that nested lambdas can see those around them. */
#include "sql/bind_private.h"
#include "type/cast.h"

enum { LAMBDA_PARAMS_MAX = 3 };

struct lambda_params {
    struct field types[LAMBDA_PARAMS_MAX];
    uint32_t least, most; /* how many variables the lambda may have */
};

static const struct expr *param_expr(struct binder *b, const struct field *type, struct span span)
{
    struct expr *e = expr_new(b->arena, EXPR_PARAM, type->type, NULL, 0, span);
    e->index = b->param_slots++;
    e->nullable = type->nullable;
    return e;
}

/* transform(a, 0): an expression without variables is a lambda that does not look at them. */
static bool bind_constant_lambda(struct binder *b, struct scope *s, const struct ast_expr *ast,
                                 const struct lambda_params *p, const struct expr **out)
{
    const struct expr **body = arena_array(b->arena, const struct expr *, 1);
    TRY(bind_expr(b, s, ast, &body[0]));
    struct expr *e = expr_new(b->arena, EXPR_LAMBDA, body[0]->type, body, 1, ast->span);
    e->index = b->param_slots;
    e->param_count = p->least;
    b->param_slots += p->least;
    *out = e;
    return true;
}

static bool bind_lambda(struct binder *b, struct scope *s, const struct ast_expr *ast,
                        const struct lambda_params *p, const char *function, const struct expr **out)
{
    if (ast->kind != AST_LAMBDA)
        return bind_constant_lambda(b, s, ast, p, out);
    if (ast->name_count < p->least || ast->name_count > p->most)
        return bind_fail(
            b, ast->span,
            "INVALID_LAMBDA_FUNCTION_CALL.NUM_ARGS_MISMATCH: the lambda of \"%s\" has %u variables, not %u",
            function, p->most, ast->name_count);
    const struct expr **params = arena_array(b->arena, const struct expr *, ast->name_count);
    for (uint32_t i = 0; i < ast->name_count; i++) {
        params[i] = param_expr(b, &p->types[i], ast->span);
        for (uint32_t k = 0; k < i; k++)
            if (str_eq_nocase(ast->names[i], ast->names[k]))
                return bind_fail(
                    b, ast->span,
                    "INVALID_LAMBDA_FUNCTION_CALL.DUPLICATE_ARG_NAMES: two variables are named \"%.*s\"",
                    STR_ARG(ast->names[i]));
    }
    struct lambda_env env = {
        .names = ast->names, .params = params, .count = ast->name_count, .outer = s->lambda};
    const struct expr **body = arena_array(b->arena, const struct expr *, 1);
    s->lambda = &env;
    bool ok = bind_expr(b, s, ast->items[0], &body[0]);
    s->lambda = env.outer;
    TRY(ok);
    struct expr *e = expr_new(b->arena, EXPR_LAMBDA, body[0]->type, body, 1, ast->span);
    e->index = params[0]->index;
    e->param_count = ast->name_count;
    *out = e;
    return true;
}

/* The same with another body. */
static const struct expr *lambda_cast(struct binder *b, const struct expr *lambda, const struct type *type)
{
    if (type_same(lambda->type, type))
        return lambda;
    const struct expr **body = arena_array(b->arena, const struct expr *, 1);
    body[0] = cast_to(b->arena, lambda->args[0], type);
    struct expr *e = arena_dup(b->arena, lambda, sizeof *e);
    e->args = body;
    e->type = type;
    e->size = body[0]->size + 1;
    return e;
}

/* ---- what the variables are ---------------------------------------------------------------------------------------------- */

static bool want_kind(struct binder *b, const struct expr *e, enum type_kind kind, const struct function *f)
{
    if (e->type->kind == kind)
        return true;
    return bind_fail(b, e->span, "DATATYPE_MISMATCH.UNEXPECTED_INPUT_TYPE: \"%s\" takes %s, not %s", f->name,
                     kind == TYPE_ARRAY ? "an ARRAY" : "a MAP", bind_type_text(b->arena, e->type));
}

static const struct field index_field = {.name = "i"};

static void params_of_array(const struct expr *array, struct lambda_params *p)
{
    p->types[0] = array->type->fields[0];
    p->types[1] = index_field;
    p->types[1].type = type_simple(TYPE_INT);
    p->least = 1;
    p->most = 2;
}

static void params_of_map(const struct expr *map, struct lambda_params *p)
{
    p->types[0] = map->type->fields[0];
    p->types[0].nullable = false;
    p->types[1] = map->type->fields[1];
    p->least = p->most = 2;
}

/* transform, filter, exists, forall, map_filter, transform_keys, transform_values: one collection and one lambda. */
static bool bind_simple(struct binder *b, struct scope *s, const struct ast_expr *ast,
                        const struct function *f, const struct expr **args)
{
    struct lambda_params p;
    bool map = f->id == FN_MAP_FILTER || f->id == FN_TRANSFORM_KEYS || f->id == FN_TRANSFORM_VALUES;
    TRY(want_kind(b, args[0], map ? TYPE_MAP : TYPE_ARRAY, f));
    if (map)
        params_of_map(args[0], &p);
    else
        params_of_array(args[0], &p);
    if (f->id == FN_EXISTS || f->id == FN_FORALL)
        p.most = 1;
    return bind_lambda(b, s, ast->items[1], &p, f->name, &args[1]);
}

static bool bind_sort(struct binder *b, struct scope *s, const struct ast_expr *ast, const struct function *f,
                      const struct expr **args)
{
    struct lambda_params p = {.least = 2, .most = 2};
    TRY(want_kind(b, args[0], TYPE_ARRAY, f));
    if (ast->count == 1)
        return true;
    p.types[0] = p.types[1] = args[0]->type->fields[0];
    return bind_lambda(b, s, ast->items[1], &p, f->name, &args[1]);
}

static bool bind_zip(struct binder *b, struct scope *s, const struct ast_expr *ast, const struct function *f,
                     const struct expr **args)
{
    struct lambda_params p = {.least = 2, .most = 2};
    for (int i = 0; i < 2; i++) {
        TRY(want_kind(b, args[i], TYPE_ARRAY, f));
        p.types[i] = args[i]->type->fields[0];
        p.types[i].nullable = true;
    }
    return bind_lambda(b, s, ast->items[2], &p, f->name, &args[2]);
}

static bool bind_map_zip(struct binder *b, struct scope *s, const struct ast_expr *ast,
                         const struct function *f, const struct expr **args)
{
    struct lambda_params p = {.least = 3, .most = 3};
    TRY(want_kind(b, args[0], TYPE_MAP, f) && want_kind(b, args[1], TYPE_MAP, f));
    const struct field *x = args[0]->type->fields, *y = args[1]->type->fields;
    const struct type *key = type_same(x->type, y->type) ? x->type : type_common(b->arena, x->type, y->type);
    if (key == NULL)
        return bind_fail(b, ast->span,
                         "DATATYPE_MISMATCH.MAP_ZIP_WITH_DIFF_TYPES: the maps have keys of %s and %s",
                         bind_type_text(b->arena, x->type), bind_type_text(b->arena, y->type));
    args[0] = cast_to(b->arena, args[0], type_map(b->arena, key, x[1].type, x[1].nullable));
    args[1] = cast_to(b->arena, args[1], type_map(b->arena, key, y[1].type, y[1].nullable));
    p.types[0] = (struct field){.name = "k", .type = key};
    p.types[1] = (struct field){.name = "x", .type = x[1].type, .nullable = true};
    p.types[2] = (struct field){.name = "y", .type = y[1].type, .nullable = true};
    return bind_lambda(b, s, ast->items[2], &p, f->name, &args[2]);
}

/* aggregate(array, start, merge[, finish]): merge gives the type of start. */
static bool bind_fold(struct binder *b, struct scope *s, const struct ast_expr *ast, const struct function *f,
                      const struct expr **args)
{
    struct lambda_params p = {.least = 2, .most = 2};
    TRY(want_kind(b, args[0], TYPE_ARRAY, f));
    TRY(bind_expr(b, s, ast->items[1], &args[1]));
    p.types[0] = (struct field){.name = "acc", .type = args[1]->type, .nullable = true};
    p.types[1] = args[0]->type->fields[0];
    TRY(bind_lambda(b, s, ast->items[2], &p, f->name, &args[2]));
    const struct type *merged = args[2]->type, *start = args[1]->type;
    if (!type_same(merged, start) && !cast_implicit(b->arena, args[2]->args[0], start))
        return bind_fail(
            b, ast->items[2]->span,
            "DATATYPE_MISMATCH.UNEXPECTED_INPUT_TYPE: the lambda of \"%s\" gives %s, but the start is of %s",
            f->name, bind_type_text(b->arena, merged), bind_type_text(b->arena, start));
    args[2] = lambda_cast(b, args[2], start);
    if (ast->count < 4)
        return true;
    p.least = p.most = 1;
    return bind_lambda(b, s, ast->items[3], &p, f->name, &args[3]);
}

bool bind_lambda_call(struct binder *b, struct scope *s, const struct ast_expr *ast, const struct function *f,
                      const struct expr **out)
{
    const struct expr *args[4];
    uint32_t collections = f->id == FN_ZIP_WITH || f->id == FN_MAP_ZIP_WITH ? 2 : 1;
    if (ast->count < f->args_min || ast->count > f->args_max)
        return bind_function(b, f->id, args, ast->count, ast->span, out); /* says how many it takes */
    TRY(bind_exprs(b, s, ast->items, collections, args));
    for (uint32_t i = 0; i < collections; i++)
        if (type_is_void(args[i]->type) && f->id != FN_MAP_ZIP_WITH)
            args[i] = cast_to(b->arena, args[i], type_array(b->arena, type_simple(TYPE_NULL), true));
    switch (f->id) {
    case FN_AGGREGATE: TRY(bind_fold(b, s, ast, f, args)); break;
    case FN_ARRAY_SORT: TRY(bind_sort(b, s, ast, f, args)); break;
    case FN_ZIP_WITH: TRY(bind_zip(b, s, ast, f, args)); break;
    case FN_MAP_ZIP_WITH: TRY(bind_map_zip(b, s, ast, f, args)); break;
    default: TRY(bind_simple(b, s, ast, f, args)); break;
    }
    return bind_function(b, f->id, args, ast->count, ast->span, out);
}

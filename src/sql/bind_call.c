/* Calls of functions and aggregates: finding the function, counting arguments, types. */
#include <stdio.h>

#include "sql/bind_private.h"
#include "type/cast.h"

/* ---- a function over bound arguments ------------------------------------------------------------------------------- */

static bool wrong_count(struct binder *b, const struct function *f, uint32_t count, struct span span)
{
    char wanted[48];
    if (f->args_max == 255)
        snprintf(wanted, sizeof wanted, "%u or more arguments", f->args_min);
    else if (f->args_min == f->args_max)
        snprintf(wanted, sizeof wanted, f->args_min == 1 ? "%u argument" : "%u arguments", f->args_min);
    else
        snprintf(wanted, sizeof wanted, "%u to %u arguments", f->args_min, f->args_max);
    bind_fail(b, span, "WRONG_NUM_ARGS: \"%s\" takes %s, found %u", f->name, wanted, count);
    return err_hint(b->err, "It is called as %s.", f->signature);
}

/* A clock or a random number makes a call that may not be folded, but only the latter one that may not be repeated. */
bool bind_function(struct binder *b, enum function_id id, const struct expr **args, uint32_t count,
                   struct span span, const struct expr **out)
{
    const struct function *f = &functions[id];
    const struct type *type = NULL;
    bool nullable = false;
    if (count < f->args_min || (f->args_max != 255 && count > f->args_max))
        return wrong_count(b, f, count, span);
    const struct expr **own = arena_array(b->arena, const struct expr *, count + 1);
    if (count)
        memcpy(own, args, count * sizeof(const struct expr *));
    if (!f->resolve(b->arena, f, own, count, &type, &nullable, b->err)) {
        uint32_t at = (uint32_t)b->err->code;
        return bind_place(b, at >= 1 && at <= count ? own[at - 1]->span : span);
    }
    CHECK(type != NULL);
    for (uint32_t i = 0; i < count; i++) /* casts of a resolver that fails softly without ANSI */
        if (!b->catalogue->ansi && own[i] != args[i] && own[i]->kind == EXPR_CAST &&
            own[i]->args[0] == args[i]) {
            struct expr *cast = arena_dup(b->arena, own[i], sizeof *cast);
            cast->try_ = true;
            cast->nullable |= type_cast_can_fail(args[i]->type, cast->type);
            own[i] = cast;
            nullable |= cast->nullable;
        }
    *out = expr_call(b->arena, id, type, nullable, own, count, span);
    return bind_work(b, (*out)->size, span);
}

/* ---- arguments -------------------------------------------------------------------------------------------------------- */

/* How many expressions the arguments are, with * written out. */
static bool bind_arguments(struct binder *b, struct scope *s, const struct ast_expr *ast,
                           const struct expr ***out, uint32_t *count)
{
    struct scope_list {
        const struct expr **items;
        uint32_t count, capacity;
    } list = {.items = arena_array(b->arena, const struct expr *, ast->count + 1),
              .capacity = ast->count + 1};
    for (uint32_t i = 0; i < ast->count; i++) {
        const struct ast_expr *arg = ast->items[i];
        if (arg->kind != AST_STAR) {
            TRY(bind_expr(b, s, arg, &list.items[list.count++]));
            continue;
        }
        uint32_t *indexes, n;
        const struct expr *base;
        struct scope fields;
        TRY(bind_star(b, s, arg, &indexes, &n, &base, &fields));
        const struct expr **grown = arena_array(b->arena, const struct expr *, list.capacity + n);
        memcpy(grown, list.items, list.count * sizeof(const struct expr *));
        list.items = grown;
        list.capacity += n;
        TRY(bind_work(b, n, arg->span));
        const struct scope_column *columns = s->columns;
        for (uint32_t k = 0; k < n; k++)
            list.items[list.count++] = base ? expr_field(b->arena, base, indexes[k], arg->span)
                                            : expr_column(b->arena, indexes[k], columns[indexes[k]].type,
                                                          columns[indexes[k]].nullable, arg->span);
    }
    *out = list.items;
    *count = list.count;
    return true;
}

/* ---- aggregates --------------------------------------------------------------------------------------------------------- */

static bool aggregate_context(struct binder *b, struct scope *s, const struct ast_expr *ast,
                              const struct function *f)
{
    if (s->in_aggregate)
        return bind_fail(b, ast->span, "NESTED_AGGREGATE_FUNCTION: \"%s\" stands inside of another aggregate",
                         f->name);
    if (s->no_aggregates && str_is(str_of(s->no_aggregates), "WHERE")) {
        bind_fail(b, ast->span, "INVALID_WHERE_CONDITION: the aggregate \"%s\" cannot stand in WHERE",
                  f->name);
        return err_hint(b->err, "Conditions on aggregates stand in HAVING.");
    }
    if (s->no_aggregates)
        return bind_fail(b, ast->span, "GROUP_BY_AGGREGATE: the aggregate \"%s\" cannot stand in %s", f->name,
                         s->no_aggregates);
    if (s->lambda)
        return bind_fail(b, ast->span, "UNSUPPORTED_FEATURE: the aggregate \"%s\" cannot stand in a lambda",
                         f->name);
    return true;
}

/* percentile_cont(0.3) WITHIN GROUP (ORDER BY x DESC): x comes first in the call; descending is the other fraction. */
static bool within_group(struct binder *b, struct scope *s, const struct ast_expr *ast,
                         const struct function *f, const struct expr ***args, uint32_t *count)
{
    const struct ast_call *c = ast->call;
    bool percentile = f->id == FN_PERCENTILE_CONT || f->id == FN_PERCENTILE_DISC;
    if (c->within_group_count == 0 && !percentile)
        return true;
    if (!percentile && f->id != FN_MODE)
        return bind_unsupported(b, ast->span, "WITHIN GROUP (ORDER BY …) of this function is");
    if (c->within_group_count != 1)
        return bind_fail(
            b, ast->span,
            "INVALID_WITHIN_GROUP_EXPRESSION: \"%s\" takes WITHIN GROUP (ORDER BY one expression)", f->name);
    const struct expr **all = arena_array(b->arena, const struct expr *, *count + 1);
    struct value fraction;
    TRY(bind_expr(b, s, c->within_group[0].expr, &all[0]));
    memcpy(all + 1, *args, *count * sizeof(const struct expr *));
    *args = all;
    ++*count;
    if (!percentile || !c->within_group[0].descending)
        return true;
    const struct expr *as_double = *count == 2 ? cast_implicit(b->arena, all[1], type_simple(TYPE_DOUBLE))
                                               : NULL;
    if (as_double == NULL || !expr_constant(b->arena, as_double, &fraction) || fraction.is_null ||
        f->id == FN_PERCENTILE_DISC)
        return bind_unsupported(b, ast->span, "a descending order here is");
    fraction.f64 = 1 - fraction.f64;
    all[1] = expr_literal(b->arena, &fraction, all[1]->span);
    return true;
}

/* IGNORE NULLS becomes the second argument of first, last and any_value. */
static const struct expr **add_ignore_nulls(struct binder *b, const struct ast_expr *ast,
                                            const struct expr **args, uint32_t *count)
{
    if (!ast->call->ignore_nulls || *count != 1)
        return args;
    const struct expr **both = arena_array(b->arena, const struct expr *, 2);
    both[0] = args[0];
    both[1] = expr_bool(b->arena, true, ast->span);
    *count = 2;
    return both;
}

static bool bind_aggregate_args(struct binder *b, struct scope *s, const struct ast_expr *ast,
                                const struct function *f, const struct expr ***args, uint32_t *count,
                                const struct expr **filter)
{
    bool star = f->id == FN_COUNT_VALUES && ast->count == 1 && ast->items[0]->kind == AST_STAR &&
                ast->items[0]->count == 0 && !ast->call->distinct && ast->items[0]->name_count == 0;
    if (star) {
        *args = arena_array(b->arena, const struct expr *, 1);
        (*args)[0] = expr_int(b->arena, 1, ast->items[0]->span);
        *count = 1;
    } else {
        TRY(bind_arguments(b, s, ast, args, count));
    }
    if (f->id == FN_COUNT_VALUES && *count == 0)
        return bind_fail(b, ast->span, "WRONG_NUM_ARGS: \"count\" takes * or an argument");
    TRY(within_group(b, s, ast, f, args, count));
    *args = add_ignore_nulls(b, ast, *args, count);
    if (ast->call->filter)
        TRY(bind_condition(b, s, ast->call->filter, "the condition of FILTER", filter));
    return true;
}

static bool bind_aggregate(struct binder *b, struct scope *s, const struct ast_expr *ast,
                           const struct function *f, const struct expr **out)
{
    const struct expr **args, *filter = NULL;
    uint32_t count;
    if (f->id == FN_GROUPING || f->id == FN_GROUPING_ID)
        return bind_unsupported(b, ast->span, "grouping() is");
    TRY(aggregate_context(b, s, ast, f));
    s->in_aggregate = true;
    bool ok = bind_aggregate_args(b, s, ast, f, &args, &count, &filter);
    s->in_aggregate = false;
    TRY(ok);
    TRY(bind_function(b, f->id, args, count, ast->span, out));
    for (uint32_t i = 0; i < count; i++)
        if (!(*out)->args[i]->deterministic)
            return bind_fail(
                b, ast->span,
                "AGGREGATE_FUNCTION_WITH_NONDETERMINISTIC_EXPRESSION: an aggregate of a random value");
    if (ast->call->distinct && !type_is_groupable(count ? (*out)->args[0]->type : type_simple(TYPE_NULL)))
        return bind_fail(b, ast->span, "DATATYPE_MISMATCH: DISTINCT cannot compare values of %s",
                         bind_type_text(b->arena, (*out)->args[0]->type));
    struct aggregate_expr *a = arena_dup(b->arena, *out, sizeof *a);
    a->distinct = ast->call->distinct;
    a->filter = filter;
    *out = &a->expr;
    s->aggregates++;
    return true;
}

/* ---- calls ------------------------------------------------------------------------------------------------------------- */

static bool unknown_function(struct binder *b, const struct ast_expr *ast)
{
    const char *nearest = function_nearest(ast->name);
    bind_fail(b, ast->at, "UNRESOLVED_ROUTINE: there is no function \"%.*s\"", STR_ARG(ast->name));
    return nearest ? err_hint(b->err, "Did you mean \"%s\"?", nearest) : false;
}

static const struct function *find_function(const struct ast_expr *ast)
{
    const struct ast_call *c = ast->call;
    for (uint32_t i = 0; i < c->qualifier_count; i++)
        if (!str_eq_nocase(c->qualifier[i], STR("builtin")) && !str_eq_nocase(c->qualifier[i], STR("system")))
            return NULL;
    const struct function *f = function_find(ast->name);
    return f && !(f->flags & FUNCTION_OPERATOR) ? f : NULL;
}

/* What only aggregates may have. */
static bool check_clauses(struct binder *b, const struct ast_expr *ast, const struct function *f)
{
    const struct ast_call *c = ast->call;
    if (c->over)
        return bind_unsupported(b, c->over->span, "a window function (OVER) is");
    if (f->flags & FUNCTION_WINDOW)
        return bind_fail(b, ast->span, "WINDOW_FUNCTION_WITHOUT_OVER_CLAUSE: \"%s\" needs OVER (…)", f->name);
    if (f->flags & FUNCTION_GENERATOR)
        return bind_unsupported(b, ast->span, "a generator such as explode is");
    if (f->flags & FUNCTION_AGGREGATE)
        return true;
    const char *what = c->distinct             ? "DISTINCT"
                       : c->filter             ? "FILTER"
                       : c->within_group_count ? "WITHIN GROUP"
                                               : NULL;
    if (what == NULL)
        return true;
    return bind_fail(
        b, ast->span,
        "INVALID_SQL_SYNTAX.FUNCTION_WITH_UNSUPPORTED_SYNTAX: \"%s\" is no aggregate, it takes no %s",
        f->name, what);
}

bool bind_call(struct binder *b, struct scope *s, const struct ast_expr *ast, const struct expr **out)
{
    const struct function *f = find_function(ast);
    if (f == NULL)
        return unknown_function(b, ast);
    TRY(check_clauses(b, ast, f));
    if (f->flags & FUNCTION_AGGREGATE)
        return bind_aggregate(b, s, ast, f, out);
    if (f->flags & FUNCTION_LAMBDA)
        return bind_lambda_call(b, s, ast, f, out);
    const struct expr **args;
    uint32_t count;
    bool found;
    TRY(bind_arguments(b, s, ast, &args, &count));
    TRY(bind_lowered(b, s, ast, f, args, count, out, &found));
    return found || bind_function(b, f->id, args, count, ast->span, out);
}

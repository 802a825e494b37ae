/* One SELECT.
 *
 *     FROM → scan …      a scope of columns
 *     WHERE → filter
 *     GROUP BY, aggregates → aggregate: keys, then one column for each different aggregate call
 *     HAVING → filter
 *     select list → project, and behind it columns that only ORDER BY needs
 *     DISTINCT → distinct
 *     ORDER BY → sort
 *                project that drops those columns again
 *
 * Everything is bound over the FROM scope first, aggregates in place; then `split` rewrites it over the aggregate node: a part that equals a
 * key becomes the key's column, an aggregate call its column, and a bare column that is left is an error. An alias is its expression
 * wherever it is used, so GROUP BY, HAVING, ORDER BY and later items may name one. */
#include "sql/bind_private.h"

struct select {
    struct binder *b;
    const struct ast_query *q;
    struct plan *plan;
    struct scope scope;
    const struct expr **items; /* the select list: items[item_count], names, places */
    struct str *names;
    const struct ast_expr **asts;
    uint32_t item_count, item_capacity, window_aliases;
    const struct expr **keys; /* GROUP BY */
    uint32_t key_count;
    const struct expr *having, *window; /* window: the key that is one */
    struct sort_key *sort;
    struct span *sort_spans;
    uint32_t sort_count;
    bool aggregate;
    const struct expr **calls; /* the aggregate calls found while splitting */
    uint32_t call_count, call_capacity;
};

/* ---- the select list ---------------------------------------------------------------------------------------------------------- */

static bool add_item(struct select *s, const struct expr *e, struct str name, const struct ast_expr *ast)
{
    if (s->item_count == SQL_COLUMNS_MAX)
        return bind_fail(s->b, ast->span, "the query has more than %d columns", SQL_COLUMNS_MAX);
    if (s->item_count == s->item_capacity) {
        uint32_t capacity = s->item_capacity ? 2 * s->item_capacity : 16;
        const struct expr **items = arena_array(s->b->arena, const struct expr *, capacity);
        struct str *names = arena_array(s->b->arena, struct str, capacity);
        const struct ast_expr **asts = arena_array(s->b->arena, const struct ast_expr *, capacity);
        if (s->item_count) {
            memcpy(items, s->items, s->item_count * sizeof(const struct expr *));
            memcpy(names, s->names, s->item_count * sizeof *names);
            memcpy(asts, s->asts, s->item_count * sizeof(const struct ast_expr *));
        }
        s->items = items;
        s->names = names;
        s->asts = asts;
        s->item_capacity = capacity;
    }
    s->items[s->item_count] = e;
    s->names[s->item_count] = name;
    s->asts[s->item_count++] = ast;
    return true;
}

static bool bind_star_items(struct select *s, const struct ast_expr *ast)
{
    uint32_t *indexes, count;
    const struct expr *base;
    struct scope fields;
    if (s->q->from == NULL && ast->count == 0)
        return bind_fail(s->b, ast->span, "INVALID_USAGE_OF_STAR_OR_REGEX: \"*\" needs FROM");
    TRY(bind_star(s->b, &s->scope, ast, &indexes, &count, &base, &fields));
    TRY(bind_work(s->b, count, ast->span));
    for (uint32_t i = 0; i < count; i++) {
        const struct scope_column *c = base ? &fields.columns[indexes[i]] : &s->scope.columns[indexes[i]];
        const struct expr *e = base ? expr_field(s->b->arena, base, indexes[i], ast->span)
                                    : expr_column(s->b->arena, indexes[i], c->type, c->nullable, ast->span);
        TRY(add_item(s, e, c->name, ast));
    }
    return true;
}

static void add_alias(struct select *s, struct str name, const struct expr *e)
{
    s->scope.aliases[s->scope.alias_count++] = (struct scope_alias){name, e};
}

/* Items in order; each alias is visible to those behind it. */
static bool bind_items(struct select *s)
{
    uint32_t window_aliases = s->window_aliases = s->scope.alias_count;
    struct scope_alias *aliases = arena_array(s->b->arena, struct scope_alias,
                                              s->q->select_count + window_aliases + 1);
    if (window_aliases)
        memcpy(aliases, s->scope.aliases, window_aliases * sizeof *aliases);
    s->scope.aliases = aliases;
    for (uint32_t i = 0; i < s->q->select_count; i++) {
        const struct ast_expr *ast = s->q->select[i];
        const struct expr *e;
        if (ast->kind == AST_STAR) {
            TRY(bind_star_items(s, ast));
            continue;
        }
        if (ast->kind == AST_ALIAS && ast->name_count)
            return bind_unsupported(s->b, ast->span, "an alias of several columns is");
        TRY(bind_expr(s->b, &s->scope, ast, &e));
        TRY(add_item(s, e, bind_item_name(s->b, &s->scope, ast), ast));
        if (ast->kind == AST_ALIAS)
            add_alias(s, ast->name, e);
    }
    return true;
}

/* ---- GROUP BY --------------------------------------------------------------------------------------------------------------------- */

static bool is_call_of(const struct ast_expr *ast, const char *name)
{
    return ast->kind == AST_CALL && str_eq_nocase(ast->name, str_of(name));
}

static void plan_filter(struct select *s, const struct expr *condition)
{
    struct plan *p = plan_new(s->b, PLAN_FILTER, s->plan);
    p->exprs = arena_array(s->b->arena, const struct expr *, 1);
    p->exprs[0] = condition;
    p->expr_count = 1;
    s->plan = p;
}

/* A row without a time is in no window: it goes, and the window is never NULL. */
static bool drop_null_times(struct select *s, const struct expr **window)
{
    struct binder *b = s->b;
    const struct expr *time = (*window)->args[0], *condition;
    if (!(*window)->nullable)
        return true;
    TRY(bind_function(b, FN_IS_NOT_NULL, &time, 1, time->span, &condition));
    plan_filter(s, condition);
    struct expr *copy = arena_dup(b->arena, *window, sizeof(struct aggregate_expr));
    copy->nullable = false;
    *window = copy;
    return true;
}

/* GROUP BY window(…) makes a column `window` that the select list may use: bound before it. */
static bool bind_window_keys(struct select *s)
{
    uint32_t windows = 0;
    s->scope.aliases = arena_array(s->b->arena, struct scope_alias, s->q->group_count + 1);
    for (uint32_t i = 0; i < s->q->group_count; i++) {
        const struct ast_expr *ast = s->q->groups[i].expr;
        const struct expr *e;
        if (s->q->groups[i].kind != AST_GROUP_PLAIN ||
            (!is_call_of(ast, "window") && !is_call_of(ast, "session_window")))
            continue;
        if (windows++ > 0)
            return bind_fail(s->b, ast->span,
                             "UNSUPPORTED_FEATURE: one window is the most that GROUP BY can have");
        TRY(bind_expr(s->b, &s->scope, ast, &e));
        TRY(drop_null_times(s, &e));
        s->window = e;
        add_alias(s, ast->name, e);
    }
    return true;
}

static bool contains_aggregate(const struct expr *e)
{
    if (expr_aggregate(e))
        return true;
    for (uint32_t i = 0; i < e->arg_count; i++)
        if (contains_aggregate(e->args[i]))
            return true;
    return false;
}

static bool group_aggregate(struct select *s, struct span span)
{
    return bind_fail(s->b, span, "GROUP_BY_AGGREGATE: aggregates are not allowed in GROUP BY");
}

/* GROUP BY 2. */
static bool ordinal_key(struct select *s, const struct ast_expr *ast, const struct expr **out)
{
    int64_t n = ast->literal.i64;
    if (n < 1 || n > s->item_count)
        return bind_fail(
            s->b, ast->span,
            "GROUP_BY_POS_OUT_OF_RANGE: GROUP BY position %lld is not in the select list (1 to %u)",
            (long long)n, s->item_count);
    *out = s->items[n - 1];
    if (contains_aggregate(*out))
        return bind_fail(s->b, ast->span, "GROUP_BY_POS_AGGREGATE: GROUP BY position %lld is an aggregate",
                         (long long)n);
    return true;
}

static bool is_ordinal(const struct ast_expr *ast)
{
    return ast->kind == AST_LITERAL && !ast->literal.is_null && ast->literal.type->kind == TYPE_INT &&
           !ast->parens;
}

static bool bind_key(struct select *s, const struct ast_expr *ast, const struct expr **out)
{
    if (is_ordinal(ast)) {
        TRY(ordinal_key(s, ast, out));
    } else if (s->window && is_call_of(ast, "window")) {
        *out = s->window;
    } else {
        s->scope.no_aggregates = "GROUP BY";
        TRY(bind_expr(s->b, &s->scope, ast, out));
        s->scope.no_aggregates = NULL;
        if (contains_aggregate(*out))
            return group_aggregate(s, ast->span);
    }
    if (!type_is_groupable((*out)->type))
        return bind_fail(s->b, ast->span,
                         "GROUP_EXPRESSION_TYPE_IS_NOT_ORDERABLE: cannot group by values of %s",
                         bind_type_text(s->b->arena, (*out)->type));
    return true;
}

static void add_key(struct select *s, const struct expr *e)
{
    for (uint32_t i = 0; i < s->key_count; i++)
        if (expr_equal(s->keys[i], e))
            return;
    s->keys[s->key_count++] = e;
}

static bool bind_group(struct select *s)
{
    const struct ast_query *q = s->q;
    uint32_t most = q->group_all ? s->item_count : q->group_count;
    s->keys = arena_array(s->b->arena, const struct expr *, most + 1);
    for (uint32_t i = 0; i < q->group_count; i++) {
        static const char *const whats[] = {"", "ROLLUP is", "CUBE is", "GROUPING SETS are"};
        const struct expr *e;
        if (q->groups[i].kind != AST_GROUP_PLAIN)
            return bind_unsupported(s->b, q->groups[i].span, whats[q->groups[i].kind]);
        TRY(bind_key(s, q->groups[i].expr, &e));
        add_key(s, e);
    }
    for (uint32_t i = 0; q->group_all && i < s->item_count; i++)
        if (!contains_aggregate(s->items[i]) && s->items[i]->kind != EXPR_LITERAL)
            add_key(s, s->items[i]);
    return true;
}

/* ---- HAVING and ORDER BY ------------------------------------------------------------------------------------------------------------ */

/* From here on the names of all items are known, not only aliases: to GROUP BY behind the relation's columns, to HAVING and ORDER BY before
 * them. */
static void show_items(struct select *s)
{
    struct scope_alias *aliases = arena_array(s->b->arena, struct scope_alias,
                                              s->scope.alias_count + s->item_count + 1);
    uint32_t n = 0;
    for (uint32_t i = 0; i < s->item_count; i++)
        aliases[n++] = (struct scope_alias){s->names[i], s->items[i]};
    for (uint32_t i = 0; i < s->window_aliases; i++) { /* a window of GROUP BY that is not selected */
        bool known = false;
        for (uint32_t k = 0; k < s->item_count && !known; k++)
            known = str_eq_nocase(s->names[k], s->scope.aliases[i].name);
        if (!known)
            aliases[n++] = s->scope.aliases[i];
    }
    s->scope.aliases = aliases;
    s->scope.alias_count = n;
}

/* A number is a condition here, as in Spark: not 0. */
static bool bind_having(struct select *s)
{
    const struct expr *e;
    TRY(bind_expr(s->b, &s->scope, s->q->having, &e));
    if (!type_is_numeric(e->type))
        return bind_condition(s->b, &s->scope, s->q->having, "the condition of HAVING", &s->having);
    s->having = cast_to(s->b->arena, e, type_simple(TYPE_BOOLEAN));
    return true;
}

static void add_sort(struct select *s, const struct expr *e, const struct ast_sort *sort, struct span span)
{
    s->sort_spans[s->sort_count] = span;
    s->sort[s->sort_count++] = (struct sort_key){.expr = e,
                                                 .descending = sort->descending,
                                                 .nulls_last = sort->nulls == 2 ||
                                                               (sort->nulls == 0 && sort->descending)};
}

static bool sortable(struct select *s, const struct expr *e, struct span span)
{
    if (type_is_orderable(e->type))
        return true;
    return bind_fail(s->b, span, "DATATYPE_MISMATCH.INVALID_ORDERING_TYPE: cannot order by values of %s",
                     bind_type_text(s->b->arena, e->type));
}

static bool bind_sort_item(struct select *s, const struct ast_sort *sort)
{
    const struct ast_expr *ast = sort->expr;
    const struct expr *e;
    if (is_ordinal(ast)) {
        int64_t n = ast->literal.i64;
        if (n < 1 || n > s->item_count)
            return bind_fail(
                s->b, ast->span,
                "ORDER_BY_POS_OUT_OF_RANGE: ORDER BY position %lld is not in the select list (1 to %u)",
                (long long)n, s->item_count);
        e = s->items[n - 1];
    } else {
        TRY(bind_expr(s->b, &s->scope, ast, &e));
    }
    TRY(sortable(s, e, ast->span));
    add_sort(s, e, sort, ast->span);
    return true;
}

static bool bind_order(struct select *s)
{
    const struct ast_query *q = s->q;
    bool order = q->order_count || q->order_all;
    const struct ast_sort *items = order ? q->order : q->sort;
    uint32_t count = order ? q->order_count : q->sort_count;
    uint32_t most = count + s->item_count + 1;
    s->sort = arena_array(s->b->arena, struct sort_key, most);
    s->sort_spans = arena_array(s->b->arena, struct span, most);
    for (uint32_t i = 0; q->order_all && i < s->item_count; i++) {
        TRY(sortable(s, s->items[i], s->asts[i]->span));
        add_sort(s, s->items[i], q->order, s->asts[i]->span);
    }
    for (uint32_t i = 0; i < count; i++)
        TRY(bind_sort_item(s, &items[i]));
    return true;
}

/* ---- splitting over the aggregate node ------------------------------------------------------------------------------------------------- */

static uint32_t call_index(struct select *s, const struct expr *e)
{
    for (uint32_t i = 0; i < s->call_count; i++)
        if (expr_equal(s->calls[i], e))
            return i;
    if (s->call_count == s->call_capacity) {
        uint32_t capacity = s->call_capacity ? 2 * s->call_capacity : 8;
        const struct expr **calls = arena_array(s->b->arena, const struct expr *, capacity);
        if (s->call_count)
            memcpy(calls, s->calls, s->call_count * sizeof(const struct expr *));
        s->calls = calls;
        s->call_capacity = capacity;
    }
    s->calls[s->call_count] = e;
    return s->call_count++;
}

static bool not_grouped(struct select *s, const struct expr *e)
{
    struct str name = s->scope.columns[e->index].name;
    if (s->key_count == 0 && !s->q->has_group)
        bind_fail(s->b, e->span,
                  "MISSING_GROUP_BY: the query aggregates, but has no GROUP BY for the column \"%.*s\"",
                  STR_ARG(name));
    else
        bind_fail(s->b, e->span,
                  "MISSING_AGGREGATION: the column \"%.*s\" is neither in GROUP BY nor aggregated",
                  STR_ARG(name));
    return err_hint(s->b->err, "Add \"%.*s\" to GROUP BY, or take any_value(%.*s).", STR_ARG(name),
                    STR_ARG(name));
}

static bool split_visit(struct expr_rewriter *r, const struct expr *e, const struct expr **out, bool *done)
{
    struct select *s = r->arg;
    *done = true;
    for (uint32_t i = 0; i < s->key_count; i++) {
        if (expr_equal(s->keys[i], e)) {
            *out = expr_column(r->arena, i, e->type, s->keys[i]->nullable, e->span);
            return true;
        }
    }
    if (expr_aggregate(e)) {
        uint32_t at = s->key_count + call_index(s, e);
        *out = expr_column(r->arena, at, e->type, e->nullable, e->span);
        return true;
    }
    if (e->kind == EXPR_COLUMN)
        return not_grouped(s, e);
    *done = false;
    return true;
}

static bool split(struct select *s, const struct expr **e)
{
    struct expr_rewriter r = {.arena = s->b->arena, .visit = split_visit, .arg = s};
    TRY(bind_work(s->b, (*e)->size, (*e)->span));
    return expr_rewrite(&r, *e, e);
}

static bool split_all(struct select *s)
{
    for (uint32_t i = 0; i < s->item_count; i++)
        TRY(split(s, &s->items[i]));
    if (s->having)
        TRY(split(s, &s->having));
    for (uint32_t i = 0; i < s->sort_count; i++)
        TRY(split(s, &s->sort[i].expr));
    return true;
}

static void plan_aggregate(struct select *s)
{
    struct arena *arena = s->b->arena;
    uint32_t count = s->key_count + s->call_count;
    struct plan *p = plan_new(s->b, PLAN_AGGREGATE, s->plan);
    struct field *fields = arena_zarray(arena, struct field, count + 1);
    p->exprs = arena_array(arena, const struct expr *, count + 1);
    p->filters = arena_zarray(arena, const struct expr *, count + 1);
    p->distinct = arena_zarray(arena, bool, count + 1);
    p->expr_count = count;
    p->group_count = s->key_count;
    for (uint32_t i = 0; i < count; i++) {
        const struct expr *e = i < s->key_count ? s->keys[i] : s->calls[i - s->key_count];
        const struct aggregate_expr *a = expr_aggregate(e);
        p->exprs[i] = e;
        p->filters[i] = a ? a->filter : NULL;
        p->distinct[i] = a && a->distinct;
        fields[i] = (struct field){
            .name = arena_printf(arena, a ? "agg%u" : "key%u", a ? i - s->key_count : i),
            .type = e->type,
            .nullable = e->nullable};
    }
    p->schema = type_struct(arena, fields, count);
    s->plan = p;
}

/* ---- the top: project, distinct, sort --------------------------------------------------------------------------------------------------- */

struct over_output {
    struct select *s;
    bool failed; /* a column of the input is left */
};

static bool output_visit(struct expr_rewriter *r, const struct expr *e, const struct expr **out, bool *done)
{
    struct over_output *o = r->arg;
    *done = true;
    for (uint32_t i = 0; i < o->s->item_count; i++) {
        if (expr_equal(o->s->items[i], e)) {
            *out = expr_column(r->arena, i, e->type, e->nullable, e->span);
            return true;
        }
    }
    *out = e;
    o->failed |= e->kind == EXPR_COLUMN;
    *done = e->kind == EXPR_COLUMN;
    return true;
}

/* Rewrites the sort keys over the project's output; what cannot be is one more column of it. Returns how many were added. */
static bool sort_over_output(struct select *s, const struct expr **exprs, struct str *names, uint32_t *extra)
{
    *extra = 0;
    for (uint32_t i = 0; i < s->sort_count; i++) {
        struct over_output o = {.s = s};
        struct expr_rewriter r = {.arena = s->b->arena, .visit = output_visit, .arg = &o};
        const struct expr *e = s->sort[i].expr, *over;
        TRY(bind_work(s->b, e->size, e->span));
        expr_rewrite(&r, e, &over);
        if (o.failed && s->q->distinct) {
            bind_fail(s->b, s->sort_spans[i],
                      "UNRESOLVED_COLUMN: with DISTINCT, ORDER BY can use columns of the select list only");
            return false;
        }
        if (o.failed) {
            uint32_t at = s->item_count + (*extra)++;
            exprs[at] = e;
            names[at] = str_of(arena_printf(s->b->arena, "sort%u", i));
            over = expr_column(s->b->arena, at, e->type, e->nullable, e->span);
        }
        s->sort[i].expr = over;
    }
    return true;
}

static void plan_sort(struct select *s)
{
    struct plan *p = plan_new(s->b, PLAN_SORT, s->plan);
    p->sort = s->sort;
    p->sort_count = s->sort_count;
    s->plan = p;
}

static void drop_extra(struct select *s)
{
    const struct expr **exprs = arena_array(s->b->arena, const struct expr *, s->item_count + 1);
    for (uint32_t i = 0; i < s->item_count; i++)
        exprs[i] = expr_column(s->b->arena, i, s->items[i]->type, s->items[i]->nullable, s->items[i]->span);
    s->plan = plan_project(s->b, s->plan, exprs, s->names, s->item_count);
}

static bool plan_top(struct select *s)
{
    uint32_t most = s->item_count + s->sort_count + 1, extra;
    const struct expr **exprs = arena_array(s->b->arena, const struct expr *, most);
    struct str *names = arena_array(s->b->arena, struct str, most);
    if (s->item_count) {
        memcpy(exprs, s->items, s->item_count * sizeof(const struct expr *));
        memcpy(names, s->names, s->item_count * sizeof *names);
    }
    TRY(sort_over_output(s, exprs, names, &extra));
    s->plan = plan_project(s->b, s->plan, exprs, names, s->item_count + extra);
    if (s->q->distinct) {
        for (uint32_t i = 0; i < s->item_count; i++)
            if (!type_is_groupable(s->items[i]->type))
                return bind_fail(
                    s->b, s->asts[i]->span,
                    "UNSUPPORTED_FEATURE.SET_OPERATION_ON_MAP_TYPE: DISTINCT cannot compare values of %s",
                    bind_type_text(s->b->arena, s->items[i]->type));
        s->plan = plan_new(s->b, PLAN_DISTINCT, s->plan);
    }
    if (s->sort_count)
        plan_sort(s);
    TRY(bind_limit(s->b, s->q, &s->plan));
    if (extra)
        drop_extra(s);
    return true;
}

/* ---- all of it ------------------------------------------------------------------------------------------------------------------------- */

static bool bind_input(struct select *s)
{
    const struct ast_query *q = s->q;
    if (q->from) {
        TRY(bind_from(s->b, q->from, &s->plan, &s->scope));
    } else {
        s->plan = plan_new(s->b, PLAN_VALUES, NULL);
        s->plan->schema = type_struct(s->b->arena, NULL, 0);
        s->plan->row_count = 1;
    }
    if (q->where == NULL)
        return true;
    const struct expr *condition;
    s->scope.no_aggregates = "WHERE";
    s->scope.select = q;
    TRY(bind_condition(s->b, &s->scope, q->where, "the condition of WHERE", &condition));
    s->scope.no_aggregates = NULL;
    s->scope.select = NULL;
    plan_filter(s, condition);
    return true;
}

bool bind_select(struct binder *b, const struct ast_query *q, struct plan **out)
{
    struct select s = {.b = b, .q = q};
    if (q->qualify)
        return bind_unsupported(b, q->qualify->span, "QUALIFY is");
    TRY(bind_input(&s));
    TRY(bind_window_keys(&s));
    TRY(bind_items(&s));
    show_items(&s);
    s.scope.first_alias_wins = true;
    TRY(bind_group(&s));
    s.scope.first_alias_wins = false;
    s.scope.aliases_first = true;
    if (q->having)
        TRY(bind_having(&s));
    TRY(bind_order(&s));
    s.aggregate = s.scope.aggregates > 0 || q->has_group || q->having;
    if (s.aggregate) {
        TRY(split_all(&s));
        plan_aggregate(&s);
        if (s.having)
            plan_filter(&s, s.having);
    }
    TRY(plan_top(&s));
    *out = s.plan;
    return true;
}

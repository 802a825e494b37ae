/* Queries: WITH, set operations, LIMIT; and the doors of the module, sql_plan and sql_plan_expr. */
#include "sql/bind_private.h"
#include "type/cast.h"

/* ---- LIMIT and OFFSET ----------------------------------------------------------------------------------------------------------- */

static bool take_count(struct binder *b, const struct ast_expr *ast, const char *clause, int64_t *count)
{
    struct scope none = {.no_aggregates = clause};
    const struct expr *e;
    struct value v;
    *count = -1;
    if (ast == NULL)
        return true;
    TRY(bind_expr(b, &none, ast, &e));
    const struct expr *as_long = type_is_integer(e->type) || type_is_void(e->type)
                                     ? cast_implicit(b->arena, e, type_simple(TYPE_LONG))
                                     : NULL;
    if (as_long == NULL || !expr_constant(b->arena, as_long, &v) || v.is_null || v.i64 < 0)
        return bind_fail(b, ast->span, "INVALID_LIMIT_LIKE_EXPRESSION: %s takes a whole number, 0 or above",
                         clause);
    *count = v.i64;
    return true;
}

bool bind_limit(struct binder *b, const struct ast_query *q, struct plan **plan)
{
    int64_t limit, offset, both;
    TRY(take_count(b, q->limit, "LIMIT", &limit));
    TRY(take_count(b, q->offset, "OFFSET", &offset));
    if (offset == 0)
        offset = -1;
    if (limit < 0 && offset < 0)
        return true;
    if (limit >= 0 && (*plan)->kind == PLAN_SORT &&
        !__builtin_add_overflow(limit, offset < 0 ? 0 : offset, &both)) {
        (*plan)->limit = both; /* top-n */
        if (offset < 0)
            return true;
    }
    struct plan *p = plan_new(b, PLAN_LIMIT, *plan);
    p->limit = limit;
    p->offset = offset;
    *plan = p;
    return true;
}

/* ORDER BY and LIMIT of VALUES, TABLE and set operations, whose keys are columns of the output. */
static bool bind_organization(struct binder *b, const struct ast_query *q, struct plan **plan)
{
    const struct ast_sort *items = q->order_count ? q->order : q->sort;
    CHECK(*plan != NULL);
    uint32_t count = q->order_count ? q->order_count : q->sort_count, n = (*plan)->schema->field_count;
    struct scope scope;
    plan_scope(b, *plan, STR(""), &scope);
    scope.no_aggregates = "ORDER BY";
    struct sort_key *sort = arena_array(b->arena, struct sort_key, count + n + 1);
    uint32_t sort_count = q->order_all ? n : count;
    for (uint32_t i = 0; i < sort_count; i++) {
        const struct ast_sort *item = q->order_all ? q->order : &items[i];
        const struct ast_expr *ast = q->order_all ? NULL : item->expr;
        bool ordinal = ast && ast->kind == AST_LITERAL && !ast->literal.is_null &&
                       ast->literal.type->kind == TYPE_INT;
        int64_t at = q->order_all ? i + 1 : ordinal ? ast->literal.i64 : 0;
        const struct expr *e;
        if (ordinal && (at < 1 || at > n))
            return bind_fail(
                b, ast->span,
                "ORDER_BY_POS_OUT_OF_RANGE: ORDER BY position %lld is not in the select list (1 to %u)",
                (long long)at, n);
        if (at > 0)
            e = expr_column(b->arena, (uint32_t)at - 1, scope.columns[at - 1].type,
                            scope.columns[at - 1].nullable, q->span);
        else
            TRY(bind_expr(b, &scope, ast, &e));
        if (!type_is_orderable(e->type))
            return bind_fail(b, ast ? ast->span : q->span,
                             "DATATYPE_MISMATCH.INVALID_ORDERING_TYPE: cannot order by values of %s",
                             bind_type_text(b->arena, e->type));
        sort[i] = (struct sort_key){.expr = e,
                                    .descending = item->descending,
                                    .nulls_last = item->nulls == 2 || (item->nulls == 0 && item->descending)};
    }
    if (sort_count) {
        struct plan *p = plan_new(b, PLAN_SORT, *plan);
        p->sort = sort;
        p->sort_count = sort_count;
        *plan = p;
    }
    return bind_limit(b, q, plan);
}

/* ---- set operations ---------------------------------------------------------------------------------------------------------------- */

/* Has this query nothing of its own between it and the UNION ALL around it? Then its terms are the outer one's. */
static bool is_plain_union(const struct ast_query *q)
{
    return q->kind == AST_SET_OPERATION && q->set_op == AST_UNION && q->all && !q->cte_count &&
           !q->order_count && !q->order_all && !q->sort_count && !q->limit && !q->limit_all && !q->offset;
}

/* Terms of a chain of UNION ALL, left to right. */
static bool bind_terms(struct binder *b, const struct ast_query *q, struct plan ***terms, uint32_t *count)
{
    uint32_t n = 2;
    for (const struct ast_query *l = q->left; q->all && is_plain_union(l); l = l->left)
        n++;
    *terms = arena_array(b->arena, struct plan *, n);
    *count = n;
    for (uint32_t i = n - 1; i > 0; i--, q = i > 0 ? q->left : q) {
        TRY(bind_query(b, q->right, &(*terms)[i]));
        if (i == 1)
            TRY(bind_query(b, q->left, &(*terms)[0]));
    }
    return true;
}

/* Casts a term's columns to types[]; the term as it is where they are these already. */
static struct plan *cast_term(struct binder *b, struct plan *term, const struct type *const *types,
                              struct span span)
{
    const struct type *t = term->schema;
    const struct expr **exprs = arena_array(b->arena, const struct expr *, t->field_count + 1);
    struct str *names = arena_array(b->arena, struct str, t->field_count + 1);
    bool same = true;
    for (uint32_t i = 0; i < t->field_count; i++) {
        const struct expr *column = expr_column(b->arena, i, t->fields[i].type, t->fields[i].nullable, span);
        exprs[i] = cast_to(b->arena, column, types[i]);
        names[i] = str_of(t->fields[i].name);
        same &= exprs[i] == column;
    }
    return same ? term : plan_project(b, term, exprs, names, t->field_count);
}

static bool union_types(struct binder *b, const struct ast_query *q, struct plan **terms, uint32_t count,
                        const struct type **types)
{
    uint32_t n = terms[0]->schema->field_count;
    for (uint32_t i = 1; i < count; i++)
        if (terms[i]->schema->field_count != n)
            return bind_fail(b, q->span,
                             "NUM_COLUMNS_MISMATCH: the first query of UNION has %u columns, another one %u",
                             n, terms[i]->schema->field_count);
    for (uint32_t c = 0; c < n; c++) {
        types[c] = terms[0]->schema->fields[c].type;
        for (uint32_t i = 1; i < count; i++) {
            const struct type *t = terms[i]->schema->fields[c].type;
            const struct type *common = type_same(types[c], t) ? t : type_common(b->arena, types[c], t);
            if (common == NULL)
                return bind_fail(
                    b, q->span,
                    "INCOMPATIBLE_COLUMN_TYPE: column %u of UNION is %s in one query and %s in another",
                    c + 1, bind_type_text(b->arena, types[c]), bind_type_text(b->arena, t));
            types[c] = common;
        }
    }
    return true;
}

static bool bind_union(struct binder *b, const struct ast_query *q, struct plan **out)
{
    struct plan **terms;
    uint32_t count;
    TRY(bind_terms(b, q, &terms, &count));
    uint32_t n = terms[0]->schema->field_count;
    const struct type **types = arena_array(b->arena, const struct type *, n + 1);
    struct field *fields = arena_zarray(b->arena, struct field, n + 1);
    TRY(union_types(b, q, terms, count, types));
    struct plan *p = *out = plan_new(b, PLAN_UNION, NULL);
    for (uint32_t c = 0; c < n; c++) {
        fields[c] = (struct field){.name = terms[0]->schema->fields[c].name, .type = types[c]};
        for (uint32_t i = 0; i < count; i++)
            fields[c].nullable |= terms[i]->schema->fields[c].nullable;
    }
    for (uint32_t i = 0; i < count; i++) {
        terms[i] = cast_term(b, terms[i], types, q->span);
        p->streaming |= terms[i]->streaming;
    }
    p->schema = type_struct(b->arena, fields, n);
    p->inputs = terms;
    p->input_count = count;
    if (!q->all)
        *out = plan_new(b, PLAN_DISTINCT, p);
    return true;
}

static bool bind_set_operation(struct binder *b, const struct ast_query *q, struct plan **out)
{
    if (q->set_op != AST_UNION)
        return bind_unsupported(b, q->right->span, q->set_op == AST_INTERSECT ? "INTERSECT is" : "EXCEPT is");
    return bind_union(b, q, out);
}

/* ---- queries --------------------------------------------------------------------------------------------------------------------------- */

static bool bind_values_query(struct binder *b, const struct ast_query *q, struct plan **out)
{
    TRY(bind_values(b, q, out));
    const struct type *t = (*out)->schema;
    if (q->values_column_count == 0)
        return true;
    if (q->values_column_count != t->field_count)
        return bind_fail(b, q->span,
                         "ASSIGNMENT_ARITY_MISMATCH: the alias names %u columns, but there are %u",
                         q->values_column_count, t->field_count);
    struct field *fields = arena_array(b->arena, struct field, t->field_count);
    for (uint32_t i = 0; i < t->field_count; i++) {
        fields[i] = t->fields[i];
        fields[i].name = str_dup(b->arena, q->values_columns[i]);
    }
    (*out)->schema = type_struct(b->arena, fields, t->field_count);
    return true;
}

/* TABLE x = SELECT * FROM x. */
static bool bind_table(struct binder *b, const struct ast_query *q, struct plan **out)
{
    struct ast_from *from = arena_new(b->arena, struct ast_from);
    struct ast_query *select = arena_new(b->arena, struct ast_query);
    struct ast_expr *star = arena_new(b->arena, struct ast_expr);
    *from = (struct ast_from){.kind = AST_FROM_NAME, .relation = q->table, .span = q->table.span};
    *star = (struct ast_expr){.kind = AST_STAR,
                              .span = q->table.span,
                              .at = q->table.span,
                              .note = arena_new(b->arena, struct ast_note)};
    select->kind = AST_SELECT;
    select->span = q->span;
    select->from = from;
    select->select = arena_array(b->arena, struct ast_expr *, 1);
    select->select[0] = star;
    select->select_count = 1;
    return bind_select(b, select, out);
}

static bool bind_body(struct binder *b, const struct ast_query *q, struct plan **out)
{
    if (q->kind == AST_SELECT)
        return bind_select(b, q, out);
    if (q->kind == AST_VALUES)
        TRY(bind_values_query(b, q, out));
    else if (q->kind == AST_TABLE)
        TRY(bind_table(b, q, out));
    else
        TRY(bind_set_operation(b, q, out));
    return bind_organization(b, q, out);
}

/* Makes the names of WITH visible, each to those behind it. */
static bool open_ctes(struct binder *b, const struct ast_query *q)
{
    if (q->recursive)
        return bind_unsupported(b, q->ctes[0].span, "WITH RECURSIVE is");
    for (uint32_t i = 0; i < q->cte_count; i++) {
        for (uint32_t k = 0; k < i; k++)
            if (str_eq_nocase(q->ctes[i].name, q->ctes[k].name))
                return bind_fail(b, q->ctes[i].span,
                                 "DUPLICATED_CTE_NAMES: two queries of WITH are named \"%.*s\"",
                                 STR_ARG(q->ctes[i].name));
        struct cte_env *env = arena_new(b->arena, struct cte_env);
        *env = (struct cte_env){.cte = &q->ctes[i], .outer = b->ctes};
        b->ctes = env;
    }
    return true;
}

bool bind_query(struct binder *b, const struct ast_query *q, struct plan **out)
{
    struct cte_env *before = b->ctes;
    *out = NULL;
    TRY(bind_enter(b, q->span));
    if (b->nodes > BIND_PLAN_MAX)
        return bind_fail(b, q->span,
                         "the query is too large: the names of WITH in it stand for more than %d steps",
                         BIND_PLAN_MAX);
    TRY(open_ctes(b, q));
    TRY(bind_body(b, q, out));
    CHECK(*out != NULL);
    b->ctes = before;
    bind_leave(b);
    return true;
}

/* ---- the doors --------------------------------------------------------------------------------------------------------------------------- */

bool sql_bind(struct arena *arena, struct str text, const struct ast_query *query,
              const struct catalogue *catalogue, struct plan **plan, struct err *err)
{
    struct err own;
    struct binder b = {.arena = arena, .text = text, .catalogue = catalogue, .err = err ? err : &own};
    struct plan *bound;
    TRY(bind_query(&b, query, &bound));
    TRY(plan_prune(&b, &bound));
    *plan = bound;
    return true;
}

bool sql_plan(struct arena *arena, struct str text, const struct catalogue *catalogue, struct plan **plan,
              struct err *err)
{
    struct ast_query *query;
    TRY(sql_parse_query(arena, text, &query, err));
    return sql_bind(arena, text, query, catalogue, plan, err);
}

bool sql_plan_expr(struct arena *arena, struct str text, const struct type *schema,
                   const struct catalogue *options, const struct expr **expr, struct err *err)
{
    struct err own;
    struct binder b = {.arena = arena, .text = text, .catalogue = options, .err = err ? err : &own};
    struct plan input = {.kind = PLAN_VALUES, .schema = schema};
    struct ast_expr *ast;
    struct scope scope;
    TRY(sql_parse_expr(arena, text, &ast, b.err));
    plan_scope(&b, &input, STR(""), &scope);
    scope.no_aggregates = "an expression";
    return bind_expr(&b, &scope, ast, expr);
}

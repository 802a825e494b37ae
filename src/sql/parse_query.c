/* Queries: WITH, SELECT, VALUES, set operations, and the clauses that stand behind them. INTERSECT binds tighter than UNION and EXCEPT; ORDER
 * BY, LIMIT and OFFSET belong to the whole set operation unless a term is in parentheses. */
#include "sql/parse_private.h"

enum { PARENS_SCAN_MAX = 2 * SQL_DEPTH_MAX }; /* parentheses in front of a query that are looked through */

/* What may stand behind (SELECT …) for it to be a term of a query: not an operator, as in (SELECT 1) + 1, nor an alias. */
static bool ends_term(const struct token *t)
{
    switch (t->keyword) {
    case KEYWORD_UNION:
    case KEYWORD_INTERSECT:
    case KEYWORD_EXCEPT:
    case KEYWORD_MINUS:
    case KEYWORD_SETMINUS:
    case KEYWORD_ORDER:
    case KEYWORD_SORT:
    case KEYWORD_CLUSTER:
    case KEYWORD_DISTRIBUTE:
    case KEYWORD_LIMIT:
    case KEYWORD_OFFSET: return true;
    default:
        return t->kind == TOKEN_CLOSE || t->kind == TOKEN_END || t->kind == TOKEN_SEMICOLON ||
               t->kind == TOKEN_PIPE_ARROW;
    }
}

bool parse_is_query(const struct parser *p)
{
    uint32_t i = 0;
    for (; i < PARENS_SCAN_MAX && parser_peek(p, i)->kind == TOKEN_OPEN; i++) {
        uint32_t close = p->closes[p->at + i];
        if (close != p->last && !ends_term(p->tokens + close + 1))
            return false;
    }
    const struct token *t = parser_peek(p, i), *next = parser_peek(p, i + 1);
    bool word = next->kind == TOKEN_WORD || next->kind == TOKEN_QUOTED;
    switch (t->keyword) {
    case KEYWORD_SELECT: return true;
    case KEYWORD_WITH: return word;
    case KEYWORD_VALUES:
        return next->kind != TOKEN_DOT && next->kind != TOKEN_COMMA && next->kind != TOKEN_CLOSE;
    case KEYWORD_FROM: return word || next->kind == TOKEN_OPEN;
    case KEYWORD_TABLE: return word;
    default: return false;
    }
}

static bool parse_select_list(struct parser *p, struct ast_query *q)
{
    do {
        struct ast_expr *e;
        if (parser_is_keyword(p, KEYWORD_FROM) && q->select_count > 0 &&
            parser_peek(p, 1)->kind != TOKEN_DOT) {
            parser_fail(p, parser_token_span(p->tokens + p->at - 1),
                        "TRAILING_COMMA_IN_SELECT: the select list ends with a comma");
            return err_hint(p->err, "Remove the comma in front of FROM.");
        }
        if (q->select_count == SQL_COLUMNS_MAX)
            return parser_unexpected(p, "fewer columns");
        TRY(parse_named_expr(p, &e));
        PARSER_PUSH(p, q->select, q->select_count, e);
    } while (parser_accept(p, TOKEN_COMMA));
    return true;
}

/* ---- GROUP BY ----------------------------------------------------------------------------------------------------- */

static bool parse_grouping_items(struct parser *p, struct ast_grouping *g)
{
    TRY(parser_expect(p, TOKEN_OPEN, "\"(\""));
    do {
        struct ast_expr *e;
        uint32_t first = p->at;
        if (parser_is(p, TOKEN_OPEN) && parser_peek(p, 1)->kind == TOKEN_CLOSE) { /* the empty set */
            e = parse_node(p, AST_ROW);
            p->at += 2;
            parse_finish(p, e, first);
        } else if (g->kind == AST_GROUP_SETS &&
                   (parser_is_keyword(p, KEYWORD_ROLLUP) || parser_is_keyword(p, KEYWORD_CUBE) ||
                    (parser_is_keyword(p, KEYWORD_GROUPING) && parser_is_keyword_at(p, 1, KEYWORD_SETS)))) {
            return parser_fail(p, parser_token_span(parser_peek(p, 0)),
                               "UNSUPPORTED_FEATURE: nested grouping sets are not supported");
        } else {
            TRY(parse_expr(p, &e));
        }
        PARSER_PUSH(p, g->items, g->count, e);
    } while (parser_accept(p, TOKEN_COMMA));
    return parser_expect(p, TOKEN_CLOSE, "\")\" or \",\"");
}

static bool parse_grouping(struct parser *p, struct ast_grouping *g)
{
    uint32_t first = p->at;
    bool parens = parser_peek(p, 1)->kind == TOKEN_OPEN;
    if (parens && parser_accept_keyword(p, KEYWORD_ROLLUP))
        g->kind = AST_GROUP_ROLLUP;
    else if (parens && parser_accept_keyword(p, KEYWORD_CUBE))
        g->kind = AST_GROUP_CUBE;
    else if (parser_accept_keywords(p, KEYWORD_GROUPING, KEYWORD_SETS))
        g->kind = AST_GROUP_SETS;
    if (g->kind == AST_GROUP_PLAIN)
        TRY(parse_expr(p, &g->expr));
    else
        TRY(parse_grouping_items(p, g));
    g->span = parser_span(p, first);
    return true;
}

/* GROUP BY a, b WITH ROLLUP, or GROUP BY a, b GROUPING SETS (…): what stood there so far becomes one element. */
static bool parse_group_suffix(struct parser *p, struct ast_query *q)
{
    enum ast_grouping_kind kind = AST_GROUP_PLAIN;
    uint32_t first = p->at;
    if (parser_accept_keywords(p, KEYWORD_WITH, KEYWORD_ROLLUP))
        kind = AST_GROUP_ROLLUP;
    else if (parser_accept_keywords(p, KEYWORD_WITH, KEYWORD_CUBE))
        kind = AST_GROUP_CUBE;
    else if (parser_accept_keywords(p, KEYWORD_GROUPING, KEYWORD_SETS))
        kind = AST_GROUP_SETS;
    else
        return true;
    q->group_kind_suffix = true;
    struct ast_grouping g = {.kind = kind};
    if (kind == AST_GROUP_SETS) {
        TRY(parse_grouping_items(p, &g));
        g.span = parser_span(p, first);
        PARSER_PUSH(p, q->groups, q->group_count, g);
        return true;
    }
    for (uint32_t i = 0; i < q->group_count; i++)
        PARSER_PUSH(p, g.items, g.count, q->groups[i].expr);
    g.span = parser_span(p, first);
    q->group_count = 1;
    q->groups[0] = g;
    return true;
}

static bool parse_group(struct parser *p, struct ast_query *q)
{
    if (!parser_accept_keywords(p, KEYWORD_GROUP, KEYWORD_BY))
        return true;
    q->has_group = true;
    enum token_kind behind = (enum token_kind)parser_peek(p, 1)->kind;
    if (parser_is_keyword(p, KEYWORD_ALL) && behind != TOKEN_DOT && behind != TOKEN_COMMA &&
        behind != TOKEN_OPEN) {
        p->at++;
        q->group_all = true;
        return true;
    }
    do {
        struct ast_grouping g = {0};
        TRY(parse_grouping(p, &g));
        PARSER_PUSH(p, q->groups, q->group_count, g);
    } while (parser_accept(p, TOKEN_COMMA));
    return parse_group_suffix(p, q);
}

/* ---- SELECT -------------------------------------------------------------------------------------------------------- */

static bool parse_windows(struct parser *p, struct ast_query *q)
{
    if (!parser_is_keyword(p, KEYWORD_WINDOW) || !parser_is_keyword_at(p, 2, KEYWORD_AS))
        return true;
    p->at++;
    do {
        struct str name;
        struct ast_window *w;
        TRY(parser_identifier(p, &name));
        TRY(parser_expect_keyword(p, KEYWORD_AS));
        TRY(parse_window(p, &w));
        w->name = name;
        PARSER_PUSH(p, q->windows, q->window_count, *w);
    } while (parser_accept(p, TOKEN_COMMA));
    return true;
}

/* From WHERE to WINDOW, in Spark's order. */
static bool parse_select_tail(struct parser *p, struct ast_query *q)
{
    if (parser_accept_keyword(p, KEYWORD_WHERE))
        TRY(parse_expr(p, &q->where));
    TRY(parse_group(p, q));
    if (parser_accept_keyword(p, KEYWORD_HAVING))
        TRY(parse_expr(p, &q->having));
    TRY(parse_windows(p, q));
    if (parser_accept_keyword(p, KEYWORD_QUALIFY))
        TRY(parse_expr(p, &q->qualify));
    return parse_windows(p, q);
}

static void parse_hint(struct parser *p, struct ast_query *q)
{
    while (parser_is(p, TOKEN_HINT)) {
        const struct token *t = parser_peek(p, 0);
        q->hint = (struct span){t->offset + 3, t->length - 5};
        p->at++;
    }
}

static bool parse_select(struct parser *p, struct ast_query *q)
{
    q->kind = AST_SELECT;
    bool from_first = parser_accept_keyword(p, KEYWORD_FROM); /* FROM t SELECT a */
    if (from_first)
        TRY(parse_from(p, &q->from));
    TRY(parser_expect_keyword(p, KEYWORD_SELECT));
    parse_hint(p, q);
    if (parser_is_keyword(p, KEYWORD_DISTINCT) && parser_peek(p, 1)->kind != TOKEN_DOT &&
        parser_peek(p, 1)->kind != TOKEN_COMMA) {
        q->distinct = true;
        p->at++;
    } else if (parser_is_keyword(p, KEYWORD_ALL) && parser_peek(p, 1)->kind != TOKEN_DOT &&
               parser_peek(p, 1)->kind != TOKEN_COMMA && !parser_is_keyword_at(p, 1, KEYWORD_FROM)) {
        p->at++;
    }
    TRY(parse_select_list(p, q));
    if (!from_first && parser_accept_keyword(p, KEYWORD_FROM))
        TRY(parse_from(p, &q->from));
    return parse_select_tail(p, q);
}

bool parse_values(struct parser *p, struct ast_query *q)
{
    q->kind = AST_VALUES;
    p->at++;
    TRY(parse_exprs(p, &q->rows, &q->row_count));
    bool as = parser_accept_keyword(p, KEYWORD_AS);
    if (as && parser_is(p, TOKEN_OPEN))
        return parser_names(p, &q->values_columns, &q->values_column_count);
    if (!as && !parser_is_identifier(p, KEYWORD_JOINS | KEYWORD_CLAUSE))
        return true;
    TRY(parser_identifier(p, &q->values_alias));
    return parser_is(p, TOKEN_OPEN) ? parser_names(p, &q->values_columns, &q->values_column_count) : true;
}

/* ---- terms and set operations -------------------------------------------------------------------------------------- */

static bool parse_term(struct parser *p, struct ast_query **query)
{
    TRY(parser_enter(p));
    uint32_t first = p->at;
    if (parser_accept(p, TOKEN_OPEN)) {
        TRY(parse_query(p, query));
        TRY(parser_expect(p, TOKEN_CLOSE, "\")\""));
        (*query)->parens = true;
        parser_leave(p);
        return true;
    }
    struct ast_query *q = *query = arena_new(p->arena, struct ast_query);
    if (parser_is_keyword(p, KEYWORD_VALUES)) {
        TRY(parse_values(p, q));
    } else if (parser_is_keyword(p, KEYWORD_TABLE)) {
        q->kind = AST_TABLE;
        p->at++;
        TRY(parser_relation_name(p, &q->table));
    } else if (parser_is_keyword(p, KEYWORD_SELECT) || parser_is_keyword(p, KEYWORD_FROM)) {
        TRY(parse_select(p, q));
    } else {
        return parser_unexpected(p, "SELECT");
    }
    q->span = parser_span(p, first);
    parser_leave(p);
    return true;
}

/* Which set operation is next, if it binds as tightly as asked. */
static bool set_op(const struct parser *p, bool intersect, enum ast_set_op *op)
{
    enum keyword k = (enum keyword)parser_peek(p, 0)->keyword;
    *op = k == KEYWORD_INTERSECT ? AST_INTERSECT : k == KEYWORD_UNION ? AST_UNION : AST_EXCEPT;
    if (intersect)
        return k == KEYWORD_INTERSECT;
    return k == KEYWORD_UNION || k == KEYWORD_EXCEPT || k == KEYWORD_MINUS || k == KEYWORD_SETMINUS;
}

static bool parse_set_operation(struct parser *p, bool intersect, struct ast_query **query)
{
    uint32_t first = p->at;
    TRY(intersect ? parse_term(p, query) : parse_set_operation(p, true, query));
    enum ast_set_op op;
    for (int links = 0; set_op(p, intersect, &op); links++) {
        if (links == SQL_CHAIN_MAX)
            return parser_fail(p, parser_token_span(parser_peek(p, 0)),
                               "PARSE_SYNTAX_ERROR: more than %d set operations in a row", SQL_CHAIN_MAX);
        struct ast_query *q = arena_new(p->arena, struct ast_query);
        p->at++;
        q->kind = AST_SET_OPERATION;
        q->set_op = op;
        q->all = parser_accept_keyword(p, KEYWORD_ALL);
        if (!q->all)
            parser_accept_keyword(p, KEYWORD_DISTINCT);
        if (op == AST_UNION && parser_accept_keyword(p, KEYWORD_BY)) {
            return parser_fail(p, parser_token_span(p->tokens + p->at - 1),
                               "UNSUPPORTED_FEATURE: UNION BY NAME is not supported");
        }
        q->left = *query;
        TRY(intersect ? parse_term(p, &q->right) : parse_set_operation(p, true, &q->right));
        q->span = parser_span(p, first);
        *query = q;
    }
    return true;
}

/* ---- WITH and ORDER BY … OFFSET ------------------------------------------------------------------------------------ */

static bool parse_ctes(struct parser *p, struct ast_cte **ctes, uint32_t *count, bool *recursive)
{
    if (!parser_accept_keyword(p, KEYWORD_WITH))
        return true;
    *recursive = parser_is_keyword(p, KEYWORD_RECURSIVE) && !parser_is_keyword_at(p, 1, KEYWORD_AS) &&
                 parser_accept_keyword(p, KEYWORD_RECURSIVE);
    do {
        struct ast_cte cte = {0};
        uint32_t first = p->at;
        TRY(parser_identifier(p, &cte.name));
        cte.span = parser_span(p, first);
        if (parser_is(p, TOKEN_OPEN))
            TRY(parser_names(p, &cte.columns, &cte.column_count));
        parser_accept_keyword(p, KEYWORD_AS);
        TRY(parser_expect(p, TOKEN_OPEN, "\"(\""));
        TRY(parse_query(p, &cte.query));
        TRY(parser_expect(p, TOKEN_CLOSE, "\")\""));
        PARSER_PUSH(p, *ctes, *count, cte);
    } while (parser_accept(p, TOKEN_COMMA));
    return true;
}

static bool parse_order(struct parser *p, struct ast_query *q)
{
    if (parser_accept_keywords(p, KEYWORD_ORDER, KEYWORD_BY)) {
        enum token_kind behind = (enum token_kind)parser_peek(p, 1)->kind;
        if (parser_is_keyword(p, KEYWORD_ALL) && behind != TOKEN_DOT && behind != TOKEN_COMMA) {
            p->at++;
            q->order_all = true;
            q->order = arena_new(p->arena, struct ast_sort);
            q->order->descending = parser_accept_keyword(p, KEYWORD_DESC);
            if (!q->order->descending)
                parser_accept_keyword(p, KEYWORD_ASC);
            if (parser_accept_keyword(p, KEYWORD_NULLS)) {
                q->order->nulls = parser_is_keyword(p, KEYWORD_LAST) ? 2 : 1;
                p->at++;
            }
        } else {
            TRY(parse_sort_items(p, &q->order, &q->order_count));
        }
    }
    if (parser_is_keyword_at(p, 1, KEYWORD_BY) &&
        (parser_is_keyword(p, KEYWORD_CLUSTER) || parser_is_keyword(p, KEYWORD_DISTRIBUTE))) {
        q->cluster = parser_is_keyword(p, KEYWORD_CLUSTER);
        p->at += 2;
        TRY(parse_exprs(p, &q->distribute, &q->distribute_count));
    }
    if (parser_accept_keywords(p, KEYWORD_SORT, KEYWORD_BY))
        TRY(parse_sort_items(p, &q->sort, &q->sort_count));
    return true;
}

static bool parse_organization(struct parser *p, struct ast_query *q)
{
    TRY(parse_order(p, q));
    TRY(parse_windows(p, q));
    if (parser_accept_keyword(p, KEYWORD_LIMIT)) {
        enum token_kind behind = (enum token_kind)parser_peek(p, 1)->kind;
        q->limit_all = parser_is_keyword(p, KEYWORD_ALL) && behind != TOKEN_DOT;
        if (q->limit_all)
            p->at++;
        else
            TRY(parse_expr(p, &q->limit));
    }
    if (parser_accept_keyword(p, KEYWORD_OFFSET))
        TRY(parse_expr(p, &q->offset));
    return true;
}

static bool has_organization(const struct ast_query *q)
{
    return q->order_count || q->order_all || q->sort_count || q->distribute_count || q->limit ||
           q->limit_all || q->offset;
}

/* The next tokens begin what parse_organization takes. */
static bool is_organization(const struct parser *p)
{
    switch (parser_peek(p, 0)->keyword) {
    case KEYWORD_ORDER:
    case KEYWORD_CLUSTER:
    case KEYWORD_DISTRIBUTE:
    case KEYWORD_SORT: return parser_is_keyword_at(p, 1, KEYWORD_BY);
    case KEYWORD_LIMIT:
    case KEYWORD_OFFSET: return true;
    default: return false;
    }
}

/* (query ORDER BY a) LIMIT 1, and WITH x AS (…) (WITH y …): what is outside needs a node of its own. */
static struct ast_query *wrap(struct parser *p, struct ast_query *inner)
{
    struct ast_query *outer = arena_new(p->arena, struct ast_query);
    struct ast_from *from = arena_new(p->arena, struct ast_from);
    struct ast_expr *star = parse_node(p, AST_STAR);
    star->span = star->at = inner->span;
    outer->kind = AST_SELECT;
    outer->from = from;
    PARSER_PUSH(p, outer->select, outer->select_count, star);
    from->kind = AST_FROM_QUERY;
    from->query = inner;
    from->span = inner->span;
    return outer;
}

bool parse_query(struct parser *p, struct ast_query **query)
{
    TRY(parser_enter(p));
    uint32_t first = p->at, cte_count = 0;
    struct ast_cte *ctes = NULL;
    bool recursive = false;
    TRY(parse_ctes(p, &ctes, &cte_count, &recursive));
    TRY(parse_set_operation(p, false, query));
    struct ast_query *q = *query;
    bool taken = q->parens && (has_organization(q) || q->cte_count);
    if (taken && (cte_count || is_organization(p)))
        q = *query = wrap(p, q);
    TRY(parse_organization(p, q));
    if (cte_count) {
        q->ctes = ctes;
        q->cte_count = cte_count;
        q->recursive = recursive;
    }
    if (!q->parens)
        q->span = parser_span(p, first);
    if (parser_is(p, TOKEN_PIPE_ARROW))
        return parser_fail(p, parser_token_span(parser_peek(p, 0)),
                           "UNSUPPORTED_FEATURE: the pipe syntax |> is not supported");
    parser_leave(p);
    return true;
}

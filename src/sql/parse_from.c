/* FROM: relations, subqueries, table functions, joins, LATERAL VIEW, WATERMARK. `a, b` is a cross join. */
#include "sql/parse_private.h"

static struct ast_from *from_node(struct parser *p, enum ast_from_kind kind)
{
    struct ast_from *f = arena_new(p->arena, struct ast_from);
    f->kind = kind;
    return f;
}

/* [AS] name [(a, b)] */
static bool parse_alias(struct parser *p, struct ast_from *f)
{
    bool as = parser_accept_keyword(p, KEYWORD_AS);
    if (as && parser_is(p, TOKEN_OPEN))
        return parser_names(p, &f->columns, &f->column_count);
    if (!as && !parser_is_identifier(p, KEYWORD_JOINS))
        return true;
    if (!as)
        p->alias_at = p->at;
    TRY(parser_identifier(p, &f->alias));
    return parser_is(p, TOKEN_OPEN) ? parser_names(p, &f->columns, &f->column_count) : true;
}

/* WATERMARK ts DELAY OF INTERVAL 10 MINUTES */
static bool parse_watermark(struct parser *p, struct ast_from *f)
{
    if (!parser_is_keyword(p, KEYWORD_WATERMARK) || f->watermark)
        return true;
    uint32_t first = p->at;
    struct ast_watermark *w = f->watermark = arena_new(p->arena, struct ast_watermark);
    p->at++;
    TRY(parse_named_expr(p, &w->column));
    if (w->column->kind == AST_ALIAS &&
        str_eq_nocase(w->column->name, STR("delay"))) { /* DELAY is no alias here */
        w->column = w->column->items[0];
        p->at--;
    }
    TRY(parser_expect_keyword(p, KEYWORD_DELAY));
    TRY(parser_expect_keyword(p, KEYWORD_OF));
    TRY(parse_value_expr(p, &w->delay));
    w->span = parser_span(p, first);
    return true;
}

static void skip_parens(struct parser *p)
{
    if (parser_is(p, TOKEN_OPEN))
        p->at = p->closes[p->at] < p->last ? p->closes[p->at] + 1 : p->last;
}

static bool parse_sample(struct parser *p, struct ast_from *f)
{
    if (!parser_is_keyword(p, KEYWORD_TABLESAMPLE))
        return true;
    uint32_t first = p->at;
    p->at++;
    f->sampled = true;
    if (!parser_is(p, TOKEN_OPEN))
        p->at++; /* SYSTEM, BERNOULLI */
    if (!parser_is(p, TOKEN_OPEN))
        return parser_unexpected(p, "\"(\"");
    skip_parens(p);
    if (parser_accept_keyword(p, KEYWORD_REPEATABLE))
        skip_parens(p);
    f->clause = parser_span(p, first);
    return true;
}

/* x VERSION AS OF 3, x TIMESTAMP AS OF '…', FOR SYSTEM_VERSION …: kept as text. */
static bool parse_time_travel(struct parser *p, struct ast_from *f)
{
    uint32_t first = p->at;
    bool for_ = parser_is_keyword(p, KEYWORD_FOR);
    enum keyword k = (enum keyword)parser_peek(p, for_)->keyword;
    bool version = k == KEYWORD_VERSION || k == KEYWORD_SYSTEM_VERSION;
    if ((!version && k != KEYWORD_TIMESTAMP && k != KEYWORD_SYSTEM_TIME) ||
        !parser_is_keyword_at(p, for_ + 1, KEYWORD_AS) || !parser_is_keyword_at(p, for_ + 2, KEYWORD_OF))
        return true;
    p->at += (uint32_t)for_ + 3;
    struct ast_expr *at;
    TRY(parse_value_expr(p, &at));
    f->clause = parser_span(p, first);
    return true;
}

/* STREAM is a word of ours only in front of a name: FROM STREAM x, or Spark's STREAM(x). */
static bool is_stream(const struct parser *p)
{
    const struct token *next = parser_peek(p, 1);
    if (!parser_is_keyword(p, KEYWORD_STREAM))
        return false;
    if (next->kind == TOKEN_OPEN)
        return parser_peek(p, 2)->kind == TOKEN_WORD || parser_peek(p, 2)->kind == TOKEN_QUOTED;
    return next->kind == TOKEN_QUOTED ||
           (next->kind == TOKEN_WORD && next->keyword != KEYWORD_AS &&
            (keyword_flags((enum keyword)next->keyword) & (KEYWORD_JOINS | KEYWORD_CLAUSE)) == 0);
}

static bool parse_relation(struct parser *p, struct ast_from **from)
{
    struct ast_from *f = *from = from_node(p, AST_FROM_NAME);
    bool stream = is_stream(p);
    if (stream)
        p->at++;
    bool parens = stream && parser_accept(p, TOKEN_OPEN);
    TRY(parser_relation_name(p, &f->relation));
    f->relation.stream = stream;
    if (parens)
        TRY(parser_expect(p, TOKEN_CLOSE, "\")\""));
    return parse_time_travel(p, f);
}

static bool parse_primary_relation(struct parser *p, struct ast_from **from);

static bool parse_parens_relation(struct parser *p, struct ast_from **from)
{
    p->at++;
    if (parse_is_query(p)) {
        struct ast_from *f = *from = from_node(p, AST_FROM_QUERY);
        TRY(parse_query(p, &f->query));
    } else {
        TRY(parse_from(p, from)); /* (a JOIN b ON …) */
    }
    return parser_expect(p, TOKEN_CLOSE, "\")\"");
}

static bool parse_relation_kind(struct parser *p, struct ast_from **from)
{
    const struct token *t = parser_peek(p, 0);
    if (parser_is(p, TOKEN_OPEN)) {
        return parse_parens_relation(p, from);
    }
    if (t->keyword == KEYWORD_VALUES && parser_peek(p, 1)->kind != TOKEN_DOT) {
        struct ast_from *f = *from = from_node(p, AST_FROM_VALUES);
        uint32_t first = p->at;
        f->query = arena_new(p->arena, struct ast_query);
        TRY(parse_values(p, f->query));
        f->alias = f->query->values_alias;
        f->columns = f->query->values_columns;
        f->column_count = f->query->values_column_count;
        f->query->span = parser_span(p, first);
        return true;
    }
    bool call = (t->kind == TOKEN_WORD || t->kind == TOKEN_QUOTED) && parser_peek(p, 1)->kind == TOKEN_OPEN;
    if (call && !is_stream(p)) {
        struct ast_from *f = *from = from_node(p, AST_FROM_FUNCTION);
        return parse_call(p, &f->call);
    }
    return parse_relation(p, from);
}

static bool parse_primary_relation(struct parser *p, struct ast_from **from)
{
    TRY(parser_enter(p));
    uint32_t first = p->at;
    bool lateral = parser_is_keyword(p, KEYWORD_LATERAL) && parser_accept_keyword(p, KEYWORD_LATERAL);
    TRY(parse_relation_kind(p, from));
    struct ast_from *f = *from;
    f->lateral = lateral;
    TRY(parse_sample(p, f));
    TRY(parse_watermark(p, f));
    if (f->alias.n == 0 && f->column_count == 0)
        TRY(parse_alias(p, f));
    TRY(parse_watermark(p, f));
    f->span = parser_span(p, first);
    parser_leave(p);
    return true;
}

/* ---- joins --------------------------------------------------------------------------------------------------------- */

/* [NATURAL] [INNER | CROSS | LEFT [OUTER | SEMI | ANTI] | …] JOIN: takes it, or nothing. */
static bool take_join(struct parser *p, struct ast_from *join)
{
    uint32_t before = p->at;
    join->natural = parser_accept_keyword(p, KEYWORD_NATURAL);
    join->join = JOIN_INNER;
    if (parser_accept_keyword(p, KEYWORD_CROSS)) {
        join->join = JOIN_CROSS;
    } else if (parser_accept_keyword(p, KEYWORD_INNER)) {
        join->join = JOIN_INNER;
    } else {
        bool left = parser_accept_keyword(p, KEYWORD_LEFT);
        bool right = !left && parser_accept_keyword(p, KEYWORD_RIGHT);
        bool full = !left && !right && parser_accept_keyword(p, KEYWORD_FULL);
        if (left)
            join->join = JOIN_LEFT;
        if (right)
            join->join = JOIN_RIGHT;
        if (full)
            join->join = JOIN_FULL;
        if (left || right || full)
            parser_accept_keyword(p, KEYWORD_OUTER);
        if (!right && !full && parser_accept_keyword(p, KEYWORD_SEMI))
            join->join = JOIN_SEMI;
        else if (!right && !full && parser_accept_keyword(p, KEYWORD_ANTI))
            join->join = JOIN_ANTI;
    }
    if (parser_accept_keyword(p, KEYWORD_JOIN))
        return true;
    p->at = before;
    return false;
}

static bool parse_join_condition(struct parser *p, struct ast_from *join)
{
    if (parser_accept_keyword(p, KEYWORD_ON))
        return parse_expr(p, &join->on);
    if (parser_is_keyword(p, KEYWORD_USING) && parser_peek(p, 1)->kind == TOKEN_OPEN) {
        p->at++;
        return parser_names(p, &join->using_, &join->using_count);
    }
    return true;
}

/* left LATERAL VIEW [OUTER] f(…) [table] [AS a, b] */
static bool parse_view(struct parser *p, struct ast_from **from, uint32_t first)
{
    struct ast_from *f = from_node(p, AST_FROM_VIEW);
    p->at += 2;
    f->left = *from;
    f->outer = parser_accept_keyword(p, KEYWORD_OUTER);
    if (parser_peek(p, 1)->kind != TOKEN_OPEN && parser_peek(p, 1)->kind != TOKEN_DOT)
        return parser_unexpected(p, "a generator function, such as explode");
    TRY(parse_call(p, &f->call));
    bool names = parser_accept_keyword(p, KEYWORD_AS);
    if (!names && parser_is_identifier(p, KEYWORD_JOINS)) {
        TRY(parser_identifier(p, &f->alias));
        names = parser_accept_keyword(p, KEYWORD_AS) || parser_is_identifier(p, KEYWORD_JOINS);
    }
    while (names) {
        struct str name;
        TRY(parser_identifier(p, &name));
        PARSER_PUSH(p, f->columns, f->column_count, name);
        names = parser_accept(p, TOKEN_COMMA);
    }
    f->span = parser_span(p, first);
    *from = f;
    return true;
}

static bool parse_pivot(struct parser *p, struct ast_from **from, uint32_t first)
{
    struct ast_from *f = from_node(p, AST_FROM_PIVOT);
    uint32_t clause = p->at;
    f->left = *from;
    p->at++;
    while (parser_is(p, TOKEN_WORD))
        p->at++; /* INCLUDE NULLS */
    if (!parser_is(p, TOKEN_OPEN))
        return parser_unexpected(p, "\"(\"");
    skip_parens(p);
    f->clause = parser_span(p, clause);
    TRY(parse_alias(p, f));
    f->span = parser_span(p, first);
    *from = f;
    return true;
}

static bool parse_join(struct parser *p, struct ast_from **from, uint32_t first, bool *found)
{
    struct ast_from *join = from_node(p, AST_FROM_JOIN);
    *found = take_join(p, join);
    if (!*found)
        return true;
    join->left = *from;
    TRY(parse_primary_relation(p, &join->right));
    TRY(parse_join_condition(p, join));
    join->span = parser_span(p, first);
    *from = join;
    return true;
}

/* What hangs on one relation: joins, lateral views, pivots. */
static bool parse_relation_chain(struct parser *p, struct ast_from **from)
{
    uint32_t first = p->at;
    TRY(parse_primary_relation(p, from));
    for (int links = 0;; links++) {
        if (links == SQL_CHAIN_MAX)
            return parser_fail(p, parser_token_span(parser_peek(p, 0)),
                               "PARSE_SYNTAX_ERROR: more than %d joins in a row", SQL_CHAIN_MAX);
        bool found = true;
        if (parser_is_keyword(p, KEYWORD_LATERAL) && parser_is_keyword_at(p, 1, KEYWORD_VIEW))
            TRY(parse_view(p, from, first));
        else if ((parser_is_keyword(p, KEYWORD_PIVOT) || parser_is_keyword(p, KEYWORD_UNPIVOT)))
            TRY(parse_pivot(p, from, first));
        else
            TRY(parse_join(p, from, first, &found));
        if (!found)
            return true;
    }
}

bool parse_from(struct parser *p, struct ast_from **from)
{
    TRY(parser_enter(p));
    uint32_t first = p->at;
    TRY(parse_relation_chain(p, from));
    for (int links = 0; parser_is(p, TOKEN_COMMA); links++) {
        if (links == SQL_CHAIN_MAX)
            return parser_unexpected(p, "fewer relations");
        p->at++;
        struct ast_from *join = from_node(p, AST_FROM_JOIN);
        join->join = JOIN_CROSS;
        join->left = *from;
        TRY(parse_relation_chain(p, &join->right));
        join->span = parser_span(p, first);
        *from = join;
        while (parser_is_keyword(p, KEYWORD_LATERAL) && parser_is_keyword_at(p, 1, KEYWORD_VIEW))
            TRY(parse_view(p, from, first));
    }
    parser_leave(p);
    return true;
}

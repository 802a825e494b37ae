/* Calls, and the special forms that look like them: CASE, CAST, EXTRACT(… FROM …), TRIM(BOTH … FROM …), SUBSTRING(… FROM … FOR …),
 * POSITION(… IN …), OVERLAY(… PLACING …), TIMESTAMPADD(unit, …), STRUCT(a AS b), CURRENT_DATE. All but CASE and CAST become plain calls, with
 * a unit or field as a string literal in front, so that the binder sees one shape. */
#include "sql/parse_private.h"

/* ---- OVER -------------------------------------------------------------------------------------------------------- */

static bool parse_bound(struct parser *p, struct ast_frame_bound *bound)
{
    if (parser_accept_keywords(p, KEYWORD_CURRENT, KEYWORD_ROW)) {
        bound->kind = AST_CURRENT_ROW;
        return true;
    }
    bool unbounded = parser_accept_keyword(p, KEYWORD_UNBOUNDED);
    if (!unbounded)
        TRY(parse_expr(p, &bound->offset));
    if (parser_accept_keyword(p, KEYWORD_PRECEDING))
        bound->kind = unbounded ? AST_UNBOUNDED_PRECEDING : AST_PRECEDING;
    else if (parser_accept_keyword(p, KEYWORD_FOLLOWING))
        bound->kind = unbounded ? AST_UNBOUNDED_FOLLOWING : AST_FOLLOWING;
    else
        return parser_unexpected(p, "PRECEDING or FOLLOWING");
    return true;
}

static bool parse_frame(struct parser *p, struct ast_window *w)
{
    if (!parser_is_keyword(p, KEYWORD_ROWS) && !parser_is_keyword(p, KEYWORD_RANGE))
        return true;
    w->frame = parser_is_keyword(p, KEYWORD_ROWS) ? AST_ROWS : AST_RANGE;
    p->at++;
    if (!parser_accept_keyword(p, KEYWORD_BETWEEN)) {
        w->end.kind = AST_CURRENT_ROW;
        return parse_bound(p, &w->start);
    }
    TRY(parse_bound(p, &w->start));
    TRY(parser_expect_keyword(p, KEYWORD_AND));
    return parse_bound(p, &w->end);
}

bool parse_window(struct parser *p, struct ast_window **window)
{
    uint32_t first = p->at;
    struct ast_window *w = *window = arena_new(p->arena, struct ast_window);
    if (!parser_is(p, TOKEN_OPEN)) {
        TRY(parser_identifier(p, &w->name));
        w->span = parser_span(p, first);
        return true;
    }
    p->at++;
    if (parser_is_identifier(p, KEYWORD_CLAUSE) && parser_peek(p, 1)->kind == TOKEN_CLOSE) {
        TRY(parser_identifier(p, &w->name));
    } else {
        if (parser_accept_keywords(p, KEYWORD_PARTITION, KEYWORD_BY) ||
            parser_accept_keywords(p, KEYWORD_DISTRIBUTE, KEYWORD_BY) ||
            parser_accept_keywords(p, KEYWORD_CLUSTER, KEYWORD_BY))
            TRY(parse_exprs(p, &w->partition, &w->partition_count));
        if (parser_accept_keywords(p, KEYWORD_ORDER, KEYWORD_BY) ||
            parser_accept_keywords(p, KEYWORD_SORT, KEYWORD_BY))
            TRY(parse_sort_items(p, &w->order, &w->order_count));
        TRY(parse_frame(p, w));
    }
    TRY(parser_expect(p, TOKEN_CLOSE, "\")\""));
    w->span = parser_span(p, first);
    return true;
}

/* ---- calls ------------------------------------------------------------------------------------------------------- */

static bool parse_argument(struct parser *p, struct ast_expr *call, bool named)
{
    struct ast_expr *e;
    if ((parser_is(p, TOKEN_WORD) || parser_is(p, TOKEN_QUOTED)) &&
        parser_peek(p, 1)->kind == TOKEN_FAT_ARROW) {
        uint32_t first = p->at;
        struct ast_expr *value;
        e = parse_node(p, AST_NAMED_ARG);
        TRY(parser_identifier(p, &e->name));
        p->at++;
        TRY(parse_expr(p, &value));
        parse_item(p, e, value);
        parse_finish(p, e, first);
    } else if (parser_is_keyword(p, KEYWORD_TABLE) && parser_peek(p, 1)->kind != TOKEN_COMMA &&
               parser_peek(p, 1)->kind != TOKEN_CLOSE && parser_peek(p, 1)->kind != TOKEN_DOT) {
        return parser_fail(p, parser_token_span(parser_peek(p, 0)),
                           "UNSUPPORTED_FEATURE: TABLE arguments of functions are not supported");
    } else if (named) {
        TRY(parse_named_expr(p, &e));
    } else {
        TRY(parse_expr(p, &e));
    }
    parse_item(p, call, e);
    return true;
}

/* What may stand in an aggregate's parentheses behind its arguments: first(x IGNORE NULLS). */
static void parse_nulls(struct parser *p, struct ast_call *call)
{
    if (parser_accept_keywords(p, KEYWORD_IGNORE, KEYWORD_NULLS))
        call->ignore_nulls = true;
    else if (parser_accept_keywords(p, KEYWORD_RESPECT, KEYWORD_NULLS))
        call->respect_nulls = true;
}

static bool parse_call_tail(struct parser *p, struct ast_call *call)
{
    if (parser_is_keyword(p, KEYWORD_WITHIN) && parser_is_keyword_at(p, 1, KEYWORD_GROUP)) {
        p->at += 2;
        TRY(parser_expect(p, TOKEN_OPEN, "\"(\""));
        TRY(parser_expect_keyword(p, KEYWORD_ORDER));
        TRY(parser_expect_keyword(p, KEYWORD_BY));
        TRY(parse_sort_items(p, &call->within_group, &call->within_group_count));
        TRY(parser_expect(p, TOKEN_CLOSE, "\")\""));
    }
    if (parser_is_keyword(p, KEYWORD_FILTER) && parser_peek(p, 1)->kind == TOKEN_OPEN &&
        parser_is_keyword_at(p, 2, KEYWORD_WHERE)) {
        p->at += 3;
        TRY(parse_expr(p, &call->filter));
        TRY(parser_expect(p, TOKEN_CLOSE, "\")\""));
    }
    parse_nulls(p, call);
    if (parser_is_keyword(p, KEYWORD_OVER) &&
        (parser_peek(p, 1)->kind == TOKEN_OPEN || parser_peek(p, 1)->kind == TOKEN_WORD ||
         parser_peek(p, 1)->kind == TOKEN_QUOTED)) {
        p->at++;
        TRY(parse_window(p, &call->over));
    }
    return true;
}

/* Behind the '(' of a call. named: arguments may have aliases (STRUCT). */
static bool parse_arguments(struct parser *p, struct ast_expr *e, bool named)
{
    if (parser_accept_keyword(p, KEYWORD_DISTINCT))
        e->call->distinct = true;
    else if (parser_is_keyword(p, KEYWORD_ALL) && parser_peek(p, 1)->kind != TOKEN_CLOSE &&
             parser_peek(p, 1)->kind != TOKEN_COMMA)
        p->at++;
    if (!parser_is(p, TOKEN_CLOSE)) {
        do {
            if (e->count == SQL_COLUMNS_MAX)
                return parser_unexpected(p, "fewer arguments");
            TRY(parse_argument(p, e, named));
        } while (parser_accept(p, TOKEN_COMMA));
        parse_nulls(p, e->call);
    }
    TRY(parser_expect(p, TOKEN_CLOSE, "\")\" or \",\""));
    return parse_call_tail(p, e->call);
}

static struct ast_expr *call_node(struct parser *p, struct str name)
{
    struct ast_expr *e = parse_node(p, AST_CALL);
    e->call = arena_new(p->arena, struct ast_call);
    e->name = name;
    return e;
}

bool parse_call(struct parser *p, struct ast_expr **expr)
{
    uint32_t first = p->at;
    struct ast_expr *e = call_node(p, STR(""));
    TRY(parser_identifier(p, &e->name));
    while (parser_accept(p, TOKEN_DOT)) {
        if (e->call->qualifier_count == 2)
            return parser_unexpected(p, "a name of three parts at most");
        e->call->qualifier[e->call->qualifier_count++] = e->name;
        TRY(parser_identifier(p, &e->name));
    }
    p->at++; /* ( */
    TRY(parse_arguments(p, e, str_eq_nocase(e->name, STR("struct"))));
    *expr = parse_finish(p, e, first);
    return true;
}

/* ---- special forms ------------------------------------------------------------------------------------------------ */

static struct ast_expr *string_node(struct parser *p, const struct token *t, struct str text)
{
    struct ast_expr *e = parse_node(p, AST_LITERAL);
    e->literal = (struct value){.type = type_simple(TYPE_STRING), .str = text};
    e->span = e->at = parser_token_span(t);
    return e;
}

static bool parse_item_expr(struct parser *p, struct ast_expr *node)
{
    struct ast_expr *e;
    TRY(parse_expr(p, &e));
    parse_item(p, node, e);
    return true;
}

static bool parse_case(struct parser *p, struct ast_expr **expr)
{
    uint32_t first = p->at;
    struct ast_expr *e = parse_node(p, AST_CASE);
    p->at++;
    e->has_operand = !parser_is_keyword(p, KEYWORD_WHEN);
    if (e->has_operand)
        TRY(parse_item_expr(p, e));
    do {
        TRY(parser_expect_keyword(p, KEYWORD_WHEN));
        TRY(parse_item_expr(p, e));
        TRY(parser_expect_keyword(p, KEYWORD_THEN));
        TRY(parse_item_expr(p, e));
    } while (parser_is_keyword(p, KEYWORD_WHEN));
    e->has_else = parser_accept_keyword(p, KEYWORD_ELSE);
    if (e->has_else)
        TRY(parse_item_expr(p, e));
    TRY(parser_expect_keyword(p, KEYWORD_END));
    *expr = parse_finish(p, e, first);
    return true;
}

static bool parse_cast(struct parser *p, struct ast_expr **expr)
{
    uint32_t first = p->at;
    struct ast_expr *e = parse_node(p, AST_CAST);
    e->try_ = parser_is_keyword(p, KEYWORD_TRY_CAST);
    p->at += 2;
    TRY(parse_item_expr(p, e));
    TRY(parser_expect_keyword(p, KEYWORD_AS));
    TRY(parse_type(p, &e->type));
    TRY(parser_expect(p, TOKEN_CLOSE, "\")\""));
    *expr = parse_finish(p, e, first);
    return true;
}

/* EXTRACT(field FROM source) → extract('FIELD', source) */
static bool parse_extract(struct parser *p, struct ast_expr **expr)
{
    uint32_t first = p->at;
    struct ast_expr *e = call_node(p, STR("extract"));
    p->at += 2;
    const struct token *t = parser_peek(p, 0);
    struct str field;
    if (t->kind == TOKEN_STRING)
        TRY(parse_string(p, &field));
    else
        TRY(parser_identifier(p, &field));
    parse_item(p, e, string_node(p, t, field));
    if (t->kind != TOKEN_STRING || !parser_accept(p, TOKEN_COMMA)) /* extract('year', x) too */
        TRY(parser_expect_keyword(p, KEYWORD_FROM));
    TRY(parse_item_expr(p, e));
    TRY(parser_expect(p, TOKEN_CLOSE, "\")\""));
    *expr = parse_finish(p, e, first);
    return true;
}

/* TRIM([BOTH | LEADING | TRAILING] [chars] FROM str) → trim, ltrim or rtrim of (str, chars), marked as this form by its name's case */
static bool parse_trim(struct parser *p, struct ast_expr **expr)
{
    uint32_t first = p->at;
    struct ast_expr *e = call_node(p, STR("trim")), *a, *b = NULL;
    p->at += 2;
    bool side = parser_peek(p, 1)->kind != TOKEN_COMMA && parser_peek(p, 1)->kind != TOKEN_CLOSE &&
                parser_peek(p, 1)->kind != TOKEN_DOT;
    bool form = false;
    if (side && parser_accept_keyword(p, KEYWORD_LEADING)) {
        e->name = STR("ltrim");
        form = true;
    } else if (side && parser_accept_keyword(p, KEYWORD_TRAILING)) {
        e->name = STR("rtrim");
        form = true;
    } else if (side && parser_accept_keyword(p, KEYWORD_BOTH)) {
        form = true;
    }
    if (form && parser_accept_keyword(p, KEYWORD_FROM)) {
        TRY(parse_expr(p, &a));
    } else {
        TRY(parse_expr(p, &a));
        if (parser_accept_keyword(p, KEYWORD_FROM)) {
            b = a;
            TRY(parse_expr(p, &a));
        } else if (!form && parser_accept(p, TOKEN_COMMA)) {
            TRY(parse_expr(p, &b)); /* trim(chars, str), as Spark's function has it */
            struct ast_expr *chars = a;
            a = b;
            b = chars;
        }
    }
    parse_item(p, e, a);
    if (b)
        parse_item(p, e, b);
    e->op = AST_NOT; /* arguments are in the kernel's order */
    TRY(parser_expect(p, TOKEN_CLOSE, "\")\""));
    *expr = parse_finish(p, e, first);
    return true;
}

/* SUBSTRING(str FROM pos [FOR len]), and the plain call */
static bool parse_substring(struct parser *p, struct ast_expr **expr)
{
    uint32_t first = p->at;
    struct ast_expr *e = call_node(p, parser_text(p, parser_peek(p, 0)));
    p->at += 2;
    if (parser_is(p, TOKEN_CLOSE) || parser_peek(p, 1)->kind == TOKEN_FAT_ARROW) {
        TRY(parse_arguments(p, e, false));
        *expr = parse_finish(p, e, first);
        return true;
    }
    TRY(parse_item_expr(p, e));
    bool form = parser_accept_keyword(p, KEYWORD_FROM);
    if (form)
        TRY(parse_item_expr(p, e));
    while (form ? parser_accept_keyword(p, KEYWORD_FOR) : parser_accept(p, TOKEN_COMMA))
        TRY(parse_item_expr(p, e));
    TRY(parser_expect(p, TOKEN_CLOSE, "\")\" or \",\""));
    *expr = parse_finish(p, e, first);
    return true;
}

/* POSITION(substr IN str): IN is no operator here, so the operand stops before it. */
static bool parse_position(struct parser *p, struct ast_expr **expr)
{
    uint32_t first = p->at;
    struct ast_expr *e = call_node(p, STR("position")), *operand;
    p->at += 2;
    TRY(parse_value_expr(p, &operand));
    parse_item(p, e, operand);
    if (parser_accept_keyword(p, KEYWORD_IN)) {
        e->name = STR("locate");
        TRY(parse_item_expr(p, e));
    } else {
        while (parser_accept(p, TOKEN_COMMA))
            TRY(parse_item_expr(p, e));
    }
    TRY(parser_expect(p, TOKEN_CLOSE, "\")\" or IN"));
    *expr = parse_finish(p, e, first);
    return true;
}

static bool parse_overlay(struct parser *p, struct ast_expr **expr)
{
    uint32_t first = p->at;
    struct ast_expr *e = call_node(p, STR("overlay"));
    p->at += 2;
    TRY(parse_item_expr(p, e));
    if (parser_accept_keyword(p, KEYWORD_PLACING)) {
        TRY(parse_item_expr(p, e));
        TRY(parser_expect_keyword(p, KEYWORD_FROM));
        TRY(parse_item_expr(p, e));
        if (parser_accept_keyword(p, KEYWORD_FOR))
            TRY(parse_item_expr(p, e));
    } else {
        while (parser_accept(p, TOKEN_COMMA))
            TRY(parse_item_expr(p, e));
    }
    TRY(parser_expect(p, TOKEN_CLOSE, "\")\""));
    *expr = parse_finish(p, e, first);
    return true;
}

/* timestampadd(unit, n, ts), dateadd(unit, n, ts), timestampdiff and datediff: the unit is a word. With two arguments the latter two are the
 * functions of days. */
static bool parse_unit_call(struct parser *p, struct ast_expr **expr)
{
    enum keyword k = (enum keyword)parser_peek(p, 0)->keyword;
    bool add = k == KEYWORD_TIMESTAMPADD || k == KEYWORD_DATEADD || k == KEYWORD_DATE_ADD;
    uint32_t first = p->at;
    struct ast_expr *e = call_node(p, add ? STR("timestampadd") : STR("timestampdiff"));
    p->at += 2;
    const struct token *unit = parser_peek(p, 0);
    if (unit->kind == TOKEN_STRING)
        return parser_fail(
            p, parser_token_span(unit),
            "INVALID_PARAMETER_VALUE.DATETIME_UNIT: the unit is a word such as MONTH, without quotes");
    p->at += 2; /* the unit and its comma */
    parse_item(p, e, string_node(p, unit, parser_text(p, unit)));
    TRY(parse_item_expr(p, e));
    TRY(parser_expect(p, TOKEN_COMMA, "\",\""));
    TRY(parse_item_expr(p, e));
    TRY(parser_expect(p, TOKEN_CLOSE, "\")\""));
    *expr = parse_finish(p, e, first);
    return true;
}

/* f(unit, …, …) with a bare word for a unit: two commas at the call's own level tell it from datediff(end, start). */
static bool is_unit_call(const struct parser *p)
{
    enum token_kind unit = (enum token_kind)parser_peek(p, 2)->kind;
    if ((unit != TOKEN_WORD && unit != TOKEN_STRING) || parser_peek(p, 3)->kind != TOKEN_COMMA)
        return false;
    uint32_t commas = 0, end = p->closes[p->at + 1];
    for (uint32_t i = p->at + 2; i < end; i++) {
        if (p->tokens[i].kind == TOKEN_OPEN)
            i = p->closes[i];
        else if (p->tokens[i].kind == TOKEN_COMMA)
            commas++;
    }
    return commas == 2;
}

/* CURRENT_DATE and its like without parentheses. */
static bool parse_bare_call(struct parser *p, struct ast_expr **expr)
{
    uint32_t first = p->at;
    struct ast_expr *e = call_node(p, parser_text(p, parser_peek(p, 0)));
    e->call->without_parens = true;
    p->at++;
    *expr = parse_finish(p, e, first);
    return true;
}

enum special_when {
    WITH_PARENS,    /* the next token is '(' */
    WITHOUT_PARENS, /* it is not */
    WITH_UNIT,
    ALWAYS,
};

static const struct {
    uint16_t keyword;
    uint8_t when;
    bool (*parse)(struct parser *p, struct ast_expr **expr);
} specials[] = {
    {KEYWORD_CASE, ALWAYS, parse_case},
    {KEYWORD_CAST, WITH_PARENS, parse_cast},
    {KEYWORD_TRY_CAST, WITH_PARENS, parse_cast},
    {KEYWORD_EXTRACT, WITH_PARENS, parse_extract},
    {KEYWORD_TRIM, WITH_PARENS, parse_trim},
    {KEYWORD_SUBSTRING, WITH_PARENS, parse_substring},
    {KEYWORD_SUBSTR, WITH_PARENS, parse_substring},
    {KEYWORD_POSITION, WITH_PARENS, parse_position},
    {KEYWORD_OVERLAY, WITH_PARENS, parse_overlay},
    {KEYWORD_TIMESTAMPADD, WITH_UNIT, parse_unit_call},
    {KEYWORD_DATEADD, WITH_UNIT, parse_unit_call},
    {KEYWORD_DATE_ADD, WITH_UNIT, parse_unit_call},
    {KEYWORD_TIMESTAMPDIFF, WITH_UNIT, parse_unit_call},
    {KEYWORD_DATEDIFF, WITH_UNIT, parse_unit_call},
    {KEYWORD_DATE_DIFF, WITH_UNIT, parse_unit_call},
    {KEYWORD_TIMEDIFF, WITH_UNIT, parse_unit_call},
    {KEYWORD_CURRENT_DATE, WITHOUT_PARENS, parse_bare_call},
    {KEYWORD_CURRENT_TIMESTAMP, WITHOUT_PARENS, parse_bare_call},
    {KEYWORD_LOCALTIMESTAMP, WITHOUT_PARENS, parse_bare_call},
    {KEYWORD_CURRENT_USER, WITHOUT_PARENS, parse_bare_call},
    {KEYWORD_SESSION_USER, WITHOUT_PARENS, parse_bare_call},
};

bool parse_special(struct parser *p, struct ast_expr **expr, bool *found)
{
    const struct token *t = parser_peek(p, 0), *next = parser_peek(p, 1);
    *found = false;
    if (t->keyword == KEYWORD_NONE)
        return true;
    for (size_t i = 0; i < sizeof specials / sizeof *specials; i++) {
        if (specials[i].keyword != t->keyword)
            continue;
        bool parens = next->kind == TOKEN_OPEN;
        switch (specials[i].when) {
        case WITH_PARENS: *found = parens; break;
        case WITHOUT_PARENS: *found = !parens && next->kind != TOKEN_DOT && next->kind != TOKEN_ARROW; break;
        case WITH_UNIT: *found = parens && is_unit_call(p); break;
        default:
            *found = next->kind != TOKEN_DOT && next->kind != TOKEN_COMMA && next->kind != TOKEN_CLOSE;
            break;
        }
        return *found ? specials[i].parse(p, expr) : true;
    }
    return true;
}

/* Expressions, by Spark's precedence, lowest first:
 *
 *     OR · AND · NOT · [NOT] BETWEEN IN LIKE IS · comparison · | · ^ · & · << >> >>> · + - || · * / % DIV · unary + - ~ · postfix
 *
 * A predicate takes whole comparisons as operands and cannot follow another one, as in Spark's grammar. Long chains of one operator
 * (a AND b AND … a thousand times) are loops and cost no depth. */
#include "sql/parse_private.h"

const char *ast_op_text(enum ast_op op)
{
    static const char *const texts[] = {
        "",   "OR",  "AND", "NOT", "=",  "<=>", "!=", "<", "<=",  ">", ">=", "|", "^",    "&",     "<<",
        ">>", ">>>", "+",   "-",   "||", "*",   "/",  "%", "div", "-", "+",  "~", "LIKE", "ILIKE", "RLIKE"};
    return texts[op];
}

struct ast_expr *parse_node(struct parser *p, enum ast_kind kind)
{
    struct ast_expr *e = arena_new(p->arena, struct ast_expr);
    e->kind = kind;
    e->note = arena_new(p->arena, struct ast_note);
    e->to = AST_UNIT_NONE;
    e->at = parser_token_span(parser_peek(p, 0));
    return e;
}

void parse_item(struct parser *p, struct ast_expr *node, struct ast_expr *item)
{
    PARSER_PUSH(p, node->items, node->count, item);
    if (item->depth >= node->depth)
        node->depth = item->depth + 1;
}

/* Loops build trees deeper than the parser's own recursion. */
static bool chain_is_short(struct parser *p, const struct ast_expr *e)
{
    return e->depth <= SQL_CHAIN_MAX ||
           parser_fail(p, e->at, "PARSE_SYNTAX_ERROR: the expression has more than %d levels", SQL_CHAIN_MAX);
}

struct ast_expr *parse_finish(struct parser *p, struct ast_expr *node, uint32_t first)
{
    node->span = parser_span(p, first);
    return node;
}

static struct ast_expr *binary(struct parser *p, enum ast_op op, struct ast_expr *left,
                               struct ast_expr *right, struct span at, uint32_t first)
{
    struct ast_expr *e = parse_node(p, AST_BINARY);
    e->op = op;
    e->at = at;
    parse_item(p, e, left);
    parse_item(p, e, right);
    return parse_finish(p, e, first);
}

/* ---- names and what stands behind an operand --------------------------------------------------------------------- */

/* [name.]*: the words in front were taken as `qualifier`. */
static bool parse_star(struct parser *p, struct ast_expr *qualifier, uint32_t first, struct ast_expr **expr)
{
    struct ast_expr *e = parse_node(p, AST_STAR);
    p->at++;
    if (qualifier)
        parse_item(p, e, qualifier);
    if (parser_is_keyword(p, KEYWORD_EXCEPT) && parser_peek(p, 1)->kind == TOKEN_OPEN &&
        !parser_is_keyword_at(p, 2, KEYWORD_SELECT)) {
        p->at++;
        TRY(parser_names(p, &e->names, &e->name_count));
    }
    *expr = parse_finish(p, e, first);
    return true;
}

static bool parse_field(struct parser *p, uint32_t first, struct ast_expr **expr)
{
    p->at++; /* . */
    if (parser_is(p, TOKEN_STAR))
        return parse_star(p, *expr, first, expr);
    struct ast_expr *e = parse_node(p, AST_FIELD);
    e->quoted = parser_is(p, TOKEN_QUOTED);
    parse_item(p, e, *expr);
    TRY(parser_identifier(p, &e->name));
    *expr = parse_finish(p, e, first);
    return true;
}

static bool parse_subscript(struct parser *p, uint32_t first, struct ast_expr **expr)
{
    struct ast_expr *e = parse_node(p, AST_SUBSCRIPT), *index;
    p->at++;
    parse_item(p, e, *expr);
    TRY(parse_value_expr(p, &index));
    parse_item(p, e, index);
    TRY(parser_expect(p, TOKEN_CLOSE_BRACKET, "\"]\""));
    *expr = parse_finish(p, e, first);
    return true;
}

static bool parse_double_colon(struct parser *p, uint32_t first, struct ast_expr **expr)
{
    struct ast_expr *e = parse_node(p, AST_CAST);
    p->at++;
    e->double_colon = true;
    parse_item(p, e, *expr);
    TRY(parse_type(p, &e->type));
    *expr = parse_finish(p, e, first);
    return true;
}

static bool parse_postfix(struct parser *p, uint32_t first, struct ast_expr **expr)
{
    for (;;) {
        TRY(chain_is_short(p, *expr));
        if (parser_is(p, TOKEN_DOT)) {
            TRY(parse_field(p, first, expr));
            if ((*expr)->kind == AST_STAR)
                return true;
        } else if (parser_is(p, TOKEN_OPEN_BRACKET)) {
            TRY(parse_subscript(p, first, expr));
        } else if (parser_is(p, TOKEN_DOUBLE_COLON)) {
            TRY(parse_double_colon(p, first, expr));
        } else if (parser_is_keyword(p, KEYWORD_COLLATE)) {
            struct ast_expr *e = parse_node(p, AST_COLLATE);
            p->at++;
            parse_item(p, e, *expr);
            TRY(parser_identifier(p, &e->name));
            *expr = parse_finish(p, e, first);
        } else {
            return true;
        }
    }
}

/* ---- operands ---------------------------------------------------------------------------------------------------- */

/* (names) -> body; *found = false and nothing taken if the parenthesis is something else. */
static bool parse_lambda(struct parser *p, struct ast_expr **expr, bool *found)
{
    uint32_t i = 0;
    bool parens = parser_is(p, TOKEN_OPEN);
    *found = false;
    if (parens) {
        do {
            const struct token *name = parser_peek(p, ++i);
            if (name->kind != TOKEN_WORD && name->kind != TOKEN_QUOTED)
                return true;
        } while (parser_peek(p, ++i)->kind == TOKEN_COMMA);
        if (parser_peek(p, i)->kind != TOKEN_CLOSE)
            return true;
    }
    if (parser_peek(p, i + 1)->kind != TOKEN_ARROW)
        return true;
    uint32_t first = p->at;
    struct ast_expr *e = parse_node(p, AST_LAMBDA), *body;
    *found = true;
    if (parens) {
        TRY(parser_names(p, &e->names, &e->name_count));
    } else {
        struct str name;
        TRY(parser_identifier(p, &name));
        PARSER_PUSH(p, e->names, e->name_count, name);
    }
    p->at++; /* -> */
    TRY(parse_expr(p, &body));
    parse_item(p, e, body);
    *expr = parse_finish(p, e, first);
    return true;
}

/* (expr), (a, b), (a AS b, c) or (query). */
static bool parse_parens(struct parser *p, struct ast_expr **expr)
{
    uint32_t first = p->at;
    bool lambda;
    TRY(parse_lambda(p, expr, &lambda));
    if (lambda)
        return true;
    struct ast_expr *e = parse_node(p, AST_ROW), *item;
    p->at++;
    if (parse_is_query(p)) {
        e->kind = AST_SUBQUERY;
        TRY(parse_query(p, &e->query));
        TRY(parser_expect(p, TOKEN_CLOSE, "\")\""));
        *expr = parse_finish(p, e, first);
        return true;
    }
    TRY(parse_named_expr(p, &item));
    parse_item(p, e, item);
    while (parser_accept(p, TOKEN_COMMA)) {
        TRY(parse_named_expr(p, &item));
        parse_item(p, e, item);
    }
    TRY(parser_expect(p, TOKEN_CLOSE, "\")\" or \",\""));
    *expr = e->count == 1 && item->kind != AST_ALIAS ? item : e;
    (*expr)->parens = true;
    /* the parentheses are part of what an error underlines, but not of a bare column's name */
    (*expr)->span = parser_span(p, first);
    return true;
}

static bool parse_parameter(struct parser *p, struct ast_expr **expr)
{
    uint32_t first = p->at;
    struct ast_expr *e = parse_node(p, AST_PARAMETER);
    if (!parser_accept(p, TOKEN_QUESTION)) {
        p->at++;
        TRY(parser_identifier(p, &e->name));
    }
    *expr = parse_finish(p, e, first);
    return true;
}

/* A reserved word is a name where nothing but an operand's end can follow it, as `order` in SELECT order, group FROM t. */
static bool reserved_is_name(const struct parser *p)
{
    static const uint8_t ends[] = {TOKEN_COMMA, TOKEN_CLOSE, TOKEN_END, TOKEN_SEMICOLON};
    const struct token *t = parser_peek(p, 0), *next = parser_peek(p, 1);
    if (t->keyword == KEYWORD_FROM || t->keyword == KEYWORD_WHERE || t->keyword == KEYWORD_SELECT ||
        t->keyword == KEYWORD_AS || t->keyword == KEYWORD_THEN || t->keyword == KEYWORD_WHEN ||
        t->keyword == KEYWORD_AND || t->keyword == KEYWORD_OR || t->keyword == KEYWORD_END)
        return next->kind == TOKEN_DOT && next->offset == t->offset + t->length;
    for (size_t i = 0; i < sizeof ends; i++)
        if (next->kind == ends[i] && t->keyword != KEYWORD_NOT)
            return true;
    return next->keyword == KEYWORD_FROM || next->kind == TOKEN_DOT ||
           (next->kind >= TOKEN_EQ && next->kind <= TOKEN_GE);
}

static bool is_call(const struct parser *p)
{
    uint32_t i = 0;
    while (parser_peek(p, i + 1)->kind == TOKEN_DOT && i < 4) {
        const struct token *name = parser_peek(p, i + 2);
        if (name->kind != TOKEN_WORD && name->kind != TOKEN_QUOTED)
            return false;
        i += 2;
    }
    return parser_peek(p, i + 1)->kind == TOKEN_OPEN;
}

static bool parse_name(struct parser *p, struct ast_expr **expr)
{
    uint32_t first = p->at;
    if (is_call(p))
        return parse_call(p, expr);
    struct ast_expr *e = parse_node(p, AST_NAME);
    e->quoted = parser_is(p, TOKEN_QUOTED);
    TRY(parser_identifier(p, &e->name));
    *expr = parse_finish(p, e, first);
    return true;
}

static bool parse_exists(struct parser *p, struct ast_expr **expr)
{
    uint32_t first = p->at;
    struct ast_expr *e = parse_node(p, AST_EXISTS);
    p->at += 2;
    TRY(parse_query(p, &e->query));
    TRY(parser_expect(p, TOKEN_CLOSE, "\")\""));
    *expr = parse_finish(p, e, first);
    return true;
}

static bool parse_word(struct parser *p, struct ast_expr **expr)
{
    bool found;
    TRY(parse_special(p, expr, &found));
    if (found)
        return true;
    TRY(parse_lambda(p, expr, &found));
    if (found)
        return true;
    if (parser_is_keyword(p, KEYWORD_EXISTS) && parser_peek(p, 1)->kind == TOKEN_OPEN) {
        p->at += 2;
        bool query = parse_is_query(p);
        p->at -= 2;
        if (query)
            return parse_exists(p, expr);
    }
    bool is_function = parser_peek(p, 1)->kind == TOKEN_OPEN && /* left(…), right(…), like(…), if(…) */
                       (parser_is_keyword(p, KEYWORD_LIKE) || parser_is_keyword(p, KEYWORD_ILIKE) ||
                        parser_is_keyword(p, KEYWORD_RLIKE) || parser_is_keyword(p, KEYWORD_REGEXP));
    if (!is_function && !parser_is_identifier(p, KEYWORD_RESERVED) && !reserved_is_name(p))
        return parser_unexpected(p, "an expression");
    return parse_name(p, expr);
}

static bool parse_primary(struct parser *p, struct ast_expr **expr)
{
    uint32_t first = p->at;
    bool found;
    TRY(parse_literal(p, expr, &found));
    if (!found) {
        switch (parser_peek(p, 0)->kind) {
        case TOKEN_WORD:
        case TOKEN_QUOTED: TRY(parse_word(p, expr)); break;
        case TOKEN_OPEN: TRY(parse_parens(p, expr)); break;
        case TOKEN_STAR: return parse_star(p, NULL, first, expr);
        case TOKEN_COLON:
        case TOKEN_QUESTION: TRY(parse_parameter(p, expr)); break;
        default: return parser_unexpected(p, "an expression");
        }
    }
    return (*expr)->kind == AST_LAMBDA || parse_postfix(p, first, expr);
}

/* ---- operators --------------------------------------------------------------------------------------------------- */

static enum ast_op unary_op(const struct parser *p)
{
    switch (parser_peek(p, 0)->kind) {
    case TOKEN_PLUS: return AST_PLUS;
    case TOKEN_MINUS: return AST_NEGATE;
    case TOKEN_TILDE: return AST_BIT_NOT;
    default: return AST_OP_NONE;
    }
}

static bool parse_unary(struct parser *p, struct ast_expr **expr)
{
    enum ast_op op = unary_op(p);
    if (op == AST_OP_NONE)
        return parse_primary(p, expr);
    enum token_kind next = (enum token_kind)parser_peek(p, 1)->kind;
    if (op == AST_NEGATE && next >= TOKEN_INTEGER && next <= TOKEN_NUMBER_SUFFIX)
        return parse_primary(p, expr); /* a negative literal */
    TRY(parser_enter(p));
    uint32_t first = p->at;
    struct ast_expr *e = parse_node(p, AST_UNARY), *operand;
    e->op = op;
    p->at++;
    TRY(parse_unary(p, &operand));
    parse_item(p, e, operand);
    *expr = parse_finish(p, e, first);
    parser_leave(p);
    return true;
}

enum { LEVEL_COMPARE, LEVEL_OR, LEVEL_XOR, LEVEL_AND, LEVEL_SHIFT, LEVEL_ADD, LEVEL_MULTIPLY, LEVEL_UNARY };

/* The binary operator that is next, its level, and of how many tokens it is made. */
static enum ast_op binary_op(const struct parser *p, int *level, uint32_t *tokens)
{
    static const struct {
        uint8_t token, op, level;
    } ops[] = {
        {TOKEN_EQ, AST_EQ, LEVEL_COMPARE},
        {TOKEN_EQ_NULL_SAFE, AST_EQ_NULL_SAFE, LEVEL_COMPARE},
        {TOKEN_NE, AST_NE, LEVEL_COMPARE},
        {TOKEN_LT, AST_LT, LEVEL_COMPARE},
        {TOKEN_LE, AST_LE, LEVEL_COMPARE},
        {TOKEN_GT, AST_GT, LEVEL_COMPARE},
        {TOKEN_GE, AST_GE, LEVEL_COMPARE},
        {TOKEN_PIPE, AST_BIT_OR, LEVEL_OR},
        {TOKEN_CARET, AST_BIT_XOR, LEVEL_XOR},
        {TOKEN_AMPERSAND, AST_BIT_AND, LEVEL_AND},
        {TOKEN_SHIFT_LEFT, AST_SHIFT_LEFT, LEVEL_SHIFT},
        {TOKEN_PLUS, AST_ADD, LEVEL_ADD},
        {TOKEN_MINUS, AST_SUBTRACT, LEVEL_ADD},
        {TOKEN_CONCAT, AST_CONCAT, LEVEL_ADD},
        {TOKEN_STAR, AST_MULTIPLY, LEVEL_MULTIPLY},
        {TOKEN_SLASH, AST_DIVIDE, LEVEL_MULTIPLY},
        {TOKEN_PERCENT, AST_MOD, LEVEL_MULTIPLY},
    };
    const struct token *t = parser_peek(p, 0);
    *tokens = 1;
    if (t->keyword == KEYWORD_DIV) {
        *level = LEVEL_MULTIPLY;
        return AST_DIV;
    }
    if (t->kind == TOKEN_GT && t[1].kind == TOKEN_GT && t[1].offset == t->offset + 1) {
        bool three = t[2].kind == TOKEN_GT && t[2].offset == t->offset + 2;
        *tokens = three ? 3 : 2;
        *level = LEVEL_SHIFT;
        return three ? AST_SHIFT_RIGHT_UNSIGNED : AST_SHIFT_RIGHT;
    }
    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++) {
        if (ops[i].token == t->kind) {
            *level = ops[i].level;
            return (enum ast_op)ops[i].op;
        }
    }
    return AST_OP_NONE;
}

/* Operands joined by operators of this level or a tighter one, to the left. */
static bool parse_binary(struct parser *p, int level, struct ast_expr **expr)
{
    uint32_t first = p->at;
    TRY(parse_unary(p, expr));
    for (;;) {
        int op_level;
        uint32_t tokens;
        enum ast_op op = binary_op(p, &op_level, &tokens);
        if (op == AST_OP_NONE || op_level < level)
            return true;
        TRY(chain_is_short(p, *expr));
        struct span at = parser_token_span(parser_peek(p, 0));
        at.length += tokens - 1;
        p->at += tokens;
        struct ast_expr *right;
        TRY(parser_enter(p));
        TRY(parse_binary(p, op_level + 1, &right));
        parser_leave(p);
        *expr = binary(p, op, *expr, right, at, first);
    }
}

bool parse_value_expr(struct parser *p, struct ast_expr **expr)
{
    TRY(parser_enter(p));
    TRY(parse_binary(p, LEVEL_COMPARE, expr));
    parser_leave(p);
    return true;
}

/* ---- predicates --------------------------------------------------------------------------------------------------- */

static bool parse_between(struct parser *p, struct ast_expr *e)
{
    struct ast_expr *bound;
    e->kind = AST_BETWEEN;
    TRY(parse_value_expr(p, &bound));
    parse_item(p, e, bound);
    TRY(parser_expect_keyword(p, KEYWORD_AND));
    TRY(parse_value_expr(p, &bound));
    parse_item(p, e, bound);
    return true;
}

static bool parse_in(struct parser *p, struct ast_expr *e)
{
    e->kind = AST_IN;
    TRY(parser_expect(p, TOKEN_OPEN, "\"(\""));
    if (parse_is_query(p))
        TRY(parse_query(p, &e->query));
    else
        TRY(parse_exprs(p, &e->items, &e->count));
    return parser_expect(p, TOKEN_CLOSE, "\")\" or \",\"");
}

static bool parse_like(struct parser *p, enum ast_op op, struct ast_expr *e)
{
    struct ast_expr *pattern;
    e->kind = AST_LIKE;
    e->op = op;
    bool any = parser_is_keyword(p, KEYWORD_ANY) || parser_is_keyword(p, KEYWORD_SOME);
    if ((any || parser_is_keyword(p, KEYWORD_ALL)) && parser_peek(p, 1)->kind == TOKEN_OPEN) {
        e->quantifier = any ? AST_ANY : AST_ALL;
        p->at += 2;
        if (parser_is(p, TOKEN_CLOSE))
            return parser_fail(p, e->at, "PARSE_SYNTAX_ERROR: expected something between \"(\" and \")\"");
        TRY(parse_exprs(p, &e->items, &e->count));
        return parser_expect(p, TOKEN_CLOSE, "\")\" or \",\"");
    }
    TRY(parse_value_expr(p, &pattern));
    parse_item(p, e, pattern);
    if (op != AST_RLIKE_OP && parser_accept_keyword(p, KEYWORD_ESCAPE)) {
        if (!parser_is(p, TOKEN_STRING))
            return parser_unexpected(p, "a string of one character");
        TRY(parse_value_expr(p, &pattern));
        if (pattern->kind != AST_LITERAL || pattern->literal.str.n != 1)
            return parser_fail(p, pattern->span,
                               "INVALID_ESCAPE_CHAR: ESCAPE takes a string of one character");
        parse_item(p, e, pattern);
        e->has_escape = true;
    }
    return true;
}

static bool parse_is(struct parser *p, struct ast_expr *e)
{
    e->kind = AST_IS;
    e->not_ = parser_accept_keyword(p, KEYWORD_NOT) || parser_accept(p, TOKEN_BANG);
    static const struct {
        uint16_t keyword;
        uint8_t test;
    } tests[] = {{KEYWORD_NULL, AST_IS_NULL},
                 {KEYWORD_TRUE, AST_IS_TRUE},
                 {KEYWORD_FALSE, AST_IS_FALSE},
                 {KEYWORD_UNKNOWN, AST_IS_UNKNOWN}};
    for (size_t i = 0; i < sizeof tests / sizeof *tests; i++) {
        if (parser_accept_keyword(p, (enum keyword)tests[i].keyword)) {
            e->test = (enum ast_test)tests[i].test;
            return true;
        }
    }
    if (!parser_is_keyword(p, KEYWORD_DISTINCT))
        return parser_unexpected(p, "NULL, TRUE, FALSE, UNKNOWN or DISTINCT FROM");
    p->at++;
    TRY(parser_expect_keyword(p, KEYWORD_FROM));
    struct ast_expr *other;
    e->test = AST_IS_DISTINCT;
    TRY(parse_value_expr(p, &other));
    parse_item(p, e, other);
    return true;
}

static bool parse_predicate(struct parser *p, struct ast_expr **expr)
{
    uint32_t first = p->at;
    TRY(parse_value_expr(p, expr));
    uint32_t not_ = parser_is_keyword(p, KEYWORD_NOT) || parser_is(p, TOKEN_BANG) ? 1 : 0;
    enum keyword k = (enum keyword)parser_peek(p, not_)->keyword;
    if (not_ && k != KEYWORD_BETWEEN && k != KEYWORD_IN && k != KEYWORD_LIKE && k != KEYWORD_ILIKE &&
        k != KEYWORD_RLIKE && k != KEYWORD_REGEXP)
        return true;
    if (k == KEYWORD_NONE)
        return true;
    struct ast_expr *e = parse_node(p, AST_IS);
    e->at = parser_token_span(parser_peek(p, not_));
    e->not_ = not_;
    parse_item(p, e, *expr);
    uint32_t before = p->at;
    p->at += not_ + 1;
    switch (k) {
    case KEYWORD_BETWEEN: TRY(parse_between(p, e)); break;
    case KEYWORD_IN: TRY(parse_in(p, e)); break;
    case KEYWORD_LIKE: TRY(parse_like(p, AST_LIKE_OP, e)); break;
    case KEYWORD_ILIKE: TRY(parse_like(p, AST_ILIKE_OP, e)); break;
    case KEYWORD_RLIKE:
    case KEYWORD_REGEXP: TRY(parse_like(p, AST_RLIKE_OP, e)); break;
    case KEYWORD_IS: TRY(parse_is(p, e)); break;
    default: p->at = before; return true;
    }
    *expr = parse_finish(p, e, first);
    return true;
}

static bool parse_not(struct parser *p, struct ast_expr **expr)
{
    bool bang = parser_is(p, TOKEN_BANG);
    if (!bang && (!parser_is_keyword(p, KEYWORD_NOT) || reserved_is_name(p)))
        return parse_predicate(p, expr);
    TRY(parser_enter(p));
    uint32_t first = p->at;
    struct ast_expr *e = parse_node(p, AST_UNARY), *operand;
    e->op = AST_NOT;
    p->at++;
    TRY(parse_not(p, &operand));
    parse_item(p, e, operand);
    *expr = parse_finish(p, e, first);
    parser_leave(p);
    return true;
}

/* a AND b AND c is one node of three items, and OR too: a chain of thousands has the depth of one. */
static bool parse_chain(struct parser *p, enum keyword k, enum ast_op op,
                        bool (*parse)(struct parser *p, struct ast_expr **expr), struct ast_expr **expr)
{
    uint32_t first = p->at;
    TRY(parse(p, expr));
    struct ast_expr *chain = NULL;
    while (parser_is_keyword(p, k)) {
        struct ast_expr *right;
        if (chain == NULL) {
            chain = parse_node(p, AST_BINARY);
            chain->op = op;
            parse_item(p, chain, *expr);
        }
        p->at++;
        TRY(parse(p, &right));
        parse_item(p, chain, right);
    }
    if (chain)
        *expr = parse_finish(p, chain, first);
    return true;
}

static bool parse_and(struct parser *p, struct ast_expr **expr)
{
    return parse_chain(p, KEYWORD_AND, AST_AND, parse_not, expr);
}

bool parse_expr(struct parser *p, struct ast_expr **expr)
{
    TRY(parser_enter(p));
    TRY(parse_chain(p, KEYWORD_OR, AST_OR, parse_and, expr));
    parser_leave(p);
    return true;
}

/* ---- lists -------------------------------------------------------------------------------------------------------- */

bool parse_named_expr(struct parser *p, struct ast_expr **expr)
{
    uint32_t first = p->at;
    TRY(parse_expr(p, expr));
    bool as = parser_accept_keyword(p, KEYWORD_AS);
    struct ast_expr *e = parse_node(p, AST_ALIAS);
    if (as && parser_is(p, TOKEN_OPEN)) {
        TRY(parser_names(p, &e->names, &e->name_count));
    } else if (as || parser_is_identifier(p, KEYWORD_CLAUSE)) {
        if (!as)
            p->alias_at = p->at;
        TRY(parser_identifier(p, &e->name));
    } else {
        return true;
    }
    parse_item(p, e, *expr);
    *expr = parse_finish(p, e, first);
    return true;
}

bool parse_exprs(struct parser *p, struct ast_expr ***items, uint32_t *count)
{
    do {
        struct ast_expr *e;
        TRY(parse_expr(p, &e));
        PARSER_PUSH(p, *items, *count, e);
    } while (parser_accept(p, TOKEN_COMMA));
    return true;
}

bool parse_sort_items(struct parser *p, struct ast_sort **items, uint32_t *count)
{
    do {
        struct ast_sort item = {0};
        TRY(parse_expr(p, &item.expr));
        if (parser_accept_keyword(p, KEYWORD_DESC))
            item.descending = true;
        else
            parser_accept_keyword(p, KEYWORD_ASC);
        if (parser_accept_keyword(p, KEYWORD_NULLS)) {
            item.nulls = parser_is_keyword(p, KEYWORD_LAST) ? 2 : 1;
            if (!parser_accept_keyword(p, KEYWORD_LAST))
                TRY(parser_expect_keyword(p, KEYWORD_FIRST));
        }
        PARSER_PUSH(p, *items, *count, item);
    } while (parser_accept(p, TOKEN_COMMA));
    return true;
}

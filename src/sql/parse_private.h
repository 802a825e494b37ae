/* The parser's own parts: one struct, and who parses what. parse.c has statements, parse_query.c queries, parse_from.c what stands behind
 * FROM, parse_expr.c expressions, parse_literal.c literals and types. */
#ifndef SQL_PARSE_PRIVATE_H
#define SQL_PARSE_PRIVATE_H

#include "sql/ast.h"
#include "sql/lex.h"

struct parser {
    struct arena *arena;
    struct str text;
    const struct token *tokens; /* the last one is TOKEN_END */
    uint32_t last;              /* its index */
    const uint32_t *closes;     /* of each '(' the index of its ')', `last` if there is none [last + 1] */
    uint32_t at;                /* the token that comes next */
    uint32_t alias_at;          /* token of the last alias without AS, for hints; UINT32_MAX = none */
    int depth;
    struct err *err;
};

/* ---- tokens */
static inline const struct token *parser_peek(const struct parser *p, uint32_t ahead)
{
    uint32_t i = p->at + ahead;
    return p->tokens + (i < p->last ? i : p->last);
}
static inline bool parser_is(const struct parser *p, enum token_kind kind)
{
    return p->tokens[p->at].kind == kind;
}
static inline bool parser_is_keyword(const struct parser *p, enum keyword k)
{
    return p->tokens[p->at].keyword == k;
}
static inline bool parser_is_keyword_at(const struct parser *p, uint32_t ahead, enum keyword k)
{
    return parser_peek(p, ahead)->keyword == k;
}
/* Takes the token if it is the one. */
bool parser_accept(struct parser *p, enum token_kind kind);
bool parser_accept_keyword(struct parser *p, enum keyword k);
/* Takes both or none. */
bool parser_accept_keywords(struct parser *p, enum keyword a, enum keyword b);
bool parser_expect(struct parser *p, enum token_kind kind, const char *what);
bool parser_expect_keyword(struct parser *p, enum keyword k);
struct str parser_text(const struct parser *p, const struct token *t);
/* From token `first` to the one before the next. */
struct span parser_span(const struct parser *p, uint32_t first);
static inline struct span parser_token_span(const struct token *t)
{
    return (struct span){t->offset, t->length};
}

/* ---- errors */
bool parser_fail(struct parser *p, struct span span, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* "syntax error at or near …, expected <what>" at the next token, with a hint. */
bool parser_unexpected(struct parser *p, const char *what);
bool parser_enter(struct parser *p);
static inline void parser_leave(struct parser *p)
{
    p->depth--;
}

/* ---- names */
/* A word or a quoted identifier, any keyword among them. */
bool parser_identifier(struct parser *p, struct str *name);
/* The next token may be an identifier, and is no keyword with one of these flags. */
bool parser_is_identifier(const struct parser *p, unsigned flags);
/* (a, b, …) */
bool parser_names(struct parser *p, struct str **names, uint32_t *count);
bool parser_relation_name(struct parser *p, struct relation_name *name);

/* A growing array in the arena: doubles when full. */
#define PARSER_PUSH(p, array, count, item)                                                                   \
    do {                                                                                                     \
        (array) = parser_grow((p)->arena, (array), (count), sizeof(__typeof__(*(array))));                   \
        (array)[(count)++] = (item);                                                                         \
    } while (0)
void *parser_grow(struct arena *arena, void *items, uint32_t count, size_t size);

/* ---- parts */
bool parse_query(struct parser *p, struct ast_query **query);
/* The next tokens begin a query: SELECT, WITH, VALUES …, or a parenthesis in front of one. */
bool parse_is_query(const struct parser *p);
bool parse_from(struct parser *p, struct ast_from **from);
bool parse_values(struct parser *p, struct ast_query *q);

bool parse_expr(struct parser *p, struct ast_expr **expr);
/* Without predicates, NOT, AND and OR: Spark's valueExpression. */
bool parse_value_expr(struct parser *p, struct ast_expr **expr);
/* expr [[AS] alias | AS (a, b)] */
bool parse_named_expr(struct parser *p, struct ast_expr **expr);
bool parse_exprs(struct parser *p, struct ast_expr ***items, uint32_t *count);
bool parse_sort_items(struct parser *p, struct ast_sort **items, uint32_t *count);
bool parse_window(struct parser *p, struct ast_window **window);
bool parse_call(struct parser *p, struct ast_expr **expr); /* a name and '(' are next */
struct ast_expr *parse_node(struct parser *p, enum ast_kind kind);
void parse_item(struct parser *p, struct ast_expr *node, struct ast_expr *item);
struct ast_expr *parse_finish(struct parser *p, struct ast_expr *node, uint32_t first);

/* Special forms of calls, by their name: CASE, CAST, EXTRACT … *found = false and nothing taken if it is none. */
bool parse_special(struct parser *p, struct ast_expr **expr, bool *found);

/* A literal if the next token begins one: numbers, strings, NULL, TRUE, DATE '…', INTERVAL …, X'…'. */
bool parse_literal(struct parser *p, struct ast_expr **expr, bool *found);
bool parse_number(struct parser *p, bool negative, struct value *value);
bool parse_type(struct parser *p, const struct type **type);
/* A string literal: neighbours joined. */
bool parse_string(struct parser *p, struct str *value);
bool parse_interval(struct parser *p, struct ast_expr **expr);

#endif

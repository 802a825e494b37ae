/* The parser's frame: tokens, names, errors, and statements.
 *
 * A recursive descent over the token array, with one token of lookahead in most places; since nearly every keyword of Spark may be a name
 * too, a few places look two or three tokens ahead. Nothing is ever parsed twice, so time is linear in the text; depth is bounded by
 * SQL_DEPTH_MAX. */
#include <stdio.h>

#include "sql/parse_private.h"

/* ---- tokens ---------------------------------------------------------------------------------------------------- */

bool parser_accept(struct parser *p, enum token_kind kind)
{
    if (!parser_is(p, kind))
        return false;
    p->at++;
    return true;
}

bool parser_accept_keyword(struct parser *p, enum keyword k)
{
    if (!parser_is_keyword(p, k))
        return false;
    p->at++;
    return true;
}

bool parser_accept_keywords(struct parser *p, enum keyword a, enum keyword b)
{
    if (!parser_is_keyword(p, a) || !parser_is_keyword_at(p, 1, b))
        return false;
    p->at += 2;
    return true;
}

bool parser_expect(struct parser *p, enum token_kind kind, const char *what)
{
    return parser_accept(p, kind) || parser_unexpected(p, what);
}

bool parser_expect_keyword(struct parser *p, enum keyword k)
{
    return parser_accept_keyword(p, k) || parser_unexpected(p, keyword_text(k));
}

struct str parser_text(const struct parser *p, const struct token *t)
{
    return str_n(p->text.p + t->offset, t->length);
}

struct span parser_span(const struct parser *p, uint32_t first)
{
    const struct token *from = p->tokens + first, *last = p->tokens + (p->at > first ? p->at - 1 : first);
    return (struct span){from->offset, last->offset + last->length - from->offset};
}

void *parser_grow(struct arena *arena, void *items, uint32_t count, size_t size)
{
    if (items != NULL && (count & (count - 1)) != 0)
        return items; /* room is a power of two: full only when the count is one */
    if (count != 0 && count < 4)
        return items;
    uint32_t capacity = count < 4 ? 4 : 2 * count;
    void *grown = arena_alloc(arena, mem_product(capacity, size));
    if (count)
        memcpy(grown, items, count * size);
    return grown;
}

/* ---- errors ---------------------------------------------------------------------------------------------------- */

bool parser_fail(struct parser *p, struct span span, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    err_vset(p->err, ERR_CONFIG, format, args);
    va_end(args);
    return sql_error_at(p->err, p->text, span);
}

bool parser_enter(struct parser *p)
{
    if (++p->depth <= SQL_DEPTH_MAX)
        return true;
    const struct token *t = parser_peek(p, 0);
    return parser_fail(p, parser_token_span(t),
                       "PARSE_SYNTAX_ERROR: the query is nested deeper than %d levels", SQL_DEPTH_MAX);
}

/* Words that people mistype, where one of them could have stood. */
static const char *const clause_words[] = {
    "SELECT",    "FROM",   "WHERE", "GROUP",     "HAVING",    "ORDER", "LIMIT",   "UNION", "JOIN", "INNER",
    "LEFT",      "RIGHT",  "CROSS", "BY",        "ON",        "AND",   "OR",      "NOT",   "AS",   "VALUES",
    "OFFSET",    "EXCEPT", "USING", "INTERSECT", "WINDOW",    "WITH",  "THEN",    "ELSE",  "END",  "WHEN",
    "WATERMARK", "STREAM", "DELAY", "OVER",      "PARTITION", "CASE",  "DISTINCT"};
static const char *const statement_words[] = {"SELECT", "WITH",     "VALUES", "FROM",    "INSERT", "CREATE",
                                              "DROP",   "DESCRIBE", "SET",    "EXPLAIN", "SHOW",   "TABLE"};

static const char *nearest_keyword(struct str word, bool statement)
{
    if (word.n < 2)
        return NULL;
    const char *const *words = statement ? statement_words : clause_words;
    size_t count = statement ? sizeof statement_words / sizeof *words : sizeof clause_words / sizeof *words;
    const char *nearest = str_nearest(word, words, count);
    return nearest && !str_eq_nocase(word, str_of(nearest)) ? nearest : NULL;
}

bool parser_unexpected(struct parser *p, const char *what)
{
    const struct token *t = parser_peek(p, 0);
    bool first = p->at == 0 || p->tokens[p->at - 1].kind == TOKEN_SEMICOLON;
    const char *hint = NULL;
    /* `SELECT a FORM t`: the alias that nobody meant is right before the place where parsing stopped. */
    if (p->at > 0 && p->alias_at == p->at - 1) {
        const struct token *alias = p->tokens + p->alias_at;
        hint = nearest_keyword(parser_text(p, alias), false);
        if (hint)
            t = alias;
    }
    if (hint == NULL && t->kind == TOKEN_WORD)
        hint = nearest_keyword(parser_text(p, t), first);
    if (t->kind == TOKEN_END)
        parser_fail(p, (struct span){t->offset, 1},
                    "PARSE_SYNTAX_ERROR: syntax error at the end of the text, expected %s", what);
    else
        parser_fail(p, parser_token_span(t),
                    "PARSE_SYNTAX_ERROR: syntax error at or near \"%.*s\", expected %s",
                    t->length > 60 ? 60 : (int)t->length, p->text.p + t->offset, what);
    return hint ? err_hint(p->err, "Did you mean \"%s\"?", hint) : false;
}

/* ---- names ----------------------------------------------------------------------------------------------------- */

bool parser_is_identifier(const struct parser *p, unsigned flags)
{
    const struct token *t = parser_peek(p, 0);
    return t->kind == TOKEN_QUOTED ||
           (t->kind == TOKEN_WORD && (keyword_flags((enum keyword)t->keyword) & flags) == 0);
}

bool parser_identifier(struct parser *p, struct str *name)
{
    const struct token *t = parser_peek(p, 0);
    if (t->kind == TOKEN_WORD)
        *name = parser_text(p, t);
    else if (t->kind == TOKEN_QUOTED)
        *name = sql_unescape(p->arena, p->text, t);
    else
        return parser_unexpected(p, "a name");
    if (name->n == 0)
        return parser_fail(p, parser_token_span(t), "PARSE_EMPTY_STATEMENT: a name cannot be empty");
    p->at++;
    return true;
}

bool parser_names(struct parser *p, struct str **names, uint32_t *count)
{
    TRY(parser_expect(p, TOKEN_OPEN, "\"(\""));
    do {
        struct str name;
        TRY(parser_identifier(p, &name));
        PARSER_PUSH(p, *names, *count, name);
    } while (parser_accept(p, TOKEN_COMMA));
    return parser_expect(p, TOKEN_CLOSE, "\")\" or \",\"");
}

bool parser_relation_name(struct parser *p, struct relation_name *name)
{
    uint32_t first = p->at;
    do {
        if (name->part_count == sizeof name->parts / sizeof *name->parts)
            return parser_unexpected(p, "a name of three parts at most");
        if (parser_is(p, TOKEN_STRING)) { /* IDENTIFIER('a') is one; a bare string never names a relation */
            return parser_unexpected(p, "the name of a relation");
        }
        TRY(parser_identifier(p, &name->parts[name->part_count]));
        name->part_count++;
    } while (parser_accept(p, TOKEN_DOT));
    name->span = parser_span(p, first);
    return true;
}

/* ---- statements ------------------------------------------------------------------------------------------------ */

static bool at_end(const struct parser *p)
{
    return parser_is(p, TOKEN_END) || parser_is(p, TOKEN_SEMICOLON);
}

static void skip_statement(struct parser *p)
{
    while (!at_end(p))
        p->at++;
}

static bool parse_if(struct parser *p, bool not_exists, bool *flag)
{
    if (!parser_is_keyword(p, KEYWORD_IF))
        return true;
    p->at++;
    if (not_exists)
        TRY(parser_expect_keyword(p, KEYWORD_NOT));
    *flag = true;
    return parser_expect_keyword(p, KEYWORD_EXISTS);
}

/* SET key = value: the text up to the end, whatever it is made of. */
static bool parse_set(struct parser *p, struct sql_statement *s)
{
    p->at++;
    s->kind = SQL_SET;
    if (parser_is_keyword(p, KEYWORD_TIME) && parser_is_keyword_at(p, 1, KEYWORD_ZONE)) {
        p->at += 2;
        s->key = STR("spark.sql.session.timeZone");
        if (parser_is(p, TOKEN_STRING))
            return parse_string(p, &s->value);
        uint32_t from = p->at;
        skip_statement(p);
        struct span span = parser_span(p, from);
        s->value = p->at > from ? str_n(p->text.p + span.offset, span.length) : STR("");
        return true;
    }
    uint32_t from = p->at;
    while (!at_end(p) && !parser_is(p, TOKEN_EQ))
        p->at++;
    struct span key = parser_span(p, from);
    if (p->at > from)
        s->key = str_n(p->text.p + key.offset, key.length);
    if (!parser_accept(p, TOKEN_EQ))
        return true;
    from = p->at;
    skip_statement(p);
    struct span value = parser_span(p, from);
    if (p->at > from)
        s->value = str_n(p->text.p + value.offset, value.length);
    return true;
}

/* (a, b COMMENT 'x', …) of a view: types never stand there. */
static bool parse_view_columns(struct parser *p, struct sql_statement *s)
{
    if (!parser_accept(p, TOKEN_OPEN))
        return true;
    do {
        struct str name;
        TRY(parser_identifier(p, &name));
        PARSER_PUSH(p, s->columns, s->column_count, name);
        if (parser_accept_keyword(p, KEYWORD_COMMENT))
            TRY(parse_string(p, &name));
    } while (parser_accept(p, TOKEN_COMMA));
    return parser_expect(p, TOKEN_CLOSE, "\")\" or \",\"");
}

static bool parse_create_view(struct parser *p, struct sql_statement *s)
{
    s->kind = SQL_CREATE_VIEW;
    TRY(parser_expect_keyword(p, KEYWORD_VIEW));
    TRY(parse_if(p, true, &s->if_not_exists));
    TRY(parser_relation_name(p, &s->name));
    if (parser_is_keyword(p, KEYWORD_USING) || parser_is_keyword(p, KEYWORD_OPTIONS)) {
        s->kind = SQL_OTHER; /* CREATE TEMPORARY VIEW x USING csv OPTIONS (…) */
        skip_statement(p);
        return true;
    }
    TRY(parse_view_columns(p, s));
    while (!at_end(p) && !parser_is_keyword(p, KEYWORD_AS))
        p->at++; /* COMMENT '…', TBLPROPERTIES (…) */
    TRY(parser_expect_keyword(p, KEYWORD_AS));
    return parse_query(p, &s->query);
}

/* The token behind the parenthesis that opens at p->at; p->at if none opens or it is never closed. */
static uint32_t behind_parens(const struct parser *p)
{
    if (!parser_is(p, TOKEN_OPEN) || p->closes[p->at] == p->last)
        return p->at;
    return p->closes[p->at] + 1;
}

/* A DDL list in parentheses, handed to type_parse_ddl as text. */
static bool parse_table_schema(struct parser *p, struct sql_statement *s)
{
    uint32_t end = behind_parens(p);
    if (end == p->at)
        return parser_unexpected(p, "a list of columns that ends in \")\"");
    struct span inside = {p->tokens[p->at].offset + 1, 0};
    inside.length = p->tokens[end - 1].offset - inside.offset;
    p->at = end;
    if (type_parse_ddl(p->arena, str_n(p->text.p + inside.offset, inside.length), &s->schema, p->err))
        return true;
    sql_error_shift(p->err, p->text, inside.offset);
    return false;
}

static bool parse_create_table(struct parser *p, struct sql_statement *s)
{
    s->kind = SQL_CREATE_TABLE;
    TRY(parser_expect_keyword(p, KEYWORD_TABLE));
    TRY(parse_if(p, true, &s->if_not_exists));
    TRY(parser_relation_name(p, &s->name));
    if (parser_is(p, TOKEN_OPEN) && !parse_is_query(p))
        TRY(parse_table_schema(p, s));
    while (!at_end(p) && !parser_is_keyword(p, KEYWORD_AS) && !parse_is_query(p))
        p->at++; /* USING, PARTITIONED BY, LOCATION … */
    if (at_end(p))
        return true;
    parser_accept_keyword(p, KEYWORD_AS);
    return parse_query(p, &s->query);
}

static bool parse_create(struct parser *p, struct sql_statement *s)
{
    p->at++;
    s->replace = parser_accept_keywords(p, KEYWORD_OR, KEYWORD_REPLACE);
    if (parser_accept_keyword(p, KEYWORD_GLOBAL) || parser_is_keyword(p, KEYWORD_TEMPORARY) ||
        parser_is_keyword(p, KEYWORD_TEMP)) {
        s->temporary = true;
        p->at++;
    }
    if (parser_is_keyword(p, KEYWORD_VIEW))
        return parse_create_view(p, s);
    if (parser_is_keyword(p, KEYWORD_TABLE))
        return parse_create_table(p, s);
    s->kind = SQL_OTHER; /* FUNCTION, DATABASE, VARIABLE … */
    skip_statement(p);
    return true;
}

static bool parse_drop(struct parser *p, struct sql_statement *s)
{
    p->at++;
    parser_accept_keyword(p, KEYWORD_TEMPORARY);
    bool view = parser_is_keyword(p, KEYWORD_VIEW);
    if (!view && !parser_is_keyword(p, KEYWORD_TABLE)) {
        s->kind = SQL_OTHER;
        skip_statement(p);
        return true;
    }
    p->at++;
    s->kind = view ? SQL_DROP_VIEW : SQL_DROP_TABLE;
    TRY(parse_if(p, false, &s->if_exists));
    TRY(parser_relation_name(p, &s->name));
    if (parser_is(p, TOKEN_WORD))
        p->at++; /* PURGE */
    return true;
}

static bool parse_insert(struct parser *p, struct sql_statement *s)
{
    p->at++;
    s->kind = SQL_INSERT;
    s->overwrite = parser_accept_keyword(p, KEYWORD_OVERWRITE);
    if (!s->overwrite)
        TRY(parser_expect_keyword(p, KEYWORD_INTO));
    parser_accept_keyword(p, KEYWORD_TABLE);
    TRY(parser_relation_name(p, &s->name));
    if (parser_accept_keyword(p, KEYWORD_PARTITION))
        p->at = behind_parens(p);
    if (parser_accept_keyword(p, KEYWORD_BY)) /* BY NAME */
        p->at++;
    if (parser_is(p, TOKEN_OPEN) && !parse_is_query(p))
        TRY(parser_names(p, &s->columns, &s->column_count));
    return parse_query(p, &s->query);
}

static bool parse_describe(struct parser *p, struct sql_statement *s)
{
    p->at++;
    s->kind = SQL_DESCRIBE;
    if (parser_is_keyword(p, KEYWORD_FUNCTION) || parser_is_keyword(p, KEYWORD_DATABASE) ||
        parser_is_keyword(p, KEYWORD_SCHEMA) || parser_is_keyword(p, KEYWORD_NAMESPACE)) {
        s->kind = SQL_OTHER;
        skip_statement(p);
        return true;
    }
    if (parse_is_query(p) && !parser_is_keyword(p, KEYWORD_TABLE))
        return parse_query(p, &s->query);
    parser_accept_keyword(p, KEYWORD_TABLE);
    parser_accept_keyword(p, KEYWORD_EXTENDED);
    parser_accept_keyword(p, KEYWORD_FORMATTED);
    if (parse_is_query(p))
        return parse_query(p, &s->query);
    TRY(parser_relation_name(p, &s->name));
    skip_statement(p); /* a partition, a column, AS JSON */
    return true;
}

static bool parse_explain(struct parser *p, struct sql_statement *s)
{
    p->at++;
    s->kind = SQL_EXPLAIN;
    static const enum keyword modes[] = {KEYWORD_LOGICAL, KEYWORD_FORMATTED, KEYWORD_EXTENDED,
                                         KEYWORD_CODEGEN, KEYWORD_COST};
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++)
        if (parser_accept_keyword(p, modes[i]))
            break;
    if (parse_is_query(p))
        return parse_query(p, &s->query);
    skip_statement(p);
    return true;
}

static bool parse_show(struct parser *p, struct sql_statement *s)
{
    s->kind = SQL_SHOW;
    skip_statement(p);
    return true;
}

static bool parse_other(struct parser *p, struct sql_statement *s)
{
    s->kind = SQL_OTHER;
    skip_statement(p);
    return true;
}

static const struct {
    uint16_t keyword;
    bool (*parse)(struct parser *p, struct sql_statement *s);
} verbs[] = {
    {KEYWORD_SET, parse_set},         {KEYWORD_CREATE, parse_create},     {KEYWORD_DROP, parse_drop},
    {KEYWORD_INSERT, parse_insert},   {KEYWORD_DESCRIBE, parse_describe}, {KEYWORD_DESC, parse_describe},
    {KEYWORD_EXPLAIN, parse_explain}, {KEYWORD_SHOW, parse_show},         {KEYWORD_CACHE, parse_other},
    {KEYWORD_UNCACHE, parse_other},   {KEYWORD_CLEAR, parse_other},       {KEYWORD_ALTER, parse_other},
    {KEYWORD_TRUNCATE, parse_other},  {KEYWORD_MERGE, parse_other},       {KEYWORD_UPDATE, parse_other},
    {KEYWORD_DELETE, parse_other},    {KEYWORD_ANALYZE, parse_other},     {KEYWORD_REFRESH, parse_other},
    {KEYWORD_RESET, parse_other},     {KEYWORD_USE, parse_other},         {KEYWORD_MSCK, parse_other},
    {KEYWORD_GRANT, parse_other},     {KEYWORD_REVOKE, parse_other},      {KEYWORD_COMMENT, parse_other},
    {KEYWORD_LOAD, parse_other},      {KEYWORD_ADD, parse_other},         {KEYWORD_LIST, parse_other},
    {KEYWORD_DECLARE, parse_other},   {KEYWORD_EXECUTE, parse_other},     {KEYWORD_CALL, parse_other},
    {KEYWORD_REPAIR, parse_other},    {KEYWORD_LOCK, parse_other},        {KEYWORD_UNLOCK, parse_other},
};

static struct str upper_word(struct parser *p, const struct token *t)
{
    if (t->keyword)
        return str_of(keyword_text((enum keyword)t->keyword));
    return parser_text(p, t);
}

static bool parse_statement(struct parser *p, struct sql_statement *s)
{
    uint32_t first = p->at;
    const struct token *t = parser_peek(p, 0);
    s->verb = upper_word(p, t);
    bool done = false;
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs && !done; i++) {
        if (t->kind == TOKEN_WORD && verbs[i].keyword == t->keyword) {
            TRY(verbs[i].parse(p, s));
            done = true;
        }
    }
    if (!done) {
        if (!parse_is_query(p))
            return parser_unexpected(p, "a statement");
        TRY(parse_query(p, &s->query));
    }
    if (!at_end(p))
        return parser_unexpected(p, "the end of the statement");
    struct span span = parser_span(p, first);
    s->text = str_n(p->text.p + span.offset, span.length);
    s->offset = span.offset;
    return true;
}

/* Matches parentheses, so that looking behind one costs nothing however deep they are nested. */
static const uint32_t *match_parens(struct arena *arena, const struct token *tokens, uint32_t last)
{
    uint32_t *closes = arena_zarray(arena, uint32_t, last + 1);
    uint32_t open =
        last; /* the innermost open one; closes[] links to the one around it until its own is found */
    for (uint32_t i = 0; i < last; i++) {
        if (tokens[i].kind == TOKEN_OPEN) {
            closes[i] = open;
            open = i;
        } else if (tokens[i].kind == TOKEN_CLOSE && open != last) {
            uint32_t outer = closes[open];
            closes[open] = i;
            open = outer;
        }
    }
    while (open != last) {
        uint32_t outer = closes[open];
        closes[open] = last;
        open = outer;
    }
    return closes;
}

static bool parser_init(struct parser *p, struct arena *arena, struct str text, struct err *err)
{
    *p = (struct parser){.arena = arena, .text = text, .err = err, .alias_at = UINT32_MAX};
    struct token *tokens = NULL;
    uint32_t count;
    TRY(sql_lex(arena, text, &tokens, &count, err));
    p->tokens = tokens;
    p->last = count - 1;
    p->closes = match_parens(arena, tokens, p->last);
    return true;
}

bool sql_parse(struct arena *arena, struct str text, struct sql_statement **statements, uint32_t *count,
               struct err *err)
{
    struct parser p;
    TRY(parser_init(&p, arena, text, err));
    *statements = NULL;
    *count = 0;
    while (!parser_is(&p, TOKEN_END)) {
        if (parser_accept(&p, TOKEN_SEMICOLON))
            continue;
        struct sql_statement s = {.kind = SQL_QUERY};
        TRY(parse_statement(&p, &s));
        PARSER_PUSH(&p, *statements, *count, s);
    }
    return true;
}

bool sql_parse_query(struct arena *arena, struct str text, struct ast_query **query, struct err *err)
{
    struct parser p;
    TRY(parser_init(&p, arena, text, err));
    if (parser_is(&p, TOKEN_END))
        return parser_unexpected(&p, "a query");
    if (!parse_is_query(&p))
        return parser_unexpected(&p, "SELECT, WITH, VALUES or FROM");
    TRY(parse_query(&p, query));
    while (parser_accept(&p, TOKEN_SEMICOLON))
        ;
    return parser_is(&p, TOKEN_END) || parser_unexpected(&p, "the end of the query");
}

bool sql_parse_expr(struct arena *arena, struct str text, struct ast_expr **expr, struct err *err)
{
    struct parser p;
    TRY(parser_init(&p, arena, text, err));
    TRY(parse_named_expr(&p, expr));
    return parser_is(&p, TOKEN_END) || parser_unexpected(&p, "the end of the expression");
}

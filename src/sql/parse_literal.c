/* Literals and types. A number's type is Spark's: the smallest of INT, BIGINT and DECIMAL(digits, 0) for whole ones, DECIMAL of its own digits
 * with a point, DOUBLE with an exponent, or what its suffix says. A minus in front belongs to the number, so that −2147483648 is an INT. */
#include <math.h>

#include "sql/parse_private.h"
#include "type/cast.h"

/* ---- numbers ------------------------------------------------------------------------------------------------------ */

static bool bad_number(struct parser *p, const struct token *t, const char *type)
{
    return parser_fail(p, parser_token_span(t),
                       "INVALID_NUMERIC_LITERAL_RANGE: the number \"%.*s\" is outside of %s",
                       t->length > 60 ? 60 : (int)t->length, p->text.p + t->offset, type);
}

static bool exact_number(struct parser *p, const struct token *t, struct str text, struct value *value)
{
    struct decimal_shape shape;
    if (decimal_parse_exact(text, &value->decimal, &shape) != DECIMAL_OK)
        return bad_number(p, t, "DECIMAL(38)");
    value->type = type_decimal(p->arena, shape.precision, shape.scale);
    return true;
}

static bool whole_number(struct parser *p, const struct token *t, struct str text, struct value *value)
{
    if (!str_to_i64(text, &value->i64))
        return exact_number(p, t, text, value);
    bool is_int = value->i64 >= INT32_MIN && value->i64 <= INT32_MAX;
    value->type = type_simple(is_int ? TYPE_INT : TYPE_LONG);
    return true;
}

static bool float_number(struct parser *p, const struct token *t, struct str text, bool single,
                         struct value *value)
{
    float f = 0;
    bool ok = single ? number_to_f32(text, &f) : number_to_f64(text, &value->f64);
    if (single)
        value->f64 = (double)f;
    if (!ok || isinf(value->f64))
        return bad_number(p, t, single ? "FLOAT" : "DOUBLE");
    value->type = type_simple(single ? TYPE_FLOAT : TYPE_DOUBLE);
    return true;
}

static bool suffixed_number(struct parser *p, const struct token *t, struct str text, struct value *value)
{
    int suffix = p->text.p[t->offset + t->length - t->suffix] | 0x20;
    text.n -= t->suffix;
    static const struct {
        char suffix;
        uint8_t kind;
        const char *name;
    } integers[] = {{'y', TYPE_BYTE, "TINYINT"}, {'s', TYPE_SHORT, "SMALLINT"}, {'l', TYPE_LONG, "BIGINT"}};
    for (size_t i = 0; i < sizeof integers / sizeof *integers; i++) {
        if (suffix != integers[i].suffix)
            continue;
        enum type_kind kind = (enum type_kind)integers[i].kind;
        if (!str_to_i64(text, &value->i64) || value->i64 < type_int_min(kind) ||
            value->i64 > type_int_max(kind))
            return bad_number(p, t, integers[i].name);
        value->type = type_simple(kind);
        return true;
    }
    return suffix == 'b' ? exact_number(p, t, text, value) : float_number(p, t, text, suffix == 'f', value);
}

bool parse_number(struct parser *p, bool negative, struct value *value)
{
    const struct token *t = parser_peek(p, 0);
    struct str text = parser_text(p, t);
    if (negative) {
        char *copy = arena_alloc(p->arena, text.n + 1);
        copy[0] = '-';
        memcpy(copy + 1, text.p, text.n);
        text = str_n(copy, text.n + 1);
    }
    p->at++;
    switch (t->kind) {
    case TOKEN_INTEGER: return whole_number(p, t, text, value);
    case TOKEN_DECIMAL: return exact_number(p, t, text, value);
    case TOKEN_EXPONENT: return float_number(p, t, text, false, value);
    default: return suffixed_number(p, t, text, value);
    }
}

static bool is_number(const struct token *t)
{
    return t->kind >= TOKEN_INTEGER && t->kind <= TOKEN_NUMBER_SUFFIX;
}

/* ---- strings ------------------------------------------------------------------------------------------------------ */

bool parse_string(struct parser *p, struct str *value)
{
    if (!parser_is(p, TOKEN_STRING))
        return parser_unexpected(p, "a string");
    *value = sql_unescape(p->arena, p->text, parser_peek(p, 0));
    p->at++;
    if (!parser_is(p, TOKEN_STRING))
        return true;
    uint32_t first = p->at;
    size_t n = value->n;
    for (; parser_is(p, TOKEN_STRING); p->at++)
        n += parser_peek(p, 0)->length;
    char *joined = arena_alloc(p->arena, n);
    memcpy(joined, value->p, value->n);
    n = value->n;
    for (uint32_t i = first; i < p->at; i++) {
        struct str next = sql_unescape(p->arena, p->text, p->tokens + i);
        memcpy(joined + n, next.p, next.n);
        n += next.n;
    }
    *value = str_n(joined, n);
    return true;
}

static bool parse_binary_literal(struct parser *p, struct value *value)
{
    struct span span = parser_token_span(parser_peek(p, 0));
    struct str hex = {0};
    TRY(parse_string(p, &hex));
    size_t odd = hex.n % 2;
    char *digits = arena_alloc(p->arena, hex.n + odd + 1);
    digits[0] = '0';
    if (hex.n)
        memcpy(digits + odd, hex.p, hex.n);
    uint8_t *bytes = arena_alloc(p->arena, (hex.n + odd) / 2 + 1);
    for (size_t i = 0; i < (hex.n + odd) / 2; i++) {
        int64_t v;
        char pair[] = {digits[2 * i], digits[2 * i + 1]};
        static const char all[] = "0123456789abcdef";
        const char *a = pair[0] ? strchr(all, pair[0] >= 'A' && pair[0] <= 'F' ? pair[0] | 0x20 : pair[0])
                                : NULL;
        const char *b = pair[1] ? strchr(all, pair[1] >= 'A' && pair[1] <= 'F' ? pair[1] | 0x20 : pair[1])
                                : NULL;
        if (a == NULL || b == NULL)
            return parser_fail(p, span, "INVALID_TYPED_LITERAL: X'…' takes hexadecimal digits");
        v = (a - all) * 16 + (b - all);
        bytes[i] = (uint8_t)v;
    }
    value->type = type_simple(TYPE_BINARY);
    value->str = str_n(bytes, (hex.n + odd) / 2);
    return true;
}

/* ---- intervals ---------------------------------------------------------------------------------------------------- */

static enum ast_unit unit_of(const struct token *t)
{
    static const struct {
        uint16_t one, many;
        int8_t unit;
    } units[] = {
        {KEYWORD_YEAR, KEYWORD_YEARS, AST_UNIT_YEAR},
        {KEYWORD_MONTH, KEYWORD_MONTHS, AST_UNIT_MONTH},
        {KEYWORD_DAY, KEYWORD_DAYS, AST_UNIT_DAY},
        {KEYWORD_HOUR, KEYWORD_HOURS, AST_UNIT_HOUR},
        {KEYWORD_MINUTE, KEYWORD_MINUTES, AST_UNIT_MINUTE},
        {KEYWORD_SECOND, KEYWORD_SECONDS, AST_UNIT_SECOND},
        {KEYWORD_WEEK, KEYWORD_WEEKS, AST_UNIT_WEEK},
        {KEYWORD_MILLISECOND, KEYWORD_MILLISECONDS, AST_UNIT_MILLISECOND},
        {KEYWORD_MICROSECOND, KEYWORD_MICROSECONDS, AST_UNIT_MICROSECOND},
    };
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (t->keyword == units[i].one || t->keyword == units[i].many)
            return t->keyword ? (enum ast_unit)units[i].unit : AST_UNIT_NONE;
    return AST_UNIT_NONE;
}

/* INTERVAL is a name unless an amount stands behind it. */
static bool is_interval(const struct parser *p)
{
    const struct token *t = parser_peek(p, 1);
    if (t->kind == TOKEN_STRING)
        return true;
    bool sign = t->kind == TOKEN_PLUS || t->kind == TOKEN_MINUS;
    const struct token *amount = parser_peek(p, sign ? 2 : 1);
    if (!is_number(amount) && amount->kind != TOKEN_STRING)
        return false;
    return unit_of(parser_peek(p, sign ? 3 : 2)) != AST_UNIT_NONE;
}

/* [sign] number or string, as a literal: a signed string gets a minus of its own. */
static bool parse_amount(struct parser *p, struct ast_expr *interval)
{
    uint32_t first = p->at;
    struct ast_expr *amount = parse_node(p, AST_LITERAL);
    bool negative = parser_accept(p, TOKEN_MINUS);
    if (!negative)
        parser_accept(p, TOKEN_PLUS);
    if (is_number(parser_peek(p, 0))) {
        TRY(parse_number(p, negative, &amount->literal));
    } else {
        struct str text = {0};
        TRY(parse_string(p, &text));
        text = str_trim(text);
        if (negative) {
            bool twice = text.n && text.p[0] == '-';
            char *signed_text = arena_alloc(p->arena, text.n + 1);
            signed_text[0] = '-';
            memcpy(signed_text + 1, text.p, text.n);
            text = twice ? str_n(text.p + 1, text.n - 1) : str_n(signed_text, text.n + 1);
        }
        amount->literal = (struct value){.type = type_simple(TYPE_STRING), .str = text};
    }
    parse_item(p, interval, parse_finish(p, amount, first));
    return true;
}

bool parse_interval(struct parser *p, struct ast_expr **expr)
{
    uint32_t first = p->at, unit_count = 0;
    struct ast_expr *e = parse_node(p, AST_INTERVAL);
    p->at++;
    do {
        TRY(parse_amount(p, e));
        enum ast_unit unit = unit_of(parser_peek(p, 0));
        if (unit == AST_UNIT_NONE && unit_count > 0)
            return parser_unexpected(p, "a unit, such as DAY or MINUTES");
        if (unit != AST_UNIT_NONE)
            p->at++;
        PARSER_PUSH(p, e->units, unit_count, unit);
        if (unit == AST_UNIT_NONE)
            break;
        if (unit_count == 1 && parser_is_keyword(p, KEYWORD_TO)) {
            p->at++;
            e->to = unit_of(parser_peek(p, 0));
            if (e->to == AST_UNIT_NONE)
                return parser_unexpected(p, "a unit, such as MONTH or SECOND");
            p->at++;
            break;
        }
    } while (parser_is(p, TOKEN_STRING) || is_number(parser_peek(p, 0)) ||
             ((parser_is(p, TOKEN_MINUS) || parser_is(p, TOKEN_PLUS)) &&
              (is_number(parser_peek(p, 1)) || parser_peek(p, 1)->kind == TOKEN_STRING) &&
              unit_of(parser_peek(p, 2)) != AST_UNIT_NONE));
    *expr = parse_finish(p, e, first);
    return true;
}

/* ---- all of them -------------------------------------------------------------------------------------------------- */

/* DATE '…' and its like; X'…' must touch in Spark's grammar no more than others. */
static bool parse_typed(struct parser *p, struct ast_expr *e, bool *found)
{
    static const struct {
        uint16_t keyword;
        const char *name;
    } typed[] = {{KEYWORD_DATE, "DATE"},
                 {KEYWORD_TIME, "TIME"},
                 {KEYWORD_TIMESTAMP, "TIMESTAMP"},
                 {KEYWORD_TIMESTAMP_NTZ, "TIMESTAMP_NTZ"},
                 {KEYWORD_TIMESTAMP_LTZ, "TIMESTAMP_LTZ"}};
    const struct token *t = parser_peek(p, 0);
    if (parser_peek(p, 1)->kind != TOKEN_STRING)
        return true;
    if (t->keyword == KEYWORD_X) {
        *found = true;
        p->at++;
        return parse_binary_literal(p, &e->literal);
    }
    for (size_t i = 0; i < sizeof typed / sizeof *typed; i++) {
        if (t->keyword != typed[i].keyword)
            continue;
        *found = true;
        p->at++;
        e->kind = AST_TYPED;
        e->name = str_of(typed[i].name);
        e->literal.type = type_simple(TYPE_STRING);
        return parse_string(p, &e->literal.str);
    }
    return true;
}

static bool parse_word_literal(struct parser *p, struct ast_expr *e, bool *found)
{
    const struct token *t = parser_peek(p, 0);
    *found = true;
    if (t->keyword == KEYWORD_NULL) {
        p->at++;
        e->literal = value_null(type_simple(TYPE_NULL));
        return true;
    }
    if (t->keyword == KEYWORD_TRUE || t->keyword == KEYWORD_FALSE) {
        p->at++;
        e->literal = (struct value){.type = type_simple(TYPE_BOOLEAN), .boolean = t->keyword == KEYWORD_TRUE};
        return true;
    }
    *found = false;
    return parse_typed(p, e, found);
}

bool parse_literal(struct parser *p, struct ast_expr **expr, bool *found)
{
    const struct token *t = parser_peek(p, 0);
    uint32_t first = p->at;
    *found = true;
    if (t->keyword == KEYWORD_INTERVAL && is_interval(p))
        return parse_interval(p, expr);
    struct ast_expr *e = parse_node(p, AST_LITERAL);
    bool negative = t->kind == TOKEN_MINUS && is_number(parser_peek(p, 1));
    if (negative)
        p->at++;
    if (negative || is_number(t)) {
        TRY(parse_number(p, negative, &e->literal));
    } else if (t->kind == TOKEN_STRING) {
        e->literal.type = type_simple(TYPE_STRING);
        TRY(parse_string(p, &e->literal.str));
    } else if (t->kind == TOKEN_WORD) {
        TRY(parse_word_literal(p, e, found));
        if (!*found)
            return true;
    } else {
        *found = false;
        return true;
    }
    *expr = parse_finish(p, e, first);
    return true;
}

/* ---- types -------------------------------------------------------------------------------------------------------- */

/* Takes from an opening token to the one that closes it. */
static bool skip_nested(struct parser *p, enum token_kind open, enum token_kind close, const char *what)
{
    int depth = 0;
    do {
        if (parser_is(p, TOKEN_END) || parser_is(p, TOKEN_SEMICOLON))
            return parser_unexpected(p, what);
        if (parser_is(p, open))
            depth++;
        else if (parser_is(p, close))
            depth--;
        p->at++;
    } while (depth > 0);
    return true;
}

bool parse_type(struct parser *p, const struct type **type)
{
    uint32_t first = p->at;
    if (!parser_is(p, TOKEN_WORD))
        return parser_unexpected(p, "a type");
    bool interval = parser_is_keyword(p, KEYWORD_INTERVAL);
    p->at++;
    if (interval) {
        if (unit_of(parser_peek(p, 0)) != AST_UNIT_NONE)
            p->at++;
        if (parser_is_keyword(p, KEYWORD_TO) && unit_of(parser_peek(p, 1)) != AST_UNIT_NONE)
            p->at += 2;
    } else if (str_eq_nocase(parser_text(p, parser_peek(p, 0)), STR("without")) ||
               (parser_is_keyword(p, KEYWORD_WITH) && parser_is_keyword_at(p, 1, KEYWORD_LOCAL))) {
        while (!parser_is(p, TOKEN_END) && !parser_is_keyword(p, KEYWORD_ZONE))
            p->at++; /* TIMESTAMP WITHOUT TIME ZONE */
        TRY(parser_expect_keyword(p, KEYWORD_ZONE));
    } else if (parser_is(p, TOKEN_OPEN)) {
        TRY(skip_nested(p, TOKEN_OPEN, TOKEN_CLOSE, "\")\""));
    } else if (parser_is(p, TOKEN_LT)) {
        TRY(skip_nested(p, TOKEN_LT, TOKEN_GT, "\">\""));
    } else {
        parser_accept(p, TOKEN_NE); /* STRUCT<> */
    }
    if (parser_is_keyword(p, KEYWORD_COLLATE) && parser_peek(p, 1)->kind == TOKEN_WORD)
        p->at += 2;
    struct span span = parser_span(p, first);
    if (type_parse(p->arena, str_n(p->text.p + span.offset, span.length), type, p->err))
        return true;
    sql_error_shift(p->err, p->text, span.offset);
    return false;
}

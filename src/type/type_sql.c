/* Types as SQL text: a small recursive-descent parser for types and DDL lists, and the two printers.
 *
 * The parser reads Spark's spelling and its own printers' ("a INT" and "a: int"); every keyword can be a
 * name, as in Spark. Recursion is bounded by TYPE_DEPTH_MAX. */
#include "type/type.h"

#include <stdio.h>

#include "base/check.h"
#include "base/map.h"
#include "base/utf8.h"
#include "type/timestamp.h"

/* ---- names --------------------------------------------------------------------------------------------- */

struct type_name {
    const char *name;
    enum type_kind kind;
};

/* What a type may be called. The first of a kind is what the SQL printer prints. */
static const struct type_name names[] = {
    {"void", TYPE_NULL},
    {"null", TYPE_NULL},
    {"boolean", TYPE_BOOLEAN},
    {"tinyint", TYPE_BYTE},
    {"byte", TYPE_BYTE},
    {"smallint", TYPE_SHORT},
    {"short", TYPE_SHORT},
    {"int", TYPE_INT},
    {"integer", TYPE_INT},
    {"bigint", TYPE_LONG},
    {"long", TYPE_LONG},
    {"float", TYPE_FLOAT},
    {"real", TYPE_FLOAT},
    {"double", TYPE_DOUBLE},
    {"decimal", TYPE_DECIMAL},
    {"dec", TYPE_DECIMAL},
    {"numeric", TYPE_DECIMAL},
    {"string", TYPE_STRING},
    {"varchar", TYPE_STRING},
    {"char", TYPE_STRING},
    {"character", TYPE_STRING},
    {"binary", TYPE_BINARY},
    {"date", TYPE_DATE},
    {"timestamp", TYPE_TIMESTAMP},
    {"timestamp_ltz", TYPE_TIMESTAMP},
    {"timestamp_ntz", TYPE_TIMESTAMP_NTZ},
    {"interval", TYPE_INTERVAL_DT},
    {"array", TYPE_ARRAY},
    {"map", TYPE_MAP},
    {"struct", TYPE_STRUCT},
    {"variant", TYPE_VARIANT},
};
enum { NAMES = sizeof names / sizeof names[0] };

static const char *const units[] = {"YEAR", "MONTH", "DAY", "HOUR", "MINUTE", "SECOND"};

const char *interval_unit_name(enum interval_unit unit)
{
    return units[unit];
}

/* ---- tokens -------------------------------------------------------------------------------------------- */

enum token_kind { TOKEN_END, TOKEN_WORD, TOKEN_QUOTED, TOKEN_STRING, TOKEN_MARK, TOKEN_BAD };

struct token {
    enum token_kind kind;
    struct str text; /* as written */
};

struct parser {
    struct arena *arena;
    struct str sql;
    size_t at; /* behind the token */
    struct token token;
    unsigned depth;
    struct err *err;
};

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           (c & 0x80);
}

/* Past white space and comments; a block comment that does not end runs to the end. */
static size_t skip_blank(struct str s, size_t at)
{
    while (at < s.n) {
        char c = s.p[at];
        if (c == ' ' || (c >= '\t' && c <= '\r')) {
            at++;
        } else if (c == '-' && at + 1 < s.n && s.p[at + 1] == '-') {
            const char *end = memchr(s.p + at, '\n', s.n - at);
            at = end ? (size_t)(end - s.p) : s.n;
        } else if (c == '/' && at + 1 < s.n && s.p[at + 1] == '*') {
            size_t end = str_find(s, STR("*/"), at + 2);
            at = end == SIZE_MAX ? s.n : end + 2;
        } else {
            break;
        }
    }
    return at;
}

/* The end of a quoted text that begins at `at`: doubled quotes are inside, and after a backslash any byte,
 * but in backticks. SIZE_MAX: it has no end. */
static size_t quoted_end(struct str s, size_t at)
{
    char quote = s.p[at++];
    for (; at < s.n; at++) {
        if (s.p[at] == '\\' && quote != '`')
            at++;
        else if (s.p[at] == quote && at + 1 < s.n && s.p[at + 1] == quote)
            at++;
        else if (s.p[at] == quote)
            return at + 1;
    }
    return SIZE_MAX;
}

static void next(struct parser *p)
{
    struct str s = p->sql;
    size_t at = skip_blank(s, p->at), end = at;
    p->token.kind = TOKEN_END;
    if (at < s.n && is_word(s.p[at])) {
        p->token.kind = TOKEN_WORD;
        while (end < s.n && is_word(s.p[end]))
            end++;
    } else if (at < s.n && (s.p[at] == '`' || s.p[at] == '\'' || s.p[at] == '"')) {
        p->token.kind = s.p[at] == '`' ? TOKEN_QUOTED : TOKEN_STRING;
        end = quoted_end(s, at);
        if (end == SIZE_MAX) {
            p->token.kind = TOKEN_BAD;
            end = s.n;
        }
    } else if (at < s.n) {
        p->token.kind = TOKEN_MARK;
        end = at + 1;
    }
    p->token.text = str_n(s.p ? s.p + at : "", end - at);
    p->at = end;
}

/* ---- errors -------------------------------------------------------------------------------------------- */

enum { SHOWN_MAX = 40 }; /* bytes of a token in a message */

static bool fail_at_token(struct parser *p, const char *what)
{
    struct str t = p->token.text;
    if (t.n > SHOWN_MAX)
        t.n = SHOWN_MAX;
    while (t.n > 0 && !utf8_valid(t.p, t.n))
        t.n--;
    size_t start = p->sql.p ? (size_t)(t.p - p->sql.p) : 0;
    int line = 1, column = 1;
    for (size_t i = 0; i < start; i++) {
        if (p->sql.p[i] == '\n')
            line++, column = 1;
        else if ((p->sql.p[i] & 0xC0) != 0x80)
            column++;
    }
    if (p->token.kind == TOKEN_END)
        err_set(p->err, ERR_CONFIG, "expected %s, found the end", what);
    else if (p->token.kind == TOKEN_BAD)
        err_set(p->err, ERR_CONFIG, "the quoted text %.*s does not end", STR_ARG(t));
    else
        err_set(p->err, ERR_CONFIG, "expected %s, found \"%.*s\"", what, STR_ARG(t));
    return err_at(p->err, "", line, column, (int)utf8_length(t.p, t.n));
}

static bool is_mark(const struct parser *p, char mark)
{
    return p->token.kind == TOKEN_MARK && p->token.text.p[0] == mark;
}

static bool is_keyword(const struct parser *p, const char *word)
{
    return p->token.kind == TOKEN_WORD && str_eq_nocase(p->token.text, str_of(word));
}

static bool accept_mark(struct parser *p, char mark)
{
    if (!is_mark(p, mark))
        return false;
    next(p);
    return true;
}

static bool accept_keyword(struct parser *p, const char *word)
{
    if (!is_keyword(p, word))
        return false;
    next(p);
    return true;
}

static bool expect_mark(struct parser *p, char mark, const char *what)
{
    return accept_mark(p, mark) || fail_at_token(p, what);
}

static bool expect_number(struct parser *p, uint64_t max, uint64_t *value, const char *what)
{
    if (p->token.kind != TOKEN_WORD || !str_to_u64(p->token.text, value) || *value > max)
        return fail_at_token(p, what);
    next(p);
    return true;
}

/* ---- quoted texts -------------------------------------------------------------------------------------- */

static uint32_t hex4(const char *p)
{
    uint32_t v = 0;
    for (int i = 0; i < 4; i++) {
        char c = p[i];
        uint32_t digit = c >= '0' && c <= '9'   ? (uint32_t)(c - '0')
                         : c >= 'a' && c <= 'f' ? (uint32_t)(c - 'a' + 10)
                         : c >= 'A' && c <= 'F' ? (uint32_t)(c - 'A' + 10)
                                                : UINT32_MAX;
        if (digit == UINT32_MAX)
            return UINT32_MAX;
        v = v << 4 | digit;
    }
    return v;
}

/* One escape of s, whose backslash is at `at`; returns the bytes read, and writes to *out. */
static size_t unescape(struct str s, size_t at, char **out)
{
    static const char from[] = "0bnrtZ", to[] = "\0\b\n\r\t\x1A";
    if (at + 1 >= s.n) {
        *(*out)++ = '\\';
        return 1;
    }
    char c = s.p[at + 1];
    const char *known = memchr(from, c, sizeof from - 1);
    uint32_t code = c == 'u' && at + 6 <= s.n ? hex4(s.p + at + 2) : UINT32_MAX;
    if (code != UINT32_MAX && (code < 0xD800 || code > 0xDFFF)) {
        *out += utf8_encode(code, *out);
        return 6;
    }
    *(*out)++ = known ? to[known - from] : c;
    return 2;
}

/* The text inside of a quoted token, NUL-terminated. */
static char *unquote(struct parser *p)
{
    char quote = p->token.text.p[0];
    struct str s = str_n(p->token.text.p + 1, p->token.text.n - 2);
    char *text = arena_alloc(p->arena, s.n + 1), *out = text;
    for (size_t i = 0; i < s.n;) {
        if (s.p[i] == '\\' && quote != '`') {
            i += unescape(s, i, &out);
            continue;
        }
        *out++ = s.p[i];
        i += s.p[i] == quote ? 2 : 1;
    }
    *out = '\0';
    return text;
}

static bool parse_name(struct parser *p, const char **name)
{
    if (p->token.kind != TOKEN_WORD && p->token.kind != TOKEN_QUOTED)
        return fail_at_token(p, "a name");
    *name = p->token.kind == TOKEN_QUOTED ? unquote(p) : str_dup(p->arena, p->token.text);
    if (!utf8_valid(*name, strlen(*name)) || **name == '\0')
        return fail_at_token(p, "a name in UTF-8");
    next(p);
    return true;
}

/* ---- types --------------------------------------------------------------------------------------------- */

static bool parse_any(struct parser *p, const struct type **type);

static bool parse_decimal(struct parser *p, const struct type **type)
{
    uint64_t precision = 10, scale = 0;
    if (accept_mark(p, '(')) {
        TRY(expect_number(p, DECIMAL_PRECISION_MAX, &precision, "a precision from 1 to 38"));
        if (precision == 0)
            return err_set(p->err, ERR_CONFIG, "the precision of a decimal cannot be 0");
        if (accept_mark(p, ','))
            TRY(expect_number(p, precision, &scale, "a scale from 0 to the precision"));
        TRY(expect_mark(p, ')', "\")\""));
    }
    *type = type_decimal(p->arena, (unsigned)precision, (unsigned)scale);
    return true;
}

/* STRING [COLLATE name], VARCHAR(n), CHAR(n): the length says nothing about how values are kept. */
static bool parse_string(struct parser *p, struct str word, const struct type **type)
{
    *type = type_simple(TYPE_STRING);
    bool has_length = !str_eq_nocase(word, STR("string"));
    uint64_t length;
    if (has_length) {
        TRY(expect_mark(p, '(', "\"(\" and a length"));
        TRY(expect_number(p, INT32_MAX, &length, "a length"));
        TRY(expect_mark(p, ')', "\")\""));
    }
    if (!accept_keyword(p, "collate"))
        return true;
    const char *collation;
    if (p->token.kind != TOKEN_WORD)
        return fail_at_token(p, "the name of a collation");
    for (size_t i = 0; i < p->token.text.n; i++)
        if (p->token.text.p[i] & 0x80)
            return fail_at_token(p, "the name of a collation");
    TRY(parse_name(p, &collation));
    if (str_eq_nocase(str_of(collation), STR("UTF8_BINARY")))
        return true;
    struct type *collated = arena_new(p->arena, struct type);
    collated->kind = TYPE_STRING;
    char *upper = arena_strdup(p->arena, collation);
    for (char *c = upper; *c; c++)
        *c = *c >= 'a' && *c <= 'z' ? (char)(*c - 32) : *c;
    collated->collation = upper;
    *type = collated;
    return true;
}

static bool parse_unit(struct parser *p, enum interval_unit *unit)
{
    for (unsigned i = 0; i <= INTERVAL_SECOND; i++)
        if (accept_keyword(p, units[i])) {
            *unit = (enum interval_unit)i;
            return true;
        }
    return fail_at_token(p, "YEAR, MONTH, DAY, HOUR, MINUTE or SECOND");
}

static bool parse_interval(struct parser *p, const struct type **type)
{
    enum interval_unit from, to;
    TRY(parse_unit(p, &from));
    to = from;
    if (accept_keyword(p, "to"))
        TRY(parse_unit(p, &to));
    if (to < from || (from <= INTERVAL_MONTH) != (to <= INTERVAL_MONTH))
        return err_set(p->err, ERR_CONFIG, "there is no interval from %s to %s", units[from], units[to]);
    struct type *t = arena_new(p->arena, struct type);
    t->kind = from <= INTERVAL_MONTH ? TYPE_INTERVAL_YM : TYPE_INTERVAL_DT;
    t->interval_from = (uint8_t)from;
    t->interval_to = (uint8_t)to;
    *type = t;
    return true;
}

static bool parse_array(struct parser *p, const struct type **type)
{
    const struct type *element;
    TRY(expect_mark(p, '<', "\"<\" and the type of the elements"));
    TRY(parse_any(p, &element));
    TRY(expect_mark(p, '>', "\">\""));
    *type = type_array(p->arena, element, true);
    return true;
}

static bool parse_map(struct parser *p, const struct type **type)
{
    const struct type *key, *value;
    TRY(expect_mark(p, '<', "\"<\" and the types of key and value"));
    TRY(parse_any(p, &key));
    DCHECK(key != NULL);
    if (key->kind == TYPE_MAP || key->kind == TYPE_VARIANT)
        return err_set(p->err, ERR_CONFIG, "a map or a variant cannot be the key of a map");
    TRY(expect_mark(p, ',', "\",\" and the type of the values"));
    TRY(parse_any(p, &value));
    TRY(expect_mark(p, '>', "\">\""));
    *type = type_map(p->arena, key, value, true);
    return true;
}

/* name [:] type [NOT NULL] [COMMENT 'text'] */
static bool parse_field(struct parser *p, struct field *field)
{
    *field = (struct field){.nullable = true};
    TRY(parse_name(p, &field->name));
    accept_mark(p, ':');
    TRY(parse_any(p, &field->type));
    for (;;) {
        if (accept_keyword(p, "not")) {
            if (!accept_keyword(p, "null"))
                return fail_at_token(p, "NULL after NOT");
            field->nullable = false;
        } else if (accept_keyword(p, "comment")) {
            if (p->token.kind != TOKEN_STRING)
                return fail_at_token(p, "a comment in quotes");
            field->comment = unquote(p);
            if (!utf8_valid(field->comment, strlen(field->comment)))
                return fail_at_token(p, "a comment in UTF-8");
            next(p);
        } else {
            return true;
        }
    }
}

/* Fields up to the mark `end`, or with '\0' to the end of the text; both are left to the caller. */
static bool parse_fields(struct parser *p, char end, const struct type **type)
{
    struct field *fields = NULL;
    size_t count = 0, capacity = 0;
    struct map seen = {0};
    bool ok = false;
    if (end != '\0' && is_mark(p, end)) {
        ok = true;
        goto out;
    }
    do {
        struct token start = p->token;
        if (count == TYPE_FIELDS_MAX) {
            err_set(p->err, ERR_CONFIG, "there are more than %d fields", TYPE_FIELDS_MAX);
            goto out;
        }
        fields = mem_grow(fields, &capacity, count + 1, sizeof *fields);
        TRY_OUT(parse_field(p, &fields[count]));
        if (map_put(&seen, str_of(fields[count].name), p) != NULL) {
            p->token = start;
            fail_at_token(p, "a name that was not there before");
            goto out;
        }
        count++;
    } while (accept_mark(p, ','));
    ok = true;
out:
    if (ok)
        *type = type_struct(p->arena, fields, (uint32_t)count);
    map_fini(&seen);
    mem_free(fields);
    return ok;
}

static bool parse_struct(struct parser *p, const struct type **type)
{
    TRY(expect_mark(p, '<', "\"<\" and fields"));
    TRY(parse_fields(p, '>', type));
    return expect_mark(p, '>', "\",\" or \">\"");
}

static bool unknown_type(struct parser *p, struct token word)
{
    const char *known[NAMES];
    for (size_t i = 0; i < NAMES; i++)
        known[i] = names[i].name;
    const char *near = str_nearest(word.text, known, NAMES);
    p->token = word;
    fail_at_token(p, "a type");
    return near ? err_hint(p->err, "Did you mean \"%s\"?", near) : false;
}

static bool parse_known(struct parser *p, struct token word, enum type_kind kind, const struct type **type)
{
    switch (kind) {
    case TYPE_DECIMAL: return parse_decimal(p, type);
    case TYPE_STRING: return parse_string(p, word.text, type);
    case TYPE_INTERVAL_DT: return parse_interval(p, type);
    case TYPE_ARRAY: return parse_array(p, type);
    case TYPE_MAP: return parse_map(p, type);
    case TYPE_STRUCT: return parse_struct(p, type);
    default: *type = type_simple(kind); return true;
    }
}

static bool parse_any(struct parser *p, const struct type **type)
{
    struct token word = p->token;
    *type = NULL;
    if (word.kind != TOKEN_WORD)
        return fail_at_token(p, "a type");
    size_t i = 0;
    while (i < NAMES && !str_eq_nocase(word.text, str_of(names[i].name)))
        i++;
    if (i == NAMES)
        return unknown_type(p, word);
    if (p->depth == TYPE_DEPTH_MAX)
        return err_set(p->err, ERR_CONFIG, "the type is nested more than %d deep", TYPE_DEPTH_MAX);
    p->depth++;
    next(p);
    bool ok = parse_known(p, word, names[i].kind, type);
    p->depth--;
    return ok && *type != NULL;
}

static bool parse_end(struct parser *p, const char *what)
{
    accept_mark(p, ';');
    return p->token.kind == TOKEN_END || fail_at_token(p, what);
}

bool type_parse(struct arena *arena, struct str sql, const struct type **type, struct err *err)
{
    struct parser p = {.arena = arena, .sql = sql, .err = err};
    next(&p);
    return parse_any(&p, type) && parse_end(&p, "the end of the type");
}

/* Also "struct<…>", which is how some write a schema. */
bool type_parse_ddl(struct arena *arena, struct str ddl, const struct type **schema, struct err *err)
{
    struct parser p = {.arena = arena, .sql = ddl, .err = err, .depth = 1};
    next(&p);
    bool is_struct = is_keyword(&p, "struct");
    size_t after = skip_blank(ddl, p.at);
    if (is_struct && after < ddl.n && ddl.p[after] == '<') {
        p.depth = 0;
        return parse_any(&p, schema) && parse_end(&p, "the end of the schema");
    }
    return parse_fields(&p, '\0', schema) && parse_end(&p, "\",\", NOT NULL, COMMENT or the end");
}

/* ---- printing ------------------------------------------------------------------------------------------ */

static void put_name(struct sbuf *out, const char *name)
{
    bool plain = name[0] != '\0', digits = true;
    for (const char *c = name; *c; c++) {
        plain = plain && is_word(*c) && !(*c & 0x80);
        digits = digits && *c >= '0' && *c <= '9';
    }
    if (plain && !digits) {
        sbuf_cstr(out, name);
        return;
    }
    sbuf_char(out, '`');
    for (const char *c = name; *c; c++)
        sbuf_cstr(out, *c == '`' ? "``" : (char[]){*c, '\0'});
    sbuf_char(out, '`');
}

static void put_quoted(struct sbuf *out, const char *text)
{
    sbuf_char(out, '\'');
    for (const char *c = text; *c; c++) {
        if (*c == '\'' || *c == '\\')
            sbuf_char(out, '\\');
        sbuf_char(out, *c);
    }
    sbuf_char(out, '\'');
}

static const char *first_name(enum type_kind kind)
{
    for (size_t i = 0; i < NAMES; i++)
        if (names[i].kind == kind)
            return names[i].name;
    return "interval";
}

static void put_word(struct sbuf *out, const char *word, bool upper)
{
    for (; *word; word++)
        sbuf_char(out, upper && *word >= 'a' && *word <= 'z'    ? (char)(*word - 32)
                       : !upper && *word >= 'A' && *word <= 'Z' ? (char)(*word + 32)
                                                                : *word);
}

static void put_type(const struct type *type, bool sql, struct sbuf *out)
{
    put_word(out, first_name(type->kind), sql);
    switch (type->kind) {
    case TYPE_DECIMAL: sbuf_printf(out, "(%u,%u)", type->precision, type->scale); break;
    case TYPE_STRING:
        if (type->collation)
            sbuf_printf(out, sql ? " COLLATE %s" : " collate %s", type->collation);
        break;
    case TYPE_INTERVAL_YM:
    case TYPE_INTERVAL_DT:
        sbuf_char(out, ' ');
        put_word(out, units[type->interval_from], sql);
        if (type->interval_to != type->interval_from) {
            put_word(out, " to ", sql);
            put_word(out, units[type->interval_to], sql);
        }
        break;
    case TYPE_ARRAY:
    case TYPE_MAP:
    case TYPE_STRUCT:
        sbuf_char(out, '<');
        for (uint32_t i = 0; i < type->field_count; i++) {
            const struct field *f = &type->fields[i];
            if (i > 0)
                sbuf_cstr(out, sql ? ", " : ",");
            if (type->kind == TYPE_STRUCT && sql) {
                put_name(out, f->name);
                sbuf_cstr(out, ": ");
            } else if (type->kind == TYPE_STRUCT) {
                sbuf_printf(out, "%s:", f->name);
            }
            put_type(f->type, sql, out);
            if (type->kind == TYPE_STRUCT && sql && !f->nullable)
                sbuf_cstr(out, " NOT NULL");
            if (type->kind == TYPE_STRUCT && sql && f->comment) {
                sbuf_cstr(out, " COMMENT ");
                put_quoted(out, f->comment);
            }
        }
        sbuf_char(out, '>');
        break;
    default: break;
    }
}

void type_to_sql(const struct type *type, struct sbuf *out)
{
    put_type(type, true, out);
}

void type_to_simple(const struct type *type, struct sbuf *out)
{
    put_type(type, false, out);
}

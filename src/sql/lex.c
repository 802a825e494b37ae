/* Text to tokens, by Spark's rules.
 *
 * What is unusual in them: block comments nest; a hint looks like one and is a token; both quotes make strings; a word may begin with a
 * digit, so that `1st` is a name, `1L` a number, `1e3` a double and `1ex` a name again: a number counts only when no letter follows it.
 * Cost: one pass; a token is 12 bytes. */
#include "sql/lex.h"

#include <stdio.h>

#include "base/utf8.h"
#include "sql/ast.h"

static const struct {
    const char *text;
    unsigned flags;
} keywords[KEYWORD_COUNT] = {
    {"", 0},
#define KEYWORD(name, flags) {#name, flags},
#include "sql/keyword.def"
#undef KEYWORD
};

const char *keyword_text(enum keyword k)
{
    return keywords[k].text;
}

unsigned keyword_flags(enum keyword k)
{
    return keywords[k].flags;
}

enum { KEYWORD_LENGTH_MAX = 24 };

static enum keyword keyword_find(struct str word)
{
    char upper[KEYWORD_LENGTH_MAX];
    if (word.n >= sizeof upper)
        return KEYWORD_NONE;
    for (size_t i = 0; i < word.n; i++)
        upper[i] = (char)(word.p[i] >= 'a' && word.p[i] <= 'z' ? word.p[i] - 32 : word.p[i]);
    upper[word.n] = '\0';
    int low = 1, high = KEYWORD_COUNT - 1;
    while (low <= high) {
        int middle = (low + high) / 2;
        int c = strcmp(upper, keywords[middle].text);
        if (c == 0)
            return (enum keyword)middle;
        if (c < 0)
            high = middle - 1;
        else
            low = middle + 1;
    }
    return KEYWORD_NONE;
}

struct lexer {
    struct arena *arena;
    struct str text;
    size_t at;
    struct token *tokens;
    uint32_t count, capacity;
    struct err *err;
};

static int peek(const struct lexer *l, size_t ahead)
{
    return l->at + ahead < l->text.n ? (unsigned char)l->text.p[l->at + ahead] : -1;
}

static bool is_digit(int c)
{
    return c >= '0' && c <= '9';
}

/* Letters, digits, '_' and all beyond ASCII: their scripts are not looked at. */
static bool is_word(int c)
{
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c >= 0x80;
}

static bool fail(struct lexer *l, size_t from, size_t length, const char *class, const char *what)
{
    err_set(l->err, ERR_CONFIG, "%s: %s", class, what);
    return sql_error_at(l->err, l->text, (struct span){(uint32_t)from, (uint32_t)length});
}

static void put(struct lexer *l, enum token_kind kind, size_t from, size_t length)
{
    if (l->count == l->capacity) {
        uint32_t capacity = l->capacity ? 2 * l->capacity : 64;
        struct token *tokens = arena_array(l->arena, struct token, capacity);
        if (l->count)
            memcpy(tokens, l->tokens, l->count * sizeof *tokens);
        l->tokens = tokens;
        l->capacity = capacity;
    }
    l->tokens[l->count++] = (struct token){
        .kind = (uint8_t)kind, .offset = (uint32_t)from, .length = (uint32_t)length};
}

/* A block comment from l->at, which stands on its opening; nested ones count. */
static bool skip_block(struct lexer *l, bool hint)
{
    size_t from = l->at;
    int depth = 0;
    while (l->at < l->text.n) {
        if (peek(l, 0) == '/' && peek(l, 1) == '*' && !(hint && depth > 0)) {
            depth++;
            l->at += 2;
        } else if (peek(l, 0) == '*' && peek(l, 1) == '/') {
            depth--;
            l->at += 2;
            if (depth == 0)
                return true;
        } else {
            l->at++;
        }
    }
    return fail(l, from, 2, "UNCLOSED_BRACKETED_COMMENT", "a comment is not closed; append */ to it");
}

static void skip_line(struct lexer *l)
{
    while (l->at < l->text.n && peek(l, 0) != '\n')
        l->at += peek(l, 0) == '\\' && peek(l, 1) == '\n' ? 2 : 1;
}

/* A string whose opening quote is at l->at; `from` is the token's start, before the r of a raw one. */
static bool lex_string(struct lexer *l, size_t from, bool raw)
{
    int quote = peek(l, 0);
    for (l->at++; l->at < l->text.n; l->at++) {
        int c = peek(l, 0);
        if (c == '\\' && !raw) {
            l->at++;
        } else if (c == quote && !raw && peek(l, 1) == quote) {
            l->at++;
        } else if (c == quote) {
            l->at++;
            put(l, TOKEN_STRING, from, l->at - from);
            return true;
        }
    }
    return fail(l, from, 1, "PARSE_SYNTAX_ERROR", "a string is not closed");
}

static bool lex_quoted(struct lexer *l)
{
    size_t from = l->at;
    for (l->at++; l->at < l->text.n; l->at++) {
        if (peek(l, 0) != '`')
            continue;
        if (peek(l, 1) != '`') {
            l->at++;
            put(l, TOKEN_QUOTED, from, l->at - from);
            return true;
        }
        l->at++;
    }
    return fail(l, from, 1, "PARSE_SYNTAX_ERROR", "a quoted identifier is not closed; append ` to it");
}

/* Length of an exponent at i, or 0. */
static size_t exponent_length(const struct lexer *l, size_t i)
{
    int c = peek(l, i);
    if (c != 'e' && c != 'E')
        return 0;
    size_t n = 1;
    if (peek(l, i + n) == '+' || peek(l, i + n) == '-')
        n++;
    if (!is_digit(peek(l, i + n)))
        return 0;
    while (is_digit(peek(l, i + n)))
        n++;
    return n;
}

/* Length of a suffix at i that ends the word, or 0. Y, S and L go with whole numbers only. */
static size_t suffix_length(const struct lexer *l, size_t i, bool whole)
{
    int c = peek(l, i) | 0x20;
    size_t n = 0;
    if (c == 'b' && (peek(l, i + 1) | 0x20) == 'd')
        n = 2;
    else if (c == 'f' || c == 'd' || (whole && (c == 'y' || c == 's' || c == 'l')))
        n = 1;
    return n && !is_word(peek(l, i + n)) ? n : 0;
}

/* A number at l->at of the digits before i, exponent and suffix; false if a letter follows, and nothing is taken. */
static bool take_number(struct lexer *l, size_t i, enum token_kind kind)
{
    size_t exponent = exponent_length(l, i);
    size_t suffix = suffix_length(l, i + exponent, kind == TOKEN_INTEGER && exponent == 0);
    if (is_word(peek(l, i + exponent + suffix)))
        return false;
    if (exponent)
        kind = TOKEN_EXPONENT;
    if (suffix)
        kind = TOKEN_NUMBER_SUFFIX;
    put(l, kind, l->at, i + exponent + suffix);
    l->tokens[l->count - 1].suffix = (uint8_t)suffix;
    l->at += i + exponent + suffix;
    return true;
}

static bool lex_number(struct lexer *l)
{
    size_t whole = 0;
    while (is_digit(peek(l, whole)))
        whole++;
    size_t end = whole;
    if (peek(l, end) == '.') {
        end++;
        while (is_digit(peek(l, end)))
            end++;
        if (take_number(l, end, TOKEN_DECIMAL))
            return true;
    }
    return whole > 0 && take_number(l, whole, TOKEN_INTEGER);
}

static size_t space_length(const struct lexer *l, size_t ahead);

static void lex_word(struct lexer *l)
{
    size_t n = 0;
    while (is_word(peek(l, n)) && space_length(l, n) == 0)
        n++;
    put(l, TOKEN_WORD, l->at, n);
    l->tokens[l->count - 1].keyword = (uint16_t)keyword_find(str_n(l->text.p + l->at, n));
    l->at += n;
}

/* Longest first. */
static const struct {
    char text[4];
    uint8_t kind;
} operators[] = {
    {"<=>", TOKEN_EQ_NULL_SAFE},
    {"==", TOKEN_EQ},
    {"<>", TOKEN_NE},
    {"!=", TOKEN_NE},
    {"<=", TOKEN_LE},
    {"!>", TOKEN_LE},
    {">=", TOKEN_GE},
    {"!<", TOKEN_GE},
    {"<<", TOKEN_SHIFT_LEFT},
    {"||", TOKEN_CONCAT},
    {"|>", TOKEN_PIPE_ARROW},
    {"::", TOKEN_DOUBLE_COLON},
    {"->", TOKEN_ARROW},
    {"=>", TOKEN_FAT_ARROW},
    {"=", TOKEN_EQ},
    {"<", TOKEN_LT},
    {">", TOKEN_GT},
    {"+", TOKEN_PLUS},
    {"-", TOKEN_MINUS},
    {"*", TOKEN_STAR},
    {"/", TOKEN_SLASH},
    {"%", TOKEN_PERCENT},
    {"~", TOKEN_TILDE},
    {"&", TOKEN_AMPERSAND},
    {"|", TOKEN_PIPE},
    {"^", TOKEN_CARET},
    {"!", TOKEN_BANG},
    {".", TOKEN_DOT},
    {",", TOKEN_COMMA},
    {";", TOKEN_SEMICOLON},
    {"(", TOKEN_OPEN},
    {")", TOKEN_CLOSE},
    {"[", TOKEN_OPEN_BRACKET},
    {"]", TOKEN_CLOSE_BRACKET},
    {"{", TOKEN_OPEN_BRACE},
    {"}", TOKEN_CLOSE_BRACE},
    {":", TOKEN_COLON},
    {"@", TOKEN_AT},
    {"?", TOKEN_QUESTION},
};

static bool lex_operator(struct lexer *l)
{
    for (size_t i = 0; i < sizeof operators / sizeof *operators; i++) {
        size_t n = strlen(operators[i].text);
        if (l->text.n - l->at >= n && memcmp(l->text.p + l->at, operators[i].text, n) == 0) {
            put(l, (enum token_kind)operators[i].kind, l->at, n);
            l->at += n;
            return true;
        }
    }
    char what[64];
    int c = peek(l, 0);
    snprintf(what, sizeof what,
             c > 0x20 && c < 0x7F ? "cannot read the character '%c'" : "cannot read the byte 0x%02x", c);
    return fail(l, l->at, 1, "PARSE_SYNTAX_ERROR", what);
}

/* White space of ASCII, and U+00A0, U+3000, the byte order mark and the spaces of U+2000, which people paste. */
static size_t space_length(const struct lexer *l, size_t ahead)
{
    int c = peek(l, ahead);
    if (c == ' ' || (c >= '\t' && c <= '\r'))
        return 1;
    if (c < 0xC2)
        return 0;
    uint32_t code;
    size_t n = utf8_decode(l->text.p + l->at + ahead, l->text.n - l->at - ahead, &code);
    return n && (code == 0xA0 || code == 0x3000 || code == 0xFEFF || (code >= 0x2000 && code <= 0x200B)) ? n
                                                                                                         : 0;
}

/* What word processors put in the place of quotes; as letters they would only cause riddles. */
static bool is_typographic(struct lexer *l)
{
    uint32_t code;
    size_t n = utf8_decode(l->text.p + l->at, l->text.n - l->at, &code);
    if (code != 0x2018 && code != 0x2019 && code != 0x201C && code != 0x201D)
        return false;
    fail(l, l->at, n, "PARSE_SYNTAX_ERROR", "a typographic quote stands here");
    err_hint(l->err, "Quotes of SQL are ' and \", names are quoted with `.");
    return true;
}

static bool lex_one(struct lexer *l)
{
    int c = peek(l, 0), next = peek(l, 1);
    if (c == '-' && next == '-') {
        skip_line(l);
        return true;
    }
    if (c == '/' && next == '*') {
        size_t from = l->at;
        bool hint = peek(l, 2) == '+';
        TRY(skip_block(l, hint));
        if (hint)
            put(l, TOKEN_HINT, from, l->at - from);
        return true;
    }
    if (c == '\'' || c == '"')
        return lex_string(l, l->at, false);
    if ((c == 'r' || c == 'R') && (next == '\'' || next == '"')) {
        l->at++;
        return lex_string(l, l->at - 1, true);
    }
    if (c == '`')
        return lex_quoted(l);
    if ((is_digit(c) || (c == '.' && is_digit(next))) && lex_number(l))
        return true;
    if (c >= 0x80 && is_typographic(l))
        return false;
    if (is_word(c)) {
        lex_word(l);
        return true;
    }
    return lex_operator(l);
}

static bool not_utf8(struct lexer *l)
{
    size_t n = 1;
    uint32_t code;
    while (l->at < l->text.n && (n = utf8_decode(l->text.p + l->at, l->text.n - l->at, &code)) > 0)
        l->at += n;
    fail(l, l->at, 1, "PARSE_SYNTAX_ERROR", "the text is not UTF-8 here");
    return err_hint(l->err, "Save the file as UTF-8.");
}

bool sql_lex(struct arena *arena, struct str text, struct token **tokens, uint32_t *count, struct err *err)
{
    struct lexer l = {.arena = arena, .text = text, .err = err};
    if (text.n > SQL_TEXT_MAX)
        return err_set(err, ERR_CONFIG, "PARSE_SYNTAX_ERROR: the SQL text has %zu bytes, the limit is %d",
                       text.n, SQL_TEXT_MAX);
    if (!utf8_valid(text.p, text.n))
        return not_utf8(&l);
    while (l.at < text.n) {
        size_t space = space_length(&l, 0);
        if (space)
            l.at += space;
        else
            TRY(lex_one(&l));
    }
    put(&l, TOKEN_END, text.n, 0);
    *tokens = l.tokens;
    *count = l.count;
    return true;
}

/* ---- what stands in quotes ------------------------------------------------------------------------------------- */

static int hex_value(int c)
{
    if (is_digit(c))
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* A code of `digits` hex digits at p, or -1. */
static int64_t hex_code(const char *p, const char *end, int digits)
{
    int64_t code = 0;
    if (end - p < digits)
        return -1;
    for (int i = 0; i < digits; i++) {
        int v = hex_value((unsigned char)p[i]);
        if (v < 0)
            return -1;
        code = code * 16 + v;
    }
    return code;
}

/* One escape: *p stands behind the backslash and is moved on; out has room for 4 bytes; returns how many it wrote. */
static size_t unescape_one(const char **p, const char *end, char *out)
{
    static const char from[] = "0bnrtZ", to[] = "\0\b\n\r\t\x1A";
    int c = (unsigned char)**p;
    int64_t code = -1;
    int length = 0;
    if (c == 'u' || c == 'U') {
        length = c == 'u' ? 5 : 9;
        code = hex_code(*p + 1, end, length - 1);
    } else if ((c == '0' || c == '1') && end - *p >= 3 && ((*p)[1] & 0xF8) == '0' &&
               ((*p)[2] & 0xF8) == '0') {
        length = 3;
        code = (c - '0') * 64 + ((*p)[1] - '0') * 8 + (*p)[2] - '0';
    }
    if (code >= 0 && code <= 0x10FFFF && (code < 0xD800 || code > 0xDFFF)) {
        *p += length;
        return utf8_encode((uint32_t)code, out);
    }
    (*p)++;
    const char *known = c ? strchr(from, c) : NULL;
    if (known) {
        out[0] = to[known - from];
        return 1;
    }
    if (c == '%' || c == '_') { /* stays escaped: LIKE will read it */
        out[0] = '\\';
        out[1] = (char)c;
        return 2;
    }
    out[0] = (char)c;
    return 1;
}

/* \uD83D\uDE00: the two halves of one character; 0 if there are none at p. */
static size_t unescape_pair(const char **p, const char *end, char *out)
{
    if (end - *p < 12 || (*p)[1] != 'u' || (*p)[6] != '\\' || (*p)[7] != 'u')
        return 0;
    int64_t high = hex_code(*p + 2, end, 4), low = hex_code(*p + 8, end, 4);
    if (high < 0xD800 || high > 0xDBFF || low < 0xDC00 || low > 0xDFFF)
        return 0;
    *p += 12;
    return utf8_encode((uint32_t)(0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00)), out);
}

struct str sql_unescape(struct arena *arena, struct str text, const struct token *token)
{
    const char *p = text.p + token->offset, *end = p + token->length - 1;
    bool raw = *p == 'r' || *p == 'R';
    p += raw ? 2 : 1;
    char quote = *end;
    /* An escape never grows but \% and \_, which stay two bytes: the text's length is enough. */
    char *out = arena_alloc(arena, token->length + 4);
    size_t n = 0;
    while (p < end) {
        size_t pair = *p == '\\' && !raw && quote != '`' ? unescape_pair(&p, end, out + n) : 0;
        if (pair) {
            n += pair;
        } else if (*p == '\\' && !raw && quote != '`' && p + 1 < end) {
            p++;
            n += unescape_one(&p, end, out + n);
        } else if (*p == quote && !raw) {
            out[n++] = *p;
            p += 2;
        } else {
            out[n++] = *p++;
        }
    }
    return str_n(out, n);
}

bool sql_error_at(struct err *err, struct str text, struct span span)
{
    int line = 1;
    size_t start = str_starts(text, STR("\xEF\xBB\xBF")) ? 3 : 0;
    size_t offset = span.offset < text.n ? span.offset : text.n;
    for (size_t i = 0; i < offset; i++)
        if (text.p[i] == '\n' || (text.p[i] == '\r' && !(i + 1 < text.n && text.p[i + 1] == '\n'))) {
            line++;
            start = i + 1;
        }
    if (offset < start) /* at the mark */
        offset = start;
    /* What is underlined ends with its line. */
    size_t end = offset;
    while (end < text.n && end < offset + span.length && text.p[end] != '\n' && text.p[end] != '\r')
        end++;
    size_t column = utf8_length(text.p + start, offset - start),
           width = utf8_length(text.p + offset, end - offset);
    return err_at(err, NULL, line, (int)column + 1, width ? (int)width : 1);
}

void sql_error_shift(struct err *err, struct str text, uint32_t offset)
{
    if (err == NULL)
        return;
    struct err_place inner = err->place;
    sql_error_at(err, text, (struct span){offset, 1});
    if (inner.line > 1)
        err->place.column = inner.column;
    else if (inner.line == 1)
        err->place.column += inner.column - 1;
    err->place.line += inner.line > 1 ? inner.line - 1 : 0;
    err->place.width = inner.width;
}

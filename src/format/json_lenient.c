/* What Spark's options allow beyond JSON, rewritten into JSON: single quotes, comments, names without
 * quotes, leading zeros, control characters in strings, needless escapes.
 *
 * The reader proper knows none of this. A record that it refuses comes here once, and what comes out is
 * decoded instead; so the common record pays nothing for the options, and there is one grammar. The
 * rewriting is by tokens, not by grammar: what is wrong otherwise stays wrong, and is refused in the
 * second try. */
#include <stdio.h>

#include "format/json_decode_private.h"

struct rewrite {
    const struct json_options *options;
    struct str in;
    size_t at;
    struct sbuf *out;
    bool changed;
};

static char peek(const struct rewrite *r, size_t ahead)
{
    return r->at + ahead < r->in.n ? r->in.p[r->at + ahead] : '\0';
}

/* An escape at `at`, in a string that ends with `quote`. */
static bool rewrite_escape(struct rewrite *r, char quote)
{
    if (r->at + 1 >= r->in.n)
        return false;
    char c = r->in.p[r->at + 1];
    r->at += 2;
    if (strchr("\"\\/bfnrtu", c) != NULL && c != '\0') {
        sbuf_add(r->out, r->in.p + r->at - 2, 2);
        return true;
    }
    if (c != quote && !r->options->allow_backslash_escaping_any_character)
        return false;
    r->changed = true;
    sbuf_char(r->out, c);
    return (unsigned char)c >= 0x20;
}

static bool rewrite_string(struct rewrite *r, char quote)
{
    sbuf_char(r->out, '"');
    r->changed |= quote != '"';
    for (r->at++; r->at < r->in.n;) {
        char c = r->in.p[r->at];
        if (c == '\\') {
            if (!rewrite_escape(r, quote))
                return false;
            continue;
        }
        r->at++;
        if (c == quote) {
            sbuf_char(r->out, '"');
            return true;
        }
        if (c == '"') {
            sbuf_cstr(r->out, "\\\"");
        } else if ((unsigned char)c < 0x20) {
            if (!r->options->allow_unquoted_control_chars)
                return false;
            r->changed = true;
            sbuf_printf(r->out, "\\u%04x", (unsigned)c);
        } else {
            sbuf_char(r->out, c);
        }
    }
    return false;
}

static bool rewrite_comment(struct rewrite *r)
{
    const char *end;
    if (peek(r, 1) == '*') {
        size_t at = str_find(r->in, STR("*/"), r->at + 2);
        if (at == SIZE_MAX)
            return false;
        r->at = at + 2;
    } else if (peek(r, 1) == '/') {
        end = memchr(r->in.p + r->at, '\n', r->in.n - r->at);
        r->at = end ? (size_t)(end - r->in.p) : r->in.n;
    } else {
        return false;
    }
    sbuf_char(r->out, ' ');
    return r->changed = true;
}

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '$' || c == '-' || c == '+' || c == '.' || (unsigned char)c >= 0x80;
}

/* A word that a colon follows is a name. */
static bool is_name(const struct rewrite *r, size_t size)
{
    size_t at = r->at + size;
    while (at < r->in.n && strchr(" \t\r\n", r->in.p[at]) != NULL)
        at++;
    return at < r->in.n && r->in.p[at] == ':';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static void rewrite_word(struct rewrite *r)
{
    size_t size = 0;
    while (r->at + size < r->in.n && is_word(r->in.p[r->at + size]))
        size++;
    struct str word = str_n(r->in.p + r->at, size);
    r->at += size;
    if (r->options->allow_unquoted_field_names) {
        r->at -= size;
        bool name = is_name(r, size);
        r->at += size;
        if (name) {
            r->changed = true;
            sbuf_printf(r->out, "\"%.*s\"", STR_ARG(word));
            return;
        }
    }
    if (word.p[0] == '-' && word.n > 1) {
        sbuf_char(r->out, '-');
        word = str_n(word.p + 1, word.n - 1);
    }
    while (r->options->allow_numeric_leading_zeros && word.n > 1 && word.p[0] == '0' && is_digit(word.p[1])) {
        word = str_n(word.p + 1, word.n - 1);
        r->changed = true;
    }
    sbuf_str(r->out, word);
}

bool json_lenient(struct str record, const struct json_options *options, struct sbuf *out)
{
    struct rewrite r = {.options = options, .in = record, .out = out};
    sbuf_clear(out);
    while (r.at < r.in.n) {
        char c = r.in.p[r.at];
        if (c == '"' || (c == '\'' && options->allow_single_quotes)) {
            if (!rewrite_string(&r, c))
                return false;
        } else if (c == '/' && options->allow_comments) {
            if (!rewrite_comment(&r))
                return false;
        } else if (is_word(c)) {
            rewrite_word(&r);
        } else {
            sbuf_char(out, c);
            r.at++;
        }
    }
    return r.changed;
}

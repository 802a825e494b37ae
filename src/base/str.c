#include "base/str.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/utf8.h"

int str_cmp(struct str a, struct str b)
{
    size_t n = a.n < b.n ? a.n : b.n;
    int c = n ? memcmp(a.p, b.p, n) : 0;
    return c ? c : (a.n > b.n) - (a.n < b.n);
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

bool str_eq_nocase(struct str a, struct str b)
{
    if (a.n != b.n)
        return false;
    for (size_t i = 0; i < a.n; i++)
        if (lower(a.p[i]) != lower(b.p[i]))
            return false;
    return true;
}

bool str_starts(struct str a, struct str prefix)
{
    return a.n >= prefix.n && str_eq(str_n(a.p, prefix.n), prefix);
}

bool str_ends(struct str a, struct str suffix)
{
    return a.n >= suffix.n && str_eq(str_n(a.p + (a.n - suffix.n), suffix.n), suffix);
}

size_t str_find(struct str a, struct str needle, size_t from)
{
    if (from > a.n)
        return SIZE_MAX;
    if (needle.n == 0)
        return from;
    if (a.n == 0)
        return SIZE_MAX; /* p may be NULL */
    const char *at = memmem(a.p + from, a.n - from, needle.p, needle.n);
    return at ? (size_t)(at - a.p) : SIZE_MAX;
}

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

struct str str_trim(struct str a)
{
    while (a.n && is_space(a.p[0]))
        a.p++, a.n--;
    while (a.n && is_space(a.p[a.n - 1]))
        a.n--;
    return a;
}

void str_copy(char *out, size_t size, struct str a)
{
    size_t n = a.n < size ? a.n : size - 1;
    if (n)
        memcpy(out, a.p, n);
    out[n] = '\0';
}

char *str_dup(struct arena *arena, struct str a)
{
    char *s = arena_alloc(arena, a.n + 1);
    if (a.n)
        memcpy(s, a.p, a.n);
    s[a.n] = '\0';
    return s;
}

bool str_to_u64(struct str a, uint64_t *value)
{
    uint64_t v = 0;
    if (a.n == 0)
        return false;
    for (size_t i = 0; i < a.n; i++) {
        unsigned digit = (unsigned)((unsigned char)a.p[i] - '0');
        if (digit > 9 || __builtin_mul_overflow(v, UINT64_C(10), &v) ||
            __builtin_add_overflow(v, (uint64_t)digit, &v))
            return false;
    }
    *value = v;
    return true;
}

bool str_to_i64(struct str a, int64_t *value)
{
    bool negative = a.n && a.p[0] == '-';
    uint64_t v;
    if (a.n && (a.p[0] == '-' || a.p[0] == '+'))
        a.p++, a.n--;
    if (!str_to_u64(a, &v) || v > (uint64_t)INT64_MAX + negative)
        return false;
    *value = (int64_t)(negative ? UINT64_C(0) - v : v);
    return true;
}

bool str_to_f64(struct str a, double *value)
{
    char text[512], *end;
    if (a.n == 0 || a.n >= sizeof text || is_space(a.p[0]))
        return false;
    memcpy(text, a.p, a.n);
    text[a.n] = '\0';
    *value = strtod(text, &end);
    return end == text + a.n;
}

size_t str_from_f64(double value, char *out)
{
    int n = 0;
    for (int digits = 15; digits <= 17; digits++) {
        n = snprintf(out, 32, "%.*g", digits, value);
        if (isnan(value) || strtod(out, NULL) == value)
            break;
    }
    return (size_t)n;
}

/* Optimal string alignment distance of short texts, case folded. */
static unsigned distance(struct str a, struct str b)
{
    enum { MAX = 63 };
    unsigned row[3][MAX + 1];
    if (a.n > MAX || b.n > MAX)
        return MAX + 1;
    unsigned *before = row[0], *last = row[1], *now = row[2];
    for (size_t j = 0; j <= b.n; j++)
        last[j] = (unsigned)j;
    for (size_t i = 1; i <= a.n; i++) {
        now[0] = (unsigned)i;
        for (size_t j = 1; j <= b.n; j++) {
            char x = lower(a.p[i - 1]), y = lower(b.p[j - 1]);
            unsigned d = last[j - 1] + (x != y);
            if (last[j] + 1 < d)
                d = last[j] + 1;
            if (now[j - 1] + 1 < d)
                d = now[j - 1] + 1;
            if (i > 1 && j > 1 && x == lower(b.p[j - 2]) && y == lower(a.p[i - 2]) && before[j - 2] + 1 < d)
                d = before[j - 2] + 1;
            now[j] = d;
        }
        unsigned *spare = before;
        before = last, last = now, now = spare;
    }
    return last[b.n];
}

const char *str_nearest(struct str wanted, const char *const *names, size_t count)
{
    const char *best = NULL;
    unsigned best_distance = (unsigned)(wanted.n + 2) / 3 + 1;
    for (size_t i = 0; i < count; i++) {
        struct str name = str_of(names[i]);
        unsigned d = distance(wanted, name);
        /* "retain" is four edits from "retention", but three letters in common at the front say enough */
        size_t common = 0;
        while (common < wanted.n && common < name.n && lower(wanted.p[common]) == lower(name.p[common]))
            common++;
        if (common >= 3 && d > 1)
            d = (d + 1) / 2;
        if (d < best_distance) {
            best_distance = d;
            best = names[i];
        }
    }
    return best;
}

void sbuf_fini(struct sbuf *b)
{
    mem_free(b->p);
    *b = (struct sbuf){0};
}

void sbuf_clear(struct sbuf *b)
{
    b->n = 0;
    if (b->p)
        b->p[0] = '\0';
}

char *sbuf_reserve(struct sbuf *b, size_t n)
{
    CHECK(n < SIZE_MAX / 4 && b->n < SIZE_MAX / 4);
    b->p = mem_grow(b->p, &b->capacity, b->n + n + 1, 1);
    return b->p + b->n;
}

void sbuf_added(struct sbuf *b, size_t n)
{
    CHECK(b->n + n < b->capacity);
    b->n += n;
    b->p[b->n] = '\0';
}

void sbuf_add(struct sbuf *b, const void *p, size_t n)
{
    char *at = sbuf_reserve(b, n);
    if (n)
        memcpy(at, p, n);
    sbuf_added(b, n);
}

void sbuf_str(struct sbuf *b, struct str s)
{
    sbuf_add(b, s.p, s.n);
}

void sbuf_cstr(struct sbuf *b, const char *s)
{
    sbuf_add(b, s, strlen(s));
}

void sbuf_char(struct sbuf *b, char c)
{
    sbuf_add(b, &c, 1);
}

void sbuf_vprintf(struct sbuf *b, const char *format, va_list args)
{
    va_list again;
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, format, args);
    CHECK(n >= 0);
    vsnprintf(sbuf_reserve(b, (size_t)n), (size_t)n + 1, format, again);
    va_end(again);
    sbuf_added(b, (size_t)n);
}

void sbuf_printf(struct sbuf *b, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    sbuf_vprintf(b, format, args);
    va_end(args);
}

void sbuf_json(struct sbuf *b, struct str s)
{
    sbuf_char(b, '"');
    for (size_t i = 0; i < s.n;) {
        unsigned char c = (unsigned char)s.p[i];
        uint32_t code;
        size_t length;
        if (c == '"' || c == '\\') {
            sbuf_printf(b, "\\%c", c);
            i++;
        } else if (c == '\n' || c == '\t' || c == '\r' || c == '\b' || c == '\f') {
            sbuf_printf(b, "\\%c",
                        c == '\n'   ? 'n'
                        : c == '\t' ? 't'
                        : c == '\r' ? 'r'
                        : c == '\b' ? 'b'
                                    : 'f');
            i++;
        } else if (c < 0x20 || c == 0x7F) {
            sbuf_printf(b, "\\u%04x", c);
            i++;
        } else if ((length = utf8_decode(s.p + i, s.n - i, &code)) > 0) {
            sbuf_add(b, s.p + i, length);
            i += length;
        } else {
            sbuf_cstr(b, "\xEF\xBF\xBD");
            i++;
        }
    }
    sbuf_char(b, '"');
}

void sbuf_visible(struct sbuf *out, struct str text)
{
    for (size_t i = 0; i < text.n;) {
        uint32_t code;
        size_t n = utf8_decode(text.p + i, text.n - i, &code);
        if (n == 0)
            sbuf_cstr(out, "\xEF\xBF\xBD");
        else if (code == '\n')
            sbuf_cstr(out, "\\n");
        else if (code == '\r')
            sbuf_cstr(out, "\\r");
        else if (code == '\t')
            sbuf_cstr(out, "\\t");
        else if (code < 0x20 || (code >= 0x7F && code < 0xA0))
            sbuf_printf(out, "\\x%02x", (unsigned)code);
        else
            sbuf_add(out, text.p + i, n);
        i += n ? n : 1;
    }
}

/* Text: borrowed slices, a growing buffer, and the few operations that everybody needs. */
#ifndef BASE_STR_H
#define BASE_STR_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/mem.h"

/* A borrowed run of bytes, not NUL-terminated. p may be NULL when n is 0. */
struct str {
    const char *p;
    size_t n;
};

#define STR(literal) ((struct str){"" literal, sizeof(literal) - 1})
#define STR_ARG(s) (int)(s).n, (s).p /* for "%.*s" */

static inline struct str str_of(const char *s)
{
    return (struct str){s, s ? strlen(s) : 0};
}
static inline struct str str_n(const void *p, size_t n)
{
    return (struct str){p, n};
}
static inline bool str_eq(struct str a, struct str b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}
static inline bool str_is(struct str a, const char *b)
{
    return str_eq(a, str_of(b));
}
/* Bytewise, unsigned; a prefix sorts first. */
int str_cmp(struct str a, struct str b);
/* ASCII letters only. */
bool str_eq_nocase(struct str a, struct str b);
bool str_starts(struct str a, struct str prefix);
bool str_ends(struct str a, struct str suffix);
/* Index of the first occurrence at or after `from`, or SIZE_MAX. */
size_t str_find(struct str a, struct str needle, size_t from);
/* Without leading and trailing ASCII white space. */
struct str str_trim(struct str a);
/* NUL-terminated copy in out[size]: as much of it as fits. */
void str_copy(char *out, size_t size, struct str a);
/* NUL-terminated copy. */
char *str_dup(struct arena *arena, struct str a);

/* Decimal, whole text, no blanks; false on overflow or anything else. */
bool str_to_i64(struct str a, int64_t *value);
bool str_to_u64(struct str a, uint64_t *value);
/* Whole text as C's strtod in the C locale, "inf" and "nan" included. */
bool str_to_f64(struct str a, double *value);
/* The shortest text that reads back as the same double (17 digits at most); returns its length. out[32]. */
size_t str_from_f64(double value, char *out);

/* The nearest of names[count] by Damerau-Levenshtein distance (at most a third of the length), or NULL: "did you mean". */
const char *str_nearest(struct str wanted, const char *const *names, size_t count);

/* A growing byte buffer on the heap. Zeroed = empty and valid; p is NUL-terminated whenever it is not NULL. */
struct sbuf {
    char *p;
    size_t n;        /* bytes used, NUL not counted */
    size_t capacity; /* bytes allocated */
};

void sbuf_fini(struct sbuf *b);
void sbuf_clear(struct sbuf *b); /* keeps the memory */
/* Makes room for n more bytes and returns where they go; sbuf_added(b, n) afterwards takes them in. */
char *sbuf_reserve(struct sbuf *b, size_t n);
void sbuf_added(struct sbuf *b, size_t n);
void sbuf_add(struct sbuf *b, const void *p, size_t n);
void sbuf_str(struct sbuf *b, struct str s);
void sbuf_cstr(struct sbuf *b, const char *s);
void sbuf_char(struct sbuf *b, char c);
void sbuf_printf(struct sbuf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
void sbuf_vprintf(struct sbuf *b, const char *format, va_list args) __attribute__((format(printf, 2, 0)));
/* s as a JSON string with its quotes; invalid UTF-8 becomes U+FFFD. */
void sbuf_json(struct sbuf *b, struct str s);
/* The text for a terminal or a line of a log: control characters as \n \t \x1b, bytes that are no UTF-8 as U+FFFD, so that data can
 * neither steer the one nor forge the other. */
void sbuf_visible(struct sbuf *out, struct str text);
static inline struct str sbuf_view(const struct sbuf *b)
{
    return (struct str){b->p, b->n};
}

#endif

/* Text inside of JSON strings: escapes, base64, and numbers that are none. */
#ifndef JSON_TEXT_H
#define JSON_TEXT_H

#include "base/str.h"

/* The text between the quotes, escapes resolved, to out[n]; returns the size, or SIZE_MAX for a bad
 * escape. A lone surrogate becomes U+FFFD. */
size_t json_unescape(const char *p, size_t n, char *out);
/* Standard base64, padding optional, to out[n / 4 * 3 + 3]; SIZE_MAX: is none. */
size_t json_base64_decode(const char *p, size_t n, uint8_t *out);
/* out[(n + 2) / 3 * 4]; returns the size. */
size_t json_base64_encode(const uint8_t *p, size_t n, char *out);
/* NaN, Infinity … as the option has them, in the whole text. */
bool json_non_numeric(struct str text, double *value);

#endif

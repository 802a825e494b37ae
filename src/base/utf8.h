/* UTF-8 as RFC 3629 has it: no surrogates, no over-long forms, nothing past U+10FFFF. */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Decodes one character of p[n], n > 0; returns its length (1..4), or 0 when it is invalid or cut. */
size_t utf8_decode(const char *p, size_t n, uint32_t *code);
/* out[4]; returns the length. code is a valid scalar value. */
size_t utf8_encode(uint32_t code, char *out);
/* Whole text valid; fast on ASCII. */
bool utf8_valid(const char *p, size_t n);
/* Characters in valid UTF-8. */
size_t utf8_length(const char *p, size_t n);
/* Byte index of character `index`, or n past the end. */
size_t utf8_offset(const char *p, size_t n, size_t index);

#endif

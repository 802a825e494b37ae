/* Text inside of JSON strings: escapes, base64, and numbers that are none. */
#include <math.h>

#include "base/utf8.h"
#include "json/text.h"

/* ---- escapes ------------------------------------------------------------------------------------------- */

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Four hex digits of p[n], or -1. */
static int32_t hex4(const char *p, size_t n)
{
    if (n < 4)
        return -1;
    int a = hex_digit(p[0]), b = hex_digit(p[1]), c = hex_digit(p[2]), d = hex_digit(p[3]);
    return (a | b | c | d) < 0 ? -1 : a << 12 | b << 8 | c << 4 | d;
}

/* The character of the \u escapes at p[n], p[0] == '\\'; returns the bytes they take, 0 for bad ones. */
static size_t unicode_escape(const char *p, size_t n, uint32_t *code)
{
    int32_t high = hex4(p + 2, n - 2);
    if (high < 0)
        return 0;
    *code = (uint32_t)high;
    if (high < 0xD800 || high > 0xDFFF)
        return 6;
    *code = 0xFFFD;
    if (high > 0xDBFF || n < 12 || p[6] != '\\' || p[7] != 'u')
        return 6;
    int32_t low = hex4(p + 8, n - 8);
    if (low < 0xDC00 || low > 0xDFFF)
        return low < 0 ? 0 : 6;
    *code = 0x10000 + ((uint32_t)(high - 0xD800) << 10) + (uint32_t)(low - 0xDC00);
    return 12;
}

static char simple_escape(char c)
{
    switch (c) {
    case '"':
    case '\\':
    case '/': return c;
    case 'b': return '\b';
    case 'f': return '\f';
    case 'n': return '\n';
    case 'r': return '\r';
    case 't': return '\t';
    default: return 0;
    }
}

size_t json_unescape(const char *p, size_t n, char *out)
{
    char *to = out;
    size_t at = 0;
    while (at < n) {
        const char *slash = memchr(p + at, '\\', n - at);
        size_t plain = slash ? (size_t)(slash - p) - at : n - at;
        memmove(to, p + at, plain);
        to += plain;
        at += plain;
        if (slash == NULL)
            break;
        if (n - at < 2)
            return SIZE_MAX;
        if (p[at + 1] == 'u') {
            uint32_t code;
            size_t taken = unicode_escape(p + at, n - at, &code);
            if (taken == 0)
                return SIZE_MAX;
            to += utf8_encode(code, to);
            at += taken;
        } else {
            char c = simple_escape(p[at + 1]);
            if (c == 0)
                return SIZE_MAX;
            *to++ = c;
            at += 2;
        }
    }
    return (size_t)(to - out);
}

/* ---- base64 -------------------------------------------------------------------------------------------- */

static int base64_value(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

size_t json_base64_decode(const char *p, size_t n, uint8_t *out)
{
    uint8_t *to = out;
    while (n > 0 && n % 4 == 0 && p[n - 1] == '=')
        n -= n >= 2 && p[n - 2] == '=' ? 2 : 1;
    if (n % 4 == 1)
        return SIZE_MAX;
    for (size_t at = 0; at < n; at += 4) {
        size_t here = n - at < 4 ? n - at : 4;
        uint32_t bits = 0;
        for (size_t i = 0; i < 4; i++) {
            int value = i < here ? base64_value(p[at + i]) : 0;
            if (value < 0)
                return SIZE_MAX;
            bits = bits << 6 | (uint32_t)value;
        }
        for (size_t i = 0; i + 1 < here; i++)
            *to++ = (uint8_t)(bits >> (16 - 8 * i));
    }
    return (size_t)(to - out);
}

size_t json_base64_encode(const uint8_t *p, size_t n, char *out)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char *to = out;
    for (size_t at = 0; at < n; at += 3) {
        size_t here = n - at < 3 ? n - at : 3;
        uint32_t bits = (uint32_t)p[at] << 16 | (here > 1 ? (uint32_t)p[at + 1] << 8 : 0) |
                        (here > 2 ? p[at + 2] : 0u);
        to[0] = letters[bits >> 18];
        to[1] = letters[bits >> 12 & 63];
        to[2] = here > 1 ? letters[bits >> 6 & 63] : '=';
        to[3] = here > 2 ? letters[bits & 63] : '=';
        to += 4;
    }
    return (size_t)(to - out);
}

/* ---- numbers that are none ----------------------------------------------------------------------------- */

bool json_non_numeric(struct str text, double *value)
{
    static const struct {
        const char *text;
        double value;
    } names[] = {
        {"NaN", (double)NAN},
        {"Infinity", (double)INFINITY},
        {"-Infinity", -(double)INFINITY},
        {"+Infinity", (double)INFINITY},
        {"+INF", (double)INFINITY},
        {"-INF", -(double)INFINITY},
        {"INF", (double)INFINITY},
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (str_is(text, names[i].text)) {
            *value = names[i].value;
            return true;
        }
    return false;
}

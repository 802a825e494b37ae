/* Text, the rarer part: printf, distances, encodings, checks, URLs. */
#include <openssl/evp.h>
#include <stdio.h>

#include "base/utf8.h"
#include "op/gather.h"
#include "op/kernels_private.h"
#include "op/list_private.h"
#include "op/text.h"
#include "type/cast.h"
#include "type/decimal.h"

static size_t letter_size(struct str s, size_t at)
{
    uint32_t code;
    size_t n = utf8_decode(s.p + at, s.n - at, &code);
    return n ? n : 1;
}

/* ---- numbers as text ----------------------------------------------------------------------------------- */

/* Commas into the whole part of a plain decimal text ("-1234.50"). */
static void group_digits(struct str plain, struct sbuf *out)
{
    size_t sign = plain.n && plain.p[0] == '-', point = str_find(plain, STR("."), 0),
           whole = (point == SIZE_MAX ? plain.n : point) - sign;
    if (sign)
        sbuf_char(out, '-');
    for (size_t i = 0; i < whole; i++) {
        if (i && (whole - i) % 3 == 0)
            sbuf_char(out, ',');
        sbuf_char(out, plain.p[sign + i]);
    }
    if (point != SIZE_MAX)
        sbuf_add(out, plain.p + point, plain.n - point);
}

/* A number rounded half even to `places`, as plain decimal text. */
static void plain_number(const struct call *c, uint32_t arg, uint32_t row, int places, struct sbuf *out)
{
    char text[400];
    if (type_is_integer(c->args[arg].type)) {
        snprintf(text, sizeof(text), "%lld", (long long)arg_i64(c, arg, row));
        sbuf_cstr(out, text);
        if (places > 0)
            sbuf_char(out, '.');
        for (int i = 0; i < places; i++)
            sbuf_char(out, '0');
        return;
    }
    if (arg_kind(c, arg) != TYPE_DECIMAL) {
        snprintf(text, sizeof(text), "%.*f", places < 40 ? places : 40, arg_f64(c, arg, row));
        sbuf_cstr(out, text);
        return;
    }
    int scale = c->args[arg].type->scale;
    i128 v = ARG(c, i128, arg, row);
    if (places < scale) {
        v = decimal_round(v, (unsigned)(scale - places), DECIMAL_HALF_EVEN);
        scale = places;
    }
    sbuf_added(out, decimal_to_text(v, (unsigned)scale, sbuf_reserve(out, DECIMAL_TEXT_MAX)));
    if (places > scale && scale == 0)
        sbuf_char(out, '.');
    for (int i = scale; i < places; i++)
        sbuf_char(out, '0');
}

/* Java's DecimalFormat, its common part: literals around #,##0.00; digits behind the point: 0 always, # if
 * not zero. */
static void number_by_pattern(const struct call *c, uint32_t row, struct str pattern, struct sbuf *plain,
                              struct sbuf *out)
{
    size_t from = 0, end = pattern.n, point = SIZE_MAX;
    while (from < pattern.n && !strchr("#0,.", pattern.p[from]))
        from++;
    for (end = from; end < pattern.n && strchr("#0,.", pattern.p[end]); end++)
        if (pattern.p[end] == '.')
            point = end;
    int most = 0, least = 0, whole = 0;
    bool commas = false;
    for (size_t i = from; i < end; i++) {
        bool behind = point != SIZE_MAX && i > point;
        commas |= pattern.p[i] == ',';
        most += behind;
        least += behind && pattern.p[i] == '0';
        whole += !behind && pattern.p[i] == '0';
    }
    sbuf_clear(plain);
    plain_number(c, 0, row, most, plain);
    for (int drop = most - least; drop > 0 && plain->p[plain->n - 1] == '0'; drop--)
        plain->n--;
    if (most && plain->p[plain->n - 1] == '.')
        plain->n--;
    struct str digits = sbuf_view(plain);
    bool negative = digits.n && digits.p[0] == '-';
    size_t at = str_find(digits, STR("."), 0), have = (at == SIZE_MAX ? digits.n : at) - negative;
    sbuf_add(out, pattern.p, from);
    if (whole == 0 && have == 1 && digits.p[negative] == '0' && at != SIZE_MAX) { /* ".5" */
        if (negative)
            sbuf_char(out, '-');
        sbuf_add(out, digits.p + at, digits.n - at);
    } else {
        struct sbuf padded = {0};
        if (negative)
            sbuf_char(&padded, '-');
        for (int i = (int)have; i < whole; i++)
            sbuf_char(&padded, '0');
        sbuf_add(&padded, digits.p + negative, digits.n - negative);
        if (commas)
            group_digits(sbuf_view(&padded), out);
        else
            sbuf_str(out, sbuf_view(&padded));
        sbuf_fini(&padded);
    }
    sbuf_add(out, pattern.p + end, pattern.n - end);
}

void kernel_format_number(struct call *c)
{
    struct sbuf plain = {0}, out = {0};
    for (EACH_ROW(c, row)) {
        sbuf_clear(&plain);
        sbuf_clear(&out);
        if (type_is_view(c->args[1].type)) {
            number_by_pattern(c, row, arg_str(c, 1, row), &plain, &out);
        } else {
            int64_t places = arg_i64(c, 1, row);
            if (places < 0 || places > 100) {
                out_null(c, row);
                continue;
            }
            plain_number(c, 0, row, (int)places, &plain);
            group_digits(sbuf_view(&plain), &out);
        }
        out_copy(c, row, sbuf_view(&out));
    }
    sbuf_fini(&plain);
    sbuf_fini(&out);
}

/* ---- printf -------------------------------------------------------------------------------------------- */

/* One conversion of a Java format: %[n$][flags][width][.precision]letter */
struct conversion {
    bool left, zero, plus, blank, comma, alternate;
    int width, precision, index; /* −1 = none; index from 1 */
    char letter;
};

static size_t read_int(struct str s, size_t at, int *out)
{
    int v = 0;
    for (; at < s.n && s.p[at] >= '0' && s.p[at] <= '9'; at++)
        v = v < 100000 ? v * 10 + (s.p[at] - '0') : v;
    *out = v;
    return at;
}

/* From behind the %; 0: malformed, else where it ends. */
static size_t read_conversion(struct str s, size_t at, struct conversion *v)
{
    *v = (struct conversion){.width = -1, .precision = -1, .index = -1};
    int number;
    size_t end = read_int(s, at, &number);
    if (end > at && end < s.n && s.p[end] == '$') {
        v->index = number;
        at = end + 1;
    }
    for (; at < s.n; at++) {
        bool *flag = s.p[at] == '-'   ? &v->left
                     : s.p[at] == '0' ? &v->zero
                     : s.p[at] == '+' ? &v->plus
                     : s.p[at] == ' ' ? &v->blank
                     : s.p[at] == ',' ? &v->comma
                     : s.p[at] == '#' ? &v->alternate
                                      : NULL;
        if (flag == NULL)
            break;
        *flag = true;
    }
    end = read_int(s, at, &number);
    if (end > at)
        v->width = number;
    at = end;
    if (at < s.n && s.p[at] == '.') {
        end = read_int(s, at + 1, &v->precision);
        if (end == at + 1)
            return 0;
        at = end;
    }
    if (at >= s.n || v->width > 100000 || v->precision > 1000)
        return 0;
    v->letter = s.p[at];
    return v->letter && strchr("bBcdoxXeEfgGsS%n", v->letter) ? at + 1 : 0;
}

static void print_integer(const struct conversion *v, int64_t n, struct sbuf *out)
{
    char text[32];
    if (v->letter == 'x' || v->letter == 'X' || v->letter == 'o') {
        snprintf(text, sizeof(text),
                 v->letter == 'x'   ? "%llx"
                 : v->letter == 'X' ? "%llX"
                                    : "%llo",
                 (unsigned long long)n);
        sbuf_cstr(out, text);
        return;
    }
    if (n >= 0 && v->plus)
        sbuf_char(out, '+');
    else if (n >= 0 && v->blank)
        sbuf_char(out, ' ');
    snprintf(text, sizeof(text), "%lld", (long long)n);
    if (v->comma)
        group_digits(str_of(text), out);
    else
        sbuf_cstr(out, text);
}

static void print_double(const struct conversion *v, double d, struct sbuf *out)
{
    char text[512];
    int precision = v->precision < 0 ? 6 : v->precision < 300 ? v->precision : 300;
    if (d >= 0 && v->plus)
        sbuf_char(out, '+');
    if (v->letter == 'e' || v->letter == 'E')
        snprintf(text, sizeof(text), v->letter == 'e' ? "%.*e" : "%.*E", precision, d);
    else if (v->letter == 'g' || v->letter == 'G')
        snprintf(text, sizeof(text), "%.*g", precision, d);
    else if (d > -1e100 && d < 1e100)
        snprintf(text, sizeof(text), "%.*f", precision, d);
    else
        snprintf(text, sizeof(text), d != d ? "NaN" : d > 0 ? "Infinity" : "-Infinity");
    if (v->comma)
        group_digits(str_of(text), out);
    else
        sbuf_cstr(out, text);
}

/* Half a character of UTF-16 is printed like any code point, which join_halves puts right. */
static bool print_character(int64_t code, struct sbuf *out)
{
    if (code < 0 || code > 0x10FFFF)
        return false;
    sbuf_added(out, utf8_encode((uint32_t)code, sbuf_reserve(out, 4)));
    return true;
}

/* The half of a character at p, in the three bytes that no valid text has; 0: it is none. */
static uint32_t half_at(const char *p, const char *end)
{
    const unsigned char *s = (const unsigned char *)p;
    return end - p >= 3 && s[0] == 0xED && s[1] >= 0xA0 ? 0xD000 | (s[1] & 0x3Fu) << 6 | (s[2] & 0x3Fu) : 0;
}

/* Java's text is UTF-16: two halves of a character, one behind the other, are the character; one alone becomes a
 * question mark when the text leaves Java. */
static void join_halves(struct sbuf *out)
{
    if (out->n == 0 || memchr(out->p, 0xED, out->n) == NULL)
        return;
    char *to = out->p, *end = out->p + out->n;
    for (const char *p = to; p < end;) {
        uint32_t high = half_at(p, end), low = high && high < 0xDC00 ? half_at(p + 3, end) : 0;
        if (high == 0) {
            *to++ = *p++;
        } else if (low >= 0xDC00) {
            to += utf8_encode(0x10000 + ((high - 0xD800) << 10 | (low - 0xDC00)), to);
            p += 6;
        } else {
            *to++ = '?';
            p += 3;
        }
    }
    out->n = (size_t)(to - out->p);
}

/* false: the letter does not go with the argument's type or value. */
static bool print_argument(struct call *c, uint32_t row, const struct conversion *v, uint32_t arg,
                           struct sbuf *out)
{
    const struct type *t = c->args[arg].type;
    size_t from = out->n;
    if (arg_null(c, arg, row)) {
        sbuf_cstr(out, v->letter == 'b' || v->letter == 'B' ? "false" : "null");
        return true;
    }
    switch (v->letter) {
    case 'd':
    case 'x':
    case 'X':
    case 'o':
        if (!type_is_integer(t))
            return false;
        print_integer(v, arg_i64(c, arg, row), out);
        return true;
    case 'f':
    case 'e':
    case 'E':
    case 'g':
    case 'G':
        if (!type_is_numeric(t) || type_is_integer(t))
            return false;
        print_double(v,
                     t->kind == TYPE_DECIMAL ? decimal_to_f64(ARG(c, i128, arg, row), t->scale)
                                             : arg_f64(c, arg, row),
                     out);
        return true;
    case 'c': /* a BIGINT is none of Java's characters */
        return type_is_integer(t) && t->kind != TYPE_LONG && print_character(arg_i64(c, arg, row), out);
    case 'b':
    case 'B':
        sbuf_cstr(out, t->kind == TYPE_BOOLEAN && !ARG(c, uint8_t, arg, row) ? "false" : "true");
        return true;
    case 's':
    case 'S': {
        struct value value = column_value(&c->args[arg], row, c->arena);
        value_to_text(&value, c->context->zone, out);
        if (v->precision >= 0 && utf8_length(out->p + from, out->n - from) > (size_t)v->precision)
            out->n = from + utf8_offset(out->p + from, out->n - from, (size_t)v->precision);
        return true;
    }
    default: return false;
    }
}

static void pad_field(const struct conversion *v, size_t from, struct sbuf *out)
{
    size_t have = utf8_length(out->p + from, out->n - from), n = out->n - from;
    if (v->width < 0 || have >= (size_t)v->width)
        return;
    size_t blanks = (size_t)v->width - have;
    char *room = sbuf_reserve(out, blanks);
    bool zero = v->zero && !v->left && v->letter != 's';
    if (v->left) {
        memset(room, ' ', blanks);
    } else {
        size_t sign = zero && n && strchr("+-", out->p[from]) ? 1 : 0;
        memmove(out->p + from + sign + blanks, out->p + from + sign, n - sign);
        memset(out->p + from + sign, zero ? '0' : ' ', blanks);
    }
    sbuf_added(out, blanks);
}

static bool print_row(struct call *c, uint32_t row, struct str format, struct sbuf *out)
{
    uint32_t next = 1;
    for (size_t at = 0; at < format.n;) {
        if (format.p[at] != '%') {
            sbuf_char(out, format.p[at++]);
            continue;
        }
        struct conversion v;
        size_t end = read_conversion(format, at + 1, &v), from = out->n;
        if (end == 0 || out->n > c->bytes_left)
            return false;
        at = end;
        if (v.letter == '%' || v.letter == 'n') {
            sbuf_char(out, v.letter == '%' ? '%' : '\n');
            continue;
        }
        uint32_t arg = v.index > 0 ? (uint32_t)v.index : next++;
        if (arg >= c->arg_count || !print_argument(c, row, &v, arg, out))
            return false;
        pad_field(&v, from, out);
    }
    return true;
}

void kernel_format_string(struct call *c)
{
    struct sbuf out = {0};
    for (EACH_ROW(c, row)) {
        if (arg_null(c, 0, row)) {
            out_null(c, row);
            continue;
        }
        struct str format = arg_str(c, 0, row);
        sbuf_clear(&out);
        if (print_row(c, row, format, &out)) {
            join_halves(&out);
            out_copy(c, row, sbuf_view(&out));
        } else {
            out_error(c, row,
                      "INVALID_PARAMETER_VALUE.FORMAT: the format \"%.*s\" does not go with its arguments",
                      (int)(format.n < 100 ? format.n : 100), format.p);
        }
    }
    sbuf_fini(&out);
}

/* ---- distances and sounds ------------------------------------------------------------------------------ */

enum { LEVENSHTEIN_MAX = 10000 }; /* characters: the time is their product */

static uint32_t *codes_of(struct str s, struct arena *arena, uint32_t *count)
{
    uint32_t *codes = arena_array(arena, uint32_t, s.n + 1), n = 0;
    for (size_t at = 0; at < s.n;) {
        uint32_t code = (uint8_t)s.p[at];
        size_t size = utf8_decode(s.p + at, s.n - at, &code);
        codes[n++] = code;
        at += size ? size : 1;
    }
    *count = n;
    return codes;
}

static int32_t levenshtein(struct str a, struct str b, struct arena *arena)
{
    uint32_t n, m, *x = codes_of(a, arena, &n), *y = codes_of(b, arena, &m),
                   *line = arena_array(arena, uint32_t, m + 2);
    for (uint32_t j = 0; j <= m; j++)
        line[j] = j;
    for (uint32_t i = 1; i <= n; i++) {
        uint32_t diagonal = line[0];
        line[0] = i;
        for (uint32_t j = 1; j <= m; j++) {
            uint32_t above = line[j], best = diagonal + (x[i - 1] != y[j - 1]);
            best = above + 1 < best ? above + 1 : best;
            best = line[j - 1] + 1 < best ? line[j - 1] + 1 : best;
            line[j] = best;
            diagonal = above;
        }
    }
    return (int32_t)line[m];
}

void kernel_levenshtein(struct call *c)
{
    struct arena arena = {0};
    for (EACH_ROW(c, row)) {
        struct str a = arg_str(c, 0, row), b = arg_str(c, 1, row);
        arena_reset(&arena);
        if (a.n > LEVENSHTEIN_MAX || b.n > LEVENSHTEIN_MAX) {
            out_error(c, row, "RESULT_TOO_LARGE: levenshtein() takes texts of at most %d bytes",
                      LEVENSHTEIN_MAX);
            continue;
        }
        int32_t d = levenshtein(a, b, &arena);
        OUT(c, int32_t)[row] = c->arg_count > 2 && d > ARG(c, int32_t, 2, row) ? -1 : d;
    }
    arena_fini(&arena);
}

static char upper_ascii(char ch)
{
    return ch >= 'a' && ch <= 'z' ? (char)(ch - 32) : ch;
}

void kernel_soundex(struct call *c)
{
    static const char codes[] = "01230127022455012623017202";
    for (EACH_ROW(c, row)) {
        struct str s = arg_str(c, 0, row);
        char out[4] = {'0', '0', '0', '0'}, first = s.n ? upper_ascii(s.p[0]) : 0;
        if (first < 'A' || first > 'Z') {
            out_str(c, row, s);
            continue;
        }
        size_t n = 1;
        char last = codes[first - 'A'];
        out[0] = first;
        for (size_t i = 1; i < s.n && n < 4; i++) {
            char ch = upper_ascii(s.p[i]);
            if (ch < 'A' || ch > 'Z') {
                last = '0';
                continue;
            }
            char code = codes[ch - 'A'];
            if (code == '7') /* H and W are as if they were not there */
                continue;
            if (code != '0' && code != last)
                out[n++] = code;
            last = code;
        }
        out_str(c, row, str_n(out, 4));
    }
}

void kernel_mask(struct call *c)
{
    static const char *const defaults[] = {"X", "x", "n", NULL};
    for (EACH_ROW(c, row)) {
        struct str with[4];
        bool keep[4];
        if (arg_null(c, 0, row)) {
            out_null(c, row);
            continue;
        }
        for (uint32_t i = 0; i < 4; i++) {
            bool given = c->arg_count > i + 1;
            keep[i] = given ? arg_null(c, i + 1, row) : defaults[i] == NULL;
            with[i] = keep[i] ? STR("") : given ? arg_str(c, i + 1, row) : str_of(defaults[i]);
            with[i].n = with[i].n ? letter_size(with[i], 0) : 0; /* one character */
        }
        struct str s = arg_str(c, 0, row);
        char *out = out_room(c, row, s.n * 4);
        size_t n = 0;
        for (size_t at = 0; out && at < s.n;) {
            size_t size = letter_size(s, at);
            char ch = s.p[at];
            int kind = ch >= 'A' && ch <= 'Z'   ? 0
                       : ch >= 'a' && ch <= 'z' ? 1
                       : ch >= '0' && ch <= '9' ? 2
                                                : 3;
            struct str letter = keep[kind] ? str_n(s.p + at, size) : with[kind];
            memcpy(out + n, letter.p, letter.n);
            n += letter.n;
            at += size;
        }
        if (out)
            out_str(c, row, str_n(out, n));
    }
}

void kernel_luhn_check(struct call *c)
{
    for (EACH_ROW(c, row)) {
        struct str s = arg_str(c, 0, row);
        unsigned sum = 0;
        bool ok = s.n > 0;
        for (size_t i = 0; i < s.n; i++) {
            unsigned d = (unsigned)(s.p[s.n - 1 - i] - '0');
            ok &= d < 10;
            d = i % 2 ? d * 2 : d;
            sum += d > 9 ? d - 9 : d;
        }
        OUT(c, uint8_t)[row] = ok && sum % 10 == 0;
    }
}

void kernel_quote(struct call *c)
{
    for (EACH_ROW(c, row)) {
        struct str s = arg_str(c, 0, row);
        char *out = out_room(c, row, s.n * 2 + 2);
        size_t n = 0;
        if (out == NULL)
            continue;
        out[n++] = '\'';
        for (size_t i = 0; i < s.n; i++) {
            if (s.p[i] == '\'')
                out[n++] = '\\';
            out[n++] = s.p[i];
        }
        out[n++] = '\'';
        out_str(c, row, str_n(out, n));
    }
}

/* ---- encodings ----------------------------------------------------------------------------------------- */

void out_base64(struct call *c, uint32_t row, struct str s)
{
    size_t n = (s.n + 2) / 3 * 4;
    char *out = out_room(c, row, s.n < INT32_MAX / 2 ? n + 1 : SIZE_MAX);
    if (out == NULL)
        return;
    EVP_EncodeBlock((unsigned char *)out, (const unsigned char *)s.p, (int)s.n);
    out_str(c, row, str_n(out, n));
}

void kernel_base64(struct call *c)
{
    for (EACH_ROW(c, row))
        out_base64(c, row, arg_str(c, 0, row));
}

/* Characters outside of the alphabet are skipped, as MIME has it; returns the bytes, or SIZE_MAX where the
 * end is cut. */
static size_t unbase64(struct str s, char *out)
{
    uint32_t bits = 0, have = 0;
    size_t n = 0;
    for (size_t i = 0; i < s.n && s.p[i] != '='; i++) {
        char ch = s.p[i];
        int v = ch >= 'A' && ch <= 'Z'   ? ch - 'A'
                : ch >= 'a' && ch <= 'z' ? ch - 'a' + 26
                : ch >= '0' && ch <= '9' ? ch - '0' + 52
                : ch == '+'              ? 62
                : ch == '/'              ? 63
                                         : -1;
        if (v < 0)
            continue;
        bits = bits << 6 | (uint32_t)v;
        if (++have == 4) {
            out[n++] = (char)(bits >> 16);
            out[n++] = (char)(bits >> 8);
            out[n++] = (char)bits;
            have = 0;
        }
    }
    if (have == 1)
        return SIZE_MAX;
    if (have >= 2)
        out[n++] = (char)(bits >> (have == 2 ? 4 : 10));
    if (have == 3)
        out[n++] = (char)(bits >> 2);
    return n;
}

static void bad_conversion(struct call *c, uint32_t row, struct str s, const char *what)
{
    out_error(c, row, "CONVERSION_INVALID_INPUT: \"%.*s\" is not %s", (int)(s.n < 80 ? s.n : 80), s.p, what);
}

static void out_unbase64(struct call *c, uint32_t row)
{
    struct str s = arg_str(c, 0, row);
    char *out = out_room(c, row, s.n + 3);
    size_t n = out ? unbase64(s, out) : 0;
    if (n == SIZE_MAX)
        bad_conversion(c, row, s, "base 64");
    else if (out)
        out_str(c, row, str_n(out, n));
}

void kernel_unbase64(struct call *c)
{
    for (EACH_ROW(c, row))
        out_unbase64(c, row);
}

void kernel_to_binary(struct call *c)
{
    for (EACH_ROW(c, row)) {
        struct str s = arg_str(c, 0, row), format = c->arg_count > 1 ? arg_str(c, 1, row) : STR("hex");
        if (str_eq_nocase(format, STR("utf-8")) || str_eq_nocase(format, STR("utf8"))) {
            out_str(c, row, s);
        } else if (str_eq_nocase(format, STR("base64"))) {
            out_unbase64(c, row);
        } else if (str_eq_nocase(format, STR("hex"))) {
            char *out = out_room(c, row, s.n / 2 + 1);
            if (out && text_unhex(s, out))
                out_str(c, row, str_n(out, (s.n + 1) / 2));
            else if (out)
                bad_conversion(c, row, s, "hexadecimal");
        } else {
            out_error(c, row, "INVALID_PARAMETER_VALUE.BINARY_FORMAT: \"%.*s\" is not hex, utf-8 or base64",
                      (int)(format.n < 40 ? format.n : 40), format.p);
        }
    }
}

enum charset {
    CHARSET_NONE,
    CHARSET_UTF8,
    CHARSET_ASCII,
    CHARSET_LATIN1,
    CHARSET_UTF16BE,
    CHARSET_UTF16LE,
    CHARSET_UTF16,
    CHARSET_UTF32
};

static enum charset charset_named(struct str name)
{
    static const char *const names[] = {"",         "utf-8",    "us-ascii", "iso-8859-1",
                                        "utf-16be", "utf-16le", "utf-16",   "utf-32"};
    for (int i = 1; i <= CHARSET_UTF32; i++)
        if (str_eq_nocase(name, str_of(names[i])))
            return (enum charset)i;
    return CHARSET_NONE;
}

static void put16(struct sbuf *out, uint32_t v, bool little)
{
    sbuf_char(out, (char)(little ? v : v >> 8));
    sbuf_char(out, (char)(little ? v >> 8 : v));
}

/* false: the character is none of the set's. */
static bool encode_letter(enum charset set, uint32_t code, struct sbuf *out)
{
    bool little = set == CHARSET_UTF16LE;
    switch (set) {
    case CHARSET_ASCII:
    case CHARSET_LATIN1: sbuf_char(out, (char)code); return code < (set == CHARSET_ASCII ? 0x80u : 0x100u);
    case CHARSET_UTF32:
        put16(out, code >> 16, false);
        put16(out, code & 0xFFFF, false);
        return true;
    default: break;
    }
    if (code >= 0x10000) {
        put16(out, 0xD800 + ((code - 0x10000) >> 10), little);
        code = 0xDC00 + ((code - 0x10000) & 0x3FF);
    }
    put16(out, code, little);
    return true;
}

static void bad_charset(struct call *c, uint32_t row, struct str name)
{
    out_error(c, row, "INVALID_PARAMETER_VALUE.CHARSET: there is no character set \"%.*s\"",
              (int)(name.n < 40 ? name.n : 40), name.p);
}

void kernel_encode(struct call *c)
{
    struct sbuf out = {0};
    for (EACH_ROW(c, row)) {
        struct str s = arg_str(c, 0, row), name = arg_str(c, 1, row);
        enum charset set = charset_named(name);
        bool ok = true;
        if (set == CHARSET_NONE || set == CHARSET_UTF8) {
            if (set == CHARSET_UTF8)
                out_str(c, row, s);
            else
                bad_charset(c, row, name);
            continue;
        }
        sbuf_clear(&out);
        if (set == CHARSET_UTF16)
            put16(&out, 0xFEFF, false);
        for (size_t at = 0; at < s.n && ok;) {
            uint32_t code = 0xFFFD;
            size_t size = utf8_decode(s.p + at, s.n - at, &code);
            ok = encode_letter(set, code, &out);
            at += size ? size : 1;
        }
        if (ok)
            out_copy(c, row, sbuf_view(&out));
        else
            out_error(c, row, "MALFORMED_CHARACTER_CODING: a character of the text is not in %.*s",
                      (int)name.n, name.p);
    }
    sbuf_fini(&out);
}

static uint32_t get16(struct str s, size_t at, bool little)
{
    uint8_t a = (uint8_t)s.p[at], b = (uint8_t)s.p[at + 1];
    return little ? (uint32_t)(b << 8 | a) : (uint32_t)(a << 8 | b);
}

/* The next character; 0: malformed. */
static size_t decode_letter(enum charset set, struct str s, size_t at, bool little, uint32_t *code)
{
    if (set == CHARSET_ASCII || set == CHARSET_LATIN1) {
        *code = (uint8_t)s.p[at];
        return set == CHARSET_LATIN1 || *code < 0x80;
    }
    if (set == CHARSET_UTF32) {
        if (at + 4 > s.n)
            return 0;
        *code = get16(s, at, false) << 16 | get16(s, at + 2, false);
        return *code < 0x110000 && (*code < 0xD800 || *code > 0xDFFF) ? 4 : 0;
    }
    if (at + 2 > s.n)
        return 0;
    *code = get16(s, at, little);
    if (*code < 0xD800 || *code > 0xDFFF)
        return 2;
    if (*code > 0xDBFF || at + 4 > s.n)
        return 0;
    uint32_t low = get16(s, at + 2, little);
    *code = 0x10000 + ((*code - 0xD800) << 10) + (low - 0xDC00);
    return low >= 0xDC00 && low <= 0xDFFF ? 4 : 0;
}

void kernel_decode(struct call *c)
{
    struct sbuf out = {0};
    for (EACH_ROW(c, row)) {
        struct str s = arg_str(c, 0, row), name = arg_str(c, 1, row);
        enum charset set = charset_named(name);
        size_t at = 0;
        if (set == CHARSET_NONE) {
            bad_charset(c, row, name);
            continue;
        }
        bool little = set == CHARSET_UTF16LE, ok = true;
        if (set == CHARSET_UTF8) {
            if (utf8_valid(s.p, s.n))
                out_str(c, row, s);
            else
                out_error(c, row, "MALFORMED_CHARACTER_CODING: the bytes are not UTF-8");
            continue;
        }
        sbuf_clear(&out);
        if (set == CHARSET_UTF16 && s.n >= 2 &&
            (get16(s, 0, false) == 0xFEFF || get16(s, 0, true) == 0xFEFF)) {
            little = get16(s, 0, true) == 0xFEFF;
            at = 2;
        }
        while (at < s.n && ok) {
            uint32_t code;
            size_t n = decode_letter(set, s, at, little, &code);
            ok = n > 0;
            if (ok)
                sbuf_added(&out, utf8_encode(code, sbuf_reserve(&out, 4)));
            at += n;
        }
        if (ok)
            out_copy(c, row, sbuf_view(&out));
        else
            out_error(c, row, "MALFORMED_CHARACTER_CODING: the bytes are not %.*s", (int)name.n, name.p);
    }
    sbuf_fini(&out);
}

void kernel_is_valid_utf8(struct call *c)
{
    for (EACH_ROW(c, row)) {
        struct str s = arg_str(c, 0, row);
        OUT(c, uint8_t)[row] = utf8_valid(s.p, s.n);
    }
}

void kernel_validate_utf8(struct call *c)
{
    for (EACH_ROW(c, row)) {
        struct str s = arg_str(c, 0, row);
        if (utf8_valid(s.p, s.n))
            out_str(c, row, s);
        else
            out_error(c, row, "INVALID_UTF8_STRING: the text is not UTF-8");
    }
}

void kernel_make_valid_utf8(struct call *c)
{
    for (EACH_ROW(c, row)) {
        struct str s = arg_str(c, 0, row);
        if (utf8_valid(s.p, s.n)) {
            out_str(c, row, s);
            continue;
        }
        char *out = out_room(c, row, s.n * 3);
        size_t n = 0;
        for (size_t at = 0; out && at < s.n;) {
            uint32_t code;
            size_t size = utf8_decode(s.p + at, s.n - at, &code);
            n += utf8_encode(size ? code : 0xFFFD, out + n);
            at += size ? size : 1;
        }
        if (out)
            out_str(c, row, str_n(out, n));
    }
}

void kernel_collation(struct call *c)
{
    const char *name = c->args[0].type->collation ? c->args[0].type->collation : "UTF8_BINARY";
    for (EACH_ROW(c, row))
        out_copy(c, row, str_of(name));
}

void kernel_current_user(struct call *c)
{
    for (EACH_ROW(c, row))
        out_str(c, row, STR("sluice"));
}

/* ---- URLs ---------------------------------------------------------------------------------------------- */

void kernel_url_encode(struct call *c)
{
    for (EACH_ROW(c, row)) {
        struct str s = arg_str(c, 0, row);
        char *out = out_room(c, row, s.n * 3);
        size_t n = 0;
        for (size_t i = 0; out && i < s.n; i++) {
            uint8_t ch = (uint8_t)s.p[i];
            bool plain = (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') || (ch >= '0' && ch <= '9') ||
                         (ch && strchr(".-*_", ch));
            if (plain || ch == ' ') {
                out[n++] = ch == ' ' ? '+' : (char)ch;
                continue;
            }
            out[n++] = '%';
            out[n++] = "0123456789ABCDEF"[ch >> 4];
            out[n++] = "0123456789ABCDEF"[ch & 15];
        }
        if (out)
            out_str(c, row, str_n(out, n));
    }
}

void kernel_url_decode(struct call *c)
{
    for (EACH_ROW(c, row)) {
        struct str s = arg_str(c, 0, row);
        char *out = out_room(c, row, s.n);
        size_t n = 0;
        bool ok = true;
        for (size_t i = 0; out && ok && i < s.n; i++) {
            if (s.p[i] != '%') {
                out[n++] = s.p[i] == '+' ? ' ' : s.p[i];
                continue;
            }
            ok = i + 2 < s.n && text_unhex(str_n(s.p + i + 1, 2), out + n);
            n++;
            i += 2;
        }
        if (out && ok && utf8_valid(out, n))
            out_str(c, row, str_n(out, n));
        else if (out)
            out_error(c, row, "CANNOT_DECODE_URL: \"%.*s\" is not a percent-encoded text",
                      (int)(s.n < 80 ? s.n : 80), s.p);
    }
}

struct url {
    struct str protocol, authority, userinfo, host, path, query, ref, file;
    bool has_authority, has_query, has_ref, has_userinfo;
};

/* RFC 3986's five parts, and the authority's. */
static bool url_split(struct str s, struct url *u)
{
    *u = (struct url){.has_query = false};
    for (size_t i = 0; i < s.n; i++)
        if ((uint8_t)s.p[i] <= ' ' || strchr("<>\"{}|\\^`", s.p[i]))
            return false;
    size_t hash = str_find(s, STR("#"), 0);
    if (hash != SIZE_MAX) {
        u->has_ref = true;
        u->ref = str_n(s.p + hash + 1, s.n - hash - 1);
        s.n = hash;
    }
    size_t colon = str_find(s, STR(":"), 0), slash = str_find(s, STR("/"), 0);
    if (colon != SIZE_MAX && colon > 0 && colon < slash) {
        u->protocol = str_n(s.p, colon);
        s = str_n(s.p + colon + 1, s.n - colon - 1);
    }
    if (str_starts(s, STR("//"))) {
        s = str_n(s.p + 2, s.n - 2);
        size_t end = 0;
        while (end < s.n && s.p[end] != '/' && s.p[end] != '?')
            end++;
        u->has_authority = true;
        u->authority = u->host = str_n(s.p, end);
        s = str_n(s.p + end, s.n - end);
        size_t at = str_find(u->host, STR("@"), 0);
        if (at != SIZE_MAX) {
            u->has_userinfo = true;
            u->userinfo = str_n(u->host.p, at);
            u->host = str_n(u->host.p + at + 1, u->host.n - at - 1);
        }
        for (size_t i = u->host.n; i-- > 0 && u->host.p[i] != ']';)
            if (u->host.p[i] == ':')
                u->host.n = i;
    }
    u->file = s;
    size_t question = str_find(s, STR("?"), 0);
    u->path = str_n(s.p, question == SIZE_MAX ? s.n : question);
    u->has_query = question != SIZE_MAX;
    if (u->has_query)
        u->query = str_n(s.p + question + 1, s.n - question - 1);
    return true;
}

static bool query_value(struct str query, struct str key, struct str *out)
{
    for (size_t at = 0; at <= query.n;) {
        size_t end = str_find(query, STR("&"), at);
        struct str pair = str_n(query.p + at, (end == SIZE_MAX ? query.n : end) - at);
        if (pair.n > key.n && str_starts(pair, key) && pair.p[key.n] == '=') {
            *out = str_n(pair.p + key.n + 1, pair.n - key.n - 1);
            return true;
        }
        at += pair.n + 1;
    }
    return false;
}

static bool url_part(const struct url *u, struct str part, struct str *out)
{
    const struct {
        const char *name;
        struct str value;
        bool has;
    } parts[] = {{"HOST", u->host, u->has_authority && u->host.n},
                 {"PATH", u->path, true},
                 {"QUERY", u->query, u->has_query},
                 {"REF", u->ref, u->has_ref},
                 {"PROTOCOL", u->protocol, u->protocol.n > 0},
                 {"FILE", u->file, true},
                 {"AUTHORITY", u->authority, u->has_authority && u->authority.n},
                 {"USERINFO", u->userinfo, u->has_userinfo}};
    for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++)
        if (str_is(part, parts[i].name)) {
            *out = parts[i].value;
            return parts[i].has;
        }
    return false;
}

void kernel_parse_url(struct call *c)
{
    for (EACH_ROW(c, row)) {
        struct str s = arg_str(c, 0, row), part = arg_str(c, 1, row), found;
        struct url u;
        if (!url_split(s, &u)) {
            out_error(c, row, "INVALID_URL: \"%.*s\" is not a URL", (int)(s.n < 80 ? s.n : 80), s.p);
            continue;
        }
        bool ok = url_part(&u, part, &found);
        if (ok && c->arg_count > 2)
            ok = str_is(part, "QUERY") && query_value(u.query, arg_str(c, 2, row), &found);
        if (ok)
            out_str(c, row, found);
        else
            out_null(c, row);
    }
}

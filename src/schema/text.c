#include "schema/text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/map.h"
#include "base/utf8.h"

#undef text_fail
bool text_fail(struct err *err, struct str text, const char *file, size_t at, const char *format, ...)
{
    va_list args;
    int line, column;
    va_start(args, format);
    err_vset(err, ERR_DATA, format, args);
    va_end(args);
    json_place(text, at, &line, &column);
    return err_at(err, file, line, column, 1);
}

/* ---- trees ------------------------------------------------------------------------------------------------------------- */

/* Takes the members away whose name comes again, after giving their value's place to the last one. */
static void drop_duplicates_here(struct json_node *object)
{
    struct map seen = {0};
    struct json_node **link = (struct json_node **)&object->first;
    while (*link != NULL) {
        struct json_node *node = *link, *before = map_get(&seen, node->name);
        if (before == NULL) {
            map_put(&seen, node->name, node);
            link = (struct json_node **)&node->next;
            continue;
        }
        const struct json_node *next = before->next;
        *link = (struct json_node *)node->next;
        object->count--;
        if (next == node)
            next = node->next;
        *before = *node;
        before->next = next;
    }
    map_fini(&seen);
}

/* The depth of trees is bounded by JSON_TREE_DEPTH_MAX, here and below. */
void text_drop_duplicates(const struct json_node *root)
{
    if (root->kind == JSON_OBJECT && root->count > 1)
        drop_duplicates_here((struct json_node *)root);
    JSON_EACH(child, root)
    text_drop_duplicates(child);
}

const struct json_node **text_children(struct arena *arena, const struct json_node *node)
{
    const struct json_node **children = arena_array(arena, const struct json_node *, node->count);
    uint32_t count = 0;
    JSON_EACH(child, node)
    children[count++] = child;
    return children;
}

static bool is_integer(struct str number)
{
    return memchr(number.p, '.', number.n) == NULL && memchr(number.p, 'e', number.n) == NULL &&
           memchr(number.p, 'E', number.n) == NULL;
}

static bool numbers_equal(struct str a, struct str b)
{
    double x, y;
    if (is_integer(a) || is_integer(b))
        return str_eq(a, b);
    return str_to_f64(a, &x) && str_to_f64(b, &y) && x == y;
}

bool text_equal(const struct json_node *a, const struct json_node *b)
{
    if (a->kind != b->kind || a->count != b->count)
        return false;
    switch (a->kind) {
    case JSON_NULL: return true;
    case JSON_BOOLEAN: return a->boolean == b->boolean;
    case JSON_NUMBER: return numbers_equal(a->text, b->text);
    case JSON_STRING: return str_eq(a->text, b->text);
    case JSON_ARRAY:
        for (a = a->first, b = b->first; a != NULL; a = a->next, b = b->next)
            if (!text_equal(a, b))
                return false;
        return true;
    case JSON_OBJECT: break;
    }
    const struct json_node *twin = b->first; /* mostly in the same order */
    JSON_EACH(member, a)
    {
        if (twin == NULL || !str_eq(twin->name, member->name))
            twin = json_member(b, member->name);
        if (twin == NULL || !text_equal(member, twin))
            return false;
        twin = twin->next;
    }
    return true;
}

/* ---- order --------------------------------------------------------------------------------------------------------------- */

/* Characters past U+FFFF are surrogates, which stand before U+E000 … U+FFFF. */
static uint32_t utf16_rank(uint32_t code)
{
    return code >= 0xE000 && code <= 0xFFFF ? code + 0x200000 : code;
}

int text_compare(struct str a, struct str b)
{
    size_t at = 0, least = a.n < b.n ? a.n : b.n;
    while (at < least && a.p[at] == b.p[at])
        at++;
    while (at > 0 && at < a.n && at < b.n && ((a.p[at] & 0xC0) == 0x80 || (b.p[at] & 0xC0) == 0x80))
        at--; /* to the start of the character that differs */
    uint32_t x = 0, y = 0;
    if (at == a.n || at == b.n)
        return (a.n > b.n) - (a.n < b.n);
    utf8_decode(a.p + at, a.n - at, &x);
    utf8_decode(b.p + at, b.n - at, &y);
    return utf16_rank(x) < utf16_rank(y) ? -1 : utf16_rank(x) > utf16_rank(y);
}

static int compare_members(const void *a, const void *b)
{
    const struct json_node *const *x = a, *const *y = b;
    return text_compare((*x)->name, (*y)->name);
}

/* ---- writing ------------------------------------------------------------------------------------------------------------- */

void text_string(struct sbuf *out, struct str s)
{
    sbuf_char(out, '"');
    size_t plain = 0;
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c >= 0x20 && c != '"' && c != '\\')
            continue;
        static const char letters[] = {
            ['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r', ['"'] = '"', ['\\'] = '\\'};
        sbuf_add(out, s.p + plain, i - plain);
        plain = i + 1;
        if (c < sizeof letters && letters[c] != 0)
            sbuf_printf(out, "\\%c", letters[c]);
        else
            sbuf_printf(out, "\\u%04X", c);
    }
    sbuf_add(out, s.p + plain, s.n - plain);
    sbuf_char(out, '"');
}

/* digits × 10^(exponent − count), the point behind the first digit of an exponent of 1. */
static void decimal(struct sbuf *out, bool negative, const char *digits, int count, int exponent)
{
    if (negative)
        sbuf_char(out, '-');
    if (exponent > -3 && exponent <= 0) {
        sbuf_cstr(out, "0.");
        for (int i = exponent; i < 0; i++)
            sbuf_char(out, '0');
        sbuf_add(out, digits, (size_t)count);
    } else if (exponent > 0 && exponent <= 7) {
        for (int i = 0; i < exponent; i++)
            sbuf_char(out, i < count ? digits[i] : '0');
        sbuf_char(out, '.');
        if (count > exponent)
            sbuf_add(out, digits + exponent, (size_t)(count - exponent));
        else
            sbuf_char(out, '0');
    } else {
        sbuf_printf(out, "%c.%.*sE%d", digits[0], count > 1 ? count - 1 : 1, count > 1 ? digits + 1 : "0",
                    exponent - 1);
    }
}

/* shortest: the number in any notation of C. */
static void java_number(struct sbuf *out, const char *shortest)
{
    char digits[40];
    int count = 0, exponent = 0;
    bool negative = *shortest == '-', point = false;
    const char *p = shortest + (negative || *shortest == '+');
    for (; (*p >= '0' && *p <= '9') || *p == '.'; p++) {
        if (*p == '.') {
            point = true;
            continue;
        }
        if (count == 0 && *p == '0') {
            exponent -= point;
            continue;
        }
        if (count < (int)sizeof digits)
            digits[count++] = *p;
        exponent += !point;
    }
    if (*p == 'e' || *p == 'E')
        exponent += atoi(p + 1);
    while (count > 0 && digits[count - 1] == '0')
        count--;
    if (count == 0)
        sbuf_cstr(out, negative ? "-0.0" : "0.0");
    else
        decimal(out, negative, digits, count, exponent);
}

void text_double(struct sbuf *out, double value)
{
    char shortest[32];
    if (isnan(value) || isinf(value)) {
        sbuf_cstr(out, isnan(value) ? "\"NaN\"" : value < 0 ? "\"-Infinity\"" : "\"Infinity\"");
        return;
    }
    shortest[str_from_f64(value, shortest)] = '\0';
    java_number(out, shortest);
}

void text_float(struct sbuf *out, float value)
{
    char shortest[32];
    if (isnan(value) || isinf(value)) {
        text_double(out, (double)value);
        return;
    }
    for (int digits = 1; digits <= 9; digits++) {
        snprintf(shortest, sizeof shortest, "%.*e", digits - 1, (double)value);
        if (strtof(shortest, NULL) == value)
            break;
    }
    java_number(out, shortest);
}

void text_number(struct sbuf *out, struct str number)
{
    double value;
    if (is_integer(number))
        sbuf_str(out, str_is(number, "-0") ? STR("0") : number);
    else if (str_to_f64(number, &value))
        text_double(out, value);
    else
        sbuf_str(out, number);
}

void text_decimal(struct sbuf *out, struct str number)
{
    struct sbuf digits = {0};
    int64_t scale = 0, exponent = 0;
    bool negative = number.n > 0 && number.p[0] == '-', point = false;
    size_t i = negative;
    if (is_integer(number)) {
        text_number(out, number);
        return;
    }
    for (; i < number.n && (number.p[i] | 0x20) != 'e'; i++) {
        point |= number.p[i] == '.';
        if (number.p[i] == '.')
            continue;
        scale += point;
        if (digits.n > 0 || number.p[i] != '0')
            sbuf_char(&digits, number.p[i]);
    }
    if (i < number.n) {
        i += 1 + (number.p[i + 1] == '+');
        if (!str_to_i64(str_n(number.p + i, number.n - i), &exponent) || exponent > INT32_MAX ||
            exponent < INT32_MIN)
            exponent = 0;
    }
    scale -= exponent;
    if (digits.n == 0)
        sbuf_char(&digits, '0');
    if (negative && !(digits.n == 1 && digits.p[0] == '0'))
        sbuf_char(out, '-');
    int64_t count = (int64_t)digits.n, adjusted = count - 1 - scale;
    if (scale >= 0 && adjusted >= -6) {
        if (count <= scale)
            sbuf_cstr(out, "0.");
        for (int64_t k = count; k < scale; k++)
            sbuf_char(out, '0');
        for (int64_t k = 0; k < count; k++) {
            if (k > 0 && k == count - scale)
                sbuf_char(out, '.');
            sbuf_char(out, digits.p[k]);
        }
    } else {
        sbuf_char(out, digits.p[0]);
        if (count > 1)
            sbuf_printf(out, ".%s", digits.p + 1);
        sbuf_printf(out, "E%+lld", (long long)adjusted);
    }
    sbuf_fini(&digits);
}

static void write_child(struct sbuf *out, const struct json_node *node, const struct json_node *child,
                        unsigned how)
{
    if (out->p[out->n - 1] != '{' && out->p[out->n - 1] != '[')
        sbuf_char(out, ',');
    if (node->kind == JSON_OBJECT) {
        text_string(out, child->name);
        sbuf_char(out, ':');
    }
    text_node(out, child, how);
}

static void write_sorted(struct sbuf *out, const struct json_node *object, unsigned how)
{
    struct arena arena = {0};
    const struct json_node **children = text_children(&arena, object);
    qsort(children, object->count, sizeof(struct json_node *), compare_members);
    for (uint32_t i = 0; i < object->count; i++)
        write_child(out, object, children[i], how);
    arena_fini(&arena);
}

static void write_children(struct sbuf *out, const struct json_node *node, unsigned how)
{
    bool is_object = node->kind == JSON_OBJECT;
    sbuf_char(out, is_object ? '{' : '[');
    if ((how & TEXT_SORTED) && is_object && node->count > 1)
        write_sorted(out, node, how);
    else
        JSON_EACH(child, node)
    write_child(out, node, child, how);
    sbuf_char(out, is_object ? '}' : ']');
}

void text_node(struct sbuf *out, const struct json_node *node, unsigned how)
{
    switch (node->kind) {
    case JSON_NULL:
    case JSON_BOOLEAN: sbuf_str(out, node->text); return;
    case JSON_NUMBER:
        if (how & TEXT_DECIMALS)
            text_decimal(out, node->text);
        else
            text_number(out, node->text);
        return;
    case JSON_STRING: text_string(out, node->text); return;
    case JSON_ARRAY:
    case JSON_OBJECT: write_children(out, node, how); return;
    }
}

struct str text_take(struct arena *arena, struct sbuf *b)
{
    struct str text = str_n(arena_alloc(arena, b->n + 1), b->n);
    if (b->n > 0)
        memcpy((char *)text.p, b->p, b->n);
    ((char *)text.p)[b->n] = '\0';
    sbuf_clear(b);
    return text;
}

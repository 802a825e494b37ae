/* Text, the common part: joining, cutting, padding, searching, case. Parts of a text are views into it:
 * nothing is copied. */
#include <limits.h>

#include "base/utf8.h"
#include "op/gather.h"
#include "op/kernels_private.h"
#include "op/text.h"

/* ---- concat -------------------------------------------------------------------------------------------- */

enum { JOIN_SLACK = 16 }; /* bytes behind the end of a row's room that join_row may overwrite */

/* The bytes of all arguments of a row, one after the other, at `to`. Inline views are copied whole: a few
 * bytes too many are cheaper than a call for each. */
static void join_row(const struct call *c, uint32_t row, char *to)
{
    for (uint32_t i = 0; i < c->arg_count; i++) {
        const struct view *v = (const struct view *)c->args[i].data + arg_at(c, i, row);
        if (v->size <= VIEW_INLINE)
            memcpy(to, v->inlined, VIEW_INLINE);
        else
            memcpy(to, v->far.p, v->size);
        to += v->size;
    }
}

static void concat_text(struct call *c)
{
    size_t total = 0;
    uint32_t *sizes = arena_zarray(c->arena, uint32_t, c->rows);
    for (uint32_t i = 0; i < c->arg_count; i++) { /* by column: one load of a view's size for each cell */
        const struct view *views = c->args[i].data;
        bool constant = c->args[i].encoding == COLUMN_CONSTANT;
        for (EACH_ROW(c, row)) {
            uint32_t n = views[constant ? 0 : row].size;
            if (__builtin_add_overflow(sizes[row], n, &sizes[row]))
                sizes[row] = UINT32_MAX;
        }
    }
    for (EACH_ROW(c, row))
        total += sizes[row] > VIEW_INLINE ? sizes[row] : 0;
    char *at = total <= c->bytes_left ? arena_alloc(c->arena, total + JOIN_SLACK) : NULL;
    for (EACH_ROW(c, row)) {
        char inlined[VIEW_INLINE + JOIN_SLACK];
        uint32_t n = sizes[row];
        char *to = n <= VIEW_INLINE ? inlined : at ? at : out_room(c, row, (size_t)n + JOIN_SLACK);
        if (to == NULL)
            continue;
        join_row(c, row, to);
        out_str(c, row, str_n(to, n));
        if (at && n > VIEW_INLINE)
            at += n;
    }
}

/* Elements of all arguments of a row, in order. */
static void concat_arrays(struct call *c)
{
    const struct column **children = arena_array(c->arena, const struct column *, c->arg_count + 1);
    uint64_t total = 0;
    c->out->offsets = arena_zarray(c->arena, uint32_t, (size_t)c->rows + 1);
    for (uint32_t i = 0; i < c->arg_count; i++)
        children[i] = &c->args[i].children[0];
    for (EACH_ROW(c, row))
        for (uint32_t i = 0; i < c->arg_count; i++) {
            uint32_t at = arg_at(c, i, row);
            total += c->args[i].offsets[at + 1] - c->args[i].offsets[at];
        }
    CHECK(total <= UINT32_MAX);
    uint32_t *source = arena_array(c->arena, uint32_t, total), *rows = arena_array(c->arena, uint32_t, total),
             n = 0, next = 0;
    for (EACH_ROW(c, row)) {
        for (; next <= row; next++)
            c->out->offsets[next] = n;
        for (uint32_t i = 0; i < c->arg_count; i++) {
            uint32_t at = arg_at(c, i, row);
            for (uint32_t k = c->args[i].offsets[at]; k < c->args[i].offsets[at + 1]; k++) {
                source[n] = i;
                rows[n++] = k;
            }
        }
    }
    for (; next <= c->rows; next++)
        c->out->offsets[next] = n;
    c->out->children = arena_new(c->arena, struct column);
    *c->out->children = column_gather(c->out->type->fields[0].type, children, c->arg_count, source, rows, n,
                                      c->arena);
}

static void concat_nothing(struct call *c)
{
    for (EACH_ROW(c, row))
        out_str(c, row, STR(""));
}

bool pick_concat(struct kernel_pick *p, struct err *err)
{
    bool arrays = p->expr->type->kind == TYPE_ARRAY;
    if (arrays)
        p->flags |= KERNEL_OUT;
    p->run = p->expr->arg_count == 0 ? concat_nothing : arrays ? concat_arrays : concat_text;
    return true;
}

/* Calls `part` for each text of a row that is not NULL: strings, and the strings of arrays. */
static void each_part(struct call *c, uint32_t row, void (*part)(void *arg, struct str s), void *arg)
{
    for (uint32_t i = 1; i < c->arg_count; i++) {
        if (arg_null(c, i, row))
            continue;
        if (type_is_view(c->args[i].type)) {
            part(arg, arg_str(c, i, row));
            continue;
        }
        uint32_t at = arg_at(c, i, row);
        const struct column *items = &c->args[i].children[0];
        for (uint32_t k = c->args[i].offsets[at]; k < c->args[i].offsets[at + 1]; k++)
            if (!column_is_null(items, k))
                part(arg, view_str((const struct view *)items->data + k));
    }
}

struct join {
    struct str separator;
    size_t size;
    uint32_t parts;
    char *to; /* NULL: measure */
};

static void join_part(void *arg, struct str s)
{
    struct join *j = arg;
    if (j->to) {
        if (j->parts)
            memcpy(j->to + j->size, j->separator.p, j->separator.n);
        memcpy(j->to + j->size + (j->parts ? j->separator.n : 0), s.p, s.n);
    }
    j->size += s.n + (j->parts ? j->separator.n : 0);
    j->parts++;
}

void kernel_concat_ws(struct call *c)
{
    for (EACH_ROW(c, row)) {
        if (arg_null(c, 0, row)) {
            out_null(c, row);
            continue;
        }
        struct join j = {.separator = arg_str(c, 0, row)};
        char inlined[VIEW_INLINE];
        each_part(c, row, join_part, &j);
        size_t n = j.size;
        char *to = n <= VIEW_INLINE ? inlined : out_room(c, row, n);
        if (to == NULL)
            continue;
        j = (struct join){.separator = j.separator, .to = to};
        each_part(c, row, join_part, &j);
        out_str(c, row, str_n(to, n));
    }
}

/* ---- lengths ------------------------------------------------------------------------------------------- */

size_t text_length(struct str s)
{
    return text_is_ascii(s) ? s.n : utf8_length(s.p, s.n);
}

/* Byte index of a character. */
static size_t text_offset(struct str s, size_t index)
{
    return index >= s.n ? s.n : utf8_offset(s.p, s.n, index);
}

void kernel_length(struct call *c)
{
    bool text = arg_kind(c, 0) == TYPE_STRING;
    for (EACH_ROW(c, row)) {
        struct str s = arg_str(c, 0, row);
        OUT(c, int32_t)[row] = (int32_t)(text ? text_length(s) : s.n);
    }
}
void kernel_octet_length(struct call *c)
{
    for (EACH_ROW(c, row))
        OUT(c, int32_t)[row] = (int32_t)arg_str(c, 0, row).n;
}
void kernel_bit_length(struct call *c)
{
    for (EACH_ROW(c, row))
        OUT(c, int32_t)[row] = (int32_t)(arg_str(c, 0, row).n * 8);
}

/* ---- case ---------------------------------------------------------------------------------------------- */

/* c's own arena has the text already when it is new. */
#define CASE(name, change)                                                                                   \
    void name(struct call *c)                                                                                \
    {                                                                                                        \
        for (EACH_ROW(c, row))                                                                               \
            out_str(c, row, change(arg_str(c, 0, row), c->arena));                                           \
    }
CASE(kernel_upper, text_upper)
CASE(kernel_lower, text_lower)
CASE(kernel_initcap, text_initcap)

/* ---- parts --------------------------------------------------------------------------------------------- */

/* Characters (bytes where !text) [start, end) of s, both cut to it. */
static struct str part(struct str s, bool text, int64_t start, int64_t end)
{
    if (end <= start || end <= 0)
        return str_n(s.p, 0);
    if (start < 0)
        start = 0;
    if (!text || text_is_ascii(s)) {
        if (start > (int64_t)s.n)
            start = (int64_t)s.n;
        if (end > (int64_t)s.n)
            end = (int64_t)s.n;
        return str_n(s.p + start, (size_t)(end - start));
    }
    size_t from = text_offset(s, (size_t)start);
    struct str rest = str_n(s.p + from, s.n - from);
    return str_n(rest.p, text_offset(rest, (size_t)(end - start)));
}

/* SQL's substring: position from 1, from the end where negative, 0 is as 1. */
static struct str substring(struct str s, bool text, int64_t position, int64_t length)
{
    int64_t start = position > 0 ? position - 1 : 0;
    if (position < 0)
        start = (int64_t)(text ? text_length(s) : s.n) + position;
    return part(s, text, start, start + length);
}

void kernel_substring(struct call *c)
{
    bool text = arg_kind(c, 0) == TYPE_STRING;
    for (EACH_ROW(c, row)) {
        int64_t length = c->arg_count > 2 ? ARG(c, int32_t, 2, row) : INT32_MAX;
        out_str(c, row, substring(arg_str(c, 0, row), text, ARG(c, int32_t, 1, row), length));
    }
}

void kernel_left(struct call *c)
{
    bool text = arg_kind(c, 0) == TYPE_STRING;
    for (EACH_ROW(c, row))
        out_str(c, row, part(arg_str(c, 0, row), text, 0, ARG(c, int32_t, 1, row)));
}

void kernel_right(struct call *c)
{
    bool text = arg_kind(c, 0) == TYPE_STRING;
    for (EACH_ROW(c, row)) {
        struct str s = arg_str(c, 0, row);
        int64_t length = ARG(c, int32_t, 1, row);
        out_str(c, row, length <= 0 ? str_n(s.p, 0) : substring(s, text, -length, INT32_MAX));
    }
}

/* The last occurrence that begins at or before `at`, or SIZE_MAX. */
static size_t find_back(struct str s, struct str needle, size_t at)
{
    if (needle.n > s.n)
        return SIZE_MAX;
    if (at > s.n - needle.n)
        at = s.n - needle.n;
    for (size_t i = at + 1; i-- > 0;)
        if (memcmp(s.p + i, needle.p, needle.n) == 0)
            return i;
    return SIZE_MAX;
}

static struct str substring_index(struct str s, struct str delimiter, int64_t count)
{
    if (delimiter.n == 0 || count == 0)
        return str_n(s.p, 0);
    if (count > 0) {
        size_t at = 0;
        for (size_t from = 0; count > 0; count--, from = at + 1) {
            at = str_find(s, delimiter, from);
            if (at == SIZE_MAX)
                return s;
        }
        return str_n(s.p, at);
    }
    size_t at = s.n;
    for (; count < 0; count++) {
        if (at == 0)
            return s;
        at = find_back(s, delimiter, count == 0 ? s.n : at - 1);
        if (at == SIZE_MAX)
            return s;
    }
    return str_n(s.p + at + delimiter.n, s.n - at - delimiter.n);
}

void kernel_substring_index(struct call *c)
{
    for (EACH_ROW(c, row))
        out_str(c, row, substring_index(arg_str(c, 0, row), arg_str(c, 1, row), ARG(c, int32_t, 2, row)));
}

/* ---- trim ---------------------------------------------------------------------------------------------- */

enum { TRIM_FRONT = 1, TRIM_BACK = 2 };

static size_t letter_size(struct str s, size_t at)
{
    uint32_t code;
    size_t n = utf8_decode(s.p + at, s.n - at, &code);
    return n ? n : 1;
}

static bool has_letter(struct str set, struct str letter)
{
    return letter.n == 1 ? memchr(set.p, letter.p[0], set.n) != NULL : str_find(set, letter, 0) != SIZE_MAX;
}

static struct str trim(struct str s, struct str set, int ends)
{
    if (set.n == 0)
        return s;
    while ((ends & TRIM_FRONT) && s.n) {
        size_t n = letter_size(s, 0);
        if (!has_letter(set, str_n(s.p, n)))
            break;
        s = str_n(s.p + n, s.n - n);
    }
    while ((ends & TRIM_BACK) && s.n) {
        size_t at = s.n - 1;
        while (at > 0 && ((uint8_t)s.p[at] & 0xC0) == 0x80)
            at--;
        if (!has_letter(set, str_n(s.p + at, s.n - at)))
            break;
        s.n = at;
    }
    return s;
}

static struct str trim_blanks(struct str s, int ends)
{
    while ((ends & TRIM_FRONT) && s.n && s.p[0] == ' ')
        s = str_n(s.p + 1, s.n - 1);
    while ((ends & TRIM_BACK) && s.n && s.p[s.n - 1] == ' ')
        s.n--;
    return s;
}

static void trim_rows(struct call *c, int ends)
{
    for (EACH_ROW(c, row)) {
        struct str s = arg_str(c, 0, row);
        out_str(c, row, c->arg_count > 1 ? trim(s, arg_str(c, 1, row), ends) : trim_blanks(s, ends));
    }
}

void kernel_trim(struct call *c)
{
    trim_rows(c, TRIM_FRONT | TRIM_BACK);
}
void kernel_ltrim(struct call *c)
{
    trim_rows(c, TRIM_FRONT);
}
void kernel_rtrim(struct call *c)
{
    trim_rows(c, TRIM_BACK);
}

/* ---- pad and repeat ------------------------------------------------------------------------------------ */

/* `count` characters of the pad, repeated, at `to`; returns the bytes, or measures them where to is NULL. */
static size_t fill(struct str pad, size_t pad_length, bool text, size_t count, char *to)
{
    size_t whole = count / pad_length, n = whole * pad.n;
    struct str rest = part(pad, text, 0, (int64_t)(count % pad_length));
    for (size_t i = 0; to && i < whole; i++)
        memcpy(to + i * pad.n, pad.p, pad.n);
    if (to && rest.n)
        memcpy(to + n, rest.p, rest.n);
    return n + rest.n;
}

static void pad_row(struct call *c, uint32_t row, bool left)
{
    bool text = arg_kind(c, 0) == TYPE_STRING;
    struct str s = arg_str(c, 0, row), padding = c->arg_count > 2 ? arg_str(c, 2, row)
                                                 : text           ? STR(" ")
                                                                  : str_n("\0", 1);
    int64_t wanted = ARG(c, int32_t, 1, row), have = (int64_t)(text ? text_length(s) : s.n);
    if (wanted <= have || padding.n == 0) {
        out_str(c, row, part(s, text, 0, wanted));
        return;
    }
    size_t count = (size_t)(wanted - have), length = text ? text_length(padding) : padding.n;
    size_t n = fill(padding, length, text, count, NULL);
    char *to = out_blown_up(c, row, n + s.n, s.n);
    if (to == NULL)
        return;
    fill(padding, length, text, count, left ? to : to + s.n);
    if (s.n)
        memcpy(left ? to + n : to, s.p, s.n);
    out_str(c, row, str_n(to, n + s.n));
}

void kernel_lpad(struct call *c)
{
    for (EACH_ROW(c, row))
        pad_row(c, row, true);
}
void kernel_rpad(struct call *c)
{
    for (EACH_ROW(c, row))
        pad_row(c, row, false);
}

void kernel_repeat(struct call *c)
{
    for (EACH_ROW(c, row)) {
        struct str s = arg_str(c, 0, row);
        int64_t count = ARG(c, int32_t, 1, row);
        size_t n = count > 0 ? mem_product((size_t)count, s.n) : 0;
        char *to = out_blown_up(c, row, n, 0);
        if (to == NULL)
            continue;
        for (size_t i = 0; n && i < (size_t)count; i++)
            memcpy(to + i * s.n, s.p, s.n);
        out_str(c, row, str_n(to, n));
    }
}

void kernel_space(struct call *c)
{
    for (EACH_ROW(c, row)) {
        int64_t count = ARG(c, int32_t, 0, row);
        size_t n = count > 0 ? (size_t)count : 0;
        char *to = out_blown_up(c, row, n, 0);
        if (to == NULL)
            continue;
        memset(to, ' ', n);
        out_str(c, row, str_n(to, n));
    }
}

static void reverse_text(struct call *c)
{
    for (EACH_ROW(c, row)) {
        struct str s = arg_str(c, 0, row);
        char *to = out_room(c, row, s.n);
        if (to == NULL)
            continue;
        for (size_t at = 0; at < s.n;) {
            size_t n = letter_size(s, at);
            memcpy(to + s.n - at - n, s.p + at, n);
            at += n;
        }
        out_str(c, row, str_n(to, s.n));
    }
}

static void reverse_array(struct call *c)
{
    const struct column *a = &c->args[0];
    uint32_t *rows = arena_array(c->arena, uint32_t, a->children[0].rows + 1), n = 0, next = 0;
    c->out->offsets = arena_zarray(c->arena, uint32_t, (size_t)c->rows + 1);
    for (EACH_ROW(c, row)) {
        for (; next <= row; next++)
            c->out->offsets[next] = n;
        for (uint32_t k = a->offsets[row + 1]; k-- > a->offsets[row];)
            rows[n++] = k;
    }
    for (; next <= c->rows; next++)
        c->out->offsets[next] = n;
    c->out->children = arena_new(c->arena, struct column);
    *c->out->children = column_take(&a->children[0], rows, n, c->arena);
}

bool pick_reverse(struct kernel_pick *p, struct err *err)
{
    bool array = p->expr->type->kind == TYPE_ARRAY;
    if (array)
        p->flags |= KERNEL_OUT;
    p->run = array ? reverse_array : reverse_text;
    return true;
}

/* ---- replace ------------------------------------------------------------------------------------------- */

static void replace_row(struct call *c, uint32_t row, struct str s, struct str search, struct str with)
{
    size_t count = 0;
    if (search.n)
        for (size_t at = str_find(s, search, 0); at != SIZE_MAX; at = str_find(s, search, at + search.n))
            count++;
    if (count == 0) {
        out_str(c, row, s);
        return;
    }
    size_t n = s.n - count * search.n;
    char *to = count * (with.n + 1) > c->bytes_left ? out_room(c, row, SIZE_MAX)
                                                    : out_room(c, row, n + count * with.n),
         *start = to;
    if (to == NULL)
        return;
    size_t from = 0;
    for (size_t at = str_find(s, search, 0); at != SIZE_MAX; at = str_find(s, search, from)) {
        memcpy(to, s.p + from, at - from);
        to += at - from;
        if (with.n)
            memcpy(to, with.p, with.n);
        to += with.n;
        from = at + search.n;
    }
    if (from < s.n)
        memcpy(to, s.p + from, s.n - from);
    out_str(c, row, str_n(start, n + count * with.n));
}

void kernel_replace(struct call *c)
{
    for (EACH_ROW(c, row))
        replace_row(c, row, arg_str(c, 0, row), arg_str(c, 1, row),
                    c->arg_count > 2 ? arg_str(c, 2, row) : STR(""));
}

/* What a letter becomes: its place in `from` is the place of the new one in `to`; past its end the letter
 * goes. */
static struct str translated(struct str letter, struct str from, struct str to)
{
    size_t at_to = 0;
    for (size_t at = 0; at < from.n;) {
        size_t n = letter_size(from, at);
        bool gone = at_to >= to.n;
        size_t m = gone ? 0 : letter_size(to, at_to);
        if (str_eq(str_n(from.p + at, n), letter))
            return str_n(gone ? "" : to.p + at_to, m);
        at += n;
        at_to += m;
    }
    return letter;
}

void kernel_translate(struct call *c)
{
    for (EACH_ROW(c, row)) {
        struct str s = arg_str(c, 0, row), from = arg_str(c, 1, row), to = arg_str(c, 2, row);
        char *out = out_room(c, row, s.n * 4);
        size_t size = 0;
        if (out == NULL)
            continue;
        for (size_t at = 0; at < s.n;) {
            size_t n = letter_size(s, at);
            struct str letter = translated(str_n(s.p + at, n), from, to);
            if (letter.n)
                memcpy(out + size, letter.p, letter.n);
            size += letter.n;
            at += n;
        }
        out_str(c, row, str_n(out, size));
    }
}

void kernel_overlay(struct call *c)
{
    bool text = arg_kind(c, 0) == TYPE_STRING;
    for (EACH_ROW(c, row)) {
        struct str s = arg_str(c, 0, row), with = arg_str(c, 1, row);
        int64_t position = ARG(c, int32_t, 2, row), length = c->arg_count > 3 ? ARG(c, int32_t, 3, row) : -1;
        if (length < 0)
            length = (int64_t)(text ? text_length(with) : with.n);
        struct str head = substring(s, text, 1, position - 1),
                   tail = substring(s, text, position + length, INT32_MAX);
        size_t n = head.n + with.n + tail.n;
        char *to = out_room(c, row, n);
        if (to == NULL)
            continue;
        memcpy(to, head.p, head.n);
        memcpy(to + head.n, with.p, with.n);
        memcpy(to + head.n + with.n, tail.p, tail.n);
        out_str(c, row, str_n(to, n));
    }
}

/* ---- searching ----------------------------------------------------------------------------------------- */

/* Place of needle from character `from`, counted from 1; 0 = none. */
static int32_t place(struct str s, struct str needle, int64_t from)
{
    if (needle.n == 0)
        return 1;
    size_t at = str_find(s, needle, text_offset(s, (size_t)from));
    return at == SIZE_MAX ? 0 : (int32_t)text_length(str_n(s.p, at)) + 1;
}

void kernel_instr(struct call *c)
{
    for (EACH_ROW(c, row))
        OUT(c, int32_t)[row] = place(arg_str(c, 0, row), arg_str(c, 1, row), 0);
}

void kernel_locate(struct call *c)
{
    for (EACH_ROW(c, row)) {
        OUT(c, int32_t)[row] = 0;
        if (c->arg_count > 2 && arg_null(c, 2, row))
            continue;
        if (arg_null(c, 0, row) || arg_null(c, 1, row)) {
            out_null(c, row);
            continue;
        }
        int64_t from = c->arg_count > 2 ? ARG(c, int32_t, 2, row) : 1;
        if (from > 0)
            OUT(c, int32_t)[row] = place(arg_str(c, 1, row), arg_str(c, 0, row), from - 1);
    }
}

void kernel_contains(struct call *c)
{
    for (EACH_ROW(c, row)) {
        struct str needle = arg_str(c, 1, row);
        OUT(c, uint8_t)[row] = needle.n == 0 || str_find(arg_str(c, 0, row), needle, 0) != SIZE_MAX;
    }
}
void kernel_startswith(struct call *c)
{
    for (EACH_ROW(c, row))
        OUT(c, uint8_t)[row] = str_starts(arg_str(c, 0, row), arg_str(c, 1, row));
}
void kernel_endswith(struct call *c)
{
    for (EACH_ROW(c, row))
        OUT(c, uint8_t)[row] = str_ends(arg_str(c, 0, row), arg_str(c, 1, row));
}

void kernel_ascii(struct call *c)
{
    for (EACH_ROW(c, row)) {
        struct str s = arg_str(c, 0, row);
        uint32_t code = 0;
        if (s.n && utf8_decode(s.p, s.n, &code) == 0)
            code = (uint8_t)s.p[0];
        OUT(c, int32_t)[row] = (int32_t)code;
    }
}

void kernel_chr(struct call *c)
{
    for (EACH_ROW(c, row)) {
        int64_t n = ARG(c, int64_t, 0, row);
        char text[4];
        out_str(c, row, n < 0 ? STR("") : str_n(text, utf8_encode((uint32_t)(n & 0xFF), text)));
    }
}

void kernel_split_part(struct call *c)
{
    for (EACH_ROW(c, row)) {
        struct str s = arg_str(c, 0, row), delimiter = arg_str(c, 1, row), found = STR("");
        int64_t wanted = ARG(c, int32_t, 2, row), count = 1;
        if (wanted == 0) {
            out_error(c, row, "INVALID_INDEX_OF_ZERO: the index 0 is invalid, indexes begin with 1 or -1");
            continue;
        }
        if (delimiter.n)
            for (size_t at = str_find(s, delimiter, 0); at != SIZE_MAX;
                 at = str_find(s, delimiter, at + delimiter.n))
                count++;
        if (wanted < 0)
            wanted += count + 1;
        size_t from = 0;
        for (int64_t i = 1; i <= count && wanted >= 1 && wanted <= count; i++) {
            size_t at = delimiter.n ? str_find(s, delimiter, from) : SIZE_MAX;
            if (i == wanted) {
                found = str_n(s.p + from, (at == SIZE_MAX ? s.n : at) - from);
                break;
            }
            from = at + delimiter.n;
        }
        out_str(c, row, found);
    }
}

void kernel_find_in_set(struct call *c)
{
    for (EACH_ROW(c, row)) {
        struct str s = arg_str(c, 0, row), list = arg_str(c, 1, row);
        int32_t place_ = 0, n = 1;
        OUT(c, int32_t)[row] = 0;
        if (s.n && memchr(s.p, ',', s.n))
            continue;
        for (size_t from = 0; from <= list.n && place_ == 0; n++) {
            size_t at = str_find(list, STR(","), from);
            size_t end = at == SIZE_MAX ? list.n : at;
            if (str_eq(str_n(list.p + from, end - from), s))
                place_ = n;
            from = end + 1;
        }
        OUT(c, int32_t)[row] = place_;
    }
}

/* ---- LIKE ---------------------------------------------------------------------------------------------- */

/* A pattern is cut into literals between % signs. Most are of a form that needs no matching: literal, 'a%',
 * '%a', '%a%'. */
enum like_form { LIKE_EXACT, LIKE_PREFIX, LIKE_SUFFIX, LIKE_PART, LIKE_GENERAL };

struct like {
    enum like_form form;
    bool nocase, bad;
    struct str literal; /* of the simple forms */
    struct like_token {
        bool any, one; /* %, _ */
        struct str letter;
    } * tokens;
    size_t count;
};

static bool like_parse(struct like *l, struct str pattern, struct str escape, bool nocase,
                       struct arena *arena)
{
    if (nocase)
        pattern = text_lower(pattern, arena);
    l->nocase = nocase;
    l->count = 0;
    l->tokens = arena_zarray(arena, struct like_token, pattern.n + 1);
    char *literal = arena_alloc(arena, pattern.n + 1);
    size_t n = 0, any = 0, one = 0;
    for (size_t at = 0; at < pattern.n;) {
        struct like_token *t = &l->tokens[l->count++];
        size_t size = letter_size(pattern, at);
        struct str letter = str_n(pattern.p + at, size);
        if (str_eq(letter, escape)) {
            at += size;
            if (at >= pattern.n)
                return false;
            size = letter_size(pattern, at);
            letter = str_n(pattern.p + at, size);
            if (!str_eq(letter, escape) && letter.p[0] != '%' && letter.p[0] != '_')
                return false;
            t->letter = letter;
        } else if (letter.p[0] == '%') {
            t->any = true;
            any++;
        } else if (letter.p[0] == '_') {
            t->one = true;
            one++;
        } else {
            t->letter = letter;
        }
        if (!t->any && !t->one) {
            memcpy(literal + n, letter.p, letter.n);
            n += letter.n;
        }
        at += size;
    }
    l->literal = str_n(literal, n);
    bool front = l->count && l->tokens[0].any, back = l->count && l->tokens[l->count - 1].any;
    l->form = one                                         ? LIKE_GENERAL
              : any == 0                                  ? LIKE_EXACT
              : any == 1 && back                          ? LIKE_PREFIX
              : any == 1 && front                         ? LIKE_SUFFIX
              : any == 2 && front && back && l->count > 2 ? LIKE_PART
                                                          : LIKE_GENERAL;
    return true;
}

/* Greedy, going back to the last % only: linear in practice, quadratic at worst. */
static bool like_match(const struct like *l, struct str s)
{
    size_t at = 0, token = 0, back_at = SIZE_MAX, back_token = 0;
    while (at < s.n || token < l->count) {
        const struct like_token *t = token < l->count ? &l->tokens[token] : NULL;
        if (t && t->any) {
            back_at = at;
            back_token = ++token;
            continue;
        }
        if (t && at < s.n) {
            size_t n = letter_size(s, at);
            if (t->one || str_eq(t->letter, str_n(s.p + at, n))) {
                at += n;
                token++;
                continue;
            }
        }
        if (back_at == SIZE_MAX || back_at >= s.n)
            return false;
        back_at += letter_size(s, back_at);
        at = back_at;
        token = back_token;
    }
    return true;
}

static bool like_test(const struct like *l, struct str s)
{
    switch (l->form) {
    case LIKE_EXACT: return str_eq(s, l->literal);
    case LIKE_PREFIX: return str_starts(s, l->literal);
    case LIKE_SUFFIX: return str_ends(s, l->literal);
    case LIKE_PART: return str_find(s, l->literal, 0) != SIZE_MAX;
    case LIKE_GENERAL: return like_match(l, s);
    }
    UNREACHABLE("forms of LIKE");
}

static void like_rows(struct call *c, bool nocase)
{
    const struct like *prepared = c->step->state;
    struct str last = {NULL, SIZE_MAX}, last_escape = {0};
    struct like own = {0};
    bool ok = true;
    for (EACH_ROW(c, row)) {
        const struct like *l = prepared;
        struct str s = arg_str(c, 0, row), pattern = arg_str(c, 1, row), escape = arg_str(c, 2, row);
        if (l == NULL) {
            if (last.n == SIZE_MAX || !str_eq(last, pattern) || !str_eq(last_escape, escape))
                ok = like_parse(&own, pattern, escape, nocase, c->arena);
            last = pattern;
            last_escape = escape;
            l = &own;
        }
        if (prepared ? l->bad : !ok)
            out_error(
                c, row,
                "INVALID_FORMAT.ESC_IN_THE_MIDDLE: the pattern \"%.*s\" has an escape character that escapes nothing",
                (int)(pattern.n < 200 ? pattern.n : 200), pattern.p);
        else
            OUT(c, uint8_t)[row] = like_test(l, nocase ? text_lower(s, c->arena) : s);
    }
}

static void like_exact_case(struct call *c)
{
    like_rows(c, false);
}
static void like_no_case(struct call *c)
{
    like_rows(c, true);
}

static bool pick_like_form(struct kernel_pick *p, bool nocase)
{
    struct str pattern, escape;
    p->run = nocase ? like_no_case : like_exact_case;
    if (pick_str(p, 1, &pattern) && pick_str(p, 2, &escape)) {
        struct like *l = pool_new_struct(p->pool, struct like);
        l->bad = !like_parse(l, pattern, escape, nocase, pool_arena(p->pool));
        p->state = l;
    }
    return true;
}

bool pick_like(struct kernel_pick *p, struct err *err)
{
    return pick_like_form(p, false);
}
bool pick_ilike(struct kernel_pick *p, struct err *err)
{
    return pick_like_form(p, true);
}

/* Regular expressions: RLIKE, regexp_*, split, str_to_map, through PCRE2, whose syntax holds nearly all of
 * Java's.
 *
 * A constant pattern is compiled once, with the program; others when they change from row to row. A match
 * that takes too long (a pattern like (a+)+b on a long text) is ended by a limit and fails its row, not the
 * stream. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "base/utf8.h"
#include "op/kernels_private.h"
#include "op/text.h"

enum { REGEX_MATCH_LIMIT = 2000000, REGEX_HEAP_KIB = 20000, REGEX_GROUPS_MAX = 1000 };

struct regex {
    pcre2_code *code;
    pcre2_match_data *match;
    pcre2_match_context *context;
    uint32_t groups;
    struct str pattern; /* that code was compiled from; owned */
    bool constant, broken;
    char error[160];
};

static void regex_clear(struct regex *r)
{
    pcre2_match_data_free(r->match);
    pcre2_code_free(r->code);
    mem_free((char *)r->pattern.p);
    r->match = NULL;
    r->code = NULL;
    r->pattern = (struct str){0};
}

static void regex_close(void *arg)
{
    struct regex *r = arg;
    regex_clear(r);
    pcre2_match_context_free(r->context);
}

static void regex_compile(struct regex *r, struct str pattern)
{
    int error;
    PCRE2_SIZE at;
    regex_clear(r);
    char *copy = mem_new(pattern.n + 1);
    if (pattern.n)
        memcpy(copy, pattern.p, pattern.n);
    r->pattern = str_n(copy, pattern.n);
    r->code = pcre2_compile((PCRE2_SPTR)copy, pattern.n,
                            PCRE2_UTF | PCRE2_NEVER_BACKSLASH_C | PCRE2_ALLOW_EMPTY_CLASS, &error, &at, NULL);
    r->broken = r->code == NULL;
    if (r->broken) {
        pcre2_get_error_message(error, (PCRE2_UCHAR *)r->error, sizeof(r->error));
        return;
    }
    pcre2_jit_compile(r->code, PCRE2_JIT_COMPLETE); /* where the processor has none: interpreted */
    pcre2_pattern_info(r->code, PCRE2_INFO_CAPTURECOUNT, &r->groups);
    r->match = pcre2_match_data_create_from_pattern(r->code, NULL);
    CHECK(r->match);
}

/* The call's expression, ready for this row's pattern; NULL: the row has failed. */
static struct regex *regex_of(struct call *c, uint32_t row, uint32_t arg)
{
    struct regex *r = c->step->state;
    struct str pattern = arg_str(c, arg, row);
    if (!r->constant && (r->pattern.p == NULL || !str_eq(pattern, r->pattern)))
        regex_compile(r, pattern);
    if (r->broken) {
        out_error(c, row, "INVALID_PARAMETER_VALUE.PATTERN: \"%.*s\" is not a regular expression: %s",
                  (int)(pattern.n < 200 ? pattern.n : 200), pattern.p, r->error);
        return NULL;
    }
    return r;
}

enum regex_found { REGEX_NONE, REGEX_FOUND, REGEX_FAILED };

/* The next match at or after `from`; span[0], span[1] = its bytes. REGEX_FAILED: the row has failed. */
static enum regex_found regex_next(struct call *c, uint32_t row, struct regex *r, struct str s, size_t from,
                                   size_t span[2])
{
    if (from > s.n)
        return REGEX_NONE;
    int n = pcre2_match(r->code, (PCRE2_SPTR)s.p, s.n, from, 0, r->match, r->context);
    if (n == PCRE2_ERROR_NOMATCH)
        return REGEX_NONE;
    if (n < 0) {
        char text[160];
        pcre2_get_error_message(n, (PCRE2_UCHAR *)text, sizeof(text));
        out_error(c, row,
                  "INVALID_PARAMETER_VALUE.PATTERN: the regular expression \"%.*s\" could not be matched: %s",
                  (int)(r->pattern.n < 200 ? r->pattern.n : 200), r->pattern.p, text);
        return REGEX_FAILED;
    }
    const PCRE2_SIZE *v = pcre2_get_ovector_pointer(r->match);
    span[0] = v[0];
    span[1] = v[1] < v[0] ? v[0] : v[1]; /* \K in a lookahead */
    return REGEX_FOUND;
}

/* Where to look for the match after one: behind it, a character further when it was empty. */
static size_t regex_step(struct str s, const size_t span[2])
{
    if (span[1] > span[0])
        return span[1];
    uint32_t code;
    size_t n = span[1] < s.n ? utf8_decode(s.p + span[1], s.n - span[1], &code) : 1;
    return span[1] + (n ? n : 1);
}

static struct str regex_group(const struct regex *r, struct str s, uint32_t group)
{
    const PCRE2_SIZE *v = pcre2_get_ovector_pointer(r->match);
    if (v[2 * group] == PCRE2_UNSET)
        return STR("");
    return str_n(s.p + v[2 * group], v[2 * group + 1] - v[2 * group]);
}

static bool pick_regex(struct kernel_pick *p, uint32_t arg, kernel_fn *run)
{
    struct regex *r = pool_new_struct(p->pool, struct regex);
    struct str pattern;
    pool_on_free(p->pool, regex_close, r);
    r->context = pcre2_match_context_create(NULL);
    CHECK(r->context);
    pcre2_set_match_limit(r->context, REGEX_MATCH_LIMIT);
    pcre2_set_heap_limit(r->context, REGEX_HEAP_KIB);
    if (pick_str(p, arg, &pattern)) {
        r->constant = true;
        regex_compile(r, pattern);
    }
    p->run = run;
    p->state = r;
    return true;
}

/* ---- tests --------------------------------------------------------------------------------------------- */

static void rlike_rows(struct call *c)
{
    for (EACH_ROW(c, row)) {
        struct regex *r = regex_of(c, row, 1);
        size_t span[2];
        if (r)
            OUT(c, uint8_t)[row] = regex_next(c, row, r, arg_str(c, 0, row), 0, span) == REGEX_FOUND;
    }
}

static void count_rows(struct call *c)
{
    for (EACH_ROW(c, row)) {
        struct regex *r = regex_of(c, row, 1);
        struct str s = arg_str(c, 0, row);
        size_t span[2];
        int32_t count = 0;
        if (r == NULL)
            continue;
        for (size_t at = 0; regex_next(c, row, r, s, at, span) == REGEX_FOUND; at = regex_step(s, span))
            count++;
        OUT(c, int32_t)[row] = count;
    }
}

static void instr_rows(struct call *c)
{
    for (EACH_ROW(c, row)) {
        struct regex *r = regex_of(c, row, 1);
        struct str s = arg_str(c, 0, row);
        size_t span[2];
        if (r)
            OUT(c, int32_t)
        [row] = regex_next(c, row, r, s, 0, span) == REGEX_FOUND ? (int32_t)utf8_length(s.p, span[0]) + 1 : 0;
    }
}

static void substr_rows(struct call *c)
{
    for (EACH_ROW(c, row)) {
        struct regex *r = regex_of(c, row, 1);
        struct str s = arg_str(c, 0, row);
        size_t span[2];
        enum regex_found found = r ? regex_next(c, row, r, s, 0, span) : REGEX_FAILED;
        if (found == REGEX_FOUND)
            out_str(c, row, str_n(s.p + span[0], span[1] - span[0]));
        else if (found == REGEX_NONE)
            out_null(c, row);
    }
}

/* ---- groups -------------------------------------------------------------------------------------------- */

/* The group asked for; false: the row has failed. */
static bool group_of(struct call *c, uint32_t row, const struct regex *r, uint32_t *group)
{
    int64_t wanted = c->arg_count > 2 ? ARG(c, int32_t, 2, row) : 1;
    if (wanted < 0 || wanted > r->groups) {
        out_error(c, row,
                  "INVALID_PARAMETER_VALUE.REGEX_GROUP_INDEX: the group index %lld is not within 0 to %u",
                  (long long)wanted, r->groups);
        return false;
    }
    *group = (uint32_t)wanted;
    return true;
}

static void extract_rows(struct call *c)
{
    for (EACH_ROW(c, row)) {
        struct regex *r = regex_of(c, row, 1);
        struct str s = arg_str(c, 0, row);
        size_t span[2];
        uint32_t group;
        if (r == NULL)
            continue;
        enum regex_found found = regex_next(c, row, r, s, 0, span);
        if (found == REGEX_FAILED)
            continue;
        if (found == REGEX_NONE)
            out_str(c, row, STR(""));
        else if (group_of(c, row, r, &group))
            out_str(c, row, regex_group(r, s, group));
    }
}

/* Rows of an array of strings that are appended in order; rows that are skipped are empty. */
struct strings {
    struct call *c;
    struct column_builder items;
    uint32_t next;
};

static void strings_begin(struct strings *s, struct call *c)
{
    *s = (struct strings){.c = c};
    c->out->offsets = arena_zarray(c->arena, uint32_t, (size_t)c->rows + 1);
    column_builder_init(&s->items, c->out->type->fields[0].type, c->arena);
}

static void strings_row(struct strings *s, uint32_t row)
{
    for (; s->next <= row; s->next++)
        s->c->out->offsets[s->next] = s->items.rows;
}

static void strings_add(struct strings *s, struct str text)
{
    column_builder_str(&s->items, text, false);
}

static void strings_end(struct strings *s)
{
    strings_row(s, s->c->rows);
    s->c->out->children = arena_new(s->c->arena, struct column);
    *s->c->out->children = column_builder_finish(&s->items);
}

static void extract_all_rows(struct call *c)
{
    struct strings list;
    strings_begin(&list, c);
    for (EACH_ROW(c, row)) {
        struct regex *r = regex_of(c, row, 1);
        struct str s = arg_str(c, 0, row);
        size_t span[2];
        uint32_t group, before = list.items.rows;
        strings_row(&list, row);
        for (size_t at = 0; r && regex_next(c, row, r, s, at, span) == REGEX_FOUND;
             at = regex_step(s, span)) {
            if (!group_of(c, row, r, &group))
                break;
            strings_add(&list, regex_group(r, s, group));
        }
        if (c->out->validity && !bit_get(c->out->validity, row))
            column_builder_truncate(&list.items, before);
    }
    strings_end(&list);
}

/* ---- replace ------------------------------------------------------------------------------------------- */

/* Appends Java's replacement text: $1 and \$ . false: a group that is none. */
static bool replacement(const struct regex *r, struct str s, struct str with, struct sbuf *out)
{
    for (size_t i = 0; i < with.n; i++) {
        if (with.p[i] == '\\' && i + 1 < with.n) {
            sbuf_char(out, with.p[++i]);
            continue;
        }
        if (with.p[i] != '$') {
            sbuf_char(out, with.p[i]);
            continue;
        }
        uint32_t group = 0, digits = 0;
        while (i + 1 < with.n && with.p[i + 1] >= '0' && with.p[i + 1] <= '9') {
            uint32_t longer = group * 10 + (uint32_t)(with.p[i + 1] - '0');
            if (digits && longer > r->groups)
                break;
            group = longer;
            digits++;
            i++;
        }
        if (digits == 0 || group > r->groups)
            return false;
        sbuf_str(out, regex_group(r, s, group));
    }
    return true;
}

static void replace_one(struct call *c, uint32_t row, struct regex *r, struct sbuf *out)
{
    struct str s = arg_str(c, 0, row), with = arg_str(c, 2, row);
    int64_t position = c->arg_count > 3 ? ARG(c, int32_t, 3, row) : 1;
    size_t span[2], done = 0, at = position > 1 ? utf8_offset(s.p, s.n, (size_t)position - 1) : 0;
    if (position < 1) {
        out_error(c, row, "INVALID_PARAMETER_VALUE.ZERO_INDEX: the position %lld is not positive",
                  (long long)position);
        return;
    }
    sbuf_clear(out);
    enum regex_found found;
    bool any = false;
    while ((found = regex_next(c, row, r, s, at, span)) == REGEX_FOUND) {
        any = true;
        sbuf_add(out, s.p + done, span[0] - done);
        if (!replacement(r, s, with, out)) {
            out_error(
                c, row,
                "INVALID_PARAMETER_VALUE.REGEX_GROUP_INDEX: the replacement names a group that is none");
            return;
        }
        done = span[1];
        at = regex_step(s, span);
        if (out->n > c->bytes_left)
            break;
    }
    if (found == REGEX_FAILED)
        return;
    if (!any) {
        out_str(c, row, s);
        return;
    }
    sbuf_add(out, s.p + done, s.n - done);
    out_copy(c, row, sbuf_view(out));
}

static void replace_rows(struct call *c)
{
    struct sbuf out = {0};
    for (EACH_ROW(c, row)) {
        struct regex *r = regex_of(c, row, 1);
        if (r)
            replace_one(c, row, r, &out);
    }
    sbuf_fini(&out);
}

/* ---- split --------------------------------------------------------------------------------------------- */

/* Java's String.split with Spark's limit: > 0 at most so many parts; others all, empty ones at the end too.
 */
static bool split_row(struct call *c, uint32_t row, struct regex *r, struct str s, int64_t limit,
                      struct strings *list)
{
    size_t span[2], from = 0, at = 0;
    int64_t parts = 1;
    enum regex_found found = REGEX_NONE;
    while (limit <= 0 || parts < limit) {
        found = regex_next(c, row, r, s, at, span);
        if (found != REGEX_FOUND)
            break;
        at = regex_step(s, span);
        if (span[1] == span[0] && (span[0] == 0 || span[0] >= s.n))
            continue; /* an empty match parts nothing from nothing */
        strings_add(list, str_n(s.p + from, span[0] - from));
        from = span[1];
        parts++;
    }
    strings_add(list, str_n(s.p + from, s.n - from));
    return found != REGEX_FAILED;
}

/* A pattern of one plain character, or an escaped one: no expression is needed. */
static bool plain_delimiter(struct str pattern, char *delimiter)
{
    if (pattern.n == 2 && pattern.p[0] == '\\' && strchr(".|*+?()[]{}^$\\/-,;:#", pattern.p[1])) {
        *delimiter = pattern.p[1];
        return true;
    }
    if (pattern.n != 1 || (uint8_t)pattern.p[0] >= 0x80 || strchr(".|*+?()[]{}^$\\", pattern.p[0]))
        return false;
    *delimiter = pattern.p[0];
    return true;
}

static void split_plain(struct str s, char delimiter, int64_t limit, struct strings *list)
{
    const char *from = s.p, *end = s.p + s.n;
    for (int64_t parts = 1; limit <= 0 || parts < limit; parts++) {
        const char *at = from < end ? memchr(from, delimiter, (size_t)(end - from)) : NULL;
        if (at == NULL)
            break;
        strings_add(list, str_n(from, (size_t)(at - from)));
        from = at + 1;
    }
    strings_add(list, str_n(from, (size_t)(end - from)));
}

static void split_rows(struct call *c)
{
    struct strings list;
    strings_begin(&list, c);
    for (EACH_ROW(c, row)) {
        int64_t limit = c->arg_count > 2 ? ARG(c, int32_t, 2, row) : -1;
        struct str s = arg_str(c, 0, row);
        uint32_t before = list.items.rows;
        char delimiter;
        strings_row(&list, row);
        if (plain_delimiter(arg_str(c, 1, row), &delimiter)) {
            split_plain(s, delimiter, limit, &list);
            continue;
        }
        struct regex *r = regex_of(c, row, 1);
        if (r == NULL || !split_row(c, row, r, s, limit, &list))
            column_builder_truncate(&list.items, before);
    }
    strings_end(&list);
}

bool pick_rlike(struct kernel_pick *p, struct err *err)
{
    return pick_regex(p, 1, rlike_rows);
}
bool pick_regexp_count(struct kernel_pick *p, struct err *err)
{
    return pick_regex(p, 1, count_rows);
}
bool pick_regexp_instr(struct kernel_pick *p, struct err *err)
{
    return pick_regex(p, 1, instr_rows);
}
bool pick_regexp_substr(struct kernel_pick *p, struct err *err)
{
    return pick_regex(p, 1, substr_rows);
}
bool pick_regexp_extract(struct kernel_pick *p, struct err *err)
{
    return pick_regex(p, 1, extract_rows);
}
bool pick_regexp_extract_all(struct kernel_pick *p, struct err *err)
{
    p->flags |= KERNEL_OUT;
    return pick_regex(p, 1, extract_all_rows);
}
bool pick_regexp_replace(struct kernel_pick *p, struct err *err)
{
    return pick_regex(p, 1, replace_rows);
}
bool pick_split(struct kernel_pick *p, struct err *err)
{
    p->flags |= KERNEL_OUT;
    return pick_regex(p, 1, split_rows);
}

/* ---- str_to_map ---------------------------------------------------------------------------------------------- */

/* The expressions of its second and third argument. */
struct pair_regex {
    struct regex pairs, keys;
};

/* A text's parts go to a list of their own, which the entries are then made of. */
static bool pairs_of(struct call *c, uint32_t row, struct strings *list, uint32_t *before)
{
    *before = list->items.rows;
    struct pair_regex *r = c->step->state;
    const struct str defaults[] = {STR(","), STR(":")};
    struct regex *each[] = {&r->pairs, &r->keys};
    for (uint32_t i = 0; i < 2; i++) {
        struct str pattern = c->arg_count > i + 1 ? arg_str(c, i + 1, row) : defaults[i];
        if (each[i]->pattern.p == NULL || !str_eq(pattern, each[i]->pattern))
            regex_compile(each[i], pattern);
        if (each[i]->broken) {
            out_error(c, row, "INVALID_PARAMETER_VALUE.PATTERN: \"%.*s\" is not a regular expression: %s",
                      (int)(pattern.n < 200 ? pattern.n : 200), pattern.p, each[i]->error);
            return false;
        }
    }
    return split_row(c, row, &r->pairs, arg_str(c, 0, row), -1, list);
}

/* One entry: the text up to the first key delimiter, and the rest, NULL where there is none. */
static bool add_entry(struct call *c, uint32_t row, struct str pair, struct column_builder *keys,
                      struct column_builder *values, uint32_t from)
{
    struct pair_regex *r = c->step->state;
    size_t span[2];
    enum regex_found found = regex_next(c, row, &r->keys, pair, 0, span);
    if (found == REGEX_FAILED)
        return false;
    struct str key = found == REGEX_FOUND ? str_n(pair.p, span[0]) : pair;
    for (uint32_t k = from; k < keys->rows; k++)
        if (str_eq(view_str((struct view *)keys->data + k), key)) {
            out_error(c, row, "DUPLICATED_MAP_KEY: the key \"%.*s\" is in the map twice",
                      (int)(key.n < 80 ? key.n : 80), key.p);
            return false;
        }
    column_builder_str(keys, key, false);
    if (found == REGEX_FOUND)
        column_builder_str(values, str_n(pair.p + span[1], pair.n - span[1]), false);
    else
        column_builder_null(values);
    return true;
}

static void str_to_map_rows(struct call *c)
{
    struct strings list = {.c = c};
    struct column_builder keys, values;
    uint32_t next = 0, before;
    const struct type *text = type_simple(TYPE_STRING);
    column_builder_init(&list.items, text, c->arena);
    column_builder_init(&keys, text, c->arena);
    column_builder_init(&values, text, c->arena);
    c->out->offsets = arena_zarray(c->arena, uint32_t, (size_t)c->rows + 1);
    for (EACH_ROW(c, row)) {
        for (; next <= row; next++)
            c->out->offsets[next] = keys.rows;
        uint32_t from = keys.rows;
        bool ok = pairs_of(c, row, &list, &before);
        for (uint32_t k = before; ok && k < list.items.rows; k++)
            ok = add_entry(c, row, view_str((struct view *)list.items.data + k), &keys, &values, from);
        if (!ok) {
            column_builder_truncate(&keys, from);
            column_builder_truncate(&values, from);
        }
    }
    for (; next <= c->rows; next++)
        c->out->offsets[next] = keys.rows;
    c->out->children = arena_array(c->arena, struct column, 2);
    c->out->children[0] = column_builder_finish(&keys);
    c->out->children[1] = column_builder_finish(&values);
}

bool pick_str_to_map(struct kernel_pick *p, struct err *err)
{
    struct pair_regex *r = pool_new_struct(p->pool, struct pair_regex);
    struct regex *each[] = {&r->pairs, &r->keys};
    for (uint32_t i = 0; i < 2; i++) {
        pool_on_free(p->pool, regex_close, each[i]);
        each[i]->context = pcre2_match_context_create(NULL);
        CHECK(each[i]->context);
        pcre2_set_match_limit(each[i]->context, REGEX_MATCH_LIMIT);
        pcre2_set_heap_limit(each[i]->context, REGEX_HEAP_KIB);
    }
    p->run = str_to_map_rows;
    p->state = r;
    p->flags |= KERNEL_OUT;
    return true;
}

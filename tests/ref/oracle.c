/* See oracle.h. */
#include <ref/oracle.h>

#include <math.h>
#include <time.h>

#include "base/utf8.h"
#include "sql/function.h"
#include "type/cast.h"

static bool fail(struct oracle *o, const char *class)
{
    return err_set(&o->err, ERR_DATA, "%s", class);
}

static bool unknown(struct oracle *o, const char *what)
{
    o->unknown = true;
    return err_set(&o->err, ERR_FATAL, "the oracle does not know %s", what);
}

/* ---- values -------------------------------------------------------------------------------------------- */

static void set_i64(struct value *out, const struct type *type, int64_t v)
{
    *out = (struct value){.type = type, .i64 = v};
}
static void set_f64(struct value *out, const struct type *type, double v)
{
    *out = (struct value){.type = type, .f64 = type->kind == TYPE_FLOAT ? (double)(float)v : v};
}
static void set_bool(struct value *out, const struct type *type, bool v)
{
    *out = (struct value){.type = type, .boolean = v};
}
static void set_str(struct oracle *o, struct value *out, const struct type *type, const char *p, size_t n)
{
    *out = (struct value){.type = type, .str = str_n(arena_dup(o->arena, n ? p : "", n), n)};
}
static bool is_floating(const struct type *t)
{
    return t->kind == TYPE_FLOAT || t->kind == TYPE_DOUBLE;
}
static double as_f64(const struct value *v)
{
    return is_floating(v->type)            ? v->f64
           : v->type->kind == TYPE_DECIMAL ? decimal_to_f64(v->decimal, v->type->scale)
                                           : (double)v->i64;
}
static int64_t least(const struct type *t)
{
    return t->kind == TYPE_BYTE                                 ? INT8_MIN
           : t->kind == TYPE_SHORT                              ? INT16_MIN
           : t->kind == TYPE_INT || t->kind == TYPE_INTERVAL_YM ? INT32_MIN
                                                                : INT64_MIN;
}
static bool set_whole(struct oracle *o, struct value *out, const struct type *type, i128 v)
{
    i128 low = least(type), high = -(low + 1);
    if (v < low || v > high)
        return fail(o, "ARITHMETIC_OVERFLOW");
    set_i64(out, type, (int64_t)v);
    return true;
}

/* ---- arithmetic ---------------------------------------------------------------------------------------- */

static bool decimal_op(struct oracle *o, enum function_id id, const struct value *a, const struct value *b,
                       const struct type *type, struct value *out)
{
    struct decimal_shape shape = decimal_shape_of(type);
    unsigned sa = a->type->scale, sb = b->type->scale;
    i128 v = 0;
    bool ok = false;
    if ((id == FN_DIVIDE || id == FN_MOD || id == FN_PMOD) && b->decimal == 0)
        return fail(o, "DIVIDE_BY_ZERO");
    switch (id) {
    case FN_ADD: ok = decimal_add(a->decimal, sa, b->decimal, sb, shape, &v); break;
    case FN_SUBTRACT: ok = decimal_sub(a->decimal, sa, b->decimal, sb, shape, &v); break;
    case FN_MULTIPLY: ok = decimal_mul(a->decimal, sa, b->decimal, sb, shape, &v); break;
    case FN_DIVIDE: ok = decimal_div(a->decimal, sa, b->decimal, sb, shape, &v); break;
    case FN_MOD: ok = decimal_rem(a->decimal, sa, b->decimal, sb, shape, &v); break;
    default: return unknown(o, "this operator of decimals");
    }
    *out = (struct value){.type = type, .decimal = v};
    return ok || fail(o, "NUMERIC_VALUE_OUT_OF_RANGE");
}

static bool float_op(struct oracle *o, enum function_id id, double a, double b, const struct type *type,
                     struct value *out)
{
    bool single = type->kind == TYPE_FLOAT;
    double v = 0;
    if ((id == FN_DIVIDE || id == FN_MOD || id == FN_PMOD) && b == 0)
        return fail(o, "DIVIDE_BY_ZERO");
    switch (id) {
    case FN_ADD: v = single ? (double)((float)a + (float)b) : a + b; break;
    case FN_SUBTRACT: v = single ? (double)((float)a - (float)b) : a - b; break;
    case FN_MULTIPLY: v = single ? (double)((float)a * (float)b) : a * b; break;
    case FN_DIVIDE: v = single ? (double)((float)a / (float)b) : a / b; break;
    case FN_MOD: v = fmod(a, b); break;
    case FN_PMOD:
        v = fmod(a, b);
        if (v < 0)
            v = single ? (double)fmodf((float)v + (float)b, (float)b) : fmod(v + b, b);
        break;
    default: return unknown(o, "this operator of fractions");
    }
    set_f64(out, type, v);
    return true;
}

static bool whole_op(struct oracle *o, enum function_id id, i128 a, i128 b, const struct type *type,
                     struct value *out)
{
    if ((id == FN_INT_DIVIDE || id == FN_MOD || id == FN_PMOD) && b == 0)
        return fail(o, "DIVIDE_BY_ZERO");
    switch (id) {
    case FN_ADD: return set_whole(o, out, type, a + b);
    case FN_SUBTRACT: return set_whole(o, out, type, a - b);
    case FN_MULTIPLY: return set_whole(o, out, type, a * b);
    case FN_INT_DIVIDE: return set_whole(o, out, type, a / b);
    case FN_MOD: return set_whole(o, out, type, a % b);
    case FN_PMOD: return set_whole(o, out, type, a % b < 0 ? (a % b + b) % b : a % b);
    default: return unknown(o, "this operator of integers");
    }
}

static enum function_id without_try(enum function_id id)
{
    switch (id) {
    case FN_TRY_ADD: return FN_ADD;
    case FN_TRY_SUBTRACT: return FN_SUBTRACT;
    case FN_TRY_MULTIPLY: return FN_MULTIPLY;
    case FN_TRY_DIVIDE: return FN_DIVIDE;
    case FN_TRY_MOD: return FN_MOD;
    case FN_TRY_INT_DIVIDE: return FN_INT_DIVIDE;
    case FN_TRY_ELEMENT_AT: return FN_ELEMENT_AT;
    default: return id;
    }
}

static bool arithmetic(struct oracle *o, enum function_id id, const struct value *a, const struct value *b,
                       const struct type *type, struct value *out)
{
    if (id == FN_INT_DIVIDE && a->type->kind == TYPE_DECIMAL) {
        int64_t v = 0;
        if (b->decimal == 0)
            return fail(o, "DIVIDE_BY_ZERO");
        bool ok = decimal_int_div(a->decimal, a->type->scale, b->decimal, b->type->scale, &v);
        set_i64(out, type, v);
        return ok || fail(o, "ARITHMETIC_OVERFLOW");
    }
    if (a->type->kind == TYPE_DECIMAL)
        return decimal_op(o, id, a, b, type, out);
    if (is_floating(a->type))
        return float_op(o, id, a->f64, b->f64, type, out);
    return whole_op(o, id, a->i64, b->i64, type, out);
}

static bool one_sided(struct oracle *o, enum function_id id, const struct value *a, const struct type *type,
                      struct value *out)
{
    if (a->type->kind == TYPE_DECIMAL) {
        *out = *a;
        out->decimal = id == FN_NEGATE || a->decimal < 0 ? -a->decimal : a->decimal;
        return true;
    }
    if (is_floating(a->type)) {
        set_f64(out, type, id == FN_NEGATE ? -a->f64 : fabs(a->f64));
        return true;
    }
    return set_whole(o, out, type, id == FN_NEGATE || a->i64 < 0 ? -(i128)a->i64 : (i128)a->i64);
}

/* ---- text: arrays of characters ------------------------------------------------------------------------ */

struct letters {
    struct str *at; /* [n] */
    int64_t n;
};

static struct letters letters_of(struct oracle *o, struct str s, bool text)
{
    struct letters l = {arena_array(o->arena, struct str, s.n + 1), 0};
    for (size_t i = 0; i < s.n;) {
        uint32_t code;
        size_t n = text ? utf8_decode(s.p + i, s.n - i, &code) : 1;
        l.at[l.n++] = str_n(s.p + i, n ? n : 1);
        i += n ? n : 1;
    }
    return l;
}

static void set_letters(struct oracle *o, struct value *out, const struct type *type, const struct letters *l,
                        int64_t from, int64_t to)
{
    struct sbuf text = {0};
    for (int64_t i = from < 0 ? 0 : from; i < to && i < l->n; i++)
        sbuf_str(&text, l->at[i]);
    set_str(o, out, type, text.p, text.n);
    sbuf_fini(&text);
}

static bool letters_equal(const struct letters *a, int64_t from, const struct letters *b)
{
    if (from < 0 || from + b->n > a->n)
        return false;
    for (int64_t i = 0; i < b->n; i++)
        if (!str_eq(a->at[from + i], b->at[i]))
            return false;
    return true;
}

/* Place of b in a from `from`, or −1. */
static int64_t letters_find(const struct letters *a, const struct letters *b, int64_t from)
{
    for (int64_t i = from; i + b->n <= a->n; i++)
        if (letters_equal(a, i, b))
            return i;
    return -1;
}

static bool like(const struct letters *s, int64_t i, const struct letters *p, int64_t k, struct str escape,
                 bool *bad)
{
    for (; k < p->n; k++) {
        if (str_eq(p->at[k], escape)) {
            k++;
            if (k == p->n || (!str_is(p->at[k], "%") && !str_is(p->at[k], "_") && !str_eq(p->at[k], escape)))
                return !(*bad = true);
            if (i >= s->n || !str_eq(s->at[i], p->at[k]))
                return false;
            i++;
        } else if (str_is(p->at[k], "%")) {
            for (int64_t from = i; from <= s->n; from++)
                if (like(s, from, p, k + 1, escape, bad))
                    return true;
            return false;
        } else if (i >= s->n || (!str_is(p->at[k], "_") && !str_eq(s->at[i], p->at[k]))) {
            return false;
        } else {
            i++;
        }
    }
    return i == s->n;
}

/* Whether the pattern's escapes are in order, whatever the text. */
static bool like_pattern_ok(const struct letters *p, struct str escape)
{
    for (int64_t k = 0; k < p->n; k++)
        if (str_eq(p->at[k], escape)) {
            k++;
            if (k == p->n || (!str_is(p->at[k], "%") && !str_is(p->at[k], "_") && !str_eq(p->at[k], escape)))
                return false;
        }
    return true;
}

static bool pad(struct oracle *o, bool left, const struct value *a, uint32_t n, const struct type *type,
                struct value *out)
{
    struct letters s = letters_of(o, a[0].str, true),
                   with = n > 2 ? letters_of(o, a[2].str, true) : letters_of(o, STR(" "), true);
    int64_t wanted = a[1].i64;
    if (wanted <= s.n || with.n == 0) {
        set_letters(o, out, type, &s, 0, wanted);
        return true;
    }
    struct letters all = {arena_array(o->arena, struct str, (size_t)wanted), 0};
    for (int64_t i = 0; left && i < wanted - s.n; i++)
        all.at[all.n++] = with.at[i % with.n];
    for (int64_t i = 0; i < s.n; i++)
        all.at[all.n++] = s.at[i];
    for (int64_t i = 0; all.n < wanted; i++)
        all.at[all.n++] = with.at[i % with.n];
    set_letters(o, out, type, &all, 0, wanted);
    return true;
}

static bool trim(struct oracle *o, enum function_id id, const struct value *a, uint32_t n,
                 const struct type *type, struct value *out)
{
    struct letters s = letters_of(o, a[0].str, true), set = letters_of(o, n > 1 ? a[1].str : STR(" "), true);
    int64_t from = 0, to = s.n;
    struct letters one = {NULL, 1};
    for (; id != FN_RTRIM && from < to; from++) {
        one.at = &s.at[from];
        if (letters_find(&set, &one, 0) < 0)
            break;
    }
    for (; id != FN_LTRIM && to > from; to--) {
        one.at = &s.at[to - 1];
        if (letters_find(&set, &one, 0) < 0)
            break;
    }
    set_letters(o, out, type, &s, from, to);
    return true;
}

static bool substring(struct oracle *o, const struct value *s_, int64_t position, int64_t length,
                      const struct type *type, struct value *out)
{
    struct letters s = letters_of(o, s_->str, type->kind == TYPE_STRING);
    int64_t start = position > 0 ? position - 1 : position < 0 ? s.n + position : 0;
    set_letters(o, out, type, &s, start, start + length);
    return true;
}

static bool join(struct oracle *o, const struct value *a, uint32_t n, const struct value *separator,
                 const struct type *type, struct value *out)
{
    struct sbuf text = {0};
    bool any = false;
    for (uint32_t i = 0; i < n; i++) {
        if (a[i].is_null)
            continue;
        if (any && separator)
            sbuf_str(&text, separator->str);
        sbuf_str(&text, a[i].str);
        any = true;
    }
    set_str(o, out, type, text.p, text.n);
    sbuf_fini(&text);
    return true;
}

static bool replace(struct oracle *o, const struct value *a, uint32_t n, const struct type *type,
                    struct value *out)
{
    struct letters s = letters_of(o, a[0].str, false), search = letters_of(o, a[1].str, false);
    struct sbuf text = {0};
    for (int64_t i = 0; i < s.n;) {
        if (search.n && letters_equal(&s, i, &search)) {
            if (n > 2)
                sbuf_str(&text, a[2].str);
            i += search.n;
        } else {
            sbuf_str(&text, s.at[i++]);
        }
    }
    set_str(o, out, type, text.p, text.n);
    sbuf_fini(&text);
    return true;
}

static bool translate(struct oracle *o, const struct value *a, const struct type *type, struct value *out)
{
    struct letters s = letters_of(o, a[0].str, true), from = letters_of(o, a[1].str, true),
                   to = letters_of(o, a[2].str, true);
    struct sbuf text = {0};
    for (int64_t i = 0; i < s.n; i++) {
        struct letters one = {&s.at[i], 1};
        int64_t at = letters_find(&from, &one, 0);
        if (at < 0)
            sbuf_str(&text, s.at[i]);
        else if (at < to.n)
            sbuf_str(&text, to.at[at]);
    }
    set_str(o, out, type, text.p, text.n);
    sbuf_fini(&text);
    return true;
}

/* Parts of a text between delimiters; splits at most ORACLE_PARTS. */
enum { ORACLE_PARTS = 10000 };
static bool split_part(struct oracle *o, const struct value *a, const struct type *type, struct value *out)
{
    struct str parts[200], s = a[0].str, d = a[1].str;
    int64_t n = 0, wanted = a[2].i64;
    if (wanted == 0)
        return fail(o, "INVALID_INDEX_OF_ZERO");
    size_t from = 0;
    for (size_t i = 0; d.n && i + d.n <= s.n && n < 199;) {
        if (memcmp(s.p + i, d.p, d.n) == 0) {
            parts[n++] = str_n(s.p + from, i - from);
            from = i += d.n;
        } else {
            i++;
        }
    }
    parts[n++] = str_n(s.p + from, s.n - from);
    int64_t at = wanted > 0 ? wanted - 1 : n + wanted;
    struct str found = at >= 0 && at < n ? parts[at] : STR("");
    set_str(o, out, type, found.p, found.n);
    return true;
}

static bool text_call(struct oracle *o, enum function_id id, const struct value *a, uint32_t n,
                      const struct type *type, struct value *out)
{
    bool text = n && a[0].type->kind == TYPE_STRING, bad = false;
    struct letters s = n ? letters_of(o, a[0].str, text) : (struct letters){NULL, 0};
    struct letters t = n > 1 && type_is_view(a[1].type)
                           ? letters_of(o, a[1].str, a[1].type->kind == TYPE_STRING)
                           : (struct letters){NULL, 0};
    switch (id) {
    case FN_LENGTH: set_i64(out, type, s.n); return true;
    case FN_OCTET_LENGTH: set_i64(out, type, (int64_t)a[0].str.n); return true;
    case FN_CONCAT: return join(o, a, n, NULL, type, out);
    case FN_SUBSTRING: return substring(o, a, a[1].i64, n > 2 ? a[2].i64 : INT32_MAX, type, out);
    case FN_LEFT: set_letters(o, out, type, &s, 0, a[1].i64); return true;
    case FN_RIGHT: set_letters(o, out, type, &s, a[1].i64 <= 0 ? s.n : s.n - a[1].i64, s.n); return true;
    case FN_TRIM:
    case FN_LTRIM:
    case FN_RTRIM: return trim(o, id, a, n, type, out);
    case FN_LPAD:
    case FN_RPAD: return pad(o, id == FN_LPAD, a, n, type, out);
    case FN_REPLACE: return replace(o, a, n, type, out);
    case FN_TRANSLATE: return translate(o, a, type, out);
    case FN_SPLIT_PART: return split_part(o, a, type, out);
    case FN_REVERSE:
        for (int64_t i = 0; i < s.n / 2; i++) {
            struct str x = s.at[i];
            s.at[i] = s.at[s.n - 1 - i];
            s.at[s.n - 1 - i] = x;
        }
        set_letters(o, out, type, &s, 0, s.n);
        return true;
    case FN_INSTR: set_i64(out, type, t.n ? letters_find(&s, &t, 0) + 1 : 1); return true;
    case FN_CONTAINS: set_bool(out, type, letters_find(&s, &t, 0) >= 0); return true;
    case FN_STARTSWITH: set_bool(out, type, letters_equal(&s, 0, &t)); return true;
    case FN_ENDSWITH: set_bool(out, type, letters_equal(&s, s.n - t.n, &t)); return true;
    case FN_ASCII: {
        uint32_t code = 0;
        if (s.n)
            utf8_decode(s.at[0].p, s.at[0].n, &code);
        set_i64(out, type, code);
        return true;
    }
    case FN_LIKE:
        if (!like_pattern_ok(&t, a[2].str))
            return fail(o, "INVALID_FORMAT");
        set_bool(out, type, like(&s, 0, &t, 0, a[2].str, &bad));
        return true;
    default: return unknown(o, "this function of text");
    }
}

/* ---- times, by the C library's calendar ---------------------------------------------------------------- */

static struct tm tm_of(int64_t seconds)
{
    time_t t = seconds;
    struct tm tm;
    gmtime_r(&t, &tm);
    return tm;
}

static int64_t days_of(struct tm *tm)
{
    return (int64_t)timegm(tm) / 86400;
}

static int month_length(int64_t year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month] + (month == 1 && leap);
}

static bool date_call(struct oracle *o, enum function_id id, const struct value *a, uint32_t n,
                      const struct type *type, struct value *out)
{
    struct tm tm = tm_of(a[0].i64 * 86400);
    int64_t months;
    switch (id) {
    case FN_YEAR: set_i64(out, type, (int64_t)tm.tm_year + 1900); return true;
    case FN_QUARTER: set_i64(out, type, tm.tm_mon / 3 + 1); return true;
    case FN_MONTH: set_i64(out, type, tm.tm_mon + 1); return true;
    case FN_DAY: set_i64(out, type, tm.tm_mday); return true;
    case FN_DAYOFYEAR: set_i64(out, type, tm.tm_yday + 1); return true;
    case FN_DAYOFWEEK: set_i64(out, type, tm.tm_wday + 1); return true;
    case FN_WEEKDAY: set_i64(out, type, (tm.tm_wday + 6) % 7); return true;
    case FN_LAST_DAY:
        set_i64(out, type, a[0].i64 + month_length((int64_t)tm.tm_year + 1900, tm.tm_mon) - tm.tm_mday);
        return true;
    case FN_DATEDIFF: set_i64(out, type, a[0].i64 - a[1].i64); return true;
    case FN_DATE_ADD:
    case FN_DATE_SUB: {
        int64_t days = a[0].i64 + (id == FN_DATE_ADD ? a[1].i64 : -a[1].i64);
        set_i64(out, type, days);
        return (days >= INT32_MIN && days <= INT32_MAX) || fail(o, "DATETIME_OVERFLOW");
    }
    case FN_ADD_MONTHS:
        months = ((int64_t)tm.tm_year + 1900) * 12 + tm.tm_mon + a[1].i64;
        if (months / 12 > 5000000 || months / 12 < -5000000)
            return fail(o, "DATETIME_OVERFLOW");
        tm.tm_year = (int)((months - ((months % 12) + 12) % 12) / 12 - 1900);
        tm.tm_mon = (int)(((months % 12) + 12) % 12);
        if (tm.tm_mday > month_length((int64_t)tm.tm_year + 1900, tm.tm_mon))
            tm.tm_mday = month_length((int64_t)tm.tm_year + 1900, tm.tm_mon);
        set_i64(out, type, days_of(&tm));
        return true;
    default: return unknown(o, "this function of dates");
    }
}

static int64_t div_down(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

static bool time_call(struct oracle *o, enum function_id id, const struct value *a, const struct type *type,
                      struct value *out)
{
    int32_t offset = a[0].type->kind == TYPE_TIMESTAMP ? timezone_offset(o->context->zone, a[0].i64) : 0;
    int64_t seconds = div_down(a[0].i64, 1000000) + offset;
    struct tm tm = tm_of(seconds);
    switch (id) {
    case FN_HOUR: set_i64(out, type, tm.tm_hour); return true;
    case FN_MINUTE: set_i64(out, type, tm.tm_min); return true;
    case FN_SECOND: set_i64(out, type, tm.tm_sec); return true;
    case FN_UNIX_SECONDS: set_i64(out, type, div_down(a[0].i64, 1000000)); return true;
    case FN_UNIX_MILLIS: set_i64(out, type, div_down(a[0].i64, 1000)); return true;
    default: return unknown(o, "this function of times");
    }
}

/* ---- arrays -------------------------------------------------------------------------------------------- */

static bool element(struct oracle *o, const struct value *array, int64_t at, bool or_null,
                    const struct type *type, struct value *out)
{
    *out = value_null(type);
    if (at >= 0 && at < array->nested.count) {
        *out = array->nested.items[at];
        out->type = type;
        return true;
    }
    return or_null || fail(o, "INVALID_ARRAY_INDEX");
}

static struct value list_value(struct oracle *o, const struct type *type, const struct value *items,
                               uint32_t n)
{
    struct value v = {.type = type};
    v.nested.count = n;
    v.nested.items = arena_dup(o->arena, n ? (const void *)items : "", n * sizeof(*items));
    return v;
}

static bool array_call(struct oracle *o, enum function_id id, const struct value *a, uint32_t n,
                       const struct type *type, struct value *out)
{
    uint32_t count = a[0].nested.count;
    const struct value *items = a[0].nested.items;
    int64_t found = -1;
    bool null = false;
    switch (id) {
    case FN_SIZE: set_i64(out, type, count); return true;
    case FN_GET: return element(o, a, a[1].i64, true, type, out);
    case FN_SUBSCRIPT: return element(o, a, a[1].i64, false, type, out);
    case FN_ELEMENT_AT:
        if (a[1].i64 == 0)
            return fail(o, "INVALID_INDEX_OF_ZERO");
        return element(o, a, a[1].i64 > 0 ? a[1].i64 - 1 : count + a[1].i64, false, type, out);
    case FN_ARRAY_CONTAINS:
    case FN_ARRAY_POSITION:
        for (uint32_t i = 0; i < count && found < 0; i++) {
            null |= items[i].is_null;
            if (!items[i].is_null && value_cmp(&items[i], &a[1]) == 0)
                found = i;
        }
        if (id == FN_ARRAY_POSITION)
            set_i64(out, type, found + 1);
        else if (found < 0 && null)
            *out = value_null(type);
        else
            set_bool(out, type, found >= 0);
        return true;
    case FN_SORT_ARRAY: {
        struct value *sorted = arena_dup(o->arena, count ? (const void *)items : "", count * sizeof(*items));
        bool down = n > 1 && !a[1].boolean;
        for (uint32_t i = 1; i < count; i++)
            for (uint32_t k = i; k > 0 && (down ? value_cmp(&sorted[k], &sorted[k - 1]) > 0
                                                : value_cmp(&sorted[k], &sorted[k - 1]) < 0);
                 k--) {
                struct value t = sorted[k];
                sorted[k] = sorted[k - 1];
                sorted[k - 1] = t;
            }
        *out = list_value(o, type, sorted, count);
        return true;
    }
    default: return unknown(o, "this function of arrays");
    }
}

/* ---- calls with arguments that may be NULL ------------------------------------------------------------- */

static bool is_in(const struct value *a, uint32_t n, const struct type *type, struct value *out)
{
    bool null = a[0].is_null;
    for (uint32_t i = 1; i < n; i++) {
        null |= a[i].is_null;
        if (!a[0].is_null && !a[i].is_null && value_cmp(&a[0], &a[i]) == 0) {
            set_bool(out, type, true);
            return true;
        }
    }
    *out = null ? value_null(type) : (struct value){.type = type};
    return true;
}

static bool extreme(const struct value *a, uint32_t n, int sign, const struct type *type, struct value *out)
{
    *out = value_null(type);
    for (uint32_t i = 0; i < n; i++)
        if (!a[i].is_null && (out->is_null || sign * value_cmp(&a[i], out) > 0))
            *out = a[i];
    return true;
}

static bool locate(struct oracle *o, const struct value *a, uint32_t n, const struct type *type,
                   struct value *out)
{
    set_i64(out, type, 0);
    if (n > 2 && a[2].is_null)
        return true;
    if (a[0].is_null || a[1].is_null) {
        *out = value_null(type);
        return true;
    }
    int64_t from = n > 2 ? a[2].i64 : 1;
    struct letters needle = letters_of(o, a[0].str, true), s = letters_of(o, a[1].str, true);
    if (from >= 1)
        set_i64(out, type, needle.n == 0 ? 1 : letters_find(&s, &needle, from - 1) + 1);
    return true;
}

static bool lenient_call(struct oracle *o, enum function_id id, const struct value *a, uint32_t n,
                         const struct type *type, struct value *out)
{
    switch (id) {
    case FN_EQ_NULL_SAFE: set_bool(out, type, value_cmp(&a[0], &a[1]) == 0); return true;
    case FN_IN: return is_in(a, n, type, out);
    case FN_IS_NULL: set_bool(out, type, a[0].is_null); return true;
    case FN_IS_NOT_NULL: set_bool(out, type, !a[0].is_null); return true;
    case FN_IS_NAN: set_bool(out, type, !a[0].is_null && isnan(a[0].f64)); return true;
    case FN_NANVL:
        *out = !a[0].is_null && isnan(a[0].f64) ? a[1] : a[0];
        out->type = type;
        return true;
    case FN_GREATEST: return extreme(a, n, 1, type, out);
    case FN_LEAST: return extreme(a, n, -1, type, out);
    case FN_CONCAT_WS:
        if (!a[0].is_null)
            return join(o, a + 1, n - 1, a, type, out);
        *out = value_null(type);
        return true;
    case FN_LOCATE: return locate(o, a, n, type, out);
    case FN_ARRAY:
    case FN_STRUCT: *out = list_value(o, type, a, n); return true;
    default: return unknown(o, "a function");
    }
}

static bool compare(enum function_id id, int order)
{
    switch (id) {
    case FN_EQ: return order == 0;
    case FN_NE: return order != 0;
    case FN_LT: return order < 0;
    case FN_LE: return order <= 0;
    case FN_GT: return order > 0;
    default: return order >= 0;
    }
}

static bool bits_call(enum function_id id, int64_t a, int64_t b, const struct type *type, struct value *out)
{
    int64_t v = id == FN_BIT_AND ? a & b : id == FN_BIT_OR ? a | b : id == FN_BIT_XOR ? a ^ b : ~a;
    set_i64(out, type, v);
    return true;
}

static bool rounding_call(struct oracle *o, enum function_id id, const struct value *a,
                          const struct type *type, struct value *out)
{
    double d = as_f64(a);
    if (id == FN_SIGN) {
        set_f64(out, type, isnan(d) ? d : d > 0 ? 1 : d < 0 ? -1 : 0);
        return true;
    }
    if (!is_floating(a->type))
        return unknown(o, "this rounding");
    d = id == FN_CEIL ? ceil(d) : floor(d);
    set_i64(out, type,
            isnan(d)                     ? 0
            : d >= 9.3e18                ? INT64_MAX
            : d <= -9.3e18               ? INT64_MIN
            : d >= 9223372036854775808.0 ? INT64_MAX
                                         : (int64_t)d);
    return true;
}

/* No argument is NULL. */
static bool strict_call(struct oracle *o, enum function_id id, const struct value *a, uint32_t n,
                        const struct type *type, struct value *out)
{
    switch (id) {
    case FN_ADD:
    case FN_SUBTRACT:
    case FN_MULTIPLY:
    case FN_DIVIDE:
    case FN_INT_DIVIDE:
    case FN_MOD:
    case FN_PMOD: return arithmetic(o, id, &a[0], &a[1], type, out);
    case FN_NEGATE:
    case FN_ABS: return one_sided(o, id, a, type, out);
    case FN_EQ:
    case FN_NE:
    case FN_LT:
    case FN_LE:
    case FN_GT:
    case FN_GE: set_bool(out, type, compare(id, value_cmp(&a[0], &a[1]))); return true;
    case FN_NOT: set_bool(out, type, !a[0].boolean); return true;
    case FN_BIT_AND:
    case FN_BIT_OR:
    case FN_BIT_XOR:
    case FN_BIT_NOT: return bits_call(id, a[0].i64, n > 1 ? a[1].i64 : 0, type, out);
    case FN_SIGN:
    case FN_CEIL:
    case FN_FLOOR: return rounding_call(o, id, a, type, out);
    case FN_YEAR:
    case FN_QUARTER:
    case FN_MONTH:
    case FN_DAY:
    case FN_DAYOFYEAR:
    case FN_DAYOFWEEK:
    case FN_WEEKDAY:
    case FN_LAST_DAY:
    case FN_DATEDIFF:
    case FN_DATE_ADD:
    case FN_DATE_SUB:
    case FN_ADD_MONTHS: return date_call(o, id, a, n, type, out);
    case FN_HOUR:
    case FN_MINUTE:
    case FN_SECOND:
    case FN_UNIX_SECONDS:
    case FN_UNIX_MILLIS: return time_call(o, id, a, type, out);
    case FN_SIZE:
    case FN_GET:
    case FN_SUBSCRIPT:
    case FN_ELEMENT_AT:
    case FN_ARRAY_CONTAINS:
    case FN_ARRAY_POSITION:
    case FN_SORT_ARRAY: return array_call(o, id, a, n, type, out);
    default: return text_call(o, id, a, n, type, out);
    }
}

/* ---- lambdas ------------------------------------------------------------------------------------------- */

static bool lambda_call(struct oracle *o, const struct expr *e, const struct value *row, struct value *out)
{
    const struct expr *lambda = e->args[1];
    struct value array, slots[ORACLE_PARAMS_MAX], result;
    if (lambda->kind != EXPR_LAMBDA)
        return unknown(o, "this higher-order function");
    if (!oracle_eval(o, e->args[0], row, &array))
        return false;
    *out = value_null(e->type);
    if (array.is_null)
        return true;
    struct value *items = arena_array(o->arena, struct value, array.nested.count + 1);
    uint32_t n = 0;
    bool some = false, none = false, null = false;
    const struct value *outer = o->params;
    memset(slots, 0, sizeof(slots));
    if (outer)
        memcpy(slots, outer, sizeof(slots));
    for (uint32_t i = 0; i < array.nested.count; i++) {
        slots[lambda->index] = array.nested.items[i];
        if (lambda->param_count > 1)
            set_i64(&slots[lambda->index + 1], type_simple(TYPE_INT), i);
        o->params = slots;
        bool ok = oracle_eval(o, lambda->args[0], row, &result);
        o->params = outer;
        if (!ok)
            return false;
        if (e->function->id == FN_TRANSFORM)
            items[n++] = result;
        else if (e->function->id == FN_FILTER && !result.is_null && result.boolean)
            items[n++] = array.nested.items[i];
        if (e->function->id == FN_TRANSFORM)
            continue;
        null |= result.is_null;
        some |= !result.is_null && result.boolean;
        none |= !result.is_null && !result.boolean;
    }
    if (e->function->id == FN_EXISTS || e->function->id == FN_FORALL) {
        bool exists = e->function->id == FN_EXISTS;
        if (exists ? some : none)
            set_bool(out, e->type, exists);
        else if (!null)
            set_bool(out, e->type, !exists);
        return true;
    }
    *out = list_value(o, e->type, items, n);
    return true;
}

/* ---- expressions --------------------------------------------------------------------------------------- */

static bool call(struct oracle *o, const struct expr *e, const struct value *row, struct value *out)
{
    if (e->function->flags & FUNCTION_LAMBDA)
        return lambda_call(o, e, row, out);
    struct value *args = arena_array(o->arena, struct value, e->arg_count + 1);
    bool null = false;
    for (uint32_t i = 0; i < e->arg_count; i++) {
        if (!oracle_eval(o, e->args[i], row, &args[i]))
            return false;
        null |= args[i].is_null;
    }
    *out = value_null(e->type);
    if (!(e->function->flags & FUNCTION_STRICT))
        return lenient_call(o, e->function->id, args, e->arg_count, e->type, out);
    if (null)
        return true;
    enum function_id id = without_try(e->function->id);
    if (strict_call(o, id, args, e->arg_count, e->type, out))
        return true;
    if (id == e->function->id || o->unknown)
        return false;
    *out = value_null(e->type);
    return true;
}

static bool cast(struct oracle *o, const struct expr *e, const struct value *row, struct value *out)
{
    struct value in;
    if (!oracle_eval(o, e->args[0], row, &in))
        return false;
    *out = value_null(e->type);
    if (in.is_null)
        return true;
    if (in.type->kind == TYPE_STRING &&
        e->type->kind == TYPE_TIMESTAMP) { /* a text with a time alone is of today */
        int32_t today = timestamp_to_date(o->context->zone, o->context->now.us);
        int64_t us;
        bool ok = timestamp_parse(in.str, o->context->zone, &today, &us);
        if (ok)
            set_i64(out, e->type, us);
        return ok || e->try_ || fail(o, "CAST_INVALID_INPUT");
    }
    if (value_cast(&in, e->type, o->context->zone, o->arena, out, &o->err))
        return true;
    *out = value_null(e->type);
    return e->try_;
}

/* AND: ends at the first false; OR at the first true; a NULL is remembered. */
static bool logic(struct oracle *o, const struct expr *e, const struct value *row, struct value *out)
{
    bool decides = e->kind == EXPR_OR, null = false;
    for (uint32_t i = 0; i < e->arg_count; i++) {
        struct value v;
        if (!oracle_eval(o, e->args[i], row, &v))
            return false;
        if (!v.is_null && v.boolean == decides) {
            set_bool(out, e->type, decides);
            return true;
        }
        null |= v.is_null;
    }
    *out = null ? value_null(e->type) : (struct value){.type = e->type, .boolean = !decides};
    return true;
}

static bool case_(struct oracle *o, const struct expr *e, const struct value *row, struct value *out)
{
    for (uint32_t i = 0; i + 1 < e->arg_count; i += 2) {
        struct value when;
        if (!oracle_eval(o, e->args[i], row, &when))
            return false;
        if (!when.is_null && when.boolean)
            return oracle_eval(o, e->args[i + 1], row, out);
    }
    return oracle_eval(o, e->args[e->arg_count - 1], row, out);
}

static bool field(struct oracle *o, const struct expr *e, const struct value *row, struct value *out)
{
    struct value from;
    if (!oracle_eval(o, e->args[0], row, &from))
        return false;
    *out = from.is_null ? value_null(e->type) : from.nested.items[e->index];
    return true;
}

bool oracle_eval(struct oracle *o, const struct expr *e, const struct value *row, struct value *out)
{
    if (o->depth >= ORACLE_DEPTH_MAX)
        return unknown(o, "an expression this deep");
    o->depth++;
    bool ok = false;
    switch (e->kind) {
    case EXPR_LITERAL:
        *out = e->literal;
        ok = true;
        break;
    case EXPR_COLUMN:
        *out = row[e->index];
        ok = true;
        break;
    case EXPR_PARAM:
        *out = o->params[e->index];
        ok = true;
        break;
    case EXPR_FIELD: ok = field(o, e, row, out); break;
    case EXPR_CAST: ok = cast(o, e, row, out); break;
    case EXPR_AND:
    case EXPR_OR: ok = logic(o, e, row, out); break;
    case EXPR_CASE: ok = case_(o, e, row, out); break;
    case EXPR_CALL: ok = call(o, e, row, out); break;
    case EXPR_LAMBDA: ok = unknown(o, "a lambda alone"); break;
    }
    o->depth--;
    if (ok)
        out->type = e->type;
    return ok;
}

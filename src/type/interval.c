/* Intervals: reading "1 day 2 hours", reading and printing '1 02:03:04.5' DAY TO SECOND. */
#include <stdio.h>

#include "base/check.h"
#include "type/cast.h"
#include "type/timestamp.h"

struct scanner {
    const char *p, *end;
};

static void blank(struct scanner *s)
{
    while (s->p < s->end && (*s->p == ' ' || (*s->p >= '\t' && *s->p <= '\r')))
        s->p++;
}

static bool take(struct scanner *s, char c)
{
    if (s->p == s->end || *s->p != c)
        return false;
    s->p++;
    return true;
}

static bool digit_ahead(const struct scanner *s)
{
    return s->p < s->end && (unsigned)(*s->p - '0') <= 9;
}

/* Digits, at least one; false also on overflow. */
static bool number(struct scanner *s, int64_t *v)
{
    *v = 0;
    if (!digit_ahead(s))
        return false;
    for (; digit_ahead(s); s->p++)
        if (__builtin_mul_overflow(*v, INT64_C(10), v) ||
            __builtin_add_overflow(*v, (int64_t)(*s->p - '0'), v))
            return false;
    return true;
}

/* The digits behind a point as µs: six count, nine may be there. */
static bool fraction(struct scanner *s, int64_t *us)
{
    int64_t unit = 100000;
    int n = 0;
    *us = 0;
    for (; digit_ahead(s); s->p++, n++, unit /= 10)
        *us += (*s->p - '0') * unit;
    return n <= 9;
}

static struct str word(struct scanner *s)
{
    const char *start = s->p;
    while (s->p < s->end && ((*s->p | 32) >= 'a' && (*s->p | 32) <= 'z'))
        s->p++;
    return str_n(start, (size_t)(s->p - start));
}

static bool accept_word(struct scanner *s, const char *wanted)
{
    struct scanner before = *s;
    blank(s);
    if (str_eq_nocase(word(s), str_of(wanted)))
        return true;
    *s = before;
    return false;
}

/* ---- units in words ------------------------------------------------------------------------------------ */

struct unit {
    const char *name; /* singular */
    int64_t months, days, us;
};
static const struct unit units[] = {
    {"year", 12, 0, 0},          {"month", 1, 0, 0},
    {"week", 0, 7, 0},           {"day", 0, 1, 0},
    {"hour", 0, 0, US_PER_HOUR}, {"minute", 0, 0, US_PER_MINUTE},
    {"second", 0, 0, US_PER_S},  {"millisecond", 0, 0, US_PER_MS},
    {"microsecond", 0, 0, 1},
};
enum { UNITS = sizeof units / sizeof units[0], SHOWN_MAX = 60 };

static bool invalid(struct str text, const char *class, const char *what, struct err *err)
{
    return err_set(err, ERR_DATA, "INVALID_INTERVAL_FORMAT.%s: cannot read '%.*s' as an interval: %s", class,
                   (int)(text.n < SHOWN_MAX ? text.n : SHOWN_MAX), text.n ? text.p : "", what);
}

static const struct unit *find_unit(struct str name)
{
    if (name.n > 0 && (name.p[name.n - 1] | 32) == 's')
        name.n--;
    for (size_t i = 0; i < UNITS; i++)
        if (str_eq_nocase(name, str_of(units[i].name)))
            return &units[i];
    return NULL;
}

/* *sum += factor × value × unit; false: overflow. */
static bool accumulate(int64_t *sum, int64_t value, int64_t unit)
{
    int64_t product;
    return !__builtin_mul_overflow(value, unit, &product) && !__builtin_add_overflow(*sum, product, sum);
}

/* [+-] number [.digits] unit */
static bool parse_unit(struct scanner *s, struct str text, int64_t *months, int64_t *days, int64_t *us,
                       struct err *err)
{
    int64_t value, part = 0;
    int64_t factor = take(s, '-') ? -1 : 1;
    if (factor > 0)
        take(s, '+');
    blank(s);
    bool point_first = s->p < s->end && *s->p == '.', has_point;
    value = 0;
    if (!point_first && !number(s, &value))
        return invalid(text, digit_ahead(s) ? "INVALID_VALUE" : "UNRECOGNIZED_NUMBER",
                       "a number is missing or too large", err);
    has_point = take(s, '.');
    if (has_point && ((point_first && !digit_ahead(s)) || !fraction(s, &part)))
        return invalid(text, "INVALID_PRECISION", "a fraction has no digits, or more than nine", err);
    const char *before = s->p;
    blank(s);
    if (s->p == before && s->p < s->end)
        return invalid(text, "INVALID_VALUE", "a number ends in something else", err);
    struct str name = word(s);
    const struct unit *unit = find_unit(name);
    if (name.n == 0)
        return invalid(text, "MISSING_UNIT", "a number has no unit", err);
    if (unit == NULL)
        return invalid(text, "INVALID_UNIT",
                       "a unit is none of year, month, week, day, hour, minute, second, millisecond and "
                       "microsecond",
                       err);
    if (has_point && unit->us != US_PER_S)
        return invalid(text, "INVALID_FRACTION", "only seconds have a fraction", err);
    value *= factor;
    if (!accumulate(months, value, unit->months) || !accumulate(days, value, unit->days) ||
        !accumulate(us, value, unit->us) || !accumulate(us, part, factor))
        return invalid(text, "ARITHMETIC_EXCEPTION", "it is too long", err);
    return true;
}

bool interval_parse_units(struct str text, struct calendar_interval *out, struct err *err)
{
    struct str trimmed = cast_trim(text);
    struct scanner s = {trimmed.p, trimmed.n ? trimmed.p + trimmed.n : trimmed.p};
    int64_t months = 0, days = 0, us = 0;
    if (trimmed.n == 0)
        return invalid(text, "INPUT_IS_EMPTY", "it is empty", err);
    accept_word(&s, "interval");
    do {
        blank(&s);
        TRY(parse_unit(&s, text, &months, &days, &us, err));
        blank(&s);
    } while (s.p < s.end);
    if (months != (int32_t)months || days != (int32_t)days)
        return invalid(text, "ARITHMETIC_EXCEPTION", "it is too long", err);
    *out = (struct calendar_interval){.months = (int32_t)months, .days = (int32_t)days, .us = us};
    return true;
}

/* ---- the forms of one type ----------------------------------------------------------------------------- */

/* µs, or months, of one of a unit; the most that one behind the first may show. */
static const int64_t unit_size[] = {12, 1, US_PER_DAY, US_PER_HOUR, US_PER_MINUTE, US_PER_S};
static const int64_t unit_max[] = {0, 11, 0, 23, 59, 59};

static bool unmatched(struct str text, const struct type *type, struct err *err)
{
    struct sbuf name = {0};
    type_to_sql(type, &name);
    err_set(err, ERR_DATA, "INVALID_INTERVAL_FORMAT.UNMATCHED_FORMAT_STRING: cannot read '%.*s' as %s",
            (int)(text.n < SHOWN_MAX ? text.n : SHOWN_MAX), text.n ? text.p : "", name.p);
    sbuf_fini(&name);
    return false;
}

/* [+-] first [separator next …], the whole of what s holds. */
static bool parse_body(struct scanner *s, const struct type *type, int64_t *value)
{
    static const char separator[] = "\0-\0 ::"; /* before each unit */
    CHECK(type->interval_to <= INTERVAL_SECOND);
    bool negative = take(s, '-');
    if (!negative)
        take(s, '+');
    *value = 0;
    for (unsigned u = type->interval_from; u <= type->interval_to; u++) {
        bool first = u == type->interval_from;
        int64_t v, part = 0;
        if (!first && !take(s, separator[u]))
            return false;
        const char *start = s->p;
        if (!number(s, &v) || (!first && (v > unit_max[u] || s->p - start > 2)))
            return false;
        if (u == INTERVAL_SECOND && take(s, '.') && (!digit_ahead(s) || !fraction(s, &part)))
            return false;
        /* below zero from the start, so that the smallest value can be read */
        if (!accumulate(value, negative ? -v : v, unit_size[u]) ||
            !accumulate(value, negative ? -part : part, 1))
            return false;
    }
    return s->p == s->end;
}

/* INTERVAL [+-] 'body' from [TO to]: cuts s down to the body. false: it is not of that form or of other
 * units. */
static bool unwrap(struct scanner *s, const struct type *type, bool *negative)
{
    blank(s);
    *negative = take(s, '-');
    if (!*negative)
        take(s, '+');
    blank(s);
    if (!take(s, '\''))
        return false;
    const char *start = s->p, *quote = memchr(s->p, '\'', (size_t)(s->end - s->p));
    if (quote == NULL)
        return false;
    s->p = quote + 1;
    if (!accept_word(s, interval_unit_name((enum interval_unit)type->interval_from)))
        return false;
    if (type->interval_to != type->interval_from &&
        (!accept_word(s, "to") || !accept_word(s, interval_unit_name((enum interval_unit)type->interval_to))))
        return false;
    blank(s);
    if (s->p != s->end)
        return false;
    *s = (struct scanner){start, quote};
    return true;
}

bool interval_parse(struct str text, const struct type *type, int64_t *value, struct err *err)
{
    struct str trimmed = cast_trim(text);
    struct scanner s = {trimmed.p, trimmed.n ? trimmed.p + trimmed.n : trimmed.p};
    bool negative = false;
    if (accept_word(&s, "interval") && !unwrap(&s, type, &negative))
        return unmatched(text, type, err);
    if (!parse_body(&s, type, value) || (negative && __builtin_sub_overflow(INT64_C(0), *value, value)) ||
        (type->kind == TYPE_INTERVAL_YM && *value != (int32_t)*value))
        return unmatched(text, type, err);
    return true;
}

/* ---- printing ------------------------------------------------------------------------------------------ */

static void put_seconds(uint64_t us, int digits, struct sbuf *out)
{
    sbuf_printf(out, "%02llu", (unsigned long long)(us / US_PER_S));
    uint64_t part = us % US_PER_S;
    if (part == 0 && digits == 0)
        return;
    char text[16];
    int n = snprintf(text, sizeof text, ".%06u000", (unsigned)part);
    while (digits == 0 && text[n - 1] == '0')
        n--;
    sbuf_add(out, text, (size_t)n);
}

/* The units of a type, in its own range. */
static void put_units(uint64_t rest, const struct type *type, bool full, struct sbuf *out)
{
    unsigned from = full ? INTERVAL_DAY : type->interval_from,
             to = full ? INTERVAL_SECOND : type->interval_to;
    for (unsigned u = from; u <= to; u++) {
        if (u > from)
            sbuf_char(out, u == INTERVAL_MONTH ? '-' : u == INTERVAL_HOUR ? ' ' : ':');
        if (u == INTERVAL_SECOND) {
            put_seconds(rest, full ? 9 : 0, out);
            return;
        }
        uint64_t size = (uint64_t)unit_size[u];
        bool padded = u >= INTERVAL_HOUR;
        sbuf_printf(out, padded ? "%02llu" : "%llu", (unsigned long long)(rest / size));
        rest %= size;
    }
}

void interval_to_text(int64_t value, const struct type *type, enum interval_style style, struct sbuf *out)
{
    bool months = type->kind == TYPE_INTERVAL_YM, ansi = style == INTERVAL_STYLE_ANSI;
    uint64_t rest = value < 0 ? UINT64_C(0) - (uint64_t)value : (uint64_t)value;
    sbuf_cstr(out, ansi ? "INTERVAL '" : "");
    sbuf_cstr(out, value < 0 ? "-" : "");
    if (ansi || !months)
        put_units(rest, type, !ansi, out);
    else
        sbuf_printf(out, "%llu-%llu", (unsigned long long)(rest / 12), (unsigned long long)(rest % 12));
    if (!ansi)
        return;
    sbuf_printf(out, "' %s", interval_unit_name((enum interval_unit)type->interval_from));
    if (type->interval_to != type->interval_from)
        sbuf_printf(out, " TO %s", interval_unit_name((enum interval_unit)type->interval_to));
}

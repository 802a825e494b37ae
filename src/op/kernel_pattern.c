/* Dates and times as text by patterns: date_format, to_timestamp, to_date, unix_timestamp, from_unixtime. A
 * pattern is compiled when it changes, so a constant one once. */
#include "op/kernels_private.h"
#include "type/timestamp.h"

struct pattern {
    struct arena arena;
    struct str text; /* that `compiled` is of; in arena */
    const struct datetime_pattern *compiled;
    struct err err;
    bool tried;
};

static void pattern_close(void *arg)
{
    arena_fini(&((struct pattern *)arg)->arena);
}

static bool pick_pattern(struct kernel_pick *p, kernel_fn *run)
{
    struct pattern *state = pool_new_struct(p->pool, struct pattern);
    pool_on_free(p->pool, pattern_close, state);
    p->run = run;
    p->state = state;
    p->flags |= KERNEL_CONTEXT;
    return true;
}

/* The row's pattern (argument `arg`, or the default where there is none); NULL: the row has failed. */
static const struct datetime_pattern *pattern_of(struct call *c, uint32_t row, uint32_t arg,
                                                 enum datetime_pattern_use use)
{
    struct pattern *p = c->step->state;
    struct str text = arg < c->arg_count ? arg_str(c, arg, row) : STR("yyyy-MM-dd HH:mm:ss");
    if (!p->tried || !str_eq(text, p->text)) {
        arena_reset(&p->arena);
        err_clear(&p->err);
        p->tried = true;
        p->text = str_n(str_dup(&p->arena, text), text.n);
        if (!datetime_pattern_new(&p->arena, p->text, use, &p->compiled, &p->err))
            p->compiled = NULL;
    }
    if (p->compiled == NULL)
        out_error(c, row, "%s", p->err.text);
    return p->compiled;
}

static void format_rows(struct call *c)
{
    struct sbuf text = {0};
    bool seconds = arg_kind(c, 0) == TYPE_LONG; /* from_unixtime */
    for (EACH_ROW(c, row)) {
        const struct datetime_pattern *p = pattern_of(c, row, 1, PATTERN_FORMAT);
        int64_t us = ARG(c, int64_t, 0, row);
        if (p == NULL)
            continue;
        if (seconds && __builtin_mul_overflow(us, US_PER_S, &us)) {
            out_overflow(c, row);
            continue;
        }
        sbuf_clear(&text);
        datetime_format(p, c->context->zone, us, &text);
        out_copy(c, row, sbuf_view(&text));
    }
    sbuf_fini(&text);
}

static void cannot_parse(struct call *c, uint32_t row)
{
    struct str s = arg_str(c, 0, row), pattern = ((struct pattern *)c->step->state)->text;
    bool by_pattern = c->arg_count > 1 || pattern.n;
    out_error(c, row, "CANNOT_PARSE_TIMESTAMP: \"%.*s\" is not a time%s%.*s", (int)(s.n < 80 ? s.n : 80), s.p,
              by_pattern ? " of the form " : "", by_pattern ? (int)pattern.n : 0, pattern.p);
}

/* Text without a pattern, as CAST takes it. */
static bool parse_plain(const struct call *c, uint32_t row, enum type_kind kind, int64_t *us)
{
    struct str s = arg_str(c, 0, row);
    int32_t today = timestamp_to_date(c->context->zone, c->context->now.us), days;
    if (kind == TYPE_DATE) {
        bool ok = date_parse(s, &days);
        *us = ok ? days : 0;
        return ok;
    }
    return kind == TYPE_TIMESTAMP_NTZ ? timestamp_ntz_parse(s, true, us)
                                      : timestamp_parse(s, c->context->zone, &today, us);
}

/* Anything to the result's kind: days of a date, µs of the others. */
static bool parse_row(struct call *c, uint32_t row, enum type_kind kind, bool default_pattern, int64_t *out)
{
    if (c->arg_count == 1 && !default_pattern) {
        if (parse_plain(c, row, kind, out))
            return true;
        cannot_parse(c, row);
        return false;
    }
    const struct datetime_pattern *p = pattern_of(c, row, 1, PATTERN_PARSE);
    if (p == NULL)
        return false;
    bool ok = kind == TYPE_TIMESTAMP ? datetime_parse(p, arg_str(c, 0, row), c->context->zone, out)
                                     : datetime_parse_local(p, arg_str(c, 0, row), out);
    if (!ok)
        cannot_parse(c, row);
    else if (kind == TYPE_DATE)
        *out = floor_div(*out, US_PER_DAY);
    return ok;
}

/* A date or time argument as the result's kind; false: it is past the ends of time. */
static bool convert(const struct call *c, uint32_t row, enum type_kind kind, int64_t *out)
{
    const struct timezone_data *zone = c->context->zone;
    enum type_kind from = arg_kind(c, 0);
    int64_t v = *out = arg_i64(c, 0, row);
    if (from == kind)
        return true;
    if (from == TYPE_DATE)
        return date_to_timestamp(kind == TYPE_TIMESTAMP ? zone : NULL, v, out);
    if (kind == TYPE_TIMESTAMP)
        return timezone_to_utc_exact(zone, v, out);
    if (kind == TYPE_TIMESTAMP_NTZ)
        return timezone_to_local_exact(zone, v, out);
    *out = from == TYPE_TIMESTAMP ? timestamp_to_date(zone, v) : floor_div(v, US_PER_DAY);
    return true;
}

static bool convert_row(struct call *c, uint32_t row, enum type_kind kind, int64_t *out)
{
    if (convert(c, row, kind, out))
        return true;
    out_datetime_overflow(c, row);
    return false;
}

static void parse_rows(struct call *c)
{
    enum type_kind kind = c->out->type->kind;
    for (EACH_ROW(c, row)) {
        int64_t v;
        if (type_is_view(c->args[0].type) ? parse_row(c, row, kind, false, &v)
                                          : convert_row(c, row, kind, &v))
            out_i64(c, row, v);
    }
}

static void unix_rows(struct call *c)
{
    for (EACH_ROW(c, row)) {
        int64_t us;
        if (c->arg_count == 0)
            us = c->context->now.us;
        else if (!(type_is_view(c->args[0].type) ? parse_row(c, row, TYPE_TIMESTAMP, true, &us)
                                                 : convert_row(c, row, TYPE_TIMESTAMP, &us)))
            continue;
        OUT(c, int64_t)[row] = floor_div(us, US_PER_S);
    }
}

bool pick_date_format(struct kernel_pick *p, struct err *err)
{
    return pick_pattern(p, format_rows);
}
bool pick_to_timestamp(struct kernel_pick *p, struct err *err)
{
    return pick_pattern(p, parse_rows);
}
bool pick_unix_timestamp(struct kernel_pick *p, struct err *err)
{
    return pick_pattern(p, unix_rows);
}

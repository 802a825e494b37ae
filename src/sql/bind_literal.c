/* Literals: numbers and strings are values already; dates, timestamps and intervals become them here.
 *
 * A TIMESTAMP literal without a zone means the session's, which only the evaluator knows: it stays a cast of its text, once the text has been
 * found to be one. Months and days in one interval have no type in SQL; Spark's old calendar intervals are refused by name. */
#include "base/time.h"
#include "sql/bind_private.h"
#include "type/cast.h"

/* ---- intervals ---------------------------------------------------------------------------------------------------- */

static bool interval_fail(struct binder *b, const struct ast_expr *ast, const struct err *cause)
{
    bool named = str_starts(str_of(cause->text), STR("INVALID_INTERVAL_FORMAT"));
    return bind_fail(b, ast->span, "%s%s", named ? "" : "INVALID_INTERVAL_FORMAT: ", cause->text);
}

static bool mixed_interval(struct binder *b, const struct ast_expr *ast)
{
    bind_fail(b, ast->span, "UNSUPPORTED_FEATURE: an interval of months and days together has no type");
    return err_hint(b->err, "Write two intervals, one of years and months and one of days to seconds.");
}

/* "1 day 2 hours": which units are named decides the type's range. */
static const struct type *units_type(struct arena *arena, struct str text, bool months)
{
    static const struct {
        const char *word;
        uint8_t unit;
    } units[] = {{"year", INTERVAL_YEAR},          {"month", INTERVAL_MONTH},
                 {"week", INTERVAL_DAY},           {"day", INTERVAL_DAY},
                 {"hour", INTERVAL_HOUR},          {"minute", INTERVAL_MINUTE},
                 {"millisecond", INTERVAL_SECOND}, {"microsecond", INTERVAL_SECOND},
                 {"second", INTERVAL_SECOND}};
    unsigned from = INTERVAL_SECOND + 1, to = 0;
    for (size_t i = 0; i < text.n; i++) {
        for (size_t k = 0; k < sizeof units / sizeof *units; k++) {
            struct str rest = str_n(text.p + i, text.n - i);
            struct str word = str_of(units[k].word);
            if (rest.n < word.n || !str_eq_nocase(str_n(rest.p, word.n), word))
                continue;
            from = units[k].unit < from ? units[k].unit : from;
            to = units[k].unit > to ? units[k].unit : to;
            i += word.n - 1;
            break;
        }
    }
    if (from > to)
        return type_simple(months ? TYPE_INTERVAL_YM : TYPE_INTERVAL_DT);
    return type_interval(arena, months ? TYPE_INTERVAL_YM : TYPE_INTERVAL_DT, from, to);
}

static bool calendar_value(struct binder *b, const struct ast_expr *ast, struct str text, struct value *value)
{
    struct calendar_interval c;
    struct err cause;
    if (!interval_parse_units(text, &c, &cause))
        return interval_fail(b, ast, &cause);
    if (c.months != 0 && (c.days != 0 || c.us != 0))
        return mixed_interval(b, ast);
    int64_t us;
    if (__builtin_mul_overflow((int64_t)c.days, 86400 * US_PER_S, &us) ||
        __builtin_add_overflow(us, c.us, &us))
        return bind_fail(b, ast->span,
                         "INVALID_INTERVAL_FORMAT.ARITHMETIC_EXCEPTION: the interval is too long");
    *value = (struct value){.type = units_type(b->arena, text, c.months != 0),
                            .i64 = c.months ? c.months : us};
    if (value->type->interval_from <= INTERVAL_MONTH && value->type->kind == TYPE_INTERVAL_DT && us == 0)
        value->type = units_type(b->arena, text, true); /* INTERVAL 0 YEAR */
    return true;
}

static void add_amount(const struct value *amount, struct sbuf *out)
{
    char text[DECIMAL_TEXT_MAX];
    switch (amount->type->kind) {
    case TYPE_STRING: sbuf_str(out, amount->str); break;
    case TYPE_DECIMAL:
        sbuf_add(out, text, decimal_to_text(amount->decimal, amount->type->scale, text));
        break;
    case TYPE_FLOAT:
    case TYPE_DOUBLE: sbuf_printf(out, "%.9f", amount->f64); break;
    default: sbuf_printf(out, "%lld", (long long)amount->i64); break;
    }
}

static const char *unit_word(enum ast_unit unit)
{
    static const char *const words[] = {"year",   "month", "day",         "hour",       "minute",
                                        "second", "week",  "millisecond", "microsecond"};
    return words[unit];
}

/* Amounts with units: written as a text that interval_parse_units reads. Months and days may not meet, by their units alone. */
static bool units_value(struct binder *b, const struct ast_expr *ast, struct value *value)
{
    struct sbuf text = {0};
    bool months = false, others = false;
    for (uint32_t i = 0; i < ast->count; i++) {
        sbuf_char(&text, ' ');
        add_amount(&ast->items[i]->literal, &text);
        sbuf_printf(&text, " %s", unit_word(ast->units[i]));
        bool month = ast->units[i] == AST_UNIT_YEAR || ast->units[i] == AST_UNIT_MONTH;
        months |= month;
        others |= !month;
    }
    bool ok = months && others ? mixed_interval(b, ast)
                               : calendar_value(b, ast, str_n(arena_strdup(b->arena, text.p), text.n), value);
    sbuf_fini(&text);
    return ok;
}

/* INTERVAL '1-2' YEAR TO MONTH, INTERVAL '1 02:03' DAY TO MINUTE. */
static bool range_value(struct binder *b, const struct ast_expr *ast, struct value *value)
{
    enum ast_unit from = ast->units[0], to = ast->to;
    bool months = from == AST_UNIT_YEAR && to == AST_UNIT_MONTH;
    bool times = from >= AST_UNIT_DAY && from < to && to <= AST_UNIT_SECOND;
    struct err cause;
    if (!months && !times)
        return bind_fail(
            b, ast->span,
            "INVALID_INTERVAL_FORMAT.UNSUPPORTED_FROM_TO_EXPRESSION: there is no interval from %s to %s",
            unit_word(from), unit_word(to));
    if (ast->items[0]->literal.type->kind != TYPE_STRING)
        return bind_fail(b, ast->items[0]->span,
                         "INVALID_INTERVAL_FORMAT.INVALID_VALUE: an interval with TO takes a string");
    value->type = type_interval(b->arena, months ? TYPE_INTERVAL_YM : TYPE_INTERVAL_DT, (unsigned)from,
                                (unsigned)to);
    value->is_null = false;
    if (!interval_parse(ast->items[0]->literal.str, value->type, &value->i64, &cause))
        return interval_fail(b, ast, &cause);
    return true;
}

bool bind_interval(struct binder *b, const struct ast_expr *ast, struct value *value)
{
    *value = (struct value){0};
    if (ast->to != AST_UNIT_NONE)
        return range_value(b, ast, value);
    if (ast->units[0] == AST_UNIT_NONE) {
        const struct value *text = &ast->items[0]->literal;
        if (text->type->kind != TYPE_STRING)
            return bind_fail(b, ast->span,
                             "INVALID_INTERVAL_FORMAT: an interval without a unit takes a string");
        return calendar_value(b, ast, text->str, value);
    }
    return units_value(b, ast, value);
}

/* ---- dates and timestamps ------------------------------------------------------------------------------------------ */

static bool bad_typed(struct binder *b, const struct ast_expr *ast)
{
    return bind_fail(b, ast->span, "INVALID_TYPED_LITERAL: the text of this %.*s literal is no %.*s",
                     STR_ARG(ast->name), STR_ARG(ast->name));
}

/* TIMESTAMP '…': with a zone, or at the epoch's names, a value; else a cast in the session's zone. */
static bool bind_timestamp(struct binder *b, const struct ast_expr *ast, const struct expr **out)
{
    struct timestamp_text parts;
    int64_t us;
    struct str text = cast_trim(ast->literal.str);
    if (!timestamp_split(text, &parts))
        return bad_typed(b, ast);
    bool known = timestamp_parse(text, NULL, &(int32_t){0}, &us); /* not so the zones of regions */
    if (!known && parts.zone.n == 0)
        return bad_typed(b, ast);
    if (known && parts.zone.n > 0) {
        *out = expr_literal(b->arena, &(struct value){.type = type_simple(TYPE_TIMESTAMP), .i64 = us},
                            ast->span);
        return true;
    }
    *out = cast_to(b->arena, expr_string(b->arena, text, ast->span), type_simple(TYPE_TIMESTAMP));
    return true;
}

bool bind_typed(struct binder *b, const struct ast_expr *ast, const struct expr **out)
{
    struct value v = {0};
    if (str_is(ast->name, "DATE")) {
        int32_t days;
        if (!date_parse(ast->literal.str, &days))
            return bad_typed(b, ast);
        v = (struct value){.type = type_simple(TYPE_DATE), .i64 = days};
    } else if (str_is(ast->name, "TIMESTAMP_NTZ")) {
        if (!timestamp_ntz_parse(ast->literal.str, true, &v.i64))
            return bad_typed(b, ast);
        v.type = type_simple(TYPE_TIMESTAMP_NTZ);
    } else if (str_is(ast->name, "TIME")) {
        return bind_unsupported(b, ast->span, "the type TIME is");
    } else {
        return bind_timestamp(b, ast, out);
    }
    *out = expr_literal(b->arena, &v, ast->span);
    return true;
}

bool bind_literal(struct binder *b, const struct ast_expr *ast, const struct expr **out)
{
    if (ast->kind == AST_TYPED)
        return bind_typed(b, ast, out);
    struct value v = ast->literal;
    if (ast->kind == AST_INTERVAL)
        TRY(bind_interval(b, ast, &v));
    *out = expr_literal(b->arena, &v, ast->span);
    return true;
}

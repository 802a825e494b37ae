/* CAST of one value: the slow, complete form. One function per kind of target; the sentences of errors at
 * the top. */
#include "type/cast.h"

#include <math.h>

#include "base/check.h"
#include "base/utf8.h"

struct cast {
    const struct value *in;
    const struct type *to;
    const struct timezone_data *zone;
    struct arena *arena;
    struct value *out;
    struct err *err;
};

/* ---- sentences ----------------------------------------------------------------------------------------- */

enum { SHOWN_MAX = 100 }; /* bytes of a value in a message */

/* The value as SQL, cut at a character. */
static void put_shown(const struct value *v, struct sbuf *out)
{
    struct value cut = *v;
    bool is_text = v->type->kind == TYPE_STRING && !v->is_null;
    if (is_text && cut.str.n > SHOWN_MAX)
        cut.str.n = SHOWN_MAX;
    while (is_text && cut.str.n > 0 && !utf8_valid(cut.str.p, cut.str.n))
        cut.str.n--;
    value_to_sql(&cut, out);
    if (is_text && cut.str.n < v->str.n)
        sbuf_cstr(out, "…");
}

static bool refuse(const char *class, const struct value *in, const struct type *to, const char *why,
                   struct err *err)
{
    struct sbuf text = {0};
    put_shown(in, &text);
    sbuf_cstr(&text, " from ");
    type_to_sql(in->type, &text);
    sbuf_cstr(&text, " to ");
    type_to_sql(to, &text);
    err_set(err, ERR_DATA, "%s: cannot cast %s: %s", class, text.p, why);
    sbuf_fini(&text);
    return err_hint(err, "Use try_cast to get NULL in place of this error.");
}

bool cast_invalid_input(const struct value *in, const struct type *to, struct err *err)
{
    return refuse("CAST_INVALID_INPUT", in, to, "it is malformed", err);
}

bool cast_overflow(const struct value *in, const struct type *to, struct err *err)
{
    return refuse("CAST_OVERFLOW", in, to, "it is out of range", err);
}

bool cast_out_of_range(const struct value *in, const struct type *decimal, struct err *err)
{
    return refuse("NUMERIC_VALUE_OUT_OF_RANGE", in, decimal, "it has too many digits", err);
}

static bool bad_input(const struct cast *c)
{
    return cast_invalid_input(c->in, c->to, c->err);
}

static bool overflow(const struct cast *c)
{
    return cast_overflow(c->in, c->to, c->err);
}

/* ---- to text ------------------------------------------------------------------------------------------- */

static bool to_string(struct cast *c)
{
    if (c->in->type->kind == TYPE_STRING) {
        c->out->str = c->in->str;
        return true;
    }
    if (c->in->type->kind == TYPE_BINARY) {
        c->out->str = c->in->str;
        return utf8_valid(c->in->str.p, c->in->str.n) || bad_input(c);
    }
    struct sbuf text = {0};
    value_to_text(c->in, c->zone, &text);
    c->out->str = str_n(arena_dup(c->arena, text.p, text.n), text.n);
    sbuf_fini(&text);
    return true;
}

/* ---- to numbers ---------------------------------------------------------------------------------------- */

/* How many µs or months one of the last unit of an interval type is. */
static int64_t interval_unit(const struct type *type)
{
    static const int64_t sizes[] = {12, 1, US_PER_DAY, US_PER_HOUR, US_PER_MINUTE, US_PER_S};
    return sizes[type->interval_to];
}

static bool to_integer(struct cast *c)
{
    const struct value *in = c->in;
    int64_t min = type_int_min(c->to->kind), max = type_int_max(c->to->kind), v = 0;
    bool fits = true;
    switch (in->type->kind) {
    case TYPE_STRING:
        if (!cast_str_to_i64(in->str, min, max, &c->out->i64))
            return bad_input(c);
        return true;
    case TYPE_BOOLEAN: v = in->boolean; break;
    case TYPE_FLOAT:
    case TYPE_DOUBLE: fits = cast_f64_to_i64(in->f64, min, max, &v); break;
    case TYPE_DECIMAL: fits = decimal_to_i64(in->decimal, in->type->scale, &v); break;
    case TYPE_TIMESTAMP: v = floor_div(in->i64, US_PER_S); break;
    case TYPE_INTERVAL_YM:
    case TYPE_INTERVAL_DT: v = in->i64 / interval_unit(in->type); break;
    default: v = in->i64;
    }
    c->out->i64 = v;
    return (fits && v >= min && v <= max) || overflow(c);
}

static bool to_fraction(struct cast *c)
{
    const struct value *in = c->in;
    bool is_float = c->to->kind == TYPE_FLOAT;
    float narrow = 0;
    double v = 0;
    switch (in->type->kind) {
    case TYPE_STRING:
        if (is_float ? !cast_str_to_f32(in->str, &narrow) : !cast_str_to_f64(in->str, &v))
            return bad_input(c);
        break;
    case TYPE_BOOLEAN: v = in->boolean; break;
    case TYPE_FLOAT:
    case TYPE_DOUBLE: v = in->f64; break;
    case TYPE_DECIMAL: v = decimal_to_f64(in->decimal, in->type->scale); break;
    case TYPE_TIMESTAMP: v = (double)in->i64 / 1e6; break;
    default:
        v = (double)in->i64;
        narrow = (float)in->i64; /* not by way of a double: that would round twice */
        if (is_float)
            v = (double)narrow;
    }
    bool from_text = in->type->kind == TYPE_STRING;
    c->out->f64 = !is_float ? v : from_text ? (double)narrow : (double)(float)v;
    return true;
}

static bool to_decimal(struct cast *c)
{
    const struct value *in = c->in;
    struct decimal_shape shape = decimal_shape_of(c->to);
    i128 *v = &c->out->decimal;
    bool fits = false;
    enum decimal_status status;
    switch (in->type->kind) {
    case TYPE_STRING:
        status = decimal_parse(in->str, shape, v);
        if (status == DECIMAL_MALFORMED)
            return bad_input(c);
        fits = status == DECIMAL_OK;
        break;
    case TYPE_FLOAT:
    case TYPE_DOUBLE:
        if (!isfinite(in->f64)) { /* as Spark: no decimal, and no error */
            c->out->is_null = true;
            return true;
        }
        fits = decimal_from_f64(in->f64, shape, v);
        break;
    case TYPE_DECIMAL: fits = decimal_rescale(in->decimal, in->type->scale, shape, v); break;
    case TYPE_TIMESTAMP: fits = decimal_rescale(in->i64, 6, shape, v); break;
    case TYPE_INTERVAL_YM:
    case TYPE_INTERVAL_DT: fits = decimal_div(in->i64, 0, interval_unit(in->type), 0, shape, v); break;
    default: fits = decimal_from_i64(in->type->kind == TYPE_BOOLEAN ? in->boolean : in->i64, shape, v);
    }
    return fits || cast_out_of_range(in, c->to, c->err);
}

static bool to_boolean(struct cast *c)
{
    const struct value *in = c->in;
    switch (in->type->kind) {
    case TYPE_STRING: return cast_str_to_bool(in->str, &c->out->boolean) || bad_input(c);
    case TYPE_FLOAT:
    case TYPE_DOUBLE: c->out->boolean = in->f64 != 0; return true;
    case TYPE_DECIMAL: c->out->boolean = in->decimal != 0; return true;
    default: c->out->boolean = in->i64 != 0; return true;
    }
}

/* ---- to times ------------------------------------------------------------------------------------------ */

static bool to_date(struct cast *c)
{
    int32_t days;
    switch (c->in->type->kind) {
    case TYPE_STRING:
        if (!date_parse(c->in->str, &days))
            return bad_input(c);
        break;
    case TYPE_TIMESTAMP: days = timestamp_to_date(c->zone, c->in->i64); break;
    default: days = timestamp_to_date(NULL, c->in->i64);
    }
    c->out->i64 = days;
    return true;
}

static int64_t saturated(i128 us)
{
    return us > INT64_MAX ? INT64_MAX : us < INT64_MIN ? INT64_MIN : (int64_t)us;
}

static int64_t decimal_to_us(i128 v, unsigned scale)
{
    i128 us;
    if (scale >= 6)
        return saturated(decimal_round(v, scale - 6, DECIMAL_DOWN));
    if (__builtin_mul_overflow(v, decimal_pow10[6 - scale], &us))
        return v < 0 ? INT64_MIN : INT64_MAX;
    return saturated(us);
}

static bool to_timestamp(struct cast *c)
{
    const struct value *in = c->in;
    int64_t *us = &c->out->i64;
    switch (in->type->kind) {
    case TYPE_STRING: return timestamp_parse(in->str, c->zone, NULL, us) || bad_input(c);
    case TYPE_DATE: return date_to_timestamp(c->zone, in->i64, us) || overflow(c);
    case TYPE_TIMESTAMP_NTZ: return timezone_to_utc_exact(c->zone, in->i64, us) || overflow(c);
    case TYPE_FLOAT:
    case TYPE_DOUBLE: return cast_f64_to_timestamp(in->f64, us) || bad_input(c);
    case TYPE_DECIMAL: *us = decimal_to_us(in->decimal, in->type->scale); return true;
    default: *us = saturated((i128)in->i64 * US_PER_S); return true;
    }
}

static bool to_timestamp_ntz(struct cast *c)
{
    switch (c->in->type->kind) {
    case TYPE_STRING: return timestamp_ntz_parse(c->in->str, true, &c->out->i64) || bad_input(c);
    case TYPE_DATE: return date_to_timestamp(NULL, c->in->i64, &c->out->i64) || overflow(c);
    default: return timezone_to_local_exact(c->zone, c->in->i64, &c->out->i64) || overflow(c);
    }
}

static bool to_interval(struct cast *c)
{
    const struct value *in = c->in;
    bool months = c->to->kind == TYPE_INTERVAL_YM, fits;
    int64_t unit = interval_unit(c->to), *v = &c->out->i64;
    i128 exact;
    switch (in->type->kind) {
    case TYPE_STRING: return interval_parse(in->str, c->to, v, c->err);
    case TYPE_INTERVAL_YM:
    case TYPE_INTERVAL_DT: /* down to the last unit of the new range */
        *v = in->i64 / unit * unit;
        return true;
    case TYPE_DECIMAL: /* months and seconds are rounded, longer units cut */
        if (months || c->to->interval_to == INTERVAL_SECOND) {
            fits = decimal_mul(in->decimal, in->type->scale, unit, 0,
                               (struct decimal_shape){DECIMAL_PRECISION_MAX, 0}, &exact);
            *v = (int64_t)exact;
            fits = fits && exact == *v;
        } else {
            fits = decimal_to_i64(in->decimal, in->type->scale, v) && !__builtin_mul_overflow(*v, unit, v);
        }
        break;
    default: fits = !__builtin_mul_overflow(in->i64, unit, v);
    }
    return (fits && (!months || *v == (int32_t)*v)) || overflow(c);
}

/* ---- nested -------------------------------------------------------------------------------------------- */

static bool to_nested(struct cast *c)
{
    const struct value *in = c->in;
    bool is_struct = c->to->kind == TYPE_STRUCT;
    size_t n = (size_t)in->nested.count * (c->to->kind == TYPE_MAP ? 2 : 1);
    struct value *items = arena_array(c->arena, struct value, n);
    for (size_t i = 0; i < n; i++) {
        const struct field *field = &c->to->fields[is_struct ? i : i % c->to->field_count];
        TRY(value_cast(&in->nested.items[i], field->type, c->zone, c->arena, &items[i], c->err));
    }
    c->out->nested.count = in->nested.count;
    c->out->nested.items = items;
    return true;
}

static bool no_cast(const struct cast *c)
{
    struct sbuf text = {0};
    type_to_sql(c->in->type, &text);
    sbuf_cstr(&text, " cannot be cast to ");
    type_to_sql(c->to, &text);
    err_set(c->err, ERR_CONFIG, "DATATYPE_MISMATCH.CAST_WITHOUT_SUGGESTION: %s", text.p);
    sbuf_fini(&text);
    return false;
}

typedef bool cast_function(struct cast *c);

bool value_cast(const struct value *in, const struct type *to, const struct timezone_data *zone,
                struct arena *arena, struct value *out, struct err *err)
{
    static cast_function *const functions[TYPE_KINDS] = {
        [TYPE_BOOLEAN] = to_boolean,
        [TYPE_BYTE] = to_integer,
        [TYPE_SHORT] = to_integer,
        [TYPE_INT] = to_integer,
        [TYPE_LONG] = to_integer,
        [TYPE_FLOAT] = to_fraction,
        [TYPE_DOUBLE] = to_fraction,
        [TYPE_DECIMAL] = to_decimal,
        [TYPE_STRING] = to_string,
        [TYPE_BINARY] = to_string,
        [TYPE_DATE] = to_date,
        [TYPE_TIMESTAMP] = to_timestamp,
        [TYPE_TIMESTAMP_NTZ] = to_timestamp_ntz,
        [TYPE_INTERVAL_YM] = to_interval,
        [TYPE_INTERVAL_DT] = to_interval,
        [TYPE_ARRAY] = to_nested,
        [TYPE_MAP] = to_nested,
        [TYPE_STRUCT] = to_nested,
    };
    struct cast c = {in, to, zone, arena, out, err};
    if (!type_can_cast(in->type, to))
        return no_cast(&c);
    if (in->is_null) {
        *out = value_null(to);
        return true;
    }
    if (type_same(in->type, to)) {
        *out = *in;
        out->type = to;
        return true;
    }
    /* what a variant holds is format/'s knowledge */
    if (functions[to->kind] == NULL || (in->type->kind == TYPE_VARIANT && to->kind != TYPE_STRING))
        return no_cast(&c);
    *out = (struct value){.type = to};
    return functions[to->kind](&c);
}

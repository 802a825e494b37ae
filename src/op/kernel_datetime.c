/* Dates and times: parts, arithmetic, truncation. TIMESTAMP is looked at in the session's time zone,
 * TIMESTAMP_NTZ as it is. Text by patterns is in kernel_pattern.c. */
#include <math.h>

#include "op/kernels_private.h"
#include "type/decimal.h"
#include "type/timestamp.h"

/* The zone that an argument of a time type is looked at in: NULL (UTC) for wall clocks without one. */
static const struct timezone_data *zone_of(const struct call *c, uint32_t arg)
{
    return arg_kind(c, arg) == TYPE_TIMESTAMP ? c->context->zone : NULL;
}

/* The wall clock in µs; saturates at the ends of time. */
static int64_t local_of(const struct call *c, uint32_t arg, uint32_t row, struct timezone_cursor *cursor)
{
    int64_t v = ARG(c, int64_t, arg, row);
    return arg_kind(c, arg) == TYPE_TIMESTAMP ? timezone_local(c->context->zone, v, cursor) : v;
}

/* The same in whole seconds, which cannot overflow. */
static int64_t local_seconds(const struct call *c, uint32_t arg, uint32_t row, struct timezone_cursor *cursor)
{
    int64_t v = ARG(c, int64_t, arg, row);
    if (arg_kind(c, arg) != TYPE_TIMESTAMP)
        return floor_div(v, US_PER_S);
    timezone_local(c->context->zone, v, cursor);
    return floor_div(v, US_PER_S) + cursor->offset_us / US_PER_S;
}

void out_datetime_overflow(struct call *c, uint32_t row)
{
    out_error(c, row, "DATETIME_OVERFLOW: the result is out of the range of its type");
}

/* ---- now ----------------------------------------------------------------------------------------------- */

void kernel_current_timestamp(struct call *c)
{
    for (EACH_ROW(c, row))
        OUT(c, int64_t)[row] = c->context->now.us;
}
void kernel_localtimestamp(struct call *c)
{
    for (EACH_ROW(c, row))
        OUT(c, int64_t)[row] = timezone_to_local(c->context->zone, c->context->now.us);
}
void kernel_current_date(struct call *c)
{
    for (EACH_ROW(c, row))
        OUT(c, int32_t)[row] = timestamp_to_date(c->context->zone, c->context->now.us);
}
void kernel_current_timezone(struct call *c)
{
    const char *name = c->context->zone ? c->context->zone->name : "UTC";
    for (EACH_ROW(c, row))
        out_copy(c, row, str_of(name));
}

/* ---- parts of dates ------------------------------------------------------------------------------------ */

struct civil {
    int32_t year;
    unsigned month, day;
};

static struct civil civil_of(int64_t days)
{
    struct civil d;
    days_to_civil(days, &d.year, &d.month, &d.day);
    return d;
}

/* An int from the days of a date argument. */
#define DATE_PART(name, expression)                                                                          \
    void name(struct call *c)                                                                                \
    {                                                                                                        \
        for (EACH_ROW(c, row)) {                                                                             \
            const int32_t days = ARG(c, int32_t, 0, row);                                                    \
            OUT(c, int32_t)[row] = (int32_t)(expression);                                                    \
        }                                                                                                    \
    }
static int32_t week_year(int32_t days)
{
    int32_t year;
    week_of_year(days, &year);
    return year;
}
DATE_PART(kernel_year, civil_of(days).year)
DATE_PART(kernel_quarter, (civil_of(days).month + 2) / 3)
DATE_PART(kernel_month, civil_of(days).month)
DATE_PART(kernel_day, civil_of(days).day)
DATE_PART(kernel_dayofyear, day_of_year(days))
DATE_PART(kernel_dayofweek, day_of_week(days) % 7 + 1)
DATE_PART(kernel_dayofweek_iso, day_of_week(days))
DATE_PART(kernel_weekday, day_of_week(days) - 1)
DATE_PART(kernel_weekofyear, week_of_year(days, NULL))
DATE_PART(kernel_yearofweek, week_year(days))
DATE_PART(kernel_unix_date, days)
DATE_PART(kernel_date_from_unix_date, days)

void kernel_monthname(struct call *c)
{
    static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    for (EACH_ROW(c, row))
        out_str(c, row, str_n(names + 3 * (civil_of(ARG(c, int32_t, 0, row)).month - 1), 3));
}
void kernel_dayname(struct call *c)
{
    static const char names[] = "MonTueWedThuFriSatSun";
    for (EACH_ROW(c, row))
        out_str(c, row, str_n(names + 3 * (day_of_week(ARG(c, int32_t, 0, row)) - 1), 3));
}

/* ---- parts of times ------------------------------------------------------------------------------------ */

/* seconds / unit mod modulus */
#define TIME_PART(name, unit, modulus)                                                                       \
    void name(struct call *c)                                                                                \
    {                                                                                                        \
        struct timezone_cursor cursor = {0};                                                                 \
        for (EACH_ROW(c, row))                                                                               \
            OUT(c, int32_t)                                                                                  \
        [row] = (int32_t)floor_mod(floor_div(local_seconds(c, 0, row, &cursor), unit), modulus);             \
    }
TIME_PART(kernel_hour, 3600, 24)
TIME_PART(kernel_minute, 60, 60)
TIME_PART(kernel_second, 1, 60)

void kernel_second_fraction(struct call *c)
{
    struct timezone_cursor cursor = {0};
    for (EACH_ROW(c, row))
        OUT(c, i128)
    [row] = floor_mod(local_seconds(c, 0, row, &cursor), 60) * US_PER_S +
            floor_mod(ARG(c, int64_t, 0, row), US_PER_S);
}

void kernel_interval_part(struct call *c)
{
    for (EACH_ROW(c, row)) {
        int64_t v = arg_i64(c, 0, row);
        switch (arg_i64(c, 1, row)) {
        case INTERVAL_YEAR: out_i64(c, row, v / 12); break;
        case INTERVAL_MONTH: out_i64(c, row, v % 12); break;
        case INTERVAL_DAY: out_i64(c, row, v / US_PER_DAY); break;
        case INTERVAL_HOUR: out_i64(c, row, v % US_PER_DAY / US_PER_HOUR); break;
        case INTERVAL_MINUTE: out_i64(c, row, v % US_PER_HOUR / US_PER_MINUTE); break;
        default: OUT(c, i128)[row] = v % US_PER_MINUTE; break;
        }
    }
}

/* ---- arithmetic ---------------------------------------------------------------------------------------- */

static void add_days(struct call *c, int sign)
{
    for (EACH_ROW(c, row)) {
        int64_t days = ARG(c, int32_t, 0, row) + sign * arg_i64(c, 1, row);
        if (days < INT32_MIN || days > INT32_MAX)
            out_datetime_overflow(c, row);
        else
            OUT(c, int32_t)[row] = (int32_t)days;
    }
}
void kernel_date_add(struct call *c)
{
    add_days(c, 1);
}
void kernel_date_sub(struct call *c)
{
    add_days(c, -1);
}

void kernel_datediff(struct call *c)
{
    for (EACH_ROW(c, row))
        OUT(c, int32_t)
    [row] = (int32_t)((uint32_t)ARG(c, int32_t, 0, row) - (uint32_t)ARG(c, int32_t, 1, row));
}

void kernel_date_subtract(struct call *c)
{
    for (EACH_ROW(c, row)) {
        int64_t days = (int64_t)ARG(c, int32_t, 0, row) - ARG(c, int32_t, 1, row);
        if (__builtin_mul_overflow(days, US_PER_DAY, &OUT(c, int64_t)[row]))
            out_overflow(c, row);
    }
}

/* add_months(date, n) and date + INTERVAL … MONTH. */
void kernel_add_months(struct call *c)
{
    for (EACH_ROW(c, row))
        if (!date_add_months(ARG(c, int32_t, 0, row), ARG(c, int32_t, 1, row), &OUT(c, int32_t)[row]))
            out_datetime_overflow(c, row);
}

bool timestamp_add_months(const struct timezone_data *zone, int64_t us, int64_t months, int64_t *out)
{
    int64_t local = timezone_to_local(zone, us), days = floor_div(local, US_PER_DAY);
    int32_t day;
    if (!date_add_months((int32_t)days, months, &day))
        return false;
    i128 result = (i128)day * US_PER_DAY + floor_mod(local, US_PER_DAY); /* the first day is not whole */
    return result == (int64_t)result && timezone_to_utc_exact(zone, (int64_t)result, out);
}

/* Days by the wall clock, the rest by the stop watch. */
static bool timestamp_add_days(const struct timezone_data *zone, int64_t us, int64_t days, int64_t rest,
                               int64_t *out)
{
    int64_t shift, local;
    if (__builtin_mul_overflow(days, US_PER_DAY, &shift))
        return false;
    if (days != 0) {
        if (__builtin_add_overflow(timezone_to_local(zone, us), shift, &local))
            return false;
        TRY(timezone_to_utc_exact(zone, local, &us));
    }
    return !__builtin_add_overflow(us, rest, out);
}

void kernel_timestamp_add_ym(struct call *c)
{
    for (EACH_ROW(c, row))
        if (!timestamp_add_months(zone_of(c, 0), ARG(c, int64_t, 0, row), ARG(c, int32_t, 1, row),
                                  &OUT(c, int64_t)[row]))
            out_datetime_overflow(c, row);
}

void kernel_timestamp_add_dt(struct call *c)
{
    for (EACH_ROW(c, row)) {
        int64_t v = ARG(c, int64_t, 1, row);
        if (!timestamp_add_days(zone_of(c, 0), ARG(c, int64_t, 0, row), v / US_PER_DAY, v % US_PER_DAY,
                                &OUT(c, int64_t)[row]))
            out_datetime_overflow(c, row);
    }
}

void kernel_timestamp_subtract(struct call *c)
{
    struct timezone_cursor left = {0}, right = {0};
    for (EACH_ROW(c, row))
        if (__builtin_sub_overflow(local_of(c, 0, row, &left), local_of(c, 1, row, &right),
                                   &OUT(c, int64_t)[row]))
            out_overflow(c, row);
}

/* Interval × or ÷ a double or decimal, half up. */
static bool scale_interval(const struct call *c, uint32_t row, bool divide, int64_t *out)
{
    struct decimal_shape whole = {DECIMAL_PRECISION_MAX, 0};
    int64_t v = arg_i64(c, 0, row);
    i128 wide;
    if (arg_kind(c, 1) == TYPE_DECIMAL) {
        unsigned scale = c->args[1].type->scale;
        i128 n = ARG(c, i128, 1, row);
        if (!(divide ? decimal_div(v, 0, n, scale, whole, &wide) : decimal_mul(v, 0, n, scale, whole, &wide)))
            return false;
    } else {
        double d = arg_f64(c, 1, row), r = divide ? (double)v / d : (double)v * d;
        r = r < 0 ? -floor(-r + 0.5) : floor(r + 0.5);
        if (!(r >= -9.3e18 && r <= 9.3e18))
            return false;
        wide = (i128)r;
    }
    int64_t max = type_width(c->out->type) == 4 ? INT32_MAX : INT64_MAX,
            min = type_width(c->out->type) == 4 ? INT32_MIN : INT64_MIN;
    *out = (int64_t)wide;
    return wide >= min && wide <= max;
}

static bool is_zero(const struct call *c, uint32_t row)
{
    return arg_kind(c, 1) == TYPE_DECIMAL ? ARG(c, i128, 1, row) == 0 : arg_f64(c, 1, row) == 0;
}

static void interval_scale(struct call *c, bool divide)
{
    for (EACH_ROW(c, row)) {
        int64_t v = 0;
        if (divide && is_zero(c, row))
            out_error(c, row, "INTERVAL_DIVIDED_BY_ZERO: division by zero");
        else if (!scale_interval(c, row, divide, &v))
            out_overflow(c, row);
        else
            out_i64(c, row, v);
    }
}
void kernel_interval_multiply(struct call *c)
{
    interval_scale(c, false);
}
void kernel_interval_divide(struct call *c)
{
    interval_scale(c, true);
}

/* ---- months and named days ----------------------------------------------------------------------------- */

/* Whole months where both are the same day or both the last of their month, else with the part of a month of
 * 31 days. */
static double months_between(int64_t a, int64_t b)
{
    struct civil x = civil_of(floor_div(a, US_PER_DAY)), y = civil_of(floor_div(b, US_PER_DAY));
    double months = ((double)x.year - y.year) * 12 + (double)x.month - (double)y.month;
    if (x.day == y.day || (x.day == month_days(x.year, x.month) && y.day == month_days(y.year, y.month)))
        return months;
    int64_t seconds = ((int64_t)x.day - (int64_t)y.day) * 86400 + floor_mod(a, US_PER_DAY) / US_PER_S -
                      floor_mod(b, US_PER_DAY) / US_PER_S;
    return months + (double)seconds / (31.0 * 86400);
}

void kernel_months_between(struct call *c)
{
    struct timezone_cursor left = {0}, right = {0};
    for (EACH_ROW(c, row)) {
        double v = months_between(local_of(c, 0, row, &left), local_of(c, 1, row, &right));
        bool rounded = c->arg_count < 3 || ARG(c, uint8_t, 2, row);
        OUT(c, double)[row] = rounded ? round(v * 1e8) / 1e8 : v;
    }
}

void kernel_last_day(struct call *c)
{
    for (EACH_ROW(c, row)) {
        int32_t days = ARG(c, int32_t, 0, row);
        struct civil d = civil_of(days);
        OUT(c, int32_t)[row] = days + (int32_t)(month_days(d.year, d.month) - d.day);
    }
}

/* 1 = Monday; 0: no such day. */
static unsigned day_named(struct str name)
{
    static const char *const names[] = {"MONDAY", "TUESDAY",  "WEDNESDAY", "THURSDAY",
                                        "FRIDAY", "SATURDAY", "SUNDAY"};
    for (unsigned i = 0; i < 7; i++) {
        struct str full = str_of(names[i]);
        if (str_eq_nocase(name, full) || str_eq_nocase(name, str_n(full.p, 3)) ||
            str_eq_nocase(name, str_n(full.p, 2)))
            return i + 1;
    }
    return 0;
}

void kernel_next_day(struct call *c)
{
    for (EACH_ROW(c, row)) {
        int32_t days = ARG(c, int32_t, 0, row);
        struct str name = str_trim(arg_str(c, 1, row));
        unsigned wanted = day_named(name);
        if (wanted == 0)
            out_error(c, row, "ILLEGAL_DAY_OF_WEEK: \"%.*s\" is no day of the week",
                      (int)(name.n < 40 ? name.n : 40), name.p);
        else
            OUT(c, int32_t)[row] = days + 1 + (int32_t)((wanted + 6 - day_of_week(days)) % 7);
    }
}

/* ---- units --------------------------------------------------------------------------------------------- */

enum time_unit {
    UNIT_NONE,
    UNIT_MICROSECOND,
    UNIT_MILLISECOND,
    UNIT_SECOND,
    UNIT_MINUTE,
    UNIT_HOUR,
    UNIT_DAY,
    UNIT_WEEK,
    UNIT_MONTH,
    UNIT_QUARTER,
    UNIT_YEAR
};

static enum time_unit unit_named(struct str name)
{
    static const struct {
        const char *name;
        enum time_unit unit;
    } table[] = {
        {"YEAR", UNIT_YEAR},
        {"YYYY", UNIT_YEAR},
        {"YY", UNIT_YEAR},
        {"QUARTER", UNIT_QUARTER},
        {"MONTH", UNIT_MONTH},
        {"MM", UNIT_MONTH},
        {"MON", UNIT_MONTH},
        {"WEEK", UNIT_WEEK},
        {"DAY", UNIT_DAY},
        {"DD", UNIT_DAY},
        {"DAYOFYEAR", UNIT_DAY},
        {"HOUR", UNIT_HOUR},
        {"MINUTE", UNIT_MINUTE},
        {"SECOND", UNIT_SECOND},
        {"MILLISECOND", UNIT_MILLISECOND},
        {"MICROSECOND", UNIT_MICROSECOND},
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++)
        if (str_eq_nocase(name, str_of(table[i].name)))
            return table[i].unit;
    return UNIT_NONE;
}

static int64_t unit_us(enum time_unit unit)
{
    static const int64_t us[] = {
        [UNIT_MICROSECOND] = 1,        [UNIT_MILLISECOND] = US_PER_MS, [UNIT_SECOND] = US_PER_S,
        [UNIT_MINUTE] = US_PER_MINUTE, [UNIT_HOUR] = US_PER_HOUR,      [UNIT_DAY] = US_PER_DAY,
        [UNIT_WEEK] = 7 * US_PER_DAY};
    return unit <= UNIT_WEEK ? us[unit] : 0;
}

static unsigned unit_months(enum time_unit unit)
{
    return unit == UNIT_YEAR ? 12 : unit == UNIT_QUARTER ? 3 : 1;
}

/* The day that the unit begins with. */
static int64_t truncate_days(int64_t days, enum time_unit unit)
{
    struct civil d = civil_of(days);
    switch (unit) {
    case UNIT_WEEK: return days - (int64_t)day_of_week(days) + 1;
    case UNIT_MONTH: return days_from_civil(d.year, d.month, 1);
    case UNIT_QUARTER: return days_from_civil(d.year, (d.month - 1) / 3 * 3 + 1, 1);
    case UNIT_YEAR: return days_from_civil(d.year, 1, 1);
    default: return days;
    }
}

void kernel_trunc(struct call *c)
{
    for (EACH_ROW(c, row)) {
        enum time_unit unit = unit_named(arg_str(c, 1, row));
        if (unit < UNIT_WEEK)
            out_null(c, row);
        else
            OUT(c, int32_t)[row] = (int32_t)truncate_days(ARG(c, int32_t, 0, row), unit);
    }
}

void kernel_date_trunc(struct call *c)
{
    struct timezone_cursor cursor = {0};
    for (EACH_ROW(c, row)) {
        enum time_unit unit = unit_named(arg_str(c, 0, row));
        int64_t us = ARG(c, int64_t, 1, row), local = local_of(c, 1, row, &cursor),
                *out = &OUT(c, int64_t)[row];
        if (unit == UNIT_NONE)
            out_null(c, row);
        else if (unit < UNIT_DAY ? __builtin_sub_overflow(us, floor_mod(local, unit_us(unit)), out)
                                 : !date_to_timestamp(zone_of(c, 1),
                                                      truncate_days(floor_div(local, US_PER_DAY), unit), out))
            out_datetime_overflow(c, row);
    }
}

static void unknown_unit(struct call *c, uint32_t row)
{
    struct str name = arg_str(c, 0, row);
    out_error(c, row, "INVALID_PARAMETER_VALUE.DATETIME_UNIT: \"%.*s\" is no unit of time",
              (int)(name.n < 40 ? name.n : 40), name.p);
}

void kernel_timestampadd(struct call *c)
{
    for (EACH_ROW(c, row)) {
        enum time_unit unit = unit_named(arg_str(c, 0, row));
        int64_t n = arg_i64(c, 1, row), us = ARG(c, int64_t, 2, row), *out = &OUT(c, int64_t)[row], shift;
        bool ok;
        if (unit == UNIT_NONE) {
            unknown_unit(c, row);
            continue;
        }
        if (unit >= UNIT_MONTH)
            ok = !__builtin_mul_overflow(n, (int64_t)unit_months(unit), &shift) &&
                 timestamp_add_months(zone_of(c, 2), us, shift, out);
        else if (unit >= UNIT_DAY)
            ok = !__builtin_mul_overflow(n, unit == UNIT_WEEK ? 7 : 1, &shift) &&
                 timestamp_add_days(zone_of(c, 2), us, shift, 0, out);
        else
            ok = !__builtin_mul_overflow(n, unit_us(unit), &shift) && !__builtin_add_overflow(us, shift, out);
        if (!ok)
            out_datetime_overflow(c, row);
    }
}

/* Whole months from a to b, by the wall clock. */
static int64_t whole_months(int64_t a, int64_t b)
{
    struct civil x = civil_of(floor_div(a, US_PER_DAY)), y = civil_of(floor_div(b, US_PER_DAY));
    int64_t months = ((int64_t)y.year - x.year) * 12 + (int64_t)y.month - (int64_t)x.month;
    int64_t in_x = (int64_t)x.day * US_PER_DAY + floor_mod(a, US_PER_DAY),
            in_y = (int64_t)y.day * US_PER_DAY + floor_mod(b, US_PER_DAY);
    if (months > 0 && in_y < in_x)
        months--;
    if (months < 0 && in_y > in_x)
        months++;
    return months;
}

void kernel_timestampdiff(struct call *c)
{
    struct timezone_cursor left = {0}, right = {0};
    for (EACH_ROW(c, row)) {
        enum time_unit unit = unit_named(arg_str(c, 0, row));
        int64_t a = local_of(c, 1, row, &left), b = local_of(c, 2, row, &right), span;
        if (unit == UNIT_NONE)
            unknown_unit(c, row);
        else if (unit >= UNIT_MONTH)
            OUT(c, int64_t)[row] = whole_months(a, b) / unit_months(unit);
        else if (__builtin_sub_overflow(b, a, &span))
            out_overflow(c, row);
        else
            OUT(c, int64_t)[row] = span / unit_us(unit);
    }
}

/* ---- numbers and zones --------------------------------------------------------------------------------- */

void kernel_timestamp_seconds(struct call *c)
{
    for (EACH_ROW(c, row)) {
        int64_t *out = &OUT(c, int64_t)[row];
        bool ok;
        i128 us = 0;
        if (arg_kind(c, 0) == TYPE_DECIMAL) {
            struct decimal_shape micros = {DECIMAL_PRECISION_MAX, 6};
            ok = decimal_rescale(ARG(c, i128, 0, row), c->args[0].type->scale, micros, &us) &&
                 us >= INT64_MIN && us <= INT64_MAX;
            *out = (int64_t)us;
        } else if (arg_kind(c, 0) == TYPE_FLOAT || arg_kind(c, 0) == TYPE_DOUBLE) {
            double v = arg_f64(c, 0, row) * 1e6;
            if (!isfinite(v)) {
                out_null(c, row);
                continue;
            }
            ok = v > -9.3e18 && v < 9.3e18;
            *out = v >= 9223372036854775807.0    ? INT64_MAX
                   : v <= -9223372036854775808.0 ? INT64_MIN
                                                 : (int64_t)v;
        } else {
            ok = !__builtin_mul_overflow(arg_i64(c, 0, row), US_PER_S, out);
        }
        if (!ok)
            out_overflow(c, row);
    }
}

void kernel_timestamp_millis(struct call *c)
{
    for (EACH_ROW(c, row))
        if (__builtin_mul_overflow(ARG(c, int64_t, 0, row), US_PER_MS, &OUT(c, int64_t)[row]))
            out_overflow(c, row);
}
void kernel_same_i64(struct call *c)
{
    for (EACH_ROW(c, row))
        OUT(c, int64_t)[row] = ARG(c, int64_t, 0, row);
}
void kernel_unix_seconds(struct call *c)
{
    for (EACH_ROW(c, row))
        OUT(c, int64_t)[row] = floor_div(ARG(c, int64_t, 0, row), US_PER_S);
}
void kernel_unix_millis(struct call *c)
{
    for (EACH_ROW(c, row))
        OUT(c, int64_t)[row] = floor_div(ARG(c, int64_t, 0, row), US_PER_MS);
}

/* The zone that a row names; NULL: the row has failed. */
static const struct timezone_data *zone_named(struct call *c, uint32_t row, struct str id,
                                              struct timezone_data *own)
{
    const struct timezone_data *zone = timezone_find(c->context->zone, id, own);
    if (zone == NULL)
        out_error(c, row, "INVALID_TIMEZONE: there is no time zone \"%.*s\"", (int)(id.n < 60 ? id.n : 60),
                  id.p);
    return zone;
}

void kernel_from_utc_timestamp(struct call *c)
{
    struct timezone_data own;
    for (EACH_ROW(c, row)) {
        const struct timezone_data *zone = zone_named(c, row, arg_str(c, 1, row), &own);
        if (zone && !timezone_to_local_exact(zone, ARG(c, int64_t, 0, row), &OUT(c, int64_t)[row]))
            out_datetime_overflow(c, row);
    }
}
void kernel_to_utc_timestamp(struct call *c)
{
    struct timezone_data own;
    for (EACH_ROW(c, row)) {
        const struct timezone_data *zone = zone_named(c, row, arg_str(c, 1, row), &own);
        if (zone && !timezone_to_utc_exact(zone, ARG(c, int64_t, 0, row), &OUT(c, int64_t)[row]))
            out_datetime_overflow(c, row);
    }
}
void kernel_convert_timezone(struct call *c)
{
    struct timezone_data own_from, own_to;
    uint32_t last = c->arg_count - 1;
    for (EACH_ROW(c, row)) {
        const struct timezone_data *from = c->context->zone,
                                   *to = zone_named(c, row, arg_str(c, last - 1, row), &own_to);
        if (to && last == 2)
            from = zone_named(c, row, arg_str(c, 0, row), &own_from);
        int64_t utc;
        if (to && (from || last == 1) &&
            !(timezone_to_utc_exact(from, ARG(c, int64_t, last, row), &utc) &&
              timezone_to_local_exact(to, utc, &OUT(c, int64_t)[row])))
            out_datetime_overflow(c, row);
    }
}

/* ---- from parts ---------------------------------------------------------------------------------------- */

void kernel_make_date(struct call *c)
{
    for (EACH_ROW(c, row)) {
        int32_t y = ARG(c, int32_t, 0, row), m = ARG(c, int32_t, 1, row), d = ARG(c, int32_t, 2, row);
        if (!date_from_civil(y, m, d, &OUT(c, int32_t)[row]))
            out_error(c, row, "DATETIME_FIELD_OUT_OF_BOUNDS: there is no date %d-%02d-%02d", y, m, d);
    }
}

/* Parts 0 to 5 as a wall clock; seconds are decimal(16,6), 60 is the next minute. */
static bool make_local(const struct call *c, uint32_t row, int64_t *out)
{
    int32_t days, hour = ARG(c, int32_t, 3, row), minute = ARG(c, int32_t, 4, row);
    i128 second = ARG(c, i128, 5, row);
    if (!date_from_civil(ARG(c, int32_t, 0, row), ARG(c, int32_t, 1, row), ARG(c, int32_t, 2, row), &days) ||
        hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 60 * US_PER_S)
        return false;
    int64_t time = hour * US_PER_HOUR + minute * US_PER_MINUTE + (int64_t)second;
    return !__builtin_mul_overflow((int64_t)days, US_PER_DAY, out) &&
           !__builtin_add_overflow(*out, time, out);
}

void kernel_make_timestamp(struct call *c)
{
    for (EACH_ROW(c, row)) {
        struct timezone_data own;
        const struct timezone_data *zone = c->out->type->kind == TYPE_TIMESTAMP ? c->context->zone : NULL;
        int64_t local;
        if (!make_local(c, row, &local)) {
            out_error(
                c, row,
                "DATETIME_FIELD_OUT_OF_BOUNDS: the parts %d, %d, %d, %d, %d and the seconds are no time",
                ARG(c, int32_t, 0, row), ARG(c, int32_t, 1, row), ARG(c, int32_t, 2, row),
                ARG(c, int32_t, 3, row), ARG(c, int32_t, 4, row));
            continue;
        }
        if (c->arg_count > 6 && (zone = zone_named(c, row, arg_str(c, 6, row), &own)) == NULL)
            continue;
        if (!timezone_to_utc_exact(zone, local, &OUT(c, int64_t)[row]))
            out_datetime_overflow(c, row);
    }
}

void kernel_make_dt_interval(struct call *c)
{
    static const int64_t units[] = {US_PER_DAY, US_PER_HOUR, US_PER_MINUTE};
    for (EACH_ROW(c, row)) {
        i128 us = c->arg_count > 3 ? ARG(c, i128, 3, row) : 0;
        for (uint32_t i = 0; i < 3 && i < c->arg_count; i++)
            us += (i128)arg_i64(c, i, row) * units[i];
        if (us < INT64_MIN || us > INT64_MAX)
            out_overflow(c, row);
        else
            OUT(c, int64_t)[row] = (int64_t)us;
    }
}

void kernel_make_ym_interval(struct call *c)
{
    for (EACH_ROW(c, row)) {
        int64_t months = (c->arg_count > 0 ? arg_i64(c, 0, row) * 12 : 0) +
                         (c->arg_count > 1 ? arg_i64(c, 1, row) : 0);
        if (months < INT32_MIN || months > INT32_MAX)
            out_overflow(c, row);
        else
            OUT(c, int32_t)[row] = (int32_t)months;
    }
}

/* ---- windows ------------------------------------------------------------------------------------------- */

/* The tumbling window of a time, struct<start, end>: starts are `start` past a multiple of the duration since
 * 1970. */
void kernel_window(struct call *c)
{
    struct column *ends = arena_array(c->arena, struct column, 2);
    for (int i = 0; i < 2; i++) {
        column_layout(&ends[i], c->out->type->fields[i].type, c->rows, c->arena);
        ends[i].validity = c->out->validity;
    }
    c->out->children = ends;
    for (EACH_ROW(c, row)) {
        int64_t us = ARG(c, int64_t, 0, row), duration = ARG(c, int64_t, 1, row),
                start = ARG(c, int64_t, 3, row);
        int64_t begin = us - floor_mod(us - floor_mod(start, duration), duration);
        ((int64_t *)ends[0].data)[row] = begin;
        ((int64_t *)ends[1].data)[row] = begin + duration;
    }
}

void kernel_window_time(struct call *c)
{
    const struct column *end = &c->args[0].children[1];
    for (EACH_ROW(c, row))
        OUT(c, int64_t)[row] = ((const int64_t *)end->data)[arg_at(c, 0, row)] - 1;
}

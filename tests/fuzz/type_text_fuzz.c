/* Everything in type/ that reads a value's text: numbers, decimals, dates, timestamps, zones, patterns, intervals. What is read is
 * printed and must read back as the same. The first byte chooses the reader. */
#include <math.h>

#include "base/check.h"
#include "type/cast.h"

static void numbers(struct str s)
{
    double d, again;
    float f, f_again;
    char text[CAST_F64_MAX];
    int64_t i;
    if (cast_str_to_f64(s, &d)) {
        CHECK(cast_str_to_f64(str_n(text, cast_f64_to_str(d, text)), &again));
        CHECK((d == again && signbit(d) == signbit(again)) || (isnan(d) && isnan(again)));
    }
    if (cast_str_to_f32(s, &f)) {
        CHECK(cast_str_to_f32(str_n(text, cast_f32_to_str(f, text)), &f_again));
        CHECK((f == f_again && signbit(f) == signbit(f_again)) || (isnan(f) && isnan(f_again)));
    }
    if (cast_str_to_i64(s, INT64_MIN, INT64_MAX, &i)) {
        int64_t same;
        CHECK(cast_str_to_i64(str_n(text, cast_i64_to_str(i, text)), INT64_MIN, INT64_MAX, &same) &&
              same == i);
    }
}

static void decimals(struct str s)
{
    char text[DECIMAL_TEXT_MAX];
    struct decimal_shape shape, same_shape;
    i128 v, again;
    if (decimal_parse_exact(s, &v, &shape) == DECIMAL_OK) {
        CHECK(shape.scale <= shape.precision && decimal_fits(v, shape.precision));
        CHECK(decimal_parse_exact(str_n(text, decimal_to_text(v, shape.scale, text)), &again, &same_shape) ==
              DECIMAL_OK);
        CHECK(v == again && shape.scale == same_shape.scale);
    }
    for (uint8_t scale = 0; scale <= 38; scale += 19)
        if (decimal_parse(s, (struct decimal_shape){38, scale}, &v) == DECIMAL_OK) {
            CHECK(decimal_fits(v, 38));
            CHECK(decimal_parse(str_n(text, decimal_to_text(v, scale, text)),
                                (struct decimal_shape){38, scale}, &again) == DECIMAL_OK);
            CHECK(v == again);
        }
}

static void times(struct str s)
{
    char text[TIMESTAMP_TEXT_MAX];
    int32_t days, same_days;
    int64_t us, again;
    bool has_zone;
    if (date_parse(s, &days)) {
        CHECK(date_parse(str_n(text, date_to_text(days, text)), &same_days) && days == same_days);
    }
    if (timestamp_parse(s, NULL, &(int32_t){0}, &us)) {
        CHECK(timestamp_parse(str_n(text, timestamp_to_text(NULL, us, text)), NULL, NULL, &again) &&
              us == again);
    }
    if (timestamp_ntz_parse(s, true, &us)) {
        CHECK(timestamp_ntz_parse(str_n(text, timestamp_ntz_to_text(us, text)), false, &again) &&
              us == again);
    }
    timestamp_parse_iso(s, &us, &has_zone);
}

static void zones(struct arena *arena, struct str s)
{
    struct timezone_data fixed, *zone;
    char name[TIMEZONE_NAME_MAX];
    if (timezone_fixed(s, &fixed)) {
        struct timezone_data again;
        CHECK(timezone_fixed(str_n(name, timezone_name(&fixed, name)), &again));
        CHECK(again.first.offset_s == fixed.first.offset_s);
    }
    if (timezone_parse(arena, STR("x"), s, &zone, NULL))
        for (int64_t us = INT64_MIN / 2; us < INT64_MAX / 2; us += INT64_MAX / 64) {
            int64_t utc = timezone_to_utc(zone, us);
            timezone_to_local(zone, utc);
        }
}

/* pattern \n text */
static void patterns(struct arena *arena, struct str s)
{
    const char *end = s.n ? memchr(s.p, '\n', s.n) : NULL;
    struct str pattern = end ? str_n(s.p, (size_t)(end - s.p)) : s;
    struct str rest = end ? str_n(end + 1, s.n - pattern.n - 1) : str_n("", 0);
    const struct datetime_pattern *p;
    struct sbuf out = {0};
    int64_t us = 1709210096123456;
    if (datetime_pattern_new(arena, pattern, PATTERN_PARSE, &p, NULL)) {
        if (datetime_parse(p, rest, NULL, &us))
            datetime_format(p, NULL, us, &out);
        datetime_parse_local(p, rest, &us);
    }
    if (datetime_pattern_new(arena, pattern, PATTERN_FORMAT, &p, NULL))
        datetime_format(p, NULL, us, &out);
    sbuf_fini(&out);
}

static void intervals(struct arena *arena, struct str s)
{
    static const char *const names[] = {"interval year to month", "interval month", "interval day to second",
                                        "interval minute"};
    struct calendar_interval units;
    struct sbuf out = {0};
    interval_parse_units(s, &units, NULL);
    for (int i = 0; i < 4; i++) {
        const struct type *type;
        int64_t v, again;
        CHECK(type_parse(arena, str_of(names[i]), &type, NULL));
        if (!interval_parse(s, type, &v, NULL))
            continue;
        sbuf_clear(&out);
        interval_to_text(v, type, INTERVAL_STYLE_ANSI, &out);
        CHECK(interval_parse(sbuf_view(&out), type, &again, NULL) && v == again);
    }
    sbuf_fini(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    struct arena arena = {0};
    struct str s = str_n(data + 1, size - 1);
    switch (data[0] % 6) {
    case 0: numbers(s); break;
    case 1: decimals(s); break;
    case 2: times(s); break;
    case 3: zones(&arena, s); break;
    case 4: patterns(&arena, s); break;
    default: intervals(&arena, s);
    }
    arena_fini(&arena);
    return 0;
}

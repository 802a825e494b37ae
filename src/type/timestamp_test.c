/* Text of dates, timestamps, patterns and intervals. */
#include "type/timestamp.h"

#include <ref/random_batch.h>
#include <stdio.h>

#include "base/test.h"

static struct arena arena;
static struct sbuf text;

/* California with the rule of today, for all times. */
static struct timezone_data california(void)
{
    struct timezone_data zone = {.name = "America/Los_Angeles"};
    zone.rule = (struct timezone_rule){
        .exists = true,
        .has_dst = true,
        .standard = {.offset_s = -8 * 3600, .abbreviation = "PST"},
        .dst = {.offset_s = -7 * 3600, .is_dst = true, .abbreviation = "PDT"},
        .dst_from = {TIMEZONE_MONTH_WEEK_DAY, .month = 3, .week = 2, .day = 0, .second = 7200},
        .dst_until = {TIMEZONE_MONTH_WEEK_DAY, .month = 11, .week = 1, .day = 0, .second = 7200},
    };
    return zone;
}

static const char *date(const char *s)
{
    static char out[DATE_TEXT_MAX];
    int32_t days;
    if (!date_parse(str_of(s), &days))
        return "malformed";
    date_to_text(days, out);
    return out;
}

TEST(dates)
{
    static const char *const pairs[][2] = {
        {"2024-02-29", "2024-02-29"},
        {" 2024-2-9 ", "2024-02-09"},
        {"2024", "2024-01-01"},
        {"2024-11", "2024-11-01"},
        {"2024-01-02 anything", "2024-01-02"},
        {"2024-01-02Tx", "2024-01-02"},
        {"-0001-01-01", "-0001-01-01"},
        {"+12345-06-07", "+12345-06-07"},
        {"0000-01-01", "0000-01-01"},
        {"5881580-07-11", "+5881580-07-11"},
        {"2023-02-29", "malformed"},
        {"2024-13-01", "malformed"},
        {"20240101", "malformed"},
        {"", "malformed"},
        {"202", "malformed"},
        {"2024-01-02x", "malformed"},
        {"2024-01 x", "malformed"},
        {"2024 ", "2024-01-01"},
        {"2024 x", "malformed"},
        {"2024-001-01", "malformed"},
        {"2024--01", "malformed"},
        {"2024-01-", "malformed"},
        {"99999999-01-01", "malformed"},
        {"9999999-01-01", "malformed"},
        {"2024-01-02\t\n", "2024-01-02"},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++)
        EXPECT_STR(date(pairs[i][0]), pairs[i][1]);
}

static const char *stamp(const char *s, const struct timezone_data *zone, const int32_t *today)
{
    static char out[TIMESTAMP_TEXT_MAX];
    int64_t us;
    if (!timestamp_parse(str_of(s), zone, today, &us))
        return "malformed";
    timestamp_to_text(zone, us, out);
    return out;
}

TEST(timestamps)
{
    static const char *const pairs[][2] = {
        {"2024-01-02 03:04:05", "2024-01-02 03:04:05"},
        {"2024-01-02T03:04:05.1", "2024-01-02 03:04:05.1"},
        {"2024-01-02 03:04:05.123456789", "2024-01-02 03:04:05.123456"},
        {"2024-1-2 3:4:5", "2024-01-02 03:04:05"},
        {"2024", "2024-01-01 00:00:00"},
        {"2024-05", "2024-05-01 00:00:00"},
        {"2024-05-06", "2024-05-06 00:00:00"},
        {"2024-05-06 7", "2024-05-06 07:00:00"},
        {"2024-05-06 7:8", "2024-05-06 07:08:00"},
        {"2024-01-02 03:04:05Z", "2024-01-01 19:04:05"},
        {"2024-01-02T03:04:05+01:00", "2024-01-01 18:04:05"},
        {"2024-01-02 03:04:05 +1:30", "2024-01-01 17:34:05"},
        {"2024-01-02 03:04:05.5 UTC+8", "2024-01-01 11:04:05.5"},
        {"2024-01-02 03:04:05GMT-08:00", "2024-01-02 03:04:05"},
        {"2024-07-02 03:04:05America/Los_Angeles", "2024-07-02 03:04:05"},
        {"2024-03-10 02:30:00", "2024-03-10 03:30:00"},
        {"12:34:56", "2024-06-01 12:34:56"},
        {"T1:2", "2024-06-01 01:02:00"},
        {"T12", "2024-06-01 12:00:00"},
        {" 2024-01-02 03:04:05 ", "2024-01-02 03:04:05"},
        {"2024-01-02 03:04:05.", "2024-01-02 03:04:05"},
        {"-0100-01-01 00:00:00", "-0100-01-01 00:00:00"},
        {"+123456-01-01 00:00:00", "+123456-01-01 00:00:00"},
        {"2024-01-02 24:00:00", "malformed"},
        {"2024-01-02 03:60:00", "malformed"},
        {"2024-01-02 03:04:60", "malformed"},
        {"2024-01-02 03:04Z", "malformed"},
        {"2024-01-02 03:04:05 Mars/Olympus", "malformed"},
        {"2024-01-02T", "malformed"},
        {"", "malformed"},
        {"abc", "malformed"},
        {"2024-01-02 03:04:05+25:00", "malformed"},
        {"2024-02-30 00:00:00", "malformed"},
        {"2024-01-02  03:04:05", "malformed"},
        {"+999999-01-01 00:00:00", "malformed"},
        {"1234567-01-01", "malformed"},
        {"24-01-02 00:00:00", "malformed"},
        {"2024-01-02T03:04:05.123456+00:00", "2024-01-01 19:04:05.123456"},
        {"2024-01-02T03:04:05-18:01", "malformed"},
        {"2024-01-02 03:04:05PST", "2024-01-02 03:04:05"},
    };
    struct timezone_data zone = california();
    int32_t today = (int32_t)days_from_civil(2024, 6, 1);
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++)
        if (!EXPECT_STR(stamp(pairs[i][0], &zone, &today), pairs[i][1]))
            fprintf(stderr, "    %s\n", pairs[i][0]);
    EXPECT_STR(stamp("12:34:56", &zone, NULL), "malformed");
}

TEST(timestamps_without_a_zone)
{
    int64_t us;
    char out[TIMESTAMP_TEXT_MAX];
    EXPECT(timestamp_ntz_parse(STR("2024-01-02 03:04:05.5+05:00"), true, &us));
    timestamp_ntz_to_text(us, out);
    EXPECT_STR(out, "2024-01-02 03:04:05.5");
    EXPECT(timestamp_ntz_parse(STR("2024-01-02 03:04:05Europe/Paris"), true, &us));
    EXPECT(!timestamp_ntz_parse(STR("2024-01-02 03:04:05+05:00"), false, &us));
    EXPECT(!timestamp_ntz_parse(STR("2024-01-02 03:04:05 nonsense"), true, &us));
    EXPECT(!timestamp_ntz_parse(STR("03:04:05"), true, &us));
    EXPECT(timestamp_ntz_parse(STR("2024-01-02T03:04:05"), false, &us));
    EXPECT_EQ_INT(timestamp_to_iso(us, "Z", out), 27);
    EXPECT_STR(out, "2024-01-02T03:04:05.000000Z");
    timestamp_to_iso(us, NULL, out);
    EXPECT_STR(out, "2024-01-02T03:04:05.000000");
}

TEST(printed_times_read_back)
{
    struct timezone_data zone = california();
    struct rng rng = {3};
    static const int64_t edges[] = {INT64_MIN, INT64_MAX, 0, -1, 999999, -62135596800000000};
    for (int i = 0; i < 50000; i++) {
        char out[TIMESTAMP_TEXT_MAX];
        int64_t us = i < 6 ? edges[i] : (int64_t)rng_next(&rng) >> rng_below(&rng, 40), back = 7;
        size_t n = timestamp_ntz_to_text(us, out);
        EXPECT_EQ_INT(n, strlen(out));
        EXPECT(timestamp_ntz_parse(str_of(out), false, &back) && back == us);
        timestamp_to_iso(us, "Z", out);
        bool has_zone;
        EXPECT(timestamp_parse(str_of(out), &zone, NULL, &back) && back == us);
        if (timestamp_parse_iso(str_of(out), &back, &has_zone))
            EXPECT(back == us && has_zone);
        int32_t days = (int32_t)rng_next(&rng), day = 0;
        date_to_text(days, out);
        EXPECT(date_parse(str_of(out), &day) && day == days);
    }
}

/* The fast reader and the general one agree wherever the fast one answers. */
TEST(the_fast_reader_agrees)
{
    static const char characters[] = "0123456789-:.TZ+ ";
    struct rng rng = {4};
    for (int i = 0; i < 200000; i++) {
        char s[40] = "2024-02-28T23:59:58.123456+05:30";
        size_t n = 19 + rng_below(&rng, 14);
        for (uint64_t k = rng_below(&rng, 3); k > 0; k--)
            s[rng_below(&rng, n)] = characters[rng_below(&rng, sizeof characters - 1)];
        int64_t us, local;
        bool has_zone;
        struct timestamp_text t;
        if (!timestamp_parse_iso(str_n(s, n), &us, &has_zone))
            continue;
        struct timezone_data own;
        if (!EXPECT(timestamp_split(str_n(s, n), &t) && t.has_date &&
                    timestamp_from_datetime(&t.local, &local)) ||
            !EXPECT(has_zone == (t.zone.n > 0)) || (has_zone && !EXPECT(timezone_fixed(t.zone, &own))))
            fprintf(stderr, "    %.*s\n", (int)n, s);
        else
            EXPECT_EQ_INT(us, has_zone ? local - own.first.offset_s * US_PER_S : local);
    }
}

/* ---- patterns ------------------------------------------------------------------------------------------ */

static const char *formatted(const char *pattern, const struct timezone_data *zone, int64_t us)
{
    const struct datetime_pattern *p;
    struct err err = {0};
    sbuf_clear(&text);
    if (datetime_pattern_new(&arena, str_of(pattern), PATTERN_FORMAT, &p, &err))
        datetime_format(p, zone, us, &text);
    else
        sbuf_cstr(&text, err.text);
    return text.p ? text.p : "";
}

TEST(formatting)
{
    struct timezone_data zone = california();
    struct datetime d = {2018, 3, 7, 21, 3, 4, 123456};
    int64_t local;
    timestamp_from_datetime(&d, &local);
    int64_t us = timezone_to_utc(&zone, local);
    static const char *const pairs[][2] = {
        {"G GG GGG GGGG", "AD AD AD Anno Domini"},
        {"y yy yyy yyyy yyyyy yyyyyy", "2018 18 2018 2018 02018 002018"},
        {"Q QQ QQQ QQQQ", "1 01 Q1 1st quarter"},
        {"q qq", "1 01"},
        {"M MM MMM MMMM", "3 03 Mar March"},
        {"L LL", "3 03"},
        {"E EE EEE EEEE", "Wed Wed Wed Wednesday"},
        {"F", "7"},
        {"d dd", "7 07"},
        {"D DD DDD", "66 66 066"},
        {"H HH h hh k kk K KK", "21 21 9 09 21 21 9 09"},
        {"m mm s ss", "3 03 4 04"},
        {"S SSS SSSSSS SSSSSSSSS", "1 123 123456 123456000"},
        {"a", "PM"},
        {"VV", "America/Los_Angeles"},
        {"z zz zzz zzzz", "PST PST PST Pacific Standard Time"},
        {"X XX XXX XXXX XXXXX", "-08 -0800 -08:00 -0800 -08:00"},
        {"x xx xxx xxxx xxxxx", "-08 -0800 -08:00 -0800 -08:00"},
        {"Z ZZ ZZZ ZZZZ ZZZZZ", "-0800 -0800 -0800 GMT-08:00 -08:00"},
        {"O OOOO", "GMT-8 GMT-08:00"},
        {"[yyyy-MM-dd HH:mm:ss]", "2018-03-07 21:03:04"},
        {"yyyy'T'MM''dd 'o''clock'", "2018T03'07 o'clock"},
        {"''", "'"},
        {"", ""},
        {"\xE5\xA7\x9A"
         "123'GyQ'",
         "\xE5\xA7\x9A"
         "123GyQ"},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++)
        EXPECT_STR(formatted(pairs[i][0], &zone, us), pairs[i][1]);
    EXPECT_STR(formatted("X x XXX Z O VV z", NULL, us), "Z +00 Z +0000 GMT UTC UTC");
    struct timezone_data odd;
    timezone_fixed(STR("+05:30:15"), &odd);
    EXPECT_STR(formatted("X XX XXXX XXXXX Z O OOOO VV", &odd, us),
               "+0530 +0530 +053015 +05:30:15 +0530 GMT+5:30:15 GMT+05:30:15 +05:30:15");
    d = (struct datetime){.year = -5, .month = 1, .day = 1};
    timestamp_from_datetime(&d, &us);
    EXPECT_STR(formatted("yyyy G yyyy HH h k K a", NULL, us), "0006 BC 0006 00 12 24 0 AM");
    EXPECT_STR(formatted("yyyy y", NULL, us), "-0005 -5");
    d.year = 12345;
    timestamp_from_datetime(&d, &us);
    EXPECT_STR(formatted("yyyy yyyyy y", NULL, us), "+12345 12345 12345");
}

TEST(patterns_that_are_none)
{
    static const char *const bad[] = {"GGGGG",
                                      "yyyyyyy",
                                      "QQQQQ",
                                      "MMMMM",
                                      "EEEEE",
                                      "FF",
                                      "ddd",
                                      "DDDD",
                                      "HHH",
                                      "hhh",
                                      "kkk",
                                      "KKK",
                                      "mmm",
                                      "sss",
                                      "SSSSSSSSSS",
                                      "aa",
                                      "V",
                                      "VVV",
                                      "zzzzz",
                                      "XXXXXX",
                                      "ZZZZZZ",
                                      "OO",
                                      "xxxxxx",
                                      "A",
                                      "n",
                                      "N",
                                      "p",
                                      "Y",
                                      "w",
                                      "W",
                                      "u",
                                      "e",
                                      "c",
                                      "B",
                                      "C",
                                      "I",
                                      "[",
                                      "]",
                                      "{",
                                      "}",
                                      "#",
                                      "'x",
                                      "[[[[[[[[[[[[[[[[["};
    const struct datetime_pattern *p;
    struct err err;
    for (size_t i = 0; i + 2 < sizeof bad / sizeof bad[0]; i++) {
        bool open = strcmp(bad[i], "[") == 0; /* runs to the end */
        if (!EXPECT(datetime_pattern_new(&arena, str_of(bad[i]), PATTERN_FORMAT, &p, &err) == open))
            fprintf(stderr, "    %s\n", bad[i]);
    }
    EXPECT(!datetime_pattern_new(&arena, STR("E"), PATTERN_PARSE, &p, &err));
    EXPECT(!datetime_pattern_new(&arena, STR("yyyy-MM-dd'T"), PATTERN_PARSE, &p, &err));
    EXPECT(!datetime_pattern_new(&arena, STR("[[[[[[[[[[[[[[[[["), PATTERN_PARSE, &p, &err));
    EXPECT(!datetime_pattern_new(&arena, STR("YYYY"), PATTERN_PARSE, &p, &err));
    EXPECT(strstr(err.text, "WEEK_BASED_PATTERN") != NULL);
}

static const char *read_as(const char *pattern, const char *s, const struct timezone_data *zone)
{
    const struct datetime_pattern *p;
    struct err err = {0};
    static char out[TIMESTAMP_TEXT_MAX];
    int64_t us;
    if (!datetime_pattern_new(&arena, str_of(pattern), PATTERN_PARSE, &p, &err))
        return "bad pattern";
    if (!datetime_parse(p, str_of(s), zone, &us))
        return "no";
    timestamp_to_text(zone, us, out);
    return out;
}

TEST(reading_by_pattern)
{
    static const char *const cases[][3] = {
        {"y", "1", "0001-01-01 00:00:00"},
        {"y", "009999", "9999-01-01 00:00:00"},
        {"yy", "99", "2099-01-01 00:00:00"},
        {"yyy", "001", "0001-01-01 00:00:00"},
        {"yyyy", "0001", "0001-01-01 00:00:00"},
        {"yyyyyy", "009999", "9999-01-01 00:00:00"},
        {"D", "300", "1970-10-27 00:00:00"},
        {"DD", "100", "1970-04-10 00:00:00"},
        {"DDD", "009", "1970-01-09 00:00:00"},
        {"dd-DDD", "31-365", "1970-12-31 00:00:00"},
        {"yyyy-MM-dd-DDD", "2020-12-31-366", "2020-12-31 00:00:00"},
        {"y", "294248", "no"},
        {"yy", "1", "no"},
        {"yy", "-12", "no"},
        {"yy", "123", "no"},
        {"yyy", "1", "no"},
        {"D", "366", "no"},
        {"DD", "9", "no"},
        {"DDD", "99", "no"},
        {"dd-DDD", "30-365", "no"},
        {"MM-DDD", "11-365", "no"},
        {"yyyy-DDD", "2019-366", "no"},
        {"yyyy-MM-dd-DDD", "2020-11-31-366", "no"},
        {"yyyy-MM-dd HH:mm:ss.SSS", "2020-01-27T20:06:11.847", "no"},
        {"yyyy-MM-dd HH:mm:ss.SSS", "2020-01-27 20:06:11.8", "2020-01-27 20:06:11.8"},
        {"yyyyMMdd", "20200131", "2020-01-31 00:00:00"},
        {"yyyyMMddHHmmss", "20200131235958", "2020-01-31 23:59:58"},
        {"yyyyMMddHHmmssSSS", "20200131235958123", "2020-01-31 23:59:58.123"},
        {"yyyyMMdd", "2020131", "no"},
        {"d/M/y h:mm a", "7/3/2024 9:05 pm", "2024-03-07 21:05:00"},
        {"hh", "12", "1970-01-01 00:00:00"},
        {"hh a", "12 PM", "1970-01-01 12:00:00"},
        {"kk", "24", "1970-01-01 00:00:00"},
        {"HH", "24", "no"},
        {"hh", "13", "no"},
        {"KK a", "11 PM", "1970-01-01 23:00:00"},
        {"a", "PM", "1970-01-01 12:00:00"},
        {"HH a", "13 AM", "no"},
        {"dd MMM yyyy", "05 jun 2024", "2024-06-05 00:00:00"},
        {"MMMM d, y", "February 29, 2024", "2024-02-29 00:00:00"},
        {"MMMM d, y", "February 29, 2023", "no"},
        {"yyyy-MM-dd'T'HH:mm:ss[.SSS][XXX]", "2024-01-02T03:04:05", "2024-01-02 03:04:05"},
        {"yyyy-MM-dd'T'HH:mm:ss[.SSS][XXX]", "2024-01-02T03:04:05.678+01:00", "2024-01-01 18:04:05.678"},
        {"yyyy-MM-dd'T'HH:mm:ss[.SSS][XXX]", "2024-01-02T03:04:05Z", "2024-01-01 19:04:05"},
        {"yyyy-MM-dd HH:mm:ss VV", "2024-07-02 03:04:05 UTC", "2024-07-01 20:04:05"},
        {"yyyy-MM-dd HH:mm:ss z", "2024-07-02 03:04:05 PDT", "2024-07-02 03:04:05"},
        {"HH:mm O", "10:00 GMT+2", "1970-01-01 00:00:00"},
        {"HH:mm OOOO", "10:00 GMT+02:00", "1970-01-01 00:00:00"},
        {"HH:mmZ", "10:00+0200", "1970-01-01 00:00:00"},
        {"HH:mmX", "10:00+02", "1970-01-01 00:00:00"},
        {"HH:mmX", "10:00+0230", "1969-12-31 23:30:00"},
        {"HH:mmXXXXX", "10:00+02:00:30", "1969-12-31 23:59:30"},
        {"HH:mmXXX", "10:00+0200", "no"},
        {"yyyy G", "0006 BC", "-0005-01-01 00:00:00"},
        {"yyyy", "-0005", "-0005-01-01 00:00:00"},
        {"yyyy", "+12345", "+12345-01-01 00:00:00"},
        {"yyyy", "12345", "no"},
        {"yyyy", "+2020", "no"},
        {"yyyy yyyy", "2020 2021", "no"},
        {"HH:mm:ss", "10:60:00", "no"},
        {"M/d", "0/1", "no"},
        {"[yyyy][MM]", "", "1970-01-01 00:00:00"},
        {"yyyy", "2020 ", "no"},
        {"SSS", "", "no"},
        {"y", "99999999999999999999", "no"},
        {"[dd[-MM]]", "07-", "no"},
        {"[dd[-MM]]", "07-08", "1970-08-07 00:00:00"},
    };
    struct timezone_data zone = california();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        if (!EXPECT_STR(read_as(cases[i][0], cases[i][1], &zone), cases[i][2]))
            fprintf(stderr, "    %s of %s\n", cases[i][0], cases[i][1]);
}

TEST(patterns_there_and_back)
{
    static const char *const patterns[] = {"yyyy-MM-dd HH:mm:ss.SSSSSSXXXXX", "yyyyMMddHHmmss.SSSSSSXXXX",
                                           "d MMMM y G h:m:s a SSSSSS OOOO",
                                           "yyyy-DDD KK:mm:ss a SSSSSSZZZZZ", "EEEE"};
    struct timezone_data zone = california();
    struct rng rng = {9};
    for (int i = 0; i < 20000; i++) {
        const char *pattern = patterns[i % 4];
        const struct datetime_pattern *f, *p;
        EXPECT(datetime_pattern_new(&arena, str_of(pattern), PATTERN_FORMAT, &f, NULL));
        EXPECT(datetime_pattern_new(&arena, str_of(pattern), PATTERN_PARSE, &p, NULL));
        int64_t us = random_value(&rng, type_simple(TYPE_TIMESTAMP), false, &arena).i64, back = 0;
        us = us / 10000000000 * 10000000000 +
             us % 1000000; /* years of four digits; whole seconds of offsets do not matter */
        sbuf_clear(&text);
        datetime_format(f, &zone, us, &text);
        if (!EXPECT(datetime_parse(p, sbuf_view(&text), &zone, &back) && back == us))
            fprintf(stderr, "    %s\n", text.p);
        arena_reset(&arena);
    }
}

/* ---- intervals ----------------------------------------------------------------------------------------- */

static const char *units(const char *s)
{
    struct calendar_interval v;
    struct err err = {0};
    sbuf_clear(&text);
    if (interval_parse_units(str_of(s), &v, &err))
        sbuf_printf(&text, "%d %d %" PRId64, v.months, v.days, v.us);
    else
        sbuf_cstr(&text, err.text);
    return text.p;
}

TEST(intervals_in_words)
{
    EXPECT_STR(units("1 day 2 hours"), "0 1 7200000000");
    EXPECT_STR(units("interval 10 minutes"), "0 0 600000000");
    EXPECT_STR(units(" INTERVAL -1.5 seconds"), "0 0 -1500000");
    EXPECT_STR(units(".5 second"), "0 0 500000");
    EXPECT_STR(units("1 year -2 months 1 week 3 milliseconds +4 microsecond"), "10 7 3004");
    EXPECT_STR(units("- 1 day"), "0 -1 0");
    EXPECT_STR(units("1 day2 hours"), "0 1 7200000000");
    static const char *const bad[][2] = {{"", "INPUT_IS_EMPTY"},
                                         {"interval", "UNRECOGNIZED_NUMBER"},
                                         {"1", "MISSING_UNIT"},
                                         {"1day", "INVALID_VALUE"},
                                         {"day", "UNRECOGNIZED_NUMBER"},
                                         {"1 fortnight", "INVALID_UNIT"},
                                         {"1.5 days", "INVALID_FRACTION"},
                                         {"- -1 day", "UNRECOGNIZED_NUMBER"},
                                         {"1.1234567891 seconds", "INVALID_PRECISION"},
                                         {"99999999999 years", "ARITHMETIC_EXCEPTION"},
                                         {"99999999999999999999 days", "INVALID_VALUE"},
                                         {"1 day 2", "MISSING_UNIT"},
                                         {"9223372036854775807 seconds", "ARITHMETIC_EXCEPTION"}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (!EXPECT(strstr(units(bad[i][0]), bad[i][1]) != NULL))
            fprintf(stderr, "    %s: %s\n", bad[i][0], text.p);
}

static const char *interval(const char *type_sql, const char *s, enum interval_style style)
{
    const struct type *type;
    struct err err = {0};
    int64_t v;
    EXPECT(type_parse(&arena, str_of(type_sql), &type, &err));
    sbuf_clear(&text);
    if (interval_parse(str_of(s), type, &v, &err))
        interval_to_text(v, type, style, &text);
    else
        sbuf_cstr(&text, "no");
    return text.p;
}

TEST(intervals_of_a_type)
{
    static const char *const cases[][3] = {
        {"interval year to month", "1-2", "INTERVAL '1-2' YEAR TO MONTH"},
        {"interval year to month", "-178956970-8", "INTERVAL '-178956970-8' YEAR TO MONTH"},
        {"interval year to month", "178956970-8", "no"},
        {"interval year to month", "1-12", "no"},
        {"interval year", "-5", "INTERVAL '-5' YEAR"},
        {"interval month", "14", "INTERVAL '14' MONTH"},
        {"interval day to second", "1 02:03:04.5", "INTERVAL '1 02:03:04.5' DAY TO SECOND"},
        {"interval day to second", "-0 0:0:0.000001", "INTERVAL '-0 00:00:00.000001' DAY TO SECOND"},
        {"interval day to second", "-106751991 04:00:54.775808",
         "INTERVAL '-106751991 04:00:54.775808' DAY TO SECOND"},
        {"interval day to second", "106751991 04:00:54.775808", "no"},
        {"interval day to hour", "2 5", "INTERVAL '2 05' DAY TO HOUR"},
        {"interval hour to second", "100:00:07.25", "INTERVAL '100:00:07.25' HOUR TO SECOND"},
        {"interval minute", "7", "INTERVAL '07' MINUTE"},
        {"interval second", "-10.123456", "INTERVAL '-10.123456' SECOND"},
        {"interval day", "3", "INTERVAL '3' DAY"},
        {"interval day to second", "interval '3 00:00:01' day to second",
         "INTERVAL '3 00:00:01' DAY TO SECOND"},
        {"interval year to month", "INTERVAL - '-3-1' YEAR TO MONTH", "INTERVAL '3-1' YEAR TO MONTH"},
        {"interval day", "interval '3' hour", "no"},
        {"interval day to second", "1 24:00:00", "no"},
        {"interval day to second", "1 02:03", "no"},
        {"interval day", "", "no"},
        {"interval day", "x", "no"},
        {"interval second", "1.", "no"},
        {"interval second", "1.1234567891", "no"},
        {"interval minute to second", "1:002", "no"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        if (!EXPECT_STR(interval(cases[i][0], cases[i][1], INTERVAL_STYLE_ANSI), cases[i][2]))
            fprintf(stderr, "    %s\n", cases[i][1]);
    EXPECT_STR(interval("interval day to second", "-1 02:03:04.5", INTERVAL_STYLE_HIVE),
               "-1 02:03:04.500000000");
    EXPECT_STR(interval("interval minute", "80", INTERVAL_STYLE_HIVE), "0 01:20:00.000000000");
    EXPECT_STR(interval("interval month", "-14", INTERVAL_STYLE_HIVE), "-1-2");
}

TEST(intervals_there_and_back)
{
    struct rng rng = {11};
    for (int i = 0; i < 20000; i++) {
        struct type type = *type_simple(i % 2 ? TYPE_INTERVAL_YM : TYPE_INTERVAL_DT);
        int64_t v = random_value(&rng, &type, false, &arena).i64, back = 0;
        sbuf_clear(&text);
        interval_to_text(v, &type, INTERVAL_STYLE_ANSI, &text);
        if (!EXPECT(interval_parse(sbuf_view(&text), &type, &back, NULL) && back == v))
            fprintf(stderr, "    %s\n", text.p);
    }
}

int main(void)
{
    RUN(dates);
    RUN(timestamps);
    RUN(timestamps_without_a_zone);
    RUN(printed_times_read_back);
    RUN(the_fast_reader_agrees);
    RUN(formatting);
    RUN(patterns_that_are_none);
    RUN(reading_by_pattern);
    RUN(patterns_there_and_back);
    RUN(intervals_in_words);
    RUN(intervals_of_a_type);
    RUN(intervals_there_and_back);
    arena_fini(&arena);
    sbuf_fini(&text);
    return test_end();
}

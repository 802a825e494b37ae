/* The calendar against a day-by-day count, zones against the C library's reading of the same files. */
#include <ref/random_batch.h>
#include <stdio.h>
#include <time.h>

#include "base/test.h"
#include "type/timestamp.h"

static struct arena arena;

TEST(civil_dates_day_by_day)
{
    int64_t year = -401;
    unsigned month = 1, day = 1;
    int64_t days = days_from_civil(year, month, day);
    unsigned weekday = day_of_week(days);
    while (year < 2450) {
        int32_t y;
        unsigned m, d;
        days_to_civil(days, &y, &m, &d);
        if (!EXPECT(y == year && m == month && d == day && days_from_civil(y, m, d) == days))
            return;
        EXPECT_EQ_INT(day_of_week(days), weekday);
        weekday = weekday % 7 + 1;
        days++;
        if (++day > month_days(year, month)) {
            day = 1;
            if (++month > 12)
                month = 1, year++;
        }
    }
    EXPECT_EQ_INT(days_from_civil(1970, 1, 1), 0);
    EXPECT_EQ_INT(days_from_civil(2024, 2, 29), 19782);
    EXPECT_EQ_INT(day_of_week(19782), 4);
    EXPECT_EQ_INT(day_of_year(19782), 60);
}

TEST(weeks_and_months)
{
    int32_t days, year;
    EXPECT_EQ_INT(week_of_year(days_from_civil(2020, 12, 31), &year), 53);
    EXPECT_EQ_INT(year, 2020);
    EXPECT_EQ_INT(week_of_year(days_from_civil(2021, 1, 3), &year), 53);
    EXPECT_EQ_INT(week_of_year(days_from_civil(2021, 1, 4), &year), 1);
    EXPECT_EQ_INT(week_of_year(days_from_civil(2024, 12, 30), &year), 1);
    EXPECT_EQ_INT(year, 2025);
    EXPECT(date_add_months((int32_t)days_from_civil(2024, 1, 31), 1, &days));
    EXPECT_EQ_INT(days, days_from_civil(2024, 2, 29));
    EXPECT(date_add_months((int32_t)days_from_civil(2024, 3, 31), -13, &days));
    EXPECT_EQ_INT(days, days_from_civil(2023, 2, 28));
    EXPECT(!date_add_months(INT32_MAX, INT64_MAX, &days));
    EXPECT(!date_add_months(INT32_MAX, 2, &days));
    EXPECT(!date_from_civil(2023, 2, 29, &days));
    EXPECT(!date_from_civil(2023, 0, 1, &days));
    EXPECT(!date_from_civil(INT64_MAX, 1, 1, &days));
    EXPECT(date_from_civil(5881580, 7, 11, &days) && days == INT32_MAX);
    EXPECT(!date_from_civil(5881580, 7, 12, &days));
}

TEST(fields_of_timestamps)
{
    static const int64_t edges[] = {INT64_MIN, INT64_MAX, 0, -1, 1, -US_PER_DAY, 253402300799999999};
    struct rng rng = {5};
    for (int i = 0; i < 20000; i++) {
        int64_t us = i < 7 ? edges[i] : (int64_t)(rng_next(&rng) >> rng_below(&rng, 40)), back;
        struct datetime d;
        timestamp_to_datetime(us, &d);
        EXPECT(timestamp_from_datetime(&d, &back));
        EXPECT_EQ_INT(back, us);
    }
    struct datetime d = {.year = YEAR_MAX, .month = 12, .day = 31};
    int64_t us;
    EXPECT(!timestamp_from_datetime(&d, &us));
    d = (struct datetime){.year = 2000, .month = 1, .day = 1, .hour = 24};
    EXPECT(!timestamp_from_datetime(&d, &us));
}

static struct timezone_data *load(const char *name)
{
    char path[256], bytes[65536];
    snprintf(path, sizeof path, "/usr/share/zoneinfo/%s", name);
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        return NULL;
    size_t n = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    struct timezone_data *zone = NULL;
    struct err err = {0};
    if (!EXPECT(timezone_parse(&arena, str_of(name), str_n(bytes, n), &zone, &err)))
        fprintf(stderr, "    %s\n", err.text);
    return zone;
}

static const char *const zones[] = {
    "Europe/Paris",        "America/Los_Angeles", "America/New_York",  "Asia/Kolkata",
    "Australia/Lord_Howe", "Europe/Dublin",       "Africa/Casablanca", "America/Sao_Paulo",
    "Pacific/Apia",        "Asia/Tehran",         "America/St_Johns",  "UTC",
    "Antarctica/Troll",    "Asia/Pyongyang",      "America/Nuuk",      "Asia/Gaza"};

TEST(offsets_as_the_c_library_finds_them)
{
    int checked = 0;
    for (size_t z = 0; z < sizeof zones / sizeof zones[0]; z++) {
        struct timezone_data *zone = load(zones[z]);
        if (zone == NULL)
            continue;
        checked++;
        setenv("TZ", zones[z], 1);
        tzset();
        struct rng rng = {z};
        struct timezone_cursor cursor = {0};
        for (int i = 0; i < 3000; i++) {
            /* 1800 to 2400; later ones near changes */
            int64_t s = (int64_t)rng_below(&rng, UINT64_C(600) * 365 * 86400) - INT64_C(170) * 365 * 86400;
            struct timezone_span span;
            timezone_at(zone, s, &span);
            if (i % 3 && span.until < INT64_C(430) * 365 * 86400)
                s = span.until - 1 + i % 2;
            time_t t = (time_t)s;
            struct tm tm;
            localtime_r(&t, &tm);
            int32_t offset = timezone_offset(zone, s * US_PER_S);
            if (!EXPECT_EQ_INT(offset, tm.tm_gmtoff))
                fprintf(stderr, "    %s at %" PRId64 "\n", zones[z], s);
            timezone_at(zone, s, &span);
            EXPECT_STR(span.kind->abbreviation, tm.tm_zone);
            EXPECT(span.from <= s && s < span.until);
            EXPECT_EQ_INT(timezone_local(zone, s * US_PER_S + 5, &cursor), (s + offset) * US_PER_S + 5);
        }
    }
    unsetenv("TZ");
    if (checked == 0)
        test_skip("there is no /usr/share/zoneinfo");
}

/* By definition: of all moments that show the local time the first; without one, as if the clock had not
 * been moved. */
TEST(local_times_go_back_to_utc)
{
    for (size_t z = 0; z < sizeof zones / sizeof zones[0]; z++) {
        struct timezone_data *zone = load(zones[z]);
        if (zone == NULL)
            continue;
        struct rng rng = {z};
        struct timezone_cursor cursor = {0};
        for (int i = 0; i < 3000; i++) {
            int64_t s = (int64_t)rng_below(&rng, UINT64_C(600) * 365 * 86400) - INT64_C(170) * 365 * 86400;
            struct timezone_span span;
            timezone_at(zone, s, &span);
            if (i % 3 && span.until < INT64_C(430) * 365 * 86400) /* around a change */
                s = span.until + (int64_t)rng_below(&rng, 4 * 3600) - 2 * 3600;
            int64_t local = s * US_PER_S + (int64_t)timezone_offset(zone, s * US_PER_S) * US_PER_S;
            if (i % 2)
                local += (int64_t)rng_below(&rng, 7200 * US_PER_S) - 3600 * US_PER_S;
            int64_t utc = timezone_to_utc(zone, local), shown = timezone_to_local(zone, utc);
            EXPECT_EQ_INT(timezone_utc_of(zone, local, &cursor), utc);
            if (shown == local) {
                timezone_at(zone, floor_div(utc, US_PER_S), &span);
                if (span.from > INT64_MIN / US_PER_S) { /* not also in the span before */
                    struct timezone_span before;
                    timezone_at(zone, span.from - 1, &before);
                    EXPECT(local - before.kind->offset_s * US_PER_S >= span.from * US_PER_S ||
                           before.kind->offset_s == span.kind->offset_s);
                }
            } else { /* in a gap: moved on, past the change, by the gap's length */
                timezone_at(zone, floor_div(utc, US_PER_S), &span);
                struct timezone_span before;
                timezone_at(zone, span.from - 1, &before);
                EXPECT_EQ_INT(shown - local, (span.kind->offset_s - before.kind->offset_s) * US_PER_S);
                EXPECT(shown > local);
            }
        }
    }
}

TEST(gap_and_overlap_by_name)
{
    struct timezone_data *paris = load("Europe/Paris");
    if (paris == NULL)
        return;
    struct datetime d = {.year = 2024, .month = 3, .day = 31, .hour = 2, .minute = 30};
    int64_t local, utc;
    timestamp_from_datetime(&d, &local);
    utc = timezone_to_utc(paris, local); /* does not occur: 03:30 summer time */
    EXPECT_EQ_INT(timezone_to_local(paris, utc) - local, US_PER_HOUR);
    d.month = 10, d.day = 27;
    timestamp_from_datetime(&d, &local);
    utc = timezone_to_utc(paris, local); /* occurs twice: the first, summer time */
    EXPECT_EQ_INT(local - utc, 2 * US_PER_HOUR);
    EXPECT_EQ_INT(timezone_to_utc(paris, INT64_MIN) >> 1, INT64_MIN >> 1); /* saturates, does not overflow */
    EXPECT(timezone_to_local(paris, INT64_MAX) == INT64_MAX);
}

TEST(fixed_offsets)
{
    static const struct {
        const char *id;
        int32_t offset;
        const char *name;
    } good[] = {{"Z", 0, "Z"},
                {"UTC", 0, "UTC"},
                {"GMT", 0, "GMT"},
                {"+8", 28800, "+08:00"},
                {"-3:30", -12600, "-03:30"},
                {"+05:30:15", 19815, "+05:30:15"},
                {"+0530", 19800, "+05:30"},
                {"+053015", 19815, "+05:30:15"},
                {"UTC+1", 3600, "+01:00"},
                {"GMT-08:00", -28800, "-08:00"},
                {"UT+01:00", 3600, "+01:00"},
                {"-18:00", -64800, "-18:00"},
                {"+10:5", 36300, "+10:05"}};
    struct timezone_data zone;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        if (!EXPECT(timezone_fixed(str_of(good[i].id), &zone)))
            continue;
        char name[TIMEZONE_NAME_MAX];
        timezone_name(&zone, name);
        EXPECT_EQ_INT(zone.first.offset_s, good[i].offset);
        EXPECT_STR(name, good[i].name);
        EXPECT_EQ_INT(timezone_offset(&zone, 12345), good[i].offset);
    }
    static const char *const bad[] = {"",      "+",    "+19",  "+18:01",   "8",        "+1:60", "UTC8",
                                      "Paris", "+12:", "+123", "+12:34:5", "+1234:56", "utc",   "+12345678"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (!EXPECT(!timezone_fixed(str_of(bad[i]), &zone)))
            fprintf(stderr, "    %s\n", bad[i]);
    EXPECT(str_is(timezone_long_name(STR("PST")), "America/Los_Angeles"));
    struct timezone_data own;
    EXPECT(timezone_find(NULL, STR("EST"), &own) == &own && own.first.offset_s == -5 * 3600);
    EXPECT(timezone_find(NULL, STR("Europe/Paris"), &own) == NULL);
}

TEST(damaged_files_are_refused)
{
    char bytes[4096];
    FILE *file = fopen("/usr/share/zoneinfo/Europe/Paris", "rb");
    if (file == NULL)
        return;
    size_t n = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    struct timezone_data *zone;
    for (size_t cut = 0; cut < n - 1; cut++) {
        struct arena small = {0};
        EXPECT(!timezone_parse(&small, STR("x"), str_n(bytes, cut), &zone, NULL) ||
               zone->rule.exists == false);
        arena_fini(&small);
    }
    struct rng rng = {7};
    for (int i = 0; i < 3000; i++) {
        struct arena small = {0};
        char damaged[4096];
        memcpy(damaged, bytes, n);
        for (int k = 0; k < 3; k++)
            damaged[rng_below(&rng, n)] = (char)rng_next(&rng);
        if (timezone_parse(&small, STR("x"), str_n(damaged, n), &zone, NULL))
            for (int k = 0; k < 20; k++)
                timezone_to_utc(zone, (int64_t)rng_next(&rng));
        arena_fini(&small);
    }
}

int main(void)
{
    RUN(civil_dates_day_by_day);
    RUN(weeks_and_months);
    RUN(fields_of_timestamps);
    RUN(offsets_as_the_c_library_finds_them);
    RUN(local_times_go_back_to_utc);
    RUN(gap_and_overlap_by_name);
    RUN(fixed_offsets);
    RUN(damaged_files_are_refused);
    arena_fini(&arena);
    return test_end();
}

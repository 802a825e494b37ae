/* The calendar: days and civil dates, both ways, without a table of years.
 *
 * A year is thought to begin in March, so that the leap day is its last one; 400 such years always have
 * 146,097 days. The month then follows from the day of the year by one linear formula (Howard Hinnant,
 * "chrono-Compatible Low-Level Date Algorithms"). */
#include "base/check.h"
#include "type/timestamp.h"

enum {
    DAYS_PER_ERA = 146097, /* an era: 400 years */
    EPOCH_SHIFT = 719468,  /* days from 0000-03-01 to 1970-01-01 */
    DATE_YEAR_LIMIT = 5900000,
};

bool year_is_leap(int64_t year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

unsigned month_days(int64_t year, unsigned month)
{
    static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    DCHECK(month >= 1 && month <= 12);
    return days[month - 1] + (month == 2 && year_is_leap(year));
}

int64_t days_from_civil(int64_t year, unsigned month, unsigned day)
{
    year -= month <= 2;
    int64_t era = floor_div(year, 400), of_era = year - era * 400;
    int64_t of_year = (153 * (int64_t)(month > 2 ? month - 3 : month + 9) + 2) / 5 + (int64_t)day - 1;
    return era * DAYS_PER_ERA + of_era * 365 + of_era / 4 - of_era / 100 + of_year - EPOCH_SHIFT;
}

void days_to_civil(int64_t days, int32_t *year, unsigned *month, unsigned *day)
{
    days += EPOCH_SHIFT;
    int64_t era = floor_div(days, DAYS_PER_ERA);
    unsigned of_era = (unsigned)(days - era * DAYS_PER_ERA);
    unsigned year_of_era = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    unsigned of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    unsigned m = (5 * of_year + 2) / 153; /* 0 = March */
    *day = of_year - (153 * m + 2) / 5 + 1;
    *month = m < 10 ? m + 3 : m - 9;
    *year = (int32_t)(era * 400 + (int64_t)year_of_era + (*month <= 2));
}

bool date_from_civil(int64_t year, int64_t month, int64_t day, int32_t *days)
{
    if (year < -DATE_YEAR_LIMIT || year > DATE_YEAR_LIMIT || month < 1 || month > 12 || day < 1 ||
        day > (int64_t)month_days(year, (unsigned)month))
        return false;
    int64_t v = days_from_civil(year, (unsigned)month, (unsigned)day);
    *days = (int32_t)v;
    return v == (int32_t)v;
}

unsigned day_of_week(int64_t days)
{
    return (unsigned)floor_mod(days + 3, 7) + 1; /* 1970-01-01 was a Thursday */
}

unsigned day_of_year(int64_t days)
{
    int32_t year;
    unsigned month, day;
    days_to_civil(days, &year, &month, &day);
    return (unsigned)(days - days_from_civil(year, 1, 1)) + 1;
}

unsigned week_of_year(int64_t days, int32_t *week_year)
{
    int64_t thursday = days + 4 - (int64_t)day_of_week(days); /* its year is the week's */
    int32_t year;
    unsigned month, day;
    days_to_civil(thursday, &year, &month, &day);
    if (week_year != NULL)
        *week_year = year;
    return (unsigned)(thursday - days_from_civil(year, 1, 1)) / 7 + 1;
}

bool date_add_months(int32_t days, int64_t months, int32_t *result)
{
    int32_t year;
    unsigned month, day;
    days_to_civil(days, &year, &month, &day);
    int64_t total;
    if (__builtin_add_overflow((int64_t)year * 12 + (int64_t)month - 1, months, &total))
        return false;
    int64_t new_year = floor_div(total, 12);
    unsigned new_month = (unsigned)floor_mod(total, 12) + 1;
    unsigned last = month_days(new_year, new_month);
    return date_from_civil(new_year, new_month, day < last ? day : last, result);
}

void timestamp_to_datetime(int64_t local_us, struct datetime *out)
{
    int64_t days = floor_div(local_us, US_PER_DAY), us = floor_mod(local_us, US_PER_DAY);
    unsigned month, day;
    days_to_civil(days, &out->year, &month, &day);
    uint32_t second = (uint32_t)(us / US_PER_S);
    out->month = (uint8_t)month;
    out->day = (uint8_t)day;
    out->hour = (uint8_t)(second / 3600);
    out->minute = (uint8_t)(second / 60 % 60);
    out->second = (uint8_t)(second % 60);
    out->micro = (uint32_t)(us % US_PER_S);
}

bool timestamp_from_datetime(const struct datetime *in, int64_t *local_us)
{
    int32_t days;
    if (in->hour > 23 || in->minute > 59 || in->second > 59 || in->micro > 999999 ||
        !date_from_civil(in->year, in->month, in->day, &days))
        return false;
    int64_t us = ((in->hour * 60 + in->minute) * 60 + in->second) * US_PER_S + in->micro;
    i128 total = (i128)days * US_PER_DAY + us;
    *local_us = (int64_t)total;
    return total == (i128)*local_us;
}

/* Dates and timestamps as text, the way CAST reads and prints them.
 *
 * Reading cuts the text into numbers first and asks the calendar afterwards. The general reader
 * (timestamp_split) takes all the short forms; one fixed form, which nearly all machines write, has a
 * reader of its own in front. */
#include "base/bytes.h"
#include "base/check.h"
#include "type/cast.h"
#include "type/timestamp.h"

/* ---- reading ------------------------------------------------------------------------------------------- */

struct scanner {
    const char *p, *end;
};

static bool take(struct scanner *s, char c)
{
    if (s->p == s->end || *s->p != c)
        return false;
    s->p++;
    return true;
}

/* A number of min to max digits; a further digit makes it malformed. */
static bool number(struct scanner *s, int min, int max, int64_t *value)
{
    int64_t v = 0;
    int n = 0;
    for (; s->p < s->end && (unsigned)(*s->p - '0') <= 9; s->p++, n++) {
        if (n == max)
            return false;
        v = v * 10 + (*s->p - '0');
    }
    *value = v;
    return n >= min;
}

/* A sign's factor. */
static int64_t sign(struct scanner *s)
{
    if (take(s, '-'))
        return -1;
    take(s, '+');
    return 1;
}

bool date_parse(struct str text, int32_t *days)
{
    enum { YEAR_DIGITS_MAX = 7 };
    text = cast_trim(text);
    struct scanner s = {text.p, text.p + text.n};
    int64_t factor = sign(&s), year, month = 1, day = 1;
    if (!number(&s, 4, YEAR_DIGITS_MAX, &year))
        return false;
    if (take(&s, '-')) {
        if (!number(&s, 1, 2, &month))
            return false;
        if (take(&s, '-')) {
            if (!number(&s, 1, 2, &day))
                return false;
            if (s.p < s.end && (*s.p == ' ' || *s.p == 'T'))
                s.p = s.end;
        }
    }
    return s.p == s.end && date_from_civil(factor * year, month, day, days);
}

/* The digits behind a point: six count, the others are dropped. May be none. */
static uint32_t fraction(struct scanner *s)
{
    uint32_t micro = 0, unit = 100000;
    for (; s->p < s->end && (unsigned)(*s->p - '0') <= 9; s->p++) {
        micro += (uint32_t)(*s->p - '0') * unit;
        unit /= 10;
    }
    return micro;
}

/* h[h][:m[m][:s[s][.digits][zone]]] */
static bool split_time(struct scanner *s, struct timestamp_text *out)
{
    int64_t hour, minute = 0, second = 0;
    if (!number(s, 1, 2, &hour))
        return false;
    if (take(s, ':')) {
        if (!number(s, 1, 2, &minute))
            return false;
        if (take(s, ':')) {
            if (!number(s, 1, 2, &second))
                return false;
            if (take(s, '.'))
                out->local.micro = fraction(s);
            out->zone = cast_trim(str_n(s->p, (size_t)(s->end - s->p)));
            if (s->p < s->end && out->zone.n == 0)
                return false;
            s->p = s->end;
        }
    }
    out->local.hour = (uint8_t)hour;
    out->local.minute = (uint8_t)minute;
    out->local.second = (uint8_t)second;
    return s->p == s->end && hour < 24 && minute < 60 && second < 60;
}

/* [+-]yyyy[-m[m][-d[d][( |T)time]]] */
static bool split_date(struct scanner *s, struct timestamp_text *out)
{
    enum { YEAR_DIGITS_MAX = 6 };
    int64_t factor = sign(s), year, month = 1, day = 1;
    if (!number(s, 4, YEAR_DIGITS_MAX, &year))
        return false;
    bool has_day = false;
    if (take(s, '-')) {
        if (!number(s, 1, 2, &month))
            return false;
        has_day = take(s, '-');
        if (has_day && !number(s, 1, 2, &day))
            return false;
    }
    int32_t days;
    out->has_date = true;
    out->local.year = (int32_t)(factor * year);
    out->local.month = (uint8_t)month;
    out->local.day = (uint8_t)day;
    if (!date_from_civil(out->local.year, month, day, &days))
        return false;
    if (has_day && (take(s, ' ') || take(s, 'T')))
        return split_time(s, out);
    return s->p == s->end;
}

bool timestamp_split(struct str text, struct timestamp_text *out)
{
    text = cast_trim(text);
    *out = (struct timestamp_text){.local = {.year = 1, .month = 1, .day = 1}};
    if (text.n == 0)
        return false;
    struct scanner s = {text.p, text.p + text.n};
    if (take(&s, 'T'))
        return split_time(&s, out);
    bool time_only = (text.n > 1 && text.p[1] == ':') || (text.n > 2 && text.p[2] == ':');
    return time_only ? split_time(&s, out) : split_date(&s, out);
}

bool timestamp_parse(struct str text, const struct timezone_data *zone, const int32_t *today, int64_t *utc_us)
{
    struct timestamp_text t;
    struct timezone_data own;
    bool has_zone;
    if (timestamp_parse_iso(text, utc_us, &has_zone)) {
        return has_zone || zone == NULL || timezone_to_utc_exact(zone, *utc_us, utc_us);
    }
    if (!timestamp_split(text, &t))
        return false;
    if (!t.has_date) {
        unsigned month, day;
        if (today == NULL)
            return false;
        days_to_civil(*today, &t.local.year, &month, &day);
        t.local.month = (uint8_t)month;
        t.local.day = (uint8_t)day;
    }
    if (t.zone.n > 0) {
        zone = timezone_find(zone, t.zone, &own);
        if (zone == NULL)
            return false;
    }
    int64_t local;
    return timestamp_from_datetime(&t.local, &local) && timezone_to_utc_exact(zone, local, utc_us);
}

/* Could be the id of a zone: there is no list of names here to look it up. */
static bool is_zone_id(struct str id)
{
    struct timezone_data own;
    if (timezone_fixed(timezone_long_name(id), &own))
        return true;
    bool slash = false;
    for (size_t i = 0; i < id.n; i++) {
        char c = id.p[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!letter && (i == 0 || memchr("/_+-0123456789", c, 14) == NULL))
            return false;
        slash = slash || c == '/';
    }
    return slash;
}

bool timestamp_ntz_parse(struct str text, bool allow_zone, int64_t *local_us)
{
    struct timestamp_text t;
    bool has_zone;
    if (timestamp_parse_iso(text, local_us, &has_zone) && !has_zone)
        return true;
    if (!timestamp_split(text, &t) || !t.has_date || (t.zone.n > 0 && (!allow_zone || !is_zone_id(t.zone))))
        return false;
    return timestamp_from_datetime(&t.local, local_us);
}

/* Two digits, or more than 99. */
static unsigned two(const char *p)
{
    unsigned a = (unsigned)(p[0] - '0'), b = (unsigned)(p[1] - '0');
    return a <= 9 && b <= 9 ? a * 10 + b : 100;
}

/* "Z", "±hh:mm" or nothing. */
static bool iso_zone(const char *p, size_t n, int64_t *us, bool *has_zone)
{
    *has_zone = n > 0;
    if (n == 0 || (n == 1 && *p == 'Z'))
        return true;
    if (n != 6 || (*p != '+' && *p != '-') || p[3] != ':')
        return false;
    unsigned hours = two(p + 1), minutes = two(p + 4);
    if (hours > 18 || minutes > 59 || hours * 60 + minutes > 18 * 60)
        return false;
    int64_t offset = (int64_t)(hours * 60 + minutes) * US_PER_MINUTE;
    *us += *p == '-' ? offset : -offset;
    return true;
}

/* Eight characters, the first in the lowest byte. `shape` has '0' where a digit is wanted; other characters are wanted as they are, where a bit of `fixed` is
 * set. Each digit with its successor becomes their number, in the byte of the first; false: they are others. */
static bool digit_pairs(const char *p, uint64_t shape, uint64_t fixed, uint64_t *pairs)
{
    uint64_t digits = get_le64(p) ^ shape;
    uint64_t others = ((digits + UINT64_C(0x7676767676767676)) | digits) & UINT64_C(0x8080808080808080);
    *pairs = digits * 10 + (digits >> 8);
    return (others | (digits & fixed)) == 0;
}

/* ".123456" at p: digits behind the sixth do not count. Returns its end, or NULL: it has none, or more than nine. */
static const char *iso_fraction(const char *p, const char *end, uint32_t *micro)
{
    static const uint32_t tens[] = {1000000, 100000, 10000, 1000, 100, 10, 1};
    const char *digits = p + 1, *at = digits;
    uint32_t value = 0, count = 0;
    for (; at < end && (unsigned)(*at - '0') <= 9; at++)
        if (count < 6) {
            value = value * 10 + (unsigned)(*at - '0');
            count++;
        }
    *micro = value * tens[count];
    return at > digits && at - digits <= 9 ? at : NULL;
}

bool timestamp_parse_iso(struct str text, int64_t *us, bool *has_zone)
{
    enum { HEAD = 19 }; /* yyyy-MM-ddTHH:mm:ss */
    const char *p = text.p, *end = p + text.n;
    uint64_t date, time;
    if (text.n < HEAD || (p[10] != 'T' && p[10] != ' ') ||
        !digit_pairs(p, UINT64_C(0x2D30302D30303030), UINT64_C(0xFF0000FF00000000), &date) || /* yyyy-MM- */
        !digit_pairs(p + 11, UINT64_C(0x30303A30303A3030), UINT64_C(0x0000FF0000FF0000),
                     &time)) /* HH:mm:ss */
        return false;
    unsigned year = (unsigned)(date & 0xFF) * 100 + (date >> 16 & 0xFF), month = date >> 40 & 0xFF,
             day = two(p + 8);
    unsigned hour = time & 0xFF, minute = time >> 24 & 0xFF, second = time >> 48 & 0xFF;
    if (month - 1 > 11 || hour > 23 || minute > 59 || second > 59)
        return false;
    if (day < 1 || (day > 28 && day > month_days(year, month)))
        return false;
    const char *at = p + HEAD;
    uint32_t micro = 0;
    if (at < end && *at == '.' && (at = iso_fraction(at, end, &micro)) == NULL)
        return false;
    *us = days_from_civil(year, month, day) * US_PER_DAY +
          (int64_t)((hour * 60 + minute) * 60 + second) * US_PER_S + micro;
    return iso_zone(at, (size_t)(end - at), us, has_zone);
}

/* ---- printing ------------------------------------------------------------------------------------------ */

static char *put_two(char *at, unsigned v)
{
    *at++ = (char)('0' + v / 10);
    *at++ = (char)('0' + v % 10);
    return at;
}

/* At least four digits; a sign past 9999 and before 0. */
static char *put_year(char *at, int32_t year)
{
    unsigned v = (unsigned)(year < 0 ? -(int64_t)year : year);
    if (year < 0)
        *at++ = '-';
    else if (year > 9999)
        *at++ = '+';
    char digits[12];
    int n = 0;
    for (; v > 0 || n < 4; v /= 10)
        digits[n++] = (char)('0' + v % 10);
    while (n > 0)
        *at++ = digits[--n];
    return at;
}

static char *put_date(char *at, int32_t year, unsigned month, unsigned day)
{
    at = put_year(at, year);
    *at++ = '-';
    at = put_two(at, month);
    *at++ = '-';
    return put_two(at, day);
}

static char *put_datetime(char *at, const struct datetime *d, char between)
{
    at = put_date(at, d->year, d->month, d->day);
    *at++ = between;
    at = put_two(at, d->hour);
    *at++ = ':';
    at = put_two(at, d->minute);
    *at++ = ':';
    return put_two(at, d->second);
}

static char *put_micro(char *at, uint32_t micro)
{
    *at++ = '.';
    for (uint32_t unit = 100000; unit > 0; unit /= 10)
        *at++ = (char)('0' + micro / unit % 10);
    return at;
}

size_t date_to_text(int32_t days, char *out)
{
    int32_t year;
    unsigned month, day;
    days_to_civil(days, &year, &month, &day);
    char *end = put_date(out, year, month, day);
    *end = '\0';
    return (size_t)(end - out);
}

size_t timestamp_ntz_to_text(int64_t local_us, char *out)
{
    struct datetime d;
    timestamp_to_datetime(local_us, &d);
    char *end = put_datetime(out, &d, ' ');
    if (d.micro > 0) {
        end = put_micro(end, d.micro);
        while (end[-1] == '0')
            end--;
    }
    *end = '\0';
    return (size_t)(end - out);
}

size_t timestamp_to_text(const struct timezone_data *zone, int64_t utc_us, char *out)
{
    return timestamp_ntz_to_text(timezone_to_local(zone, utc_us), out);
}

size_t timestamp_to_iso(int64_t us, const char *suffix, char *out)
{
    struct datetime d;
    timestamp_to_datetime(us, &d);
    char *end = put_micro(put_datetime(out, &d, 'T'), d.micro);
    if (suffix != NULL)
        for (; *suffix; suffix++)
            *end++ = *suffix;
    *end = '\0';
    return (size_t)(end - out);
}

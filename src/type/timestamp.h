/* Dates, timestamps, time zones and intervals: calendar arithmetic and Spark's text forms of them.
 *
 * The calendar is the proleptic Gregorian one, with a year 0. A day is an int32 of days, a timestamp an
 * int64 of microseconds, both since 1970-01-01 (base of TYPE_DATE, TYPE_TIMESTAMP, TYPE_TIMESTAMP_NTZ).
 * "Local" means the wall clock of some zone, counted as if it were UTC. Everything is pure: no clock, no
 * file; a zone is compiled from bytes that the caller read. Where a `struct timezone_data *` is taken,
 * NULL means UTC. */
#ifndef TYPE_TIMESTAMP_H
#define TYPE_TIMESTAMP_H

#include "base/time.h"
#include "type/type.h"

#define US_PER_MINUTE (60 * US_PER_S)
#define US_PER_HOUR (3600 * US_PER_S)
#define US_PER_DAY (86400 * US_PER_S)

/* ---- calendar ------------------------------------------------------------------------------------------ */

struct datetime {
    int32_t year;       /* proleptic: 0 is 1 BC */
    uint8_t month, day; /* from 1 */
    uint8_t hour, minute, second;
    uint32_t micro; /* 0 .. 999999 */
};

enum { YEAR_MIN = -290308, YEAR_MAX = 294247 }; /* of a timestamp; dates reach further */

static inline int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b != 0 && (a < 0) != (b < 0));
}
static inline int64_t floor_mod(int64_t a, int64_t b)
{
    int64_t r = a % b;
    return r + (r != 0 && (r < 0) != (b < 0) ? b : 0);
}
bool year_is_leap(int64_t year);
/* 28 to 31; month 1 to 12. */
unsigned month_days(int64_t year, unsigned month);
/* Year, month and day must be of the calendar; see date_from_civil. */
int64_t days_from_civil(int64_t year, unsigned month, unsigned day);
void days_to_civil(int64_t days, int32_t *year, unsigned *month, unsigned *day);
/* false: no such day (31 April), or out of the range of an int32. */
bool date_from_civil(int64_t year, int64_t month, int64_t day, int32_t *days);
/* 1 = Monday .. 7 = Sunday. */
unsigned day_of_week(int64_t days);
/* 1 .. 366. */
unsigned day_of_year(int64_t days);
/* ISO 8601 week 1 .. 53 and the year it belongs to (may be NULL). */
unsigned week_of_year(int64_t days, int32_t *week_year);
/* The same day of the month, or the month's last; false: out of range. */
bool date_add_months(int32_t days, int64_t months, int32_t *result);

void timestamp_to_datetime(int64_t local_us, struct datetime *out);
/* Fields must be of the calendar and the clock; false: they are not, or out of the range of an int64. */
bool timestamp_from_datetime(const struct datetime *in, int64_t *local_us);

/* ---- time zones ---------------------------------------------------------------------------------------- */

struct timezone_kind {
    int32_t offset_s; /* east of Greenwich is positive */
    bool is_dst;
    char abbreviation[10];
};
/* One day of change of a POSIX TZ rule. */
struct timezone_change {
    enum { TIMEZONE_JULIAN, TIMEZONE_DAY, TIMEZONE_MONTH_WEEK_DAY } form;
    uint16_t
        day; /* JULIAN: 1 .. 365, 29 February is never counted; DAY: 0 .. 365; MONTH_WEEK_DAY: 0 = Sunday */
    uint8_t month, week; /* 1 .. 12; 1 .. 5, 5 = the last */
    int32_t second;      /* of that day's local time, may be negative or past a day */
};
struct timezone_rule {
    bool exists, has_dst;
    struct timezone_kind standard, dst;
    struct timezone_change dst_from, dst_until;
};

/* A zone. Immutable; may be shared between roles as long as its arena lives. Fields are timezone.c's own
 * business. */
struct timezone_data {
    const char *name;                  /* NULL: a fixed offset, which is its own name */
    uint32_t count;                    /* of transitions; 0 and no rule: a fixed offset, first */
    const int64_t *transitions;        /* [count] UTC seconds, ascending */
    const uint8_t *kind_of;            /* [count] what holds from there on */
    const struct timezone_kind *kinds; /* [≤ 256] */
    struct timezone_kind first;        /* before all transitions */
    struct timezone_rule rule;         /* after all transitions */
    /* How texts inside of data name other zones ("… Europe/Paris"); NULL = they cannot. Given by whoever
     * loads zones; must be callable on each role that uses the zone. Returns NULL for a name that is none. */
    const struct timezone_data *(*find)(void *arg, struct str name);
    void *find_arg;
};

enum { TIMEZONE_BYTES_MAX = 256 * 1024, TIMEZONE_OFFSET_MAX_S = 18 * 3600 };

const struct timezone_data *timezone_utc(void);
/* A zone from TZif bytes (RFC 8536, any version; the footer's rule too), everything copied into arena.
 * ERR_CONFIG: damaged bytes. */
bool timezone_parse(struct arena *arena, struct str name, struct str tzif, struct timezone_data **zone,
                    struct err *err);
/* Zones that need no file: "Z" "UTC" "GMT" "UT" "+8" "-03:30" "+05:30:15" "UTC+1" "GMT-08:00" and so on,
 * up to ±18:00. */
bool timezone_fixed(struct str id, struct timezone_data *zone);
/* java.time's three-letter names of old: "PST" is America/Los_Angeles. The name itself where it is none of
 * them. */
struct str timezone_long_name(struct str id);
/* A zone by any id: fixed (then in *own, which is returned), else by near->find. NULL: there is none. */
const struct timezone_data *timezone_find(const struct timezone_data *near, struct str id,
                                          struct timezone_data *own);

/* What the clocks show at a moment, and for which stretch of UTC seconds [from, until) that holds. */
struct timezone_span {
    int64_t from, until;
    const struct timezone_kind *kind;
};
void timezone_at(const struct timezone_data *zone, int64_t utc_s, struct timezone_span *span);
int32_t timezone_offset(const struct timezone_data *zone, int64_t utc_us);
/* Both ways the result may lie past the ends of time: these stop there, the exact ones below say false too.
 * As java.time: a local time that occurs twice is the earlier one; one that does not occur is moved on by
 * the gap. */
int64_t timezone_to_local(const struct timezone_data *zone, int64_t utc_us);
int64_t timezone_to_utc(const struct timezone_data *zone, int64_t local_us);
bool timezone_to_local_exact(const struct timezone_data *zone, int64_t utc_us, int64_t *local_us);
bool timezone_to_utc_exact(const struct timezone_data *zone, int64_t local_us, int64_t *utc_us);

/* A memory of the last span, for columns: neighbours mostly share it. Zeroed = empty. */
struct timezone_cursor {
    int64_t from_us, until_us; /* UTC */
    int64_t offset_us;
};
void timezone_seek(const struct timezone_data *zone, int64_t utc_us, struct timezone_cursor *cursor);
/* timezone_to_local_exact. */
static inline bool timezone_local_exact(const struct timezone_data *zone, int64_t utc_us,
                                        struct timezone_cursor *cursor, int64_t *local_us)
{
    if (__builtin_expect(utc_us < cursor->from_us || utc_us >= cursor->until_us, 0))
        timezone_seek(zone, utc_us, cursor);
    if (__builtin_expect(!__builtin_add_overflow(utc_us, cursor->offset_us, local_us), 1))
        return true;
    *local_us = cursor->offset_us > 0 ? INT64_MAX : INT64_MIN;
    return false;
}
/* timezone_to_local. */
static inline int64_t timezone_local(const struct timezone_data *zone, int64_t utc_us,
                                     struct timezone_cursor *cursor)
{
    int64_t local_us;
    timezone_local_exact(zone, utc_us, cursor, &local_us);
    return local_us;
}
/* timezone_to_utc with the same memory. */
int64_t timezone_to_utc_slow(const struct timezone_data *zone, int64_t local_us,
                             struct timezone_cursor *cursor);
static inline int64_t timezone_utc_of(const struct timezone_data *zone, int64_t local_us,
                                      struct timezone_cursor *cursor)
{
    int64_t utc_us;
    /* a day past the span's start, no clock shows the time of another span again */
    if (__builtin_expect(!__builtin_sub_overflow(local_us, cursor->offset_us, &utc_us) &&
                             utc_us > cursor->from_us &&
                             (uint64_t)utc_us - (uint64_t)cursor->from_us > (uint64_t)US_PER_DAY &&
                             utc_us < cursor->until_us,
                         1))
        return utc_us;
    return timezone_to_utc_slow(zone, local_us, cursor);
}
enum { TIMEZONE_NAME_MAX = 64 };
/* The zone's id: "Europe/Paris", "Z", "+05:30". NUL-terminated; returns the length. */
size_t timezone_name(const struct timezone_data *zone, char *out);
/* "+05:30", "Z" (java.time's text of an offset). out[10]. */
size_t timezone_offset_text(int32_t offset_s, char *out);
/* The day that a timestamp is on. */
int32_t timestamp_to_date(const struct timezone_data *zone, int64_t utc_us);
/* The moment that a day begins; false: it is past the ends of time. */
bool date_to_timestamp(const struct timezone_data *zone, int64_t days, int64_t *utc_us);

/* ---- text as CAST takes and prints it ------------------------------------------------------------------ */

/* White space around; [+-]y{4,7}, y-[m]m, y-[m]m-[d]d, the last one followed by anything after ' ' or 'T'. */
bool date_parse(struct str text, int32_t *days);

/* The parts of a timestamp's text. */
struct timestamp_text {
    struct datetime local;
    bool has_date;   /* false: time only, then local's date is 0001-01-01 */
    struct str zone; /* its id, n = 0 where there is none */
};
/* [+-]y{4,6}[-m[m][-d[d]]], then ' ' or 'T' and h[h][:m[m][:s[s][.digits][zone]]]; or T and a time, or a
 * time with a colon. Digits past six are dropped. Range of fields is checked; the zone is not. */
bool timestamp_split(struct str text, struct timestamp_text *out);
/* TIMESTAMP: text without a zone is in `zone`. today: days, for texts with a time only; NULL: those are
 * malformed. */
bool timestamp_parse(struct str text, const struct timezone_data *zone, const int32_t *today,
                     int64_t *utc_us);
/* TIMESTAMP_NTZ: a zone in the text is ignored, or with allow_zone false makes it malformed; a date is
 * needed. */
bool timestamp_ntz_parse(struct str text, bool allow_zone, int64_t *local_us);
/* Fast path for the one form that machines write, yyyy-MM-ddTHH:mm:ss[.1-9 digits](Z|±hh:mm) or a blank
 * for the T; a missing zone gives *has_zone false and local time. false: another form (which
 * timestamp_split may take). */
bool timestamp_parse_iso(struct str text, int64_t *us, bool *has_zone);

enum { TIMESTAMP_TEXT_MAX = 40, DATE_TEXT_MAX = 16 };
/* "2024-01-02"; years past 9999 as "+10000-…", before 0 as "-0001-…". NUL-terminated; return the length. */
size_t date_to_text(int32_t days, char *out);
/* "2024-01-02 03:04:05[.ffffff]", trailing zeros of the fraction dropped. */
size_t timestamp_ntz_to_text(int64_t local_us, char *out);
size_t timestamp_to_text(const struct timezone_data *zone, int64_t utc_us, char *out);
/* "2024-01-02T03:04:05.123456Z" for TIMESTAMP in UTC; without the Z for NTZ (suffix NULL). */
size_t timestamp_to_iso(int64_t us, const char *suffix, char *out);

/* ---- patterns of to_timestamp and date_format ---------------------------------------------------------- */

struct datetime_pattern; /* compiled; immutable */

enum datetime_pattern_use { PATTERN_FORMAT, PATTERN_PARSE };
enum { PATTERN_SIZE_MAX = 256 };

/* Spark's pattern letters. ERR_DATA with INVALID_DATETIME_PATTERN or
 * INCONSISTENT_BEHAVIOR_CROSS_VERSION.DATETIME_WEEK_BASED_PATTERN at its start: a letter that is none, or
 * cannot be parsed, or a count of it that means nothing. */
bool datetime_pattern_new(struct arena *arena, struct str pattern, enum datetime_pattern_use use,
                          const struct datetime_pattern **compiled, struct err *err);
/* Appends the local time, and for zone letters what zone says at utc_us. NTZ and dates: pass local time
 * with zone NULL. */
void datetime_format(const struct datetime_pattern *p, const struct timezone_data *zone, int64_t utc_us,
                     struct sbuf *out);
/* The whole of text. A missing date is 1970-01-01, a missing time 00:00. false: text is not of that form,
 * or no such time. */
bool datetime_parse(const struct datetime_pattern *p, struct str text, const struct timezone_data *zone,
                    int64_t *utc_us);
/* The same for TIMESTAMP_NTZ and dates: a zone in the text is read and ignored. */
bool datetime_parse_local(const struct datetime_pattern *p, struct str text, int64_t *local_us);

/* ---- intervals ----------------------------------------------------------------------------------------- */

/* "1 day 2 hours", "interval -1.5 seconds", "10 minutes": units from year to microsecond, singular or
 * plural, in any order, each with its sign. Windows, watermarks and multi-unit literals. ERR_DATA:
 * INVALID_INTERVAL_FORMAT …. */
struct calendar_interval {
    int32_t months, days;
    int64_t us;
};
bool interval_parse_units(struct str text, struct calendar_interval *out, struct err *err);

/* CAST(text AS INTERVAL from TO to), also the body of a literal: "1-2", "-1 02:03:04.5", or the whole
 * INTERVAL '…' … form. type: INTERVAL_YM (months) or INTERVAL_DT (µs). ERR_DATA: INVALID_INTERVAL_FORMAT
 * …, or CAST_INVALID_INPUT where `text` is no interval. */
bool interval_parse(struct str text, const struct type *type, int64_t *value, struct err *err);

enum interval_style {
    INTERVAL_STYLE_ANSI, /* INTERVAL '1 02:03:04.5' DAY TO SECOND */
    INTERVAL_STYLE_HIVE, /* 1 02:03:04.500000000; years and months 1-2 */
};
void interval_to_text(int64_t value, const struct type *type, enum interval_style style, struct sbuf *out);
/* "DAY TO SECOND", "YEAR". */
const char *interval_unit_name(enum interval_unit unit);

#endif

/* Patterns of date_format and to_timestamp, compiled once to a list of items and applied many times.
 *
 * The letters, their counts and the way numbers of variable width make room for neighbours of fixed width
 * ("yyyyMMdd") are those of Java's DateTimeFormatter in its strict mode, with Spark's restrictions and
 * additions: no week-based letters; 'y' is the proleptic year unless there is an era; in parsing, a
 * fraction has one to as many digits as the pattern, texts match in any case, and missing fields are those
 * of 1970-01-01 00:00. */
#include <unicode/ucal.h>
#include <unicode/ustring.h>

#include "base/check.h"
#include "base/utf8.h"
#include "type/cast.h"
#include "type/timestamp.h"

enum { NESTING_MAX = 16, ZONE_ID_MAX = 48 };

enum item_kind {
    ITEM_LITERAL,
    ITEM_NUMBER,
    ITEM_YEAR_OF_CENTURY, /* yy: 2000 to 2099 */
    ITEM_FRACTION,
    ITEM_TEXT,
    ITEM_ZONE_ID,
    ITEM_ZONE_NAME,
    ITEM_OFFSET,
    ITEM_GMT_OFFSET,
    ITEM_OPEN, /* an optional section, up to `close` */
    ITEM_CLOSE,
};

/* What a number or text says. */
enum part {
    PART_ERA, /* 0 BC, 1 AD */
    PART_YEAR,
    PART_YEAR_OF_ERA,
    PART_QUARTER,
    PART_MONTH,
    PART_DAY,
    PART_DAY_OF_YEAR,
    PART_DAY_OF_WEEK,
    PART_ALIGNED_DAY,  /* day of the seven-day weeks that begin with the first of the month */
    PART_HOUR,         /* 0 .. 23 */
    PART_CLOCK_HOUR,   /* 1 .. 24 */
    PART_HOUR_OF_HALF, /* 0 .. 11 */
    PART_CLOCK_HOUR_OF_HALF,
    PART_HALF, /* 0 AM, 1 PM */
    PART_MINUTE,
    PART_SECOND,
    PART_MICRO,
    PARTS,
};

struct item {
    uint8_t kind, part, count;
    char letter;
    uint8_t min, max; /* digits */
    uint8_t reserve;  /* digits that belong to the fixed numbers right behind */
    bool may_sign;    /* '-' always, '+' where `exceeds` */
    bool exceeds;     /* a sign where there are more than min digits */
    uint16_t close;   /* ITEM_OPEN: index of its ITEM_CLOSE */
    struct str text;  /* ITEM_LITERAL */
};

struct datetime_pattern {
    uint32_t count;
    struct item *items;
};

/* ---- compiling ----------------------------------------------------------------------------------------- */

struct letter {
    char letter;
    uint8_t kind, part, count_max;
    bool parses;
};
static const struct letter letters[] = {
    {'G', ITEM_TEXT, PART_ERA, 4, true},
    {'y', ITEM_NUMBER, PART_YEAR, 6, true},
    {'Q', ITEM_TEXT, PART_QUARTER, 4, false},
    {'q', ITEM_TEXT, PART_QUARTER, 4, false},
    {'M', ITEM_TEXT, PART_MONTH, 4, true},
    {'L', ITEM_TEXT, PART_MONTH, 4, true},
    {'d', ITEM_NUMBER, PART_DAY, 2, true},
    {'D', ITEM_NUMBER, PART_DAY_OF_YEAR, 3, true},
    {'E', ITEM_TEXT, PART_DAY_OF_WEEK, 4, false},
    {'F', ITEM_NUMBER, PART_ALIGNED_DAY, 1, false},
    {'a', ITEM_TEXT, PART_HALF, 1, true},
    {'h', ITEM_NUMBER, PART_CLOCK_HOUR_OF_HALF, 2, true},
    {'K', ITEM_NUMBER, PART_HOUR_OF_HALF, 2, true},
    {'k', ITEM_NUMBER, PART_CLOCK_HOUR, 2, true},
    {'H', ITEM_NUMBER, PART_HOUR, 2, true},
    {'m', ITEM_NUMBER, PART_MINUTE, 2, true},
    {'s', ITEM_NUMBER, PART_SECOND, 2, true},
    {'S', ITEM_FRACTION, PART_MICRO, 9, true},
    {'V', ITEM_ZONE_ID, 0, 2, true},
    {'z', ITEM_ZONE_NAME, 0, 4, true},
    {'O', ITEM_GMT_OFFSET, 0, 4, true},
    {'X', ITEM_OFFSET, 0, 5, true},
    {'x', ITEM_OFFSET, 0, 5, true},
    {'Z', ITEM_OFFSET, 0, 5, true},
};

struct compiler {
    struct str pattern;
    enum datetime_pattern_use use;
    struct item *items; /* [pattern.n + 1] */
    uint32_t count;
    bool has_era;
    int active; /* the number that makes room for its neighbours; −1 = none */
    struct err *err;
};

static bool bad_pattern(struct compiler *c, const char *class, const char *what, char letter)
{
    return err_set(c->err, ERR_DATA, "%s: the datetime pattern \"%.*s\" %s%c\"", class, STR_ARG(c->pattern),
                   what, letter);
}

static struct item *add_item(struct compiler *c, enum item_kind kind)
{
    struct item *item = &c->items[c->count++];
    *item = (struct item){.kind = (uint8_t)kind};
    if (kind != ITEM_NUMBER && kind != ITEM_YEAR_OF_CENTURY)
        c->active = -1;
    return item;
}

/* A number of fixed width lends its digits to the number of variable width before it. */
static void join_numbers(struct compiler *c, bool fixed)
{
    int index = (int)c->count - 1;
    struct item *active = c->active >= 0 ? &c->items[c->active] : NULL;
    if (active != NULL && fixed)
        active->reserve = (uint8_t)(active->reserve + c->items[index].max);
    else
        c->active = index;
}

static void add_number(struct compiler *c, enum part part, char letter, unsigned n)
{
    bool year = part == PART_YEAR, two_digits = year && n == 2;
    if (year && c->has_era)
        part = PART_YEAR_OF_ERA;
    struct item *item = add_item(c, two_digits ? ITEM_YEAR_OF_CENTURY : ITEM_NUMBER);
    item->part = (uint8_t)part;
    item->letter = letter;
    item->count = (uint8_t)n;
    item->min = (uint8_t)n;
    item->max = 19;
    bool fixed = two_digits || (!year && n > 1 && part != PART_DAY_OF_YEAR) ||
                 (part == PART_DAY_OF_YEAR && n == 3);
    if (fixed)
        item->max = (uint8_t)n;
    else if (part == PART_DAY_OF_YEAR && n == 2)
        item->max = 3;
    item->exceeds = year && n >= 4;
    item->may_sign = !fixed && (year || n == 1);
    join_numbers(c, fixed);
}

/* A run of one letter. */
static bool add_letter(struct compiler *c, char letter, unsigned n)
{
    if (memchr("YwWuec", letter, 6))
        return bad_pattern(c, "INCONSISTENT_BEHAVIOR_CROSS_VERSION.DATETIME_WEEK_BASED_PATTERN",
                           "has the week-based letter \"", letter);
    size_t i = 0;
    while (i < sizeof letters / sizeof letters[0] && letters[i].letter != letter)
        i++;
    if (i == sizeof letters / sizeof letters[0] || (c->use == PATTERN_PARSE && !letters[i].parses))
        return bad_pattern(c, "INVALID_DATETIME_PATTERN.ILLEGAL_CHARACTER",
                           i == sizeof letters / sizeof letters[0] ? "has the unknown letter \""
                                                                   : "cannot read text by its letter \"",
                           letter);
    const struct letter *l = &letters[i];
    if (n > l->count_max || (letter == 'V' && n != 2) || (letter == 'O' && n != 1 && n != 4))
        return bad_pattern(c, "INVALID_DATETIME_PATTERN.LENGTH",
                           "has a count that means nothing of the letter \"", letter);
    if (l->kind == ITEM_NUMBER ||
        (l->kind == ITEM_TEXT && n <= 2 && (l->part == PART_MONTH || l->part == PART_QUARTER))) {
        add_number(c, (enum part)l->part, letter, n);
        return true;
    }
    if (l->kind == ITEM_FRACTION && c->active >= 0) /* "ssSSS": numbers before it leave it its digits too */
        c->items[c->active].reserve = (uint8_t)(c->items[c->active].reserve + n);
    struct item *item = add_item(c, (enum item_kind)l->kind);
    item->part = l->part;
    item->letter = letter;
    item->count = (uint8_t)n;
    return true;
}

static void add_literal(struct compiler *c, struct str text)
{
    add_item(c, ITEM_LITERAL)->text = text;
}

/* A quoted literal that begins at `at`: what is between the quotes, piece by piece where a quote is
 * doubled. */
static bool add_quoted(struct compiler *c, size_t *at)
{
    struct str s = c->pattern;
    size_t start = ++*at;
    if (start < s.n && s.p[start] == '\'') { /* '' outside of quotes */
        add_literal(c, str_n(s.p + start, 1));
        ++*at;
        return true;
    }
    for (; *at < s.n; ++*at) {
        if (s.p[*at] != '\'')
            continue;
        bool doubled = *at + 1 < s.n && s.p[*at + 1] == '\'';
        add_literal(c, str_n(s.p + start, *at - start + doubled));
        *at += doubled;
        start = *at + 1;
        if (!doubled) {
            ++*at;
            return true;
        }
    }
    return bad_pattern(c, "INVALID_DATETIME_PATTERN", "has no end of its \"", '\'');
}

static bool compile(struct compiler *c)
{
    struct str s = c->pattern;
    uint32_t open[NESTING_MAX], depth = 0;
    for (size_t i = 0; i < s.n;) {
        char ch = s.p[i];
        size_t run = i + 1;
        if ((ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z')) {
            while (run < s.n && s.p[run] == ch)
                run++;
            TRY(add_letter(c, ch, (unsigned)(run - i)));
        } else if (ch == '\'') {
            TRY(add_quoted(c, &i));
            run = i;
        } else if (ch == '[') {
            if (depth == NESTING_MAX)
                return bad_pattern(c, "INVALID_DATETIME_PATTERN", "has too many of \"", ch);
            open[depth++] = c->count;
            add_item(c, ITEM_OPEN);
        } else if (ch == ']') {
            if (depth == 0)
                return bad_pattern(c, "INVALID_DATETIME_PATTERN", "has no beginning of its \"", ch);
            c->items[open[--depth]].close = (uint16_t)c->count;
            add_item(c, ITEM_CLOSE);
        } else if (ch == '{' || ch == '}' || ch == '#') {
            return bad_pattern(c, "INVALID_DATETIME_PATTERN.ILLEGAL_CHARACTER",
                               "has the reserved character \"", ch);
        } else {
            add_literal(c, str_n(s.p + i, 1));
        }
        i = run;
    }
    while (depth > 0) { /* sections left open end with the pattern */
        c->items[open[--depth]].close = (uint16_t)c->count;
        add_item(c, ITEM_CLOSE);
    }
    return true;
}

/* Is there an era outside of quotes? */
static bool find_era(struct str pattern)
{
    bool quoted = false, era = false;
    for (size_t i = 0; i < pattern.n; i++) {
        quoted ^= pattern.p[i] == '\'';
        era = era || (!quoted && pattern.p[i] == 'G');
    }
    return era;
}

bool datetime_pattern_new(struct arena *arena, struct str pattern, enum datetime_pattern_use use,
                          const struct datetime_pattern **compiled, struct err *err)
{
    if (pattern.n > PATTERN_SIZE_MAX || !utf8_valid(pattern.p, pattern.n))
        return err_set(err, ERR_DATA,
                       "INVALID_DATETIME_PATTERN: the pattern is longer than %d bytes, or no UTF-8",
                       PATTERN_SIZE_MAX);
    struct compiler c = {.use = use, .err = err, .active = -1, .has_era = find_era(pattern)};
    c.pattern = str_n(str_dup(arena, pattern), pattern.n);
    c.items = arena_zarray(arena, struct item, pattern.n + NESTING_MAX + 1);
    TRY(compile(&c));
    struct datetime_pattern *p = arena_new(arena, struct datetime_pattern);
    p->items = c.items;
    p->count = c.count;
    *compiled = p;
    return true;
}

/* ---- texts --------------------------------------------------------------------------------------------- */

static const char *const months[] = {"January", "February", "March",     "April",   "May",      "June",
                                     "July",    "August",   "September", "October", "November", "December"};
static const char *const weekdays[] = {"Monday", "Tuesday",  "Wednesday", "Thursday",
                                       "Friday", "Saturday", "Sunday"};
static const char *const quarters[] = {"1st quarter", "2nd quarter", "3rd quarter", "4th quarter"};
static const char *const short_quarters[] = {"Q1", "Q2", "Q3", "Q4"};
static const char *const eras[] = {"Before Christ", "Anno Domini"};
static const char *const short_eras[] = {"BC", "AD"};
static const char *const halves[] = {"AM", "PM"};

/* The names of a part, in a style, the first value and the bytes of each that count (0 = all). */
struct names {
    const char *const *names;
    unsigned count, first, bytes;
};

static struct names names_of(const struct item *item)
{
    bool full = item->count == 4;
    switch (item->part) {
    case PART_MONTH: return (struct names){months, 12, 1, full ? 0 : 3};
    case PART_DAY_OF_WEEK: return (struct names){weekdays, 7, 1, full ? 0 : 3};
    case PART_QUARTER: return (struct names){full ? quarters : short_quarters, 4, 1, 0};
    case PART_ERA: return (struct names){full ? eras : short_eras, 2, 0, 0};
    default: return (struct names){halves, 2, 0, 0};
    }
}

static struct str name_at(const struct names *names, unsigned i)
{
    CHECK(i < names->count);
    const char *name = names->names[i];
    return str_n(name, names->bytes ? names->bytes : strlen(name));
}

/* ---- formatting ---------------------------------------------------------------------------------------- */

struct moment {
    struct datetime d;
    int64_t days;
    const struct timezone_data *zone;
    const struct timezone_kind *kind;
};

static int64_t part_of(const struct moment *m, enum part part)
{
    const struct datetime *d = &m->d;
    switch (part) {
    case PART_ERA: return d->year > 0;
    case PART_YEAR: return d->year;
    case PART_YEAR_OF_ERA: return d->year > 0 ? d->year : 1 - (int64_t)d->year;
    case PART_QUARTER: return (d->month - 1) / 3 + 1;
    case PART_MONTH: return d->month;
    case PART_DAY: return d->day;
    case PART_DAY_OF_YEAR: return day_of_year(m->days);
    case PART_DAY_OF_WEEK: return day_of_week(m->days);
    case PART_ALIGNED_DAY: return (d->day - 1) % 7 + 1;
    case PART_HOUR: return d->hour;
    case PART_CLOCK_HOUR: return d->hour ? d->hour : 24;
    case PART_HOUR_OF_HALF: return d->hour % 12;
    case PART_CLOCK_HOUR_OF_HALF: return d->hour % 12 ? d->hour % 12 : 12;
    case PART_HALF: return d->hour / 12;
    case PART_MINUTE: return d->minute;
    case PART_SECOND: return d->second;
    default: return d->micro;
    }
}

static void put_number(const struct item *item, int64_t v, struct sbuf *out)
{
    char digits[24];
    size_t n = cast_i64_to_str(v < 0 ? -v : v, digits);
    if (v < 0)
        sbuf_char(out, '-');
    else if (item->exceeds && n > item->min)
        sbuf_char(out, '+');
    for (size_t i = n; i < item->min; i++)
        sbuf_char(out, '0');
    sbuf_add(out, digits, n);
}

static void put_offset_parts(int32_t offset, bool colon, unsigned parts, struct sbuf *out)
{
    unsigned v = (unsigned)(offset < 0 ? -offset : offset);
    const unsigned p[] = {v / 3600, v / 60 % 60, v % 60};
    sbuf_char(out, offset < 0 ? '-' : '+');
    for (unsigned i = 0; i < parts; i++)
        sbuf_printf(out, "%s%02u", i > 0 && colon ? ":" : "", p[i]);
}

static void put_gmt_offset(int32_t offset, bool full, struct sbuf *out)
{
    sbuf_cstr(out, "GMT");
    unsigned v = (unsigned)(offset < 0 ? -offset : offset);
    if (v == 0)
        return;
    if (full) {
        put_offset_parts(offset, true, v % 60 ? 3 : 2, out);
        return;
    }
    sbuf_printf(out, "%c%u", offset < 0 ? '-' : '+', v / 3600);
    if (v % 3600)
        sbuf_printf(out, ":%02u", v / 60 % 60);
    if (v % 60)
        sbuf_printf(out, ":%02u", v % 60);
}

static void put_offset(const struct item *item, int32_t offset, struct sbuf *out)
{
    if (item->letter == 'Z' && item->count == 4) {
        put_gmt_offset(offset, true, out);
        return;
    }
    bool zulu = item->letter == 'X' || (item->letter == 'Z' && item->count == 5);
    if (offset == 0 && zulu) {
        sbuf_char(out, 'Z');
        return;
    }
    unsigned count = item->letter == 'Z' && item->count < 4 ? 2 : item->count;
    unsigned parts = count == 1 && offset / 60 % 60 == 0 ? 1 : count >= 4 && offset % 60 != 0 ? 3 : 2;
    put_offset_parts(offset, count == 3 || count == 5, parts, out);
}

/* "Pacific Standard Time": the one text that comes from ICU's tables. */
static void put_long_zone_name(const struct moment *m, struct sbuf *out)
{
    char id[TIMEZONE_NAME_MAX], text[4 * 128];
    UChar wide[TIMEZONE_NAME_MAX], name[128];
    UErrorCode status = U_ZERO_ERROR;
    int32_t size = 0;
    timezone_name(m->zone, id);
    u_charsToUChars(id, wide, (int32_t)strlen(id) + 1);
    UCalendar *calendar = ucal_open(wide, -1, "en_US", UCAL_GREGORIAN, &status);
    if (U_SUCCESS(status))
        size = ucal_getTimeZoneDisplayName(calendar, m->kind->is_dst ? UCAL_DST : UCAL_STANDARD, "en_US",
                                           name, 128, &status);
    if (U_SUCCESS(status) && size > 0)
        u_strToUTF8(text, sizeof text, NULL, name, size, &status);
    sbuf_cstr(out, U_SUCCESS(status) && size > 0 ? text : m->kind->abbreviation);
    if (calendar != NULL)
        ucal_close(calendar);
}

/* "PST": as Java, of the zone's standard or summer time of today, whatever it was called back then. */
static const char *zone_abbreviation(const struct moment *m)
{
    const struct timezone_rule *rule = m->zone ? &m->zone->rule : NULL;
    if (rule == NULL || !rule->exists || (m->kind->is_dst && !rule->has_dst))
        return m->kind->abbreviation;
    return m->kind->is_dst ? rule->dst.abbreviation : rule->standard.abbreviation;
}

static void put_item(const struct item *item, const struct moment *m, struct sbuf *out)
{
    char id[TIMEZONE_NAME_MAX];
    struct names names;
    int64_t v = item->kind <= ITEM_TEXT ? part_of(m, (enum part)item->part) : 0;
    switch (item->kind) {
    case ITEM_LITERAL: sbuf_str(out, item->text); break;
    case ITEM_NUMBER: put_number(item, v, out); break;
    case ITEM_YEAR_OF_CENTURY: sbuf_printf(out, "%02u", (unsigned)((v < 0 ? -v : v) % 100)); break;
    case ITEM_FRACTION:
        for (unsigned i = 0, unit = 100000; i < item->count; i++, unit /= 10)
            sbuf_char(out, unit > 0 ? (char)('0' + v / unit % 10) : '0');
        break;
    case ITEM_TEXT:
        names = names_of(item);
        sbuf_str(out, name_at(&names, (unsigned)v - names.first));
        break;
    case ITEM_ZONE_ID: sbuf_add(out, id, timezone_name(m->zone, id)); break;
    case ITEM_ZONE_NAME:
        if (item->count == 4)
            put_long_zone_name(m, out);
        else
            sbuf_cstr(out, zone_abbreviation(m));
        break;
    case ITEM_OFFSET: put_offset(item, m->kind->offset_s, out); break;
    case ITEM_GMT_OFFSET: put_gmt_offset(m->kind->offset_s, item->count == 4, out); break;
    default: break;
    }
}

void datetime_format(const struct datetime_pattern *p, const struct timezone_data *zone, int64_t utc_us,
                     struct sbuf *out)
{
    struct timezone_span span;
    struct moment m = {.zone = zone};
    timezone_at(zone, floor_div(utc_us, US_PER_S), &span);
    m.kind = span.kind;
    int64_t local = timezone_to_local(zone, utc_us);
    timestamp_to_datetime(local, &m.d);
    m.days = floor_div(local, US_PER_DAY);
    for (uint32_t i = 0; i < p->count; i++)
        put_item(&p->items[i], &m, out);
}

/* ---- parsing ------------------------------------------------------------------------------------------- */

struct parsed {
    uint32_t has; /* bit per part */
    int64_t part[PARTS];
    bool has_zone;
    const struct timezone_data *zone; /* NULL: `own` */
    struct timezone_data own;
};

struct input {
    const char *p, *end;
    const struct timezone_data *near; /* how zones are found */
    bool any_zone;                    /* zones need only look like one */
    struct parsed out;
};

/* A part given twice must be given alike. */
static bool set_part(struct input *in, enum part part, int64_t v)
{
    struct parsed *out = &in->out;
    if (out->has >> part & 1)
        return out->part[part] == v;
    out->has |= 1u << part;
    out->part[part] = v;
    return true;
}

static bool parse_digits(struct input *in, int min, int max, int64_t *v, int *n)
{
    *v = 0;
    for (*n = 0; *n < max && in->p < in->end && (unsigned)(*in->p - '0') <= 9; in->p++, ++*n) {
        if (*v > INT32_MAX)
            return false;
        *v = *v * 10 + (*in->p - '0');
    }
    return *n >= min;
}

static int digits_ahead(const struct input *in, int max)
{
    int n = 0;
    while (n < max && in->p + n < in->end && (unsigned)(in->p[n] - '0') <= 9)
        n++;
    return n;
}

static bool parse_number(struct input *in, const struct item *item)
{
    bool negative = false, plus = false;
    int64_t v;
    int n, max = item->max;
    if (item->may_sign && in->p < in->end && (*in->p == '-' || (*in->p == '+' && item->exceeds))) {
        negative = *in->p == '-';
        plus = !negative;
        in->p++;
    }
    if (item->reserve > 0) { /* leave the neighbours their digits */
        int ahead = digits_ahead(in, max + item->reserve);
        max = ahead - item->reserve > item->min ? ahead - item->reserve : item->min;
    }
    if (!parse_digits(in, item->min, max, &v, &n))
        return false;
    if (item->exceeds && !negative && plus != (n > item->min))
        return false;
    return set_part(in, (enum part)item->part, negative ? -v : v);
}

static bool parse_fraction(struct input *in, const struct item *item)
{
    int64_t micro = 0, unit = 100000;
    int n = 0;
    for (; n < item->count && in->p < in->end && (unsigned)(*in->p - '0') <= 9; n++, unit /= 10)
        micro += (*in->p++ - '0') * unit;
    return n > 0 && set_part(in, PART_MICRO, micro);
}

static bool parse_word(struct input *in, struct str word)
{
    if ((size_t)(in->end - in->p) < word.n || !str_eq_nocase(str_n(in->p, word.n), word))
        return false;
    in->p += word.n;
    return true;
}

static bool parse_text(struct input *in, const struct item *item)
{
    struct names names = names_of(item);
    for (unsigned i = 0; i < names.count; i++)
        if (parse_word(in, name_at(&names, i)))
            return set_part(in, (enum part)item->part, (int64_t)i + names.first);
    return false;
}

static bool set_offset(struct input *in, int64_t offset)
{
    if (offset < -TIMEZONE_OFFSET_MAX_S || offset > TIMEZONE_OFFSET_MAX_S)
        return false;
    in->out.has_zone = true;
    in->out.zone = NULL;
    in->out.own = (struct timezone_data){.first = {.offset_s = (int32_t)offset}};
    return true;
}

/* ±hh[[:]mm[[:]ss]]: at least `least` parts, at most `most`; hours of min_hour or two digits. */
static bool parse_offset_parts(struct input *in, bool colon, unsigned least, unsigned most, int min_hour,
                               int64_t *offset)
{
    int64_t v, total = 0, unit = 3600;
    int n;
    if (in->p == in->end || (*in->p != '+' && *in->p != '-'))
        return false;
    bool negative = *in->p++ == '-';
    for (unsigned i = 0; i < most; i++, unit /= 60) {
        const char *start = in->p;
        bool ok = i == 0 || !colon || (in->p < in->end && *in->p == ':');
        in->p += ok && i > 0 && colon;
        ok = ok && parse_digits(in, i == 0 ? min_hour : 2, 2, &v, &n) && (i == 0 || v < 60);
        if (!ok) {
            in->p = start;
            if (i < least)
                return false;
            break;
        }
        total += v * unit;
    }
    *offset = negative ? -total : total;
    return true;
}

static bool parse_gmt_offset(struct input *in, bool full)
{
    int64_t offset = 0;
    if (!parse_word(in, STR("GMT")))
        return false;
    if (in->p < in->end && (*in->p == '+' || *in->p == '-') &&
        !parse_offset_parts(in, true, full ? 2 : 1, 3, full ? 2 : 1, &offset))
        return false;
    return set_offset(in, offset);
}

static bool parse_offset(struct input *in, const struct item *item)
{
    int64_t offset = 0;
    if (item->letter == 'Z' && item->count == 4)
        return parse_gmt_offset(in, true);
    bool zulu = item->letter == 'X' || (item->letter == 'Z' && item->count == 5);
    if (zulu && parse_word(in, STR("Z")))
        return set_offset(in, 0);
    unsigned count = item->letter == 'Z' && item->count < 4 ? 2 : item->count;
    return parse_offset_parts(in, count == 3 || count == 5, count == 1 ? 1 : 2, count >= 4 ? 3 : 2, 2,
                              &offset) &&
           set_offset(in, offset);
}

/* Short names of zones that java.time reads beyond its ids. */
static struct str zone_of_name(struct str name)
{
    static const char *const names[][2] = {
        {"PDT", "America/Los_Angeles"}, {"MDT", "America/Denver"},   {"MST", "America/Denver"},
        {"CDT", "America/Chicago"},     {"EST", "America/New_York"}, {"EDT", "America/New_York"},
        {"CET", "Europe/Paris"},        {"CEST", "Europe/Paris"},    {"EET", "Europe/Bucharest"},
        {"EEST", "Europe/Bucharest"},   {"WET", "Europe/Lisbon"},    {"WEST", "Europe/Lisbon"},
        {"BST", "Europe/London"},       {"MSK", "Europe/Moscow"},    {"AEST", "Australia/Sydney"},
        {"AEDT", "Australia/Sydney"},   {"KST", "Asia/Seoul"},       {"HKT", "Asia/Hong_Kong"},
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (str_is(name, names[i][0]))
            return str_of(names[i][1]);
    return name;
}

/* The longest run of id characters that is the name of a zone. */
static bool parse_zone(struct input *in, bool names)
{
    size_t n = 0, left = (size_t)(in->end - in->p);
    while (n < left && n < ZONE_ID_MAX &&
           ((in->p[n] >= '0' && in->p[n] <= ':') || (in->p[n] >= 'A' && in->p[n] <= 'Z') ||
            (in->p[n] >= 'a' && in->p[n] <= 'z') || memchr("/_+-", in->p[n], 4)))
        n++;
    for (; n > 0; n--) {
        struct str id = str_n(in->p, n);
        const struct timezone_data *zone = timezone_find(in->near, names ? zone_of_name(id) : id,
                                                         &in->out.own);
        if (zone == NULL && !(in->any_zone && in->near == NULL && in->p[0] >= 'A'))
            continue;
        in->p += n;
        in->out.has_zone = true;
        in->out.zone = zone == &in->out.own ? NULL : zone;
        return true;
    }
    return false;
}

static bool parse_item(struct input *in, const struct item *item)
{
    int64_t v;
    int n;
    switch (item->kind) {
    case ITEM_LITERAL: return parse_word(in, item->text);
    case ITEM_NUMBER: return parse_number(in, item);
    case ITEM_YEAR_OF_CENTURY:
        return parse_digits(in, 2, 2, &v, &n) && set_part(in, (enum part)item->part, 2000 + v);
    case ITEM_FRACTION: return parse_fraction(in, item);
    case ITEM_TEXT: return parse_text(in, item);
    case ITEM_ZONE_ID: return parse_zone(in, false);
    case ITEM_ZONE_NAME: return parse_zone(in, true);
    case ITEM_OFFSET: return parse_offset(in, item);
    default: return parse_gmt_offset(in, item->count == 4);
    }
}

/* Items [from, until). An optional section that does not match leaves no trace. Nested at most NESTING_MAX
 * deep. */
static bool parse_items(const struct datetime_pattern *p, uint32_t from, uint32_t until, struct input *in)
{
    for (uint32_t i = from; i < until; i++) {
        const struct item *item = &p->items[i];
        if (item->kind == ITEM_OPEN) {
            struct input before = *in;
            if (!parse_items(p, i + 1, item->close, in))
                *in = before;
            i = item->close;
        } else if (!parse_item(in, item)) {
            return false;
        }
    }
    return true;
}

/* ---- from parts to a time ------------------------------------------------------------------------------ */

static bool has(const struct parsed *p, enum part part)
{
    return p->has >> part & 1;
}

static int64_t part_or(const struct parsed *p, enum part part, int64_t otherwise)
{
    return has(p, part) ? p->part[part] : otherwise;
}

static bool resolve_date(const struct parsed *p, int32_t *days)
{
    int64_t year = part_or(p, PART_YEAR, 1970);
    if (has(p, PART_YEAR_OF_ERA)) {
        year = p->part[PART_YEAR_OF_ERA];
        if (year < 1)
            return false;
        if (part_or(p, PART_ERA, 1) == 0)
            year = 1 - year;
    }
    int64_t month = part_or(p, PART_MONTH, 1), day = part_or(p, PART_DAY, 1),
            of_year = part_or(p, PART_DAY_OF_YEAR, 1);
    if (!has(p, PART_DAY_OF_YEAR))
        return date_from_civil(year, month, day, days);
    int32_t y;
    unsigned m, d;
    if (of_year < 1 || of_year > 365 + year_is_leap(year) || !date_from_civil(year, 1, 1, days))
        return false;
    *days += (int32_t)of_year - 1;
    days_to_civil(*days, &y, &m, &d);
    return (!has(p, PART_MONTH) || month == (int64_t)m) && (!has(p, PART_DAY) || day == (int64_t)d);
}

/* The hour from whichever letters gave it; all that did must agree. */
static bool resolve_hour(const struct parsed *p, int64_t *hour)
{
    int64_t half = part_or(p, PART_HALF, -1), of_half = part_or(p, PART_HOUR_OF_HALF, -1);
    int64_t clock_of_half = part_or(p, PART_CLOCK_HOUR_OF_HALF, -1), clock = part_or(p, PART_CLOCK_HOUR, -1);
    if (clock_of_half == 0 || clock_of_half > 12 || of_half > 11 || clock == 0 || clock > 24)
        return false;
    *hour = part_or(p, PART_HOUR, -1);
    if (clock > 0) {
        if (*hour >= 0 && *hour != clock % 24)
            return false;
        *hour = clock % 24;
    }
    if (clock_of_half > 0) {
        if (of_half >= 0 && of_half != clock_of_half % 12)
            return false;
        of_half = clock_of_half % 12;
    }
    if (*hour >= 0)
        return (of_half < 0 || *hour % 12 == of_half) && (half < 0 || *hour / 12 == half);
    *hour = (of_half < 0 ? 0 : of_half) + (half == 1 ? 12 : 0);
    return true;
}

static bool resolve(const struct parsed *p, int64_t *local_us)
{
    int32_t days;
    int64_t hour, minute = part_or(p, PART_MINUTE, 0), second = part_or(p, PART_SECOND, 0);
    if (!resolve_date(p, &days) || !resolve_hour(p, &hour) || hour > 23 || minute > 59 || second > 59 ||
        minute < 0 || second < 0 || hour < 0)
        return false;
    i128 us = (i128)days * US_PER_DAY + ((hour * 60 + minute) * 60 + second) * US_PER_S +
              part_or(p, PART_MICRO, 0);
    *local_us = (int64_t)us;
    return us == (i128)*local_us;
}

static bool parse_all(const struct datetime_pattern *p, struct str text, struct input *in, int64_t *local_us)
{
    in->p = text.p;
    in->end = text.p ? text.p + text.n : text.p;
    return parse_items(p, 0, p->count, in) && in->p == in->end && resolve(&in->out, local_us);
}

bool datetime_parse(const struct datetime_pattern *p, struct str text, const struct timezone_data *zone,
                    int64_t *utc_us)
{
    struct input in = {.near = zone};
    int64_t local;
    if (!parse_all(p, text, &in, &local))
        return false;
    if (in.out.has_zone)
        zone = in.out.zone ? in.out.zone : &in.out.own;
    return timezone_to_utc_exact(zone, local, utc_us);
}

bool datetime_parse_local(const struct datetime_pattern *p, struct str text, int64_t *local_us)
{
    struct input in = {.any_zone = true};
    return parse_all(p, text, &in, local_us);
}

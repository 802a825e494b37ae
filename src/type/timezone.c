/* Time zones: compiled from TZif bytes (RFC 8536), with the rule of the footer (POSIX TZ) for all times
 * after the last transition that the bytes list; and fixed offsets.
 *
 * A lookup gives a span: the offset, and the stretch of time in which it holds. Columns of times remember
 * the last span (struct timezone_cursor), so the search runs a few times per batch. */
#include "base/bytes.h"
#include "base/check.h"
#include "type/timestamp.h"

const struct timezone_data *timezone_utc(void)
{
    static const struct timezone_data utc = {.name = "UTC", .first = {.abbreviation = "UTC"}};
    return &utc;
}

/* ---- POSIX TZ rules ------------------------------------------------------------------------------------ */

struct rule_text {
    const char *p, *end;
};

static bool rule_number(struct rule_text *t, int32_t max, int32_t *value)
{
    int32_t v = 0;
    const char *start = t->p;
    for (; t->p < t->end && *t->p >= '0' && *t->p <= '9' && v <= max; t->p++)
        v = v * 10 + (*t->p - '0');
    *value = v;
    return t->p > start && v <= max;
}

static bool rule_char(struct rule_text *t, char c)
{
    if (t->p == t->end || *t->p != c)
        return false;
    t->p++;
    return true;
}

/* [+-]hh[:mm[:ss]] */
static bool rule_time(struct rule_text *t, int32_t *seconds)
{
    int32_t hours, minutes = 0, s = 0;
    bool negative = rule_char(t, '-');
    if (!negative)
        rule_char(t, '+');
    if (!rule_number(t, 167, &hours))
        return false;
    if (rule_char(t, ':') && !rule_number(t, 59, &minutes))
        return false;
    if (rule_char(t, ':') && !rule_number(t, 59, &s))
        return false;
    *seconds = (hours * 3600 + minutes * 60 + s) * (negative ? -1 : 1);
    return true;
}

/* "CET" or "<+03>" */
static bool rule_name(struct rule_text *t, char *out, size_t size)
{
    bool quoted = rule_char(t, '<');
    size_t n = 0;
    while (t->p < t->end) {
        char c = *t->p;
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        bool more = quoted && ((c >= '0' && c <= '9') || c == '+' || c == '-');
        if (!letter && !more)
            break;
        if (n + 1 < size)
            out[n++] = c;
        t->p++;
    }
    out[n] = '\0';
    return n >= 3 && (!quoted || rule_char(t, '>'));
}

static bool rule_change(struct rule_text *t, struct timezone_change *change)
{
    int32_t a, b, c;
    change->second = 2 * 3600;
    if (rule_char(t, 'M')) {
        if (!rule_number(t, 12, &a) || !rule_char(t, '.') || !rule_number(t, 5, &b) || !rule_char(t, '.') ||
            !rule_number(t, 6, &c) || a < 1 || b < 1)
            return false;
        change->form = TIMEZONE_MONTH_WEEK_DAY;
        change->month = (uint8_t)a, change->week = (uint8_t)b, change->day = (uint16_t)c;
    } else {
        bool julian = rule_char(t, 'J');
        if (!rule_number(t, 365, &a) || (julian && a < 1))
            return false;
        change->form = julian ? TIMEZONE_JULIAN : TIMEZONE_DAY;
        change->day = (uint16_t)a;
    }
    return !rule_char(t, '/') || rule_time(t, &change->second);
}

/* std offset [dst [offset] , from [/time] , until [/time]]; offsets are west of Greenwich there. */
static bool parse_rule(struct str text, struct timezone_rule *rule)
{
    struct rule_text t = {text.p, text.p + text.n};
    int32_t west;
    if (!rule_name(&t, rule->standard.abbreviation, sizeof rule->standard.abbreviation) ||
        !rule_time(&t, &west))
        return false;
    rule->standard.offset_s = -west;
    rule->exists = true;
    if (t.p == t.end)
        return true;
    if (!rule_name(&t, rule->dst.abbreviation, sizeof rule->dst.abbreviation))
        return false;
    rule->has_dst = true;
    rule->dst.is_dst = true;
    rule->dst.offset_s = rule->standard.offset_s + 3600;
    if (t.p < t.end && *t.p != ',') {
        if (!rule_time(&t, &west))
            return false;
        rule->dst.offset_s = -west;
    }
    return rule_char(&t, ',') && rule_change(&t, &rule->dst_from) && rule_char(&t, ',') &&
           rule_change(&t, &rule->dst_until) && t.p == t.end;
}

/* The local second at which a change lies in a year. */
static int64_t change_at(const struct timezone_change *c, int64_t year)
{
    int64_t day;
    if (c->form == TIMEZONE_JULIAN) {
        day = days_from_civil(year, 1, 1) + c->day - 1 + (year_is_leap(year) && c->day >= 60);
    } else if (c->form == TIMEZONE_DAY) {
        day = days_from_civil(year, 1, 1) + c->day;
    } else {
        int64_t first = days_from_civil(year, c->month, 1);
        int64_t ahead = floor_mod((int64_t)c->day - (int64_t)day_of_week(first), 7); /* 0 = 7 = Sunday */
        day = first + ahead + (c->week - 1) * 7;
        if (day >= first + (int64_t)month_days(year, c->month))
            day -= 7;
    }
    return day * 86400 + c->second;
}

static void rule_at(const struct timezone_rule *rule, int64_t utc_s, struct timezone_span *span)
{
    *span = (struct timezone_span){INT64_MIN, INT64_MAX, &rule->standard};
    if (!rule->has_dst)
        return;
    int32_t year;
    unsigned month, day;
    days_to_civil(floor_div(utc_s, 86400), &year, &month, &day);
    for (int64_t y = (int64_t)year - 1; y <= (int64_t)year + 1; y++) {
        int64_t from = change_at(&rule->dst_from, y) - rule->standard.offset_s;
        int64_t until = change_at(&rule->dst_until, y) - rule->dst.offset_s;
        const struct {
            int64_t at;
            const struct timezone_kind *kind;
        } changes[] = {{from, &rule->dst}, {until, &rule->standard}};
        for (int i = 0; i < 2; i++) {
            if (changes[i].at <= utc_s && changes[i].at >= span->from)
                span->from = changes[i].at, span->kind = changes[i].kind;
            else if (changes[i].at > utc_s && changes[i].at < span->until)
                span->until = changes[i].at;
        }
    }
}

/* ---- TZif ---------------------------------------------------------------------------------------------- */

struct header {
    uint8_t version;
    uint32_t is_ut, is_std, leaps, times, kinds, chars;
};

static bool read_header(struct rd *r, struct header *h)
{
    const uint8_t *magic = rd_take(r, 4);
    h->version = rd_u8(r);
    rd_take(r, 15);
    h->is_ut = rd_be32(r);
    h->is_std = rd_be32(r);
    h->leaps = rd_be32(r);
    h->times = rd_be32(r);
    h->kinds = rd_be32(r);
    h->chars = rd_be32(r);
    return magic != NULL && !r->bad && memcmp(magic, "TZif", 4) == 0 && h->times <= 65536 && h->kinds >= 1 &&
           h->kinds <= 256 && h->chars >= 1 && h->chars <= 65536 && h->leaps <= 65536 && h->is_ut <= 256 &&
           h->is_std <= 256;
}

static void skip_body(struct rd *r, const struct header *h, size_t time_size)
{
    rd_take(r, h->times * (time_size + 1) + h->kinds * 6 + h->chars + h->leaps * (time_size + 4) + h->is_std +
                   h->is_ut);
}

static bool read_body(struct arena *arena, struct rd *r, const struct header *h, size_t time_size,
                      struct timezone_data *zone)
{
    const uint8_t *times = rd_take(r, h->times * time_size), *kind_of = rd_take(r, h->times);
    const uint8_t *kinds = rd_take(r, (size_t)h->kinds * 6), *chars = rd_take(r, h->chars);
    rd_take(r, h->leaps * (time_size + 4) + h->is_std + h->is_ut);
    if (r->bad || h->leaps > 0)
        return false;
    int64_t *transitions = arena_array(arena, int64_t, h->times);
    struct timezone_kind *out = arena_zarray(arena, struct timezone_kind, h->kinds);
    for (uint32_t i = 0; i < h->times; i++) {
        const uint8_t *p = times + i * time_size;
        transitions[i] = time_size == 8 ? (int64_t)get_be64(p) : (int32_t)get_be32(p);
        if ((i > 0 && transitions[i] <= transitions[i - 1]) || kind_of[i] >= h->kinds)
            return false;
    }
    for (uint32_t i = 0; i < h->kinds; i++) {
        const uint8_t *p = kinds + (size_t)i * 6;
        out[i].offset_s = (int32_t)get_be32(p);
        out[i].is_dst = p[4] != 0;
        if (out[i].offset_s < -86400 || out[i].offset_s > 86400 || p[5] >= h->chars)
            return false;
        size_t room = h->chars - p[5], n = strnlen((const char *)chars + p[5], room);
        n = n < sizeof out[i].abbreviation ? n : sizeof out[i].abbreviation - 1;
        memcpy(out[i].abbreviation, chars + p[5], n);
    }
    zone->count = h->times;
    zone->transitions = transitions;
    zone->kind_of = arena_dup(arena, kind_of, h->times);
    zone->kinds = out;
    zone->first = out[0];
    return true;
}

/* The footer: a rule between two newlines, possibly empty. */
static bool read_footer(struct rd *r, struct timezone_rule *rule)
{
    if (rd_left(r) == 0)
        return true;
    if (rd_u8(r) != '\n')
        return false;
    const uint8_t *end = memchr(r->p, '\n', rd_left(r));
    if (end == NULL)
        return false;
    struct str text = str_n(r->p, (size_t)(end - r->p));
    return text.n == 0 || parse_rule(text, rule);
}

bool timezone_parse(struct arena *arena, struct str name, struct str tzif, struct timezone_data **zone,
                    struct err *err)
{
    struct timezone_data *z = arena_new(arena, struct timezone_data);
    struct rd r = rd_of(tzif.p, tzif.n);
    struct header h;
    size_t time_size = 4;
    z->name = str_dup(arena, name);
    bool ok = tzif.n <= TIMEZONE_BYTES_MAX && read_header(&r, &h);
    if (ok && h.version != 0) {
        skip_body(&r, &h, 4);
        time_size = 8;
        ok = read_header(&r, &h);
    }
    ok = ok && read_body(arena, &r, &h, time_size, z) && (time_size == 4 || read_footer(&r, &z->rule));
    if (!ok)
        return err_set(err, ERR_CONFIG, "the data of time zone \"%.*s\" is damaged, or counts leap seconds",
                       STR_ARG(name));
    *zone = z;
    return true;
}

/* ---- fixed offsets and ids ----------------------------------------------------------------------------- */

static bool two_digits(struct str s, size_t at, int32_t max, int32_t *value)
{
    if (at + 2 > s.n || (unsigned)(s.p[at] - '0') > 9 || (unsigned)(s.p[at + 1] - '0') > 9)
        return false;
    *value = (s.p[at] - '0') * 10 + (s.p[at + 1] - '0');
    return *value <= max;
}

/* ±h, ±hh, ±h:mm, ±hh:m, ±hh:mm, ±hhmm, ±hh:mm:ss, ±hhmmss */
static bool parse_offset(struct str s, int32_t *seconds)
{
    if (s.n < 2 || s.n > 9 || (s.p[0] != '+' && s.p[0] != '-'))
        return false;
    char padded[12];
    size_t n = 1;
    bool short_hour = s.n == 2 || s.p[2] == ':';
    if (short_hour)
        padded[n++] = '0';
    memcpy(padded + n, s.p + 1, s.n - 1);
    n += s.n - 1;
    if (n == 5 && padded[3] == ':') { /* hh:m */
        padded[5] = padded[4], padded[4] = '0';
        n = 6;
    }
    struct str t = str_n(padded, n);
    int32_t h = 0, m = 0, sec = 0;
    size_t colon = n > 3 && padded[3] == ':';
    bool ok = two_digits(t, 1, 18, &h) && (n == 3 || two_digits(t, 3 + colon, 59, &m)) &&
              (n <= 5 + colon || (two_digits(t, 5 + 2 * colon, 59, &sec) && (!colon || padded[6] == ':'))) &&
              (n == 3 || n == 5 + colon || n == 7 + 2 * colon);
    *seconds = (h * 3600 + m * 60 + sec) * (s.p[0] == '-' ? -1 : 1);
    return ok && *seconds <= TIMEZONE_OFFSET_MAX_S && *seconds >= -TIMEZONE_OFFSET_MAX_S;
}

size_t timezone_offset_text(int32_t offset_s, char *out)
{
    if (offset_s == 0) {
        memcpy(out, "Z", 2);
        return 1;
    }
    unsigned v = (unsigned)(offset_s < 0 ? -offset_s : offset_s) % (100 * 3600);
    const unsigned parts[] = {v / 3600, v / 60 % 60, v % 60};
    size_t n = 0;
    for (unsigned i = 0; i < (parts[2] ? 3u : 2u); i++) {
        out[n++] = i > 0 ? ':' : offset_s < 0 ? '-' : '+';
        out[n++] = (char)('0' + parts[i] / 10);
        out[n++] = (char)('0' + parts[i] % 10);
    }
    out[n] = '\0';
    return n;
}

bool timezone_fixed(struct str id, struct timezone_data *zone)
{
    static const char *const prefixes[] = {"UTC", "GMT", "UT"};
    *zone = (struct timezone_data){0};
    int32_t offset = 0;
    if (str_is(id, "Z")) {
        zone->name = "Z";
    } else if (!parse_offset(id, &offset)) {
        size_t i = 0;
        while (i < 3 && !str_starts(id, str_of(prefixes[i])))
            i++;
        if (i == 3)
            return false;
        struct str rest = str_n(id.p + strlen(prefixes[i]), id.n - strlen(prefixes[i]));
        if (rest.n > 0 && !parse_offset(rest, &offset))
            return false;
        zone->name = rest.n == 0 ? prefixes[i] : NULL;
    }
    zone->first.offset_s = offset;
    if (zone->name != NULL)
        memcpy(zone->first.abbreviation, zone->name, strlen(zone->name) + 1);
    else
        timezone_offset_text(offset, zone->first.abbreviation);
    return true;
}

struct str timezone_long_name(struct str id)
{
    static const char *const names[][2] = {
        {"ACT", "Australia/Darwin"},
        {"AET", "Australia/Sydney"},
        {"AGT", "America/Argentina/Buenos_Aires"},
        {"ART", "Africa/Cairo"},
        {"AST", "America/Anchorage"},
        {"BET", "America/Sao_Paulo"},
        {"BST", "Asia/Dhaka"},
        {"CAT", "Africa/Harare"},
        {"CNT", "America/St_Johns"},
        {"CST", "America/Chicago"},
        {"CTT", "Asia/Shanghai"},
        {"EAT", "Africa/Addis_Ababa"},
        {"ECT", "Europe/Paris"},
        {"IET", "America/Indiana/Indianapolis"},
        {"IST", "Asia/Kolkata"},
        {"JST", "Asia/Tokyo"},
        {"MIT", "Pacific/Apia"},
        {"NET", "Asia/Yerevan"},
        {"NST", "Pacific/Auckland"},
        {"PLT", "Asia/Karachi"},
        {"PNT", "America/Phoenix"},
        {"PRT", "America/Puerto_Rico"},
        {"PST", "America/Los_Angeles"},
        {"SST", "Pacific/Guadalcanal"},
        {"VST", "Asia/Ho_Chi_Minh"},
        {"EST", "-05:00"},
        {"MST", "-07:00"},
        {"HST", "-10:00"},
    };
    for (size_t i = 0; id.n == 3 && i < sizeof names / sizeof names[0]; i++)
        if (str_is(id, names[i][0]))
            return str_of(names[i][1]);
    return id;
}

const struct timezone_data *timezone_find(const struct timezone_data *near, struct str id,
                                          struct timezone_data *own)
{
    id = timezone_long_name(id);
    if (timezone_fixed(id, own))
        return own;
    if (near == NULL || id.n == 0)
        return NULL;
    if (near->name != NULL && str_is(id, near->name))
        return near;
    return near->find ? near->find(near->find_arg, id) : NULL;
}

size_t timezone_name(const struct timezone_data *zone, char *out)
{
    zone = zone ? zone : timezone_utc();
    if (zone->name == NULL)
        return timezone_offset_text(zone->first.offset_s, out);
    size_t n = strnlen(zone->name, TIMEZONE_NAME_MAX - 1);
    memcpy(out, zone->name, n);
    out[n] = '\0';
    return n;
}

/* ---- lookups ------------------------------------------------------------------------------------------- */

void timezone_at(const struct timezone_data *zone, int64_t utc_s, struct timezone_span *span)
{
    zone = zone ? zone : timezone_utc();
    uint32_t low = 0,
             high = zone->count; /* the number of transitions at or before utc_s lies in [low, high] */
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (zone->transitions[middle] <= utc_s)
            low = middle + 1;
        else
            high = middle;
    }
    int64_t from = low > 0 ? zone->transitions[low - 1] : INT64_MIN;
    if (low == zone->count && zone->rule.exists) {
        rule_at(&zone->rule, utc_s, span);
        span->from = span->from > from ? span->from : from;
        return;
    }
    span->from = from;
    span->until = low < zone->count ? zone->transitions[low] : INT64_MAX;
    span->kind = low > 0 ? &zone->kinds[zone->kind_of[low - 1]] : &zone->first;
}

int32_t timezone_offset(const struct timezone_data *zone, int64_t utc_us)
{
    struct timezone_span span;
    timezone_at(zone, floor_div(utc_us, US_PER_S), &span);
    return span.kind->offset_s;
}

static int64_t seconds_to_us(int64_t s)
{
    int64_t v;
    return __builtin_mul_overflow(s, US_PER_S, &v) ? (s > 0 ? INT64_MAX : INT64_MIN) : v;
}

bool timezone_to_local_exact(const struct timezone_data *zone, int64_t utc_us, int64_t *local_us)
{
    return timezone_local_exact(zone, utc_us, &(struct timezone_cursor){0}, local_us);
}

int64_t timezone_to_local(const struct timezone_data *zone, int64_t utc_us)
{
    int64_t local_us;
    timezone_to_local_exact(zone, utc_us, &local_us);
    return local_us;
}

void timezone_seek(const struct timezone_data *zone, int64_t utc_us, struct timezone_cursor *cursor)
{
    struct timezone_span span;
    timezone_at(zone, floor_div(utc_us, US_PER_S), &span);
    cursor->from_us = seconds_to_us(span.from);
    cursor->until_us = seconds_to_us(span.until);
    cursor->offset_us = span.kind->offset_s * US_PER_S;
}

/* Goes through the spans around the local time: in the one before a gap or an overlap the time is right,
 * in a gap by being moved on, in an overlap as the earlier of two. */
static bool find_utc(const struct timezone_data *zone, int64_t local_us, struct timezone_span *span,
                     int64_t *utc_us)
{
    enum { SPANS_MAX = 8 }; /* of three days; no zone has changed more often */
    int64_t local_s = floor_div(local_us, US_PER_S);
    timezone_at(zone, local_s - 86400, span);
    for (int i = 0; i < SPANS_MAX && local_s - span->kind->offset_s >= span->until; i++) {
        struct timezone_span next;
        timezone_at(zone, span->until, &next);
        if (local_s - next.kind->offset_s < next.from)
            break; /* in the gap between the two */
        *span = next;
    }
    int64_t offset_us = span->kind->offset_s * US_PER_S;
    if (!__builtin_sub_overflow(local_us, offset_us, utc_us))
        return true;
    *utc_us = offset_us > 0 ? INT64_MIN : INT64_MAX;
    return false;
}

bool timezone_to_utc_exact(const struct timezone_data *zone, int64_t local_us, int64_t *utc_us)
{
    struct timezone_span span;
    return find_utc(zone, local_us, &span, utc_us);
}

int64_t timezone_to_utc(const struct timezone_data *zone, int64_t local_us)
{
    int64_t utc_us;
    timezone_to_utc_exact(zone, local_us, &utc_us);
    return utc_us;
}

int64_t timezone_to_utc_slow(const struct timezone_data *zone, int64_t local_us,
                             struct timezone_cursor *cursor)
{
    struct timezone_span span;
    int64_t utc_us;
    find_utc(zone, local_us, &span, &utc_us);
    cursor->from_us = seconds_to_us(span.from);
    cursor->until_us = seconds_to_us(span.until);
    cursor->offset_us = span.kind->offset_s * US_PER_S;
    return utc_us;
}

int32_t timestamp_to_date(const struct timezone_data *zone, int64_t utc_us)
{
    return (int32_t)floor_div(timezone_to_local(zone, utc_us), US_PER_DAY);
}

bool date_to_timestamp(const struct timezone_data *zone, int64_t days, int64_t *utc_us)
{
    int64_t local_us;
    return !__builtin_mul_overflow(days, US_PER_DAY, &local_us) &&
           timezone_to_utc_exact(zone, local_us, utc_us);
}

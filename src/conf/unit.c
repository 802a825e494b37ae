/* Texts with units, and the other small languages of single values: booleans, sizes, durations, rates, addresses, names.
 *
 * Numbers may have a fraction ("1.5GiB", "0.5s"); they are read as an integer of up to 18 digits and a power of ten, so
 * that what comes out is exact, or refused where it is no whole number of the unit stored. */
#include <stdio.h>

#include "base/check.h"
#include "conf/option.h"

enum { FRACTION_DIGITS_MAX = 9, HOST_MAX = 253, TOPIC_MAX = 249, NAME_MAX_BYTES = 63 };

struct unit {
    const char *name;
    uint64_t value;
};

/* The case matters nowhere but here: k = KiB, and kB is 1000. */
static const struct unit size_units[] = {
    {"B", 1},
    {"k", UINT64_C(1) << 10},
    {"m", UINT64_C(1) << 20},
    {"g", UINT64_C(1) << 30},
    {"t", UINT64_C(1) << 40},
    {"p", UINT64_C(1) << 50},
    {"KiB", UINT64_C(1) << 10},
    {"MiB", UINT64_C(1) << 20},
    {"GiB", UINT64_C(1) << 30},
    {"TiB", UINT64_C(1) << 40},
    {"PiB", UINT64_C(1) << 50},
    {"kB", 1000},
    {"MB", 1000000},
    {"GB", 1000000000},
    {"TB", 1000000000000},
    {"PB", 1000000000000000},
    {NULL, 0},
};

static const struct unit duration_units[] = {
    {"ms", 1},         {"s", 1000},         {"sec", 1000},        {"second", 1000},   {"seconds", 1000},
    {"m", 60000},      {"min", 60000},      {"minute", 60000},    {"minutes", 60000}, {"h", 3600000},
    {"hour", 3600000}, {"hours", 3600000},  {"d", 86400000},      {"day", 86400000},  {"days", 86400000},
    {"w", 604800000},  {"week", 604800000}, {"weeks", 604800000}, {NULL, 0},
};

static const struct unit rate_factors[] = {{"", 1}, {"k", 1000}, {"M", 1000000}, {NULL, 0}};

static const char *const size_hint = "Write a number and a unit, as in 64KiB, 32MiB or 1GB.";
static const char *const duration_hint = "Write numbers with units, as in 500ms, 10s, 1h30m or 7d.";
static const char *const rate_hint = "Write a number and a time, as in 100/s, 5/m or 1000/h.";

static const struct unit *find_unit(const struct unit *units, struct str name)
{
    for (; units->name; units++)
        if (str_eq_nocase(str_of(units->name), name))
            return units;
    return NULL;
}

/* A decimal number at the front of *text: digits × 10^-fraction. Takes it and the blanks behind it. */
struct number {
    uint64_t digits;
    unsigned fraction;
};

static bool take_number(struct str *text, struct number *number)
{
    bool any = false, point = false;
    *number = (struct number){0};
    while (text->n > 0) {
        char c = text->p[0];
        if (c == '.' && !point && any && text->n > 1 && text->p[1] >= '0' && text->p[1] <= '9') {
            point = true;
        } else if (c >= '0' && c <= '9') {
            if (number->digits > (UINT64_MAX - 9) / 10 || (point && number->fraction == FRACTION_DIGITS_MAX))
                return false;
            number->digits = number->digits * 10 + (uint64_t)(c - '0');
            number->fraction += point;
            any = true;
        } else {
            break;
        }
        text->p++, text->n--;
    }
    while (text->n > 0 && text->p[0] == ' ')
        text->p++, text->n--;
    return any;
}

/* number × unit; false when it is not whole (*whole = false) or does not fit 63 bits. */
static bool multiply(struct number number, uint64_t unit, uint64_t *value, bool *whole)
{
    unsigned __int128 product = (unsigned __int128)number.digits * unit;
    *whole = true;
    for (unsigned i = 0; i < number.fraction; i++) {
        *whole = *whole && product % 10 == 0;
        product /= 10;
    }
    *value = (uint64_t)product;
    return *whole && product <= INT64_MAX;
}

static struct str take_letters(struct str *text)
{
    struct str letters = {text->p, 0};
    while (text->n > 0 &&
           ((text->p[0] >= 'a' && text->p[0] <= 'z') || (text->p[0] >= 'A' && text->p[0] <= 'Z'))) {
        letters.n++;
        text->p++, text->n--;
    }
    return letters;
}

bool conf_text_bool(struct str text, bool *value, struct err *err)
{
    static const char *const words[] = {"true", "True", "TRUE", "false", "False", "FALSE"};
    for (size_t i = 0; i < 6; i++)
        if (str_is(text, words[i])) {
            *value = i < 3;
            return true;
        }
    err_set(err, ERR_CONFIG, "must be true or false, not \"%.*s\"", STR_ARG(text));
    bool yes = str_eq_nocase(text, STR("yes")) || str_eq_nocase(text, STR("on")) || str_is(text, "1");
    bool no = str_eq_nocase(text, STR("no")) || str_eq_nocase(text, STR("off")) || str_is(text, "0");
    return yes || no ? err_hint(err, "did you mean %s?", yes ? "true" : "false") : false;
}

bool conf_text_size(struct str text, uint64_t *bytes, struct err *err)
{
    struct str rest = str_trim(text);
    struct number number;
    bool whole;
    if (!take_number(&rest, &number)) {
        err_set(err, ERR_CONFIG, "must be a size, not \"%.*s\"", STR_ARG(text));
        return err_hint(err, "%s", size_hint);
    }
    struct str name = take_letters(&rest);
    const struct unit *unit = find_unit(size_units, name.n ? name : STR("B"));
    if (unit == NULL || rest.n > 0) {
        err_set(err, ERR_CONFIG, "unknown unit \"%.*s\" in the size \"%.*s\"", (int)(name.n + rest.n), name.p,
                STR_ARG(text));
        return err_hint(err, "%s", size_hint);
    }
    if (multiply(number, unit->value, bytes, &whole))
        return true;
    return err_set(err, ERR_CONFIG, "the size \"%.*s\" is %s", STR_ARG(text),
                   whole ? "too large" : "no whole number of bytes");
}

static bool bad_duration(struct str text, struct err *err)
{
    err_set(err, ERR_CONFIG, "must be a duration, not \"%.*s\"", STR_ARG(text));
    uint64_t n;
    if (str_to_u64(text, &n))
        return err_hint(err, "did you mean \"%.*ss\" or \"%.*sms\"?", STR_ARG(text), STR_ARG(text));
    return err_hint(err, "%s", duration_hint);
}

bool conf_text_duration(struct str text, int64_t *ms, struct err *err)
{
    struct str rest = str_trim(text);
    uint64_t sum = 0, last = UINT64_MAX;
    if (rest.n == 0)
        return bad_duration(text, err);
    if (str_is(rest, "0")) {
        *ms = 0;
        return true;
    }
    while (rest.n > 0) {
        struct number number;
        uint64_t part;
        bool whole;
        if (!take_number(&rest, &number))
            return bad_duration(text, err);
        struct str name = take_letters(&rest);
        if (name.n == 0)
            return bad_duration(text, err);
        const struct unit *unit = find_unit(duration_units, name);
        if (unit == NULL) {
            err_set(err, ERR_CONFIG, "unknown unit \"%.*s\" in the duration \"%.*s\"", STR_ARG(name),
                    STR_ARG(text));
            return err_hint(err, "%s", duration_hint);
        }
        if (unit->value >= last)
            return err_set(err, ERR_CONFIG, "the units of the duration \"%.*s\" must go from large to small",
                           STR_ARG(text));
        last = unit->value;
        bool fits = multiply(number, unit->value, &part, &whole);
        if (!whole)
            return err_set(err, ERR_CONFIG, "the duration \"%.*s\" is no whole number of milliseconds",
                           STR_ARG(text));
        if (!fits || part > INT64_MAX - sum)
            return err_set(err, ERR_CONFIG, "the duration \"%.*s\" is too long", STR_ARG(text));
        sum += part;
        rest = str_trim(rest);
    }
    *ms = (int64_t)sum;
    return true;
}

static bool bad_rate(struct str text, struct err *err)
{
    uint64_t n;
    err_set(err, ERR_CONFIG, "must be a rate, not \"%.*s\"", STR_ARG(text));
    if (str_to_u64(text, &n))
        return err_hint(err, "did you mean \"%.*s/s\"?", STR_ARG(text));
    return err_hint(err, "%s", rate_hint);
}

bool conf_text_rate(struct str text, double *per_s, struct err *err)
{
    struct str rest = str_trim(text);
    struct number number;
    if (!take_number(&rest, &number))
        return bad_rate(text, err);
    const struct unit *factor = find_unit(rate_factors, take_letters(&rest));
    rest = str_trim(rest);
    if (factor == NULL || rest.n < 2 || rest.p[0] != '/')
        return bad_rate(text, err);
    const struct unit *time = find_unit(duration_units, str_trim(str_n(rest.p + 1, rest.n - 1)));
    if (time == NULL)
        return bad_rate(text, err);
    double value = (double)number.digits;
    for (unsigned i = 0; i < number.fraction; i++)
        value /= 10;
    *per_s = value * (double)factor->value * 1000 / (double)time->value;
    return true;
}

/* ---- addresses and names ------------------------------------------------------------------------------------- */

static bool is_host(struct str host)
{
    if (host.n > HOST_MAX)
        return false;
    for (size_t i = 0; i < host.n; i++) {
        char c = host.p[i];
        bool ok = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
                  c == '-' || c == '_' || c == ':' || c == '%';
        if (!ok)
            return false;
    }
    return true;
}

bool conf_text_address(struct arena *arena, struct str text, struct conf_address *address, struct err *err)
{
    uint64_t port;
    *address = (struct conf_address){.host = ""};
    if (str_is(text, "off")) {
        address->off = true;
        return true;
    }
    size_t colon = text.n;
    while (colon > 0 && text.p[colon - 1] != ':')
        colon--;
    struct str host = str_n(text.p, colon > 0 ? colon - 1 : 0);
    if (host.n >= 2 && host.p[0] == '[' && host.p[host.n - 1] == ']')
        host = str_n(host.p + 1, host.n - 2);
    else if (str_find(host, STR(":"), 0) != SIZE_MAX)
        colon = 0; /* IPv6 without brackets: where the port begins is anyone's guess */
    if (colon == 0 || !is_host(host) || !str_to_u64(str_n(text.p + colon, text.n - colon), &port)) {
        err_set(err, ERR_CONFIG, "must be an address, not \"%.*s\"", STR_ARG(text));
        return err_hint(err, "Write host:port, as in 127.0.0.1:9092, :9092, \"[::1]:9092\", or off.");
    }
    if (port > UINT16_MAX)
        return err_set(err, ERR_CONFIG, "the port %.*s is not from 0 to 65535", (int)(text.n - colon),
                       text.p + colon);
    address->host = str_dup(arena, str_is(host, "*") ? STR("") : host);
    address->port = (uint16_t)port;
    return true;
}

bool conf_text_name(struct str text, struct err *err)
{
    bool ok = text.n > 0 && text.n <= NAME_MAX_BYTES && text.p[0] >= 'a' && text.p[0] <= 'z';
    for (size_t i = 0; ok && i < text.n; i++) {
        char c = text.p[i];
        ok = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
    }
    if (ok)
        return true;
    err_set(err, ERR_CONFIG, "\"%.*s\" is no name", STR_ARG(text));
    char better[NAME_MAX_BYTES + 1];
    size_t n = 0;
    for (size_t i = 0; i < text.n && n < NAME_MAX_BYTES; i++) {
        char c = text.p[i];
        c = c >= 'A' && c <= 'Z' ? (char)(c + 32) : c == '-' || c == '.' || c == ' ' ? '_' : c;
        if ((c >= 'a' && c <= 'z') || (n > 0 && ((c >= '0' && c <= '9') || c == '_')))
            better[n++] = c;
    }
    better[n] = '\0';
    if (n > 0 && text.n <= NAME_MAX_BYTES)
        return err_hint(err, "did you mean \"%s\"? Names are of a-z, 0-9 and _, and begin with a letter.",
                        better);
    return err_hint(err, "Names are of a-z, 0-9 and _, begin with a letter, and have at most %d characters.",
                    NAME_MAX_BYTES);
}

bool conf_text_topic(struct str text, struct err *err)
{
    bool ok = text.n > 0 && text.n <= TOPIC_MAX && !str_is(text, ".") && !str_is(text, "..");
    for (size_t i = 0; ok && i < text.n; i++) {
        char c = text.p[i];
        ok = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
             c == '_' || c == '-';
    }
    if (ok)
        return true;
    err_set(err, ERR_CONFIG, "\"%.*s\" is no name of a topic", STR_ARG(text));
    return err_hint(err, "Kafka takes 1 to %d of the characters a-z, A-Z, 0-9, \".\", \"_\" and \"-\".",
                    TOPIC_MAX);
}

/* ---- and back ------------------------------------------------------------------------------------------------ */

const char *conf_duration_text(int64_t ms, char *out)
{
    static const struct unit units[] = {
        {"d", 86400000}, {"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1}};
    uint64_t left = ms < 0 ? UINT64_C(0) - (uint64_t)ms : (uint64_t)ms;
    size_t n = 0;
    if (ms == 0)
        memcpy(out, "0s", sizeof "0s");
    if (ms < 0)
        out[n++] = '-';
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        uint64_t count = left / units[i].value;
        left %= units[i].value;
        if (count > 0)
            n += (size_t)snprintf(out + n, CONF_UNIT_TEXT_MAX - n, "%llu%s", (unsigned long long)count,
                                  units[i].name);
    }
    return out;
}

const char *conf_size_text(uint64_t bytes, char *out)
{
    static const struct unit units[] = {{"PiB", UINT64_C(1) << 50}, {"TiB", UINT64_C(1) << 40},
                                        {"GiB", UINT64_C(1) << 30}, {"MiB", UINT64_C(1) << 20},
                                        {"KiB", UINT64_C(1) << 10}, {"B", 1}};
    size_t i = 0;
    while (bytes % units[i].value != 0 || (bytes == 0 && units[i].value > 1))
        i++;
    snprintf(out, CONF_UNIT_TEXT_MAX, "%llu%s", (unsigned long long)(bytes / units[i].value), units[i].name);
    return out;
}

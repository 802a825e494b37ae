/* The table of configurations, and what values are valid. */
#include <string.h>

#include "broker/configs_private.h"

#define ANY .bounds = CONFIG_ANY
#define AT_LEAST(least) .bounds = CONFIG_RANGE, .min = (least), .max = INT64_MAX
#define BETWEEN(least, most) .bounds = CONFIG_RANGE, .min = (least), .max = (most)
#define LEVEL(least, most) .bounds = CONFIG_LEVEL, .min = (least), .max = (most)
#define ONE_OF(list) .bounds = CONFIG_ONE_OF, .words = (list)
#define NO_CASE(list) .bounds = CONFIG_NO_CASE, .words = (list)
#define REPLICAS .bounds = CONFIG_REPLICAS
#define MATCH(list) .bounds = CONFIG_MATCH, .words = (list)
#define RESET .bounds = CONFIG_RESET
#define LIMITS .bounds = CONFIG_LIMITS
#define READ_ONLY true
#define DYNAMIC false

#define CONFIG(scope_, name_, type_, value_, bounds_, synonyms_, read_only_, help_)                          \
    {.scope = CONFIG_##scope_,                                                                               \
     .name = name_,                                                                                          \
     .type = CONFIG_##type_,                                                                                 \
     .value = value_,                                                                                        \
     bounds_,                                                                                                \
     .synonyms = synonyms_,                                                                                  \
     .read_only = read_only_,                                                                                \
     .help = help_},
static const struct config_def defs[] = {
#include "broker/config.def"
};
#undef CONFIG

const struct config_def *config_defs(size_t *count)
{
    *count = sizeof defs / sizeof *defs;
    return defs;
}

const struct config_def *config_find(enum config_scope scope, struct str name)
{
    for (size_t i = 0; i < sizeof defs / sizeof *defs; i++)
        if (defs[i].scope == scope && str_is(name, defs[i].name))
            return &defs[i];
    return NULL;
}

/* ---- values --------------------------------------------------------------------------------------------------- */

static bool invalid(const struct config_def *def, struct str value, struct err *err, const char *why)
{
    if (def->type == CONFIG_PASSWORD)
        return err_set(err, ERR_CONFIG, "invalid value for \"%s\": %s", def->name, why);
    return err_set(err, ERR_CONFIG, "invalid value \"%.*s\" for \"%s\": %s", STR_ARG(value), def->name, why);
}

/* One of "a|b|c". */
static bool is_word(struct str value, const char *words, bool no_case)
{
    for (const char *at = words, *end; *at; at = *end ? end + 1 : end) {
        end = strchr(at, '|');
        end = end ? end : at + strlen(at);
        struct str word = str_n(at, (size_t)(end - at));
        if (no_case ? str_eq_nocase(value, word) : str_eq(value, word))
            return true;
    }
    return false;
}

bool config_next_item(struct str *rest, struct str *item)
{
    if (rest->p == NULL)
        return false;
    size_t comma = str_find(*rest, STR(","), 0);
    if (comma == SIZE_MAX) {
        *item = str_trim(*rest);
        *rest = (struct str){0};
    } else {
        *item = str_trim(str_n(rest->p, comma));
        *rest = str_n(rest->p + comma + 1, rest->n - comma - 1);
    }
    return true;
}

static bool is_replica(struct str item)
{
    size_t colon = str_find(item, STR(":"), 0);
    uint64_t number;
    return colon != SIZE_MAX && str_to_u64(str_n(item.p, colon), &number) &&
           str_to_u64(str_n(item.p + colon + 1, item.n - colon - 1), &number);
}

static bool check_items(const struct config_def *def, struct str value, struct err *err)
{
    struct str trimmed = str_trim(value), rest = trimmed, item;
    if (trimmed.n == 0 || def->bounds == CONFIG_ANY ||
        (def->bounds == CONFIG_REPLICAS && str_is(trimmed, "*")))
        return true;
    while (config_next_item(&rest, &item)) {
        struct str before = str_n(trimmed.p, (size_t)(item.p - trimmed.p)), other;
        if (def->bounds == CONFIG_REPLICAS) {
            if (!is_replica(item))
                return invalid(def, value, err, "it is neither * nor partition:broker,partition:broker,…");
            continue;
        }
        if (def->bounds == CONFIG_MATCH) {
            size_t equals = str_find(item, STR("="), 0);
            if (equals == SIZE_MAX || !is_word(str_trim(str_n(item.p, equals)), def->words, false))
                return err_set(err, ERR_CONFIG,
                               "invalid value \"%.*s\" for \"%s\": it is not one of %s, = and a pattern",
                               STR_ARG(value), def->name, def->words);
            continue;
        }
        if (!is_word(item, def->words, false))
            return err_set(err, ERR_CONFIG, "invalid value \"%.*s\" for \"%s\": \"%.*s\" is none of %s",
                           STR_ARG(value), def->name, STR_ARG(item), def->words);
        while (before.n > 0 && config_next_item(&before, &other))
            if (str_eq(other, item))
                return invalid(def, value, err, "an item is there twice");
    }
    return true;
}

static bool check_range(const struct config_def *def, struct str value, double number, int64_t integer,
                        struct err *err)
{
    bool is_double = def->type == CONFIG_DOUBLE;
    if (def->bounds == CONFIG_LEVEL && integer == -1)
        return true;
    if (def->bounds != CONFIG_RANGE && def->bounds != CONFIG_LEVEL)
        return true;
    if (is_double ? !(number >= (double)def->min) : integer < def->min)
        return err_set(err, ERR_CONFIG, "invalid value \"%.*s\" for \"%s\": it must be at least %lld",
                       STR_ARG(value), def->name, (long long)def->min);
    if (is_double ? number > (double)def->max : integer > def->max)
        return err_set(err, ERR_CONFIG, "invalid value \"%.*s\" for \"%s\": it must be no more than %lld",
                       STR_ARG(value), def->name, (long long)def->max);
    return true;
}

static bool check_integer(const struct config_def *def, struct str value, struct err *err)
{
    struct str digits = str_trim(value);
    if (digits.n > 1 && digits.p[0] == '+')
        digits = str_n(digits.p + 1, digits.n - 1);
    int64_t number;
    bool fits = str_to_i64(digits, &number);
    if (fits && def->type == CONFIG_INT)
        fits = number >= INT32_MIN && number <= INT32_MAX;
    if (fits && def->type == CONFIG_SHORT)
        fits = number >= INT16_MIN && number <= INT16_MAX;
    if (!fits)
        return invalid(def, value, err,
                       def->type == CONFIG_LONG  ? "it is not a number of type LONG"
                       : def->type == CONFIG_INT ? "it is not a number of type INT"
                                                 : "it is not a number of type SHORT");
    return check_range(def, value, 0, number, err);
}

static bool is_address(struct str text)
{
    bool has_separator = false;
    for (size_t i = 0; i < text.n; i++) {
        bool separates = text.p[i] == '.' || text.p[i] == ':';
        if (!separates && memchr("0123456789abcdefABCDEF", text.p[i], 22) == NULL)
            return false;
        has_separator |= separates;
    }
    return has_separator;
}

bool config_next_limit(struct str *rest, struct str *address, int32_t *max)
{
    struct str item;
    int64_t number;
    *address = (struct str){0};
    if (!config_next_item(rest, &item) || item.n == 0)
        return false;
    size_t colon = item.n;
    while (colon > 0 && item.p[colon - 1] != ':')
        colon--;
    if (colon > 0 && str_to_i64(str_n(item.p + colon, item.n - colon), &number) && number >= 0 &&
        number <= INT32_MAX && is_address(str_n(item.p, colon - 1))) {
        *address = str_n(item.p, colon - 1);
        *max = (int32_t)number;
    }
    return true;
}

static bool check_limits(const struct config_def *def, struct str value, struct err *err)
{
    struct str rest = value, address;
    int32_t max;
    while (config_next_limit(&rest, &address, &max))
        if (address.n == 0)
            return invalid(def, value, err, "it is not address:number,address:number,…");
    return true;
}

static bool check_text(const struct config_def *def, struct str value, struct err *err)
{
    struct str text = str_trim(value);
    bool no_case = def->bounds == CONFIG_NO_CASE;
    if ((no_case || def->bounds == CONFIG_ONE_OF) && !is_word(text, def->words, no_case))
        return err_set(err, ERR_CONFIG, "invalid value \"%.*s\" for \"%s\": it is none of %s", STR_ARG(value),
                       def->name, def->words);
    if (def->bounds == CONFIG_LIMITS)
        return check_limits(def, text, err);
    if (def->bounds == CONFIG_RESET && !str_is(text, "latest") && !str_is(text, "earliest") &&
        !(str_starts(text, STR("by_duration:P")) && text.n > strlen("by_duration:P")))
        return invalid(def, value, err, "it is none of latest, earliest, by_duration:PnDTnHnMn.nS");
    return true;
}

bool config_check(const struct config_def *def, struct str value, struct err *err)
{
    double number;
    switch (def->type) {
    case CONFIG_BOOLEAN:
        if (!str_eq_nocase(str_trim(value), STR("true")) && !str_eq_nocase(str_trim(value), STR("false")))
            return invalid(def, value, err, "it is neither true nor false");
        return true;
    case CONFIG_INT:
    case CONFIG_SHORT:
    case CONFIG_LONG: return check_integer(def, value, err);
    case CONFIG_DOUBLE:
        if (!str_to_f64(str_trim(value), &number))
            return invalid(def, value, err, "it is not a number of type DOUBLE");
        return check_range(def, value, number, 0, err);
    case CONFIG_LIST: return check_items(def, value, err);
    default: return check_text(def, value, err);
    }
}

struct str config_canonical(const struct config_def *def, struct str value, struct arena *arena)
{
    struct str text = str_trim(value);
    if (def->type == CONFIG_BOOLEAN)
        return str_eq_nocase(text, STR("true")) ? STR("true") : STR("false");
    if (def->type == CONFIG_INT || def->type == CONFIG_SHORT || def->type == CONFIG_LONG) {
        int64_t number = 0;
        str_to_i64(text.n && text.p[0] == '+' ? str_n(text.p + 1, text.n - 1) : text, &number);
        return str_of(arena_printf(arena, "%lld", (long long)number));
    }
    if (def->type == CONFIG_DOUBLE) {
        double number = 0;
        char digits[32];
        str_to_f64(text, &number);
        size_t n = str_from_f64(number, digits);
        bool is_whole = strspn(digits, "-0123456789") == n; /* Java writes 1.0 */
        size_t e = str_find(str_n(digits, n), STR("e+"), 0);
        if (e != SIZE_MAX) /* and 1.5E20 */
            return str_of(arena_printf(arena, "%.*s%sE%.*s", (int)e, digits,
                                       memchr(digits, '.', e) ? "" : ".0", (int)(n - e - 2), digits + e + 2));
        return str_of(arena_printf(arena, "%.*s%s", (int)n, digits, is_whole ? ".0" : ""));
    }
    if (def->type != CONFIG_LIST)
        return text;
    char *list = arena_alloc(arena, text.n + 1);
    size_t n = 0;
    struct str rest = text, item;
    while (config_next_item(&rest, &item)) {
        if (n)
            list[n++] = ',';
        if (item.n)
            memcpy(list + n, item.p, item.n);
        n += item.n;
    }
    return str_n(list, n);
}

/* Spark's options of JSON, by name. */
#include "format/json.h"

enum option_kind { OPTION_BOOL, OPTION_TEXT, OPTION_MODE, OPTION_ELSEWHERE };

#define BOOL(name, member)                                                                                   \
    {                                                                                                        \
        name, OPTION_BOOL, offsetof(struct json_options, member)                                             \
    }
#define TEXT(name, member)                                                                                   \
    {                                                                                                        \
        name, OPTION_TEXT, offsetof(struct json_options, member)                                             \
    }
#define ELSEWHERE(name)                                                                                      \
    {                                                                                                        \
        name, OPTION_ELSEWHERE, 0                                                                            \
    } /* the business of whoever reads the files */

static const struct {
    const char *name;
    enum option_kind kind;
    size_t offset;
} options_table[] = {
    BOOL("allowSingleQuotes", allow_single_quotes),
    BOOL("allowNonNumericNumbers", allow_non_numeric_numbers),
    BOOL("allowComments", allow_comments),
    BOOL("allowUnquotedFieldNames", allow_unquoted_field_names),
    BOOL("allowNumericLeadingZeros", allow_numeric_leading_zeros),
    BOOL("allowUnquotedControlChars", allow_unquoted_control_chars),
    BOOL("allowBackslashEscapingAnyCharacter", allow_backslash_escaping_any_character),
    BOOL("primitivesAsString", primitives_as_string),
    BOOL("prefersDecimal", prefers_decimal),
    BOOL("inferTimestamp", prefers_timestamp),
    BOOL("ignoreNullFields", ignore_null_fields),
    BOOL("pretty", pretty),
    TEXT("timestampFormat", timestamp_format),
    TEXT("timestampNTZFormat", timestamp_ntz_format),
    TEXT("dateFormat", date_format),
    TEXT("columnNameOfCorruptRecord", corrupt_record),
    {"mode", OPTION_MODE, 0},
    ELSEWHERE("multiLine"),
    ELSEWHERE("lineSep"),
    ELSEWHERE("encoding"),
    ELSEWHERE("charset"),
    ELSEWHERE("compression"),
    ELSEWHERE("samplingRatio"),
    ELSEWHERE("timeZone"),
    ELSEWHERE("locale"),
};
enum { OPTIONS = sizeof options_table / sizeof options_table[0] };

struct json_options json_options_default(void)
{
    return (struct json_options){.allow_single_quotes = true,
                                 .allow_non_numeric_numbers = true,
                                 .corrupt_record = "_corrupt_record",
                                 .depth_max = JSON_DEPTH_MAX,
                                 .width_max = JSON_WIDTH_MAX,
                                 .record_max = JSON_RECORD_MAX};
}

static bool set_bool(bool *flag, const char *name, struct str value, struct err *err)
{
    bool yes = str_eq_nocase(value, STR("true"));
    if (yes || str_eq_nocase(value, STR("false"))) {
        *flag = yes;
        return true;
    }
    return err_set(err, ERR_CONFIG, "option \"%s\" is true or false, not \"%.*s\"", name, STR_ARG(value));
}

static bool set_mode(enum json_mode *mode, struct str value, struct err *err)
{
    static const char *const names[] = {"PERMISSIVE", "DROPMALFORMED", "FAILFAST"};
    for (int i = 0; i < 3; i++)
        if (str_eq_nocase(value, str_of(names[i]))) {
            *mode = (enum json_mode)i;
            return true;
        }
    return err_set(err, ERR_CONFIG, "mode is PERMISSIVE, DROPMALFORMED or FAILFAST, not \"%.*s\"",
                   STR_ARG(value));
}

bool json_options_set(struct json_options *options, const char *name, const char *value, struct err *err)
{
    for (int i = 0; i < OPTIONS; i++) {
        if (!str_eq_nocase(str_of(options_table[i].name), str_of(name)))
            continue;
        void *member = (char *)options + options_table[i].offset;
        switch (options_table[i].kind) {
        case OPTION_BOOL: return set_bool(member, options_table[i].name, str_of(value), err);
        case OPTION_TEXT: *(const char **)member = value; return true;
        case OPTION_MODE: return set_mode(&options->mode, str_of(value), err);
        case OPTION_ELSEWHERE: return true;
        }
    }
    const char *names[OPTIONS];
    for (int i = 0; i < OPTIONS; i++)
        names[i] = options_table[i].name;
    const char *nearest = str_nearest(str_of(name), names, OPTIONS);
    err_set(err, ERR_CONFIG, "JSON has no option \"%s\"", name);
    return nearest ? err_hint(err, "Did you mean \"%s\"?", nearest) : false;
}

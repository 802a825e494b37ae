/* CSV as text: its options, where records end, where fields end.
 *
 * A quote opens a quoted field only as the field's first byte. In quotes, a doubled quote is a quote, and
 * so is one behind the escape character; a quote that neither a separator nor the end follows was none:
 * then the field counts as one without quotes, up to the next separator (as Spark's parser does it). */
#include "format/csv_private.h"

/* ---- options ------------------------------------------------------------------------------------------- */

struct csv_options csv_options_default(void)
{
    return (struct csv_options){.sep = ',',
                                .quote = '"',
                                .escape = '\\',
                                .null_value = "",
                                .nan_value = "NaN",
                                .positive_inf = "Inf",
                                .negative_inf = "-Inf",
                                .corrupt_record = "_corrupt_record",
                                .record_max = CSV_RECORD_MAX};
}

struct csv_options csv_options_rfc4180(void)
{
    struct csv_options options = csv_options_default();
    options.escape = '"';
    return options;
}

enum option_kind { OPTION_BOOL, OPTION_TEXT, OPTION_BYTE, OPTION_MODE, OPTION_ELSEWHERE };

#define BOOL(name, member)                                                                                   \
    {                                                                                                        \
        name, OPTION_BOOL, offsetof(struct csv_options, member)                                              \
    }
#define TEXT(name, member)                                                                                   \
    {                                                                                                        \
        name, OPTION_TEXT, offsetof(struct csv_options, member)                                              \
    }
#define BYTE(name, member)                                                                                   \
    {                                                                                                        \
        name, OPTION_BYTE, offsetof(struct csv_options, member)                                              \
    }
#define ELSEWHERE(name)                                                                                      \
    {                                                                                                        \
        name, OPTION_ELSEWHERE, 0                                                                            \
    } /* the business of whoever reads the files, or without effect here */

static const struct {
    const char *name;
    enum option_kind kind;
    size_t offset;
} options_table[] = {
    BYTE("sep", sep),
    BYTE("delimiter", sep),
    BYTE("quote", quote),
    BYTE("escape", escape),
    BYTE("comment", comment),
    BOOL("header", header),
    BOOL("multiLine", multi_line),
    BOOL("ignoreLeadingWhiteSpace", ignore_leading_white_space),
    BOOL("ignoreTrailingWhiteSpace", ignore_trailing_white_space),
    BOOL("quoteAll", quote_all),
    TEXT("nullValue", null_value),
    TEXT("nanValue", nan_value),
    TEXT("positiveInf", positive_inf),
    TEXT("negativeInf", negative_inf),
    TEXT("timestampFormat", timestamp_format),
    TEXT("timestampNTZFormat", timestamp_ntz_format),
    TEXT("dateFormat", date_format),
    TEXT("columnNameOfCorruptRecord", corrupt_record),
    {"mode", OPTION_MODE, 0},
    ELSEWHERE("inferSchema"),
    ELSEWHERE("enforceSchema"),
    ELSEWHERE("samplingRatio"),
    ELSEWHERE("encoding"),
    ELSEWHERE("charset"),
    ELSEWHERE("lineSep"),
    ELSEWHERE("compression"),
    ELSEWHERE("timeZone"),
    ELSEWHERE("locale"),
    ELSEWHERE("maxColumns"),
    ELSEWHERE("maxCharsPerColumn"),
};
enum { OPTIONS = sizeof options_table / sizeof options_table[0] };

static bool set_bool(bool *flag, const char *name, struct str value, struct err *err)
{
    bool yes = str_eq_nocase(value, STR("true"));
    if (!yes && !str_eq_nocase(value, STR("false")))
        return err_set(err, ERR_CONFIG, "option \"%s\" is true or false, not \"%.*s\"", name, STR_ARG(value));
    *flag = yes;
    return true;
}

static bool set_byte(char *byte, const char *name, const char *value, struct err *err)
{
    if (strcmp(value, "\\t") == 0)
        value = "\t";
    if (value[0] != 0 && value[1] != 0)
        return err_set(err, ERR_CONFIG, "option \"%s\" is one byte, not \"%s\"", name, value);
    if (value[0] == '\n' || value[0] == '\r')
        return err_set(err, ERR_CONFIG, "option \"%s\" cannot be a line end", name);
    *byte = value[0];
    return true;
}

static bool set_mode(enum json_mode *mode, const char *value, struct err *err)
{
    struct json_options options = json_options_default();
    TRY(json_options_set(&options, "mode", value, err));
    *mode = options.mode;
    return true;
}

bool csv_options_set(struct csv_options *options, const char *name, const char *value, struct err *err)
{
    for (int i = 0; i < OPTIONS; i++) {
        if (!str_eq_nocase(str_of(options_table[i].name), str_of(name)))
            continue;
        void *member = (char *)options + options_table[i].offset;
        switch (options_table[i].kind) {
        case OPTION_BOOL: return set_bool(member, options_table[i].name, str_of(value), err);
        case OPTION_BYTE: return set_byte(member, options_table[i].name, value, err);
        case OPTION_TEXT: *(const char **)member = value; return true;
        case OPTION_MODE: return set_mode(&options->mode, value, err);
        case OPTION_ELSEWHERE: return true;
        }
    }
    const char *names[OPTIONS];
    for (int i = 0; i < OPTIONS; i++)
        names[i] = options_table[i].name;
    const char *nearest = str_nearest(str_of(name), names, OPTIONS);
    err_set(err, ERR_CONFIG, "CSV has no option \"%s\"", name);
    return nearest ? err_hint(err, "Did you mean \"%s\"?", nearest) : false;
}

/* ---- records ------------------------------------------------------------------------------------------- */

/* The first a or b at or after `at`, or n. */
static size_t find_either(const char *p, size_t at, size_t n, char a, char b)
{
    for (; n - at >= 8; at += 8) {
        uint64_t word;
        memcpy(&word, p + at, 8);
        if (csv_bytes_equal(word, a) | csv_bytes_equal(word, b))
            break;
    }
    while (at < n && p[at] != a && p[at] != b)
        at++;
    return at;
}

/* Behind the closing quote of the quoted field whose first quote is at `at`; SIZE_MAX: it is not closed. */
static size_t quoted_end(const char *p, size_t at, size_t n, const struct csv_options *o, bool *escaped)
{
    char escape = o->escape && o->escape != o->quote ? o->escape : o->quote;
    for (at++; (at = find_either(p, at, n, o->quote, escape)) < n; at++) {
        if (p[at] != o->quote) { /* an escape: of a quote or itself, else plain */
            bool pair = at + 1 < n && (p[at + 1] == o->quote || p[at + 1] == escape);
            *escaped |= pair;
            at += pair;
        } else if (at + 1 < n && p[at + 1] == o->quote) {
            *escaped = true;
            at++;
        } else {
            return at + 1;
        }
    }
    return SIZE_MAX;
}

static bool is_blank(char c, const struct csv_options *o)
{
    return (c == ' ' || c == '\t') && c != o->sep;
}

/* Where the record at `at` ends: at its line end, or n. */
static size_t record_end(struct str chunk, size_t at, const struct csv_options *o)
{
    if (!o->multi_line || o->quote == 0)
        return find_either(chunk.p, at, chunk.n, '\n', '\r');
    bool start = true /* of a field */, escaped = false;
    for (; at < chunk.n; at++) {
        char c = chunk.p[at];
        if (start && c == o->quote) {
            size_t end = quoted_end(chunk.p, at, chunk.n, o, &escaped);
            if (end == SIZE_MAX)
                return chunk.n;
            at = end - 1;
            start = false;
            continue;
        }
        if (c == '\n' || c == '\r')
            return at;
        start = c == o->sep || (start && o->ignore_leading_white_space && is_blank(c, o));
    }
    return chunk.n;
}

static bool is_blank_line(struct str line, const struct csv_options *o)
{
    size_t at = 0;
    while (at < line.n && is_blank(line.p[at], o))
        at++;
    return at == line.n;
}

size_t csv_records(struct str chunk, bool last, const struct csv_options *options, struct str *records,
                   size_t max, size_t *used)
{
    size_t at = 0, count = 0;
    while (count < max && at < chunk.n) {
        bool comment = options->comment != 0 && chunk.p[at] == options->comment;
        size_t end = comment ? find_either(chunk.p, at, chunk.n, '\n', '\r') : record_end(chunk, at, options);
        bool cr = end < chunk.n && chunk.p[end] == '\r';
        if (!last && (end == chunk.n || (cr && end + 1 == chunk.n)))
            break; /* its end, or the \n of a \r\n, may be in the next chunk */
        struct str record = str_n(chunk.p + at, end - at);
        at = end + (end < chunk.n);
        if (cr && at < chunk.n && chunk.p[at] == '\n')
            at++;
        if (!comment && !is_blank_line(record, options))
            records[count++] = record;
    }
    *used = at;
    return count;
}

/* ---- fields -------------------------------------------------------------------------------------------- */

static struct csv_field plain_field(struct str record, size_t from, size_t *at, const struct csv_options *o)
{
    size_t end = find_either(record.p, from, record.n, o->sep, o->sep);
    *at = end < record.n ? end + 1 : SIZE_MAX;
    struct str text = str_n(record.p + from, end - from);
    while (o->ignore_leading_white_space && text.n > 0 && is_blank(text.p[0], o))
        text = str_n(text.p + 1, text.n - 1);
    while (o->ignore_trailing_white_space && text.n > 0 && is_blank(text.p[text.n - 1], o))
        text.n--;
    return (struct csv_field){.text = text};
}

struct csv_field csv_next_field(struct str record, size_t *at, const struct csv_options *o)
{
    size_t from = *at, quote = from;
    while (o->ignore_leading_white_space && quote < record.n && is_blank(record.p[quote], o))
        quote++;
    if (quote >= record.n || o->quote == 0 || record.p[quote] != o->quote)
        return plain_field(record, from, at, o);
    bool escaped = false;
    size_t end = quoted_end(record.p, quote, record.n, o, &escaped), next = end;
    while (next < record.n && is_blank(record.p[next], o))
        next++;
    if (end == SIZE_MAX || (next < record.n && record.p[next] != o->sep))
        return plain_field(record, from, at, o);
    *at = next < record.n ? next + 1 : SIZE_MAX;
    return (struct csv_field){str_n(record.p + quote + 1, end - quote - 2), true, escaped};
}

struct str csv_value(const struct csv_field *field, const struct csv_options *o, struct arena *arena)
{
    if (!field->escaped)
        return field->text;
    const char *p = field->text.p, *end = p + field->text.n;
    char *out = arena_alloc(arena, field->text.n), *to = out;
    while (p < end) {
        bool first = *p == o->quote || (o->escape != 0 && *p == o->escape);
        bool pair = first && p + 1 < end && (p[1] == o->quote || (*p == o->escape && p[1] == o->escape));
        p += pair;
        *to++ = *p++;
    }
    return str_n(out, (size_t)(to - out));
}

size_t csv_fields(struct str record, const struct csv_options *options, struct str *fields, size_t max,
                  struct arena *arena)
{
    size_t count = 0;
    for (size_t at = 0; at != SIZE_MAX; count++) {
        struct csv_field field = csv_next_field(record, &at, options);
        if (count < max)
            fields[count] = csv_value(&field, options, arena);
    }
    return count;
}

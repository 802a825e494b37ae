/* What is generated from option tables: a reference page in Markdown, a JSON Schema, lines of --help.
 *
 * The schema is for editors: it describes what is written in YAML, where any scalar may hold ${…}; so every type also takes a text
 * with a variable in it, and a null (`key:` and nothing behind) is the same as no key. */
#include <stdio.h>

#include "base/check.h"
#include "base/utf8.h"
#include "conf/docs_private.h"
#include "conf/option_private.h"

enum { DOCS_DEPTH_MAX = 16, HELP_COLUMN = 28 };

/* ---- words --------------------------------------------------------------------------------------------------- */

static const char *const type_names[OPTION_TYPES] = {
    [OPTION_BOOL] = "boolean",      [OPTION_I64] = "integer",      [OPTION_U64] = "integer",
    [OPTION_F64] = "number",        [OPTION_SIZE] = "size",        [OPTION_RATE] = "rate",
    [OPTION_DURATION] = "duration", [OPTION_TEXT] = "text",        [OPTION_PATH] = "path",
    [OPTION_NAME] = "name",         [OPTION_TOPIC] = "topic",      [OPTION_ENUM] = NULL,
    [OPTION_URL] = "URL",           [OPTION_SQL] = "text or file", [OPTION_ADDRESS] = "address",
    [OPTION_NODE] = "any",          [OPTION_STRUCT] = "mapping",   [OPTION_ONE_OF] = "text or mapping",
    [OPTION_LIST] = "list",         [OPTION_MAP] = "mapping",
};

static bool has_range(const struct option *o)
{
    return o->min != 0 || o->max != 0;
}

/* "integer, 1 to 64, or `auto`" */
static void put_type(struct sbuf *out, const struct option *o)
{
    char text[CONF_DESCRIPTION_MAX];
    const char *before = "";
    if (type_names[o->type]) {
        sbuf_cstr(out, type_names[o->type]);
        before = ", ";
    }
    if ((o->type == OPTION_LIST || o->type == OPTION_MAP) && o->of) {
        sbuf_cstr(out, o->type == OPTION_LIST ? " of " : " of names to ");
        put_type(out, o->of); /* tables are finite */
    }
    if (conf_put_range(o, text, sizeof text) > 0) {
        bool from = strncmp(text, " from ", 6) == 0, of = strncmp(text, " of ", 4) == 0;
        sbuf_printf(out, "%s%s", before, text + (from ? 6 : of ? 4 : 1));
        before = ", ";
    }
    for (const struct option_choice *c = o->choices; c && c->name; c++)
        sbuf_printf(out, "%s`%s`", c == o->choices ? before : " \\| ", c->name);
}

/* ---- the reference page -------------------------------------------------------------------------------------- */

/* Text in a cell of a table: one line, no bar. */
static void put_cell(struct sbuf *out, const char *text)
{
    for (; *text; text++) {
        if (*text == '|')
            sbuf_char(out, '\\');
        sbuf_char(out, *text == '\n' ? ' ' : *text);
    }
}

static void put_row(struct sbuf *out, const struct option *o, const char *prefix)
{
    sbuf_printf(out, "| `%s%s` | ", prefix, o->name);
    put_type(out, o);
    sbuf_cstr(out, " | ");
    if (o->default_text)
        sbuf_printf(out, "`%s`", o->default_text);
    else if (o->flags & OPTION_REQUIRED)
        sbuf_cstr(out, "required");
    sbuf_cstr(out, " | ");
    if (o->flags & OPTION_DEPRECATED)
        sbuf_printf(out, "Deprecated%s%s%s. ", o->instead ? ": use `" : "", o->instead ? o->instead : "",
                    o->instead ? "`" : "");
    if (o->help)
        put_cell(out, o->help);
    for (const struct option_choice *c = o->choices; c && c->name; c++)
        if (c->help && o->type == OPTION_ENUM)
            sbuf_printf(out, " `%s`: %s", c->name, c->help);
    if (o->example)
        sbuf_printf(out, " Example: `%s`.", o->example);
    if (o->flags & OPTION_SECRET)
        sbuf_cstr(out, " Never printed.");
    sbuf_cstr(out, " |\n");
}

static void put_rows(struct sbuf *out, const struct option *table, const char *prefix, unsigned depth)
{
    char below[128];
    for (const struct option *o = table; o && o->name && depth < DOCS_DEPTH_MAX; o++) {
        if (o->flags & OPTION_HIDDEN)
            continue;
        put_row(out, o, prefix);
        const struct option *inner = o;
        while (inner->of)
            inner = inner->of;
        if (inner->table == NULL)
            continue;
        snprintf(below, sizeof below, "%s%s%s.", prefix, o->name,
                 o->type == OPTION_MAP    ? ".<name>"
                 : o->type == OPTION_LIST ? "[]"
                                          : "");
        put_rows(out, inner->table, below, depth + 1);
    }
}

void conf_put_rows(struct sbuf *out, const struct option *table, const char *prefix)
{
    if (table == NULL || table->name == NULL)
        return;
    sbuf_cstr(out, "| key | type | default | what it does |\n|---|---|---|---|\n");
    put_rows(out, table, prefix, 0);
    sbuf_char(out, '\n');
}

void conf_reference(struct sbuf *out, const struct option *table, const char *title, const char *intro)
{
    sbuf_printf(out, "## %s\n\n", title);
    if (intro && intro[0])
        sbuf_printf(out, "%s\n\n", intro);
    conf_put_rows(out, table, "");
}

/* ---- JSON Schema --------------------------------------------------------------------------------------------- */

#define VARIABLE "\\$\\{"
#define DURATION_PATTERN                                                                                     \
    "([0-9]+(\\.[0-9]+)? ?(ms|s|sec|seconds?|m|min|minutes?|h|hours?|d|days?|w|weeks?) *)+|0"
#define SIZE_PATTERN "[0-9]+(\\.[0-9]+)? ?([kKmMgGtTpP]([iI]?[bB])?|[bB])?"
#define RATE_PATTERN "[0-9]+(\\.[0-9]+)? ?[kM]? ?/ ?(ms|s|sec|second|m|min|minute|h|hour|d|day|w|week)"
#define NAME_PATTERN "[a-z][a-z0-9_]*"
#define TOPIC_PATTERN "[A-Za-z0-9._-]{1,249}"

/* JSON's types of a scalar, and the pattern of its texts, without anchors; NULL: any text. */
static const struct {
    const char *types, *pattern;
} scalar_schemas[OPTION_TYPES] = {
    [OPTION_BOOL] = {"[\"boolean\",\"string\",\"null\"]", "true|false"},
    [OPTION_I64] = {"[\"integer\",\"string\",\"null\"]", "[-+]?[0-9]+|0x[0-9a-fA-F]+|0o[0-7]+"},
    [OPTION_U64] = {"[\"integer\",\"string\",\"null\"]", "\\+?[0-9]+|0x[0-9a-fA-F]+|0o[0-7]+"},
    [OPTION_F64] = {"[\"number\",\"string\",\"null\"]",
                    "[-+]?([0-9]+(\\.[0-9]*)?|\\.[0-9]+)([eE][-+]?[0-9]+)?"},
    [OPTION_SIZE] = {"[\"integer\",\"string\",\"null\"]", SIZE_PATTERN},
    [OPTION_DURATION] = {"[\"integer\",\"string\",\"null\"]", DURATION_PATTERN},
    [OPTION_RATE] = {"[\"string\",\"null\"]", RATE_PATTERN},
    [OPTION_TEXT] = {"[\"string\",\"number\",\"boolean\",\"null\"]", NULL},
    [OPTION_PATH] = {"[\"string\",\"number\",\"null\"]", NULL},
    [OPTION_NAME] = {"[\"string\",\"null\"]", NAME_PATTERN},
    [OPTION_TOPIC] = {"[\"string\",\"number\",\"null\"]", TOPIC_PATTERN},
    [OPTION_ENUM] = {"[\"string\",\"null\"]", ""},
    [OPTION_URL] = {"[\"string\",\"null\"]", "[A-Za-z][A-Za-z0-9+.-]*:[^ ]+"},
    [OPTION_ADDRESS] = {"[\"string\",\"null\"]", "([^:]*|\\[[0-9a-fA-F:.%a-z]+\\]):[0-9]{1,5}|off"},
    [OPTION_SQL] = {"[\"string\",\"null\"]", NULL},
};

static void put_string(struct sbuf *out, const char *name, const char *value)
{
    sbuf_printf(out, "\"%s\":", name);
    sbuf_json(out, str_of(value));
}

static void put_pattern(struct sbuf *out, const struct option *o)
{
    struct sbuf pattern = {0};
    const char *bar = "";
    sbuf_cstr(&pattern, "^(?:");
    for (const struct option_choice *c = o->choices; c && c->name; c++, bar = "|")
        sbuf_printf(&pattern, "%s%s", bar, c->name);
    if (scalar_schemas[o->type].pattern[0])
        sbuf_printf(&pattern, "%s%s", bar, scalar_schemas[o->type].pattern);
    sbuf_cstr(&pattern, ")$|" VARIABLE);
    sbuf_char(out, ',');
    put_string(out, "pattern", pattern.p);
    sbuf_fini(&pattern);
}

static void put_default(struct sbuf *out, const struct option *o)
{
    uint64_t n;
    struct str text = str_of(o->default_text);
    if (o->default_text == NULL || o->type == OPTION_LIST || o->type == OPTION_MAP)
        return;
    bool bare = (o->type == OPTION_BOOL) || (o->type <= OPTION_F64 && str_to_u64(text, &n));
    sbuf_cstr(out, ",\"default\":");
    if (bare)
        sbuf_str(out, text);
    else
        sbuf_json(out, text);
}

static void put_scalar(struct sbuf *out, const struct option *o)
{
    sbuf_printf(out, "\"type\":%s", scalar_schemas[o->type].types);
    if (o->type == OPTION_DURATION)
        sbuf_cstr(out, ",\"minimum\":0,\"maximum\":0"); /* a number without a unit is zero, or nothing */
    else if (o->type <= OPTION_SIZE && has_range(o))
        sbuf_printf(out, ",\"minimum\":%.17g", o->min);
    else if (o->type == OPTION_U64 || o->type == OPTION_SIZE)
        sbuf_cstr(out, ",\"minimum\":0");
    if (o->type <= OPTION_SIZE && has_range(o) && o->max >= o->min)
        sbuf_printf(out, ",\"maximum\":%.17g", o->max);
    if (o->type ==
        OPTION_ENUM) { /* an editor offers the words of an enum, so they stand beside the pattern */
        sbuf_cstr(out, ",\"anyOf\":[{\"enum\":[null");
        for (const struct option_choice *c = o->choices; c && c->name; c++) {
            sbuf_char(out, ',');
            sbuf_json(out, str_of(c->name));
        }
        sbuf_cstr(out, "]},{\"pattern\":\""
                       "\\\\$\\\\{"
                       "\"}]");
    } else if (scalar_schemas[o->type].pattern) {
        put_pattern(out, o);
    }
    if (o->type == OPTION_TEXT && (o->flags & OPTION_NOT_EMPTY))
        sbuf_cstr(out, ",\"minLength\":1");
}

static void put_description(struct sbuf *out, const struct option *o)
{
    struct sbuf text = {0};
    if (o->help)
        sbuf_cstr(&text, o->help);
    for (const struct option_choice *c = o->choices; c && c->name; c++)
        if (c->help)
            sbuf_printf(&text, "%s`%s`: %s", text.n ? "\n" : "", c->name, c->help);
    if (o->unit)
        sbuf_printf(&text, "%sUnit: %s.", text.n ? "\n" : "", o->unit);
    if (o->example)
        sbuf_printf(&text, "%sExample: `%s`.", text.n ? "\n" : "", o->example);
    if (text.n > 0) {
        sbuf_char(out, ',');
        put_string(out, "description", text.p);
    }
    sbuf_fini(&text);
    put_default(out, o);
    if (o->flags & OPTION_DEPRECATED)
        sbuf_cstr(out, ",\"deprecated\":true");
}

static void put_value(struct sbuf *out, const struct option *o, unsigned depth);

static void put_properties(struct sbuf *out, const struct option *table, const char **comma, unsigned depth)
{
    for (const struct option *o = table; o && o->name; o++) {
        sbuf_cstr(out, *comma);
        *comma = ",";
        sbuf_json(out, str_of(o->name));
        sbuf_cstr(out, ":{");
        if (!(o->flags & OPTION_HIDDEN)) {
            size_t before = out->n;
            put_value(out, o, depth + 1);
            put_description(out, o);
            if (out->p[before] == ',') { /* the value had nothing to say */
                memmove(out->p + before, out->p + before + 1, out->n - before);
                out->n--;
            }
        }
        sbuf_char(out, '}');
    }
}

static void put_object(struct sbuf *out, const struct option *const *tables, uint32_t count, bool may_be_null,
                       const char *extra, unsigned depth)
{
    const char *comma = "", *bar = "";
    CHECK(depth < DOCS_DEPTH_MAX);
    sbuf_printf(out, "\"type\":%s,\"additionalProperties\":false,\"properties\":{",
                may_be_null ? "[\"object\",\"null\"]" : "\"object\"");
    if (extra) {
        sbuf_cstr(out, extra);
        comma = ",";
    }
    for (uint32_t i = 0; i < count; i++)
        put_properties(out, tables[i], &comma, depth);
    sbuf_cstr(out, "},\"required\":[");
    for (uint32_t i = 0; i < count; i++)
        for (const struct option *o = tables[i]; o && o->name; o++)
            if (o->flags & OPTION_REQUIRED) {
                sbuf_cstr(out, bar);
                sbuf_json(out, str_of(o->name));
                bar = ",";
            }
    sbuf_cstr(out, "]");
}

void conf_put_object(struct sbuf *out, const struct option *const *tables, uint32_t count, bool may_be_null,
                     const char *extra)
{
    put_object(out, tables, count, may_be_null, extra, 0);
}

static bool has_required(const struct option *table)
{
    for (const struct option *o = table; o && o->name; o++)
        if (o->flags & OPTION_REQUIRED)
            return true;
    return false;
}

static void put_one_of(struct sbuf *out, const struct option *o, unsigned depth)
{
    const struct option *short_option = option_find(o->table, str_of(o->short_key));
    sbuf_cstr(out, "\"anyOf\":[{");
    put_value(out, short_option, depth + 1);
    sbuf_cstr(out, "},{");
    put_object(out, &o->table, 1, !has_required(o->table), NULL, depth + 1);
    sbuf_cstr(out, "}]");
}

/* The members of the schema of a value, without braces; nothing for a value of any shape. */
static void put_value(struct sbuf *out, const struct option *o, unsigned depth)
{
    CHECK(depth < DOCS_DEPTH_MAX);
    switch (o->type) {
    case OPTION_NODE: return;
    case OPTION_STRUCT: put_object(out, &o->table, 1, !has_required(o->table), NULL, depth + 1); return;
    case OPTION_ONE_OF: put_one_of(out, o, depth); return;
    case OPTION_LIST:
        sbuf_cstr(out, "\"anyOf\":[{\"type\":\"array\",\"items\":{");
        put_value(out, o->of, depth + 1);
        sbuf_cstr(out, o->flags & OPTION_NOT_EMPTY ? "},\"minItems\":1},{" : "}},{");
        put_value(out, o->of, depth + 1);
        sbuf_cstr(out, "}]");
        return;
    case OPTION_MAP:
        sbuf_cstr(out, "\"type\":[\"object\",\"null\"],\"additionalProperties\":{");
        put_value(out, o->of, depth + 1);
        sbuf_char(out, '}');
        if (o->keys == OPTION_NAME || o->keys == OPTION_TOPIC) {
            sbuf_cstr(out, ",\"propertyNames\":{");
            put_string(out, "pattern", o->keys == OPTION_NAME ? "^" NAME_PATTERN "$" : "^" TOPIC_PATTERN "$");
            sbuf_char(out, '}');
        }
        return;
    default: put_scalar(out, o); return;
    }
}

void conf_put_member(struct sbuf *out, const struct option *o)
{
    sbuf_json(out, str_of(o->name));
    sbuf_cstr(out, ":{");
    put_value(out, o, 0);
    if (out->p[out->n - 1] == '{')
        sbuf_cstr(out, "\"$comment\":\"any value\"");
    put_description(out, o);
    sbuf_char(out, '}');
}

void conf_schema_of(struct sbuf *out, const struct option *table)
{
    sbuf_char(out, '{');
    put_object(out, &table, 1, false, NULL, 0);
    sbuf_char(out, '}');
}

/* ---- --help -------------------------------------------------------------------------------------------------- */

/* Words of text from column `at` on, wrapped at `columns`, following lines indented to HELP_COLUMN. */
static void put_wrapped(struct sbuf *out, const char *text, int at, int columns)
{
    while (*text) {
        size_t n = strcspn(text, " \n");
        int width = (int)utf8_length(text, n);
        if (at > HELP_COLUMN && at + 1 + width > columns) {
            sbuf_printf(out, "\n%*s", HELP_COLUMN, "");
            at = HELP_COLUMN;
        } else if (at > HELP_COLUMN) {
            sbuf_char(out, ' ');
            at++;
        }
        sbuf_add(out, text, n);
        at += width;
        text += n;
        text += strspn(text, " \n");
    }
    sbuf_char(out, '\n');
}

void conf_help(struct sbuf *out, const struct option *table, const char *prefix, int columns)
{
    for (const struct option *o = table; o && o->name; o++) {
        char name[128];
        struct sbuf help = {0};
        if (o->flags & OPTION_HIDDEN)
            continue;
        if (o->table && o->type == OPTION_STRUCT) {
            snprintf(name, sizeof name, "%s%s.", prefix, o->name);
            if (strlen(name) < sizeof name - 1)
                conf_help(out, o->table, name, columns); /* ends: the prefix grows */
            continue;
        }
        int n = snprintf(name, sizeof name, "  %s%s", prefix, o->name);
        sbuf_printf(out, "%-*s", HELP_COLUMN, name);
        if (n >= HELP_COLUMN)
            sbuf_printf(out, "\n%*s", HELP_COLUMN, "");
        sbuf_cstr(&help, o->help ? o->help : "");
        if (o->type == OPTION_ENUM || has_range(o)) {
            char what[CONF_DESCRIPTION_MAX];
            sbuf_printf(&help, " (%s)", conf_describe(o, what));
        }
        if (o->default_text)
            sbuf_printf(&help, " [%s]", o->default_text);
        put_wrapped(out, help.p ? help.p : "", HELP_COLUMN, columns);
        sbuf_fini(&help);
    }
}

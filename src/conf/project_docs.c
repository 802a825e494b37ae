/* The reference page and the JSON Schema of the project file: the root table's, with the tables of the kinds where they belong. */
#include "conf/docs_private.h"
#include "conf/project_private.h"

/* ---- Markdown ------------------------------------------------------------------------------------------------ */

static const char intro[] =
    "# The project file\n\n"
    "`sluice.yaml` is YAML. Unknown keys are errors. A key without a value is as if it were not there.\n\n"
    "- Durations: `500ms`, `10s`, `1h30m`, `7d`, `2w`. Sizes: `64KiB`, `1GiB` (`k`, `M`, `G` are KiB, MiB, GiB; `kB`, `MB`, `GB` are "
    "thousands). Rates: `100/s`, `5/m`.\n"
    "- `${NAME}` in a value stands for the environment variable, which must be set; `${NAME:-default}` has a default; `$${` is `${`.\n"
    "- Relative paths are relative to the project folder.\n"
    "- Names are `[a-z][a-z0-9_]*`; topics are named as Kafka has them, `[A-Za-z0-9._-]{1,249}`.\n"
    "- `--set path.to.key=value` overrides any key. Environment variables override settings: `SLUICE_SETTINGS_DATA` is "
    "`settings.data`.\n\n";

static void put_section(struct sbuf *out, const char *name, const char *help)
{
    sbuf_printf(out, "## `%s`\n\n%s\n\n", name, help);
}

static void put_kind(struct sbuf *out, const struct conf_kind_table *kind, const char *what)
{
    sbuf_printf(out, "### %s `%s`\n\n", what, kind->name);
    if (kind->help)
        sbuf_printf(out, "%s\n\n", kind->help);
    for (const char *const *scheme = kind->schemes; scheme && *scheme; scheme++)
        sbuf_printf(out, "%s`%s:…`%s", scheme == kind->schemes ? "URLs: " : ", ", *scheme,
                    scheme[1] ? "" : ".\n\n");
    conf_put_rows(out, kind->options, "");
    if (kind->sink_options && kind->sink_options->name) {
        sbuf_cstr(out, "In a stream's `to`, beside the keys that all have:\n\n");
        conf_put_rows(out, kind->sink_options, "");
    }
}

static const struct option *element_table(const struct option *o)
{
    return o->of ? o->of->table : o->table;
}

void conf_project_reference(struct sbuf *out, const struct conf_kinds *kinds)
{
    sbuf_cstr(out, intro);
    for (const struct option *o = conf_root_options; o->name; o++) {
        put_section(out, o->name, o->help);
        conf_put_rows(out, element_table(o), "");
        if (str_is(str_of(o->name), "connections"))
            for (uint32_t i = 0; i < kinds->connection_count; i++)
                put_kind(out, &kinds->connections[i], "Connection");
        if (str_is(str_of(o->name), "sources"))
            for (uint32_t i = 0; i < kinds->source_count; i++)
                put_kind(out, &kinds->sources[i], "Source");
    }
}

/* ---- JSON Schema --------------------------------------------------------------------------------------------- */

static void begin_map(struct sbuf *out, const struct option *o)
{
    sbuf_json(out, str_of(o->name));
    sbuf_cstr(out, ":{\"type\":[\"object\",\"null\"],\"description\":");
    sbuf_json(out, str_of(o->help));
    sbuf_cstr(out, ",\"propertyNames\":{\"pattern\":");
    sbuf_json(out, o->keys == OPTION_TOPIC ? STR("^[A-Za-z0-9._-]{1,249}$") : STR("^[a-z][a-z0-9_]*$"));
    sbuf_cstr(out, "},\"additionalProperties\":{");
}

/* A URL, or a mapping; the URL may be a variable, so the options of all kinds are possible. */
static void put_connections(struct sbuf *out, const struct option *o, const struct conf_kinds *kinds)
{
    begin_map(out, o);
    sbuf_cstr(out, "\"anyOf\":[{\"type\":\"string\",\"pattern\":");
    struct sbuf pattern = {0};
    for (uint32_t i = 0; i < kinds->connection_count; i++)
        for (const char *const *scheme = kinds->connections[i].schemes; scheme && *scheme; scheme++)
            sbuf_printf(&pattern, "%s%s", pattern.n ? "|" : "^(?:", *scheme);
    sbuf_cstr(&pattern, pattern.n ? "):|\\$\\{" : "\\$\\{");
    sbuf_json(out, sbuf_view(&pattern));
    sbuf_fini(&pattern);
    sbuf_cstr(out, ",\"description\":\"A URL; its scheme decides the kind of store.\"}");
    for (uint32_t i = 0; i < kinds->connection_count; i++) {
        const struct option *tables[] = {conf_connection_options, kinds->connections[i].options};
        sbuf_cstr(out, ",{");
        conf_put_object(out, tables, 2, false, NULL);
        sbuf_cstr(out, ",\"title\":");
        sbuf_json(out, str_of(kinds->connections[i].name));
        sbuf_char(out, '}');
    }
    sbuf_cstr(out, "]}}");
}

/* One shape for each kind, told apart by "kind". */
static void put_sources(struct sbuf *out, const struct option *o, const struct conf_kinds *kinds)
{
    begin_map(out, o);
    sbuf_cstr(out, "\"anyOf\":[");
    for (uint32_t i = 0; i < kinds->source_count; i++) {
        const struct conf_kind_table *kind = &kinds->sources[i];
        struct sbuf extra = {0};
        sbuf_cstr(&extra, "\"kind\":{\"const\":");
        sbuf_json(&extra, str_of(kind->name));
        sbuf_cstr(&extra, ",\"description\":");
        sbuf_json(&extra, str_of(kind->help ? kind->help : ""));
        sbuf_char(&extra, '}');
        const struct option *tables[] = {conf_source_options + 1,
                                         kind->options}; /* "kind" is the first of the common ones */
        sbuf_cstr(out, i ? ",{" : "{");
        conf_put_object(out, tables, 2, false, extra.p);
        sbuf_cstr(out, ",\"title\":");
        sbuf_json(out, str_of(kind->name));
        sbuf_char(out, '}');
        sbuf_fini(&extra);
    }
    sbuf_cstr(out, kinds->source_count ? "],\"required\":[\"kind\"]}}" : "{}]}}");
}

/* A stream's `to`: a text, a target, or a list; a target may have the options of any kind of store. */
static void put_target(struct sbuf *out, const struct conf_kinds *kinds)
{
    sbuf_cstr(out,
              "\"anyOf\":[{\"type\":\"string\",\"description\":\"A topic, connection.table, or console.\"}");
    for (uint32_t i = 0; i <= kinds->connection_count; i++) {
        const struct conf_kind_table *kind = i > 0 ? &kinds->connections[i - 1] : NULL;
        const struct option *tables[] = {conf_target_options, kind ? kind->sink_options : NULL};
        if (kind && (kind->sink_options == NULL || kind->sink_options->name == NULL))
            continue;
        sbuf_cstr(out, ",{");
        conf_put_object(out, tables, 2, false, NULL);
        sbuf_char(out, '}');
    }
    sbuf_cstr(out, "]");
}

static void put_streams(struct sbuf *out, const struct option *o, const struct conf_kinds *kinds)
{
    begin_map(out, o);
    sbuf_cstr(out,
              "\"type\":\"object\",\"additionalProperties\":false,\"required\":[\"sql\"],\"properties\":{");
    for (const struct option *s = conf_stream_options; s->name; s++) {
        sbuf_cstr(out, s == conf_stream_options ? "" : ",");
        if (!str_is(str_of(s->name), "to")) {
            conf_put_member(out, s);
            continue;
        }
        sbuf_cstr(out, "\"to\":{\"description\":");
        sbuf_json(out, str_of(s->help));
        sbuf_cstr(
            out,
            ",\"anyOf\":[{\"$ref\":\"#/$defs/target\"},{\"type\":\"array\",\"items\":{\"$ref\":\"#/$defs/target\"}}]}");
    }
    sbuf_cstr(out, "}}}");
}

void conf_json_schema(struct sbuf *out, const struct conf_kinds *kinds)
{
    sbuf_cstr(
        out,
        "{\"$schema\":\"https://json-schema.org/draft/2020-12/schema\",\"title\":\"Sluice project\","
        "\"description\":\"sluice.yaml\",\"type\":[\"object\",\"null\"],\"additionalProperties\":false,\"properties\":{");
    for (const struct option *o = conf_root_options; o->name; o++) {
        struct str name = str_of(o->name);
        sbuf_cstr(out, o == conf_root_options ? "" : ",");
        if (str_is(name, "connections"))
            put_connections(out, o, kinds);
        else if (str_is(name, "sources"))
            put_sources(out, o, kinds);
        else if (str_is(name, "streams"))
            put_streams(out, o, kinds);
        else
            conf_put_member(out, o);
    }
    sbuf_cstr(out, "},\"$defs\":{\"target\":{");
    put_target(out, kinds);
    sbuf_cstr(out, "}}}\n");
}

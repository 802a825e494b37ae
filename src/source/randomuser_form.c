/* The answer in its other forms: pretty JSON, CSV, YAML, XML. Made from the JSON text, so that all say the same. The answer is five levels deep. */
#include "source/randomuser.h"
#include "json/tree.h"

enum { DEPTH_MAX = 8 };

static void put_scalar(struct sbuf *out, const struct json_node *node)
{
    if (node->kind == JSON_STRING)
        sbuf_json(out, node->text);
    else if (node->kind == JSON_NUMBER)
        sbuf_str(out, node->text);
    else
        sbuf_cstr(out, node->kind == JSON_NULL ? "null" : node->boolean ? "true" : "false");
}

static bool is_nested(const struct json_node *node)
{
    return node->kind == JSON_OBJECT || node->kind == JSON_ARRAY;
}

static void put_pretty(struct sbuf *out, const struct json_node *node, int depth)
{
    CHECK(depth < DEPTH_MAX);
    bool object = node->kind == JSON_OBJECT;
    if (!is_nested(node) || node->first == NULL) {
        if (is_nested(node))
            sbuf_cstr(out, object ? "{}" : "[]");
        else
            put_scalar(out, node);
        return;
    }
    sbuf_char(out, object ? '{' : '[');
    JSON_EACH(child, node)
    {
        sbuf_printf(out, "%s\n%*s", child == node->first ? "" : ",", 2 * depth + 2, "");
        if (object) {
            sbuf_json(out, child->name);
            sbuf_cstr(out, ": ");
        }
        put_pretty(out, child, depth + 1);
    }
    sbuf_printf(out, "\n%*s%c", 2 * depth, "", object ? '}' : ']');
}

/* Scalars stand as in JSON, which YAML contains. */
static void put_yaml(struct sbuf *out, const struct json_node *node, int depth, bool in_list)
{
    CHECK(depth < DEPTH_MAX);
    JSON_EACH(child, node)
    {
        bool dash = node->kind == JSON_ARRAY;
        if (!in_list || child != node->first)
            sbuf_printf(out, "%*s", 2 * depth, "");
        if (dash)
            sbuf_cstr(out, "- ");
        else
            sbuf_printf(out, "%.*s:", STR_ARG(child->name));
        if (!is_nested(child)) {
            sbuf_cstr(out, dash ? "" : " ");
            put_scalar(out, child);
            sbuf_char(out, '\n');
        } else if (child->first == NULL) {
            sbuf_printf(out, "%s%s\n", dash ? "" : " ", child->kind == JSON_OBJECT ? "{}" : "[]");
        } else {
            sbuf_cstr(out, dash ? "" : "\n");
            put_yaml(out, child, depth + 1, dash);
        }
    }
}

static void put_xml_text(struct sbuf *out, struct str text)
{
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        if (c == '<' || c == '>' || c == '&')
            sbuf_cstr(out, c == '<' ? "&lt;" : c == '>' ? "&gt;" : "&amp;");
        else
            sbuf_char(out, c);
    }
}

/* An array is its element again and again. */
static void put_xml(struct sbuf *out, const struct json_node *node, struct str name, int depth)
{
    CHECK(depth < DEPTH_MAX);
    if (node->kind == JSON_ARRAY) {
        JSON_EACH(child, node)
        put_xml(out, child, name, depth + 1);
        return;
    }
    sbuf_printf(out, "<%.*s>", STR_ARG(name));
    if (node->kind == JSON_OBJECT)
        JSON_EACH(child, node)
    put_xml(out, child, child->name, depth + 1);
    else if (node->kind != JSON_NULL) put_xml_text(out, node->text);
    sbuf_printf(out, "</%.*s>", STR_ARG(name));
}

static void put_csv_value(struct sbuf *out, const struct json_node *node)
{
    if (node->kind == JSON_NULL)
        return;
    bool quote = str_find(node->text, STR(","), 0) != SIZE_MAX ||
                 str_find(node->text, STR("\""), 0) != SIZE_MAX;
    sbuf_cstr(out, quote ? "\"" : "");
    for (size_t i = 0; i < node->text.n; i++) {
        if (node->text.p[i] == '"')
            sbuf_char(out, '"');
        sbuf_char(out, node->text.p[i]);
    }
    sbuf_cstr(out, quote ? "\"" : "");
}

/* One line of a person: the names of its columns, dotted, or its values. */
static void put_csv(struct sbuf *out, const struct json_node *node, struct str prefix, bool header, bool *any,
                    int depth)
{
    CHECK(depth < DEPTH_MAX);
    JSON_EACH(child, node)
    {
        struct sbuf name = {0};
        sbuf_printf(&name, "%.*s%s%.*s", STR_ARG(prefix), prefix.n ? "." : "", STR_ARG(child->name));
        if (is_nested(child)) {
            put_csv(out, child, sbuf_view(&name), header, any, depth + 1);
        } else {
            sbuf_cstr(out, *any ? "," : "");
            *any = true;
            if (header)
                sbuf_str(out, sbuf_view(&name));
            else
                put_csv_value(out, child);
        }
        sbuf_fini(&name);
    }
}

static void put_table(struct sbuf *out, const struct json_node *root)
{
    const struct json_node *results = json_get(root, "results");
    bool any = false;
    if (results->first)
        put_csv(out, results->first, STR(""), true, &any, 0);
    JSON_EACH(person, results)
    {
        any = false;
        sbuf_char(out, '\n');
        put_csv(out, person, STR(""), false, &any, 0);
    }
}

const char *randomuser_form(const char *format, struct sbuf *answer)
{
    struct arena arena = {0};
    struct sbuf json = {0};
    const struct json_node *root;
    struct err err;
    struct str name = str_of(format ? format : "json");
    bool pretty = str_is(name, "pretty") || str_is(name, "prettyjson");
    bool csv = str_is(name, "csv"), yaml = str_is(name, "yaml"), xml = str_is(name, "xml");
    if (pretty || csv || yaml || xml) {
        sbuf_str(&json, sbuf_view(answer));
        sbuf_clear(answer);
        CHECK(json_parse(&arena, sbuf_view(&json), &root, &err));
        if (pretty)
            put_pretty(answer, root, 0);
        else if (csv)
            put_table(answer, root);
        else if (yaml)
            put_yaml(answer, root, 0, false);
        else {
            sbuf_cstr(answer, "<?xml version='1.0'?>\n");
            put_xml(answer, root, STR("user"), 0);
        }
        sbuf_fini(&json);
        arena_fini(&arena);
    }
    return csv    ? "text/csv; charset=utf-8"
           : yaml ? "text/x-yaml; charset=utf-8"
           : xml  ? "text/xml; charset=utf-8"
                  : "application/json; charset=utf-8";
}

/* /config and /mode, at every level; /contexts; what the server says of itself. */
#include "registry/rest_private.h"
#include "registry/subject.h"
#include "schema/text.h"

/* The subject in the path; p NULL: none, or the default context, which is the same. */
static struct str scope_of(struct rest *r)
{
    if (r->segment_count < 2 || subject_is_default_context(r->segments[1]))
        return (struct str){0};
    return subject_normal(r->work.arena, r->segments[1]);
}

static bool check_subject(struct rest *r)
{
    return r->segment_count < 2 || subject_is_valid(r->segments[1], true) ||
           refuse(&r->work, CODE_INVALID_SUBJECT, "The specified subject '%.*s' is not a valid.",
                  STR_ARG(r->segments[1]));
}

/* ---- configurations ------------------------------------------------------------------------------------------------------------ */

static void show_config(struct rest *r, const struct config *config, bool update)
{
    struct sbuf fields = {0};
    config_write(&fields, config, update);
    sbuf_char(&r->out, '{');
    sbuf_str(&r->out, sbuf_view(&fields));
    sbuf_char(&r->out, '}');
    sbuf_fini(&fields);
}

static struct str upper(struct arena *arena, struct str text)
{
    char *out = str_dup(arena, text);
    for (char *p = out; *p; p++)
        if (*p >= 'a' && *p <= 'z')
            *p = (char)(*p - 'a' + 'A');
    return str_n(out, text.n);
}

static bool check_update(struct rest *r, struct config_update *update)
{
    struct str *level = &update->config.fields[CONFIG_LEVEL], *policy = &update->config.fields[CONFIG_POLICY];
    enum schema_level known;
    struct err err;
    if (level->p != NULL) {
        if (!schema_level_find(*level, &known))
            return refuse(&r->work, CODE_INVALID_LEVEL,
                          "Invalid compatibility level. Valid values are none, backward, forward, full, "
                          "backward_transitive, forward_transitive, and full_transitive");
        *level = str_of(schema_level_name(known));
    }
    if (policy->p != NULL) {
        *policy = upper(r->work.arena, *policy);
        if (!str_is(*policy, "STRICT") && !str_is(*policy, "LENIENT") && !str_is(*policy, "LOGICAL"))
            *policy = (struct str){0};
    }
    for (int i = CONFIG_DEFAULT_RULES; i <= CONFIG_OVERRIDE_RULES; i++)
        if (!rules_check(r->work.arena, update->config.fields[i], &err))
            return refuse(&r->work, CODE_INVALID_RULES, "%s", err.text);
    return true;
}

static bool put_config(struct rest *r)
{
    struct config_update update;
    struct config config;
    struct err err;
    if (!config_update_parse(r->work.arena, r->body, &update, &err))
        return refuse(&r->work, 400, "%s", err.text);
    TRY(check_update(r, &update));
    TRY(check_subject(r));
    TRY(decide_config(&r->work, scope_of(r), &update, &config));
    show_config(r, &config, true);
    return true;
}

static bool get_config(struct rest *r)
{
    struct str scope = scope_of(r);
    struct config config;
    if (rest_bool(r, "defaultToGlobal"))
        config_in_scope(&r->work, scope, &config);
    else if (!config_of(&r->work, scope, &config))
        return refuse(&r->work, CODE_NO_SUBJECT_CONFIG,
                      "Subject '%.*s' does not have subject-level compatibility configured", STR_ARG(scope));
    show_config(r, &config, false);
    return true;
}

static bool delete_config(struct rest *r)
{
    struct str scope = scope_of(r);
    struct config config;
    if (!config_of(&r->work, scope, &config))
        return refuse_subject_not_found(&r->work, scope);
    show_config(r, &config, false);
    return decide_config_delete(&r->work, scope);
}

/* ---- modes --------------------------------------------------------------------------------------------------------------------- */

static bool put_mode(struct rest *r)
{
    const struct json_node *node = json_member(r->body, STR("mode"));
    enum registry_mode mode = MODE_READWRITE;
    struct str text = node ? node->text : (struct str){0}, scope = scope_of(r);
    TRY(check_subject(r));
    bool given = node != NULL && node->kind != JSON_NULL;
    if (given && (node->kind != JSON_STRING || !registry_mode_find(upper(r->work.arena, text), &mode)))
        return refuse(&r->work, CODE_INVALID_MODE,
                      "Invalid mode. Valid values are READWRITE, READONLY, IMPORT and FORWARD.");
    if (str_is(text, "FORWARD") && (scope.p == NULL || !subject_is_global_context(scope)))
        return refuse(&r->work, CODE_INVALID_MODE, "Forward mode only supported on global level");
    TRY(decide_mode(&r->work, scope, given ? &mode : NULL, rest_bool(r, "force")));
    sbuf_cstr(&r->out, "{\"mode\":");
    if (given)
        text_string(&r->out, text);
    else
        sbuf_cstr(&r->out, "null");
    sbuf_char(&r->out, '}');
    return true;
}

static bool get_mode(struct rest *r)
{
    struct str scope = scope_of(r);
    enum registry_mode mode;
    if (rest_bool(r, "defaultToGlobal"))
        mode = mode_in_scope(&r->work, scope);
    else if (!mode_of(&r->work, scope, &mode))
        return refuse(&r->work, CODE_NO_SUBJECT_MODE,
                      "Subject '%.*s' does not have subject-level mode configured", STR_ARG(scope));
    sbuf_printf(&r->out, "{\"mode\":\"%s\"}", registry_mode_name(mode));
    return true;
}

static bool delete_mode(struct rest *r)
{
    struct str scope = scope_of(r);
    enum registry_mode mode;
    bool had = mode_of(&r->work, scope, &mode), recursive = rest_bool(r, "recursive");
    if (!had && !recursive)
        return refuse_subject_not_found(&r->work, scope);
    decide_mode_delete(&r->work, scope, recursive);
    if (had)
        sbuf_printf(&r->out, "{\"mode\":\"%s\"}", registry_mode_name(mode));
    else
        sbuf_cstr(&r->out, "{}");
    return true;
}

const struct rest_route rest_setting_routes[] = {
    {"GET", "config", false, get_config},
    {"PUT", "config", true, put_config},
    {"DELETE", "config", false, delete_config},
    {"GET", "config/*", false, get_config},
    {"PUT", "config/*", true, put_config},
    {"DELETE", "config/*", false, delete_config},
    {"GET", "mode", false, get_mode},
    {"PUT", "mode", true, put_mode},
    {"DELETE", "mode", false, delete_mode},
    {"GET", "mode/*", false, get_mode},
    {"PUT", "mode/*", true, put_mode},
    {"DELETE", "mode/*", false, delete_mode},
    {0},
};

/* ---- contexts, and the server itself ------------------------------------------------------------------------------------------- */

static bool list_contexts(struct rest *r)
{
    const struct state_context **contexts;
    struct str prefix = rest_text(r, "contextPrefix");
    struct rest_page page;
    TRY(rest_page(r, INT32_MAX, &page));
    size_t count = state_contexts(r->work.state, r->work.arena, &contexts);
    sbuf_char(&r->out, '[');
    for (size_t i = 0; i <= count && page.limit > 0; i++) {
        struct str name = i == 0 ? STR(".") : contexts[i - 1]->name;
        if (!str_starts(name, prefix) || page.offset-- > 0)
            continue;
        if (r->out.n > 1)
            sbuf_char(&r->out, ',');
        text_string(&r->out, name);
        page.limit--;
    }
    sbuf_char(&r->out, ']');
    return true;
}

static bool delete_context(struct rest *r)
{
    r->status = 204;
    return decide_context_delete(&r->work, subject_normal(r->work.arena, r->segments[1]));
}

static bool get_root(struct rest *r)
{
    sbuf_cstr(&r->out, "{}");
    return true;
}

static bool get_cluster(struct rest *r)
{
    char id[STORE_ID_TEXT + 1];
    store_id_text(local_store(r->local), id);
    sbuf_printf(&r->out,
                "{\"scope\":{\"path\":[],\"clusters\":{\"kafka-cluster\":\"%s\","
                "\"schema-registry-cluster\":\"schema-registry\"}},\"id\":\"\"}",
                id);
    return true;
}

/* The version of Confluent's registry that answers as this one does. */
static bool get_server_version(struct rest *r)
{
    sbuf_cstr(&r->out, "{\"version\":\"8.1.0\",\"commitId\":\"sluice\"}");
    return true;
}

static bool get_deployment(struct rest *r)
{
    sbuf_cstr(&r->out, "{\"attributes\":[]}");
    return true;
}

const struct rest_route rest_server_routes[] = {
    {"GET", "", false, get_root},
    {"POST", "", false, get_root},
    {"GET", "contexts", false, list_contexts},
    {"DELETE", "contexts/*", false, delete_context},
    {"GET", "v1/metadata/id", false, get_cluster},
    {"GET", "v1/metadata/version", false, get_server_version},
    {"GET", "v1/metadata/deployment", false, get_deployment},
    {0},
};

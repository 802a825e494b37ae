/* check: what is wrong with a project, without running it; and what its schemas are to those that are registered.
 *
 * A schema that the project gives is compared with the versions of its subject: in the registry that the caller names (-r URL), in that of the process
 * that runs on the folder, or in the topic `_schemas` of the data folder. Where it is another than the newest version, the columns that differ are said,
 * and who reads them. */
#include <stdio.h>

#include "cli/control.h"
#include "cli/host.h"
#include "cli/rest.h"
#include "http/client.h"
#include "job/project.h"
#include "registry/registry.h"
#include "schema/text.h"
#include "topic/key.h"
#include "topic/schemas.h"

/* Where schemas are registered: one of both. */
struct versions {
    struct arena *arena;
    struct rest_client *rest;
    struct registry *registry;
};

/* What there is to say of one schema. */
struct compared {
    struct schema_messages messages;
    struct schema_source latest; /* text.p NULL: none is registered, or it cannot be looked at */
    int32_t version;             /* of latest; 0: none is registered */
};

/* ---- asking ------------------------------------------------------------------------------------------------------------------- */

static void take_messages(struct arena *arena, const struct json_node *list, struct schema_messages *messages)
{
    uint32_t count = 0;
    JSON_EACH(message, list)
    count += message != NULL;
    messages->items = arena_array(arena, struct str, count + 1);
    JSON_EACH(message, list)
    messages->items[messages->count++] = str_of(str_dup(arena, message->text));
}

static bool ask_rest(struct versions *v, struct str subject, const struct schema_source *source,
                     struct compared *c, struct err *err)
{
    struct sbuf path = {0}, body = {0};
    struct rest_answer answer;
    int64_t version;
    struct str kind = STR("AVRO");
    sbuf_cstr(&path, "/subjects/");
    http_encode(&path, subject);
    sbuf_cstr(&path, "/versions/latest");
    bool known = rest_ask(v->rest, "GET", path.p, (struct str){0}, &answer, err);
    bool ok = known || err->code == REGISTRY_ERR_SUBJECT_NOT_FOUND ||
              err->code == REGISTRY_ERR_VERSION_NOT_FOUND;
    json_str(known ? answer.json : NULL, "schemaType", &kind);
    if (known && json_i64(answer.json, "version", &version))
        c->version = (int32_t)version;
    if (known && json_member(answer.json, STR("references")) == NULL &&
        schema_kind_find(kind, &c->latest.kind) && json_str(answer.json, "schema", &c->latest.text))
        c->latest.text = str_of(str_dup(v->arena, c->latest.text));
    sbuf_clear(&path);
    sbuf_cstr(&path, "/compatibility/subjects/");
    http_encode(&path, subject);
    sbuf_cstr(&path, "/versions?verbose=true");
    sbuf_printf(&body, "{\"schemaType\":\"%s\",\"schema\":", schema_kind_name(source->kind));
    text_string(&body, source->text);
    sbuf_char(&body, '}');
    if (known)
        ok = rest_ask(v->rest, "POST", path.p, sbuf_view(&body), &answer, err);
    if (known && ok)
        take_messages(v->arena, json_member(answer.json, STR("messages")), &c->messages);
    sbuf_fini(&path);
    sbuf_fini(&body);
    return ok;
}

static bool ask(struct versions *v, struct str subject, const struct schema_source *source,
                struct compared *c, struct err *err) UNSHARED
{
    struct registry_schema latest;
    *c = (struct compared){.messages.arena = v->arena};
    if (v->rest)
        return ask_rest(v, subject, source, c, err);
    TRY(registry_compatible_now(v->registry, v->arena, subject, source->kind, source->text, NULL, 0,
                                &c->messages, &latest, err));
    c->version = latest.version;
    c->latest = latest.source;
    return true;
}

/* ---- who reads what differs --------------------------------------------------------------------------------------------------- */

struct before {
    const struct project *project;
    uint32_t topic; /* whose columns were */
    const struct type *columns;
};

static const struct type *columns_before(void *arg, uint32_t topic)
{
    const struct before *b = arg;
    return topic == b->topic ? b->columns : b->project->topics[topic].schema;
}

static void print_type(struct sbuf *out, const struct type *columns, int index)
{
    if (index < 0)
        sbuf_cstr(out, "none");
    else
        type_to_sql(columns->fields[index].type, out);
}

/* Is that column another one, or only in one of both? */
static bool differs(const struct type *old, const struct type *new, struct str name)
{
    int a = type_field(old, name, false), b = type_field(new, name, false);
    return (a < 0) != (b < 0) || (a >= 0 && !type_same(old->fields[a].type, new->fields[b].type));
}

static void say_column(const struct type *old, const struct type *new, struct str name)
{
    struct sbuf text = {0};
    if (!differs(old, new, name))
        return;
    print_type(&text, old, type_field(old, name, false));
    sbuf_cstr(&text, " → ");
    print_type(&text, new, type_field(new, name, false));
    cli_print("    %.*s: %s\n", STR_ARG(name), text.p);
    sbuf_fini(&text);
}

/* Columns of the topic that the plan reads and that differ, appended; as deep as plans are. */
static void find_readings(const struct plan *plan, const struct before *b, const struct type *new,
                          struct sbuf *out)
{
    bool ours = plan->kind == PLAN_SCAN && (uintptr_t)plan->relation.handle == b->topic + 1;
    for (uint32_t i = 0; ours && i < plan->column_count; i++) {
        struct str name = str_of(plan->relation.schema->fields[plan->columns[i]].name);
        bool data = type_field(b->columns, name, false) >= 0 || type_field(new, name, false) >= 0;
        if (data && differs(b->columns, new, name))
            sbuf_printf(out, "%s%.*s", out->n ? ", " : "", STR_ARG(name));
    }
    for (uint32_t i = 0; i < plan->input_count; i++)
        find_readings(plan->inputs[i], b, new, out);
}

/* With the columns that it had, and where that cannot be, with those that it has. */
static void say_readers(struct arena *arena, struct before *b, const struct type *new)
{
    struct project_catalogue catalogue = {.project = b->project, .schema_of = columns_before, .arg = b};
    for (uint32_t i = 0; i < b->project->conf.stream_count; i++) {
        const struct stream_def *stream = &b->project->streams[i];
        struct sbuf columns = {0};
        struct plan *plan;
        struct err ignored;
        if (project_bind(&catalogue, arena, stream, &plan, &ignored))
            find_readings(plan, b, new, &columns);
        if (stream->plan && columns.n == 0)
            find_readings(stream->plan, b, new, &columns);
        if (columns.n)
            cli_print("    read by stream \"%s\": %.*s\n", stream->name, STR_ARG(sbuf_view(&columns)));
        const struct sink_def *sink;
        for (uint32_t k = 0; columns.n && (sink = stream_sink(stream, k)) != NULL; k++)
            if (sink->conf)
                cli_print("      for %s\n", sink->name);
        sbuf_fini(&columns);
    }
}

static void say_changes(struct arena *arena, const struct project *project, uint32_t topic,
                        const struct compared *c)
{
    const struct topic_def *def = &project->topics[topic];
    struct schema_source source = c->latest;
    const struct schema *latest;
    struct err ignored;
    source.lenient = true;
    if (source.text.p == NULL || def->schema == NULL || source.kind != topic_schema_kind(def->format) ||
        !schema_parse(arena, &source, &latest, &ignored))
        return;
    struct before b = {project, topic, topic_columns(arena, def->format, latest, &ignored)};
    if (b.columns == NULL)
        return;
    for (uint32_t i = 0; i < b.columns->field_count; i++)
        say_column(b.columns, def->schema, str_of(b.columns->fields[i].name));
    for (uint32_t i = 0; i < def->schema->field_count; i++)
        if (type_field(b.columns, str_of(def->schema->fields[i].name), false) < 0)
            say_column(b.columns, def->schema, str_of(def->schema->fields[i].name));
    say_readers(arena, &b, def->schema);
}

/* ---- one schema after the other ------------------------------------------------------------------------------------------------ */

/* The source that `up` would register; false: it registers none, or cannot be told. */
static bool source_of(struct arena *arena, const struct topic_def *def, bool is_key,
                      struct schema_source *source)
{
    const struct schema_source *given = is_key ? def->key_schema : def->value_schema;
    const struct type *columns = def->schema;
    struct sbuf text = {0};
    struct err ignored;
    if (!(is_key ? topic_key_has_schema(def) : topic_has_schema(def)))
        return false;
    if (given) {
        *source = *given;
        return true;
    }
    if (columns && is_key)
        columns = topic_key_columns(arena, def, columns, &ignored);
    bool ok = columns && topic_schema_text(def, is_key, columns, &text, &ignored);
    *source = (struct schema_source){.kind = topic_schema_kind(is_key ? def->key_format : def->format),
                                     .text = str_of(str_dup(arena, sbuf_view(&text)))};
    sbuf_fini(&text);
    return ok;
}

/* The old schema is long, and its version is said. */
static void say_reasons(const struct schema_messages *messages)
{
    for (uint32_t i = 0; i < messages->count; i++)
        if (!str_starts(messages->items[i], STR("{oldSchema:")))
            cli_print("    %.*s\n", STR_ARG(messages->items[i]));
}

static bool is_same(struct arena *arena, const struct schema *schema, const struct compared *c)
{
    struct schema_source source = c->latest;
    const struct schema *latest;
    struct err ignored;
    source.lenient = true;
    return source.text.p && source.kind == schema_kind_of(schema) &&
           schema_parse(arena, &source, &latest, &ignored) && schema_equal(schema, latest);
}

static bool check_schema(struct versions *v, const struct project *project, uint32_t topic, bool is_key,
                         struct conf_diags *diags, struct err *err) UNSHARED
{
    const struct topic_def *def = &project->topics[topic];
    const struct conf_topic *conf = &project->conf.topics[topic];
    const struct conf_node *node = is_key ? conf->key_schema.node : conf->schema.node;
    struct schema_source source;
    struct compared c;
    const struct schema *schema;
    if (!source_of(v->arena, def, is_key, &source))
        return true;
    TRY(schema_parse(v->arena, &source, &schema, err));
    const char *subject = topic_subject(v->arena, def, is_key, schema);
    if (subject == NULL)
        return true;
    TRY(ask(v, str_of(subject), &source, &c, err));
    bool fits = c.messages.count == 0;
    if (!fits)
        conf_say(diags, CONF_ERROR, node ? node : conf->node,
                 "the schema of topic \"%s\" does not go with version %d of the subject \"%s\"", def->name,
                 c.version, subject);
    if (!fits || (c.version > 0 && !is_same(v->arena, schema, &c)))
        cli_print("  subject \"%s\": %s version %d\n", subject,
                  fits ? "a new version, compatible with" : "not compatible with", c.version);
    say_reasons(&c.messages);
    if (!is_key && c.version > 0)
        say_changes(v->arena, project, topic, &c);
    return true;
}

static bool check_all(struct versions *v, const struct project *project, struct conf_diags *diags,
                      struct err *err) UNSHARED
{
    for (uint32_t i = 0; i < project->conf.topic_count; i++)
        TRY(check_schema(v, project, i, false, diags, err) && check_schema(v, project, i, true, diags, err));
    return true;
}

static bool has_schemas(const struct project *project)
{
    bool any = false;
    for (uint32_t i = 0; i < project->conf.topic_count; i++)
        any = any || topic_has_schema(&project->topics[i]) || topic_key_has_schema(&project->topics[i]);
    return any;
}

static bool check_over_rest(const struct cli_args *args, const struct project *project, const char *url,
                            struct conf_diags *diags, struct err *err) UNSHARED
{
    struct pool *pool = pool_new(NULL, "check");
    struct versions v = {.arena = args->arena};
    bool ok = rest_client_new(pool, url, &v.rest, err) && check_all(&v, project, diags, err);
    rest_client_end(v.rest);
    pool_free(pool);
    return ok;
}

static bool check_over_store(const struct cli_args *args, const struct project *project,
                             struct conf_diags *diags, struct err *err) UNSHARED
{
    const struct store_options options = {.read_only_attach = true};
    struct pool *pool = pool_new(NULL, "check");
    struct versions v = {.arena = args->arena};
    struct store *store;
    const char *version = arena_printf(args->arena, "%s/VERSION", project->data);
    bool ok = true;
    if (os_exists(version)) { /* else nothing has run here yet */
        ok = store_open(pool, project->data, &options, NULL, &store, err);
        if (ok) {
            ok = registry_new(pool, NULL, store, &v.registry, err) && check_all(&v, project, diags, err);
            registry_free(v.registry);
            ok = store_close(store, ok ? err : NULL) && ok;
        }
    }
    pool_free(pool);
    return ok;
}

/* Another registry is asked only when it is named: check is for places without a network, too. */
static bool check_schemas(struct cli_args *args, const struct project *project, struct conf_diags *diags,
                          struct err *err) UNSHARED
{
    const char *url = cli_value(args, "--registry");
    const struct conf_node *settings = conf_get(project->conf.root, "settings");
    struct command_env env = {.args = args, .project = project, .cwd = os_absolute(args->arena, ".")};
    struct sbuf answer = {0};
    if (!has_schemas(project))
        return true;
    if (url)
        return check_over_rest(args, project, url, diags, err);
    if (settings && conf_get(settings, "registry")) {
        cli_print("the project's schemas were not compared with its registry: -r URL does that\n");
        return true;
    }
    int status = control_ask(&env, "registry", &answer);
    if (status == EXIT_DONE && answer.n == 0)
        cli_print(
            "the project's schemas were not compared: the registry of the process that runs here does not listen\n");
    bool ok = status > EXIT_DONE || (status == EXIT_DONE && answer.n == 0);
    if (status < 0)
        ok = check_over_store(args, project, diags, err);
    else if (!ok)
        ok = check_over_rest(args, project, arena_printf(args->arena, "http://%s", answer.p), diags, err);
    sbuf_fini(&answer);
    return ok;
}

/* ---- the command --------------------------------------------------------------------------------------------------------------- */

static const char *plural(uint32_t n)
{
    return n == 1 ? "" : "s";
}

static int run_check(struct cli_args *args) UNSHARED
{
    struct project project;
    struct conf_diags diags = {.arena = args->arena};
    const char *folder = args->folder ? args->folder : args->operand_count ? args->operands[0] : ".";
    struct err err;
    project_load(args->arena, folder, args->sets, args->set_count, &project, &diags);
    if (diags.errors == 0 && !project_exists(folder)) {
        err_set(&err, ERR_CONFIG, "there is no sluice.yaml in \"%s\"", folder);
        err_hint(&err, "Make one with: sluice init %s --example users.", folder);
        return cli_fail(args, &err);
    }
    if (diags.errors == 0 && !check_schemas(args, &project, &diags, &err)) {
        host_say(args, &diags);
        return cli_fail(args, &err);
    }
    int status = host_say(args, &diags);
    if (status == EXIT_DONE)
        cli_print("%s: %u source%s, %u topic%s, %u stream%s: all is well\n", project.conf.name,
                  project.conf.source_count, plural(project.conf.source_count), project.conf.topic_count,
                  plural(project.conf.topic_count), project.conf.stream_count,
                  plural(project.conf.stream_count));
    return status;
}

static const struct cli_flag check_flags[] = {
    {"--registry", "-r", "URL",
     "compares the project's schemas with those of this registry; default: those of its own"},
    {0}};

extern const struct cli_command command_check;
const struct cli_command command_check = {
    .name = "check",
    .operands = "[DIR]",
    .summary = "says what is wrong with the project, without running it",
    .help =
        "A schema that the project gives is compared with the versions of its subject in the project's own registry: where it is\n"
        "not compatible, why; where it changed, which columns, and which streams and sinks read them. Nothing else is\n"
        "connected to.\n",
    .flags = check_flags,
    .operands_max = 1,
    .loads_project = true,
    .run = run_check,
};

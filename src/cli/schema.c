/* schema list, get, register, check, diff, delete: any Confluent-compatible registry, through its REST interface. */
#include <stdio.h>

#include "cli/rest.h"
#include "cli/table.h"
#include "http/client.h"
#include "os/os.h"
#include "schema/schema.h"
#include "schema/text.h"

enum { PAGE = 500, SCHEMA_FILE_MAX = 1 << 20 };

struct asking {
    struct command_env *env;
    struct rest_client *client;
    struct arena *arena;
    struct err err;
};

static bool begin(struct asking *a, struct command_env *env)
{
    *a = (struct asking){.env = env, .arena = pool_arena(env->pool)};
    return rest_client_new(env->pool, env->registry, &a->client, &a->err);
}

static int end(struct asking *a, bool ok)
{
    rest_client_end(a->client);
    return ok ? EXIT_DONE : env_fail(a->env, &a->err, NULL);
}

static const char *subject_path(struct asking *a, const char *before, const char *subject, const char *after)
{
    struct sbuf name = {0};
    http_encode(&name, str_of(subject));
    const char *path = arena_printf(a->arena, "%s/subjects/%s%s", before, name.p, after);
    sbuf_fini(&name);
    return path;
}

/* "latest", "-1", or a number. */
static const char *version_operand(struct asking *a, uint32_t i, const char *usual)
{
    const struct cli_args *args = a->env->args;
    return args->operand_count > i ? args->operands[i] : usual;
}

static struct str text_of(const struct json_node *node, const char *name)
{
    struct str text = {0};
    if (!json_text(node, name, &text))
        text = STR("-");
    return text;
}

/* ---- list ---------------------------------------------------------------------------------------------------------------------- */

static struct str kind_of(const struct json_node *schema)
{
    struct str kind = STR("AVRO");
    json_str(schema, "schemaType", &kind);
    return kind;
}

static bool list(struct asking *a)
{
    static const struct table_column columns[] = {{.name = "subject"},
                                                  {.name = "version", .right = true},
                                                  {.name = "id", .right = true},
                                                  {.name = "type"}};
    const char *prefix = cli_value(a->env->args, "--prefix");
    struct sbuf encoded = {0};
    struct table table;
    bool json, done = true;
    uint32_t count = PAGE;
    TRY(command_wants_json(a->env, &json, &a->err));
    http_encode(&encoded, str_of(prefix ? prefix : ":*:"));
    if (!json)
        table_init(&table, a->env, columns, 4);
    for (uint32_t at = 0; done && count == PAGE; at += PAGE) {
        struct rest_answer answer;
        const char *path = arena_printf(a->arena,
                                        "/schemas?latestOnly=true&subjectPrefix=%s&offset=%u&limit=%u",
                                        encoded.p, at, (unsigned)PAGE);
        done = rest_ask(a->client, "GET", path, (struct str){0}, &answer, &a->err);
        count = 0;
        JSON_EACH(schema, done ? answer.json : NULL)
        {
            const struct str cells[] = {text_of(schema, "subject"), text_of(schema, "version"),
                                        text_of(schema, "id"), kind_of(schema)};
            count++;
            if (json) {
                json_write(schema, &a->env->out);
                env_add(a->env, STR("\n"));
            } else {
                table_row(&table, cells);
            }
        }
    }
    if (!json)
        table_end(&table, false);
    sbuf_fini(&encoded);
    return done;
}

static int look_list(struct command_env *env)
{
    struct asking a;
    return end(&a, begin(&a, env) && list(&a));
}

/* ---- get ----------------------------------------------------------------------------------------------------------------------- */

static bool get_version(struct asking *a, const char *subject, const char *version,
                        const struct json_node **schema)
{
    struct rest_answer answer;
    const char *after = arena_printf(a->arena, "/versions/%s", version);
    TRY(rest_ask(a->client, "GET", subject_path(a, "", subject, after), (struct str){0}, &answer, &a->err));
    *schema = answer.json;
    return true;
}

static bool get(struct asking *a)
{
    const struct cli_args *args = a->env->args;
    const char *id = cli_value(args, "--id");
    const struct json_node *schema;
    struct rest_answer answer;
    struct str text = {0};
    bool json;
    TRY(command_wants_json(a->env, &json, &a->err));
    if ((id == NULL) == (args->operand_count == 0))
        return err_set(&a->err, ERR_CONFIG, "a subject, or --id, says which schema");
    if (id) {
        TRY(rest_ask(a->client, "GET", arena_printf(a->arena, "/schemas/ids/%s", id), (struct str){0},
                     &answer, &a->err));
        schema = answer.json;
    } else {
        TRY(get_version(a, args->operands[0], version_operand(a, 1, "latest"), &schema));
    }
    if (json)
        json_write(schema, &a->env->out);
    else if (json_str(schema, "schema", &text))
        sbuf_str(&a->env->out, text);
    env_add(a->env, STR("\n"));
    return true;
}

static int look_get(struct command_env *env)
{
    struct asking a;
    return end(&a, begin(&a, env) && get(&a));
}

/* ---- register, check ----------------------------------------------------------------------------------------------------------- */

static bool kind_of_file(struct asking *a, const char *path, const char **kind)
{
    struct str name = str_of(path);
    *kind = cli_value(a->env->args, "--type");
    enum schema_kind known;
    if (*kind && !schema_kind_find(str_of(*kind), &known))
        return err_set(&a->err, ERR_CONFIG, "--type is AVRO, PROTOBUF or JSON, not \"%s\"", *kind);
    if (*kind == NULL)
        *kind = str_ends(name, STR(".proto")) ? "PROTOBUF" : str_ends(name, STR(".json")) ? "JSON" : "AVRO";
    return true;
}

/* "NAME=SUBJECT:VERSION", several of them with commas between. */
static bool add_references(struct asking *a, struct sbuf *body, struct str list)
{
    bool first = true;
    while (list.n > 0) {
        size_t comma = str_find(list, STR(","), 0);
        struct str one = comma == SIZE_MAX ? list : str_n(list.p, comma);
        list = comma == SIZE_MAX ? str_n("", 0) : str_n(list.p + comma + 1, list.n - comma - 1);
        size_t equals = str_find(one, STR("="), 0), colon = one.n;
        while (colon > 0 && one.p[colon - 1] != ':')
            colon--;
        int64_t version;
        if (equals == SIZE_MAX || colon <= equals + 1 ||
            !str_to_i64(str_n(one.p + colon, one.n - colon), &version))
            return err_set(&a->err, ERR_CONFIG, "--references has NAME=SUBJECT:VERSION, not \"%.*s\"",
                           STR_ARG(one));
        sbuf_cstr(body, first ? ",\"references\":[{\"name\":" : ",{\"name\":");
        text_string(body, str_n(one.p, equals));
        sbuf_cstr(body, ",\"subject\":");
        text_string(body, str_n(one.p + equals + 1, colon - equals - 2));
        sbuf_printf(body, ",\"version\":%lld}", (long long)version);
        first = false;
    }
    if (!first)
        sbuf_char(body, ']');
    return true;
}

/* The request's body of the file in the second operand. */
static bool body_of_file(struct asking *a, struct sbuf *body)
{
    const struct cli_args *args = a->env->args;
    const char *path = env_path(a->env, args->operands[1]), *kind;
    struct sbuf text = {0};
    TRY(kind_of_file(a, path, &kind));
    bool done = os_read_file(path, SCHEMA_FILE_MAX, &text, &a->err);
    if (done) {
        sbuf_printf(body, "{\"schemaType\":\"%s\",\"schema\":", kind);
        text_string(body, sbuf_view(&text));
        done = add_references(a, body, str_of(cli_value(args, "--references")));
        sbuf_char(body, '}');
    }
    sbuf_fini(&text);
    return done;
}

static bool do_register(struct asking *a)
{
    const struct cli_args *args = a->env->args;
    struct sbuf body = {0};
    struct rest_answer answer;
    const char *after = cli_given(args, "--normalize") ? "/versions?normalize=true" : "/versions";
    bool json, done = command_wants_json(a->env, &json, &a->err) && body_of_file(a, &body) &&
                      rest_ask(a->client, "POST", subject_path(a, "", args->operands[0], after),
                               sbuf_view(&body), &answer, &a->err);
    sbuf_fini(&body);
    if (done && json)
        env_print(a->env, "%.*s\n", STR_ARG(answer.text));
    else if (done)
        env_print(a->env, "subject \"%s\": version %.*s, id %.*s\n", args->operands[0],
                  STR_ARG(text_of(answer.json, "version")), STR_ARG(text_of(answer.json, "id")));
    return done;
}

static int look_register(struct command_env *env)
{
    struct asking a;
    return end(&a, begin(&a, env) && do_register(&a));
}

/* Says what stands in the answer to a question for compatibility; false: it is not compatible. */
static bool print_verdict(struct asking *a, const struct json_node *answer, const char *what)
{
    bool fits = false;
    json_bool(answer, "is_compatible", &fits);
    env_print(a->env, "%s: %s\n", what, fits ? "compatible" : "not compatible");
    JSON_EACH(message, json_member(answer, STR("messages")))
    env_print(a->env, "  %s\n", env_visible(a->env, str_dup(a->arena, message->text)));
    return fits;
}

/* How far what is there asks for it. */
static const char *level_of(struct asking *a, const char *subject)
{
    struct sbuf name = {0};
    struct rest_answer answer;
    struct str level;
    struct err ignored;
    http_encode(&name, str_of(subject));
    const char *path = arena_printf(a->arena, "/config/%s?defaultToGlobal=true", name.p);
    sbuf_fini(&name);
    bool known = rest_ask(a->client, "GET", path, (struct str){0}, &answer, &ignored) &&
                 json_str(answer.json, "compatibilityLevel", &level);
    return known ? str_dup(a->arena, level) : "?";
}

static int look_check(struct command_env *env)
{
    struct asking a;
    struct sbuf body = {0};
    struct rest_answer answer;
    bool json = false, fits = false,
         done = begin(&a, env) && command_wants_json(env, &json, &a.err) && body_of_file(&a, &body);
    const char *subject = env->args->operands[0];
    done = done &&
           rest_ask(a.client, "POST", subject_path(&a, "/compatibility", subject, "/versions?verbose=true"),
                    sbuf_view(&body), &answer, &a.err);
    sbuf_fini(&body);
    if (done && json) {
        json_bool(answer.json, "is_compatible", &fits);
        env_print(env, "%.*s\n", STR_ARG(answer.text));
    } else if (done) {
        fits = print_verdict(&a, answer.json,
                             arena_printf(a.arena, "subject \"%s\", %s", subject, level_of(&a, subject)));
    }
    int status = end(&a, done);
    return status == EXIT_DONE && !fits ? EXIT_FAILED : status;
}

/* ---- diff ---------------------------------------------------------------------------------------------------------------------- */

/* A schema with all that it refers to, the needed ones first. */
struct fetched {
    struct schema_source source;
    struct schema_reference *references;
    uint32_t count;
    size_t capacity;
};

static bool fetch_references(struct asking *a, const struct json_node *schema, struct fetched *f,
                             uint32_t depth)
{
    if (depth > 100)
        return err_set(&a->err, ERR_DATA, "there are too many references");
    JSON_EACH(ref, json_member(schema, STR("references")))
    {
        struct schema_reference r = {.indirect = depth > 0};
        const struct json_node *target;
        int64_t version = 0;
        bool known = false;
        json_str(ref, "name", &r.name);
        json_str(ref, "subject", &r.subject);
        json_i64(ref, "version", &version);
        r.version = (int32_t)version;
        for (uint32_t i = 0; i < f->count; i++)
            known = known || str_eq(f->references[i].name, r.name);
        if (known)
            continue;
        TRY(get_version(a, str_dup(a->arena, r.subject), arena_printf(a->arena, "%d", (int)version),
                        &target));
        json_str(target, "schema", &r.text);
        TRY(fetch_references(a, target, f, depth + 1));
        f->references = mem_grow(f->references, &f->capacity, f->count + 1, sizeof *f->references);
        f->references[f->count++] = r;
    }
    return true;
}

static bool fetch(struct asking *a, const char *subject, const char *version, struct fetched *f,
                  const struct schema **schema)
{
    const struct json_node *node;
    *f = (struct fetched){.source.lenient = true};
    TRY(get_version(a, subject, version, &node));
    schema_kind_find(kind_of(node), &f->source.kind);
    json_str(node, "schema", &f->source.text);
    bool done = fetch_references(a, node, f, 0);
    f->source.references = f->references;
    f->source.reference_count = f->count;
    return done && schema_parse(a->arena, &f->source, schema, &a->err);
}

static void print_side(struct asking *a, const struct schema *new, const struct schema *old,
                       enum schema_level level, const char *what)
{
    struct schema_messages messages = {.arena = a->arena};
    const struct schema_version version = {.schema = old};
    struct err err;
    bool fits = schema_compatible(new, &version, 1, level, &messages, &err);
    env_print(a->env, "%s: %s\n", what, fits ? "yes" : "no");
    for (uint32_t i = 0; !fits && i < messages.count; i++)
        if (!str_starts(messages.items[i], STR("{oldSchema")))
            env_print(a->env, "  %s\n", env_visible(a->env, str_dup(a->arena, messages.items[i])));
}

static bool diff(struct asking *a)
{
    const struct cli_args *args = a->env->args;
    const char *from = args->operands[1], *to = version_operand(a, 2, "latest");
    const struct schema *old, *new;
    struct fetched f_old = {0}, f_new = {0};
    bool done = fetch(a, args->operands[0], from, &f_old, &old) &&
                fetch(a, args->operands[0], to, &f_new, &new);
    if (done && schema_equal(old, new)) {
        env_print(a->env, "versions %s and %s say the same\n", from, to);
    } else if (done) {
        print_side(a, new, old, SCHEMA_BACKWARD,
                   arena_printf(a->arena, "version %s reads what %s wrote (backward)", to, from));
        print_side(a, new, old, SCHEMA_FORWARD,
                   arena_printf(a->arena, "version %s reads what %s wrote (forward)", from, to));
    }
    mem_free(f_old.references);
    mem_free(f_new.references);
    return done;
}

static int look_diff(struct command_env *env)
{
    struct asking a;
    return end(&a, begin(&a, env) && diff(&a));
}

/* ---- delete -------------------------------------------------------------------------------------------------------------------- */

static bool do_delete(struct asking *a)
{
    const struct cli_args *args = a->env->args;
    const char *version = version_operand(a, 1, NULL), *subject = args->operands[0];
    bool permanent = cli_given(args, "--permanent");
    const char *after = arena_printf(a->arena, "%s%s%s", version ? "/versions/" : "", version ? version : "",
                                     permanent ? "?permanent=true" : "");
    struct rest_answer answer;
    TRY(rest_ask(a->client, "DELETE", subject_path(a, "", subject, after), (struct str){0}, &answer,
                 &a->err));
    env_note(a->env, "subject \"%s\": version%s %.*s deleted%s", subject, version ? "" : "s",
             STR_ARG(str_trim(answer.text)), permanent ? " for good" : "");
    return true;
}

static int look_delete(struct command_env *env)
{
    struct asking a;
    return end(&a, begin(&a, env) && do_delete(&a));
}

/* ---- the commands -------------------------------------------------------------------------------------------------------------- */

static const struct cli_flag list_flags[] = {
    {"--output", "-o", "FORMAT", "table (default) or json"},
    {"--prefix", "-p", "TEXT", "only subjects that begin so; default: those of all contexts"},
    CLI_REGISTRY_FLAG,
    {0}};
static const struct cli_flag get_flags[] = {
    {"--output", "-o", "FORMAT", "table (default): the schema's text; or json: all of it"},
    {"--id", NULL, "ID", "the schema of that id"},
    CLI_REGISTRY_FLAG,
    {0}};
static const struct cli_flag register_flags[] = {
    {"--output", "-o", "FORMAT", "table (default) or json"},
    {"--type", "-t", "TYPE", "AVRO, PROTOBUF or JSON; default: what the file's name says, else AVRO"},
    {"--references", NULL, "NAME=SUBJECT:VERSION[,…]", "schemas that this one uses"},
    {"--normalize", NULL, NULL, "in its normal form"},
    CLI_REGISTRY_FLAG,
    {0}};
static const struct cli_flag check_flags[] = {
    {"--output", "-o", "FORMAT", "table (default) or json"},
    {"--type", "-t", "TYPE", "AVRO, PROTOBUF or JSON; default: what the file's name says, else AVRO"},
    {"--references", NULL, "NAME=SUBJECT:VERSION[,…]", "schemas that this one uses"},
    CLI_REGISTRY_FLAG,
    {0}};
static const struct cli_flag diff_flags[] = {CLI_REGISTRY_FLAG, {0}};
static const struct cli_flag delete_flags[] = {
    {"--permanent", NULL, NULL, "for good, what is deleted already"}, CLI_REGISTRY_FLAG, {0}};

extern const struct cli_command command_schema_list, command_schema_get, command_schema_register,
    command_schema_check, command_schema_diff, command_schema_delete;
const struct cli_command command_schema_list = {
    .name = "schema list",
    .operands = "[DIR]",
    .summary = "lists the subjects of a schema registry",
    .flags = list_flags,
    .operands_max = 1,
    .registry = true,
    .look = look_list,
};
const struct cli_command command_schema_get = {
    .name = "schema get",
    .operands = "[SUBJECT [VERSION]]",
    .summary = "prints a schema",
    .help = "The newest version, where none is given. A schema's id is what its records begin with.",
    .flags = get_flags,
    .operands_max = 2,
    .dir_at = 2,
    .registry = true,
    .look = look_get,
};
const struct cli_command command_schema_register = {
    .name = "schema register",
    .operands = "SUBJECT FILE [DIR]",
    .summary = "registers a file as a schema's next version",
    .flags = register_flags,
    .operands_min = 2,
    .operands_max = 3,
    .dir_at = 2,
    .registry = true,
    .look = look_register,
};
const struct cli_command command_schema_check = {
    .name = "schema check",
    .operands = "SUBJECT FILE [DIR]",
    .summary = "says whether a file would be taken as the next version, and what speaks against it",
    .help = "The exit status is 1 when it would not.",
    .flags = check_flags,
    .operands_min = 2,
    .operands_max = 3,
    .dir_at = 2,
    .registry = true,
    .look = look_check,
};
const struct cli_command command_schema_diff = {
    .name = "schema diff",
    .operands = "SUBJECT VERSION [VERSION]",
    .summary = "says who can read what between two versions, and why not",
    .flags = diff_flags,
    .operands_min = 2,
    .operands_max = 3,
    .dir_at = 3,
    .registry = true,
    .look = look_diff,
};
const struct cli_command command_schema_delete = {
    .name = "schema delete",
    .operands = "SUBJECT [VERSION]",
    .summary = "deletes a version of a subject, or all of them",
    .help = "Their ids go on to mean what they mean, until they are deleted for good.",
    .flags = delete_flags,
    .operands_min = 1,
    .operands_max = 2,
    .dir_at = 2,
    .registry = true,
    .look = look_delete,
};

/* The caller's side of a command: the data folder's process does it, or this one. */
#include "cli/command.h"

#include <errno.h>
#include <stdio.h>

#include "cli/control.h"
#include "cli/host.h"
#include "cli/remote_schemas.h"
#include "job/schemas.h"
#include "os/vfs.h"
#include "type/timestamp.h"

/* ---- output ------------------------------------------------------------------------------------------------------ */

void env_add(struct command_env *env, struct str text)
{
    sbuf_str(&env->out, text);
    if (env->out.n >= COMMAND_OUT_BYTES)
        env_flush(env);
}

void env_print(struct command_env *env, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    sbuf_vprintf(&env->out, format, args);
    va_end(args);
    if (env->out.n >= COMMAND_OUT_BYTES)
        env_flush(env);
}

bool env_flush(struct command_env *env)
{
    if (!env->closed && env->out.n && !env->write(env, 1, env->out.p, env->out.n))
        env->closed = true;
    sbuf_clear(&env->out);
    return !env->closed;
}

const char *env_path(struct command_env *env, const char *path)
{
    return path[0] == '/' ? path : pool_printf(env->pool, "%s/%s", env->cwd, path);
}

const char *env_visible(struct command_env *env, const char *text)
{
    struct sbuf visible = {0};
    sbuf_visible(&visible, str_of(text));
    const char *copy = str_dup(pool_arena(env->pool), sbuf_view(&visible));
    sbuf_fini(&visible);
    return copy;
}

static void to_stderr(struct command_env *env, struct sbuf *text)
{
    env_flush(env); /* in the order in which it was said */
    if (text->n)
        err_redact(text->p, ERR_REDACT_OUTPUT);
    env->write(env, 2, text->p, text->n ? strlen(text->p) : 0);
    sbuf_fini(text);
}

void env_note(struct command_env *env, const char *format, ...)
{
    struct sbuf text = {0};
    va_list args;
    va_start(args, format);
    sbuf_cstr(&text, "sluice: ");
    sbuf_vprintf(&text, format, args);
    va_end(args);
    sbuf_char(&text, '\n');
    to_stderr(env, &text);
}

int env_fail(struct command_env *env, const struct err *err, const struct conf_file *file)
{
    struct sbuf text = {0};
    if (err->place.line && file)
        conf_err_print(&text, err, file, env->args->colour);
    else
        sbuf_printf(&text, "sluice: %s%s%s\n", err->text, err->hint[0] ? "\n  " : "", err->hint);
    to_stderr(env, &text);
    return err->class == ERR_CONFIG ? EXIT_USAGE : EXIT_FAILED;
}

bool env_gone(struct command_env *env)
{
    return env->closed || env->gone(env, 0);
}

/* ---- the store ------------------------------------------------------------------------------------------------------ */

struct store *command_store(struct command_env *env, struct err *err)
{
    err_clear(err);
    if (env->store || env->store_state != 0)
        return env->store;
    char version[OS_PATH_MAX];
    snprintf(version, sizeof version, "%s/VERSION", env->project->data);
    env->store_state = -1;
    if (!os_exists(version))
        return NULL;
    const struct store_options options = {.read_only_attach = true};
    struct loop *disk = NULL;
    if (!store_open(env->pool, env->project->data, &options, disk, &env->store, err))
        env->store = NULL;
    return env->store;
}

bool command_needs_store(struct command_env *env, struct err *err)
{
    if (command_store(env, err))
        return true;
    if (err->class != ERR_NONE)
        return false;
    err_set(err, ERR_FATAL, "nothing has run here yet: there is no data in \"%s\"", env->project->data);
    return err_hint(err, "Start the project with: sluice up.");
}

/* Where the registry of the project's records is, in another process; NULL: nowhere. */
static const char *registry_elsewhere(struct command_env *env)
{
    struct sbuf answer = {0};
    const char *url = env->project->conf.settings.registry;
    if (url == NULL && env->kafka && control_ask(env, "registry", &answer) == EXIT_DONE && answer.n > 0)
        url = pool_printf(env->pool, "http://%s", answer.p);
    sbuf_fini(&answer);
    return url;
}

const struct topic_schemas *command_schemas(struct command_env *env, const char *url, struct err *err)
{
    err_clear(err);
    if (env->engine && url == NULL)
        return engine_schemas(env->engine);
    if (env->schemas)
        return env->schemas;
    const char *token = url || env->is_foreign ? NULL : env->project->conf.settings.registry_token;
    if (url == NULL && !env->is_foreign)
        url = registry_elsewhere(env);
    if (url) {
        env->remote = remote_schemas_open(url, token, err);
        env->schemas = env->remote ? remote_schemas_view(env->remote) : NULL;
    } else if (env->kafka == NULL && command_store(env, err) &&
               registry_new(env->pool, NULL, env->store, &env->own_registry, err)) {
        env->schemas = schemas_of_store(env->pool, env->own_registry);
    }
    return env->schemas;
}

const struct type *command_topic_columns(struct command_env *env, const char *topic)
{
    struct arena *arena = pool_arena(env->pool);
    const struct type *schema = env->engine ? engine_topic_schema(env->engine, arena, topic) : NULL;
    struct sbuf json = {0};
    struct err ignored;
    if (schema == NULL && env->store) {
        char key[STORE_KEY_MAX];
        snprintf(key, sizeof key, "schema/%s", topic);
        store_get(env->store, str_of(key), &json);
    } else if (schema == NULL && env->kafka && !env->is_foreign) {
        (void)!control_ask(env, pool_printf(env->pool, "columns/%s", topic), &json);
    }
    if (json.n > 0 && !type_from_json(arena, str_of(str_dup(arena, sbuf_view(&json))), &schema, &ignored))
        schema = NULL;
    sbuf_fini(&json);
    int32_t index = project_topic_of(env->project, str_of(topic));
    return schema || index < 0 ? schema : env->project->topics[index].schema;
}

bool command_wants_json(struct command_env *env, bool *json, struct err *err)
{
    const char *output = cli_value(env->args, "--output");
    *json = output && strcmp(output, "json") == 0;
    if (output == NULL || *json || strcmp(output, "table") == 0)
        return true;
    err_set(err, ERR_CONFIG, "unknown output format \"%s\"", output);
    return err_hint(err, "There are table and json.");
}

/* A frame that is submitted on the frames loop while the command waits. */
struct commit {
    struct msg msg;
    struct frame *frame;
    struct latch done;
};

static void committed(struct frame *frame)
{
    struct commit *c = frame->arg;
    latch_open(&c->done);
}

static void submit(struct msg *msg)
{
    struct commit *c = CONTAINER_OF(msg, struct commit, msg);
    frame_submit(c->frame);
}

bool command_commit(struct command_env *env, struct frame *frame, struct err *err)
{
    if (env->frames == NULL)
        return frame_commit_now(frame, err);
    struct commit c = {.frame = frame};
    TRY(latch_init(&c.done, err));
    frame->done = committed;
    frame->arg = &c;
    msg_init(&c.msg, submit);
    loop_post(env->frames, &c.msg);
    latch_wait(&c.done);
    if (!frame->durable && err)
        *err = frame->err;
    return frame->durable;
}

/* ---- here: no process runs -------------------------------------------------------------------------------------------- */

static bool write_here(struct command_env *env, int to, const void *p, size_t n)
{
    FILE *file = to == 1 ? stdout : stderr;
    (void)env;
    return fwrite(p, 1, n, file) == n && fflush(file) == 0;
}

static bool read_here(struct command_env *env, void *p, size_t n, size_t *got, struct err *err)
{
    (void)env;
    return os_read(cli_stdin(), p, n, got, err);
}

static bool gone_here(struct command_env *env, int wait_ms)
{
    (void)env;
    (void)wait_ms;
    return false;
}

static int run_here(struct command_env *env)
{
    struct err err;
    os_vfs_register();
    env->write = write_here;
    env->read = read_here;
    env->gone = gone_here;
    env->pool = pool_new(NULL, "command");
    int status = env->args->command->look(env);
    env_flush(env);
    if (env->closed && status == EXIT_DONE)
        status = EXIT_FAILED;
    registry_free(env->own_registry);
    remote_schemas_close(env->remote);
    if (env->store && !store_close(env->store, &err))
        status = env_fail(env, &err, NULL);
    pool_free(env->pool);
    sbuf_fini(&env->out);
    return status;
}

/* ---- in the engine's own process: demo ------------------------------------------------------------------------------------ */

static bool write_text(struct command_env *env, int to, const void *p, size_t n)
{
    sbuf_add(env->arg, p, n);
    (void)to;
    return true;
}

int command_call(const char *const *argv, uint32_t argc, const struct project *project, struct store *store,
                 struct engine *engine, struct sbuf *out)
{
    struct arena arena = {0};
    struct cli_args args = {.arena = &arena};
    struct err err;
    CHECK(cli_read(&args, (int)argc, argv, &err));
    struct command_env env = {
        .args = &args,
        .project = project,
        .store = store,
        .engine = engine,
        .cwd = project->folder,
        .write = write_text,
        .read = read_here,
        .gone = gone_here,
        .arg = out,
        .pool = pool_new(NULL, "command"),
    };
    int columns, rows;
    os_terminal_size(&columns, &rows);
    env.columns = os_is_terminal(1) ? columns : 0;
    int status = args.command->look(&env);
    env_flush(&env);
    pool_free(env.pool);
    sbuf_fini(&env.out);
    arena_fini(&arena);
    return status;
}

/* ---- which of them --------------------------------------------------------------------------------------------------------- */

/* DIR is an operand of the command, or --dir; the current folder otherwise. */
static const char *folder_of(const struct cli_args *args)
{
    const struct cli_command *c = args->command;
    if (args->folder)
        return args->folder;
    if (c->dir_first && args->operand_count == c->operands_max)
        return args->operands[0];
    if (!c->dir_first && args->operand_count > c->dir_at)
        return args->operands[c->dir_at];
    return ".";
}

/* Where the project's own broker listens, if a process runs: *address NULL = none runs, "" = it does not listen. Returns as control_ask does. */
static int own_broker(struct command_env *env, const char **address)
{
    struct sbuf answer = {0};
    int status = control_ask(env, "kafka", &answer);
    *address = status == EXIT_DONE ? str_dup(env->args->arena, sbuf_view(&answer)) : NULL;
    sbuf_fini(&answer);
    return status;
}

static int through_kafka(struct command_env *env, const char *bootstrap)
{
    const struct client_options options = {.bootstrap = bootstrap, .client_id = "sluice"};
    struct pool *pool = pool_new(NULL, "kafka");
    struct err err;
    int status = client_open(pool, &options, &env->kafka, &err) ? run_here(env) : cli_fail(env->args, &err);
    pool_free(pool);
    return status;
}

static int no_broker(const struct command_env *env, bool runs)
{
    struct err err;
    err_set(&err, ERR_FATAL,
            runs ? "the project that runs here has no Kafka listener" : "no broker runs here: \"%s\"",
            env->project->folder);
    err_hint(&err, runs ? "Set settings.listen.kafka, or name a broker: -b HOST:PORT."
                        : "Start the project with sluice up, or name a broker: -b HOST:PORT.");
    return cli_fail(env->args, &err);
}

/* A cluster or registry that the caller named: no project has anything to say about it. */
static int look_abroad(struct command_env *env, const char *bootstrap, const char *registry)
{
    struct project none = {.zone = timezone_utc(), .folder = env->cwd};
    struct err err;
    if (env->args->folder || env->args->set_count > 0 ||
        env->args->operand_count > env->args->command->dir_at) {
        err_set(&err, ERR_CONFIG, "a project's folder, or --set, has no meaning beside %s",
                bootstrap ? "--bootstrap" : "--registry");
        return cli_fail(env->args, &err);
    }
    env->project = &none;
    env->is_foreign = true;
    env->registry = registry;
    return bootstrap ? through_kafka(env, bootstrap) : run_here(env);
}

/* The project's own registry. */
static int through_registry(struct command_env *env)
{
    struct sbuf answer = {0};
    struct err err;
    int status = control_ask(env, "registry", &answer);
    if (answer.n > 0)
        env->registry = arena_printf(env->args->arena, "http://%s", answer.p);
    sbuf_fini(&answer);
    if (status > EXIT_DONE)
        return status;
    if (env->registry)
        return run_here(env);
    bool runs = status == EXIT_DONE;
    err_set(&err, ERR_FATAL,
            runs ? "the schema registry of the project that runs here does not listen"
                 : "no schema registry runs here: \"%s\"",
            env->project->folder);
    err_hint(&err, runs ? "Set settings.listen.registry, or name a registry: -r URL."
                        : "Start the project with sluice up, or name a registry: -r URL.");
    return cli_fail(env->args, &err);
}

/* Records with schemas are for those who have a registry: the process, not a client of its broker. */
static bool needs_schemas(const struct command_env *env)
{
    const struct cli_args *args = env->args;
    bool named = args->operand_count > 0 && args->command->dir_at > 0;
    int32_t index = named ? project_topic_of(env->project, str_of(args->operands[0])) : -1;
    const struct topic_def *def = index < 0 ? NULL : &env->project->topics[index];
    return def && (topic_has_schema(def) || topic_key_has_schema(def));
}

int command_look(struct cli_args *args)
{
    struct project project;
    struct conf_diags diags = {.arena = args->arena};
    int columns, rows;
    os_terminal_size(&columns, &rows);
    struct command_env env = {
        .args = args,
        .project = &project,
        .cwd = os_absolute(args->arena, "."),
        .columns = os_is_terminal(1) ? columns : 0,
    };
    enum cli_kafka kafka = args->command->kafka;
    const char *bootstrap = kafka ? cli_value(args, "--bootstrap") : NULL, *address = NULL;
    if (bootstrap)
        return look_abroad(&env, bootstrap, NULL);
    if (args->command->registry && cli_given(args, "--registry"))
        return look_abroad(&env, NULL, cli_value(args, "--registry"));
    project_load(args->arena, folder_of(args), args->sets, args->set_count, &project, &diags);
    if (diags.errors) /* warnings are for those who check or start the project */
        return host_say(args, &diags);
    if (kafka == CLI_KAFKA_IF_RUNNING && needs_schemas(&env))
        kafka = CLI_KAFKA_NO;
    if (args->command->registry)
        return through_registry(&env);
    int status = kafka ? own_broker(&env, &address) : EXIT_DONE;
    if (status > EXIT_DONE)
        return status;
    if (address && address[0] != '\0')
        return through_kafka(&env, address);
    if (kafka == CLI_KAFKA_ALWAYS)
        return no_broker(&env, address != NULL);
    status = control_call(&env);
    return status >= 0 ? status : run_here(&env);
}

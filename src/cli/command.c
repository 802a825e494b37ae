/* The caller's side of a command: the data folder's process does it, or this one. */
#include "cli/command.h"

#include <errno.h>
#include <stdio.h>

#include "cli/control.h"
#include "cli/host.h"
#include "os/vfs.h"

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

int command_look(struct cli_args *args)
{
    struct project project;
    struct conf_diags diags = {.arena = args->arena};
    const char *folder = folder_of(args);
    int columns, rows;
    project_load(args->arena, folder, args->sets, args->set_count, &project, &diags);
    if (diags.errors) /* warnings are for those who check or start the project */
        return host_say(args, &diags);
    os_terminal_size(&columns, &rows);
    struct command_env env = {
        .args = args,
        .project = &project,
        .cwd = os_absolute(args->arena, "."),
        .columns = os_is_terminal(1) ? columns : 0,
    };
    int status = control_call(&env);
    return status >= 0 ? status : run_here(&env);
}

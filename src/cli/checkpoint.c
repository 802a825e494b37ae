/* checkpoint list, export, restore: see job/checkpoint.h. */
#include "job/checkpoint.h"

#include <stdio.h>

#include "cli/table.h"

static const char *path_in(struct command_env *env, const char *stream, int64_t turn)
{
    return checkpoint_path(pool_arena(env->pool), env->project->data, stream, turn);
}

/* ---- list ------------------------------------------------------------------------------------------------------------ */

static void add_checkpoints(struct command_env *env, struct table *table, const char *stream)
{
    struct arena *arena = pool_arena(env->pool);
    struct checkpoint kept[CHECKPOINTS_KEPT];
    uint32_t count = checkpoints_get(env->store, stream, kept);
    for (uint32_t i = 0; i < count; i++) {
        const char *path = path_in(env, stream, kept[i].turn);
        struct os_stat stat;
        bool there = os_stat(path, &stat, NULL);
        const struct str cells[] = {
            str_of(stream), str_of(arena_printf(arena, "%lld", (long long)kept[i].turn)),
            there ? str_of(arena_printf(arena, "%llu", (unsigned long long)stat.size)) : STR("missing"),
            str_of(path)};
        table_row(table, cells);
    }
}

static int look_list(struct command_env *env)
{
    static const struct table_column columns[] = {{.name = "stream"},
                                                  {.name = "turn", .right = true},
                                                  {.name = "bytes", .right = true},
                                                  {.name = "file"}};
    struct table table;
    struct err err;
    struct store *store = command_store(env, &err);
    if (store == NULL && err.class != ERR_NONE)
        return env_fail(env, &err, NULL);
    table_init(&table, env, columns, 4);
    for (uint32_t i = 0; store && i < env->project->conf.stream_count; i++)
        add_checkpoints(env, &table, env->project->streams[i].name);
    if (table.total == 0) {
        arena_fini(&table.arena);
        env_note(
            env,
            "there is no checkpoint: streams without state need none, others make one each `settings.checkpoint`");
        return EXIT_DONE;
    }
    table_end(&table, false);
    return EXIT_DONE;
}

/* ---- which one ---------------------------------------------------------------------------------------------------------- */

struct choice {
    const struct stream_def *stream;
    const char *path;
    struct sbuf file;
    struct checkpoint_data data;
};

/* --turn, or the newest that can be read. */
static bool choose_kept(struct command_env *env, struct choice *c, struct err *err)
{
    struct checkpoint kept[CHECKPOINTS_KEPT];
    int64_t turn = 0;
    const char *wanted = cli_value(env->args, "--turn");
    if (wanted && !str_to_i64(str_of(wanted), &turn))
        return err_set(err, ERR_CONFIG, "--turn \"%s\" is no number", wanted);
    uint32_t count = checkpoints_get(env->store, c->stream->name, kept);
    err_set(err, ERR_FATAL,
            wanted ? "stream \"%s\" has no checkpoint of turn %s" : "stream \"%s\" has no checkpoint%s",
            c->stream->name, wanted ? wanted : " yet");
    err_hint(err, "See: sluice checkpoint list.");
    for (uint32_t i = 0; i < count; i++) {
        if (wanted && kept[i].turn != turn)
            continue;
        c->path = path_in(env, c->stream->name, kept[i].turn);
        if (checkpoint_read(pool_arena(env->pool), c->path, &c->file, &c->data, err))
            return true;
        if (!wanted)
            env_note(env, "%s", err->text);
    }
    return false;
}

/* from: an exported file, or NULL. */
static bool choose(struct command_env *env, struct choice *c, const char *from, struct err *err)
{
    c->stream = command_stream(env, env->args->operands[0], err);
    TRY(c->stream != NULL && command_needs_store(env, err));
    if (from == NULL)
        return choose_kept(env, c, err);
    if (cli_given(env->args, "--turn"))
        return err_set(err, ERR_CONFIG, "it is either --turn or --from");
    c->path = env_path(env, from);
    return checkpoint_read(pool_arena(env->pool), c->path, &c->file, &c->data, err);
}

/* ---- export --------------------------------------------------------------------------------------------------------------- */

static bool export_to(struct command_env *env, struct choice *c, struct err *err)
{
    const char *to = cli_value(env->args, "--to");
    if (to == NULL)
        return err_set(err, ERR_CONFIG, "sluice checkpoint export takes --to FILE");
    TRY(choose(env, c, NULL, err));
    TRY(os_write_file(env_path(env, to), c->file.p, c->file.n, err));
    env_note(env, "turn %lld of stream \"%s\" is in %s, %zu bytes", (long long)c->data.turn, c->stream->name,
             to, c->file.n);
    return true;
}

static int look_export(struct command_env *env)
{
    struct choice c = {0};
    struct err err;
    int status = export_to(env, &c, &err) ? EXIT_DONE : env_fail(env, &err, NULL);
    sbuf_fini(&c.file);
    return status;
}

/* ---- restore ---------------------------------------------------------------------------------------------------------------- */

/* What it means for what the stream has put out: for each of its sinks. */
static void say_outputs(struct command_env *env, const struct stream_def *stream)
{
    const struct sink_def *sink;
    for (uint32_t i = 0; (sink = stream_sink(stream, i)) != NULL; i++)
        env_print(env, "  %s: %s\n", sink->name,
                  sink->mode == SINK_UPSERT || sink->mode == SINK_UPDATE
                      ? "rows that change again take the place of those that are there; no row is taken away"
                      : "what it got since then stays, and comes a second time");
}

static void say_meaning(struct command_env *env, const struct choice *c, const struct checkpoint_way *ways,
                        uint32_t count)
{
    struct sbuf turn = {0};
    env_print(env, "stream %s goes from turn %lld back to turn %lld, as it is in %s\n", c->stream->name,
              (long long)turn_get(env->store, c->stream->name, &turn), (long long)c->data.turn, c->path);
    sbuf_fini(&turn);
    for (uint32_t i = 0; i < count; i++)
        if (ways[i].now != ways[i].next)
            env_print(env, "  reads topic %s, partition %d, from offset %lld on again; it had come to %lld\n",
                      ways[i].topic.name, ways[i].partition, (long long)ways[i].next, (long long)ways[i].now);
    say_outputs(env, c->stream);
    env_print(env,
              "  its checkpoints, and its state of now, are gone then; sluice checkpoint export keeps one\n");
}

static bool query_fits(struct command_env *env, const struct choice *c, struct err *err)
{
    struct checkpoint kept[CHECKPOINTS_KEPT];
    uint32_t count = checkpoints_get(env->store, c->stream->name, kept);
    for (uint32_t i = 0; i < count; i++) {
        struct sbuf file = {0};
        struct checkpoint_data data;
        struct err damaged;
        bool known = checkpoint_read(pool_arena(env->pool), path_in(env, c->stream->name, kept[i].turn),
                                     &file, &data, &damaged);
        sbuf_fini(&file);
        if (known)
            return data.fingerprint == c->data.fingerprint ||
                   err_set(err, ERR_FATAL, "the state in \"%s\" was made by another query", c->path);
    }
    return true; /* the next start looks at it anyway */
}

static bool restore(struct command_env *env, struct choice *c, struct err *err)
{
    struct checkpoint_way *ways;
    uint32_t count;
    if (env->engine) {
        err_set(err, ERR_FATAL, "project \"%s\" is running", env->project->conf.name);
        return err_hint(err, "End it first: a stream goes back while it does not run.");
    }
    TRY(choose(env, c, cli_value(env->args, "--from"), err) && query_fits(env, c, err));
    TRY(checkpoint_ways(pool_arena(env->pool), env->store, c->stream->name, &c->data, &ways, &count, err));
    say_meaning(env, c, ways, count);
    env_flush(env);
    if (!cli_given(env->args, "--yes")) {
        err_set(err, ERR_FATAL, "nothing was done");
        return err_hint(err, "With --yes it is.");
    }
    struct frame *frame = frame_new(env->store);
    bool ok = checkpoint_restore(env->store, env->project->data, c->stream->name, &c->data, ways, count,
                                 frame, err) &&
              command_commit(env, frame, err);
    frame_free(frame);
    if (ok)
        env_note(env, "stream \"%s\" goes on from there at the next start", c->stream->name);
    return ok;
}

static int look_restore(struct command_env *env)
{
    struct choice c = {0};
    struct err err;
    int status = restore(env, &c, &err) ? EXIT_DONE : env_fail(env, &err, NULL);
    sbuf_fini(&c.file);
    return status;
}

/* ---- the commands --------------------------------------------------------------------------------------------------------------- */

#define TURN_FLAG                                                                                            \
    {                                                                                                        \
        "--turn", NULL, "TURN", "that checkpoint, of those in the list; the newest is the default"           \
    }
static const struct cli_flag export_flags[] = {{"--to", NULL, "FILE", "where the copy goes"}, TURN_FLAG, {0}};
static const struct cli_flag restore_flags[] = {
    TURN_FLAG,
    {"--from", NULL, "FILE", "a checkpoint that was exported"},
    {"--yes", NULL, NULL, "does it; without, it is only said what it means"},
    {0},
};

extern const struct cli_command command_checkpoint_list, command_checkpoint_export,
    command_checkpoint_restore;
const struct cli_command command_checkpoint_list = {.name = "checkpoint list",
                                                    .operands = "[DIR]",
                                                    .summary = "lists the checkpoints of streams",
                                                    .operands_max = 1,
                                                    .look = look_list};
const struct cli_command command_checkpoint_export = {
    .name = "checkpoint export",
    .operands = "STREAM [DIR]",
    .summary = "writes a self-contained copy of a checkpoint",
    .flags = export_flags,
    .operands_min = 1,
    .operands_max = 2,
    .dir_at = 1,
    .look = look_export,
};
const struct cli_command command_checkpoint_restore = {
    .name = "checkpoint restore",
    .operands = "STREAM [DIR]",
    .summary = "takes a stream's state back to a checkpoint, after saying what that means for its outputs",
    .flags = restore_flags,
    .operands_min = 1,
    .operands_max = 2,
    .dir_at = 1,
    .look = look_restore,
};

/* stream list, describe, pause, resume, reset: the state of streams. */
#include <stdio.h>

#include "cli/host.h"
#include "cli/table.h"

const struct stream_def *command_stream(struct command_env *env, const char *name, struct err *err)
{
    const struct project *project = env->project;
    const char *names[256];
    size_t count = 0;
    for (uint32_t i = 0; i < project->conf.stream_count; i++) {
        if (strcmp(project->streams[i].name, name) == 0)
            return &project->streams[i];
        if (count < 256)
            names[count++] = project->streams[i].name;
    }
    err_set(err, ERR_CONFIG, "there is no stream \"%s\"", name);
    const char *nearest = str_nearest(str_of(name), names, count);
    if (nearest)
        err_hint(err, "Did you mean \"%s\"?", nearest);
    else
        err_hint(err, "See: sluice stream list.");
    return NULL;
}

static struct str number(struct arena *arena, uint64_t n)
{
    return str_of(arena_printf(arena, "%llu", (unsigned long long)n));
}

static const struct stream_status_report *report_of(const struct engine_report *report, const char *name)
{
    for (uint32_t i = 0; i < report->stream_count; i++)
        if (strcmp(report->streams[i].name, name) == 0)
            return &report->streams[i];
    return NULL;
}

/* ---- list, describe ------------------------------------------------------------------------------------------------------ */

static int look_list(struct command_env *env)
{
    static const struct table_column columns[] = {{.name = "stream"},
                                                  {.name = "state"},
                                                  {.name = "in", .right = true},
                                                  {.name = "out", .right = true},
                                                  {.name = "bad", .right = true},
                                                  {.name = "behind", .right = true},
                                                  {.name = "error"}};
    struct arena *arena = pool_arena(env->pool);
    struct engine_report report = {0};
    struct table table;
    if (env->engine)
        engine_report(env->engine, arena, &report);
    table_init(&table, env, columns, 7);
    for (uint32_t i = 0; i < env->project->conf.stream_count; i++) {
        const struct stream_def *def = &env->project->streams[i];
        const struct stream_status_report *s = report_of(&report, def->name);
        struct str cells[7] = {str_of(def->name), str_of(s                    ? s->state
                                                         : def->conf->enabled ? "not running"
                                                                              : "disabled")};
        for (int c = 2; c < 7; c++)
            cells[c] = STR("");
        if (s) {
            cells[2] = number(arena, s->rows_in);
            cells[3] = number(arena, s->rows_out);
            cells[4] = number(arena, s->bad);
            cells[5] = number(arena, (uint64_t)s->lag_records);
            cells[6] = str_of(s->err.class != ERR_NONE ? s->err.text : "");
        }
        table_row(&table, cells);
    }
    table_end(&table, false);
    return EXIT_DONE;
}

static void describe_sinks(struct command_env *env, const struct stream_def *def,
                           const struct stream_status_report *s)
{
    static const struct table_column columns[] = {{.name = "sink"},
                                                  {.name = "kind"},
                                                  {.name = "mode"},
                                                  {.name = "state"},
                                                  {.name = "rows", .right = true},
                                                  {.name = "error"}};
    static const char *const modes[] = {"append", "upsert", "update", "complete"};
    struct table table;
    table_init(&table, env, columns, 6);
    const struct sink_def *sink;
    for (uint32_t i = 0; (sink = stream_sink(def, i)) != NULL; i++) {
        const struct sink_status_report *r = NULL;
        for (uint32_t k = 0; s && k < s->sink_count; k++)
            if (strcmp(s->sinks[k].name, sink->name) == 0)
                r = &s->sinks[k];
        const struct str cells[] = {
            str_of(sink->name),
            str_of(sink->topic >= 0 ? "topic"
                   : sink->kind     ? sink->kind->name
                                    : "?"),
            str_of(modes[sink->mode]),
            str_of(r ? r->state : "not running"),
            r ? number(pool_arena(env->pool), r->rows) : STR(""),
            str_of(r && r->err.class != ERR_NONE ? r->err.text : ""),
        };
        table_row(&table, cells);
    }
    table_end(&table, false);
}

static int look_describe(struct command_env *env)
{
    struct err err;
    struct engine_report report = {0};
    const struct stream_def *def = command_stream(env, env->args->operands[0], &err);
    if (def == NULL)
        return env_fail(env, &err, NULL);
    if (env->engine)
        engine_report(env->engine, pool_arena(env->pool), &report);
    const struct stream_status_report *s = report_of(&report, def->name);
    env_print(env, "stream  %s\nstate   %s\n", def->name,
              s                    ? s->state
              : def->conf->enabled ? "not running"
                                   : "disabled");
    if (s)
        env_print(env, "rows    %llu in, %llu out, %llu bad\n", (unsigned long long)s->rows_in,
                  (unsigned long long)s->rows_out, (unsigned long long)s->bad);
    if (s && s->err.class != ERR_NONE)
        env_print(env, "error   %s\n", s->err.text);
    env_print(env, "\n");
    describe_sinks(env, def, s);
    env_print(env, "\n");
    struct str sql = str_trim(def->sql);
    env_add(env, sql);
    env_print(env, "\n");
    return EXIT_DONE;
}

/* ---- pause, resume, reset --------------------------------------------------------------------------------------------- */

static bool needs_engine(struct command_env *env, struct err *err)
{
    if (env->engine)
        return true;
    err_set(err, ERR_FATAL, "project \"%s\" is not running", env->project->conf.name);
    return err_hint(
        err,
        "Start it with: sluice up. A stream that is not to run at all has `enabled: false` in sluice.yaml.");
}

static int pause_stream(struct command_env *env, bool pause)
{
    struct err err;
    const struct stream_def *def = command_stream(env, env->args->operands[0], &err);
    if (def == NULL || !needs_engine(env, &err) || !engine_stream_pause(env->engine, def->name, pause, &err))
        return env_fail(env, &err, NULL);
    env_note(env, "stream \"%s\" %s", def->name,
             pause ? "is paused; what its sinks held is committed" : "goes on");
    return EXIT_DONE;
}

static int look_pause(struct command_env *env)
{
    return pause_stream(env, true);
}

static int look_resume(struct command_env *env)
{
    return pause_stream(env, false);
}

static bool has_sink(const struct stream_def *def, const char *name, struct err *err)
{
    const char *names[CONF_TARGETS_MAX + 2];
    const struct sink_def *sink;
    size_t count = 0;
    while ((sink = stream_sink(def, (uint32_t)count)) != NULL)
        names[count++] = sink->name;
    for (size_t i = 0; i < count; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    err_set(err, ERR_CONFIG, "stream \"%s\" has no sink \"%s\"", def->name, name);
    const char *nearest = str_nearest(str_of(name), names, count);
    return nearest && err_hint(err, "Did you mean \"%s\"?", nearest);
}

static int look_reset(struct command_env *env)
{
    struct err err;
    bool keep = cli_given(env->args, "--keep"), replace = cli_given(env->args, "--replace");
    const char *sink = cli_value(env->args, "--sink");
    const struct stream_def *def = command_stream(env, env->args->operands[0], &err);
    if (def && keep == replace) {
        err_set(&err, ERR_CONFIG, "sluice stream reset takes either --keep or --replace");
        err_hint(&err, "--keep leaves the rows of its tables as they are, --replace removes them first.");
        def = NULL;
    }
    if (def == NULL || (sink && !has_sink(def, sink, &err)))
        return env_fail(env, &err, NULL);
    if (env->engine) {
        if (!engine_stream_reset(env->engine, def->name, sink, replace, &err))
            return env_fail(env, &err, NULL);
    } else {
        const struct host_options options = {.mode = HOST_ONCE,
                                             .no_sources = true,
                                             .quiet = true,
                                             .reset_stream = def->name,
                                             .reset_sink = sink,
                                             .reset_replace = replace};
        int status = host_run(env->args, env->project->folder, &options);
        if (status != EXIT_DONE)
            return status;
    }
    env_note(env, "stream \"%s\" was reset; the rows of %s %s", def->name, sink ? sink : "its tables",
             keep ? "are kept" : "are made anew");
    return EXIT_DONE;
}

/* ---- the commands ------------------------------------------------------------------------------------------------------------------------ */

static const struct cli_flag reset_flags[] = {
    {"--keep", NULL, NULL, "leaves the rows that its tables hold"},
    {"--replace", NULL, NULL, "removes the rows that its tables hold"},
    {"--sink", NULL, "NAME", "one of its sinks only: connection.table"},
    {0},
};

#define STREAM_COMMAND(id, text, says, with, slot)                                                           \
    extern const struct cli_command command_stream_##id;                                                     \
    const struct cli_command command_stream_##id = {.name = text,                                            \
                                                    .operands = "STREAM [DIR]",                              \
                                                    .summary = says,                                         \
                                                    .flags = with,                                           \
                                                    .operands_min = 1,                                       \
                                                    .operands_max = 2,                                       \
                                                    .dir_at = 1,                                             \
                                                    .look = slot};
STREAM_COMMAND(describe, "stream describe", "shows a stream: its query, its sinks, what they do", NULL,
               look_describe)
STREAM_COMMAND(pause, "stream pause", "stops reading; what its sinks hold is committed", NULL, look_pause)
STREAM_COMMAND(resume, "stream resume", "goes on after a pause", NULL, look_resume)
STREAM_COMMAND(reset, "stream reset", "begins anew, with tables kept or replaced", reset_flags, look_reset)

extern const struct cli_command command_stream_list;
const struct cli_command command_stream_list = {.name = "stream list",
                                                .operands = "[DIR]",
                                                .summary = "lists streams",
                                                .operands_max = 1,
                                                .look = look_list};

/* table describe, history, vacuum, rewrite: what a Delta table is, how it became so, the files that it needs no more, wider columns. */
#include <stdio.h>

#include "cli/relation_private.h"
#include "cli/table.h"
#include "os/os.h"
#include "sink/delta/log.h"
#include "sink/delta/rewrite.h"
#include "type/timestamp.h"
#include "json/tree.h"

enum { HISTORY_DEFAULT = 20 }; /* versions */

/* connection.table of the project, or the path of a table's folder. The table is in its newest version; fini it. */
static bool open_lake_table(struct command_env *env, struct delta_table *table, struct err *err)
{
    struct str operand = str_of(env->args->operands[0]);
    struct relations r;
    struct relation relation;
    struct relation_name name = {.parts = {STR("delta"), operand}, .part_count = 2};
    size_t dot = str_find(operand, STR("."), 0);
    if (dot != SIZE_MAX && dot > 0 && str_find(operand, STR("/"), 0) == SIZE_MAX)
        name = (struct relation_name){
            .parts = {str_n(operand.p, dot), str_n(operand.p + dot + 1, operand.n - dot - 1)},
            .part_count = 2};
    relations_init(&r, env, env->pool);
    bool ok = relations_lookup(&r, &name, &relation, err);
    const struct relation_source *source = ok ? relation.handle : NULL;
    if (ok && source->kind != RELATION_DELTA)
        ok = err_set(err, ERR_CONFIG, "\"%s\" is not a Delta table", operand.p);
    ok = ok && delta_load(table, source->path, -1, err);
    relations_fini(&r);
    return ok;
}

/* ---- describe ----------------------------------------------------------------------------------------------------------- */

static void print_features(struct command_env *env, const char *title, const char **names, uint32_t count)
{
    if (count == 0)
        return;
    env_print(env, "%s", title);
    for (uint32_t i = 0; i < count; i++)
        env_print(env, "%s%s", i ? ", " : "", names[i]);
    env_print(env, "\n");
}

static void print_columns(struct command_env *env, const struct delta_table *t)
{
    static const struct table_column columns[] = {{.name = "column"}, {.name = "type"}, {.name = "null"}};
    struct table table;
    struct sbuf type = {0};
    table_init(&table, env, columns, 3);
    for (uint32_t i = 0; i < t->schema->field_count; i++) {
        const struct field *field = &t->schema->fields[i];
        sbuf_clear(&type);
        type_to_sql(field->type, &type);
        const struct str cells[] = {str_of(field->name), sbuf_view(&type),
                                    field->nullable ? STR("yes") : STR("no")};
        table_row(&table, cells);
    }
    table_end(&table, false);
    sbuf_fini(&type);
}

static int look_describe(struct command_env *env)
{
    struct delta_table t = {0};
    struct err err;
    long long bytes = 0;
    if (!open_lake_table(env, &t, &err)) {
        delta_fini(&t);
        return env_fail(env, &err, NULL);
    }
    MAP_EACH(entry, &t.files)
    bytes += ((struct delta_file *)entry->value)->size;
    env_print(env, "folder          %s\nversion         %lld\nfiles           %zu, %lld bytes\n", t.path,
              (long long)t.version, t.files.count, bytes);
    print_features(env, "partitioned by  ", t.partition_columns, t.partition_column_count);
    env_print(env, "protocol        reader %d, writer %d\n", t.reader_version, t.writer_version);
    print_features(env, "readers need    ", t.reader_features, t.reader_feature_count);
    print_features(env, "writers need    ", t.writer_features, t.writer_feature_count);
    MAP_EACH(entry, &t.configuration)
    env_print(env, "property        %.*s = %.*s\n", STR_ARG(entry->key),
              STR_ARG(*(struct str *)entry->value));
    MAP_EACH(entry, &t.txns)
    env_print(env, "position        %.*s: %lld\n", STR_ARG(entry->key),
              (long long)((struct delta_txn *)entry->value)->version);
    env_print(env, "\n");
    print_columns(env, &t);
    delta_fini(&t);
    return EXIT_DONE;
}

/* ---- history ------------------------------------------------------------------------------------------------------------ */

struct version {
    int64_t time_ms;
    struct str operation, engine; /* in the arena; p NULL: not said */
    uint64_t added, removed;
};

/* What a version's commit says; false: it is not there any more. */
static bool read_history(const struct delta_table *t, int64_t version, struct arena *arena,
                         struct version *out)
{
    struct sbuf text = {0};
    const char *path = arena_printf(arena, "%s/%020lld.json", t->log_path, (long long)version);
    *out = (struct version){.time_ms = INT64_MIN};
    if (!os_read_file(path, DELTA_ACTIONS_MAX, &text, NULL))
        return false;
    struct str rest = sbuf_view(&text);
    while (rest.n) {
        size_t end = str_find(rest, STR("\n"), 0);
        struct str line = str_trim(str_n(rest.p, end == SIZE_MAX ? rest.n : end));
        const struct json_node *action;
        struct arena scratch = {0};
        rest = end == SIZE_MAX ? (struct str){0} : str_n(rest.p + end + 1, rest.n - end - 1);
        out->added += str_starts(line, STR("{\"add\""));
        out->removed += str_starts(line, STR("{\"remove\""));
        if (str_starts(line, STR("{\"commitInfo\"")) && json_parse(&scratch, line, &action, NULL)) {
            json_i64(action, "commitInfo.timestamp", &out->time_ms);
            if (json_str(action, "commitInfo.operation", &out->operation))
                out->operation = str_of(str_dup(arena, out->operation));
            if (json_str(action, "commitInfo.engineInfo", &out->engine))
                out->engine = str_of(str_dup(arena, out->engine));
        }
        arena_fini(&scratch);
    }
    sbuf_fini(&text);
    return true;
}

static struct str number(struct arena *arena, uint64_t n)
{
    return str_of(arena_printf(arena, "%llu", (unsigned long long)n));
}

static int look_history(struct command_env *env)
{
    static const struct table_column columns[] = {{.name = "version", .right = true},
                                                  {.name = "at"},
                                                  {.name = "operation"},
                                                  {.name = "files added", .right = true},
                                                  {.name = "removed", .right = true},
                                                  {.name = "written by"}};
    const char *wanted = cli_value(env->args, "--limit");
    struct arena *arena = pool_arena(env->pool);
    struct delta_table t = {0};
    struct table table;
    struct version v;
    struct err err;
    int64_t limit = HISTORY_DEFAULT;
    if (wanted && (!str_to_i64(str_of(wanted), &limit) || limit < 1)) {
        err_set(&err, ERR_CONFIG, "--limit \"%s\" is not a number above 0", wanted);
        return env_fail(env, &err, NULL);
    }
    if (!open_lake_table(env, &t, &err)) {
        delta_fini(&t);
        return env_fail(env, &err, NULL);
    }
    table_init(&table, env, columns, 6);
    for (int64_t version = t.version; version >= 0 && limit-- > 0 && read_history(&t, version, arena, &v);
         version--) {
        char at[64] = "";
        if (v.time_ms != INT64_MIN)
            at[timestamp_to_iso(v.time_ms * US_PER_MS, "Z", at)] = '\0';
        const struct str cells[] = {
            number(arena, (uint64_t)version), str_of(at), v.operation, number(arena, v.added),
            number(arena, v.removed),         v.engine};
        table_row(&table, cells);
    }
    table_end(&table, false);
    delta_fini(&t);
    return EXIT_DONE;
}

/* ---- vacuum -------------------------------------------------------------------------------------------------------------- */

static bool gone(void *arg)
{
    return env_gone(arg);
}

static int look_vacuum(struct command_env *env)
{
    struct delta_table t = {0};
    struct delta_vacuum done;
    struct err err;
    bool dry = cli_given(env->args, "--dry-run");
    bool ok = open_lake_table(env, &t, &err);
    const char *feature = ok ? delta_unknown_feature(&t, true) : NULL;
    if (feature)
        ok = err_set(&err, ERR_FATAL, "the table uses a Delta feature that this version cannot write: %s",
                     feature);
    ok = ok && delta_vacuum(&t, os_wall().us / US_PER_MS, dry, gone, env, &done, &err);
    if (ok)
        env_print(env, "%llu file%s with %llu bytes %s\n", (unsigned long long)done.files,
                  done.files == 1 ? "" : "s", (unsigned long long)done.bytes,
                  dry ? "would be deleted" : "deleted");
    delta_fini(&t);
    return ok ? EXIT_DONE : env_fail(env, &err, NULL);
}

/* ---- rewrite ------------------------------------------------------------------------------------------------------------- */

static const struct type *schema_now(void *arg, uint32_t topic)
{
    struct command_env *env = arg;
    return topic_schema_stored(env->store, pool_arena(env->pool), &env->project->topics[topic]);
}

static bool rewrite_for(struct command_env *env, const struct stream_def *stream, const struct sink_def *sink,
                        struct err *err)
{
    struct project_catalogue catalogue = {.project = env->project, .schema_of = schema_now, .arg = env};
    const struct sink_spec spec = sink_spec_of(env->project, stream, sink);
    struct delta_rewritten done;
    struct plan *plan;
    uint32_t woken = 0;
    if (strcmp(sink->kind->name, "delta") != 0)
        return err_set(err, ERR_CONFIG, "\"%s\" is not a Delta table", sink->name);
    TRY(project_bind(&catalogue, pool_arena(env->pool), stream, &plan, err));
    TRY(delta_rewrite(&spec, plan->schema, gone, env, &done, err));
    if (done.columns == 0)
        env_print(env, "nothing to rewrite: the columns are as wide as those of stream \"%s\"\n",
                  stream->name);
    else
        env_print(env, "%u column%s wider in version %lld: %llu rows of %llu file%s written anew\n",
                  done.columns, done.columns == 1 ? " is" : "s are", (long long)done.version,
                  (unsigned long long)done.rows, (unsigned long long)done.files, done.files == 1 ? "" : "s");
    if (env->engine)
        TRY(engine_sink_reopen(env->engine, stream->name, sink->name, &woken, err));
    if (woken)
        env_print(env, "stream \"%s\" goes on there\n", stream->name);
    return true;
}

static int look_rewrite(struct command_env *env)
{
    const char *name = env->args->operands[0];
    struct err err;
    uint32_t found = 0;
    bool ok = command_needs_store(env, &err);
    for (uint32_t i = 0; ok && i < env->project->conf.stream_count; i++) {
        const struct stream_def *stream = &env->project->streams[i];
        const struct sink_def *sink;
        for (uint32_t k = 0; ok && (sink = stream_sink(stream, k)) != NULL; k++)
            if (sink->topic < 0 && strcmp(sink->name, name) == 0) {
                found++;
                ok = rewrite_for(env, stream, sink, &err);
            }
    }
    if (ok && found == 0) {
        ok = err_set(&err, ERR_CONFIG, "no stream of the project writes to a table \"%s\"", name);
        err_hint(&err, "What a stream writes to is named connection.table.");
    }
    return ok ? EXIT_DONE : env_fail(env, &err, NULL);
}

/* ---- the commands -------------------------------------------------------------------------------------------------------- */

static const struct cli_flag history_flags[] = {{"--limit", "-n", "COUNT", "so many versions; 20 by default"},
                                                {0}};
static const struct cli_flag vacuum_flags[] = {{"--dry-run", NULL, NULL, "only says what would be deleted"},
                                               {0}};

extern const struct cli_command command_table_describe, command_table_history, command_table_vacuum,
    command_table_rewrite;
const struct cli_command command_table_describe = {
    .name = "table describe",
    .operands = "TABLE [DIR]",
    .summary = "shows a Delta table: version, files, positions, columns",
    .help = "TABLE is connection.table of the project, or the path of a table's folder.\n",
    .operands_min = 1,
    .operands_max = 2,
    .dir_at = 1,
    .look = look_describe};
const struct cli_command command_table_history = {
    .name = "table history",
    .operands = "TABLE [DIR]",
    .summary = "lists the versions of a Delta table, newest first",
    .help = "TABLE is connection.table of the project, or the path of a table's folder.\n",
    .flags = history_flags,
    .operands_min = 1,
    .operands_max = 2,
    .dir_at = 1,
    .look = look_history};
const struct cli_command command_table_vacuum = {
    .name = "table vacuum",
    .operands = "TABLE [DIR]",
    .summary = "deletes files that a Delta table needs no more",
    .help =
        "TABLE is connection.table of the project, or the path of a table's folder. Deleted are files that were merged away,\n"
        "and files of this program that no version names, both longer ago than delta.deletedFileRetentionDuration\n"
        "(7 days by default). A running project does the same by itself. Files of other writers stay.\n",
    .flags = vacuum_flags,
    .operands_min = 1,
    .operands_max = 2,
    .dir_at = 1,
    .look = look_vacuum};
const struct cli_command command_table_rewrite = {
    .name = "table rewrite",
    .operands = "TABLE [DIR]",
    .summary = "writes a Delta table anew with columns as wide as its stream's rows",
    .help =
        "TABLE is connection.table of the project. For a sink that stopped because a column of its rows has become wider (INT\n"
        "to BIGINT, FLOAT to DOUBLE …): one new version holds the same rows in wider columns, readers of older versions keep\n"
        "those, and the sink goes on. Nothing is lost if it is interrupted. It takes room for a second copy of the table.\n",
    .operands_min = 1,
    .operands_max = 2,
    .dir_at = 1,
    .look = look_rewrite};

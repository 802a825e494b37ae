/* topic list, describe, create, alter, delete. */
#include <stdio.h>

#include "cli/rows.h"
#include "cli/topic.h"

bool topic_is_internal(const struct topic_info *info)
{
    return info->config.internal || strncmp(info->name, "__", 2) == 0;
}

bool topic_find(struct command_env *env, const char *name, struct topic_info *info, struct err *err)
{
    TRY(command_needs_store(env, err));
    if (store_topic(env->store, name, info))
        return true;
    struct topic_info *infos;
    const char *names[256];
    size_t count = store_topics(env->store, pool_arena(env->pool), &infos), n = 0;
    for (size_t i = 0; i < count && n < 256; i++)
        if (!topic_is_internal(&infos[i]))
            names[n++] = infos[i].name;
    err_set(err, ERR_CONFIG, "there is no topic \"%s\"", name);
    const char *nearest = str_nearest(str_of(name), names, n);
    return nearest ? err_hint(err, "Did you mean \"%s\"?", nearest)
                   : err_hint(err, "See: sluice topic list.");
}

/* ---- list ------------------------------------------------------------------------------------------------------------- */

struct topic_sums {
    int64_t records;
    uint64_t bytes;
};

static struct topic_sums sum_topic(struct store *store, const struct topic_info *info)
{
    struct topic_sums sums = {0};
    for (int32_t p = 0; p < info->partitions; p++) {
        struct log *log = log_get(store, info->name, p);
        if (log == NULL)
            continue;
        sums.records += log_end(log) - log_start(log);
        sums.bytes += log_bytes(log);
        log_release(log);
    }
    return sums;
}

static struct str text_of(struct arena *arena, const char *format, ...) __attribute__((format(printf, 2, 3)));
static struct str text_of(struct arena *arena, const char *format, ...)
{
    struct sbuf text = {0};
    va_list args;
    va_start(args, format);
    sbuf_vprintf(&text, format, args);
    va_end(args);
    char *copy = str_dup(arena, sbuf_view(&text));
    sbuf_fini(&text);
    return str_of(copy);
}

static struct str duration_text(struct arena *arena, int64_t ms)
{
    static const struct {
        int64_t ms;
        const char *name;
    } units[] = {{86400000, "d"}, {3600000, "h"}, {60000, "m"}, {1000, "s"}, {1, "ms"}};
    if (ms < 0)
        return STR("forever");
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
        if (ms && ms % units[i].ms == 0)
            return text_of(arena, "%lld%s", (long long)(ms / units[i].ms), units[i].name);
    return STR("0");
}

static bool wants_json(struct command_env *env, bool *json, struct err *err)
{
    const char *output = cli_value(env->args, "--output");
    *json = output && strcmp(output, "json") == 0;
    if (output == NULL || *json || strcmp(output, "table") == 0)
        return true;
    err_set(err, ERR_CONFIG, "unknown output format \"%s\"", output);
    return err_hint(err, "There are table and json.");
}

static int look_list(struct command_env *env)
{
    static const struct table_column columns[] = {{.name = "topic"},
                                                  {.name = "partitions", .right = true},
                                                  {.name = "records", .right = true},
                                                  {.name = "bytes", .right = true},
                                                  {.name = "retention"}};
    struct arena *arena = pool_arena(env->pool);
    struct topic_info *infos = NULL;
    struct table table;
    struct err err;
    bool json, all = cli_given(env->args, "--all");
    if (!wants_json(env, &json, &err))
        return env_fail(env, &err, NULL);
    struct store *store = command_store(env, &err);
    if (store == NULL && err.class != ERR_NONE)
        return env_fail(env, &err, NULL);
    size_t count = store ? store_topics(store, arena, &infos) : 0;
    if (!json)
        table_init(&table, env, columns, 5);
    for (size_t i = 0; i < count; i++) {
        if (topic_is_internal(&infos[i]) && !all)
            continue;
        struct topic_sums sums = sum_topic(store, &infos[i]);
        if (json) {
            env_print(
                env,
                "{\"topic\":\"%s\",\"partitions\":%d,\"records\":%lld,\"bytes\":%llu,\"retention_ms\":%lld,\"compact\":%s}\n",
                infos[i].name, infos[i].partitions, (long long)sums.records, (unsigned long long)sums.bytes,
                (long long)infos[i].config.retention_ms, infos[i].config.compact ? "true" : "false");
            continue;
        }
        const struct str cells[] = {
            str_of(infos[i].name), text_of(arena, "%d", infos[i].partitions),
            text_of(arena, "%lld", (long long)sums.records),
            text_of(arena, "%llu", (unsigned long long)sums.bytes),
            infos[i].config.compact ? STR("compact") : duration_text(arena, infos[i].config.retention_ms)};
        table_row(&table, cells);
    }
    if (!json)
        table_end(&table, false);
    return EXIT_DONE;
}

/* ---- describe ------------------------------------------------------------------------------------------------------------ */

static const struct type *columns_of(struct command_env *env, const char *topic)
{
    struct arena *arena = pool_arena(env->pool);
    const struct type *schema = env->engine ? engine_topic_schema(env->engine, arena, topic) : NULL;
    struct sbuf json = {0};
    struct err ignored;
    char key[STORE_KEY_MAX];
    snprintf(key, sizeof key, "schema/%s", topic);
    if (schema == NULL && store_get(env->store, str_of(key), &json) &&
        !type_from_json(arena, str_of(str_dup(arena, sbuf_view(&json))), &schema, &ignored))
        schema = NULL;
    sbuf_fini(&json);
    int32_t index = project_topic_of(env->project, str_of(topic));
    return schema || index < 0 ? schema : env->project->topics[index].schema;
}

static void describe_partitions(struct command_env *env, const struct topic_info *info)
{
    static const struct table_column columns[] = {{.name = "partition", .right = true},
                                                  {.name = "start", .right = true},
                                                  {.name = "end", .right = true},
                                                  {.name = "bytes", .right = true}};
    struct arena *arena = pool_arena(env->pool);
    struct table table;
    table_init(&table, env, columns, 4);
    for (int32_t p = 0; p < info->partitions; p++) {
        struct log *log = log_get(env->store, info->name, p);
        if (log == NULL)
            continue;
        const struct str cells[] = {text_of(arena, "%d", p),
                                    text_of(arena, "%lld", (long long)log_start(log)),
                                    text_of(arena, "%lld", (long long)log_end(log)),
                                    text_of(arena, "%llu", (unsigned long long)log_bytes(log))};
        table_row(&table, cells);
        log_release(log);
    }
    table_end(&table, false);
}

static int look_describe(struct command_env *env)
{
    struct topic_info info;
    struct err err;
    char id[33];
    if (!topic_find(env, env->args->operands[0], &info, &err))
        return env_fail(env, &err, NULL);
    struct arena *arena = pool_arena(env->pool);
    hex_encode(id, info.id, sizeof info.id);
    struct str retention = duration_text(arena, info.config.retention_ms);
    env_print(env, "topic       %s\nid          %s\npartitions  %d\nretention   %.*s\n", info.name, id,
              info.partitions, STR_ARG(retention));
    if (info.config.retention_bytes >= 0)
        env_print(env, "size        %lld bytes of a partition are kept\n",
                  (long long)info.config.retention_bytes);
    if (info.config.compression)
        env_print(env, "compression %s\n", codec_name((enum codec)info.config.compression));
    if (info.config.compact)
        env_print(env, "compact     the newest value of each key is kept\n");
    env_print(env, "\n");
    describe_partitions(env, &info);
    const struct type *schema = columns_of(env, info.name);
    if (schema == NULL)
        return EXIT_DONE;
    static const struct table_column columns[] = {{.name = "column"}, {.name = "type"}};
    struct table table;
    env_print(env, "\n");
    table_init(&table, env, columns, 2);
    for (uint32_t i = 0; i < schema->field_count; i++) {
        struct sbuf type = {0};
        type_to_sql(schema->fields[i].type, &type);
        table_row(&table, (const struct str[]){str_of(schema->fields[i].name), sbuf_view(&type)});
        sbuf_fini(&type);
    }
    table_end(&table, false);
    return EXIT_DONE;
}

/* ---- create, alter, delete ------------------------------------------------------------------------------------------------- */

static bool read_config(const struct cli_args *args, int32_t *partitions, struct topic_config *config,
                        struct err *err)
{
    const char *count = cli_value(args, "--partitions"), *retention = cli_value(args, "--retention"),
               *size = cli_value(args, "--retention-size"), *compression = cli_value(args, "--compression");
    int64_t n = *partitions, ms = config->retention_ms, kept = config->retention_bytes;
    uint64_t bytes;
    enum codec codec = (enum codec)config->compression;
    if (count && (!str_to_i64(str_of(count), &n) || n < 1 || n > TOPIC_PARTITIONS_MAX))
        return err_set(err, ERR_CONFIG, "\"%s\" is no number of partitions from 1 to %d", count,
                       TOPIC_PARTITIONS_MAX);
    *partitions = (int32_t)n;
    if (retention && strcmp(retention, "forever") == 0)
        ms = -1;
    else if (retention)
        TRY(conf_text_duration(str_of(retention), &ms, err));
    if (size) {
        TRY(conf_text_size(str_of(size), &bytes, err));
        kept = (int64_t)bytes;
    }
    if (compression && !codec_find(str_of(compression), &codec)) {
        err_set(err, ERR_CONFIG, "unknown compression \"%s\"", compression);
        return err_hint(err, "There are none, gzip, snappy, lz4 and zstd.");
    }
    topic_config_retain(config, ms, kept);
    config->compression = (uint8_t)codec;
    config->compact = config->compact || cli_given(args, "--compact");
    return true;
}

static int commit_topic(struct command_env *env, struct frame *frame, const char *did)
{
    struct err err;
    bool ok = command_commit(env, frame, &err);
    frame_free(frame);
    if (!ok)
        return env_fail(env, &err, NULL);
    env_note(env, "topic \"%s\" %s", env->args->operands[0], did);
    return EXIT_DONE;
}

/* Makes the data folder if need be: a topic may be there before anything has run. */
static bool make_store(struct command_env *env, struct err *err)
{
    const struct store_options options = {.read_only_attach = true};
    if (command_store(env, err))
        return true;
    TRY(err->class == ERR_NONE);
    return os_mkdirs(env->project->data, err) &&
           store_open(env->pool, env->project->data, &options, NULL, &env->store, err);
}

static int look_create(struct command_env *env)
{
    const char *name = env->args->operands[0];
    struct topic_info info;
    struct topic_config config;
    struct err err;
    int32_t partitions = 1;
    topic_config_default(&config);
    if (!conf_text_topic(str_of(name), &err) || !read_config(env->args, &partitions, &config, &err) ||
        !make_store(env, &err))
        return env_fail(env, &err, NULL);
    if (store_topic(env->store, name, &info)) {
        err_set(&err, ERR_FATAL, "there is a topic \"%s\" already", name);
        return env_fail(env, &err, NULL);
    }
    struct frame *frame = frame_new(env->store);
    frame_topic_create(frame, name, partitions, &config);
    return commit_topic(env, frame, "created");
}

static int look_alter(struct command_env *env)
{
    struct topic_info info;
    struct err err;
    if (!topic_find(env, env->args->operands[0], &info, &err))
        return env_fail(env, &err, NULL);
    int32_t partitions = info.partitions;
    if (!read_config(env->args, &partitions, &info.config, &err))
        return env_fail(env, &err, NULL);
    if (partitions < info.partitions) {
        err_set(&err, ERR_CONFIG, "topic \"%s\" has %d partitions, which cannot become fewer", info.name,
                info.partitions);
        return env_fail(env, &err, NULL);
    }
    if (partitions > info.partitions && env->engine &&
        project_topic_of(env->project, str_of(info.name)) >= 0) {
        err_set(&err, ERR_FATAL, "topic \"%s\" is in use by the running project", info.name);
        err_hint(&err, "Change `partitions` in sluice.yaml and start anew.");
        return env_fail(env, &err, NULL);
    }
    struct frame *frame = frame_new(env->store);
    frame_topic_alter(frame, info.name, partitions, &info.config);
    return commit_topic(env, frame, "altered");
}

static int look_delete(struct command_env *env)
{
    struct topic_info info;
    struct err err;
    if (!topic_find(env, env->args->operands[0], &info, &err))
        return env_fail(env, &err, NULL);
    if (topic_is_internal(&info) || (env->engine && project_topic_of(env->project, str_of(info.name)) >= 0)) {
        err_set(&err, ERR_FATAL, "topic \"%s\" is in use by the %s", info.name,
                topic_is_internal(&info) ? "program itself" : "running project");
        return env_fail(env, &err, NULL);
    }
    struct frame *frame = frame_new(env->store);
    frame_topic_delete(frame, info.name);
    return commit_topic(env, frame, "deleted");
}

/* ---- the commands -------------------------------------------------------------------------------------------------------------- */

static const struct cli_flag list_flags[] = {{"--all", "-a", NULL, "internal topics too"},
                                             {"--output", "-o", "FORMAT", "table (default) or json"},
                                             {0}};
static const struct cli_flag config_flags[] = {
    {"--partitions", "-p", "COUNT", "how many partitions"},
    {"--retention", NULL, "DURATION", "how long records are kept: 7d, forever"},
    {"--retention-size", NULL, "SIZE", "bytes of each partition that are kept: 10GiB"},
    {"--compression", NULL, "CODEC",
     "of record batches that are written here: none, gzip, snappy, lz4, zstd"},
    {"--compact", NULL, NULL, "keeps the newest value of each key"},
    {0},
};

extern const struct cli_command command_topic_list, command_topic_describe, command_topic_create,
    command_topic_alter, command_topic_delete;
const struct cli_command command_topic_list = {.name = "topic list",
                                               .operands = "[DIR]",
                                               .summary = "lists topics",
                                               .flags = list_flags,
                                               .operands_max = 1,
                                               .look = look_list};
const struct cli_command command_topic_describe = {.name = "topic describe",
                                                   .operands = "TOPIC [DIR]",
                                                   .summary = "shows a topic: partitions, offsets, columns",
                                                   .operands_min = 1,
                                                   .operands_max = 2,
                                                   .dir_at = 1,
                                                   .look = look_describe};
const struct cli_command command_topic_create = {.name = "topic create",
                                                 .operands = "TOPIC [DIR]",
                                                 .summary = "creates a topic",
                                                 .flags = config_flags,
                                                 .operands_min = 1,
                                                 .operands_max = 2,
                                                 .dir_at = 1,
                                                 .look = look_create};
const struct cli_command command_topic_alter = {.name = "topic alter",
                                                .operands = "TOPIC [DIR]",
                                                .summary = "changes a topic: more partitions, retention",
                                                .flags = config_flags,
                                                .operands_min = 1,
                                                .operands_max = 2,
                                                .dir_at = 1,
                                                .look = look_alter};
const struct cli_command command_topic_delete = {.name = "topic delete",
                                                 .operands = "TOPIC [DIR]",
                                                 .summary = "deletes a topic and its records",
                                                 .operands_min = 1,
                                                 .operands_max = 2,
                                                 .dir_at = 1,
                                                 .look = look_delete};

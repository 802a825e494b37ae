/* topic list, describe, create, alter, delete. */
#include <stdio.h>

#include "cli/rows.h"
#include "cli/topic.h"

/* ---- list ------------------------------------------------------------------------------------------------------------- */

/* p NULL where it is not known. */
static struct str number(struct arena *arena, int64_t n)
{
    return n < 0 ? (struct str){0} : str_of(arena_printf(arena, "%lld", (long long)n));
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
            return str_of(arena_printf(arena, "%lld%s", (long long)(ms / units[i].ms), units[i].name));
    return STR("0");
}

/* Of all partitions; −1 where one is not known. */
struct topic_sums {
    int64_t records, bytes;
};

static struct topic_sums sum_topic(const struct topic_view *view)
{
    struct topic_sums sums = {0};
    for (int32_t p = 0; p < view->partitions; p++) {
        const struct topic_part *part = &view->parts[p];
        sums.records = sums.records < 0 || part->start < 0 || part->end < part->start
                           ? -1
                           : sums.records + part->end - part->start;
        sums.bytes = sums.bytes < 0 || part->bytes < 0 ? -1 : sums.bytes + part->bytes;
    }
    return sums;
}

static void put_number(struct command_env *env, const char *name, int64_t n)
{
    if (n < 0)
        env_print(env, "\"%s\":null,", name);
    else
        env_print(env, "\"%s\":%lld,", name, (long long)n);
}

static void list_json(struct command_env *env, const struct topic_view *view)
{
    struct topic_sums sums = sum_topic(view);
    sbuf_cstr(&env->out, "{\"topic\":");
    sbuf_json(&env->out, str_of(view->name));
    env_print(env, ",\"partitions\":%d,", view->partitions);
    put_number(env, "records", sums.records);
    put_number(env, "bytes", sums.bytes);
    env_print(env, "\"retention_ms\":%lld,\"compact\":%s}\n", (long long)view->retention_ms,
              view->is_compact ? "true" : "false");
}

static int look_list(struct command_env *env)
{
    static const struct table_column columns[] = {{.name = "topic"},
                                                  {.name = "partitions", .right = true},
                                                  {.name = "records", .right = true},
                                                  {.name = "bytes", .right = true},
                                                  {.name = "retention"}};
    struct arena *arena = pool_arena(env->pool);
    struct topic_view *views = NULL;
    struct table table;
    struct err err;
    size_t count = 0;
    bool json, all = cli_given(env->args, "--all");
    if (!command_wants_json(env, &json, &err) || !topic_views(env, &views, &count, &err))
        return env_fail(env, &err, NULL);
    if (!json)
        table_init(&table, env, columns, 5);
    for (size_t i = 0; i < count; i++) {
        if (views[i].is_internal && !all)
            continue;
        if (json) {
            list_json(env, &views[i]);
            continue;
        }
        struct topic_sums sums = sum_topic(&views[i]);
        const struct str cells[] = {str_of(views[i].name), number(arena, views[i].partitions),
                                    number(arena, sums.records), number(arena, sums.bytes),
                                    views[i].is_compact ? STR("compact")
                                                        : duration_text(arena, views[i].retention_ms)};
        table_row(&table, cells);
    }
    if (!json)
        table_end(&table, false);
    for (size_t i = 0; i < count; i++)
        if (views[i].error && (all || !views[i].is_internal))
            env_note(env, "topic \"%s\": %s", env_visible(env, views[i].name), views[i].error);
    return EXIT_DONE;
}

/* ---- describe ------------------------------------------------------------------------------------------------------------ */

static struct str nodes_text(struct arena *arena, const int32_t *nodes, uint32_t count)
{
    struct sbuf text = {0};
    for (uint32_t i = 0; i < count; i++)
        sbuf_printf(&text, "%s%d", i ? "," : "", nodes[i]);
    struct str copy = str_of(str_dup(arena, sbuf_view(&text)));
    sbuf_fini(&text);
    return copy;
}

/* Leaders and replicas are worth a column where there is more than one place to be. */
static void describe_partitions(struct command_env *env, const struct topic_view *view)
{
    static const struct table_column columns[] = {{.name = "partition", .right = true},
                                                  {.name = "start", .right = true},
                                                  {.name = "end", .right = true},
                                                  {.name = "bytes", .right = true},
                                                  {.name = "leader", .right = true},
                                                  {.name = "replicas"},
                                                  {.name = "in sync"}};
    struct arena *arena = pool_arena(env->pool);
    struct table table;
    const struct client_partition *first = view->partitions > 0 ? view->parts[0].at : NULL;
    bool spread = false;
    for (int32_t p = 0; first && p < view->partitions; p++) {
        const struct client_partition *at = view->parts[p].at;
        spread = spread || (at && (at->replica_count > 1 || at->leader != first->leader));
    }
    table_init(&table, env, columns, spread ? 7 : 4);
    for (int32_t p = 0; p < view->partitions; p++) {
        const struct topic_part *part = &view->parts[p];
        struct str cells[7] = {number(arena, p), number(arena, part->start), number(arena, part->end),
                               number(arena, part->bytes)};
        if (spread && part->at) {
            cells[4] = number(arena, part->at->leader);
            cells[5] = nodes_text(arena, part->at->replicas, part->at->replica_count);
            cells[6] = nodes_text(arena, part->at->isr, part->at->isr_count);
        }
        table_row(&table, cells);
    }
    table_end(&table, false);
}

static void describe_columns(struct command_env *env, const struct type *schema)
{
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
}

static int look_describe(struct command_env *env)
{
    struct topic_view view;
    struct err err;
    char id[KAFKA_UUID_TEXT + 1];
    if (!topic_view(env, env->args->operands[0], &view, &err))
        return env_fail(env, &err, NULL);
    kafka_uuid_print(view.id, id);
    struct str retention = duration_text(pool_arena(env->pool), view.retention_ms);
    env_print(env, "topic       %s\nid          %s\npartitions  %d\nretention   %.*s\n", view.name, id,
              view.partitions, STR_ARG(retention));
    if (view.retention_bytes >= 0)
        env_print(env, "size        %lld bytes of a partition are kept\n", (long long)view.retention_bytes);
    if (view.compression)
        env_print(env, "compression %s\n", env_visible(env, view.compression));
    if (view.is_compact)
        env_print(env, "compact     the newest value of each key is kept\n");
    for (uint32_t i = 0; i < view.more_count; i++)
        env_print(env, "config      %s=%s\n", env_visible(env, view.more[i].name),
                  env_visible(env, view.more[i].value ? view.more[i].value : ""));
    env_print(env, "\n");
    describe_partitions(env, &view);
    const struct type *schema = command_topic_columns(env, view.name);
    if (schema)
        describe_columns(env, schema);
    if (view.error)
        env_note(env, "topic \"%s\": %s", view.name, view.error);
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

static int done(struct command_env *env, bool ok, const struct err *err, const char *did)
{
    if (!ok)
        return env_fail(env, err, NULL);
    env_note(env, "topic \"%s\" %s", env->args->operands[0], did);
    return EXIT_DONE;
}

static int commit_topic(struct command_env *env, struct frame *frame, const char *did)
{
    struct err err;
    bool ok = command_commit(env, frame, &err);
    frame_free(frame);
    return done(env, ok, &err, did);
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

static struct topic_wish wish_of(const struct cli_args *args)
{
    return (struct topic_wish){.partitions = cli_value(args, "--partitions"),
                               .retention = cli_value(args, "--retention"),
                               .retention_size = cli_value(args, "--retention-size"),
                               .compression = cli_value(args, "--compression"),
                               .config = cli_value(args, "--config"),
                               .compact = cli_given(args, "--compact")};
}

/* An option that only a broker understands. */
static bool needs_no_broker(const struct cli_args *args, const char *option, struct err *err)
{
    if (!cli_given(args, option))
        return true;
    err_set(err, ERR_CONFIG, "%s needs a broker, and none runs here", option);
    return err_hint(err, "Start the project with sluice up, or name a broker: -b HOST:PORT.");
}

static int look_create(struct command_env *env)
{
    const char *name = env->args->operands[0];
    struct topic_info info;
    struct topic_config config;
    struct err err;
    int32_t partitions = 1;
    topic_config_default(&config);
    if (!conf_text_topic(str_of(name), &err))
        return env_fail(env, &err, NULL);
    if (env->kafka) {
        struct topic_wish wish = wish_of(env->args);
        wish.replicas = cli_value(env->args, "--replicas");
        return done(env, topic_create_remote(env, name, &wish, &err), &err, "created");
    }
    if (!needs_no_broker(env->args, "--replicas", &err) || !needs_no_broker(env->args, "--config", &err) ||
        !read_config(env->args, &partitions, &config, &err) || !make_store(env, &err))
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
    if (env->kafka) {
        struct topic_wish wish = wish_of(env->args);
        return done(env, topic_alter_remote(env, env->args->operands[0], &wish, &err), &err, "altered");
    }
    if (!needs_no_broker(env->args, "--config", &err) ||
        !topic_find(env, env->args->operands[0], &info, &err))
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

static bool delete_remote(struct command_env *env, const char *name, struct err *err)
{
    struct client_topic topic;
    return client_topic(env->kafka, pool_arena(env->pool), name, &topic, err) &&
           topic_may_go(env, name, topic.is_internal || topic_name_is_internal(name), err) &&
           client_topic_delete(env->kafka, name, err);
}

static int look_delete(struct command_env *env)
{
    const char *name = env->args->operands[0];
    struct topic_info info;
    struct err err;
    if (env->kafka)
        return done(env, delete_remote(env, name, &err), &err, "deleted");
    if (!topic_find(env, name, &info, &err) || !topic_may_go(env, name, topic_is_internal(&info), &err))
        return env_fail(env, &err, NULL);
    struct frame *frame = frame_new(env->store);
    frame_topic_delete(frame, info.name);
    return commit_topic(env, frame, "deleted");
}

/* ---- the commands -------------------------------------------------------------------------------------------------------------- */

static const struct cli_flag list_flags[] = {{"--all", "-a", NULL, "internal topics too"},
                                             {"--output", "-o", "FORMAT", "table (default) or json"},
                                             CLI_BOOTSTRAP_FLAG,
                                             {0}};
static const struct cli_flag bootstrap_flags[] = {CLI_BOOTSTRAP_FLAG, {0}};
#define CONFIG_FLAGS                                                                                         \
    {"--partitions", "-p", "COUNT", "how many partitions"},                                                  \
        {"--retention", NULL, "DURATION", "how long records are kept: 7d, forever"},                         \
        {"--retention-size", NULL, "SIZE", "bytes of each partition that are kept: 10GiB"},                  \
        {"--compression", NULL, "CODEC",                                                                     \
         "of record batches that are written here: none, gzip, snappy, lz4, zstd"},                          \
        {"--compact", NULL, NULL, "keeps the newest value of each key"},                                     \
        {"--config", "-c", "NAME=VALUE", "[;…] more of its configuration, by Kafka's names"},                \
        CLI_BOOTSTRAP_FLAG
static const struct cli_flag create_flags[] = {
    CONFIG_FLAGS, {"--replicas", "-r", "COUNT", "how many brokers of a cluster keep each partition"}, {0}};
static const struct cli_flag alter_flags[] = {CONFIG_FLAGS, {0}};

extern const struct cli_command command_topic_list, command_topic_describe, command_topic_create,
    command_topic_alter, command_topic_delete;
const struct cli_command command_topic_list = {.name = "topic list",
                                               .operands = "[DIR]",
                                               .summary = "lists topics",
                                               .flags = list_flags,
                                               .operands_max = 1,
                                               .kafka = CLI_KAFKA_IF_RUNNING,
                                               .look = look_list};
const struct cli_command command_topic_describe = {.name = "topic describe",
                                                   .operands = "TOPIC [DIR]",
                                                   .summary = "shows a topic: partitions, offsets, columns",
                                                   .flags = bootstrap_flags,
                                                   .operands_min = 1,
                                                   .operands_max = 2,
                                                   .dir_at = 1,
                                                   .kafka = CLI_KAFKA_IF_RUNNING,
                                                   .look = look_describe};
const struct cli_command command_topic_create = {.name = "topic create",
                                                 .operands = "TOPIC [DIR]",
                                                 .summary = "creates a topic",
                                                 .flags = create_flags,
                                                 .operands_min = 1,
                                                 .operands_max = 2,
                                                 .dir_at = 1,
                                                 .kafka = CLI_KAFKA_IF_RUNNING,
                                                 .look = look_create};
const struct cli_command command_topic_alter = {.name = "topic alter",
                                                .operands = "TOPIC [DIR]",
                                                .summary = "changes a topic: more partitions, retention",
                                                .flags = alter_flags,
                                                .operands_min = 1,
                                                .operands_max = 2,
                                                .dir_at = 1,
                                                .kafka = CLI_KAFKA_IF_RUNNING,
                                                .look = look_alter};
const struct cli_command command_topic_delete = {.name = "topic delete",
                                                 .operands = "TOPIC [DIR]",
                                                 .summary = "deletes a topic and its records",
                                                 .flags = bootstrap_flags,
                                                 .operands_min = 1,
                                                 .operands_max = 2,
                                                 .dir_at = 1,
                                                 .kafka = CLI_KAFKA_IF_RUNNING,
                                                 .look = look_delete};

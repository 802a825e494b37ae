/* Topics as `topic list` and `topic describe` show them: out of the data folder, or from a cluster. */
#include <stdio.h>

#include "cli/topic.h"

bool topic_name_is_internal(const char *name)
{
    return strncmp(name, "__", 2) == 0;
}

bool topic_is_internal(const struct topic_info *info)
{
    return info->config.internal || topic_name_is_internal(info->name);
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

bool topic_may_go(struct command_env *env, const char *name, bool is_internal, struct err *err)
{
    if (!is_internal && !(env_runs(env) && project_topic_of(env->project, str_of(name)) >= 0))
        return true;
    return err_set(err, ERR_FATAL, "topic \"%s\" is in use by the %s", name,
                   is_internal ? (env->is_foreign ? "cluster itself" : "program itself") : "running project");
}

/* ---- in the data folder ---------------------------------------------------------------------------------------------------- */

static void view_info(struct command_env *env, const struct topic_info *info, struct topic_view *view)
{
    struct arena *arena = pool_arena(env->pool);
    *view = (struct topic_view){
        .name = arena_strdup(arena, info->name),
        .is_internal = topic_is_internal(info),
        .is_compact = info->config.compact,
        .retention_ms = info->config.retention_ms,
        .retention_bytes = info->config.retention_bytes,
        .compression = info->config.compression ? codec_name((enum codec)info->config.compression) : NULL,
        .partitions = info->partitions,
        .parts = arena_zarray(arena, struct topic_part, (size_t)info->partitions),
    };
    memcpy(view->id.b, info->id, sizeof view->id.b);
    for (int32_t p = 0; p < info->partitions; p++) {
        struct log *log = log_get(env->store, info->name, p);
        if (log == NULL) {
            view->parts[p] = (struct topic_part){-1, -1, -1, NULL};
            continue;
        }
        view->parts[p] = (struct topic_part){log_start(log), log_end(log), (int64_t)log_bytes(log), NULL};
        log_release(log);
    }
}

static bool views_here(struct command_env *env, struct topic_view **views, size_t *count, struct err *err)
{
    struct arena *arena = pool_arena(env->pool);
    struct topic_info *infos = NULL;
    struct store *store = command_store(env, err);
    *count = 0;
    if (store == NULL)
        return err->class == ERR_NONE;
    *count = store_topics(store, arena, &infos);
    *views = arena_zarray(arena, struct topic_view, *count);
    for (size_t i = 0; i < *count; i++)
        view_info(env, &infos[i], &(*views)[i]);
    return true;
}

/* ---- in a cluster ------------------------------------------------------------------------------------------------------------ */

static bool is_shown(const char *name)
{
    static const char *const shown[] = {"retention.ms", "retention.bytes", "compression.type",
                                        "cleanup.policy"};
    for (size_t i = 0; i < sizeof shown / sizeof *shown; i++)
        if (strcmp(name, shown[i]) == 0)
            return true;
    return false;
}

static int64_t number_of(const struct client_configs *configs, const char *name)
{
    int64_t n = -1;
    const char *text = client_config_value(configs, name);
    return text && str_to_i64(str_of(text), &n) ? n : -1;
}

static void take_configs(struct arena *arena, const struct client_configs *configs, struct topic_view *view)
{
    const char *cleanup = client_config_value(configs, "cleanup.policy"),
               *compression = client_config_value(configs, "compression.type");
    struct client_config *more = arena_zarray(arena, struct client_config, configs->count);
    view->retention_ms = number_of(configs, "retention.ms");
    view->retention_bytes = number_of(configs, "retention.bytes");
    view->is_compact = cleanup && strstr(cleanup, "compact");
    if (compression && strcmp(compression, "producer") != 0)
        view->compression = compression;
    view->more = more;
    for (uint32_t i = 0; i < configs->count; i++)
        if (configs->all[i].is_topics_own && !is_shown(configs->all[i].name))
            more[view->more_count++] = configs->all[i];
}

/* One question about the ends of all partitions: kept in `to`, an offset into struct topic_part. */
static bool take_ends(struct command_env *env, struct client_topic *topics, uint32_t count, int64_t which,
                      struct topic_view *views, struct err *err)
{
    TRY(client_offsets(env->kafka, topics, count, which, false, err));
    for (uint32_t i = 0; i < count; i++)
        for (int32_t p = 0; p < topics[i].partition_count; p++) {
            const struct client_partition *partition = &topics[i].partitions[p];
            *(which == CLIENT_EARLIEST ? &views[i].parts[p].start
                                       : &views[i].parts[p].end) = partition->found;
            if (partition->error)
                views[i].error = kafka_error(partition->error)->text;
        }
    return true;
}

/* What the cluster does not tell everybody (sizes, configurations) is left out, not an error. */
static bool views_there(struct command_env *env, struct client_topic *topics, uint32_t count,
                        struct topic_view *views, struct err *err)
{
    struct arena *arena = pool_arena(env->pool);
    struct client_configs *configs;
    struct err ignored;
    for (uint32_t i = 0; i < count; i++) {
        views[i] = (struct topic_view){
            .name = topics[i].name,
            .id = topics[i].id,
            .is_internal = topics[i].is_internal || topic_name_is_internal(topics[i].name),
            .retention_ms = -1,
            .retention_bytes = -1,
            .error = topics[i].error ? kafka_error(topics[i].error)->text : NULL,
            .partitions = topics[i].partition_count,
            .parts = arena_zarray(arena, struct topic_part, (size_t)topics[i].partition_count)};
        for (int32_t p = 0; p < topics[i].partition_count; p++)
            views[i].parts[p].at = &topics[i].partitions[p];
    }
    TRY(take_ends(env, topics, count, CLIENT_EARLIEST, views, err));
    TRY(take_ends(env, topics, count, CLIENT_LATEST, views, err));
    (void)!client_sizes(env->kafka, topics, count, &ignored);
    for (uint32_t i = 0; i < count; i++)
        for (int32_t p = 0; p < topics[i].partition_count; p++)
            views[i].parts[p].bytes = topics[i].partitions[p].bytes;
    if (client_configs(env->kafka, arena, topics, count, NULL, &configs, &ignored))
        for (uint32_t i = 0; i < count; i++) {
            take_configs(arena, &configs[i], &views[i]);
            if (configs[i].error && views[i].error == NULL)
                views[i].error = kafka_error(configs[i].error)->text;
        }
    return true;
}

/* ---- either --------------------------------------------------------------------------------------------------------------------- */

bool topic_views(struct command_env *env, struct topic_view **views, size_t *count, struct err *err)
{
    struct arena *arena = pool_arena(env->pool);
    struct client_topic *topics;
    uint32_t n;
    if (env->kafka == NULL)
        return views_here(env, views, count, err);
    TRY(client_topics(env->kafka, arena, NULL, 0, &topics, &n, err));
    *views = arena_zarray(arena, struct topic_view, n);
    *count = n;
    return views_there(env, topics, n, *views, err);
}

bool topic_view(struct command_env *env, const char *name, struct topic_view *view, struct err *err)
{
    struct arena *arena = pool_arena(env->pool);
    struct topic_info info;
    if (env->kafka == NULL) {
        TRY(topic_find(env, name, &info, err));
        view_info(env, &info, view);
        return true;
    }
    struct client_topic *topic = arena_new(arena, struct client_topic);
    return client_topic(env->kafka, arena, name, topic, err) && views_there(env, topic, 1, view, err);
}

/* ---- changes in a cluster ------------------------------------------------------------------------------------------------------- */

enum { CONFIGS_MAX = 64 };

struct configs {
    struct client_config all[CONFIGS_MAX];
    uint32_t count;
};

static void add_config(struct configs *configs, const char *name, const char *value)
{
    configs->all[configs->count++] = (struct client_config){.name = name, .value = value};
}

/* "a=b; c=d": what has no option of its own, by Kafka's names. "a=" is the default again. */
static bool read_more(struct arena *arena, const char *text, struct configs *configs, struct err *err)
{
    for (struct str rest = str_of(text); rest.n > 0;) {
        size_t end = str_find(rest, STR(";"), 0);
        struct str one = str_trim(str_n(rest.p, end == SIZE_MAX ? rest.n : end));
        rest = end == SIZE_MAX ? STR("") : str_n(rest.p + end + 1, rest.n - end - 1);
        size_t equals = str_find(one, STR("="), 0);
        if (one.n == 0)
            continue;
        if (equals == SIZE_MAX || equals == 0)
            return err_set(err, ERR_CONFIG, "\"%.*s\" is no NAME=VALUE", STR_ARG(one));
        if (configs->count == CONFIGS_MAX)
            return err_set(err, ERR_CONFIG, "more than %d configurations", CONFIGS_MAX);
        struct str value = str_n(one.p + equals + 1, one.n - equals - 1);
        add_config(configs, str_dup(arena, str_trim(str_n(one.p, equals))),
                   value.n ? str_dup(arena, value) : NULL);
    }
    return true;
}

static bool wished_configs(struct command_env *env, const struct topic_wish *wish, struct configs *configs,
                           struct err *err)
{
    struct arena *arena = pool_arena(env->pool);
    int64_t ms = -1;
    uint64_t bytes;
    enum codec codec;
    if (wish->retention && strcmp(wish->retention, "forever") != 0)
        TRY(conf_text_duration(str_of(wish->retention), &ms, err));
    if (wish->retention)
        add_config(configs, "retention.ms", arena_printf(arena, "%lld", (long long)ms));
    if (wish->retention_size) {
        TRY(conf_text_size(str_of(wish->retention_size), &bytes, err));
        add_config(configs, "retention.bytes", arena_printf(arena, "%llu", (unsigned long long)bytes));
    }
    if (wish->compression) {
        if (!codec_find(str_of(wish->compression), &codec)) {
            err_set(err, ERR_CONFIG, "unknown compression \"%s\"", wish->compression);
            return err_hint(err, "There are none, gzip, snappy, lz4 and zstd.");
        }
        add_config(configs, "compression.type", codec == CODEC_NONE ? "uncompressed" : codec_name(codec));
    }
    if (wish->compact)
        add_config(configs, "cleanup.policy", "compact");
    return wish->config == NULL || read_more(arena, wish->config, configs, err);
}

static bool read_count(const char *text, const char *what, int64_t max, int64_t *n, struct err *err)
{
    return text == NULL || (str_to_i64(str_of(text), n) && *n >= 1 && *n <= max) ||
           err_set(err, ERR_CONFIG, "\"%s\" is no number of %s from 1 to %lld", text, what, (long long)max);
}

bool topic_create_remote(struct command_env *env, const char *name, const struct topic_wish *wish,
                         struct err *err)
{
    struct configs configs = {.count = 0};
    int64_t partitions = env->is_foreign ? -1 : 1, replicas = -1;
    TRY(read_count(wish->partitions, "partitions", TOPIC_PARTITIONS_MAX, &partitions, err));
    TRY(read_count(wish->replicas, "replicas", INT16_MAX, &replicas, err));
    TRY(wished_configs(env, wish, &configs, err));
    if (client_topic_create(env->kafka, name, (int32_t)partitions, (int16_t)replicas, configs.all,
                            configs.count, err))
        return true;
    return err->code == KAFKA_ERR_TOPIC_ALREADY_EXISTS &&
           err_set(err, ERR_FATAL, "there is a topic \"%s\" already", name);
}

bool topic_alter_remote(struct command_env *env, const char *name, const struct topic_wish *wish,
                        struct err *err)
{
    struct configs configs = {.count = 0};
    struct client_topic topic;
    int64_t partitions = 0;
    TRY(client_topic(env->kafka, pool_arena(env->pool), name, &topic, err));
    TRY(read_count(wish->partitions, "partitions", TOPIC_PARTITIONS_MAX, &partitions, err));
    TRY(wished_configs(env, wish, &configs, err));
    if (partitions > 0 && partitions < topic.partition_count)
        return err_set(err, ERR_CONFIG, "topic \"%s\" has %d partitions, which cannot become fewer", name,
                       topic.partition_count);
    if (partitions > topic.partition_count) {
        if (env_runs(env) && project_topic_of(env->project, str_of(name)) >= 0) {
            err_set(err, ERR_FATAL, "topic \"%s\" is in use by the running project", name);
            return err_hint(err, "Change `partitions` in sluice.yaml and start anew.");
        }
        TRY(client_topic_grow(env->kafka, name, (int32_t)partitions, err));
    }
    return configs.count == 0 || client_topic_alter(env->kafka, name, configs.all, configs.count, err);
}

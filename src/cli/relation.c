#include "cli/relation_private.h"
#include "topic/schemas.h"

#include <stdio.h>

static const struct {
    const char *name;
    enum relation_kind kind;
} path_formats[] = {{"json", RELATION_JSON},
                    {"csv", RELATION_CSV},
                    {"parquet", RELATION_PARQUET},
                    {"avro", RELATION_AVRO},
                    {"delta", RELATION_DELTA}};

enum { NAMES_MAX = 1024 };

void relations_init(struct relations *r, struct command_env *env, struct pool *pool)
{
    *r = (struct relations){.env = env, .pool = pool};
}

void relations_fini(struct relations *r)
{
    map_fini(&r->known);
}

void relations_bad(struct relations *r, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    if (r->bad++ == 0)
        vsnprintf(r->bad_text, sizeof r->bad_text, format, args);
    va_end(args);
}

/* ---- names -------------------------------------------------------------------------------------------------------- */

static void add_name(struct str *names, uint32_t *count, const char *name)
{
    for (uint32_t i = 0; i < *count; i++)
        if (str_is(names[i], name))
            return;
    if (*count < NAMES_MAX)
        names[(*count)++] = str_of(name);
}

struct str *relations_names(struct relations *r, struct arena *arena, uint32_t *count)
{
    const struct project *project = r->env->project;
    struct str *names = arena_array(arena, struct str, NAMES_MAX);
    struct topic_info *infos = NULL;
    struct err ignored;
    *count = 0;
    for (uint32_t i = 0; i < project->conf.topic_count; i++)
        add_name(names, count, project->topics[i].name);
    struct store *store = command_store(r->env, &ignored);
    size_t topics = store ? store_topics(store, arena, &infos) : 0;
    for (size_t i = 0; i < topics; i++)
        if (!infos[i].config.internal && strncmp(infos[i].name, "__", 2) != 0)
            add_name(names, count, infos[i].name);
    for (uint32_t i = 0; i < project->conf.stream_count; i++) {
        const struct stream_def *stream = &project->streams[i];
        const struct sink_def *sink;
        for (uint32_t s = 0; (sink = stream_sink(stream, s)) != NULL; s++)
            if (sink->conf == NULL || sink->conf->connection)
                add_name(names, count, sink->name);
    }
    return names;
}

static bool no_such_name(struct relations *r, struct str name, struct err *err)
{
    const char *texts[NAMES_MAX];
    uint32_t count;
    struct arena *arena = pool_arena(r->pool);
    struct str *names = relations_names(r, arena, &count);
    for (uint32_t i = 0; i < count; i++)
        texts[i] = str_dup(arena, names[i]);
    err_set(err, ERR_CONFIG, "TABLE_OR_VIEW_NOT_FOUND: there is no topic or table \"%.*s\"", STR_ARG(name));
    const char *nearest = str_nearest(name, texts, count);
    return nearest ? err_hint(err, "Did you mean \"%s\"?", nearest) : err_hint(err, "See: SHOW TABLES.");
}

/* ---- kinds of names ---------------------------------------------------------------------------------------------------- */

static bool open_topic(struct relations *r, struct str name, struct relation_source *s, struct err *err)
{
    const struct project *project = r->env->project;
    struct arena *arena = pool_arena(r->pool);
    int32_t index = project_topic_of(project, name);
    struct topic_info *info = arena_new(arena, struct topic_info);
    struct store *store = command_store(r->env, err);
    if (store == NULL && err->class != ERR_NONE)
        return false;
    if (index < 0 && (store == NULL || !store_topic(store, str_dup(arena, name), info)))
        return no_such_name(r, name, err);
    if (store == NULL)
        return command_needs_store(r->env, err);
    struct topic_def *def = arena_new(arena, struct topic_def);
    if (index >= 0)
        *def = project->topics[index];
    else
        *def = (struct topic_def){.name = info->name, .config = info->config};
    if (!store_topic(store, def->name, info))
        return err_set(err, ERR_FATAL, "topic \"%s\" does not exist yet", def->name) ||
               err_hint(err, "It is made when the project runs: sluice up.");
    def->partitions = info->partitions;
    if (topic_has_schema(def))
        def->schemas = command_schemas(r->env, NULL, err);
    if (topic_has_schema(def) && err->class != ERR_NONE)
        return false;
    s->kind = RELATION_TOPIC;
    s->def = def;
    return topic_relation_open(r, s, err);
}

static const char *absolute(struct arena *arena, const char *folder, const char *path)
{
    return path[0] == '/' ? path : arena_printf(arena, "%s/%s", folder, path);
}

static bool open_table_of(struct relations *r, const char *url, const char *table, struct relation_source *s,
                          struct err *err)
{
    struct arena *arena = pool_arena(r->pool);
    const char *rest = strchr(url, ':');
    if (rest == NULL)
        return err_set(err, ERR_CONFIG, "the connection has no URL");
    rest++;
    if (strncmp(rest, "//", 2) == 0)
        rest += 2;
    const char *path = absolute(arena, r->env->project->folder, rest);
    if (str_starts(str_of(url), STR("sqlite:"))) {
        s->kind = RELATION_SQLITE;
        s->path = path;
        s->table = table;
        return sqlite_relation_open(r, s, err);
    }
    if (str_starts(str_of(url), STR("file:"))) {
        s->kind = RELATION_DELTA;
        s->path = arena_printf(arena, "%s/%s", path, table);
        return delta_relation_open(r, s, err);
    }
    return err_set(err, ERR_CONFIG, "tables of %.*s connections cannot be queried",
                   (int)(strchr(url, ':') - url), url);
}

static bool open_rejects(struct relations *r, struct str table, struct relation_source *s, struct err *err)
{
    const struct project *project = r->env->project;
    for (uint32_t i = 0; i < project->conf.stream_count; i++) {
        const struct sink_def *bad = &project->streams[i].bad, *late = &project->streams[i].late;
        if (str_is(table, bad->table) || str_is(table, late->table))
            return open_table_of(r, str_is(table, bad->table) ? bad->url : late->url,
                                 str_dup(pool_arena(r->pool), table), s, err);
    }
    char name[256];
    snprintf(name, sizeof name, "sluice.%.*s", STR_ARG(table));
    return no_such_name(r, str_of(name), err);
}

static bool open_two_parts(struct relations *r, const struct relation_name *name, struct relation_source *s,
                           struct err *err)
{
    struct arena *arena = pool_arena(r->pool);
    const struct conf_connection *connection = conf_project_connection(&r->env->project->conf,
                                                                       name->parts[0]);
    char *last = str_dup(arena, name->parts[1]);
    if (connection)
        return open_table_of(r, connection->url, last, s, err);
    if (str_is(name->parts[0], "sluice"))
        return open_rejects(r, name->parts[1], s, err);
    for (size_t i = 0; i < sizeof path_formats / sizeof path_formats[0]; i++) {
        if (!str_eq_nocase(name->parts[0], str_of(path_formats[i].name)))
            continue;
        s->kind = path_formats[i].kind;
        s->path = env_path(r->env, last);
        return s->kind == RELATION_DELTA ? delta_relation_open(r, s, err)
                                         : files_relation_open(r, s, s->path, err);
    }
    return no_such_name(r, str_of(arena_printf(arena, "%.*s.%s", STR_ARG(name->parts[0]), last)), err);
}

bool relations_lookup(void *arg, const struct relation_name *name, struct relation *relation, struct err *err)
{
    struct relations *r = arg;
    struct sbuf key = {0};
    for (uint32_t i = 0; i < name->part_count; i++) {
        sbuf_str(&key, name->parts[i]);
        sbuf_char(&key, '\0');
    }
    struct relation_source *s = map_get(&r->known, sbuf_view(&key));
    bool ok = s != NULL;
    if (!ok) {
        s = pool_new_struct(r->pool, struct relation_source);
        if (name->part_count == 1)
            ok = open_topic(r, name->parts[0], s, err);
        else if (name->part_count == 2)
            ok = open_two_parts(r, name, s, err);
        else
            ok = err_set(err, ERR_CONFIG,
                         "TABLE_OR_VIEW_NOT_FOUND: names have one or two parts: topic, connection.table");
        if (ok && s->kind != RELATION_TOPIC)
            s->relation = (struct relation){.schema = s->schema, .hidden_from = s->schema->field_count};
        s->relation.handle = s;
        if (ok)
            map_put(&r->known, sbuf_view(&key), s);
    }
    if (ok)
        *relation = s->relation;
    sbuf_fini(&key);
    return ok;
}

/* ---- rows ---------------------------------------------------------------------------------------------------------------- */

bool feed_give(struct feed *f, struct batch *batch)
{
    struct batch view = *batch;
    view.schema = f->scan->schema;
    if (f->scan->column_count == 0)
        view.columns = NULL;
    if (batch->rows > 0 && !f->give(f->arg, &view))
        f->stopped = true;
    return !f->stopped;
}

bool relation_feed(struct relations *r, const struct plan *scan, bool (*give)(void *arg, struct batch *batch),
                   void *arg, struct err *err)
{
    struct feed f = {.relations = r,
                     .source = scan->relation.handle,
                     .scan = scan,
                     .wanted = scan->schema,
                     .give = give,
                     .arg = arg};
    f.pool = pool_new(r->pool, "feed");
    if (scan->column_count == 0 && f.source->schema && f.source->schema->field_count > 0)
        f.wanted = type_struct(pool_arena(f.pool), f.source->schema->fields, 1);
    bool ok = false;
    switch (f.source->kind) {
    case RELATION_TOPIC: ok = topic_feed(&f, err); break;
    case RELATION_SQLITE: ok = sqlite_feed(&f, err); break;
    case RELATION_DELTA: ok = delta_feed(&f, err); break;
    case RELATION_JSON:
    case RELATION_CSV:
    case RELATION_PARQUET:
    case RELATION_AVRO: ok = files_feed(&f, err); break;
    }
    pool_free(f.pool);
    return ok;
}

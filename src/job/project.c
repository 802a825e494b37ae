#include "job/project_private.h"

#include <errno.h>
#include <stdio.h>

#include "op/op.h"
#include "os/os.h"
#include "sql/ast.h"
#include "type/timestamp.h"

static const char PROJECT_FILE[] = "sluice.yaml";

enum {
    PROJECT_FILE_MAX = 64 << 20
}; /* bytes that are read; what conf/ takes is less, and it says so with a place */

/* ---- kinds ---------------------------------------------------------------------------------------------------------- */

void project_kinds(struct arena *arena, struct conf_kinds *kinds)
{
    uint32_t source_count = 0, sink_count = 0;
    while (source_kinds[source_count])
        source_count++;
    while (sink_kinds[sink_count])
        sink_count++;
    struct conf_kind_table *sources = arena_zarray(arena, struct conf_kind_table, source_count);
    for (uint32_t i = 0; i < source_count; i++)
        sources[i] = (struct conf_kind_table){.name = source_kinds[i]->name,
                                              .options = source_kinds[i]->options,
                                              .options_size = source_kinds[i]->options_size};
    struct conf_kind_table *connections = arena_zarray(arena, struct conf_kind_table, sink_count);
    for (uint32_t i = 0; i < sink_count; i++)
        connections[i] = (struct conf_kind_table){.name = sink_kinds[i]->name,
                                                  .schemes = sink_kinds[i]->schemes,
                                                  .sink_options = sink_kinds[i]->options,
                                                  .sink_options_size = sink_kinds[i]->options_size};
    *kinds = (struct conf_kinds){sources, source_count, connections, sink_count};
}

/* ---- texts ----------------------------------------------------------------------------------------------------------- */

static const char *get_env(void *arg, const char *name)
{
    (void)arg;
    return os_env(name);
}

static const char *in_folder(struct arena *arena, const char *folder, const char *path)
{
    return path[0] == '/' ? path : arena_printf(arena, "%s/%s", folder, path);
}

/* A file's whole text. What is no file (a folder, a pipe, a device) might never end. */
static bool read_text(const char *path, size_t limit, struct sbuf *text, struct err *err)
{
    struct os_stat stat;
    TRY(os_stat(path, &stat, err));
    if (!stat.is_file)
        return err_set(err, ERR_CONFIG, "\"%s\" is %s, not a file", path,
                       stat.is_folder ? "a folder" : "a pipe or a device");
    return os_read_file(path, limit, text, err);
}

/* The file of the folder that was probably meant, or NULL. */
static const char *nearest_file(struct loader *l, const char *path)
{
    char **names;
    size_t count;
    struct err ignored;
    if (strchr(path, '/') || !os_list(l->project->folder, l->arena, &names, &count, &ignored))
        return NULL;
    return str_nearest(str_of(path), (const char *const *)names, count);
}

bool project_load_text(struct loader *l, const struct conf_sql *sql, struct str *text,
                       const struct conf_file **file)
{
    *file = NULL;
    *text = sql->text;
    if (sql->path == NULL)
        return true;
    struct sbuf buf = {0};
    struct err err;
    bool ok = read_text(in_folder(l->arena, l->project->folder, sql->path), PROJECT_SQL_MAX, &buf, &err);
    if (ok) {
        *file = conf_file_new(l->arena, sql->path, sbuf_view(&buf));
        *text = (*file)->text;
    } else {
        const char *nearest = err.code == ENOENT ? nearest_file(l, sql->path) : NULL;
        struct conf_diag *d = conf_say(l->diags, CONF_ERROR, sql->node, "%s", err.text);
        if (nearest)
            err_hint(&d->err, "did you mean \"%s\"?", nearest);
        else if (err.code == ENOENT)
            err_hint(&d->err,
                     "Paths start at the project's folder; a text with white space in it is taken as it is.");
    }
    sbuf_fini(&buf);
    return ok;
}

void project_say_in_text(struct loader *l, const struct conf_sql *sql, const struct conf_file *file,
                         struct err *err)
{
    if (err->place.line == 0)
        err_at(err, NULL, 1, 1, 1);
    if (file) {
        err_at(err, file->name, err->place.line, err->place.column, err->place.width);
        conf_diag_err(l->diags, file, err);
        return;
    }
    conf_err_in(sql->node, err);
    conf_diag_err(l->diags, sql->node ? sql->node->file : NULL, err);
}

/* ---- topics ------------------------------------------------------------------------------------------------------------ */

static void load_topic(struct loader *l, const struct conf_topic *conf, struct topic_def *topic)
{
    *topic = (struct topic_def){
        .name = conf->name,
        .raw = conf->raw || conf->format == CONF_FORMAT_RAW,
        .keys = conf->keys,
        .key_count = conf->key_count,
        .partitions = (int32_t)conf->partitions,
        .implied = conf->implied,
    };
    topic_config_default(&topic->config);
    topic_config_retain(&topic->config, conf->retention_ms, conf->retention_bytes);
    topic->config.compact = conf->compact;
    topic->config.compression = (uint8_t)conf->compression;
    if (conf->format == CONF_FORMAT_RAW && topic->key_count)
        conf_say(l->diags, CONF_ERROR, conf_get(conf->node, "key"),
                 "the records of a raw topic have the key that the column \"key\" of their rows gives");
    project_load_schemas(l, conf, topic);
}

/* ---- sinks ------------------------------------------------------------------------------------------------------------- */

static void load_sink(struct loader *l, const struct stream_def *stream, const struct conf_target *conf,
                      struct sink_def *sink)
{
    const struct conf_project *project = &l->project->conf;
    *sink = (struct sink_def){
        .conf = conf,
        .topic = -1,
        .mode = (enum sink_mode)conf->mode,
        .key = conf->key,
        .key_count = conf->key_count,
        .partition_by = conf->partition_by,
        .partition_by_count = conf->partition_by_count,
        .cadence_ms = conf->cadence_ms < 0 ? 0 : conf->cadence_ms,
    };
    if (conf->topic) {
        const struct topic_def *topic = &l->project->topics[conf->index];
        sink->topic = (int32_t)conf->index;
        sink->name = conf->topic;
        if (sink->key_count == 0) {
            sink->key = topic->keys;
            sink->key_count = topic->key_count;
        }
    } else if (conf->console) {
        sink->kind = sink_kind_find(STR("console:"));
        sink->name = "console";
        sink->url = "console:";
        sink->table = stream->name;
    } else if (conf->connection) {
        sink->name = arena_printf(l->arena, "%s.%s", conf->connection, conf->table);
        sink->url = project->connections[conf->index].url;
        sink->table = conf->table;
        if (sink->url) /* NULL after an error in it, which was said */
            sink->kind = sink_kind_find(str_of(sink->url));
    }
    if (sink->mode == SINK_UPSERT && sink->key_count == 0) {
        struct conf_diag *d = conf_say(l->diags, CONF_ERROR, conf_get(conf->node, "mode"),
                                       "mode upsert needs a key: the column that names a row");
        err_hint(&d->err, "For example: key: id");
    }
}

struct sink_spec sink_spec_of(const struct project *project, const struct stream_def *stream,
                              const struct sink_def *def)
{
    return (struct sink_spec){
        .project = project->conf.name,
        .stream = stream->name,
        .name = def->name,
        .url = def->url,
        .table = def->table,
        .folder = project->folder,
        .mode = def->mode,
        .key = def->key,
        .key_count = def->key_count,
        .partition_by = def->partition_by,
        .partition_by_count = def->partition_by_count,
        .age_column = def->age_column,
        .retention_ms = def->retention_ms,
        .options = def->conf ? def->conf->options : NULL,
    };
}

/* A table of rejected rows: <stream>_bad, <stream>_late. */
static void load_rejects(struct loader *l, const char *stream, const char *what,
                         const struct conf_rejects_to *to, struct sink_def *sink)
{
    const struct conf_project *project = &l->project->conf;
    *sink = (struct sink_def){
        .name = arena_printf(l->arena, "sluice.%s_%s", stream, what),
        .topic = -1,
        .table = arena_printf(l->arena, "%s_%s", stream, what),
        .url = arena_printf(l->arena, "file:%s/tables", l->project->data),
        .age_column = to->retention_ms == CONF_FOREVER ? NULL : "at",
        .retention_ms = to->retention_ms,
    };
    for (uint32_t i = 0; to->connection && i < project->connection_count; i++)
        if (strcmp(project->connections[i].name, to->connection) == 0)
            sink->url = project->connections[i].url;
    if (sink->url)
        sink->kind = sink_kind_find(str_of(sink->url));
}

const struct sink_def *stream_sink(const struct stream_def *stream, uint32_t i)
{
    bool bad = stream->conf->bad.mode == CONF_REJECTS_KEEP;
    bool late = stream->stateful && stream->conf->late.mode == CONF_REJECTS_KEEP;
    if (i < stream->sink_count)
        return &stream->sinks[i];
    if (i == stream->sink_count && bad)
        return &stream->bad;
    return i == stream->sink_count + bad && late ? &stream->late : NULL;
}

/* ---- queries ------------------------------------------------------------------------------------------------------------ */

static const struct stream_def *find_stream(const struct project *project, struct str name)
{
    for (uint32_t i = 0; i < project->conf.stream_count; i++)
        if (project->streams[i].name && str_is(name, project->streams[i].name))
            return &project->streams[i];
    return NULL;
}

int32_t project_topic_of(const struct project *project, struct str name)
{
    for (uint32_t i = 0; i < project->conf.topic_count; i++)
        if (str_is(name, project->conf.topics[i].name))
            return (int32_t)i;
    const struct stream_def *stream = find_stream(project, name);
    for (uint32_t i = 0; stream && i < stream->sink_count; i++)
        if (stream->sinks[i].topic >= 0)
            return stream->sinks[i].topic;
    return -1;
}

/* As deep as streams are chained. seen[topic_count] */
static bool add_inputs(const struct project *project, struct arena *arena, const struct stream_def *stream,
                       bool *seen, int32_t *topics, uint32_t *count, struct err *err)
{
    struct relation_name *names;
    uint32_t name_count;
    TRY(sql_relations(arena, stream->sql, &names, &name_count, err));
    for (uint32_t i = 0; i < name_count; i++) {
        struct str name = names[i].parts[names[i].part_count - 1];
        int32_t topic = project_topic_of(project, name);
        const struct stream_def *through = topic < 0 ? find_stream(project, name) : NULL;
        if (through && through->in_order)
            TRY(add_inputs(project, arena, through, seen, topics, count, err));
        if (topic < 0 || seen[topic])
            continue;
        seen[topic] = true;
        topics[(*count)++] = topic;
    }
    return true;
}

bool project_inputs(const struct project *project, struct arena *arena, const struct stream_def *stream,
                    int32_t **topics, uint32_t *count, struct err *err)
{
    uint32_t n = project->conf.topic_count + 1;
    *topics = arena_array(arena, int32_t, n);
    *count = 0;
    return add_inputs(project, arena, stream, arena_zarray(arena, bool, n), *topics, count, err);
}

static void add_query_text(const struct project *project, struct arena *arena,
                           const struct stream_def *stream,
                           struct sbuf *text) /* as deep as streams are chained */
{
    struct ast_query *query;
    struct relation_name *names;
    uint32_t count;
    if (!sql_parse_query(arena, stream->sql, &query, NULL) ||
        !sql_relations(arena, stream->sql, &names, &count, NULL))
        return; /* then it does not run */
    ast_print(query, text);
    for (uint32_t i = 0; i < count; i++) {
        struct str name = names[i].parts[names[i].part_count - 1];
        const struct stream_def *through = project_topic_of(project, name) < 0 ? find_stream(project, name)
                                                                               : NULL;
        if (through == NULL || !through->in_order)
            continue;
        sbuf_printf(text, "; %s: ", through->name);
        add_query_text(project, arena, through, text);
    }
}

void project_query_text(const struct project *project, const struct stream_def *stream, struct sbuf *text)
{
    struct arena arena = {0};
    add_query_text(project, &arena, stream, text);
    arena_fini(&arena);
}

static bool no_such_relation(const struct project *project, struct str name, struct err *err)
{
    const struct conf_project *conf = &project->conf;
    const char *names[256];
    size_t count = 0;
    for (uint32_t i = 0; i < conf->topic_count && count < 256; i++)
        names[count++] = conf->topics[i].name;
    for (uint32_t i = 0; i < conf->stream_count && count < 256; i++)
        names[count++] = conf->streams[i].name;
    err_set(err, ERR_CONFIG, "TABLE_OR_VIEW_NOT_FOUND: there is no topic or stream \"%.*s\"", STR_ARG(name));
    for (uint32_t i = 0; i < conf->source_count; i++)
        if (str_is(name, conf->sources[i].name))
            return err_hint(err, "\"%s\" is a source, its rows are in the topic \"%s\": FROM STREAM %s.",
                            conf->sources[i].name, conf->sources[i].to, conf->sources[i].to);
    const char *nearest = str_nearest(name, names, count);
    return nearest ? err_hint(err, "Did you mean \"%s\"?", nearest)
                   : err_hint(err, "A stream reads a topic, or another stream by its name.");
}

/* A stream that writes to no topic: nothing of what it puts out is kept anywhere, so its query is run once more, in front of the reader's.
 * State is not: it would be kept twice, and its rows would be counted anew from what the input still holds. */
static bool look_up_stream(struct project_catalogue *c, const struct stream_def *stream,
                           struct relation *relation, struct err *err)
{
    if (!stream->in_order) {
        c->not_in_order = true;
        return err_set(err, ERR_CONFIG, "stream \"%s\" is not in order itself", stream->name);
    }
    if (stream->stateful) {
        err_set(err, ERR_CONFIG, "stream \"%s\" keeps state and writes to no topic, so it cannot be read",
                stream->name);
        return err_hint(err, "Give it a topic: add { topic: %s } to its `to:`.", stream->name);
    }
    relation->view = stream->sql;
    relation->view_name = stream->name;
    return true;
}

static bool lookup(void *arg, const struct relation_name *name, struct relation *relation, struct err *err)
{
    struct project_catalogue *c = arg;
    struct str last = name->parts[name->part_count - 1];
    if (name->part_count > 1) {
        err_set(err, ERR_CONFIG, "UNSUPPORTED_FEATURE: a stream cannot read a table in this version");
        return err_hint(err, "It reads topics: FROM STREAM topic.");
    }
    int32_t topic = project_topic_of(c->project, last);
    const struct stream_def *stream = topic < 0 ? find_stream(c->project, last) : NULL;
    if (topic < 0 && stream == NULL)
        return no_such_relation(c->project, last, err);
    if (!name->stream) {
        err_set(err, ERR_CONFIG, "a stream reads the %s \"%.*s\" as a stream", stream ? "stream" : "topic",
                STR_ARG(last));
        return err_hint(err, "Write FROM STREAM %.*s.", STR_ARG(last));
    }
    if (stream)
        return look_up_stream(c, stream, relation, err);
    const struct topic_def *def = &c->project->topics[topic];
    const struct type *schema = def->raw ? NULL : c->schema_of(c->arg, (uint32_t)topic);
    if (schema == NULL && !def->raw) {
        c->missing_schema = true;
        return err_set(err, ERR_RETRY, "the columns of topic \"%s\" are not known yet", def->name);
    }
    topic_relation(c->arena, def, schema, relation);
    relation->handle = (void *)(uintptr_t)(topic + 1);
    return true;
}

bool project_bind(struct project_catalogue *c, struct arena *arena, const struct stream_def *stream,
                  struct plan **plan, struct err *err)
{
    c->arena = arena;
    c->missing_schema = c->not_in_order = false;
    const struct catalogue catalogue = {.lookup = lookup, .arg = c, .ansi = true};
    return sql_plan(arena, stream->sql, &catalogue, plan, err);
}

static const struct type *known_schema(void *arg, uint32_t topic)
{
    const struct project *project = arg;
    return project->topics[topic].schema;
}

/* Depth-first over "reads what another stream writes"; a stream that is met again while it is open closes a cycle. */
enum visit { VISIT_NEW, VISIT_OPEN, VISIT_DONE };

struct sorter {
    struct loader *loader;
    struct stream_def *unsorted;
    enum visit *visits;
    uint32_t placed;
    uint32_t *way, depth; /* the streams that are open, each read by the one before it */
};

static bool writes_topic(const struct stream_def *stream, int32_t topic)
{
    for (uint32_t i = 0; i < stream->sink_count; i++)
        if (stream->sinks[i].topic == topic)
            return true;
    return false;
}

/* "copy → back → copy": each stream reads the one behind it. */
static void say_circle(struct sorter *s, uint32_t again)
{
    struct sbuf text = {0};
    const struct stream_def *stream = &s->unsorted[again];
    uint32_t from = s->depth;
    while (s->way[from - 1] != again)
        from--;
    for (uint32_t i = s->depth; i >= from; i--)
        sbuf_printf(&text, "%s → ", s->unsorted[s->way[i - 1]].name);
    sbuf_printf(&text, "%s", s->unsorted[s->way[s->depth - 1]].name);
    struct conf_diag *d = conf_say(s->loader->diags, CONF_ERROR, stream->conf->key,
                                   "stream \"%s\" reads, in a circle, what it writes itself", stream->name);
    err_hint(&d->err, "Rows would go round for ever: %s.", text.p);
    sbuf_fini(&text);
}

static void visit(struct sorter *s, uint32_t index);

static void visit_writers(struct sorter *s, const struct relation_name *name)
{
    const struct conf_project *conf = &s->loader->project->conf;
    int32_t topic = -1;
    for (uint32_t t = 0; t < conf->topic_count; t++)
        if (str_is(name->parts[0], conf->topics[t].name))
            topic = (int32_t)t;
    for (uint32_t other = 0; other < conf->stream_count; other++) {
        bool feeds = topic >= 0 ? writes_topic(&s->unsorted[other], topic)
                                : str_is(name->parts[0], s->unsorted[other].name);
        if (feeds && s->visits[other] == VISIT_OPEN)
            say_circle(s, other);
        else if (feeds && s->visits[other] == VISIT_NEW)
            visit(s, other);
    }
}

static void visit(struct sorter *s, uint32_t index) /* as deep as streams are chained: stream_count */
{
    struct loader *l = s->loader;
    struct stream_def *stream = &s->unsorted[index];
    struct relation_name *names;
    uint32_t count = 0;
    struct err err = {0};
    s->visits[index] = VISIT_OPEN;
    s->way[s->depth++] = index;
    if (stream->has_sql && !sql_relations(l->arena, stream->sql, &names, &count, &err)) {
        project_say_in_text(l, &stream->conf->sql, stream->file, &err);
        stream->has_sql = false;
    }
    if (stream->has_sql)
        (void)!sql_keeps_state(l->arena, stream->sql, &stream->stateful, &err); /* it was parsed just now */
    for (uint32_t i = 0; i < count; i++)
        if (names[i].part_count == 1) /* others are tables */
            visit_writers(s, &names[i]);
    s->depth--;
    s->visits[index] = VISIT_DONE;
    l->project->streams[s->placed++] = *stream;
}

/* Streams come after those that they read: what is not in order yet is not, or closes a circle. */
static void bind_stream(struct loader *l, struct stream_def *stream)
{
    struct err err = {0};
    uint32_t errors = l->diags->errors;
    struct project_catalogue catalogue = {
        .project = l->project, .schema_of = known_schema, .arg = l->project};
    if (!stream->has_sql)
        return;
    bool bound = project_bind(&catalogue, l->arena, stream, &stream->plan, &err);
    const struct stream_def *at = find_stream(l->project, str_of(err.place.file));
    if (!bound && !catalogue.missing_schema && !catalogue.not_in_order)
        project_say_in_text(l, at ? &at->conf->sql : &stream->conf->sql, at ? at->file : stream->file, &err);
    if (!bound)
        stream->plan = NULL;
    if (bound || catalogue.missing_schema)
        project_check_stream(l, stream);
    stream->in_order = (bound || catalogue.missing_schema) && l->diags->errors == errors;
    if (!bound)
        return;
    for (uint32_t i = 0; i < stream->sink_count; i++)
        if (stream->sinks[i].topic >= 0 && l->project->topics[stream->sinks[i].topic].schema == NULL)
            l->project->topics[stream->sinks[i].topic].schema = stream->plan->schema;
}

static void load_streams(struct loader *l)
{
    const struct conf_project *conf = &l->project->conf;
    struct stream_def *unsorted = arena_zarray(l->arena, struct stream_def, conf->stream_count + 1);
    for (uint32_t i = 0; i < conf->stream_count; i++) {
        struct stream_def *stream = &unsorted[i];
        const struct conf_stream *from = &conf->streams[i];
        *stream = (struct stream_def){.name = from->name, .conf = from, .sink_count = from->to_count};
        stream->has_sql = (from->sql.path || from->sql.text.n) &&
                          project_load_text(l, &from->sql, &stream->sql, &stream->file);
        stream->sinks = arena_zarray(l->arena, struct sink_def, from->to_count + 1);
        for (uint32_t s = 0; s < from->to_count; s++)
            load_sink(l, stream, &from->to[s], &stream->sinks[s]);
        load_rejects(l, stream->name, "bad", &from->bad, &stream->bad);
        load_rejects(l, stream->name, "late", &from->late, &stream->late);
    }
    struct sorter sorter = {.loader = l,
                            .unsorted = unsorted,
                            .visits = arena_zarray(l->arena, enum visit, conf->stream_count + 1),
                            .way = arena_array(l->arena, uint32_t, conf->stream_count + 1)};
    l->project->streams = unsorted; /* for look-ups by name while the sorted array fills */
    struct stream_def *sorted = arena_zarray(l->arena, struct stream_def, conf->stream_count + 1);
    l->project->streams = sorted;
    for (uint32_t i = 0; i < conf->stream_count; i++)
        if (sorter.visits[i] == VISIT_NEW)
            visit(&sorter, i);
    for (uint32_t i = 0; i < conf->stream_count; i++)
        bind_stream(l, &sorted[i]);
}

/* ---- the whole ------------------------------------------------------------------------------------------------------------ */

static const struct timezone_data *load_zone(struct loader *l, const char *name)
{
    struct timezone_data *fixed = arena_new(l->arena, struct timezone_data), *zone;
    if (timezone_fixed(str_of(name), fixed))
        return fixed;
    struct sbuf tzif = {0};
    struct err err = {0};
    char *path = arena_printf(l->arena, "/usr/share/zoneinfo/%s", name);
    bool ok = str_find(str_of(name), STR(".."), 0) == SIZE_MAX &&
              os_read_file(path, TIMEZONE_BYTES_MAX, &tzif, &err) &&
              timezone_parse(l->arena, str_of(name), sbuf_view(&tzif), &zone, &err);
    sbuf_fini(&tzif);
    if (ok)
        return zone;
    conf_say(l->diags, CONF_ERROR, conf_get(conf_get(l->project->conf.root, "settings"), "timezone"),
             "unknown time zone \"%s\"", name);
    return timezone_utc();
}

bool project_wants_builtin(const struct project *project)
{
    for (uint32_t i = 0; i < project->conf.source_count; i++) {
        const struct conf_node *url = conf_get(project->conf.sources[i].node, "url");
        if (url && url->kind == CONF_SCALAR && str_starts(url->text, STR("builtin:")))
            return true;
    }
    return false;
}

bool project_exists(const char *folder)
{
    char path[OS_PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", folder, PROJECT_FILE);
    return os_exists(path);
}

/* A folder without a project file is one, too; but not if the file has nearly its name. */
static bool find_file(struct loader *l, const char *folder)
{
    static const char *const nearly[] = {"sluice.yml", "Sluice.yaml", "Sluice.yml", "SLUICE.YAML",
                                         "sluice.yaml.txt"};
    struct os_stat stat;
    struct err err;
    err_clear(&err);
    if (!os_stat(l->project->folder, &stat, &err)) {
        err_set(&err, ERR_CONFIG, "there is no folder \"%s\"", folder);
    } else if (!stat.is_folder) {
        err_set(&err, ERR_CONFIG, "\"%s\" is a file, not a folder", folder);
        err_hint(&err, "Name the folder that the project file is in.");
    }
    for (size_t i = 0; err.class == ERR_NONE && i < sizeof nearly / sizeof *nearly; i++)
        if (!project_exists(l->project->folder) &&
            os_exists(in_folder(l->arena, l->project->folder, nearly[i]))) {
            err_set(&err, ERR_CONFIG, "the project file is named \"%s\" in \"%s\"", nearly[i], folder);
            err_hint(&err, "Rename it to %s.", PROJECT_FILE);
        }
    if (err.class != ERR_NONE)
        conf_diag_err(l->diags, NULL, &err);
    return err.class == ERR_NONE;
}

bool project_load(struct arena *arena, const char *folder, const char *const *overrides,
                  uint32_t override_count, struct project *project, struct conf_diags *diags)
{
    *project = (struct project){
        .folder = os_absolute(arena, folder), .overrides = overrides, .override_count = override_count};
    struct loader l = {.arena = arena, .project = project, .diags = diags};
    struct sbuf text = {0};
    struct err err = {0};
    struct conf_kinds kinds;
    project_kinds(arena, &kinds);
    const char *path = in_folder(arena, project->folder, PROJECT_FILE);
    if (!find_file(&l, folder))
        return false;
    if (project_exists(project->folder) && !read_text(path, PROJECT_FILE_MAX, &text, &err)) {
        err_at(&err, PROJECT_FILE, 0, 0, 0);
        conf_diag_err(diags, NULL, &err);
        sbuf_fini(&text);
        return false;
    }
    const struct conf_project_text in = {
        .folder = project->folder,
        .file_name = PROJECT_FILE,
        .text = sbuf_view(&text),
        .env = {.get = get_env},
        .overrides = overrides,
        .override_count = override_count,
    };
    bool ok = conf_project_load(arena, &in, &kinds, &project->conf, diags);
    sbuf_fini(&text);
    l.options_are_read = ok;
    if (!ok && project->conf.root == NULL)
        return false;
    project->data = in_folder(arena, project->folder,
                              project->conf.settings.data ? project->conf.settings.data : ".sluice");
    project->zone = load_zone(&l, project->conf.settings.timezone ? project->conf.settings.timezone : "UTC");
    project->topics = arena_zarray(arena, struct topic_def, project->conf.topic_count + 1);
    for (uint32_t i = 0; i < project->conf.topic_count; i++)
        load_topic(&l, &project->conf.topics[i], &project->topics[i]);
    load_streams(&l);
    if (project->conf.settings.engine == CONF_ENGINE_SPARK)
        conf_say(diags, CONF_ERROR, conf_get(conf_get(project->conf.root, "settings"), "engine"),
                 "this version runs streams itself, not on Spark");
    project_check_sources(&l);
    project_check_topics(&l);
    project_check_writes(&l);
    return diags->errors == 0;
}

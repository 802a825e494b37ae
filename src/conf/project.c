/* The project file: text → tree → overrides → tables → links. Four steps, in conf_project_load(); each goes on where the one before
 * found something wrong, so that all of it is said at once.
 *
 * Names have one meaning each. `FROM STREAM x` is the topic x, else the stream x, so a topic and a stream may share a name only where
 * that stream writes that topic; `<stream>_bad` and `<stream>_late` are tables; SQL does not tell Users from users. */
#include "conf/project.h"

#include <stdio.h>

#include "base/check.h"
#include "base/map.h"
#include "base/utf8.h"
#include "conf/node_private.h"
#include "conf/project_private.h"

enum { NEAR_MAX = 256, SETTING_DEPTH_MAX = 8 };

#define SETTING_PREFIX "SLUICE_"

struct loader {
    struct conf_reader reader;
    const struct conf_kinds *kinds;
    struct conf_project *project;
    struct conf_scope root_scope;
    struct map topics;      /* name → its place in project->topics */
    struct map connections; /* the same */
    struct map names;       /* topics and streams, lower case → struct meaning */
};

/* What a name in SQL stands for. */
struct meaning {
    const char *name, *what; /* "topic", "stream" */
    const struct conf_node *key;
};

static bool find_topic(const struct loader *l, struct str name, uint32_t *index)
{
    const struct conf_topic *topic = map_get(&l->topics, name);
    if (topic)
        *index = (uint32_t)(topic - l->project->topics);
    return topic != NULL;
}

static bool find_connection(const struct loader *l, struct str name, uint32_t *index)
{
    const struct conf_connection *connection = map_get(&l->connections, name);
    if (connection)
        *index = (uint32_t)(connection - l->project->connections);
    return connection != NULL;
}

/* ---- kinds --------------------------------------------------------------------------------------------------- */

const struct conf_kind_table *conf_source_kind(const struct conf_kinds *kinds, struct str name)
{
    for (uint32_t i = 0; i < kinds->source_count; i++)
        if (str_is(name, kinds->sources[i].name))
            return &kinds->sources[i];
    return NULL;
}

const struct conf_kind_table *conf_connection_kind(const struct conf_kinds *kinds, struct str scheme)
{
    for (uint32_t i = 0; i < kinds->connection_count; i++)
        for (const char *const *name = kinds->connections[i].schemes; name && *name; name++)
            if (str_eq_nocase(scheme, str_of(*name)))
                return &kinds->connections[i];
    return NULL;
}

/* "did you mean", else all that there are. */
static void hint_names(struct err *err, struct str wanted, const char *const *names, size_t count,
                       const char *what)
{
    char list[ERR_HINT_MAX];
    size_t n = 0;
    const char *near = str_nearest(wanted, names, count);
    if (near) {
        err_hint(err, "did you mean \"%s\"?", near);
        return;
    }
    list[0] = '\0';
    for (size_t i = 0; i < count && n < sizeof list; i++)
        n += (size_t)snprintf(list + n, sizeof list - n, "%s%s", i ? ", " : "", names[i]);
    err_hint(err, count ? "%s: %s." : "%s: none.", what, list);
}

static void hint_source_kinds(struct loader *l, struct err *err, struct str wanted)
{
    const char *names[NEAR_MAX];
    size_t count = 0;
    for (uint32_t i = 0; i < l->kinds->source_count && count < NEAR_MAX; i++)
        names[count++] = l->kinds->sources[i].name;
    hint_names(err, wanted, names, count, "The kinds of sources");
}

static void hint_schemes(struct loader *l, struct err *err, struct str wanted)
{
    const char *names[NEAR_MAX];
    size_t count = 0;
    for (uint32_t i = 0; i < l->kinds->connection_count; i++)
        for (const char *const *name = l->kinds->connections[i].schemes; name && *name && count < NEAR_MAX;
             name++)
            names[count++] = *name;
    hint_names(err, wanted, names, count, "The schemes of connections");
}

static void hint_connections(struct loader *l, struct err *err, struct str wanted)
{
    const char *names[NEAR_MAX];
    size_t count = 0;
    for (uint32_t i = 0; i < l->project->connection_count && count < NEAR_MAX; i++)
        names[count++] = l->project->connections[i].name;
    hint_names(err, wanted, names, count, "The connections");
}

/* ---- connections --------------------------------------------------------------------------------------------- */

/* Names that SQL gives a meaning of its own to: json.`folder`, sluice.x_bad. */
static const char *const taken_names[] = {"json", "csv",  "parquet", "delta",  "avro",
                                          "orc",  "text", "sluice",  "console"};

static const struct conf_kind_table *kind_of_url(struct loader *l, const struct conf_node *url)
{
    struct conf_url_parts parts;
    if (url == NULL || url->kind != CONF_SCALAR || url->is_broken || !conf_url_split(url->text, &parts))
        return NULL; /* the reader of "url" says so */
    const struct conf_kind_table *kind = conf_connection_kind(l->kinds, parts.scheme);
    if (kind == NULL) {
        struct conf_diag *diag = conf_say_in(l->reader.diags, CONF_ERROR, url, 0, (int)parts.scheme.n,
                                             "unknown scheme \"%.*s\"", STR_ARG(parts.scheme));
        hint_schemes(l, &diag->err, parts.scheme);
    }
    return kind;
}

static void load_connection(struct loader *l, const struct conf_node *key, const struct conf_node *node,
                            struct conf_connection *out)
{
    *out = (struct conf_connection){.name = key->text.p, .key = key, .node = node};
    for (size_t i = 0; i < sizeof taken_names / sizeof *taken_names; i++)
        if (str_is(key->text, taken_names[i]))
            conf_say(l->reader.diags, CONF_ERROR, key,
                     "a connection cannot be named \"%s\": that name has a meaning in SQL", taken_names[i]);
    if (node->is_broken)
        return;
    if (node->kind == CONF_SCALAR && !node->is_null)
        node = conf_long_form(l->reader.arena, node, "url");
    const struct conf_kind_table *kind = kind_of_url(l, conf_get(node, "url"));
    const struct option *tables[] = {conf_connection_options, kind ? kind->options : NULL};
    bool is_short = node != out->node;
    struct conf_scope scope = {
        .up = &l->root_scope, .tables = tables, .table_count = 2, .key = key, .lenient = kind == NULL};
    scope.what = arena_printf(l->reader.arena, "connection \"%s\"", out->name);
    scope.short_form = is_short ? out->name : NULL;
    out->kind = kind;
    out->options = kind && kind->options ? arena_zalloc(l->reader.arena, kind->options_size) : NULL;
    void *values[] = {out, out->options};
    conf_read_scope(&l->reader, node, &scope, values);
}

static void load_connections(struct loader *l, const struct conf_map *map)
{
    struct conf_project *project = l->project;
    project->connections = arena_zarray(l->reader.arena, struct conf_connection, map->count);
    for (uint32_t i = 0; i < map->count; i++) {
        load_connection(l, map->key_nodes[i], map->nodes[i], &project->connections[i]);
        map_put(&l->connections, str_of(map->keys[i]), &project->connections[i]);
    }
    project->connection_count = map->count;
}

/* ---- topics -------------------------------------------------------------------------------------------------- */

/* Parts of "connection.table"; false without a dot or with nothing before or behind it. */
static bool split_table(struct str text, struct str *connection, struct str *table)
{
    size_t dot = str_find(text, STR("."), 0);
    if (dot == SIZE_MAX || dot == 0 || dot + 1 == text.n)
        return false;
    *connection = str_n(text.p, dot);
    *table = str_n(text.p + dot + 1, text.n - dot - 1);
    return true;
}

static bool is_kafkas_own(struct str name)
{
    return str_is(name, "__consumer_offsets") || str_is(name, "__transaction_state") ||
           str_is(name, "_schemas");
}

static void check_topic_name(struct loader *l, const struct conf_node *place, struct str name)
{
    if (is_kafkas_own(name))
        conf_say(l->reader.diags, CONF_ERROR, place, "the topic \"%.*s\" is the broker's own", STR_ARG(name));
}

/* A topic that is declared nowhere, and would be named as a table is: probably one was meant. */
static void check_no_table(struct loader *l, const struct conf_node *place, struct str name)
{
    struct str connection, table;
    uint32_t index;
    if (split_table(name, &connection, &table) && find_connection(l, connection, &index)) {
        struct conf_diag *diag = conf_say(
            l->reader.diags, CONF_ERROR, place,
            "the topic \"%.*s\" has the name of a table of the connection \"%.*s\"", STR_ARG(name),
            STR_ARG(connection));
        err_hint(&diag->err, "Sources write to topics; streams write to tables: { table: %.*s }.",
                 STR_ARG(name));
    }
}

static void load_topics(struct loader *l, const struct conf_map *map, uint32_t more)
{
    struct conf_project *project = l->project;
    const struct conf_raw_topic *raw = map->items;
    project->topics = arena_zarray(l->reader.arena, struct conf_topic, (size_t)map->count + more);
    project->topic_count = map->count;
    for (uint32_t i = 0; i < map->count; i++) {
        struct conf_topic *topic = &project->topics[i];
        *topic = raw[i].topic;
        topic->name = map->keys[i];
        topic->keys = raw[i].key.items;
        topic->key_count = raw[i].key.count;
        topic->key = map->key_nodes[i];
        topic->node = map->nodes[i];
        check_topic_name(l, topic->key, topic->key->text);
        map_put(&l->topics, str_of(topic->name), topic);
    }
}

/* users_clean of users: a name made from another one is no slip of the fingers. */
static bool is_extended(struct str a, struct str b)
{
    struct str longer = a.n > b.n ? a : b, shorter = a.n > b.n ? b : a;
    return longer.n - shorter.n >= 2 && (str_starts(longer, shorter) || str_ends(longer, shorter));
}

/* The index of a topic that something writes to; one that is not declared comes into being with the defaults. */
static uint32_t topic_written(struct loader *l, const char *name, const struct conf_node *place)
{
    struct conf_project *project = l->project;
    const char *names[NEAR_MAX];
    size_t count = 0;
    uint32_t index;
    if (find_topic(l, str_of(name), &index))
        return index;
    for (uint32_t i = 0; i < project->topic_count && count < NEAR_MAX; i++)
        if (!project->topics[i].implied)
            names[count++] = project->topics[i].name;
    const char *near = str_nearest(str_of(name), names, count);
    if (near && !is_extended(str_of(name), str_of(near))) {
        struct conf_diag *diag = conf_say(l->reader.diags, CONF_WARNING, place,
                                          "the topic \"%s\" is not under \"topics\"", name);
        err_hint(&diag->err, "did you mean \"%s\"?", near);
    }
    check_topic_name(l, place, str_of(name));
    check_no_table(l, place, str_of(name));
    struct conf_raw_topic raw = {0};
    const struct option *tables[] = {conf_topic_options};
    struct conf_scope scope = {.up = &l->root_scope, .tables = tables, .table_count = 1};
    void *out[] = {&raw};
    conf_read_scope(&l->reader, NULL, &scope, out);
    struct conf_topic *topic = &project->topics[project->topic_count];
    *topic = raw.topic;
    topic->name = name;
    topic->implied = true;
    topic->key = topic->node = place;
    map_put(&l->topics, str_of(name), &project->topics[project->topic_count]);
    return project->topic_count++;
}

/* ---- sources ------------------------------------------------------------------------------------------------- */

static void load_source(struct loader *l, const struct conf_node *key, const struct conf_node *node,
                        struct conf_source *out)
{
    struct conf_diags *diags = l->reader.diags;
    const struct conf_node *kind = conf_get(node, "kind");
    *out = (struct conf_source){.name = key->text.p, .key = key, .node = node};
    if (kind && kind->kind == CONF_SCALAR && !kind->is_broken) {
        out->kind = conf_source_kind(l->kinds, kind->text);
        if (out->kind == NULL) {
            struct conf_diag *diag = conf_say(diags, CONF_ERROR, kind,
                                              "unknown kind \"%.*s\" of source \"%s\"", STR_ARG(kind->text),
                                              out->name);
            hint_source_kinds(l, &diag->err, kind->text);
        }
    }
    struct conf_raw_source raw = {0};
    const struct option *tables[] = {conf_source_options, out->kind ? out->kind->options : NULL};
    struct conf_scope scope = {
        .up = &l->root_scope, .tables = tables, .table_count = 2, .key = key, .lenient = out->kind == NULL};
    scope.what = arena_printf(l->reader.arena, "source \"%s\"", out->name);
    out->options = out->kind && out->kind->options ? arena_zalloc(l->reader.arena, out->kind->options_size)
                                                   : NULL;
    void *values[] = {&raw, out->options};
    conf_read_scope(&l->reader, node, &scope, values);
    const struct conf_node *to = conf_get(node, "to");
    out->to = raw.to ? raw.to : out->name;
    if (raw.to || to == NULL)
        out->topic = topic_written(l, out->to, raw.to ? to : key);
}

static void load_sources(struct loader *l, const struct conf_map *map)
{
    l->project->sources = arena_zarray(l->reader.arena, struct conf_source, map->count);
    for (uint32_t i = 0; i < map->count; i++)
        load_source(l, map->key_nodes[i], map->nodes[i], &l->project->sources[i]);
    l->project->source_count = map->count;
}

/* ---- streams ------------------------------------------------------------------------------------------------- */

/* A target given as one text: a table where it begins with a connection, else a topic, or "console". */
static const struct conf_node *long_target(struct loader *l, const struct conf_node *node)
{
    struct str connection, table;
    uint32_t index;
    if (find_topic(l, node->text, &index))
        return conf_long_form(l->reader.arena, node, "topic");
    if (split_table(node->text, &connection, &table) && find_connection(l, connection, &index))
        return conf_long_form(l->reader.arena, node, "table");
    if (!str_is(node->text, "console"))
        return conf_long_form(l->reader.arena, node, "topic");
    const struct conf_node *map = conf_long_form(l->reader.arena, node, "console");
    map->items[0].value->text = STR("true");
    map->items[0].value->variable_count = 0;
    return map;
}

/* "created_users", "public.created_users". */
static bool check_table_name(struct loader *l, const struct conf_node *node, size_t at, struct str name)
{
    for (bool more = true; more;) {
        struct err err = {0};
        size_t dot = str_find(name, STR("."), 0);
        struct str part = str_n(name.p, dot == SIZE_MAX ? name.n : dot);
        more = dot != SIZE_MAX;
        if (!conf_text_name(part, &err)) {
            struct conf_diag *diag = conf_say_in(l->reader.diags, CONF_ERROR, node, at,
                                                 part.n ? (int)utf8_length(part.p, part.n) : 1,
                                                 "\"%.*s\" is no name of a table", STR_ARG(part));
            err_hint(&diag->err, "%s", err.hint);
            return false;
        }
        at += part.n + 1;
        name = more ? str_n(name.p + dot + 1, name.n - dot - 1) : name;
    }
    return true;
}

/* The connection of a target's table, before the target is read: its kind has a part of the table of options. */
static bool connection_of_table(struct loader *l, const struct conf_node *table, struct conf_target *target)
{
    struct str connection, name;
    struct conf_diags *diags = l->reader.diags;
    if (table == NULL || table->kind != CONF_SCALAR || table->is_broken)
        return false;
    if (!split_table(table->text, &connection, &name)) {
        struct conf_diag *diag = conf_say(diags, CONF_ERROR, table,
                                          "a table is named as connection.table, not \"%.*s\"",
                                          STR_ARG(table->text));
        if (l->project->connection_count == 1)
            err_hint(&diag->err, "did you mean \"%s.%.*s\"?", l->project->connections[0].name,
                     STR_ARG(table->text));
        return false;
    }
    if (!check_table_name(l, table, connection.n + 1, name))
        return false;
    if (!find_connection(l, connection, &target->index)) {
        struct conf_diag *diag = conf_say_in(diags, CONF_ERROR, table, 0, (int)connection.n,
                                             "there is no connection \"%.*s\"", STR_ARG(connection));
        hint_connections(l, &diag->err, connection);
        return false;
    }
    target->connection = l->project->connections[target->index].name;
    target->table = str_dup(l->reader.arena, name);
    return true;
}

static void check_target(struct loader *l, const struct conf_node *node, const struct conf_target *target,
                         const char *what)
{
    static const char *const of_tables[] = {"partition_by", "cadence"};
    const struct conf_node *topic = conf_get(node, "topic"), *table = conf_get(node, "table");
    struct conf_diags *diags = l->reader.diags;
    int count = (topic != NULL) + (table != NULL) + target->console;
    if (count == 0)
        conf_say(diags, CONF_ERROR, node, "%s needs one of \"topic\", \"table\" and \"console: true\"", what);
    if (count > 1)
        conf_say(diags, CONF_ERROR, topic ? topic : table,
                 "%s has more than one of \"topic\", \"table\" and \"console\"", what);
    for (size_t i = 0; count == 1 && table == NULL && i < sizeof of_tables / sizeof *of_tables; i++) {
        const struct conf_item *item = conf_find(node, str_of(of_tables[i]));
        if (item && !item->value->is_null)
            conf_say(diags, CONF_ERROR, item->key, "\"%s\" is for tables", of_tables[i]);
    }
}

static void load_target(struct loader *l, const struct conf_scope *up, const struct conf_node *node,
                        const char *what, struct conf_target *out)
{
    struct conf_raw_target raw = {0};
    struct conf_target target = {.node = node};
    if (node->is_broken)
        return;
    const struct conf_node *map = node->kind == CONF_SCALAR && !node->is_null ? long_target(l, node) : node;
    const struct conf_node *table = conf_get(map, "table");
    bool found = connection_of_table(l, table, &target);
    const struct conf_kind_table *kind = found ? l->project->connections[target.index].kind : NULL;
    const struct option *tables[] = {conf_target_options, kind ? kind->sink_options : NULL};
    struct conf_scope scope = {
        .up = up, .tables = tables, .table_count = 2, .what = what, .lenient = table && kind == NULL};
    target.options = kind && kind->sink_options ? arena_zalloc(l->reader.arena, kind->sink_options_size)
                                                : NULL;
    void *values[] = {&raw, target.options};
    uint32_t errors = l->reader.diags->errors;
    conf_read_scope(&l->reader, map, &scope, values);
    if ((map->kind == CONF_MAP || map->is_null) && l->reader.diags->errors == errors)
        check_target(l, map, &raw.target, what);
    *out = raw.target;
    out->node = map; /* of a short form, its long one */
    out->connection = target.connection;
    out->table = target.table;
    out->options = target.options;
    out->index = target.index;
    out->key = raw.key.items;
    out->key_count = raw.key.count;
    out->partition_by = raw.partition_by.items;
    out->partition_by_count = raw.partition_by.count;
    if (conf_get(map, "cadence") == NULL)
        out->cadence_ms = -1;
    if (out->topic)
        out->index = topic_written(l, out->topic, conf_get(map, "topic"));
}

static bool same_target(const struct conf_target *a, const struct conf_target *b)
{
    if (a->topic && b->topic)
        return strcmp(a->topic, b->topic) == 0;
    if (a->table && b->table)
        return strcmp(a->connection, b->connection) == 0 && strcmp(a->table, b->table) == 0;
    return a->console && b->console;
}

static void check_targets_differ(struct loader *l, const struct conf_stream *stream)
{
    for (uint32_t i = 0; i < stream->to_count; i++)
        for (uint32_t j = 0; j < i; j++)
            if (same_target(&stream->to[i], &stream->to[j])) {
                conf_say(l->reader.diags, CONF_ERROR, stream->to[i].node,
                         "stream \"%s\" writes to the same place twice", stream->name);
                conf_say(l->reader.diags, CONF_NOTE, stream->to[j].node, "it is first here");
                return; /* one of them says it, and the loop stays short */
            }
}

static void load_targets(struct loader *l, const struct conf_node *to, struct conf_stream *stream)
{
    const struct option *tables[] = {conf_stream_options};
    struct conf_scope scope = {.up = &l->root_scope, .tables = tables, .table_count = 1, .key = stream->key};
    scope.what = arena_printf(l->reader.arena, "stream \"%s\"", stream->name);
    if (to == NULL || to->is_broken)
        return;
    bool is_list = to->kind == CONF_LIST;
    stream->to_count = is_list ? to->count : 1;
    if (stream->to_count > CONF_TARGETS_MAX) {
        conf_say(l->reader.diags, CONF_ERROR, to, "stream \"%s\" has more than %d targets", stream->name,
                 CONF_TARGETS_MAX);
        stream->to_count = CONF_TARGETS_MAX;
    }
    stream->to = arena_zarray(l->reader.arena, struct conf_target, stream->to_count);
    for (uint32_t i = 0; i < stream->to_count; i++) {
        const char *what = is_list ? arena_printf(l->reader.arena, "target %u of %s", i + 1, scope.what)
                                   : arena_printf(l->reader.arena, "the target of %s", scope.what);
        load_target(l, &scope, is_list ? to->items[i].value : to, what, &stream->to[i]);
    }
    check_targets_differ(l, stream);
}

static void check_rejects(struct loader *l, const struct conf_stream *stream, const char *key,
                          const struct conf_rejects_to *to)
{
    uint32_t index;
    if (to->connection == NULL || find_connection(l, str_of(to->connection), &index))
        return;
    struct conf_diag *diag = conf_say(l->reader.diags, CONF_ERROR,
                                      conf_get(conf_get(stream->node, key), "connection"),
                                      "there is no connection \"%s\"", to->connection);
    hint_connections(l, &diag->err, str_of(to->connection));
}

static void load_streams(struct loader *l, const struct conf_map *map)
{
    const struct conf_raw_stream *raw = map->items;
    l->project->streams = arena_zarray(l->reader.arena, struct conf_stream, map->count);
    l->project->stream_count = map->count;
    for (uint32_t i = 0; i < map->count; i++) {
        struct conf_stream *stream = &l->project->streams[i];
        *stream = raw[i].stream;
        stream->name = map->keys[i];
        stream->key = map->key_nodes[i];
        stream->node = map->nodes[i];
        load_targets(l, raw[i].to, stream);
        check_rejects(l, stream, "bad", &stream->bad);
        check_rejects(l, stream, "late", &stream->late);
    }
}

/* How many topics may come into being by being written to. */
static uint32_t count_writers(const struct conf_raw_project *raw)
{
    const struct conf_raw_stream *streams = raw->streams.items;
    uint32_t count = raw->sources.count;
    for (uint32_t i = 0; i < raw->streams.count; i++) {
        const struct conf_node *to = streams[i].to;
        uint32_t targets = to && to->kind == CONF_LIST ? to->count : 1;
        count += targets < CONF_TARGETS_MAX ? targets : CONF_TARGETS_MAX;
    }
    return count;
}

/* ---- one meaning for each name ------------------------------------------------------------------------------- */

static bool writes_topic(const struct conf_stream *stream, const char *topic)
{
    for (uint32_t i = 0; i < stream->to_count; i++)
        if (stream->to[i].topic && strcmp(stream->to[i].topic, topic) == 0)
            return true;
    return false;
}

static struct str lower(struct arena *arena, const char *name)
{
    char *copy = arena_strdup(arena, name);
    for (char *c = copy; *c; c++)
        *c = *c >= 'A' && *c <= 'Z' ? (char)(*c + 32) : *c;
    return str_of(copy);
}

static void add_meaning(struct loader *l, const char *name, const char *what, const struct conf_node *key,
                        const struct conf_stream *stream)
{
    struct str folded = lower(l->reader.arena, name);
    struct meaning *before = map_get(&l->names, folded);
    struct conf_diags *diags = l->reader.diags;
    if (before == NULL) {
        struct meaning *meaning = arena_new(l->reader.arena, struct meaning);
        *meaning = (struct meaning){name, what, key};
        map_put(&l->names, folded, meaning);
        return;
    }
    if (stream && strcmp(before->what, "topic") == 0 && strcmp(before->name, name) == 0) {
        if (writes_topic(stream, name))
            return;
        struct conf_diag *diag = conf_say(
            diags, CONF_ERROR, key, "the stream \"%s\" has the name of a topic that it does not write to",
            name);
        err_hint(&diag->err, "Give one of them another name, or let the stream write to the topic.");
    } else if (strcmp(before->name, name) == 0) {
        conf_say(diags, CONF_ERROR, key, "the name \"%s\" of this %s has two meanings", name, what);
    } else {
        struct conf_diag *diag = conf_say(diags, CONF_ERROR, key,
                                          "the name \"%s\" of this %s differs from \"%s\" in case only", name,
                                          what, before->name);
        err_hint(&diag->err, "SQL does not tell them apart.");
    }
    conf_say(diags, CONF_NOTE, before->key, "the %s \"%s\" is here", before->what, before->name);
}

static void add_table_meaning(struct loader *l, const struct conf_stream *stream, const char *suffix,
                              bool there)
{
    if (!there)
        return;
    const char *name = arena_printf(l->reader.arena, "%s_%s", stream->name, suffix);
    add_meaning(l, name, strcmp(suffix, "bad") == 0 ? "table of bad records" : "table of late records",
                stream->key, NULL);
}

static void check_names(struct loader *l)
{
    const struct conf_project *project = l->project;
    for (uint32_t i = 0; i < project->topic_count; i++)
        add_meaning(l, project->topics[i].name, "topic", project->topics[i].key, NULL);
    for (uint32_t i = 0; i < project->stream_count; i++)
        add_meaning(l, project->streams[i].name, "stream", project->streams[i].key, &project->streams[i]);
    for (uint32_t i = 0; i < project->stream_count; i++) {
        const struct conf_stream *stream = &project->streams[i];
        add_table_meaning(l, stream, "bad", stream->bad.mode == CONF_REJECTS_KEEP);
        add_table_meaning(l, stream, "late", stream->late.mode == CONF_REJECTS_KEEP);
    }
}

/* ---- settings from the environment --------------------------------------------------------------------------- */

static void each_setting(const struct option *table, struct str *path, uint32_t depth,
                         void (*each)(void *arg, const struct str *path, uint32_t path_count), void *arg)
{
    CHECK(depth < SETTING_DEPTH_MAX);
    for (const struct option *o = table; o->name; o++) {
        path[depth] = str_of(o->name);
        if (o->table)
            each_setting(o->table, path, depth + 1, each, arg);
        else
            each(arg, path, depth + 1);
    }
}

void conf_each_setting(void (*each)(void *arg, const struct str *path, uint32_t path_count), void *arg)
{
    struct str path[SETTING_DEPTH_MAX] = {STR("settings")};
    each_setting(conf_settings_options, path, 1, each, arg);
}

char *conf_setting_variable(struct arena *arena, const struct str *path, uint32_t path_count)
{
    size_t size = sizeof SETTING_PREFIX, n = sizeof SETTING_PREFIX - 1;
    for (uint32_t i = 0; i < path_count; i++)
        size += path[i].n + 1;
    char *name = arena_alloc(arena, size);
    memcpy(name, SETTING_PREFIX, n);
    for (uint32_t i = 0; i < path_count; i++) {
        if (i > 0)
            name[n++] = '_';
        for (size_t j = 0; j < path[i].n; j++) {
            char c = path[i].p[j];
            name[n++] = c >= 'a' && c <= 'z' ? (char)(c - 32) : c;
        }
    }
    name[n] = '\0';
    return name;
}

struct environment {
    struct loader *loader;
    const struct conf_env *env;
    struct conf_node **root;
};

static void override_setting(void *arg, const struct str *path, uint32_t path_count)
{
    struct environment *e = arg;
    struct conf_reader *reader = &e->loader->reader;
    const char *variable = conf_setting_variable(reader->arena, path, path_count);
    const char *value = e->env->get(e->env->arg, variable);
    if (value && value[0]) /* an empty one is how a container unsets it */
        conf_override_path(reader->arena, e->root, variable, path, path_count, str_of(value), reader->diags);
}

struct setting_search {
    struct arena *arena;
    const char *variable, *found;
};

static void compare_setting(void *arg, const struct str *path, uint32_t path_count)
{
    struct setting_search *search = arg;
    struct sbuf out = {0};
    if (strcmp(conf_setting_variable(search->arena, path, path_count), search->variable) != 0)
        return;
    for (uint32_t i = 0; i < path_count; i++)
        sbuf_printf(&out, "%s%.*s", i ? "." : "", STR_ARG(path[i]));
    search->found = arena_strdup(search->arena, out.p);
    sbuf_fini(&out);
}

const char *conf_project_setting_of(struct arena *arena, const char *variable)
{
    struct setting_search search = {arena, variable, NULL};
    conf_each_setting(compare_setting, &search);
    return search.found;
}

/* ---- the whole ----------------------------------------------------------------------------------------------- */

/* A name from the last part of the folder's path. */
static const char *name_of_folder(struct arena *arena, const char *folder)
{
    struct str path = str_of(folder);
    char name[64];
    size_t n = 0;
    while (path.n > 0 && path.p[path.n - 1] == '/')
        path.n--;
    size_t from = path.n;
    while (from > 0 && path.p[from - 1] != '/')
        from--;
    for (size_t i = from; i < path.n && n < sizeof name - 1; i++) {
        char c = path.p[i];
        c = c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
        bool letter = c >= 'a' && c <= 'z', other = (c >= '0' && c <= '9') || c == '_';
        if (letter || (n > 0 && other))
            name[n++] = c;
        else if (n > 0 && name[n - 1] != '_')
            name[n++] = '_';
    }
    while (n > 0 && name[n - 1] == '_')
        n--;
    return n ? str_dup(arena, str_n(name, n)) : "project";
}

static struct conf_node *read_tree(struct loader *l, const struct conf_project_text *in)
{
    struct conf_reader *reader = &l->reader;
    const struct conf_env *env = in->env.get ? &in->env : NULL;
    struct conf_node *root = conf_parse(reader->arena, in->file_name, in->text, env, NULL, reader->diags);
    if (root == NULL)
        return NULL;
    if (env) {
        struct environment environment = {l, env, &root};
        conf_each_setting(override_setting, &environment);
    }
    for (uint32_t i = 0; i < in->override_count; i++)
        conf_override(reader->arena, &root, str_of(in->overrides[i]), reader->diags);
    return root;
}

static void link_project(struct loader *l, const struct conf_project_text *in,
                         const struct conf_raw_project *raw)
{
    struct conf_project *project = l->project;
    project->name = raw->name ? raw->name : name_of_folder(l->reader.arena, in->folder);
    project->settings = raw->settings;
    project->quality = raw->quality;
    project->alerts = raw->alerts;
    project->dags = raw->dags;
    project->access = raw->access;
    load_connections(l, &raw->connections);
    load_topics(l, &raw->topics, count_writers(raw));
    load_sources(l, &raw->sources);
    load_streams(l, &raw->streams);
    check_names(l);
}

bool conf_project_load(struct arena *arena, const struct conf_project_text *in,
                       const struct conf_kinds *kinds, struct conf_project *project, struct conf_diags *diags)
{
    struct loader l = {.reader = {arena, diags}, .kinds = kinds, .project = project};
    const struct option *tables[] = {conf_root_options};
    struct conf_raw_project raw = {0};
    void *out[] = {&raw};
    uint32_t errors = diags->errors;
    l.root_scope = (struct conf_scope){.tables = tables, .table_count = 1};
    *project = (struct conf_project){.name = ""};
    struct conf_node *root = read_tree(&l, in);
    if (root) {
        conf_read_scope(&l.reader, root, &l.root_scope, out);
        link_project(&l, in, &raw);
        project->root = root;
    }
    map_fini(&l.topics);
    map_fini(&l.connections);
    map_fini(&l.names);
    return diags->errors == errors;
}

#define FIND(type, what)                                                                                     \
    const struct type *conf_project_##what(const struct conf_project *project, struct str name)              \
    {                                                                                                        \
        for (uint32_t i = 0; i < project->what##_count; i++)                                                 \
            if (str_is(name, project->what##s[i].name))                                                      \
                return &project->what##s[i];                                                                 \
        return NULL;                                                                                         \
    }
FIND(conf_topic, topic)
FIND(conf_stream, stream)
FIND(conf_source, source)
FIND(conf_connection, connection)

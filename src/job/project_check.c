/* What can be wrong with a project whose parts were all read: a target that its kind cannot write, columns that are not there, a query that no
 * stream can run. It is said by `check`, and before `up` and `run` touch anything; what depends on columns that nobody knows yet
 * is looked at again when the stream begins. */
#include "job/engine_private.h"
#include "job/project_private.h"
#include "sql/lex.h"

enum { NAMES_MAX = 256 };

/* ---- sources and topics -------------------------------------------------------------------------------------------------- */

void project_check_sources(struct loader *l)
{
    const struct project *project = l->project;
    for (uint32_t i = 0; l->options_are_read && i < project->conf.source_count; i++) {
        const struct conf_source *source = &project->conf.sources[i];
        const struct source_kind *kind = source_kind_find(str_of(source->kind->name));
        if (kind->check)
            kind->check(source->options, source->node, l->diags);
    }
}

static void check_compacted(struct loader *l, uint32_t topic, const char *writer)
{
    const struct conf_topic *conf = &l->project->conf.topics[topic];
    struct conf_diag *d = conf_say(
        l->diags, CONF_ERROR, conf_get(conf->node, "compact"),
        "topic \"%s\" keeps the last record of each key, and those of \"%s\" have none", conf->name, writer);
    err_hint(&d->err, "Name the column that is the key: key: id");
}

void project_check_writes(struct loader *l)
{
    const struct conf_project *conf = &l->project->conf;
    for (uint32_t i = 0; l->options_are_read && i < conf->stream_count; i++)
        if (conf->streams[i].to_count == 0)
            err_hint(&conf_say(l->diags, CONF_ERROR, conf->streams[i].key, "stream \"%s\" writes nowhere",
                               conf->streams[i].name)
                          ->err,
                     "Say where its rows go, for example: to: { topic: %s }", conf->streams[i].name);
}

void project_check_topics(struct loader *l)
{
    const struct conf_project *conf = &l->project->conf;
    for (uint32_t t = 0; t < conf->topic_count; t++) {
        if (!conf->topics[t].compact || conf->topics[t].key_count > 0)
            continue;
        for (uint32_t i = 0; l->options_are_read && i < conf->source_count; i++)
            if (conf->sources[i].topic == t)
                check_compacted(l, t, conf->sources[i].name);
        for (uint32_t i = 0; i < conf->stream_count; i++)
            for (uint32_t k = 0; k < conf->streams[i].to_count; k++) {
                const struct conf_target *to = &conf->streams[i].to[k];
                if (to->topic && to->index == t && to->key_count == 0)
                    check_compacted(l, t, conf->streams[i].name);
            }
    }
}

/* ---- a stream's query ----------------------------------------------------------------------------------------------------- */

static void say_at(struct loader *l, const struct stream_def *stream, struct span span, struct err *err)
{
    sql_error_at(err, stream->sql, span);
    project_say_in_text(l, &stream->conf->sql, stream->file, err);
}

static const struct plan *find_sort(
    const struct plan *plan) /* as deep as the query is nested, which has a limit */
{
    const struct plan *found = plan->kind == PLAN_SORT && plan->streaming ? plan : NULL;
    for (uint32_t i = 0; found == NULL && i < plan->input_count; i++)
        found = find_sort(plan->inputs[i]);
    return found;
}

/* False: it cannot be run, which was said. */
static bool check_plan(struct loader *l, const struct stream_def *stream)
{
    struct err err;
    const struct plan *sort = find_sort(stream->plan);
    struct pool *pool = pool_new(NULL, "probe");
    struct pipeline *pipeline;
    bool ok = pipeline_new(pool, stream->plan, &pipeline, &err);
    CHECK(!ok || stream->stateful || !pipeline_is_stateful(pipeline)); /* or rows would be computed twice */
    pool_free(pool);
    if (ok)
        return true;
    say_at(l, stream, sort && sort->sort_count ? sort->sort[0].expr->span : (struct span){0, 1}, &err);
    return false;
}

/* Scans below a plan, at most NAMES_MAX of them; as deep as find_sort. */
static void find_scans(const struct plan *plan, const struct plan **scans, uint32_t *count)
{
    if (plan->kind == PLAN_SCAN && *count < NAMES_MAX)
        scans[(*count)++] = plan;
    for (uint32_t i = 0; i < plan->input_count; i++)
        find_scans(plan->inputs[i], scans, count);
}

static void check_inputs(struct loader *l, const struct stream_def *stream)
{
    const struct plan *scans[NAMES_MAX];
    uint32_t count = 0;
    struct err err;
    if (!stream->plan->streaming)
        conf_say(l->diags, CONF_ERROR, stream->conf->sql.node,
                 "stream \"%s\" reads no stream: it needs a FROM STREAM", stream->name);
    find_scans(stream->plan, scans, &count);
    for (uint32_t i = 0; i < count; i++)
        for (uint32_t k = 0; k < i; k++) {
            if (scans[i]->relation.handle != scans[k]->relation.handle)
                continue;
            err_set(&err, ERR_CONFIG,
                    "stream \"%s\" reads topic \"%.*s\" twice, this version can read it once", stream->name,
                    STR_ARG(scans[i]->name.parts[0]));
            err_hint(&err, "Make two streams of it.");
            say_at(l, stream, scans[i]->name.span, &err);
            return;
        }
}

/* Tables and readers of JSON do not tell names apart that differ in case only. */
static void check_column_names(struct loader *l, const struct stream_def *stream)
{
    const struct plan *plan = stream->plan;
    struct err err;
    for (uint32_t i = 0; i < plan->schema->field_count; i++)
        for (uint32_t k = 0; k < i; k++) {
            const char *name = plan->schema->fields[i].name, *first = plan->schema->fields[k].name;
            if (!str_eq_nocase(str_of(name), str_of(first)))
                continue;
            err_set(&err, ERR_CONFIG, "COLUMN_ALREADY_EXISTS: the query has two columns \"%s\"", name);
            err_hint(&err, "Give one of them another name: AS another_name.");
            bool known = plan->kind == PLAN_PROJECT && i < plan->expr_count;
            say_at(l, stream, known ? plan->exprs[i]->span : (struct span){0, 1}, &err);
            return;
        }
}

/* ---- a stream's targets --------------------------------------------------------------------------------------------------- */

static const struct conf_node *place_in(const struct sink_def *sink, const char *key)
{
    const struct conf_node *at = key ? conf_get(sink->conf->node, key) : NULL;
    return at ? at : sink->conf->node;
}

/* What a sink in mode append takes is final; the others are told of changes. One turn cannot give both. */
static void check_modes(struct loader *l, const struct stream_def *stream)
{
    const struct sink_def *append = NULL, *other = NULL;
    for (uint32_t i = 0; i < stream->sink_count; i++) {
        const struct sink_def *sink = &stream->sinks[i];
        if (sink->mode == SINK_COMPLETE)
            conf_say(l->diags, CONF_ERROR, place_in(sink, "mode"),
                     "mode complete is not possible in this version");
        *(sink->mode == SINK_APPEND ? &append : &other) = sink;
    }
    if (!stream->stateful || append == NULL || other == NULL)
        return;
    struct conf_diag *d = conf_say(l->diags, CONF_ERROR, place_in(other, "mode"),
                                   "the rows of stream \"%s\" change, and \"%s\" takes them in mode append",
                                   stream->name, append->name);
    err_hint(&d->err, "Make all targets append (with a watermark), or upsert and update.");
}

static void say_no_column(struct loader *l, const struct stream_def *stream, const struct sink_def *sink,
                          const char *name)
{
    const struct type *schema = stream->plan->schema;
    const char *names[NAMES_MAX];
    uint32_t count = schema->field_count < NAMES_MAX ? schema->field_count : NAMES_MAX;
    for (uint32_t f = 0; f < count; f++)
        names[f] = schema->fields[f].name;
    struct conf_diag *d = conf_say(
        l->diags, CONF_ERROR, place_in(sink, "key"),
        "the key column \"%s\" of \"%s\" is not among the columns of stream \"%s\"", name, sink->name,
        stream->name);
    const char *nearest = str_nearest(str_of(name), names, count);
    if (nearest) {
        err_hint(&d->err, "Did you mean \"%s\"?", nearest);
        return;
    }
    struct sbuf list = {0};
    for (uint32_t f = 0; f < count; f++)
        sbuf_printf(&list, "%s%s", f ? ", " : "", names[f]);
    err_hint(&d->err, "The columns: %s.", list.p ? list.p : "none");
    sbuf_fini(&list);
}

static void check_key(struct loader *l, const struct stream_def *stream, const struct sink_def *sink)
{
    const struct topic_def *topic = sink->topic >= 0 ? &l->project->topics[sink->topic] : NULL;
    uint32_t of_topic = topic ? topic->key_count : 0;
    for (uint32_t k = 0; k < sink->key_count + of_topic; k++) {
        const char *name = k < sink->key_count ? sink->key[k] : topic->keys[k - sink->key_count];
        size_t dot = str_find(str_of(name), STR("."), 0);
        if (type_field(stream->plan->schema, dot == SIZE_MAX ? str_of(name) : str_n(name, dot), true) < 0)
            say_no_column(l, stream, sink, name);
        for (uint32_t i = 0; i < k && k < sink->key_count; i++)
            if (str_eq_nocase(str_of(name), str_of(sink->key[i])))
                conf_say(l->diags, CONF_ERROR, place_in(sink, "key"), "the key names column \"%s\" twice",
                         name);
    }
}

static void say_refused(struct loader *l, const struct sink_def *sink, const char *key, const struct err *err)
{
    struct conf_diag *d = conf_say(l->diags, CONF_ERROR, place_in(sink, key), "%s", err->text);
    if (err->hint[0])
        err_hint(&d->err, "%s", err->hint);
}

static void check_kind(struct loader *l, const struct stream_def *stream, const struct sink_def *sink)
{
    const char *key = NULL;
    struct err err;
    if (sink->topic >= 0 && !topic_takes(&l->project->topics[sink->topic], stream->plan->schema, &err))
        say_refused(l, sink, "topic", &err);
    if (sink->kind == NULL || sink->kind->check == NULL || !l->options_are_read)
        return;
    const struct sink_spec spec = sink_spec_of(l->project, stream, sink);
    if (!sink->kind->check(&spec, stream->plan->schema, &key, &err))
        say_refused(l, sink, key, &err);
}

void project_check_stream(struct loader *l, const struct stream_def *stream)
{
    uint32_t errors = l->diags->errors;
    if (stream->plan == NULL) {
        check_modes(l, stream);
        return;
    }
    check_inputs(l, stream);
    check_column_names(l, stream);
    if (l->diags->errors > errors || !check_plan(l, stream))
        return;
    check_modes(l, stream);
    for (uint32_t i = 0; i < stream->sink_count; i++) {
        check_key(l, stream, &stream->sinks[i]);
        check_kind(l, stream, &stream->sinks[i]);
    }
}

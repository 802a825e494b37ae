/* plan: what a changed project would do to the state of its last run, before anything happens.
 *
 *     + begins     ~ changes, and goes on     - is left behind     ! needs a person: refused, or not what the file says */
#include <stdio.h>

#include "cli/command.h"
#include "job/ran.h"

struct planning {
    struct command_env *env;
    uint32_t changes;
};

static void plan_topics(struct planning *p)
{
    const struct project *project = p->env->project;
    for (uint32_t i = 0; i < project->conf.topic_count; i++) {
        const struct topic_def *def = &project->topics[i];
        struct topic_info info;
        bool exists = p->env->store && store_topic(p->env->store, def->name, &info);
        if (exists && topic_differs(def, &info.config)) {
            p->changes++;
            env_print(p->env, "~ topic %s: its configuration will be what the project says\n", def->name);
        }
        if (exists && info.partitions == def->partitions)
            continue;
        p->changes++;
        if (!exists)
            env_print(p->env, "+ topic %s: will be created, %d partition%s\n", def->name, def->partitions,
                      def->partitions == 1 ? "" : "s");
        else if (info.partitions < def->partitions)
            env_print(p->env, "~ topic %s: %d → %d partitions\n", def->name, info.partitions,
                      def->partitions);
        else
            env_print(p->env, "! topic %s: keeps its %d partitions, though the project says %d\n", def->name,
                      info.partitions, def->partitions);
    }
}

/* ---- streams -------------------------------------------------------------------------------------------------------------- */

static void found_key(void *arg, struct str key, struct str value)
{
    *(bool *)arg = true;
}

static bool is_known(struct planning *p, const struct stream_def *stream, const struct sink_def *sink)
{
    const char *prefix = arena_printf(pool_arena(p->env->pool), "sink/%s/%s/", stream->name, sink->name);
    bool known = false;
    if (p->env->store)
        store_each(p->env->store, str_of(prefix), found_key, &known);
    return known;
}

static void say(struct planning *p, char what, const struct stream_def *stream, const struct sink_def *sink,
                const char *format, ...) __attribute__((format(printf, 5, 6)));

static void say(struct planning *p, char what, const struct stream_def *stream, const struct sink_def *sink,
                const char *format, ...)
{
    struct sbuf text = {0};
    va_list args;
    va_start(args, format);
    sbuf_vprintf(&text, format, args);
    va_end(args);
    p->changes++;
    env_print(p->env, "%c stream %s%s%s: %.*s\n", what, stream->name, sink ? " → " : "",
              sink ? sink->name : "", (int)text.n, text.p);
    sbuf_fini(&text);
}

static const struct type *schema_now(void *arg, uint32_t topic)
{
    struct planning *p = arg;
    return topic_schema_stored(p->env->store, pool_arena(p->env->pool), &p->env->project->topics[topic]);
}

/* With the columns that its topics have today; NULL: those are not known, or do not go with the query, which a start would say. */
static struct plan *bind(struct planning *p, const struct stream_def *stream)
{
    struct project_catalogue catalogue = {.project = p->env->project, .schema_of = schema_now, .arg = p};
    struct plan *plan;
    struct err err;
    return project_bind(&catalogue, pool_arena(p->env->pool), stream, &plan, &err) ? plan : NULL;
}

static void plan_query(struct planning *p, const struct stream_def *stream, const struct ran *ran,
                       const struct plan *plan)
{
    struct sbuf sql = {0};
    project_query_text(p->env->project, stream, &sql);
    bool same = str_eq(sbuf_view(&sql), ran->sql);
    sbuf_fini(&sql);
    if (stream->stateful != ran->stateful)
        say(p, '!', stream, NULL,
            "it kept %s state and would keep %s: refused; give it a new name, or put the old query back",
            ran->stateful ? "its" : "no", ran->stateful ? "none" : "some");
    else if (plan && state_fingerprint(plan) != ran->state)
        say(p, '!', stream, NULL,
            same
                ? "its state holds columns of its topics that are others now: refused; name the old ones in its query, or give it a new name"
                : "its state is of the query that it had: refused; give it a new name, or put the old query back");
    else if (!same)
        say(p, '~', stream, NULL, "its query has changed; %s",
            stream->stateful ? "its state is of the new one, too"
                             : "each sink goes on with the new one from where it is");
}

static char *type_text(struct planning *p, const struct type *type)
{
    struct sbuf text = {0};
    type_to_simple(type, &text);
    char *copy = str_dup(pool_arena(p->env->pool), sbuf_view(&text));
    sbuf_fini(&text);
    return copy;
}

static void plan_columns(struct planning *p, const struct stream_def *stream, const struct sink_def *sink,
                         const struct type *before, const struct type *now)
{
    for (uint32_t i = 0; i < now->field_count; i++) {
        const struct field *f = &now->fields[i];
        int at = type_field(before, str_of(f->name), true);
        if (at < 0)
            say(p, '~', stream, sink, "a new column %s, %s", f->name, type_text(p, f->type));
        else if (!type_same(before->fields[at].type, f->type))
            say(p, sink->kind ? '!' : '~', stream, sink, "column %s becomes %s, it was %s%s", f->name,
                type_text(p, f->type), type_text(p, before->fields[at].type),
                sink->kind ? "; a table that cannot take it is refused" : "");
    }
    for (uint32_t i = 0; i < before->field_count; i++)
        if (type_field(now, str_of(before->fields[i].name), true) < 0)
            say(p, '~', stream, sink, "column %s is written no more%s", before->fields[i].name,
                sink->kind ? "; the table keeps it, with NULL in new rows" : "");
}

/* Of a stream with state, a sink that is new has what the outbox holds, all of it or nothing. */
static void plan_begin(struct planning *p, const struct stream_def *stream, const struct sink_def *sink)
{
    const char *name = arena_printf(pool_arena(p->env->pool), "__outbox.%s", stream->name);
    struct log *outbox = p->env->store && stream->stateful && sink->conf ? log_get(p->env->store, name, 0)
                                                                         : NULL;
    if (outbox && log_start(outbox) > 0)
        say(p, '!', stream, sink,
            "what the stream put out first is not kept any more: refused; `stream reset --keep` begins with what is");
    else
        say(p, '+', stream, sink, "begins with the %s record",
            stream->conf->from == CONF_FROM_LATEST ? "next" : "earliest");
    if (outbox)
        log_release(outbox);
}

static void plan_sink(struct planning *p, const struct stream_def *stream, const struct sink_def *sink,
                      const struct ran *ran, const struct plan *plan)
{
    struct err err;
    if (!is_known(p, stream, sink)) {
        plan_begin(p, stream, sink);
        return;
    }
    if (ran == NULL || sink->conf == NULL)
        return;
    if (!ran_sink_fits(ran, sink, &err))
        say(p, '!', stream, sink, "%s: refused; %s", err.text, "write to another table");
    if (plan)
        plan_columns(p, stream, sink, ran->schema, plan->schema);
}

static void plan_stream(struct planning *p, const struct stream_def *stream)
{
    const struct sink_def *sink;
    struct ran ran;
    bool ran_before = p->env->store && ran_get(p->env->store, pool_arena(p->env->pool), stream->name, &ran);
    const struct plan *plan = ran_before ? bind(p, stream) : NULL;
    if (ran_before)
        plan_query(p, stream, &ran, plan);
    for (uint32_t k = 0; (sink = stream_sink(stream, k)) != NULL; k++)
        plan_sink(p, stream, sink, ran_before ? &ran : NULL, plan);
}

/* "sink/<stream>/<sink>/id" of what the project has no more. */
static void plan_left(void *arg, struct str key, struct str value)
{
    struct planning *p = arg;
    const struct project *project = p->env->project;
    (void)value;
    if (!str_ends(key, STR("/id")))
        return;
    for (uint32_t i = 0; i < project->conf.stream_count; i++) {
        const struct stream_def *s = &project->streams[i];
        const struct sink_def *sink;
        for (uint32_t k = 0; (sink = stream_sink(s, k)) != NULL; k++) {
            char mine[STORE_KEY_MAX];
            snprintf(mine, sizeof mine, "sink/%s/%s/id", s->name, sink->name);
            if (str_is(key, mine))
                return;
        }
    }
    p->changes++;
    struct str rest = str_n(key.p + 5, key.n - 8);
    size_t slash = str_find(rest, STR("/"), 0);
    if (slash != SIZE_MAX)
        env_print(p->env, "- stream %.*s → %.*s: is not in the project any more; its table stays as it is\n",
                  (int)slash, rest.p, (int)(rest.n - slash - 1), rest.p + slash + 1);
}

static int look_plan(struct command_env *env)
{
    struct planning p = {.env = env};
    struct err err;
    struct project now;
    struct conf_diags diags = {.arena = pool_arena(env->pool)};
    if (env->engine) { /* what runs was loaded at its start; the caller has seen that the file is in order */
        if (!project_load(diags.arena, env->project->folder, env->args->sets, env->args->set_count, &now,
                          &diags))
            return env_fail(env, &diags.items[0].err, NULL);
        env->project = &now;
    }
    struct store *store = command_store(env, &err);
    if (store == NULL && err.class != ERR_NONE)
        return env_fail(env, &err, NULL);
    if (store == NULL)
        env_print(env, "nothing has run here yet\n");
    plan_topics(&p);
    for (uint32_t i = 0; i < env->project->conf.stream_count; i++)
        if (env->project->streams[i].conf->enabled)
            plan_stream(&p, &env->project->streams[i]);
    if (store)
        store_each(store, STR("sink/"), plan_left, &p);
    if (p.changes == 0)
        env_print(env, "nothing changes\n");
    return EXIT_DONE;
}

extern const struct cli_command command_plan;
const struct cli_command command_plan = {
    .name = "plan",
    .operands = "[DIR]",
    .summary = "says what the project as it is now would do to the state of its last run",
    .operands_max = 1,
    .loads_project = true,
    .look = look_plan,
};

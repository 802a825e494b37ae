/* Starting, stopping, coming to rest, and looking in. */
#include "job/engine_struct.h"

#include "obs/event.h"

/* ---- coming to rest (`run`) --------------------------------------------------------------------------------------------- */

static bool everything_is_idle(const struct engine *engine) ON(work)
{
    if (engine->ingests_open > 0)
        return false;
    for (const struct stream *s = engine->streams; s; s = s->next)
        if (!stream_is_idle(s))
            return false;
    return true;
}

static bool all_flushed(const struct engine *engine) ON(work)
{
    for (const struct stream *s = engine->streams; s; s = s->next)
        for (uint32_t i = 0; i < s->member_count; i++)
            if (s->started && (!s->members[i]->flushed || s->members[i]->note_busy))
                return false;
    return true;
}

static bool all_closed(const struct engine *engine) ON(work)
{
    if (engine->ingests_open > 0)
        return false;
    for (const struct topic_state *t = engine->topics; t; t = t->next)
        if (t->schema_busy && !t->schema_refused)
            return false;
    for (const struct stream *s = engine->streams; s; s = s->next)
        if (s->ran_busy)
            return false;
    for (const struct stream *s = engine->streams; s; s = s->next)
        for (uint32_t i = 0; i < s->member_count; i++) {
            const struct member *m = s->members[i];
            if (!m->closed || m->note_busy || (s->job && !job_is_idle(s->job)) ||
                (m->frame_busy && !m->frame_refused) || m->in_flight)
                return false;
        }
    return true;
}

/* For `stream reset`: of that stream; what else is wrong is not that command's business. */
static bool something_has_stopped(const struct engine *engine) ON(work)
{
    const char *only = engine->options.reset_stream;
    for (const struct stream *s = engine->streams; s; s = s->next) {
        if (only && strcmp(only, s->def->name) != 0)
            continue;
        if (s->err.class != ERR_NONE)
            return true;
        for (uint32_t i = 0; i < s->member_count; i++)
            if (s->members[i]->state == MEMBER_STOPPED)
                return true;
    }
    return false;
}

static void tell_main(struct engine *engine, struct msg *msg) ON(work)
{
    counter_set(&engine->failed, something_has_stopped(engine));
    loop_post(engine->options.main, msg);
}

static void tell_quiet(struct msg *msg)
{
    struct engine *engine = CONTAINER_OF(msg, struct engine, quiet_msg);
    engine->options.on_quiet(engine->options.arg);
}

static void tell_stopped(struct msg *msg)
{
    struct engine *engine = CONTAINER_OF(msg, struct engine, stopped_msg);
    engine->options.on_stopped(engine->options.arg);
}

/* Sources have ended and every row has come as far as it will: what the sinks hold is committed; and if nothing moved meanwhile, all is done. */
static bool quiet_turn(struct task *task) ON(work)
{
    struct engine *engine = CONTAINER_OF(task, struct engine, quiet_task);
    if (engine->stopping) {
        if (!engine->stopped && all_closed(engine)) {
            engine->stopped = true;
            tell_main(engine, &engine->stopped_msg);
        }
        return false;
    }
    if (!engine->options.once || engine->quiet || engine->ingests_open > 0)
        return false;
    for (struct stream *s = engine->streams; s; s = s->next)
        if (!s->started && !s->infer_now && !stream_is_idle(s)) { /* few records, and no more will come */
            s->infer_now = true;
            stream_start(s);
        }
    if (!everything_is_idle(engine))
        return false;
    for (struct stream *s = engine->streams; s; s = s->next)
        for (uint32_t i = 0; i < s->member_count; i++)
            if (!s->members[i]->flushed && !s->members[i]->flushing) /* again, if one failed and came back */
                member_flush(s->members[i]);
    if (all_flushed(engine)) {
        engine->quiet = true;
        tell_main(engine, &engine->quiet_msg);
    }
    return false;
}

void engine_look_quiet(struct engine *engine)
{
    if (engine->options.once || engine->stopping)
        task_wake(&engine->quiet_task);
}

void engine_ingest_ended(struct engine *engine)
{
    CHECK(engine->ingests_open > 0);
    engine->ingests_open--;
    engine_look_quiet(engine);
}

void engine_member_flushed(struct engine *engine)
{
    engine_look_quiet(engine);
}

/* ---- starting and stopping -------------------------------------------------------------------------------------------------- */

static void tell_refused(struct msg *msg)
{
    struct engine *engine = CONTAINER_OF(msg, struct engine, refused_msg);
    if (engine->options.on_refused)
        engine->options.on_refused(engine->options.arg, &engine->refusal);
}

/* All are asked for at once. ERR_RETRY: some answer is not there yet. */
static bool register_schemas(struct engine *engine, struct err *err) ON(work)
{
    bool all = true;
    for (struct topic_state *t = engine->topics; t; t = t->next) {
        struct err why;
        if (topic_state_register(t, &why))
            continue;
        if (all || why.class != ERR_RETRY)
            *err = why;
        all = false;
        if (why.class != ERR_RETRY)
            break;
    }
    return all;
}

static void begin(struct engine *engine) ON(work)
{
    engine->begun = true;
    for (struct stream *s = engine->streams; s; s = s->next)
        stream_start(s);
    if (engine->options.sources)
        ingest_start_all(engine);
    counter_set(&engine->ready, 1);
    if (engine->options.once)
        give_up_start(engine);
    engine_look_quiet(engine);
}

/* Nothing moves before the registry has taken the project's schemas. */
static bool begin_turn(struct task *task) ON(work)
{
    struct engine *engine = CONTAINER_OF(task, struct engine, begin_task);
    struct err err;
    if (engine->begun || engine->stopping || engine->refusal.class != ERR_NONE)
        return false;
    if (register_schemas(engine, &err)) {
        begin(engine);
    } else if (err.class != ERR_RETRY) {
        engine->refusal = err;
        loop_post(engine->options.main, &engine->refused_msg);
    } else {
        if (err.code != SCHEMA_IS_ASKED)
            event_err(EVENT_REGISTRY_RETRY, "registry", &err);
        timer_set_in(&engine->begin_timer, (err.code == SCHEMA_IS_ASKED ? ASK_MS : RETRY_MAX_MS) * NS_PER_MS);
    }
    return false;
}

static void on_begin_timer(struct timer *timer) ON(work)
{
    task_wake(&CONTAINER_OF(timer, struct engine, begin_timer)->begin_task);
}

static void handle_start(struct msg *msg) ON(work)
{
    task_wake(&CONTAINER_OF(msg, struct engine, start_msg)->begin_task);
}

/* The registry has answered something that somebody may wait for. */
static bool came_turn(struct task *task) ON(work)
{
    struct engine *engine = CONTAINER_OF(task, struct engine, came_task);
    if (engine->stopping)
        return false;
    if (!engine->begun)
        task_wake(&engine->begin_task);
    for (struct stream *s = engine->streams; s; s = s->next)
        stream_schema_came(s);
    return false;
}

static void schema_came(void *arg)
{
    waker_wake(&((struct engine *)arg)->came_waker);
}

static void handle_stop(struct msg *msg) ON(work)
{
    struct engine *engine = CONTAINER_OF(msg, struct engine, stop_msg);
    engine->stopping = true;
    timer_cancel(&engine->begin_timer);
    give_up_stop(engine);
    if (engine->options.sources)
        ingest_stop_all(engine);
    for (struct stream *s = engine->streams; s; s = s->next) {
        timer_cancel(&s->start_timer);
        timer_cancel(&s->retry);
        if (s->job)
            job_stop(s->job);
        for (uint32_t i = 0; i < s->member_count; i++) {
            struct member *m = s->members[i];
            run_leave(m);
            member_flush(m);
            member_close(m);
        }
    }
    engine_look_quiet(engine);
}

void engine_start(struct engine *engine)
{
    loop_post(engine->options.work, &engine->start_msg);
}

void engine_stop(struct engine *engine)
{
    if (!engine->stop_posted)
        loop_post(engine->options.work, &engine->stop_msg);
    engine->stop_posted = true;
}

static bool build(struct engine *engine, struct err *err)
{
    const struct project *project = engine->project;
    for (uint32_t i = 0; i < project->conf.topic_count; i++)
        TRY(topic_state_new(engine, &project->topics[i], err));
    /* the lists are built from their ends */
    for (uint32_t i = engine->options.sources ? project->conf.source_count : 0; i > 0; i--)
        TRY(ingest_new(engine, &project->conf.sources[i - 1], err));
    for (uint32_t i = project->conf.stream_count; i > 0; i--)
        if (project->streams[i - 1].conf->enabled)
            TRY(stream_new(engine, &project->streams[i - 1], err));
    return true;
}

bool engine_new(struct pool *pool, const struct project *project, struct store *store,
                const struct engine_options *options, struct engine **engine, struct err *err)
{
    struct engine *e = pool_new_struct(pool, struct engine);
    e->pool = pool_new(pool, "engine");
    e->schema_pool = pool_new(e->pool, "schemas");
    e->schema_lock = lock_new();
    e->project = project;
    e->store = store;
    e->options = *options;
    task_init(&e->quiet_task, quiet_turn);
    give_up_init(e);
    msg_init(&e->start_msg, handle_start);
    msg_init(&e->stop_msg, handle_stop);
    msg_init(&e->refused_msg, tell_refused);
    task_init(&e->begin_task, begin_turn);
    timer_init(&e->begin_timer, on_begin_timer);
    task_init(&e->came_task, came_turn);
    waker_init(&e->came_waker, options->work, &e->came_task);
    e->desk = schema_desk_new(e->pool, options->registry, options->work, schema_came, e);
    msg_init(&e->quiet_msg, tell_quiet);
    msg_init(&e->stopped_msg, tell_stopped);
    *engine = e;
    return build(e, err);
}

void engine_free(struct engine *engine)
{
    if (engine == NULL)
        return;
    for (struct stream *s = engine->streams; s; s = s->next)
        stream_free(s);
    ingest_free_all(engine);
    for (struct topic_state *t = engine->topics; t; t = t->next) {
        log_wait_cancel(&t->schema_room);
        frame_free(t->schema_frame);
        for (int32_t i = 0; i < t->info.partitions; i++)
            log_release(t->logs[i]);
    }
    schema_desk_fini(engine->desk);
    lock_free(engine->schema_lock);
    pool_free(engine->pool);
}

/* ---- looking in ----------------------------------------------------------------------------------------------------------------- */

const struct type *engine_topic_schema(struct engine *engine, struct arena *arena, const char *topic)
{
    const struct topic_state *t = topic_state_find(engine, str_of(topic)); /* the list does not change */
    if (t == NULL)
        return NULL;
    lock_take(engine->schema_lock);
    const struct type *schema = t->schema ? type_copy(arena, t->schema) : NULL;
    lock_release(engine->schema_lock);
    return schema;
}

const struct topic_schemas *engine_schemas(struct engine *engine)
{
    return schema_desk_patient(engine->desk);
}

/* A function that runs on another loop while the caller waits. */
struct call {
    struct msg msg;
    void (*function)(struct call *call);
    struct latch done;
    struct engine *engine;
    struct arena *arena;
    struct engine_report *report;
    uint32_t index;
    struct str stream, sink;
    bool flag, ok;
    struct err *err;
};

static void handle_call(struct msg *msg)
{
    struct call *call = CONTAINER_OF(msg, struct call, msg);
    call->function(call);
    latch_open(&call->done);
}

static bool call_on(struct loop *loop, struct call *call)
{
    struct err err;
    if (!latch_init(&call->done, call->err ? call->err : &err))
        return false;
    msg_init(&call->msg, handle_call);
    loop_post(loop, &call->msg);
    latch_wait(&call->done);
    return true;
}

static const char *const member_states[] = {[MEMBER_IDLE] = "starting",
                                            [MEMBER_OPENING] = "opening",
                                            [MEMBER_RUNNING] = "running",
                                            [MEMBER_WAITING] = "waiting",
                                            [MEMBER_STOPPED] = "stopped"};

static void report_stream(const struct stream *s, struct arena *arena, struct stream_status_report *out)
    ON(work)
{
    *out = (struct stream_status_report){
        .name = s->def->name,
        .state = s->err.class != ERR_NONE       ? "stopped"
                 : s->paused                    ? "paused"
                 : s->trouble.class != ERR_NONE ? "waiting"
                 : s->started                   ? "running"
                                                : "waiting for records",
        .rows_in = counter_get(&s->counters.rows_in),
        .rows_out = counter_get(&s->counters.rows_out),
        .bad = counter_get(&s->counters.bad),
        .err = s->err.class != ERR_NONE ? s->err : s->trouble,
        .sinks = arena_zarray(arena, struct sink_status_report, s->member_count),
        .sink_count = s->member_count,
    };
    for (uint32_t i = 0; i < s->member_count; i++) {
        const struct member *m = s->members[i];
        out->sinks[i] = (struct sink_status_report){
            .name = m->def->name,
            .kind = m->runner ? m->def->kind->name : "topic",
            .state = s->paused && m->state == MEMBER_IDLE ? "paused"
                     : m->state == MEMBER_RUNNING && counter_get(&m->counters.running) == 0
                         ? "waiting" /* for room on the disk, or for its first commit after a failure */
                         : member_states[m->state],
            .rows = counter_get(&m->counters.rows),
            .commits = counter_get(&m->counters.commits),
            .failures = counter_get(&m->counters.failures),
            .lag_records = (int64_t)member_lag(m),
            .err = m->err,
        };
        if (s->job)
            out->sinks[i].lag_records += job_lag(s->job);
        if (out->sinks[i].lag_records > out->lag_records)
            out->lag_records = out->sinks[i].lag_records;
    }
}

static void report_streams(struct call *call) ON(work)
{
    struct engine_report *report = call->report;
    uint32_t count = 0;
    for (const struct stream *s = call->engine->streams; s; s = s->next)
        count++;
    report->streams = arena_zarray(call->arena, struct stream_status_report, count + 1);
    for (const struct stream *s = call->engine->streams; s; s = s->next)
        report_stream(s, call->arena, &report->streams[report->stream_count++]);
    report->quiet = call->engine->quiet;
}

static void report_source(struct call *call)
{
    ingest_report(call->engine, call->index, &call->report->sources[call->index]);
}

void engine_report(struct engine *engine, struct arena *arena, struct engine_report *report)
{
    *report = (struct engine_report){.source_count = ingest_count(engine)};
    report->sources = arena_zarray(arena, struct source_status_report, report->source_count + 1);
    struct call call = {.function = report_streams, .engine = engine, .arena = arena, .report = report};
    call_on(engine->options.work, &call);
    for (uint32_t i = 0; i < report->source_count; i++) {
        struct call one = {.function = report_source, .engine = engine, .report = report, .index = i};
        call_on(ingest_loop(engine, i), &one);
    }
}

static struct stream *find_stream(struct engine *engine, struct str name, struct err *err)
{
    for (struct stream *s = engine->streams; s; s = s->next)
        if (str_is(name, s->def->name))
            return s;
    err_set(err, ERR_CONFIG, "there is no stream \"%.*s\"", STR_ARG(name));
    return NULL;
}

static void do_pause(struct call *call) ON(work)
{
    struct stream *s = find_stream(call->engine, call->stream, call->err);
    call->ok = s != NULL;
    if (s)
        stream_pause(s, call->flag);
}

bool engine_stream_pause(struct engine *engine, const char *stream, bool pause, struct err *err)
{
    struct call call = {
        .function = do_pause, .engine = engine, .stream = str_of(stream), .flag = pause, .err = err};
    return call_on(engine->options.work, &call) && call.ok;
}

static void do_reset(struct call *call) ON(work)
{
    struct stream *s = find_stream(call->engine, call->stream, call->err);
    uint32_t count = 0;
    for (uint32_t i = 0; s && s->started && i < s->member_count; i++) {
        struct member *m = s->members[i];
        struct err err;
        if (m->runner ? !m->def->kind->exactly_once
                      : call->flag || m->state != MEMBER_STOPPED || !member_lacks_rows(m, &err))
            continue;
        if (call->sink.n && !str_is(call->sink, m->def->name))
            continue;
        if (call->flag && member_lacks_rows(m, call->err))
            return;
        count++;
        if (m->reset == RESET_NONE) /* else it is on its way */
            member_reset(m, call->flag);
    }
    call->ok = count > 0;
    if (s && count == 0)
        err_set(call->err, ERR_CONFIG,
                s->started ? "stream \"%s\" has no such table" : "stream \"%s\" has not started yet",
                s->def->name);
}

static void do_reopen(struct call *call) ON(work)
{
    struct stream *s = find_stream(call->engine, call->stream, call->err);
    call->ok = s != NULL;
    for (uint32_t i = 0; s && s->err.class == ERR_NONE && i < s->member_count; i++) {
        struct member *m = s->members[i];
        if (m->state != MEMBER_STOPPED || !str_is(call->sink, m->def->name))
            continue;
        member_open_again(m);
        call->index++;
    }
}

bool engine_sink_reopen(struct engine *engine, const char *stream, const char *sink, uint32_t *count,
                        struct err *err)
{
    struct call call = {
        .function = do_reopen, .engine = engine, .stream = str_of(stream), .sink = str_of(sink), .err = err};
    bool ok = call_on(engine->options.work, &call) && call.ok;
    *count = call.index;
    return ok;
}

bool engine_stream_reset(struct engine *engine, const char *stream, const char *sink, bool replace,
                         struct err *err)
{
    struct call call = {.function = do_reset,
                        .engine = engine,
                        .stream = str_of(stream),
                        .sink = str_of(sink ? sink : ""),
                        .flag = replace,
                        .err = err};
    return call_on(engine->options.work, &call) && call.ok;
}

bool engine_replay_begin(struct engine *engine)
{
    lock_take(engine->schema_lock);
    bool was = engine->replaying;
    engine->replaying = true;
    lock_release(engine->schema_lock);
    return !was;
}

void engine_replay_end(struct engine *engine)
{
    lock_take(engine->schema_lock);
    engine->replaying = false;
    lock_release(engine->schema_lock);
}

bool engine_has_failed(const struct engine *engine)
{
    return counter_get(&engine->failed) ||
           (engine->options.reset_stream == NULL && ingest_has_failed(engine));
}

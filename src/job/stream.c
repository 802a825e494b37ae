/* A stream: a bound plan over topics, and its members. It begins when the columns of all its inputs are known, and binds its query anew
 * whenever one of them grows. */
#include "base/map.h"
#include "job/engine_private.h"
#include "job/engine_struct.h"
#include "job/ran.h"
#include "job/replay.h"
#include "obs/event.h"

enum { TOPIC_ID = 16 };

/* ---- inputs ---------------------------------------------------------------------------------------------------------- */

/* Stable numbers for input topics: their place in a list that only grows ("stream/<name>/inputs"), so that a stored position means the
 * same partition after the query has changed. A recreated topic has another id, and so another number. */
static bool number_inputs(struct stream *s, const struct topic_info *infos, uint32_t count, int32_t *numbers,
                          struct err *err)
{
    char *key = pool_printf(s->pool, "stream/%s/inputs", s->def->name);
    struct sbuf ids = {0};
    store_get(s->engine->store, str_of(key), &ids);
    size_t before = ids.n;
    for (uint32_t t = 0; t < count; t++) {
        size_t at = 0;
        while (at < ids.n && memcmp(ids.p + at, infos[t].id, TOPIC_ID) != 0)
            at += TOPIC_ID;
        if (at >= ids.n)
            sbuf_add(&ids, infos[t].id, TOPIC_ID);
        numbers[t] = (int32_t)(at / TOPIC_ID);
    }
    bool ok = true;
    if (ids.n > before) {
        struct frame *frame = frame_new(s->engine->store);
        frame->internal = true;
        frame_put(frame, str_of(key), sbuf_view(&ids));
        ok = frame_commit_now(frame, err);
        frame_free(frame);
    }
    sbuf_fini(&ids);
    return ok;
}

static bool find_topics(struct stream *s, struct err *err)
{
    int32_t *topics;
    TRY(project_inputs(s->engine->project, pool_arena(s->pool), s->def, &topics, &s->topic_count, err));
    s->topics = pool_alloc(s->pool, s->topic_count * sizeof *s->topics);
    for (uint32_t t = 0; t < s->topic_count; t++) {
        s->topics[t] = topic_state_find(s->engine, str_of(s->engine->project->topics[topics[t]].name));
        CHECK(s->topics[t] != NULL);
    }
    return s->topic_count > 0 || err_set(err, ERR_CONFIG, "stream \"%s\" reads no topic", s->def->name);
}

/* Every partition of every topic that the query reads, and of what is replayed beside it. */
static bool find_sources(struct stream *s, struct err *err)
{
    uint32_t n = s->topic_count, k = 0, count = 0;
    struct topic_info *infos = pool_alloc(s->pool, 2 * (size_t)n * sizeof *infos);
    int32_t *numbers = pool_alloc(s->pool, 2 * (size_t)n * sizeof *numbers);
    for (uint32_t t = 0; t < n; t++) {
        infos[t] = s->topics[t]->info;
        TRY(replay_topic(s->engine->store, s->def->name, infos[t].name, &infos[n + t], err));
    }
    TRY(number_inputs(s, infos, 2 * n, numbers, err));
    for (uint32_t i = 0; i < 2 * n; i++)
        count += (uint32_t)infos[i].partitions;
    if (count > SINK_INPUTS_MAX)
        return err_set(err, ERR_CONFIG, "stream \"%s\" reads %u partitions, this version can read %d",
                       s->def->name, count, SINK_INPUTS_MAX);
    s->source_count = count;
    s->sources = pool_alloc(s->pool, count * sizeof *s->sources);
    s->start_waits = pool_alloc(s->pool, count * sizeof *s->start_waits);
    for (uint32_t i = 0; i < 2 * n; i++)
        for (int32_t p = 0; p < infos[i].partitions; p++, k++) {
            s->sources[k] = (struct stream_input){.topic = s->topics[i % n],
                                                  .log = log_get(s->engine->store, infos[i].name, p),
                                                  .input = numbers[i],
                                                  .partition = p,
                                                  .replayed = i >= n,
                                                  .keyed_only = i >= n && p == REPLAY_TO_KEYED};
            list_init(&s->start_waits[k].link);
        }
    return true;
}

static bool find_inputs(struct stream *s, struct err *err) UNSHARED
{
    TRY(find_topics(s, err));
    TRY(find_sources(s, err));
    s->schema_versions = pool_alloc(s->pool, s->topic_count * sizeof *s->schema_versions);
    s->inputs = s->sources;
    s->input_count = s->source_count;
    if (s->def->stateful)
        TRY(job_new(s, err));
    s->counted = pool_alloc(s->pool, (s->input_count + s->source_count) * sizeof *s->counted);
    return true;
}

/* ---- the plan ---------------------------------------------------------------------------------------------------------- */

static const struct type *schema_now(void *arg, uint32_t topic)
{
    struct engine *engine = arg;
    struct topic_state *t = topic_state_find(engine, str_of(engine->project->topics[topic].name));
    return t ? t->schema : NULL;
}

/* Which scan reads which topic; each topic of the query is read by exactly one. */
static bool match_scans(struct stream *s, struct err *err)
{
    for (uint32_t k = 0; k < s->source_count; k++) {
        uint32_t readers = 0;
        for (uint32_t i = 0; i < s->scan_count; i++) {
            int32_t topic = (int32_t)(uintptr_t)s->scans[i]->relation.handle - 1;
            if (topic < 0 ||
                strcmp(s->engine->project->topics[topic].name, s->sources[k].topic->def->name) != 0)
                continue;
            s->sources[k].scan = i;
            readers++;
        }
        if (readers != 1)
            return err_set(err, ERR_CONFIG,
                           "stream \"%s\" reads topic \"%s\" %u times, this version can read it once",
                           s->def->name, s->sources[k].topic->def->name, readers);
    }
    return true;
}

bool stream_make_plan(struct stream *s, struct err *err)
{
    struct pool *pool = pool_new(s->pool,
                                 "plan"); /* old plans stay: units that use them may be on their way */
    struct project_catalogue catalogue = {
        .project = s->engine->project, .schema_of = schema_now, .arg = s->engine};
    struct pipeline *pipeline;
    TRY(project_bind(&catalogue, pool_arena(pool), s->def, &s->plan, err));
    TRY(pipeline_new(pool, s->plan, &pipeline, err));
    s->scan_count = pipeline_scans(pipeline, &s->scans);
    s->schema = s->plan->schema;
    s->plan_version++;
    for (uint32_t t = 0; t < s->topic_count; t++)
        s->schema_versions[t] = s->topics[t]->schema_version;
    CHECK(s->job != NULL || !pipeline_is_stateful(pipeline));
    return match_scans(s, err);
}

bool stream_plan_is_old(const struct stream *s)
{
    for (uint32_t t = 0; t < s->topic_count; t++)
        if (s->schema_versions[t] != s->topics[t]->schema_version)
            return true;
    return false;
}

bool stream_waits_for_schema(const struct stream *s)
{
    for (uint32_t t = 0; t < s->topic_count; t++)
        if (s->topics[t]->schema_busy)
            return true;
    return false;
}

/* ---- what it was, for the next start ------------------------------------------------------------------------------------- */

static void ran_ended(struct frame *frame) ON(work)
{
    struct stream *s = frame->arg;
    s->ran_busy = false; /* refused: the next start writes it */
    if (s->ran_again && frame->durable)
        stream_note_ran(s);
    engine_look_quiet(s->engine);
}

void stream_note_ran(struct stream *s)
{
    if (s->refuses) /* that would be forgotten */
        return;
    struct arena arena = {0};
    struct sbuf now = {0}, before = {0};
    struct str key = ran_key(&arena, s->def->name);
    s->ran_again = s->ran_busy;
    ran_write(s->engine->project, s->def, s->plan, &now);
    bool known = store_get(s->engine->store, key, &before) && str_eq(sbuf_view(&before), sbuf_view(&now));
    if (!known && !s->ran_busy && now.n <= STORE_VALUE_MAX) {
        frame_reset(s->ran);
        frame_put(s->ran, key, sbuf_view(&now));
        s->ran->done = ran_ended;
        s->ran->arg = s;
        s->ran->internal = true;
        s->ran_busy = true;
        frame_submit(s->ran);
    }
    sbuf_fini(&now);
    sbuf_fini(&before);
    arena_fini(&arena);
}

/* The positions of a stream's sinks are of its topics, or of its outbox. Once it ran as one, it cannot go on as the other. */
static bool is_of_its_kind(struct stream *s, struct err *err)
{
    struct arena arena = {0};
    struct ran ran;
    bool ok = !ran_get(s->engine->store, &arena, s->def->name, &ran) || ran.stateful == s->def->stateful;
    arena_fini(&arena);
    if (ok)
        return true;
    err_set(err, ERR_FATAL, "stream \"%s\" %s when it last ran, and its query now %s", s->def->name,
            s->def->stateful ? "kept no state" : "kept state",
            s->def->stateful ? "keeps some" : "keeps none");
    return err_hint(err, "Give the changed query a new stream name, or put the old query back.");
}

/* ---- starting and stopping ------------------------------------------------------------------------------------------------ */

void stream_stop(struct stream *s, const struct err *err)
{
    s->err = *err;
    event_err(EVENT_STREAM_STOPPED, s->def->name, err);
    if (s->job)
        job_stop(s->job);
    for (uint32_t i = 0; i < s->member_count; i++) {
        struct member *m = s->members[i];
        run_leave(m);
        timer_cancel(&m->retry);
        if (m->runner && m->state == MEMBER_RUNNING)
            sink_runner_flush(m->runner, false); /* what was delivered is good, and stays */
        m->state = MEMBER_STOPPED;
    }
    s->started = true;
    engine_look_quiet(s->engine);
}

void stream_retry(struct stream *s, const struct err *err, struct timer *timer)
{
    s->trouble = *err;
    s->backoff_ms = s->backoff_ms ? s->backoff_ms * 2 : RETRY_MIN_MS;
    if (s->backoff_ms > RETRY_MAX_MS)
        s->backoff_ms = RETRY_MAX_MS;
    event_err(EVENT_STREAM_RETRY, s->def->name, err);
    if (!s->engine->stopping)
        timer_set_in(timer, s->backoff_ms * NS_PER_MS);
}

void stream_ask_again(struct stream *s, const struct err *err, struct timer *timer)
{
    if (err->code != SCHEMA_IS_ASKED) {
        stream_retry(s, err, timer);
        return;
    }
    s->asks = true;
    if (!s->engine->stopping)
        timer_set_in(timer, ASK_MS * NS_PER_MS); /* should the answer be another one's */
}

void stream_schema_came(struct stream *s)
{
    if (!s->asks)
        return;
    s->asks = false;
    if (!s->started) {
        timer_cancel(&s->retry);
        stream_start(s);
    }
    run_ask_again(s);
    if (s->job)
        job_ask_again(s->job);
}

void stream_works(struct stream *s)
{
    s->trouble = (struct err){0};
    s->backoff_ms = 0;
}

void stream_pause(struct stream *s, bool pause)
{
    if (s->paused == pause || s->err.class != ERR_NONE)
        return;
    s->paused = pause;
    for (uint32_t i = 0; i < s->member_count; i++) {
        struct member *m = s->members[i];
        if (pause && m->state == MEMBER_RUNNING) {
            run_leave(m);
            member_flush(m);
            member_close(m);
            m->state = MEMBER_IDLE;
        } else if (!pause && m->state == MEMBER_IDLE && s->started &&
                   !m->frame_busy) { /* else: when its frame has ended */
            member_open(m);
        }
    }
    if (s->job && !pause)
        job_wake(s->job);
}

static bool schemas_are_known(struct stream *s, bool *known, struct err *err) ON(work)
{
    *known = true;
    for (uint32_t t = 0; t < s->topic_count; t++) {
        bool this_one;
        TRY(topic_state_infer(s->topics[t], s->infer_now, &this_one, err));
        *known = *known && this_one;
    }
    return true;
}

static void wait_for_records(struct stream *s)
{
    bool any = false;
    for (uint32_t k = 0; k < s->source_count; k++) {
        log_wait_cancel(&s->start_waits[k]);
        log_wait(s->sources[k].log, &s->start_waits[k], &s->start_waker, log_end(s->sources[k].log));
        any = any || log_end(s->sources[k].log) > log_start(s->sources[k].log);
    }
    if (any && !timer_is_set(&s->start_timer))
        timer_set_in(&s->start_timer, INFER_MS * NS_PER_MS);
}

static uint64_t query_of(const struct stream *s)
{
    struct sbuf text = {0};
    project_query_text(s->engine->project, s->def, &text);
    for (uint32_t t = 0; t < s->topic_count; t++)
        if (s->topics[t]->def->schema)
            type_to_json(s->topics[t]->def->schema, &text);
    uint64_t query = hash_bytes(text.p, text.n);
    sbuf_fini(&text);
    return query;
}

/* Sinks whose tables were made for something else. */
static void refuse_others(struct stream *s) ON(work)
{
    struct arena arena = {0};
    struct ran ran;
    bool before = ran_get(s->engine->store, &arena, s->def->name, &ran);
    for (uint32_t i = 0; before && i < s->member_count; i++) {
        struct err err;
        if (s->members[i]->wants != WANTS_ROWS || ran_sink_fits(&ran, s->members[i]->def, &err))
            continue;
        s->refuses = true;
        member_fail(s->members[i], &err);
    }
    arena_fini(&arena);
}

/* The columns of all inputs are known. */
static bool start(struct stream *s, struct err *err) ON(work)
{
    TRY(is_of_its_kind(s, err));
    s->query = query_of(s);
    if (s->plan == NULL || stream_plan_is_old(s))
        TRY(stream_make_plan(s, err));
    return s->job == NULL || job_start(s, err);
}

static bool start_turn(struct task *task) ON(work)
{
    struct stream *s = CONTAINER_OF(task, struct stream, start);
    struct err err;
    bool known;
    if (s->started || s->engine->stopping || timer_is_set(&s->retry))
        return false;
    bool ok = schemas_are_known(s, &known, &err);
    if (ok && !known) {
        s->nothing_inferred = s->infer_now;
        wait_for_records(s);
        engine_look_quiet(s->engine);
        return false;
    }
    timer_cancel(&s->start_timer);
    for (uint32_t k = 0; k < s->source_count; k++)
        log_wait_cancel(&s->start_waits[k]);
    if (!ok || !start(s, &err)) {
        if (err.class == ERR_RETRY)
            stream_ask_again(s, &err, &s->retry);
        else
            stream_stop(s, &err);
        return false;
    }
    stream_works(s);
    refuse_others(s);
    stream_note_ran(s); /* before its sinks note where they are */
    s->started = true;
    for (uint32_t i = 0; i < s->member_count && !s->paused; i++)
        if (s->members[i]->state == MEMBER_IDLE)
            member_open(s->members[i]);
    if (s->job && !s->paused)
        job_let_outbox_go(s->job);
    return false;
}

static void on_retry(struct timer *timer) ON(work)
{
    struct stream *s = CONTAINER_OF(timer, struct stream, retry);
    task_wake(&s->start);
}

static void on_start_timer(struct timer *timer) ON(work)
{
    struct stream *s = CONTAINER_OF(timer, struct stream, start_timer);
    s->infer_now = true;
    task_wake(&s->start);
}

void stream_start(struct stream *s)
{
    task_wake(&s->start);
}

bool stream_is_idle(const struct stream *s)
{
    if (s->err.class != ERR_NONE)
        return true;
    if (s->trouble.class != ERR_NONE)
        return false;
    if (!s->started) { /* waiting for a first record, and there is none */
        if (s->nothing_inferred)
            return true;
        for (uint32_t k = 0; k < s->source_count; k++)
            if (log_end(s->sources[k].log) > log_start(s->sources[k].log))
                return false;
        return true;
    }
    for (uint32_t i = 0; i < s->member_count; i++)
        if (!member_is_idle(s->members[i]))
            return false;
    return stream_runs_are_idle(s) && (s->job == NULL || job_is_idle(s->job));
}

bool stream_new(struct engine *engine, const struct stream_def *def, struct err *err)
{
    struct pool *pool = pool_new(engine->pool, "stream");
    struct stream *s = pool_new_struct(pool, struct stream);
    s->engine = engine;
    s->def = def;
    s->pool = pool;
    s->next = engine->streams;
    engine->streams = s;
    s->ran = frame_new(engine->store);
    list_init(&s->runs);
    task_init(&s->start, start_turn);
    timer_init(&s->start_timer, on_start_timer);
    timer_init(&s->retry, on_retry);
    waker_init(&s->start_waker, engine->options.work, &s->start);
    TRY(find_inputs(s, err));
    const struct sink_def *sink;
    for (uint32_t i = 0; (sink = stream_sink(def, i)) != NULL; i++)
        TRY(member_new(s, sink,
                       sink == &def->bad    ? WANTS_BAD
                       : sink == &def->late ? WANTS_LATE
                                            : WANTS_ROWS,
                       err));
    for (uint32_t i = 0; i < s->member_count; i++)
        member_prepare(s->members[i]);
    return true;
}

void stream_free(struct stream *s)
{
    for (uint32_t k = 0; k < s->source_count; k++)
        log_wait_cancel(&s->start_waits[k]);
    if (s->job)
        job_free(s->job);
    frame_free(s->ran);
    for (uint32_t i = 0; i < s->member_count; i++)
        member_fini(s->members[i]);
    run_free_all(s);
    for (uint32_t k = 0; k < s->source_count; k++)
        log_release(s->sources[k].log);
}

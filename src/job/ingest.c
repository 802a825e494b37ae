/* The first third of a row's way: from the outside world into a topic.
 *
 * One frame holds the rows of a few polls and the source's positions after them: all are durable, or none. One frame of a source is in flight at
 * a time, so positions cannot overtake each other. A poll may give one row (a folder of small files), and a frame costs a write of the disk: hence
 * a few. An ingest lives on its source's own role (net for http, work for the rest). */
#include <stdio.h>

#include "job/engine_private.h"
#include "job/engine_struct.h"
#include "obs/event.h"
#include "obs/metric.h"

enum {
    TURN_POLLS = 64, /* of one frame */
    TURN_BYTES = 512 * 1024,
};

struct ingest {
    struct ingest *next;
    struct engine *engine;
    const struct conf_source *conf;
    struct topic_state *topic;

    /* ---- the source's role ---- */
    struct loop *loop;
    struct source source;
    struct task task;
    struct timer retry; /* of a failed open */
    struct topic_writer *writer;
    struct frame *frame;
    bool open, frame_busy, frame_refused, stopping, ended, stopped;
    bool was_failing;
    bool
        answered; /* a poll gave no rows behind others in its frame: what it said counts when that is durable */
    enum source_status answer; /* and is this */
    struct err answer_err;
    struct err said; /* the last failure that was logged */
    uint64_t frame_rows;
    uint64_t unfit; /* records that the topic's schema did not take */
    struct waker room_waker;
    struct log_wait room_wait;
    char key[STORE_KEY_MAX];   /* of the positions: "source/<name>/", then the part */
    struct sbuf late_position; /* of the last poll, for a test's fault */
    struct msg start_msg, stop_msg, ended_msg, give_up_msg;

    /* ---- any role ---- */
    struct counter rows; /* durable */
    struct counter failures, bad, failing, has_stopped;
    struct counter giving_up; /* 1: give_up_msg is on its way */
};

/* ---- telling the engine ---------------------------------------------------------------------------------------------- */

static void handle_ended(struct msg *msg) ON(work)
{
    struct ingest *in = CONTAINER_OF(msg, struct ingest, ended_msg);
    engine_ingest_ended(in->engine);
}

/* Once: the source has ended, was stopped, or stopped itself. */
static void end(struct ingest *in)
{
    if (in->ended)
        return;
    in->ended = true;
    if (in->open)
        source_close(&in->source);
    in->open = false;
    timer_cancel(&in->retry);
    task_cancel(&in->task);
    loop_post(in->engine->options.work, &in->ended_msg);
}

static void fail(struct ingest *in, const struct err *err)
{
    counter_add(&in->failures, 1);
    counter_set(&in->failing, 1);
    in->source.health.failing = true;
    in->source.health.last_error = *err;
    if (err->class == ERR_RETRY) {
        if (!in->was_failing || strcmp(in->said.text, err->text) != 0) /* another reason, another file */
            event_err(EVENT_SOURCE_RETRY, in->conf->name, err);
        in->was_failing = true;
        in->said = *err;
        return;
    }
    event_err(EVENT_SOURCE_STOPPED, in->conf->name, err);
    in->stopped = true;
    counter_set(&in->has_stopped, 1);
    end(in);
}

/* ---- the turn ----------------------------------------------------------------------------------------------------------- */

struct stored {
    struct arena arena;
    size_t prefix;
    struct source_position *items;
    size_t count, capacity;
};

static void collect(void *arg, struct str key, struct str value)
{
    struct stored *s = arg;
    s->items = mem_grow(s->items, &s->capacity, s->count + 1, sizeof *s->items);
    s->items[s->count++] = (struct source_position){
        .part = str_n(str_dup(&s->arena, str_n(key.p + s->prefix, key.n - s->prefix)), key.n - s->prefix),
        .value = str_n(arena_dup(&s->arena, value.p, value.n), value.n),
    };
}

static bool open_source(struct ingest *in, struct err *err)
{
    struct stored stored = {.prefix = strlen(in->key)};
    store_each(in->engine->store, str_of(in->key), collect, &stored);
    in->open = source_open(&in->source, stored.items, (uint32_t)stored.count, err);
    mem_free(stored.items);
    arena_fini(&stored.arena);
    return in->open;
}

static void frame_ended(struct frame *frame);

static bool append(struct ingest *in, const struct source_rows *rows, struct err *err)
{
    TRY(topic_writer_add(in->writer, rows->keys, rows->values, rows->timestamps_ms, rows->count,
                         os_wall().us / US_PER_MS, err));
    char key[STORE_KEY_MAX];
    int n = snprintf(key, sizeof key, "%s%.*s", in->key, STR_ARG(rows->part));
    CHECK(n > 0 && (size_t)n < sizeof key);
    if (!in->engine->faults.source_position_late)
        frame_put(in->frame, str_n(key, (size_t)n), rows->position);
    else if (in->late_position.n)
        frame_put(in->frame, str_n(key, (size_t)n), sbuf_view(&in->late_position));
    sbuf_clear(&in->late_position);
    sbuf_str(&in->late_position, rows->position);
    return true;
}

/* A few polls into the frame: true with *any when rows came. What the last one said, if it gave none, is the answer. */
static bool gather(struct ingest *in, bool *any, struct err *err)
{
    *any = false;
    frame_reset(in->frame);
    in->frame->done = frame_ended;
    in->frame->arg = in;
    in->frame_rows = 0;
    for (int i = 0; i < TURN_POLLS && topic_writer_bytes(in->writer) < TURN_BYTES; i++) {
        struct source_rows rows = {0};
        in->answer = source_poll(&in->source, &rows, &in->answer_err);
        in->answered = in->answer != SOURCE_ROWS;
        if (in->answered)
            break;
        TRY(append(in, &rows, err));
        *any = true;
    }
    return !*any || topic_writer_flush(in->writer, in->frame, in->topic->logs, &in->frame_rows, err);
}

/* The source itself says when it works again: rows came, or an answer that had none and was good. */
static void note_recovery(struct ingest *in)
{
    if (!in->was_failing || in->source.health.failing)
        return;
    event_log(EVENT_SOURCE_OK, in->conf->name, "works again");
    in->was_failing = false;
    counter_set(&in->failing, 0);
}

/* Records that the topic's schema does not take. They are in the topic all the same, as they came. */
static void note_unfit(struct ingest *in)
{
    const char *why;
    uint64_t unfit = topic_writer_unfit(in->writer, &why);
    if (unfit > 0 && in->unfit == 0)
        event_log(EVENT_SOURCE_UNFIT, in->conf->name, "a record does not fit the schema of topic \"%s\": %s",
                  in->topic->def->name, why);
    in->source.health.bad += unfit - in->unfit;
    in->unfit = unfit;
}

static void take_answer(struct ingest *in)
{
    in->answered = false;
    switch (in->answer) {
    case SOURCE_IDLE: note_recovery(in); return;
    case SOURCE_END: end(in); return;
    case SOURCE_FAILED: fail(in, &in->answer_err); return;
    case SOURCE_ROWS: break;
    }
    UNREACHABLE("source status");
}

/* source_poll → one frame with the rows and the positions after them. What follows, follows in frame_ended. */
static bool ingest_turn(struct task *task)
{
    struct ingest *in = CONTAINER_OF(task, struct ingest, task);
    struct err err = {0};
    bool any;
    if (in->ended || in->frame_refused) {
        if (in->frame_refused && !in->ended) {
            in->frame_refused = false;
            frame_submit(in->frame);
        }
        return false;
    }
    if (in->frame_busy)
        return false;
    if (in->stopping) {
        end(in);
        return false;
    }
    if (!in->open && !open_source(in, &err)) {
        fail(in, &err);
        if (!in->ended)
            timer_set_in(&in->retry, NS_PER_S);
        return false;
    }
    if (in->answered && in->answer != SOURCE_IDLE) {
        take_answer(in);
        task_wake(&in->task); /* the source may have woken it while the frame was on its way */
        return false;
    }
    if (!topic_writer_ready(in->writer, &err)) {
        if (err.code != SCHEMA_IS_ASKED)
            fail(in, &err);
        if (!in->ended)
            timer_set_in(&in->retry, err.code == SCHEMA_IS_ASKED ? ASK_MS * NS_PER_MS : NS_PER_S);
        return false;
    }
    if (!gather(in, &any, &err)) {
        fail(in, &err);
    } else if (any) {
        note_recovery(in);
        note_unfit(in);
        counter_set(&in->bad, in->source.health.bad);
        in->frame_busy = true;
        frame_submit(in->frame);
    } else {
        take_answer(in);
    }
    return false;
}

static void frame_ended(struct frame *frame)
{
    struct ingest *in = frame->arg;
    if (!frame->durable &&
        frame->err.class == ERR_RETRY) { /* the disk is full: the same frame again, when there is room */
        in->frame_refused = true;
        fail(in, &frame->err);
        log_wait_cancel(&in->room_wait);
        store_wait_room(in->engine->store, &in->room_wait, &in->room_waker);
        if (in->stopping) {
            in->frame_busy = false;
            end(in);
        }
        return;
    }
    in->frame_busy = false;
    if (!frame->durable) {
        fail(in, &frame->err);
        return;
    }
    counter_add(&in->rows, in->frame_rows);
    if (in->open)
        source_durable(&in->source);
    task_wake(&in->task);
}

/* ---- life ------------------------------------------------------------------------------------------------------------------ */

static void on_retry(struct timer *timer)
{
    struct ingest *in = CONTAINER_OF(timer, struct ingest, retry);
    task_wake(&in->task);
}

static void handle_start(struct msg *msg)
{
    struct ingest *in = CONTAINER_OF(msg, struct ingest, start_msg);
    task_wake(&in->task);
}

static void handle_stop(struct msg *msg)
{
    struct ingest *in = CONTAINER_OF(msg, struct ingest, stop_msg);
    in->stopping = true;
    if (in->frame_refused) { /* waits for room that may never come; its rows are read again at the next start */
        in->frame_busy = in->frame_refused = false;
        end(in);
        return;
    }
    task_wake(&in->task);
}

static void handle_give_up(struct msg *msg)
{
    struct ingest *in = CONTAINER_OF(msg, struct ingest, give_up_msg);
    struct err err;
    counter_set(&in->giving_up, 0);
    if (!in->frame_refused || in->ended)
        return;
    log_wait_cancel(&in->room_wait);
    give_up_error(in->engine, &in->frame->err, &err);
    in->frame_busy = in->frame_refused = false;
    fail(in, &err);
}

bool ingest_new(struct engine *engine, const struct conf_source *conf, struct err *err) UNSHARED
{
    struct ingest *in = pool_new_struct(engine->pool, struct ingest);
    const struct source_kind *kind = source_kind_find(str_of(conf->kind->name));
    CHECK(kind != NULL);
    in->engine = engine;
    in->conf = conf;
    in->topic = topic_state_find(engine, str_of(engine->project->topics[conf->topic].name));
    in->loop = kind->role == ROLE_NET ? engine->options.net : engine->options.work;
    in->source = (struct source){
        .kind = kind,
        .name = conf->name,
        .options = conf->options,
        .pool = pool_new(engine->pool, "source"),
        .task = &in->task,
        .once = engine->options.once,
        .schema = in->topic->def->schema,
        .folder = engine->project->folder,
        .builtin_url = engine->options.builtin_url,
        .replayable = kind->replayable,
    };
    snprintf(in->key, sizeof in->key, "source/%s/", conf->name);
    task_init(&in->task, ingest_turn);
    timer_init(&in->retry, on_retry);
    waker_init(&in->room_waker, in->loop, &in->task);
    list_init(&in->room_wait.link);
    msg_init(&in->start_msg, handle_start);
    msg_init(&in->stop_msg, handle_stop);
    msg_init(&in->ended_msg, handle_ended);
    msg_init(&in->give_up_msg, handle_give_up);
    in->frame = frame_new(engine->store);
    in->next = engine->ingests;
    engine->ingests = in;
    engine->ingests_open++;
    return topic_writer_new(engine->pool, in->topic->def, &in->writer, err);
}

void ingest_start_all(struct engine *engine)
{
    for (struct ingest *in = engine->ingests; in; in = in->next)
        loop_post(in->loop, &in->start_msg);
}

void ingest_stop_all(struct engine *engine)
{
    for (struct ingest *in = engine->ingests; in; in = in->next)
        loop_post(in->loop, &in->stop_msg);
}

uint64_t ingest_progress(const struct engine *engine)
{
    uint64_t rows = 0;
    for (const struct ingest *in = engine->ingests; in; in = in->next)
        rows += counter_get(&in->rows);
    return rows;
}

void ingest_give_up_all(struct engine *engine)
{
    for (struct ingest *in = engine->ingests; in; in = in->next)
        if (counter_get(&in->giving_up) == 0) {
            counter_set(&in->giving_up, 1);
            loop_post(in->loop, &in->give_up_msg);
        }
}

void ingest_free_all(struct engine *engine)
{
    for (struct ingest *in = engine->ingests; in; in = in->next) {
        log_wait_cancel(&in->room_wait);
        frame_free(in->frame);
        sbuf_fini(&in->late_position);
    }
    engine->ingests = NULL;
}

void ingest_metrics(struct engine *engine, struct metric_page *page)
{
    for (const struct ingest *in = engine->ingests; in; in = in->next) {
        const char *name = in->conf->name;
        METRIC_PUT(page, METRIC_SOURCE_ROWS, (double)counter_get(&in->rows), "source", name);
        METRIC_PUT(page, METRIC_SOURCE_FAILURES, (double)counter_get(&in->failures), "source", name);
        METRIC_PUT(page, METRIC_SOURCE_BAD, (double)counter_get(&in->bad), "source", name);
        METRIC_PUT(page, METRIC_SOURCE_FAILING, (double)counter_get(&in->failing), "source", name);
    }
}

/* ---- looking in --------------------------------------------------------------------------------------------------------------- */

uint32_t ingest_count(const struct engine *engine)
{
    uint32_t n = 0;
    for (const struct ingest *in = engine->ingests; in; in = in->next)
        n++;
    return n;
}

bool ingest_has_failed(const struct engine *engine)
{
    for (const struct ingest *in = engine->ingests; in; in = in->next)
        if (counter_get(&in->has_stopped))
            return true;
    return false;
}

struct loop *ingest_loop(struct engine *engine, uint32_t index)
{
    struct ingest *in = engine->ingests;
    while (index--)
        in = in->next;
    return in->loop;
}

/* On the source's own loop. */
void ingest_report(struct engine *engine, uint32_t index, struct source_status_report *report)
{
    struct ingest *in = engine->ingests;
    while (index--)
        in = in->next;
    *report = (struct source_status_report){
        .name = in->conf->name,
        .kind = in->source.kind->name,
        .health = in->source.health,
        .rows_appended = counter_get(&in->rows),
        .stopped = in->stopped,
        .ended = in->ended,
    };
}

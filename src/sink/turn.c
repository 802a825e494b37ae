#include "sink/turn.h"

#include <stdio.h>

#include "obs/event.h"

/* A command from the owner: rare, so it is allocated. */
enum command_kind { COMMAND_OPEN, COMMAND_FLUSH, COMMAND_EXPIRE, COMMAND_CLOSE, COMMAND_RESET };
struct command {
    struct msg msg;
    struct sink_runner *runner;
    enum command_kind kind;
    const struct type *schema;
    bool flag; /* FLUSH: maintain; RESET: replace */
};

enum runner_state { RUNNER_CLOSED, RUNNER_OPEN };

struct sink_runner {
    /* ---- set at start ---- */
    struct loop *loop, *owner_loop;
    void (*event)(void *owner, struct sink_event *e);
    void *owner;
    int64_t cadence_ns;

    /* ---- block ---- */
    enum runner_state state OWNED_BY(block);
    struct sink sink OWNED_BY(block);
    struct position *positions OWNED_BY(block); /* after the last write [position_count] */
    uint32_t position_count OWNED_BY(block);
    size_t position_capacity OWNED_BY(block);
    uint64_t rows OWNED_BY(block); /* since the last commit */
    bool moved OWNED_BY(block);    /* positions moved since they were last committed or reported */
    bool fresh OWNED_BY(block);    /* committed since the last upkeep */
    struct mono_time committed OWNED_BY(block); /* when */
    struct timer timer OWNED_BY(block);         /* the next commit, idle note or upkeep */
    struct timer expire_timer OWNED_BY(block);  /* the next look for rows that are too old */

    /* ---- both ---- */
    struct counter sent, taken; /* deliveries */
};

/* ---- events ---------------------------------------------------------------------------------------------------- */

static void handle_event(struct msg *msg)
{
    struct sink_event *e = CONTAINER_OF(msg, struct sink_event, msg);
    e->runner->event(e->runner->owner, e);
    mem_free(e);
}

static struct sink_event *event_new(struct sink_runner *r, enum sink_event_kind kind, uint32_t count)
{
    struct sink_event *e = mem_new(sizeof *e + count * sizeof *e->positions);
    msg_init(&e->msg, handle_event);
    e->kind = kind;
    e->runner = r;
    e->positions = (struct position *)(e + 1);
    e->count = count;
    return e;
}

static void tell_positions(struct sink_runner *r, enum sink_event_kind kind, uint64_t rows) ON(block)
{
    struct sink_event *e = event_new(r, kind, r->position_count);
    if (r->position_count)
        memcpy(e->positions, r->positions, r->position_count * sizeof *r->positions);
    e->rows = rows;
    loop_post(r->owner_loop, &e->msg);
}

/* ---- the turn --------------------------------------------------------------------------------------------------- */

static void close_sink(struct sink_runner *r) ON(block)
{
    sink_abort(&r->sink);
    timer_cancel(&r->timer);
    timer_cancel(&r->expire_timer);
    r->state = RUNNER_CLOSED;
}

static void fail(struct sink_runner *r, const struct err *err) ON(block)
{
    close_sink(r);
    struct sink_event *e = event_new(r, SINK_FAILED, 0);
    e->err = *err;
    loop_post(r->owner_loop, &e->msg);
}

static bool commit(struct sink_runner *r, struct err *err) ON(block)
{
    if (r->rows == 0)
        return true;
    if (r->sink.spec->fault_position_apart)
        TRY(sink_commit(&r->sink, r->positions, 0, err));
    TRY(sink_commit(&r->sink, r->positions, r->position_count, err));
    r->committed = os_mono();
    r->fresh = true;
    r->moved = false;
    uint64_t rows = r->rows;
    r->rows = 0;
    tell_positions(r, SINK_COMMITTED, rows);
    return true;
}

static bool commit_is_due(const struct sink_runner *r) ON(block)
{
    return r->rows > 0 && (mono_since_ns(os_mono(), r->committed) >= r->cadence_ns ||
                           sink_pending_bytes(&r->sink) > SINK_PENDING_BYTES_MAX);
}

/* What the timer is for next: a commit at its cadence, a note of idle positions, or upkeep when nothing else is to do. */
static void plan_timer(struct sink_runner *r) ON(block)
{
    if (r->rows > 0)
        timer_set(&r->timer, mono_add_ns(r->committed, r->cadence_ns));
    else if ((r->moved || r->fresh) && !timer_is_set(&r->timer))
        timer_set_in(&r->timer, SINK_IDLE_NOTE_MS * NS_PER_MS);
}

static void take_positions(struct sink_runner *r, const struct delivery *d) ON(block)
{
    r->positions = mem_grow(r->positions, &r->position_capacity, d->count, sizeof *r->positions);
    memcpy(r->positions, d->positions, d->count * sizeof *d->positions);
    r->position_count = d->count;
    r->moved = true;
}

static void go_home(struct msg *msg)
{
    struct delivery *d = CONTAINER_OF(msg, struct delivery, msg);
    d->home(d);
}

/* The last third of a record's way: what the run delivered becomes rows of the table, and with their position durable. */
static void sink_turn(struct msg *msg) ON(block)
{
    struct delivery *d = CONTAINER_OF(msg, struct delivery, msg);
    struct sink_runner *r = d->runner;
    struct err err;
    bool open = r->state == RUNNER_OPEN, ok = open;
    if (ok && d->batch && d->batch->rows) {
        ok = sink_write(&r->sink, d->batch, &err);
        r->rows += d->batch->rows;
    }
    if (ok)
        take_positions(r, d);
    counter_add(&r->taken, 1);
    msg_init(&d->msg, go_home);
    loop_post(d->home_loop, &d->msg);
    if (ok && commit_is_due(r))
        ok = commit(r, &err);
    if (ok)
        plan_timer(r);
    else if (open)
        fail(r, &err);
}

static bool somebody_waits(void *arg)
{
    struct sink_runner *r = arg;
    return counter_get(&r->sent) != counter_get(&r->taken);
}

static void on_timer(struct timer *timer) ON(block)
{
    struct sink_runner *r = CONTAINER_OF(timer, struct sink_runner, timer);
    struct err err;
    bool ok = true;
    if (r->rows > 0)
        ok = commit(r, &err);
    else if (r->moved) {
        r->moved = false;
        tell_positions(r, SINK_IDLE, 0);
    } else if (r->fresh && !somebody_waits(r)) {
        r->fresh = false;
        ok = sink_maintain(&r->sink, somebody_waits, r, &err);
    }
    if (ok)
        plan_timer(r);
    else
        fail(r, &err);
}

/* Nothing depends on it, so a failure is a line in the log. */
static void expire(struct sink_runner *r) ON(block)
{
    struct err err;
    int64_t every_ms = r->sink.spec->retention_ms;
    if (r->state != RUNNER_OPEN || r->sink.kind->expire == NULL || every_ms <= 0)
        return;
    every_ms = every_ms > SINK_EXPIRE_EVERY_MS   ? SINK_EXPIRE_EVERY_MS
               : every_ms < SINK_EXPIRE_LEAST_MS ? SINK_EXPIRE_LEAST_MS
                                                 : every_ms;
    timer_set_in(&r->expire_timer, every_ms * NS_PER_MS);
    if (!commit(r, &err))
        fail(r, &err);
    else if (!sink_expire(&r->sink, &err))
        event_err(EVENT_SINK_UPKEEP, r->sink.spec->name, &err);
}

static void on_expire_timer(struct timer *timer) ON(block)
{
    expire(CONTAINER_OF(timer, struct sink_runner, expire_timer));
}

/* ---- commands ---------------------------------------------------------------------------------------------------- */

static void do_open(struct sink_runner *r, const struct type *schema) ON(block)
{
    struct err err;
    CHECK(r->state == RUNNER_CLOSED);
    struct sink_event *e = event_new(r, SINK_OPENED, SINK_INPUTS_MAX);
    if (!sink_open(&r->sink, schema, &e->found, e->positions, &e->count, &err)) {
        mem_free(e);
        fail(r, &err);
        return;
    }
    r->state = RUNNER_OPEN;
    r->rows = 0;
    r->moved = r->fresh = false;
    r->position_count = 0;
    r->committed = (struct mono_time){os_mono().ns - r->cadence_ns}; /* first rows at once */
    loop_post(r->owner_loop, &e->msg);
}

static void do_flush(struct sink_runner *r, bool maintain) ON(block)
{
    struct err err;
    if (r->state != RUNNER_OPEN)
        return; /* the owner has been told why */
    if (!commit(r, &err) || (maintain && !sink_maintain(&r->sink, somebody_waits, r, &err))) {
        fail(r, &err);
        return;
    }
    r->moved = false;
    tell_positions(r, SINK_FLUSHED, 0);
}

static void do_close(struct sink_runner *r) ON(block)
{
    close_sink(r);
    loop_post(r->owner_loop, &event_new(r, SINK_CLOSED, 0)->msg);
}

static void do_reset(struct sink_runner *r, bool replace, const struct type *schema) ON(block)
{
    struct err err;
    struct position positions[SINK_INPUTS_MAX];
    uint32_t count;
    enum sink_found found;
    CHECK(r->state == RUNNER_CLOSED);
    if (!sink_open(&r->sink, schema, &found, positions, &count, &err) ||
        !sink_reset(&r->sink, replace, &err)) {
        fail(r, &err);
        return;
    }
    sink_abort(&r->sink);
    if (!sink_open(&r->sink, schema, &found, positions, &count,
                   &err)) { /* a table that is not there yet knows nobody */
        fail(r, &err);
        return;
    }
    sink_abort(&r->sink);
    struct sink_event *e = event_new(r, SINK_WAS_RESET, 0);
    e->found = found;
    loop_post(r->owner_loop, &e->msg);
}

static void handle_command(struct msg *msg) ON(block)
{
    struct command *c = CONTAINER_OF(msg, struct command, msg);
    switch (c->kind) {
    case COMMAND_OPEN: do_open(c->runner, c->schema); break;
    case COMMAND_FLUSH: do_flush(c->runner, c->flag); break;
    case COMMAND_EXPIRE: expire(c->runner); break;
    case COMMAND_CLOSE: do_close(c->runner); break;
    case COMMAND_RESET: do_reset(c->runner, c->flag, c->schema); break;
    }
    mem_free(c);
}

static void send(struct sink_runner *r, enum command_kind kind, const struct type *schema, bool flag)
{
    struct command *c = mem_new(sizeof *c);
    msg_init(&c->msg, handle_command);
    c->runner = r;
    c->kind = kind;
    c->schema = schema;
    c->flag = flag;
    loop_post(r->loop, &c->msg);
}

void sink_runner_open(struct sink_runner *r, const struct type *schema)
{
    send(r, COMMAND_OPEN, schema, false);
}

void sink_runner_flush(struct sink_runner *r, bool maintain)
{
    send(r, COMMAND_FLUSH, NULL, maintain);
}

void sink_runner_expire(struct sink_runner *r)
{
    send(r, COMMAND_EXPIRE, NULL, false);
}

void sink_runner_close(struct sink_runner *r)
{
    send(r, COMMAND_CLOSE, NULL, false);
}

void sink_runner_reset(struct sink_runner *r, bool replace, const struct type *schema)
{
    send(r, COMMAND_RESET, schema, replace);
}

void sink_runner_deliver(struct sink_runner *r, struct delivery *d)
{
    d->runner = r;
    msg_init(&d->msg, sink_turn);
    counter_add(&r->sent, 1);
    loop_post(r->loop, &d->msg);
}

/* ---- life --------------------------------------------------------------------------------------------------------- */

static void free_runner(void *arg) UNSHARED
{
    struct sink_runner *r = arg;
    mem_free(r->positions);
}

bool sink_runner_new(struct pool *pool, const struct sink_kind *kind, const struct sink_spec *spec,
                     int64_t cadence_ms, struct loop *owner_loop,
                     void (*event)(void *owner, struct sink_event *e), void *owner,
                     struct sink_runner **runner, struct err *err) UNSHARED
{
    struct sink_runner *r = pool_new_struct(pool, struct sink_runner);
    *r = (struct sink_runner){
        .owner_loop = owner_loop,
        .event = event,
        .owner = owner,
        .cadence_ns = (cadence_ms ? cadence_ms : kind->cadence_ms) * NS_PER_MS,
        .sink = {.kind = kind, .spec = spec},
    };
    timer_init(&r->timer, on_timer);
    timer_init(&r->expire_timer, on_expire_timer);
    pool_on_free(pool, free_runner, r);
    TRY(loop_new(ROLE_BLOCK, pool_printf(pool, "sink %s", spec->name), &r->loop, err));
    *runner = r;
    return loop_start(r->loop, err);
}

void sink_runner_stop(struct sink_runner *r) UNSHARED
{
    loop_stop(r->loop);
    loop_join(r->loop);
    if (r->state == RUNNER_OPEN)
        sink_abort(&r->sink);
    loop_free(r->loop);
}

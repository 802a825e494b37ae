/* A loop: one thread that handles messages, fires timers, runs tasks and listens to descriptors, and sleeps when there is
 * nothing of these.
 *
 * The mailbox is one word: a stack that senders push to by compare-and-swap, and that the loop takes whole by one exchange and turns round.
 * So a sender never waits for the loop nor for another sender that was stopped halfway, the loop waits for nobody, and messages are in
 * the order of their pushes. An empty mailbox has two values: NULL while the loop is awake, &loop_asleep when it is about to wait in
 * its poller. The sender that replaces &loop_asleep is the one that wakes it: one system call per sleep, not per message.
 *
 * Why not a queue with a tail that senders exchange: there a sender that is stopped between two instructions hides all
 * messages behind its own.
 *
 * A turn: all messages that were there, all timers that were due, each ready task once, all descriptors that are ready. A turn waits
 * only when no task is ready, until the next timer: a loop with nothing to do uses no processor time. */
#include "run/run_private.h"

#include <stdio.h>

#include "os/sim.h"

struct msg loop_asleep;

static void handle_stop(struct msg *msg)
{
    CONTAINER_OF(msg, struct loop, stop)->has_ended = true;
}

bool loop_new(enum role role, const char *name, struct loop **out, struct err *err)
{
    CHECK(role > ROLE_NONE && role < ROLE_COUNT);
    struct loop *loop = mem_new(sizeof *loop);
    if (!os_poller_new(&loop->poller, err)) {
        mem_free(loop);
        return false;
    }
    loop->role = role;
    snprintf(loop->name, sizeof loop->name, "%s", name);
    list_init(&loop->ready);
    list_init(&loop->all);
    msg_init(&loop->stop, handle_stop);
    if (sim_is_on())
        sim_loops_add(loop);
    *out = loop;
    return true;
}

void loop_free_now(struct loop *loop)
{
    list_remove(&loop->all);
    if (loop_now == loop)
        loop_now = NULL;
    os_poller_free(loop->poller);
    mem_free(loop->timers);
    mem_free(loop);
}

void loop_free(struct loop *loop)
{
    if (loop == NULL)
        return;
    CHECK(!loop->is_started || loop->has_ended);
    CHECK(loop->thread == NULL); /* joined */
    loop_free_now(loop);
}

/* ---- messages ------------------------------------------------------------------------------------------------- */

void loop_post(struct loop *loop, struct msg *msg)
{
    CHECK(!msg->posted && msg->handle != NULL);
    msg->posted = true;
    struct msg *top = __atomic_load_n(&loop->mailbox, __ATOMIC_RELAXED);
    do
        msg->next = top == &loop_asleep ? NULL : top;
    while (!__atomic_compare_exchange_n(&loop->mailbox, &top, msg, true, __ATOMIC_RELEASE, __ATOMIC_RELAXED));
    if (top == &loop_asleep)
        os_poller_wake(loop->poller);
}

bool loop_take_mail(struct loop *loop)
{
    struct msg *newest = __atomic_exchange_n(&loop->mailbox, NULL, __ATOMIC_ACQUIRE), *oldest = NULL;
    if (newest == &loop_asleep)
        newest = NULL;
    while (newest) {
        struct msg *older = newest->next;
        newest->next = oldest;
        oldest = newest;
        newest = older;
    }
    struct msg **end = &loop->inbox;
    while (*end)
        end = &(*end)->next;
    *end = oldest;
    return loop->inbox != NULL;
}

void loop_handle_one(struct loop *loop)
{
    struct msg *msg = loop->inbox;
    loop->inbox = msg->next;
    msg->next = NULL;
    CHECK(msg->posted);
    msg->posted = false;
    msg->handle(msg); /* may post msg again, or free it */
}

/* ---- descriptors ---------------------------------------------------------------------------------------------- */

static bool watch_with(struct loop *loop, struct watch *watch, int fd, unsigned interest, struct err *err,
                       bool (*set)(struct os_poller *, int, unsigned, void *, struct err *))
{
    CHECK(loop == loop_now);
    CHECK(interest == 0 || watch->ready != NULL);
    if (interest == 0 && watch->interest == 0)
        return true;
    TRY(set(loop->poller, fd, interest, watch, err));
    loop->watch_count += (interest != 0) - (watch->interest != 0);
    watch->fd = fd;
    watch->interest = interest;
    for (int i = loop->event_next; interest == 0 && i < loop->event_count; i++)
        if (loop->events[i].arg == watch) /* this turn's events know a watch that is gone now */
            loop->events[i].arg = NULL;
    return true;
}

bool loop_watch_fd(struct loop *loop, struct watch *watch, int fd, unsigned interest, struct err *err)
{
    return watch_with(loop, watch, fd, interest, err, os_poller_watch_fd);
}

bool loop_watch(struct loop *loop, struct watch *watch, int file, unsigned interest, struct err *err)
{
    return watch_with(loop, watch, file, interest, err, os_poller_watch);
}

bool loop_signals(struct loop *loop, void (*handler)(void *arg, int count), void *arg, struct err *err)
{
    CHECK(loop == loop_now);
    loop->has_signals = true;
    return os_signals(loop->poller, handler, arg, err);
}

void loop_handle_event(struct loop *loop, int i)
{
    struct watch *watch = loop->events[i].arg;
    if (watch) {
        loop->events[i].arg = NULL;
        watch->ready(watch, loop->events[i].ready);
    }
}

/* ---- turns ----------------------------------------------------------------------------------------------------- */

/* Says to senders that they have to wake; false when a message is there already. */
static bool fall_asleep(struct loop *loop)
{
    struct msg *empty = NULL;
    return __atomic_compare_exchange_n(&loop->mailbox, &empty, &loop_asleep, false, __ATOMIC_RELAXED,
                                       __ATOMIC_RELAXED);
}

/* How long the poller may wait: −1 = for ever. */
static int64_t patience_of(struct loop *loop)
{
    struct mono_time due;
    int64_t left = -1;
    if (!list_empty(&loop->ready))
        return 0;
    if (timers_next(loop, &due)) {
        left = mono_since_ns(due, os_mono());
        if (left <= 0)
            return 0;
    }
    return fall_asleep(loop) ? left : 0;
}

static void look_around(struct loop *loop)
{
    int64_t patience = patience_of(loop);
    if (patience == 0 && loop->watch_count == 0 && !loop->has_signals)
        return;
    loop->event_count = os_poller_wait(loop->poller, loop->events, LOOP_EVENTS_MAX, patience);
    for (loop->event_next = 0; loop->event_next < loop->event_count && !loop->has_ended;)
        loop_handle_event(loop, loop->event_next++);
    loop->event_count = loop->event_next = 0;
}

static void turn(struct loop *loop)
{
    if (loop_take_mail(loop))
        while (loop->inbox && !loop->has_ended)
            loop_handle_one(loop);
    if (loop->has_ended)
        return;
    if (loop->timer_count > 0)
        timers_fire(loop, os_mono());
    tasks_run_round(loop);
    look_around(loop);
}

void loop_run(struct loop *loop)
{
    CHECK(loop->is_started);
    if (sim_is_on()) {
        sim_loops_until_end(loop);
        return;
    }
    struct loop *outer = loop_now;
    loop_now = loop;
    while (!loop->has_ended)
        turn(loop);
    loop_now = outer;
}

static void thread_main(void *arg)
{
    loop_run(arg);
}

bool loop_start(struct loop *loop, struct err *err)
{
    CHECK(!loop->is_started);
    if (loop->role != ROLE_MAIN && !sim_is_on()) {
        loop->is_started = true;
        if (!os_thread_start(loop->name, thread_main, loop, &loop->thread, err)) {
            loop->is_started = false;
            return false;
        }
        return true;
    }
    loop->is_started = true;
    if (loop->role == ROLE_MAIN)
        loop_now = loop;
    return true;
}

void loop_stop(struct loop *loop)
{
    loop_post(loop, &loop->stop);
}

void loop_join(struct loop *loop)
{
    if (sim_is_on())
        sim_loops_until_end(loop);
    if (loop->thread)
        os_thread_join(loop->thread);
    loop->thread = NULL;
    CHECK(loop->has_ended || !loop->is_started);
}

/* Loops in the simulator: one thread takes one step of one loop at a time, in an order that the seed chooses. A step is one message, one
 * timer, one task's run or one descriptor's event: the smallest things that the real world can interleave. Between messages of one
 * mailbox, and between timers of one loop, the order is that of the real world.
 *
 * A step that sleeps in a call of the outside (SQLite, until another connection lets go of the database) holds up its own loop only: the others
 * take their steps inside it, and any of them may sleep in turn. It goes on when its time has come and those that fell asleep
 * after it have woken. */
#include "os/sim.h"
#include "run/run_private.h"

enum step { STEP_MESSAGE, STEP_TIMER, STEP_TASK, STEP_EVENT, STEP_COUNT };

static struct list loops = {&loops, &loops};

static void others_until(struct mono_time until);

void sim_loops_add(struct loop *loop)
{
    sim_on_sleep(others_until);
    list_push_back(&loops, &loop->all);
}

/* The kinds of steps that loop could take now; returns their number. */
static int steps_of(struct loop *loop, struct mono_time now, enum step steps[STEP_COUNT])
{
    int count = 0;
    struct mono_time due;
    if (!loop->is_started || loop->has_ended || loop->in_step)
        return 0;
    if (loop_take_mail(loop))
        steps[count++] = STEP_MESSAGE;
    if (timers_next(loop, &due) && due.ns <= now.ns)
        steps[count++] = STEP_TIMER;
    if (!list_empty(&loop->ready))
        steps[count++] = STEP_TASK;
    loop->event_count = loop->event_next = 0;
    if (loop->watch_count > 0 || loop->has_signals)
        loop->event_count = os_poller_wait(loop->poller, loop->events, LOOP_EVENTS_MAX, 0);
    if (loop->event_count > 0)
        steps[count++] = STEP_EVENT;
    return count;
}

static struct task *some_task(struct loop *loop)
{
    uint64_t count = 0;
    LIST_EACH(link, &loop->ready)
    count++;
    uint64_t index = sim_pick(count);
    struct list *link = loop->ready.next;
    while (index-- > 0)
        link = link->next;
    return CONTAINER_OF(link, struct task, link);
}

static void take_step(struct loop *loop, enum step step, struct mono_time now)
{
    struct loop *outer = loop_now;
    loop_now = loop;
    loop->in_step = true;
    switch (step) {
    case STEP_MESSAGE: loop_handle_one(loop); break;
    case STEP_TIMER:
        loop->timers_now = now;
        timers_fire_one(loop);
        break;
    case STEP_TASK: task_run_now(loop, some_task(loop)); break;
    case STEP_EVENT: loop_handle_event(loop, (int)sim_pick((uint64_t)loop->event_count)); break;
    case STEP_COUNT: UNREACHABLE("not a step");
    }
    loop->in_step = false;
    loop_now = outer;
}

/* Lets time pass until something can happen, or to the limit; false when nothing will. */
static bool skip_time(struct mono_time now, struct mono_time limit)
{
    struct mono_time next = sim_next_io(), due;
    if (limit.ns < next.ns)
        next = limit;
    LIST_EACH(link, &loops)
    {
        struct loop *loop = CONTAINER_OF(link, struct loop, all);
        if (loop->is_started && !loop->has_ended && !loop->in_step && timers_next(loop, &due) &&
            due.ns < next.ns)
            next = due;
    }
    if (next.ns == INT64_MAX)
        return false;
    if (next.ns > now.ns)
        sim_advance(mono_since_ns(next, now));
    return true;
}

static bool step_before(struct mono_time limit)
{
    struct mono_time now = os_mono();
    struct loop *chosen = NULL;
    enum step steps[STEP_COUNT], step = STEP_COUNT;
    uint64_t eligible = 0;
    LIST_EACH(link, &loops)
    {
        struct loop *loop = CONTAINER_OF(link, struct loop, all);
        int count = steps_of(loop, now, steps);
        if (count == 0 || sim_pick(++eligible) != 0) /* each of the eligible ones with the same chance */
            continue;
        chosen = loop;
        step = steps[sim_pick((uint64_t)count)];
    }
    if (chosen == NULL)
        return skip_time(now, limit);
    take_step(chosen, step, now);
    return true;
}

bool run_sim_step(void)
{
    return step_before((struct mono_time){INT64_MAX});
}

static void others_until(struct mono_time until)
{
    while (os_mono().ns < until.ns)
        step_before(until);
}

void sim_loops_until_end(struct loop *loop)
{
    while (loop->is_started && !loop->has_ended)
        CHECK(run_sim_step()); /* else: nothing will ever stop it */
}

void run_sim_reset(void)
{
    while (!list_empty(&loops))
        loop_free_now(CONTAINER_OF(loops.next, struct loop, all));
    loop_now = NULL;
}

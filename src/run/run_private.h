/* Inside run/: what a loop is made of. */
#ifndef RUN_RUN_PRIVATE_H
#define RUN_RUN_PRIVATE_H

#include "run/run.h"

enum {
    LOOP_NAME_MAX = 32,
    LOOP_EVENTS_MAX = 64, /* descriptors taken from the poller in one turn; the rest come in the next */
};

struct timer_entry {
    struct mono_time due;
    uint64_t order; /* of setting: timers due at the same time fire in it */
    struct timer *timer;
};

struct loop {
    /* ---- constant after loop_new ---- */
    enum role role;
    char name[LOOP_NAME_MAX];
    struct os_poller *poller;

    /* ---- any role, through __atomic ---- */
    struct msg *mailbox; /* newest first; NULL = empty, &loop_asleep = empty and the loop waits to be woken */

    /* ---- the loop's own ---- */
    struct msg *inbox;          /* taken from the mailbox, oldest first */
    struct timer_entry *timers; /* timers[timer_count + 1], a heap from 1 on */
    size_t timer_count, timer_capacity;
    uint64_t timer_order;
    struct mono_time timers_now; /* of the last firing */
    struct list ready;           /* tasks */
    struct list round_end;       /* in `ready`, behind the tasks of this round */
    struct task *running;        /* the task that runs now, unless it was cancelled meanwhile */
    struct os_event events[LOOP_EVENTS_MAX];
    int event_count, event_next; /* of the turn; those from event_next on are still to be handled */
    unsigned watch_count;
    bool has_signals;
    bool is_started, has_ended;

    /* ---- who starts, stops and joins it ---- */
    struct msg stop;
    struct os_thread *thread;
    struct list all; /* the simulator's loops */
    bool in_step;    /* of the simulator: it takes one, or sleeps in it */
};

extern _Thread_local struct loop *loop_now;
extern struct msg loop_asleep;

/* loop.c: the parts of a turn, which the simulator takes one at a time. */
/* Moves the mailbox's messages behind the inbox; true when the inbox is not empty. */
bool loop_take_mail(struct loop *loop);
/* Handles the oldest message of the inbox. */
void loop_handle_one(struct loop *loop);
/* Handles event i of the turn. */
void loop_handle_event(struct loop *loop, int i);
void loop_free_now(struct loop *loop); /* whatever its state */

/* timer.c */
/* Fires the timers that are due at now, at most once each. */
void timers_fire(struct loop *loop, struct mono_time now);
/* Fires the first timer, which is due. */
void timers_fire_one(struct loop *loop);
void timers_check(const struct loop *loop);
static inline bool timers_next(const struct loop *loop, struct mono_time *due)
{
    if (loop->timer_count == 0)
        return false;
    *due = loop->timers[1].due;
    return true;
}

/* task.c */
void tasks_run_round(struct loop *loop);
void task_run_now(struct loop *loop, struct task *task);

/* sim_step.c */
void sim_loops_add(struct loop *loop);
void sim_loops_until_end(struct loop *loop);

#endif

/* Roles, loops, messages, timers and tasks. Nothing of ours starts a thread in another way.
 *
 * A loop is one thread of one role (in the simulator: one of many loops that a single thread steps in random order). What runs
 * on a loop are handlers of messages, timers, tasks and watched descriptors; each is short (about 200 µs of work), then returns. Loops
 * share no mutable state: they post messages. A message is embedded in what it is about, is owned by the receiver from post until its
 * handler returns, and is posted at most once at a time.
 *
 *     ON(work)              this function runs on the work role only; checked by clang on direct calls
 *     OWNED_BY(work)        this field is touched on the work role only; checked by clang
 *     UNSHARED              this function runs before the loops do, or after: it may touch what any role owns
 *     run_on_work()         the same as ON at run time, at every slot wrapper; what calls it through a pointer is not seen by clang
 */
#ifndef RUN_RUN_H
#define RUN_RUN_H

#include "base/list.h"
#include "base/time.h"
#include "os/os.h"

enum role { ROLE_NONE, ROLE_MAIN, ROLE_NET, ROLE_DISK, ROLE_WORK, ROLE_BLOCK, ROLE_COUNT };

#if defined(__clang__)
#define RUN_CAPABILITY __attribute__((capability("role")))
#define ON(role) __attribute__((requires_capability(role_##role)))
#define OWNED_BY(role) __attribute__((guarded_by(role_##role)))
#define UNSHARED __attribute__((no_thread_safety_analysis))
#define RUN_ASSERTS(role) __attribute__((assert_capability(role_##role)))
#else
#define RUN_CAPABILITY
#define ON(role)
#define OWNED_BY(role)
#define UNSHARED
#define RUN_ASSERTS(role)
#endif

struct RUN_CAPABILITY role_token {
    int unused;
};
extern struct role_token role_main, role_net, role_disk, role_work, role_block;

/* Role of the calling thread (of the loop that is being stepped). */
enum role run_role(void);
static inline bool run_is(enum role role)
{
    return run_role() == role;
}
/* At the top of slots and handlers: checks, and tells clang. */
static inline void run_on_main(void) RUN_ASSERTS(main)
{
    CHECK(run_is(ROLE_MAIN));
}
static inline void run_on_net(void) RUN_ASSERTS(net)
{
    CHECK(run_is(ROLE_NET));
}
static inline void run_on_disk(void) RUN_ASSERTS(disk)
{
    CHECK(run_is(ROLE_DISK));
}
static inline void run_on_work(void) RUN_ASSERTS(work)
{
    CHECK(run_is(ROLE_WORK));
}
static inline void run_on_block(void) RUN_ASSERTS(block)
{
    CHECK(run_is(ROLE_BLOCK));
}

struct loop;

/* A loop that does not run yet. name: for threads, logs. */
bool loop_new(enum role role, const char *name, struct loop **loop, struct err *err);
/* Starts its thread. ROLE_MAIN has none: the calling thread is the loop's from now on (loop_current, timers, tasks), and calls loop_run itself.
 * In the simulator: makes it eligible for stepping. */
bool loop_start(struct loop *loop, struct err *err);
/* Runs until loop_stop. In the simulator: steps all loops until then. */
void loop_run(struct loop *loop);
/* Any role. The loop ends after the messages posted before. */
void loop_stop(struct loop *loop);
/* Waits for its thread (the simulator: steps all loops until it has ended). After: loop_free. */
void loop_join(struct loop *loop);
void loop_free(struct loop *loop);
enum role loop_role(const struct loop *loop);
/* The loop that the calling code runs on. */
struct loop *loop_current(void);

/* ---- messages ---------------------------------------------------------------------------------------------------- */
struct msg {
    struct msg *next;                /* the mailbox's */
    void (*handle)(struct msg *msg); /* runs on the receiving loop */
    bool posted;
};
static inline void msg_init(struct msg *msg, void (*handle)(struct msg *msg))
{
    *msg = (struct msg){.handle = handle};
}
/* Any role, wait-free for the receiver; messages from one sender arrive in order. msg is not posted already. */
void loop_post(struct loop *loop, struct msg *msg);

/* ---- timers (own loop only) -------------------------------------------------------------------------------------- */
struct timer {
    struct mono_time due;
    void (*fire)(struct timer *timer);
    uint32_t heap_index; /* 0 = not set */
};
void timer_init(struct timer *timer, void (*fire)(struct timer *timer));
void timer_set(struct timer *timer, struct mono_time due); /* on loop_current(); again = moved */
void timer_set_in(struct timer *timer, int64_t ns);
void timer_cancel(struct timer *timer); /* not set is fine */
static inline bool timer_is_set(const struct timer *timer)
{
    return timer->heap_index != 0;
}

/* ---- tasks (own loop only) --------------------------------------------------------------------------------------- */
/* A step function that wants to run again and again: run(task) returns true to be run again soon (after the others), false to sleep
 * until task_wake. */
struct task {
    struct list link;
    bool (*run)(struct task *task);
    bool ready, running;
};
void task_init(struct task *task, bool (*run)(struct task *task));
void task_wake(struct task *task); /* on its loop; when it runs right now, it runs once more */
void task_cancel(struct task *task);

/* A wake-up of a task from any role: posts at most one message at a time. */
struct waker {
    struct msg msg;
    struct loop *loop;
    struct task *task;
    int pending; /* atomic inside run/ */
};
void waker_init(struct waker *waker, struct loop *loop, struct task *task);
void waker_wake(struct waker *waker); /* any role */
/* Is a wake-up on its way? Once nobody can call waker_wake any more, one that is not can be freed. On its loop. */
bool waker_is_pending(const struct waker *waker);

/* ---- descriptors (own loop only) ---------------------------------------------------------------------------------- */
struct watch {
    void (*ready)(struct watch *watch, unsigned events);
    int fd;
    unsigned interest;
};
/* interest 0 = stop watching; the watch outlives its registration. fd is a real descriptor. */
bool loop_watch_fd(struct loop *loop, struct watch *watch, int fd, unsigned interest, struct err *err);
/* The same for a handle of os/. */
bool loop_watch(struct loop *loop, struct watch *watch, int file, unsigned interest, struct err *err);

/* From now on SIGINT and SIGTERM run handler(arg, 1), (arg, 2), … on this loop: os_signals. Own loop only. */
bool loop_signals(struct loop *loop, void (*handler)(void *arg, int count), void *arg, struct err *err);

/* ---- sharing (Rule Zero: log/ keeps a mutex around short look-ups; everything else posts messages) ----------------- */
struct lock; /* a mutex; in the simulator a check that nobody holds it */
struct lock *lock_new(void);
void lock_free(struct lock *lock);
void lock_take(struct lock *lock);
void lock_release(struct lock *lock);

/* A thread waits for what another loop does. latch_open is the last touch: the waiter may be gone after it, and the latch with it. */
struct latch {
    struct lock *lock;
    struct os_poller *poller;
    bool open; /* under the lock, as the wake-up is */
};
bool latch_init(struct latch *latch, struct err *err);
void latch_open(struct latch *latch); /* any role, once */
void latch_wait(struct latch *latch); /* until it is open; ends the latch */

/* ---- counters ------------------------------------------------------------------------------------------------------ */
/* Written by one role, read by any without tearing. */
struct counter {
    uint64_t value; /* through counter_* only */
};
void counter_add(struct counter *c, uint64_t n);
void counter_set(struct counter *c, uint64_t n);
uint64_t counter_get(const struct counter *c);

/* ---- the simulator's side -------------------------------------------------------------------------------------------- */
/* One step of some eligible loop chosen by the seed; when nothing is ready, moves virtual time to the next timer. False when nothing
 * will ever happen again. */
bool run_sim_step(void);
/* Frees all loops of the process: for the next simulated life. */
void run_sim_reset(void);

#endif

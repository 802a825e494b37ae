/* Tasks: step functions that take turns on their loop, and wakers, which reach a task from another role.
 *
 *            task_wake                 its turn                run returns false, no wake meanwhile
 *   asleep ────────────▶ ready ────────────────▶ running ──────────────────────────────────────────▶ asleep
 *                          ▲                        │ run returns true, or task_wake meanwhile
 *                          └────────────────────────┘
 *
 * ready and running are flags of their own, since a running task can be woken; a ready task that does not run is in the
 * loop's list. A task may be cancelled and freed by its own run. */
#include "run/run_private.h"

void task_init(struct task *task, bool (*run)(struct task *task))
{
    *task = (struct task){.run = run};
    list_init(&task->link);
}

void task_wake(struct task *task)
{
    CHECK(loop_now != NULL && task->run != NULL);
    if (task->ready)
        return;
    task->ready = true;
    if (!task->running)
        list_push_back(&loop_now->ready, &task->link);
}

void task_cancel(struct task *task)
{
    if (task->run == NULL) /* never initialised */
        return;
    CHECK(loop_now != NULL || !task->ready);
    list_remove(&task->link);
    task->ready = task->running = false;
    if (loop_now && loop_now->running == task)
        loop_now->running = NULL;
}

void task_run_now(struct loop *loop, struct task *task)
{
    list_remove(&task->link);
    task->ready = false;
    task->running = true;
    loop->running = task;
    bool again = task->run(task);
    if (loop->running != task) /* cancelled, perhaps freed */
        return;
    loop->running = NULL;
    task->running = false;
    if (again || task->ready) {
        task->ready = true;
        list_push_back(&loop->ready, &task->link);
    }
}

void tasks_run_round(struct loop *loop)
{
    if (list_empty(&loop->ready))
        return;
    struct list *end = &loop->round_end; /* what becomes ready meanwhile waits for the next round */
    list_push_back(&loop->ready, end);
    while (loop->ready.next != end && !loop->has_ended)
        task_run_now(loop, CONTAINER_OF(loop->ready.next, struct task, link));
    list_remove(end);
}

/* ---- wakers ---------------------------------------------------------------------------------------------------- */

static void handle_wake(struct msg *msg)
{
    struct waker *waker = CONTAINER_OF(msg, struct waker, msg);
    /* Before the task runs, so that what is handed over after this wakes it once more. */
    __atomic_store_n(&waker->pending, 0, __ATOMIC_RELEASE);
    task_wake(waker->task);
}

void waker_init(struct waker *waker, struct loop *loop, struct task *task)
{
    *waker = (struct waker){.loop = loop, .task = task};
    msg_init(&waker->msg, handle_wake);
}

bool waker_is_pending(const struct waker *waker)
{
    return __atomic_load_n(&waker->pending, __ATOMIC_ACQUIRE) != 0;
}

void waker_wake(struct waker *waker)
{
    if (__atomic_exchange_n(&waker->pending, 1, __ATOMIC_ACQ_REL) == 0)
        loop_post(waker->loop, &waker->msg);
}

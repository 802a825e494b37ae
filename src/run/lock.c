/* Locks, latches and counters. In the simulator a lock that is held when it is taken was held over a step of a loop, or taken twice:
 * os_mutex_lock ends the program there. */
#include "run/run.h"

struct lock {
    struct os_mutex *mutex;
};

struct lock *lock_new(void)
{
    struct lock *lock = mem_new(sizeof *lock);
    lock->mutex = os_mutex_new();
    return lock;
}

void lock_free(struct lock *lock)
{
    if (lock == NULL)
        return;
    os_mutex_free(lock->mutex);
    mem_free(lock);
}

void lock_take(struct lock *lock)
{
    os_mutex_lock(lock->mutex);
}

void lock_release(struct lock *lock)
{
    os_mutex_unlock(lock->mutex);
}

bool latch_init(struct latch *latch, struct err *err)
{
    *latch = (struct latch){.open = false};
    TRY(os_poller_new(&latch->poller, err));
    latch->lock = lock_new();
    return true;
}

void latch_open(struct latch *latch)
{
    struct lock *lock = latch->lock;
    lock_take(lock);
    latch->open = true;
    os_poller_wake(latch->poller);
    lock_release(lock);
}

static bool latch_is_open(struct latch *latch)
{
    lock_take(latch->lock);
    bool open = latch->open;
    lock_release(latch->lock);
    return open;
}

void latch_wait(struct latch *latch)
{
    struct os_event event;
    while (!latch_is_open(latch))
        os_poller_wait(latch->poller, &event, 1, -1);
    os_poller_free(latch->poller);
    lock_free(latch->lock);
}

/* One role writes: no read-modify-write is needed, only that no reader sees half a value. */
void counter_add(struct counter *c, uint64_t n)
{
    __atomic_store_n(&c->value, __atomic_load_n(&c->value, __ATOMIC_RELAXED) + n, __ATOMIC_RELAXED);
}

void counter_set(struct counter *c, uint64_t n)
{
    __atomic_store_n(&c->value, n, __ATOMIC_RELAXED);
}

uint64_t counter_get(const struct counter *c)
{
    return __atomic_load_n(&c->value, __ATOMIC_RELAXED);
}

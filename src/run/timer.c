/* Timers of a loop: a binary heap by (due, order of setting). The due time stands in the heap too, so that sifting touches no
 * timer but the moved ones. heap_index counts from 1; 0 is "not set". */
#include "run/run_private.h"

static bool is_before(const struct timer_entry *a, const struct timer_entry *b)
{
    return a->due.ns != b->due.ns ? a->due.ns < b->due.ns : a->order < b->order;
}

static void put(struct loop *loop, size_t i, struct timer_entry entry)
{
    loop->timers[i] = entry;
    entry.timer->heap_index = (uint32_t)i;
}

/* Finds the place for entry, which may go to i or above or below it. */
static void sift(struct loop *loop, size_t i, struct timer_entry entry)
{
    for (; i > 1 && is_before(&entry, &loop->timers[i / 2]); i /= 2)
        put(loop, i, loop->timers[i / 2]);
    for (;;) {
        size_t child = 2 * i;
        if (child > loop->timer_count)
            break;
        if (child < loop->timer_count && is_before(&loop->timers[child + 1], &loop->timers[child]))
            child++;
        if (!is_before(&loop->timers[child], &entry))
            break;
        put(loop, i, loop->timers[child]);
        i = child;
    }
    put(loop, i, entry);
}

void timers_check(const struct loop *loop)
{
    for (size_t i = 1; i <= loop->timer_count; i++) {
        CHECK(loop->timers[i].timer->heap_index == i);
        CHECK(loop->timers[i].due.ns >= loop->timers[i].timer->due.ns);
        CHECK(i == 1 || !is_before(&loop->timers[i], &loop->timers[i / 2]));
    }
}

static struct loop *loop_of(const struct timer *timer)
{
    struct loop *loop = loop_now;
    CHECK(loop != NULL);
    CHECK(timer->heap_index <= loop->timer_count);
    CHECK(timer->heap_index == 0 || loop->timers[timer->heap_index].timer == timer); /* set on this loop */
    return loop;
}

void timer_init(struct timer *timer, void (*fire)(struct timer *timer))
{
    *timer = (struct timer){.fire = fire};
}

void timer_set(struct timer *timer, struct mono_time due)
{
    struct loop *loop = loop_of(timer);
    CHECK(timer->fire != NULL);
    size_t at = timer->heap_index;
    if (at == 0) {
        CHECK(loop->timer_count < UINT32_MAX - 2);
        loop->timers = mem_grow(loop->timers, &loop->timer_capacity, loop->timer_count + 2,
                                sizeof *loop->timers);
        at = ++loop->timer_count;
    }
    timer->due = due;
    if (due.ns < loop->timers_now.ns)
        due = loop->timers_now;
    sift(loop, at, (struct timer_entry){due, loop->timer_order++, timer});
}

void timer_set_in(struct timer *timer, int64_t ns)
{
    int64_t due;
    if (__builtin_add_overflow(os_mono().ns, ns, &due))
        due = INT64_MAX;
    timer_set(timer, (struct mono_time){due});
}

void timer_cancel(struct timer *timer)
{
    if (timer->heap_index == 0)
        return;
    struct loop *loop = loop_of(timer);
    size_t at = timer->heap_index;
    struct timer_entry last = loop->timers[loop->timer_count--];
    timer->heap_index = 0;
    if (last.timer != timer)
        sift(loop, at, last);
}

void timers_fire_one(struct loop *loop)
{
    struct timer *timer = loop->timers[1].timer;
    timer_cancel(timer);
    timer->fire(timer); /* may set timer again, or free it */
}

/* A timer that is set again while this runs has an order from `end` on, and waits for the next turn; and what is set to the past
 * counts as set to now. So one that always sets itself to the past keeps the loop neither from its messages nor from its other
 * timers. */
void timers_fire(struct loop *loop, struct mono_time now)
{
    uint64_t end = loop->timer_order;
    loop->timers_now = now;
    while (!loop->has_ended && loop->timer_count > 0 && loop->timers[1].due.ns <= now.ns &&
           loop->timers[1].order < end)
        timers_fire_one(loop);
}

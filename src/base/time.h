/* Three clocks that must never be mixed, as three types. */
#ifndef BASE_TIME_H
#define BASE_TIME_H

#include <stdint.h>

/* Wall time: microseconds since 1970-01-01T00:00:00Z. May jump. */
struct wall_time {
    int64_t us;
};
/* Monotonic time: nanoseconds since some start. Never jumps back; meaningless in another process. */
struct mono_time {
    int64_t ns;
};
/* Event time: microseconds since 1970-01-01T00:00:00Z, as the data says. */
struct event_time {
    int64_t us;
};

#define EVENT_TIME_NONE ((struct event_time){INT64_MIN})

#define US_PER_MS INT64_C(1000)
#define US_PER_S INT64_C(1000000)
#define NS_PER_US INT64_C(1000)
#define NS_PER_MS INT64_C(1000000)
#define NS_PER_S INT64_C(1000000000)

static inline int64_t mono_since_ns(struct mono_time now, struct mono_time then)
{
    return now.ns - then.ns;
}
static inline struct mono_time mono_add_ns(struct mono_time t, int64_t ns)
{
    return (struct mono_time){t.ns + ns};
}

#endif

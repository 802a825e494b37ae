/* Which seeds a test in the simulator runs, from the environment: SEEDS=n so many, SEED=n that one; both: so many from that one on. */
#ifndef REF_SEEDS_H
#define REF_SEEDS_H

#include <stdint.h>
#include <stdlib.h>

static inline uint64_t seed_number(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    return text ? strtoull(text, NULL, 10) : otherwise;
}

static inline uint64_t seed_count(uint64_t otherwise)
{
    return seed_number("SEEDS", getenv("SEED") ? 1 : otherwise);
}

/* for (uint64_t seed = seed_first(); seed < seed_end(count); seed++) */
static inline uint64_t seed_first(void)
{
    return seed_number("SEED", 1);
}

static inline uint64_t seed_end(uint64_t count)
{
    return seed_first() + count;
}

#endif

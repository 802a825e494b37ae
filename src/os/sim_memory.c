/* The simulator's allocator, in the memory that all lives share: a bump pointer and free lists by size. Its users know the size of
 * what they free. A life that dies in the middle of an allocation is impossible: it dies in its own call of os/ or between two. */
#include <string.h>

#include "os/sim_private.h"

/* The free list of a size, and the size that blocks of that list have. */
static void **list_of(size_t *size)
{
    if (*size <= SIM_SMALL_MAX) {
        size_t i = (*size + 15) / 16;
        *size = (i ? i : 1) * 16;
        return &sim->free_small[i ? i : 1];
    }
    int log = 63 - __builtin_clzll(*size - 1);         /* 2^log < size ≤ 2^(log+1) */
    size_t step = (size_t)1 << (log - 2);              /* a quarter of the doubling */
    size_t rounded = (*size + step - 1) & ~(step - 1); /* (4 … 8) × step */
    int index = (log - 13) * 4 + (int)(rounded / step) - 5;
    CHECK(index >= 0 && index < SIM_LARGE_CLASSES);
    *size = rounded;
    return &sim->free_large[index];
}

void sim_memory_init(struct sim_world *world, void *begin, void *end)
{
    world->at = begin;
    world->end = end;
}

void *sim_alloc(size_t size)
{
    void **list = list_of(&size), *p = *list;
    if (p) {
        memcpy(list, p, sizeof *list);
        return memset(p, 0, size);
    }
    CHECK((size_t)(sim->end - sim->at) >= size); /* SIM_MEMORY is not enough */
    p = sim->at;
    sim->at += size;
    return p; /* fresh pages are zero */
}

void sim_free(void *p, size_t size)
{
    if (p == NULL)
        return;
    void **list = list_of(&size);
    memcpy(p, list, sizeof *list);
    *list = p;
}

char *sim_strdup(const char *s)
{
    size_t n = strlen(s) + 1;
    return memcpy(sim_alloc(n), s, n);
}

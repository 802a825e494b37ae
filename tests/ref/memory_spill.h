/* Temporary files in memory, for tests of operators: they say how many there are, and fail when they are told to. */
#ifndef REF_MEMORY_SPILL_H
#define REF_MEMORY_SPILL_H

#include "state/spill.h"

struct memory_spills {
    struct spills spills;
    int64_t open, opened; /* files: now, ever */
    uint64_t fail_after;  /* the n-th call from now fails; 0: none does */
};
void memory_spills_init(struct memory_spills *m, size_t budget);

#endif

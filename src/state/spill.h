/* Where an operator puts what is more than it may hold in memory: temporary files that are written once, from their beginning, and read in any place.
 * Operators are pure and know the functions only; those here are the ones over os/. */
#ifndef STATE_SPILL_H
#define STATE_SPILL_H

#include "base/err.h"
#include "base/mem.h"

struct spill; /* one file */

struct spills {
    size_t budget; /* bytes that an operator may hold before it spills */
    /* An empty file; NULL: an error. ERR_RETRY, as from all of them: the disk is full, or fails. */
    struct spill *(*open)(struct spills *spills, struct err *err);
    bool (*append)(struct spill *spill, const void *p, size_t n, struct err *err);
    /* All of [offset, offset + n), which was written before. */
    bool (*read)(struct spill *spill, uint64_t offset, void *p, size_t n, struct err *err);
    /* Its bytes are gone. NULL is fine. */
    void (*close)(struct spill *spill);
};

/* Files in `folder` (copied; made with the first), without a name as soon as they are there: whatever becomes of the process, their space is free
 * afterwards. Any role; blocks. */
struct spills *spills_in(struct pool *pool, const char *folder, size_t budget);

#endif

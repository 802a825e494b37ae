/* Reference-counted byte buffers: the memory that was read, journaled or received, shared by every batch that points
 * into it. The count is the one thing here that roles share; hence the atomic builtins (elsewhere only run/ has them):
 * a buffer outlives its owner's interest in it, so it cannot be sent home. */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf {
    uint8_t *p;
    size_t n;        /* bytes used */
    size_t capacity; /* bytes at p */
    int refs;        /* through buf_ref and buf_unref only */
    void (*release)(struct buf *buf,
                    void *arg); /* runs on the role that drops the last reference; frees buf and p */
    void *arg;
};

/* A buffer of capacity bytes (aligned to 4 KiB from 4 KiB up, to 2 MiB from 2 MiB up), not zeroed, one reference, given to the caller. */
struct buf *buf_new(size_t capacity) __attribute__((returns_nonnull));
/* As buf_new, or NULL. */
struct buf *buf_try_new(size_t capacity);
/* One reference more; returns buf. */
struct buf *buf_ref(struct buf *buf);
/* Has anybody else a reference? False: the caller, who has one, may write over all of it. */
bool buf_is_shared(const struct buf *buf);
/* One reference less; the last one releases. NULL is fine. Any role. */
void buf_unref(struct buf *buf);

#endif

/* Buffers of one size that come back: the last unref, on any role, returns one to its pool, also after its owner is gone. */
#ifndef RUN_BUF_POOL_H
#define RUN_BUF_POOL_H

#include <stddef.h>

#include "base/buf.h"

struct buf_pool;

/* `keep` of them at most wait in the pool. */
struct buf_pool *buf_pool_new(size_t size, size_t keep) __attribute__((returns_nonnull));
/* No buffer comes back any more; those that are out are freed when they come. NULL is fine. */
void buf_pool_close(struct buf_pool *pool);
/* At least n bytes: of the pool when n is at most its size, else one of its own. */
struct buf *buf_pool_take(struct buf_pool *pool, size_t n) __attribute__((returns_nonnull));
/* Frees what has waited since the last call: an owner that calls it now and then keeps no more than it uses. */
void buf_pool_trim(struct buf_pool *pool);

#endif

#include "run/buf_pool.h"

#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "os/os.h"
#include "run/run.h"

/* A buffer that is out refers to its pool; so the pool lives until the last one is back. */
struct buf_pool {
    struct lock *lock;
    size_t size, keep;
    /* [lock] */
    struct buf **idle; /* [keep] */
    size_t idle_count, out;
    size_t unused; /* at most idle_count: so many have waited since the last trim */
    bool closed;
};

struct buf_pool *buf_pool_new(size_t size, size_t keep)
{
    struct buf_pool *pool = mem_new(sizeof *pool);
    *pool = (struct buf_pool){
        .lock = lock_new(), .size = size, .keep = keep, .idle = mem_new_array(struct buf *, keep)};
    return pool;
}

static void pool_end(struct buf_pool *pool)
{
    lock_free(pool->lock);
    mem_free(pool->idle);
    mem_free(pool);
}

/* The way of a buffer that no pool wants: as base/buf.c made it. */
static void release_for_good(struct buf *buf)
{
    struct buf *plain = buf_new(0);
    buf->release = plain->release;
    buf->arg = plain->arg;
    buf_unref(plain);
    buf->release(buf, buf->arg);
}

static void come_back(struct buf *buf, void *arg)
{
    struct buf_pool *pool = arg;
    lock_take(pool->lock);
    pool->out--;
    bool keep = !pool->closed && pool->idle_count < pool->keep;
    if (keep) {
        buf->refs = 1;
        buf->n = 0;
        pool->idle[pool->idle_count++] = buf;
    }
    bool last = pool->closed && pool->out == 0;
    lock_release(pool->lock);
    if (!keep)
        release_for_good(buf);
    if (last)
        pool_end(pool);
}

void buf_pool_close(struct buf_pool *pool)
{
    if (pool == NULL)
        return;
    lock_take(pool->lock);
    pool->closed = true;
    size_t n = pool->idle_count;
    pool->idle_count = 0;
    bool last = pool->out == 0;
    lock_release(pool->lock);
    for (size_t i = 0; i < n; i++)
        release_for_good(pool->idle[i]);
    if (last)
        pool_end(pool);
}

struct buf *buf_pool_take(struct buf_pool *pool, size_t n)
{
    if (n > pool->size)
        return buf_new(n);
    lock_take(pool->lock);
    pool->out++;
    struct buf *buf = pool->idle_count > 0 ? pool->idle[--pool->idle_count] : NULL;
    if (pool->unused > pool->idle_count)
        pool->unused = pool->idle_count;
    lock_release(pool->lock);
    if (buf == NULL) {
        buf = buf_new(pool->size);
        os_huge_hint(buf->p, buf->capacity);
        buf->release = come_back;
        buf->arg = pool;
    }
    return buf;
}

void buf_pool_trim(struct buf_pool *pool)
{
    for (bool more = true; more;) {
        struct buf *buf = NULL;
        lock_take(pool->lock);
        more = pool->unused > 0;
        if (more) {
            buf = pool->idle[0]; /* the one that has waited longest */
            pool->unused--;
            pool->idle_count--;
            memmove(pool->idle, pool->idle + 1, pool->idle_count * sizeof *pool->idle);
        } else {
            pool->unused = pool->idle_count;
        }
        lock_release(pool->lock);
        if (more)
            release_for_good(buf);
    }
}

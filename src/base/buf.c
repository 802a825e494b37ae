/* LAYERS: allow _Atomic for the reference count, see buf.h. */
#include "base/buf.h"

#include <stdlib.h>

#include "base/check.h"
#include "base/mem.h"

enum { PAGE = 4096, HUGE_PAGE = 2 << 20 };

static void release_heap(struct buf *buf, void *arg)
{
    (void)arg;
    if (buf->capacity >= PAGE)
        free(buf->p); /* from posix_memalign, which mem_free does not count */
    else
        mem_free(buf->p);
    mem_free(buf);
}

struct buf *buf_try_new(size_t capacity)
{
    struct buf *buf = mem_try_new(sizeof *buf);
    if (buf == NULL)
        return NULL;
    size_t rounded = capacity < PAGE ? capacity : (capacity + PAGE - 1) / PAGE * PAGE;
    void *p = NULL;
    if (capacity < PAGE)
        p = mem_try_new(capacity);
    else if (rounded < capacity || posix_memalign(&p, rounded < HUGE_PAGE ? PAGE : HUGE_PAGE, rounded) != 0)
        p = NULL;
    buf->p = p;
    if (p == NULL) {
        mem_free(buf);
        return NULL;
    }
    buf->capacity = rounded;
    buf->refs = 1;
    buf->release = release_heap;
    return buf;
}

struct buf *buf_new(size_t capacity)
{
    struct buf *buf = buf_try_new(capacity);
    if (buf == NULL)
        mem_exhausted(capacity);
    return buf;
}

struct buf *buf_ref(struct buf *buf)
{
    int before = __atomic_fetch_add(&buf->refs, 1, __ATOMIC_RELAXED);
    CHECK(before > 0);
    return buf;
}

bool buf_is_shared(const struct buf *buf)
{
    int refs = __atomic_load_n(&buf->refs, __ATOMIC_ACQUIRE);
    CHECK(refs > 0);
    return refs > 1;
}

void buf_unref(struct buf *buf)
{
    if (buf == NULL)
        return;
    int before = __atomic_fetch_sub(&buf->refs, 1, __ATOMIC_ACQ_REL);
    CHECK(before > 0);
    if (before == 1)
        buf->release(buf, buf->arg);
}

/* Buffers that come back: as often as they are wanted, after the owner's end, and not for ever. */
#include "run/buf_pool.h"

#include "base/mem.h"
#include "base/test.h"

TEST(a_buffer_comes_back)
{
    struct buf_pool *pool = buf_pool_new(8192, 2);
    struct buf *a = buf_pool_take(pool, 1), *b = buf_pool_take(pool, 8192), *c = buf_pool_take(pool, 1);
    struct buf *large = buf_pool_take(pool, 8193);
    EXPECT(a->capacity == 8192 && large->capacity > 8192);
    uint8_t *p = a->p, *q = b->p;
    b->n = 100;
    buf_unref(c);
    buf_unref(buf_ref(a));
    buf_unref(a); /* the second to wait */
    buf_unref(b); /* the third is one too many */
    buf_unref(large);
    a = buf_pool_take(pool, 1);
    EXPECT(a->p == p && a->n == 0);
    b = buf_pool_take(pool, 1);
    EXPECT(b->p != p && b->p != q);
    buf_pool_close(pool);
    buf_unref(a);
    buf_unref(b);
}

TEST(a_trim_frees_what_nobody_took_since_the_last)
{
    struct buf_pool *pool = buf_pool_new(4096, 8);
    struct buf *bufs[4];
    size_t none = mem_in_use(), all = 0;
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 4; i++)
            bufs[i] = buf_pool_take(pool, 4096);
        all = mem_in_use();
        for (int i = 0; i < 4; i++)
            buf_unref(bufs[i]);
        buf_pool_trim(pool);
        EXPECT_EQ_INT(mem_in_use(), all); /* all four were used */
    }
    size_t each = (all - none) / 4;
    EXPECT(each > 0);
    struct buf *kept = buf_pool_take(pool, 1);
    uint8_t *p = kept->p;
    buf_unref(kept);
    buf_pool_trim(pool);
    EXPECT_EQ_INT(mem_in_use(), none + each); /* three were not */
    kept = buf_pool_take(pool, 1);
    EXPECT(kept->p == p);
    buf_unref(kept);
    buf_pool_trim(pool); /* it was used before this one, and not before the next */
    EXPECT_EQ_INT(mem_in_use(), none + each);
    buf_pool_trim(pool);
    EXPECT_EQ_INT(mem_in_use(), none);
    buf_pool_close(pool);
}

int main(void)
{
    RUN(a_buffer_comes_back);
    RUN(a_trim_frees_what_nobody_took_since_the_last);
    return test_end();
}

#include "base/buf.h"

#include <string.h>

#include "base/list.h"
#include "base/mem.h"
#include "base/test.h"

TEST(the_last_reference_frees)
{
    size_t before = mem_in_use();
    struct buf *buf = buf_new(100000);
    EXPECT_EQ_INT((uintptr_t)buf->p % 4096, 0);
    EXPECT(buf->capacity >= 100000 && buf->n == 0);
    memset(buf->p, 1, buf->capacity);
    EXPECT(!buf_is_shared(buf));
    EXPECT(buf_ref(buf) == buf);
    EXPECT(buf_is_shared(buf));
    buf_unref(buf);
    EXPECT(!buf_is_shared(buf));
    EXPECT_EQ_INT(buf->refs, 1);
    buf_unref(buf);
    buf_unref(NULL);
    EXPECT_EQ_INT(mem_in_use(), before);
    mem_fail_after(1);
    EXPECT(buf_try_new(10) == NULL);
    mem_fail_after(0);
    buf_unref(buf_new(0));
    buf_unref(buf_new((3 << 20) + 1)); /* no multiple of a huge page */
}

struct item {
    int n;
    struct list link;
};

TEST(lists)
{
    struct list head;
    struct item items[3] = {{.n = 1}, {.n = 2}, {.n = 3}};
    list_init(&head);
    EXPECT(list_empty(&head) && list_pop_front(&head) == NULL);
    list_push_back(&head, &items[1].link);
    list_push_back(&head, &items[2].link);
    list_push_front(&head, &items[0].link);
    int expected = 1;
    LIST_EACH(link, &head)
    EXPECT_EQ_INT(CONTAINER_OF(link, struct item, link)->n, expected++);
    list_remove(&items[1].link);
    list_remove(&items[1].link); /* twice is harmless */
    EXPECT(list_pop_front(&head) == &items[0].link);
    EXPECT(list_pop_front(&head) == &items[2].link);
    EXPECT(list_empty(&head));
}

int main(void)
{
    RUN(the_last_reference_frees);
    RUN(lists);
    return test_end();
}

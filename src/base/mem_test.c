#include "base/mem.h"

#include <string.h>

#include "base/test.h"

TEST(arenas_hand_out_aligned_memory_that_does_not_overlap)
{
    struct arena arena = {0};
    uint8_t *blocks[500];
    for (size_t i = 0; i < 500; i++) {
        size_t size = i * i % 3000;
        blocks[i] = arena_alloc(&arena, size);
        EXPECT(blocks[i] != NULL && (uintptr_t)blocks[i] % 16 == 0);
        memset(blocks[i], (int)i, size);
    }
    for (size_t i = 0; i < 500; i++)
        for (size_t k = 0; k < i * i % 3000; k++)
            if (blocks[i][k] != (uint8_t)i) {
                EXPECT(!"a block was overwritten");
                return;
            }
    arena_fini(&arena);
}

TEST(an_arena_keeps_its_memory_over_a_reset)
{
    struct arena arena = {0};
    arena_alloc(&arena, 100000);
    size_t held = mem_in_use();
    for (int i = 0; i < 10; i++) {
        arena_reset(&arena);
        EXPECT_EQ_INT(arena.bytes, 0);
        arena_alloc(&arena, 100000);
    }
    EXPECT_EQ_INT(mem_in_use(), held);
    arena_alloc(&arena, 32 << 20);
    arena_reset(&arena); /* but not that much */
    EXPECT(mem_in_use() < held + (8 << 20));
    arena_fini(&arena);
}

TEST(an_arena_has_a_limit_for_what_input_asks)
{
    struct arena arena = {.limit = 1000};
    volatile size_t huge = SIZE_MAX; /* so that the compiler does not refuse first */
    EXPECT(arena_try_alloc(&arena, 900) != NULL);
    EXPECT(arena_try_alloc(&arena, 200) == NULL);
    EXPECT(arena_try_alloc(&arena, huge) == NULL);
    EXPECT(arena_alloc(&arena, 200) != NULL); /* the program's own sizes are not limited */
    arena_reset(&arena);
    EXPECT(arena_try_alloc(&arena, 900) != NULL);
    arena_fini(&arena);
    EXPECT_EQ_INT(arena.limit, 1000);
}

TEST(no_bytes_have_an_address)
{
    struct arena arena = {0};
    EXPECT(arena_alloc(&arena, 0) != NULL);
    EXPECT(arena_dup(&arena, NULL, 0) != NULL);
    EXPECT(arena_zalloc(&arena, 0) != NULL);
    arena_fini(&arena);
}

TEST(copies_and_texts)
{
    struct arena arena = {0};
    EXPECT_STR(arena_printf(&arena, "%s-%d", "x", 42), "x-42");
    EXPECT_STR(arena_strdup(&arena, "abc"), "abc");
    int *zeros = arena_zarray(&arena, int, 100);
    for (int i = 0; i < 100; i++)
        EXPECT_EQ_INT(zeros[i], 0);
    arena_fini(&arena);
    char *s = mem_strdup("text");
    EXPECT_STR(s, "text");
    mem_free(s);
    EXPECT_EQ_INT(mem_product(SIZE_MAX / 2, 3), SIZE_MAX);
    EXPECT_EQ_INT(mem_product(7, 6), 42);
}

TEST(arrays_grow_by_doubling)
{
    size_t capacity = 0;
    int *items = NULL;
    for (int i = 0; i < 1000; i++) {
        items = mem_grow(items, &capacity, (size_t)i + 1, sizeof *items);
        items[i] = i;
    }
    EXPECT_EQ_INT(capacity, 1024);
    EXPECT_EQ_INT(items[999], 999);
    mem_free(items);
}

TEST(an_allocation_can_be_made_to_fail)
{
    mem_fail_after(2);
    void *first = mem_try_new(10), *second = mem_try_new(10), *third = mem_try_new(10);
    EXPECT(first != NULL && second == NULL && third != NULL);
    EXPECT_EQ_INT(mem_fail_after(0), 3);
    mem_free(first);
    mem_free(third);
    volatile size_t huge = SIZE_MAX; /* so that the compiler does not refuse first */
    EXPECT(mem_try_new(huge) == NULL);
}

static char closed[8];
static void note(void *arg)
{
    const char *name = arg;
    strncat(closed, name, 1);
}

TEST(a_pool_frees_children_first_and_closes_newest_first)
{
    size_t before = mem_in_use();
    struct pool *root = pool_new(NULL, "root"), *child = pool_new(root, "child"),
                *other = pool_new(root, "other");
    char *name = pool_printf(child, "%s", "x");
    EXPECT_STR(name, "x");
    char names[] = "12co";
    pool_on_free(root, note, names);
    pool_on_free(root, note, names + 1);
    pool_on_free(child, note, names + 2);
    pool_on_free(other, note, names + 3);
    pool_free(other);
    pool_free(root);
    EXPECT_STR(closed, "oc21");
    pool_free(NULL);
    EXPECT_EQ_INT(mem_in_use(), before);
}

int main(void)
{
    RUN(arenas_hand_out_aligned_memory_that_does_not_overlap);
    RUN(an_arena_keeps_its_memory_over_a_reset);
    RUN(an_arena_has_a_limit_for_what_input_asks);
    RUN(no_bytes_have_an_address);
    RUN(copies_and_texts);
    RUN(arrays_grow_by_doubling);
    RUN(an_allocation_can_be_made_to_fail);
    RUN(a_pool_frees_children_first_and_closes_newest_first);
    return test_end();
}

#include "base/map.h"

#include "base/test.h"

TEST(what_is_put_can_be_got_replaced_and_removed)
{
    struct map map = {0};
    int one, two;
    EXPECT(map_get(&map, STR("a")) == NULL);
    EXPECT(map_remove(&map, STR("a")) == NULL);
    EXPECT(map_put(&map, STR("a"), &one) == NULL);
    EXPECT(map_put(&map, STR("a"), &two) == &one);
    EXPECT(map_get(&map, STR("a")) == &two);
    EXPECT_EQ_INT(map.count, 1);
    EXPECT(map_remove(&map, STR("a")) == &two);
    EXPECT(map_get(&map, STR("a")) == NULL);
    EXPECT_EQ_INT(map.count, 0);
    EXPECT(map_put(&map, STR("a"), &one) == NULL);
    EXPECT(map_get(&map, STR("a")) == &one);
    EXPECT(map_put(&map, (struct str){0}, &two) == NULL && map_get(&map, STR("")) == &two);
    map_fini(&map);
}

/* Against a plain array: 5,000 keys that come and go. */
TEST(many_keys)
{
    enum { KEYS = 5000 };
    static char present[KEYS];
    struct map map = {0};
    uint32_t seed = 1, count = 0;
    for (int i = 0; i < 40000; i++) {
        seed = seed * 1664525 + 1013904223;
        uint32_t key = (seed >> 8) % KEYS;
        char text[16];
        snprintf(text, sizeof text, "key-%u", key); /* the map has a copy of its own */
        if (seed >> 31) {
            EXPECT((map_put(&map, str_of(text), &present[key]) != NULL) == present[key]);
            count += !present[key];
            present[key] = 1;
        } else {
            EXPECT((map_remove(&map, str_of(text)) != NULL) == present[key]);
            count -= present[key] != 0;
            present[key] = 0;
        }
        EXPECT_EQ_INT(map.count, count);
    }
    uint32_t seen = 0;
    MAP_EACH(entry, &map)
    {
        EXPECT(*(char *)entry->value == 1);
        seen++;
    }
    EXPECT_EQ_INT(seen, count);
    map_fini(&map);
}

TEST(iteration_is_in_order_of_insertion)
{
    struct map map = {0};
    static char names[3][8] = {"zeta", "alpha", "mid"};
    for (int i = 0; i < 3; i++)
        map_put(&map, str_of(names[i]), names[i]);
    int i = 0;
    MAP_EACH(entry, &map)
    EXPECT(str_is(entry->key, names[i++]));
    EXPECT_EQ_INT(i, 3);
    map_fini(&map);
}

/* The hash may be stored: it must never change. */
TEST(the_hash_is_fixed)
{
    EXPECT_EQ_INT(hash_bytes("", 0), UINT64_C(0x2D06800538D394C2));
    EXPECT_EQ_INT(hash_bytes("abc", 3), UINT64_C(0x78AF5F94892F3950));
}

int main(void)
{
    RUN(what_is_put_can_be_got_replaced_and_removed);
    RUN(many_keys);
    RUN(iteration_is_in_order_of_insertion);
    RUN(the_hash_is_fixed);
    return test_end();
}

#include "broker/java_hash.h"

#include "base/test.h"

/* What Java says: "…".hashCode(). */
TEST(hashes_are_those_of_java)
{
    EXPECT_EQ_INT(java_hash(STR("")), 0);
    EXPECT_EQ_INT(java_hash(STR("a")), 97);
    EXPECT_EQ_INT(java_hash(STR("test-group")), 627841412);
    EXPECT_EQ_INT(java_hash(STR("polygenelubricants")), INT32_MIN);
    EXPECT_EQ_INT(java_hash(STR("grün")), 3185949);
    EXPECT_EQ_INT(java_hash(STR("\xF0\x9F\x98\x80")), 1772899); /* U+1F600, two units */
}

TEST(a_partition_is_never_negative)
{
    EXPECT_EQ_INT(coordinator_partition(STR("polygenelubricants"), 50), 0);
    EXPECT_EQ_INT(coordinator_partition(STR("test-group"), 50), 12);
    EXPECT_EQ_INT(coordinator_partition(STR("console-consumer-92871"), 50), 18);
    EXPECT_EQ_INT(coordinator_partition(STR("anything"), 1), 0);
}

int main(void)
{
    RUN(hashes_are_those_of_java);
    RUN(a_partition_is_never_negative);
    return test_end();
}

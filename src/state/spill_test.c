#include "state/spill.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/test.h"
#include "os/os.h"

static char folder[64];

static size_t names_in_folder(void)
{
    struct arena arena = {0};
    struct err err;
    char **names;
    size_t count = 0;
    EXPECT(os_list(folder, &arena, &names, &count, &err));
    arena_fini(&arena);
    return count;
}

TEST(bytes_come_back_and_no_name_stays)
{
    struct pool *pool = pool_new(NULL, "test");
    struct spills *spills = spills_in(pool, folder, 1000);
    struct err err;
    char text[8] = "";
    struct spill *a = spills->open(spills, &err), *b = spills->open(spills, &err);
    EXPECT(spills->budget == 1000 && a && b && names_in_folder() == 0);
    EXPECT(spills->append(a, "abc", 3, &err) && spills->append(b, "xyz", 3, &err) &&
           spills->append(a, "def", 3, &err));
    EXPECT(spills->read(a, 1, text, 4, &err));
    EXPECT_STR(text, "bcde");
    EXPECT(names_in_folder() == 0);
    spills->close(a);
    spills->close(b);
    spills->close(NULL);
    pool_free(pool);
}

/* A process may end before it has taken a file's name away. */
TEST(what_is_left_over_is_removed)
{
    struct pool *pool = pool_new(NULL, "test");
    struct err err;
    EXPECT(os_write_file(pool_printf(pool, "%s/sluice-1.spill", folder), "x", 1, &err));
    EXPECT(os_write_file(pool_printf(pool, "%s/somebodys", folder), "x", 1, &err));
    struct spills *spills = spills_in(pool, folder, 1);
    EXPECT_EQ_INT(names_in_folder(), 2);
    spills->close(spills->open(spills, &err));
    EXPECT_EQ_INT(names_in_folder(), 1);
    EXPECT(os_unlink(pool_printf(pool, "%s/somebodys", folder), &err));
    pool_free(pool);
}

TEST(no_folder_is_an_error)
{
    struct pool *pool = pool_new(NULL, "test");
    struct err err = {0};
    struct spills *spills = spills_in(pool, "/dev/null/spill", 1);
    EXPECT(spills->open(spills, &err) == NULL && err.class != ERR_NONE);
    pool_free(pool);
}

int main(void)
{
    snprintf(folder, sizeof folder, "/tmp/spill-test-%d", (int)getpid());
    struct err err;
    CHECK(os_mkdirs(folder, &err));
    RUN(bytes_come_back_and_no_name_stays);
    RUN(what_is_left_over_is_removed);
    RUN(no_folder_is_an_error);
    CHECK(os_remove_tree(folder, &err));
    return test_end();
}

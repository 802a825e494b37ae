/* Every kind of source and sink has a table of options that makes sense, beside the keys that all have. */
#include "base/test.h"
#include "conf/option.h"
#include "conf/project_private.h"
#include "sink/sink.h"
#include "source/source.h"

static void expect_no_common_key(const char *kind, const struct option *table, const struct option *common)
{
    for (const struct option *o = table; o && o->name; o++)
        if (!EXPECT(option_find(common, str_of(o->name)) == NULL))
            fprintf(stderr, "    \"%s\" of kind \"%s\" is a key that all have\n", o->name, kind);
}

TEST(sources)
{
    for (const struct source_kind *const *kind = source_kinds; *kind; kind++) {
        if ((*kind)->options == NULL)
            continue;
        option_check((*kind)->options, (*kind)->options_size);
        expect_no_common_key((*kind)->name, (*kind)->options, conf_source_options);
    }
}

TEST(sinks)
{
    for (const struct sink_kind *const *kind = sink_kinds; *kind; kind++) {
        EXPECT((*kind)->schemes && (*kind)->schemes[0]);
        if ((*kind)->options == NULL)
            continue;
        option_check((*kind)->options, (*kind)->options_size);
        expect_no_common_key((*kind)->name, (*kind)->options, conf_target_options);
    }
}

int main(void)
{
    RUN(sources);
    RUN(sinks);
    return test_end();
}

/* Whether an option table makes sense. For tests: one loop over the lists of kinds finds what a table's author forgot. */
#include <stdio.h>

#include "base/check.h"
#include "conf/option_private.h"

enum { CHECK_DEPTH_MAX = 16 };

static void check_option(const struct option *o, unsigned depth);

static void check_default(const struct option *o)
{
    struct arena arena = {0};
    struct conf_diags diags = {.arena = &arena};
    struct conf_reader reader = {&arena, &diags};
    struct conf_node *node = arena_new(&arena, struct conf_node);
    void *out = arena_zalloc(&arena, option_size(o) + 1);
    node->text = str_of(o->default_text);
    node->style = CONF_DOUBLE;
    bool ok = conf_read_value(&reader, o, NULL, node, NULL, out);
    if (!ok && diags.count > 0)
        fprintf(stderr, "option \"%s\": %s\n", o->name, diags.items[0].err.text);
    CHECK(ok);
    arena_fini(&arena);
}

static void check_table(const struct option *table, size_t size, unsigned depth)
{
    CHECK(depth < CHECK_DEPTH_MAX);
    for (const struct option *o = table; o->name; o++) {
        for (const struct option *before = table; before < o; before++)
            CHECK(strcmp(before->name, o->name) != 0);
        CHECK(o->help != NULL && o->help[0] != '\0');
        CHECK(!((o->flags & OPTION_REQUIRED) && o->default_text));
        check_option(o, depth);
        CHECK(size == 0 || o->offset + option_size(o) <= size);
        if (o->default_text)
            check_default(o);
    }
}

static void check_option(const struct option *o, unsigned depth)
{
    CHECK(o->type > OPTION_NONE && o->type < OPTION_TYPES);
    CHECK(o->type != OPTION_ENUM || (o->choices && o->choices->name));
    if (o->type == OPTION_STRUCT || o->type == OPTION_ONE_OF) {
        CHECK(o->table != NULL && o->size > 0 && o->default_text == NULL);
        check_table(o->table, o->size, depth + 1);
    }
    if (o->type == OPTION_ONE_OF)
        CHECK(o->short_key && option_find(o->table, str_of(o->short_key)));
    if (o->type == OPTION_LIST || o->type == OPTION_MAP) {
        CHECK(o->of != NULL && depth < CHECK_DEPTH_MAX);
        check_option(o->of, depth + 1);
    }
}

void option_check(const struct option *table, size_t size)
{
    check_table(table, size, 0);
}

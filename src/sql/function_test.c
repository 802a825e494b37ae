/* The table of functions: names, rules that can be read, and every function called with every number of arguments that it takes. */
#include "base/test.h"
#include "sql/ast.h"
#include "sql/function.h"

TEST(names_are_found)
{
    for (uint32_t i = 0; i < FN_COUNT; i++) {
        const struct function *f = &functions[i];
        EXPECT(f->id == i && f->name && f->help[0] && f->signature[0] && f->resolve);
        EXPECT(f->args_min <= f->args_max);
        for (const char *c = f->name; *c; c++)
            EXPECT(*c < 'A' || *c > 'Z');
        EXPECT(function_find(str_of(f->name)) == f); /* no name twice */
    }
    EXPECT(function_find(STR("Char_Length")) == &functions[FN_LENGTH]);
    EXPECT(function_find(STR("no_such_function")) == NULL);
    EXPECT_STR(function_nearest(STR("substrng")), "substring");
    EXPECT(FN_COUNT >= 250);
}

/* Calls f over `count` times `arg`: it may be refused, with a place and a text, but never anything else. */
static void call(struct arena *arena, const struct function *f, const char *arg, uint32_t count)
{
    static const struct catalogue options = {.ansi = true};
    struct sbuf sql = {0};
    const struct expr *e;
    struct err err = {0};
    struct field field = {.name = "a", .type = type_simple(TYPE_INT), .nullable = true};
    sbuf_printf(&sql, "%s(", f->name);
    for (uint32_t i = 0; i < count; i++)
        sbuf_printf(&sql, i ? ", %s" : "%s", arg);
    sbuf_char(&sql, ')');
    bool ok = sql_plan_expr(arena, sbuf_view(&sql), type_struct(arena, &field, 1), &options, &e, &err);
    EXPECT(ok ? e->type != NULL : err.class == ERR_CONFIG && err.place.line == 1);
    if (ok && e->kind == EXPR_CALL)
        EXPECT(!(e->function->flags & FUNCTION_LOWERED));
    sbuf_fini(&sql);
}

TEST(every_function_can_be_called)
{
    static const char *const args[] = {"NULL",
                                       "a",
                                       "'1'",
                                       "2.5",
                                       "array(1, 2)",
                                       "map('a', 1)",
                                       "named_struct('x', 1)",
                                       "x -> x",
                                       "(x, y) -> x",
                                       "DATE '2024-01-02'",
                                       "now()",
                                       "INTERVAL 1 DAY",
                                       "X'00'",
                                       "*"};
    struct arena arena = {0};
    for (uint32_t i = 0; i < FN_COUNT; i++) {
        const struct function *f = &functions[i];
        if (f->flags & FUNCTION_OPERATOR)
            continue;
        uint32_t most = f->args_max == 255 ? f->args_min + 3u : f->args_max + 1u;
        for (size_t k = 0; k < sizeof args / sizeof *args; k++)
            for (uint32_t count = f->args_min > 0 ? f->args_min - 1u : 0; count <= most; count++)
                call(&arena, f, args[k], count);
        arena_reset(&arena);
    }
    arena_fini(&arena);
}

int main(void)
{
    RUN(names_are_found);
    RUN(every_function_can_be_called);
    return test_end();
}

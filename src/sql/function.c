/* The table of functions, made from function.def, and its look-up. */
#include "sql/function.h"

#include "sql/bind_private.h"

#define ST FUNCTION_STRICT
#define ND FUNCTION_NONDETERMINISTIC
#define CL FUNCTION_CLOCK
#define AG FUNCTION_AGGREGATE
#define GE FUNCTION_GENERATOR
#define LO FUNCTION_LOWERED
#define OP FUNCTION_OPERATOR
#define WI FUNCTION_WINDOW
#define LA FUNCTION_LAMBDA
#define RULE(text) .resolve = resolve_rule, .rule = text
#define BY(name) .resolve = resolve_##name

const struct function functions[FN_COUNT] = {
#define FUNCTION(ID, NAME, SIGNATURE, MIN, MAX, FLAGS, TYPES, HELP)                                          \
    [FN_##ID] = {.id = FN_##ID,                                                                              \
                 .name = NAME,                                                                               \
                 .signature = SIGNATURE,                                                                     \
                 .help = HELP,                                                                               \
                 .args_min = MIN,                                                                            \
                 .args_max = MAX,                                                                            \
                 .flags = FLAGS,                                                                             \
                 TYPES},
#include "sql/function.def"
#undef FUNCTION
};

static const struct {
    const char *name;
    enum function_id id;
} aliases[] = {
#define FUNCTION(...)
#define ALIAS(NAME, OF) {NAME, FN_##OF},
#include "sql/function.def"
#undef FUNCTION
};

enum { ALIAS_COUNT = sizeof aliases / sizeof *aliases };

const struct function *function_find(struct str name)
{
    for (size_t i = 0; i < FN_COUNT; i++)
        if (str_eq_nocase(name, str_of(functions[i].name)))
            return &functions[i];
    for (size_t i = 0; i < ALIAS_COUNT; i++)
        if (str_eq_nocase(name, str_of(aliases[i].name)))
            return &functions[aliases[i].id];
    return NULL;
}

const char *function_nearest(struct str name)
{
    const char *names[FN_COUNT + ALIAS_COUNT];
    size_t count = 0;
    for (size_t i = 0; i < FN_COUNT; i++)
        if (!(functions[i].flags & FUNCTION_OPERATOR))
            names[count++] = functions[i].name;
    for (size_t i = 0; i < ALIAS_COUNT; i++)
        names[count++] = aliases[i].name;
    return str_nearest(name, names, count);
}

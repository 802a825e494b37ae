/* The table of SQL functions and operators: names, argument rules, result type, help. The one truth: the binder resolves from
 * it, op/ has one kernel for each entry (checked by a test that loops over both), docs and completion print it. */
#ifndef SQL_FUNCTION_H
#define SQL_FUNCTION_H

#include "sql/expr.h"

enum function_id {
#define FUNCTION(id, ...) FN_##id,
#include "sql/function.def"
#undef FUNCTION
    FN_COUNT
};

enum {
    FUNCTION_STRICT = 1 << 0, /* any NULL argument gives NULL, and the kernel never sees such a row */
    FUNCTION_NONDETERMINISTIC = 1 << 1, /* rand, uuid */
    FUNCTION_CLOCK = 1 << 2, /* now, current_date …: constant in a turn, from the evaluation context */
    FUNCTION_AGGREGATE = 1 << 3,
    FUNCTION_GENERATOR = 1 << 4, /* explode … */
    FUNCTION_LOWERED =
        1 << 5, /* the binder writes it out with other expressions: never in a plan, no kernel */
    FUNCTION_OPERATOR = 1 << 6, /* bound from an operator or a special form only; its name cannot be called */
    FUNCTION_WINDOW = 1 << 7,   /* only with OVER */
    FUNCTION_LAMBDA = 1 << 8,   /* takes lambdas: EXPR_LAMBDA arguments */
};

struct function {
    enum function_id id;
    uint16_t flags;
    uint8_t args_min, args_max; /* args_max 255 = any number */
    const char *name;           /* lower case; its aliases are in function.def, the plan never names one */
    const char *signature;      /* for help and errors: "substring(str, pos[, len])" */
    const char *help;
    /* Checks and adapts the argument types: may replace args[i] by casts (sql/bind_private.h) and sets *result, *nullable.
     * false + err (ERR_CONFIG, Spark's error class in the text) when the types do not fit. */
    bool (*resolve)(struct arena *arena, const struct function *f, const struct expr **args,
                    uint32_t arg_count, const struct type **result, bool *nullable, struct err *err);
    const char *rule; /* argument and result types in the words of function.def, or NULL where code decides */
};

extern const struct function functions[FN_COUNT];
/* By name or alias, any case; NULL if there is none. */
const struct function *function_find(struct str name);
/* The name or alias most like it, or NULL: "did you mean". */
const char *function_nearest(struct str name);

#endif

/* Bound expressions: what the binder hands to the operators. Every name is resolved to an index, every type is known,
 * every implicit cast is written out. Immutable after binding; lives in the plan's arena. */
#ifndef SQL_EXPR_H
#define SQL_EXPR_H

#include "type/type.h"

enum expr_kind {
    EXPR_LITERAL, /* `literal` */
    EXPR_COLUMN,  /* column `index` of the operator's input */
    EXPR_FIELD,   /* field `index` of the struct args[0] */
    EXPR_CAST,    /* args[0] as `type`; `try_` gives NULL where it fails */
    EXPR_AND, /* args[arg_count ≥ 2]; three-valued; later ones are evaluated only for rows that need them */
    EXPR_OR,
    EXPR_CASE, /* args = when, then, when, then, …, else (always there: a NULL literal if none); branches only for their rows.
                     IF, COALESCE, NULLIF, NVL2 … are bound to this or to CALL, whichever evaluates lazily */
    EXPR_CALL, /* `function` over args; operators are functions too */
    EXPR_LAMBDA, /* args[0] = body; `index` = first parameter's slot, `param_count` of them */
    EXPR_PARAM,  /* lambda parameter in slot `index` */
};

struct function; /* sql/function.h */

/* Where in the SQL text an expression came from; offset and length in bytes. */
struct span {
    uint32_t offset, length;
};

struct expr {
    enum expr_kind kind;
    const struct type *type;
    bool nullable;
    bool try_;          /* CAST: TRY_CAST */
    bool deterministic; /* false for rand(), uuid() … and for all that contains them */
    struct span span;
    uint32_t index, param_count, arg_count;
    const struct expr **args; /* args[arg_count] */
    const struct function *function;
    struct value literal;
    uint32_t
        size; /* nodes of the tree, itself included; parts that are shared count each time, at most SQL_EXPR_SIZE_MAX */
};

enum { SQL_EXPR_SIZE_MAX = 100000 };

#endif

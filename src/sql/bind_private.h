/* The binder's own parts, and who does what:
 *
 *     bind_query.c      queries: set operations, CTEs, ORDER BY … OFFSET, sql_plan
 *     bind_select.c     one SELECT: items, grouping, HAVING, the project and sort above it
 *     bind_from.c       relations, subqueries, VALUES, watermarks
 *     bind_expr.c       expressions but calls; names are bind_column.c, calls bind_call.c, those without a kernel bind_lowered.c,
 *                       lambdas bind_lambda.c, literals bind_literal.c
 *     bind_name.c       the names of columns that have none
 *     coerce.c          implicit casts and operators' types; resolve.c and rule.c the functions'
 *     expr.c            building, comparing and rewriting bound expressions
 *     prune.c           columns that nobody needs
 *
 * An expression is bound over a scope: the columns of one plan node, plus what names may mean besides (aliases of the select list, lambda
 * variables). Aggregate calls are bound in place, as calls over that scope; bind_select.c then splits them off into the aggregate node. */
#ifndef SQL_BIND_PRIVATE_H
#define SQL_BIND_PRIVATE_H

#include "sql/ast.h"
#include "sql/function.h"
#include "sql/lex.h"

enum {
    BIND_DEPTH_MAX = 1200,       /* levels of expression trees and nested queries together */
    BIND_WORK_MAX = 1000000,     /* expressions built for one query: WITH a chain of doublings ends here */
    BIND_LOOKUP_MAX = 500000000, /* names compared while looking up columns of one query */
    BIND_PLAN_MAX = 20000,       /* plan nodes */
    BIND_RANGE_MAX = 100000,     /* rows of range() */
};

/* A WITH name that is visible; outer = what its own query sees. */
struct cte_env {
    const struct ast_cte *cte;
    struct cte_env *outer;
};

struct binder {
    struct arena *arena;
    struct str text;
    const struct catalogue *catalogue;
    struct err *err;
    struct cte_env *ctes;
    int depth;
    uint32_t work, nodes;
    uint64_t lookups;
    uint32_t param_slots; /* of lambdas, handed out so far in this expression */
};

struct scope_column {
    struct str qualifier[3]; /* qualifier[qualifier_count]: the relation's name or its alias */
    uint32_t qualifier_count;
    struct str name;
    const struct type *type;
    bool nullable, hidden;
};

struct scope_alias {
    struct str name;
    const struct expr *expr;
};

/* Variables of one lambda. */
struct lambda_env {
    const struct str *names; /* names[count] */
    const struct expr **params;
    uint32_t count;
    struct lambda_env *outer;
};

struct scope {
    struct scope_column *columns;
    uint32_t count;
    struct scope_alias *aliases; /* of the select list so far */
    uint32_t alias_count;
    bool aliases_first;    /* HAVING, ORDER BY: the select list's names come before the relation's columns */
    bool first_alias_wins; /* GROUP BY: of two that differ; elsewhere they are ambiguous */
    struct lambda_env *lambda;
    const char *no_aggregates;      /* the clause that may not aggregate, or NULL */
    const struct ast_query *select; /* WHERE: whose aliases it cannot see, for hints; or NULL */
    bool in_aggregate;
    uint32_t aggregates; /* aggregate calls bound so far */
};

/* ---- errors (bind_expr.c) */
bool bind_fail(struct binder *b, struct span span, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* "UNSUPPORTED_FEATURE: <what> is not supported yet" */
bool bind_unsupported(struct binder *b, struct span span, const char *what);
/* Puts the place of `span` on an error that has none; false. */
bool bind_place(struct binder *b, struct span span);
bool bind_enter(struct binder *b, struct span span);
static inline void bind_leave(struct binder *b)
{
    b->depth--;
}
bool bind_work(struct binder *b, uint32_t amount, struct span span);
/* As "INT"; in the arena. */
const char *bind_type_text(struct arena *arena, const struct type *type);

/* ---- bound expressions (expr.c) */
struct aggregate_expr {
    struct expr expr; /* a CALL of an aggregate is always the first member of this */
    const struct expr *filter;
    bool distinct;
};
static inline const struct aggregate_expr *expr_aggregate(const struct expr *e)
{
    return e->kind == EXPR_CALL && (e->function->flags & FUNCTION_AGGREGATE)
               ? (const struct aggregate_expr *)(const void *)e
               : NULL;
}
struct expr *expr_new(struct arena *arena, enum expr_kind kind, const struct type *type,
                      const struct expr **args, uint32_t arg_count, struct span span);
const struct expr *expr_literal(struct arena *arena, const struct value *value, struct span span);
const struct expr *expr_null(struct arena *arena, const struct type *type, struct span span);
const struct expr *expr_int(struct arena *arena, int64_t value, struct span span);
const struct expr *expr_long(struct arena *arena, int64_t value, struct span span);
const struct expr *expr_string(struct arena *arena, struct str value, struct span span);
const struct expr *expr_bool(struct arena *arena, bool value, struct span span);
const struct expr *expr_column(struct arena *arena, uint32_t index, const struct type *type, bool nullable,
                               struct span span);
/* A call with a given result type; flags of the function decide what it says about NULL if `nullable` does not. */
struct expr *expr_call(struct arena *arena, enum function_id id, const struct type *type, bool nullable,
                       const struct expr **args, uint32_t arg_count, struct span span);
const struct expr *expr_call1(struct arena *arena, enum function_id id, const struct type *type,
                              bool nullable, const struct expr *a, struct span span);
const struct expr *expr_call2(struct arena *arena, enum function_id id, const struct type *type,
                              bool nullable, const struct expr *a, const struct expr *b, struct span span);
const struct expr *expr_not(struct arena *arena, const struct expr *a, struct span span);
const struct expr *expr_field(struct arena *arena, const struct expr *base, uint32_t index, struct span span);
bool expr_equal(const struct expr *a, const struct expr *b);
bool expr_is_null(const struct expr *e);
/* A literal, or casts, arrays, maps, structs and signs of literals: *value lives in arena. */
bool expr_constant(struct arena *arena, const struct expr *e, struct value *value);

/* Copies a tree where `visit` changes something. visit: sets *out and *done to replace a node, or leaves both and its arguments are visited. */
struct expr_rewriter {
    struct arena *arena;
    bool (*visit)(struct expr_rewriter *r, const struct expr *e, const struct expr **out, bool *done);
    void *arg;
    struct err *err;
};
bool expr_rewrite(struct expr_rewriter *r, const struct expr *e, const struct expr **out);

/* ---- implicit casts (coerce.c): all give an expression or, where none is allowed, NULL */
const struct expr *cast_to(struct arena *arena, const struct expr *e, const struct type *type);
/* As function arguments are converted (ANSI: store assignment, strings to anything simple, NULL to all). */
const struct expr *cast_implicit(struct arena *arena, const struct expr *e, const struct type *type);
/* Common type of args[count], NULL if there is none. */
const struct type *common_type(struct arena *arena, const struct expr *const *args, uint32_t count);
/* Replaces args by casts to their common type; NULL if there is none. */
const struct type *coerce_common(struct arena *arena, const struct expr **args, uint32_t count);
bool type_is_interval(const struct type *t);
bool type_is_orderable(const struct type *t);
bool type_is_groupable(const struct type *t);
bool type_is_void(const struct type *t);
const struct type *type_interval(struct arena *arena, enum type_kind kind, unsigned from, unsigned to);

/* The resolvers that function.def names, and the one for rules. err->code = number of the argument at fault, from 1; 0 = the call. */
typedef bool resolver(struct arena *arena, const struct function *f, const struct expr **args,
                      uint32_t arg_count, const struct type **result, bool *nullable, struct err *err);
resolver resolve_rule, resolve_arithmetic, resolve_divide, resolve_int_divide, resolve_negate,
    resolve_compare, resolve_in, resolve_bitwise, resolve_shift, resolve_subscript, resolve_map_value,
    resolve_array_field, resolve_date_subtract, resolve_timestamp_subtract, resolve_interval_scale,
    resolve_lowered, resolve_nanvl, resolve_extreme, resolve_abs, resolve_sign, resolve_ceil, resolve_round,
    resolve_hex, resolve_width_bucket, resolve_bit_count, resolve_try_arithmetic, resolve_rand,
    resolve_uniform, resolve_concat, resolve_concat_ws, resolve_pad, resolve_reverse, resolve_elt,
    resolve_format_number, resolve_format_string, resolve_mask, resolve_to_number, resolve_to_char,
    resolve_second_fraction, resolve_interval_part, resolve_date_add, resolve_timestampadd,
    resolve_timestampdiff, resolve_to_date, resolve_to_timestamp, resolve_unix_timestamp,
    resolve_convert_timezone, resolve_make_timestamp, resolve_make_interval, resolve_window,
    resolve_window_time, resolve_array, resolve_size, resolve_element_at, resolve_arrays_zip,
    resolve_array_repeat, resolve_array_append, resolve_array_insert, resolve_flatten, resolve_sequence,
    resolve_transform, resolve_filter, resolve_exists, resolve_aggregate, resolve_zip_with,
    resolve_array_sort, resolve_map_filter, resolve_transform_keys, resolve_transform_values,
    resolve_map_zip_with, resolve_map, resolve_map_entries, resolve_map_from_entries, resolve_map_concat,
    resolve_struct, resolve_from_json, resolve_to_json, resolve_schema_of_json, resolve_sum, resolve_avg,
    resolve_percentile, resolve_approx_percentile, resolve_histogram, resolve_explode, resolve_inline,
    resolve_stack, resolve_json_tuple;
bool resolve_mismatch(struct err *err, uint32_t arg, const struct function *f, const char *wanted,
                      const struct expr *found, struct arena *arena);

/* ---- expressions over a scope */
bool bind_expr(struct binder *b, struct scope *s, const struct ast_expr *ast, const struct expr **out);
/* The same, as a condition: BOOLEAN. */
bool bind_condition(struct binder *b, struct scope *s, const struct ast_expr *ast, const char *clause,
                    const struct expr **out);
bool bind_exprs(struct binder *b, struct scope *s, struct ast_expr *const *items, uint32_t count,
                const struct expr **out);
bool bind_literal(struct binder *b, const struct ast_expr *ast, const struct expr **out);
/* AST_TYPED and AST_INTERVAL as values. */
bool bind_interval(struct binder *b, const struct ast_expr *ast, struct value *value);
bool bind_typed(struct binder *b, const struct ast_expr *ast, const struct expr **out);
/* AST_NAME and AST_FIELD. */
bool bind_column(struct binder *b, struct scope *s, const struct ast_expr *ast, const struct expr **out);
/* How many leading parts of a.b.c name a relation: for output names. */
uint32_t bind_qualifier_parts(const struct binder *b, const struct scope *s, const struct ast_expr *ast);
/* Columns that [qualifier.]* stands for: indexes[*count] into s->columns. */
bool bind_star(struct binder *b, const struct scope *s, const struct ast_expr *ast, uint32_t **indexes,
               uint32_t *count, const struct expr **base, struct scope *base_scope);
bool bind_field(struct binder *b, const struct expr *base, struct str name, struct span at, struct span span,
                const struct expr **out);
bool bind_call(struct binder *b, struct scope *s, const struct ast_expr *ast, const struct expr **out);
/* Checks the number of arguments, resolves types, makes the call. args may be replaced. */
bool bind_function(struct binder *b, enum function_id id, const struct expr **args, uint32_t count,
                   struct span span, const struct expr **out);
bool bind_binary(struct binder *b, enum ast_op op, const struct expr *left, const struct expr *right,
                 struct span span, const struct expr **out);
/* Calls that the binder writes out: *found says whether f is one. */
bool bind_lowered(struct binder *b, struct scope *s, const struct ast_expr *ast, const struct function *f,
                  const struct expr **args, uint32_t count, const struct expr **out, bool *found);
bool bind_lambda_call(struct binder *b, struct scope *s, const struct ast_expr *ast, const struct function *f,
                      const struct expr **out);
/* when, then, …, else → CASE with one type; args[count] are changed. */
bool bind_case(struct binder *b, const struct expr **args, uint32_t count, struct span span,
               const struct expr **out);

/* The name of a select item that has no alias. */
struct str bind_name(struct binder *b, const struct scope *s, const struct ast_expr *ast);
/* "a" for t.a, name for aliases, else as bind_name. */
struct str bind_item_name(struct binder *b, const struct scope *s, const struct ast_expr *ast);

/* ---- queries */
bool bind_query(struct binder *b, const struct ast_query *q, struct plan **out);
bool bind_select(struct binder *b, const struct ast_query *q, struct plan **out);
bool bind_from(struct binder *b, const struct ast_from *f, struct plan **out, struct scope *scope);
bool bind_values(struct binder *b, const struct ast_query *q, struct plan **out);
bool bind_limit(struct binder *b, const struct ast_query *q, struct plan **plan);
struct plan *plan_new(struct binder *b, enum plan_kind kind, struct plan *input);
/* A PROJECT of exprs[count] with those names. */
struct plan *plan_project(struct binder *b, struct plan *input, const struct expr **exprs,
                          const struct str *names, uint32_t count);
/* Scope of a node's output, under a qualifier (or none: n = 0). */
void plan_scope(struct binder *b, const struct plan *plan, struct str qualifier, struct scope *scope);
bool plan_prune(struct binder *b, struct plan **plan);

#endif

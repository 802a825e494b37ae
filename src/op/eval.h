/* Vectorised evaluation of bound expressions.
 *
 * An evaluator is compiled once for each operator (constants folded, common parts shared, scratch sized) and
 * then run on batches. Row errors (ANSI casts, overflow, division by zero) do not stop a batch: the row is
 * marked, its value is NULL, and the driver sends the record to <stream>_bad. */
#ifndef OP_EVAL_H
#define OP_EVAL_H

#include "base/time.h"
#include "batch/batch.h"
#include "sql/expr.h"

/* Which rows to look at: rows[count] ascending, or rows NULL = all of 0 … count − 1. */
struct selection {
    const uint32_t *rows;
    uint32_t count;
};

struct row_error {
    uint32_t row;
    const char *text; /* "CAST_INVALID_INPUT: …", in the batch's arena; names the expression */
};

/* Errors of one batch, in row order, at most one (the first) for each row. Zeroed = none. In the arena of the
 * run. */
struct row_errors {
    struct row_error *items;
    uint32_t count, capacity;
};

struct timezone_data;
struct eval_context {
    const struct timezone_data *zone; /* session time zone; NULL = UTC */
    struct wall_time now;             /* of the turn: now(), current_date() */
    uint64_t seed;                    /* rand(), uuid(): of the turn */
};

struct evaluator;

/* Compiles exprs[count] over inputs of that schema. err: ERR_CONFIG where a kernel is missing or a folded
 * constant fails. */
bool evaluator_new(struct pool *pool, const struct expr *const *exprs, uint32_t count,
                   const struct type *input_schema, struct evaluator **evaluator, struct err *err);

/* out[count]: columns of in->rows rows each, in any encoding, values of unselected rows arbitrary. They may
 * share memory with `in`, and live in `arena`. Errors are appended. Never fails as a whole. */
void evaluator_run(struct evaluator *e, const struct eval_context *context, const struct batch *in,
                   struct selection selection, struct arena *arena, struct column *out,
                   struct row_errors *errors);

/* The predicate exprs[0]: rows where it is true, among the selected: writes rows[≤ selection.count], returns
 * their number. */
uint32_t evaluator_filter(struct evaluator *e, const struct eval_context *context, const struct batch *in,
                          struct selection selection, struct arena *arena, uint32_t *rows,
                          struct row_errors *errors);

#endif

/* Inside of the operators: how each kind is made. All live in the pool given; the plan is borrowed for as
 * long as they do. */
#ifndef OP_OP_PRIVATE_H
#define OP_OP_PRIVATE_H

#include "op/op.h"

/* Filter, projection, or both: predicate NULL = all rows; exprs NULL = the input's columns. input: its
 * schema. */
bool project_new(struct pool *pool, const struct expr *predicate, const struct expr *const *exprs,
                 uint32_t expr_count, const struct type *input, const struct type *schema, struct op **op,
                 struct err *err);
/* Puts its rows out at the first step, whatever the message; then passes on. */
bool values_new(struct pool *pool, const struct plan *plan, struct op **op, struct err *err);
bool limit_new(struct pool *pool, const struct plan *plan, struct op **op, struct err *err);
bool union_new(struct pool *pool, const struct plan *plan, struct op **op, struct err *err);
bool sort_new(struct pool *pool, const struct plan *plan, struct op **op, struct err *err);
bool distinct_new(struct pool *pool, const struct plan *plan, struct op **op, struct err *err);
bool watermark_new(struct pool *pool, const struct plan *plan, struct op **op, struct err *err);
/* changes: the input may take rows back. */
bool aggregate_new(struct pool *pool, const struct plan *plan, bool changes, struct op **op, struct err *err);

/* Puts out groups when the watermark has passed them, once; false + ERR_CONFIG: they have no event time. */
bool aggregate_set_append(struct op *op, struct err *err);

/* What most operators do with a message that is no batch: pass it on. */
static inline enum op_status op_pass(struct op *op, const struct op_msg *msg)
{
    op->output = *msg;
    return OP_HAS_OUTPUT;
}
static inline enum op_status op_emit(struct op *op, struct batch *batch)
{
    op->output = (struct op_msg){.kind = OP_BATCH, .batch = batch};
    return OP_HAS_OUTPUT;
}
/* Where a row of a batch came from. */
static inline struct op_bad_row bad_row_of(const struct batch *in, uint32_t row, const char *reason)
{
    return (struct op_bad_row){in->partition, in->offset ? in->offset[row] : -1, reason, false};
}
/* The rows of `in` that are left out: errors become op->bad, in arena. */
void op_report(struct op *op, const struct batch *in, const struct row_errors *errors, struct arena *arena);
/* rows[count] without those that have errors (in row order); rows NULL = all. Returns how many are left, in
 * kept[count]. */
uint32_t rows_without(const uint32_t *rows, uint32_t count, const struct row_errors *errors, uint32_t *kept);
/* out, whose columns the caller fills, gets the hidden columns of rows[count] of `in` (NULL = all), and its
 * buffers. */
void batch_hidden(struct batch *out, const struct batch *in, const uint32_t *rows, uint32_t count);

#endif

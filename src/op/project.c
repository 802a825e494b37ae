/* Filter and projection, fused.
 *
 * The predicate gives the rows that stay. The projection then sees them through dictionaries
 * (column_indirect): columns that pass through are not copied, and those that are computed from are gathered
 * once, densely, by the evaluator. Rows whose evaluation fails are left out and reported. The output shares
 * the input's memory and holds its buffers: it is good for as long as the input is. */
#include "op/eval_private.h"
#include "op/gather.h"
#include "op/op_private.h"

struct project {
    struct op op;
    struct evaluator *predicate; /* NULL: all rows */
    struct evaluator *exprs;     /* NULL: the input's columns */
    struct batch *out;
    struct batch middle; /* the rows that stayed, as columns over the input's */
};

/* The input seen through rows[count]. */
static void view_rows(struct project *p, const struct batch *in, const uint32_t *rows, uint32_t count)
{
    uint32_t columns = in->schema->field_count;
    p->middle = (struct batch){.schema = in->schema, .rows = count};
    p->middle.columns = arena_array(&p->out->arena, struct column, columns + 1);
    for (uint32_t i = 0; i < columns; i++)
        p->middle.columns[i] = column_indirect(&in->columns[i], rows, count, &p->out->arena);
}

/* Errors of the middle batch get the rows of the input. */
static void map_errors(struct row_errors *errors, const uint32_t *rows)
{
    for (uint32_t i = 0; rows && i < errors->count; i++)
        errors->items[i].row = rows[errors->items[i].row];
}

static void add_errors(struct row_errors *all, const struct row_errors *more, struct arena *arena)
{
    for (uint32_t i = 0; i < more->count; i++)
        row_errors_add(all, arena, more->items[i].row, more->items[i].text);
}

/* Fills out->columns with the projection of rows[*count] (NULL = all); rows that fail are taken out of rows.
 */
static const uint32_t *project_rows(struct project *p, const struct batch *in, const uint32_t *rows,
                                    uint32_t *count, struct row_errors *errors)
{
    struct arena *arena = &p->out->arena;
    uint32_t columns = p->op.schema->field_count;
    struct row_errors own = {0};
    const struct batch *from = in;
    if (rows) {
        view_rows(p, in, rows, *count);
        from = &p->middle;
    }
    if (p->exprs == NULL) {
        p->out->columns = from->columns;
        return rows;
    }
    p->out->columns = arena_array(arena, struct column, columns + 1);
    evaluator_run(p->exprs, p->op.context, from, (struct selection){NULL, *count}, arena, p->out->columns,
                  &own);
    if (own.count == 0)
        return rows;
    uint32_t *kept = arena_array(arena, uint32_t, *count);
    uint32_t left = rows_without(NULL, *count, &own, kept);
    for (uint32_t i = 0; i < columns; i++)
        p->out->columns[i] = column_indirect(&p->out->columns[i], kept, left, arena);
    map_errors(&own, rows);
    add_errors(errors, &own, arena);
    uint32_t *original = arena_array(arena, uint32_t, left);
    for (uint32_t i = 0; i < left; i++)
        original[i] = rows ? rows[kept[i]] : kept[i];
    *count = left;
    return original;
}

static enum op_status project_batch(struct project *p, const struct batch *in)
{
    struct row_errors errors = {0};
    uint32_t count = in->rows;
    const uint32_t *rows = NULL;
    batch_reset(p->out);
    if (p->predicate) {
        uint32_t *kept = arena_array(&p->out->arena, uint32_t, in->rows + 1);
        count = evaluator_filter(p->predicate, p->op.context, in, (struct selection){NULL, in->rows},
                                 &p->out->arena, kept, &errors);
        rows = count == in->rows ? NULL : kept;
    }
    if (count > 0)
        rows = project_rows(p, in, rows, &count, &errors);
    row_errors_finish(&errors, &p->out->arena);
    op_report(&p->op, in, &errors, &p->out->arena);
    if (count == 0)
        return OP_NEED_INPUT;
    p->out->schema = p->op.schema;
    p->out->rows = count;
    batch_hidden(p->out, in, rows, count);
    return op_emit(&p->op, p->out);
}

static enum op_status project_step(struct op *op, uint32_t port, const struct op_msg *msg)
{
    struct project *p = (struct project *)op;
    if (msg == NULL)
        return OP_NEED_INPUT;
    return msg->kind == OP_BATCH ? project_batch(p, msg->batch) : op_pass(op, msg);
}

static void project_close(struct op *op)
{
    batch_free(((struct project *)op)->out);
}

static const struct op_kind project_kind = {.name = "project", .step = project_step, .close = project_close};

bool project_new(struct pool *pool, const struct expr *predicate, const struct expr *const *exprs,
                 uint32_t expr_count, const struct type *input, const struct type *schema, struct op **op,
                 struct err *err)
{
    struct project *p = pool_new_struct(pool, struct project);
    p->op.kind = &project_kind;
    p->op.schema = schema;
    if (predicate)
        TRY(evaluator_new(pool, &predicate, 1, input, &p->predicate, err));
    if (exprs)
        TRY(evaluator_new(pool, exprs, expr_count, input, &p->exprs, err));
    p->out = batch_new();
    *op = &p->op;
    return true;
}

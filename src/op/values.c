/* VALUES, and SELECT without FROM (one row without columns). */
#include "op/op_private.h"

struct values {
    struct op op;
    const struct plan *plan;
    struct batch *out;
    enum { VALUES_NOTHING, VALUES_ROWS, VALUES_END } next;
};

static void values_fill(struct values *v)
{
    struct batch_builder b;
    const struct plan *plan = v->plan;
    uint32_t columns = plan->schema->field_count;
    batch_reset(v->out);
    batch_builder_init(&b, v->out, plan->schema);
    for (uint32_t row = 0; row < plan->row_count; row++)
        for (uint32_t i = 0; i < columns; i++) {
            const struct value *value = &plan->rows[(size_t)row * columns + i];
            if (value->is_null)
                column_builder_null(&b.columns[i]);
            else
                column_builder_value(&b.columns[i], value);
        }
    batch_builder_finish(&b);
    v->out->rows = plan->row_count;
}

static enum op_status values_step(struct op *op, uint32_t port, const struct op_msg *msg)
{
    static const struct op_msg end = {.kind = OP_END};
    struct values *v = (struct values *)op;
    if (msg)
        v->next = v->plan->row_count ? VALUES_ROWS : VALUES_END;
    switch (v->next) {
    case VALUES_ROWS:
        values_fill(v);
        v->next = VALUES_END;
        return op_emit(op, v->out);
    case VALUES_END: v->next = VALUES_NOTHING; return op_pass(op, &end);
    case VALUES_NOTHING: break;
    }
    return OP_NEED_INPUT;
}

static void values_close(struct op *op)
{
    batch_free(((struct values *)op)->out);
}

static const struct op_kind values_kind = {.name = "values", .step = values_step, .close = values_close};

bool values_new(struct pool *pool, const struct plan *plan, struct op **op, struct err *err)
{
    struct values *v = pool_new_struct(pool, struct values);
    v->op.kind = &values_kind;
    v->op.schema = plan->schema;
    v->plan = plan;
    v->out = batch_new();
    *op = &v->op;
    return true;
}

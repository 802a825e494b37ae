/* LIMIT and OFFSET: a window on the rows as they come. DONE when it is past. */
#include "base/bytes.h"
#include "op/gather.h"
#include "op/op_private.h"

struct limit {
    struct op op;
    int64_t skip, left; /* left −1 = no limit */
    struct batch *out;
    bool spent; /* the last step put out the last row */
};

static enum op_status limit_batch(struct limit *l, struct batch *in)
{
    int64_t from = l->skip < in->rows ? l->skip : in->rows, count = in->rows - from;
    l->skip -= from;
    if (l->left >= 0 && count > l->left)
        count = l->left;
    if (l->left >= 0)
        l->left -= count;
    l->spent = l->left == 0;
    if (count == 0)
        return l->spent ? OP_DONE : OP_NEED_INPUT;
    if (count == in->rows)
        return op_emit(&l->op, in);
    batch_reset(l->out);
    uint32_t *rows = arena_array(&l->out->arena, uint32_t, (size_t)count);
    for (uint32_t i = 0; i < (uint32_t)count; i++)
        rows[i] = (uint32_t)from + i;
    l->out->schema = in->schema;
    l->out->rows = (uint32_t)count;
    l->out->columns = arena_array(&l->out->arena, struct column, in->schema->field_count + 1);
    for (uint32_t i = 0; i < in->schema->field_count; i++)
        l->out->columns[i] = column_indirect(&in->columns[i], rows, (uint32_t)count, &l->out->arena);
    batch_hidden(l->out, in, rows, (uint32_t)count);
    return op_emit(&l->op, l->out);
}

static enum op_status limit_step(struct op *op, uint32_t port, const struct op_msg *msg)
{
    struct limit *l = (struct limit *)op;
    if (msg == NULL)
        return l->spent ? OP_DONE : OP_NEED_INPUT;
    return msg->kind == OP_BATCH ? limit_batch(l, msg->batch) : op_pass(op, msg);
}

static void limit_close(struct op *op)
{
    batch_free(((struct limit *)op)->out);
}

/* The state is how many rows are still to skip and to pass. A changelog is the whole of it. */
static void limit_snapshot(struct op *op, struct sbuf *out)
{
    struct limit *l = (struct limit *)op;
    put_le64(sbuf_reserve(out, 16), (uint64_t)l->skip);
    put_le64(sbuf_reserve(out, 16) + 8, (uint64_t)l->left);
    sbuf_added(out, 16);
}

static bool limit_restore(struct op *op, struct str state, struct err *err)
{
    struct limit *l = (struct limit *)op;
    if (state.n != 16)
        return err_set(err, ERR_FATAL, "the state of a limit has %zu bytes, not 16", state.n);
    l->skip = (int64_t)get_le64(state.p);
    l->left = (int64_t)get_le64(state.p + 8);
    l->spent = l->left == 0;
    return true;
}

static size_t limit_memory(const struct op *op)
{
    return sizeof(struct limit);
}

static const struct op_kind limit_kind = {
    .name = "limit",
    .step = limit_step,
    .close = limit_close,
    .snapshot = limit_snapshot,
    .restore = limit_restore,
    .changelog = limit_snapshot,
    .apply = limit_restore,
    .memory = limit_memory,
};

bool limit_new(struct pool *pool, const struct plan *plan, struct op **op, struct err *err)
{
    struct limit *l = pool_new_struct(pool, struct limit);
    l->op.kind = &limit_kind;
    l->op.schema = plan->schema;
    l->op.stateful = plan->streaming;
    l->skip = plan->offset > 0 ? plan->offset : 0;
    l->left = plan->limit;
    l->out = batch_new();
    *op = &l->op;
    return true;
}

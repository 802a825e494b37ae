/* WATERMARK: notes each row's event time, and says how far event time has come: the greatest one seen less the
 * delay, in whole milliseconds, as Spark has it. It moves between turns only: just before a barrier, so that
 * what it closes belongs to the turn that brought it. */
#include "base/bytes.h"
#include "op/op_private.h"
#include "type/timestamp.h"

struct watermark {
    struct op op;
    const struct plan *plan;
    uint32_t column;
    struct event_time greatest, now;
    struct batch out;
    struct arena arena;
    struct op_msg after; /* to pass on behind the watermark */
    bool pending;
};

static enum op_status watermark_batch(struct watermark *w, const struct batch *in)
{
    arena_reset(&w->arena);
    struct column time = column_flatten(&in->columns[w->column], &w->arena);
    if (in->columns[w->column].encoding == COLUMN_CONSTANT)
        time.rows = in->rows;
    const int64_t *us = time.data;
    int64_t *event_time = arena_array(&w->arena, int64_t, in->rows + 1);
    for (uint32_t row = 0; row < in->rows; row++) {
        bool null = time.validity && !bit_get(time.validity, row);
        event_time[row] = null ? EVENT_TIME_NONE.us : us[row];
        if (event_time[row] > w->greatest.us)
            w->greatest.us = event_time[row];
    }
    w->out = *in; /* its memory, and one column more */
    w->out.event_time = event_time;
    return op_emit(&w->op, &w->out);
}

static enum op_status watermark_turn(struct watermark *w, const struct op_msg *msg)
{
    int64_t reached;
    if (w->greatest.us == EVENT_TIME_NONE.us ||
        __builtin_sub_overflow(w->greatest.us, w->plan->delay_us, &reached))
        return op_pass(&w->op, msg);
    reached = floor_div(reached, US_PER_MS) * US_PER_MS;
    if (reached <= w->now.us)
        return op_pass(&w->op, msg);
    w->now.us = reached;
    w->after = *msg;
    w->pending = true;
    struct op_msg moved = {.kind = OP_WATERMARK, .watermark = w->now};
    return op_pass(&w->op, &moved);
}

static enum op_status watermark_step(struct op *op, uint32_t port, const struct op_msg *msg)
{
    struct watermark *w = (struct watermark *)op;
    if (msg == NULL) {
        if (!w->pending)
            return OP_NEED_INPUT;
        w->pending = false;
        return op_pass(op, &w->after);
    }
    switch (msg->kind) {
    case OP_BATCH: return watermark_batch(w, msg->batch);
    case OP_WATERMARK: return OP_NEED_INPUT; /* another one's below: this one defines it anew */
    case OP_BARRIER:
    case OP_END: return watermark_turn(w, msg);
    }
    UNREACHABLE("kinds of messages");
}

static void watermark_close(struct op *op)
{
    arena_fini(&((struct watermark *)op)->arena);
}

static void watermark_snapshot(struct op *op, struct sbuf *out)
{
    struct watermark *w = (struct watermark *)op;
    char *to = sbuf_reserve(out, 16);
    put_le64(to, (uint64_t)w->greatest.us);
    put_le64(to + 8, (uint64_t)w->now.us);
    sbuf_added(out, 16);
}

static bool watermark_restore(struct op *op, struct str state, struct err *err)
{
    struct watermark *w = (struct watermark *)op;
    if (state.n == 0 || state.n % 16)
        return err_set(err, ERR_FATAL, "the state of a watermark has %zu bytes", state.n);
    w->greatest.us = (int64_t)get_le64(state.p + state.n - 16); /* of several changelogs the last */
    w->now.us = (int64_t)get_le64(state.p + state.n - 8);
    return true;
}

static size_t watermark_memory(const struct op *op)
{
    return sizeof(struct watermark);
}

static const struct op_kind watermark_kind = {
    .name = "watermark",
    .step = watermark_step,
    .close = watermark_close,
    .snapshot = watermark_snapshot,
    .restore = watermark_restore,
    .changelog = watermark_snapshot,
    .apply = watermark_restore,
    .memory = watermark_memory,
};

bool watermark_new(struct pool *pool, const struct plan *plan, struct op **op, struct err *err)
{
    struct watermark *w = pool_new_struct(pool, struct watermark);
    CHECK(plan->exprs[0]->kind == EXPR_COLUMN);
    w->op.kind = &watermark_kind;
    w->op.schema = plan->schema;
    w->op.stateful = true;
    w->plan = plan;
    w->column = plan->exprs[0]->index;
    w->greatest = w->now = EVENT_TIME_NONE;
    *op = &w->op;
    return true;
}

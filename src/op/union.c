/* UNION ALL: rows of all inputs as they come. The watermark is the least of the inputs', the end is the last
 * one's; a barrier comes into every port and goes out once. */
#include "op/op_private.h"

struct union_ {
    struct op op;
    uint32_t inputs, ended;
    struct union_port {
        struct event_time watermark;
        uint64_t turn; /* of the last barrier + 1 */
        bool ended;
    } * ports;
    struct event_time watermark;
    struct batch out; /* the input's, under this schema */
};

static enum op_status union_watermark(struct union_ *u)
{
    struct event_time least = {INT64_MAX};
    for (uint32_t i = 0; i < u->inputs; i++)
        if (!u->ports[i].ended && u->ports[i].watermark.us < least.us)
            least = u->ports[i].watermark;
    if (least.us == INT64_MAX || least.us <= u->watermark.us)
        return OP_NEED_INPUT;
    u->watermark = least;
    struct op_msg msg = {.kind = OP_WATERMARK, .watermark = least};
    return op_pass(&u->op, &msg);
}

static enum op_status union_barrier(struct union_ *u, uint32_t port, const struct op_msg *msg)
{
    u->ports[port].turn = msg->turn + 1;
    for (uint32_t i = 0; i < u->inputs; i++)
        if (!u->ports[i].ended && u->ports[i].turn < msg->turn + 1)
            return OP_NEED_INPUT;
    return op_pass(&u->op, msg);
}

static enum op_status union_end(struct union_ *u, uint32_t port, const struct op_msg *msg)
{
    if (!u->ports[port].ended)
        u->ended++;
    u->ports[port].ended = true;
    return u->ended == u->inputs ? op_pass(&u->op, msg) : OP_NEED_INPUT;
}

static enum op_status union_step(struct op *op, uint32_t port, const struct op_msg *msg)
{
    struct union_ *u = (struct union_ *)op;
    if (msg == NULL)
        return OP_NEED_INPUT;
    CHECK(port < u->inputs);
    switch (msg->kind) {
    case OP_BATCH:
        u->out = *msg->batch; /* names of columns are the first input's */
        u->out.schema = op->schema;
        return op_emit(op, &u->out);
    case OP_WATERMARK: u->ports[port].watermark = msg->watermark; return union_watermark(u);
    case OP_BARRIER: return union_barrier(u, port, msg);
    case OP_END: return union_end(u, port, msg);
    }
    UNREACHABLE("kinds of messages");
}

static const struct op_kind union_kind = {.name = "union", .step = union_step};

bool union_new(struct pool *pool, const struct plan *plan, struct op **op, struct err *err)
{
    struct union_ *u = pool_new_struct(pool, struct union_);
    u->op.kind = &union_kind;
    u->op.schema = plan->schema;
    u->inputs = plan->input_count;
    u->ports = pool_alloc(pool, mem_product(plan->input_count, sizeof(*u->ports)));
    u->watermark = EVENT_TIME_NONE;
    for (uint32_t i = 0; i < u->inputs; i++)
        u->ports[i].watermark = EVENT_TIME_NONE;
    *op = &u->op;
    return true;
}

/* The driver: the tree of operators for a plan, and the one place that moves messages between them.
 *
 * A message goes into an operator; whatever that puts out goes into its parent before the operator is asked
 * for more. The result of the root is the caller's. Filter and projection that lie together are one operator.
 */
#include "op/op.h"

#include "base/bytes.h"
#include "op/op_private.h"
#include "sql/function.h"

enum { PIPELINE_DEPTH_MAX = 256, PIPELINE_SCANS_MAX = 4096 };

enum op_status op_step(struct op *op, uint32_t port, const struct op_msg *msg)
{
    op->bad_count = 0;
    op->output = (struct op_msg){0};
    enum op_status status = op->kind->step(op, port, msg);
    DCHECK(status != OP_HAS_OUTPUT || op->output.kind != OP_BATCH || op->output.batch != NULL);
    return status;
}

bool op_snapshot(struct op *op, struct sbuf *out)
{
    if (op->stateful)
        op->kind->snapshot(op, out);
    return op->stateful;
}
bool op_restore(struct op *op, struct str snapshot, struct err *err)
{
    CHECK(op->stateful);
    return op->kind->restore(op, snapshot, err);
}
bool op_changelog(struct op *op, struct sbuf *out)
{
    if (op->stateful)
        op->kind->changelog(op, out);
    return op->stateful;
}
bool op_apply(struct op *op, struct str changelog, struct err *err)
{
    CHECK(op->stateful);
    return op->kind->apply(op, changelog, err);
}
void op_free(struct op *op)
{
    if (op && op->kind && op->kind->close)
        op->kind->close(op);
}

/* ---- what operators share ------------------------------------------------------------------------------ */

void op_report(struct op *op, const struct batch *in, const struct row_errors *errors, struct arena *arena)
{
    op->bad = arena_array(arena, struct op_bad_row, errors->count + 1);
    op->bad_count = errors->count;
    for (uint32_t i = 0; i < errors->count; i++)
        op->bad[i] = bad_row_of(in, errors->items[i].row, errors->items[i].text);
}

uint32_t rows_without(const uint32_t *rows, uint32_t count, const struct row_errors *errors, uint32_t *kept)
{
    uint32_t n = 0, e = 0;
    for (uint32_t k = 0; k < count; k++) {
        uint32_t row = rows ? rows[k] : k;
        while (e < errors->count && errors->items[e].row < row)
            e++;
        if (e == errors->count || errors->items[e].row != row)
            kept[n++] = row;
    }
    return n;
}

void batch_hidden(struct batch *out, const struct batch *in, const uint32_t *rows, uint32_t count)
{
    out->partition = in->partition;
    batch_hold_all(out, in);
    if (rows == NULL) {
        out->change = in->change;
        out->offset = in->offset;
        out->event_time = in->event_time;
        return;
    }
    if (in->change) {
        out->change = arena_array(&out->arena, uint8_t, count);
        for (uint32_t i = 0; i < count; i++)
            out->change[i] = in->change[rows[i]];
    }
    if (in->offset) {
        out->offset = arena_array(&out->arena, int64_t, count);
        for (uint32_t i = 0; i < count; i++)
            out->offset[i] = in->offset[rows[i]];
    }
    if (in->event_time) {
        out->event_time = arena_array(&out->arena, int64_t, count);
        for (uint32_t i = 0; i < count; i++)
            out->event_time[i] = in->event_time[rows[i]];
    }
}

/* ---- the tree ------------------------------------------------------------------------------------------ */

struct node {
    struct op *op;       /* NULL: a scan */
    struct node *parent; /* NULL: the root */
    uint32_t port;       /* of the parent */
    bool done;           /* gives no more rows */
    bool changes;        /* may put out rows that are no inserts */
    bool source;         /* VALUES: run at the first push */
    bool passes;         /* a projection: is done when its input is */
    bool aggregates;     /* of a stream */
};

struct pipeline {
    struct pool *pool;
    struct node **nodes; /* operators in plan order: inputs before what reads them */
    uint32_t node_count;
    size_t node_capacity;
    struct node *root;
    struct node **scan_nodes;
    const struct plan **scans;
    uint32_t scan_count;
    const struct type *schema;
    const struct err *failure;
    bool started;
};

static bool build(struct pipeline *p, const struct plan *plan, uint32_t depth, struct node **node,
                  struct err *err);

static struct node *node_add(struct pipeline *p, struct op *op)
{
    struct node *node = pool_new_struct(p->pool, struct node);
    node->op = op;
    if (op) {
        p->nodes = mem_grow(p->nodes, &p->node_capacity, (size_t)p->node_count + 1, sizeof(struct node *));
        p->nodes[p->node_count++] = node;
    }
    return node;
}

static bool build_inputs(struct pipeline *p, const struct plan *plan, uint32_t depth, struct node **inputs,
                         struct err *err)
{
    for (uint32_t i = 0; i < plan->input_count; i++)
        TRY(build(p, plan->inputs[i], depth + 1, &inputs[i], err));
    return true;
}

static void connect(struct node *node, struct node **inputs, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        inputs[i]->parent = node;
        inputs[i]->port = i;
        node->changes |= inputs[i]->changes;
    }
}

static bool build_scan(struct pipeline *p, const struct plan *plan, struct node **node, struct err *err)
{
    if (p->scan_count == PIPELINE_SCANS_MAX)
        return err_set(err, ERR_CONFIG, "the query reads more than %d relations", PIPELINE_SCANS_MAX);
    *node = node_add(p, NULL);
    p->scan_nodes[p->scan_count] = *node;
    p->scans[p->scan_count++] = plan;
    return true;
}

/* PROJECT over FILTER, either alone, or a watermark of a batch query, which is nothing. */
static bool build_project(struct pipeline *p, const struct plan *plan, uint32_t depth, struct node **node,
                          struct err *err)
{
    const struct plan *filter = plan->kind == PLAN_FILTER ? plan : NULL, *below = plan->inputs[0];
    struct node *input;
    struct op *op;
    if (plan->kind == PLAN_PROJECT && below->kind == PLAN_FILTER) {
        filter = below;
        below = below->inputs[0];
    }
    TRY(build(p, below, depth + 1, &input, err));
    TRY(project_new(
        p->pool, filter ? filter->exprs[0] : NULL, plan->kind == PLAN_PROJECT ? plan->exprs : NULL,
        plan->kind == PLAN_PROJECT ? plan->expr_count : 0, below->schema, plan->schema, &op, err));
    *node = node_add(p, op);
    (*node)->passes = true;
    connect(*node, &input, 1);
    return true;
}

static const char *plan_word(enum plan_kind kind)
{
    switch (kind) {
    case PLAN_JOIN: return "JOIN";
    case PLAN_GENERATE: return "LATERAL VIEW and explode";
    case PLAN_WINDOW: return "window functions";
    default: return "this part of the query";
    }
}

static bool build_op(struct pipeline *p, const struct plan *plan, bool changes, struct op **op,
                     struct err *err)
{
    switch (plan->kind) {
    case PLAN_VALUES: return values_new(p->pool, plan, op, err);
    case PLAN_AGGREGATE: return aggregate_new(p->pool, plan, changes, op, err);
    case PLAN_SORT: return sort_new(p->pool, plan, op, err);
    case PLAN_LIMIT: return limit_new(p->pool, plan, op, err);
    case PLAN_DISTINCT: return distinct_new(p->pool, plan, op, err);
    case PLAN_UNION: return union_new(p->pool, plan, op, err);
    case PLAN_WATERMARK: return watermark_new(p->pool, plan, op, err);
    default: break;
    }
    return err_set(err, ERR_CONFIG, "%s cannot be run by this engine yet", plan_word(plan->kind));
}

static bool build(struct pipeline *p, const struct plan *plan, uint32_t depth, struct node **node,
                  struct err *err)
{
    if (depth > PIPELINE_DEPTH_MAX)
        return err_set(err, ERR_CONFIG, "the query is nested deeper than %d", PIPELINE_DEPTH_MAX);
    if (plan->kind == PLAN_SCAN)
        return build_scan(p, plan, node, err);
    if (plan->kind == PLAN_PROJECT || plan->kind == PLAN_FILTER)
        return build_project(p, plan, depth, node, err);
    if (plan->kind == PLAN_WATERMARK && !plan->streaming)
        return build(p, plan->inputs[0], depth + 1, node, err);
    struct node **inputs = pool_alloc(p->pool, mem_product(plan->input_count + 1, sizeof(struct node *)));
    struct op *op;
    bool changes = false;
    TRY(build_inputs(p, plan, depth, inputs, err));
    for (uint32_t i = 0; i < plan->input_count; i++)
        changes |= inputs[i]->changes;
    TRY(build_op(p, plan, changes, &op, err));
    *node = node_add(p, op);
    (*node)->source = plan->kind == PLAN_VALUES;
    connect(*node, inputs, plan->input_count);
    (*node)->aggregates = plan->kind == PLAN_AGGREGATE && plan->streaming;
    (*node)->changes |= (*node)->aggregates;
    return true;
}

static void pipeline_close(void *arg)
{
    struct pipeline *p = arg;
    for (uint32_t i = 0; i < p->node_count; i++)
        op_free(p->nodes[i]->op);
    mem_free(p->nodes);
}

bool pipeline_new(struct pool *pool, const struct plan *plan, struct pipeline **pipeline, struct err *err)
{
    struct pipeline *p = *pipeline = pool_new_struct(pool, struct pipeline);
    p->pool = pool;
    p->schema = plan->schema;
    p->scan_nodes = pool_alloc(pool, PIPELINE_SCANS_MAX * sizeof(struct node *));
    p->scans = pool_alloc(pool, PIPELINE_SCANS_MAX * sizeof(struct plan *));
    pool_on_free(pool, pipeline_close, p);
    return build(p, plan, 0, &p->root, err);
}

bool pipeline_set_mode(struct pipeline *p, enum op_mode mode, struct err *err)
{
    CHECK(!p->started);
    for (uint32_t i = 0; mode == OP_MODE_APPEND && i < p->node_count; i++) {
        if (!p->nodes[i]->aggregates)
            continue;
        TRY(aggregate_set_append(p->nodes[i]->op, err));
        p->nodes[i]->changes = false;
    }
    return true;
}

void pipeline_spill_to(struct pipeline *p, struct spills *spills)
{
    CHECK(!p->started);
    for (uint32_t i = 0; i < p->node_count; i++)
        if (p->nodes[i]->op->kind->spill_to)
            p->nodes[i]->op->kind->spill_to(p->nodes[i]->op, spills);
}

const struct err *pipeline_failure(const struct pipeline *p)
{
    return p->failure;
}

uint32_t pipeline_scans(const struct pipeline *p, const struct plan *const **scans)
{
    *scans = (const struct plan *const *)p->scans;
    return p->scan_count;
}

const struct type *pipeline_schema(const struct pipeline *p)
{
    return p->schema;
}

bool pipeline_is_stateful(const struct pipeline *p)
{
    for (uint32_t i = 0; i < p->node_count; i++)
        if (p->nodes[i]->op->stateful)
            return true;
    return false;
}

bool pipeline_is_done(const struct pipeline *p)
{
    return p->root->done || p->failure;
}

/* ---- moving messages ----------------------------------------------------------------------------------- */

static void feed(struct pipeline *p, struct node *node, uint32_t port, const struct op_msg *msg,
                 const struct eval_context *context, const struct pipeline_output *output);

/* What a node puts out goes to its parent, or to the caller. */
static void forward(struct pipeline *p, struct node *node, const struct op_msg *msg,
                    const struct eval_context *context, const struct pipeline_output *output)
{
    if (node->parent)
        feed(p, node->parent, node->port, msg, context, output);
    else if (msg->kind == OP_BATCH)
        output->emit(output->arg, msg->batch);
}

static void mark_done(struct node *node)
{
    node->done = true;
    struct node *parent = node->parent;
    if (parent && parent->passes && !parent->done)
        mark_done(parent); /* others have something to say at the end */
}

static void feed(struct pipeline *p, struct node *node, uint32_t port, const struct op_msg *msg,
                 const struct eval_context *context, const struct pipeline_output *output)
{
    if (node->op == NULL) {
        forward(p, node, msg, context, output);
        return;
    }
    if (node->done) {
        if (msg->kind != OP_BATCH)
            forward(p, node, msg, context, output);
        return;
    }
    node->op->context = context;
    for (enum op_status status = op_step(node->op, port, msg);; status = op_step(node->op, port, NULL)) {
        for (uint32_t i = 0; i < node->op->bad_count; i++)
            output->bad(output->arg, &node->op->bad[i]);
        if (status == OP_DONE)
            mark_done(node);
        if (status == OP_FAILED)
            p->failure = &node->op->err;
        if (status != OP_HAS_OUTPUT)
            break;
        struct op_msg out = node->op->output;
        forward(p, node, &out, context, output);
        if (p->failure)
            break;
    }
}

void pipeline_push(struct pipeline *p, const struct eval_context *context, uint32_t scan,
                   const struct op_msg *msg, const struct pipeline_output *output)
{
    static const struct op_msg end = {.kind = OP_END};
    CHECK(scan < p->scan_count || (p->scan_count == 0 && scan == 0));
    for (uint32_t i = 0; i < p->node_count && !p->started; i++)
        if (p->nodes[i]->source)
            feed(p, p->nodes[i], 0, &end, context, output);
    p->started = true;
    if (p->scan_count && p->failure == NULL)
        feed(p, p->scan_nodes[scan], 0, msg, context, output);
}

/* ---- state --------------------------------------------------------------------------------------------- */

typedef bool state_write(struct op *op, struct sbuf *out);
typedef bool state_read(struct op *op, struct str bytes, struct err *err);

/* Each stateful operator's bytes, with their length (64 bits, little endian) before them. */
static void write_states(struct pipeline *p, struct sbuf *out, state_write *write)
{
    for (uint32_t i = 0; i < p->node_count; i++) {
        if (!p->nodes[i]->op->stateful)
            continue;
        size_t at = out->n;
        memset(sbuf_reserve(out, 8), 0, 8);
        sbuf_added(out, 8);
        write(p->nodes[i]->op, out);
        put_le64(out->p + at, out->n - at - 8);
    }
}

static bool read_states(struct pipeline *p, struct str bytes, state_read *read, struct err *err)
{
    struct rd r = rd_of(bytes.p, bytes.n);
    for (uint32_t i = 0; i < p->node_count; i++) {
        if (!p->nodes[i]->op->stateful)
            continue;
        uint64_t n = rd_le64(&r);
        const uint8_t *at = rd_take(&r, n);
        if (at == NULL)
            return err_set(err, ERR_FATAL, "the state of the operator \"%s\" is cut off",
                           p->nodes[i]->op->kind->name);
        if (!read(p->nodes[i]->op, str_n(at, n), err))
            return err_context(err, "operator \"%s\"", p->nodes[i]->op->kind->name);
    }
    if (rd_left(&r))
        return err_set(err, ERR_FATAL, "the state has %zu bytes more than the query's operators",
                       rd_left(&r));
    return true;
}

void pipeline_snapshot(struct pipeline *p, struct sbuf *out)
{
    write_states(p, out, op_snapshot);
}
bool pipeline_restore(struct pipeline *p, struct str snapshot, struct err *err)
{
    p->started = p->started || pipeline_is_stateful(p); /* constant rows are in the state already */
    return read_states(p, snapshot, op_restore, err);
}
void pipeline_changelog(struct pipeline *p, struct sbuf *out)
{
    write_states(p, out, op_changelog);
}
bool pipeline_apply(struct pipeline *p, struct str changelog, struct err *err)
{
    return read_states(p, changelog, op_apply, err);
}

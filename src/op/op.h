/* Operators. Only the driver moves batches: an operator is given one message and says what it wants next; its
 * result lies in its slot.
 *
 *     op_step(op, port, msg) → NEED_INPUT | HAS_OUTPUT | BLOCKED | DONE | FAILED
 *
 * After HAS_OUTPUT the driver takes op->output and calls op_step(op, port, NULL) until it is NEED_INPUT,
 * BLOCKED or DONE; only then does it hand in the next message. So any operator can yield, spill or stop
 * early, and a turn can end inside a large result. */
#ifndef OP_OP_H
#define OP_OP_H

#include "op/eval.h"
#include "sql/plan.h"
#include "state/spill.h"

enum op_status { OP_NEED_INPUT, OP_HAS_OUTPUT, OP_BLOCKED, OP_DONE, OP_FAILED };

enum op_msg_kind { OP_BATCH, OP_WATERMARK, OP_BARRIER, OP_END };

struct op_msg {
    enum op_msg_kind kind;
    struct batch *batch;         /* BATCH: borrowed until the operator returns NEED_INPUT */
    struct event_time watermark; /* WATERMARK */
    uint64_t turn;               /* BARRIER */
};

struct op;

/* A row that an operator could not compute: the driver routes it to <stream>_bad. */
struct op_bad_row {
    int32_t partition;
    int64_t offset;
    const char *reason; /* in the arena of the step's output */
    bool late; /* nothing is wrong with it, but the watermark has passed it: it goes to <stream>_late */
};

/* The slots of a kind of operator; nobody calls them directly, op_step() and its siblings do. */
struct op_kind {
    const char *name;
    enum op_status (*step)(struct op *op, uint32_t port, const struct op_msg *msg); /* mandatory */
    void (*close)(struct op *op);                           /* optional: the pool frees memory */
    void (*spill_to)(struct op *op, struct spills *spills); /* optional: holds no more than a budget says */
    /* stateful operators only, all or none: */
    void (*snapshot)(struct op *op, struct sbuf *out); /* whole state, self-contained */
    bool (*restore)(struct op *op, struct str snapshot, struct err *err);
    void (*changelog)(struct op *op, struct sbuf *out); /* changes since the last call, appended */
    bool (*apply)(struct op *op, struct str changelog, struct err *err); /* in the order they were taken */
    size_t (*memory)(const struct op *op);                               /* bytes of state */
};

struct op {
    const struct op_kind *kind;
    const struct type *schema;          /* of its output */
    const struct eval_context *context; /* set by the driver for each turn */
    struct op_msg
        output; /* the slot: valid after HAS_OUTPUT until the next step; the batch is the operator's own */
    struct op_bad_row *bad; /* bad rows of the last step [bad_count] */
    uint32_t bad_count;
    bool stateful;
    struct err err; /* FAILED: why; after it the operator only ends */
};

enum op_status op_step(struct op *op, uint32_t port, const struct op_msg *msg);
bool op_snapshot(struct op *op, struct sbuf *out);
bool op_restore(struct op *op, struct str snapshot, struct err *err);
bool op_changelog(struct op *op, struct sbuf *out);
bool op_apply(struct op *op, struct str changelog, struct err *err);
void op_free(struct op *op);

/* The chain of operators for a plan above its scans; freed with the pool. scans[*scan_count] are the plan's
 * leaves in order: the driver feeds batches of scans[i]->schema to port i. */
struct pipeline;
bool pipeline_new(struct pool *pool, const struct plan *plan, struct pipeline **pipeline, struct err *err);
/* How a stream's aggregation puts out its groups. UPDATE, the default: at each barrier those that changed, as
 * -U/+U. APPEND: each once, as an insert, when the watermark has passed it; ERR_CONFIG where there is none, or
 * the groups have no event time. Before the first push. */
enum op_mode { OP_MODE_UPDATE, OP_MODE_APPEND };
bool pipeline_set_mode(struct pipeline *p, enum op_mode mode, struct err *err);
/* What operators hold past spills->budget, each, goes there; borrowed. Without it, memory is what they need. Before the first push. */
void pipeline_spill_to(struct pipeline *p, struct spills *spills);
/* Why no more can come out of it, or NULL. A push after that does nothing. */
const struct err *pipeline_failure(const struct pipeline *p);
uint32_t pipeline_scans(const struct pipeline *p, const struct plan *const **scans);
const struct type *pipeline_schema(const struct pipeline *p);
bool pipeline_is_stateful(const struct pipeline *p);
/* No more rows will come out, whatever is pushed: a LIMIT is reached, or it has failed. OP_END is still to be pushed. */
bool pipeline_is_done(const struct pipeline *p);
/* Pushes one message into port `scan`; calls emit for each result. Bad rows go to bad. Both are called during
 * the push only. */
struct pipeline_output {
    void (*emit)(void *arg, struct batch *batch); /* batch borrowed until it returns */
    void (*bad)(void *arg, const struct op_bad_row *row);
    void *arg;
};
/* A plan without scans (SELECT 1) is run by pushing OP_END into port 0. Rows of VALUES come out at the first
 * push. */
void pipeline_push(struct pipeline *p, const struct eval_context *context, uint32_t scan,
                   const struct op_msg *msg, const struct pipeline_output *output);
/* State of all stateful operators together, in plan order. */
void pipeline_snapshot(struct pipeline *p, struct sbuf *out);
bool pipeline_restore(struct pipeline *p, struct str snapshot, struct err *err);
void pipeline_changelog(struct pipeline *p, struct sbuf *out);
bool pipeline_apply(struct pipeline *p, struct str changelog, struct err *err);

#endif

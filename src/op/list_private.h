/* For kernels whose result is an array or a map: rows are opened in ascending order, elements added as
 * (source column, its row), and the children gathered at the end. Rows that are never opened are empty. */
#ifndef OP_LIST_PRIVATE_H
#define OP_LIST_PRIVATE_H

#include "op/eval_private.h"

enum {
    LIST_ELEMENTS_MAX = 1 << 24, /* elements of one batch that a lambda sees, or that a number asked for */
    LIST_BLOWN_UP_MAX = 1 << 20, /* of one row that a number asked for: sequence(), array_repeat() … */
};

struct list {
    struct call *c;
    uint32_t *source, *rows; /* [count] */
    uint32_t count, capacity;
    uint32_t next; /* row whose offset is not written yet */
};

/* Gives c->out its offsets. */
void list_begin(struct list *l, struct call *c);
void list_open(struct list *l, uint32_t row);
/* row GATHER_NULL: a NULL element. */
void list_add(struct list *l, uint32_t source, uint32_t row);
/* Takes back what the row has so far. */
void list_cut(struct list *l, uint32_t count);
/* Gathers child `child` of c->out from the sources. Call list_close for each child. */
void list_close(struct list *l, uint32_t child, const struct column *const *sources, uint32_t source_count);

/* A set of cells of one type: linear while it is small, then by hash. Zeroed = empty. */
enum { SEEN_LINEAR = 16 };
struct seen {
    struct {
        const struct column *column;
        uint32_t row;
    } few[SEEN_LINEAR];
    uint32_t count;
    struct key_table *table;
};
bool seen_has(struct seen *s, const struct column *column, uint32_t row);
/* false: it was there. */
bool seen_add(struct seen *s, const struct column *column, uint32_t row);
void seen_fini(struct seen *s);

/* Whether a row may have `n` elements that it got by a number; else it has failed. */
bool list_may_have(struct list *l, uint32_t row, int64_t n);

/* Elements of a row of an array or map argument: [*from, returned). */
static inline uint32_t list_range(const struct call *c, uint32_t arg, uint32_t row, uint32_t *from)
{
    uint32_t at = arg_at(c, arg, row);
    *from = c->args[arg].offsets[at];
    return c->args[arg].offsets[at + 1];
}

#endif

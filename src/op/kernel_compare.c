/* Comparison: = != < <= > >= <=>, IN, IS NULL, NOT.
 *
 * One loop for each operator and physical type, over flat columns or a flat one and a constant; a constant on
 * the left is the mirrored operator with the sides swapped. NaN equals NaN and is the greatest number. */
#include <math.h>

#include "op/cells.h"
#include "op/kernels_private.h"

enum compare_op { OP_EQ, OP_NE, OP_LT, OP_LE, OP_GT, OP_GE };

#define EQ_INT(a, b) ((a) == (b))
#define NE_INT(a, b) ((a) != (b))
#define LT_INT(a, b) ((a) < (b))
#define LE_INT(a, b) ((a) <= (b))
#define GT_INT(a, b) ((a) > (b))
#define GE_INT(a, b) ((a) >= (b))
/* bitwise, so that no branch stands in a loop's way */
#define LT_FLOAT(a, b) (((a) < (b)) | (((a) == (a)) & ((b) != (b))))
#define EQ_FLOAT(a, b) (((a) == (b)) | (((a) != (a)) & ((b) != (b))))
#define NE_FLOAT(a, b) (!EQ_FLOAT(a, b))
#define LE_FLOAT(a, b) (LT_FLOAT(a, b) | EQ_FLOAT(a, b))
#define GT_FLOAT(a, b) LT_FLOAT(b, a)
#define GE_FLOAT(a, b) LE_FLOAT(b, a)

#define COMPARE(name, type, test)                                                                            \
    static void name(struct call *c)                                                                         \
    {                                                                                                        \
        const type *a = c->args[0].data, *b = c->args[1].data;                                               \
        uint8_t *out = c->out->data;                                                                         \
        const uint32_t n = c->rows;                                                                          \
        if (c->args[0].encoding == COLUMN_CONSTANT) {                                                        \
            const type x = a[0];                                                                             \
            for (uint32_t i = 0; i < n; i++)                                                                 \
                out[i] = test(x, b[i]);                                                                      \
        } else if (c->args[1].encoding == COLUMN_CONSTANT) {                                                 \
            const type y = b[0];                                                                             \
            for (uint32_t i = 0; i < n; i++)                                                                 \
                out[i] = test(a[i], y);                                                                      \
        } else {                                                                                             \
            for (uint32_t i = 0; i < n; i++)                                                                 \
                out[i] = test(a[i], b[i]);                                                                   \
        }                                                                                                    \
    }
#define COMPARE_ALL(suffix, type, family)                                                                    \
    COMPARE(eq_##suffix, type, EQ_##family)                                                                  \
    COMPARE(ne_##suffix, type, NE_##family)                                                                  \
    COMPARE(lt_##suffix, type, LT_##family)                                                                  \
    COMPARE(le_##suffix, type, LE_##family)                                                                  \
    COMPARE(gt_##suffix, type, GT_##family)                                                                  \
    COMPARE(ge_##suffix, type, GE_##family)                                                                  \
    static kernel_fn *const compare_##suffix[] = {eq_##suffix, ne_##suffix, lt_##suffix,                     \
                                                  le_##suffix, gt_##suffix, ge_##suffix};

COMPARE_ALL(u8, uint8_t, INT)
COMPARE_ALL(i8, int8_t, INT)
COMPARE_ALL(i16, int16_t, INT)
COMPARE_ALL(i32, int32_t, INT)
COMPARE_ALL(i64, int64_t, INT)
COMPARE_ALL(i128, i128, INT)
COMPARE_ALL(f32, float, FLOAT)
COMPARE_ALL(f64, double, FLOAT)

#define EQ_VIEW(a, b) view_eq(&(a), &(b))
#define NE_VIEW(a, b) (!view_eq(&(a), &(b)))
#define LT_VIEW(a, b) (view_cmp(&(a), &(b)) < 0)
#define LE_VIEW(a, b) (view_cmp(&(a), &(b)) <= 0)
#define GT_VIEW(a, b) (view_cmp(&(a), &(b)) > 0)
#define GE_VIEW(a, b) (view_cmp(&(a), &(b)) >= 0)
COMPARE_ALL(view, struct view, VIEW)

static bool holds(enum compare_op op, int order)
{
    switch (op) {
    case OP_EQ: return order == 0;
    case OP_NE: return order != 0;
    case OP_LT: return order < 0;
    case OP_LE: return order <= 0;
    case OP_GT: return order > 0;
    case OP_GE: return order >= 0;
    }
    UNREACHABLE("comparison operators");
}

/* Nested types, and strings of a collation. */
static void compare_cells(struct call *c)
{
    enum compare_op op = *(const enum compare_op *)c->step->state;
    for (EACH_ROW(c, row))
        OUT(c, uint8_t)[row] = holds(op, cell_cmp(&c->args[0], row, &c->args[1], row));
}

static bool is_plain(const struct type *t)
{
    return type_width(t) > 0 && t->collation == NULL;
}

static kernel_fn *const *compare_table(const struct type *t)
{
    switch (t->kind) {
    case TYPE_BOOLEAN: return compare_u8;
    case TYPE_BYTE: return compare_i8;
    case TYPE_SHORT: return compare_i16;
    case TYPE_FLOAT: return compare_f32;
    case TYPE_DOUBLE: return compare_f64;
    case TYPE_DECIMAL: return compare_i128;
    case TYPE_STRING:
    case TYPE_BINARY: return compare_view;
    default: return type_width(t) == 4 ? compare_i32 : compare_i64;
    }
}

static bool pick(struct kernel_pick *p, enum compare_op op)
{
    const struct type *t = p->expr->args[0]->type;
    if (is_plain(t)) {
        p->run = compare_table(t)[op];
        p->flags |= KERNEL_TOTAL;
        return true;
    }
    enum compare_op *state = pool_alloc(p->pool, sizeof(*state));
    *state = op;
    p->state = state;
    p->run = compare_cells;
    return true;
}

bool pick_eq(struct kernel_pick *p, struct err *err)
{
    return pick(p, OP_EQ);
}
bool pick_ne(struct kernel_pick *p, struct err *err)
{
    return pick(p, OP_NE);
}
bool pick_lt(struct kernel_pick *p, struct err *err)
{
    return pick(p, OP_LT);
}
bool pick_le(struct kernel_pick *p, struct err *err)
{
    return pick(p, OP_LE);
}
bool pick_gt(struct kernel_pick *p, struct err *err)
{
    return pick(p, OP_GT);
}
bool pick_ge(struct kernel_pick *p, struct err *err)
{
    return pick(p, OP_GE);
}

void kernel_eq_null_safe(struct call *c)
{
    for (EACH_ROW(c, row))
        OUT(c, uint8_t)[row] = cell_equal(&c->args[0], row, &c->args[1], row);
}

void kernel_not(struct call *c)
{
    const uint8_t *a = c->args[0].data;
    uint8_t *out = c->out->data;
    const uint32_t n = c->rows;
    for (uint32_t i = 0; i < n; i++)
        out[i] = !a[i];
}

static void null_test(struct call *c, bool wanted)
{
    const struct column *a = &c->args[0];
    uint8_t *out = c->out->data;
    const uint32_t n = c->rows;
    bool all = a->type->kind == TYPE_NULL;
    memset(out, all == wanted, c->rows);
    if (all || a->validity == NULL)
        return;
    for (uint32_t i = 0; i < n; i++)
        out[i] = bit_get(a->validity, i) ^ wanted;
}

void kernel_is_null(struct call *c)
{
    null_test(c, true);
}
void kernel_is_not_null(struct call *c)
{
    null_test(c, false);
}

/* ---- IN ------------------------------------------------------------------------------------------------ */

/* A list of constants: sorted cells of one column, or a table of short and long texts by hash. */
struct in_list {
    struct column cells; /* flat, sorted, no NULL */
    uint32_t *slots;     /* text: row + 1, 0 = free [mask + 1] */
    uint32_t mask;
    bool has_null;
};

static uint32_t view_hash(const struct view *v)
{
    return (uint32_t)hash_bytes(view_bytes(v), v->size);
}

static bool in_texts(const struct in_list *l, const struct view *v)
{
    const struct view *items = l->cells.data;
    for (uint32_t at = view_hash(v) & l->mask; l->slots[at]; at = (at + 1) & l->mask)
        if (view_eq(&items[l->slots[at] - 1], v))
            return true;
    return false;
}

static bool in_sorted(const struct in_list *l, const struct column *column, uint32_t row)
{
    uint32_t low = 0, high = l->cells.rows;
    while (low < high) {
        uint32_t mid = low + (high - low) / 2;
        int order = cell_cmp(column, row, &l->cells, mid);
        if (order == 0)
            return true;
        if (order < 0)
            high = mid;
        else
            low = mid + 1;
    }
    return false;
}

static void in_constants(struct call *c)
{
    const struct in_list *l = c->step->state;
    for (EACH_ROW(c, row)) {
        bool found = false;
        if (arg_null(c, 0, row)) {
            out_null(c, row);
            continue;
        }
        if (l->slots)
            found = in_texts(l, &ARG(c, struct view, 0, row));
        else
            found = in_sorted(l, &c->args[0], row);
        if (!found && l->has_null)
            out_null(c, row);
        OUT(c, uint8_t)[row] = found;
    }
}

static void in_columns(struct call *c)
{
    for (EACH_ROW(c, row)) {
        bool found = false, null = arg_null(c, 0, row);
        for (uint32_t i = 1; i < c->arg_count && !found && !arg_null(c, 0, row); i++) {
            if (arg_null(c, i, row))
                null = true;
            else
                found = cell_equal(&c->args[0], row, &c->args[i], row);
        }
        OUT(c, uint8_t)[row] = found;
        if (!found && null)
            out_null(c, row);
    }
}

static void sort_cells(struct column *cells, uint32_t *order, uint32_t count)
{
    for (uint32_t gap = count / 2; gap > 0; gap /= 2) /* shell sort: lists are short, this runs once */
        for (uint32_t i = gap; i < count; i++)
            for (uint32_t j = i; j >= gap && cell_cmp(cells, order[j - gap], cells, order[j]) > 0; j -= gap) {
                uint32_t t = order[j];
                order[j] = order[j - gap];
                order[j - gap] = t;
            }
}

static void in_prepare(struct kernel_pick *p, struct in_list *l)
{
    struct arena *arena = pool_arena(p->pool);
    struct column_builder b;
    column_builder_init(&b, p->expr->args[0]->type, arena);
    for (uint32_t i = 1; i < p->expr->arg_count; i++) {
        struct column one = *p->constants[i];
        one.encoding = COLUMN_FLAT;
        one.rows = 1;
        if (column_is_null(&one, 0))
            l->has_null = true;
        else
            column_builder_append(&b, &one, NULL, 1, true);
    }
    struct column cells = column_builder_finish(&b);
    cells.validity = NULL;
    uint32_t *order = arena_array(arena, uint32_t, cells.rows);
    for (uint32_t i = 0; i < cells.rows; i++)
        order[i] = i;
    sort_cells(&cells, order, cells.rows);
    l->cells = column_take(&cells, order, cells.rows, arena);
    if (!type_is_view(cells.type) || cells.type->collation)
        return;
    l->mask = 3;
    while (l->mask < cells.rows * 2)
        l->mask = l->mask * 2 + 1;
    l->slots = arena_zarray(arena, uint32_t, l->mask + 1);
    for (uint32_t i = 0; i < l->cells.rows; i++) {
        uint32_t at = view_hash((struct view *)l->cells.data + i) & l->mask;
        while (l->slots[at])
            at = (at + 1) & l->mask;
        l->slots[at] = i + 1;
    }
}

bool pick_in(struct kernel_pick *p, struct err *err)
{
    p->run = in_columns;
    for (uint32_t i = 1; i < p->expr->arg_count; i++)
        if (p->constants[i] == NULL || p->constants[i]->type->kind == TYPE_NULL ||
            type_width(p->constants[i]->type) == 0)
            return true;
    if (p->expr->args[0]->type->kind == TYPE_NULL)
        return true;
    struct in_list *l = pool_new_struct(p->pool, struct in_list);
    in_prepare(p, l);
    p->state = l;
    p->run = in_constants;
    return true;
}

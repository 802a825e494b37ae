/* The least and greatest of several, NaN, and errors on demand. */
#include <math.h>

#include "op/cells.h"
#include "op/gather.h"
#include "op/kernels_private.h"

/* Each row's winner is an argument; the result is gathered from them. */
static void extreme(struct call *c, int sign)
{
    const struct column **sources = arena_array(c->arena, const struct column *, c->arg_count);
    uint32_t *source = arena_zarray(c->arena, uint32_t, c->rows + 1),
             *rows = arena_array(c->arena, uint32_t, c->rows + 1);
    memset(rows, 0xFF, (size_t)c->rows * sizeof(*rows)); /* GATHER_NULL */
    for (uint32_t i = 0; i < c->arg_count; i++)
        sources[i] = &c->args[i];
    for (EACH_ROW(c, row)) {
        uint32_t best = UINT32_MAX;
        for (uint32_t i = 0; i < c->arg_count; i++)
            if (!arg_null(c, i, row) &&
                (best == UINT32_MAX || sign * cell_cmp(&c->args[i], row, &c->args[best], row) > 0))
                best = i;
        if (best == UINT32_MAX)
            continue;
        source[row] = best;
        rows[row] = row;
    }
    *c->out = column_gather(c->out->type, sources, c->arg_count, source, rows, c->rows, c->arena);
}

void kernel_greatest(struct call *c)
{
    extreme(c, 1);
}
void kernel_least(struct call *c)
{
    extreme(c, -1);
}

void kernel_is_nan(struct call *c)
{
    for (EACH_ROW(c, row))
        OUT(c, uint8_t)[row] = !arg_null(c, 0, row) && isnan(arg_f64(c, 0, row));
}

void kernel_nanvl(struct call *c)
{
    for (EACH_ROW(c, row)) {
        uint32_t from = 0;
        if (!arg_null(c, 0, row) && isnan(arg_f64(c, 0, row)))
            from = 1;
        if (arg_null(c, from, row))
            out_null(c, row);
        else if (c->out->type->kind == TYPE_FLOAT)
            OUT(c, float)[row] = (float)arg_f64(c, from, row);
        else
            OUT(c, double)[row] = arg_f64(c, from, row);
    }
}

static void raise(struct call *c, uint32_t row, struct str text)
{
    row_errors_add(
        c->errors, c->arena, row,
        arena_printf(c->arena, "USER_RAISED_EXCEPTION: %.*s", (int)(text.n < 400 ? text.n : 400), text.p));
}

void kernel_assert_true(struct call *c)
{
    for (EACH_ROW(c, row)) {
        if (!arg_null(c, 0, row) && ARG(c, uint8_t, 0, row))
            continue;
        bool said = c->arg_count > 1 && !arg_null(c, 1, row);
        raise(c, row, said ? arg_str(c, 1, row) : STR("the condition is not true"));
    }
}

void kernel_raise_error(struct call *c)
{
    for (EACH_ROW(c, row))
        raise(c, row, arg_null(c, 0, row) ? STR("null") : arg_str(c, 0, row));
}

void kernel_elt(struct call *c)
{
    for (EACH_ROW(c, row)) {
        if (arg_null(c, 0, row)) {
            out_null(c, row);
            continue;
        }
        int64_t n = arg_i64(c, 0, row);
        if (n < 1 || n >= c->arg_count)
            out_error(c, row, "INVALID_ARRAY_INDEX: the index %lld is out of bounds, there are %u elements",
                      (long long)n, c->arg_count - 1);
        else if (arg_null(c, (uint32_t)n, row))
            out_null(c, row);
        else
            out_str(c, row, arg_str(c, (uint32_t)n, row));
    }
}

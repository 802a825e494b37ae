/* The oracle's plans; see oracle.h. Everything is a list of rows; groups and duplicates are found by looking
 * at all of them. */
#include <ref/oracle.h>

#include "sql/function.h"
#include "type/decimal.h"

struct run {
    struct oracle *o;
    const struct oracle_rows *inputs;
    uint32_t next; /* scan */
    uint32_t *bad;
};

static bool node(struct run *r, const struct plan *plan, uint32_t depth, struct oracle_rows *out);

static struct oracle_rows rows_new(struct oracle *o, uint32_t columns, uint32_t most)
{
    return (struct oracle_rows){arena_array(o->arena, struct value, ((size_t)most + 1) * (columns + 1)), 0,
                                columns};
}

static const struct value *row_of(const struct oracle_rows *rows, uint32_t row)
{
    return rows->values + (size_t)row * rows->columns;
}

static void add_row(struct oracle_rows *rows, const struct value *row)
{
    if (rows->columns)
        memcpy(rows->values + (size_t)rows->rows * rows->columns, row, rows->columns * sizeof(*row));
    rows->rows++;
}

static int row_cmp(const struct value *a, const struct value *b, uint32_t columns)
{
    for (uint32_t i = 0; i < columns; i++) {
        int c = value_cmp(&a[i], &b[i]);
        if (c)
            return c;
    }
    return 0;
}

static bool unknown(struct run *r)
{
    r->o->unknown = true;
    return false;
}

/* A failed row is counted and forgotten; a function that the oracle does not know ends it all. */
static bool row_failed(struct run *r)
{
    if (!r->o->unknown)
        ++*r->bad;
    return !r->o->unknown;
}

static bool filter(struct run *r, const struct plan *plan, const struct oracle_rows *in,
                   struct oracle_rows *out)
{
    *out = rows_new(r->o, in->columns, in->rows);
    for (uint32_t row = 0; row < in->rows; row++) {
        struct value v;
        if (!oracle_eval(r->o, plan->exprs[0], row_of(in, row), &v)) {
            if (!row_failed(r))
                return false;
        } else if (!v.is_null && v.boolean) {
            add_row(out, row_of(in, row));
        }
    }
    return true;
}

static bool project(struct run *r, const struct plan *plan, const struct oracle_rows *in,
                    struct oracle_rows *out)
{
    *out = rows_new(r->o, plan->expr_count, in->rows);
    struct value *row_out = arena_array(r->o->arena, struct value, plan->expr_count + 1);
    for (uint32_t row = 0; row < in->rows; row++) {
        bool ok = true;
        for (uint32_t i = 0; ok && i < plan->expr_count; i++)
            ok = oracle_eval(r->o, plan->exprs[i], row_of(in, row), &row_out[i]);
        if (ok)
            add_row(out, row_out);
        else if (!row_failed(r))
            return false;
    }
    return true;
}

static bool sort(struct run *r, const struct plan *plan, const struct oracle_rows *in,
                 struct oracle_rows *out)
{
    struct oracle_rows keys = rows_new(r->o, plan->sort_count, in->rows),
                       good = rows_new(r->o, in->columns, in->rows);
    struct value *key = arena_array(r->o->arena, struct value, plan->sort_count + 1);
    for (uint32_t row = 0; row < in->rows; row++) {
        bool ok = true;
        for (uint32_t i = 0; ok && i < plan->sort_count; i++)
            ok = oracle_eval(r->o, plan->sort[i].expr, row_of(in, row), &key[i]);
        if (!ok && !row_failed(r))
            return false;
        if (!ok)
            continue;
        add_row(&keys, key);
        add_row(&good, row_of(in, row));
    }
    uint32_t *order = arena_array(r->o->arena, uint32_t, good.rows + 1);
    for (uint32_t i = 0; i < good.rows; i++) {
        uint32_t at = i;
        for (; at > 0; at--) {
            const struct value *a = row_of(&keys, order[at - 1]), *b = row_of(&keys, i);
            int c = 0;
            for (uint32_t k = 0; c == 0 && k < plan->sort_count; k++) {
                const struct sort_key *s = &plan->sort[k];
                if (a[k].is_null || b[k].is_null)
                    c = (b[k].is_null - a[k].is_null) * (s->nulls_last ? -1 : 1);
                else
                    c = value_cmp(&a[k], &b[k]) * (s->descending ? -1 : 1);
            }
            if (c <= 0)
                break;
            order[at] = order[at - 1];
        }
        order[at] = i;
    }
    *out = rows_new(r->o, in->columns, good.rows);
    for (uint32_t i = 0; i < good.rows && (plan->limit < 0 || i < plan->limit); i++)
        add_row(out, row_of(&good, order[i]));
    return true;
}

/* ---- aggregates ---------------------------------------------------------------------------------------- */

/* One group's rows, and the aggregate over them: slow and plain. values[n] are the arguments' first column of
 * rows that take part. */
static bool fold(struct run *r, const struct expr *e, const struct value *values, uint32_t n,
                 struct value *out)
{
    i128 sum = 0;
    double total = 0;
    uint32_t count = 0;
    *out = value_null(e->type);
    bool decimal = e->arg_count && e->args[0]->type->kind == TYPE_DECIMAL;
    bool fraction = e->arg_count &&
                    (e->args[0]->type->kind == TYPE_DOUBLE || e->args[0]->type->kind == TYPE_FLOAT);
    for (uint32_t i = 0; i < n; i++) {
        if (values[i].is_null && e->function->id != FN_FIRST && e->function->id != FN_LAST)
            continue;
        switch (e->function->id) {
        case FN_SUM:
        case FN_AVG:
            sum += decimal ? values[i].decimal : fraction ? 0 : values[i].i64;
            total += fraction ? values[i].f64 : 0;
            break;
        case FN_MIN:
            if (out->is_null || value_cmp(&values[i], out) < 0)
                *out = values[i];
            break;
        case FN_MAX:
            if (out->is_null || value_cmp(&values[i], out) > 0)
                *out = values[i];
            break;
        case FN_FIRST:
            if (count == 0)
                *out = values[i];
            break;
        case FN_LAST: *out = values[i]; break;
        case FN_BOOL_AND:
        case FN_BOOL_OR:
            if (out->is_null || values[i].boolean == (e->function->id == FN_BOOL_OR))
                *out = values[i];
            break;
        case FN_COUNT_VALUES: break;
        default: return unknown(r);
        }
        count++;
    }
    out->type = e->type;
    if (e->function->id == FN_COUNT_VALUES) {
        *out = (struct value){.type = e->type, .i64 = count};
    } else if (count && e->function->id == FN_SUM) {
        bool fits = decimal ? decimal_fits(sum, e->type->precision) : sum >= INT64_MIN && sum <= INT64_MAX;
        *out = (struct value){.type = e->type, .is_null = !fits};
        if (!fits)
            ++*r->bad;
        else if (decimal)
            out->decimal = sum;
        else if (fraction)
            out->f64 = total;
        else
            out->i64 = (int64_t)sum;
    } else if (count && e->function->id == FN_AVG) {
        *out = (struct value){.type = e->type};
        if (decimal &&
            !decimal_div(sum, e->args[0]->type->scale, count, 0, decimal_shape_of(e->type), &out->decimal)) {
            *out = value_null(e->type);
            ++*r->bad;
        }
        if (!decimal)
            out->f64 = (fraction ? total : (double)sum) / count;
    }
    return true;
}

/* What an input row gives: keys, then for each aggregate its first argument, and whether it takes part. */
struct agg_row {
    struct value *keys, *args;
    bool *takes_part;
};

static bool agg_row(struct run *r, const struct plan *plan, const struct value *row, struct agg_row *out)
{
    uint32_t aggs = plan->expr_count - plan->group_count;
    out->keys = arena_array(r->o->arena, struct value, plan->group_count + 1);
    out->args = arena_array(r->o->arena, struct value, aggs + 1);
    out->takes_part = arena_zalloc(r->o->arena, aggs + 1);
    for (uint32_t i = 0; i < plan->group_count; i++)
        if (!oracle_eval(r->o, plan->exprs[i], row, &out->keys[i]))
            return false;
    for (uint32_t i = 0; i < aggs; i++) {
        const struct expr *e = plan->exprs[plan->group_count + i],
                          *filter_ = plan->filters ? plan->filters[plan->group_count + i] : NULL;
        struct value v = {.boolean = true};
        if (filter_ && !oracle_eval(r->o, filter_, row, &v))
            return false;
        if (v.is_null || !v.boolean)
            continue;
        out->takes_part[i] = true;
        out->args[i] = (struct value){.type = type_simple(TYPE_INT), .i64 = 1};
        for (uint32_t k = 0; k < e->arg_count; k++) {
            if (!oracle_eval(r->o, e->args[k], row, &v))
                return false;
            if (k == 0)
                out->args[i] = v;
        }
    }
    return true;
}

static bool aggregate_group(struct run *r, const struct plan *plan, const struct agg_row *rows,
                            const uint32_t *members, uint32_t n, struct oracle_rows *out)
{
    uint32_t aggs = plan->expr_count - plan->group_count;
    struct value *result = arena_array(r->o->arena, struct value, plan->expr_count + 1);
    struct value *values = arena_array(r->o->arena, struct value, n + 1);
    for (uint32_t i = 0; n && i < plan->group_count; i++)
        result[i] = rows[members[0]].keys[i];
    for (uint32_t i = 0; i < aggs; i++) {
        uint32_t count = 0;
        for (uint32_t k = 0; k < n; k++) {
            const struct agg_row *row = &rows[members[k]];
            bool again = false;
            if (!row->takes_part[i])
                continue;
            for (uint32_t d = 0; plan->distinct && plan->distinct[plan->group_count + i] && d < count; d++)
                again |= value_cmp(&values[d], &row->args[i]) == 0;
            if (!again)
                values[count++] = row->args[i];
        }
        if (!fold(r, plan->exprs[plan->group_count + i], values, count, &result[plan->group_count + i]))
            return false;
    }
    add_row(out, result);
    return true;
}

static bool aggregate(struct run *r, const struct plan *plan, const struct oracle_rows *in,
                      struct oracle_rows *out)
{
    struct agg_row *rows = arena_array(r->o->arena, struct agg_row, in->rows + 1);
    uint32_t *members = arena_array(r->o->arena, uint32_t, in->rows + 1), n = 0;
    bool *taken = arena_zalloc(r->o->arena, in->rows + 1);
    *out = rows_new(r->o, plan->expr_count, in->rows + 1);
    for (uint32_t row = 0; row < in->rows; row++) {
        if (agg_row(r, plan, row_of(in, row), &rows[n]))
            n++;
        else if (!row_failed(r))
            return false;
    }
    if (plan->group_count == 0 && n == 0)
        return aggregate_group(r, plan, rows, members, 0, out);
    for (uint32_t first = 0; first < n; first++) {
        uint32_t count = 0;
        if (taken[first])
            continue;
        for (uint32_t k = first; k < n; k++)
            if (!taken[k] && row_cmp(rows[first].keys, rows[k].keys, plan->group_count) == 0) {
                taken[k] = true;
                members[count++] = k;
            }
        if (!aggregate_group(r, plan, rows, members, count, out))
            return false;
    }
    return true;
}

/* ---- the rest ------------------------------------------------------------------------------------------ */

static bool distinct(struct run *r, const struct oracle_rows *in, struct oracle_rows *out)
{
    *out = rows_new(r->o, in->columns, in->rows);
    for (uint32_t row = 0; row < in->rows; row++) {
        bool again = false;
        for (uint32_t k = 0; k < out->rows && !again; k++)
            again = row_cmp(row_of(out, k), row_of(in, row), in->columns) == 0;
        if (!again)
            add_row(out, row_of(in, row));
    }
    return true;
}

static bool limit(struct run *r, const struct plan *plan, const struct oracle_rows *in,
                  struct oracle_rows *out)
{
    int64_t from = plan->offset > 0 ? plan->offset : 0;
    *out = rows_new(r->o, in->columns, in->rows);
    for (int64_t row = from; row < in->rows && (plan->limit < 0 || row < from + plan->limit); row++)
        add_row(out, row_of(in, (uint32_t)row));
    return true;
}

static bool union_(struct run *r, const struct plan *plan, uint32_t depth, struct oracle_rows *out)
{
    struct oracle_rows *parts = arena_array(r->o->arena, struct oracle_rows, plan->input_count + 1);
    uint32_t total = 0;
    for (uint32_t i = 0; i < plan->input_count; i++) {
        if (!node(r, plan->inputs[i], depth + 1, &parts[i]))
            return false;
        total += parts[i].rows;
    }
    *out = rows_new(r->o, plan->schema->field_count, total);
    for (uint32_t i = 0; i < plan->input_count; i++)
        for (uint32_t row = 0; row < parts[i].rows; row++)
            add_row(out, row_of(&parts[i], row));
    return true;
}

static bool node(struct run *r, const struct plan *plan, uint32_t depth, struct oracle_rows *out)
{
    struct oracle_rows in = {0};
    if (depth > ORACLE_DEPTH_MAX)
        return unknown(r);
    if (plan->kind == PLAN_SCAN) {
        *out = r->inputs[r->next++];
        return true;
    }
    if (plan->kind == PLAN_VALUES) {
        *out = rows_new(r->o, plan->schema->field_count, plan->row_count);
        for (uint32_t row = 0; row < plan->row_count; row++)
            add_row(out, plan->rows + (size_t)row * plan->schema->field_count);
        return true;
    }
    if (plan->kind == PLAN_UNION)
        return union_(r, plan, depth, out);
    if (!node(r, plan->inputs[0], depth + 1, &in))
        return false;
    switch (plan->kind) {
    case PLAN_FILTER: return filter(r, plan, &in, out);
    case PLAN_PROJECT: return project(r, plan, &in, out);
    case PLAN_AGGREGATE: return aggregate(r, plan, &in, out);
    case PLAN_SORT: return sort(r, plan, &in, out);
    case PLAN_LIMIT: return limit(r, plan, &in, out);
    case PLAN_DISTINCT: return distinct(r, &in, out);
    case PLAN_WATERMARK: *out = in; return true;
    default: return unknown(r);
    }
}

bool oracle_run(struct oracle *o, const struct plan *plan, const struct oracle_rows *inputs,
                struct oracle_rows *out, uint32_t *bad)
{
    struct run r = {.o = o, .inputs = inputs, .bad = bad};
    *bad = 0;
    return node(&r, plan, 0, out);
}

/* Column pruning: what nobody above asks for is neither computed nor read, down to the scans. So a hidden column of a topic is decoded only
 * by the queries that name it.
 *
 * One walk from the root. A node is told which of its columns are needed; it asks its input for those that its own expressions use, and
 * gets back where they are now; then it rewrites its expressions. A node that passes its input through may keep more columns than
 * were asked for (a filter keeps those that its condition uses). */
#include "sql/bind_private.h"

/* ---- which columns an expression uses --------------------------------------------------------------------------------------------- */

static void mark(const struct expr *e, bool *need)
{
    if (e == NULL)
        return;
    if (e->kind == EXPR_COLUMN)
        need[e->index] = true;
    for (uint32_t i = 0; i < e->arg_count; i++)
        mark(e->args[i], need);
}

static bool move_visit(struct expr_rewriter *r, const struct expr *e, const struct expr **out, bool *done)
{
    const uint32_t *map = r->arg;
    if (e->kind != EXPR_COLUMN)
        return true;
    *done = true;
    *out = e;
    if (map[e->index] == e->index)
        return true;
    struct expr *copy = arena_dup(r->arena, e, sizeof *copy);
    copy->index = map[e->index];
    *out = copy;
    return true;
}

/* Rewrites over the input's new places. */
static bool move(struct binder *b, const struct expr **e, uint32_t *map)
{
    struct expr_rewriter r = {.arena = b->arena, .visit = move_visit, .arg = map};
    return *e == NULL || (bind_work(b, (*e)->size / 4, (*e)->span) && expr_rewrite(&r, *e, e));
}

/* ---- nodes ------------------------------------------------------------------------------------------------------------------------- */

static bool prune(struct binder *b, struct plan **plan, const bool *need, uint32_t *map);

static bool *no_columns(struct binder *b, const struct plan *plan)
{
    return arena_zarray(b->arena, bool, plan->schema->field_count + 1);
}

static uint32_t *no_map(struct binder *b, const struct plan *plan)
{
    return arena_zarray(b->arena, uint32_t, plan->schema->field_count + 1);
}

static void keep_all(const struct plan *p, uint32_t *map)
{
    for (uint32_t i = 0; i < p->schema->field_count; i++)
        map[i] = i;
}

/* The fields that are needed, in their order; their places go to map. */
static const struct type *keep_fields(struct binder *b, const struct type *t, const bool *need, uint32_t *map)
{
    struct field *fields = arena_array(b->arena, struct field, t->field_count + 1);
    uint32_t count = 0;
    for (uint32_t i = 0; i < t->field_count; i++) {
        if (!need[i])
            continue;
        fields[count] = t->fields[i];
        map[i] = count++;
    }
    return type_struct(b->arena, fields, count);
}

static bool prune_scan(struct binder *b, struct plan *p, const bool *need, uint32_t *map)
{
    uint32_t count = 0;
    const struct type *schema = keep_fields(b, p->schema, need, map);
    for (uint32_t i = 0; i < p->column_count; i++)
        if (need[i])
            p->columns[count++] = p->columns[i];
    p->column_count = count;
    p->schema = schema;
    return true;
}

static bool prune_project(struct binder *b, struct plan *p, const bool *need, uint32_t *map)
{
    bool *input_need = no_columns(b, p->inputs[0]);
    uint32_t *input_map = no_map(b, p->inputs[0]), count = 0;
    const struct expr **exprs = arena_array(b->arena, const struct expr *, p->expr_count + 1);
    for (uint32_t i = 0; i < p->expr_count; i++) {
        if (!need[i])
            continue;
        mark(p->exprs[i], input_need);
        exprs[count++] = p->exprs[i];
    }
    TRY(prune(b, &p->inputs[0], input_need, input_map));
    for (uint32_t i = 0; i < count; i++)
        TRY(move(b, &exprs[i], input_map));
    p->schema = keep_fields(b, p->schema, need, map);
    p->exprs = exprs;
    p->expr_count = count;
    return true;
}

/* FILTER, SORT, LIMIT, WATERMARK: the input's columns go through. */
static bool prune_through(struct binder *b, struct plan *p, const bool *need, uint32_t *map)
{
    uint32_t n = p->schema->field_count;
    bool *all = no_columns(b, p);
    memcpy(all, need, n * sizeof *all);
    for (uint32_t i = 0; i < p->expr_count; i++)
        mark(p->exprs[i], all);
    for (uint32_t i = 0; i < p->sort_count; i++)
        mark(p->sort[i].expr, all);
    TRY(prune(b, &p->inputs[0], all, map));
    for (uint32_t i = 0; i < p->expr_count; i++)
        TRY(move(b, &p->exprs[i], map));
    for (uint32_t i = 0; i < p->sort_count; i++)
        TRY(move(b, &p->sort[i].expr, map));
    p->schema = p->inputs[0]->schema;
    return true;
}

static bool prune_aggregate(struct binder *b, struct plan *p, const bool *need, uint32_t *map)
{
    bool *input_need = no_columns(b, p->inputs[0]);
    uint32_t *input_map = no_map(b, p->inputs[0]), count = 0;
    for (uint32_t i = 0; i < p->expr_count; i++) { /* keys stay: they make the rows */
        if (i >= p->group_count && !need[i])
            continue;
        mark(p->exprs[i], input_need);
        mark(p->filters[i], input_need);
    }
    TRY(prune(b, &p->inputs[0], input_need, input_map));
    struct field *fields = arena_array(b->arena, struct field, p->expr_count + 1);
    for (uint32_t i = 0; i < p->expr_count; i++) {
        if (i >= p->group_count && !need[i])
            continue;
        TRY(move(b, &p->exprs[i], input_map));
        TRY(move(b, &p->filters[i], input_map));
        p->exprs[count] = p->exprs[i];
        p->filters[count] = p->filters[i];
        p->distinct[count] = p->distinct[i];
        fields[count] = p->schema->fields[i];
        map[i] = count++;
    }
    p->expr_count = count;
    p->schema = type_struct(b->arena, fields, count);
    return true;
}

static bool prune_distinct(struct binder *b, struct plan *p, uint32_t *map)
{
    bool *all = no_columns(b, p);
    memset(all, true, p->schema->field_count);
    TRY(prune(b, &p->inputs[0], all, map));
    p->schema = p->inputs[0]->schema;
    return true;
}

/* Every input of a union must put out the same columns: one that kept more, or in other places, gets a project. */
static bool prune_union(struct binder *b, struct plan *p, const bool *need, uint32_t *map)
{
    const struct type *schema = keep_fields(b, p->schema, need, map);
    for (uint32_t k = 0; k < p->input_count; k++) {
        uint32_t n = p->inputs[k]->schema->field_count, count = 0;
        uint32_t *input_map = no_map(b, p->inputs[k]);
        bool *input_need = no_columns(b, p->inputs[k]), same = true;
        memcpy(input_need, need, n * sizeof *input_need);
        TRY(prune(b, &p->inputs[k], input_need, input_map));
        const struct expr **exprs = arena_array(b->arena, const struct expr *, n + 1);
        struct str *names = arena_array(b->arena, struct str, n + 1);
        const struct type *t = p->inputs[k]->schema;
        for (uint32_t i = 0; i < n; i++) {
            if (!need[i])
                continue;
            const struct field *f = &t->fields[input_map[i]];
            same &= input_map[i] == count;
            exprs[count] = expr_column(b->arena, input_map[i], f->type, f->nullable, (struct span){0, 0});
            names[count++] = str_of(f->name);
        }
        if (!same || t->field_count != count)
            p->inputs[k] = plan_project(b, p->inputs[k], exprs, names, count);
    }
    p->schema = schema;
    return true;
}

/* Depth is that of the query, which the binder has bounded. */
static bool prune(struct binder *b, struct plan **plan, const bool *need, uint32_t *map)
{
    struct plan *p = *plan;
    switch (p->kind) {
    case PLAN_SCAN: return prune_scan(b, p, need, map);
    case PLAN_PROJECT: return prune_project(b, p, need, map);
    case PLAN_FILTER:
    case PLAN_SORT:
    case PLAN_LIMIT:
    case PLAN_WATERMARK: return prune_through(b, p, need, map);
    case PLAN_AGGREGATE: return prune_aggregate(b, p, need, map);
    case PLAN_DISTINCT: return prune_distinct(b, p, map);
    case PLAN_UNION: return prune_union(b, p, need, map);
    default: keep_all(p, map); return true;
    }
}

bool plan_prune(struct binder *b, struct plan **plan)
{
    uint32_t *map = no_map(b, *plan);
    bool *all = no_columns(b, *plan);
    memset(all, true, (*plan)->schema->field_count);
    return prune(b, plan, all, map);
}

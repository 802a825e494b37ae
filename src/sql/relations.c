/* The relations that a query reads, without binding it: a project's dependency graph is drawn before anything can be bound. Names of WITH
 * are not relations where they are visible. */
#include "sql/bind_private.h"

enum { RELATIONS_MAX = 1000 };

struct walk {
    struct arena *arena;
    struct relation_name *names;
    uint32_t count, capacity;
    struct cte_env *ctes;
    bool keeps_state;
};

static void walk_query(struct walk *w, const struct ast_query *q);
static void walk_expr(struct walk *w, const struct ast_expr *e);

static bool is_cte(const struct walk *w, const struct relation_name *name)
{
    for (const struct cte_env *e = w->ctes; e && name->part_count == 1 && !name->stream; e = e->outer)
        if (str_eq_nocase(e->cte->name, name->parts[0]))
            return true;
    return false;
}

static bool same_name(const struct relation_name *a, const struct relation_name *b)
{
    if (a->part_count != b->part_count || a->stream != b->stream)
        return false;
    for (uint32_t i = 0; i < a->part_count; i++)
        if (!str_eq(a->parts[i], b->parts[i]))
            return false;
    return true;
}

static void add_name(struct walk *w, const struct relation_name *name)
{
    if (name->part_count == 0 || is_cte(w, name))
        return;
    for (uint32_t i = 0; i < w->count && i < RELATIONS_MAX; i++)
        if (same_name(&w->names[i], name))
            return;
    if (w->count == w->capacity && w->count < RELATIONS_MAX) {
        uint32_t capacity = w->capacity ? 2 * w->capacity : 8; /* passes RELATIONS_MAX on its way */
        struct relation_name *names = arena_array(w->arena, struct relation_name, capacity);
        if (w->count)
            memcpy(names, w->names, w->count * sizeof *names);
        w->names = names;
        w->capacity = capacity;
    }
    if (w->count < RELATIONS_MAX)
        w->names[w->count] = *name;
    w->count++;
}

static void walk_exprs(struct walk *w, struct ast_expr *const *items, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        walk_expr(w, items[i]);
}

static void walk_sort(struct walk *w, const struct ast_sort *items, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        walk_expr(w, items[i].expr);
}

static void walk_expr(struct walk *w, const struct ast_expr *e)
{
    if (e == NULL)
        return;
    walk_exprs(w, e->items, e->count);
    if (e->query)
        walk_query(w, e->query);
    if (e->call == NULL)
        return;
    const struct function *function = function_find(e->name);
    w->keeps_state |= function && (function->flags & FUNCTION_AGGREGATE);
    walk_expr(w, e->call->filter);
    walk_sort(w, e->call->within_group, e->call->within_group_count);
    if (e->call->over) {
        walk_exprs(w, e->call->over->partition, e->call->over->partition_count);
        walk_sort(w, e->call->over->order, e->call->over->order_count);
    }
}

static void walk_from(struct walk *w, const struct ast_from *f)
{
    if (f == NULL)
        return;
    walk_from(w, f->left);
    walk_from(w, f->right);
    if (f->kind == AST_FROM_NAME)
        add_name(w, &f->relation);
    if (f->query)
        walk_query(w, f->query);
    walk_expr(w, f->call);
    walk_expr(w, f->on);
    w->keeps_state |= f->watermark != NULL;
}

static void walk_query(struct walk *w, const struct ast_query *q)
{
    struct cte_env *before = w->ctes;
    w->keeps_state |= q->distinct || q->has_group || q->group_all || q->having || q->limit || q->offset ||
                      (q->kind == AST_SET_OPERATION && !q->all);
    for (uint32_t i = 0; i < q->cte_count; i++) {
        struct cte_env *env = arena_new(w->arena, struct cte_env);
        *env = (struct cte_env){.cte = &q->ctes[i], .outer = w->ctes};
        if (q->recursive) /* it may name itself */
            w->ctes = env;
        walk_query(w, q->ctes[i].query);
        w->ctes = env;
    }
    if (q->left)
        walk_query(w, q->left);
    if (q->right)
        walk_query(w, q->right);
    if (q->kind == AST_TABLE)
        add_name(w, &q->table);
    walk_from(w, q->from);
    walk_exprs(w, q->select, q->select_count);
    walk_exprs(w, q->rows, q->row_count);
    walk_expr(w, q->where);
    walk_expr(w, q->having);
    walk_expr(w, q->qualify);
    for (uint32_t i = 0; i < q->group_count; i++) {
        walk_expr(w, q->groups[i].expr);
        walk_exprs(w, q->groups[i].items, q->groups[i].count);
    }
    walk_sort(w, q->order, q->order_count);
    walk_sort(w, q->sort, q->sort_count);
    w->ctes = before;
}

bool sql_relations(struct arena *arena, struct str text, struct relation_name **names, uint32_t *count,
                   struct err *err)
{
    struct walk w = {.arena = arena};
    struct ast_query *query;
    TRY(sql_parse_query(arena, text, &query, err));
    walk_query(&w, query);
    if (w.count > RELATIONS_MAX)
        return err_set(err, ERR_CONFIG, "the query reads more than %d relations", RELATIONS_MAX);
    *names = w.names;
    *count = w.count;
    return true;
}

bool sql_keeps_state(struct arena *arena, struct str text, bool *keeps, struct err *err)
{
    struct walk w = {.arena = arena};
    struct ast_query *query;
    TRY(sql_parse_query(arena, text, &query, err));
    walk_query(&w, query);
    *keeps = w.keeps_state;
    return true;
}

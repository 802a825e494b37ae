/* FROM: what a query reads. Each relation becomes a plan and a scope whose columns answer to the relation's name or alias. */
#include "base/time.h"
#include "sql/bind_private.h"
#include "type/cast.h"

/* ---- plan nodes ----------------------------------------------------------------------------------------------------------- */

struct plan *plan_new(struct binder *b, enum plan_kind kind, struct plan *input)
{
    struct plan *p = arena_new(b->arena, struct plan);
    p->kind = kind;
    p->limit = p->offset = -1;
    b->nodes++;
    if (input) {
        p->inputs = arena_array(b->arena, struct plan *, 1);
        p->inputs[0] = input;
        p->input_count = 1;
        p->schema = input->schema;
        p->streaming = input->streaming;
    }
    return p;
}

struct plan *plan_project(struct binder *b, struct plan *input, const struct expr **exprs,
                          const struct str *names, uint32_t count)
{
    struct plan *p = plan_new(b, PLAN_PROJECT, input);
    struct field *fields = arena_zarray(b->arena, struct field, count + 1);
    for (uint32_t i = 0; i < count; i++)
        fields[i] = (struct field){
            .name = str_dup(b->arena, names[i]), .type = exprs[i]->type, .nullable = exprs[i]->nullable};
    p->exprs = exprs;
    p->expr_count = count;
    p->schema = type_struct(b->arena, fields, count);
    return p;
}

void plan_scope(struct binder *b, const struct plan *plan, struct str qualifier, struct scope *scope)
{
    const struct type *t = plan->schema;
    *scope = (struct scope){.columns = arena_zarray(b->arena, struct scope_column, t->field_count + 1),
                            .count = t->field_count};
    for (uint32_t i = 0; i < t->field_count; i++) {
        scope->columns[i] = (struct scope_column){.qualifier[0] = qualifier,
                                                  .qualifier_count = qualifier.n ? 1 : 0,
                                                  .name = str_of(t->fields[i].name),
                                                  .type = t->fields[i].type,
                                                  .nullable = t->fields[i].nullable};
        if (plan->kind == PLAN_SCAN)
            scope->columns[i].hidden = i >= plan->relation.hidden_from;
    }
}

/* ---- relations -------------------------------------------------------------------------------------------------------------- */

static struct cte_env *find_cte(const struct binder *b, const struct relation_name *name)
{
    if (name->part_count != 1 || name->stream)
        return NULL;
    for (struct cte_env *e = b->ctes; e; e = e->outer)
        if (str_eq_nocase(e->cte->name, name->parts[0]))
            return e;
    return NULL;
}

static bool rename_columns(struct binder *b, struct plan *plan, struct span span, const struct str *names,
                           uint32_t count, const char *what)
{
    if (count == 0)
        return true;
    const struct type *t = plan->schema;
    if (count != t->field_count)
        return bind_fail(b, span, "ASSIGNMENT_ARITY_MISMATCH: %s names %u columns, but there are %u", what,
                         count, t->field_count);
    struct field *fields = arena_array(b->arena, struct field, count);
    for (uint32_t i = 0; i < count; i++) {
        fields[i] = t->fields[i];
        fields[i].name = str_dup(b->arena, names[i]);
    }
    plan->schema = type_struct(b->arena, fields, count);
    return true;
}

/* The query of a WITH name is bound anew wherever it is used: its columns are pruned for each use. */
static bool bind_cte(struct binder *b, struct cte_env *env, struct span span, struct plan **out)
{
    struct cte_env *before = b->ctes;
    TRY(bind_enter(b, span));
    b->ctes = env->outer;
    *out = NULL;
    bool ok = bind_query(b, env->cte->query, out);
    b->ctes = before;
    TRY(ok);
    CHECK(*out != NULL);
    bind_leave(b);
    if (env->cte->column_count == 0)
        return true;
    struct plan *wrapped = plan_new(b, PLAN_PROJECT, *out);
    const struct type *t = (*out)->schema;
    wrapped->exprs = arena_array(b->arena, const struct expr *, t->field_count + 1);
    wrapped->expr_count = t->field_count;
    for (uint32_t i = 0; i < t->field_count; i++)
        wrapped->exprs[i] = expr_column(b->arena, i, t->fields[i].type, t->fields[i].nullable, span);
    *out = wrapped;
    return rename_columns(b, wrapped, env->cte->span, env->cte->columns, env->cte->column_count,
                          "the list of WITH");
}

static bool not_found(struct binder *b, const struct relation_name *name)
{
    const char *names[64];
    size_t count = 0;
    if (b->err->place.line == 0)
        sql_error_at(b->err, b->text, name->span);
    for (struct cte_env *e = b->ctes; e && count < 64; e = e->outer)
        names[count++] = str_dup(b->arena, e->cte->name);
    const char *nearest = b->err->hint[0] || name->part_count != 1
                              ? NULL
                              : str_nearest(name->parts[0], names, count);
    return nearest ? err_hint(b->err, "Did you mean \"%s\"?", nearest) : false;
}

/* To whoever reads the view, what its scans read is read where the view is named. */
static void name_scans(struct plan *plan,
                       struct span span) /* as deep as the query is nested, which has a limit */
{
    if (plan->kind == PLAN_SCAN)
        plan->name.span = span;
    for (uint32_t i = 0; i < plan->input_count; i++)
        name_scans(plan->inputs[i], span);
}

/* A query of its own text, which sees none of the names around it. */
static bool bind_view(struct binder *b, const struct relation_name *name, const struct relation *view,
                      struct plan **out)
{
    struct str text = b->text;
    struct cte_env *ctes = b->ctes;
    struct ast_query *query;
    TRY(bind_enter(b, name->span));
    b->text = view->view;
    b->ctes = NULL;
    bool ok = sql_parse_query(b->arena, b->text, &query, b->err) && bind_query(b, query, out);
    if (!ok && b->err->place.file[0] == '\0')
        err_at(b->err, view->view_name, b->err->place.line, b->err->place.column, b->err->place.width);
    b->text = text;
    b->ctes = ctes;
    TRY(ok);
    bind_leave(b);
    name_scans(*out, name->span);
    return true;
}

static bool bind_scan(struct binder *b, const struct relation_name *name, struct plan **out)
{
    struct relation relation = {0};
    err_clear(b->err);
    if (!b->catalogue->lookup || !b->catalogue->lookup(b->catalogue->arg, name, &relation, b->err)) {
        if (b->err->class == ERR_NONE)
            bind_fail(b, name->span, "TABLE_OR_VIEW_NOT_FOUND: there is no relation \"%.*s\"",
                      STR_ARG(name->parts[name->part_count - 1]));
        return not_found(b, name);
    }
    if (relation.view.p)
        return bind_view(b, name, &relation, out);
    CHECK(relation.schema && relation.schema->kind == TYPE_STRUCT);
    struct plan *p = *out = plan_new(b, PLAN_SCAN, NULL);
    p->schema = relation.schema;
    p->relation = relation;
    p->name = *name;
    p->streaming = name->stream;
    p->column_count = relation.schema->field_count;
    p->columns = arena_array(b->arena, uint32_t, p->column_count + 1);
    for (uint32_t i = 0; i < p->column_count; i++)
        p->columns[i] = i;
    return true;
}

static bool bind_relation(struct binder *b, const struct ast_from *f, struct plan **out, struct scope *scope)
{
    struct cte_env *cte = find_cte(b, &f->relation);
    if (f->clause.length && !f->sampled)
        return bind_unsupported(b, f->clause, "a version of a table is");
    TRY(cte ? bind_cte(b, cte, f->relation.span, out) : bind_scan(b, &f->relation, out));
    TRY(bind_work(b, (*out)->schema->field_count, f->relation.span));
    plan_scope(b, *out, f->alias.n ? f->alias : f->relation.parts[f->relation.part_count - 1], scope);
    for (uint32_t i = 0; i < scope->count && f->alias.n == 0; i++) { /* db.t.a */
        memcpy(scope->columns[i].qualifier, f->relation.parts, sizeof f->relation.parts);
        scope->columns[i].qualifier_count = f->relation.part_count;
    }
    return true;
}

/* ---- VALUES --------------------------------------------------------------------------------------------------------------- */

static uint32_t row_width(const struct ast_expr *row)
{
    return row->kind == AST_ROW ? row->count : 1;
}

static const struct ast_expr *row_item(const struct ast_expr *row, uint32_t i)
{
    return row->kind == AST_ROW ? row->items[i] : row;
}

static bool bind_rows(struct binder *b, const struct ast_query *q, uint32_t width, const struct expr **cells)
{
    struct scope none = {.no_aggregates = "VALUES"};
    for (uint32_t r = 0; r < q->row_count; r++) {
        if (row_width(q->rows[r]) != width)
            return bind_fail(
                b, q->rows[r]->span,
                "INVALID_INLINE_TABLE.NUM_COLUMNS_MISMATCH: this row has %u columns, the first has %u",
                row_width(q->rows[r]), width);
        for (uint32_t c = 0; c < width; c++)
            TRY(bind_expr(b, &none, row_item(q->rows[r], c), &cells[(size_t)r * width + c]));
    }
    return true;
}

/* Gives each column one type, and the fields of the result. */
static bool coerce_rows(struct binder *b, const struct ast_query *q, uint32_t width,
                        const struct expr **cells, struct field *fields)
{
    const struct expr **column = arena_array(b->arena, const struct expr *, q->row_count);
    for (uint32_t c = 0; c < width; c++) {
        for (uint32_t r = 0; r < q->row_count; r++)
            column[r] = cells[(size_t)r * width + c];
        const struct type *t = coerce_common(b->arena, column, q->row_count);
        if (t == NULL)
            return bind_fail(
                b, q->span,
                "INVALID_INLINE_TABLE.INCOMPATIBLE_TYPES_IN_INLINE_TABLE: column %u has values without a common type",
                c + 1);
        fields[c] = (struct field){.name = arena_printf(b->arena, "col%u", c + 1), .type = t};
        for (uint32_t r = 0; r < q->row_count; r++) {
            cells[(size_t)r * width + c] = column[r];
            fields[c].nullable |= column[r]->nullable;
        }
    }
    return true;
}

/* Rows that are no constants: a union of projects, each over one row without columns. */
static struct plan *union_of_rows(struct binder *b, const struct expr **cells, const struct type *schema,
                                  uint32_t rows)
{
    struct plan *all = plan_new(b, PLAN_UNION, NULL);
    all->schema = schema;
    all->inputs = arena_array(b->arena, struct plan *, rows);
    all->input_count = rows;
    for (uint32_t r = 0; r < rows; r++) {
        struct plan *one = plan_new(b, PLAN_VALUES, NULL);
        one->schema = type_struct(b->arena, NULL, 0);
        one->row_count = 1;
        struct plan *p = plan_new(b, PLAN_PROJECT, one);
        p->exprs = cells + (size_t)r * schema->field_count;
        p->expr_count = schema->field_count;
        p->schema = schema;
        all->inputs[r] = p;
    }
    return rows == 1 ? all->inputs[0] : all;
}

bool bind_values(struct binder *b, const struct ast_query *q, struct plan **out)
{
    uint32_t width = row_width(q->rows[0]);
    if (width == 0 || width > SQL_COLUMNS_MAX)
        return bind_fail(b, q->rows[0]->span, "INVALID_INLINE_TABLE: a row has 1 to %d columns",
                         SQL_COLUMNS_MAX);
    const struct expr **cells = arena_array(b->arena, const struct expr *, (size_t)width * q->row_count);
    struct field *fields = arena_zarray(b->arena, struct field, width);
    TRY(bind_rows(b, q, width, cells));
    TRY(coerce_rows(b, q, width, cells, fields));
    const struct type *schema = type_struct(b->arena, fields, width);
    size_t total = (size_t)width * q->row_count, constant = 0;
    struct value *rows = arena_array(b->arena, struct value, total);
    while (constant < total && expr_constant(b->arena, cells[constant], &rows[constant]))
        constant++;
    if (constant < total) {
        if (q->row_count > BIND_PLAN_MAX / 4)
            return bind_fail(b, q->span, "INVALID_INLINE_TABLE: at most %d rows that are no constants",
                             BIND_PLAN_MAX / 4);
        *out = union_of_rows(b, cells, schema, q->row_count);
        return true;
    }
    struct plan *p = *out = plan_new(b, PLAN_VALUES, NULL);
    p->schema = schema;
    p->rows = rows;
    p->row_count = q->row_count;
    return true;
}

/* ---- range() ---------------------------------------------------------------------------------------------------------------- */

/* range(end), range(start, end[, step[, partitions]]): a column id, as rows. */
static bool bind_range(struct binder *b, const struct ast_expr *call, struct plan **out)
{
    int64_t bounds[4] = {0, 0, 1, 1};
    struct scope none = {.no_aggregates = "range"};
    if (call->count < 1 || call->count > 4)
        return bind_fail(b, call->span, "WRONG_NUM_ARGS: \"range\" takes 1 to 4 arguments, found %u",
                         call->count);
    for (uint32_t i = 0; i < call->count; i++) {
        const struct expr *e;
        struct value v;
        TRY(bind_expr(b, &none, call->items[i], &e));
        const struct expr *as_long = cast_implicit(b->arena, e, type_simple(TYPE_LONG));
        if (as_long == NULL || !expr_constant(b->arena, as_long, &v) || v.is_null)
            return bind_fail(b, e->span,
                             "NON_FOLDABLE_ARGUMENT: the arguments of \"range\" are whole numbers");
        bounds[call->count == 1 ? 1 : i] = v.i64;
    }
    int64_t step = bounds[2], count = 0;
    if (step == 0)
        return bind_fail(b, call->span, "the step of \"range\" cannot be 0");
    struct plan *p = *out = plan_new(b, PLAN_VALUES, NULL);
    for (__int128 v = bounds[0]; step > 0 ? v < bounds[1] : v > bounds[1]; v += step)
        if (++count > BIND_RANGE_MAX)
            return bind_fail(b, call->span,
                             "UNSUPPORTED_FEATURE: \"range\" of more than %d rows is not supported yet",
                             BIND_RANGE_MAX);
    p->rows = arena_array(b->arena, struct value, (size_t)count + 1);
    p->row_count = (uint32_t)count;
    for (int64_t i = 0; i < count; i++)
        p->rows[i] = (struct value){.type = type_simple(TYPE_LONG), .i64 = bounds[0] + i * step};
    p->schema = type_struct(b->arena, &(struct field){.name = "id", .type = type_simple(TYPE_LONG)}, 1);
    return true;
}

static bool bind_table_function(struct binder *b, const struct ast_from *f, struct plan **out,
                                struct scope *scope)
{
    if (str_eq_nocase(f->call->name, STR("range"))) {
        TRY(bind_range(b, f->call, out));
        plan_scope(b, *out, f->alias.n ? f->alias : f->call->name, scope);
        return true;
    }
    const struct function *known = function_find(f->call->name);
    if (known && (known->flags & FUNCTION_GENERATOR))
        return bind_unsupported(b, f->span, "a generator in FROM is");
    return bind_fail(b, f->call->at,
                     "UNRESOLVABLE_TABLE_VALUED_FUNCTION: there is no table function \"%.*s\"",
                     STR_ARG(f->call->name));
}

/* ---- WATERMARK ----------------------------------------------------------------------------------------------------------------- */

/* The event time as a column of the input: its index. An expression becomes a column of its own, at the end. */
static bool watermark_column(struct binder *b, const struct ast_expr *ast, struct plan **plan,
                             struct scope *scope, uint32_t *index)
{
    const struct expr *e;
    scope->no_aggregates = "WATERMARK";
    TRY(bind_expr(b, scope, ast, &e));
    scope->no_aggregates = NULL;
    if (e->type->kind != TYPE_TIMESTAMP && e->type->kind != TYPE_TIMESTAMP_NTZ)
        return bind_fail(
            b, e->span,
            "EVENT_TIME_IS_NOT_ON_TIMESTAMP_TYPE: the event time of WATERMARK must be TIMESTAMP, not %s",
            bind_type_text(b->arena, e->type));
    *index = e->index;
    if (e->kind == EXPR_COLUMN)
        return true;
    uint32_t n = scope->count;
    const struct expr **exprs = arena_array(b->arena, const struct expr *, n + 1);
    struct str *names = arena_array(b->arena, struct str, n + 1);
    struct scope_column *columns = arena_array(b->arena, struct scope_column, n + 1);
    memcpy(columns, scope->columns, n * sizeof *columns);
    for (uint32_t i = 0; i < n; i++) {
        exprs[i] = expr_column(b->arena, i, columns[i].type, columns[i].nullable, e->span);
        names[i] = columns[i].name;
    }
    exprs[n] = e;
    names[n] = bind_item_name(b, scope, ast);
    columns[n] = (struct scope_column){.name = names[n], .type = e->type, .nullable = e->nullable};
    if (n > 0) {
        memcpy(columns[n].qualifier, columns[0].qualifier, sizeof columns[0].qualifier);
        columns[n].qualifier_count = columns[0].qualifier_count;
    }
    scope->columns = columns;
    scope->count = n + 1;
    *index = n;
    *plan = plan_project(b, *plan, exprs, names, n + 1);
    return true;
}

static bool watermark_delay(struct binder *b, const struct ast_expr *ast, int64_t *delay)
{
    struct scope none = {.no_aggregates = "WATERMARK"};
    const struct expr *e;
    struct value v;
    struct calendar_interval c;
    struct err cause;
    TRY(bind_expr(b, &none, ast, &e));
    bool constant = expr_constant(b->arena, e, &v) && !v.is_null;
    if (constant && v.type->kind == TYPE_STRING && interval_parse_units(v.str, &c, &cause) && c.months == 0)
        v = (struct value){.type = type_simple(TYPE_INTERVAL_DT),
                           .i64 = (int64_t)c.days * 86400 * US_PER_S + c.us};
    if (!constant || v.type->kind != TYPE_INTERVAL_DT || v.i64 < 0) {
        bind_fail(
            b, ast->span,
            "INVALID_WATERMARK_DELAY: the delay of WATERMARK is an interval of days to seconds, at least 0");
        return err_hint(b->err, "Write it as DELAY OF INTERVAL 10 MINUTES.");
    }
    *delay = v.i64;
    return true;
}

static bool bind_watermark(struct binder *b, const struct ast_watermark *w, struct plan **plan,
                           struct scope *scope)
{
    uint32_t index = 0;
    int64_t delay;
    TRY(watermark_column(b, w->column, plan, scope, &index));
    TRY(watermark_delay(b, w->delay, &delay));
    struct plan *p = plan_new(b, PLAN_WATERMARK, *plan);
    const struct scope_column *c = &scope->columns[index];
    p->exprs = arena_array(b->arena, const struct expr *, 1);
    p->exprs[0] = expr_column(b->arena, index, c->type, c->nullable, w->span);
    p->expr_count = 1;
    p->delay_us = delay;
    *plan = p;
    return true;
}

/* ---- all kinds ------------------------------------------------------------------------------------------------------------------- */

static bool bind_subquery(struct binder *b, const struct ast_from *f, struct plan **out, struct scope *scope)
{
    if (f->lateral)
        return bind_unsupported(b, f->span, "a LATERAL subquery is");
    TRY(bind_query(b, f->query, out));
    plan_scope(b, *out, f->alias, scope);
    return true;
}

static bool rename_scope(struct binder *b, const struct ast_from *f, struct scope *scope)
{
    uint32_t visible = 0;
    if (f->column_count == 0)
        return true;
    for (uint32_t i = 0; i < scope->count; i++)
        visible += !scope->columns[i].hidden;
    if (visible != f->column_count)
        return bind_fail(b, f->span,
                         "ASSIGNMENT_ARITY_MISMATCH: the alias names %u columns, but there are %u",
                         f->column_count, visible);
    for (uint32_t i = 0, k = 0; i < scope->count; i++)
        if (!scope->columns[i].hidden)
            scope->columns[i].name = f->columns[k++];
    return true;
}

bool bind_from(struct binder *b, const struct ast_from *f, struct plan **out, struct scope *scope)
{
    TRY(bind_enter(b, f->span));
    if (f->sampled)
        return bind_unsupported(b, f->clause, "TABLESAMPLE is");
    switch (f->kind) {
    case AST_FROM_NAME: TRY(bind_relation(b, f, out, scope)); break;
    case AST_FROM_QUERY: TRY(bind_subquery(b, f, out, scope)); break;
    case AST_FROM_VALUES:
        TRY(bind_values(b, f->query, out));
        plan_scope(b, *out, f->alias, scope);
        break;
    case AST_FROM_FUNCTION: TRY(bind_table_function(b, f, out, scope)); break;
    case AST_FROM_JOIN: return bind_unsupported(b, f->right->span, "a JOIN is");
    case AST_FROM_VIEW: return bind_unsupported(b, f->call->span, "LATERAL VIEW is");
    case AST_FROM_PIVOT: return bind_unsupported(b, f->clause, "PIVOT is");
    }
    TRY(rename_scope(b, f, scope));
    if (f->watermark)
        TRY(bind_watermark(b, f->watermark, out, scope));
    bind_leave(b);
    return true;
}

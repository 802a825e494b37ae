/* A tree as SQL again: canonical, in one line, every operator in parentheses. What is printed parses to the same tree, which the tests
 * and the fuzzer check. */
#include "sql/ast.h"
#include "type/cast.h"

static void print_query(const struct ast_query *q, struct sbuf *out);

/* ---- words --------------------------------------------------------------------------------------------------------- */

static void print_name(struct str name, struct sbuf *out)
{
    sbuf_char(out, '`');
    for (size_t i = 0; i < name.n; i++) {
        if (name.p[i] == '`')
            sbuf_char(out, '`');
        sbuf_char(out, name.p[i]);
    }
    sbuf_char(out, '`');
}

static void print_names(const struct str *names, uint32_t count, struct sbuf *out)
{
    sbuf_char(out, '(');
    for (uint32_t i = 0; i < count; i++) {
        sbuf_cstr(out, i ? ", " : "");
        print_name(names[i], out);
    }
    sbuf_char(out, ')');
}

static void print_string(struct str s, struct sbuf *out)
{
    sbuf_char(out, '\'');
    for (size_t i = 0; i < s.n; i++) {
        /* a backslash in front of % and _ is kept by the lexer as it is */
        bool kept = s.p[i] == '\\' && i + 1 < s.n && (s.p[i + 1] == '%' || s.p[i + 1] == '_');
        if ((s.p[i] == '\'' || s.p[i] == '\\') && !kept)
            sbuf_char(out, '\\');
        sbuf_char(out, s.p[i]);
        if (kept)
            sbuf_char(out, s.p[++i]);
    }
    sbuf_char(out, '\'');
}

static void print_binary(struct str s, struct sbuf *out)
{
    sbuf_cstr(out, "X'");
    for (size_t i = 0; i < s.n; i++)
        sbuf_printf(out, "%02X", (unsigned)(uint8_t)s.p[i]);
    sbuf_char(out, '\'');
}

static void print_decimal(const struct value *v, struct sbuf *out)
{
    char text[DECIMAL_TEXT_MAX];
    size_t n = decimal_to_text(v->decimal, v->type->scale, text);
    sbuf_add(out, text, n);
    sbuf_cstr(out, "BD");
}

/* A number's suffix says its type. */
static void print_literal(const struct value *v, struct sbuf *out)
{
    if (v->is_null) {
        sbuf_cstr(out, "NULL");
        return;
    }
    char text[32];
    switch (v->type->kind) {
    case TYPE_BOOLEAN: sbuf_cstr(out, v->boolean ? "TRUE" : "FALSE"); break;
    case TYPE_BYTE: sbuf_printf(out, "%lldY", (long long)v->i64); break;
    case TYPE_SHORT: sbuf_printf(out, "%lldS", (long long)v->i64); break;
    case TYPE_INT: sbuf_printf(out, "%lld", (long long)v->i64); break;
    case TYPE_LONG: sbuf_printf(out, "%lldL", (long long)v->i64); break;
    case TYPE_FLOAT:
    case TYPE_DOUBLE:
        sbuf_add(out, text, str_from_f64(v->f64, text));
        sbuf_char(out, v->type->kind == TYPE_FLOAT ? 'F' : 'D');
        break;
    case TYPE_DECIMAL: print_decimal(v, out); break;
    case TYPE_BINARY: print_binary(v->str, out); break;
    default: print_string(v->str, out); break;
    }
}

static const char *unit_text(enum ast_unit unit)
{
    static const char *const texts[] = {"YEAR",   "MONTH", "DAY",         "HOUR",       "MINUTE",
                                        "SECOND", "WEEK",  "MILLISECOND", "MICROSECOND"};
    return texts[unit];
}

/* ---- expressions --------------------------------------------------------------------------------------------------- */

static void print_exprs(struct ast_expr *const *items, uint32_t count, struct sbuf *out)
{
    for (uint32_t i = 0; i < count; i++) {
        sbuf_cstr(out, i ? ", " : "");
        ast_print_expr(items[i], out);
    }
}

static void print_sort(const struct ast_sort *items, uint32_t count, struct sbuf *out)
{
    for (uint32_t i = 0; i < count; i++) {
        sbuf_cstr(out, i ? ", " : "");
        ast_print_expr(items[i].expr, out);
        sbuf_cstr(out, items[i].descending ? " DESC" : "");
        sbuf_cstr(out, items[i].nulls == 1 ? " NULLS FIRST" : items[i].nulls == 2 ? " NULLS LAST" : "");
    }
}

static void print_bound(const struct ast_frame_bound *b, struct sbuf *out)
{
    static const char *const texts[] = {"UNBOUNDED PRECEDING", " PRECEDING", "CURRENT ROW", " FOLLOWING",
                                        "UNBOUNDED FOLLOWING"};
    if (b->offset)
        ast_print_expr(b->offset, out);
    sbuf_cstr(out, texts[b->kind]);
}

static void print_window(const struct ast_window *w, struct sbuf *out)
{
    sbuf_char(out, '(');
    if (w->partition_count) {
        sbuf_cstr(out, "PARTITION BY ");
        print_exprs(w->partition, w->partition_count, out);
    }
    if (w->order_count) {
        sbuf_cstr(out, w->partition_count ? " ORDER BY " : "ORDER BY ");
        print_sort(w->order, w->order_count, out);
    }
    if (w->frame != AST_NO_FRAME) {
        sbuf_cstr(out, w->frame == AST_ROWS ? " ROWS BETWEEN " : " RANGE BETWEEN ");
        print_bound(&w->start, out);
        sbuf_cstr(out, " AND ");
        print_bound(&w->end, out);
    }
    sbuf_char(out, ')');
}

static void print_over(const struct ast_window *w, struct sbuf *out)
{
    sbuf_cstr(out, " OVER ");
    if (w->name.n)
        print_name(w->name, out);
    else
        print_window(w, out);
}

static bool is_trim(const struct ast_expr *e)
{
    return e->op == AST_NOT; /* see parse_trim */
}

static void print_trim(const struct ast_expr *e, struct sbuf *out)
{
    sbuf_cstr(out, e->name.p[0] == 'l'   ? "TRIM(LEADING "
                   : e->name.p[0] == 'r' ? "TRIM(TRAILING "
                                         : "TRIM(BOTH ");
    if (e->count == 2)
        ast_print_expr(e->items[1], out);
    sbuf_cstr(out, " FROM ");
    ast_print_expr(e->items[0], out);
    sbuf_char(out, ')');
}

static void print_call(const struct ast_expr *e, struct sbuf *out)
{
    const struct ast_call *c = e->call;
    if (is_trim(e)) {
        print_trim(e, out);
        return;
    }
    for (uint32_t i = 0; i < c->qualifier_count; i++) {
        print_name(c->qualifier[i], out);
        sbuf_char(out, '.');
    }
    if (c->without_parens) {
        sbuf_str(out, e->name);
        return;
    }
    print_name(e->name, out);
    sbuf_cstr(out, c->distinct ? "(DISTINCT " : "(");
    print_exprs(e->items, e->count, out);
    sbuf_char(out, ')');
    if (c->within_group_count) {
        sbuf_cstr(out, " WITHIN GROUP (ORDER BY ");
        print_sort(c->within_group, c->within_group_count, out);
        sbuf_char(out, ')');
    }
    if (c->filter) {
        sbuf_cstr(out, " FILTER (WHERE ");
        ast_print_expr(c->filter, out);
        sbuf_char(out, ')');
    }
    sbuf_cstr(out, c->ignore_nulls ? " IGNORE NULLS" : c->respect_nulls ? " RESPECT NULLS" : "");
    if (c->over)
        print_over(c->over, out);
}

static void print_like(const struct ast_expr *e, struct sbuf *out)
{
    ast_print_expr(e->items[0], out);
    sbuf_printf(out, "%s %s ", e->not_ ? " NOT" : "", ast_op_text(e->op));
    if (e->quantifier != AST_NO_QUANTIFIER) {
        sbuf_cstr(out, e->quantifier == AST_ANY ? "ANY (" : "ALL (");
        print_exprs(e->items + 1, e->count - 1, out);
        sbuf_char(out, ')');
        return;
    }
    ast_print_expr(e->items[1], out);
    if (e->has_escape) {
        sbuf_cstr(out, " ESCAPE ");
        ast_print_expr(e->items[2], out);
    }
}

static void print_is(const struct ast_expr *e, struct sbuf *out)
{
    static const char *const tests[] = {"NULL", "TRUE", "FALSE", "UNKNOWN", "DISTINCT FROM "};
    ast_print_expr(e->items[0], out);
    sbuf_printf(out, " IS %s%s", e->not_ ? "NOT " : "", tests[e->test]);
    if (e->test == AST_IS_DISTINCT)
        ast_print_expr(e->items[1], out);
}

static void print_case(const struct ast_expr *e, struct sbuf *out)
{
    uint32_t i = 0;
    sbuf_cstr(out, "CASE");
    if (e->has_operand) {
        sbuf_char(out, ' ');
        ast_print_expr(e->items[i++], out);
    }
    for (; i + 1 < e->count; i += 2) {
        sbuf_cstr(out, " WHEN ");
        ast_print_expr(e->items[i], out);
        sbuf_cstr(out, " THEN ");
        ast_print_expr(e->items[i + 1], out);
    }
    if (e->has_else) {
        sbuf_cstr(out, " ELSE ");
        ast_print_expr(e->items[i], out);
    }
    sbuf_cstr(out, " END");
}

/* A number as the parser takes it there: without a suffix. */
static void print_amount(const struct value *v, struct sbuf *out)
{
    size_t before = out->n;
    print_literal(v, out);
    while (out->n > before + 1 && v->type->kind != TYPE_STRING &&
           ((out->p[out->n - 1] | 0x20) == 'd' || (out->p[out->n - 1] | 0x20) == 'b' ||
            (out->p[out->n - 1] | 0x20) == 'l'))
        out->p[--out->n] = '\0';
}

static void print_interval(const struct ast_expr *e, struct sbuf *out)
{
    sbuf_cstr(out, "INTERVAL");
    for (uint32_t i = 0; i < e->count; i++) {
        sbuf_char(out, ' ');
        print_amount(&e->items[i]->literal, out);
        if (e->units[i] != AST_UNIT_NONE)
            sbuf_printf(out, " %s", unit_text(e->units[i]));
    }
    if (e->to != AST_UNIT_NONE)
        sbuf_printf(out, " TO %s", unit_text(e->to));
}

static void print_in(const struct ast_expr *e, struct sbuf *out)
{
    ast_print_expr(e->items[0], out);
    sbuf_cstr(out, e->not_ ? " NOT IN (" : " IN (");
    if (e->query)
        print_query(e->query, out);
    else
        print_exprs(e->items + 1, e->count - 1, out);
    sbuf_char(out, ')');
}

static void print_star(const struct ast_expr *e, struct sbuf *out)
{
    if (e->count) {
        ast_print_expr(e->items[0], out);
        sbuf_char(out, '.');
    }
    sbuf_char(out, '*');
    if (e->name_count) {
        sbuf_cstr(out, " EXCEPT ");
        print_names(e->names, e->name_count, out);
    }
}

static void print_operators(const struct ast_expr *e, struct sbuf *out)
{
    if (e->kind == AST_UNARY)
        sbuf_printf(out, "%s ", ast_op_text(e->op));
    for (uint32_t i = 0; i < e->count; i++) {
        if (i)
            sbuf_printf(out, " %s ", ast_op_text(e->op));
        ast_print_expr(e->items[i], out);
    }
}

static void print_alias(const struct ast_expr *e, struct sbuf *out)
{
    ast_print_expr(e->items[0], out);
    sbuf_cstr(out, " AS ");
    if (e->name_count)
        print_names(e->names, e->name_count, out);
    else
        print_name(e->name, out);
}

static void print_cast(const struct ast_expr *e, struct sbuf *out)
{
    sbuf_cstr(out, e->try_ ? "TRY_CAST(" : "CAST(");
    ast_print_expr(e->items[0], out);
    sbuf_cstr(out, " AS ");
    type_to_sql(e->type, out);
    sbuf_char(out, ')');
}

static void print_subquery(const struct ast_expr *e, struct sbuf *out)
{
    sbuf_cstr(out, e->kind == AST_EXISTS ? "EXISTS (" : "(");
    print_query(e->query, out);
    sbuf_char(out, ')');
}

static void print_lambda(const struct ast_expr *e, struct sbuf *out)
{
    print_names(e->names, e->name_count, out);
    sbuf_cstr(out, " -> ");
    ast_print_expr(e->items[0], out);
}

static void print_expr_kind(const struct ast_expr *e, struct sbuf *out)
{
    switch (e->kind) {
    case AST_LITERAL: print_literal(&e->literal, out); break;
    case AST_TYPED:
        sbuf_str(out, e->name);
        print_string(e->literal.str, out);
        break;
    case AST_INTERVAL: print_interval(e, out); break;
    case AST_NAME: print_name(e->name, out); break;
    case AST_FIELD:
        ast_print_expr(e->items[0], out);
        sbuf_char(out, '.');
        print_name(e->name, out);
        break;
    case AST_STAR: print_star(e, out); break;
    case AST_PARAMETER:
        sbuf_char(out, e->name.n ? ':' : '?');
        if (e->name.n)
            print_name(e->name, out);
        break;
    case AST_UNARY:
    case AST_BINARY: print_operators(e, out); break;
    case AST_BETWEEN:
        ast_print_expr(e->items[0], out);
        sbuf_cstr(out, e->not_ ? " NOT BETWEEN " : " BETWEEN ");
        ast_print_expr(e->items[1], out);
        sbuf_cstr(out, " AND ");
        ast_print_expr(e->items[2], out);
        break;
    case AST_IN: print_in(e, out); break;
    case AST_LIKE: print_like(e, out); break;
    case AST_IS: print_is(e, out); break;
    case AST_CASE: print_case(e, out); break;
    case AST_CAST: print_cast(e, out); break;
    case AST_CALL: print_call(e, out); break;
    case AST_SUBSCRIPT:
        ast_print_expr(e->items[0], out);
        sbuf_char(out, '[');
        ast_print_expr(e->items[1], out);
        sbuf_char(out, ']');
        break;
    case AST_LAMBDA: print_lambda(e, out); break;
    case AST_ROW: print_exprs(e->items, e->count, out); break;
    case AST_SUBQUERY:
    case AST_EXISTS: print_subquery(e, out); break;
    case AST_ALIAS: print_alias(e, out); break;
    case AST_NAMED_ARG:
        print_name(e->name, out);
        sbuf_cstr(out, " => ");
        ast_print_expr(e->items[0], out);
        break;
    case AST_COLLATE:
        ast_print_expr(e->items[0], out);
        sbuf_cstr(out, " COLLATE ");
        print_name(e->name, out);
        break;
    }
}

/* Is the text of e an operand wherever it stands? */
static bool is_operand(const struct ast_expr *e)
{
    switch (e->kind) {
    case AST_LITERAL: return e->literal.is_null || !type_is_numeric(e->literal.type);
    case AST_UNARY:
    case AST_BINARY:
    case AST_BETWEEN:
    case AST_IN:
    case AST_LIKE:
    case AST_IS:
    case AST_ROW:
    case AST_INTERVAL:
    case AST_COLLATE: return false;
    default: return true;
    }
}

void ast_print_expr(const struct ast_expr *e, struct sbuf *out)
{
    if (is_operand(e)) {
        print_expr_kind(e, out);
        return;
    }
    sbuf_char(out, '(');
    print_expr_kind(e, out);
    sbuf_char(out, ')');
}

/* ---- FROM ---------------------------------------------------------------------------------------------------------- */

static void print_relation(const struct relation_name *r, struct sbuf *out)
{
    sbuf_cstr(out, r->stream ? "STREAM " : "");
    for (uint32_t i = 0; i < r->part_count; i++) {
        sbuf_cstr(out, i ? "." : "");
        print_name(r->parts[i], out);
    }
}

static void print_from(const struct ast_from *f, struct sbuf *out);

static void print_join(const struct ast_from *f, struct sbuf *out)
{
    static const char *const joins[] = {"JOIN",           "LEFT JOIN",      "RIGHT JOIN", "FULL JOIN",
                                        "LEFT SEMI JOIN", "LEFT ANTI JOIN", "CROSS JOIN"};
    sbuf_char(out, '(');
    print_from(f->left, out);
    sbuf_printf(out, " %s%s ", f->natural ? "NATURAL " : "", joins[f->join]);
    print_from(f->right, out);
    if (f->on) {
        sbuf_cstr(out, " ON ");
        ast_print_expr(f->on, out);
    }
    if (f->using_count) {
        sbuf_cstr(out, " USING ");
        print_names(f->using_, f->using_count, out);
    }
    sbuf_char(out, ')');
}

static void print_view(const struct ast_from *f, struct sbuf *out)
{
    print_from(f->left, out);
    sbuf_cstr(out, f->outer ? " LATERAL VIEW OUTER " : " LATERAL VIEW ");
    ast_print_expr(f->call, out);
    if (f->alias.n) {
        sbuf_char(out, ' ');
        print_name(f->alias, out);
    }
    for (uint32_t i = 0; i < f->column_count; i++) {
        sbuf_cstr(out, i ? ", " : " AS ");
        print_name(f->columns[i], out);
    }
}

static void print_from_alias(const struct ast_from *f, struct sbuf *out)
{
    if (f->watermark) {
        sbuf_cstr(out, " WATERMARK ");
        ast_print_expr(f->watermark->column, out);
        sbuf_cstr(out, " DELAY OF ");
        ast_print_expr(f->watermark->delay, out);
    }
    if (f->alias.n || f->column_count)
        sbuf_cstr(out, " AS ");
    if (f->alias.n)
        print_name(f->alias, out);
    if (f->column_count)
        print_names(f->columns, f->column_count, out);
}

static void print_from(const struct ast_from *f, struct sbuf *out)
{
    sbuf_cstr(out, f->lateral ? "LATERAL " : "");
    switch (f->kind) {
    case AST_FROM_NAME: print_relation(&f->relation, out); break;
    case AST_FROM_QUERY:
        sbuf_char(out, '(');
        print_query(f->query, out);
        sbuf_char(out, ')');
        break;
    case AST_FROM_VALUES: print_query(f->query, out); return;
    case AST_FROM_FUNCTION: ast_print_expr(f->call, out); break;
    case AST_FROM_JOIN: print_join(f, out); break;
    case AST_FROM_VIEW: print_view(f, out); return;
    case AST_FROM_PIVOT: print_from(f->left, out); break;
    }
    print_from_alias(f, out);
}

/* ---- queries ------------------------------------------------------------------------------------------------------- */

static void print_group(const struct ast_query *q, struct sbuf *out)
{
    static const char *const kinds[] = {"", "ROLLUP (", "CUBE (", "GROUPING SETS ("};
    if (!q->has_group)
        return;
    sbuf_cstr(out, q->group_all ? " GROUP BY ALL" : " GROUP BY ");
    for (uint32_t i = 0; i < q->group_count; i++) {
        const struct ast_grouping *g = &q->groups[i];
        /* a, b GROUPING SETS (…) in the old form has no comma */
        bool old = q->group_kind_suffix && g->kind == AST_GROUP_SETS && i > 0;
        sbuf_cstr(out, i == 0 ? "" : old ? " " : ", ");
        if (g->kind == AST_GROUP_PLAIN) {
            ast_print_expr(g->expr, out);
            continue;
        }
        sbuf_cstr(out, kinds[g->kind]);
        print_exprs(g->items, g->count, out);
        sbuf_char(out, ')');
    }
}

static void print_condition(const char *word, const struct ast_expr *e, struct sbuf *out)
{
    if (e == NULL)
        return;
    sbuf_printf(out, " %s ", word);
    ast_print_expr(e, out);
}

static void print_select(const struct ast_query *q, struct sbuf *out)
{
    sbuf_cstr(out, q->distinct ? "SELECT DISTINCT " : "SELECT ");
    print_exprs(q->select, q->select_count, out);
    if (q->from) {
        sbuf_cstr(out, " FROM ");
        print_from(q->from, out);
    }
    print_condition("WHERE", q->where, out);
    print_group(q, out);
    print_condition("HAVING", q->having, out);
    for (uint32_t i = 0; i < q->window_count; i++) {
        sbuf_cstr(out, i ? ", " : " WINDOW ");
        print_name(q->windows[i].name, out);
        sbuf_cstr(out, " AS ");
        print_window(&q->windows[i], out);
    }
    print_condition("QUALIFY", q->qualify, out);
}

static void print_term(const struct ast_query *q, struct sbuf *out)
{
    sbuf_char(out, '(');
    print_query(q, out);
    sbuf_char(out, ')');
}

static void print_set_operation(const struct ast_query *q, struct sbuf *out)
{
    static const char *const ops[] = {"UNION", "INTERSECT", "EXCEPT"};
    print_term(q->left, out);
    sbuf_printf(out, " %s %s", ops[q->set_op], q->all ? "ALL " : "");
    print_term(q->right, out);
}

static void print_ctes(const struct ast_query *q, struct sbuf *out)
{
    for (uint32_t i = 0; i < q->cte_count; i++) {
        sbuf_cstr(out, i ? ", " : q->recursive ? "WITH RECURSIVE " : "WITH ");
        print_name(q->ctes[i].name, out);
        if (q->ctes[i].column_count)
            print_names(q->ctes[i].columns, q->ctes[i].column_count, out);
        sbuf_cstr(out, " AS (");
        print_query(q->ctes[i].query, out);
        sbuf_char(out, ')');
    }
    if (q->cte_count)
        sbuf_char(out, ' ');
}

static void print_organization(const struct ast_query *q, struct sbuf *out)
{
    if (q->order_all) {
        sbuf_cstr(out, q->order->descending ? " ORDER BY ALL DESC" : " ORDER BY ALL");
        sbuf_cstr(out, q->order->nulls == 1 ? " NULLS FIRST" : q->order->nulls == 2 ? " NULLS LAST" : "");
    } else if (q->order_count) {
        sbuf_cstr(out, " ORDER BY ");
        print_sort(q->order, q->order_count, out);
    }
    if (q->distribute_count) {
        sbuf_cstr(out, q->cluster ? " CLUSTER BY " : " DISTRIBUTE BY ");
        print_exprs(q->distribute, q->distribute_count, out);
    }
    if (q->sort_count) {
        sbuf_cstr(out, " SORT BY ");
        print_sort(q->sort, q->sort_count, out);
    }
    print_condition("LIMIT", q->limit, out);
    sbuf_cstr(out, q->limit_all ? " LIMIT ALL" : "");
    print_condition("OFFSET", q->offset, out);
}

static void print_query(const struct ast_query *q, struct sbuf *out)
{
    print_ctes(q, out);
    switch (q->kind) {
    case AST_SELECT: print_select(q, out); break;
    case AST_VALUES:
        sbuf_cstr(out, "VALUES ");
        print_exprs(q->rows, q->row_count, out);
        sbuf_cstr(out, q->values_alias.n || q->values_column_count ? " AS " : "");
        if (q->values_alias.n)
            print_name(q->values_alias, out);
        if (q->values_column_count)
            print_names(q->values_columns, q->values_column_count, out);
        break;
    case AST_TABLE:
        sbuf_cstr(out, "TABLE ");
        print_relation(&q->table, out);
        break;
    case AST_SET_OPERATION: print_set_operation(q, out); break;
    }
    print_organization(q, out);
}

void ast_print(const struct ast_query *query, struct sbuf *out)
{
    print_query(query, out);
}

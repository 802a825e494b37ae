/* A plan as text, for `plan`, `check` and tests: a node for each line, its input below it, indented. Columns are #place:name of the node's
 * input. */
#include "sql/bind_private.h"
#include "type/cast.h"

enum { PRINT_SIZE_MAX = 4000 }; /* bytes of one expression; aliases can make them long */

static void print_expr(const struct expr *e, const struct type *input, struct sbuf *out);

static void print_args(const struct expr *e, const struct type *input, struct sbuf *out)
{
    for (uint32_t i = 0; i < e->arg_count; i++) {
        sbuf_cstr(out, i ? ", " : "");
        print_expr(e->args[i], input, out);
    }
}

static void print_logic(const struct expr *e, const struct type *input, struct sbuf *out)
{
    for (uint32_t i = 0; i < e->arg_count; i++) {
        sbuf_cstr(out, i == 0 ? "(" : e->kind == EXPR_AND ? " AND " : " OR ");
        print_expr(e->args[i], input, out);
    }
    sbuf_char(out, ')');
}

static void print_case(const struct expr *e, const struct type *input, struct sbuf *out)
{
    sbuf_cstr(out, "CASE");
    for (uint32_t i = 0; i + 1 < e->arg_count; i += 2) {
        sbuf_cstr(out, " WHEN ");
        print_expr(e->args[i], input, out);
        sbuf_cstr(out, " THEN ");
        print_expr(e->args[i + 1], input, out);
    }
    sbuf_cstr(out, " ELSE ");
    print_expr(e->args[e->arg_count - 1], input, out);
    sbuf_cstr(out, " END");
}

static void print_cast(const struct expr *e, const struct type *input, struct sbuf *out)
{
    sbuf_cstr(out, e->try_ ? "try_cast(" : "cast(");
    print_expr(e->args[0], input, out);
    sbuf_cstr(out, " as ");
    type_to_simple(e->type, out);
    sbuf_char(out, ')');
}

static void print_expr(const struct expr *e, const struct type *input, struct sbuf *out)
{
    if (out->n > PRINT_SIZE_MAX) {
        sbuf_cstr(out, "…");
        return;
    }
    switch (e->kind) {
    case EXPR_LITERAL: value_to_sql(&e->literal, out); break;
    case EXPR_COLUMN:
        sbuf_printf(out, "#%u", e->index);
        if (input && e->index < input->field_count)
            sbuf_printf(out, ":%s", input->fields[e->index].name);
        break;
    case EXPR_FIELD:
        print_expr(e->args[0], input, out);
        sbuf_printf(out, ".%s", e->args[0]->type->fields[e->index].name);
        break;
    case EXPR_CAST: print_cast(e, input, out); break;
    case EXPR_AND:
    case EXPR_OR: print_logic(e, input, out); break;
    case EXPR_CASE: print_case(e, input, out); break;
    case EXPR_CALL:
        sbuf_printf(out, "%s(", e->function->name);
        print_args(e, input, out);
        sbuf_char(out, ')');
        break;
    case EXPR_LAMBDA:
        sbuf_cstr(out, "(");
        for (uint32_t i = 0; i < e->param_count; i++)
            sbuf_printf(out, i ? ", $%u" : "$%u", e->index + i);
        sbuf_cstr(out, ") -> ");
        print_expr(e->args[0], input, out);
        break;
    case EXPR_PARAM: sbuf_printf(out, "$%u", e->index); break;
    }
}

/* Through a buffer of its own, so that the limit is one expression's. */
static void print_one(const struct expr *e, const struct type *input, struct sbuf *out)
{
    struct sbuf one = {0};
    print_expr(e, input, &one);
    sbuf_str(out, sbuf_view(&one));
    sbuf_fini(&one);
}

/* ---- nodes -------------------------------------------------------------------------------------------------------------------------- */

static const struct type *input_schema(const struct plan *p)
{
    return p->input_count ? p->inputs[0]->schema : NULL;
}

static void print_scan(const struct plan *p, struct sbuf *out)
{
    sbuf_cstr(out, p->name.stream ? "scan stream " : "scan ");
    for (uint32_t i = 0; i < p->name.part_count; i++)
        sbuf_printf(out, i ? ".%.*s" : "%.*s", STR_ARG(p->name.parts[i]));
    sbuf_cstr(out, " [");
    for (uint32_t i = 0; i < p->schema->field_count; i++)
        sbuf_printf(out, i ? ", %s" : "%s", p->schema->fields[i].name);
    sbuf_char(out, ']');
}

static void print_exprs(const char *word, const struct plan *p, uint32_t from, uint32_t to, bool names,
                        struct sbuf *out)
{
    sbuf_printf(out, "%s [", word);
    for (uint32_t i = from; i < to; i++) {
        sbuf_cstr(out, i > from ? ", " : "");
        print_one(p->exprs[i], input_schema(p), out);
        if (p->kind == PLAN_AGGREGATE && p->distinct[i])
            sbuf_cstr(out, " distinct");
        if (p->kind == PLAN_AGGREGATE && p->filters[i]) {
            sbuf_cstr(out, " filter ");
            print_one(p->filters[i], input_schema(p), out);
        }
        if (names)
            sbuf_printf(out, " AS %s", p->schema->fields[i].name);
    }
    sbuf_char(out, ']');
}

static void print_sort(const struct plan *p, struct sbuf *out)
{
    sbuf_cstr(out, "sort [");
    for (uint32_t i = 0; i < p->sort_count; i++) {
        sbuf_cstr(out, i ? ", " : "");
        print_one(p->sort[i].expr, input_schema(p), out);
        sbuf_cstr(out, p->sort[i].descending ? " desc" : " asc");
        sbuf_cstr(out, p->sort[i].nulls_last ? " nulls last" : " nulls first");
    }
    sbuf_char(out, ']');
    if (p->limit >= 0)
        sbuf_printf(out, " limit %lld", (long long)p->limit);
}

static void print_node(const struct plan *p, struct sbuf *out)
{
    static const char *const names[] = {"scan",     "values", "filter",   "project", "aggregate",
                                        "sort",     "limit",  "distinct", "union",   "join",
                                        "generate", "window", "watermark"};
    switch (p->kind) {
    case PLAN_SCAN: print_scan(p, out); break;
    case PLAN_VALUES:
        sbuf_printf(out, "values %u rows of %u columns", p->row_count, p->schema->field_count);
        break;
    case PLAN_PROJECT: print_exprs("project", p, 0, p->expr_count, true, out); break;
    case PLAN_AGGREGATE:
        print_exprs("aggregate by", p, 0, p->group_count, false, out);
        print_exprs(" of", p, p->group_count, p->expr_count, false, out);
        break;
    case PLAN_SORT: print_sort(p, out); break;
    case PLAN_LIMIT:
        sbuf_printf(out, "limit %lld offset %lld", (long long)p->limit, (long long)p->offset);
        break;
    case PLAN_WATERMARK:
        print_exprs("watermark", p, 0, 1, false, out);
        sbuf_printf(out, " delay %lld us", (long long)p->delay_us);
        break;
    case PLAN_FILTER: print_exprs("filter", p, 0, 1, false, out); break;
    default: sbuf_cstr(out, names[p->kind]); break;
    }
    sbuf_char(out, '\n');
}

static void print_plan(const struct plan *p, int depth, struct sbuf *out)
{
    for (int i = 0; i < depth; i++)
        sbuf_cstr(out, "  ");
    print_node(p, out);
    for (uint32_t i = 0; i < p->input_count; i++)
        print_plan(p->inputs[i], depth + 1, out);
}

void plan_print(const struct plan *plan, struct sbuf *out)
{
    print_plan(plan, 0, out);
}

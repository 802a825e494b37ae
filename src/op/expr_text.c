/* The text of an expression, for errors: as one would write it, short. */
#include <stdio.h>

#include "op/eval_private.h"

static void print(const struct expr *e, const struct type *schema, uint32_t depth, struct sbuf *out);

static void print_literal(const struct expr *e, struct sbuf *out)
{
    bool quoted = !e->literal.is_null && (type_is_view(e->type) || e->type->kind >= TYPE_DATE);
    if (quoted)
        sbuf_char(out, '\'');
    value_to_text(&e->literal, NULL, out);
    if (quoted)
        sbuf_char(out, '\'');
}

static void print_list(const struct expr *e, const char *between, const struct type *schema, uint32_t depth,
                       struct sbuf *out)
{
    for (uint32_t i = 0; i < e->arg_count && out->n < EVAL_NAME_MAX; i++) {
        if (i)
            sbuf_cstr(out, between);
        print(e->args[i], schema, depth + 1, out);
    }
}

static void print_call(const struct expr *e, const struct type *schema, uint32_t depth, struct sbuf *out)
{
    const char *name = e->function->name;
    bool infix = (e->function->flags & FUNCTION_OPERATOR) && e->arg_count == 2 &&
                 e->function->id != FN_SUBSCRIPT;
    if (infix) {
        char between[64];
        snprintf(between, sizeof(between), " %s ", name);
        sbuf_char(out, '(');
        print_list(e, between, schema, depth, out);
        sbuf_char(out, ')');
        return;
    }
    if (e->function->id == FN_SUBSCRIPT && e->arg_count == 2) {
        print(e->args[0], schema, depth + 1, out);
        sbuf_char(out, '[');
        print(e->args[1], schema, depth + 1, out);
        sbuf_char(out, ']');
        return;
    }
    sbuf_cstr(out, name);
    sbuf_char(out, '(');
    print_list(e, ", ", schema, depth, out);
    sbuf_char(out, ')');
}

static void print_case(const struct expr *e, const struct type *schema, uint32_t depth, struct sbuf *out)
{
    sbuf_cstr(out, "CASE WHEN ");
    print(e->args[0], schema, depth + 1, out);
    sbuf_cstr(out, " … END");
}

static void print(const struct expr *e, const struct type *schema, uint32_t depth, struct sbuf *out)
{
    if (depth > 16 || out->n >= EVAL_NAME_MAX) {
        sbuf_cstr(out, "…");
        return;
    }
    switch (e->kind) {
    case EXPR_LITERAL: print_literal(e, out); break;
    case EXPR_COLUMN:
        sbuf_cstr(out, e->index < schema->field_count ? schema->fields[e->index].name : "?");
        break;
    case EXPR_FIELD:
        print(e->args[0], schema, depth + 1, out);
        sbuf_printf(out, ".%s", e->args[0]->type->fields[e->index].name);
        break;
    case EXPR_CAST:
        sbuf_cstr(out, e->try_ ? "TRY_CAST(" : "CAST(");
        print(e->args[0], schema, depth + 1, out);
        sbuf_cstr(out, " AS ");
        type_to_sql(e->type, out);
        sbuf_char(out, ')');
        break;
    case EXPR_AND: print_list(e, " AND ", schema, depth, out); break;
    case EXPR_OR: print_list(e, " OR ", schema, depth, out); break;
    case EXPR_CASE: print_case(e, schema, depth, out); break;
    case EXPR_CALL: print_call(e, schema, depth, out); break;
    case EXPR_LAMBDA:
        sbuf_cstr(out, "x -> ");
        print(e->args[0], schema, depth + 1, out);
        break;
    case EXPR_PARAM: sbuf_printf(out, "x%u", e->index); break;
    }
}

const char *expr_text(const struct expr *e, const struct type *schema, struct arena *arena)
{
    struct sbuf out = {0};
    print(e, schema, 0, &out);
    size_t n = out.n;
    if (n > EVAL_NAME_MAX) { /* cut at a character */
        for (n = EVAL_NAME_MAX; n > 0 && ((uint8_t)out.p[n] & 0xC0) == 0x80;)
            n--;
        out.n = n;
        sbuf_cstr(&out, "…");
    }
    const char *text = str_dup(arena, sbuf_view(&out));
    sbuf_fini(&out);
    return text;
}

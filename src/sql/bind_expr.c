/* Expressions but names, literals and calls; and the binder's errors. Each node of the tree becomes one bound expression or a few; every
 * implicit cast is written out. */
#include "sql/bind_private.h"
#include "type/cast.h"

/* ---- errors --------------------------------------------------------------------------------------------------------- */

bool bind_fail(struct binder *b, struct span span, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    err_vset(b->err, ERR_CONFIG, format, args);
    va_end(args);
    return sql_error_at(b->err, b->text, span);
}

bool bind_unsupported(struct binder *b, struct span span, const char *what)
{
    return bind_fail(b, span, "UNSUPPORTED_FEATURE: %s not supported yet", what);
}

bool bind_place(struct binder *b, struct span span)
{
    b->err->code = 0;
    b->err->class = ERR_CONFIG;
    return b->err->place.line != 0 ? false : sql_error_at(b->err, b->text, span);
}

bool bind_enter(struct binder *b, struct span span)
{
    if (++b->depth <= BIND_DEPTH_MAX)
        return true;
    return bind_fail(b, span, "the query is nested deeper than %d levels", BIND_DEPTH_MAX);
}

bool bind_work(struct binder *b, uint32_t amount, struct span span)
{
    if (amount <= SQL_EXPR_SIZE_MAX && (b->work += amount) <= BIND_WORK_MAX)
        return true;
    return bind_fail(b, span,
                     "the query is too large: names and aliases in it stand for more than %d expressions",
                     amount > SQL_EXPR_SIZE_MAX ? SQL_EXPR_SIZE_MAX : BIND_WORK_MAX);
}

const char *bind_type_text(struct arena *arena, const struct type *type)
{
    struct sbuf out = {0};
    type_to_sql(type, &out);
    const char *text = arena_strdup(arena, out.p ? out.p : "");
    sbuf_fini(&out);
    return text;
}

/* ---- operators ------------------------------------------------------------------------------------------------------ */

static enum function_id op_function(enum ast_op op)
{
    static const uint16_t ids[] = {[AST_EQ] = FN_EQ,
                                   [AST_EQ_NULL_SAFE] = FN_EQ_NULL_SAFE,
                                   [AST_NE] = FN_NE,
                                   [AST_LT] = FN_LT,
                                   [AST_LE] = FN_LE,
                                   [AST_GT] = FN_GT,
                                   [AST_GE] = FN_GE,
                                   [AST_BIT_OR] = FN_BIT_OR,
                                   [AST_BIT_XOR] = FN_BIT_XOR,
                                   [AST_BIT_AND] = FN_BIT_AND,
                                   [AST_SHIFT_LEFT] = FN_SHIFT_LEFT,
                                   [AST_SHIFT_RIGHT] = FN_SHIFT_RIGHT,
                                   [AST_SHIFT_RIGHT_UNSIGNED] = FN_SHIFT_RIGHT_UNSIGNED,
                                   [AST_ADD] = FN_ADD,
                                   [AST_SUBTRACT] = FN_SUBTRACT,
                                   [AST_CONCAT] = FN_CONCAT,
                                   [AST_MULTIPLY] = FN_MULTIPLY,
                                   [AST_DIVIDE] = FN_DIVIDE,
                                   [AST_MOD] = FN_MOD,
                                   [AST_DIV] = FN_INT_DIVIDE,
                                   [AST_NEGATE] = FN_NEGATE,
                                   [AST_PLUS] = FN_POSITIVE,
                                   [AST_BIT_NOT] = FN_BIT_NOT};
    return (enum function_id)ids[op];
}

static bool is_timestamp(const struct expr *e)
{
    return e->type->kind == TYPE_TIMESTAMP || e->type->kind == TYPE_TIMESTAMP_NTZ;
}

static bool is_kind(const struct expr *e, enum type_kind kind)
{
    return e->type->kind == kind;
}

/* What + and - mean between dates, timestamps and intervals; false if the operands are numbers. The operands may change places. */
static bool datetime_function(struct arena *arena, enum ast_op op, const struct expr **l,
                              const struct expr **r, enum function_id *id)
{
    if (op == AST_ADD &&
        (type_is_interval((*l)->type) || type_is_integer((*l)->type) || type_is_void((*l)->type)) &&
        (is_timestamp(*r) || is_kind(*r, TYPE_DATE))) {
        const struct expr *swap = *l;
        *l = *r;
        *r = swap;
    }
    bool date = is_kind(*l, TYPE_DATE), timestamp = is_timestamp(*l);
    if (op == AST_SUBTRACT && (timestamp || is_timestamp(*r)) && !type_is_interval((*r)->type) &&
        !type_is_numeric((*r)->type) && !type_is_numeric((*l)->type)) {
        *id = FN_TIMESTAMP_SUBTRACT;
        return true;
    }
    bool loose_l = is_kind(*l, TYPE_STRING) || is_kind(*l, TYPE_NULL),
         loose_r = is_kind(*r, TYPE_STRING) || is_kind(*r, TYPE_NULL);
    if (op == AST_SUBTRACT &&
        ((date && is_kind(*r, TYPE_DATE)) || (date && loose_r) || (loose_l && is_kind(*r, TYPE_DATE)))) {
        *id = FN_DATE_SUBTRACT;
        return true;
    }
    if (!date && !timestamp && is_kind(*l, TYPE_STRING) && type_is_interval((*r)->type)) {
        *l = cast_to(arena, *l, type_simple(TYPE_TIMESTAMP)); /* '2024-01-01' + INTERVAL 1 DAY */
        timestamp = true;
    }
    if ((date || timestamp) && type_is_void((*r)->type)) /* NULL stands for an interval */
        *r = cast_to(arena, *r, type_simple(TYPE_INTERVAL_DT));
    if (date && (type_is_integer((*r)->type) || is_kind(*r, TYPE_STRING) || type_is_void((*r)->type))) {
        *id = op == AST_ADD ? FN_DATE_ADD : FN_DATE_SUB;
        return true;
    }
    if ((!date && !timestamp) || !type_is_interval((*r)->type))
        return false;
    if (is_kind(*r, TYPE_INTERVAL_YM))
        *id = date ? FN_DATE_ADD_YM : FN_TIMESTAMP_ADD_YM;
    else
        *id = date && (*r)->type->interval_to == INTERVAL_DAY ? FN_DATE_ADD : FN_TIMESTAMP_ADD_DT;
    return true;
}

/* An INTERVAL DAY as a number of days, for DATE_ADD. */
static bool interval_days(struct binder *b, const struct expr *e, const struct expr **out)
{
    const struct expr *args[] = {e, expr_int(b->arena, INTERVAL_DAY, e->span)};
    return bind_function(b, FN_INTERVAL_PART, args, 2, e->span, out);
}

static bool bind_datetime(struct binder *b, enum ast_op op, enum function_id id, const struct expr *l,
                          const struct expr *r, struct span span, const struct expr **out)
{
    bool interval = type_is_interval(r->type);
    if (interval && op == AST_SUBTRACT) {
        const struct expr *args[] = {r};
        TRY(bind_function(b, FN_NEGATE, args, 1, span, &r));
    }
    if (interval && id == FN_DATE_ADD)
        TRY(interval_days(b, r, &r));
    const struct expr *args[] = {l, r};
    return bind_function(b, id, args, 2, span, out);
}

bool bind_binary(struct binder *b, enum ast_op op, const struct expr *l, const struct expr *r,
                 struct span span, const struct expr **out)
{
    enum function_id id = op_function(op);
    bool text = is_kind(l, TYPE_STRING) || is_kind(r, TYPE_STRING);
    if ((op == AST_ADD || op == AST_SUBTRACT) && datetime_function(b->arena, op, &l, &r, &id)) {
        TRY(bind_datetime(b, op, id, l, r, span, out));
        if (text && type_is_interval(r->type)) /* a text plus an interval is a text again */
            *out = cast_to(b->arena, *out, type_simple(TYPE_STRING));
        return true;
    }
    if ((op == AST_MULTIPLY || op == AST_DIVIDE) && type_is_interval(l->type) && !type_is_interval(r->type))
        id = op == AST_MULTIPLY ? FN_INTERVAL_MULTIPLY : FN_INTERVAL_DIVIDE;
    if (op == AST_MULTIPLY && type_is_interval(r->type) && !type_is_interval(l->type)) {
        const struct expr *swap = l;
        l = r;
        r = swap;
        id = FN_INTERVAL_MULTIPLY;
    }
    if (!b->catalogue->ansi &&
        (id == FN_DIVIDE || id == FN_MOD || id == FN_INT_DIVIDE)) /* NULL in the place of an error */
        id = id == FN_DIVIDE ? FN_TRY_DIVIDE : id == FN_MOD ? FN_TRY_MOD : FN_TRY_INT_DIVIDE;
    const struct expr *args[] = {l, r};
    return bind_function(b, id, args, 2, span, out);
}

/* ---- AND, OR, NOT ---------------------------------------------------------------------------------------------------- */

static bool to_condition(struct binder *b, const struct expr *e, const char *what, const struct expr **out)
{
    *out = cast_implicit(b->arena, e, type_simple(TYPE_BOOLEAN));
    if (*out != NULL && !type_is_numeric(e->type))
        return true;
    return bind_fail(b, e->span, "DATATYPE_MISMATCH.UNEXPECTED_INPUT_TYPE: %s must be BOOLEAN, not %s", what,
                     bind_type_text(b->arena, e->type));
}

static bool bind_logic(struct binder *b, struct scope *s, const struct ast_expr *ast, const struct expr **out)
{
    const struct expr **args = arena_array(b->arena, const struct expr *, ast->count);
    const char *what = ast->op == AST_AND ? "an operand of AND" : "an operand of OR";
    TRY(bind_exprs(b, s, ast->items, ast->count, args));
    for (uint32_t i = 0; i < ast->count; i++)
        TRY(to_condition(b, args[i], what, &args[i]));
    *out = expr_new(b->arena, ast->op == AST_AND ? EXPR_AND : EXPR_OR, type_simple(TYPE_BOOLEAN), args,
                    ast->count, ast->span);
    return true;
}

bool bind_condition(struct binder *b, struct scope *s, const struct ast_expr *ast, const char *clause,
                    const struct expr **out)
{
    const struct expr *e;
    TRY(bind_expr(b, s, ast, &e));
    return to_condition(b, e, clause, out);
}

static bool bind_not(struct binder *b, const struct expr *e, bool not_, struct span span,
                     const struct expr **out)
{
    *out = e;
    if (!not_)
        return true;
    const struct expr *args[] = {e};
    return bind_function(b, FN_NOT, args, 1, span, out);
}

static bool bind_operator(struct binder *b, struct scope *s, const struct ast_expr *ast,
                          const struct expr **out)
{
    const struct expr *args[2] = {0};
    if (ast->op == AST_AND || ast->op == AST_OR)
        return bind_logic(b, s, ast, out);
    CHECK(ast->count == (ast->kind == AST_UNARY ? 1 : 2));
    TRY(bind_exprs(b, s, ast->items, ast->count, args));
    if (ast->op == AST_NOT) {
        TRY(to_condition(b, args[0], "the operand of NOT", &args[0]));
        return bind_not(b, args[0], true, ast->span, out);
    }
    if (ast->kind == AST_BINARY)
        return bind_binary(b, ast->op, args[0], args[1], ast->span, out);
    if (ast->op == AST_PLUS) {
        TRY(bind_function(b, FN_NEGATE, args, 1, ast->span, out)); /* the check of the type, and its cast */
        *out = (*out)->args[0];
        return true;
    }
    return bind_function(b, op_function(ast->op), args, 1, ast->span, out);
}

/* ---- predicates -------------------------------------------------------------------------------------------------------- */

static bool bind_between(struct binder *b, struct scope *s, const struct ast_expr *ast,
                         const struct expr **out)
{
    const struct expr *args[3] = {0}, **both = arena_array(b->arena, const struct expr *, 2);
    TRY(bind_exprs(b, s, ast->items, 3, args));
    TRY(bind_binary(b, AST_GE, args[0], args[1], ast->span, &both[0]));
    TRY(bind_binary(b, AST_LE, args[0], args[2], ast->span, &both[1]));
    struct expr *e = expr_new(b->arena, EXPR_AND, type_simple(TYPE_BOOLEAN), both, 2, ast->span);
    TRY(bind_work(b, e->size, ast->span));
    return bind_not(b, e, ast->not_, ast->span, out);
}

static bool bind_in(struct binder *b, struct scope *s, const struct ast_expr *ast, const struct expr **out)
{
    if (ast->query)
        return bind_unsupported(b, ast->at, "IN with a subquery is");
    const struct expr **args = arena_array(b->arena, const struct expr *, ast->count);
    TRY(bind_exprs(b, s, ast->items, ast->count, args));
    TRY(bind_function(b, FN_IN, args, ast->count, ast->span, out));
    return bind_not(b, *out, ast->not_, ast->span, out);
}

static bool bind_like_one(struct binder *b, const struct ast_expr *ast, const struct expr *text,
                          const struct expr *pattern, const struct expr **out)
{
    struct str escape = ast->has_escape ? ast->items[2]->literal.str : STR("\\");
    const struct expr *args[] = {text, pattern, expr_string(b->arena, escape, ast->span)};
    enum function_id id = ast->op == AST_RLIKE_OP ? FN_RLIKE : ast->op == AST_ILIKE_OP ? FN_ILIKE : FN_LIKE;
    return bind_function(b, id, args, id == FN_RLIKE ? 2 : 3, ast->span, out);
}

static bool bind_like(struct binder *b, struct scope *s, const struct ast_expr *ast, const struct expr **out)
{
    uint32_t patterns = ast->quantifier == AST_NO_QUANTIFIER ? 1 : ast->count - 1;
    const struct expr **args = arena_array(b->arena, const struct expr *, patterns + 1);
    const struct expr **parts = arena_array(b->arena, const struct expr *, patterns);
    TRY(bind_exprs(b, s, ast->items, patterns + 1, args));
    for (uint32_t i = 0; i < patterns; i++) {
        TRY(bind_like_one(b, ast, args[0], args[i + 1], &parts[i]));
        /* x NOT LIKE ANY (…): unlike at least one; x NOT LIKE ALL (…): unlike each */
        TRY(bind_not(b, parts[i], ast->not_, ast->span, &parts[i]));
        TRY(bind_work(b, parts[i]->size, ast->span));
    }
    *out = parts[0];
    if (patterns > 1)
        *out = expr_new(b->arena, ast->quantifier == AST_ANY ? EXPR_OR : EXPR_AND, type_simple(TYPE_BOOLEAN),
                        parts, patterns, ast->span);
    return true;
}

static bool bind_is(struct binder *b, struct scope *s, const struct ast_expr *ast, const struct expr **out)
{
    const struct expr *args[2] = {0};
    CHECK(ast->count == (ast->test == AST_IS_DISTINCT ? 2 : 1));
    TRY(bind_exprs(b, s, ast->items, ast->count, args));
    if (ast->test == AST_IS_NULL || ast->test == AST_IS_UNKNOWN) {
        if (ast->test == AST_IS_UNKNOWN)
            TRY(to_condition(b, args[0], "the operand of IS UNKNOWN", &args[0]));
        return bind_function(b, ast->not_ ? FN_IS_NOT_NULL : FN_IS_NULL, args, 1, ast->span, out);
    }
    if (ast->test == AST_IS_DISTINCT) {
        TRY(bind_binary(b, AST_EQ_NULL_SAFE, args[0], args[1], ast->span, out));
        return bind_not(b, *out, !ast->not_, ast->span, out);
    }
    TRY(to_condition(b, args[0],
                     ast->test == AST_IS_TRUE ? "the operand of IS TRUE" : "the operand of IS FALSE",
                     &args[0]));
    args[1] = expr_bool(b->arena, ast->test == AST_IS_TRUE, ast->span);
    TRY(bind_binary(b, AST_EQ_NULL_SAFE, args[0], args[1], ast->span, out));
    return bind_not(b, *out, ast->not_, ast->span, out);
}

/* ---- CASE, casts, accessors ------------------------------------------------------------------------------------------------ */

bool bind_case(struct binder *b, const struct expr **args, uint32_t count, struct span span,
               const struct expr **out)
{
    CHECK(count % 2 == 1);
    uint32_t results = count / 2 + 1;
    const struct expr **values = arena_array(b->arena, const struct expr *, results);
    for (uint32_t i = 0; i < results; i++)
        values[i] = args[i + 1 == results ? count - 1 : 2 * i + 1];
    const struct type *t = common_type(b->arena, values, results);
    if (t == NULL)
        return bind_fail(
            b, span, "DATATYPE_MISMATCH.DATA_DIFF_TYPES: the results have no common type, the first is %s",
            bind_type_text(b->arena, values[0]->type));
    bool nullable = false;
    for (uint32_t i = 0; i < results; i++) {
        uint32_t at = i + 1 == results ? count - 1 : 2 * i + 1;
        args[at] = cast_to(b->arena, args[at], t);
        nullable |= args[at]->nullable;
    }
    struct expr *e = expr_new(b->arena, EXPR_CASE, t, args, count, span);
    e->nullable = nullable;
    *out = e;
    return bind_work(b, e->size, span);
}

static bool bind_case_ast(struct binder *b, struct scope *s, const struct ast_expr *ast,
                          const struct expr **out)
{
    uint32_t first = ast->has_operand, count = ast->count - first + !ast->has_else;
    const struct expr **args = arena_array(b->arena, const struct expr *, count), *operand = NULL;
    if (ast->has_operand)
        TRY(bind_expr(b, s, ast->items[0], &operand));
    TRY(bind_exprs(b, s, ast->items + first, ast->count - first, args));
    for (uint32_t i = 0; i + 1 < count; i += 2) {
        if (operand)
            TRY(bind_binary(b, AST_EQ, operand, args[i], ast->items[first + i]->span, &args[i]));
        else
            TRY(to_condition(b, args[i], "a condition of WHEN", &args[i]));
    }
    if (!ast->has_else)
        args[count - 1] = expr_null(b->arena, type_simple(TYPE_NULL), ast->span);
    return bind_case(b, args, count, ast->span, out);
}

static bool bind_cast(struct binder *b, struct scope *s, const struct ast_expr *ast, const struct expr **out)
{
    const struct expr *arg;
    TRY(bind_expr(b, s, ast->items[0], &arg));
    if (!type_is_void(arg->type) && !type_can_cast(arg->type, ast->type))
        return bind_fail(b, ast->span, "DATATYPE_MISMATCH.CAST_WITHOUT_SUGGESTION: cannot cast %s to %s",
                         bind_type_text(b->arena, arg->type), bind_type_text(b->arena, ast->type));
    if (expr_is_null(arg)) {
        *out = expr_null(b->arena, ast->type, ast->span);
        return true;
    }
    if (type_same(arg->type, ast->type)) {
        *out = arg;
        return true;
    }
    const struct expr **args = arena_array(b->arena, const struct expr *, 1);
    args[0] = arg;
    struct expr *e = expr_new(b->arena, EXPR_CAST, ast->type, args, 1, ast->span);
    e->try_ = ast->try_ || !b->catalogue->ansi;
    e->nullable |= e->try_ && type_cast_can_fail(arg->type, ast->type);
    *out = e;
    return bind_work(b, e->size, ast->span);
}

static bool bind_subscript(struct binder *b, struct scope *s, const struct ast_expr *ast,
                           const struct expr **out)
{
    const struct expr *args[2] = {0};
    struct value key;
    TRY(bind_exprs(b, s, ast->items, 2, args));
    switch (args[0]->type->kind) {
    case TYPE_ARRAY: return bind_function(b, FN_SUBSCRIPT, args, 2, ast->span, out);
    case TYPE_MAP: return bind_function(b, FN_MAP_VALUE, args, 2, ast->span, out);
    case TYPE_STRUCT:
        if (args[1]->type->kind == TYPE_STRING && expr_constant(b->arena, args[1], &key))
            return bind_field(b, args[0], key.str, ast->items[1]->span, ast->span, out);
        break;
    default: break;
    }
    return bind_fail(b, ast->span, "INVALID_EXTRACT_BASE_FIELD_TYPE: [ ] takes an ARRAY or a MAP, not %s",
                     bind_type_text(b->arena, args[0]->type));
}

/* (a, b) as a value: a struct named by its columns. */
static bool bind_row(struct binder *b, struct scope *s, const struct ast_expr *ast, const struct expr **out)
{
    const struct expr **args = arena_array(b->arena, const struct expr *, ast->count + 1);
    struct field *fields = arena_zarray(b->arena, struct field, ast->count + 1);
    for (uint32_t i = 0; i < ast->count; i++) {
        const struct ast_expr *item = ast->items[i];
        bool named = item->kind == AST_ALIAS || item->kind == AST_NAME || item->kind == AST_FIELD;
        TRY(bind_expr(b, s, item->kind == AST_ALIAS ? item->items[0] : item, &args[i]));
        fields[i].name = named ? str_dup(b->arena, item->name) : arena_printf(b->arena, "col%u", i + 1);
        fields[i].type = args[i]->type;
        fields[i].nullable = args[i]->nullable;
    }
    *out = expr_call(b->arena, FN_STRUCT, type_struct(b->arena, fields, ast->count), false, args, ast->count,
                     ast->span);
    return bind_work(b, (*out)->size, ast->span);
}

static bool bind_other(struct binder *b, struct scope *s, const struct ast_expr *ast, const struct expr **out)
{
    switch (ast->kind) {
    case AST_LAMBDA:
        return bind_fail(b, ast->span,
                         "INVALID_LAMBDA_FUNCTION_CALL: a lambda can stand in a higher-order function only");
    case AST_STAR: return bind_fail(b, ast->span, "INVALID_USAGE_OF_STAR_OR_REGEX: \"*\" cannot stand here");
    case AST_PARAMETER: return bind_fail(b, ast->span, "UNBOUND_SQL_PARAMETER: the parameter has no value");
    case AST_SUBQUERY: return bind_unsupported(b, ast->span, "a scalar subquery is");
    case AST_EXISTS: return bind_unsupported(b, ast->at, "EXISTS is");
    case AST_NAMED_ARG: return bind_unsupported(b, ast->at, "a named argument is");
    case AST_COLLATE: return bind_unsupported(b, ast->at, "COLLATE is");
    default: UNREACHABLE("an expression of unknown kind");
    }
}

static bool bind_kind(struct binder *b, struct scope *s, const struct ast_expr *ast, const struct expr **out)
{
    switch (ast->kind) {
    case AST_LITERAL:
    case AST_TYPED:
    case AST_INTERVAL: return bind_literal(b, ast, out);
    case AST_NAME:
    case AST_FIELD: return bind_column(b, s, ast, out);
    case AST_UNARY:
    case AST_BINARY: return bind_operator(b, s, ast, out);
    case AST_BETWEEN: return bind_between(b, s, ast, out);
    case AST_IN: return bind_in(b, s, ast, out);
    case AST_LIKE: return bind_like(b, s, ast, out);
    case AST_IS: return bind_is(b, s, ast, out);
    case AST_CASE: return bind_case_ast(b, s, ast, out);
    case AST_CAST: return bind_cast(b, s, ast, out);
    case AST_CALL: return bind_call(b, s, ast, out);
    case AST_SUBSCRIPT: return bind_subscript(b, s, ast, out);
    case AST_ROW: return bind_row(b, s, ast, out);
    case AST_ALIAS: return bind_expr(b, s, ast->items[0], out);
    default: return bind_other(b, s, ast, out);
    }
}

bool bind_expr(struct binder *b, struct scope *s, const struct ast_expr *ast, const struct expr **out)
{
    TRY(bind_enter(b, ast->span));
    TRY(bind_work(b, 1, ast->span));
    *out = NULL;
    TRY(bind_kind(b, s, ast, out));
    CHECK(*out != NULL);
    ast->note->bound = *out;
    bind_leave(b);
    return true;
}

bool bind_exprs(struct binder *b, struct scope *s, struct ast_expr *const *items, uint32_t count,
                const struct expr **out)
{
    for (uint32_t i = 0; i < count; i++)
        TRY(bind_expr(b, s, items[i], &out[i]));
    return true;
}

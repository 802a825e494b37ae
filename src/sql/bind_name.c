/* Names of columns that have none: what Spark shows for an expression. count(1), (a + 1), CAST(a AS INT) in the middle of an expression but
 * plain `a` when the cast is all there is. Programs read tables by these names, so they are Spark's to the letter where we know them:
 * operators in parentheses, strings without quotes, functions by the name they were called, mostly in lower case, with the arguments that
 * Spark adds. */
#include "sql/bind_private.h"
#include "type/cast.h"

struct namer {
    struct binder *b;
    const struct scope *s;
    struct sbuf out;
    const struct lambda_names {
        const struct ast_expr *lambda;
        const struct lambda_names *outer;
    } * lambdas;
};

static void name_expr(struct namer *n, const struct ast_expr *e);

static void name_list(struct namer *n, struct ast_expr *const *items, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        sbuf_cstr(&n->out, i ? ", " : "");
        name_expr(n, items[i]);
    }
}

/* ---- literals ----------------------------------------------------------------------------------------------------------- */

/* Java's BigDecimal: 1.2E-8 once there are more than five zeros behind the point. */
static void name_decimal(struct namer *n, const struct value *v)
{
    char text[DECIMAL_TEXT_MAX];
    int exponent = (int)decimal_digits(v->decimal) - v->type->scale - 1;
    if (v->type->scale == 0 || exponent >= -6) {
        sbuf_add(&n->out, text, decimal_to_text(v->decimal, v->type->scale, text));
        return;
    }
    size_t length = decimal_to_text(v->decimal, 0, text), digits = text[0] == '-' ? 2 : 1;
    sbuf_add(&n->out, text, digits);
    if (length > digits)
        sbuf_printf(&n->out, ".%s", text + digits);
    sbuf_printf(&n->out, "E%d", exponent);
}

static void name_value(struct namer *n, const struct value *v)
{
    char text[DECIMAL_TEXT_MAX];
    if (v->is_null) {
        sbuf_cstr(&n->out, "NULL");
        return;
    }
    switch (v->type->kind) {
    case TYPE_BOOLEAN: sbuf_cstr(&n->out, v->boolean ? "true" : "false"); break;
    case TYPE_DECIMAL: name_decimal(n, v); break;
    case TYPE_FLOAT: sbuf_add(&n->out, text, cast_f32_to_str((float)v->f64, text)); break;
    case TYPE_DOUBLE: sbuf_add(&n->out, text, cast_f64_to_str(v->f64, text)); break;
    case TYPE_STRING: sbuf_str(&n->out, v->str); break;
    case TYPE_BINARY:
        sbuf_cstr(&n->out, "X'");
        for (size_t i = 0; i < v->str.n; i++)
            sbuf_printf(&n->out, "%02X", (unsigned)(uint8_t)v->str.p[i]);
        sbuf_char(&n->out, '\'');
        break;
    case TYPE_INTERVAL_YM:
    case TYPE_INTERVAL_DT: interval_to_text(v->i64, v->type, INTERVAL_STYLE_ANSI, &n->out); break;
    default: sbuf_printf(&n->out, "%lld", (long long)v->i64); break;
    }
}

static void name_typed(struct namer *n, const struct ast_expr *e)
{
    char text[TIMESTAMP_TEXT_MAX];
    struct str s = e->literal.str;
    int32_t days;
    int64_t us;
    bool date = str_is(e->name, "DATE");
    size_t length = 0;
    if (date && date_parse(s, &days))
        length = date_to_text(days, text);
    else if (!date && timestamp_ntz_parse(s, true, &us))
        length = timestamp_ntz_to_text(us, text);
    struct str name = str_is(e->name, "TIMESTAMP_LTZ") ? STR("TIMESTAMP") : e->name;
    sbuf_printf(&n->out, "%.*s '%.*s'", STR_ARG(name), length ? (int)length : (int)s.n, length ? text : s.p);
}

static void name_interval(struct namer *n, const struct ast_expr *e)
{
    struct value v;
    struct err before = *n->b->err;
    if (bind_interval(n->b, e, &v))
        name_value(n, &v);
    *n->b->err = before;
}

/* ---- operators ------------------------------------------------------------------------------------------------------------ */

static enum type_kind kind_of(const struct ast_expr *e)
{
    return e->note->bound ? e->note->bound->type->kind : TYPE_NULL;
}

static bool is_interval_kind(enum type_kind kind)
{
    return kind == TYPE_INTERVAL_YM || kind == TYPE_INTERVAL_DT;
}

/* date + 1 is date_add(date, 1), time + interval has no parentheses, and the date or interval comes first. False if e is none of these. */
static bool name_datetime(struct namer *n, const struct ast_expr *e)
{
    if (e->count != 2 || (e->op != AST_ADD && e->op != AST_SUBTRACT && e->op != AST_MULTIPLY))
        return false;
    const struct ast_expr *l = e->items[0], *r = e->items[1];
    enum type_kind a = kind_of(l), b = kind_of(r);
    bool time_b = b == TYPE_DATE || b == TYPE_TIMESTAMP || b == TYPE_TIMESTAMP_NTZ;
    bool whole_a = a >= TYPE_BYTE && a <= TYPE_LONG;
    if ((e->op == AST_MULTIPLY && is_interval_kind(b)) ||
        (e->op == AST_ADD && time_b && (is_interval_kind(a) || whole_a || a == TYPE_NULL))) {
        l = e->items[1];
        r = e->items[0];
        a = kind_of(l);
        b = kind_of(r);
    } else if (e->op == AST_MULTIPLY) {
        return false;
    }
    bool time = a == TYPE_DATE || a == TYPE_TIMESTAMP || a == TYPE_TIMESTAMP_NTZ || a == TYPE_STRING;
    bool days = a == TYPE_DATE && b >= TYPE_BYTE && b <= TYPE_LONG;
    bool interval = time && (is_interval_kind(b) || (b == TYPE_NULL && e->op == AST_ADD));
    if (e->op != AST_MULTIPLY && !days && !interval)
        return false;
    bool day_interval = interval && a == TYPE_DATE && b == TYPE_INTERVAL_DT &&
                        r->note->bound->type->interval_to == INTERVAL_DAY;
    if (days || day_interval) {
        sbuf_cstr(&n->out, e->op == AST_ADD || day_interval ? "date_add(" : "date_sub(");
        name_expr(n, l);
        sbuf_cstr(&n->out, !day_interval      ? ", "
                           : e->op == AST_ADD ? ", extractansiintervaldays("
                                              : ", (- extractansiintervaldays(");
        name_expr(n, r);
        sbuf_cstr(&n->out, !day_interval ? ")" : e->op == AST_ADD ? "))" : ")))");
        return true;
    }
    sbuf_cstr(&n->out, interval ? "" : "(");
    name_expr(n, l);
    sbuf_printf(&n->out, " %s ", ast_op_text(e->op));
    name_expr(n, r);
    sbuf_cstr(&n->out, interval ? "" : ")");
    return true;
}

static void name_binary(struct namer *n, const struct ast_expr *e)
{
    if (name_datetime(n, e))
        return;
    if (e->op == AST_CONCAT) {
        sbuf_cstr(&n->out, "concat(");
        name_list(n, e->items, e->count);
        sbuf_char(&n->out, ')');
        return;
    }
    bool differ = e->op == AST_NE;
    sbuf_cstr(&n->out, differ ? "(NOT " : "");
    for (uint32_t i = 1; i < e->count; i++)
        sbuf_char(&n->out, '(');
    name_expr(n, e->items[0]);
    for (uint32_t i = 1; i < e->count; i++) {
        sbuf_printf(&n->out, " %s ", ast_op_text(differ ? AST_EQ : e->op));
        name_expr(n, e->items[i]);
        sbuf_char(&n->out, ')');
    }
    sbuf_cstr(&n->out, differ ? ")" : "");
}

static void name_unary(struct namer *n, const struct ast_expr *e)
{
    sbuf_printf(&n->out, e->op == AST_BIT_NOT ? "%s" : "(%s ", ast_op_text(e->op));
    name_expr(n, e->items[0]);
    sbuf_cstr(&n->out, e->op == AST_BIT_NOT ? "" : ")");
}

static void name_like(struct namer *n, const struct ast_expr *e)
{
    if (e->quantifier != AST_NO_QUANTIFIER) {
        sbuf_printf(&n->out, "%s%s(", e->not_ ? "not" : "", e->quantifier == AST_ANY ? "likeany" : "likeall");
        name_list(n, e->items, e->count);
        sbuf_char(&n->out, ')');
        return;
    }
    sbuf_cstr(&n->out, e->not_ ? "(NOT " : "");
    if (e->op != AST_LIKE_OP) {
        sbuf_cstr(&n->out, e->op == AST_ILIKE_OP ? "ilike(" : "RLIKE(");
        name_list(n, e->items, 2);
        sbuf_char(&n->out, ')');
    } else {
        name_expr(n, e->items[0]);
        sbuf_cstr(&n->out, " LIKE ");
        name_expr(n, e->items[1]);
        if (e->has_escape && !str_is(e->items[2]->literal.str, "\\"))
            sbuf_printf(&n->out, " ESCAPE '%.*s'", STR_ARG(e->items[2]->literal.str));
    }
    sbuf_cstr(&n->out, e->not_ ? ")" : "");
}

static void name_is(struct namer *n, const struct ast_expr *e)
{
    bool null = e->test == AST_IS_NULL || e->test == AST_IS_UNKNOWN;
    bool not_ = !null && (e->test == AST_IS_DISTINCT ? !e->not_ : e->not_);
    sbuf_cstr(&n->out, not_ ? "(NOT (" : "(");
    name_expr(n, e->items[0]);
    if (null) {
        sbuf_cstr(&n->out, e->not_ ? " IS NOT NULL" : " IS NULL");
    } else {
        sbuf_cstr(&n->out, " <=> ");
        if (e->test == AST_IS_DISTINCT)
            name_expr(n, e->items[1]);
        else
            sbuf_cstr(&n->out, e->test == AST_IS_TRUE ? "true" : "false");
    }
    sbuf_cstr(&n->out, not_ ? "))" : ")");
}

static void name_case(struct namer *n, const struct ast_expr *e)
{
    uint32_t i = e->has_operand;
    sbuf_cstr(&n->out, "CASE");
    for (; i + 1 < e->count; i += 2) {
        sbuf_cstr(&n->out, e->has_operand ? " WHEN (" : " WHEN ");
        if (e->has_operand) {
            name_expr(n, e->items[0]);
            sbuf_cstr(&n->out, " = ");
        }
        name_expr(n, e->items[i]);
        sbuf_cstr(&n->out, e->has_operand ? ") THEN " : " THEN ");
        name_expr(n, e->items[i + 1]);
    }
    if (e->has_else) {
        sbuf_cstr(&n->out, " ELSE ");
        name_expr(n, e->items[i]);
    }
    sbuf_cstr(&n->out, " END");
}

static void name_not(struct namer *n, const struct ast_expr *e, const char *before, const char *between)
{
    sbuf_cstr(&n->out, e->not_ ? "(NOT " : "");
    sbuf_cstr(&n->out, before);
    name_expr(n, e->items[0]);
    sbuf_cstr(&n->out, between);
    name_list(n, e->items + 1, e->count - 1);
    sbuf_cstr(&n->out, e->kind == AST_IN ? "))" : ")");
    sbuf_cstr(&n->out, e->not_ ? ")" : "");
}

static void name_cast(struct namer *n, const struct ast_expr *e)
{
    sbuf_cstr(&n->out, e->try_ ? "TRY_CAST(" : "CAST(");
    name_expr(n, e->items[0]);
    sbuf_cstr(&n->out, " AS ");
    type_to_sql(e->type, &n->out);
    sbuf_char(&n->out, ')');
}

/* ---- calls ------------------------------------------------------------------------------------------------------------------ */

/* Functions that Spark shows by another name than they were called, when they were called by their first name. */
static const struct {
    uint16_t id;
    const char *name;
} shown_names[] = {
    {FN_SQRT, "SQRT"},       {FN_CBRT, "CBRT"},       {FN_EXP, "EXP"},
    {FN_EXPM1, "EXPM1"},     {FN_LOG10, "LOG10"},     {FN_LOG2, "LOG2"},
    {FN_LOG1P, "LOG1P"},     {FN_SIN, "SIN"},         {FN_COS, "COS"},
    {FN_TAN, "TAN"},         {FN_COT, "COT"},         {FN_SEC, "SEC"},
    {FN_CSC, "CSC"},         {FN_ASIN, "ASIN"},       {FN_ACOS, "ACOS"},
    {FN_ATAN, "ATAN"},       {FN_ATAN2, "ATAN2"},     {FN_SINH, "SINH"},
    {FN_COSH, "COSH"},       {FN_TANH, "TANH"},       {FN_ASINH, "ASINH"},
    {FN_ACOSH, "ACOSH"},     {FN_ATANH, "ATANH"},     {FN_HYPOT, "HYPOT"},
    {FN_POWER, "POWER"},     {FN_DEGREES, "DEGREES"}, {FN_LOG, "LOG"},
    {FN_RADIANS, "RADIANS"}, {FN_PI, "PI"},           {FN_E, "E"},
    {FN_CEIL, "CEIL"},       {FN_FLOOR, "FLOOR"},     {FN_RLIKE, "RLIKE"},
};

/* Arguments that Spark adds when only `count` are given. */
static const struct {
    uint16_t id, count;
    const char *rest;
} shown_arguments[] = {
    {FN_SUBSTRING, 2, ", 2147483647"},
    {FN_SPLIT, 2, ", -1"},
    {FN_ROUND, 1, ", 0"},
    {FN_BROUND, 1, ", 0"},
    {FN_REGEXP_REPLACE, 3, ", 1"},
    {FN_REGEXP_EXTRACT, 2, ", 1"},
    {FN_REGEXP_EXTRACT_ALL, 2, ", 1"},
    {FN_LOCATE, 2, ", 1"},
    {FN_LPAD, 2, ",  "},
    {FN_RPAD, 2, ",  "},
    {FN_REPLACE, 2, ", "},
    {FN_OVERLAY, 3, ", -1"},
    {FN_SORT_ARRAY, 1, ", true"},
    {FN_MONTHS_BETWEEN, 2, ", true"},
    {FN_STR_TO_MAP, 1, ", ,, :"},
    {FN_STR_TO_MAP, 2, ", :"},
    {FN_FROM_UNIXTIME, 1, ", yyyy-MM-dd HH:mm:ss"},
    {FN_UNIX_TIMESTAMP, 1, ", yyyy-MM-dd HH:mm:ss"},
    {FN_TO_UNIX_TIMESTAMP, 1, ", yyyy-MM-dd HH:mm:ss"},
    {FN_PERCENTILE, 2, ", 1"},
    {FN_APPROX_PERCENTILE, 2, ", 10000"},
    {FN_LISTAGG, 1, ", NULL"},
    {FN_MAKE_DT_INTERVAL, 0, "0, 0, 0, 0.000000"},
    {FN_MAKE_DT_INTERVAL, 1, ", 0, 0, 0.000000"},
    {FN_MAKE_DT_INTERVAL, 2, ", 0, 0.000000"},
    {FN_MAKE_DT_INTERVAL, 3, ", 0.000000"},
    {FN_MAKE_YM_INTERVAL, 0, "0, 0"},
    {FN_MAKE_YM_INTERVAL, 1, ", 0"},
    {FN_AGGREGATE, 3, ", lambdafunction(namedlambdavariable(), namedlambdavariable())"},
};

static void name_function(struct namer *n, const struct ast_expr *e, const struct function *f)
{
    static const char *const upper[] = {"regexp", "regexp_like", "signum"};
    if (str_eq_nocase(e->name, STR("array_agg"))) {
        sbuf_cstr(&n->out, "collect_list");
        return;
    }
    for (size_t i = 0; f && i < sizeof shown_names / sizeof *shown_names; i++) {
        bool one = e->count == 1 || (f->id != FN_CEIL && f->id != FN_FLOOR); /* ceil(x, 2) stays */
        if (shown_names[i].id == f->id && one && str_eq_nocase(e->name, str_of(f->name))) {
            sbuf_cstr(&n->out, shown_names[i].name);
            return;
        }
    }
    bool up = false;
    for (size_t i = 0; i < sizeof upper / sizeof *upper; i++)
        up |= str_eq_nocase(e->name, str_of(upper[i]));
    for (size_t i = 0; i < e->name.n; i++) {
        char c = e->name.p[i];
        if (up && c >= 'a' && c <= 'z')
            c = (char)(c - 32);
        else if (!up && c >= 'A' && c <= 'Z')
            c = (char)(c + 32);
        sbuf_char(&n->out, c);
    }
}

/* TRIM(BOTH chars FROM str), and extract(YEAR FROM x). */
static bool name_form(struct namer *n, const struct ast_expr *e, const struct function *f)
{
    if (e->op == AST_NOT && e->count == 2) {
        sbuf_cstr(&n->out, e->name.p[0] == 'l'   ? "TRIM(LEADING "
                           : e->name.p[0] == 'r' ? "TRIM(TRAILING "
                                                 : "TRIM(BOTH ");
        name_expr(n, e->items[1]);
        sbuf_cstr(&n->out, " FROM ");
        name_expr(n, e->items[0]);
    } else if (f && f->id == FN_EXTRACT && !str_eq_nocase(e->name, STR("date_part")) && e->count == 2) {
        sbuf_cstr(&n->out, str_eq_nocase(e->name, STR("datepart")) ? "datepart(" : "extract(");
        name_expr(n, e->items[0]);
        sbuf_cstr(&n->out, " FROM ");
        name_expr(n, e->items[1]);
    } else {
        return false;
    }
    sbuf_char(&n->out, ')');
    return true;
}

/* Calls that Spark shows as something else than a call of that name. */
static bool name_odd_call(struct namer *n, const struct ast_expr *e, const struct function *f)
{
    if (f == NULL || e->count == 0)
        return false;
    switch (f->id) {
    case FN_IS_NULL:
    case FN_IS_NOT_NULL:
        sbuf_char(&n->out, '(');
        name_expr(n, e->items[0]);
        sbuf_cstr(&n->out, f->id == FN_IS_NULL ? " IS NULL)" : " IS NOT NULL)");
        return true;
    case FN_POSITIVE:
        sbuf_cstr(&n->out, "(+ ");
        name_expr(n, e->items[0]);
        sbuf_char(&n->out, ')');
        return true;
    case FN_IF:
        sbuf_cstr(&n->out, "(IF(");
        name_list(n, e->items, e->count);
        sbuf_cstr(&n->out, "))");
        return true;
    case FN_INT_DIVIDE:
        sbuf_char(&n->out, '(');
        name_expr(n, e->items[0]);
        sbuf_cstr(&n->out, " div ");
        name_expr(n, e->items[e->count - 1]);
        sbuf_char(&n->out, ')');
        return true;
    case FN_BOOLEAN:
    case FN_TINYINT:
    case FN_SMALLINT:
    case FN_INT:
    case FN_BIGINT:
    case FN_FLOAT:
    case FN_DOUBLE:
    case FN_DECIMAL:
    case FN_DATE:
    case FN_TIMESTAMP:
    case FN_BINARY:
    case FN_STRING: name_expr(n, e->items[0]); return true;
    default: return false;
    }
}

/* Schemas and options are not shown. */
static uint32_t shown_count(const struct ast_expr *e, const struct function *f)
{
    bool first = f && (f->id == FN_FROM_JSON || f->id == FN_FROM_CSV || f->id == FN_TO_JSON ||
                       f->id == FN_TO_CSV || f->id == FN_SCHEMA_OF_JSON || f->id == FN_SCHEMA_OF_CSV);
    return first && e->count > 1 ? 1 : e->count;
}

static void name_call(struct namer *n, const struct ast_expr *e)
{
    const struct function *f = function_find(e->name);
    bool count_star = f && f->id == FN_COUNT_VALUES && e->count == 1 && e->items[0]->kind == AST_STAR &&
                      e->items[0]->count == 0;
    if (name_form(n, e, f) || name_odd_call(n, e, f))
        return;
    name_function(n, e, f);
    sbuf_cstr(&n->out, e->call->distinct ? "(DISTINCT " : "(");
    if (count_star)
        sbuf_char(&n->out, '1');
    else
        name_list(n, e->items, shown_count(e, f));
    for (size_t i = 0; f && i < sizeof shown_arguments / sizeof *shown_arguments; i++)
        if (shown_arguments[i].id == f->id && shown_arguments[i].count == e->count)
            sbuf_cstr(&n->out, shown_arguments[i].rest);
    sbuf_char(&n->out, ')');
    if (e->call->within_group_count == 1) {
        sbuf_cstr(&n->out, " WITHIN GROUP (ORDER BY ");
        name_expr(n, e->call->within_group[0].expr);
        sbuf_cstr(&n->out, e->call->within_group[0].descending ? " DESC)" : ")");
    }
    if (e->call->filter) {
        sbuf_cstr(&n->out, " FILTER (WHERE ");
        name_expr(n, e->call->filter);
        sbuf_char(&n->out, ')');
    }
}

static void name_lambda(struct namer *n, const struct ast_expr *e)
{
    struct lambda_names names = {e, n->lambdas};
    n->lambdas = &names;
    sbuf_cstr(&n->out, "lambdafunction(");
    name_expr(n, e->items[0]);
    n->lambdas = names.outer;
    for (uint32_t i = 0; i < e->name_count; i++)
        sbuf_cstr(&n->out, ", namedlambdavariable()");
    sbuf_char(&n->out, ')');
}

static bool is_lambda_name(const struct namer *n, struct str name)
{
    for (const struct lambda_names *l = n->lambdas; l; l = l->outer)
        for (uint32_t i = 0; i < l->lambda->name_count; i++)
            if (str_eq_nocase(l->lambda->names[i], name))
                return true;
    return false;
}

/* ---- all kinds ----------------------------------------------------------------------------------------------------------------- */

static void name_field(struct namer *n, const struct ast_expr *e)
{
    uint32_t links = 0;
    for (const struct ast_expr *x = e; x->kind == AST_FIELD; x = x->items[0])
        links++;
    if (bind_qualifier_parts(n->b, n->s, e) < links) { /* else the rest only qualifies it */
        name_expr(n, e->items[0]);
        sbuf_char(&n->out, '.');
    }
    sbuf_str(&n->out, e->name);
}

static void name_name(struct namer *n, const struct ast_expr *e)
{
    if (is_lambda_name(n, e->name))
        sbuf_cstr(&n->out, "namedlambdavariable()");
    else
        sbuf_str(&n->out, e->name);
}

static void name_expr(struct namer *n, const struct ast_expr *e)
{
    switch (e->kind) {
    case AST_LITERAL: name_value(n, &e->literal); break;
    case AST_TYPED: name_typed(n, e); break;
    case AST_INTERVAL: name_interval(n, e); break;
    case AST_NAME: name_name(n, e); break;
    case AST_FIELD: name_field(n, e); break;
    case AST_UNARY: name_unary(n, e); break;
    case AST_BINARY: name_binary(n, e); break;
    case AST_BETWEEN: name_not(n, e, "between(", ", "); break;
    case AST_IN: name_not(n, e, "(", " IN ("); break;
    case AST_LIKE: name_like(n, e); break;
    case AST_IS: name_is(n, e); break;
    case AST_CASE: name_case(n, e); break;
    case AST_CAST: name_cast(n, e); break;
    case AST_CALL: name_call(n, e); break;
    case AST_SUBSCRIPT:
        name_expr(n, e->items[0]);
        sbuf_char(&n->out, '[');
        name_expr(n, e->items[1]);
        sbuf_char(&n->out, ']');
        break;
    case AST_LAMBDA: name_lambda(n, e); break;
    case AST_ROW:
        sbuf_cstr(&n->out, "struct(");
        name_list(n, e->items, e->count);
        sbuf_char(&n->out, ')');
        break;
    case AST_ALIAS:
        name_expr(n, e->items[0]);
        sbuf_printf(&n->out, " AS %.*s", STR_ARG(e->name));
        break;
    case AST_STAR: sbuf_char(&n->out, '*'); break;
    default: sbuf_cstr(&n->out, "expr"); break;
    }
}

struct str bind_name(struct binder *b, const struct scope *s, const struct ast_expr *ast)
{
    struct namer n = {.b = b, .s = s};
    name_expr(&n, ast);
    struct str name = str_n(arena_dup(b->arena, n.out.p ? n.out.p : "", n.out.n + 1), n.out.n);
    sbuf_fini(&n.out);
    return name;
}

/* a, t.a, a.b.c: the last part names it. */
static bool is_path(const struct ast_expr *ast)
{
    while (ast->kind == AST_FIELD)
        ast = ast->items[0];
    return ast->kind == AST_NAME;
}

struct str bind_item_name(struct binder *b, const struct scope *s, const struct ast_expr *ast)
{
    if (ast->kind == AST_ALIAS || is_path(ast))
        return ast->name;
    if (ast->kind == AST_CAST && !ast->try_ && is_path(ast->items[0])) /* CAST(a AS INT) is still called a */
        return ast->items[0]->name;
    if (ast->kind == AST_CALL && str_eq_nocase(ast->name, STR("window")))
        return STR("window");
    if (ast->kind == AST_CALL && str_eq_nocase(ast->name, STR("from_json")) && kind_of(ast) == TYPE_MAP)
        return STR("entries");
    return bind_name(b, s, ast);
}

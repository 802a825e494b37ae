/* Functions that the binder writes out with others, so that no kernel exists for them: the conditional ones become CASE, casts by name casts,
 * EXTRACT the function of its field; and those whose arguments must be known while binding (schemas, durations, names of fields). */
#include "base/time.h"
#include "sql/bind_private.h"
#include "type/cast.h"

struct lowering {
    struct binder *b;
    struct scope *s;
    const struct ast_expr *ast;
    const struct function *f;
    const struct expr **args;
    uint32_t count;
    bool declined; /* the plain call will do, over args */
};

static bool call(struct lowering *l, enum function_id id, const struct expr **args, uint32_t count,
                 const struct expr **out)
{
    return bind_function(l->b, id, args, count, l->ast->span, out);
}

static bool decline(struct lowering *l)
{
    l->declined = true;
    return true;
}

/* ---- conditional -------------------------------------------------------------------------------------------------------- */

static bool lower_if(struct lowering *l, const struct expr **out)
{
    const struct expr *condition = cast_implicit(l->b->arena, l->args[0], type_simple(TYPE_BOOLEAN));
    if (condition == NULL || type_is_numeric(l->args[0]->type))
        return bind_fail(
            l->b, l->args[0]->span,
            "DATATYPE_MISMATCH.UNEXPECTED_INPUT_TYPE: the condition of \"if\" must be BOOLEAN, not %s",
            bind_type_text(l->b->arena, l->args[0]->type));
    l->args[0] = condition;
    return bind_case(l->b, l->args, 3, l->ast->span, out);
}

/* coalesce(a, b, c) = CASE WHEN a IS NOT NULL THEN a WHEN b IS NOT NULL THEN b ELSE c END */
static bool lower_coalesce(struct lowering *l, const struct expr **out)
{
    struct binder *b = l->b;
    uint32_t n = 2 * l->count - 1;
    const struct expr **args = arena_array(b->arena, const struct expr *, n);
    bool nullable = true;
    if (l->count == 1) {
        *out = l->args[0];
        return true;
    }
    if (coerce_common(b->arena, l->args, l->count) == NULL)
        return bind_fail(b, l->ast->span,
                         "DATATYPE_MISMATCH.DATA_DIFF_TYPES: the arguments of \"%s\" have no common type",
                         l->f->name);
    for (uint32_t i = 0; i < l->count; i++) {
        nullable &= l->args[i]->nullable;
        if (i + 1 < l->count)
            TRY(call(l, FN_IS_NOT_NULL, &l->args[i], 1, &args[2 * i]));
        args[i + 1 < l->count ? 2 * i + 1 : n - 1] = l->args[i];
    }
    TRY(bind_case(b, args, n, l->ast->span, out));
    struct expr *copy = arena_dup(b->arena, *out, sizeof *copy);
    copy->nullable = nullable;
    *out = copy;
    return true;
}

static bool lower_nvl2(struct lowering *l, const struct expr **out)
{
    const struct expr **args = arena_array(l->b->arena, const struct expr *, 3);
    TRY(call(l, FN_IS_NOT_NULL, &l->args[0], 1, &args[0]));
    args[1] = l->args[1];
    args[2] = l->args[2];
    return bind_case(l->b, args, 3, l->ast->span, out);
}

/* nullif(a, b) = CASE WHEN a = b THEN NULL ELSE a END */
static bool null_if(struct lowering *l, const struct expr *a, const struct expr *other,
                    const struct expr **out)
{
    const struct expr **args = arena_array(l->b->arena, const struct expr *, 3);
    TRY(bind_binary(l->b, AST_EQ, a, other, l->ast->span, &args[0]));
    args[1] = expr_null(l->b->arena, a->type, l->ast->span);
    args[2] = a;
    return bind_case(l->b, args, 3, l->ast->span, out);
}

static bool lower_nullif(struct lowering *l, const struct expr **out)
{
    return null_if(l, l->args[0], l->args[1], out);
}

static bool lower_nullifzero(struct lowering *l, const struct expr **out)
{
    return null_if(l, l->args[0], expr_int(l->b->arena, 0, l->ast->span), out);
}

static bool lower_zeroifnull(struct lowering *l, const struct expr **out)
{
    const struct expr **args = arena_array(l->b->arena, const struct expr *, 2);
    args[0] = l->args[0];
    args[1] = expr_int(l->b->arena, 0, l->ast->span);
    l->args = args;
    l->count = 2;
    return lower_coalesce(l, out);
}

static bool lower_equal_null(struct lowering *l, const struct expr **out)
{
    return bind_binary(l->b, AST_EQ_NULL_SAFE, l->args[0], l->args[1], l->ast->span, out);
}

/* decode(x, a, 1, b, 2, 0) = CASE WHEN x <=> a THEN 1 WHEN x <=> b THEN 2 ELSE 0 END */
static bool lower_decode(struct lowering *l, const struct expr **out)
{
    if (l->count <= 2)
        return decline(l);
    uint32_t rest = l->count - 1, n = rest % 2 ? rest : rest + 1;
    const struct expr **args = arena_array(l->b->arena, const struct expr *, n);
    args[n - 1] = expr_null(l->b->arena, type_simple(TYPE_NULL), l->ast->span);
    for (uint32_t i = 0; i < rest; i++) {
        args[i] = l->args[i + 1];
        if (i % 2 == 0 && i + 1 < rest)
            TRY(bind_binary(l->b, AST_EQ_NULL_SAFE, l->args[0], args[i], l->ast->span, &args[i]));
    }
    return bind_case(l->b, args, n, l->ast->span, out);
}

/* ---- other names, other orders ------------------------------------------------------------------------------------------- */

static bool lower_mod(struct lowering *l, const struct expr **out)
{
    return bind_binary(l->b, AST_MOD, l->args[0], l->args[1], l->ast->span, out);
}

static bool lower_btrim(struct lowering *l, const struct expr **out)
{
    return call(l, FN_TRIM, l->args, l->count, out);
}

static bool lower_charindex(struct lowering *l, const struct expr **out)
{
    return call(l, FN_LOCATE, l->args, l->count, out);
}

/* ltrim(chars, str): the kernel's order is the other one; the form TRIM(LEADING …) has it already. */
static bool lower_trim(struct lowering *l, const struct expr **out)
{
    bool form = l->ast->op == AST_NOT;
    if (form || l->count < 2 || l->f->id == FN_TRIM)
        return decline(l);
    const struct expr *args[] = {l->args[1], l->args[0]};
    return call(l, l->f->id, args, 2, out);
}

static bool lower_like(struct lowering *l, const struct expr **out)
{
    const struct expr *args[] = {l->args[0], l->args[1],
                                 l->count > 2 ? l->args[2]
                                              : expr_string(l->b->arena, STR("\\"), l->ast->span)};
    return call(l, l->f->id, args, 3, out);
}

static bool lower_positive(struct lowering *l, const struct expr **out)
{
    TRY(call(l, FN_NEGATE, l->args, 1, out)); /* the check of the type, and its cast */
    *out = (*out)->args[0];
    return true;
}

/* try_add and its like on dates and intervals are the operators. */
static bool lower_try(struct lowering *l, const struct expr **out)
{
    const struct type *a = l->args[0]->type, *c = l->args[1]->type;
    bool interval = type_is_interval(a) || type_is_interval(c);
    bool time = a->kind == TYPE_DATE || a->kind == TYPE_TIMESTAMP || a->kind == TYPE_TIMESTAMP_NTZ ||
                c->kind == TYPE_DATE || c->kind == TYPE_TIMESTAMP || c->kind == TYPE_TIMESTAMP_NTZ;
    bool plus_minus = l->f->id == FN_TRY_ADD || l->f->id == FN_TRY_SUBTRACT;
    if (plus_minus && time)
        return bind_binary(l->b, l->f->id == FN_TRY_ADD ? AST_ADD : AST_SUBTRACT, l->args[0], l->args[1],
                           l->ast->span, out);
    if (plus_minus || !interval || l->f->id == FN_TRY_MOD)
        return decline(l);
    bool swap = l->f->id == FN_TRY_MULTIPLY && !type_is_interval(a);
    const struct expr *args[] = {l->args[swap], l->args[!swap]};
    if (!type_is_interval(args[0]->type))
        return decline(l);
    return call(l, l->f->id == FN_TRY_MULTIPLY ? FN_TRY_INTERVAL_MULTIPLY : FN_TRY_INTERVAL_DIVIDE, args, 2,
                out);
}

/* ---- casts ------------------------------------------------------------------------------------------------------------------ */

static bool explicit_cast(struct lowering *l, const struct expr *e, const struct type *type, bool try_,
                          const struct expr **out)
{
    struct arena *arena = l->b->arena;
    if (!type_is_void(e->type) && !type_can_cast(e->type, type))
        return bind_fail(l->b, l->ast->span,
                         "DATATYPE_MISMATCH.CAST_WITHOUT_SUGGESTION: cannot cast %s to %s",
                         bind_type_text(arena, e->type), bind_type_text(arena, type));
    *out = cast_to(arena, e, type);
    if (*out == e || (*out)->kind != EXPR_CAST)
        return true;
    struct expr *copy = arena_dup(arena, *out, sizeof *copy);
    copy->span = l->ast->span;
    copy->try_ = try_ || !l->b->catalogue->ansi;
    copy->nullable |= copy->try_ && type_cast_can_fail(e->type, type);
    *out = copy;
    return true;
}

static bool lower_cast(struct lowering *l, const struct expr **out)
{
    static const struct {
        uint16_t id;
        uint8_t kind;
    } casts[] = {{FN_BOOLEAN, TYPE_BOOLEAN}, {FN_TINYINT, TYPE_BYTE},    {FN_SMALLINT, TYPE_SHORT},
                 {FN_INT, TYPE_INT},         {FN_BIGINT, TYPE_LONG},     {FN_FLOAT, TYPE_FLOAT},
                 {FN_DOUBLE, TYPE_DOUBLE},   {FN_DECIMAL, TYPE_DECIMAL}, {FN_DATE, TYPE_DATE},
                 {FN_BINARY, TYPE_BINARY},   {FN_STRING, TYPE_STRING},   {FN_TIMESTAMP, TYPE_TIMESTAMP}};
    for (size_t i = 0; i < sizeof casts / sizeof *casts; i++)
        if (casts[i].id == l->f->id)
            return explicit_cast(l, l->args[0], type_simple((enum type_kind)casts[i].kind), false, out);
    UNREACHABLE("a cast without a type");
}

/* to_date(x) and to_timestamp(x) without a pattern are casts, and so are those of dates and timestamps whatever the pattern. */
static bool lower_to_time(struct lowering *l, const struct expr **out)
{
    enum function_id id = l->f->id;
    bool try_ = id == FN_TRY_TO_DATE || id == FN_TRY_TO_TIMESTAMP;
    enum type_kind kind = id == FN_TO_DATE || id == FN_TRY_TO_DATE ? TYPE_DATE
                          : id == FN_TO_TIMESTAMP_NTZ              ? TYPE_TIMESTAMP_NTZ
                                                                   : TYPE_TIMESTAMP;
    if (l->count == 1 || (l->args[0]->type->kind != TYPE_STRING && !type_is_void(l->args[0]->type)))
        return explicit_cast(l, l->args[0], type_simple(kind), try_, out);
    return call(l, id == FN_TO_TIMESTAMP_LTZ ? FN_TO_TIMESTAMP : id, l->args, l->count, out);
}

static bool lower_unix_timestamp(struct lowering *l, const struct expr **out)
{
    if (l->count == 0)
        return decline(l);
    enum type_kind kind = l->args[0]->type->kind;
    if (kind == TYPE_DATE || kind == TYPE_TIMESTAMP || kind == TYPE_TIMESTAMP_NTZ)
        return call(l, FN_UNIX_SECONDS, l->args, 1, out);
    const struct expr *args[] = {
        l->args[0],
        l->count > 1 ? l->args[1] : expr_string(l->b->arena, STR("yyyy-MM-dd HH:mm:ss"), l->ast->span)};
    return call(l, l->f->id, args, 2, out);
}

static bool lower_convert_timezone(struct lowering *l, const struct expr **out)
{
    const struct expr *args[3];
    if (l->count == 3)
        return decline(l);
    TRY(call(l, FN_CURRENT_TIMEZONE, NULL, 0, &args[0]));
    args[1] = l->args[0];
    args[2] = l->args[1];
    return call(l, FN_CONVERT_TIMEZONE, args, 3, out);
}

/* ---- EXTRACT ------------------------------------------------------------------------------------------------------------------ */

static const struct extract_field {
    const char *names; /* separated by blanks */
    uint16_t id;
    int8_t unit; /* of intervals, −1 = none */
} extract_fields[] = {
    {"YEAR Y YEARS YR YRS", FN_YEAR, INTERVAL_YEAR},
    {"YEAROFWEEK", FN_YEAROFWEEK, -1},
    {"QUARTER QTR", FN_QUARTER, -1},
    {"MONTH MON MONS MONTHS", FN_MONTH, INTERVAL_MONTH},
    {"WEEK W WEEKS", FN_WEEKOFYEAR, -1},
    {"DAY D DAYS", FN_DAY, INTERVAL_DAY},
    {"DAYOFWEEK DOW", FN_DAYOFWEEK, -1},
    {"DAYOFWEEK_ISO DOW_ISO", FN_DAYOFWEEK_ISO, -1},
    {"DOY", FN_DAYOFYEAR, -1},
    {"HOUR H HOURS HR HRS", FN_HOUR, INTERVAL_HOUR},
    {"MINUTE M MIN MINS MINUTES", FN_MINUTE, INTERVAL_MINUTE},
    {"SECOND S SEC SECONDS SECS", FN_SECOND_FRACTION, INTERVAL_SECOND},
};

static const struct extract_field *find_field(struct str name)
{
    for (size_t i = 0; i < sizeof extract_fields / sizeof *extract_fields; i++) {
        struct str all = str_of(extract_fields[i].names);
        for (size_t at = 0; at < all.n;) {
            size_t end = str_find(all, STR(" "), at);
            end = end == SIZE_MAX ? all.n : end;
            if (str_eq_nocase(name, str_n(all.p + at, end - at)))
                return &extract_fields[i];
            at = end + 1;
        }
    }
    return NULL;
}

static bool lower_extract(struct lowering *l, const struct expr **out)
{
    struct binder *b = l->b;
    struct value name;
    if (expr_is_null(l->args[0])) {
        *out = expr_null(b->arena, type_simple(TYPE_DOUBLE), l->ast->span);
        return true;
    }
    if (l->args[0]->type->kind != TYPE_STRING || !expr_constant(b->arena, l->args[0], &name) || name.is_null)
        return bind_fail(b, l->args[0]->span, "NON_FOLDABLE_ARGUMENT: the field of \"%s\" must be a constant",
                         l->f->name);
    const struct extract_field *field = find_field(name.str);
    bool interval = type_is_interval(l->args[1]->type);
    bool fits = field && (!interval || (field->unit >= 0 && field->unit >= l->args[1]->type->interval_from &&
                                        field->unit <= l->args[1]->type->interval_to));
    bool months = field && field->unit >= 0 && field->unit <= INTERVAL_MONTH;
    if (field && interval && !fits) /* the month of INTERVAL YEAR is there, and 0 */
        fits = field->unit >= 0 && months == (l->args[1]->type->kind == TYPE_INTERVAL_YM);
    if (!fits)
        return bind_fail(b, l->args[0]->span, "INVALID_EXTRACT_FIELD: there is no field \"%.*s\" in %s",
                         STR_ARG(name.str), bind_type_text(b->arena, l->args[1]->type));
    if (!interval)
        return call(l, (enum function_id)field->id, &l->args[1], 1, out);
    const struct expr *args[] = {l->args[1], expr_int(b->arena, field->unit, l->ast->span)};
    TRY(call(l, FN_INTERVAL_PART, args, 2, out));
    if (field->unit == INTERVAL_MONTH || field->unit == INTERVAL_HOUR || field->unit == INTERVAL_MINUTE)
        *out = cast_to(b->arena, *out, type_simple(TYPE_BYTE));
    return true;
}

/* ---- windows -------------------------------------------------------------------------------------------------------------------- */

/* '10 minutes', or INTERVAL 10 MINUTES, as microseconds. */
static bool take_duration(struct lowering *l, uint32_t i, const char *what, int64_t *us)
{
    struct binder *b = l->b;
    struct value v;
    struct err cause;
    struct calendar_interval c;
    if (!expr_constant(b->arena, l->args[i], &v) || v.is_null)
        return bind_fail(b, l->args[i]->span,
                         "NON_FOLDABLE_ARGUMENT: the %s of \"window\" must be a constant", what);
    if (v.type->kind == TYPE_INTERVAL_DT) {
        *us = v.i64;
        return true;
    }
    if (v.type->kind != TYPE_STRING)
        return bind_fail(
            b, l->args[i]->span,
            "DATATYPE_MISMATCH.UNEXPECTED_INPUT_TYPE: the %s of \"window\" is a text such as '10 minutes'",
            what);
    if (!interval_parse_units(v.str, &c, &cause))
        return bind_fail(b, l->args[i]->span, "INVALID_INTERVAL_FORMAT: the %s of \"window\": %s", what,
                         cause.text);
    if (c.months != 0) {
        bind_fail(b, l->args[i]->span,
                  "DATATYPE_MISMATCH.VALUE_OUT_OF_RANGE: the %s of \"window\" cannot have months or years",
                  what);
        return err_hint(b->err, "Months differ in length; use days.");
    }
    if (__builtin_mul_overflow((int64_t)c.days, 86400 * US_PER_S, us) ||
        __builtin_add_overflow(*us, c.us, us))
        return bind_fail(b, l->args[i]->span, "INVALID_INTERVAL_FORMAT: the %s of \"window\" is too long",
                         what);
    return true;
}

static bool lower_window(struct lowering *l, const struct expr **out)
{
    struct binder *b = l->b;
    struct span span = l->ast->span;
    int64_t duration = 0, slide, start = 0;
    TRY(take_duration(l, 1, "duration", &duration));
    slide = duration;
    if (l->count > 2)
        TRY(take_duration(l, 2, "slide", &slide));
    if (l->count > 3)
        TRY(take_duration(l, 3, "start", &start));
    if (duration <= 0 || slide <= 0)
        return bind_fail(
            b, span,
            "DATATYPE_MISMATCH.VALUE_OUT_OF_RANGE: the duration and slide of \"window\" must be above 0");
    if (slide > duration || start <= -slide || start >= slide)
        return bind_fail(b, span,
                         "DATATYPE_MISMATCH.PARAMETER_CONSTRAINT_VIOLATION: the %s of \"window\" must be %s",
                         slide > duration ? "slide" : "start",
                         slide > duration ? "the duration at most" : "less than the slide");
    if (slide != duration)
        return bind_unsupported(b, span, "a sliding window is");
    const struct expr *args[] = {l->args[0], expr_long(b->arena, duration, span),
                                 expr_long(b->arena, slide, span), expr_long(b->arena, start, span)};
    if (args[0]->type->kind == TYPE_STRUCT)
        TRY(call(l, FN_WINDOW_TIME, &l->args[0], 1, &args[0]));
    return call(l, FN_WINDOW, args, 4, out);
}

static bool lower_session_window(struct lowering *l, const struct expr **out)
{
    (void)out;
    return bind_unsupported(l->b, l->ast->span, "session_window is");
}

/* ---- structs and schemas ---------------------------------------------------------------------------------------------------------- */

static bool make_struct(struct lowering *l, const struct field *fields, const struct expr **args,
                        uint32_t count, const struct expr **out)
{
    *out = expr_call(l->b->arena, FN_STRUCT, type_struct(l->b->arena, fields, count), false, args, count,
                     l->ast->span);
    return bind_work(l->b, (*out)->size, l->ast->span);
}

/* A field is named as its column or alias is, else col1, col2 … */
static const char *field_name(struct lowering *l, uint32_t i, const char *otherwise)
{
    const struct ast_expr *item = l->ast->count == l->count ? l->ast->items[i] : NULL;
    if (item && (item->kind == AST_ALIAS || item->kind == AST_NAME || item->kind == AST_FIELD) &&
        item->name.n)
        return str_dup(l->b->arena, item->name);
    return arena_printf(l->b->arena, "%s%u", otherwise, otherwise[0] ? i + 1 : i);
}

static bool lower_struct(struct lowering *l, const struct expr **out)
{
    struct field *fields = arena_zarray(l->b->arena, struct field, l->count + 1);
    bool star = false;
    for (uint32_t i = 0; i < l->ast->count; i++)
        star |= l->ast->items[i]->kind == AST_STAR;
    for (uint32_t i = 0; i < l->count; i++) {
        const struct expr *e = l->args[i];
        if (star && e->kind == EXPR_COLUMN)
            fields[i].name = str_dup(l->b->arena, l->s->columns[e->index].name);
        else if (star && e->kind == EXPR_FIELD)
            fields[i].name = e->args[0]->type->fields[e->index].name;
        else
            fields[i].name = field_name(l, i, "col");
        fields[i].type = l->args[i]->type;
        fields[i].nullable = l->args[i]->nullable;
    }
    return make_struct(l, fields, l->args, l->count, out);
}

static bool lower_named_struct(struct lowering *l, const struct expr **out)
{
    struct binder *b = l->b;
    uint32_t count = l->count / 2;
    struct field *fields = arena_zarray(b->arena, struct field, count + 1);
    const struct expr **args = arena_array(b->arena, const struct expr *, count + 1);
    if (l->count % 2)
        return bind_fail(
            b, l->ast->span,
            "WRONG_NUM_ARGS: \"named_struct\" takes names and values in turn, found %u arguments", l->count);
    for (uint32_t i = 0; i < count; i++) {
        struct value name;
        if (!expr_constant(b->arena, l->args[2 * i], &name) || name.is_null || name.type->kind != TYPE_STRING)
            return bind_fail(
                b, l->args[2 * i]->span,
                "DATATYPE_MISMATCH.CREATE_NAMED_STRUCT_WITHOUT_FOLDABLE_STRING: a field's name is a constant text");
        args[i] = l->args[2 * i + 1];
        fields[i] = (struct field){
            .name = str_dup(b->arena, name.str), .type = args[i]->type, .nullable = args[i]->nullable};
    }
    return make_struct(l, fields, args, count, out);
}

static bool lower_arrays_zip(struct lowering *l, const struct expr **out)
{
    TRY(call(l, FN_ARRAYS_ZIP, l->args, l->count, out));
    const struct type *item = (*out)->type->fields[0].type;
    struct field *fields = arena_zarray(l->b->arena, struct field, l->count + 1);
    for (uint32_t i = 0; i < l->count; i++) {
        fields[i] = item->fields[i];
        fields[i].name = field_name(l, i, "");
    }
    struct expr *copy = arena_dup(l->b->arena, *out, sizeof(struct aggregate_expr));
    copy->type = type_array(l->b->arena, type_struct(l->b->arena, fields, l->count), false);
    *out = copy;
    return true;
}

/* All that a text holds may be missing. */
static const struct type *all_nullable(struct arena *arena, const struct type *t)
{
    if (!type_is_nested(t))
        return t;
    struct type *copy = arena_dup(arena, t, sizeof *copy);
    struct field *fields = arena_array(arena, struct field, t->field_count + 1);
    for (uint32_t i = 0; i < t->field_count; i++) {
        fields[i] = t->fields[i];
        fields[i].type = all_nullable(arena, fields[i].type);
        fields[i].nullable = t->kind != TYPE_MAP || i == 1;
    }
    copy->fields = fields;
    return copy;
}

/* The schema argument: a type or a list of columns. */
static bool take_schema(struct lowering *l, const struct expr *e, const struct type **type)
{
    struct binder *b = l->b;
    struct value v;
    struct err as_type;
    if (e->kind == EXPR_CALL && (e->function->id == FN_SCHEMA_OF_JSON || e->function->id == FN_SCHEMA_OF_CSV))
        return bind_unsupported(b, e->span, "a schema of schema_of_json is");
    if (e->type->kind != TYPE_STRING || !expr_constant(b->arena, e, &v) || v.is_null)
        return bind_fail(b, e->span,
                         "INVALID_SCHEMA.NON_STRING_LITERAL: the schema of \"%s\" must be a constant text",
                         l->f->name);
    if (type_parse(b->arena, v.str, type, &as_type) || type_parse_ddl(b->arena, v.str, type, b->err)) {
        *type = all_nullable(b->arena, *type);
        return true;
    }
    char cause[ERR_TEXT_MAX];
    memcpy(cause, b->err->text, sizeof cause);
    return bind_fail(b, e->span, "INVALID_SCHEMA.PARSE_ERROR: the schema of \"%s\": %s", l->f->name, cause);
}

static bool lower_from_json(struct lowering *l, const struct expr **out)
{
    struct binder *b = l->b;
    const struct type *type = NULL;
    TRY(take_schema(l, l->args[1], &type));
    CHECK(type != NULL);
    if (type->kind != TYPE_STRUCT &&
        (l->f->id == FN_FROM_CSV || (type->kind != TYPE_ARRAY && type->kind != TYPE_MAP)))
        return bind_fail(b, l->args[1]->span,
                         "DATATYPE_MISMATCH.INVALID_JSON_SCHEMA: the schema of \"%s\" cannot be %s",
                         l->f->name, bind_type_text(b->arena, type));
    const struct expr **args = arena_array(b->arena, const struct expr *, 2);
    const struct type *result;
    bool nullable;
    uint32_t count = l->count == 3 ? 2 : 1;
    args[0] = l->args[0];
    args[1] = l->count == 3 ? l->args[2] : NULL;
    if (!resolve_from_json(b->arena, l->f, args, count, &result, &nullable, b->err))
        return bind_place(b, l->ast->span);
    *out = expr_call(b->arena, l->f->id, type, nullable, args, count, l->ast->span);
    return bind_work(b, (*out)->size, l->ast->span);
}

/* ---- constants ------------------------------------------------------------------------------------------------------------------------ */

static bool lower_constant(struct lowering *l, const struct expr **out)
{
    struct str text = l->f->id == FN_CURRENT_CATALOG ? STR("spark_catalog")
                      : l->f->id == FN_VERSION       ? STR("4.1.0")
                                                     : STR("default");
    if (l->f->id == FN_TYPEOF) {
        struct sbuf name = {0};
        type_to_simple(l->args[0]->type, &name);
        text = str_n(arena_dup(l->b->arena, name.p, name.n), name.n);
        sbuf_fini(&name);
    }
    *out = expr_string(l->b->arena, text, l->ast->span);
    return true;
}

static const struct {
    uint16_t id;
    bool (*lower)(struct lowering *l, const struct expr **out);
} lowerings[] = {
    {FN_IF, lower_if},
    {FN_COALESCE, lower_coalesce},
    {FN_NVL, lower_coalesce},
    {FN_NVL2, lower_nvl2},
    {FN_NULLIF, lower_nullif},
    {FN_NULLIFZERO, lower_nullifzero},
    {FN_ZEROIFNULL, lower_zeroifnull},
    {FN_EQUAL_NULL, lower_equal_null},
    {FN_DECODE, lower_decode},
    {FN_MOD_CALL, lower_mod},
    {FN_BTRIM, lower_btrim},
    {FN_CHARINDEX, lower_charindex},
    {FN_TRIM, lower_trim},
    {FN_LTRIM, lower_trim},
    {FN_RTRIM, lower_trim},
    {FN_LIKE, lower_like},
    {FN_ILIKE, lower_like},
    {FN_POSITIVE, lower_positive},
    {FN_TRY_ADD, lower_try},
    {FN_TRY_SUBTRACT, lower_try},
    {FN_TRY_MULTIPLY, lower_try},
    {FN_TRY_DIVIDE, lower_try},
    {FN_BOOLEAN, lower_cast},
    {FN_TINYINT, lower_cast},
    {FN_SMALLINT, lower_cast},
    {FN_INT, lower_cast},
    {FN_BIGINT, lower_cast},
    {FN_FLOAT, lower_cast},
    {FN_DOUBLE, lower_cast},
    {FN_DECIMAL, lower_cast},
    {FN_DATE, lower_cast},
    {FN_TIMESTAMP, lower_cast},
    {FN_BINARY, lower_cast},
    {FN_STRING, lower_cast},
    {FN_TO_DATE, lower_to_time},
    {FN_TRY_TO_DATE, lower_to_time},
    {FN_TO_TIMESTAMP, lower_to_time},
    {FN_TRY_TO_TIMESTAMP, lower_to_time},
    {FN_TO_TIMESTAMP_LTZ, lower_to_time},
    {FN_TO_TIMESTAMP_NTZ, lower_to_time},
    {FN_UNIX_TIMESTAMP, lower_unix_timestamp},
    {FN_TO_UNIX_TIMESTAMP, lower_unix_timestamp},
    {FN_CONVERT_TIMEZONE, lower_convert_timezone},
    {FN_EXTRACT, lower_extract},
    {FN_WINDOW, lower_window},
    {FN_SESSION_WINDOW, lower_session_window},
    {FN_STRUCT, lower_struct},
    {FN_NAMED_STRUCT, lower_named_struct},
    {FN_ARRAYS_ZIP, lower_arrays_zip},
    {FN_FROM_JSON, lower_from_json},
    {FN_FROM_CSV, lower_from_json},
    {FN_TYPEOF, lower_constant},
    {FN_VERSION, lower_constant},
    {FN_CURRENT_CATALOG, lower_constant},
    {FN_CURRENT_DATABASE, lower_constant},
};

bool bind_lowered(struct binder *b, struct scope *s, const struct ast_expr *ast, const struct function *f,
                  const struct expr **args, uint32_t count, const struct expr **out, bool *found)
{
    *found = false;
    for (size_t i = 0; i < sizeof lowerings / sizeof *lowerings; i++) {
        if (lowerings[i].id != f->id)
            continue;
        bool many = f->args_max != 255 && count > f->args_max && f->id != FN_DECODE;
        if (count < f->args_min || many)
            return bind_function(b, f->id, args, count, ast->span, out); /* says how many it takes */
        struct lowering l = {.b = b, .s = s, .ast = ast, .f = f, .args = args, .count = count};
        TRY(lowerings[i].lower(&l, out));
        *found = !l.declined;
        return true;
    }
    CHECK(!(f->flags & FUNCTION_LOWERED));
    return true;
}

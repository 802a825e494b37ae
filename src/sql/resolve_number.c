/* Types of operators and numeric functions: Spark's promotion and decimal rules.
 *
 * A whole-number literal next to a decimal counts with its own digits (1 is DECIMAL(1,0)), not with those of INT, as in Spark: the result of
 * price * 2 keeps its scale. Decimals of different shapes stay as they are; the kernel knows how to line them up. */
#include "sql/bind_private.h"
#include "type/cast.h"

static bool both_mismatch(struct err *err, struct arena *arena, const struct function *f,
                          const struct expr **args)
{
    return err_set(err, ERR_CONFIG, "DATATYPE_MISMATCH.BINARY_OP_DIFF_TYPES: \"%s\" does not take %s and %s",
                   f->name, bind_type_text(arena, args[0]->type), bind_type_text(arena, args[1]->type));
}

static void any_nullable(const struct expr *const *args, uint32_t count, bool *nullable)
{
    *nullable = false;
    for (uint32_t i = 0; i < count; i++)
        *nullable |= args[i]->nullable;
}

const struct type *type_interval(struct arena *arena, enum type_kind kind, unsigned from, unsigned to)
{
    struct type *t = arena_new(arena, struct type);
    *t = *type_simple(kind);
    t->interval_from = (uint8_t)from;
    t->interval_to = (uint8_t)to;
    return t;
}

/* The range of both: INTERVAL DAY and INTERVAL HOUR TO MINUTE → DAY TO MINUTE. */
static const struct type *interval_union(struct arena *arena, const struct type *a, const struct type *b)
{
    return type_interval(arena, a->kind,
                         a->interval_from < b->interval_from ? a->interval_from : b->interval_from,
                         a->interval_to > b->interval_to ? a->interval_to : b->interval_to);
}

static bool is_fraction_of_two(const struct type *t)
{
    return t->kind == TYPE_FLOAT || t->kind == TYPE_DOUBLE;
}

/* ---- numbers ---------------------------------------------------------------------------------------------------------- */

static struct decimal_shape shape_of(const struct expr *e)
{
    if (e->type->kind == TYPE_DECIMAL)
        return decimal_shape_of(e->type);
    if (e->kind == EXPR_LITERAL && !e->literal.is_null)
        return (struct decimal_shape){(uint8_t)decimal_digits(e->literal.i64), 0};
    return decimal_of_kind(e->type->kind);
}

static void to_decimals(struct arena *arena, const struct expr **args, struct decimal_shape shapes[2])
{
    for (int i = 0; i < 2; i++) {
        shapes[i] = shape_of(args[i]);
        args[i] = cast_to(arena, args[i], type_decimal(arena, shapes[i].precision, shapes[i].scale));
    }
}

/* Strings become numbers and NULLs the other side's type; false if a side is no number. */
static bool to_numbers(struct arena *arena, const struct expr **args)
{
    for (int i = 0; i < 2; i++) {
        const struct type *other = args[1 - i]->type;
        if (args[i]->type->kind == TYPE_STRING)
            args[i] = cast_to(arena, args[i], type_simple(type_is_integer(other) ? TYPE_LONG : TYPE_DOUBLE));
        else if (type_is_void(args[i]->type))
            args[i] = cast_to(arena, args[i], type_is_numeric(other) ? other : type_simple(TYPE_DOUBLE));
    }
    return type_is_numeric(args[0]->type) && type_is_numeric(args[1]->type);
}

/* Decimals on one side and decimals or integers on the other. */
static bool is_decimal_pair(const struct expr *const *args)
{
    bool decimal = args[0]->type->kind == TYPE_DECIMAL || args[1]->type->kind == TYPE_DECIMAL;
    return decimal && !is_fraction_of_two(args[0]->type) && !is_fraction_of_two(args[1]->type);
}

static enum decimal_op decimal_op_of(enum function_id id)
{
    switch (id) {
    case FN_ADD:
    case FN_TRY_ADD: return DECIMAL_ADD;
    case FN_SUBTRACT:
    case FN_TRY_SUBTRACT: return DECIMAL_SUB;
    case FN_MULTIPLY:
    case FN_TRY_MULTIPLY: return DECIMAL_MUL;
    case FN_DIVIDE:
    case FN_TRY_DIVIDE: return DECIMAL_DIV;
    default: return DECIMAL_REM;
    }
}

static const struct type *decimal_type(struct arena *arena, enum function_id id, const struct expr **args)
{
    struct decimal_shape shapes[2];
    to_decimals(arena, args, shapes);
    struct decimal_shape r = decimal_result(decimal_op_of(id), shapes[0], shapes[1]);
    return type_decimal(arena, r.precision, r.scale);
}

static bool is_interval_pair(const struct expr **args, struct arena *arena)
{
    for (int i = 0; i < 2; i++)
        if (type_is_void(args[i]->type) && type_is_interval(args[1 - i]->type))
            args[i] = cast_to(arena, args[i], args[1 - i]->type);
    return type_is_interval(args[0]->type) && args[0]->type->kind == args[1]->type->kind;
}

bool resolve_arithmetic(struct arena *arena, const struct function *f, const struct expr **args,
                        uint32_t arg_count, const struct type **result, bool *nullable, struct err *err)
{
    bool plus_minus = f->id == FN_ADD || f->id == FN_SUBTRACT || f->id == FN_TRY_ADD ||
                      f->id == FN_TRY_SUBTRACT;
    if (plus_minus && is_interval_pair(args, arena)) {
        *result = interval_union(arena, args[0]->type, args[1]->type);
        any_nullable(args, arg_count, nullable);
        return true;
    }
    if (!to_numbers(arena, args))
        return both_mismatch(err, arena, f, args);
    if (is_decimal_pair(args))
        *result = decimal_type(arena, f->id, args);
    else
        *result = coerce_common(arena, args, 2);
    any_nullable(args, arg_count, nullable);
    return *result != NULL || both_mismatch(err, arena, f, args);
}

bool resolve_divide(struct arena *arena, const struct function *f, const struct expr **args,
                    uint32_t arg_count, const struct type **result, bool *nullable, struct err *err)
{
    if (!to_numbers(arena, args))
        return both_mismatch(err, arena, f, args);
    if (is_decimal_pair(args)) {
        *result = decimal_type(arena, f->id, args);
    } else {
        *result = type_simple(TYPE_DOUBLE);
        args[0] = cast_to(arena, args[0], *result);
        args[1] = cast_to(arena, args[1], *result);
    }
    any_nullable(args, arg_count, nullable);
    return true;
}

bool resolve_try_arithmetic(struct arena *arena, const struct function *f, const struct expr **args,
                            uint32_t arg_count, const struct type **result, bool *nullable, struct err *err)
{
    bool ok = f->id == FN_TRY_DIVIDE ? resolve_divide(arena, f, args, arg_count, result, nullable, err)
                                     : resolve_arithmetic(arena, f, args, arg_count, result, nullable, err);
    *nullable = true;
    return ok;
}

bool resolve_int_divide(struct arena *arena, const struct function *f, const struct expr **args,
                        uint32_t arg_count, const struct type **result, bool *nullable, struct err *err)
{
    *result = type_simple(TYPE_LONG);
    if (is_interval_pair(args, arena)) {
        any_nullable(args, arg_count, nullable);
        return true;
    }
    if (!to_numbers(arena, args) || is_fraction_of_two(args[0]->type) || is_fraction_of_two(args[1]->type))
        return both_mismatch(err, arena, f, args);
    if (is_decimal_pair(args)) {
        decimal_type(arena, FN_DIVIDE, args);
    } else {
        args[0] = cast_to(arena, args[0], *result);
        args[1] = cast_to(arena, args[1], *result);
    }
    any_nullable(args, arg_count, nullable);
    *nullable |= f->id == FN_TRY_INT_DIVIDE;
    return true;
}

bool resolve_negate(struct arena *arena, const struct function *f, const struct expr **args,
                    uint32_t arg_count, const struct type **result, bool *nullable, struct err *err)
{
    if (args[0]->type->kind == TYPE_STRING || type_is_void(args[0]->type))
        args[0] = cast_to(arena, args[0], type_simple(TYPE_DOUBLE));
    if (!type_is_numeric(args[0]->type) && !type_is_interval(args[0]->type))
        return resolve_mismatch(err, 0, f, "a number or an interval", args[0], arena);
    *result = args[0]->type;
    any_nullable(args, arg_count, nullable);
    return true;
}

bool resolve_abs(struct arena *arena, const struct function *f, const struct expr **args, uint32_t arg_count,
                 const struct type **result, bool *nullable, struct err *err)
{
    return resolve_negate(arena, f, args, arg_count, result, nullable, err);
}

bool resolve_sign(struct arena *arena, const struct function *f, const struct expr **args, uint32_t arg_count,
                  const struct type **result, bool *nullable, struct err *err)
{
    TRY(resolve_negate(arena, f, args, arg_count, result, nullable, err));
    if (!type_is_interval(args[0]->type))
        args[0] = cast_to(arena, args[0], type_simple(TYPE_DOUBLE));
    *result = type_simple(TYPE_DOUBLE);
    return true;
}

bool resolve_interval_scale(struct arena *arena, const struct function *f, const struct expr **args,
                            uint32_t arg_count, const struct type **result, bool *nullable, struct err *err)
{
    const struct type *n = args[1]->type;
    if (n->kind == TYPE_STRING || n->kind == TYPE_FLOAT || type_is_void(n))
        args[1] = cast_to(arena, args[1], type_simple(TYPE_DOUBLE));
    else if (type_is_integer(n))
        args[1] = cast_to(arena, args[1], type_decimal(arena, 20, 0));
    else if (!type_is_numeric(n))
        return both_mismatch(err, arena, f, args);
    *result = type_simple(args[0]->type->kind);
    any_nullable(args, arg_count, nullable);
    *nullable |= f->id == FN_TRY_INTERVAL_MULTIPLY || f->id == FN_TRY_INTERVAL_DIVIDE;
    return true;
}

/* ---- comparison --------------------------------------------------------------------------------------------------------- */

bool resolve_compare(struct arena *arena, const struct function *f, const struct expr **args,
                     uint32_t arg_count, const struct type **result, bool *nullable, struct err *err)
{
    *result = type_simple(TYPE_BOOLEAN);
    const struct type *common = common_type(arena, args, 2);
    if (common == NULL)
        return both_mismatch(err, arena, f, args);
    if (!type_is_orderable(common))
        return err_set(err, ERR_CONFIG,
                       "DATATYPE_MISMATCH.INVALID_ORDERING_TYPE: \"%s\" cannot compare values of %s", f->name,
                       bind_type_text(arena, common));
    coerce_common(arena, args, 2);
    any_nullable(args, arg_count, nullable);
    if (f->id == FN_EQ_NULL_SAFE)
        *nullable = false;
    return true;
}

bool resolve_in(struct arena *arena, const struct function *f, const struct expr **args, uint32_t arg_count,
                const struct type **result, bool *nullable, struct err *err)
{
    *result = type_simple(TYPE_BOOLEAN);
    any_nullable(args, arg_count, nullable);
    const struct type *common = coerce_common(arena, args, arg_count);
    if (common == NULL)
        return err_set(err, ERR_CONFIG,
                       "DATATYPE_MISMATCH.DATA_DIFF_TYPES: the values of IN have no common type with %s",
                       bind_type_text(arena, args[0]->type));
    if (!type_is_orderable(common))
        return resolve_mismatch(err, 0, f, "a type that can be compared", args[0], arena);
    return true;
}

bool resolve_extreme(struct arena *arena, const struct function *f, const struct expr **args,
                     uint32_t arg_count, const struct type **result, bool *nullable, struct err *err)
{
    *nullable = true;
    for (uint32_t i = 0; i < arg_count; i++)
        *nullable &= args[i]->nullable;
    *result = coerce_common(arena, args, arg_count);
    if (*result == NULL)
        return err_set(err, ERR_CONFIG,
                       "DATATYPE_MISMATCH.DATA_DIFF_TYPES: the arguments of \"%s\" have no common type",
                       f->name);
    return type_is_orderable(*result) ||
           resolve_mismatch(err, 0, f, "a type that can be ordered", args[0], arena);
}

/* ---- bits --------------------------------------------------------------------------------------------------------------- */

bool resolve_bitwise(struct arena *arena, const struct function *f, const struct expr **args,
                     uint32_t arg_count, const struct type **result, bool *nullable, struct err *err)
{
    for (int i = 0; i < 2; i++) {
        const struct type *other = args[1 - i]->type;
        if (type_is_void(args[i]->type))
            args[i] = cast_to(arena, args[i], type_is_integer(other) ? other : type_simple(TYPE_INT));
        else if (args[i]->type->kind == TYPE_STRING && type_is_integer(other))
            args[i] = cast_to(arena, args[i], type_simple(TYPE_LONG));
    }
    if (!type_is_integer(args[0]->type) || !type_is_integer(args[1]->type))
        return both_mismatch(err, arena, f, args);
    *result = coerce_common(arena, args, 2);
    any_nullable(args, arg_count, nullable);
    return true;
}

bool resolve_shift(struct arena *arena, const struct function *f, const struct expr **args,
                   uint32_t arg_count, const struct type **result, bool *nullable, struct err *err)
{
    bool is_long = args[0]->type->kind == TYPE_LONG;
    const struct expr *base = cast_implicit(arena, args[0], type_simple(is_long ? TYPE_LONG : TYPE_INT));
    const struct expr *bits = cast_implicit(arena, args[1], type_simple(TYPE_INT));
    if (base == NULL || bits == NULL)
        return resolve_mismatch(err, base ? 1 : 0, f, "an integer", args[base ? 1 : 0], arena);
    args[0] = base;
    args[1] = bits;
    *result = base->type;
    any_nullable(args, arg_count, nullable);
    return true;
}

bool resolve_bit_count(struct arena *arena, const struct function *f, const struct expr **args,
                       uint32_t arg_count, const struct type **result, bool *nullable, struct err *err)
{
    if (!type_is_integer(args[0]->type) && args[0]->type->kind != TYPE_BOOLEAN &&
        !type_is_void(args[0]->type))
        return resolve_mismatch(err, 0, f, "an integer or BOOLEAN", args[0], arena);
    if (type_is_void(args[0]->type))
        args[0] = cast_to(arena, args[0], type_simple(TYPE_INT));
    *result = type_simple(TYPE_INT);
    any_nullable(args, arg_count, nullable);
    return true;
}

/* ---- rounding ------------------------------------------------------------------------------------------------------------ */

/* Spark's type of a decimal rounded at `scale`: one digit more in front, for 9.9 → 10. */
static const struct type *rounded_decimal(struct arena *arena, const struct type *t, int64_t scale)
{
    int64_t whole = (int64_t)t->precision - t->scale + 1;
    int64_t places = scale < t->scale ? scale : t->scale;
    if (scale < 0) {
        whole = whole > 1 - scale ? whole : 1 - scale;
        places = 0;
    }
    int64_t precision = whole + places;
    return type_decimal(arena,
                        (unsigned)(precision < DECIMAL_PRECISION_MAX ? precision : DECIMAL_PRECISION_MAX),
                        (unsigned)places);
}

/* The literal scale, args[1] made INT; a cast of a literal counts. */
static bool take_scale(struct arena *arena, const struct function *f, const struct expr **args,
                       uint32_t arg_count, int64_t *scale, struct err *err)
{
    struct value v;
    *scale = 0;
    if (arg_count < 2)
        return true;
    const struct expr *e = cast_implicit(arena, args[1], type_simple(TYPE_INT));
    if (e == NULL)
        return resolve_mismatch(err, 1, f, "an integer", args[1], arena);
    if (!expr_constant(arena, e, &v)) {
        err_set(err, ERR_CONFIG, "NON_FOLDABLE_ARGUMENT: the scale of \"%s\" must be a constant", f->name);
        err->code = 2;
        return false;
    }
    args[1] = e;
    *scale = v.is_null ? 0 : v.i64;
    if (*scale > 1000 || *scale < -1000)
        *scale = *scale > 0 ? 1000 : -1000;
    return true;
}

bool resolve_round(struct arena *arena, const struct function *f, const struct expr **args,
                   uint32_t arg_count, const struct type **result, bool *nullable, struct err *err)
{
    int64_t scale;
    if (args[0]->type->kind == TYPE_STRING || type_is_void(args[0]->type))
        args[0] = cast_to(arena, args[0], type_simple(TYPE_DOUBLE));
    if (!type_is_numeric(args[0]->type))
        return resolve_mismatch(err, 0, f, "a number", args[0], arena);
    TRY(take_scale(arena, f, args, arg_count, &scale, err));
    const struct type *t = args[0]->type;
    *result = t->kind == TYPE_DECIMAL ? rounded_decimal(arena, t, scale) : t;
    any_nullable(args, arg_count, nullable);
    return true;
}

static const struct type *to_decimal_type(struct arena *arena, const struct type *t)
{
    struct decimal_shape s = t->kind == TYPE_DECIMAL ? decimal_shape_of(t) : decimal_of_kind(t->kind);
    return type_decimal(arena, s.precision, s.scale);
}

bool resolve_ceil(struct arena *arena, const struct function *f, const struct expr **args, uint32_t arg_count,
                  const struct type **result, bool *nullable, struct err *err)
{
    int64_t scale;
    if (args[0]->type->kind == TYPE_STRING || args[0]->type->kind == TYPE_FLOAT ||
        type_is_void(args[0]->type))
        args[0] = cast_to(arena, args[0], type_simple(TYPE_DOUBLE));
    if (!type_is_numeric(args[0]->type))
        return resolve_mismatch(err, 0, f, "a number", args[0], arena);
    TRY(take_scale(arena, f, args, arg_count, &scale, err));
    if (arg_count == 2) {
        args[0] = cast_to(arena, args[0], to_decimal_type(arena, args[0]->type));
    } else if (type_is_integer(args[0]->type)) {
        args[0] = cast_to(arena, args[0], type_simple(TYPE_LONG));
    }
    const struct type *t = args[0]->type;
    *result = t->kind == TYPE_DECIMAL ? rounded_decimal(arena, t, scale) : type_simple(TYPE_LONG);
    any_nullable(args, arg_count, nullable);
    return true;
}

/* ---- others --------------------------------------------------------------------------------------------------------------- */

bool resolve_nanvl(struct arena *arena, const struct function *f, const struct expr **args,
                   uint32_t arg_count, const struct type **result, bool *nullable, struct err *err)
{
    bool single = args[0]->type->kind == TYPE_FLOAT && args[1]->type->kind == TYPE_FLOAT;
    *result = type_simple(single ? TYPE_FLOAT : TYPE_DOUBLE);
    for (uint32_t i = 0; i < 2; i++) {
        const struct expr *e = cast_implicit(arena, args[i], *result);
        if (e == NULL)
            return resolve_mismatch(err, i, f, "a number", args[i], arena);
        args[i] = e;
    }
    any_nullable(args, arg_count, nullable);
    return true;
}

bool resolve_hex(struct arena *arena, const struct function *f, const struct expr **args, uint32_t arg_count,
                 const struct type **result, bool *nullable, struct err *err)
{
    *result = type_simple(TYPE_STRING);
    any_nullable(args, arg_count, nullable);
    if (type_is_view(args[0]->type))
        return true;
    const struct expr *e = cast_implicit(arena, args[0], type_simple(TYPE_LONG));
    if (e == NULL)
        return resolve_mismatch(err, 0, f, "BIGINT, STRING or BINARY", args[0], arena);
    args[0] = e;
    return true;
}

bool resolve_width_bucket(struct arena *arena, const struct function *f, const struct expr **args,
                          uint32_t arg_count, const struct type **result, bool *nullable, struct err *err)
{
    bool interval = type_is_interval(args[0]->type);
    for (uint32_t i = 0; i < 4; i++) {
        const struct type *wanted = type_simple(i == 3     ? TYPE_LONG
                                                : interval ? args[0]->type->kind
                                                           : TYPE_DOUBLE);
        const struct expr *e = i < 3 && interval && args[i]->type->kind == wanted->kind
                                   ? args[i]
                                   : cast_implicit(arena, args[i], wanted);
        if (e == NULL)
            return resolve_mismatch(err, i, f, bind_type_text(arena, wanted), args[i], arena);
        args[i] = e;
    }
    *result = type_simple(TYPE_LONG);
    *nullable = true;
    return true;
}

/* A literal whole number as BIGINT. */
static bool take_seed(struct arena *arena, const struct function *f, const struct expr **args, uint32_t i,
                      struct err *err)
{
    struct value v;
    const struct expr *e = cast_implicit(arena, args[i], type_simple(TYPE_LONG));
    if (e == NULL || (!type_is_integer(args[i]->type) && !type_is_void(args[i]->type)))
        return resolve_mismatch(err, i, f, "an integer", args[i], arena);
    if (!expr_constant(arena, e, &v)) {
        err_set(err, ERR_CONFIG, "NON_FOLDABLE_ARGUMENT: the seed of \"%s\" must be a constant", f->name);
        err->code = (int)i + 1;
        return false;
    }
    args[i] = expr_long(arena, v.is_null ? 0 : v.i64, e->span);
    return true;
}

bool resolve_rand(struct arena *arena, const struct function *f, const struct expr **args, uint32_t arg_count,
                  const struct type **result, bool *nullable, struct err *err)
{
    *result = type_simple(TYPE_DOUBLE);
    *nullable = false;
    return arg_count == 0 || take_seed(arena, f, args, 0, err);
}

bool resolve_uniform(struct arena *arena, const struct function *f, const struct expr **args,
                     uint32_t arg_count, const struct type **result, bool *nullable, struct err *err)
{
    if (!to_numbers(arena, args))
        return resolve_mismatch(err, 0, f, "a number", args[0], arena);
    if (is_decimal_pair(args)) {
        args[0] = cast_to(arena, args[0], type_simple(TYPE_DOUBLE));
        args[1] = cast_to(arena, args[1], type_simple(TYPE_DOUBLE));
    }
    *result = coerce_common(arena, args, 2);
    *nullable = args[0]->nullable || args[1]->nullable;
    return arg_count < 3 || take_seed(arena, f, args, 2, err);
}

/* ---- aggregates ----------------------------------------------------------------------------------------------------------- */

bool resolve_sum(struct arena *arena, const struct function *f, const struct expr **args, uint32_t arg_count,
                 const struct type **result, bool *nullable, struct err *err)
{
    const struct type *t = args[0]->type;
    *nullable = true;
    if (type_is_integer(t)) {
        *result = type_simple(TYPE_LONG);
    } else if (t->kind == TYPE_DECIMAL) {
        *result = type_decimal(arena, t->precision > 28 ? DECIMAL_PRECISION_MAX : t->precision + 10u,
                               t->scale);
        return true; /* the argument keeps its own digits */
    } else if (type_is_numeric(t) || t->kind == TYPE_STRING || type_is_void(t)) {
        *result = type_simple(TYPE_DOUBLE);
    } else if (type_is_interval(t)) {
        *result = t;
    } else {
        return resolve_mismatch(err, 0, f, "a number or an interval", args[0], arena);
    }
    args[0] = cast_to(arena, args[0], *result);
    return true;
}

bool resolve_avg(struct arena *arena, const struct function *f, const struct expr **args, uint32_t arg_count,
                 const struct type **result, bool *nullable, struct err *err)
{
    const struct type *t = args[0]->type;
    *nullable = true;
    if (t->kind == TYPE_DECIMAL) {
        unsigned precision = t->precision + 4u, scale = t->scale + 4u;
        *result = type_decimal(arena, precision < 38 ? precision : 38, scale < 38 ? scale : 38);
    } else if (type_is_numeric(t) || t->kind == TYPE_STRING || type_is_void(t)) {
        *result = type_simple(TYPE_DOUBLE);
        args[0] = cast_to(arena, args[0], *result);
    } else if (type_is_interval(t)) {
        *result = type_simple(t->kind);
    } else {
        return resolve_mismatch(err, 0, f, "a number or an interval", args[0], arena);
    }
    return true;
}

/* DOUBLE or ARRAY<DOUBLE>: one fraction or several. */
static bool take_fractions(struct arena *arena, const struct function *f, const struct expr **args,
                           bool *several, struct err *err)
{
    *several = args[1]->type->kind == TYPE_ARRAY;
    const struct type *wanted = type_simple(TYPE_DOUBLE);
    if (*several)
        wanted = type_array(arena, wanted, args[1]->type->fields[0].nullable);
    const struct expr *e = cast_implicit(arena, args[1], wanted);
    if (e == NULL)
        return resolve_mismatch(err, 1, f, "DOUBLE or ARRAY<DOUBLE>", args[1], arena);
    args[1] = e;
    return true;
}

bool resolve_percentile(struct arena *arena, const struct function *f, const struct expr **args,
                        uint32_t arg_count, const struct type **result, bool *nullable, struct err *err)
{
    bool several = false;
    *nullable = true;
    if (!type_is_interval(args[0]->type)) {
        const struct expr *e = cast_implicit(arena, args[0], type_simple(TYPE_DOUBLE));
        if (e == NULL)
            return resolve_mismatch(err, 0, f, "a number or an interval", args[0], arena);
        args[0] = e;
    }
    *result = type_simple(args[0]->type->kind);
    if (arg_count > 1)
        TRY(take_fractions(arena, f, args, &several, err));
    if (several)
        *result = type_array(arena, *result, false);
    if (arg_count > 2) {
        const struct expr *frequency = cast_implicit(arena, args[2], type_simple(TYPE_LONG));
        if (frequency == NULL)
            return resolve_mismatch(err, 2, f, "an integer", args[2], arena);
        args[2] = frequency;
    }
    return true;
}

bool resolve_approx_percentile(struct arena *arena, const struct function *f, const struct expr **args,
                               uint32_t arg_count, const struct type **result, bool *nullable,
                               struct err *err)
{
    bool several = false;
    const struct type *t = args[0]->type;
    *nullable = true;
    if (t->kind == TYPE_STRING || type_is_void(t))
        args[0] = cast_to(arena, args[0], type_simple(TYPE_DOUBLE));
    else if (!type_is_numeric(t) && !type_is_interval(t) && t->kind != TYPE_DATE &&
             t->kind != TYPE_TIMESTAMP && t->kind != TYPE_TIMESTAMP_NTZ)
        return resolve_mismatch(err, 0, f, "a number, time or interval", args[0], arena);
    TRY(take_fractions(arena, f, args, &several, err));
    *result = several ? type_array(arena, args[0]->type, false) : args[0]->type;
    return arg_count < 3 || take_seed(arena, f, args, 2, err);
}

bool resolve_histogram(struct arena *arena, const struct function *f, const struct expr **args,
                       uint32_t arg_count, const struct type **result, bool *nullable, struct err *err)
{
    if (type_is_void(args[0]->type))
        args[0] = cast_to(arena, args[0], type_simple(TYPE_DOUBLE));
    const struct type *t = args[0]->type;
    *nullable = true;
    if (!type_is_numeric(t) && !type_is_interval(t) && t->kind != TYPE_DATE && t->kind != TYPE_TIMESTAMP &&
        t->kind != TYPE_TIMESTAMP_NTZ)
        return resolve_mismatch(err, 0, f, "a number, time or interval", args[0], arena);
    const struct expr *bins = cast_implicit(arena, args[1], type_simple(TYPE_INT));
    if (bins == NULL)
        return resolve_mismatch(err, 1, f, "INT", args[1], arena);
    args[1] = bins;
    struct field fields[] = {{.name = "x", .type = t, .nullable = true},
                             {.name = "y", .type = type_simple(TYPE_DOUBLE), .nullable = true}};
    *result = type_array(arena, type_struct(arena, fields, 2), true);
    return true;
}

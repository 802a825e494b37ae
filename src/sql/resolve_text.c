/* Types of functions of text, dates and times whose arguments a rule cannot describe. */
#include "sql/bind_private.h"
#include "type/cast.h"

static bool any_nullable(const struct expr *const *args, uint32_t count)
{
    bool nullable = false;
    for (uint32_t i = 0; i < count; i++)
        nullable |= args[i]->nullable;
    return nullable;
}

/* Converts argument i as an assignment would, or says what it must be. */
static bool take(struct arena *arena, const struct function *f, const struct expr **args, uint32_t i,
                 const struct type *type, struct err *err)
{
    const struct expr *e = cast_implicit(arena, args[i], type);
    if (e == NULL)
        return resolve_mismatch(err, i, f, bind_type_text(arena, type), args[i], arena);
    args[i] = e;
    return true;
}

static bool take_simple(struct arena *arena, const struct function *f, const struct expr **args, uint32_t i,
                        enum type_kind kind, struct err *err)
{
    return take(arena, f, args, i, type_simple(kind), err);
}

/* ---- text --------------------------------------------------------------------------------------------------------------- */

bool resolve_concat(struct arena *arena, const struct function *f, const struct expr **args,
                    uint32_t arg_count, const struct type **result, bool *nullable, struct err *err)
{
    uint32_t arrays = 0, binaries = 0;
    *nullable = any_nullable(args, arg_count);
    for (uint32_t i = 0; i < arg_count; i++) {
        arrays += args[i]->type->kind == TYPE_ARRAY;
        binaries += args[i]->type->kind == TYPE_BINARY;
    }
    if (arrays) {
        *result = coerce_common(arena, args, arg_count);
        if (*result == NULL)
            return err_set(
                err, ERR_CONFIG,
                "DATATYPE_MISMATCH.DATA_DIFF_TYPES: \"concat\" takes arrays of one type, or strings");
        return true;
    }
    *result = type_simple(binaries && binaries == arg_count ? TYPE_BINARY : TYPE_STRING);
    for (uint32_t i = 0; i < arg_count; i++)
        TRY(take(arena, f, args, i, *result, err));
    return true;
}

bool resolve_concat_ws(struct arena *arena, const struct function *f, const struct expr **args,
                       uint32_t arg_count, const struct type **result, bool *nullable, struct err *err)
{
    *result = type_simple(TYPE_STRING);
    *nullable = args[0]->nullable;
    for (uint32_t i = 0; i < arg_count; i++) {
        bool array = i > 0 && args[i]->type->kind == TYPE_ARRAY;
        TRY(take(arena, f, args, i, array ? type_array(arena, *result, true) : *result, err));
    }
    return true;
}

bool resolve_pad(struct arena *arena, const struct function *f, const struct expr **args, uint32_t arg_count,
                 const struct type **result, bool *nullable, struct err *err)
{
    bool binary = args[0]->type->kind == TYPE_BINARY && (arg_count < 3 || args[2]->type->kind == TYPE_BINARY);
    *result = type_simple(binary ? TYPE_BINARY : TYPE_STRING);
    *nullable = any_nullable(args, arg_count);
    TRY(take(arena, f, args, 0, *result, err));
    TRY(take_simple(arena, f, args, 1, TYPE_INT, err));
    return arg_count < 3 || take(arena, f, args, 2, *result, err);
}

bool resolve_reverse(struct arena *arena, const struct function *f, const struct expr **args,
                     uint32_t arg_count, const struct type **result, bool *nullable, struct err *err)
{
    *nullable = args[0]->nullable;
    if (args[0]->type->kind != TYPE_ARRAY)
        TRY(take_simple(arena, f, args, 0, TYPE_STRING, err));
    *result = args[0]->type;
    return true;
}

bool resolve_elt(struct arena *arena, const struct function *f, const struct expr **args, uint32_t arg_count,
                 const struct type **result, bool *nullable, struct err *err)
{
    bool binary = true;
    TRY(take_simple(arena, f, args, 0, TYPE_INT, err));
    for (uint32_t i = 1; i < arg_count; i++)
        binary &= args[i]->type->kind == TYPE_BINARY;
    *result = type_simple(binary ? TYPE_BINARY : TYPE_STRING);
    for (uint32_t i = 1; i < arg_count; i++)
        TRY(take(arena, f, args, i, *result, err));
    *nullable = any_nullable(args, arg_count);
    return true;
}

bool resolve_format_number(struct arena *arena, const struct function *f, const struct expr **args,
                           uint32_t arg_count, const struct type **result, bool *nullable, struct err *err)
{
    if (args[0]->type->kind == TYPE_STRING || type_is_void(args[0]->type))
        TRY(take_simple(arena, f, args, 0, TYPE_DOUBLE, err));
    if (!type_is_numeric(args[0]->type))
        return resolve_mismatch(err, 0, f, "a number", args[0], arena);
    if (args[1]->type->kind != TYPE_STRING)
        TRY(take_simple(arena, f, args, 1, TYPE_INT, err));
    *result = type_simple(TYPE_STRING);
    *nullable = true;
    return true;
}

bool resolve_format_string(struct arena *arena, const struct function *f, const struct expr **args,
                           uint32_t arg_count, const struct type **result, bool *nullable, struct err *err)
{
    TRY(take_simple(arena, f, args, 0, TYPE_STRING, err));
    *result = type_simple(TYPE_STRING);
    *nullable = args[0]->nullable;
    return true;
}

bool resolve_mask(struct arena *arena, const struct function *f, const struct expr **args, uint32_t arg_count,
                  const struct type **result, bool *nullable, struct err *err)
{
    *result = type_simple(TYPE_STRING);
    *nullable = args[0]->nullable;
    for (uint32_t i = 0; i < arg_count; i++)
        TRY(take(arena, f, args, i, *result, err));
    return true;
}

/* A format's digits before and behind its point: '999.99' is DECIMAL(5,2). */
static bool number_format(struct str format, unsigned *precision, unsigned *scale)
{
    bool behind = false;
    *precision = *scale = 0;
    for (size_t i = 0; i < format.n; i++) {
        char c = format.p[i];
        if (c == '0' || c == '9') {
            ++*precision;
            *scale += behind;
        } else if (c == '.' || c == 'D' || c == 'd') {
            behind = true;
        }
    }
    return *precision > 0 && *precision <= DECIMAL_PRECISION_MAX;
}

bool resolve_to_number(struct arena *arena, const struct function *f, const struct expr **args,
                       uint32_t arg_count, const struct type **result, bool *nullable, struct err *err)
{
    struct value format;
    unsigned precision = 1, scale = 0;
    TRY(take_simple(arena, f, args, 0, TYPE_STRING, err));
    TRY(take_simple(arena, f, args, 1, TYPE_STRING, err));
    *nullable = true;
    if (!expr_constant(arena, args[1], &format)) {
        err_set(err, ERR_CONFIG, "NON_FOLDABLE_ARGUMENT: the format of \"%s\" must be a constant", f->name);
    } else if (!format.is_null && !number_format(format.str, &precision, &scale)) {
        err_set(err, ERR_CONFIG,
                "INVALID_FORMAT: the format of \"%s\" needs 1 to 38 digits 0 or 9, it is \"%.*s\"", f->name,
                (int)(format.str.n < 60 ? format.str.n : 60), format.str.p);
    } else {
        *result = type_decimal(arena, precision, scale);
        return true;
    }
    if (err)
        err->code = 2;
    return false;
}

bool resolve_to_char(struct arena *arena, const struct function *f, const struct expr **args,
                     uint32_t arg_count, const struct type **result, bool *nullable, struct err *err)
{
    const struct type *t = args[0]->type;
    if (t->kind == TYPE_DATE || t->kind == TYPE_TIMESTAMP_NTZ) {
        args[0] = cast_to(arena, args[0], type_simple(TYPE_TIMESTAMP));
    } else if (t->kind != TYPE_TIMESTAMP && t->kind != TYPE_BINARY) {
        struct decimal_shape s = t->kind == TYPE_DECIMAL ? decimal_shape_of(t)
                                 : type_is_numeric(t)    ? decimal_of_kind(t->kind)
                                                         : (struct decimal_shape){38, 18};
        TRY(take(arena, f, args, 0, type_decimal(arena, s.precision, s.scale), err));
    }
    TRY(take_simple(arena, f, args, 1, TYPE_STRING, err));
    *result = type_simple(TYPE_STRING);
    *nullable = true;
    return true;
}

/* ---- dates and times ------------------------------------------------------------------------------------------------------ */

static bool is_timestamp(const struct type *t)
{
    return t->kind == TYPE_TIMESTAMP || t->kind == TYPE_TIMESTAMP_NTZ;
}

/* A timestamp of either kind, kept; dates and texts become TIMESTAMP. */
static bool take_timestamp(struct arena *arena, const struct function *f, const struct expr **args,
                           uint32_t i, struct err *err)
{
    return is_timestamp(args[i]->type) || take_simple(arena, f, args, i, TYPE_TIMESTAMP, err);
}

bool resolve_date_subtract(struct arena *arena, const struct function *f, const struct expr **args,
                           uint32_t arg_count, const struct type **result, bool *nullable, struct err *err)
{
    TRY(take_simple(arena, f, args, 0, TYPE_DATE, err));
    TRY(take_simple(arena, f, args, 1, TYPE_DATE, err));
    *result = type_interval(arena, TYPE_INTERVAL_DT, INTERVAL_DAY, INTERVAL_DAY);
    *nullable = any_nullable(args, arg_count);
    return true;
}

bool resolve_timestamp_subtract(struct arena *arena, const struct function *f, const struct expr **args,
                                uint32_t arg_count, const struct type **result, bool *nullable,
                                struct err *err)
{
    bool ntz = args[0]->type->kind == TYPE_TIMESTAMP_NTZ && args[1]->type->kind == TYPE_TIMESTAMP_NTZ;
    for (uint32_t i = 0; i < 2; i++)
        TRY(take_simple(arena, f, args, i, ntz ? TYPE_TIMESTAMP_NTZ : TYPE_TIMESTAMP, err));
    *result = type_simple(TYPE_INTERVAL_DT);
    *nullable = any_nullable(args, arg_count);
    return true;
}

bool resolve_second_fraction(struct arena *arena, const struct function *f, const struct expr **args,
                             uint32_t arg_count, const struct type **result, bool *nullable, struct err *err)
{
    TRY(take_timestamp(arena, f, args, 0, err));
    *result = type_decimal(arena, 8, 6);
    *nullable = args[0]->nullable;
    return true;
}

bool resolve_interval_part(struct arena *arena, const struct function *f, const struct expr **args,
                           uint32_t arg_count, const struct type **result, bool *nullable, struct err *err)
{
    CHECK(args[1]->kind == EXPR_LITERAL);
    *result = args[1]->literal.i64 == INTERVAL_SECOND ? type_decimal(arena, 8, 6) : type_simple(TYPE_INT);
    *nullable = args[0]->nullable;
    return true;
}

bool resolve_date_add(struct arena *arena, const struct function *f, const struct expr **args,
                      uint32_t arg_count, const struct type **result, bool *nullable, struct err *err)
{
    TRY(take_simple(arena, f, args, 0, TYPE_DATE, err));
    const struct type *days = args[1]->type;
    if (days->kind != TYPE_STRING && !type_is_void(days) &&
        (!type_is_integer(days) || days->kind == TYPE_LONG))
        return resolve_mismatch(err, 1, f, "INT", args[1], arena);
    TRY(take_simple(arena, f, args, 1, TYPE_INT, err));
    *result = type_simple(TYPE_DATE);
    *nullable = any_nullable(args, arg_count);
    return true;
}

bool resolve_timestampadd(struct arena *arena, const struct function *f, const struct expr **args,
                          uint32_t arg_count, const struct type **result, bool *nullable, struct err *err)
{
    TRY(take_simple(arena, f, args, 0, TYPE_STRING, err));
    TRY(take_simple(arena, f, args, 1, TYPE_LONG, err));
    TRY(take_timestamp(arena, f, args, 2, err));
    *result = args[2]->type;
    *nullable = any_nullable(args, arg_count);
    return true;
}

bool resolve_timestampdiff(struct arena *arena, const struct function *f, const struct expr **args,
                           uint32_t arg_count, const struct type **result, bool *nullable, struct err *err)
{
    bool ntz = args[1]->type->kind == TYPE_TIMESTAMP_NTZ && args[2]->type->kind == TYPE_TIMESTAMP_NTZ;
    TRY(take_simple(arena, f, args, 0, TYPE_STRING, err));
    for (uint32_t i = 1; i < 3; i++)
        TRY(take_simple(arena, f, args, i, ntz ? TYPE_TIMESTAMP_NTZ : TYPE_TIMESTAMP, err));
    *result = type_simple(TYPE_LONG);
    *nullable = any_nullable(args, arg_count);
    return true;
}

/* Text by a pattern; all other forms were written out as casts. */
static bool resolve_pattern(struct arena *arena, const struct function *f, const struct expr **args,
                            uint32_t arg_count, struct err *err)
{
    for (uint32_t i = 0; i < arg_count; i++)
        TRY(take_simple(arena, f, args, i, TYPE_STRING, err));
    return true;
}

bool resolve_to_date(struct arena *arena, const struct function *f, const struct expr **args,
                     uint32_t arg_count, const struct type **result, bool *nullable, struct err *err)
{
    *result = type_simple(TYPE_DATE);
    *nullable = f->id == FN_TRY_TO_DATE || any_nullable(args, arg_count);
    return resolve_pattern(arena, f, args, arg_count, err);
}

bool resolve_to_timestamp(struct arena *arena, const struct function *f, const struct expr **args,
                          uint32_t arg_count, const struct type **result, bool *nullable, struct err *err)
{
    *result = type_simple(f->id == FN_TO_TIMESTAMP_NTZ ? TYPE_TIMESTAMP_NTZ : TYPE_TIMESTAMP);
    *nullable = f->id == FN_TRY_TO_TIMESTAMP || any_nullable(args, arg_count);
    return resolve_pattern(arena, f, args, arg_count, err);
}

bool resolve_unix_timestamp(struct arena *arena, const struct function *f, const struct expr **args,
                            uint32_t arg_count, const struct type **result, bool *nullable, struct err *err)
{
    *result = type_simple(TYPE_LONG);
    *nullable = any_nullable(args, arg_count);
    return resolve_pattern(arena, f, args, arg_count, err);
}

bool resolve_convert_timezone(struct arena *arena, const struct function *f, const struct expr **args,
                              uint32_t arg_count, const struct type **result, bool *nullable, struct err *err)
{
    for (uint32_t i = 0; i + 1 < arg_count; i++)
        TRY(take_simple(arena, f, args, i, TYPE_STRING, err));
    TRY(take_simple(arena, f, args, arg_count - 1, TYPE_TIMESTAMP_NTZ, err));
    *result = type_simple(TYPE_TIMESTAMP_NTZ);
    *nullable = any_nullable(args, arg_count);
    return true;
}

bool resolve_make_timestamp(struct arena *arena, const struct function *f, const struct expr **args,
                            uint32_t arg_count, const struct type **result, bool *nullable, struct err *err)
{
    bool ntz = f->id == FN_MAKE_TIMESTAMP_NTZ || f->id == FN_TRY_MAKE_TIMESTAMP_NTZ;
    for (uint32_t i = 0; i < 5; i++)
        TRY(take_simple(arena, f, args, i, TYPE_INT, err));
    TRY(take(arena, f, args, 5, type_decimal(arena, 16, 6), err));
    if (arg_count > 6)
        TRY(take_simple(arena, f, args, 6, TYPE_STRING, err));
    *result = type_simple(ntz ? TYPE_TIMESTAMP_NTZ : TYPE_TIMESTAMP);
    *nullable = f->id == FN_TRY_MAKE_TIMESTAMP || f->id == FN_TRY_MAKE_TIMESTAMP_NTZ ||
                any_nullable(args, arg_count);
    return true;
}

bool resolve_make_interval(struct arena *arena, const struct function *f, const struct expr **args,
                           uint32_t arg_count, const struct type **result, bool *nullable, struct err *err)
{
    for (uint32_t i = 0; i < arg_count; i++)
        TRY(take(arena, f, args, i, i < 3 ? type_simple(TYPE_INT) : type_decimal(arena, 18, 6), err));
    *result = type_simple(f->id == FN_MAKE_DT_INTERVAL ? TYPE_INTERVAL_DT : TYPE_INTERVAL_YM);
    *nullable = any_nullable(args, arg_count);
    return true;
}

bool resolve_window(struct arena *arena, const struct function *f, const struct expr **args,
                    uint32_t arg_count, const struct type **result, bool *nullable, struct err *err)
{
    TRY(take_timestamp(arena, f, args, 0, err));
    struct field fields[] = {{.name = "start", .type = args[0]->type, .nullable = true},
                             {.name = "end", .type = args[0]->type, .nullable = true}};
    *result = type_struct(arena, fields, 2);
    *nullable = args[0]->nullable;
    return true;
}

bool resolve_window_time(struct arena *arena, const struct function *f, const struct expr **args,
                         uint32_t arg_count, const struct type **result, bool *nullable, struct err *err)
{
    const struct type *t = args[0]->type;
    if (t->kind != TYPE_STRUCT || t->field_count != 2 || !is_timestamp(t->fields[0].type) ||
        !is_timestamp(t->fields[1].type))
        return resolve_mismatch(err, 0, f, "a window, STRUCT<start, end>", args[0], arena);
    *result = t->fields[1].type;
    *nullable = args[0]->nullable || t->fields[1].nullable;
    return true;
}

/* ---- JSON and CSV --------------------------------------------------------------------------------------------------------- */

static bool take_options(struct arena *arena, const struct function *f, const struct expr **args,
                         uint32_t arg_count, uint32_t i, struct err *err)
{
    const struct type *text = type_simple(TYPE_STRING);
    return arg_count <= i || take(arena, f, args, i, type_map(arena, text, text, true), err);
}

bool resolve_from_json(struct arena *arena, const struct function *f, const struct expr **args,
                       uint32_t arg_count, const struct type **result, bool *nullable, struct err *err)
{
    TRY(take_simple(arena, f, args, 0, TYPE_STRING, err));
    TRY(take_options(arena, f, args, arg_count, 1, err));
    *nullable = true;
    return true; /* the binder sets the type that the schema says */
}

bool resolve_to_json(struct arena *arena, const struct function *f, const struct expr **args,
                     uint32_t arg_count, const struct type **result, bool *nullable, struct err *err)
{
    enum type_kind kind = args[0]->type->kind;
    bool ok = kind == TYPE_STRUCT ||
              (f->id == FN_TO_JSON && (kind == TYPE_ARRAY || kind == TYPE_MAP || kind == TYPE_VARIANT));
    if (!ok)
        return resolve_mismatch(err, 0, f, f->id == FN_TO_JSON ? "STRUCT, ARRAY or MAP" : "STRUCT", args[0],
                                arena);
    TRY(take_options(arena, f, args, arg_count, 1, err));
    *result = type_simple(TYPE_STRING);
    *nullable = args[0]->nullable;
    return true;
}

bool resolve_schema_of_json(struct arena *arena, const struct function *f, const struct expr **args,
                            uint32_t arg_count, const struct type **result, bool *nullable, struct err *err)
{
    struct value v;
    TRY(take_simple(arena, f, args, 0, TYPE_STRING, err));
    if (!expr_constant(arena, args[0], &v) || v.is_null) {
        err_set(err, ERR_CONFIG,
                "DATATYPE_MISMATCH.NON_FOLDABLE_INPUT: the text of \"%s\" must be a constant", f->name);
        if (err)
            err->code = 1;
        return false;
    }
    TRY(take_options(arena, f, args, arg_count, 1, err));
    *result = type_simple(TYPE_STRING);
    *nullable = false;
    return true;
}

bool resolve_json_tuple(struct arena *arena, const struct function *f, const struct expr **args,
                        uint32_t arg_count, const struct type **result, bool *nullable, struct err *err)
{
    struct field *fields = arena_zarray(arena, struct field, arg_count);
    for (uint32_t i = 0; i < arg_count; i++)
        TRY(take_simple(arena, f, args, i, TYPE_STRING, err));
    for (uint32_t i = 0; i + 1 < arg_count; i++)
        fields[i] = (struct field){
            .name = arena_printf(arena, "c%u", i), .type = type_simple(TYPE_STRING), .nullable = true};
    *result = type_struct(arena, fields, arg_count - 1);
    *nullable = false;
    return true;
}

/* Never called: the binder writes these out before it asks for types. */
bool resolve_lowered(struct arena *arena, const struct function *f, const struct expr **args,
                     uint32_t arg_count, const struct type **result, bool *nullable, struct err *err)
{
    return err_set(err, ERR_CONFIG, "UNRESOLVED_ROUTINE: \"%s\" cannot stand here", f->name);
}

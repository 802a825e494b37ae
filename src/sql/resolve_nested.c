/* Types of functions of arrays, maps and structs whose arguments a rule cannot describe; lambdas' bodies are bound before. */
#include "sql/bind_private.h"
#include "type/cast.h"

static bool no_common(struct err *err, const struct function *f)
{
    return err_set(err, ERR_CONFIG,
                   "DATATYPE_MISMATCH.DATA_DIFF_TYPES: the arguments of \"%s\" have no common type", f->name);
}

static bool take_kind(struct arena *arena, const struct function *f, const struct expr *const *args,
                      uint32_t i, enum type_kind kind, const char *what, struct err *err)
{
    return args[i]->type->kind == kind || resolve_mismatch(err, i, f, what, args[i], arena);
}

static bool take_simple(struct arena *arena, const struct function *f, const struct expr **args, uint32_t i,
                        enum type_kind kind, struct err *err)
{
    const struct expr *e = cast_implicit(arena, args[i], type_simple(kind));
    if (e == NULL)
        return resolve_mismatch(err, i, f, bind_type_text(arena, type_simple(kind)), args[i], arena);
    args[i] = e;
    return true;
}

static bool any_nullable(const struct expr *const *args, uint32_t count)
{
    bool nullable = false;
    for (uint32_t i = 0; i < count; i++)
        nullable |= args[i]->nullable;
    return nullable;
}

static const struct field *element(const struct expr *array)
{
    return &array->type->fields[0];
}

/* ---- accessors ------------------------------------------------------------------------------------------------------------ */

bool resolve_subscript(struct arena *arena, const struct function *f, const struct expr **args,
                       uint32_t arg_count, const struct type **result, bool *nullable, struct err *err)
{
    const struct type *index = args[1]->type;
    if (!type_is_integer(index) && index->kind != TYPE_STRING && !type_is_void(index))
        return resolve_mismatch(err, 1, f, "an integer", args[1], arena);
    TRY(take_simple(arena, f, args, 1, TYPE_INT, err));
    *result = element(args[0])->type;
    *nullable = element(args[0])->nullable || any_nullable(args, arg_count);
    return true;
}

bool resolve_map_value(struct arena *arena, const struct function *f, const struct expr **args,
                       uint32_t arg_count, const struct type **result, bool *nullable, struct err *err)
{
    const struct type *map = args[0]->type;
    const struct expr *key = cast_implicit(arena, args[1], map->fields[0].type);
    if (key == NULL)
        return resolve_mismatch(err, 1, f, bind_type_text(arena, map->fields[0].type), args[1], arena);
    args[1] = key;
    *result = map->fields[1].type;
    *nullable = true;
    return true;
}

bool resolve_array_field(struct arena *arena, const struct function *f, const struct expr **args,
                         uint32_t arg_count, const struct type **result, bool *nullable, struct err *err)
{
    const struct field *item = element(args[0]);
    const struct field *field = &item->type->fields[args[1]->literal.i64];
    *result = type_array(arena, field->type, item->nullable || field->nullable);
    *nullable = args[0]->nullable;
    return true;
}

bool resolve_element_at(struct arena *arena, const struct function *f, const struct expr **args,
                        uint32_t arg_count, const struct type **result, bool *nullable, struct err *err)
{
    if (args[0]->type->kind == TYPE_MAP) {
        *nullable = true;
        return resolve_map_value(arena, f, args, arg_count, result, nullable, err);
    }
    TRY(take_kind(arena, f, args, 0, TYPE_ARRAY, "an ARRAY or a MAP", err));
    TRY(resolve_subscript(arena, f, args, arg_count, result, nullable, err));
    *nullable |= f->id == FN_TRY_ELEMENT_AT;
    return true;
}

bool resolve_size(struct arena *arena, const struct function *f, const struct expr **args, uint32_t arg_count,
                  const struct type **result, bool *nullable, struct err *err)
{
    if (args[0]->type->kind != TYPE_MAP && !type_is_void(args[0]->type))
        TRY(take_kind(arena, f, args, 0, TYPE_ARRAY, "an ARRAY or a MAP", err));
    *result = type_simple(TYPE_INT);
    *nullable = args[0]->nullable;
    return true;
}

/* ---- arrays ---------------------------------------------------------------------------------------------------------------- */

bool resolve_array(struct arena *arena, const struct function *f, const struct expr **args,
                   uint32_t arg_count, const struct type **result, bool *nullable, struct err *err)
{
    bool nulls = any_nullable(args, arg_count);
    const struct type *t = arg_count ? coerce_common(arena, args, arg_count) : type_simple(TYPE_NULL);
    if (t == NULL)
        return no_common(err, f);
    *result = type_array(arena, t, nulls);
    *nullable = false;
    return true;
}

bool resolve_arrays_zip(struct arena *arena, const struct function *f, const struct expr **args,
                        uint32_t arg_count, const struct type **result, bool *nullable, struct err *err)
{
    struct field *fields = arena_zarray(arena, struct field, arg_count + 1);
    for (uint32_t i = 0; i < arg_count; i++) {
        if (type_is_void(args[i]->type))
            args[i] = cast_to(arena, args[i], type_array(arena, args[i]->type, true));
        TRY(take_kind(arena, f, args, i, TYPE_ARRAY, "an ARRAY", err));
        fields[i] = (struct field){
            .name = arena_printf(arena, "%u", i), .type = element(args[i])->type, .nullable = true};
    }
    *result = type_array(arena, type_struct(arena, fields, arg_count), false);
    *nullable = any_nullable(args, arg_count);
    return true;
}

bool resolve_array_repeat(struct arena *arena, const struct function *f, const struct expr **args,
                          uint32_t arg_count, const struct type **result, bool *nullable, struct err *err)
{
    TRY(take_simple(arena, f, args, 1, TYPE_INT, err));
    *result = type_array(arena, args[0]->type, args[0]->nullable);
    *nullable = args[1]->nullable;
    return true;
}

/* array (args[0]) and item (args[at]) to one element type. */
static bool take_item(struct arena *arena, const struct function *f, const struct expr **args, uint32_t at,
                      const struct type **result, struct err *err)
{
    TRY(take_kind(arena, f, args, 0, TYPE_ARRAY, "an ARRAY", err));
    const struct type *a = element(args[0])->type, *b = args[at]->type;
    const struct type *t = type_same(a, b) ? a : type_common(arena, a, b);
    if (t == NULL)
        return no_common(err, f);
    args[at] = cast_to(arena, args[at], t);
    args[0] = cast_to(arena, args[0], type_array(arena, t, element(args[0])->nullable));
    *result = type_array(arena, t, element(args[0])->nullable || args[at]->nullable);
    return true;
}

bool resolve_array_append(struct arena *arena, const struct function *f, const struct expr **args,
                          uint32_t arg_count, const struct type **result, bool *nullable, struct err *err)
{
    *nullable = args[0]->nullable;
    return take_item(arena, f, args, 1, result, err);
}

bool resolve_array_insert(struct arena *arena, const struct function *f, const struct expr **args,
                          uint32_t arg_count, const struct type **result, bool *nullable, struct err *err)
{
    TRY(take_simple(arena, f, args, 1, TYPE_INT, err));
    TRY(take_item(arena, f, args, 2, result, err));
    *result = type_array(arena, (*result)->fields[0].type, true); /* what lies between is NULL */
    *nullable = args[0]->nullable || args[1]->nullable;
    return true;
}

bool resolve_flatten(struct arena *arena, const struct function *f, const struct expr **args,
                     uint32_t arg_count, const struct type **result, bool *nullable, struct err *err)
{
    if (args[0]->type->kind != TYPE_ARRAY || element(args[0])->type->kind != TYPE_ARRAY)
        return resolve_mismatch(err, 0, f, "an ARRAY of ARRAYs", args[0], arena);
    *result = element(args[0])->type;
    *nullable = args[0]->nullable || element(args[0])->nullable;
    return true;
}

bool resolve_sequence(struct arena *arena, const struct function *f, const struct expr **args,
                      uint32_t arg_count, const struct type **result, bool *nullable, struct err *err)
{
    *nullable = any_nullable(args, arg_count);
    bool interval = arg_count == 3 && type_is_interval(args[2]->type);
    const struct type *t = coerce_common(arena, args, interval ? 2 : arg_count);
    if (t == NULL)
        return no_common(err, f);
    bool time = t->kind == TYPE_DATE || t->kind == TYPE_TIMESTAMP || t->kind == TYPE_TIMESTAMP_NTZ;
    if (time != (interval || (time && arg_count == 2)) || (!time && !type_is_integer(t)))
        return resolve_mismatch(
            err, 0, f, "integers, or dates or timestamps with a step that is an interval,", args[0], arena);
    *result = type_array(arena, t, false);
    return true;
}

/* ---- maps and structs ------------------------------------------------------------------------------------------------------- */

bool resolve_map(struct arena *arena, const struct function *f, const struct expr **args, uint32_t arg_count,
                 const struct type **result, bool *nullable, struct err *err)
{
    uint32_t pairs = arg_count / 2;
    *nullable = false;
    if (arg_count % 2)
        return err_set(err, ERR_CONFIG,
                       "WRONG_NUM_ARGS: \"map\" takes keys and values in turn, found %u arguments",
                       arg_count);
    if (pairs == 0) {
        *result = type_map(arena, type_simple(TYPE_NULL), type_simple(TYPE_NULL), false);
        return true;
    }
    const struct expr **keys = arena_array(arena, const struct expr *, arg_count), **values = keys + pairs;
    for (uint32_t i = 0; i < pairs; i++) {
        keys[i] = args[2 * i];
        values[i] = args[2 * i + 1];
    }
    bool nulls = any_nullable(values, pairs);
    const struct type *k = coerce_common(arena, keys, pairs), *v = coerce_common(arena, values, pairs);
    if (k == NULL || v == NULL)
        return no_common(err, f);
    if (!type_is_orderable(k))
        return err_set(err, ERR_CONFIG, "DATATYPE_MISMATCH.INVALID_MAP_KEY_TYPE: a map's key cannot be %s",
                       bind_type_text(arena, k));
    for (uint32_t i = 0; i < pairs; i++) {
        args[2 * i] = keys[i];
        args[2 * i + 1] = values[i];
    }
    *result = type_map(arena, k, v, nulls);
    return true;
}

static const struct type *entry_type(struct arena *arena, const struct type *map)
{
    struct field fields[] = {
        {.name = "key", .type = map->fields[0].type},
        {.name = "value", .type = map->fields[1].type, .nullable = map->fields[1].nullable}};
    return type_struct(arena, fields, 2);
}

bool resolve_map_entries(struct arena *arena, const struct function *f, const struct expr **args,
                         uint32_t arg_count, const struct type **result, bool *nullable, struct err *err)
{
    TRY(take_kind(arena, f, args, 0, TYPE_MAP, "a MAP", err));
    *result = type_array(arena, entry_type(arena, args[0]->type), false);
    *nullable = args[0]->nullable;
    return true;
}

bool resolve_map_from_entries(struct arena *arena, const struct function *f, const struct expr **args,
                              uint32_t arg_count, const struct type **result, bool *nullable, struct err *err)
{
    const struct type *t = args[0]->type->kind == TYPE_ARRAY ? element(args[0])->type : NULL;
    if (t == NULL || t->kind != TYPE_STRUCT || t->field_count != 2)
        return resolve_mismatch(err, 0, f, "an ARRAY of STRUCTs of two fields", args[0], arena);
    *result = type_map(arena, t->fields[0].type, t->fields[1].type, t->fields[1].nullable);
    *nullable = args[0]->nullable || element(args[0])->nullable;
    return true;
}

bool resolve_map_concat(struct arena *arena, const struct function *f, const struct expr **args,
                        uint32_t arg_count, const struct type **result, bool *nullable, struct err *err)
{
    const struct type *text = type_simple(TYPE_STRING);
    *nullable = any_nullable(args, arg_count);
    *result = type_map(arena, text, text, true);
    for (uint32_t i = 0; i < arg_count; i++)
        if (!type_is_void(args[i]->type))
            TRY(take_kind(arena, f, args, i, TYPE_MAP, "a MAP", err));
    if (arg_count)
        *result = coerce_common(arena, args, arg_count);
    return *result != NULL || no_common(err, f);
}

bool resolve_struct(struct arena *arena, const struct function *f, const struct expr **args,
                    uint32_t arg_count, const struct type **result, bool *nullable, struct err *err)
{
    struct field *fields = arena_zarray(arena, struct field, arg_count + 1);
    for (uint32_t i = 0; i < arg_count; i++)
        fields[i] = (struct field){.name = arena_printf(arena, "col%u", i + 1),
                                   .type = args[i]->type,
                                   .nullable = args[i]->nullable};
    *result = type_struct(arena, fields, arg_count);
    *nullable = false;
    return true;
}

/* ---- higher order: the body's type is the lambda's ------------------------------------------------------------------------------ */

/* The lambda's body as BOOLEAN; a body of another type is at fault. */
static bool take_condition(struct arena *arena, const struct function *f, const struct expr **args,
                           uint32_t i, struct err *err)
{
    if (args[i]->type->kind == TYPE_BOOLEAN || type_is_void(args[i]->type))
        return true;
    return resolve_mismatch(err, i, f, "a lambda that gives BOOLEAN", args[i], arena);
}

bool resolve_transform(struct arena *arena, const struct function *f, const struct expr **args,
                       uint32_t arg_count, const struct type **result, bool *nullable, struct err *err)
{
    *result = type_array(arena, args[1]->type, args[1]->nullable);
    *nullable = args[0]->nullable;
    return true;
}

bool resolve_filter(struct arena *arena, const struct function *f, const struct expr **args,
                    uint32_t arg_count, const struct type **result, bool *nullable, struct err *err)
{
    *result = args[0]->type;
    *nullable = args[0]->nullable;
    return take_condition(arena, f, args, 1, err);
}

bool resolve_exists(struct arena *arena, const struct function *f, const struct expr **args,
                    uint32_t arg_count, const struct type **result, bool *nullable, struct err *err)
{
    *result = type_simple(TYPE_BOOLEAN);
    *nullable = args[0]->nullable || args[1]->nullable;
    return take_condition(arena, f, args, 1, err);
}

bool resolve_aggregate(struct arena *arena, const struct function *f, const struct expr **args,
                       uint32_t arg_count, const struct type **result, bool *nullable, struct err *err)
{
    *result = args[arg_count - 1]->type;
    *nullable = true;
    return true;
}

bool resolve_zip_with(struct arena *arena, const struct function *f, const struct expr **args,
                      uint32_t arg_count, const struct type **result, bool *nullable, struct err *err)
{
    *result = type_array(arena, args[2]->type, args[2]->nullable);
    *nullable = args[0]->nullable || args[1]->nullable;
    return true;
}

bool resolve_array_sort(struct arena *arena, const struct function *f, const struct expr **args,
                        uint32_t arg_count, const struct type **result, bool *nullable, struct err *err)
{
    *result = args[0]->type;
    *nullable = args[0]->nullable;
    if (arg_count == 2 && !type_is_integer(args[1]->type))
        return resolve_mismatch(err, 1, f, "a lambda that gives INT", args[1], arena);
    return type_is_orderable(*result) || arg_count == 2 ||
           resolve_mismatch(err, 0, f, "an ARRAY of a type that can be ordered", args[0], arena);
}

bool resolve_map_filter(struct arena *arena, const struct function *f, const struct expr **args,
                        uint32_t arg_count, const struct type **result, bool *nullable, struct err *err)
{
    return resolve_filter(arena, f, args, arg_count, result, nullable, err);
}

bool resolve_transform_keys(struct arena *arena, const struct function *f, const struct expr **args,
                            uint32_t arg_count, const struct type **result, bool *nullable, struct err *err)
{
    const struct field *value = &args[0]->type->fields[1];
    if (!type_is_orderable(args[1]->type))
        return resolve_mismatch(err, 1, f, "a lambda that gives no MAP", args[1], arena);
    *result = type_map(arena, args[1]->type, value->type, value->nullable);
    *nullable = args[0]->nullable;
    return true;
}

bool resolve_transform_values(struct arena *arena, const struct function *f, const struct expr **args,
                              uint32_t arg_count, const struct type **result, bool *nullable, struct err *err)
{
    *result = type_map(arena, args[0]->type->fields[0].type, args[1]->type, args[1]->nullable);
    *nullable = args[0]->nullable;
    return true;
}

bool resolve_map_zip_with(struct arena *arena, const struct function *f, const struct expr **args,
                          uint32_t arg_count, const struct type **result, bool *nullable, struct err *err)
{
    *result = type_map(arena, args[0]->type->fields[0].type, args[2]->type, args[2]->nullable);
    *nullable = args[0]->nullable || args[1]->nullable;
    return true;
}

/* ---- generators: the result is a struct of the columns that they make -------------------------------------------------------------- */

bool resolve_explode(struct arena *arena, const struct function *f, const struct expr **args,
                     uint32_t arg_count, const struct type **result, bool *nullable, struct err *err)
{
    const struct type *t = args[0]->type;
    bool outer = f->id == FN_EXPLODE_OUTER || f->id == FN_POSEXPLODE_OUTER;
    uint32_t count = 0;
    struct field fields[3];
    if (t->kind != TYPE_MAP)
        TRY(take_kind(arena, f, args, 0, TYPE_ARRAY, "an ARRAY or a MAP", err));
    if (f->id == FN_POSEXPLODE || f->id == FN_POSEXPLODE_OUTER)
        fields[count++] = (struct field){.name = "pos", .type = type_simple(TYPE_INT), .nullable = outer};
    for (uint32_t i = 0; i < t->field_count; i++) {
        const char *name = t->kind == TYPE_ARRAY ? "col" : i == 0 ? "key" : "value";
        fields[count++] = (struct field){
            .name = name, .type = t->fields[i].type, .nullable = outer || t->fields[i].nullable};
    }
    *result = type_struct(arena, fields, count);
    *nullable = false;
    return true;
}

bool resolve_inline(struct arena *arena, const struct function *f, const struct expr **args,
                    uint32_t arg_count, const struct type **result, bool *nullable, struct err *err)
{
    const struct type *t = args[0]->type->kind == TYPE_ARRAY ? element(args[0])->type : NULL;
    if (t == NULL || t->kind != TYPE_STRUCT)
        return resolve_mismatch(err, 0, f, "an ARRAY of STRUCTs", args[0], arena);
    struct field *fields = arena_array(arena, struct field, t->field_count + 1);
    for (uint32_t i = 0; i < t->field_count; i++) {
        fields[i] = t->fields[i];
        fields[i].nullable |= f->id == FN_INLINE_OUTER || element(args[0])->nullable;
    }
    *result = type_struct(arena, fields, t->field_count);
    *nullable = false;
    return true;
}

bool resolve_stack(struct arena *arena, const struct function *f, const struct expr **args,
                   uint32_t arg_count, const struct type **result, bool *nullable, struct err *err)
{
    struct value rows;
    TRY(take_simple(arena, f, args, 0, TYPE_INT, err));
    if (!expr_constant(arena, args[0], &rows) || rows.is_null || rows.i64 <= 0)
        return resolve_mismatch(err, 0, f, "a constant above 0", args[0], arena);
    uint32_t cells = arg_count - 1,
             count = rows.i64 > cells ? 1 : (cells + (uint32_t)rows.i64 - 1) / (uint32_t)rows.i64;
    struct field *fields = arena_zarray(arena, struct field, count);
    for (uint32_t c = 0; c < count; c++) {
        const struct type *t = type_simple(TYPE_NULL);
        for (uint32_t i = 1 + c; i < arg_count; i += count)
            t = t == NULL || type_same(t, args[i]->type) ? t : type_common(arena, t, args[i]->type);
        if (t == NULL)
            return no_common(err, f);
        for (uint32_t i = 1 + c; i < arg_count; i += count)
            args[i] = cast_to(arena, args[i], t);
        fields[c] = (struct field){.name = arena_printf(arena, "col%u", c), .type = t, .nullable = true};
    }
    *result = type_struct(arena, fields, count);
    *nullable = false;
    return true;
}

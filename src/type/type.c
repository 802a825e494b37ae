/* Types: the statics, the constructors, comparison and lookup.
 *
 * Every type that a parser makes is at most TYPE_DEPTH_MAX deep, so the recursion here and in everything
 * that follows a type's shape is bounded by it; type_array, type_map and type_struct check nothing,
 * because the engine wraps types that have passed a parser by a handful of levels at most. */
#include "type/type.h"

#include "base/check.h"

/* ---- the statics --------------------------------------------------------------------------------------- */

static const struct type simple[TYPE_KINDS] = {
    [TYPE_NULL] = {.kind = TYPE_NULL},
    [TYPE_BOOLEAN] = {.kind = TYPE_BOOLEAN},
    [TYPE_BYTE] = {.kind = TYPE_BYTE},
    [TYPE_SHORT] = {.kind = TYPE_SHORT},
    [TYPE_INT] = {.kind = TYPE_INT},
    [TYPE_LONG] = {.kind = TYPE_LONG},
    [TYPE_FLOAT] = {.kind = TYPE_FLOAT},
    [TYPE_DOUBLE] = {.kind = TYPE_DOUBLE},
    [TYPE_DECIMAL] = {.kind = TYPE_DECIMAL, .precision = 10, .scale = 0},
    [TYPE_STRING] = {.kind = TYPE_STRING},
    [TYPE_BINARY] = {.kind = TYPE_BINARY},
    [TYPE_DATE] = {.kind = TYPE_DATE},
    [TYPE_TIMESTAMP] = {.kind = TYPE_TIMESTAMP},
    [TYPE_TIMESTAMP_NTZ] = {.kind = TYPE_TIMESTAMP_NTZ},
    [TYPE_INTERVAL_YM] = {.kind = TYPE_INTERVAL_YM,
                          .interval_from = INTERVAL_YEAR,
                          .interval_to = INTERVAL_MONTH},
    [TYPE_INTERVAL_DT] = {.kind = TYPE_INTERVAL_DT,
                          .interval_from = INTERVAL_DAY,
                          .interval_to = INTERVAL_SECOND},
    [TYPE_VARIANT] = {.kind = TYPE_VARIANT},
};

const struct type *type_simple(enum type_kind kind)
{
    CHECK(kind < TYPE_KINDS && (kind < TYPE_ARRAY || kind > TYPE_STRUCT));
    return &simple[kind];
}

size_t type_width(const struct type *type)
{
    static const uint8_t widths[TYPE_KINDS] = {
        [TYPE_BOOLEAN] = 1,       [TYPE_BYTE] = 1,        [TYPE_SHORT] = 2,       [TYPE_INT] = 4,
        [TYPE_LONG] = 8,          [TYPE_FLOAT] = 4,       [TYPE_DOUBLE] = 8,      [TYPE_DECIMAL] = 16,
        [TYPE_STRING] = 16,       [TYPE_BINARY] = 16,     [TYPE_DATE] = 4,        [TYPE_TIMESTAMP] = 8,
        [TYPE_TIMESTAMP_NTZ] = 8, [TYPE_INTERVAL_YM] = 4, [TYPE_INTERVAL_DT] = 8,
    };
    return widths[type->kind];
}

/* ---- constructors -------------------------------------------------------------------------------------- */

const struct type *type_decimal(struct arena *arena, unsigned precision, unsigned scale)
{
    CHECK(precision >= 1 && precision <= DECIMAL_PRECISION_MAX && scale <= precision);
    if (precision == 10 && scale == 0)
        return &simple[TYPE_DECIMAL];
    struct type *t = arena_new(arena, struct type);
    t->kind = TYPE_DECIMAL;
    t->precision = (uint8_t)precision;
    t->scale = (uint8_t)scale;
    return t;
}

static const struct type *nested(struct arena *arena, enum type_kind kind, uint32_t count,
                                 const struct field *fields)
{
    struct type *t = arena_new(arena, struct type);
    t->kind = kind;
    t->field_count = count;
    t->fields = fields;
    return t;
}

const struct type *type_array(struct arena *arena, const struct type *element, bool element_nullable)
{
    struct field *f = arena_zarray(arena, struct field, 1);
    f[0] = (struct field){.name = "element", .type = element, .nullable = element_nullable};
    return nested(arena, TYPE_ARRAY, 1, f);
}

const struct type *type_map(struct arena *arena, const struct type *key, const struct type *value,
                            bool value_nullable)
{
    struct field *f = arena_zarray(arena, struct field, 2);
    f[0] = (struct field){.name = "key", .type = key};
    f[1] = (struct field){.name = "value", .type = value, .nullable = value_nullable};
    return nested(arena, TYPE_MAP, 2, f);
}

const struct type *type_struct(struct arena *arena, const struct field *fields, uint32_t count)
{
    struct field *copy = arena_zarray(arena, struct field, count);
    for (uint32_t i = 0; i < count; i++) {
        copy[i] = fields[i];
        copy[i].name = arena_strdup(arena, fields[i].name);
        copy[i].comment = fields[i].comment ? arena_strdup(arena, fields[i].comment) : NULL;
    }
    return nested(arena, TYPE_STRUCT, count, copy);
}

const struct type *type_copy(struct arena *arena, const struct type *type)
{
    struct type *t = arena_dup(arena, type, sizeof *type);
    if (type->collation)
        t->collation = arena_strdup(arena, type->collation);
    if (type->field_count == 0)
        return t;
    struct field *fields = arena_zarray(arena, struct field, type->field_count);
    for (uint32_t i = 0; i < type->field_count; i++) {
        const struct field *f = &type->fields[i];
        fields[i] = (struct field){
            .name = arena_strdup(arena, f->name),
            .type = type_copy(arena, f->type),
            .nullable = f->nullable,
            .comment = f->comment ? arena_strdup(arena, f->comment) : NULL,
        };
    }
    t->fields = fields;
    return t;
}

const struct type *type_nullable(struct arena *arena, const struct type *type)
{
    if (!type_is_nested(type))
        return type;
    struct type *copy = arena_dup(arena, type, sizeof *type);
    struct field *fields = arena_dup(arena, type->fields, type->field_count * sizeof *fields);
    for (uint32_t i = 0; i < type->field_count; i++) {
        fields[i].nullable = !(type->kind == TYPE_MAP && i == 0);
        fields[i].type = type_nullable(arena, fields[i].type);
    }
    copy->fields = fields;
    return copy;
}

/* ---- comparison and lookup ----------------------------------------------------------------------------- */

static bool same_collation(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static bool compare(const struct type *a, const struct type *b, bool nullability)
{
    if (a == b)
        return true;
    if (a->kind != b->kind || a->precision != b->precision || a->scale != b->scale ||
        a->field_count != b->field_count || a->interval_from != b->interval_from ||
        a->interval_to != b->interval_to || !same_collation(a->collation, b->collation))
        return false;
    for (uint32_t i = 0; i < a->field_count; i++) {
        const struct field *x = &a->fields[i], *y = &b->fields[i];
        if ((nullability && x->nullable != y->nullable) || strcmp(x->name, y->name) != 0 ||
            !compare(x->type, y->type, nullability))
            return false;
    }
    return true;
}

bool type_equal(const struct type *a, const struct type *b)
{
    return compare(a, b, true);
}

bool type_same(const struct type *a, const struct type *b)
{
    return compare(a, b, false);
}

int type_field(const struct type *struct_type, struct str name, bool nocase)
{
    int found = -1;
    for (uint32_t i = 0; i < struct_type->field_count; i++)
        if (str_is(name, struct_type->fields[i].name))
            return (int)i;
    for (uint32_t i = 0; nocase && i < struct_type->field_count; i++)
        if (str_eq_nocase(name, str_of(struct_type->fields[i].name)))
            found = found == -1 ? (int)i : -2;
    return found;
}

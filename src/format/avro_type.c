/* Avro's types and SQL's: each as the other. */
#include "format/avro_private.h"

/* ---- a schema's columns --------------------------------------------------------------------------------------------------- */

struct avro_members avro_members_of(const struct avro_type *type)
{
    struct avro_members members = {0};
    unsigned kinds = 0;
    for (uint32_t i = 0; i < type->names.count; i++) {
        const struct avro_type *branch = type->types[i];
        if (branch->kind == AVRO_NULL) {
            members.has_null = true;
            continue;
        }
        if (members.count++ == 0)
            members.only = branch;
        kinds |= 1u << branch->kind;
    }
    if (members.count == 2 && kinds == (1u << AVRO_INT | 1u << AVRO_LONG))
        members.number = type_simple(TYPE_LONG);
    if (members.count == 2 && kinds == (1u << AVRO_FLOAT | 1u << AVRO_DOUBLE))
        members.number = type_simple(TYPE_DOUBLE);
    return members;
}

uint32_t avro_member_index(const struct avro_type *type, uint32_t branch)
{
    uint32_t index = branch;
    for (uint32_t i = 0; i < branch; i++)
        index -= type->types[i]->kind == AVRO_NULL;
    return index;
}

/* A type that was met before, while it is being made or made. */
struct made {
    const struct type *type;
    uint32_t columns; /* it has, all levels */
    bool is_open;
};

struct maker {
    struct arena *arena;
    struct made *made; /* made[schema->type_count] */
    struct err *err;
    uint32_t depth;
};

static const struct type *make(struct maker *m, const struct avro_type *type, uint32_t *columns);

static bool is_nullable(const struct avro_type *type)
{
    return type->kind == AVRO_NULL || (type->kind == AVRO_UNION && avro_members_of(type).has_null);
}

static const struct type *simple_type(struct maker *m, const struct avro_type *type)
{
    switch (type->logical) {
    case AVRO_DECIMAL:
        if (type->precision <= DECIMAL_PRECISION_MAX)
            return type_decimal(m->arena, type->precision, type->scale);
        break;
    case AVRO_UUID: return type_simple(TYPE_STRING);
    case AVRO_DATE: return type_simple(TYPE_DATE);
    case AVRO_TIMESTAMP_MILLIS:
    case AVRO_TIMESTAMP_MICROS:
    case AVRO_TIMESTAMP_NANOS: return type_simple(TYPE_TIMESTAMP);
    case AVRO_LOCAL_TIMESTAMP_MILLIS:
    case AVRO_LOCAL_TIMESTAMP_MICROS:
    case AVRO_LOCAL_TIMESTAMP_NANOS: return type_simple(TYPE_TIMESTAMP_NTZ);
    default: break;
    }
    switch (type->kind) {
    case AVRO_BOOLEAN: return type_simple(TYPE_BOOLEAN);
    case AVRO_INT: return type_simple(TYPE_INT);
    case AVRO_LONG: return type_simple(TYPE_LONG);
    case AVRO_FLOAT: return type_simple(TYPE_FLOAT);
    case AVRO_DOUBLE: return type_simple(TYPE_DOUBLE);
    case AVRO_BYTES:
    case AVRO_FIXED: return type_simple(TYPE_BINARY);
    case AVRO_STRING:
    case AVRO_ENUM: return type_simple(TYPE_STRING);
    default: return type_simple(TYPE_NULL);
    }
}

static const struct type *make_duration(struct maker *m, uint32_t *columns)
{
    static const char *const names[] = {"months", "days", "milliseconds"};
    struct field fields[3];
    for (int i = 0; i < 3; i++)
        fields[i] = (struct field){.name = names[i], .type = type_simple(TYPE_LONG)};
    *columns = 4;
    return type_struct(m->arena, fields, 3);
}

static const struct type *make_record(struct maker *m, const struct avro_type *type, uint32_t *columns)
{
    uint32_t count = type->names.count, more;
    if (count > TYPE_FIELDS_MAX) {
        err_set(m->err, ERR_CONFIG, "the record \"%.*s\" has more than %d fields", STR_ARG(type->full),
                TYPE_FIELDS_MAX);
        return NULL;
    }
    struct field *fields = arena_zarray(m->arena, struct field, count);
    for (uint32_t i = 0; i < count; i++) {
        const struct avro_field *field = &type->fields[i];
        fields[i].name = str_dup(m->arena, field->name);
        fields[i].nullable = is_nullable(field->type);
        fields[i].type = make(m, field->type, &more);
        if (fields[i].type == NULL) {
            err_context(m->err, "field \"%.*s\"", STR_ARG(field->name));
            return NULL;
        }
        *columns += more;
    }
    return type_struct(m->arena, fields, count);
}

static const struct type *make_union(struct maker *m, const struct avro_type *type, uint32_t *columns)
{
    struct avro_members members = avro_members_of(type);
    uint32_t more, count = 0;
    if (members.number != NULL)
        return members.number;
    if (members.count == 0)
        return type_simple(TYPE_NULL);
    if (members.count == 1)
        return make(m, members.only, columns);
    struct field *fields = arena_zarray(m->arena, struct field, members.count);
    for (uint32_t i = 0; i < type->names.count; i++) {
        if (type->types[i]->kind == AVRO_NULL)
            continue;
        struct field *field = &fields[count];
        field->name = arena_printf(m->arena, "member%u", count++);
        field->nullable = true;
        if ((field->type = make(m, type->types[i], &more)) == NULL)
            return NULL;
        *columns += more;
    }
    return type_struct(m->arena, fields, count);
}

static const struct type *make_nested(struct maker *m, const struct avro_type *type, uint32_t *columns)
{
    const struct type *items;
    uint32_t more;
    switch (type->kind) {
    case AVRO_RECORD: return make_record(m, type, columns);
    case AVRO_UNION: return make_union(m, type, columns);
    case AVRO_ARRAY:
    case AVRO_MAP:
        if ((items = make(m, type->items, &more)) == NULL)
            return NULL;
        *columns += more;
        if (type->kind == AVRO_ARRAY)
            return type_array(m->arena, items, is_nullable(type->items));
        return type_map(m->arena, type_simple(TYPE_STRING), items, is_nullable(type->items));
    default: return type->logical == AVRO_DURATION ? make_duration(m, columns) : simple_type(m, type);
    }
}

/* Each type is made once, so that many that share what is in them take no longer than a few. */
static const struct type *make(struct maker *m, const struct avro_type *type, uint32_t *columns)
{
    struct made *made = &m->made[type->id];
    if (made->is_open) {
        err_set(m->err, ERR_CONFIG, "the type \"%.*s\" holds itself, and a column cannot",
                STR_ARG(type->full));
        return NULL;
    }
    if (made->type == NULL) {
        if (m->depth >= TYPE_DEPTH_MAX) {
            err_set(m->err, ERR_CONFIG, "types are nested deeper than %d", TYPE_DEPTH_MAX);
            return NULL;
        }
        made->is_open = true;
        made->columns = 1;
        m->depth++;
        made->type = make_nested(m, type, &made->columns);
        m->depth--;
        made->is_open = false;
        if (made->columns > AVRO_COLUMNS_MAX) {
            err_set(m->err, ERR_CONFIG, "the schema has more than %d columns", AVRO_COLUMNS_MAX);
            return NULL;
        }
    }
    *columns = made->columns;
    return made->type;
}

static uint32_t depth_of(const struct type *type, uint32_t limit)
{
    uint32_t deepest = 0;
    for (uint32_t i = 0; limit > 0 && i < type->field_count; i++) {
        uint32_t depth = depth_of(type->fields[i].type, limit - 1);
        deepest = depth > deepest ? depth : deepest;
    }
    return deepest + 1;
}

const struct type *avro_columns_type(struct arena *arena, const struct avro_schema *schema, struct err *err)
{
    struct arena scratch = {0};
    struct maker m = {.arena = arena, .err = err};
    uint32_t columns = 0;
    m.made = arena_zarray(&scratch, struct made, schema->type_count);
    const struct type *type = make(&m, schema->root, &columns);
    arena_fini(&scratch);
    if (type == NULL)
        return NULL;
    if (schema->root->kind != AVRO_RECORD) {
        const struct field value = {.name = "value", .type = type, .nullable = is_nullable(schema->root)};
        type = type_struct(arena, &value, 1);
    }
    if (depth_of(type, TYPE_DEPTH_MAX + 1) > TYPE_DEPTH_MAX) { /* a shared type may be met further down */
        err_set(err, ERR_CONFIG, "types are nested deeper than %d", TYPE_DEPTH_MAX);
        return NULL;
    }
    return type;
}

/* ---- columns that grow ---------------------------------------------------------------------------------------------------- */

static bool is_wider(enum type_kind old, enum type_kind new)
{
    if (old == TYPE_NULL)
        return new != TYPE_NULL;
    return (old == TYPE_INT && (new == TYPE_LONG || new == TYPE_FLOAT || new == TYPE_DOUBLE)) ||
           (old == TYPE_LONG && (new == TYPE_FLOAT || new == TYPE_DOUBLE)) ||
           (old == TYPE_FLOAT && new == TYPE_DOUBLE);
}

static const struct type *evolve(struct arena *arena, const struct type *old, const struct type *new,
                                 bool *widened);

static const struct type *evolve_struct(struct arena *arena, const struct type *old, const struct type *new,
                                        bool *widened)
{
    struct field *fields = arena_array(arena, struct field, (size_t)old->field_count + new->field_count);
    uint32_t count = old->field_count;
    bool changed = false;
    if (count > 0)
        memcpy(fields, old->fields, count * sizeof *fields);
    for (uint32_t i = 0; i < new->field_count; i++) {
        int index = type_field(old, str_of(new->fields[i].name), false);
        if (index >= 0) {
            fields[index].type = evolve(arena, fields[index].type, new->fields[i].type, widened);
            changed = changed || fields[index].type != old->fields[index].type;
        } else if (count < TYPE_FIELDS_MAX) {
            fields[count] = new->fields[i];
            fields[count].type = type_copy(arena, new->fields[i].type);
            fields[count++].nullable = true;
            changed = true;
        }
    }
    return changed ? type_struct(arena, fields, count) : old;
}

static const struct type *evolve(struct arena *arena, const struct type *old, const struct type *new,
                                 bool *widened)
{
    if (old->kind != new->kind) {
        bool wider = is_wider(old->kind, new->kind);
        *widened |= wider;
        return wider ? type_copy(arena, new) : old;
    }
    if (old->kind == TYPE_STRUCT)
        return evolve_struct(arena, old, new, widened);
    if (old->kind != TYPE_ARRAY && old->kind != TYPE_MAP)
        return old;
    const struct field *last = &old->fields[old->field_count - 1];
    const struct type *items = evolve(arena, last->type, new->fields[new->field_count - 1].type, widened);
    if (items == last->type)
        return old;
    return old->kind == TYPE_ARRAY ? type_array(arena, items, last->nullable)
                                   : type_map(arena, old->fields[0].type, items, last->nullable);
}

const struct type *avro_columns_evolve(struct arena *arena, const struct type *pinned,
                                       const struct type *found, bool *widened)
{
    bool ignored = false;
    return evolve(arena, pinned, found, widened ? widened : &ignored);
}

/* ---- columns' schema ------------------------------------------------------------------------------------------------------ */

static bool is_name(struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        bool letter = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_';
        if (!letter && (i == 0 || c < '0' || c > '9'))
            return false;
    }
    return s.n > 0;
}

/* `way`: the names on the way to here, from which a record gets its own. */
static bool write_type(const struct type *type, const char *way, struct str space, struct sbuf *out,
                       struct arena *arena, struct err *err);

static bool write_field_type(const struct field *field, const char *way, struct sbuf *out,
                             struct arena *arena, struct err *err)
{
    bool is_union = field->nullable && field->type->kind != TYPE_NULL;
    sbuf_cstr(out, is_union ? "[\"null\"," : "");
    TRY(write_type(field->type, way, STR(""), out, arena, err));
    sbuf_cstr(out, is_union ? "]" : "");
    return true;
}

static bool write_record(const struct type *type, const char *way, struct str space, struct sbuf *out,
                         struct arena *arena, struct err *err)
{
    sbuf_printf(out, "{\"type\":\"record\",\"name\":\"%s\"", way);
    if (space.n > 0)
        sbuf_printf(out, ",\"namespace\":\"%.*s\"", STR_ARG(space));
    sbuf_cstr(out, ",\"fields\":[");
    for (uint32_t i = 0; i < type->field_count; i++) {
        const struct field *field = &type->fields[i];
        if (!is_name(str_of(field->name))) {
            err_set(err, ERR_CONFIG, "\"%s\" cannot be a name in Avro", field->name);
            return err_hint(err, "Letters, digits and _ can; rename the column with AS.");
        }
        sbuf_printf(out, "%s{\"name\":\"%s\",\"type\":", i ? "," : "", field->name);
        if (!write_field_type(field, arena_printf(arena, "%s_%s", way, field->name), out, arena, err))
            return err_context(err, "column \"%s\"", field->name);
        sbuf_cstr(out, field->nullable || field->type->kind == TYPE_NULL ? ",\"default\":null}" : "}");
    }
    sbuf_cstr(out, "]}");
    return true;
}

static const char *logical_text(const struct type *type)
{
    switch (type->kind) {
    case TYPE_DATE: return "{\"type\":\"int\",\"logicalType\":\"date\"}";
    case TYPE_TIMESTAMP: return "{\"type\":\"long\",\"logicalType\":\"timestamp-micros\"}";
    case TYPE_TIMESTAMP_NTZ: return "{\"type\":\"long\",\"logicalType\":\"local-timestamp-micros\"}";
    case TYPE_NULL: return "\"null\"";
    case TYPE_BOOLEAN: return "\"boolean\"";
    case TYPE_BYTE:
    case TYPE_SHORT:
    case TYPE_INT:
    case TYPE_INTERVAL_YM: return "\"int\"";
    case TYPE_LONG:
    case TYPE_INTERVAL_DT: return "\"long\"";
    case TYPE_FLOAT: return "\"float\"";
    case TYPE_DOUBLE: return "\"double\"";
    case TYPE_STRING: return "\"string\"";
    case TYPE_BINARY: return "\"bytes\"";
    default: return NULL;
    }
}

static bool write_type(const struct type *type, const char *way, struct str space, struct sbuf *out,
                       struct arena *arena, struct err *err)
{
    const char *text = logical_text(type);
    if (text != NULL) {
        sbuf_cstr(out, text);
        return true;
    }
    switch (type->kind) {
    case TYPE_STRUCT: return write_record(type, way, space, out, arena, err);
    case TYPE_DECIMAL:
        sbuf_printf(out, "{\"type\":\"bytes\",\"logicalType\":\"decimal\",\"precision\":%u,\"scale\":%u}",
                    type->precision, type->scale);
        return true;
    case TYPE_ARRAY:
    case TYPE_MAP:
        if (type->kind == TYPE_MAP && type->fields[0].type->kind != TYPE_STRING)
            return err_set(err, ERR_CONFIG, "a map in Avro has STRING keys");
        sbuf_cstr(out, type->kind == TYPE_ARRAY ? "{\"type\":\"array\",\"items\":"
                                                : "{\"type\":\"map\",\"values\":");
        TRY(write_field_type(&type->fields[type->field_count - 1], way, out, arena, err));
        sbuf_char(out, '}');
        return true;
    default:
        err_set(err, ERR_CONFIG, "Avro has no type for VARIANT");
        return err_hint(err, "to_json makes a STRING of it.");
    }
}

bool avro_schema_of_columns(const struct type *columns, struct str name, struct str space, struct sbuf *out,
                            struct err *err)
{
    struct arena arena = {0};
    CHECK(columns->kind == TYPE_STRUCT);
    if (!is_name(name))
        return err_set(err, ERR_CONFIG, "\"%.*s\" cannot be the name of a record in Avro", STR_ARG(name));
    bool ok = write_type(columns, str_dup(&arena, name), space, out, &arena, err);
    arena_fini(&arena);
    return ok;
}

#include "format/json_schema.h"

#include "base/map.h"

#define CONNECT_DECIMAL "org.apache.kafka.connect.data.Decimal"

/* What a schema becomes: kind NULL says nothing of the type (true, {}), and nullable that null is one of its values. */
struct found {
    const struct type *type;
    bool nullable;
};

struct mapping {
    struct arena *arena;
    uint32_t *open;        /* ids of the schemas around this one: open[depth] */
    uint32_t depth, count; /* schemas: around this one, and mapped so far */
    struct err *err;
};

static bool map(struct mapping *m, const struct jschema *schema, struct found *found);

/* ---- what several say together --------------------------------------------------------------------------------------------- */

static const struct type *text(void)
{
    return type_simple(TYPE_STRING);
}

/* The type that takes values of both. */
static const struct type *either(const struct type *a, const struct type *b)
{
    if (a == NULL || b == NULL)
        return a ? a : b;
    if (type_same(a, b))
        return a;
    if (type_is_integer(a) && type_is_integer(b))
        return a->kind > b->kind ? a : b;
    if (type_is_numeric(a) && type_is_numeric(b))
        return type_simple(TYPE_DOUBLE);
    return text();
}

/* Of two that both hold. A format beside a plain type says more than that. */
static const struct type *both(const struct type *a, const struct type *b)
{
    if (a == NULL || b == NULL)
        return a ? a : b;
    if (type_is_numeric(a) && type_is_numeric(b))
        return type_is_integer(a) ? a : b;
    if (a->kind == TYPE_STRING)
        return b->kind <= TYPE_DOUBLE ? text() : b;
    return b->kind == TYPE_STRING || type_same(a, b) ? a : text();
}

static const struct type *type_of_value(const struct json_node *value, bool *is_null)
{
    switch (value->kind) {
    case JSON_NULL: *is_null = true; return NULL;
    case JSON_BOOLEAN: return type_simple(TYPE_BOOLEAN);
    case JSON_NUMBER: {
        bool whole = true;
        for (size_t i = 0; i < value->text.n; i++)
            whole = whole && value->text.p[i] != '.' && (value->text.p[i] | 32) != 'e';
        return type_simple(whole ? TYPE_LONG : TYPE_DOUBLE);
    }
    case JSON_STRING:
    case JSON_ARRAY:
    case JSON_OBJECT: return text();
    }
    UNREACHABLE("kind of JSON");
}

/* The fields of objects that all hold at once. */
struct fields {
    struct field *items; /* items[count] */
    size_t count, capacity;
    struct map places; /* name → place from 1, as a pointer */
};

static void fields_fini(struct fields *all)
{
    mem_free(all->items);
    map_fini(&all->places);
}

static bool add_fields(struct mapping *m, struct fields *all, const struct type *object)
{
    for (uint32_t i = 0; i < object->field_count; i++) {
        const struct field *field = &object->fields[i];
        uintptr_t place = (uintptr_t)map_get(&all->places, str_of(field->name));
        if (place > 0) {
            all->items[place - 1].nullable = all->items[place - 1].nullable && field->nullable;
            continue;
        }
        if (all->count == TYPE_FIELDS_MAX)
            return err_set(m->err, ERR_CONFIG, "objects that all hold have more than %d properties",
                           TYPE_FIELDS_MAX);
        all->items = mem_grow(all->items, &all->capacity, all->count + 1, sizeof *all->items);
        all->items[all->count++] = *field;
        map_put(&all->places, str_of(field->name), (void *)(uintptr_t)all->count);
    }
    return true;
}

static bool map_items_of_all(struct mapping *m, const struct jschema *schema, struct fields *all,
                             struct found *found)
{
    for (uint32_t i = 0; i < schema->count; i++) {
        struct found one;
        TRY(map(m, schema->items[i], &one));
        found->nullable = found->nullable && one.nullable;
        if (one.type != NULL && one.type->kind == TYPE_STRUCT)
            TRY(add_fields(m, all, one.type));
        else if (jschema_target(schema->items[i])->kind != JSCHEMA_NULL)
            found->type = both(found->type, one.type);
    }
    if (all->count > 0)
        found->type = both(found->type, type_struct(m->arena, all->items, (uint32_t)all->count));
    return true;
}

static bool map_all_of(struct mapping *m, const struct jschema *schema, struct found *found)
{
    struct fields all = {0};
    found->nullable = true;
    bool ok = map_items_of_all(m, schema, &all, found);
    fields_fini(&all);
    return ok;
}

static bool map_one_of(struct mapping *m, const struct jschema *schema, struct found *found)
{
    for (uint32_t i = 0; i < schema->count; i++) {
        struct found one;
        TRY(map(m, schema->items[i], &one));
        found->nullable = found->nullable || one.nullable;
        if (jschema_target(schema->items[i])->kind != JSCHEMA_NULL)
            found->type = either(found->type, one.type ? one.type : text());
    }
    return true;
}

/* ---- single types ---------------------------------------------------------------------------------------------------------- */

/* The member of the schema's own text, or empty. */
static struct str word(const struct jschema *schema, const char *name)
{
    const struct json_node *node = json_member(schema->node, str_of(name));
    return node && node->kind == JSON_STRING ? node->text : STR("");
}

static const struct type *decimal_of(struct mapping *m, const struct jschema *schema)
{
    const struct json_node *parameters = json_member(schema->node, STR("connect.parameters"));
    const struct json_node *scale = json_member(parameters, STR("scale")),
                           *precision = json_member(parameters, STR("connect.decimal.precision"));
    uint64_t s = 0, p = DECIMAL_PRECISION_MAX;
    if (scale == NULL || !str_to_u64(scale->text, &s) || s > DECIMAL_PRECISION_MAX)
        return type_simple(TYPE_DOUBLE);
    if (precision == NULL || !str_to_u64(precision->text, &p) || p < 1 || p > DECIMAL_PRECISION_MAX || p < s)
        p = DECIMAL_PRECISION_MAX;
    return type_decimal(m->arena, (unsigned)p, (unsigned)s);
}

static const struct type *number_of(struct mapping *m, const struct jschema *schema)
{
    struct str connect = word(schema, "connect.type"), format = word(schema, "format");
    struct str size = connect.n ? connect : format;
    if (str_is(word(schema, "title"), CONNECT_DECIMAL))
        return decimal_of(m, schema);
    if (!schema->is_integer)
        return type_simple(str_is(size, "float32") || str_is(size, "float") ? TYPE_FLOAT : TYPE_DOUBLE);
    return type_simple(str_is(size, "int8")    ? TYPE_BYTE
                       : str_is(size, "int16") ? TYPE_SHORT
                       : str_is(size, "int32") ? TYPE_INT
                                               : TYPE_LONG);
}

static const struct type *string_of(const struct jschema *schema)
{
    struct str format = word(schema, "format");
    return type_simple(str_is(word(schema, "contentEncoding"), "base64") ? TYPE_BINARY
                       : str_is(format, "date")                          ? TYPE_DATE
                       : str_is(format, "date-time")                     ? TYPE_TIMESTAMP
                                                                         : TYPE_STRING);
}

static bool map_array(struct mapping *m, const struct jschema *schema, struct found *found)
{
    struct found item = {0}, one;
    if (schema->all_items)
        TRY(map(m, schema->all_items, &item));
    for (uint32_t i = 0; i < schema->count; i++) {
        TRY(map(m, schema->items[i], &one));
        item.type = either(item.type, one.type ? one.type : text());
        item.nullable = item.nullable || one.nullable;
    }
    if (schema->count > 0 && !schema->is_closed)
        item = (struct found){text(), true};
    found->type = type_array(m->arena, item.type ? item.type : text(), item.type == NULL || item.nullable);
    return true;
}

/* The names of properties that have to be there. */
static void find_required(const struct jschema *schema, struct map *names)
{
    static char yes;
    JSON_EACH(item, json_member(schema->node, STR("required")))
    if (item->kind == JSON_STRING)
        map_put(names, item->text, &yes);
}

static bool map_properties(struct mapping *m, const struct jschema_members *properties,
                           const struct map *required, struct field *fields)
{
    for (uint32_t i = 0; i < properties->count; i++) {
        const struct jschema_member *member = &properties->items[i];
        struct found one;
        TRY(map(m, member->schema, &one));
        fields[i] = (struct field){
            .name = str_dup(m->arena, member->name),
            .type = one.type ? one.type : text(),
            .nullable = one.type == NULL || one.nullable || map_get(required, member->name) == NULL,
        };
    }
    return true;
}

static bool map_object(struct mapping *m, const struct jschema *schema, struct found *found)
{
    const struct jschema_members *properties = &schema->properties;
    struct found one;
    if (properties->count == 0) {
        const struct jschema *values = schema->additional            ? schema->additional
                                       : schema->patterns.count == 1 ? schema->patterns.items[0].schema
                                                                     : NULL;
        if (values == NULL || jschema_target(values)->kind == JSCHEMA_TRUE) {
            found->type = text();
            return true;
        }
        TRY(map(m, values, &one));
        found->type = type_map(m->arena, text(), one.type ? one.type : text(),
                               one.type == NULL || one.nullable);
        return true;
    }
    if (properties->count > TYPE_FIELDS_MAX)
        return err_set(m->err, ERR_CONFIG, "an object has %u properties, more than %d", properties->count,
                       TYPE_FIELDS_MAX);
    struct field *fields = arena_array(m->arena, struct field, properties->count);
    struct map required = {0};
    find_required(schema, &required);
    bool ok = map_properties(m, properties, &required, fields);
    map_fini(&required);
    found->type = ok ? type_struct(m->arena, fields, properties->count) : NULL;
    return ok;
}

static bool map_values(const struct json_node *values, struct found *found)
{
    JSON_EACH(value, values)
    found->type = either(found->type, type_of_value(value, &found->nullable));
    return true;
}

static bool map_kind(struct mapping *m, const struct jschema *schema, struct found *found)
{
    switch (schema->kind) {
    case JSCHEMA_TRUE:
    case JSCHEMA_EMPTY: found->nullable = true; return true;
    case JSCHEMA_NULL: found->nullable = true; return true;
    case JSCHEMA_ENUM: return map_values(json_member(schema->node, STR("enum")), found);
    case JSCHEMA_CONST:
        found->type = type_of_value(json_member(schema->node, STR("const")), &found->nullable);
        return true;
    case JSCHEMA_BOOLEAN: found->type = type_simple(TYPE_BOOLEAN); return true;
    case JSCHEMA_NUMBER: found->type = number_of(m, schema); return true;
    case JSCHEMA_STRING: found->type = string_of(schema); return true;
    case JSCHEMA_ARRAY: return map_array(m, schema, found);
    case JSCHEMA_OBJECT: return map_object(m, schema, found);
    case JSCHEMA_COMBINED:
        return schema->criterion == JSCHEMA_ALL_OF ? map_all_of(m, schema, found)
                                                   : map_one_of(m, schema, found);
    case JSCHEMA_FALSE:
    case JSCHEMA_REF:
    case JSCHEMA_NOT:
    case JSCHEMA_CONDITIONAL: *found = (struct found){NULL, true}; return true;
    }
    UNREACHABLE("kind of JSON Schema");
}

/* As deep as open[] is: what is deeper would hold itself, or is refused. */
static bool map(struct mapping *m, const struct jschema *schema, struct found *found)
{
    schema = jschema_target(schema);
    *found = (struct found){0};
    for (uint32_t i = 0; i < m->depth; i++)
        if (m->open[i] == schema->id) { /* it holds itself */
            *found = (struct found){text(), true};
            return true;
        }
    if (m->depth == TYPE_DEPTH_MAX)
        return err_set(m->err, ERR_CONFIG, "the schema is nested deeper than %d", TYPE_DEPTH_MAX);
    if (++m->count > JSON_SCHEMA_PARTS_MAX)
        return err_set(m->err, ERR_CONFIG, "the schema has more than %d parts", JSON_SCHEMA_PARTS_MAX);
    m->open[m->depth++] = schema->id;
    bool ok = map_kind(m, schema, found);
    m->depth--;
    return ok;
}

const struct type *json_schema_columns(struct arena *arena, const struct jschema_document *schema,
                                       struct err *err)
{
    uint32_t open[TYPE_DEPTH_MAX];
    struct mapping m = {.arena = arena, .open = open, .err = err};
    struct found found;
    if (!map(&m, schema->root, &found))
        return NULL;
    if (found.type && found.type->kind == TYPE_STRUCT)
        return found.type;
    const struct field value = {"value", found.type ? found.type : text(), true, NULL};
    return type_struct(arena, &value, 1);
}

/* ---- the other way --------------------------------------------------------------------------------------------------------- */

static bool put_type(const struct type *type, struct str title, struct sbuf *out, struct err *err);

static bool put_nullable(const struct type *type, bool nullable, struct sbuf *out, struct err *err)
{
    if (nullable)
        sbuf_cstr(out, "{\"oneOf\":[{\"type\":\"null\"},");
    TRY(put_type(type, (struct str){0}, out, err));
    if (nullable)
        sbuf_cstr(out, "]}");
    return true;
}

static bool put_object(const struct type *type, struct str title, struct sbuf *out, struct err *err)
{
    const char *between = "";
    if (title.n) {
        sbuf_cstr(out, "{\"$schema\":\"http://json-schema.org/draft-07/schema#\",\"title\":");
        sbuf_json(out, title);
        sbuf_cstr(out, ",\"type\":\"object\",\"additionalProperties\":false,\"properties\":{");
    } else {
        sbuf_cstr(out, "{\"type\":\"object\",\"additionalProperties\":false,\"properties\":{");
    }
    for (uint32_t i = 0; i < type->field_count; i++, between = ",") {
        sbuf_cstr(out, between);
        sbuf_json(out, str_of(type->fields[i].name));
        sbuf_char(out, ':');
        TRY(put_nullable(type->fields[i].type, type->fields[i].nullable, out, err));
    }
    sbuf_char(out, '}');
    between = ",\"required\":[";
    for (uint32_t i = 0; i < type->field_count; i++) {
        if (type->fields[i].nullable)
            continue;
        sbuf_cstr(out, between);
        sbuf_json(out, str_of(type->fields[i].name));
        between = ",";
    }
    sbuf_cstr(out, between[1] ? "}" : "]}");
    return true;
}

static bool put_type(const struct type *type, struct str title, struct sbuf *out, struct err *err)
{
    switch (type->kind) {
    case TYPE_BOOLEAN: sbuf_cstr(out, "{\"type\":\"boolean\"}"); return true;
    case TYPE_BYTE: sbuf_cstr(out, "{\"type\":\"integer\",\"connect.type\":\"int8\"}"); return true;
    case TYPE_SHORT: sbuf_cstr(out, "{\"type\":\"integer\",\"connect.type\":\"int16\"}"); return true;
    case TYPE_INT: sbuf_cstr(out, "{\"type\":\"integer\",\"connect.type\":\"int32\"}"); return true;
    case TYPE_LONG: sbuf_cstr(out, "{\"type\":\"integer\",\"connect.type\":\"int64\"}"); return true;
    case TYPE_FLOAT: sbuf_cstr(out, "{\"type\":\"number\",\"connect.type\":\"float32\"}"); return true;
    case TYPE_DOUBLE: sbuf_cstr(out, "{\"type\":\"number\",\"connect.type\":\"float64\"}"); return true;
    case TYPE_DECIMAL:
        sbuf_printf(out,
                    "{\"type\":\"number\",\"title\":\"" CONNECT_DECIMAL
                    "\",\"connect.parameters\":{\"scale\":\"%u\",\"connect.decimal.precision\":\"%u\"}}",
                    type->scale, type->precision);
        return true;
    case TYPE_BINARY: sbuf_cstr(out, "{\"type\":\"string\",\"contentEncoding\":\"base64\"}"); return true;
    case TYPE_DATE: sbuf_cstr(out, "{\"type\":\"string\",\"format\":\"date\"}"); return true;
    case TYPE_TIMESTAMP:
    case TYPE_TIMESTAMP_NTZ: sbuf_cstr(out, "{\"type\":\"string\",\"format\":\"date-time\"}"); return true;
    case TYPE_NULL:
    case TYPE_STRING:
    case TYPE_INTERVAL_YM:
    case TYPE_INTERVAL_DT: sbuf_cstr(out, "{\"type\":\"string\"}"); return true;
    case TYPE_ARRAY:
        sbuf_cstr(out, "{\"type\":\"array\",\"items\":");
        TRY(put_nullable(type->fields[0].type, type->fields[0].nullable, out, err));
        sbuf_char(out, '}');
        return true;
    case TYPE_MAP:
        if (type->fields[0].type->kind != TYPE_STRING)
            return err_set(err, ERR_CONFIG, "a map's key has to be STRING to be a JSON object's");
        sbuf_cstr(out, "{\"type\":\"object\",\"additionalProperties\":");
        TRY(put_nullable(type->fields[1].type, type->fields[1].nullable, out, err));
        sbuf_char(out, '}');
        return true;
    case TYPE_STRUCT: return put_object(type, title, out, err);
    case TYPE_VARIANT: sbuf_cstr(out, "{}"); return true;
    case TYPE_KINDS: break;
    }
    UNREACHABLE("type");
}

bool json_schema_of_columns(const struct type *columns, struct str title, struct sbuf *out, struct err *err)
{
    size_t before = out->n;
    bool ok = put_type(columns, title, out, err);
    if (!ok)
        out->n = before;
    return ok;
}

/* Avro's JSON to types.
 *
 * One walk over the tree makes the types and enters those with names into a table. A name may be used before it is defined (as
 * Java's parser since 1.12 has it), so a use of a name only notes the place that the type belongs to; all of them are filled in at
 * the end, when every name is known. What can only be said then follows: defaults are values of their types, branches of unions
 * are told apart, and following names never leads deeper than SCHEMA_DEPTH_MAX, so that every other walk may recurse. */
#include <math.h>
#include <stdlib.h>

#include "base/map.h"
#include "base/utf8.h"
#include "schema/avro.h"
#include "schema/schema_private.h"
#include "schema/text.h"

struct use {
    const struct avro_type **place;
    struct str space; /* where it stands */
    const struct json_node *node;
    struct str text; /* that the node is of */
    const char *file;
    struct use *next;
};

struct parse {
    struct arena *arena;
    struct str text; /* now: of the schema or of a reference */
    const char *file;
    bool lenient;
    struct map names; /* full name → struct avro_type */
    struct use *uses, **last_use;
    struct avro_type *types, **last_type; /* chained, of this text */
    uint32_t type_count;
    struct err *err;
};

#define FAIL(p, node, ...) text_fail((p)->err, (p)->text, (p)->file, (node)->at, __VA_ARGS__)

static const char *const kind_names[] = {"null",   "boolean", "int",  "long",  "float", "double", "bytes",
                                         "string", "record",  "enum", "fixed", "array", "map",    "union"};

const char *avro_kind_name(enum avro_kind kind)
{
    return kind_names[kind];
}

/* False: none of the eight. */
static bool primitive_find(struct str name, enum avro_kind *kind)
{
    for (int i = AVRO_NULL; i <= AVRO_STRING; i++)
        if (str_is(name, kind_names[i])) {
            *kind = (enum avro_kind)i;
            return true;
        }
    return false;
}

/* ---- names ------------------------------------------------------------------------------------------------------------- */

static int compare_names(const void *a, const void *b, void *items)
{
    const struct str *names = items;
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    int order = str_cmp(names[x], names[y]);
    return order != 0 ? order : (x > y) - (x < y);
}

void avro_names_sort(struct arena *arena, struct avro_names *names)
{
    names->sorted = arena_array(arena, uint32_t, names->count);
    for (uint32_t i = 0; i < names->count; i++)
        names->sorted[i] = i;
    if (names->count > 1)
        qsort_r(names->sorted, names->count, sizeof *names->sorted, compare_names, names->items);
}

int32_t avro_names_find(const struct avro_names *names, struct str name)
{
    uint32_t low = 0, high = names->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (str_cmp(names->items[names->sorted[middle]], name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low < names->count && str_eq(names->items[names->sorted[low]], name) ? (int32_t)names->sorted[low]
                                                                                : -1;
}

/* Index of one that comes twice, or -1. */
static int32_t find_twice(const struct avro_names *names)
{
    for (uint32_t i = 1; i < names->count; i++)
        if (str_eq(names->items[names->sorted[i - 1]], names->items[names->sorted[i]]))
            return (int32_t)names->sorted[i];
    return -1;
}

/* Strict: [A-Za-z_][A-Za-z0-9_]*. Lenient: letters and digits of any script (all past ASCII pass). */
static bool is_name(struct str name, bool lenient)
{
    for (size_t i = 0; i < name.n; i++) {
        unsigned char c = (unsigned char)name.p[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (lenient && c >= 0x80);
        if (!letter && !(i > 0 && c >= '0' && c <= '9'))
            return false;
    }
    return name.n > 0;
}

static bool check_name(struct parse *p, const struct json_node *node, struct str name)
{
    return is_name(name, p->lenient) || FAIL(p, node, "\"%.*s\" is no name", STR_ARG(name));
}

static bool check_space(struct parse *p, const struct json_node *node, struct str space)
{
    while (space.n > 0 && !p->lenient) {
        size_t dot = str_find(space, STR("."), 0);
        struct str part = str_n(space.p, dot == SIZE_MAX ? space.n : dot);
        TRY(check_name(p, node, part));
        if (dot != SIZE_MAX && dot + 1 == space.n)
            return FAIL(p, node, "a namespace ends in a dot");
        space = dot == SIZE_MAX ? str_n(NULL, 0) : str_n(space.p + dot + 1, space.n - dot - 1);
    }
    return true;
}

static struct str join_name(struct arena *arena, struct str space, struct str name)
{
    if (space.n == 0)
        return name;
    char *full = arena_alloc(arena, space.n + 1 + name.n);
    memcpy(full, space.p, space.n);
    full[space.n] = '.';
    memcpy(full + space.n + 1, name.p, name.n);
    return str_n(full, space.n + 1 + name.n);
}

static bool take_text(struct parse *p, const struct json_node *object, const char *name, bool required,
                      struct str *text)
{
    const struct json_node *node = json_member(object, str_of(name));
    *text = str_n(NULL, 0);
    if (node == NULL)
        return !required || FAIL(p, object, "\"%s\" is missing", name);
    if (node->kind != JSON_STRING)
        return !required || FAIL(p, node, "\"%s\" must be a text", name);
    *text = str_n(node->text.n > 0 ? node->text.p : "", node->text.n); /* not NULL: it is there */
    return true;
}

static bool take_names(struct parse *p, const struct json_node *list, const char *what,
                       struct avro_names *names)
{
    if (list->kind != JSON_ARRAY)
        return FAIL(p, list, "%s must be a list", what);
    names->items = arena_array(p->arena, struct str, list->count);
    JSON_EACH(node, list)
    {
        if (node->kind != JSON_STRING)
            return FAIL(p, node, "%s must be texts", what);
        names->items[names->count++] = node->text;
    }
    avro_names_sort(p->arena, names);
    return true;
}

/* Java keeps them as a set. */
static void drop_twins(struct arena *arena, struct avro_names *names)
{
    uint32_t kept = 0;
    if (find_twice(names) < 0)
        return;
    for (uint32_t i = 0; i < names->count; i++)
        if (avro_names_find(names, names->items[i]) == (int32_t)i)
            kept++;
    struct avro_names set = {.items = arena_array(arena, struct str, kept)};
    for (uint32_t i = 0; i < names->count; i++)
        if (avro_names_find(names, names->items[i]) == (int32_t)i)
            set.items[set.count++] = names->items[i];
    avro_names_sort(arena, &set);
    *names = set;
}

static bool take_aliases(struct parse *p, const struct json_node *object, const struct avro_type *of,
                         struct avro_names *aliases)
{
    const struct json_node *node = json_member(object, STR("aliases"));
    if (node == NULL)
        return true;
    TRY(take_names(p, node, "aliases", aliases));
    for (uint32_t i = 0; of != NULL && i < aliases->count; i++) {
        struct str space, name;
        schema_split_name(aliases->items[i], of->space, &space, &name);
        aliases->items[i] = join_name(p->arena, space, name);
    }
    avro_names_sort(p->arena, aliases);
    drop_twins(p->arena, aliases);
    return true;
}

/* ---- properties and logical types --------------------------------------------------------------------------------------- */

static struct avro_props take_props(struct parse *p, const struct json_node *object,
                                    const char *const *reserved)
{
    struct avro_props props = {0};
    const struct json_node **items = arena_array(p->arena, const struct json_node *, object->count);
    JSON_EACH(member, object)
    {
        const char *const *name = reserved;
        while (*name != NULL && !str_is(member->name, *name))
            name++;
        if (*name == NULL)
            items[props.count++] = member;
    }
    props.items = items;
    return props;
}

static const struct {
    const char *name;
    uint32_t kinds; /* bits of enum avro_kind */
    uint32_t size;  /* of FIXED; 0: any */
} logicals[] = {
    [AVRO_PLAIN] = {"", 0, 0},
    [AVRO_DECIMAL] = {"decimal", 1 << AVRO_BYTES | 1 << AVRO_FIXED, 0},
    [AVRO_BIG_DECIMAL] = {"big-decimal", 1 << AVRO_BYTES, 0},
    [AVRO_UUID] = {"uuid", 1 << AVRO_STRING | 1 << AVRO_FIXED, 16},
    [AVRO_DATE] = {"date", 1 << AVRO_INT, 0},
    [AVRO_TIME_MILLIS] = {"time-millis", 1 << AVRO_INT, 0},
    [AVRO_TIME_MICROS] = {"time-micros", 1 << AVRO_LONG, 0},
    [AVRO_TIMESTAMP_MILLIS] = {"timestamp-millis", 1 << AVRO_LONG, 0},
    [AVRO_TIMESTAMP_MICROS] = {"timestamp-micros", 1 << AVRO_LONG, 0},
    [AVRO_TIMESTAMP_NANOS] = {"timestamp-nanos", 1 << AVRO_LONG, 0},
    [AVRO_LOCAL_TIMESTAMP_MILLIS] = {"local-timestamp-millis", 1 << AVRO_LONG, 0},
    [AVRO_LOCAL_TIMESTAMP_MICROS] = {"local-timestamp-micros", 1 << AVRO_LONG, 0},
    [AVRO_LOCAL_TIMESTAMP_NANOS] = {"local-timestamp-nanos", 1 << AVRO_LONG, 0},
    [AVRO_DURATION] = {"duration", 1 << AVRO_FIXED, 12},
};

const char *avro_logical_name(enum avro_logical logical)
{
    return logicals[logical].name;
}

static bool take_decimal(const struct json_node *object, struct avro_type *type)
{
    int64_t precision = 0, scale = 0;
    if (!json_i64(object, "precision", &precision) || precision <= 0 || precision > INT32_MAX)
        return false;
    if (json_member(object, STR("scale")) != NULL && !json_i64(object, "scale", &scale))
        return false;
    if (scale < 0 || scale > precision)
        return false;
    if (type->kind == AVRO_FIXED && (double)precision > floor(log10(2) * (8 * (double)type->size - 1)))
        return false;
    type->precision = (uint32_t)precision;
    type->scale = (uint32_t)scale;
    return true;
}

static void take_logical(const struct json_node *object, struct avro_type *type)
{
    const struct json_node *node = json_member(object, STR("logicalType"));
    if (node == NULL || node->kind != JSON_STRING)
        return;
    for (int i = AVRO_DECIMAL; i <= AVRO_DURATION; i++) {
        bool sized = type->kind == AVRO_FIXED && logicals[i].size != 0;
        if (!str_is(node->text, logicals[i].name) || (logicals[i].kinds >> type->kind & 1) == 0)
            continue;
        if ((!sized || type->size == logicals[i].size) && (i != AVRO_DECIMAL || take_decimal(object, type)))
            type->logical = (enum avro_logical)i;
        return;
    }
}

static void take_rest(struct parse *p, const struct json_node *object, struct avro_type *type)
{
    static const char *const reserved[] = {"doc",     "fields", "items", "name",    "namespace", "size",
                                           "symbols", "values", "type",  "aliases", NULL};
    static const char *const reserved_of_enum[] = {"doc",  "fields",  "items",   "name",
                                                   "size", "symbols", "values",  "namespace",
                                                   "type", "aliases", "default", NULL};
    type->props = take_props(p, object, type->kind == AVRO_ENUM ? reserved_of_enum : reserved);
    take_logical(object, type);
}

/* ---- types --------------------------------------------------------------------------------------------------------------- */

static bool parse_type(struct parse *p, const struct json_node *node, struct str space,
                       const struct avro_type **out);

static struct avro_type *new_type(struct parse *p, const struct json_node *node, enum avro_kind kind)
{
    struct avro_type *type = arena_new(p->arena, struct avro_type);
    type->kind = kind;
    type->id = p->type_count++;
    type->node = node;
    *p->last_type = type;
    p->last_type = (struct avro_type **)&type->chain;
    return type;
}

static bool new_named(struct parse *p, const struct json_node *node, enum avro_kind kind, struct str around,
                      struct avro_type **out)
{
    struct str space, name;
    enum avro_kind primitive;
    TRY(take_text(p, node, "name", true, &name));
    TRY(take_text(p, node, "namespace", false, &space));
    struct avro_type *type = *out = new_type(p, node, kind);
    const struct json_node *at = json_member(node, STR("name"));
    schema_split_name(name, space.p != NULL ? space : around, &type->space, &type->name);
    type->full = join_name(p->arena, type->space, type->name);
    TRY(check_name(p, at, type->name));
    TRY(check_space(p, at, type->space));
    if (primitive_find(type->full, &primitive))
        return FAIL(p, at, "a type cannot have the name \"%.*s\"", STR_ARG(type->full));
    TRY(take_text(p, node, "doc", false, &type->doc));
    return take_aliases(p, node, type, &type->aliases);
}

/* The name is known from here on. The same again is allowed: check_types. */
static void enter_name(struct parse *p, struct avro_type *type)
{
    type->twin = map_get(&p->names, type->full);
    if (type->twin == NULL)
        map_put(&p->names, type->full, type);
}

static bool take_order(struct parse *p, const struct json_node *object, enum avro_order *order)
{
    static const char *const names[] = {"ascending", "descending", "ignore"};
    const struct json_node *node = json_member(object, STR("order"));
    for (int i = 0; node != NULL && i < 3; i++)
        if (node->kind == JSON_STRING && str_eq_nocase(node->text, str_of(names[i]))) {
            *order = (enum avro_order)i;
            return true;
        }
    return node == NULL || FAIL(p, node, "\"order\" must be ascending, descending or ignore");
}

static bool parse_field(struct parse *p, const struct json_node *node, struct str space,
                        struct avro_field *field)
{
    static const char *const reserved[] = {"default", "doc", "name", "order", "type", "aliases", NULL};
    if (node->kind != JSON_OBJECT)
        return FAIL(p, node, "a field must be an object");
    TRY(take_text(p, node, "name", true, &field->name));
    TRY(check_name(p, json_member(node, STR("name")), field->name));
    TRY(take_text(p, node, "doc", false, &field->doc));
    const struct json_node *type = json_member(node, STR("type"));
    if (type == NULL)
        return FAIL(p, node, "the field \"%.*s\" has no type", STR_ARG(field->name));
    TRY(parse_type(p, type, space, &field->type));
    TRY(take_order(p, node, &field->order));
    TRY(take_aliases(p, node, NULL, &field->aliases));
    field->default_value = json_member(node, STR("default"));
    field->props = take_props(p, node, reserved);
    return true;
}

static bool parse_record(struct parse *p, const struct json_node *node, struct str space,
                         const struct avro_type **out)
{
    struct avro_type *type;
    TRY(new_named(p, node, AVRO_RECORD, space, &type));
    const struct json_node *fields = json_member(node, STR("fields"));
    *out = type;
    if (fields == NULL || fields->kind != JSON_ARRAY)
        return FAIL(p, fields ? fields : node, "the record \"%.*s\" has no list of fields",
                    STR_ARG(type->full));
    enter_name(p, type);
    type->fields = arena_zarray(p->arena, struct avro_field, fields->count);
    type->names.items = arena_array(p->arena, struct str, fields->count);
    JSON_EACH(field, fields)
    {
        TRY(parse_field(p, field, type->space, &type->fields[type->names.count]));
        type->names.items[type->names.count] = type->fields[type->names.count].name;
        type->names.count++;
    }
    avro_names_sort(p->arena, &type->names);
    int32_t twice = find_twice(&type->names);
    if (twice >= 0)
        return FAIL(p, node, "the record \"%.*s\" has two fields \"%.*s\"", STR_ARG(type->full),
                    STR_ARG(type->names.items[twice]));
    take_rest(p, node, type);
    return true;
}

static bool parse_enum(struct parse *p, const struct json_node *node, struct str space,
                       const struct avro_type **out)
{
    struct avro_type *type;
    TRY(new_named(p, node, AVRO_ENUM, space, &type));
    const struct json_node *symbols = json_member(node, STR("symbols"));
    *out = type;
    if (symbols == NULL)
        return FAIL(p, node, "the enum \"%.*s\" has no symbols", STR_ARG(type->full));
    TRY(take_names(p, symbols, "symbols", &type->names));
    for (uint32_t i = 0; i < type->names.count; i++)
        TRY(check_name(p, symbols, type->names.items[i]));
    int32_t twice = find_twice(&type->names);
    if (twice >= 0)
        return FAIL(p, symbols, "the symbol \"%.*s\" comes twice", STR_ARG(type->names.items[twice]));
    TRY(take_text(p, node, "default", false, &type->default_symbol));
    if (type->default_symbol.p != NULL && avro_names_find(&type->names, type->default_symbol) < 0)
        return FAIL(p, json_member(node, STR("default")), "the default \"%.*s\" is not among the symbols",
                    STR_ARG(type->default_symbol));
    take_rest(p, node, type);
    enter_name(p, type);
    return true;
}

static bool parse_fixed(struct parse *p, const struct json_node *node, struct str space,
                        const struct avro_type **out)
{
    int64_t size;
    struct avro_type *type;
    TRY(new_named(p, node, AVRO_FIXED, space, &type));
    *out = type;
    if (!json_i64(node, "size", &size) || size < 0 || size > INT32_MAX)
        return FAIL(p, node, "the fixed type \"%.*s\" has no size, or none from 0 to 2147483647",
                    STR_ARG(type->full));
    type->size = (uint32_t)size;
    take_rest(p, node, type);
    enter_name(p, type);
    return true;
}

static bool parse_nested(struct parse *p, const struct json_node *node, enum avro_kind kind, struct str space,
                         const struct avro_type **out)
{
    const char *name = kind == AVRO_ARRAY ? "items" : "values";
    const struct json_node *items = json_member(node, str_of(name));
    if (items == NULL)
        return FAIL(p, node, "\"%s\" is missing", name);
    struct avro_type *type = new_type(p, node, kind);
    *out = type;
    take_rest(p, node, type);
    return parse_type(p, items, space, &type->items);
}

static bool parse_union(struct parse *p, const struct json_node *node, struct str space,
                        const struct avro_type **out)
{
    struct avro_type *type = new_type(p, node, AVRO_UNION);
    *out = type;
    type->types = arena_zarray(p->arena, const struct avro_type *, node->count);
    JSON_EACH(branch, node)
    TRY(parse_type(p, branch, space, &type->types[type->names.count++]));
    return true;
}

/* A primitive, or a type that is defined somewhere: it is found at the end. */
static bool parse_name(struct parse *p, const struct json_node *node, struct str name, struct str space,
                       const struct avro_type **out)
{
    enum avro_kind kind;
    if (primitive_find(name, &kind)) {
        struct avro_type *type = new_type(p, node, kind);
        *out = type;
        if (node->kind == JSON_OBJECT)
            take_rest(p, node, type);
        return true;
    }
    struct use *use = arena_new(p->arena, struct use);
    *use = (struct use){.place = out, .space = space, .node = node, .text = name, .file = p->file};
    *p->last_use = use;
    p->last_use = &use->next;
    return true;
}

static bool parse_type(struct parse *p, const struct json_node *node, struct str space,
                       const struct avro_type **out)
{
    struct str name;
    if (node->kind == JSON_STRING)
        return parse_name(p, node, node->text, space, out);
    if (node->kind == JSON_ARRAY)
        return parse_union(p, node, space, out);
    if (node->kind != JSON_OBJECT)
        return FAIL(p, node, "a type is expected: a name, an object or a list");
    TRY(take_text(p, node, "type", true, &name));
    if (str_is(name, "record") || str_is(name, "error")) {
        TRY(parse_record(p, node, space, out));
        ((struct avro_type *)*out)->is_error = str_is(name, "error");
        return true;
    }
    if (str_is(name, "enum"))
        return parse_enum(p, node, space, out);
    if (str_is(name, "fixed"))
        return parse_fixed(p, node, space, out);
    if (str_is(name, "array") || str_is(name, "map"))
        return parse_nested(p, node, str_is(name, "array") ? AVRO_ARRAY : AVRO_MAP, space, out);
    return parse_name(p, node, name, space, out);
}

/* ---- when all names are known ------------------------------------------------------------------------------------------- */

static bool fill_uses(struct parse *p)
{
    for (struct use *use = p->uses; use != NULL; use = use->next) {
        bool dotted = memchr(use->text.p, '.', use->text.n) != NULL;
        struct str full = dotted ? use->text : join_name(p->arena, use->space, use->text);
        const struct avro_type *type = map_get(&p->names, full);
        if (type == NULL)
            type = map_get(&p->names, use->text);
        if (type == NULL)
            return FAIL(p, use->node, "there is no type \"%.*s\" (Undefined schema: %.*s)", STR_ARG(full),
                        STR_ARG(full));
        *use->place = type;
    }
    p->uses = NULL;
    p->last_use = &p->uses;
    return true;
}

/* The name that tells a branch from the others. */
static struct str branch_name(const struct avro_type *type)
{
    return type->full.n > 0 ? type->full : str_of(kind_names[type->kind]);
}

static bool check_union(struct parse *p, struct avro_type *type)
{
    type->names.items = arena_array(p->arena, struct str, type->names.count);
    for (uint32_t i = 0; i < type->names.count; i++) {
        if (type->types[i]->kind == AVRO_UNION)
            return FAIL(p, type->types[i]->node, "a union stands directly in a union");
        type->names.items[i] = branch_name(type->types[i]);
    }
    avro_names_sort(p->arena, &type->names);
    int32_t twice = find_twice(&type->names);
    return twice < 0 ||
           FAIL(p, type->node, "\"%.*s\" comes twice in a union", STR_ARG(type->names.items[twice]));
}

/* Longest way from a type through types, each name followed once, as every walk goes. */
static bool check_depth(struct parse *p, const struct avro_type *type, uint32_t depth, uint8_t *seen)
{
    if (depth > SCHEMA_DEPTH_MAX)
        return FAIL(p, type->node, "types are nested more than %d deep", SCHEMA_DEPTH_MAX);
    if (seen[type->id])
        return true;
    seen[type->id] = 1;
    if (type->items != NULL)
        TRY(check_depth(p, type->items, depth + 1, seen));
    for (uint32_t i = 0; i < type->names.count && type->kind == AVRO_UNION; i++)
        TRY(check_depth(p, type->types[i], depth + 1, seen));
    for (uint32_t i = 0; i < type->names.count && type->kind == AVRO_RECORD; i++)
        TRY(check_depth(p, type->fields[i].type, depth + 1, seen));
    return true;
}

/* Is it a value of that type? *steps bounds the work: unions in records in unions may be tried without end. */
static bool is_value(const struct avro_type *type, const struct json_node *value, uint32_t depth,
                     uint32_t *steps)
{
    int64_t number;
    if (depth > SCHEMA_DEPTH_MAX || ++*steps > SCHEMA_PAIRS_MAX)
        return false;
    switch (type->kind) {
    case AVRO_NULL: return value->kind == JSON_NULL;
    case AVRO_BOOLEAN: return value->kind == JSON_BOOLEAN;
    case AVRO_INT: return json_i64(value, "", &number) && number >= INT32_MIN && number <= INT32_MAX;
    case AVRO_LONG: return json_i64(value, "", &number);
    case AVRO_FLOAT:
    case AVRO_DOUBLE: return value->kind == JSON_NUMBER;
    case AVRO_BYTES:
    case AVRO_STRING:
    case AVRO_ENUM:
    case AVRO_FIXED: return value->kind == JSON_STRING;
    case AVRO_ARRAY:
    case AVRO_MAP:
        if (value->kind != (type->kind == AVRO_ARRAY ? JSON_ARRAY : JSON_OBJECT))
            return false;
        JSON_EACH(item, value)
        if (!is_value(type->items, item, depth + 1, steps))
            return false;
        return true;
    case AVRO_UNION:
        for (uint32_t i = 0; i < type->names.count; i++)
            if (is_value(type->types[i], value, depth + 1, steps))
                return true;
        return false;
    case AVRO_RECORD: break;
    }
    if (value->kind != JSON_OBJECT)
        return false;
    for (uint32_t i = 0; i < type->names.count; i++) {
        const struct json_node *item = json_member(value, type->names.items[i]);
        item = item ? item : type->fields[i].default_value;
        if (item == NULL || !is_value(type->fields[i].type, item, depth + 1, steps))
            return false;
    }
    return true;
}

/* "1.5", "NaN" for a float or double stand for the number. */
static void read_number_texts(struct parse *p, struct avro_field *field)
{
    const struct json_node *node = field->default_value;
    double value;
    if (node == NULL || node->kind != JSON_STRING ||
        (field->type->kind != AVRO_FLOAT && field->type->kind != AVRO_DOUBLE) ||
        !str_to_f64(node->text, &value))
        return;
    struct json_node *number = arena_dup(p->arena, node, sizeof *node);
    struct sbuf text = {0};
    number->kind = JSON_NUMBER;
    text_double(&text, value);
    number->text = text_take(p->arena, &text);
    sbuf_fini(&text);
    field->default_value = number;
}

static bool check_defaults(struct parse *p, struct avro_type *record)
{
    for (uint32_t i = 0; i < record->names.count; i++) {
        struct avro_field *field = &record->fields[i];
        uint32_t steps = 0;
        read_number_texts(p, field);
        if (field->default_value != NULL && !p->lenient &&
            !is_value(field->type, field->default_value, 0, &steps))
            return FAIL(p, field->default_value, "the default of \"%.*s\" is no %s", STR_ARG(field->name),
                        kind_names[field->type->kind]);
    }
    return true;
}

static bool check_types(struct parse *p)
{
    for (struct avro_type *type = p->types; type != NULL; type = type->chain)
        if (type->kind == AVRO_UNION)
            TRY(check_union(p, type));
    for (struct avro_type *type = p->types; type != NULL; type = type->chain) {
        if (type->kind == AVRO_RECORD)
            TRY(check_defaults(p, type));
        if (type->twin != NULL && !avro_types_equal(type, type->twin, false))
            return FAIL(p, type->node, "\"%.*s\" is defined twice, and differently", STR_ARG(type->full));
    }
    return true;
}

/* One text: the schema's, or a reference's. */
static bool parse_text(struct parse *p, struct str text, const char *file, const struct avro_type **root)
{
    const struct json_node *node;
    uint8_t *seen;
    p->text = text;
    p->file = file;
    p->types = NULL;
    p->last_type = &p->types;
    p->uses = NULL;
    p->last_use = &p->uses;
    if (!json_parse(p->arena, text, &node, p->err))
        return err_at(p->err, file, p->err ? p->err->place.line : 0, p->err ? p->err->place.column : 0, 1);
    text_drop_duplicates(node);
    TRY(parse_type(p, node, str_n(NULL, 0), root));
    TRY(fill_uses(p));
    seen = arena_zarray(p->arena, uint8_t, p->type_count);
    TRY(check_depth(p, *root, 0, seen));
    return check_types(p);
}

bool avro_parse(struct arena *arena, const struct schema_source *source, struct avro_schema *out,
                struct err *err)
{
    struct parse p = {.arena = arena, .err = err};
    const struct avro_type **known = arena_array(arena, const struct avro_type *, source->reference_count);
    bool ok = false;
    *out = (struct avro_schema){.known = known};
    p.lenient = true; /* references were accepted once */
    for (uint32_t i = 0; i < source->reference_count; i++) {
        const struct schema_reference *r = &source->references[i];
        TRY_OUT(parse_text(&p, r->text, str_dup(arena, r->name), &known[out->known_count++]));
    }
    p.lenient = source->lenient;
    TRY_OUT(parse_text(&p, source->text, "", &out->root));
    out->type_count = p.type_count;
    ok = true;
out:
    map_fini(&p.names);
    return ok;
}

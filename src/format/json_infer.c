/* A schema from records, and a schema that takes in another's new fields.
 *
 * What is known of a value is a node that only ever widens: nothing, then a kind, then a wider kind, at
 * last STRING, which takes everything. The order in which records come changes the order of fields, never
 * their types. */
#include "base/map.h"
#include "format/json_decode_private.h"
#include "type/timestamp.h"
#include "json/number.h"
#include "json/tree.h"

enum known_kind {
    KNOWN_NOTHING, /* null, or not seen */
    KNOWN_BOOLEAN,
    KNOWN_LONG,
    KNOWN_DECIMAL,
    KNOWN_DOUBLE,
    KNOWN_TIMESTAMP,
    KNOWN_ARRAY,
    KNOWN_STRUCT,
    KNOWN_STRING,
};

enum { LONG_DIGITS = 20 }; /* of a LONG among decimals, as Spark counts */

struct known_field;

struct known {
    enum known_kind kind;
    uint32_t whole, scale;       /* DECIMAL: digits before and after the point */
    struct known *element;       /* ARRAY */
    struct known_field **fields; /* STRUCT: fields[count], in the order seen */
    size_t count, capacity;
    struct map names;
};

struct known_field {
    struct known known;
    const char *name;
    size_t size;
};

struct json_inference {
    struct pool *pool;
    struct json_options options;
    struct known root;
    uint64_t records;
    struct arena scratch;
    struct sbuf text;
    const struct datetime_pattern *pattern;
};

/* ---- widening ------------------------------------------------------------------------------------------ */

static void widen_to(struct known *known, enum known_kind kind)
{
    known->kind = kind;
}

/* Two kinds of numbers; whole and scale are those of the new one. */
static void widen_number(struct known *known, enum known_kind kind, uint32_t whole, uint32_t scale)
{
    if (known->kind == kind && kind != KNOWN_DECIMAL)
        return;
    if (known->kind == KNOWN_DOUBLE || kind == KNOWN_DOUBLE) {
        widen_to(known, KNOWN_DOUBLE);
        return;
    }
    if (known->kind == KNOWN_LONG)
        known->whole = LONG_DIGITS;
    known->whole = whole > known->whole ? whole : known->whole;
    known->scale = scale > known->scale ? scale : known->scale;
    widen_to(known, known->whole + known->scale > DECIMAL_PRECISION_MAX ? KNOWN_DOUBLE : KNOWN_DECIMAL);
}

static bool is_number(enum known_kind kind)
{
    return kind >= KNOWN_LONG && kind <= KNOWN_DOUBLE;
}

static void widen(struct known *known, enum known_kind kind, uint32_t whole, uint32_t scale)
{
    if (known->kind == KNOWN_NOTHING) {
        known->kind = kind;
        known->whole = whole;
        known->scale = scale;
    } else if (is_number(known->kind) && is_number(kind)) {
        widen_number(known, kind, whole, scale);
    } else if (known->kind != kind) {
        widen_to(known, KNOWN_STRING);
    }
}

static void add_number(const struct json_inference *inference, struct known *known, struct str text)
{
    struct json_number number = json_number_read(text.p, text.p + text.n);
    int64_t value;
    if (number.end != NULL && json_number_i64(&number, text.p, &value)) {
        widen(known, KNOWN_LONG, LONG_DIGITS, 0);
        return;
    }
    bool has_exponent = memchr(text.p, 'e', text.n) != NULL || memchr(text.p, 'E', text.n) != NULL;
    if (number.end != NULL && number.is_integer && number.digits <= DECIMAL_PRECISION_MAX) {
        widen(known, KNOWN_DECIMAL, number.digits, 0);
        return;
    }
    const char *point = memchr(text.p, '.', text.n);
    if (inference->options.prefers_decimal && number.end != NULL && point != NULL && !has_exponent) {
        uint32_t scale = (uint32_t)(text.p + text.n - point - 1);
        uint32_t whole = number.digits > scale ? number.digits - scale : 0;
        if (whole + scale <= DECIMAL_PRECISION_MAX) {
            widen(known, KNOWN_DECIMAL, whole, scale);
            return;
        }
    }
    widen(known, KNOWN_DOUBLE, 0, 0);
}

static bool is_timestamp(const struct json_inference *inference, struct str text)
{
    int64_t us;
    bool has_zone;
    if (inference->pattern != NULL)
        return datetime_parse(inference->pattern, text, inference->options.zone, &us);
    return timestamp_parse_iso(text, &us, &has_zone);
}

/* ---- records ------------------------------------------------------------------------------------------- */

static bool add(struct json_inference *inference, struct known *known, const struct json_node *node,
                struct err *err);

static void free_names(void *arg)
{
    map_fini(arg);
}

static void free_fields(void *arg)
{
    struct known *known = arg;
    mem_free(known->fields);
}

/* The field of that name, guessed to be the one at `guess`; NULL: the object is too wide. */
static struct known_field *find_field(struct json_inference *inference, struct known *known, struct str name,
                                      size_t guess, struct err *err)
{
    if (guess < known->count && str_eq(str_n(known->fields[guess]->name, known->fields[guess]->size), name))
        return known->fields[guess];
    struct known_field *field = map_get(&known->names, name);
    if (field != NULL)
        return field;
    if (known->count >= inference->options.width_max) {
        err_set(err, ERR_DATA, "an object has more than %u fields", inference->options.width_max);
        return NULL;
    }
    if (known->fields == NULL) {
        pool_on_free(inference->pool, free_fields, known);
        pool_on_free(inference->pool, free_names, &known->names);
    }
    field = pool_new_struct(inference->pool, struct known_field);
    field->name = str_dup(pool_arena(inference->pool), name);
    field->size = name.n;
    known->fields = mem_grow(known->fields, &known->capacity, known->count + 1, sizeof(struct known_field *));
    known->fields[known->count++] = field;
    map_put(&known->names, name, field);
    return field;
}

static bool add_object(struct json_inference *inference, struct known *known, const struct json_node *node,
                       struct err *err)
{
    widen(known, KNOWN_STRUCT, 0, 0);
    if (known->kind != KNOWN_STRUCT)
        return true;
    size_t guess = 0;
    JSON_EACH(member, node)
    {
        struct known_field *field = find_field(inference, known, member->name, guess++, err);
        if (field == NULL || !add(inference, &field->known, member, err))
            return false;
    }
    return true;
}

static bool add_array(struct json_inference *inference, struct known *known, const struct json_node *node,
                      struct err *err)
{
    widen(known, KNOWN_ARRAY, 0, 0);
    if (known->kind != KNOWN_ARRAY)
        return true;
    if (known->element == NULL)
        known->element = pool_new_struct(inference->pool, struct known);
    JSON_EACH(element, node)
    TRY(add(inference, known->element, element, err));
    return true;
}

/* Depth is bounded: by the parser of the tree. */
static bool add(struct json_inference *inference, struct known *known, const struct json_node *node,
                struct err *err)
{
    if (known->kind == KNOWN_STRING || node->kind == JSON_NULL)
        return true;
    if (node->kind == JSON_OBJECT)
        return add_object(inference, known, node, err);
    if (node->kind == JSON_ARRAY)
        return add_array(inference, known, node, err);
    if (inference->options.primitives_as_string)
        widen(known, KNOWN_STRING, 0, 0);
    else if (node->kind == JSON_BOOLEAN)
        widen(known, KNOWN_BOOLEAN, 0, 0);
    else if (node->kind == JSON_NUMBER)
        add_number(inference, known, node->text);
    else if (inference->options.prefers_timestamp && is_timestamp(inference, node->text))
        widen(known, KNOWN_TIMESTAMP, 0, 0);
    else
        widen(known, KNOWN_STRING, 0, 0);
    return true;
}

static void close_inference(void *arg)
{
    struct json_inference *inference = arg;
    arena_fini(&inference->scratch);
    sbuf_fini(&inference->text);
}

struct json_inference *json_inference_new(struct pool *pool, const struct json_options *options)
{
    struct json_inference *inference = pool_new_struct(pool, struct json_inference);
    inference->pool = pool;
    inference->options = options ? *options : json_options_default();
    const char *format = inference->options.timestamp_format;
    if (format != NULL &&
        !datetime_pattern_new(pool_arena(pool), str_of(format), PATTERN_PARSE, &inference->pattern, NULL))
        inference->pattern = NULL;
    pool_on_free(pool, close_inference, inference);
    return inference;
}

/* The text as a tree in scratch, with what the options allow. */
static bool parse(struct json_inference *inference, struct str text, const struct json_node **root,
                  struct err *err)
{
    const struct json_options *o = &inference->options;
    arena_reset(&inference->scratch);
    if (text.n > o->record_max)
        return err_set(err, ERR_DATA, "a record of %zu bytes is larger than %zu", text.n, o->record_max);
    bool ok = json_parse_as(&inference->scratch, text, o->allow_non_numeric_numbers, o->depth_max, root,
                            err) ||
              (json_lenient(text, o, &inference->text) &&
               json_parse_as(&inference->scratch, sbuf_view(&inference->text), o->allow_non_numeric_numbers,
                             o->depth_max, root, err));
    CHECK(!ok || *root != NULL);
    return ok;
}

bool json_inference_add(struct json_inference *inference, struct str record, struct err *err)
{
    const struct json_node *root = NULL;
    TRY(parse(inference, record, &root, err));
    if (root->kind != JSON_OBJECT)
        return err_set(err, ERR_DATA, "the record is not a JSON object");
    inference->records++;
    return add(inference, &inference->root, root, err);
}

uint64_t json_inference_records(const struct json_inference *inference)
{
    return inference->records;
}

/* ---- types --------------------------------------------------------------------------------------------- */

static const struct type *type_of(const struct known *known, struct arena *arena);

static const struct type *struct_of(const struct known *known, struct arena *arena)
{
    struct field *fields = arena_zarray(arena, struct field, known->count);
    for (size_t i = 0; i < known->count; i++)
        fields[i] = (struct field){.name = known->fields[i]->name,
                                   .type = type_of(&known->fields[i]->known, arena),
                                   .nullable = true};
    return type_struct(arena, fields, (uint32_t)known->count);
}

static const struct type *type_of(const struct known *known, struct arena *arena)
{
    switch (known->kind) {
    case KNOWN_BOOLEAN: return type_simple(TYPE_BOOLEAN);
    case KNOWN_LONG: return type_simple(TYPE_LONG);
    case KNOWN_DECIMAL: return type_decimal(arena, known->whole + known->scale, known->scale);
    case KNOWN_DOUBLE: return type_simple(TYPE_DOUBLE);
    case KNOWN_TIMESTAMP: return type_simple(TYPE_TIMESTAMP);
    case KNOWN_ARRAY: return type_array(arena, type_of(known->element, arena), true);
    case KNOWN_STRUCT: /* nothing stores a struct without fields */
        return known->count > 0 ? struct_of(known, arena) : type_simple(TYPE_STRING);
    case KNOWN_NOTHING:
    case KNOWN_STRING: break;
    }
    return type_simple(TYPE_STRING);
}

const struct type *json_inference_schema(const struct json_inference *inference, struct arena *arena)
{
    return struct_of(&inference->root, arena);
}

bool json_infer_value(struct arena *arena, struct str text, const struct json_options *options,
                      const struct type **type, struct err *err)
{
    struct pool *pool = pool_new(NULL, "json value");
    struct json_inference *inference = json_inference_new(pool, options);
    const struct json_node *root = NULL;
    bool ok = parse(inference, text, &root, err) && add(inference, &inference->root, root, err);
    if (ok) /* deep, since names are the pool's */
        *type = root->kind == JSON_NULL ? type_simple(TYPE_NULL)
                                        : type_copy(arena, type_of(&inference->root, arena));
    pool_free(pool);
    return ok;
}

/* ---- evolution ----------------------------------------------------------------------------------------- */

/* Fields of found that pinned lacks go behind its own. */
static const struct type *evolve_struct(struct arena *arena, const struct type *pinned,
                                        const struct type *found, bool nocase)
{
    uint32_t count = pinned->field_count;
    bool changed = false;
    struct field *fields = arena_zarray(arena, struct field, (size_t)count + found->field_count);
    for (uint32_t i = 0; i < count; i++)
        fields[i] = pinned->fields[i];
    for (uint32_t i = 0; i < found->field_count; i++) {
        int at = type_field(pinned, str_of(found->fields[i].name), nocase);
        if (at >= 0) {
            fields[at].type = json_schema_evolve(arena, pinned->fields[at].type, found->fields[i].type,
                                                 nocase);
            changed |= fields[at].type != pinned->fields[at].type;
        } else if (at == -1 && count < TYPE_FIELDS_MAX) {
            fields[count++] = (struct field){.name = found->fields[i].name,
                                             .type = type_copy(arena, found->fields[i].type),
                                             .nullable = true};
            changed = true;
        }
    }
    return changed ? type_struct(arena, fields, count) : pinned;
}

const struct type *json_schema_evolve(struct arena *arena, const struct type *pinned,
                                      const struct type *found, bool nocase)
{
    if (pinned->kind != found->kind)
        return pinned;
    if (pinned->kind == TYPE_STRUCT)
        return evolve_struct(arena, pinned, found, nocase);
    if (pinned->kind != TYPE_ARRAY && pinned->kind != TYPE_MAP)
        return pinned;
    uint32_t last = pinned->field_count - 1; /* element or value */
    const struct field *inner = &pinned->fields[last];
    const struct type *type = json_schema_evolve(arena, inner->type, found->fields[last].type, nocase);
    if (type == inner->type)
        return pinned;
    return pinned->kind == TYPE_ARRAY ? type_array(arena, type, inner->nullable)
                                      : type_map(arena, pinned->fields[0].type, type, inner->nullable);
}

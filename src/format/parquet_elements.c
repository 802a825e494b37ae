/* SQL schema → Parquet schema: the writer's tree of nodes, its leaves, and the flat list of elements of the
 * footer. The recursion is as deep as the type, whose depth the type parsers bound. */
#include "format/parquet_write_i.h"

struct builder {
    struct parquet_writer *w;
    struct arena *arena; /* of the writer's pool */
    struct pq_schema_element *elements;
    size_t count, capacity;
    struct str path[3 * TYPE_DEPTH_MAX]; /* names from the root to here */
    uint32_t depth;
    struct err *err;
};

/* Where a node stands: levels so far. */
struct place {
    uint8_t def, rep;
    bool in_list;
    unsigned nesting;
};

static struct pq_schema_element *element_add(struct builder *b, const char *name,
                                             enum pq_repetition repetition, int32_t id)
{
    b->elements = mem_grow(b->elements, &b->capacity, b->count + 1, sizeof *b->elements);
    struct pq_schema_element *e = &b->elements[b->count++];
    *e = (struct pq_schema_element){
        .has = 1U << PQ_E_NAME | 1U << PQ_E_REPETITION, .name = str_of(name), .repetition = repetition};
    if (id != PARQUET_NO_ID) {
        e->has |= 1U << PQ_E_FIELD_ID;
        e->field_id = id;
    }
    return e;
}

static void set_group(struct pq_schema_element *e, uint32_t children)
{
    e->has |= 1U << PQ_E_CHILDREN;
    e->num_children = (int32_t)children;
}
static void set_converted(struct pq_schema_element *e, enum pq_converted converted)
{
    e->has |= 1U << PQ_E_CONVERTED;
    e->converted = converted;
}
static void set_logical(struct pq_schema_element *e, enum pq_logical_id logical)
{
    e->has |= 1U << PQ_E_LOGICAL;
    e->logical.has = 1U << logical;
}

/* ---- leaves ---------------------------------------------------------------------------------------- */

static void annotate_int(struct pq_schema_element *e, int8_t bits, enum pq_converted converted)
{
    set_converted(e, converted);
    set_logical(e, PQ_L_INTEGER);
    e->logical.integer = (struct pq_int_type){.has = 6, .bits = bits, .is_signed = true};
}

static void annotate_timestamp(struct pq_schema_element *e, bool utc)
{
    if (utc)
        set_converted(e, PQ_TIMESTAMP_MICROS); /* the old annotation means UTC; a local timestamp has none */
    set_logical(e, PQ_L_TIMESTAMP);
    e->logical.timestamp = (struct pq_time_type){.has = 6, .utc = utc, .unit.has = 1U << PQ_MICROS};
}

static void annotate_decimal(struct pq_schema_element *e, const struct type *type)
{
    set_converted(e, PQ_DECIMAL);
    set_logical(e, PQ_L_DECIMAL);
    e->has |= 1U << PQ_E_SCALE | 1U << PQ_E_PRECISION;
    e->scale = type->scale;
    e->precision = type->precision;
    e->logical.decimal = (struct pq_decimal_type){
        .has = 6, .scale = type->scale, .precision = type->precision};
}

static void annotate(struct pq_schema_element *e, const struct type *type)
{
    switch (type->kind) {
    case TYPE_NULL: set_logical(e, PQ_L_UNKNOWN); break;
    case TYPE_BYTE: annotate_int(e, 8, PQ_INT_8); break;
    case TYPE_SHORT: annotate_int(e, 16, PQ_INT_16); break;
    case TYPE_DECIMAL: annotate_decimal(e, type); break;
    case TYPE_STRING:
        set_converted(e, PQ_UTF8);
        set_logical(e, PQ_L_STRING);
        break;
    case TYPE_DATE:
        set_converted(e, PQ_DATE);
        set_logical(e, PQ_L_DATE);
        break;
    case TYPE_TIMESTAMP: annotate_timestamp(e, true); break;
    case TYPE_TIMESTAMP_NTZ: annotate_timestamp(e, false); break;
    default: break;
    }
}

/* Bytes of the smallest two's complement that holds 10^precision − 1. */
static unsigned decimal_bytes(unsigned precision)
{
    i128 most = 1;
    for (unsigned i = 0; i < precision; i++)
        most *= 10;
    unsigned bits = 1;
    for (most -= 1; most > 0; most >>= 1)
        bits++;
    return (bits + 7) / 8;
}

struct physical {
    enum pq_type type;
    enum dense_kind dense;
    unsigned fixed;
};

static struct physical physical_of(const struct type *type)
{
    static const struct physical table[TYPE_KINDS] = {
        [TYPE_NULL] = {PQ_INT32, DENSE_I32, 4},          [TYPE_BOOLEAN] = {PQ_BOOLEAN, DENSE_BOOL, 0},
        [TYPE_BYTE] = {PQ_INT32, DENSE_I32, 4},          [TYPE_SHORT] = {PQ_INT32, DENSE_I32, 4},
        [TYPE_INT] = {PQ_INT32, DENSE_I32, 4},           [TYPE_LONG] = {PQ_INT64, DENSE_I64, 8},
        [TYPE_FLOAT] = {PQ_FLOAT, DENSE_F32, 4},         [TYPE_DOUBLE] = {PQ_DOUBLE, DENSE_F64, 8},
        [TYPE_STRING] = {PQ_BYTE_ARRAY, DENSE_VIEW, 0},  [TYPE_BINARY] = {PQ_BYTE_ARRAY, DENSE_VIEW, 0},
        [TYPE_DATE] = {PQ_INT32, DENSE_I32, 4},          [TYPE_TIMESTAMP] = {PQ_INT64, DENSE_I64, 8},
        [TYPE_TIMESTAMP_NTZ] = {PQ_INT64, DENSE_I64, 8}, [TYPE_INTERVAL_YM] = {PQ_INT32, DENSE_I32, 4},
        [TYPE_INTERVAL_DT] = {PQ_INT64, DENSE_I64, 8},
    };
    if (type->kind != TYPE_DECIMAL)
        return table[type->kind];
    if (type->precision <= 9)
        return table[TYPE_INT];
    if (type->precision <= 18)
        return table[TYPE_LONG];
    return (struct physical){PQ_FIXED, DENSE_I128, decimal_bytes(type->precision)};
}

/* What `encoding` comes to for that leaf: how a chunk begins, and what it falls back to. */
static void choose_modes(struct leaf *leaf, enum parquet_encoding encoding, bool plain_fallback)
{
    bool is_int = leaf->physical == PQ_INT32 || leaf->physical == PQ_INT64,
         is_bytes = leaf->physical == PQ_BYTE_ARRAY;
    enum leaf_mode delta = is_int ? MODE_DELTA : is_bytes ? MODE_DELTA_LENGTH : MODE_PLAIN;
    leaf->first_mode = leaf->fallback = MODE_PLAIN;
    if (leaf->physical == PQ_BOOLEAN)
        return;
    if (encoding == PARQUET_AUTO || encoding == PARQUET_DICTIONARY) {
        leaf->first_mode = MODE_DICT;
        leaf->fallback = encoding == PARQUET_AUTO && !plain_fallback ? delta : MODE_PLAIN;
    } else if (encoding == PARQUET_DELTA) {
        leaf->first_mode = leaf->fallback = delta;
    } else if (encoding == PARQUET_DELTA_PREFIX && is_bytes) {
        leaf->first_mode = leaf->fallback = MODE_DELTA_PREFIX;
    } else if (encoding == PARQUET_SPLIT && leaf->fixed > 0) {
        leaf->first_mode = leaf->fallback = MODE_SPLIT;
    }
}

static void leaf_new(struct builder *b, struct node *node, const struct type *type,
                     enum parquet_encoding encoding, struct place at)
{
    struct parquet_writer *w = b->w;
    struct physical p = physical_of(type);
    struct leaf *leaf = arena_new(b->arena, struct leaf);
    *leaf = (struct leaf){.type = type,
                          .physical = p.type,
                          .dense = p.dense,
                          .fixed = p.fixed,
                          .is_text = type->kind == TYPE_STRING,
                          .has_order = type->kind != TYPE_NULL,
                          .max_def = at.def,
                          .max_rep = at.rep,
                          .is_uniform = true,
                          .path_count = b->depth};
    leaf->path = arena_dup(b->arena, b->path, b->depth * sizeof *b->path);
    leaf->page.kind = leaf->last.kind = leaf->bounds.kind = leaf->file_bounds.kind = p.dense;
    dict_init(&leaf->dict, p.dense, p.fixed);
    choose_modes(leaf, encoding, w->options.plain_fallback);
    leaf->mode = leaf->first_mode;
    node->leaf = leaf;
    size_t capacity = w->leaf_capacity;
    w->leaves = mem_grow(w->leaves, &capacity, w->leaf_count + 1, sizeof(struct leaf *));
    w->leaf_capacity = (uint32_t)capacity;
    w->leaves[w->leaf_count++] = leaf;
    struct pq_schema_element *e = &b->elements[b->count - 1];
    e->has |= 1U << PQ_E_TYPE;
    e->type = (int32_t)p.type;
    if (p.type == PQ_FIXED) {
        e->has |= 1U << PQ_E_LENGTH;
        e->type_length = (int32_t)p.fixed;
    }
}

/* ---- nodes ----------------------------------------------------------------------------------------- */

struct field_name {
    const char *name;
    int32_t id;
    const struct parquet_name *children;
};

static struct field_name name_of(const struct parquet_name *names, uint32_t i, const char *own)
{
    if (names == NULL)
        return (struct field_name){own, PARQUET_NO_ID, NULL};
    return (struct field_name){names[i].name ? names[i].name : own, names[i].id, names[i].children};
}

static bool build(struct builder *b, struct node *node, const struct field *field, struct field_name name,
                  bool optional, enum parquet_encoding encoding, struct place at);

static bool build_struct(struct builder *b, struct node *node, const struct type *type,
                         const struct parquet_name *names, enum parquet_encoding encoding, struct place at)
{
    if (type->field_count == 0)
        return err_set(b->err, ERR_CONFIG, "cannot store \"%s\" in Parquet: it is a struct without fields",
                       node->name);
    node->child_count = type->field_count;
    node->children = arena_zarray(b->arena, struct node, type->field_count);
    for (uint32_t i = 0; i < type->field_count; i++)
        TRY(build(b, &node->children[i], &type->fields[i], name_of(names, i, type->fields[i].name),
                  type->fields[i].nullable, encoding, at));
    return true;
}

/* The repeated group of LIST or MAP, with its one or two children. */
static bool build_repeated(struct builder *b, struct node *node, const struct type *type,
                           const struct parquet_name *names, enum parquet_encoding encoding, struct place at)
{
    static const char *const child_names[2][2] = {{"element", NULL}, {"key", "value"}};
    bool is_map = type->kind == TYPE_MAP;
    const char *group = is_map ? "key_value" : "list";
    set_group(element_add(b, group, PQ_REPEATED, PARQUET_NO_ID), is_map ? 2 : 1);
    b->path[b->depth++] = str_of(group);
    node->child_count = is_map ? 2 : 1;
    node->children = arena_zarray(b->arena, struct node, node->child_count);
    at.def++, at.rep++;
    at.in_list = true;
    for (uint32_t i = 0; i < node->child_count; i++) {
        const char *own = child_names[is_map][i];
        struct field_name name = {own, names ? names[i].id : PARQUET_NO_ID, names ? names[i].children : NULL};
        bool optional = type->fields[i].nullable && !(is_map && i == 0);
        TRY(build(b, &node->children[i], &type->fields[i], name, optional, encoding, at));
    }
    b->depth--;
    return true;
}

static void build_variant(struct builder *b, struct node *node, enum parquet_encoding encoding,
                          struct place at)
{
    static const char *const names[2] = {"metadata", "value"};
    node->child_count = 2;
    node->children = arena_zarray(b->arena, struct node, 2);
    for (int i = 0; i < 2; i++) {
        struct node *child = &node->children[i];
        *child = (struct node){
            .type = type_simple(TYPE_BINARY), .name = names[i], .in_list = at.in_list, .rep = at.rep};
        element_add(b, names[i], PQ_REQUIRED, PARQUET_NO_ID);
        b->path[b->depth++] = str_of(names[i]);
        leaf_new(b, child, child->type, encoding, at);
        child->leaf->has_order = false;
        b->depth--;
    }
}

static bool build(struct builder *b, struct node *node, const struct field *field, struct field_name name,
                  bool optional, enum parquet_encoding encoding, struct place at)
{
    const struct type *type = field->type;
    if (++at.nesting > TYPE_DEPTH_MAX)
        return err_set(b->err, ERR_CONFIG, "cannot store \"%s\" in Parquet: it is nested more than %d deep",
                       name.name, TYPE_DEPTH_MAX);
    optional = optional || type->kind == TYPE_NULL;
    *node = (struct node){.type = type,
                          .name = name.name,
                          .id = name.id,
                          .optional = optional,
                          .in_list = at.in_list,
                          .rep = at.rep};
    at.def = (uint8_t)(at.def + optional);
    struct pq_schema_element *e = element_add(b, name.name, optional ? PQ_OPTIONAL : PQ_REQUIRED, name.id);
    b->path[b->depth++] = str_of(name.name);
    bool done = true;
    switch (type->kind) {
    case TYPE_STRUCT:
        set_group(e, type->field_count);
        done = build_struct(b, node, type, name.children, encoding, at);
        break;
    case TYPE_ARRAY:
    case TYPE_MAP:
        set_group(e, 1);
        set_converted(e, type->kind == TYPE_MAP ? PQ_MAP : PQ_LIST);
        set_logical(e, type->kind == TYPE_MAP ? PQ_L_MAP : PQ_L_LIST);
        done = build_repeated(b, node, type, name.children, encoding, at);
        break;
    case TYPE_VARIANT:
        set_group(e, 2);
        set_logical(e, PQ_L_VARIANT);
        e->logical.variant = (struct pq_variant_type){.has = 2, .specification_version = 1};
        build_variant(b, node, encoding, at);
        break;
    default:
        annotate(e, type);
        leaf_new(b, node, type, encoding, at);
        break;
    }
    b->depth--;
    return done;
}

bool writer_elements(struct parquet_writer *w, struct err *err)
{
    const struct type *schema = w->schema;
    struct builder b = {.w = w, .arena = pool_arena(w->pool), .err = err};
    uint32_t stored = 0;
    CHECK(schema->kind == TYPE_STRUCT);
    w->root = arena_new(b.arena, struct node);
    w->root->type = schema;
    w->root->child_count = schema->field_count;
    w->root->children = arena_zarray(b.arena, struct node, schema->field_count + 1);
    element_add(&b, "schema", PQ_REQUIRED, PARQUET_NO_ID)->has &= ~(1U << PQ_E_REPETITION);
    bool done = true;
    for (uint32_t i = 0; i < schema->field_count && done; i++) {
        struct node *node = &w->root->children[i];
        const struct field *f = &schema->fields[i];
        enum parquet_encoding encoding = w->options.encodings ? w->options.encodings[i] : w->options.encoding;
        *node = (struct node){
            .type = f->type, .name = f->name, .is_dropped = w->options.drop && w->options.drop[i]};
        if (node->is_dropped)
            continue;
        stored++;
        uint32_t before = w->leaf_count;
        done = build(&b, node, f, name_of(w->options.names, i, f->name), f->nullable, encoding,
                     (struct place){0});
        node->leaf_first = before; /* slices are of whole top-level columns: only these need to know */
        node->leaf_count = w->leaf_count - before;
    }
    if (done && stored == 0)
        done = err_set(err, ERR_CONFIG, "cannot store a table without columns in Parquet");
    if (done) {
        set_group(&b.elements[0], stored);
        w->elements = (struct thrift_list){arena_dup(b.arena, b.elements, b.count * sizeof *b.elements),
                                           (uint32_t)b.count};
    }
    mem_free(b.elements);
    return done;
}

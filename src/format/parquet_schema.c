/* Parquet schema → SQL schema.
 *
 * The footer's flat list of elements is a tree in depth-first order. Each element adds to the levels:
 * OPTIONAL one definition level, REPEATED one of each. Over that tree SQL's is laid: LIST and MAP groups
 * vanish into ARRAY and MAP, a repeated element without annotation is an ARRAY that is never null, and the
 * rules for two-level lists are those of the specification (LogicalTypes.md, "Backward-compatibility
 * rules"). */
#include "format/parquet_read_i.h"

struct pq_node {
    const struct pq_schema_element *element;
    uint8_t def, rep; /* its own contribution included */
    int32_t leaf;     /* or, of a group, the first leaf below */
    uint32_t child_count;
    struct pq_node *children;
};

struct mapper {
    struct parquet_file *file;
    const struct pq_schema_element *elements;
    uint32_t count, next;
    struct err *err;
};

static bool broken(struct mapper *m, const char *why)
{
    return err_set(m->err, ERR_DATA, "the schema is damaged: %s", why);
}

/* ---- the physical tree ----------------------------------------------------------------------------- */

static bool has(const struct pq_schema_element *e, unsigned id)
{
    return e->has >> id & 1;
}
static bool has_logical(const struct pq_schema_element *e, enum pq_logical_id id)
{
    return has(e, PQ_E_LOGICAL) && THRIFT_HAS(&e->logical, id);
}
static bool has_converted(const struct pq_schema_element *e, enum pq_converted id)
{
    return has(e, PQ_E_CONVERTED) && e->converted == (int32_t)id;
}
static bool is_repeated(const struct pq_node *n)
{
    return n->element->repetition == PQ_REPEATED;
}

static bool leaf_add(struct mapper *m, struct pq_node *node)
{
    const struct pq_schema_element *e = node->element;
    if (!has(e, PQ_E_TYPE) || e->type < 0 || e->type >= PQ_TYPES)
        return broken(m, "a column has no known type");
    if (e->type == PQ_FIXED && e->type_length <= 0)
        return broken(m, "a column of fixed length has no length");
    node->leaf = (int32_t)m->file->leaf_count;
    m->file->leaves[m->file->leaf_count++] = (struct pq_leaf){
        .element = e, .type = type_simple(TYPE_BINARY), .max_def = node->def, .max_rep = node->rep};
    return true;
}

static bool build_node(struct mapper *m, struct pq_node *node, uint8_t def, uint8_t rep, unsigned depth)
{
    if (m->next >= m->count)
        return broken(m, "elements are missing");
    if (depth > PQ_SCHEMA_DEPTH_MAX)
        return broken(m, "it is nested too deeply");
    const struct pq_schema_element *e = &m->elements[m->next++];
    if (e->repetition < PQ_REQUIRED || e->repetition > PQ_REPEATED)
        return broken(m, "an element has an unknown repetition");
    *node = (struct pq_node){.element = e, .def = def, .rep = rep};
    if (depth > 0) {
        node->def = (uint8_t)(def + (e->repetition != PQ_REQUIRED));
        node->rep = (uint8_t)(rep + (e->repetition == PQ_REPEATED));
    }
    if (depth > 0 && (!has(e, PQ_E_CHILDREN) || (e->num_children == 0 && has(e, PQ_E_TYPE))))
        return leaf_add(m, node);
    if (e->num_children < 0 || (uint32_t)e->num_children > m->count - m->next)
        return broken(m, "a group has more fields than there are elements");
    node->leaf = (int32_t)m->file->leaf_count;
    node->child_count = (uint32_t)e->num_children;
    if (node->child_count == 0)
        return true;
    node->children = arena_try_alloc(&m->file->arena, node->child_count * sizeof *node->children);
    if (node->children == NULL)
        return broken(m, "it is too large");
    for (uint32_t i = 0; i < node->child_count; i++)
        TRY(build_node(m, &node->children[i], node->def, node->rep, depth + 1));
    return true;
}

/* ---- types of leaves ------------------------------------------------------------------------------- */

static const struct type *decimal_type(struct mapper *m, const struct pq_schema_element *e)
{
    bool is_logical = has_logical(e, PQ_L_DECIMAL);
    int32_t precision = is_logical ? e->logical.decimal.precision : e->precision;
    int32_t scale = is_logical ? e->logical.decimal.scale : e->scale;
    if (precision < 1 || precision > DECIMAL_PRECISION_MAX || scale < 0 || scale > precision)
        return NULL; /* not ours: stays what it is physically */
    return type_decimal(pool_arena(m->file->pool), (unsigned)precision, (unsigned)scale);
}

static enum type_kind int_kind(int bits, bool is_signed, bool is_64)
{
    int wanted = is_signed ? bits : bits * 2;
    return is_64 || wanted > 32 ? TYPE_LONG : wanted <= 8 ? TYPE_BYTE : wanted <= 16 ? TYPE_SHORT : TYPE_INT;
}

static const struct type *integer_type(struct mapper *m, const struct pq_schema_element *e)
{
    static const uint8_t bits_of_converted[] = {8, 16, 32, 64, 8, 16, 32, 64};
    int bits = e->type == PQ_INT64 ? 64 : 32;
    bool is_signed = true;
    if (has_logical(e, PQ_L_INTEGER)) {
        bits = (uint8_t)e->logical.integer.bits;
        is_signed = e->logical.integer.is_signed;
    } else if (has(e, PQ_E_CONVERTED) && e->converted >= PQ_UINT_8 && e->converted <= PQ_INT_64) {
        bits = bits_of_converted[e->converted - PQ_UINT_8];
        is_signed = e->converted >= PQ_INT_8;
    }
    if (e->type == PQ_INT64 && !is_signed)
        return type_decimal(pool_arena(m->file->pool), 20, 0);
    return type_simple(int_kind(bits, is_signed, e->type == PQ_INT64));
}

static const struct type *int32_type(struct mapper *m, const struct pq_schema_element *e)
{
    if (has_logical(e, PQ_L_UNKNOWN))
        return type_simple(TYPE_NULL);
    if (has_logical(e, PQ_L_DATE) || has_converted(e, PQ_DATE))
        return type_simple(TYPE_DATE);
    return integer_type(m, e);
}

static const struct type *int64_type(struct mapper *m, const struct pq_schema_element *e)
{
    if (has_logical(e, PQ_L_TIMESTAMP))
        return type_simple(e->logical.timestamp.utc ? TYPE_TIMESTAMP : TYPE_TIMESTAMP_NTZ);
    if (!has(e, PQ_E_LOGICAL) &&
        (has_converted(e, PQ_TIMESTAMP_MILLIS) || has_converted(e, PQ_TIMESTAMP_MICROS)))
        return type_simple(TYPE_TIMESTAMP);
    return integer_type(m, e);
}

static bool is_text(const struct pq_schema_element *e)
{
    if (has_logical(e, PQ_L_STRING) || has_logical(e, PQ_L_ENUM) || has_logical(e, PQ_L_JSON))
        return true;
    return has_converted(e, PQ_UTF8) || has_converted(e, PQ_ENUM) || has_converted(e, PQ_JSON);
}

static const struct type *leaf_type(struct mapper *m, const struct pq_schema_element *e)
{
    const struct type *type = NULL;
    bool may_decimal = e->type == PQ_INT32 || e->type == PQ_INT64 || e->type == PQ_BYTE_ARRAY ||
                       e->type == PQ_FIXED;
    if (may_decimal && (has_logical(e, PQ_L_DECIMAL) || has_converted(e, PQ_DECIMAL)))
        type = decimal_type(m, e);
    if (type)
        return type;
    switch (e->type) {
    case PQ_BOOLEAN: return type_simple(TYPE_BOOLEAN);
    case PQ_INT32: return int32_type(m, e);
    case PQ_INT64: return int64_type(m, e);
    case PQ_INT96: return type_simple(TYPE_TIMESTAMP);
    case PQ_FLOAT: return type_simple(TYPE_FLOAT);
    case PQ_DOUBLE: return type_simple(TYPE_DOUBLE);
    case PQ_BYTE_ARRAY: return type_simple(is_text(e) ? TYPE_STRING : TYPE_BINARY);
    default: break;
    }
    if (has_logical(e, PQ_L_FLOAT16) && e->type_length == 2)
        return type_simple(TYPE_FLOAT);
    if (has_logical(e, PQ_L_UUID) && e->type_length == 16)
        return type_simple(TYPE_STRING);
    return type_simple(is_text(e) ? TYPE_STRING : TYPE_BINARY);
}

/* ---- the SQL tree ---------------------------------------------------------------------------------- */

static bool map_field(struct mapper *m, const struct pq_node *node, struct pq_field *out, unsigned depth);
static bool map_value(struct mapper *m, const struct pq_node *node, struct pq_field *out, unsigned depth);

static bool add_children(struct mapper *m, struct pq_field *out, uint32_t count)
{
    out->child_count = count;
    out->children = arena_try_alloc(&m->file->arena, count * sizeof *out->children + 1);
    if (out->children == NULL)
        return broken(m, "it is too large");
    memset(out->children, 0, count * sizeof *out->children);
    return true;
}

static struct field sql_field(struct mapper *m, const struct pq_field *f)
{
    return (struct field){
        .name = str_dup(pool_arena(m->file->pool), f->name), .type = f->type, .nullable = f->nullable};
}

static bool map_struct(struct mapper *m, const struct pq_node *node, struct pq_field *out, unsigned depth)
{
    if (node->child_count > TYPE_FIELDS_MAX)
        return broken(m, "a struct has too many fields");
    TRY(add_children(m, out, node->child_count));
    struct field *fields = arena_try_alloc(&m->file->arena, node->child_count * sizeof *fields + 1);
    if (fields == NULL)
        return broken(m, "it is too large");
    for (uint32_t i = 0; i < node->child_count; i++) {
        TRY(map_field(m, &node->children[i], &out->children[i], depth + 1));
        fields[i] = sql_field(m, &out->children[i]);
    }
    out->type = type_struct(pool_arena(m->file->pool), fields, node->child_count);
    return true;
}

/* out becomes the ARRAY of what `element` gives. */
static bool map_array(struct mapper *m, const struct pq_node *repeated, const struct pq_node *element,
                      struct pq_field *out, unsigned depth)
{
    out->list_def = repeated->def;
    TRY(add_children(m, out, 1));
    if (element == repeated)
        TRY(map_value(m, element, &out->children[0], depth + 1));
    else
        TRY(map_field(m, element, &out->children[0], depth + 1));
    out->type = type_array(pool_arena(m->file->pool), out->children[0].type, out->children[0].nullable);
    return true;
}

static bool ends_in_tuple(const struct pq_node *list, const struct pq_node *repeated)
{
    struct str name = repeated->element->name, own = list->element->name;
    return name.n == own.n + 6 && str_starts(name, own) && str_ends(name, STR("_tuple"));
}

static bool map_list(struct mapper *m, const struct pq_node *node, struct pq_field *out, unsigned depth)
{
    const struct pq_node *repeated = &node->children[0], *element = repeated;
    if (repeated->child_count == 1 && !is_repeated(&repeated->children[0]) &&
        !str_is(repeated->element->name, "array") && !ends_in_tuple(node, repeated))
        element = &repeated->children[0];
    return map_array(m, repeated, element, out, depth);
}

static bool map_map(struct mapper *m, const struct pq_node *node, struct pq_field *out, unsigned depth)
{
    const struct pq_node *pairs = &node->children[0];
    if (pairs->child_count != 2) /* a set of keys */
        return map_array(m, pairs, &pairs->children[0], out, depth);
    out->list_def = pairs->def;
    TRY(add_children(m, out, 2));
    TRY(map_field(m, &pairs->children[0], &out->children[0], depth + 1));
    TRY(map_field(m, &pairs->children[1], &out->children[1], depth + 1));
    out->type = type_map(pool_arena(m->file->pool), out->children[0].type, out->children[1].type,
                         out->children[1].nullable);
    return true;
}

static bool map_variant(struct mapper *m, const struct pq_node *node, struct pq_field *out)
{
    static const char *const names[2] = {"metadata", "value"};
    TRY(add_children(m, out, 2));
    for (uint32_t i = 0; i < node->child_count; i++)
        if (str_is(node->children[i].element->name, "typed_value"))
            return err_set(m->err, ERR_DATA, "cannot read the variant \"%.*s\": it is shredded",
                           STR_ARG(node->element->name));
    for (unsigned k = 0; k < 2; k++) {
        const struct pq_node *part = NULL;
        for (uint32_t i = 0; i < node->child_count; i++)
            if (str_is(node->children[i].element->name, names[k]))
                part = &node->children[i];
        if (part == NULL || part->child_count > 0 || part->element->type != PQ_BYTE_ARRAY ||
            is_repeated(part))
            return broken(m, "a variant has no metadata or value");
        TRY(map_field(m, part, &out->children[k], 0));
        m->file->leaves[part->leaf].type = out->children[k].type = type_simple(TYPE_BINARY);
    }
    out->type = type_simple(TYPE_VARIANT);
    return true;
}

/* The field without its own repetition. */
static bool map_value(struct mapper *m, const struct pq_node *node, struct pq_field *out, unsigned depth)
{
    const struct pq_schema_element *e = node->element;
    out->name = e->name;
    out->id = has(e, PQ_E_FIELD_ID) ? e->field_id : PARQUET_NO_ID;
    out->def = node->def;
    out->rep = node->rep;
    out->leaf = node->leaf;
    if (depth > TYPE_DEPTH_MAX)
        return broken(m, "it is nested too deeply");
    if (node->child_count == 0) {
        if (has(e, PQ_E_CHILDREN) && !has(e, PQ_E_TYPE))
            return map_struct(m, node, out, depth); /* a group without fields */
        out->type = m->file->leaves[node->leaf].type = leaf_type(m, e);
        return true;
    }
    bool has_one = node->child_count == 1 && is_repeated(&node->children[0]);
    bool is_map = has_logical(e, PQ_L_MAP) || has_converted(e, PQ_MAP) || has_converted(e, PQ_MAP_KEY_VALUE);
    if (has_logical(e, PQ_L_VARIANT))
        return map_variant(m, node, out);
    if (has_one && is_map && node->children[0].child_count >= 1)
        return map_map(m, node, out, depth);
    if (has_one && (has_logical(e, PQ_L_LIST) || has_converted(e, PQ_LIST)))
        return map_list(m, node, out, depth);
    return map_struct(m, node, out, depth);
}

static bool map_field(struct mapper *m, const struct pq_node *node, struct pq_field *out, unsigned depth)
{
    if (!is_repeated(node)) {
        out->nullable = node->element->repetition == PQ_OPTIONAL;
        return map_value(m, node, out, depth);
    }
    out->name = node->element->name;
    out->id = has(node->element, PQ_E_FIELD_ID) ? node->element->field_id : PARQUET_NO_ID;
    out->def = (uint8_t)(node->def - 1);
    out->rep = (uint8_t)(node->rep - 1);
    out->leaf = node->leaf;
    if (depth > TYPE_DEPTH_MAX)
        return broken(m, "it is nested too deeply");
    return map_array(m, node, node, out, depth);
}

static struct parquet_name *names_of(struct mapper *m, const struct pq_field *f)
{
    uint32_t count = f->type->kind == TYPE_VARIANT ? 0 : f->child_count;
    if (count == 0)
        return NULL;
    struct parquet_name *names = arena_zarray(pool_arena(m->file->pool), struct parquet_name, count);
    for (uint32_t i = 0; i < count; i++)
        names[i] = (struct parquet_name){.id = f->children[i].id, .children = names_of(m, &f->children[i])};
    return names;
}

bool file_schema(struct parquet_file *file, struct err *err)
{
    struct mapper m = {
        .file = file, .elements = file->meta.schema.items, .count = file->meta.schema.count, .err = err};
    struct pq_node root;
    file->leaves = arena_try_alloc(&file->arena, m.count * sizeof *file->leaves + 1);
    if (file->leaves == NULL)
        return broken(&m, "it is too large");
    if (m.count == 0)
        return broken(&m, "it has no elements");
    TRY(build_node(&m, &root, 0, 0, 0));
    if (m.next != m.count)
        return broken(&m, "there are elements beside the root");
    TRY(map_struct(&m, &root, &file->root, 0));
    file->names = names_of(&m, &file->root);
    return true;
}

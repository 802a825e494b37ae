/* The wanted schema laid over the file's: which leaves to read, and how each node of the wanted tree gets
 * its levels. */
#include "format/parquet_read_i.h"

struct planner {
    struct parquet_scan *scan;
    struct err *err;
};

static bool plan(struct planner *p, struct rnode *node, const struct type *want, const struct pq_field *field,
                 const struct parquet_name *names, const char *name, unsigned depth);

/* ---- finding fields -------------------------------------------------------------------------------- */

static const struct pq_field *by_id(const struct pq_field *parent, int32_t id)
{
    for (uint32_t i = 0; i < parent->child_count; i++)
        if (parent->children[i].id == id)
            return &parent->children[i];
    return NULL;
}

static bool has_ids(const struct pq_field *parent)
{
    for (uint32_t i = 0; i < parent->child_count; i++)
        if (parent->children[i].id != PARQUET_NO_ID)
            return true;
    return false;
}

static const struct pq_field *find(const struct parquet_scan *scan, const struct pq_field *parent,
                                   const struct parquet_name *wanted, const char *own)
{
    if (wanted && wanted->id != PARQUET_NO_ID && has_ids(parent))
        return by_id(parent, wanted->id);
    struct str name = str_of(wanted && wanted->name ? wanted->name : own);
    for (uint32_t i = 0; i < parent->child_count; i++)
        if (str_eq(parent->children[i].name, name))
            return &parent->children[i];
    for (uint32_t i = 0; scan->options.nocase && i < parent->child_count; i++)
        if (str_eq_nocase(parent->children[i].name, name))
            return &parent->children[i];
    return NULL;
}

/* ---- leaves ---------------------------------------------------------------------------------------- */

static struct rleaf *leaf_new(struct planner *p, uint32_t index, const char *name)
{
    struct parquet_scan *scan = p->scan;
    struct rleaf *leaf = pool_new_struct(scan->pool, struct rleaf);
    *leaf = (struct rleaf){.file = scan->file,
                           .ctx = scan->ctx,
                           .scratch = &scan->scratch,
                           .leaf = &scan->file->leaves[index],
                           .index = index,
                           .name = name,
                           .verify = !scan->options.no_checksums,
                           .read_bytes = scan->options.read_bytes};
    scan->leaves = mem_grow(scan->leaves, &scan->leaf_capacity, scan->leaf_count + 1, sizeof(struct rleaf *));
    scan->leaves[scan->leaf_count++] = leaf;
    return leaf;
}

static bool cannot(struct planner *p, const struct pq_field *field, const struct type *want, const char *name)
{
    struct sbuf from = {0}, to = {0};
    type_to_sql(field->type, &from);
    type_to_sql(want, &to);
    err_set(p->err, ERR_DATA, "cannot read column \"%s\" as %.*s: it is %.*s in the file", name,
            (int)(to.n < 100 ? to.n : 100), to.p, (int)(from.n < 100 ? from.n : 100), from.p);
    sbuf_fini(&from);
    sbuf_fini(&to);
    return false;
}

static bool plan_primitive(struct planner *p, struct rnode *node, const char *name)
{
    const struct pq_field *field = node->field;
    if (node->type->kind == TYPE_NULL || field->type->kind == TYPE_NULL) {
        node->field = NULL; /* nothing but NULL comes out of it */
        return true;
    }
    struct rleaf *leaf = leaf_new(p, (uint32_t)field->leaf, name);
    if (field->child_count > 0 || !convert_choose(leaf->leaf, node->type, &leaf->convert))
        return cannot(p, field, node->type, name);
    leaf->is_view = type_is_view(node->type);
    leaf->may_dictionary = leaf->is_view && leaf->leaf->max_rep == 0 && !p->scan->options.no_dictionaries;
    node->leaf = leaf;
    return true;
}

/* ---- nodes ----------------------------------------------------------------------------------------- */

/* Levels come from the first leaf below that is read anyway, else from the file's first leaf below. */
static void choose_witness(struct planner *p, struct rnode *node, const char *name)
{
    for (uint32_t i = 0; i < node->child_count && node->leaf == NULL; i++)
        node->leaf = node->children[i].leaf;
    if (node->leaf == NULL && node->field->leaf < (int32_t)p->scan->file->leaf_count) {
        node->leaf = leaf_new(p, (uint32_t)node->field->leaf, name);
        node->leaf->skip_values = true;
    }
}

static bool plan_struct(struct planner *p, struct rnode *node, const struct parquet_name *names,
                        unsigned depth)
{
    for (uint32_t i = 0; i < node->child_count; i++) {
        const struct field *f = &node->type->fields[i];
        const struct parquet_name *wanted = names ? &names[i] : NULL;
        TRY(plan(p, &node->children[i], f->type, find(p->scan, node->field, wanted, f->name),
                 wanted ? wanted->children : NULL, f->name, depth + 1));
    }
    return true;
}

static bool plan_nested(struct planner *p, struct rnode *node, const struct parquet_name *names,
                        const char *name, unsigned depth)
{
    const struct pq_field *field = node->field;
    const struct type *want = node->type;
    node->child_count = column_child_count(want);
    node->children = pool_alloc(p->scan->pool, (node->child_count + 1) * sizeof *node->children);
    if (field->type->kind != want->kind)
        return cannot(p, field, want, name);
    if (want->kind == TYPE_STRUCT)
        TRY(plan_struct(p, node, names, depth));
    else
        for (uint32_t i = 0; i < node->child_count; i++)
            TRY(plan(p, &node->children[i], column_child_type(want, i), &field->children[i],
                     names ? names[i].children : NULL, name, depth + 1));
    choose_witness(p, node, name);
    return node->leaf != NULL || cannot(p, field, want, name);
}

/* A group of metadata and value without the annotation, as writers had it before there was one, where a VARIANT is
 * wanted: the same as one with it. Else the field itself. */
static const struct pq_field *as_variant(struct planner *p, const struct pq_field *field)
{
    if (field == NULL || field->type->kind != TYPE_STRUCT || field->child_count != 2)
        return field;
    bool swapped = str_is(field->children[0].name, "value");
    const struct pq_field *metadata = &field->children[swapped], *value = &field->children[!swapped];
    if (!str_is(metadata->name, "metadata") || !str_is(value->name, "value") ||
        metadata->type->kind != TYPE_BINARY || value->type->kind != TYPE_BINARY)
        return field;
    struct pq_field *variant = pool_alloc(p->scan->pool, sizeof *variant);
    *variant = *field;
    variant->type = type_simple(TYPE_VARIANT);
    variant->children = pool_alloc(p->scan->pool, 2 * sizeof *variant->children);
    variant->children[0] = *metadata;
    variant->children[1] = *value;
    return variant;
}

static bool plan(struct planner *p, struct rnode *node, const struct type *want, const struct pq_field *field,
                 const struct parquet_name *names, const char *name, unsigned depth)
{
    if (want->kind == TYPE_VARIANT)
        field = as_variant(p, field);
    *node = (struct rnode){
        .type = want, .field = field, .is_primitive = !type_is_nested(want) && want->kind != TYPE_VARIANT};
    if (depth > TYPE_DEPTH_MAX)
        return err_set(p->err, ERR_DATA, "column \"%s\" is nested too deeply", name);
    if (field == NULL)
        return true;
    return node->is_primitive ? plan_primitive(p, node, name) : plan_nested(p, node, names, name, depth);
}

bool scan_plan(struct parquet_scan *scan, struct err *err)
{
    struct planner p = {scan, err};
    scan->root = (struct rnode){
        .type = scan->schema, .field = &scan->file->root, .child_count = scan->schema->field_count};
    scan->root.children = pool_alloc(scan->pool, (scan->root.child_count + 1) * sizeof *scan->root.children);
    return plan_struct(&p, &scan->root, scan->options.names, 0);
}

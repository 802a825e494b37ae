/* From levels back to columns.
 *
 * A leaf's entries are its rows with every list on the way opened. A node at `rep` repeated ancestors has a
 * row for each entry with rep level ≤ rep whose definition level says that the element around it exists.
 * From those entries follow a struct's validity, a list's validity and the number of its elements (the
 * entries one level deeper up to its next row), and a primitive's values in order. Each nested node asks
 * its witness leaf; that two leaves below one list agree is checked. */
#include "format/parquet_read_i.h"

struct assembler {
    struct parquet_scan *scan;
    struct arena *arena; /* the batch's */
    struct err *err;
};

/* Where a node's rows are: `rows` of them, below lists `rep` deep, in elements that exist from `def` on. */
struct span {
    uint32_t rows;
    uint8_t rep, def;
    const uint8_t *parent; /* validity of the struct around it, or NULL */
};

static bool assemble(struct assembler *a, const struct rnode *node, struct span at, struct column *out);

static uint8_t *bitmap(struct assembler *a, uint32_t rows, uint8_t byte)
{
    size_t n = ((size_t)rows + 7) / 8 + 1;
    return memset(arena_alloc(a->arena, n), byte, n);
}

static bool disagree(struct assembler *a, const struct rnode *node)
{
    return rleaf_broken(node->leaf, a->err, "its levels disagree with those of its neighbour columns");
}

/* ---- columns that the file does not have ----------------------------------------------------------- */

static void all_null(struct assembler *a, struct column *column)
{
    if (column->type->kind == TYPE_NULL)
        return;
    column->validity = bitmap(a, column->rows, 0);
    if (column->type->kind == TYPE_STRUCT || column->type->kind == TYPE_VARIANT)
        for (uint32_t i = 0; i < column_child_count(column->type); i++)
            all_null(a, &column->children[i]);
}

static void missing(struct assembler *a, const struct type *type, uint32_t rows, struct column *out)
{
    if (type->kind == TYPE_NULL) {
        *out = (struct column){.type = type, .rows = rows};
        return;
    }
    column_layout(out, type, 1, a->arena);
    all_null(a, out);
    out->encoding = COLUMN_CONSTANT;
    out->rows = rows;
}

/* ---- validity -------------------------------------------------------------------------------------- */

/* Bits of levels[n] ≥ level; NULL where all are. */
static uint8_t *validity_of(struct assembler *a, const uint8_t *levels, uint32_t n, uint8_t level)
{
    uint32_t nulls = 0;
    if (levels == NULL || level == 0)
        return NULL;
    uint8_t *bits = bitmap(a, n, 0);
    uint32_t i = 0;
    for (; i + 8 <= n; i += 8) {
        unsigned byte = 0;
        for (unsigned j = 0; j < 8; j++)
            byte |= (unsigned)(levels[i + j] >= level) << j;
        bits[i >> 3] = (uint8_t)byte;
        nulls += byte != 0xFF;
    }
    for (; i < n; i++) {
        bits[i >> 3] |= (uint8_t)((levels[i] >= level) << (i & 7));
        nulls += levels[i] < level;
    }
    return nulls ? bits : NULL;
}

/* Does every row that is null in the parent have a null in the child? */
static bool within(const uint8_t *child, const uint8_t *parent, uint32_t rows)
{
    if (parent == NULL)
        return true;
    for (uint32_t i = 0; i < rows; i++)
        if (!bit_get(parent, i) && (child == NULL || bit_get(child, i)))
            return false;
    return true;
}

/* The definition levels of the node's rows, one a row; NULL where all are the leaf's max. *good = false:
 * there are not at.rows. */
static const uint8_t *row_levels(struct assembler *a, const struct rleaf *leaf, const struct span *at,
                                 bool *good)
{
    *good = true;
    if (leaf->rep_levels == NULL) {
        *good = leaf->n == at->rows;
        return leaf->def_levels;
    }
    uint8_t *levels = arena_alloc(a->arena, (size_t)at->rows + 1);
    uint32_t rows = 0;
    for (uint32_t i = 0; i < leaf->n; i++) {
        if (leaf->rep_levels[i] > at->rep || leaf->def_levels[i] < at->def)
            continue;
        if (rows == at->rows) {
            *good = false;
            return NULL;
        }
        levels[rows++] = leaf->def_levels[i];
    }
    *good = rows == at->rows;
    return levels;
}

/* ---- nodes ----------------------------------------------------------------------------------------- */

/* The leaf's dictionary as a column; what it lies in is held by the batch. */
static struct column *dictionary_column(struct assembler *a, const struct rnode *node)
{
    struct column *d = arena_new(a->arena, struct column);
    *d = (struct column){.type = node->type,
                         .encoding = COLUMN_FLAT,
                         .rows = node->leaf->dictionary.count,
                         .data = node->leaf->dictionary.values->p};
    return d;
}

/* Dense values of a repeated leaf to the rows that have one. */
static void *spread_values(struct assembler *a, const struct rleaf *leaf, const uint8_t *levels,
                           uint32_t rows)
{
    size_t width = leaf->convert.out_width;
    uint8_t max = leaf->leaf->max_def;
    uint8_t *out = arena_zalloc(a->arena, ((size_t)rows + 1) * width);
    const uint8_t *from = leaf->data;
    for (uint32_t i = 0; i < rows; i++) {
        if (levels[i] != max)
            continue;
        memcpy(out + i * width, from, width);
        from += width;
    }
    return out;
}

static bool assemble_primitive(struct assembler *a, const struct rnode *node, struct span at,
                               struct column *out)
{
    struct rleaf *leaf = node->leaf;
    bool good;
    const uint8_t *levels = row_levels(a, leaf, &at, &good);
    *out = (struct column){.type = node->type, .encoding = COLUMN_FLAT, .rows = at.rows};
    if (!good)
        return disagree(a, node);
    out->validity = validity_of(a, levels, at.rows, leaf->leaf->max_def);
    if (!within(out->validity, at.parent, at.rows))
        return disagree(a, node);
    if (leaf->rep_levels == NULL && leaf->indices) {
        out->encoding = COLUMN_DICTIONARY;
        out->indices = leaf->indices;
        out->dictionary = dictionary_column(a, node);
    } else if (leaf->rep_levels == NULL) {
        out->data = leaf->data;
    } else if (leaf->value_count == at.rows && leaf->value_count > 0) {
        out->data = leaf->data;
    } else {
        out->data = spread_values(a, leaf, levels, at.rows);
    }
    return true;
}

static bool assemble_children(struct assembler *a, const struct rnode *node, struct span at,
                              struct column *out)
{
    out->children = arena_zarray(a->arena, struct column, node->child_count + 1);
    for (uint32_t i = 0; i < node->child_count; i++)
        TRY(assemble(a, &node->children[i], at, &out->children[i]));
    return true;
}

static bool assemble_struct(struct assembler *a, const struct rnode *node, struct span at, struct column *out)
{
    bool good;
    const uint8_t *levels = row_levels(a, node->leaf, &at, &good);
    *out = (struct column){.type = node->type, .encoding = COLUMN_FLAT, .rows = at.rows};
    if (!good)
        return disagree(a, node);
    out->validity = validity_of(a, levels, at.rows, node->field->def);
    if (!within(out->validity, at.parent, at.rows))
        return disagree(a, node);
    at.parent = out->validity;
    return assemble_children(a, node, at, out);
}

/* offsets[rows + 1] of a list node from its witness; false: the rows are not at.rows. */
static bool list_offsets(const struct rleaf *leaf, const struct rnode *node, const struct span *at,
                         uint32_t *offsets, uint8_t *levels)
{
    uint32_t rows = 0, elements = 0;
    uint8_t element = node->field->list_def, deeper = (uint8_t)(at->rep + 1);
    for (uint32_t i = 0; i < leaf->n; i++) {
        uint8_t rep = leaf->rep_levels[i], def = leaf->def_levels[i];
        if (rep > deeper || def < at->def)
            continue;
        if (rep <= at->rep) {
            if (rows == at->rows)
                return false;
            offsets[rows] = elements;
            levels[rows++] = def;
        }
        elements += def >= element;
    }
    offsets[rows] = elements;
    return rows == at->rows;
}

static bool assemble_list(struct assembler *a, const struct rnode *node, struct span at, struct column *out)
{
    uint8_t *levels = arena_alloc(a->arena, (size_t)at.rows + 1);
    *out = (struct column){.type = node->type, .encoding = COLUMN_FLAT, .rows = at.rows};
    out->offsets = arena_array(a->arena, uint32_t, (size_t)at.rows + 1);
    if (!list_offsets(node->leaf, node, &at, out->offsets, levels))
        return disagree(a, node);
    out->validity = validity_of(a, levels, at.rows, node->field->def);
    if (!within(out->validity, at.parent, at.rows))
        return disagree(a, node);
    uint32_t elements = out->offsets[at.rows];
    /* A null list has no elements, unless an entry contradicts itself. */
    for (uint32_t i = 0; out->validity && i < at.rows; i++)
        if (!bit_get(out->validity, i) && out->offsets[i + 1] != out->offsets[i])
            return disagree(a, node);
    return assemble_children(
        a, node, (struct span){elements, (uint8_t)(at.rep + 1), node->field->list_def, NULL}, out);
}

static bool assemble(struct assembler *a, const struct rnode *node, struct span at, struct column *out)
{
    if (node->field == NULL) {
        missing(a, node->type, at.rows, out);
        return true;
    }
    if (node->is_primitive)
        return assemble_primitive(a, node, at, out);
    if (node->type->kind == TYPE_ARRAY || node->type->kind == TYPE_MAP)
        return assemble_list(a, node, at, out);
    return assemble_struct(a, node, at, out);
}

bool scan_assemble(struct parquet_scan *scan, struct batch *out, uint32_t rows, struct err *err)
{
    struct assembler a = {scan, &out->arena, err};
    const struct rnode *root = &scan->root;
    out->schema = scan->schema;
    out->columns = arena_zarray(&out->arena, struct column, root->child_count + 1);
    out->partition = -1;
    for (uint32_t i = 0; i < root->child_count; i++) {
        const struct field *f = &scan->schema->fields[i];
        TRY(assemble(&a, &root->children[i], (struct span){.rows = rows}, &out->columns[i]));
        if (!f->nullable && column_null_count(&out->columns[i]) > 0)
            return err_set(err, ERR_DATA, "column \"%s\" is to have no NULL, but has%s", f->name,
                           root->children[i].field ? "" : ": the file does not store it");
    }
    out->rows = rows;
    return true;
}

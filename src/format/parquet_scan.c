/* A scan: row groups, of which a predicate may drop some by their statistics, and batches of their rows.
 *
 * Leaves with lists are read first, into what is pending; the batch has as many rows as all of them have
 * complete. Then the flat ones read exactly those. */
#include "format/parquet_read_i.h"

enum { READ_BYTES = 1 << 20, READ_BYTES_MIN = 4096, READ_BYTES_MAX = 1 << 30 };

static void scan_close(void *arg)
{
    struct parquet_scan *scan = arg;
    for (size_t i = 0; i < scan->leaf_count; i++)
        rleaf_fini(scan->leaves[i]);
    mem_free(scan->leaves);
    arena_fini(&scan->scratch);
    if (scan->options.ctx == NULL)
        compress_ctx_free(scan->ctx);
}

static void set_defaults(struct parquet_scan_options *o)
{
    o->batch_rows = o->batch_rows ? o->batch_rows : BATCH_ROWS;
    o->batch_rows = o->batch_rows < BATCH_ROWS_MAX ? o->batch_rows : BATCH_ROWS_MAX;
    o->read_bytes = o->read_bytes ? o->read_bytes : READ_BYTES;
    o->read_bytes = o->read_bytes < READ_BYTES_MIN ? READ_BYTES_MIN : o->read_bytes;
    o->read_bytes = o->read_bytes > READ_BYTES_MAX ? READ_BYTES_MAX : o->read_bytes;
}

struct parquet_scan *parquet_scan_new(struct pool *pool, struct parquet_file *file,
                                      const struct parquet_scan_options *options, struct err *err)
{
    struct pool *own = pool_new(pool, "parquet scan");
    struct parquet_scan *scan = pool_new_struct(own, struct parquet_scan);
    scan->pool = own;
    scan->file = file;
    if (options)
        scan->options = *options;
    set_defaults(&scan->options);
    scan->schema = scan->options.columns ? scan->options.columns : parquet_schema(file);
    scan->ctx = scan->options.ctx ? scan->options.ctx : compress_ctx_new();
    pool_on_free(own, scan_close, scan);
    uint32_t groups = parquet_row_groups(file), first = scan->options.first_group,
             count = scan->options.group_count;
    scan->group = first < groups ? first : groups;
    scan->group_end = count == 0 || count > groups - scan->group ? groups : scan->group + count;
    for (uint32_t i = 0; i < scan->group; i++)
        scan->next_row += parquet_row_group_rows(file, i);
    if (!scan_plan(scan, err)) {
        pool_free(own);
        return NULL;
    }
    return scan;
}

void parquet_scan_free(struct parquet_scan *scan)
{
    if (scan)
        pool_free(scan->pool);
}

int64_t parquet_scan_row(const struct parquet_scan *scan)
{
    return scan->row;
}

/* ---- statistics ------------------------------------------------------------------------------------ */

/* One value of statistics bytes, as the leaf's conversion makes it. p is borrowed by value->str. */
static bool stat_value(const struct rleaf *leaf, const struct type *type, struct str bytes, struct value *out)
{
    const struct convert *c = &leaf->convert;
    enum pq_type physical = (enum pq_type)leaf->leaf->element->type;
    struct view view;
    i128 in = 0, wanted = 0; /* room and alignment for any value */
    *out = value_null(type);
    if (physical == PQ_BYTE_ARRAY || physical == PQ_FIXED) {
        view = view_of(bytes.p, bytes.n);
        /* Text that is cut may end in half a character: no value for a person, but a bound. */
        if (type_is_view(type)) {
            out->is_null = false;
            out->str = bytes;
            return true;
        }
        memcpy(&in, &view, sizeof view);
    } else if (bytes.n == physical_width(physical)) {
        memcpy(&in, bytes.p, bytes.n);
    } else {
        return false;
    }
    if (!convert_run(c, &in, 1, &wanted, NULL))
        return false;
    struct column column = {.type = type, .rows = 1, .data = &wanted};
    if (type->kind == TYPE_BOOLEAN)
        *(uint8_t *)&wanted &= 1;
    struct arena none = {0};
    *out = column_value(&column, 0, &none);
    return type->kind != TYPE_FLOAT && type->kind != TYPE_DOUBLE ? true : out->f64 == out->f64;
}

static const struct rnode *find_node(const struct parquet_scan *scan, const uint32_t *path, uint32_t depth)
{
    const struct rnode *node = &scan->root;
    for (uint32_t i = 0; i < depth; i++) {
        if (node->type->kind != TYPE_STRUCT || path[i] >= node->child_count)
            return NULL;
        node = &node->children[path[i]];
        if (node->field == NULL)
            return node;
    }
    return node;
}

bool parquet_group_bounds(const struct parquet_group *group, const uint32_t *path, uint32_t depth,
                          struct parquet_bounds *bounds)
{
    const struct rnode *node = find_node(group->scan, path, depth);
    *bounds = (struct parquet_bounds){0};
    if (node == NULL || depth == 0)
        return false;
    if (node->field == NULL) {
        *bounds = (struct parquet_bounds){.has_nulls = true, .null_count = group->rows};
        return true;
    }
    if (!node->is_primitive || node->leaf->leaf->max_rep > 0)
        return false;
    const struct rleaf *leaf = node->leaf;
    const struct pq_row_group *g = (const struct pq_row_group *)group->scan->file->meta.row_groups.items +
                                   group->index;
    const struct pq_column_chunk *chunk = (const struct pq_column_chunk *)g->columns.items + leaf->index;
    const struct pq_statistics *s = &chunk->meta.statistics;
    if (!THRIFT_HAS(chunk, PQ_K_META) || !THRIFT_HAS(&chunk->meta, PQ_C_STATISTICS))
        return false;
    bounds->has_nulls = THRIFT_HAS(s, PQ_S_NULL_COUNT) && s->null_count >= 0;
    bounds->null_count = bounds->has_nulls ? s->null_count : 0;
    if (!leaf->convert.has_order)
        return bounds->has_nulls;
    if (THRIFT_HAS(s, PQ_S_MIN_VALUE) && THRIFT_HAS(s, PQ_S_MAX_VALUE)) {
        bounds->has_min = stat_value(leaf, node->type, s->min_value, &bounds->min);
        bounds->has_max = stat_value(leaf, node->type, s->max_value, &bounds->max);
    } else if (leaf->convert.is_signed_order && THRIFT_HAS(s, PQ_S_MIN) && THRIFT_HAS(s, PQ_S_MAX)) {
        bounds->has_min = stat_value(leaf, node->type, s->min, &bounds->min);
        bounds->has_max = stat_value(leaf, node->type, s->max, &bounds->max);
    }
    return bounds->has_nulls || bounds->has_min || bounds->has_max;
}

/* ---- batches --------------------------------------------------------------------------------------- */

/* Begins the next row group that is wanted and has rows; group_left = 0: there is none. */
static bool next_group(struct parquet_scan *scan, struct err *err)
{
    const struct pq_row_group *groups = scan->file->meta.row_groups.items;
    while (scan->group < scan->group_end) {
        uint32_t index = scan->group++;
        struct parquet_group group = {.index = index, .rows = groups[index].num_rows, .scan = scan};
        if (group.rows == 0)
            continue;
        if (scan->options.keep && !scan->options.keep(scan->options.arg, &group)) {
            scan->next_row += group.rows;
            continue;
        }
        for (size_t i = 0; i < scan->leaf_count; i++)
            TRY(rleaf_begin(scan->leaves[i], &groups[index], err));
        scan->group_left = group.rows;
        return true;
    }
    return true;
}

static bool read_batch(struct parquet_scan *scan, struct batch *out, struct err *err)
{
    uint32_t rows = scan->group_left < scan->options.batch_rows ? (uint32_t)scan->group_left
                                                                : scan->options.batch_rows;
    for (size_t i = 0; i < scan->leaf_count; i++)
        if (scan->leaves[i]->leaf->max_rep > 0)
            TRY(rleaf_fill(scan->leaves[i], &rows, err));
    for (size_t i = 0; i < scan->leaf_count; i++) {
        struct rleaf *leaf = scan->leaves[i];
        if (leaf->leaf->max_rep > 0)
            rleaf_take(leaf, rows, &out->arena);
        else
            TRY(rleaf_read_flat(leaf, rows, &out->arena, err));
        rleaf_hand_over(leaf, out);
    }
    TRY(scan_assemble(scan, out, rows, err));
    scan->row = scan->next_row;
    scan->next_row += rows;
    scan->group_left -= rows;
    return true;
}

bool parquet_scan_next(struct parquet_scan *scan, struct batch *out, bool *end, struct err *err)
{
    batch_reset(out);
    *end = true;
    if (scan->failed)
        return true;
    arena_reset(&scan->scratch);
    if (scan->group_left == 0 && !next_group(scan, err)) {
        scan->failed = true;
        return false;
    }
    if (scan->group_left == 0) {
        batch_layout(out, scan->schema, 0);
        return true;
    }
    *end = false;
    if (!read_batch(scan, out, err)) {
        batch_reset(out);
        scan->failed = true;
        return false;
    }
    return true;
}

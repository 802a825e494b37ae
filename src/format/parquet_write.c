/* The writer: batches → row groups → a file.
 *
 * Rows go column by column into the leaves, a slice of about a thousand at a time, so that what a column's
 * slice needs stays in the caches. Each leaf holds its chunk of the row group as compressed pages; when the
 * group has its rows, or holds its share of memory, its chunks are put out one after the other: dictionary
 * page, data pages. Nothing is ever written back: offsets are known when the footer is made. Of earlier
 * groups only their metadata and page indexes stay. */
#include "format/parquet_write_i.h"

enum {
    PIECE_ROWS = 8192,       /* between two looks at the memory held */
    NESTED_SLICE_ROWS = 128, /* slices of nested columns whose size cannot be told beforehand */
    ROW_GROUP_ROWS = 1 << 20,
    ROW_GROUP_BYTES = 64 << 20,
    PAGE_BYTES = 1 << 20,
    PAGE_BYTES_MAX = 64 << 20,
    PAGE_ROWS = 20000,
    DICTIONARY_BYTES = 1 << 20,
};

static void writer_close(void *arg)
{
    struct parquet_writer *w = arg;
    for (uint32_t i = 0; i < w->leaf_count; i++)
        leaf_fini(w->leaves[i]);
    mem_free(w->leaves);
    mem_free(w->groups);
    mem_free(w->indexes);
    arena_fini(&w->scratch);
    arena_fini(&w->meta);
    sbuf_fini(&w->body);
    sbuf_fini(&w->packed);
    sbuf_fini(&w->header);
    if (w->options.ctx == NULL)
        compress_ctx_free(w->ctx);
}

static void set_defaults(struct parquet_writer_options *o)
{
    o->row_group_rows = o->row_group_rows ? o->row_group_rows : ROW_GROUP_ROWS;
    o->row_group_rows = o->row_group_rows > INT32_MAX ? INT32_MAX : o->row_group_rows;
    o->row_group_bytes = o->row_group_bytes ? o->row_group_bytes : ROW_GROUP_BYTES;
    o->page_bytes = o->page_bytes ? o->page_bytes : PAGE_BYTES;
    o->page_bytes = o->page_bytes > PAGE_BYTES_MAX ? PAGE_BYTES_MAX : o->page_bytes;
    o->page_rows = o->page_rows ? o->page_rows : PAGE_ROWS;
    o->dictionary_bytes = o->dictionary_bytes ? o->dictionary_bytes : DICTIONARY_BYTES;
    o->created_by = o->created_by ? o->created_by : "sluice version " SLUICE_VERSION;
}

struct parquet_writer *parquet_writer_new(struct pool *pool, const struct type *schema,
                                          const struct parquet_writer_options *options,
                                          struct parquet_output output, struct err *err)
{
    struct pool *own = pool_new(pool, "parquet writer");
    struct parquet_writer *w = pool_new_struct(own, struct parquet_writer);
    w->pool = own;
    w->schema = schema;
    w->options = *options;
    set_defaults(&w->options);
    w->ctx = options->ctx ? options->ctx : compress_ctx_new();
    pool_on_free(own, writer_close, w);
    if (!writer_elements(w, err)) {
        pool_free(own);
        return NULL;
    }
    parquet_writer_restart(w, output);
    return w;
}

void parquet_writer_free(struct parquet_writer *w)
{
    if (w)
        pool_free(w->pool);
}

static void reset_nulls(struct node *node)
{
    node->nulls = 0;
    for (uint32_t i = 0; i < node->child_count; i++)
        reset_nulls(&node->children[i]);
}

void parquet_writer_restart(struct parquet_writer *w, struct parquet_output output)
{
    w->output = output;
    w->failed = w->finished = false;
    w->offset = 0;
    w->rows = w->group_rows = 0;
    w->group_count = 0;
    arena_reset(&w->meta);
    reset_nulls(w->root);
    for (uint32_t i = 0; i < w->leaf_count; i++) {
        leaf_chunk_reset(w->leaves[i]);
        bounds_reset(&w->leaves[i]->file_bounds);
    }
}

static bool put_out(struct parquet_writer *w, const void *p, size_t n, struct err *err)
{
    if (n == 0)
        return true;
    if (!w->output.write(w->output.arg, p, n, err)) {
        w->failed = true;
        return false;
    }
    w->offset += n;
    return true;
}

static bool begin(struct parquet_writer *w, struct err *err)
{
    if (w->failed)
        return err_set(err, ERR_FATAL, "the Parquet file cannot go on: writing it has failed before");
    CHECK(!w->finished);
    return w->offset > 0 || put_out(w, "PAR1", 4, err);
}

/* ---- rows ------------------------------------------------------------------------------------------ */

/* Bytes of the rows of a flat column, 8 an element at least; stops counting past `enough`. */
static uint64_t bytes_of(const struct column *c, const uint32_t *rows, uint32_t first, uint32_t n,
                         uint64_t enough)
{
    uint64_t bytes = 0;
    if (type_is_view(c->type)) {
        const struct view *v = c->data;
        for (uint32_t i = 0; i < n; i++)
            bytes += 4 + (uint64_t)v[rows ? rows[first + i] : first + i].size;
        return bytes;
    }
    if (c->type->kind == TYPE_STRUCT || c->type->kind == TYPE_VARIANT) {
        uint32_t children = c->type->kind == TYPE_VARIANT ? 2 : c->type->field_count;
        for (uint32_t i = 0; i < children && bytes < enough; i++)
            if (c->children[i].encoding == COLUMN_FLAT)
                bytes += bytes_of(&c->children[i], rows, first, n, enough);
        return bytes;
    }
    if (c->type->kind == TYPE_ARRAY || c->type->kind == TYPE_MAP) {
        for (uint32_t i = 0; i < n && bytes < enough; i++) {
            uint32_t row = rows ? rows[first + i] : first + i, begin = c->offsets[row],
                     count = c->offsets[row + 1] - begin;
            bytes += 8 + 8 * (uint64_t)count;
            for (uint32_t j = 0; j < c->type->field_count && count; j++)
                if (c->children[j].encoding == COLUMN_FLAT)
                    bytes += bytes_of(&c->children[j], NULL, begin, count, enough);
        }
        return bytes;
    }
    return (uint64_t)n * 8;
}

/* How many of the next `left` rows go at once: no leaf's page is to pass its rows, or its bytes by much. */
static uint32_t slice_rows(const struct parquet_writer *w, const struct node *node, const struct column *c,
                           const uint32_t *rows, uint32_t first, uint32_t left)
{
    uint32_t n = left < SLICE_ROWS ? left : SLICE_ROWS;
    for (uint32_t i = 0; i < node->leaf_count; i++) {
        const struct leaf *leaf = w->leaves[node->leaf_first + i];
        uint32_t free = w->options.page_rows - leaf->page_rows;
        n = n < free ? n : free;
    }
    if (c->encoding != COLUMN_FLAT)
        return type_is_nested(c->type) && n > NESTED_SLICE_ROWS ? NESTED_SLICE_ROWS : n;
    if (!type_is_nested(c->type) && !type_is_view(c->type) && c->type->kind != TYPE_VARIANT)
        return n;
    while (n > 1 && bytes_of(c, rows, first, n, w->options.page_bytes) > w->options.page_bytes)
        n /= 2;
    return n;
}

static bool add_column(struct parquet_writer *w, struct node *node, const struct column *c,
                       const uint32_t *rows, uint32_t first, uint32_t count, struct err *err)
{
    while (count > 0) {
        uint32_t n = slice_rows(w, node, c, rows, first, count);
        arena_reset(&w->scratch);
        TRY(shred_column(w, node, c, rows, first, n, err));
        for (uint32_t i = 0; i < node->leaf_count; i++)
            TRY(leaf_added(w, w->leaves[node->leaf_first + i], n, err));
        first += n;
        count -= n;
    }
    return true;
}

size_t parquet_writer_memory(const struct parquet_writer *w)
{
    size_t n = 0;
    for (uint32_t i = 0; i < w->leaf_count; i++)
        n += leaf_memory(w->leaves[i]);
    return n;
}

uint64_t parquet_writer_bytes(const struct parquet_writer *w)
{
    return w->offset + parquet_writer_memory(w);
}

bool parquet_writer_batch(struct parquet_writer *w, const struct batch *batch, const uint32_t *rows,
                          uint32_t first, uint32_t count, struct err *err)
{
    CHECK(batch->schema->field_count == w->schema->field_count);
    DCHECK(type_same(batch->schema, w->schema));
    CHECK(rows != NULL || (first <= batch->rows && count <= batch->rows - first));
    TRY(begin(w, err));
    for (uint32_t i = 0; i < w->leaf_count; i++)
        w->leaves[i]->remap_of = NULL;
    while (count > 0) {
        int64_t free = (int64_t)w->options.row_group_rows - w->group_rows;
        uint32_t n = count < PIECE_ROWS ? count : PIECE_ROWS;
        n = n < free ? n : (uint32_t)free;
        for (uint32_t i = 0; i < w->root->child_count; i++)
            if (!w->root->children[i].is_dropped &&
                !add_column(w, &w->root->children[i], &batch->columns[i], rows, first, n, err)) {
                w->failed = true;
                return false;
            }
        w->group_rows += n;
        w->rows += n;
        first += n;
        count -= n;
        if (w->group_rows >= w->options.row_group_rows ||
            parquet_writer_memory(w) >= w->options.row_group_bytes)
            TRY(parquet_writer_flush(w, err));
    }
    return true;
}

/* ---- row groups ------------------------------------------------------------------------------------ */

static void set_statistics(struct parquet_writer *w, const struct leaf *leaf, struct pq_statistics *s)
{
    s->has = 1U << PQ_S_NULL_COUNT;
    s->null_count = leaf->chunk_nulls;
    if (bounds_bytes(&leaf->bounds, false, leaf->physical, leaf->fixed, leaf->is_text, &w->meta,
                     &s->min_value, &s->is_min_value_exact))
        s->has |= 1U << PQ_S_MIN_VALUE | 1U << PQ_S_MIN_EXACT;
    if (bounds_bytes(&leaf->bounds, true, leaf->physical, leaf->fixed, leaf->is_text, &w->meta, &s->max_value,
                     &s->is_max_value_exact))
        s->has |= 1U << PQ_S_MAX_VALUE | 1U << PQ_S_MAX_EXACT;
}

static void set_encodings(struct parquet_writer *w, const struct leaf *leaf, bool has_dictionary,
                          struct pq_column_meta *m)
{
    enum { MOST = PQ_BYTE_STREAM_SPLIT + 3 };
    int32_t *encodings = arena_array(&w->meta, int32_t, MOST);
    struct pq_encoding_stats *stats = arena_array(&w->meta, struct pq_encoding_stats, MOST);
    uint32_t n = 0, pages = 0;
    if (leaf->max_def + leaf->max_rep > 0)
        encodings[n++] = PQ_RLE;
    if (has_dictionary) {
        stats[pages++] = (struct pq_encoding_stats){
            .has = 0xE, .page_type = PQ_DICTIONARY_PAGE, .encoding = PQ_PLAIN, .count = 1};
        if (leaf->encoding_pages[PQ_PLAIN] == 0)
            encodings[n++] = PQ_PLAIN;
    }
    for (int32_t e = 0; e <= PQ_BYTE_STREAM_SPLIT; e++) {
        if (leaf->encoding_pages[e] == 0)
            continue;
        encodings[n++] = e;
        stats[pages++] = (struct pq_encoding_stats){
            .has = 0xE, .page_type = PQ_DATA_PAGE, .encoding = e, .count = (int32_t)leaf->encoding_pages[e]};
    }
    m->encodings = (struct thrift_list){encodings, n};
    m->encoding_stats = (struct thrift_list){stats, pages};
}

static int32_t codec_id(enum codec codec)
{
    static const int32_t ids[CODEC_COUNT] = {
        [CODEC_NONE] = PQ_UNCOMPRESSED, [CODEC_GZIP] = PQ_GZIP, [CODEC_SNAPPY] = PQ_SNAPPY,
        [CODEC_LZ4] = PQ_LZ4_RAW,       [CODEC_ZSTD] = PQ_ZSTD,
    };
    return ids[codec];
}

/* Indexes of a chunk whose pages begin at offset `start`. */
static void make_indexes(struct parquet_writer *w, const struct leaf *leaf, uint64_t start,
                         struct index_place *out)
{
    size_t n = leaf->page_count;
    struct pq_page_location *locations = arena_array(&w->meta, struct pq_page_location, n);
    bool *null_pages = arena_array(&w->meta, bool, n);
    struct str *mins = arena_array(&w->meta, struct str, n), *maxs = arena_array(&w->meta, struct str, n);
    int64_t *null_counts = arena_array(&w->meta, int64_t, n), row = 0;
    for (size_t i = 0; i < n; i++) {
        const struct page_record *p = &leaf->pages[i];
        locations[i] = (struct pq_page_location){.has = 0xE,
                                                 .offset = (int64_t)(start + p->offset),
                                                 .compressed_page_size = (int32_t)p->size,
                                                 .first_row_index = row};
        row += p->rows;
        null_pages[i] = p->is_null;
        mins[i] = p->min;
        maxs[i] = p->max;
        null_counts[i] = p->null_count;
    }
    *out = (struct index_place){.has_columns = leaf->has_order && !leaf->no_index};
    out->offsets = (struct pq_offset_index){.has = 2, .locations = {locations, (uint32_t)n}};
    out->columns = (struct pq_column_index){.has = 0x3E,
                                            .null_pages = {null_pages, (uint32_t)n},
                                            .min_values = {mins, (uint32_t)n},
                                            .max_values = {maxs, (uint32_t)n},
                                            .boundary_order = PQ_UNORDERED,
                                            .null_counts = {null_counts, (uint32_t)n}};
    if (leaf->is_ascending || leaf->is_descending)
        out->columns.boundary_order = leaf->is_ascending ? PQ_ASCENDING : PQ_DESCENDING;
}

static bool put_chunk(struct parquet_writer *w, struct leaf *leaf, struct pq_column_chunk *chunk,
                      struct index_place *place, struct err *err)
{
    uint64_t start = w->offset;
    bool has_dictionary = leaf->encoding_pages[PQ_RLE_DICTIONARY] > 0;
    struct pq_column_meta *m = &chunk->meta;
    *chunk = (struct pq_column_chunk){.has = 1U << 2 | 1U << PQ_K_META};
    *m = (struct pq_column_meta){
        .has = 0x2FE, .type = (int32_t)leaf->physical, .codec = codec_id(w->options.codec)};
    if (has_dictionary) {
        size_t uncompressed;
        TRY(leaf_dictionary_page(w, leaf, &uncompressed, err));
        leaf->uncompressed += uncompressed;
        TRY(put_out(w, w->header.p, w->header.n, err));
        TRY(put_out(w, w->packed.p, w->packed.n, err));
        m->has |= 1U << PQ_C_DICTIONARY;
        m->dictionary_page_offset = (int64_t)start;
    }
    m->data_page_offset = (int64_t)w->offset;
    TRY(put_out(w, leaf->chunk.p, leaf->chunk.n, err));
    m->path = (struct thrift_list){leaf->path, leaf->path_count};
    m->num_values = leaf->chunk_values;
    m->total_uncompressed_size = (int64_t)leaf->uncompressed;
    m->total_compressed_size = (int64_t)(w->offset - start);
    m->has |= 1U << PQ_C_ENCODING_STATS;
    set_encodings(w, leaf, has_dictionary, m);
    if (!w->options.no_statistics && leaf->has_order) {
        m->has |= 1U << PQ_C_STATISTICS;
        set_statistics(w, leaf, &m->statistics);
    }
    if (!w->options.no_statistics && !w->options.no_page_index)
        make_indexes(w, leaf, (uint64_t)m->data_page_offset, place);
    bounds_merge(&leaf->file_bounds, &leaf->bounds);
    return true;
}

bool parquet_writer_flush(struct parquet_writer *w, struct err *err)
{
    TRY(begin(w, err));
    if (w->group_rows == 0)
        return true;
    arena_reset(&w->scratch);
    for (uint32_t i = 0; i < w->leaf_count; i++)
        if (!leaf_page_end(w, w->leaves[i], err)) {
            w->failed = true;
            return false;
        }
    size_t at = w->group_count++;
    w->groups = mem_grow(w->groups, &w->group_capacity, w->group_count, sizeof *w->groups);
    w->indexes = mem_grow(w->indexes, &w->index_capacity, w->group_count * w->leaf_count, sizeof *w->indexes);
    struct pq_column_chunk *chunks = arena_array(&w->meta, struct pq_column_chunk, w->leaf_count);
    struct pq_row_group *g = &w->groups[at];
    *g = (struct pq_row_group){.has = 0x6E, .num_rows = w->group_rows, .file_offset = (int64_t)w->offset};
    g->columns = (struct thrift_list){chunks, w->leaf_count};
    if (at <= INT16_MAX) {
        g->has |= 1U << 7;
        g->ordinal = (int16_t)at;
    }
    for (uint32_t i = 0; i < w->leaf_count; i++) {
        if (!put_chunk(w, w->leaves[i], &chunks[i], &w->indexes[at * w->leaf_count + i], err)) {
            w->failed = true;
            return false;
        }
        g->total_byte_size += chunks[i].meta.total_uncompressed_size;
        g->total_compressed_size += chunks[i].meta.total_compressed_size;
        leaf_chunk_reset(w->leaves[i]);
    }
    w->group_rows = 0;
    return true;
}

/* ---- the end of the file --------------------------------------------------------------------------- */

static bool put_struct(struct parquet_writer *w, const struct thrift_struct *table, const void *s,
                       int64_t *offset, int32_t *length, struct err *err)
{
    sbuf_clear(&w->body);
    thrift_write(&w->body, table, s);
    *offset = (int64_t)w->offset;
    *length = (int32_t)w->body.n;
    return put_out(w, w->body.p, w->body.n, err);
}

/* All column indexes, then all offset indexes, before the footer. */
static bool put_indexes(struct parquet_writer *w, struct err *err)
{
    for (int pass = 0; pass < 2; pass++) {
        for (size_t g = 0; g < w->group_count; g++) {
            struct pq_column_chunk *chunks = w->groups[g].columns.items;
            for (uint32_t i = 0; i < w->leaf_count; i++) {
                struct pq_column_chunk *c = &chunks[i];
                struct index_place *place = &w->indexes[g * w->leaf_count + i];
                if (pass == 0 && place->has_columns) {
                    c->has |= 3U << PQ_K_COLUMN_INDEX;
                    TRY(put_struct(w, &pq_column_index_table, &place->columns, &c->column_index_offset,
                                   &c->column_index_length, err));
                } else if (pass == 1) {
                    c->has |= 3U << PQ_K_OFFSET_INDEX;
                    TRY(put_struct(w, &pq_offset_index_table, &place->offsets, &c->offset_index_offset,
                                   &c->offset_index_length, err));
                }
            }
        }
    }
    return true;
}

static bool put_footer(struct parquet_writer *w, struct err *err)
{
    struct pq_file_meta meta = {.has = 0x1E | 1U << PQ_F_CREATED_BY | 1U << PQ_F_COLUMN_ORDERS,
                                .version = 1,
                                .schema = w->elements,
                                .num_rows = w->rows,
                                .row_groups = {w->groups, (uint32_t)w->group_count},
                                .created_by = str_of(w->options.created_by)};
    struct pq_column_order *orders = arena_array(&w->meta, struct pq_column_order, w->leaf_count);
    for (uint32_t i = 0; i < w->leaf_count; i++)
        orders[i].has = 2;
    meta.column_orders = (struct thrift_list){orders, w->leaf_count};
    if (w->options.key_value_count > 0) {
        struct pq_key_value *pairs = arena_array(&w->meta, struct pq_key_value, w->options.key_value_count);
        for (uint32_t i = 0; i < w->options.key_value_count; i++)
            pairs[i] = (struct pq_key_value){6, w->options.key_values[i].key, w->options.key_values[i].value};
        meta.has |= 1U << PQ_F_KEY_VALUES;
        meta.key_values = (struct thrift_list){pairs, w->options.key_value_count};
    }
    sbuf_clear(&w->body);
    thrift_write(&w->body, &pq_file_meta_table, &meta);
    w->failed = w->body.n > PARQUET_FOOTER_MAX;
    if (w->failed)
        return err_set(err, ERR_DATA,
                       "cannot end the Parquet file: its metadata takes %zu bytes, the limit is %d",
                       w->body.n, PARQUET_FOOTER_MAX);
    uint8_t end[8];
    put_le32(end, (uint32_t)w->body.n);
    memcpy(end + 4, "PAR1", 4);
    sbuf_add(&w->body, end, sizeof end);
    return put_out(w, w->body.p, w->body.n, err);
}

static void field_stats(struct parquet_writer *w, const struct node *node, const struct field *field,
                        struct parquet_field_stats *out)
{
    *out = (struct parquet_field_stats){.field = field, .null_count = node->nulls};
    out->min = out->max = value_null(field->type);
    if (node->is_dropped)
        return;
    if (node->leaf) {
        const struct bounds *b = &node->leaf->file_bounds;
        out->nan_count = b->nans;
        out->has_bounds = b->has;
        out->min = bounds_value(b, false, field->type);
        out->max = bounds_value(b, true, field->type);
    } else if (node->type->kind == TYPE_STRUCT) {
        struct parquet_field_stats *children = arena_array(&w->meta, struct parquet_field_stats,
                                                           node->child_count);
        for (uint32_t i = 0; i < node->child_count; i++)
            field_stats(w, &node->children[i], &node->type->fields[i], &children[i]);
        out->child_count = node->child_count;
        out->children = children;
    }
}

bool parquet_writer_finish(struct parquet_writer *w, struct parquet_file_stats *stats, struct err *err)
{
    TRY(parquet_writer_flush(w, err));
    w->finished = true;
    if (!w->options.no_statistics && !w->options.no_page_index)
        TRY(put_indexes(w, err));
    TRY(put_footer(w, err));
    if (stats == NULL)
        return true;
    uint32_t count = w->schema->field_count;
    struct parquet_field_stats *fields = arena_array(&w->meta, struct parquet_field_stats, count + 1);
    for (uint32_t i = 0; i < count; i++)
        field_stats(w, &w->root->children[i], &w->schema->fields[i], &fields[i]);
    *stats = (struct parquet_file_stats){.rows = w->rows,
                                         .bytes = w->offset,
                                         .row_groups = (uint32_t)w->group_count,
                                         .field_count = count,
                                         .fields = fields};
    return true;
}

/* The writer's inside: nodes that follow the schema, leaves that are Parquet columns, and what each does
 * with its values.
 *
 *   parquet_write.c    the writer, row groups, footer
 *   parquet_elements.c SQL schema → Parquet schema
 *   parquet_shred.c    columns of a batch → levels and dense values of each leaf
 *   parquet_page.c     a leaf's pages: encode, compress, record
 *   parquet_dict.c     dictionaries: values → indices
 *   parquet_bounds.c   least and greatest values */
#ifndef FORMAT_PARQUET_WRITE_I_H
#define FORMAT_PARQUET_WRITE_I_H

#include "format/parquet.h"
#include "format/parquet_codec_i.h"
#include "format/parquet_meta_i.h"

enum {
    SHRED_DEAD = UINT32_MAX, /* the index of an entry without a value */
    SLICE_ROWS = 1024,       /* rows that are shredded at once: their arrays stay in the L1 and L2 caches */
};

/* How dense values of a leaf lie in memory; the order is that of dense_width. */
enum dense_kind {
    DENSE_BOOL, /* uint8_t */
    DENSE_I32,
    DENSE_I64,
    DENSE_F32,
    DENSE_F64,
    DENSE_I128, /* decimals as FIXED */
    DENSE_VIEW, /* struct view */
};

/* ---- dictionaries ---------------------------------------------------------------------------------- */

struct dict {
    enum dense_kind kind;
    uint64_t *slots; /* slots[mask + 1]: hash in the upper, index + 1 in the lower 32 bits; 0 = free */
    uint32_t mask;
    uint32_t count;
    void *values; /* values[count], dense; far views point into `bytes` */
    size_t capacity;
    uint32_t *stamps; /* stamps[count]: the page that saw the value last */
    size_t stamp_capacity;
    size_t plain_bytes;   /* of the dictionary page */
    unsigned plain_width; /* bytes of a fixed value in the page */
    struct arena bytes;
};

void dict_init(struct dict *d, enum dense_kind kind, unsigned plain_width);
void dict_fini(struct dict *d);
void dict_reset(struct dict *d); /* no values; memory is kept */
/* indices[n] of dense values[n], new ones added. */
void dict_put(struct dict *d, const void *values, size_t n, uint32_t *indices);

/* ---- bounds ---------------------------------------------------------------------------------------- */

/* Least and greatest of the values added. Which members count: kind. */
struct bounds {
    enum dense_kind kind;
    bool has;
    bool owned; /* view_min and view_max lie in their own bytes, or inline */
    int64_t nans;
    i128 min, max;       /* integers, decimals, booleans */
    double f_min, f_max; /* without NaN */
    struct view view_min, view_max;
    struct sbuf min_bytes, max_bytes;
};

void bounds_fini(struct bounds *b);
void bounds_reset(struct bounds *b);
/* Views are borrowed until bounds_own. */
void bounds_add(struct bounds *b, const void *values, size_t n);
void bounds_own(struct bounds *b);
/* from is not empty by contract of the caller; the kinds are equal. */
void bounds_merge(struct bounds *b, const struct bounds *from);
/* <0, 0, >0: the mins (is_max false) or maxs of two. */
int bounds_cmp(const struct bounds *a, const struct bounds *b, bool is_max);
/* Statistics bytes (PLAIN, no length) of min or max; long bytes are cut to PARQUET_STAT_BYTES, the max then
 * made greater. *exact: not cut. false: no bound can be given. fixed = bytes of a FIXED decimal. */
bool bounds_bytes(const struct bounds *b, bool is_max, enum pq_type physical, unsigned fixed, bool is_text,
                  struct arena *arena, struct str *out, bool *exact);
struct value bounds_value(const struct bounds *b, bool is_max, const struct type *type);

/* ---- leaves and nodes ------------------------------------------------------------------------------ */

enum leaf_mode { MODE_DICT, MODE_PLAIN, MODE_DELTA, MODE_DELTA_LENGTH, MODE_DELTA_PREFIX, MODE_SPLIT };

struct page_record {
    uint64_t offset; /* in the chunk's bytes */
    uint32_t size;   /* header included */
    uint32_t rows;
    int64_t null_count;
    bool is_null; /* no value at all */
    bool has_bounds;
    struct str min, max; /* cut; in the writer's `index` arena */
};

struct leaf {
    const struct type *type; /* SQL */
    enum pq_type physical;
    enum dense_kind dense;
    unsigned fixed; /* bytes of one value in PLAIN, 0 = BYTE_ARRAY or BOOLEAN */
    bool is_text;   /* cut at characters */
    bool has_order; /* statistics are meaningful */
    uint8_t max_def, max_rep;
    struct str *path; /* path[path_count] */
    uint32_t path_count;

    enum leaf_mode first_mode, fallback;
    uint32_t dict_failures; /* row groups in a row whose dictionary did not pay */
    uint32_t dict_skip;     /* row groups to begin without one */

    /* this page */
    enum leaf_mode mode;
    uint32_t page_rows, entries, values_count;
    bool is_uniform; /* all def levels are uniform_def, def[] is not filled */
    uint8_t uniform_def;
    uint8_t *def, *rep;
    size_t def_capacity, rep_capacity;
    uint32_t *indices; /* MODE_DICT: indices[values_count] */
    size_t index_capacity;
    struct sbuf values; /* PLAIN bytes; BOOLEAN: a byte each; delta modes of strings: the bytes alone */
    uint32_t *lengths;  /* delta modes of strings */
    size_t length_capacity;
    struct bounds page;

    /* this chunk */
    struct dict dict;
    uint32_t page_stamp;
    struct sbuf chunk; /* pages, compressed, headers included */
    struct page_record *pages;
    size_t page_count, page_capacity;
    uint32_t encoding_pages[PQ_BYTE_STREAM_SPLIT + 1]; /* data pages by encoding */
    int64_t chunk_values, chunk_nulls;
    uint64_t uncompressed;
    struct bounds bounds;
    bool no_index;                    /* a page has no bounds though it has values */
    bool is_ascending, is_descending; /* the bounds of its pages so far */
    struct bounds last;               /* of the last page that has bounds */

    /* this file */
    struct bounds file_bounds;

    /* this batch: indices of an input column's dictionary → ours */
    const struct column *remap_of;
    uint32_t *remap;
    size_t remap_capacity;
};

struct node {
    const struct type *type;
    const char *name; /* physical */
    int32_t id;
    bool optional;
    bool is_dropped;
    bool in_list;                    /* below a repeated node: nulls are not counted */
    uint8_t rep;                     /* repeated ancestors */
    struct leaf *leaf;               /* primitives */
    uint32_t leaf_first, leaf_count; /* the leaves below, in the writer's list */
    uint32_t child_count;
    struct node *children;
    int64_t nulls; /* this file */
};

struct parquet_writer {
    struct pool *pool;
    const struct type *schema;
    struct parquet_writer_options options;
    struct parquet_output output;
    struct compress_ctx *ctx;
    struct node *root; /* children = top-level columns */
    struct leaf **leaves;
    uint32_t leaf_count, leaf_capacity;
    struct thrift_list elements; /* struct pq_schema_element, for the footer */

    bool failed;
    bool finished;
    uint64_t offset; /* bytes put out */
    int64_t rows, group_rows;
    struct pq_row_group *groups;
    size_t group_count, group_capacity;
    struct index_place *indexes; /* [group_count × leaf_count] */
    size_t index_capacity;

    struct arena scratch; /* of one slice */
    struct arena meta;    /* of the file: footer and indexes */
    struct sbuf body, packed, header;
};

/* The indexes of one chunk, kept until the file ends. */
struct index_place {
    struct pq_column_index columns;
    struct pq_offset_index offsets;
    bool has_columns;
};

/* Entries of a node: n of them, with the row of the node's column that each is. */
struct shred {
    uint32_t n;
    uint32_t alive;      /* entries that have a value */
    const uint32_t *idx; /* idx[n], SHRED_DEAD where there is none; NULL: first, first + 1 …, all alive */
    uint32_t first;
    const uint8_t *def; /* def[n]; NULL: all def_all */
    uint8_t def_all;
    const uint8_t *rep; /* rep[n]; NULL: all 0 */
};

/* Builds w->root, w->leaves and w->elements. */
bool writer_elements(struct parquet_writer *w, struct err *err);
/* The rows of one slice into all leaves below the node. */
bool shred_column(struct parquet_writer *w, struct node *node, const struct column *column,
                  const uint32_t *rows, uint32_t first, uint32_t count, struct err *err);

/* Appends the entries of s, whose values are in column (flat data of the leaf's type), to the leaf's page. */
bool leaf_add(struct parquet_writer *w, struct leaf *leaf, const struct column *column, const struct shred *s,
              struct err *err);
/* Ends the page when it is full. rows = rows that were added since it was asked last. */
bool leaf_added(struct parquet_writer *w, struct leaf *leaf, uint32_t rows, struct err *err);
bool leaf_page_end(struct parquet_writer *w, struct leaf *leaf, struct err *err);
/* The dictionary page into w->packed, its header into w->header. */
bool leaf_dictionary_page(struct parquet_writer *w, struct leaf *leaf, size_t *uncompressed, struct err *err);
size_t leaf_memory(const struct leaf *leaf);
size_t leaf_page_bytes(const struct leaf *leaf);
void leaf_chunk_reset(struct leaf *leaf);
void leaf_fini(struct leaf *leaf);

#endif

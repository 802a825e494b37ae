/* The reader's inside.
 *
 *   parquet_open.c     footer, accessors
 *   parquet_schema.c   Parquet schema → SQL schema: a tree of fields that know their levels
 *   parquet_plan.c     wanted columns against the file's: a tree of nodes, and the leaves to read
 *   parquet_convert.c  physical values → values of the wanted type
 *   parquet_stream.c   a leaf's column chunk: windows of the file, pages, dictionary
 *   parquet_decode.c   values of a page, by encoding
 *   parquet_assemble.c levels and values → columns
 *   parquet_scan.c     row groups, batches, statistics
 */
#ifndef FORMAT_PARQUET_READ_I_H
#define FORMAT_PARQUET_READ_I_H

#include "format/parquet.h"
#include "format/parquet_codec_i.h"
#include "format/parquet_meta_i.h"

enum {
    PQ_SCHEMA_DEPTH_MAX = 120,   /* nesting of schema elements: levels stay below 256 */
    PQ_META_RATIO = 64,          /* memory of the parsed metadata per byte of the footer, at most */
    PQ_LEVELS_PIECE = 2048,      /* levels of a repeated leaf that are read at once */
    PQ_EXPANDED_MAX = 256 << 20, /* bytes of the values that one call expands from DELTA_BYTE_ARRAY */
};

/* ---- the file -------------------------------------------------------------------------------------- */

/* A primitive column of the file. */
struct pq_leaf {
    const struct pq_schema_element *element;
    const struct type *type; /* SQL type that it becomes by itself */
    uint8_t max_def, max_rep;
};

/* A field as SQL sees it, over one or more schema elements. */
struct pq_field {
    struct str name;
    int32_t id;
    const struct type *type;
    bool nullable;
    uint8_t def;      /* definition level from which on it is not null */
    uint8_t rep;      /* repeated ancestors, its own repeated group not counted */
    uint8_t list_def; /* ARRAY, MAP: definition level from which on there is an element */
    int32_t leaf;     /* primitives: index of the leaf; others: of the first leaf below */
    uint32_t child_count;
    struct pq_field *children;
};

struct parquet_file {
    struct pool *pool;
    struct parquet_source source;
    struct arena arena; /* metadata; its limit is PQ_META_RATIO times the footer */
    struct pq_file_meta meta;
    struct pq_leaf *leaves;
    uint32_t leaf_count;
    int64_t rows; /* of its row groups: some writers' own sum is wrong */
    struct pq_field root;
    struct parquet_name *names;
};

/* Fills file->leaves, root, names from file->meta.schema. */
bool file_schema(struct parquet_file *file, struct err *err);
/* The bytes offset..offset+n of the file, checked against its size. */
bool file_read(const struct parquet_file *file, uint64_t offset, size_t n, uint8_t *out, struct err *err);

/* ---- conversions ----------------------------------------------------------------------------------- */

enum convert_kind {
    CONVERT_NONE,      /* physical values are the wanted ones */
    CONVERT_INT,       /* integers: scaled by mul and div, into another width */
    CONVERT_INT_F64,   /* INT32 → DOUBLE */
    CONVERT_F32_F64,   /* FLOAT → DOUBLE */
    CONVERT_F16,       /* FIXED(2) → FLOAT */
    CONVERT_F16_F64,   /* FIXED(2) → DOUBLE */
    CONVERT_INT_DEC,   /* integers and decimals as such → DECIMAL, times factor */
    CONVERT_BYTES_DEC, /* big-endian two's complement → DECIMAL, times factor */
    CONVERT_INT96,     /* Julian day and nanoseconds → µs */
    CONVERT_UUID,      /* FIXED(16) → text */
};

struct convert {
    enum convert_kind kind;
    uint8_t in_width, out_width; /* bytes of one value in memory; FIXED and BYTE_ARRAY are views */
    bool is_unsigned;            /* INT32 is to be extended with zeros */
    bool is_text;                /* the values are to be UTF-8 */
    bool has_order;              /* statistics may be converted */
    bool is_signed_order;        /* the deprecated min and max may be, too */
    uint8_t precision;           /* DEC: of the wanted type */
    int64_t mul, div;
    i128 factor;
};

/* Bytes of one physical value in memory: 1, 4, 8, 12 (INT96), 16 (views). */
unsigned physical_width(enum pq_type type);
/* false: leaf's values cannot become `want`. */
bool convert_choose(const struct pq_leaf *leaf, const struct type *want, struct convert *out);
/* in[n] → out[n]; UUID: text[n × 36] takes the bytes. false: a decimal does not fit. */
bool convert_run(const struct convert *c, const void *in, size_t n, void *out, char *text);

/* ---- reading a leaf -------------------------------------------------------------------------------- */

struct level_reader {
    bool is_bit_packed;
    uint8_t max;
    struct rle_reader rle;
    const uint8_t *p; /* BIT_PACKED (MSB first) */
    size_t size, at;
};

struct value_reader {
    int32_t encoding;
    const uint8_t *p, *end;
    size_t at;                  /* BOOLEAN PLAIN: bit; BYTE_STREAM_SPLIT: value */
    struct rle_reader rle;      /* dictionary indices, RLE booleans */
    struct delta_reader delta;  /* integers; lengths; prefix lengths */
    struct delta_reader suffix; /* DELTA_BYTE_ARRAY: suffix lengths */
    struct view last;           /* DELTA_BYTE_ARRAY: the value before */
};

struct dictionary {
    struct buf *values; /* values[count] of the wanted width */
    struct buf *page;   /* what views point into, or NULL */
    struct buf *text;   /* what repaired or formatted text lies in, or NULL */
    uint32_t count;
};

/* Levels and values of a repeated leaf that are read but not yet part of a batch. */
struct pending {
    uint8_t *def, *rep;
    size_t def_capacity, rep_capacity, value_capacity;
    uint32_t n, rows; /* entries; rows begun */
    uint8_t *values;  /* values[value_count] of the wanted width */
    uint32_t value_count;
    uint32_t fresh; /* the last values that lie in the current page */
};

/* A leaf of a scan. */
struct rleaf {
    const struct parquet_file *file;
    struct compress_ctx *ctx;
    struct arena *scratch; /* of the scan's current batch */
    const struct pq_leaf *leaf;
    const char *name; /* for errors */
    struct convert convert;
    size_t read_bytes;
    uint32_t index;      /* in the file */
    bool skip_values;    /* only the levels are wanted */
    bool is_view;        /* the values are views into buffers */
    bool may_dictionary; /* views may stay dictionary-encoded */
    bool verify;         /* checksums */

    /* this chunk */
    const struct pq_column_meta *meta;
    uint64_t at, end;    /* file offsets: of the next page, of the chunk's end */
    int64_t values_left; /* entries of the chunk that are in pages to come */
    struct buf *window;  /* bytes of the file from window_at */
    uint64_t window_at;
    struct dictionary dictionary;

    /* this page */
    struct buf *page; /* what the values lie in */
    uint32_t left;    /* entries not yet read */
    bool is_dict;     /* the values are indices */
    bool has_extra;   /* held are others than page and dictionary, too */
    struct level_reader def, rep;
    struct value_reader values;

    /* what views given out since the last hand-over point into */
    struct buf *last; /* what values.last lies in */
    struct buf **held;
    size_t held_count, held_capacity;

    struct pending pending;

    /* this batch */
    uint32_t n;                /* entries */
    const uint8_t *def_levels; /* def_levels[n]; NULL: all max */
    const uint8_t *rep_levels; /* rep_levels[n]; NULL: all 0 */
    uint32_t value_count;
    void *data;        /* flat leaf: data[n], spread; repeated: data[value_count], dense */
    uint32_t *indices; /* flat leaf, dictionary-encoded: indices[n], spread; data is then NULL */
};

void rleaf_fini(struct rleaf *leaf);
/* Begins the leaf's chunk of a row group. */
bool rleaf_begin(struct rleaf *leaf, const struct pq_row_group *group, struct err *err);
/* The next data page; false and ERR_DATA when the chunk has no more. */
bool rleaf_next_page(struct rleaf *leaf, struct err *err);
/* The leaf keeps a reference on buf until the hand-over. */
void rleaf_hold(struct rleaf *leaf, struct buf *buf);
/* The batch gets the buffers; the leaf keeps what its pending values need. */
void rleaf_hand_over(struct rleaf *leaf, struct batch *batch);
/* max_rep 0: exactly the next `rows` entries, arrays in `arena`. */
bool rleaf_read_flat(struct rleaf *leaf, uint32_t rows, struct arena *arena, struct err *err);
/* max_rep > 0: reads until `rows` rows are pending, or there are plenty; *rows = how many are complete. */
bool rleaf_fill(struct rleaf *leaf, uint32_t *rows, struct err *err);
/* Takes `rows` complete ones out of the pending; arrays in arena. */
void rleaf_take(struct rleaf *leaf, uint32_t rows, struct arena *arena);
bool rleaf_broken(const struct rleaf *leaf, struct err *err, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Begins the values of a page at p[n] with `entries` entries. */
bool values_begin(struct rleaf *leaf, int32_t encoding, const uint8_t *p, size_t n, struct err *err);
/* The next n values in the wanted form. */
bool values_read(struct rleaf *leaf, size_t n, void *out, struct err *err);
/* The next n indices of a dictionary page, checked. */
bool values_indices(struct rleaf *leaf, size_t n, uint32_t *out, struct err *err);
/* The values of a dictionary page, PLAIN at p[n]. */
bool values_dictionary(struct rleaf *leaf, struct buf *page, const uint8_t *p, size_t n, uint32_t count,
                       struct err *err);

/* ---- the scan -------------------------------------------------------------------------------------- */

/* A wanted field. */
struct rnode {
    const struct type *type;
    const struct pq_field *field; /* NULL: the file has none */
    struct rleaf *leaf;           /* of primitives; of nested ones: the first below, for its levels */
    bool is_primitive;
    uint32_t child_count;
    struct rnode *children;
};

struct parquet_scan {
    struct pool *pool;
    struct parquet_file *file;
    struct parquet_scan_options options;
    const struct type *schema;
    struct rnode root;
    struct rleaf **leaves;
    size_t leaf_count, leaf_capacity;
    struct compress_ctx *ctx;
    struct arena scratch;
    bool failed;
    uint32_t group, group_end; /* the next row group, the end */
    int64_t group_left;        /* rows of the current one */
    int64_t row, next_row;     /* of the last batch, of the next */
};

/* Fills scan->root and leaves. */
bool scan_plan(struct parquet_scan *scan, struct err *err);
/* Columns of a batch of `rows` rows from the leaves' arrays. */
bool scan_assemble(struct parquet_scan *scan, struct batch *out, uint32_t rows, struct err *err);

#endif

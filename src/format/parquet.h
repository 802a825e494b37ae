/* Parquet files (parquet-format 2.x): batches → bytes, and bytes → batches.
 *
 * Pure: the writer hands its bytes, in order, to a callback; the reader asks a callback for ranges. Neither
 * knows what a file is. What each SQL type becomes:
 *
 *   BOOLEAN           BOOLEAN                      DECIMAL(p,s)  INT32 (p ≤ 9), INT64 (≤ 18), FIXED; DECIMAL
 *   BYTE SHORT        INT32, INTEGER(8|16)         STRING        BYTE_ARRAY, STRING
 *   INT LONG          INT32, INT64                 BINARY        BYTE_ARRAY
 *   FLOAT DOUBLE      FLOAT, DOUBLE                ARRAY         LIST of 3 levels, list.element
 *   DATE              INT32, DATE                  MAP           MAP, key_value.key and .value
 *   TIMESTAMP         INT64, TIMESTAMP(µs, UTC)    STRUCT        group
 *   TIMESTAMP_NTZ     INT64, TIMESTAMP(µs, local)  VARIANT       group of metadata and value, VARIANT(1)
 *   INTERVAL_YM, _DT  INT32, INT64 (as Spark)      NULL          INT32, UNKNOWN
 *
 * Read, besides: INT96 → TIMESTAMP; TIMESTAMP(ms|ns) → µs (ns floored); UINT_8 16 32 64 → SHORT INT LONG
 * DECIMAL(20,0); TIME(ms) → INT, TIME(µs|ns) → LONG; ENUM, JSON, UUID → STRING; BSON, INTERVAL, geometry
 * and unknown annotations → BINARY or the physical type's; FLOAT16 → FLOAT; DECIMAL of any physical type;
 * two-level lists, unannotated repeated fields, MAP_KEY_VALUE.
 *
 * Refused by name: encrypted files, LZO and brotli, column chunks in other files, shredded variants. */
#ifndef FORMAT_PARQUET_H
#define FORMAT_PARQUET_H

#include "batch/batch.h"
#include "format/compress.h"

enum {
    PARQUET_PAGE_MAX = 1 << 30,         /* bytes of a page, uncompressed; no larger value can be stored */
    PARQUET_PAGE_HEADER_MAX = 16 << 20, /* bytes of one page header */
    PARQUET_FOOTER_MAX = 512 << 20,     /* bytes of the metadata */
    PARQUET_ELEMENTS_MAX = 1 << 26,     /* elements of one row's lists, all levels together */
    PARQUET_ELEMENTS_AIM = 1 << 20,     /* a batch ends early where a column's lists have about as many */
    PARQUET_STAT_BYTES = 64,            /* strings of statistics and indexes in the file are cut to this */
};

/* ---- names and ids (Delta's column mapping) -------------------------------------------------------- */

/* Beside a schema: physical names and field ids of its fields, in the same order. */
struct parquet_name {
    const char *name;                    /* physical name; NULL = the field's own */
    int32_t id;                          /* Parquet field id; PARQUET_NO_ID = none */
    const struct parquet_name *children; /* [fields of the field's type]; NULL = nothing to say of them */
};
#define PARQUET_NO_ID INT32_MIN

/* ---- writer ---------------------------------------------------------------------------------------- */

enum parquet_encoding {
    PARQUET_AUTO,       /* a dictionary while it pays, else PARQUET_DELTA: files a fifth smaller than PLAIN */
    PARQUET_PLAIN,      /* no dictionary */
    PARQUET_DICTIONARY, /* a dictionary up to its limit, then PLAIN */
    PARQUET_DELTA,      /* integers of any meaning: DELTA_BINARY_PACKED; strings: DELTA_LENGTH_BYTE_ARRAY */
    PARQUET_DELTA_PREFIX, /* strings: DELTA_BYTE_ARRAY */
    PARQUET_SPLIT,        /* fixed widths: BYTE_STREAM_SPLIT */
};

/* Every member has a default, 0 or NULL (level: set it, or use PARQUET_WRITER_OPTIONS). */
struct parquet_writer_options {
    enum codec codec;               /* none, gzip, snappy, lz4 (as LZ4_RAW), zstd */
    int level;                      /* COMPRESS_LEVEL_DEFAULT, or see codec_levels */
    uint32_t row_group_rows;        /* 1..2^31-1; 0 = 1,048,576 */
    size_t row_group_bytes;         /* memory that a row group may hold before it is put out; 0 = 64 MiB */
    size_t page_bytes;              /* uncompressed bytes of a data page, about; 0 = 1 MiB; at most 64 MiB */
    uint32_t page_rows;             /* 0 = 20,000 */
    size_t dictionary_bytes;        /* of one column chunk's dictionary, then fall back; 0 = 1 MiB */
    enum parquet_encoding encoding; /* of all leaf columns that `encodings` does not name */
    const enum parquet_encoding *encodings; /* by top-level column [field_count], or NULL */
    bool no_statistics;  /* neither statistics nor indexes in the file; file statistics have no bounds */
    bool no_page_index;  /* no column and offset indexes */
    bool page_checksums; /* CRC-32 of every page */
    bool plain_fallback; /* AUTO: PLAIN, not PARQUET_DELTA, for readers of before 2022 (Spark before 3.3) */
    const char *created_by;                     /* NULL = "sluice version <x.y.z>" */
    const struct parquet_key_value *key_values; /* [key_value_count] */
    uint32_t key_value_count;
    const struct parquet_name *names; /* [field_count], or NULL */
    const bool *drop;         /* [field_count]: columns that are not stored (partition columns), or NULL */
    struct compress_ctx *ctx; /* borrowed for the writer's life; NULL = one of its own */
};
#define PARQUET_WRITER_OPTIONS                                                                               \
    ((struct parquet_writer_options){.codec = CODEC_ZSTD, .level = COMPRESS_LEVEL_DEFAULT})

struct parquet_key_value {
    struct str key, value;
};

/* Takes p[n], the next bytes of the file; all of them, or false. */
struct parquet_output {
    bool (*write)(void *arg, const void *p, size_t n, struct err *err);
    void *arg;
};

/* What a file holds of one field: as Delta's statistics want it. Of STRUCT fields there are children; of
 * ARRAY, MAP and VARIANT only the nulls. Dropped columns have all zero. */
struct parquet_field_stats {
    const struct field *field;
    int64_t null_count; /* rows where the field, or a struct around it, is NULL */
    int64_t nan_count;  /* FLOAT, DOUBLE */
    bool has_bounds;    /* false: no value, only NaN, or a type without order (VARIANT, nested) */
    /* Exact; of FLOAT and DOUBLE without the NaN. Bytes are the writer's, until it is restarted or freed. */
    struct value min, max;
    uint32_t child_count;
    const struct parquet_field_stats *children; /* STRUCT: [child_count] */
};

struct parquet_file_stats {
    int64_t rows;
    uint64_t bytes; /* of the whole file */
    uint32_t row_groups;
    uint32_t field_count;
    const struct parquet_field_stats *fields; /* [field_count], in the schema's order */
};

struct parquet_writer;

/* schema (a STRUCT) and options' pointers are borrowed for the writer's life; the writer is in a child of
 * pool. NULL and ERR_CONFIG where a type cannot be stored (a struct without fields). No byte is written
 * yet. */
struct parquet_writer *parquet_writer_new(struct pool *pool, const struct type *schema,
                                          const struct parquet_writer_options *options,
                                          struct parquet_output output, struct err *err);
/* Frees it before its pool does. NULL is fine. */
void parquet_writer_free(struct parquet_writer *w);
/* Begins another file with the same schema and options, the writer's memory reused; also after an error. */
void parquet_writer_restart(struct parquet_writer *w, struct parquet_output output);

/* Appends rows[count] of batch, or where rows is NULL its rows first..first+count. The batch's columns are
 * the schema's (type_same); nothing of it is needed afterwards. Full row groups go to the output. ERR_DATA:
 * NULL in a field that is not nullable, a value that is too large; after it, as after an error of the
 * output, every call but restart and free is ERR_FATAL. */
bool parquet_writer_batch(struct parquet_writer *w, const struct batch *batch, const uint32_t *rows,
                          uint32_t first, uint32_t count, struct err *err);
/* Ends the row group now, if it has rows. */
bool parquet_writer_flush(struct parquet_writer *w, struct err *err);
/* Bytes put out and held compressed: what the file would have if it ended now, nearly. */
uint64_t parquet_writer_bytes(const struct parquet_writer *w);
/* Memory held now for the unfinished row group. */
size_t parquet_writer_memory(const struct parquet_writer *w);
/* Ends the row group, writes indexes and footer. *stats (or NULL) is filled; see its borrowed parts. */
bool parquet_writer_finish(struct parquet_writer *w, struct parquet_file_stats *stats, struct err *err);

/* ---- reader ---------------------------------------------------------------------------------------- */

struct parquet_source {
    uint64_t size; /* bytes of the file */
    /* Exactly out[n] from offset (offset + n ≤ size), or false. May block. */
    bool (*read)(void *arg, uint64_t offset, size_t n, uint8_t *out, struct err *err);
    void *arg;
};

struct parquet_file;

/* Reads the footer. The file is in a child of pool. NULL: the source's error, or ERR_DATA for bytes that
 * are no Parquet file, a damaged or encrypted one. */
struct parquet_file *parquet_open(struct pool *pool, const struct parquet_source *source, struct err *err);
void parquet_close(struct parquet_file *file); /* NULL is fine; scans of it end first */

const struct type *parquet_schema(const struct parquet_file *file); /* as SQL types; the file's */
/* Beside parquet_schema: field ids (PARQUET_NO_ID where the file has none). */
const struct parquet_name *parquet_names(const struct parquet_file *file);
int64_t parquet_rows(const struct parquet_file *file);
uint32_t parquet_row_groups(const struct parquet_file *file);
int64_t parquet_row_group_rows(const struct parquet_file *file, uint32_t group);
struct str parquet_created_by(const struct parquet_file *file);
/* NULL where the file has no such key. */
const struct str *parquet_metadata(const struct parquet_file *file, struct str key);

struct parquet_scan;

/* What the file says of one wanted leaf in one row group. */
struct parquet_bounds {
    bool has_nulls, has_min, has_max; /* false: unknown */
    int64_t null_count;
    struct value min, max; /* of the wanted type, maybe not exact: no value lies outside but NaN */
};

/* The row group as a predicate sees it. */
struct parquet_group {
    uint32_t index;
    int64_t rows;
    const struct parquet_scan *scan;
};
/* path[depth]: indexes of the wanted schema's fields, from the top-level column down to a primitive. False
 * where the file says nothing of it. A column that the file does not have has as many nulls as rows. */
bool parquet_group_bounds(const struct parquet_group *group, const uint32_t *path, uint32_t depth,
                          struct parquet_bounds *bounds);

struct parquet_scan_options {
    /* A STRUCT: the wanted columns, types and order; NULL = all, as parquet_schema has them. The batches
     * borrow it (or the file's), so it outlives them. */
    const struct type *columns;
    /* Physical names and ids of `columns`; where an id is given and the file has ids, the id decides. */
    const struct parquet_name *names;
    bool nocase;                       /* find names as Spark does, when no name is exact */
    uint32_t batch_rows;               /* 1..BATCH_ROWS_MAX; 0 = BATCH_ROWS */
    size_t read_bytes;                 /* what is asked of the source at once, per column, about; 0 = 1 MiB */
    uint32_t first_group, group_count; /* a part of the file; group_count 0 = to the end */
    bool no_checksums;                 /* do not verify the pages' CRC-32 */
    bool no_dictionaries;              /* strings always flat */
    /* false: the row group is not read. NULL = all are. */
    bool (*keep)(void *arg, const struct parquet_group *group);
    void *arg;
    struct compress_ctx *ctx; /* borrowed for the scan's life; NULL = one of its own */
};

/* options (or NULL) and what it points to are borrowed for the scan's life. A wanted column that the file
 * does not have is NULL in every row. ERR_DATA where a column's type in the file cannot become the wanted
 * one: same, or wider as Delta's type widening has it (integers; FLOAT → DOUBLE; integers → DOUBLE (up to
 * INT), DECIMAL; DATE → TIMESTAMP_NTZ; DECIMAL to one with no fewer digits on either side), a timestamp as
 * LONG and back, STRING ↔ BINARY. */
struct parquet_scan *parquet_scan_new(struct pool *pool, struct parquet_file *file,
                                      const struct parquet_scan_options *options, struct err *err);
void parquet_scan_free(struct parquet_scan *scan); /* NULL is fine */
/* Resets out and fills it with the next rows: up to batch_rows, never of two row groups. *end: there are
 * none left (out is empty). Strings are views into buffers that the batch holds; dictionary-encoded ones
 * stay so; what the file does not have is a constant NULL; else columns are flat. ERR_DATA also for NULL in a
 * wanted column that is not nullable. After an error the scan only ends. */
bool parquet_scan_next(struct parquet_scan *scan, struct batch *out, bool *end, struct err *err);
/* Index in the file of the last batch's first row: deletion vectors count so. */
int64_t parquet_scan_row(const struct parquet_scan *scan);

#endif

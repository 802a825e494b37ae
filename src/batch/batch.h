/* The columnar batch: what a record becomes at the edge, and stays until the sink.
 *
 * Layout is Arrow's, with three deliberate changes: a view points straight at its bytes (Arrow: buffer
 * number and offset), so that gathering rows from several batches rewrites nothing; a boolean takes a
 * byte, so that kernels need no bit arithmetic; a decimal is always an __int128.
 *
 *   kind                                  data of a flat column
 *   NULL                                  none (every row is null, validity is not needed)
 *   BOOLEAN                               uint8_t[rows], 0 or 1
 *   BYTE SHORT INT LONG                   int8_t … int64_t [rows]
 *   DATE, INTERVAL_YM                     int32_t[rows]
 *   TIMESTAMP*, INTERVAL_DT               int64_t[rows]
 *   FLOAT DOUBLE                          float[rows], double[rows]
 *   DECIMAL                               i128[rows], unscaled
 *   STRING BINARY                         struct view[rows]
 *   ARRAY MAP                             uint32_t offsets[rows + 1]; children[0] element, or children[0] key and [1] value
 *   STRUCT                                children[field_count], each of `rows` rows
 *   VARIANT                               children[0] metadata and children[1] value, both BINARY
 *
 * Values of null rows are defined but arbitrary: zero for fixed widths, an empty view, equal offsets. A
 * null parent's children hold such values too (and are null themselves).
 *
 * Lifetime: everything a batch holds is in its arena, or in a buffer that it has a reference on. A batch
 * belongs to one role at a time. */
#ifndef BATCH_BATCH_H
#define BATCH_BATCH_H

#include "base/buf.h"
#include "base/time.h"
#include "type/type.h"

enum {
    BATCH_ROWS_MAX = 1 << 20, /* rows of one batch; builders stop there */
    BATCH_ROWS = 4096,        /* rows that producers aim at: columns of it stay in the L2 cache */
};

/* A string or binary value. size ≤ VIEW_INLINE: the bytes are in `inlined`, zero-padded (so two short
 * views are equal when their 16 bytes are). Longer: prefix = the first four bytes, p = all of them. */
enum { VIEW_INLINE = 12 };
struct view {
    uint32_t size;
    union {
        char inlined[VIEW_INLINE];
        struct __attribute__((packed)) {
            char prefix[4];
            const char *p;
        } far;
    };
};
_Static_assert(sizeof(struct view) == 16, "a view is 16 bytes");

static inline const char *view_bytes(const struct view *v)
{
    return v->size <= VIEW_INLINE ? v->inlined : v->far.p;
}
static inline struct str view_str(const struct view *v)
{
    return (struct str){view_bytes(v), v->size};
}
/* p[n] is borrowed when n > VIEW_INLINE: it must lie in the batch's arena or buffers (or be static). n ≤
 * UINT32_MAX. */
static inline struct view view_of(const char *p, size_t n)
{
    struct view v = {.size = (uint32_t)n};
    if (n <= VIEW_INLINE) {
        if (n)
            memcpy(v.inlined, p, n);
    } else {
        memcpy(v.far.prefix, p, 4);
        v.far.p = p;
    }
    return v;
}
static inline bool view_eq(const struct view *a, const struct view *b)
{
    uint64_t x, y; /* size and the first four bytes together */
    memcpy(&x, a, 8);
    memcpy(&y, b, 8);
    return x == y && (a->size <= 4 || memcmp(view_bytes(a) + 4, view_bytes(b) + 4, a->size - 4) == 0);
}
int view_cmp(const struct view *a, const struct view *b);

enum column_encoding {
    COLUMN_FLAT,
    COLUMN_CONSTANT, /* data, offsets, children and validity describe one row, which stands for all */
    /* row i is row indices[i] of `dictionary` (flat); validity is per row, the dictionary's own counts too */
    COLUMN_DICTIONARY,
};

struct column {
    const struct type *type;
    enum column_encoding encoding;
    uint32_t rows;
    uint8_t *validity; /* validity[(rows + 7) / 8], LSB first: row i is not null; NULL = no row is null */
    void *data;        /* data[rows × type_width] */
    uint32_t *offsets; /* ARRAY, MAP: offsets[rows + 1], offsets[0] = 0 in new columns, not in slices */
    struct column *children;   /* see above */
    uint32_t *indices;         /* DICTIONARY: indices[rows] */
    struct column *dictionary; /* DICTIONARY */
};

/* Change kinds of a row, for streams that update what they put out. */
enum change { CHANGE_INSERT = 0, CHANGE_UPDATE_BEFORE = 1, CHANGE_UPDATE_AFTER = 2, CHANGE_DELETE = 3 };

struct batch {
    const struct type *schema; /* a STRUCT; borrowed: lives in the arena or longer */
    uint32_t rows;
    struct column *columns; /* columns[schema->field_count], each of `rows` rows */

    /* hidden columns */
    uint8_t *change;     /* enum change [rows]; NULL = all inserts */
    int32_t partition;   /* provenance: the input partition of all rows; -1 = mixed or none */
    int64_t *offset;     /* provenance: the input offset of each row [rows]; NULL = none */
    int64_t *event_time; /* µs [rows]; NULL = none */

    struct arena arena;
    struct buf **bufs; /* bufs[buf_count], one reference each */
    uint32_t buf_count, buf_capacity;
    struct batch *next; /* for whoever owns the batch: a free list, a queue */
};

/* An empty batch (no columns yet) on the heap. */
struct batch *batch_new(void) __attribute__((returns_nonnull));
/* Drops rows, columns, buffers; keeps the arena's memory for reuse. */
void batch_reset(struct batch *batch);
void batch_free(struct batch *batch);
/* The batch keeps a reference of its own on buf; the same buffer twice in a row counts once. */
void batch_hold(struct batch *batch, struct buf *buf);
/* Every buffer that `from` holds, batch holds too. */
void batch_hold_all(struct batch *batch, const struct batch *from);
/* Gives the batch flat columns of `rows` rows: data zeroed, validity NULL, ARRAY and MAP with zero offsets
 * and empty children. */
void batch_layout(struct batch *batch, const struct type *schema, uint32_t rows);
/* One flat column of that shape in arena. */
void column_layout(struct column *column, const struct type *type, uint32_t rows, struct arena *arena);
/* How many children a column of that type has (VARIANT: 2), and the type of child i. */
uint32_t column_child_count(const struct type *type);
const struct type *column_child_type(const struct type *type, uint32_t i);

static inline bool bit_get(const uint8_t *bits, uint32_t i)
{
    return bits[i >> 3] >> (i & 7) & 1;
}
static inline void bit_set(uint8_t *bits, uint32_t i)
{
    bits[i >> 3] |= (uint8_t)(1 << (i & 7));
}
static inline void bit_clear(uint8_t *bits, uint32_t i)
{
    bits[i >> 3] &= (uint8_t) ~(1 << (i & 7));
}

/* Row `row` of a column in any encoding, as an index into the arrays of *values (the column itself or its
 * dictionary). */
static inline uint32_t column_resolve(const struct column *column, uint32_t row, const struct column **values)
{
    *values = column;
    if (__builtin_expect(column->encoding == COLUMN_FLAT, 1))
        return row;
    if (column->encoding == COLUMN_CONSTANT)
        return 0;
    *values = column->dictionary;
    return column->indices[row];
}
bool column_is_null(const struct column *column, uint32_t row);
/* The value, borrowed from the batch; nested values are built in arena. For tests, keys, text output: not
 * for kernels. */
struct value column_value(const struct column *column, uint32_t row, struct arena *arena);
uint32_t column_null_count(const struct column *column);
/* Makes validity exist (all valid), in arena, so that bits can be cleared. */
uint8_t *column_need_validity(struct column *column, struct arena *arena);
/* The same column flat, its children too; itself where all is flat already. New arrays are in arena. */
struct column column_flatten(const struct column *column, struct arena *arena);
/* Rows rows[count] in that order, as a flat column in arena (children too); views are copied as views:
 * hold the buffers. */
struct column column_take(const struct column *column, const uint32_t *rows, uint32_t count,
                          struct arena *arena);

/* Copies the far bytes of a flat column's views (children's too) into arena. */
void column_own_bytes(struct column *column, struct arena *arena);

/* out, reset before, becomes rows[count] of from, hidden columns included; out holds from's buffers, and
 * borrows from's arena unless deep: then every byte is copied into out's own arena and nothing of from is
 * needed. */
void batch_take(struct batch *out, const struct batch *from, const uint32_t *rows, uint32_t count, bool deep);

/* Every invariant above: lengths, offsets ascending, indices in range (of null rows too), no view at NULL,
 * booleans 0 or 1, null lists empty, a null struct's children null, no null where the schema says so,
 * UTF-8 of strings, decimals within their precision. Not checked: that a view's bytes are in the arena or
 * a buffer held. */
bool batch_check(const struct batch *batch, struct err *err);

/* ---- building row by row (files, tests, the oracle; decoders write columns directly) ------------------- */

/* Appends values to one growing column; capacity grows by doubling in the arena. */
struct column_builder {
    const struct type *type;
    struct arena *arena;
    uint32_t rows, capacity;
    uint8_t *validity; /* always there; bits past `rows` are 1 */
    void *data;
    uint32_t *offsets;
    struct column_builder *children; /* [field_count] (VARIANT: 2) */
    uint32_t null_count;
};

void column_builder_init(struct column_builder *b, const struct type *type, struct arena *arena);
void column_builder_null(struct column_builder *b);
/* v->type is type_same as the column's; bytes are copied into the arena. */
void column_builder_value(struct column_builder *b, const struct value *v);
void column_builder_bool(struct column_builder *b, bool v);
void column_builder_i64(struct column_builder *b,
                        int64_t v); /* BYTE..LONG, DATE, TIMESTAMP*, INTERVAL_*; must fit */
void column_builder_f64(struct column_builder *b, double v); /* FLOAT, DOUBLE */
void column_builder_decimal(struct column_builder *b, i128 v);
/* copy = false: s is borrowed, see view_of. */
void column_builder_str(struct column_builder *b, struct str s, bool copy);
/* ARRAY and MAP: append the elements to children[] first, then close the row; STRUCT: append to each
 * child, then this. */
void column_builder_nested(struct column_builder *b);
/* Room for `count` more rows, so that decoders may write data and offsets themselves, clear validity bits
 * (and count them in null_count), and then add to rows. */
void column_builder_reserve(struct column_builder *b, uint32_t count);
/* Appends rows[count] of column, any encoding, of the same type; rows NULL = its first count. copy: far
 * bytes into the arena. */
void column_builder_append(struct column_builder *b, const struct column *column, const uint32_t *rows,
                           uint32_t count, bool copy);
/* Cuts the column to its first `rows` rows, and children to what those have, a row begun but not closed
 * included: a record that turned out bad. */
void column_builder_truncate(struct column_builder *b, uint32_t rows);
/* The finished column, sharing the builder's memory. */
struct column column_builder_finish(struct column_builder *b);

struct batch_builder {
    struct batch *batch;
    struct column_builder *columns; /* [schema->field_count] */

    /* hidden columns, grown by batch_builder_append only; NULL until a batch that has one was appended */
    uint32_t hidden_rows, hidden_capacity;
    uint8_t *change;
    int64_t *offset, *event_time;
    int32_t partition;
};
/* batch is reset before; its arena takes everything. schema is borrowed as batch->schema is. */
void batch_builder_init(struct batch_builder *b, struct batch *batch, const struct type *schema);
/* Appends row `row` of `from` (same schema by type_same), bytes copied, hidden columns too. */
void batch_builder_row(struct batch_builder *b, const struct batch *from, uint32_t row);
/* Appends rows[count] of `from` (NULL = its first count), hidden columns included: where only some have
 * one, the rest are inserts, of offset -1, at EVENT_TIME_NONE; partitions that differ become -1. deep:
 * bytes are copied; else the batch holds from's buffers, and borrows from's arena. Rows appended this way
 * and by hand do not mix in one batch. */
void batch_builder_append(struct batch_builder *b, const struct batch *from, const uint32_t *rows,
                          uint32_t count, bool deep);
/* Rows so far: those of the first column. */
uint32_t batch_builder_rows(const struct batch_builder *b);
/* Cuts every column to `rows` rows; see column_builder_truncate. */
void batch_builder_truncate(struct batch_builder *b, uint32_t rows);
/* After all columns have the same number of rows. */
void batch_builder_finish(struct batch_builder *b);

#endif

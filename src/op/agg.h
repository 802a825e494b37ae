/* Aggregate functions as accumulators: a state of fixed size for each group, updated column by column,
 * finished into a result, written and read for snapshots and changelogs. The operator (aggregate.c) owns
 * groups, filters, DISTINCT and output. */
#ifndef OP_AGG_H
#define OP_AGG_H

#include "base/bytes.h"
#include "op/op.h"
#include "sql/function.h"

/* Rows of one batch that an aggregate takes in. */
struct agg_rows {
    const uint32_t *rows;   /* [count] */
    const uint32_t *groups; /* of row rows[k]: groups[rows[k]] */
    const int8_t *sign;     /* of row rows[k]: +1, or −1 to take it back; NULL = all +1 */
    uint32_t count;
    uint32_t batch_rows;
    struct arena *arena; /* of the batch */
};

/* States of all groups, in chunks that stay where they are. Zeroed state = no rows yet. */
struct agg_states {
    char **chunks;
    size_t chunk_capacity;
    uint32_t chunk_count;
    uint32_t stride;
    size_t blob_bytes; /* on the heap, besides */
};
enum { AGG_CHUNK_GROUPS = 1024 }; /* a power of two */
static inline char *agg_state(const struct agg_states *s, uint32_t group)
{
    return s->chunks[group / AGG_CHUNK_GROUPS] + (size_t)(group % AGG_CHUNK_GROUPS) * s->stride;
}

struct agg;

struct agg_kind {
    uint32_t size;
    bool retracts; /* can take rows back */
    void (*update)(const struct agg *agg, struct agg_states *states, const struct column *args,
                   const struct agg_rows *rows);
    /* Appends the result; false: it cannot be had, *error says why (and NULL was appended). */
    bool (*finish)(const struct agg *agg, const void *state, struct column_builder *out, struct arena *arena,
                   const char **error);
    void (*write)(const struct agg *agg, const void *state, struct sbuf *out);
    bool (*read)(const struct agg *agg, void *state, struct rd *r, struct agg_states *states);
    void (*drop)(void *state, struct agg_states *states); /* frees what the state owns; or NULL */
};

/* One call of an aggregate function. */
struct agg {
    const struct agg_kind *kind;
    const struct expr *call;
    enum function_id id;
    const struct type *type;     /* of the result */
    const struct type *arg_type; /* of the first argument, or NULL */
    uint32_t offset;             /* of its state in the group's */
    uint32_t arg_count;
    uint32_t value_arg; /* which argument is aggregated: update()'s args[0] */
    bool ignore_nulls;  /* first, last, any_value */
    bool try_;
    struct column *constants; /* [arg_count]: arguments that are the same for all rows, flat, one row; others
                                 have no type */
    double *fractions;        /* percentiles */
    uint32_t fraction_count;
    uint32_t hll_bits;
};

/* Prepares a call. ERR_CONFIG: no accumulator for the function, or an argument that must be constant is not.
 */
bool agg_init(struct pool *pool, const struct expr *call, struct agg *agg, struct err *err);

/* ---- for the files of accumulators --------------------------------------------------------------------- */

/* A column's values as a plain array, one for each row; *validity: of them, NULL = no row is NULL. */
const int64_t *agg_i64(const struct column *column, const struct agg_rows *rows, const uint8_t **validity);
const double *agg_f64(const struct column *column, const struct agg_rows *rows, const uint8_t **validity);
const i128 *agg_decimal(const struct column *column, const struct agg_rows *rows, const uint8_t **validity);
/* true: NULL. */
static inline bool agg_null(const struct column *column, uint32_t row)
{
    return column_is_null(column, row);
}

/* Bytes that a state owns. */
struct agg_blob {
    char *p;
    uint32_t n, capacity;
};
void agg_blob_add(struct agg_blob *blob, struct str bytes, struct agg_states *states);
void agg_blob_set(struct agg_blob *blob, struct str bytes, struct agg_states *states);
void agg_blob_fini(struct agg_blob *blob, struct agg_states *states);
void agg_blob_write(const struct agg_blob *blob, struct sbuf *out);
bool agg_blob_read(struct agg_blob *blob, struct rd *r, struct agg_states *states);

extern const struct agg_kind agg_count, agg_count_if, agg_sum_integer, agg_sum_double, agg_sum_decimal,
    agg_avg_integer, agg_avg_double, agg_avg_decimal, agg_min_max, agg_min_max_cell, agg_first, agg_last,
    agg_by, agg_bool, agg_bits, agg_moments, agg_pairs, agg_collect, agg_collect_set, agg_listagg, agg_mode,
    agg_percentile, agg_percentile_cell, agg_hll;

#endif

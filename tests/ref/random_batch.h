/* Random schemas and batches for property tests: nested, with nulls, every encoding, slices, and the edges
 * of every type. The same seed gives the same batch on every machine. */
#ifndef REF_RANDOM_BATCH_H
#define REF_RANDOM_BATCH_H

#include "batch/batch.h"

/* splitmix64: any seed is a good one. */
struct rng {
    uint64_t state;
};
uint64_t rng_next(struct rng *rng);
/* Even over 0 .. n - 1; n > 0. */
uint64_t rng_below(struct rng *rng, uint64_t n);
/* True once in n. */
bool rng_one_in(struct rng *rng, unsigned n);

/* Which kinds of types a schema may have: 1 << enum type_kind. */
enum {
    RANDOM_NO_NULL_TYPE = ~(1u << TYPE_NULL),
    RANDOM_ALL = (1u << TYPE_KINDS) - 1,
    /* what Delta and Parquet tables can hold */
    RANDOM_STORABLE = RANDOM_ALL & ~(1u << TYPE_NULL | 1u << TYPE_INTERVAL_YM | 1u << TYPE_INTERVAL_DT |
                                     1u << TYPE_VARIANT),
};
enum random_encodings {
    RANDOM_FLAT = 0,
    RANDOM_CONSTANT = 1,
    RANDOM_DICTIONARY = 2,
    RANDOM_SLICES = 4,
    RANDOM_ANY = 7
};

/* A type at most `depth` levels deep (1 = simple), of `kinds`. Map keys are never NULL, MAP or VARIANT. */
const struct type *random_type(struct rng *rng, unsigned depth, unsigned kinds, struct arena *arena);
/* 1 to 8 columns, named c0, c1 …, nested fields f0, f1 …. */
const struct type *random_schema(struct rng *rng, unsigned depth, struct arena *arena);
const struct type *random_schema_of(struct rng *rng, unsigned depth, unsigned kinds, struct arena *arena);

/* A value of that type, NULL one time in eight where nullable. Strings are valid UTF-8 of 0 to 40 bytes;
 * dates and timestamps lie in years 1 to 9999; doubles are of any bits; maps have no key twice. */
struct value random_value(struct rng *rng, const struct type *type, bool nullable, struct arena *arena);

/* Fills batch (reset before) with `rows` random rows of schema (borrowed) whose columns, at any level, use
 * the encodings allowed. Hidden columns: none; see random_hidden. */
void random_batch(struct rng *rng, struct batch *batch, const struct type *schema, uint32_t rows,
                  unsigned encodings);
/* Gives the batch some of the hidden columns. */
void random_hidden(struct rng *rng, struct batch *batch);

/* The naive row model: rows[rows] of struct values, all bytes and items in arena. */
struct value *batch_to_rows(const struct batch *batch, struct arena *arena);
/* True when all rows are equal (value_cmp, bit-exact for doubles where exact); prints the first difference
 * to stderr. */
bool rows_equal(const struct value *a, const struct value *b, uint32_t rows);

#endif

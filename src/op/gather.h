/* Rows from one or several columns of one type, in any encodings, into one flat column: the merge of CASE's
 * branches, elements of arrays, sorted results. Views are copied as views: the sources' bytes must outlive
 * the result. */
#ifndef OP_GATHER_H
#define OP_GATHER_H

#include "batch/batch.h"

#define GATHER_NULL UINT32_MAX

/* Result row i = row rows[i] of sources[source[i]], or NULL where rows[i] is GATHER_NULL. source NULL = all
 * from sources[0]. */
struct column column_gather(const struct type *type, const struct column *const *sources,
                            uint32_t source_count, const uint32_t *source, const uint32_t *rows,
                            uint32_t count, struct arena *arena);

/* A column of `rows` NULLs, constant. */
struct column column_nulls(const struct type *type, uint32_t rows, struct arena *arena);

/* The column as seen through indices: result row i = row rows[i]; constant and dictionary stay so, flat
 * becomes a dictionary. No data is copied. */
struct column column_indirect(const struct column *column, const uint32_t *rows, uint32_t count,
                              struct arena *arena);

#endif

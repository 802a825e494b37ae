/* One cell of a column, in any encoding: compared, hashed, and written as bytes. As Spark's ORDER BY and
 * GROUP BY have it: NULL is least and equal to NULL, NaN equals NaN and is greatest, −0.0 equals 0.0, text is
 * ordered by its bytes (or its collation).
 *
 * The bytes are self-delimiting and the same for equal cells: they are keys of hash tables, and what
 * snapshots and changelogs hold. */
#ifndef OP_CELLS_H
#define OP_CELLS_H

#include "base/bytes.h"
#include "batch/batch.h"

int cell_cmp(const struct column *a, uint32_t row_a, const struct column *b, uint32_t row_b);
bool cell_equal(const struct column *a, uint32_t row_a, const struct column *b, uint32_t row_b);

/* Strings of a collation compare as their keys do: the text itself for UTF8_BINARY, its lower case for
 * UTF8_LCASE. In arena where new. */
struct str collation_key(const struct type *type, struct str text, struct arena *arena);

/* Appends the cell; `key` = in the form in which equal cells are equal bytes (−0.0, NaN and collations made
 * one), else exact. */
void cell_write(const struct column *column, uint32_t row, bool key, struct sbuf *out);
/* Reads a cell that cell_write wrote into a builder of its type; false when the bytes are not one. Text is
 * copied. */
bool cell_read(struct rd *r, struct column_builder *out);

#endif

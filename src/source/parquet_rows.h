/* The rows of an open Parquet file as JSON objects: what a topic of raw records takes. */
#ifndef SOURCE_PARQUET_ROWS_H
#define SOURCE_PARQUET_ROWS_H

#include "base/err.h"
#include "base/str.h"

struct parquet_rows;

/* file: a handle of os/ with `size` bytes, borrowed until the close. NULL: ERR_DATA for what is no whole Parquet file; or it could not be read. */
struct parquet_rows *parquet_rows_open(struct pool *pool, int file, uint64_t size, struct err *err);
/* NULL is fine. */
void parquet_rows_close(struct parquet_rows *rows);
/* Some rows from row `from` on, values[*count], at most `max` (at least BATCH_ROWS), borrowed until the next call; *next = the row to go on at. None: the end. */
bool parquet_rows_next(struct parquet_rows *rows, uint64_t from, struct str *values, uint32_t max,
                       uint32_t *count, uint64_t *next, struct err *err);

#endif

/* The rows of an open Avro container file as JSON objects: what a topic of raw records takes. */
#ifndef SOURCE_AVRO_ROWS_H
#define SOURCE_AVRO_ROWS_H

#include "format/avro_file.h"

struct avro_rows;

/* file: a handle of os/ with `size` bytes, borrowed until the close. NULL: ERR_DATA for what is no such file; or it could not be read. */
struct avro_rows *avro_rows_open(struct pool *pool, int file, uint64_t size, struct err *err);
/* NULL is fine. */
void avro_rows_close(struct avro_rows *rows);
/* Some rows from *place on, values[*count], at most `max` (at least BATCH_ROWS), borrowed until the next call; *place = where to go on. None: the end. *bad += those
 * that could not become a row, which are left out. */
bool avro_rows_next(struct avro_rows *rows, struct avro_place *place, struct str *values, uint32_t max,
                    uint32_t *count, uint64_t *bad, struct err *err);
/* At the end: does something stand there that is not a whole block? */
bool avro_rows_is_cut(const struct avro_rows *rows);

#endif

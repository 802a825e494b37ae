/* Reading a Delta table: all rows of one version, as batches.
 *
 * What the log says is followed whoever wrote it: partition values become typed constant columns, columns that a file lacks are NULL,
 * narrower types are widened, columns are found by name or by field id (column mapping), rows that a deletion vector marks are left out. A
 * table that needs a reader feature which we do not have is refused by that feature's name. Every column of a batch is nullable, whatever the
 * table says: it promises that of writers, and files may be older than the promise. */
#ifndef SINK_DELTA_SCAN_H
#define SINK_DELTA_SCAN_H

#include "batch/batch.h"
#include "sink/delta/log.h"

struct delta_scan;

/* Opens version `version` of the table in folder `path` (−1: the newest). columns: a STRUCT of the wanted columns, names as in the table
 * (else as Spark finds them: case ignored), types the table's or wider; NULL = all, as the table's schema has them. path and columns are
 * copied. The scan is in a child of pool. NULL: ERR_DATA for no table at all, no such version, damage, an unknown column or feature;
 * ERR_RETRY: could not be read now. Blocks. */
struct delta_scan *delta_scan_new(struct pool *pool, const char *path, int64_t version,
                                  const struct type *columns, struct err *err);
/* Before the first batch: only files for which wants is true. */
void delta_scan_only(struct delta_scan *scan, bool (*wants)(void *arg, const struct delta_file *file),
                     void *arg);
/* Ends it before its pool does. NULL is fine. */
void delta_scan_free(struct delta_scan *scan);
/* The columns of every batch; the scan's. */
const struct type *delta_scan_schema(const struct delta_scan *scan);
/* The state of the table at that version; the scan's. */
const struct delta_table *delta_scan_table(const struct delta_scan *scan);
/* Resets out and fills it with the next rows (at least one, at most BATCH_ROWS). *end: there are none left, out is empty. Blocks.
 * ERR_DATA: a damaged or missing file; ERR_RETRY: could not be read now. After an error the scan only ends. */
bool delta_scan_next(struct delta_scan *scan, struct batch *out, bool *end, struct err *err);

/* A deletion vector (p[n], Delta's form of a portable 64-bit Roaring bitmap) of a file with so many rows: sets the bit of each marked row in
 * bits[(rows + 7) / 8], LSB first, and counts them. ERR_DATA: damaged, or a row that the file does not have. Pure. */
bool delta_vector_read(const uint8_t *p, size_t n, uint64_t rows, uint8_t *bits, uint64_t *count,
                       struct err *err);
/* Appends the bytes; false: no Z85 text. Pure. */
bool delta_z85_decode(struct str text, struct sbuf *out);
/* Text of a partition value (empty: NULL) as a value of that type; bytes are in arena or borrowed from text. ERR_DATA. Pure. */
bool delta_partition_value(struct arena *arena, struct str text, const struct type *type, struct value *out,
                           struct err *err);

#endif

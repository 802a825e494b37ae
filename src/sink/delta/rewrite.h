/* A Delta table whose columns are too narrow for what a stream has by now, and may or can not be widened in place, written anew. */
#ifndef SINK_DELTA_REWRITE_H
#define SINK_DELTA_REWRITE_H

#include "sink/sink.h"

struct delta_rewritten {
    uint32_t columns; /* that became wider, those in structs included; 0: none, and nothing was done */
    uint64_t rows, files;
    int64_t version; /* of the table, after it */
};

/* Makes the columns of spec's table as wide as rows with these columns need: INT to BIGINT, FLOAT to DOUBLE and what else keeps every value. All its
 * files are written anew, and one version takes them in, with the wider columns, and the old ones out; readers of older versions keep those. The rows and
 * positions are the same, so no sink notices but one that waits for it. Others may write meanwhile: what they add is taken in too. A
 * crash at any time leaves the table as it was, or as it is to be. spec is borrowed; its uuid is not needed. stop (or NULL) ends it early (ERR_FATAL).
 * ERR_DATA: no table, damage; ERR_FATAL: a column that can not become what the rows have, or a value that would be another one; ERR_RETRY. Blocks. */
bool delta_rewrite(const struct sink_spec *spec, const struct type *rows, bool (*stop)(void *arg), void *arg,
                   struct delta_rewritten *done, struct err *err);

#endif

/* Avro's object container files (1.12), read: bytes → batches.
 *
 *     "Obj" 1 │ a map of metadata: "avro.schema", "avro.codec" │ 16 bytes of sync
 *     then blocks: long rows │ long size │ bytes[size] │ the same 16 bytes
 *
 * Pure: the reader asks a callback for ranges, and holds one block. Files without compression, with deflate, snappy and zstandard are read; bzip2
 * and xz are refused by name. A file may grow at its end: what is not a whole block yet is left for later. */
#ifndef FORMAT_AVRO_FILE_H
#define FORMAT_AVRO_FILE_H

#include "format/avro.h"

enum {
    AVRO_FILE_HEADER_MAX = 16 << 20, /* bytes before the first block */
    AVRO_FILE_BLOCK_MAX = 256 << 20, /* bytes of one block, compressed and not */
};

struct avro_source {
    uint64_t size; /* bytes of the file */
    /* Exactly out[n] from offset (offset + n ≤ size), or false. May block. */
    bool (*read)(void *arg, uint64_t offset, size_t n, uint8_t *out, struct err *err);
    void *arg;
};

/* Between two rows: how many of the block that begins there come before it. block 0: the first. */
struct avro_place {
    uint64_t block, row;
};

struct avro_file;

/* Reads the header. columns: those that are wanted (borrowed), NULL = all that the file has. The file is in a child of pool. NULL: the
 * source's error, or ERR_DATA for bytes that are no such file, a codec that is not read, or columns that its values cannot become. */
struct avro_file *avro_file_open(struct pool *pool, const struct avro_source *source,
                                 const struct type *columns, struct err *err);
void avro_file_close(struct avro_file *file); /* NULL is fine */

const struct type *avro_file_columns(const struct avro_file *file); /* of its batches */

/* Goes to a place that avro_file_place gave for this file. ERR_DATA: there is none such. */
bool avro_file_seek(struct avro_file *file, struct avro_place place, struct err *err);
/* That of the next row. */
struct avro_place avro_file_place(const struct avro_file *file);
/* Resets out and fills it with the next rows, 1..BATCH_ROWS, of one block, as avro_decode does; strings are views into a buffer that out holds. *end: there is
 * no whole block left. ERR_DATA: the file is damaged there, and stays so for every call until a seek; rows before the damage come first. */
bool avro_file_next(struct avro_file *file, struct batch *out, const struct avro_report *report, bool *end,
                    struct err *err);
/* At the end: does something stand there that is not a whole block? */
bool avro_file_is_cut(const struct avro_file *file);

#endif

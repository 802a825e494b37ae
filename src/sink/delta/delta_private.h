/* The parts of the Delta sink: delta.c (slots, positions, commits), table_schema.c (the table's columns and protocol), data_file.c (Parquet
 * files and their add actions), upkeep.c (merging, checkpoints, cleaning), expire.c (rows that are too old),
 * rewrite.c (all files anew with wider columns), vacuum.c (data files that may go). */
#ifndef SINK_DELTA_DELTA_PRIVATE_H
#define SINK_DELTA_DELTA_PRIVATE_H

#include "format/parquet.h"
#include "sink/delta/log.h"
#include "sink/sink.h"
#include "json/tree.h"

enum {
    DELTA_OPEN_MAX =
        512, /* partitions that are written to at the same time; the one that rests longest is finished first */
    DELTA_FILE_BYTES = 128 << 20, /* a file is finished past this */
    DELTA_CHECKPOINT_EVERY = 10,  /* versions, unless delta.checkpointInterval says otherwise */
    DELTA_UPKEEP_OVERDUE = 40, /* commits without an idle moment, after which upkeep is done all the same */
};

struct delta_options {
    int codec;
    int64_t level;
    bool type_widening;
};

/* A data file that is being written. It comes into being on disk with its first bytes. */
struct open_file {
    struct str partition;    /* the partition's values as compact JSON: identity; in pool, as all texts */
    struct str folder;       /* "country=DE/", as a path on disk, or "" */
    const char *name, *path; /* path: absolute */
    int file;                /* −1: not on disk yet */
    bool created, finished;
    uint64_t at;
    struct pool *pool;
    struct parquet_writer *parquet;
    uint64_t used; /* clock of the last use */
};

struct delta_sink {
    struct sink *sink;
    struct delta_table table;
    const char *path;
    const char **partition; /* partition[partition_count]: names as the table has them */
    uint32_t partition_count;
    const struct type
        *schema; /* of the table, as it will be after the next commit; NULL = not known yet; in pool */
    const struct type *rows; /* schema of the batches that come, as it was when `stored` was made; in pool */
    const struct type *stored; /* the same with the types that Delta has: what the open files take; in pool */
    bool *drop;                /* of stored's fields: partition columns [field_count] */
    bool schema_moved;         /* metaData belongs into the next commit */
    bool
        rewriting; /* the same rows in files of wider columns: no change of data, and no file is left whose types are others */
    uint64_t device, inode; /* of the log folder; 0: not there yet */
    struct open_file *open[DELTA_OPEN_MAX];
    uint32_t open_count;
    struct map by_partition; /* partition → struct open_file *, of those in open[] */
    uint64_t clock;
    struct sbuf adds;     /* add actions of files that are finished */
    struct sbuf finished; /* their paths, each with its NUL */
    bool attempted;       /* a commit that names them was tried: they are no longer ours to delete */
    struct sbuf lines;
    struct compress_ctx *ctx;
    struct arena arena; /* of one call */
    uint64_t file_count;
    int64_t upkeep_version; /* when upkeep was last done */
    int64_t cleaned_ms;     /* when the table's folders were last looked through; 0 = not since open */
    size_t loaded_bytes;    /* of the table's arena when it was read */
};

/* ---- table_schema.c -------------------------------------------------------------------------------------------------------------------- */

/* The nearest type that Delta has: NULL and intervals become STRING, collations go. Recursive. */
const struct type *delta_type(struct arena *arena, const struct type *type);
/* The column with that type (delta_type of its own); itself where nothing is to be done. */
struct column delta_column(const struct column *column, const struct type *to, struct arena *arena);
/* Can a table with columns `have` take rows with columns `want`? *out = the columns it has then. ERR_FATAL: a column's type differs, and may or
 * can not be widened. */
bool delta_merge_schema(const struct delta_sink *d, struct arena *arena, const struct type *have,
                        const struct type *want, const struct type **out, struct err *err);
/* The columns of `have` as wide as rows with columns `want` need, whatever Delta's typeWidening says of it; `have` itself where they are. *out in
 * arena. ERR_FATAL: a column's type is another one. */
bool delta_widest_schema(struct arena *arena, const struct type *have, const struct type *want,
                         const struct type **out, struct err *err);
/* ERR_FATAL: a column's name that no Delta table can have. */
bool delta_check_names(const struct type *schema, struct err *err);
/* The table follows the rows' schema, in the next commit; open files are finished first. */
bool delta_follow_schema(struct delta_sink *d, const struct type *rows, struct err *err);
/* Rows for columns that the table declares NOT NULL. */
bool delta_check_nulls(struct delta_sink *d, const struct batch *batch, struct err *err);
/* Appends protocol (where it must change) and metaData actions. */
void delta_put_metadata(struct delta_sink *d, struct sbuf *out);
bool delta_is_partition(const struct delta_sink *d, const char *name);

/* ---- data_file.c ------------------------------------------------------------------------------------------------------------------------ */

/* partition and folder are copied; schema and drop are borrowed for the file's life. */
bool delta_file_new(struct delta_sink *d, struct str partition, struct str folder, const struct type *schema,
                    const bool *drop, struct open_file **out, struct err *err);
/* Footer, data and folder entry durable, its add action appended to out. The file is freed by the caller in any case. */
bool delta_file_finish(struct delta_sink *d, struct open_file *f, struct sbuf *out, const bool *drop,
                       bool data_change, struct err *err);
/* What is not finished is deleted. */
void delta_file_free(struct open_file *f);
/* Writes the rows of a batch (of d->stored's types) into the files of their partitions. */
bool delta_files_write(struct delta_sink *d, const struct batch *batch, struct err *err);
/* Finishes all open files: their actions are in d->adds. */
bool delta_files_close(struct delta_sink *d, struct err *err);
void delta_files_abort(struct delta_sink *d);

/* ---- delta.c ------------------------------------------------------------------------------------------------------------------------------ */

void delta_put_commit_info(struct delta_sink *d, const char *operation, bool blind, const char *txn_id);
/* Remembers which folder the table's log is in, if there is one. */
bool delta_note_identity(struct delta_sink *d, struct err *err);
/* The folder of a table, in pool. */
const char *delta_table_path(struct pool *pool, const struct sink_spec *spec);
/* The log is still the one that we know; else ERR_RETRY. */
bool delta_still_there(struct delta_sink *d, struct err *err);
/* {"remove":…} of an active file. */
void delta_put_remove(struct sbuf *out, const struct delta_file *f, bool data_change);

/* ---- upkeep.c ----------------------------------------------------------------------------------------------------------------------------- */

/* Rows of an age: a TIMESTAMP column by its number, and what it must be at least. */
struct delta_age {
    uint32_t column;
    int64_t before_us;
};

/* The table's schema without its partition columns: what is in the files. */
const struct type *delta_file_columns(struct delta_sink *d, struct arena *arena);
/* The folder that an active file lies in, as struct open_file has it; in arena. */
bool delta_folder_of(struct delta_sink *d, const struct delta_file *f, struct arena *arena, struct str *out,
                     struct err *err);
/* Appends the rows of an active file without a deletion vector: all, or with age those that are not older, or have no age. */
bool delta_copy_rows(struct delta_sink *d, const struct delta_file *from, const struct type *columns,
                     const struct delta_age *age, struct open_file *to, struct err *err);
/* One version takes `to` in and the files out, unless anything else has happened meanwhile: then *won is false and to is deleted when it is freed. */
bool delta_replace(struct delta_sink *d, struct delta_file *const *files, uint32_t count,
                   struct open_file *to, const char *operation, bool data_change, bool *won, struct err *err);
bool delta_maintain(struct sink *sink, bool (*stop)(void *arg), void *arg, struct err *err);
/* After a commit: upkeep that no idle moment came for. */
void delta_upkeep_overdue(struct delta_sink *d);

/* ---- expire.c ----------------------------------------------------------------------------------------------------------------------------- */

bool delta_expire(struct sink *sink, int64_t before_us, struct err *err);

#endif

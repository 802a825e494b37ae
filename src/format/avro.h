/* Avro's binary encoding (1.12): records to columns, columns to records, and what stands around that: the columns that a
 * schema gives, a schema that columns give. Object container files: format/avro_file.h.
 *
 * The reader is compiled from schemas (schema/avro.h) into a program that writes values straight into columns. Strings become
 * views into the record's own bytes.
 *
 * Everything here is pure. Nothing is shared between decoders, so each role has its own.
 *
 * What a type becomes, as Spark's from_avro has it unless said otherwise:
 *
 *   boolean             BOOLEAN                      date                   DATE
 *   int                 INT                          time-millis            INT (milliseconds since midnight)
 *   long                LONG                         time-micros            LONG (microseconds)
 *   float, double       FLOAT, DOUBLE                timestamp-*            TIMESTAMP (nanos: floored; Spark: LONG)
 *   bytes, fixed        BINARY                       local-timestamp-*      TIMESTAMP_NTZ (the same)
 *   string, enum        STRING                       decimal(p,s)           DECIMAL(p,s); p > 38: BINARY (Spark refuses)
 *   record              STRUCT                       uuid                   STRING, of fixed(16) as text (Spark: BINARY)
 *   array, map          ARRAY, MAP<STRING, …>        duration               STRUCT<months, days, milliseconds: LONG>
 *   null                NULL                                                (Spark: BINARY)
 *                                                    big-decimal            BINARY
 *   a union: without its null, which makes it nullable; of one type: that type; of int and long: LONG; of float and double:
 *   DOUBLE; of others: STRUCT<member0, member1 …>, of which one is not NULL */
#ifndef FORMAT_AVRO_H
#define FORMAT_AVRO_H

#include "batch/batch.h"
#include "schema/avro.h"

enum {
    AVRO_RECORD_MAX = 64 * 1024 * 1024, /* bytes of one record; a larger one is a bad record */
    AVRO_SKIP_DEPTH_MAX = 128,          /* nesting of a value without a column, whose type may hold itself */
    AVRO_EMPTY_ITEMS = 16, /* items without bytes (null, an empty record) for each byte of the record */
    AVRO_PATH_MAX = 512,   /* bytes of a path in a report; a longer one is cut */
};

/* ---- types ---------------------------------------------------------------------------------------------------------------- */

/* The columns of the schema's records: a STRUCT, given to arena; of a schema that is no record, one column "value". Fields whose
 * type has no null are NOT NULL. NULL and ERR_CONFIG: a type holds itself, is nested deeper than TYPE_DEPTH_MAX, or a record has
 * more than TYPE_FIELDS_MAX fields. */
const struct type *avro_columns_type(struct arena *arena, const struct avro_schema *schema, struct err *err);

/* `pinned` with what `found` adds: fields that it lacks appended, nullable; types that Avro promotes widened (INT → LONG, FLOAT,
 * DOUBLE; LONG → FLOAT, DOUBLE; FLOAT → DOUBLE), recursively; where `found` is narrower, or anything else, pinned's type stays, and the
 * decoder tells whether values fit into it. Returns pinned itself where nothing is new. *widened (or NULL): some type was. */
const struct type *avro_columns_evolve(struct arena *arena, const struct type *pinned,
                                       const struct type *found, bool *widened);

/* The schema of a record with these columns, as JSON text, appended: what avro_columns_type gives `columns` for again, as far as
 * Avro has the types. A nullable column is a union of null and its type, with the default null; DECIMAL is bytes; BYTE and
 * SHORT are int; INTERVAL_YM is int, INTERVAL_DT long. Records inside are named after the way to them ("Order_items"). space may be empty.
 * ERR_CONFIG: a name that Avro does not allow, a map whose key is not STRING, VARIANT. */
bool avro_schema_of_columns(const struct type *columns, struct str name, struct str space, struct sbuf *out,
                            struct err *err);

/* ---- records to columns --------------------------------------------------------------------------------------------------- */

/* All texts are borrowed until the callback returns. */
struct avro_bad {
    uint32_t row;
    struct str path;    /* "location.street.number", "items[].price"; the record itself: "" */
    const char *reason; /* "a string is not UTF-8" */
    size_t at;          /* byte in the record of the value, about */
};

/* Who hears of it. bad may be NULL. */
struct avro_report {
    void (*bad)(void *arg, const struct avro_bad *bad);
    void *arg;
};

struct avro_decoder_options {
    bool copy; /* long strings are copied into the batch's arena, and records need not outlive the call */
};

struct avro_decoder;
struct avro_writer; /* what a decoder does with the records of one writer's schema */

/* A decoder of records into `columns` (a STRUCT, borrowed: those that are wanted, found by name, in any order). What writers wrote is read as `reader`
 * (borrowed with its arena for as long as the decoder lives); NULL: as its writer has it. options NULL = defaults. Lives in pool.
 *
 * A column's value is the first of: what the writer wrote for the reader's field of that name (aliases and promotions included); what it
 * wrote for a field of that name which the reader does not have; the reader's default; NULL.
 *
 * ERR_CONFIG: columns deeper than TYPE_DEPTH_MAX, or a column that the reader's type cannot become. */
struct avro_decoder *avro_decoder_new(struct pool *pool, const struct avro_schema *reader,
                                      const struct type *columns, const struct avro_decoder_options *options,
                                      struct err *err);

/* One more writer's schema, borrowed as the reader's is. The decoder's: it lives as long. NULL: ERR_DATA, nothing that it writes could be read (the
 * message is avro_resolve's), or a column cannot take what it writes. */
const struct avro_writer *avro_decoder_writer(struct avro_decoder *decoder, const struct avro_schema *writer,
                                              struct err *err);

/* Decodes records[count] into `out` (reset by the caller; its rows and columns are replaced): row i is record i, bare binary encoding
 * of writers[i], which is one of this decoder's; so records of several versions go into one batch. A record with p = NULL is a row
 * of NULLs, not reported, and its writer does not matter. count ≤ BATCH_ROWS_MAX. The records' bytes must live as long as out (batch_hold their
 * buffers) unless options.copy. No byte outside a record is read.
 *
 * A bad record (truncated, something behind its end, an index that its union or enum does not have, a number that does not fit, text that is
 * not UTF-8, …) is a row of NULLs, reported; report may be NULL.
 *
 * As with json_decode a NOT NULL counts for nothing: out->schema is the decoder's own copy with all fields nullable. */
void avro_decode(struct avro_decoder *decoder, const struct str *records,
                 const struct avro_writer *const *writers, uint32_t count, struct batch *out,
                 const struct avro_report *report);

/* ---- columns to records --------------------------------------------------------------------------------------------------- */

struct avro_encoder;

/* An encoder of batches whose columns are `columns` (type_same; borrowed) as `schema` (borrowed with its arena), which is a record, or another type
 * where there is one column. Columns are found by name, or by an alias of the field; those that the schema does not have are left out. A field
 * without a column gets its default, or null where its type has that. Lives in pool. ERR_CONFIG: neither, or a type that the column's cannot become. */
struct avro_encoder *avro_encoder_new(struct pool *pool, const struct avro_schema *schema,
                                      const struct type *columns, struct err *err);

/* Appends rows [from, to) to out, each behind the bytes of `prefix` (the schema's id on the wire, or nothing). ends[to - from] gets where
 * each row ends in out->p. A row that the schema cannot take (NULL where it has no null, a text that is no symbol, a number out of range) is
 * reported and adds nothing, not even the prefix. Returns how many those are. report may be NULL. out stays below 4 GiB. */
uint32_t avro_encode(struct avro_encoder *encoder, const struct batch *batch, uint32_t from, uint32_t to,
                     struct str prefix, struct sbuf *out, uint32_t *ends, const struct avro_report *report);

#endif

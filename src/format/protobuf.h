/* Protobuf's binary encoding: records to columns, columns to records, and what stands around that: the columns that a message
 * gives, a .proto file that columns give, and the indexes that say before each record which message of its schema it is.
 *
 * The reader is compiled from a message (schema/proto.h) into a program that writes values straight into columns. Strings become
 * views into the record's own bytes.
 *
 * Everything here is pure. Nothing is shared between decoders, so each role has its own.
 *
 * What a field becomes, as Spark's from_protobuf has it unless said otherwise:
 *
 *   bool                            BOOLEAN          google.protobuf.Timestamp     TIMESTAMP (below a microsecond: floored)
 *   int32, sint32, sfixed32         INT              google.protobuf.Duration      INTERVAL DAY TO SECOND (truncated)
 *   int64, sint64, sfixed64         LONG             google.protobuf.BoolValue …   its value, nullable (Spark: an option)
 *   uint32, fixed32                 LONG             google.protobuf.Struct, Value, ListValue
 *     (Spark: INT unless upcast)                                                   STRING, JSON text (Spark refuses)
 *   uint64, fixed64                 DECIMAL(20,0)    google.type.Date              DATE (Spark: STRUCT)
 *     (Spark: LONG unless upcast)                    confluent.type.Decimal        DECIMAL(p,s) where the field's metadata has
 *   float, double                   FLOAT, DOUBLE                                  precision and scale; else STRUCT
 *   string                          STRING           confluent.type.Variant        VARIANT (Spark: STRUCT)
 *   bytes                           BINARY           a message in itself           BINARY, as it is encoded (Spark refuses)
 *   enum                            STRING           another message, a group      STRUCT
 *   repeated, map                   ARRAY, MAP       a message without fields      no column
 *
 * Which rows are NULL: a field without presence (proto3 without `optional`; an edition's IMPLICIT) is 0, "", false or its enum's 0
 * where the record does not have it, a repeated field and a map are empty; one with presence, a message, a member of a oneof is
 * NULL, but for a default that the .proto gives. Of a value that comes twice the last counts, messages are merged; a map keeps all
 * its pairs. A number that the enum does not have is its digits as text (Spark: UNKNOWN_ENUM_VALUE_Color_7), of a closed enum
 * (proto2) as if it were not there. Extensions are unknown fields, which are skipped. */
#ifndef FORMAT_PROTOBUF_H
#define FORMAT_PROTOBUF_H

#include "batch/batch.h"
#include "schema/proto.h"

enum {
    PROTOBUF_RECORD_MAX = 64 * 1024 * 1024, /* bytes of one record; a larger one is a bad record */
    PROTOBUF_SKIP_DEPTH_MAX = 100, /* groups in groups without a column; values in values of JSON text */
    PROTOBUF_COLUMNS_MAX = 100000, /* fields that a message's columns have in all, at every depth */
    PROTOBUF_PATH_MAX = 512,       /* bytes of a path in a report; a longer one is cut */
    PROTOBUF_INDEXES_MAX = PROTO_DEPTH_MAX,
    PROTOBUF_INDEX_MAX = (1 << 20) - 1, /* of a message in its file or parent */
};

/* ---- which message -------------------------------------------------------------------------------------------------------- */

/* The indexes before a record in Confluent's wire format (behind the schema's id): the way to its message, as proto_message_at() takes it.
 * Gives *count, 1 at least. Returns how many bytes of `bytes` they are; 0: they are cut off, too many or out of range. */
size_t protobuf_indexes_read(struct str bytes, int32_t indexes[PROTOBUF_INDEXES_MAX], size_t *count);
/* Those of `message`, appended; the first message of a file is one zero byte. */
void protobuf_indexes_write(const struct proto_message *message, struct sbuf *out);

/* ---- types ---------------------------------------------------------------------------------------------------------------- */

/* The columns of the message's records: a STRUCT, given to arena. NOT NULL are fields without presence and those with a default, required,
 * repeated and map fields, and elements and values of these. ERR_CONFIG: messages are nested deeper than TYPE_DEPTH_MAX, or
 * have more than PROTOBUF_COLUMNS_MAX fields in all; or the message has no field that gives a column. */
const struct type *protobuf_columns_type(struct arena *arena, const struct proto_message *message,
                                         struct err *err);

/* `pinned` with what `found` adds: fields that it lacks appended, nullable; types widened (INT → LONG → DECIMAL(20,0), FLOAT →
 * DOUBLE), recursively; where `found` is narrower, or anything else, pinned's type stays, and the decoder tells whether values fit
 * into it. Returns pinned itself where nothing is new. *widened (or NULL): some type was. */
const struct type *protobuf_columns_evolve(struct arena *arena, const struct type *pinned,
                                           const struct type *found, bool *widened);

/* A .proto file (proto3) of one message with these columns, appended: what protobuf_columns_type gives `columns` for again, as
 * far as Protobuf has the types. Fields are numbered from 1 in their order. A nullable column is `optional`. BYTE and SHORT are int32,
 * INTERVAL_YM is int32 (months), TIMESTAMP_NTZ a Timestamp. Imports: files that every registry knows. package may be empty.
 * ERR_CONFIG: a name that Protobuf does not allow, an array of arrays or maps, a map whose key is no integer, boolean or text or
 * whose value is an array or map, NULL's type, no column at all. */
bool protobuf_schema_of_columns(const struct type *columns, struct str message, struct str package,
                                struct sbuf *out, struct err *err);

/* ---- records to columns --------------------------------------------------------------------------------------------------- */

/* All texts are borrowed until the callback returns. */
struct protobuf_bad {
    uint32_t row;
    struct str path;    /* "location.street.number", "items[].price"; the record itself: "" */
    const char *reason; /* "a string is not UTF-8" */
    size_t at;          /* byte in the record of the value, about; when writing 0 */
};

/* Who hears of it. bad may be NULL. */
struct protobuf_report {
    void (*bad)(void *arg, const struct protobuf_bad *bad);
    void *arg;
};

struct protobuf_decoder_options {
    bool copy; /* long strings are copied into the batch's arena, and records need not outlive the call */
};

struct protobuf_decoder;
struct protobuf_writer; /* what a decoder does with the records of one writer's message */

/* A decoder of records into `columns` (a STRUCT, borrowed: those that are wanted, in any order). options NULL = defaults. Lives in
 * pool. ERR_CONFIG: columns deeper than TYPE_DEPTH_MAX. */
struct protobuf_decoder *protobuf_decoder_new(struct pool *pool, const struct type *columns,
                                              const struct protobuf_decoder_options *options,
                                              struct err *err);

/* One more writer's message, borrowed with its schema's arena for as long as the decoder lives, as the result does. Columns are found by the
 * names of its fields; one that it does not have is NULL. ERR_DATA, and NULL: a column cannot take what it writes. */
const struct protobuf_writer *protobuf_decoder_writer(struct protobuf_decoder *decoder,
                                                      const struct proto_message *message, struct err *err);

/* Decodes records[count] into `out` (reset by the caller; its rows and columns are replaced): row i is record i, bare binary
 * encoding of writers[i], which is one of this decoder's; so records of several versions go into one batch. A record with p = NULL is a
 * row of NULLs, not reported, and its writer does not matter; an empty one is a message of defaults. count ≤ BATCH_ROWS_MAX. The records' bytes must live as long as out
 * (batch_hold their buffers) unless options.copy. No byte outside a record is read.
 *
 * A bad record (truncated, a length or a varint too long, a number that does not fit its column, text that is not UTF-8, a group that is not
 * closed, …) is a row of NULLs, reported; report may be NULL. A field whose wire type is not the schema's is unknown.
 *
 * As with json_decode a NOT NULL counts for nothing: out->schema is the decoder's own copy with all fields nullable. */
void protobuf_decode(struct protobuf_decoder *decoder, const struct str *records,
                     const struct protobuf_writer *const *writers, uint32_t count, struct batch *out,
                     const struct protobuf_report *report);

/* ---- columns to records --------------------------------------------------------------------------------------------------- */

struct protobuf_encoder;

/* An encoder of batches whose columns are `columns` (type_same; borrowed) as `message` (borrowed with its schema's arena). Columns are found by name;
 * those that the message does not have are left out, and so are its fields without a column. Lives in pool. ERR_CONFIG: a required field
 * without a column, or a type that the column's cannot become. */
struct protobuf_encoder *protobuf_encoder_new(struct pool *pool, const struct proto_message *message,
                                              const struct type *columns, struct err *err);

/* Appends rows [from, to) to out, each behind the bytes of `prefix` (the schema's id on the wire and the indexes, or nothing). ends[to - from] gets
 * where each row ends in out->p. Fields are in the order of their numbers. A row that the message cannot take (NULL for a required field or
 * in an array or map, a text that is no constant of its enum, a number out of range) is reported and adds nothing, not even the prefix.
 * Returns how many those are. report may be NULL. out stays below 4 GiB. */
uint32_t protobuf_encode(struct protobuf_encoder *encoder, const struct batch *batch, uint32_t from,
                         uint32_t to, struct str prefix, struct sbuf *out, uint32_t *ends,
                         const struct protobuf_report *report);

#endif

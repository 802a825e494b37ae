/* JSON (RFC 8259): records to columns, columns to records, and what stands around that: finding records in
 * a text, inferring a schema, widening one.
 *
 * The reader is compiled from a schema. Flat records in their common form are read in blocks, one name after the other (json_block.c). All
 * others in two steps per record: a structural index made with vector instructions (json/), then one walk over that index which writes values
 * straight into columns (json_decode.c). Strings without escapes become views into the record's own bytes.
 *
 * Everything here is pure. Nothing is shared between decoders, so each role has its own. Small documents
 * for control use (answers of a REST API, a Delta log) have a tree: json/tree.h. */
#ifndef FORMAT_JSON_H
#define FORMAT_JSON_H

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "batch/batch.h"
#include "type/type.h"
#include "json/scan.h"

struct timezone_data;

enum {
    JSON_DEPTH_MAX = 64,                /* default and largest depth of nesting of values that have columns */
    JSON_WIDTH_MAX = 10000,             /* default and largest number of fields of one object in inference */
    JSON_RECORD_MAX = 64 * 1024 * 1024, /* default bytes of one record; a larger one is a bad record */
    JSON_RECORD_LIMIT = 1 << 30,        /* largest record_max */
    JSON_BAD_VALUES_MAX = 1000, /* values of one record that are reported; further ones are only NULL */
    JSON_PATH_MAX = 512,        /* bytes of a path in a report; a longer one is cut */
};

enum json_mode { JSON_PERMISSIVE, JSON_DROPMALFORMED, JSON_FAILFAST };

/* Start from json_options_default(); texts and zone are borrowed for as long as what is made from the
 * options lives. */
struct json_options {
    /* Spark's options of from_json and to_json, of the same names and defaults */
    bool allow_single_quotes;       /* true */
    bool allow_non_numeric_numbers; /* true: NaN, Infinity, -Infinity, +INF, -INF; bare and as strings */
    bool allow_comments;
    bool allow_unquoted_field_names;
    bool allow_numeric_leading_zeros;
    bool allow_unquoted_control_chars;
    bool allow_backslash_escaping_any_character;
    bool primitives_as_string; /* inference: scalars are STRING */
    bool prefers_decimal;      /* inference: fractions are DECIMAL where they fit, integers past LONG too */
    bool prefers_timestamp;    /* inference: ISO 8601 texts are TIMESTAMP (Spark: inferTimestamp) */
    bool ignore_null_fields;   /* writing: NULL fields are left out; false: kept as null */
    bool pretty;               /* writing: two blanks of indentation */
    enum json_mode mode;       /* JSON_FAILFAST: the first bad record is an error of json_decode */
    const char *
        timestamp_format; /* Spark's pattern letters; NULL: ISO 8601, and reading takes all that CAST takes */
    const char *timestamp_ntz_format;
    const char *date_format;
    /* "_corrupt_record": this STRING column, where the schema has it, gets a bad record's text */
    const char *corrupt_record;
    const struct timezone_data *zone; /* of timestamps without one; NULL = UTC */

    /* ours */
    bool nocase; /* names of fields match without regard to ASCII case; false as in Spark */
    bool copy;   /* long strings are copied into the batch's arena, and records need not outlive the call */
    bool bare;   /* the schema has one field, and a record is a value of it: arrays, maps, scalars */
    bool report_unknown; /* fields without a column are reported, once each */
    uint32_t depth_max, width_max;
    size_t record_max;
    enum json_cpu cpu;
};

struct json_options json_options_default(void);
/* One of Spark's options by name, case-insensitively. The value is borrowed where it is a format or a name.
 * ERR_CONFIG: unknown name (with a did-you-mean) or a value it cannot have. */
bool json_options_set(struct json_options *options, const char *name, const char *value, struct err *err);

/* ---- records to columns -------------------------------------------------------------------------------- */

enum json_bad_kind {
    JSON_BAD_RECORD, /* not JSON, or not an object: the whole row is NULL */
    JSON_BAD_EMPTY,  /* no value at all, blanks only: the whole row is NULL */
    /* a value that its column's type does not take: NULL there, the rest of the row is good */
    JSON_BAD_VALUE,
};

/* All texts are borrowed until the callback returns. */
struct json_bad {
    uint32_t row;
    enum json_bad_kind kind;
    struct str path; /* "location.street.number", "items[].price"; the record itself: "" */
    /* "string", "number", "boolean", "object", "array"; of a bad record what is wrong with it */
    const char *found;
    struct str wanted; /* the type as SQL has it, "INT" */
    struct str text;   /* the raw value, or the whole record */
    size_t at;         /* where in the record: byte of the value or of the fault */
};

/* A field that has no column, with the type of its first value that is not null. */
struct json_unknown {
    uint32_t row;
    struct str path; /* "name.middle"; the last part is `name` */
    struct str name;
    const struct type *type; /* borrowed until the callback returns: type_copy what is kept */
};

/* Who hears of it. Any function may be NULL. */
struct json_report {
    void (*bad)(void *arg, const struct json_bad *bad);
    void (*unknown)(void *arg, const struct json_unknown *unknown);
    void *arg;
};

struct json_decoder;

/* A decoder of records into `schema` (a STRUCT, borrowed). options NULL = defaults. Lives in pool.
 * ERR_CONFIG: a schema deeper than depth_max, a type JSON cannot give, a map whose key is not STRING, or a
 * format that is none. */
struct json_decoder *json_decoder_new(struct pool *pool, const struct type *schema,
                                      const struct json_options *options, struct err *err);

/* Decodes records[count] into `out` (reset by the caller; its rows and columns are replaced): row i is
 * record i. A record with p = NULL is a row of NULLs, not reported. count ≤ BATCH_ROWS_MAX. The records'
 * bytes must live as long as out (batch_hold their buffers) unless options.copy. No byte outside a record
 * is read.
 *
 * Types as Spark's from_json has them: numbers are not taken from strings except DECIMAL; STRING takes any
 * value as its raw text; an integer column takes integers in its range only; TIMESTAMP takes text, and
 * integers as seconds; BINARY is base64; intervals are text. A missing field is NULL, of a repeated one
 * the last counts; a map keeps all.
 *
 * As in Spark a schema's NOT NULL counts for nothing here: out->schema is the decoder's own copy with all
 * fields nullable.
 *
 * False (ERR_DATA) only in JSON_FAILFAST mode. report may be NULL. */
bool json_decode(struct json_decoder *decoder, const struct str *records, uint32_t count, struct batch *out,
                 const struct json_report *report, struct err *err);

/* Forgets which unknown fields were reported. */
void json_decoder_forget(struct json_decoder *decoder);

/* ---- columns to records -------------------------------------------------------------------------------- */

struct json_encoder;

/* An encoder of batches of `schema` (borrowed), or of columns of any type. options NULL = defaults. Lives
 * in pool. ERR_CONFIG: a format that is none. */
struct json_encoder *json_encoder_new(struct pool *pool, const struct type *schema,
                                      const struct json_options *options, struct err *err);

/* Appends rows [from, to) to out, one object each. 64-bit integers and decimals are exact number text, NaN
 * and the infinities strings, timestamps "2024-01-02T03:04:05.123456Z", binary base64, map keys text.
 * ends[to - from] (or NULL) gets where each row ends in out->p. `between` follows each row, counted to
 * none: '\n' gives JSON lines, 0 nothing. out stays below 4 GiB. */
void json_encode(struct json_encoder *encoder, const struct batch *batch, uint32_t from, uint32_t to,
                 char between, struct sbuf *out, uint32_t *ends);
/* The same for one column of the type that the encoder was made for; a NULL row is `null`. */
void json_encode_column(struct json_encoder *encoder, const struct column *column, uint32_t from, uint32_t to,
                        char between, struct sbuf *out, uint32_t *ends);
/* (One value of any type: value_to_json in type/cast.h.) */

/* ---- records in a text --------------------------------------------------------------------------------- */

/* JSON lines: records[max] gets the lines of chunk that are not blank, without their ends (\n or \r\n);
 * returns how many. *used is where the next call goes on: after the last line taken. A line without its
 * end is taken only when `last`. */
size_t json_lines(struct str chunk, bool last, struct str *records, size_t max, size_t *used);

/* The elements of an array somewhere in one document, while the document arrives. Also a sequence of
 * documents. */
struct json_split {
    struct str path; /* "results", "data.items"; empty: the document itself */
    size_t record_max;
    bool found;  /* the path led to something */
    bool single; /* and that is no array, but one value */
    size_t used; /* bytes of the window that are done with: drop them before the next call */
    /* private */
    uint8_t state, value_state;
    uint32_t depth;    /* objects on the way along the path that are open */
    uint32_t brackets; /* open ones of the value that is being crossed */
    size_t at;         /* in the window: as far as it was looked at */
    size_t start;      /* of the value being crossed */
};

enum json_split_result {
    JSON_SPLIT_RECORD, /* *record is the next one, raw, borrowed from the window */
    JSON_SPLIT_MORE,   /* drop `used` bytes, append more, call again (with last when there is no more) */
    JSON_SPLIT_END,    /* all of the document is read */
    JSON_SPLIT_BAD,    /* err says what */
};

/* path is borrowed. An array at the path gives its elements, any other value itself; with an empty path
 * the values of a sequence of documents (white space between), where the elements of an array count each. */
void json_split_init(struct json_split *split, struct str path, size_t record_max);
/* window: the document from where `used` last pointed. ERR_DATA: not JSON as far as brackets and strings
 * go, or a record past record_max. */
enum json_split_result json_split_next(struct json_split *split, struct str window, bool last,
                                       struct str *record, struct err *err);

/* ---- schemas ------------------------------------------------------------------------------------------- */

struct json_inference;

/* options NULL = defaults. Lives in pool. */
struct json_inference *json_inference_new(struct pool *pool, const struct json_options *options);
/* Takes one record into account. False (ERR_DATA): it is no JSON object or nested deeper than depth_max
 * (nothing is taken from it), or some object has more than width_max fields (the rest of them is not
 * taken). */
bool json_inference_add(struct json_inference *inference, struct str record, struct err *err);
/* Records taken. */
uint64_t json_inference_records(const struct json_inference *inference);
/* The schema so far: fields in the order they were first seen, all nullable; integers LONG (past 64 bits
 * DECIMAL(p,0), past 38 digits DOUBLE), fractions DOUBLE, mixtures STRING, null only STRING. Given to
 * arena. */
const struct type *json_inference_schema(const struct json_inference *inference, struct arena *arena);
/* The type of one value (SQL's schema_of_json): any JSON value, not only objects. */
bool json_infer_value(struct arena *arena, struct str text, const struct json_options *options,
                      const struct type **type, struct err *err);

/* `pinned` with the fields of `found` that it lacks appended, nullable, recursively in structs (also those
 * in arrays and map values); what pinned has stays as it is, and is borrowed. Returns pinned itself where
 * nothing is new. nocase as in type_field. */
const struct type *json_schema_evolve(struct arena *arena, const struct type *pinned,
                                      const struct type *found, bool nocase);

#endif

/* CSV as RFC 4180 has it and as Spark reads and writes it: records in a text, records to columns, columns
 * to records.
 *
 * Pure, like json.h, whose reports it shares. */
#ifndef FORMAT_CSV_H
#define FORMAT_CSV_H

#include "format/json.h"

enum {
    CSV_RECORD_MAX = JSON_RECORD_MAX, /* default bytes of one record */
    CSV_COLUMNS_MAX = 20480,          /* fields of one record; more are a bad record. Spark's default */
};

/* Start from csv_options_default(); texts and zone are borrowed for as long as what is made from the
 * options lives. */
struct csv_options {
    /* Spark's options, of the same names and defaults */
    char sep;   /* ',' */
    char quote; /* '"'; 0: there are no quotes */
    char
        /* '\\'; inside quotes, before a quote or itself. A doubled quote is a quote whatever this is. '"':
         * RFC 4180's way only */
        escape;
    char comment;    /* 0: none; else lines that begin with it are skipped */
    bool header;     /* for whoever reads or writes whole files: the first record is names */
    bool multi_line; /* line ends may stand inside quotes */
    bool ignore_leading_white_space, ignore_trailing_white_space; /* of fields without quotes */
    bool quote_all;         /* writing: quotes around every value that is not NULL */
    const char *null_value; /* "": a field of this text, without quotes, is NULL */
    const char *nan_value, *positive_inf, *negative_inf; /* "NaN", "Inf", "-Inf" */
    enum json_mode mode;
    const char *timestamp_format, *timestamp_ntz_format,
        *date_format;                 /* NULL: ISO 8601, reading takes all that CAST takes */
    const char *corrupt_record;       /* "_corrupt_record" */
    const struct timezone_data *zone; /* NULL = UTC */

    /* ours */
    bool copy; /* as in json.h */
    size_t record_max;
};

struct csv_options csv_options_default(void);
/* The defaults with escape '"', for writing what every other program reads. */
struct csv_options csv_options_rfc4180(void);
/* As json_options_set; sep, quote, escape and comment are one byte ("\t" too), empty: none. */
bool csv_options_set(struct csv_options *options, const char *name, const char *value, struct err *err);

/* ---- records in a text --------------------------------------------------------------------------------- */

/* records[max] gets the records of chunk, raw, without their line ends (\n, \r\n, \r); blank lines and
 * comments are skipped. Returns how many; *used is where the next call goes on. One without its end is
 * taken only when `last`. */
size_t csv_records(struct str chunk, bool last, const struct csv_options *options, struct str *records,
                   size_t max, size_t *used);
/* The fields of one record: fields[max], unescaped (in arena where they differ from the text). Returns how
 * many there are, which may be more than max. */
size_t csv_fields(struct str record, const struct csv_options *options, struct str *fields, size_t max,
                  struct arena *arena);

/* ---- records to columns -------------------------------------------------------------------------------- */

struct csv_decoder;

/* schema (borrowed) has simple types only: ERR_CONFIG otherwise, or for a format that is none. options
 * NULL = defaults. */
struct csv_decoder *csv_decoder_new(struct pool *pool, const struct type *schema,
                                    const struct csv_options *options, struct err *err);
/* Fields go to columns by the names of a header record from now on (ASCII case-insensitively), instead of
 * by position. Columns that are not named are NULL. */
void csv_decoder_header(struct csv_decoder *decoder, struct str header);
/* As json_decode. BINARY is base64. A record with another number of fields is reported (JSON_BAD_VALUE,
 * path "") and taken as far as it goes. Empty text in quotes is empty, not NULL. */
bool csv_decode(struct csv_decoder *decoder, const struct str *records, uint32_t count, struct batch *out,
                const struct json_report *report, struct err *err);

/* A schema from records (a header's names, or _c0, _c1 …): INT, BIGINT, DOUBLE, BOOLEAN, DATE, TIMESTAMP,
 * STRING, the narrowest that all values have. names: the header record or {NULL, 0}. Given to arena. */
const struct type *csv_infer(struct arena *arena, struct str names, const struct str *records, size_t count,
                             const struct csv_options *options);

/* ---- columns to records -------------------------------------------------------------------------------- */

struct csv_encoder;

/* Any types: nested ones are written as JSON text. options NULL = defaults. ERR_CONFIG: a format that is
 * none. */
struct csv_encoder *csv_encoder_new(struct pool *pool, const struct type *schema,
                                    const struct csv_options *options, struct err *err);
/* The names, and a line end. */
void csv_encode_header(struct csv_encoder *encoder, struct sbuf *out);
/* Rows [from, to), each with a line end (\n). ends as in json_encode, before the line end. */
void csv_encode(struct csv_encoder *encoder, const struct batch *batch, uint32_t from, uint32_t to,
                struct sbuf *out, uint32_t *ends);

#endif

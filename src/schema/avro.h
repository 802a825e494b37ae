/* Avro (1.12): schemas as a graph of types, and what a reader has to do with a writer's bytes.
 *
 * Types are shared: a name that is used again, or before it is defined, points to the one type; so graphs have cycles. */
#ifndef SCHEMA_AVRO_H
#define SCHEMA_AVRO_H

#include "schema/schema.h"
#include "json/tree.h"

enum avro_kind {
    AVRO_NULL,
    AVRO_BOOLEAN,
    AVRO_INT,
    AVRO_LONG,
    AVRO_FLOAT,
    AVRO_DOUBLE,
    AVRO_BYTES,
    AVRO_STRING,
    AVRO_RECORD,
    AVRO_ENUM,
    AVRO_FIXED,
    AVRO_ARRAY,
    AVRO_MAP,
    AVRO_UNION,
};

/* What a type means. One that does not fit its type, or is unknown, is AVRO_PLAIN: such a type is read as it is. */
enum avro_logical {
    AVRO_PLAIN,
    AVRO_DECIMAL,                /* bytes, fixed; with precision and scale: big-endian two's complement */
    AVRO_BIG_DECIMAL,            /* bytes: the unscaled bytes with their length, and the scale */
    AVRO_UUID,                   /* string, fixed(16) */
    AVRO_DATE,                   /* int: days since 1970-01-01 */
    AVRO_TIME_MILLIS,            /* int: since midnight */
    AVRO_TIME_MICROS,            /* long */
    AVRO_TIMESTAMP_MILLIS,       /* long: since 1970, UTC */
    AVRO_TIMESTAMP_MICROS,       /* long */
    AVRO_TIMESTAMP_NANOS,        /* long */
    AVRO_LOCAL_TIMESTAMP_MILLIS, /* long: since 1970 of an unnamed zone */
    AVRO_LOCAL_TIMESTAMP_MICROS, /* long */
    AVRO_LOCAL_TIMESTAMP_NANOS,  /* long */
    AVRO_DURATION,               /* fixed(12): months, days, milliseconds, each 32 bits, little endian */
};

enum avro_order { AVRO_ASCENDING, AVRO_DESCENDING, AVRO_IGNORE };

/* Names in order, and how to find one of them. */
struct avro_names {
    struct str *items; /* items[count] */
    uint32_t *sorted;  /* sorted[count]: indexes, by name */
    uint32_t count;
};

/* Properties that the specification does not know, in order; their values are nodes with a name. */
struct avro_props {
    const struct json_node *const *items; /* items[count] */
    uint32_t count;
};

struct avro_type;

struct avro_field {
    struct str name;
    const struct avro_type *type;
    const struct json_node *default_value; /* NULL: none; the JSON null is a default */
    enum avro_order order;
    struct str doc; /* p NULL: none */
    struct avro_names aliases;
    struct avro_props props;
};

struct avro_type {
    enum avro_kind kind;
    uint32_t id; /* from 0, its own among the types of a schema */
    enum avro_logical logical;
    uint32_t precision, scale; /* DECIMAL */

    /* RECORD, ENUM, FIXED */
    struct str name, space, full; /* "user", "com.example", "com.example.user"; no space: empty */
    struct str doc;               /* p NULL: none */
    struct avro_names aliases;    /* full names */

    bool is_error;                  /* RECORD, written "error" */
    struct avro_field *fields;      /* RECORD: fields[names.count] */
    struct avro_names names;        /* RECORD: of the fields. ENUM: the symbols. UNION: of the branches */
    struct str default_symbol;      /* ENUM; p NULL: none */
    uint32_t size;                  /* FIXED: bytes */
    const struct avro_type *items;  /* ARRAY: of the items. MAP: of the values */
    const struct avro_type **types; /* UNION: types[names.count] */

    struct avro_props props; /* logicalType and what belongs to it included */

    /* while parsing */
    const struct json_node *node;
    struct avro_type *chain; /* the next one made */
    struct avro_type *twin;  /* has the same name, and came before */
};

struct avro_schema {
    const struct avro_type *root;
    const struct avro_type *const *known; /* known[known_count]: the roots of the references */
    uint32_t known_count;
    uint32_t type_count; /* ids are below */
};

/* The inside of a schema of that kind. */
const struct avro_schema *schema_avro(const struct schema *schema);

/* "record", "timestamp-millis"; PLAIN: "". */
const char *avro_kind_name(enum avro_kind kind);
const char *avro_logical_name(enum avro_logical logical);
/* Index of the name, or -1. */
int32_t avro_names_find(const struct avro_names *names, struct str name);

/* The Parsing Canonical Form, appended: what decides how bytes are read, and nothing else. */
void avro_parsing_form(const struct avro_schema *schema, struct sbuf *out);
/* CRC-64-AVRO of that form, which stands before single objects. */
uint64_t avro_fingerprint(const struct avro_schema *schema);

/* ---- resolution: avro_resolve.c ----------------------------------------------------------------------------------------- */

struct avro_plan;

/* Where values go: what to do with their bytes, and the branch that they are where the reader is a union. */
struct avro_way {
    const struct avro_plan *plan; /* NULL: nowhere, they are skipped */
    int32_t branch;               /* -1: the reader is no union, or the writer's branch tells */
};

/* What to do with the bytes of one type. Plans of recursive types have cycles; a pair of types has one plan. */
struct avro_plan {
    const struct avro_type
        *writer; /* what the bytes are: its kind decides which of the lists below are there */
    const struct avro_type *reader; /* what becomes of them; a union only where the writer is one */
    const char *fault; /* not NULL: why no such value can be read; one that comes is a bad record */

    struct avro_way items;   /* ARRAY, MAP */
    struct avro_step *steps; /* RECORD: steps[writer->names.count], for the writer's fields in their order */
    uint32_t *defaults; /* RECORD: defaults[default_count]: fields of the reader that get their default */
    uint32_t default_count;
    int32_t *symbols;          /* ENUM: symbols[writer->names.count]: the reader's, or -1: a bad record */
    struct avro_way *branches; /* UNION: branches[writer->names.count] */
};

struct avro_step {
    const struct avro_type *writer;
    struct avro_way way;
    uint32_t field; /* the reader's, unless it is skipped */
};

/* The plan to read what `writer` wrote as `reader`. It lives in the arena and points into both schemas.
 * ERR_DATA: nothing that the writer writes could be read, or the schemas are too deep or too large to compare. */
bool avro_resolve(struct arena *arena, const struct avro_schema *writer, const struct avro_schema *reader,
                  struct avro_way *way, struct err *err);

#endif

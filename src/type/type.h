/* SQL types as Spark has them, schemas (a schema is a STRUCT type), and single values.
 *
 * Types are immutable and live in an arena or pool that the caller names; the simple ones are statics.
 * Compare them with type_equal, never by pointer. */
#ifndef TYPE_TYPE_H
#define TYPE_TYPE_H

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"

enum type_kind {
    TYPE_NULL, /* VOID: the type of a bare NULL */
    TYPE_BOOLEAN,
    TYPE_BYTE,
    TYPE_SHORT,
    TYPE_INT,
    TYPE_LONG,
    TYPE_FLOAT,
    TYPE_DOUBLE,
    TYPE_DECIMAL, /* precision 1..38, scale 0..precision */
    TYPE_STRING,  /* UTF-8; collation NULL = UTF8_BINARY */
    TYPE_BINARY,
    TYPE_DATE,          /* days since 1970-01-01, proleptic Gregorian */
    TYPE_TIMESTAMP,     /* µs since 1970-01-01T00:00:00Z */
    TYPE_TIMESTAMP_NTZ, /* µs since 1970-01-01T00:00:00 on some wall clock */
    TYPE_INTERVAL_YM,   /* months */
    TYPE_INTERVAL_DT,   /* µs */
    TYPE_ARRAY,
    TYPE_MAP,
    TYPE_STRUCT,
    TYPE_VARIANT,
    TYPE_KINDS /* their number */
};

enum {
    TYPE_DEPTH_MAX = 64,     /* nesting; deeper is refused by every parser */
    TYPE_FIELDS_MAX = 10000, /* fields of one struct */
    DECIMAL_PRECISION_MAX = 38,
};

enum interval_unit {
    INTERVAL_YEAR,
    INTERVAL_MONTH,
    INTERVAL_DAY,
    INTERVAL_HOUR,
    INTERVAL_MINUTE,
    INTERVAL_SECOND
};

struct field {
    const char *name;
    const struct type *type;
    bool nullable;
    const char *comment; /* or NULL */
};

struct type {
    enum type_kind kind;
    uint8_t precision, scale;           /* DECIMAL */
    uint8_t interval_from, interval_to; /* INTERVAL_*: enum interval_unit, the range shown */
    const char *collation;              /* STRING; NULL = UTF8_BINARY */
    uint32_t field_count;               /* STRUCT; ARRAY 1 ("element"); MAP 2 ("key", "value") */
    const struct field *fields;         /* fields[field_count] */
};

/* The types without parameters, by kind; DECIMAL gives (10,0), the intervals their full range. Not ARRAY,
 * MAP, STRUCT. */
const struct type *type_simple(enum type_kind kind);
const struct type *type_decimal(struct arena *arena, unsigned precision, unsigned scale);
const struct type *type_array(struct arena *arena, const struct type *element, bool element_nullable);
const struct type *type_map(struct arena *arena, const struct type *key, const struct type *value,
                            bool value_nullable);
/* fields[count] is copied, names too; the fields' types are borrowed for as long as the arena lives. */
const struct type *type_struct(struct arena *arena, const struct field *fields, uint32_t count);
/* Deep copy. */
const struct type *type_copy(struct arena *arena, const struct type *type);
/* The type with all that may be NULL nullable: rows of other writers, and of other versions, may lack it. In arena, borrows from type. */
const struct type *type_nullable(struct arena *arena, const struct type *type);

/* Same kind, parameters, field names (exact), nullability; comments do not count. */
bool type_equal(const struct type *a, const struct type *b);
/* As type_equal without nullability. */
bool type_same(const struct type *a, const struct type *b);

/* Index of the field, or -1. nocase: as Spark resolves names (full Unicode case folding is ASCII here).
 * When several differ in case only, the exact one wins, else -2 (ambiguous). */
int type_field(const struct type *struct_type, struct str name, bool nocase);

static inline bool type_is_integer(const struct type *t)
{
    return t->kind >= TYPE_BYTE && t->kind <= TYPE_LONG;
}
static inline bool type_is_numeric(const struct type *t)
{
    return t->kind >= TYPE_BYTE && t->kind <= TYPE_DECIMAL;
}
static inline bool type_is_nested(const struct type *t)
{
    return t->kind >= TYPE_ARRAY && t->kind <= TYPE_STRUCT;
}
static inline bool type_is_view(const struct type *t)
{
    return t->kind == TYPE_STRING || t->kind == TYPE_BINARY;
}
/* Bytes of one value in a flat column: 0 for NULL and the nested kinds and VARIANT; 16 for views and
 * decimals. */
size_t type_width(const struct type *type);

/* SQL text as Spark's `sql` prints it: "DECIMAL(10,2)", "STRUCT<a: INT, b: ARRAY<STRING>>"; appended to
 * out. */
void type_to_sql(const struct type *type, struct sbuf *out);
/* As Spark's simpleString: "struct<a:int,b:array<string>>". */
void type_to_simple(const struct type *type, struct sbuf *out);
/* Spark's and Delta's schema JSON (facts: Delta 4.4): a STRUCT gives {"type":"struct","fields":[…]}. */
void type_to_json(const struct type *type, struct sbuf *out);
bool type_from_json(struct arena *arena, struct str json, const struct type **type, struct err *err);

/* A type from SQL text: "decimal(10, 2)", "struct<a int, b: array<string>>", "interval day to second",
 * "string collate UTF8_LCASE". */
bool type_parse(struct arena *arena, struct str sql, const struct type **type, struct err *err);
/* A schema from a DDL list: "id STRING NOT NULL COMMENT 'x', dob STRUCT<date: TIMESTAMP, age: INT>";
 * backticks quote names; -- and block comments are skipped. Errors have line and column within `ddl`
 * (place.file empty). */
bool type_parse_ddl(struct arena *arena, struct str ddl, const struct type **schema, struct err *err);

/* ---- single values ------------------------------------------------------------------------------------- */

typedef __int128 i128; /* the one typedef: the language has no shorter word for it */

/* One value of any type: literals, statistics, partition values, and the oracle's rows. Children are
 * borrowed. */
struct value {
    const struct type *type;
    bool is_null;
    union {
        bool boolean;
        int64_t i64;    /* BYTE..LONG, DATE, TIMESTAMP*, INTERVAL_* */
        double f64;     /* FLOAT (exact in a double), DOUBLE */
        i128 decimal;   /* unscaled */
        struct str str; /* STRING, BINARY; VARIANT: value bytes */
        struct {
            uint32_t count;            /* ARRAY: elements; MAP: pairs; STRUCT: fields */
            const struct value *items; /* [count]; MAP: [2 × count], key, value, key, value … */
        } nested;
    };
    struct str metadata; /* VARIANT */
};

struct value value_null(const struct type *type);
/* Total order as Spark's ORDER BY ASC: NULL first, NaN last, −0.0 = 0.0, bytes unsigned, collation
 * UTF8_BINARY and UTF8_LCASE. Same type on both sides. */
int value_cmp(const struct value *a, const struct value *b);
/* As Spark's show() and CAST(… AS STRING) print it; NULL prints "NULL". zone: see type/timestamp.h (NULL =
 * UTC). */
struct timezone_data;
void value_to_text(const struct value *v, const struct timezone_data *zone, struct sbuf *out);

#endif

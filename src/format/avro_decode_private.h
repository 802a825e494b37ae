/* The program that avro_compile.c makes of schemas and avro_decode.c runs over records. */
#ifndef FORMAT_AVRO_DECODE_PRIVATE_H
#define FORMAT_AVRO_DECODE_PRIVATE_H

#include "format/avro_private.h"

enum avro_op_kind {
    /* one value, which a null may stand for */
    AVRO_OP_BOOLEAN,
    AVRO_OP_I32,     /* int → INT, DATE, INTERVAL_YM */
    AVRO_OP_I64,     /* long → LONG, TIMESTAMP*, INTERVAL_DT */
    AVRO_OP_INT_I64, /* int → LONG */
    AVRO_OP_MILLIS,  /* long → TIMESTAMP* */
    AVRO_OP_NANOS,
    AVRO_OP_F32,
    AVRO_OP_F64,
    AVRO_OP_F32_F64,
    AVRO_OP_NUMBER, /* any other number → any number's column */
    AVRO_OP_STRING, /* string, bytes → STRING */
    AVRO_OP_BYTES,  /* string, bytes → BINARY */
    AVRO_OP_FIXED,
    AVRO_OP_ENUM,
    AVRO_OP_DECIMAL, /* bytes; fixed where size > 0 */
    AVRO_OP_SKIP_BOOLEAN,
    AVRO_OP_SKIP_INT,
    AVRO_OP_SKIP_LONG,
    AVRO_OP_SKIP_FIXED, /* float and double too */
    AVRO_OP_SKIP_STRING,
    AVRO_OP_SKIP_BYTES,
    AVRO_OP_SKIP_ENUM,
    AVRO_OP_VALUES, /* how many those are */

    AVRO_OP_VALID = AVRO_OP_VALUES, /* takes no bytes: a STRUCT is not null */
    AVRO_OP_LIST,                   /* array, map */
    AVRO_OP_UUID,                   /* fixed(16) → STRING */
    AVRO_OP_DURATION,
    AVRO_OP_UNION,
    AVRO_OP_SKIP,    /* anything, by its type */
    AVRO_OP_DEFAULT, /* takes no bytes of the record */
    AVRO_OP_FAULT,   /* what comes is bad */
    AVRO_OP_KINDS
};

/* Where a step reads in each of its records. */
struct avro_cursors {
    const uint8_t **at;        /* at[n] */
    const uint8_t *const *end; /* end[n]; eight bytes before it can be read */
};

struct avro_program {
    struct avro_op *ops; /* ops[count] */
    uint32_t count;
};

/* One step: what the next bytes of each of n records are, and which rows they go to. False: one of them is bad, d->fault says how. */
struct avro_op {
    bool (*step)(struct avro_decoder *d, struct avro_op *op, uint32_t row, uint32_t n,
                 struct avro_cursors *c);
    struct json_slot *slot;        /* NULL: no column */
    uint8_t null_code, value_code; /* a value that may be null: the two branches, as bytes */
    enum avro_op_kind kind;
    enum avro_kind source;         /* NUMBER */
    uint32_t size;                 /* FIXED, DECIMAL: bytes; ENUM: symbols; UNION: branches */
    uint32_t low;                  /* LIST: bytes that an item has at least */
    i128 factor;                   /* DECIMAL, NUMBER: for the column's scale */
    const struct avro_type *type;  /* SKIP */
    const char *fault;             /* FAULT */
    struct avro_program *programs; /* LIST, DEFAULT: [1]; UNION: [size] */
    struct view *symbols;          /* ENUM: symbols[size]; size UINT32_MAX: none that the reader has */
    struct str bytes;              /* DEFAULT */
    const char *path;

    /* what of the above a batch needs in its own arena, made when it first does */
    uint64_t batch;
    struct view *symbols_now;
    const uint8_t *bytes_now;
};

struct avro_writer {
    struct avro_program program;
    const struct avro_type *root;
    struct avro_decoder *decoder;
};

struct avro_decoder {
    /* the record */
    const char *fault, *fault_path; /* what is wrong with it */
    uint64_t empty_items;           /* how many more of them it may have */

    /* the batch */
    struct arena *arena;
    uint64_t batch; /* its number, from 1 */

    /* fixed */
    const struct avro_schema *reader; /* NULL: each writer's own */
    const struct json_cpu_code *code;
    struct json_slot root;
    struct avro_decoder_options options;
    const struct type *schema;
    struct pool *pool;
};

/* avro_compile.c */

/* The program in d->pool; false: see avro_decoder_writer. */
bool avro_compile(struct avro_decoder *d, const struct avro_schema *writer, struct avro_program *program,
                  struct err *err);

/* avro_decode.c */

/* The next count records of bytes, which are one behind the other, into out (as avro_decode has it), and bytes behind them. A record that does not
 * fit its columns is a row of NULLs, reported; ERR_DATA where it cannot be told where one ends: out has those before it. */
bool avro_decode_sequence(struct avro_decoder *d, const struct avro_writer *writer, struct str *bytes,
                          uint32_t count, struct batch *out, const struct avro_report *report,
                          struct err *err);
/* Past the next count records. ERR_DATA: they are not whole. */
bool avro_skip_sequence(struct avro_decoder *d, const struct avro_writer *writer, struct str *bytes,
                        uint64_t count, struct err *err);
/* Has no record of that writer a byte? */
bool avro_writes_nothing(const struct avro_schema *writer);

/* The step of that kind; nullable (kinds below AVRO_OP_VALUES): with the branch of a union before it. */
bool (*avro_op_step(enum avro_op_kind kind, bool nullable))(struct avro_decoder *d, struct avro_op *op,
                                                            uint32_t row, uint32_t n, struct avro_cursors *c);

#endif

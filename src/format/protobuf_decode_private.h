/* The compiled form of a message that protobuf_decode.c walks over records with, and protobuf_compile.c and protobuf_slot.c build. */
#ifndef FORMAT_PROTOBUF_DECODE_PRIVATE_H
#define FORMAT_PROTOBUF_DECODE_PRIVATE_H

#include "format/protobuf_private.h"
#include "type/decimal.h"
#include "type/timestamp.h"
#include "json/scan.h"

enum { PROTOBUF_ELEMENTS_MAX = 1 << 29 /* bytes of the columns of one list's elements in a batch */ };

/* Where the values of one type go: a column under construction. */
struct protobuf_slot {
    enum type_kind kind;
    const struct type *type;
    struct protobuf_slot *children; /* as a column's */
    uint32_t child_count;
    uint32_t width; /* of one value in data */

    uint8_t *validity;       /* bits of absent and null rows are 0, from the start */
    uint8_t *data;           /* rows without a bit are 0, from the start */
    uint32_t *offsets;       /* ARRAY, MAP: offsets[0 … open] are valid */
    uint32_t open;           /* ARRAY, MAP: the row that elements are added to */
    uint32_t rows, capacity; /* of lists' elements; all others' are those of the struct around them */
    size_t row_bytes;        /* of all columns at and below this one, but for lists' elements */
    uint32_t rows_before;    /* what the last batch had: a good first capacity */
};

/* What is done with a value, after its tag. The first ones are the common pairs of a type and its column. */
enum protobuf_op {
    OP_INT32,  /* a varint, cut to 32 bits */
    OP_INT64,  /* a varint */
    OP_UINT32, /* a varint cut to 32 bits, into 64 */
    OP_SINT32,
    OP_SINT64,
    OP_BOOL,
    OP_FIXED32, /* 4 bytes as they are: sfixed32, float */
    OP_FIXED64, /* 8 bytes: sfixed64, double */
    OP_STRING,
    OP_BYTES,
    OP_ENUM,
    OP_MESSAGE, /* a struct; or a wrapper's value in the column itself */
    OP_TIMESTAMP,
    OP_ELEMENT, /* one more element of a list, by element_op */
    OP_SLOW,    /* and all that follow: protobuf_decode.c's slow_value() */
    OP_NUMBER,  /* a number or enum that is converted, its range checked */
    OP_DURATION,
    OP_DATE,
    OP_DECIMAL, /* confluent.type.Decimal */
    OP_VARIANT,
    OP_JSON,
    OP_RAW, /* a message as its bytes */
    OP_PACKED,
    OP_PAIR, /* one more pair of a map */
    OP_SKIP, /* known, without a column */
    OP_UNKNOWN,
};

struct protobuf_symbol {
    int32_t number;
    uint64_t batch; /* in which `view` was made */
    struct str name;
    struct view view;
};

/* Constants of an enum by number: symbols[count]. */
struct protobuf_symbols {
    struct protobuf_symbol *symbols;
    uint32_t count;
    bool is_dense; /* the numbers follow each other */
    bool is_closed;
};

struct protobuf_choice;

/* What is done with one field when it comes with one wire type. */
struct protobuf_step {
    uint32_t key; /* number << 3 | wire type */
    uint8_t op, element_op;
    uint8_t kind;  /* enum proto_kind, of one element */
    bool sets_bit; /* it has presence, or is an element */
    bool is_map_value;
    const char *message; /* JSON: which one */
    struct protobuf_slot *slot;
    struct protobuf_plan *plan;     /* of a message, or of a map's pairs */
    struct protobuf_choice *choice; /* the oneof that it is of */
    struct protobuf_symbols *symbols;
    struct protobuf_step *next[2]; /* the field that should come next: the first guess, and the second */

    /* OP_RAW: the bytes so far of a message that comes in several parts */
    uint32_t raw_row, raw_capacity;
    char *raw;
    uint64_t raw_batch;

    /* the way here, for reports */
    const struct protobuf_plan *owner;
    struct str name;
};

/* The member of a oneof that was seen last, in which row. */
struct protobuf_choice {
    struct protobuf_step *step;
    uint32_t row;
};

/* A value that a field has where the record does not have it: at least its validity bit. */
struct protobuf_default {
    struct protobuf_slot *slot;
    const struct protobuf_plan *plan; /* of a map's value that is a message: its defaults too */
    bool has_value;                   /* it is not all zeros */
    _Alignas(16) uint8_t value[16];   /* [slot->width] */
    struct str text;                  /* STRING, BINARY: a longer one is copied into each batch */
    uint64_t batch;                   /* that `value` was made in */
};

struct protobuf_plan {
    struct protobuf_step *first;
    struct protobuf_step **table; /* table[table_mask + 1], by key; NULL = free */
    uint32_t table_mask;
    struct protobuf_slot *slot; /* whose row is given with the message; NULL: the record itself */
    struct protobuf_default *defaults;
    uint32_t default_count;
    struct protobuf_step **required; /* required[required_count]: that have a column */
    uint32_t required_count;
    const struct protobuf_step *step; /* that leads here, for reports */
};

struct protobuf_writer {
    struct protobuf_plan plan;
    struct protobuf_decoder *decoder;
};

struct protobuf_decoder {
    /* the record */
    const uint8_t *start, *stop; /* all of it, also inside of messages */
    const char *reason;          /* what is wrong with it; NULL = nothing */
    const uint8_t *bad_at;
    const struct protobuf_step *bad_step;
    uint32_t row;

    /* the batch */
    struct arena *arena;
    uint64_t batch; /* its number */

    /* fixed */
    bool (*utf8)(const char *p, size_t n);
    struct protobuf_slot root;
    struct protobuf_decoder_options options;
    const struct type *columns;
    struct pool *pool;
    struct protobuf_step unknown;

    /* scratch */
    struct sbuf text;
    char path[PROTOBUF_PATH_MAX];
};

/* protobuf_slot.c */

static inline bool protobuf_is_list(const struct protobuf_slot *slot)
{
    return slot->kind == TYPE_ARRAY || slot->kind == TYPE_MAP;
}
bool protobuf_slot_build(struct arena *arena, struct protobuf_slot *slot, const struct type *type,
                         unsigned depth, struct err *err);
void protobuf_slot_begin(struct protobuf_slot *slot, uint32_t rows, struct arena *arena);
/* Room for one more element in each of a list's children; false: they would take more than PROTOBUF_ELEMENTS_MAX bytes. */
bool protobuf_slot_grow(struct protobuf_slot *list, struct arena *arena);
/* Row `row`, and all below it, is null again, as if nothing had been written. */
void protobuf_slot_clear(struct protobuf_slot *slot, uint32_t row);
/* Elements that are added from now on are that row's: the open one's, or a later one's. */
void protobuf_slot_open(struct protobuf_slot *list, uint32_t row);
struct column protobuf_slot_finish(struct protobuf_slot *slot, uint32_t rows, struct arena *arena);

/* protobuf_compile.c */

/* The type with everything nullable but the keys of maps. */
const struct type *protobuf_nullable(struct arena *arena, const struct type *type);
bool protobuf_compile(struct protobuf_decoder *d, struct protobuf_plan *plan,
                      const struct proto_message *message, struct err *err);

/* protobuf_decode.c: an integer, of `is_unsigned` kind or not, to a column of any number's type; false: it does not fit. */
bool protobuf_store_integer(const struct type *type, void *to, int64_t value, bool is_unsigned);
const struct protobuf_symbol *protobuf_symbol_find(const struct protobuf_symbols *symbols, int32_t number);

#endif

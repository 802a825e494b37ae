/* The compiled form of a schema that json_decode.c walks over records with, and json_slot.c builds and
 * grows. */
#ifndef FORMAT_JSON_DECODE_PRIVATE_H
#define FORMAT_JSON_DECODE_PRIVATE_H

#include "format/json_private.h"
#include "type/timestamp.h"
#include "json/text.h"

enum {
    JSON_KEY_FAST_MAX = 32,      /* bytes of "name": that are compared without a call */
    JSON_KEY_LEARNT_MAX = 1024,  /* names without a column, and other spellings, kept per object */
    JSON_KEY_NAME_MAX = 256,     /* a longer one is not kept */
    JSON_INDEX_GUARD = 8,        /* copies of the last entry behind the index */
    JSON_ELEMENTS_MAX = 1 << 30, /* bytes of the columns of one list's elements in a batch */
    JSON_INDEX_KEEP = 1 << 20,   /* entries of the index that are kept from batch to batch */
    JSON_RECORD_MIN = 16, /* shorter records are copied, so that eight bytes before the end are there */
};

struct json_slot;

/* One spelling of a name as a record is expected to have it, and what usually comes after it. */
struct json_key {
    uint64_t
        words[4]; /* the text at offsets 0, at[0], at[1], at[2]; of short ones four bytes at 0 and at[2] */
    uint32_t at[3];
    uint32_t size;    /* of `text`; UINT32_MAX: cannot be compared (a character that is written escaped) */
    const char *text; /* "name": with quotes and colon */
    struct json_slot *slot;   /* NULL: has no column */
    struct json_key *next[2]; /* the first guess, and the second */
    struct str name;
    uint64_t hash;
    bool is_reported;
};

/* Where the values of one type go: a column under construction, and its place in the tree. */
struct json_slot {
    enum type_kind kind;
    const struct type *type;
    struct json_slot *children; /* STRUCT: per field; ARRAY: element; MAP: key, value */
    uint32_t child_count;

    /* the column; rows of lists' elements are counted, all others' are the record's or element's number */
    uint8_t *validity; /* bits of absent and null rows are 0, from the start */
    void *data;        /* rows without a bit are undefined until the end */
    uint32_t *offsets; /* ARRAY, MAP: offsets[0 … closed] are valid */
    uint32_t closed;
    uint32_t rows, capacity;
    size_t row_bytes;     /* of all columns at and below this one, but for lists' elements */
    uint32_t rows_before; /* what the last batch had: a good first capacity */

    /* STRUCT: the names */
    struct json_key *first[2]; /* guesses for the first name */
    struct json_key **table;   /* table[table_mask + 1], by hash; NULL = free */
    uint32_t table_mask, key_count, learnt_count;

    /* the way here, for reports */
    struct json_slot *parent;
    const char *name;
};

/* A value that did not fit: told when the whole record is known to be good. */
struct json_misfit {
    const struct json_slot *slot;
    struct str text;
    size_t at;
};

struct json_decoder {
    /* the record */
    const char *base, *end;
    const uint32_t *stop; /* behind the last entry of the index */
    uint32_t flags;       /* JSON_SCAN_… */
    uint32_t row;
    struct json_misfit *misfits; /* misfits[misfit_count]: values of this record that did not fit */
    size_t misfit_count, misfit_capacity;
    const char *fault; /* what is wrong with the record; NULL = nothing */
    size_t fault_at;

    /* the batch */
    struct arena *arena;
    const struct json_report *report;

    /* fixed */
    const struct json_cpu_code *code;
    struct json_slot root;
    struct json_options options;
    const struct type *schema;
    struct pool *pool;
    int corrupt; /* the column for bad records' text, or -1 */
    const struct datetime_pattern *timestamp_pattern, *ntz_pattern, *date_pattern; /* NULL = as CAST */
    bool is_lenient; /* some record that is not JSON may be acceptable after json_lenient() */

    /* scratch */
    uint32_t *index;
    size_t index_capacity;
    struct sbuf text, wanted;
    char path[JSON_PATH_MAX];
};

/* json_slot.c */

/* The type with everything nullable but the keys of maps. Depth is bounded by TYPE_DEPTH_MAX. */
const struct type *json_nullable(struct arena *arena, const struct type *type);
bool json_slot_build(struct json_decoder *d, struct json_slot *slot, const struct type *type, unsigned depth,
                     struct err *err);
void json_slot_begin(struct json_slot *slot, uint32_t rows, struct arena *arena);
/* Doubles the room for a list's elements; false: they would take more than JSON_ELEMENTS_MAX bytes. */
bool json_slot_grow(struct json_slot *slot, struct arena *arena);
/* Row `row`, and all below it, is null again, as if nothing had been written. */
void json_slot_clear(struct json_slot *slot, uint32_t row);
/* A list's row begins: what an earlier value of the same row left is dropped. */
void json_slot_open(struct json_slot *slot, uint32_t row);
struct column json_slot_finish(struct json_slot *slot, uint32_t rows, struct arena *arena);
/* The key of that exact spelling, learning it if it is new; NULL: too many or too long to keep. *slot: its
 * column or NULL. */
struct json_key *json_slot_find(struct json_decoder *d, struct json_slot *object, struct str name,
                                struct json_slot **slot);
/* "a.b[].c" into d->path. */
struct str json_slot_path(struct json_decoder *d, const struct json_slot *slot, struct str last);

/* json_lenient.c: rewrites what Spark's options allow into strict JSON; false: nothing to rewrite, or
 * hopeless. */
bool json_lenient(struct str record, const struct json_options *options, struct sbuf *out);

#endif

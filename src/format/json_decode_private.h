/* The compiled form of a schema that json_decode.c walks over records with, and json_slot.c builds and
 * grows. */
#ifndef FORMAT_JSON_DECODE_PRIVATE_H
#define FORMAT_JSON_DECODE_PRIVATE_H

#include "base/bytes.h"
#include "base/inline.h"
#include "format/json_private.h"
#include "type/timestamp.h"
#include "json/text.h"

#define JSON_NO_PLACE UINT32_MAX

enum {
    JSON_KEY_FAST_MAX = 32,      /* bytes of "name": that are compared without a call */
    JSON_BLOCK = 32,             /* records that are taken together, */
    JSON_BLOCK_BYTES = 64 << 10, /* as far as they are no more than that */
    JSON_ORDER_MAX = 256,        /* names that have a place in the order of a block */
    JSON_PAUSE_MAX = 63,         /* blocks that are taken record by record, when blocks do not pay */
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
    char first[16],
        last[16]; /* of `text` the first bytes, and the last, which are the same where it has no more than 16 */
    uint32_t last_at; /* where those begin in it */
    uint32_t reach; /* bytes that have to be there to compare with both; UINT32_MAX: they are not all of it */
    uint32_t beyond;  /* bits of first[16] that are not of the text */
    uint32_t size;    /* of `text`; UINT32_MAX: cannot be compared (a character that is written escaped) */
    const char *text; /* "name": with quotes and colon */
    struct json_slot *slot;   /* NULL: has no column */
    struct json_key *next[2]; /* the first guess, and the second */
    uint32_t place;           /* in the order of a block, from 1; 0: none */
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
    uint32_t rows_before; /* what the last batch had, within limits: a good first capacity */

    /* STRUCT: the names */
    struct json_key *first[2]; /* guesses for the first name */
    struct json_key **table;   /* table[table_mask + 1], by hash; NULL = free */
    uint32_t table_mask, key_count, learnt_count;

    /* the way here, for reports */
    struct json_slot *parent;
    const char *name;
};

/* Records [row, row + count) of a batch, taken together. */
struct json_block {
    const char *at[JSON_BLOCK],
        *end[JSON_BLOCK]; /* of each record: where the next name begins, and its end */
    uint32_t row, count;
    uint32_t done; /* bits: of the record all is read, and good */

    /* from block to block */
    void (*step)(struct json_decoder *d, const struct json_key *key); /* one name in all records */
    struct json_key *order[JSON_ORDER_MAX]; /* order[order_count]: names as records have them */
    uint32_t order_count;
    uint32_t
        learn_at; /* the place of the last name of a record that is learnt from; JSON_NO_PLACE: none is */
    uint32_t pause, pause_left; /* blocks that are not tried, and how many of them are left */
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
    bool takes_blocks; /* the columns are those that a block can read */
    bool is_lenient;   /* some record that is not JSON may be acceptable after json_lenient() */

    /* scratch */
    uint32_t *index;
    size_t index_capacity;
    struct json_block block;
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
/* Bits of rows row … row + 63, or'ed in. */
ALWAYS_INLINE void json_slot_set_valid(struct json_slot *slot, uint32_t row, uint64_t bits)
{
    uint8_t *at = slot->validity + (row >> 3); /* behind the array are eight more bytes */
    unsigned shift = row & 7;
    put_le64(at, get_le64(at) | bits << shift);
    if (UNLIKELY(shift != 0))
        at[8] |= (uint8_t)(bits >> (64 - shift));
}
struct column json_slot_finish(struct json_slot *slot, uint32_t rows, struct arena *arena);
/* The key of that exact spelling, learning it if it is new; NULL: too many or too long to keep. *slot: its
 * column or NULL. */
struct json_key *json_slot_find(struct json_decoder *d, struct json_slot *object, struct str name,
                                struct json_slot **slot);
/* "a.b[].c" into d->path. */
struct str json_slot_path(struct json_decoder *d, const struct json_slot *slot, struct str last);

/* json_block.c */

/* The order to begin with: the schema's. */
void json_block_init(struct json_decoder *d);
/* Reads records from records[row] on, at most to count, those that have their common form: d->block says which ones. Returns how many it looked at; 0:
 * none. The others are the caller's, from their beginning. */
uint32_t json_block_decode(struct json_decoder *d, const struct str *records, uint32_t row, uint32_t count);
/* The name that comes next in a record, or NULL. */
void json_block_learn(struct json_block *b, struct json_key *key);

/* json_decode.c */

/* A string without escapes for a column that is none; false: it does not fit. */
bool json_text_into(struct json_decoder *d, struct json_slot *slot, uint32_t row, struct str text);

/* json_lenient.c: rewrites what Spark's options allow into strict JSON; false: nothing to rewrite, or
 * hopeless. */
bool json_lenient(struct str record, const struct json_options *options, struct sbuf *out);

#endif

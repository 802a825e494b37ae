/* Thrift's compact protocol, as far as Parquet uses it, driven by tables.
 *
 * A Thrift struct is a C struct whose first member is `uint32_t has`: bit id is set where field id is
 * present. A table says where each field lies. Reading fills the C struct from bytes, skips fields that the
 * table does not name (and those of another wire type than it expects), and borrows binaries from the
 * bytes; lists are in an arena. Writing is the same table the other way round. */
#ifndef FORMAT_PARQUET_THRIFT_I_H
#define FORMAT_PARQUET_THRIFT_I_H

#include "base/bytes.h"
#include "base/err.h"
#include "base/str.h"

enum {
    THRIFT_DEPTH_MAX = 32, /* nesting of structs and lists */
    THRIFT_ID_MAX = 31,    /* field ids that tables may name: they are bits of `has` */
};

enum thrift_kind {
    THRIFT_BOOL,   /* bool */
    THRIFT_I8,     /* int8_t */
    THRIFT_I16,    /* int16_t */
    THRIFT_I32,    /* int32_t */
    THRIFT_I64,    /* int64_t */
    THRIFT_BINARY, /* struct str */
    THRIFT_STRUCT, /* the struct of `of`, in place */
    THRIFT_LIST,   /* struct thrift_list of `element` (and `of`) */
    THRIFT_MARK,   /* nothing but its bit in `has`; read: any type; written: an empty struct */
};

struct thrift_list {
    void *items; /* items[count], of the C type of the list's element kind */
    uint32_t count;
};

struct thrift_struct;

struct thrift_field {
    uint8_t id;
    uint8_t kind;    /* enum thrift_kind */
    uint8_t element; /* LIST: enum thrift_kind of the elements, not LIST or MARK */
    bool required;   /* reading fails without it */
    uint16_t offset; /* in the C struct */
    const struct thrift_struct *of;
};

struct thrift_struct {
    const char *name; /* for errors */
    uint16_t size;
    uint8_t count;
    const struct thrift_field *fields; /* fields[count], ids ascending */
};

#define THRIFT_HAS(s, id) (((s)->has >> (id)) & 1)

/* One struct from r into out (of->size bytes, zeroed by the caller). Lists go to arena by arena_try_alloc,
 * so arena->limit bounds them. ERR_DATA where the bytes are malformed, a required field is missing, or the
 * limit is reached. r->bad tells malformed or cut bytes from the rest. */
bool thrift_read(struct rd *r, const struct thrift_struct *of, void *out, struct arena *arena,
                 struct err *err);
/* Appends the fields whose bit is set. */
void thrift_write(struct sbuf *out, const struct thrift_struct *of, const void *in);

#endif

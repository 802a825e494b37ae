/* What the files of the Protobuf codec share: a message's fields in one form, and what some messages stand for. */
#ifndef FORMAT_PROTOBUF_PRIVATE_H
#define FORMAT_PROTOBUF_PRIVATE_H

#include "base/inline.h"
#include "format/protobuf.h"

enum protobuf_wire {
    WIRE_VARINT = 0,
    WIRE_FIXED64 = 1,
    WIRE_BYTES = 2,
    WIRE_GROUP = 3,
    WIRE_GROUP_END = 4,
    WIRE_FIXED32 = 5,
};

enum { PROTOBUF_UINT64_DIGITS = 20 };

/* Messages that stand for a value of SQL. */
enum protobuf_known {
    KNOWN_NONE,
    KNOWN_TIMESTAMP,
    KNOWN_DURATION,
    KNOWN_DATE,
    KNOWN_DECIMAL,
    KNOWN_VARIANT,
    KNOWN_WRAPPER,
    KNOWN_JSON, /* Struct, Value, ListValue */
};

/* A field of a message, or a group, or the key or value of a map. */
struct protobuf_member {
    struct str name;
    int32_t tag;
    enum proto_kind kind; /* of one element */
    const struct proto_message *message;
    const struct proto_enum *enumeration;
    const struct proto_oneof *oneof;
    uint32_t oneof_index;            /* in its message */
    const struct proto_field *field; /* NULL: a group, a map's key or value */
    uint32_t order;                  /* among the members */
    bool is_repeated, is_map;
    struct proto_traits traits;
    enum protobuf_known known;
    uint8_t precision, scale; /* KNOWN_DECIMAL; precision 0: nothing says it */
};

/* The members of message, in the order of its columns; those whose type nobody knows are left out. In arena. */
struct protobuf_member *protobuf_members(struct arena *arena, const struct proto_message *message,
                                         uint32_t *count);
/* The key (which = 1) or the value (2) of a map. */
struct protobuf_member protobuf_map_member(const struct protobuf_member *map, int which);
/* The only field of a wrapper; its name is that of the member around it. */
struct protobuf_member protobuf_wrapped(const struct protobuf_member *wrapper);
/* The column of a scalar or enum. */
const struct type *protobuf_scalar_type(struct arena *arena, enum proto_kind kind);

/* The column of that name; -1: none. */
int protobuf_column_of(const struct type *columns, const struct protobuf_member *member);

static inline bool protobuf_is_number(enum proto_kind kind)
{
    return kind != PROTO_STRING && kind != PROTO_BYTES && kind != PROTO_MESSAGE && kind != PROTO_UNKNOWN;
}
/* How one element that is not packed is written. */
static inline enum protobuf_wire protobuf_wire_of(enum proto_kind kind)
{
    switch (kind) {
    case PROTO_DOUBLE:
    case PROTO_FIXED64:
    case PROTO_SFIXED64: return WIRE_FIXED64;
    case PROTO_FLOAT:
    case PROTO_FIXED32:
    case PROTO_SFIXED32: return WIRE_FIXED32;
    case PROTO_STRING:
    case PROTO_BYTES:
    case PROTO_MESSAGE: return WIRE_BYTES;
    default: return WIRE_VARINT;
    }
}

/* A varint of 64 bits; NULL: cut off, or longer than one can be. */
static inline const uint8_t *protobuf_varint(const uint8_t *p, const uint8_t *end, uint64_t *value)
{
    uint64_t v = 0;
    for (unsigned shift = 0; shift < 64 && p < end; shift += 7) {
        uint8_t byte = *p++;
        if (shift == 63 && byte > 1)
            return NULL;
        v |= (uint64_t)(byte & 0x7F) << shift;
        if (byte < 0x80) {
            *value = v;
            return p;
        }
    }
    return NULL;
}
/* Past the field behind a tag, of any wire type, with all that is in it; NULL and *reason. *body_end (or NULL): of a group, where its
 * last tag begins. */
const uint8_t *protobuf_skip(const uint8_t *p, const uint8_t *end, uint32_t key, const uint8_t **body_end,
                             const char **reason);
/* A tag; NULL: malformed, or one that no field has. */
const uint8_t *protobuf_tag(const uint8_t *p, const uint8_t *end, uint32_t *key, const char **reason);

/* protobuf_json.c. An encoded google.protobuf.Struct, Value or ListValue as JSON text, appended; false: *reason. */
bool protobuf_to_json(struct str bytes, const char *message, struct sbuf *out, const char **reason);
/* Of a message that says nothing: "{}", "null", "[]". */
const char *protobuf_empty_json(const char *message);
/* The other way, appended; NULL, or why not: it is no JSON, or of another kind than the message is. */
const char *protobuf_from_json(struct str json, const char *message, struct arena *scratch, struct sbuf *out);

#endif

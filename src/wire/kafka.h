/* Kafka's protocol: bytes ↔ C structs, for every message and version that kafka.messages describes.
 *
 * Pure: bytes in, bytes out; no I/O, no clock, no state. One table-driven decoder and one encoder serve requests and
 * responses in both directions (the broker, the command line as a client, tests), the records of __consumer_offsets and
 * __transaction_state, and the data that clients put inside messages.
 *
 * From kafka.messages the build makes wire/kafka_messages.h: for each message, and each struct inside one, a C struct that has
 * the fields of all versions, and an object of the same name that describes it:
 *
 *     struct kafka_fetch_request request;
 *     TRY(kafka_decode(&kafka_fetch_request, version, &body, arena, &request, err));
 *     for (uint32_t i = 0; i < request.topics_count; i++)
 *         serve(&request.topics[i]);                              // struct kafka_fetch_request_topic
 *
 * How a field is held in C. There is one rule for null: a NULL pointer is null, for strings, bytes, records, arrays and structs.
 *
 *     bool, i8 … i64, u16, u32, f64   as they are; `error` is an int16_t, see kafka_error()
 *     uuid                            struct kafka_uuid
 *     str, bytes, records             struct str: p == NULL is null, p != NULL with n == 0 is empty
 *     [T]                             T *name; uint32_t name_count
 *     a struct                        within its parent; one that can be null is a pointer
 *
 * A zeroed struct can be encoded: null where null is allowed, empty elsewhere. But defaults in Kafka are not always 0: whoever
 * fills a message begins with KAFKA_INIT or KAFKA_NEW, which set every field to its default.
 *
 * Decoding. Strings, bytes and records are slices of the input, borrowed as long as the input lives; arrays are the arena's.
 * A count is checked against the bytes that are left before anything is allocated for it, so n bytes never make more than
 * KAFKA_GROWTH_MAX × n bytes of structs; a server gives its arena a limit besides. A field that the version lacks has its default.
 * Unknown tagged fields are skipped. Bytes behind the message are left unread, as Kafka leaves them.
 *
 * Encoding. A field that the version lacks must have its default, or be one that is described as ignorable: otherwise it is an
 * error, for the other side would not learn of it. NULL where null is not allowed is written as empty; only an array that can be
 * null in other versions is refused, since there null often means "all". */
#ifndef WIRE_KAFKA_H
#define WIRE_KAFKA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "wire/kafka_errors.h"

enum {
    KAFKA_FRAME_MAX = 100 << 20, /* bytes of a frame: socket.request.max.bytes' default */
    KAFKA_STR_MAX = 0x7FFF,      /* bytes of a string in any version */
    KAFKA_DEPTH_MAX = 6,         /* structs within structs; the build checks the description */
    KAFKA_NEVER = 0xFF,          /* as a version: none */

    /* Bytes in C of an array's element, for each of the fewest bytes that it takes on the wire; and bytes that decoding takes
     * from the arena for each byte decoded, arrays within arrays added up. */
    KAFKA_ELEMENT_GROWTH_MAX = 24,
    KAFKA_GROWTH_MAX = 2 * KAFKA_ELEMENT_GROWTH_MAX,
};

struct kafka_uuid {
    uint8_t b[16];
};

/* ---- the description, as tables ------------------------------------------------------------------------------- */

enum kafka_kind {
    KAFKA_BOOL,
    KAFKA_I8,
    KAFKA_I16,
    KAFKA_ERROR,
    KAFKA_U16,
    KAFKA_I32,
    KAFKA_U32,
    KAFKA_I64,
    KAFKA_F64,
    KAFKA_UUID,
    KAFKA_STR,
    KAFKA_BYTES,
    KAFKA_RECORDS,
    KAFKA_STRUCT,
    KAFKA_KINDS
};

/* Versions are inclusive ranges within those of the message; first > last: never. */
struct kafka_field {
    const char *name;              /* Kafka's own, "TopicId" */
    const struct kafka_type *type; /* of a struct, or of an array's elements that are structs; else NULL */
    uint16_t offset;               /* in the C struct; an array's count follows its pointer */
    uint8_t kind;                  /* enum kafka_kind */
    bool is_array;
    bool is_pointer; /* a struct that can be null */
    bool is_ignorable;
    uint8_t first, last;           /* versions that have it */
    uint8_t null_first, null_last; /* versions in which it can be null */
    uint8_t tag;                   /* of a tagged field; else KAFKA_NEVER */
};

/* A message, or a struct within one. */
struct kafka_type {
    const char *name;     /* "FetchRequest", "FetchRequest.Topic" */
    const void *defaults; /* the C struct with every field at its default */

    /* untagged_count of them without a tag, in the order of the wire; then, up to fields_count, the others by tag */
    const struct kafka_field *fields;
    uint16_t untagged_count;
    uint16_t fields_count;
    uint16_t size;       /* of the C struct */
    uint16_t wire_min;   /* fewest bytes that it takes in any version */
    uint8_t first, last; /* versions described */
    uint8_t flexible;    /* first version with compact lengths and tagged fields, or KAFKA_NEVER */
};

struct kafka_api {
    const char *name; /* "Fetch"; NULL: there is no such API */
    const struct kafka_type *request, *response;
    int16_t key;
    uint8_t first, last; /* versions advertised; of Produce, 0 to 2 are not described, and to be rejected */
};

/* A kind of record in a topic of the coordinators. */
struct kafka_record {
    const char *name;  /* "OffsetCommit" */
    const char *topic; /* "__consumer_offsets" */
    const struct kafka_type *key, *value;
    int16_t type; /* the first two bytes of the key */
};

/* wire/kafka_messages.h, which the build makes (build/<preset>/gen), declares with the structs:
 *   enum { KAFKA_API_PRODUCE = 0, … KAFKA_APIS }
 *   extern const struct kafka_type kafka_produce_request, kafka_produce_request_topic, …;
 *   extern const struct kafka_api kafka_apis[KAFKA_APIS];                        by key, with holes
 *   extern const struct kafka_record kafka_records[KAFKA_RECORDS_COUNT];
 *   extern const struct kafka_type *const kafka_types[KAFKA_TYPES_COUNT];        every message, for tests and tools */
#include "wire/kafka_messages.h"

/* The API of a key, or NULL. */
static inline const struct kafka_api *kafka_api_of(int key)
{
    return key >= 0 && key < KAFKA_APIS && kafka_apis[key].name ? &kafka_apis[key] : NULL;
}
/* Is it a version that both we advertise and the description has? */
static inline bool kafka_api_has(const struct kafka_api *api, int version)
{
    return version >= api->first && version <= api->last && version >= api->request->first;
}
static inline bool kafka_is_flexible(const struct kafka_type *type, int version)
{
    return version >= type->flexible;
}
/* The kind of record that a key of this topic begins with, or NULL. */
const struct kafka_record *kafka_record_of(struct str topic, int type);
/* The message of that name, "FetchRequest", or NULL. */
const struct kafka_type *kafka_type_named(struct str name);

/* ---- errors --------------------------------------------------------------------------------------------------- */

struct kafka_error {
    const char *name; /* "OFFSET_OUT_OF_RANGE" */
    const char *text; /* lower case, no full stop */
    int16_t code;
    bool is_retriable; /* as Kafka's own clients see it */
};

/* Never NULL: a code that nobody knows gives UNKNOWN_SERVER_ERROR. */
const struct kafka_error *kafka_error(int code);

/* ---- messages ------------------------------------------------------------------------------------------------- */

/* *message, of type->size bytes, with every field at its default. */
void kafka_init(const struct kafka_type *type, void *message);
/* count structs in the arena, each with every field at its default. Never NULL, not even for 0. */
void *kafka_new(struct arena *arena, const struct kafka_type *type, size_t count)
    __attribute__((returns_nonnull));

#define KAFKA_INIT(name, message) kafka_init(&name, true ? (message) : (struct name *)NULL)
#define KAFKA_NEW(arena, name, count) ((struct name *)kafka_new((arena), &name, (count)))

/* Reads one message. version is one of type's. r: where it begins; afterwards behind it. arena: for arrays; its limit is respected.
 * *message, of type->size bytes, is the caller's; after an error it holds nothing of use. Borrows r's bytes.
 * False: ERR_DATA, the text names message, version and field. */
bool kafka_decode(const struct kafka_type *type, int version, struct rd *r, struct arena *arena,
                  void *message, struct err *err);

/* Where bytes of `records` belong in what was encoded, when they were left out: before bytes.p[at]. */
struct kafka_hole {
    size_t at;
    struct str records; /* the field, as it was */
};

/* What is encoded goes here, behind what is there. Zeroed = empty and valid. */
struct kafka_out {
    struct sbuf bytes;
    bool leaves_records; /* records become holes; their p, never followed, may be any name of the bytes */
    struct kafka_hole *holes;
    size_t holes_count, holes_capacity;
};
void kafka_out_clear(struct kafka_out *out); /* keeps the memory */
void kafka_out_fini(struct kafka_out *out);

/* Appends one message. version is one of type's. Nothing of message is borrowed but the records of holes.
 * False: ERR_FATAL (a field that the version lacks is set; a string is too long), and out is as it was. */
bool kafka_encode(const struct kafka_type *type, int version, const void *message, struct kafka_out *out,
                  struct err *err);
/* Bytes that kafka_encode would append, holes included; 0 where it would fail. */
size_t kafka_size(const struct kafka_type *type, int version, const void *message, struct err *err);

/* ---- frames and headers --------------------------------------------------------------------------------------- */

enum kafka_frame { KAFKA_FRAME_PART, KAFKA_FRAME_WHOLE, KAFKA_FRAME_BAD };

/* Looks for a frame at the beginning of n bytes of a stream.
 *   WHOLE: *frame is its content, without the length; *size the bytes to go on by.
 *   PART:  *size is how many bytes there must be before it makes sense to ask again.
 *   BAD:   the length is negative, shorter than a header, or above size_max: close the connection. */
enum kafka_frame kafka_frame_next(const void *p, size_t n, size_t size_max, struct str *frame, size_t *size);

struct kafka_header {
    const struct kafka_api *api; /* NULL: no such API, and only key, version and correlation_id are known */
    int16_t key, version;
    int32_t correlation_id;
    struct str client_id; /* borrowed; p NULL = null */
};

/* Reads a request's header; r is then at the body. The version is not checked: where !kafka_api_has(api, version) Kafka closes the
 * connection, or, for ApiVersions, answers in version 0 with UNSUPPORTED_VERSION. False: ERR_DATA. */
bool kafka_header_decode(struct rd *r, struct kafka_header *header, struct err *err);

/* Appends a whole frame: length, header, body. Fails as kafka_encode does. */
bool kafka_request_encode(const struct kafka_api *api, int version, int32_t correlation_id,
                          struct str client_id, const void *body, struct kafka_out *out, struct err *err);
bool kafka_response_encode(const struct kafka_api *api, int version, int32_t correlation_id, const void *body,
                           struct kafka_out *out, struct err *err);
/* A client reads the header of the answer to a request of that API and version; r is then at the body. False: ERR_DATA. */
bool kafka_response_header_decode(const struct kafka_api *api, int version, struct rd *r,
                                  int32_t *correlation_id, struct err *err);

/* ---- data with a version in front ----------------------------------------------------------------------------- */

/* The keys and values of coordinators' records, and what consumers put into JoinGroup and SyncGroup, begin with an int16: a key with
 * its record's type, the others with their version. */
bool kafka_versioned_encode(const struct kafka_type *type, int version, const void *message,
                            struct kafka_out *out, struct err *err);
/* A version above those described is read as the last one where the type has no flexible versions (its fields come first, by
 * Kafka's rule for such data), and is an error elsewhere. */
bool kafka_versioned_decode(const struct kafka_type *type, struct rd *r, struct arena *arena, int *version,
                            void *message, struct err *err);
bool kafka_record_key_encode(const struct kafka_record *record, const void *key, struct kafka_out *out,
                             struct err *err);
/* *record NULL and true: a type that nobody described, which readers skip. */
bool kafka_record_key_decode(struct str topic, struct rd *r, struct arena *arena,
                             const struct kafka_record **record, union kafka_record_key *key,
                             struct err *err);

/* ---- text ----------------------------------------------------------------------------------------------------- */

/* A uuid's text is base64 with - and _, as Kafka's tools have it. */
enum { KAFKA_UUID_TEXT = 22 }; /* characters */
void kafka_uuid_print(struct kafka_uuid uuid, char out[KAFKA_UUID_TEXT + 1]);
bool kafka_uuid_parse(struct str text, struct kafka_uuid *uuid);

/* Appends the message as JSON-like text on one line, for people, traces and tests:
 *
 *     {ErrorCode: NONE, Topics: [{Name: "t", PartitionIndexes: [0, 1], TopicId: AAAAAAAAAAAAAAAAAAAAAQ, Records: 0x00ff}]}
 *
 * It shows what is on the wire: no fields that the version lacks, no tagged ones at their default. Of bytes and records only
 * bytes_max; SIZE_MAX: all. */
void kafka_print(const struct kafka_type *type, int version, const void *message, size_t bytes_max,
                 struct sbuf *out);

/* The reverse, for tests that are written as text. Fields that are not named have their default. Also: commas may be missing, words need
 * no quotes, the outer braces may be left out, names may be topic_id, bytes may be text in quotes, # begins a comment.
 * Strings and arrays are the arena's. False: ERR_CONFIG, with the place in the text, and a hint where a name is nearly right. */
bool kafka_parse(const struct kafka_type *type, struct str text, struct arena *arena, void *message,
                 struct err *err);

#endif

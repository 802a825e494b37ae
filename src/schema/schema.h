/* Schemas of records: Avro, Protobuf, JSON Schema. What a text says, its canonical and normalised form, whether two of them are
 * the same, and whether data of one can be read with the other; as a Confluent Schema Registry has it, to the letter of its
 * messages.
 *
 * Pure: texts in, texts out. A parsed schema lives in the arena that it was parsed into, with all that it points to, and borrows
 * the texts that it was parsed from. Depth, size and number of everything is bounded by the limits below; what is past one is an
 * error, never a crash or a long computation. */
#ifndef SCHEMA_SCHEMA_H
#define SCHEMA_SCHEMA_H

#include "base/err.h"
#include "base/str.h"

enum {
    SCHEMA_TEXT_MAX = 1 << 20,      /* bytes of one schema, and of all that it refers to together */
    SCHEMA_DEPTH_MAX = 1000,        /* of types inside of types, named ones followed */
    SCHEMA_REFERENCES_MAX = 1000,   /* of one schema, those of its references included */
    SCHEMA_DIFFERENCES_MAX = 1000,  /* messages of one comparison; further ones are dropped */
    SCHEMA_PAIRS_MAX = 1 << 18,     /* pairs of types looked at in one comparison */
    SCHEMA_OLD_TEXT_MAX = 10 << 10, /* characters of an old schema that a message shows */
};

enum schema_kind { SCHEMA_AVRO, SCHEMA_PROTOBUF, SCHEMA_JSON };

/* "AVRO", "PROTOBUF", "JSON". */
const char *schema_kind_name(enum schema_kind kind);
bool schema_kind_find(struct str name, enum schema_kind *kind);

/* A schema of another subject that this one uses. */
struct schema_reference {
    struct str name; /* Avro: a full name; Protobuf: what `import` says; JSON Schema: what "$ref" says */
    struct str subject;
    int32_t version;
    struct str text; /* of that schema */
    bool indirect;   /* needed by another reference, not named by the schema itself */
};

struct schema_source {
    enum schema_kind kind;
    struct str text;
    /* references[reference_count]: all that is needed, each behind those that it needs itself */
    const struct schema_reference *references;
    uint32_t reference_count;
    /* A text that was registered earlier, perhaps by rules that were not as strict: names and defaults of Avro are not checked. */
    bool lenient;
    /* Types of Protobuf must come from files that the text imports, not from any that is referred to. */
    bool imports_alone;
};

struct schema; /* parsed; schema_avro() and so on show the inside */

/* Parses. text and references are borrowed for as long as the schema lives.
 * ERR_DATA, with line and column in the text (or, err.place.file being its name, in a reference). */
bool schema_parse(struct arena *arena, const struct schema_source *source, const struct schema **schema,
                  struct err *err);
enum schema_kind schema_kind_of(const struct schema *schema);

/* The text that a registry keeps and shows, appended. */
void schema_canonical(const struct schema *schema, struct sbuf *out);
/* The text after `normalize`: one for all that differ only in what has no meaning, appended. */
void schema_normalize(const struct schema *schema, struct sbuf *out);
/* The text in a format of the registry's parameter of that name: of Avro "resolved" (with what references bring), of Protobuf
 * "serialized" (a descriptor in base64) and "ignore_extensions"; any other gives the canonical text. Appended. */
void schema_format(const struct schema *schema, struct str format, struct sbuf *out);
/* Do they say the same? Avro: types that references bring count as if they stood there; others: the canonical texts are the same. */
bool schema_equal(const struct schema *a, const struct schema *b);
/* The name of what it describes ("com.example.User"), or empty: of Avro the full name of a record, of Protobuf that of the first
 * message, of JSON Schema its title. */
struct str schema_name(const struct schema *schema);

/* ---- tags --------------------------------------------------------------------------------------------------------------- */

/* Words that a record or a field carries. */
struct schema_tags {
    struct str
        path; /* "com.example.User", "com.example.User.email"; to change some, the namespace may be left out; of Protobuf without the package */
    bool is_field;
    const struct str *tags; /* tags[count] */
    uint32_t count;
};
struct schema_retag {
    const struct schema_tags *add, *remove; /* add[add_count], remove[remove_count] */
    uint32_t add_count, remove_count;
};

/* All that carry some, in arena. Of Avro and Protobuf; in JSON Schema none are found. */
uint32_t schema_tags(struct arena *arena, const struct schema *schema, const struct schema_tags **tags);
/* The canonical text with tags added, then others removed, appended. ERR_DATA: the schema has nothing of such a path, or is JSON Schema. */
bool schema_retag(struct arena *arena, const struct schema *schema, const struct schema_retag *change,
                  struct sbuf *out, struct err *err);

/* ---- compatibility ------------------------------------------------------------------------------------------------------ */

enum schema_level {
    SCHEMA_NONE,
    SCHEMA_BACKWARD, /* the new one reads what the newest old one wrote */
    SCHEMA_BACKWARD_TRANSITIVE,
    SCHEMA_FORWARD, /* the newest old one reads what the new one writes */
    SCHEMA_FORWARD_TRANSITIVE,
    SCHEMA_FULL, /* both */
    SCHEMA_FULL_TRANSITIVE,
};

/* "BACKWARD_TRANSITIVE"; reading it ignores case. */
const char *schema_level_name(enum schema_level level);
bool schema_level_find(struct str name, enum schema_level *level);

struct schema_version {
    const struct schema *schema;
    int32_t version; /* 0: unknown */
};

/* Why two do not fit, as Confluent's registry says it with `verbose`. */
struct schema_messages {
    struct arena *arena;
    struct str *items; /* items[count], NUL-terminated too */
    uint32_t count;
    size_t capacity;
    bool cut; /* there were more than SCHEMA_DIFFERENCES_MAX */
};

/* Is `schema` a compatible successor of old[count], which are in the order of their versions? Then true; else messages (given zeroed but
 * for the arena) say why not, or, where there are none, *err says why it cannot be told: ERR_DATA, they are too deep or too large
 * to compare. */
bool schema_compatible(const struct schema *schema, const struct schema_version *old, size_t count,
                       enum schema_level level, struct schema_messages *messages, struct err *err);

/* ---- fingerprints ------------------------------------------------------------------------------------------------------- */

/* CRC-64-AVRO. */
uint64_t schema_crc64(struct str text);
void schema_md5(struct str text, uint8_t digest[16]);
void schema_sha256(struct str text, uint8_t digest[32]);

#endif

/* What the languages offer to schema.c, and what they share. */
#ifndef SCHEMA_SCHEMA_PRIVATE_H
#define SCHEMA_SCHEMA_PRIVATE_H

#include "schema/avro.h"
#include "schema/jschema.h"
#include "schema/proto.h"
#include "schema/schema.h"

struct schema {
    enum schema_kind kind;
    union {
        struct avro_schema avro;
        struct proto_schema proto;
        struct jschema_document json;
    };
};

/* Differences between a reader and a writer on their way to messages, which call them "new" and "old", or the other way round. */
struct schema_report {
    struct schema_messages *messages;
    const char *reader, *writer;
};

/* Adds a message; false: there are SCHEMA_DIFFERENCES_MAX already. */
bool schema_say(struct schema_messages *messages, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* "a.b.c" is c in a.b, wherever it stands; "c" is c in `around`. */
void schema_split_name(struct str text, struct str around, struct str *space, struct str *name);

/* ---- Avro --------------------------------------------------------------------------------------------------------------- */

bool avro_parse(struct arena *arena, const struct schema_source *source, struct avro_schema *schema,
                struct err *err);
enum write_how {
    WRITE_CANONICAL,
    WRITE_NORMAL,
    WRITE_OTHER /* Avro: resolved; Protobuf: without extensions */
};
void avro_write(const struct avro_schema *schema, enum write_how how, struct sbuf *out);
/* All that they say is the same; meta: documentation and aliases too. */
bool avro_types_equal(const struct avro_type *a, const struct avro_type *b, bool meta);
/* The property that holds tags. */
#define AVRO_TAGS "confluent:tags"
/* As schema_tags and schema_retag. */
uint32_t avro_tags(struct arena *arena, const struct avro_schema *schema, const struct schema_tags **tags);
bool avro_retag(struct arena *arena, const struct avro_schema *schema, const struct schema_retag *change,
                struct sbuf *out, struct err *err);
/* The canonical text, with the tags that avro_retag_of gives a record, or (field not NULL) its field: a list; p NULL: those that it has; empty: none. */
struct avro_retag;
struct str avro_retag_of(struct avro_retag *retag, const struct avro_type *record,
                         const struct avro_field *field);
void avro_write_retagged(const struct avro_schema *schema, struct avro_retag *retag, struct sbuf *out);
void avro_names_sort(struct arena *arena, struct avro_names *names);
/* Is a writer's value of that type read as the other by the specification's promotions? */
bool avro_is_promoted(enum avro_kind reader, enum avro_kind writer);
/* The writer's field that the reader's is, by its name or an alias; -1: none. */
int32_t avro_field_of_writer(const struct avro_type *writer, const struct avro_field *field);
/* Adds why `reader` cannot read what `writer` wrote. ERR_DATA: too deep or large to say. */
bool avro_compare(const struct avro_schema *reader, const struct avro_schema *writer,
                  const struct schema_report *report, struct err *err);

/* ---- Protobuf ----------------------------------------------------------------------------------------------------------- */

bool proto_parse(struct arena *arena, const struct schema_source *source, struct proto_schema *schema,
                 struct err *err);
void proto_write(const struct proto_schema *schema, enum write_how how, struct sbuf *out);
/* As schema_tags and schema_retag. */
uint32_t proto_tags(struct arena *arena, const struct proto_schema *schema, const struct schema_tags **tags);
bool proto_retag(struct arena *arena, const struct proto_schema *schema, const struct schema_retag *change,
                 struct sbuf *out, struct err *err);
/* A descriptor in base64. */
void proto_write_serialized(const struct proto_schema *schema, struct sbuf *out);
struct str proto_name_of(const struct proto_schema *schema);
/* As avro_compare. */
bool proto_compare(const struct proto_schema *reader, const struct proto_schema *writer,
                   const struct schema_report *report, struct err *err);

/* ---- JSON Schema -------------------------------------------------------------------------------------------------------- */

bool jschema_parse(struct arena *arena, const struct schema_source *source, struct jschema_document *document,
                   struct err *err);
void jschema_write(const struct jschema_document *document, bool normalize, struct sbuf *out);
struct str jschema_title(const struct jschema_document *document);
/* As avro_compare. */
bool jschema_compare(const struct jschema_document *reader, const struct jschema_document *writer,
                     const struct schema_report *report, struct err *err);

#endif

/* Schemas of a topic's records: how a record says which of them is its, where schemas come from, what columns they are.
 *
 *     00 | id, 4 bytes, big endian | value            Confluent's wire format, as its serialisers write it
 *     01 | GUID, 16 bytes          | value
 *
 * The same may stand in the record's header `__value_schema_id` (`__key_schema_id`) instead, and the value is bare. Of Protobuf the indexes
 * of the message follow the id, wherever that is. */
#ifndef TOPIC_SCHEMAS_H
#define TOPIC_SCHEMAS_H

#include "schema/schema.h"
#include "topic/topic.h"

enum {
    SCHEMA_ID_BYTES = 5,    /* magic and id */
    SCHEMA_GUID_BYTES = 17, /* magic and GUID */
    SCHEMA_IS_ASKED = 1,    /* err.code of SCHEMA_LATER: nothing is wrong, the answer is on its way */
};

struct schema_id {
    bool is_guid;
    uint32_t id;
    uint8_t guid[16];
};

enum { SCHEMA_ID_TEXT = 48 };
/* The number, or the guid as it is written. Returns text. */
const char *schema_id_text(const struct schema_id *id, char text[SCHEMA_ID_TEXT]);
/* Of bytes that begin with one: 00 and 4 bytes, or 01 and 16. */
struct schema_id schema_id_read(struct str bytes);

enum schema_found {
    SCHEMA_FOUND,
    SCHEMA_LATER,   /* not known yet: ask again; err says what for */
    SCHEMA_MISSING, /* there is none */
    SCHEMA_REFUSED, /* err says why, in the registry's words */
};

/* A registry as topics see it. Any role, several at once; none of them waits for long. Texts of a source are given to arena. */
struct topic_schemas {
    enum schema_found (*find)(void *arg, const struct schema_id *id, struct arena *arena,
                              struct schema_source *source, struct err *err);
    /* The newest version of a subject. */
    enum schema_found (*latest)(void *arg, struct str subject, struct arena *arena,
                                struct schema_source *source, uint32_t *id, struct err *err);
    /* Registers it, durably: FOUND with its id, which is the old one's where the subject has it already. */
    enum schema_found (*add)(void *arg, struct str subject, const struct schema_source *source, uint32_t *id,
                             struct err *err);
    void *arg;
};

/* Do the topic's records carry a schema id? */
bool topic_has_schema(const struct topic_def *def);
bool topic_key_has_schema(const struct topic_def *def);
enum schema_kind topic_schema_kind(enum topic_format format);
/* "<topic>-value", "<topic>-key", or by the name of what the schema describes; in arena. NULL schema: NULL where the name is needed. */
const char *topic_subject(struct arena *arena, const struct topic_def *def, bool is_key,
                          const struct schema *schema);

/* The columns of records of that schema, all nullable: a record of an older version may lack any. In arena. ERR_CONFIG. */
const struct type *topic_columns(struct arena *arena, enum topic_format format, const struct schema *schema,
                                 struct err *err);
/* `pinned` with what `found` adds: columns, and types that are promoted; or pinned itself. In arena. */
const struct type *topic_columns_evolve(struct arena *arena, enum topic_format format,
                                        const struct type *pinned, const struct type *found);
/* The text of a schema of rows with these columns, to *out. ERR_CONFIG: a column that the format does not have. */
bool topic_schema_text(const struct topic_def *def, bool is_key, const struct type *columns, struct sbuf *out,
                       struct err *err);
/* Registers the schema of the topic's values (keys): the one that is given; else one of these columns; else (columns NULL) it is the newest of
 * its subject. Given to arena, with its id. ERR_RETRY: not yet; ERR_CONFIG: there is none, or it is refused, in the registry's words. */
bool topic_schema_register(struct arena *arena, const struct topic_def *def, bool is_key,
                           const struct type *columns, const struct schema **schema, uint32_t *id,
                           struct err *err);

#endif

/* Records of the topic `_schemas`, in Confluent's own format: key and value are JSON, members in a fixed order. Pure.
 *
 *     SCHEMA          subject, version      a schema under its subject, deleted or not; a tombstone: deleted for good
 *     CONFIG, MODE    subject, or none      a setting; none: of the default context
 *     CONTEXT         context
 *     DELETE_SUBJECT  subject               all its versions up to the value's are deleted
 *     CLEAR_SUBJECT   subject, or none      what is deleted in it, or in that context, is forgotten
 *     NOOP, ASSOC                           of no account here */
#ifndef REGISTRY_ENTRY_H
#define REGISTRY_ENTRY_H

#include "registry/parts.h"

enum entry_kind {
    ENTRY_SCHEMA,
    ENTRY_CONFIG,
    ENTRY_MODE,
    ENTRY_CONTEXT,
    ENTRY_DELETE_SUBJECT,
    ENTRY_CLEAR_SUBJECT,
    ENTRY_OTHER,
};

enum registry_mode { MODE_READWRITE, MODE_READONLY, MODE_READONLY_OVERRIDE, MODE_IMPORT, MODE_FORWARD };
const char *registry_mode_name(enum registry_mode mode);
/* Upper-case names. */
bool registry_mode_find(struct str name, enum registry_mode *mode);

struct entry_schema {
    int32_t id;
    enum schema_kind kind;
    struct str text, references, metadata, rules; /* texts of parts.h; p NULL: none */
    uint8_t md5[16];
    bool deleted;
    int64_t timestamp_ms; /* the record's */
};

struct entry {
    enum entry_kind kind;
    struct str subject; /* CONTEXT: the context's name; p NULL: none */
    int32_t version;    /* SCHEMA, DELETE_SUBJECT */
    bool tombstone;
    struct entry_schema schema; /* SCHEMA */
    struct str config;          /* CONFIG: an object, for config_read */
    enum registry_mode mode;    /* MODE */
};

/* value.p NULL: a tombstone. Texts are borrowed from key, value or in arena. ERR_DATA: it says nothing that we understand. */
bool entry_read(struct arena *arena, struct str key, struct str value, int64_t timestamp_ms,
                struct entry *record, struct err *err);
/* Appended. */
void entry_write_key(struct sbuf *out, const struct entry *record);
void entry_write_value(struct sbuf *out, const struct entry *record);
/* With copies of all texts. */
struct entry entry_copy(struct arena *arena, const struct entry *record);

#endif

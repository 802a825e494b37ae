/* What the registry answers, and what it would write: each question or change as a function of the state. A change decides on records; whoever asked
 * applies them and makes them durable. Pure.
 *
 * Everything is in the work's arena or borrowed from the state: to be used before the next record is applied. Subjects are normal ones
 * (subject.h); p NULL is the default context, where a setting is meant. */
#ifndef REGISTRY_DECIDE_H
#define REGISTRY_DECIDE_H

#include "registry/registry.h"
#include "registry/state.h"

/* Confluent's error codes; the first three digits are the HTTP status. */
enum {
    CODE_SUBJECT_NOT_FOUND = 40401,
    CODE_VERSION_NOT_FOUND = 40402,
    CODE_SCHEMA_NOT_FOUND = 40403,
    CODE_SUBJECT_SOFT_DELETED = 40404,
    CODE_SUBJECT_NOT_SOFT_DELETED = 40405,
    CODE_VERSION_SOFT_DELETED = 40406,
    CODE_VERSION_NOT_SOFT_DELETED = 40407,
    CODE_NO_SUBJECT_CONFIG = 40408,
    CODE_NO_SUBJECT_MODE = 40409,
    CODE_INCOMPATIBLE = 40901,
    CODE_INVALID_SCHEMA = 42201,
    CODE_INVALID_VERSION = 42202,
    CODE_INVALID_LEVEL = 42203,
    CODE_INVALID_MODE = 42204,
    CODE_NOT_PERMITTED = 42205,
    CODE_REFERENCE_EXISTS = 42206,
    CODE_INVALID_SUBJECT = 42208,
    CODE_TOO_LARGE = 42209,
    CODE_INVALID_RULES = 42210,
    CODE_CONTEXT_NOT_EMPTY = 42211,
    CODE_STORE = 50001,
};

struct work {
    struct state *state;
    struct arena *arena;
    /* of what was refused: 0, or one of the codes above */
    int code;
    struct str message;
    /* to be written, in this order: entries[entry_count] */
    struct entry *entries;
    size_t entry_count, entry_capacity;
};

/* Fills code and message, returns false. */
bool refuse(struct work *w, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));
bool refuse_subject_not_found(struct work *w, struct str subject);
bool refuse_version_not_found(struct work *w, int32_t version);

/* A schema as a client sends it. */
struct wanted {
    struct str subject;
    struct str type; /* p NULL: AVRO */
    struct str text, metadata, rules;
    const struct registry_reference *references;
    uint32_t reference_count;
    int32_t id;                /* −1: the registry gives it one */
    int32_t version;           /* 0: the next one; −1: the same, and said in its metadata */
    struct schema_retag retag; /* of the text, before it is registered */
    bool propagates_tags;      /* it gets the tags of the version before, too */
};

/* A schema as it is shown. */
struct shown {
    struct str subject;
    int32_t version, id;
    enum schema_kind kind;
    struct str text, references, metadata, rules;
    uint8_t md5[16];
    struct str tags; /* as JSON, where they were asked for; p NULL: none */
    bool is_stored;  /* then: */
    int64_t timestamp_ms;
    bool deleted;
};
struct shown shown_of(struct str subject, const struct state_version *version);

/* ---- settings in their scope ------------------------------------------------------------------------------------------------- */

/* The subject's own: false, it has none. */
bool config_of(struct work *w, struct str subject, struct config *config);
/* Or that of its context, or the global one, or the default. */
void config_in_scope(struct work *w, struct str subject, struct config *config);
bool mode_of(struct work *w, struct str subject, enum registry_mode *mode);
enum registry_mode mode_in_scope(struct work *w, struct str subject);

bool decide_config(struct work *w, struct str subject, const struct config_update *update,
                   struct config *config);
bool decide_config_delete(struct work *w, struct str subject);
/* mode NULL: unset it. */
bool decide_mode(struct work *w, struct str subject, const enum registry_mode *mode, bool force);
void decide_mode_delete(struct work *w, struct str subject, bool recursive);

/* ---- schemas ----------------------------------------------------------------------------------------------------------------- */

enum { DECIDE_NORMALIZE = 1, DECIDE_FORCE = 2 };

/* The new version, or the one that is there already: then there are no records. */
bool decide_register(struct work *w, const struct wanted *wanted, unsigned how, struct shown *shown);
/* As above when it is there; *found: is it? */
bool decide_lookup(struct work *w, const struct wanted *wanted, bool normalize, bool deleted, bool *found,
                   struct shown *shown);
/* Against versions[count] of the subject, ascending. Incompatible: messages; true also then. */
bool decide_compatible(struct work *w, const struct wanted *wanted,
                       const struct state_version *const *versions, size_t count, bool normalize,
                       struct schema_messages *messages);
/* version: REGISTRY_LATEST, or one. *deleted: which it was. */
bool decide_version_delete(struct work *w, struct str subject, int32_t version, bool permanent,
                           int32_t *deleted);
/* versions[count]: which they were. */
bool decide_subject_delete(struct work *w, struct str subject, bool permanent, int32_t **versions,
                           size_t *count);
bool decide_context_delete(struct work *w, struct str context);

/* The version or REGISTRY_LATEST, if need be in another context; NULL: there is none. *subject: where it was. */
const struct state_version *find_version_somewhere(struct work *w, struct str *subject, int32_t version,
                                                   bool deleted);
/* What an id means to a subject, or (p NULL) in the default context; NULL: nothing. *content's version there in *subject, *version. */
const struct state_content *find_id(struct work *w, int32_t id, struct str subject, struct str *found,
                                    int32_t *version);
/* All contents of that guid, in arena: that of the default context first. */
size_t find_guid(struct work *w, const uint8_t guid[16], const struct state_content ***contents);
/* Referrers that are not all deleted; deleted: those, too. */
size_t find_referrers(struct work *w, struct str subject, int32_t version, bool deleted,
                      const struct state_content ***contents);

/* A schema with all that it refers to, for schema_parse. */
bool resolve(struct work *w, struct str subject, enum schema_kind kind, struct str text,
             struct str references, struct schema_source *source);
/* The text in one of schema_format's formats. */
bool format_text(struct work *w, const struct shown *shown, struct str format, struct str *text);
/* What carries tags in it: any of wanted[count], or, where that holds "*", any at all. */
bool find_tags(struct work *w, struct shown *shown, const struct str *wanted, size_t count);

#endif

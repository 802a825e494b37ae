/* All that the registry knows, as `_schemas` says it: a table of subjects, versions, ids, settings. It is what the topic's records make of it,
 * one after the other, and nothing else; so it can be made anew at any time. Pure.
 *
 *     context ── id → content (text, references, metadata, rules) ←─ version ←── subject
 *
 * One content is kept once, however many subjects have it as a version. Numbers grow as the topic does; nothing is bounded here. */
#ifndef REGISTRY_STATE_H
#define REGISTRY_STATE_H

#include "registry/entry.h"

struct state;
struct state_subject;

struct state_context {
    struct str name;
    int32_t max_id; /* 0: none was given yet */
    bool declared;  /* by a record of its own: it is listed */
};

/* A schema with its id. All of it is the state's, until the next record is applied. */
struct state_content {
    const struct state_context *context;
    int32_t id;
    enum schema_kind kind;
    struct str text, references, metadata, rules;
    uint8_t md5[16];
};

struct state_version {
    int32_t version;
    bool deleted;
    int64_t timestamp_ms;
    const struct state_content *content;
};

struct state *state_new(void);
void state_free(struct state *state);

/* Records that are none of ours change nothing. ERR_DATA: it contradicts what is there (an id that means two texts), and is left out. */
bool state_apply(struct state *state, const struct entry *record, struct err *err);
/* The records, in arena, that undo what this one will do when it is applied next. Ids that were given stay given. */
struct entry *state_invert(const struct state *state, struct arena *arena, const struct entry *record,
                           size_t *count);

/* ---- subjects and their versions --------------------------------------------------------------------------------------------- */

const struct state_subject *state_subject(const struct state *state, struct str name);
struct str state_subject_name(const struct state_subject *subject);
/* versions[count], ascending, deleted ones among them. subject may be NULL. */
const struct state_version *state_versions(const struct state_subject *subject, size_t *count);
/* Those that are not deleted, in arena, ascending. */
const struct state_version **state_alive(const struct state *state, struct arena *arena, struct str subject,
                                         size_t *count);
/* That version, deleted or not; or NULL. */
const struct state_version *state_version(const struct state *state, struct str subject, int32_t version);
/* The newest that is not deleted, or NULL. */
const struct state_version *state_latest(const struct state *state, struct str subject);
/* All that begin with prefix, in arena, sorted. Not with a wildcard. */
size_t state_subjects(struct state *state, struct arena *arena, struct str prefix,
                      const struct state_subject ***subjects);
/* Has the subject (or one in the context, or any: scope as for subject_in) a version? deleted: deleted ones count. */
bool state_has_subjects(struct state *state, struct str scope, bool deleted);

/* ---- ids --------------------------------------------------------------------------------------------------------------------- */

const struct state_context *state_context(const struct state *state, struct str name);
/* Those that are declared, in arena, sorted. */
size_t state_contexts(const struct state *state, struct arena *arena, const struct state_context ***contexts);
/* A content with that id in a context. */
const struct state_content *state_content(const struct state *state, struct str context, int32_t id);
const struct state_content *state_content_by_md5(const struct state *state, struct str context,
                                                 const uint8_t md5[16]);
/* The subject's version that has the id: the newest that is not deleted, else the newest. NULL: none has. */
const struct state_version *state_version_by_id(const struct state_subject *subject, int32_t id);
/* Who has the id as a version: users[count], in the order in which they came. */
struct state_use {
    const struct state_subject *subject;
    int32_t version;
};
const struct state_use *state_uses(const struct state_content *content, size_t *count);
/* Schemas that refer to a version, in arena, by context and id. */
size_t state_referrers(const struct state *state, struct arena *arena, struct str subject, int32_t version,
                       const struct state_content ***contents);

/* ---- settings ---------------------------------------------------------------------------------------------------------------- */

/* Of exactly that name; p NULL: the default context's. A config's text for config_read; p NULL: there is none. */
struct str state_config(const struct state *state, struct str subject);
bool state_mode(const struct state *state, struct str subject, enum registry_mode *mode);
/* Names that have one, and begin with prefix, in arena, sorted. */
size_t state_configured(const struct state *state, struct arena *arena, struct str prefix,
                        struct str **names);
size_t state_moded(const struct state *state, struct arena *arena, struct str prefix, struct str **names);

/* Everything fits together. For tests. */
bool state_check(const struct state *state);

#endif

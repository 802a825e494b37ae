/* The schema registry, as the rest of the program uses it: what an id means, what the newest schema of a subject is, registration.
 *
 * There are two behind this interface, and nobody who uses it needs to know which: our own, whose state is the topic `_schemas` of the
 * store, and another one (any Confluent-compatible registry) that is asked over HTTP. Both live on the net role; any role may ask, and
 * is answered on its own loop. Our own registry serves Confluent's REST interface beside it: rest.h.
 *
 * An id never changes its meaning, so whoever has asked for one keeps what it made of the answer (a compiled decoder) and does not ask
 * again. An id that is not there may be there later. */
#ifndef REGISTRY_REGISTRY_H
#define REGISTRY_REGISTRY_H

#include "log/store.h"
#include "run/run.h"
#include "schema/schema.h"

enum {
    REGISTRY_SUBJECT_MAX = 1024, /* bytes of a subject's name */
    REGISTRY_LATEST = -1,        /* a version: the newest that is not deleted */
};

struct registry;

/* What a schema refers to, as it is registered: the schema of that version (REGISTRY_LATEST: the newest now) of a subject, under a name. */
struct registry_reference {
    struct str name, subject;
    int32_t version;
};

/* A schema that the registry knows. `source` is whole: schema_parse takes it as it is, texts of all references included. */
struct registry_schema {
    int32_t id;
    int32_t version;    /* in subject; 0: asked for by id or guid */
    struct str subject; /* empty: asked for by id or guid */
    struct schema_source source;
};

/* A question and its answer. The caller's memory, from the question until done; zeroed, or used before and registry_call_fini'd. */
struct registry_call {
    void (*done)(
        struct registry_call *call); /* once, on the loop that asked, never from inside of the question */
    void *arg;
    /* valid in done, and after it until registry_call_fini */
    bool ok;
    struct registry_schema schema;
    /* !ok: ERR_DATA: it refuses, with its reason and, as code, Confluent's error code (REGISTRY_ERR_…); ERR_RETRY: it cannot be reached
     * now, or the disk is full, or we are ending. */
    struct err err;
    /* private */
    struct msg msg;
    struct loop *home;
    struct arena arena; /* of the answer */
    struct registry *registry;
    enum { REGISTRY_BY_ID, REGISTRY_BY_GUID, REGISTRY_BY_VERSION, REGISTRY_REGISTER } what;
    int32_t id, version;
    uint8_t guid[16];
    struct str subject, text;
    enum schema_kind kind;
    const struct registry_reference *references;
    uint32_t reference_count;
    bool normalize;
    void *work; /* of whoever answers it */
};

/* The codes that a caller may want to tell apart. */
enum {
    REGISTRY_ERR_SUBJECT_NOT_FOUND = 40401,
    REGISTRY_ERR_VERSION_NOT_FOUND = 40402,
    REGISTRY_ERR_SCHEMA_NOT_FOUND = 40403, /* the id */
    REGISTRY_ERR_INCOMPATIBLE = 40901,     /* older registries: 409 */
    REGISTRY_ERR_INVALID_SCHEMA = 42201,
};

/* Questions. Any role with a loop. What they are given is borrowed until done. */

/* What does this id, in a record, mean? subject: where the record is from, "" if that is not known: it tells contexts apart. */
void registry_get_id(struct registry *registry, struct registry_call *call, int32_t id, struct str subject);
/* The same of a guid, which is one in all contexts. */
void registry_get_guid(struct registry *registry, struct registry_call *call, const uint8_t guid[16]);
void registry_get_version(struct registry *registry, struct registry_call *call, struct str subject,
                          int32_t version);
/* Registers text under subject, and answers when that is durable, with its id and version; also when it is there already. The answer's source is
 * what the registry keeps: the canonical text. */
void registry_register(struct registry *registry, struct registry_call *call, struct str subject,
                       enum schema_kind kind, struct str text, const struct registry_reference *references,
                       uint32_t reference_count, bool normalize);
/* Frees the answer. Zeroed is fine. */
void registry_call_fini(struct registry_call *call);

/* registry_get_id for commands that run no loop, on our own registry; schema in arena. ERR_DATA as above. */
bool registry_get_id_now(struct registry *registry, struct arena *arena, int32_t id, struct str subject,
                         struct registry_schema *schema, struct err *err) UNSHARED;
bool registry_get_guid_now(struct registry *registry, struct arena *arena, const uint8_t guid[16],
                           struct registry_schema *schema, struct err *err) UNSHARED;
/* registry_get_version for them. */
bool registry_get_version_now(struct registry *registry, struct arena *arena, struct str subject,
                              int32_t version, struct registry_schema *schema, struct err *err) UNSHARED;

/* Would registry_register take it, on our own registry? What speaks against it goes to messages (given zeroed but for the arena), *latest is the
 * newest version that is there (version 0: none). ERR_DATA: it is no schema. */
bool registry_compatible_now(struct registry *registry, struct arena *arena, struct str subject,
                             enum schema_kind kind, struct str text,
                             const struct registry_reference *references, uint32_t reference_count,
                             struct schema_messages *messages, struct registry_schema *latest,
                             struct err *err) UNSHARED;

/* ---- its life ---------------------------------------------------------------------------------------------------------------- */

/* Our own, over `_schemas` in store, which is read now: before the loops run. net NULL: for a command without loops, which only asks …_now. */
bool registry_new(struct pool *pool, struct loop *net, struct store *store, struct registry **registry,
                  struct err *err) UNSHARED;

/* Another one. user and password for basic, or token for bearer authentication; NULL: none. Borrowed. */
struct registry_remote_options {
    const char *url; /* "https://registry:8081" */
    const char *user, *password, *token;
};
bool registry_remote_new(struct pool *pool, struct loop *net, const struct registry_remote_options *options,
                         struct registry **registry, struct err *err) UNSHARED;

/* Takes no more questions (they are answered with ERR_RETRY), finishes those that have begun, and calls ended(arg) on the net loop. Any
 * role, once. */
void registry_end(struct registry *registry, void (*ended)(void *arg), void *arg);
/* After the loops have ended, and before the store closes. NULL is fine. */
void registry_free(struct registry *registry) UNSHARED;

#endif

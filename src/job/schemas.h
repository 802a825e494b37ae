/* What topics ask a registry, and its answers, kept.
 *
 * A registry answers later, on the loop that asked; a decoder or writer of records asks in the middle of its work, and goes on with something else until
 * the answer is there. So a question that was not asked yet is asked, and "later" is the answer until then; `woke` tells when to come
 * again. Ids and registrations never change their meaning and are kept; that there is none of an id is told once and forgotten, for it may be
 * there when the next record with it comes. */
#ifndef JOB_SCHEMAS_H
#define JOB_SCHEMAS_H

#include "registry/registry.h"
#include "topic/schemas.h"

enum { SCHEMA_DESK_MAX = 4096 /* answers that are kept; past that all are forgotten, and asked for again */ };

struct schema_desk;

/* work: where patient questions are asked. woke: on any role with a loop. registry NULL: there is none, and nothing is known. Lives in pool. */
struct schema_desk *schema_desk_new(struct pool *pool, struct registry *registry, struct loop *work,
                                    void (*woke)(void *arg), void *arg);
/* Never waits; on roles with a loop that runs. */
const struct topic_schemas *schema_desk_view(struct schema_desk *desk);
/* Waits for the answer: on threads of commands, while the loops run. */
const struct topic_schemas *schema_desk_patient(struct schema_desk *desk);
/* After the loops have ended. NULL is fine. */
void schema_desk_fini(struct schema_desk *desk);

/* For a command without loops: our own registry, opened by registry_new without a net loop. It registers nothing. In pool. */
const struct topic_schemas *schemas_of_store(struct pool *pool, struct registry *registry);

#endif

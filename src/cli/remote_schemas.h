/* What ids mean in a registry that is elsewhere, for commands, which wait for each answer. */
#ifndef CLI_REMOTE_SCHEMAS_H
#define CLI_REMOTE_SCHEMAS_H

#include "registry/registry.h"
#include "topic/schemas.h"

/* The options of a registry's URL, in which user and password may stand; token (or NULL) is borrowed. In pool. */
bool registry_options_of(struct pool *pool, const char *url, const char *token,
                         struct registry_remote_options *options, struct err *err);

struct remote_schemas;
/* Has a loop of its own until remote_schemas_close, which accepts NULL. */
struct remote_schemas *remote_schemas_open(const char *url, const char *token, struct err *err) UNSHARED;
const struct topic_schemas *remote_schemas_view(struct remote_schemas *remote);
void remote_schemas_close(struct remote_schemas *remote) UNSHARED;

#endif

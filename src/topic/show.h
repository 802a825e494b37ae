/* Single records as JSON, whatever their format: for people. */
#ifndef TOPIC_SHOW_H
#define TOPIC_SHOW_H

#include "topic/topic.h"

struct topic_show;

/* def is borrowed; its schemas are of the kind that waits. Lives in pool. */
struct topic_show *topic_show_new(struct pool *pool, const struct topic_def *def);
/* The value (key) of a record by its own schema, as JSON, appended: in the topic's format, or, where that has no schema, in that of the schema whose id it
 * begins with, if the registry knows one. False: it has none, or it cannot be decoded; *reason (or
 * NULL) says why, until the next call. */
bool topic_show_value(struct topic_show *show, bool is_key, struct str value, struct str headers,
                      struct sbuf *out, const char **reason);

#endif

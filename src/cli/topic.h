/* What the files of `topic …` share: topics as people see them, wherever they live. */
#ifndef CLI_TOPIC_H
#define CLI_TOPIC_H

#include "cli/command.h"

/* −1: not known, or, of retention, for ever. */
struct topic_part {
    int64_t start, end, bytes;
    const struct client_partition *at; /* leader and replicas; NULL: in this data folder */
};
struct topic_view {
    const char *name;
    struct kafka_uuid id;
    bool is_internal, is_compact;
    int64_t retention_ms, retention_bytes;
    const char *compression; /* or NULL */
    const char *error;       /* what kept us from knowing more, or NULL */
    int32_t partitions;
    struct topic_part *parts;         /* parts[partitions] */
    const struct client_config *more; /* more[more_count]: what else is set for the topic */
    uint32_t more_count;
};
/* All topics by name; *count 0 where nothing has run. */
bool topic_views(struct command_env *env, struct topic_view **views, size_t *count, struct err *err);
/* One of them. ERR_CONFIG with a did-you-mean when there is none. */
bool topic_view(struct command_env *env, const char *name, struct topic_view *view, struct err *err);

/* ERR_CONFIG with a did-you-mean when there is none; opens the store. */
bool topic_find(struct command_env *env, const char *name, struct topic_info *info, struct err *err);
/* A topic that this program or Kafka's coordinators keep for themselves. */
bool topic_is_internal(const struct topic_info *info);
bool topic_name_is_internal(const char *name);
/* ERR_FATAL where the running project needs the topic, or it is internal. */
bool topic_may_go(struct command_env *env, const char *name, bool is_internal, struct err *err);

/* What `create` and `alter` are asked for: what was not given is NULL. */
struct topic_wish {
    const char *partitions, *retention, *retention_size, *compression, *replicas, *config;
    bool compact;
};
/* Through Kafka's protocol. */
bool topic_create_remote(struct command_env *env, const char *name, const struct topic_wish *wish,
                         struct err *err);
bool topic_alter_remote(struct command_env *env, const char *name, const struct topic_wish *wish,
                        struct err *err);

#endif

/* The configuration of topics, groups and this node: where it is kept, and what it means for the log. What there is to configure stands in
 * configs.h.
 *
 * What somebody has set lies in the store, as a list under the resource's name. What of it the log goes by is in the topic's own configuration
 * too (struct topic_config); that one counts, so a topic that a project made is described as it is. */
#ifndef BROKER_SETTINGS_H
#define BROKER_SETTINGS_H

#include "broker/broker_private.h"

struct topic_settings {
    struct config_list list;    /* what was set, by Kafka's names */
    struct topic_config config; /* and what it comes to */
};

/* The lists of the node. Before the net loop runs. */
bool settings_start(struct broker *broker, struct err *err);
void settings_stop(struct broker *broker);
/* What new topics and requests go by. */
int32_t settings_partitions(const struct broker *broker) ON(net);
bool settings_auto_create(const struct broker *broker) ON(net);
/* The node's own configuration; the text: until it changes. */
int64_t settings_number(const struct broker *broker, const char *name);
struct str settings_text(struct broker *broker, const char *name);
/* The configuration of a topic that nobody has set anything of. */
void settings_topic_default(const struct broker *broker, struct topic_config *config) ON(net);

/* Of a topic that a request wants to have made. False: Kafka's error and its text. In the request's arena. */
bool settings_of_new_topic(struct request *request, const struct kafka_create_topics_request_topic *in,
                           struct topic_settings *settings, int16_t *error, struct str *why) ON(net);
/* The answer's description of it. */
void settings_describe_new_topic(struct request *request, const struct topic_settings *settings,
                                 struct kafka_create_topics_response_topic *out) ON(net);
/* Into the frame that makes or changes the topic; list NULL: it goes. */
void settings_put(struct frame *frame, enum config_scope scope, struct str name,
                  const struct config_list *list);

#endif

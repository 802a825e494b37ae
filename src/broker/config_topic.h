/* What a topic's configuration means for the log. */
#ifndef BROKER_CONFIG_TOPIC_H
#define BROKER_CONFIG_TOPIC_H

#include "broker/configs.h"
#include "log/store.h"

/* Sets what is configured; the rest of *config stays. */
void config_topic(const struct config_layers *layers, struct topic_config *config);
/* The codec that the topic's batches must have, of format/compress.h; −1: whatever their producers chose. *level: to compress at. */
int config_topic_codec(const struct config_layers *layers, int *level);

/* The other way round: what the log goes by, as the value of that name, in arena or for ever; p NULL: the log does not go by it, or not by it alone. */
struct str config_topic_text(const struct topic_config *config, const char *name, struct arena *arena);

#endif

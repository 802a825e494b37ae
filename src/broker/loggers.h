/* Loggers as Kafka's administrators see them (resources of type BROKER_LOGGER): the events of the log, by their names, and `root`, which is all that have
 * no level of their own. What is set lasts as long as the process, as in Kafka. */
#ifndef BROKER_LOGGERS_H
#define BROKER_LOGGERS_H

#include "broker/broker_private.h"

enum { BROKER_LOGGER = 8 }; /* Kafka's number of the type */

void loggers_describe(struct request *request, const struct kafka_describe_configs_request_resource *in,
                      struct kafka_describe_configs_response_resource *out) ON(net);
void loggers_alter(struct request *request, const struct kafka_incremental_alter_configs_request_resource *in,
                   bool validate_only, struct kafka_incremental_alter_configs_response_resource *out) ON(net);

#endif

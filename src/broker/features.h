/* Features: what clients may use of the protocol, at levels that an administrator sets (UpdateFeatures). transaction.version 2 and group.version 1
 * are what makes new clients use transactions v2 and the new consumer groups; both are there from the beginning. */
#ifndef BROKER_FEATURES_H
#define BROKER_FEATURES_H

#include "broker/broker_private.h"

/* What is kept of them. Before the net loop runs. */
bool features_start(struct broker *broker, struct err *err);
/* Into the answer to ApiVersions, from version 3 on. */
void features_describe(struct request *request, struct kafka_api_versions_response *out) ON(net);
/* Answers a request of the new group protocol while that is off. False: it is to be served. */
bool features_refuse(struct request *request) ON(net);

#endif

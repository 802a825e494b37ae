/* Client quotas at work: kept in the store, charged while requests are answered, enforced.
 *
 * As Kafka does it: a client that has used more than it may is answered at once, with the time that it is to wait; and for that time nothing more
 * is read from its connection (request->throttle_ms, connection->muted_until). A Fetch that would be too much is answered with nothing, and an
 * address that connects too often gets its new connection closed after the time. There is no authentication: the user is ANONYMOUS.
 * Where nobody has a quota, none of this costs more than a comparison. */
#ifndef BROKER_THROTTLE_H
#define BROKER_THROTTLE_H

#include "broker/broker_private.h"

/* Before the net loop runs. */
bool throttle_start(struct broker *broker, struct err *err);
void throttle_stop(struct broker *broker);

/* Has its client a quota, so that it may have to wait? Then nothing is read ahead of its answers: what was read would lie in memory while it waits. */
bool throttle_limits(const struct request *request) ON(net);
/* Raises request->throttle_ms to what its client is to wait after it has used so much. */
void throttle_charge(struct request *request, enum quota_kind kind, double amount) ON(net);
/* The same, but nothing is charged that it may not have yet. False: it is to wait. */
bool throttle_take(struct request *request, enum quota_kind kind, double amount) ON(net);
/* What it may have at once; SIZE_MAX: as much as it likes. */
size_t throttle_burst(struct request *request, enum quota_kind kind) ON(net);
/* So many partitions are to be made or deleted. False: they may not, and the caller answers THROTTLING_QUOTA_EXCEEDED. Clients of versions
 * before strict_from do not know that: theirs are made, and they wait afterwards. */
bool throttle_mutations(struct request *request, int32_t partitions, int16_t strict_from) ON(net);
/* The same for a topic that is made by its first use: nobody is told to wait. */
bool throttle_auto_create(struct request *request, int32_t partitions) ON(net);

/* The time that is spent on it: runs around its handler, and whenever it is taken up again. Both may be called twice. */
void throttle_clock_start(struct request *request) ON(net);
void throttle_clock_stop(struct request *request) ON(net);
/* Charges what the request has taken so far; before it is answered, once. */
void throttle_time(struct request *request) ON(net);
/* The answer as it is to be sent, with the time to wait in it. */
const void *throttle_answer(struct request *request, const void *response) ON(net);

/* Somebody connects from "address:port". Returns how long the connection is to be left open and not served; 0: it is served. */
int32_t throttle_connect(struct broker *broker, const char *peer) ON(net);

#endif

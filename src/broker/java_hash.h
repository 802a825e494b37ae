/* Where Kafka puts what a coordinator keeps of an id: Java's String.hashCode of it, over the topic's partitions. */
#ifndef BROKER_JAVA_HASH_H
#define BROKER_JAVA_HASH_H

#include "base/str.h"

/* Java's String.hashCode of a UTF-8 text: over its UTF-16 units. Bytes that are no UTF-8 count as U+FFFD, as Java decodes them. */
int32_t java_hash(struct str text);

/* The partition of __consumer_offsets (for a group) or __transaction_state (for a transactional id). In [0, partitions). */
int32_t coordinator_partition(struct str id, int32_t partitions);

#endif

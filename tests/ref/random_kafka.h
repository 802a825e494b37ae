/* Random messages of Kafka's protocol, and whether two are the same: for property tests and benchmarks. */
#ifndef REF_RANDOM_KAFKA_H
#define REF_RANDOM_KAFKA_H

#include "ref/random_batch.h"
#include "wire/kafka.h"

/* Fills *message, of type->size bytes, with values that the version can tell: fields that it lacks have their default, nulls are
 * where null is allowed, tagged fields are at their default every other time. Strings and arrays are the arena's. */
void kafka_random(struct rng *rng, const struct kafka_type *type, int version, struct arena *arena,
                  void *message);

/* Equal in every field, those that the version lacks included? NULL is not empty. */
bool kafka_same(const struct kafka_type *type, const void *a, const void *b);

#endif

/* Random Avro schemas of every kind, and readers' versions of them. */
#ifndef REF_RANDOM_AVRO_H
#define REF_RANDOM_AVRO_H

#include <ref/random_batch.h>

#include "schema/avro.h"

/* The text of a record's schema, at most `depth` levels deep, appended. The same seed gives the same. change > 0: each of its types and fields
 * is another with a chance of one in `change`: promoted, left out, added with a default, in a union with null. */
void random_avro(uint64_t seed, unsigned depth, unsigned change, struct sbuf *out);
/* Parsed. */
const struct avro_schema *random_avro_parse(struct arena *arena, uint64_t seed, unsigned depth,
                                            unsigned change);

#endif

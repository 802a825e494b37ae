/* Random .proto files for property tests and fuzzers: every kind of field, label and option that a codec looks at. The same seed
 * gives the same text on every machine. */
#ifndef REF_RANDOM_PROTO_H
#define REF_RANDOM_PROTO_H

#include <ref/random_batch.h>

/* proto2, proto3 or an edition; its first message is "M0". plain: no message holds itself or one that stands for a value of SQL,
 * and there are no maps: Google's upb drops a pair that holds a field it does not know. Appended. */
void random_proto(struct rng *rng, bool plain, struct sbuf *out);
/* The encoding of a message as it could be, or nearly: fields of the first numbers with any wire type, nested at most `depth` deep.
 * Appended. */
void random_proto_bytes(struct rng *rng, unsigned depth, struct sbuf *out);

#endif

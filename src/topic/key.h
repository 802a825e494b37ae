/* Record keys by a topic's rule: `key` names the columns that make them.
 *
 *     one column       its text: of STRING and BINARY the bytes themselves, of any other type what JSON has, without quotes
 *     several columns  a JSON object of them, in the order in which `key` names them, by the names that it gives: {"day":"2024-01-02","id":7}
 *
 * A key is null when all of its columns are; in an object a NULL is null. So the key that a stream's row gets is the one that its record
 * would get if a source wrote it, two writers of one topic agree, and so do Kafka's partitioner and compaction. (Flink's upsert-kafka and
 * ksqlDB write an object for several columns, too.) */
#ifndef TOPIC_KEY_H
#define TOPIC_KEY_H

#include "topic/topic.h"

struct topic_key;

/* Keys of rows of that schema. Lives in pool. ERR_CONFIG: it lacks one of the columns. */
bool topic_key_of_rows(struct pool *pool, const struct topic_def *def, const struct type *schema,
                       struct topic_key **key, struct err *err);
/* Keys of JSON records. Values are read by the topic's declared columns, where it declares those of the key. */
bool topic_key_of_records(struct pool *pool, const struct topic_def *def, struct topic_key **key,
                          struct err *err);

/* Keys with a schema of their own are made of the same columns: their types, named by the last part of their paths; in arena. ERR_CONFIG: as above. */
const struct type *topic_key_columns(struct arena *arena, const struct topic_def *def,
                                     const struct type *schema, struct err *err);
/* Those columns of a batch whose rows have them; arena, and the batch, live as long. */
void topic_key_batch(struct arena *arena, const struct topic_def *def, const struct type *columns,
                     const struct batch *batch, struct batch *keys);

/* keys[batch->rows], p NULL = null; borrowed from the batch and the key until the next call. */
const struct str *topic_key_rows(struct topic_key *key, const struct batch *batch);
/* keys[count]; null of what is no JSON object. */
bool topic_key_records(struct topic_key *key, const struct str *values, uint32_t count,
                       const struct str **keys, struct err *err);

#endif

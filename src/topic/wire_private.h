/* Records that carry a schema id: from each to the columns, by the decoder of its own schema. */
#ifndef TOPIC_WIRE_PRIVATE_H
#define TOPIC_WIRE_PRIVATE_H

#include "format/records.h"
#include "topic/codec_private.h"
#include "topic/schemas.h"

enum {
    WIRE_WRITERS_MAX =
        1000 /* schemas that a decoder keeps compiled; past that it begins anew with the next batch */
};

struct wire;

/* Of the topic's values, or keys. columns: what is wanted (NULL: nothing, see wire_columns); pinned: all columns of the topic, borrowed. Lives in
 * pool. ERR_CONFIG. */
struct wire *wire_new(struct pool *pool, const struct topic_def *def, bool is_key, const struct type *columns,
                      const struct type *pinned, struct err *err);

/* Whose schema a record's value is: a writer for codec->decode, and the value without what stands before it. Or the reason why it cannot be used, which
 * is borrowed until the next call. *brings: it has columns that `pinned` has not.
 * ERR_RETRY: not known yet. */
struct wire_found {
    const void *writer; /* NULL: bad, for this reason */
    const char *reason;
    struct str payload;
    bool brings;
};
bool wire_find(struct wire *wire, struct str value, struct str headers, struct wire_found *found,
               struct err *err);
/* Before the records of a batch are found: forgets what it has too much of. */
bool wire_begin(struct wire *wire, struct err *err);
/* The codec's decoder; after the records of a batch were found. */
void *wire_decoder(struct wire *wire);

/* After all records of a batch were found. */
void wire_end(struct wire *wire);
/* `pinned` with what the schemas that it has met bring. In arena; the types borrow from wire's. */
const struct type *wire_brought(const struct wire *wire, struct arena *arena, const struct type *pinned);

/* What stands before the value and says whose schema it is. False: nothing good, *reason says why (as in wire_found). */
bool wire_part(struct wire *wire, struct str value, struct str headers, struct str *id, struct str *payload,
               const char **reason);
/* What says whose schema it is, without what of a format follows it, in a record of any format; empty: nothing does. */
struct str wire_id(bool is_key, struct str value, struct str headers);
/* `pinned` (NULL: none) with the columns of the record's schema; as it is for a record that cannot be used. */
bool wire_columns(struct wire *wire, struct arena *arena, struct str value, struct str headers,
                  const struct type **pinned, struct err *err);

#endif

/* What topics ask of a format whose records have columns: one struct of functions each. */
#ifndef TOPIC_CODEC_PRIVATE_H
#define TOPIC_CODEC_PRIVATE_H

#include "batch/batch.h"
#include "schema/schema.h"
#include "topic/topic.h"

/* Texts are borrowed until the callback returns. */
struct codec_bad {
    uint32_t row;
    bool whole; /* the row is all NULL; else only what is at path */
    struct str reason, path, found, wanted;
};

struct codec_report {
    void (*bad)(void *arg, const struct codec_bad *bad);
    void (*unknown)(void *arg, struct str path); /* or NULL */
    void *arg;
};

struct record_codec {
    enum schema_kind schema;
    /* How many bytes of a value, behind the schema's id, say which of its types it is; SIZE_MAX: they are damaged. NULL: none do. */
    size_t (*selector)(struct str payload);
    /* selector: those bytes, or empty for the schema's first type. ERR_CONFIG. */
    const struct type *(*columns)(struct arena *arena, const struct schema *schema, struct str selector,
                                  struct err *err);
    /* `pinned` with what `found` adds, or pinned itself. */
    const struct type *(*evolve)(struct arena *arena, const struct type *pinned, const struct type *found);
    bool (*text)(const struct type *columns, struct str name, bool is_key, struct sbuf *out, struct err *err);

    /* A decoder into columns, and what it does with the records of one schema; both live in pool. */
    void *(*decoder_new)(struct pool *pool, const struct type *columns, bool tell_unknown, struct err *err);
    const void *(*writer)(void *decoder, const struct schema *schema, struct str selector, struct err *err);
    /* Row i is records[i], written as writers[i] has it; out as json_decode has it. */
    bool (*decode)(void *decoder, const struct str *records, const void *const *writers, uint32_t count,
                   struct batch *out, const struct codec_report *report, struct err *err);

    /* prefix: what stands behind the id is appended. */
    void *(*encoder_new)(struct pool *pool, const struct schema *schema, const struct type *columns,
                         struct sbuf *prefix, struct err *err);
    /* Rows [from, to) behind prefix each, appended; a row that cannot be is reported and adds nothing. Their number is returned. */
    uint32_t (*encode)(void *encoder, const struct batch *batch, uint32_t from, uint32_t to,
                       struct str prefix, struct sbuf *out, uint32_t *ends,
                       const struct codec_report *report);
};

extern const struct record_codec codec_json, codec_avro, codec_protobuf;
/* RAW: NULL. */
const struct record_codec *codec_of(enum topic_format format);

#endif

/* A topic as streams see it: records in, columns out, and back.
 *
 * A topic's relation is its schema's fields, then Spark's Kafka columns under _key _value _topic _partition _offset _timestamp
 * _timestampType _headers, which `*` leaves out. A raw topic has those alone, named as Spark names them. */
#ifndef TOPIC_TOPIC_H
#define TOPIC_TOPIC_H

#include "batch/batch.h"
#include "format/compress.h"
#include "log/store.h"
#include "sql/plan.h"

/* How rows become records. Of a raw topic the rows have the columns that Spark's Kafka sink takes: value, and if they like key, partition,
 * headers. */
enum topic_format { TOPIC_JSON, TOPIC_RAW, TOPIC_AVRO, TOPIC_PROTOBUF, TOPIC_JSON_SCHEMA };

/* The subject under which a registry has a topic's schema: Confluent's TopicNameStrategy and so on. */
enum topic_subject { TOPIC_SUBJECT_TOPIC, TOPIC_SUBJECT_RECORD, TOPIC_SUBJECT_TOPIC_RECORD };

struct schema_source;
struct topic_schemas;

/* What the project says of a topic. Borrowed, immutable. */
struct topic_def {
    const char *name;
    enum topic_format format;
    bool raw;                /* its columns are Spark's Kafka columns alone; always so with TOPIC_RAW */
    const char *const *keys; /* columns (paths "a.b" too) that make the record's key: keys[key_count] */
    uint32_t key_count;
    int32_t partitions;
    const struct type *schema; /* columns, given in the project; NULL = inferred and pinned */
    bool declared;             /* they are the topic's own, not those of the stream that writes to it */

    /* of formats whose records carry a schema id: topic/schemas.h */
    enum topic_format key_format;             /* one without a schema: keys are text, see topic/key.h */
    const struct schema_source *value_schema; /* given in the project, or NULL */
    const struct schema_source *key_schema;
    enum topic_subject subject;
    const struct topic_schemas *schemas; /* where schemas are; NULL: nowhere, and records are all bad */

    struct topic_config config;
    bool implied; /* the project only writes to it: what its configuration is, is its own business */
};

/* Has a topic that exists another configuration than the project declares? What follows from that is up to the caller. */
bool topic_differs(const struct topic_def *def, const struct topic_config *config);

enum { TOPIC_META_COLUMNS = 8 };

/* The relation of a topic whose data schema is `schema` (NULL for a raw topic), in arena. */
void topic_relation(struct arena *arena, const struct topic_def *def, const struct type *schema,
                    struct relation *relation);

/* A record that could not be decoded whole. Texts are borrowed until the callback returns. */
struct topic_bad {
    int32_t partition;
    int64_t offset, timestamp_ms;
    struct str key, value; /* p NULL = null */
    struct str reason;     /* "not JSON: …", "number where INT is wanted" */
    struct str path, found, wanted;
    bool delivered; /* the row went on, with a NULL at path */
};

struct topic_report {
    void (*bad)(void *arg, const struct topic_bad *bad);
    /* A field that the schema lacks. NULL: nobody wants to know. */
    void (*unknown)(void *arg, struct str path);
    void *arg;
};

struct topic_decoder;

/* A decoder for the columns that a scan needs (plan->columns of a relation made by topic_relation with the same schema). Lives in pool. */
bool topic_decoder_new(struct pool *pool, const struct topic_def *def, const struct type *schema,
                       const struct plan *scan, struct topic_decoder **decoder, struct err *err);

/* (Records that carry a schema id are decoded each by its own schema; what the schema brings that the topic's columns lack is told
 * as an unknown field without a path.) ERR_RETRY: a schema is not known yet; call it again.
 *
 * Decodes the records of a slice with offsets in [from, until) into out (reset first), which holds the slice's buffer. Control records and tombstones give no
 * row. The batch's partition and offset columns are set. ERR_FATAL: the slice itself is damaged. */
bool topic_decode(struct topic_decoder *decoder, const struct log_slice *slice, int32_t partition,
                  int64_t from, int64_t until, struct batch *out, const struct topic_report *report,
                  struct err *err);

/* The record at that offset of the slice that was decoded last (texts borrowed from it); false if there is none. */
bool topic_decoder_find(const struct topic_decoder *decoder, int64_t offset, struct topic_bad *record);

/* For topics whose records carry a schema id: `pinned` with the columns that the schemas of records decoded so far bring, in arena; pinned itself
 * where nothing is new. */
const struct type *topic_columns_brought(const struct topic_decoder *decoder, struct arena *arena,
                                         const struct type *pinned);
/* The columns of the slice's first record, from `from` on, whose schema is known (decoder: one without a scan), in arena; *columns NULL: there is none.
 * ERR_RETRY: not known yet. */
bool topic_columns_found(struct topic_decoder *decoder, const struct log_slice *slice, int64_t from,
                         struct arena *arena, const struct type **columns, struct err *err);

/* The raw values of a slice's records, for inference: each(arg, value). */
bool topic_values(struct topic_decoder *decoder, const struct log_slice *slice, int64_t from,
                  bool (*each)(void *arg, struct str value), void *arg, struct err *err);

/* ---- writing ------------------------------------------------------------------------------------------------------- */

/* Puts rows into record batches, one builder for each partition. Rows with a key go by Kafka's own hash; rows without go, all of one
 * turn, to one partition, the next one each turn. def: borrowed as long as pool lives. */
struct topic_writer;
bool topic_writer_new(struct pool *pool, const struct topic_def *def, struct topic_writer **writer,
                      struct err *err);
/* Raw records. keys NULL: the key rule of the topic is applied to the value; timestamps NULL: now_ms. A value that is not JSON gets no key.
 * Values for a topic whose records carry a schema id are JSON, and are encoded (so are keys, from the value's columns, where they have a format); one that
 * the schema does not take is written as it came. ERR_RETRY: the schema's id is not known yet, and nothing was added. */
bool topic_writer_add(struct topic_writer *w, const struct str *keys, const struct str *values,
                      const int64_t *timestamps_ms, uint32_t count, int64_t now_ms, struct err *err);
/* Could records be added now? Whoever cannot take his records back asks first. ERR_RETRY: not yet; ERR_CONFIG: never. */
bool topic_writer_ready(struct topic_writer *w, struct err *err);
/* A record that the schema does not take is an error (ERR_DATA) from now on; some of the call's records may have been added. */
void topic_writer_strict(struct topic_writer *w);
/* How many records so far the schema did not take, and why the last ones. */
uint64_t topic_writer_unfit(const struct topic_writer *w, const char **why);
/* Forgets what was added since the last take. */
void topic_writer_drop(struct topic_writer *w);
/* Can rows of that schema be written to it? ERR_CONFIG says why not. (Whether the key's columns are there is not looked at.) */
bool topic_takes(const struct topic_def *def, const struct type *schema, struct err *err);
/* Rows of a batch, encoded in the topic's format; deletes (change kind −D) become tombstones, −U is left out. The schema may differ from call to call.
 * ERR_RETRY: the id of its schema is not known yet. After any error: topic_writer_drop. */
bool topic_writer_batch(struct topic_writer *w, const struct batch *batch, int64_t now_ms, struct err *err);
/* Rows of a batch that the schema given for the topic's values, or keys, does not take, each told once with where and why. What is encoded for it is
 * kept for topic_writer_batch: of that very batch, or else of none in its memory. ERR_RETRY as above. */
typedef void topic_misfit(void *arg, uint32_t row, struct str path, struct str reason);
bool topic_writer_misfits(struct topic_writer *w, const struct batch *batch, topic_misfit *misfit, void *arg,
                          struct err *err);
/* Such rows are left out from now on, instead of being an error: somebody else tells of them. */
void topic_writer_skip_misfits(struct topic_writer *w);
/* Ends all batches: bufs[partition] holds them, one behind the other, or is NULL where there is none; borrowed until the next rows. Adds to
 * *records. */
bool topic_writer_take(struct topic_writer *w, struct buf **bufs, uint64_t *records, struct err *err);
/* Moves everything into the frame: logs[partition]. Adds to *records. */
bool topic_writer_flush(struct topic_writer *w, struct frame *frame, struct log *const *logs,
                        uint64_t *records, struct err *err);
/* Bytes waiting. */
size_t topic_writer_bytes(const struct topic_writer *w);

#endif

/* What a client's records must be like before a log takes them. Pure but for the topic's configuration. */
#ifndef BROKER_VALIDATE_H
#define BROKER_VALIDATE_H

#include "base/time.h"
#include "format/compress.h"
#include "log/store.h"
#include "wire/kafka.h"

enum { VALIDATE_BLAMED_MAX = 10000 /* records to blame of a batch that are named */ };

/* Why a batch is refused. */
struct verdict {
    int16_t error;    /* Kafka's code; 0 = it is taken */
    const char *text; /* a literal */
    struct kafka_produce_response_record_error
        *blamed; /* blamed[blamed_count], in the arena: the records to blame; none: the batch */
    uint32_t blamed_count;
    struct records_batch batch;
};

/* p[n]: what a Produce has for one partition, of that version: exactly one batch of magic 2. Its checksum is checked where it is appended. ctx is the
 * caller's, for compressed batches; the arena takes what is said of records. */
struct verdict records_validate(const uint8_t *p, size_t n, int produce_version,
                                const struct topic_config *config, struct wall_time now,
                                struct compress_ctx *ctx, struct arena *arena);

#endif

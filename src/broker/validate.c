#include "broker/validate.h"

#include <string.h>

enum { ZSTD_FROM_VERSION = 7 };

static struct verdict refuse(struct verdict *v, int16_t error, const char *text)
{
    v->error = error;
    v->text = text;
    return *v;
}

/* What the header alone says. */
static struct verdict validate_header(const uint8_t *p, size_t n, int version,
                                      const struct topic_config *config)
{
    struct verdict v = {0};
    if (n < RECORDS_HEADER)
        return refuse(&v, n == 0 ? KAFKA_ERR_INVALID_RECORD : KAFKA_ERR_CORRUPT_MESSAGE,
                      n == 0 ? "there is no record batch" : "the record batch is cut off");
    if (p[16] != RECORDS_MAGIC)
        return refuse(&v, KAFKA_ERR_INVALID_RECORD, "record batches of magic 2 alone are taken");
    if ((int32_t)get_be32(p + 57) <= 0 || (int32_t)get_be32(p + 57) != (int32_t)get_be32(p + 23) + INT64_C(1))
        return refuse(&v, KAFKA_ERR_INVALID_RECORD, "the number of records is not that of the offsets");
    if (!records_batch_read(p, n, false, &v.batch, NULL))
        return refuse(&v, KAFKA_ERR_CORRUPT_MESSAGE, "the record batch is malformed");
    if (v.batch.size != n)
        return refuse(&v, KAFKA_ERR_INVALID_RECORD, "there must be exactly one record batch for a partition");
    if (v.batch.size > (uint32_t)config->max_message_bytes)
        return refuse(&v, KAFKA_ERR_MESSAGE_TOO_LARGE,
                      "the record batch is larger than the topic's max.message.bytes");
    if (v.batch.base_offset != 0)
        return refuse(&v, KAFKA_ERR_INVALID_RECORD, "the base offset of a new batch must be 0");
    if (v.batch.attributes & RECORDS_CONTROL)
        return refuse(&v, KAFKA_ERR_INVALID_RECORD, "clients may not write control batches");
    if (v.batch.producer_id >= 0 && (v.batch.base_sequence < 0 || v.batch.producer_epoch < 0))
        return refuse(&v, KAFKA_ERR_INVALID_RECORD, "a producer id without sequence and epoch");
    if (v.batch.producer_id < 0 && v.batch.attributes & RECORDS_TRANSACTIONAL)
        return refuse(&v, KAFKA_ERR_INVALID_RECORD, "a transactional batch without producer id");
    int codec = v.batch.attributes & RECORDS_CODEC_MASK;
    if (codec >= CODEC_COUNT)
        return refuse(&v, KAFKA_ERR_UNSUPPORTED_COMPRESSION_TYPE, "the compression codec is not known");
    if (codec == CODEC_ZSTD && version < ZSTD_FROM_VERSION)
        return refuse(&v, KAFKA_ERR_UNSUPPORTED_COMPRESSION_TYPE, "zstd needs a newer version of Produce");
    return v;
}

static bool is_in_time(const struct topic_config *config, int64_t timestamp_ms, int64_t now_ms)
{
    int64_t age;
    if (config->log_append_time || timestamp_ms < 0)
        return true;
    if (__builtin_sub_overflow(now_ms, timestamp_ms, &age))
        age = timestamp_ms < 0 ? INT64_MAX : -INT64_MAX;
    return age <= config->timestamp_before_max_ms && -age <= config->timestamp_after_max_ms;
}

/* The record is to blame, too: Kafka's clients fail it, and send the others of the batch once more. */
static void blame(struct verdict *v, int32_t record, int16_t error, const char *text, struct arena *arena)
{
    if (v->error == KAFKA_ERR_NONE)
        refuse(v, error, text);
    if (error == KAFKA_ERR_INVALID_TIMESTAMP)
        v->error = error; /* what Kafka says when there are both */
    if (v->blamed_count == VALIDATE_BLAMED_MAX)
        return;
    if ((v->blamed_count & (v->blamed_count - 1)) == 0) { /* 0, or a power of two: full */
        struct kafka_produce_response_record_error *more = arena_array(
            arena, struct kafka_produce_response_record_error, v->blamed_count ? 2 * v->blamed_count : 1);
        if (v->blamed_count)
            memcpy(more, v->blamed, v->blamed_count * sizeof *more);
        v->blamed = more;
    }
    v->blamed[v->blamed_count++] = (struct kafka_produce_response_record_error){
        .batch_index = record, .batch_index_error_message = str_of(text)};
}

static void validate_records(struct verdict *v, struct records_reader *reader,
                             const struct topic_config *config, int64_t now_ms, struct arena *arena)
{
    struct record record;
    bool more = true;
    for (int32_t i = 0;; i++) {
        if (!records_next(reader, &record, &more, NULL)) {
            v->blamed_count = 0;
            refuse(v, KAFKA_ERR_CORRUPT_MESSAGE, "a record is malformed");
            return;
        }
        if (!more)
            return;
        if (record.offset != i)
            blame(v, i, KAFKA_ERR_INVALID_RECORD, "a record's offset is not the next one", arena);
        else if (config->compact && record.key.p == NULL)
            blame(v, i, KAFKA_ERR_INVALID_RECORD, "a compacted topic takes no record without a key", arena);
        else if (reader->batch.attributes & RECORDS_LOG_APPEND_TIME)
            blame(v, i, KAFKA_ERR_INVALID_TIMESTAMP, "the time of appending is not the client's to set",
                  arena);
        else if (!is_in_time(config, record.timestamp_ms, now_ms))
            blame(v, i, KAFKA_ERR_INVALID_TIMESTAMP, "a record's timestamp is too far from now", arena);
    }
}

struct verdict records_validate(const uint8_t *p, size_t n, int version, const struct topic_config *config,
                                struct wall_time now, struct compress_ctx *ctx, struct arena *arena)
{
    struct verdict v = validate_header(p, n, version, config);
    struct records_reader reader;
    struct buf *scratch = NULL;
    if (v.error != KAFKA_ERR_NONE)
        return v;
    if (!records_open(p, n, ctx, &scratch, &reader, NULL))
        return refuse(&v, KAFKA_ERR_CORRUPT_MESSAGE, "the records cannot be decompressed");
    validate_records(&v, &reader, config, now.us / US_PER_MS, arena);
    buf_unref(scratch);
    return v;
}

/* Kafka's record batch, magic 2: on the wire, in segments, in the journal. Pure.
 *
 *     0  baseOffset i64            │  8  batchLength i32 (bytes after this field)
 *    12  partitionLeaderEpoch i32  │ 16  magic i8 = 2
 *    17  crc u32: CRC-32C of bytes 21 … end
 *    21  attributes i16            │ 23  lastOffsetDelta i32
 *    27  baseTimestamp i64 (ms)    │ 35  maxTimestamp i64 (ms)
 *    43  producerId i64            │ 51  producerEpoch i16  │ 53  baseSequence i32
 *    57  recordCount i32           │ 61  records (compressed as one stream when attributes say so)
 *
 * A record: length varint, attributes i8, timestampDelta varlong, offsetDelta varint, key length varint (−1 null), key, value length
 * varint (−1 null), value, header count varint, headers (key length varint, key, value length varint or −1, value).
 *
 * Bytes 0 … 20 are outside the checksum: whoever appends sets baseOffset and partitionLeaderEpoch in place. */
#ifndef FORMAT_RECORDS_H
#define FORMAT_RECORDS_H

#include "base/buf.h"
#include "base/bytes.h"
#include "base/err.h"
#include "base/str.h"

enum {
    RECORDS_HEADER = 61,
    RECORDS_MAGIC = 2,
    RECORDS_BATCH_BYTES_MAX = 64 << 20, /* limit of one batch, compressed and not */

    RECORDS_CODEC_MASK = 0x07,
    RECORDS_LOG_APPEND_TIME = 1 << 3,
    RECORDS_TRANSACTIONAL = 1 << 4,
    RECORDS_CONTROL = 1 << 5,
    RECORDS_DELETE_HORIZON = 1 << 6,
};

struct records_batch {
    int64_t base_offset, base_timestamp_ms, max_timestamp_ms, producer_id;
    int32_t leader_epoch, last_offset_delta, base_sequence, count;
    uint16_t attributes;
    int16_t producer_epoch;
    uint32_t size; /* bytes of the whole batch */
};

/* Reads the header of the batch at p[n] and checks its lengths: ERR_DATA, with code RECORDS_CUT when n is too short for
 * the whole batch (batch->size is set if the header was whole). check_crc: the checksum too. */
enum { RECORDS_CUT = 1 };
bool records_batch_read(const uint8_t *p, size_t n, bool check_crc, struct records_batch *batch,
                        struct err *err);
/* Makes the batch a part of a transaction of that producer, without sequences, in place. */
void records_batch_set_producer(uint8_t *p, size_t size, int64_t producer_id, int16_t producer_epoch);
/* Makes the batch one of an idempotent producer's, in place. */
void records_batch_set_sequence(uint8_t *p, size_t size, int64_t producer_id, int16_t producer_epoch,
                                int32_t base_sequence);
/* Sets baseOffset and partitionLeaderEpoch in place. */
void records_batch_place(uint8_t *p, int64_t base_offset, int32_t leader_epoch);
struct compress_ctx;
/* The whole batch at p[n], its records compressed by codec (format/compress.h) and all else as it was, in a new buffer: one reference, given. ERR_DATA: the
 * batch is damaged, its checksum included, or too large. */
bool records_batch_recompress(const uint8_t *p, size_t n, int codec, int level, struct compress_ctx *ctx,
                              struct buf **out, struct err *err);
/* Makes a batch without records of the one at p: offsets, sequence, producer and newest time stay. out[RECORDS_HEADER] */
void records_batch_empty(uint8_t *out, const uint8_t *p);
/* All its records get this time, in place: attribute, maxTimestamp, checksum. */
void records_batch_set_time(uint8_t *p, size_t size, int64_t timestamp_ms);

struct records_header {
    struct str key, value; /* value.p NULL = null */
};
struct record {
    int64_t offset, timestamp_ms;
    struct str key,
        value; /* borrowed from the batch, or from the scratch when it was compressed; p NULL = null */
    struct str headers; /* raw, for records_header_next */
    uint32_t header_count;
};

/* Goes through the records of one batch. A compressed batch is decompressed into a new buffer, *scratch (one
 * reference, given: the caller's to unref; NULL for an uncompressed batch), so that records point either into p or into
 * *scratch. ctx may be NULL where no compressed batch is expected (ERR_DATA then). */
struct records_reader {
    struct rd rd;
    struct records_batch batch;
    int32_t index;
};
bool records_open(const uint8_t *p, size_t n, struct compress_ctx *ctx, struct buf **scratch,
                  struct records_reader *reader, struct err *err);
/* true and *more = false after the last. ERR_DATA for malformed ones. */
bool records_next(struct records_reader *reader, struct record *record, bool *more, struct err *err);
/* Next header of a record; raw is advanced; false when there is none left, or it is malformed (records_next has checked). */
bool records_header_next(struct str *raw, struct records_header *header);

/* Builds batches, one behind the other, in one buffer that others may hold on to (a frame takes it by reference). Order: begin, add …,
 * end, more: begin_next, add …, end. Zeroed = empty and valid. */
struct records_builder {
    struct buf *
        buf; /* [0, start) whole batches, then the one being built: room for a header, uncompressed records */
    size_t start;       /* of the batch being built, or ended last */
    struct sbuf packed; /* its compressed records */
    int64_t base_timestamp_ms, max_timestamp_ms;
    int32_t count; /* of its records */
};
/* Forgets what was built. A buffer that others still hold is left to them. */
void records_begin(struct records_builder *b);
/* Keeps it: the next batch follows the one that has ended in the same buffer. */
void records_begin_next(struct records_builder *b);
/* key.p or value.p NULL = null. The first record's timestamp is the base. */
void records_add(struct records_builder *b, int64_t timestamp_ms, struct str key, struct str value,
                 const struct records_header *headers, uint32_t header_count);
/* Bytes of the batch being built if it ended now, uncompressed. */
static inline size_t records_size(const struct records_builder *b)
{
    return b->buf->n - b->start;
}
/* Ends the batch (count > 0): header, compression by codec (format/compress.h; ctx may be NULL for codec none), checksum, base offset 0, no
 * producer. A batch that would not become smaller stays uncompressed. (An uncompressed one can be ended again, to the same effect.) The bytes are borrowed from b->buf, until the next begin or add. */
bool records_end(struct records_builder *b, int codec, int level, struct compress_ctx *ctx, struct str *batch,
                 struct err *err);
void records_builder_fini(struct records_builder *b);

/* The end of a transaction, as a control batch of one record: key version i16, type i16 (0 = abort, 1 = commit); value version i16, epoch of
 * the coordinator i32. */
enum { RECORDS_MARKER_BYTES = RECORDS_HEADER + 17 };
struct records_marker {
    int64_t producer_id, timestamp_ms;
    int32_t coordinator_epoch;
    int16_t producer_epoch;
    bool commits;
};
void records_marker_put(uint8_t p[RECORDS_MARKER_BYTES], const struct records_marker *marker);
/* Of a control batch p[n]. False: it is another kind of control batch, or its record is gone. */
bool records_marker_read(const uint8_t *p, size_t n, struct records_marker *marker);

/* Who reads what is committed is told which transactions were aborted: records of this producer from first_offset on, up to its next abort
 * marker, are of no account. */
struct records_aborted {
    int64_t producer_id, first_offset;
};
/* What is known of them while batches are looked at one after the other. */
struct records_aborting {
    const struct records_aborted *aborted; /* aborted[aborted_count], by first offset; borrowed */
    size_t aborted_count, next;
    int64_t *
        producers; /* producers[aborted_count] of the caller: `count` of them have a transaction open that was aborted */
    size_t count;
};
/* Is the batch at p part of an aborted transaction? (A marker is not.) */
bool records_is_aborted(struct records_aborting *aborting, const uint8_t *p,
                        const struct records_batch *batch);

/* Kafka's default partitioner: murmur2 of the key, made positive, modulo partitions. */
int32_t records_partition(struct str key, int32_t partitions);
uint32_t records_murmur2(const void *p, size_t n);

#endif

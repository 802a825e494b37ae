#include "format/records.h"

#include "format/compress.h"

bool records_batch_read(const uint8_t *p, size_t n, bool check_crc, struct records_batch *batch,
                        struct err *err)
{
    *batch = (struct records_batch){0};
    if (n < RECORDS_HEADER) {
        err_set(err, ERR_DATA, "record batch cut: %zu of at least %d bytes", n, RECORDS_HEADER);
        if (err)
            err->code = RECORDS_CUT;
        return false;
    }
    int32_t length = (int32_t)get_be32(p + 8);
    if (p[16] != RECORDS_MAGIC)
        return err_set(err, ERR_DATA, "record batch of magic %d, only %d is supported", (int8_t)p[16],
                       RECORDS_MAGIC);
    if (length < RECORDS_HEADER - 12 || length > RECORDS_BATCH_BYTES_MAX)
        return err_set(err, ERR_DATA, "record batch of impossible length %d", length);
    batch->base_offset = (int64_t)get_be64(p);
    batch->size = (uint32_t)length + 12;
    batch->leader_epoch = (int32_t)get_be32(p + 12);
    batch->attributes = get_be16(p + 21);
    batch->last_offset_delta = (int32_t)get_be32(p + 23);
    batch->base_timestamp_ms = (int64_t)get_be64(p + 27);
    batch->max_timestamp_ms = (int64_t)get_be64(p + 35);
    batch->producer_id = (int64_t)get_be64(p + 43);
    batch->producer_epoch = (int16_t)get_be16(p + 51);
    batch->base_sequence = (int32_t)get_be32(p + 53);
    batch->count = (int32_t)get_be32(p + 57);
    if (n < batch->size) {
        err_set(err, ERR_DATA, "record batch cut: %zu of %u bytes", n, batch->size);
        if (err)
            err->code = RECORDS_CUT;
        return false;
    }
    if (batch->last_offset_delta < 0 || batch->count < 0 ||
        batch->count > batch->last_offset_delta + INT64_C(1))
        return err_set(err, ERR_DATA, "record batch says %d records in %lld offsets", batch->count,
                       (long long)batch->last_offset_delta + 1);
    if (check_crc && crc32c(0, p + 21, batch->size - 21) != get_be32(p + 17))
        return err_set(err, ERR_DATA, "record batch at offset %lld has a wrong checksum",
                       (long long)batch->base_offset);
    return true;
}

void records_batch_place(uint8_t *p, int64_t base_offset, int32_t leader_epoch)
{
    put_be64(p, (uint64_t)base_offset);
    put_be32(p + 12, (uint32_t)leader_epoch);
}

void records_batch_set_producer(uint8_t *p, size_t size, int64_t producer_id, int16_t producer_epoch)
{
    put_be16(p + 21, (uint16_t)(get_be16(p + 21) | RECORDS_TRANSACTIONAL));
    put_be64(p + 43, (uint64_t)producer_id);
    put_be16(p + 51, (uint16_t)producer_epoch);
    put_be32(p + 53, UINT32_MAX);
    put_be32(p + 17, crc32c(0, p + 21, size - 21));
}

void records_batch_set_sequence(uint8_t *p, size_t size, int64_t producer_id, int16_t producer_epoch,
                                int32_t base_sequence)
{
    put_be64(p + 43, (uint64_t)producer_id);
    put_be16(p + 51, (uint16_t)producer_epoch);
    put_be32(p + 53, (uint32_t)base_sequence);
    put_be32(p + 17, crc32c(0, p + 21, size - 21));
}

void records_batch_set_time(uint8_t *p, size_t size, int64_t timestamp_ms)
{
    put_be16(p + 21, (uint16_t)(get_be16(p + 21) | RECORDS_LOG_APPEND_TIME));
    put_be64(p + 35, (uint64_t)timestamp_ms);
    put_be32(p + 17, crc32c(0, p + 21, size - 21));
}

void records_batch_empty(uint8_t *out, const uint8_t *p)
{
    memmove(out, p, RECORDS_HEADER);
    put_be32(out + 8, RECORDS_HEADER - 12);
    put_be16(out + 21, get_be16(p + 21) & (uint16_t) ~(RECORDS_CODEC_MASK | RECORDS_DELETE_HORIZON));
    put_be64(out + 27, UINT64_MAX);
    put_be32(out + 57, 0);
    put_be32(out + 17, crc32c(0, out + 21, RECORDS_HEADER - 21));
}

bool records_open(const uint8_t *p, size_t n, struct compress_ctx *ctx, struct buf **scratch,
                  struct records_reader *reader, struct err *err)
{
    *scratch = NULL;
    *reader = (struct records_reader){0};
    TRY(records_batch_read(p, n, false, &reader->batch, err));
    size_t body = reader->batch.size - RECORDS_HEADER;
    int codec = reader->batch.attributes & RECORDS_CODEC_MASK;
    if (codec == CODEC_NONE) {
        reader->rd = rd_of(p + RECORDS_HEADER, body);
        return true;
    }
    if (codec >= CODEC_COUNT || ctx == NULL)
        return err_set(err, ERR_DATA, "record batch with compression codec %d cannot be read here", codec);
    if (!codec_decompress_buf(ctx, (enum codec)codec, FORM_KAFKA, p + RECORDS_HEADER, body,
                              RECORDS_BATCH_BYTES_MAX, scratch, err))
        return err_context(err, "record batch at offset %lld", (long long)reader->batch.base_offset);
    reader->rd = rd_of((*scratch)->p, (*scratch)->n);
    return true;
}

/* A varint length and that many bytes; −1 gives p NULL. */
static struct str take_text(struct rd *rd)
{
    int64_t n = rd_varint(rd);
    if (n == -1)
        return (struct str){0};
    if (n < 0)
        rd->bad = true;
    const uint8_t *p = rd_take(rd, n < 0 ? 0 : (size_t)n);
    return p ? str_n(p, (size_t)n) : (struct str){0};
}

static bool bad_record(const struct records_reader *reader, struct err *err)
{
    return err_set(err, ERR_DATA, "record %d of the batch at offset %lld is malformed", reader->index,
                   (long long)reader->batch.base_offset);
}

bool records_next(struct records_reader *reader, struct record *record, bool *more, struct err *err)
{
    *more = reader->index < reader->batch.count;
    if (!*more)
        return rd_left(&reader->rd) == 0 ||
               err_set(err, ERR_DATA, "record batch at offset %lld has %zu bytes after its last record",
                       (long long)reader->batch.base_offset, rd_left(&reader->rd));
    int64_t length = rd_varint(&reader->rd);
    const uint8_t *p = length < 0 ? NULL : rd_take(&reader->rd, (size_t)length);
    if (p == NULL)
        return bad_record(reader, err);
    struct rd rd = rd_of(p, (size_t)length);
    rd_u8(&rd);
    int64_t time_delta = rd_varint(&rd);
    int64_t offset_delta = rd_varint(&rd);
    bool log_time = reader->batch.attributes & RECORDS_LOG_APPEND_TIME;
    record->timestamp_ms = log_time
                               ? reader->batch.max_timestamp_ms
                               : (int64_t)((uint64_t)reader->batch.base_timestamp_ms + (uint64_t)time_delta);
    record->key = take_text(&rd);
    record->value = take_text(&rd);
    int64_t header_count = rd_varint(&rd);
    if (rd.bad || __builtin_add_overflow(reader->batch.base_offset, offset_delta, &record->offset) ||
        offset_delta < 0 || offset_delta > reader->batch.last_offset_delta || header_count < 0 ||
        (uint64_t)header_count > rd_left(&rd) / 2)
        return bad_record(reader, err);
    record->header_count = (uint32_t)header_count;
    record->headers = str_n(rd.p, rd_left(&rd));
    for (int64_t i = 0; i < header_count; i++) {
        if (take_text(&rd).p == NULL)
            rd.bad = true;
        take_text(&rd);
    }
    if (rd.bad || rd_left(&rd) != 0)
        return bad_record(reader, err);
    reader->index++;
    return true;
}

bool records_header_next(struct str *raw, struct records_header *header)
{
    if (raw->n == 0)
        return false;
    struct rd rd = rd_of(raw->p, raw->n);
    header->key = take_text(&rd);
    header->value = take_text(&rd);
    *raw = str_n(rd.p, rd_left(&rd));
    return !rd.bad;
}

/* Room for n bytes more at the end of the buffer. */
static uint8_t *make_room(struct records_builder *b, size_t n)
{
    size_t used = b->buf ? b->buf->n : 0, wanted = used + n;
    if (b->buf == NULL || wanted > b->buf->capacity) {
        size_t capacity = b->buf ? b->buf->capacity * 2 : 1024;
        struct buf *larger = buf_new(capacity > wanted ? capacity : wanted);
        if (used)
            memcpy(larger->p, b->buf->p, used);
        larger->n = used;
        buf_unref(b->buf);
        b->buf = larger;
    }
    return b->buf->p + used;
}

void records_begin(struct records_builder *b)
{
    if (b->buf != NULL && buf_is_shared(b->buf)) {
        struct buf *fresh = buf_new(b->buf->capacity);
        buf_unref(b->buf);
        b->buf = fresh;
    }
    if (b->buf != NULL)
        b->buf->n = 0;
    records_begin_next(b);
}

void records_begin_next(struct records_builder *b)
{
    make_room(b, RECORDS_HEADER);
    b->start = b->buf->n;
    b->buf->n += RECORDS_HEADER;
    b->count = 0;
}

static uint8_t *put_text(uint8_t *at, struct str s)
{
    at += put_varint(at, s.p ? (int64_t)s.n : -1);
    if (s.n)
        memcpy(at, s.p, s.n);
    return at + s.n;
}

static size_t text_size(struct str s)
{
    return s.p ? varint_size((int64_t)s.n) + s.n : 1;
}

void records_add(struct records_builder *b, int64_t timestamp_ms, struct str key, struct str value,
                 const struct records_header *headers, uint32_t header_count)
{
    DCHECK(records_size(b) >= RECORDS_HEADER);
    if (b->count == 0)
        b->base_timestamp_ms = b->max_timestamp_ms = timestamp_ms;
    if (timestamp_ms > b->max_timestamp_ms)
        b->max_timestamp_ms = timestamp_ms;
    int64_t time_delta = (int64_t)((uint64_t)timestamp_ms - (uint64_t)b->base_timestamp_ms);
    size_t size = 1 + varint_size(time_delta) + varint_size(b->count) + text_size(key) + text_size(value) +
                  varint_size(header_count);
    for (uint32_t i = 0; i < header_count; i++)
        size += text_size(headers[i].key) + text_size(headers[i].value);
    uint8_t *start = make_room(b, size + VARINT_MAX), *at = start;
    at += put_varint(at, (int64_t)size);
    *at++ = 0;
    at += put_varint(at, time_delta);
    at += put_varint(at, b->count);
    at = put_text(at, key);
    at = put_text(at, value);
    at += put_varint(at, header_count);
    for (uint32_t i = 0; i < header_count; i++)
        at = put_text(put_text(at, headers[i].key), headers[i].value);
    b->buf->n += (size_t)(at - start);
    b->count++;
}

static void put_batch_header(const struct records_builder *b, uint8_t *p, size_t n, int codec)
{
    put_be64(p, 0);
    put_be32(p + 8, (uint32_t)(n - 12));
    put_be32(p + 12, 0);
    p[16] = RECORDS_MAGIC;
    put_be16(p + 21, (uint16_t)codec);
    put_be32(p + 23, (uint32_t)(b->count - 1));
    put_be64(p + 27, (uint64_t)b->base_timestamp_ms);
    put_be64(p + 35, (uint64_t)b->max_timestamp_ms);
    put_be64(p + 43, UINT64_MAX);
    put_be16(p + 51, UINT16_MAX);
    put_be32(p + 53, UINT32_MAX);
    put_be32(p + 57, (uint32_t)b->count);
    put_be32(p + 17, crc32c(0, p + 21, n - 21));
}

bool records_batch_recompress(const uint8_t *p, size_t n, int codec, int level, struct compress_ctx *ctx,
                              struct buf **out, struct err *err)
{
    struct records_reader reader;
    struct records_batch checked;
    struct buf *scratch, *to = NULL;
    bool done = false;
    TRY(records_batch_read(p, n, true, &checked, err));
    TRY(records_open(p, n, ctx, &scratch, &reader, err));
    size_t raw = rd_left(&reader.rd), body = raw;
    if (RECORDS_HEADER - 12 + raw > RECORDS_BATCH_BYTES_MAX) {
        err_set(err, ERR_DATA, "record batch of %zu bytes is over the limit of %d", RECORDS_HEADER + raw,
                RECORDS_BATCH_BYTES_MAX);
        goto out;
    }
    size_t bound = codec == CODEC_NONE ? raw : codec_bound((enum codec)codec, FORM_KAFKA, raw);
    to = buf_new(RECORDS_HEADER + bound);
    if (codec == CODEC_NONE)
        memcpy(to->p + RECORDS_HEADER, reader.rd.p, raw);
    else
        TRY_OUT(codec_compress(ctx, (enum codec)codec, FORM_KAFKA, level, reader.rd.p, raw,
                               to->p + RECORDS_HEADER, bound, &body, err));
    memcpy(to->p, p, RECORDS_HEADER);
    to->n = RECORDS_HEADER + body;
    put_be32(to->p + 8, (uint32_t)(to->n - 12));
    put_be16(to->p + 21, (uint16_t)((checked.attributes & ~RECORDS_CODEC_MASK) | codec));
    put_be32(to->p + 17, crc32c(0, to->p + 21, to->n - 21));
    *out = buf_ref(to);
    done = true;
out:
    buf_unref(to);
    buf_unref(scratch);
    return done;
}

/* The records, body[n], in place of themselves; *n = their size now. */
static bool pack(struct records_builder *b, enum codec codec, int level, struct compress_ctx *ctx,
                 uint8_t *body, size_t *n, struct err *err)
{
    size_t bound = codec_bound(codec, FORM_KAFKA, *n), size;
    sbuf_clear(&b->packed);
    uint8_t *packed = (uint8_t *)sbuf_reserve(&b->packed, bound);
    TRY(codec_compress(ctx, codec, FORM_KAFKA, level ? level : COMPRESS_LEVEL_DEFAULT, body, *n, packed,
                       bound, &size, err));
    if (size < *n) {
        memcpy(body, packed, size);
        *n = size;
    }
    return true;
}

bool records_end(struct records_builder *b, int codec, int level, struct compress_ctx *ctx, struct str *batch,
                 struct err *err)
{
    CHECK(b->count > 0 && (codec == CODEC_NONE || ctx != NULL));
    uint8_t *p = b->buf->p + b->start;
    size_t raw = records_size(b) - RECORDS_HEADER, body = raw;
    if (RECORDS_HEADER - 12 + raw > RECORDS_BATCH_BYTES_MAX)
        return err_set(err, ERR_DATA, "record batch of %zu bytes is over the limit of %d",
                       RECORDS_HEADER + raw, RECORDS_BATCH_BYTES_MAX);
    if (codec != CODEC_NONE)
        TRY(pack(b, (enum codec)codec, level, ctx, p + RECORDS_HEADER, &body, err));
    size_t n = RECORDS_HEADER + body;
    put_batch_header(b, p, n, body < raw ? codec : CODEC_NONE);
    *batch = str_n(p, n);
    b->buf->n = b->start + n;
    return true;
}

void records_builder_fini(struct records_builder *b)
{
    buf_unref(b->buf);
    sbuf_fini(&b->packed);
    *b = (struct records_builder){0};
}

enum { MARKER_KEY = 4, MARKER_VALUE = 6 };

void records_marker_put(uint8_t p[RECORDS_MARKER_BYTES], const struct records_marker *marker)
{
    memset(p, 0, RECORDS_MARKER_BYTES);
    put_be32(p + 8, RECORDS_MARKER_BYTES - 12);
    p[16] = RECORDS_MAGIC;
    put_be16(p + 21, RECORDS_TRANSACTIONAL | RECORDS_CONTROL);
    put_be64(p + 27, (uint64_t)marker->timestamp_ms);
    put_be64(p + 35, (uint64_t)marker->timestamp_ms);
    put_be64(p + 43, (uint64_t)marker->producer_id);
    put_be16(p + 51, (uint16_t)marker->producer_epoch);
    put_be32(p + 53, UINT32_MAX);
    put_be32(p + 57, 1);
    uint8_t *record = p + RECORDS_HEADER;
    put_varint(record, 16);
    put_varint(record + 4, MARKER_KEY); /* before it: attributes and deltas, all 0 */
    put_be16(record + 7, marker->commits);
    put_varint(record + 9, MARKER_VALUE);
    put_be32(record + 12, (uint32_t)marker->coordinator_epoch);
    put_be32(p + 17, crc32c(0, p + 21, RECORDS_MARKER_BYTES - 21));
}

bool records_marker_read(const uint8_t *p, size_t n, struct records_marker *marker)
{
    struct records_reader reader;
    struct record record;
    struct buf *none;
    bool more;
    if (!records_open(p, n, NULL, &none, &reader, NULL) || !(reader.batch.attributes & RECORDS_CONTROL) ||
        !records_next(&reader, &record, &more, NULL) || !more)
        return false;
    if (record.key.n < MARKER_KEY || record.value.n < MARKER_VALUE || get_be16(record.key.p) != 0)
        return false;
    uint16_t type = get_be16(record.key.p + 2);
    *marker = (struct records_marker){.producer_id = reader.batch.producer_id,
                                      .timestamp_ms = record.timestamp_ms,
                                      .coordinator_epoch = (int32_t)get_be32(record.value.p + 2),
                                      .producer_epoch = reader.batch.producer_epoch,
                                      .commits = type == 1};
    return type <= 1;
}

bool records_is_aborted(struct records_aborting *a, const uint8_t *p, const struct records_batch *batch)
{
    int64_t last = batch->base_offset + batch->last_offset_delta;
    for (; a->next < a->aborted_count && a->aborted[a->next].first_offset <= last; a->next++)
        a->producers[a->count++] = a->aborted[a->next].producer_id;
    size_t i = 0;
    while (i < a->count && a->producers[i] != batch->producer_id)
        i++;
    struct records_marker marker;
    if (i == a->count || !(batch->attributes & RECORDS_TRANSACTIONAL))
        return false;
    if (!(batch->attributes & RECORDS_CONTROL))
        return true;
    if (records_marker_read(p, batch->size, &marker) && !marker.commits)
        a->producers[i] = a->producers[--a->count];
    return false;
}

uint32_t records_murmur2(const void *data, size_t n)
{
    const uint32_t m = UINT32_C(0x5bd1e995);
    const uint8_t *p = data;
    uint32_t h = UINT32_C(0x9747b28c) ^ (uint32_t)n;
    size_t left = n;
    for (; left >= 4; p += 4, left -= 4) {
        uint32_t k = get_le32(p) * m;
        h = h * m ^ (k ^ k >> 24) * m;
    }
    for (size_t i = left; i > 0; i--)
        h ^= (uint32_t)p[i - 1] << (8 * (i - 1));
    if (left > 0)
        h *= m;
    h = (h ^ h >> 13) * m;
    return h ^ h >> 15;
}

int32_t records_partition(struct str key, int32_t partitions)
{
    return (int32_t)((records_murmur2(key.p, key.n) & INT32_MAX) % (uint32_t)partitions);
}

/* Any bytes as Kafka record batches, with the checksum as it is and with one that fits; what is read is written again, and read as the same. */
#include "format/compress.h"
#include "format/records.h"

static bool same(struct str a, struct str b)
{
    return (a.p == NULL) == (b.p == NULL) && str_eq(a, b);
}

/* The same records once more; headers are not carried over. */
static void write_again(const struct record *records, size_t count, struct compress_ctx *ctx, int codec)
{
    struct records_builder b = {0};
    struct records_reader reader;
    struct record record;
    struct buf *scratch = NULL;
    struct str batch;
    struct err err = {0};
    bool more;
    records_begin(&b);
    for (size_t i = 0; i < count; i++)
        records_add(&b, records[i].timestamp_ms, records[i].key, records[i].value, NULL, 0);
    CHECK(records_end(&b, codec, 0, ctx, &batch, &err));
    CHECK(records_open((const uint8_t *)batch.p, batch.n, ctx, &scratch, &reader, &err));
    for (size_t i = 0; i < count; i++) {
        CHECK(records_next(&reader, &record, &more, &err) && more);
        CHECK(record.offset == (int64_t)i && record.timestamp_ms == records[i].timestamp_ms &&
              same(record.key, records[i].key) && same(record.value, records[i].value));
    }
    CHECK(records_next(&reader, &record, &more, &err) && !more);
    if (scratch)
        buf_unref(scratch);
    records_builder_fini(&b);
}

static void read_batch(const uint8_t *p, size_t n, struct compress_ctx *ctx)
{
    enum { KEPT = 64 };
    struct record kept[KEPT], record;
    struct records_reader reader;
    struct buf *scratch = NULL;
    struct err err;
    size_t count = 0;
    bool more = true;
    if (!records_open(p, n, ctx, &scratch, &reader, &err))
        return;
    int64_t offset = INT64_MIN;
    while (records_next(&reader, &record, &more, &err) && more) {
        struct str raw = record.headers;
        struct records_header header;
        uint32_t headers = 0;
        while (records_header_next(&raw, &header))
            headers++;
        CHECK(headers == record.header_count);
        offset = record.offset;
        CHECK(offset >= reader.batch.base_offset);
        if (count < KEPT)
            kept[count++] = record;
    }
    if (count > 0)
        write_again(kept, count, ctx, reader.batch.attributes & RECORDS_CODEC_MASK);
    if (scratch)
        buf_unref(scratch);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct compress_ctx *ctx = compress_ctx_new();
    struct records_batch batch;
    struct err err;
    uint8_t *copy = mem_new(size + 1);
    memcpy(copy, data, size);
    if (records_batch_read(data, size, true, &batch, &err))
        CHECK(batch.size <= size);
    read_batch(data, size, ctx);
    if (records_batch_read(data, size, false, &batch, &err)) { /* the rest is all right, too */
        put_be32(copy + 17, crc32c(0, copy + 21, batch.size - 21));
        CHECK(records_batch_read(copy, size, true, &batch, &err));
        read_batch(copy, size, ctx);
    }
    mem_free(copy);
    compress_ctx_free(ctx);
    return 0;
}

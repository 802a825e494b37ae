#include "format/records.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/test.h"
#include "format/compress.h"

static void build(struct records_builder *b, int count)
{
    records_begin(b);
    for (int i = 0; i < count; i++) {
        char key[16], value[64];
        int k = snprintf(key, sizeof key, "k%d", i % 7);
        int v = snprintf(value, sizeof value, "value number %d", i);
        struct records_header headers[2] = {{STR("source"), STR("test")}, {STR("none"), {0}}};
        records_add(b, 1000 + (i % 3) * 50 - i, i % 5 ? str_n(key, (size_t)k) : (struct str){0},
                    i % 4 ? str_n(value, (size_t)v) : (struct str){0}, headers, (uint32_t)(i % 3));
    }
}

static void expect_records(struct str batch, struct compress_ctx *ctx, int count, int64_t base)
{
    struct err err;
    struct buf *scratch;
    struct records_reader reader;
    struct record record;
    bool more;
    EXPECT(records_open((const uint8_t *)batch.p, batch.n, ctx, &scratch, &reader, &err));
    for (int i = 0; i < count; i++) {
        char value[64];
        int v = snprintf(value, sizeof value, "value number %d", i);
        if (!EXPECT(records_next(&reader, &record, &more, &err) && more))
            break;
        EXPECT_EQ_INT(record.offset, base + i);
        EXPECT_EQ_INT(record.timestamp_ms, 1000 + (i % 3) * 50 - i);
        EXPECT_EQ_INT(record.key.p == NULL, i % 5 == 0);
        EXPECT(i % 4 ? str_eq(record.value, str_n(value, (size_t)v)) : record.value.p == NULL);
        EXPECT_EQ_INT(record.header_count, i % 3);
        struct records_header header;
        uint32_t headers = 0;
        while (records_header_next(&record.headers, &header))
            headers++;
        EXPECT_EQ_INT(headers, i % 3);
    }
    EXPECT(records_next(&reader, &record, &more, &err) && !more);
    buf_unref(scratch);
}

TEST(round_trip_in_every_codec)
{
    struct compress_ctx *ctx = compress_ctx_new();
    struct records_builder b = {0};
    for (int codec = 0; codec < CODEC_COUNT; codec++) {
        for (int count = 1; count < 3000; count = count * 3 + 1) {
            struct str batch;
            struct err err;
            build(&b, count);
            EXPECT(records_end(&b, codec, 0, ctx, &batch, &err));
            struct records_batch head;
            EXPECT(records_batch_read((const uint8_t *)batch.p, batch.n, true, &head, &err));
            EXPECT_EQ_INT(head.count, count);
            records_batch_place((uint8_t *)(uintptr_t)batch.p, 77, 3);
            EXPECT(records_batch_read((const uint8_t *)batch.p, batch.n, true, &head,
                                      &err)); /* outside the checksum */
            EXPECT_EQ_INT(head.leader_epoch, 3);
            expect_records(batch, ctx, count, 77);
        }
    }
    records_builder_fini(&b);
    compress_ctx_free(ctx);
}

TEST(batches_follow_in_one_buffer_that_others_hold)
{
    struct compress_ctx *ctx = compress_ctx_new();
    struct records_builder b = {0};
    struct str batch[3];
    struct err err;
    for (int i = 0; i < 3; i++) { /* the second does not shrink, so it stays as it is */
        i ? records_begin_next(&b) : records_begin(&b);
        for (int k = 0; k < (i == 1 ? 1 : 200); k++)
            records_add(&b, 5, STR("k"), STR("the same again and again"), NULL, 0);
        EXPECT(records_end(&b, CODEC_ZSTD, 0, ctx, &batch[i], &err));
    }
    struct buf *held = buf_ref(b.buf);
    for (size_t at = 0, i = 0; at < held->n; i++) {
        struct records_batch head;
        EXPECT(records_batch_read(held->p + at, held->n - at, true, &head, &err));
        EXPECT_EQ_INT(head.size, batch[i].n);
        EXPECT_EQ_INT(head.count, i == 1 ? 1 : 200);
        EXPECT_EQ_INT(head.attributes, i == 1 ? CODEC_NONE : CODEC_ZSTD);
        EXPECT(i == 1 || head.size < 2000);
        at += head.size;
    }
    size_t n = held->n;
    uint32_t before = crc32c(0, held->p, n);
    records_begin(&b); /* somebody holds the buffer: it is left alone */
    records_add(&b, 6, (struct str){0}, STR("other"), NULL, 0);
    EXPECT(b.buf != held && held->n == n && crc32c(0, held->p, n) == before);
    buf_unref(held);
    const struct buf *same = b.buf;
    records_begin(&b);
    EXPECT(b.buf == same);
    records_builder_fini(&b);
    compress_ctx_free(ctx);
}

TEST(damage_is_found)
{
    struct records_builder b = {0};
    struct str batch;
    struct err err;
    struct records_batch head;
    build(&b, 20);
    EXPECT(records_end(&b, CODEC_NONE, 0, NULL, &batch, &err));
    uint8_t *p = (uint8_t *)(uintptr_t)batch.p;
    for (size_t i = 16; i < batch.n; i++) {
        p[i] ^= 0x10;
        EXPECT(!records_batch_read(p, batch.n, true, &head, &err));
        p[i] ^= 0x10;
    }
    for (size_t n = 0; n < batch.n; n++)
        EXPECT(!records_batch_read(p, n, true, &head, &err) && err.code == RECORDS_CUT);
    records_builder_fini(&b);
}

/* A record that Kafka's console producer wrote for the line "a:N,b:|kN%7|value number N éé yyy…", or for "a:40,b:|NULL|NULL". */
static void expect_console_record(const struct record *record, int n)
{
    char key[16], value[128], a[16];
    struct str raw = record->headers;
    struct records_header header;
    snprintf(key, sizeof key, "k%d", n % 7);
    snprintf(value, sizeof value, "value number %d éé yyyyyyyyyyyyyyyyyyyyyyyyyyyyyy", n);
    snprintf(a, sizeof a, "%d", n);
    EXPECT_EQ_INT(record->offset, n);
    EXPECT(record->timestamp_ms > INT64_C(1700000000000));
    EXPECT(n < 40 ? str_is(record->key, key) : record->key.p == NULL);
    EXPECT(n < 40 ? str_is(record->value, value) : record->value.p == NULL);
    EXPECT_EQ_INT(record->header_count, 2);
    EXPECT(records_header_next(&raw, &header) && str_is(header.key, "a") && str_is(header.value, a));
    EXPECT(records_header_next(&raw, &header) && str_is(header.key, "b") && header.value.p &&
           header.value.n == 0);
}

/* Segments that Kafka 4.3.1 wrote: by its console producer with each codec, and by a transactional one. */
TEST(segments_of_kafka_are_read)
{
    static const char *const names[] = {"none", "gzip", "snappy", "lz4", "zstd", "txn"};
    const char *source = getenv("SLUICE_SOURCE");
    struct compress_ctx *ctx = compress_ctx_new();
    for (int i = 0; i < 6; i++) {
        char path[512];
        uint8_t bytes[8192];
        snprintf(path, sizeof path, "%s/tests/ref/kafka_segments/%s.log", source ? source : ".", names[i]);
        FILE *file = fopen(path, "rb");
        if (!EXPECT(file != NULL))
            break;
        size_t size = fread(bytes, 1, sizeof bytes, file);
        fclose(file);
        int records = 0, markers = 0;
        for (size_t at = 0; at < size;) {
            struct records_reader reader;
            struct record record;
            struct buf *scratch;
            struct err err;
            bool more = true;
            EXPECT(records_batch_read(bytes + at, size - at, true, &reader.batch, &err));
            if (!EXPECT(records_open(bytes + at, size - at, ctx, &scratch, &reader, &err)))
                break;
            EXPECT_EQ_INT(reader.batch.attributes & RECORDS_CODEC_MASK, i < 5 ? i : CODEC_NONE);
            EXPECT_EQ_INT((reader.batch.attributes & RECORDS_TRANSACTIONAL) != 0, i == 5);
            EXPECT(reader.batch.producer_id >= 0);
            for (; EXPECT(records_next(&reader, &record, &more, &err)) && more; records++) {
                if (i < 5)
                    expect_console_record(&record, records);
                markers += (reader.batch.attributes & RECORDS_CONTROL) != 0;
            }
            at += reader.batch.size;
            buf_unref(scratch);
        }
        EXPECT(i < 5 ? records == 41 && markers == 0 : records == 3 + markers && markers > 0);
    }
    compress_ctx_free(ctx);
}

TEST(a_batch_is_packed_anew)
{
    struct compress_ctx *ctx = compress_ctx_new();
    struct records_builder b = {0};
    struct str batch;
    struct err err;
    struct buf *packed, *again;
    records_begin(&b);
    for (int i = 0; i < 50; i++)
        records_add(&b, 1000 + i, STR("a key"), STR("a value that comes again and again"), NULL, 0);
    EXPECT(records_end(&b, CODEC_NONE, COMPRESS_LEVEL_DEFAULT, NULL, &batch, &err));
    uint8_t *p = b.buf->p;
    put_be64(p + 43, 77); /* producer, epoch, sequence: they stay */
    put_be16(p + 51, 3);
    put_be32(p + 53, 9);
    put_be16(p + 21, RECORDS_TRANSACTIONAL);
    put_be32(p + 17, crc32c(0, p + 21, batch.n - 21));
    for (int codec = CODEC_NONE; codec < CODEC_COUNT; codec++) {
        struct records_batch header;
        EXPECT(records_batch_recompress(p, batch.n, codec, COMPRESS_LEVEL_DEFAULT, ctx, &packed, &err));
        EXPECT(records_batch_read(packed->p, packed->n, true, &header, &err) && header.size == packed->n);
        EXPECT_EQ_INT(header.attributes, RECORDS_TRANSACTIONAL | codec);
        EXPECT(header.producer_id == 77 && header.producer_epoch == 3 && header.base_sequence == 9);
        EXPECT(header.count == 50 && header.last_offset_delta == 49 && header.max_timestamp_ms == 1049);
        EXPECT((packed->n < batch.n) == (codec != CODEC_NONE));
        EXPECT(records_batch_recompress(packed->p, packed->n, CODEC_NONE, 0, ctx, &again, &err));
        EXPECT(again->n == batch.n && memcmp(again->p, p, batch.n) == 0);
        packed->p[30] ^= 1;
        buf_unref(again);
        EXPECT(!records_batch_recompress(packed->p, packed->n, CODEC_NONE, 0, ctx, &again, &err));
        buf_unref(packed);
    }
    records_builder_fini(&b);
    compress_ctx_free(ctx);
}

/* The values that Kafka's own test of its hash expects. */
TEST(murmur2_is_kafkas)
{
    static const struct {
        const char *key;
        int32_t hash;
    } known[] = {{"21", -973932308},
                 {"foobar", -790332482},
                 {"a-little-bit-long-string", -985981536},
                 {"a-little-bit-longer-string", -1486304829},
                 {"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971},
                 {"abc", 479470107}};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        EXPECT_EQ_INT((int32_t)records_murmur2(known[i].key, strlen(known[i].key)), known[i].hash);
    for (int i = 1; i < 20; i++)
        EXPECT(records_partition(STR("foobar"), i) >= 0 && records_partition(STR("foobar"), i) < i);
}

int main(void)
{
    RUN(round_trip_in_every_codec);
    RUN(batches_follow_in_one_buffer_that_others_hold);
    RUN(damage_is_found);
    RUN(a_batch_is_packed_anew);
    RUN(segments_of_kafka_are_read);
    RUN(murmur2_is_kafkas);
    return test_end();
}

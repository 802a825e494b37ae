#include "format/compress.h"

#include "base/bytes.h"
#include "base/test.h"

static struct compress_ctx *ctx;
static uint8_t plain[300000];

static void fill(unsigned kind)
{
    uint32_t x = 1;
    for (size_t i = 0; i < sizeof plain; i++) {
        x = x * 1664525 + 1013904223;
        plain[i] = kind == 0 ? (uint8_t)(x >> 24) : kind == 1 ? (uint8_t)("city, country"[x >> 29]) : 7;
    }
}

static const size_t sizes[] = {0, 1, 2, 17, 1000, 32768, 32769, 65536, 300000};

static void round_trip(enum codec codec, enum compress_form form, size_t n, int level)
{
    struct err err;
    struct sbuf back = {0};
    size_t capacity = codec_bound(codec, form, n), size;
    uint8_t *out = mem_new(capacity + 1);
    sbuf_cstr(&back, "before");
    EXPECT(codec_compress(ctx, codec, form, level, plain, n, out, capacity, &size, &err));
    EXPECT(size <= capacity);
    if (EXPECT(codec_decompress(ctx, codec, form, out, size, &back, n, &err)) &&
        EXPECT_EQ_INT(back.n, n + 6)) {
        EXPECT_MEM(back.p, "before", 6);
        EXPECT_MEM(back.p + 6, plain, n);
    }
    uint8_t *exact = mem_new(n + 1);
    if (EXPECT(codec_decompress_exact(ctx, codec, form, out, size, exact, n, &err)))
        EXPECT_MEM(exact, plain, n);
    if (n > 0) {
        EXPECT(!codec_decompress(ctx, codec, form, out, size, &back, n - 1, &err));
        EXPECT_EQ_INT(err.class, ERR_DATA);
        EXPECT_EQ_INT(back.n, n + 6);
        EXPECT(!codec_decompress_exact(ctx, codec, form, out, size, exact, n - 1, &err));
    }
    EXPECT(!codec_decompress_exact(ctx, codec, form, out, size, exact, n + 1, &err));
    struct buf *buf = NULL;
    if (EXPECT(codec_decompress_buf(ctx, codec, form, out, size, n, &buf, &err)))
        EXPECT(buf->n == n && (n == 0 || memcmp(buf->p, plain, n) == 0));
    buf_unref(buf);
    mem_free(exact);
    mem_free(out);
    sbuf_fini(&back);
}

TEST(every_codec_gives_back_what_it_took)
{
    for (unsigned kind = 0; kind < 3; kind++) {
        fill(kind);
        for (unsigned codec = 0; codec < CODEC_COUNT; codec++)
            for (unsigned form = FORM_KAFKA; form <= FORM_PARQUET; form++)
                for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
                    for (int level = -70; level <= 30; level += 33)
                        round_trip((enum codec)codec, (enum compress_form)form, sizes[i],
                                   level == -4 ? COMPRESS_LEVEL_DEFAULT : level);
    }
}

TEST(cut_and_damaged_bytes_are_errors_not_crashes)
{
    struct err err;
    static uint8_t out[400000];
    size_t n;
    fill(1);
    for (unsigned codec = 1; codec < CODEC_COUNT; codec++) {
        for (unsigned form = FORM_KAFKA; form <= FORM_PARQUET; form++) {
            EXPECT(codec_compress(ctx, (enum codec)codec, (enum compress_form)form, COMPRESS_LEVEL_DEFAULT,
                                  plain, 5000, out, sizeof out, &n, &err));
            for (size_t cut = 0; cut < n; cut += 1 + n / 50) {
                struct sbuf back = {0};
                bool done = codec_decompress(ctx, (enum codec)codec, (enum compress_form)form, out, cut,
                                             &back, 100000, &err);
                EXPECT(!done || back.n < 5000); /* xerial blocks and raw LZ4 may end early in a legal place */
                sbuf_fini(&back);
            }
            for (size_t at = 0; at < n; at += 1 + n / 300) {
                struct sbuf back = {0};
                out[at] ^= 0x55;
                codec_decompress(ctx, (enum codec)codec, (enum compress_form)form, out, n, &back, 100000,
                                 &err);
                EXPECT(back.n <= 100000);
                out[at] ^= 0x55;
                sbuf_fini(&back);
            }
        }
    }
}

TEST(kafka_forms_are_the_documented_bytes)
{
    struct err err;
    size_t n;
    fill(2);
    static uint8_t big[70000];
    EXPECT(codec_compress(ctx, CODEC_SNAPPY, FORM_KAFKA, 0, plain, 10, big, sizeof big, &n, &err));
    EXPECT_MEM(big, "\x82SNAPPY\0\0\0\0\1\0\0\0\1", 16);
    EXPECT_EQ_INT(get_be32(big + 16), n - 20);
    EXPECT(codec_compress(ctx, CODEC_LZ4, FORM_KAFKA, 0, plain, 10, big, sizeof big, &n, &err));
    EXPECT_EQ_INT(get_le32(big), 0x184D2204);
    EXPECT_EQ_INT(big[4] & 0xF8, 0x60); /* version 1, independent blocks, no checksums, no size */
    EXPECT_EQ_INT(big[5], 0x40);        /* 64 KiB */
    EXPECT(codec_compress(ctx, CODEC_SNAPPY, FORM_PARQUET, 0, plain, 1000, big, sizeof big, &n, &err));
    struct sbuf back = {0}; /* raw snappy is read in Kafka's form as well */
    EXPECT(codec_decompress(ctx, CODEC_SNAPPY, FORM_KAFKA, big, n, &back, 1000, &err));
    EXPECT_EQ_INT(back.n, 1000);
    sbuf_fini(&back);
}

TEST(members_and_frames_may_follow_each_other)
{
    static uint8_t out[4000];
    struct err err;
    fill(1);
    for (unsigned codec = 1; codec < CODEC_COUNT; codec++) {
        size_t n = 0;
        static uint8_t piece[70000];
        for (int i = 0; i < 3; i++) {
            size_t size;
            EXPECT(codec_compress(ctx, (enum codec)codec, FORM_KAFKA, COMPRESS_LEVEL_DEFAULT, plain, 100,
                                  piece, sizeof piece, &size, &err));
            memcpy(out + n, piece, size);
            n += size;
        }
        struct sbuf back = {0};
        if (EXPECT(codec_decompress(ctx, (enum codec)codec, FORM_KAFKA, out, n, &back, 1000, &err)))
            EXPECT_EQ_INT(back.n, 300);
        sbuf_fini(&back);
    }
}

static bool stream_all(enum codec codec, const uint8_t *in, size_t n, size_t in_piece, size_t out_piece,
                       struct sbuf *out)
{
    struct inflate_stream *s = inflate_stream_new(codec);
    struct err err;
    bool good = true;
    for (size_t at = 0; at < n && good;) {
        size_t piece = n - at < in_piece ? n - at : in_piece;
        struct str in_now = str_n(in + at, piece);
        size_t gave = 0;
        do {
            uint8_t *to = (uint8_t *)sbuf_reserve(out, out_piece);
            good = inflate_stream_step(s, &in_now, to, out_piece, &gave, &err);
            sbuf_added(out, gave);
        } while (good && (in_now.n > 0 || gave == out_piece));
        at += piece;
    }
    good = good && inflate_stream_end(s, &err);
    inflate_stream_free(s);
    return good;
}

TEST(a_file_in_pieces_is_the_file)
{
    static const size_t pieces[] = {1, 7, 1000, 1000000};
    static const enum codec codecs[] = {CODEC_NONE, CODEC_GZIP, CODEC_LZ4, CODEC_ZSTD};
    static uint8_t out[700000];
    struct err err;
    fill(1);
    for (int c = 0; c < 4; c++) {
        size_t first, second;
        EXPECT(codec_compress(ctx, codecs[c], FORM_KAFKA, COMPRESS_LEVEL_DEFAULT, plain, 20000, out,
                              sizeof out, &first, &err));
        EXPECT(codec_compress(ctx, codecs[c], FORM_KAFKA, COMPRESS_LEVEL_DEFAULT, plain + 20000, 1000,
                              out + first, sizeof out - first, &second, &err));
        EXPECT_EQ_INT(inflate_stream_detect(out, first), codecs[c]);
        for (int i = 0; i < 4; i++) {
            for (int j = 0; j < 4; j++) {
                struct sbuf back = {0};
                if (EXPECT(stream_all(codecs[c], out, first + second, pieces[i], pieces[j], &back)) &&
                    EXPECT_EQ_INT(back.n, 21000))
                    EXPECT_MEM(back.p, plain, 21000);
                sbuf_fini(&back);
            }
        }
        struct sbuf back = {0};
        EXPECT(codecs[c] == CODEC_NONE || !stream_all(codecs[c], out, first + second - 1, 100, 100, &back));
        sbuf_fini(&back);
    }
    EXPECT_EQ_INT(inflate_stream_codec_of_name(STR("in/a.jsonl.GZ")), CODEC_GZIP);
    EXPECT_EQ_INT(inflate_stream_codec_of_name(STR("a.zst")), CODEC_ZSTD);
    EXPECT_EQ_INT(inflate_stream_codec_of_name(STR("a.json")), CODEC_NONE);
}

TEST(names_are_found)
{
    enum codec codec;
    EXPECT(codec_find(STR("ZSTD"), &codec) && codec == CODEC_ZSTD);
    EXPECT(codec_find(STR("uncompressed"), &codec) && codec == CODEC_NONE);
    EXPECT(!codec_find(STR("brotli"), &codec));
}

/* Avro's blocks: bare deflate, with or without three bytes of zlib's checksum behind it; a raw snappy block and its checksum. */
TEST(blocks_of_avro)
{
    static const uint8_t deflated[] = {0x4B, 0x4C, 0x4A, 0x4E, 0x4C, 0x4A, 0x06, 0x00, 0x08, 0x0C, 0x02};
    static const uint8_t snappy[] = {0x03, 0x08, 'a', 'b', 'c', 0x35, 0x24, 0x41, 0xC2};
    struct sbuf out = {0};
    struct err err;
    for (size_t n = 8; n <= sizeof deflated; n++) {
        sbuf_clear(&out);
        EXPECT(codec_decompress(ctx, CODEC_GZIP, FORM_AVRO, deflated, n, &out, 100, &err));
        EXPECT_STR(out.p, "abcabc");
    }
    EXPECT(!codec_decompress(ctx, CODEC_GZIP, FORM_AVRO, deflated, 6, &out, 100, &err));
    sbuf_clear(&out);
    EXPECT(codec_decompress(ctx, CODEC_SNAPPY, FORM_AVRO, snappy, sizeof snappy, &out, 100, &err));
    EXPECT_STR(out.p, "abc");
    EXPECT(!codec_decompress(ctx, CODEC_SNAPPY, FORM_AVRO, snappy, sizeof snappy - 1, &out, 100, &err));
    EXPECT(!codec_decompress(ctx, CODEC_SNAPPY, FORM_AVRO, snappy, 3, &out, 100, &err));
    sbuf_fini(&out);
}

int main(void)
{
    ctx = compress_ctx_new();
    RUN(every_codec_gives_back_what_it_took);
    RUN(cut_and_damaged_bytes_are_errors_not_crashes);
    RUN(kafka_forms_are_the_documented_bytes);
    RUN(members_and_frames_may_follow_each_other);
    RUN(a_file_in_pieces_is_the_file);
    RUN(names_are_found);
    RUN(blocks_of_avro);
    compress_ctx_free(ctx);
    return test_end();
}

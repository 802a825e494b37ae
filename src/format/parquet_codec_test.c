#include "format/parquet_codec_i.h"
#include "format/parquet_meta_i.h"

#include "base/mem.h"
#include "base/test.h"

static uint64_t seed = 42;
static uint64_t rnd(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    return seed ^= seed << 17;
}

enum { MOST = 3000 };

/* Values below 2^width with runs of all lengths. */
static void fill_runs(uint32_t *v, size_t n, unsigned width, unsigned run)
{
    uint32_t mask = width == 32 ? UINT32_MAX : (1U << width) - 1;
    for (size_t i = 0; i < n;) {
        uint32_t value = (uint32_t)rnd() & mask;
        for (size_t k = 1 + rnd() % run; k > 0 && i < n; k--)
            v[i++] = value;
    }
}

static void rle_trip(const uint32_t *in, size_t n, unsigned width)
{
    static uint32_t out[MOST];
    uint8_t *bytes = mem_new(rle_bound(n, width));
    size_t size = rle_write(in, n, width, bytes);
    EXPECT(size <= rle_bound(n, width));
    uint8_t *exact = mem_new(size + 1); /* so that reading past the end is seen */
    memcpy(exact, bytes, size);
    struct rle_reader r;
    rle_reader_init(&r, exact, size, width);
    for (size_t at = 0; at < n;) {
        uint32_t value;
        size_t want = 1 + rnd() % 700, run = rle_peek(&r, want, &value);
        want = want < n - at ? want : n - at;
        if (run > 0 && rnd() % 2) {
            run = run < n - at ? run : n - at;
            for (size_t i = 0; i < run; i++)
                out[at + i] = value;
            rle_skip(&r, run);
            at += run;
        } else {
            if (!EXPECT_EQ_INT(rle_read(&r, out + at, want), want))
                break;
            at += want;
        }
    }
    EXPECT_MEM(out, in, n * sizeof *in);
    EXPECT(rle_read(&r, out, MOST) < 8 || n == 0);
    mem_free(exact);
    mem_free(bytes);
}

TEST(hybrid_gives_back_every_width_and_run)
{
    static uint32_t in[MOST];
    static const unsigned runs[] = {1, 3, 12, 50, 4000};
    for (unsigned width = 0; width <= 32; width++)
        for (size_t i = 0; i < 5; i++)
            for (size_t n = 0; n < MOST; n = n * 2 + 1 + rnd() % 7) {
                fill_runs(in, n, width, runs[i]);
                rle_trip(in, n, width);
            }
}

TEST(hybrid_of_bytes_equals_that_of_words)
{
    static uint32_t in[MOST];
    static uint8_t narrow[MOST], out[MOST];
    static uint8_t a[MOST * 5], b[MOST * 5];
    for (unsigned width = 1; width <= 8; width++) {
        fill_runs(in, MOST, width, 20);
        for (size_t i = 0; i < MOST; i++)
            narrow[i] = (uint8_t)in[i];
        size_t n = rle_write(in, MOST, width, a);
        EXPECT_EQ_INT(rle_write8(narrow, MOST, width, b), n);
        EXPECT_MEM(b, a, n);
        struct rle_reader r;
        rle_reader_init(&r, a, n, width);
        EXPECT_EQ_INT(rle_read8(&r, out, MOST), MOST);
        EXPECT_MEM(out, narrow, MOST);
    }
}

TEST(hybrid_is_the_specifications)
{
    /* 0..7 in three bits: Encodings.md */
    static const uint32_t in[] = {0, 1, 2, 3, 4, 5, 6, 7};
    static const uint8_t packed[] = {3, 0x88, 0xC6, 0xFA};
    uint8_t out[64];
    EXPECT_EQ_INT(rle_write(in, 8, 3, out), sizeof packed);
    EXPECT_MEM(out, packed, sizeof packed);
    EXPECT_EQ_INT(rle_write_run(1, 100, 1, out), 3);
    EXPECT_MEM(out, "\xC8\x01\x01", 3);
    uint8_t levels[8];
    static const uint8_t msb[] = {0x05, 0x39, 0x77}; /* 0..7, MSB first */
    EXPECT(bit_packed_read8(msb, 3, 3, 2, levels, 6));
    EXPECT_MEM(levels, "\2\3\4\5\6\7", 6);
    EXPECT(!bit_packed_read8(msb, 3, 3, 3, levels, 6));
}

static void delta_trip(const int64_t *in, size_t n, bool is_32)
{
    static int64_t out[MOST];
    static int32_t narrow[MOST];
    uint8_t *bytes = mem_new(delta_bound(n) + 1);
    for (size_t i = 0; i < n; i++)
        narrow[i] = (int32_t)in[i];
    size_t size = is_32 ? delta_write32(narrow, n, bytes) : delta_write64(in, n, bytes);
    EXPECT(size <= delta_bound(n));
    uint8_t *exact = mem_new(size + 1);
    memcpy(exact, bytes, size);
    struct delta_reader r;
    const uint8_t *end = NULL;
    EXPECT(delta_reader_init(&r, exact, size, is_32));
    EXPECT(delta_end(&r, &end) && end == exact + size);
    for (size_t at = 0; at < n;) {
        size_t some = 1 + rnd() % 100;
        some = some < n - at ? some : n - at;
        if (!EXPECT(delta_read(&r, out + at, some)))
            break;
        at += some;
    }
    for (size_t i = 0; i < n; i++)
        if (!EXPECT_EQ_INT(out[i], is_32 ? narrow[i] : in[i]))
            break;
    EXPECT(!delta_read(&r, out, 1));
    mem_free(exact);
    mem_free(bytes);
}

TEST(deltas_give_back_everything)
{
    static int64_t in[MOST];
    for (unsigned bits = 0; bits <= 64; bits += 4)
        for (size_t n = 0; n < MOST; n = n * 2 + 1 + rnd() % 40) {
            for (size_t i = 0; i < n; i++)
                in[i] = bits == 0 ? 7 * (int64_t)i : (int64_t)(rnd() >> (64 - bits)) - (rnd() % 2 ? 1000 : 0);
            delta_trip(in, n, true);
            delta_trip(in, n, false);
        }
    static const int64_t ends[] = {INT64_MIN, INT64_MAX, 0,         INT64_MIN, -1,
                                   INT64_MAX, INT32_MIN, INT32_MAX, INT32_MIN};
    delta_trip(ends, 9, false);
    delta_trip(ends, 9, true);
}

TEST(damaged_codes_are_refused)
{
    uint32_t v[64];
    int64_t w[64];
    struct rle_reader r;
    rle_reader_init(&r, "\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01zz", 12, 3);
    EXPECT(rle_read(&r, v, 64) < 64);
    rle_reader_init(&r, "\0\0\0\0\0\0", 6, 0); /* empty runs only */
    EXPECT_EQ_INT(rle_read(&r, v, 64), 0);
    rle_reader_init(&r, "\x03\1\2\3\4", 5, 33);
    EXPECT_EQ_INT(rle_read(&r, v, 64), 0);
    struct delta_reader d;
    EXPECT(!delta_reader_init(&d, "\0\4\1\0", 4, false));
    EXPECT(!delta_reader_init(&d, "\x80\1\0\1\0", 5, false));
    EXPECT(!delta_reader_init(&d, "\x80\1\3\1\0", 5, false));
    EXPECT(delta_reader_init(&d, "\x80\1\4\xFF\xFF\x03\0\0\x41\x41\x41\x41", 12, false)); /* width 65 */
    EXPECT(!delta_read(&d, w, 64));
}

/* ---- Thrift ---------------------------------------------------------------------------------------- */

TEST(thrift_gives_back_a_struct_and_skips_what_it_does_not_know)
{
    struct err err;
    struct arena arena = {0};
    struct sbuf out = {0};
    struct pq_page_header h = {.has = 1U << 1 | 1U << 2 | 1U << 3 | 1U << PQ_P_CRC | 1U << PQ_P_DATA_V2,
                               .type = PQ_DATA_PAGE_V2,
                               .uncompressed_size = 1234567,
                               .compressed_size = -5,
                               .crc = INT32_MIN};
    h.data_v2 = (struct pq_data_page_v2){.has = 0xFE,
                                         .num_values = 1,
                                         .num_nulls = 2,
                                         .num_rows = 3,
                                         .encoding = 4,
                                         .def_bytes = 5,
                                         .rep_bytes = 6,
                                         .is_compressed = true};
    thrift_write(&out, &pq_page_header_table, &h);
    out.n--; /* the stop: in its place come unknown fields of every type, lists and maps of structs too */
    sbuf_add(&out, "\x19\x3C\x15\2\0\x15\4\0\0", 9);
    sbuf_add(&out, "\x1B\1\x8C\3abc\x18\1x\0", 11);
    sbuf_add(&out, "\x11\x12\x13\7\x14\2\x17\1\2\3\4\5\6\7\x8\x1A\x21\1\2\x06\x80\x01\x02\x00", 24);
    struct pq_page_header back = {0};
    struct rd r = rd_of(out.p, out.n);
    if (EXPECT(thrift_read(&r, &pq_page_header_table, &back, &arena, &err)))
        EXPECT_MEM(&back, &h, sizeof h);
    else
        fprintf(stderr, "%s\n", err.text);
    EXPECT_EQ_INT(rd_left(&r), 0);
    for (size_t n = 0; n < out.n; n++) {
        struct pq_page_header cut = {0};
        r = rd_of(out.p, n);
        EXPECT(!thrift_read(&r, &pq_page_header_table, &cut, &arena, &err) && r.bad);
    }
    arena_fini(&arena);
    sbuf_fini(&out);
}

TEST(thrift_has_limits)
{
    struct err err;
    struct arena arena = {.limit = 10000};
    struct sbuf in = {0};
    for (int i = 0; i < 1000; i++)
        sbuf_char(&in, 0x1C); /* an unknown struct in an unknown struct … */
    struct pq_page_header h = {0};
    struct rd r = rd_of(in.p, in.n);
    EXPECT(!thrift_read(&r, &pq_page_header_table, &h, &arena, &err));
    EXPECT(strstr(err.text, "deep") != NULL);
    sbuf_clear(&in);
    sbuf_add(&in, "\x15\2\x19\xFC\xFF\xFF\xFF\xFF\x0F", 9); /* a schema of four billion elements */
    struct pq_file_meta meta = {0};
    r = rd_of(in.p, in.n);
    EXPECT(!thrift_read(&r, &pq_file_meta_table, &meta, &arena, &err));
    sbuf_clear(&in);
    sbuf_add(&in, "\x15\2\x19\xFC\xE8\x07",
             6); /* a thousand, in a thousand bytes: more than the arena may hold */
    for (int i = 0; i < 1000; i++)
        sbuf_add(&in, "\x48\0\0", 3);
    r = rd_of(in.p, in.n);
    meta = (struct pq_file_meta){0};
    EXPECT(!thrift_read(&r, &pq_file_meta_table, &meta, &arena, &err));
    EXPECT(strstr(err.text, "too large") != NULL);
    arena_fini(&arena);
    sbuf_fini(&in);
}

int main(void)
{
    RUN(hybrid_gives_back_every_width_and_run);
    RUN(hybrid_of_bytes_equals_that_of_words);
    RUN(hybrid_is_the_specifications);
    RUN(deltas_give_back_everything);
    RUN(damaged_codes_are_refused);
    RUN(thrift_gives_back_a_struct_and_skips_what_it_does_not_know);
    RUN(thrift_has_limits);
    return test_end();
}

#include "base/bytes.h"

#include "base/test.h"

TEST(integers_in_both_orders)
{
    uint8_t p[8];
    put_be32(p, 0x01020304);
    EXPECT_MEM(p, "\x01\x02\x03\x04", 4);
    EXPECT_EQ_INT(get_be32(p), 0x01020304);
    EXPECT_EQ_INT(get_le32(p), 0x04030201);
    put_le64(p, UINT64_C(0x0102030405060708));
    EXPECT_MEM(p, "\x08\x07\x06\x05\x04\x03\x02\x01", 8);
    EXPECT_EQ_INT(get_be16("\xFF\xFE"), 0xFFFE);
}

TEST(varints)
{
    static const uint64_t edges[] = {0, 1, 127, 128, 16383, 16384, UINT32_MAX, UINT64_MAX >> 1, UINT64_MAX};
    for (size_t i = 0; i < sizeof edges / sizeof edges[0]; i++) {
        uint8_t p[VARINT_MAX];
        size_t n = put_uvarint(p, edges[i]);
        EXPECT_EQ_INT(n, uvarint_size(edges[i]));
        struct rd r = rd_of(p, n);
        EXPECT_EQ_INT(rd_uvarint(&r), edges[i]);
        EXPECT(!r.bad && rd_left(&r) == 0);
        if (n > 1) { /* cut */
            r = rd_of(p, n - 1);
            EXPECT_EQ_INT(rd_uvarint(&r), 0);
            EXPECT(r.bad);
        }
        int64_t v = (int64_t)edges[i];
        EXPECT_EQ_INT(unzigzag(zigzag(v)), v);
        EXPECT_EQ_INT(unzigzag(zigzag(-v)), -v);
        EXPECT_EQ_INT(put_varint(p, v), varint_size(v));
    }
    EXPECT_EQ_INT(zigzag(-1), 1);
    EXPECT_EQ_INT(zigzag(INT64_MIN), UINT64_MAX);
    struct rd r = rd_of("\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x02", 10); /* 65 bits */
    rd_uvarint(&r);
    EXPECT(r.bad);
    r = rd_of("\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x00", 11); /* eleven bytes */
    rd_uvarint(&r);
    EXPECT(r.bad);
}

TEST(a_reader_that_has_failed_stays_failed)
{
    struct rd r = rd_of("\x01\x02\x03", 3);
    EXPECT_EQ_INT(rd_be16(&r), 0x0102);
    EXPECT_EQ_INT(rd_be32(&r), 0);
    EXPECT(r.bad);
    EXPECT_EQ_INT(rd_u8(&r), 0); /* though one byte is left */
    EXPECT(rd_take(&r, 0) == NULL);
    r = rd_of(NULL, 0);
    EXPECT(rd_take(&r, SIZE_MAX) == NULL);
}

TEST(crc32c_of_the_standard)
{
    /* RFC 3720, B.4 */
    uint8_t p[32] = {0};
    EXPECT_EQ_INT(crc32c(0, p, 32), UINT32_C(0x8A9136AA));
    memset(p, 0xFF, 32);
    EXPECT_EQ_INT(crc32c(0, p, 32), UINT32_C(0x62A8AB43));
    for (uint8_t i = 0; i < 32; i++)
        p[i] = i;
    EXPECT_EQ_INT(crc32c(0, p, 32), UINT32_C(0x46DD794E));
    EXPECT_EQ_INT(crc32c(0, "123456789", 9), UINT32_C(0xE3069283));
    EXPECT_EQ_INT(crc32c(0, p, 0), 0);
}

static uint32_t crc_bit_by_bit(uint32_t crc, const uint8_t *p, size_t n)
{
    crc = ~crc;
    for (size_t i = 0; i < n; i++) {
        crc ^= p[i];
        for (int k = 0; k < 8; k++)
            crc = crc & 1 ? crc >> 1 ^ UINT32_C(0x82F63B78) : crc >> 1;
    }
    return ~crc;
}

TEST(crc32c_of_any_length_alignment_and_cut)
{
    static uint8_t p[20000];
    uint32_t seed = 7;
    for (size_t i = 0; i < sizeof p; i++)
        p[i] = (uint8_t)((seed = seed * 1664525 + 1013904223) >> 24);
    for (size_t n = 0; n < 300; n++)
        EXPECT_EQ_INT(crc32c(5, p + n % 9, n), crc_bit_by_bit(5, p + n % 9, n));
    uint32_t whole = crc_bit_by_bit(0, p, sizeof p);
    EXPECT_EQ_INT(crc32c(0, p, sizeof p), whole);
    for (size_t cut = 0; cut < sizeof p; cut += 1237)
        EXPECT_EQ_INT(crc32c(crc32c(0, p, cut), p + cut, sizeof p - cut), whole);
}

TEST(hex)
{
    char text[7];
    uint8_t back[3];
    hex_encode(text, "\x00\xAB\x7f", 3);
    EXPECT_STR(text, "00ab7f");
    EXPECT(hex_decode(back, "00aB7F", 3));
    EXPECT_MEM(back, "\x00\xAB\x7f", 3);
    EXPECT(!hex_decode(back, "00g0", 2) && !hex_decode(back, "0:", 1));
}

int main(void)
{
    RUN(integers_in_both_orders);
    RUN(varints);
    RUN(a_reader_that_has_failed_stays_failed);
    RUN(crc32c_of_the_standard);
    RUN(crc32c_of_any_length_alignment_and_cut);
    RUN(hex);
    return test_end();
}

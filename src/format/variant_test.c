/* VARIANT: known bytes, JSON that comes back, damaged bytes. */
#include "format/variant.h"

#include "base/test.h"

static struct arena arena;

/* JSON to VARIANT and back. */
static const char *again(const char *json)
{
    static char out[4096];
    struct str metadata, value;
    struct sbuf b = {0};
    struct err err = {0};
    if (!EXPECT(variant_from_json(&arena, str_of(json), &metadata, &value, &err)) ||
        !EXPECT(variant_to_json(metadata, value, &b, &err))) {
        fprintf(stderr, "    %s: %s\n", json, err.text);
        return "";
    }
    snprintf(out, sizeof out, "%s", b.p);
    sbuf_fini(&b);
    return out;
}

static void bytes(const char *json, const char *metadata, size_t metadata_size, const char *value,
                  size_t value_size)
{
    struct str m, v;
    struct err err;
    EXPECT(variant_from_json(&arena, str_of(json), &m, &v, &err));
    if (EXPECT_EQ_INT(m.n, metadata_size))
        EXPECT_MEM(m.p, metadata, m.n);
    if (EXPECT_EQ_INT(v.n, value_size))
        EXPECT_MEM(v.p, value, v.n);
}
#define BYTES(json, metadata, value) bytes(json, metadata, sizeof metadata - 1, value, sizeof value - 1)

TEST(known_bytes)
{
    BYTES("null", "\x01\x00\x00", "\x00");
    BYTES("true", "\x01\x00\x00", "\x04");
    BYTES("-1", "\x01\x00\x00", "\x0C\xFF");
    BYTES("300", "\x01\x00\x00", "\x10\x2C\x01");
    BYTES("\"hi\"", "\x01\x00\x00", "\x09hi");
    BYTES("1.5", "\x01\x00\x00", "\x20\x01\x0F\x00\x00\x00");
    BYTES("[1,2]", "\x01\x00\x00", "\x03\x02\x00\x02\x04\x0C\x01\x0C\x02");
    BYTES("{\"b\":1,\"a\":2}",
          "\x01\x02\x00\x01\x02"
          "ba",
          "\x02\x02\x01\x00\x02\x00\x04\x0C\x01\x0C\x02");
}

TEST(json_comes_back)
{
    static const char *const texts[] = {
        "{}",
        "[]",
        "[[],{}]",
        "{\"a\":{\"b\":[null,true,false,0,-128,32767,2147483647,9223372036854775807]}}",
        "[123456789012345678901234567890,-0.00001,1.0E100,12345678901.123]",
        "[\"0123456789012345678901234567890123456789012345678901234567890123456789\",\"\",\"\\\"\\\\\\n\"]",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        EXPECT_STR(again(texts[i]), texts[i]);
    EXPECT_STR(again("{\"b\":1,\"a\":2}"), "{\"a\":2,\"b\":1}"); /* by name */
    struct sbuf large = {0};
    for (int i = 0; i < 400; i++)
        sbuf_printf(&large, "%c%d", i ? ',' : '[', i);
    sbuf_char(&large, ']');
    EXPECT_STR(again(large.p), large.p);
    sbuf_fini(&large);
}

TEST(refused)
{
    struct str m, v;
    struct err err = {0};
    EXPECT(!variant_from_json(&arena, STR("{\"a\":1,\"a\":2}"), &m, &v, &err));
    EXPECT_STR(err.text, "a VARIANT object has the name \"a\" twice");
    EXPECT(!variant_from_json(&arena, STR("[1"), &m, &v, &err));
}

TEST(damaged_bytes)
{
    struct str m, v;
    struct err err = {0};
    struct sbuf out = {0};
    EXPECT(
        variant_from_json(&arena, STR("{\"name\":[1,2.5,\"text\",{\"x\":null}],\"b\":1e300}"), &m, &v, &err));
    for (size_t cut = 0; cut < v.n; cut++) {
        char *exact = memcpy(mem_new(cut + 1), v.p, cut);
        sbuf_clear(&out);
        EXPECT(!variant_to_json(m, str_n(exact, cut), &out, &err) && out.n == 0);
        mem_free(exact);
    }
    for (size_t cut = 0; cut < m.n; cut++)
        EXPECT(!variant_to_json(str_n(m.p, cut), v, &out, &err));
    for (size_t at = 0; at < v.n; at++) { /* any answer will do, as long as there is one */
        char *copy = memcpy(mem_new(v.n), v.p, v.n);
        for (int bit = 0; bit < 8; bit++) {
            copy[at] ^= (char)(1 << bit);
            sbuf_clear(&out);
            (void)!variant_to_json(m, str_n(copy, v.n), &out, &err);
            copy[at] ^= (char)(1 << bit);
        }
        mem_free(copy);
    }
    sbuf_fini(&out);
}

int main(void)
{
    RUN(known_bytes);
    RUN(json_comes_back);
    RUN(refused);
    RUN(damaged_bytes);
    arena_fini(&arena);
    return test_end();
}

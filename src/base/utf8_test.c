#include "base/utf8.h"

#include <string.h>

#include "base/test.h"

/* By definition: decoding what a code point encodes to gives it back, and no other bytes decode to it. */
TEST(every_code_point)
{
    for (uint32_t code = 0; code <= 0x10FFFF; code += code < 0x3000 ? 1 : 7) {
        char p[4];
        uint32_t back = 0;
        if (code >= 0xD800 && code <= 0xDFFF)
            continue;
        size_t n = utf8_encode(code, p);
        if (!EXPECT(utf8_decode(p, n, &back) == n && back == code && utf8_valid(p, n)))
            return;
        for (size_t cut = 1; cut < n; cut++)
            EXPECT_EQ_INT(utf8_decode(p, cut, &back), 0);
    }
}

TEST(what_is_not_utf8)
{
    static const char *const bad[] = {"\x80",
                                      "\xBF",
                                      "\xC0\x80",
                                      "\xC1\xBF",
                                      "\xE0\x80\x80",
                                      "\xE0\x9F\xBF",
                                      "\xED\xA0\x80",
                                      "\xED\xBF\xBF",
                                      "\xF0\x80\x80\x80",
                                      "\xF0\x8F\xBF\xBF",
                                      "\xF4\x90\x80\x80",
                                      "\xF5\x80\x80\x80",
                                      "\xFF",
                                      "\xC3(",
                                      "\xE2\x82(",
                                      "a\xC3"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char padded[64]; /* at every place of the fast path's words */
        for (size_t at = 0; at < 17; at++) {
            memset(padded, 'x', sizeof padded);
            memcpy(padded + at, bad[i], strlen(bad[i]));
            EXPECT(!utf8_valid(padded, at + strlen(bad[i]) + 20));
        }
        EXPECT(!utf8_valid(bad[i], strlen(bad[i])));
    }
    EXPECT(utf8_valid(NULL, 0));
}

TEST(lengths_and_offsets)
{
    static const char text[] = "a\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80z";
    size_t n = sizeof text - 1;
    EXPECT_EQ_INT(utf8_length(text, n), 5);
    static const size_t offsets[] = {0, 1, 3, 6, 10, 11, 11};
    for (size_t i = 0; i < 7; i++)
        EXPECT_EQ_INT(utf8_offset(text, n, i), offsets[i]);
}

int main(void)
{
    RUN(every_code_point);
    RUN(what_is_not_utf8);
    RUN(lengths_and_offsets);
    return test_end();
}

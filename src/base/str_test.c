#include "base/str.h"

#include <math.h>

#include "base/test.h"

TEST(comparing)
{
    EXPECT(str_eq(STR("ab"), str_n("abc", 2)));
    EXPECT(str_eq((struct str){0}, STR("")));
    EXPECT(str_cmp(STR("a"), STR("ab")) < 0);
    EXPECT(str_cmp(STR("b"), STR("ab")) > 0);
    EXPECT(str_cmp(STR("\xFF"), STR("a")) > 0);
    EXPECT(str_cmp((struct str){0}, (struct str){0}) == 0);
    EXPECT(str_eq_nocase(STR("AbZ"), STR("aBz")));
    EXPECT(!str_eq_nocase(STR("["), STR("{")));
    EXPECT(str_starts(STR("abc"), STR("ab")) && !str_starts(STR("a"), STR("ab")));
    EXPECT(str_ends(STR("abc"), STR("bc")) && !str_ends(STR("c"), STR("bc")));
}

TEST(finding_and_trimming)
{
    EXPECT_EQ_INT(str_find(STR("abcabc"), STR("c"), 3), 5);
    EXPECT_EQ_INT(str_find(STR("abc"), STR(""), 3), 3);
    EXPECT_EQ_INT(str_find(STR("abc"), STR("d"), 0), SIZE_MAX);
    EXPECT_EQ_INT(str_find(STR("abc"), STR("a"), 9), SIZE_MAX);
    EXPECT(str_is(str_trim(STR(" \t a b\r\n")), "a b"));
    EXPECT_EQ_INT(str_trim(STR("   ")).n, 0);
}

TEST(numbers)
{
    int64_t i;
    uint64_t u;
    double d;
    EXPECT(str_to_i64(STR("-9223372036854775808"), &i) && i == INT64_MIN);
    EXPECT(str_to_i64(STR("+9223372036854775807"), &i) && i == INT64_MAX);
    EXPECT(!str_to_i64(STR("9223372036854775808"), &i));
    EXPECT(!str_to_i64(STR(""), &i) && !str_to_i64(STR("-"), &i) && !str_to_i64(STR("1 "), &i) &&
           !str_to_i64(STR("0x1"), &i));
    EXPECT(str_to_u64(STR("18446744073709551615"), &u) && u == UINT64_MAX);
    EXPECT(!str_to_u64(STR("18446744073709551616"), &u) && !str_to_u64(STR("-1"), &u));
    EXPECT(str_to_f64(STR("1.5e3"), &d) && d == 1500);
    EXPECT(!str_to_f64(STR("1.5x"), &d) && !str_to_f64(STR(" 1"), &d) && !str_to_f64(STR(""), &d));
    char text[32];
    str_from_f64(0.1, text);
    EXPECT_STR(text, "0.1");
    str_from_f64(1.0 / 3, text);
    EXPECT(str_to_f64(str_of(text), &d) && d == 1.0 / 3);
}

TEST(did_you_mean)
{
    static const char *const names[] = {"retention", "partitions", "format", "key"};
    EXPECT_STR(str_nearest(STR("retain"), names, 4), "retention");
    EXPECT_STR(str_nearest(STR("partitons"), names, 4), "partitions");
    EXPECT_STR(str_nearest(STR("fromat"), names, 4), "format");
    EXPECT_STR(str_nearest(STR("KEY"), names, 4), "key");
    EXPECT(str_nearest(STR("zzzzzz"), names, 4) == NULL);
    EXPECT(str_nearest(STR("x"), NULL, 0) == NULL);
}

TEST(a_buffer_grows_and_stays_a_c_string)
{
    struct sbuf b = {0};
    for (int i = 0; i < 1000; i++) {
        sbuf_printf(&b, "%d,", i);
        EXPECT_EQ_INT(strlen(b.p), b.n);
    }
    EXPECT(str_starts(sbuf_view(&b), STR("0,1,2,")) && str_ends(sbuf_view(&b), STR("998,999,")));
    sbuf_clear(&b);
    EXPECT_STR(b.p, "");
    memcpy(sbuf_reserve(&b, 3), "xyz", 3);
    sbuf_added(&b, 2);
    EXPECT_STR(b.p, "xy");
    sbuf_char(&b, '!');
    sbuf_add(&b, NULL, 0);
    sbuf_str(&b, STR("?"));
    EXPECT_STR(b.p, "xy!?");
    sbuf_fini(&b);
    sbuf_fini(&b);
}

TEST(json_strings)
{
    struct sbuf b = {0};
    sbuf_json(&b, STR("a\"\\\n\t\x01\x7F/\xC3\xA4\xFF\xE2\x82"));
    EXPECT_STR(b.p, "\"a\\\"\\\\\\n\\t\\u0001\\u007f/\xC3\xA4\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\"");
    sbuf_fini(&b);
}

int main(void)
{
    RUN(comparing);
    RUN(finding_and_trimming);
    RUN(numbers);
    RUN(did_you_mean);
    RUN(a_buffer_grows_and_stays_a_c_string);
    RUN(json_strings);
    return test_end();
}

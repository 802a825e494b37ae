#include "base/test.h"
#include "conf/option.h"

struct i64_case {
    const char *text;
    int64_t value; /* −1: refused */
};

TEST(durations)
{
    static const struct i64_case cases[] = {
        {"500ms", 500},
        {"10s", 10000},
        {"1h30m", 5400000},
        {"7d", 604800000},
        {"1h 30m", 5400000},
        {"2w", 1209600000},
        {"1.5s", 1500},
        {"0.001s", 1},
        {"0", 0},
        {"0s", 0},
        {"10 seconds", 10000},
        {"1 day 2 hours", 93600000},
        {"1D", 86400000},
        {"5min", 300000},
        {" 3s ", 3000},
        {"10", -1},
        {"", -1},
        {"s", -1},
        {"-1s", -1},
        {"1s1h", -1},
        {"1s 2s", -1},
        {"1x", -1},
        {"0.0001s", -1},
        {"1.s", -1},
        {".5s", -1},
        {"1..5s", -1},
        {"9223372036854775807ms", INT64_MAX},
        {"9223372036854775808ms", -1},
        {"9223372036854775807ms 1ms", -1},
        {"106751991167d", INT64_C(106751991167) * 86400000},
        {"106751991168d", -1},
        {"99999999999999999999999s", -1},
        {"1m 30", -1},
        {"1m,30s", -1},
        {"1m30s x", -1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct err err = {0};
        int64_t ms = -7;
        bool ok = conf_text_duration(str_of(cases[i].text), &ms, &err);
        if (!EXPECT(ok == (cases[i].value >= 0)) || !EXPECT(!ok || ms == cases[i].value) ||
            !EXPECT(ok || err.text[0]))
            fprintf(stderr, "    \"%s\" → %lld\n", cases[i].text, (long long)ms);
    }
}

TEST(sizes)
{
    static const struct i64_case cases[] = {
        {"32MiB", 32 << 20},
        {"1GB", 1000000000},
        {"64k", 65536},
        {"64K", 65536},
        {"64kB", 64000},
        {"64KB", 64000},
        {"64KiB", 65536},
        {"1.5GiB", INT64_C(3) << 29},
        {"1000", 1000},
        {"10B", 10},
        {"2 MiB", 2 << 20},
        {"1t", INT64_C(1) << 40},
        {"8191PiB", INT64_C(8191) << 50},
        {"8192PiB", -1},
        {"1.5B", -1},
        {"", -1},
        {"MiB", -1},
        {"1QiB", -1},
        {"-1", -1},
        {"1MiB!", -1},
        {"0", 0},
        {"0.5", -1},
        {"0.5k", 512},
        {"9223372036854775807", INT64_MAX},
        {"9223372036854775808", -1},
        {"1.0000000001GiB", -1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct err err = {0};
        uint64_t bytes = 7;
        bool ok = conf_text_size(str_of(cases[i].text), &bytes, &err);
        if (!EXPECT(ok == (cases[i].value >= 0)) || !EXPECT(!ok || bytes == (uint64_t)cases[i].value) ||
            !EXPECT(ok || err.text[0]))
            fprintf(stderr, "    \"%s\" → %llu\n", cases[i].text, (unsigned long long)bytes);
    }
}

TEST(rates)
{
    static const struct {
        const char *text;
        double value;
    } cases[] = {{"100/s", 100},   {"6/m", 0.1},          {"3600/h", 1}, {"1.5/s", 1.5},
                 {"10k/s", 10000}, {"2 / min", 2.0 / 60}, {"100", -1},   {"/s", -1},
                 {"100/", -1},     {"1/x", -1},           {"-1/s", -1},  {"1/2s", -1}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct err err = {0};
        double rate = 7;
        bool ok = conf_text_rate(str_of(cases[i].text), &rate, &err);
        if (!EXPECT(ok == (cases[i].value >= 0)) ||
            !EXPECT(!ok || (rate > cases[i].value * 0.999999 && rate < cases[i].value * 1.000001)))
            fprintf(stderr, "    \"%s\" → %g\n", cases[i].text, rate);
    }
}

TEST(texts_of_units_read_back)
{
    static const int64_t values[] = {0, 1, 999, 1000, 5400000, 604800000, 86400001, INT64_MAX, 1234567890123};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        char text[CONF_UNIT_TEXT_MAX];
        int64_t ms = -1;
        uint64_t bytes = 0;
        EXPECT(conf_text_duration(str_of(conf_duration_text(values[i], text)), &ms, NULL));
        EXPECT_EQ_INT(ms, values[i]);
        EXPECT(conf_text_size(str_of(conf_size_text((uint64_t)values[i], text)), &bytes, NULL));
        EXPECT_EQ_INT(bytes, values[i]);
    }
    char text[CONF_UNIT_TEXT_MAX];
    EXPECT_STR(conf_duration_text(5400000, text), "1h30m");
    EXPECT_STR(conf_size_text(32 << 20, text), "32MiB");
}

TEST(addresses)
{
    struct arena arena = {0};
    struct conf_address a;
    static const char *const wrong[] = {
        "", "localhost", "1:2:3", "a b:1", "h:", "h:x", "h:65536", "h:-1", "[::1]", "[::1:80"};
    EXPECT(conf_text_address(&arena, STR("127.0.0.1:9092"), &a, NULL) && a.port == 9092 && !a.off);
    EXPECT_STR(a.host, "127.0.0.1");
    EXPECT(conf_text_address(&arena, STR(":0"), &a, NULL) && a.port == 0);
    EXPECT_STR(a.host, "");
    EXPECT(conf_text_address(&arena, STR("[fe80::1]:80"), &a, NULL) && a.port == 80);
    EXPECT_STR(a.host, "fe80::1");
    EXPECT(conf_text_address(&arena, STR("off"), &a, NULL) && a.off);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        if (!EXPECT(!conf_text_address(&arena, str_of(wrong[i]), &a, NULL)))
            fprintf(stderr, "    %s\n", wrong[i]);
    arena_fini(&arena);
}

TEST(urls)
{
    struct arena arena = {0};
    struct conf_url url;
    struct err err;
    EXPECT(conf_url_parse(&arena, "PostgreSQL://me:p%40ss:w@db.example:5433/x%20y?sslmode=require&a=b%26c",
                          &url, &err));
    EXPECT_STR(url.scheme, "postgresql");
    EXPECT_STR(url.user, "me");
    EXPECT_STR(url.password, "p@ss:w");
    EXPECT_STR(url.host, "db.example");
    EXPECT_EQ_INT(url.port, 5433);
    EXPECT_STR(url.path, "/x y");
    EXPECT_STR(conf_url_query(&arena, &url, "a"), "b&c");
    EXPECT_STR(conf_url_query(&arena, &url, "sslmode"), "require");
    EXPECT(conf_url_query(&arena, &url, "none") == NULL);
    EXPECT_STR(conf_url_show(&arena, "s3://bucket/a?token=abc&x=1&secret=s"),
               "s3://bucket/a?token=***&x=1&secret=***");
    EXPECT_STR(conf_url_show(&arena, "postgresql://me:geheim@h/db"), "postgresql://me:***@h/db");
    EXPECT(conf_url_parse(&arena, "sqlite:serving.db", &url, &err));
    EXPECT(url.host == NULL && url.user == NULL && url.query == NULL);
    EXPECT_STR(url.path, "serving.db");
    EXPECT(conf_url_parse(&arena, "file:///abs/lake", &url, &err));
    EXPECT_STR(url.path, "/abs/lake");
    EXPECT(conf_url_parse(&arena, "s3://bucket/prefix?endpoint=http://127.0.0.1:9000", &url, &err));
    EXPECT_STR(conf_url_query(&arena, &url, "endpoint"), "http://127.0.0.1:9000");
    EXPECT(conf_url_parse(&arena, "cassandra://[::1]:9042/ks", &url, &err));
    EXPECT_STR(url.host, "::1");
    EXPECT(conf_url_parse(&arena, "kafka://a:1,b:2/", &url, &err));
    EXPECT_STR(url.host, "a:1,b:2");
    static const char *const wrong[] = {"",
                                        "x",
                                        "1a:b",
                                        ":x",
                                        "a:",
                                        "http://h:0/",
                                        "http://h:70000",
                                        "http://[::1/",
                                        "a b:c",
                                        "http://h/%zz",
                                        "http://u:%00@h/",
                                        "http://h/%ff"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        if (!EXPECT(!conf_url_parse(&arena, wrong[i], &url, &err)))
            fprintf(stderr, "    %s\n", wrong[i]);
    arena_fini(&arena);
}

TEST(names)
{
    EXPECT(conf_text_name(STR("a_1"), NULL));
    EXPECT(!conf_text_name(STR(""), NULL) && !conf_text_name(STR("1a"), NULL) &&
           !conf_text_name(STR("A"), NULL));
    EXPECT(conf_text_topic(STR("A.b-c_9"), NULL));
    EXPECT(!conf_text_topic(STR("."), NULL) && !conf_text_topic(STR("a b"), NULL));
    char name[251];
    memset(name, 'a', 250);
    EXPECT(conf_text_topic(str_n(name, 249), NULL) && !conf_text_topic(str_n(name, 250), NULL));
}

int main(void)
{
    RUN(durations);
    RUN(sizes);
    RUN(rates);
    RUN(texts_of_units_read_back);
    RUN(addresses);
    RUN(urls);
    RUN(names);
    return test_end();
}

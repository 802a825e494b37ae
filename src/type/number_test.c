#include <math.h>
#include <ref/random_batch.h>

#include "base/test.h"
#include "type/cast.h"

static const char *java(double v)
{
    static char text[CAST_F64_MAX];
    cast_f64_to_str(v, text);
    return text;
}

static const char *java_float(float v)
{
    static char text[CAST_F64_MAX];
    cast_f32_to_str(v, text);
    return text;
}

TEST(doubles_as_java_prints_them)
{
    EXPECT_STR(java(0.0), "0.0");
    EXPECT_STR(java(-0.0), "-0.0");
    EXPECT_STR(java(0.1), "0.1");
    EXPECT_STR(java(1e7), "1.0E7");
    EXPECT_STR(java(9999999.0), "9999999.0");
    EXPECT_STR(java(12345678.5), "1.23456785E7");
    EXPECT_STR(java(1e-3), "0.001");
    EXPECT_STR(java(0.00099), "9.9E-4");
    EXPECT_STR(java(1e10), "1.0E10");
    EXPECT_STR(java(100.0), "100.0");
    EXPECT_STR(java(-123.456), "-123.456");
    EXPECT_STR(java(1.0 / 3), "0.3333333333333333");
    EXPECT_STR(java(5e-324), "4.9E-324");
    EXPECT_STR(java(1.7976931348623157e308), "1.7976931348623157E308");
    EXPECT_STR(java(2.2250738585072014e-308), "2.2250738585072014E-308");
    EXPECT_STR(java(2e23), "2.0E23");
    EXPECT_STR(java(9007199254740993.0), "9.007199254740992E15");
    EXPECT_STR(java(NAN), "NaN");
    EXPECT_STR(java(-INFINITY), "-Infinity");
    EXPECT_STR(java_float(0.1f), "0.1");
    EXPECT_STR(java_float(1.4e-45f), "1.4E-45");
    EXPECT_STR(java_float(3.4028235e38f), "3.4028235E38");
    EXPECT_STR(java_float(16777216.0f), "1.6777216E7");
    EXPECT_STR(java_float(1.17549435e-38f), "1.1754944E-38");
}

/* The text reads back, no text of fewer digits does, and ours is the nearest of its length. */
static void check_shortest(double v)
{
    int exponent;
    uint64_t digits = f64_shortest(v, &exponent);
    char text[64];
    int n = snprintf(text, sizeof text, "%" PRIu64, digits);
    snprintf(text + n, sizeof text - (size_t)n, "e%d", exponent);
    EXPECT_EQ_DOUBLE(strtod(text, NULL), fabs(v));
    if (n > 2) {
        char fewer[64];
        snprintf(fewer, sizeof fewer, "%.*e", n - 2, fabs(v));
        EXPECT(strtod(fewer, NULL) != fabs(v));
    }
    char nearest[64], ours[64];
    snprintf(nearest, sizeof nearest, "%.*e", n - 1, fabs(v));
    snprintf(ours, sizeof ours, "%c%s%.*se%+03d", text[0], n > 1 ? "." : "", n - 1, text + 1,
             exponent + n - 1);
    if (strtod(nearest, NULL) == fabs(v))
        EXPECT_STR(ours, nearest);
}

TEST(shortest_digits)
{
    struct rng rng = {1};
    for (int i = 0; i < 100000; i++) {
        uint64_t bits = rng_next(&rng);
        double v;
        memcpy(&v, &bits, sizeof v);
        if (isfinite(v))
            check_shortest(v);
    }
    for (int e = -1074; e <= 1023; e++) {
        check_shortest(ldexp(1, e));
        check_shortest(nextafter(ldexp(1, e), 0));
    }
    for (int i = 1; i < 2000; i++)
        check_shortest(i / 1000.0), check_shortest(5e-324 * i);
}

TEST(shortest_digits_of_floats)
{
    struct rng rng = {2};
    for (int i = 0; i < 100000; i++) {
        uint32_t bits = i < 1000 ? (uint32_t)i : (uint32_t)rng_next(&rng);
        float v;
        memcpy(&v, &bits, sizeof v);
        if (!isfinite(v))
            continue;
        char text[CAST_F64_MAX], fewer[64];
        cast_f32_to_str(v, text);
        EXPECT(strtof(text, NULL) == v);
        int exponent;
        uint64_t digits = f32_shortest(v, &exponent);
        int n = snprintf(fewer, sizeof fewer, "%" PRIu64, digits);
        if (n > 2) {
            snprintf(fewer, sizeof fewer, "%.*e", n - 2, (double)v);
            EXPECT(strtof(fewer, NULL) != v);
        }
    }
}

static void check_read(const char *text)
{
    double v;
    float f;
    EXPECT(number_to_f64(str_of(text), &v));
    EXPECT_EQ_DOUBLE(v, strtod(text, NULL));
    EXPECT(number_to_f32(str_of(text), &f));
    if (!EXPECT_EQ_DOUBLE((double)f, (double)strtof(text, NULL)))
        fprintf(stderr, "    %s\n", text);
}

TEST(numbers_are_read_correctly_rounded)
{
    struct rng rng = {3};
    char text[1200];
    for (int i = 0; i < 100000; i++) {
        uint64_t bits = rng_next(&rng);
        double v;
        memcpy(&v, &bits, sizeof v);
        if (!isfinite(v))
            continue;
        snprintf(text, sizeof text, "%.*e", (int)rng_below(&rng, 25), v);
        check_read(text);
        snprintf(text, sizeof text, "%" PRIu64 ".%06u", rng_next(&rng) >> rng_below(&rng, 64),
                 (unsigned)rng_below(&rng, 1000000));
        check_read(text);
        snprintf(text, sizeof text, "%" PRIu64 "e%d", rng_next(&rng), (int)rng_below(&rng, 90) - 60);
        check_read(text);
    }
    /* exactly between two doubles, and a hair beside it, with all digits written out */
    for (int i = 0; i < 200; i++) {
        double v = ldexp((double)(rng_next(&rng) >> 11), (int)rng_below(&rng, 120) - 120);
        long double half = ((long double)v + (long double)nextafter(v, INFINITY)) / 2;
        snprintf(text, sizeof text, "%.1100Lf", half);
        check_read(text);
        text[strlen(text) - 1] = '1';
        check_read(text);
    }
    check_read("0");
    check_read("-0.0");
    check_read("1e400");
    check_read("-1e-400");
    check_read("0.000000000000000000000000000000000000000000000000000001");
    check_read("1e99999999999999999999");
    check_read("0e99999999999999999999");
    check_read("2.47e-324");
    check_read("2.4703282292062327208e-324");
    check_read("4.9406564584124654e-324");
    check_read("2.2250738585072011e-308");
    check_read("1.00000005960464477539062500001");
    check_read("1.000000059604644775390625");
    check_read("5.");
    check_read(".5");
}

TEST(what_is_no_number)
{
    static const char *const bad[] = {"",      "+",  "-",  ".",    "e5", "1e",  "1e+",
                                      "1.2.3", "1 ", " 1", "0x10", "1f", "nan", "inf"};
    double v;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        EXPECT(!number_to_f64(str_of(bad[i]), &v));
    EXPECT(!number_to_f64((struct str){0}, &v));
}

TEST(casts_of_text_to_doubles)
{
    double v;
    float f;
    EXPECT(cast_str_to_f64(STR(" \t1.5d\n"), &v) && v == 1.5);
    EXPECT(cast_str_to_f64(STR("1.F"), &v) && v == 1);
    EXPECT(cast_str_to_f64(STR("-InfiniTy"), &v) && v == -INFINITY);
    EXPECT(cast_str_to_f64(STR("+inf"), &v) && v == INFINITY);
    EXPECT(cast_str_to_f64(STR("nan"), &v) && isnan(v));
    EXPECT(cast_str_to_f32(STR("1e39"), &f) && isinf(f));
    EXPECT(cast_str_to_f32(STR("0.1"), &f) && f == 0.1f);
    EXPECT(!cast_str_to_f64(STR("d"), &v));
    EXPECT(!cast_str_to_f64(STR("1dd"), &v));
    EXPECT(!cast_str_to_f64(STR(""), &v));
    EXPECT(!cast_str_to_f64(STR("infd"), &v));
}

TEST(casts_of_text_to_integers)
{
    int64_t v;
    EXPECT(cast_str_to_i64(STR(" +12 "), INT8_MIN, INT8_MAX, &v) && v == 12);
    EXPECT(cast_str_to_i64(STR("-128"), INT8_MIN, INT8_MAX, &v) && v == -128);
    EXPECT(!cast_str_to_i64(STR("128"), INT8_MIN, INT8_MAX, &v));
    EXPECT(cast_str_to_i64(STR("-9223372036854775808"), INT64_MIN, INT64_MAX, &v) && v == INT64_MIN);
    EXPECT(cast_str_to_i64(STR("0000000000000000000000000009223372036854775807"), INT64_MIN, INT64_MAX, &v) &&
           v == INT64_MAX);
    EXPECT(!cast_str_to_i64(STR("9223372036854775808"), INT64_MIN, INT64_MAX, &v));
    EXPECT(!cast_str_to_i64(STR("-9223372036854775809"), INT64_MIN, INT64_MAX, &v));
    EXPECT(!cast_str_to_i64(STR("99999999999999999999"), INT64_MIN, INT64_MAX, &v));
    EXPECT(!cast_str_to_i64(STR("1.0"), INT64_MIN, INT64_MAX, &v));
    EXPECT(!cast_str_to_i64(STR(""), INT64_MIN, INT64_MAX, &v));
    EXPECT(!cast_str_to_i64(STR("+"), INT64_MIN, INT64_MAX, &v));
    EXPECT(!cast_str_to_i64(STR("1 2"), INT64_MIN, INT64_MAX, &v));
    EXPECT(!cast_str_to_i64((struct str){0}, INT64_MIN, INT64_MAX, &v));
}

TEST(integers_as_text)
{
    static const int64_t numbers[] = {0, 5, -5, 10, 99, 100, -101, 12345, INT64_MAX, INT64_MIN};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        char text[CAST_I64_MAX], wanted[32];
        snprintf(wanted, sizeof wanted, "%" PRId64, numbers[i]);
        EXPECT_EQ_INT(cast_i64_to_str(numbers[i], text), strlen(wanted));
        EXPECT_STR(text, wanted);
    }
}

TEST(doubles_to_integers_and_times)
{
    int64_t v;
    EXPECT(cast_f64_to_i64(-1.9, INT8_MIN, INT8_MAX, &v) && v == -1);
    EXPECT(cast_f64_to_i64(127.9, INT8_MIN, INT8_MAX, &v) && v == 127);
    EXPECT(!cast_f64_to_i64(128.0, INT8_MIN, INT8_MAX, &v));
    EXPECT(!cast_f64_to_i64(NAN, INT64_MIN, INT64_MAX, &v));
    EXPECT(!cast_f64_to_i64(9223372036854775808.0, INT64_MIN, INT64_MAX, &v));
    EXPECT(cast_f64_to_i64(-9223372036854775808.0, INT64_MIN, INT64_MAX, &v) && v == INT64_MIN);
    EXPECT(cast_f64_to_timestamp(1.5, &v) && v == 1500000);
    EXPECT(cast_f64_to_timestamp(1e300, &v) && v == INT64_MAX);
    EXPECT(!cast_f64_to_timestamp(INFINITY, &v));
}

TEST(booleans)
{
    bool v;
    EXPECT(cast_str_to_bool(STR(" True "), &v) && v);
    EXPECT(cast_str_to_bool(STR("0"), &v) && !v);
    EXPECT(cast_str_to_bool(STR("Y"), &v) && v);
    EXPECT(!cast_str_to_bool(STR("on"), &v));
    EXPECT(!cast_str_to_bool(STR(""), &v));
}

int main(void)
{
    RUN(doubles_as_java_prints_them);
    RUN(shortest_digits);
    RUN(shortest_digits_of_floats);
    RUN(numbers_are_read_correctly_rounded);
    RUN(what_is_no_number);
    RUN(casts_of_text_to_doubles);
    RUN(casts_of_text_to_integers);
    RUN(integers_as_text);
    RUN(doubles_to_integers_and_times);
    RUN(booleans);
    return test_end();
}

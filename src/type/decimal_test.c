#include <math.h>
#include <ref/random_batch.h>

#include "base/test.h"
#include "type/cast.h"
#include "type/decimal.h"

static const char *text_of(i128 v, unsigned scale)
{
    static char text[DECIMAL_TEXT_MAX];
    decimal_to_text(v, scale, text);
    return text;
}

static i128 of(const char *text)
{
    i128 v = 0;
    struct decimal_shape shape;
    EXPECT(decimal_parse_exact(str_of(text), &v, &shape) == DECIMAL_OK);
    return v;
}

static const char *parsed(const char *text, unsigned precision, unsigned scale)
{
    i128 v;
    struct decimal_shape shape = {(uint8_t)precision, (uint8_t)scale};
    enum decimal_status status = decimal_parse(str_of(text), shape, &v);
    return status == DECIMAL_OK ? text_of(v, scale) : status == DECIMAL_OVERFLOW ? "overflow" : "malformed";
}

TEST(reading)
{
    EXPECT_STR(parsed("1.5", 10, 2), "1.50");
    EXPECT_STR(parsed(" -1.005 ", 10, 2), "-1.01");
    EXPECT_STR(parsed("1.004999", 10, 2), "1.00");
    EXPECT_STR(parsed("+.5", 10, 0), "1");
    EXPECT_STR(parsed("-.4", 10, 0), "0");
    EXPECT_STR(parsed("5.", 10, 1), "5.0");
    EXPECT_STR(parsed("1e3", 10, 2), "1000.00");
    EXPECT_STR(parsed("1.25E-1", 10, 2), "0.13");
    EXPECT_STR(parsed("0.0009e3", 10, 1), "0.9");
    EXPECT_STR(parsed("99.99", 4, 2), "99.99");
    EXPECT_STR(parsed("99.995", 4, 2), "overflow");
    EXPECT_STR(parsed("100", 4, 2), "overflow");
    EXPECT_STR(parsed("99999999999999999999999999999999999999", 38, 0),
               "99999999999999999999999999999999999999");
    EXPECT_STR(parsed("99999999999999999999999999999999999999.5", 38, 0), "overflow");
    EXPECT_STR(parsed("999999999999999999999999999999999999999", 38, 0), "overflow");
    EXPECT_STR(parsed("1e99999999999999999999", 38, 0), "overflow");
    EXPECT_STR(parsed("1e-99999999999999999999", 38, 0), "0");
    EXPECT_STR(parsed("0e99999999999999999999", 38, 2), "0.00");
    EXPECT_STR(parsed("0.00000000000000000000000000000000000000000000000000009", 38, 38),
               "0.00000000000000000000000000000000000000");
    EXPECT_STR(parsed("000000000000000000000000000000000000000000000000001.2", 3, 1), "1.2");
    static const char *const bad[] = {"",    " ",   "+",  ".",   "1e",  "e1",   "1.2.3",
                                      "1 2", "0x1", "1d", "nan", "--1", "1e1.0"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        EXPECT_STR(parsed(bad[i], 10, 2), "malformed");
}

TEST(the_digits_of_a_literal)
{
    static const struct {
        const char *text;
        int64_t v;
        unsigned precision, scale;
    } cases[] = {{"1.50", 150, 3, 2}, {"1e3", 1000, 4, 0}, {"0", 0, 1, 0},           {"0.00", 0, 2, 2},
                 {"0.05", 5, 2, 2},   {"100", 100, 3, 0},  {"-12.5e-1", -125, 3, 2}, {"0e5", 0, 1, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        i128 v;
        struct decimal_shape shape;
        EXPECT(decimal_parse_exact(str_of(cases[i].text), &v, &shape) == DECIMAL_OK);
        EXPECT_EQ_INT((int64_t)v, cases[i].v);
        EXPECT_EQ_INT(shape.precision, cases[i].precision);
        EXPECT_EQ_INT(shape.scale, cases[i].scale);
    }
    i128 v;
    struct decimal_shape shape;
    EXPECT(decimal_parse_exact(STR("1e38"), &v, &shape) == DECIMAL_OVERFLOW);
    EXPECT(decimal_parse_exact(STR("1e-39"), &v, &shape) == DECIMAL_OVERFLOW);
}

TEST(printing)
{
    EXPECT_STR(text_of(0, 0), "0");
    EXPECT_STR(text_of(0, 3), "0.000");
    EXPECT_STR(text_of(-5, 3), "-0.005");
    EXPECT_STR(text_of(1234, 2), "12.34");
    EXPECT_STR(text_of(decimal_pow10[38] - 1, 38), "0.99999999999999999999999999999999999999");
    EXPECT_STR(text_of(-(decimal_pow10[38] - 1), 0), "-99999999999999999999999999999999999999");
    EXPECT_STR(text_of(decimal_pow10[20], 1), "10000000000000000000.0");
    EXPECT_EQ_INT(decimal_digits(0), 1);
    EXPECT_EQ_INT(decimal_digits(-999), 3);
    EXPECT_EQ_INT(decimal_digits(1000), 4);
    EXPECT_EQ_INT(decimal_digits(decimal_pow10[38] - 1), 38);
}

TEST(result_types)
{
    static const struct {
        enum decimal_op op;
        struct decimal_shape a, b, out;
    } cases[] = {
        {DECIMAL_ADD, {10, 2}, {5, 4}, {13, 4}},     {DECIMAL_SUB, {38, 10}, {38, 10}, {38, 9}},
        {DECIMAL_MUL, {10, 2}, {5, 1}, {16, 3}},     {DECIMAL_MUL, {38, 18}, {38, 18}, {38, 6}},
        {DECIMAL_DIV, {10, 2}, {5, 1}, {17, 8}},     {DECIMAL_DIV, {38, 18}, {38, 18}, {38, 6}},
        {DECIMAL_DIV, {20, 0}, {20, 0}, {38, 18}},   {DECIMAL_REM, {10, 2}, {5, 4}, {5, 4}},
        {DECIMAL_ADD, {1, 0}, {1, 0}, {2, 0}},       {DECIMAL_DIV, {1, 0}, {1, 0}, {7, 6}},
        {DECIMAL_MUL, {38, 38}, {38, 38}, {38, 37}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct decimal_shape out = decimal_result(cases[i].op, cases[i].a, cases[i].b);
        if (!EXPECT(out.precision == cases[i].out.precision && out.scale == cases[i].out.scale))
            fprintf(stderr, "    case %zu: (%u,%u)\n", i, out.precision, out.scale);
    }
}

TEST(the_widest_of_two)
{
    struct decimal_shape w = decimal_widest((struct decimal_shape){10, 2}, (struct decimal_shape){5, 4});
    EXPECT(w.precision == 12 && w.scale == 4);
    w = decimal_widest((struct decimal_shape){38, 0}, (struct decimal_shape){38, 18});
    EXPECT(w.precision == 38 && w.scale == 0);
    w = decimal_widest((struct decimal_shape){38, 10}, (struct decimal_shape){38, 20});
    EXPECT(w.precision == 38 && w.scale == 10);
}

TEST(rounding)
{
    static const struct {
        int64_t v;
        unsigned places;
        int64_t half_up, half_even, floor, ceiling, down;
    } cases[] = {{25, 1, 3, 2, 2, 3, 2}, {-25, 1, -3, -2, -3, -2, -2}, {35, 1, 4, 4, 3, 4, 3},
                 {26, 1, 3, 3, 2, 3, 2}, {24, 1, 2, 2, 2, 3, 2},       {-24, 1, -2, -2, -3, -2, -2},
                 {20, 1, 2, 2, 2, 2, 2}, {5, 40, 0, 0, 0, 1, 0},       {-5, 40, 0, 0, -1, 0, 0},
                 {7, 0, 7, 7, 7, 7, 7}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        EXPECT_EQ_INT((int64_t)decimal_round(cases[i].v, cases[i].places, DECIMAL_HALF_UP), cases[i].half_up);
        EXPECT_EQ_INT((int64_t)decimal_round(cases[i].v, cases[i].places, DECIMAL_HALF_EVEN),
                      cases[i].half_even);
        EXPECT_EQ_INT((int64_t)decimal_round(cases[i].v, cases[i].places, DECIMAL_FLOOR), cases[i].floor);
        EXPECT_EQ_INT((int64_t)decimal_round(cases[i].v, cases[i].places, DECIMAL_CEILING), cases[i].ceiling);
        EXPECT_EQ_INT((int64_t)decimal_round(cases[i].v, cases[i].places, DECIMAL_DOWN), cases[i].down);
    }
}

TEST(arithmetic_at_the_edges)
{
    struct decimal_shape wide = {38, 6};
    i128 r, max = decimal_pow10[38] - 1;
    EXPECT(decimal_mul(of("123456789012345678901234567890.12345678"), 8, of("0.00000001"), 8, wide, &r));
    EXPECT_STR(text_of(r, 6), "1234567890123456789012.345679");
    EXPECT(decimal_div(of("1"), 0, of("3"), 0, wide, &r));
    EXPECT_STR(text_of(r, 6), "0.333333");
    EXPECT(decimal_div(of("-2"), 0, of("3"), 0, wide, &r));
    EXPECT_STR(text_of(r, 6), "-0.666667");
    EXPECT(decimal_div(max, 38, max, 0, (struct decimal_shape){38, 38}, &r));
    EXPECT_STR(text_of(r, 38), "0.00000000000000000000000000000000000001");
    EXPECT(!decimal_div(max, 0, 1, 38, wide, &r));
    EXPECT(decimal_div(max, 0, max, 38, (struct decimal_shape){38, 0}, &r) == false);
    EXPECT(!decimal_mul(max, 0, max, 0, wide, &r));
    EXPECT(decimal_mul(max, 38, max, 38, (struct decimal_shape){38, 37}, &r));
    EXPECT_STR(text_of(r, 37), "1.0000000000000000000000000000000000000");
    EXPECT(!decimal_add(max, 0, max, 0, (struct decimal_shape){38, 0}, &r));
    EXPECT(decimal_add(max, 0, -max, 38, (struct decimal_shape){38, 0}, &r));
    EXPECT_STR(text_of(r, 0), "99999999999999999999999999999999999998");
    EXPECT(decimal_sub(of("0.5"), 1, of("0.25"), 2, (struct decimal_shape){4, 1}, &r));
    EXPECT_STR(text_of(r, 1), "0.3");
    EXPECT(decimal_rem(of("-7.5"), 1, of("2"), 0, (struct decimal_shape){2, 1}, &r));
    EXPECT_STR(text_of(r, 1), "-1.5");
    EXPECT(decimal_rem(max, 0, of("0.00000000000000000000000000000000000003"), 38,
                       (struct decimal_shape){38, 38}, &r));
    EXPECT_EQ_INT((int64_t)r, 0);
    int64_t i;
    EXPECT(decimal_int_div(of("-7.5"), 1, of("2"), 0, &i) && i == -3);
    EXPECT(!decimal_int_div(max, 0, 1, 38, &i));
    EXPECT_EQ_INT(decimal_cmp(max, 0, max, 38), 1);
    EXPECT_EQ_INT(decimal_cmp(-max, 0, -max, 38), -1);
    EXPECT_EQ_INT(decimal_cmp(of("1.50"), 2, of("1.5"), 1), 0);
}

/* Against the C library's 128-bit binary floats where those are exact, and against the identities of
 * arithmetic. */
TEST(random_arithmetic)
{
    struct rng rng = {1};
    struct arena arena = {0};
    for (int i = 0; i < 200000; i++) {
        const struct type *types[2];
        i128 v[2];
        for (int k = 0; k < 2; k++) {
            do
                types[k] = random_type(&rng, 1, 1u << TYPE_DECIMAL, &arena);
            while (types[k]->kind != TYPE_DECIMAL);
            v[k] = random_value(&rng, types[k], false, &arena).decimal;
        }
        struct decimal_shape a = decimal_shape_of(types[0]), b = decimal_shape_of(types[1]),
                             full = {38, a.scale};
        i128 sum, back, product, quotient, rest;
        EXPECT(decimal_cmp(v[0], a.scale, v[1], b.scale) == -decimal_cmp(v[1], b.scale, v[0], a.scale));
        struct decimal_shape exact = {38, (uint8_t)(a.scale > b.scale ? a.scale : b.scale)};
        if (decimal_add(v[0], a.scale, v[1], b.scale, exact, &sum) &&
            decimal_sub(sum, exact.scale, v[1], b.scale, full, &back))
            EXPECT(back == v[0]);
        if (v[1] == 0)
            continue;
        /* a × b / b, and a = (a div b) × b + a rem b */
        unsigned scale = a.scale + b.scale;
        if (scale <= 38 &&
            decimal_mul(v[0], a.scale, v[1], b.scale, (struct decimal_shape){38, (uint8_t)scale}, &product)) {
            EXPECT(decimal_div(product, scale, v[1], b.scale, full, &back) && back == v[0]);
        }
        int64_t whole;
        if (decimal_rem(v[0], a.scale, v[1], b.scale, exact, &rest) &&
            decimal_int_div(v[0], a.scale, v[1], b.scale, &whole) &&
            decimal_mul(whole, 0, v[1], b.scale, exact, &product) &&
            decimal_add(product, exact.scale, rest, exact.scale, full, &back))
            EXPECT(back == v[0]);
        /* |a / b − q| ≤ half a unit: 2 |a − q b| ≤ b, all at full scale */
        if (a.scale == b.scale &&
            decimal_div(v[0], a.scale, v[1], b.scale, (struct decimal_shape){38, 6}, &quotient) &&
            decimal_mul(quotient, 6, v[1], b.scale,
                        (struct decimal_shape){38, (uint8_t)(a.scale > 32 ? 38 : a.scale + 6)}, &product) &&
            a.scale <= 32) {
            i128 left;
            if (decimal_sub(v[0], a.scale, product, a.scale + 6u,
                            (struct decimal_shape){38, (uint8_t)(a.scale + 6)}, &left)) {
                i128 unit = v[1] < 0 ? -v[1] : v[1];
                left = left < 0 ? -left : left;
                EXPECT(2 * left <= unit); /* a unit of q times b, at scale a + 6, is b itself */
            }
        }
        if (i % 100 == 0)
            arena_reset(&arena);
    }
    arena_fini(&arena);
}

TEST(text_there_and_back)
{
    struct rng rng = {2};
    struct arena arena = {0};
    for (int i = 0; i < 50000; i++) {
        const struct type *type = random_type(&rng, 1, 1u << TYPE_DECIMAL, &arena);
        i128 v = random_value(&rng, type, false, &arena).decimal, back;
        struct decimal_shape shape = decimal_shape_of(type), exact;
        const char *text = text_of(v, shape.scale);
        EXPECT(decimal_parse(str_of(text), shape, &back) == DECIMAL_OK && back == v);
        EXPECT(decimal_parse_exact(str_of(text), &back, &exact) == DECIMAL_OK && back == v &&
               exact.scale == shape.scale);
        EXPECT_EQ_DOUBLE(decimal_to_f64(v, shape.scale), strtod(text, NULL) + 0.0);
        arena_reset(&arena);
    }
    arena_fini(&arena);
}

TEST(doubles)
{
    i128 v;
    EXPECT(decimal_from_f64(0.1, (struct decimal_shape){38, 20}, &v));
    EXPECT_STR(text_of(v, 20), "0.10000000000000000000");
    EXPECT(decimal_from_f64(-1.005, (struct decimal_shape){10, 2}, &v) && v == -101);
    EXPECT(decimal_from_f64(1e37, (struct decimal_shape){38, 0}, &v) && v == decimal_pow10[37]);
    EXPECT(!decimal_from_f64(1e38, (struct decimal_shape){38, 0}, &v));
    EXPECT(!decimal_from_f64(1e300, (struct decimal_shape){38, 0}, &v));
    EXPECT(!decimal_from_f64(NAN, (struct decimal_shape){38, 0}, &v));
    EXPECT(!decimal_from_f64(INFINITY, (struct decimal_shape){38, 0}, &v));
    EXPECT(decimal_from_f64(5e-324, (struct decimal_shape){38, 38}, &v) && v == 0);
    EXPECT(decimal_from_f64(0.0, (struct decimal_shape){1, 1}, &v) && v == 0);
    int64_t i;
    EXPECT(decimal_to_i64(-1999, 3, &i) && i == -1);
    EXPECT(!decimal_to_i64(decimal_pow10[19], 0, &i));
    EXPECT(!decimal_from_i64(100, (struct decimal_shape){4, 2}, &v));
    EXPECT(decimal_from_i64(-99, (struct decimal_shape){4, 2}, &v) && v == -9900);
}

int main(void)
{
    RUN(reading);
    RUN(the_digits_of_a_literal);
    RUN(printing);
    RUN(result_types);
    RUN(the_widest_of_two);
    RUN(rounding);
    RUN(arithmetic_at_the_edges);
    RUN(random_arithmetic);
    RUN(text_there_and_back);
    RUN(doubles);
    return test_end();
}

#include "type/type.h"

#include "base/test.h"

TEST(simple_types_and_their_widths)
{
    EXPECT_EQ_INT(type_width(type_simple(TYPE_NULL)), 0);
    EXPECT_EQ_INT(type_width(type_simple(TYPE_BOOLEAN)), 1);
    EXPECT_EQ_INT(type_width(type_simple(TYPE_DECIMAL)), 16);
    EXPECT_EQ_INT(type_width(type_simple(TYPE_VARIANT)), 0);
    EXPECT_EQ_INT(type_simple(TYPE_DECIMAL)->precision, 10);
    EXPECT(type_is_integer(type_simple(TYPE_LONG)) && !type_is_integer(type_simple(TYPE_FLOAT)));
}

TEST(equality_of_types)
{
    struct arena arena = {0};
    const struct type *a = type_array(&arena, type_simple(TYPE_INT), true);
    const struct type *b = type_array(&arena, type_simple(TYPE_INT), false);
    EXPECT(!type_equal(a, b));
    EXPECT(type_same(a, b));
    EXPECT(type_equal(type_decimal(&arena, 10, 0), type_simple(TYPE_DECIMAL)));
    EXPECT(!type_same(type_decimal(&arena, 10, 2), type_decimal(&arena, 10, 3)));
    EXPECT(!type_same(type_map(&arena, a, a, true), a));
    struct field x = {.name = "x", .type = a, .nullable = true, .comment = "one"}, y = x;
    y.comment = NULL;
    EXPECT(type_equal(type_struct(&arena, &x, 1), type_struct(&arena, &y, 1)));
    y.name = "X";
    EXPECT(!type_same(type_struct(&arena, &x, 1), type_struct(&arena, &y, 1)));
    struct arena other = {0};
    const struct type *copy = type_copy(&other, type_struct(&arena, &x, 1));
    arena_fini(&arena);
    EXPECT_STR(copy->fields[0].name, "x");
    EXPECT_STR(copy->fields[0].comment, "one");
    EXPECT_EQ_INT(copy->fields[0].type->fields[0].type->kind, TYPE_INT);
    arena_fini(&other);
}

TEST(fields_by_name)
{
    struct arena arena = {0};
    const struct type *t = type_simple(TYPE_INT);
    struct field fields[] = {
        {"a", t, true, NULL}, {"B", t, true, NULL}, {"b", t, true, NULL}, {"C", t, true, NULL}};
    const struct type *s = type_struct(&arena, fields, 4);
    EXPECT_EQ_INT(type_field(s, STR("a"), false), 0);
    EXPECT_EQ_INT(type_field(s, STR("A"), false), -1);
    EXPECT_EQ_INT(type_field(s, STR("A"), true), 0);
    EXPECT_EQ_INT(type_field(s, STR("b"), true), 2);
    EXPECT_EQ_INT(type_field(s, STR("c"), true), 3);
    fields[2].name = "bb";
    s = type_struct(&arena, fields, 3);
    EXPECT_EQ_INT(type_field(s, STR("BB"), true), 2);
    fields[2].name = "Ba", fields[1].name = "bA";
    s = type_struct(&arena, fields, 3);
    EXPECT_EQ_INT(type_field(s, STR("ba"), true), -2);
    arena_fini(&arena);
}

TEST(order_of_values)
{
    struct value nan = {.type = type_simple(TYPE_DOUBLE), .f64 = __builtin_nan("")}, big = nan, zero = nan,
                 minus = nan;
    big.f64 = __builtin_inf(), zero.f64 = 0.0, minus.f64 = -0.0;
    struct value null = value_null(type_simple(TYPE_DOUBLE));
    EXPECT_EQ_INT(value_cmp(&nan, &big), 1);
    EXPECT_EQ_INT(value_cmp(&nan, &nan), 0);
    EXPECT_EQ_INT(value_cmp(&zero, &minus), 0);
    EXPECT_EQ_INT(value_cmp(&null, &minus), -1);
    EXPECT_EQ_INT(value_cmp(&null, &null), 0);
    struct type lcase = {.kind = TYPE_STRING, .collation = "UTF8_LCASE"};
    struct value a = {.type = &lcase,
                      .str = STR("\xC3\x84"
                                 "a")},
                 b = {.type = &lcase,
                      .str = STR("\xC3\xA4"
                                 "A")};
    EXPECT_EQ_INT(value_cmp(&a, &b), 0);
    b.str = STR("\xC3\xA4"
                "Ab");
    EXPECT_EQ_INT(value_cmp(&a, &b), -1);
    a.type = b.type = type_simple(TYPE_STRING);
    EXPECT_EQ_INT(value_cmp(&a, &b), -1);
    struct value items[] = {zero, nan};
    struct arena arena = {0};
    const struct type *array = type_array(&arena, type_simple(TYPE_DOUBLE), true);
    struct value x = {.type = array, .nested = {1, items}}, y = {.type = array, .nested = {2, items}};
    EXPECT_EQ_INT(value_cmp(&x, &y), -1);
    y.nested.items = items + 1, y.nested.count = 1;
    EXPECT_EQ_INT(value_cmp(&y, &x), 1);
    arena_fini(&arena);
}

int main(void)
{
    RUN(simple_types_and_their_widths);
    RUN(equality_of_types);
    RUN(fields_by_name);
    RUN(order_of_values);
    return test_end();
}

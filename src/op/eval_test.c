/* The evaluator and its kernels on small columns: results are compared as text, rows parted by " | ". */
#include <ref/make_expr.h>
#include <ref/random_batch.h>

#include "base/test.h"
#include "op/eval_private.h"

static struct pool *pool;
static struct arena *arena;
static struct batch *in;
static const struct type *schema;

#define T(kind) type_simple(TYPE_##kind)
#define COL(i) make_column(arena, schema, i)
#define CALL1(id, kind, a) make_call1(arena, FN_##id, T(kind), a)
#define CALL2(id, kind, a, b) make_call2(arena, FN_##id, T(kind), a, b)
#define CALL3(id, kind, a, b, c) make_call3(arena, FN_##id, T(kind), a, b, c)
#define S(text) make_str(arena, text)
#define I(n) make_i32(arena, n)

/* Columns: 0 i INT, 1 j INT, 2 s STRING, 3 d DOUBLE, 4 b BOOLEAN, 5 l LONG, 6 a ARRAY<INT>, 7 st STRUCT<x
 * INT, y STRING>. */
static void begin(void)
{
    pool = pool_new(NULL, "test");
    arena = pool_arena(pool);
    in = batch_new();
    struct field xy[] = {{"x", T(INT), true, NULL}, {"y", T(STRING), true, NULL}};
    struct field fields[] = {{"i", T(INT), true, NULL},
                             {"j", T(INT), true, NULL},
                             {"s", T(STRING), true, NULL},
                             {"d", T(DOUBLE), true, NULL},
                             {"b", T(BOOLEAN), true, NULL},
                             {"l", T(LONG), true, NULL},
                             {"a", type_array(arena, T(INT), true), true, NULL},
                             {"st", type_struct(arena, xy, 2), true, NULL}};
    schema = type_struct(arena, fields, 8);
    struct batch_builder b;
    batch_builder_init(&b, in, schema);
    const char *texts[] = {"apple", "Banana split with cream", NULL, ""};
    for (int row = 0; row < 4; row++) {
        column_builder_i64(&b.columns[0], row + 1);
        if (row == 1)
            column_builder_null(&b.columns[1]);
        else
            column_builder_i64(&b.columns[1], row == 3 ? 0 : 10 * row);
        if (texts[row])
            column_builder_str(&b.columns[2], str_of(texts[row]), true);
        else
            column_builder_null(&b.columns[2]);
        column_builder_f64(&b.columns[3], row == 2 ? 0.0 / 0.0 : row * 1.5);
        if (row == 2)
            column_builder_null(&b.columns[4]);
        else
            column_builder_bool(&b.columns[4], row % 2 == 0);
        column_builder_i64(&b.columns[5], row == 3 ? INT64_MAX : row);
        for (int k = 0; k < row; k++)
            column_builder_i64(&b.columns[6].children[0], 10 * row + k);
        if (row == 2)
            column_builder_null(&b.columns[6].children[0]);
        if (row == 3) {
            column_builder_truncate(&b.columns[6], 3);
            column_builder_null(&b.columns[6]);
            column_builder_null(&b.columns[7]);
        } else {
            column_builder_nested(&b.columns[6]);
            column_builder_i64(&b.columns[7].children[0], 100 + row);
            column_builder_str(&b.columns[7].children[1], STR("yy"), true);
            column_builder_nested(&b.columns[7]);
        }
    }
    batch_builder_finish(&b);
}

static void end(void)
{
    batch_free(in);
    pool_free(pool);
}

static void print_column(const struct column *column, uint32_t rows, struct sbuf *out)
{
    for (uint32_t row = 0; row < rows; row++) {
        struct value v = column_value(column, row, arena);
        if (row)
            sbuf_cstr(out, " | ");
        value_to_text(&v, NULL, out);
    }
}

static struct row_errors errors;

static struct column run(const struct expr *e)
{
    struct evaluator *evaluator;
    struct err err = {0};
    struct column out;
    struct eval_context context = {.now = {1700000000123456}, .seed = 7};
    errors = (struct row_errors){0};
    if (!EXPECT(evaluator_new(pool, &e, 1, schema, &evaluator, &err))) {
        fprintf(stderr, "    %s\n", err.text);
        return column_flatten(&in->columns[0], arena);
    }
    evaluator_run(evaluator, &context, in, (struct selection){NULL, in->rows}, arena, &out, &errors);
    struct field one = {"r", e->type, true, NULL};
    struct batch result = {.schema = type_struct(arena, &one, 1), .rows = in->rows, .columns = &out};
    if (!EXPECT(batch_check(&result, &err)))
        fprintf(stderr, "    %s\n", err.text);
    return out;
}

static void expect(const struct expr *e, const char *wanted, uint32_t error_count, const char *file, int line)
{
    struct sbuf text = {0};
    struct column out = run(e);
    print_column(&out, in->rows, &text);
    if (!test_str(text.p, wanted, file, line, "result"))
        for (uint32_t i = 0; i < errors.count; i++)
            fprintf(stderr, "    error in row %u: %s\n", errors.items[i].row, errors.items[i].text);
    test_eq_int(TEST_INT(errors.count), TEST_INT(error_count), file, line, "errors");
    sbuf_fini(&text);
}
#define IS(expr, wanted) expect(expr, wanted, 0, __FILE__, __LINE__)
#define FAILS(expr, wanted, rows) expect(expr, wanted, rows, __FILE__, __LINE__)

TEST(columns_pass_through)
{
    begin();
    struct column out = run(COL(2));
    EXPECT(out.data == in->columns[2].data);
    out = run(make_field(arena, COL(7), 1));
    EXPECT(out.data == in->columns[7].children[1].data);
    IS(make_field(arena, COL(7), 0), "100 | 101 | 102 | NULL");
    end();
}

TEST(arithmetic_overflows_by_row)
{
    begin();
    IS(CALL2(ADD, INT, COL(0), COL(1)), "1 | NULL | 23 | 4");
    FAILS(CALL2(ADD, LONG, COL(5), make_i64(arena, 1)), "1 | 2 | 3 | NULL", 1);
    EXPECT(errors.count == 1 && errors.items[0].row == 3 &&
           strstr(errors.items[0].text, "ARITHMETIC_OVERFLOW") == errors.items[0].text);
    IS(CALL2(TRY_ADD, LONG, COL(5), make_i64(arena, 1)), "1 | 2 | 3 | NULL");
    FAILS(CALL2(MOD, INT, COL(0), COL(1)), "NULL | NULL | 3 | NULL", 2);
    IS(CALL2(MULTIPLY, DOUBLE, COL(3), make_f64(arena, 2)), "0.0 | 3.0 | NaN | 9.0");
    end();
}

TEST(errors_stay_in_their_branch)
{
    begin();
    const struct expr *divide = CALL2(INT_DIVIDE, LONG, make_cast(arena, COL(0), T(LONG), false),
                                      make_cast(arena, COL(1), T(LONG), false));
    const struct expr *args[] = {CALL2(NE, BOOLEAN, COL(1), I(0)), divide, make_i64(arena, -1)};
    IS(make_node(arena, EXPR_CASE, T(LONG), args, 3), "-1 | -1 | 0 | -1");
    const struct expr *both[] = {CALL2(NE, BOOLEAN, COL(1), I(0)),
                                 CALL2(GE, BOOLEAN, divide, make_i64(arena, 0))};
    IS(make_node(arena, EXPR_AND, T(BOOLEAN), both, 2), "false | NULL | true | false");
    FAILS(divide, "NULL | NULL | 0 | NULL", 2);
    end();
}

TEST(constants_fold)
{
    begin();
    struct evaluator *e;
    struct err err = {0};
    const struct expr *zero = CALL2(DIVIDE, DOUBLE, make_f64(arena, 1), make_f64(arena, 0));
    EXPECT(!evaluator_new(pool, &zero, 1, schema, &e, &err) && err.class == ERR_CONFIG &&
           strstr(err.text, "DIVIDE_BY_ZERO"));
    const struct expr *args[] = {make_bool(arena, false), zero, make_f64(arena, 5)};
    IS(make_node(arena, EXPR_CASE, T(DOUBLE), args, 3), "5.0 | 5.0 | 5.0 | 5.0");
    struct column out = run(CALL2(ADD, INT, I(2), I(3)));
    EXPECT(out.encoding == COLUMN_CONSTANT && *(int32_t *)out.data == 5);
    end();
}

TEST(dictionaries_are_evaluated_once)
{
    begin();
    struct column dictionary = in->columns[2];
    uint32_t rows[] = {0, 0, 1, 2};
    struct column saved = in->columns[2];
    in->columns[2] = (struct column){.type = T(STRING),
                                     .encoding = COLUMN_DICTIONARY,
                                     .rows = 4,
                                     .indices = rows,
                                     .dictionary = &dictionary};
    struct column out = run(CALL1(UPPER, STRING, COL(2)));
    EXPECT(out.encoding == COLUMN_DICTIONARY && out.indices == rows);
    IS(CALL1(UPPER, STRING, COL(2)), "APPLE | APPLE | BANANA SPLIT WITH CREAM | NULL");
    FAILS(make_cast(arena, COL(2), T(INT), false), "NULL | NULL | NULL | NULL", 3);
    in->columns[2] = saved;
    end();
}

TEST(comparison)
{
    begin();
    IS(CALL2(LT, BOOLEAN, COL(3), make_f64(arena, 1)), "true | false | false | false");
    IS(CALL2(EQ, BOOLEAN, COL(3), COL(3)), "true | true | true | true");
    IS(CALL2(EQ_NULL_SAFE, BOOLEAN, COL(1), make_null(arena, T(INT))), "false | true | false | false");
    IS(CALL2(EQ, BOOLEAN, COL(2), S("apple")), "true | false | NULL | false");
    IS(CALL2(GE, BOOLEAN, COL(2), S("Banana split with crea")), "true | true | NULL | false");
    const struct expr *list[] = {COL(0), I(3), I(1), make_null(arena, T(INT))};
    IS(make_call(arena, FN_IN, T(BOOLEAN), list, 3), "true | false | true | false");
    IS(make_call(arena, FN_IN, T(BOOLEAN), list, 4), "true | NULL | true | NULL");
    const struct expr *texts[] = {COL(2), S("apple"), S(""), S("Banana split with cream")};
    IS(make_call(arena, FN_IN, T(BOOLEAN), texts, 4), "true | true | NULL | true");
    IS(CALL1(IS_NULL, BOOLEAN, COL(1)), "false | true | false | false");
    end();
}

TEST(casts)
{
    begin();
    IS(make_cast(arena, COL(0), T(STRING), false), "1 | 2 | 3 | 4");
    IS(make_cast(arena, COL(0), type_decimal(arena, 5, 2), false), "1.00 | 2.00 | 3.00 | 4.00");
    IS(make_cast(arena, COL(3), T(STRING), false), "0.0 | 1.5 | NaN | 4.5");
    FAILS(make_cast(arena, COL(5), T(BYTE), false), "0 | 1 | 2 | NULL", 1);
    IS(make_cast(arena, COL(5), T(BYTE), true), "0 | 1 | 2 | NULL");
    FAILS(make_cast(arena, COL(2), T(DOUBLE), false), "NULL | NULL | NULL | NULL", 3);
    IS(make_cast(arena, COL(6), T(STRING), false), "[] | [10] | [20, 21, null] | NULL");
    IS(make_cast(arena, S("2024-02-29"), T(DATE), false),
       "2024-02-29 | 2024-02-29 | 2024-02-29 | 2024-02-29");
    end();
}

TEST(text)
{
    begin();
    IS(CALL2(CONCAT, STRING, COL(2), S("!")), "apple! | Banana split with cream! | NULL | !");
    IS(CALL3(CONCAT_WS, STRING, S("-"), COL(2), make_cast(arena, COL(0), T(STRING), false)),
       "apple-1 | Banana split with cream-2 | 3 | -4");
    IS(CALL3(SUBSTRING, STRING, COL(2), I(-3), I(2)), "pl | ea | NULL | ");
    IS(CALL3(REPLACE, STRING, COL(2), S("p"), S("PP")), "aPPPPle | Banana sPPlit with cream | NULL | ");
    IS(CALL3(LPAD, STRING, COL(2), I(7), S("xy")), "xyapple | Banana  | NULL | xyxyxyx");
    IS(CALL3(LIKE, BOOLEAN, COL(2), S("%p_l%"), S("\\")), "true | false | NULL | false");
    IS(CALL3(LIKE, BOOLEAN, COL(2), S("%split%"), S("\\")), "false | true | NULL | false");
    IS(CALL3(ILIKE, BOOLEAN, COL(2), S("banana%"), S("\\")), "false | true | NULL | false");
    IS(CALL2(RLIKE, BOOLEAN, COL(2), S("^[A-Z].*m$")), "false | true | NULL | false");
    IS(CALL3(REGEXP_REPLACE, STRING, COL(2), S("(p+)"), S("<$1>")),
       "a<pp>le | Banana s<p>lit with cream | NULL | ");
    IS(make_call3(arena, FN_SPLIT, type_array(arena, T(STRING), false), COL(2), S("[ p]+"), I(-1)),
       "[a, le] | [Banana, s, lit, with, cream] | NULL | []");
    IS(CALL1(LENGTH, INT, S("äöü")), "3 | 3 | 3 | 3");
    IS(CALL1(UPPER, STRING, S("straße")), "STRASSE | STRASSE | STRASSE | STRASSE");
    IS(CALL3(SUBSTRING_INDEX, STRING, COL(2), S(" "), I(-2)), "apple | with cream | NULL | ");
    end();
}

TEST(formats)
{
    begin();
    const struct type *money = type_decimal(arena, 8, 2);
    const struct expr *v = make_cast(arena, make_f64(arena, -1234.5), money, false);
    IS(CALL2(TO_CHAR, STRING, v, S("S99,999.00")), "- 1,234.50 | - 1,234.50 | - 1,234.50 | - 1,234.50");
    IS(make_call2(arena, FN_TO_NUMBER, money, S("$1,234.5"), S("$99,999.99")),
       "1234.50 | 1234.50 | 1234.50 | 1234.50");
    IS(CALL2(FORMAT_NUMBER, STRING, make_f64(arena, 1234567.891), I(2)),
       "1,234,567.89 | 1,234,567.89 | 1,234,567.89 | 1,234,567.89");
    IS(CALL3(FORMAT_STRING, STRING, S("%5d|%-6s|"), COL(0), COL(2)),
       "    1|apple | |     2|Banana split with cream| |     3|null  | |     4|      |");
    const struct type *words = type_array(arena, type_array(arena, T(STRING), false), false);
    IS(make_call1(arena, FN_SENTENCES, words, S("Hi there! Good morning.")),
       "[[Hi, there], [Good, morning]] | [[Hi, there], [Good, morning]] | [[Hi, there], [Good, morning]] | [[Hi, there], "
       "[Good, morning]]");
    const struct type *map = type_map(arena, T(STRING), T(STRING), true);
    IS(make_call1(arena, FN_STR_TO_MAP, map, S("a:1,b")),
       "{a -> 1, b -> null} | {a -> 1, b -> null} | {a -> 1, b -> null} | {a -> 1, b -> null}");
    IS(CALL2(GET_JSON_OBJECT, STRING, S("{\"a\":{\"b\":[1,{\"c\":\"x\"}]}}"), S("$.a.b[1].c")),
       "x | x | x | x");
    IS(CALL1(TO_JSON, STRING, COL(7)),
       "{\"x\":100,\"y\":\"yy\"} | {\"x\":101,\"y\":\"yy\"} | {\"x\":102,\"y\":\"yy\"} | NULL");
    IS(make_call1(arena, FN_FROM_JSON, schema->fields[7].type, S("{\"x\":5}")),
       "{5, null} | {5, null} | {5, null} | {5, null}");
    end();
}

TEST(times)
{
    begin();
    const struct expr *day = make_cast(arena, S("2024-01-31"), T(DATE), false);
    IS(CALL2(ADD_MONTHS, DATE, day, COL(0)), "2024-02-29 | 2024-03-31 | 2024-04-30 | 2024-05-31");
    IS(CALL1(DAYOFWEEK, INT, day), "4 | 4 | 4 | 4");
    IS(CALL2(DATE_TRUNC, TIMESTAMP, S("hour"), make_call(arena, FN_CURRENT_TIMESTAMP, T(TIMESTAMP), NULL, 0)),
       "2023-11-14 22:00:00 | 2023-11-14 22:00:00 | 2023-11-14 22:00:00 | 2023-11-14 22:00:00");
    IS(CALL2(DATE_FORMAT, STRING, make_call(arena, FN_CURRENT_TIMESTAMP, T(TIMESTAMP), NULL, 0),
             S("dd.MM.yyyy HH:mm")),
       "14.11.2023 22:13 | 14.11.2023 22:13 | 14.11.2023 22:13 | 14.11.2023 22:13");
    FAILS(CALL2(TO_DATE, DATE, COL(2), S("yyyy-MM-dd")), "NULL | NULL | NULL | NULL", 3);
    IS(CALL2(TRY_TO_DATE, DATE, COL(2), S("yyyy-MM-dd")), "NULL | NULL | NULL | NULL");
    end();
}

TEST(numbers)
{
    begin();
    IS(CALL2(ROUND, DOUBLE, make_f64(arena, 2.675), I(2)), "2.68 | 2.68 | 2.68 | 2.68");
    IS(CALL2(ROUND, INT, CALL2(MULTIPLY, INT, COL(0), I(15)), I(-1)), "20 | 30 | 50 | 60");
    IS(CALL2(BROUND, INT, CALL2(MULTIPLY, INT, COL(0), I(15)), I(-1)), "20 | 30 | 40 | 60");
    IS(CALL1(CEIL, LONG, COL(3)), "0 | 2 | 0 | 5");
    IS(CALL2(GREATEST, INT, COL(0), COL(1)), "1 | 2 | 20 | 4");
    IS(CALL1(HEX, STRING, make_i64(arena, 255)), "FF | FF | FF | FF");
    IS(CALL3(CONV, STRING, S("100"), I(2), I(10)), "4 | 4 | 4 | 4");
    IS(CALL1(MD5, STRING, make_cast(arena, S("abc"), T(BINARY), false)),
       "900150983cd24fb0d6963f7d28e17f72 | 900150983cd24fb0d6963f7d28e17f72 | 900150983cd24fb0d6963f7d28e17f72 | "
       "900150983cd24fb0d6963f7d28e17f72");
    IS(CALL1(HASH, INT, S("Spark")), "228093765 | 228093765 | 228093765 | 228093765");
    end();
}

TEST(arrays_and_lambdas)
{
    begin();
    const struct type *ints = type_array(arena, T(INT), true);
    IS(CALL1(SIZE, INT, COL(6)), "0 | 1 | 3 | NULL");
    IS(CALL2(GET, INT, COL(6), I(1)), "NULL | NULL | 21 | NULL");
    FAILS(CALL2(ELEMENT_AT, INT, COL(6), I(1)), "NULL | 10 | 20 | NULL", 1);
    IS(CALL2(ARRAY_CONTAINS, BOOLEAN, COL(6), I(20)), "false | false | true | NULL");
    const struct expr *x = make_param(arena, T(INT), 0);
    const struct expr *plus = CALL2(ADD, INT, x, COL(0));
    IS(make_call2(arena, FN_TRANSFORM, ints, COL(6), make_lambda(arena, plus, 0, 1)),
       "[] | [12] | [23, 24, null] | NULL");
    IS(make_call2(arena, FN_FILTER, ints, COL(6), make_lambda(arena, CALL2(GT, BOOLEAN, x, I(20)), 0, 1)),
       "[] | [] | [21] | NULL");
    const struct expr *fold[] = {COL(6), I(0),
                                 make_lambda(arena, CALL2(ADD, INT, x, make_param(arena, T(INT), 1)), 0, 2)};
    IS(make_call(arena, FN_AGGREGATE, T(INT), fold, 3), "0 | 10 | NULL | NULL");
    IS(CALL2(EXISTS, BOOLEAN, COL(6), make_lambda(arena, CALL2(EQ, BOOLEAN, x, I(20)), 0, 1)),
       "false | false | true | NULL");
    /* the inner lambda sees the outer one's parameter and a column */
    const struct expr *y = make_param(arena, T(INT), 1);
    const struct expr *inner = make_call2(
        arena, FN_TRANSFORM, ints, COL(6),
        make_lambda(arena, CALL2(ADD, INT, CALL2(ADD, INT, x, y), COL(0)), 1, 1));
    IS(make_call2(arena, FN_TRANSFORM, type_array(arena, ints, true), COL(6),
                  make_lambda(arena, inner, 0, 1)),
       "[] | [[22]] | [[43, 44, null], [44, 45, null], [null, null, null]] | NULL");
    IS(make_call2(arena, FN_ARRAY, ints, COL(0), COL(1)), "[1, 0] | [2, null] | [3, 20] | [4, 0]");
    IS(make_call1(arena, FN_SORT_ARRAY, ints, COL(6)), "[] | [10] | [null, 20, 21] | NULL");
    IS(make_call3(arena, FN_ARRAY_INSERT, ints, COL(6), I(-4), I(7)),
       "[7, null, null, null] | [7, null, null, 10] | [7, 20, 21, null] | NULL");
    end();
}

TEST(filter_gives_rows)
{
    begin();
    struct evaluator *e;
    struct err err = {0};
    uint32_t rows[4];
    const struct expr *predicate = CALL2(GT, BOOLEAN, COL(0), I(2));
    struct row_errors none = {0};
    EXPECT(evaluator_new(pool, &predicate, 1, schema, &e, &err));
    EXPECT_EQ_INT(evaluator_filter(e, NULL, in, (struct selection){NULL, 4}, arena, rows, &none), 2);
    EXPECT(rows[0] == 2 && rows[1] == 3);
    uint32_t some[] = {1, 3};
    EXPECT_EQ_INT(evaluator_filter(e, NULL, in, (struct selection){some, 2}, arena, rows, &none), 1);
    EXPECT(rows[0] == 3);
    end();
}

TEST(every_function_has_a_kernel)
{
    for (int id = 0; id < FN_COUNT; id++)
        if (make_needs_kernel((enum function_id)id) && !EXPECT(kernel_exists((enum function_id)id)))
            fprintf(stderr, "    no kernel: %s\n", make_function((enum function_id)id)->name);
}

int main(void)
{
    RUN(columns_pass_through);
    RUN(arithmetic_overflows_by_row);
    RUN(errors_stay_in_their_branch);
    RUN(constants_fold);
    RUN(dictionaries_are_evaluated_once);
    RUN(comparison);
    RUN(casts);
    RUN(text);
    RUN(formats);
    RUN(times);
    RUN(numbers);
    RUN(arrays_and_lambdas);
    RUN(filter_gives_rows);
    RUN(every_function_has_a_kernel);
    return test_end();
}

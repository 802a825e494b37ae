#include "type/cast.h"

#include <math.h>
#include <ref/random_batch.h>

#include "base/test.h"
#include "base/utf8.h"

static struct arena arena;
static struct sbuf text;

static const struct type *type_of(const char *sql)
{
    const struct type *type = NULL;
    struct err err = {0};
    if (!EXPECT(type_parse(&arena, str_of(sql), &type, &err)))
        fprintf(stderr, "    %s: %s\n", sql, err.text);
    return type;
}

/* CAST(CAST(text AS from) AS to) as text; the class of the error, "NULL", or "none". */
static const char *cast(const char *from, const char *s, const char *to)
{
    struct value in = {.type = type_simple(TYPE_STRING), .str = str_of(s)}, middle, out;
    struct err err = {0};
    sbuf_clear(&text);
    if (!value_cast(&in, type_of(from), NULL, &arena, &middle, &err))
        sbuf_printf(&text, "input: %s", err.text);
    else if (!value_cast(&middle, type_of(to), NULL, &arena, &out, &err))
        sbuf_add(&text, err.text, strcspn(err.text, ":"));
    else
        value_to_text(&out, NULL, &text);
    return text.p;
}

TEST(casts_of_spark)
{
    static const char *const cases[][4] = {
        {"string", "1.23", "int", "CAST_INVALID_INPUT"},
        {"string", "1234567890123", "int", "CAST_INVALID_INPUT"},
        {"string", "-2147483648", "int", "-2147483648"},
        {"string", " 1\t", "tinyint", "1"},
        {"string", "1\xE4\xB8\xAD", "int", "CAST_INVALID_INPUT"},
        {"string", "abc", "float", "CAST_INVALID_INPUT"},
        {"string", "", "double", "CAST_INVALID_INPUT"},
        {"string", "\t\t true \n\r ", "boolean", "true"},
        {"string", "xyz", "boolean", "CAST_INVALID_INPUT"},
        {"string", "23.45", "decimal(4,2)", "23.45"},
        {"string", "123.45", "decimal(4,2)", "NUMERIC_VALUE_OUT_OF_RANGE"},
        {"string", "xyz", "decimal(4,2)", "CAST_INVALID_INPUT"},
        {"string", "2022-01-01", "date", "2022-01-01"},
        {"string", "a", "timestamp", "CAST_INVALID_INPUT"},
        {"string", "2022-01-01 00:00:00", "timestamp_ntz", "2022-01-01 00:00:00"},
        {"double", "inf", "timestamp", "CAST_INVALID_INPUT"},
        {"float", "nan", "timestamp", "CAST_INVALID_INPUT"},
        {"double", "1.5", "timestamp", "1970-01-01 00:00:01.5"},
        {"decimal(20,8)", "-1.12345678", "timestamp", "1969-12-31 23:59:58.876544"},
        {"bigint", "9223372036854775807", "timestamp", "+294247-01-10 04:00:54.775807"},
        {"timestamp", "1969-12-31 23:59:59.5", "bigint", "-1"},
        {"timestamp", "1970-01-01 00:00:01.25", "double", "1.25"},
        {"timestamp", "1970-01-01 00:00:01.25", "decimal(5,1)", "1.3"},
        {"timestamp", "2024-01-01 00:00:00", "smallint", "CAST_OVERFLOW"},
        {"timestamp", "2024-01-02 23:00:00", "date", "2024-01-02"},
        {"date", "2024-01-02", "timestamp", "2024-01-02 00:00:00"},
        {"int", "128", "tinyint", "CAST_OVERFLOW"},
        {"int", "-128", "tinyint", "-128"},
        {"double", "2147483647.9", "int", "2147483647"},
        {"double", "2147483648", "int", "CAST_OVERFLOW"},
        {"double", "NaN", "bigint", "CAST_OVERFLOW"},
        {"double", "NaN", "decimal(10,2)", "NULL"},
        {"double", "0.1", "decimal(20,18)", "0.100000000000000000"},
        {"float", "0.1", "decimal(20,18)", "0.100000001490116120"},
        {"double", "1e10", "string", "1.0E10"},
        {"float", "3.4e38", "double", "3.3999999521443642E38"},
        {"double", "1e300", "float", "Infinity"},
        {"bigint", "9007199791611905", "float", "9.0072E15"},
        {"decimal(10,2)", "99.995", "decimal(4,2)", "NUMERIC_VALUE_OUT_OF_RANGE"},
        {"decimal(10,3)", "-99.985", "decimal(4,2)", "-99.99"},
        {"decimal(10,3)", "-1.999", "int", "-1"},
        {"decimal(38,0)", "99999999999999999999", "bigint", "CAST_OVERFLOW"},
        {"decimal(10,3)", "0.000", "boolean", "false"},
        {"boolean", "true", "decimal(1,0)", "1"},
        {"boolean", "true", "decimal(1,1)", "NUMERIC_VALUE_OUT_OF_RANGE"},
        {"boolean", "true", "double", "1.0"},
        {"int", "5", "boolean", "true"},
        {"interval year", "1", "tinyint", "1"},
        {"interval year to month", "-10-2", "smallint", "-122"},
        {"interval second", "-10.123456", "tinyint", "-10"},
        {"interval hour to second", "23:59:59", "smallint", "CAST_OVERFLOW"},
        {"interval day to second", "-1 02:03:04.123", "int", "-93784"},
        {"interval second", "1.000001", "decimal(10,6)", "1.000001"},
        {"interval hour to second", "08:11:10.001", "decimal(10,4)", "29470.0010"},
        {"interval second", "10.005", "decimal(4,2)", "10.01"},
        {"interval second", "10.123", "decimal(1,0)", "NUMERIC_VALUE_OUT_OF_RANGE"},
        {"tinyint", "1", "interval year", "INTERVAL '1' YEAR"},
        {"smallint", "-122", "interval year to month", "INTERVAL '-10-2' YEAR TO MONTH"},
        {"bigint", "-10", "interval second", "INTERVAL '-10' SECOND"},
        {"int", "2147483647", "interval year", "CAST_OVERFLOW"},
        {"bigint", "-9223372036854775808", "interval day", "CAST_OVERFLOW"},
        {"decimal(8,6)", "10.123456", "interval day to second", "INTERVAL '0 00:00:10.123456' DAY TO SECOND"},
        {"decimal(8,6)", "80.654321", "interval hour to minute", "INTERVAL '01:20' HOUR TO MINUTE"},
        {"decimal(8,6)", "-10.123456", "interval year to month", "INTERVAL '-0-10' YEAR TO MONTH"},
        {"decimal(8,6)", "10.654321", "interval month", "INTERVAL '11' MONTH"},
        {"string", "interval '3 00:00:01' day to second", "interval day to second",
         "INTERVAL '3 00:00:01' DAY TO SECOND"},
        {"string", "x", "interval day", "INVALID_INTERVAL_FORMAT.UNMATCHED_FORMAT_STRING"},
        {"int", "1", "binary", "DATATYPE_MISMATCH.CAST_WITHOUT_SUGGESTION"},
        {"int", "1", "date", "DATATYPE_MISMATCH.CAST_WITHOUT_SUGGESTION"},
        {"date", "2024-01-01", "int", "DATATYPE_MISMATCH.CAST_WITHOUT_SUGGESTION"},
        {"date", "2024-01-01", "boolean", "DATATYPE_MISMATCH.CAST_WITHOUT_SUGGESTION"},
        {"timestamp_ntz", "2024-01-01 00:00:00", "bigint", "DATATYPE_MISMATCH.CAST_WITHOUT_SUGGESTION"},
        {"binary", "abc", "string", "abc"},
        {"string", "abc", "binary", "[61 62 63]"},
        {"string", "[1]", "array<int>", "DATATYPE_MISMATCH.CAST_WITHOUT_SUGGESTION"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        if (!EXPECT_STR(cast(cases[i][0], cases[i][1], cases[i][2]), cases[i][3]))
            fprintf(stderr, "    %s '%s' to %s\n", cases[i][0], cases[i][1], cases[i][2]);
}

TEST(sentences)
{
    struct value in = {.type = type_simple(TYPE_STRING), .str = STR("it's")}, out;
    struct err err = {0};
    EXPECT(!value_cast(&in, type_simple(TYPE_INT), NULL, &arena, &out, &err));
    EXPECT_STR(err.text, "CAST_INVALID_INPUT: cannot cast 'it\\'s' from STRING to INT: it is malformed");
    EXPECT_STR(err.hint, "Use try_cast to get NULL in place of this error.");
    EXPECT_EQ_INT(err.class, ERR_DATA);
    in = (struct value){.type = type_simple(TYPE_LONG), .i64 = 300};
    EXPECT(!value_cast(&in, type_simple(TYPE_BYTE), NULL, &arena, &out, &err));
    EXPECT_STR(err.text, "CAST_OVERFLOW: cannot cast 300L from BIGINT to TINYINT: it is out of range");
    struct sbuf longer = {0};
    for (int i = 0; i < 1000; i++)
        sbuf_cstr(&longer, "\xC3\xA4");
    in = (struct value){.type = type_simple(TYPE_STRING), .str = sbuf_view(&longer)};
    EXPECT(!value_cast(&in, type_simple(TYPE_INT), NULL, &arena, &out, &err));
    EXPECT(utf8_valid(err.text, strlen(err.text)) && strlen(err.text) < 250);
    sbuf_fini(&longer);
}

/* Any cast of any value: right or refused, in range, and never refused where it cannot fail. */
TEST(random_casts)
{
    for (unsigned seed = 0; seed < 40000; seed++) {
        struct rng rng = {seed};
        const struct type *from = random_type(&rng, 1 + seed % 3, RANDOM_ALL & ~(1u << TYPE_VARIANT), &arena);
        const struct type *to = random_type(&rng, 1 + seed % 3, RANDOM_ALL & ~(1u << TYPE_VARIANT), &arena);
        if (seed % 4 == 0)
            to = type_simple(TYPE_STRING);
        struct value in = random_value(&rng, from, true, &arena), out = {0}, again;
        struct err err = {0};
        bool ok = value_cast(&in, to, NULL, &arena, &out, &err);
        if (!type_can_cast(from, to)) {
            EXPECT(!ok && err.class == ERR_CONFIG);
        } else if (!ok) {
            sbuf_clear(&text);
            type_to_sql(from, &text);
            sbuf_cstr(&text, " to ");
            type_to_sql(to, &text);
            if (!EXPECT(err.class == ERR_DATA && type_cast_can_fail(from, to)))
                fprintf(stderr, "    %s: %s\n", text.p, err.text);
        } else {
            EXPECT(type_equal(out.type, to));
            if (!out.is_null && to->kind == TYPE_DECIMAL)
                EXPECT(decimal_fits(out.decimal, to->precision));
            if (!out.is_null && type_is_integer(to))
                EXPECT(out.i64 >= type_int_min(to->kind) && out.i64 <= type_int_max(to->kind));
            /* a cast to the type it has changes nothing */
            EXPECT(value_cast(&out, to, NULL, &arena, &again, &err) && value_cmp(&out, &again) == 0);
        }
        /* simple values read back from their text */
        bool reads_back = !in.is_null && from->kind < TYPE_ARRAY && from->kind != TYPE_BINARY &&
                          to->kind == TYPE_STRING;
        if (ok && reads_back) {
            if (!EXPECT(value_cast(&out, from, NULL, &arena, &again, &err) && value_cmp(&in, &again) == 0))
                fprintf(stderr, "    %.*s\n", STR_ARG(out.str));
        }
        if (seed % 100 == 0)
            arena_reset(&arena);
    }
}

/* ---- common types -------------------------------------------------------------------------------------- */

static const char *common(bool strings, const char *a, const char *b)
{
    const struct type *t = strings ? type_common(&arena, type_of(a), type_of(b))
                                   : type_tightest(&arena, type_of(a), type_of(b));
    sbuf_clear(&text);
    if (t != NULL)
        type_to_sql(t, &text);
    else
        sbuf_cstr(&text, "none");
    return text.p;
}

TEST(common_types)
{
    static const char *const cases[][4] = {
        /* a, b, tightest, common */
        {"tinyint", "smallint", "SMALLINT", "SMALLINT"},
        {"int", "bigint", "BIGINT", "BIGINT"},
        {"int", "float", "DOUBLE", "DOUBLE"},
        {"float", "float", "FLOAT", "FLOAT"},
        {"float", "double", "DOUBLE", "DOUBLE"},
        {"int", "decimal(5,2)", "DECIMAL(12,2)", "DECIMAL(12,2)"},
        {"decimal(10,0)", "decimal(5,4)", "DECIMAL(14,4)", "DECIMAL(14,4)"},
        {"decimal(10,2)", "float", "DOUBLE", "DOUBLE"},
        {"void", "int", "INT", "INT"},
        {"string", "void", "STRING", "STRING"},
        {"date", "timestamp", "TIMESTAMP", "TIMESTAMP"},
        {"date", "timestamp_ntz", "TIMESTAMP_NTZ", "TIMESTAMP_NTZ"},
        {"timestamp", "timestamp_ntz", "TIMESTAMP", "TIMESTAMP"},
        {"string", "int", "none", "BIGINT"},
        {"tinyint", "string", "none", "BIGINT"},
        {"string", "decimal(4,2)", "none", "DOUBLE"},
        {"string", "float", "none", "DOUBLE"},
        {"string", "date", "none", "DATE"},
        {"string", "boolean", "none", "BOOLEAN"},
        {"string", "binary", "none", "BINARY"},
        {"string", "interval day", "none", "none"},
        {"boolean", "int", "none", "none"},
        {"date", "int", "none", "none"},
        {"array<int>", "array<bigint>", "ARRAY<BIGINT>", "ARRAY<BIGINT>"},
        {"array<int>", "array<string>", "none", "ARRAY<BIGINT>"},
        {"struct<a:int,b:date>", "struct<A:double,b:timestamp>", "STRUCT<a: DOUBLE, b: TIMESTAMP>",
         "STRUCT<a: DOUBLE, b: TIMESTAMP>"},
        {"struct<a:int>", "struct<b:int>", "none", "none"},
        {"map<int,int>", "map<bigint,string>", "none", "MAP<BIGINT, BIGINT>"},
        {"interval year", "interval month", "INTERVAL YEAR TO MONTH", "INTERVAL YEAR TO MONTH"},
        {"interval year", "interval day", "none", "none"},
        {"interval hour", "interval day to minute", "INTERVAL DAY TO MINUTE", "INTERVAL DAY TO MINUTE"},
        {"array<int>", "string", "none", "none"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        EXPECT_STR(common(false, cases[i][0], cases[i][1]), cases[i][2]);
        EXPECT_STR(common(true, cases[i][0], cases[i][1]), cases[i][3]);
        if (strncmp(cases[i][0], "struct", 6) != 0)
            EXPECT_STR(common(true, cases[i][1], cases[i][0]), cases[i][3]);
    }
}

TEST(assignments)
{
    static const struct {
        const char *from, *to;
        bool cast, assign, promote;
    } cases[] = {
        {"int", "bigint", true, true, true},
        {"bigint", "int", true, true, true},
        {"string", "int", true, false, true},
        {"int", "string", true, true, true},
        {"date", "timestamp", true, true, true},
        {"timestamp", "date", true, true, true},
        {"boolean", "int", true, false, false},
        {"int", "boolean", true, false, false},
        {"int", "timestamp", true, false, false},
        {"timestamp", "bigint", true, false, false},
        {"binary", "string", true, true, true},
        {"string", "binary", true, false, true},
        {"int", "binary", false, false, false},
        {"date", "int", false, false, false},
        {"void", "array<int>", true, true, true},
        {"array<int>", "array<string>", true, true, true},
        {"array<string>", "array<int>", true, false, true},
        {"array<int>", "string", true, false, false},
        {"struct<a:int>", "struct<b:int>", true, true, true},
        {"struct<a:int>", "struct<a:int,b:int>", false, false, false},
        {"interval day", "interval day to second", true, true, true},
        {"interval day", "interval year", false, false, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct type *from = type_of(cases[i].from), *to = type_of(cases[i].to);
        if (!EXPECT(type_can_cast(from, to) == cases[i].cast) ||
            !EXPECT(type_can_assign(from, to) == cases[i].assign) ||
            !EXPECT(type_can_promote(from, to) == cases[i].promote))
            fprintf(stderr, "    %s to %s\n", cases[i].from, cases[i].to);
    }
    const struct type *nullable = type_array(&arena, type_simple(TYPE_INT), true);
    const struct type *full = type_array(&arena, type_simple(TYPE_INT), false);
    EXPECT(!type_can_cast(nullable, full) && type_can_cast(full, nullable));
}

/* ---- text of values ------------------------------------------------------------------------------------ */

TEST(values_in_three_texts)
{
    const struct type *type = type_of(
        "struct<i: bigint, t: timestamp, b: binary, s: string, m: map<date, double>, a: array<decimal(5,2)>, n: float>");
    struct value key = {.type = type_simple(TYPE_DATE), .i64 = 19782},
                 d = {.type = type_simple(TYPE_DOUBLE), .f64 = (double)NAN};
    struct value pair[] = {key, d};
    struct value decimals[] = {{.type = type->fields[5].type->fields[0].type, .decimal = -1234},
                               value_null(type->fields[5].type->fields[0].type)};
    struct value items[] = {
        {.type = type->fields[0].type, .i64 = INT64_MAX},
        {.type = type->fields[1].type, .i64 = 1500000},
        {.type = type->fields[2].type, .str = STR("ab\xFF\x01")},
        {.type = type->fields[3].type, .str = STR("it's \"x\"")},
        {.type = type->fields[4].type, .nested = {1, pair}},
        {.type = type->fields[5].type, .nested = {2, decimals}},
        value_null(type->fields[6].type),
    };
    struct value v = {.type = type, .nested = {7, items}};
    sbuf_clear(&text);
    value_to_text(&v, NULL, &text);
    EXPECT_STR(
        text.p,
        "{9223372036854775807, 1970-01-01 00:00:01.5, [61 62 FF 01], it's \"x\", {2024-02-29 -> NaN}, [-12.34, null], null}");
    sbuf_clear(&text);
    value_to_sql(&v, &text);
    EXPECT_STR(
        text.p,
        "NAMED_STRUCT('i', 9223372036854775807L, 't', TIMESTAMP '1970-01-01 00:00:01.5', 'b', X'6162FF01', 's', 'it\\'s \"x\"', "
        "'m', MAP(DATE '2024-02-29', CAST('NaN' AS DOUBLE)), 'a', ARRAY(-12.34BD, NULL), 'n', NULL)");
    sbuf_clear(&text);
    value_to_json(&v, &text);
    EXPECT_STR(
        text.p,
        "{\"i\":9223372036854775807,\"t\":\"1970-01-01T00:00:01.500000Z\",\"b\":\"YWL/AQ==\",\"s\":\"it's \\\"x\\\"\","
        "\"m\":{\"2024-02-29\":\"NaN\"},\"a\":[-12.34,null],\"n\":null}");
    static const char *const base64[] = {"", "YQ==", "YWI=", "YWJj", "YWJjZA=="};
    for (size_t n = 0; n <= 4; n++) {
        char wanted[16];
        snprintf(wanted, sizeof wanted, "\"%s\"", base64[n]);
        struct value b = {.type = type_simple(TYPE_BINARY), .str = str_n("abcd", n)};
        sbuf_clear(&text);
        value_to_json(&b, &text);
        EXPECT_STR(text.p, wanted);
    }
}

int main(void)
{
    RUN(casts_of_spark);
    RUN(sentences);
    RUN(random_casts);
    RUN(common_types);
    RUN(assignments);
    RUN(values_in_three_texts);
    arena_fini(&arena);
    sbuf_fini(&text);
    return test_end();
}

#include <ref/random_batch.h>

#include "base/test.h"

static struct arena arena;
static struct sbuf text;

static const char *sql_of(const struct type *type)
{
    sbuf_clear(&text);
    type_to_sql(type, &text);
    return text.p;
}

/* What type_parse makes of sql, printed; "line:column text" of the error. */
static const char *parsed(const char *sql)
{
    const struct type *type;
    struct err err = {0};
    sbuf_clear(&text);
    if (type_parse(&arena, str_of(sql), &type, &err))
        type_to_sql(type, &text);
    else
        sbuf_printf(&text, "%d:%d %s", err.place.line, err.place.column, err.text);
    return text.p;
}

static const char *ddl(const char *sql)
{
    const struct type *type;
    struct err err = {0};
    sbuf_clear(&text);
    if (type_parse_ddl(&arena, str_of(sql), &type, &err))
        type_to_sql(type, &text);
    else
        sbuf_printf(&text, "%d:%d %s", err.place.line, err.place.column, err.text);
    return text.p;
}

TEST(every_spelling_of_simple_types)
{
    static const char *const pairs[][2] = {
        {"int", "INT"},
        {"INTEGER", "INT"},
        {"tinyint", "TINYINT"},
        {"Byte", "TINYINT"},
        {"short", "SMALLINT"},
        {"long", "BIGINT"},
        {"real", "FLOAT"},
        {"double", "DOUBLE"},
        {"dec", "DECIMAL(10,0)"},
        {"numeric(5)", "DECIMAL(5,0)"},
        {"decimal( 38 , 38 )", "DECIMAL(38,38)"},
        {"void", "VOID"},
        {"varchar(10)", "STRING"},
        {"timestamp_ltz", "TIMESTAMP"},
        {"timestamp_ntz", "TIMESTAMP_NTZ"},
        {"string collate utf8_lcase", "STRING COLLATE UTF8_LCASE"},
        {"string collate utf8_binary", "STRING"},
        {"interval day to second", "INTERVAL DAY TO SECOND"},
        {"interval year", "INTERVAL YEAR"},
        {"interval hour to minute", "INTERVAL HOUR TO MINUTE"},
        {" variant ; ", "VARIANT"},
        {"map<string, array<int>>", "MAP<STRING, ARRAY<INT>>"},
        {"struct<>", "STRUCT<>"},
        {"struct<a:int,`b c`: string not null comment 'it''s'>",
         "STRUCT<a: INT, `b c`: STRING NOT NULL COMMENT 'it\\'s'>"},
        {"struct<1: int, a1 int, `x``y` int>", "STRUCT<`1`: INT, a1: INT, `x``y`: INT>"},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++)
        EXPECT_STR(parsed(pairs[i][0]), pairs[i][1]);
}

TEST(a_schema_as_ddl)
{
    EXPECT_STR(
        ddl("id STRING NOT NULL COMMENT 'x', -- the key\n dob STRUCT<date: TIMESTAMP, age: INT> /* both */, date date;"),
        "STRUCT<id: STRING NOT NULL COMMENT 'x', dob: STRUCT<date: TIMESTAMP, age: INT>, date: DATE>");
    EXPECT_STR(ddl("struct<a: int>"), "STRUCT<a: INT>");
    EXPECT_STR(ddl("struct int"), "STRUCT<struct: INT>");
    EXPECT_STR(ddl("a int comment '\\u00e4\\n\\'\"'"), "STRUCT<a: INT COMMENT '\xC3\xA4\n\\'\"'>");
    EXPECT_STR(ddl("\xC3\xA9t\xC3\xA9 int"), "STRUCT<`\xC3\xA9t\xC3\xA9`: INT>");
}

TEST(errors_have_a_place)
{
    EXPECT_STR(ddl("a INT,\n  b STRNG"), "2:5 expected a type, found \"STRNG\"");
    EXPECT_STR(ddl("a INT, a INT"), "1:8 expected a name that was not there before, found \"a\"");
    EXPECT_STR(ddl("\xC3\xA4 INT x"), "1:7 expected \",\", NOT NULL, COMMENT or the end, found \"x\"");
    EXPECT_STR(ddl(""), "1:1 expected a name, found the end");
    EXPECT_STR(ddl("a"), "1:2 expected a type, found the end");
    EXPECT_STR(ddl("a int not"), "1:10 expected NULL after NOT, found the end");
    EXPECT_STR(parsed("array<int"), "1:10 expected \">\", found the end");
    EXPECT_STR(parsed("decimal(39)"), "1:9 expected a precision from 1 to 38, found \"39\"");
    EXPECT_STR(parsed("decimal(2,3)"), "1:11 expected a scale from 0 to the precision, found \"3\"");
    EXPECT_STR(parsed("`a"), "1:1 the quoted text `a does not end");
    EXPECT_STR(parsed("interval day to month"), "0:0 there is no interval from DAY to MONTH");
    struct err err = {0};
    const struct type *type;
    EXPECT(!type_parse_ddl(&arena, STR("a STRNG"), &type, &err));
    EXPECT_STR(err.hint, "Did you mean \"string\"?");
    EXPECT_EQ_INT(err.place.width, 5);
}

TEST(depth_is_limited)
{
    struct sbuf deep = {0};
    for (int i = 0; i < TYPE_DEPTH_MAX - 1; i++)
        sbuf_cstr(&deep, "array<");
    sbuf_cstr(&deep, "int");
    for (int i = 0; i < TYPE_DEPTH_MAX - 1; i++)
        sbuf_char(&deep, '>');
    const struct type *type;
    EXPECT(type_parse(&arena, sbuf_view(&deep), &type, NULL));
    struct sbuf deeper = {0};
    sbuf_printf(&deeper, "array<%s>", deep.p);
    EXPECT(!type_parse(&arena, sbuf_view(&deeper), &type, NULL));
    sbuf_clear(&deeper);
    for (int i = 0; i < 100000; i++)
        sbuf_cstr(&deeper, "array<");
    EXPECT(!type_parse(&arena, sbuf_view(&deeper), &type, NULL));
    sbuf_fini(&deep);
    sbuf_fini(&deeper);
}

/* A random type survives the way through each of its texts. */
TEST(round_trips)
{
    for (unsigned seed = 0; seed < 500; seed++) {
        struct rng rng = {seed};
        const struct type *type = random_schema(&rng, 1 + seed % 6, &arena), *back;
        struct err err = {0};
        sql_of(type);
        /* SQL text does not say whether elements and map values may be null, JSON does */
        if (!EXPECT(type_parse(&arena, sbuf_view(&text), &back, &err) && type_same(type, back)))
            fprintf(stderr, "    %s\n    %s\n", text.p, err.text);
        sbuf_clear(&text);
        type_to_simple(type, &text);
        EXPECT(type_parse(&arena, sbuf_view(&text), &back, &err) && type_same(type, back));
        sbuf_clear(&text);
        type_to_json(type, &text);
        if (!EXPECT(type_from_json(&arena, sbuf_view(&text), &back, &err) && type_equal(type, back)))
            fprintf(stderr, "    %s\n    %s\n", text.p, err.text);
    }
}

TEST(json_of_a_schema)
{
    const struct type *type, *back;
    struct err err = {0};
    EXPECT(type_parse_ddl(
        &arena,
        STR("id INT NOT NULL COMMENT 'it\"s', m MAP<STRING COLLATE UTF8_LCASE, DECIMAL(4,2)>, y INTERVAL YEAR"),
        &type, &err));
    sbuf_clear(&text);
    type_to_json(type, &text);
    EXPECT_STR(
        text.p,
        "{\"type\":\"struct\",\"fields\":[{\"name\":\"id\",\"type\":\"integer\",\"nullable\":false,"
        "\"metadata\":{\"comment\":\"it\\\"s\"}},{\"name\":\"m\",\"type\":{\"type\":\"map\",\"keyType\":\"string\","
        "\"valueType\":\"decimal(4,2)\",\"valueContainsNull\":true},\"nullable\":true,"
        "\"metadata\":{\"__COLLATIONS\":{\"m.key\":\"spark.UTF8_LCASE\"}}},"
        "{\"name\":\"y\",\"type\":\"interval year\",\"nullable\":true,\"metadata\":{}}]}");
    EXPECT(type_from_json(&arena, sbuf_view(&text), &back, &err));
    EXPECT(type_equal(type, back));
    EXPECT_STR(back->fields[0].comment, "it\"s");
}

TEST(json_in_any_order_and_spacing)
{
    const struct type *type;
    struct err err = {0};
    EXPECT(type_from_json(
        &arena,
        STR(" { \"fields\" : [ { \"metadata\" : {\"x\":[1,{}]} , \"type\" : \"decimal(10,2)\", \"nullable\" :"
            " false , \"name\" : \"\\u00e4\\uD83D\\uDE00\" } ] , \"type\" : \"struct\" } "),
        &type, &err));
    EXPECT_STR(sql_of(type), "STRUCT<`\xC3\xA4\xF0\x9F\x98\x80`: DECIMAL(10,2) NOT NULL>");
    EXPECT(type_from_json(&arena, STR("\"long\""), &type, &err) && type->kind == TYPE_LONG);
    static const char *const bad[] = {
        "",
        "{}",
        "[]",
        "\"lng\"",
        "{\"type\":\"struct\"}",
        "{\"type\":\"array\"}",
        "{\"type\":\"struct\",\"fields\":{}}",
        "{\"type\":\"struct\",\"fields\":[{\"name\":\"a\"}]}",
        "{\"type\":\"struct\",\"fields\":[]} x",
        "\"decimal(99,2)\"",
        "{\"type\":\"struct\",\"fields\":[{\"name\":\"\\ud800\",\"type\":\"long\"}]}",
        "{\"type\":\"struct\",\"fields\":[",
        "{\"type\":\"array\",\"elementType\":\"long\",\"containsNull\":1}",
        "{\"type\":\"map\",\"keyType\":\"long\"}",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (!EXPECT(!type_from_json(&arena, str_of(bad[i]), &type, &err)))
            fprintf(stderr, "    %s\n", bad[i]);
}

int main(void)
{
    RUN(every_spelling_of_simple_types);
    RUN(a_schema_as_ddl);
    RUN(errors_have_a_place);
    RUN(depth_is_limited);
    RUN(round_trips);
    RUN(json_of_a_schema);
    RUN(json_in_any_order_and_spacing);
    arena_fini(&arena);
    sbuf_fini(&text);
    return test_end();
}

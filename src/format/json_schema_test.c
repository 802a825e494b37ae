/* JSON Schema: what columns its parts become, and that columns come back from the schema that they give. */
#include "format/json_schema.h"

#include "base/test.h"

static struct arena arena;

static const char *columns_of(const char *text)
{
    struct schema_source source = {.kind = SCHEMA_JSON, .text = str_of(arena_strdup(&arena, text))};
    const struct schema *schema;
    const struct type *type;
    struct err err = {0};
    struct sbuf out = {0};
    if (!schema_parse(&arena, &source, &schema, &err) ||
        (type = json_schema_columns(&arena, schema_json(schema), &err)) == NULL)
        return arena_strdup(&arena, err.text);
    type_to_sql(type, &out);
    const char *sql = str_dup(&arena, sbuf_view(&out));
    sbuf_fini(&out);
    return sql;
}

/* The type of a property with that schema. */
static void expect(const char *schema, const char *wanted)
{
    const char *found = columns_of(
        arena_printf(&arena, "{\"type\":\"object\",\"required\":[\"p\"],\"properties\":{\"p\":%s}}", schema));
    const char *whole = arena_printf(&arena, "STRUCT<p: %s>", wanted);
    if (!EXPECT_STR(found, whole))
        fprintf(stderr, "    %s\n", schema);
}

TEST(types)
{
    expect("{\"type\":\"boolean\"}", "BOOLEAN NOT NULL");
    expect("{\"type\":\"integer\"}", "BIGINT NOT NULL");
    expect("{\"type\":\"integer\",\"connect.type\":\"int32\"}", "INT NOT NULL");
    expect("{\"type\":\"number\"}", "DOUBLE NOT NULL");
    expect("{\"type\":\"number\",\"format\":\"float\"}", "FLOAT NOT NULL");
    expect("{\"type\":\"string\"}", "STRING NOT NULL");
    expect("{\"type\":\"string\",\"format\":\"date\"}", "DATE NOT NULL");
    expect("{\"type\":\"string\",\"format\":\"date-time\"}", "TIMESTAMP NOT NULL");
    expect("{\"type\":\"string\",\"contentEncoding\":\"base64\"}", "BINARY NOT NULL");
    expect("{\"type\":[\"string\",\"null\"],\"format\":\"date\"}", "DATE");
    expect("{\"type\":[\"integer\",\"null\"]}", "BIGINT");
    expect("{\"type\":[\"integer\",\"number\"]}", "DOUBLE NOT NULL");
    expect("{\"type\":[\"integer\",\"string\"]}", "STRING NOT NULL");
    expect("{\"oneOf\":[{\"type\":\"null\"},{\"type\":\"number\"}]}", "DOUBLE");
    expect("{\"oneOf\":[{\"type\":\"boolean\"},{\"type\":\"number\"}]}", "STRING NOT NULL");
    expect("{\"enum\":[\"a\",\"b\"]}", "STRING NOT NULL");
    expect("{\"type\":\"string\",\"enum\":[\"a\",null]}", "STRING NOT NULL");
    expect("{\"enum\":[1,2,null]}", "BIGINT");
    expect("{\"const\":true}", "BOOLEAN NOT NULL");
    expect("{\"type\":\"array\",\"items\":{\"type\":\"integer\"}}", "ARRAY<BIGINT> NOT NULL");
    expect("{\"type\":\"array\"}", "ARRAY<STRING> NOT NULL");
    expect("{\"type\":\"object\",\"additionalProperties\":{\"type\":\"number\"}}",
           "MAP<STRING, DOUBLE> NOT NULL");
    expect("{\"type\":\"object\"}", "STRING NOT NULL");
    expect("true", "STRING");
    expect("{}", "STRING");
    expect("{\"not\":{\"type\":\"string\"}}", "STRING");
    expect("{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"string\"},\"b\":{\"type\":\"integer\"}}}",
           "STRUCT<a: STRING, b: BIGINT> NOT NULL");
    expect("{\"allOf\":[{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"string\"}}},"
           "{\"type\":\"object\",\"properties\":{\"b\":{\"type\":\"integer\"}}}]}",
           "STRUCT<a: STRING, b: BIGINT> NOT NULL");
}

TEST(what_holds_itself)
{
    EXPECT_STR(
        columns_of(
            "{\"type\":\"object\",\"properties\":{\"v\":{\"type\":\"integer\"},\"next\":{\"$ref\":\"#\"}}}"),
        "STRUCT<v: BIGINT, next: STRING>");
    EXPECT_STR(columns_of("{\"type\":\"integer\"}"), "STRUCT<value: BIGINT>");
}

/* Small schemas whose columns would be many: each property refers twice to the next one; and many objects that all hold. */
TEST(what_grows_without_end)
{
    struct sbuf text = {0};
    sbuf_cstr(&text, "{\"$ref\":\"#/definitions/d0\",\"definitions\":{");
    for (int i = 0; i < 40; i++)
        sbuf_printf(&text,
                    "\"d%d\":{\"type\":\"object\",\"properties\":{\"a\":{\"$ref\":\"#/definitions/d%d\"},"
                    "\"b\":{\"$ref\":\"#/definitions/d%d\"}}},",
                    i, i + 1, i + 1);
    sbuf_cstr(&text, "\"d40\":{\"type\":\"integer\"}}}");
    EXPECT_STR(columns_of(text.p), "the schema has more than 100000 parts");
    sbuf_clear(&text);
    sbuf_cstr(&text, "{\"allOf\":[{\"type\":\"object\",\"properties\":{\"a\":true}}");
    for (int i = 0; i < TYPE_FIELDS_MAX; i++)
        sbuf_printf(&text, ",{\"type\":\"object\",\"properties\":{\"p%d\":true}}", i);
    sbuf_cstr(&text, "]}");
    EXPECT_STR(columns_of(text.p), "objects that all hold have more than 10000 properties");
    sbuf_fini(&text);
}

TEST(there_and_back)
{
    const char *ddl =
        "a BOOLEAN NOT NULL, b TINYINT, c SMALLINT, d INT NOT NULL, e BIGINT, f FLOAT, g DOUBLE, h DECIMAL(12,3),"
        "i STRING, j BINARY, k DATE, l TIMESTAMP, m ARRAY<INT>, n MAP<STRING, STRUCT<x: INT NOT NULL, y: STRING>>";
    const struct type *columns;
    struct err err;
    struct sbuf schema = {0}, wanted = {0};
    CHECK(type_parse_ddl(&arena, str_of(ddl), &columns, &err));
    EXPECT(json_schema_of_columns(columns, STR("t"), &schema, &err));
    type_to_sql(columns, &wanted);
    EXPECT_STR(columns_of(schema.p), wanted.p);
    sbuf_fini(&schema);
    sbuf_fini(&wanted);
}

int main(void)
{
    RUN(types);
    RUN(what_holds_itself);
    RUN(what_grows_without_end);
    RUN(there_and_back);
    arena_fini(&arena);
    return test_end();
}

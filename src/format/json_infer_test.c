/* Schemas from records, and schemas that take in new fields. */
#include "base/test.h"
#include "format/json.h"

static struct pool *pool;

static const char *simple(const struct type *type)
{
    static char out[2048];
    struct sbuf b = {0};
    type_to_simple(type, &b);
    snprintf(out, sizeof out, "%s", b.p);
    sbuf_fini(&b);
    return out;
}

/* The schema of lines of records. */
static const char *infer(const struct json_options *options, const char *lines)
{
    struct json_inference *inference = json_inference_new(pool, options);
    struct str records[32];
    size_t used, count = json_lines(str_of(lines), true, records, 32, &used);
    struct err err;
    for (size_t i = 0; i < count; i++)
        if (!EXPECT(json_inference_add(inference, records[i], &err)))
            fprintf(stderr, "    %s\n", err.text);
    EXPECT_EQ_INT(json_inference_records(inference), count);
    return simple(json_inference_schema(inference, pool_arena(pool)));
}

TEST(kinds)
{
    EXPECT_STR(infer(NULL, "{\"a\":1,\"b\":1.5,\"c\":true,\"d\":\"x\",\"e\":null,\"f\":[1],\"g\":{\"h\":2}}"),
               "struct<a:bigint,b:double,c:boolean,d:string,e:string,f:array<bigint>,g:struct<h:bigint>>");
    EXPECT_STR(
        infer(NULL, "{\"a\":9223372036854775808,\"b\":123456789012345678901234567890123456789,\"c\":1e3}"),
        "struct<a:decimal(19,0),b:double,c:double>");
    EXPECT_STR(infer(NULL, "{\"a\":\"2024-01-02T03:04:05Z\",\"n\":NaN,'q':1}"),
               "struct<a:string,n:double,q:bigint>");
    EXPECT_STR(infer(NULL, "{\"a\":[],\"b\":{},\"c\":[null],\"d\":[[]]}"),
               "struct<a:array<string>,b:string,c:array<string>,d:array<array<string>>>");
}

TEST(mixtures)
{
    EXPECT_STR(
        infer(
            NULL,
            "{\"a\":1,\"b\":1,\"c\":1,\"d\":1,\"e\":true,\"f\":null,\"g\":[1]}\n"
            "{\"a\":2.5,\"b\":\"x\",\"c\":9223372036854775808,\"d\":null,\"e\":0,\"f\":false,\"g\":[\"y\"]}"),
        "struct<a:double,b:string,c:decimal(20,0),d:bigint,e:string,f:boolean,g:array<string>>");
    EXPECT_STR(infer(NULL, "{\"a\":{\"x\":1}}\n{\"b\":1,\"a\":{\"y\":2,\"x\":1.5}}\n{\"a\":null}"),
               "struct<a:struct<x:double,y:bigint>,b:bigint>");
    EXPECT_STR(infer(NULL, "{\"a\":{\"x\":1},\"b\":[1]}\n{\"a\":[1],\"b\":\"x\"}"),
               "struct<a:string,b:string>");
    EXPECT_STR(infer(NULL, "{\"a\":[{\"x\":1},{\"y\":true}]}"),
               "struct<a:array<struct<x:bigint,y:boolean>>>");
}

TEST(options)
{
    struct json_options o = json_options_default();
    o.primitives_as_string = true;
    EXPECT_STR(infer(&o, "{\"a\":1,\"b\":[true]}"), "struct<a:string,b:array<string>>");
    o = json_options_default();
    o.prefers_decimal = true;
    EXPECT_STR(infer(&o, "{\"a\":1.25,\"b\":1}\n{\"a\":100.5,\"b\":2.5}"),
               "struct<a:decimal(5,2),b:decimal(21,1)>");
    o = json_options_default();
    o.prefers_timestamp = true;
    EXPECT_STR(infer(&o, "{\"a\":\"2024-01-02T03:04:05Z\",\"b\":\"2024-01-02T03:04:05Z\"}\n{\"b\":\"soon\"}"),
               "struct<a:timestamp,b:string>");
}

TEST(limits)
{
    struct json_options o = json_options_default();
    struct err err = {0};
    o.width_max = 2;
    o.depth_max = 3;
    struct json_inference *inference = json_inference_new(pool, &o);
    EXPECT(json_inference_add(inference, STR("{\"a\":1,\"b\":{\"c\":[2]}}"), &err));
    EXPECT(!json_inference_add(inference, STR("{\"d\":1}"), &err));
    EXPECT_STR(err.text, "an object has more than 2 fields");
    EXPECT(!json_inference_add(inference, STR("{\"a\":{\"b\":{\"c\":{}}}}"), &err));
    EXPECT(!json_inference_add(inference, STR("[1]"), &err) &&
           !json_inference_add(inference, STR("{\"a\":"), &err));
    EXPECT_STR(simple(json_inference_schema(inference, pool_arena(pool))),
               "struct<a:bigint,b:struct<c:array<bigint>>>");
}

TEST(single_values)
{
    const struct type *type;
    EXPECT(json_infer_value(pool_arena(pool), STR("[{\"a\":1.5}]"), NULL, &type, NULL));
    EXPECT_STR(simple(type), "array<struct<a:double>>");
    EXPECT(json_infer_value(pool_arena(pool), STR("null"), NULL, &type, NULL) && type->kind == TYPE_NULL);
    EXPECT(!json_infer_value(pool_arena(pool), STR("[1"), NULL, &type, NULL));
}

static const struct type *schema_of(const char *ddl)
{
    const struct type *type = NULL;
    struct err err;
    EXPECT(type_parse_ddl(pool_arena(pool), str_of(ddl), &type, &err));
    return type;
}

TEST(evolution)
{
    struct arena *arena = pool_arena(pool);
    const struct type *pinned = schema_of(
        "a INT NOT NULL, b STRUCT<c: INT>, d ARRAY<STRUCT<e: INT>>, m MAP<STRING, STRUCT<x: INT>>");
    const struct type *wider = json_schema_evolve(
        arena, pinned,
        schema_of("z DOUBLE, a STRING, b STRUCT<c: DOUBLE, f: BOOLEAN>, d ARRAY<STRUCT<g: STRING, e: INT>>"),
        false);
    EXPECT_STR(
        simple(wider),
        "struct<a:int,b:struct<c:int,f:boolean>,d:array<struct<e:int,g:string>>,m:map<string,struct<x:int>>,"
        "z:double>");
    EXPECT(!wider->fields[0].nullable && wider->fields[4].nullable);
    EXPECT(json_schema_evolve(arena, pinned, schema_of("a INT, b STRUCT<c: INT>"), false) == pinned);
    EXPECT(json_schema_evolve(arena, pinned, schema_of("A INT"), true) == pinned);
    EXPECT(json_schema_evolve(arena, pinned, schema_of("A INT"), false) != pinned);
}

int main(void)
{
    pool = pool_new(NULL, "test");
    RUN(kinds);
    RUN(mixtures);
    RUN(options);
    RUN(limits);
    RUN(single_values);
    RUN(evolution);
    pool_free(pool);
    return test_end();
}

/* Protobuf's codec, seen as a user does: a .proto and bytes in, rows as JSON out; and the other way. */
#include <ref/random_batch.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/test.h"
#include "format/json.h"
#include "format/protobuf.h"

static struct arena arena; /* of the test that runs */

static const struct proto_message *message_of(const char *text, const char *name)
{
    struct schema_source source = {.kind = SCHEMA_PROTOBUF, .text = str_of(text)};
    const struct schema *schema;
    struct err err = {0};
    if (!schema_parse(&arena, &source, &schema, &err)) {
        fprintf(stderr, "    %s: %s\n", text, err.text);
        abort();
    }
    const struct proto_schema *proto = schema_proto(schema);
    return name != NULL ? proto_message_find(proto, str_of(name)) : proto->file->messages.first;
}

#define P3 "syntax = \"proto3\"; "
#define P2 "syntax = \"proto2\"; "

/* "08 96 01 'text'": bytes in hex, texts in quotes. */
static struct str bytes_of(const char *text)
{
    struct sbuf out = {0};
    while (*text != '\0') {
        char *end;
        if (*text == ' ') {
            text++;
        } else if (*text == '\'') {
            for (text++; *text != '\''; text++)
                sbuf_char(&out, *text);
            text++;
        } else {
            char pair[3] = {text[0], text[1], '\0'};
            sbuf_char(&out, (char)strtoul(pair, &end, 16));
            CHECK(end == pair + 2);
            text += 2;
        }
    }
    /* exactly as long: reading past it is seen */
    char *bytes = mem_new(out.n + 1);
    if (out.n > 0)
        memcpy(bytes, out.p, out.n);
    struct str result = str_n(arena_dup(&arena, bytes, out.n), out.n);
    mem_free(bytes);
    sbuf_fini(&out);
    return result;
}

static const char *hex_of(struct str bytes)
{
    struct sbuf out = {0};
    for (size_t i = 0; i < bytes.n; i++)
        sbuf_printf(&out, "%s%02x", i ? " " : "", (unsigned char)bytes.p[i]);
    const char *text = arena_strdup(&arena, out.p ? out.p : "");
    sbuf_fini(&out);
    return text;
}

static void hear(void *arg, const struct protobuf_bad *bad)
{
    sbuf_printf(arg, "row %u, \"%.*s\", %zu: %s\n", bad->row, STR_ARG(bad->path), bad->at, bad->reason);
}

static const char *taken(struct sbuf *b)
{
    const char *text = arena_strdup(&arena, b->p ? b->p : "");
    sbuf_fini(b);
    return text;
}

static const struct type *type_of_ddl(const char *ddl)
{
    const struct type *type;
    struct err err = {0};
    if (!type_parse_ddl(&arena, str_of(ddl), &type, &err)) {
        fprintf(stderr, "    %s: %s\n", ddl, err.text);
        abort();
    }
    return type;
}

static const struct type *type_of_message(const struct proto_message *message)
{
    struct err err = {0};
    const struct type *type = protobuf_columns_type(&arena, message, &err);
    if (type == NULL)
        fprintf(stderr, "    %s\n", err.text);
    CHECK(type != NULL);
    return type;
}

/* The rows as JSON, or what is bad about them. columns NULL: those of the message. */
static const char *rows_of(const struct proto_message *message, const struct type *columns,
                           const struct str *records, uint32_t count)
{
    struct pool *pool = pool_new(NULL, "test");
    struct err err = {0};
    struct sbuf out = {0}, bad = {0};
    struct batch *batch = batch_new();
    const struct protobuf_report report = {hear, &bad};
    if (columns == NULL)
        columns = type_of_message(message);
    struct protobuf_decoder *decoder = protobuf_decoder_new(pool, columns, NULL, &err);
    const struct protobuf_writer *writer = decoder ? protobuf_decoder_writer(decoder, message, &err) : NULL;
    if (writer == NULL) {
        sbuf_cstr(&out, err.text);
    } else {
        const struct protobuf_writer **writers = arena_array(&arena, const struct protobuf_writer *, count);
        for (uint32_t i = 0; i < count; i++)
            writers[i] = writer;
        protobuf_decode(decoder, records, writers, count, batch, &report);
        if (!EXPECT(batch_check(batch, &err)))
            fprintf(stderr, "    %s\n", err.text);
        struct json_options options = json_options_default();
        options.ignore_null_fields = false;
        json_encode(json_encoder_new(pool, batch->schema, &options, &err), batch, 0, count, 0, &out, NULL);
        if (bad.n > 0) {
            sbuf_clear(&out);
            bad.n--;
            sbuf_str(&out, sbuf_view(&bad));
        }
    }
    sbuf_fini(&bad);
    batch_free(batch);
    pool_free(pool);
    return taken(&out);
}

static const char *row_of(const char *proto, const char *bytes)
{
    struct str record = bytes_of(bytes);
    return rows_of(message_of(proto, NULL), NULL, &record, 1);
}

static const char *row_as(const char *proto, const char *ddl, const char *bytes)
{
    struct str record = bytes_of(bytes);
    return rows_of(message_of(proto, NULL), type_of_ddl(ddl), &record, 1);
}

/* The bytes that a row of JSON becomes, in hex. */
static const char *bytes_from(const char *proto, const char *ddl, const char *json)
{
    struct pool *pool = pool_new(NULL, "test");
    struct err err = {0};
    struct sbuf out = {0}, bad = {0};
    struct batch *batch = batch_new();
    const struct proto_message *message = message_of(proto, NULL);
    const struct type *columns = ddl ? type_of_ddl(ddl) : type_of_message(message);
    const struct protobuf_report report = {hear, &bad};
    const char *result;
    uint32_t end;
    struct str record = str_of(json);
    CHECK(json_decode(json_decoder_new(pool, columns, NULL, &err), &record, 1, batch, NULL, &err));
    struct protobuf_encoder *encoder = protobuf_encoder_new(pool, message, columns, &err);
    if (encoder == NULL)
        result = arena_strdup(&arena, err.text);
    else if (protobuf_encode(encoder, batch, 0, 1, STR(""), &out, &end, &report) > 0)
        result = arena_strdup(&arena, bad.p);
    else
        result = hex_of(sbuf_view(&out));
    sbuf_fini(&out);
    sbuf_fini(&bad);
    batch_free(batch);
    pool_free(pool);
    return result;
}

static const char *type_text(const char *proto)
{
    struct sbuf out = {0};
    struct err err = {0};
    const struct type *type = protobuf_columns_type(&arena, message_of(proto, NULL), &err);
    if (type == NULL)
        return arena_strdup(&arena, err.text);
    type_to_simple(type, &out);
    return taken(&out);
}

/* ---- types ---------------------------------------------------------------------------------------------------------------- */

static const char all_kinds[] = P3
    "message M { bool a = 1; int32 b = 2; sint32 c = 3; sfixed32 d = 4; uint32 e = 5; fixed32 f = 6; int64 g = 7; "
    "sint64 h = 8; sfixed64 i = 9; uint64 j = 10; fixed64 k = 11; float l = 12; double m = 13; string n = 14; "
    "bytes o = 15; E p = 16; repeated int32 q = 17; map<string, sint64> r = 18; N s = 19; } "
    "enum E { ZERO = 0; ONE = 1; AVERYLONGCONSTANT = 5; } message N { int32 x = 1; }";

TEST(types)
{
    EXPECT_STR(type_text(all_kinds),
               "struct<a:boolean,b:int,c:int,d:int,e:bigint,f:bigint,g:bigint,h:bigint,i:bigint,"
               "j:decimal(20,0),k:decimal(20,0),l:float,m:double,n:string,o:binary,p:string,q:array<int>,"
               "r:map<string,bigint>,s:struct<x:int>>");
    EXPECT_STR(
        type_text(
            P3
            "import \"google/protobuf/timestamp.proto\"; import \"google/protobuf/duration.proto\"; "
            "import \"google/protobuf/wrappers.proto\"; import \"google/protobuf/struct.proto\"; "
            "import \"google/protobuf/any.proto\"; import \"google/type/date.proto\"; "
            "import \"confluent/type/decimal.proto\"; import \"confluent/meta.proto\"; "
            "import \"confluent/type/variant.proto\"; import \"google/protobuf/empty.proto\"; "
            "message M { google.protobuf.Timestamp a = 1; google.protobuf.Duration b = 2; "
            "google.protobuf.Int64Value c = 3; google.protobuf.UInt64Value d = 4; google.protobuf.Struct e "
            "= 5; google.protobuf.Any f = 6; google.type.Date g = 7; confluent.type.Decimal h = 8; "
            "confluent.type.Decimal i = 9 [(confluent.field_meta) = {params: [{key: \"precision\", value: "
            "\"8\"}, {key: \"scale\", value: \"3\"}]}]; confluent.type.Variant j = 10; repeated "
            "google.protobuf.Timestamp k = 11; google.protobuf.Empty l = 12; google.protobuf.BytesValue m = 13; }"),
        "struct<a:timestamp,b:interval day to second,c:bigint,d:decimal(20,0),e:string,f:struct<type_url:string,value:binary>,"
        "g:date,h:struct<value:binary,precision:bigint,scale:int>,i:decimal(8,3),j:variant,k:array<timestamp>,m:binary>");
    /* in itself: its bytes */
    EXPECT_STR(
        type_text(P3 "message M { string a = 1; M b = 2; repeated M c = 3; map<string, M> d = 4; N e = 5; } "
                     "message N { M back = 1; int32 n = 2; }"),
        "struct<a:string,b:binary,c:array<binary>,d:map<string,binary>,e:struct<back:binary,n:int>>");
    EXPECT_STR(
        type_text(P2
                  "message M { optional group G = 1 { optional int32 x = 2; } repeated group H = 3 { "
                  "required string y = 4; } oneof o { int32 p = 5; group Q = 6 { optional bool z = 7; } } }"),
        "struct<p:int,q:struct<z:boolean>,g:struct<x:int>,h:array<struct<y:string>>>");
    EXPECT_STR(type_text(P3 "message M { N n = 1; } message N {}"),
               "message \"M\" has no field that gives a column");
    EXPECT_STR(type_text(P3 "message M { int32 a = 1; int64 a = 2; }"), "message \"M\" has two fields \"a\"");
}

TEST(types_say_what_may_be_null)
{
    const struct type *type = type_of_message(message_of(
        P2 "message M { optional int32 a = 1; required int32 b = 2; optional int32 c = 3 [default = 5]; "
           "repeated int32 d = 4; optional N e = 5; oneof o { int32 f = 6; } } message N { optional "
           "int32 x = 1; }",
        NULL));
    const bool wanted[] = {true, false, false, false, true, true};
    for (uint32_t i = 0; i < 6; i++)
        EXPECT_EQ_INT(type->fields[i].nullable, wanted[i]);
    type = type_of_message(message_of(P3 "message M { int32 a = 1; optional int32 b = 2; }", NULL));
    EXPECT(!type->fields[0].nullable && type->fields[1].nullable);
    type = type_of_message(message_of("edition = \"2023\"; message M { int32 a = 1; int32 b = 2 "
                                      "[features.field_presence = IMPLICIT]; int32 c = 3 [features = "
                                      "{field_presence: LEGACY_REQUIRED}]; }",
                                      NULL));
    EXPECT(type->fields[0].nullable && !type->fields[1].nullable && !type->fields[2].nullable);
}

/* Each message has two of the next one: twice as many columns with each. */
TEST(columns_are_bounded)
{
    struct sbuf text = {0};
    sbuf_cstr(&text, P3);
    for (int i = 0; i < 30; i++)
        sbuf_printf(&text, "message M%d { M%d a = 1; M%d b = 2; } ", i, i + 1, i + 1);
    sbuf_cstr(&text, "message M30 { int32 a = 1; }");
    EXPECT(strstr(type_text(text.p), "has more fields than 100000") != NULL);
    sbuf_clear(&text);
    sbuf_cstr(&text, P3);
    for (int i = 0; i < 100; i++)
        sbuf_printf(&text, "message M%d { M%d a = 1; } ", i, i + 1);
    sbuf_cstr(&text, "message M100 { int32 a = 1; }");
    EXPECT(strstr(type_text(text.p), "messages are nested deeper than 32") != NULL);
    sbuf_fini(&text);
}

TEST(evolution)
{
    static const struct {
        const char *pinned, *found, *result;
    } cases[] = {
        {"a int, b string", "a int, b string", "struct<a:int,b:string>"},
        {"a int", "b string, a bigint", "struct<a:bigint,b:string>"},
        {"a bigint", "a int", "struct<a:bigint>"},
        {"a float, b bigint", "a double, b decimal(20,0)", "struct<a:double,b:decimal(20,0)>"},
        {"a array<struct<x int>>", "a array<struct<x bigint, y string>>",
         "struct<a:array<struct<x:bigint,y:string>>>"},
        {"a map<string, int>", "a map<string, bigint>", "struct<a:map<string,bigint>>"},
        {"a string", "a int", "struct<a:string>"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct sbuf out = {0};
        const struct type *pinned = type_of_ddl(cases[i].pinned);
        const struct type *result = protobuf_columns_evolve(&arena, pinned, type_of_ddl(cases[i].found),
                                                            NULL);
        type_to_simple(result, &out);
        EXPECT_STR(out.p, cases[i].result);
        EXPECT_EQ_INT(result == pinned, type_equal(result, pinned));
        sbuf_fini(&out);
    }
}

static const char *schema_of(const char *ddl)
{
    struct sbuf out = {0};
    struct err err = {0};
    if (!protobuf_schema_of_columns(type_of_ddl(ddl), STR("Order"), STR("shop.v1"), &out, &err))
        return arena_strdup(&arena, err.text);
    return taken(&out);
}

TEST(a_schema_of_columns)
{
    const char *text = schema_of(
        "id bigint not null, name string, at timestamp, price decimal(8,3), items array<struct<name string, n "
        "int not null>>, tags map<string, boolean>, day date, v variant, Where struct<x double>");
    EXPECT_STR(
        text,
        "syntax = \"proto3\";\n"
        "package shop.v1;\n"
        "\n"
        "import \"google/protobuf/timestamp.proto\";\n"
        "import \"google/type/date.proto\";\n"
        "import \"confluent/meta.proto\";\n"
        "import \"confluent/type/decimal.proto\";\n"
        "import \"confluent/type/variant.proto\";\n"
        "\n"
        "message Order {\n"
        "  message Items {\n"
        "    optional string name = 1;\n"
        "    int32 n = 2;\n"
        "  }\n"
        "  message Where_ {\n"
        "    optional double x = 1;\n"
        "  }\n"
        "  int64 id = 1;\n"
        "  optional string name = 2;\n"
        "  .google.protobuf.Timestamp at = 3;\n"
        "  .confluent.type.Decimal price = 4 [(confluent.field_meta) = {params: [{key: \"precision\", value: "
        "\"8\"}, {key: \"scale\", value: \"3\"}]}];\n"
        "  repeated Items items = 5;\n"
        "  map<string, bool> tags = 6;\n"
        "  .google.type.Date day = 7;\n"
        "  .confluent.type.Variant v = 8;\n"
        "  Where_ Where = 9;\n"
        "}\n");
    EXPECT_STR(
        type_text(text),
        "struct<id:bigint,name:string,at:timestamp,price:decimal(8,3),items:array<struct<name:string,n:int>>,"
        "tags:map<string,boolean>,day:date,v:variant,Where:struct<x:double>>");
    EXPECT_STR(schema_of("`a b` int"), "column \"a b\" has a name that Protobuf does not allow");
    EXPECT_STR(schema_of("a array<array<int>>"),
               "column \"a\" cannot be written as Protobuf: ARRAY<ARRAY<INT>> holds a list in a list");
    EXPECT_STR(schema_of("a map<double, int>"),
               "column \"a\" cannot be written as Protobuf: MAP<DOUBLE, INT> has keys that are no "
               "integers, booleans or texts");
    EXPECT_STR(schema_of("a struct<b: void>"),
               "column \"b\" cannot be written as Protobuf: VOID has no type there");
}

/* ---- reading -------------------------------------------------------------------------------------------------------------- */

TEST(every_kind)
{
    EXPECT_STR(
        row_of(
            all_kinds,
            "08 01 10 ff ff ff ff ff ff ff ff ff 01 18 03 25 fe ff ff ff 28 ff ff ff ff 0f 35 ff ff ff ff "
            "38 96 01 40 03 49 ff ff ff ff ff ff ff ff 50 ff ff ff ff ff ff ff ff ff 01 59 ff ff ff ff ff ff ff ff "
            "65 00 00 20 40 69 00 00 00 00 00 00 f8 3f 72 02 'hi' 7a 01 00 80 01 05 8a 01 03 01 02 03 "
            "92 01 05 0a 01 'k' 10 04 9a 01 02 08 07"),
        "{\"a\":true,\"b\":-1,\"c\":-2,\"d\":-2,\"e\":4294967295,\"f\":4294967295,\"g\":150,\"h\":-2,\"i\":-1,"
        "\"j\":18446744073709551615,\"k\":18446744073709551615,\"l\":2.5,\"m\":1.5,\"n\":\"hi\",\"o\":\"AA==\","
        "\"p\":\"AVERYLONGCONSTANT\",\"q\":[1,2,3],\"r\":{\"k\":2},\"s\":{\"x\":7}}");
}

TEST(presence)
{
    EXPECT_STR(
        row_of(all_kinds, ""),
        "{\"a\":false,\"b\":0,\"c\":0,\"d\":0,\"e\":0,\"f\":0,\"g\":0,\"h\":0,\"i\":0,\"j\":0,\"k\":0,\"l\":0.0,\"m\":0.0,"
        "\"n\":\"\",\"o\":\"\",\"p\":\"ZERO\",\"q\":[],\"r\":{},\"s\":null}");
    EXPECT_STR(
        row_of(P3
               "message M { optional int32 a = 1; optional N b = 2; oneof o { string c = 3; int32 d = 4; } } "
               "message N { int32 x = 1; optional int32 y = 2; repeated int32 z = 3; }",
               ""),
        "{\"a\":null,\"b\":null,\"c\":null,\"d\":null}");
    EXPECT_STR(
        row_of(
            P3
            "message M { N b = 2; repeated N c = 3; map<int32, N> d = 4; } message N { int32 x = 1; optional int32 y "
            "= 2; repeated int32 z = 3; }",
            "12 00 1a 00 1a 02 10 05 22 00 22 02 08 01"),
        "{\"b\":{\"x\":0,\"y\":null,\"z\":[]},\"c\":[{\"x\":0,\"y\":null,\"z\":[]},{\"x\":0,\"y\":5,\"z\":[]}],"
        "\"d\":{\"0\":{\"x\":0,\"y\":null,\"z\":[]},\"1\":{\"x\":0,\"y\":null,\"z\":[]}}}");
    EXPECT_STR(
        row_of(
            P2
            "message M { optional int32 a = 1 [default = -0x10]; optional string b = 2 [default = \"a rather long text\"]; "
            "optional E c = 3 [default = Y]; optional E d = 4; optional double e = 5 [default = inf]; optional bytes f = 6 "
            "[default = \"\\377\\001\"]; optional bool g = 7 [default = true]; optional uint64 h = 8 [default = "
            "18446744073709551615]; } enum E { X = 1; Y = 2; }",
            ""),
        "{\"a\":-16,\"b\":\"a rather long text\",\"c\":\"Y\",\"d\":null,\"e\":\"Infinity\",\"f\":\"/wE=\",\"g\":true,"
        "\"h\":18446744073709551615}");
    EXPECT_STR(
        row_of(P2 "message M { required int32 a = 1; optional N n = 2; } message N { required int32 b = 1; }",
               ""),
        "row 0, \"a\", 0: a required field is missing");
    EXPECT_STR(
        row_of(P2 "message M { required int32 a = 1; optional N n = 2; } message N { required int32 b = 1; }",
               "08 00 12 00"),
        "row 0, \"n.b\", 4: a required field is missing");
}

TEST(what_comes_twice)
{
    EXPECT_STR(row_of(P3 "message M { int32 a = 1; string b = 2; }", "08 01 12 01 'x' 08 02 12 00"),
               "{\"a\":2,\"b\":\"\"}");
    /* messages are merged, their lists go on */
    EXPECT_STR(
        row_of(
            P3
            "message M { N n = 1; repeated int32 l = 2; } message N { int32 x = 1; int32 y = 2; repeated string z = 3; N1 m "
            "= 4; } message N1 { int32 w = 1; int32 v = 2; }",
            "0a 07 08 01 10 02 1a 01 'a' 10 05 0a 0b 10 03 1a 01 'b' 22 04 08 09 10 08 12 02 06 07 0a 04 22 02 08 01"),
        "{\"n\":{\"x\":1,\"y\":3,\"z\":[\"a\",\"b\"],\"m\":{\"w\":1,\"v\":8}},\"l\":[5,6,7]}");
    /* of a oneof the last member counts */
    static const char choice[] = P3
        "message M { oneof o { int32 a = 1; N n = 2; string s = 3; } int32 after = 4; } message N { "
        "repeated int32 x = 1; int32 y = 2; }";
    EXPECT_STR(row_of(choice, "08 01 1a 01 'x' 20 01"), "{\"after\":1,\"a\":null,\"n\":null,\"s\":\"x\"}");
    EXPECT_STR(row_of(choice, "12 04 08 01 08 02 08 05 12 02 10 07"),
               "{\"after\":0,\"a\":null,\"n\":{\"x\":[],\"y\":7},\"s\":null}");
    EXPECT_STR(row_of(choice, "12 02 08 01 12 04 08 02 10 03"),
               "{\"after\":0,\"a\":null,\"n\":{\"x\":[1,2],\"y\":3},\"s\":null}");
    EXPECT_STR(row_as(choice, "n struct<y int>", "12 02 10 01 08 05"), "{\"n\":null}");
    EXPECT_STR(row_of(P3 "message M { M m = 1; }",
                      "0a 02 0a 00 0a 00 0a 10 10 01 10 02 10 03 10 04 10 05 10 06 10 07 10 08 0a 02 10 09"),
               "{\"m\":\"CgAQARACEAMQBBAFEAYQBxAIEAk=\"}");
    EXPECT_STR(
        row_of(P3
               "import \"google/protobuf/timestamp.proto\"; message M { google.protobuf.Timestamp t = 1; }",
               "0a 02 08 05 0a 04 10 c0 84 3d"),
        "{\"t\":\"1970-01-01T00:00:05.001000Z\"}");
}

TEST(packed_and_not)
{
    static const char lists[] = P3
        "message M { repeated int32 a = 1; repeated sint64 b = 2 [packed = false]; repeated fixed32 c = 3; "
        "repeated bool d = 4; repeated E e = 5; repeated double f = 6; } enum E { X = 0; Y = 1; }";
    EXPECT_STR(
        row_of(
            lists,
            "0a 03 01 02 03 08 04 0a 00 12 02 01 02 10 03 1a 04 01 00 00 00 1d 02 00 00 00 22 02 00 01 28 01 2a 02 00 09 "
            "31 00 00 00 00 00 00 f0 3f"),
        "{\"a\":[1,2,3,4],\"b\":[-1,1,-2],\"c\":[1,2],\"d\":[false,true],\"e\":[\"Y\",\"X\",\"9\"],\"f\":[1.0]}");
    EXPECT_STR(row_of(lists, "1a 03 01 00 00"), "row 0, \"c[]\", 2: a number is cut off");
    EXPECT_STR(row_of(lists, "0a 02 01 80"), "row 0, \"a[]\", 3: a varint is cut off or too long");
    /* one list after the other, in many rows */
    struct str records[3] = {bytes_of("08 01 28 00 08 02"), bytes_of(""), bytes_of("28 01 08 03")};
    EXPECT_STR(rows_of(message_of(lists, NULL), type_of_ddl("a array<int>, e array<string>"), records, 3),
               "{\"a\":[1,2],\"e\":[\"X\"]}{\"a\":[],\"e\":[]}{\"a\":[3],\"e\":[\"Y\"]}");
}

TEST(enums)
{
    static const char open[] = P3
        "message M { E a = 1; } enum E { option allow_alias = true; X = 0; Y = 7; Z = 7; N = -2; }";
    EXPECT_STR(row_of(open, "08 07"), "{\"a\":\"Y\"}");
    EXPECT_STR(row_of(open, "08 fe ff ff ff ff ff ff ff ff 01"), "{\"a\":\"N\"}");
    EXPECT_STR(row_of(open, "08 fd ff ff ff ff ff ff ff ff 01"), "{\"a\":\"-3\"}");
    EXPECT_STR(row_as(open, "a int", "08 05"), "{\"a\":5}");
    static const char closed[] = P2
        "message M { optional E a = 1; repeated E b = 2; map<string, E> c = 3; oneof o { E d = 4; int32 e = 5; "
        "} optional E f = 6 [default = Y]; } enum E { X = 1; Y = 2; }";
    EXPECT_STR(
        row_of(
            closed,
            "08 03 10 01 10 03 10 02 1a 05 0a 01 'k' 10 03 1a 05 0a 01 'l' 10 02 1a 03 0a 01 'm' 28 05 20 09 30 07"),
        "{\"a\":null,\"b\":[\"X\",\"Y\"],\"c\":{\"k\":null,\"l\":\"Y\",\"m\":\"X\"},\"f\":\"Y\",\"d\":null,\"e\":5}");
}

TEST(groups)
{
    static const char text[] = P2
        "message M { optional group G = 1 { optional int32 x = 2; repeated group H = 3 { optional int32 y = 4; } } "
        "optional int32 z = 5; repeated group R = 6 { optional string s = 1; } }";
    EXPECT_STR(row_of(text, "0b 10 01 1b 20 02 1c 1b 1c 0c 28 05 33 0a 01 'a' 34 33 34"),
               "{\"z\":5,\"g\":{\"x\":1,\"h\":[{\"y\":2},{\"y\":null}]},\"r\":[{\"s\":\"a\"},{\"s\":null}]}");
    EXPECT_STR(row_of(text, "0b 10 01"), "row 0, \"g\", 1: a group is not closed");
    EXPECT_STR(row_of(text, "0b 10 01 14"), "row 0, \"g\", 1: the end of a group that is not open");
    EXPECT_STR(row_of(text, "0c"), "row 0, \"\", 1: the end of a group that is not open");
    EXPECT_STR(
        row_of(
            "edition = \"2023\"; message M { N n = 1 [features.message_encoding = DELIMITED]; } message N { int32 x = 2; }",
            "0b 10 05 0c"),
        "{\"n\":{\"x\":5}}");
}

TEST(unknown_fields)
{
    static const char text[] = P3 "message M { int32 a = 1; int32 b = 20; }";
    EXPECT_STR(
        row_of(
            text,
            "98 06 96 01 08 01 9d 06 01 02 03 04 99 06 01 02 03 04 05 06 07 08 9a 06 02 'xx' 9b 06 9b 06 9a 06 00 9c 06 "
            "9c 06 a0 01 02"),
        "{\"a\":1,\"b\":2}");
    EXPECT_STR(row_of(text, "0a 01 'x' a0 01 02"), "{\"a\":0,\"b\":2}"); /* another wire type */
    EXPECT_STR(row_as(text, "b int", "08 01 a0 01 02"), "{\"b\":2}");
    EXPECT_STR(row_as(text, "b int, c string", "a0 01 02"), "{\"b\":2,\"c\":null}");
    struct sbuf deep = {0};
    for (int i = 0; i <= PROTOBUF_SKIP_DEPTH_MAX; i++)
        sbuf_cstr(&deep, "13");
    EXPECT(strstr(row_of(text, deep.p), "groups are nested too deeply") != NULL);
    sbuf_fini(&deep);
}

TEST(what_is_malformed)
{
    static const char text[] = P3
        "message M { int64 a = 1; string b = 2; N c = 3; bytes d = 4; fixed64 e = 5; } message N { "
        "repeated N1 x = 1; } message N1 { string s = 1; }";
    static const struct {
        const char *bytes, *reason;
    } cases[] = {
        {"08", "row 0, \"a\", 1: a varint is cut off or too long"},
        {"08 80 80 80 80 80 80 80 80 80 80 01", "row 0, \"a\", 1: a varint is cut off or too long"},
        {"08 ff ff ff ff ff ff ff ff ff 02", "row 0, \"a\", 1: a varint is cut off or too long"},
        {"12 05 'abcd'", "row 0, \"b\", 1: a length is more than what is left"},
        {"12 ff ff ff ff ff ff ff ff ff 01 'abcd'", "row 0, \"b\", 1: a length is more than what is left"},
        {"12 02 c3 28", "row 0, \"b\", 2: a string is not UTF-8"},
        {"12 14 'aaaaaaaaaaaaaaaaaaa' ff", "row 0, \"b\", 2: a string is not UTF-8"},
        {"1a 05 0a 03 0a 01 ff", "row 0, \"c.x[].s\", 6: a string is not UTF-8"},
        {"1a 02 0a 05", "row 0, \"c.x[]\", 3: a length is more than what is left"},
        {"29 00 00", "row 0, \"e\", 1: a number is cut off"},
        {"00 01", "row 0, \"\", 0: a field has the number 0"},
        {"0e 01", "row 0, \"\", 0: a field has an unknown wire type"},
        {"80", "row 0, \"\", 0: a tag is cut off"},
        {"88 80 80 80 80 00 01", "row 0, \"\", 0: a tag is too long"},
        {"ff ff ff ff 7f 01", "row 0, \"\", 0: a tag is too long"},
        {"98 06 80", "row 0, \"\", 2: a varint is cut off or too long"},
        {"9d 06 80", "row 0, \"\", 2: a field is cut off"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        EXPECT_STR(row_of(text, cases[i].bytes), cases[i].reason);
    /* what a bad record wrote is gone, and the next one is whole */
    struct str records[4] = {bytes_of("08 01 12 01 'a' 1a 04 0a 02 0a 00 12 01"),
                             bytes_of("08 02 1a 05 0a 03 0a 01 'z'"),
                             bytes_of("12 01 'y' 1a 09 0a 03 0a 01 'q' 0a 02 0a 05"), str_n(NULL, 0)};
    EXPECT_STR(
        rows_of(message_of(text, NULL), NULL, records, 4),
        "row 0, \"b\", 12: a length is more than what is left\nrow 2, \"c.x[].s\", 13: a length is more than what is left");
}

TEST(rows_around_a_bad_one)
{
    struct pool *pool = pool_new(NULL, "test");
    struct err err = {0};
    struct sbuf out = {0};
    struct batch *batch = batch_new();
    const struct proto_message *message = message_of(
        P3
        "message M { int64 a = 1; repeated string b = 2; map<int32, int32> c = 3; repeated N d = 4; N e = 5; } message N { "
        "repeated int32 x = 1; int32 y = 2; }",
        NULL);
    struct protobuf_decoder *decoder = protobuf_decoder_new(pool, type_of_message(message), NULL, &err);
    const struct protobuf_writer *w = protobuf_decoder_writer(decoder, message, &err);
    const struct protobuf_writer *writers[] = {w, w, w, w};
    struct str records[] = {
        bytes_of("08 01 12 01 'a' 1a 04 08 01 10 02 22 04 08 01 10 02 2a 02 08 03"),
        bytes_of("08 02 12 01 'b' 1a 04 08 03 10 04 22 04 08 05 10 02 2a 02 08 04 22 04 08 05 10 80"),
        str_n(NULL, 0), bytes_of("12 01 'c' 22 02 08 07")};
    protobuf_decode(decoder, records, writers, 4, batch, NULL);
    EXPECT(batch_check(batch, &err));
    struct json_options options = json_options_default();
    options.ignore_null_fields = true;
    json_encode(json_encoder_new(pool, batch->schema, &options, &err), batch, 0, 4, '\n', &out, NULL);
    EXPECT_STR(
        taken(&out),
        "{\"a\":1,\"b\":[\"a\"],\"c\":{\"1\":2},\"d\":[{\"x\":[1],\"y\":2}],\"e\":{\"x\":[3],\"y\":0}}\n{}\n{}\n"
        "{\"a\":0,\"b\":[\"c\"],\"c\":{},\"d\":[{\"x\":[7],\"y\":0}]}\n");
    batch_free(batch);
    pool_free(pool);
}

TEST(several_writers)
{
    struct pool *pool = pool_new(NULL, "test");
    struct err err = {0};
    struct sbuf out = {0};
    struct batch *batch = batch_new();
    struct protobuf_decoder *decoder = protobuf_decoder_new(
        pool, type_of_ddl("id bigint, name string, n struct<x int>, kind string"), NULL, &err);
    const struct protobuf_writer *one = protobuf_decoder_writer(
        decoder,
        message_of(P3 "message M { int32 id = 1; N n = 4; } message N { optional int32 x = 1; }", NULL),
        &err);
    const struct protobuf_writer *two = protobuf_decoder_writer(
        decoder,
        message_of(
            P3
            "message M { int64 id = 1; string name = 2; E kind = 3; N n = 4; } enum E { NONE = 0; } message N { int32 x = 1; }",
            NULL),
        &err);
    const struct protobuf_writer *writers[] = {one, two, one, NULL, two};
    struct str records[] = {bytes_of("08 01 22 00"), bytes_of("22 00"), bytes_of(""), str_n(NULL, 0),
                            bytes_of("12 01 'z'")};
    protobuf_decode(decoder, records, writers, 5, batch, NULL);
    EXPECT(batch_check(batch, &err));
    struct json_options options = json_options_default();
    options.ignore_null_fields = true;
    json_encode(json_encoder_new(pool, batch->schema, &options, &err), batch, 0, 5, '\n', &out, NULL);
    EXPECT_STR(
        taken(&out),
        "{\"id\":1,\"n\":{}}\n{\"id\":0,\"name\":\"\",\"n\":{\"x\":0},\"kind\":\"NONE\"}\n{\"id\":0}\n{}\n"
        "{\"id\":0,\"name\":\"z\",\"kind\":\"NONE\"}\n");
    EXPECT(protobuf_decoder_writer(decoder, message_of(P3 "message M { string id = 1; }", NULL), &err) ==
           NULL);
    EXPECT_STR(err.text, "field \"id\" is string, which a column BIGINT cannot take");
    EXPECT_EQ_INT(err.class, ERR_DATA);
    batch_free(batch);
    pool_free(pool);
}

TEST(converted_numbers)
{
    static const char text[] = P3
        "message M { int32 a = 1; uint64 b = 2; sint64 c = 3; float d = 4; fixed32 e = 5; sfixed64 f = 6; }";
    EXPECT_STR(
        row_as(
            text, "a bigint, b bigint, c int, d double, e int, f decimal(10,2)",
            "08 ff ff ff ff ff ff ff ff ff 01 10 05 18 03 25 00 00 20 40 2d 07 00 00 00 31 fe ff ff ff ff ff ff ff"),
        "{\"a\":-1,\"b\":5,\"c\":-2,\"d\":2.5,\"e\":7,\"f\":-2.00}");
    EXPECT_STR(row_as(text, "a tinyint", "08 80 01"), "row 0, \"a\", 1: a number does not fit its column");
    EXPECT_STR(row_as(text, "b bigint", "10 ff ff ff ff ff ff ff ff ff 01"),
               "row 0, \"b\", 1: a number does not fit its column");
    EXPECT_STR(row_as(text, "e int", "2d ff ff ff ff"), "row 0, \"e\", 1: a number does not fit its column");
    EXPECT_STR(row_as(text, "c decimal(2,1)", "18 28"), "row 0, \"c\", 1: a number does not fit its column");
    EXPECT_STR(row_as(text, "a string", ""), "field \"a\" is int32, which a column STRING cannot take");
}

static const char known[] = P3
    "import \"google/protobuf/timestamp.proto\"; import \"google/protobuf/duration.proto\"; import \"google/protobuf/wrappers.proto\"; "
    "import \"google/protobuf/struct.proto\"; import \"google/type/date.proto\"; import \"confluent/type/decimal.proto\"; import "
    "\"confluent/meta.proto\"; "
    "message M { google.protobuf.Timestamp t = 1; google.protobuf.Duration d = 2; google.protobuf.Int32Value w = 3; "
    "google.protobuf.Value v = 4; google.protobuf.Struct s = 5; google.type.Date date = 6; "
    "confluent.type.Decimal n = 7 [(confluent.field_meta) = {params: [{key: \"precision\", value: \"8\"}, {key: \"scale\", value: \"3\"}]}]; "
    "repeated google.protobuf.StringValue l = 8; google.protobuf.ListValue a = 9; map<string, google.protobuf.Value> m = 10; "
    "map<string, google.protobuf.BoolValue> b = 11; }";

TEST(known_messages)
{
    EXPECT_STR(
        row_as(
            known, "t timestamp, d interval day to second, w int, date date, n decimal(8,3)",
            "0a 0b 08 80 92 b8 c3 98 fe ff ff ff 01 12 0b 08 ff ff ff ff ff ff ff ff ff 01 1a 02 08 05 32 07 08 e8 0f 10 02 18 1d "
            "3a 08 0a 02 fe 0c 10 08 18 02"),
        "{\"t\":\"0001-01-01T00:00:00.000000Z\",\"d\":\"INTERVAL '-0 00:00:01' DAY TO SECOND\",\"w\":5,\"date\":\"2024-02-29\","
        "\"n\":-5.000}");
    EXPECT_STR(row_as(known, "w int, l array<string>, b map<string, boolean>",
                      "1a 00 42 00 42 03 0a 01 'x' 5a 05 0a 01 'k' 12 00"),
               "{\"w\":0,\"l\":[\"\",\"x\"],\"b\":{\"k\":false}}");
    EXPECT_STR(
        row_as(
            known, "v string, s string, a string, m map<string, string>",
            "22 09 11 00 00 00 00 00 00 f8 3f 2a 10 0a 05 0a 01 'a' 12 00 0a 07 0a 01 'b' 12 02 20 01 4a 09 0a 02 08 00 0a 03 1a 01 'q' "
            "52 03 0a 01 'z'"),
        "{\"v\":\"1.5\",\"s\":\"{\\\"a\\\":null,\\\"b\\\":true}\",\"a\":\"[null,\\\"q\\\"]\",\"m\":{\"z\":\"null\"}}");
    EXPECT_STR(row_as(known, "t timestamp", "0a 0a 08 ff ff ff ff ff ff ff ff 7f"),
               "row 0, \"t\", 2: a timestamp is out of range");
    EXPECT_STR(row_as(known, "date date", "32 04 08 e8 0f 10"),
               "row 0, \"date\", 6: a varint is cut off or too long");
    EXPECT_STR(row_as(known, "date date", "32 03 08 e8 0f"),
               "row 0, \"date\", 2: a date is no day of a year");
    EXPECT_STR(row_as(known, "n decimal(8,3)", "3a 05 0a 01 07 18 04"),
               "row 0, \"n\", 2: a decimal does not fit its column");
    /* as structs, where the columns are some */
    EXPECT_STR(row_as(known, "t struct<seconds bigint, nanos int>, w struct<value int>", "0a 02 08 05 1a 00"),
               "{\"t\":{\"seconds\":5,\"nanos\":0},\"w\":{\"value\":0}}");
    struct sbuf deep = {0}, bytes = {0};
    for (int i = 0; i < 300; i++) { /* lists of lists */
        sbuf_clear(&bytes);
        uint8_t head[2][12] = {{6 << 3 | 2}, {1 << 3 | 2}};
        size_t inner = put_uvarint(head[1] + 1, deep.n) + 1,
               outer = put_uvarint(head[0] + 1, inner + deep.n) + 1;
        sbuf_add(&bytes, head[0], outer);
        sbuf_add(&bytes, head[1], inner);
        sbuf_str(&bytes, sbuf_view(&deep));
        sbuf_clear(&deep);
        sbuf_str(&deep, sbuf_view(&bytes));
    }
    sbuf_clear(&bytes);
    uint8_t head[12] = {4 << 3 | 2};
    sbuf_add(&bytes, head, put_uvarint(head + 1, deep.n) + 1);
    sbuf_str(&bytes, sbuf_view(&deep));
    struct str record = sbuf_view(&bytes);
    EXPECT(strstr(rows_of(message_of(known, NULL), type_of_ddl("v string"), &record, 1),
                  "values are nested too deeply") != NULL);
    sbuf_fini(&deep);
    sbuf_fini(&bytes);
}

TEST(indexes)
{
    static const char text[] = P3
        "message A {} message B { message C {} message D { message E {} } } message F {}";
    static const struct {
        const char *name, *bytes;
    } cases[] = {{"A", "00"},         {"B", "02 02"},           {"B.D", "04 02 02"},
                 {"B.C", "04 02 00"}, {"B.D.E", "06 02 02 00"}, {"F", "02 04"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct sbuf out = {0};
        int32_t found[PROTOBUF_INDEXES_MAX];
        size_t count;
        protobuf_indexes_write(message_of(text, cases[i].name), &out);
        EXPECT_STR(hex_of(sbuf_view(&out)), cases[i].bytes);
        sbuf_cstr(&out, "rest");
        EXPECT_EQ_INT(protobuf_indexes_read(sbuf_view(&out), found, &count), out.n - 4);
        const struct proto_message *message = message_of(text, cases[i].name);
        for (size_t k = count; k-- > 0; message = message->parent)
            EXPECT_EQ_INT(found[k], message->index);
        sbuf_fini(&out);
    }
    static const char *const bad[] = {
        "", "02", "01", "82 01 00", "02 01", "02 80 80 80 80 80 80 80 80 80 80 00", "02 fe ff ff ff 0f"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        int32_t found[PROTOBUF_INDEXES_MAX];
        size_t count;
        EXPECT_EQ_INT(protobuf_indexes_read(bytes_of(bad[i]), found, &count), 0);
    }
    int32_t found[PROTOBUF_INDEXES_MAX];
    size_t count;
    EXPECT_EQ_INT(protobuf_indexes_read(bytes_of("02 00"), found, &count), 2); /* the long form */
    EXPECT(count == 1 && found[0] == 0);
}

/* ---- writing -------------------------------------------------------------------------------------------------------------- */

TEST(written_bytes)
{
    EXPECT_STR(bytes_from(all_kinds, NULL, "{}"), "");
    EXPECT_STR(
        bytes_from(
            P3
            "message M { int32 a = 1; optional int32 b = 2; string c = 3; E d = 4; double e = 5; } enum E { X = 0; }",
            NULL, "{\"a\":0,\"b\":0,\"c\":\"\",\"d\":\"X\",\"e\":-0.0}"),
        "10 00 29 00 00 00 00 00 00 00 80");
    EXPECT_STR(
        bytes_from(
            P3
            "message M { int32 z = 16; sint32 a = 1; repeated int32 l = 2; repeated string s = 3; map<string, int32> m = 4; N "
            "n = 5; } message N { fixed32 x = 1; }",
            NULL,
            "{\"z\":-1,\"a\":-1,\"l\":[1,300],\"s\":[\"\",\"b\"],\"m\":{\"k\":0},\"n\":{\"x\":4294967295}}"),
        "08 01 12 03 01 ac 02 1a 00 1a 01 62 22 05 0a 01 6b 10 00 2a 05 0d ff ff ff ff 80 01 ff ff ff ff ff ff ff ff ff 01");
    EXPECT_STR(
        bytes_from(
            P2
            "message M { optional group G = 1 { optional int32 x = 2; } repeated int32 l = 3; repeated E e = 4 [packed = true]; "
            "} enum E { A = 1; B = 2; }",
            NULL, "{\"g\":{\"x\":5},\"l\":[1,2],\"e\":[\"B\",\"A\"]}"),
        "0b 10 05 0c 18 01 18 02 22 02 02 01");
    EXPECT_STR(
        bytes_from(
            known, "t timestamp, date date, n decimal(8,3), w int, v string, l array<string>",
            "{\"t\":\"1969-12-31T23:59:59.5Z\",\"date\":\"2024-02-29\",\"n\":-5.0,\"w\":0,\"v\":\"[1.5,{\\\"a\\\":null}]\",\"l\":[\"\"]}"),
        "0a 11 08 ff ff ff ff ff ff ff ff ff 01 10 80 ca b5 ee 01 1a 00 22 1a 32 18 0a 09 11 00 00 00 00 00 00 f8 3f 0a 0b 2a 09 0a 07 0a "
        "01 61 12 02 08 00 32 07 08 e8 0f 10 02 18 1d 3a 08 0a 02 ec 78 10 08 18 03 42 00");
}

TEST(what_cannot_be_written)
{
    EXPECT_STR(bytes_from(P3 "message M { uint32 a = 1; }", "a bigint", "{\"a\":-1}"),
               "row 0, \"a\", 0: a number does not fit its field\n");
    EXPECT_STR(bytes_from(P3 "message M { N n = 1; } message N { repeated E e = 1; } enum E { X = 0; }", NULL,
                          "{\"n\":{\"e\":[\"Q\"]}}"),
               "row 0, \"n.e[]\", 0: a text is no constant of its enum\n");
    EXPECT_STR(bytes_from(P3 "message M { E e = 1; } enum E { X = 0; }", NULL, "{\"e\":\"77\"}"), "08 4d");
    EXPECT_STR(bytes_from(P2 "message M { optional E e = 1; } enum E { X = 0; }", NULL, "{\"e\":\"77\"}"),
               "row 0, \"e\", 0: a text is no constant of its enum\n");
    EXPECT_STR(bytes_from(P3 "message M { repeated int32 a = 1; }", NULL, "{\"a\":[1,null]}"),
               "row 0, \"a[]\", 0: an element is NULL\n");
    EXPECT_STR(bytes_from(P3 "message M { map<string, int32> a = 1; }", NULL, "{\"a\":{\"k\":null}}"),
               "row 0, \"a[].value\", 0: it is NULL\n");
    EXPECT_STR(bytes_from(P2 "message M { required int32 a = 1; }", NULL, "{}"),
               "row 0, \"a\", 0: a required field is NULL\n");
    EXPECT_STR(bytes_from(P2 "message M { required int32 a = 1; }", "b int", "{}"),
               "there is no column for the required field \"a\" of \"M\"");
    EXPECT_STR(bytes_from(P3 "message M { bool a = 1; }", "a int", "{}"),
               "a column INT cannot become the field \"a\", which is bool");
    EXPECT_STR(bytes_from(known, "s string", "{\"s\":\"[]\"}"),
               "row 0, \"s\", 0: a text is no JSON object\n");
    EXPECT_STR(bytes_from(known, "s string", "{\"s\":\"{\"}"), "row 0, \"s\", 0: a text is no JSON\n");
    EXPECT_STR(bytes_from(P3 "message M { int64 a = 1; }", "a decimal(20,1)", "{\"a\":1.5}"),
               "row 0, \"a\", 0: a number does not fit its field\n");
}

/* A length takes more bytes than the last one: what is written moves. */
TEST(lengths_that_change)
{
    struct sbuf json = {0};
    static const int sizes[] = {1, 200, 1, 20000, 130, 0};
    sbuf_cstr(&json, "{\"n\":[");
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        sbuf_cstr(&json, i ? ",{\"m\":{\"s\":\"" : "{\"m\":{\"s\":\"");
        for (int k = 0; k < sizes[i]; k++)
            sbuf_char(&json, (char)('a' + k % 26));
        sbuf_cstr(&json, "\"}}");
    }
    sbuf_cstr(&json, "]}");
    static const char text[] = P3
        "message M { repeated N n = 1; } message N { N1 m = 1; } message N1 { string s = 1; }";
    const char *hex = bytes_from(text, NULL, json.p);
    EXPECT_STR(row_of(text, hex), json.p);
    sbuf_fini(&json);
}

/* ---- round trips ---------------------------------------------------------------------------------------------------------- */

/* Names that a .proto can have, and no list in a list, recursively; NULL where the type has none. */
static const struct type *writable(const struct type *type, bool in_list)
{
    const struct type *inner;
    switch (type->kind) {
    case TYPE_NULL:
    case TYPE_BYTE:
    case TYPE_SHORT:
    case TYPE_INTERVAL_YM:
    case TYPE_TIMESTAMP_NTZ: return type_simple(TYPE_INT);
    case TYPE_INTERVAL_DT:
    case TYPE_STRING: return type_simple(type->kind);
    case TYPE_ARRAY:
        inner = in_list ? NULL : writable(type->fields[0].type, true);
        return inner ? type_array(&arena, inner, false) : NULL;
    case TYPE_MAP:
        inner = in_list || !(type_is_integer(type->fields[0].type) ||
                             type->fields[0].type->kind == TYPE_BOOLEAN ||
                             type->fields[0].type->kind == TYPE_STRING)
                    ? NULL
                    : writable(type->fields[1].type, true);
        return inner ? type_map(&arena, writable(type->fields[0].type, true), inner, false) : NULL;
    case TYPE_STRUCT: {
        struct field *fields = arena_zarray(&arena, struct field, type->field_count + 1);
        uint32_t count = 0;
        for (uint32_t i = 0; i < type->field_count; i++) {
            fields[count] = type->fields[i];
            fields[count].type = writable(type->fields[i].type, false);
            if (fields[count].type != NULL)
                count++;
        }
        if (count == 0)
            fields[count++] = (struct field){.name = "only", .type = type_simple(TYPE_INT), .nullable = true};
        return type_struct(&arena, fields, count);
    }
    default: return type;
    }
}

/* What a .proto cannot say: that a message or a list is NULL or is not. */
static const struct type *as_read(const struct type *type)
{
    struct field *fields = arena_zarray(&arena, struct field, type->field_count);
    for (uint32_t i = 0; i < type->field_count; i++) {
        fields[i] = type->fields[i];
        const struct type *t = fields[i].type;
        if (t->kind == TYPE_STRUCT)
            fields[i].type = as_read(t);
        if (t->kind == TYPE_ARRAY && t->fields[0].type->kind == TYPE_STRUCT)
            fields[i].type = type_array(&arena, as_read(t->fields[0].type), false);
        if (t->kind == TYPE_MAP && t->fields[1].type->kind == TYPE_STRUCT)
            fields[i].type = type_map(&arena, t->fields[0].type, as_read(t->fields[1].type), false);
        if (t->kind == TYPE_ARRAY || t->kind == TYPE_MAP)
            fields[i].nullable = false;
    }
    return type_struct(&arena, fields, type->field_count);
}

enum { ROUNDS = 300, ROWS = 40 };

/* Columns to a .proto, rows to bytes, and back. */
TEST(random_columns)
{
    for (unsigned seed = 0; seed < ROUNDS; seed++) {
        struct rng rng = {seed};
        struct pool *pool = pool_new(NULL, "test");
        struct err err = {0};
        struct sbuf text = {0}, out = {0}, bad = {0};
        const struct protobuf_report report = {hear, &bad};
        const struct type *columns = as_read(writable(random_schema(&rng, 1 + seed % 4, &arena), false));
        CHECK(protobuf_schema_of_columns(columns, STR("M"), STR(""), &text, &err));
        sbuf_char(&text, '\0');
        const struct proto_message *message = message_of(text.p, NULL);
        const struct type *again = type_of_message(message);
        if (!EXPECT(type_same(again, columns)))
            fprintf(stderr, "%s\n", text.p);
        struct batch *batch = batch_new(), *back = batch_new();
        random_batch(&rng, batch, columns, ROWS, RANDOM_ANY);
        uint32_t ends[ROWS];
        struct protobuf_encoder *encoder = protobuf_encoder_new(pool, message, columns, &err);
        if (!EXPECT(encoder != NULL))
            fprintf(stderr, "%s\n", err.text);
        EXPECT_EQ_INT(protobuf_encode(encoder, batch, 0, ROWS, STR("p"), &out, ends, &report), 0);
        struct protobuf_decoder *decoder = protobuf_decoder_new(pool, again, NULL, &err);
        const struct protobuf_writer *writer = protobuf_decoder_writer(decoder, message, &err),
                                     *writers[ROWS];
        struct str records[ROWS];
        for (uint32_t i = 0; i < ROWS; i++) {
            uint32_t from = (i ? ends[i - 1] : 0) + 1;
            writers[i] = writer;
            records[i] = str_n(arena_dup(&arena, out.p + from, ends[i] - from), ends[i] - from);
        }
        protobuf_decode(decoder, records, writers, ROWS, back, &report);
        EXPECT_EQ_INT(bad.n, 0);
        if (!EXPECT(batch_check(back, &err)))
            fprintf(stderr, "%s\n", err.text);
        if (!EXPECT(rows_equal(batch_to_rows(batch, &arena), batch_to_rows(back, &arena), ROWS)))
            fprintf(stderr, "seed %u: %s\n", seed, text.p);
        /* cut anywhere, changed anywhere: a row, or a bad record */
        for (uint32_t i = 0; i < ROWS; i++) {
            char *bytes = mem_new(records[i].n);
            if (records[i].n > 0)
                memcpy(bytes, records[i].p, records[i].n);
            size_t n = rng_below(&rng, records[i].n + 1);
            if (n > 0 && rng_one_in(&rng, 2))
                bytes[rng_below(&rng, n)] ^= (char)(1u << rng_below(&rng, 8));
            char *exact = mem_new(n);
            if (n > 0)
                memcpy(exact, bytes, n);
            records[i] = str_n(exact, n);
            mem_free(bytes);
        }
        batch_reset(back);
        protobuf_decode(decoder, records, writers, ROWS, back, &report);
        if (!EXPECT(batch_check(back, &err)))
            fprintf(stderr, "seed %u: %s\n", seed, err.text);
        for (uint32_t i = 0; i < ROWS; i++)
            mem_free((char *)records[i].p);
        batch_free(batch);
        batch_free(back);
        sbuf_fini(&text);
        sbuf_fini(&out);
        sbuf_fini(&bad);
        pool_free(pool);
        arena_reset(&arena);
    }
}

/* Every beginning of a record is a row or a bad record; those that end between two fields are rows. */
TEST(every_truncation)
{
    const struct proto_message *message = message_of(all_kinds, NULL);
    struct str whole = bytes_of(
        "08 01 10 ff ff ff ff ff ff ff ff ff 01 18 03 25 fe ff ff ff 28 ff ff ff ff 0f 35 ff ff ff ff 38 96 01 40 03 49 ff ff ff "
        "ff ff ff ff ff 50 ff ff ff ff ff ff ff ff ff 01 59 ff ff ff ff ff ff ff ff 65 00 00 20 40 69 00 00 00 00 00 00 f8 3f 72 "
        "19 'more than sixteen letters' 7a 01 00 80 01 05 8a 01 03 01 02 03 92 01 05 0a 01 'k' 10 04 9a 01 02 08 07");
    uint32_t good = 0;
    for (size_t n = 0; n <= whole.n; n++) {
        char *exact = mem_new(n);
        if (n > 0)
            memcpy(exact, whole.p, n);
        struct str record = str_n(exact, n);
        good += rows_of(message, NULL, &record, 1)[0] == '{';
        mem_free(exact);
    }
    EXPECT_EQ_INT(good, 20);
}

/* ---- hostile records ------------------------------------------------------------------------------------------------------ */

TEST(many_pieces)
{
    /* a message as its bytes, in a million pieces: no time that grows with their square */
    struct sbuf record = {0};
    for (int i = 0; i < 1000000; i++)
        sbuf_add(&record, "\x0a\x02\x10\x01", 4);
    struct str bytes = sbuf_view(&record);
    const char *row = rows_of(message_of(P3 "message M { M m = 1; }", NULL), NULL, &bytes, 1);
    EXPECT_EQ_INT(strlen(row), strlen("{\"m\":\"\"}") + (2000000 + 2) / 3 * 4);
    /* members of a oneof that change each other off */
    sbuf_clear(&record);
    for (int i = 0; i < 1000000; i++)
        sbuf_add(&record, i & 1 ? "\x08\x01" : "\x10\x02", 2);
    bytes = sbuf_view(&record);
    EXPECT_STR(
        rows_of(message_of(P3 "message M { oneof o { int32 a = 1; int32 b = 2; } }", NULL), NULL, &bytes, 1),
        "{\"a\":1,\"b\":null}");
    sbuf_fini(&record);
}

/* Two bytes of a record may cost a row of many columns, up to a limit. */
TEST(wide_elements)
{
    struct sbuf text = {0}, record = {0};
    sbuf_cstr(&text, P3 "message M { repeated N n = 1; } message N { ");
    for (int i = 1; i <= 2000; i++)
        sbuf_printf(&text, "string s%d = %d; ", i, i);
    sbuf_cstr(&text, "}");
    for (int i = 0; i < 100000; i++)
        sbuf_add(&record, "\x0a\x00", 2);
    struct str records[2] = {sbuf_view(&record), bytes_of("0a 02 0a 00")};
    EXPECT(strstr(rows_of(message_of(text.p, NULL), NULL, records, 2), "a list has too many elements") !=
           NULL);
    sbuf_fini(&text);
    sbuf_fini(&record);
}

/* As a descriptor has maps: repeated messages of a key and a value. */
TEST(maps_as_messages)
{
    static const char text[] = P3
        "message M { repeated Entry m = 1; message Entry { option map_entry = true; string key = 1; int32 value = 2; } }";
    EXPECT_STR(type_text(text), "struct<m:map<string,int>>");
    EXPECT_STR(row_of(text, "0a 05 0a 01 'k' 10 04 0a 02 10 07"), "{\"m\":{\"k\":4,\"\":7}}");
    EXPECT_STR(bytes_from(text, NULL, "{\"m\":{\"k\":4}}"), "0a 05 0a 01 6b 10 04");
}

/* ---- memory that fails ---------------------------------------------------------------------------------------------------- */

static void everything(void)
{
    bytes_from(
        known, "t timestamp, date date, n decimal(8,3), w int, v string, l array<string>",
        "{\"t\":\"1969-12-31T23:59:59.5Z\",\"date\":\"2024-02-29\",\"n\":-5.0,\"v\":\"[1.5,{\\\"a\\\":null}]\",\"l\":[\"\"]}");
    row_of(known, "0a 02 08 05 22 05 1a 03 'abc' 3a 08 0a 02 ec 78 10 08 18 03 42 00");
    row_of(known, "0a 05");
    schema_of("a int, b struct<c array<string>>, d decimal(3,1)");
}

/* Each allocation in turn is refused, which ends the process: in an orderly way. */
TEST(any_allocation_may_fail)
{
    mem_fail_after(0);
    everything();
    uint64_t count = mem_fail_after(0);
    EXPECT(count > 20);
    for (uint64_t n = 1; n <= count; n++) {
        fflush(NULL);
        pid_t child = fork();
        if (child == 0) {
            close(STDERR_FILENO);
            mem_fail_after(n);
            everything();
            _exit(0);
        }
        int status = 0;
        CHECK(waitpid(child, &status, 0) == child);
        EXPECT(WIFEXITED(status) && (WEXITSTATUS(status) == 70 || WEXITSTATUS(status) == 0));
    }
}

int main(void)
{
    RUN(maps_as_messages);
    RUN(any_allocation_may_fail);
    RUN(types);
    RUN(types_say_what_may_be_null);
    RUN(columns_are_bounded);
    RUN(evolution);
    RUN(a_schema_of_columns);
    RUN(every_kind);
    RUN(presence);
    RUN(what_comes_twice);
    RUN(packed_and_not);
    RUN(enums);
    RUN(groups);
    RUN(unknown_fields);
    RUN(what_is_malformed);
    RUN(rows_around_a_bad_one);
    RUN(several_writers);
    RUN(converted_numbers);
    RUN(known_messages);
    RUN(indexes);
    RUN(written_bytes);
    RUN(what_cannot_be_written);
    RUN(lengths_that_change);
    RUN(random_columns);
    RUN(every_truncation);
    RUN(many_pieces);
    RUN(wide_elements);
    arena_fini(&arena);
    return test_end();
}

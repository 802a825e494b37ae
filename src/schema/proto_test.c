/* Protobuf: .proto texts and descriptors as the registry writes them, names across files, and what can be read as what. */
#include "schema/proto.h"

#include "base/test.h"

static struct arena arena;

static const struct schema *parse_with(const char *text, const struct schema_reference *references,
                                       uint32_t count, struct err *err)
{
    struct schema_source source = {
        .kind = SCHEMA_PROTOBUF, .text = str_of(text), .references = references, .reference_count = count};
    const struct schema *schema = NULL;
    return schema_parse(&arena, &source, &schema, err) ? schema : NULL;
}

static const struct schema *parse(const char *text)
{
    struct err err = {0};
    const struct schema *schema = parse_with(text, NULL, 0, &err);
    if (!EXPECT(schema != NULL)) {
        fprintf(stderr, "    %s: %s\n", text, err.text);
        return parse("");
    }
    return schema;
}

static const char *text_of(struct sbuf *b)
{
    const char *text = arena_strdup(&arena, b->p ? b->p : "");
    sbuf_fini(b);
    return text;
}

static const char *canonical(const struct schema *schema)
{
    struct sbuf b = {0};
    schema_canonical(schema, &b);
    return text_of(&b);
}

static const char *normal(const struct schema *schema)
{
    struct sbuf b = {0};
    schema_normalize(schema, &b);
    return text_of(&b);
}

static const char rich[] =
    "syntax = \"proto2\"; // c\n"
    "package a.b;\n"
    "import \"google/protobuf/timestamp.proto\"; import \"google/protobuf/descriptor.proto\"; import public \"google/protobuf/any.proto\";\n"
    "option java_package = \"x\\\"y\"; option (my).deep.er = 5;\n"
    "extend google.protobuf.FileOptions { optional Opt my = 50000; }\n"
    "enum E { option allow_alias = true; Z = 1; A = 0; B = 0 [deprecated = true]; reserved 5 to 7, 9, \"Q\"; }\n"
    "message Opt { optional Deep deep = 1; } message Deep { optional int32 er = 1; }\n"
    "message M { reserved 9 to 11, 4; oneof o { int32 z = 30; string y = 20; } option deprecated = true; required int32 b = 2 [default = -0x10, json_name=\"bee\", packed=false]; optional .a.b.E e = 1 [default = Z]; map<string, E> m = 3; repeated group G = 8 { optional N n = 1; } message N { enum F { X = 0; } oneof p { F f = 1; } } extensions 100 to 199, 500 to max; extend M { optional string ext = 120 [(opts) = {a: 1, b: [1, 2], c { d: \"x\" }}]; } } service S { option deprecated = true; rpc R (M) returns (stream .a.b.Opt) { option idempotency_level = NO_SIDE_EFFECTS; } rpc Q (M) returns (M); }\n";

TEST(canonical_text)
{
    EXPECT_STR(canonical(parse(rich)), "syntax = \"proto2\";\n"
                                       "package a.b;\n"
                                       "\n"
                                       "import \"google/protobuf/timestamp.proto\";\n"
                                       "import \"google/protobuf/descriptor.proto\";\n"
                                       "import public \"google/protobuf/any.proto\";\n"
                                       "\n"
                                       "option java_package = \"x\\\"y\";\n"
                                       "option (my).deep.er = 5;\n"
                                       "\n"
                                       "message Opt {\n"
                                       "  optional Deep deep = 1;\n"
                                       "}\n"
                                       "message Deep {\n"
                                       "  optional int32 er = 1;\n"
                                       "}\n"
                                       "message M {\n"
                                       "  reserved 9 to 11, 4;\n"
                                       "\n"
                                       "  option deprecated = true;\n"
                                       "\n"
                                       "  required int32 b = 2 [\n"
                                       "    packed = false,\n"
                                       "    default = -0x10,\n"
                                       "    json_name = \"bee\"\n"
                                       "  ];\n"
                                       "  optional .a.b.E e = 1 [default = Z];\n"
                                       "  map<string, E> m = 3;\n"
                                       "\n"
                                       "  oneof o {\n"
                                       "    int32 z = 30;\n"
                                       "    string y = 20;\n"
                                       "  }\n"
                                       "\n"
                                       "  repeated group G = 8 {\n"
                                       "    optional N n = 1;\n"
                                       "  }\n"
                                       "\n"
                                       "  extensions 100 to 199, 500 to max;\n"
                                       "\n"
                                       "  extend M {\n"
                                       "    optional string ext = 120 [(opts) = {\n"
                                       "      a: 1,\n"
                                       "      b: [\n"
                                       "        1,\n"
                                       "        2\n"
                                       "      ],\n"
                                       "      c: {\n"
                                       "        d: \"x\"\n"
                                       "      }\n"
                                       "    }];\n"
                                       "  }\n"
                                       "\n"
                                       "  message N {\n"
                                       "    oneof p {\n"
                                       "      F f = 1;\n"
                                       "    }\n"
                                       "  \n"
                                       "    enum F {\n"
                                       "      X = 0;\n"
                                       "    }\n"
                                       "  }\n"
                                       "}\n"
                                       "enum E {\n"
                                       "  reserved 5 to 7, 9, \"Q\";\n"
                                       "  option allow_alias = true;\n"
                                       "  Z = 1;\n"
                                       "  A = 0;\n"
                                       "  B = 0 [deprecated = true];\n"
                                       "}\n"
                                       "\n"
                                       "extend google.protobuf.FileOptions {\n"
                                       "  optional Opt my = 50000;\n"
                                       "}\n"
                                       "\n"
                                       "service S {\n"
                                       "  option deprecated = true;\n"
                                       "\n"
                                       "  rpc R (M) returns (stream .a.b.Opt) {\n"
                                       "    option idempotency_level = NO_SIDE_EFFECTS;\n"
                                       "  };\n"
                                       "  rpc Q (M) returns (M);\n"
                                       "}\n");
    EXPECT_STR(canonical(parse(canonical(parse(rich)))), canonical(parse(rich)));
}

TEST(normal_text)
{
    EXPECT_STR(normal(parse(rich)), "package a.b;\n"
                                    "\n"
                                    "import \"google/protobuf/descriptor.proto\";\n"
                                    "import \"google/protobuf/timestamp.proto\";\n"
                                    "import public \"google/protobuf/any.proto\";\n"
                                    "\n"
                                    "option (a.b.my) = {\n"
                                    "  deep: {\n"
                                    "    er: 5\n"
                                    "  }\n"
                                    "};\n"
                                    "option java_package = \"x\\\"y\";\n"
                                    "\n"
                                    "message Opt {\n"
                                    "  optional .a.b.Deep deep = 1;\n"
                                    "}\n"
                                    "message Deep {\n"
                                    "  optional int32 er = 1;\n"
                                    "}\n"
                                    "message M {\n"
                                    "  reserved 4;\n"
                                    "  reserved 9 to 11;\n"
                                    "\n"
                                    "  option deprecated = true;\n"
                                    "\n"
                                    "  optional .a.b.E e = 1 [default = Z];\n"
                                    "  required int32 b = 2 [\n"
                                    "    default = -16,\n"
                                    "    json_name = \"bee\",\n"
                                    "    packed = false\n"
                                    "  ];\n"
                                    "  map<string, .a.b.E> m = 3;\n"
                                    "\n"
                                    "  oneof o {\n"
                                    "    string y = 20;\n"
                                    "    int32 z = 30;\n"
                                    "  }\n"
                                    "\n"
                                    "  repeated group G = 8 {\n"
                                    "    optional .a.b.M.N n = 1;\n"
                                    "  }\n"
                                    "\n"
                                    "  extensions 100 to 199;\n"
                                    "  extensions 500 to max;\n"
                                    "\n"
                                    "  extend .a.b.M {\n"
                                    "    optional string ext = 120 [(opts) = {\n"
                                    "      a: 1,\n"
                                    "      b: [\n"
                                    "        1,\n"
                                    "        2\n"
                                    "      ],\n"
                                    "      c: {\n"
                                    "        d: \"x\"\n"
                                    "      }\n"
                                    "    }];\n"
                                    "  }\n"
                                    "\n"
                                    "  message N {\n"
                                    "    oneof p {\n"
                                    "      .a.b.M.N.F f = 1;\n"
                                    "    }\n"
                                    "  \n"
                                    "    enum F {\n"
                                    "      X = 0;\n"
                                    "    }\n"
                                    "  }\n"
                                    "}\n"
                                    "enum E {\n"
                                    "  reserved 5 to 7;\n"
                                    "  reserved 9;\n"
                                    "  reserved \"Q\";\n"
                                    "  option allow_alias = true;\n"
                                    "  A = 0;\n"
                                    "  B = 0 [deprecated = true];\n"
                                    "  Z = 1;\n"
                                    "}\n"
                                    "\n"
                                    "extend .google.protobuf.FileOptions {\n"
                                    "  optional .a.b.Opt my = 50000;\n"
                                    "}\n"
                                    "\n"
                                    "service S {\n"
                                    "  option deprecated = true;\n"
                                    "\n"
                                    "  rpc R (.a.b.M) returns (stream .a.b.Opt) {\n"
                                    "    option idempotency_level = NO_SIDE_EFFECTS;\n"
                                    "  };\n"
                                    "  rpc Q (.a.b.M) returns (.a.b.M);\n"
                                    "}\n");
    EXPECT_STR(normal(parse(normal(parse(rich)))), normal(parse(rich)));
}

TEST(descriptors)
{
    static const char text[] =
        "Cgd1LnByb3RvEgFhIrsBCgRVc2VyEgoKAmlkGAEgASgDEhEKBG5pY2sYAiABKAlIAYgBARIfCgR0YWdzGAMgAygLMhEuYS5Vc2VyLlRhZ3NFbnRyeRIOCgRtYWlsGAQgASgJSAASFwoFY29sb3IYBSABKA4yCC5hLkNvbG9yGisKCVRhZ3NFbnRyeRILCgNrZXkYASABKAkSDQoFdmFsdWUYAiABKAU6AjgBQgkKB2NvbnRhY3RCBwoFX25pY2tKBAgHEApSA29sZCoQCgVDb2xvchIHCgNSRUQQAEIJCgVjb20uYVABYgZwcm90bzM=";
    EXPECT_STR(canonical(parse(text)), "syntax = \"proto3\";\n"
                                       "package a;\n"
                                       "\n"
                                       "option java_package = \"com.a\";\n"
                                       "option java_multiple_files = true;\n"
                                       "\n"
                                       "message User {\n"
                                       "  reserved 7 to 9;\n"
                                       "  reserved \"old\";\n"
                                       "\n"
                                       "  int64 id = 1;\n"
                                       "  optional string nick = 2;\n"
                                       "  repeated .a.User.TagsEntry tags = 3;\n"
                                       "  .a.Color color = 5;\n"
                                       "\n"
                                       "  oneof contact {\n"
                                       "    string mail = 4;\n"
                                       "  }\n"
                                       "\n"
                                       "  message TagsEntry {\n"
                                       "    option map_entry = true;\n"
                                       "  \n"
                                       "    string key = 1;\n"
                                       "    int32 value = 2;\n"
                                       "  }\n"
                                       "}\n"
                                       "enum Color {\n"
                                       "  RED = 0;\n"
                                       "}\n");
    EXPECT_STR(normal(parse(text)), "syntax = \"proto3\";\n"
                                    "package a;\n"
                                    "\n"
                                    "option java_multiple_files = true;\n"
                                    "option java_package = \"com.a\";\n"
                                    "\n"
                                    "message User {\n"
                                    "  reserved 7 to 9;\n"
                                    "  reserved \"old\";\n"
                                    "\n"
                                    "  int64 id = 1;\n"
                                    "  optional string nick = 2;\n"
                                    "  map<string, int32> tags = 3;\n"
                                    "  .a.Color color = 5;\n"
                                    "\n"
                                    "  oneof contact {\n"
                                    "    string mail = 4;\n"
                                    "  }\n"
                                    "}\n"
                                    "enum Color {\n"
                                    "  RED = 0;\n"
                                    "}\n");
    struct err err;
    EXPECT(parse_with("Zm9v", NULL, 0, &err) == NULL && err.class == ERR_DATA);
    /* the type of a field ends in a line's end */
    EXPECT(
        parse_with(
            "Cgd1LnByb3RvEgFhIrsBCgRVc2VyEgoKAmlkGAEgASgDEhEKBG5pY2sYAiABKAlIAYgBARIfCgR0YWdzGAMgAygLMhEuYS5Vc2VyLlRhZ3NFbnRyCgIOeRRtYWlsGAQgASgJSAASFwoFY29sb3IYBSABKA4yCC5hLkNvbG9yGisKCVRhZ3NFbnRyeRILCgNrZXkYASABKAkSDQoFdmFsdWUYAiABKAU6AjgBQgkKB2NvbnRhY3RCBwoFX25pY2tKBAgHEApSA29sZCoQCgVDb2xvchIHCgNSRUQQAEIJCgVjb20uYVABYgZwcdouble=",
            NULL, 0, &err) == NULL &&
        err.class == ERR_DATA);
}

static const char *formatted(const struct schema *schema, const char *format)
{
    struct sbuf b = {0};
    schema_format(schema, str_of(format), &b);
    return text_of(&b);
}

/* A descriptor says what the text says; maps, which it has no word for, come back when it is normalised. */
TEST(texts_as_descriptors)
{
    static const char *const texts[] = {
        rich,
        "syntax = \"proto3\"; message A { optional string a_b = 1 [json_name = \"ab\"]; oneof o { int32 i = 2; A a = 3; } map<string, "
        "A> my_map = 4; enum E { X = 0; Y = -1; } repeated E e = 5; }",
        "edition = \"2023\"; option features.field_presence = IMPLICIT; option features.enum_type = CLOSED; message A { "
        "option features.json_format = LEGACY_BEST_EFFORT; int32 a = 1 [features.field_presence = LEGACY_REQUIRED]; repeated "
        "int32 b = 2 [features.repeated_field_encoding = EXPANDED]; A c = 3 [features.message_encoding = DELIMITED]; "
        "string d = 4 [features.utf8_validation = NONE, features.field_presence = EXPLICIT]; } enum E { option "
        "features.enum_type = OPEN; X = 0; }",
    };
    EXPECT_STR(formatted(parse(texts[1]), "nonsense"), canonical(parse(texts[1])));
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        const struct schema *s = parse(texts[i]);
        const char *plain = formatted(s, "ignore_extensions");
        const char *again = formatted(parse(formatted(parse(plain), "serialized")), "");
        EXPECT_STR(normal(parse(again)), normal(parse(plain)));
    }
}

TEST(names_and_kinds)
{
    const struct proto_schema *schema = schema_proto(parse(
        "syntax = \"proto3\"; package a; import \"google/protobuf/timestamp.proto\";"
        "message U { google.protobuf.Timestamp at = 1; map<string, In> m = 2; message In { enum E { X = 0; } E e = 3; } }"
        "message V { message W {} message X {} }"));
    const struct proto_message *u = proto_message_find(schema, STR("a.U"));
    if (!EXPECT(u != NULL))
        return;
    EXPECT(str_is(u->fields.first->type.message->full, "google.protobuf.Timestamp"));
    EXPECT(u->fields.last->is_map && u->fields.last->key.kind == PROTO_STRING);
    EXPECT(str_is(u->fields.last->value.message->full, "a.U.In"));
    EXPECT(u->fields.last->value.message->fields.first->type.kind == PROTO_ENUM);
    EXPECT(proto_message_at(schema, (const int32_t[]){1, 1}, 2) == proto_message_find(schema, STR("a.V.X")));
    EXPECT(proto_message_at(schema, (const int32_t[]){2}, 1) == NULL);
}

TEST(editions)
{
    EXPECT_STR(
        canonical(parse(
            "edition = \"2023\"; option features.field_presence = EXPLICIT; message M { reserved foo; string s = 1 "
            "[features.field_presence = IMPLICIT]; }")),
        "edition = \"2023\";\n\noption features.field_presence = EXPLICIT;\n\nmessage M {\n  reserved \"foo\";\n\n"
        "  string s = 1 [features.field_presence = IMPLICIT];\n}\n");
}

static struct proto_traits traits_of(const struct schema *schema, const char *field)
{
    const struct proto_message *message = schema_proto(schema)->file->messages.first;
    PROTO_EACH(proto_field, f, &message->fields)
    if (str_is(f->name, field))
        return proto_field_traits(message->file, f);
    abort();
}

TEST(traits_of_fields)
{
    const struct schema *two = parse(
        "message M { optional int32 a = 1; required int32 b = 2; repeated int32 c = 3; repeated "
        "int32 d = 4 [packed = true]; optional M e = 5; }");
    EXPECT(traits_of(two, "a").has_presence && !traits_of(two, "a").is_required);
    EXPECT(traits_of(two, "b").has_presence && traits_of(two, "b").is_required);
    EXPECT(!traits_of(two, "c").has_presence && !traits_of(two, "c").is_packed &&
           traits_of(two, "d").is_packed);
    EXPECT(traits_of(two, "e").has_presence && !traits_of(two, "e").is_delimited);
    const struct schema *three = parse(
        "syntax = \"proto3\"; message M { int32 a = 1; optional int32 b = 2; repeated int32 c = 3; "
        "repeated int32 d = 4 [packed = false]; M e = 5; repeated string f = 6; }");
    EXPECT(!traits_of(three, "a").has_presence && traits_of(three, "b").has_presence &&
           traits_of(three, "e").has_presence);
    EXPECT(traits_of(three, "c").is_packed && !traits_of(three, "d").is_packed &&
           !traits_of(three, "f").is_packed);
    /* of the file, then of the field; in one option or in several; from a text or from a descriptor */
    const struct schema *edition = parse(
        "edition = \"2023\"; option features = {field_presence: IMPLICIT, repeated_field_encoding: EXPANDED}; message M { int32 a "
        "= 1; int32 b = 2 [features = {field_presence: LEGACY_REQUIRED}]; repeated int32 c = 3; repeated int32 d = 4 "
        "[features.repeated_field_encoding = PACKED]; M e = 5 [features.message_encoding = DELIMITED]; } enum E { X = 0; } enum F "
        "{ option features.enum_type = CLOSED; Y = 0; }");
    for (int i = 0; i < 2; i++) {
        EXPECT(!traits_of(edition, "a").has_presence && traits_of(edition, "b").is_required);
        EXPECT(!traits_of(edition, "c").is_packed && traits_of(edition, "d").is_packed);
        EXPECT(traits_of(edition, "e").is_delimited && traits_of(edition, "e").has_presence);
        const struct proto_file *file = schema_proto(edition)->file;
        EXPECT(!proto_enum_is_closed(file->enums.first) && proto_enum_is_closed(file->enums.last));
        edition = parse(formatted(edition, "serialized"));
    }
    EXPECT(proto_enum_is_closed(schema_proto(parse("enum E { X = 0; }"))->file->enums.first));
}

/* The text after tags were added and removed, or the error. */
static const char *retagged(const char *text, struct schema_tags add, struct schema_tags remove)
{
    struct schema_retag change = {&add, &remove, add.count > 0, remove.count > 0};
    struct sbuf out = {0};
    struct err err = {0};
    if (!schema_retag(&arena, parse(text), &change, &out, &err))
        return arena_strdup(&arena, err.text);
    return text_of(&out);
}

static const char *tags_of(const char *text)
{
    struct sbuf out = {0};
    const struct schema_tags *tags;
    uint32_t count = schema_tags(&arena, parse(text), &tags);
    for (uint32_t i = 0; i < count; i++) {
        sbuf_printf(&out, "%c %.*s", tags[i].is_field ? 'f' : 'r', STR_ARG(tags[i].path));
        for (uint32_t k = 0; k < tags[i].count; k++)
            sbuf_printf(&out, " %.*s", STR_ARG(tags[i].tags[k]));
        sbuf_str(&out, STR(";"));
    }
    return text_of(&out);
}

TEST(tags_come_and_go)
{
    static const struct str ab[] = {{"A", 1}, {"B", 1}}, b[] = {{"B", 1}}, c[] = {{"C", 1}};
    const struct schema_tags none = {0};
    const char *text =
        "package p; message M { message N { int32 x = 1; } oneof o { string s = 2; } N n = 3; }";
    const char *with = retagged(text, (struct schema_tags){STR("M.N.x"), true, ab, 2}, none);
    EXPECT_STR(
        with,
        "package p;\n\nmessage M {\n  N n = 3;\n\n  oneof o {\n    string s = 2;\n  }\n\n  message N {\n"
        "    int32 x = 1 [(confluent.field_meta) = {\n      tags: [\n        \"A\",\n        \"B\"\n      ]\n"
        "    }];\n  }\n}\n");
    EXPECT_STR(tags_of(with), "f M.N.x A B;");
    with = retagged(with, (struct schema_tags){STR(".p.M"), false, c, 1},
                    (struct schema_tags){STR("M.N.x"), true, b, 1});
    with = retagged(with, (struct schema_tags){STR("M.s"), true, b, 1}, none);
    EXPECT_STR(tags_of(with), "r M C;f M.s B;f M.N.x A;");
    with = retagged(with, none, (struct schema_tags){STR("M.N.x"), true, ab, 2});
    with = retagged(with, none, (struct schema_tags){STR("M"), false, c, 1});
    with = retagged(with, none, (struct schema_tags){STR("M.s"), true, ab, 2});
    EXPECT_STR(with, canonical(parse(text)));
    /* what else the option says stays; the short form is one of them */
    const char *other =
        "message M { int32 x = 1 [(confluent.field_meta).tags = \"A\", (confluent.field_meta) = { doc: \"d\" }]; }";
    EXPECT_STR(tags_of(other), "f M.x A;");
    EXPECT_STR(retagged(other, none, (struct schema_tags){STR("M.x"), true, ab, 2}),
               "\nmessage M {\n  int32 x = 1 [(confluent.field_meta) = {\n    doc: \"d\"\n  }];\n}\n");
    EXPECT_STR(tags_of(retagged(other, (struct schema_tags){STR("M.x"), true, b, 1}, none)), "f M.x A B;");
    static const char *const nowhere[] = {"M.y", "N", "M.x.z", "", ".", "M"};
    for (size_t i = 0; i < sizeof nowhere / sizeof *nowhere; i++)
        EXPECT_STR(retagged(other, (struct schema_tags){str_of(nowhere[i]), true, b, 1}, none),
                   arena_printf(&arena, "No matching path '%s' found in the schema", nowhere[i]));
}

TEST(types_may_have_to_be_imported)
{
    const struct schema_reference references[] = {
        {.name = STR("deep.proto"), .text = STR("package p; message Deep {}"), .indirect = true},
        {.name = STR("public.proto"),
         .text = STR("package p; import public \"deep.proto\"; message Public {}")},
        {.name = STR("plain.proto"), .text = STR("package p; import \"deep.proto\"; message Plain {}")},
    };
    static const struct {
        const char *text, *error; /* NULL: none */
    } cases[] = {
        {"package p; message A { Deep d = 1; }",
         "1:24 the type \"Deep\" is in \"deep.proto\", which is not imported"},
        {"package p; import \"plain.proto\"; message A { map<string, Deep> d = 1; }",
         "1:46 the type \"Deep\" is in \"deep.proto\", which is not imported"},
        {"package p; import \"plain.proto\"; message A { Plain d = 1; A a = 2; }", NULL},
        {"package p; import \"public.proto\"; message A { Public d = 1; p.Deep e = 2; }", NULL},
        {"import \"google/protobuf/timestamp.proto\"; message A { google.protobuf.Timestamp t = 1; }", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct schema_source source = {.kind = SCHEMA_PROTOBUF,
                                       .text = str_of(cases[i].text),
                                       .references = references,
                                       .reference_count = 3};
        const struct schema *schema;
        struct err err = {0};
        EXPECT(schema_parse(&arena, &source, &schema, &err));
        source.imports_alone = true;
        EXPECT(schema_parse(&arena, &source, &schema, &err) == (cases[i].error == NULL));
        if (cases[i].error)
            EXPECT_STR(arena_printf(&arena, "%d:%d %s", err.place.line, err.place.column, err.text),
                       cases[i].error);
    }
}

TEST(what_is_refused_has_a_place)
{
    static const struct {
        const char *text, *error;
    } cases[] = {
        {"message A {\n  Nope b = 1;\n}", "2:3 there is no type \"Nope\""},
        {"message A { int32 a = 1; int32 b = 1; }", "1:26 the number 1 comes twice in \"A\""},
        {"message A { int32 a = 0; }", "1:23 a field's number must be from 1 to 536870911"},
        {"message A {} enum A { X = 0; }", "1:1 \"A\" is defined twice"},
        {"message A {", "1:12 the text ends too early"},
        {"nonsense A {}", "1:1 \"nonsense\" begins no statement"},
        {"edition = \"20\\\"3\";", "1:8 the edition \"20\"3\" is no year"},
        {"syntax = \"proto4\";", "1:7 the syntax \"proto4\" is neither proto2 nor proto3"},
        {"message A { string s = 1 [x = \"\n\"]; }", "1:32 a line ends in a text"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct err err = {0};
        EXPECT(parse_with(cases[i].text, NULL, 0, &err) == NULL);
        EXPECT_STR(arena_printf(&arena, "%d:%d %s", err.place.line, err.place.column, err.text),
                   cases[i].error);
    }
}

/* ---- compatibility ------------------------------------------------------------------------------------------------------ */

/* The messages but those about the old schema, each on a line. */
static const char *check(const struct schema *new, const struct schema *old)
{
    struct schema_version version = {old, 1};
    struct schema_messages messages = {.arena = &arena};
    struct err err = {0};
    struct sbuf b = {0};
    bool ok = schema_compatible(new, &version, 1, SCHEMA_BACKWARD, &messages, &err);
    EXPECT(ok == (messages.count == 0));
    for (uint32_t i = 0; i + 2 < messages.count; i++)
        sbuf_printf(&b, "%s%s", i ? "\n" : "", messages.items[i].p);
    return text_of(&b);
}

#define SAYS(type, text) "{errorType:\"" type "\", description:\"" text "\"}"

TEST(confluent_words)
{
    static const struct {
        const char *old, *new, *says;
    } cases[] = {
        {"package a;", "package b;",
         SAYS("PACKAGE_CHANGED",
              "The package at '#/' in the new schema does not match the package in the old schema")},
        {"message A { message B {} }", "message A {}",
         SAYS("MESSAGE_REMOVED",
              "The new schema is missing a MESSAGE type at path '#/A/B' in the old schema")},
        {"message A { optional int32 a = 1; }", "message A { optional A a = 1; }",
         SAYS("FIELD_KIND_CHANGED",
              "The type of a field at path '#/A/1' in the new schema does not match the old schema")},
        {"message A { optional int32 a = 1; }", "message A { optional sint32 a = 1; }",
         SAYS(
             "FIELD_SCALAR_KIND_CHANGED",
             "The kind of a SCALAR field at path '#/A/1' in the new schema does not match its kind in the old schema")},
        {"message A { optional A a = 1; } message B {}", "message A { optional B a = 1; } message B {}",
         SAYS(
             "FIELD_NAMED_TYPE_CHANGED",
             "The type of a MESSAGE field at path '#/A/1' in the new schema does not match its type in the old schema")},
        {"message A { optional int32 a = 1; }", "message A { repeated int32 a = 1; }",
         SAYS(
             "FIELD_NUMERIC_LABEL_CHANGED",
             "The label for a NUMERIC field at path '#/A/1' in the new schema does not match its label in the old schema")},
        {"message A {}", "message A { required int32 a = 1; }",
         SAYS("REQUIRED_FIELD_ADDED",
              "A required field  at path '#/A/1' in the new schema is missing in the old schema")},
        {"message A { required int32 a = 1; }", "message A {}",
         SAYS("REQUIRED_FIELD_REMOVED",
              "The new schema is missing a required field at path: '#/A/1' in the old schema")},
        {"message A { oneof o { int32 a = 1; int32 b = 2; } }", "message A { oneof o { int32 a = 1; } }",
         SAYS("ONEOF_FIELD_REMOVED",
              "The new schema is missing a oneof field at path '#/A/o/2' in the old schema")},
        {"message A { optional int32 a = 1; optional int32 b = 2; }",
         "message A { oneof o { int32 a = 1; int32 b = 2; } }",
         SAYS(
             "MULTIPLE_FIELDS_MOVED_TO_ONEOF",
             "Multiple fields in the oneof at path '#/A/o' in the new schema are outside a oneof in the old schema")},
        {"message A { oneof o { int32 a = 1; } optional int32 b = 2; }",
         "message A { oneof o { int32 a = 1; int32 b = 2; } }",
         SAYS(
             "FIELD_MOVED_TO_EXISTING_ONEOF",
             "A field in the oneof at path '#/A/o' in the new schema is outside an existing oneof in the old schema")},
        {"message A { optional int32 a = 1; optional string s = 2; }",
         "message A { optional E b = 1; repeated bytes s = 2; } enum E { X = 0; }", ""},
        {"message A { oneof o { int32 a = 1; } }", "message A {}", ""},
        {"message A { oneof o { int32 a = 1; int32 b = 2; } }",
         "message A { oneof p { int32 a = 1; } optional int32 b = 2; }", ""},
        {"message A { map<string, int32> m = 1; }", "message A { map<string, uint64> m = 1; }", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (!EXPECT_STR(check(parse(cases[i].new), parse(cases[i].old)), cases[i].says))
            fprintf(stderr, "    %s → %s\n", cases[i].old, cases[i].new);
}

TEST(messages_of_other_subjects)
{
    struct err err = {0};
    static const char text[] = "syntax = \"proto3\"; import \"r.proto\"; message A { r.B b = 1; }";
    struct schema_reference one = {.name = STR("r.proto"),
                                   .subject = STR("r"),
                                   .version = 1,
                                   .text = STR("package r; message B { optional int32 x = 1; }")};
    struct schema_reference two = one;
    two.version = 2;
    two.text = STR("package r; message B { optional string x = 1; }");
    const struct schema *a = parse_with(text, &one, 1, &err), *b = parse_with(text, &two, 1, &err);
    if (!EXPECT(a != NULL && b != NULL))
        return;
    EXPECT_STR(check(a, a), "");
    EXPECT_STR(
        check(b, a),
        SAYS("FIELD_SCALAR_KIND_CHANGED", "The kind of a SCALAR field at path '#/B/1' in the new schema does not match its kind in the old schema") "\n" SAYS(
            "FIELD_NAMED_TYPE_CHANGED",
            "The type of a MESSAGE field at path '#/A/1' in the new schema does not match its type in the old schema"));
    EXPECT(parse_with(text, NULL, 0, &err) == NULL);
    EXPECT_STR(normal(a), "syntax = \"proto3\";\n\nimport \"r.proto\";\n\nmessage A {\n  .r.B b = 1;\n}\n");
}

int main(void)
{
    RUN(canonical_text);
    RUN(normal_text);
    RUN(descriptors);
    RUN(texts_as_descriptors);
    RUN(names_and_kinds);
    RUN(editions);
    RUN(traits_of_fields);
    RUN(tags_come_and_go);
    RUN(types_may_have_to_be_imported);
    RUN(what_is_refused_has_a_place);
    RUN(confluent_words);
    RUN(messages_of_other_subjects);
    arena_fini(&arena);
    return test_end();
}

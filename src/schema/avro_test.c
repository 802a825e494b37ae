/* Avro: what parses and what does not, the three forms of its text, what can be read as what, and Confluent's words for what cannot. */
#include "schema/avro.h"

#include "base/test.h"

static struct arena arena;

static const struct schema *parse_with(const char *text, const struct schema_reference *references,
                                       uint32_t count, bool lenient, struct err *err)
{
    struct schema_source source = {
        .text = str_of(text), .references = references, .reference_count = count, .lenient = lenient};
    const struct schema *schema = NULL;
    return schema_parse(&arena, &source, &schema, err) ? schema : NULL;
}

static const struct schema *parse(const char *text)
{
    struct err err = {0};
    const struct schema *schema = parse_with(text, NULL, 0, false, &err);
    if (!EXPECT(schema != NULL)) {
        fprintf(stderr, "    %s: %s\n", text, err.text);
        return parse("\"null\"");
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

static const char *form(const struct schema *schema)
{
    struct sbuf b = {0};
    avro_parsing_form(schema_avro(schema), &b);
    return text_of(&b);
}

/* The error's text with its place. */
static const char *refused(const char *text)
{
    struct err err = {0};
    if (!EXPECT(parse_with(text, NULL, 0, false, &err) == NULL)) {
        fprintf(stderr, "    %s\n", text);
        return "";
    }
    EXPECT(err.class == ERR_DATA);
    return arena_printf(&arena, "%d:%d %s", err.place.line, err.place.column, err.text);
}

TEST(texts_are_as_java_writes_them)
{
    EXPECT_STR(canonical(parse("{\"type\":\"string\"}")), "\"string\"");
    EXPECT_STR(
        canonical(parse("{ \"type\" : \"int\", \"logicalType\":\"date\", \"x\": {\"b\":1.50,\"a\":1e10} }")),
        "{\"type\":\"int\",\"logicalType\":\"date\",\"x\":{\"b\":1.5,\"a\":1.0E10}}");
    EXPECT_STR(
        canonical(parse(
            "{\"type\":\"long\",\"a\":[-0,0.0001,123456789.5,1e400,true,null],\"a\":{\"k\":1,\"k\":2}}")),
        "{\"type\":\"long\",\"a\":{\"k\":2}}");
    EXPECT_STR(canonical(parse(
                   "{\"type\":\"long\",\"a\":[-0,0.0001,0.001,123456789.5,1234567.0,9007199254740993]}")),
               "{\"type\":\"long\",\"a\":[0,1.0E-4,0.001,1.234567895E8,1234567.0,9007199254740993]}");
}

TEST(order_of_members_names_and_namespaces)
{
    const char *text =
        "{\"fields\":[{\"type\":{\"symbols\":[\"A\",\"B\"],\"type\":\"enum\",\"name\":\"E\",\"default\":\"B\"},"
        "\"name\":\"e\",\"default\":\"A\",\"order\":\"IGNORE\",\"aliases\":[\"z\",\"y\",\"z\"],\"p\":[]},"
        "{\"name\":\"self\",\"type\":[\"null\",\"R\"],\"default\":null,\"doc\":\"d\"},"
        "{\"name\":\"f\",\"type\":{\"type\":\"fixed\",\"size\":3,\"name\":\"F\",\"namespace\":\"\"}}],"
        "\"name\":\"a.R\",\"type\":\"record\",\"q\":true,\"namespace\":\"ignored\","
        "\"aliases\":[\"Old\",\"b.Older\"],\"doc\":\"x\\u0001\\/\"}";
    EXPECT_STR(
        canonical(parse(text)),
        "{\"type\":\"record\",\"name\":\"R\",\"namespace\":\"a\",\"doc\":\"x\\u0001/\",\"fields\":["
        "{\"name\":\"e\",\"type\":{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"A\",\"B\"],\"default\":\"B\"},"
        "\"default\":\"A\",\"order\":\"ignore\",\"aliases\":[\"z\",\"y\"],\"p\":[]},"
        "{\"name\":\"self\",\"type\":[\"null\",\"R\"],\"doc\":\"d\",\"default\":null},"
        "{\"name\":\"f\",\"type\":{\"type\":\"fixed\",\"name\":\"F\",\"namespace\":\"\",\"size\":3}}],"
        "\"q\":true,\"aliases\":[\"Old\",\"b.Older\"]}");
    EXPECT_STR(
        form(parse(text)),
        "{\"name\":\"a.R\",\"type\":\"record\",\"fields\":[{\"name\":\"e\",\"type\":{\"name\":\"a.E\","
        "\"type\":\"enum\",\"symbols\":[\"A\",\"B\"]}},{\"name\":\"self\",\"type\":[\"null\",\"a.R\"]},"
        "{\"name\":\"f\",\"type\":{\"name\":\"F\",\"type\":\"fixed\",\"size\":3}}]}");
    EXPECT(str_is(schema_name(parse(text)), "a.R"));
    /* a name may be used before it is defined */
    EXPECT_STR(canonical(parse(
                   "[{\"type\":\"array\",\"items\":\"X\"},{\"type\":\"fixed\",\"name\":\"X\",\"size\":1}]")),
               "[{\"type\":\"array\",\"items\":{\"type\":\"fixed\",\"name\":\"X\",\"size\":1}},\"X\"]");
    /* defined twice, but the same */
    EXPECT_STR(
        canonical(
            parse("[\"null\",{\"type\":\"map\",\"values\":{\"type\":\"fixed\",\"name\":\"X\",\"size\":1}},"
                  "{\"type\":\"fixed\",\"name\":\"X\",\"size\":1}]")),
        "[\"null\",{\"type\":\"map\",\"values\":{\"type\":\"fixed\",\"name\":\"X\",\"size\":1}},\"X\"]");
}

TEST(normalising)
{
    EXPECT_STR(
        normal(parse(
            "{\"type\":\"bytes\",\"z\":1,\"scale\":2,\"precision\":4,\"logicalType\":\"decimal\",\"b\":{\"y\":1,\"x\":2}}")),
        "{\"type\":\"bytes\",\"logicalType\":\"decimal\",\"precision\":4,\"scale\":2,\"b\":{\"x\":2,\"y\":1},\"z\":1}");
    EXPECT_STR(
        normal(parse(
            "{\"type\":\"error\",\"name\":\"R\",\"doc\":\"\",\"z\":1,\"a\":2,\"aliases\":[\"q\",\"p\"],"
            "\"fields\":[{\"name\":\"d\",\"type\":[\"null\",\"double\"],\"default\":7},"
            "{\"name\":\"m\",\"type\":{\"type\":\"map\",\"values\":\"float\"},\"default\":{\"b\":1,\"a\":0.1}}]}")),
        "{\"type\":\"record\",\"name\":\"R\",\"fields\":[{\"name\":\"d\",\"type\":[\"null\",\"double\"],\"default\":7.0},"
        "{\"name\":\"m\",\"type\":{\"type\":\"map\",\"values\":\"float\"},\"default\":{\"a\":0.1,\"b\":1.0}}],"
        "\"a\":2,\"z\":1,\"aliases\":[\"p\",\"q\"]}");
}

TEST(references_are_known_names)
{
    struct err err = {0};
    struct schema_reference r = {
        .name = STR("a.User"),
        .text = STR(
            "{\"type\":\"record\",\"name\":\"a.User\",\"fields\":[{\"name\":\"id\",\"type\":\"long\"}]}")};
    const struct schema *s = parse_with(
        "{\"type\":\"record\",\"name\":\"a.Order\",\"fields\":[{\"name\":\"user\",\"type\":\"User\"}]}", &r,
        1, false, &err);
    if (!EXPECT(s != NULL))
        return;
    EXPECT_STR(
        canonical(s),
        "{\"type\":\"record\",\"name\":\"Order\",\"namespace\":\"a\",\"fields\":[{\"name\":\"user\",\"type\":\"User\"}]}");
    struct sbuf resolved = {0};
    schema_format(s, STR("resolved"), &resolved);
    EXPECT_STR(
        text_of(&resolved),
        "{\"type\":\"record\",\"name\":\"Order\",\"namespace\":\"a\",\"fields\":[{\"name\":\"user\",\"type\":{"
        "\"type\":\"record\",\"name\":\"User\",\"fields\":[{\"name\":\"id\",\"type\":\"long\"}]}}]}");
    EXPECT(schema_equal(
        s,
        parse(
            "{\"type\":\"record\",\"name\":\"a.Order\",\"fields\":[{\"name\":\"user\",\"type\":{\"type\":\"record\","
            "\"name\":\"User\",\"fields\":[{\"name\":\"id\",\"type\":\"long\"}]}}]}")));
    EXPECT_STR(
        form(s),
        "{\"name\":\"a.Order\",\"type\":\"record\",\"fields\":[{\"name\":\"user\",\"type\":{\"name\":\"a.User\","
        "\"type\":\"record\",\"fields\":[{\"name\":\"id\",\"type\":\"long\"}]}}]}");
    r.text = STR("{\n]");
    EXPECT(parse_with("\"int\"", &r, 1, false, &err) == NULL);
    EXPECT_STR(err.place.file, "a.User");
    EXPECT_EQ_INT(err.place.line, 2);
}

TEST(what_is_refused_has_a_place)
{
    EXPECT_STR(refused("{\"type\":\"array\",\n \"items\": \"nope\"}"),
               "2:11 there is no type \"nope\" (Undefined schema: nope)");
    EXPECT_STR(
        refused(
            "{\"type\":\"record\",\"name\":\"R\",\"fields\":[{\"name\":\"a\",\"type\":\"int\",\"default\":\"x\"}]}"),
        "1:74 the default of \"a\" is no int");
    EXPECT_STR(refused("[\"int\",\"int\"]"), "1:1 \"int\" comes twice in a union");
    EXPECT_STR(refused("[[\"int\"]]"), "1:2 a union stands directly in a union");
    EXPECT_STR(refused("{\"type\":\"fixed\",\"name\":\"int\",\"size\":1}"),
               "1:24 a type cannot have the name \"int\"");
    EXPECT_STR(refused("{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"A\",\"A\"]}"),
               "1:37 the symbol \"A\" comes twice");
    EXPECT_STR(refused("{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"A\"],\"default\":\"B\"}"),
               "1:53 the default \"B\" is not among the symbols");
    EXPECT_STR(refused("{\"type\":\"record\",\"name\":\"a..b\",\"fields\":[]}"),
               "1:25 a namespace ends in a dot");
    EXPECT_STR(
        refused(
            "[{\"type\":\"fixed\",\"name\":\"X\",\"size\":1},{\"type\":\"map\",\"values\":{\"type\":\"fixed\",\"name\":\"X\",\"size\":2}}]"),
        "1:62 \"X\" is defined twice, and differently");
    EXPECT_STR(refused("7"), "1:1 a type is expected: a name, an object or a list");
    EXPECT_STR(refused("\"int\" x"), "1:7 this is not JSON: something follows the value (line 1, column 7)");
    struct err err;
    EXPECT(
        parse_with(
            "{\"type\":\"record\",\"name\":\"R\",\"fields\":[{\"name\":\"\xC3\xA4\",\"type\":\"int\",\"default\":\"x\"}]}",
            NULL, 0, true, &err) != NULL);
}

TEST(logical_types)
{
    static const struct {
        const char *text;
        enum avro_logical logical;
    } cases[] = {
        {"{\"type\":\"bytes\",\"logicalType\":\"decimal\",\"precision\":9,\"scale\":2}", AVRO_DECIMAL},
        {"{\"type\":\"bytes\",\"logicalType\":\"decimal\"}", AVRO_PLAIN},
        {"{\"type\":\"bytes\",\"logicalType\":\"decimal\",\"precision\":2,\"scale\":3}", AVRO_PLAIN},
        {"{\"type\":\"fixed\",\"name\":\"F\",\"size\":2,\"logicalType\":\"decimal\",\"precision\":4}",
         AVRO_DECIMAL},
        {"{\"type\":\"fixed\",\"name\":\"F\",\"size\":2,\"logicalType\":\"decimal\",\"precision\":5}",
         AVRO_PLAIN},
        {"{\"type\":\"bytes\",\"logicalType\":\"big-decimal\"}", AVRO_BIG_DECIMAL},
        {"{\"type\":\"string\",\"logicalType\":\"uuid\"}", AVRO_UUID},
        {"{\"type\":\"fixed\",\"name\":\"F\",\"size\":16,\"logicalType\":\"uuid\"}", AVRO_UUID},
        {"{\"type\":\"fixed\",\"name\":\"F\",\"size\":15,\"logicalType\":\"uuid\"}", AVRO_PLAIN},
        {"{\"type\":\"fixed\",\"name\":\"F\",\"size\":12,\"logicalType\":\"duration\"}", AVRO_DURATION},
        {"{\"type\":\"int\",\"logicalType\":\"date\"}", AVRO_DATE},
        {"{\"type\":\"long\",\"logicalType\":\"date\"}", AVRO_PLAIN},
        {"{\"type\":\"int\",\"logicalType\":\"time-millis\"}", AVRO_TIME_MILLIS},
        {"{\"type\":\"long\",\"logicalType\":\"time-micros\"}", AVRO_TIME_MICROS},
        {"{\"type\":\"long\",\"logicalType\":\"timestamp-nanos\"}", AVRO_TIMESTAMP_NANOS},
        {"{\"type\":\"long\",\"logicalType\":\"local-timestamp-micros\"}", AVRO_LOCAL_TIMESTAMP_MICROS},
        {"{\"type\":\"long\",\"logicalType\":\"unheard-of\"}", AVRO_PLAIN},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (!EXPECT_EQ_INT(schema_avro(parse(cases[i].text))->root->logical, cases[i].logical))
            fprintf(stderr, "    %s\n", cases[i].text);
}

/* ---- compatibility ------------------------------------------------------------------------------------------------------ */

/* The messages, each on a line. */
static const char *check(const char *new_text, const char *old_text, enum schema_level level)
{
    struct schema_version old = {parse(old_text), 3};
    struct schema_messages messages = {.arena = &arena};
    struct err err = {0};
    struct sbuf b = {0};
    bool ok = schema_compatible(parse(new_text), &old, 1, level, &messages, &err);
    EXPECT(ok == (messages.count == 0));
    for (uint32_t i = 0; i < messages.count; i++)
        sbuf_printf(&b, "%s%s", i ? "\n" : "", messages.items[i].p);
    return text_of(&b);
}

#define RECORD(fields) "{\"type\":\"record\",\"name\":\"R\",\"fields\":[" fields "]}"

TEST(confluent_words)
{
    EXPECT_STR(
        check(RECORD("{\"name\":\"a\",\"type\":\"int\"},{\"name\":\"b\",\"type\":\"int\"}"),
              RECORD("{\"name\":\"a\",\"type\":\"int\"}"), SCHEMA_BACKWARD),
        "{errorType:'READER_FIELD_MISSING_DEFAULT_VALUE', description:'The field 'b' at path '/fields/1' in the new schema has no "
        "default value and is missing in the old schema', additionalInfo:'b'}\n{oldSchemaVersion: 3}\n"
        "{oldSchema: '" RECORD("{\"name\":\"a\",\"type\":\"int\"}") "'}");
    EXPECT_STR(
        check(RECORD("{\"name\":\"a\",\"type\":\"long\"}"), RECORD("{\"name\":\"a\",\"type\":\"int\"}"),
              SCHEMA_FULL),
        "{errorType:'TYPE_MISMATCH', description:'The type (path '/fields/0/type') of a field in the old schema does not match with "
        "the new schema', additionalInfo:'reader type: INT not compatible with writer type: LONG'}");
    EXPECT_STR(
        check(RECORD(""), "{\"type\":\"record\",\"name\":\"x.S\",\"fields\":[]}", SCHEMA_FORWARD),
        "{errorType:'NAME_MISMATCH', description:'The name of the schema has changed (path '/name')', additionalInfo:'expected: R'}\n"
        "{oldSchemaVersion: 3}\n{oldSchema: '{\"type\":\"record\",\"name\":\"S\",\"namespace\":\"x\",\"fields\":[]}'}");
    EXPECT_STR(
        check("{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"A\"]}",
              "{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"C\",\"B\",\"A\"]}", SCHEMA_BACKWARD),
        "{errorType:'MISSING_ENUM_SYMBOLS', description:'The new schema is missing enum symbols '[B, C]' at path '/symbols' in the "
        "old schema', additionalInfo:'[B, C]'}\n{oldSchemaVersion: 3}\n{oldSchema: "
        "'{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"C\",\"B\",\"A\"]}'}");
    EXPECT_STR(
        check("[\"int\"]", "[\"int\",\"string\"]", SCHEMA_BACKWARD),
        "{errorType:'MISSING_UNION_BRANCH', description:'The new schema is missing a type inside a union field at path '/1' in the old "
        "schema', additionalInfo:'reader union lacking writer type: STRING'}\n{oldSchemaVersion: 3}\n{oldSchema: "
        "'[\"int\",\"string\"]'}");
    EXPECT_STR(
        check("{\"type\":\"fixed\",\"name\":\"F\",\"size\":4}",
              "{\"type\":\"fixed\",\"name\":\"F\",\"size\":8}", SCHEMA_BACKWARD),
        "{errorType:'FIXED_SIZE_MISMATCH', description:'The size of FIXED type field at path '/size' in the new schema does not match "
        "with the old schema', additionalInfo:'expected: 8, found: 4'}\n{oldSchemaVersion: 3}\n{oldSchema: "
        "'{\"type\":\"fixed\",\"name\":\"F\",\"size\":8}'}");
}

/* What the specification says of pairs: is data of `writer` readable as `reader`? */
TEST(who_reads_whom)
{
    static const char a[] = RECORD("{\"name\":\"a\",\"type\":\"int\"}");
    static const struct {
        const char *reader, *writer;
        bool ok;
    } cases[] = {
        {"\"long\"", "\"int\"", true},
        {"\"int\"", "\"long\"", false},
        {"\"double\"", "\"float\"", true},
        {"\"float\"", "\"double\"", false},
        {"\"string\"", "\"bytes\"", true},
        {"\"bytes\"", "\"string\"", true},
        {"[\"null\",\"long\"]", "\"int\"", true},
        {"\"int\"", "[\"int\"]", true},
        {"\"int\"", "[\"null\",\"int\"]", false},
        {"{\"type\":\"array\",\"items\":\"long\"}", "{\"type\":\"array\",\"items\":\"int\"}", true},
        {"{\"type\":\"map\",\"values\":\"int\"}", "{\"type\":\"map\",\"values\":\"string\"}", false},
        {RECORD(""), a, true},
        {a, RECORD(""), false},
        {RECORD("{\"name\":\"a\",\"type\":\"int\",\"default\":1}"), RECORD(""), true},
        {RECORD("{\"name\":\"b\",\"type\":\"int\",\"aliases\":[\"a\"]}"), a, true},
        {"{\"type\":\"record\",\"name\":\"x.R\",\"fields\":[]}", a, true},
        {"{\"type\":\"record\",\"name\":\"S\",\"aliases\":[\"R\"],\"fields\":[]}", a, true},
        {"{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"A\"],\"default\":\"A\"}",
         "{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"B\"]}", true},
        {RECORD("{\"name\":\"n\",\"type\":[\"null\",\"R\"]}"),
         RECORD("{\"name\":\"n\",\"type\":[\"null\",\"R\"]}"), true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct avro_way way;
        struct err err = {0};
        bool reads = check(cases[i].reader, cases[i].writer, SCHEMA_BACKWARD)[0] == '\0';
        bool resolves = avro_resolve(&arena, schema_avro(parse(cases[i].writer)),
                                     schema_avro(parse(cases[i].reader)), &way, &err);
        if (!EXPECT_EQ_INT(reads, cases[i].ok))
            fprintf(stderr, "    %s ← %s\n", cases[i].reader, cases[i].writer);
        /* a union whose one branch cannot be read is incompatible, but its other branches are read */
        if (reads && !EXPECT(resolves))
            fprintf(stderr, "    %s ← %s: %s\n", cases[i].reader, cases[i].writer, err.text);
    }
}

TEST(levels)
{
    const struct schema *one = parse(RECORD("{\"name\":\"a\",\"type\":\"int\"}"));
    const struct schema *two = parse(RECORD(""));
    const struct schema *three = parse(RECORD("{\"name\":\"a\",\"type\":\"string\",\"default\":\"\"}"));
    struct schema_version old[] = {{one, 1}, {two, 2}};
    static const bool wanted[] = {true, true, false, true, false, true, false};
    for (int level = SCHEMA_NONE; level <= SCHEMA_FULL_TRANSITIVE; level++) {
        struct schema_messages messages = {.arena = &arena};
        EXPECT_EQ_INT(schema_compatible(three, old, 2, (enum schema_level)level, &messages, NULL),
                      wanted[level]);
    }
    enum schema_level level;
    EXPECT(schema_level_find(STR("full_transitive"), &level) && level == SCHEMA_FULL_TRANSITIVE);
    EXPECT(!schema_level_find(STR("sideways"), &level));
}

TEST(plans)
{
    struct avro_way way;
    const struct avro_schema *writer = schema_avro(parse(RECORD(
        "{\"name\":\"gone\",\"type\":\"string\"},{\"name\":\"n\",\"type\":\"int\"},{\"name\":\"next\",\"type\":[\"null\",\"R\"]},"
        "{\"name\":\"e\",\"type\":{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"A\",\"B\",\"C\"]}}")));
    const struct avro_schema *reader = schema_avro(parse(RECORD(
        "{\"name\":\"e\",\"type\":{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"C\",\"A\"]}},{\"name\":\"next\",\"type\":[\"R\",\"null\"]},"
        "{\"name\":\"new\",\"type\":\"int\",\"default\":5},{\"name\":\"n\",\"type\":[\"null\",\"long\"]}")));
    if (!EXPECT(avro_resolve(&arena, writer, reader, &way, NULL)))
        return;
    const struct avro_plan *plan = way.plan;
    EXPECT(plan->fault == NULL && way.branch == -1);
    EXPECT(plan->steps[0].way.plan == NULL && plan->steps[0].writer->kind == AVRO_STRING);
    EXPECT(plan->steps[1].field == 3 && plan->steps[1].way.branch == 1);
    EXPECT(plan->steps[1].way.plan->reader->kind == AVRO_LONG &&
           plan->steps[1].way.plan->writer->kind == AVRO_INT);
    const struct avro_plan *next = plan->steps[2].way.plan;
    EXPECT(next->writer->kind == AVRO_UNION && next->branches[1].plan == plan &&
           next->branches[1].branch == 0);
    EXPECT(next->branches[0].branch == 1);
    EXPECT(plan->default_count == 1 && plan->defaults[0] == 2);
    const int32_t symbols[] = {1, -1, 0};
    EXPECT_MEM(plan->steps[3].way.plan->symbols, symbols, sizeof symbols);
}

TEST(equality)
{
    static const char base[] =
        "{\"type\":\"record\",\"name\":\"R\",\"doc\":\"d\",\"fields\":[{\"name\":\"a\",\"type\":[\"null\",\"R\"],\"default\":null}]}";
    EXPECT(schema_equal(parse(base), parse(base)));
    EXPECT(!schema_equal(
        parse(base),
        parse(
            "{\"type\":\"record\",\"name\":\"R\",\"fields\":[{\"name\":\"a\",\"type\":[\"null\",\"R\"],\"default\":null}]}")));
    EXPECT(!schema_equal(
        parse(base),
        parse(
            "{\"type\":\"record\",\"name\":\"R\",\"doc\":\"d\",\"fields\":[{\"name\":\"a\",\"type\":[\"null\",\"R\"]}]}")));
    EXPECT(schema_equal(parse("{\"type\":\"int\",\"a\":1,\"b\":[]}"),
                        parse("{\"b\":[],\"a\":1,\"type\":\"int\"}")));
    EXPECT(!schema_equal(parse("{\"type\":\"int\",\"a\":1}"), parse("{\"type\":\"int\",\"a\":1.0}")));
}

/* Cycles of different lengths, deep and wide schemas: answered, or refused, in bounded time. */
TEST(hostile_schemas)
{
    struct sbuf text[2] = {{0}, {0}};
    struct err err = {0};
    for (int k = 0; k < 2; k++) {
        unsigned n = k ? 997 : 991;
        sbuf_cstr(&text[k], "[");
        for (unsigned i = n; i-- > 0;)
            sbuf_printf(
                &text[k],
                "%s{\"type\":\"record\",\"name\":\"R%u\",\"aliases\":[\"R%u\"],\"fields\":[{\"name\":\"f\",\"type\":\"R%u\"}]}",
                i + 1 < n ? "," : "", i, i, (i + 1) % n);
        sbuf_cstr(&text[k], "]");
    }
    const struct schema *a = parse_with(text[0].p, NULL, 0, false, &err),
                        *b = parse_with(text[1].p, NULL, 0, false, &err);
    if (EXPECT(a != NULL && b != NULL)) {
        struct avro_way way;
        struct schema_version old = {b, 1};
        struct schema_messages messages = {.arena = &arena};
        (void)!schema_compatible(a, &old, 1, SCHEMA_FULL, &messages, &err);
        (void)!avro_resolve(&arena, schema_avro(a), schema_avro(b), &way, &err);
        EXPECT(!schema_equal(a, b));
    }
    sbuf_clear(&text[0]);
    for (int i = 0; i < 300; i++)
        sbuf_cstr(&text[0], "{\"type\":\"array\",\"items\":");
    EXPECT(parse_with(text[0].p, NULL, 0, false, &err) == NULL);
    sbuf_fini(&text[0]);
    sbuf_fini(&text[1]);
}

static const char *retagged(const struct schema *schema, const struct schema_retag *change)
{
    struct sbuf out = {0};
    struct err err = {0};
    bool ok = schema_retag(&arena, schema, change, &out, &err);
    const char *text = text_of(&out);
    return ok ? text : arena_strdup(&arena, err.text);
}

TEST(tags_are_added_and_removed)
{
    const struct schema *plain = parse(
        "{\"type\":\"record\",\"name\":\"R\",\"namespace\":\"n\",\"fields\":[{\"name\":\"a\",\"type\":{"
        "\"type\":\"record\",\"name\":\"S\",\"fields\":[{\"name\":\"a\",\"type\":[\"null\",\"R\"],"
        "\"confluent:tags\":[\"X\",\"Y\"],\"p\":1}]}}],\"aliases\":[\"Q\"]}");
    const struct str ab[] = {STR("A"), STR("B"), STR("A")}, x[] = {STR("X")}, xy[] = {STR("X"), STR("Y")};
    const struct schema_tags add[] = {{STR("n.R"), false, ab, 3}, {STR(".S.a"), true, ab, 1}},
                             remove[] = {{STR("n.S.a"), true, x, 1}}, all[] = {{STR("S.a"), true, xy, 2}},
                             other[] = {{STR("m.R"), false, x, 1}}, field[] = {{STR("n.S"), true, x, 1}};
    const struct schema_tags *tags;
    EXPECT_STR(
        retagged(plain, &(struct schema_retag){add, remove, 2, 1}),
        "{\"type\":\"record\",\"name\":\"R\",\"namespace\":\"n\",\"fields\":[{\"name\":\"a\",\"type\":{\"type\":\"record\","
        "\"name\":\"S\",\"fields\":[{\"name\":\"a\",\"type\":[\"null\",\"R\"],\"confluent:tags\":[\"Y\",\"A\"],\"p\":1}]}}],"
        "\"confluent:tags\":[\"A\",\"B\"],\"aliases\":[\"Q\"]}");
    EXPECT_STR(
        retagged(plain, &(struct schema_retag){NULL, all, 0, 1}),
        "{\"type\":\"record\",\"name\":\"R\",\"namespace\":\"n\",\"fields\":[{\"name\":\"a\",\"type\":{\"type\":\"record\","
        "\"name\":\"S\",\"fields\":[{\"name\":\"a\",\"type\":[\"null\",\"R\"],\"p\":1}]}}],\"aliases\":[\"Q\"]}");
    EXPECT_STR(retagged(plain, &(struct schema_retag){other, NULL, 1, 0}),
               "No matching path 'm.R' found in the schema");
    EXPECT_STR(retagged(plain, &(struct schema_retag){NULL, field, 0, 1}),
               "No matching path 'n.S' found in the schema");
    EXPECT_EQ_INT(schema_tags(&arena, plain, &tags), 1);
    EXPECT(str_is(tags[0].path, "n.S.a") && tags[0].is_field && tags[0].count == 2 &&
           str_is(tags[0].tags[1], "Y"));
    EXPECT_EQ_INT(schema_tags(&arena, parse("[\"int\",{\"type\":\"array\",\"items\":\"long\"}]"), &tags), 0);
}

int main(void)
{
    RUN(texts_are_as_java_writes_them);
    RUN(order_of_members_names_and_namespaces);
    RUN(normalising);
    RUN(references_are_known_names);
    RUN(what_is_refused_has_a_place);
    RUN(logical_types);
    RUN(confluent_words);
    RUN(who_reads_whom);
    RUN(levels);
    RUN(plans);
    RUN(equality);
    RUN(tags_are_added_and_removed);
    RUN(hostile_schemas);
    arena_fini(&arena);
    return test_end();
}

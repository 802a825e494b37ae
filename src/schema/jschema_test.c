/* JSON Schema: what its parts become, references in and between texts, the texts that the registry keeps, and what accepts what. */
#include "schema/jschema.h"

#include "base/test.h"

static struct arena arena;

static const struct schema *parse_with(const char *text, const struct schema_reference *references,
                                       uint32_t count, struct err *err)
{
    struct schema_source source = {
        .kind = SCHEMA_JSON, .text = str_of(text), .references = references, .reference_count = count};
    const struct schema *schema = NULL;
    return schema_parse(&arena, &source, &schema, err) ? schema : NULL;
}

static const struct schema *parse(const char *text)
{
    struct err err = {0};
    const struct schema *schema = parse_with(text, NULL, 0, &err);
    if (!EXPECT(schema != NULL)) {
        fprintf(stderr, "    %s: %s\n", text, err.text);
        return parse("{}");
    }
    return schema;
}

static const char *text_of(struct sbuf *b)
{
    const char *text = arena_strdup(&arena, b->p ? b->p : "");
    sbuf_fini(b);
    return text;
}

TEST(texts)
{
    const struct schema *s = parse(
        " {\"title\":\"T\", \"b\":[1.50,1e10,0.0000001,-0.0,100,1.5E-3], \"a\":{\"z\":\"\\u00e9\",\"y\":null}} ");
    struct sbuf once = {0}, sorted = {0};
    schema_canonical(s, &once);
    schema_normalize(s, &sorted);
    EXPECT_STR(
        text_of(&once),
        "{\"title\":\"T\",\"b\":[1.50,1E+10,1E-7,0.0,100,0.0015],\"a\":{\"z\":\"\xC3\xA9\",\"y\":null}}");
    EXPECT_STR(
        text_of(&sorted),
        "{\"a\":{\"y\":null,\"z\":\"\xC3\xA9\"},\"b\":[1.50,1E+10,1E-7,0.0,100,0.0015],\"title\":\"T\"}");
    EXPECT(str_is(schema_name(s), "T"));
    EXPECT(schema_equal(s, s) && !schema_equal(s, parse("{}")));
}

TEST(parts)
{
    static const struct {
        const char *text;
        enum jschema_kind kind;
        uint32_t count;
    } cases[] = {
        {"true", JSCHEMA_TRUE, 0},
        {"{}", JSCHEMA_EMPTY, 0},
        {"{\"title\":\"x\",\"default\":1}", JSCHEMA_EMPTY, 0},
        {"{\"type\":\"integer\"}", JSCHEMA_NUMBER, 0},
        {"{\"type\":[\"integer\",\"null\"]}", JSCHEMA_COMBINED, 2},
        {"{\"properties\":{}}", JSCHEMA_OBJECT, 0},
        {"{\"type\":\"object\",\"enum\":[{}]}", JSCHEMA_COMBINED, 2},
        {"{\"const\":1}", JSCHEMA_CONST, 0},
        {"{\"$schema\":\"http://json-schema.org/draft-04/schema#\",\"const\":1}", JSCHEMA_EMPTY, 0},
        {"{\"if\":{},\"minLength\":1}", JSCHEMA_COMBINED, 2},
        {"{\"items\":[{},true]}", JSCHEMA_ARRAY, 2},
        {"{\"$schema\":\"https://json-schema.org/draft/2020-12/schema\",\"prefixItems\":[{}],\"items\":false}",
         JSCHEMA_ARRAY, 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct jschema *root = schema_json(parse(cases[i].text))->root;
        bool kind = EXPECT_EQ_INT(root->kind, cases[i].kind),
             count = EXPECT_EQ_INT(root->count, cases[i].count);
        if (!kind || !count)
            fprintf(stderr, "    %s\n", cases[i].text);
    }
}

TEST(references)
{
    struct err err = {0};
    const struct schema_reference other = {
        .name = STR("http://x.org/user.json"),
        .text = STR(
            "{\"$id\":\"http://x.org/user.json\",\"definitions\":{\"a/b\":{\"type\":\"null\"}},\"type\":\"string\"}")};
    static const struct {
        const char *ref;
        enum jschema_kind kind;
    } cases[] = {
        {"#", JSCHEMA_OBJECT},
        {"#/definitions/n", JSCHEMA_NUMBER},
        {"#/definitions/again", JSCHEMA_NUMBER},
        {"#/definitions/round", JSCHEMA_EMPTY},
        {"#here", JSCHEMA_BOOLEAN},
        {"inner.json", JSCHEMA_ARRAY},
        {"user.json", JSCHEMA_STRING},
        {"http://x.org/user.json#/definitions/a~1b", JSCHEMA_NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *text = arena_printf(
            &arena,
            "{\"$id\":\"http://x.org/root.json\",\"properties\":{\"p\":{\"$ref\":\"%s\"}},\"definitions\":{\"n\":{\"type\":\"number\"},"
            "\"again\":{\"$ref\":\"#/definitions/n\"},\"round\":{\"$ref\":\"#/definitions/round\"},"
            "\"h\":{\"$id\":\"#here\",\"type\":\"boolean\"},\"i\":{\"$id\":\"inner.json\",\"type\":\"array\"}}}",
            cases[i].ref);
        const struct schema *s = parse_with(text, &other, 1, &err);
        if (!EXPECT(s != NULL)) {
            fprintf(stderr, "    %s: %s\n", cases[i].ref, err.text);
            continue;
        }
        const struct jschema *p = schema_json(s)->root->properties.items[0].schema;
        if (!EXPECT_EQ_INT(jschema_target(p)->kind, cases[i].kind))
            fprintf(stderr, "    %s\n", cases[i].ref);
    }
}

TEST(what_is_refused_has_a_place)
{
    static const struct {
        const char *text, *error;
    } cases[] = {
        {"[]", "1:1 a schema must be an object or a boolean"},
        {"{\"type\":\"strange\"}", "1:9 this is no type of JSON"},
        {"{\"properties\":{\n\"a\":7}}", "2:5 a schema must be an object or a boolean"},
        {"{\"allOf\":{}}", "1:10 a list of schemas is expected"},
        {"{\"items\":{\"$ref\":\"#/nope\"}}", "1:18 there is no schema \"#/nope\""},
        {"{\"enum\":1}", "1:9 \"enum\" must be a list"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct err err = {0};
        EXPECT(parse_with(cases[i].text, NULL, 0, &err) == NULL);
        EXPECT_STR(arena_printf(&arena, "%d:%d %s", err.place.line, err.place.column, err.text),
                   cases[i].error);
    }
}

/* ---- compatibility ------------------------------------------------------------------------------------------------------ */

/* The types and paths of what does not fit. */
static const char *check(const char *new, const char *old)
{
    struct schema_version version = {parse(old), 1};
    struct schema_messages messages = {.arena = &arena};
    struct err err = {0};
    struct sbuf b = {0};
    bool ok = schema_compatible(parse(new), &version, 1, SCHEMA_BACKWARD, &messages, &err);
    EXPECT(ok == (messages.count == 0));
    for (uint32_t i = 0; i + 2 < messages.count; i++) {
        struct str m = messages.items[i];
        size_t type = sizeof "{errorType:\"" - 1, end = str_find(m, STR("\""), type),
               path = str_find(m, STR("'#/"), 0);
        size_t path_end = path == SIZE_MAX ? 0 : str_find(m, STR("'"), path + 1);
        sbuf_printf(&b, "%s%.*s", i ? ", " : "", (int)(end - type), m.p + type);
        if (path != SIZE_MAX)
            sbuf_printf(&b, " %.*s", (int)(path_end - path - 1), m.p + path + 1);
    }
    return text_of(&b);
}

TEST(limits_and_types)
{
    static const struct {
        const char *old, *new, *says;
    } cases[] = {
        {"{\"type\":\"string\",\"maxLength\":3}", "{\"type\":\"string\",\"maxLength\":2,\"pattern\":\"a\"}",
         "MAX_LENGTH_DECREASED #/maxLength, PATTERN_ADDED #/pattern"},
        {"{\"type\":\"string\",\"maxLength\":3}", "{\"type\":\"string\",\"minLength\":1}",
         "MIN_LENGTH_ADDED #/minLength"},
        {"{\"type\":\"number\",\"multipleOf\":0.5}", "{\"type\":\"integer\",\"multipleOf\":1}",
         "MULTIPLE_OF_EXPANDED #/multipleOf, TYPE_NARROWED #/"},
        {"{\"type\":\"integer\"}", "{\"type\":\"number\",\"title\":\"t\"}", ""},
        {"{\"type\":\"integer\"}", "{\"type\":\"string\"}", "TYPE_CHANGED #/"},
        {"{\"type\":\"integer\"}", "{\"type\":[\"integer\",\"null\"]}", ""},
        {"{\"type\":[\"integer\",\"null\"]}", "{\"type\":\"integer\"}", "TYPE_CHANGED #/"},
        {"{\"enum\":[1,2]}", "{\"enum\":[2,1,3]}", ""},
        {"{\"enum\":[1,2]}", "{\"enum\":[1]}", "ENUM_ARRAY_NARROWED #/enum"},
        {"{\"enum\":[1,2]}", "{\"enum\":[1,3]}", "ENUM_ARRAY_CHANGED #/enum"},
        {"{\"not\":{\"type\":\"string\",\"maxLength\":3}}", "{\"not\":{\"type\":\"string\",\"maxLength\":2}}",
         ""},
        {"{\"not\":{\"type\":\"string\",\"maxLength\":2}}", "{\"not\":{\"type\":\"string\",\"maxLength\":3}}",
         "NOT_TYPE_EXTENDED #/not"},
        {"{\"type\":\"array\",\"items\":{\"type\":\"integer\"}}",
         "{\"type\":\"array\",\"items\":{\"type\":\"null\"},\"uniqueItems\":true}",
         "TYPE_CHANGED #/items, UNIQUE_ITEMS_ADDED #/uniqueItems"},
        {"{}", "{\"type\":\"null\"}", "TYPE_CHANGED #/"},
        {"{\"type\":\"null\"}", "{}", ""},
        {"{\"oneOf\":[{\"type\":\"null\"},{\"type\":\"string\"}]}",
         "{\"oneOf\":[{\"type\":\"string\"},{\"type\":\"null\"},{\"type\":\"boolean\"}]}", ""},
        {"{\"oneOf\":[{\"type\":\"null\"},{\"type\":\"string\"}]}",
         "{\"oneOf\":[{\"type\":\"boolean\"},{\"type\":\"null\"}]}", "COMBINED_TYPE_SUBSCHEMAS_CHANGED #/"},
        {"{\"oneOf\":[{\"type\":\"null\"},{\"type\":\"string\"}]}",
         "{\"allOf\":[{\"type\":\"boolean\"},{\"type\":\"null\"}]}", "COMBINED_TYPE_CHANGED #/"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (!EXPECT_STR(check(cases[i].new, cases[i].old), cases[i].says))
            fprintf(stderr, "    %s → %s\n", cases[i].old, cases[i].new);
}

#define OBJECT(rest) "{\"type\":\"object\"" rest "}"

TEST(content_models)
{
    static const struct {
        const char *old, *new, *says;
    } cases[] = {
        {OBJECT(""), OBJECT(",\"properties\":{\"a\":{\"type\":\"null\"}}"),
         "OPTIONAL_PROPERTY_ADDED_TO_OPEN_CONTENT_MODEL #/properties/a"},
        {OBJECT(""), OBJECT(",\"properties\":{\"a\":{}}"), ""},
        {OBJECT(",\"additionalProperties\":false"), OBJECT(",\"properties\":{\"a\":{\"type\":\"null\"}}"),
         ""},
        {OBJECT(",\"additionalProperties\":false"),
         OBJECT(
             ",\"properties\":{\"a\":{\"type\":\"null\"}},\"required\":[\"a\"],\"additionalProperties\":false"),
         "REQUIRED_PROPERTY_ADDED_TO_UNOPEN_CONTENT_MODEL #/properties/a"},
        {OBJECT(",\"properties\":{\"a\":{\"type\":\"null\"}}"), OBJECT(""), ""},
        {OBJECT(",\"properties\":{\"a\":{\"type\":\"null\"}},\"additionalProperties\":false"),
         OBJECT(",\"additionalProperties\":false"),
         "PROPERTY_REMOVED_FROM_CLOSED_CONTENT_MODEL #/properties/a"},
        {OBJECT(",\"patternProperties\":{\"^a\":{\"type\":\"string\"}}"),
         OBJECT(
             ",\"properties\":{\"ab\":{\"type\":\"string\"},\"ac\":{\"type\":\"null\"}},\"patternProperties\":{\"^a\":{\"type\":\"string\"}}"),
         "TYPE_CHANGED #/properties/ac, PROPERTY_ADDED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL #/properties/ac"},
        {OBJECT(",\"properties\":{\"a\":{\"type\":\"null\"}}"),
         OBJECT(",\"properties\":{\"a\":{\"type\":\"null\"}},\"required\":[\"a\"]"),
         "REQUIRED_ATTRIBUTE_ADDED #/required/a"},
        {OBJECT(""), OBJECT(",\"additionalProperties\":false"),
         "ADDITIONAL_PROPERTIES_REMOVED #/additionalProperties"},
        {OBJECT(",\"dependencies\":{\"a\":[\"b\"]}"), OBJECT(",\"dependencies\":{\"a\":[\"b\",\"c\"]}"),
         "DEPENDENCY_ARRAY_EXTENDED #/dependencies/a"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (!EXPECT_STR(check(cases[i].new, cases[i].old), cases[i].says))
            fprintf(stderr, "    %s → %s\n", cases[i].old, cases[i].new);
}

/* A difference deep in a cycle is found from every side of it. */
TEST(recursive_schemas)
{
    static const char form[] =
        "{\"$ref\":\"#/definitions/a\",\"definitions\":{"
        "\"a\":{\"type\":\"object\",\"properties\":{\"b\":{\"$ref\":\"#/definitions/b\"}},\"additionalProperties\":false},"
        "\"b\":{\"oneOf\":[{\"$ref\":\"#/definitions/a\"},{\"type\":\"array\",\"items\":{\"$ref\":\"#/definitions/c\"}}]},"
        "\"c\":{\"type\":\"object\",\"properties\":{\"a\":{\"$ref\":\"#/definitions/a\"},\"s\":{\"type\":\"string\",\"maxLength\":%d}}}}}";
    const char *nine = arena_printf(&arena, form, 9), *three = arena_printf(&arena, form, 3);
    EXPECT_STR(check(nine, nine), "");
    EXPECT_STR(check(nine, three), "");
    EXPECT_STR(check(three, nine), "COMBINED_TYPE_SUBSCHEMAS_CHANGED #/properties/b");
}

int main(void)
{
    RUN(texts);
    RUN(parts);
    RUN(references);
    RUN(what_is_refused_has_a_place);
    RUN(limits_and_types);
    RUN(content_models);
    RUN(recursive_schemas);
    arena_fini(&arena);
    return test_end();
}

/* The tree: what is JSON and what is not, looking things up, errors with a place. */
#include "json/tree.h"

#include "base/test.h"

static struct arena arena;

static const struct json_node *parse(const char *text)
{
    const struct json_node *root = NULL;
    struct err err = {0};
    size_t n = strlen(text);
    char *exact = memcpy(arena_alloc(&arena, n + 1), text, n);
    if (!EXPECT(json_parse(&arena, str_n(exact, n), &root, &err)))
        fprintf(stderr, "    %s: %s\n", text, err.text);
    return root;
}

/* The document written again. */
static const char *again(const char *text)
{
    static char out[1024];
    struct sbuf b = {0};
    json_write(parse(text), &b);
    snprintf(out, sizeof out, "%s", b.p);
    sbuf_fini(&b);
    return out;
}

TEST(documents)
{
    EXPECT_STR(again(" { \"a\" : [ 1 , -2.5e+3, true , false , null , \"x\\u0041\" , { } , [ ] ] } "),
               "{\"a\":[1,-2.5e+3,true,false,null,\"xA\",{},[]]}");
    EXPECT_STR(again("123456789012345678901234567890"), "123456789012345678901234567890");
    EXPECT_STR(again("\"\\ud834\\udd1e\""), "\"\xF0\x9D\x84\x9E\"");
    EXPECT_STR(again("[[[[]]],{\"\":{\"\":{}}}]"), "[[[[]]],{\"\":{\"\":{}}}]");
}

TEST(looking_up)
{
    const struct json_node *root = parse(
        "{\"links\":{\"next\":\"/p?2\",\"n\":null},\"items\":[{\"id\":1},{\"id\":-9223372036854775808,"
        "\"big\":18446744073709551615}],\"f\":1e2,\"t\":true,\"dup\":1,\"dup\":2}");
    struct str s = STR("untouched");
    int64_t i = 7;
    uint64_t u = 7;
    double f = 7;
    bool b = false;
    EXPECT(json_str(root, "links.next", &s) && str_is(s, "/p?2"));
    EXPECT(!json_str(root, "links.n", &s) && !json_str(root, "links.none.deeper", &s) && str_is(s, "/p?2"));
    EXPECT(json_i64(root, "items.1.id", &i) && i == INT64_MIN);
    EXPECT(!json_i64(root, "items.1.big", &i) && json_u64(root, "items.1.big", &u) && u == UINT64_MAX);
    EXPECT(!json_i64(root, "f", &i) && json_f64(root, "f", &f) && f == 100);
    EXPECT(json_bool(root, "t", &b) && b);
    EXPECT(json_i64(root, "dup", &i) && i == 2);
    EXPECT(json_get(root, "items.2") == NULL && json_get(root, "items.x") == NULL &&
           json_get(NULL, "a") == NULL);
    EXPECT(json_get(root, "") == root);
    EXPECT(json_text(root, "f", &s) && str_is(s, "1e2"));
    EXPECT(json_text(root, "t", &s) && str_is(s, "true"));
    EXPECT(!json_text(root, "links", &s) && !json_text(root, "links.n", &s));
    EXPECT_EQ_INT(json_get(root, "items")->count, 2);
    EXPECT(str_is(json_get(root, "items.0")->text, "{\"id\":1}"));
}

TEST(what_is_not_json)
{
    static const char *const texts[] = {
        "",           " ",         "{",       "[",         "}",
        "]",          ",",         ":",       "{\"a\"}",   "{\"a\":}",
        "[1,]",       "[,1]",      "{,}",     "[1 2]",     "[1}",
        "{\"a\":1]",  "01",        "1.",      ".5",        "-",
        "+1",         "1e",        "nul",     "truth",     "NaN",
        "'a'",        "\"a",       "\"\\x\"", "\"\\u12\"", "\"\x01\"",
        "\"\xFF\"",   "1 2",       "{}{}",    "[1]x",      "{a:1}",
        "{\"a\":1,}", "/**/1",     "[1:2]",   "{\"a\",1}", "\xEF\xBB\xBF{}",
        "[\x0C]",     "[1,\0322]", "{1:2}",   "{null:1}",  "[\"a\" \"b\"]",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        const struct json_node *root;
        struct err err = {0};
        if (!EXPECT(!json_parse(&arena, str_of(texts[i]), &root, &err)) ||
            !EXPECT_EQ_INT(err.class, ERR_DATA))
            fprintf(stderr, "    %s\n", texts[i]);
        EXPECT(root == NULL);
    }
}

TEST(errors_have_a_place)
{
    const struct json_node *root;
    struct err err = {0};
    EXPECT(!json_parse(&arena, STR("{\n  \"\xC3\xA9\": 1,\n  \"\xC3\xA9\" 2\n}"), &root, &err));
    EXPECT_EQ_INT(err.place.line, 3);
    EXPECT_EQ_INT(err.place.column, 7);
    EXPECT_STR(err.text, "this is not JSON: a colon is expected after the name (line 3, column 7)");
    EXPECT(!json_parse(&arena, STR("[1,\n2"), &root, &err));
    EXPECT_STR(err.text, "this is not JSON: the text ends too early (line 2, column 2)");
}

TEST(depth_is_bounded)
{
    char text[2 * JSON_TREE_DEPTH_MAX + 4];
    const struct json_node *root;
    struct err err = {0};
    memset(text, '[', sizeof text);
    memset(text + JSON_TREE_DEPTH_MAX, ']', JSON_TREE_DEPTH_MAX);
    EXPECT(json_parse(&arena, str_n(text, 2 * JSON_TREE_DEPTH_MAX), &root, &err));
    memset(text, '[', JSON_TREE_DEPTH_MAX + 1);
    memset(text + JSON_TREE_DEPTH_MAX + 1, ']', JSON_TREE_DEPTH_MAX + 1);
    EXPECT(!json_parse(&arena, str_n(text, 2 * JSON_TREE_DEPTH_MAX + 2), &root, &err));
    EXPECT(strstr(err.text, "nested too deeply") != NULL);
}

int main(void)
{
    RUN(documents);
    RUN(looking_up);
    RUN(what_is_not_json);
    RUN(errors_have_a_place);
    RUN(depth_is_bounded);
    arena_fini(&arena);
    return test_end();
}

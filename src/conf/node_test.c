#include "conf/node.h"

#include "base/test.h"

struct fixture {
    struct arena arena;
    struct conf_diags diags;
    struct sbuf out;
};

static const char *get_variable(void *arg, const char *name)
{
    static const struct {
        const char *name, *value;
    } all[] = {{"A", "alpha"},
               {"EMPTY", ""},
               {"LONG", "one two three"},
               {"YAML", "[1, 2]: {"},
               {"LATIN", "caf\xE9"}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (strcmp(name, all[i].name) == 0)
            return all[i].value;
    return NULL;
}

static struct conf_node *parse_n(struct fixture *f, const char *text, size_t n)
{
    static const struct conf_env env = {get_variable, NULL};
    f->diags.arena = &f->arena;
    struct conf_node *root = conf_parse(&f->arena, "x.yaml", str_n(text, n), &env, NULL, &f->diags);
    if (root)
        conf_node_check(root);
    sbuf_clear(&f->out);
    sbuf_cstr(&f->out, "");
    conf_diags_print(&f->out, &f->diags, false);
    return root;
}

static struct conf_node *parse(struct fixture *f, const char *text)
{
    return parse_n(f, text, strlen(text));
}

static const char *text_of(const struct conf_node *root, const char *key)
{
    const struct conf_item *item = conf_find(root, str_of(key));
    return item ? item->value->text.p : NULL;
}

static void fini(struct fixture *f)
{
    sbuf_fini(&f->out);
    arena_fini(&f->arena);
    *f = (struct fixture){0};
}

TEST(shapes_and_places)
{
    struct fixture f = {0};
    struct conf_node *root = parse(&f, "\xEF\xBB\xBF"
                                       "a: 1\nb: [x, 'y z']\nc:\n  d: \"\\u00e4\"\n  é: ~\n");
    if (!EXPECT(root != NULL))
        return;
    EXPECT_EQ_INT(root->count, 3);
    struct conf_node *b = conf_get(root, "b"), *c = conf_get(root, "c");
    EXPECT(b->kind == CONF_LIST && b->count == 2 && b->line == 2 && b->column == 4 && b->width == 10);
    EXPECT(b->items[1].value->style == CONF_SINGLE && b->items[1].value->column == 8 &&
           b->items[1].value->width == 5);
    EXPECT_STR(conf_get(c, "d")->text.p, "ä");
    EXPECT(conf_get(c, "é") == NULL && conf_find(c, STR("é"))->value->is_null);
    EXPECT(conf_find(c, STR("é"))->value->column == 6);
    EXPECT_EQ_INT(root->items[0].key->column, 1);
    EXPECT_EQ_INT(root->height, 2);
    EXPECT_EQ_INT(root->expanded, 13);
    fini(&f);
}

TEST(scalars_are_texts)
{
    struct fixture f = {0};
    struct conf_node *root = parse(
        &f, "a: no\nb: 1_0\nc: 0x1F\nd: 2023-09-03T10:00:00Z\ne: '~'\nf: !!str ~\ng: null\nh:\ni: \"\"\n");
    EXPECT_STR(text_of(root, "a"), "no");
    EXPECT_STR(text_of(root, "b"), "1_0");
    EXPECT_STR(text_of(root, "d"), "2023-09-03T10:00:00Z");
    EXPECT(conf_get(root, "e") != NULL && conf_get(root, "f") != NULL && conf_get(root, "i") != NULL);
    EXPECT(conf_get(root, "g") == NULL && conf_get(root, "h") == NULL);
    fini(&f);
    EXPECT(parse(&f, "")->is_null);
    EXPECT(parse(&f, "# only a comment\n")->is_null);
    EXPECT(parse(&f, "--- \n...\n")->is_null);
    fini(&f);
}

TEST(variables)
{
    struct fixture f = {0};
    struct conf_node *root = parse(
        &f, "a: ${A}\nb: x${A}y${NONE:-d}z\nc: ${EMPTY}\nd: ${EMPTY:-d}\ne: $${A} $A $\nf: ${YAML}\n"
            "${A}: key\ng: ${NONE:-${NONE:-deep}}\nh: \"${A}\\n\"\ni: ${NONE:-$${A}}\nj: ${NONE:-}\n");
    EXPECT_STR(f.out.p, "");
    EXPECT_STR(text_of(root, "a"), "alpha");
    EXPECT_STR(text_of(root, "b"), "xalphaydz");
    EXPECT_STR(text_of(root, "c"), "");
    EXPECT(conf_get(root, "c") != NULL); /* empty, not null */
    EXPECT_STR(text_of(root, "d"), "d");
    EXPECT_STR(text_of(root, "e"), "${A} $A $");
    EXPECT_STR(text_of(root, "f"), "[1, 2]: {");
    EXPECT_STR(text_of(root, "${A}"), "key");
    EXPECT_STR(text_of(root, "g"), "deep");
    EXPECT_STR(text_of(root, "h"), "alpha\n");
    EXPECT_STR(text_of(root, "i"), "${A}");
    EXPECT_STR(text_of(root, "j"), "");
    fini(&f);
    EXPECT(conf_find(parse(&f, "a: ${LATIN}\nb: ${NONE}\n"), STR("b"))->value->is_broken);
    EXPECT_STR(f.out.p, "x.yaml:1:4: error: the value of the variable \"LATIN\" is not valid UTF-8\n"
                        "    1 | a: ${LATIN}\n"
                        "      |    ^~~~~~~~\n"
                        "x.yaml:2:4: error: the variable \"NONE\" is not set\n"
                        "    2 | b: ${NONE}\n"
                        "      |    ^~~~~~~ Set it, or write ${NONE:-default}.\n");
    fini(&f);
}

TEST(variables_in_brackets)
{
    struct fixture f = {0};
    struct conf_node *root = parse(
        &f, "a: [${A}, x${A}y, {k: ${NONE:-${A}}, l: $${A}}, \"${A}\"] # ${X}\nb: {${A}: {x: ${EMPTY}}}\n"
            "c: '${A'\nd: |\n  ${A} {}\n");
    EXPECT_STR(f.out.p, "x.yaml:3:5: error: \"${\" without \"}\"\n"
                        "    3 | c: '${A'\n"
                        "      |     ^~ Write $${ for the characters \"${\".\n");
    if (!EXPECT(root != NULL))
        return;
    const struct conf_node *a = conf_get(root, "a");
    EXPECT_EQ_INT(a->count, 4);
    EXPECT_STR(a->items[0].value->text.p, "alpha");
    EXPECT_STR(a->items[1].value->text.p, "xalphay");
    EXPECT(a->items[1].value->column == 11 && a->items[1].value->width == 6);
    EXPECT_STR(text_of(a->items[2].value, "k"), "alpha");
    EXPECT_STR(text_of(a->items[2].value, "l"), "${A}");
    EXPECT_STR(a->items[3].value->text.p, "alpha");
    EXPECT_STR(text_of(conf_get(conf_get(root, "b"), "${A}"), "x"), "");
    EXPECT_STR(text_of(root, "d"), "alpha {}\n");
    fini(&f);
    EXPECT(parse(&f, "a: \xEF\xB7\x90\n") == NULL);
    fini(&f);
    EXPECT(parse(&f, "a: [${A]\n") == NULL);
    fini(&f);
}

/* Where each byte of a scalar's text is in the file: the character that is there must be the same, escapes aside. */
static void expect_place(const struct conf_node *node, const char *needle, int line, int column)
{
    size_t at = str_find(node->text, str_of(needle), 0);
    if (!EXPECT(at != SIZE_MAX))
        return;
    struct err_place place = conf_place_in(node, at, 1);
    if (!EXPECT(place.line == line && place.column == column))
        fprintf(stderr, "    \"%s\" is at %d:%d, expected %d:%d\n", needle, place.line, place.column, line,
                column);
}

TEST(places_inside_of_scalars)
{
    struct fixture f = {0};
    struct conf_node *root = parse(&f, "plain: SELECT a FROM b\n"               /* 1 */
                                       "folded plain: SELECT a\n"               /* 2 */
                                       "   FROM  b\n"                           /* 3 */
                                       "\n"                                     /* 4 */
                                       "   WHERE c\n"                           /* 5 */
                                       "single: 'it''s a ''q'' x'\n"            /* 6 */
                                       "double: \"a\\tb \\u00e4 \\\"c\\\" \\\n" /* 7 */
                                       "   d\"\n"                               /* 8 */
                                       "literal: |  # comment\n"                /* 9 */
                                       "   SELECT a,\n"                         /* 10 */
                                       "     b\n"                               /* 11 */
                                       "\n"                                     /* 12 */
                                       "   FROM ${A} JOIN ${LONG} ON x\n"       /* 13 */
                                       "indented: |2-\n"                        /* 14 */
                                       "     SELECT z\n"                        /* 15 */
                                       "fold: >\n"                              /* 16 */
                                       "  SELECT a\n"                           /* 17 */
                                       "  FROM t\n"                             /* 18 */
                                       "\n"                                     /* 19 */
                                       "    more\n"                             /* 20 */
                                       "  WHERE ä = é\n"                        /* 21 */
                                       "tagged: &x !!str 'q r'\n");             /* 22 */
    if (!EXPECT(root != NULL))
        return;
    expect_place(conf_get(root, "plain"), "SELECT", 1, 8);
    expect_place(conf_get(root, "plain"), "b", 1, 22);
    expect_place(conf_get(root, "folded plain"), "FROM", 3, 4);
    expect_place(conf_get(root, "folded plain"), "WHERE", 5, 4);
    expect_place(conf_get(root, "folded plain"), "c", 5, 10);
    expect_place(conf_get(root, "single"), "s a", 6, 14);
    expect_place(conf_get(root, "single"), "q'", 6, 20);
    expect_place(conf_get(root, "single"), " x", 6, 23);
    expect_place(conf_get(root, "double"), "b", 7, 13);
    expect_place(conf_get(root, "double"), "ä", 7, 15);
    expect_place(conf_get(root, "double"), "c", 7, 24);
    expect_place(conf_get(root, "double"), "d", 8, 4);
    const struct conf_node *literal = conf_get(root, "literal");
    expect_place(literal, "SELECT", 10, 4);
    expect_place(literal, " b", 11, 5);
    expect_place(literal, "b", 11, 6);
    expect_place(literal, "FROM", 13, 4);
    expect_place(literal, "alpha", 13, 9);
    expect_place(literal, "pha", 13, 9);
    expect_place(literal, "JOIN", 13, 14);
    expect_place(literal, "two", 13, 19);
    expect_place(literal, "ON x", 13, 27);
    EXPECT_EQ_INT(conf_place_in(literal, str_find(literal->text, STR("two"), 0), 3).width, 7);
    expect_place(conf_get(root, "indented"), "z", 15, 13);
    expect_place(conf_get(root, "fold"), "FROM", 18, 3);
    expect_place(conf_get(root, "fold"), "more", 20, 5);
    expect_place(conf_get(root, "fold"), "é", 21, 13);
    expect_place(conf_get(root, "tagged"), "r", 22, 21);
    EXPECT_EQ_INT(conf_get(root, "tagged")->column, 18);
    fini(&f);
}

TEST(errors_inside_of_scalars)
{
    struct fixture f = {0};
    struct conf_node *root = parse(&f, "streams:\n  s:\n    sql: |\n      SELECT *\n        FORM t\n");
    struct conf_node *sql = conf_get(conf_get(conf_get(root, "streams"), "s"), "sql");
    struct err err;
    err_set(&err, ERR_CONFIG, "unexpected \"FORM\"");
    err_at(&err, "", 2, 3, 4);
    conf_err_in(sql, &err);
    err_hint(&err, "did you mean \"FROM\"?");
    conf_diag_err(&f.diags, sql->file, &err);
    sbuf_clear(&f.out);
    conf_diags_print(&f.out, &f.diags, false);
    EXPECT_STR(f.out.p, "x.yaml:5:9: error: unexpected \"FORM\"\n"
                        "    5 |         FORM t\n"
                        "      |         ^~~~ did you mean \"FROM\"?\n");
    fini(&f);
}

TEST(limits)
{
    struct fixture f = {0};
    size_t n = 10 * 1024 * 1024;
    char *text = mem_new(n + 1);
    memset(text, 'a', n);
    EXPECT(parse_n(&f, text, n) == NULL);
    EXPECT(str_starts(
        sbuf_view(&f.out),
        STR("x.yaml:1:1048577: error: the file has 10 MiB, more than the 1 MiB that are allowed\n")));
    EXPECT(f.arena.bytes < 2 * 1024 * 1024); /* what is allowed, to point into it */
    fini(&f);
    /* as deep as allowed, and one deeper */
    for (int depth = CONF_DEPTH_MAX; depth <= CONF_DEPTH_MAX + 1; depth++) {
        memset(text, '[', (size_t)depth);
        memset(text + depth, ']', (size_t)depth);
        EXPECT((parse_n(&f, text, 2 * (size_t)depth) != NULL) == (depth == CONF_DEPTH_MAX));
        fini(&f);
    }
    /* as many as allowed (the list is one), and one more */
    n = 0;
    text[n++] = '[';
    for (int i = 0; i < CONF_NODES_MAX - 1; i++, n += 2)
        memcpy(text + n, "x,", 2);
    text[n] = ']';
    EXPECT(parse_n(&f, text, n + 1) != NULL);
    fini(&f);
    memcpy(text + n, "x]", 2);
    EXPECT(parse_n(&f, text, n + 2) == NULL);
    EXPECT(str_find(sbuf_view(&f.out), STR("more than 100000 values"), 0) != SIZE_MAX);
    fini(&f);
    mem_free(text);
}

TEST(deep_aliases_are_deep)
{
    struct fixture f = {0};
    struct sbuf text = {0};
    sbuf_cstr(&text, "a0: &a0 [x]\n");
    for (int i = 1; i < 70; i++)
        sbuf_printf(&text, "a%d: &a%d [*a%d]\n", i, i, i - 1);
    EXPECT(parse_n(&f, text.p, text.n) == NULL);
    EXPECT(str_find(sbuf_view(&f.out), STR("nested more than 64 deep"), 0) != SIZE_MAX);
    sbuf_fini(&text);
    fini(&f);
}

TEST(aliases_and_merges)
{
    struct fixture f = {0};
    struct conf_node *root = parse(&f, "base: &base { a: 1, b: 2 }\n"
                                       "more: &more { b: 3, c: 4 }\n"
                                       "one: *base\n"
                                       "two: { <<: *base, b: 9 }\n"
                                       "three: { <<: [*more, *base], d: 5 }\n"
                                       "four: { \"<<\": 1 }\n"
                                       "k: &k key\n"
                                       "*k : value\n");
    EXPECT_STR(f.out.p, "");
    EXPECT(conf_get(root, "one") == conf_get(root, "base"));
    EXPECT_STR(text_of(conf_get(root, "two"), "a"), "1");
    EXPECT_STR(text_of(conf_get(root, "two"), "b"), "9");
    EXPECT_STR(text_of(conf_get(root, "three"), "b"), "3");
    EXPECT_STR(text_of(conf_get(root, "three"), "a"), "1");
    EXPECT_EQ_INT(conf_get(root, "three")->count, 4);
    EXPECT_STR(text_of(conf_get(root, "four"), "<<"), "1");
    EXPECT_STR(text_of(root, "key"), "value");
    fini(&f);
}

TEST(many_keys_find_duplicates)
{
    struct fixture f = {0};
    struct sbuf text = {0};
    for (int i = 0; i < 1000; i++)
        sbuf_printf(&text, "k%d: %d\n", i, i);
    sbuf_cstr(&text, "k500: again\n");
    struct conf_node *root = parse_n(&f, text.p, text.n);
    EXPECT_EQ_INT(root->count, 1000);
    EXPECT_EQ_INT(f.diags.errors, 1);
    EXPECT_STR(text_of(root, "k500"), "500");
    sbuf_fini(&text);
    fini(&f);
}

TEST(overrides)
{
    struct fixture f = {0};
    struct conf_node *root = parse(&f,
                                   "topics:\n  a: &t { partitions: 1 }\n  b: *t\n  a.b: {}\nlist: [1, 2]\n");
    const char *const good[] = {"topics.a.partitions=3",
                                "topics.a.b.partitions=4",
                                "topics.\"x.y\".key=[id, name]",
                                "list.1=zwei",
                                "list.2={a: b}",
                                "settings.log.level=debug=1",
                                "name=",
                                "quality=~"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        EXPECT(conf_override(&f.arena, &root, str_of(good[i]), &f.diags));
    conf_node_check(root);
    struct conf_node *topics = conf_get(root, "topics");
    EXPECT_STR(text_of(conf_get(topics, "a"), "partitions"), "3");
    EXPECT_STR(text_of(conf_get(topics, "b"), "partitions"), "1");   /* the alias's node is not touched */
    EXPECT_STR(text_of(conf_get(topics, "a.b"), "partitions"), "4"); /* the longest key that is there */
    EXPECT_EQ_INT(conf_get(conf_get(topics, "x.y"), "key")->count, 2);
    EXPECT_STR(conf_get(root, "list")->items[1].value->text.p, "zwei");
    EXPECT_EQ_INT(conf_get(root, "list")->count, 3);
    EXPECT_STR(text_of(conf_get(conf_get(root, "settings"), "log"), "level"), "debug=1");
    EXPECT(conf_get(root, "name") != NULL && conf_get(root, "quality") == NULL);
    EXPECT_STR(conf_place(conf_get(conf_get(root, "settings"), "log")).file, "--set settings.log.level");
    const char *const bad[] = {"",       "=1",   "a",     "list.5=1", "list.x=1", "name.x=1",
                               "a..b=1", ".a=1", "\"a=1", "\"a\"b=1", "x=[",      "x=\xFF"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (!EXPECT(!conf_override(&f.arena, &root, str_of(bad[i]), &f.diags)))
            fprintf(stderr, "    %s\n", bad[i]);
    EXPECT_EQ_INT(f.diags.errors, sizeof bad / sizeof *bad);
    conf_node_check(root);
    fini(&f);
}

int main(void)
{
    RUN(shapes_and_places);
    RUN(scalars_are_texts);
    RUN(variables);
    RUN(variables_in_brackets);
    RUN(places_inside_of_scalars);
    RUN(errors_inside_of_scalars);
    RUN(limits);
    RUN(deep_aliases_are_deep);
    RUN(aliases_and_merges);
    RUN(many_keys_find_duplicates);
    RUN(overrides);
    return test_end();
}

#include "conf/diag.h"

#include "base/test.h"

struct fixture {
    struct arena arena;
    struct conf_diags diags;
    struct sbuf out;
};

static const struct conf_file *file_of(struct fixture *f, const char *text)
{
    f->diags.arena = &f->arena;
    return conf_file_new(&f->arena, "x.sql", str_of(text));
}

static const char *shown(struct fixture *f, const struct conf_file *file, size_t offset, int width,
                         const char *hint)
{
    struct err err;
    err_set(&err, ERR_CONFIG, "wrong");
    err.place = conf_file_place(file, offset, width);
    err_hint(&err, "%s", hint);
    sbuf_clear(&f->out);
    conf_err_print(&f->out, &err, file, false);
    return f->out.p;
}

static void fini(struct fixture *f)
{
    sbuf_fini(&f->out);
    arena_fini(&f->arena);
    *f = (struct fixture){0};
}

TEST(places)
{
    struct fixture f = {0};
    const struct conf_file *file = file_of(&f, "ab\r\nçd\n\nlast");
    struct err_place place = conf_file_place(file, 6, 1);
    EXPECT(place.line == 2 && place.column == 2);
    EXPECT_STR(place.file, "x.sql");
    EXPECT_EQ_INT(conf_file_offset(file, 2, 2), 6);
    EXPECT_EQ_INT(conf_file_offset(file, 1, 99), 2);
    EXPECT_EQ_INT(conf_file_offset(file, 99, 1), 13);
    EXPECT_EQ_INT(conf_file_offset(file, 4, 5), 13);
    for (size_t i = 0; i <= file->text.n; i++) { /* there and back */
        place = conf_file_place(file, i, 1);
        size_t back = conf_file_offset(file, place.line, place.column);
        EXPECT(back == i || file->text.p[i] == '\n' || file->text.p[i] == '\r' ||
               ((unsigned char)file->text.p[i] & 0xC0) == 0x80);
    }
    EXPECT_EQ_INT(conf_file_place(file, 1000, 1).line, 4);
    fini(&f);
}

TEST(the_caret_stands_under_the_place)
{
    struct fixture f = {0};
    const struct conf_file *file = file_of(&f, "SELECT a,\n\tFROM 数据\t x e\xCC\x81 y\nend");
    EXPECT_STR(shown(&f, file, 7, 1, ""), "x.sql:1:8: error: wrong\n"
                                          "    1 | SELECT a,\n"
                                          "      |        ^\n");
    EXPECT_STR(shown(&f, file, 11, 4, "why"), "x.sql:2:2: error: wrong\n"
                                              "    2 |     FROM 数据    x e\xCC\x81 y\n"
                                              "      |     ^~~~ why\n");
    EXPECT_STR(shown(&f, file, 16, 2, ""), "x.sql:2:7: error: wrong\n"
                                           "    2 |     FROM 数据    x e\xCC\x81 y\n"
                                           "      |          ^~~~\n");
    size_t y = str_find(file->text, STR("y"), 0);
    EXPECT_STR(shown(&f, file, y, 1, ""), "x.sql:2:16: error: wrong\n"
                                          "    2 |     FROM 数据    x e\xCC\x81 y\n"
                                          "      |                      ^\n");
    EXPECT_STR(shown(&f, file, file->text.n, 5, ""), "x.sql:3:4: error: wrong\n"
                                                     "    3 | end\n"
                                                     "      |    ^\n");
    fini(&f);
}

TEST(what_a_terminal_could_obey_is_replaced)
{
    struct fixture f = {0};
    const struct conf_file *file = file_of(&f, "a \x1B[31m \xE2\x80\xAE b \xFF c");
    EXPECT_STR(shown(&f, file, 0, 1, "\x1B]0;"), "x.sql:1:1: error: wrong\n"
                                                 "    1 | a \xEF\xBF\xBD[31m \xEF\xBF\xBD b \xEF\xBF\xBD c\n"
                                                 "      | ^ \xEF\xBF\xBD]0;\n");
    fini(&f);
}

TEST(long_lines_are_cut_around_the_place)
{
    struct fixture f = {0};
    char text[5001];
    for (int i = 0; i < 5000; i++)
        text[i] = (char)('a' + i % 26);
    text[5000] = '\0';
    const struct conf_file *file = file_of(&f, text);
    for (size_t at = 0; at < 5000; at += 37) {
        const char *out = shown(&f, file, at, 3, "");
        const char *first = strchr(out, '\n') + 1, *second = strchr(first, '\n') + 1;
        /* the character over the caret is the one that was meant; each ellipsis before it is two bytes more than a column */
        size_t caret = strcspn(second, "^"), begin = strstr(first, "| \xE2\x80\xA6") ? 2 : 0;
        if (!EXPECT(first[caret + begin] == text[at]) || !EXPECT(second - first < 130))
            fprintf(stderr, "%s", out);
    }
    fini(&f);
}

TEST(hidden_spans_are_masked)
{
    struct fixture f = {0};
    const struct conf_file *file = file_of(&f, "password: geheim, x: 1");
    conf_file_hide(&f.arena, file, 10, 16);
    EXPECT_STR(shown(&f, file, 18, 1, ""), "x.sql:1:19: error: wrong\n"
                                           "    1 | password: ***, x: 1\n"
                                           "      |                ^\n");
    EXPECT_STR(shown(&f, file, 12, 2, ""), "x.sql:1:13: error: wrong\n"
                                           "    1 | password: ***, x: 1\n"
                                           "      |              ^\n");
    fini(&f);
}

TEST(many_are_counted_and_sorted)
{
    struct fixture f = {0};
    struct sbuf text = {0};
    for (int i = 0; i < 100; i++)
        sbuf_cstr(&text, "line\n");
    const struct conf_file *file = file_of(&f, text.p);
    for (int i = 59; i >= 0; i--) {
        err_hint(
            &conf_diag(&f.diags, CONF_ERROR, file, conf_file_place(file, (size_t)i * 5, 1), "error %d", i)
                 ->err,
            "Hint.");
        conf_diag(&f.diags, CONF_NOTE, file, conf_file_place(file, 0, 1), "note %d", i);
    }
    conf_diag(&f.diags, CONF_WARNING, NULL, (struct err_place){0}, "warning");
    EXPECT_EQ_INT(f.diags.errors, 60);
    EXPECT_EQ_INT(f.diags.warnings, 1);
    EXPECT_EQ_INT(f.diags.count, 50);
    conf_diags_print(&f.out, &f.diags, false);
    EXPECT(str_starts(sbuf_view(&f.out), STR("x.sql:36:1: error: error 35\n")));
    EXPECT(str_find(sbuf_view(&f.out), STR("note 59"), 0) != SIZE_MAX);
    EXPECT(str_find(sbuf_view(&f.out), STR("error 34"), 0) == SIZE_MAX);
    EXPECT(str_ends(sbuf_view(&f.out), STR("\xE2\x80\xA6 and 35 more errors\n")));
    sbuf_fini(&text);
    fini(&f);
}

TEST(the_same_is_said_once)
{
    struct fixture f = {0};
    const struct conf_file *file = file_of(&f, "a\n");
    for (int i = 0; i < 3; i++)
        conf_diag(&f.diags, CONF_ERROR, file, conf_file_place(file, 0, 1), "same");
    conf_diag(&f.diags, CONF_ERROR, file, conf_file_place(file, 1, 1), "same");
    EXPECT_EQ_INT(f.diags.count, 2);
    EXPECT_EQ_INT(f.diags.errors, 2);
    fini(&f);
}

TEST(colours)
{
    struct fixture f = {0};
    const struct conf_file *file = file_of(&f, "abc\n");
    struct conf_diag *diag = conf_diag(&f.diags, CONF_WARNING, file, conf_file_place(file, 1, 2), "odd");
    err_hint(&diag->err, "Do this.");
    conf_diags_print(&f.out, &f.diags, true);
    EXPECT_STR(f.out.p, "\x1B[1mx.sql:1:2: \x1B[1;35mwarning:\x1B[0m odd\n"
                        "\x1B[2m    1 |\x1B[0m abc\n"
                        "\x1B[2m      |\x1B[0m  \x1B[1;35m^~\x1B[0m \x1B[32mDo this.\x1B[0m\n");
    fini(&f);
}

TEST(without_a_text)
{
    struct fixture f = {0};
    struct err err;
    err_set(&err, ERR_CONFIG, "no project");
    err_hint(&err, "Try sluice init.");
    conf_err_print(&f.out, &err, NULL, false);
    EXPECT_STR(f.out.p, "error: no project\n       Try sluice init.\n");
    fini(&f);
}

int main(void)
{
    RUN(places);
    RUN(the_caret_stands_under_the_place);
    RUN(what_a_terminal_could_obey_is_replaced);
    RUN(long_lines_are_cut_around_the_place);
    RUN(hidden_spans_are_masked);
    RUN(many_are_counted_and_sorted);
    RUN(the_same_is_said_once);
    RUN(colours);
    RUN(without_a_text);
    return test_end();
}

#include "conf/option.h"

#include "base/test.h"

struct auth {
    const char *user, *password;
};

struct http {
    const char *url, *method, *name;
    int64_t every_ms, retention_ms;
    uint64_t limit, retries;
    double rate, factor;
    bool watch;
    int format;
    struct auth *auth;
    struct auth proxy;
    struct conf_list rows;
    struct conf_map headers, parts;
    struct conf_sql sql;
    struct conf_address listen;
    const struct conf_node *raw;
    struct conf_list steps;
};

static const struct option auth_options[] = {
    {"user", OPTION_TEXT, OPTION_AT(struct auth, user), .flags = OPTION_REQUIRED, .help = "Who."},
    {"password", OPTION_TEXT, OPTION_AT(struct auth, password), .flags = OPTION_SECRET,
     .help = "The secret."},
    {0},
};

static const struct option proxy_options[] = {
    {"user", OPTION_TEXT, OPTION_AT(struct auth, user), .default_text = "nobody", .help = "Who."},
    {"password", OPTION_TEXT, OPTION_AT(struct auth, password), .flags = OPTION_SECRET,
     .help = "The secret."},
    {0},
};

static const struct option_choice formats[] = {{"json", 1, "JSON"}, {"csv", 7, "CSV"}, {0}};
static const struct option_choice forever[] = {{"forever", -1, "never"}, {0}};
static const struct option text_element = {.type = OPTION_TEXT, .help = "One."};
static const struct option count_element = {.name = "part", .type = OPTION_U64, .max = 9, .help = "One."};
static const struct option step_element = {.name = "step",
                                           .type = OPTION_ONE_OF,
                                           .table = proxy_options,
                                           .size = sizeof(struct auth),
                                           .short_key = "user",
                                           .help = "One."};

static const struct option http_options[] = {
    {"url", OPTION_URL, OPTION_AT(struct http, url), .flags = OPTION_REQUIRED, .help = "Where."},
    {"method", OPTION_TEXT, OPTION_AT(struct http, method), .default_text = "GET", .help = "How."},
    {"name", OPTION_NAME, OPTION_AT(struct http, name), .help = "Name."},
    {"every", OPTION_DURATION, OPTION_AT(struct http, every_ms), .default_text = "1s", .min = 10,
     .max = 3600000, .help = "When."},
    {"retention", OPTION_DURATION, OPTION_AT(struct http, retention_ms), .default_text = "forever", .min = 1,
     .max = 0, .choices = forever, .help = "How long."},
    {"limit", OPTION_SIZE, OPTION_AT(struct http, limit), .default_text = "32MiB", .help = "How much."},
    {"retries", OPTION_U64, OPTION_AT(struct http, retries), .default_text = "3", .max = 100,
     .help = "How often."},
    {"rate", OPTION_RATE, OPTION_AT(struct http, rate), .help = "How fast."},
    {"factor", OPTION_F64, OPTION_AT(struct http, factor), .min = -1, .max = 1, .help = "How."},
    {"watch", OPTION_BOOL, OPTION_AT(struct http, watch), .default_text = "true", .help = "Whether."},
    {"format", OPTION_ENUM, OPTION_AT(struct http, format), .default_text = "json", .choices = formats,
     .help = "What."},
    {"auth", OPTION_STRUCT, OPTION_AT(struct http, auth), .flags = OPTION_OPTIONAL, .table = auth_options,
     .size = sizeof(struct auth), .help = "Who."},
    {"proxy", OPTION_STRUCT, OPTION_AT(struct http, proxy), .table = proxy_options,
     .size = sizeof(struct auth), .help = "Via."},
    {"rows", OPTION_LIST, OPTION_AT(struct http, rows), .of = &text_element, .help = "Which."},
    {"headers", OPTION_MAP, OPTION_AT(struct http, headers), .of = &text_element, .flags = OPTION_SECRET,
     .help = "More."},
    {"parts", OPTION_MAP, OPTION_AT(struct http, parts), .of = &count_element, .keys = OPTION_NAME,
     .help = "More."},
    {"sql", OPTION_SQL, OPTION_AT(struct http, sql), .help = "What."},
    {"listen", OPTION_ADDRESS, OPTION_AT(struct http, listen), .default_text = "127.0.0.1:80",
     .help = "Where."},
    {"raw", OPTION_NODE, OPTION_AT(struct http, raw), .help = "Anything."},
    {"steps", OPTION_LIST, OPTION_AT(struct http, steps), .of = &step_element, .help = "Steps."},
    {"period", OPTION_DURATION, OPTION_AT(struct http, every_ms), .flags = OPTION_DEPRECATED,
     .default_text = "1s", .instead = "every", .help = "Old."},
    {0},
};

struct fixture {
    struct arena arena;
    struct conf_diags diags;
    struct http http;
    struct sbuf out;
};

static bool read_http(struct fixture *f, const char *text)
{
    f->diags.arena = &f->arena;
    struct conf_node *root = conf_parse(&f->arena, "x.yaml", str_of(text), NULL, NULL, &f->diags);
    bool ok = root != NULL;
    if (root) {
        conf_node_check(root);
        ok = conf_read(&f->arena, root, http_options, &f->http, "source \"a\"", &f->diags);
    }
    conf_diags_print(&f->out, &f->diags, false);
    if (f->out.p == NULL)
        sbuf_cstr(&f->out, "");
    return ok;
}

static void fini(struct fixture *f)
{
    sbuf_fini(&f->out);
    arena_fini(&f->arena);
}

TEST(defaults)
{
    struct fixture f = {0};
    EXPECT(read_http(&f, "url: http://a/b"));
    EXPECT_STR(f.out.p, "");
    EXPECT_STR(f.http.url, "http://a/b");
    EXPECT_STR(f.http.method, "GET");
    EXPECT(f.http.name == NULL && f.http.auth == NULL && f.http.raw == NULL && f.http.sql.node == NULL);
    EXPECT_EQ_INT(f.http.every_ms, 1000);
    EXPECT_EQ_INT(f.http.retention_ms, -1);
    EXPECT_EQ_INT(f.http.limit, 32 << 20);
    EXPECT_EQ_INT(f.http.retries, 3);
    EXPECT(f.http.watch);
    EXPECT_EQ_INT(f.http.format, 1);
    EXPECT_STR(f.http.proxy.user, "nobody");
    EXPECT_EQ_INT(f.http.rows.count, 0);
    EXPECT_EQ_INT(f.http.listen.port, 80);
    fini(&f);
}

TEST(all_types)
{
    struct fixture f = {0};
    EXPECT(read_http(&f, "url: 'http://u:geheim@h:81/p?q=1'\n"
                         "method: no\n"
                         "name: a_1\n"
                         "every: 1m 30s\n"
                         "retention: 1w2d\n"
                         "limit: 1.5k\n"
                         "retries: 0x10\n"
                         "rate: 90/m\n"
                         "factor: -0.25e0\n"
                         "watch: false\n"
                         "format: csv\n"
                         "auth: {user: a, password: pppp}\n"
                         "proxy: {user: b}\n"
                         "rows: [a, \"2\", 3]\n"
                         "headers: {A: bearer 12, B: '2'}\n"
                         "parts: {x: 1, y: 2}\n"
                         "sql: |\n"
                         "  SELECT 1\n"
                         "listen: \"[::1]:0\"\n"
                         "raw: [1, {a: b}]\n"
                         "steps: [ann, {user: bob, password: geheim}]\n"));
    EXPECT_STR(f.out.p, "");
    EXPECT_STR(f.http.method, "no");
    EXPECT_EQ_INT(f.http.every_ms, 90000);
    EXPECT_EQ_INT(f.http.retention_ms, 9 * INT64_C(86400000));
    EXPECT_EQ_INT(f.http.limit, 1536);
    EXPECT_EQ_INT(f.http.retries, 16);
    EXPECT_EQ_DOUBLE(f.http.rate, 1.5);
    EXPECT_EQ_DOUBLE(f.http.factor, -0.25);
    EXPECT(!f.http.watch);
    EXPECT_EQ_INT(f.http.format, 7);
    EXPECT(f.http.auth && strcmp(f.http.auth->password, "pppp") == 0);
    EXPECT_STR(f.http.proxy.user, "b");
    EXPECT_EQ_INT(f.http.rows.count, 3);
    EXPECT_STR(((const char **)f.http.rows.items)[2], "3");
    EXPECT_STR(((const char **)f.http.headers.items)[0], "bearer 12");
    EXPECT_STR(f.http.headers.keys[1], "B");
    EXPECT_EQ_INT(((uint64_t *)f.http.parts.items)[1], 2);
    EXPECT(str_is(f.http.sql.text, "SELECT 1\n") && f.http.sql.path == NULL);
    EXPECT_STR(f.http.listen.host, "::1");
    EXPECT(f.http.raw && f.http.raw->count == 2);
    EXPECT_STR(((struct auth *)f.http.steps.items)[0].user, "ann");
    EXPECT_STR(((struct auth *)f.http.steps.items)[1].password, "geheim");
    fini(&f);
}

TEST(what_is_wrong_keeps_its_default)
{
    struct fixture f = {0};
    EXPECT(!read_http(
        &f,
        "url: http://h/\nevery: soon\nretries: 1000\nformat: xml\nwatch: maybe\nproxy: 3\nlisten: x\nrows: {a: 1}\n"));
    EXPECT_EQ_INT(f.diags.errors, 7);
    EXPECT_EQ_INT(f.http.every_ms, 1000);
    EXPECT_EQ_INT(f.http.retries, 3);
    EXPECT_EQ_INT(f.http.format, 1);
    EXPECT(f.http.watch);
    EXPECT_STR(f.http.proxy.user, "nobody");
    EXPECT_EQ_INT(f.http.listen.port, 80);
    fini(&f);
}

TEST(a_null_is_as_if_it_were_not_there)
{
    struct fixture f = {0};
    EXPECT(
        read_http(&f, "url: http://h/\nevery:\nauth: ~\nproxy: null\nrows:\nheaders:\nmethod: ~\nsteps:\n"));
    EXPECT_STR(f.out.p, "");
    EXPECT_EQ_INT(f.http.every_ms, 1000);
    EXPECT(f.http.auth == NULL && f.http.rows.count == 0 && f.http.headers.count == 0 &&
           f.http.steps.count == 0);
    EXPECT_STR(f.http.proxy.user, "nobody");
    EXPECT_STR(f.http.method, "GET");
    fini(&f);
}

TEST(one_stands_for_a_list_of_one)
{
    struct fixture f = {0};
    EXPECT(read_http(&f, "url: http://h/\nrows: x\nsteps: {user: u}\n"));
    EXPECT_EQ_INT(f.http.rows.count, 1);
    EXPECT_STR(((const char **)f.http.rows.items)[0], "x");
    EXPECT_STR(((struct auth *)f.http.steps.items)[0].user, "u");
    fini(&f);
}

TEST(a_deprecated_key_still_works)
{
    struct fixture f = {0};
    EXPECT(read_http(&f, "url: http://h/\nperiod: 5s\n"));
    EXPECT_EQ_INT(f.http.every_ms, 5000);
    EXPECT_EQ_INT(f.diags.warnings, 1);
    EXPECT_STR(f.out.p, "x.yaml:2:1: warning: \"period\" is deprecated\n"
                        "    2 | period: 5s\n"
                        "      | ^~~~~~ Use \"every\" instead.\n");
    fini(&f);
}

TEST(nothing_to_read_is_all_defaults)
{
    struct fixture f = {0};
    f.diags.arena = &f.arena;
    EXPECT(!conf_read(&f.arena, NULL, http_options, &f.http, "source \"a\"", &f.diags));
    EXPECT_EQ_INT(f.diags.errors, 1); /* url */
    EXPECT_EQ_INT(f.http.retries, 3);
    fini(&f);
}

TEST(the_table_is_sound)
{
    option_check(http_options, sizeof(struct http));
}

/* Last: it fills the process's list of secrets. */
TEST(too_many_secrets_are_an_error)
{
    struct fixture f = {0};
    struct sbuf text = {0};
    sbuf_cstr(&text, "url: http://h/\nheaders:\n");
    for (int i = 0; i < ERR_SECRETS_MAX + 1; i++)
        sbuf_printf(&text, "  h%d: secret-%d\n", i, i);
    EXPECT(!read_http(&f, text.p));
    EXPECT(strstr(f.out.p, "there are more than 64 secrets") && strstr(f.out.p, ": ***\n") &&
           !strstr(f.out.p, "secret-"));
    sbuf_fini(&text);
    fini(&f);
}

int main(void)
{
    RUN(defaults);
    RUN(all_types);
    RUN(what_is_wrong_keeps_its_default);
    RUN(a_null_is_as_if_it_were_not_there);
    RUN(one_stands_for_a_list_of_one);
    RUN(a_deprecated_key_still_works);
    RUN(nothing_to_read_is_all_defaults);
    RUN(the_table_is_sound);
    RUN(too_many_secrets_are_an_error);
    return test_end();
}

#include "conf/project.h"

#include "base/test.h"

struct http {
    const char *url, *rows;
    int64_t every_ms;
    struct conf_map query;
};

static const struct option text_element = {.type = OPTION_TEXT, .help = "One."};
static const struct option http_options[] = {
    {"url", OPTION_URL, OPTION_AT(struct http, url), .flags = OPTION_REQUIRED, .help = "Where.",
     .example = "https://example.com/"},
    {"query", OPTION_MAP, OPTION_AT(struct http, query), .of = &text_element, .help = "Parameters."},
    {"rows", OPTION_TEXT, OPTION_AT(struct http, rows), .help = "Where the rows are."},
    {"every", OPTION_DURATION, OPTION_AT(struct http, every_ms), .default_text = "1s", .min = 100, .max = 0,
     .help = "When."},
    {0},
};

struct file {
    const char *path;
    bool watch;
};
static const struct option file_options[] = {
    {"path", OPTION_PATH, OPTION_AT(struct file, path), .flags = OPTION_REQUIRED, .help = "Which files."},
    {"watch", OPTION_BOOL, OPTION_AT(struct file, watch), .default_text = "false",
     .help = "Whether to wait for more."},
    {0},
};

struct lake_sink {
    uint64_t target;
};
static const struct option lake_sink_options[] = {
    {"target_file_size", OPTION_SIZE, OPTION_AT(struct lake_sink, target), .default_text = "128MiB",
     .help = "How large files get."},
    {0},
};
struct pg {
    const char *password;
    uint64_t pool;
};
static const struct option pg_options[] = {
    {"password", OPTION_TEXT, OPTION_AT(struct pg, password), .flags = OPTION_SECRET,
     .help = "The password."},
    {"pool", OPTION_U64, OPTION_AT(struct pg, pool), .default_text = "4", .min = 1, .max = 64,
     .help = "Connections."},
    {0},
};
static const char *const sqlite_schemes[] = {"sqlite", NULL}, *const delta_schemes[] = {"file", "s3", NULL},
                         *const pg_schemes[] = {"postgresql", "postgres", NULL};

static const struct conf_kind_table sources[] = {
    {.name = "http",
     .help = "Rows from an HTTP API.",
     .options = http_options,
     .options_size = sizeof(struct http)},
    {.name = "file",
     .help = "Rows from files.",
     .options = file_options,
     .options_size = sizeof(struct file)},
};
static const struct conf_kind_table connections[] = {
    {.name = "sqlite", .schemes = sqlite_schemes},
    {.name = "delta",
     .schemes = delta_schemes,
     .sink_options = lake_sink_options,
     .sink_options_size = sizeof(struct lake_sink)},
    {.name = "postgresql", .schemes = pg_schemes, .options = pg_options, .options_size = sizeof(struct pg)},
};
static const struct conf_kinds kinds = {sources, 2, connections, 3};

/* Variables: NAME=value, ends with NULL. */
static const char *get_variable(void *arg, const char *name)
{
    size_t n = strlen(name);
    for (const char *const *v = arg; v && *v; v++)
        if (strncmp(*v, name, n) == 0 && (*v)[n] == '=')
            return *v + n + 1;
    return NULL;
}

struct fixture {
    struct arena arena;
    struct conf_diags diags;
    struct conf_project project;
    struct sbuf out;
};

static bool load(struct fixture *f, const char *text, const char *const *variables,
                 const char *const *overrides)
{
    struct conf_project_text in = {
        .folder = "/home/me/My Users", .file_name = "sluice.yaml", .text = str_of(text)};
    in.env.get = get_variable;
    in.env.arg = (void *)(uintptr_t)variables;
    in.overrides = overrides;
    while (overrides && overrides[in.override_count])
        in.override_count++;
    f->diags.arena = &f->arena;
    bool ok = conf_project_load(&f->arena, &in, &kinds, &f->project, &f->diags);
    if (f->project.root)
        conf_node_check(f->project.root);
    sbuf_cstr(&f->out, "");
    conf_diags_print(&f->out, &f->diags, false);
    return ok;
}

static void fini(struct fixture *f)
{
    sbuf_fini(&f->out);
    arena_fini(&f->arena);
}

static const char users[] = "connections:\n"
                            "  serving: ${SERVING_URL:-sqlite:serving.db}\n"
                            "  lake:    ${LAKE_URL:-file:lake}\n"
                            "sources:\n"
                            "  randomuser:\n"
                            "    kind: http\n"
                            "    url: ${RANDOMUSER_URL:-builtin:randomuser}\n"
                            "    query: { results: 50 }\n"
                            "    rows: results\n"
                            "    every: 1s\n"
                            "    to: randomuser\n"
                            "topics:\n"
                            "  randomuser:    { schema: randomuser.ddl }\n"
                            "  users_created: { key: id, format: json, partitions: 3, retention: 7d }\n"
                            "streams:\n"
                            "  created_users:\n"
                            "    sql: created_users.sql\n"
                            "    to:\n"
                            "      - topic: users_created\n"
                            "      - { table: serving.created_users, key: [id], mode: upsert }\n"
                            "      - { table: lake.created_users }\n";

TEST(the_example_of_the_contract)
{
    struct fixture f = {0};
    EXPECT(load(&f, users, NULL, NULL));
    EXPECT_STR(f.out.p, "");
    const struct conf_project *p = &f.project;
    EXPECT_STR(p->name, "my_users");
    EXPECT_EQ_INT(p->connection_count, 2);
    EXPECT_STR(p->connections[0].url, "sqlite:serving.db");
    EXPECT_STR(p->connections[1].kind->name, "delta");
    EXPECT_EQ_INT(p->source_count, 1);
    const struct http *http = p->sources[0].options;
    EXPECT_STR(http->url, "builtin:randomuser");
    EXPECT_STR(http->query.keys[0], "results");
    EXPECT_EQ_INT(p->topic_count, 2);
    EXPECT_STR(p->topics[0].schema.path, "randomuser.ddl");
    EXPECT_EQ_INT(p->topics[1].partitions, 3);
    EXPECT_STR(p->topics[1].keys[0], "id");
    EXPECT_EQ_INT(p->topics[1].retention_ms, 7 * INT64_C(86400000));
    EXPECT_EQ_INT(p->topics[1].retention_bytes, CONF_FOREVER);
    EXPECT_EQ_INT(p->stream_count, 1);
    const struct conf_stream *s = &p->streams[0];
    EXPECT_STR(s->sql.path, "created_users.sql");
    EXPECT_EQ_INT(s->to_count, 3);
    EXPECT_EQ_INT(s->to[0].index, 1);
    EXPECT_STR(s->to[1].connection, "serving");
    EXPECT_STR(s->to[1].table, "created_users");
    EXPECT_EQ_INT(s->to[1].mode, CONF_MODE_UPSERT);
    EXPECT_EQ_INT(s->to[1].cadence_ms, -1);
    EXPECT_EQ_INT(((const struct lake_sink *)s->to[2].options)->target, 128 << 20);
    EXPECT(s->enabled && s->bad.mode == CONF_REJECTS_KEEP);
    EXPECT_EQ_INT(s->bad.retention_ms, 30 * INT64_C(86400000));
    EXPECT_STR(p->settings.data, ".sluice");
    EXPECT_EQ_INT(p->settings.listen.kafka.port, 9092);
    fini(&f);
}

int main(void)
{
    RUN(the_example_of_the_contract);
    return test_end();
}

#include "conf/project.h"

#include <jansson.h>

#include "base/test.h"
#include "conf/project_private.h"

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
    EXPECT(p->settings.broker.auto_create);
    EXPECT_EQ_INT(p->settings.broker.partitions, 1);
    fini(&f);
}

TEST(short_forms_and_implied_topics)
{
    struct fixture f = {0};
    EXPECT(load(
        &f,
        "connections:\n  db: {url: 'postgresql://me@h/db', pool: 8, password: '${PW}'}\n"
        "sources:\n  events: {kind: file, path: 'in/*.json'}\n"
        "topics:\n  db.raw: {}\n"
        "streams:\n"
        "  a: {sql: SELECT 1, to: db.public.a}\n"
        "  b: {sql: SELECT 1, to: [b, db.raw, console]}\n"
        "  c: {sql: SELECT 1}\n"
        "  d: {sql: SELECT 1, to: {topic: e, key: id}, bad: fail, late: {mode: drop, retention: forever}}\n",
        (const char *const[]){"PW=geheim-geheim", NULL}, NULL));
    EXPECT_STR(f.out.p, "");
    const struct conf_project *p = &f.project;
    EXPECT_EQ_INT(((const struct pg *)p->connections[0].options)->pool, 8);
    EXPECT_STR(((const struct pg *)p->connections[0].options)->password, "geheim-geheim");
    EXPECT_STR(p->sources[0].to, "events");
    EXPECT_EQ_INT(p->topic_count, 4);
    EXPECT(!p->topics[0].implied && p->topics[1].implied);
    EXPECT_STR(p->topics[p->sources[0].topic].name, "events");
    EXPECT_EQ_INT(p->topics[1].partitions, 1);
    EXPECT_STR(p->streams[0].to[0].table, "public.a");
    EXPECT_STR(p->streams[1].to[0].topic, "b");
    EXPECT_STR(p->streams[1].to[1].topic, "db.raw");
    EXPECT(p->streams[1].to[2].console && p->streams[1].to[2].topic == NULL);
    EXPECT_EQ_INT(p->streams[2].to_count, 0);
    EXPECT_STR(p->streams[3].to[0].key[0], "id");
    EXPECT_EQ_INT(p->streams[3].bad.mode, CONF_REJECTS_FAIL);
    EXPECT_EQ_INT(p->streams[3].late.mode, CONF_REJECTS_DROP);
    EXPECT_EQ_INT(p->streams[3].late.retention_ms, CONF_FOREVER);
    EXPECT(conf_project_stream(p, STR("d")) == &p->streams[3] && conf_project_stream(p, STR("x")) == NULL);
    EXPECT(conf_project_topic(p, STR("e")) && conf_project_source(p, STR("events")) &&
           conf_project_connection(p, STR("db")));
    fini(&f);
}

TEST(settings_from_file_environment_and_flags)
{
    struct fixture f = {0};
    const char *const variables[] = {"SLUICE_SETTINGS_DATA=/var/lib/x", "SLUICE_SETTINGS_LISTEN_KAFKA=:19092",
                                     "SLUICE_SETTINGS_LOG_LEVEL=debug", "SLUICE_SETTINGS_WORKERS=3",
                                     "SLUICE_SETTINGS_TIMEZONE=",       NULL};
    const char *const overrides[] = {"settings.log.level=warn", "settings.listen.http=off", "name=other",
                                     NULL};
    EXPECT(
        load(&f,
             "name: x\nsettings: { data: d, workers: 2, memory: 1GiB, log: { level: info, format: json },\n"
             "            broker: { auto_create: false, partitions: 4 } }\n",
             variables, overrides));
    const struct conf_settings *s = &f.project.settings;
    EXPECT_STR(f.project.name, "other");
    EXPECT_STR(s->data, "/var/lib/x");
    EXPECT_EQ_INT(s->workers, 3);
    EXPECT_EQ_INT(s->memory, 1 << 30);
    EXPECT_EQ_INT(s->log.level, CONF_LOG_WARN);
    EXPECT_EQ_INT(s->log.format, CONF_LOG_JSON);
    EXPECT_STR(s->listen.kafka.host, "");
    EXPECT_EQ_INT(s->listen.kafka.port, 19092);
    EXPECT(s->listen.http.off);
    EXPECT_EQ_INT(s->listen.registry.port, 8081);
    EXPECT(!s->broker.auto_create);
    EXPECT_EQ_INT(s->broker.partitions, 4);
    fini(&f);
}

TEST(each_setting_has_a_variable_of_its_own)
{
    struct arena arena = {0};
    EXPECT_STR(conf_project_setting_of(&arena, "SLUICE_SETTINGS_LISTEN_KAFKA"), "settings.listen.kafka");
    EXPECT_STR(conf_project_setting_of(&arena, "SLUICE_SETTINGS_DATA"), "settings.data");
    EXPECT(conf_project_setting_of(&arena, "SLUICE_SETTINGS_LISTEN") == NULL);
    EXPECT(conf_project_setting_of(&arena, "SLUICE_SETTINGS_DATE") == NULL);
    arena_fini(&arena);
}

TEST(an_empty_project)
{
    struct fixture f = {0};
    EXPECT(load(&f, "", NULL, NULL));
    EXPECT_EQ_INT(f.project.stream_count + f.project.topic_count + f.project.source_count, 0);
    EXPECT_STR(f.project.settings.timezone, "UTC");
    fini(&f);
    EXPECT(load(&f, "topics:\nstreams: ~\n", NULL, (const char *const[]){"topics.a.partitions=2", NULL}));
    EXPECT_EQ_INT(f.project.topics[0].partitions, 2);
    fini(&f);
}

TEST(secrets_are_registered)
{
    struct fixture f = {0};
    load(
        &f,
        "connections:\n  a: postgresql://me:w0rd%21w0rd@h/db\n  b: {url: postgresql://h/db, password: 'pass''word'}\n",
        NULL, NULL);
    struct err err;
    err_set(&err, ERR_CONFIG, "w0rd%%21w0rd w0rd!w0rd pass'word postgresql");
    EXPECT_STR(err.text, "*** *** *** postgresql");
    fini(&f);
}

TEST(the_tables_are_sound)
{
    option_check(conf_root_options, sizeof(struct conf_raw_project));
    option_check(conf_target_options, sizeof(struct conf_raw_target));
    option_check(conf_source_options, sizeof(struct conf_raw_source));
    option_check(conf_connection_options, sizeof(struct conf_connection));
}

/* Every table of a Markdown page has rows of four cells. */
static void expect_markdown(const char *text)
{
    int rows = 0;
    for (const char *line = text; *line; line += strcspn(line, "\n") + 1) {
        int bars = 0;
        for (const char *c = line; *c && *c != '\n'; c++)
            bars += *c == '|' && (c == line || c[-1] != '\\');
        if (line[0] == '|' && !EXPECT(bars == 5))
            fprintf(stderr, "    %.*s\n", (int)strcspn(line, "\n"), line);
        rows += line[0] == '|';
    }
    EXPECT(rows > 60);
}

TEST(the_reference_page)
{
    struct sbuf out = {0};
    conf_project_reference(&out, &kinds);
    expect_markdown(out.p);
    EXPECT(strstr(out.p, "| `listen.kafka` | address | `127.0.0.1:9092` |"));
    EXPECT(strstr(out.p, "| `partitions` | integer, 1 to 10000 | `1` |"));
    EXPECT(strstr(out.p, "| `retention` | duration, at least 1s, `forever` | `7d` |"));
    EXPECT(strstr(out.p, "### Source `http`") && strstr(out.p, "### Connection `delta`") &&
           strstr(out.p, "| `target_file_size` |"));
    if (getenv("SHOW"))
        puts(out.p);
    sbuf_fini(&out);
}

/* The schema of one property by its path of keys, "/properties/settings/…". */
static json_t *at_path(json_t *root, const char *path)
{
    char copy[256], *save = NULL;
    snprintf(copy, sizeof copy, "%s", path);
    for (char *part = strtok_r(copy, "/", &save); part && root; part = strtok_r(NULL, "/", &save))
        root = json_is_array(root) ? json_array_get(root, (size_t)atoi(part)) : json_object_get(root, part);
    return root;
}

TEST(the_json_schema)
{
    struct sbuf out = {0};
    conf_json_schema(&out, &kinds);
    json_error_t error;
    json_t *root = json_loadb(out.p, out.n, JSON_REJECT_DUPLICATES, &error);
    if (!EXPECT(root != NULL)) {
        fprintf(stderr, "    %s at %d\n", error.text, error.position);
    } else {
        EXPECT_STR(json_string_value(at_path(root, "$schema")),
                   "https://json-schema.org/draft/2020-12/schema");
        EXPECT(json_is_false(at_path(root, "additionalProperties")));
        EXPECT(json_is_false(at_path(root, "properties/settings/properties/listen/additionalProperties")));
        EXPECT_STR(json_string_value(at_path(root, "properties/settings/properties/flush/anyOf/0/enum/1")),
                   "fsync");
        EXPECT_STR(json_string_value(at_path(
                       root, "properties/sources/additionalProperties/anyOf/1/properties/kind/const")),
                   "file");
        EXPECT_EQ_INT(json_integer_value(at_path(
                          root, "properties/topics/additionalProperties/properties/partitions/maximum")),
                      10000);
        EXPECT_EQ_INT(json_integer_value(at_path(
                          root, "properties/topics/additionalProperties/properties/partitions/default")),
                      1);
        EXPECT(at_path(root, "properties/streams/additionalProperties/properties/to/anyOf/1/items/$ref") !=
               NULL);
        EXPECT(at_path(root, "$defs/target/anyOf/2/properties/target_file_size/description") != NULL);
        EXPECT(strstr(json_string_value(at_path(
                          root, "properties/topics/additionalProperties/properties/retention/pattern")),
                      "ms|s"));
    }
    json_decref(root);
    if (getenv("SHOW"))
        puts(out.p);
    sbuf_fini(&out);
}

TEST(help_lines)
{
    struct sbuf out = {0};
    conf_help(&out, conf_settings_options, "settings.", 80);
    EXPECT(str_starts(sbuf_view(&out),
                      STR("  settings.data             Folder of everything that exists at run time:\n"
                          "                            topics, state, positions. [.sluice]\n")));
    if (getenv("SHOW"))
        puts(out.p);
    for (const char *line = out.p; *line; line += strcspn(line, "\n") + 1)
        EXPECT(strcspn(line, "\n") <= 80);
    sbuf_fini(&out);
}

int main(void)
{
    RUN(the_example_of_the_contract);
    RUN(short_forms_and_implied_topics);
    RUN(settings_from_file_environment_and_flags);
    RUN(each_setting_has_a_variable_of_its_own);
    RUN(an_empty_project);
    RUN(secrets_are_registered);
    RUN(the_tables_are_sound);
    RUN(the_reference_page);
    RUN(the_json_schema);
    RUN(help_lines);
    return test_end();
}

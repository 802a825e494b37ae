/* Projects with something wrong in them, each with what is to be said about it, to the column: tests/conf/wrong/NAME.yaml,
 * NAME.expected, and where it needs them NAME.args, lines of `env NAME=value` and `--set path=value`.
 *
 * With the argument --write the program writes what it finds into NAME.expected; look at the difference before you keep it. */
#include <dirent.h>

#include "base/test.h"
#include "conf/project.h"

enum { CASES_MAX = 200, ARGS_MAX = 16 };

struct http {
    const char *url, *token;
    int64_t every_ms;
    uint64_t retries;
};
static const struct option http_options[] = {
    {"url", OPTION_URL, OPTION_AT(struct http, url), .flags = OPTION_REQUIRED, .help = "Where.",
     .example = "https://example.com/rows"},
    {"token", OPTION_TEXT, OPTION_AT(struct http, token), .flags = OPTION_SECRET, .min = 8, .max = 64,
     .help = "The token."},
    {"every", OPTION_DURATION, OPTION_AT(struct http, every_ms), .default_text = "1s", .min = 100,
     .max = 3600000, .help = "When."},
    {"interval", OPTION_DURATION, OPTION_AT(struct http, every_ms), .flags = OPTION_DEPRECATED,
     .instead = "every", .help = "When."},
    {"retries", OPTION_U64, OPTION_AT(struct http, retries), .default_text = "3", .max = 100,
     .help = "How often."},
    {0},
};
struct generator {
    double rate;
    struct conf_map columns;
};
static const struct option column = {
    .type = OPTION_TEXT, .flags = OPTION_NOT_EMPTY, .help = "An expression."};
static const struct option generator_options[] = {
    {"rate", OPTION_RATE, OPTION_AT(struct generator, rate), .default_text = "10/s", .min = 0.001, .max = 1e9,
     .help = "How fast."},
    {"columns", OPTION_MAP, OPTION_AT(struct generator, columns), .of = &column,
     .flags = OPTION_REQUIRED | OPTION_NOT_EMPTY, .keys = OPTION_NAME, .help = "Columns."},
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
     .help = "How many at once."},
    {0},
};
static const char *const sqlite_schemes[] = {"sqlite", NULL}, *const delta_schemes[] = {"file", "s3", NULL},
                         *const pg_schemes[] = {"postgresql", "postgres", NULL};
static const struct conf_kind_table sources[] = {
    {.name = "http", .options = http_options, .options_size = sizeof(struct http)},
    {.name = "generator", .options = generator_options, .options_size = sizeof(struct generator)},
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

struct args {
    const char *variables[ARGS_MAX], *overrides[ARGS_MAX];
    size_t variable_count, override_count;
};

static const char *get_variable(void *arg, const char *name)
{
    const struct args *args = arg;
    size_t n = strlen(name);
    for (size_t i = 0; i < args->variable_count; i++)
        if (strncmp(args->variables[i], name, n) == 0 && args->variables[i][n] == '=')
            return args->variables[i] + n + 1;
    return NULL;
}

static bool read_whole(const char *path, struct sbuf *out)
{
    char part[4096];
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        return false;
    for (size_t n; (n = fread(part, 1, sizeof part, file)) > 0;)
        sbuf_add(out, part, n);
    fclose(file);
    return true;
}

static const char *path_of(struct arena *arena, const char *folder, const char *name, const char *suffix)
{
    return arena_printf(arena, "%s/%s%s", folder, name, suffix);
}

static void read_args(struct arena *arena, const char *path, struct args *args)
{
    struct sbuf text = {0};
    if (read_whole(path, &text)) {
        char *copy = str_dup(arena, sbuf_view(&text)), *save = NULL;
        for (char *line = strtok_r(copy, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
            if (strncmp(line, "env ", 4) == 0 && args->variable_count < ARGS_MAX)
                args->variables[args->variable_count++] = line + 4;
            else if (strncmp(line, "--set ", 6) == 0 && args->override_count < ARGS_MAX)
                args->overrides[args->override_count++] = line + 6;
            else
                EXPECT(!"a line of .args is env NAME=value or --set path=value");
        }
    }
    sbuf_fini(&text);
}

static void run_case(const char *folder, const char *name, bool write)
{
    struct arena arena = {0};
    struct conf_diags diags = {.arena = &arena};
    struct conf_project project;
    struct args args = {0};
    struct sbuf text = {0}, expected = {0}, out = {0};
    const char *expected_path = path_of(&arena, folder, name, ".expected");
    EXPECT(read_whole(path_of(&arena, folder, name, ".yaml"), &text));
    read_args(&arena, path_of(&arena, folder, name, ".args"), &args);
    struct conf_project_text in = {.folder = folder, .file_name = "sluice.yaml", .text = sbuf_view(&text)};
    in.env = (struct conf_env){get_variable, &args};
    in.overrides = args.overrides;
    in.override_count = (uint32_t)args.override_count;
    bool ok = conf_project_load(&arena, &in, &kinds, &project, &diags);
    EXPECT(ok == (diags.errors == 0));
    sbuf_cstr(&out, "");
    conf_diags_print(&out, &diags, false);
    EXPECT(out.n > 0);
    if (write) {
        FILE *file = fopen(expected_path, "wb");
        if (EXPECT(file != NULL)) {
            fwrite(out.p, 1, out.n, file);
            fclose(file);
        }
    } else if (!EXPECT(read_whole(expected_path, &expected)) || !EXPECT_STR(out.p, expected.p)) {
        fprintf(stderr, "    in %s.yaml\n", name);
    }
    sbuf_fini(&text);
    sbuf_fini(&expected);
    sbuf_fini(&out);
    arena_fini(&arena);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool write_expected;

TEST(every_wrong_project)
{
    char folder[1024], *names[CASES_MAX];
    size_t count = 0;
    const char *root = getenv("SLUICE_SOURCE");
    snprintf(folder, sizeof folder, "%s/tests/conf/wrong", root ? root : ".");
    DIR *dir = opendir(folder);
    if (!EXPECT(dir != NULL))
        return;
    for (struct dirent *entry; (entry = readdir(dir)) != NULL && count < CASES_MAX;) {
        size_t n = strlen(entry->d_name);
        if (n > 5 && strcmp(entry->d_name + n - 5, ".yaml") == 0)
            names[count++] = strndup(entry->d_name, n - 5);
    }
    closedir(dir);
    qsort(names, count, sizeof *names, compare_names);
    EXPECT(count >= 40 && count < CASES_MAX);
    for (size_t i = 0; i < count; i++) {
        run_case(folder, names[i], write_expected);
        free(names[i]);
    }
    printf("%zu projects\n", count);
}

int main(int argc, char **argv)
{
    write_expected = argc > 1 && strcmp(argv[1], "--write") == 0;
    RUN(every_wrong_project);
    return test_end();
}

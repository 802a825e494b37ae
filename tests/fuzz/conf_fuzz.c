/* YAML → tree → project → everything that a command prints of it. The first byte chooses: the limits, whether variables are set, and
 * whether what follows the last line that begins with "--set " is an override. Ends in the checks of the tree and in a promise
 * about diagnostics: each has a place within its text, and what is printed is valid UTF-8 without control characters. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/utf8.h"
#include "conf/project.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct options {
    const char *url, *password;
    int64_t every_ms;
    uint64_t limit, count;
    double rate, factor;
    bool watch;
    struct conf_list list;
    struct conf_map map;
    struct conf_sql sql;
    struct conf_address address;
};
static const struct option text = {.type = OPTION_TEXT, .flags = OPTION_NOT_EMPTY, .help = "x"};
static const struct option number = {.type = OPTION_I64, .min = -5, .max = 5, .help = "x"};
static const struct option options[] = {
    {"url", OPTION_URL, OPTION_AT(struct options, url), .flags = OPTION_REQUIRED, .help = "x"},
    {"password", OPTION_TEXT, OPTION_AT(struct options, password), .min = 1, .max = 20, .help = "x"},
    {"every", OPTION_DURATION, OPTION_AT(struct options, every_ms), .min = 1, .max = 1e9, .help = "x"},
    {"limit", OPTION_SIZE, OPTION_AT(struct options, limit), .help = "x"},
    {"count", OPTION_U64, OPTION_AT(struct options, count), .help = "x"},
    {"rate", OPTION_RATE, OPTION_AT(struct options, rate), .help = "x"},
    {"factor", OPTION_F64, OPTION_AT(struct options, factor), .help = "x"},
    {"watch", OPTION_BOOL, OPTION_AT(struct options, watch), .help = "x"},
    {"list", OPTION_LIST, OPTION_AT(struct options, list), .of = &number, .max = 4, .help = "x"},
    {"map", OPTION_MAP, OPTION_AT(struct options, map), .of = &text, .keys = OPTION_NAME, .help = "x"},
    {"sql", OPTION_SQL, OPTION_AT(struct options, sql), .help = "x"},
    {"address", OPTION_ADDRESS, OPTION_AT(struct options, address), .help = "x"},
    {0},
};
static const char *const schemes[] = {"sqlite", "file", NULL};
static const struct conf_kind_table sources[] = {
    {.name = "http", .options = options, .options_size = sizeof(struct options)}};
static const struct conf_kind_table connections[] = {{.name = "sqlite",
                                                      .schemes = schemes,
                                                      .options = options + 1,
                                                      .options_size = sizeof(struct options),
                                                      .sink_options = options + 3,
                                                      .sink_options_size = sizeof(struct options)}};
static const struct conf_kinds kinds = {sources, 1, connections, 1};

static const char *get_variable(void *arg, const char *name)
{
    (void)arg;
    return name[0] == 'A' ? "value of A: [x" : name[0] == 'B' ? "" : NULL;
}

static void check_print(const struct conf_diags *diags)
{
    struct sbuf out = {0};
    for (uint32_t i = 0; i < diags->count; i++) {
        const struct conf_diag *diag = &diags->items[i];
        CHECK(diag->err.text[0] != '\0');
        if (diag->file && diag->file->lines && diag->err.place.line > 0)
            CHECK((uint32_t)diag->err.place.line <= diag->file->line_count && diag->err.place.column >= 1);
    }
    conf_diags_print(&out, diags, false);
    CHECK(out.p == NULL || utf8_valid(out.p, out.n));
    for (size_t i = 0; i < out.n; i++)
        CHECK((unsigned char)out.p[i] >= 0x20 || out.p[i] == '\n');
    sbuf_fini(&out);
}

/* Every byte of every text has a place inside of its scalar. */
static void check_places(const struct conf_node *node, unsigned depth, unsigned *budget)
{
    for (uint32_t i = 0; i<node->count && * budget> 0; i++)
        check_places(node->items[i].value, depth + 1, budget);
    for (size_t i = 0; node->kind == CONF_SCALAR && i <= node->text.n && i < 200 && *budget > 0;
         i++, --*budget) {
        struct err_place place = conf_place_in(node, i, 1);
        size_t offset = conf_file_offset(node->file, place.line, place.column);
        if (node->file->lines)
            CHECK(offset >= node->offset || offset + 3 >= node->offset);
        CHECK(offset <= node->end || node->file->lines == NULL);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena = {0};
    struct conf_diags diags = {.arena = &arena};
    struct conf_project project;
    unsigned budget = 5000;
    if (size == 0)
        return 0;
    struct conf_project_text in = {
        .folder = "x/y", .file_name = "sluice.yaml", .text = str_n(data + 1, size - 1)};
    if (data[0] & 1)
        in.env.get = get_variable;
    const char *overrides[1];
    size_t set = (data[0] & 2) ? str_find(in.text, STR("\n--set "), 0) : SIZE_MAX;
    if (set != SIZE_MAX) {
        overrides[0] = str_dup(&arena, str_n(in.text.p + set + 7, in.text.n - set - 7));
        in.overrides = overrides;
        in.override_count = 1;
        in.text.n = set;
    }
    bool ok = conf_project_load(&arena, &in, &kinds, &project, &diags);
    CHECK(ok == (diags.errors == 0));
    if (project.root) {
        conf_node_check(project.root);
        check_places(project.root, 0, &budget);
    }
    check_print(&diags);
    for (uint32_t i = 0; i < project.stream_count && ok; i++)
        for (uint32_t j = 0; j < project.streams[i].to_count; j++) {
            const struct conf_target *to = &project.streams[i].to[j];
            CHECK((to->topic != NULL) + (to->table != NULL) + to->console == 1);
            CHECK(to->topic == NULL || strcmp(project.topics[to->index].name, to->topic) == 0);
        }
    arena_fini(&arena);
    return 0;
}

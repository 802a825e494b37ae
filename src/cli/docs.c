/* docs: the reference pages, made from the tables that the program itself reads. */
#include "cli/cli.h"
#include "conf/project.h"
#include "job/project.h"
#include "obs/event.h"
#include "obs/metric.h"
#include "sql/function.h"

static void project_page(struct arena *arena, struct sbuf *out)
{
    struct conf_kinds kinds;
    project_kinds(arena, &kinds);
    conf_project_reference(out, &kinds);
}

static void schema_page(struct arena *arena, struct sbuf *out)
{
    struct conf_kinds kinds;
    project_kinds(arena, &kinds);
    conf_json_schema(out, &kinds);
}

static void metrics_page(struct arena *arena, struct sbuf *out)
{
    (void)arena;
    sbuf_cstr(out, "# Metrics\n\nAt `/metrics` of `settings.listen.http`, in Prometheus' text format.\n\n");
    metric_reference(out);
}

static void events_page(struct arena *arena, struct sbuf *out)
{
    static const char *const levels[] = {"debug", "info", "warn", "error"};
    (void)arena;
    sbuf_cstr(out, "# Log events\n\n| event | level | meaning |\n|---|---|---|\n");
    for (int i = 0; i < EVENT_COUNT; i++)
        sbuf_printf(out, "| `%s` | %s | %s |\n", event_table[i].name, levels[event_table[i].level],
                    event_table[i].help);
}

static void functions_page(struct arena *arena, struct sbuf *out)
{
    (void)arena;
    sbuf_cstr(
        out,
        "# SQL functions and operators\n\nNames, arguments and results are Spark's.\n\n| function | what it gives |\n|---|---|\n");
    for (int i = 0; i < FN_COUNT; i++) {
        sbuf_cstr(out, "| `");
        for (const char *c = functions[i].signature; *c; c++) {
            if (*c == '|')
                sbuf_char(out, '\\');
            sbuf_char(out, *c);
        }
        sbuf_printf(out, "` | %s |\n", functions[i].help);
    }
}

static const struct {
    const char *name;
    void (*make)(struct arena *arena, struct sbuf *out);
} pages[] = {{"project", project_page},
             {"schema", schema_page},
             {"metrics", metrics_page},
             {"events", events_page},
             {"functions", functions_page}};

static int run_docs(struct cli_args *args)
{
    struct err err;
    for (size_t i = 0; i < sizeof pages / sizeof pages[0]; i++) {
        struct sbuf out = {0};
        if (strcmp(args->operands[0], pages[i].name) != 0)
            continue;
        pages[i].make(args->arena, &out);
        bool ok = cli_write(sbuf_view(&out));
        sbuf_fini(&out);
        return ok ? EXIT_DONE : EXIT_FAILED;
    }
    err_set(&err, ERR_CONFIG, "there is no page \"%s\"", args->operands[0]);
    err_hint(
        &err,
        "Pages: project, schema (of the project file, as a JSON Schema for editors), metrics, events, functions.");
    return cli_fail(args, &err);
}

extern const struct cli_command command_docs;
const struct cli_command command_docs = {
    .name = "docs",
    .operands = "project|schema|metrics|events|functions",
    .summary = "prints a reference page, or the project file's JSON Schema",
    .help = "`sluice docs schema > sluice.schema.json` gives editors completion and hints for sluice.yaml.",
    .operands_min = 1,
    .operands_max = 1,
    .run = run_docs,
};

#include "cli/status.h"

#include <stdio.h>

#include "cli/table.h"

/* ---- text ----------------------------------------------------------------------------------------------------------- */

enum { NAME_MIN = 8, NAME_MAX = 40 };

/* 12345678 → "12,345,678" */
static void put_count(struct sbuf *out, uint64_t n, int width)
{
    char digits[32], text[48];
    int count = snprintf(digits, sizeof digits, "%llu", (unsigned long long)n), used = 0;
    for (int i = 0; i < count; i++) {
        if (i && (count - i) % 3 == 0)
            text[used++] = ',';
        text[used++] = digits[i];
    }
    text_fit(out, str_n(text, (size_t)used), used > width ? used : width, true, true);
}

static void put_line(struct sbuf *out, const struct sbuf *line, int columns)
{
    struct sbuf clean = {0};
    sbuf_visible(&clean, sbuf_view(line));
    text_fit(out, sbuf_view(&clean), columns, false, false);
    sbuf_char(out, '\n');
    sbuf_fini(&clean);
}

static int name_width(const struct engine_report *r)
{
    int width = NAME_MIN;
    for (uint32_t i = 0; i < r->source_count; i++)
        width = (int)strlen(r->sources[i].name) > width ? (int)strlen(r->sources[i].name) : width;
    for (uint32_t i = 0; i < r->stream_count; i++) {
        const struct stream_status_report *s = &r->streams[i];
        width = (int)strlen(s->name) > width ? (int)strlen(s->name) : width;
        for (uint32_t k = 0; k < s->sink_count; k++)
            width = (int)strlen(s->sinks[k].name) + 2 > width ? (int)strlen(s->sinks[k].name) + 2 : width;
    }
    return width < NAME_MAX ? width : NAME_MAX;
}

/* What is wrong with it, without its name: that stands at the line's beginning. */
static const char *error_of(const struct source_status_report *s)
{
    const char *text = s->health.last_error.text;
    char prefix[300];
    int n = snprintf(prefix, sizeof prefix, "source \"%s\": ", s->name);
    return strncmp(text, prefix, (size_t)n) == 0 ? text + n : text;
}

/* No row since the start, and no failure to say why. */
static bool is_waiting(const struct source_status_report *s)
{
    return s->health.last_rows.us == 0 && s->rows_appended == 0;
}

static void put_source(struct sbuf *line, const struct source_status_report *s, const double *rate, int width)
{
    text_fit(line, str_of(s->name), width, false, true);
    sbuf_printf(line, "  %-9s ", s->kind);
    put_count(line, s->rows_appended, 11);
    sbuf_cstr(line, " rows");
    if (rate)
        sbuf_printf(line, " %9.1f/s", *rate);
    if (s->stopped)
        sbuf_printf(line, "  stopped: %s", error_of(s));
    else if (s->ended)
        sbuf_cstr(line, "  ended");
    else if (s->health.failing)
        sbuf_printf(line, "  retrying: %s", s->health.note[0] ? s->health.note : error_of(s));
    else if (s->health.note[0])
        sbuf_printf(line, "  %s", s->health.note);
    else if (is_waiting(s))
        sbuf_cstr(line, "  waiting: no row has come yet");
    if (s->health.bad)
        sbuf_printf(line, "  %llu bad", (unsigned long long)s->health.bad);
}

static void put_stream(struct sbuf *line, const struct stream_status_report *s, int width)
{
    text_fit(line, str_of(s->name), width, false, true);
    sbuf_printf(line, "  %-9s ", s->state);
    put_count(line, s->rows_in, 11);
    sbuf_cstr(line, " in   ");
    put_count(line, s->rows_out, 9);
    sbuf_printf(line, " out  %llu bad", (unsigned long long)s->bad);
    if (s->err.class != ERR_NONE)
        sbuf_printf(line, "  %s", s->err.text);
}

static void put_sink(struct sbuf *line, const struct sink_status_report *s, int width)
{
    sbuf_cstr(line, "  ");
    text_fit(line, str_of(s->name), width - 2, false, true);
    sbuf_printf(line, "  %-9s ", s->kind);
    put_count(line, s->rows, 11);
    sbuf_printf(line, " rows  %s", s->state);
    if (s->lag_records)
        sbuf_printf(line, ", %lld behind", (long long)s->lag_records);
    if (s->failures)
        sbuf_printf(line, ", %llu failure%s", (unsigned long long)s->failures, s->failures == 1 ? "" : "s");
    if (s->err.class != ERR_NONE)
        sbuf_printf(line, ": %s", s->err.text);
}

/* A table of rejected rows that has none is not worth a line. */
static bool is_silent(const struct sink_status_report *s)
{
    return str_starts(str_of(s->name), STR("sluice.")) && s->rows == 0 && s->err.class == ERR_NONE &&
           s->failures == 0;
}

void status_text(struct sbuf *out, const struct engine_report *r, const struct status_line_options *o)
{
    int width = name_width(r);
    struct sbuf line = {0};
    for (uint32_t i = 0; i < r->source_count; i++) {
        sbuf_clear(&line);
        put_source(&line, &r->sources[i], o->rates ? &o->rates[i] : NULL, width);
        put_line(out, &line, o->columns);
    }
    for (uint32_t i = 0; i < r->stream_count; i++) {
        const struct stream_status_report *s = &r->streams[i];
        sbuf_clear(&line);
        put_stream(&line, s, width);
        put_line(out, &line, o->columns);
        for (uint32_t k = 0; k < s->sink_count; k++) {
            if (is_silent(&s->sinks[k]))
                continue;
            sbuf_clear(&line);
            put_sink(&line, &s->sinks[k], width);
            put_line(out, &line, o->columns);
        }
    }
    sbuf_fini(&line);
}

/* ---- JSON --------------------------------------------------------------------------------------------------------------- */

static void put_text(struct sbuf *out, const char *name, const char *text)
{
    sbuf_printf(out, "\"%s\":", name);
    sbuf_json(out, str_of(text));
    sbuf_char(out, ',');
}

static void put_number(struct sbuf *out, const char *name, uint64_t n)
{
    sbuf_printf(out, "\"%s\":%llu,", name, (unsigned long long)n);
}

static void put_error(struct sbuf *out, const struct err *err)
{
    sbuf_cstr(out, "\"error\":");
    if (err && err->class != ERR_NONE)
        sbuf_json(out, str_of(err->text));
    else
        sbuf_cstr(out, "null");
    sbuf_char(out, '}');
}

static void put_source_json(struct sbuf *out, const struct source_status_report *s)
{
    sbuf_char(out, '{');
    put_text(out, "name", s->name);
    put_text(out, "kind", s->kind);
    put_text(out, "state",
             s->stopped          ? "stopped"
             : s->ended          ? "ended"
             : s->health.failing ? "retrying"
             : is_waiting(s)     ? "waiting"
                                 : "running");
    put_number(out, "rows", s->rows_appended);
    put_number(out, "bytes", s->health.bytes);
    put_number(out, "polls", s->health.polls);
    put_number(out, "failures", s->health.failures);
    put_number(out, "bad", s->health.bad);
    put_text(out, "note", s->health.note);
    put_error(out, s->health.failing || s->stopped ? &s->health.last_error : NULL);
}

static void put_stream_json(struct sbuf *out, const struct stream_status_report *s)
{
    sbuf_char(out, '{');
    put_text(out, "name", s->name);
    put_text(out, "state", s->state);
    put_number(out, "rows_in", s->rows_in);
    put_number(out, "rows_out", s->rows_out);
    put_number(out, "bad", s->bad);
    put_number(out, "lag_records", (uint64_t)s->lag_records);
    sbuf_cstr(out, "\"sinks\":[");
    for (uint32_t k = 0; k < s->sink_count; k++) {
        const struct sink_status_report *sink = &s->sinks[k];
        sbuf_cstr(out, k ? ",{" : "{");
        put_text(out, "name", sink->name);
        put_text(out, "kind", sink->kind);
        put_text(out, "state", sink->state);
        put_number(out, "rows", sink->rows);
        put_number(out, "commits", sink->commits);
        put_number(out, "failures", sink->failures);
        put_number(out, "lag_records", (uint64_t)sink->lag_records);
        put_error(out, &sink->err);
    }
    sbuf_cstr(out, "],");
    put_error(out, &s->err);
}

void status_json(struct sbuf *out, const struct project *project, const struct engine_report *r)
{
    sbuf_char(out, '{');
    put_text(out, "project", project->conf.name);
    sbuf_printf(out, "\"running\":%s,", r ? "true" : "false");
    if (r)
        put_number(out, "pid", (uint64_t)os_pid());
    sbuf_cstr(out, "\"sources\":[");
    for (uint32_t i = 0; r && i < r->source_count; i++) {
        sbuf_cstr(out, i ? "," : "");
        put_source_json(out, &r->sources[i]);
    }
    sbuf_cstr(out, "],\"streams\":[");
    for (uint32_t i = 0; r && i < r->stream_count; i++) {
        sbuf_cstr(out, i ? "," : "");
        put_stream_json(out, &r->streams[i]);
    }
    sbuf_cstr(out, "]}\n");
    err_redact(out->p, ERR_REDACT_OUTPUT);
    out->n = strlen(out->p);
}

/* ---- the command --------------------------------------------------------------------------------------------------------- */

static int look_status(struct command_env *env)
{
    struct engine_report report;
    struct err err;
    bool json;
    if (!command_wants_json(env, &json, &err))
        return env_fail(env, &err, NULL);
    if (env->engine)
        engine_report(env->engine, pool_arena(env->pool), &report);
    if (json) {
        status_json(&env->out, env->project, env->engine ? &report : NULL);
        return EXIT_DONE;
    }
    if (env->engine == NULL) {
        env_print(env, "%s: not running\n", env->project->conf.name);
        return EXIT_DONE;
    }
    const struct status_line_options options = {.columns = env->columns};
    struct sbuf text = {0};
    sbuf_printf(&text, "%s: running, process %d\n", env->project->conf.name, os_pid());
    status_text(&text, &report, &options);
    err_redact(text.p, ERR_REDACT_OUTPUT);
    env_add(env, str_of(text.p));
    sbuf_fini(&text);
    return EXIT_DONE;
}

static const struct cli_flag status_flags[] = {{"--output", "-o", "FORMAT", "table (default) or json"}, {0}};

extern const struct cli_command command_status;
const struct cli_command command_status = {
    .name = "status",
    .operands = "[DIR]",
    .summary = "says what the running project does: sources, streams, sinks",
    .flags = status_flags,
    .operands_max = 1,
    .look = look_status,
};

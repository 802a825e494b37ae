/* The live status of `up` on a terminal: a block of lines at the bottom of stderr, drawn four times a second, with log lines above it.
 *
 * Log lines come from any role; they wait in a buffer until the next drawing, which puts them above the block: so only main writes. */
#include <stdio.h>

#include "cli/status.h"
#include "obs/event.h"
#include "os/os.h"

enum { DRAW_MS = 250, RATE_MS = 3000, SOURCES_MAX = 256, LINES_MAX = 60 };

struct live {
    const struct project *project;
    struct engine *engine;
    struct timer timer;
    struct mono_time started;
    int lines; /* of the block that is on the screen */

    /* rows/s over the last seconds: a sample every RATE_MS at least */
    double rates[SOURCES_MAX];
    uint64_t rows[SOURCES_MAX];
    struct mono_time sampled;
    bool has_sample;

    /* ---- any role, under lock ---- */
    struct lock *lock;
    struct sbuf logs;
};

static void take_line(void *arg, const char *p, size_t n)
{
    struct live *l = arg;
    lock_take(l->lock);
    sbuf_add(&l->logs, p, n);
    lock_release(l->lock);
}

static void sample_rates(struct live *l, const struct engine_report *r)
{
    int64_t ns = mono_since_ns(os_mono(), l->sampled);
    if (l->has_sample && ns < RATE_MS * NS_PER_MS)
        return;
    for (uint32_t i = 0; i < r->source_count && i < SOURCES_MAX; i++) {
        uint64_t rows = r->sources[i].rows_appended;
        l->rates[i] = l->has_sample && ns > 0 ? (double)(rows - l->rows[i]) * (double)NS_PER_S / (double)ns
                                              : 0;
        l->rows[i] = rows;
    }
    l->has_sample = true;
    l->sampled = os_mono();
}

static void put_head(struct live *l, struct sbuf *out)
{
    int64_t s = mono_since_ns(os_mono(), l->started) / NS_PER_S;
    const struct conf_address *http = &l->project->conf.settings.listen.http;
    sbuf_printf(out, "%s  up ", l->project->conf.name);
    if (s >= 3600)
        sbuf_printf(out, "%lldh", (long long)(s / 3600));
    if (s >= 60)
        sbuf_printf(out, "%lldm", (long long)(s / 60 % 60));
    sbuf_printf(out, "%llds", (long long)(s % 60));
    if (!http->off && http->port)
        sbuf_printf(out, "  http://%s:%u", http->host[0] ? http->host : "127.0.0.1", http->port);
    sbuf_cstr(out, "  (Ctrl-C ends it)\n");
}

/* At most so many lines, so that the block never scrolls. */
static int cut_lines(struct sbuf *text, int max)
{
    int lines = 0;
    for (size_t i = 0; i < text->n; i++)
        if (text->p[i] == '\n' && ++lines == max) {
            text->n = i + 1;
            break;
        }
    return lines;
}

static void draw(struct live *l, bool last)
{
    struct arena arena = {0};
    struct engine_report report;
    struct sbuf out = {0}, block = {0}, clean = {0};
    int columns, rows;
    os_terminal_size(&columns, &rows);
    engine_report(l->engine, &arena, &report);
    sample_rates(l, &report);
    const struct status_line_options options = {
        .columns = columns - 1, .rates = report.source_count <= SOURCES_MAX ? l->rates : NULL};
    put_head(l, &block);
    status_text(&block, &report, &options);
    err_redact(block.p, ERR_REDACT_OUTPUT);
    block.n = strlen(block.p);
    if (l->lines)
        sbuf_printf(&out, "\033[%dA", l->lines);
    sbuf_cstr(&out, "\r\033[J");
    lock_take(l->lock);
    sbuf_str(&out, sbuf_view(&l->logs));
    sbuf_clear(&l->logs);
    lock_release(l->lock);
    int max = rows - 2 < LINES_MAX ? rows - 2 : LINES_MAX;
    l->lines = cut_lines(&block, max > 1 ? max : 1);
    sbuf_str(&out, sbuf_view(&block));
    fwrite(out.p, 1, out.n, stderr);
    fflush(stderr);
    if (last)
        l->lines = 0;
    sbuf_fini(&out);
    sbuf_fini(&block);
    sbuf_fini(&clean);
    arena_fini(&arena);
}

static void on_timer(struct timer *timer)
{
    struct live *l = CONTAINER_OF(timer, struct live, timer);
    draw(l, false);
    timer_set_in(timer, DRAW_MS * NS_PER_MS);
}

struct live *live_start(struct pool *pool, const struct project *project, struct engine *engine)
{
    struct live *l = pool_new_struct(pool, struct live);
    *l = (struct live){.project = project, .engine = engine, .started = os_mono(), .lock = lock_new()};
    timer_init(&l->timer, on_timer);
    event_redirect(take_line, l);
    timer_set_in(&l->timer, 0);
    return l;
}

void live_stop(struct live *l)
{
    if (l == NULL)
        return;
    timer_cancel(&l->timer);
    draw(l, true);
    event_redirect(NULL, NULL);
    sbuf_fini(&l->logs);
    lock_free(l->lock);
}

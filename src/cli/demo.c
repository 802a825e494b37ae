/* demo: the users example in a scratch folder on free ports, and its rows shown where they arrive. */
#include <stdio.h>
#include <stdlib.h>

#include "cli/command.h"
#include "cli/example.h"
#include "cli/host.h"
#include "os/os.h"

enum { LOOK_MS = 100, LIVE_MS = 500, PATIENCE_MS = 60000, SINKS = 3 };

static const char *const sinks[SINKS] = {"users_created", "serving.created_users", "lake.created_users"};

struct demo {
    struct host *host;
    const char *folder;
    struct timer timer;
    struct mono_time started;
    bool terminal, shown, failed;
};

static void show(struct demo *d, const char *title, const char *sql)
{
    const char *const argv[] = {"query", "--output", "table", sql};
    struct sbuf out = {0};
    command_call(argv, 4, host_project(d->host), host_store(d->host), host_engine(d->host), &out);
    cli_print("\n%s\n", title);
    cli_write(sbuf_view(&out));
    sbuf_fini(&out);
}

/* Rows of each sink; true when all have some. */
static bool count_rows(struct demo *d, uint64_t *rows)
{
    struct arena arena = {0};
    struct engine_report report;
    engine_report(host_engine(d->host), &arena, &report);
    bool all = true;
    for (int i = 0; i < SINKS; i++)
        rows[i] = 0;
    for (uint32_t s = 0; s < report.stream_count; s++)
        for (uint32_t k = 0; k < report.streams[s].sink_count; k++)
            for (int i = 0; i < SINKS; i++)
                if (strcmp(report.streams[s].sinks[k].name, sinks[i]) == 0)
                    rows[i] = report.streams[s].sinks[k].rows;
    for (int i = 0; i < SINKS; i++)
        all = all && rows[i] > 0;
    arena_fini(&arena);
    return all;
}

static void show_all(struct demo *d)
{
    int64_t ms = mono_since_ns(os_mono(), d->started) / NS_PER_MS;
    cli_print("\nRows have gone all the way, %lld.%lld s after the start. As SQL sees them:\n",
              (long long)(ms / 1000), (long long)(ms % 1000 / 100));
    show(d, "the topic users_created",
         "SELECT first_name, last_name, gender, email, _partition, _offset FROM users_created LIMIT 3");
    show(d, "the SQLite table serving.created_users (serving.db)",
         "SELECT id, first_name, last_name, address FROM serving.created_users LIMIT 3");
    show(d, "the Delta table lake.created_users (lake/created_users)",
         "SELECT id, username, dob, registered_date FROM lake.created_users LIMIT 3");
    show(d, "how many there are",
         "SELECT 'users_created' AS place, count(*) AS rows FROM users_created UNION ALL "
         "SELECT 'serving.created_users', count(*) FROM serving.created_users UNION ALL "
         "SELECT 'lake.created_users', count(*) FROM lake.created_users");
    if (d->terminal)
        cli_print("\nIt goes on until Ctrl-C. In another terminal:\n"
                  "  sluice query %s 'SELECT count(*) FROM lake.created_users'\n"
                  "  sluice status %s\n\n",
                  d->folder, d->folder);
    fflush(stdout);
}

static void look(struct timer *timer)
{
    struct demo *d = CONTAINER_OF(timer, struct demo, timer);
    uint64_t rows[SINKS];
    bool all = count_rows(d, rows);
    if (d->terminal)
        cli_print("\r\033[Krows: %llu in the topic, %llu in SQLite, %llu in Delta",
                  (unsigned long long)rows[0], (unsigned long long)rows[1], (unsigned long long)rows[2]);
    if (all && !d->shown) {
        if (d->terminal)
            cli_print("\n");
        d->shown = true;
        show_all(d);
        if (!d->terminal) {
            host_stop(d->host);
            return;
        }
    }
    fflush(stdout);
    if (!d->shown && mono_since_ns(os_mono(), d->started) > PATIENCE_MS * NS_PER_MS) {
        d->failed = true;
        host_stop(d->host);
        return;
    }
    timer_set_in(timer, (d->shown ? LIVE_MS : LOOK_MS) * NS_PER_MS);
}

static void started(void *arg, struct host *host)
{
    struct demo *d = arg;
    d->host = host;
    d->started = os_mono();
    timer_init(&d->timer, look);
    timer_set_in(&d->timer, LOOK_MS * NS_PER_MS);
}

static int run_demo(struct cli_args *args)
{
    /* Nothing that listens where another program may; commits often enough to be watched. */
    static const char *const sets[] = {
        "settings.listen.http=off",
        "settings.listen.kafka=127.0.0.1:0",
        "settings.listen.registry=127.0.0.1:0",
        "settings.listen.connect=off",
        "streams.created_users.to.2.cadence=1s",
        "settings.log.level=warn",
    };
    enum { SETS = sizeof sets / sizeof sets[0] };
    const char *tmp = os_env("TMPDIR");
    char uuid[37];
    struct err err;
    os_uuid(uuid);
    uuid[8] = '\0';
    struct demo d = {.terminal = os_is_terminal(1)};
    d.folder = args->folder
                   ? args->folder
                   : arena_printf(args->arena, "%s/sluice-demo-%s", tmp && *tmp ? tmp : "/tmp", uuid);
    if (!example_write("users", d.folder, &err))
        return cli_fail(args, &err);
    struct cli_args with = *args;
    memcpy(with.sets, sets, sizeof sets);
    with.set_count = SETS;
    for (uint32_t i = 0; i < args->set_count && with.set_count < CLI_SETS_MAX; i++)
        with.sets[with.set_count++] = args->sets[i]; /* one's own count */
    cli_print("Users from an HTTP API (a stand-in that this program serves) go into a topic,\n"
              "through a stream of SQL, and on into another topic, a SQLite table and a Delta\n"
              "table, each row exactly once. The project is in %s.\n",
              d.folder);
    fflush(stdout);
    const struct host_options options = {.mode = HOST_UP, .quiet = true, .started = started, .arg = &d};
    int status = host_run(&with, d.folder, &options);
    if (d.failed) {
        err_set(&err, ERR_FATAL, "no rows arrived in %d s", PATIENCE_MS / 1000);
        status = cli_fail(args, &err);
    }
    cli_print("\nThe folder stays: %s\nGo on there with: sluice up %s\n", d.folder, d.folder);
    return status;
}

extern const struct cli_command command_demo;
const struct cli_command command_demo = {
    .name = "demo",
    .summary = "shows it at work: the users example in a scratch folder, with its rows",
    .help = "  On a terminal it goes on until Ctrl-C; otherwise it ends when rows have arrived everywhere.",
    .run = run_demo,
};

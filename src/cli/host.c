#include "cli/host.h"

#include <stdio.h>

#include "broker/broker.h"
#include "cli/control.h"
#include "cli/remote_schemas.h"
#include "cli/status.h"
#include "cli/web.h"
#include "obs/event.h"
#include "os/vfs.h"
#include "registry/rest.h"
#include "source/builtin.h"

enum {
    END_MAX_MS = 9000
}; /* an ordered end takes no longer; what is not committed then is done again at the next start */

struct host {
    struct cli_args *args;
    const struct host_options *options;
    struct arena *arena;
    struct pool *pool;
    struct project project;
    struct loop *main, *net, *disk, *work;
    struct store *store;
    struct engine *engine;
    struct builtin *builtin;
    struct http_server *web;
    struct broker *broker;
    struct registry *registry;
    struct registry_server *registry_server;
    struct web web_arg;
    struct control *control;
    struct live *live;
    bool engine_started, ending;
    int ending_parts; /* that have not ended */
    int status;
    struct timer for_timer, end_timer;
    struct msg stop_msg, broker_ended, registry_ended;
};

int host_say(const struct cli_args *args, const struct conf_diags *diags)
{
    struct sbuf text = {0};
    conf_diags_print(&text, diags, args->colour);
    if (text.n)
        fwrite(text.p, 1, text.n, stderr);
    sbuf_fini(&text);
    return diags->errors ? EXIT_USAGE : EXIT_DONE;
}

struct engine *host_engine(struct host *host)
{
    return host->engine;
}

struct store *host_store(struct host *host)
{
    return host->store;
}

const struct project *host_project(const struct host *host)
{
    return &host->project;
}

/* ---- ending ----------------------------------------------------------------------------------------------------------- */

static void part_ended(struct host *h)
{
    if (--h->ending_parts == 0)
        loop_stop(h->main);
}

static void on_stopped(void *arg)
{
    part_ended(arg);
}

static void handle_broker_ended(struct msg *msg)
{
    part_ended(CONTAINER_OF(msg, struct host, broker_ended));
}

/* On the net loop. */
static void on_broker_ended(void *arg)
{
    struct host *h = arg;
    loop_post(h->main, &h->broker_ended);
}

static void handle_registry_ended(struct msg *msg)
{
    part_ended(CONTAINER_OF(msg, struct host, registry_ended));
}

/* On the net loop. */
static void on_registry_ended(void *arg)
{
    struct host *h = arg;
    loop_post(h->main, &h->registry_ended);
}

static void end(struct host *h)
{
    if (h->ending)
        return;
    h->ending = true;
    timer_set_in(&h->end_timer, END_MAX_MS * NS_PER_MS);
    if (!h->engine_started) {
        loop_stop(h->main);
        return;
    }
    h->ending_parts = 1 + (h->broker != NULL) + (h->registry != NULL);
    if (h->registry)
        registry_end(h->registry, on_registry_ended, h);
    if (h->broker)
        broker_end(h->broker, on_broker_ended, h);
    engine_stop(h->engine);
}

static void on_quiet(void *arg)
{
    struct host *h = arg;
    if (engine_has_failed(h->engine))
        h->status = EXIT_FAILED; /* what and why stands in the log */
    end(h);
}

/* The registry has said no to a schema of the project: nothing has begun. */
static void on_refused(void *arg, const struct err *err)
{
    struct host *h = arg;
    h->status = cli_fail(h->args, err);
    end(h);
}

static void on_for_timer(struct timer *timer)
{
    end(CONTAINER_OF(timer, struct host, for_timer));
}

static void on_end_timer(struct timer *timer)
{
    (void)timer;
    event_log(EVENT_STOPPED, "", "not everything ended in time; the next start goes on from what is durable");
    os_exit(EXIT_FAILED);
}

static void on_signal(void *arg, int count)
{
    if (count > 1)
        os_exit(130);
    end(arg);
}

static void handle_stop(struct msg *msg)
{
    end(CONTAINER_OF(msg, struct host, stop_msg));
}

void host_stop(struct host *host)
{
    loop_post(host->main, &host->stop_msg);
}

/* ---- starting ----------------------------------------------------------------------------------------------------------- */

static void store_event(void *arg, enum store_event event, const char *text)
{
    static const enum event events[] = {[STORE_NOTE] = EVENT_STORE,
                                        [STORE_TROUBLE] = EVENT_STORE_DAMAGE,
                                        [STORE_DISK_FULL] = EVENT_DISK_FULL,
                                        [STORE_DISK_ROOM] = EVENT_DISK_ROOM};
    (void)arg;
    event_log(events[event], "store", "%s", text);
}

static bool open_store(struct host *h, struct err *err)
{
    const struct store_options options = {
        .flush = h->project.conf.settings.flush == CONF_FLUSH_OS ? STORE_FLUSH_OS : STORE_FLUSH_FSYNC,
        .log_event = store_event,
        .accept_damage = h->options->accept_loss,
    };
    TRY(os_mkdirs(h->project.data, err));
    return store_open(h->pool, h->project.data, &options, h->disk, &h->store, err);
}

static bool make_loops(struct host *h, struct err *err)
{
    TRY(loop_new(ROLE_MAIN, "main", &h->main, err));
    TRY(loop_new(ROLE_NET, "net", &h->net, err));
    TRY(loop_new(ROLE_DISK, "disk", &h->disk, err));
    TRY(loop_new(ROLE_WORK, "work", &h->work, err));
    TRY(loop_start(h->main, err));
    return loop_signals(h->main, on_signal, h, err);
}

static const char *address_text(struct host *h, const struct conf_address *at)
{
    return pool_printf(h->pool, strchr(at->host, ':') ? "[%s]:%u" : "%s:%u", at->host, at->port);
}

static bool listen_http(struct host *h, struct err *err)
{
    const struct conf_address *at = &h->project.conf.settings.listen.http;
    if (!h->options->listen || at->off)
        return true;
    return web_start(h->pool, h->net, address_text(h, at), &h->web_arg, &h->web, err);
}

static bool listen_kafka(struct host *h, struct err *err)
{
    const struct conf_address *at = &h->project.conf.settings.listen.kafka;
    if (!h->options->listen || at->off)
        return true;
    const struct conf_broker_settings *broker = &h->project.conf.settings.broker;
    const struct broker_options options = {
        .address = address_text(h, at),
        .advertised = broker->advertised.host ? address_text(h, &broker->advertised) : NULL,
        .partitions = (int32_t)broker->partitions,
        .auto_create = broker->auto_create};
    return broker_start(h->pool, h->net, h->store, &options, &h->broker, err);
}

/* Another one. */
static bool use_registry(struct host *h, const char *url, struct err *err)
{
    struct registry_remote_options *options = pool_new_struct(h->pool, struct registry_remote_options);
    TRY(registry_options_of(h->pool, url, h->project.conf.settings.registry_token, options, err));
    return registry_remote_new(h->pool, h->net, options, &h->registry, err);
}

static bool open_registry(struct host *h, struct err *err)
{
    const char *other = h->project.conf.settings.registry;
    return other ? use_registry(h, other, err) : registry_new(h->pool, h->net, h->store, &h->registry, err);
}

static bool listen_registry(struct host *h, struct err *err)
{
    const struct conf_address *at = &h->project.conf.settings.listen.registry;
    if (h->project.conf.settings.registry)
        return true;
    if (!h->options->listen || at->off)
        return true;
    return registry_server_start(h->pool, h->registry, address_text(h, at), &h->registry_server, err);
}

/* On a terminal that rows do not go to. */
static bool wants_live(const struct host *h)
{
    const char *term = os_env("TERM");
    if (h->options->quiet || h->options->mode != HOST_UP || !os_is_terminal(2) || term == NULL ||
        strcmp(term, "dumb") == 0)
        return false;
    for (uint32_t i = 0; i < h->project.conf.stream_count; i++)
        for (uint32_t k = 0; k < h->project.conf.streams[i].to_count; k++)
            if (h->project.conf.streams[i].to[k].console)
                return false;
    return h->project.conf.settings.log.format == CONF_LOG_TEXT;
}

static bool start(struct host *h, struct err *err)
{
    timer_init(&h->for_timer, on_for_timer);
    timer_init(&h->end_timer, on_end_timer);
    msg_init(&h->stop_msg, handle_stop);
    msg_init(&h->broker_ended, handle_broker_ended);
    msg_init(&h->registry_ended, handle_registry_ended);
    TRY(make_loops(h, err));
    TRY(open_store(h, err));
    if (project_wants_builtin(&h->project))
        TRY(builtin_start(h->pool, h->net, &h->builtin, err));
    TRY(open_registry(h, err));
    const struct engine_options options = {
        .registry = h->registry,
        .on_refused = on_refused,
        .once = h->options->mode == HOST_ONCE && h->options->for_ms == 0,
        .sources = !h->options->no_sources,
        .reset_stream = h->options->reset_stream,
        .reset_sink = h->options->reset_sink,
        .reset_replace = h->options->reset_replace,
        .builtin_url = h->builtin ? builtin_url(h->builtin) : NULL,
        .main = h->main,
        .net = h->net,
        .work = h->work,
        .on_quiet = on_quiet,
        .on_stopped = on_stopped,
        .arg = h,
    };
    TRY(engine_new(h->pool, &h->project, h->store, &options, &h->engine, err));
    TRY(listen_kafka(h, err));
    TRY(listen_registry(h, err));
    h->web_arg = (struct web){h->engine, h->broker};
    TRY(listen_http(h, err));
    TRY(loop_start(h->disk, err));
    TRY(loop_start(h->net, err));
    TRY(loop_start(h->work, err));
    engine_start(h->engine);
    h->engine_started = true;
    struct err ignored;
    if (!control_start(
            h->pool, &h->project, h->store, h->engine, h->broker ? broker_address(h->broker) : NULL,
            h->registry_server ? registry_server_address(h->registry_server) : NULL, &h->control, &ignored))
        event_err(EVENT_CONTROL, "control.sock", &ignored); /* all but other commands works */
    if (h->options->for_ms > 0)
        timer_set_in(&h->for_timer, h->options->for_ms * NS_PER_MS);
    event_log(EVENT_STARTED, h->project.conf.name, "%u source%s, %u stream%s; data in %s",
              h->project.conf.source_count, h->project.conf.source_count == 1 ? "" : "s",
              h->project.conf.stream_count, h->project.conf.stream_count == 1 ? "" : "s", h->project.data);
    if (h->broker)
        event_log(EVENT_LISTENING, "kafka", "%s", broker_address(h->broker));
    if (h->registry_server)
        event_log(EVENT_LISTENING, "registry", "http://%s", registry_server_address(h->registry_server));
    if (h->web)
        event_log(EVENT_LISTENING, "http", "http://%s", http_server_address(h->web));
    if (wants_live(h))
        h->live = live_start(h->pool, &h->project, h->engine);
    if (h->options->started)
        h->options->started(h->options->arg, h);
    return true;
}

static void stop_loop(struct loop *loop)
{
    if (loop == NULL)
        return;
    loop_stop(loop);
    loop_join(loop);
}

/* Work first, then the net, then the disk, which everyone writes through. */
static void finish(struct host *h)
{
    struct err err;
    live_stop(h->live);
    control_stop(h->control);
    if (h->engine_started) {
        stop_loop(h->work);
        stop_loop(h->net);
        stop_loop(h->disk);
    } else if (h->main) { /* it began, and nothing else did */
        loop_stop(h->main);
        loop_run(h->main);
    }
    http_server_stop(h->web);
    registry_server_stop(h->registry_server);
    registry_free(h->registry);
    broker_stop(h->broker);
    engine_free(h->engine);
    builtin_stop(h->builtin);
    if (h->store && !store_close(h->store, &err))
        h->status = cli_fail(h->args, &err);
    loop_free(h->work);
    loop_free(h->net);
    loop_free(h->disk);
    loop_free(h->main);
    pool_free(h->pool);
}

int host_run(struct cli_args *args, const char *folder, const struct host_options *options)
{
    struct host h = {.args = args, .options = options, .arena = args->arena, .pool = pool_new(NULL, "host")};
    struct conf_diags diags = {.arena = args->arena};
    struct err err;
    project_load(args->arena, folder, args->sets, args->set_count, &h.project, &diags);
    if (host_say(args, &diags) != EXIT_DONE) {
        pool_free(h.pool);
        return EXIT_USAGE;
    }
    os_vfs_register();
    os_raise_file_limit();
    event_setup((enum event_level)h.project.conf.settings.log.level,
                h.project.conf.settings.log.format == CONF_LOG_JSON, os_adopt(2));
    if (start(&h, &err))
        loop_run(h.main);
    else
        h.status = cli_fail(args, &err);
    if (h.engine_started && options->mode == HOST_ONCE && engine_has_failed(h.engine))
        h.status = EXIT_FAILED; /* the log lines say what */
    bool ran = h.engine_started;
    finish(&h);
    if (ran)
        event_log(EVENT_STOPPED, h.project.conf.name, "ended in order");
    return h.status;
}

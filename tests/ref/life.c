#include "ref/life.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/command.h"
#include "obs/event.h"
#include "os/vfs.h"

enum { CRASHES_MAX = 12, LIVES_MAX = 40 };

struct life {
    struct loop *main;
    struct engine *engine;
    struct timer stop;
};

static struct life_report *shared;
static const struct life_plan *current;

static void on_quiet(void *arg)
{
    engine_stop(((struct life *)arg)->engine);
}

static void on_stop(struct timer *timer)
{
    engine_stop(CONTAINER_OF(timer, struct life, stop)->engine);
}

static void on_stopped(void *arg)
{
    loop_stop(((struct life *)arg)->main);
}

static int complain(const struct err *err)
{
    snprintf(shared->error, sizeof shared->error, "%.300s; %.200s", err->text, err->hint);
    return 1;
}

static void note_failure(const struct engine *engine) UNSHARED
{
    shared->failed = engine_has_failed(engine);
    shared->errors = event_count(EVENT_LEVEL_ERROR);
    shared->loud = event_count(EVENT_LEVEL_WARN) + event_count(EVENT_LEVEL_ERROR);
    for (const struct stream *s = engine->streams; s; s = s->next) {
        if (s->err.class != ERR_NONE && shared->error[0] == '\0')
            complain(&s->err);
        for (uint32_t i = 0; i < s->member_count; i++)
            if (s->members[i]->err.class != ERR_NONE && shared->error[0] == '\0')
                complain(&s->members[i]->err);
    }
}

static void on_store_event(void *arg, enum store_event event, const char *text)
{
    (void)arg;
    shared->disk_full = shared->disk_full || event == STORE_DISK_FULL;
    if (event == STORE_TROUBLE || event == STORE_DISK_FULL)
        event_log(event == STORE_TROUBLE ? EVENT_STORE_DAMAGE : EVENT_DISK_FULL, "store", "%s", text);
}

static void set_faults(struct engine *engine)
{
    engine->faults = current->faults;
    for (struct stream *s = engine->streams; s; s = s->next)
        for (uint32_t i = 0; i < s->member_count; i++)
            s->members[i]->spec.fault_position_apart = current->sink_position_apart;
}

/* A command, in this life. */
static int call(const char *const *argv, uint32_t argc, const struct project *project, struct store *store,
                struct engine *engine)
{
    struct sbuf out = {0};
    int status = command_call(argv, argc, project, store, engine, &out);
    if (status != 0)
        snprintf(shared->error, sizeof shared->error, "%s", out.p ? out.p : "no word");
    sbuf_fini(&out);
    return status;
}

static void forget_outbox(struct store *store)
{
    char name[100];
    struct err err;
    snprintf(name, sizeof name, "__outbox.%s", current->forget_outbox);
    struct log *log = log_get(store, name, 0);
    struct frame *frame = frame_new(store);
    CHECK(log != NULL);
    frame_log_truncate_before(frame, log, log_end(log) / 2); /* what its sinks have had */
    CHECK(frame_commit_now(frame, &err));
    frame_free(frame);
    log_release(log);
}

static int live(void *arg)
{
    struct arena arena = {0};
    struct pool *pool = pool_new(NULL, "life");
    struct conf_diags diags = {.arena = &arena};
    struct project project;
    struct life life;
    struct loop *net, *disk, *work;
    struct store *store;
    struct err err;
    (void)arg;
    mem_fail_after(current->fail_allocation);
    os_vfs_register();
    event_setup(getenv("VERBOSE") ? EVENT_LEVEL_DEBUG : EVENT_LEVEL_ERROR, false, -1);
    if (!project_load(&arena, "/p", NULL, 0, &project, &diags)) {
        struct sbuf text = {0};
        conf_diags_print(&text, &diags, false);
        fprintf(stderr, "%s", text.p ? text.p : "no diagnostics");
        return 1;
    }
    const struct store_options store_options = {.ring_bytes = 4 << 20,
                                                .ring_file_bytes = 1 << 20,
                                                .tail_bytes = 256 << 10,
                                                .flight_bytes = 1,
                                                .flush = current->flush,
                                                .log_event = on_store_event};
    if (!loop_new(ROLE_MAIN, "main", &life.main, &err) || !loop_new(ROLE_NET, "net", &net, &err) ||
        !loop_new(ROLE_DISK, "disk", &disk, &err) || !loop_new(ROLE_WORK, "work", &work, &err) ||
        !os_mkdirs(project.data, &err) || !loop_start(life.main, &err) ||
        !store_open(pool, project.data, &store_options, disk, &store, &err))
        return complain(&err);
    if (current->restore && call((const char *const[]){"checkpoint", "restore", current->restore, "--yes"}, 4,
                                 &project, store, NULL) != 0)
        return 1;
    if (current->forget_outbox)
        forget_outbox(store);
    const struct engine_options options = {.once = true,
                                           .sources = true,
                                           .main = life.main,
                                           .net = net,
                                           .work = work,
                                           .on_quiet = on_quiet,
                                           .on_stopped = on_stopped,
                                           .arg = &life,
                                           .reset_stream = current->reset_stream,
                                           .reset_replace = current->reset_replace};
    if (!engine_new(pool, &project, store, &options, &life.engine, &err))
        return complain(&err);
    set_faults(life.engine);
    if (current->replay && call((const char *const[]){"stream", "replay", current->replay, "--bad"}, 4,
                                &project, store, life.engine) != 0)
        return 1;
    if (!loop_start(disk, &err) || !loop_start(net, &err) || !loop_start(work, &err))
        return complain(&err);
    shared->started = true;
    timer_init(&life.stop, on_stop);
    if (current->stop_after_ms)
        timer_set_in(&life.stop, current->stop_after_ms * NS_PER_MS);
    engine_start(life.engine);
    loop_run(life.main);
    loop_stop(work);
    loop_join(work);
    loop_stop(net);
    loop_join(net);
    loop_stop(disk);
    loop_join(disk);
    note_failure(life.engine);
    engine_free(life.engine);
    shared->allocations = mem_fail_after(0);
    return store_close(store, &err) ? 0 : complain(&err);
}

void life_project(const char *yaml)
{
    struct err err;
    CHECK(os_mkdirs("/p", &err) && os_write_file("/p/sluice.yaml", yaml, strlen(yaml), &err));
    shared = sim_shared(sizeof *shared);
}

enum sim_end life_run(const struct life_plan *plan, const struct sim_options *options,
                      struct life_report *report)
{
    int status = 0;
    *shared = (struct life_report){0};
    current = plan;
    enum sim_end end = sim_life(live, NULL, options, &status);
    *report = *shared;
    report->status = status;
    if (end == SIM_RETURNED && status != 0)
        report->failed = true;
    return end;
}

bool life_until_quiet(const struct life_plan *plan, bool only_power_cuts, struct life_report *report)
{
    for (int lives = 0; lives < LIVES_MAX; lives++) {
        const struct sim_options options = {
            .crash_after = lives >= CRASHES_MAX ? 0 : 1 + sim_below(UINT64_C(8) << sim_below(8))};
        enum sim_end end = life_run(plan, &options, report);
        if (end != SIM_CRASHED)
            return end == SIM_RETURNED && !report->failed;
        if (only_power_cuts || sim_below(2))
            sim_power_cut();
        else
            sim_kill();
    }
    return false;
}

static int see_answer(void *arg, int count, char **values, char **names)
{
    (void)arg, (void)count, (void)names;
    if (values[0])
        shared->answer = atoll(values[0]);
    return 1; /* enough */
}

static int ask(void *arg)
{
    sqlite3 *db;
    os_vfs_register();
    shared->answer = INT64_MIN;
    if (sqlite3_open_v2("/db.sqlite", &db, SQLITE_OPEN_READWRITE, OS_VFS_NAME) != SQLITE_OK)
        return 1;
    shared->answer = INT64_MIN + 1;
    int code = sqlite3_exec(db, arg, see_answer, NULL, NULL);
    if (code != SQLITE_OK && code != SQLITE_ABORT) {
        fprintf(stderr, "%s: %s\n", (const char *)arg, sqlite3_errmsg(db));
        shared->answer = INT64_MIN;
    }
    sqlite3_close(db);
    return 0;
}

int64_t life_ask(const char *sql)
{
    int status = 0;
    char *text = (char *)(uintptr_t)sql;
    return sim_life(ask, text, NULL, &status) == SIM_RETURNED ? shared->answer : INT64_MIN;
}

struct look {
    const char *topic;
    int (*each)(void *arg, struct str value);
    void *arg;
};

static int look_at_slice(const struct look *look, const struct log_slice *slice)
{
    int bad = 0;
    for (size_t i = 0; i < slice->n;) {
        struct records_reader reader;
        struct record record;
        struct buf *scratch;
        struct err err;
        bool more = true;
        if (!records_open(slice->p + i, slice->n - i, NULL, &scratch, &reader, &err))
            return complain(&err);
        i += reader.batch.size;
        while (records_next(&reader, &record, &more, &err) && more)
            bad |= look->each(look->arg, record.value);
    }
    return bad;
}

static int look_at_topic(void *arg)
{
    const struct look *look = arg;
    struct pool *pool = pool_new(NULL, "look");
    struct topic_info info;
    struct loop *disk;
    struct store *store;
    struct err err;
    int bad = 0;
    if (!loop_new(ROLE_DISK, "disk", &disk, &err) ||
        !store_open(pool, "/d", &(struct store_options){0}, disk, &store, &err))
        return complain(&err);
    if (!store_topic(store, look->topic, &info))
        return 1;
    for (int32_t p = 0; p < info.partitions; p++) {
        struct log *log = log_get(store, look->topic, p);
        for (int64_t at = log_start(log); at < log_end(log);) {
            struct log_slice slice;
            if (!log_read(log, at, 1 << 20, &slice, &err))
                return complain(&err);
            bad |= look_at_slice(look, &slice);
            at = slice.next_offset;
            buf_unref(slice.buf);
        }
        log_release(log);
    }
    return bad;
}

int life_topic(const char *topic, int (*each)(void *arg, struct str value), void *arg)
{
    struct look look = {topic, each, arg};
    int status = 0;
    return sim_life(look_at_topic, &look, NULL, &status) == SIM_RETURNED ? status : 1;
}

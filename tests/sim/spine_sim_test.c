/* The way of a record under the simulator: generator → topic → stream → topic, SQLite table and Delta table, while lives end at any call
 * with a power cut or a kill. Whatever happened: in the end each row is in each place once, and in the topic in order.
 *
 * SEEDS=n runs n seeds, SEED=n one. */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/test.h"
#include "format/json_tree.h"
#include "format/parquet.h"
#include "job/engine.h"
#include "obs/event.h"
#include "os/sim.h"
#include "os/vfs.h"
#include "sink/delta/log.h"

enum { ROWS = 300, LIVES_MAX = 40, SEEDS = 900 };

static const char PROJECT[] =
    "name: spine\n"
    "settings: { data: /d, checkpoint: 20ms, log: { level: error } }\n"
    "connections: { db: 'sqlite:/db.sqlite', lake: 'file:/lake' }\n"
    "sources:\n"
    "  rows: { kind: generator, rate: 1000/s, rows: 300, columns: { n: n, k: n % 7 }, to: input }\n"
    "topics:\n"
    "  input: { schema: 'n BIGINT, k BIGINT' }\n"
    "  output: { schema: 'n BIGINT, k BIGINT, t STRING' }\n"
    "streams:\n"
    "  copy:\n"
    "    sql: SELECT n, k, concat('row ', n) AS t FROM STREAM input\n"
    "    to:\n"
    "      - topic: output\n"
    "      - { table: db.plain }\n"
    "      - { table: db.keyed, key: [n], mode: upsert }\n"
    "      - { table: lake.copy, cadence: 50ms }\n"
    "  totals:\n"
    "    sql: SELECT k, count(*) AS c, sum(n) AS s FROM STREAM input GROUP BY k\n"
    "    to: [ { table: db.totals, key: [k], mode: upsert } ]\n";

/* ---- a life ----------------------------------------------------------------------------------------------------------- */

struct life {
    struct loop *main;
    struct engine *engine;
};

static void on_quiet(void *arg)
{
    engine_stop(((struct life *)arg)->engine);
}

static void on_stopped(void *arg)
{
    loop_stop(((struct life *)arg)->main);
}

static int complain(const struct err *err, const char *what)
{
    fprintf(stderr, "%s: %s (%s)\n", what, err->text, err->hint);
    return 1;
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
    os_vfs_register();
    event_setup(getenv("VERBOSE") ? EVENT_LEVEL_DEBUG : EVENT_LEVEL_ERROR, false, -1);
    if (!project_load(&arena, "/p", NULL, 0, &project, &diags)) {
        struct sbuf text = {0};
        conf_diags_print(&text, &diags, false);
        fprintf(stderr, "%s", text.p ? text.p : "no diagnostics");
        return 1;
    }
    const struct store_options store_options = {
        .ring_bytes = 4 << 20, .ring_file_bytes = 1 << 20, .tail_bytes = 256 << 10, .flight_bytes = 1};
    if (!loop_new(ROLE_MAIN, "main", &life.main, &err) || !loop_new(ROLE_NET, "net", &net, &err) ||
        !loop_new(ROLE_DISK, "disk", &disk, &err) || !loop_new(ROLE_WORK, "work", &work, &err) ||
        !os_mkdirs(project.data, &err) || !loop_start(life.main, &err) ||
        !store_open(pool, project.data, &store_options, disk, &store, &err))
        return complain(&err, "start");
    const struct engine_options options = {.once = true,
                                           .sources = true,
                                           .main = life.main,
                                           .net = net,
                                           .work = work,
                                           .on_quiet = on_quiet,
                                           .on_stopped = on_stopped,
                                           .arg = &life};
    if (!engine_new(pool, &project, store, &options, &life.engine, &err) || !loop_start(disk, &err) ||
        !loop_start(net, &err) || !loop_start(work, &err))
        return complain(&err, "engine");
    engine_start(life.engine);
    loop_run(life.main);
    loop_stop(work);
    loop_join(work);
    loop_stop(net);
    loop_join(net);
    loop_stop(disk);
    loop_join(disk);
    engine_free(life.engine);
    return store_close(store, &err) ? 0 : complain(&err, "close");
}

/* ---- what came of it ------------------------------------------------------------------------------------------------- */

struct seen {
    uint32_t times[ROWS];
    int bad;
    char where[32];
};

static void see(struct seen *s, int64_t n)
{
    if (n < 0 || n >= ROWS) {
        fprintf(stderr, "%s: row %lld was never sent\n", s->where, (long long)n);
        s->bad++;
    } else {
        s->times[n]++;
    }
}

static int judge(struct seen *s)
{
    for (int i = 0; i < ROWS; i++)
        if (s->times[i] != 1 && s->bad++ < 5)
            fprintf(stderr, "%s: row %d is there %u times\n", s->where, i, s->times[i]);
    return s->bad;
}

static int look_at_topic(struct store *store)
{
    struct seen s = {.where = "topic"};
    struct log *log = log_get(store, "output", 0);
    struct err err;
    int64_t last[7] = {-1, -1, -1, -1, -1, -1, -1};
    if (log == NULL)
        return 1;
    for (int64_t at = log_start(log); at < log_end(log);) {
        struct log_slice slice;
        if (!log_read(log, at, 1 << 20, &slice, &err))
            return complain(&err, "read");
        for (size_t i = 0; i < slice.n;) {
            struct records_reader reader;
            struct record record;
            struct buf *scratch;
            bool more = true;
            if (!records_open(slice.p + i, slice.n - i, NULL, &scratch, &reader, &err))
                return complain(&err, "batch");
            i += reader.batch.size;
            while (records_next(&reader, &record, &more, &err) && more) {
                struct arena arena = {0};
                const struct json_node *node;
                int64_t n = -1, k = 0;
                if (!json_parse(&arena, record.value, &node, &err) || !json_i64(node, "n", &n) ||
                    !json_i64(node, "k", &k))
                    s.bad++;
                see(&s, n);
                if (n <= last[k % 7]) {
                    fprintf(stderr, "topic: row %lld after row %lld\n", (long long)n, (long long)last[k % 7]);
                    s.bad++;
                }
                last[k % 7] = n;
                arena_fini(&arena);
            }
        }
        at = slice.next_offset;
        buf_unref(slice.buf);
    }
    log_release(log);
    return judge(&s);
}

static int see_row(void *arg, int count, char **values, char **names)
{
    (void)count, (void)names;
    see(arg, atoll(values[0]));
    return 0;
}

static int look_at_sqlite(const char *table)
{
    struct seen s = {0};
    sqlite3 *db;
    char sql[64];
    snprintf(s.where, sizeof s.where, "sqlite %s", table);
    snprintf(sql, sizeof sql, "SELECT n FROM %s", table);
    if (sqlite3_open_v2("/db.sqlite", &db, SQLITE_OPEN_READWRITE, OS_VFS_NAME) != SQLITE_OK ||
        sqlite3_exec(db, sql, see_row, &s, NULL) != SQLITE_OK) {
        fprintf(stderr, "%s: %s\n", s.where, sqlite3_errmsg(db));
        s.bad++;
    }
    sqlite3_close(db);
    return judge(&s);
}

/* count and sum of each k, as the rows say. */
static int see_total(void *arg, int count, char **values, char **names)
{
    int *bad = arg, k = atoi(values[0]), c = 0;
    long long sum = 0;
    (void)count, (void)names;
    for (int n = k; n < ROWS; n += 7) {
        c++;
        sum += n;
    }
    if (atoi(values[1]) != c || atoll(values[2]) != sum) {
        fprintf(stderr, "totals: k %d has %s rows and sum %s, not %d and %lld\n", k, values[1], values[2], c,
                sum);
        ++*bad;
    }
    *bad += 1 << 8; /* rows seen */
    return 0;
}

static int look_at_totals(void)
{
    sqlite3 *db;
    int bad = 0;
    if (sqlite3_open_v2("/db.sqlite", &db, SQLITE_OPEN_READWRITE, OS_VFS_NAME) != SQLITE_OK ||
        sqlite3_exec(db, "SELECT k, c, s FROM totals", see_total, &bad, NULL) != SQLITE_OK) {
        fprintf(stderr, "totals: %s\n", sqlite3_errmsg(db));
        bad++;
    }
    sqlite3_close(db);
    return (bad & 255) || bad >> 8 != 7;
}

static bool read_at(void *arg, uint64_t offset, size_t n, uint8_t *out, struct err *err)
{
    size_t got;
    return os_pread(*(int *)arg, out, n, offset, &got, err) && got == n;
}

static bool see_file(struct seen *s, const char *path, struct err *err)
{
    struct pool *pool = pool_new(NULL, "file");
    struct batch *batch = batch_new();
    struct os_stat stat;
    int file = -1;
    bool end = false, ok = os_open(path, OS_READ, &file, err) && os_fstat(file, &stat, err);
    const struct parquet_source source = {stat.size, read_at, &file};
    struct parquet_file *parquet = ok ? parquet_open(pool, &source, err) : NULL;
    struct parquet_scan *scan = parquet ? parquet_scan_new(pool, parquet, NULL, err) : NULL;
    ok = scan != NULL;
    while (ok && !end) {
        struct arena arena = {0};
        ok = parquet_scan_next(scan, batch, &end, err);
        for (uint32_t row = 0; ok && !end && row < batch->rows; row++)
            see(s, column_value(&batch->columns[0], row, &arena).i64);
        arena_fini(&arena);
    }
    os_close(file);
    batch_free(batch);
    pool_free(pool);
    return ok;
}

static int look_at_delta(void)
{
    struct seen s = {.where = "delta"};
    struct delta_table table = {0};
    struct arena arena = {0};
    struct err err;
    if (!delta_load(&table, "/lake/copy", -1, &err))
        return complain(&err, "delta");
    MAP_EACH(entry, &table.files)
    {
        const struct delta_file *f = entry->value;
        char *path;
        if (!delta_file_path(&table, &arena, f->path, &path, &err) || !see_file(&s, path, &err)) {
            complain(&err, "data file");
            s.bad++;
        }
    }
    delta_fini(&table);
    arena_fini(&arena);
    return judge(&s);
}

static int verify(void *arg)
{
    struct pool *pool = pool_new(NULL, "verify");
    struct loop *disk;
    struct store *store;
    struct err err;
    int bad = 0;
    (void)arg;
    os_vfs_register();
    if (!loop_new(ROLE_DISK, "disk", &disk, &err) ||
        !store_open(pool, "/d", &(struct store_options){0}, disk, &store, &err))
        return complain(&err, "verify");
    bad += look_at_topic(store);
    bad += look_at_sqlite("plain");
    bad += look_at_sqlite("keyed");
    bad += look_at_delta();
    bad += look_at_totals();
    return bad > 0;
}

/* ---- seeds --------------------------------------------------------------------------------------------------------------- */

static uint64_t lives_in_all;

static bool run_seed(uint64_t seed)
{
    struct err err;
    enum sim_end end = SIM_CRASHED;
    int status = 0, lives = 0;
    sim_open(seed);
    bool ok = os_mkdirs("/p", &err) && os_write_file("/p/sluice.yaml", PROJECT, strlen(PROJECT), &err);
    while (ok && end == SIM_CRASHED && lives < LIVES_MAX) {
        bool last = lives++ > 12;
        const struct sim_options options = {.crash_after = last ? 0
                                                                : 1 + sim_below(UINT64_C(8) << sim_below(8))};
        end = sim_life(live, NULL, &options, &status);
        lives_in_all++;
        if (end == SIM_CRASHED && sim_below(2))
            sim_power_cut();
        else if (end == SIM_CRASHED)
            sim_kill();
    }
    ok = ok && end == SIM_RETURNED && status == 0;
    if (!ok)
        fprintf(stderr, "seed %" PRIu64 ": life %d ended badly (%d, status %d)\n", seed, lives, end, status);
    else if (sim_life(verify, NULL, NULL, &status) != SIM_RETURNED || status != 0) {
        fprintf(stderr, "seed %" PRIu64 ": wrong after %d lives\n", seed, lives);
        ok = false;
    }
    sim_close();
    return ok;
}

TEST(each_row_is_everywhere_once)
{
    const char *one = getenv("SEED"), *many = getenv("SEEDS");
    uint64_t first = one ? strtoull(one, NULL, 10) : 1;
    uint64_t count = one ? 1 : many ? strtoull(many, NULL, 10) : SEEDS;
    for (uint64_t seed = first; seed < first + count; seed++)
        if (!EXPECT(run_seed(seed)))
            return;
    printf("%" PRIu64 " seeds, %" PRIu64 " lives\n", count, lives_in_all);
}

int main(void)
{
    RUN(each_row_is_everywhere_once);
    return test_end();
}

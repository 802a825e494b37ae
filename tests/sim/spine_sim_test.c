/* The way of a record under the simulator: generator → topic → stream → topic, SQLite table and Delta table, while lives end at any call
 * with a power cut or a kill, or one call or one allocation of a life fails. Whatever happened: in the end each row is in each place once, and
 * in the topic in order.
 *
 * ref/seeds.h says how to run more seeds and failures, or others. */
#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/test.h"
#include "format/parquet.h"
#include "log/log_private.h"
#include "os/vfs.h"
#include "ref/life.h"
#include "ref/seeds.h"
#include "sink/delta/log.h"
#include "json/tree.h"

enum { ROWS = 300, LIVES_MAX = 40, SEEDS = 1000 };

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

static int complain(const struct err *err, const char *what)
{
    fprintf(stderr, "%s: %s (%s)\n", what, err->text, err->hint);
    return 1;
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

/* The last life came to rest, and everything is where it belongs. */
static bool is_right(enum sim_end end, const struct life_report *report)
{
    int status = 0;
    if (end != SIM_RETURNED || report->failed) {
        fprintf(stderr, "a life ended badly (%d, status %d): %s\n", end, report->status, report->error);
        return false;
    }
    return sim_life(verify, NULL, NULL, &status) == SIM_RETURNED && status == 0;
}

/* ---- seeds --------------------------------------------------------------------------------------------------------------- */

static uint64_t lives_in_all;

static bool run_seed(uint64_t seed)
{
    const struct life_plan plan = {0};
    struct life_report report;
    enum sim_end end = SIM_CRASHED;
    int lives = 0;
    sim_open(seed);
    life_project(PROJECT);
    while (end == SIM_CRASHED && lives < LIVES_MAX) {
        bool last = lives++ > 12;
        const struct sim_options options = {.crash_after = last ? 0
                                                                : 1 + sim_below(UINT64_C(8) << sim_below(8))};
        end = life_run(&plan, &options, &report);
        lives_in_all++;
        if (end == SIM_CRASHED && sim_below(2))
            sim_power_cut();
        else if (end == SIM_CRASHED)
            sim_kill();
    }
    bool ok = is_right(end, &report);
    if (!ok)
        fprintf(stderr, "seed %" PRIu64 ": wrong after %d lives\n", seed, lives);
    sim_close();
    return ok;
}

TEST(each_row_is_everywhere_once)
{
    uint64_t count = seed_count(SEEDS);
    for (uint64_t seed = seed_first(); seed < seed_end(count); seed++)
        if (!EXPECT(run_seed(seed)))
            return;
    printf("%" PRIu64 " seeds, %" PRIu64 " lives\n", count, lives_in_all);
}

/* ---- the n-th failure ------------------------------------------------------------------------------------------------------ */

enum { FAILURES = 60, NO_MEMORY = 70 /* so the allocator ends the program */ };

static struct {
    uint64_t calls, recovery_calls, changes, allocations; /* of a life in which nothing fails */
    uint64_t survived, stopped, died;
} seen_failures;

static void crash(void)
{
    if (sim_below(2))
        sim_power_cut();
    else
        sim_kill();
}

/* One life in which one thing fails, after a crash or as the first one. It goes on, or stops something and says so, or ends as the store
 * and the allocator do. The next life makes everything right. */
static bool run_failure(uint64_t seed, const struct life_plan *plan, const struct sim_options *options,
                        bool after_crash)
{
    const struct life_plan whole = {0};
    struct life_report report;
    sim_open(seed);
    life_project(PROJECT);
    if (after_crash) {
        const struct sim_options half = {.crash_after = 1 + sim_below(seen_failures.changes)};
        if (life_run(&whole, &half, &report) == SIM_CRASHED)
            crash();
    }
    enum sim_end end = life_run(plan, options, &report);
    bool ok = end == SIM_RETURNED || (end == SIM_EXITED && report.status == STORE_EXIT) ||
              (end == SIM_FAILED && report.status == NO_MEMORY);
    if (!ok)
        fprintf(stderr, "the life ended with status %d\n", report.status);
    *(end != SIM_RETURNED ? &seen_failures.died
      : report.failed     ? &seen_failures.stopped
                          : &seen_failures.survived) += 1;
    if (getenv("VERBOSE") && report.failed)
        fprintf(stderr, "%s\n", report.error);
    crash();
    if (ok) {
        end = life_run(&whole, NULL, &report);
        ok = is_right(end, &report);
    }
    sim_close();
    return ok;
}

static void count_calls(void)
{
    const struct life_plan whole = {0};
    struct life_report report;
    sim_open(1);
    life_project(PROJECT);
    EXPECT(life_run(&whole, NULL, &report) == SIM_RETURNED && !report.failed);
    seen_failures.calls = sim_calls_fallible();
    seen_failures.changes = sim_calls();
    seen_failures.allocations = report.allocations;
    sim_close();
    const struct sim_options half = {.crash_after = seen_failures.changes / 2};
    sim_open(1);
    life_project(PROJECT);
    EXPECT(life_run(&whole, &half, &report) == SIM_CRASHED);
    sim_kill();
    EXPECT(life_run(&whole, NULL, &report) == SIM_RETURNED && !report.failed);
    seen_failures.recovery_calls = sim_calls_fallible();
    sim_close();
}

/* The index-th of count numbers from 1 to max, evenly, each run of this test others. */
static uint64_t spread(uint64_t index, uint64_t count, uint64_t max)
{
    return count >= max ? 1 + index % max : 1 + index * max / count + index * 7919 % (max / count);
}

TEST(any_call_may_fail)
{
    static const int errors[] = {EIO, ENOSPC, EMFILE, ENOMEM, EACCES};
    const struct life_plan whole = {0};
    uint64_t count = seed_count(FAILURES);
    count_calls();
    for (uint64_t i = 0; i < count; i++) {
        bool after_crash = i % 2;
        struct sim_options options = {
            .fail_after = spread(i, count, after_crash ? seen_failures.recovery_calls : seen_failures.calls),
            .fail_errno = errors[i / 2 % (sizeof errors / sizeof *errors)],
            .fail_sync_loses = i % 3 != 0};
        if (!EXPECT(run_failure(seed_first() + i, &whole, &options, after_crash))) {
            fprintf(stderr, "failure %" PRIu64 ": call %" PRIu64 ", errno %d\n", i, options.fail_after,
                    options.fail_errno);
            return;
        }
    }
    printf("of %" PRIu64 " calls %" PRIu64 " failed: %" PRIu64 " lives went on, %" PRIu64
           " stopped something, %" PRIu64 " ended\n",
           seen_failures.calls, count, seen_failures.survived, seen_failures.stopped, seen_failures.died);
}

TEST(any_allocation_may_fail)
{
    uint64_t count = seed_count(FAILURES);
    if (seen_failures.allocations == 0)
        count_calls();
    for (uint64_t i = 0; i < count; i++) {
        const struct life_plan plan = {.fail_allocation = spread(i, count, seen_failures.allocations)};
        if (!EXPECT(run_failure(seed_first() + i, &plan, NULL, i % 2))) {
            fprintf(stderr, "allocation %" PRIu64 "\n", plan.fail_allocation);
            return;
        }
    }
    printf("of %" PRIu64 " allocations %" PRIu64 " failed\n", seen_failures.allocations, count);
}

int main(void)
{
    RUN(each_row_is_everywhere_once);
    RUN(any_call_may_fail);
    RUN(any_allocation_may_fail);
    return test_end();
}

/* `bad.retention`: how long rejected rows stay, in a SQLite database and in a Delta table, by the simulator's clock; through kills and power cuts.
 *
 * SEEDS=n runs n seeds. */
#include <stdio.h>
#include <stdlib.h>

#include "base/test.h"
#include "ref/life.h"
#include "sink/delta/scan.h"

enum { SEEDS = 6, BAD = 30 /* of 300 rows */ };

#define HOUR_NS (3600 * NS_PER_S)

static uint64_t seeds(void)
{
    const char *many = getenv("SEEDS");
    return many ? strtoull(many, NULL, 10) : SEEDS;
}

/* The bad rows of one stream go to a database, those of the other to a Delta table. */
static void project(const char *rate, const char *retention)
{
    char yaml[2048];
    snprintf(
        yaml, sizeof yaml,
        "name: kept\nsettings: { data: /d, log: { level: error } }\nconnections: { db: 'sqlite:/db.sqlite' }\n"
        "sources:\n  rows: { kind: generator, rate: %s, rows: 300, columns: { n: n }, to: input }\n"
        "topics:\n  input: { schema: 'n BIGINT' }\n"
        "streams:\n  base:\n    sql: SELECT 1 / (n %% 10) AS q FROM STREAM input\n    to: [ { table: db.base } ]\n"
        "    bad: { connection: db, retention: %s }\n"
        "  lake:\n    sql: SELECT 1 / (n %% 10) AS q FROM STREAM input\n    to: [ { table: db.lake } ]\n"
        "    bad: { retention: %s }\n",
        rate, retention, retention);
    life_project(yaml);
}

static int count_lake(void *arg)
{
    struct pool *pool = pool_new(NULL, "count");
    struct batch *batch = batch_new();
    struct err err;
    struct delta_scan *scan = delta_scan_new(pool, "/d/tables/lake_bad", -1, NULL, &err);
    int64_t *rows = arg;
    bool end = false;
    while (scan && !end && delta_scan_next(scan, batch, &end, &err))
        *rows += batch->rows;
    batch_free(batch);
    pool_free(pool);
    return !end;
}

static int64_t in_lake(void)
{
    int64_t *rows = sim_shared(sizeof *rows);
    int status = 0;
    *rows = 0;
    return sim_life(count_lake, rows, NULL, &status) == SIM_RETURNED && status == 0 ? *rows : -1;
}

static int64_t in_base(void)
{
    return life_ask("SELECT count(*) FROM base_bad");
}

static bool all_rows_are_there(void)
{
    return life_ask("SELECT (SELECT count(*) FROM base) = 270 AND (SELECT count(*) FROM lake) = 270") == 1;
}

/* Each `run` looks: nothing has to come for what is there to go. */
TEST(rows_of_an_earlier_life_go)
{
    const struct life_plan whole = {0};
    struct life_report report;
    for (uint64_t seed = 1; seed <= seeds(); seed++) {
        sim_open(seed);
        project("1000/s", "10h");
        EXPECT(life_until_quiet(&whole, false, &report));
        EXPECT_EQ_INT(in_base(), BAD);
        EXPECT_EQ_INT(in_lake(), BAD);
        sim_advance(9 * HOUR_NS);
        EXPECT(life_until_quiet(&whole, false, &report));
        EXPECT_EQ_INT(in_base(), BAD);
        EXPECT_EQ_INT(in_lake(), BAD);
        sim_advance(2 * HOUR_NS);
        EXPECT(life_until_quiet(&whole, false, &report));
        EXPECT_EQ_INT(in_base(), 0);
        EXPECT_EQ_INT(in_lake(), 0);
        EXPECT(all_rows_are_there());
        sim_close();
    }
}

/* A bad row each ten seconds: of those of the last minute there are six, and some that wait for the next look. */
TEST(rows_go_while_it_runs)
{
    const struct life_plan whole = {0};
    struct life_report report;
    sim_open(1);
    project("1/s", "1m");
    EXPECT(life_run(&whole, NULL, &report) == SIM_RETURNED && !report.failed);
    EXPECT(in_base() >= 5 && in_base() <= 13);
    EXPECT(in_lake() >= 5 && in_lake() <= 13);
    EXPECT(all_rows_are_there());
    sim_close();
}

TEST(for_ever_is_for_ever)
{
    const struct life_plan whole = {0};
    struct life_report report;
    sim_open(1);
    project("1000/s", "forever");
    EXPECT(life_until_quiet(&whole, false, &report));
    sim_advance(100000 * HOUR_NS);
    EXPECT(life_until_quiet(&whole, false, &report));
    EXPECT_EQ_INT(in_base(), BAD);
    EXPECT_EQ_INT(in_lake(), BAD);
    sim_close();
}

int main(void)
{
    RUN(rows_of_an_earlier_life_go);
    RUN(rows_go_while_it_runs);
    RUN(for_ever_is_for_ever);
    return test_end();
}

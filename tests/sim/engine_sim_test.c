/* What the engine does between lives, and that its mechanisms are what makes it right: each of them is switched off here, and missed.
 *
 * ref/seeds.h says how to run more seeds, or others. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <zlib.h>

#include "base/test.h"
#include "ref/life.h"
#include "ref/seeds.h"
#include "json/tree.h"

enum { ROWS = 300, SEEDS = 6, CAUGHT_WITHIN = 200 };

#define HEAD                                                                                                 \
    "name: spine\nsettings: { data: /d, checkpoint: 20ms, log: { level: error } }\nconnections: { db: 'sqlite:/db.sqlite' }\n"
#define ROWS_300                                                                                             \
    "sources:\n  rows: { kind: generator, rate: 1000/s, rows: 300, columns: { n: n, k: n % 7 }, to: input }\n"
#define COPY                                                                                                 \
    "  copy:\n    sql: SELECT n, k FROM STREAM input\n    to: [ { topic: output }, { table: db.plain } ]\n"
#define TOTALS                                                                                               \
    "  totals:\n    sql: SELECT k, count(*) AS c, sum(n) AS s FROM STREAM input GROUP BY k\n"                \
    "    to: [ { table: db.totals, key: [k], mode: upsert } ]\n"
#define TOPICS                                                                                               \
    "topics:\n  input: { schema: 'n BIGINT, k BIGINT' }\n  output: { schema: 'n BIGINT, k BIGINT' }\nstreams:\n"

static const char SPINE[] = HEAD ROWS_300 TOPICS COPY TOTALS;

static uint64_t seeds(void)
{
    return seed_count(SEEDS);
}

/* ---- what came of it -------------------------------------------------------------------------------------------------------- */

static int see_n(void *arg, struct str value)
{
    uint32_t *times = arg;
    struct arena arena = {0};
    const struct json_node *node;
    int64_t n = -1;
    struct err err;
    bool ok = json_parse(&arena, value, &node, &err) && json_i64(node, "n", &n) && n >= 0 && n < ROWS;
    arena_fini(&arena);
    if (ok)
        times[n]++;
    return !ok;
}

static bool topic_is_right(void)
{
    uint32_t *times = sim_shared(ROWS * sizeof *times);
    memset(times, 0, ROWS * sizeof *times);
    bool ok = life_topic("output", see_n, times) == 0;
    for (int i = 0; i < ROWS; i++)
        ok = ok && times[i] == 1;
    return ok;
}

static bool table_is_right(const char *table)
{
    char sql[200];
    snprintf(sql, sizeof sql,
             "SELECT count(*) = %d AND count(DISTINCT n) = %d AND min(n) = 0 AND max(n) = %d FROM %s", ROWS,
             ROWS, ROWS - 1, table);
    return life_ask(sql) == 1;
}

static bool totals_are_right(void)
{
    return life_ask(
               "WITH RECURSIVE r(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM r WHERE n < 299), "
               "w AS (SELECT n % 7 AS k, count(*) AS c, sum(n) AS s FROM r GROUP BY 1) "
               "SELECT (SELECT count(*) FROM totals) = 7 AND NOT EXISTS (SELECT k, c, s FROM w EXCEPT SELECT k, c, s FROM totals)") ==
           1;
}

static bool all_is_right(void)
{
    return topic_is_right() && table_is_right("plain") && totals_are_right();
}

/* Does everything come out right, whatever happens? */
static bool comes_right(uint64_t seed, const struct life_plan *plan, bool only_power_cuts, bool lose_database)
{
    struct life_report report;
    sim_open(seed);
    life_project(SPINE);
    bool ok = true;
    if (lose_database) {
        const struct life_plan first = {.stop_after_ms = 150};
        ok = life_run(&first, NULL, &report) == SIM_RETURNED && !report.failed;
        struct err err;
        ok = ok && os_unlink("/db.sqlite", &err);
        (void)!os_unlink("/db.sqlite-wal", NULL);
    }
    ok = ok && life_until_quiet(plan, only_power_cuts, &report);
    if (lose_database && report.failed && strstr(report.error, "deleted or replaced")) {
        sim_close();
        return true; /* refused: that is right */
    }
    ok = ok && all_is_right();
    sim_close();
    return ok;
}

static bool is_caught(const struct life_plan *plan, bool only_power_cuts, bool lose_database)
{
    for (uint64_t seed = 1; seed <= CAUGHT_WITHIN; seed++)
        if (!comes_right(seed, plan, only_power_cuts, lose_database))
            return true;
    return false;
}

/* ---- flush: os ---------------------------------------------------------------------------------------------------------------------- */

/* A table never holds an identity that a power cut takes from the store: the next start would take it for somebody else's. */
TEST(an_identity_is_durable_before_a_table_holds_it)
{
    const struct life_plan plan = {.flush = STORE_FLUSH_OS};
    struct life_report report;
    for (uint64_t seed = seed_first(); seed < seed_end(20 * seeds()); seed++) {
        const struct sim_options cut = {.crash_after = 60 + seed % 100};
        sim_open(seed);
        life_project(SPINE);
        EXPECT(life_run(&plan, &cut, &report) == SIM_CRASHED);
        sim_power_cut();
        if (!EXPECT(life_run(&plan, NULL, &report) == SIM_RETURNED && !report.failed))
            fprintf(stderr, "seed %llu: %s\n", (unsigned long long)seed, report.error);
        sim_close();
    }
}

/* ---- mechanisms ----------------------------------------------------------------------------------------------------------------- */

TEST(with_every_mechanism_all_comes_right)
{
    const struct life_plan plan = {0}, os = {.flush = STORE_FLUSH_OS};
    for (uint64_t seed = seed_first(); seed < seed_end(seeds()); seed++) {
        if (!EXPECT(comes_right(seed, &plan, false, false)) || !EXPECT(comes_right(seed, &os, true, false)) ||
            !EXPECT(comes_right(seed, &plan, false, true))) {
            fprintf(stderr, "seed %llu\n", (unsigned long long)seed);
            return;
        }
    }
}

TEST(topic_position_apart_is_caught)
{
    const struct life_plan plan = {.faults.topic_position_apart = true};
    EXPECT(is_caught(&plan, false, false));
}

TEST(source_position_late_is_caught)
{
    const struct life_plan plan = {.faults.source_position_late = true};
    EXPECT(is_caught(&plan, false, false));
}

TEST(sink_position_apart_is_caught)
{
    const struct life_plan plan = {.sink_position_apart = true};
    EXPECT(is_caught(&plan, false, false));
}

TEST(no_changelog_is_caught)
{
    const struct life_plan plan = {.faults.no_changelog = true};
    EXPECT(is_caught(&plan, false, false));
}

TEST(beyond_synced_is_caught)
{
    const struct life_plan plan = {.faults.beyond_synced = true, .flush = STORE_FLUSH_OS};
    EXPECT(is_caught(&plan, true, false));
}

TEST(no_identity_is_caught)
{
    const struct life_plan plan = {.faults.no_identity = true};
    EXPECT(is_caught(&plan, false, true));
}

/* ---- checkpoints ---------------------------------------------------------------------------------------------------------------- */

static const struct life_plan WHOLE = {0};

/* Two checkpoints and a changelog, and more to come; count of checkpoint files damaged, the newest first. */
static bool damaged_checkpoints(size_t damaged, struct life_report *report)
{
    struct arena arena = {0};
    struct err err;
    char **names;
    size_t count = 0;
    const struct life_plan first = {.stop_after_ms = 200};
    life_project(HEAD ROWS_300 TOPICS
                 "  copy:\n    sql: SELECT n, k FROM STREAM input\n    to: [ { topic: output } ]\n" TOTALS);
    bool ok = life_run(&first, NULL, report) == SIM_RETURNED && !report->failed &&
              os_list("/d/checkpoints/totals", &arena, &names, &count, &err) && EXPECT(count >= 2);
    if (!ok)
        fprintf(stderr, "%zu checkpoints; %s\n", count, report->error);
    for (size_t i = 0; ok && i < damaged; i++)
        ok = sim_damage(arena_printf(&arena, "/d/checkpoints/totals/%s", names[count - 1 - i]), 40, 8);
    arena_fini(&arena);
    return ok && life_run(&WHOLE, NULL, report) == SIM_RETURNED;
}

TEST(damaged_checkpoint_costs_nothing)
{
    struct life_report report;
    for (uint64_t seed = seed_first(); seed < seed_end(seeds()); seed++) {
        sim_open(seed);
        EXPECT(damaged_checkpoints(1, &report));
        EXPECT(!report.failed && report.loud > 0 && topic_is_right() && totals_are_right());
        sim_close();
    }
}

TEST(two_damaged_checkpoints_stop_the_stream)
{
    struct life_report report;
    sim_open(1);
    EXPECT(damaged_checkpoints(2, &report));
    EXPECT(report.failed && strstr(report.error, "damaged") && strstr(report.error, "new name"));
    EXPECT(topic_is_right());
    sim_close();
}

/* A restart in which the n-th call fails, for each n: state that could not be read for a moment is read a moment later. Nothing of it is taken for
 * damage, and no stream stops. (What else may fail so is the store itself, which ends that life.) */
TEST(passing_errors_while_state_is_restored)
{
    static const int errnos[] = {EIO, EMFILE, ENOMEM};
    const struct life_plan some = {.stop_after_ms = 200};
    struct life_report report;
    uint64_t retried = 0;
    sim_open(3);
    life_project(HEAD ROWS_300 TOPICS TOTALS);
    EXPECT(life_run(&some, NULL, &report) == SIM_RETURNED && !report.failed);
    EXPECT(life_run(&WHOLE, NULL, &report) == SIM_RETURNED && !report.failed && totals_are_right());
    EXPECT(life_run(&WHOLE, NULL, &report) == SIM_RETURNED && !report.failed);
    uint64_t calls = sim_calls_fallible();
    for (uint64_t n = 1; n <= calls; n++) {
        const struct sim_options fails = {.fail_after = n, .fail_errno = errnos[n % 3]};
        enum sim_end end = life_run(&WHOLE, &fails, &report);
        bool said = strstr(report.error, "state of stream") || (report.errors > 0 && !report.failed);
        retried += !report.failed && report.errors == 0 && report.loud > 0;
        if (EXPECT(end != SIM_FAILED && end != SIM_CRASHED && !said))
            continue;
        fprintf(stderr, "call %llu of %llu: %s\n", (unsigned long long)n, (unsigned long long)calls,
                report.error);
        break;
    }
    EXPECT(retried > 0);
    EXPECT(life_run(&WHOLE, NULL, &report) == SIM_RETURNED && !report.failed && totals_are_right());
    sim_close();
}

/* Back to the newest checkpoint, at any crash, again and again; what is read a second time is counted once. */
TEST(restored_checkpoint_counts_once)
{
    struct life_report report;
    const struct life_plan first = {.stop_after_ms = 250}, restore = {.restore = "totals"};
    for (uint64_t seed = seed_first(); seed < seed_end(2 * seeds()); seed++) {
        sim_open(seed);
        life_project(HEAD ROWS_300 TOPICS TOTALS);
        bool ok = EXPECT(life_run(&first, NULL, &report) == SIM_RETURNED && !report.failed) &&
                  EXPECT(life_until_quiet(&restore, false, &report)) && EXPECT(totals_are_right()) &&
                  EXPECT(life_run(&restore, NULL, &report) == SIM_RETURNED && !report.failed) &&
                  EXPECT(totals_are_right());
        sim_close();
        if (!ok) {
            fprintf(stderr, "seed %llu: %s\n", (unsigned long long)seed, report.error);
            return;
        }
    }
}

/* ---- large turns ---------------------------------------------------------------------------------------------------------------- */

/* A watermark that closes 299 windows of 20,000 bytes: more than a frame could hold in this journal, in the outbox and in the changelog. */
TEST(large_turn_is_whole_or_absent)
{
    struct life_report report;
    for (uint64_t seed = seed_first(); seed < seed_end(3 * seeds()); seed++) {
        sim_open(seed);
        life_project(
            HEAD
            "sources:\n  rows: { kind: generator, rows: 300, columns: { n: n, ts: timestamp_seconds(n) }, to: input }\n"
            "topics:\n  input: { schema: 'n BIGINT, ts TIMESTAMP' }\nstreams:\n  wide:\n"
            "    sql: SELECT n, max(repeat('x', 20000)) AS v FROM STREAM input WATERMARK ts DELAY OF INTERVAL 0 SECONDS\n"
            "      GROUP BY window(ts, '1 second'), n\n"
            "    to: [ { table: db.plain } ]\n");
        bool ok = EXPECT(life_until_quiet(&WHOLE, false, &report)) &&
                  EXPECT(life_ask("SELECT count(*) = 299 AND count(DISTINCT n) = 299 AND max(n) = 298 AND "
                                  "sum(length(v)) = 299 * 20000 FROM plain") == 1);
        sim_close();
        if (!ok) {
            fprintf(stderr, "seed %llu: %s\n", (unsigned long long)seed, report.error);
            return;
        }
    }
}

/* ---- another query ---------------------------------------------------------------------------------------------------------------- */

TEST(changed_query_of_a_stateful_stream_is_refused)
{
    struct life_report report;
    const struct life_plan first = {.stop_after_ms = 150};
    sim_open(1);
    life_project(SPINE);
    EXPECT(life_run(&first, NULL, &report) == SIM_RETURNED && !report.failed);
    life_project(HEAD ROWS_300 TOPICS COPY
                 "  totals:\n    sql: SELECT k, count(*) AS c, max(n) AS s FROM STREAM input GROUP BY k\n"
                 "    to: [ { table: db.totals, key: [k], mode: upsert } ]\n");
    EXPECT(life_run(&WHOLE, NULL, &report) == SIM_RETURNED && report.failed &&
           strstr(report.error, "another query"));
    life_project(SPINE); /* the old query goes on as if nothing had been */
    EXPECT(life_run(&WHOLE, NULL, &report) == SIM_RETURNED && !report.failed && all_is_right());
    sim_close();
}

TEST(changed_query_of_a_stateless_stream_goes_on)
{
    struct life_report report;
    for (uint64_t seed = seed_first(); seed < seed_end(seeds()); seed++) {
        sim_open(seed);
        life_project(HEAD ROWS_300 TOPICS COPY);
        const struct sim_options crash = {.crash_after = 200 + sim_below(600)};
        life_run(&WHOLE, &crash, &report);
        sim_power_cut();
        life_project(HEAD ROWS_300 TOPICS "  copy:\n    sql: SELECT n, k, n * 2 AS twice FROM STREAM input\n"
                                          "    to: [ { topic: output }, { table: db.plain } ]\n");
        EXPECT(life_until_quiet(&WHOLE, false, &report));
        EXPECT(table_is_right("plain") && topic_is_right());
        sim_close();
    }
}

/* ---- identity ------------------------------------------------------------------------------------------------------------------------ */

TEST(added_sink_gets_everything)
{
    struct life_report report;
    for (uint64_t seed = seed_first(); seed < seed_end(seeds()); seed++) {
        sim_open(seed);
        life_project(SPINE);
        const struct sim_options crash = {.crash_after = 300 + sim_below(1500)};
        if (life_run(&WHOLE, &crash, &report) == SIM_CRASHED)
            sim_power_cut();
        life_project(
            HEAD ROWS_300 TOPICS
            "  copy:\n    sql: SELECT n, k FROM STREAM input\n    to: [ { topic: output }, { table: db.plain }, { table: db.second } ]\n" TOTALS);
        EXPECT(life_until_quiet(&WHOLE, false, &report));
        EXPECT(all_is_right() && table_is_right("second"));
        sim_close();
    }
}

#define TOTALS_TO(more)                                                                                      \
    "  totals:\n    sql: SELECT k, count(*) AS c, sum(n) AS s FROM STREAM input GROUP BY k\n"                \
    "    to: [ { table: db.totals, key: [k], mode: upsert }" more " ]\n"

/* A stream with state: while all that it put out is kept, a sink that comes later has all of it; then it is refused, with a choice; and those that
 * were there go on. */
TEST(added_sink_of_a_stream_with_state)
{
    static const char with_second[] = HEAD ROWS_300 TOPICS TOTALS_TO(
        ", { table: db.second, key: [k], mode: upsert }");
    static const char with_topic[] = HEAD ROWS_300 TOPICS TOTALS_TO(", { topic: output, mode: update }");
    static const char rest[] = "cannot have all rows of stream \"totals\"";
    const struct life_plan first = {.stop_after_ms = 150}, forget = {.forget_outbox = "totals"},
                           keep = {.reset_stream = "totals"},
                           replace = {.reset_stream = "totals", .reset_replace = true};
    struct life_report report;
    for (uint64_t seed = 1; seed <= seeds(); seed++) {
        sim_open(seed);
        life_project(HEAD ROWS_300 TOPICS TOTALS);
        EXPECT(life_run(&first, NULL, &report) == SIM_RETURNED && !report.failed);
        life_project(with_second);
        EXPECT(life_until_quiet(&WHOLE, false, &report) && totals_are_right());
        EXPECT(
            life_ask("SELECT count(*) FROM (SELECT k, c, s FROM totals EXCEPT SELECT k, c, s FROM second)") ==
            0);
        sim_close();
    }
    for (int topic = 0; topic < 2; topic++) {
        sim_open(1);
        life_project(HEAD ROWS_300 TOPICS TOTALS);
        EXPECT(life_run(&first, NULL, &report) == SIM_RETURNED && !report.failed);
        life_project(topic ? with_topic : with_second);
        EXPECT(life_run(&forget, NULL, &report) == SIM_RETURNED && report.failed &&
               strstr(report.error, rest));
        EXPECT(totals_are_right());
        EXPECT(life_run(&replace, NULL, &report) == SIM_RETURNED && report.failed &&
               strstr(report.error, rest));
        EXPECT(totals_are_right()); /* and nothing was removed */
        EXPECT(life_run(&keep, NULL, &report) == SIM_RETURNED && !report.failed && totals_are_right());
        EXPECT(life_run(&WHOLE, NULL, &report) == SIM_RETURNED && !report.failed && totals_are_right());
        sim_close();
    }
}

static const char PLAIN[] = HEAD ROWS_300 TOPICS COPY;

static bool lose_the_table(struct life_report *report)
{
    struct err err;
    const struct life_plan first = {.stop_after_ms = 150};
    life_project(PLAIN);
    bool ok = life_run(&first, NULL, report) == SIM_RETURNED && !report->failed &&
              os_unlink("/db.sqlite", &err);
    (void)!os_unlink("/db.sqlite-wal", NULL);
    return ok && life_run(&WHOLE, NULL, report) == SIM_RETURNED && report->failed &&
           strstr(report->error, "deleted or replaced") && topic_is_right();
}

TEST(deleted_table_is_refused_and_replaced)
{
    struct life_report report;
    const struct life_plan replace = {.reset_stream = "copy", .reset_replace = true};
    for (uint64_t seed = seed_first(); seed < seed_end(seeds()); seed++) {
        sim_open(seed);
        EXPECT(lose_the_table(&report));
        EXPECT(life_run(&replace, NULL, &report) == SIM_RETURNED && !report.failed);
        EXPECT(table_is_right("plain") && topic_is_right());
        EXPECT(life_until_quiet(&WHOLE, false, &report) && table_is_right("plain"));
        sim_close();
    }
}

TEST(deleted_table_is_refused_and_kept)
{
    struct life_report report;
    const struct life_plan keep = {.reset_stream = "copy"};
    sim_open(1);
    EXPECT(lose_the_table(&report));
    EXPECT(life_run(&keep, NULL, &report) == SIM_RETURNED && !report.failed);
    int64_t first = life_ask("SELECT min(n) FROM plain");
    EXPECT(first > 0 && life_ask("SELECT max(n) FROM plain") == ROWS - 1);
    EXPECT(life_ask("SELECT count(*) FROM plain") == ROWS - first &&
           life_ask("SELECT count(DISTINCT n) FROM plain") == ROWS - first);
    sim_close();
}

/* A reset that keeps, after a kill: the table knows better than our last note where it is. */
TEST(kept_table_goes_on_where_it_is)
{
    struct life_report report;
    const struct life_plan keep = {.reset_stream = "copy"};
    for (uint64_t seed = seed_first(); seed < seed_end(seeds()); seed++) {
        sim_open(seed);
        life_project(PLAIN);
        const struct sim_options crash = {.crash_after = 300 + sim_below(1500)};
        if (life_run(&WHOLE, &crash, &report) == SIM_CRASHED)
            sim_kill();
        EXPECT(life_run(&keep, NULL, &report) == SIM_RETURNED && !report.failed);
        EXPECT(table_is_right("plain"));
        sim_close();
    }
}

TEST(deleted_data_folder_is_refused)
{
    struct life_report report;
    struct err err;
    const struct life_plan first = {.stop_after_ms = 150},
                           replace = {.reset_stream = "copy", .reset_replace = true};
    sim_open(1);
    life_project(PLAIN);
    EXPECT(life_run(&first, NULL, &report) == SIM_RETURNED && !report.failed);
    EXPECT(os_remove_tree("/d", &err));
    EXPECT(life_run(&WHOLE, NULL, &report) == SIM_RETURNED && report.failed &&
           strstr(report.error, "another data folder"));
    EXPECT(life_run(&replace, NULL, &report) == SIM_RETURNED && !report.failed && table_is_right("plain"));
    sim_close();
}

/* ---- schemas ---------------------------------------------------------------------------------------------------------------------------- */

/* 300 records; from 100 on they have a field more, from 200 on another. */
static void write_growing(int *written, int upto)
{
    struct sbuf text = {0};
    struct err err;
    int file = -1;
    for (int n = *written; n < upto; n++) {
        sbuf_printf(&text, "{\"n\":%d,\"k\":%d", n, n % 7);
        if (n >= 100)
            sbuf_printf(&text, ",\"extra\":%d", n * 10);
        if (n >= 200)
            sbuf_printf(&text, ",\"deep\":{\"name\":\"row %d\"}", n);
        sbuf_cstr(&text, "}\n");
    }
    CHECK(os_open("/p/rows.jsonl", OS_WRITE | OS_CREATE | OS_APPEND, &file, &err) &&
          (text.n == 0 || os_write(file, text.p, text.n, &err)) && os_sync(file, &err) &&
          os_sync_folder("/p", &err));
    os_close(file);
    *written = upto;
    sbuf_fini(&text);
}

TEST(new_fields_are_followed)
{
    struct life_report report;
    for (uint64_t seed = seed_first(); seed < seed_end(seeds()); seed++) {
        sim_open(seed);
        life_project(
            HEAD
            "sources:\n  rows: { kind: file, path: rows.jsonl, to: input }\n"
            "topics:\n  input: {}\nstreams:\n"
            "  copy:\n    sql: SELECT * FROM STREAM input\n    to: [ { topic: output }, { table: db.plain } ]\n");
        bool ok = true;
        int written = 0;
        for (int upto = 50; ok && upto <= ROWS; upto += 50 + (int)sim_below(2) * 50) {
            write_growing(&written, upto);
            ok = EXPECT(life_until_quiet(&WHOLE, false, &report));
        }
        write_growing(&written, ROWS);
        ok = ok && EXPECT(life_until_quiet(&WHOLE, false, &report));
        ok = ok && EXPECT(table_is_right("plain")) && EXPECT(topic_is_right()) &&
             EXPECT(life_ask("SELECT count(*) FROM plain WHERE extra = n * 10") == 200) &&
             EXPECT(life_ask("SELECT count(*) FROM plain WHERE deep ->> 'name' = 'row ' || n") == 100);
        sim_close();
        if (!ok) {
            fprintf(stderr, "seed %llu: %s\n", (unsigned long long)seed, report.error);
            return;
        }
    }
}

/* Columns are inferred, and new ones come: in the middle of turns, of a stream that keeps state, beside one that keeps none. */
TEST(new_fields_are_followed_by_state)
{
    struct life_report report;
    for (uint64_t seed = 1; seed <= 2 * seeds(); seed++) {
        sim_open(seed);
        life_project(
            HEAD
            "sources:\n  rows: { kind: file, path: rows.jsonl, to: input }\n"
            "topics:\n  input: { partitions: 2 }\nstreams:\n"
            "  copy:\n    sql: SELECT * FROM STREAM input\n    to: [ { topic: output }, { table: db.plain } ]\n" TOTALS);
        bool ok = true;
        int written = 0;
        for (int upto = 50; ok && upto <= ROWS; upto += 50 + (int)sim_below(2) * 50) {
            write_growing(&written, upto);
            ok = EXPECT(life_until_quiet(&WHOLE, false, &report));
        }
        write_growing(&written, ROWS);
        ok = ok && EXPECT(life_until_quiet(&WHOLE, false, &report)) && EXPECT(all_is_right()) &&
             EXPECT(life_ask("SELECT count(*) FROM plain WHERE extra = n * 10") == 200);
        sim_close();
        if (!ok) {
            fprintf(stderr, "seed %llu: %s\n", (unsigned long long)seed, report.error);
            return;
        }
    }
}

static void distinct_project(const char *columns)
{
    char yaml[1024];
    snprintf(
        yaml, sizeof yaml,
        HEAD
        "sources:\n  rows: { kind: file, path: rows.jsonl, to: input }\ntopics:\n  input: {}\nstreams:\n"
        "  copy:\n    sql: SELECT DISTINCT %s FROM STREAM input\n    to: [ { topic: output }, { table: db.plain } ]\n",
        columns);
    life_project(yaml);
}

/* A state of whole records cannot take a new field in: that is said, while it runs and at the next start; and columns that are named go on. */
TEST(new_fields_of_a_state_of_all_fields_are_refused)
{
    struct life_report report;
    int written = 0;
    sim_open(1);
    distinct_project("*");
    write_growing(&written, 100);
    EXPECT(life_run(&WHOLE, NULL, &report) == SIM_RETURNED && !report.failed);
    write_growing(&written, ROWS);
    for (int life = 0; life < 2; life++)
        EXPECT(life_run(&WHOLE, NULL, &report) == SIM_RETURNED && report.failed &&
               strstr(report.error, "holds columns of its topics that are others now"));
    distinct_project("n, k");
    EXPECT(life_until_quiet(&WHOLE, false, &report));
    EXPECT(table_is_right("plain") && topic_is_right());
    sim_close();
}

/* One that was declared anew as another type is of another state, too. */
TEST(state_of_another_type_is_refused)
{
    struct life_report report;
    const struct life_plan first = {.stop_after_ms = 150};
    sim_open(1);
    life_project(SPINE);
    EXPECT(life_run(&first, NULL, &report) == SIM_RETURNED && !report.failed);
    life_project(HEAD ROWS_300 "topics:\n  input: { schema: 'n BIGINT, k INT' }\nstreams:\n" TOTALS);
    EXPECT(life_run(&WHOLE, NULL, &report) == SIM_RETURNED && report.failed &&
           strstr(report.error, "that are others now"));
    sim_close();
}

/* The positions of its sinks would be taken for others. */
TEST(stream_that_keeps_state_from_now_on_is_refused)
{
    static const struct life_plan first = {.stop_after_ms = 150};
    struct life_report report;
    sim_open(1);
    life_project(PLAIN);
    EXPECT(life_run(&first, NULL, &report) == SIM_RETURNED && !report.failed);
    life_project(
        HEAD ROWS_300 TOPICS
        "  copy:\n    sql: SELECT DISTINCT n, k FROM STREAM input\n    to: [ { topic: output }, { table: db.plain } ]\n");
    EXPECT(life_run(&WHOLE, NULL, &report) == SIM_RETURNED && report.failed &&
           strstr(report.error, "kept no state when it last ran"));
    life_project(PLAIN);
    EXPECT(life_until_quiet(&WHOLE, false, &report) && table_is_right("plain") && topic_is_right());
    sim_close();
}

TEST(records_of_another_format_do_not_keep_run_from_ending)
{
    struct life_report report;
    struct err err;
    sim_open(1);
    life_project(
        HEAD
        "sources:\n  rows: { kind: file, path: rows.jsonl, to: input }\n"
        "topics:\n  input: {}\nstreams:\n  copy:\n    sql: SELECT * FROM STREAM input\n    to: [ { table: db.plain } ]\n");
    CHECK(os_write_file("/p/rows.jsonl", "so\nwhat\n", 8, &err));
    EXPECT(life_run(&WHOLE, NULL, &report) == SIM_RETURNED);
    sim_close();
}

static void put_packed(int n)
{
    unsigned char packed[200];
    char path[64], row[64];
    struct err err;
    int size = snprintf(row, sizeof row, "{\"n\":%d,\"k\":0}\n", n);
    z_stream z = {.next_in = (unsigned char *)row,
                  .avail_in = (unsigned)size,
                  .next_out = packed,
                  .avail_out = sizeof packed};
    CHECK(deflateInit2(&z, 6, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY) == Z_OK);
    CHECK(deflate(&z, Z_FINISH) == Z_STREAM_END);
    deflateEnd(&z);
    snprintf(path, sizeof path, "/p/in/%03d.jsonl.gz", n);
    CHECK(os_write_file(path, packed, z.total_out, &err));
}

/* What is asked of the file system grows with their number, not with its square. */
TEST(many_packed_files_are_not_listed_for_each_of_them)
{
    struct life_report report;
    struct err err;
    sim_open(1);
    life_project(
        HEAD
        "sources:\n  rows: { kind: file, path: 'in/*.gz', to: input }\n"
        "topics:\n  input: { schema: 'n BIGINT, k BIGINT' }\nstreams:\n  copy:\n    sql: SELECT n, k FROM STREAM input\n"
        "    to: [ { table: db.plain } ]\n");
    CHECK(os_mkdirs("/p/in", &err));
    for (int n = 0; n < ROWS; n++)
        put_packed(n);
    EXPECT(life_run(&WHOLE, NULL, &report) == SIM_RETURNED && !report.failed);
    EXPECT(sim_calls_fallible() < (uint64_t)ROWS * ROWS / 2);
    EXPECT(table_is_right("plain"));
    sim_close();
}

TEST(bad_fail_stops_a_stateful_stream)
{
    struct life_report report;
    struct err err;
    sim_open(1);
    life_project(
        HEAD
        "sources:\n  rows: { kind: file, path: rows.jsonl, to: input }\n"
        "topics:\n  input: { schema: 'n BIGINT, k BIGINT' }\nstreams:\n  totals:\n    bad: fail\n"
        "    sql: SELECT k, count(*) AS c FROM STREAM input GROUP BY k\n    to: [ { table: db.totals, key: [k], mode: upsert } ]\n");
    static const char rows[] = "{\"n\":1,\"k\":1}\n{\"n\":\"x\",\"k\":\"many\"}\n";
    CHECK(os_write_file("/p/rows.jsonl", rows, sizeof rows - 1, &err));
    EXPECT(life_run(&WHOLE, NULL, &report) == SIM_RETURNED && report.failed &&
           strstr(report.error, "cannot be used"));
    sim_close();
}

/* ---- rejected records once more ------------------------------------------------------------------------------------------------------------ */

/* 300 rows, every third with a v that is no number; those of every ninth have a k too that is none, and become NULL there. */
static void write_rows_with_bad(void)
{
    struct sbuf text = {0};
    struct err err;
    for (int n = 0; n < ROWS; n++)
        sbuf_printf(&text, "{\"n\":%d,\"v\":\"%d%s\",\"k\":%s}\n", n, n, n % 3 ? "" : " EUR",
                    n % 9 ? "1" : "\"?\"");
    CHECK(os_write_file("/p/rows.jsonl", text.p, text.n, &err));
    sbuf_fini(&text);
}

#define REPLAY_HEAD                                                                                          \
    HEAD                                                                                                     \
        "sources:\n  rows: { kind: file, path: rows.jsonl, to: input }\n"                                    \
        "topics:\n  input: { schema: 'n BIGINT, v STRING, k BIGINT' }\n  output: {}\nstreams:\n  copy:\n    sql: "
#define REPLAY_SINKS                                                                                         \
    "\n    to: [ { topic: output }, { table: db.plain }, { table: db.keyed, key: [n], mode: upsert } ]\n"    \
    "    bad: { connection: db }\n"
#define STRICT REPLAY_HEAD "SELECT n, k, CAST(v AS BIGINT) AS v FROM STREAM input" REPLAY_SINKS
#define LENIENT                                                                                              \
    REPLAY_HEAD "SELECT n, k, CAST(replace(v, ' EUR', '') AS BIGINT) AS v FROM STREAM input" REPLAY_SINKS

static bool replayed_is_right(void)
{
    return topic_is_right() && table_is_right("plain") && table_is_right("keyed") &&
           life_ask("SELECT count(*) = 300 AND sum(v) = sum(n) FROM plain") == 1;
}

TEST(replayed_records_arrive_once)
{
    struct life_report report;
    const struct life_plan replay = {.replay = "copy"};
    for (uint64_t seed = seed_first(); seed < seed_end(3 * seeds()); seed++) {
        sim_open(seed);
        life_project(STRICT);
        write_rows_with_bad();
        bool ok = EXPECT(life_until_quiet(&WHOLE, false, &report)) &&
                  EXPECT(life_ask("SELECT count(*) FROM plain") == 200) &&
                  EXPECT(life_ask("SELECT count(*) FROM copy_bad WHERE attempt = 0") == 134);
        life_project(LENIENT);
        ok = ok && EXPECT(life_until_quiet(&replay, false, &report)) && EXPECT(replayed_is_right());
        ok = ok && EXPECT(life_run(&replay, NULL, &report) == SIM_RETURNED && !report.failed) &&
             EXPECT(replayed_is_right());
        sim_close();
        if (!ok) {
            fprintf(stderr, "seed %llu: %s\n", (unsigned long long)seed, report.error);
            return;
        }
    }
}

/* Rejected again, and once more, until the query is right; a sink that comes meanwhile reads them in the topic. */
TEST(replayed_records_may_be_rejected_again)
{
    struct life_report report;
    const struct life_plan replay = {.replay = "copy"};
    for (uint64_t seed = seed_first(); seed < seed_end(seeds()); seed++) {
        sim_open(seed);
        life_project(STRICT);
        write_rows_with_bad();
        bool ok = EXPECT(life_until_quiet(&WHOLE, false, &report));
        for (int attempt = 1; ok && attempt <= 2; attempt++)
            ok = EXPECT(life_run(&replay, NULL, &report) == SIM_RETURNED && !report.failed) &&
                 EXPECT(life_ask("SELECT max(attempt) FROM copy_bad") == attempt) &&
                 EXPECT(life_ask("SELECT count(*) FROM copy_bad") == 134 * (attempt + 1));
        life_project(LENIENT
                     "\n  later:\n    sql: SELECT n FROM STREAM input\n    to: [ { table: db.later } ]\n");
        ok = ok && EXPECT(life_until_quiet(&replay, false, &report)) && EXPECT(replayed_is_right());
        sim_close();
        if (!ok) {
            fprintf(stderr, "seed %llu: %s\n", (unsigned long long)seed, report.error);
            return;
        }
    }
}

/* A sink that begins with the right query has the records from the topic, and not from the replay too. */
TEST(new_sink_does_not_get_replayed_records_twice)
{
    struct life_report report;
    const struct life_plan replay = {.replay = "copy"};
    for (uint64_t seed = seed_first(); seed < seed_end(seeds()); seed++) {
        sim_open(seed);
        life_project(STRICT);
        write_rows_with_bad();
        bool ok = EXPECT(life_until_quiet(&WHOLE, false, &report));
        life_project(
            REPLAY_HEAD
            "SELECT n, k, CAST(replace(v, ' EUR', '') AS BIGINT) AS v FROM STREAM input\n"
            "    to: [ { topic: output }, { table: db.plain }, { table: db.keyed, key: [n], mode: upsert }, { table: db.second } ]\n"
            "    bad: { connection: db }\n");
        ok = ok && EXPECT(life_until_quiet(&replay, false, &report)) && EXPECT(replayed_is_right()) &&
             EXPECT(table_is_right("second"));
        sim_close();
        if (!ok) {
            fprintf(stderr, "seed %llu: %s\n", (unsigned long long)seed, report.error);
            return;
        }
    }
}

/* A sink that was elsewhere when the query changed: it has read with the new one what the old one had rejected for the others, and has its rows. */
TEST(sink_that_read_with_another_query_does_not_get_replayed_records_twice)
{
    struct life_report report;
    const struct life_plan replay = {.replay = "copy"};
    for (uint64_t seed = 1; seed <= 2 * seeds(); seed++) {
        sim_open(seed);
        life_project(STRICT);
        write_rows_with_bad();
        bool ok = EXPECT(life_until_quiet(&WHOLE, false, &report));
        life_project(
            REPLAY_HEAD
            "SELECT n, k, CAST(replace(v, ' EUR', '') AS BIGINT) AS v FROM STREAM input\n"
            "    to: [ { topic: output }, { table: db.plain }, { table: db.keyed, key: [n], mode: upsert }, { table: db.second } ]\n"
            "    bad: { connection: db }\n");
        ok = ok && EXPECT(life_until_quiet(&WHOLE, false, &report)) && EXPECT(table_is_right("second")) &&
             EXPECT(life_ask("SELECT count(*) FROM plain") == 200);
        ok = ok && EXPECT(life_until_quiet(&replay, false, &report)) && EXPECT(replayed_is_right()) &&
             EXPECT(table_is_right("second"));
        sim_close();
        if (!ok) {
            fprintf(stderr, "seed %llu: %s\n", (unsigned long long)seed, report.error);
            return;
        }
    }
}

/* A stateful stream that rejects them again: each has one row for each attempt, and the state knows nothing of it. */
TEST(replayed_records_of_a_stateful_stream)
{
    struct life_report report;
    const struct life_plan replay = {.replay = "totals"};
    for (uint64_t seed = seed_first(); seed < seed_end(seeds()); seed++) {
        sim_open(seed);
        life_project(
            HEAD
            "sources:\n  rows: { kind: file, path: rows.jsonl, to: input }\n"
            "topics:\n  input: { schema: 'n BIGINT, v STRING, k BIGINT' }\nstreams:\n  totals:\n"
            "    sql: SELECT n % 7 AS k, count(CAST(v AS BIGINT)) AS c FROM STREAM input GROUP BY n % 7\n"
            "    to: [ { table: db.totals, key: [k], mode: upsert } ]\n    bad: { connection: db }\n");
        write_rows_with_bad();
        bool ok = EXPECT(life_until_quiet(&WHOLE, false, &report)) &&
                  EXPECT(life_ask("SELECT sum(c) FROM totals") == 200);
        ok =
            ok && EXPECT(life_until_quiet(&replay, false, &report)) &&
            EXPECT(life_ask("SELECT sum(c) FROM totals") == 200) &&
            EXPECT(life_ask("SELECT count(DISTINCT offset) = 100 AND max(attempt) > 0 FROM totals_bad") ==
                   1) &&
            EXPECT(
                life_ask(
                    "SELECT count(*) FROM (SELECT count(*) AS n, count(DISTINCT attempt) AS d, max(attempt) AS m "
                    "FROM totals_bad GROUP BY offset) WHERE n <> d OR n <> m + 1") == 0);
        sim_close();
        if (!ok) {
            fprintf(stderr, "seed %llu: %s\n", (unsigned long long)seed, report.error);
            return;
        }
    }
}

/* ---- a full disk --------------------------------------------------------------------------------------------------------------------------- */

TEST(full_disk_loses_nothing)
{
    struct life_report report;
    const struct life_plan some = {.stop_after_ms = 3000};
    int started = 0, said = 0;
    for (uint64_t seed = seed_first(); seed < seed_end(seeds()); seed++) {
        sim_open(seed);
        life_project(SPINE);
        for (uint64_t kib = 512; kib <= 16384; kib += 512 + 512 * sim_below(4)) {
            const struct sim_options small = {.disk_bytes = kib << 10};
            enum sim_end end = life_run(&some, &small, &report);
            if (!EXPECT(end == SIM_RETURNED))
                fprintf(stderr, "%llu KiB: %s\n", (unsigned long long)kib, report.error);
            started += report.started;
            said += report.started && report.disk_full;
        }
        EXPECT(life_until_quiet(&WHOLE, false, &report));
        EXPECT(all_is_right());
        sim_close();
    }
    EXPECT(started > 0 && said > 0);
}

/* ---- the same rows, whatever the settings ----------------------------------------------------------------------------------------------------- */

TEST(settings_do_not_change_rows)
{
    static const char *const partitions[] = {"1", "3"}, *const cadence[] = {"1ms", "200ms"},
                             *const checkpoint[] = {"10ms", "1h"}, *const rate[] = {"1000/s", "100000/s"};
    struct life_report report;
    for (uint64_t i = 0; i < 16; i++) {
        char yaml[2048];
        snprintf(
            yaml, sizeof yaml,
            "name: spine\nsettings: { data: /d, checkpoint: %s, log: { level: error } }\nconnections: { db: 'sqlite:/db.sqlite' }\n"
            "sources:\n  rows: { kind: generator, rate: %s, rows: 300, columns: { n: n, k: n %% 7 }, to: input }\n"
            "topics:\n  input: { schema: 'n BIGINT, k BIGINT', partitions: %s, key: n }\n  output: { schema: 'n BIGINT, k BIGINT', partitions: %s }\n"
            "streams:\n  copy:\n    sql: SELECT n, k FROM STREAM input\n    to: [ { topic: output }, { table: db.plain, cadence: %s } ]\n%s",
            checkpoint[i & 1], rate[i >> 1 & 1], partitions[i >> 2 & 1], partitions[i >> 2 & 1],
            cadence[i >> 3 & 1], TOTALS);
        sim_open(i + 1);
        life_project(yaml);
        bool ok = EXPECT(life_until_quiet(&WHOLE, false, &report)) && EXPECT(all_is_right());
        sim_close();
        if (!ok) {
            fprintf(stderr, "variant %llu: %s\n", (unsigned long long)i, report.error);
            return;
        }
    }
}

int main(void)
{
    RUN(with_every_mechanism_all_comes_right);
    RUN(an_identity_is_durable_before_a_table_holds_it);
    RUN(topic_position_apart_is_caught);
    RUN(source_position_late_is_caught);
    RUN(sink_position_apart_is_caught);
    RUN(no_changelog_is_caught);
    RUN(beyond_synced_is_caught);
    RUN(no_identity_is_caught);
    RUN(damaged_checkpoint_costs_nothing);
    RUN(two_damaged_checkpoints_stop_the_stream);
    RUN(passing_errors_while_state_is_restored);
    RUN(restored_checkpoint_counts_once);
    RUN(large_turn_is_whole_or_absent);
    RUN(changed_query_of_a_stateful_stream_is_refused);
    RUN(changed_query_of_a_stateless_stream_goes_on);
    RUN(added_sink_gets_everything);
    RUN(added_sink_of_a_stream_with_state);
    RUN(deleted_table_is_refused_and_replaced);
    RUN(deleted_table_is_refused_and_kept);
    RUN(kept_table_goes_on_where_it_is);
    RUN(deleted_data_folder_is_refused);
    RUN(new_fields_are_followed);
    RUN(new_fields_are_followed_by_state);
    RUN(new_fields_of_a_state_of_all_fields_are_refused);
    RUN(state_of_another_type_is_refused);
    RUN(stream_that_keeps_state_from_now_on_is_refused);
    RUN(records_of_another_format_do_not_keep_run_from_ending);
    RUN(many_packed_files_are_not_listed_for_each_of_them);
    RUN(bad_fail_stops_a_stateful_stream);
    RUN(replayed_records_arrive_once);
    RUN(replayed_records_may_be_rejected_again);
    RUN(new_sink_does_not_get_replayed_records_twice);
    if (!getenv("ONLY") ||
        strstr(getenv("ONLY"), "sink_that_read_with_another_query_does_not_get_replayed_records_twice"))
        RUN(sink_that_read_with_another_query_does_not_get_replayed_records_twice);
    RUN(replayed_records_of_a_stateful_stream);
    RUN(full_disk_loses_nothing);
    RUN(settings_do_not_change_rows);
    return test_end();
}

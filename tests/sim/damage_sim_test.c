/* Every file of a stopped data folder, damaged in every way, one at a time; then the next start. Either nobody notices, and everything comes out
 * right: the file was a hint, or is made again. Or a person is told what is wrong and what to do, and nothing wrong was written anywhere; with the
 * file as it was, everything comes out right after all. Never a crash, never a row that is silently missing or there twice.
 *
 * VERBOSE=1 says what came of each; ALL=1 tries all ways for all files of the first life; ref/seeds.h says how to try more lives. */
#include <stdio.h>
#include <stdlib.h>

#include "base/test.h"
#include "ref/life.h"
#include "ref/seeds.h"
#include "json/tree.h"

enum { ROWS = 120, STOP_MS = 80, FILES_MAX = 128, FILE_BYTES_MAX = 8 << 20, SEEDS = 20 };

static const char PROJECT[] =
    "name: damage\nsettings: { data: /d, checkpoint: 10ms, log: { level: error } }\nconnections: { db: 'sqlite:/db.sqlite' }\n"
    "sources:\n  rows: { kind: generator, rate: 1000/s, rows: 120, columns: { n: n, k: n % 7 }, to: input }\n"
    "topics:\n  input: { schema: 'n BIGINT, k BIGINT' }\n  output: { schema: 'n BIGINT, k BIGINT', partitions: 2, key: k }\nstreams:\n"
    "  copy:\n    sql: SELECT n, k FROM STREAM input\n    to: [ { topic: output }, { table: db.plain } ]\n"
    "  odd:\n    sql: 'SELECT n, 1 / (n - 50) AS q FROM STREAM input'\n    to: [ { table: db.odd } ]\n"
    "  totals:\n    sql: SELECT k, count(*) AS c, sum(n) AS s FROM STREAM input GROUP BY k\n"
    "    to: [ { table: db.totals, key: [k], mode: upsert } ]\n";

/* ---- ways to damage ------------------------------------------------------------------------------------------------------------- */

enum way { FLIP_FIRST, FLIP_MIDDLE, FLIP_LAST, ZERO_HALF, CUT, EMPTY, DELETE, WAYS };
static const char *const way_names[WAYS] = {"the first byte flipped",
                                            "a byte in the middle flipped",
                                            "the last byte flipped",
                                            "zeros from the middle on",
                                            "cut in half",
                                            "emptied",
                                            "deleted"};

/* What was written of a file that is zeros from there on. */
static size_t used_bytes(const struct sbuf *whole)
{
    size_t n = whole->n;
    while (n > 0 && whole->p[n - 1] == 0)
        n--;
    return n;
}

static bool put_file(const char *path, const char *p, size_t n)
{
    struct err err;
    int file;
    bool ok = os_open(path, OS_READ | OS_WRITE | OS_CREATE | OS_TRUNCATE, &file, &err) &&
              os_pwrite(file, p, n, 0, &err) && os_sync(file, &err);
    os_close(file);
    return ok;
}

/* False: that way changes nothing in this file. */
static bool damage(const char *path, enum way way, const struct sbuf *whole)
{
    size_t used = used_bytes(whole), n = whole->n;
    struct err err;
    if (way == DELETE)
        return os_unlink(path, &err);
    if (used == 0)
        return false;
    char *copy = mem_new(n);
    memcpy(copy, whole->p, n);
    switch (way) {
    case FLIP_FIRST: copy[0] ^= 1; break;
    case FLIP_MIDDLE: copy[used / 2] ^= 16; break;
    case FLIP_LAST: copy[used - 1] ^= 1; break;
    case ZERO_HALF: memset(copy + used / 2, 0, n - used / 2); break;
    case CUT: n = n > 1 ? used / 2 : 0; break;
    case EMPTY: n = 0; break;
    case DELETE:
    case WAYS: UNREACHABLE("handled above");
    }
    bool ok = put_file(path, copy, n);
    mem_free(copy);
    return ok;
}

/* ---- judging ---------------------------------------------------------------------------------------------------------------------- */

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

/* Each row once, or an error that says why it cannot be read; never a row that is just not there, or twice. */
static bool topic_is_right(const char *topic, bool *unreadable)
{
    uint32_t *times = sim_shared(ROWS * sizeof *times);
    memset(times, 0, ROWS * sizeof *times);
    bool read = life_topic(topic, see_n, times) == 0, ok = true;
    *unreadable = *unreadable || !read;
    for (int i = 0; i < ROWS; i++)
        ok = ok && (times[i] == 1 || (!read && times[i] == 0));
    return ok;
}

static bool tables_are_right(void)
{
    return life_ask(
               "WITH RECURSIVE r(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM r WHERE n < 119), "
               "w AS (SELECT n % 7 AS k, count(*) AS c, sum(n) AS s FROM r GROUP BY 1) "
               "SELECT (SELECT count(*) = 120 AND count(DISTINCT n) = 120 FROM plain) AND "
               "(SELECT count(*) = 119 AND count(DISTINCT n) = 119 FROM odd) AND "
               "(SELECT count(*) FROM totals) = 7 AND NOT EXISTS (SELECT k, c, s FROM w EXCEPT SELECT k, c, s FROM totals)") ==
           1;
}

/* What is there is right, as far as it goes: a life that was killed early has made none of the tables, or not all. */
static bool tables_have_no_row_twice(void)
{
    return life_ask("SELECT count(*) FROM sqlite_schema WHERE name IN ('plain', 'odd')") < 2 ||
           life_ask("SELECT (SELECT count(*) = count(DISTINCT n) AND count(*) <= 120 FROM plain) AND "
                    "(SELECT count(*) = count(DISTINCT n) AND count(*) <= 119 FROM odd)") == 1;
}

/* ---- one file, one way ------------------------------------------------------------------------------------------------------------- */

static const struct life_plan WHOLE = {0};

/* The life that is damaged. */
struct first {
    uint64_t seed;
    uint64_t crash_after; /* the call at which it ends by kill -9; 0 = in order */
};

static bool begin(struct first first, struct life_report *report)
{
    const struct life_plan plan = {.stop_after_ms = STOP_MS};
    const struct sim_options crash = {.crash_after = first.crash_after};
    sim_open(first.seed);
    life_project(PROJECT);
    enum sim_end end = life_run(&plan, &crash, report);
    if (first.crash_after)
        sim_kill();
    return end == (first.crash_after ? SIM_CRASHED : SIM_RETURNED) && !report->failed;
}

static bool says_what_to_do(const struct life_report *report)
{
    const char *hint = strstr(report->error, "; ");
    return report->error[0] && hint && hint[2];
}

/* A word on what came of it; NULL: something is wrong. */
static const char *judge(const char *path, const struct sbuf *whole, enum sim_end end,
                         struct life_report *report)
{
    bool unreadable = false;
    if (end != SIM_RETURNED)
        return NULL;
    if (!report->failed) {
        if (!topic_is_right("output", &unreadable) || !topic_is_right("input", &unreadable) ||
            !tables_are_right())
            return NULL;
        return unreadable ? "said to who reads it" : report->loud ? "said and repaired" : "harmless";
    }
    if (!says_what_to_do(report) || !tables_have_no_row_twice())
        return NULL;
    if (report->started)
        return "a part stopped";
    struct life_report again;
    if (!put_file(path, whole->p, whole->n) || life_run(&WHOLE, NULL, &again) != SIM_RETURNED ||
        again.failed || !topic_is_right("output", &unreadable) || !topic_is_right("input", &unreadable) ||
        unreadable || !tables_are_right())
        return NULL;
    return "refused";
}

static void try_one(struct first first, const char *path, enum way way)
{
    struct life_report report = {0};
    struct sbuf whole = {0};
    struct err err;
    EXPECT(begin(first, &report) && os_read_file(path, FILE_BYTES_MAX, &whole, &err));
    if (damage(path, way, &whole)) {
        enum sim_end end = life_run(&WHOLE, NULL, &report);
        const char *word = judge(path, &whole, end, &report);
        if (first.crash_after == 0 && way == FLIP_LAST && strstr(path, "/journal/"))
            EXPECT(report.loud > 0); /* the journal is never shortened in silence */
        if (!EXPECT(word != NULL) || getenv("VERBOSE"))
            fprintf(stderr, "seed %llu, %s%s, %s: %s (end %d, failed %d, loud %llu) %s\n",
                    (unsigned long long)first.seed, first.crash_after ? "killed, " : "", path, way_names[way],
                    word ? word : "WRONG", end, report.failed, (unsigned long long)report.loud, report.error);
    }
    sbuf_fini(&whole);
    sim_close();
}

/* In the check: all ways for what recovery begins with, and some for each other file, in turn. */
static bool is_tried(const char *path, size_t number, bool killed)
{
    bool first = strstr(path, "/journal/") || strstr(path, "/checkpoints/") || strstr(path, "VERSION");
    return getenv("ALL") || (first && !killed) || number % 6 == (killed ? 3 : 0);
}

/* ---- all of them ---------------------------------------------------------------------------------------------------------------------- */

struct paths {
    char *paths[FILES_MAX];
    size_t count;
};

static void list_files(const char *folder, struct paths *all)
{
    struct arena arena = {0};
    char **names;
    size_t count = 0;
    struct err err;
    EXPECT(os_list(folder, &arena, &names, &count, &err));
    for (size_t i = 0; i < count; i++) {
        struct os_stat stat;
        char *path = arena_printf(&arena, "%s/%s", folder, names[i]);
        if (!os_stat(path, &stat, &err))
            continue;
        if (stat.is_folder)
            list_files(path, all);
        else if (EXPECT(all->count < FILES_MAX))
            all->paths[all->count++] = mem_strdup(path);
    }
    arena_fini(&arena);
}

static void free_paths(struct paths *all)
{
    for (size_t i = 0; i < all->count; i++)
        mem_free(all->paths[i]);
}

/* A file of each kind is among them: what is tried below is a data folder in use. */
static bool has_all_kinds(const struct paths *all)
{
    static const char *const kinds[] = {
        "/VERSION", "/journal/",        "/checkpoints/",     "/_delta_log/",
        ".parquet", "/topics/input-0/", "/topics/output-1/", "/topics/__catalog-0/"};
    size_t found = 0;
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++)
        for (size_t i = 0; i < all->count; i++)
            if (strstr(all->paths[i], kinds[k])) {
                found++;
                break;
            }
    return found == sizeof kinds / sizeof *kinds;
}

static void every_file(struct first first)
{
    struct paths all = {0};
    struct life_report report;
    EXPECT(begin(first, &report));
    list_files("/d", &all);
    sim_close();
    EXPECT(has_all_kinds(&all));
    for (size_t i = 0; i < all.count; i++) {
        for (int way = 0; way < WAYS; way++)
            if (is_tried(all.paths[i], i * WAYS + (size_t)way, first.crash_after > 0))
                try_one(first, all.paths[i], (enum way)way);
    }
    free_paths(&all);
}

static uint64_t calls_of_a_life(uint64_t seed)
{
    struct life_report report;
    EXPECT(begin((struct first){seed, 0}, &report));
    uint64_t calls = sim_calls();
    sim_close();
    return calls;
}

TEST(every_file_of_a_stopped_data_folder)
{
    every_file((struct first){1, 0});
}

/* Killed while it runs: the topics' indexes are not written yet. */
TEST(every_file_of_a_killed_data_folder)
{
    every_file((struct first){1, calls_of_a_life(1) * 3 / 4});
}

/* Killed while it stops: some of what it writes last is there. */
TEST(every_file_of_a_data_folder_killed_late)
{
    every_file((struct first){1, calls_of_a_life(1) * 7 / 8});
}

/* Of each seed's life, stopped or killed at any call, one file in one way. */
TEST(some_file_of_any_data_folder)
{
    for (uint64_t seed = seed_first(); seed < seed_end(seed_count(SEEDS)); seed++) {
        struct first first = {seed, 0};
        struct paths all = {0};
        struct life_report report;
        uint64_t calls = calls_of_a_life(seed);
        EXPECT(begin(first, &report));
        uint64_t file = sim_random(), way = sim_below(WAYS), end = sim_below(3);
        if (end > 0) {
            first.crash_after = 1 + sim_below(calls);
            sim_close();
            EXPECT(begin(first, &report));
        }
        list_files("/d", &all);
        sim_close();
        if (all.count > 0)
            try_one(first, all.paths[file % all.count], (enum way)way);
        free_paths(&all);
    }
}

int main(void)
{
    RUN(every_file_of_a_stopped_data_folder);
    RUN(every_file_of_a_killed_data_folder);
    RUN(every_file_of_a_data_folder_killed_late);
    RUN(some_file_of_any_data_folder);
    return test_end();
}

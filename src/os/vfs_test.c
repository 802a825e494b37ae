/* SQLite on the door: in the simulator its promise holds at every crash point; in the real world it is SQLite as others know it. */
#include "os/vfs.h"

#include <errno.h>
#include <sqlite3.h>
#include <unistd.h>

#include "base/test.h"
#include "os/os.h"
#include "os/sim.h"

enum { TRANSACTIONS = 4, ROWS = 5 };
static struct err err;

/* What the test knows beside the database. */
struct book {
    int tried, committed;
    bool wal, only_full, faults;
};
static struct book *book;

static bool run(sqlite3 *db, const char *sql)
{
    return sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK;
}

/* The first column of the first row; −1 when there is none. */
static int ask(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *statement;
    int value = -1;
    if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) != SQLITE_OK)
        return -1;
    if (sqlite3_step(statement) == SQLITE_ROW)
        value = sqlite3_column_int(statement, 0);
    sqlite3_finalize(statement);
    return value;
}

static bool is_intact(sqlite3 *db)
{
    sqlite3_stmt *statement;
    bool intact = sqlite3_prepare_v2(db, "PRAGMA integrity_check", -1, &statement, NULL) == SQLITE_OK &&
                  sqlite3_step(statement) == SQLITE_ROW &&
                  strcmp((const char *)sqlite3_column_text(statement, 0), "ok") == 0;
    sqlite3_finalize(statement);
    return intact;
}

/* With a rollback journal the removal of the journal is the commit, and FULL does not sync it: that takes EXTRA. */
static sqlite3 *open_db(const char *path, bool wal)
{
    sqlite3 *db;
    bool full = wal || book->only_full;
    if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, OS_VFS_NAME) != SQLITE_OK ||
        !run(db, wal ? "PRAGMA journal_mode = WAL" : "PRAGMA journal_mode = DELETE") ||
        !run(db, full ? "PRAGMA synchronous = FULL" : "PRAGMA synchronous = EXTRA") ||
        !run(db, "PRAGMA wal_autocheckpoint = 3; CREATE TABLE IF NOT EXISTS t(a, b)")) {
        sqlite3_close(db);
        return NULL;
    }
    return db;
}

/* Committed transactions are there, whole; at most the one that was being committed may be there too. */
static bool has_what_it_should(sqlite3 *db)
{
    int last = ask(db, "SELECT coalesce(max(a), 0) FROM t");
    return EXPECT(is_intact(db)) && EXPECT(last >= book->committed && last <= book->tried) &&
           EXPECT_EQ_INT(ask(db, "SELECT count(*) FROM t"), last * ROWS) &&
           EXPECT_EQ_INT(ask(db, "SELECT count(*) FROM (SELECT a FROM t GROUP BY a HAVING count(*) <> 5)"),
                         0);
}

static bool add(sqlite3 *db, int a)
{
    char sql[256];
    snprintf(sql, sizeof sql,
             "BEGIN; WITH RECURSIVE n(b) AS (SELECT 1 UNION ALL SELECT b + 1 FROM n WHERE b < %d) "
             "INSERT INTO t SELECT %d, hex(zeroblob(1500)) FROM n; COMMIT",
             ROWS, a);
    book->tried = a;
    if (!run(db, sql)) {
        run(db, "ROLLBACK");
        return false;
    }
    book->committed = a;
    return true;
}

static int transact(void *arg)
{
    (void)arg;
    test_is_bad = false;
    sqlite3 *db = open_db("/db", book->wal);
    if (db == NULL) /* only with faults injected */
        return 0;
    if (book->faults || has_what_it_should(db)) { /* a question may fail too */
        int last = ask(db, "SELECT coalesce(max(a), 0) FROM t");
        for (int i = 0; i < TRANSACTIONS && last >= 0; i++)
            if (!add(db, ++last))
                break;
    }
    sqlite3_close(db);
    return test_is_bad;
}

static void crash_everywhere(bool wal)
{
    int crashes = 0, status = 0;
    for (uint64_t n = 1; !test_is_bad; n++) {
        sim_open(n);
        book = sim_shared(sizeof *book);
        book->wal = wal;
        struct sim_options options = {.crash_after = n};
        bool any = false;
        for (int life = 0; life < 3; life++) {
            enum sim_end end = sim_life(transact, NULL, &options, &status);
            EXPECT(end != SIM_FAILED && status == 0);
            any = any || end == SIM_CRASHED;
            crashes += end == SIM_CRASHED;
            sim_random() % 8 ? sim_power_cut() : sim_kill();
            options.crash_after = sim_below(3) ? n : 1 + sim_below(n);
        }
        EXPECT(sim_life(transact, NULL, NULL, &status) == SIM_RETURNED && status == 0);
        EXPECT(book->committed >= TRANSACTIONS);
        if (!EXPECT(!test_is_bad))
            fprintf(stderr, "    crash at call %d\n", (int)n);
        sim_close();
        if (!any)
            break;
    }
    EXPECT(crashes > 100);
}

TEST(committed_rows_survive_power_cuts_at_every_call)
{
    crash_everywhere(false);
    crash_everywhere(true);
}

static int count_committed(void *arg)
{
    sqlite3 *db = open_db("/db", false);
    *(int *)arg = ask(db, "SELECT coalesce(max(a), 0) FROM t");
    sqlite3_close(db);
    return 0;
}

/* That the simulator is no better than a real disk: SQLite documents this loss. */
TEST(full_is_not_enough_for_a_rollback_journal)
{
    int lost = 0, status;
    for (uint64_t seed = 0; seed < 30; seed++) {
        sim_open(seed);
        book = sim_shared(sizeof *book);
        int *there = sim_shared(sizeof *there);
        book->only_full = true;
        EXPECT(sim_life(transact, NULL, NULL, &status) == SIM_RETURNED && status == 0);
        sim_power_cut();
        EXPECT(sim_life(count_committed, there, NULL, &status) == SIM_RETURNED);
        EXPECT(*there == TRANSACTIONS || *there == TRANSACTIONS - 1);
        lost += *there < book->committed;
        sim_close();
    }
    EXPECT(lost > 0 && lost < 30);
}

TEST(any_call_may_fail)
{
    for (uint64_t n = 1; n < 400 && !test_is_bad; n += 3) {
        int status;
        sim_open(n);
        book = sim_shared(sizeof *book);
        book->wal = n % 2;
        book->faults = true;
        struct sim_options options = {.fail_after = n, .fail_errno = n % 5 ? EIO : ENOSPC};
        EXPECT(sim_life(transact, NULL, &options, &status) == SIM_RETURNED && status == 0);
        sim_random() % 4 ? sim_power_cut() : sim_kill();
        book->faults = false;
        EXPECT(sim_life(transact, NULL, NULL, &status) == SIM_RETURNED && status == 0);
        sim_close();
    }
}

static int two_connections(void *arg)
{
    bool wal = *(bool *)arg;
    sqlite3 *a = open_db("/db", wal), *b = open_db("/db", wal);
    EXPECT(a && b);
    EXPECT(run(a, "BEGIN IMMEDIATE; INSERT INTO t VALUES (1, 2)"));
    EXPECT(!run(b, "BEGIN IMMEDIATE") && sqlite3_errcode(b) == SQLITE_BUSY);
    EXPECT_EQ_INT(ask(b, "SELECT count(*) FROM t"), 0);
    EXPECT(run(a, "COMMIT"));
    EXPECT_EQ_INT(ask(b, "SELECT count(*) FROM t"), 1);
    EXPECT(run(b, "BEGIN") && ask(b, "SELECT count(*) FROM t") == 1);
    EXPECT(run(a, "INSERT INTO t VALUES (3, 4)") == wal); /* a reader keeps the writer out, but for WAL */
    EXPECT_EQ_INT(ask(b, "SELECT count(*) FROM t"), 1);
    EXPECT(run(b, "COMMIT"));
    EXPECT(wal || run(a, "INSERT INTO t VALUES (3, 4)"));
    EXPECT_EQ_INT(ask(b, "SELECT count(*) FROM t"), 2);
    EXPECT(run(a, "CREATE INDEX i ON t(b)"));                          /* sorts */
    EXPECT_EQ_INT(ask(a, "SELECT strftime('%Y', 'now') = '2024'"), 1); /* virtual time */
    EXPECT(run(b, "PRAGMA busy_timeout = 100") && run(a, "BEGIN EXCLUSIVE"));
    int64_t before = os_mono().ns;
    EXPECT(!run(b, "INSERT INTO t VALUES (5, 6)") && sqlite3_errcode(b) == SQLITE_BUSY);
    EXPECT(os_mono().ns - before > 90 * NS_PER_MS);
    EXPECT(run(a, "COMMIT") && run(b, "INSERT INTO t VALUES (5, 6)"));
    EXPECT(sqlite3_close(a) == SQLITE_OK && sqlite3_close(b) == SQLITE_OK);
    EXPECT(!os_exists("/db-wal"));
    return test_is_bad;
}

TEST(connections_lock_each_other_out)
{
    for (int wal = 0; wal < 2; wal++) {
        int status = 1;
        bool with_wal = wal;
        sim_open(7);
        book = sim_shared(sizeof *book);
        EXPECT(sim_life(two_connections, &with_wal, NULL, &status) == SIM_RETURNED && status == 0);
        sim_close();
    }
}

TEST(in_the_real_world_it_shares_with_other_programs)
{
    char folder[] = "/tmp/sluice_vfs_XXXXXX", path[64];
    CHECK(mkdtemp(folder) != NULL);
    snprintf(path, sizeof path, "%s/db", folder);
    sqlite3 *ours = open_db(path, true), *theirs;
    EXPECT(sqlite3_open_v2(path, &theirs, SQLITE_OPEN_READWRITE, "unix") == SQLITE_OK);
    EXPECT(run(ours, "INSERT INTO t VALUES (1, 2)") && ask(theirs, "SELECT a FROM t") == 1);
    EXPECT(run(theirs, "BEGIN IMMEDIATE") && !run(ours, "INSERT INTO t VALUES (1, 2)"));
    EXPECT(sqlite3_errcode(ours) == SQLITE_BUSY);
    EXPECT(run(theirs, "COMMIT") && ask(ours, "SELECT strftime('%Y', 'now') >= '2024'") == 1);
    sqlite3_close(theirs);
    sqlite3_close(ours);
    EXPECT(os_remove_tree(folder, &err));
}

int main(void)
{
    os_vfs_register();
    os_vfs_register();
    RUN(connections_lock_each_other_out);
    RUN(committed_rows_survive_power_cuts_at_every_call);
    RUN(full_is_not_enough_for_a_rollback_journal);
    RUN(any_call_may_fail);
    RUN(in_the_real_world_it_shares_with_other_programs);
    return test_end();
}

/* What happens to a machine besides kill -9: a database that somebody else has locked, tables and folders that were deleted, damaged files, a full disk, a
 * second process, a newer version. What can go on does; what cannot says why, and nothing is lost or repeated. */
#include <dirent.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <unistd.h>

#include "base/test.h"
#include "os/os.h"
#include "ref/outside.h"

static const char *lake_table = "copy";

static void make_project(const char *settings, const char *sinks)
{
    struct sbuf p = {0};
    sbuf_printf(
        &p,
        "name: trouble\nsettings: { listen: { http: off, kafka: off, registry: off }%s }\n"
        "connections: { db: 'sqlite:db.sqlite', other: 'sqlite:other.sqlite', lake: 'file:lake' }\n"
        "sources: { rows: { kind: file, path: rows.jsonl, watch: true, to: rows } }\n"
        "topics: { rows: { schema: 'n BIGINT, text STRING' } }\n"
        "streams:\n  copy:\n    sql: 'SELECT n, text FROM STREAM rows'\n    to:\n      - { table: lake.copy, cadence: 50ms }\n%s",
        settings, sinks);
    outside_write(outside_path("sluice.yaml"), sbuf_view(&p));
    sbuf_fini(&p);
}

static const char DB[] = "      - { table: db.copy }\n";
static const char DB_AND_OTHER[] = "      - { table: db.copy }\n      - { table: other.copy }\n";

static void add_rows(int64_t from, int64_t to, size_t width)
{
    struct sbuf text = {0};
    char *fill = mem_new(width + 1);
    memset(fill, 'x', width);
    for (int64_t n = from; n < to; n++)
        sbuf_printf(&text, "{\"n\": %lld, \"text\": \"marker-%lld-%s\"}\n", (long long)n, (long long)n, fill);
    outside_append(outside_path("rows.jsonl"), sbuf_view(&text));
    mem_free(fill);
    sbuf_fini(&text);
}

static void see_row(void *arg, int64_t n)
{
    outside_tally_see(arg, n);
}

static int judge_sqlite(const char *file, int64_t rows)
{
    struct outside_tally t;
    outside_tally_init(&t, file, rows);
    int bad = outside_sqlite(outside_path("%s", file), "SELECT n FROM copy", see_row, &t) < 0;
    return bad + outside_tally_end(&t);
}

static int judge_lake(int64_t rows)
{
    struct outside_tally t;
    outside_tally_init(&t, "Delta table", rows);
    int bad = outside_delta(outside_path("lake/%s", lake_table), "n", see_row, &t) < 0;
    return bad + outside_tally_end(&t);
}

static bool lake_has(void *arg)
{
    return outside_delta(outside_path("lake/copy"), "n", NULL, NULL) >= *(int64_t *)arg;
}

static bool wait_for_lake(int64_t rows)
{
    return outside_until(lake_has, &rows, 20000);
}

static bool end(pid_t pid)
{
    kill(pid, SIGTERM);
    return outside_wait_for(pid, 20000) == 0;
}

static void say_log(void)
{
    char *log = outside_read(outside_path("log"));
    if (test_is_bad || getenv("VERBOSE"))
        fprintf(stderr, "log:\n%s", log);
    free(log);
    outside_clean();
}

TEST(a_locked_database_stalls_nothing_else)
{
    static const char *const json[] = {"-o", "json", NULL};
    sqlite3 *db;
    outside_folder();
    make_project("", DB);
    add_rows(0, 10, 1);
    pid_t pid = outside_start("up", NULL, -1);
    EXPECT(wait_for_lake(10));
    EXPECT(sqlite3_open(outside_path("db.sqlite"), &db) == SQLITE_OK);
    sqlite3_busy_timeout(db, 5000);
    EXPECT(sqlite3_exec(db, "BEGIN EXCLUSIVE", NULL, NULL, NULL) == SQLITE_OK);
    for (int i = 1; i < 15; i++) {
        add_rows(i * 10, i * 10 + 10, 1);
        outside_sleep_ms(200);
    }
    EXPECT(wait_for_lake(150));
    EXPECT(outside_log_has("database is locked") && !outside_log_has("works again"));
    EXPECT_EQ_INT(outside_run("status", json), 0);
    EXPECT(outside_log_has("\"name\":\"db.copy\",\"kind\":\"sqlite\",\"state\":\"waiting\""));
    EXPECT(sqlite3_exec(db, "COMMIT", NULL, NULL, NULL) == SQLITE_OK);
    sqlite3_close(db);
    EXPECT(end(pid));
    EXPECT_EQ_INT(outside_run("run", NULL), 0);
    EXPECT_EQ_INT(judge_sqlite("db.sqlite", 150), 0);
    EXPECT_EQ_INT(judge_lake(150), 0);
    say_log();
}

TEST(a_sink_that_is_added_later_gets_everything)
{
    outside_folder();
    make_project("", DB);
    add_rows(0, 100, 1);
    EXPECT_EQ_INT(outside_run("run", NULL), 0);
    make_project("", DB_AND_OTHER);
    add_rows(100, 120, 1);
    EXPECT_EQ_INT(outside_run("run", NULL), 0);
    EXPECT_EQ_INT(judge_sqlite("db.sqlite", 120), 0);
    EXPECT_EQ_INT(judge_sqlite("other.sqlite", 120), 0);
    EXPECT_EQ_INT(judge_lake(120), 0);
    say_log();
}

static void remove_database(const char *name)
{
    unlink(outside_path("%s", name));
    unlink(outside_path("%s-wal", name));
    unlink(outside_path("%s-shm", name));
}

TEST(a_deleted_table_is_refused_and_the_others_go_on)
{
    outside_folder();
    make_project("", DB);
    add_rows(0, 100, 1);
    EXPECT_EQ_INT(outside_run("run", NULL), 0);
    remove_database("db.sqlite");
    add_rows(100, 150, 1);
    EXPECT_EQ_INT(outside_run("run", NULL), 1);
    EXPECT(outside_log_has("stream reset copy"));
    EXPECT_EQ_INT(judge_lake(150), 0);
    say_log();
}

static bool log_says(void *text)
{
    return outside_log_has(text);
}

/* As soon as it is there. */
static bool is_dropped(void *db)
{
    return sqlite3_exec(db, "DROP TABLE copy", NULL, NULL, NULL) == SQLITE_OK;
}

TEST(a_table_that_is_dropped_meanwhile_is_refused)
{
    sqlite3 *db;
    outside_folder();
    make_project("", DB);
    add_rows(0, 10, 1);
    pid_t pid = outside_start("up", NULL, -1);
    EXPECT(wait_for_lake(10));
    EXPECT(sqlite3_open(outside_path("db.sqlite"), &db) == SQLITE_OK);
    sqlite3_busy_timeout(db, 5000);
    EXPECT(outside_until(is_dropped, db, 10000));
    sqlite3_close(db);
    add_rows(10, 20, 1);
    EXPECT(outside_until(log_says, (void *)"stream reset copy", 10000));
    EXPECT(end(pid));
    EXPECT_EQ_INT(judge_lake(20), 0);
    say_log();
}

/* The command is about one stream: that another one needs a person, too, is not its failure. */
TEST(each_stream_is_reset_by_itself)
{
    static const char *const reset[] = {"reset", "--replace", "copy", NULL};
    outside_folder();
    make_project(
        "",
        "      - { table: db.copy }\n  again:\n    sql: 'SELECT n FROM STREAM rows'\n    to: [ { table: db.again } ]\n");
    add_rows(0, 30, 1);
    EXPECT_EQ_INT(outside_run("run", NULL), 0);
    remove_database("db.sqlite");
    EXPECT_EQ_INT(outside_run("run", NULL), 1);
    EXPECT_EQ_INT(outside_run("stream", reset), 0);
    EXPECT_EQ_INT(judge_sqlite("db.sqlite", 30), 0);
    say_log();
}

TEST(a_data_folder_that_is_deleted_meanwhile_is_said)
{
    struct err err;
    outside_folder();
    make_project("", DB);
    add_rows(0, 10, 1);
    pid_t pid = outside_start("up", NULL, -1);
    EXPECT(wait_for_lake(10));
    EXPECT(os_remove_tree(outside_path(".sluice"), &err));
    kill(pid, SIGTERM);
    EXPECT_EQ_INT(outside_wait_for(pid, 20000), 1);
    EXPECT(outside_log_has("was deleted, moved or replaced while it was in use"));
    EXPECT_EQ_INT(judge_lake(10), 0);
    say_log();
}

TEST(a_deleted_data_folder_does_not_repeat_rows)
{
    struct err err;
    outside_folder();
    make_project("", DB);
    add_rows(0, 100, 1);
    EXPECT_EQ_INT(outside_run("run", NULL), 0);
    EXPECT(os_remove_tree(outside_path(".sluice"), &err));
    EXPECT_EQ_INT(outside_run("run", NULL), 1);
    EXPECT(outside_log_has("stream reset copy"));
    EXPECT_EQ_INT(judge_sqlite("db.sqlite", 100), 0);
    EXPECT_EQ_INT(judge_lake(100), 0);
    say_log();
}

/* ---- the journal ------------------------------------------------------------------------------------------------------ */

/* Flips a bit in the text, in whatever file of the journal it stands; the number of places. */
static int damage(const char *text)
{
    DIR *folder = opendir(outside_path(".sluice/journal"));
    struct dirent *entry;
    int places = 0;
    while (folder && (entry = readdir(folder)) != NULL) {
        const char *path = outside_path(".sluice/journal/%s", entry->d_name);
        FILE *file = entry->d_name[0] == '.' ? NULL : fopen(path, "r+");
        if (file == NULL)
            continue;
        fseek(file, 0, SEEK_END);
        size_t size = (size_t)ftell(file);
        char *bytes = mem_new(size + 1), *at;
        rewind(file);
        size = fread(bytes, 1, size, file);
        at = memmem(bytes, size, text, strlen(text));
        if (at) {
            fseek(file, (long)(at - bytes), SEEK_SET);
            fputc(*at ^ 1, file);
            places++;
        }
        mem_free(bytes);
        fclose(file);
    }
    if (folder)
        closedir(folder);
    return places;
}

TEST(a_damaged_journal_is_never_shortened_in_silence)
{
    outside_folder();
    make_project("", DB);
    add_rows(0, 50, 1);
    pid_t pid = outside_start("up", NULL, -1);
    EXPECT(wait_for_lake(50));
    add_rows(50, 60, 1);
    EXPECT(wait_for_lake(60));
    outside_sleep_ms(500); /* a frame that confirms the last one */
    kill(pid, SIGKILL);
    outside_wait(pid);
    if (EXPECT(damage("marker-59-") > 0)) {
        EXPECT_EQ_INT(outside_run("run", NULL), 1);
        EXPECT(outside_log_has("damage"));
        EXPECT_EQ_INT(judge_lake(60), 0);
    }
    say_log();
}

TEST(a_second_process_is_refused_by_name)
{
    char text[64];
    outside_folder();
    make_project("", DB);
    add_rows(0, 10, 1);
    pid_t pid = outside_start("up", NULL, -1);
    EXPECT(wait_for_lake(10));
    EXPECT_EQ_INT(outside_wait_for(outside_start("up", NULL, -1), 20000), 1);
    snprintf(text, sizeof text, "%d", (int)pid);
    EXPECT(outside_log_has(text));
    EXPECT(end(pid));
    EXPECT_EQ_INT(judge_sqlite("db.sqlite", 10), 0);
    say_log();
}

TEST(a_newer_data_folder_is_refused)
{
    outside_folder();
    make_project("", DB);
    add_rows(0, 10, 1);
    EXPECT_EQ_INT(outside_run("run", NULL), 0);
    char *version = outside_read(outside_path(".sluice/VERSION"));
    EXPECT(version[0] != '9');
    version[0] = '9';
    outside_write(outside_path(".sluice/VERSION"), str_of(version));
    EXPECT_EQ_INT(outside_run("run", NULL), 1);
    version[0] = '1';
    outside_write(outside_path(".sluice/VERSION"), str_of(version));
    EXPECT_EQ_INT(outside_run("run", NULL), 0);
    EXPECT_EQ_INT(judge_sqlite("db.sqlite", 10), 0);
    free(version);
    say_log();
}

/* ---- a full disk ------------------------------------------------------------------------------------------------------- */

/* A file system of 128 MiB in a file, at disk/; false where that is not for us to make. */
static bool mount_small_disk(void)
{
    struct err err;
    char command[1200];
    if (geteuid() != 0 || !os_mkdirs(outside_path("disk"), &err))
        return false;
    snprintf(
        command, sizeof command,
        "truncate -s 128M '%s' && mkfs.ext4 -q -m 0 '%s' >/dev/null 2>&1 && mount -o loop '%s' '%s' >/dev/null 2>&1",
        outside_path("image"), outside_path("image"), outside_path("image"), outside_path("disk"));
    return system(command) == 0;
}

TEST(a_full_disk_stops_what_comes_in_and_loses_nothing)
{
    static char ballast[1 << 20];
    enum { STEP = 200, WIDTH = 10000 };
    int64_t rows = 0;
    outside_folder();
    if (!mount_small_disk()) {
        fprintf(stderr, "a full disk was not tried: no loop mounts here\n");
        outside_clean();
        return;
    }
    memset(ballast, 'b', sizeof ballast);
    for (int i = 0; i < 20; i++)
        outside_append(outside_path("disk/ballast"), str_n(ballast, sizeof ballast));
    make_project(", data: disk/data", DB);
    add_rows(0, 1, 1);
    rows = 1;
    pid_t pid = outside_start("up", NULL, -1);
    for (int i = 0; i < 60 && !outside_log_has("could not be written") && !outside_log_has("full") &&
                    !outside_log_has("space");
         i++) {
        add_rows(rows, rows + STEP, WIDTH);
        rows += STEP;
        outside_sleep_ms(20);
    }
    EXPECT(outside_until(log_says, (void *)"full", 10000) || outside_log_has("space"));
    EXPECT(unlink(outside_path("disk/ballast")) == 0);
    EXPECT(wait_for_lake(rows));
    EXPECT(end(pid));
    EXPECT_EQ_INT(outside_run("run", NULL), 0);
    EXPECT_EQ_INT(judge_sqlite("db.sqlite", rows), 0);
    EXPECT_EQ_INT(judge_lake(rows), 0);
    printf("%lld rows of %d bytes\n", (long long)rows, WIDTH);
    say_log();
    (void)!umount2(outside_path("disk"), MNT_DETACH);
    outside_clean();
}

int main(void)
{
    RUN(a_locked_database_stalls_nothing_else);
    RUN(a_sink_that_is_added_later_gets_everything);
    RUN(a_deleted_table_is_refused_and_the_others_go_on);
    RUN(a_table_that_is_dropped_meanwhile_is_refused);
    RUN(each_stream_is_reset_by_itself);
    RUN(a_data_folder_that_is_deleted_meanwhile_is_said);
    RUN(a_deleted_data_folder_does_not_repeat_rows);
    RUN(a_damaged_journal_is_never_shortened_in_silence);
    RUN(a_second_process_is_refused_by_name);
    RUN(a_newer_data_folder_is_refused);
    if (getenv("DISK")) /* changes what is mounted on the machine: by hand only */
        RUN(a_full_disk_stops_what_comes_in_and_loses_nothing);
    return test_end();
}

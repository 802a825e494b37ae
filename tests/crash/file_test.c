/* Files as they are in the world: growing, renamed, rotated, truncated, packed, half written, damaged, from a pipe. Each row arrives once. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include "base/bytes.h"
#include "base/test.h"
#include "format/parquet.h"
#include "os/os.h"
#include "ref/outside.h"

static void make_project(const char *options)
{
    struct sbuf p = {0};
    struct err err;
    outside_folder();
    EXPECT(os_mkdirs(outside_path("in"), &err));
    sbuf_printf(
        &p,
        "name: files\nsettings: { listen: { http: off, kafka: off, registry: off } }\nsources: { rows: { kind: file, %s, to: rows } }\ntopics: { rows: {} }\n",
        options);
    outside_write(outside_path("sluice.yaml"), sbuf_view(&p));
    sbuf_fini(&p);
}

static void put(const char *name, const char *text)
{
    outside_append(outside_path("%s", name), str_of(text));
}

static void put_rows(const char *name, int64_t from, int64_t to)
{
    struct sbuf text = {0};
    for (int64_t n = from; n < to; n++)
        sbuf_printf(&text, "{\"n\":%lld,\"text\":\"some text of the row\"}\n", (long long)n);
    outside_append(outside_path("%s", name), sbuf_view(&text));
    sbuf_fini(&text);
}

static bool see_record(void *arg, int32_t partition, struct str key, struct str value)
{
    int n = -1;
    char text[64];
    (void)partition, (void)key;
    snprintf(text, sizeof text, "%.*s", (int)(value.n < 60 ? value.n : 60), value.p);
    if (sscanf(text, "{\"n\":%d", &n) != 1)
        fprintf(stderr, "a record: %s\n", text);
    outside_tally_see(arg, n);
    return true;
}

static int judge(int64_t rows)
{
    struct outside_tally t;
    outside_tally_init(&t, "rows", rows);
    int bad = !outside_topic("rows", see_record, &t);
    bad += outside_tally_end(&t);
    if (bad || getenv("VERBOSE")) {
        char *log = outside_read(outside_path("log"));
        fprintf(stderr, "log:\n%s", log);
        free(log);
    }
    return bad;
}

static int run(void)
{
    return outside_run("run", NULL);
}

static bool end(pid_t pid)
{
    kill(pid, SIGTERM);
    return outside_wait_for(pid, 20000) == 0;
}

/* ---- what lies there: run ------------------------------------------------------------------------------------------------ */

static void write_packed(const char *name, int64_t from, int64_t to, bool gzip, size_t cut)
{
    struct sbuf text = {0}, out = {0};
    for (int64_t n = from; n < to; n++)
        sbuf_printf(&text, "{\"n\":%lld}\n", (long long)n);
    size_t room = text.n + 1000, size = 0;
    char *p = sbuf_reserve(&out, room);
    if (gzip) {
        z_stream z = {.next_in = (unsigned char *)text.p,
                      .avail_in = (unsigned)text.n,
                      .next_out = (unsigned char *)p,
                      .avail_out = (unsigned)room};
        EXPECT(deflateInit2(&z, 6, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY) == Z_OK);
        EXPECT(deflate(&z, Z_FINISH) == Z_STREAM_END);
        size = z.total_out;
        deflateEnd(&z);
    } else {
        size = ZSTD_compress(p, room, text.p, text.n, 3);
    }
    outside_append(outside_path("%s", name), str_n(p, size - cut));
    sbuf_fini(&text);
    sbuf_fini(&out);
}

TEST(all_kinds_of_files_once)
{
    make_project("path: 'in/*'");
    put_rows("in/a.jsonl", 0, 30000);
    write_packed("in/b.jsonl.gz", 30000, 50000, true, 0);
    write_packed("in/b.jsonl.gz", 50000, 50010, true, 0); /* a second member */
    write_packed("in/c.jsonl.zst", 50010, 70000, false, 0);
    struct sbuf text = {0};
    for (int n = 70000; n < 110000; n++)
        sbuf_printf(&text, "%s{\"n\":%d,\"text\":\"]}{[\\\"\"}", n == 70000 ? " [\n" : ",\n ", n);
    sbuf_cstr(&text, "\n]\n");
    outside_write(outside_path("in/d.json"), sbuf_view(&text));
    sbuf_fini(&text);
    put("in/e.jsonl",
        "\xEF\xBB\xBF{\"n\":110000}\r\n\r\n{\"n\":110001}"); /* a mark, blank lines, an end without one */
    put("in/empty.jsonl", "");
    put("in/.hidden", "{\"n\":5}\n");
    for (int i = 0; i < 3; i++)
        EXPECT_EQ_INT(run(), 0);
    EXPECT_EQ_INT(judge(110002), 0);
    outside_clean();
}

TEST(csv_with_a_header_goes_on_where_it_was)
{
    make_project("path: 'in/*.csv', format: csv");
    put("in/a.csv", "\xEF\xBB\xBFn,text\n0,\"quoted, with\ntwo lines\"\n1,x\n");
    EXPECT_EQ_INT(run(), 0);
    put("in/a.csv", "2,y\n");
    put("in/b.csv", "n,other\n3,1\n4,2");
    EXPECT_EQ_INT(run(), 0);
    EXPECT_EQ_INT(run(), 0);
    EXPECT_EQ_INT(judge(5), 0);
    outside_clean();
}

/* Thousands of small packed files: no look through the folder for each of them, and no write of the disk. */
TEST(many_files_cost_as_many_times_one)
{
    enum { FILES = 3000 };
    struct rusage before, after;
    make_project("path: 'in/*'");
    for (int i = 0; i < FILES; i++) {
        char name[32];
        snprintf(name, sizeof name, "in/%05d.jsonl.gz", i);
        write_packed(name, i, i + 1, true, 0);
    }
    getrusage(RUSAGE_CHILDREN, &before);
    int64_t begun = os_mono().ns;
    EXPECT_EQ_INT(run(), 0);
    getrusage(RUSAGE_CHILDREN, &after);
    double used = (double)(after.ru_utime.tv_sec - before.ru_utime.tv_sec + after.ru_stime.tv_sec -
                           before.ru_stime.tv_sec);
    printf("%d files: %.1f s, %.0f s of the processor\n", FILES, (double)(os_mono().ns - begun) / 1e9, used);
    EXPECT(used <= 8); /* 30 when each had its look */
    EXPECT_EQ_INT(judge(FILES), 0);
    outside_clean();
}

TEST(a_damaged_file_does_not_stop_the_others)
{
    make_project("path: 'in/*'");
    put_rows("in/a.jsonl", 0, 5);
    put("in/b.json", "[{\"n\":5},{\"n\":6},{\"n\"");
    put("in/b.jsonl.gz", "this is not gzip");
    write_packed("in/c.jsonl.gz", 7, 9, true, 4);
    put_rows("in/z.jsonl", 9, 20);
    EXPECT_EQ_INT(run(), 1);
    EXPECT(outside_log_has("b.jsonl.gz"));
    EXPECT_EQ_INT(judge(20), 0);
    put("in/b.json", ":20}]"); /* the rest of it came */
    EXPECT_EQ_INT(run(), 1);
    EXPECT_EQ_INT(judge(21), 0);
    outside_clean();
}

TEST(a_file_that_is_not_there_is_said)
{
    make_project("path: in/none.jsonl");
    EXPECT_EQ_INT(run(), 1);
    EXPECT(outside_log_has("in/none.jsonl"));
    outside_clean();
}

static bool write_out(void *arg, const void *p, size_t n, struct err *err)
{
    (void)err;
    sbuf_add(arg, p, n);
    return true;
}

/* Rows n, text; in groups of 5,000. cut: without its last bytes. */
static void write_parquet(const char *name, int64_t from, int64_t to, size_t cut)
{
    struct arena arena = {0};
    struct sbuf out = {0};
    struct err err;
    struct pool *pool = pool_new(NULL, "parquet");
    struct batch *batch = batch_new();
    struct batch_builder builder;
    const struct type *schema = NULL;
    EXPECT(type_parse_ddl(&arena, STR("n BIGINT, text STRING"), &schema, &err));
    struct parquet_writer_options options = PARQUET_WRITER_OPTIONS;
    options.row_group_rows = 5000;
    struct parquet_writer *w = parquet_writer_new(pool, schema, &options,
                                                  (struct parquet_output){write_out, &out}, &err);
    batch_builder_init(&builder, batch, schema);
    for (int64_t n = from; n < to; n++) {
        column_builder_i64(&builder.columns[0], n);
        column_builder_str(&builder.columns[1], STR("\"text\""), false);
    }
    batch_builder_finish(&builder);
    EXPECT(w && parquet_writer_batch(w, batch, NULL, 0, batch->rows, &err) &&
           parquet_writer_finish(w, NULL, &err));
    outside_write(outside_path("%s", name), str_n(out.p, out.n - cut));
    batch_free(batch);
    pool_free(pool);
    arena_fini(&arena);
    sbuf_fini(&out);
}

TEST(parquet_files_once)
{
    make_project("path: 'in/*.parquet', format: parquet");
    write_parquet("in/a.parquet", 0, 12000, 0);
    EXPECT_EQ_INT(run(), 0);
    write_parquet("in/b.parquet", 12000, 12010, 20);
    EXPECT_EQ_INT(run(), 1);
    write_parquet("in/b.parquet", 12000, 12010, 0);
    EXPECT_EQ_INT(run(), 0);
    EXPECT_EQ_INT(run(), 0);
    EXPECT_EQ_INT(judge(12010), 0);
    outside_clean();
}

static void put_long(struct sbuf *out, int64_t value)
{
    uint8_t bytes[VARINT_MAX];
    sbuf_add(out, bytes, put_varint(bytes, value));
}

/* A container file of records {n}: blocks that are many times as large as what is taken at once. */
static void write_avro(const char *name, int64_t blocks, int64_t rows)
{
    static const char
        sync[] = "sixteen bytes: a",
        schema[] = "{\"type\":\"record\",\"name\":\"R\",\"fields\":[{\"name\":\"n\",\"type\":\"long\"}]}";
    struct sbuf out = {0}, block = {0};
    sbuf_str(&out, STR("Obj\1\2\x16"
                       "avro.schema"));
    put_long(&out, sizeof schema - 1);
    sbuf_cstr(&out, schema);
    put_long(&out, 0);
    sbuf_add(&out, sync, 16);
    for (int64_t b = 0; b < blocks; b++) {
        sbuf_clear(&block);
        for (int64_t n = b * rows; n < (b + 1) * rows; n++)
            put_long(&block, n);
        put_long(&out, rows);
        put_long(&out, (int64_t)block.n);
        sbuf_str(&out, sbuf_view(&block));
        sbuf_add(&out, sync, 16);
    }
    outside_write(outside_path("%s", name), sbuf_view(&out));
    sbuf_fini(&out);
    sbuf_fini(&block);
}

/* Each life is killed a little later in it, until one comes to its end: most die within a block, and the next goes on at a row in it. */
TEST(avro_rows_once_wherever_it_is_killed)
{
    enum { BLOCKS = 3, ROWS = 400000, LIFE_MS = 80, STEP_MS = 10, KILLS_MAX = 200 };
    make_project("path: 'in/*.avro', format: avro");
    write_avro("in/a.avro", BLOCKS, ROWS);
    int kills = 0, status = -1;
    for (; kills < KILLS_MAX && status != 0; kills++) {
        pid_t pid = outside_start("run", NULL, -1);
        status = outside_wait_for(pid, LIFE_MS + kills * STEP_MS);
    }
    printf("%d kills\n", kills - 1);
    EXPECT(kills > 5);
    EXPECT_EQ_INT(run(), 0);
    EXPECT_EQ_INT(judge((int64_t)BLOCKS * ROWS), 0);
    outside_clean();
}

/* ---- what changes: up ------------------------------------------------------------------------------------------------------ */

/* Rows of the topic as the metrics would have them: the log of a living program is not ours to open, so a Delta table tells. */
static void make_copied(const char *path, bool watch)
{
    struct sbuf p = {0};
    struct err err;
    outside_folder();
    EXPECT(os_mkdirs(outside_path("in"), &err));
    sbuf_printf(
        &p,
        "name: files\nsettings: { listen: { http: off, kafka: off, registry: off } }\nconnections: { lake: 'file:lake' }\n"
        "sources: { rows: { kind: file, path: '%s', watch: %s, to: rows } }\ntopics: { rows: { schema: 'n BIGINT, text STRING' } }\n"
        "streams:\n  copy: { sql: 'SELECT n FROM STREAM rows', to: [ { table: lake.copy, cadence: 50ms } ] }\n",
        path, watch ? "true" : "false");
    outside_write(outside_path("sluice.yaml"), sbuf_view(&p));
    sbuf_fini(&p);
}

static bool has_rows(void *arg)
{
    return outside_delta(outside_path("lake/copy"), "n", NULL, NULL) >= *(int64_t *)arg;
}

static bool wait_for(int64_t rows)
{
    return outside_until(has_rows, &rows, 15000);
}

TEST(files_that_grow_are_renamed_rotated_and_truncated)
{
    make_copied("in/app.log", true);
    put_rows("in/app.log", 0, 50);
    pid_t pid = outside_start("up", NULL, -1);
    EXPECT(wait_for(50));
    put("in/app.log", "{\"n\":50,\"te"); /* half a line waits */
    outside_sleep_ms(300);
    EXPECT_EQ_INT(outside_delta(outside_path("lake/copy"), "n", NULL, NULL), 50);
    put("in/app.log", "xt\":\"\"}\n");
    EXPECT(wait_for(51));
    put_rows(
        "in/app.log", 51,
        60); /* rename and create; what was written before the rename, and after it by those who still have it open */
    EXPECT(rename(outside_path("in/app.log"), outside_path("in/app.log.1")) == 0);
    put_rows("in/app.log.1", 60, 65);
    put_rows("in/app.log", 65, 80);
    EXPECT(wait_for(80));
    EXPECT(truncate(outside_path("in/app.log"), 0) == 0); /* copytruncate: shorter than before, then longer */
    put_rows("in/app.log", 80, 82);
    EXPECT(wait_for(82));
    outside_sleep_ms(100);
    struct stat before;
    EXPECT(stat(outside_path("in/app.log"), &before) == 0);
    EXPECT(truncate(outside_path("in/app.log"), 0) == 0); /* of the very same size */
    put_rows("in/app.log", 82, 84);
    EXPECT(wait_for(84));
    unlink(outside_path("in/app.log"));
    put_rows("in/app.log", 84, 90); /* often the same inode again */
    EXPECT(wait_for(90));
    EXPECT(end(pid));
    EXPECT_EQ_INT(run(), 0);
    EXPECT_EQ_INT(judge(90), 0);
    outside_clean();
}

TEST(new_files_of_a_pattern_and_arrays_that_are_being_written)
{
    make_copied("in/*.json*", true);
    pid_t pid = outside_start("up", NULL, -1);
    put_rows("in/1.jsonl", 0, 10);
    EXPECT(wait_for(10));
    put("in/2.json", "[{\"n\":10},{\"n\":11},{\"n");
    EXPECT(wait_for(12));
    put_rows("in/3.jsonl", 12, 20);
    EXPECT(wait_for(20));
    put("in/2.json", "\":20}]");
    EXPECT(wait_for(21));
    write_packed("in/4.jsonl.gz", 21, 30, true, 0);
    put("in/other.txt", "no\n");
    EXPECT(wait_for(30));
    EXPECT(rename(outside_path("in/1.jsonl"), outside_path("in/5.jsonl")) == 0);
    put_rows("in/5.jsonl", 30, 31);
    EXPECT(wait_for(31));
    EXPECT(end(pid));
    EXPECT_EQ_INT(run(), 0);
    EXPECT_EQ_INT(judge(31), 0);
    outside_clean();
}

TEST(rows_of_a_quiet_pipe_arrive_before_its_end)
{
    int ends[2];
    make_copied("-", false);
    EXPECT(pipe2(ends, O_CLOEXEC) == 0);
    pid_t pid = outside_start("run", NULL, ends[0]);
    close(ends[0]);
    signal(SIGPIPE, SIG_IGN); /* where it ended early, the lines below say so */
    EXPECT(write(ends[1], "{\"n\":0}\n{\"n\":1}\n", 16) == 16);
    EXPECT(wait_for(2));
    EXPECT(write(ends[1], "{\"n\":2}\n{\"n\":3}", 15) == 15);
    EXPECT(wait_for(3));
    close(ends[1]);
    EXPECT_EQ_INT(outside_wait_for(pid, 15000), 0);
    EXPECT_EQ_INT(judge(4), 0);
    signal(SIGPIPE, SIG_DFL);
    outside_clean();
}

/* CPU seconds of a living process. */
static double cpu_seconds(pid_t pid)
{
    char path[64], *text, *at;
    unsigned long user = 0, system = 0;
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    text = outside_read(path);
    at = strrchr(text, ')');
    if (at)
        sscanf(at + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system);
    free(text);
    return (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
}

/* The limit is generous for a build with sanitizers; IDLE=seconds measures longer. */
TEST(watching_costs_next_to_nothing)
{
    const char *seconds = getenv("IDLE");
    int wait = seconds ? atoi(seconds) : 3;
    make_copied("in/*.jsonl", true);
    for (int i = 0; i < 300; i++) {
        char name[32];
        snprintf(name, sizeof name, "in/%d.jsonl", i);
        put_rows(name, i, i + 1);
    }
    put("in/0.jsonl", "{\"n\":"); /* half a line costs nothing either */
    pid_t pid = outside_start("up", NULL, -1);
    EXPECT(wait_for(300));
    outside_sleep_ms(1500);
    double before = cpu_seconds(pid);
    outside_sleep_ms(wait * 1000);
    double used = (cpu_seconds(pid) - before) / wait;
    printf("watching 300 files: %.2f %% CPU\n", used * 100);
    EXPECT(used < 0.02);
    EXPECT(end(pid));
    outside_clean();
}

int main(void)
{
    RUN(all_kinds_of_files_once);
    RUN(csv_with_a_header_goes_on_where_it_was);
    RUN(parquet_files_once);
    RUN(avro_rows_once_wherever_it_is_killed);
    RUN(many_files_cost_as_many_times_one);
    RUN(a_damaged_file_does_not_stop_the_others);
    RUN(a_file_that_is_not_there_is_said);
    RUN(files_that_grow_are_renamed_rotated_and_truncated);
    RUN(new_files_of_a_pattern_and_arrays_that_are_being_written);
    RUN(rows_of_a_quiet_pipe_arrive_before_its_end);
    RUN(watching_costs_next_to_nothing);
    return test_end();
}

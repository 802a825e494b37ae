/* The Delta sink over many commits: each must stay as quick as the first, merging and checkpoints included. Prints milliseconds a commit, and what memory there is
 * then and was at most; in the end also how many files the table has, and how many that were merged away. COMMITS=n, EVERY=n (commits a line), PARTITIONS=n, ROWS=n,
 * FOLDER=path (default: one under /tmp, removed at the end). */
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "os/os.h"
#include "sink/delta/log.h"
#include "sink/sink.h"

static int64_t rows_each = 100, every = 100;

struct work {
    struct msg msg;
    int64_t commits;
    const char *folder;
};

static int64_t partitions = 4;
static struct sink_spec spec = {.project = "p",
                                .stream = "s",
                                .name = "lake.t",
                                .table = "t",
                                .folder = "/",
                                .uuid = "11111111-2222-4333-8444-555555555555",
                                .mode = SINK_APPEND};

static void make_rows(struct batch *batch, const struct type *schema, int64_t first)
{
    struct batch_builder b;
    char text[32];
    batch_reset(batch);
    batch_builder_init(&b, batch, schema);
    for (int64_t n = first; n < first + rows_each; n++) {
        snprintf(text, sizeof text, "row number %lld", (long long)n);
        column_builder_i64(&b.columns[0], n);
        column_builder_str(&b.columns[1], str_of(text), true);
        column_builder_i64(&b.columns[2], n % partitions);
    }
    batch_builder_finish(&b);
}

static void report(int64_t commits, int64_t ns)
{
    struct rusage usage;
    CHECK(getrusage(RUSAGE_SELF, &usage) == 0);
    printf("%6lld commits: %6.2f ms each, %3zu MiB, %3ld MiB at most\n", (long long)commits,
           (double)ns / (double)every / 1e6, mem_in_use() >> 20, usage.ru_maxrss >> 10);
    fflush(stdout);
}

static void report_files(const char *path)
{
    struct delta_table t = {0};
    struct err err;
    struct mono_time start = os_mono();
    CHECK(delta_load(&t, path, -1, &err));
    printf("%zu active files, %zu removed ones, read in %lld ms\n", t.files.count, t.removed.count,
           (long long)(mono_since_ns(os_mono(), start) / NS_PER_MS));
    delta_fini(&t);
}

static void run(struct msg *msg) ON(block)
{
    struct work *w = CONTAINER_OF(msg, struct work, msg);
    struct arena arena = {0};
    struct batch *batch = batch_new();
    const struct type *schema;
    struct sink sink = {.kind = sink_kind_find(STR("file:/")), .spec = &spec};
    struct position positions[SINK_INPUTS_MAX];
    enum sink_found found;
    uint32_t count;
    struct err err;
    CHECK(type_parse_ddl(&arena, STR("n LONG, text STRING, k INT"), &schema, &err));
    CHECK(sink_open(&sink, schema, &found, positions, &count, &err));
    struct mono_time start = os_mono();
    for (int64_t i = 1; i <= w->commits; i++) {
        make_rows(batch, schema, i * rows_each);
        const struct position at = {0, 0, i * rows_each};
        if (!sink_write(&sink, batch, &err) || !sink_commit(&sink, &at, 1, &err)) {
            fprintf(stderr, "%s\n", err.text);
            exit(1);
        }
        if (i % every == 0 || i == w->commits) {
            report(i, mono_since_ns(os_mono(), start));
            start = os_mono();
        }
    }
    sink_abort(&sink);
    report_files(arena_printf(&arena, "%s/t", w->folder));
    batch_free(batch);
    arena_fini(&arena);
}

int main(void)
{
    static const char *const by_k[] = {"k"};
    struct arena arena = {0};
    struct loop *main_loop, *block;
    struct err err;
    const char *commits = os_env("COMMITS"), *folder = os_env("FOLDER");
    struct work w = {.commits = commits ? atoll(commits) : 1000};
    w.folder = folder ? folder : arena_printf(&arena, "/tmp/delta_bench.%d", os_pid());
    spec.url = arena_printf(&arena, "file:%s", w.folder);
    spec.partition_by = by_k;
    if (os_env("ROWS"))
        rows_each = atoll(os_env("ROWS"));
    if (os_env("EVERY"))
        every = atoll(os_env("EVERY"));
    if (os_env("PARTITIONS")) {
        spec.partition_by_count = 1;
        partitions = atoll(os_env("PARTITIONS"));
    }
    CHECK(loop_new(ROLE_MAIN, "main", &main_loop, &err) && loop_start(main_loop, &err) &&
          loop_new(ROLE_BLOCK, "sink", &block, &err) && loop_start(block, &err));
    msg_init(&w.msg, run);
    loop_post(block, &w.msg);
    loop_stop(block);
    loop_join(block);
    loop_free(block);
    loop_stop(main_loop);
    loop_run(main_loop);
    loop_free(main_loop);
    if (folder == NULL)
        CHECK(os_remove_tree(w.folder, &err));
    arena_fini(&arena);
    return 0;
}

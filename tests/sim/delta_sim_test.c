/* The Delta sink alone under the simulator: partitions, columns that come later or become wider and have the table written anew, merging and checkpoints, while lives end at any call with a power
 * cut or a kill, calls fail, and the disk is full for a while. Whatever happened: in the end each row is in the table once, in its partition and with
 * its columns, as a scan of the table finds it; the log holds what the protocol asks of it.
 *
 * ref/seeds.h says how to run more seeds, or others. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/test.h"
#include "obs/event.h"
#include "os/sim.h"
#include "ref/seeds.h"
#include "sink/delta/rewrite.h"
#include "sink/delta/scan.h"
#include "sink/sink.h"
#include "json/tree.h"

enum {
    COMMITS = 48,
    ROWS_EACH = 5,
    ROWS = COMMITS * ROWS_EACH,
    EVOLVES_AT = ROWS / 2,
    WIDENS_AT = 3 * ROWS / 4 / ROWS_EACH * ROWS_EACH,
    PARTITIONS = 3,
    LIVES_MAX = 60,
    SEEDS = 40
};

static const char *const partition_by[] = {"K"};

static const struct sink_spec *spec(void)
{
    static struct sink_spec s = {.project = "p",
                                 .stream = "s",
                                 .name = "lake.t",
                                 .url = "file:/lake",
                                 .table = "t",
                                 .folder = "/",
                                 .uuid = "11111111-2222-4333-8444-555555555555",
                                 .mode = SINK_APPEND,
                                 .partition_by = partition_by,
                                 .partition_by_count = 1};
    return &s;
}

/* Of the rows from there on. */
static const struct type *schema_of(struct arena *arena, int64_t at)
{
    const struct type *schema;
    struct err err;
    CHECK(type_parse_ddl(
        arena,
        at >= WIDENS_AT ? STR("n LONG, k STRING, i INTERVAL DAY TO SECOND, w LONG, f DOUBLE, t TIMESTAMP_NTZ")
        : at >= EVOLVES_AT ? STR("n LONG, k STRING, i INTERVAL DAY TO SECOND, w INT, f LONG, t TIMESTAMP_NTZ")
                           : STR("n LONG, k STRING, i INTERVAL DAY TO SECOND, w INT, f LONG"),
        &schema, &err));
    return schema;
}

/* How far the table is at least, by its columns. */
static bool find_stage(int64_t *at, struct err *err)
{
    struct delta_table t = {0};
    bool ok = delta_load(&t, "/lake/t", -1, err);
    int index = ok && t.version >= 0 ? type_field(t.schema, STR("w"), true) : -1;
    *at = index >= 0 && t.schema->fields[index].type->kind == TYPE_LONG ? WIDENS_AT : 0;
    delta_fini(&t);
    return ok;
}

/* Rows first..first+count, as the stream makes them. */
static void make_rows(struct batch *batch, const struct type *schema, int64_t first, int64_t count)
{
    struct batch_builder b;
    batch_reset(batch);
    batch_builder_init(&b, batch, schema);
    for (int64_t n = first; n < first + count; n++) {
        char text[16];
        snprintf(text, sizeof text, "k/%d%%", (int)(n % PARTITIONS));
        column_builder_i64(&b.columns[0], n);
        column_builder_str(&b.columns[1], n % PARTITIONS ? str_of(text) : STR(""), true);
        column_builder_i64(&b.columns[2], n * 1000000);
        column_builder_i64(&b.columns[3], n);
        if (first >= WIDENS_AT)
            column_builder_f64(&b.columns[4], (double)n);
        else
            column_builder_i64(&b.columns[4], n);
        if (schema->field_count > 5)
            column_builder_i64(&b.columns[5], n);
    }
    batch_builder_finish(&b);
}

static bool never(void *arg)
{
    (void)arg;
    return false;
}

/* Writes from where the table is to the end. */
static int write_all(bool disk_may_fail) ON(block)
{
    struct arena arena = {0};
    struct batch *batch = batch_new();
    struct position positions[SINK_INPUTS_MAX];
    struct err err;
    for (int tries = 0; tries < 50; tries++) {
        struct sink sink = {.kind = sink_kind_find(STR("file:/lake")), .spec = spec()};
        enum sink_found found;
        uint32_t count = 0;
        int64_t at = 0;
        bool narrow = false;
        bool ok = find_stage(&at, &err) &&
                  sink_open(&sink, schema_of(&arena, at), &found, positions, &count, &err);
        at = 0;
        if (ok && count)
            at = positions[0].next_offset;
        if (ok && count > 1)
            return 2;
        while (ok && at < ROWS) {
            make_rows(batch, schema_of(&arena, at), at, ROWS_EACH);
            narrow = at == WIDENS_AT;
            at += ROWS_EACH;
            const struct position now = {0, 0, at};
            ok = sink_write(&sink, batch, &err) && sink_commit(&sink, &now, 1, &err);
            if (ok && at % 20 == 0)
                ok = sink_maintain(&sink, never, NULL, &err);
        }
        sink_abort(&sink);
        if (ok) {
            batch_free(batch);
            arena_fini(&arena);
            return 0;
        }
        if (narrow && err.class == ERR_FATAL) {
            struct delta_rewritten done;
            if (delta_rewrite(spec(), schema_of(&arena, WIDENS_AT), never, NULL, &done, &err))
                continue;
        }
        if (err.class != ERR_RETRY || !disk_may_fail) {
            fprintf(stderr, "life: %s\n", err.text);
            return 1;
        }
        sim_advance(INT64_C(1000000000));
    }
    return 3;
}

struct turn {
    struct msg msg;
    bool disk_may_fail;
    int status;
};

static void take_turn(struct msg *msg) ON(block)
{
    struct turn *turn = CONTAINER_OF(msg, struct turn, msg);
    turn->status = write_all(turn->disk_may_fail);
}

static int live(void *arg)
{
    struct turn turn = {.disk_may_fail = *(bool *)arg, .status = 9};
    struct loop *block, *main;
    struct err err;
    event_setup(getenv("VERBOSE") ? EVENT_LEVEL_DEBUG : EVENT_LEVEL_ERROR, false, -1);
    if (!loop_new(ROLE_MAIN, "main", &main, &err) || !loop_start(main, &err) ||
        !loop_new(ROLE_BLOCK, "sink", &block, &err) || !loop_start(block, &err))
        sim_crash(); /* the failure of this life was here */
    msg_init(&turn.msg, take_turn);
    loop_post(block, &turn.msg);
    loop_stop(block);
    loop_join(block);
    return turn.status;
}

/* ---- what came of it --------------------------------------------------------------------------------------------------------------- */

static int64_t seen[ROWS];

static int see(const struct batch *batch, uint32_t row)
{
    struct arena arena = {0};
    struct value v[6];
    char text[16];
    for (uint32_t c = 0; c < 6; c++)
        v[c] = column_value(&batch->columns[c], row, &arena);
    int64_t n = v[0].i64;
    int bad = v[0].is_null || n < 0 || n >= ROWS;
    if (!bad) {
        seen[n]++;
        snprintf(text, sizeof text, "k/%d%%", (int)(n % PARTITIONS));
        bad += n % PARTITIONS ? v[1].is_null || !str_is(v[1].str, text) : !v[1].is_null;
        bad += v[2].is_null || v[2].type->kind != TYPE_STRING ||
               !str_starts(v[2].str, STR("INTERVAL '0 00:"));
        bad += v[3].is_null || v[3].i64 != n || v[3].type->kind != TYPE_LONG;
        bad += v[4].is_null || v[4].f64 != (double)n;
        bad += n >= EVOLVES_AT ? v[5].is_null || v[5].i64 != n : !v[5].is_null;
    }
    if (bad)
        fprintf(stderr, "row %" PRId64 " is not as it was written\n", n);
    arena_fini(&arena);
    return bad;
}

static int judge(bool strict)
{
    struct pool *pool = pool_new(NULL, "judge");
    struct batch *batch = batch_new();
    struct err err = {0};
    bool end = false;
    int bad = 0;
    memset(seen, 0, sizeof seen);
    struct delta_scan *scan = delta_scan_new(pool, "/lake/t", -1, NULL, &err);
    bool ok = scan != NULL;
    while (ok && !end) {
        ok = delta_scan_next(scan, batch, &end, &err);
        for (uint32_t row = 0; ok && !end && row < batch->rows; row++)
            bad += see(batch, row);
    }
    if (!ok) {
        fprintf(stderr, "scan: %s\n", err.text);
        bad++;
    }
    for (int64_t n = 0; ok && n < ROWS; n++)
        if (seen[n] != 1 && bad++ < 5)
            fprintf(stderr, "row %" PRId64 " is there %" PRId64 " times\n", n, seen[n]);
    if (ok) {
        const struct delta_table *t = delta_scan_table(scan);
        bad += t->reader_version != 3 || t->writer_version != 7 || t->reader_feature_count != 1 ||
               t->writer_feature_count != 3;
        bad += t->checkpoint < 0;
        if (strict && t->files.count >= COMMITS * (PARTITIONS - 1)) {
            fprintf(stderr, "%zu files: nothing was merged\n", t->files.count);
            bad++;
        }
    }
    batch_free(batch);
    pool_free(pool);
    return bad;
}

/* ---- seeds -------------------------------------------------------------------------------------------------------------------------- */

static bool run_seed(uint64_t seed)
{
    struct err err;
    enum sim_end end = SIM_CRASHED;
    bool fails = seed % 3 == 0;
    int status = 0, lives = 0;
    sim_open(seed);
    bool ok = os_mkdirs("/lake", &err);
    while (ok && end == SIM_CRASHED && lives < LIVES_MAX) {
        bool last = lives++ > 20;
        struct sim_options options = {.crash_after = last ? 0 : 1 + sim_below(UINT64_C(8) << sim_below(9))};
        if (fails && !last) {
            options.fail_after = 1 + sim_below(400);
            options.fail_errno = sim_below(2) ? ENOSPC : EIO;
            options.fail_sync_loses = true;
        }
        end = sim_life(live, &fails, &options, &status);
        if (end == SIM_CRASHED && sim_below(2))
            sim_power_cut();
        else if (end == SIM_CRASHED)
            sim_kill();
    }
    if (end == SIM_RETURNED)
        sim_power_cut(); /* all was committed: it must be there */
    ok = ok && end == SIM_RETURNED && status == 0;
    if (!ok)
        fprintf(stderr, "seed %" PRIu64 ": life %d ended badly (%d, status %d)\n", seed, lives, end, status);
    else if (judge(true) > 0) {
        fprintf(stderr, "seed %" PRIu64 ": wrong after %d lives\n", seed, lives);
        ok = false;
    }
    sim_close();
    return ok;
}

TEST(each_row_is_in_the_table_once)
{
    for (uint64_t seed = seed_first(); seed < seed_end(seed_count(SEEDS)); seed++)
        if (!EXPECT(run_seed(seed)))
            return;
}

int main(void)
{
    RUN(each_row_is_in_the_table_once);
    return test_end();
}

/* The Delta sink beside other writers of the same table, and what it says when the table is no longer what it was. */
#include <stdio.h>

#include "base/test.h"
#include "os/sim.h"
#include "sink/delta/scan.h"
#include "sink/sink.h"

static struct sink_spec spec = {.project = "p",
                                .stream = "s",
                                .name = "lake.t",
                                .url = "file:/lake",
                                .table = "t",
                                .folder = "/",
                                .uuid = "11111111-2222-4333-8444-555555555555",
                                .mode = SINK_APPEND};

struct scene {
    struct msg msg;
    struct sink sink;
    struct arena arena;
    struct batch *batch;
    const struct type *schema;
    int64_t at;
    enum sink_found found;
    struct position positions[8];
    uint32_t count;
    struct err err;
    int bad;
};

#define SAY(condition)                                                                                       \
    do {                                                                                                     \
        if (!(condition)) {                                                                                  \
            fprintf(stderr, "line %d: not so: %s (%s)\n", __LINE__, #condition, s->err.text);                \
            s->bad++;                                                                                        \
        }                                                                                                    \
    } while (0)

static bool open_sink(struct scene *s) ON(block)
{
    static struct position positions[SINK_INPUTS_MAX];
    s->sink = (struct sink){.kind = sink_kind_find(STR("file:/lake")), .spec = &spec};
    CHECK(type_parse_ddl(&s->arena, STR("n LONG, x STRING"), &s->schema, &s->err));
    bool ok = sink_open(&s->sink, s->schema, &s->found, positions, &s->count, &s->err);
    s->at = ok && s->count ? positions[0].next_offset : 0;
    return ok;
}

static bool put_row(struct scene *s) ON(block)
{
    struct batch_builder b;
    batch_reset(s->batch);
    batch_builder_init(&b, s->batch, s->schema);
    column_builder_i64(&b.columns[0], s->at++);
    column_builder_str(&b.columns[1], STR("x"), true);
    batch_builder_finish(&b);
    const struct position now = {0, 0, s->at};
    return sink_write(&s->sink, s->batch, &s->err) && sink_commit(&s->sink, &now, 1, &s->err);
}

/* Another writer adds a version. */
static void other(struct scene *s, const char *lines)
{
    struct delta_table t = {0};
    bool won = false;
    char uuid[37];
    os_uuid(uuid);
    SAY(delta_load(&t, "/lake/t", -1, &s->err) && delta_commit(&t, str_of(lines), uuid, &won, &s->err) &&
        won);
    delta_fini(&t);
}

static int64_t count_rows(struct scene *s, uint32_t columns)
{
    struct pool *pool = pool_new(NULL, "count");
    struct delta_scan *scan = delta_scan_new(pool, "/lake/t", -1, NULL, &s->err);
    bool end = false;
    int64_t rows = 0;
    SAY(scan != NULL);
    SAY(scan == NULL || delta_scan_schema(scan)->field_count == columns);
    while (scan && !end && delta_scan_next(scan, s->batch, &end, &s->err))
        rows += s->batch->rows;
    SAY(end);
    pool_free(pool);
    return rows;
}

#define METADATA(fields)                                                                                                   \
    "{\"metaData\":{\"id\":\"i\",\"name\":\"kept\",\"format\":{\"provider\":\"parquet\",\"options\":{}},\"schemaString\":" \
    "\"{\\\"type\\\":\\\"struct\\\",\\\"fields\\\":[" fields                                                               \
    "]}\",\"partitionColumns\":[],\"configuration\":{\"a.b\":\"c\"},\"createdTime\":5}}\n"
#define FIELD(name, type, metadata)                                                                          \
    "{\\\"name\\\":\\\"" name "\\\",\\\"type\\\":\\\"" type                                                  \
    "\\\",\\\"nullable\\\":true,\\\"metadata\\\":" metadata "}"

static void conflicts(struct scene *s) ON(block)
{
    SAY(open_sink(s) && s->found == SINK_NEW);
    SAY(put_row(s) && put_row(s));
    other(s, "{\"txn\":{\"appId\":\"somebody\",\"version\":1}}\n");
    SAY(put_row(s)); /* an append beside an append */
    SAY(count_rows(s, 2) == 3);
    other(s, METADATA(FIELD("n", "long", "{}") "," FIELD("x", "string", "{\\\"their\\\":1}") "," FIELD(
                 "theirs", "date", "{}")));
    SAY(put_row(s)); /* columns more */
    SAY(count_rows(s, 3) == 4);
    other(s, METADATA(FIELD("n", "long", "{}")));
    SAY(put_row(s)); /* columns fewer: ours come again, and what the metaData says besides stays */
    SAY(count_rows(s, 2) == 5);
    struct delta_table t = {0};
    SAY(delta_load(&t, "/lake/t", -1, &s->err));
    SAY(str_find(t.metadata, STR("\"name\":\"kept\""), 0) != SIZE_MAX && delta_property(&t, "a.b") != NULL);
    delta_fini(&t);
    other(s, METADATA(FIELD("n", "string", "{}") "," FIELD("x", "string", "{}")));
    SAY(!put_row(s) && s->err.class == ERR_FATAL &&
        str_find(str_of(s->err.text), STR("\"n\""), 0) != SIZE_MAX);
    sink_abort(&s->sink);
    SAY(!open_sink(s) && s->err.class == ERR_FATAL);
    sink_abort(&s->sink);
}

static void features_and_positions(struct scene *s) ON(block)
{
    SAY(open_sink(s) && put_row(s));
    other(s, "{\"txn\":{\"appId\":\"sluice/p/s/11111111-2222-4333-8444-555555555555/0\",\"version\":99}}\n");
    SAY(!put_row(s) && s->err.class == ERR_FATAL);
    sink_abort(&s->sink);
    SAY(open_sink(s) && s->found == SINK_OURS && s->at == 99);
    other(
        s,
        "{\"protocol\":{\"minReaderVersion\":1,\"minWriterVersion\":7,\"writerFeatures\":[\"rowTracking\"]}}\n");
    SAY(!put_row(s) && s->err.class == ERR_FATAL &&
        str_find(str_of(s->err.text), STR("rowTracking"), 0) != SIZE_MAX);
    sink_abort(&s->sink);
}

static void table_goes_away(struct scene *s) ON(block)
{
    SAY(open_sink(s) && put_row(s));
    SAY(os_remove_tree("/lake/t", &s->err));
    SAY(!put_row(s) && s->err.class == ERR_RETRY);
    sink_abort(&s->sink);
    SAY(open_sink(s) && s->found == SINK_NEW && s->count == 0);
    sink_abort(&s->sink);
}

static void (*const scenes[])(struct scene *s) = {conflicts, features_and_positions, table_goes_away};

static void play(struct msg *msg) ON(block)
{
    struct scene *s = CONTAINER_OF(msg, struct scene, msg);
    s->batch = batch_new();
    for (size_t i = 0; i < sizeof scenes / sizeof *scenes; i++) {
        SAY(os_remove_tree("/lake", &s->err) && os_mkdirs("/lake", &s->err));
        scenes[i](s);
    }
    batch_free(s->batch);
    arena_fini(&s->arena);
}

static int live(void *arg)
{
    struct scene s = {0};
    struct loop *main_loop, *block;
    (void)arg;
    CHECK(loop_new(ROLE_MAIN, "main", &main_loop, &s.err) && loop_start(main_loop, &s.err) &&
          loop_new(ROLE_BLOCK, "sink", &block, &s.err) && loop_start(block, &s.err));
    msg_init(&s.msg, play);
    loop_post(block, &s.msg);
    loop_stop(block);
    loop_join(block);
    return s.bad;
}

TEST(other_writers_and_lost_tables)
{
    int status = -1;
    sim_open(1);
    EXPECT_EQ_INT(sim_life(live, NULL, NULL, &status), SIM_RETURNED);
    EXPECT_EQ_INT(status, 0);
    sim_close();
}

int main(void)
{
    RUN(other_writers_and_lost_tables);
    return test_end();
}

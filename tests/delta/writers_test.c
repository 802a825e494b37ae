/* The Delta sink beside other writers of the same table, what it says when the table is no longer what it was, and what it deletes of it and when. */
#include <stdio.h>

#include "base/test.h"
#include "os/sim.h"
#include "ref/scene.h"
#include "sink/delta/rewrite.h"
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

static bool open_with(struct scene *s, const struct sink_spec *with, const char *columns) ON(block)
{
    static struct position positions[SINK_INPUTS_MAX];
    s->sink = (struct sink){.kind = sink_kind_find(STR("file:/lake")), .spec = with};
    CHECK(type_parse_ddl(&s->arena, str_of(columns), &s->schema, &s->err));
    bool ok = sink_open(&s->sink, s->schema, &s->found, positions, &s->count, &s->err);
    s->at = ok && s->count ? positions[0].next_offset : 0;
    return ok;
}

static bool open_sink(struct scene *s) ON(block)
{
    return open_with(s, &spec, "n LONG, x STRING");
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
    SAY(!put_row(s) && s->err.class == ERR_RETRY && /* the stream may have such columns by now */
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

/* ---- files and commits that may go ------------------------------------------------------------------------------------------------- */

#define DAY_NS (INT64_C(86400) * 1000000000)

static bool never(void *arg)
{
    (void)arg;
    return false;
}

static void put_file(struct scene *s, const char *path)
{
    SAY(os_write_file(path, "PAR1", 4, &s->err));
}

/* Rows, and the upkeep of an idle moment. */
static void put_rows(struct scene *s, int count) ON(block)
{
    for (int i = 0; i < count; i++)
        SAY(put_row(s));
    SAY(sink_maintain(&s->sink, never, NULL, &s->err));
}

static size_t count_names(struct scene *s, const char *folder, const char *part)
{
    char **names;
    size_t count, found = 0;
    SAY(os_list(folder, &s->arena, &names, &count, &s->err));
    for (size_t i = 0; i < count; i++)
        found += str_find(str_of(names[i]), str_of(part), 0) != SIZE_MAX;
    return found;
}

static const char OURS[] = "/lake/t/part-00000-11111111-1111-4111-8111-111111111111-sluice.zstd.parquet";
static const char INNER[] =
    "/lake/t/_x=1/part-00000-21111111-1111-4111-8111-111111111111-sluice.zstd.parquet";
static const char THEIRS[] = "/lake/t/part-00000-31111111-1111-4111-8111-111111111111-c000.snappy.parquet";
static const char HIDDEN[] =
    "/lake/t/_copy/part-00000-41111111-1111-4111-8111-111111111111-sluice.zstd.parquet";

static void files_that_nobody_needs(struct scene *s) ON(block)
{
    struct delta_table t = {0};
    struct delta_vacuum done;
    SAY(open_sink(s));
    put_rows(s, 40);
    size_t merged = count_names(s, "/lake/t", "-sluice.");
    SAY(merged > 40);
    SAY(os_mkdirs("/lake/t/_x=1", &s->err) && os_mkdirs("/lake/t/_copy", &s->err));
    put_file(s, OURS), put_file(s, INNER), put_file(s, THEIRS), put_file(s, HIDDEN);
    sim_advance(6 * DAY_NS);
    put_rows(s, 40); /* with a checkpoint, after which there is cleaning */
    SAY(os_exists(OURS) && os_exists(INNER) && count_names(s, "/lake/t", "-sluice.") > 80);
    SAY(delta_load(&t, "/lake/t", -1, &s->err) &&
        delta_vacuum(&t, os_wall().us / 1000 + 2 * 86400000, true, NULL, NULL, &done, &s->err));
    SAY(done.files > 30 && os_exists(OURS)); /* what would go in two days */
    sim_advance(2 * DAY_NS);
    put_rows(s, 40);
    SAY(!os_exists(OURS) && !os_exists(INNER) && os_exists(THEIRS) && os_exists(HIDDEN));
    SAY(count_names(s, "/lake/t", "-sluice.") <
        100); /* the first forty are gone, those of two days ago are not */
    SAY(count_rows(s, 2) == 120);
    for (int64_t version = 45; version <= 50;
         version++) /* a reader of six days ago is no longer served, one of two days is */
        SAY(delta_load(&t, "/lake/t", version, &s->err));
    delta_fini(&t);
    sink_abort(&s->sink);
}

/* No retention at all: what was merged away goes at once, what may be about to be committed does not. */
static void short_retention(struct scene *s) ON(block)
{
    SAY(open_sink(s) && put_row(s));
    other(
        s,
        "{\"metaData\":{\"id\":\"i\",\"format\":{\"provider\":\"parquet\",\"options\":{}},\"schemaString\":"
        "\"{\\\"type\\\":\\\"struct\\\",\\\"fields\\\":[" FIELD("n", "long", "{}") "," FIELD(
            "x", "string",
            "{}") "]}\",\"partitionColumns\":[],\"configuration\":{\"delta.deletedFileRetentionDuration\":\"interval 0 hours\"}}}\n");
    put_file(s, OURS);
    put_rows(s, 40);
    sim_advance(DAY_NS / 12);
    put_rows(s, 40);
    SAY(os_exists(OURS));
    SAY(count_names(s, "/lake/t", "-sluice.") < 60); /* of 85: the first forty are gone, without a wait */
    sim_advance(DAY_NS);
    put_rows(s, 40);
    SAY(!os_exists(OURS));
    SAY(count_rows(s, 2) == 121);
    sink_abort(&s->sink);
}

/* Commits stay for thirty days, of the checkpoints the two newest and few others; all versions that have commits can be read. */
static void old_log(struct scene *s) ON(block)
{
    struct delta_table t = {0};
    SAY(open_sink(s));
    for (int hour = 0; hour < 30; hour++) {
        put_rows(s, 20);
        sim_advance(DAY_NS / 24);
    }
    size_t checkpoints = count_names(s, "/lake/t/_delta_log", ".checkpoint.parquet");
    SAY(checkpoints >= 2 && checkpoints <= 8); /* of some sixty */
    SAY(delta_load(&t, "/lake/t", -1, &s->err));
    int64_t newest = t.version;
    for (int64_t version = 0; version <= newest; version += 37)
        SAY(delta_load(&t, "/lake/t", version, &s->err));
    sim_advance(40 * DAY_NS);
    put_rows(s, 20);
    put_rows(s, 20);
    SAY(delta_load(&t, "/lake/t", -1, &s->err));
    SAY(count_names(s, "/lake/t/_delta_log", ".json") < 100 &&
        !os_exists("/lake/t/_delta_log/00000000000000000007.json"));
    const char *last = arena_printf(&s->arena, "%s/%020lld.checkpoint.parquet", t.log_path,
                                    (long long)t.checkpoint);
    SAY(os_write_file(last, "PAR1", 4, &s->err)); /* what it is made up for by is still there */
    SAY(delta_load(&t, "/lake/t", -1, &s->err) && t.version > newest && count_rows(s, 2) == 640);
    delta_fini(&t);
    sink_abort(&s->sink);
}

/* Tombstones of merged files, each a millisecond younger than the one before; every 16th of a larger one. */
static void bury(struct scene *s, int first, int count, const char *data_change)
{
    struct sbuf lines = {0};
    int64_t now_ms = os_wall().us / 1000;
    for (int i = first; i < first + count; i++)
        sbuf_printf(&lines,
                    "{\"remove\":{\"path\":\"f-%d.parquet\",\"deletionTimestamp\":%lld,\"dataChange\":%s,"
                    "\"extendedFileMetadata\":true,\"partitionValues\":{},\"size\":%d}}\n",
                    i, (long long)(now_ms - 100000 + i), data_change, i % 16 == 0 ? 1000000 : 700);
    other(s, lines.p);
    sbuf_fini(&lines);
}

static bool is_buried(const struct delta_table *t, int i)
{
    char key[64];
    snprintf(key, sizeof key, "f-%d.parquet\n", i);
    return map_get(&t->removed, str_of(key)) != NULL;
}

static void many_tombstones(struct scene *s) ON(block)
{
    enum { LEAST = 3 << 10, MOST = 4 << 10, ALL = 5000 };
    struct delta_table t = {0};
    SAY(open_sink(s) && put_row(s));
    bury(s, 0, MOST - 100, "false");
    put_rows(s, 110);
    SAY(delta_load(&t, "/lake/t", -1, &s->err) && t.removed.count > MOST - 100);
    SAY(is_buried(&t, 0) && is_buried(&t, 1)); /* so many are kept */
    bury(s, MOST - 100, ALL - MOST + 100, "false");
    bury(s, ALL, 100, "true");
    put_rows(s, 110);
    SAY(delta_load(&t, "/lake/t", -1, &s->err) && t.removed.count >= LEAST && t.removed.count < LEAST + 500);
    SAY(is_buried(&t, 0) && is_buried(&t, 160) &&
        is_buried(&t, ALL - 1)); /* larger ones and the youngest are still there, */
    SAY(!is_buried(&t, 1) && !is_buried(&t, 161));
    SAY(is_buried(&t, ALL) && is_buried(&t, ALL + 99)); /* and those of rows that were deleted */
    SAY(count_rows(s, 2) == 221);
    delta_fini(&t);
    sink_abort(&s->sink);
}

/* ---- rows that are too old ----------------------------------------------------------------------------------------------------------- */

/* One commit for each hour. */
static void put_hours(struct scene *s, int hours) ON(block)
{
    for (int i = 0; i < hours; i++) {
        struct batch_builder b;
        batch_reset(s->batch);
        batch_builder_init(&b, s->batch, s->schema);
        column_builder_i64(&b.columns[0], s->at++);
        column_builder_str(&b.columns[1], STR("x"), true);
        column_builder_i64(&b.columns[2], os_wall().us);
        batch_builder_finish(&b);
        const struct position now = {0, 0, s->at};
        SAY(sink_write(&s->sink, s->batch, &s->err) && sink_commit(&s->sink, &now, 1, &s->err));
        sim_advance(DAY_NS / 24);
    }
}

static void rows_that_are_too_old(struct scene *s) ON(block)
{
    struct sink_spec aged = spec;
    aged.age_column = "at";
    aged.retention_ms = 80 * 3600 * 1000;
    SAY(open_with(s, &aged, "n LONG, x STRING, at TIMESTAMP"));
    SAY(sink_expire(&s->sink, &s->err)); /* of a table that is not there yet */
    put_hours(s, 40);
    SAY(sink_expire(&s->sink, &s->err) && count_rows(s, 3) == 40);
    SAY(sink_maintain(&s->sink, never, NULL, &s->err)); /* all in one file, with all ages */
    put_hours(s, 41);
    SAY(sink_expire(&s->sink, &s->err) && count_rows(s, 3) == 81); /* one is too old, but not yet late */
    put_hours(s, 11);
    sim_advance(DAY_NS / 48);
    SAY(sink_expire(&s->sink, &s->err) &&
        count_rows(s, 3) == 79); /* now it is, and with it go all that are too old */
    put_hours(s, 10);
    SAY(sink_maintain(&s->sink, never, NULL, &s->err));
    sim_advance(60 * DAY_NS / 24);
    SAY(sink_expire(&s->sink, &s->err) && count_rows(s, 3) <= 25); /* whole files */
    other(s, "{\"txn\":{\"appId\":\"somebody\",\"version\":1}}\n");
    sim_advance(DAY_NS);
    SAY(sink_expire(&s->sink, &s->err)); /* loses against the other, and says nothing */
    SAY(sink_expire(&s->sink, &s->err) && count_rows(s, 3) == 0);
    put_hours(s, 1);
    SAY(count_rows(s, 3) == 1);
    sim_advance(10 * DAY_NS);
    SAY(os_remove_tree("/lake/t", &s->err)); /* deleted: it is not for this to write it anew */
    SAY(!sink_expire(&s->sink, &s->err) && !os_exists("/lake/t"));
    sink_abort(&s->sink);
}

/* The place of what is wrong in a commit is that in its file. */
static void damaged_commits(struct scene *s) ON(block)
{
    static const struct {
        const char *line, *error;
    } commits[] = {
        {"{\"add\":{\"path\":1 2}}",
         "json\": this is not JSON: a comma or } is expected (line 3, column 18)"},
        {"{\"txn\":{\"appId\":1}}", "json\": line 3: malformed txn action"},
        {"{\"metaData\":{\"id\":\"i\",\"schemaString\":\"{\\\"type\\\"\"}}",
         "json\": line 3: schemaString: "},
    };
    for (size_t i = 0; i < sizeof commits / sizeof *commits; i++) {
        struct delta_table t = {0};
        SAY(os_remove_tree("/lake", &s->err) && os_mkdirs("/lake", &s->err));
        SAY(open_sink(s) && put_row(s));
        sink_abort(&s->sink);
        char *text = arena_printf(&s->arena, "{\"commitInfo\":{}}\n\n%s\n", commits[i].line);
        SAY(os_write_file("/lake/t/_delta_log/00000000000000000001.json", text, strlen(text), &s->err));
        SAY(!delta_load(&t, "/lake/t", -1, &s->err) &&
            str_find(str_of(s->err.text), str_of(commits[i].error), 0) != SIZE_MAX);
        delta_fini(&t);
    }
}

/* ---- wider columns ------------------------------------------------------------------------------------------------------------------ */

static const char WIDE[] = "n DOUBLE, x STRING, s STRUCT<a: BIGINT>, more INT";

static bool rewrite_to(struct scene *s, const char *columns, bool (*stop)(void *arg),
                       struct delta_rewritten *done)
{
    const struct type *rows;
    CHECK(type_parse_ddl(&s->arena, str_of(columns), &rows, &s->err));
    return delta_rewrite(&spec, rows, stop, s, done, &s->err);
}

static bool put_narrow(struct scene *s, int64_t n) ON(block)
{
    struct batch_builder b;
    batch_reset(s->batch);
    batch_builder_init(&b, s->batch, s->schema);
    column_builder_i64(&b.columns[0], n);
    column_builder_str(&b.columns[1], STR("x"), true);
    column_builder_i64(&b.columns[2].children[0], 7);
    column_builder_nested(&b.columns[2]);
    batch_builder_finish(&b);
    const struct position now = {0, 0, ++s->at};
    return sink_write(&s->sink, s->batch, &s->err) && sink_commit(&s->sink, &now, 1, &s->err);
}

/* Another row comes while files are written anew, once; */
static bool another_comes(void *arg) ON(block)
{
    struct scene *s = arg;
    if (s->at == 3) {
        struct batch *batch = s->batch; /* its own, not the one that is read */
        s->batch = batch_new();
        SAY(put_narrow(s, 4));
        batch_free(s->batch);
        s->batch = batch;
    }
    return false;
}

/* and files are merged. */
static bool merged_away(void *arg) ON(block)
{
    struct scene *s = arg;
    if (s->at++ == 40)
        SAY(sink_maintain(&s->sink, never, NULL, &s->err));
    return false;
}

static double sum_of_n(struct scene *s)
{
    struct pool *pool = pool_new(NULL, "sum");
    struct delta_scan *scan = delta_scan_new(pool, "/lake/t", -1, NULL, &s->err);
    bool end = false;
    double sum = 0;
    while (scan && !end && delta_scan_next(scan, s->batch, &end, &s->err))
        for (uint32_t row = 0; row < s->batch->rows; row++)
            sum += column_value(&s->batch->columns[0], row, &s->arena).f64;
    pool_free(pool);
    return sum;
}

static void wider_columns(struct scene *s) ON(block)
{
    static const char narrow[] = "n LONG, x STRING, s STRUCT<a: INT>";
    struct delta_rewritten done;
    struct delta_table t = {0};
    SAY(!rewrite_to(s, WIDE, NULL, &done) && s->err.class == ERR_DATA); /* there is no table */
    SAY(open_with(s, &spec, narrow) && put_narrow(s, 1) && put_narrow(s, 2) && put_narrow(s, 3));
    SAY(rewrite_to(s, narrow, NULL, &done) && done.columns == 0 && done.rows == 0);
    SAY(rewrite_to(s, WIDE, another_comes, &done) && done.columns == 2 && done.rows == 4 && done.files == 4);
    SAY(count_rows(s, 3) == 4 && sum_of_n(s) == 10);
    SAY(delta_load(&t, "/lake/t", -1, &s->err) && t.files.count <= 2 && t.reader_version == 1);
    SAY(t.schema->fields[0].type->kind == TYPE_DOUBLE &&
        t.schema->fields[2].type->fields[0].type->kind == TYPE_LONG);
    delta_fini(&t);
    SAY(!put_narrow(s, 5) && s->err.class == ERR_RETRY); /* of rows that are narrower by now */
    sink_abort(&s->sink);
    SAY(open_with(s, &spec, WIDE) && s->at == 4); /* the position is the same */
    sink_abort(&s->sink);
    SAY(!rewrite_to(s, "n STRING, x STRING", NULL, &done) && s->err.class == ERR_FATAL);
}

static bool at_once(void *arg)
{
    (void)arg;
    return true;
}

static void values_that_are_not_kept(struct scene *s) ON(block)
{
    struct delta_rewritten done;
    SAY(open_with(s, &spec, "n LONG, x STRING, s STRUCT<a: INT>") && put_narrow(s, (INT64_C(1) << 53) + 1));
    size_t files = count_names(s, "/lake/t", "parquet");
    SAY(!rewrite_to(s, WIDE, NULL, &done) && s->err.class == ERR_FATAL &&
        str_find(str_of(s->err.text), STR("9007199254740993"), 0) != SIZE_MAX);
    SAY(!rewrite_to(s, "s STRUCT<a: BIGINT>", at_once, &done)); /* interrupted */
    SAY(count_names(s, "/lake/t", "parquet") == files);
    SAY(rewrite_to(s, "s STRUCT<a: BIGINT>", NULL, &done) && done.columns == 1 && count_rows(s, 3) == 1);
    sink_abort(&s->sink);
}

static void rewritten_beside_a_merge(struct scene *s) ON(block)
{
    struct delta_rewritten done;
    SAY(open_with(s, &spec, "n LONG, x STRING, s STRUCT<a: INT>"));
    for (int i = 0; i < 40; i++)
        SAY(put_narrow(s, i));
    SAY(rewrite_to(s, WIDE, merged_away, &done) && done.rows == 40 && done.files < 40);
    SAY(count_rows(s, 3) == 40 && sum_of_n(s) == 39 * 40 / 2);
    sink_abort(&s->sink);
}

static void (*const scenes[])(struct scene *s) = {conflicts,
                                                  features_and_positions,
                                                  table_goes_away,
                                                  files_that_nobody_needs,
                                                  short_retention,
                                                  old_log,
                                                  many_tombstones,
                                                  rows_that_are_too_old,
                                                  damaged_commits,
                                                  wider_columns,
                                                  values_that_are_not_kept,
                                                  rewritten_beside_a_merge};

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

TEST(one_table_and_those_around_it)
{
    EXPECT_EQ_INT(scene_play(live), 0);
}

int main(void)
{
    RUN(one_table_and_those_around_it);
    return test_end();
}

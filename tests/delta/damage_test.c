/* A damaged checkpoint of a Delta table, any byte of any of its files: what is older makes up for it, and says so; where nothing older is there, it
 * is an error; the table is never silently another one.
 *
 * STEP=1 damages every byte, one after the other, instead of every 17th. */
#include <stdio.h>
#include <stdlib.h>

#include "base/test.h"
#include "obs/event.h"
#include "os/sim.h"
#include "ref/scene.h"
#include "sink/delta/log.h"

enum { VERSIONS = 25, NEWEST = 20, OLDER = 10 };

static const char LOG[] = "/t/_delta_log";
static int bad;

#define SAY(condition)                                                                                       \
    do {                                                                                                     \
        if (!(condition)) {                                                                                  \
            fprintf(stderr, "line %d: not so: %s\n", __LINE__, #condition);                                  \
            bad++;                                                                                           \
        }                                                                                                    \
    } while (0)

/* ---- a table ------------------------------------------------------------------------------------------------------------------------- */

static void put_version(struct delta_table *t, int version, struct sbuf *lines)
{
    char uuid[37];
    bool won;
    struct err err;
    os_uuid(uuid);
    sbuf_clear(lines);
    sbuf_printf(lines, "{\"commitInfo\":{\"txnId\":\"%s\"}}\n", uuid);
    if (version == 0)
        sbuf_cstr(
            lines,
            "{\"protocol\":{\"minReaderVersion\":3,\"minWriterVersion\":7,\"readerFeatures\":[\"deletionVectors\"],"
            "\"writerFeatures\":[\"deletionVectors\",\"domainMetadata\"]}}\n"
            "{\"metaData\":{\"id\":\"i\",\"format\":{\"provider\":\"parquet\",\"options\":{}},\"schemaString\":"
            "\"{\\\"type\\\":\\\"struct\\\",\\\"fields\\\":[{\\\"name\\\":\\\"n\\\",\\\"type\\\":\\\"long\\\",\\\"nullable\\\":true,"
            "\\\"metadata\\\":{}},{\\\"name\\\":\\\"k\\\",\\\"type\\\":\\\"string\\\",\\\"nullable\\\":true,\\\"metadata\\\":{}}]}\","
            "\"partitionColumns\":[\"k\"],\"configuration\":{\"a\":\"b\"},\"createdTime\":5}}\n"
            "{\"domainMetadata\":{\"domain\":\"d\",\"configuration\":\"c\",\"removed\":false}}\n");
    sbuf_printf(lines, "{\"txn\":{\"appId\":\"app\",\"version\":%d,\"lastUpdated\":7}}\n", version);
    sbuf_printf(
        lines,
        "{\"add\":{\"path\":\"k=%d/f%d.parquet\",\"partitionValues\":{\"k\":\"%d\"},\"size\":%d,\"modificationTime\":%d,"
        "\"dataChange\":true,\"stats\":\"{\\\"numRecords\\\":%d}\"%s}}\n",
        version % 3, version, version % 3, 100 + version, 1000 + version, version,
        version % 4 == 0
            ? ",\"deletionVector\":{\"storageType\":\"u\",\"pathOrInlineDv\":\"ab^-aqEH.-t@S}K{vb[*k^\",\"offset\":4,"
              "\"sizeInBytes\":40,\"cardinality\":6}"
            : "");
    if (version % 5 == 4)
        sbuf_printf(
            lines,
            "{\"remove\":{\"path\":\"k=%d/f%d.parquet\",\"deletionTimestamp\":%lld,\"dataChange\":false,"
            "\"extendedFileMetadata\":true,\"partitionValues\":{\"k\":\"%d\"},\"size\":%d}}\n",
            (version - 1) % 3, version - 1, (long long)(os_wall().us / US_PER_MS), (version - 1) % 3,
            99 + version);
    SAY(delta_commit(t, sbuf_view(lines), uuid, &won, &err) && won);
}

static void make_table(void)
{
    struct delta_table t = {0};
    struct sbuf lines = {0};
    struct err err;
    SAY(os_mkdirs("/t", &err) && delta_load(&t, "/t", -1, &err));
    for (int version = 0; version < VERSIONS; version++) {
        put_version(&t, version, &lines);
        if (version == OLDER || version == NEWEST)
            SAY(delta_checkpoint(&t, &err));
    }
    delta_fini(&t);
    sbuf_fini(&lines);
}

/* What two states have to agree in: the sum of their entries' hashes, as the order is free. */
static uint64_t hash_table(const struct delta_table *t)
{
    struct sbuf text = {0};
    uint64_t sum;
    type_to_json(t->schema, &text);
    sbuf_printf(&text, "%d %d %lld %.*s %.*s", t->reader_version, t->writer_version, (long long)t->version,
                STR_ARG(t->id), STR_ARG(*delta_property(t, "a")));
    for (uint32_t i = 0; i < t->reader_feature_count; i++)
        sbuf_cstr(&text, t->reader_features[i]);
    for (uint32_t i = 0; i < t->writer_feature_count; i++)
        sbuf_cstr(&text, t->writer_features[i]);
    for (uint32_t i = 0; i < t->partition_column_count; i++)
        sbuf_cstr(&text, t->partition_columns[i]);
    sum = hash_bytes(text.p, text.n) + t->domains.count;
    for (int removed = 0; removed < 2; removed++)
        MAP_EACH(entry, removed ? &t->removed : &t->files)
        {
            const struct delta_file *f = entry->value;
            sbuf_clear(&text);
            sbuf_printf(&text, "%d %.*s %.*s %.*s %lld %lld", removed, STR_ARG(f->path),
                        STR_ARG(f->partition), (int)f->dv.n, f->dv.n ? f->dv.p : "", (long long)f->size,
                        (long long)f->time_ms);
            sum += hash_bytes(text.p, text.n);
        }
    MAP_EACH(entry, &t->txns)
    {
        const struct delta_txn *txn = entry->value;
        sbuf_clear(&text);
        sbuf_printf(&text, "%.*s %lld", STR_ARG(txn->app_id), (long long)txn->version);
        sum += hash_bytes(text.p, text.n);
    }
    sbuf_fini(&text);
    return sum;
}

static uint64_t truth;

enum outcome { SAME, ANOTHER, FAILED };

/* Loads it. *loud: it said that something was damaged. */
static enum outcome look(bool *loud)
{
    struct delta_table t = {0};
    struct err err;
    uint64_t before = event_count(EVENT_LEVEL_WARN);
    bool ok = delta_load(&t, "/t", -1, &err);
    enum outcome outcome = !ok ? FAILED : t.version >= 0 && hash_table(&t) == truth ? SAME : ANOTHER;
    *loud = event_count(EVENT_LEVEL_WARN) > before;
    SAY(ok || (err.class == ERR_DATA && err.hint[0]) || err.class == ERR_RETRY);
    SAY(ok || !delta_load(&t, "/t", -1, NULL)); /* as a caller asks who goes on with what he has */
    delta_fini(&t);
    return outcome;
}

/* ---- damage ---------------------------------------------------------------------------------------------------------------------------- */

static const char *path_of(struct arena *arena, int version, const char *suffix)
{
    return arena_printf(arena, "%s/%020d%s", LOG, version, suffix);
}

static void write_file(const char *path, struct str bytes)
{
    struct err err;
    SAY(os_write_file(path, bytes.p, bytes.n, &err));
}

static void copy_file(const char *from, const char *to)
{
    struct sbuf bytes = {0};
    struct err err;
    SAY(os_read_file(from, 1 << 20, &bytes, &err));
    write_file(to, sbuf_view(&bytes));
    sbuf_fini(&bytes);
}

/* Each `step`-th byte of the file changed, then the file cut, then gone. Whatever is done, the outcome is SAME, or where nothing older is there,
 * FAILED; and SAME is loud whenever the file was missed (`used`: it is wanted at all). */
static void damage(const char *path, size_t step, bool older)
{
    struct sbuf bytes = {0};
    struct err err;
    size_t loud_times = 0, failed = 0;
    bool loud;
    SAY(os_read_file(path, 1 << 20, &bytes, &err));
    for (size_t at = 0; at < bytes.n; at += step) {
        char was = bytes.p[at];
        bytes.p[at] = (char)(was ^ (at / step % 2 ? 0x01 : 0xFF));
        write_file(path, sbuf_view(&bytes));
        bytes.p[at] = was;
        enum outcome outcome = look(&loud);
        if (outcome == ANOTHER || (older && outcome == FAILED)) {
            fprintf(stderr, "byte %zu of %zu of %s: %s\n", at, bytes.n, path,
                    outcome == ANOTHER ? "another table" : "an error");
            bad++;
        }
        loud_times += loud;
        failed += outcome == FAILED;
    }
    SAY(loud_times > 0);
    SAY(older ? failed == 0 : failed > 0 && loud_times >= failed);
    for (size_t n = 0; n < bytes.n; n += 1 + bytes.n / 7) {
        write_file(path, str_n(bytes.p, n));
        SAY(look(&loud) == (older ? SAME : FAILED) && loud);
    }
    SAY(os_unlink(path, &err));
    SAY(look(&loud) == (older ? SAME : FAILED) && loud);
    write_file(path, sbuf_view(&bytes));
    SAY(look(&loud) == SAME && !loud);
    sbuf_fini(&bytes);
}

static void remove_commits(struct arena *arena)
{
    struct err err;
    for (int version = 0; version <= NEWEST; version++)
        SAY(os_unlink(path_of(arena, version, ".json"), &err));
}

/* One file; the commits from 0 on and the older checkpoint are there, then only the checkpoint and what came after it, then nothing older. */
static void classic(struct arena *arena, size_t step)
{
    const char *newest = path_of(arena, NEWEST, ".checkpoint.parquet");
    const char *older = path_of(arena, OLDER, ".checkpoint.parquet");
    struct err err;
    bool loud;
    SAY(look(&loud) == SAME && !loud);
    damage(newest, step, true);
    for (int version = 0; version <= OLDER; version++)
        SAY(os_unlink(path_of(arena, version, ".json"), &err));
    damage(newest, step * 4, true);
    SAY(os_unlink(older, &err));
    damage(newest, step * 4, false);
}

/* _last_checkpoint is not needed, whatever is in it. */
static void hint(struct arena *arena)
{
    const char *path = arena_printf(arena, "%s/_last_checkpoint", LOG);
    static const char *const texts[] = {"", "nonsense", "{}", "{\"version\":\"x\"}",
                                        "{\"version\":10,\"size\":3}"};
    bool loud;
    struct err err;
    remove_commits(arena);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        write_file(path, str_of(texts[i]));
        SAY(look(&loud) == SAME && loud == (i < 4));
    }
    SAY(os_unlink(path, &err));
    SAY(look(&loud) == SAME && !loud);
}

/* Several parts: each has all actions here, which does no harm. */
static void parts(struct arena *arena)
{
    const char *newest = path_of(arena, NEWEST, ".checkpoint.parquet");
    const char *part[2] = {path_of(arena, NEWEST, ".checkpoint.0000000001.0000000002.parquet"),
                           path_of(arena, NEWEST, ".checkpoint.0000000002.0000000002.parquet")};
    struct err err;
    bool loud;
    for (int i = 0; i < 2; i++)
        copy_file(newest, part[i]);
    copy_file(newest, path_of(arena, NEWEST,
                              ".checkpoint.0000000003.0000000003.parquet")); /* of another, not whole */
    SAY(os_unlink(newest, &err));
    remove_commits(arena);
    write_file(newest, STR("damaged")); /* beside the parts, which make up for it */
    SAY(look(&loud) == SAME && loud);
    SAY(os_unlink(newest, &err));
    SAY(look(&loud) == SAME && !loud);
    for (int i = 0; i < 2; i++)
        damage(part[i], 211, false);
}

/* V2: a JSON file that names sidecars. */
static void sidecars(struct arena *arena)
{
    const char *newest = path_of(arena, NEWEST, ".checkpoint.parquet");
    const char *v2 = path_of(arena, NEWEST, ".checkpoint.80a083e8-7026-4e79-81be-64bd76c43a11.json");
    const char *sidecar = arena_printf(arena, "%s/_sidecars/one.parquet", LOG);
    struct sbuf lines = {0}, first = {0};
    struct err err;
    bool loud;
    SAY(os_read_file(path_of(arena, 0, ".json"), 1 << 20, &first, &err));
    sbuf_cstr(&lines, "{\"checkpointMetadata\":{\"version\":20}}\n"
                      "{\"sidecar\":{\"path\":\"one.parquet\",\"sizeInBytes\":1,\"modificationTime\":1}}\n");
    size_t protocol = str_find(sbuf_view(&first), STR("{\"protocol\""), 0);
    size_t end = str_find(sbuf_view(&first), STR("{\"txn\""), 0);
    sbuf_add(&lines, first.p + protocol, end - protocol);
    sbuf_printf(&lines, "{\"txn\":{\"appId\":\"app\",\"version\":%d,\"lastUpdated\":7}}\n", NEWEST);
    SAY(os_mkdirs(arena_printf(arena, "%s/_sidecars", LOG), &err));
    copy_file(newest, sidecar);
    write_file(v2, sbuf_view(&lines));
    SAY(os_unlink(newest, &err));
    damage(sidecar, 211, true);
    write_file(
        v2,
        STR("{\"checkpointMetadata\":{\"ver")); /* a change within its text is nothing that could be seen */
    SAY(look(&loud) == SAME && loud);
    SAY(os_unlink(v2, &err));
    SAY(look(&loud) == SAME && loud);
    write_file(v2, sbuf_view(&lines));
    remove_commits(arena);
    damage(sidecar, 211, false);
    sbuf_fini(&lines);
    sbuf_fini(&first);
}

static void each_version_can_be_read(struct arena *arena)
{
    struct delta_table t = {0};
    struct err err;
    write_file(path_of(arena, NEWEST, ".checkpoint.parquet"), STR("PAR1"));
    for (int version = 0; version < VERSIONS; version++)
        SAY(delta_load(&t, "/t", version, &err) && t.version == version);
    delta_fini(&t);
}

static int live(void *arg)
{
    const char *step = getenv("STEP");
    struct arena arena = {0};
    struct err err;
    bool loud;
    (void)arg;
    event_setup(EVENT_LEVEL_ERROR, false, -1);
    for (int scene = 0; scene < 5; scene++) {
        SAY(os_remove_tree("/t", &err));
        truth = 0;
        make_table();
        struct delta_table t = {0};
        SAY(delta_load(&t, "/t", -1, &err) && t.version == VERSIONS - 1 && t.checkpoint == NEWEST);
        truth = hash_table(&t);
        delta_fini(&t);
        SAY(look(&loud) == SAME && !loud);
        switch (scene) {
        case 0: classic(&arena, step ? strtoul(step, NULL, 10) : 17); break;
        case 1: hint(&arena); break;
        case 2: parts(&arena); break;
        case 3: sidecars(&arena); break;
        default: each_version_can_be_read(&arena); break;
        }
    }
    arena_fini(&arena);
    return bad;
}

TEST(older_ones_make_up_for_damage)
{
    EXPECT_EQ_INT(scene_play(live), 0);
}

int main(void)
{
    RUN(older_ones_make_up_for_damage);
    return test_end();
}

/* Tables that Delta Lake publishes for testing implementations: each is read in full, at every version that it has, or refused for the reason
 * that belongs to it. Rows are counted against the log's own statistics, and compared with what the tables are documented to hold where that
 * is known here. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/test.h"
#include "os/os.h"
#include "sink/delta/scan.h"
#include "type/cast.h"
#include "json/tree.h"

/* Tables that cannot be read, and the words that say why. Everything else must be read. */
static const struct {
    const char *name, *why;
} refused[] = {
    /* logs without data: they test which files are active, and those are not there */
    {"checkpoint", "No such file"},
    {"corrupted-last-checkpoint", "No such file"},
    {"delete-re-add-same-file-different-transactions", "No such file"},
    {"deltalog-commit-info", "No such file"},
    {"deltalog-state-reconstruction-from-checkpoint-missing-metadata",
     "No such file"}, /* the commits have it */
    {"deltalog-state-reconstruction-from-checkpoint-missing-protocol", "No such file"},
    {"log-replay-special-characters-b", "special p@#h\": No such file"},
    {"update-deleted-directory", "No such file"},
    /* damaged, or of the future */
    {"data-reader-absolute-paths-escaped-chars", "holds no metaData action"},
    {"deltalog-invalid-protocol-version", "a later protocol version"},
    {"deltalog-state-reconstruction-without-metadata", "holds no metaData action"},
    {"deltalog-state-reconstruction-without-protocol", "holds no protocol action"},
    {"versions-not-contiguous", "lacks version 1"},
    /* folders that are no tables */
    {"log-store-listFrom", "no Delta table"},
    {"log-store-read", "no Delta table"},
    {"no-delta-log-folder", "no Delta table"},
};

/* Hashes of all rows, of tables whose rows were once compared with what other readers of Delta make of them. */
static const struct {
    const char *name;
    uint64_t hash;
} known[] = {
    {"", 0},
#include "golden_rows.h"
};

static const char *folder;

/* Rows as the log's statistics have them; −1: a file has none. */
static int64_t rows_by_log(const struct delta_table *t)
{
    int64_t rows = 0;
    MAP_EACH(entry, &t->files)
    {
        const struct delta_file *f = entry->value;
        struct arena arena = {0};
        const struct json_node *action, *stats;
        struct str text;
        int64_t count, deleted = 0;
        if (json_parse(&arena, f->action, &action, NULL) && json_str(action, "add.stats", &text) &&
            json_parse(&arena, text, &stats, NULL) && json_i64(stats, "numRecords", &count)) {
            json_i64(action, "add.deletionVector.cardinality", &deleted);
            rows += count - deleted;
        } else {
            rows = INT64_MIN / 2;
        }
        arena_fini(&arena);
    }
    return rows < 0 ? -1 : rows;
}

/* All rows as sorted JSON lines. */
struct rows {
    struct sbuf *lines;
    size_t count, capacity;
};

static void rows_fini(struct rows *rows)
{
    for (size_t i = 0; i < rows->count; i++)
        sbuf_fini(&rows->lines[i]);
    mem_free(rows->lines);
    *rows = (struct rows){0};
}

static int by_text(const void *a, const void *b)
{
    return str_cmp(sbuf_view(a), sbuf_view(b));
}

static bool read_all(const char *path, int64_t version, struct rows *rows, int64_t *expected, struct err *err)
{
    struct pool *pool = pool_new(NULL, "golden");
    struct batch *batch = batch_new();
    struct delta_scan *scan = delta_scan_new(pool, path, version, NULL, err);
    bool ok = scan != NULL, end = false;
    *expected = ok ? rows_by_log(delta_scan_table(scan)) : -1;
    while (ok && !end) {
        ok = delta_scan_next(scan, batch, &end, err) && (end || batch_check(batch, err));
        struct arena arena = {0};
        for (uint32_t row = 0; ok && !end && row < batch->rows; row++) {
            rows->lines = mem_grow(rows->lines, &rows->capacity, rows->count + 1, sizeof *rows->lines);
            struct sbuf *line = &rows->lines[rows->count++];
            *line = (struct sbuf){0};
            for (uint32_t c = 0; c < batch->schema->field_count; c++) {
                struct value v = column_value(&batch->columns[c], row, &arena);
                sbuf_char(line, c ? ',' : '[');
                value_to_json(&v, line);
            }
            sbuf_char(line, ']');
        }
        arena_fini(&arena);
    }
    if (rows->count)
        qsort(rows->lines, rows->count, sizeof *rows->lines, by_text);
    delta_scan_free(scan);
    batch_free(batch);
    pool_free(pool);
    return ok;
}

static void check_rows(const char *name, const struct rows *rows)
{
    struct sbuf all = {0};
    for (size_t i = 0; i < rows->count; i++)
        sbuf_str(&all, sbuf_view(&rows->lines[i]));
    uint64_t hash = hash_bytes(all.p, all.n);
    if (getenv("HASHES"))
        printf("HASH {\"%s\", 0x%" PRIx64 "},\n", name, hash);
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(known[i].name, name) == 0 && !EXPECT(known[i].hash == hash))
            fprintf(stderr, "%s: other rows than before\n", name);
    sbuf_fini(&all);
}

static const char *reason(const char *name)
{
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        if (strcmp(refused[i].name, name) == 0)
            return refused[i].why;
    return NULL;
}

static void one_table(const char *name, struct arena *arena)
{
    const char *path = arena_printf(arena, "%s/%s", folder, name), *why = reason(name);
    struct rows rows = {0};
    struct err err;
    int64_t expected;
    bool ok = read_all(path, -1, &rows, &expected, &err);
    if (getenv("VERBOSE"))
        printf("%-60s %s %zu %lld %s\n", name, ok ? "read" : "REFUSED", rows.count, (long long)expected,
               ok ? "" : err.text);
    if (getenv("DUMP") && rows.count < 1000)
        for (size_t i = 0; i < rows.count; i++)
            printf("%s\t%s\n", name, rows.lines[i].p);
    if (why == NULL) {
        if (!EXPECT(ok))
            fprintf(stderr, "%s: %s\n", name, err.text);
        if (ok)
            check_rows(name, &rows);
        if (ok && expected >= 0)
            EXPECT_EQ_INT((int64_t)rows.count, expected);
    } else if (!EXPECT(!ok) || !EXPECT(str_find(str_of(err.text), str_of(why), 0) != SIZE_MAX)) {
        fprintf(stderr, "%s: %s\n", name, ok ? "was read" : err.text);
    }
    rows_fini(&rows);
}

TEST(every_table_is_read_or_refused_with_its_reason)
{
    struct arena arena = {0};
    struct err err;
    char **names, **inner;
    size_t count, inner_count, tables = 0;
    if (!EXPECT(os_list(folder, &arena, &names, &count, &err)))
        return;
    for (size_t i = 0; i < count; i++) {
        char *path = arena_printf(&arena, "%s/%s", folder, names[i]);
        if (reason(names[i]) || os_exists(arena_printf(&arena, "%s/_delta_log", path))) {
            one_table(names[i], &arena);
            tables++;
            continue;
        }
        EXPECT(os_list(path, &arena, &inner, &inner_count, &err)); /* a folder of tables */
        for (size_t k = 0; k < inner_count; k++, tables++)
            one_table(arena_printf(&arena, "%s/%s", names[i], inner[k]), &arena);
    }
    EXPECT(count >= 99 && tables >= 110);
    arena_fini(&arena);
}

int main(void)
{
    const char *corpora = getenv("SLUICE_CORPORA");
    static char path[4096];
    snprintf(path, sizeof path, "%s/delta", corpora ? corpora : "../shared/corpora");
    folder = path;
    if (!os_exists(folder)) {
        printf("no golden tables in %s\n", folder);
        return 77;
    }
    RUN(every_table_is_read_or_refused_with_its_reason);
    return test_end();
}

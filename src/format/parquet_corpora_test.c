/* Other writers' files (Apache parquet-testing): every one is read, or refused for what it is; some have
 * their values beside them as CSV. */
#include "format/parquet.h"

#include <dirent.h>

#include "base/test.h"

static char folder[2048];

static bool get(void *arg, uint64_t offset, size_t n, uint8_t *out, struct err *err)
{
    const struct sbuf *file = arg;
    (void)err;
    CHECK(offset <= file->n && n <= file->n - offset);
    memcpy(out, file->p + offset, n);
    return true;
}

static bool load(const char *name, struct sbuf *out)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "rb");
    size_t n = 1;
    sbuf_clear(out);
    while (f && n > 0) {
        n = fread(sbuf_reserve(out, 1 << 16), 1, 1 << 16, f);
        sbuf_added(out, n);
    }
    if (f)
        fclose(f);
    return f != NULL;
}

/* The rows of the file, or −1 and *err; each batch is valid. */
static int64_t count_rows(struct sbuf *bytes, uint32_t batch_rows, struct err *err)
{
    struct pool *pool = pool_new(NULL, "test");
    struct parquet_source source = {bytes->n, get, bytes};
    struct parquet_file *file = parquet_open(pool, &source, err);
    struct parquet_scan_options o = {.batch_rows = batch_rows, .read_bytes = 4096};
    struct parquet_scan *scan = file ? parquet_scan_new(pool, file, &o, err) : NULL;
    struct batch *batch = batch_new();
    int64_t rows = scan ? 0 : -1;
    bool end = scan == NULL;
    while (!end) {
        if (!parquet_scan_next(scan, batch, &end, err)) {
            rows = -1;
            break;
        }
        struct err wrong;
        if (!EXPECT(batch_check(batch, &wrong)))
            fprintf(stderr, "%s\n", wrong.text);
        rows += batch->rows;
    }
    EXPECT(rows < 0 || rows == parquet_rows(file));
    batch_free(batch);
    pool_free(pool);
    return rows;
}

static bool is_refused_for(const char *name, const struct err *err)
{
    static const char *const pairs[][2] = {{"encrypted", "encrypted"},
                                           {"brotli", "BROTLI"},
                                           {".lzo", "LZO"},
                                           {"corrupt-checksum", "checksum"},
                                           {".json", "no Parquet"}};
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++)
        if (strstr(name, pairs[i][0]) && strstr(err->text, pairs[i][1]))
            return true;
    return false;
}

static unsigned each_file(const char *sub, bool must_read)
{
    char path[4096];
    struct sbuf bytes = {0};
    unsigned files = 0;
    snprintf(path, sizeof path, "%s/%s", folder, sub);
    DIR *dir = opendir(path);
    for (struct dirent *entry = dir ? readdir(dir) : NULL; entry; entry = readdir(dir)) {
        struct err err = {0};
        if (strstr(entry->d_name, ".parquet") == NULL)
            continue;
        snprintf(path, sizeof path, "%s/%s", sub, entry->d_name);
        EXPECT(load(path, &bytes));
        files++;
        for (uint32_t batch_rows = 1; batch_rows < 10000; batch_rows = batch_rows * 7 + 3) {
            int64_t rows = count_rows(&bytes, batch_rows, &err);
            bool good = rows >= 0 || (err.class == ERR_DATA && (!must_read || is_refused_for(path, &err)));
            if (!EXPECT(good))
                fprintf(stderr, "%s: %s\n", path, err.text);
        }
    }
    if (dir)
        closedir(dir);
    sbuf_fini(&bytes);
    return files;
}

TEST(good_files_are_read)
{
    EXPECT(each_file("data", true) >= 60);
    EXPECT(each_file("data/geospatial", true) >= 10);
    EXPECT(each_file("data/aes256", true) >= 5);
}

TEST(bad_files_do_no_harm)
{
    EXPECT(each_file("bad_data", false) >= 8);
}

/* ---- values ---------------------------------------------------------------------------------------- */

static struct str csv_next(struct str *line)
{
    bool quoted = line->n > 0 && line->p[0] == '"';
    const char *start = line->p + quoted, *end = start, *stop = line->p + line->n;
    while (end < stop && *end != (quoted ? '"' : ','))
        end++;
    struct str value = str_n(start, (size_t)(end - start));
    const char *next = end + quoted < stop ? end + quoted + 1 : stop;
    *line = str_n(next, (size_t)(stop - next));
    return value;
}

static bool same_text(const struct value *v, struct str text)
{
    char number[32];
    if (v->is_null)
        return text.n == 0;
    if (type_is_view(v->type))
        return str_eq(v->str, text);
    snprintf(number, sizeof number, "%lld", (long long)v->i64);
    return str_is(text, number);
}

static void compare_batch(const struct batch *batch, struct str *csv)
{
    struct arena arena = {0};
    for (uint32_t i = 0; i < batch->rows; i++) {
        size_t end = str_find(*csv, STR("\n"), 0);
        struct str line = str_trim(str_n(csv->p, end == SIZE_MAX ? csv->n : end));
        *csv = end == SIZE_MAX ? str_n(csv->p, 0) : str_n(csv->p + end + 1, csv->n - end - 1);
        for (uint32_t c = 0; c < batch->schema->field_count; c++) {
            struct value v = column_value(&batch->columns[c], i, &arena);
            struct str text = csv_next(&line);
            if (!EXPECT(same_text(&v, text)))
                fprintf(stderr, "row %u, column %s: %.*s\n", i, batch->schema->fields[c].name, STR_ARG(text));
        }
    }
    arena_fini(&arena);
}

static void compare_csv(const char *name)
{
    char path[4096];
    struct sbuf bytes = {0}, csv = {0};
    struct err err;
    snprintf(path, sizeof path, "data/%s.parquet", name);
    EXPECT(load(path, &bytes));
    snprintf(path, sizeof path, "data/%s_expect.csv", name);
    EXPECT(load(path, &csv));
    struct str rest = sbuf_view(&csv);
    size_t head = str_find(rest, STR("\n"), 0) + 1;
    rest = str_n(rest.p + head, rest.n - head);
    struct pool *pool = pool_new(NULL, "test");
    struct parquet_source source = {bytes.n, get, &bytes};
    struct parquet_file *file = parquet_open(pool, &source, &err);
    struct parquet_scan_options o = {.batch_rows = 37};
    struct parquet_scan *scan = file ? parquet_scan_new(pool, file, &o, &err) : NULL;
    struct batch *batch = batch_new();
    for (bool end = scan == NULL; !end;)
        if (!EXPECT(parquet_scan_next(scan, batch, &end, &err)))
            break;
        else
            compare_batch(batch, &rest);
    EXPECT(scan != NULL && str_trim(rest).n == 0);
    batch_free(batch);
    pool_free(pool);
    sbuf_fini(&bytes);
    sbuf_fini(&csv);
}

TEST(values_are_those_beside_the_file)
{
    compare_csv("delta_binary_packed");
    compare_csv("delta_byte_array");
    compare_csv("delta_encoding_optional_column");
    compare_csv("delta_encoding_required_column");
}

int main(void)
{
    const char *corpora = getenv("SLUICE_CORPORA");
    struct sbuf probe = {0};
    snprintf(folder, sizeof folder, "%s/parquet", corpora ? corpora : "../shared/corpora");
    if (!load("data/alltypes_plain.parquet", &probe))
        test_skip("the folder of other writers' files is not here (SLUICE_CORPORA)");
    sbuf_fini(&probe);
    RUN(good_files_are_read);
    RUN(bad_files_do_no_harm);
    RUN(values_are_those_beside_the_file);
    return test_end();
}

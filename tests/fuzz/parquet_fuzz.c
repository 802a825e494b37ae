/* The reader on hostile files: whatever it gives out is a valid batch, whatever it refuses is ERR_DATA.
 * What it could read whole is written again, and must come back with the same rows. */
#include "format/parquet.h"

enum { BATCHES = 64, ROWS = 2000 };

struct bytes {
    const uint8_t *p;
    size_t n;
};

static bool get(void *arg, uint64_t offset, size_t n, uint8_t *out, struct err *err)
{
    const struct bytes *b = arg;
    (void)err;
    CHECK(offset <= b->n && n <= b->n - offset);
    memcpy(out, b->p + offset, n);
    return true;
}

static bool put(void *arg, const void *p, size_t n, struct err *err)
{
    (void)err;
    sbuf_add(arg, p, n);
    return true;
}

static bool look_at_bounds(void *arg, const struct parquet_group *group)
{
    const struct type *schema = *(const struct type **)arg;
    struct parquet_bounds b;
    for (uint32_t i = 0; i < schema->field_count; i++)
        parquet_group_bounds(group, &i, 1, &b);
    return true;
}

/* All rows of the file, also to the writer; how many, or -1. */
static int64_t read_rows(struct pool *pool, struct bytes bytes, uint32_t batch_rows,
                         struct parquet_writer **w, struct sbuf *out)
{
    struct err err;
    struct parquet_source source = {bytes.n, get, &bytes};
    struct parquet_file *file = parquet_open(pool, &source, &err);
    if (file == NULL) {
        CHECK(err.class == ERR_DATA);
        return -1;
    }
    const struct type *schema = parquet_schema(file);
    struct parquet_scan_options o = {.batch_rows = batch_rows, .read_bytes = 4096, .no_checksums = true};
    o.keep = look_at_bounds;
    o.arg = &schema;
    struct parquet_scan *scan = parquet_scan_new(pool, file, &o, &err);
    if (w && scan) {
        struct parquet_writer_options wo = {.row_group_rows = 1000};
        *w = parquet_writer_new(pool, schema, &wo, (struct parquet_output){put, out}, &err);
    }
    struct batch *batch = batch_new();
    int64_t rows = 0;
    bool end = scan == NULL, good = scan != NULL;
    for (int i = 0; good && !end && i < BATCHES; i++) {
        good = parquet_scan_next(scan, batch, &end, &err);
        CHECK(good ? batch_check(batch, &err) : err.class == ERR_DATA);
        rows += good ? batch->rows : 0;
        if (w && *w && good && !parquet_writer_batch(*w, batch, NULL, 0, batch->rows, &err)) {
            CHECK(err.class == ERR_DATA); /* NULL below a field that is not nullable */
            *w = NULL;
        }
    }
    batch_free(batch);
    return good && end ? rows : -1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pool *pool = pool_new(NULL, "fuzz");
    struct sbuf out = {0};
    struct parquet_writer *w = NULL;
    struct err err;
    int64_t rows = read_rows(pool, (struct bytes){data, size}, 1 + (uint32_t)(size % ROWS), &w, &out);
    if (rows >= 0 && w) {
        CHECK(parquet_writer_finish(w, NULL, &err));
        CHECK(read_rows(pool, (struct bytes){(const uint8_t *)out.p, out.n}, 777, NULL, NULL) ==
              (rows > 777 * BATCHES ? -1 : rows));
    }
    pool_free(pool);
    sbuf_fini(&out);
    return 0;
}

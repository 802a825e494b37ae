#include "source/parquet_rows.h"

#include "format/json.h"
#include "format/parquet.h"
#include "os/os.h"

struct parquet_rows {
    struct pool *pool;
    int file;
    struct parquet_file *parquet;
    struct parquet_scan *scan;
    struct json_encoder *encoder;
    struct batch *batch;
    uint64_t next; /* row that the scan gives next */
    struct sbuf text;
    uint32_t ends[BATCH_ROWS];
};

static bool read_at(void *arg, uint64_t offset, size_t n, uint8_t *out, struct err *err)
{
    const struct parquet_rows *rows = arg;
    size_t got;
    TRY(os_pread(rows->file, out, n, offset, &got, err));
    return got == n || err_set(err, ERR_DATA, "the file became shorter");
}

struct parquet_rows *parquet_rows_open(struct pool *pool, int file, uint64_t size, struct err *err)
{
    struct pool *own = pool_new(pool, "parquet");
    struct parquet_rows *rows = pool_new_struct(own, struct parquet_rows);
    rows->pool = own;
    rows->file = file;
    rows->batch = batch_new();
    const struct parquet_source source = {size, read_at, rows};
    rows->parquet = parquet_open(own, &source, err);
    rows->scan = rows->parquet ? parquet_scan_new(own, rows->parquet, NULL, err) : NULL;
    rows->encoder = rows->scan ? json_encoder_new(own, parquet_schema(rows->parquet), NULL, err) : NULL;
    if (rows->encoder)
        return rows;
    parquet_rows_close(rows);
    return NULL;
}

void parquet_rows_close(struct parquet_rows *rows)
{
    if (rows == NULL)
        return;
    batch_free(rows->batch);
    parquet_scan_free(rows->scan);
    parquet_close(rows->parquet);
    sbuf_fini(&rows->text);
    pool_free(rows->pool);
}

bool parquet_rows_next(struct parquet_rows *rows, uint64_t from, struct str *values, uint32_t max,
                       uint32_t *count, uint64_t *next, struct err *err)
{
    bool end = false;
    CHECK(max >= BATCH_ROWS);
    *count = 0;
    for (;;) {
        TRY(parquet_scan_next(rows->scan, rows->batch, &end, err));
        if (end)
            return true;
        uint64_t first = rows->next;
        rows->next += rows->batch->rows;
        if (rows->next <= from)
            continue;
        uint32_t skip = from > first ? (uint32_t)(from - first) : 0, at = 0;
        CHECK(rows->batch->rows <= BATCH_ROWS);
        sbuf_clear(&rows->text);
        json_encode(rows->encoder, rows->batch, skip, rows->batch->rows, 0, &rows->text, rows->ends);
        for (; *count < rows->batch->rows - skip; ++*count) {
            values[*count] = str_n(rows->text.p + at, rows->ends[*count] - at);
            at = rows->ends[*count];
        }
        *next = rows->next;
        return true;
    }
}

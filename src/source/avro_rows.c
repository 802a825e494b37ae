#include "source/avro_rows.h"

#include "format/json.h"
#include "os/os.h"

struct avro_rows {
    struct pool *pool;
    int file;
    struct avro_file *avro;
    struct json_encoder *encoder;
    struct batch *batch;
    struct sbuf text;
    uint32_t ends[BATCH_ROWS];
    bool is_bad[BATCH_ROWS]; /* of the batch */
    uint64_t *bad;
};

static bool read_at(void *arg, uint64_t offset, size_t n, uint8_t *out, struct err *err)
{
    const struct avro_rows *rows = arg;
    size_t got;
    TRY(os_pread(rows->file, out, n, offset, &got, err));
    return got == n || err_set(err, ERR_DATA, "the file became shorter");
}

struct avro_rows *avro_rows_open(struct pool *pool, int file, uint64_t size, struct err *err)
{
    struct pool *own = pool_new(pool, "avro rows");
    struct avro_rows *rows = pool_new_struct(own, struct avro_rows);
    rows->pool = own;
    rows->file = file;
    rows->batch = batch_new();
    const struct avro_source source = {size, read_at, rows};
    rows->avro = avro_file_open(own, &source, NULL, err);
    rows->encoder = rows->avro ? json_encoder_new(own, avro_file_columns(rows->avro), NULL, err) : NULL;
    if (rows->encoder)
        return rows;
    avro_rows_close(rows);
    return NULL;
}

void avro_rows_close(struct avro_rows *rows)
{
    if (rows == NULL)
        return;
    batch_free(rows->batch);
    avro_file_close(rows->avro);
    sbuf_fini(&rows->text);
    pool_free(rows->pool);
}

static void hear_bad(void *arg, const struct avro_bad *bad)
{
    struct avro_rows *rows = arg;
    rows->is_bad[bad->row] = true;
    ++*rows->bad;
}

static bool is_at(const struct avro_file *file, struct avro_place place)
{
    struct avro_place now = avro_file_place(file);
    return now.block == place.block && now.row == place.row;
}

/* The good rows of the batch as texts. */
static uint32_t give(struct avro_rows *rows, struct str *values)
{
    uint32_t count = 0, at = 0;
    CHECK(rows->batch->rows <= BATCH_ROWS);
    sbuf_clear(&rows->text);
    json_encode(rows->encoder, rows->batch, 0, rows->batch->rows, 0, &rows->text, rows->ends);
    for (uint32_t i = 0; i < rows->batch->rows; i++) {
        if (!rows->is_bad[i])
            values[count++] = str_n(rows->text.p + at, rows->ends[i] - at);
        at = rows->ends[i];
    }
    return count;
}

bool avro_rows_next(struct avro_rows *rows, struct avro_place *place, struct str *values, uint32_t max,
                    uint32_t *count, uint64_t *bad, struct err *err)
{
    const struct avro_report report = {.bad = hear_bad, .arg = rows};
    bool end = false;
    CHECK(max >= BATCH_ROWS);
    *count = 0;
    rows->bad = bad;
    if (!is_at(rows->avro, *place))
        TRY(avro_file_seek(rows->avro, *place, err));
    while (*count == 0) {
        memset(rows->is_bad, 0, sizeof rows->is_bad);
        TRY(avro_file_next(rows->avro, rows->batch, &report, &end, err));
        if (end)
            return true;
        *count = give(rows, values);
        *place = avro_file_place(rows->avro);
    }
    return true;
}

bool avro_rows_is_cut(const struct avro_rows *rows)
{
    return avro_file_is_cut(rows->avro);
}

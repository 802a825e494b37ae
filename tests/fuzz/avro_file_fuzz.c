/* Container files: whatever stands in them, the rows that come keep their rules, and from each place that the reader gave the rest comes again. */
#include <stdlib.h>

#include "format/avro_file.h"

enum { ROWS_MAX = 20000, PLACES_MAX = 8 };

struct bytes {
    const uint8_t *p;
    size_t n;
};

static bool read_at(void *arg, uint64_t offset, size_t n, uint8_t *out, struct err *err)
{
    const struct bytes *bytes = arg;
    (void)err;
    CHECK(offset <= bytes->n && n <= bytes->n - offset);
    if (n > 0)
        memcpy(out, bytes->p + offset, n);
    return true;
}

/* Rows up to the end, or to where the file is damaged; places[PLACES_MAX] of them with how many rows come before. */
static uint64_t read_all(struct avro_file *file, struct avro_place *places, uint64_t *before, uint32_t *count)
{
    struct batch *batch = batch_new();
    struct err err = {0};
    uint64_t rows = 0;
    bool end = false;
    *count = 0;
    while (!end && rows < ROWS_MAX) {
        if (*count < PLACES_MAX) {
            before[*count] = rows;
            places[(*count)++] = avro_file_place(file);
        }
        bool ok = avro_file_next(file, batch, NULL, &end, &err);
        if (!end && batch->columns && !batch_check(batch, &err))
            check_failed(__FILE__, __LINE__, err.text);
        rows += batch->rows;
        if (!ok)
            break;
    }
    batch_free(batch);
    return rows;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes bytes = {data, size};
    const struct avro_source source = {size, read_at, &bytes};
    struct err err = {0};
    struct avro_place places[PLACES_MAX], ignored[PLACES_MAX];
    uint64_t before[PLACES_MAX], other[PLACES_MAX];
    uint32_t count, more;
    struct avro_file *file = avro_file_open(NULL, &source, NULL, &err);
    if (file == NULL)
        return 0;
    uint64_t rows = read_all(file, places, before, &count);
    for (uint32_t i = 0; i < count && rows < ROWS_MAX; i++)
        if (avro_file_seek(file, places[i], &err))
            CHECK(before[i] + read_all(file, ignored, other, &more) == rows);
    avro_file_close(file);
    return 0;
}

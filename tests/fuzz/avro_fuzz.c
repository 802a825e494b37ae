/* Records of a schema that the first bytes choose, read as another version of it: columns keep their rules. What is read as it was written is
 * written again, and must come back. The third byte splits the rest into records. */
#include <ref/random_avro.h>

#include "format/avro.h"

enum { RECORDS_MAX = 80, SEED_SIZE = 4 };

static void count_bad(void *arg, const struct avro_bad *bad)
{
    CHECK(bad->reason != NULL && bad->row < RECORDS_MAX);
    ++*(uint32_t *)arg;
}

/* What is written may be shorter than what was read, and so have fewer items without bytes. */
static void count_bad_again(void *arg, const struct avro_bad *bad)
{
    CHECK(strcmp(bad->reason, "it holds too many items without bytes") == 0);
    count_bad(arg, bad);
}

static uint32_t split(const uint8_t *data, size_t size, unsigned piece, struct str *records)
{
    uint32_t count = 0;
    while (size > 0 && count < RECORDS_MAX) {
        size_t n = piece == 0 || piece > size || count == RECORDS_MAX - 1 ? size : piece;
        records[count++] = str_n(data, n);
        data += n;
        size -= n;
    }
    return count;
}

/* NULL: the writer's values cannot become the reader's columns. */
static struct batch *decode(struct pool *pool, const struct avro_schema *writer,
                            const struct avro_schema *reader, const struct str *records, uint32_t count,
                            bool copy, const struct avro_report *report)
{
    struct err err = {0};
    struct avro_decoder_options options = {.copy = copy};
    const struct type *columns = avro_columns_type(pool_arena(pool), reader ? reader : writer, &err);
    struct avro_decoder *decoder = avro_decoder_new(pool, reader, columns, &options, &err);
    CHECK(decoder != NULL);
    const struct avro_writer *w = avro_decoder_writer(decoder, writer, &err), *writers[RECORDS_MAX];
    CHECK(w != NULL || reader != NULL);
    if (w == NULL)
        return NULL;
    for (uint32_t i = 0; i < count; i++)
        writers[i] = w;
    struct batch *batch = batch_new();
    avro_decode(decoder, records, writers, count, batch, report);
    if (!batch_check(batch, &err))
        check_failed(__FILE__, __LINE__, err.text);
    return batch;
}

/* The good rows, written and read again. */
static void round_trip(struct pool *pool, const struct avro_schema *schema, const struct batch *rows)
{
    struct err err = {0};
    struct arena arena = {0};
    struct sbuf out = {0};
    struct str records[RECORDS_MAX];
    uint32_t ends[RECORDS_MAX], bad = 0;
    const struct type *columns = avro_columns_type(pool_arena(pool), schema, &err);
    struct avro_encoder *encoder = avro_encoder_new(pool, schema, columns, &err);
    CHECK(encoder != NULL);
    CHECK(avro_encode(encoder, rows, 0, rows->rows, STR(""), &out, ends, NULL) == 0);
    for (uint32_t i = 0; i < rows->rows; i++)
        records[i] = str_n((out.p ? out.p : "") + (i ? ends[i - 1] : 0), ends[i] - (i ? ends[i - 1] : 0));
    const struct avro_report report = {.bad = count_bad_again, .arg = &bad};
    struct batch *back = decode(pool, schema, NULL, records, rows->rows, true, &report);
    CHECK(bad > 0 || rows_equal(batch_to_rows(rows, &arena), batch_to_rows(back, &arena), rows->rows));
    batch_free(back);
    sbuf_fini(&out);
    arena_fini(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < SEED_SIZE)
        return 0;
    struct pool *pool = pool_new(NULL, "fuzz");
    uint64_t seed = data[0] | (uint64_t)data[1] << 8;
    unsigned change = 2 + data[3] % 8;
    const struct avro_schema *writer = random_avro_parse(pool_arena(pool), seed, 4, 0);
    const struct avro_schema *reader = random_avro_parse(pool_arena(pool), seed, 4, change);
    struct str records[RECORDS_MAX];
    uint32_t bad = 0, other_bad = 0;
    uint8_t *copy = mem_new(size - SEED_SIZE + 1); /* with nothing before or behind it */
    copy = mem_resize(copy, size > SEED_SIZE ? size - SEED_SIZE : 1);
    memcpy(copy, data + SEED_SIZE, size - SEED_SIZE);
    uint32_t count = split(copy, size - SEED_SIZE, data[2], records);
    const struct avro_report report = {count_bad, &bad}, other_report = {count_bad, &other_bad};
    struct batch *rows = decode(pool, writer, NULL, records, count, false, &report);
    struct batch *other = decode(pool, writer, reader, records, count, data[3] & 128, &other_report);
    if (bad == 0)
        round_trip(pool, writer, rows);
    batch_free(rows);
    if (other)
        batch_free(other);
    mem_free(copy);
    pool_free(pool);
    return 0;
}

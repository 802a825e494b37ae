/* How fast Parquet files are written and read: twelve mixed columns, rows of about 384 bytes as JSON, one
 * core.
 *
 * Each codec's line shows rows and raw megabytes (the rows as JSON) per second, bytes per row in the file,
 * and the ratio of the writer's time to that of compressing the same page bytes with the bare library in
 * the same run: 1.0 would mean that encoding is free. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <zstd.h>

#include "format/parquet.h"

enum { BATCHES = 64, ROWS_OF_BATCH = 4096, JSON_BYTES = 384 };

static uint64_t seed = 88172645463325252U;
static uint64_t rnd(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    return seed ^= seed << 17;
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static const struct type *schema_of(struct arena *arena)
{
    struct field f[12] = {
        {"id", type_simple(TYPE_STRING), true, NULL},
        {"seq", type_simple(TYPE_LONG), true, NULL},
        {"first_name", type_simple(TYPE_STRING), true, NULL},
        {"last_name", type_simple(TYPE_STRING), true, NULL},
        {"email", type_simple(TYPE_STRING), true, NULL},
        {"country", type_simple(TYPE_STRING), true, NULL},
        {"address", type_simple(TYPE_STRING), true, NULL},
        {"age", type_simple(TYPE_INT), true, NULL},
        {"balance", type_decimal(arena, 12, 2), true, NULL},
        {"score", type_simple(TYPE_DOUBLE), true, NULL},
        {"active", type_simple(TYPE_BOOLEAN), true, NULL},
        {"at", type_simple(TYPE_TIMESTAMP), true, NULL},
    };
    return type_struct(arena, f, 12);
}

static void fill_row(struct batch_builder *b, int64_t i)
{
    static const char *const countries[] = {"Germany", "France",  "United States", "Brazil",
                                            "Norway",  "Türkiye", "Mexico",        "India"};
    char text[128];
    int64_t first = (int64_t)(rnd() % 700), last = (int64_t)(rnd() % 3000);
    struct column_builder *c = b->columns;
    snprintf(text, sizeof text, "%08x-%04x-4%03x-a%03x-%012llx", (unsigned)rnd(), (unsigned)(rnd() & 0xFFFF),
             (unsigned)(rnd() & 0xFFF), (unsigned)(rnd() & 0xFFF),
             (unsigned long long)(rnd() & 0xFFFFFFFFFFFF));
    column_builder_str(&c[0], str_of(text), true);
    column_builder_i64(&c[1], i);
    snprintf(text, sizeof text, "Name%lld", (long long)first);
    column_builder_str(&c[2], str_of(text), true);
    snprintf(text, sizeof text, "Lastname%lld", (long long)last);
    column_builder_str(&c[3], str_of(text), true);
    snprintf(text, sizeof text, "name%lld.lastname%lld@example.com", (long long)first, (long long)last);
    column_builder_str(&c[4], str_of(text), true);
    column_builder_str(&c[5], str_of(countries[rnd() % 8]), true);
    snprintf(text, sizeof text, "%u Street of the Number %u, %05u City%u", (unsigned)(rnd() % 9999),
             (unsigned)(rnd() % 500), (unsigned)(rnd() % 99999), (unsigned)(rnd() % 800));
    column_builder_str(&c[6], str_of(text), true);
    if (rnd() % 16 == 0)
        column_builder_null(&c[7]);
    else
        column_builder_i64(&c[7], (int64_t)(18 + rnd() % 70));
    column_builder_decimal(&c[8], (i128)(rnd() % 10000000));
    column_builder_f64(&c[9], (double)(rnd() % 1000000) / 7.0);
    column_builder_bool(&c[10], rnd() % 3 == 0);
    column_builder_i64(&c[11], 1700000000000000 + i * 1000 + (int64_t)(rnd() % 5000));
}

static struct sbuf file;

static bool keep_bytes(void *arg, const void *p, size_t n, struct err *err)
{
    (void)arg, (void)err;
    sbuf_add(&file, p, n);
    return true;
}

static void fail(const struct err *err)
{
    fprintf(stderr, "%s\n", err->text);
    exit(1);
}

static double write_once(struct batch **batches, const struct parquet_writer_options *options, int rounds)
{
    struct err err;
    sbuf_clear(&file);
    double start = now();
    struct parquet_writer *w = parquet_writer_new(NULL, batches[0]->schema, options,
                                                  (struct parquet_output){keep_bytes, NULL}, &err);
    for (int r = 0; r < rounds; r++)
        for (int i = 0; i < BATCHES; i++)
            if (!parquet_writer_batch(w, batches[i], NULL, 0, ROWS_OF_BATCH, &err))
                fail(&err);
    if (!parquet_writer_finish(w, NULL, &err))
        fail(&err);
    parquet_writer_free(w);
    return now() - start;
}

/* The same bytes, uncompressed pages of the same file, through the bare library in pieces of a page. */
static double bare(int level)
{
    enum { PIECE = 256 * 1024 };
    ZSTD_CCtx *ctx = ZSTD_createCCtx();
    size_t capacity = ZSTD_compressBound(PIECE);
    char *out = malloc(capacity);
    double start = now();
    for (size_t at = 0; at < file.n; at += PIECE)
        ZSTD_compressCCtx(ctx, out, capacity, file.p + at, file.n - at < PIECE ? file.n - at : PIECE, level);
    double seconds = now() - start;
    free(out);
    ZSTD_freeCCtx(ctx);
    return seconds;
}

static bool read_bytes(void *arg, uint64_t offset, size_t n, uint8_t *out, struct err *err)
{
    (void)arg, (void)err;
    memcpy(out, file.p + offset, n);
    return true;
}

static double read_once(int64_t *rows)
{
    struct err err;
    struct batch *batch = batch_new();
    struct pool *pool = pool_new(NULL, "bench");
    double start = now();
    struct parquet_file *f = parquet_open(pool, &(struct parquet_source){file.n, read_bytes, NULL}, &err);
    struct parquet_scan *scan = f ? parquet_scan_new(pool, f, NULL, &err) : NULL;
    bool end = false;
    *rows = 0;
    while (scan && !end) {
        if (!parquet_scan_next(scan, batch, &end, &err))
            fail(&err);
        *rows += batch->rows;
    }
    double seconds = now() - start;
    pool_free(pool);
    batch_free(batch);
    return seconds;
}

int main(int argc, char **argv)
{
    struct arena arena = {0};
    const struct type *schema = schema_of(&arena);
    static struct batch *batches[BATCHES];
    int rounds = argc > 1 ? atoi(argv[1]) : 8;
    for (int i = 0; i < BATCHES; i++) {
        struct batch_builder b;
        batches[i] = batch_new();
        batch_builder_init(&b, batches[i], schema);
        for (int j = 0; j < ROWS_OF_BATCH; j++)
            fill_row(&b, (int64_t)i * ROWS_OF_BATCH + j);
        batch_builder_finish(&b);
    }
    double rows = (double)rounds * BATCHES * ROWS_OF_BATCH;
    static const struct {
        const char *name;
        enum codec codec;
        int level;
    } runs[] = {{"none", CODEC_NONE, 0},
                {"zstd 1", CODEC_ZSTD, 1},
                {"zstd 3", CODEC_ZSTD, 3},
                {"snappy", CODEC_SNAPPY, 0},
                {"lz4_raw", CODEC_LZ4, 0}};
    double library = 0;
    for (size_t i = 0; i < sizeof runs / sizeof runs[0]; i++) {
        struct parquet_writer_options o = {.codec = runs[i].codec, .level = runs[i].level};
        double best = 1e9;
        for (int t = 0; t < 3; t++) {
            double s = write_once(batches, &o, rounds);
            best = s < best ? s : best;
        }
        printf("parquet write %-8s %6.2f M rows/s %7.0f MB/s of JSON, %5.1f bytes/row", runs[i].name,
               rows / best / 1e6, rows * JSON_BYTES / best / 1e6, (double)file.n / rows);
        if (runs[i].codec == CODEC_NONE)
            library = bare(3);
        if (runs[i].codec == CODEC_ZSTD && runs[i].level == 3)
            printf(", %.2f of bare ZSTD_compress", best / library);
        int64_t got = 0;
        double read = read_once(&got);
        printf("; read %6.2f M rows/s\n", (double)got / read / 1e6);
        if (argc > 2) {
            FILE *f = fopen(argv[2], "wb");
            fwrite(file.p, 1, file.n, f);
            fclose(f);
        }
    }
    return 0;
}

/* How fast CSV becomes columns and columns become CSV, against copying memory in the same run. */
#include "bench.h"
#include "format/csv.h"

enum { RECORDS = 4096, LINE_MAX_SIZE = 256, ROUNDS = 41 };

static void print(const char *name, double took, size_t bytes, double copy)
{
    printf("%-16s %7.2f M records/s %8.2f GB/s   %6.1f times a copy's time\n", name, RECORDS / took * 1e-6,
           (double)bytes / took * 1e-9, took / copy);
}

static size_t write_records(char *text)
{
    size_t n = 0;
    for (uint32_t i = 0; i < RECORDS; i++) {
        uint32_t r = i * 2654435761u;
        n += (size_t)snprintf(text + n, LINE_MAX_SIZE,
                              "%u,user_%06u,\"%s\",2024-%02u-%02uT%02u:%02u:00Z,%s,%u.%02u,%u,%s\n",
                              1000000 + i, r % 1000000, r & 1 ? "view, then click" : "purchase", r % 12 + 1,
                              r % 28 + 1, r % 24, r / 7 % 60, r & 2 ? "Switzerland" : "New Zealand",
                              r / 23 % 5000, r % 100, r % 30, r & 8 ? "true" : "false");
    }
    return n;
}

int main(void)
{
    struct pool *pool = pool_new(NULL, "bench");
    struct err err;
    const struct type *schema;
    if (!type_parse_ddl(pool_arena(pool),
                        STR("id BIGINT, user STRING, event STRING, at TIMESTAMP, country STRING, amount "
                            "DOUBLE, quantity INT, premium BOOLEAN"),
                        &schema, &err))
        return 1;
    char *text = malloc((size_t)RECORDS * LINE_MAX_SIZE), *to = malloc((size_t)RECORDS * LINE_MAX_SIZE);
    struct str *records = malloc(RECORDS * sizeof *records);
    size_t n = write_records(text), used;
    struct csv_options options = csv_options_default();
    struct csv_decoder *decoder = csv_decoder_new(pool, schema, &options, &err);
    struct csv_encoder *encoder = csv_encoder_new(pool, schema, &options, &err);
    struct batch *batch = batch_new();
    struct sbuf out = {0};
    double copy = 1e9, split = 1e9, decode = 1e9, encode = 1e9;
    for (int round = 0; round < ROUNDS; round++) {
        double t0 = bench_now_s();
        memcpy(to, text, n);
        __asm__ volatile("" ::"r"(to) : "memory");
        double t1 = bench_now_s();
        size_t count = csv_records(str_n(text, n), true, &options, records, RECORDS, &used);
        double t2 = bench_now_s();
        batch_reset(batch);
        if (count != RECORDS || !csv_decode(decoder, records, RECORDS, batch, NULL, &err))
            return 1;
        double t3 = bench_now_s();
        sbuf_clear(&out);
        csv_encode(encoder, batch, 0, RECORDS, &out, NULL);
        double t4 = bench_now_s();
        copy = t1 - t0 < copy ? t1 - t0 : copy;
        split = t2 - t1 < split ? t2 - t1 : split;
        decode = t3 - t2 < decode ? t3 - t2 : decode;
        encode = t4 - t3 < encode ? t4 - t3 : encode;
    }
    print("memcpy", copy, n, copy);
    print("records", split, n, copy);
    print("decode", decode, n, copy);
    print("encode", encode, out.n, copy);
    sbuf_fini(&out);
    batch_free(batch);
    pool_free(pool);
    free(records);
    free(to);
    free(text);
    return 0;
}

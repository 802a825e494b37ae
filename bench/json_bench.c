/* How fast JSON becomes columns, against what the machine can do at all (copying memory) and against a
 * tree (jansson), all in one run, so that the ratios mean something on any machine.
 *
 * The records are 384 bytes of 12 mixed fields: identifiers, short and long text, a timestamp, numbers,
 * booleans. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "format/json.h"

enum { RECORDS = 4096, RECORD_SIZE = 384, ROUNDS = 41 };

static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static const struct field fields[] = {
    {.name = "id", .nullable = true},      {.name = "user_id", .nullable = true},
    {.name = "event", .nullable = true},   {.name = "timestamp", .nullable = true},
    {.name = "country", .nullable = true}, {.name = "city", .nullable = true},
    {.name = "amount", .nullable = true},  {.name = "quantity", .nullable = true},
    {.name = "premium", .nullable = true}, {.name = "url", .nullable = true},
    {.name = "session", .nullable = true}, {.name = "agent", .nullable = true},
};
static const enum type_kind kinds[] = {
    TYPE_LONG,   TYPE_STRING, TYPE_STRING,  TYPE_TIMESTAMP, TYPE_STRING, TYPE_STRING,
    TYPE_DOUBLE, TYPE_INT,    TYPE_BOOLEAN, TYPE_STRING,    TYPE_STRING, TYPE_STRING,
};
enum { FIELDS = sizeof fields / sizeof fields[0] };

static const struct type *make_schema(struct arena *arena)
{
    struct field all[FIELDS];
    for (int i = 0; i < FIELDS; i++) {
        all[i] = fields[i];
        all[i].type = type_simple(kinds[i]);
    }
    return type_struct(arena, all, FIELDS);
}

/* Each record a little different, and 384 bytes: the last field fills up. */
static void write_record(char *out, uint32_t i)
{
    static const char *const events[] = {"view", "click", "purchase", "add_to_cart", "logout"};
    static const char *const countries[] = {"CH", "Germany", "United States", "Brazil", "New Zealand", "NO"};
    static const char *const cities[] = {"Zurich", "Berlin", "San Francisco", "Rio", "Wellington", "Oslo"};
    uint32_t r = i * 2654435761u;
    int n = snprintf(
        out, RECORD_SIZE,
        "{\"id\":%u,\"user_id\":\"user_%06u\",\"event\":\"%s\",\"timestamp\":\"2024-%02u-%02uT%02u:%02u:%02u."
        "%03uZ\",\"country\":\"%s\",\"city\":\"%s\",\"amount\":%u.%02u,\"quantity\":%u,\"premium\":%s,"
        "\"url\":\"https://www.example.com/products/%u?ref=home\",\"session\":\"%08x-9a8b-4c7d-8e6f-%08x0a1b\","
        "\"agent\":\"",
        1000000 + i, r % 1000000, events[r % 5], r % 12 + 1, r % 28 + 1, r % 24, r / 7 % 60, r / 11 % 60,
        r / 13 % 1000, countries[r / 17 % 6], cities[r / 19 % 6], r / 23 % 5000, r % 100, r % 30,
        r & 8 ? "true" : "false", r / 3, r, r ^ 0x5A5A5A5A);
    static const char agent[] =
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.6099.109 Safari/537.36 Edg/120.0.2210.91";
    int fill = RECORD_SIZE - n - 2;
    if (fill < 0 || fill >= (int)sizeof agent)
        abort();
    memcpy(out + n, agent, (size_t)fill);
    memcpy(out + n + fill, "\"}", 2);
}

static double bench_decode(const struct str *records, const struct type *schema, enum json_cpu cpu)
{
    struct pool *pool = pool_new(NULL, "bench");
    struct json_options options = json_options_default();
    options.cpu = cpu;
    struct err err;
    struct json_decoder *decoder = json_decoder_new(pool, schema, &options, &err);
    struct batch *batch = batch_new();
    double best = 1e9;
    for (int round = 0; round < ROUNDS; round++) {
        batch_reset(batch);
        double from = now_s();
        if (!json_decode(decoder, records, RECORDS, batch, NULL, &err))
            abort();
        double took = now_s() - from;
        best = took < best ? took : best;
    }
    for (uint32_t i = 0; i < schema->field_count; i++)
        if (column_null_count(&batch->columns[i]) != 0)
            abort();
    batch_free(batch);
    pool_free(pool);
    return best;
}

static double bench_encode(const struct str *records, const struct type *schema)
{
    struct pool *pool = pool_new(NULL, "bench");
    struct err err;
    struct json_decoder *decoder = json_decoder_new(pool, schema, NULL, &err);
    struct json_encoder *encoder = json_encoder_new(pool, schema, NULL, &err);
    struct batch *batch = batch_new();
    struct sbuf out = {0};
    double best = 1e9;
    if (!json_decode(decoder, records, RECORDS, batch, NULL, &err))
        abort();
    for (int round = 0; round < ROUNDS; round++) {
        sbuf_clear(&out);
        double from = now_s();
        json_encode(encoder, batch, 0, RECORDS, '\n', &out, NULL);
        double took = now_s() - from;
        best = took < best ? took : best;
    }
    best = best * ((double)RECORDS * RECORD_SIZE) / (double)out.n; /* per byte written */
    sbuf_fini(&out);
    batch_free(batch);
    pool_free(pool);
    return best;
}

static double bench_jansson(const struct str *records)
{
    double best = 1e9;
    for (int round = 0; round < 5; round++) {
        double from = now_s();
        for (int i = 0; i < RECORDS; i++)
            json_decref(json_loadb(records[i].p, records[i].n, 0, NULL));
        double took = now_s() - from;
        best = took < best ? took : best;
    }
    return best;
}

static double bench_copy(const char *text, size_t n)
{
    char *to = malloc(n);
    double best = 1e9;
    for (int round = 0; round < ROUNDS; round++) {
        double from = now_s();
        memcpy(to, text, n);
        __asm__ volatile("" ::"r"(to) : "memory");
        double took = now_s() - from;
        best = took < best ? took : best;
    }
    free(to);
    return best;
}

static void print(const char *name, double took, double copy)
{
    double bytes = (double)RECORDS * RECORD_SIZE;
    printf("%-16s %7.2f M records/s %8.2f GB/s   %6.1f times a copy's time\n", name, RECORDS / took * 1e-6,
           bytes / took * 1e-9, took / copy);
}

int main(void)
{
    struct arena arena = {0};
    const struct type *schema = make_schema(&arena);
    size_t size = (size_t)RECORDS * RECORD_SIZE;
    char *text = malloc(size);
    struct str *records = malloc(RECORDS * sizeof *records);
    for (uint32_t i = 0; i < RECORDS; i++) {
        write_record(text + (size_t)i * RECORD_SIZE, i);
        records[i] = str_n(text + (size_t)i * RECORD_SIZE, RECORD_SIZE);
    }
    double copy = bench_copy(text, size);
    print("memcpy", copy, copy);
    static const char *const names[] = {"decode", "decode, scalar", "decode, sse", "decode, avx2",
                                        "decode, avx512"};
    for (int cpu = JSON_CPU_BEST; cpu <= JSON_CPU_AVX512; cpu++)
        print(names[cpu], bench_decode(records, schema, (enum json_cpu)cpu), copy);
    print("encode", bench_encode(records, schema), copy);
    print("jansson, tree", bench_jansson(records), copy);
    free(records);
    free(text);
    arena_fini(&arena);
    return 0;
}

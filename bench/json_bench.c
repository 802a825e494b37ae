/* How fast JSON becomes columns, against what the machine can do at all (copying memory) and against a
 * tree (jansson), all in one run, so that the ratios mean something on any machine.
 *
 * The records are 384 bytes of 12 mixed fields: identifiers, short and long text, a timestamp, numbers,
 * booleans. */
#include <jansson.h>

#include "bench.h"
#include "format/json.h"
#include "type/timestamp.h"

enum { RECORDS = 4096, RECORD_SIZE = 384, ROUNDS = 41 };

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

/* 384 bytes: the last field is cut, or fills up. */
static void write_record(char *out, const struct bench_event *e)
{
    enum { CLOSE = 2 }; /* "} */
    char at[TIMESTAMP_TEXT_MAX], country[32] = "null";
    timestamp_to_iso(e->at_ms * US_PER_MS, "Z", at);
    if (e->country)
        snprintf(country, sizeof country, "\"%s\"", e->country);
    int n = snprintf(
        out, RECORD_SIZE,
        "{\"id\":%lld,\"user_id\":\"%s\",\"event\":\"%s\",\"timestamp\":\"%s\",\"country\":%s,\"city\":\"%s\","
        "\"amount\":%u.%02u,\"quantity\":%u,\"premium\":%s,\"url\":\"%s\",\"session\":\"%s\",\"agent\":\"",
        (long long)e->id, e->user_id, e->event, at, country, e->city, e->cents / 100, e->cents % 100,
        e->quantity, e->premium ? "true" : "false", e->url, e->session);
    if (n < 0 || n > RECORD_SIZE - CLOSE)
        abort();
    size_t left = (size_t)(RECORD_SIZE - CLOSE - n), part = left < e->agent.n ? left : e->agent.n;
    memset(out + n, '.', left);
    memcpy(out + n, e->agent.p, part);
    memcpy(out + RECORD_SIZE - CLOSE, "\"}", CLOSE);
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
        double from = bench_now_s();
        if (!json_decode(decoder, records, RECORDS, batch, NULL, &err))
            abort();
        double took = bench_now_s() - from;
        best = took < best ? took : best;
    }
    for (uint32_t i = 0; i < schema->field_count; i++)
        if (column_null_count(&batch->columns[i]) != 0 && strcmp(schema->fields[i].name, "country") != 0)
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
        double from = bench_now_s();
        json_encode(encoder, batch, 0, RECORDS, '\n', &out, NULL);
        double took = bench_now_s() - from;
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
        double from = bench_now_s();
        for (int i = 0; i < RECORDS; i++)
            json_decref(json_loadb(records[i].p, records[i].n, 0, NULL));
        double took = bench_now_s() - from;
        best = took < best ? took : best;
    }
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
    struct bench_chance chance = {42};
    for (uint32_t i = 0; i < RECORDS; i++) {
        struct bench_event event = bench_event(&chance, i);
        write_record(text + (size_t)i * RECORD_SIZE, &event);
        records[i] = str_n(text + (size_t)i * RECORD_SIZE, RECORD_SIZE);
    }
    double copy = bench_copy(ROUNDS, text, size);
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

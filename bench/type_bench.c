/* What the scalar conversions and the gathering of columns cost, in ns per value, beside what the C library takes for the same work. */
#include <ref/random_batch.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench.h"
#include "type/cast.h"

enum { VALUES = 4096, ROUNDS = 51, TEXT = 40 };

static char texts[VALUES][TEXT];
static double doubles[VALUES];
static int64_t longs[VALUES];
static i128 decimals[VALUES];
static volatile int64_t sink;

/* The fastest of ROUNDS runs over all values. */
static double measure(void (*run)(void))
{
    double best = 1e18;
    for (int i = 0; i < ROUNDS; i++) {
        double start = bench_now_ns();
        run();
        double took = (bench_now_ns() - start) / VALUES;
        best = took < best ? took : best;
    }
    return best;
}

#define EACH(name, body)                                                                                     \
    static void name(void)                                                                                   \
    {                                                                                                        \
        int64_t sum = 0;                                                                                     \
        for (int i = 0; i < VALUES; i++) {                                                                   \
            body;                                                                                            \
        }                                                                                                    \
        sink = sum;                                                                                          \
    }

EACH(text_to_f64, double d = 0; cast_str_to_f64(str_of(texts[i]), &d); sum += (int64_t)d)
EACH(libc_strtod, sum += (int64_t)strtod(texts[i], NULL))
EACH(f64_to_str, char out[CAST_F64_MAX]; sum += (int64_t)cast_f64_to_str(doubles[i], out))
EACH(libc_printf_17g, char out[64]; sum += snprintf(out, sizeof out, "%.17g", doubles[i]))
EACH(text_to_i64, int64_t v = 0; cast_str_to_i64(str_of(texts[i]), INT64_MIN, INT64_MAX, &v); sum += v)
EACH(libc_strtoll, sum += strtoll(texts[i], NULL, 10))
EACH(i64_to_str, char out[CAST_I64_MAX]; sum += (int64_t)cast_i64_to_str(longs[i], out))
EACH(parse_timestamp, int64_t us = 0; timestamp_parse(str_of(texts[i]), NULL, NULL, &us); sum += us)
EACH(print_timestamp, char out[TIMESTAMP_TEXT_MAX]; sum += (int64_t)timestamp_to_iso(longs[i], "Z", out))
EACH(libc_gmtime, time_t t = longs[i] / 1000000; struct tm tm; gmtime_r(&t, &tm); sum += tm.tm_mday)
EACH(parse_decimal, i128 v = 0; decimal_parse(str_of(texts[i]), (struct decimal_shape){18, 2}, &v);
     sum += (int64_t)v)
EACH(print_decimal, char out[DECIMAL_TEXT_MAX]; sum += (int64_t)decimal_to_text(decimals[i], 2, out))
EACH(multiply_decimals, i128 v = 0;
     decimal_mul(decimals[i], 2, decimals[VALUES - 1 - i], 2, (struct decimal_shape){37, 4}, &v);
     sum += (int64_t)v)
EACH(divide_decimals, i128 v = 0;
     decimal_div(decimals[i], 2, decimals[VALUES - 1 - i], 2, (struct decimal_shape){38, 20}, &v);
     sum += (int64_t)v)

static struct rng rng = {1};
static void fill_doubles(bool common)
{
    for (int i = 0; i < VALUES; i++) {
        uint64_t bits = rng_next(&rng) & ~(UINT64_C(1) << 62);
        memcpy(&doubles[i], &bits, sizeof bits);
        if (common)
            doubles[i] = (double)(rng_next(&rng) % 1000000) / 100;
        snprintf(texts[i], TEXT, common ? "%.2f" : "%.17g", doubles[i]);
    }
}

static void fill_longs(void)
{
    for (int i = 0; i < VALUES; i++) {
        longs[i] = (int64_t)(rng_next(&rng) >> rng_below(&rng, 60));
        snprintf(texts[i], TEXT, "%lld", (long long)longs[i]);
    }
}

static void fill_timestamps(void)
{
    for (int i = 0; i < VALUES; i++) {
        longs[i] = (int64_t)(rng_next(&rng) % 2000000000000000);
        timestamp_to_iso(longs[i], "Z", texts[i]);
    }
}

static void fill_decimals(void)
{
    for (int i = 0; i < VALUES; i++) {
        decimals[i] = (i128)(rng_next(&rng) % 1000000000 + 1);
        decimal_to_text(decimals[i], 2, texts[i]);
    }
}

static struct batch *source, *out;
static uint32_t rows[VALUES];
static void take(void)
{
    batch_reset(out);
    batch_take(out, source, rows, VALUES, false);
}
static void take_deep(void)
{
    batch_reset(out);
    batch_take(out, source, rows, VALUES, true);
}

static void bench_take(const char *name, const char *ddl)
{
    struct arena arena = {0};
    const struct type *schema;
    struct err err;
    if (!type_parse_ddl(&arena, str_of(ddl), &schema, &err))
        exit(1);
    source = batch_new(), out = batch_new();
    random_batch(&rng, source, schema, VALUES, RANDOM_FLAT);
    for (uint32_t i = 0; i < VALUES; i++)
        rows[i] = i / 2 * 2;
    printf("take %-28s %7.2f ns a row, deep %7.2f\n", name, measure(take), measure(take_deep));
    batch_free(source);
    batch_free(out);
    arena_fini(&arena);
}

static void line(const char *name, void (*ours)(void), const char *other, void (*theirs)(void))
{
    double ns = measure(ours);
    printf("%-33s %7.2f ns", name, ns);
    if (theirs != NULL) {
        double libc = measure(theirs);
        printf(", %s %7.2f ns: %.1f times", other, libc, libc / ns);
    }
    printf("\n");
}

int main(void)
{
    fill_doubles(true);
    line("text to double, 2 places", text_to_f64, "strtod", libc_strtod);
    line("double to text, 2 places", f64_to_str, "%.17g", libc_printf_17g);
    fill_doubles(false);
    line("text to double, 17 digits", text_to_f64, "strtod", libc_strtod);
    line("double to text, any", f64_to_str, "%.17g", libc_printf_17g);
    fill_longs();
    line("text to long", text_to_i64, "strtoll", libc_strtoll);
    line("long to text", i64_to_str, NULL, NULL);
    fill_timestamps();
    line("text to timestamp", parse_timestamp, NULL, NULL);
    line("timestamp to text", print_timestamp, "gmtime_r alone", libc_gmtime);
    fill_decimals();
    line("text to decimal", parse_decimal, NULL, NULL);
    line("decimal to text", print_decimal, NULL, NULL);
    line("decimal times decimal", multiply_decimals, NULL, NULL);
    line("decimal by decimal, 20 places", divide_decimals, NULL, NULL);
    bench_take("one long", "a bigint not null");
    bench_take("one nullable long", "a bigint");
    bench_take("one string", "a string");
    bench_take("array<struct<2 fields>>", "a array<struct<x: int, y: string>>");
    return 0;
}

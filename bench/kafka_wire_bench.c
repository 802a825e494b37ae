/* What Kafka's codec costs for the messages that come with every batch of records, in ns, beside a memcpy of as many bytes. */
#include <stdio.h>
#include <stdlib.h>

#include "bench.h"
#include "wire/kafka.h"

enum { CALLS = 20000, ROUNDS = 31 };

static struct arena arena, scratch;
static struct kafka_out out = {.leaves_records = true};

struct work {
    const struct kafka_type *type;
    int version;
    void *message, *got;
    struct str bytes;
    char *copy;
};

static void decode(struct work *w)
{
    struct rd r = rd_of(w->bytes.p, w->bytes.n);
    struct err err;
    arena_reset(&scratch);
    if (!kafka_decode(w->type, w->version, &r, &scratch, w->got, &err))
        abort();
}
static void encode(struct work *w)
{
    struct err err;
    kafka_out_clear(&out);
    if (!kafka_encode(w->type, w->version, w->message, &out, &err))
        abort();
}
static void copy(struct work *w)
{
    memcpy(w->copy, w->bytes.p, w->bytes.n);
    __asm__ volatile("" : : "r"(w->copy) : "memory");
}

/* The fastest round, for one call. */
static double measure(void (*run)(struct work *), struct work *w)
{
    double best = 1e18;
    for (int round = 0; round < ROUNDS; round++) {
        double start = bench_now_ns();
        for (int i = 0; i < CALLS; i++)
            run(w);
        double took = (bench_now_ns() - start) / CALLS;
        best = took < best ? took : best;
    }
    return best;
}

/* text: the message; its records are 1 KB where it says "records". */
static void bench(const char *name, const struct kafka_type *type, int version, const char *text)
{
    struct work w = {.type = type, .version = version};
    struct kafka_out whole = {0};
    struct err err = {0};
    w.message = arena_zalloc(&arena, type->size);
    w.got = arena_zalloc(&arena, type->size);
    if (!kafka_parse(type, str_of(text), &arena, w.message, &err) ||
        !kafka_encode(type, version, w.message, &whole, &err)) {
        fprintf(stderr, "%s: %s\n", name, err.text);
        exit(1);
    }
    w.bytes = sbuf_view(&whole.bytes);
    w.copy = arena_alloc(&arena, w.bytes.n);
    double read = measure(decode, &w), written = measure(encode, &w), copied = measure(copy, &w);
    printf("%-40s %5zu bytes: decode %7.1f ns, encode %7.1f ns, memcpy %5.1f ns\n", name, w.bytes.n, read,
           written, copied);
    kafka_out_fini(&whole);
}

/* "before", then count times "element", then "after". */
static const char *repeated(const char *before, const char *element, int count, const char *after)
{
    struct sbuf text = {0};
    sbuf_cstr(&text, before);
    for (int i = 0; i < count; i++)
        sbuf_printf(&text, " %s", element);
    sbuf_cstr(&text, after);
    const char *s = arena_strdup(&arena, text.p);
    sbuf_fini(&text);
    return s;
}

int main(void)
{
    const char *produce = "{Index: 1, Records: 0x0000000000000000000000000000000000000000}";
    const char *fetch =
        "{Partition: 1, CurrentLeaderEpoch: 3, FetchOffset: 100000, PartitionMaxBytes: 1048576}";
    const char *fetched =
        "{PartitionIndex: 1, HighWatermark: 100, LastStableOffset: 100, LogStartOffset: 0, Records: 0x00}";
    bench(
        "Produce v9, 1 partition", &kafka_produce_request, 9,
        repeated("Acks: -1 TimeoutMs: 30000 TopicData: [{Name: orders PartitionData: [", produce, 1, "]}]"));
    bench("Produce v9, 100 partitions", &kafka_produce_request, 9,
          repeated("Acks: -1 TimeoutMs: 30000 TopicData: [{Name: orders PartitionData: [", produce, 100,
                   "]}]"));
    bench("Produce v9 response, 1 partition", &kafka_produce_response, 9,
          "Responses: [{Name: orders, PartitionResponses: [{Index: 1, BaseOffset: 1000}]}]");
    bench("Fetch v12, 1 partition", &kafka_fetch_request, 12,
          repeated("MaxWaitMs: 500 MinBytes: 1 SessionEpoch: 7 Topics: [{Topic: orders Partitions: [", fetch,
                   1, "]}]"));
    bench("Fetch v12, 100 partitions", &kafka_fetch_request, 12,
          repeated("MaxWaitMs: 500 MinBytes: 1 SessionEpoch: 7 Topics: [{Topic: orders Partitions: [", fetch,
                   100, "]}]"));
    bench("Fetch v12 response, 1 partition", &kafka_fetch_response, 12,
          repeated("SessionId: 7 Responses: [{Topic: orders Partitions: [", fetched, 1, "]}]"));
    bench("Fetch v12 response, 100 partitions", &kafka_fetch_response, 12,
          repeated("SessionId: 7 Responses: [{Topic: orders Partitions: [", fetched, 100, "]}]"));
    kafka_out_fini(&out);
    arena_fini(&arena);
    arena_fini(&scratch);
    return 0;
}

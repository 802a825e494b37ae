/* How fast Protobuf records become columns, and columns Protobuf records, against copying the bytes and against Protobuf's C library
 * (libprotobuf-c-dev, where it is installed), all in one run.
 *
 * The records are about 220 bytes of 12 mixed fields: identifiers, short and long text, an optional one, a Timestamp, numbers, a boolean;
 * lengths and values differ from record to record as if by chance, and what has its default is left out, as writers do. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/bytes.h"
#include "format/protobuf.h"

#ifdef PROTOBUF_PEER
/* protobuf_peer.c: seconds that libprotobuf-c takes for records[count], the best of some rounds. */
double protobuf_peer(const struct str *records, int count);
#endif

enum { RECORDS = 4096, ROUNDS = 2001 };

static const char schema_text[] =
    "syntax = \"proto3\"; import \"google/protobuf/timestamp.proto\";"
    "message Event { int64 id = 1; string user_id = 2; string event = 3; google.protobuf.Timestamp at = 4;"
    "optional string country = 5; string city = 6; double amount = 7; int32 quantity = 8; bool premium = 9;"
    "string url = 10; string session = 11; string agent = 12; }";

static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static uint64_t random_state = 42;

static uint32_t chance(uint32_t below)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(random_state >> 33) % below;
}

static void put_number(struct sbuf *out, uint64_t value)
{
    uint8_t bytes[VARINT_MAX];
    sbuf_add(out, bytes, put_uvarint(bytes, value));
}

/* Nothing where it is 0. */
static void put_integer(struct sbuf *out, uint32_t field, uint64_t value)
{
    if (value == 0)
        return;
    put_number(out, field << 3);
    put_number(out, value);
}

static void put_text(struct sbuf *out, uint32_t field, struct str text)
{
    put_number(out, field << 3 | 2);
    put_number(out, text.n);
    sbuf_str(out, text);
}

static void write_record(struct sbuf *out, uint32_t i)
{
    static const char *const events[] = {"view", "click", "purchase", "add_to_cart", "logout"};
    static const char *const countries[] = {"CH", "Germany", "United States", "Brazil", "New Zealand", "NO"};
    static const char *const cities[] = {"Zurich",         "Berlin",     "San Francisco",
                                         "Rio de Janeiro", "Wellington", "Oslo"};
    static const char agent[] =
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0";
    char text[128];
    struct sbuf at = {0};
    double amount = chance(100000) / 100.0;
    put_integer(out, 1, 1000000 + i);
    snprintf(text, sizeof text, "user_%06u", chance(1000000));
    put_text(out, 2, str_of(text));
    put_text(out, 3, str_of(events[chance(5)]));
    put_integer(&at, 1, 1704067200 + chance(1000000));
    put_integer(&at, 2, UINT64_C(1000000) * chance(1000));
    put_text(out, 4, sbuf_view(&at));
    sbuf_fini(&at);
    if (chance(5) > 0)
        put_text(out, 5, str_of(countries[chance(6)]));
    put_text(out, 6, str_of(cities[chance(6)]));
    put_number(out, 7 << 3 | 1);
    sbuf_add(out, &amount, sizeof amount);
    put_integer(out, 8, chance(200));
    put_integer(out, 9, chance(2));
    snprintf(text, sizeof text, "https://www.example.com/products/%u?ref=home", chance(5000000));
    put_text(out, 10, str_of(text));
    snprintf(text, sizeof text, "%08x-9a8b-4c7d-8e6f-%08x0a1b", chance(1u << 31), chance(1u << 31));
    put_text(out, 11, str_of(text));
    put_text(out, 12, str_n(agent, sizeof agent - 1 - chance(30)));
}

struct stand {
    struct pool *pool;
    const struct proto_message *message;
    const struct type *columns;
    struct str *records; /* records[RECORDS] */
    const struct protobuf_writer **writers;
    struct protobuf_decoder *decoder;
    size_t bytes;
};

static void refuse(void *arg, const struct protobuf_bad *bad)
{
    (void)arg;
    fprintf(stderr, "row %u, \"%.*s\": %s\n", bad->row, STR_ARG(bad->path), bad->reason);
    abort();
}

static const struct protobuf_report report = {.bad = refuse};

static void set_up(struct stand *s, struct sbuf *text)
{
    struct err err = {0};
    const struct schema *schema;
    s->pool = pool_new(NULL, "bench");
    struct arena *arena = pool_arena(s->pool);
    struct schema_source source = {.kind = SCHEMA_PROTOBUF, .text = str_of(schema_text)};
    if (!schema_parse(arena, &source, &schema, &err))
        abort();
    s->message = proto_message_find(schema_proto(schema), STR("Event"));
    s->columns = protobuf_columns_type(arena, s->message, &err);
    s->records = arena_array(arena, struct str, RECORDS);
    s->writers = arena_array(arena, const struct protobuf_writer *, RECORDS);
    s->decoder = protobuf_decoder_new(s->pool, s->columns, NULL, &err);
    const struct protobuf_writer *writer = protobuf_decoder_writer(s->decoder, s->message, &err);
    if (writer == NULL)
        abort();
    size_t *starts = arena_array(arena, size_t, RECORDS + 1);
    for (uint32_t i = 0; i < RECORDS; i++) {
        starts[i] = text->n;
        write_record(text, i);
        s->writers[i] = writer;
    }
    starts[RECORDS] = s->bytes = text->n;
    for (uint32_t i = 0; i < RECORDS; i++)
        s->records[i] = str_n(text->p + starts[i], starts[i + 1] - starts[i]);
}

static double bench_decode(struct stand *s, struct batch *batch)
{
    double best = 1e9;
    for (int round = 0; round < ROUNDS; round++) {
        batch_reset(batch);
        double from = now_s();
        protobuf_decode(s->decoder, s->records, s->writers, RECORDS, batch, &report);
        double took = now_s() - from;
        best = took < best ? took : best;
    }
    return best;
}

static double bench_encode(struct stand *s, const struct batch *batch)
{
    struct err err = {0};
    struct protobuf_encoder *encoder = protobuf_encoder_new(s->pool, s->message, s->columns, &err);
    uint32_t *ends = arena_array(pool_arena(s->pool), uint32_t, RECORDS);
    struct sbuf out = {0};
    double best = 1e9;
    for (int round = 0; round < ROUNDS; round++) {
        sbuf_clear(&out);
        double from = now_s();
        protobuf_encode(encoder, batch, 0, RECORDS, STR("\0\0\0\0\1\0"), &out, ends, &report);
        double took = now_s() - from;
        best = took < best ? took : best;
    }
    if (out.n != s->bytes + 6 * RECORDS)
        abort();
    sbuf_fini(&out);
    return best;
}

static double bench_copy(const struct sbuf *text)
{
    char *to = malloc(text->n);
    double best = 1e9;
    for (int round = 0; round < ROUNDS; round++) {
        double from = now_s();
        memcpy(to, text->p, text->n);
        __asm__ volatile("" ::"r"(to) : "memory");
        double took = now_s() - from;
        best = took < best ? took : best;
    }
    free(to);
    return best;
}

static void print(const char *name, const struct stand *s, double took)
{
    printf("%-22s %7.2f M records/s %8.2f GB/s\n", name, RECORDS / took / 1e6, (double)s->bytes / took / 1e9);
}

int main(void)
{
    struct stand s;
    struct sbuf text = {0};
    set_up(&s, &text);
    struct batch *batch = batch_new();
    printf("%d records of %.1f bytes\n", RECORDS, (double)s.bytes / RECORDS);
    print("copying the bytes", &s, bench_copy(&text));
    print("decode", &s, bench_decode(&s, batch));
    print("encode", &s, bench_encode(&s, batch));
#ifdef PROTOBUF_PEER
    print("libprotobuf-c, decode", &s, protobuf_peer(s.records, RECORDS));
#else
    printf("libprotobuf-c is not installed, so it is not measured\n");
#endif
    batch_free(batch);
    sbuf_fini(&text);
    pool_free(s.pool);
    return 0;
}

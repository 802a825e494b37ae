/* How fast Protobuf records become columns, and columns Protobuf records, against copying the bytes and against Protobuf's C library
 * (libprotobuf-c-dev, where it is installed), all in one run.
 *
 * The records are about 220 bytes of 12 mixed fields: identifiers, short and long text, an optional one, a Timestamp, numbers, a boolean. What has its default is left out, as writers do. */
#include "base/bytes.h"
#include "bench.h"
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

static void write_record(struct sbuf *out, const struct bench_event *e)
{
    struct sbuf at = {0};
    double amount = e->cents / 100.0;
    put_integer(out, 1, (uint64_t)e->id);
    put_text(out, 2, str_of(e->user_id));
    put_text(out, 3, str_of(e->event));
    put_integer(&at, 1, (uint64_t)e->at_ms / 1000);
    put_integer(&at, 2, (uint64_t)e->at_ms % 1000 * 1000000);
    put_text(out, 4, sbuf_view(&at));
    sbuf_fini(&at);
    if (e->country)
        put_text(out, 5, str_of(e->country));
    put_text(out, 6, str_of(e->city));
    put_number(out, 7 << 3 | 1);
    sbuf_add(out, &amount, sizeof amount);
    put_integer(out, 8, e->quantity);
    put_integer(out, 9, e->premium);
    put_text(out, 10, str_of(e->url));
    put_text(out, 11, str_of(e->session));
    put_text(out, 12, e->agent);
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
    struct bench_chance chance = {42};
    for (uint32_t i = 0; i < RECORDS; i++) {
        starts[i] = text->n;
        struct bench_event event = bench_event(&chance, i);
        write_record(text, &event);
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
        double from = bench_now_s();
        protobuf_decode(s->decoder, s->records, s->writers, RECORDS, batch, &report);
        double took = bench_now_s() - from;
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
        double from = bench_now_s();
        protobuf_encode(encoder, batch, 0, RECORDS, STR("\0\0\0\0\1\0"), &out, ends, &report);
        double took = bench_now_s() - from;
        best = took < best ? took : best;
    }
    if (out.n != s->bytes + 6 * RECORDS)
        abort();
    sbuf_fini(&out);
    return best;
}

static void print(const char *name, const struct stand *s, double took)
{
    bench_print(name, RECORDS, s->bytes, took);
}

int main(void)
{
    struct stand s;
    struct sbuf text = {0};
    set_up(&s, &text);
    struct batch *batch = batch_new();
    printf("%d records of %.1f bytes\n", RECORDS, (double)s.bytes / RECORDS);
    print("copying the bytes", &s, bench_copy(ROUNDS, text.p, text.n));
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

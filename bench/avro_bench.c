/* How fast Avro records become columns, and columns Avro records, against copying the bytes and against Avro's own C library
 * (libavro-dev, where it is installed), all in one run.
 *
 * The records are about 220 bytes of 12 mixed fields: identifiers, short and long text, a union with null, a timestamp, numbers, a boolean. */
#include "base/bytes.h"
#include "bench.h"
#include "format/avro_file.h"

#ifdef AVRO_PEER
/* avro_peer.c: seconds that libavro takes for records[count], the best of some rounds. */
double avro_peer(const char *schema_text, const struct str *records, int count);
#endif

enum { RECORDS = 4096, ROUNDS = 2001 };

static const char schema_text[] =
    "{\"type\":\"record\",\"name\":\"Event\",\"fields\":["
    "{\"name\":\"id\",\"type\":\"long\"},{\"name\":\"user_id\",\"type\":\"string\"},"
    "{\"name\":\"event\",\"type\":\"string\"},"
    "{\"name\":\"at\",\"type\":{\"type\":\"long\",\"logicalType\":\"timestamp-millis\"}},"
    "{\"name\":\"country\",\"type\":[\"null\",\"string\"]},{\"name\":\"city\",\"type\":\"string\"},"
    "{\"name\":\"amount\",\"type\":\"double\"},{\"name\":\"quantity\",\"type\":\"int\"},"
    "{\"name\":\"premium\",\"type\":\"boolean\"},{\"name\":\"url\",\"type\":\"string\"},"
    "{\"name\":\"session\",\"type\":\"string\"},{\"name\":\"agent\",\"type\":\"string\"}]}";

static void put_long(struct sbuf *out, int64_t value)
{
    uint8_t bytes[VARINT_MAX];
    sbuf_add(out, bytes, put_varint(bytes, value));
}

static void put_text(struct sbuf *out, struct str text)
{
    put_long(out, (int64_t)text.n);
    sbuf_str(out, text);
}

static void write_record(struct sbuf *out, const struct bench_event *e)
{
    double amount = e->cents / 100.0;
    put_long(out, e->id);
    put_text(out, str_of(e->user_id));
    put_text(out, str_of(e->event));
    put_long(out, e->at_ms);
    put_long(out, e->country != NULL);
    if (e->country)
        put_text(out, str_of(e->country));
    put_text(out, str_of(e->city));
    sbuf_add(out, &amount, sizeof amount);
    put_long(out, e->quantity);
    sbuf_char(out, (char)e->premium);
    put_text(out, str_of(e->url));
    put_text(out, str_of(e->session));
    put_text(out, e->agent);
}

struct stand {
    struct pool *pool;
    const struct avro_schema *schema;
    const struct type *columns;
    struct str *records; /* records[RECORDS] */
    const struct avro_writer **writers;
    struct avro_decoder *decoder;
    size_t bytes;
};

static void refuse(void *arg, const struct avro_bad *bad)
{
    (void)arg;
    fprintf(stderr, "row %u, \"%.*s\": %s\n", bad->row, STR_ARG(bad->path), bad->reason);
    abort();
}

static const struct avro_report report = {.bad = refuse};

static void set_up(struct stand *s, struct sbuf *text)
{
    struct err err = {0};
    const struct schema *schema;
    s->pool = pool_new(NULL, "bench");
    struct arena *arena = pool_arena(s->pool);
    if (!schema_parse(arena, &(struct schema_source){.text = str_of(schema_text)}, &schema, &err))
        abort();
    s->schema = schema_avro(schema);
    s->columns = avro_columns_type(arena, s->schema, &err);
    s->records = arena_array(arena, struct str, RECORDS);
    s->writers = arena_array(arena, const struct avro_writer *, RECORDS);
    s->decoder = avro_decoder_new(s->pool, s->schema, s->columns, NULL, &err);
    const struct avro_writer *writer = avro_decoder_writer(s->decoder, s->schema, &err);
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
        avro_decode(s->decoder, s->records, s->writers, RECORDS, batch, &report);
        double took = bench_now_s() - from;
        best = took < best ? took : best;
    }
    return best;
}

/* A container file of the records, in memory. */
static void write_file(const struct stand *s, struct sbuf *file)
{
    enum { ROWS = 1000 }; /* of a block */
    static const char sync[] = "sixteen bytes: a";
    sbuf_str(file, STR("Obj\1\2"));
    put_text(file, STR("avro.schema"));
    put_text(file, str_of(schema_text));
    put_long(file, 0);
    sbuf_add(file, sync, 16);
    for (uint32_t from = 0; from < RECORDS; from += ROWS) {
        uint32_t to = from + ROWS < RECORDS ? from + ROWS : RECORDS;
        const struct str *last = &s->records[to - 1];
        put_long(file, to - from);
        put_long(file, last->p + last->n - s->records[from].p);
        sbuf_add(file, s->records[from].p, (size_t)(last->p + last->n - s->records[from].p));
        sbuf_add(file, sync, 16);
    }
}

static bool read_at(void *arg, uint64_t offset, size_t n, uint8_t *out, struct err *err)
{
    (void)err;
    memcpy(out, ((const struct sbuf *)arg)->p + offset, n);
    return true;
}

static double bench_file(struct stand *s, struct batch *batch)
{
    struct err err = {0};
    struct sbuf bytes = {0};
    double best = 1e9;
    write_file(s, &bytes);
    const struct avro_source source = {bytes.n, read_at, &bytes};
    struct avro_file *file = avro_file_open(s->pool, &source, NULL, &err);
    for (int round = 0; round < ROUNDS; round++) {
        bool end = false;
        uint32_t rows = 0;
        double from = bench_now_s();
        if (!avro_file_seek(file, (struct avro_place){0}, &err))
            abort();
        for (; !end; rows += batch->rows)
            if (!avro_file_next(file, batch, &report, &end, &err))
                abort();
        double took = bench_now_s() - from;
        best = took < best ? took : best;
        if (rows != RECORDS)
            abort();
    }
    avro_file_close(file);
    sbuf_fini(&bytes);
    return best;
}

static double bench_encode(struct stand *s, const struct batch *batch)
{
    struct err err = {0};
    struct avro_encoder *encoder = avro_encoder_new(s->pool, s->schema, s->columns, &err);
    uint32_t *ends = arena_array(pool_arena(s->pool), uint32_t, RECORDS);
    struct sbuf out = {0};
    double best = 1e9;
    for (int round = 0; round < ROUNDS; round++) {
        sbuf_clear(&out);
        double from = bench_now_s();
        avro_encode(encoder, batch, 0, RECORDS, STR("\0\0\0\0\1"), &out, ends, &report);
        double took = bench_now_s() - from;
        best = took < best ? took : best;
    }
    if (out.n != s->bytes + 5 * RECORDS)
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
    print("decode, from a file", &s, bench_file(&s, batch));
#ifdef AVRO_PEER
    print("libavro, decode", &s, avro_peer(schema_text, s.records, RECORDS));
#else
    printf("libavro is not installed, so it is not measured\n");
#endif
    batch_free(batch);
    sbuf_fini(&text);
    pool_free(s.pool);
    return 0;
}

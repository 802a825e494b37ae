/* Protobuf's codec beside Google's own Python library (protobuf_peers.py, from PyPI, kept under ~/.cache): which records can be read, and that
 * what is read of them, and written again, is the same to both. */
#include <ref/random_proto.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/test.h"
#include "format/protobuf.h"

enum { SCHEMAS = 60, ROWS = 60 };

static struct arena arena;
static const char *folder = "";

static void write_file(const char *name, const char *ending, const struct sbuf *bytes)
{
    FILE *f = fopen(arena_printf(&arena, "%s/%s.%s", folder, name, ending), "wb");
    CHECK(f != NULL && fwrite(bytes->p, 1, bytes->n, f) == bytes->n && fclose(f) == 0);
}

static void put_record(struct sbuf *out, struct str record)
{
    uint8_t size[4];
    put_le32(size, (uint32_t)record.n);
    sbuf_add(out, size, sizeof size);
    sbuf_str(out, record);
}

struct heard {
    const char *reasons[ROWS]; /* NULL: the row is good */
};

static void hear(void *arg, const struct protobuf_bad *bad)
{
    ((struct heard *)arg)->reasons[bad->row] = bad->reason;
}

/* What is asked about one schema. */
struct question {
    char name[16];
    bool is_proto2, has_map;
    struct pool *pool;
    struct protobuf_decoder *decoder;
    const struct protobuf_writer *writers[ROWS];
    struct str records[ROWS];
    struct batch *batch;
    struct heard read, written;
};

static const struct proto_message *compile(struct question *q, const struct type **columns,
                                           const struct sbuf *text)
{
    struct err err = {0};
    const struct schema *schema;
    struct schema_source source = {.kind = SCHEMA_PROTOBUF,
                                   .text = str_n(arena_dup(&arena, text->p, text->n), text->n)};
    if (!schema_parse(&arena, &source, &schema, &err))
        check_failed(__FILE__, __LINE__, err.text);
    const struct proto_message *message = proto_message_find(schema_proto(schema), STR("M0"));
    *columns = protobuf_columns_type(&arena, message, &err);
    q->is_proto2 = str_is(message->file->syntax, "proto2");
    q->decoder = protobuf_decoder_new(q->pool, *columns, NULL, &err);
    const struct protobuf_writer *writer = protobuf_decoder_writer(q->decoder, message, &err);
    for (uint32_t i = 0; i < ROWS; i++)
        q->writers[i] = writer;
    write_file(q->name, "proto", text);
    return message;
}

static bool has_map(const struct type *type)
{
    for (uint32_t i = 0; i < type->field_count; i++)
        if (has_map(type->fields[i].type))
            return true;
    return type->kind == TYPE_MAP;
}

static void encode(struct question *q, const struct proto_message *message, const struct type *columns,
                   const struct batch *batch, struct sbuf *out, uint32_t ends[ROWS])
{
    struct err err = {0};
    const struct protobuf_report report = {hear, &q->written};
    struct protobuf_encoder *encoder = protobuf_encoder_new(q->pool, message, columns, &err);
    if (encoder == NULL)
        check_failed(__FILE__, __LINE__, err.text);
    protobuf_encode(encoder, batch, 0, batch->rows, STR(""), out, ends, &report);
}

/* Reads the records, writes the rows again, and puts both down. */
static void ask(struct question *q, const struct proto_message *message, const struct type *columns)
{
    struct sbuf out = {0}, pairs = {0};
    uint32_t ends[ROWS];
    const struct protobuf_report report = {hear, &q->read};
    q->batch = batch_new();
    q->has_map = has_map(columns);
    protobuf_decode(q->decoder, q->records, q->writers, ROWS, q->batch, &report);
    encode(q, message, columns, q->batch, &out, ends);
    for (uint32_t i = 0; i < ROWS; i++) {
        uint32_t from = i > 0 ? ends[i - 1] : 0;
        put_record(&pairs, q->records[i]);
        put_record(&pairs, str_n(out.p + from, ends[i] - from));
    }
    write_file(q->name, "in", &pairs);
    sbuf_fini(&out);
    sbuf_fini(&pairs);
}

static struct str keep(const struct sbuf *bytes)
{
    return str_n(arena_dup(&arena, bytes->p, bytes->n), bytes->n);
}

/* Bytes that are nearly records of a random .proto. */
static void ask_about_bytes(struct question *q, unsigned seed)
{
    struct rng rng = {seed};
    struct sbuf bytes = {0}, text = {0};
    const struct type *columns;
    random_proto(&rng, true, &text);
    const struct proto_message *message = compile(q, &columns, &text);
    for (uint32_t i = 0; i < ROWS; i++) {
        sbuf_clear(&bytes);
        sbuf_reserve(&bytes, 1);
        random_proto_bytes(&rng, 3, &bytes);
        q->records[i] = keep(&bytes);
        if (rng_one_in(&rng, 5))
            q->records[i].n = rng_below(&rng, bytes.n + 1);
    }
    ask(q, message, columns);
    sbuf_fini(&bytes);
    sbuf_fini(&text);
}

static const char ddl[] =
    "a bigint not null, b string, c array<int>, d timestamp, e decimal(20,4), f struct<x: double, y: array<string>, z: struct<i int not null>>, g "
    "boolean not null, h date, i interval day to second, j binary not null, k array<struct<p: float, q: timestamp>>, l map<string, bigint>";

/* Rows of columns in a .proto that is made from them. */
static void ask_about_rows(struct question *q, unsigned seed)
{
    struct rng rng = {seed};
    struct err err = {0};
    struct sbuf text = {0}, out = {0};
    const struct type *type, *columns;
    uint32_t ends[ROWS];
    CHECK(type_parse_ddl(&arena, str_of(ddl), &type, &err));
    type = type_struct(&arena, type->fields, type->field_count - seed % 2); /* with the map, and without */
    CHECK(protobuf_schema_of_columns(type, STR("M0"), STR(""), &text, &err));
    const struct proto_message *message = compile(q, &columns, &text);
    struct batch *batch = batch_new();
    random_batch(&rng, batch, type, ROWS, RANDOM_ANY);
    encode(q, message, type, batch, &out, ends);
    for (uint32_t i = 0; i < ROWS; i++)
        q->records[i] = str_n(
            arena_dup(&arena, out.p + (i ? ends[i - 1] : 0), ends[i] - (i ? ends[i - 1] : 0)),
            ends[i] - (i ? ends[i - 1] : 0));
    memset(&q->written, 0, sizeof q->written);
    ask(q, message, columns);
    batch_free(batch);
    sbuf_fini(&text);
    sbuf_fini(&out);
}

/* Is this refused here alone? Text of proto2 is validated, numbers that are longer than they can be are refused, and so is the number 0 in
 * a field that nobody knows. */
static bool is_stricter(const struct question *q, const char *reason)
{
    return (q->is_proto2 && strcmp(reason, "a string is not UTF-8") == 0) ||
           strstr(reason, "too long") != NULL || strcmp(reason, "a field has the number 0") == 0;
}

static void compare(struct question *q, unsigned seed, uint32_t *good, uint32_t *bad)
{
    struct str again[ROWS];
    struct batch *back = batch_new();
    FILE *f = fopen(arena_printf(&arena, "%s/%s.out", folder, q->name), "rb");
    CHECK(f != NULL);
    for (uint32_t i = 0; i < ROWS; i++) {
        uint8_t head[5];
        CHECK(fread(head, 1, sizeof head, f) == sizeof head);
        uint32_t n = get_le32(head + 1);
        char *bytes = arena_alloc(&arena, n);
        CHECK(fread(bytes, 1, n, f) == n);
        again[i] = str_n(bytes, n);
        const char *reason = q->read.reasons[i];
        bool is_same = head[0] == 0     ? reason != NULL
                       : reason != NULL ? is_stricter(q, reason)
                                        : head[0] == 1 || q->written.reasons[i] != NULL;
        if (!EXPECT(is_same))
            fprintf(stderr, "    schema %u, row %u: %s, there %d\n", seed, i, reason ? reason : "good",
                    head[0]);
        *good += reason == NULL;
        *bad += reason != NULL;
        if (reason != NULL || q->written.reasons[i] != NULL)
            again[i] = q->records[i];
    }
    fclose(f);
    /* What it writes reads the same here; but it sorts maps, and of a key that comes twice it keeps one. */
    protobuf_decode(q->decoder, again, q->writers, ROWS, back, NULL);
    if (!q->has_map &&
        !EXPECT(rows_equal(batch_to_rows(q->batch, &arena), batch_to_rows(back, &arena), ROWS)))
        fprintf(stderr, "    schema %u\n", seed);
    batch_free(back);
}

TEST(protobuf_and_python_agree)
{
    static struct question questions[SCHEMAS];
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    const char *python = arena_printf(&arena, "%s%s/sluice-peers/protobuf",
                                      cache  ? cache
                                      : home ? home
                                             : "/tmp",
                                      cache ? "" : "/.cache");
    const char *command = arena_printf(
        &arena,
        "(%s/bin/python -c 'import google.protobuf, grpc_tools' || (python3 -m venv %s && %s/bin/python -m pip -q install protobuf "
        "grpcio-tools)) >/dev/null 2>&1",
        python, python, python);
    if (system(command) != 0) {
        test_skip("protobuf and grpcio-tools cannot be had from PyPI");
        return;
    }
    uint32_t good = 0, bad = 0;
    char *made = arena_printf(&arena, "%s/sluice-protobuf-XXXXXX",
                              getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
    CHECK(mkdtemp(made) != NULL);
    folder = made;
    for (unsigned i = 0; i < SCHEMAS; i++) {
        questions[i].pool = pool_new(NULL, "test");
        snprintf(questions[i].name, sizeof questions[i].name, "%03u", i);
        if (i % 3 == 2)
            ask_about_rows(&questions[i], i);
        else
            ask_about_bytes(&questions[i], i);
    }
    command = arena_printf(&arena, "%s/bin/python %s/tests/peers/protobuf_peers.py %s", python,
                           getenv("SLUICE_SOURCE") ? getenv("SLUICE_SOURCE") : ".", folder);
    if (EXPECT(system(command) == 0))
        for (unsigned i = 0; i < SCHEMAS; i++)
            compare(&questions[i], i, &good, &bad);
    EXPECT(good > SCHEMAS * ROWS / 4 && bad > 100);
    for (unsigned i = 0; i < SCHEMAS; i++) {
        batch_free(questions[i].batch);
        pool_free(questions[i].pool);
    }
    command = arena_printf(&arena, "rm -rf %s", folder);
    EXPECT(system(command) == 0);
}

int main(void)
{
    RUN(protobuf_and_python_agree);
    arena_fini(&arena);
    return test_end();
}

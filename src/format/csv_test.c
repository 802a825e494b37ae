/* CSV through its interface: texts to records, records to rows and reports, rows to text and back. */
#include <ref/random_batch.h>

#include "base/test.h"
#include "format/csv.h"

enum { RECORDS_MAX = 64 };

static void hear_bad(void *arg, const struct json_bad *bad)
{
    static const char *const kinds[] = {"record", "empty", "value"};
    struct sbuf *heard = arg;
    sbuf_printf(heard, "%u %s %.*s: %s for %.*s: %.*s\n", bad->row, kinds[bad->kind], STR_ARG(bad->path),
                bad->found, STR_ARG(bad->wanted), STR_ARG(bad->text));
}

static const char *text_of(const struct sbuf *b)
{
    return b->p ? b->p : "";
}

struct run {
    struct pool *pool;
    struct csv_options options;
    struct sbuf rows, bad;
    struct err err;
    bool ok;
};

/* Decodes the text; with a header when the options say so; shows the rows as JSON. */
static void decode(struct run *run, const char *ddl, const char *text)
{
    const struct type *schema;
    struct str records[RECORDS_MAX];
    size_t used, n = strlen(text);
    char *exact = memcpy(mem_new(n), text, n);
    size_t count = csv_records(str_n(exact, n), true, &run->options, records, RECORDS_MAX, &used);
    EXPECT_EQ_INT(used, n);
    if (!EXPECT(type_parse_ddl(pool_arena(run->pool), str_of(ddl), &schema, &run->err)))
        return;
    struct csv_decoder *decoder = csv_decoder_new(run->pool, schema, &run->options, &run->err);
    size_t skip = run->options.header && count > 0;
    if (skip)
        csv_decoder_header(decoder, records[0]);
    struct batch *batch = batch_new();
    struct json_report report = {.bad = hear_bad, .arg = &run->bad};
    run->ok = csv_decode(decoder, records + skip, (uint32_t)(count - skip), batch, &report, &run->err);
    EXPECT(batch_check(batch, &run->err));
    json_encode(json_encoder_new(run->pool, schema, NULL, &run->err), batch, 0, batch->rows, '\n', &run->rows,
                NULL);
    batch_free(batch);
    mem_free(exact);
}

static struct run begin(void)
{
    return (struct run){.pool = pool_new(NULL, "test"), .options = csv_options_default()};
}

static void end(struct run *run)
{
    sbuf_fini(&run->rows);
    sbuf_fini(&run->bad);
    pool_free(run->pool);
}

static void expect(struct run run, const char *ddl, const char *text, const char *rows, const char *bad,
                   int line)
{
    decode(&run, ddl, text);
    bool same = EXPECT_STR(text_of(&run.rows), rows);
    if (!EXPECT_STR(text_of(&run.bad), bad) || !EXPECT(run.ok) || !same)
        fprintf(stderr, "    line %d\n", line);
    end(&run);
}
#define GIVES(ddl, text, rows) expect(begin(), ddl, text, rows "\n", "", __LINE__)
#define REPORTS(ddl, text, rows, bad) expect(begin(), ddl, text, rows "\n", bad "\n", __LINE__)

TEST(plain_records)
{
    GIVES("a INT, b STRING", "1,x\n2,y\r\n\n3,",
          "{\"a\":1,\"b\":\"x\"}\n{\"a\":2,\"b\":\"y\"}\n{\"a\":3,\"b\":null}");
    GIVES("a STRING, b STRING", "\"x,y\",\"\"\n\"say \"\"hi\"\"\",\"back\\\"slash\\\\\"",
          "{\"a\":\"x,y\",\"b\":\"\"}\n{\"a\":\"say \\\"hi\\\"\",\"b\":\"back\\\"slash\\\\\"}");
    GIVES("a STRING, b STRING", "a\"b,\"c\"d\n\"e\" ,f",
          "{\"a\":\"a\\\"b\",\"b\":\"\\\"c\\\"d\"}\n{\"a\":\"e\",\"b\":\"f\"}");
    GIVES("a STRING, b STRING", "\"open,x", "{\"a\":\"\\\"open\",\"b\":\"x\"}");
}

TEST(every_type)
{
    GIVES(
        "a BYTE, b LONG, c DOUBLE, d FLOAT, e BOOLEAN, f DECIMAL(5,2), g DATE, h TIMESTAMP, i TIMESTAMP_NTZ",
        "-128,9223372036854775807,NaN,-Inf,TRUE,1.255,2024-02-29,2024-01-02T03:04:05+01:00,2024-01-02T03:04:05",
        "{\"a\":-128,\"b\":9223372036854775807,\"c\":\"NaN\",\"d\":\"-Infinity\",\"e\":true,\"f\":1.26,\"g\":\"2024-02-29\","
        "\"h\":\"2024-01-02T02:04:05.000000Z\",\"i\":\"2024-01-02T03:04:05.000000\"}");
}

TEST(what_does_not_fit)
{
    REPORTS(
        "a INT, b STRING", "x,1\n1\n1,2,3\n\xFF,x",
        "{\"a\":null,\"b\":\"1\"}\n{\"a\":1,\"b\":null}\n{\"a\":1,\"b\":\"2\"}\n"
        "{\"a\":null,\"b\":null}",
        "0 value a: text for INT: x\n1 value : 1 field for 2 fields: 1\n2 value : 3 fields for 2 fields: 1,2,3\n"
        "3 record : the text is not UTF-8 for CSV: \xFF,x");
    struct run run = begin();
    run.options.mode = JSON_FAILFAST;
    decode(&run, "a INT", "1\nx");
    EXPECT(!run.ok);
    EXPECT_STR(run.err.text, "record 1: 1 fields do not fit");
    end(&run);
    run = begin();
    const struct type *nested;
    EXPECT(type_parse_ddl(pool_arena(run.pool), STR("a ARRAY<INT>"), &nested, &run.err));
    EXPECT(csv_decoder_new(run.pool, nested, NULL, &run.err) == NULL);
    end(&run);
}

TEST(options)
{
    struct run run = begin();
    EXPECT(csv_options_set(&run.options, "SEP", "\\t", &run.err));
    EXPECT(csv_options_set(&run.options, "quote", "'", &run.err));
    EXPECT(csv_options_set(&run.options, "comment", "#", &run.err));
    EXPECT(csv_options_set(&run.options, "nullValue", "-", &run.err));
    EXPECT(csv_options_set(&run.options, "header", "true", &run.err));
    EXPECT(csv_options_set(&run.options, "multiLine", "true", &run.err));
    EXPECT(csv_options_set(&run.options, "ignoreLeadingWhiteSpace", "true", &run.err));
    expect(run, "b STRING, a INT", "# names\n a\tB\tc\n1\t 'two\nlines'\tx\n# no row\n2\t-\t",
           "{\"b\":\"two\\nlines\",\"a\":1}\n"
           "{\"b\":null,\"a\":2}\n",
           "", __LINE__);
    struct csv_options options = csv_options_default();
    struct err err = {0};
    EXPECT(!csv_options_set(&options, "sep", "||", &err));
    EXPECT(!csv_options_set(&options, "seperator", "|", &err));
    EXPECT(!csv_options_set(&options, "heade", "true", &err));
    EXPECT_STR(err.hint, "Did you mean \"header\"?");
}

TEST(corrupt_records)
{
    GIVES("a INT, b INT", "1,2", "{\"a\":1,\"b\":2}");
    REPORTS("a INT, _corrupt_record STRING, b INT", "1,2\n1,x",
            "{\"a\":1,\"_corrupt_record\":null,\"b\":2}\n"
            "{\"a\":1,\"_corrupt_record\":\"1,x\",\"b\":null}",
            "1 value b: text for INT: x");
}

/* A text that arrives in pieces of any size gives the same records. */
TEST(records_in_pieces)
{
    static const char text[] = "a,\"b\r\nc\",d\r\n\"x\"\"\ny\"\r\n\r\nlast\rone\n\"unclosed\nto the end";
    struct csv_options options = csv_options_default();
    options.multi_line = true;
    for (size_t piece = 1; piece < sizeof text; piece++) {
        struct sbuf seen = {0};
        size_t have = piece < sizeof text - 1 ? piece : sizeof text - 1, at = 0;
        for (;;) {
            struct str records[2];
            size_t used;
            bool last = have == sizeof text - 1;
            size_t count = csv_records(str_n(text + at, have - at), last, &options, records, 2, &used);
            for (size_t i = 0; i < count; i++)
                sbuf_printf(&seen, "[%.*s]", STR_ARG(records[i]));
            at += used;
            if (last && used == 0)
                break;
            if (used == 0)
                have = have + piece < sizeof text - 1 ? have + piece : sizeof text - 1;
        }
        EXPECT_EQ_INT(at, sizeof text - 1);
        bool same = EXPECT_STR(text_of(&seen),
                               "[a,\"b\r\nc\",d][\"x\"\"\ny\"][last][one][\"unclosed\nto the end]");
        sbuf_fini(&seen);
        if (!same)
            break;
    }
}

TEST(inference)
{
    struct arena arena = {0};
    struct sbuf text = {0};
    struct str rows[] = {STR("1,1,1.5,true,2024-01-02,2024-01-02T03:04:05Z,x,,1,2024-01-02"),
                         STR("2,3000000000,2,FALSE,2024-01-03,2024-01-02 03:04:05,1,,x,2024-01-02 10:00:00")};
    type_to_simple(csv_infer(&arena, STR("a,b,c,d,e,f,g,h,i,A"), rows, 2, NULL), &text);
    EXPECT_STR(text_of(&text),
               "struct<a:int,b:bigint,c:double,d:boolean,e:date,f:timestamp,g:string,h:string,i:string,"
               "A9:timestamp>");
    sbuf_clear(&text);
    type_to_simple(csv_infer(&arena, str_n(NULL, 0), rows, 1, NULL), &text);
    EXPECT(str_starts(sbuf_view(&text), STR("struct<_c0:int,_c1:int,_c2:double")));
    sbuf_fini(&text);
    arena_fini(&arena);
}

static bool round_trip(struct rng *rng, const struct type *schema, struct arena *arena)
{
    struct batch *batch = batch_new(), *back = batch_new();
    struct pool *pool = pool_new(NULL, "test");
    struct err err = {0};
    struct sbuf out = {0}, bad = {0};
    uint32_t rows = (uint32_t)rng_below(rng, 60);
    struct str *records = arena_array(arena, struct str, rows + 1);
    struct csv_options options = rng_one_in(rng, 2) ? csv_options_default() : csv_options_rfc4180();
    options.multi_line = true;
    options.quote_all = rng_one_in(rng, 3);
    options.null_value = rng_one_in(rng, 2) ? "" : "null";
    options.comment = rng_one_in(rng, 2) ? '#' : 0;
    options.sep = ",;\t"[rng_below(rng, 3)];
    random_batch(rng, batch, schema, rows, RANDOM_ANY);
    csv_encode(csv_encoder_new(pool, schema, &options, &err), batch, 0, rows, &out, NULL);
    size_t used = 0;
    size_t count = csv_records(sbuf_view(&out), true, &options, records, rows + 1, &used);
    struct json_report report = {.bad = hear_bad, .arg = &bad};
    bool ok = EXPECT_EQ_INT(count, rows) && EXPECT_EQ_INT(used, out.n) &&
              EXPECT(csv_decode(csv_decoder_new(pool, schema, &options, &err), records, rows, back, &report,
                                &err)) &&
              EXPECT(batch_check(back, &err)) && EXPECT_STR(text_of(&bad), "") &&
              (schema->field_count == 1 ||
               EXPECT(rows_equal(batch_to_rows(batch, arena), batch_to_rows(back, arena), rows)));
    if (!ok)
        fprintf(stderr, "    %s\n", err.text);
    sbuf_fini(&out);
    sbuf_fini(&bad);
    pool_free(pool);
    batch_free(batch);
    batch_free(back);
    return ok;
}

TEST(random_batches_come_back)
{
    struct arena arena = {0};
    unsigned kinds = RANDOM_ALL & ~(1u << TYPE_NULL | 1u << TYPE_VARIANT | 1u << TYPE_ARRAY | 1u << TYPE_MAP |
                                    1u << TYPE_STRUCT);
    for (unsigned seed = 0; seed < 300; seed++) {
        struct rng rng = {seed};
        const struct type *schema = random_schema_of(&rng, 1, kinds, &arena);
        if (!round_trip(&rng, schema, &arena)) {
            fprintf(stderr, "    seed %u\n", seed);
            break;
        }
        arena_reset(&arena);
    }
    arena_fini(&arena);
}

TEST(nested_values_are_json)
{
    struct run run = begin();
    const struct type *schema;
    struct sbuf out = {0};
    EXPECT(type_parse_ddl(pool_arena(run.pool), STR("a ARRAY<STRING>, `b,c` STRUCT<x: INT>"), &schema,
                          &run.err));
    struct str record = STR("{\"a\":[\"x\",\"y\"],\"b,c\":{\"x\":1}}");
    struct batch *batch = batch_new();
    EXPECT(
        json_decode(json_decoder_new(run.pool, schema, NULL, &run.err), &record, 1, batch, NULL, &run.err));
    struct csv_options options = csv_options_rfc4180();
    struct csv_encoder *encoder = csv_encoder_new(run.pool, schema, &options, &run.err);
    csv_encode_header(encoder, &out);
    csv_encode(encoder, batch, 0, 1, &out, NULL);
    EXPECT_STR(text_of(&out), "a,\"b,c\"\n\"[\"\"x\"\",\"\"y\"\"]\",\"{\"\"x\"\":1}\"\n");
    sbuf_fini(&out);
    batch_free(batch);
    end(&run);
}

int main(void)
{
    RUN(plain_records);
    RUN(every_type);
    RUN(what_does_not_fit);
    RUN(options);
    RUN(corrupt_records);
    RUN(records_in_pieces);
    RUN(inference);
    RUN(random_batches_come_back);
    RUN(nested_values_are_json);
    return test_end();
}

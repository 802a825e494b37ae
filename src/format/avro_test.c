/* Avro through its interface: bytes to rows and reports, rows to bytes and back, of schemas written here and of random ones. */
#include <ref/random_batch.h>

#include "base/bytes.h"
#include "base/test.h"
#include "format/avro.h"
#include "format/json.h"

enum { RECORDS_MAX = 256 };

struct run {
    struct pool *pool;
    const struct avro_schema *reader; /* NULL: the writer's */
    const char *ddl;                  /* columns; NULL: the reader's */
    bool copy;
    struct sbuf rows, bad;
    struct err err;
};

static struct run begin(void)
{
    return (struct run){.pool = pool_new(NULL, "test")};
}

static void end(struct run *run)
{
    sbuf_fini(&run->rows);
    sbuf_fini(&run->bad);
    pool_free(run->pool);
}

static const char *text_of(const struct sbuf *b)
{
    return b->p ? b->p : "";
}

static const struct avro_schema *parse(struct run *run, const char *text)
{
    const struct schema *schema;
    struct str copy = str_of(arena_strdup(pool_arena(run->pool), text));
    if (!EXPECT(
            schema_parse(pool_arena(run->pool), &(struct schema_source){.text = copy}, &schema, &run->err))) {
        fprintf(stderr, "%s\n", run->err.text);
        exit(1);
    }
    return schema_avro(schema);
}

static void hear(void *arg, const struct avro_bad *bad)
{
    sbuf_printf(arg, "%u \"%.*s\" %s\n", bad->row, STR_ARG(bad->path), bad->reason);
}

/* Bytes from hex digits and blanks, exactly as many as there are, on the heap. */
static struct str bytes_of(const char *hex)
{
    char digits[4096];
    size_t n = 0;
    for (; *hex; hex++)
        if (*hex != ' ')
            digits[n++] = *hex;
    uint8_t *bytes = mem_new(n / 2);
    CHECK(hex_decode(bytes, digits, n / 2));
    return str_n(bytes, n / 2);
}

static const struct type *columns_of(struct run *run, const struct avro_schema *schema)
{
    const struct type *columns = NULL;
    if (run->ddl == NULL)
        return avro_columns_type(pool_arena(run->pool), schema, &run->err);
    EXPECT(type_parse_ddl(pool_arena(run->pool), str_of(run->ddl), &columns, &run->err));
    return columns;
}

/* Shows the rows as JSON. */
static void show(struct run *run, const struct batch *batch)
{
    struct err err = {0};
    if (!EXPECT(batch_check(batch, &err)))
        fprintf(stderr, "%s\n", err.text);
    struct json_options options = json_options_default();
    options.ignore_null_fields = true;
    json_encode(json_encoder_new(run->pool, batch->schema, &options, &err), batch, 0, batch->rows, '\n',
                &run->rows, NULL);
}

/* hexes[count] as records of writer; what becomes of them is in rows and bad, of which the last are forgotten. */
static void decode(struct run *run, const char *writer_text, const char *const *hexes, uint32_t count)
{
    const struct avro_schema *writer = parse(run, writer_text);
    const struct type *columns = columns_of(run, run->reader ? run->reader : writer);
    const struct avro_decoder_options options = {.copy = run->copy};
    const struct avro_report report = {.bad = hear, .arg = &run->bad};
    struct str records[RECORDS_MAX];
    const struct avro_writer *writers[RECORDS_MAX];
    sbuf_clear(&run->rows);
    sbuf_clear(&run->bad);
    struct avro_decoder *decoder = columns ? avro_decoder_new(run->pool, run->reader, columns, &options,
                                                              &run->err)
                                           : NULL;
    writers[0] = decoder ? avro_decoder_writer(decoder, writer, &run->err) : NULL;
    if (writers[0] == NULL) {
        sbuf_cstr(&run->bad, run->err.text);
        return;
    }
    for (uint32_t i = 0; i < count; i++) {
        records[i] = bytes_of(hexes[i]);
        writers[i] = writers[0];
    }
    struct batch *batch = batch_new();
    avro_decode(decoder, records, writers, count, batch, &report);
    for (uint32_t i = 0; run->copy && i < count; i++)
        memset((char *)records[i].p, '?', records[i].n);
    show(run, batch);
    batch_free(batch);
    for (uint32_t i = 0; i < count; i++)
        mem_free((void *)records[i].p);
}

static const char *decode_one(struct run *run, const char *writer, const char *hex)
{
    decode(run, writer, &hex, 1);
    return run->bad.n > 0 ? text_of(&run->bad) : text_of(&run->rows);
}

/* A record of one field "a" of that type. */
static const char *field(struct run *run, const char *type)
{
    return arena_printf(pool_arena(run->pool),
                        "{\"type\":\"record\",\"name\":\"R\",\"fields\":[{\"name\":\"a\",\"type\":%s}]}",
                        type);
}

static void expect_value(const char *type, const char *hex, const char *row)
{
    struct run run = begin();
    EXPECT_STR(decode_one(&run, field(&run, type), hex), row);
    end(&run);
}

/* ---- types ---------------------------------------------------------------------------------------------------------------- */

static void expect_type(const char *schema, const char *sql)
{
    struct run run = begin();
    struct sbuf text = {0};
    const struct type *type = avro_columns_type(pool_arena(run.pool), parse(&run, schema), &run.err);
    if (type)
        type_to_sql(type, &text);
    EXPECT_STR(type ? text.p : run.err.text, sql);
    sbuf_fini(&text);
    end(&run);
}

static void expect_field_type(const char *type, const char *sql)
{
    struct run run = begin();
    struct sbuf text = {0};
    sbuf_printf(&text, "STRUCT<a: %s>", sql);
    expect_type(field(&run, type), text.p);
    sbuf_fini(&text);
    end(&run);
}

TEST(a_schema_gives_columns)
{
    expect_field_type("\"int\"", "INT NOT NULL");
    expect_field_type("\"null\"", "VOID");
    expect_field_type("[\"null\",\"long\"]", "BIGINT");
    expect_field_type("[\"int\",\"long\"]", "BIGINT NOT NULL");
    expect_field_type("[\"double\",\"null\",\"float\"]", "DOUBLE");
    expect_field_type("[\"null\",\"int\",\"string\"]", "STRUCT<member0: INT, member1: STRING>");
    expect_field_type("[\"bytes\"]", "BINARY NOT NULL");
    expect_field_type("{\"type\":\"bytes\",\"logicalType\":\"decimal\",\"precision\":10,\"scale\":2}",
                      "DECIMAL(10,2) NOT NULL");
    expect_field_type("{\"type\":\"bytes\",\"logicalType\":\"decimal\",\"precision\":40}", "BINARY NOT NULL");
    expect_field_type("{\"type\":\"int\",\"logicalType\":\"date\"}", "DATE NOT NULL");
    expect_field_type("{\"type\":\"int\",\"logicalType\":\"time-millis\"}", "INT NOT NULL");
    expect_field_type("{\"type\":\"long\",\"logicalType\":\"time-micros\"}", "BIGINT NOT NULL");
    expect_field_type("{\"type\":\"long\",\"logicalType\":\"timestamp-millis\"}", "TIMESTAMP NOT NULL");
    expect_field_type("{\"type\":\"long\",\"logicalType\":\"local-timestamp-nanos\"}",
                      "TIMESTAMP_NTZ NOT NULL");
    expect_field_type(
        "{\"type\":\"fixed\",\"name\":\"F\",\"size\":12,\"logicalType\":\"duration\"}",
        "STRUCT<months: BIGINT NOT NULL, days: BIGINT NOT NULL, milliseconds: BIGINT NOT NULL> NOT NULL");
    expect_field_type("{\"type\":\"fixed\",\"name\":\"F\",\"size\":16,\"logicalType\":\"uuid\"}",
                      "STRING NOT NULL");
    expect_field_type("{\"type\":\"map\",\"values\":{\"type\":\"array\",\"items\":[\"null\",\"string\"]}}",
                      "MAP<STRING, ARRAY<STRING>> NOT NULL");
    expect_type("\"string\"", "STRUCT<value: STRING NOT NULL>");
    expect_type("[\"null\",\"int\"]", "STRUCT<value: INT>");
}

TEST(a_type_that_holds_itself_is_refused)
{
    expect_type(
        "{\"type\":\"record\",\"name\":\"Node\",\"fields\":[{\"name\":\"next\",\"type\":[\"null\",\"Node\"]}]}",
        "field \"next\": the type \"Node\" holds itself, and a column cannot");
}

/* Each record holds the next twice: as columns 2^30. */
TEST(a_schema_that_unfolds_is_refused)
{
    struct sbuf text = {0};
    struct run run = begin();
    struct sbuf inner = {0};
    sbuf_cstr(&inner, "{\"type\":\"record\",\"name\":\"R0\",\"fields\":[]}");
    for (int i = 1; i < 30; i++) {
        sbuf_clear(&text);
        sbuf_printf(
            &text,
            "{\"type\":\"record\",\"name\":\"R%d\",\"fields\":[{\"name\":\"a\",\"type\":%s},{\"name\":\"b\",\"type\":\"R%d\"}]}",
            i, inner.p, i - 1);
        sbuf_clear(&inner);
        sbuf_str(&inner, sbuf_view(&text));
    }
    const struct avro_schema *schema = parse(&run, text.p);
    EXPECT(avro_columns_type(pool_arena(run.pool), schema, &run.err) == NULL);
    EXPECT(strstr(run.err.text, "more than 100000 columns") != NULL);
    run.ddl = "other INT"; /* to skip it takes no time either */
    EXPECT_STR(decode_one(&run, text.p, ""), "{}\n");
    sbuf_fini(&text);
    sbuf_fini(&inner);
    end(&run);
}

TEST(columns_evolve)
{
    struct run run = begin();
    struct arena *arena = pool_arena(run.pool);
    const struct type *old, *new, *both;
    struct sbuf text = {0};
    bool widened = false;
    EXPECT(type_parse_ddl(arena, STR("a INT, b STRUCT<c: FLOAT>, d STRING, e ARRAY<INT>"), &old, &run.err));
    EXPECT(type_parse_ddl(
        arena, STR("b STRUCT<c: DOUBLE, x: INT NOT NULL>, a BIGINT, d INT, f DATE NOT NULL, e ARRAY<BIGINT>"),
        &new, &run.err));
    both = avro_columns_evolve(arena, old, new, &widened);
    type_to_sql(both, &text);
    EXPECT_STR(text.p,
               "STRUCT<a: BIGINT, b: STRUCT<c: DOUBLE, x: INT>, d: STRING, e: ARRAY<BIGINT>, f: DATE>");
    EXPECT(widened);
    widened = false;
    EXPECT(avro_columns_evolve(arena, both, new, &widened) == both && !widened);
    EXPECT(avro_columns_evolve(arena, both, old, &widened) == both && !widened);
    sbuf_fini(&text);
    end(&run);
}

/* ---- values --------------------------------------------------------------------------------------------------------------- */

TEST(values_become_rows)
{
    expect_value("\"boolean\"", "01", "{\"a\":true}\n");
    expect_value("\"int\"", "ffffffff0f", "{\"a\":-2147483648}\n");
    expect_value("\"int\"", "feffffff0f", "{\"a\":2147483647}\n");
    expect_value("\"int\"", "8000", "{\"a\":0}\n"); /* longer than needed, as Java has it too */
    expect_value("\"long\"", "ffffffffffffffffff01", "{\"a\":-9223372036854775808}\n");
    expect_value("\"long\"", "feffffffffffffffff01", "{\"a\":9223372036854775807}\n");
    expect_value("\"float\"", "0000c03f", "{\"a\":1.5}\n");
    expect_value("\"double\"", "000000000000f83f", "{\"a\":1.5}\n");
    expect_value("\"string\"", "06c3a461", "{\"a\":\"äa\"}\n");
    expect_value("\"string\"", "1a 61616161616161616161616161", "{\"a\":\"aaaaaaaaaaaaa\"}\n");
    expect_value("\"string\"", "22 6161616161616161616161616161c3a461", "{\"a\":\"aaaaaaaaaaaaaaäa\"}\n");
    expect_value("\"bytes\"", "0400ff", "{\"a\":\"AP8=\"}\n");
    expect_value("[\"null\",\"string\"]", "00", "{}\n");
    expect_value("[\"null\",\"string\"]", "020261", "{\"a\":\"a\"}\n");
    expect_value("[\"string\",\"null\"]", "8000 0261", "{\"a\":\"a\"}\n");
    expect_value("[\"string\",\"null\"]", "8200", "{}\n");
    expect_value("[\"int\",\"long\"]", "0206", "{\"a\":3}\n");
    expect_value("[\"null\",\"int\",\"string\"]", "04 0261", "{\"a\":{\"member1\":\"a\"}}\n");
    expect_value("[\"null\",\"int\",\"string\"]", "00", "{}\n");
    expect_value("{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"A\",\"LONGER_THAN_A_VIEW\"]}", "02",
                 "{\"a\":\"LONGER_THAN_A_VIEW\"}\n");
    expect_value("{\"type\":\"fixed\",\"name\":\"F\",\"size\":3}", "010203", "{\"a\":\"AQID\"}\n");
    expect_value("{\"type\":\"array\",\"items\":\"int\"}", "03 04 02 04 02 06 00", "{\"a\":[1,2,3]}\n");
    expect_value("{\"type\":\"array\",\"items\":\"int\"}", "00", "{\"a\":[]}\n");
    expect_value("{\"type\":\"map\",\"values\":\"long\"}", "04 0261 02 0262 04 00",
                 "{\"a\":{\"a\":1,\"b\":2}}\n");
    expect_value("{\"type\":\"array\",\"items\":\"null\"}", "04 00", "{\"a\":[null,null]}\n");
}

TEST(logical_types)
{
    const char *decimal = "{\"type\":\"bytes\",\"logicalType\":\"decimal\",\"precision\":4,\"scale\":2}";
    expect_value(decimal, "04 04d2", "{\"a\":12.34}\n");
    expect_value(decimal, "02 ff", "{\"a\":-0.01}\n");
    expect_value(decimal, "2e ffffffffffffffffffffffffffffffffffffffffffffff", "{\"a\":-0.01}\n");
    expect_value(decimal, "04 2710", "0 \"a\" a decimal has more digits than its column\n");
    expect_value(decimal, "22 0100000000000000000000000000000001",
                 "0 \"a\" a decimal has more digits than its column\n");
    expect_value(
        "{\"type\":\"fixed\",\"name\":\"F\",\"size\":12,\"logicalType\":\"decimal\",\"precision\":20}",
        "ffffffff0000000000000000", "{\"a\":-18446744073709551616}\n");
    expect_value("{\"type\":\"int\",\"logicalType\":\"date\"}", "02", "{\"a\":\"1970-01-02\"}\n");
    expect_value("{\"type\":\"long\",\"logicalType\":\"timestamp-millis\"}", "01",
                 "{\"a\":\"1969-12-31T23:59:59.999000Z\"}\n");
    expect_value("{\"type\":\"long\",\"logicalType\":\"timestamp-nanos\"}", "01",
                 "{\"a\":\"1969-12-31T23:59:59.999999Z\"}\n");
    expect_value("{\"type\":\"long\",\"logicalType\":\"local-timestamp-micros\"}", "02",
                 "{\"a\":\"1970-01-01T00:00:00.000001\"}\n");
    expect_value("{\"type\":\"long\",\"logicalType\":\"timestamp-millis\"}", "feffffffffffffffff01",
                 "0 \"a\" a timestamp is out of range\n");
    expect_value("{\"type\":\"fixed\",\"name\":\"F\",\"size\":16,\"logicalType\":\"uuid\"}",
                 "00112233445566778899aabbccddeeff", "{\"a\":\"00112233-4455-6677-8899-aabbccddeeff\"}\n");
    expect_value("[\"null\",{\"type\":\"fixed\",\"name\":\"F\",\"size\":12,\"logicalType\":\"duration\"}]",
                 "02 01000000 02000000 ffffffff",
                 "{\"a\":{\"months\":1,\"days\":2,\"milliseconds\":4294967295}}\n");
    expect_value("[\"null\",{\"type\":\"fixed\",\"name\":\"F\",\"size\":12,\"logicalType\":\"duration\"}]",
                 "00", "{}\n");
}

TEST(bad_records)
{
    expect_value("\"boolean\"", "02", "0 \"a\" a boolean is neither 0 nor 1\n");
    expect_value("\"boolean\"", "", "0 \"a\" the record ends inside of a value\n");
    expect_value("\"int\"", "8080808010", "0 \"a\" an int has more than 32 bits\n");
    expect_value("\"int\"", "80", "0 \"a\" the record ends inside of a value\n");
    expect_value("\"long\"", "ffffffffffffffffff02", "0 \"a\" a number has more than 64 bits\n");
    expect_value("\"long\"", "80808080808080808080808080", "0 \"a\" a number has more than 64 bits\n");
    expect_value("\"string\"", "02ff", "0 \"a\" text is not UTF-8\n");
    expect_value("\"string\"", "24 616161616161616161616161616161616161 c3",
                 "0 \"\" something follows the record\n");
    expect_value("\"string\"", "24 6161616161616161616161616161616161 c3", "0 \"a\" text is not UTF-8\n");
    expect_value("\"string\"", "01", "0 \"a\" a length is negative\n");
    expect_value("\"string\"", "04 61", "0 \"a\" the record ends inside of a value\n");
    expect_value("\"string\"", "feffffffffffffffff01 61", "0 \"a\" the record ends inside of a value\n");
    expect_value("[\"null\",\"int\"]", "04", "0 \"a\" the union has no such branch\n");
    expect_value("[\"null\",\"int\"]", "01", "0 \"a\" the union has no such branch\n");
    expect_value("[\"null\",\"int\",\"string\"]", "06", "0 \"a\" the union has no such branch\n");
    expect_value("{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"A\"]}", "02",
                 "0 \"a\" the enum has no such symbol\n");
    expect_value("{\"type\":\"array\",\"items\":\"int\"}", "04 02",
                 "0 \"a\" more items are announced than there are bytes for\n");
    expect_value("{\"type\":\"array\",\"items\":\"int\"}", "feffffffffffffffff01 02 00",
                 "0 \"a\" more items are announced than there are bytes for\n");
    expect_value("{\"type\":\"array\",\"items\":\"int\"}", "ffffffffffffffffff01 02 00",
                 "0 \"a\" a block's size is wrong\n");
    expect_value("{\"type\":\"array\",\"items\":\"null\"}", "feffffffffffffffff01 00",
                 "0 \"a\" it holds too many items without bytes\n");
    expect_value("{\"type\":\"array\",\"items\":{\"type\":\"array\",\"items\":\"int\"}}", "02 02 80",
                 "0 \"a[][]\" the record ends inside of a value\n");
    expect_value("\"null\"", "00", "0 \"\" something follows the record\n");
}

/* A bad record among good ones, at every place of a block; lists of its neighbours stay. */
TEST(one_bad_record_is_alone)
{
    struct run run = begin();
    const char *type = field(&run, "{\"type\":\"array\",\"items\":\"string\"}");
    for (uint32_t bad = 0; bad < 130; bad += 13) {
        const char *hexes[130];
        struct sbuf expected = {0};
        for (uint32_t i = 0; i < 130; i++) {
            hexes[i] = i == bad ? "04 0261 02ff 00" : i % 3 ? "04 0261 0262 00" : "00";
            sbuf_cstr(&expected, i == bad ? "{}\n" : i % 3 ? "{\"a\":[\"a\",\"b\"]}\n" : "{\"a\":[]}\n");
        }
        decode(&run, type, hexes, 130);
        EXPECT_STR(text_of(&run.rows), expected.p);
        sbuf_clear(&expected);
        sbuf_printf(&expected, "%u \"a[]\" text is not UTF-8\n", bad);
        EXPECT_STR(text_of(&run.bad), expected.p);
        sbuf_fini(&expected);
    }
    end(&run);
}

TEST(copied_text_needs_no_record)
{
    struct run run = begin();
    run.copy = true;
    EXPECT_STR(decode_one(&run, field(&run, "\"string\""), "1a 61616161616161616161616161"),
               "{\"a\":\"aaaaaaaaaaaaa\"}\n");
    end(&run);
}

TEST(values_without_a_column)
{
    struct run run = begin();
    run.ddl = "z STRING";
    const char *writer =
        "{\"type\":\"record\",\"name\":\"Node\",\"fields\":[{\"name\":\"i\",\"type\":\"int\"},{\"name\":\"s\",\"type\":\"string\"},"
        "{\"name\":\"n\",\"type\":[\"null\",\"double\"]},{\"name\":\"m\",\"type\":{\"type\":\"map\",\"values\":[\"null\",\"Node\"]}},"
        "{\"name\":\"e\",\"type\":{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"A\"]}},{\"name\":\"z\",\"type\":\"string\"}]}";
    EXPECT_STR(decode_one(&run, writer, "02 0261 00 02 0261 00 00 00 0262"), "{\"z\":\"b\"}\n");
    EXPECT_STR(decode_one(&run, writer, "02 0261 00 01 06 0261 00 00 00 0262"), "{\"z\":\"b\"}\n");
    EXPECT_STR(decode_one(&run, writer, "02 02ff 00 00 00 0262"), "0 \"s\" text is not UTF-8\n");
    EXPECT_STR(decode_one(&run, writer, "02 0261 00 00 02 0262"), "0 \"e\" the enum has no such symbol\n");
    EXPECT_STR(decode_one(&run, writer, "02 0261 00 02 02ff 00 00 00 0262"), "0 \"m\" text is not UTF-8\n");
    struct sbuf deep = {0}; /* maps in maps in maps */
    for (int i = 0; i < 200; i++)
        sbuf_cstr(&deep, "02 00 00 02 00 02");
    EXPECT_STR(decode_one(&run, writer, deep.p), "0 \"m\" values are nested too deeply\n");
    sbuf_fini(&deep);
    end(&run);
}

/* ---- resolution ----------------------------------------------------------------------------------------------------------- */

#define RECORD(fields) "{\"type\":\"record\",\"name\":\"R\",\"fields\":[" fields "]}"

TEST(a_reader_has_aliases_and_defaults)
{
    struct run run = begin();
    run.reader = parse(
        &run, RECORD("{\"name\":\"b\",\"type\":\"double\",\"aliases\":[\"a\"]},"
                     "{\"name\":\"c\",\"type\":\"string\",\"default\":\"longer than a view\"},"
                     "{\"name\":\"d\",\"type\":{\"type\":\"array\",\"items\":\"int\"},\"default\":[1,-2]},"
                     "{\"name\":\"e\",\"type\":[\"null\",\"int\"],\"default\":null},"
                     "{\"name\":\"f\",\"type\":\"bytes\",\"default\":\"\\u00ff\"},"
                     "{\"name\":\"g\",\"type\":\"int\"}"));
    EXPECT_STR(
        decode_one(&run, RECORD("{\"name\":\"a\",\"type\":\"int\"}"), "06"),
        "{\"b\":3.0,\"c\":\"longer than a view\",\"d\":[1,-2],\"f\":\"/w==\"}\n"); /* and g has none: NULL */
    end(&run);
}

TEST(what_the_reader_forgot_stays)
{
    struct run run = begin();
    run.reader = parse(&run, RECORD("{\"name\":\"b\",\"type\":\"long\"}"));
    run.ddl = "a STRING, b BIGINT, c INT";
    EXPECT_STR(decode_one(&run,
                          RECORD("{\"name\":\"a\",\"type\":\"string\"},{\"name\":\"b\",\"type\":\"int\"}"),
                          "0261 04"),
               "{\"a\":\"a\",\"b\":2}\n");
    end(&run);
}

TEST(an_enum_has_a_default_symbol)
{
    struct run run = begin();
    const char *writer = field(&run, "{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"A\",\"B\",\"C\"]}");
    run.reader = parse(
        &run, field(&run, "{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"C\",\"X\"],\"default\":\"X\"}"));
    EXPECT_STR(decode_one(&run, writer, "02"), "{\"a\":\"X\"}\n");
    EXPECT_STR(decode_one(&run, writer, "04"), "{\"a\":\"C\"}\n");
    run.reader = parse(&run,
                       field(&run, "[\"null\",{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"C\"]}]"));
    EXPECT_STR(decode_one(&run, writer, "02"), "0 \"a\" the reader's enum has no such symbol\n");
    EXPECT_STR(decode_one(&run, writer, "04"), "{\"a\":\"C\"}\n");
    end(&run);
}

TEST(unions_meet)
{
    struct run run = begin();
    run.reader = parse(&run, field(&run, "[\"null\",\"string\",\"double\"]"));
    EXPECT_STR(decode_one(&run, field(&run, "\"int\""), "06"), "{\"a\":{\"member1\":3.0}}\n");
    EXPECT_STR(decode_one(&run, field(&run, "[\"int\",\"string\",\"boolean\"]"), "020261"),
               "{\"a\":{\"member0\":\"a\"}}\n");
    EXPECT_STR(decode_one(&run, field(&run, "[\"int\",\"string\",\"boolean\"]"), "0401"),
               "0 \"a\" the writer's \"boolean\" cannot be read as \"union\"\n");
    EXPECT_STR(decode_one(&run, field(&run, "\"null\""), ""), "{}\n");
    run.reader = parse(&run, field(&run, "\"long\""));
    EXPECT_STR(decode_one(&run, field(&run, "[\"null\",\"int\"]"), "0206"), "{\"a\":3}\n");
    EXPECT_STR(decode_one(&run, field(&run, "[\"null\",\"int\"]"), "00"),
               "0 \"a\" the writer's \"null\" cannot be read as \"long\"\n");
    end(&run);
}

/* A column may be wider or narrower than what comes. */
TEST(columns_have_types_of_their_own)
{
    struct run run = begin();
    run.ddl = "a DECIMAL(5,2)";
    EXPECT_STR(decode_one(&run, field(&run, "\"int\""), "06"), "{\"a\":3.00}\n");
    EXPECT_STR(decode_one(&run, field(&run, "\"int\""), "d00f"),
               "0 \"a\" a number does not fit its column\n");
    run.ddl = "a TINYINT";
    EXPECT_STR(decode_one(&run, field(&run, "\"long\""), "ff01"), "{\"a\":-128}\n");
    EXPECT_STR(decode_one(&run, field(&run, "\"long\""), "8002"),
               "0 \"a\" a number does not fit its column\n");
    run.ddl = "a FLOAT";
    EXPECT_STR(decode_one(&run, field(&run, "\"double\""), "000000000000f83f"), "{\"a\":1.5}\n");
    EXPECT_STR(decode_one(&run, field(&run, "\"double\""), "010000000000f83f"),
               "0 \"a\" a number does not fit its column\n");
    run.ddl = "a BOOLEAN";
    EXPECT_STR(decode_one(&run, field(&run, "\"double\""), "00"),
               "\"a\": Avro's double cannot become BOOLEAN");
    run.ddl = "a TIMESTAMP";
    EXPECT_STR(decode_one(&run, field(&run, "\"long\""), "02"), "{\"a\":\"1970-01-01T00:00:00.001000Z\"}\n");
    end(&run);
}

TEST(versions_in_one_batch)
{
    struct run run = begin();
    const struct avro_schema *first = parse(
        &run, RECORD("{\"name\":\"a\",\"type\":\"int\"},{\"name\":\"old\",\"type\":\"string\"}"));
    const struct avro_schema *second = parse(
        &run,
        RECORD(
            "{\"name\":\"a\",\"type\":\"long\"},{\"name\":\"new\",\"type\":\"string\",\"default\":\"?\"}"));
    const struct type *columns = NULL;
    EXPECT(type_parse_ddl(pool_arena(run.pool), STR("a BIGINT, old STRING, new STRING"), &columns, &run.err));
    struct avro_decoder *decoder = avro_decoder_new(run.pool, second, columns, NULL, &run.err);
    const struct avro_writer *one = avro_decoder_writer(decoder, first, &run.err),
                             *two = avro_decoder_writer(decoder, second, &run.err);
    const struct avro_writer *writers[] = {one, one, two, NULL, one};
    struct str records[] = {
        bytes_of("02 0261"), bytes_of("04 0262"), bytes_of("06 0263"), {0}, bytes_of("08 0264")};
    struct batch *batch = batch_new();
    if (EXPECT(one != NULL && two != NULL))
        avro_decode(decoder, records, writers, 5, batch, NULL);
    show(&run, batch);
    EXPECT_STR(text_of(&run.rows),
               "{\"a\":1,\"old\":\"a\",\"new\":\"?\"}\n{\"a\":2,\"old\":\"b\",\"new\":\"?\"}\n"
               "{\"a\":3,\"new\":\"c\"}\n{}\n{\"a\":4,\"old\":\"d\",\"new\":\"?\"}\n");
    for (int i = 0; i < 5; i++)
        mem_free((void *)records[i].p);
    batch_free(batch);
    end(&run);
}

/* ---- rows to records ------------------------------------------------------------------------------------------------------ */

/* Rows as JSON lines into records of schema, as hex; bad rows say why. */
static const char *encode(struct run *run, const char *ddl, const char *json, const char *schema_text)
{
    const struct type *columns = NULL;
    struct str lines[RECORDS_MAX];
    size_t used;
    uint32_t ends[RECORDS_MAX];
    struct sbuf out = {0};
    struct batch *batch = batch_new();
    const struct avro_report report = {.bad = hear, .arg = &run->rows};
    sbuf_clear(&run->rows);
    EXPECT(type_parse_ddl(pool_arena(run->pool), str_of(ddl), &columns, &run->err));
    uint32_t count = (uint32_t)json_lines(str_of(json), true, lines, RECORDS_MAX, &used);
    EXPECT(json_decode(json_decoder_new(run->pool, columns, NULL, &run->err), lines, count, batch, NULL,
                       &run->err));
    struct avro_encoder *encoder = avro_encoder_new(run->pool, parse(run, schema_text), columns, &run->err);
    if (encoder == NULL) {
        batch_free(batch);
        return run->err.text;
    }
    avro_encode(encoder, batch, 0, count, STR("\x01"), &out, ends, &report);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t start = i ? ends[i - 1] : 0;
        char hex[1024] = "";
        hex_encode(hex, out.p + start, ends[i] - start);
        sbuf_printf(&run->rows, "%s\n", hex);
    }
    batch_free(batch);
    sbuf_fini(&out);
    return text_of(&run->rows);
}

static void expect_encoded(const char *sql, const char *json, const char *type, const char *hex)
{
    struct run run = begin();
    char *ddl = arena_printf(pool_arena(run.pool), "a %s", sql);
    char *line = arena_printf(pool_arena(run.pool), "{\"a\":%s}", json);
    EXPECT_STR(encode(&run, ddl, line, field(&run, type)), hex);
    end(&run);
}

TEST(rows_become_records)
{
    const char *fixed_decimal =
        "{\"type\":\"fixed\",\"name\":\"F\",\"size\":2,\"logicalType\":\"decimal\",\"precision\":4,\"scale\":2}";
    expect_encoded("INT", "-64", "\"int\"", "017f\n");
    expect_encoded("INT", "5", "\"double\"", "010000000000001440\n");
    expect_encoded("BIGINT", "2147483648", "\"int\"", "0 \"a\" the number has more than 32 bits\n\n");
    expect_encoded("STRING", "\"abc\"", "[\"null\",\"string\"]", "010206616263\n");
    expect_encoded("STRING", "null", "[\"string\",\"null\"]", "0102\n");
    expect_encoded("STRING", "null", "\"string\"",
                   "0 \"a\" it is NULL, and the schema has no null there\n\n");
    expect_encoded("STRING", "\"B\"", "{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"A\",\"B\"]}",
                   "0102\n");
    expect_encoded("STRING", "\"C\"", "{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"A\",\"B\"]}",
                   "0 \"a\" the text is no symbol of the enum\n\n");
    expect_encoded("STRING", "\"00112233-4455-6677-8899-aabbccddeeff\"",
                   "{\"type\":\"fixed\",\"name\":\"F\",\"size\":16,\"logicalType\":\"uuid\"}",
                   "0100112233445566778899aabbccddeeff\n");
    expect_encoded("DECIMAL(4,2)", "-1.28",
                   "{\"type\":\"bytes\",\"logicalType\":\"decimal\",\"precision\":4,\"scale\":2}",
                   "010280\n");
    expect_encoded("DECIMAL(4,2)", "1.28",
                   "{\"type\":\"bytes\",\"logicalType\":\"decimal\",\"precision\":4,\"scale\":2}",
                   "01040080\n");
    expect_encoded("DECIMAL(4,2)", "0", fixed_decimal, "010000\n");
    expect_encoded("DECIMAL(4,2)", "-0.01", fixed_decimal, "01ffff\n");
    expect_encoded("DECIMAL(5,2)", "100.00", fixed_decimal,
                   "0 \"a\" the decimal has more digits than its type\n\n");
    expect_encoded("DECIMAL(5,3)", "1.001", fixed_decimal,
                   "0 \"a\" the decimal has more digits than its type\n\n");
    expect_encoded("DECIMAL(5,3)", "1.010", fixed_decimal, "010065\n");
    expect_encoded("TIMESTAMP", "\"1969-12-31T23:59:59.999999Z\"",
                   "{\"type\":\"long\",\"logicalType\":\"timestamp-millis\"}", "0101\n");
    expect_encoded("TIMESTAMP", "\"2300-01-01T00:00:00Z\"",
                   "{\"type\":\"long\",\"logicalType\":\"timestamp-nanos\"}",
                   "0 \"a\" the timestamp is out of the range of nanoseconds\n\n");
    expect_encoded("ARRAY<INT>", "[1,2]", "{\"type\":\"array\",\"items\":\"long\"}", "0104020400\n");
    expect_encoded("ARRAY<INT>", "[1,null]", "{\"type\":\"array\",\"items\":\"long\"}",
                   "0 \"a[]\" it is NULL, and the schema has no null there\n\n");
    expect_encoded("MAP<STRING, STRING>", "{\"a\":\"b\"}", "{\"type\":\"map\",\"values\":\"string\"}",
                   "01020261026200\n");
    expect_encoded("STRUCT<member0: INT, member1: STRING>", "{\"member1\":\"a\"}",
                   "[\"int\",\"null\",\"string\"]", "01040261\n");
    expect_encoded("STRUCT<member0: INT, member1: STRING>", "{}", "[\"int\",\"string\"]",
                   "0 \"a\" every member is NULL, and the union has no null\n\n");
    expect_encoded("BIGINT", "1", "[\"int\",\"string\",\"long\"]", "010402\n");
    expect_encoded("BOOLEAN", "true", "\"string\"", "\"a\": BOOLEAN cannot become Avro's string");
    expect_encoded(
        "STRUCT<x: STRUCT<y: INT>>", "{\"x\":null}",
        "{\"type\":\"record\",\"name\":\"S\",\"fields\":[{\"name\":\"x\",\"type\":{\"type\":\"record\",\"name\":\"T\",\"fields\":[{\"name\":\"y\",\"type\":\"int\"}]}}]}",
        "0 \"a.x\" it is NULL, and the schema has no null there\n\n");
}

TEST(fields_without_a_column)
{
    struct run run = begin();
    EXPECT_STR(
        encode(
            &run, "a INT, z INT", "{\"a\":1,\"z\":2}",
            RECORD(
                "{\"name\":\"n\",\"type\":[\"string\",\"null\"]},{\"name\":\"d\",\"type\":\"int\",\"default\":7},"
                "{\"name\":\"b\",\"type\":\"int\",\"aliases\":[\"a\"]}")),
        "01020e02\n");
    EXPECT_STR(encode(&run, "a INT", "{\"a\":1}", RECORD("{\"name\":\"b\",\"type\":\"int\"}")),
               "\"b\": there is no such column, and the schema has neither a default nor null for it");
    EXPECT_STR(encode(&run, "a INT", "{\"a\":1}\n{}", "[\"null\",\"long\"]"),
               "010202\n0100\n"); /* no record */
    end(&run);
}

TEST(names_that_avro_does_not_have)
{
    struct run run = begin();
    const struct type *columns = NULL;
    struct sbuf out = {0};
    EXPECT(type_parse_ddl(pool_arena(run.pool), STR("`a b` INT"), &columns, &run.err));
    EXPECT(!avro_schema_of_columns(columns, STR("R"), STR(""), &out, &run.err));
    EXPECT_STR(run.err.text, "\"a b\" cannot be a name in Avro");
    EXPECT(!avro_schema_of_columns(columns, STR("1R"), STR(""), &out, &run.err));
    sbuf_fini(&out);
    end(&run);
}

/* ---- random rows ---------------------------------------------------------------------------------------------------------- */

static bool is_avro(const struct type *type)
{
    if (type->kind == TYPE_MAP && type->fields[0].type->kind != TYPE_STRING)
        return false;
    for (uint32_t i = 0; i < type->field_count; i++)
        if (!is_avro(type->fields[i].type))
            return false;
    return true;
}

static const struct type *random_columns(struct rng *rng, struct arena *arena)
{
    for (;;) {
        const struct type *type = random_schema_of(rng, 1 + (unsigned)rng_below(rng, 4),
                                                   RANDOM_ALL & ~(1u << TYPE_VARIANT), arena);
        if (is_avro(type))
            return type;
    }
}

struct trip {
    const struct avro_schema *schema;
    struct avro_decoder *decoder;
    const struct avro_writer *writer;
    struct str records[RECORDS_MAX];
    struct sbuf text;
};

static void encode_random(struct run *run, struct rng *rng, struct batch *batch, uint32_t rows,
                          struct trip *trip)
{
    struct arena *arena = pool_arena(run->pool);
    const struct type *columns = random_columns(rng, arena);
    uint32_t ends[RECORDS_MAX];
    struct sbuf schema = {0};
    random_batch(rng, batch, columns, rows, RANDOM_ANY);
    EXPECT(avro_schema_of_columns(columns, STR("Row"), STR("a.b"), &schema, &run->err));
    trip->schema = parse(run, schema.p);
    struct avro_encoder *encoder = avro_encoder_new(run->pool, trip->schema, columns, &run->err);
    trip->decoder = avro_decoder_new(run->pool, trip->schema, columns, NULL, &run->err);
    trip->writer = trip->decoder ? avro_decoder_writer(trip->decoder, trip->schema, &run->err) : NULL;
    if (!EXPECT(encoder != NULL && trip->writer != NULL)) {
        fprintf(stderr, "%s\n%s\n", run->err.text, schema.p);
        exit(1);
    }
    EXPECT_EQ_INT(avro_encode(encoder, batch, 0, rows, STR(""), &trip->text, ends, NULL), 0);
    for (uint32_t i = 0; i < rows; i++) { /* each in bytes of its own */
        uint32_t start = i ? ends[i - 1] : 0;
        trip->records[i] = str_n(mem_new(ends[i] - start + 1), ends[i] - start);
        memcpy((char *)trip->records[i].p, trip->text.p + start, ends[i] - start);
        trip->records[i].p = mem_resize((void *)trip->records[i].p, ends[i] - start ? ends[i] - start : 1);
    }
    sbuf_fini(&schema);
}

static void free_trip(struct trip *trip, uint32_t rows)
{
    for (uint32_t i = 0; i < rows; i++)
        mem_free((void *)trip->records[i].p);
    sbuf_fini(&trip->text);
}

TEST(random_rows_come_back)
{
    for (uint64_t seed = 0; seed < 300; seed++) {
        struct run run = begin();
        struct rng rng = {seed};
        struct trip trip = {0};
        struct arena arena = {0};
        uint32_t rows = (uint32_t)rng_below(&rng, 200);
        struct batch *batch = batch_new(), *back = batch_new();
        const struct avro_writer *writers[RECORDS_MAX];
        const struct avro_report report = {.bad = hear, .arg = &run.bad};
        encode_random(&run, &rng, batch, rows, &trip);
        for (uint32_t i = 0; i < rows; i++)
            writers[i] = trip.writer;
        avro_decode(trip.decoder, trip.records, writers, rows, back, &report);
        EXPECT_STR(text_of(&run.bad), "");
        EXPECT(batch_check(back, &run.err));
        EXPECT(rows_equal(batch_to_rows(batch, &arena), batch_to_rows(back, &arena), rows));
        batch_free(batch);
        batch_free(back);
        arena_fini(&arena);
        free_trip(&trip, rows);
        end(&run);
    }
}

/* Every beginning of a record is bad, and so is a byte more. */
TEST(every_truncation_is_bad)
{
    for (uint64_t seed = 0; seed < 60; seed++) {
        struct run run = begin();
        struct rng rng = {seed};
        struct trip trip = {0};
        struct batch *batch = batch_new(), *back = batch_new();
        const struct avro_report report = {.bad = hear, .arg = &run.bad};
        encode_random(&run, &rng, batch, 4, &trip);
        for (uint32_t i = 0; i < 4; i++)
            for (size_t n = 0; n <= trip.records[i].n + 1; n++) {
                char *cut = mem_new(n + 1);
                cut = mem_resize(cut, n ? n : 1);
                memcpy(cut, trip.records[i].p, n < trip.records[i].n ? n : trip.records[i].n);
                if (n > trip.records[i].n)
                    cut[n - 1] = 0;
                struct str record = str_n(cut, n);
                sbuf_clear(&run.bad);
                batch_reset(back);
                avro_decode(trip.decoder, &record, &trip.writer, 1, back, &report);
                EXPECT((run.bad.n > 0) == (n != trip.records[i].n));
                mem_free(cut);
            }
        batch_free(batch);
        batch_free(back);
        free_trip(&trip, 4);
        end(&run);
    }
}

int main(void)
{
    RUN(a_schema_gives_columns);
    RUN(a_type_that_holds_itself_is_refused);
    RUN(a_schema_that_unfolds_is_refused);
    RUN(columns_evolve);
    RUN(values_become_rows);
    RUN(logical_types);
    RUN(bad_records);
    RUN(one_bad_record_is_alone);
    RUN(copied_text_needs_no_record);
    RUN(values_without_a_column);
    RUN(a_reader_has_aliases_and_defaults);
    RUN(what_the_reader_forgot_stays);
    RUN(an_enum_has_a_default_symbol);
    RUN(unions_meet);
    RUN(columns_have_types_of_their_own);
    RUN(versions_in_one_batch);
    RUN(rows_become_records);
    RUN(fields_without_a_column);
    RUN(names_that_avro_does_not_have);
    RUN(random_rows_come_back);
    RUN(every_truncation_is_bad);
    return test_end();
}

/* Records to columns, seen as a user does: records and a schema in, rows and reports out. Rows are shown
 * by the encoder. */
#include <ref/random_batch.h>

#include "base/test.h"
#include "format/json.h"

enum { REPORT_SIZE = 4096, RECORDS_MAX = 64 };

/* What a decoder said. */
struct heard {
    struct sbuf bad, unknown;
};

static void hear_bad(void *arg, const struct json_bad *bad)
{
    static const char *const kinds[] = {"record", "empty", "value"};
    struct heard *heard = arg;
    sbuf_printf(&heard->bad, "%u %s", bad->row, kinds[bad->kind]);
    if (bad->kind == JSON_BAD_VALUE)
        sbuf_printf(&heard->bad, " %.*s: %s for %.*s: %.*s", STR_ARG(bad->path), bad->found,
                    STR_ARG(bad->wanted), STR_ARG(bad->text));
    else
        sbuf_printf(&heard->bad, " at %zu: %s", bad->at, bad->found);
    sbuf_char(&heard->bad, '\n');
}

static void hear_unknown(void *arg, const struct json_unknown *unknown)
{
    struct heard *heard = arg;
    sbuf_printf(&heard->unknown, "%u %.*s ", unknown->row, STR_ARG(unknown->path));
    type_to_simple(unknown->type, &heard->unknown);
    sbuf_char(&heard->unknown, '\n');
}

/* One decoding: made by begin(), looked at, freed by end(). */
struct run {
    struct pool *pool;
    struct json_options options;
    const struct type *schema;
    struct json_decoder *decoder;
    struct batch *batch;
    struct heard heard;
    struct sbuf text;
    struct err err;
};

static void begin(struct run *run, const char *ddl)
{
    *run = (struct run){
        .pool = pool_new(NULL, "test"), .options = json_options_default(), .batch = batch_new()};
    bool ok = type_parse_ddl(pool_arena(run->pool), str_of(ddl), &run->schema, &run->err);
    if (!EXPECT(ok))
        fprintf(stderr, "    %s\n", run->err.text);
}

static void end(struct run *run)
{
    batch_free(run->batch);
    sbuf_fini(&run->heard.bad);
    sbuf_fini(&run->heard.unknown);
    sbuf_fini(&run->text);
    pool_free(run->pool);
}

static bool decode(struct run *run, const struct str *records, uint32_t count)
{
    const struct json_report report = {hear_bad, hear_unknown, &run->heard};
    batch_reset(run->batch);
    sbuf_clear(&run->heard.bad);
    sbuf_clear(&run->heard.unknown);
    if (run->decoder == NULL)
        run->decoder = json_decoder_new(run->pool, run->schema, &run->options, &run->err);
    bool ok = json_decode(run->decoder, records, count, run->batch, &report, &run->err);
    struct err err = {0};
    if (!EXPECT(batch_check(run->batch, &err)))
        fprintf(stderr, "    %s\n", err.text);
    return ok;
}

/* Lines of text as records; each in memory of its own, so that a read past its end is seen. */
static bool decode_lines(struct run *run, const char *lines)
{
    struct str records[RECORDS_MAX];
    uint32_t count = 0;
    for (const char *line = lines; *line != 0 && count < RECORDS_MAX;) {
        size_t n = strcspn(line, "\n");
        char *copy = n ? memcpy(mem_new(n), line, n) : mem_new(1);
        records[count++] = str_n(copy, n);
        line += n + (line[n] == '\n');
    }
    bool ok = decode(run, records, count);
    struct json_encoder *encoder = json_encoder_new(run->pool, run->schema, NULL, &run->err);
    sbuf_clear(&run->text);
    json_encode(encoder, run->batch, 0, run->batch->rows, '\n', &run->text, NULL);
    for (uint32_t i = 0; i < count; i++)
        mem_free((void *)(uintptr_t)records[i].p);
    return ok;
}

static const char *text_of(const struct sbuf *b)
{
    return b->p ? b->p : "";
}

/* Records in, rows out as JSON lines, and what was reported. */
static void expect(const char *ddl, const char *lines, const char *rows, const char *bad, int line)
{
    for (int cpu = JSON_CPU_SCALAR; cpu <= JSON_CPU_AVX512; cpu++) {
        struct run run;
        begin(&run, ddl);
        run.options.cpu = (enum json_cpu)cpu;
        bool ok = decode_lines(&run, lines);
        bool same = EXPECT(ok) && EXPECT_STR(text_of(&run.text), rows) &&
                    EXPECT_STR(text_of(&run.heard.bad), bad);
        end(&run);
        if (!same) {
            fprintf(stderr, "    line %d, processor %d\n", line, cpu);
            return;
        }
    }
}
#define GIVES(ddl, lines, rows) expect(ddl, lines, rows "\n", "", __LINE__)
#define REPORTS(ddl, lines, rows, bad) expect(ddl, lines, rows "\n", bad "\n", __LINE__)

TEST(plain_records)
{
    GIVES("a INT, b STRING", "{\"a\":1,\"b\":\"x\"}", "{\"a\":1,\"b\":\"x\"}");
    GIVES("a INT, b STRING", " { \"b\" : \"x\" , \"a\" : -7 } ", "{\"a\":-7,\"b\":\"x\"}");
    GIVES("a INT, b STRING", "{}", "{\"a\":null,\"b\":null}");
    GIVES("a INT, b STRING", "{\"c\":[1,{\"d\":null}],\"a\":1,\"e\":\"}\"}", "{\"a\":1,\"b\":null}");
    GIVES("a INT", "{\"a\":null}\n{\"a\":2}", "{\"a\":null}\n{\"a\":2}");
    GIVES("`a\"b` INT, `\xC3\xA9` INT", "{\"\":1,\"a\\\"b\":2,\"\xC3\xA9\":3}",
          "{\"a\\\"b\":2,\"\xC3\xA9\":3}");
    GIVES("a_name_that_is_longer_than_thirty_two_bytes_with_its_quotes INT",
          "{\"a_name_that_is_longer_than_thirty_two_bytes_with_its_quotes\":5}",
          "{\"a_name_that_is_longer_than_thirty_two_bytes_with_its_quotes\":5}");
}

TEST(every_type)
{
    GIVES("a BYTE, b SHORT, c INT, d LONG",
          "{\"a\":-128,\"b\":32767,\"c\":-2147483648,\"d\":9223372036854775807}",
          "{\"a\":-128,\"b\":32767,\"c\":-2147483648,\"d\":9223372036854775807}");
    GIVES("a FLOAT, b DOUBLE", "{\"a\":1.5,\"b\":-1.25E-3}", "{\"a\":1.5,\"b\":-0.00125}");
    GIVES("a DOUBLE, b DOUBLE, c DOUBLE", "{\"a\":NaN,\"b\":\"Infinity\",\"c\":-INF}",
          "{\"a\":\"NaN\",\"b\":\"Infinity\",\"c\":\"-Infinity\"}");
    GIVES("a DECIMAL(10,2), b DECIMAL(38,0), c DECIMAL(5,3)",
          "{\"a\":12345678.90,\"b\":-99999999999999999999999999999999999999,\"c\":\"1.2345\"}",
          "{\"a\":12345678.90,\"b\":-99999999999999999999999999999999999999,\"c\":1.235}");
    GIVES("a BOOLEAN, b BOOLEAN", "{\"a\":true,\"b\":false}", "{\"a\":true,\"b\":false}");
    GIVES("a BINARY", "{\"a\":\"aGVsbG8gd29ybGQsIGFnYWlu\"}\n{\"a\":\"aA==\"}\n{\"a\":\"\"}",
          "{\"a\":\"aGVsbG8gd29ybGQsIGFnYWlu\"}\n{\"a\":\"aA==\"}\n{\"a\":\"\"}");
    GIVES(
        "a ARRAY<INT>, b ARRAY<STRUCT<x: STRING>>",
        "{\"a\":[1,null,3],\"b\":[{\"x\":\"y\"},{},null]}\n{\"a\":[],\"b\":null}\n{\"b\":[]}",
        "{\"a\":[1,null,3],\"b\":[{\"x\":\"y\"},{\"x\":null},null]}\n{\"a\":[],\"b\":null}\n{\"a\":null,\"b\":[]}");
    GIVES("m MAP<STRING, INT>, s STRUCT<t: STRUCT<u: BOOLEAN>>",
          "{\"m\":{\"a\":1,\"b\":null},\"s\":{\"t\":{\"u\":true}}}\n{\"m\":{},\"s\":{\"t\":null}}",
          "{\"m\":{\"a\":1,\"b\":null},\"s\":{\"t\":{\"u\":true}}}\n{\"m\":{},\"s\":{\"t\":null}}");
    GIVES("a ARRAY<ARRAY<INT>>", "{\"a\":[[1],[],[2,3]]}\n{\"a\":[[]]}",
          "{\"a\":[[1],[],[2,3]]}\n{\"a\":[[]]}");
}

TEST(times)
{
    GIVES("a TIMESTAMP",
          "{\"a\":\"2024-01-02T03:04:05.123456Z\"}\n{\"a\":\"2024-01-02T03:04:05+01:00\"}\n{\"a\":-1}",
          "{\"a\":\"2024-01-02T03:04:05.123456Z\"}\n{\"a\":\"2024-01-02T02:04:05.000000Z\"}\n"
          "{\"a\":\"1969-12-31T23:59:59.000000Z\"}");
    GIVES("a TIMESTAMP, b DATE", "{\"a\":\"2024-01-02\",\"b\":\"2024-02-29\"}",
          "{\"a\":\"2024-01-02T00:00:00.000000Z\",\"b\":\"2024-02-29\"}");
    GIVES("a TIMESTAMP_NTZ", "{\"a\":\"2024-01-02T03:04:05.5\"}", "{\"a\":\"2024-01-02T03:04:05.500000\"}");
    REPORTS("a TIMESTAMP, b DATE", "{\"a\":\"yesterday\",\"b\":\"2024-02-30\"}", "{\"a\":null,\"b\":null}",
            "0 value a: string for TIMESTAMP: \"yesterday\"\n0 value b: string for DATE: \"2024-02-30\"");
}

TEST(text_columns_take_anything_raw)
{
    GIVES("a STRING, b STRING, c STRING, d STRING",
          "{\"a\":1.50,\"b\":true,\"c\":{\"x\" : [1, 2]},\"d\":[\"y\"]}",
          "{\"a\":\"1.50\",\"b\":\"true\",\"c\":\"{\\\"x\\\" : [1, 2]}\",\"d\":\"[\\\"y\\\"]\"}");
}

TEST(escapes)
{
    GIVES("a STRING", "{\"a\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\u20AC\"}",
          "{\"a\":\"\\\"\\\\/\\b\\f\\n\\r\\t\xC3\xA9\xE2\x82\xAC\"}");
    GIVES("a STRING", "{\"a\":\"\\ud83d\\ude00 long enough to leave the view\"}",
          "{\"a\":\"\xF0\x9F\x98\x80 long enough to leave the view\"}");
    GIVES("a STRING", "{\"a\":\"\\ud83d\"}\n{\"a\":\"\\ude00x\"}\n{\"a\":\"\\ud83d\\ud83d\\ude00\"}",
          "{\"a\":\"\xEF\xBF\xBD\"}\n{\"a\":\"\xEF\xBF\xBDx\"}\n{\"a\":\"\xEF\xBF\xBD\xF0\x9F\x98\x80\"}");
    GIVES("ab STRING", "{\"\\u0061b\":\"named by an escape\"}", "{\"ab\":\"named by an escape\"}");
    GIVES("a STRING, b STRING", "{\"a\":\"\\\\\",\"b\":\"\\\\\\\"\"}", "{\"a\":\"\\\\\",\"b\":\"\\\\\\\"\"}");
    REPORTS("a STRING", "{\"a\":\"\\x\"}\n{\"b\":\"\\u12g4\"}", "{\"a\":null}\n{\"a\":null}",
            "0 record at 5: a string has a bad escape\n1 record at 5: a string has a bad escape");
}

TEST(repeated_fields)
{
    GIVES("a INT", "{\"a\":1,\"a\":2}\n{\"a\":1,\"a\":null}", "{\"a\":2}\n{\"a\":null}");
    GIVES("s STRUCT<x: INT, y: INT>", "{\"s\":{\"x\":1},\"s\":{\"y\":2}}\n{\"s\":{\"x\":1},\"s\":null}",
          "{\"s\":{\"x\":null,\"y\":2}}\n{\"s\":null}");
    GIVES("a ARRAY<STRING>, b INT", "{\"a\":[\"x\",\"y\"],\"b\":1,\"a\":[\"z\"]}\n{\"a\":[\"q\"]}",
          "{\"a\":[\"z\"],\"b\":1}\n{\"a\":[\"q\"],\"b\":null}");
    REPORTS("a INT", "{\"a\":1,\"a\":\"x\"}", "{\"a\":null}", "0 value a: string for INT: \"x\"");
}

TEST(what_does_not_fit)
{
    REPORTS(
        "a INT, b STRING",
        "{\"a\":\"1\",\"b\":\"x\"}\n{\"a\":1.0}\n{\"a\":2147483648}\n{\"a\":true}\n{\"a\":[1]}",
        "{\"a\":null,\"b\":\"x\"}\n{\"a\":null,\"b\":null}\n{\"a\":null,\"b\":null}\n{\"a\":null,\"b\":null}\n"
        "{\"a\":null,\"b\":null}",
        "0 value a: string for INT: \"1\"\n1 value a: number for INT: 1.0\n2 value a: number for INT: 2147483648\n"
        "3 value a: boolean for INT: true\n4 value a: array for INT: [1]");
    REPORTS("a LONG", "{\"a\":9223372036854775808}\n{\"a\":-9223372036854775808}\n{\"a\":1e3}",
            "{\"a\":null}\n{\"a\":-9223372036854775808}\n{\"a\":null}",
            "0 value a: number for BIGINT: 9223372036854775808\n2 value a: number for BIGINT: 1e3");
    REPORTS(
        "s STRUCT<x: ARRAY<STRUCT<y: BOOLEAN>>>", "{\"s\":{\"x\":[{\"y\":1},{\"y\":true}]}}\n{\"s\":[]}",
        "{\"s\":{\"x\":[{\"y\":null},{\"y\":true}]}}\n{\"s\":null}",
        "0 value s.x[].y: number for BOOLEAN: 1\n1 value s: array for STRUCT<x: ARRAY<STRUCT<y: BOOLEAN>>>: []");
    REPORTS("a DECIMAL(3,1), b BINARY", "{\"a\":99.96,\"b\":\"a\"}", "{\"a\":null,\"b\":null}",
            "0 value a: number for DECIMAL(3,1): 99.96\n0 value b: string for BINARY: \"a\"");
}

TEST(what_is_not_json)
{
    static const char *const texts[] = {
        "{\"a\":1",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\" 1}",
        "{a:1}",
        "{\"a\":1,}",
        "{,\"a\":1}",
        "{\"a\":1}}",
        "{\"a\":1}{}",
        "{\"a\":1} x",
        "[{\"a\":1}]",
        "1",
        "\"a\"",
        "null",
        "{\"a\":01}",
        "{\"a\":1.}",
        "{\"a\":.5}",
        "{\"a\":-}",
        "{\"a\":+1}",
        "{\"a\":1e}",
        "{\"a\":1 2}",
        "{\"a\":tru}",
        "{\"a\":truex}",
        "{\"a\":nul}",
        "{\"b\":[1,]}",
        "{\"b\":[1}",
        "{\"b\":{]}",
        "{\"b\":[1 2]}",
        "{\"b\":{\"c\"}}",
        "{\"a\":\"\x01\"}",
        "{\"a\":\"x}",
        "{\"a\":\"\xFF\"}",
        "{\"b\":\"\xC3\"}",
        "{\"a\":1\x0C}",
        "{\"a\"\0321}",
        "{\"a\"::1}",
        "{\"b\":1:2}",
        "{\"b\":\"x\"y}",
        "{1:2}",
        "{\"b\":{\"c\":1,}}",
        "}{",
        "{\"a\":1,\"b\"}",
        "{{}}",
        "{[]}",
        "{\"a\":[]]}",
        "{\"b\":[}",
        "{\"b\":{}",
        "{\"a\":{}}}",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct run run;
        begin(&run, "a INT");
        EXPECT(decode_lines(&run, texts[i]));
        EXPECT_STR(text_of(&run.text), "{\"a\":null}\n");
        if (!EXPECT(str_starts(sbuf_view(&run.heard.bad), STR("0 record at "))))
            fprintf(stderr, "    %s: %s\n", texts[i], text_of(&run.heard.bad));
        end(&run);
    }
    REPORTS("a INT", "\n  ", "{\"a\":null}\n{\"a\":null}",
            "0 empty at 0: the record is empty\n1 empty at 0: the record is empty");
}

/* A record that is cut at any byte is bad and leaves nothing behind, and the next one is good. */
TEST(cut_records)
{
    static const char whole[] =
        "{\"i\":12,\"s\":\"text that is long\",\"l\":[{\"x\":\"a\\n\"},{\"x\":null}],\"m\":{\"k\":1.5},"
        "\"t\":{\"u\":[1,2]},\"z\":[[true,{}]]}";
    const char *shown =
        "{\"i\":12,\"s\":\"text that is long\",\"l\":[{\"x\":\"a\\n\"},{\"x\":null}],\"m\":{\"k\":1.5},"
        "\"t\":{\"u\":[1,2]}}\n";
    struct run run;
    begin(&run,
          "i INT, s STRING, l ARRAY<STRUCT<x: STRING>>, m MAP<STRING, DOUBLE>, t STRUCT<u: ARRAY<INT>>");
    for (size_t cut = 1; cut + 1 < sizeof whole; cut++) {
        char lines[3 * sizeof whole], expected[1024];
        snprintf(lines, sizeof lines, "%s\n%.*s\n%s", whole, (int)cut, whole, whole);
        snprintf(expected, sizeof expected, "%s{\"i\":null,\"s\":null,\"l\":null,\"m\":null,\"t\":null}\n%s",
                 shown, shown);
        decode_lines(&run, lines);
        if (!EXPECT_STR(text_of(&run.text), expected) ||
            !EXPECT(str_starts(sbuf_view(&run.heard.bad), STR("1 record at "))))
            break;
    }
    end(&run);
}

TEST(options)
{
    struct run run;
    struct err err = {0};
    begin(&run, "a INT, b STRING");
    EXPECT(json_options_set(&run.options, "ALLOWCOMMENTS", "true", &err));
    EXPECT(json_options_set(&run.options, "allowUnquotedFieldNames", "true", &err));
    EXPECT(json_options_set(&run.options, "allowNumericLeadingZeros", "true", &err));
    EXPECT(!json_options_set(&run.options, "allowComment", "true", &err));
    EXPECT_STR(err.hint, "Did you mean \"allowComments\"?");
    EXPECT(!json_options_set(&run.options, "allowComments", "maybe", &err));
    decode_lines(&run, "{a : 007, /* b's */ 'b' : 'it\\'s \"x\"'} // the end");
    EXPECT_STR(text_of(&run.text), "{\"a\":7,\"b\":\"it's \\\"x\\\"\"}\n");
    EXPECT_STR(text_of(&run.heard.bad), "");
    end(&run);

    begin(&run, "a INT");
    run.options.allow_single_quotes = false;
    decode_lines(&run, "{'a':1}");
    EXPECT_STR(text_of(&run.text), "{\"a\":null}\n");
    end(&run);

    begin(&run, "Name INT, NAME INT");
    run.options.nocase = true;
    decode_lines(&run, "{\"NAME\":1,\"Name\":2}\n{\"name\":3}");
    EXPECT_STR(text_of(&run.text), "{\"Name\":2,\"NAME\":1}\n{\"Name\":null,\"NAME\":null}\n");
    end(&run);

    begin(&run, "Name INT");
    run.options.nocase = true;
    decode_lines(&run, "{\"NAME\":1}\n{\"name\":2}\n{\"nAME\":3}");
    EXPECT_STR(text_of(&run.text), "{\"Name\":1}\n{\"Name\":2}\n{\"Name\":3}\n");
    end(&run);
}

TEST(modes)
{
    struct run run;
    begin(&run, "a INT, _corrupt_record STRING");
    decode_lines(&run, "{\"a\":1,\"_corrupt_record\":\"x\"}\n{\"a\":\n{\"a\":\"x\"}");
    EXPECT_STR(text_of(&run.text),
               "{\"a\":1,\"_corrupt_record\":null}\n{\"a\":null,\"_corrupt_record\":\"{\\\"a\\\":\"}\n"
               "{\"a\":null,\"_corrupt_record\":\"{\\\"a\\\":\\\"x\\\"}\"}\n");
    end(&run);
    begin(&run, "a INT");
    run.options.mode = JSON_FAILFAST;
    EXPECT(!decode_lines(&run, "{\"a\":1}\n{\"a\":oops}"));
    EXPECT_EQ_INT(run.err.class, ERR_DATA);
    EXPECT_STR(run.err.text, "record 1, byte 5: a value is expected");
    end(&run);
    begin(&run, "v ARRAY<INT>");
    run.options.bare = true;
    decode_lines(&run, "[1,2]\n[]\n null \n5\n[1\n[[1]]\n\"x\"\n[1,[[");
    EXPECT_STR(text_of(&run.text),
               "{\"v\":[1,2]}\n{\"v\":[]}\n{\"v\":null}\n{\"v\":null}\n{\"v\":null}\n{\"v\":[null]}\n"
               "{\"v\":null}\n{\"v\":null}\n");
    end(&run);
    begin(&run, "v DOUBLE");
    run.options.bare = true;
    decode_lines(&run, "1.5\n 7 \n{\"a\":1}\n1 2");
    EXPECT_STR(text_of(&run.text), "{\"v\":1.5}\n{\"v\":7.0}\n{\"v\":null}\n{\"v\":null}\n");
    end(&run);
    begin(&run, "a STRUCT<b: STRUCT<c: INT>>");
    run.options.depth_max = 2;
    EXPECT(json_decoder_new(run.pool, run.schema, &run.options, &run.err) == NULL);
    EXPECT_EQ_INT(run.err.class, ERR_CONFIG);
    run.options.depth_max = 3;
    EXPECT(json_decoder_new(run.pool, run.schema, &run.options, &run.err) != NULL);
    end(&run);
}

TEST(unknown_fields_are_reported_once)
{
    struct run run;
    begin(&run, "a INT, s STRUCT<b: INT>");
    run.options.report_unknown = true;
    decode_lines(
        &run,
        "{\"a\":1,\"x\":null,\"s\":{\"c\":{\"d\":[1.5]}}}\n{\"x\":7,\"y\":\"z\"}\n{\"x\":\"8\",\"y\":1,\"s\":{\"c\":0}}");
    EXPECT_STR(text_of(&run.heard.unknown), "0 s.c struct<d:array<double>>\n1 x bigint\n1 y string\n");
    decode_lines(&run, "{\"x\":1}");
    EXPECT_STR(text_of(&run.heard.unknown), "");
    json_decoder_forget(run.decoder);
    decode_lines(&run, "{\"x\":true}");
    EXPECT_STR(text_of(&run.heard.unknown), "0 x boolean\n");
    end(&run);
}

/* Orders of fields that change from record to record, with unknown ones in between: guesses must never
 * decide. */
TEST(any_order_of_fields)
{
    struct rng rng = {3};
    struct run run;
    begin(&run, "id INT, name_of_it STRING, c LONG, `dddddddddd` INT, e INT");
    static const char *const names[] = {"id", "name_of_it",  "c",   "dddddddddd",
                                        "e",  "name_of_itt", "idx", "name_of_xt"};
    for (int round = 0; round < 2000; round++) {
        char record[512] = "{", expected[512];
        bool seen[8] = {0};
        int wanted[8] = {0};
        size_t n = 1;
        for (int k = (int)rng_below(&rng, 9); k > 0; k--) {
            size_t f = rng_below(&rng, 8);
            int value = (int)rng_below(&rng, 100000);
            seen[f] = true;
            wanted[f] = value;
            n += (size_t)snprintf(record + n, sizeof record - n,
                                  f == 1 ? "\"%s\":%s\"%d\"%s" : "\"%s\":%s%d%s", names[f],
                                  rng_one_in(&rng, 4) ? " " : "", value, k > 1 ? "," : "");
        }
        record[n] = '}';
        record[n + 1] = 0;
        n = 0;
        for (int f = 0; f < 5; f++) {
            if (seen[f])
                n += (size_t)snprintf(expected + n, sizeof expected - n,
                                      f == 1 ? "%c\"%s\":\"%d\"" : "%c\"%s\":%d", f ? ',' : '{', names[f],
                                      wanted[f]);
            else
                n += (size_t)snprintf(expected + n, sizeof expected - n, "%c\"%s\":null", f ? ',' : '{',
                                      names[f]);
        }
        snprintf(expected + n, sizeof expected - n, "}\n");
        decode_lines(&run, record);
        if (!EXPECT_STR(text_of(&run.text), expected))
            break;
    }
    end(&run);
}

TEST(numbers_read_back_exactly)
{
    struct rng rng = {4};
    struct run run;
    begin(&run, "d DOUBLE, l LONG, x DECIMAL(38,10), f FLOAT");
    struct json_decoder *decoder = json_decoder_new(run.pool, run.schema, &run.options, &run.err);
    for (int round = 0; round < 20000; round++) {
        double d;
        uint64_t bits = rng_next(&rng);
        memcpy(&d, &bits, 8);
        if (d != d || d - d != 0)
            d = (double)(int64_t)bits / 1000;
        int64_t l = (int64_t)rng_next(&rng) >> rng_below(&rng, 64);
        char record[256], number[64];
        int digits = (int)rng_below(&rng, 20);
        if (rng_one_in(&rng, 2))
            snprintf(number, sizeof number, "%.*e", digits, d);
        else
            snprintf(number, sizeof number, "%.*g", digits, (double)l / 64);
        int n = snprintf(record, sizeof record, "{\"d\":%s,\"l\":%lld,\"x\":%lld.%05llu,\"f\":%s}", number,
                         (long long)l, (long long)l, (unsigned long long)(bits % 100000), number);
        struct str text = str_n(record, (size_t)n);
        batch_reset(run.batch);
        if (!EXPECT(json_decode(decoder, &text, 1, run.batch, NULL, NULL)))
            break;
        i128 x = (i128)(l < 0 ? -l : l) * 100000 + (i128)(bits % 100000);
        bool same = EXPECT_EQ_DOUBLE(((double *)run.batch->columns[0].data)[0], strtod(number, NULL)) &&
                    EXPECT_EQ_INT(((int64_t *)run.batch->columns[1].data)[0], l) &&
                    EXPECT(((i128 *)run.batch->columns[2].data)[0] == (l < 0 ? -x : x) * 100000) &&
                    EXPECT_EQ_DOUBLE(((float *)run.batch->columns[3].data)[0], strtof(number, NULL));
        if (!same) {
            fprintf(stderr, "    %s\n", record);
            break;
        }
    }
    end(&run);
}

/* Is every map's key a STRING, is there nothing that JSON cannot give back? */
static bool is_writable(const struct type *type)
{
    if (type->kind == TYPE_VARIANT || type->kind == TYPE_NULL)
        return false;
    if (type->kind == TYPE_MAP && type->fields[0].type->kind != TYPE_STRING)
        return false;
    for (uint32_t i = 0; i < type->field_count; i++)
        if (!is_writable(type->fields[i].type))
            return false;
    return true;
}

static bool round_trip(struct rng *rng, const struct type *schema, struct arena *arena)
{
    struct batch *batch = batch_new(), *back = batch_new();
    struct pool *pool = pool_new(NULL, "test");
    struct err err = {0};
    struct sbuf out = {0};
    uint32_t rows = (uint32_t)rng_below(rng, 80);
    uint32_t *ends = arena_array(arena, uint32_t, rows + 1);
    struct str *records = arena_array(arena, struct str, rows + 1);
    struct json_options options = json_options_default();
    options.ignore_null_fields = rng_one_in(rng, 2);
    options.pretty = rng_one_in(rng, 4);
    options.copy = rng_one_in(rng, 4);
    options.cpu = (enum json_cpu)rng_below(rng, 5);
    random_batch(rng, batch, schema, rows, RANDOM_ANY);
    json_encode(json_encoder_new(pool, schema, &options, &err), batch, 0, rows, '\n', &out, ends);
    for (uint32_t i = 0; i < rows; i++)
        records[i] = str_n(out.p + (i ? ends[i - 1] + 1 : 0), ends[i] - (i ? ends[i - 1] + 1 : 0));
    struct heard heard = {0};
    struct json_report report = {hear_bad, NULL, &heard};
    bool ok = EXPECT(json_decode(json_decoder_new(pool, schema, &options, &err), records, rows, back, &report,
                                 &err)) &&
              EXPECT(batch_check(back, &err)) &&
              EXPECT(rows_equal(batch_to_rows(batch, arena), batch_to_rows(back, arena), rows)) &&
              EXPECT_STR(text_of(&heard.bad), "");
    if (!ok)
        fprintf(stderr, "    %s\n", err.text);
    sbuf_fini(&heard.bad);
    sbuf_fini(&out);
    pool_free(pool);
    batch_free(batch);
    batch_free(back);
    return ok;
}

TEST(random_batches_come_back)
{
    struct arena arena = {0};
    unsigned kinds = RANDOM_ALL & ~(1u << TYPE_NULL | 1u << TYPE_VARIANT);
    int tried = 0;
    for (unsigned seed = 0; seed < 2000 && tried < 400; seed++) {
        struct rng rng = {seed};
        const struct type *schema = random_schema_of(&rng, 1 + seed % 4, kinds, &arena);
        if (!is_writable(schema))
            continue;
        tried++;
        if (!round_trip(&rng, schema, &arena)) {
            fprintf(stderr, "    seed %u\n", seed);
            break;
        }
        arena_reset(&arena);
    }
    EXPECT(tried > 100);
    arena_fini(&arena);
}

TEST(null_records_are_null_rows)
{
    struct run run;
    begin(&run, "a INT, l ARRAY<INT>");
    struct str records[] = {{NULL, 0}, STR("{\"a\":1,\"l\":[1]}"), {NULL, 0}};
    EXPECT(decode(&run, records, 3));
    EXPECT_EQ_INT(run.batch->rows, 3);
    EXPECT(column_is_null(&run.batch->columns[0], 0) && column_is_null(&run.batch->columns[1], 2));
    EXPECT_EQ_INT(column_null_count(&run.batch->columns[1]), 2);
    EXPECT_EQ_INT(run.heard.bad.n, 0);
    end(&run);
}

/* With something to escape at each place, and with nothing. */
TEST(strings_of_every_length_are_written)
{
    enum { LENGTH_MAX = 40 };
    static const char *const escapes[] = {"\\\"", "\\\\", "\\n", "\\u0001", "ü"};
    struct run run;
    begin(&run, "a STRING");
    for (int n = 0; n <= LENGTH_MAX; n++)
        for (int at = 0; at <= n; at++) {
            const char *escape = at < n ? escapes[(n + at) % 5] : "";
            struct sbuf text = {0};
            sbuf_printf(&text, "{\"a\":\"%.*s%s%.*s\"}", at,
                        "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz", escape,
                        at < n ? n - at - 1 : 0, "ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFGHIJKLMNOPQRSTUVWXYZ");
            struct str record = sbuf_view(&text);
            EXPECT(decode(&run, &record, 1));
            sbuf_clear(&run.text);
            json_encode(json_encoder_new(run.pool, run.schema, NULL, &run.err), run.batch, 0, 1, '\0',
                        &run.text, NULL);
            sbuf_char(&run.text, '\0');
            EXPECT_STR(run.text.p, text.p);
            sbuf_fini(&text);
        }
    end(&run);
}

/* ---- blocks ------------------------------------------------------------------------------------------------------------ */

static const char flat[] =
    "id BIGINT, name STRING, n INT, at TIMESTAMP, x DOUBLE, ok BOOLEAN, f FLOAT, d DECIMAL(10,2), day DATE, "
    "s SMALLINT, b TINYINT, raw BINARY, note STRING";

static const char *one_of(struct rng *rng, const char *const *texts, size_t count)
{
    return texts[rng_below(rng, count)];
}

#define ONE_OF(rng, ...)                                                                                     \
    one_of(rng, (const char *const[]){__VA_ARGS__},                                                          \
           sizeof((const char *const[]){__VA_ARGS__}) / sizeof(const char *))

/* A value for column `field` of `flat`: mostly as it should be, and now and then in any other form. */
static const char *random_json(struct rng *rng, int field)
{
    if (rng_one_in(rng, 40))
        return ONE_OF(rng, "null", "[1]", "{}", "\"\"", "tru", "nul", "-", "1e3", "01", "0x1", "1.", ".5",
                      "\"\\x\"", "\"a\x01z\"", "\"cut", "{\"a\":[1,{\"b\":2}]}", "\"\xC3\"", "1 ", "",
                      "99999999999999999999", "-0", "1.5", "\"2024-13-01T00:00:00Z\"", "true", "12345678");
    switch (field) {
    case 0:
        return ONE_OF(rng, "1", "-7", "1234567", "12345678", "123456789012345678", "0", "-0",
                      "9223372036854775807");
    case 2: return ONE_OF(rng, "0", "2147483647", "-2147483648", "2147483648", "55");
    case 3:
        return ONE_OF(rng, "\"2024-02-29T23:59:59.123456Z\"", "\"2023-02-29T00:00:00Z\"",
                      "\"1999-12-31 10:00:00+02:00\"", "\"2024-01-02T03:04:05\"", "1700000000",
                      "\"2024-01-02T03:04:05.1234567891Z\"");
    case 4:
        return ONE_OF(rng, "1.5", "-0.001", "1234.5678", "0.123456789012", "12345678.12345678", "3", "1e-7",
                      "\"NaN\"", "00.5");
    case 5: return ONE_OF(rng, "true", "false");
    case 6: return ONE_OF(rng, "0.1", "16777217", "-2.5");
    case 7: return ONE_OF(rng, "12.34", "12.345", "99999999.99", "100000000", "\"7.5\"");
    case 8: return ONE_OF(rng, "\"2024-02-29\"", "\"2023-02-29\"", "\"1-1-1\"");
    case 9: return ONE_OF(rng, "32767", "32768", "-5");
    case 10: return ONE_OF(rng, "127", "-129", "3");
    case 11: return ONE_OF(rng, "\"aGVsbG8=\"", "\"?\"");
    default:
        return ONE_OF(
            rng, "\"\"", "\"a\"", "\"twelve bytes\"", "\"thirteen byte\"", "\"exactly sixteen.\"",
            "\"seventeen bytes..\"", "\"a text that is a good deal longer than thirty-two bytes\"",
            "\"Z\xC3\xBCrich\"", "\"\\u00fc \\\"x\\\" \\n\"",
            "\"\xE6\x97\xA5\xE6\x9C\xAC\xE8\xAA\x9E\xE6\x97\xA5\xE6\x9C\xAC\xE8\xAA\x9E\xE6\x97\xA5\xE6\x9C\xAC\xE8\xAA\x9E\"",
            "17", "a text that is no JSON");
    }
}

/* One in `rare` members is missing, twice there or elsewhere, has a name of no column, or stands with blanks around it. */
static void random_record(struct rng *rng, unsigned rare, struct sbuf *out)
{
    static const char *const names[] = {"id", "name", "n", "at", "x",   "ok",  "f",
                                        "d",  "day",  "s", "b",  "raw", "note"};
    enum { NAMES = sizeof names / sizeof *names };
    const char *between = "";
    bool spaced = rng_one_in(rng, 4);
    sbuf_char(out, '{');
    for (int i = 0; i < NAMES; i++) {
        if (rng_one_in(rng, rare))
            continue;
        int field = rng_one_in(rng, rare * 4) ? (int)rng_below(rng, NAMES) : i;
        if (rng_one_in(rng, rare * 4)) {
            sbuf_printf(out, "%s\"%s\":%s", between,
                        ONE_OF(rng, "more", "a name longer than thirty-two bytes are", "q\\n"),
                        random_json(rng, 1 + (int)rng_below(rng, 12)));
            between = ",";
        }
        sbuf_printf(out, "%s\"%s\":%s%s%s", between, names[field], spaced ? " " : "", random_json(rng, field),
                    rng_one_in(rng, rare * 20) ? "\n" : "");
        between = spaced ? ", " : ",";
    }
    sbuf_cstr(out, rng_one_in(rng, 100) ? "}}" : rng_one_in(rng, 100) ? ",}" : "}");
}

static void hear_briefly(void *arg, const struct json_bad *bad)
{
    struct heard *heard = arg;
    if (bad->kind == JSON_BAD_VALUE)
        hear_bad(arg, bad);
    else
        sbuf_printf(&heard->bad, "%u\n", bad->row);
}

/* All that comes of some records, as text. */
static void decode_briefly(struct json_decoder *decoder, const struct str *records, uint32_t count,
                           struct run *run)
{
    const struct json_report report = {hear_briefly, hear_unknown, &run->heard};
    struct err err = {0};
    batch_reset(run->batch);
    CHECK(json_decode(decoder, records, count, run->batch, &report, &err));
    if (!EXPECT(batch_check(run->batch, &err)))
        fprintf(stderr, "    %s\n", err.text);
    json_encode(json_encoder_new(run->pool, run->schema, NULL, &err), run->batch, 0, count, '\n', &run->text,
                NULL);
}

static void expect_same(const struct sbuf *a, const struct sbuf *b)
{
    size_t at = 0;
    while (at < a->n && at < b->n && a->p[at] == b->p[at])
        at++;
    if (!EXPECT(at == a->n && at == b->n))
        fprintf(stderr, "    at %zu: \"%.60s\", not \"%.60s\"\n", at, a->p + at, b->p + at);
}

/* With a blank before it, no record is read in a block: what is read in blocks must be the same. */
static void blocks_read_what_records_say(enum json_cpu cpu, uint64_t seed)
{
    enum { BATCHES = 6, ROWS = 100 };
    struct rng rng = {seed};
    struct run fast, slow;
    unsigned rare = 5 + (unsigned)rng_below(&rng, 200);
    begin(&fast, flat);
    begin(&slow, flat);
    fast.options.cpu = cpu;
    fast.options.copy = slow.options.copy = rng_one_in(&rng, 3);
    fast.options.report_unknown = slow.options.report_unknown = rng_one_in(&rng, 2);
    fast.decoder = json_decoder_new(fast.pool, fast.schema, &fast.options, &fast.err);
    slow.decoder = json_decoder_new(slow.pool, slow.schema, &slow.options, &slow.err);
    for (int batch = 0; batch < BATCHES; batch++) {
        struct str records[ROWS], blank_records[ROWS];
        struct sbuf text = {0};
        for (int i = 0; i < ROWS; i++) {
            sbuf_clear(&text);
            random_record(&rng, rare, &text);
            blank_records[i] = str_n(mem_new(text.n + 1), text.n + 1);
            memcpy((char *)blank_records[i].p + 1, text.p, text.n);
            *(char *)blank_records[i].p = ' ';
            records[i] = str_n(memcpy(mem_new(text.n), text.p, text.n), text.n);
        }
        decode_briefly(fast.decoder, records, ROWS, &fast);
        decode_briefly(slow.decoder, blank_records, ROWS, &slow);
        for (int i = 0; i < ROWS; i++) {
            mem_free((char *)records[i].p);
            mem_free((char *)blank_records[i].p);
        }
        sbuf_fini(&text);
    }
    sbuf_char(&fast.text, '\0');
    sbuf_char(&slow.text, '\0');
    expect_same(&fast.text, &slow.text);
    expect_same(&fast.heard.bad, &slow.heard.bad);
    expect_same(&fast.heard.unknown, &slow.heard.unknown);
    end(&fast);
    end(&slow);
}

TEST(blocks)
{
    for (uint64_t seed = 1; seed <= 150; seed++)
        blocks_read_what_records_say((enum json_cpu)(seed % (JSON_CPU_AVX512 + 1)), seed);
}

int main(void)
{
    RUN(plain_records);
    RUN(every_type);
    RUN(times);
    RUN(text_columns_take_anything_raw);
    RUN(escapes);
    RUN(repeated_fields);
    RUN(what_does_not_fit);
    RUN(what_is_not_json);
    RUN(cut_records);
    RUN(options);
    RUN(modes);
    RUN(unknown_fields_are_reported_once);
    RUN(any_order_of_fields);
    RUN(numbers_read_back_exactly);
    RUN(random_batches_come_back);
    RUN(null_records_are_null_rows);
    RUN(strings_of_every_length_are_written);
    RUN(blocks);
    return test_end();
}

/* Records in a text: lines, and the elements of an array in a document, in pieces of every size. */
#include "base/test.h"
#include "format/json.h"

TEST(lines)
{
    struct str records[8];
    size_t used;
    struct str text = STR("{\"a\":1}\r\n\n  \t\n {\"b\":2} \n{\"c\"");
    EXPECT_EQ_INT(json_lines(text, false, records, 8, &used), 2);
    EXPECT(str_is(records[0], "{\"a\":1}") && str_is(records[1], "{\"b\":2}"));
    EXPECT_EQ_INT(used, text.n - 4);
    EXPECT_EQ_INT(json_lines(text, true, records, 8, &used), 3);
    EXPECT_EQ_INT(used, text.n);
    EXPECT_EQ_INT(json_lines(text, true, records, 1, &used), 1);
    EXPECT_EQ_INT(used, 9);
}

/* All records of the document, fed in pieces of that size, as "[record][record]" and then "found", "." or
 * the error. */
static void split(const char *path, const char *text, size_t piece, size_t record_max, struct sbuf *seen)
{
    struct json_split s;
    struct err err = {0};
    size_t n = strlen(text), from = 0, have = piece < n ? piece : n;
    json_split_init(&s, str_of(path), record_max);
    sbuf_clear(seen);
    for (;;) {
        struct str record;
        char *exact = memcpy(mem_new(have - from + 1), text + from, have - from); /* a window of its own */
        enum json_split_result result = json_split_next(&s, str_n(exact, have - from), have == n, &record,
                                                        &err);
        if (result == JSON_SPLIT_RECORD)
            sbuf_printf(seen, "[%.*s]", STR_ARG(record));
        mem_free(exact);
        from += s.used;
        if (result == JSON_SPLIT_MORE) {
            if (!EXPECT(have < n))
                return;
            have = have + piece < n ? have + piece : n;
        } else if (result != JSON_SPLIT_RECORD) {
            sbuf_cstr(seen, result == JSON_SPLIT_BAD ? err.text : s.found ? "found" : ".");
            return;
        }
    }
}

static void expect(const char *path, const char *text, const char *wanted, int line)
{
    struct sbuf seen = {0};
    for (size_t piece = 1; piece <= strlen(text) + 1; piece++) {
        split(path, text, piece, 1000, &seen);
        if (!EXPECT_STR(seen.p, wanted)) {
            fprintf(stderr, "    line %d, pieces of %zu\n", line, piece);
            break;
        }
    }
    sbuf_fini(&seen);
}
#define GIVES(path, text, wanted) expect(path, text, wanted, __LINE__)

TEST(elements_at_a_path)
{
    GIVES("results", "{\"results\":[{\"a\":[1,2]}, {\"b\":\"]}\\\"\"}],\"info\":{\"x\":1}}",
          "[{\"a\":[1,2]}][{\"b\":\"]}\\\"\"}]found");
    GIVES("data.items",
          "{ \"meta\" : {\"items\":[9]} , \"data\" : { \"n\" : 2 , \"items\" : [ 1 , \"two\" , null ] } }",
          "[1][\"two\"][null]found");
    GIVES("a.b", "{\"a\":[{\"b\":[1]}],\"b\":[2]}", ".");
    GIVES("a", "{\"a\":[]}", "found");
    GIVES("a", "{\"a\":{\"x\":[1]}}", "[{\"x\":[1]}]found");
    GIVES("a", "{\"a\":7}", "[7]found");
    GIVES("a", "{}", ".");
    GIVES("a", "\"no object\"", ".");
    GIVES("a.b", "{\"a\":{},\"a\":{\"b\":[1]}}\n{\"a\":{\"b\":[2]}}", "[1][2]found");
}

TEST(documents_in_a_row)
{
    GIVES("", "[1,[2],{\"a\":3}]", "[1][[2]][{\"a\":3}]found");
    GIVES("", "{\"a\":\n1}\n{\"b\":2} 3 \"x\" [4] ", "[{\"a\":\n1}][{\"b\":2}][3][\"x\"][4]found");
    GIVES("", "\xEF\xBB\xBF{\"a\":1}", "[{\"a\":1}]found");
    GIVES("", "  ", ".");
}

TEST(what_is_not_json)
{
    GIVES("a", "{\"a\":[\"x\",1", "[\"x\"][1]this is not JSON: the text ends too early");
    GIVES("a", "{\"a\":[1]", "[1]this is not JSON: the text ends too early");
    GIVES("a", "{\"b\":{\"x\":", "this is not JSON: the text ends too early");
    GIVES("a", "{\"a\" [1]}", "this is not JSON: a comma, a name or a bracket is missing");
    GIVES("a", "{\"a\":[1 2]}", "[1]this is not JSON: a comma, a name or a bracket is missing");
    GIVES("a", "{\"a\":[1}", "[1]this is not JSON: a comma, a name or a bracket is missing");
    GIVES("a", "{\"a\":,}", "this is not JSON: a value is expected");
    GIVES("a", "{\"a\":[\"x", "this is not JSON: the text ends too early");
    GIVES("", "}", "this is not JSON: a value is expected");
}

TEST(large_records_are_refused)
{
    struct sbuf seen = {0};
    split("a", "{\"skipped\":\"0123456789012345678901234567890123456789\",\"a\":[1234567890]}", 5, 16, &seen);
    EXPECT_STR(seen.p, "[1234567890]found");
    split("a", "{\"a\":[\"01234567890123456\"]}", 5, 16, &seen);
    EXPECT_STR(seen.p, "a record is larger than 16 bytes");
    split("a", "{\"a name that is longer than that\":1}", 5, 16, &seen);
    EXPECT_STR(seen.p, "this is not JSON: a name is too long");
    sbuf_fini(&seen);
}

int main(void)
{
    RUN(lines);
    RUN(elements_at_a_path);
    RUN(documents_in_a_row);
    RUN(what_is_not_json);
    RUN(large_records_are_refused);
    return test_end();
}

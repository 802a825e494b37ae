/* Keys, and what becomes of rows in raw topics; the way through a store and back is in tests/cli/topics.test. */
#include "topic/topic.h"

#include "base/test.h"
#include "format/json.h"
#include "topic/key.h"

static struct arena scratch;

static const struct type *ddl(const char *text)
{
    const struct type *type = NULL;
    struct err err;
    if (!EXPECT(type_parse_ddl(&scratch, str_of(text), &type, &err)))
        fprintf(stderr, "%s\n", err.text);
    return type;
}

/* The key that each of a few JSON records gets; rows of the same records, of that schema, must get the same. */
static void expect_keys(const struct topic_def *def, const char *schema, const char *const *records,
                        const char *const *wanted, uint32_t count)
{
    struct pool *pool = pool_new(NULL, "test");
    struct str values[16];
    const struct str *keys;
    struct topic_key *key;
    struct err err = {0};
    for (uint32_t i = 0; i < count; i++)
        values[i] = str_of(records[i]);
    for (int by_rows = 0; by_rows < 2; by_rows++) {
        struct batch *batch = batch_new();
        if (by_rows) {
            struct json_decoder *decoder = json_decoder_new(pool, ddl(schema), NULL, &err);
            EXPECT(json_decode(decoder, values, count, batch, NULL, &err));
            EXPECT(topic_key_of_rows(pool, def, batch->schema, &key, &err));
            keys = topic_key_rows(key, batch);
        } else {
            EXPECT(topic_key_of_records(pool, def, &key, &err));
            EXPECT(topic_key_records(key, values, count, &keys, &err));
        }
        for (uint32_t i = 0; i < count; i++) {
            bool same = wanted[i] ? keys[i].p && str_is(keys[i], wanted[i]) : keys[i].p == NULL;
            if (!EXPECT(same))
                fprintf(stderr, "  %s of %s: %.*s\n", by_rows ? "row" : "record", records[i],
                        STR_ARG(keys[i]));
        }
        batch_free(batch);
    }
    pool_free(pool);
}

TEST(a_key_of_one_column_is_its_text)
{
    const char *name[] = {"id"};
    struct topic_def def = {.name = "t", .keys = name, .key_count = 1, .partitions = 1};
    const char *records[] = {"{\"id\":\"a \\\"b\\\" é\"}", "{\"id\":\"\"}", "{\"id\":null}", "{\"x\":1}",
                             "{\"id\":\"7\"}"};
    const char *texts[] = {"a \"b\" é", "", NULL, NULL, "7"};
    expect_keys(&def, "id STRING, x INT", records, texts, 5);
    def.schema = ddl("x INT, id STRING");
    expect_keys(&def, "id STRING, x INT", records, texts, 5);
    def.schema = NULL;
    const char *numbers[] = {"{\"id\":5}", "{\"id\":-9223372036854775808}", "{}"};
    const char *number_texts[] = {"5", "-9223372036854775808", NULL};
    expect_keys(&def, "id BIGINT", numbers, number_texts, 3);
    def.schema = ddl("id TIMESTAMP");
    const char *times[] = {"{\"id\":\"2024-01-02T03:04:05+01:00\"}", "{\"id\":\"2024-01-02 02:04:05.5\"}"};
    const char *time_texts[] = {"2024-01-02T02:04:05.000000Z", "2024-01-02T02:04:05.500000Z"};
    expect_keys(&def, "id TIMESTAMP", times, time_texts, 2);
    def.schema = ddl("id BINARY");
    const char *bytes[] = {"{\"id\":\"aGk=\"}"};
    const char *byte_texts[] = {"hi"};
    expect_keys(&def, "id BINARY", bytes, byte_texts, 1);
    def.schema = ddl("id BOOLEAN");
    const char *flags[] = {"{\"id\":true}", "no JSON"};
    const char *flag_texts[] = {"true", NULL};
    expect_keys(&def, "id BOOLEAN", flags, flag_texts, 2);
    def.schema = NULL;
    const char *path[] = {"a.b"};
    def.keys = path;
    const char *nested[] = {"{\"a\":{\"b\":\"x\"}}", "{\"a\":null}", "{\"a\":{}}"};
    const char *nested_texts[] = {"x", NULL, NULL};
    expect_keys(&def, "a STRUCT<b: STRING>", nested, nested_texts, 3);
}

TEST(a_key_of_several_columns_is_an_object)
{
    const char *names[] = {"day", "a.id"};
    struct topic_def def = {.name = "t", .keys = names, .key_count = 2, .partitions = 1};
    const char *records[] = {"{\"a\":{\"id\":7},\"day\":\"2024-01-02\"}",
                             "{\"a\":null,\"day\":\"2024-01-02\"}", "{\"a\":{\"id\":8}}",
                             "{\"a\":{\"id\":null},\"day\":null,\"x\":1}", "7"};
    const char *wanted[] = {"{\"day\":\"2024-01-02\",\"a.id\":7}", "{\"day\":\"2024-01-02\",\"a.id\":null}",
                            "{\"day\":null,\"a.id\":8}", NULL, NULL};
    expect_keys(&def, "a STRUCT<id: BIGINT>, day STRING", records, wanted, 5);
    def.schema = ddl("day DATE, a STRUCT<id: BIGINT, more: STRING>");
    expect_keys(&def, "a STRUCT<id: BIGINT>, day DATE", records, wanted, 5);
    struct topic_key *key;
    struct err err = {0};
    struct pool *pool = pool_new(NULL, "test");
    EXPECT(!topic_key_of_rows(pool, &def, ddl("day DATE, a BIGINT"), &key, &err));
    EXPECT_STR(err.text, "topic \"t\": the key column \"a.id\" is not among the columns of its rows");
    pool_free(pool);
}

TEST(what_raw_topics_take)
{
    const struct topic_def raw = {.name = "t", .format = TOPIC_RAW, .raw = true, .partitions = 1};
    const struct topic_def json = {.name = "t", .partitions = 1};
    struct err err = {0};
    EXPECT(topic_takes(&json, ddl("a INT"), &err));
    EXPECT(topic_takes(&raw, ddl("value STRING"), &err));
    EXPECT(topic_takes(&raw,
                       ddl("Key BINARY, VALUE BINARY, partition INT, topic STRING, offset BIGINT, "
                           "headers ARRAY<STRUCT<key: STRING, value: BINARY>>"),
                       &err));
    EXPECT(!topic_takes(&raw, ddl("a INT"), &err));
    EXPECT_STR(err.text, "rows for the raw topic \"t\" have no column \"value\"");
    EXPECT(!topic_takes(&raw, ddl("value INT"), &err));
    EXPECT_STR(err.text, "the column \"value\" of rows for the raw topic \"t\" is not STRING or BINARY");
    EXPECT(!topic_takes(&raw, ddl("value STRING, headers MAP<STRING, BINARY>"), &err));
    EXPECT(!topic_takes(&raw, ddl("value STRING, partition BIGINT"), &err));
}

int main(void)
{
    RUN(a_key_of_one_column_is_its_text);
    RUN(a_key_of_several_columns_is_an_object);
    RUN(what_raw_topics_take);
    arena_fini(&scratch);
    return test_end();
}

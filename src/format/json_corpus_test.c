/* Answers of randomuser.me: split, inferred, decoded, written, decoded again. */
#include <ref/random_batch.h>

#include "base/test.h"
#include "format/json.h"
#include "json/tree.h"

enum { USERS_MAX = 1000 };

static struct sbuf text;
static struct str users[USERS_MAX];
static uint32_t user_count;

static void load(void)
{
    const char *folder = getenv("SLUICE_CORPORA");
    char path[4096];
    snprintf(path, sizeof path, "%s/randomuser/users-v1.4.json", folder ? folder : "../shared/corpora");
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        test_skip("there is no corpus randomuser/users-v1.4.json in $SLUICE_CORPORA");
    for (size_t n; (n = fread(sbuf_reserve(&text, 65536), 1, 65536, file)) > 0;)
        sbuf_added(&text, n);
    fclose(file);
}

TEST(users_are_split)
{
    struct json_split split;
    struct str window = sbuf_view(&text), record;
    struct err err = {0};
    json_split_init(&split, STR("results"), JSON_RECORD_MAX);
    enum json_split_result result;
    while ((result = json_split_next(&split, window, true, &record, &err)) == JSON_SPLIT_RECORD &&
           user_count < USERS_MAX) {
        users[user_count++] = record;
        window = str_n(window.p + split.used, window.n - split.used);
    }
    if (!EXPECT_EQ_INT(result, JSON_SPLIT_END))
        fprintf(stderr, "    %s\n", err.text);
    EXPECT_EQ_INT(user_count, 42);
}

static void count_bad(void *arg, const struct json_bad *bad)
{
    (*(int *)arg)++;
    fprintf(stderr, "    user %u: %.*s: %s for %.*s\n", bad->row, STR_ARG(bad->path), bad->found,
            STR_ARG(bad->wanted));
}

TEST(users_become_rows)
{
    struct pool *pool = pool_new(NULL, "test");
    struct arena arena = {0};
    struct err err = {0};
    struct json_inference *inference = json_inference_new(pool, NULL);
    for (uint32_t i = 0; i < user_count; i++)
        EXPECT(json_inference_add(inference, users[i], &err));
    const struct type *schema = json_inference_schema(inference, pool_arena(pool));
    struct sbuf simple = {0};
    type_to_simple(schema, &simple);
    EXPECT(strstr(simple.p, "street:struct<number:bigint,name:string>") != NULL);
    EXPECT(strstr(simple.p, "postcode:string") != NULL); /* numbers in most countries */
    EXPECT(strstr(simple.p, "id:struct<name:string,value:string>") != NULL);

    int bad = 0;
    struct json_report report = {.bad = count_bad, .arg = &bad};
    struct batch *batch = batch_new(), *back = batch_new();
    struct json_decoder *decoder = json_decoder_new(pool, schema, NULL, &err);
    EXPECT(json_decode(decoder, users, user_count, batch, &report, &err));
    EXPECT(batch_check(batch, &err));
    EXPECT_EQ_INT(bad, 0);

    struct sbuf out = {0};
    uint32_t ends[USERS_MAX];
    struct str again[USERS_MAX];
    json_encode(json_encoder_new(pool, schema, NULL, &err), batch, 0, batch->rows, 0, &out, ends);
    for (uint32_t i = 0; i < user_count; i++)
        again[i] = str_n(out.p + (i ? ends[i - 1] : 0), ends[i] - (i ? ends[i - 1] : 0));
    EXPECT(json_decode(decoder, again, user_count, back, &report, &err));
    EXPECT(rows_equal(batch_to_rows(batch, &arena), batch_to_rows(back, &arena), user_count));
    EXPECT_EQ_INT(bad, 0);
    sbuf_fini(&simple);
    sbuf_fini(&out);
    batch_free(batch);
    batch_free(back);
    arena_fini(&arena);
    pool_free(pool);
}

TEST(typed_users)
{
    struct pool *pool = pool_new(NULL, "test");
    const struct type *schema;
    struct err err = {0};
    struct batch *batch = batch_new();
    EXPECT(type_parse_ddl(
        pool_arena(pool),
        STR("gender STRING, name STRUCT<first: STRING>, location STRUCT<postcode: STRING, coordinates: "
            "STRUCT<latitude: DECIMAL(8,4)>>, dob STRUCT<date: TIMESTAMP, age: INT>"),
        &schema, &err));
    int bad = 0;
    struct json_report report = {.bad = count_bad, .arg = &bad};
    EXPECT(json_decode(json_decoder_new(pool, schema, NULL, &err), users, user_count, batch, &report, &err));
    EXPECT_EQ_INT(bad, 0);
    for (uint32_t i = 0; i < schema->field_count; i++)
        EXPECT_EQ_INT(column_null_count(&batch->columns[i]), 0);
    EXPECT_EQ_INT(column_null_count(&batch->columns[3].children[0]), 0);
    batch_free(batch);
    pool_free(pool);
}

int main(void)
{
    load();
    RUN(users_are_split);
    RUN(users_become_rows);
    RUN(typed_users);
    sbuf_fini(&text);
    return test_end();
}

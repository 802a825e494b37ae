/* A topic's records of about 384 bytes to columns, from memory, on one core: plain JSON, and JSON with a schema id, which has to be found, part by part, before
 * the value. Best of several rounds. */
#include <stdio.h>

#include "os/os.h"
#include "topic/schemas.h"

enum { RECORDS = 2500, ROUNDS = 200 };

static const char schema_text[] =
    "{\"type\":\"object\",\"properties\":{\"id\":{\"type\":\"integer\"},\"user_id\":{\"type\":\"string\"},\"session\":{\"type\":\"string\"},"
    "\"ts\":{\"type\":\"string\",\"format\":\"date-time\"},\"event\":{\"type\":\"string\"},\"city\":{\"type\":\"string\"},"
    "\"price\":{\"type\":\"number\"},\"quantity\":{\"type\":\"integer\"},\"ok\":{\"type\":\"boolean\"},\"score\":{\"type\":\"number\"},"
    "\"url\":{\"type\":\"string\"},\"agent\":{\"type\":\"string\"}}}";
static const char ddl[] =
    "id BIGINT, user_id STRING, session STRING, ts TIMESTAMP, event STRING, city STRING, price DOUBLE, "
    "quantity BIGINT, ok BOOLEAN, score DOUBLE, url STRING, agent STRING";

static enum schema_found find(void *arg, const struct schema_id *id, struct arena *arena,
                              struct schema_source *source, struct err *err)
{
    (void)arg, (void)id, (void)arena, (void)err;
    *source = (struct schema_source){.kind = SCHEMA_JSON, .text = str_of(schema_text)};
    return SCHEMA_FOUND;
}

static const struct topic_schemas schemas = {.find = find};

static size_t put_records(struct records_builder *builder, bool with_id)
{
    size_t bytes = 0;
    char text[600];
    records_begin(builder);
    for (int i = 0; i < RECORDS; i++) {
        int n = snprintf(
            text + 5, sizeof text - 5,
            "{\"id\":%d,\"user_id\":\"user_%d\",\"session\":\"%08x%08x%08x%08x\",\"ts\":\"2026-11-%02dT%02d:%02d:%02d.%06dZ\",\"event\":\"%s\","
            "\"city\":\"Hamburg\",\"price\":%d.%02d,\"quantity\":%d,\"ok\":%s,\"score\":0.%012d,"
            "\"url\":\"https://example.com/p/%d/item?ref=%d&campaign=autumn\",\"agent\":\"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.%d "
            "(KHTML, like Gecko)\"}",
            i, i * 7919 % 100000, i * 31, i * 37, i * 41, i * 43, 1 + i % 28, i / 3600 % 24, i / 60 % 60,
            i % 60, i * 397 % 1000000, i % 3 ? "view" : "add_to_cart", i % 500, i % 100, 1 + i % 5,
            i % 10 ? "true" : "false", i * 104729, i % 10000, i % 1000, i % 100);
        memcpy(text, "\0\0\0\0\1", 5);
        records_add(builder, 1000, (struct str){0},
                    with_id ? str_n(text, (size_t)n + 5) : str_n(text + 5, (size_t)n), NULL, 0);
        bytes += (size_t)n;
    }
    return bytes;
}

static void measure(const char *name, enum topic_format format)
{
    struct pool *pool = pool_new(NULL, "bench");
    struct arena *arena = pool_arena(pool);
    struct records_builder builder = {0};
    struct topic_def def = {.name = "t", .format = format, .schemas = &schemas};
    struct topic_decoder *decoder;
    struct batch *batch = batch_new();
    const struct type *columns;
    struct str bytes;
    struct err err;
    uint32_t wanted[16];
    size_t size = put_records(&builder, format == TOPIC_JSON_SCHEMA);
    CHECK(records_end(&builder, 0, 0, NULL, &bytes, &err) &&
          type_parse_ddl(arena, str_of(ddl), &columns, &err));
    for (uint32_t i = 0; i < columns->field_count; i++)
        wanted[i] = i;
    const struct plan scan = {
        .kind = PLAN_SCAN, .schema = columns, .columns = wanted, .column_count = columns->field_count};
    CHECK(topic_decoder_new(pool, &def, columns, &scan, &decoder, &err));
    const struct log_slice slice = {
        .p = (const uint8_t *)bytes.p, .n = bytes.n, .buf = builder.buf, .next_offset = RECORDS};
    int64_t best = INT64_MAX;
    for (int i = 0; i < ROUNDS; i++) {
        struct mono_time start = os_mono();
        CHECK(topic_decode(decoder, &slice, 0, 0, INT64_MAX, batch, NULL, &err) && batch->rows == RECORDS);
        int64_t ns = mono_since_ns(os_mono(), start);
        best = ns < best ? ns : best;
    }
    printf("%-24s %6.2f M records/s of %zu bytes\n", name, RECORDS * 1e3 / (double)best, size / RECORDS);
    batch_free(batch);
    records_builder_fini(&builder);
    pool_free(pool);
}

int main(void)
{
    measure("JSON", TOPIC_JSON);
    measure("JSON with a schema", TOPIC_JSON_SCHEMA);
    return 0;
}

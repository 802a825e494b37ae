/* Apache Avro's own files: container files in every codec that is read, against the rows as JSON; a message with its fingerprint. */
#include "base/bytes.h"
#include "base/test.h"
#include "format/avro_file.h"
#include "format/json.h"

static char folder[2048];
static struct pool *pool;

static struct str load(const char *name)
{
    char path[4096];
    struct sbuf b = {0};
    snprintf(path, sizeof path, "%s/share/test/%s", folder, name);
    FILE *f = fopen(path, "rb");
    size_t n = 1;
    while (f && n > 0) {
        n = fread(sbuf_reserve(&b, 1 << 16), 1, 1 << 16, f);
        sbuf_added(&b, n);
    }
    if (!EXPECT(f != NULL))
        exit(1);
    fclose(f);
    struct str text = str_n(arena_dup(pool_arena(pool), b.n ? b.p : "", b.n), b.n);
    sbuf_fini(&b);
    return text;
}

static bool read_at(void *arg, uint64_t offset, size_t n, uint8_t *out, struct err *err)
{
    const struct str *bytes = arg;
    (void)err;
    CHECK(offset + n <= bytes->n);
    memcpy(out, bytes->p + offset, n);
    return true;
}

/* The rows as JSON lines; or the error. */
static const char *rows_of(const char *name, uint64_t *count)
{
    static struct sbuf rows;
    struct str bytes = load(name);
    struct err err = {0};
    const struct avro_source source = {bytes.n, read_at, &bytes};
    struct json_options options = json_options_default();
    options.ignore_null_fields = true;
    struct avro_file *file = avro_file_open(pool, &source, NULL, &err);
    sbuf_clear(&rows);
    sbuf_cstr(&rows, "");
    *count = 0;
    if (file == NULL)
        return arena_strdup(pool_arena(pool), err.text);
    struct json_encoder *encoder = json_encoder_new(pool, avro_file_columns(file), &options, &err);
    struct batch *batch = batch_new();
    bool end = false, ok = true;
    while ((ok = avro_file_next(file, batch, NULL, &end, &err)) && !end) {
        EXPECT(batch_check(batch, &err));
        *count += batch->rows;
        json_encode(encoder, batch, 0, batch->rows, '\n', &rows, NULL);
    }
    EXPECT(ok && !avro_file_is_cut(file));
    batch_free(batch);
    avro_file_close(file);
    return rows.p ? rows.p : "";
}

static const char weather[] = "{\"station\":\"011990-99999\",\"time\":-619524000000,\"temp\":0}\n"
                              "{\"station\":\"011990-99999\",\"time\":-619506000000,\"temp\":22}\n"
                              "{\"station\":\"011990-99999\",\"time\":-619484400000,\"temp\":-11}\n"
                              "{\"station\":\"012650-99999\",\"time\":-655531200000,\"temp\":111}\n"
                              "{\"station\":\"012650-99999\",\"time\":-655509600000,\"temp\":78}\n";

TEST(the_same_rows_in_every_codec)
{
    static const char *const names[] = {"data/weather.avro", "data/weather-deflate.avro",
                                        "data/weather-snappy.avro", "data/weather-zstd.avro"};
    uint64_t count;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        EXPECT_STR(rows_of(names[i], &count), weather);
    rows_of("data/weather-sorted.avro", &count);
    EXPECT_EQ_INT(count, 5);
}

TEST(other_files)
{
    uint64_t count;
    EXPECT_STR(rows_of("data/test.avro12", &count),
               "not an Avro file: it does not begin as one"); /* of before 1.3 */
    rows_of("data/syncInMeta.avro", &count);
    EXPECT(count > 0);
    EXPECT(rows_of("data/schemas/simple/data.avro", &count)[0] != '\0');
    EXPECT(count > 0);
    EXPECT(rows_of("data/schemas/withUnion/data.avro", &count)[0] != '\0');
    EXPECT(count > 0);
}

/* C3 01, the fingerprint of its schema, a record. */
TEST(a_single_object)
{
    struct str message = load("data/messageV1/test_message.bin"),
               text = load("data/messageV1/test_schema.avsc");
    struct err err = {0};
    const struct schema *schema;
    struct sbuf rows = {0};
    if (!EXPECT(schema_parse(pool_arena(pool), &(struct schema_source){.text = text}, &schema, &err)))
        return;
    const struct avro_schema *avro = schema_avro(schema);
    EXPECT(message.n > 10 && get_be16(message.p) == 0xC301 &&
           get_le64(message.p + 2) == avro_fingerprint(avro));
    struct avro_decoder *decoder = avro_decoder_new(
        pool, avro, avro_columns_type(pool_arena(pool), avro, &err), NULL, &err);
    const struct avro_writer *writer = avro_decoder_writer(decoder, avro, &err);
    struct str record = str_n(message.p + 10, message.n - 10);
    struct batch *batch = batch_new();
    avro_decode(decoder, &record, &writer, 1, batch, NULL);
    json_encode(json_encoder_new(pool, batch->schema, NULL, &err), batch, 0, 1, '\n', &rows, NULL);
    EXPECT_STR(rows.p, "{\"id\":42,\"name\":\"Bill\",\"tags\":[\"dog_lover\",\"cat_hater\"]}\n");
    batch_free(batch);
    sbuf_fini(&rows);
}

int main(void)
{
    const char *corpora = getenv("SLUICE_CORPORA");
    snprintf(folder, sizeof folder, "%s/avro", corpora ? corpora : "../shared/corpora");
    char path[4096];
    snprintf(path, sizeof path, "%s/share/test/data/weather.avro", folder);
    FILE *f = fopen(path, "rb");
    if (f == NULL) {
        test_skip("there is no folder of Avro's test data");
        return test_end();
    }
    fclose(f);
    pool = pool_new(NULL, "test");
    RUN(the_same_rows_in_every_codec);
    RUN(other_files);
    RUN(a_single_object);
    pool_free(pool);
    return test_end();
}

/* Records with a schema id, through a topic's decoder: versions side by side, schemas that come later, ids that nobody knows, and what is no record. */
#include "topic/schemas.h"

#include "base/bytes.h"
#include "base/test.h"
#include "topic/show.h"

static struct arena arena;

/* A registry of a few texts, of which some are not there yet. */
static struct {
    const char *texts[8];
    enum schema_kind kind;
    bool later[8];
    uint32_t asked;
} registry;

static enum schema_found find(void *arg, const struct schema_id *id, struct arena *into,
                              struct schema_source *source, struct err *err)
{
    (void)arg, (void)into;
    registry.asked++;
    if (id->is_guid || id->id >= 8 || registry.texts[id->id] == NULL)
        return SCHEMA_MISSING;
    if (registry.later[id->id]) {
        err_set(err, ERR_RETRY, "later");
        return SCHEMA_LATER;
    }
    *source = (struct schema_source){.kind = registry.kind, .text = str_of(registry.texts[id->id])};
    return SCHEMA_FOUND;
}

static enum schema_found latest(void *arg, struct str subject, struct arena *into,
                                struct schema_source *source, uint32_t *id, struct err *err)
{
    (void)arg, (void)subject, (void)into, (void)source, (void)id, (void)err;
    return SCHEMA_MISSING;
}

static enum schema_found add(void *arg, struct str subject, const struct schema_source *source, uint32_t *id,
                             struct err *err)
{
    (void)arg, (void)subject, (void)err;
    for (*id = 1; *id < 8; ++*id) {
        if (registry.texts[*id] == NULL)
            registry.texts[*id] = str_dup(&arena, source->text);
        if (str_is(source->text, registry.texts[*id]))
            return SCHEMA_FOUND;
    }
    return SCHEMA_REFUSED;
}

static const struct topic_schemas schemas = {find, latest, add, NULL};

/* ---- records ---------------------------------------------------------------------------------------------------------------- */

static struct records_builder builder;

static void put(const char *bytes, size_t n)
{
    records_add(&builder, 1000, (struct str){0}, str_n(bytes, n), NULL, 0);
}
#define PUT(bytes) put((bytes), sizeof(bytes) - 1)

static struct log_slice slice_of(void)
{
    struct str batch;
    struct err err;
    CHECK(records_end(&builder, 0, 0, NULL, &batch, &err));
    return (struct log_slice){
        .p = (const uint8_t *)batch.p, .n = batch.n, .buf = builder.buf, .next_offset = builder.count};
}

struct heard {
    uint32_t bad, unknown;
    char reasons[2048];
};

static void hear_bad(void *arg, const struct topic_bad *bad)
{
    struct heard *h = arg;
    h->bad++;
    size_t n = strlen(h->reasons);
    snprintf(h->reasons + n, sizeof h->reasons - n, "%d: %.*s\n", (int)bad->offset, STR_ARG(bad->reason));
}

static void hear_unknown(void *arg, struct str path)
{
    (void)path;
    ((struct heard *)arg)->unknown++;
}

struct world {
    struct pool *pool;
    struct topic_def def;
    const struct type *columns;
    struct relation relation;
    struct plan scan;
    struct topic_decoder *decoder;
    struct batch *batch;
};

static void open_world(struct world *w, enum topic_format format, const char *ddl)
{
    struct err err;
    *w = (struct world){.pool = pool_new(NULL, "test"),
                        .def = {.name = "t", .format = format, .key_format = TOPIC_RAW, .schemas = &schemas},
                        .batch = batch_new()};
    CHECK(type_parse_ddl(&arena, str_of(ddl), &w->columns, &err));
    topic_relation(&arena, &w->def, w->columns, &w->relation);
    uint32_t *columns = arena_array(&arena, uint32_t, w->columns->field_count);
    for (uint32_t i = 0; i < w->columns->field_count; i++)
        columns[i] = i;
    w->scan = (struct plan){
        .kind = PLAN_SCAN, .schema = w->columns, .columns = columns, .column_count = w->columns->field_count};
    CHECK(topic_decoder_new(w->pool, &w->def, w->columns, &w->scan, &w->decoder, &err));
}

static void close_world(struct world *w)
{
    batch_free(w->batch);
    pool_free(w->pool);
    memset(&registry, 0, sizeof registry);
}

static bool decode(struct world *w, const struct log_slice *slice, struct heard *heard, struct err *err)
{
    const struct topic_report report = {hear_bad, hear_unknown, heard};
    *heard = (struct heard){0};
    return topic_decode(w->decoder, slice, 0, 0, INT64_MAX, w->batch, &report, err);
}

static int64_t number(const struct world *w, uint32_t column, uint32_t row)
{
    struct value v = column_value(&w->batch->columns[column], row, &arena);
    return v.is_null ? -1 : v.i64;
}

#define RECORD(fields) "{\"type\":\"record\",\"name\":\"R\",\"fields\":[" fields "]}"

TEST(versions_in_one_batch)
{
    struct world w;
    struct heard heard;
    struct err err;
    registry.texts[1] = RECORD("{\"name\":\"a\",\"type\":\"int\"},{\"name\":\"b\",\"type\":\"int\"}");
    registry.texts[2] = RECORD("{\"name\":\"c\",\"type\":\"string\"},{\"name\":\"a\",\"type\":\"int\"}");
    open_world(&w, TOPIC_AVRO, "a INT, b INT");
    records_begin(&builder);
    PUT("\0\0\0\0\1\2\4");   /* a 1, b 2 */
    PUT("\0\0\0\0\2\2x\6");  /* c x, a 3 */
    PUT("\0\0\0\0\1\10\12"); /* a 4, b 5 */
    PUT("\0\0\0\0\7\10\12"); /* nobody's */
    PUT("{\"a\":1}");        /* JSON */
    PUT("\0\0\0");           /* cut */
    PUT("\0\0\0\0\1\10");    /* b is cut off */
    PUT("\0\0\0\0\1\14\16"); /* a 6, b 7 */
    PUT("\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\2\2\4");
    const struct records_header header = {STR("__value_schema_id"), str_n("\0\0\0\0\1", 5)};
    records_add(&builder, 1000, (struct str){0}, str_n("\20\22", 2), &header, 1); /* a 8, b 9, bare */
    struct log_slice slice = slice_of();
    if (!EXPECT(decode(&w, &slice, &heard, &err)))
        fprintf(stderr, "%s\n", err.text);
    EXPECT_EQ_INT(w.batch->rows, 5);
    EXPECT(number(&w, 0, 0) == 1 && number(&w, 1, 0) == 2);
    EXPECT(number(&w, 0, 1) == 3 && number(&w, 1, 1) == -1);
    EXPECT(number(&w, 0, 2) == 4 && number(&w, 1, 2) == 5);
    EXPECT(number(&w, 0, 3) == 6 && number(&w, 1, 3) == 7);
    EXPECT(number(&w, 0, 4) == 8 && number(&w, 1, 4) == 9);
    EXPECT_EQ_INT(heard.bad, 5);
    EXPECT(heard.unknown == 1); /* c */
    EXPECT(strstr(heard.reasons, "3: unknown schema id: the registry has no schema 7\n") != NULL);
    EXPECT(strstr(heard.reasons, "4: no schema id: the value begins with the byte 0x7b") != NULL);
    EXPECT(strstr(heard.reasons, "5: truncated: the value has 3 bytes, a schema id takes 5\n") != NULL);
    EXPECT(strstr(heard.reasons, "6: ") != NULL);
    EXPECT(strstr(heard.reasons, "8: unknown schema id: the registry has no schema 00000000-0000-") != NULL);
    const struct type *wider = topic_columns_brought(w.decoder, &arena, w.columns);
    EXPECT(wider->field_count == 3 && strcmp(wider->fields[2].name, "c") == 0);
    uint32_t asked = registry.asked;
    EXPECT(decode(&w, &slice, &heard, &err) && w.batch->rows == 5);
    EXPECT_EQ_INT(registry.asked - asked, 2); /* of those alone that were missing */
    close_world(&w);
}

TEST(a_schema_that_comes_later)
{
    struct world w;
    struct heard heard;
    struct err err;
    registry.texts[1] = registry.texts[2] = RECORD("{\"name\":\"a\",\"type\":\"int\"}");
    registry.later[2] = true;
    open_world(&w, TOPIC_AVRO, "a INT");
    records_begin(&builder);
    PUT("\0\0\0\0\1\2");
    PUT("\0\0\0\0\7\2");
    PUT("\0\0\0\0\2\4");
    struct log_slice slice = slice_of();
    EXPECT(!decode(&w, &slice, &heard, &err) && err.class == ERR_RETRY);
    uint32_t asked = registry.asked;
    EXPECT(!decode(&w, &slice, &heard, &err) && err.class == ERR_RETRY);
    EXPECT_EQ_INT(registry.asked - asked, 1); /* what was missing is not asked for again in the same batch */
    registry.later[2] = false;
    EXPECT(decode(&w, &slice, &heard, &err) && w.batch->rows == 2 && heard.bad == 1);
    EXPECT(number(&w, 0, 0) == 1 && number(&w, 0, 1) == 2);
    close_world(&w);
}

TEST(json_with_a_schema)
{
    struct world w;
    struct heard heard;
    struct err err;
    const char *reason;
    struct sbuf out = {0};
    registry.kind = SCHEMA_JSON;
    registry.texts[1] = "{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"integer\"}}}";
    open_world(&w, TOPIC_JSON_SCHEMA, "a BIGINT");
    records_begin(&builder);
    PUT("\0\0\0\0\1{\"a\":1}");
    PUT("\0\0\0\0\1{\"a\":\"x\"}");
    PUT("\0\0\0\0\1nonsense");
    struct log_slice slice = slice_of();
    EXPECT(decode(&w, &slice, &heard, &err));
    EXPECT(w.batch->rows == 2 && number(&w, 0, 0) == 1 && number(&w, 0, 1) == -1);
    EXPECT_EQ_INT(heard.bad, 2);
    EXPECT(strstr(heard.reasons, "1: string where BIGINT is wanted") != NULL);
    EXPECT(strstr(heard.reasons, "2: not a JSON object") != NULL);
    struct topic_show *show = topic_show_new(w.pool, &w.def);
    EXPECT(topic_show_value(show, false, str_n("\0\0\0\0\1{\"a\":1}", 12), (struct str){0}, &out, &reason));
    EXPECT_STR(out.p, "{\"a\":1}");
    EXPECT(!topic_show_value(show, false, STR("x"), (struct str){0}, &out, &reason) && reason != NULL);
    sbuf_fini(&out);
    close_world(&w);
}

/* What a topic's writer writes, its decoder reads; and the schema is made of the columns. */
TEST(rows_and_back)
{
    static const enum topic_format formats[] = {TOPIC_AVRO, TOPIC_PROTOBUF, TOPIC_JSON_SCHEMA};
    for (int f = 0; f < 3; f++) {
        struct world w;
        struct heard heard;
        struct err err;
        struct topic_writer *writer;
        struct buf *bufs[1];
        uint64_t records = 0;
        registry.kind = topic_schema_kind(formats[f]);
        open_world(&w, formats[f], "a INT, s STRING");
        w.def.partitions = 1;
        w.def.schema = w.columns;
        CHECK(topic_writer_new(w.pool, &w.def, &writer, &err));
        const struct str values[] = {STR("{\"a\":7,\"s\":\"x\"}"), STR("{\"s\":\"y\"}"),
                                     STR("{\"a\":\"no number\"}")};
        EXPECT(topic_writer_add(writer, NULL, values, NULL, 3, 1000, &err));
        EXPECT(topic_writer_take(writer, bufs, &records, &err) && records == 3);
        struct log_slice slice = {.p = bufs[0]->p, .n = bufs[0]->n, .buf = bufs[0], .next_offset = 3};
        EXPECT(decode(&w, &slice, &heard, &err));
        EXPECT(w.batch->rows == 2 && number(&w, 0, 0) == 7 && number(&w, 0, 1) == -1);
        EXPECT_EQ_INT(heard.bad, 1); /* as it came */
        const char *why;
        EXPECT(topic_writer_unfit(writer, &why) == 1 && strstr(why, "string where INT is wanted") != NULL);
        topic_writer_strict(writer);
        EXPECT(!topic_writer_add(writer, NULL, values + 2, NULL, 1, 1000, &err) && err.class == ERR_DATA);
        close_world(&w);
    }
}

int main(void)
{
    RUN(versions_in_one_batch);
    RUN(a_schema_that_comes_later);
    RUN(json_with_a_schema);
    RUN(rows_and_back);
    records_builder_fini(&builder);
    arena_fini(&arena);
    return test_end();
}

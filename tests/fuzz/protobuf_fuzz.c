/* Protobuf records of a schema that the first bytes choose, each behind its length. What is read is a whole batch; what is written of it
 * reads as the same rows. The rest of the input is read as the indexes of a message too. */
#include <ref/random_proto.h>

#include "format/protobuf.h"

enum { RECORDS_MAX = 32, SEED_SIZE = 2 };

/* Schemas take longer to parse than records to read: each is kept. */
static const struct proto_message *choose_message(uint8_t seed)
{
    static const struct proto_message *known[UINT8_MAX + 1];
    static struct pool *pool;
    struct rng rng = {seed};
    struct sbuf text = {0};
    struct err err = {0};
    const struct schema *schema;
    if (known[seed] != NULL)
        return known[seed];
    if (pool == NULL)
        pool = pool_new(NULL, "schemas");
    random_proto(&rng, false, &text);
    struct schema_source source = {.kind = SCHEMA_PROTOBUF,
                                   .text = str_n(arena_dup(pool_arena(pool), text.p, text.n), text.n)};
    if (!schema_parse(pool_arena(pool), &source, &schema, &err))
        check_failed(__FILE__, __LINE__, err.text);
    sbuf_fini(&text);
    return known[seed] = proto_message_find(schema_proto(schema), STR("M0"));
}

/* Some of the columns. */
static const struct type *choose_columns(struct arena *arena, const struct type *all, unsigned seed)
{
    struct field *fields = arena_array(arena, struct field, all->field_count);
    uint32_t count = 0;
    for (uint32_t i = 0; i < all->field_count; i++)
        if (seed % 4 != 1 || i % 2 == 0)
            fields[count++] = all->fields[i];
    return type_struct(arena, fields, count);
}

struct heard {
    uint32_t count;
    bool rows[RECORDS_MAX]; /* that are bad */
};

static void hear(void *arg, const struct protobuf_bad *bad)
{
    struct heard *heard = arg;
    CHECK(bad->row < RECORDS_MAX && bad->reason[0] != '\0' && bad->path.n <= PROTOBUF_PATH_MAX);
    heard->rows[bad->row] = true;
    heard->count++;
}

static struct batch *decode(struct pool *pool, const struct proto_message *message,
                            const struct type *columns, const struct protobuf_decoder_options *options,
                            const struct str *records, uint32_t count, struct heard *heard)
{
    struct err err = {0};
    struct batch *batch = batch_new();
    const struct protobuf_report report = {hear, heard};
    const struct protobuf_writer *writers[RECORDS_MAX];
    struct protobuf_decoder *decoder = protobuf_decoder_new(pool, columns, options, &err);
    const struct protobuf_writer *writer = decoder ? protobuf_decoder_writer(decoder, message, &err) : NULL;
    if (writer == NULL)
        check_failed(__FILE__, __LINE__, err.text);
    for (uint32_t i = 0; i < count; i++)
        writers[i] = writer;
    protobuf_decode(decoder, records, writers, count, batch, &report);
    if (!batch_check(batch, &err))
        check_failed(__FILE__, __LINE__, err.text);
    return batch;
}

/* Written and read again. Rows that cannot be written are those with a NULL in a list, and JSON that is nested very deeply. */
static void round_trip(struct pool *pool, const struct proto_message *message, const struct type *columns,
                       const struct batch *batch)
{
    struct err err = {0};
    struct sbuf out = {0};
    struct heard refused = {0}, bad = {0};
    struct str records[RECORDS_MAX];
    uint32_t ends[RECORDS_MAX], rows[RECORDS_MAX], count = 0;
    const struct protobuf_report report = {hear, &refused};
    struct protobuf_encoder *encoder = protobuf_encoder_new(pool, message, columns, &err);
    if (encoder == NULL) { /* a required field has no column */
        CHECK(err.class == ERR_CONFIG);
        return;
    }
    CHECK(protobuf_encode(encoder, batch, 0, batch->rows, STR(""), &out, ends, &report) == refused.count);
    for (uint32_t i = 0; i < batch->rows; i++) {
        uint32_t from = i > 0 ? ends[i - 1] : 0;
        if (refused.rows[i])
            continue;
        rows[count] = i;
        records[count++] = str_n(out.p + from, ends[i] - from);
    }
    struct batch *again = decode(pool, message, columns, NULL, records, count, &bad), *wanted = batch_new();
    CHECK(bad.count == 0);
    batch_take(wanted, batch, rows, count, false);
    CHECK(rows_equal(batch_to_rows(wanted, pool_arena(pool)), batch_to_rows(again, pool_arena(pool)), count));
    batch_free(wanted);
    batch_free(again);
    sbuf_fini(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < SEED_SIZE)
        return 0;
    struct pool *pool = pool_new(NULL, "fuzz");
    struct err err = {0};
    const struct proto_message *message = choose_message(data[0]);
    const struct type *all = protobuf_columns_type(pool_arena(pool), message, &err);
    if (all == NULL) {
        CHECK(err.class == ERR_CONFIG);
        pool_free(pool);
        return 0;
    }
    const struct type *columns = choose_columns(pool_arena(pool), all, data[1]);
    const struct protobuf_decoder_options options = {.copy = data[1] & 16};
    struct str records[RECORDS_MAX];
    uint32_t count = 0;
    for (size_t at = SEED_SIZE; at < size && count < RECORDS_MAX;) {
        size_t n = data[at], left = size - at - 1;
        n = n < left ? n : left;
        char *exact = mem_new(n); /* reading past a record is seen */
        if (n > 0)
            memcpy(exact, data + at + 1, n);
        records[count++] = str_n(exact, n);
        at += 1 + n;
    }
    struct heard heard = {0}, same = {0};
    struct batch *batch = decode(pool, message, columns, &options, records, count, &heard);
    /* all columns must give what some do */
    struct batch *whole = decode(pool, message, all, NULL, records, count, &same);
    for (uint32_t i = 0; i < count; i++)
        CHECK(!heard.rows[i] || same.rows[i]);
    uint32_t good[RECORDS_MAX], good_count = 0;
    for (uint32_t i = 0; i < count; i++)
        if (!heard.rows[i])
            good[good_count++] = i;
    struct batch *taken = batch_new();
    batch_take(taken, batch, good, good_count, false);
    round_trip(pool, message, columns, taken);
    batch_free(taken);
    int32_t indexes[PROTOBUF_INDEXES_MAX];
    size_t index_count;
    size_t used = protobuf_indexes_read(str_n(data, size), indexes, &index_count);
    CHECK(used <= size && (used == 0 || (index_count > 0 && index_count <= PROTOBUF_INDEXES_MAX)));
    batch_free(whole);
    batch_free(batch);
    for (uint32_t i = 0; i < count; i++)
        mem_free((char *)records[i].p);
    pool_free(pool);
    return 0;
}

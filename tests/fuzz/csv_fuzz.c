/* Any bytes as CSV, with options that the first byte chooses: in pieces and in one, into columns, and
 * written again. */
#include "format/csv.h"

enum { RECORDS_MAX = 64 };

static const char ddl[] =
    "a STRING, b INT, c DOUBLE, d STRING, e TIMESTAMP, f DECIMAL(10,2), g BOOLEAN, h DATE, i BINARY";

/* Records of the text in pieces, joined with zero bytes. */
static void in_pieces(struct str text, size_t piece, const struct csv_options *options, struct sbuf *out)
{
    size_t from = 0, have = piece < text.n ? piece : text.n;
    for (;;) {
        struct str record;
        size_t used;
        bool last = have == text.n;
        size_t count = csv_records(str_n(text.p + from, have - from), last, options, &record, 1, &used);
        from += used;
        if (count > 0) {
            sbuf_str(out, record);
            sbuf_char(out, 0);
        } else if (last) {
            CHECK(from == text.n);
            return;
        } else {
            have = have + piece < text.n ? have + piece : text.n;
        }
    }
}

static struct batch *decode(struct pool *pool, const struct type *schema, const struct csv_options *options,
                            const struct str *records, uint32_t count)
{
    struct batch *batch = batch_new();
    struct err err = {0};
    CHECK(csv_decode(csv_decoder_new(pool, schema, options, &err), records, count, batch, NULL, &err));
    CHECK(batch_check(batch, &err));
    return batch;
}

/* What was decoded, written, decoded and written again is the same text. */
static void round_trip(struct pool *pool, const struct type *schema, struct csv_options options,
                       const struct batch *batch)
{
    struct sbuf once = {0}, twice = {0};
    struct str records[RECORDS_MAX];
    struct err err = {0};
    size_t used;
    options.multi_line = true;
    options.quote = '"';
    struct csv_encoder *encoder = csv_encoder_new(pool, schema, &options, &err);
    csv_encode(encoder, batch, 0, batch->rows, &once, NULL);
    size_t count = csv_records(sbuf_view(&once), true, &options, records, RECORDS_MAX, &used);
    CHECK(count == batch->rows && used == once.n);
    struct batch *back = decode(pool, schema, &options, records, (uint32_t)count);
    csv_encode(encoder, back, 0, back->rows, &twice, NULL);
    CHECK(str_eq(sbuf_view(&once), sbuf_view(&twice)));
    sbuf_fini(&once);
    sbuf_fini(&twice);
    batch_free(back);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    struct csv_options options = csv_options_default();
    options.multi_line = data[0] & 1;
    options.escape = data[0] & 2 ? '"' : '\\';
    options.comment = data[0] & 4 ? '#' : 0;
    options.quote = data[0] & 8 ? 0 : '"';
    options.ignore_leading_white_space = data[0] & 16;
    options.ignore_trailing_white_space = data[0] & 32;
    options.sep = data[0] & 64 ? '\t' : ',';
    size--;
    char *copy = mem_new(size);
    memcpy(copy, data + 1, size);
    struct str text = str_n(copy, size), records[RECORDS_MAX];
    struct sbuf whole = {0}, pieces = {0};
    in_pieces(text, SIZE_MAX / 4, &options, &whole);
    in_pieces(text, 1 + size % 7, &options, &pieces);
    CHECK(str_eq(sbuf_view(&whole), sbuf_view(&pieces)));
    sbuf_fini(&whole);
    sbuf_fini(&pieces);

    struct pool *pool = pool_new(NULL, "fuzz");
    const struct type *schema;
    CHECK(type_parse_ddl(pool_arena(pool), str_of(ddl), &schema, NULL));
    size_t used, count = csv_records(text, true, &options, records, RECORDS_MAX, &used);
    csv_infer(pool_arena(pool), str_n(NULL, 0), records, count, &options);
    struct batch *batch = decode(pool, schema, &options, records, (uint32_t)count);
    round_trip(pool, schema, options, batch);
    batch_free(batch);
    pool_free(pool);
    mem_free(copy);
    return 0;
}

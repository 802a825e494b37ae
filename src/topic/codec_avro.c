/* Avro's binary encoding behind a schema id. */
#include "format/avro.h"
#include "topic/codec_private.h"

static const struct type *columns_of(struct arena *arena, const struct schema *schema, struct str selector,
                                     struct err *err)
{
    (void)selector;
    return avro_columns_type(arena, schema_avro(schema), err);
}

static const struct type *evolve(struct arena *arena, const struct type *pinned, const struct type *found)
{
    return avro_columns_evolve(arena, pinned, found, NULL);
}

/* A key of one column is that value alone, as other serialisers write it. */
static const char *plain_name(const struct type *type)
{
    switch (type->kind) {
    case TYPE_STRING: return "\"string\"";
    case TYPE_BINARY: return "\"bytes\"";
    case TYPE_BOOLEAN: return "\"boolean\"";
    case TYPE_BYTE:
    case TYPE_SHORT:
    case TYPE_INT: return "\"int\"";
    case TYPE_LONG: return "\"long\"";
    case TYPE_FLOAT: return "\"float\"";
    case TYPE_DOUBLE: return "\"double\"";
    default: return NULL;
    }
}

static bool text_of(const struct type *columns, struct str name, bool is_key, struct sbuf *out,
                    struct err *err)
{
    const char *plain = is_key && columns->field_count == 1 ? plain_name(columns->fields[0].type) : NULL;
    if (plain) {
        sbuf_cstr(out, plain);
        return true;
    }
    return avro_schema_of_columns(columns, name, STR(""), out, err);
}

/* What a writer wrote is read by name alone, without a reader's schema: a field that one version lacks is NULL. */
static void *decoder(struct pool *pool, const struct type *columns, bool tell_unknown, struct err *err)
{
    (void)tell_unknown;
    return avro_decoder_new(pool, NULL, columns, NULL, err);
}

static const void *writer(void *d, const struct schema *schema, struct str selector, struct err *err)
{
    (void)selector;
    return avro_decoder_writer(d, schema_avro(schema), err);
}

static void tell_bad(void *arg, const struct avro_bad *bad)
{
    const struct codec_report *report = arg;
    report->bad(report->arg,
                &(struct codec_bad){
                    .row = bad->row, .whole = true, .reason = str_of(bad->reason), .path = bad->path});
}

static bool decode(void *d, const struct str *records, const void *const *writers, uint32_t count,
                   struct batch *out, const struct codec_report *report, struct err *err)
{
    struct codec_report copy = *report;
    (void)err;
    avro_decode(d, records, (const struct avro_writer *const *)writers, count, out,
                &(struct avro_report){tell_bad, &copy});
    return true;
}

static void *encoder(struct pool *pool, const struct schema *schema, const struct type *columns,
                     struct sbuf *prefix, struct err *err)
{
    (void)prefix;
    return avro_encoder_new(pool, schema_avro(schema), columns, err);
}

static uint32_t encode(void *e, const struct batch *batch, uint32_t from, uint32_t to, struct str prefix,
                       struct sbuf *out, uint32_t *ends, const struct codec_report *report)
{
    struct codec_report copy = *report;
    return avro_encode(e, batch, from, to, prefix, out, ends, &(struct avro_report){tell_bad, &copy});
}

const struct record_codec codec_avro = {
    .schema = SCHEMA_AVRO,
    .columns = columns_of,
    .evolve = evolve,
    .text = text_of,
    .decoder_new = decoder,
    .writer = writer,
    .decode = decode,
    .encoder_new = encoder,
    .encode = encode,
};

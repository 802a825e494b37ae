/* Protobuf behind a schema id and the indexes of its message. */
#include "format/protobuf.h"
#include "topic/codec_private.h"

static size_t selector_of(struct str payload)
{
    int32_t indexes[PROTOBUF_INDEXES_MAX];
    size_t count, n = protobuf_indexes_read(payload, indexes, &count);
    return n ? n : SIZE_MAX;
}

static const struct proto_message *message_of(const struct schema *schema, struct str selector,
                                              struct err *err)
{
    int32_t indexes[PROTOBUF_INDEXES_MAX] = {0};
    size_t count = 1;
    if (selector.n)
        (void)protobuf_indexes_read(selector, indexes, &count); /* they were read before */
    const struct proto_message *message = proto_message_at(schema_proto(schema), indexes, count);
    if (message == NULL)
        err_set(err, ERR_DATA, "the schema has no message at the record's index %d", indexes[0]);
    return message;
}

static const struct type *columns_of(struct arena *arena, const struct schema *schema, struct str selector,
                                     struct err *err)
{
    const struct proto_message *message = message_of(schema, selector, err);
    return message ? protobuf_columns_type(arena, message, err) : NULL;
}

static const struct type *evolve(struct arena *arena, const struct type *pinned, const struct type *found)
{
    return protobuf_columns_evolve(arena, pinned, found, NULL);
}

static bool text_of(const struct type *columns, struct str name, bool is_key, struct sbuf *out,
                    struct err *err)
{
    (void)is_key;
    return protobuf_schema_of_columns(columns, name, STR(""), out, err);
}

static void *decoder(struct pool *pool, const struct type *columns, bool tell_unknown, struct err *err)
{
    (void)tell_unknown;
    return protobuf_decoder_new(pool, columns, NULL, err);
}

static const void *writer(void *d, const struct schema *schema, struct str selector, struct err *err)
{
    const struct proto_message *message = message_of(schema, selector, err);
    return message ? protobuf_decoder_writer(d, message, err) : NULL;
}

static void tell_bad(void *arg, const struct protobuf_bad *bad)
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
    protobuf_decode(d, records, (const struct protobuf_writer *const *)writers, count, out,
                    &(struct protobuf_report){tell_bad, &copy});
    return true;
}

static void *encoder(struct pool *pool, const struct schema *schema, const struct type *columns,
                     struct sbuf *prefix, struct err *err)
{
    const struct proto_message *message = message_of(schema, (struct str){0}, err);
    if (message == NULL)
        return NULL;
    protobuf_indexes_write(message, prefix);
    return protobuf_encoder_new(pool, message, columns, err);
}

static uint32_t encode(void *e, const struct batch *batch, uint32_t from, uint32_t to, struct str prefix,
                       struct sbuf *out, uint32_t *ends, const struct codec_report *report)
{
    struct codec_report copy = *report;
    return protobuf_encode(e, batch, from, to, prefix, out, ends, &(struct protobuf_report){tell_bad, &copy});
}

const struct record_codec codec_protobuf = {
    .schema = SCHEMA_PROTOBUF,
    .selector = selector_of,
    .columns = columns_of,
    .evolve = evolve,
    .text = text_of,
    .decoder_new = decoder,
    .writer = writer,
    .decode = decode,
    .encoder_new = encoder,
    .encode = encode,
};

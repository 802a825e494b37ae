/* JSON, plain and with a schema. The bytes are the same; a schema says which columns there are, and which ids are good. */
#include <stdio.h>

#include "format/avro.h"
#include "format/json.h"
#include "format/json_schema.h"
#include "topic/codec_private.h"

static const struct type *json_columns(struct arena *arena, const struct schema *schema, struct str selector,
                                       struct err *err)
{
    (void)selector;
    return json_schema_columns(arena, schema_json(schema), err);
}

static const struct type *json_evolve(struct arena *arena, const struct type *pinned,
                                      const struct type *found)
{
    return avro_columns_evolve(arena, pinned, found, NULL); /* SQL types are promoted alike in both */
}

static bool json_text_of(const struct type *columns, struct str name, bool is_key, struct sbuf *out,
                         struct err *err)
{
    (void)is_key;
    return json_schema_of_columns(columns, name, out, err);
}

static void *json_decoder(struct pool *pool, const struct type *columns, bool tell_unknown, struct err *err)
{
    struct json_options options = json_options_default();
    options.report_unknown = tell_unknown;
    return json_decoder_new(pool, columns, &options, err);
}

/* Records of all schemas are read by the names of their fields. */
static const void *json_writer(void *decoder, const struct schema *schema, struct str selector,
                               struct err *err)
{
    (void)schema, (void)selector, (void)err;
    return decoder;
}

static void json_bad(void *arg, const struct json_bad *bad)
{
    const struct codec_report *report = arg;
    bool whole = bad->kind != JSON_BAD_VALUE;
    char reason[256];
    int n = whole ? snprintf(reason, sizeof reason, "not a JSON object: %s",
                             bad->kind == JSON_BAD_EMPTY ? "empty" : bad->found)
                  : snprintf(reason, sizeof reason, "%s where %.*s is wanted", bad->found,
                             STR_ARG(bad->wanted));
    if (n >= (int)sizeof reason)
        n = sizeof reason - 1;
    report->bad(report->arg, &(struct codec_bad){.row = bad->row,
                                                 .whole = whole,
                                                 .reason = str_n(reason, (size_t)n),
                                                 .path = bad->path,
                                                 .found = str_of(bad->found),
                                                 .wanted = bad->wanted});
}

static void json_unknown(void *arg, const struct json_unknown *unknown)
{
    const struct codec_report *report = arg;
    report->unknown(report->arg, unknown->path);
}

static bool json_decode_records(void *decoder, const struct str *records, const void *const *writers,
                                uint32_t count, struct batch *out, const struct codec_report *report,
                                struct err *err)
{
    struct codec_report copy = *report;
    const struct json_report heard = {
        .bad = json_bad, .unknown = report->unknown ? json_unknown : NULL, .arg = &copy};
    (void)writers;
    return json_decode(decoder, records, count, out, &heard, err);
}

struct json_out {
    struct json_encoder *encoder;
    struct sbuf rows; /* without what stands before each */
};

static void close_out(void *arg)
{
    sbuf_fini(&((struct json_out *)arg)->rows);
}

static void *json_encoder(struct pool *pool, const struct schema *schema, const struct type *columns,
                          struct sbuf *prefix, struct err *err)
{
    struct json_out *out = pool_new_struct(pool, struct json_out);
    (void)schema, (void)prefix;
    pool_on_free(pool, close_out, out);
    out->encoder = json_encoder_new(pool, columns, NULL, err);
    return out->encoder ? out : NULL;
}

static uint32_t json_encode_rows(void *encoder, const struct batch *batch, uint32_t from, uint32_t to,
                                 struct str prefix, struct sbuf *out, uint32_t *ends,
                                 const struct codec_report *report)
{
    struct json_out *o = encoder;
    (void)report;
    if (prefix.n == 0) {
        json_encode(o->encoder, batch, from, to, 0, out, ends);
        return 0;
    }
    sbuf_clear(&o->rows);
    json_encode(o->encoder, batch, from, to, 0, &o->rows, ends);
    for (uint32_t i = 0, start = 0; i < to - from; i++) {
        uint32_t end = ends[i];
        sbuf_str(out, prefix);
        sbuf_add(out, o->rows.p + start, end - start);
        ends[i] = (uint32_t)out->n;
        start = end;
    }
    return 0;
}

const struct record_codec codec_json = {
    .schema = SCHEMA_JSON,
    .columns = json_columns,
    .evolve = json_evolve,
    .text = json_text_of,
    .decoder_new = json_decoder,
    .writer = json_writer,
    .decode = json_decode_records,
    .encoder_new = json_encoder,
    .encode = json_encode_rows,
};

/* What stands around Kafka's messages: the tables' lookups, frames, headers, data with a version in front. */
#include "wire/kafka_i.h"

uint64_t kafka_nothing;

const uint8_t kafka_kind_size[KAFKA_KINDS] = {
    [KAFKA_BOOL] = 1,
    [KAFKA_I8] = 1,
    [KAFKA_I16] = 2,
    [KAFKA_ERROR] = 2,
    [KAFKA_U16] = 2,
    [KAFKA_I32] = 4,
    [KAFKA_U32] = 4,
    [KAFKA_I64] = 8,
    [KAFKA_F64] = 8,
    [KAFKA_UUID] = 16,
    [KAFKA_STR] = sizeof(struct str),
    [KAFKA_BYTES] = sizeof(struct str),
    [KAFKA_RECORDS] = sizeof(struct str),
};

static const struct kafka_error errors[] = {
#define AN_ERROR(code, name, is_retriable, text) {#name, text, code, is_retriable},
    KAFKA_ERRORS(AN_ERROR)
#undef AN_ERROR
};

const struct kafka_error *kafka_error(int code)
{
    _Static_assert(sizeof errors / sizeof errors[0] == KAFKA_ERRORS_END + 1,
                   "the codes are -1 and up, without holes");
    return &errors[code >= 0 && code < KAFKA_ERRORS_END ? code + 1 : 0];
}

const struct kafka_record *kafka_record_of(struct str topic, int type)
{
    for (int i = 0; i < KAFKA_RECORDS_COUNT; i++)
        if (kafka_records[i].type == type && str_is(topic, kafka_records[i].topic))
            return &kafka_records[i];
    return NULL;
}

const struct kafka_type *kafka_type_named(struct str name)
{
    for (int i = 0; i < KAFKA_TYPES_COUNT; i++)
        if (str_is(name, kafka_types[i]->name))
            return kafka_types[i];
    return NULL;
}

void kafka_init(const struct kafka_type *type, void *message)
{
    memcpy(message, type->defaults, type->size);
}

void *kafka_new(struct arena *arena, const struct kafka_type *type, size_t count)
{
    uint8_t *p = arena_alloc(arena, mem_product(count, type->size));
    for (size_t i = 0; i < count; i++)
        kafka_init(type, p + i * type->size);
    return p;
}

static bool is_struct_default(const struct kafka_type *type, const uint8_t *message)
{
    for (const struct kafka_field *f = type->fields, *end = f + type->fields_count; f < end; f++)
        if (!kafka_is_default(f, message + f->offset, (const uint8_t *)type->defaults + f->offset))
            return false;
    return true;
}

bool kafka_is_default(const struct kafka_field *f, const void *at, const void *by_default)
{
    if (f->is_array || f->is_pointer) {
        const void *p = kafka_pointer(at), *d = kafka_pointer(by_default);
        if (p == NULL || d == NULL)
            return p == d;
        return f->is_array ? kafka_count(at) == 0 : is_struct_default(f->type, p);
    }
    if (f->kind == KAFKA_STRUCT) /* the same bytes are the quick case */
        return memcmp(at, by_default, f->type->size) == 0 || is_struct_default(f->type, at);
    if (kafka_is_text(f->kind)) {
        const struct str *s = at, *d = by_default;
        return s->n == 0 && (s->p == NULL) == (d->p == NULL);
    }
    return memcmp(at, by_default, kafka_kind_size[f->kind]) == 0;
}

/* ---- frames and headers ---------------------------------------------------------------------------------------- */

enum { LENGTH_SIZE = 4, RESPONSE_HEADER_MIN = 4, REQUEST_HEADER_MIN = 8 };

enum kafka_frame kafka_frame_next(const void *p, size_t n, size_t size_max, struct str *frame, size_t *size)
{
    if (n < LENGTH_SIZE) {
        *size = LENGTH_SIZE;
        return KAFKA_FRAME_PART;
    }
    uint32_t length = get_be32(p); /* a negative one is above every limit */
    if (length < RESPONSE_HEADER_MIN || length > size_max || length > INT32_MAX)
        return KAFKA_FRAME_BAD;
    *size = LENGTH_SIZE + (size_t)length;
    if (n < *size)
        return KAFKA_FRAME_PART;
    *frame = str_n((const uint8_t *)p + LENGTH_SIZE, length);
    return KAFKA_FRAME_WHOLE;
}

/* The tagged fields of a header: none is known. */
static void skip_tags(struct rd *r)
{
    for (uint64_t count = rd_uvarint(r); count > 0 && !r->bad; count--) {
        rd_uvarint(r);
        rd_take(r, rd_uvarint(r));
    }
}

bool kafka_header_decode(struct rd *r, struct kafka_header *header, struct err *err)
{
    if (rd_left(r) < REQUEST_HEADER_MIN)
        return err_set(err, ERR_DATA, "a request of %zu bytes has no room for its header", rd_left(r));
    *header = (struct kafka_header){0};
    header->key = (int16_t)rd_be16(r);
    header->version = (int16_t)rd_be16(r);
    header->correlation_id = (int32_t)rd_be32(r);
    header->api = kafka_api_of(header->key);
    if (header->api == NULL)
        return true;
    int16_t length = (int16_t)rd_be16(r);
    if (length >= 0)
        header->client_id = str_n(rd_take(r, (size_t)length), (size_t)length);
    if (kafka_is_flexible(header->api->request, header->version))
        skip_tags(r);
    if (r->bad || length < -1)
        return err_set(err, ERR_DATA, "the header of a request %s version %d is malformed", header->api->name,
                       header->version);
    return true;
}

/* The one exception: a client must be able to read the answer before it knows what the broker speaks. */
static bool is_response_header_flexible(const struct kafka_api *api, int version)
{
    return api->key != KAFKA_API_API_VERSIONS && kafka_is_flexible(api->response, version);
}

bool kafka_response_header_decode(const struct kafka_api *api, int version, struct rd *r,
                                  int32_t *correlation_id, struct err *err)
{
    *correlation_id = (int32_t)rd_be32(r);
    if (is_response_header_flexible(api, version))
        skip_tags(r);
    return !r->bad ||
           err_set(err, ERR_DATA, "the header of a response %s version %d is malformed", api->name, version);
}

/* The length of the frame that began at `start`, holes from `holes` on included; or, after an error, nothing of it. */
static bool end_frame(struct kafka_out *out, size_t start, size_t holes, bool done, struct err *err)
{
    size_t length = out->bytes.n - start - LENGTH_SIZE;
    for (size_t i = holes; i < out->holes_count; i++)
        length += out->holes[i].records.n;
    if (done && length > INT32_MAX)
        done = err_set(err, ERR_FATAL, "a frame of %zu bytes is too long", length);
    if (done) {
        put_be32(out->bytes.p + start, (uint32_t)length);
    } else {
        out->bytes.n = start;
        out->holes_count = holes;
    }
    return done;
}

bool kafka_request_encode(const struct kafka_api *api, int version, int32_t correlation_id,
                          struct str client_id, const void *body, struct kafka_out *out, struct err *err)
{
    size_t start = out->bytes.n, holes = out->holes_count;
    CHECK(client_id.n <= KAFKA_STR_MAX);
    char *p = sbuf_reserve(&out->bytes, LENGTH_SIZE + 10);
    put_be16(p + 4, (uint16_t)api->key);
    put_be16(p + 6, (uint16_t)version);
    put_be32(p + 8, (uint32_t)correlation_id);
    put_be16(p + 12, client_id.p ? (uint16_t)client_id.n : UINT16_MAX);
    sbuf_added(&out->bytes, LENGTH_SIZE + 10);
    sbuf_str(&out->bytes, client_id);
    if (kafka_is_flexible(api->request, version))
        sbuf_char(&out->bytes, 0); /* no tagged fields */
    return end_frame(out, start, holes, kafka_encode(api->request, version, body, out, err), err);
}

bool kafka_response_encode(const struct kafka_api *api, int version, int32_t correlation_id, const void *body,
                           struct kafka_out *out, struct err *err)
{
    size_t start = out->bytes.n, holes = out->holes_count;
    put_be32(sbuf_reserve(&out->bytes, LENGTH_SIZE + 4) + 4, (uint32_t)correlation_id);
    sbuf_added(&out->bytes, LENGTH_SIZE + 4);
    if (is_response_header_flexible(api, version))
        sbuf_char(&out->bytes, 0);
    return end_frame(out, start, holes, kafka_encode(api->response, version, body, out, err), err);
}

/* ---- data with a version in front ------------------------------------------------------------------------------ */

static bool encode_behind(int number, const struct kafka_type *type, int version, const void *message,
                          struct kafka_out *out, struct err *err)
{
    size_t start = out->bytes.n;
    put_be16(sbuf_reserve(&out->bytes, 2), (uint16_t)number);
    sbuf_added(&out->bytes, 2);
    bool done = kafka_encode(type, version, message, out, err);
    if (!done)
        out->bytes.n = start;
    return done;
}

bool kafka_versioned_encode(const struct kafka_type *type, int version, const void *message,
                            struct kafka_out *out, struct err *err)
{
    return encode_behind(version, type, version, message, out, err);
}

bool kafka_versioned_decode(const struct kafka_type *type, struct rd *r, struct arena *arena, int *version,
                            void *message, struct err *err)
{
    int found = (int16_t)rd_be16(r);
    if (r->bad)
        return err_set(err, ERR_DATA, "cannot read %s: there is no version", type->name);
    bool grows = type->flexible == KAFKA_NEVER && found > type->last;
    if (!grows && !kafka_within(found, type->first, type->last))
        return err_set(err, ERR_DATA, "cannot read %s: version %d is unknown", type->name, found);
    *version = found;
    return kafka_decode(type, grows ? type->last : found, r, arena, message, err);
}

bool kafka_record_key_encode(const struct kafka_record *record, const void *key, struct kafka_out *out,
                             struct err *err)
{
    return encode_behind(record->type, record->key, record->key->last, key, out, err);
}

bool kafka_record_key_decode(struct str topic, struct rd *r, struct arena *arena,
                             const struct kafka_record **record, union kafka_record_key *key, struct err *err)
{
    int type = (int16_t)rd_be16(r);
    if (r->bad)
        return err_set(err, ERR_DATA, "a key in \"%.*s\" is too short for its type", STR_ARG(topic));
    *record = kafka_record_of(topic, type);
    return *record == NULL || kafka_decode((*record)->key, (*record)->key->last, r, arena, key, err);
}

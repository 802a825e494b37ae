/* Kafka's messages: whatever can be read, as a request or as a bare message of any version, is written, and read again to the same;
 * and it takes no more memory than is said. The first byte chooses: a whole request behind its header, or a message by number. */
#include <ref/random_kafka.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Reading back gives the same, from the bytes, from the bytes with holes, and from the text. */
static void check_again(const struct kafka_type *type, int version, const void *message, struct arena *arena)
{
    struct kafka_out out = {0}, pieces = {.leaves_records = true};
    struct sbuf text = {0}, again = {0};
    struct err err;
    void *got = arena_zalloc(arena, type->size);
    CHECK(kafka_encode(type, version, message, &out, &err) &&
          kafka_encode(type, version, message, &pieces, &err));
    CHECK(kafka_size(type, version, message, &err) == out.bytes.n);
    size_t n = pieces.bytes.n;
    for (size_t i = 0; i < pieces.holes_count; i++)
        n += pieces.holes[i].records.n;
    CHECK(n == out.bytes.n);
    struct rd r = rd_of(out.bytes.p, out.bytes.n);
    CHECK(kafka_decode(type, version, &r, arena, got, &err) && rd_left(&r) == 0);
    CHECK(kafka_same(type, message, got));
    kafka_print(type, version, message, SIZE_MAX, &text);
    CHECK(kafka_parse(type, sbuf_view(&text), arena, got, &err));
    kafka_print(type, version, got, SIZE_MAX, &again);
    CHECK(str_eq(sbuf_view(&text), sbuf_view(&again)));
    sbuf_fini(&text);
    sbuf_fini(&again);
    kafka_out_fini(&out);
    kafka_out_fini(&pieces);
}

static void check_message(const struct kafka_type *type, int version, struct rd *r)
{
    struct arena arena = {0};
    struct err err;
    void *message = mem_new(type->size);
    size_t size = rd_left(r);
    bool done = kafka_decode(type, version, r, &arena, message, &err);
    CHECK(arena.bytes <= KAFKA_GROWTH_MAX * size);
    if (done)
        check_again(type, version, message, &arena);
    else
        CHECK(err.class == ERR_DATA && r->bad);
    mem_free(message);
    arena_fini(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct kafka_header header;
    struct err err;
    struct rd r = rd_of(data, size);
    if (rd_u8(&r) % 2) {
        if (kafka_header_decode(&r, &header, &err) && header.api && kafka_api_has(header.api, header.version))
            check_message(header.api->request, header.version, &r);
        return 0;
    }
    const struct kafka_type *type = kafka_types[rd_u8(&r) % KAFKA_TYPES_COUNT];
    int versions = type->last - type->first + 1, version = type->first + rd_u8(&r) % versions;
    if (!r.bad)
        check_message(type, version, &r);
    return 0;
}

/* Texts of schemas: the first byte chooses the language. What parses is written and parses to the same again; any two that parse
 * are compared both ways, and resolved. The input holds two texts, parted by a zero byte. */
#include "schema/avro.h"

static const struct schema *parse(struct arena *arena, enum schema_kind kind, struct str text)
{
    struct schema_source source = {.kind = kind, .text = text, .lenient = true};
    const struct schema *schema;
    struct err err = {0};
    if (schema_parse(arena, &source, &schema, &err))
        return schema;
    CHECK(err.class == ERR_DATA && err.text[0] != '\0');
    return NULL;
}

/* Without the tags that it has, and with them at another place. */
static void change_tags(struct arena *arena, const struct schema *schema)
{
    const struct schema_tags *tags;
    struct sbuf out = {0};
    struct err err = {0};
    uint32_t count = schema_tags(arena, schema, &tags);
    struct schema_retag change = {.remove = tags, .remove_count = count};
    if (schema_retag(arena, schema, &change, &out, &err))
        (void)parse(arena, schema_kind_of(schema), sbuf_view(&out));
    struct str word = STR("\"tag\\");
    const struct schema_tags add = {schema_name(schema), false, &word, 1};
    change = (struct schema_retag){.add = &add, .add_count = 1};
    sbuf_clear(&out);
    if (schema_retag(arena, schema, &change, &out, &err))
        (void)parse(arena, schema_kind_of(schema), sbuf_view(&out));
    sbuf_fini(&out);
}

static void write_again(struct arena *arena, const struct schema *schema)
{
    struct sbuf once = {0}, twice = {0}, normal = {0};
    schema_canonical(schema, &once);
    const struct schema *again = parse(arena, schema_kind_of(schema), sbuf_view(&once));
    if (again != NULL) { /* the text may be too large, or a name known twice */
        schema_canonical(again, &twice);
        CHECK(str_eq(sbuf_view(&once), sbuf_view(&twice)));
    }
    change_tags(arena, schema);
    schema_normalize(schema, &normal);
    sbuf_clear(&twice);
    schema_format(schema, STR("serialized"),
                  &twice); /* a descriptor: readable, but for what only lenient texts say */
    (void)parse(arena, schema_kind_of(schema), sbuf_view(&twice));
    (void)schema_name(schema);
    sbuf_fini(&once);
    sbuf_fini(&twice);
    sbuf_fini(&normal);
}

static void compare(struct arena *arena, const struct schema *a, const struct schema *b)
{
    struct schema_version old = {b, 1};
    struct schema_messages messages = {.arena = arena};
    struct avro_way way;
    struct err err = {0};
    bool ok = schema_compatible(a, &old, 1, SCHEMA_FULL, &messages, &err);
    CHECK(ok || messages.count > 0 || err.class == ERR_DATA);
    (void)schema_equal(a, b);
    if (schema_kind_of(a) == SCHEMA_AVRO)
        (void)!avro_resolve(arena, schema_avro(a), schema_avro(b), &way, &err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena = {0};
    if (size == 0)
        return 0;
    enum schema_kind kind = (enum schema_kind)(data[0] % 3);
    char *copy = mem_new(size); /* ends where the allocation ends */
    memcpy(copy, data + 1, size - 1);
    size_t half = strnlen(copy, size - 1);
    const struct schema *a = parse(&arena, kind, str_n(copy, half)), *b = NULL;
    if (half + 1 < size)
        b = parse(&arena, kind, str_n(copy + half + 1, size - 1 - half - 1));
    if (a != NULL)
        write_again(&arena, a);
    if (a != NULL && b != NULL)
        compare(&arena, a, b);
    if (a != NULL)
        CHECK(schema_equal(a, a));
    mem_free(copy);
    arena_fini(&arena);
    return 0;
}

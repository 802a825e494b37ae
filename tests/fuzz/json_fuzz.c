/* Any bytes as JSON: the index of every processor's code, the tree, the splitter, the lenient rewriting,
 * inference, VARIANT. What parses is written and must parse to the same again. */
#include "format/json_decode_private.h"
#include "format/variant.h"
#include "json/tree.h"

static void scan(struct str text)
{
    uint32_t *first = mem_new((text.n + JSON_SCAN_SLACK) * sizeof *first);
    uint32_t *other = mem_new((text.n + JSON_SCAN_SLACK) * sizeof *other);
    struct json_scan wanted = json_cpu_code(JSON_CPU_SCALAR)->scan(text.p, text.n, first);
    bool utf8 = json_cpu_code(JSON_CPU_SCALAR)->utf8(text.p, text.n);
    CHECK(wanted.count <= text.n);
    for (int cpu = JSON_CPU_SSE; cpu <= JSON_CPU_AVX512; cpu++) {
        const struct json_cpu_code *code = json_cpu_code((enum json_cpu)cpu);
        struct json_scan found = code->scan(text.p, text.n, other);
        CHECK(found.count == wanted.count && found.flags == wanted.flags);
        CHECK(memcmp(first, other, found.count * sizeof *first) == 0);
        CHECK(code->utf8(text.p, text.n) == utf8);
    }
    mem_free(first);
    mem_free(other);
}

static void tree(struct str text)
{
    struct arena arena = {0};
    struct sbuf once = {0}, twice = {0};
    const struct json_node *root;
    struct err err;
    if (json_parse(&arena, text, &root, &err)) {
        json_write(root, &once);
        CHECK(json_parse(&arena, sbuf_view(&once), &root, &err));
        json_write(root, &twice);
        CHECK(str_eq(sbuf_view(&once), sbuf_view(&twice)));
        (void)json_get(root, "a.0.b");
    }
    sbuf_fini(&once);
    sbuf_fini(&twice);
    arena_fini(&arena);
}

/* In one window, and in pieces: the same records. */
static uint64_t split(struct str text, size_t piece, const char *path)
{
    struct json_split s;
    struct str record;
    struct err err;
    uint64_t sum = 0;
    size_t from = 0, have = piece < text.n ? piece : text.n;
    json_split_init(&s, str_of(path), 1 << 20);
    for (;;) {
        enum json_split_result result = json_split_next(&s, str_n(text.p + from, have - from), have == text.n,
                                                        &record, &err);
        from += s.used;
        CHECK(from <= have);
        if (result == JSON_SPLIT_RECORD)
            for (size_t i = 0; i < record.n; i++)
                sum = sum * 31 + (uint8_t)record.p[i];
        else if (result == JSON_SPLIT_MORE)
            have = have + piece < text.n ? have + piece : text.n;
        else
            return sum * 4 + result;
    }
}

static void infer(struct str text)
{
    struct pool *pool = pool_new(NULL, "fuzz");
    struct err err;
    struct json_options options = json_options_default();
    options.allow_comments = options.allow_unquoted_field_names = options.allow_numeric_leading_zeros = true;
    options.allow_backslash_escaping_any_character = options.allow_unquoted_control_chars = true;
    options.prefers_decimal = options.prefers_timestamp = true;
    struct json_inference *inference = json_inference_new(pool, &options);
    (void)!json_inference_add(inference, text, &err);
    (void)!json_inference_add(inference, text, &err);
    const struct type *schema = json_inference_schema(inference, pool_arena(pool));
    CHECK(json_schema_evolve(pool_arena(pool), schema, schema, false) == schema);
    pool_free(pool);
}

static void variant(struct str text)
{
    struct arena arena = {0};
    struct str metadata, value;
    struct sbuf out = {0};
    struct err err;
    if (variant_from_json(&arena, text, &metadata, &value, &err))
        CHECK(variant_to_json(metadata, value, &out, &err));
    sbuf_clear(&out);
    size_t half = text.n / 4;
    (void)!variant_to_json(str_n(text.p, half), str_n(text.p + half, text.n - half), &out, &err);
    sbuf_fini(&out);
    arena_fini(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *copy = mem_new(size); /* ends where the allocation ends */
    if (size > 0)
        memcpy(copy, data, size);
    struct str text = str_n(copy, size);
    scan(text);
    tree(text);
    CHECK(split(text, SIZE_MAX / 4, "a") == split(text, 7, "a"));
    CHECK(split(text, SIZE_MAX / 4, "") == split(text, 1 + size % 5, ""));
    infer(text);
    variant(text);
    mem_free(copy);
    return 0;
}

/* Records into columns of a schema that the first bytes choose, one record a line; with every processor's
 * code, and with blanks behind them, which no block takes: all must agree. What is decoded is written and must decode to the same. */
#include <ref/random_batch.h>

#include "format/json_private.h"

enum { RECORDS_MAX = 64, SEED_SIZE = 3 };

static bool is_readable(const struct type *type)
{
    if (type->kind == TYPE_MAP && type->fields[0].type->kind != TYPE_STRING)
        return false;
    for (uint32_t i = 0; i < type->field_count; i++)
        if (!is_readable(type->fields[i].type))
            return false;
    return true;
}

/* Names as the seeds of the corpus have them. */
static const struct type *rename_fields(const struct type *type, struct arena *arena)
{
    struct field *fields = arena_zarray(arena, struct field, type->field_count);
    for (uint32_t i = 0; i < type->field_count; i++) {
        fields[i] = type->fields[i];
        fields[i].name = arena_printf(arena, "%c", 'a' + (int)i);
        if (fields[i].type->kind == TYPE_STRUCT)
            fields[i].type = rename_fields(fields[i].type, arena);
    }
    return type_struct(arena, fields, type->field_count);
}

static const struct type *choose_schema(uint32_t seed, struct arena *arena)
{
    for (struct rng rng = {seed};;) {
        const struct type *schema = random_schema(&rng, 1 + seed % 4, arena);
        if (is_readable(schema))
            return rename_fields(schema, arena);
    }
}

static void count_bad(void *arg, const struct json_bad *bad)
{
    (void)bad;
    (*(uint32_t *)arg)++;
}

static struct batch *decode(struct pool *pool, const struct type *schema, struct json_options options,
                            const struct str *records, uint32_t count, uint32_t *bad, struct sbuf *out)
{
    struct batch *batch = batch_new();
    struct err err = {0};
    struct json_report report = {.bad = count_bad, .arg = bad};
    struct json_decoder *decoder = json_decoder_new(pool, schema, &options, &err);
    CHECK(json_decode(decoder, records, count, batch, &report, &err));
    if (!batch_check(batch, &err))
        check_failed(__FILE__, __LINE__, err.text);
    json_encode(json_encoder_new(pool, schema, NULL, &err), batch, 0, count, '\n', out, NULL);
    return batch;
}

/* Each line with a blank behind it. */
static char *with_blanks(struct str *records, uint32_t count, size_t size)
{
    char *text = mem_new(size + count), *at = text;
    for (uint32_t i = 0; i < count; i++) {
        memcpy(at, records[i].p, records[i].n);
        at[records[i].n] = ' ';
        records[i] = str_n(at, records[i].n + 1);
        at += records[i].n;
    }
    return text;
}

static bool has_variant(const struct type *type)
{
    if (type->kind == TYPE_VARIANT)
        return true;
    for (uint32_t i = 0; i < type->field_count; i++)
        if (has_variant(type->fields[i].type))
            return true;
    return false;
}

/* Written and read again. NULL types and VARIANTs aside, in which a fraction becomes a decimal and loses the sign of its zero, nothing may be lost. */
static void round_trip(struct pool *pool, const struct type *schema, struct str text, uint32_t count)
{
    struct str records[RECORDS_MAX];
    size_t used;
    uint32_t bad = 0;
    struct sbuf out = {0};
    CHECK(json_lines(text, true, records, RECORDS_MAX, &used) == count);
    batch_free(decode(pool, schema, json_options_default(), records, count, &bad, &out));
    CHECK(bad == 0 && (has_variant(schema) || str_eq(text, sbuf_view(&out))));
    sbuf_fini(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < SEED_SIZE)
        return 0;
    struct pool *pool = pool_new(NULL, "fuzz");
    const struct type *schema = choose_schema(data[0] | (uint32_t)data[1] << 8, pool_arena(pool));
    struct json_options options = json_options_default();
    options.allow_comments = data[2] & 1;
    options.allow_unquoted_field_names = data[2] & 1;
    options.copy = data[2] & 2;
    options.nocase = data[2] & 4;
    options.bare = (data[2] & 8) && schema->field_count == 1;
    options.report_unknown = data[2] & 16;
    size -= SEED_SIZE;
    char *copy = mem_new(size);
    memcpy(copy, data + SEED_SIZE, size);
    struct str records[RECORDS_MAX];
    size_t used;
    uint32_t count = (uint32_t)json_lines(str_n(copy, size), true, records, RECORDS_MAX, &used), bad = 0;
    struct sbuf first = {0}, other = {0};
    struct batch *batch = decode(pool, schema, options, records, count, &bad, &first);
    for (int cpu = JSON_CPU_SCALAR; cpu <= JSON_CPU_AVX512; cpu++) {
        uint32_t other_bad = 0;
        options.cpu = (enum json_cpu)cpu;
        sbuf_clear(&other);
        batch_free(decode(pool, schema, options, records, count, &other_bad, &other));
        CHECK(str_eq(sbuf_view(&first), sbuf_view(&other)) && bad == other_bad);
    }
    uint32_t blank_bad = 0;
    char *blanks = with_blanks(records, count, size);
    sbuf_clear(&other);
    batch_free(decode(pool, schema, options, records, count, &blank_bad, &other));
    CHECK(str_eq(sbuf_view(&first), sbuf_view(&other)) && bad == blank_bad);
    mem_free(blanks);
    round_trip(pool, schema, sbuf_view(&first), count);
    sbuf_fini(&first);
    sbuf_fini(&other);
    batch_free(batch);
    mem_free(copy);
    pool_free(pool);
    return 0;
}

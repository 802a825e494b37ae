#include "schema/schema.h"

#include <openssl/evp.h>

#include "base/utf8.h"
#include "schema/schema_private.h"
#include "schema/text.h"

static const char *const kind_names[] = {"AVRO", "PROTOBUF", "JSON"};

const char *schema_kind_name(enum schema_kind kind)
{
    return kind_names[kind];
}

bool schema_kind_find(struct str name, enum schema_kind *kind)
{
    for (int i = SCHEMA_AVRO; i <= SCHEMA_JSON; i++)
        if (str_is(name, kind_names[i])) {
            *kind = (enum schema_kind)i;
            return true;
        }
    return false;
}

bool schema_parse(struct arena *arena, const struct schema_source *source, const struct schema **out,
                  struct err *err)
{
    struct schema *schema = arena_new(arena, struct schema);
    size_t size = source->text.n;
    schema->kind = source->kind;
    *out = schema;
    if (source->reference_count > SCHEMA_REFERENCES_MAX)
        return err_set(err, ERR_DATA, "%u references are too many", source->reference_count);
    for (uint32_t i = 0; i < source->reference_count; i++)
        size += source->references[i].text.n;
    if (size > SCHEMA_TEXT_MAX)
        return err_set(err, ERR_DATA, "a schema of %zu bytes, with its references, is too large", size);
    switch (source->kind) {
    case SCHEMA_AVRO: return avro_parse(arena, source, &schema->avro, err);
    case SCHEMA_PROTOBUF: return proto_parse(arena, source, &schema->proto, err);
    case SCHEMA_JSON: return jschema_parse(arena, source, &schema->json, err);
    }
    UNREACHABLE("a kind of schema");
}

enum schema_kind schema_kind_of(const struct schema *schema)
{
    return schema->kind;
}

const struct avro_schema *schema_avro(const struct schema *schema)
{
    CHECK(schema->kind == SCHEMA_AVRO);
    return &schema->avro;
}

const struct proto_schema *schema_proto(const struct schema *schema)
{
    CHECK(schema->kind == SCHEMA_PROTOBUF);
    return &schema->proto;
}

const struct jschema_document *schema_json(const struct schema *schema)
{
    CHECK(schema->kind == SCHEMA_JSON);
    return &schema->json;
}

static void write_text(const struct schema *schema, enum write_how how, struct sbuf *out)
{
    switch (schema->kind) {
    case SCHEMA_AVRO: avro_write(&schema->avro, how, out); return;
    case SCHEMA_PROTOBUF: proto_write(&schema->proto, how, out); return;
    case SCHEMA_JSON: jschema_write(&schema->json, how == WRITE_NORMAL, out); return;
    }
}

void schema_canonical(const struct schema *schema, struct sbuf *out)
{
    write_text(schema, WRITE_CANONICAL, out);
}

void schema_normalize(const struct schema *schema, struct sbuf *out)
{
    write_text(schema, WRITE_NORMAL, out);
}

void schema_format(const struct schema *schema, struct str format, struct sbuf *out)
{
    bool other = (schema->kind == SCHEMA_AVRO && str_eq_nocase(format, STR("resolved"))) ||
                 (schema->kind == SCHEMA_PROTOBUF && str_eq_nocase(format, STR("ignore_extensions")));
    if (schema->kind == SCHEMA_PROTOBUF && str_eq_nocase(format, STR("serialized")))
        proto_write_serialized(&schema->proto, out);
    else
        write_text(schema, other ? WRITE_OTHER : WRITE_CANONICAL, out);
}

uint32_t schema_tags(struct arena *arena, const struct schema *schema, const struct schema_tags **tags)
{
    *tags = NULL;
    switch (schema->kind) {
    case SCHEMA_AVRO: return avro_tags(arena, &schema->avro, tags);
    case SCHEMA_PROTOBUF: return proto_tags(arena, &schema->proto, tags);
    default: return 0;
    }
}

bool schema_retag(struct arena *arena, const struct schema *schema, const struct schema_retag *change,
                  struct sbuf *out, struct err *err)
{
    switch (schema->kind) {
    case SCHEMA_AVRO: return avro_retag(arena, &schema->avro, change, out, err);
    case SCHEMA_PROTOBUF: return proto_retag(arena, &schema->proto, change, out, err);
    default:
        return err_set(err, ERR_DATA, "tags cannot be changed in schemas of type %s",
                       schema_kind_name(schema->kind));
    }
}

bool schema_equal(const struct schema *a, const struct schema *b)
{
    struct sbuf x = {0}, y = {0};
    if (a->kind != b->kind)
        return false;
    if (a->kind == SCHEMA_AVRO)
        return avro_types_equal(a->avro.root, b->avro.root, true);
    schema_canonical(a, &x);
    schema_canonical(b, &y);
    bool equal = str_eq(sbuf_view(&x), sbuf_view(&y));
    sbuf_fini(&x);
    sbuf_fini(&y);
    return equal;
}

struct str schema_name(const struct schema *schema)
{
    switch (schema->kind) {
    case SCHEMA_AVRO: return schema->avro.root->kind == AVRO_RECORD ? schema->avro.root->full : str_n("", 0);
    case SCHEMA_PROTOBUF: return proto_name_of(&schema->proto);
    case SCHEMA_JSON: return jschema_title(&schema->json);
    }
    UNREACHABLE("a kind of schema");
}

void schema_split_name(struct str text, struct str around, struct str *space, struct str *name)
{
    size_t n = text.n;
    while (n > 0 && text.p[n - 1] != '.')
        n--;
    *space = n == 0 ? around : str_n(text.p, n - 1);
    *name = str_n(text.p + n, text.n - n);
}

/* ---- compatibility ------------------------------------------------------------------------------------------------------ */

static const char *const level_names[] = {
    [SCHEMA_NONE] = "NONE",
    [SCHEMA_BACKWARD] = "BACKWARD",
    [SCHEMA_BACKWARD_TRANSITIVE] = "BACKWARD_TRANSITIVE",
    [SCHEMA_FORWARD] = "FORWARD",
    [SCHEMA_FORWARD_TRANSITIVE] = "FORWARD_TRANSITIVE",
    [SCHEMA_FULL] = "FULL",
    [SCHEMA_FULL_TRANSITIVE] = "FULL_TRANSITIVE",
};

const char *schema_level_name(enum schema_level level)
{
    return level_names[level];
}

bool schema_level_find(struct str name, enum schema_level *level)
{
    for (int i = SCHEMA_NONE; i <= SCHEMA_FULL_TRANSITIVE; i++)
        if (str_eq_nocase(name, str_of(level_names[i]))) {
            *level = (enum schema_level)i;
            return true;
        }
    return false;
}

bool schema_say(struct schema_messages *messages, const char *format, ...)
{
    struct sbuf text = {0};
    va_list args;
    if (messages->count == SCHEMA_DIFFERENCES_MAX) {
        messages->cut = true;
        return false;
    }
    if (messages->count == messages->capacity) {
        struct str *items = messages->items;
        messages->capacity = messages->capacity ? 2 * messages->capacity : 8;
        messages->items = arena_array(messages->arena, struct str, messages->capacity);
        if (messages->count > 0)
            memcpy(messages->items, items, messages->count * sizeof *items);
    }
    va_start(args, format);
    sbuf_vprintf(&text, format, args);
    va_end(args);
    messages->items[messages->count++] = text_take(messages->arena, &text);
    sbuf_fini(&text);
    return true;
}

/* Can `reader` read what `writer` wrote? Says why not. */
static bool compare(const struct schema *reader, const struct schema *writer,
                    const struct schema_report *report, struct err *err)
{
    switch (reader->kind) {
    case SCHEMA_AVRO: return avro_compare(&reader->avro, &writer->avro, report, err);
    case SCHEMA_PROTOBUF: return proto_compare(&reader->proto, &writer->proto, report, err);
    case SCHEMA_JSON: return jschema_compare(&reader->json, &writer->json, report, err);
    }
    UNREACHABLE("a kind of schema");
}

static void say_old(const struct schema_version *old, struct schema_messages *messages)
{
    struct sbuf text = {0};
    if (old->version != 0)
        schema_say(messages, "{oldSchemaVersion: %d}", (int)old->version);
    schema_canonical(old->schema, &text);
    size_t shown = utf8_offset(text.p, text.n, SCHEMA_OLD_TEXT_MAX);
    if (shown == text.n)
        schema_say(messages, "{oldSchema: '%s'}", text.p);
    else
        schema_say(messages, "{oldSchema: <truncated> '%.*s...'}", (int)shown, text.p);
    sbuf_fini(&text);
}

/* One old version. Full: what the old one cannot read is told first. */
static bool compare_version(const struct schema *schema, const struct schema_version *old, bool backward,
                            bool forward, struct schema_messages *messages, struct err *err)
{
    struct schema_report by_old = {messages, "old", "new"}, by_new = {messages, "new", "old"};
    if (schema->kind != old->schema->kind) {
        schema_say(messages, "Incompatible because of different schema type");
        return true;
    }
    if (forward)
        TRY(compare(old->schema, schema, &by_old, err));
    uint32_t before = backward ? messages->count : 0;
    if (backward)
        TRY(compare(schema, old->schema, &by_new, err));
    if (messages->count > before)
        say_old(old, messages);
    return true;
}

bool schema_compatible(const struct schema *schema, const struct schema_version *old, size_t count,
                       enum schema_level level, struct schema_messages *messages, struct err *err)
{
    bool backward = level == SCHEMA_BACKWARD || level == SCHEMA_BACKWARD_TRANSITIVE || level >= SCHEMA_FULL;
    bool forward = level >= SCHEMA_FORWARD;
    bool all = level == SCHEMA_BACKWARD_TRANSITIVE || level == SCHEMA_FORWARD_TRANSITIVE ||
               level == SCHEMA_FULL_TRANSITIVE;
    if (level == SCHEMA_NONE)
        return true;
    for (size_t i = count; i-- > 0 && messages->count == 0;) {
        TRY(compare_version(schema, &old[i], backward, forward, messages, err));
        if (!all)
            break;
    }
    return messages->count == 0;
}

/* ---- fingerprints ------------------------------------------------------------------------------------------------------- */

uint64_t schema_crc64(struct str text)
{
    const uint64_t empty = UINT64_C(0xC15D213AA4D7A795);
    uint64_t crc = empty;
    for (size_t i = 0; i < text.n; i++) {
        crc ^= (uint8_t)text.p[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (empty & -(crc & 1));
    }
    return crc;
}

void schema_md5(struct str text, uint8_t digest[16])
{
    CHECK(EVP_Digest(text.p, text.n, digest, NULL, EVP_md5(), NULL) == 1);
}

void schema_sha256(struct str text, uint8_t digest[32])
{
    CHECK(EVP_Digest(text.p, text.n, digest, NULL, EVP_sha256(), NULL) == 1);
}

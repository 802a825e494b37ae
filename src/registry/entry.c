#include "registry/entry.h"

#include "registry/registry.h"
#include "schema/text.h"
#include "json/text.h"

#define TENANT "default"

static const char *const kind_names[] = {
    [ENTRY_SCHEMA] = "SCHEMA",
    [ENTRY_CONFIG] = "CONFIG",
    [ENTRY_MODE] = "MODE",
    [ENTRY_CONTEXT] = "CONTEXT",
    [ENTRY_DELETE_SUBJECT] = "DELETE_SUBJECT",
    [ENTRY_CLEAR_SUBJECT] = "CLEAR_SUBJECT",
};

static const char *const mode_names[] = {"READWRITE", "READONLY", "READONLY_OVERRIDE", "IMPORT", "FORWARD"};

const char *registry_mode_name(enum registry_mode mode)
{
    return mode_names[mode];
}

bool registry_mode_find(struct str name, enum registry_mode *mode)
{
    for (int i = MODE_READWRITE; i <= MODE_FORWARD; i++)
        if (str_is(name, mode_names[i])) {
            *mode = (enum registry_mode)i;
            return true;
        }
    return false;
}

/* ---- reading ----------------------------------------------------------------------------------------------------------------- */

static struct str text_member(const struct json_node *object, const char *name)
{
    const struct json_node *node = json_member(object, str_of(name));
    return node && node->kind == JSON_STRING ? node->text : (struct str){0};
}

static bool int_member(const struct json_node *object, const char *name, int32_t *value, struct err *err)
{
    int64_t number;
    const struct json_node *node = json_member(object, str_of(name));
    if (node == NULL || node->kind != JSON_NUMBER || !str_to_i64(node->text, &number) || number < INT32_MIN ||
        number > INT32_MAX)
        return err_set(err, ERR_DATA, "\"%s\" is no number", name);
    *value = (int32_t)number;
    return true;
}

static bool read_key(const struct json_node *key, struct entry *record, struct err *err)
{
    struct str kind = text_member(key, "keytype");
    record->kind = ENTRY_OTHER;
    for (int i = ENTRY_SCHEMA; i <= ENTRY_CLEAR_SUBJECT; i++)
        if (str_is(kind, kind_names[i]))
            record->kind = (enum entry_kind)i;
    if (kind.p == NULL)
        return err_set(err, ERR_DATA, "the key has no \"keytype\"");
    record->subject = text_member(key, record->kind == ENTRY_CONTEXT ? "context" : "subject");
    if (record->kind == ENTRY_CONTEXT)
        return record->subject.p != NULL || err_set(err, ERR_DATA, "the key has no \"context\"");
    if (record->kind == ENTRY_DELETE_SUBJECT || record->kind == ENTRY_SCHEMA)
        if (record->subject.p == NULL)
            record->subject = str_n("", 0); /* what is empty is left out */
    if (record->kind == ENTRY_SCHEMA)
        return int_member(key, "version", &record->version, err) &&
               (record->version > 0 ||
                err_set(err, ERR_DATA, "there is no version %d", (int)record->version));
    return true;
}

static bool read_schema(struct arena *arena, const struct json_node *value, struct entry_schema *schema,
                        struct err *err)
{
    struct str kind = text_member(value, "schemaType"), md5 = text_member(value, "md5");
    const struct json_node *deleted = json_member(value, STR("deleted"));
    const struct registry_reference *references;
    uint32_t count;
    uint8_t given[18 + 3];
    TRY(int_member(value, "id", &schema->id, err));
    if (schema->id < 0)
        return err_set(err, ERR_DATA, "there is no id %d", (int)schema->id);
    if (kind.p && !schema_kind_find(kind, &schema->kind))
        return err_set(err, ERR_DATA, "\"%.*s\" is no kind of schema", STR_ARG(kind));
    schema->text = text_member(value, "schema");
    if (schema->text.p == NULL)
        return err_set(err, ERR_DATA, "there is no \"schema\"");
    TRY(references_parse(arena, json_member(value, STR("references")), &references, &count, err));
    schema->references = references_text(arena, references, count);
    TRY(metadata_text(arena, json_member(value, STR("metadata")), &schema->metadata, err));
    TRY(rules_text(arena, json_member(value, STR("ruleSet")), &schema->rules, err));
    schema->deleted = deleted && deleted->kind == JSON_BOOLEAN && deleted->boolean;
    if (md5.n == 24 && json_base64_decode(md5.p, md5.n, given) == 16)
        memcpy(schema->md5, given, 16); /* of what it was before a part of it was encrypted */
    else
        parts_md5(arena, schema->text, schema->references, schema->metadata, schema->rules, schema->md5);
    return true;
}

bool entry_read(struct arena *arena, struct str key, struct str value, int64_t timestamp_ms,
                struct entry *record, struct err *err)
{
    const struct json_node *k, *v;
    *record = (struct entry){.tombstone = value.p == NULL};
    TRY(json_parse(arena, key, &k, err));
    TRY(read_key(k, record, err));
    if (record->tombstone || record->kind == ENTRY_OTHER)
        return true;
    TRY(json_parse(arena, value, &v, err));
    switch (record->kind) {
    case ENTRY_SCHEMA:
        record->schema.timestamp_ms = timestamp_ms;
        return read_schema(arena, v, &record->schema, err);
    case ENTRY_CONFIG:
        record->config = v->text;
        return v->kind == JSON_OBJECT || err_set(err, ERR_DATA, "no object");
    case ENTRY_MODE:
        return registry_mode_find(text_member(v, "mode"), &record->mode) ||
               err_set(err, ERR_DATA, "\"mode\" is none");
    case ENTRY_DELETE_SUBJECT: return int_member(v, "version", &record->version, err);
    case ENTRY_CONTEXT:
    case ENTRY_CLEAR_SUBJECT:
    case ENTRY_OTHER: return true;
    }
    UNREACHABLE("a kind of record");
}

/* ---- writing ----------------------------------------------------------------------------------------------------------------- */

static void put_text(struct sbuf *out, const char *name, struct str value)
{
    if (value.n == 0)
        return;
    if (out->p[out->n - 1] != '{')
        sbuf_char(out, ',');
    sbuf_printf(out, "\"%s\":", name);
    text_string(out, value);
}

void entry_write_key(struct sbuf *out, const struct entry *r)
{
    CHECK(r->kind != ENTRY_OTHER);
    sbuf_printf(out, "{\"keytype\":\"%s\"", kind_names[r->kind]);
    if (r->kind == ENTRY_CONTEXT)
        sbuf_cstr(out, ",\"tenant\":\"" TENANT "\"");
    put_text(out, r->kind == ENTRY_CONTEXT ? "context" : "subject", r->subject);
    if (r->kind == ENTRY_SCHEMA)
        sbuf_printf(out, ",\"version\":%d", (int)r->version);
    sbuf_printf(out, ",\"magic\":%d}", r->kind == ENTRY_SCHEMA);
}

static void write_schema(struct sbuf *out, const struct entry *r)
{
    const struct entry_schema *s = &r->schema;
    if (out->p[out->n - 1] != '{')
        sbuf_char(out, ',');
    sbuf_printf(out, "\"version\":%d,\"id\":%d,\"schemaType\":\"%s\"", (int)r->version, (int)s->id,
                schema_kind_name(s->kind));
    if (s->references.p)
        sbuf_printf(out, ",\"references\":%.*s", STR_ARG(s->references));
    if (s->metadata.p)
        sbuf_printf(out, ",\"metadata\":%.*s", STR_ARG(s->metadata));
    if (s->rules.p)
        sbuf_printf(out, ",\"ruleSet\":%.*s", STR_ARG(s->rules));
    sbuf_cstr(out, ",\"schema\":");
    text_string(out, s->text);
    sbuf_printf(out, ",\"deleted\":%s", s->deleted ? "true" : "false");
}

void entry_write_value(struct sbuf *out, const struct entry *r)
{
    CHECK(!r->tombstone);
    sbuf_char(out, '{');
    if (r->kind == ENTRY_CONTEXT)
        sbuf_cstr(out, "\"tenant\":\"" TENANT "\"");
    put_text(out, r->kind == ENTRY_CONTEXT ? "context" : "subject", r->subject);
    switch (r->kind) {
    case ENTRY_SCHEMA: write_schema(out, r); break;
    case ENTRY_CONFIG: {
        struct arena arena = {0};
        struct config config;
        config_read(&arena, r->config, &config);
        if (out->p[out->n - 1] != '{' && r->config.n > 2)
            sbuf_char(out, ',');
        struct sbuf fields = {0};
        config_write(&fields, &config, false);
        sbuf_str(out, sbuf_view(&fields));
        sbuf_fini(&fields);
        arena_fini(&arena);
        break;
    }
    case ENTRY_MODE: put_text(out, "mode", str_of(registry_mode_name(r->mode))); break;
    case ENTRY_DELETE_SUBJECT:
        sbuf_printf(out, "%s\"version\":%d", r->subject.n ? "," : "", (int)r->version);
        break;
    case ENTRY_CONTEXT:
    case ENTRY_CLEAR_SUBJECT: break;
    case ENTRY_OTHER: UNREACHABLE("a record that is never written");
    }
    sbuf_char(out, '}');
}

static struct str text_copy(struct arena *arena, struct str text)
{
    return text.p ? str_n(str_dup(arena, text), text.n) : text;
}

struct entry entry_copy(struct arena *arena, const struct entry *record)
{
    struct entry copy = *record;
    copy.subject = text_copy(arena, record->subject);
    copy.config = text_copy(arena, record->config);
    copy.schema.text = text_copy(arena, record->schema.text);
    copy.schema.references = text_copy(arena, record->schema.references);
    copy.schema.metadata = text_copy(arena, record->schema.metadata);
    copy.schema.rules = text_copy(arena, record->schema.rules);
    return copy;
}

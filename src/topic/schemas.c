#include "topic/schemas.h"

#include <stdio.h>

#include "base/bytes.h"
#include "topic/codec_private.h"

static bool has_schema(enum topic_format format)
{
    return format == TOPIC_AVRO || format == TOPIC_PROTOBUF || format == TOPIC_JSON_SCHEMA;
}

bool topic_has_schema(const struct topic_def *def)
{
    return has_schema(def->format);
}

bool topic_key_has_schema(const struct topic_def *def)
{
    return has_schema(def->key_format);
}

const struct record_codec *codec_of(enum topic_format format)
{
    switch (format) {
    case TOPIC_RAW: return NULL;
    case TOPIC_JSON:
    case TOPIC_JSON_SCHEMA: return &codec_json;
    case TOPIC_AVRO: return &codec_avro;
    case TOPIC_PROTOBUF: return &codec_protobuf;
    }
    UNREACHABLE("format of a topic");
}

enum schema_kind topic_schema_kind(enum topic_format format)
{
    return codec_of(format)->schema;
}

const char *topic_subject(struct arena *arena, const struct topic_def *def, bool is_key,
                          const struct schema *schema)
{
    struct str name = schema ? schema_name(schema) : (struct str){0};
    switch (def->subject) {
    case TOPIC_SUBJECT_TOPIC: return arena_printf(arena, "%s-%s", def->name, is_key ? "key" : "value");
    case TOPIC_SUBJECT_RECORD: return name.n ? str_dup(arena, name) : NULL;
    case TOPIC_SUBJECT_TOPIC_RECORD:
        return name.n ? arena_printf(arena, "%s-%.*s", def->name, STR_ARG(name)) : NULL;
    }
    UNREACHABLE("subject strategy");
}

/* ---- ids ----------------------------------------------------------------------------------------------------------------- */

struct schema_id schema_id_read(struct str bytes)
{
    const uint8_t *p = (const uint8_t *)bytes.p;
    struct schema_id out = {.is_guid = p[0] == 1};
    if (out.is_guid)
        memcpy(out.guid, p + 1, sizeof out.guid);
    else
        out.id = get_be32(p + 1);
    return out;
}

const char *schema_id_text(const struct schema_id *id, char text[SCHEMA_ID_TEXT])
{
    if (!id->is_guid) {
        snprintf(text, SCHEMA_ID_TEXT, "%u", id->id);
        return text;
    }
    char *p = text;
    for (int i = 0; i < 16; i++)
        p += snprintf(p, 4, i == 4 || i == 6 || i == 8 || i == 10 ? "-%02x" : "%02x", id->guid[i]);
    return text;
}

/* ---- columns ----------------------------------------------------------------------------------------------------------- */

const struct type *topic_columns(struct arena *arena, enum topic_format format, const struct schema *schema,
                                 struct err *err)
{
    const struct type *columns = codec_of(format)->columns(arena, schema, (struct str){0}, err);
    return columns ? type_nullable(arena, columns) : NULL;
}

const struct type *topic_columns_evolve(struct arena *arena, enum topic_format format,
                                        const struct type *pinned, const struct type *found)
{
    const struct type *wider = codec_of(format)->evolve(arena, pinned, found);
    return wider == pinned ? pinned : type_nullable(arena, wider);
}

/* A name that every format takes. */
static struct str record_name(struct arena *arena, const struct topic_def *def, bool is_key)
{
    char *name = arena_printf(arena, "%s_%s", def->name, is_key ? "key" : "value");
    for (char *p = name; *p; p++)
        if (!((*p | 32) >= 'a' && (*p | 32) <= 'z') && !(*p >= '0' && *p <= '9'))
            *p = '_';
    return str_of(*name >= '0' && *name <= '9' ? arena_printf(arena, "_%s", name) : name);
}

bool topic_schema_text(const struct topic_def *def, bool is_key, const struct type *columns, struct sbuf *out,
                       struct err *err)
{
    struct arena arena = {0};
    const struct record_codec *codec = codec_of(is_key ? def->key_format : def->format);
    if (!is_key) /* whatever else writes there, or will */
        columns = type_nullable(&arena, columns);
    bool ok = codec->text(columns, record_name(&arena, def, is_key), is_key, out, err);
    arena_fini(&arena);
    return ok || err_context(err, "the schema of topic \"%s\"", def->name);
}

/* ---- registering --------------------------------------------------------------------------------------------------------- */

static bool answer(enum schema_found found, const struct topic_def *def, const char *subject, struct err *err)
{
    switch (found) {
    case SCHEMA_FOUND: return true;
    case SCHEMA_LATER:
        if (err)
            err->class = ERR_RETRY;
        return err_context(err, "the schema of topic \"%s\"", def->name);
    case SCHEMA_MISSING:
        err_set(err, ERR_CONFIG,
                "topic \"%s\" has no schema, and the registry has none for the subject \"%s\"", def->name,
                subject);
        return err_hint(err, "Give the topic one: schema: %s.avsc.", def->name);
    case SCHEMA_REFUSED:
        if (err)
            err->class = ERR_CONFIG;
        return err_context(err, "the registry refuses the schema of topic \"%s\" under the subject \"%s\"",
                           def->name, subject);
    }
    UNREACHABLE("answer of a registry");
}

/* The newest of the subject that the topic's name gives. */
static bool use_latest(struct arena *arena, const struct topic_def *def, bool is_key,
                       struct schema_source *source, uint32_t *id, struct err *err)
{
    const char *subject = topic_subject(arena, def, is_key, NULL);
    if (subject == NULL)
        return err_set(err, ERR_CONFIG, "topic \"%s\" has no schema, and its subject is named by that",
                       def->name);
    source->lenient = true;
    return answer(def->schemas->latest(def->schemas->arg, str_of(subject), arena, source, id, err), def,
                  subject, err);
}

static bool add(struct arena *arena, const struct topic_def *def, bool is_key,
                const struct schema_source *source, const struct schema *schema, uint32_t *id,
                struct err *err)
{
    const char *subject = topic_subject(arena, def, is_key, schema);
    if (subject == NULL)
        return err_set(err, ERR_CONFIG, "the schema of topic \"%s\" has no name, which its subject needs",
                       def->name);
    return answer(def->schemas->add(def->schemas->arg, str_of(subject), source, id, err), def, subject, err);
}

bool topic_schema_register(struct arena *arena, const struct topic_def *def, bool is_key,
                           const struct type *columns, const struct schema **schema, uint32_t *id,
                           struct err *err)
{
    const struct schema_source *given = is_key ? def->key_schema : def->value_schema;
    struct schema_source *source = arena_new(arena, struct schema_source);
    if (def->schemas == NULL)
        return err_set(err, ERR_CONFIG, "topic \"%s\" needs a schema registry, and there is none", def->name);
    *source = (struct schema_source){.kind = topic_schema_kind(is_key ? def->key_format : def->format)};
    if (given) {
        *source = *given;
    } else if (columns) {
        struct sbuf text = {0};
        bool ok = topic_schema_text(def, is_key, columns, &text, err);
        source->text = str_of(str_dup(arena, sbuf_view(&text)));
        sbuf_fini(&text);
        TRY(ok);
    }
    bool latest = given == NULL && columns == NULL;
    if (latest)
        TRY(use_latest(arena, def, is_key, source, id, err));
    TRY(schema_parse(arena, source, schema, err));
    return latest || add(arena, def, is_key, source, *schema, id, err);
}

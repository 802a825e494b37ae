/* The schemas that a project gives its topics: a DDL text, or an Avro, Protobuf or JSON schema, in a file of its own or in the project file.
 * What a schema is of, its file's name says, or how its text begins. */
#include "job/project_private.h"
#include "topic/schemas.h"

enum language { LANGUAGE_DDL, LANGUAGE_AVRO, LANGUAGE_PROTOBUF, LANGUAGE_JSON, LANGUAGE_UNKNOWN };

static const char *const languages[] = {"DDL", "an Avro schema", "a Protobuf schema", "a JSON Schema"};

static enum language of_format(enum topic_format format)
{
    switch (format) {
    case TOPIC_AVRO: return LANGUAGE_AVRO;
    case TOPIC_PROTOBUF: return LANGUAGE_PROTOBUF;
    case TOPIC_JSON:
    case TOPIC_JSON_SCHEMA: return LANGUAGE_JSON;
    case TOPIC_RAW: break;
    }
    return LANGUAGE_DDL;
}

static enum language of_file(struct str path, enum topic_format format)
{
    if (str_ends(path, STR(".ddl")) || str_ends(path, STR(".sql")))
        return LANGUAGE_DDL;
    if (str_ends(path, STR(".avsc")))
        return LANGUAGE_AVRO;
    if (str_ends(path, STR(".proto")))
        return LANGUAGE_PROTOBUF;
    if (str_ends(path, STR(".json")))
        return format == TOPIC_AVRO ? LANGUAGE_AVRO : LANGUAGE_JSON;
    return LANGUAGE_UNKNOWN;
}

/* DDL has no such beginnings: a column's name with one of them needs backticks. */
static enum language of_text(struct str text, enum topic_format format)
{
    text = str_trim(text);
    if (text.n && (text.p[0] == '{' || text.p[0] == '['))
        return format == TOPIC_AVRO ? LANGUAGE_AVRO : LANGUAGE_JSON;
    bool proto = str_starts(text, STR("syntax")) || str_starts(text, STR("edition")) ||
                 str_starts(text, STR("message "));
    return proto && str_find(text, STR("{"), 0) != SIZE_MAX ? LANGUAGE_PROTOBUF : LANGUAGE_DDL;
}

/* A Protobuf, Avro or JSON schema: in a topic of that format records carry its id; a topic of plain JSON has its columns. */
static bool parse(struct loader *l, const struct conf_sql *conf, const struct conf_file *file,
                  enum language language, struct str text, struct schema_source **source,
                  const struct schema **schema)
{
    static const enum schema_kind kinds[] = {
        [LANGUAGE_AVRO] = SCHEMA_AVRO, [LANGUAGE_PROTOBUF] = SCHEMA_PROTOBUF, [LANGUAGE_JSON] = SCHEMA_JSON};
    struct err err = {0};
    *source = arena_new(l->arena, struct schema_source);
    **source = (struct schema_source){.kind = kinds[language], .text = text};
    if (schema_parse(l->arena, *source, schema, &err))
        return true;
    project_say_in_text(l, conf, file, &err);
    return false;
}

static void say_language(struct loader *l, const struct conf_topic *conf, const struct conf_sql *given,
                         enum language language, const char *key)
{
    static const char *const formats[] = {
        [LANGUAGE_AVRO] = "avro", [LANGUAGE_PROTOBUF] = "protobuf", [LANGUAGE_JSON] = "json_schema"};
    struct conf_diag *d;
    if (language == LANGUAGE_UNKNOWN) {
        d = conf_say(l->diags, CONF_ERROR, given->node,
                     "what \"%s\" of topic \"%s\" holds, its name does not say", given->path, conf->name);
        err_hint(&d->err,
                 "There are .ddl, .avsc, .proto and .json; a text with white space in it is taken as it is.");
        return;
    }
    d = conf_say(l->diags, CONF_ERROR, given->node, "the schema of topic \"%s\" is %s, and its %s is another",
                 conf->name, languages[language], key);
    err_hint(&d->err, "Say %s: %s.", key, formats[language]);
}

/* The columns (*columns) and what is registered (*source, or NULL where that is made of columns). */
static bool load(struct loader *l, const struct conf_topic *conf, const struct conf_sql *given, bool is_key,
                 enum topic_format format, const struct type **columns, const struct schema_source **source)
{
    struct str text;
    const struct conf_file *file;
    struct err err = {0};
    struct schema_source *parsed;
    const struct schema *schema;
    enum language language = given->path ? of_file(str_of(given->path), format) : LANGUAGE_DDL;
    if (language != LANGUAGE_UNKNOWN && !project_load_text(l, given, &text, &file))
        return false;
    if (given->path == NULL)
        language = of_text(text, format);
    bool fits = language == LANGUAGE_DDL || language == of_format(format) || format == TOPIC_JSON;
    if (language == LANGUAGE_UNKNOWN || !fits) {
        say_language(l, conf, given, language, is_key ? "key_format" : "format");
        return false;
    }
    if (language == LANGUAGE_DDL) {
        if (type_parse_ddl(l->arena, text, columns, &err)) {
            if (format != TOPIC_JSON)
                *columns = type_nullable(l->arena, *columns);
            return true;
        }
        project_say_in_text(l, given, file, &err);
        return false;
    }
    if (!parse(l, given, file, language, text, &parsed, &schema))
        return false;
    enum topic_format of = language == LANGUAGE_AVRO       ? TOPIC_AVRO
                           : language == LANGUAGE_PROTOBUF ? TOPIC_PROTOBUF
                                                           : TOPIC_JSON_SCHEMA;
    *columns = topic_columns(l->arena, of, schema, &err);
    if (*columns == NULL) {
        project_say_in_text(l, given, file, &err);
        return false;
    }
    *source = format == TOPIC_JSON ? NULL : parsed;
    return true;
}

static enum topic_format format_of(int format)
{
    static const enum topic_format formats[] = {[CONF_FORMAT_JSON] = TOPIC_JSON,
                                                [CONF_FORMAT_AVRO] = TOPIC_AVRO,
                                                [CONF_FORMAT_PROTOBUF] = TOPIC_PROTOBUF,
                                                [CONF_FORMAT_JSON_SCHEMA] = TOPIC_JSON_SCHEMA,
                                                [CONF_FORMAT_RAW] = TOPIC_RAW};
    return formats[format];
}

void project_load_schemas(struct loader *l, const struct conf_topic *conf, struct topic_def *topic)
{
    static const enum topic_subject subjects[] = {[CONF_SUBJECT_TOPIC] = TOPIC_SUBJECT_TOPIC,
                                                  [CONF_SUBJECT_RECORD] = TOPIC_SUBJECT_RECORD,
                                                  [CONF_SUBJECT_TOPIC_RECORD] = TOPIC_SUBJECT_TOPIC_RECORD};
    const struct type *key_columns;
    topic->format = format_of(conf->format);
    topic->key_format = format_of(conf->key_format);
    topic->subject = subjects[conf->subject];
    if (conf->schema.node)
        topic->declared = load(l, conf, &conf->schema, false, topic->format, &topic->schema,
                               &topic->value_schema);
    if (topic_key_has_schema(topic) && topic->key_count == 0)
        conf_say(l->diags, CONF_ERROR, conf_get(conf->node, "key_format"),
                 "keys of topic \"%s\" have a format, and no column that makes them: it has no `key`",
                 conf->name);
    if (conf->key_schema.node == NULL)
        return;
    if (!topic_key_has_schema(topic))
        err_hint(&conf_say(l->diags, CONF_ERROR, conf->key_schema.node,
                           "the keys of topic \"%s\" have a schema and are text", conf->name)
                      ->err,
                 "Say their format: key_format: avro.");
    else
        (void)!load(l, conf, &conf->key_schema, true, topic->key_format, &key_columns, &topic->key_schema);
}

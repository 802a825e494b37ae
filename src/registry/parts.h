/* What the registry keeps beside a schema's text: metadata, rules, references, configurations. Each has one JSON text, members in
 * Confluent's order, and is kept as that. p NULL: there is none. Pure. */
#ifndef REGISTRY_PARTS_H
#define REGISTRY_PARTS_H

#include "schema/schema.h"
#include "json/tree.h"

/* ---- metadata and rules ------------------------------------------------------------------------------------------------------ */

/* The text of what a client sent or a record holds; null and NULL: none. ERR_DATA: another shape. */
bool metadata_text(struct arena *arena, const struct json_node *node, struct str *text, struct err *err);
bool rules_text(struct arena *arena, const struct json_node *node, struct str *text, struct err *err);
/* ERR_DATA: what is wrong with these rules. */
bool rules_check(struct arena *arena, struct str text, struct err *err);
/* b over a. */
struct str metadata_merge(struct arena *arena, struct str a, struct str b);
struct str rules_merge(struct arena *arena, struct str a, struct str b);
/* Without the rules of these names. */
struct str rules_without(struct arena *arena, struct str rules, const struct json_node *names);
bool rules_have_type(struct arena *arena, struct str rules, struct str type);

/* A property's value; p NULL: it has none of that name. */
struct str metadata_property(struct arena *arena, struct str metadata, struct str name);
#define METADATA_VERSION "confluent:version"
struct str metadata_with_version(struct arena *arena, struct str metadata, int32_t version);
struct str metadata_without_version(struct arena *arena, struct str metadata);

/* ---- references -------------------------------------------------------------------------------------------------------------- */

struct registry_reference;
/* '[{"name":…,"subject":…,"version":…}]', or none. */
struct str references_text(struct arena *arena, const struct registry_reference *references, uint32_t count);
/* ERR_DATA: another shape. version is 0 and a name's p NULL where it is lacking. */
bool references_parse(struct arena *arena, const struct json_node *node,
                      const struct registry_reference **references, uint32_t *count, struct err *err);
bool references_read(struct arena *arena, struct str text, const struct registry_reference **references,
                     uint32_t *count);

/* Whatever makes two schemas the same, as a digest: MD5 over texts and names; as a UUID it is the schema's guid. */
void parts_md5(struct arena *arena, struct str text, struct str references, struct str metadata,
               struct str rules, uint8_t digest[16]);
enum { GUID_TEXT = 36 };
void guid_text(const uint8_t digest[16], char out[GUID_TEXT + 1]);
/* As Java's UUID.fromString, or 32 hexadecimal digits. */
bool guid_parse(struct str text, uint8_t digest[16]);

/* ---- configurations ---------------------------------------------------------------------------------------------------------- */

enum config_field {
    CONFIG_ALIAS,
    CONFIG_ALIAS_FOR_DEKS,
    CONFIG_NORMALIZE,
    CONFIG_VALIDATE_FIELDS,
    CONFIG_VALIDATE_NEW,
    CONFIG_VALIDATE_RULES,
    CONFIG_LEVEL,
    CONFIG_POLICY,
    CONFIG_GROUP,
    CONFIG_DEFAULT_METADATA,
    CONFIG_OVERRIDE_METADATA,
    CONFIG_DEFAULT_RULES,
    CONFIG_OVERRIDE_RULES,
    CONFIG_FIELDS,
};
/* A field's value is a text: "true", "FULL", a metadata text. p NULL: not set. */
struct config {
    struct str fields[CONFIG_FIELDS];
};
struct config_update {
    struct config config;
    bool given[CONFIG_FIELDS]; /* null is given, too: it unsets the field */
};

/* What a client sends ("compatibility"), and what records hold ("compatibilityLevel"). ERR_DATA: another shape. Levels and policies are checked by
 * whoever takes the update. */
bool config_update_parse(struct arena *arena, const struct json_node *node, struct config_update *update,
                         struct err *err);
bool config_read(struct arena *arena, struct str text, struct config *config);
/* The members, without braces: '"alias":"a","compatibilityLevel":"FULL"', appended; update: under the names of an update. */
void config_write(struct sbuf *out, const struct config *config, bool update);
static inline bool config_is_true(const struct config *config, enum config_field field)
{
    return str_is(config->fields[field], "true");
}

#endif

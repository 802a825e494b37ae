/* JSON Schema: drafts 4, 6, 7, 2019-09 and 2020-12, as a graph of schemas.
 *
 * What a schema demands of different kinds of values becomes schemas of one kind each, as the library does that Confluent's
 * registry compares with (everit): {"type": "object", "enum": […]} is the combination, allOf, of an OBJECT and an ENUM. What has no
 * schemas in it (lengths, limits, required names, patterns' texts) is read from the node itself. */
#ifndef SCHEMA_JSCHEMA_H
#define SCHEMA_JSCHEMA_H

#include "schema/schema.h"
#include "json/tree.h"

enum jschema_draft { JSCHEMA_4, JSCHEMA_6, JSCHEMA_7, JSCHEMA_2019, JSCHEMA_2020 };

enum jschema_kind {
    JSCHEMA_TRUE,  /* true */
    JSCHEMA_EMPTY, /* {} and all that demands nothing */
    JSCHEMA_FALSE,
    JSCHEMA_REF,
    JSCHEMA_ENUM,
    JSCHEMA_CONST,
    JSCHEMA_NOT,
    JSCHEMA_COMBINED,
    JSCHEMA_CONDITIONAL,
    JSCHEMA_NULL,
    JSCHEMA_BOOLEAN,
    JSCHEMA_NUMBER,
    JSCHEMA_STRING,
    JSCHEMA_ARRAY,
    JSCHEMA_OBJECT,
};

enum jschema_criterion { JSCHEMA_ALL_OF, JSCHEMA_ANY_OF, JSCHEMA_ONE_OF };

struct jschema;

struct jschema_member {
    struct str name; /* of a property; the text of a pattern; a property on which a schema depends */
    const struct jschema *schema;
};

struct jschema_members {
    struct jschema_member *items; /* items[count], in the order of the text */
    uint32_t count;
};

struct jschema {
    enum jschema_kind kind;
    uint32_t id; /* from 0, its own among the schemas of a text */
    enum jschema_draft draft;
    const struct json_node *node; /* that says all this */
    bool is_part;                 /* made of a part of the node: title, default and so on are not its own */

    bool is_integer;                  /* NUMBER */
    const struct jschema *target;     /* REF: what it means, never a REF itself. NOT: what is forbidden */
    enum jschema_criterion criterion; /* COMBINED */
    const struct jschema **items;     /* COMBINED; ARRAY: of the first items: items[count] */
    uint32_t count;

    const struct jschema *all_items;   /* ARRAY: of every item; NULL: none */
    const struct jschema *additional;  /* ARRAY, OBJECT: of further items or properties; NULL: none */
    bool is_closed;                    /* ARRAY, OBJECT: there are no further ones */
    const struct jschema *unevaluated; /* ARRAY, OBJECT; NULL: not said */

    struct jschema_members properties, patterns, dependencies; /* OBJECT */
};

struct jschema_document {
    const struct jschema *root;
    const struct json_node *node;
    uint32_t schema_count; /* ids are below */
};

/* The inside of a schema of that kind. */
const struct jschema_document *schema_json(const struct schema *schema);

/* What a reference leads to; any other schema itself. */
static inline const struct jschema *jschema_target(const struct jschema *schema)
{
    return schema != NULL && schema->kind == JSCHEMA_REF ? schema->target : schema;
}

#endif

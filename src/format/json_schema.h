/* Columns of a JSON Schema, and a JSON Schema of columns. The records themselves are JSON: format/json.h decodes and encodes them.
 *
 *   boolean                              BOOLEAN
 *   integer                              LONG; with "connect.type" or "format" int8 int16 int32: BYTE, SHORT, INT
 *   number                               DOUBLE; with float32 or "float": FLOAT; titled as Connect's Decimal: DECIMAL
 *   string                               STRING; "format" date: DATE, date-time: TIMESTAMP; "contentEncoding" base64: BINARY
 *   array                                ARRAY of what "items" says; of several kinds of items: of their JSON text
 *   object with "properties"             STRUCT of them, in their order
 *   object with "additionalProperties"   MAP<STRING, …>, where it has no properties of its own
 *   enum, const                          the type that its values have
 *   oneOf, anyOf, allOf                  null in them makes nullable; one type that is left is that type, numbers are the wider one, all
 *                                        objects of an allOf one STRUCT
 *   anything else                        STRING: the value's text, of what is no string its JSON
 *
 * A reference is what it leads to; a schema that holds itself is STRING there. Limits (minimum, pattern, maxLength …) do not count. */
#ifndef FORMAT_JSON_SCHEMA_H
#define FORMAT_JSON_SCHEMA_H

#include "schema/jschema.h"
#include "type/type.h"

enum {
    JSON_SCHEMA_PARTS_MAX = 100000
}; /* schemas in a schema, at all levels: one that is referred to twice counts twice */

/* The columns of the schema's records, given to arena: of one that is no object a single column "value". Properties that are required and take no
 * null are NOT NULL. NULL and ERR_CONFIG: deeper than TYPE_DEPTH_MAX, of more than JSON_SCHEMA_PARTS_MAX
 * parts, or an object with more than TYPE_FIELDS_MAX properties. */
const struct type *json_schema_columns(struct arena *arena, const struct jschema_document *schema,
                                       struct err *err);

/* The schema (draft 7) of objects with these columns, appended: what json_schema_columns gives `columns` for again, but for time zones,
 * intervals and collations. Objects are closed, so that a column more is compatible. ERR_CONFIG: a map whose key is not STRING. */
bool json_schema_of_columns(const struct type *columns, struct str title, struct sbuf *out, struct err *err);

#endif

/* What the files of the Avro codec share. */
#ifndef FORMAT_AVRO_PRIVATE_H
#define FORMAT_AVRO_PRIVATE_H

#include "base/inline.h"
#include "format/avro.h"
#include "format/json_decode_private.h"

enum {
    AVRO_COLUMNS_MAX =
        100000,               /* columns of a schema, at all levels: a type that is used twice counts twice */
    AVRO_STEPS_MAX = 1 << 18, /* of one writer's program */
    AVRO_BLOCK = 64,          /* records that a step takes at once */
};

/* ---- avro_type.c ---------------------------------------------------------------------------------------------------------- */

/* What a union is to SQL. */
struct avro_members {
    bool has_null;
    uint32_t count;               /* branches that are not null */
    const struct avro_type *only; /* the first of them */
    const struct type *number;    /* what int and long, or float and double, become together, or NULL */
};
struct avro_members avro_members_of(const struct avro_type *type);
/* Is it a STRUCT of members? */
static inline bool avro_is_members(const struct avro_type *type)
{
    if (type->kind != AVRO_UNION)
        return false;
    struct avro_members members = avro_members_of(type);
    return members.count > 1 && members.number == NULL;
}
/* Index of a branch that is not null among those. */
uint32_t avro_member_index(const struct avro_type *type, uint32_t branch);

/* ---- avro_default.c ------------------------------------------------------------------------------------------------------- */

/* The value of that type which the JSON of a default means, in binary, appended; false: it is none. */
bool avro_default_write(const struct avro_type *type, const struct json_node *node, struct sbuf *out);

#endif

/* What the files of the Protobuf schemas share. */
#ifndef SCHEMA_PROTO_PRIVATE_H
#define SCHEMA_PROTO_PRIVATE_H

#include "schema/proto.h"
#include "schema/schema_private.h"

/* Something with a full name: one of the three. */
struct proto_name {
    struct str full;
    const struct proto_message *message;
    const struct proto_enum *enumeration;
    const struct proto_field *extension;
    uint32_t order; /* in which it was found: of two, the first counts */
};

/* items[count], by name. */
struct proto_names {
    const struct proto_name *items;
    uint32_t count;
};

const struct proto_name *proto_name_find(const struct proto_names *names, struct str full);
/* The name as it stands in a scope ("a.b.Message"), or NULL. */
const struct proto_name *proto_name_resolve(const struct proto_names *names, struct str scope,
                                            struct str text, bool extension);
/* UNKNOWN: it is no scalar's name. */
enum proto_kind proto_scalar_find(struct str name);
/* All fields but groups, those of oneofs too. */
const struct proto_field **proto_fields_by_tag(struct arena *arena, const struct proto_message *message,
                                               uint32_t *count);

/* Of a file that every compiler knows; p NULL: it is none. */
struct str proto_known_text(struct str name);

bool proto_parse_text(struct arena *arena, struct str text, const char *name, struct proto_file *file,
                      struct err *err);
/* Does the text look like base64, which no .proto does? */
bool proto_is_descriptor(struct str text);
/* A FileDescriptorProto in base64. */
bool proto_parse_descriptor(struct arena *arena, struct str text, struct proto_file *file, struct err *err);
/* The same file as a descriptor, binary, appended. Options that are extensions are left out. */
void proto_write_descriptor(const struct proto_schema *schema, struct sbuf *out);

/* An option that the language defines: its field in a descriptor, and of an enum the names of its values. */
struct proto_known_option {
    uint32_t tag; /* 0: the end of the table */
    enum proto_value kind;
    const char *name;
    const char *values[4]; /* ENUM: from 0 */
    uint32_t feature;      /* its field in the message of features, which `tag` is; 0: it is none */
};
extern const struct proto_known_option proto_file_options[], proto_message_options[], proto_field_options[],
    proto_enum_options[], proto_constant_options[], proto_service_options[], proto_rpc_options[];

#endif

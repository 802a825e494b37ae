/* Protobuf: a .proto file (proto2, proto3, editions) as it is written, with its names resolved.
 *
 * The tree is that of the text, options and all, because the text is what a registry keeps; a codec looks at the resolved kinds,
 * messages and enums in it. Lists are in the order of the text. */
#ifndef SCHEMA_PROTO_H
#define SCHEMA_PROTO_H

#include "schema/schema.h"

enum {
    PROTO_DEPTH_MAX = 64, /* messages in messages, values in values of options */
    PROTO_TAG_MAX = 536870911,
    PROTO_OPTIONS_MAX = 2000, /* of one thing, and values in one of them */
    PROTO_EXTENDS_MAX = 1000, /* statements in one message or file */
};

#define PROTO_LIST(type)                                                                                     \
    struct {                                                                                                 \
        struct type *first, *last;                                                                           \
        uint32_t count;                                                                                      \
    }
#define PROTO_ADD(list, item)                                                                                \
    ((list)->last != NULL ? ((list)->last->next = (item)) : ((list)->first = (item)), (list)->last = (item), \
     (list)->count++)
#define PROTO_EACH(type, item, list) for (struct type *item = (list)->first; item != NULL; item = item->next)

enum proto_kind {
    PROTO_UNKNOWN, /* a name that nobody defines (lenient) */
    PROTO_DOUBLE,
    PROTO_FLOAT,
    PROTO_INT64,
    PROTO_UINT64,
    PROTO_INT32,
    PROTO_FIXED64,
    PROTO_FIXED32,
    PROTO_BOOL,
    PROTO_STRING,
    PROTO_BYTES,
    PROTO_UINT32,
    PROTO_SFIXED32,
    PROTO_SFIXED64,
    PROTO_SINT32,
    PROTO_SINT64,
    PROTO_MESSAGE,
    PROTO_ENUM,
};

enum proto_label { PROTO_NO_LABEL, PROTO_OPTIONAL, PROTO_REQUIRED, PROTO_REPEATED };

enum proto_value {
    PROTO_VALUE_STRING, /* text: unescaped */
    PROTO_VALUE_BOOLEAN,
    PROTO_VALUE_NUMBER, /* as written, with its sign */
    PROTO_VALUE_ENUM,
    PROTO_VALUE_MAP,  /* { name: value … } */
    PROTO_VALUE_LIST, /* [ value, … ] */
    PROTO_VALUE_PART, /* (option).name = …: its only item has that name */
};

/* An option, or a value inside of one. */
struct proto_option {
    struct str name;   /* of an item of a map "[a.b]" for an extension; of a list none */
    bool is_extension; /* (name) */
    enum proto_value kind;
    struct str text;
    PROTO_LIST(proto_option) items; /* MAP, LIST, PART */
    struct proto_option *next;
};
struct proto_options {
    struct proto_option *first, *last;
    uint32_t count;
};

/* A type as a field or an rpc names it. */
struct proto_type {
    struct str text; /* as written: "int32", "User", ".a.User" */
    enum proto_kind kind;
    const struct proto_message *message;  /* MESSAGE */
    const struct proto_enum *enumeration; /* ENUM */
};

struct proto_field {
    struct str name;
    int32_t tag;
    enum proto_label label;
    struct proto_type type;       /* of a map: the kind is MESSAGE, and its message NULL */
    bool is_map;                  /* map<…>, or a repeated message that stands for one (resolved) */
    struct proto_type key, value; /* of a map */
    const struct proto_oneof *oneof;
    struct str default_text; /* p NULL: none */
    bool default_quoted;
    struct str json_name; /* p NULL: none */
    struct proto_options options;
    size_t at; /* byte in the text */
    struct proto_field *next;
};
struct proto_fields {
    struct proto_field *first, *last;
    uint32_t count;
};

struct proto_messages {
    struct proto_message *first, *last;
    uint32_t count;
};

struct proto_oneof {
    struct str name;
    struct proto_fields fields;
    struct proto_messages groups;
    struct proto_options options;
    struct proto_oneof *next;
};

/* 5; 5 to 9; 5 to max; "name". */
struct proto_range {
    int64_t start, end; /* end: the last one */
    bool is_range;
    struct str name; /* p not NULL: a name */
    struct proto_range *next;
};

/* One statement `reserved` or `extensions`. */
struct proto_ranges {
    PROTO_LIST(proto_range) items;
    struct proto_options options;
    struct proto_ranges *next;
};

struct proto_extend {
    struct proto_type type; /* what is extended */
    struct proto_fields fields;
    struct proto_messages groups;
    struct proto_extend *next;
};

struct proto_constant {
    struct str name;
    int32_t tag;
    struct proto_options options;
    struct proto_constant *next;
};

struct proto_enum {
    struct str name, full; /* "Color", "a.b.Color" */
    const struct proto_file *file;
    PROTO_LIST(proto_constant) constants;
    PROTO_LIST(proto_ranges) reserved;
    struct proto_options options;
    struct proto_enum *next;
};

struct proto_message {
    struct str name, full;
    const struct proto_file *file;
    const struct proto_message *parent; /* NULL: of the file */
    uint32_t index;                     /* among its parent's messages, as the wire format counts */
    bool is_map_entry;
    struct proto_fields fields; /* without those of oneofs and groups */
    PROTO_LIST(proto_oneof) oneofs;
    struct proto_messages groups;
    PROTO_LIST(proto_ranges) reserved;
    PROTO_LIST(proto_ranges) extensions;
    PROTO_LIST(proto_extend) extends;
    struct proto_messages messages;
    PROTO_LIST(proto_enum) enums;
    struct proto_options options;

    /* a group: the field that it is too */
    enum proto_label label;
    int32_t tag;

    struct proto_message *next;
};

struct proto_rpc {
    struct str name;
    struct proto_type request, response;
    bool request_stream, response_stream;
    struct proto_options options;
    struct proto_rpc *next;
};

struct proto_service {
    struct str name;
    PROTO_LIST(proto_rpc) rpcs;
    struct proto_options options;
    struct proto_service *next;
};

struct proto_import {
    struct str name;
    bool is_public, is_weak;
    struct proto_import *next;
};

struct proto_file {
    struct str name;    /* as imports have it; of the schema itself empty */
    struct str syntax;  /* "proto2", "proto3", "2023"; p NULL: none is said, which is proto2 */
    bool is_edition;    /* syntax is one */
    struct str package; /* p NULL: none */
    struct str subject; /* of a reference */
    int32_t version;    /* -1: the schema itself */
    bool is_unreferred; /* a well-known file, or needed by a reference only */
    PROTO_LIST(proto_import) imports;
    struct proto_options options;
    struct proto_messages messages;
    PROTO_LIST(proto_enum) enums;
    PROTO_LIST(proto_extend) extends;
    PROTO_LIST(proto_service) services;
    struct proto_file *next;
};

struct proto_schema {
    struct proto_file *file;
    PROTO_LIST(proto_file) others; /* references and the well-known files that are needed */
    struct proto_names *names;     /* proto_resolve.c's: of all files */
};

/* The inside of a schema of that kind. */
const struct proto_schema *schema_proto(const struct schema *schema);

/* How a field is written and read, by the rules of its file, which is that of the message around it. */
struct proto_traits {
    bool has_presence; /* that it is not there differs from its default */
    bool is_required;
    bool is_packed;    /* written so; read is both */
    bool is_delimited; /* a message between two tags, as a group is, without its length */
};
struct proto_traits proto_field_traits(const struct proto_file *file, const struct proto_field *field);
/* A number that it does not have is no value of it. */
bool proto_enum_is_closed(const struct proto_enum *e);

/* "int32"; MESSAGE, ENUM: "message", "enum". */
const char *proto_kind_name(enum proto_kind kind);
/* The message that indexes[count] lead to, as they stand before each record; NULL: there is none. */
const struct proto_message *proto_message_at(const struct proto_schema *schema, const int32_t *indexes,
                                             size_t count);
/* The message of that full name, in any file; NULL: none. */
const struct proto_message *proto_message_find(const struct proto_schema *schema, struct str full);

#endif

/* A FileDescriptorProto, binary in base64 as clients send it, to the tree that its text would give.
 *
 * Options that the descriptor's own files do not define are left out, as there is nothing to name them by. */
#include "base/bytes.h"
#include "base/utf8.h"
#include "schema/proto_private.h"
#include "json/text.h"

struct read {
    struct arena *arena;
    struct proto_file *file;
    bool bad;
    uint32_t depth;
};

/* One field of a message of the wire format. */
struct item {
    uint32_t tag;
    uint64_t number; /* varint, fixed */
    struct str bytes;
};

static bool next(struct rd *r, struct item *item)
{
    if (r->bad || rd_left(r) == 0)
        return false;
    uint64_t key = rd_uvarint(r);
    *item = (struct item){.tag = (uint32_t)(key >> 3)};
    switch (key & 7) {
    case 0: item->number = rd_uvarint(r); break;
    case 1: item->number = rd_le64(r); break;
    case 2: {
        uint64_t n = rd_uvarint(r);
        const uint8_t *p = n <= rd_left(r) ? rd_take(r, (size_t)n) : NULL;
        r->bad |= p == NULL;
        item->bytes = str_n(p, p ? (size_t)n : 0);
        break;
    }
    case 5: item->number = rd_le32(r); break;
    default: r->bad = true;
    }
    return !r->bad;
}

/* The fields of a message, one after the other; a bad one ends them. */
#define ITEMS(r, it, text)                                                                                   \
    struct item it;                                                                                          \
    struct rd it##_rd = rd_of((text).p, (text).n);                                                           \
    while (next(&it##_rd, &it) || ((r)->bad |= it##_rd.bad, false))

/* ---- options ------------------------------------------------------------------------------------------------------------ */

/* What an edition lets a file say of itself, or of a part of it, in the field `tag` of the options. */
#define FEATURES(tag)                                                                                        \
    {(tag),                                                                                                  \
     PROTO_VALUE_ENUM,                                                                                       \
     "features.field_presence",                                                                              \
     {"", "EXPLICIT", "IMPLICIT", "LEGACY_REQUIRED"},                                                        \
     1},                                                                                                     \
        {(tag), PROTO_VALUE_ENUM, "features.enum_type", {"", "OPEN", "CLOSED", ""}, 2},                      \
        {(tag), PROTO_VALUE_ENUM, "features.repeated_field_encoding", {"", "PACKED", "EXPANDED", ""}, 3},    \
        {(tag), PROTO_VALUE_ENUM, "features.utf8_validation", {"", "", "VERIFY", "NONE"}, 4},                \
        {(tag), PROTO_VALUE_ENUM, "features.message_encoding", {"", "LENGTH_PREFIXED", "DELIMITED", ""}, 5}, \
    {                                                                                                        \
        (tag), PROTO_VALUE_ENUM, "features.json_format", {"", "ALLOW", "LEGACY_BEST_EFFORT", ""}, 6          \
    }

const struct proto_known_option proto_file_options[] = {
    {1, PROTO_VALUE_STRING, "java_package", {0}, 0},
    {8, PROTO_VALUE_STRING, "java_outer_classname", {0}, 0},
    {10, PROTO_VALUE_BOOLEAN, "java_multiple_files", {0}, 0},
    {20, PROTO_VALUE_BOOLEAN, "java_generate_equals_and_hash", {0}, 0},
    {27, PROTO_VALUE_BOOLEAN, "java_string_check_utf8", {0}, 0},
    {9, PROTO_VALUE_ENUM, "optimize_for", {"", "SPEED", "CODE_SIZE", "LITE_RUNTIME"}, 0},
    {11, PROTO_VALUE_STRING, "go_package", {0}, 0},
    {16, PROTO_VALUE_BOOLEAN, "cc_generic_services", {0}, 0},
    {17, PROTO_VALUE_BOOLEAN, "java_generic_services", {0}, 0},
    {18, PROTO_VALUE_BOOLEAN, "py_generic_services", {0}, 0},
    {23, PROTO_VALUE_BOOLEAN, "deprecated", {0}, 0},
    {31, PROTO_VALUE_BOOLEAN, "cc_enable_arenas", {0}, 0},
    {36, PROTO_VALUE_STRING, "objc_class_prefix", {0}, 0},
    {37, PROTO_VALUE_STRING, "csharp_namespace", {0}, 0},
    {39, PROTO_VALUE_STRING, "swift_prefix", {0}, 0},
    {40, PROTO_VALUE_STRING, "php_class_prefix", {0}, 0},
    {41, PROTO_VALUE_STRING, "php_namespace", {0}, 0},
    {44, PROTO_VALUE_STRING, "php_metadata_namespace", {0}, 0},
    {45, PROTO_VALUE_STRING, "ruby_package", {0}, 0},
    FEATURES(50),
    {0},
};
const struct proto_known_option proto_message_options[] = {
    {2, PROTO_VALUE_BOOLEAN, "no_standard_descriptor_accessor", {0}, 0},
    {3, PROTO_VALUE_BOOLEAN, "deprecated", {0}, 0},
    {7, PROTO_VALUE_BOOLEAN, "map_entry", {0}, 0},
    FEATURES(12),
    {0},
};
const struct proto_known_option proto_field_options[] = {
    {1, PROTO_VALUE_ENUM, "ctype", {"STRING", "CORD", "STRING_PIECE", ""}, 0},
    {2, PROTO_VALUE_BOOLEAN, "packed", {0}, 0},
    {6, PROTO_VALUE_ENUM, "jstype", {"JS_NORMAL", "JS_STRING", "JS_NUMBER", ""}, 0},
    {3, PROTO_VALUE_BOOLEAN, "deprecated", {0}, 0},
    {16, PROTO_VALUE_BOOLEAN, "debug_redact", {0}, 0},
    FEATURES(21),
    {0},
};
const struct proto_known_option proto_enum_options[] = {
    {2, PROTO_VALUE_BOOLEAN, "allow_alias", {0}, 0},
    {3, PROTO_VALUE_BOOLEAN, "deprecated", {0}, 0},
    FEATURES(7),
    {0},
};
const struct proto_known_option proto_constant_options[] = {
    {1, PROTO_VALUE_BOOLEAN, "deprecated", {0}, 0},
    {3, PROTO_VALUE_BOOLEAN, "debug_redact", {0}, 0},
    {0},
};
const struct proto_known_option proto_service_options[] = {
    {33, PROTO_VALUE_BOOLEAN, "deprecated", {0}, 0},
    {0},
};
const struct proto_known_option proto_rpc_options[] = {
    {33, PROTO_VALUE_BOOLEAN, "deprecated", {0}, 0},
    {34,
     PROTO_VALUE_ENUM,
     "idempotency_level",
     {"IDEMPOTENCY_UNKNOWN", "NO_SIDE_EFFECTS", "IDEMPOTENT", ""},
     0},
    {0},
};

/* The value that the fields of `text` have for `tag`; false: none has one. */
static bool read_value(struct read *r, const struct proto_known_option *k, uint32_t tag, struct str text,
                       struct proto_option *option)
{
    bool found = false;
    ITEMS(r, item, text)
    {
        if (item.tag != tag)
            continue;
        if (tag == k->tag && k->feature != 0) {
            found |= read_value(r, k, k->feature, item.bytes, option);
            continue;
        }
        found = true;
        if (k->kind == PROTO_VALUE_STRING)
            option->text = item.bytes;
        else if (k->kind == PROTO_VALUE_BOOLEAN)
            option->text = item.number ? STR("true") : STR("false");
        else
            option->text = str_of(k->values[item.number & 3]);
    }
    return found;
}

static void read_option(struct read *r, const struct proto_known_option *k, struct str text,
                        struct proto_options *options)
{
    struct proto_option option = {.name = str_of(k->name), .kind = k->kind};
    bool found = read_value(r, k, k->tag, text, &option);
    if (!found || (k->feature != 0 && option.text.n == 0))
        return;
    struct proto_option *copy = arena_dup(r->arena, &option, sizeof option);
    PROTO_ADD(options, copy);
}

/* In the order of the table. */
static void read_options(struct read *r, const struct proto_known_option *known, struct str text,
                         struct proto_options *options)
{
    for (; known->tag != 0; known++)
        read_option(r, known, text, options);
}

/* ---- messages ----------------------------------------------------------------------------------------------------------- */

static struct str kind_text(uint64_t type)
{
    static const uint8_t kinds[] = {0,
                                    PROTO_DOUBLE,
                                    PROTO_FLOAT,
                                    PROTO_INT64,
                                    PROTO_UINT64,
                                    PROTO_INT32,
                                    PROTO_FIXED64,
                                    PROTO_FIXED32,
                                    PROTO_BOOL,
                                    PROTO_STRING,
                                    0,
                                    0,
                                    PROTO_BYTES,
                                    PROTO_UINT32,
                                    0,
                                    PROTO_SFIXED32,
                                    PROTO_SFIXED64,
                                    PROTO_SINT32,
                                    PROTO_SINT64};
    return str_of(proto_kind_name(type < sizeof kinds ? (enum proto_kind)kinds[type] : PROTO_UNKNOWN));
}

struct field_read {
    struct proto_field *field;
    struct str extendee;
    int64_t oneof; /* -1: of none */
    bool is_group;
};

static struct field_read read_field(struct read *r, struct str text)
{
    struct field_read f = {arena_new(r->arena, struct proto_field), {0}, -1, false};
    struct str options = {0};
    uint64_t label = 0, type = 0;
    bool optional = false;
    ITEMS(r, item, text)
    {
        switch (item.tag) {
        case 1: f.field->name = item.bytes; break;
        case 2: f.extendee = item.bytes; break;
        case 3: f.field->tag = (int32_t)item.number; break;
        case 4: label = item.number; break;
        case 5: type = item.number; break;
        case 6: f.field->type.text = item.bytes; break;
        case 7: f.field->default_text = item.bytes; break;
        case 8: options = item.bytes; break;
        case 9: f.oneof = (int64_t)(item.number & INT32_MAX); break;
        case 10: f.field->json_name = item.bytes; break;
        case 17: optional = item.number != 0; break;
        default: break;
        }
    }
    bool proto3 = str_is(r->file->syntax, "proto3");
    f.is_group = type == 10;
    if (f.field->type.text.n == 0)
        f.field->type.text = kind_text(type);
    if (label == 3 || label == 2)
        f.field->label = label == 3 ? PROTO_REPEATED : PROTO_REQUIRED;
    else if (optional || (!proto3 && !r->file->is_edition))
        f.field->label = PROTO_OPTIONAL;
    if (optional)
        f.oneof = -1; /* one that the compiler made up */
    if (proto3)
        f.field->default_text = str_n(NULL, 0);
    r->bad |= f.field->name.n == 0 || f.field->type.text.n == 0 || f.field->tag < 1 ||
              f.field->tag > PROTO_TAG_MAX;
    read_options(r, proto_field_options, options, &f.field->options);
    return f;
}

/* end_more: what the end is past the last one. */
static void read_range(struct read *r, struct str text, int64_t end_more, struct proto_ranges *ranges)
{
    struct proto_range *range = arena_new(r->arena, struct proto_range);
    ITEMS(r, item, text)
    {
        if (item.tag == 1)
            range->start = (int32_t)item.number;
        else if (item.tag == 2)
            range->end = (int32_t)item.number - end_more;
    }
    range->is_range = range->start != range->end;
    PROTO_ADD(&ranges->items, range);
}

static void read_reserved_name(struct read *r, struct str name, struct proto_ranges *ranges)
{
    struct proto_range *range = arena_new(r->arena, struct proto_range);
    range->name = str_n(name.p ? name.p : "", name.n);
    PROTO_ADD(&ranges->items, range);
}

static void read_enum(struct read *r, struct str text, struct proto_enum *e)
{
    e->file = r->file;
    ITEMS(r, item, text)
    {
        struct proto_ranges *ranges = NULL;
        if (item.tag == 4 || item.tag == 5) {
            ranges = arena_new(r->arena, struct proto_ranges);
            PROTO_ADD(&e->reserved, ranges);
        }
        if (item.tag == 1)
            e->name = item.bytes;
        else if (item.tag == 3)
            read_options(r, proto_enum_options, item.bytes, &e->options);
        else if (item.tag == 4)
            read_range(r, item.bytes, 0, ranges);
        else if (item.tag == 5)
            read_reserved_name(r, item.bytes, ranges);
        if (item.tag != 2)
            continue;
        struct proto_constant *constant = arena_new(r->arena, struct proto_constant);
        ITEMS(r, part, item.bytes)
        {
            if (part.tag == 1)
                constant->name = part.bytes;
            else if (part.tag == 2)
                constant->tag = (int32_t)part.number;
            else if (part.tag == 3)
                read_options(r, proto_constant_options, part.bytes, &constant->options);
        }
        PROTO_ADD(&e->constants, constant);
    }
    r->bad |= e->name.n == 0;
}

/* An extension goes to the others of the same message. */
static void add_extension(struct read *r, struct field_read f, struct proto_extend **first,
                          struct proto_extend **last, uint32_t *count)
{
    struct proto_extend *extend = *first;
    while (extend != NULL && !str_eq(extend->type.text, f.extendee))
        extend = extend->next;
    if (extend == NULL) {
        extend = arena_new(r->arena, struct proto_extend);
        extend->type.text = f.extendee;
        *(*last != NULL ? &(*last)->next : first) = extend;
        *last = extend;
        r->bad |= ++*count > PROTO_EXTENDS_MAX || f.extendee.n == 0;
    }
    PROTO_ADD(&extend->fields, f.field);
}

static void read_message(struct read *r, struct str text, struct proto_message *message);

static void read_member(struct read *r, const struct item *item, struct proto_message *message)
{
    struct proto_ranges *ranges = arena_new(r->arena, struct proto_ranges);
    switch (item->tag) {
    case 1: message->name = item->bytes; return;
    case 3: {
        struct proto_message *nested = arena_new(r->arena, struct proto_message);
        PROTO_ADD(&message->messages, nested);
        read_message(r, item->bytes, nested);
        return;
    }
    case 4: {
        struct proto_enum *e = arena_new(r->arena, struct proto_enum);
        PROTO_ADD(&message->enums, e);
        read_enum(r, item->bytes, e);
        return;
    }
    case 5:
        PROTO_ADD(&message->extensions, ranges);
        read_range(r, item->bytes, 1, ranges);
        return;
    case 6:
        add_extension(r, read_field(r, item->bytes), &message->extends.first, &message->extends.last,
                      &message->extends.count);
        return;
    case 7: read_options(r, proto_message_options, item->bytes, &message->options); return;
    case 9:
        PROTO_ADD(&message->reserved, ranges);
        read_range(r, item->bytes, 1, ranges);
        return;
    case 10:
        PROTO_ADD(&message->reserved, ranges);
        read_reserved_name(r, item->bytes, ranges);
        return;
    default: return;
    }
}

/* A group is a nested message in a descriptor, and a field of its type. True: the message was there, and is a group now. */
static bool take_group(struct proto_message *message, const struct proto_field *field,
                       struct proto_messages *groups)
{
    struct str name = field->type.text, space;
    struct proto_message *nested = message->messages.first;
    schema_split_name(name, str_n(NULL, 0), &space, &name);
    memset(&message->messages, 0, sizeof message->messages);
    struct proto_message *group = NULL;
    while (nested != NULL) {
        struct proto_message *after = nested->next;
        nested->next = NULL;
        if (group == NULL && str_eq(nested->name, name))
            group = nested;
        else
            PROTO_ADD(&message->messages, nested);
        nested = after;
    }
    if (group == NULL)
        return false;
    group->label = field->label;
    group->tag = field->tag;
    PROTO_ADD(groups, group);
    return true;
}

/* Fields need the oneofs, which come behind them. */
static void read_fields(struct read *r, struct str text, struct proto_message *message)
{
    struct proto_oneof **oneofs = arena_array(r->arena, struct proto_oneof *, message->oneofs.count);
    uint32_t count = 0, groups = 0;
    PROTO_EACH(proto_oneof, oneof, &message->oneofs)
    oneofs[count++] = oneof;
    ITEMS(r, item, text)
    {
        if (item.tag != 2)
            continue;
        struct field_read f = read_field(r, item.bytes);
        r->bad |= (groups += f.is_group) > PROTO_EXTENDS_MAX;
        if (r->bad)
            return;
        bool in_oneof = f.oneof >= 0 && f.oneof < count;
        if (in_oneof)
            f.field->label = PROTO_NO_LABEL;
        if (f.is_group &&
            take_group(message, f.field, in_oneof ? &oneofs[f.oneof]->groups : &message->groups))
            continue;
        if (in_oneof) {
            f.field->oneof = oneofs[f.oneof];
            PROTO_ADD(&oneofs[f.oneof]->fields, f.field);
        } else {
            PROTO_ADD(&message->fields, f.field);
        }
    }
}

/* Those that the compiler made up for optional fields are empty. */
static void drop_empty_oneofs(struct proto_message *message)
{
    struct proto_oneof *oneof = message->oneofs.first;
    memset(&message->oneofs, 0, sizeof message->oneofs);
    while (oneof != NULL) {
        struct proto_oneof *after = oneof->next;
        oneof->next = NULL;
        if (oneof->fields.count + oneof->groups.count > 0)
            PROTO_ADD(&message->oneofs, oneof);
        oneof = after;
    }
}

static void read_message(struct read *r, struct str text, struct proto_message *message)
{
    message->file = r->file;
    if (r->depth == PROTO_DEPTH_MAX) {
        r->bad = true;
        return;
    }
    r->depth++;
    ITEMS(r, item, text)
    {
        if (item.tag != 8) {
            read_member(r, &item, message);
            continue;
        }
        struct proto_oneof *oneof = arena_new(r->arena, struct proto_oneof);
        ITEMS(r, part, item.bytes)
        if (part.tag == 1)
            oneof->name = part.bytes;
        PROTO_ADD(&message->oneofs, oneof);
    }
    read_fields(r, text, message);
    drop_empty_oneofs(message);
    r->bad |= message->name.n == 0;
    r->depth--;
}

/* ---- the file ----------------------------------------------------------------------------------------------------------- */

static void read_rpc(struct read *r, struct str text, struct proto_service *service)
{
    struct proto_rpc *rpc = arena_new(r->arena, struct proto_rpc);
    ITEMS(r, item, text)
    {
        switch (item.tag) {
        case 1: rpc->name = item.bytes; break;
        case 2: rpc->request.text = item.bytes; break;
        case 3: rpc->response.text = item.bytes; break;
        case 4: read_options(r, proto_rpc_options, item.bytes, &rpc->options); break;
        case 5: rpc->request_stream = item.number != 0; break;
        case 6: rpc->response_stream = item.number != 0; break;
        default: break;
        }
    }
    PROTO_ADD(&service->rpcs, rpc);
}

static void read_service(struct read *r, struct str text)
{
    struct proto_service *service = arena_new(r->arena, struct proto_service);
    ITEMS(r, item, text)
    {
        if (item.tag == 1)
            service->name = item.bytes;
        else if (item.tag == 2)
            read_rpc(r, item.bytes, service);
        else if (item.tag == 3)
            read_options(r, proto_service_options, item.bytes, &service->options);
    }
    PROTO_ADD(&r->file->services, service);
}

static void read_definition(struct read *r, const struct item *item)
{
    struct proto_file *file = r->file;
    if (item->tag == 2 && item->bytes.n > 0) {
        file->package = item->bytes;
    } else if (item->tag == 3) {
        struct proto_import *import = arena_new(r->arena, struct proto_import);
        import->name = item->bytes;
        PROTO_ADD(&file->imports, import);
    } else if (item->tag == 4) {
        struct proto_message *message = arena_new(r->arena, struct proto_message);
        PROTO_ADD(&file->messages, message);
        read_message(r, item->bytes, message);
    } else if (item->tag == 5) {
        struct proto_enum *e = arena_new(r->arena, struct proto_enum);
        PROTO_ADD(&file->enums, e);
        read_enum(r, item->bytes, e);
    } else if (item->tag == 6) {
        read_service(r, item->bytes);
    } else if (item->tag == 7) {
        add_extension(r, read_field(r, item->bytes), &file->extends.first, &file->extends.last,
                      &file->extends.count);
    } else if (item->tag == 8) {
        read_options(r, proto_file_options, item->bytes, &file->options);
    }
}

/* What readers of fields have to know, and the marks of imports, which are behind them. */
static void read_syntax(struct read *r, struct str text)
{
    ITEMS(r, item, text)
    {
        if (item.tag == 12 && str_is(item.bytes, "proto3"))
            r->file->syntax = item.bytes;
        r->file->is_edition |= item.tag == 14;
        if (item.tag == 14)
            r->file->syntax = str_of(arena_printf(
                r->arena, "%u", item.number >= 1000 ? 2023 + (unsigned)(item.number % 1000) : 2023));
    }
}

static void read_import_marks(struct read *r, struct str text)
{
    ITEMS(r, item, text)
    {
        uint64_t index = 0;
        if (item.tag != 10 && item.tag != 11)
            continue;
        PROTO_EACH(proto_import, import, &r->file->imports)
        if (index++ == item.number && item.tag == 10)
            import->is_public = true;
    }
}

bool proto_is_descriptor(struct str text)
{
    text = str_trim(text);
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '+' ||
              c == '/' || c == '='))
            return false;
    }
    return text.n > 0;
}

/* Every name is a word, and every text is UTF-8: what is written reads as the same. */
static bool is_clean(struct arena *arena, const struct proto_schema *schema)
{
    struct sbuf text = {0}, twice = {0};
    struct proto_schema again = {.file = arena_new(arena, struct proto_file)};
    proto_write(schema, WRITE_CANONICAL, &text);
    bool ok = proto_parse_text(arena, str_n(arena_dup(arena, text.p ? text.p : "", text.n + 1), text.n), "",
                               again.file, NULL);
    if (ok) {
        proto_write(&again, WRITE_CANONICAL, &twice);
        ok = str_eq(sbuf_view(&text), sbuf_view(&twice));
    }
    sbuf_fini(&text);
    sbuf_fini(&twice);
    return ok;
}

bool proto_parse_descriptor(struct arena *arena, struct str text, struct proto_file *file, struct err *err)
{
    struct read r = {.arena = arena, .file = file};
    struct proto_schema schema = {.file = file};
    text = str_trim(text);
    uint8_t *bytes = arena_alloc(arena, text.n / 4 * 3 + 3);
    size_t n = json_base64_decode(text.p, text.n, bytes);
    struct str all = str_n(bytes, n);
    if (n == SIZE_MAX)
        return err_set(err, ERR_DATA, "this is neither a .proto file nor base64");
    read_syntax(&r, all);
    ITEMS(&r, item, all)
    read_definition(&r, &item);
    read_import_marks(&r, all);
    if (r.bad || !is_clean(arena, &schema))
        return err_set(err, ERR_DATA, "this is no descriptor of a file in base64");
    return true;
}

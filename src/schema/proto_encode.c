/* A .proto file as a FileDescriptorProto, which is what libraries of clients build their messages from.
 *
 * What the text leaves unsaid is added as the language's compiler does it: messages that stand for maps, behind those of the text so
 * that the numbers of the others stay, and oneofs around optional fields of proto3. Options that are extensions are left out. */
#include "base/bytes.h"
#include "schema/proto_private.h"
#include "json/text.h"

static void add_varint(struct sbuf *out, uint64_t value)
{
    sbuf_added(out, put_uvarint((uint8_t *)sbuf_reserve(out, VARINT_MAX), value));
}

static void put_number(struct sbuf *out, uint32_t tag, uint64_t value)
{
    add_varint(out, (uint64_t)tag << 3);
    add_varint(out, value);
}

static void put_text(struct sbuf *out, uint32_t tag, struct str text)
{
    add_varint(out, (uint64_t)tag << 3 | 2);
    add_varint(out, text.n);
    sbuf_str(out, text);
}

/* A message inside of a message; it is empty afterwards. */
static void put_inner(struct sbuf *out, uint32_t tag, struct sbuf *inner)
{
    put_text(out, tag, sbuf_view(inner));
    sbuf_fini(inner);
    *inner = (struct sbuf){0};
}

/* ---- options ------------------------------------------------------------------------------------------------------------ */

static void put_option(struct sbuf *out, const struct proto_known_option *known, struct str text)
{
    if (known->kind == PROTO_VALUE_STRING)
        put_text(out, known->tag, text);
    else if (known->kind == PROTO_VALUE_BOOLEAN)
        put_number(out, known->tag, str_is(text, "true"));
    for (uint32_t i = 0; known->kind == PROTO_VALUE_ENUM && i < 4; i++)
        if (known->values[i] != NULL && known->values[i][0] != '\0' && str_is(text, known->values[i]))
            put_number(out, known->tag, i);
}

/* A message of one feature; those of several are merged by who reads them. */
static void put_feature(struct sbuf *out, const struct proto_known_option *known, struct str text)
{
    struct proto_known_option inside = *known;
    struct sbuf features = {0};
    inside.tag = known->feature;
    put_option(&features, &inside, text);
    if (features.n > 0)
        put_inner(out, known->tag, &features);
    sbuf_fini(&features);
}

/* The option as it is written, if this is the one: alone, or in features = { … }. */
static void put_known_option(struct sbuf *out, const struct proto_known_option *known,
                             const struct proto_option *option)
{
    if (option->kind < PROTO_VALUE_MAP && str_is(option->name, known->name)) {
        if (known->feature != 0)
            put_feature(out, known, option->text);
        else
            put_option(out, known, option->text);
    }
    if (known->feature == 0 || option->kind != PROTO_VALUE_MAP || !str_is(option->name, "features"))
        return;
    PROTO_EACH(proto_option, item, &option->items)
    if (item->kind < PROTO_VALUE_MAP && str_is(item->name, strchr(known->name, '.') + 1))
        put_feature(out, known, item->text);
}

static void put_options(struct sbuf *out, uint32_t tag, const struct proto_known_option *known,
                        const struct proto_options *options)
{
    struct sbuf inner = {0};
    for (; known->tag != 0; known++)
        PROTO_EACH(proto_option, option, options)
    if (!option->is_extension)
        put_known_option(&inner, known, option);
    if (inner.n > 0)
        put_inner(out, tag, &inner);
    sbuf_fini(&inner);
}

/* ---- fields ------------------------------------------------------------------------------------------------------------- */

/* FieldDescriptorProto.Type. */
static uint32_t type_number(const struct proto_type *type)
{
    static const uint8_t numbers[] = {
        [PROTO_UNKNOWN] = 11, [PROTO_DOUBLE] = 1, [PROTO_FLOAT] = 2,     [PROTO_INT64] = 3,
        [PROTO_UINT64] = 4,   [PROTO_INT32] = 5,  [PROTO_FIXED64] = 6,   [PROTO_FIXED32] = 7,
        [PROTO_BOOL] = 8,     [PROTO_STRING] = 9, [PROTO_MESSAGE] = 11,  [PROTO_BYTES] = 12,
        [PROTO_UINT32] = 13,  [PROTO_ENUM] = 14,  [PROTO_SFIXED32] = 15, [PROTO_SFIXED64] = 16,
        [PROTO_SINT32] = 17,  [PROTO_SINT64] = 18};
    return numbers[type->kind];
}

static void put_type_name(struct sbuf *out, uint32_t tag, const struct proto_type *type)
{
    struct sbuf name = {0};
    struct str full = type->message       ? type->message->full
                      : type->enumeration ? type->enumeration->full
                                          : type->text;
    if (full.n == 0 || full.p[0] != '.')
        sbuf_char(&name, '.');
    sbuf_str(&name, full);
    put_text(out, tag, sbuf_view(&name));
    sbuf_fini(&name);
}

static bool is_named(const struct proto_type *type)
{
    return type->kind == PROTO_MESSAGE || type->kind == PROTO_ENUM || type->kind == PROTO_UNKNOWN;
}

struct place {
    struct str full;                   /* of the message that fields are in; empty: of the file */
    const struct proto_type *extended; /* of extensions; NULL */
    bool proto3;
};

/* "tag_list" → "TagList". */
static void put_entry_name(struct sbuf *out, struct str field)
{
    bool upper = true;
    for (size_t i = 0; i < field.n; i++) {
        char c = field.p[i];
        if (c != '_')
            sbuf_char(out, upper && c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c);
        upper = c == '_';
    }
    sbuf_cstr(out, "Entry");
}

static enum proto_label label_of(const struct proto_field *field)
{
    return field->is_map ? PROTO_REPEATED : field->label;
}

static bool is_optional(const struct proto_field *field, const struct place *place)
{
    return place->proto3 && field->label == PROTO_OPTIONAL && field->oneof == NULL;
}

/* oneof: its index, or -1. */
static void put_field(struct sbuf *out, uint32_t tag, const struct proto_field *field,
                      const struct place *place, int32_t oneof)
{
    static const uint8_t labels[] = {1, 1, 2, 3};
    struct sbuf f = {0}, name = {0};
    put_text(&f, 1, field->name);
    if (place->extended != NULL)
        put_type_name(&f, 2, place->extended);
    put_number(&f, 3, (uint32_t)field->tag);
    put_number(&f, 4, labels[label_of(field)]);
    put_number(&f, 5, type_number(&field->type));
    if (field->is_map && field->type.message == NULL) {
        sbuf_printf(&name, ".%.*s.", STR_ARG(place->full));
        put_entry_name(&name, field->name);
        put_inner(&f, 6, &name);
    } else if (is_named(&field->type)) {
        put_type_name(&f, 6, &field->type);
    }
    if (field->default_text.p != NULL)
        put_text(&f, 7, field->default_text);
    put_options(&f, 8, proto_field_options, &field->options);
    if (oneof >= 0)
        put_number(&f, 9, (uint32_t)oneof);
    if (field->json_name.p != NULL)
        put_text(&f, 10, field->json_name);
    if (is_optional(field, place))
        put_number(&f, 17, 1);
    put_inner(out, tag, &f);
    sbuf_fini(&name);
}

static void put_extends(struct sbuf *out, uint32_t tag, const struct proto_extend *first, struct place place)
{
    for (const struct proto_extend *extend = first; extend != NULL; extend = extend->next) {
        place.extended = &extend->type;
        PROTO_EACH(proto_field, field, &extend->fields)
        put_field(out, tag, field, &place, -1);
    }
}

/* The field that a group is. */
static void put_group_field(struct sbuf *out, const struct proto_message *group, int32_t oneof)
{
    static const uint8_t labels[] = {1, 1, 2, 3};
    struct sbuf f = {0}, name = {0};
    for (size_t i = 0; i < group->name.n; i++) {
        char c = group->name.p[i];
        sbuf_char(&name, c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c);
    }
    put_inner(&f, 1, &name);
    put_number(&f, 3, (uint32_t)group->tag);
    put_number(&f, 4, labels[group->label]);
    put_number(&f, 5, 10);
    sbuf_printf(&name, ".%.*s", STR_ARG(group->full));
    put_inner(&f, 6, &name);
    if (oneof >= 0)
        put_number(&f, 9, (uint32_t)oneof);
    put_inner(out, 2, &f);
}

/* ---- messages and enums ------------------------------------------------------------------------------------------------- */

/* tag: of a range; end_more: what the end is past the last one; name_tag: of a name. */
static void put_ranges(struct sbuf *out, const struct proto_ranges *first, uint32_t tag, int64_t end_more,
                       uint32_t name_tag)
{
    for (const struct proto_ranges *ranges = first; ranges != NULL; ranges = ranges->next)
        PROTO_EACH(proto_range, range, &ranges->items)
        {
            struct sbuf r = {0};
            if (range->name.p != NULL) {
                put_text(out, name_tag, range->name);
                continue;
            }
            put_number(&r, 1, (uint64_t)range->start);
            put_number(&r, 2, (uint64_t)(range->end + end_more));
            put_inner(out, tag, &r);
        }
}

static void put_enum(struct sbuf *out, uint32_t tag, const struct proto_enum *e)
{
    struct sbuf d = {0}, v = {0};
    put_text(&d, 1, e->name);
    PROTO_EACH(proto_constant, constant, &e->constants)
    {
        put_text(&v, 1, constant->name);
        put_number(&v, 2, (uint64_t)(int64_t)constant->tag);
        put_options(&v, 3, proto_constant_options, &constant->options);
        put_inner(&d, 2, &v);
    }
    put_options(&d, 3, proto_enum_options, &e->options);
    put_ranges(&d, e->reserved.first, 4, 0, 5);
    put_inner(out, tag, &d);
}

static void put_entry(struct sbuf *out, const struct proto_field *field)
{
    const struct proto_type *types[] = {&field->key, &field->value};
    struct sbuf d = {0}, inner = {0};
    put_entry_name(&inner, field->name);
    put_inner(&d, 1, &inner);
    for (uint32_t i = 0; i < 2; i++) {
        put_text(&inner, 1, i == 0 ? STR("key") : STR("value"));
        put_number(&inner, 3, i + 1);
        put_number(&inner, 4, 1);
        put_number(&inner, 5, type_number(types[i]));
        if (is_named(types[i]))
            put_type_name(&inner, 6, types[i]);
        put_inner(&d, 2, &inner);
    }
    put_number(&inner, 7, 1); /* map_entry */
    put_inner(&d, 7, &inner);
    put_inner(out, 3, &d);
}

static void put_oneof(struct sbuf *out, const char *prefix, struct str name)
{
    struct sbuf d = {0}, full = {0};
    sbuf_printf(&full, "%s%.*s", prefix, STR_ARG(name));
    put_inner(&d, 1, &full);
    put_inner(out, 8, &d);
}

static void put_message(struct sbuf *out, uint32_t tag, const struct proto_message *message, bool proto3);

static void put_fields(struct sbuf *d, const struct proto_message *message, const struct place *place)
{
    int32_t index = 0, made_up = (int32_t)message->oneofs.count;
    PROTO_EACH(proto_field, field, &message->fields)
    put_field(d, 2, field, place, is_optional(field, place) ? made_up++ : -1);
    PROTO_EACH(proto_message, group, &message->groups)
    put_group_field(d, group, -1);
    PROTO_EACH(proto_oneof, oneof, &message->oneofs)
    {
        PROTO_EACH(proto_field, field, &oneof->fields)
        put_field(d, 2, field, place, index);
        PROTO_EACH(proto_message, group, &oneof->groups)
        put_group_field(d, group, index);
        index++;
    }
}

static void put_nested(struct sbuf *d, const struct proto_message *message, bool proto3)
{
    PROTO_EACH(proto_message, nested, &message->messages)
    put_message(d, 3, nested, proto3);
    PROTO_EACH(proto_message, group, &message->groups)
    put_message(d, 3, group, proto3);
    PROTO_EACH(proto_oneof, oneof, &message->oneofs)
    PROTO_EACH(proto_message, group, &oneof->groups)
    put_message(d, 3, group, proto3);
    PROTO_EACH(proto_field, field, &message->fields)
    if (field->is_map && field->type.message == NULL)
        put_entry(d, field);
}

/* Depth: PROTO_DEPTH_MAX. */
static void put_message(struct sbuf *out, uint32_t tag, const struct proto_message *message, bool proto3)
{
    struct sbuf d = {0};
    struct place place = {.full = message->full, .proto3 = proto3};
    put_text(&d, 1, message->name);
    put_fields(&d, message, &place);
    put_nested(&d, message, proto3);
    PROTO_EACH(proto_enum, e, &message->enums)
    put_enum(&d, 4, e);
    put_ranges(&d, message->extensions.first, 5, 1, 0);
    put_extends(&d, 6, message->extends.first, place);
    put_options(&d, 7, proto_message_options, &message->options);
    PROTO_EACH(proto_oneof, oneof, &message->oneofs)
    put_oneof(&d, "", oneof->name);
    PROTO_EACH(proto_field, field, &message->fields)
    if (is_optional(field, &place))
        put_oneof(&d, "_", field->name);
    put_ranges(&d, message->reserved.first, 9, 1, 10);
    put_inner(out, tag, &d);
}

/* ---- the file ----------------------------------------------------------------------------------------------------------- */

static void put_service(struct sbuf *out, const struct proto_service *service)
{
    struct sbuf d = {0}, m = {0};
    put_text(&d, 1, service->name);
    PROTO_EACH(proto_rpc, rpc, &service->rpcs)
    {
        put_text(&m, 1, rpc->name);
        put_type_name(&m, 2, &rpc->request);
        put_type_name(&m, 3, &rpc->response);
        put_options(&m, 4, proto_rpc_options, &rpc->options);
        if (rpc->request_stream)
            put_number(&m, 5, 1);
        if (rpc->response_stream)
            put_number(&m, 6, 1);
        put_inner(&d, 2, &m);
    }
    put_options(&d, 3, proto_service_options, &service->options);
    put_inner(out, 6, &d);
}

static void put_syntax(struct sbuf *out, const struct proto_file *file)
{
    if (file->syntax.p == NULL)
        return;
    put_text(out, 12, file->is_edition ? STR("editions") : file->syntax);
    if (file->is_edition)
        put_number(out, 14, str_is(file->syntax, "2024") ? 1001 : 1000);
}

void proto_write_descriptor(const struct proto_schema *schema, struct sbuf *out)
{
    const struct proto_file *file = schema->file;
    struct place place = {.full = file->package, .proto3 = str_is(file->syntax, "proto3")};
    uint32_t index = 0;
    put_text(out, 1, STR("default")); /* as Confluent's registry calls it */
    if (file->package.p != NULL)
        put_text(out, 2, file->package);
    PROTO_EACH(proto_import, import, &file->imports)
    put_text(out, 3, import->name);
    PROTO_EACH(proto_message, message, &file->messages)
    put_message(out, 4, message, place.proto3);
    PROTO_EACH(proto_enum, e, &file->enums)
    put_enum(out, 5, e);
    PROTO_EACH(proto_service, service, &file->services)
    put_service(out, service);
    put_extends(out, 7, file->extends.first, place);
    put_options(out, 8, proto_file_options, &file->options);
    PROTO_EACH(proto_import, import, &file->imports)
    {
        if (import->is_public || import->is_weak)
            put_number(out, import->is_public ? 10 : 11, index);
        index++;
    }
    put_syntax(out, file);
}

void proto_write_serialized(const struct proto_schema *schema, struct sbuf *out)
{
    struct sbuf bytes = {0};
    proto_write_descriptor(schema, &bytes);
    char *text = sbuf_reserve(out, (bytes.n + 2) / 3 * 4);
    sbuf_added(out, json_base64_encode((const uint8_t *)bytes.p, bytes.n, text));
    sbuf_fini(&bytes);
}

/* What a codec must know of a field or an enum beyond its type: proto2 and proto3 fix it, an edition's features say it, of the file
 * and then of the field or enum itself. */
#include "schema/proto.h"

static struct str option_text(const struct proto_options *options, const char *name)
{
    PROTO_EACH(proto_option, option, options)
    if (!option->is_extension && str_is(option->name, name))
        return option->text;
    return str_n(NULL, 0);
}

/* features.name = X, or features = { name: X }; p NULL: neither. */
static struct str option_feature(const struct proto_options *options, const char *name)
{
    struct str prefix = STR("features.");
    PROTO_EACH(proto_option, option, options)
    {
        if (option->is_extension)
            continue;
        if (str_starts(option->name, prefix) &&
            str_is(str_n(option->name.p + prefix.n, option->name.n - prefix.n), name))
            return option->text;
        if (str_is(option->name, "features"))
            PROTO_EACH(proto_option, item, &option->items)
        if (str_is(item->name, name))
            return item->text;
    }
    return str_n(NULL, 0);
}

static bool has_feature(const struct proto_file *file, const struct proto_options *own, const char *name,
                        const char *value, bool by_default)
{
    struct str text = option_feature(own, name);
    if (text.p == NULL)
        text = option_feature(&file->options, name);
    return text.p != NULL ? str_is(text, value) : by_default;
}

static bool is_proto3(const struct proto_file *file)
{
    return !file->is_edition && str_is(file->syntax, "proto3");
}

static bool can_be_packed(const struct proto_field *field)
{
    enum proto_kind kind = field->type.kind;
    return field->label == PROTO_REPEATED && kind != PROTO_STRING && kind != PROTO_BYTES &&
           kind != PROTO_MESSAGE && kind != PROTO_UNKNOWN;
}

struct proto_traits proto_field_traits(const struct proto_file *file, const struct proto_field *field)
{
    const struct proto_options *own = &field->options;
    bool is_single = field->label != PROTO_REPEATED && !field->is_map;
    bool is_always = field->type.kind == PROTO_MESSAGE || field->oneof != NULL; /* present, or not */
    struct proto_traits traits = {0};
    if (file->is_edition) {
        traits.is_required = is_single && !is_always &&
                             has_feature(file, own, "field_presence", "LEGACY_REQUIRED", false);
        traits.has_presence = is_single &&
                              (is_always || !has_feature(file, own, "field_presence", "IMPLICIT", false));
        traits.is_packed = can_be_packed(field) &&
                           has_feature(file, own, "repeated_field_encoding", "PACKED", true);
        traits.is_delimited = field->type.kind == PROTO_MESSAGE && !field->is_map &&
                              has_feature(file, own, "message_encoding", "DELIMITED", false);
        return traits;
    }
    struct str packed = option_text(own, "packed");
    traits.is_required = field->label == PROTO_REQUIRED;
    traits.has_presence = is_single && (is_always || field->label != PROTO_NO_LABEL || !is_proto3(file));
    traits.is_packed = can_be_packed(field) && (packed.p != NULL ? str_is(packed, "true") : is_proto3(file));
    return traits;
}

bool proto_enum_is_closed(const struct proto_enum *e)
{
    if (e->file->is_edition)
        return has_feature(e->file, &e->options, "enum_type", "CLOSED", false);
    return !is_proto3(e->file);
}

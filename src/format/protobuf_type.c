/* A message's members, and the columns that they give. */
#include <stdlib.h>

#include "format/protobuf_private.h"
#include "type/type.h"

/* ---- members -------------------------------------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    enum protobuf_known known;
} known_messages[] = {
    {"google.protobuf.Timestamp", KNOWN_TIMESTAMP},
    {"google.protobuf.Duration", KNOWN_DURATION},
    {"google.protobuf.BoolValue", KNOWN_WRAPPER},
    {"google.protobuf.Int32Value", KNOWN_WRAPPER},
    {"google.protobuf.Int64Value", KNOWN_WRAPPER},
    {"google.protobuf.UInt32Value", KNOWN_WRAPPER},
    {"google.protobuf.UInt64Value", KNOWN_WRAPPER},
    {"google.protobuf.FloatValue", KNOWN_WRAPPER},
    {"google.protobuf.DoubleValue", KNOWN_WRAPPER},
    {"google.protobuf.StringValue", KNOWN_WRAPPER},
    {"google.protobuf.BytesValue", KNOWN_WRAPPER},
    {"google.protobuf.Struct", KNOWN_JSON},
    {"google.protobuf.Value", KNOWN_JSON},
    {"google.protobuf.ListValue", KNOWN_JSON},
    {"google.type.Date", KNOWN_DATE},
    {"confluent.type.Decimal", KNOWN_DECIMAL},
    {"confluent.type.Variant", KNOWN_VARIANT},
};

static enum protobuf_known known_of(const struct proto_message *message)
{
    for (size_t i = 0; message != NULL && i < sizeof known_messages / sizeof *known_messages; i++) {
        if (!str_is(message->full, known_messages[i].name))
            continue;
        const struct proto_field *only = message->fields.first;
        bool is_wrapper = only != NULL && message->fields.count == 1 && only->type.kind != PROTO_MESSAGE &&
                          only->type.kind != PROTO_UNKNOWN && only->label != PROTO_REPEATED;
        return known_messages[i].known != KNOWN_WRAPPER || is_wrapper ? known_messages[i].known : KNOWN_NONE;
    }
    return KNOWN_NONE;
}

static struct str item_text(const struct proto_option *map, const char *name)
{
    PROTO_EACH(proto_option, item, &map->items)
    if (str_is(item->name, name))
        return item->text;
    return str_n(NULL, 0);
}

/* One of params: {key: "precision", value: "8"}. */
static void read_param(struct protobuf_member *member, const struct proto_option *param)
{
    struct str key = item_text(param, "key");
    uint64_t value;
    if (!str_to_u64(item_text(param, "value"), &value) || value > DECIMAL_PRECISION_MAX)
        return;
    if (str_is(key, "precision"))
        member->precision = (uint8_t)value;
    else if (str_is(key, "scale"))
        member->scale = (uint8_t)value;
}

/* The precision and scale of a confluent.type.Decimal, from (confluent.field_meta) = {params: …}. */
static void read_decimal_shape(struct protobuf_member *member, const struct proto_field *field)
{
    if (member->known != KNOWN_DECIMAL)
        return;
    PROTO_EACH(proto_option, option, &field->options)
    {
        if (!option->is_extension || !str_ends(option->name, STR("field_meta")))
            continue;
        PROTO_EACH(proto_option, item, &option->items)
        {
            if (!str_is(item->name, "params"))
                continue;
            if (item->kind == PROTO_VALUE_MAP)
                read_param(member, item);
            else
                PROTO_EACH(proto_option, param, &item->items)
            read_param(member, param);
        }
    }
    if (member->scale > member->precision)
        member->precision = member->scale = 0;
}

static struct protobuf_member member_of_type(struct str name, int32_t tag, const struct proto_type *type)
{
    return (struct protobuf_member){.name = name,
                                    .tag = tag,
                                    .kind = type->kind,
                                    .message = type->message,
                                    .enumeration = type->enumeration,
                                    .known = known_of(type->message)};
}

static struct protobuf_member member_of_field(const struct proto_message *message,
                                              const struct proto_field *field)
{
    struct protobuf_member member = member_of_type(field->name, field->tag, &field->type);
    member.field = field;
    member.oneof = field->oneof;
    member.is_map = field->is_map;
    member.is_repeated = field->label == PROTO_REPEATED && !field->is_map;
    member.traits = proto_field_traits(message->file, field);
    if (field->is_map)
        member.message = NULL;
    read_decimal_shape(&member, field);
    return member;
}

static struct protobuf_member member_of_group(struct arena *arena, const struct proto_message *group,
                                              const struct proto_oneof *oneof)
{
    char *name = str_dup(arena, group->name);
    for (size_t i = 0; i < group->name.n; i++)
        if (name[i] >= 'A' && name[i] <= 'Z')
            name[i] = (char)(name[i] | 0x20);
    return (struct protobuf_member){.name = str_n(name, group->name.n),
                                    .tag = group->tag,
                                    .kind = PROTO_MESSAGE,
                                    .message = group,
                                    .oneof = oneof,
                                    .is_repeated = group->label == PROTO_REPEATED,
                                    .traits = {.has_presence = group->label != PROTO_REPEATED,
                                               .is_required = group->label == PROTO_REQUIRED,
                                               .is_delimited = true}};
}

struct protobuf_member *protobuf_members(struct arena *arena, const struct proto_message *message,
                                         uint32_t *count)
{
    uint32_t n = message->fields.count + message->groups.count;
    PROTO_EACH(proto_oneof, oneof, &message->oneofs)
    n += oneof->fields.count + oneof->groups.count;
    struct protobuf_member *members = arena_array(arena, struct protobuf_member, n);
    uint32_t oneof_index = 0;
    n = 0;
    PROTO_EACH(proto_field, field, &message->fields)
    members[n++] = member_of_field(message, field);
    PROTO_EACH(proto_oneof, oneof, &message->oneofs)
    {
        uint32_t from = n;
        PROTO_EACH(proto_field, field, &oneof->fields)
        members[n++] = member_of_field(message, field);
        PROTO_EACH(proto_message, group, &oneof->groups)
        members[n++] = member_of_group(arena, group, oneof);
        for (; from < n; from++)
            members[from].oneof_index = oneof_index;
        oneof_index++;
    }
    PROTO_EACH(proto_message, group, &message->groups)
    members[n++] = member_of_group(arena, group, NULL);
    *count = 0;
    for (uint32_t i = 0; i < n; i++) {
        const struct proto_field *field = members[i].field;
        bool is_known = members[i].is_map
                            ? field->key.kind != PROTO_UNKNOWN && field->value.kind != PROTO_UNKNOWN
                            : members[i].kind != PROTO_UNKNOWN;
        if (!is_known)
            continue;
        members[*count] = members[i];
        members[*count].order = *count;
        ++*count;
    }
    return members;
}

struct protobuf_member protobuf_map_member(const struct protobuf_member *map, int which)
{
    struct protobuf_member member = which == 1 ? member_of_type(STR("key"), 1, &map->field->key)
                                               : member_of_type(STR("value"), 2, &map->field->value);
    read_decimal_shape(&member, map->field);
    return member;
}

struct protobuf_member protobuf_wrapped(const struct protobuf_member *wrapper)
{
    const struct proto_field *only = wrapper->message->fields.first;
    return member_of_type(wrapper->name, only->tag, &only->type);
}

int protobuf_column_of(const struct type *columns, const struct protobuf_member *member)
{
    uint32_t guess = member->order; /* mostly the columns are the message's own */
    if (guess < columns->field_count && str_is(member->name, columns->fields[guess].name))
        return (int)guess;
    return type_field(columns, member->name, false);
}

/* ---- the columns of a message --------------------------------------------------------------------------------------------- */

struct build {
    struct arena *arena;
    uint32_t count; /* fields so far */
    struct err *err;
};

/* The messages around the one that is looked at. */
struct around {
    const struct proto_message *message;
    const struct around *next;
    unsigned depth;
};

static bool struct_type(struct build *b, const struct proto_message *message, const struct around *outside,
                        const struct type **type);

static bool is_around(const struct around *around, const struct proto_message *message)
{
    for (; around != NULL; around = around->next)
        if (around->message == message)
            return true;
    return false;
}

static bool message_type(struct build *b, const struct protobuf_member *member, const struct around *around,
                         const struct type **type)
{
    struct protobuf_member wrapped;
    switch (member->known) {
    case KNOWN_TIMESTAMP: *type = type_simple(TYPE_TIMESTAMP); return true;
    case KNOWN_DURATION: *type = type_simple(TYPE_INTERVAL_DT); return true;
    case KNOWN_DATE: *type = type_simple(TYPE_DATE); return true;
    case KNOWN_JSON: *type = type_simple(TYPE_STRING); return true;
    case KNOWN_VARIANT: *type = type_simple(TYPE_VARIANT); return true;
    case KNOWN_DECIMAL:
        if (member->precision == 0)
            break;
        *type = type_decimal(b->arena, member->precision, member->scale);
        return true;
    case KNOWN_WRAPPER:
        wrapped = protobuf_wrapped(member);
        *type = protobuf_scalar_type(b->arena, wrapped.kind);
        return true;
    case KNOWN_NONE: break;
    }
    if (is_around(around, member->message)) {
        *type = type_simple(TYPE_BINARY);
        return true;
    }
    return struct_type(b, member->message, around, type);
}

const struct type *protobuf_scalar_type(struct arena *arena, enum proto_kind kind)
{
    switch (kind) {
    case PROTO_BOOL: return type_simple(TYPE_BOOLEAN);
    case PROTO_INT32:
    case PROTO_SINT32:
    case PROTO_SFIXED32: return type_simple(TYPE_INT);
    case PROTO_INT64:
    case PROTO_SINT64:
    case PROTO_SFIXED64:
    case PROTO_UINT32:
    case PROTO_FIXED32: return type_simple(TYPE_LONG);
    case PROTO_UINT64:
    case PROTO_FIXED64: return type_decimal(arena, PROTOBUF_UINT64_DIGITS, 0);
    case PROTO_FLOAT: return type_simple(TYPE_FLOAT);
    case PROTO_DOUBLE: return type_simple(TYPE_DOUBLE);
    case PROTO_BYTES: return type_simple(TYPE_BINARY);
    case PROTO_STRING:
    case PROTO_ENUM: return type_simple(TYPE_STRING);
    case PROTO_MESSAGE:
    case PROTO_UNKNOWN: break;
    }
    UNREACHABLE("a message is no scalar");
}

/* Of one element. *type NULL: it gives no column. */
static bool element_type(struct build *b, const struct protobuf_member *member, const struct around *around,
                         const struct type **type)
{
    if (member->kind == PROTO_MESSAGE)
        return message_type(b, member, around, type);
    *type = protobuf_scalar_type(b->arena, member->kind);
    return true;
}

static bool member_type(struct build *b, const struct protobuf_member *member, const struct around *around,
                        const struct type **type)
{
    const struct type *key, *value;
    if (!member->is_map) {
        TRY(element_type(b, member, around, type));
        if (*type != NULL && member->is_repeated)
            *type = type_array(b->arena, *type, false);
        return true;
    }
    struct protobuf_member keys = protobuf_map_member(member, 1), values = protobuf_map_member(member, 2);
    *type = NULL;
    if (keys.kind == PROTO_MESSAGE)
        return true; /* which the language forbids */
    TRY(element_type(b, &keys, around, &key));
    TRY(element_type(b, &values, around, &value));
    if (value != NULL)
        *type = type_map(b->arena, key, value, false);
    return true;
}

static int compare_names(const void *a, const void *b)
{
    return str_cmp(str_of(((const struct field *)a)->name), str_of(((const struct field *)b)->name));
}

static bool check_names(const struct field *fields, uint32_t count, const struct proto_message *message,
                        struct err *err)
{
    struct arena scratch = {0};
    bool ok = true;
    struct field *sorted = arena_array(&scratch, struct field, count);
    memcpy(sorted, fields, count * sizeof *fields);
    qsort(sorted, count, sizeof *sorted, compare_names);
    for (uint32_t i = 1; ok && i < count; i++)
        if (compare_names(&sorted[i - 1], &sorted[i]) == 0)
            ok = err_set(err, ERR_CONFIG, "message \"%.*s\" has two fields \"%s\"", STR_ARG(message->full),
                         sorted[i].name);
    arena_fini(&scratch);
    return ok;
}

static bool struct_type(struct build *b, const struct proto_message *message, const struct around *outside,
                        const struct type **type)
{
    struct around around = {message, outside, outside != NULL ? outside->depth + 2 : 1};
    uint32_t count, found = 0;
    *type = NULL;
    if (around.depth > TYPE_DEPTH_MAX) /* a list counts too, where there is one */
        return err_set(b->err, ERR_CONFIG, "messages are nested deeper than %d in \"%.*s\"",
                       TYPE_DEPTH_MAX / 2, STR_ARG(message->full));
    struct protobuf_member *members = protobuf_members(b->arena, message, &count);
    b->count += count;
    if (count > TYPE_FIELDS_MAX || b->count > PROTOBUF_COLUMNS_MAX)
        return err_set(b->err, ERR_CONFIG, "message \"%.*s\" has more fields than %d", STR_ARG(message->full),
                       count > TYPE_FIELDS_MAX ? TYPE_FIELDS_MAX : PROTOBUF_COLUMNS_MAX);
    if (count == 0)
        return true;
    struct field *fields = arena_zarray(b->arena, struct field, count);
    for (uint32_t i = 0; i < count; i++) {
        const struct protobuf_member *member = &members[i];
        bool has_default = member->field != NULL && member->field->default_text.p != NULL &&
                           member->oneof == NULL && member->kind != PROTO_MESSAGE;
        TRY(member_type(b, member, &around, &fields[found].type));
        if (fields[found].type == NULL)
            continue;
        fields[found].name = str_dup(b->arena, member->name);
        fields[found++].nullable = member->traits.has_presence && !member->traits.is_required && !has_default;
    }
    TRY(check_names(fields, found, message, b->err));
    if (found > 0)
        *type = type_struct(b->arena, fields, found);
    return true;
}

const struct type *protobuf_columns_type(struct arena *arena, const struct proto_message *message,
                                         struct err *err)
{
    struct build b = {.arena = arena, .err = err};
    const struct type *type;
    if (!struct_type(&b, message, NULL, &type))
        return NULL;
    if (type == NULL)
        err_set(err, ERR_CONFIG, "message \"%.*s\" has no field that gives a column", STR_ARG(message->full));
    return type;
}

/* ---- evolution ------------------------------------------------------------------------------------------------------------ */

/* Does the wider type take all that the narrower one holds? */
static bool is_wider(const struct type *wide, const struct type *narrow)
{
    switch (narrow->kind) {
    case TYPE_INT:
        return wide->kind == TYPE_LONG ||
               (wide->kind == TYPE_DECIMAL && wide->precision - wide->scale >= PROTOBUF_UINT64_DIGITS);
    case TYPE_LONG:
        return wide->kind == TYPE_DECIMAL && wide->precision - wide->scale >= PROTOBUF_UINT64_DIGITS;
    case TYPE_FLOAT: return wide->kind == TYPE_DOUBLE;
    case TYPE_DECIMAL:
        return wide->kind == TYPE_DECIMAL && wide->scale >= narrow->scale &&
               wide->precision - wide->scale >= narrow->precision - narrow->scale &&
               wide->precision > narrow->precision;
    default: return false;
    }
}

static const struct type *evolve(struct arena *arena, const struct type *pinned, const struct type *found,
                                 bool *widened);

static const struct type *evolve_struct(struct arena *arena, const struct type *pinned,
                                        const struct type *found, bool *widened)
{
    uint32_t count = pinned->field_count;
    bool is_new = false;
    struct field *fields = arena_zarray(arena, struct field, (size_t)count + found->field_count);
    for (uint32_t i = 0; i < count; i++) {
        int same = type_field(found, str_of(pinned->fields[i].name), false);
        fields[i] = pinned->fields[i];
        if (same < 0)
            continue;
        fields[i].type = evolve(arena, fields[i].type, found->fields[same].type, widened);
        is_new |= fields[i].type != pinned->fields[i].type;
    }
    for (uint32_t i = 0; i < found->field_count && count < TYPE_FIELDS_MAX; i++) {
        if (type_field(pinned, str_of(found->fields[i].name), false) >= 0)
            continue;
        fields[count] = found->fields[i];
        fields[count++].nullable = true;
        is_new = true;
    }
    return is_new ? type_struct(arena, fields, count) : pinned;
}

/* Depth: that of the types, TYPE_DEPTH_MAX. */
static const struct type *evolve(struct arena *arena, const struct type *pinned, const struct type *found,
                                 bool *widened)
{
    if (is_wider(found, pinned)) {
        *widened = true;
        return found;
    }
    if (pinned->kind != found->kind)
        return pinned;
    const struct field *old = pinned->fields, *new = found->fields;
    if (pinned->kind == TYPE_STRUCT)
        return evolve_struct(arena, pinned, found, widened);
    if (pinned->kind == TYPE_ARRAY) {
        const struct type *element = evolve(arena, old[0].type, new[0].type, widened);
        return element == old[0].type ? pinned : type_array(arena, element, old[0].nullable);
    }
    if (pinned->kind == TYPE_MAP) {
        const struct type *value = evolve(arena, old[1].type, new[1].type, widened);
        return value == old[1].type ? pinned : type_map(arena, old[0].type, value, old[1].nullable);
    }
    return pinned;
}

const struct type *protobuf_columns_evolve(struct arena *arena, const struct type *pinned,
                                           const struct type *found, bool *widened)
{
    bool ignored;
    if (widened == NULL)
        widened = &ignored;
    *widened = false;
    return evolve(arena, pinned, found, widened);
}

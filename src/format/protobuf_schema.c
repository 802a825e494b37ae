/* A .proto file from columns: the other way of protobuf_columns_type().
 *
 *     syntax = "proto3";
 *     package shop;
 *
 *     import "google/protobuf/timestamp.proto";
 *
 *     message Order {
 *       message Items {
 *         optional string name = 1;
 *       }
 *       optional int64 id = 1;
 *       .google.protobuf.Timestamp at = 2;
 *       repeated Items items = 3;
 *     }
 *
 * Names of other files have a dot in front, so that no package or message of that name is found instead. */
#include "format/protobuf_private.h"

enum { IMPORT_TIMESTAMP, IMPORT_DURATION, IMPORT_DATE, IMPORT_META, IMPORT_DECIMAL, IMPORT_VARIANT, IMPORTS };

static const char *const imports[IMPORTS] = {
    [IMPORT_TIMESTAMP] = "google/protobuf/timestamp.proto",
    [IMPORT_DURATION] = "google/protobuf/duration.proto",
    [IMPORT_DATE] = "google/type/date.proto",
    [IMPORT_META] = "confluent/meta.proto",
    [IMPORT_DECIMAL] = "confluent/type/decimal.proto",
    [IMPORT_VARIANT] = "confluent/type/variant.proto",
};

struct write {
    struct sbuf body;
    bool has_import[IMPORTS];
    struct arena arena; /* names of messages */
    struct err *err;
};

static bool is_name(struct str name, bool dotted)
{
    bool is_start = true;
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
        bool is_digit = c >= '0' && c <= '9';
        if (!(is_letter || (is_digit && !is_start) || (c == '.' && dotted && !is_start)))
            return false;
        is_start = c == '.';
    }
    return name.n > 0 && !is_start;
}

static bool refuse(struct write *w, const struct field *field, const struct type *type, const char *what)
{
    struct sbuf sql = {0};
    type_to_sql(type, &sql);
    err_set(w->err, ERR_CONFIG, "column \"%s\" cannot be written as Protobuf: %.*s %s", field->name,
            STR_ARG(sbuf_view(&sql)), what);
    sbuf_fini(&sql);
    return false;
}

static const char *import_type(struct write *w, int import, const char *name)
{
    w->has_import[import] = true;
    return name;
}

/* The name of a scalar's type, or of a message that stands for one; NULL: there is none. */
static const char *type_name(struct write *w, const struct type *type)
{
    switch (type->kind) {
    case TYPE_BOOLEAN: return "bool";
    case TYPE_BYTE:
    case TYPE_SHORT:
    case TYPE_INT:
    case TYPE_INTERVAL_YM: return "int32";
    case TYPE_LONG: return "int64";
    case TYPE_FLOAT: return "float";
    case TYPE_DOUBLE: return "double";
    case TYPE_STRING: return "string";
    case TYPE_BINARY: return "bytes";
    case TYPE_DATE: return import_type(w, IMPORT_DATE, ".google.type.Date");
    case TYPE_TIMESTAMP:
    case TYPE_TIMESTAMP_NTZ: return import_type(w, IMPORT_TIMESTAMP, ".google.protobuf.Timestamp");
    case TYPE_INTERVAL_DT: return import_type(w, IMPORT_DURATION, ".google.protobuf.Duration");
    case TYPE_VARIANT: return import_type(w, IMPORT_VARIANT, ".confluent.type.Variant");
    case TYPE_DECIMAL:
        w->has_import[IMPORT_META] = true;
        return import_type(w, IMPORT_DECIMAL, ".confluent.type.Decimal");
    default: return NULL;
    }
}

static bool is_scalar(const struct type *type)
{
    switch (type->kind) {
    case TYPE_DATE:
    case TYPE_TIMESTAMP:
    case TYPE_TIMESTAMP_NTZ:
    case TYPE_INTERVAL_DT:
    case TYPE_VARIANT:
    case TYPE_DECIMAL: return false;
    default: return !type_is_nested(type);
    }
}

static bool is_key(const struct type *type)
{
    return type_is_integer(type) || type->kind == TYPE_BOOLEAN || type->kind == TYPE_STRING;
}

/* What is repeated, or the values of a map, or the type itself. */
static const struct type *element_of(const struct type *type)
{
    if (type->kind == TYPE_ARRAY)
        return type->fields[0].type;
    return type->kind == TYPE_MAP ? type->fields[1].type : type;
}

/* The message of a column that holds structs: its name with a capital, and underscores as long as another one has it. */
static const char *message_name(struct write *w, const struct type *columns, const char *const *names,
                                uint32_t at)
{
    char *name = arena_strdup(&w->arena, columns->fields[at].name);
    if (name[0] >= 'a' && name[0] <= 'z')
        name[0] = (char)(name[0] ^ 0x20);
    for (;;) {
        bool is_taken = type_field(columns, str_of(name), false) >= 0;
        for (uint32_t i = 0; i < at && !is_taken; i++)
            is_taken = names[i] != NULL && strcmp(names[i], name) == 0;
        if (!is_taken)
            return name;
        name = arena_printf(&w->arena, "%s_", name);
    }
}

static void indent(struct write *w, unsigned depth)
{
    for (unsigned i = 0; i < depth; i++)
        sbuf_cstr(&w->body, "  ");
}

static bool write_field(struct write *w, const struct field *field, const char *message, uint32_t number)
{
    const struct type *type = field->type, *element = element_of(type);
    if (element->kind == TYPE_ARRAY || element->kind == TYPE_MAP)
        return refuse(w, field, type, "holds a list in a list");
    const char *name = message != NULL ? message : type_name(w, element);
    if (name == NULL)
        return refuse(w, field, type, "has no type there");
    if (type->kind == TYPE_MAP) {
        if (!is_key(type->fields[0].type))
            return refuse(w, field, type, "has keys that are no integers, booleans or texts");
        sbuf_printf(&w->body, "map<%s, %s>", type_name(w, type->fields[0].type), name);
    } else {
        bool is_optional = field->nullable && is_scalar(type);
        sbuf_printf(&w->body, "%s%s",
                    type->kind == TYPE_ARRAY ? "repeated "
                    : is_optional            ? "optional "
                                             : "",
                    name);
    }
    sbuf_printf(&w->body, " %s = %u", field->name, number);
    if (element->kind == TYPE_DECIMAL)
        sbuf_printf(&w->body,
                    " [(confluent.field_meta) = {params: [{key: \"precision\", value: \"%u\"}, "
                    "{key: \"scale\", value: \"%u\"}]}]",
                    element->precision, element->scale);
    sbuf_cstr(&w->body, ";\n");
    return true;
}

/* Depth: that of the type. */
static bool write_message(struct write *w, const struct type *columns, const char *name, unsigned depth)
{
    const char **names = arena_zarray(&w->arena, const char *, columns->field_count);
    indent(w, depth);
    sbuf_printf(&w->body, "message %s {\n", name);
    for (uint32_t i = 0; i < columns->field_count; i++) {
        const struct field *field = &columns->fields[i];
        if (!is_name(str_of(field->name), false))
            return err_set(w->err, ERR_CONFIG, "column \"%s\" has a name that Protobuf does not allow",
                           field->name);
        const struct type *element = element_of(field->type);
        if (element->kind != TYPE_STRUCT)
            continue;
        names[i] = message_name(w, columns, names, i);
        TRY(write_message(w, element, names[i], depth + 1));
    }
    for (uint32_t i = 0; i < columns->field_count; i++) {
        indent(w, depth + 1);
        TRY(write_field(w, &columns->fields[i], names[i], i + 1));
    }
    indent(w, depth);
    sbuf_cstr(&w->body, "}\n");
    return true;
}

static bool write_all(struct write *w, const struct type *columns, struct str message, struct str package)
{
    if (!is_name(message, false) || (package.n > 0 && !is_name(package, true)))
        return err_set(w->err, ERR_CONFIG, "\"%.*s\" is no name that Protobuf allows",
                       STR_ARG(is_name(message, false) ? package : message));
    if (columns->field_count == 0)
        return err_set(w->err, ERR_CONFIG, "there is no column");
    return write_message(w, columns, str_dup(&w->arena, message), 0);
}

bool protobuf_schema_of_columns(const struct type *columns, struct str message, struct str package,
                                struct sbuf *out, struct err *err)
{
    struct write w = {.err = err};
    bool ok = write_all(&w, columns, message, package);
    if (ok) {
        sbuf_cstr(out, "syntax = \"proto3\";\n");
        if (package.n > 0)
            sbuf_printf(out, "package %.*s;\n", STR_ARG(package));
        sbuf_char(out, '\n');
        bool has_any = false;
        for (int i = 0; i < IMPORTS; i++)
            if (w.has_import[i]) {
                sbuf_printf(out, "import \"%s\";\n", imports[i]);
                has_any = true;
            }
        if (has_any)
            sbuf_char(out, '\n');
        sbuf_str(out, sbuf_view(&w.body));
    }
    sbuf_fini(&w.body);
    arena_fini(&w.arena);
    return ok;
}

/* Names of a .proto file and of all that it imports: what they are.
 *
 * All definitions go into one sorted table of full names. A name is looked for as protoc does it, from the scope that it stands in
 * outwards; but a file sees all files, as in Confluent's registry, not only those that it imports itself, unless that is asked for. */
#include <stdlib.h>

#include "schema/proto_private.h"
#include "schema/text.h"

static const char *const kind_names[] = {"",         "double",   "float",  "int64",  "uint64",  "int32",
                                         "fixed64",  "fixed32",  "bool",   "string", "bytes",   "uint32",
                                         "sfixed32", "sfixed64", "sint32", "sint64", "message", "enum"};

const char *proto_kind_name(enum proto_kind kind)
{
    return kind_names[kind];
}

enum proto_kind proto_scalar_find(struct str name)
{
    for (int i = PROTO_DOUBLE; i <= PROTO_SINT64; i++)
        if (str_is(name, kind_names[i]))
            return (enum proto_kind)i;
    return PROTO_UNKNOWN;
}

/* ---- gathering ---------------------------------------------------------------------------------------------------------- */

struct gather {
    struct arena *arena;
    struct proto_name *items;
    uint32_t count, capacity;
};

static struct str join(struct arena *arena, struct str scope, struct str name)
{
    return scope.n == 0 ? name : str_of(arena_printf(arena, "%.*s.%.*s", STR_ARG(scope), STR_ARG(name)));
}

static void add(struct gather *g, struct proto_name name)
{
    if (g->count == g->capacity) {
        g->capacity = g->capacity ? 2 * g->capacity : 64;
        struct proto_name *items = arena_array(g->arena, struct proto_name, g->capacity);
        if (g->count > 0)
            memcpy(items, g->items, g->count * sizeof *items);
        g->items = items;
    }
    name.order = g->count;
    g->items[g->count++] = name;
}

static void gather_extends(struct gather *g, struct proto_extend *first, struct str scope)
{
    for (struct proto_extend *extend = first; extend != NULL; extend = extend->next)
        PROTO_EACH(proto_field, field, &extend->fields)
    add(g, (struct proto_name){.full = join(g->arena, scope, field->name), .extension = field});
}

static void gather_enum(struct gather *g, struct proto_enum *e, struct str scope)
{
    e->full = join(g->arena, scope, e->name);
    add(g, (struct proto_name){.full = e->full, .enumeration = e});
}

/* Depth: PROTO_DEPTH_MAX, here and below. */
static void gather_message(struct gather *g, struct proto_message *message, struct str scope)
{
    uint32_t index = 0;
    message->full = join(g->arena, scope, message->name);
    PROTO_EACH(proto_option, option, &message->options)
    if (str_is(option->name, "map_entry") && str_is(option->text, "true"))
        message->is_map_entry = true;
    add(g, (struct proto_name){.full = message->full, .message = message});
    PROTO_EACH(proto_message, nested, &message->messages)
    {
        nested->parent = message;
        nested->index = index++;
        gather_message(g, nested, message->full);
    }
    PROTO_EACH(proto_enum, e, &message->enums)
    gather_enum(g, e, message->full);
    PROTO_EACH(proto_message, group, &message->groups)
    gather_message(g, group, message->full);
    PROTO_EACH(proto_oneof, oneof, &message->oneofs)
    PROTO_EACH(proto_message, group, &oneof->groups)
    gather_message(g, group, message->full);
    gather_extends(g, message->extends.first, message->full);
}

static void gather_file(struct gather *g, struct proto_file *file)
{
    uint32_t index = 0;
    PROTO_EACH(proto_message, message, &file->messages)
    {
        message->index = index++;
        gather_message(g, message, file->package);
    }
    PROTO_EACH(proto_enum, e, &file->enums)
    gather_enum(g, e, file->package);
    gather_extends(g, file->extends.first, file->package);
}

static int compare_names(const void *a, const void *b)
{
    const struct proto_name *x = a, *y = b;
    int order = str_cmp(x->full, y->full);
    return order != 0 ? order : (x->order > y->order) - (x->order < y->order);
}

/* ---- finding ------------------------------------------------------------------------------------------------------------ */

const struct proto_name *proto_name_find(const struct proto_names *names, struct str full)
{
    uint32_t low = 0, high = names->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (str_cmp(names->items[middle].full, full) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low < names->count && str_eq(names->items[low].full, full) ? &names->items[low] : NULL;
}

static bool is_wanted(const struct proto_name *name, bool extension)
{
    return name != NULL && (name->extension != NULL) == extension;
}

const struct proto_name *proto_name_resolve(const struct proto_names *names, struct str scope,
                                            struct str text, bool extension)
{
    const struct proto_name *found;
    struct sbuf full = {0};
    if (text.n > 0 && text.p[0] == '.') {
        found = proto_name_find(names, str_n(text.p + 1, text.n - 1));
        return is_wanted(found, extension) ? found : NULL;
    }
    for (;;) {
        sbuf_clear(&full);
        sbuf_str(&full, scope);
        if (scope.n > 0)
            sbuf_char(&full, '.');
        sbuf_str(&full, text);
        found = proto_name_find(names, sbuf_view(&full));
        if (is_wanted(found, extension) || scope.n == 0)
            break;
        while (scope.n > 0 && scope.p[scope.n - 1] != '.')
            scope.n--;
        scope.n -= scope.n > 0;
    }
    sbuf_fini(&full);
    return is_wanted(found, extension) ? found : NULL;
}

/* ---- resolving ---------------------------------------------------------------------------------------------------------- */

struct resolve {
    const struct proto_names *names;
    struct str text; /* of the file, for places */
    const char *file_name;
    bool lenient;
    const struct proto_schema *imports_of; /* its file sees what it imports alone; NULL: everything */
    struct err *err;
};

static const struct proto_file *file_named(const struct proto_schema *schema, struct str name)
{
    PROTO_EACH(proto_file, file, &schema->others)
    if (str_eq(file->name, name))
        return file;
    return NULL;
}

/* Does the file import the other one, itself or through what others import publicly? left: files that may still be looked into, as publics may go round. */
static bool does_import(const struct proto_schema *schema, const struct proto_file *file,
                        const struct proto_file *other, bool publics_alone, uint32_t left)
{
    PROTO_EACH(proto_import, import, &file->imports)
    {
        const struct proto_file *next = file_named(schema, import->name);
        if (next == NULL || (publics_alone && !import->is_public))
            continue;
        if (next == other || (left > 0 && does_import(schema, next, other, true, left - 1)))
            return true;
    }
    return false;
}

static bool check_import(struct resolve *r, const struct proto_type *type, const struct proto_file *of,
                         size_t at)
{
    enum { PUBLIC_DEPTH_MAX = 16 };
    const struct proto_file *file = r->imports_of->file;
    if (of == file || does_import(r->imports_of, file, of, false, PUBLIC_DEPTH_MAX))
        return true;
    return text_fail(r->err, r->text, r->file_name, at,
                     "the type \"%.*s\" is in \"%.*s\", which is not imported", STR_ARG(type->text),
                     STR_ARG(of->name));
}

static bool resolve_type(struct resolve *r, struct proto_type *type, struct str scope, size_t at)
{
    type->kind = proto_scalar_find(type->text);
    if (type->kind != PROTO_UNKNOWN)
        return true;
    const struct proto_name *name = proto_name_resolve(r->names, scope, type->text, false);
    if (name == NULL)
        return r->lenient ||
               text_fail(r->err, r->text, r->file_name, at, "there is no type \"%.*s\"", STR_ARG(type->text));
    type->kind = name->message ? PROTO_MESSAGE : PROTO_ENUM;
    type->message = name->message;
    type->enumeration = name->enumeration;
    return r->imports_of == NULL ||
           check_import(r, type, name->message ? name->message->file : name->enumeration->file, at);
}

static const struct proto_field *field_named(const struct proto_message *message, const char *name)
{
    PROTO_EACH(proto_field, field, &message->fields)
    if (str_is(field->name, name))
        return field;
    return NULL;
}

/* A repeated message that was made of a map. Its key and value are resolved in that message's scope. */
static bool resolve_entry(struct resolve *r, struct proto_field *field)
{
    const struct proto_message *entry = field->type.message;
    const struct proto_field *key = field_named(entry, "key"), *value = field_named(entry, "value");
    if (key == NULL || value == NULL)
        return true;
    field->is_map = true;
    field->key.text = key->type.text;
    field->value.text = value->type.text;
    return resolve_type(r, &field->key, entry->full, field->at) &&
           resolve_type(r, &field->value, entry->full, field->at);
}

static bool resolve_fields(struct resolve *r, const struct proto_fields *fields, struct str scope)
{
    PROTO_EACH(proto_field, field, fields)
    {
        if (field->is_map) {
            field->type.kind = PROTO_MESSAGE;
            TRY(resolve_type(r, &field->key, scope, field->at));
            TRY(resolve_type(r, &field->value, scope, field->at));
            continue;
        }
        TRY(resolve_type(r, &field->type, scope, field->at));
        if (field->type.message != NULL && field->type.message->is_map_entry)
            TRY(resolve_entry(r, field));
    }
    return true;
}

static bool resolve_extends(struct resolve *r, struct proto_extend *first, struct str scope)
{
    for (struct proto_extend *extend = first; extend != NULL; extend = extend->next) {
        TRY(resolve_type(r, &extend->type, scope, extend->fields.first ? extend->fields.first->at : 0));
        TRY(resolve_fields(r, &extend->fields, scope));
    }
    return true;
}

static bool resolve_message(struct resolve *r, struct proto_message *message)
{
    TRY(resolve_fields(r, &message->fields, message->full));
    PROTO_EACH(proto_oneof, oneof, &message->oneofs)
    {
        TRY(resolve_fields(r, &oneof->fields, message->full));
        PROTO_EACH(proto_message, group, &oneof->groups)
        TRY(resolve_message(r, group));
    }
    PROTO_EACH(proto_message, group, &message->groups)
    TRY(resolve_message(r, group));
    PROTO_EACH(proto_message, nested, &message->messages)
    TRY(resolve_message(r, nested));
    return resolve_extends(r, message->extends.first, message->full);
}

static bool resolve_file(struct resolve *r, struct proto_file *file)
{
    PROTO_EACH(proto_message, message, &file->messages)
    TRY(resolve_message(r, message));
    TRY(resolve_extends(r, file->extends.first, file->package));
    PROTO_EACH(proto_service, service, &file->services)
    PROTO_EACH(proto_rpc, rpc, &service->rpcs)
    {
        TRY(resolve_type(r, &rpc->request, file->package, 0));
        TRY(resolve_type(r, &rpc->response, file->package, 0));
    }
    return true;
}

/* ---- what a message must be --------------------------------------------------------------------------------------------- */

static int compare_tags(const void *a, const void *b)
{
    const struct proto_field *const *x = a, *const *y = b;
    return ((*x)->tag > (*y)->tag) - ((*x)->tag < (*y)->tag);
}

const struct proto_field **proto_fields_by_tag(struct arena *arena, const struct proto_message *message,
                                               uint32_t *count)
{
    uint32_t n = message->fields.count;
    PROTO_EACH(proto_oneof, oneof, &message->oneofs)
    n += oneof->fields.count;
    const struct proto_field **fields = arena_array(arena, const struct proto_field *, n);
    n = 0;
    PROTO_EACH(proto_field, field, &message->fields)
    fields[n++] = field;
    PROTO_EACH(proto_oneof, oneof, &message->oneofs)
    PROTO_EACH(proto_field, field, &oneof->fields)
    fields[n++] = field;
    qsort(fields, n, sizeof(struct proto_field *), compare_tags);
    *count = n;
    return fields;
}

static bool check_message(struct resolve *r, const struct proto_message *message)
{
    struct arena arena = {0};
    uint32_t count;
    bool ok = true;
    const struct proto_field **fields = proto_fields_by_tag(&arena, message, &count);
    for (uint32_t i = 1; ok && i < count; i++)
        if (fields[i]->tag == fields[i - 1]->tag)
            ok = text_fail(r->err, r->text, r->file_name, fields[i]->at,
                           "the number %d comes twice in \"%.*s\"", (int)fields[i]->tag,
                           STR_ARG(message->full));
    arena_fini(&arena);
    PROTO_EACH(proto_message, nested, &message->messages)
    ok = ok && check_message(r, nested);
    return ok;
}

static bool check_file(struct resolve *r, const struct proto_file *file)
{
    for (uint32_t i = 1; i < r->names->count; i++) {
        const struct proto_name *a = &r->names->items[i - 1], *b = &r->names->items[i];
        const struct proto_file *of = b->message       ? b->message->file
                                      : b->enumeration ? b->enumeration->file
                                                       : NULL;
        if (of == file && a->extension == NULL && str_eq(a->full, b->full))
            return text_fail(r->err, r->text, r->file_name, 0, "\"%.*s\" is defined twice", STR_ARG(b->full));
    }
    PROTO_EACH(proto_message, message, &file->messages)
    TRY(check_message(r, message));
    return true;
}

/* ---- a schema ----------------------------------------------------------------------------------------------------------- */

/* Well-known files that `file` imports, unless there is a reference of that name. */
static void add_known(struct arena *arena, struct proto_schema *schema, const struct proto_file *of)
{
    PROTO_EACH(proto_import, import, &of->imports)
    {
        struct str text = proto_known_text(import->name);
        if (text.p == NULL || file_named(schema, import->name))
            continue;
        struct proto_file *file = arena_new(arena, struct proto_file);
        CHECK(proto_parse_text(arena, text, "", file, NULL));
        file->name = import->name;
        file->is_unreferred = true;
        PROTO_ADD(&schema->others, file);
    }
}

static bool parse_any(struct arena *arena, struct str text, const char *name, struct proto_file *file,
                      struct err *err)
{
    if (proto_is_descriptor(text))
        return proto_parse_descriptor(arena, text, file, err);
    return proto_parse_text(arena, text, name, file, err);
}

bool proto_parse(struct arena *arena, const struct schema_source *source, struct proto_schema *out,
                 struct err *err)
{
    struct gather g = {.arena = arena};
    *out = (struct proto_schema){.file = arena_new(arena, struct proto_file)};
    out->file->version = -1;
    TRY(parse_any(arena, source->text, "", out->file, err));
    for (uint32_t i = 0; i < source->reference_count; i++) {
        const struct schema_reference *r = &source->references[i];
        struct proto_file *file = arena_new(arena, struct proto_file);
        *file = (struct proto_file){
            .name = r->name, .subject = r->subject, .version = r->version, .is_unreferred = r->indirect};
        TRY(parse_any(arena, r->text, str_dup(arena, r->name), file, err));
        PROTO_ADD(&out->others, file);
    }
    add_known(arena, out, out->file);
    PROTO_EACH(proto_file, file, &out->others)
    add_known(arena, out, file);
    PROTO_EACH(proto_file, file, &out->others)
    gather_file(&g, file);
    gather_file(&g, out->file);
    if (g.count > 0)
        qsort(g.items, g.count, sizeof *g.items, compare_names);
    out->names = arena_new(arena, struct proto_names);
    *out->names = (struct proto_names){g.items, g.count};

    struct resolve r = {
        .names = out->names, .lenient = true, .text = source->text, .file_name = "", .err = err};
    PROTO_EACH(proto_file, file, &out->others)
    TRY(resolve_file(&r, file));
    r.lenient = source->lenient;
    r.imports_of = source->imports_alone ? out : NULL;
    TRY(resolve_file(&r, out->file));
    return source->lenient || check_file(&r, out->file);
}

const struct proto_message *proto_message_find(const struct proto_schema *schema, struct str full)
{
    const struct proto_name *name = proto_name_find(schema->names, full);
    return name ? name->message : NULL;
}

const struct proto_message *proto_message_at(const struct proto_schema *schema, const int32_t *indexes,
                                             size_t count)
{
    const struct proto_messages *in = &schema->file->messages;
    const struct proto_message *found = NULL;
    for (size_t i = 0; i < count; i++) {
        found = NULL;
        PROTO_EACH(proto_message, message, in)
        if ((int64_t)message->index == indexes[i])
            found = message;
        if (found == NULL)
            return NULL;
        in = &found->messages;
    }
    return found;
}

struct str proto_name_of(const struct proto_schema *schema)
{
    if (schema->file->messages.first != NULL)
        return schema->file->messages.first->full;
    return schema->file->enums.first != NULL ? schema->file->enums.first->full : str_n("", 0);
}

/* Whether messages of one Protobuf schema can be read with another: the rules, paths and words of Confluent's registry.
 *
 * Fields are compared by number. A message of another file is compared where a field has its type, unless both schemas refer to the
 * same version of the same subject. Paths are those of the message's own file then. */
#include <stdlib.h>

#include "schema/proto_private.h"
#include "schema/text.h"

enum { PATH_MAX_PARTS = 4 * PROTO_DEPTH_MAX };

enum scalar { GENERAL_NUMBER, SIGNED_NUMBER, STRING_OR_BYTES, FIXED32, FIXED64, FLOAT, DOUBLE };

struct compare {
    struct arena arena;
    const struct schema_report *report;
    struct str path[PATH_MAX_PARTS];
    uint32_t path_count;
    const struct proto_message *open[SCHEMA_DEPTH_MAX]; /* old messages that are being compared */
    uint32_t depth, pair_count, found;
    bool too_much;
};

static void push(struct compare *c, struct str part)
{
    if (c->path_count < PATH_MAX_PARTS)
        c->path[c->path_count] = part;
    c->path_count++;
}

static void push_tag(struct compare *c, int32_t tag)
{
    push(c, str_of(arena_printf(&c->arena, "%d", (int)tag)));
}

/* ---- words -------------------------------------------------------------------------------------------------------------- */

enum fault {
    PACKAGE_CHANGED,
    MESSAGE_REMOVED,
    FIELD_KIND_CHANGED,
    FIELD_SCALAR_KIND_CHANGED,
    FIELD_NAMED_TYPE_CHANGED,
    FIELD_NUMERIC_LABEL_CHANGED,
    REQUIRED_FIELD_ADDED,
    REQUIRED_FIELD_REMOVED,
    ONEOF_FIELD_REMOVED,
    MULTIPLE_FIELDS_MOVED_TO_ONEOF,
    FIELD_MOVED_TO_EXISTING_ONEOF,
};

/* In the text: @P the path, @R and @W what the reader and the writer are called. */
static const struct {
    const char *name, *text;
} faults[] = {
    [PACKAGE_CHANGED] = {"PACKAGE_CHANGED",
                         "The package at '@P' in the @R schema does not match the package in the @W schema"},
    [MESSAGE_REMOVED] = {"MESSAGE_REMOVED",
                         "The @R schema is missing a MESSAGE type at path '@P' in the @W schema"},
    [FIELD_KIND_CHANGED] = {"FIELD_KIND_CHANGED",
                            "The type of a field at path '@P' in the @R schema does not match the @W schema"},
    [FIELD_SCALAR_KIND_CHANGED] =
        {"FIELD_SCALAR_KIND_CHANGED",
         "The kind of a SCALAR field at path '@P' in the @R schema does not match its kind in the @W schema"},
    [FIELD_NAMED_TYPE_CHANGED] =
        {"FIELD_NAMED_TYPE_CHANGED",
         "The type of a MESSAGE field at path '@P' in the @R schema does not match its type in the @W schema"},
    [FIELD_NUMERIC_LABEL_CHANGED] =
        {"FIELD_NUMERIC_LABEL_CHANGED",
         "The label for a NUMERIC field at path '@P' in the @R schema does not match its label in the @W schema"},
    [REQUIRED_FIELD_ADDED] = {"REQUIRED_FIELD_ADDED",
                              "A required field  at path '@P' in the @R schema is missing in the @W schema"},
    [REQUIRED_FIELD_REMOVED] = {"REQUIRED_FIELD_REMOVED",
                                "The @R schema is missing a required field at path: '@P' in the @W schema"},
    [ONEOF_FIELD_REMOVED] = {"ONEOF_FIELD_REMOVED",
                             "The @R schema is missing a oneof field at path '@P' in the @W schema"},
    [MULTIPLE_FIELDS_MOVED_TO_ONEOF] =
        {"MULTIPLE_FIELDS_MOVED_TO_ONEOF",
         "Multiple fields in the oneof at path '@P' in the @R schema are outside a oneof in the @W schema"},
    [FIELD_MOVED_TO_EXISTING_ONEOF] =
        {"FIELD_MOVED_TO_EXISTING_ONEOF",
         "A field in the oneof at path '@P' in the @R schema is outside an existing oneof in the @W schema"},
};

static void put_path(const struct compare *c, struct sbuf *out)
{
    sbuf_cstr(out, "#/");
    for (uint32_t i = 0; i < c->path_count && i < PATH_MAX_PARTS; i++)
        sbuf_printf(out, "%s%.*s", i > 0 ? "/" : "", STR_ARG(c->path[i]));
}

static void say(struct compare *c, enum fault fault)
{
    struct sbuf text = {0};
    c->found++;
    for (const char *p = faults[fault].text; *p; p++) {
        if (*p != '@')
            sbuf_char(&text, *p);
        else if (*++p == 'P')
            put_path(c, &text);
        else
            sbuf_cstr(&text, *p == 'R' ? c->report->reader : c->report->writer);
    }
    schema_say(c->report->messages, "{errorType:\"%s\", description:\"%s\"}", faults[fault].name, text.p);
    sbuf_fini(&text);
}

/* ---- types -------------------------------------------------------------------------------------------------------------- */

static void compare_messages(struct compare *c, const struct proto_message *old,
                             const struct proto_message *later);

static bool is_scalar(const struct proto_type *type)
{
    return type->kind != PROTO_MESSAGE && type->kind != PROTO_UNKNOWN;
}

static enum scalar scalar_of(enum proto_kind kind)
{
    switch (kind) {
    case PROTO_SINT32:
    case PROTO_SINT64: return SIGNED_NUMBER;
    case PROTO_STRING:
    case PROTO_BYTES: return STRING_OR_BYTES;
    case PROTO_FIXED32:
    case PROTO_SFIXED32: return FIXED32;
    case PROTO_FIXED64:
    case PROTO_SFIXED64: return FIXED64;
    case PROTO_FLOAT: return FLOAT;
    case PROTO_DOUBLE: return DOUBLE;
    default: return GENERAL_NUMBER;
    }
}

static void compare_scalars(struct compare *c, const struct proto_type *old, const struct proto_type *later,
                            enum proto_label old_label, enum proto_label new_label)
{
    if (scalar_of(old->kind) != scalar_of(later->kind))
        say(c, FIELD_SCALAR_KIND_CHANGED);
    else if (scalar_of(old->kind) != STRING_OR_BYTES && old_label != PROTO_NO_LABEL &&
             new_label != PROTO_NO_LABEL && old_label != new_label)
        say(c, FIELD_NUMERIC_LABEL_CHANGED);
}

/* The name without its file's package. */
static struct str local_name(const struct proto_message *message)
{
    struct str package = message->file->package, full = message->full;
    return package.n > 0 ? str_n(full.p + package.n + 1, full.n - package.n - 1) : full;
}

/* The same text in both: nothing can have changed in it. */
static bool same_source(const struct proto_file *old, const struct proto_file *later)
{
    return !old->is_unreferred && !later->is_unreferred && str_eq(old->subject, later->subject) &&
           old->version == later->version;
}

static void set_path(struct compare *c, struct str name)
{
    c->path_count = 0;
    while (name.n > 0) {
        size_t dot = str_find(name, STR("."), 0), n = dot == SIZE_MAX ? name.n : dot;
        push(c, str_n(name.p, n));
        name = dot == SIZE_MAX ? str_n(NULL, 0) : str_n(name.p + n + 1, name.n - n - 1);
    }
}

/* In its own file, by a path of its own; when it does not fit, the field does not either. */
static void compare_elsewhere(struct compare *c, const struct proto_message *old,
                              const struct proto_message *later)
{
    uint32_t count = c->path_count < PATH_MAX_PARTS ? c->path_count : PATH_MAX_PARTS, found = c->found;
    struct str *path = arena_dup(&c->arena, c->path, count * sizeof *path);
    set_path(c, local_name(old));
    compare_messages(c, old, later);
    memcpy(c->path, path, count * sizeof *path);
    c->path_count = count;
    if (c->found > found)
        say(c, FIELD_NAMED_TYPE_CHANGED);
}

static void compare_named(struct compare *c, const struct proto_type *old, const struct proto_type *later)
{
    if (old->message == NULL || later->message == NULL) {
        if (!str_eq(old->text, later->text))
            say(c, FIELD_NAMED_TYPE_CHANGED);
    } else if (!str_eq(local_name(old->message), local_name(later->message))) {
        say(c, FIELD_NAMED_TYPE_CHANGED);
    } else if (!same_source(old->message->file, later->message->file)) {
        compare_elsewhere(c, old->message, later->message);
    }
}

static void compare_types(struct compare *c, const struct proto_type *old, const struct proto_type *later,
                          enum proto_label old_label, enum proto_label new_label)
{
    if (is_scalar(old) != is_scalar(later))
        say(c, FIELD_KIND_CHANGED);
    else if (is_scalar(old))
        compare_scalars(c, old, later, old_label, new_label);
    else
        compare_named(c, old, later);
}

static void compare_fields(struct compare *c, const struct proto_field *old, const struct proto_field *later)
{
    if (old->is_map != later->is_map) {
        say(c, FIELD_KIND_CHANGED);
    } else if (old->is_map) {
        compare_types(c, &old->key, &later->key, PROTO_NO_LABEL, PROTO_NO_LABEL);
        compare_types(c, &old->value, &later->value, PROTO_NO_LABEL, PROTO_NO_LABEL);
    } else {
        compare_types(c, &old->type, &later->type, old->label, later->label);
    }
}

/* ---- messages ----------------------------------------------------------------------------------------------------------- */

struct fields {
    const struct proto_field **items; /* items[count], by number */
    uint32_t count;
};

static const struct proto_field *find(const struct fields *fields, int32_t tag)
{
    uint32_t low = 0, high = fields->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (fields->items[middle]->tag < tag)
            low = middle + 1;
        else
            high = middle;
    }
    return low < fields->count && fields->items[low]->tag == tag ? fields->items[low] : NULL;
}

/* Fields that could all be set exclude each other now. */
static void compare_oneof(struct compare *c, const struct proto_oneof *oneof, const struct fields *old)
{
    const struct proto_oneof *first = NULL;
    uint32_t moved = 0, groups = 0;
    PROTO_EACH(proto_field, field, &oneof->fields)
    {
        const struct proto_field *before = find(old, field->tag);
        if (before == NULL)
            continue;
        if (before->oneof == NULL) {
            moved++;
            groups++;
        } else if (first != before->oneof) {
            groups += 1;
            first = before->oneof;
        }
    }
    if (groups < 2)
        return;
    push(c, oneof->name);
    say(c, moved > 1 ? MULTIPLE_FIELDS_MOVED_TO_ONEOF : FIELD_MOVED_TO_EXISTING_ONEOF);
    c->path_count--;
}

/* Nothing of a oneof is left, not its name nor any field: that is no loss. */
static bool is_gone(const struct proto_oneof *oneof, const struct proto_message *later,
                    const struct fields *fields)
{
    PROTO_EACH(proto_oneof, other, &later->oneofs)
    if (str_eq(other->name, oneof->name))
        return false;
    PROTO_EACH(proto_field, field, &oneof->fields)
    if (find(fields, field->tag) != NULL)
        return false;
    return true;
}

static void compare_removed(struct compare *c, const struct proto_field *old,
                            const struct proto_message *later, const struct fields *fields)
{
    if (old->oneof == NULL && old->label != PROTO_REQUIRED)
        return;
    if (old->oneof != NULL && is_gone(old->oneof, later, fields))
        return;
    if (old->oneof != NULL)
        push(c, old->oneof->name);
    push_tag(c, old->tag);
    say(c, old->oneof ? ONEOF_FIELD_REMOVED : REQUIRED_FIELD_REMOVED);
    c->path_count -= old->oneof ? 2 : 1;
}

static void compare_both(struct compare *c, const struct proto_field *old, const struct proto_field *later)
{
    if (later->oneof != NULL)
        push(c, later->oneof->name);
    push_tag(c, later->tag);
    if (old != NULL)
        compare_fields(c, old, later);
    else if (later->oneof == NULL && later->label == PROTO_REQUIRED)
        say(c, REQUIRED_FIELD_ADDED);
    c->path_count -= later->oneof ? 2 : 1;
}

static void compare_contents(struct compare *c, const struct proto_message *old,
                             const struct proto_message *later)
{
    struct fields before, now;
    before.items = proto_fields_by_tag(&c->arena, old, &before.count);
    now.items = proto_fields_by_tag(&c->arena, later, &now.count);
    c->pair_count += (before.count + now.count) / 16;
    PROTO_EACH(proto_oneof, oneof, &later->oneofs)
    compare_oneof(c, oneof, &before);
    for (uint32_t i = 0, k = 0; i < before.count || k < now.count;) {
        const struct proto_field *a = i < before.count ? before.items[i] : NULL;
        const struct proto_field *b = k < now.count ? now.items[k] : NULL;
        if (b == NULL || (a != NULL && a->tag < b->tag)) {
            CHECK(a != NULL);
            compare_removed(c, a, later, &now);
            i++;
        } else {
            compare_both(c, a != NULL && a->tag == b->tag ? a : NULL, b);
            i += a != NULL && a->tag == b->tag;
            k++;
        }
    }
}

static int compare_message_names(const void *a, const void *b)
{
    const struct proto_message *const *x = a, *const *y = b;
    return str_cmp((*x)->name, (*y)->name);
}

static const struct proto_message **by_name(struct arena *arena, const struct proto_messages *messages)
{
    const struct proto_message **all = arena_array(arena, const struct proto_message *, messages->count);
    uint32_t count = 0;
    PROTO_EACH(proto_message, message, messages)
    all[count++] = message;
    qsort(all, count, sizeof(struct proto_message *), compare_message_names);
    return all;
}

/* Messages of one level by their names. */
static void compare_levels(struct compare *c, const struct proto_messages *old,
                           const struct proto_messages *later)
{
    const struct proto_message **all = by_name(&c->arena, later);
    PROTO_EACH(proto_message, message, old)
    {
        struct proto_message key = {.name = message->name};
        const struct proto_message *wanted = &key;
        const struct proto_message **twin = bsearch(&wanted, all, later->count,
                                                    sizeof(struct proto_message *), compare_message_names);
        push(c, message->name);
        if (twin != NULL)
            compare_messages(c, message, *twin);
        else if (!message->is_map_entry)
            say(c, MESSAGE_REMOVED);
        c->path_count--;
    }
}

static void compare_messages(struct compare *c, const struct proto_message *old,
                             const struct proto_message *later)
{
    bool is_open = false;
    for (uint32_t i = 0; i < c->depth; i++)
        is_open |= c->open[i] == old;
    if (c->depth == SCHEMA_DEPTH_MAX / 4 || ++c->pair_count > SCHEMA_PAIRS_MAX / 8 || c->too_much) {
        c->too_much = true;
        return;
    }
    c->open[c->depth++] = old;
    if (!is_open)
        compare_contents(c, old, later);
    compare_levels(c, &old->messages, &later->messages);
    c->depth--;
}

bool proto_compare(const struct proto_schema *reader, const struct proto_schema *writer,
                   const struct schema_report *report, struct err *err)
{
    struct compare *c = mem_new(sizeof *c);
    struct str old = writer->file->package, later = reader->file->package;
    c->report = report;
    bool same = old.p == NULL || later.p == NULL ? old.p == later.p : str_eq(old, later);
    if (!same)
        say(c, PACKAGE_CHANGED);
    compare_levels(c, &writer->file->messages, &reader->file->messages);
    bool ok = !c->too_much;
    if (!ok)
        err_set(err, ERR_DATA, "the two schemas are too deep or too large to compare");
    arena_fini(&c->arena);
    mem_free(c);
    return ok;
}

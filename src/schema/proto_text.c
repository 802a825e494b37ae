/* A .proto file as Confluent's registry writes it, canonical and normalised.
 *
 * The text has sections in a fixed order; messages and enums keep theirs among themselves, for the wire format counts messages.
 * Normalised: names are full ones, fields, options, imports and ranges sorted, lists of ranges taken apart, messages that stand for
 * maps are maps again, options of the same name are merged, numbers brought to one form. */
#include <stdio.h>
#include <stdlib.h>

#include "schema/proto_private.h"
#include "schema/text.h"

struct write {
    struct sbuf *out;
    struct arena arena;
    const struct proto_names *names;
    bool normalize;
    bool plain;       /* without extensions and options that are some */
    struct str scope; /* full name of the message, or the package */
    uint32_t indent;  /* levels */
    bool in_line;     /* something stands in the line already */
};

/* Text with its line breaks; each line begins with the indentation, an empty one too. */
static void put(struct write *w, struct str text)
{
    for (size_t i = 0; i < text.n; i++) {
        if (!w->in_line)
            for (uint32_t level = 0; level < w->indent; level++)
                sbuf_cstr(w->out, "  ");
        w->in_line = text.p[i] != '\n';
        sbuf_char(w->out, text.p[i]);
    }
}

static void put_cstr(struct write *w, const char *text)
{
    put(w, str_of(text));
}

static void putf(struct write *w, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void putf(struct write *w, const char *format, ...)
{
    struct sbuf b = {0};
    va_list args;
    va_start(args, format);
    sbuf_vprintf(&b, format, args);
    va_end(args);
    put(w, sbuf_view(&b));
    sbuf_fini(&b);
}

/* An array of the items of a list, to be sorted. */
#define ARRAY_OF(w, type, array, list)                                                                       \
    struct type **array = arena_array(&(w)->arena, struct type *, (list)->count);                            \
    uint32_t array##_count = 0;                                                                              \
    PROTO_EACH(type, array##_item, list)                                                                     \
    array[array##_count++] = array##_item

/* ---- names -------------------------------------------------------------------------------------------------------------- */

static struct str full_name(struct write *w, const struct proto_type *type)
{
    struct str full = type->message       ? type->message->full
                      : type->enumeration ? type->enumeration->full
                                          : type->text;
    if (!w->normalize || (type->message == NULL && type->enumeration == NULL))
        return type->text;
    return str_of(arena_printf(&w->arena, ".%.*s", STR_ARG(full)));
}

/* ---- values of options -------------------------------------------------------------------------------------------------- */

static void put_value(struct write *w, const struct proto_option *value);

static void put_escaped(struct write *w, struct str text)
{
    static const char escapes[] = {['\a'] = 'a', ['\b'] = 'b', ['\f'] = 'f',  ['\n'] = 'n',  ['\r'] = 'r',
                                   ['\t'] = 't', ['\v'] = 'v', ['\\'] = '\\', ['\''] = '\'', ['"'] = '"'};
    put_cstr(w, "\"");
    for (size_t i = 0; i < text.n; i++) {
        unsigned char c = (unsigned char)text.p[i];
        if (c < sizeof escapes && escapes[c] != 0)
            putf(w, "\\%c", escapes[c]);
        else
            put(w, str_n(text.p + i, 1));
    }
    put_cstr(w, "\"");
}

/* Java's DecimalFormat: at most three digits after the point. */
static void put_number(struct write *w, struct str number)
{
    char text[400];
    double value;
    uint64_t integer;
    bool negative = number.n > 0 && number.p[0] == '-';
    struct str digits = negative ? str_n(number.p + 1, number.n - 1) : number;
    if (!w->normalize || (digits.n > 0 && (digits.p[0] | 0x20) >= 'a')) {
        put(w, number);
        return;
    }
    if (digits.n > 2 && digits.n <= 18 && digits.p[0] == '0' && (digits.p[1] | 0x20) == 'x') {
        char hex[24];
        str_copy(hex, sizeof hex, digits);
        putf(w, "%s%llu", negative ? "-" : "", strtoull(hex, NULL, 16));
    } else if (str_to_u64(digits, &integer)) {
        putf(w, "%s%llu", negative ? "-" : "", (unsigned long long)integer);
    } else if (str_to_f64(number, &value) && value > -1e300 && value < 1e300) {
        int n = snprintf(text, sizeof text, "%.3f", value);
        while (text[n - 1] == '0')
            n--;
        n -= text[n - 1] == '.';
        put(w, str_n(text, (size_t)n));
    } else {
        put(w, number);
    }
}

static void put_items(struct write *w, const struct proto_option *value, bool named)
{
    PROTO_EACH(proto_option, item, &value->items)
    {
        w->indent++;
        if (named)
            putf(w, "%.*s: ", STR_ARG(item->name));
        put_value(w, item);
        put_cstr(w, item->next ? ",\n" : "\n");
        w->indent--;
    }
}

static int compare_options(const void *a, const void *b)
{
    const struct proto_option *const *x = a, *const *y = b;
    return text_compare((*x)->name, (*y)->name);
}

/* The items of a map by name, extensions' names in full, empty lists dropped. */
static const struct proto_option *sorted_map(struct write *w, const struct proto_option *map)
{
    struct proto_option *sorted = arena_dup(&w->arena, map, sizeof *map);
    ARRAY_OF(w, proto_option, items, &map->items);
    memset(&sorted->items, 0, sizeof sorted->items);
    for (uint32_t i = 0; i < items_count; i++) {
        struct proto_option *item = items[i] = arena_dup(&w->arena, items[i], sizeof *items[i]);
        item->next = NULL;
        if (item->name.n > 2 && item->name.p[0] == '[') {
            struct str inner = str_n(item->name.p + 1, item->name.n - 2);
            const struct proto_name *name = proto_name_resolve(w->names, w->scope, inner, true);
            if (name != NULL)
                item->name = str_of(arena_printf(&w->arena, "[%.*s]", STR_ARG(name->full)));
        }
    }
    qsort(items, items_count, sizeof(struct proto_option *), compare_options);
    for (uint32_t i = 0; i < items_count; i++)
        if (items[i]->kind != PROTO_VALUE_LIST || items[i]->items.count > 0)
            PROTO_ADD(&sorted->items, items[i]);
    return sorted;
}

/* As an item of a map or list. */
static void put_value(struct write *w, const struct proto_option *value)
{
    switch (value->kind) {
    case PROTO_VALUE_STRING: put_escaped(w, value->text); return;
    case PROTO_VALUE_BOOLEAN:
    case PROTO_VALUE_ENUM: put(w, value->text); return;
    case PROTO_VALUE_NUMBER: put_number(w, value->text); return;
    case PROTO_VALUE_PART:
    case PROTO_VALUE_MAP:
        put_cstr(w, "{\n");
        put_items(w, w->normalize ? sorted_map(w, value) : value, true);
        put_cstr(w, "}");
        return;
    case PROTO_VALUE_LIST: break;
    }
    if (w->normalize && value->items.count == 1) {
        put_value(w, value->items.first);
        return;
    }
    put_cstr(w, "[\n");
    put_items(w, value, false);
    put_cstr(w, "]");
}

/* name = value */
static void put_option(struct write *w, const struct proto_option *option)
{
    putf(w, option->is_extension ? "(%.*s)" : "%.*s", STR_ARG(option->name));
    if (option->kind == PROTO_VALUE_PART) {
        put_cstr(w, ".");
        put_option(w, option->items.first);
        return;
    }
    put_cstr(w, " = ");
    if (option->kind == PROTO_VALUE_LIST && option->items.count == 1) {
        put_cstr(w, "[");
        put_value(w, option->items.first);
        put_cstr(w, "]");
    } else if (option->kind == PROTO_VALUE_LIST) {
        put_cstr(w, "[\n");
        put_items(w, option, false);
        put_cstr(w, "]");
    } else {
        put_value(w, option);
    }
}

/* ---- merging options ----------------------------------------------------------------------------------------------------- */

static struct proto_option *merge(struct write *w, const struct proto_field *field,
                                  const struct proto_option *a, const struct proto_option *b);

static const struct proto_field *field_in(const struct proto_message *message, struct str name)
{
    if (message == NULL)
        return NULL;
    PROTO_EACH(proto_field, field, &message->fields)
    if (str_eq(field->name, name))
        return field;
    PROTO_EACH(proto_oneof, oneof, &message->oneofs)
    PROTO_EACH(proto_field, field, &oneof->fields)
    if (str_eq(field->name, name))
        return field;
    return NULL;
}

static bool options_equal(const struct proto_option *a, const struct proto_option *b)
{
    const struct proto_option *x = a->items.first, *y = b->items.first;
    if (a->kind != b->kind || !str_eq(a->text, b->text) || a->items.count != b->items.count)
        return false;
    for (; x != NULL; x = x->next, y = y->next)
        if (!str_eq(x->name, y->name) || !options_equal(x, y))
            return false;
    return true;
}

static void add_values(struct write *w, struct proto_option *list, const struct proto_option *value)
{
    const struct proto_option *first = value->kind == PROTO_VALUE_LIST ? value->items.first : value;
    for (const struct proto_option *item = first; item != NULL;
         item = value->kind == PROTO_VALUE_LIST ? item->next : NULL) {
        bool known = false;
        PROTO_EACH(proto_option, before, &list->items)
        known |= options_equal(before, item);
        if (known)
            continue;
        struct proto_option *copy = arena_dup(&w->arena, item, sizeof *item);
        copy->next = NULL;
        PROTO_ADD(&list->items, copy);
    }
}

/* Two values of one field: messages become one, of others the later counts, and all of a repeated field. */
static struct proto_option *merge_values(struct write *w, const struct proto_field *field,
                                         const struct proto_option *a, const struct proto_option *b)
{
    bool singular = field != NULL && field->label != PROTO_REPEATED && !field->is_map;
    if (singular && a->kind >= PROTO_VALUE_MAP && b->kind >= PROTO_VALUE_MAP && a->kind != PROTO_VALUE_LIST &&
        b->kind != PROTO_VALUE_LIST && field->type.message != NULL)
        return merge(w, field, a, b);
    struct proto_option *copy = arena_dup(&w->arena, b, sizeof *b);
    copy->next = NULL;
    copy->name = a->name;
    if (singular)
        return copy;
    copy->kind = PROTO_VALUE_LIST;
    memset(&copy->items, 0, sizeof copy->items);
    add_values(w, copy, a);
    add_values(w, copy, b);
    return copy;
}

static struct proto_option *merge(struct write *w, const struct proto_field *field,
                                  const struct proto_option *a, const struct proto_option *b)
{
    struct proto_option *map = arena_dup(&w->arena, a, sizeof *a);
    map->kind = PROTO_VALUE_MAP;
    map->next = NULL;
    memset(&map->items, 0, sizeof map->items);
    PROTO_EACH(proto_option, item, &a->items)
    {
        const struct proto_option *twin = NULL;
        PROTO_EACH(proto_option, other, &b->items)
        twin = str_eq(other->name, item->name) ? other : twin;
        struct proto_option *copy = arena_dup(&w->arena, item, sizeof *item);
        copy->next = NULL;
        if (twin != NULL)
            copy = merge_values(w, field_in(field->type.message, item->name), item, twin);
        PROTO_ADD(&map->items, copy);
    }
    PROTO_EACH(proto_option, item, &b->items)
    {
        bool known = false;
        PROTO_EACH(proto_option, other, &a->items)
        known |= str_eq(other->name, item->name);
        if (known)
            continue;
        struct proto_option *copy = arena_dup(&w->arena, item, sizeof *item);
        copy->next = NULL;
        PROTO_ADD(&map->items, copy);
    }
    return map;
}

static bool is_map(const struct proto_option *option)
{
    return option->kind == PROTO_VALUE_MAP || option->kind == PROTO_VALUE_PART;
}

/* Confluent's own stay. */
static uint32_t drop_extensions(struct proto_option **all, uint32_t count)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < count; i++)
        if (!all[i]->is_extension || str_starts(all[i]->name, STR("confluent.")))
            all[kept++] = all[i];
    return kept;
}

/* Options as they are to be written; *count of them. */
static const struct proto_option **arrange(struct write *w, const struct proto_options *options,
                                           uint32_t *count)
{
    ARRAY_OF(w, proto_option, all, options);
    if (w->plain)
        all_count = drop_extensions(all, all_count);
    *count = all_count;
    if (!w->normalize)
        return (const struct proto_option **)all;
    for (uint32_t i = 0; i < all_count; i++) {
        const struct proto_name *name = all[i]->is_extension
                                            ? proto_name_resolve(w->names, w->scope, all[i]->name, true)
                                            : NULL;
        if (name == NULL)
            continue;
        all[i] = arena_dup(&w->arena, all[i], sizeof *all[i]);
        all[i]->name = name->full;
        if (all[i]->kind == PROTO_VALUE_PART)
            all[i]->kind = PROTO_VALUE_MAP;
    }
    /* by insertion, which keeps the order of equals: PROTO_OPTIONS_MAX */
    for (uint32_t i = 1; i < all_count; i++)
        for (uint32_t k = i; k > 0 && text_compare(all[k - 1]->name, all[k]->name) > 0; k--) {
            struct proto_option *swap = all[k];
            all[k] = all[k - 1];
            all[k - 1] = swap;
        }
    uint32_t kept = 0;
    for (uint32_t i = 0; i < all_count; i++) {
        const struct proto_name *name = all[i]->is_extension ? proto_name_find(w->names, all[i]->name) : NULL;
        const struct proto_field *field = name ? name->extension : NULL;
        bool same = kept > 0 && field != NULL && field->label != PROTO_REPEATED &&
                    str_eq(all[kept - 1]->name, all[i]->name);
        if (same && is_map(all[kept - 1]) && is_map(all[i]))
            all[kept - 1] = merge(w, field, all[kept - 1], all[i]);
        else if (same)
            all[kept - 1] = all[i];
        else
            all[kept++] = all[i];
    }
    *count = kept;
    return (const struct proto_option **)all;
}

/* option a = 1; each on a line, so many levels deeper. True: there were some. */
static bool put_statements(struct write *w, const struct proto_options *options, const char *before,
                           uint32_t deeper)
{
    uint32_t count;
    const struct proto_option **all = arrange(w, options, &count);
    if (count > 0)
        put_cstr(w, before);
    w->indent += deeper;
    for (uint32_t i = 0; i < count; i++) {
        put_cstr(w, "option ");
        put_option(w, all[i]);
        put_cstr(w, ";\n");
    }
    w->indent -= deeper;
    return count > 0;
}

/*  [a = 1] behind a field. */
static void put_brackets(struct write *w, const struct proto_options *options)
{
    uint32_t count;
    const struct proto_option **all = arrange(w, options, &count);
    if (count == 0)
        return;
    put_cstr(w, count == 1 ? " [" : " [\n");
    for (uint32_t i = 0; i < count; i++) {
        w->indent += count > 1;
        put_option(w, all[i]);
        if (count > 1)
            put_cstr(w, i + 1 < count ? ",\n" : "\n");
        w->indent -= count > 1;
    }
    put_cstr(w, "]");
}

/* ---- fields ------------------------------------------------------------------------------------------------------------- */

static const char *label_name(enum proto_label label)
{
    static const char *const names[] = {"", "optional ", "required ", "repeated "};
    return names[label];
}

static void put_type(struct write *w, const struct proto_field *field)
{
    if (w->normalize && field->is_map) {
        struct str value = full_name(w, &field->value);
        putf(w, "map<%.*s, %.*s>", STR_ARG(field->key.text), STR_ARG(value));
        return;
    }
    putf(w, "%s", label_name(field->label));
    put(w, full_name(w, &field->type));
}

/* The field's options, and the default and the JSON name behind them. */
static struct proto_options all_options(struct write *w, const struct proto_field *field)
{
    struct proto_options all = {0};
    PROTO_EACH(proto_option, option, &field->options)
    {
        struct proto_option *copy = arena_dup(&w->arena, option, sizeof *option);
        copy->next = NULL;
        PROTO_ADD(&all, copy);
    }
    if (field->default_text.p != NULL) {
        struct proto_option *option = arena_new(&w->arena, struct proto_option);
        enum proto_kind kind = field->type.kind;
        *option = (struct proto_option){
            .name = STR("default"), .text = field->default_text, .kind = PROTO_VALUE_NUMBER};
        if (kind == PROTO_STRING || field->default_quoted)
            option->kind = PROTO_VALUE_STRING;
        else if (kind == PROTO_BOOL || kind == PROTO_ENUM)
            option->kind = PROTO_VALUE_ENUM;
        PROTO_ADD(&all, option);
    }
    if (field->json_name.p != NULL) {
        struct proto_option *option = arena_new(&w->arena, struct proto_option);
        *option = (struct proto_option){.name = STR("json_name"), .text = field->json_name};
        PROTO_ADD(&all, option);
    }
    return all;
}

static int compare_fields(const void *a, const void *b)
{
    const struct proto_field *const *x = a, *const *y = b;
    return ((*x)->tag > (*y)->tag) - ((*x)->tag < (*y)->tag);
}

static void put_fields(struct write *w, const struct proto_fields *fields)
{
    ARRAY_OF(w, proto_field, all, fields);
    if (w->normalize)
        qsort(all, all_count, sizeof(struct proto_field *), compare_fields);
    w->indent++;
    for (uint32_t i = 0; i < all_count; i++) {
        struct proto_options options = all_options(w, all[i]);
        put_type(w, all[i]);
        putf(w, " %.*s = %d", STR_ARG(all[i]->name), (int)all[i]->tag);
        put_brackets(w, &options);
        put_cstr(w, ";\n");
    }
    w->indent--;
}

/* ---- ranges ------------------------------------------------------------------------------------------------------------- */

static void put_range(struct write *w, const struct proto_range *range)
{
    if (range->name.p != NULL) {
        put_escaped(w, range->name);
        return;
    }
    putf(w, "%lld", (long long)range->start);
    if (!range->is_range || (w->normalize && range->start == range->end))
        return;
    if (range->end < PROTO_TAG_MAX)
        putf(w, " to %lld", (long long)range->end);
    else
        put_cstr(w, " to max");
}

struct single {
    const struct proto_range *range;
    const struct proto_ranges *of;
    uint32_t order;
};

static int compare_singles(const void *a, const void *b)
{
    const struct single *x = a, *y = b;
    int64_t p = x->range->name.p ? INT32_MAX : x->range->start,
            q = y->range->name.p ? INT32_MAX : y->range->start;
    if (p != q)
        return p > q ? 1 : -1;
    if (x->range->name.p != NULL && y->range->name.p != NULL) {
        int order = text_compare(x->range->name, y->range->name);
        if (order != 0)
            return order;
    }
    return (x->order > y->order) - (x->order < y->order);
}

/* Each range a statement of its own. */
static void put_singles(struct write *w, const struct proto_ranges *first, const char *word)
{
    uint32_t count = 0;
    for (const struct proto_ranges *ranges = first; ranges != NULL; ranges = ranges->next)
        count += ranges->items.count;
    struct single *all = arena_array(&w->arena, struct single, count);
    count = 0;
    for (const struct proto_ranges *ranges = first; ranges != NULL; ranges = ranges->next)
        PROTO_EACH(proto_range, range, &ranges->items)
        {
            all[count] = (struct single){range, ranges, count};
            count++;
        }
    qsort(all, count, sizeof *all, compare_singles);
    for (uint32_t i = 0; i < count; i++) {
        put_cstr(w, word);
        put_range(w, all[i].range);
        put_brackets(w, &all[i].of->options);
        put_cstr(w, ";\n");
    }
}

static void put_ranges(struct write *w, const struct proto_ranges *first, const char *word)
{
    if (first == NULL)
        return;
    put_cstr(w, "\n");
    w->indent++;
    if (w->normalize)
        put_singles(w, first, word);
    for (const struct proto_ranges *ranges = first; !w->normalize && ranges != NULL; ranges = ranges->next) {
        put_cstr(w, word);
        PROTO_EACH(proto_range, range, &ranges->items)
        {
            put_range(w, range);
            put_cstr(w, range->next ? ", " : "");
        }
        put_brackets(w, &ranges->options);
        put_cstr(w, ";\n");
    }
    w->indent--;
}

/* ---- messages ------------------------------------------------------------------------------------------------------------ */

static void put_message(struct write *w, const struct proto_message *message);

static int compare_groups(const void *a, const void *b)
{
    const struct proto_message *const *x = a, *const *y = b;
    return ((*x)->tag > (*y)->tag) - ((*x)->tag < (*y)->tag);
}

/* Members of a message that come behind its name, but for those of a group's field. */
static void put_body(struct write *w, const struct proto_message *message);

static void put_groups(struct write *w, const struct proto_messages *groups)
{
    ARRAY_OF(w, proto_message, all, groups);
    if (all_count == 0)
        return;
    put_cstr(w, "\n");
    if (w->normalize)
        qsort(all, all_count, sizeof(struct proto_message *), compare_groups);
    w->indent++;
    for (uint32_t i = 0; i < all_count; i++) {
        putf(w, "%sgroup %.*s = %d", label_name(all[i]->label), STR_ARG(all[i]->name), (int)all[i]->tag);
        put_body(w, all[i]);
    }
    w->indent--;
}

static int compare_oneofs(const void *a, const void *b)
{
    const struct proto_oneof *const *x = a, *const *y = b;
    return compare_fields(&(*x)->fields.first, &(*y)->fields.first);
}

/* Sorted by the smallest number, and without empty ones. */
static uint32_t sort_oneofs(struct write *w, struct proto_oneof **all, uint32_t count)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (all[i]->fields.count == 0)
            continue;
        struct proto_oneof *copy = arena_dup(&w->arena, all[i], sizeof *all[i]);
        ARRAY_OF(w, proto_field, fields, &all[i]->fields);
        qsort(fields, fields_count, sizeof(struct proto_field *), compare_fields);
        memset(&copy->fields, 0, sizeof copy->fields);
        for (uint32_t k = 0; k < fields_count; k++) {
            struct proto_field *field = arena_dup(&w->arena, fields[k], sizeof *fields[k]);
            field->next = NULL;
            PROTO_ADD(&copy->fields, field);
        }
        all[kept++] = copy;
    }
    qsort(all, kept, sizeof(struct proto_oneof *), compare_oneofs);
    return kept;
}

static void put_oneofs(struct write *w, const struct proto_message *message)
{
    ARRAY_OF(w, proto_oneof, all, &message->oneofs);
    if (all_count == 0)
        return;
    put_cstr(w, "\n");
    if (w->normalize)
        all_count = sort_oneofs(w, all, all_count);
    w->indent++;
    for (uint32_t i = 0; i < all_count; i++) {
        putf(w, "oneof %.*s {", STR_ARG(all[i]->name));
        put_statements(w, &all[i]->options, "\n", 1);
        if (all[i]->fields.count > 0)
            put_cstr(w, "\n");
        put_fields(w, &all[i]->fields);
        put_groups(w, &all[i]->groups);
        put_cstr(w, "}\n");
    }
    w->indent--;
}

static void put_extend(struct write *w, struct str name, const struct proto_extend *extend)
{
    putf(w, "extend %.*s {", STR_ARG(name));
    if (extend->fields.count > 0)
        put_cstr(w, "\n");
    put_fields(w, &extend->fields);
    put_groups(w, &extend->groups);
    put_cstr(w, "}\n");
}

/* Normalised, those of one message become one, at the first one's place. */
static void put_extends(struct write *w, const struct proto_extend *first)
{
    for (const struct proto_extend *extend = first; extend != NULL; extend = extend->next) {
        struct proto_extend all = *extend;
        struct str name = full_name(w, &extend->type);
        bool done = false;
        if (!w->normalize) {
            put_extend(w, name, extend);
            continue;
        }
        for (const struct proto_extend *before = first; before != extend; before = before->next)
            done |= str_eq(full_name(w, &before->type), name);
        if (done)
            continue;
        memset(&all.fields, 0, sizeof all.fields);
        for (const struct proto_extend *each = extend; each != NULL; each = each->next)
            if (str_eq(full_name(w, &each->type), name))
                PROTO_EACH(proto_field, field, &each->fields)
                {
                    struct proto_field *copy = arena_dup(&w->arena, field, sizeof *field);
                    copy->next = NULL;
                    PROTO_ADD(&all.fields, copy);
                }
        put_extend(w, name, &all);
    }
}

static void put_enum(struct write *w, const struct proto_enum *e);

/* Messages, then enums; not, normalised, what stands for a map. */
static void put_types(struct write *w, const struct proto_message *messages, const struct proto_enum *enums,
                      uint32_t deeper)
{
    bool any = enums != NULL;
    for (const struct proto_message *m = messages; m != NULL; m = m->next)
        any |= !(w->normalize && m->is_map_entry);
    if (any)
        put_cstr(w, "\n");
    w->indent += deeper;
    for (const struct proto_message *m = messages; m != NULL; m = m->next)
        if (!(w->normalize && m->is_map_entry))
            put_message(w, m);
    for (const struct proto_enum *e = enums; e != NULL; e = e->next)
        put_enum(w, e);
    w->indent -= deeper;
}

static int compare_constants(const void *a, const void *b)
{
    const struct proto_constant *const *x = a, *const *y = b;
    return (*x)->tag != (*y)->tag ? ((*x)->tag > (*y)->tag) - ((*x)->tag < (*y)->tag)
                                  : text_compare((*x)->name, (*y)->name);
}

static void put_enum(struct write *w, const struct proto_enum *e)
{
    struct str scope = w->scope;
    w->scope = e->full;
    ARRAY_OF(w, proto_constant, all, &e->constants);
    putf(w, "enum %.*s {", STR_ARG(e->name));
    put_ranges(w, e->reserved.first, "reserved ");
    if (e->reserved.count == 0 && (e->options.count > 0 || e->constants.count > 0))
        put_cstr(w, "\n");
    put_statements(w, &e->options, "", 1);
    if (w->normalize)
        qsort(all, all_count, sizeof(struct proto_constant *), compare_constants);
    w->indent++;
    for (uint32_t i = 0; i < all_count; i++) {
        putf(w, "%.*s = %d", STR_ARG(all[i]->name), (int)all[i]->tag);
        put_brackets(w, &all[i]->options);
        put_cstr(w, ";\n");
    }
    w->indent--;
    put_cstr(w, "}\n");
    w->scope = scope;
}

static void put_body(struct write *w, const struct proto_message *message)
{
    struct str scope = w->scope;
    w->scope = message->full;
    put_cstr(w, " {");
    put_ranges(w, message->reserved.first, "reserved ");
    put_statements(w, &message->options, "\n", 1);
    if (message->fields.count > 0)
        put_cstr(w, "\n");
    put_fields(w, &message->fields);
    put_oneofs(w, message);
    put_groups(w, &message->groups);
    if (!w->plain)
        put_ranges(w, message->extensions.first, "extensions ");
    if (message->extends.count > 0 && !w->plain) {
        put_cstr(w, "\n");
        w->indent++;
        put_extends(w, message->extends.first);
        w->indent--;
    }
    put_types(w, message->messages.first, message->enums.first, 1);
    put_cstr(w, "}\n");
    w->scope = scope;
}

static void put_message(struct write *w, const struct proto_message *message)
{
    putf(w, "message %.*s", STR_ARG(message->name));
    put_body(w, message);
}

/* ---- services and the file ----------------------------------------------------------------------------------------------- */

static void put_rpc(struct write *w, const struct proto_rpc *rpc)
{
    struct str request = full_name(w, &rpc->request), response = full_name(w, &rpc->response);
    putf(w, "rpc %.*s (%s%.*s) returns (%s%.*s)", STR_ARG(rpc->name), rpc->request_stream ? "stream " : "",
         STR_ARG(request), rpc->response_stream ? "stream " : "", STR_ARG(response));
    if (put_statements(w, &rpc->options, " {\n", 1))
        put_cstr(w, "}");
    put_cstr(w, ";\n");
}

static void put_service(struct write *w, const struct proto_service *service)
{
    putf(w, "service %.*s {", STR_ARG(service->name));
    put_statements(w, &service->options, "\n", 1);
    if (service->rpcs.count > 0)
        put_cstr(w, "\n");
    w->indent++;
    PROTO_EACH(proto_rpc, rpc, &service->rpcs)
    put_rpc(w, rpc);
    w->indent--;
    put_cstr(w, "}\n");
}

static int compare_imports(const void *a, const void *b)
{
    const struct proto_import *const *x = a, *const *y = b;
    return text_compare((*x)->name, (*y)->name);
}

/* Those that are public, or those that are not. */
static void put_imports(struct write *w, const struct proto_file *file, bool is_public)
{
    ARRAY_OF(w, proto_import, all, &file->imports);
    if (w->normalize)
        qsort(all, all_count, sizeof(struct proto_import *), compare_imports);
    for (uint32_t i = 0; i < all_count; i++) {
        if (all[i]->is_public != is_public)
            continue;
        bool again = false;
        for (uint32_t k = i; w->normalize && !again && k-- > 0 && str_eq(all[k]->name, all[i]->name);)
            again |= all[k]->is_public == is_public;
        if (again)
            continue;
        putf(w, "import %s", is_public ? "public " : all[i]->is_weak ? "weak " : "");
        put_escaped(w, all[i]->name);
        put_cstr(w, ";\n");
    }
}

void proto_write(const struct proto_schema *schema, enum write_how how, struct sbuf *out)
{
    bool normalize = how == WRITE_NORMAL;
    const struct proto_file *file = schema->file;
    struct write w = {.out = out,
                      .names = schema->names,
                      .normalize = normalize,
                      .plain = how == WRITE_OTHER,
                      .scope = file->package};
    if (file->syntax.p != NULL && (!normalize || file->is_edition || str_is(file->syntax, "proto3")))
        putf(&w, "%s = \"%.*s\";\n", file->is_edition ? "edition" : "syntax", STR_ARG(file->syntax));
    if (file->package.p != NULL)
        putf(&w, "package %.*s;\n", STR_ARG(file->package));
    if (file->imports.count > 0)
        put_cstr(&w, "\n");
    put_imports(&w, file, false);
    put_imports(&w, file, true);
    if (file->options.count > 0)
        put_cstr(&w, "\n");
    put_statements(&w, &file->options, "", 0);
    put_types(&w, file->messages.first, file->enums.first, 0);
    if (file->extends.count > 0 && !w.plain)
        put_cstr(&w, "\n");
    if (!w.plain)
        put_extends(&w, file->extends.first);
    if (file->services.count > 0)
        put_cstr(&w, "\n");
    PROTO_EACH(proto_service, service, &file->services)
    put_service(&w, service);
    arena_fini(&w.arena);
}

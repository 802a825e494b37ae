/* Avro types to text: as Java's Schema.toString writes them, which is what a registry keeps; normalised as Confluent does it; and
 * the Parsing Canonical Form of the specification.
 *
 * Normalising changes no more than this: properties and aliases are sorted, what a logical type needs comes first, a default of
 * floating point is written as such, an empty documentation of a type is dropped, "error" becomes "record". */
#include <stdlib.h>

#include "base/map.h"
#include "schema/schema_private.h"
#include "schema/text.h"

struct write {
    struct sbuf *out;
    struct map known; /* full names that were written: the next time only the name */
    bool normalize;
    struct avro_retag *retag; /* NULL: tags are written as they are */
};

/* True the first time. */
static bool is_new(struct write *w, const struct avro_type *type)
{
    return map_put(&w->known, type->full, w) == NULL;
}

static void begin_member(struct write *w, const char *name)
{
    sbuf_printf(w->out, "%s\"%s\":", w->out->p[w->out->n - 1] == '{' ? "" : ",", name);
}

static void put_member(struct write *w, const char *name, struct str value)
{
    begin_member(w, name);
    text_string(w->out, value);
}

/* A name inside of `space` goes without it, unless it then looked like a type of the language. */
static struct str short_name(struct str full, struct str type_space, struct str name, struct str space)
{
    if (type_space.n == 0 || !str_eq(type_space, space))
        return full;
    for (int i = 0; i <= AVRO_UNION; i++)
        if (str_is(name, avro_kind_name((enum avro_kind)i)))
            return full;
    return name;
}

/* ---- properties -------------------------------------------------------------------------------------------------------- */

static int compare_props(const void *a, const void *b)
{
    const struct json_node *const *x = a, *const *y = b;
    return text_compare((*x)->name, (*y)->name);
}

static void put_prop(struct write *w, const struct json_node *node)
{
    sbuf_char(w->out, ',');
    text_string(w->out, node->name);
    sbuf_char(w->out, ':');
    text_node(w->out, node, w->normalize ? TEXT_SORTED : 0);
}

/* Those that normalising puts first. */
static bool is_logical(const struct avro_type *type, const struct json_node *prop)
{
    if (type == NULL || type->logical == AVRO_PLAIN)
        return false;
    return str_is(prop->name, "logicalType") ||
           (type->logical == AVRO_DECIMAL &&
            (str_is(prop->name, "precision") || (type->scale != 0 && str_is(prop->name, "scale"))));
}

static void put_sorted_props(struct write *w, const struct avro_type *type, const struct avro_props *props)
{
    struct arena arena = {0};
    const struct json_node **sorted = arena_dup(&arena, props->items,
                                                mem_product(props->count, sizeof(struct json_node *)));
    qsort(sorted, props->count, sizeof(struct json_node *), compare_props);
    for (uint32_t first = 2; first-- > 0;) /* logicalType, precision, scale are in that order by name too */
        for (uint32_t i = 0; i < props->count; i++)
            if (is_logical(type, sorted[i]) == (first == 1))
                put_prop(w, sorted[i]);
    arena_fini(&arena);
}

static void put_props(struct write *w, const struct avro_type *type, const struct avro_props *props)
{
    if (w->normalize && props->count > 0) {
        put_sorted_props(w, type, props);
        return;
    }
    for (uint32_t i = 0; i < props->count; i++)
        put_prop(w, props->items[i]);
}

/* Of a record, or (field not NULL) of its field. */
static void put_tagged_props(struct write *w, const struct avro_type *record, const struct avro_field *field)
{
    const struct avro_props *props = field ? &field->props : &record->props;
    struct str tags = w->retag && record->kind == AVRO_RECORD ? avro_retag_of(w->retag, record, field)
                                                              : (struct str){0};
    if (tags.p == NULL) {
        put_props(w, field ? NULL : record, props);
        return;
    }
    bool is_new_prop = tags.n > 0;
    for (uint32_t i = 0; i < props->count; i++)
        if (!str_is(props->items[i]->name, AVRO_TAGS)) {
            put_prop(w, props->items[i]);
        } else if (tags.n > 0) {
            sbuf_printf(w->out, ",\"%s\":%.*s", AVRO_TAGS, STR_ARG(tags));
            is_new_prop = false;
        }
    if (is_new_prop)
        sbuf_printf(w->out, ",\"%s\":%.*s", AVRO_TAGS, STR_ARG(tags));
}

static void put_aliases(struct write *w, const struct avro_names *aliases, const struct avro_type *type)
{
    if (aliases->count == 0)
        return;
    begin_member(w, "aliases");
    for (uint32_t i = 0; i < aliases->count; i++) {
        struct str full = aliases->items[w->normalize ? aliases->sorted[i] : i], space, name = full;
        sbuf_char(w->out, i == 0 ? '[' : ',');
        if (type != NULL) {
            schema_split_name(full, str_n(NULL, 0), &space, &name);
            full = short_name(full, space, name, type->space);
        }
        text_string(w->out, full);
    }
    sbuf_char(w->out, ']');
}

/* ---- defaults ---------------------------------------------------------------------------------------------------------- */

/* What a value of the type is; NULL: nothing is known of it. A union's first branch but null, as Java takes it. */
static const struct avro_type *value_type(const struct avro_type *type)
{
    if (type == NULL || type->kind != AVRO_UNION)
        return type;
    for (uint32_t i = 0; i < type->names.count; i++)
        if (type->types[i]->kind != AVRO_NULL)
            return type->types[i];
    return NULL;
}

static const struct avro_type *member_type(const struct avro_type *type, struct str name)
{
    if (type == NULL || type->kind != AVRO_RECORD)
        return type != NULL && type->kind == AVRO_MAP ? type->items : NULL;
    int32_t field = avro_names_find(&type->names, name);
    return field < 0 ? NULL : type->fields[field].type;
}

/* A number of a float or double, with its point; all else as it stands. Depth: the value's. */
static const struct json_node *typed_value(struct arena *arena, const struct json_node *node,
                                           const struct avro_type *type)
{
    type = value_type(type);
    if (type == NULL || node->kind == JSON_STRING)
        return node;
    struct json_node *copy = arena_dup(arena, node, sizeof *node);
    double value;
    if (node->kind == JSON_NUMBER && (type->kind == AVRO_FLOAT || type->kind == AVRO_DOUBLE) &&
        str_to_f64(node->text, &value)) {
        struct sbuf text = {0};
        if (type->kind == AVRO_FLOAT)
            text_float(&text, (float)value);
        else
            text_double(&text, value);
        copy->text = text_take(arena, &text);
        sbuf_fini(&text);
    }
    const struct json_node **link = &copy->first;
    JSON_EACH(child, node)
    {
        const struct avro_type *of = node->kind == JSON_OBJECT  ? member_type(type, child->name)
                                     : type->kind == AVRO_ARRAY ? type->items
                                                                : NULL;
        struct json_node *value_copy = arena_dup(arena, typed_value(arena, child, of), sizeof *child);
        *link = value_copy;
        link = &value_copy->next;
    }
    return copy;
}

static void put_default(struct write *w, const struct avro_field *field)
{
    struct arena arena = {0};
    if (field->default_value == NULL)
        return;
    begin_member(w, "default");
    text_node(w->out,
              w->normalize ? typed_value(&arena, field->default_value, field->type) : field->default_value,
              w->normalize ? TEXT_SORTED : 0);
    arena_fini(&arena);
}

/* ---- types ------------------------------------------------------------------------------------------------------------- */

static void put_type(struct write *w, const struct avro_type *type, struct str space);

static void put_field(struct write *w, const struct avro_field *field, const struct avro_type *record)
{
    sbuf_char(w->out, '{');
    put_member(w, "name", field->name);
    begin_member(w, "type");
    put_type(w, field->type, record->space);
    if (field->doc.p != NULL)
        put_member(w, "doc", field->doc);
    put_default(w, field);
    if (field->order != AVRO_ASCENDING)
        put_member(w, "order", field->order == AVRO_IGNORE ? STR("ignore") : STR("descending"));
    put_aliases(w, &field->aliases, NULL);
    put_tagged_props(w, record, field);
    sbuf_char(w->out, '}');
}

static void put_body(struct write *w, const struct avro_type *type)
{
    if (type->kind == AVRO_FIXED) {
        begin_member(w, "size");
        sbuf_printf(w->out, "%u", type->size);
        return;
    }
    begin_member(w, type->kind == AVRO_ENUM ? "symbols" : "fields");
    sbuf_char(w->out, '[');
    for (uint32_t i = 0; i < type->names.count; i++) {
        if (i > 0)
            sbuf_char(w->out, ',');
        if (type->kind == AVRO_ENUM)
            text_string(w->out, type->names.items[i]);
        else
            put_field(w, &type->fields[i], type);
    }
    sbuf_char(w->out, ']');
    if (type->kind == AVRO_ENUM && type->default_symbol.p != NULL)
        put_member(w, "default", type->default_symbol);
}

static void put_named(struct write *w, const struct avro_type *type, struct str space)
{
    if (!is_new(w, type)) {
        text_string(w->out, short_name(type->full, type->space, type->name, space));
        return;
    }
    sbuf_char(w->out, '{');
    put_member(w, "type",
               type->is_error && !w->normalize ? STR("error") : str_of(avro_kind_name(type->kind)));
    put_member(w, "name", type->name);
    if (!str_eq(type->space, space))
        put_member(w, "namespace", type->space);
    if (type->doc.p != NULL && (type->doc.n > 0 || !w->normalize))
        put_member(w, "doc", type->doc);
    put_body(w, type);
    put_tagged_props(w, type, NULL);
    put_aliases(w, &type->aliases, type);
    sbuf_char(w->out, '}');
}

static void put_union(struct write *w, const struct avro_type *type, struct str space)
{
    sbuf_char(w->out, '[');
    for (uint32_t i = 0; i < type->names.count; i++) {
        if (i > 0)
            sbuf_char(w->out, ',');
        put_type(w, type->types[i], space);
    }
    sbuf_char(w->out, ']');
}

/* Depth: avro_parse.c bounds it. */
static void put_type(struct write *w, const struct avro_type *type, struct str space)
{
    if (type->full.n > 0) {
        put_named(w, type, space);
        return;
    }
    if (type->kind == AVRO_UNION) {
        put_union(w, type, space);
        return;
    }
    if (type->items == NULL && type->props.count == 0) {
        text_string(w->out, str_of(avro_kind_name(type->kind)));
        return;
    }
    sbuf_char(w->out, '{');
    put_member(w, "type", str_of(avro_kind_name(type->kind)));
    if (type->items != NULL) {
        begin_member(w, type->kind == AVRO_ARRAY ? "items" : "values");
        put_type(w, type->items, space);
    }
    put_props(w, type, &type->props);
    sbuf_char(w->out, '}');
}

static void write_schema(const struct avro_schema *schema, struct write w, bool resolved)
{
    for (uint32_t i = 0; i < schema->known_count && !resolved; i++)
        if (schema->known[i]->full.n > 0)
            (void)is_new(&w, schema->known[i]);
    put_type(&w, schema->root, str_n(NULL, 0));
    map_fini(&w.known);
}

void avro_write(const struct avro_schema *schema, enum write_how how, struct sbuf *out)
{
    write_schema(schema, (struct write){.out = out, .normalize = how == WRITE_NORMAL}, how == WRITE_OTHER);
}

void avro_write_retagged(const struct avro_schema *schema, struct avro_retag *retag, struct sbuf *out)
{
    write_schema(schema, (struct write){.out = out, .retag = retag}, false);
}

/* ---- the Parsing Canonical Form ----------------------------------------------------------------------------------------- */

static void form(struct write *w, const struct avro_type *type);

static void form_named(struct write *w, const struct avro_type *type)
{
    if (!is_new(w, type)) {
        text_string(w->out, type->full);
        return;
    }
    sbuf_char(w->out, '{');
    put_member(w, "name", type->full);
    put_member(w, "type", str_of(avro_kind_name(type->kind)));
    begin_member(w, type->kind == AVRO_FIXED ? "size" : type->kind == AVRO_ENUM ? "symbols" : "fields");
    if (type->kind == AVRO_FIXED)
        sbuf_printf(w->out, "%u", type->size);
    else
        sbuf_char(w->out, '[');
    for (uint32_t i = 0; i < type->names.count; i++) {
        if (i > 0)
            sbuf_char(w->out, ',');
        if (type->kind == AVRO_RECORD) {
            sbuf_char(w->out, '{');
            put_member(w, "name", type->names.items[i]);
            begin_member(w, "type");
            form(w, type->fields[i].type);
            sbuf_char(w->out, '}');
        } else {
            text_string(w->out, type->names.items[i]);
        }
    }
    sbuf_cstr(w->out, type->kind == AVRO_FIXED ? "}" : "]}");
}

static void form(struct write *w, const struct avro_type *type)
{
    if (type->full.n > 0) {
        form_named(w, type);
    } else if (type->kind == AVRO_UNION) {
        sbuf_char(w->out, '[');
        for (uint32_t i = 0; i < type->names.count; i++) {
            if (i > 0)
                sbuf_char(w->out, ',');
            form(w, type->types[i]);
        }
        sbuf_char(w->out, ']');
    } else if (type->items != NULL) {
        sbuf_char(w->out, '{');
        put_member(w, "type", str_of(avro_kind_name(type->kind)));
        begin_member(w, type->kind == AVRO_ARRAY ? "items" : "values");
        form(w, type->items);
        sbuf_char(w->out, '}');
    } else {
        text_string(w->out, str_of(avro_kind_name(type->kind)));
    }
}

void avro_parsing_form(const struct avro_schema *schema, struct sbuf *out)
{
    struct write w = {.out = out};
    form(&w, schema->root);
    map_fini(&w.known);
}

uint64_t avro_fingerprint(const struct avro_schema *schema)
{
    struct sbuf text = {0};
    avro_parsing_form(schema, &text);
    uint64_t crc = schema_crc64(sbuf_view(&text));
    sbuf_fini(&text);
    return crc;
}

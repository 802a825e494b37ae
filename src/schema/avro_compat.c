/* Whether a reader's types can read what a writer's wrote: the rules, the order and the words of Java's SchemaCompatibility and of
 * Confluent's messages about it.
 *
 * Types may be recursive, so a pair that is being compared counts as compatible where it comes again. A pair that was compared
 * keeps its differences: where it is met again they are told again, with the paths of the first time. */
#include <stdlib.h>

#include "base/map.h"
#include "schema/schema_private.h"
#include "schema/text.h"

enum { PATH_MAX_PARTS = 4 * SCHEMA_DEPTH_MAX };

enum fault {
    NAME_MISMATCH,
    FIXED_SIZE_MISMATCH,
    MISSING_ENUM_SYMBOLS,
    READER_FIELD_MISSING_DEFAULT_VALUE,
    TYPE_MISMATCH,
    MISSING_UNION_BRANCH,
};

struct difference {
    enum fault fault;
    struct str path, detail;
};

/* Of one pair of types. */
struct verdict {
    bool open; /* being compared */
    const struct difference **items;
    uint32_t count;
};

struct compare {
    struct arena arena;
    struct map pairs; /* ids of reader and writer → struct verdict */
    struct str path[PATH_MAX_PARTS];
    uint32_t path_count, path_start; /* start: a branch of a union is compared with a path of its own */
    uint32_t depth, pair_count;
    bool too_much;
};

static const struct verdict *compare(struct compare *c, const struct avro_type *reader,
                                     const struct avro_type *writer);

/* ---- paths and differences ---------------------------------------------------------------------------------------------- */

static void push(struct compare *c, struct str part)
{
    if (c->path_count < PATH_MAX_PARTS)
        c->path[c->path_count] = part;
    c->path_count++;
}

static void push_index(struct compare *c, uint32_t index)
{
    push(c, str_of(arena_printf(&c->arena, "%u", index)));
}

static struct str path_of(struct compare *c)
{
    struct sbuf text = {0};
    for (uint32_t i = c->path_start; i < c->path_count && i < PATH_MAX_PARTS; i++) {
        sbuf_char(&text, '/');
        sbuf_str(&text, c->path[i]);
    }
    if (text.n == 0)
        sbuf_char(&text, '/');
    struct str path = text_take(&c->arena, &text);
    sbuf_fini(&text);
    return path;
}

static void merge(struct compare *c, struct verdict *into, const struct verdict *from)
{
    uint32_t count = from->count;
    if (count == 0 || from == into)
        return;
    if (into->count + count > SCHEMA_DIFFERENCES_MAX)
        count = SCHEMA_DIFFERENCES_MAX - into->count;
    const struct difference **items = arena_array(&c->arena, const struct difference *, into->count + count);
    for (uint32_t i = 0; i < into->count + count; i++)
        items[i] = i < into->count ? into->items[i] : from->items[i - into->count];
    into->items = items;
    into->count += count;
}

static void add(struct compare *c, struct verdict *v, enum fault fault, struct str detail)
{
    struct difference *d = arena_new(&c->arena, struct difference);
    const struct difference *one[] = {d};
    *d = (struct difference){.fault = fault, .path = path_of(c), .detail = detail};
    merge(c, v, &(struct verdict){.items = one, .count = 1});
}

static const char *upper_kind(struct compare *c, const struct avro_type *type)
{
    char *name = arena_strdup(&c->arena, avro_kind_name(type->kind));
    for (char *p = name; *p; p++)
        *p = (char)(*p - 'a' + 'A');
    return name;
}

static void mismatch(struct compare *c, struct verdict *v, const struct avro_type *reader,
                     const struct avro_type *writer)
{
    add(c, v, TYPE_MISMATCH,
        str_of(arena_printf(&c->arena, "reader type: %s not compatible with writer type: %s",
                            upper_kind(c, reader), upper_kind(c, writer))));
}

static void lacks_branch(struct compare *c, struct verdict *v, const struct avro_type *writer)
{
    add(c, v, MISSING_UNION_BRANCH,
        str_of(arena_printf(&c->arena, "reader union lacking writer type: %s", upper_kind(c, writer))));
}

/* ---- pairs of one kind -------------------------------------------------------------------------------------------------- */

static void compare_names(struct compare *c, struct verdict *v, const struct avro_type *reader,
                          const struct avro_type *writer)
{
    if (str_eq(reader->name, writer->name) || avro_names_find(&reader->aliases, writer->full) >= 0)
        return;
    push(c, STR("name"));
    add(c, v, NAME_MISMATCH, str_of(arena_printf(&c->arena, "expected: %.*s", STR_ARG(writer->full))));
    c->path_count--;
}

static void compare_sizes(struct compare *c, struct verdict *v, const struct avro_type *reader,
                          const struct avro_type *writer)
{
    if (reader->size == writer->size)
        return;
    push(c, STR("size"));
    add(c, v, FIXED_SIZE_MISMATCH,
        str_of(arena_printf(&c->arena, "expected: %u, found: %u", writer->size, reader->size)));
    c->path_count--;
}

static void compare_symbols(struct compare *c, struct verdict *v, const struct avro_type *reader,
                            const struct avro_type *writer)
{
    struct sbuf missing = {0};
    for (uint32_t i = 0; i < writer->names.count; i++) {
        struct str symbol = writer->names.items[writer->names.sorted[i]];
        if (avro_names_find(&reader->names, symbol) >= 0)
            continue;
        sbuf_cstr(&missing, missing.n == 0 ? "[" : ", ");
        sbuf_str(&missing, symbol);
    }
    if (missing.n > 0 && reader->default_symbol.p == NULL) {
        sbuf_char(&missing, ']');
        push(c, STR("symbols"));
        add(c, v, MISSING_ENUM_SYMBOLS, text_take(&c->arena, &missing));
        c->path_count--;
    }
    sbuf_fini(&missing);
}

/* The writer's field that a reader's field is; −1: none. (Several: the first; Java refuses to say.) */
int32_t avro_field_of_writer(const struct avro_type *writer, const struct avro_field *field)
{
    int32_t found = avro_names_find(&writer->names, field->name);
    for (uint32_t i = 0; found < 0 && i < field->aliases.count; i++)
        found = avro_names_find(&writer->names, field->aliases.items[i]);
    return found;
}

static void compare_fields(struct compare *c, struct verdict *v, const struct avro_type *reader,
                           const struct avro_type *writer)
{
    push(c, STR("fields"));
    for (uint32_t i = 0; i < reader->names.count; i++) {
        const struct avro_field *field = &reader->fields[i];
        int32_t other = avro_field_of_writer(writer, field);
        bool by_symbol = field->type->kind == AVRO_ENUM && field->type->default_symbol.p != NULL;
        push_index(c, i);
        if (other >= 0 || (field->default_value == NULL && by_symbol)) {
            push(c, STR("type"));
            merge(c, v, compare(c, field->type, other >= 0 ? writer->fields[other].type : writer));
            c->path_count--;
        } else if (field->default_value == NULL) {
            add(c, v, READER_FIELD_MISSING_DEFAULT_VALUE, field->name);
        }
        c->path_count--;
    }
    c->path_count--;
}

/* Compared on its own: its path begins anew, and its differences are not told, only that there are some. */
static bool fits(struct compare *c, const struct avro_type *reader, const struct avro_type *writer)
{
    uint32_t start = c->path_start;
    c->path_start = c->path_count;
    bool ok = compare(c, reader, writer)->count == 0;
    c->path_start = start;
    return ok;
}

static void compare_unions(struct compare *c, struct verdict *v, const struct avro_type *reader,
                           const struct avro_type *writer)
{
    for (uint32_t i = 0; i < writer->names.count && !c->too_much; i++) {
        push_index(c, i);
        if (!fits(c, reader, writer->types[i]))
            lacks_branch(c, v, writer->types[i]);
        c->path_count--;
    }
}

static void compare_alike(struct compare *c, struct verdict *v, const struct avro_type *reader,
                          const struct avro_type *writer)
{
    switch (reader->kind) {
    case AVRO_ARRAY:
    case AVRO_MAP:
        push(c, reader->kind == AVRO_ARRAY ? STR("items") : STR("values"));
        merge(c, v, compare(c, reader->items, writer->items));
        c->path_count--;
        return;
    case AVRO_FIXED:
        compare_names(c, v, reader, writer);
        compare_sizes(c, v, reader, writer);
        return;
    case AVRO_ENUM:
        compare_names(c, v, reader, writer);
        compare_symbols(c, v, reader, writer);
        return;
    case AVRO_RECORD:
        compare_names(c, v, reader, writer);
        compare_fields(c, v, reader, writer);
        return;
    case AVRO_UNION: compare_unions(c, v, reader, writer); return;
    default: return;
    }
}

/* ---- any pair ----------------------------------------------------------------------------------------------------------- */

bool avro_is_promoted(enum avro_kind reader, enum avro_kind writer)
{
    switch (reader) {
    case AVRO_LONG: return writer == AVRO_INT;
    case AVRO_FLOAT: return writer == AVRO_INT || writer == AVRO_LONG;
    case AVRO_DOUBLE: return writer == AVRO_INT || writer == AVRO_LONG || writer == AVRO_FLOAT;
    case AVRO_BYTES: return writer == AVRO_STRING;
    case AVRO_STRING: return writer == AVRO_BYTES;
    default: return false;
    }
}

static void compare_different(struct compare *c, struct verdict *v, const struct avro_type *reader,
                              const struct avro_type *writer)
{
    if (writer->kind == AVRO_UNION) {
        for (uint32_t i = 0; i < writer->names.count; i++) {
            push_index(c, i);
            merge(c, v, compare(c, reader, writer->types[i]));
            c->path_count--;
        }
    } else if (reader->kind == AVRO_UNION) {
        for (uint32_t i = 0; i < reader->names.count && !c->too_much; i++)
            if (fits(c, reader->types[i], writer))
                return;
        lacks_branch(c, v, writer);
    } else if (!avro_is_promoted(reader->kind, writer->kind)) {
        mismatch(c, v, reader, writer);
    }
}

static const struct verdict *compare(struct compare *c, const struct avro_type *reader,
                                     const struct avro_type *writer)
{
    static const struct verdict fine;
    uint32_t ids[2] = {reader->id, writer->id};
    struct verdict *v = map_get(&c->pairs, str_n(ids, sizeof ids));
    if (v != NULL)
        return v->open ? &fine : v;
    if (c->depth == SCHEMA_DEPTH_MAX || c->pair_count == SCHEMA_PAIRS_MAX || c->too_much) {
        c->too_much = true;
        return &fine;
    }
    v = arena_new(&c->arena, struct verdict);
    v->open = true;
    map_put(&c->pairs, str_n(ids, sizeof ids), v);
    c->pair_count++;
    c->depth++;
    if (reader->kind == writer->kind)
        compare_alike(c, v, reader, writer);
    else
        compare_different(c, v, reader, writer);
    c->depth--;
    v->open = false;
    return v;
}

/* ---- words -------------------------------------------------------------------------------------------------------------- */

static void say(const struct difference *d, const struct schema_report *r)
{
    static const char *const names[] = {
        [NAME_MISMATCH] = "NAME_MISMATCH",
        [FIXED_SIZE_MISMATCH] = "FIXED_SIZE_MISMATCH",
        [MISSING_ENUM_SYMBOLS] = "MISSING_ENUM_SYMBOLS",
        [READER_FIELD_MISSING_DEFAULT_VALUE] = "READER_FIELD_MISSING_DEFAULT_VALUE",
        [TYPE_MISMATCH] = "TYPE_MISMATCH",
        [MISSING_UNION_BRANCH] = "MISSING_UNION_BRANCH",
    };
    struct sbuf text = {0};
    int path = (int)d->path.n, detail = (int)d->detail.n;
    switch (d->fault) {
    case FIXED_SIZE_MISMATCH:
        sbuf_printf(
            &text,
            "The size of FIXED type field at path '%.*s' in the %s schema does not match with the %s schema",
            path, d->path.p, r->reader, r->writer);
        break;
    case TYPE_MISMATCH:
        sbuf_printf(&text,
                    "The type (path '%.*s') of a field in the %s schema does not match with the %s schema",
                    path, d->path.p, r->reader, r->writer);
        break;
    case NAME_MISMATCH:
        sbuf_printf(&text, "The name of the schema has changed (path '%.*s')", path, d->path.p);
        break;
    case MISSING_ENUM_SYMBOLS:
        sbuf_printf(&text, "The %s schema is missing enum symbols '%.*s' at path '%.*s' in the %s schema",
                    r->reader, detail, d->detail.p, path, d->path.p, r->writer);
        break;
    case MISSING_UNION_BRANCH:
        sbuf_printf(&text,
                    "The %s schema is missing a type inside a union field at path '%.*s' in the %s schema",
                    r->reader, path, d->path.p, r->writer);
        break;
    case READER_FIELD_MISSING_DEFAULT_VALUE:
        sbuf_printf(
            &text,
            "The field '%.*s' at path '%.*s' in the %s schema has no default value and is missing in the %s schema",
            detail, d->detail.p, path, d->path.p, r->reader, r->writer);
        break;
    }
    schema_say(r->messages, "{errorType:'%s', description:'%s', additionalInfo:'%.*s'}", names[d->fault],
               text.p, detail, d->detail.p);
    sbuf_fini(&text);
}

bool avro_compare(const struct avro_schema *reader, const struct avro_schema *writer,
                  const struct schema_report *report, struct err *err)
{
    struct compare *c = mem_new(sizeof *c);
    const struct verdict *v = compare(c, reader->root, writer->root);
    bool ok = !c->too_much;
    for (uint32_t i = 0; ok && i < v->count; i++)
        say(v->items[i], report);
    if (!ok)
        err_set(err, ERR_DATA, "the two schemas are too deep or too large to compare");
    map_fini(&c->pairs);
    arena_fini(&c->arena);
    mem_free(c);
    return ok;
}

/* ---- equality ----------------------------------------------------------------------------------------------------------- */

struct equal {
    struct map pairs;
    uint32_t depth, pair_count;
    bool meta;
};

static bool types_equal(struct equal *e, const struct avro_type *a, const struct avro_type *b);

static bool names_equal(const struct avro_names *a, const struct avro_names *b, bool ordered)
{
    if (a->count != b->count)
        return false;
    for (uint32_t i = 0; i < a->count; i++)
        if (!str_eq(a->items[ordered ? i : a->sorted[i]], b->items[ordered ? i : b->sorted[i]]))
            return false;
    return true;
}

static bool docs_equal(struct str a, struct str b)
{
    return a.p == NULL || b.p == NULL ? a.p == b.p : str_eq(a, b);
}

static const struct json_node *prop_find(const struct avro_props *props, struct str name)
{
    for (uint32_t i = 0; i < props->count; i++)
        if (str_eq(props->items[i]->name, name))
            return props->items[i];
    return NULL;
}

static bool props_equal(const struct avro_props *a, const struct avro_props *b)
{
    if (a->count != b->count)
        return false;
    for (uint32_t i = 0; i < a->count; i++) {
        const struct json_node *twin = b->items[i];
        if (!str_eq(twin->name, a->items[i]->name))
            twin = prop_find(b, a->items[i]->name);
        if (twin == NULL || !text_equal(a->items[i], twin))
            return false;
    }
    return true;
}

static bool fields_equal(struct equal *e, const struct avro_field *a, const struct avro_field *b)
{
    if (!str_eq(a->name, b->name) || a->order != b->order || !props_equal(&a->props, &b->props) ||
        (a->default_value == NULL) != (b->default_value == NULL))
        return false;
    if (a->default_value != NULL && !text_equal(a->default_value, b->default_value))
        return false;
    if (e->meta && (!docs_equal(a->doc, b->doc) || !names_equal(&a->aliases, &b->aliases, false)))
        return false;
    return types_equal(e, a->type, b->type);
}

static bool parts_equal(struct equal *e, const struct avro_type *a, const struct avro_type *b)
{
    if (a->items != NULL)
        return types_equal(e, a->items, b->items);
    for (uint32_t i = 0; i < a->names.count; i++) {
        if (a->kind == AVRO_RECORD && !fields_equal(e, &a->fields[i], &b->fields[i]))
            return false;
        if (a->kind == AVRO_UNION && !types_equal(e, a->types[i], b->types[i]))
            return false;
    }
    return true;
}

static bool types_equal(struct equal *e, const struct avro_type *a, const struct avro_type *b)
{
    if (a == b)
        return true;
    if (a->kind != b->kind || a->size != b->size || !str_eq(a->full, b->full) ||
        !names_equal(&a->names, &b->names, true) || !props_equal(&a->props, &b->props))
        return false;
    if (e->meta && (!docs_equal(a->doc, b->doc) || !docs_equal(a->default_symbol, b->default_symbol) ||
                    !names_equal(&a->aliases, &b->aliases, false)))
        return false;
    uint32_t ids[2] = {a->id, b->id};
    if (map_put(&e->pairs, str_n(ids, sizeof ids), e) != NULL)
        return true;
    if (e->depth == SCHEMA_DEPTH_MAX || ++e->pair_count > SCHEMA_PAIRS_MAX)
        return false;
    e->depth++;
    bool ok = parts_equal(e, a, b);
    e->depth--;
    return ok;
}

bool avro_types_equal(const struct avro_type *a, const struct avro_type *b, bool meta)
{
    struct equal e = {.meta = meta};
    bool equal = types_equal(&e, a, b);
    map_fini(&e.pairs);
    return equal;
}

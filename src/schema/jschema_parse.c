/* JSON to schemas.
 *
 * Schemas are built from the tree where the tree has schemas, and what references lead to when the rest stands: a schema belongs to
 * its node, so that each node is built once and cycles end. A reference is resolved against the nearest "$id" around it, then looked
 * for among the ids of all documents, and among the names of the references that were given. */
#include "base/bytes.h"
#include "base/map.h"
#include "schema/jschema.h"
#include "schema/schema_private.h"
#include "schema/text.h"

/* A text: the schema's own, or a reference's. */
struct document {
    struct str text;
    const char *file;
    struct str name; /* of a reference */
    const struct json_node *root;
    struct str base; /* its "$id", or its name */
    enum jschema_draft draft;
};

/* A node that an address leads to. */
struct place {
    struct document *document;
    const struct json_node *node;
    struct str base; /* around it */
};

struct pending {
    struct jschema *ref;
    struct document *document;
    struct str base;
    struct pending *next;
};

struct parse {
    struct arena *arena;
    struct document *documents; /* documents[document_count]: [0] is the schema itself */
    uint32_t document_count;
    struct map ids;   /* absolute address → struct place */
    struct map built; /* node → struct jschema */
    struct pending *pending, **last_pending;
    uint32_t schema_count;
    bool lenient;
    struct err *err;
};

static bool fail(struct document *d, struct parse *p, const struct json_node *node, const char *what)
{
    return text_fail(p->err, d->text, d->file, node->at, "%s", what);
}

static bool has(const struct json_node *node, const char *name)
{
    return json_member(node, str_of(name)) != NULL;
}

/* ---- addresses ---------------------------------------------------------------------------------------------------------- */

static bool has_scheme(struct str uri)
{
    size_t colon = str_find(uri, STR(":"), 0), slash = str_find(uri, STR("/"), 0);
    return colon != SIZE_MAX && colon > 0 && (slash == SIZE_MAX || colon < slash) && uri.p[0] != '#';
}

static struct str without_fragment(struct str uri)
{
    size_t hash = str_find(uri, STR("#"), 0);
    return str_n(uri.p, hash == SIZE_MAX ? uri.n : hash);
}

static struct str fragment_of(struct str uri)
{
    size_t hash = str_find(uri, STR("#"), 0);
    return hash == SIZE_MAX ? str_n("", 0) : str_n(uri.p + hash + 1, uri.n - hash - 1);
}

static struct str join(struct parse *p, struct str a, struct str b)
{
    return str_of(arena_printf(p->arena, "%.*s%.*s", STR_ARG(a), STR_ARG(b)));
}

/* RFC 3986 as far as schemas go: an absolute address, one from the server's root, one beside the base. */
static struct str resolve(struct parse *p, struct str base, struct str uri)
{
    base = without_fragment(base);
    if (has_scheme(uri) || base.n == 0)
        return uri;
    if (uri.n == 0 || uri.p[0] == '#')
        return join(p, base, uri);
    size_t start = str_find(base, STR("://"), 0);
    start = start == SIZE_MAX ? 0 : start + 3;
    if (uri.p[0] == '/') {
        size_t path = str_find(base, STR("/"), start);
        return join(p, str_n(base.p, path == SIZE_MAX ? base.n : path), uri);
    }
    while (base.n > start && base.p[base.n - 1] != '/')
        base.n--;
    while (str_starts(uri, STR("./")))
        uri = str_n(uri.p + 2, uri.n - 2);
    while (str_starts(uri, STR("../")) && base.n > start + 1) {
        uri = str_n(uri.p + 3, uri.n - 3);
        base.n--;
        while (base.n > start && base.p[base.n - 1] != '/')
            base.n--;
    }
    return join(p, base, uri);
}

static struct str id_of(const struct document *d, const struct json_node *node)
{
    struct str id = STR("");
    (void)json_str(node, d->draft == JSCHEMA_4 ? "id" : "$id", &id);
    return id;
}

static struct str base_of(struct parse *p, const struct document *d, const struct json_node *node,
                          struct str base)
{
    struct str id = id_of(d, node);
    return id.n > 0 && id.p[0] != '#' ? resolve(p, base, id) : base;
}

static void add_place(struct parse *p, struct document *d, const struct json_node *node, struct str uri,
                      struct str base)
{
    struct place place = {d, node, base};
    if (uri.n > 0 && uri.p[uri.n - 1] == '#')
        uri.n--;
    if (map_get(&p->ids, uri) == NULL)
        map_put(&p->ids, uri, arena_dup(p->arena, &place, sizeof place));
}

/* Depth: JSON_TREE_DEPTH_MAX, here and below. */
static void gather_ids(struct parse *p, struct document *d, const struct json_node *node, struct str base)
{
    struct str anchor;
    if (node->kind == JSON_OBJECT) {
        struct str id = id_of(d, node), around = base;
        base = base_of(p, d, node, base);
        if (id.n > 0)
            add_place(p, d, node, resolve(p, around, id), around);
        if (json_str(node, "$anchor", &anchor) || json_str(node, "$dynamicAnchor", &anchor))
            add_place(p, d, node, join(p, join(p, without_fragment(base), STR("#")), anchor), around);
    }
    JSON_EACH(child, node)
    if (child->kind == JSON_OBJECT || child->kind == JSON_ARRAY)
        gather_ids(p, d, child, base);
}

/* A token of a JSON pointer: %25, ~1, ~0. */
static struct str unescape(struct parse *p, struct str token)
{
    char *out = arena_alloc(p->arena, token.n);
    size_t n = 0;
    for (size_t i = 0; i < token.n; i++) {
        uint8_t byte;
        out[n++] = token.p[i];
        if (token.p[i] == '%' && i + 2 < token.n && hex_decode(&byte, token.p + i + 1, 1)) {
            out[n - 1] = (char)byte;
            i += 2;
        }
    }
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        bool escaped = out[i] == '~' && i + 1 < n && (out[i + 1] == '0' || out[i + 1] == '1');
        out[kept++] = !escaped ? out[i] : out[i + 1] == '1' ? '/' : '~';
        i += escaped;
    }
    return str_n(out, kept);
}

/* Follows a JSON pointer, "/a/0/b". */
static bool follow(struct parse *p, struct place *place, struct str pointer)
{
    while (pointer.n > 0) {
        size_t slash = str_find(pointer, STR("/"), 1), n = slash == SIZE_MAX ? pointer.n : slash;
        struct str token = unescape(p, str_n(pointer.p + 1, n - 1));
        const struct json_node *next = NULL;
        uint64_t index;
        place->base = base_of(p, place->document, place->node, place->base);
        if (place->node->kind == JSON_OBJECT) {
            next = json_member(place->node, token);
        } else if (place->node->kind == JSON_ARRAY && str_to_u64(token, &index)) {
            next = place->node->first;
            while (next != NULL && index-- > 0)
                next = next->next;
        }
        if (next == NULL)
            return false;
        place->node = next;
        pointer = str_n(pointer.p + n, pointer.n - n);
    }
    return true;
}

/* The document that an address without fragment means. */
static bool find_document(struct parse *p, const struct pending *ref, struct str raw, struct str uri,
                          struct place *out)
{
    CHECK(uri.p != NULL && raw.p != NULL);
    const struct place *known = map_get(&p->ids, uri);
    if (raw.n == 0 && ref->base.n == 0) {
        *out = (struct place){ref->document, ref->document->root, {0}};
        return true;
    }
    if (known != NULL) {
        *out = *known;
        return true;
    }
    for (uint32_t i = 0; i < p->document_count; i++) {
        struct document *d = &p->documents[i];
        struct str name = i == 0 ? d->base : d->name;
        if (name.n == 0 ||
            !(str_eq(name, raw) || str_eq(name, uri) || str_eq(resolve(p, p->documents[0].base, name), uri)))
            continue;
        *out = (struct place){d, d->root, d->base};
        return true;
    }
    return false;
}

static bool find_place(struct parse *p, const struct pending *ref, struct str text, struct place *out)
{
    struct str uri = resolve(p, ref->base, text), fragment = fragment_of(uri);
    if (fragment.n > 0 && !str_starts(fragment, STR("/"))) {
        const struct place *anchor = map_get(&p->ids, uri);
        if (anchor != NULL)
            *out = *anchor;
        return anchor != NULL;
    }
    return find_document(p, ref, without_fragment(text), without_fragment(uri), out) &&
           follow(p, out, fragment);
}

/* ---- schemas ------------------------------------------------------------------------------------------------------------ */

/* Where a schema is built. */
struct at {
    struct document *document;
    struct str base;
    const struct json_node *node;
};

static bool build(struct parse *p, struct at at, const struct jschema **out);

static struct jschema *new_schema(struct parse *p, struct at at, enum jschema_kind kind)
{
    struct jschema *s = arena_new(p->arena, struct jschema);
    s->kind = kind;
    s->id = p->schema_count++;
    s->draft = at.document->draft;
    s->node = at.node;
    s->is_part = true;
    return s;
}

static struct at child_at(struct at at, const struct json_node *node)
{
    at.node = node;
    return at;
}

/* The schema that a member is, if it is there. */
static bool build_member(struct parse *p, struct at at, const char *name, const struct jschema **out)
{
    const struct json_node *node = json_member(at.node, str_of(name));
    return node == NULL || build(p, child_at(at, node), out);
}

static bool build_list(struct parse *p, struct at at, const struct json_node *list, struct jschema *s)
{
    if (list->kind != JSON_ARRAY)
        return fail(at.document, p, list, "a list of schemas is expected");
    s->items = arena_array(p->arena, const struct jschema *, list->count);
    JSON_EACH(node, list)
    TRY(build(p, child_at(at, node), &s->items[s->count++]));
    return true;
}

/* An object whose members are schemas; only_objects: others are something else. */
static bool build_members(struct parse *p, struct at at, const char *name, bool only_objects,
                          struct jschema_members *members)
{
    const struct json_node *object = json_member(at.node, str_of(name));
    if (object == NULL)
        return true;
    if (object->kind != JSON_OBJECT)
        return fail(at.document, p, object, "an object of schemas is expected");
    members->items = arena_array(p->arena, struct jschema_member, object->count);
    JSON_EACH(node, object)
    {
        struct jschema_member *member = &members->items[members->count];
        if (only_objects && node->kind == JSON_ARRAY)
            continue;
        member->name = node->name;
        TRY(build(p, child_at(at, node), &member->schema));
        members->count++;
    }
    return true;
}

/* Combined ones first, as everit has it. */
static void sort_items(struct jschema *s)
{
    uint32_t first = 0;
    for (uint32_t i = 0; i < s->count; i++) {
        const struct jschema *item = s->items[i];
        if (item->kind != JSCHEMA_COMBINED)
            continue;
        memmove(&s->items[first + 1], &s->items[first], (i - first) * sizeof(struct jschema *));
        s->items[first++] = item;
    }
}

/* "additionalProperties" and such: a schema, or whether there may be further ones. */
static bool build_further(struct parse *p, struct at at, const char *name, struct jschema *s)
{
    const struct json_node *node = json_member(at.node, str_of(name));
    if (node == NULL)
        return true;
    if (node->kind == JSON_BOOLEAN) {
        s->is_closed = !node->boolean;
        return true;
    }
    return build(p, child_at(at, node), &s->additional);
}

static bool build_array(struct parse *p, struct at at, struct jschema *s)
{
    const struct json_node *items = json_member(at.node, STR("items"));
    const struct json_node *first = s->draft == JSCHEMA_2020 ? json_member(at.node, STR("prefixItems"))
                                    : items != NULL && items->kind == JSON_ARRAY ? items
                                                                                 : NULL;
    TRY(build_member(p, at, "unevaluatedItems", &s->unevaluated));
    if (first != NULL)
        TRY(build_list(p, at, first, s));
    if (s->draft == JSCHEMA_2020 && (first != NULL || (items != NULL && items->kind == JSON_BOOLEAN)))
        return build_further(p, at, "items", s);
    if (items != NULL && items != first)
        TRY(build(p, child_at(at, items), &s->all_items));
    TRY(build_further(p, at, "additionalItems", s));
    if (s->all_items != NULL)
        s->is_closed = false;
    return true;
}

static bool build_object(struct parse *p, struct at at, struct jschema *s)
{
    bool modern = s->draft >= JSCHEMA_2019;
    TRY(build_members(p, at, "properties", false, &s->properties));
    TRY(build_members(p, at, "patternProperties", false, &s->patterns));
    TRY(build_members(p, at, modern ? "dependentSchemas" : "dependencies", !modern, &s->dependencies));
    TRY(build_member(p, at, "unevaluatedProperties", &s->unevaluated));
    return build_further(p, at, "additionalProperties", s);
}

static bool build_kind(struct parse *p, struct at at, enum jschema_kind kind, struct jschema **out)
{
    struct jschema *s = *out = new_schema(p, at, kind);
    if (kind == JSCHEMA_ARRAY)
        return build_array(p, at, s);
    return kind != JSCHEMA_OBJECT || build_object(p, at, s);
}

static bool build_type(struct parse *p, struct at at, const struct json_node *name, struct jschema **out)
{
    static const struct {
        const char *name;
        enum jschema_kind kind;
    } types[] = {{"string", JSCHEMA_STRING},   {"number", JSCHEMA_NUMBER}, {"integer", JSCHEMA_NUMBER},
                 {"boolean", JSCHEMA_BOOLEAN}, {"null", JSCHEMA_NULL},     {"array", JSCHEMA_ARRAY},
                 {"object", JSCHEMA_OBJECT}};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (name->kind == JSON_STRING && str_is(name->text, types[i].name)) {
            TRY(build_kind(p, at, types[i].kind, out));
            (*out)->is_integer = types[i].name[0] == 'i';
            return true;
        }
    return fail(at.document, p, name, "this is no type of JSON");
}

/* ---- one node: its parts ------------------------------------------------------------------------------------------------ */

enum { PARTS_MAX = 16 };

struct parts {
    const struct jschema *items[PARTS_MAX];
    uint32_t count;
    uint32_t kinds; /* that "type" names: bits of enum jschema_kind */
};

static void add_part(struct parts *parts, const struct jschema *part)
{
    CHECK(parts->count < PARTS_MAX);
    parts->items[parts->count++] = part;
}

static bool add_combined(struct parse *p, struct at at, struct parts *parts)
{
    static const char *const names[] = {"allOf", "anyOf", "oneOf"};
    JSON_EACH(member, at.node)
    for (int i = 0; i < 3; i++) {
        if (!str_is(member->name, names[i]))
            continue;
        struct jschema *s = new_schema(p, at, JSCHEMA_COMBINED);
        s->criterion = (enum jschema_criterion)i;
        TRY(build_list(p, at, member, s));
        sort_items(s);
        add_part(parts, s);
    }
    return true;
}

static bool add_types(struct parse *p, struct at at, struct parts *parts)
{
    const struct json_node *type = json_member(at.node, STR("type"));
    struct jschema *s;
    if (type == NULL)
        return true;
    if (type->kind != JSON_ARRAY) {
        TRY(build_type(p, at, type, &s));
        parts->kinds |= 1u << s->kind;
        add_part(parts, s);
        return true;
    }
    struct jschema *any = new_schema(p, at, JSCHEMA_COMBINED);
    any->criterion = JSCHEMA_ANY_OF;
    any->items = arena_array(p->arena, const struct jschema *, type->count);
    JSON_EACH(name, type)
    {
        TRY(build_type(p, at, name, &s));
        parts->kinds |= 1u << s->kind;
        any->items[any->count++] = s;
    }
    add_part(parts, any);
    return true;
}

/* What is said of kinds of values that "type" does not name. */
static bool add_untyped(struct parse *p, struct at at, struct parts *parts)
{
    static const struct {
        enum jschema_kind kind;
        const char *keywords[12];
    } kinds[] = {
        {JSCHEMA_ARRAY,
         {"items", "additionalItems", "minItems", "maxItems", "uniqueItems", "contains", "prefixItems",
          "unevaluatedItems", "minContains", "maxContains", NULL}},
        {JSCHEMA_OBJECT,
         {"properties", "required", "minProperties", "maxProperties", "dependencies", "patternProperties",
          "additionalProperties", "propertyNames", "dependentRequired", "dependentSchemas",
          "unevaluatedProperties", NULL}},
        {JSCHEMA_NUMBER, {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", NULL}},
        {JSCHEMA_STRING, {"minLength", "maxLength", "pattern", "format", NULL}},
    };
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        bool found = false;
        for (const char *const *name = kinds[i].keywords; *name != NULL && !found; name++)
            found = has(at.node, *name) &&
                    !(at.document->draft >= JSCHEMA_2019 && str_is(str_of(*name), "format"));
        struct jschema *s;
        if (!found || (parts->kinds >> kinds[i].kind & 1))
            continue;
        TRY(build_kind(p, at, kinds[i].kind, &s));
        add_part(parts, s);
    }
    return true;
}

static bool add_conditional(struct parse *p, struct at at, struct parts *parts)
{
    const struct jschema *unused;
    if (at.document->draft < JSCHEMA_7 ||
        !(has(at.node, "if") || has(at.node, "then") || has(at.node, "else")))
        return true;
    TRY(build_member(p, at, "if", &unused)); /* so that references in them are looked at */
    TRY(build_member(p, at, "then", &unused));
    TRY(build_member(p, at, "else", &unused));
    add_part(parts, new_schema(p, at, JSCHEMA_CONDITIONAL));
    return true;
}

static struct jschema *new_ref(struct parse *p, struct at at)
{
    struct pending *pending = arena_new(p->arena, struct pending);
    struct jschema *ref = new_schema(p, at, JSCHEMA_REF);
    *pending = (struct pending){.ref = ref, .document = at.document, .base = at.base};
    *p->last_pending = pending;
    p->last_pending = &pending->next;
    return ref;
}

static bool add_parts(struct parse *p, struct at at, struct parts *parts)
{
    enum jschema_draft draft = at.document->draft;
    const struct json_node *ref = json_member(at.node, STR("$ref"));
    if (ref != NULL && ref->kind == JSON_STRING) {
        add_part(parts, new_ref(p, at));
        if (draft < JSCHEMA_2019)
            return true; /* nothing beside it counts */
    }
    if (has(at.node, "enum")) {
        if (json_member(at.node, STR("enum"))->kind != JSON_ARRAY)
            return fail(at.document, p, json_member(at.node, STR("enum")), "\"enum\" must be a list");
        add_part(parts, new_schema(p, at, JSCHEMA_ENUM));
    }
    TRY(add_combined(p, at, parts));
    if (has(at.node, "not")) {
        struct jschema *s = new_schema(p, at, JSCHEMA_NOT);
        TRY(build_member(p, at, "not", &s->target));
        add_part(parts, s);
    }
    if (draft >= JSCHEMA_6 && has(at.node, "const"))
        add_part(parts, new_schema(p, at, JSCHEMA_CONST));
    TRY(add_types(p, at, parts));
    TRY(add_untyped(p, at, parts));
    return add_conditional(p, at, parts);
}

static bool build_all(struct parse *p, struct at at, struct jschema **out)
{
    struct parts parts = {0};
    TRY(add_parts(p, at, &parts));
    if (parts.count == 1) {
        *out = (struct jschema *)parts.items[0];
    } else if (parts.count == 0) {
        *out = new_schema(p, at, JSCHEMA_EMPTY);
    } else {
        struct jschema *s = *out = new_schema(p, at, JSCHEMA_COMBINED);
        s->criterion = JSCHEMA_ALL_OF;
        s->count = parts.count;
        s->items = arena_dup(p->arena, parts.items, parts.count * sizeof(struct jschema *));
        sort_items(s);
    }
    (*out)->is_part = false;
    return true;
}

static bool build(struct parse *p, struct at at, const struct jschema **out)
{
    struct str key = str_n(&at.node, sizeof(void *));
    struct jschema *s = map_get(&p->built, key);
    if (s == NULL && at.node->kind == JSON_BOOLEAN) {
        s = new_schema(p, at, at.node->boolean ? JSCHEMA_TRUE : JSCHEMA_FALSE);
    } else if (s == NULL) {
        if (at.node->kind != JSON_OBJECT)
            return fail(at.document, p, at.node, "a schema must be an object or a boolean");
        at.base = base_of(p, at.document, at.node, at.base);
        TRY(build_all(p, at, &s));
    }
    if (map_get(&p->built, key) == NULL)
        map_put(&p->built, key, s);
    *out = s;
    return true;
}

/* ---- references --------------------------------------------------------------------------------------------------------- */

static bool is_meta_schema(struct str ref)
{
    return str_starts(ref, STR("http://json-schema.org/")) ||
           str_starts(ref, STR("https://json-schema.org/"));
}

static bool resolve_ref(struct parse *p, struct pending *pending)
{
    struct str text = STR("");
    const struct json_node *node = json_member(pending->ref->node, STR("$ref"));
    struct place place = {0};
    struct at at = {pending->document, pending->base, pending->ref->node};
    (void)json_str(pending->ref->node, "$ref", &text);
    if (text.p == NULL)
        text = STR("");
    if (find_place(p, pending, text, &place) &&
        (place.node->kind == JSON_OBJECT || place.node->kind == JSON_BOOLEAN))
        return build(p, (struct at){place.document, place.base, place.node}, &pending->ref->target);
    pending->ref->target = new_schema(p, at, JSCHEMA_EMPTY);
    return p->lenient || is_meta_schema(text) ||
           text_fail(p->err, pending->document->text, pending->document->file, node->at,
                     "there is no schema \"%.*s\"", STR_ARG(text));
}

/* References to references, which may go in a circle, end at what is none. */
static void shorten_refs(struct parse *p, struct pending *first)
{
    for (struct pending *pending = first; pending != NULL; pending = pending->next) {
        const struct jschema *target = pending->ref->target;
        uint32_t steps = 0;
        while (target->kind == JSCHEMA_REF && ++steps < SCHEMA_DEPTH_MAX)
            target = target->target;
        if (target->kind == JSCHEMA_REF)
            target = new_schema(p, (struct at){pending->document, pending->base, pending->ref->node},
                                JSCHEMA_EMPTY);
        pending->ref->target = target;
    }
}

/* ---- documents ---------------------------------------------------------------------------------------------------------- */

static enum jschema_draft draft_of(const struct json_node *root)
{
    static const char *const names[] = {"draft-04", "draft-06", "draft-07", "2019-09", "2020-12"};
    struct str schema;
    if (json_str(root, "$schema", &schema))
        for (int i = JSCHEMA_4; i <= JSCHEMA_2020; i++)
            if (str_find(schema, str_of(names[i]), 0) != SIZE_MAX)
                return (enum jschema_draft)i;
    return JSCHEMA_7;
}

static bool open_document(struct parse *p, struct document *d)
{
    if (!json_parse(p->arena, d->text, &d->root, p->err))
        return err_at(p->err, d->file, p->err ? p->err->place.line : 0, p->err ? p->err->place.column : 0, 1);
    if (d->root->kind != JSON_OBJECT && d->root->kind != JSON_BOOLEAN)
        return fail(d, p, d->root, "a schema must be an object or a boolean");
    text_drop_duplicates(d->root);
    d->draft = draft_of(d->root);
    d->base = base_of(p, d, d->root, d->name);
    gather_ids(p, d, d->root, d->name);
    return true;
}

static bool parse_all(struct parse *p, const struct schema_source *source, struct jschema_document *out)
{
    p->documents[0].text = source->text;
    p->documents[0].file = "";
    p->documents[0].name = STR("");
    TRY(open_document(p, &p->documents[0]));
    for (uint32_t i = 0; i < source->reference_count; i++) {
        const struct schema_reference *r = &source->references[i];
        struct document *d = &p->documents[i + 1];
        *d = (struct document){.text = r->text, .file = str_dup(p->arena, r->name), .name = r->name};
        TRY(open_document(p, d));
    }
    out->node = p->documents[0].root;
    TRY(build(p, (struct at){&p->documents[0], p->documents[0].base, out->node}, &out->root));
    for (struct pending *pending = p->pending; pending != NULL; pending = pending->next)
        TRY(resolve_ref(p, pending));
    shorten_refs(p, p->pending);
    out->schema_count = p->schema_count;
    return true;
}

bool jschema_parse(struct arena *arena, const struct schema_source *source, struct jschema_document *out,
                   struct err *err)
{
    struct parse p = {.arena = arena, .lenient = source->lenient, .err = err};
    p.last_pending = &p.pending;
    p.document_count = source->reference_count + 1;
    p.documents = arena_zarray(arena, struct document, p.document_count);
    bool ok = parse_all(&p, source, out);
    map_fini(&p.ids);
    map_fini(&p.built);
    return ok;
}

void jschema_write(const struct jschema_document *document, bool normalize, struct sbuf *out)
{
    text_node(out, document->node, TEXT_DECIMALS | (normalize ? TEXT_SORTED : 0));
}

struct str jschema_title(const struct jschema_document *document)
{
    struct str title = STR("");
    (void)json_str(document->node, "title", &title);
    return title;
}

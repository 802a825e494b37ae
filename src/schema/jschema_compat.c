/* Whether values of one JSON Schema are values of another: the rules, paths and words of Confluent's registry, strict policy.
 *
 * A pair of schemas is compared once: what does not fit is kept with paths from there, and told again wherever the pair is met.
 * Where a pair comes again inside of itself it counts as fitting. When it then turns out not to fit, others may have been judged
 * too well; so all is compared again with the known misfits, until nothing changes.
 *
 * Only what makes schemas incompatible is noted; the rest (titles, limits that became wider, and so on) is no difference here. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include <math.h>
#include <pcre2.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/map.h"
#include "schema/jschema.h"
#include "schema/schema_private.h"
#include "schema/text.h"

enum { PASSES_MAX = 16, COMPARE_DEPTH_MAX = 500, COMBINED_MAX = 300, STEPS_MAX = 64 * SCHEMA_PAIRS_MAX };

/* ---- words -------------------------------------------------------------------------------------------------------------- */

/* P is put for the path, R and W for what the reader and the writer are called. */
static const char present[] = "The keyword at path '@P' in the @R schema is not present in the @W schema";
static const char more[] = "The value at path '@P' in the @R schema is more than its value in the @W schema";
static const char less[] = "The value at path '@P' in the @R schema is less than its value in the @W schema";
static const char changed[] = "The value at path '@P' is different between the @R and @W schema";
static const char fewer[] =
    "An array or combined type at path '@P' has fewer elements in the @R schema than the @W schema";
static const char longer[] =
    "An array or combined type at path '@P' has more elements in the @R schema than the @W schema";
static const char other[] = "A type at path '@P' is different between the @R schema and the @W schema";
static const char opened[] =
    "The @R schema has an open content model and has a property or item at path '@P' which is "
    "missing in the @W schema";
static const char removed[] =
    "The @R has a closed content model and is missing a property or item present at path '@P' in "
    "the @W schema";
static const char uncovered[] =
    "A property or item is missing in the @R schema but present at path '@P' in the @W schema and "
    "is not covered by its partially open content model";
static const char not_covered[] =
    "The @R schema has a property or item at path '@P' which is missing in the @W schema and is "
    "not covered by its partially open content model";

static const struct fault {
    const char *name, *text;
} faults[] = {
    {"MAXIMUM_ADDED", present},
    {"MINIMUM_ADDED", present},
    {"EXCLUSIVE_MAXIMUM_ADDED", present},
    {"EXCLUSIVE_MINIMUM_ADDED", present},
    {"MULTIPLE_OF_ADDED", present},
    {"MAX_LENGTH_ADDED", present},
    {"MIN_LENGTH_ADDED", present},
    {"PATTERN_ADDED", present},
    {"REQUIRED_ATTRIBUTE_ADDED", present},
    {"MAX_PROPERTIES_ADDED", present},
    {"MIN_PROPERTIES_ADDED", present},
    {"DEPENDENCY_ARRAY_ADDED", present},
    {"DEPENDENCY_SCHEMA_ADDED", present},
    {"MAX_ITEMS_ADDED", present},
    {"MIN_ITEMS_ADDED", present},
    {"MAX_CONTAINS_ADDED", present},
    {"MIN_CONTAINS_ADDED", present},
    {"UNIQUE_ITEMS_ADDED", present},
    {"ADDITIONAL_ITEMS_REMOVED", present},
    {"ADDITIONAL_PROPERTIES_REMOVED", present},
    {"UNEVALUATED_PROPERTIES_REMOVED", present},
    {"UNEVALUATED_ITEMS_REMOVED", present},
    {"MIN_LENGTH_INCREASED", more},
    {"MINIMUM_INCREASED", more},
    {"EXCLUSIVE_MINIMUM_INCREASED", more},
    {"MIN_PROPERTIES_INCREASED", more},
    {"MULTIPLE_OF_EXPANDED", more},
    {"MIN_ITEMS_INCREASED", more},
    {"MIN_CONTAINS_INCREASED", more},
    {"MAX_LENGTH_DECREASED", less},
    {"MAXIMUM_DECREASED", less},
    {"MAX_ITEMS_DECREASED", less},
    {"MAX_CONTAINS_DECREASED", less},
    {"EXCLUSIVE_MAXIMUM_DECREASED", less},
    {"MAX_PROPERTIES_DECREASED", less},
    {"ADDITIONAL_ITEMS_NARROWED", fewer},
    {"ENUM_ARRAY_NARROWED", fewer},
    {"SUM_TYPE_NARROWED", fewer},
    {"ADDITIONAL_PROPERTIES_NARROWED", fewer},
    {"UNEVALUATED_PROPERTIES_NARROWED", fewer},
    {"UNEVALUATED_ITEMS_NARROWED", fewer},
    {"PATTERN_CHANGED", changed},
    {"MULTIPLE_OF_CHANGED", changed},
    {"DEPENDENCY_ARRAY_CHANGED", changed},
    {"TYPE_CHANGED", other},
    {"TYPE_NARROWED", other},
    {"COMBINED_TYPE_CHANGED", other},
    {"COMBINED_TYPE_SUBSCHEMAS_CHANGED", other},
    {"ENUM_ARRAY_CHANGED", other},
    {"DEPENDENCY_ARRAY_EXTENDED", longer},
    {"PRODUCT_TYPE_EXTENDED", longer},
    {"NOT_TYPE_EXTENDED", longer},
    {"REQUIRED_PROPERTY_ADDED_TO_OPEN_CONTENT_MODEL", opened},
    {"REQUIRED_PROPERTY_WITH_DEFAULT_ADDED_TO_OPEN_CONTENT_MODEL", opened},
    {"OPTIONAL_PROPERTY_ADDED_TO_OPEN_CONTENT_MODEL", opened},
    {"ITEM_ADDED_TO_OPEN_CONTENT_MODEL", opened},
    {"REQUIRED_PROPERTY_ADDED_TO_UNOPEN_CONTENT_MODEL",
     "The @R schema has an unopen content model and has a required property at path '@P' which is missing in the @W schema"},
    {"PROPERTY_REMOVED_FROM_CLOSED_CONTENT_MODEL", removed},
    {"ITEM_REMOVED_FROM_CLOSED_CONTENT_MODEL", removed},
    {"PROPERTY_REMOVED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL", uncovered},
    {"ITEM_REMOVED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL", uncovered},
    {"PROPERTY_ADDED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL", not_covered},
    {"ITEM_ADDED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL", not_covered},
    {"SCHEMA_ADDED", ""},
};

/* ---- differences -------------------------------------------------------------------------------------------------------- */

struct difference {
    const char *type;
    struct str path; /* from the pair: "properties/a"; empty: the pair itself */
};

struct verdict {
    bool open; /* being compared */
    struct difference *items;
    uint32_t count, capacity;
};

struct compare {
    struct arena arena;
    struct map pairs;    /* ids of old and new → struct verdict */
    struct map known;    /* of the pass before: pairs that do not fit */
    bool assumed;        /* a pair was taken as fitting inside of itself */
    bool reversed;       /* inside of "not": the old one is of the new schema */
    struct verdict *now; /* the pair that is being compared */
    struct sbuf path;    /* from it */
    uint32_t depth, steps;
    bool too_much;
};

static void add_at(struct compare *c, struct verdict *to, const char *type, struct str path)
{
    if (to->count == SCHEMA_DIFFERENCES_MAX)
        return;
    if (to->count == to->capacity) {
        struct difference *items = to->items;
        to->capacity = to->capacity ? 2 * to->capacity : 4;
        to->items = arena_array(&c->arena, struct difference, to->capacity);
        if (to->count > 0)
            memcpy(to->items, items, to->count * sizeof *items);
    }
    to->items[to->count++] = (struct difference){type, path};
}

/* The current path with more behind it, kept. */
static struct str path_to(struct compare *c, struct str rest)
{
    struct str here = sbuf_view(&c->path);
    if (here.n == 0)
        return rest.n == 0 ? rest : str_of(str_dup(&c->arena, rest));
    return str_of(arena_printf(&c->arena, "%.*s%s%.*s", STR_ARG(here), rest.n > 0 ? "/" : "", STR_ARG(rest)));
}

/* At an attribute of the pair that is compared now; "": at itself. */
static void add(struct compare *c, const char *attribute, const char *type)
{
    add_at(c, c->now, type, path_to(c, str_of(attribute)));
}

/* Returns what leave() takes. */
static size_t enter(struct compare *c, struct str part)
{
    size_t before = c->path.n;
    if (before > 0)
        sbuf_char(&c->path, '/');
    sbuf_str(&c->path, part);
    return before;
}

static void leave(struct compare *c, size_t before)
{
    c->path.n = before;
}

static const struct verdict *compare_pair(struct compare *c, const struct jschema *old,
                                          const struct jschema *new);

/* Compares and notes here what does not fit. */
static void compare(struct compare *c, const struct jschema *old, const struct jschema *new)
{
    if (old == NULL && new != NULL)
        add(c, "", "SCHEMA_ADDED");
    if (old == NULL || new == NULL)
        return;
    const struct verdict *v = compare_pair(c, old, new);
    for (uint32_t i = 0; i < v->count; i++)
        add_at(c, c->now, v->items[i].type, path_to(c, v->items[i].path));
}

static bool fits(struct compare *c, const struct jschema *old, const struct jschema *new)
{
    return compare_pair(c, old, new)->count == 0;
}

/* ---- values of keywords ------------------------------------------------------------------------------------------------- */

static bool get_number(const struct jschema *s, const char *name, double *value)
{
    const struct json_node *node = json_member(s->node, str_of(name));
    return node != NULL && node->kind == JSON_NUMBER && str_to_f64(node->text, value);
}

static bool is_set(const struct jschema *s, const char *name)
{
    const struct json_node *node = json_member(s->node, str_of(name));
    return node != NULL && node->kind == JSON_BOOLEAN && node->boolean;
}

static bool has_default(const struct jschema *s)
{
    return json_member(s->node, STR("default")) != NULL;
}

/* An upper limit that came or fell, a lower one that came or rose. */
static void compare_limit(struct compare *c, const struct jschema *old, const struct jschema *new,
                          const char *name, bool upper, const char *added, const char *tightened)
{
    double x, y;
    if (!get_number(new, name, &y))
        return;
    if (!get_number(old, name, &x))
        add(c, name, added);
    else if (upper ? y < x : y > x)
        add(c, name, tightened);
}

static void compare_strings(struct compare *c, const struct jschema *old, const struct jschema *new)
{
    struct str a, b;
    compare_limit(c, old, new, "maxLength", true, "MAX_LENGTH_ADDED", "MAX_LENGTH_DECREASED");
    compare_limit(c, old, new, "minLength", false, "MIN_LENGTH_ADDED", "MIN_LENGTH_INCREASED");
    if (!json_str(new->node, "pattern", &b))
        return;
    if (!json_str(old->node, "pattern", &a))
        add(c, "pattern", "PATTERN_ADDED");
    else if (!str_eq(a, b))
        add(c, "pattern", "PATTERN_CHANGED");
}

static bool is_multiple(double x, double of)
{
    double quotient = x / of;
    return of != 0 && fabs(quotient - nearbyint(quotient)) < 1e-9 * fmax(1, fabs(quotient));
}

static void compare_multiples(struct compare *c, const struct jschema *old, const struct jschema *new)
{
    double x, y;
    if (!get_number(new, "multipleOf", &y))
        return;
    if (!get_number(old, "multipleOf", &x))
        add(c, "multipleOf", "MULTIPLE_OF_ADDED");
    else if (x != y && is_multiple(y, x))
        add(c, "multipleOf", "MULTIPLE_OF_EXPANDED");
    else if (x != y && !is_multiple(x, y))
        add(c, "multipleOf", "MULTIPLE_OF_CHANGED");
}

static void compare_numbers(struct compare *c, const struct jschema *old, const struct jschema *new)
{
    compare_limit(c, old, new, "maximum", true, "MAXIMUM_ADDED", "MAXIMUM_DECREASED");
    compare_limit(c, old, new, "minimum", false, "MINIMUM_ADDED", "MINIMUM_INCREASED");
    compare_limit(c, old, new, "exclusiveMaximum", true, "EXCLUSIVE_MAXIMUM_ADDED",
                  "EXCLUSIVE_MAXIMUM_DECREASED");
    compare_limit(c, old, new, "exclusiveMinimum", false, "EXCLUSIVE_MINIMUM_ADDED",
                  "EXCLUSIVE_MINIMUM_INCREASED");
    compare_multiples(c, old, new);
    if (!old->is_integer && new->is_integer)
        add(c, "", "TYPE_NARROWED");
}

/* Is each value of the one list in the other? */
static bool has_all(struct compare *c, const struct json_node *all, const struct json_node *of)
{
    JSON_EACH(wanted, of)
    {
        bool found = false;
        for (const struct json_node *value = all->first; value != NULL && !found; value = value->next) {
            found = text_equal(value, wanted);
            c->too_much |= ++c->steps > STEPS_MAX;
        }
        if (!found || c->too_much)
            return false;
    }
    return true;
}

static void compare_enums(struct compare *c, const struct jschema *old, const struct jschema *new)
{
    const struct json_node *a = json_member(old->node, STR("enum")), *b = json_member(new->node, STR("enum"));
    if (has_all(c, b, a))
        return;
    add(c, "enum", has_all(c, a, b) ? "ENUM_ARRAY_NARROWED" : "ENUM_ARRAY_CHANGED");
}

static void compare_constants(struct compare *c, const struct jschema *old, const struct jschema *new)
{
    if (!text_equal(json_member(old->node, STR("const")), json_member(new->node, STR("const"))))
        add(c, "const", "ENUM_ARRAY_CHANGED");
}

static void compare_nots(struct compare *c, const struct jschema *old, const struct jschema *new)
{
    c->reversed = !c->reversed;
    bool ok = fits(c, new->target, old->target);
    c->reversed = !c->reversed;
    if (!ok)
        add(c, "not", "NOT_TYPE_EXTENDED");
}

/* ---- content: additional and unevaluated members ------------------------------------------------------------------------ */

static bool is_anything(const struct jschema *s)
{
    return s->kind == JSCHEMA_EMPTY || s->kind == JSCHEMA_TRUE;
}

static bool is_open(const struct jschema *s)
{
    return !s->is_closed && s->additional == NULL && s->patterns.count == 0 &&
           (s->unevaluated == NULL || is_anything(s->unevaluated));
}

/* What further members have to be, where that is a schema; NULL. */
static const struct jschema *further(const struct jschema *s)
{
    if (s->additional != NULL)
        return s->additional;
    bool partly = !s->is_closed && s->unevaluated != NULL && s->unevaluated->kind != JSCHEMA_FALSE &&
                  !is_anything(s->unevaluated);
    return partly ? s->unevaluated : NULL;
}

static void compare_additional(struct compare *c, const struct jschema *old, const struct jschema *new,
                               const char *name, const char *gone, const char *narrowed)
{
    if (old->is_closed != new->is_closed) {
        if (new->is_closed)
            add(c, name, gone);
    } else if (old->additional == NULL && new->additional != NULL) {
        add(c, name, narrowed);
    } else if (old->additional != NULL && new->additional != NULL) {
        size_t before = enter(c, str_of(name));
        compare(c, old->additional, new->additional);
        leave(c, before);
    }
}

static void compare_unevaluated(struct compare *c, const struct jschema *old_schema,
                                const struct jschema *new_schema, const char *name, const char *gone,
                                const char *narrowed)
{
    const struct jschema *old = old_schema->unevaluated, *new = new_schema->unevaluated;
    if (new == NULL)
        return;
    bool was_false = old != NULL && old->kind == JSCHEMA_FALSE;
    if (new->kind == JSCHEMA_FALSE && !was_false)
        add(c, name, gone);
    else if (old == NULL || (!was_false && is_anything(old) && !is_anything(new)))
        add(c, name, narrowed);
    else if (was_false == (new->kind == JSCHEMA_FALSE) && is_anything(old) == is_anything(new)) {
        size_t before = enter(c, str_of(name));
        compare(c, old, new);
        leave(c, before);
    }
}

/* ---- arrays ------------------------------------------------------------------------------------------------------------- */

static void item_removed(struct compare *c, const struct jschema *item, const struct jschema *new)
{
    const struct jschema *rest = further(new);
    if (is_open(new))
        return;
    if (rest == NULL) {
        if (item->kind != JSCHEMA_FALSE)
            add(c, "", "ITEM_REMOVED_FROM_CLOSED_CONTENT_MODEL");
        return;
    }
    compare(c, item, rest);
    if (!fits(c, item, rest))
        add(c, "", "ITEM_REMOVED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL");
}

static void item_added(struct compare *c, const struct jschema *item, const struct jschema *old)
{
    const struct jschema *rest = further(old);
    if (is_open(old)) {
        if (!is_anything(item))
            add(c, "", "ITEM_ADDED_TO_OPEN_CONTENT_MODEL");
        return;
    }
    if (rest == NULL)
        return;
    compare(c, rest, item);
    if (!fits(c, rest, item))
        add(c, "", "ITEM_ADDED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL");
}

static void compare_items(struct compare *c, const struct jschema *old, const struct jschema *new)
{
    for (uint32_t i = 0; i < old->count || i < new->count; i++) {
        char name[32];
        snprintf(name, sizeof name, "items/%u", i);
        size_t before = enter(c, str_of(name));
        if (i < old->count && i < new->count)
            compare(c, old->items[i], new->items[i]);
        else if (i < old->count)
            item_removed(c, old->items[i], new);
        else
            item_added(c, new->items[i], old);
        leave(c, before);
    }
}

static void compare_arrays(struct compare *c, const struct jschema *old, const struct jschema *new)
{
    size_t before = enter(c, STR("items"));
    compare(c, old->all_items, new->all_items);
    leave(c, before);
    compare_items(c, old, new);
    compare_additional(c, old, new, "additionalItems", "ADDITIONAL_ITEMS_REMOVED",
                       "ADDITIONAL_ITEMS_NARROWED");
    compare_unevaluated(c, old, new, "unevaluatedItems", "UNEVALUATED_ITEMS_REMOVED",
                        "UNEVALUATED_ITEMS_NARROWED");
    compare_limit(c, old, new, "maxItems", true, "MAX_ITEMS_ADDED", "MAX_ITEMS_DECREASED");
    compare_limit(c, old, new, "minItems", false, "MIN_ITEMS_ADDED", "MIN_ITEMS_INCREASED");
    if (is_set(new, "uniqueItems") && !is_set(old, "uniqueItems"))
        add(c, "uniqueItems", "UNIQUE_ITEMS_ADDED");
    compare_limit(c, old, new, "maxContains", true, "MAX_CONTAINS_ADDED", "MAX_CONTAINS_DECREASED");
    compare_limit(c, old, new, "minContains", false, "MIN_CONTAINS_ADDED", "MIN_CONTAINS_INCREASED");
}

/* ---- objects ------------------------------------------------------------------------------------------------------------ */

/* Members by name, for many questions. */
static void index_members(const struct jschema_members *members, struct map *index)
{
    for (uint32_t i = 0; i < members->count; i++)
        map_put(index, members->items[i].name, (void *)members->items[i].schema);
}

static void index_texts(const struct json_node *list, struct map *index)
{
    JSON_EACH(item, list)
    if (item->kind == JSON_STRING)
        map_put(index, item->text, (void *)item);
}

static bool pattern_matches(struct compare *c, struct str pattern, struct str name)
{
    int error;
    size_t at;
    bool matches = false;
    c->too_much |= (c->steps += 64) > STEPS_MAX;
    pcre2_code *code = c->too_much ? NULL
                                   : pcre2_compile((PCRE2_SPTR)(pattern.p ? pattern.p : ""), pattern.n,
                                                   PCRE2_UTF, &error, &at, NULL);
    pcre2_match_data *data = code ? pcre2_match_data_create(1, NULL) : NULL;
    pcre2_match_context *limits = code ? pcre2_match_context_create(NULL) : NULL;
    if (data != NULL && limits != NULL) {
        pcre2_set_match_limit(limits, 10000);
        pcre2_set_depth_limit(limits, 1000);
        matches = pcre2_match(code, (PCRE2_SPTR)(name.p ? name.p : ""), name.n, 0, 0, data, limits) >= 0;
    }
    pcre2_match_context_free(limits);
    pcre2_match_data_free(data);
    pcre2_code_free(code);
    return matches;
}

/* What a property that is not named has to be, where that is a schema; NULL. */
static const struct jschema *further_property(struct compare *c, const struct jschema *s, struct str name)
{
    for (uint32_t i = 0; i < s->patterns.count; i++)
        if (pattern_matches(c, s->patterns.items[i].name, name))
            return s->patterns.items[i].schema;
    return further(s);
}

static void property_removed(struct compare *c, struct str name, const struct jschema *property,
                             const struct jschema *new)
{
    if (is_open(new))
        return;
    const struct jschema *rest = further_property(c, new, name);
    if (rest == NULL) {
        if (property->kind != JSCHEMA_FALSE)
            add(c, "", "PROPERTY_REMOVED_FROM_CLOSED_CONTENT_MODEL");
        return;
    }
    compare(c, property, rest);
    if (!fits(c, property, rest))
        add(c, "", "PROPERTY_REMOVED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL");
}

static void property_added(struct compare *c, struct str name, const struct jschema *property, bool required,
                           const struct jschema *old)
{
    if (is_open(old)) {
        if (is_anything(property))
            return;
        add(c, "",
            !required               ? "OPTIONAL_PROPERTY_ADDED_TO_OPEN_CONTENT_MODEL"
            : has_default(property) ? "REQUIRED_PROPERTY_WITH_DEFAULT_ADDED_TO_OPEN_CONTENT_MODEL"
                                    : "REQUIRED_PROPERTY_ADDED_TO_OPEN_CONTENT_MODEL");
        return;
    }
    const struct jschema *rest = further_property(c, old, name);
    if (rest != NULL) {
        compare(c, rest, property);
        if (!fits(c, rest, property))
            add(c, "", "PROPERTY_ADDED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL");
    }
    if (required && !has_default(property))
        add(c, "", "REQUIRED_PROPERTY_ADDED_TO_UNOPEN_CONTENT_MODEL");
}

struct objects {
    const struct jschema *old, *new;
    struct map old_properties, new_properties, old_required, new_required;
};

static void compare_required(struct compare *c, const struct objects *o)
{
    size_t before = enter(c, STR("required"));
    for (uint32_t i = 0; i < o->old->properties.count; i++) {
        struct str name = o->old->properties.items[i].name;
        const struct jschema *property = map_get(&o->new_properties, name);
        if (property == NULL || map_get(&o->old_required, name) != NULL ||
            map_get(&o->new_required, name) == NULL || has_default(property))
            continue;
        size_t here = enter(c, name);
        add(c, "", "REQUIRED_ATTRIBUTE_ADDED");
        leave(c, here);
    }
    leave(c, before);
}

static void compare_properties(struct compare *c, const struct objects *o)
{
    size_t before = enter(c, STR("properties"));
    for (uint32_t i = 0; i < o->old->properties.count; i++) {
        const struct jschema_member *property = &o->old->properties.items[i];
        const struct jschema *twin = map_get(&o->new_properties, property->name);
        size_t here = enter(c, property->name);
        if (twin != NULL)
            compare(c, property->schema, twin);
        else
            property_removed(c, property->name, property->schema, o->new);
        leave(c, here);
    }
    for (uint32_t i = 0; i < o->new->properties.count; i++) {
        const struct jschema_member *property = &o->new->properties.items[i];
        if (map_get(&o->old_properties, property->name) != NULL)
            continue;
        size_t here = enter(c, property->name);
        property_added(c, property->name, property->schema, map_get(&o->new_required, property->name) != NULL,
                       o->old);
        leave(c, here);
    }
    leave(c, before);
}

static const struct json_node *dependencies_of(const struct jschema *s)
{
    return json_member(s->node, s->draft >= JSCHEMA_2019 ? STR("dependentRequired") : STR("dependencies"));
}

static void compare_dependency(struct compare *c, const struct json_node *old, const struct json_node *new)
{
    if (old == NULL || old->kind != JSON_ARRAY) {
        add(c, "", "DEPENDENCY_ARRAY_ADDED");
        return;
    }
    bool extended = has_all(c, new, old), narrowed = has_all(c, old, new);
    if (!narrowed)
        add(c, "", extended ? "DEPENDENCY_ARRAY_EXTENDED" : "DEPENDENCY_ARRAY_CHANGED");
}

static void compare_dependencies(struct compare *c, const struct objects *o)
{
    size_t before = enter(c, STR("dependencies"));
    const struct json_node *old = dependencies_of(o->old), *new = dependencies_of(o->new);
    struct map twins = {0};
    JSON_EACH(item, old)
    map_put(&twins, item->name, (void *)item);
    JSON_EACH(item, new)
    {
        size_t here = enter(c, item->name);
        if (item->kind == JSON_ARRAY)
            compare_dependency(c, map_get(&twins, item->name), item);
        leave(c, here);
    }
    map_fini(&twins);
    index_members(&o->old->dependencies, &twins);
    for (uint32_t i = 0; i < o->new->dependencies.count; i++) {
        const struct jschema *twin = map_get(&twins, o->new->dependencies.items[i].name);
        size_t here = enter(c, o->new->dependencies.items[i].name);
        if (twin == NULL)
            add(c, "", "DEPENDENCY_SCHEMA_ADDED");
        else
            compare(c, twin, o->new->dependencies.items[i].schema);
        leave(c, here);
    }
    map_fini(&twins);
    leave(c, before);
}

static void compare_objects(struct compare *c, const struct jschema *old, const struct jschema *new)
{
    struct objects o = {.old = old, .new = new};
    c->steps += old->properties.count + new->properties.count;
    index_members(&old->properties, &o.old_properties);
    index_members(&new->properties, &o.new_properties);
    index_texts(json_member(old->node, STR("required")), &o.old_required);
    index_texts(json_member(new->node, STR("required")), &o.new_required);
    compare_required(c, &o);
    compare_properties(c, &o);
    compare_dependencies(c, &o);
    compare_additional(c, old, new, "additionalProperties", "ADDITIONAL_PROPERTIES_REMOVED",
                       "ADDITIONAL_PROPERTIES_NARROWED");
    compare_unevaluated(c, old, new, "unevaluatedProperties", "UNEVALUATED_PROPERTIES_REMOVED",
                        "UNEVALUATED_PROPERTIES_NARROWED");
    compare_limit(c, old, new, "maxProperties", true, "MAX_PROPERTIES_ADDED", "MAX_PROPERTIES_DECREASED");
    compare_limit(c, old, new, "minProperties", false, "MIN_PROPERTIES_ADDED", "MIN_PROPERTIES_INCREASED");
    map_fini(&o.old_properties);
    map_fini(&o.new_properties);
    map_fini(&o.old_required);
    map_fini(&o.new_required);
}

/* ---- combinations ------------------------------------------------------------------------------------------------------- */

/* Schemas of the list without those that say the same as one before them. */
static const struct jschema **distinct(struct compare *c, const struct jschema *s, uint32_t *count)
{
    const struct jschema **kept = arena_array(&c->arena, const struct jschema *, s->count);
    struct map seen = {0};
    struct sbuf text = {0};
    *count = 0;
    for (uint32_t i = 0; i < s->count && !c->too_much; i++) {
        const struct jschema *item = s->items[i];
        sbuf_clear(&text);
        sbuf_printf(&text, "%d %d %d ", item->kind, item->is_integer,
                    item->is_part ? (int)item->criterion : -1);
        text_node(&text, item->node, TEXT_SORTED);
        c->too_much |= (c->steps += (uint32_t)text.n / 16) > STEPS_MAX;
        if (map_put(&seen, sbuf_view(&text), c) == NULL)
            kept[(*count)++] = item;
    }
    sbuf_fini(&text);
    map_fini(&seen);
    return kept;
}

struct matching {
    const bool *edges; /* edges[old_count * new_count] */
    uint32_t new_count;
    int32_t *of_new; /* of_new[new_count]: the old one that it is given to, or -1 */
    bool *seen;      /* seen[new_count] */
};

/* Gives the old one a new one, taking it from others that can have another. Depth: COMBINED_MAX. */
static bool give(struct matching *m, uint32_t old)
{
    for (uint32_t i = 0; i < m->new_count; i++) {
        if (!m->edges[old * m->new_count + i] || m->seen[i])
            continue;
        m->seen[i] = true;
        if (m->of_new[i] < 0 || give(m, (uint32_t)m->of_new[i])) {
            m->of_new[i] = (int32_t)old;
            return true;
        }
    }
    return false;
}

/* The most pairs that fit, each schema in one. */
static uint32_t match(struct compare *c, const struct jschema **old, uint32_t old_count,
                      const struct jschema **new, uint32_t new_count)
{
    bool *edges = arena_zarray(&c->arena, bool, (size_t)old_count *new_count);
    struct matching m = {edges, new_count, arena_array(&c->arena, int32_t, new_count),
                         arena_array(&c->arena, bool, new_count)};
    uint32_t found = 0;
    for (uint32_t i = 0; i < old_count; i++)
        for (uint32_t k = 0; k < new_count; k++)
            edges[i * new_count + k] = fits(c, old[i], new[k]);
    for (uint32_t k = 0; k < new_count; k++)
        m.of_new[k] = -1;
    for (uint32_t i = 0; i < old_count; i++) {
        memset(m.seen, 0, new_count);
        found += give(&m, i);
    }
    return found;
}

static bool is_criterion_fine(const struct jschema *old, const struct jschema *new)
{
    return old->criterion == new->criterion || new->criterion == JSCHEMA_ANY_OF ||
           (old->count == 1 && (new->count == 1 || new->criterion == JSCHEMA_ONE_OF)) ||
           (new->count == 1 && old->criterion == JSCHEMA_ALL_OF);
}

static void compare_combined(struct compare *c, const struct jschema *old, const struct jschema *new)
{
    uint32_t old_count, new_count;
    if (!is_criterion_fine(old, new)) {
        add(c, "", "COMBINED_TYPE_CHANGED");
        return;
    }
    const struct jschema **a = distinct(c, old, &old_count), **b = distinct(c, new, &new_count);
    if (old_count > COMBINED_MAX || new_count > COMBINED_MAX) {
        c->too_much = true;
        return;
    }
    if (old_count < new_count && new->criterion == JSCHEMA_ALL_OF)
        add(c, "", "PRODUCT_TYPE_EXTENDED");
    else if (old_count > new_count && old->criterion != JSCHEMA_ALL_OF)
        add(c, "", "SUM_TYPE_NARROWED");
    if (match(c, a, old_count, b, new_count) < (old_count < new_count ? old_count : new_count))
        add(c, "", "COMBINED_TYPE_SUBSCHEMAS_CHANGED");
}

/* One of them is a combination: does one of its schemas fit? */
static bool fits_one(struct compare *c, const struct jschema *old, const struct jschema *new)
{
    const struct jschema *combined = new->kind == JSCHEMA_COMBINED ? new : old;
    bool any = combined == new ? new->criterion != JSCHEMA_ALL_OF : old->criterion == JSCHEMA_ALL_OF;
    for (uint32_t i = 0; i < combined->count && (any || combined->count == 1); i++)
        if (combined == new ? fits(c, old, new->items[i]) : fits(c, old->items[i], new))
            return true;
    return false;
}

/* ---- any pair ----------------------------------------------------------------------------------------------------------- */

/* What Kafka Connect wrote as bytes in two ways. */
static bool says_bytes(const struct jschema *s)
{
    const struct json_node *node = json_member(s->node, STR("connect.type"));
    return node != NULL && node->kind == JSON_STRING && str_is(node->text, "bytes");
}

static void compare_kinds(struct compare *c, const struct jschema *old, const struct jschema *new)
{
    if ((old->kind == JSCHEMA_COMBINED) != (new->kind == JSCHEMA_COMBINED) && fits_one(c, old, new))
        return;
    if (old->kind != new->kind) {
        if (old->kind != JSCHEMA_FALSE && !is_anything(new) && !(says_bytes(old) && says_bytes(new)))
            add(c, "", "TYPE_CHANGED");
        return;
    }
    switch (old->kind) {
    case JSCHEMA_STRING: compare_strings(c, old, new); return;
    case JSCHEMA_NUMBER: compare_numbers(c, old, new); return;
    case JSCHEMA_CONST: compare_constants(c, old, new); return;
    case JSCHEMA_ENUM: compare_enums(c, old, new); return;
    case JSCHEMA_COMBINED: compare_combined(c, old, new); return;
    case JSCHEMA_NOT: compare_nots(c, old, new); return;
    case JSCHEMA_OBJECT: compare_objects(c, old, new); return;
    case JSCHEMA_ARRAY: compare_arrays(c, old, new); return;
    default: return;
    }
}

static const struct verdict *compare_pair(struct compare *c, const struct jschema *old,
                                          const struct jschema *new)
{
    static const struct verdict fine;
    old = jschema_target(old);
    new = jschema_target(new);
    uint32_t ids[3] = {old->id, new->id, c->reversed};
    struct str key = str_n(ids, sizeof ids);
    struct verdict *v = map_get(&c->pairs, key), *outer = c->now;
    if (v != NULL && v->open) {
        const struct verdict *known = map_get(&c->known, key);
        c->assumed |= known == NULL;
        return known != NULL ? known : &fine;
    }
    if (v != NULL)
        return v;
    c->steps += 64 + old->node->count + new->node->count;
    c->too_much |= c->depth == COMPARE_DEPTH_MAX || c->steps > STEPS_MAX;
    if (c->too_much)
        return &fine;
    struct sbuf path = c->path;
    v = c->now = arena_new(&c->arena, struct verdict);
    v->open = true;
    map_put(&c->pairs, key, v);
    c->path = (struct sbuf){0};
    c->depth++;
    compare_kinds(c, old, new);
    c->depth--;
    v->open = false;
    sbuf_fini(&c->path);
    c->path = path;
    c->now = outer;
    return v;
}

/* The misfits of this pass, for the next. True: there are more than before. */
static bool keep_misfits(struct compare *c)
{
    size_t before = c->known.count;
    MAP_EACH(entry, &c->pairs)
    {
        const struct verdict *v = entry->value;
        if (v->count > 0)
            map_put(&c->known, entry->key, entry->value);
    }
    map_fini(&c->pairs);
    c->pairs = (struct map){0};
    return c->known.count > before;
}

static void say(const struct difference *d, const struct schema_report *report)
{
    struct sbuf text = {0};
    const char *p = "";
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
        if (strcmp(faults[i].name, d->type) == 0)
            p = faults[i].text;
    for (; *p; p++) {
        if (*p != '@')
            sbuf_char(&text, *p);
        else if (*++p == 'P')
            sbuf_printf(&text, "#/%.*s", STR_ARG(d->path));
        else
            sbuf_cstr(&text, *p == 'R' ? report->reader : report->writer);
    }
    schema_say(report->messages, "{errorType:\"%s\", description:\"%s'}", d->type, text.p ? text.p : "");
    sbuf_fini(&text);
}

bool jschema_compare(const struct jschema_document *reader, const struct jschema_document *writer,
                     const struct schema_report *report, struct err *err)
{
    struct compare c = {0};
    const struct verdict *v;
    uint32_t pass = 0;
    do {
        c.assumed = false;
        v = compare_pair(&c, writer->root, reader->root);
    } while (c.assumed && !c.too_much && ++pass < PASSES_MAX && keep_misfits(&c));
    bool ok = !c.too_much;
    for (uint32_t i = 0; ok && i < v->count; i++)
        say(&v->items[i], report);
    if (!ok)
        err_set(err, ERR_DATA, "the two schemas are too deep or too large to compare");
    map_fini(&c.pairs);
    map_fini(&c.known);
    arena_fini(&c.arena);
    return ok;
}

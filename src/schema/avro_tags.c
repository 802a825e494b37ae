/* Tags of Avro's records and fields: the property "confluent:tags", a list of words. */
#include "base/map.h"
#include "schema/schema_private.h"
#include "schema/text.h"

static const struct json_node *tags_node(const struct avro_props *props)
{
    for (uint32_t i = 0; i < props->count; i++)
        if (str_is(props->items[i]->name, AVRO_TAGS) && props->items[i]->kind == JSON_ARRAY)
            return props->items[i];
    return NULL;
}

/* ---- which are there ---------------------------------------------------------------------------------------------------- */

struct collect {
    struct arena *arena;
    struct map seen; /* records, by full name */
    struct schema_tags *found;
    uint32_t count, capacity;
};

static void collect_entity(struct collect *c, struct str path, bool is_field, const struct avro_props *props)
{
    const struct json_node *node = tags_node(props);
    uint32_t count = 0;
    if (node == NULL || node->count == 0)
        return;
    if (c->count == c->capacity) {
        struct schema_tags *before = c->found;
        c->capacity = c->capacity ? 2 * c->capacity : 8;
        c->found = arena_array(c->arena, struct schema_tags, c->capacity);
        if (c->count > 0)
            memcpy(c->found, before, c->count * sizeof *before);
    }
    struct str *tags = arena_array(c->arena, struct str, node->count);
    JSON_EACH(tag, node)
    if (tag->kind == JSON_STRING)
        tags[count++] = tag->text;
    c->found[c->count++] = (struct schema_tags){path, is_field, tags, count};
}

/* Depth: avro_parse.c bounds it. */
static void collect_type(struct collect *c, const struct avro_type *type)
{
    if (type->items != NULL) {
        collect_type(c, type->items);
        return;
    }
    for (uint32_t i = 0; type->kind == AVRO_UNION && i < type->names.count; i++)
        collect_type(c, type->types[i]);
    if (type->kind != AVRO_RECORD || map_put(&c->seen, type->full, c) != NULL)
        return;
    collect_entity(c, type->full, false, &type->props);
    for (uint32_t i = 0; i < type->names.count; i++) {
        const struct avro_field *field = &type->fields[i];
        if (tags_node(&field->props) != NULL)
            collect_entity(
                c, str_of(arena_printf(c->arena, "%.*s.%.*s", STR_ARG(type->full), STR_ARG(field->name))),
                true, &field->props);
        collect_type(c, field->type);
    }
}

uint32_t avro_tags(struct arena *arena, const struct avro_schema *schema, const struct schema_tags **tags)
{
    struct collect c = {.arena = arena};
    collect_type(&c, schema->root);
    map_fini(&c.seen);
    *tags = c.found;
    return c.count;
}

/* ---- changing them ------------------------------------------------------------------------------------------------------ */

/* What happens to one record or field: first all that is added, then all that is removed. */
struct step {
    const struct schema_tags *tags;
    bool removes;
    struct step *next;
};
struct steps {
    struct str path;
    bool done;
    struct step *first, **end;
};

struct avro_retag {
    struct arena *arena;
    struct map steps; /* by kind and path */
};

static struct str key_of(struct arena *arena, bool is_field, struct str record, struct str field)
{
    return str_of(is_field ? arena_printf(arena, "f%.*s.%.*s", STR_ARG(record), STR_ARG(field))
                           : arena_printf(arena, "r%.*s", STR_ARG(record)));
}

static void plan(struct avro_retag *retag, const struct schema_tags *list, uint32_t count, bool removes)
{
    for (uint32_t i = 0; i < count; i++) {
        struct str path = list[i].path;
        if (str_starts(path, STR(".")))
            path = str_n(path.p + 1, path.n - 1);
        struct str key = str_of(
            arena_printf(retag->arena, "%c%.*s", list[i].is_field ? 'f' : 'r', STR_ARG(path)));
        struct steps *steps = map_get(&retag->steps, key);
        if (steps == NULL) {
            steps = arena_array(retag->arena, struct steps, 1);
            *steps = (struct steps){.path = list[i].path};
            steps->end = &steps->first;
            map_put(&retag->steps, key, steps);
        }
        *steps->end = arena_array(retag->arena, struct step, 1);
        **steps->end = (struct step){&list[i], removes, NULL};
        steps->end = &(*steps->end)->next;
    }
}

struct slot {
    struct str tag;
    bool is_there;
    struct slot *next;
};
struct slots {
    struct arena *arena;
    struct map by_tag;
    struct slot *first, **end;
};

static void put_tag(struct slots *slots, struct str tag, bool is_there)
{
    struct slot *slot = map_get(&slots->by_tag, tag);
    if (slot == NULL) {
        slot = arena_array(slots->arena, struct slot, 1);
        *slot = (struct slot){.tag = tag};
        map_put(&slots->by_tag, tag, slot);
        *slots->end = slot;
        slots->end = &slot->next;
    }
    slot->is_there = is_there;
}

static void take_steps(struct slots *slots, struct steps *steps)
{
    steps->done = true;
    for (const struct step *s = steps->first; s; s = s->next)
        for (uint32_t i = 0; i < s->tags->count; i++)
            put_tag(slots, s->tags->tags[i], !s->removes);
}

struct str avro_retag_of(struct avro_retag *retag, const struct avro_type *record,
                         const struct avro_field *field)
{
    struct slots slots = {.arena = retag->arena, .end = &slots.first};
    struct sbuf out = {0};
    struct str name = field ? field->name : STR("");
    /* a path names its namespace, or none: then the first that has the name is meant */
    struct steps *full = map_get(&retag->steps, key_of(retag->arena, field != NULL, record->full, name)),
                 *brief = map_get(&retag->steps, key_of(retag->arena, field != NULL, record->name, name));
    if (brief == full || (brief && brief->done))
        brief = NULL;
    if (full == NULL && brief == NULL)
        return (struct str){0};
    JSON_EACH(tag, tags_node(field ? &field->props : &record->props))
    if (tag->kind == JSON_STRING)
        put_tag(&slots, tag->text, true);
    if (full)
        take_steps(&slots, full);
    if (brief)
        take_steps(&slots, brief);
    for (const struct slot *s = slots.first; s; s = s->next)
        if (s->is_there) {
            sbuf_char(&out, out.n == 0 ? '[' : ',');
            text_string(&out, s->tag);
        }
    if (out.n > 0)
        sbuf_char(&out, ']');
    struct str text = out.n > 0 ? text_take(retag->arena, &out) : STR("");
    sbuf_fini(&out);
    map_fini(&slots.by_tag);
    return text;
}

bool avro_retag(struct arena *arena, const struct avro_schema *schema, const struct schema_retag *change,
                struct sbuf *out, struct err *err)
{
    struct avro_retag retag = {.arena = arena};
    bool ok = true;
    plan(&retag, change->add, change->add_count, false);
    plan(&retag, change->remove, change->remove_count, true);
    avro_write_retagged(schema, &retag, out);
    MAP_EACH(entry, &retag.steps)
    {
        const struct steps *steps = entry->value;
        if (ok && !steps->done)
            ok = err_set(err, ERR_DATA, "No matching path '%.*s' found in the schema", STR_ARG(steps->path));
    }
    map_fini(&retag.steps);
    return ok;
}

/* What a reader does with a writer's bytes, decided once for a pair of schemas.
 *
 * A plan belongs to a pair of types, so recursive schemas have finite, cyclic plans. What cannot be read is no error here unless
 * everything is: a branch of the writer's union that the reader lacks may never come, and if it does, that value is bad. A field
 * that the reader requires and the writer lacks makes its whole record unreadable.
 *
 * The branch of a reader's union: the same type and name first, then the same type with the same last name (or an alias), then by
 * promotion; within each, the first branch. */
#include "base/map.h"
#include "schema/schema_private.h"

struct resolve {
    struct arena *arena;
    struct map plans; /* ids of writer and reader → struct avro_plan */
    uint32_t depth, count, steps;
    bool too_much;
};

static struct avro_way find_way(struct resolve *r, const struct avro_type *writer,
                                const struct avro_type *reader);

static const char *cannot(struct resolve *r, const struct avro_type *writer, const struct avro_type *reader)
{
    struct str w = writer->full.n ? writer->full : str_of(avro_kind_name(writer->kind));
    struct str d = reader->full.n ? reader->full : str_of(avro_kind_name(reader->kind));
    return arena_printf(r->arena, "the writer's \"%.*s\" cannot be read as \"%.*s\"", STR_ARG(w), STR_ARG(d));
}

static bool names_fit(const struct avro_type *writer, const struct avro_type *reader)
{
    return str_eq(writer->name, reader->name) || avro_names_find(&reader->aliases, writer->full) >= 0;
}

/* By themselves, not by what is in them. */
static bool is_same(const struct avro_type *writer, const struct avro_type *reader, bool exactly)
{
    if (writer->kind != reader->kind)
        return false;
    if (writer->kind == AVRO_FIXED && writer->size != reader->size)
        return false;
    return writer->full.n == 0 || (exactly ? str_eq(writer->full, reader->full) : names_fit(writer, reader));
}

static int32_t find_branch(struct resolve *r, const struct avro_type *writer, const struct avro_type *reader)
{
    r->too_much |= (r->steps += reader->names.count) > 64 * SCHEMA_PAIRS_MAX;
    if (r->too_much)
        return -1;
    for (int pass = 0; pass < 3; pass++)
        for (uint32_t i = 0; i < reader->names.count; i++)
            if (pass == 2 ? avro_is_promoted(reader->types[i]->kind, writer->kind)
                          : is_same(writer, reader->types[i], pass == 0))
                return (int32_t)i;
    return -1;
}

static void plan_fields(struct resolve *r, struct avro_plan *plan)
{
    const struct avro_type *writer = plan->writer, *reader = plan->reader;
    plan->steps = arena_zarray(r->arena, struct avro_step, writer->names.count);
    plan->defaults = arena_array(r->arena, uint32_t, reader->names.count);
    for (uint32_t i = 0; i < writer->names.count; i++)
        plan->steps[i] = (struct avro_step){.writer = writer->fields[i].type, .way.branch = -1};
    for (uint32_t i = 0; i < reader->names.count; i++) {
        const struct avro_field *field = &reader->fields[i];
        int32_t other = avro_field_of_writer(writer, field);
        struct avro_step *step = other < 0 ? NULL : &plan->steps[other];
        if (step != NULL && step->way.plan == NULL) {
            step->way = find_way(r, step->writer, field->type);
            step->field = i;
        } else if (field->default_value != NULL) {
            plan->defaults[plan->default_count++] = i;
        } else if (plan->fault == NULL) {
            plan->fault = arena_printf(r->arena,
                                       "the field \"%.*s\" has no default, and the writer has no such field",
                                       STR_ARG(field->name));
        }
    }
}

static void plan_symbols(struct resolve *r, struct avro_plan *plan)
{
    const struct avro_type *writer = plan->writer, *reader = plan->reader;
    int32_t other = reader->default_symbol.p ? avro_names_find(&reader->names, reader->default_symbol) : -1;
    plan->symbols = arena_array(r->arena, int32_t, writer->names.count);
    for (uint32_t i = 0; i < writer->names.count; i++) {
        int32_t symbol = avro_names_find(&reader->names, writer->names.items[i]);
        plan->symbols[i] = symbol >= 0 ? symbol : other;
    }
}

static void plan_branches(struct resolve *r, struct avro_plan *plan)
{
    plan->branches = arena_array(r->arena, struct avro_way, plan->writer->names.count);
    for (uint32_t i = 0; i < plan->writer->names.count; i++)
        plan->branches[i] = find_way(r, plan->writer->types[i], plan->reader);
}

static void fill_plan(struct resolve *r, struct avro_plan *plan)
{
    const struct avro_type *writer = plan->writer, *reader = plan->reader;
    if (writer->kind == AVRO_UNION) {
        plan_branches(r, plan);
        return;
    }
    if (!is_same(writer, reader, false)) {
        if (!avro_is_promoted(reader->kind, writer->kind))
            plan->fault = cannot(r, writer, reader);
        return;
    }
    if (writer->items != NULL)
        plan->items = find_way(r, writer->items, reader->items);
    else if (writer->kind == AVRO_RECORD)
        plan_fields(r, plan);
    else if (writer->kind == AVRO_ENUM)
        plan_symbols(r, plan);
}

static const struct avro_plan *find_plan(struct resolve *r, const struct avro_type *writer,
                                         const struct avro_type *reader)
{
    uint32_t ids[2] = {writer->id, reader->id};
    struct avro_plan *plan = map_get(&r->plans, str_n(ids, sizeof ids));
    if (plan != NULL)
        return plan;
    plan = arena_new(r->arena, struct avro_plan);
    *plan = (struct avro_plan){.writer = writer, .reader = reader, .items.branch = -1};
    if (r->depth == SCHEMA_DEPTH_MAX || r->count == SCHEMA_PAIRS_MAX || r->too_much) {
        r->too_much = true;
        plan->fault = "the schemas are too deep or too large to compare";
        return plan;
    }
    map_put(&r->plans, str_n(ids, sizeof ids), plan);
    r->count++;
    r->depth++;
    fill_plan(r, plan);
    r->depth--;
    return plan;
}

static struct avro_way find_way(struct resolve *r, const struct avro_type *writer,
                                const struct avro_type *reader)
{
    struct avro_way way = {.branch = -1};
    if (reader->kind == AVRO_UNION && writer->kind != AVRO_UNION) {
        way.branch = find_branch(r, writer, reader);
        if (way.branch >= 0)
            reader = reader->types[way.branch];
    }
    way.plan = find_plan(r, writer, reader); /* no branch: its fault says so */
    return way;
}

/* Can no value be read? Of a union: of no branch. */
static const char *fault_of(const struct avro_plan *plan)
{
    if (plan->writer->kind != AVRO_UNION)
        return plan->fault;
    for (uint32_t i = 0; i < plan->writer->names.count; i++)
        if (plan->branches[i].plan->fault == NULL)
            return NULL;
    return plan->writer->names.count > 0 ? plan->branches[0].plan->fault : NULL;
}

bool avro_resolve(struct arena *arena, const struct avro_schema *writer, const struct avro_schema *reader,
                  struct avro_way *way, struct err *err)
{
    struct resolve r = {.arena = arena};
    *way = find_way(&r, writer->root, reader->root);
    const char *fault = r.too_much ? "the schemas are too deep or too large to compare" : fault_of(way->plan);
    map_fini(&r.plans);
    return fault == NULL || err_set(err, ERR_DATA, "%s", fault);
}

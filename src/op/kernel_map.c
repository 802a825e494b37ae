/* Maps: making them (a NULL key or one that is there twice is an error), taking them apart, joining them. */
#include "op/cells.h"
#include "op/gather.h"
#include "op/kernels_private.h"
#include "op/list_private.h"

/* ---- parts --------------------------------------------------------------------------------------------- */

static void map_child(struct call *c, uint32_t i)
{
    const struct column *map = &c->args[0];
    c->out->offsets = map->offsets; /* one argument: flat, or all is one row */
    c->out->children = arena_dup(c->arena, &map->children[i], sizeof(struct column));
    c->out->children->type = c->out->type->fields[0].type;
}
void kernel_map_keys(struct call *c)
{
    map_child(c, 0);
}
void kernel_map_values(struct call *c)
{
    map_child(c, 1);
}

void kernel_map_entries(struct call *c)
{
    const struct column *map = &c->args[0];
    const struct type *entry = c->out->type->fields[0].type;
    c->out->offsets = map->offsets;
    c->out->children = arena_new(c->arena, struct column);
    *c->out->children = (struct column){
        .type = entry, .encoding = COLUMN_FLAT, .rows = map->children[0].rows, .children = map->children};
}

void kernel_map_contains_key(struct call *c)
{
    for (EACH_ROW(c, row)) {
        uint32_t from, end = list_range(c, 0, row, &from);
        bool found = false;
        for (uint32_t k = from; k < end && !found; k++)
            found = cell_equal(&c->args[0].children[0], k, &c->args[1], row);
        OUT(c, uint8_t)[row] = found;
    }
}

/* ---- making -------------------------------------------------------------------------------------------- */

/* A map's entries, as they are added: keys and values have sources of their own, but one numbering. */
struct entries {
    struct list list;
    struct seen seen;
    uint32_t before;
    bool bad;
};

static void entries_open(struct entries *e, uint32_t row)
{
    list_open(&e->list, row);
    e->before = e->list.count;
    e->bad = false;
}

static void entries_fail(struct entries *e, uint32_t row, const char *text)
{
    if (!e->bad)
        out_error(e->list.c, row, "%s", text);
    e->bad = true;
}

/* Adds (source, row of it) with that key; the row fails on a NULL or repeated one. */
static void entries_add(struct entries *e, uint32_t row, const struct column *keys, uint32_t key_row,
                        uint32_t source, uint32_t at)
{
    if (column_is_null(keys, key_row))
        entries_fail(e, row, "NULL_MAP_KEY: a map cannot have a NULL as key");
    else if (!seen_add(&e->seen, keys, key_row))
        entries_fail(e, row, "DUPLICATED_MAP_KEY: a key is in the map twice");
    if (!e->bad)
        list_add(&e->list, source, at);
}

static void entries_close(struct entries *e)
{
    if (e->bad)
        list_cut(&e->list, e->before);
    seen_fini(&e->seen);
}

void kernel_map(struct call *c)
{
    uint32_t pairs = c->arg_count / 2;
    struct entries e = {.bad = false};
    const struct column **keys = arena_array(c->arena, const struct column *, pairs + 1);
    const struct column **values = arena_array(c->arena, const struct column *, pairs + 1);
    list_begin(&e.list, c);
    for (uint32_t i = 0; i < pairs; i++) {
        keys[i] = &c->args[2 * i];
        values[i] = &c->args[2 * i + 1];
    }
    for (EACH_ROW(c, row)) {
        entries_open(&e, row);
        for (uint32_t i = 0; i < pairs; i++)
            entries_add(&e, row, keys[i], row, i, row);
        entries_close(&e);
    }
    list_close(&e.list, 0, keys, pairs);
    list_close(&e.list, 1, values, pairs);
}

void kernel_map_from_arrays(struct call *c)
{
    struct entries e = {.bad = false};
    const struct column *keys = &c->args[0].children[0], *values = &c->args[1].children[0];
    list_begin(&e.list, c);
    struct list value_list = {.c = c};
    for (EACH_ROW(c, row)) {
        uint32_t from, end = list_range(c, 0, row, &from), value_from,
                       value_end = list_range(c, 1, row, &value_from);
        entries_open(&e, row);
        if (end - from != value_end - value_from)
            entries_fail(&e, row,
                         "INVALID_PARAMETER_VALUE: the arrays of keys and values have different lengths");
        for (uint32_t k = from; k < end && !e.bad; k++) {
            entries_add(&e, row, keys, k, 0, k);
            if (!e.bad)
                list_add(&value_list, 0, value_from + (k - from));
        }
        entries_close(&e);
        list_cut(&value_list, e.list.count);
    }
    list_close(&e.list, 0, &keys, 1);
    value_list.next = c->rows + 1;
    list_close(&value_list, 1, &values, 1);
}

void kernel_map_from_entries(struct call *c)
{
    struct entries e = {.bad = false};
    const struct column *structs = &c->args[0].children[0], *keys = &structs->children[0],
                        *values = &structs->children[1];
    list_begin(&e.list, c);
    for (EACH_ROW(c, row)) {
        uint32_t from, end = list_range(c, 0, row, &from);
        bool null = false;
        entries_open(&e, row);
        for (uint32_t k = from; k < end; k++)
            null |= column_is_null(structs, k);
        for (uint32_t k = from; k < end && !null; k++)
            entries_add(&e, row, keys, k, 0, k);
        if (null)
            out_null(c, row);
        entries_close(&e);
    }
    list_close(&e.list, 0, &keys, 1);
    list_close(&e.list, 1, &values, 1);
}

void kernel_map_concat(struct call *c)
{
    struct entries e = {.bad = false};
    const struct column **keys = arena_array(c->arena, const struct column *, c->arg_count + 1);
    const struct column **values = arena_array(c->arena, const struct column *, c->arg_count + 1);
    list_begin(&e.list, c);
    for (uint32_t i = 0; i < c->arg_count; i++) {
        keys[i] = &c->args[i].children[0];
        values[i] = &c->args[i].children[1];
    }
    for (EACH_ROW(c, row)) {
        entries_open(&e, row);
        for (uint32_t i = 0; i < c->arg_count; i++) {
            uint32_t from, end = list_range(c, i, row, &from);
            for (uint32_t k = from; k < end; k++)
                entries_add(&e, row, keys[i], k, i, k);
        }
        entries_close(&e);
    }
    list_close(&e.list, 0, keys, c->arg_count);
    list_close(&e.list, 1, values, c->arg_count);
}

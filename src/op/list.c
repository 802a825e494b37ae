/* See list_private.h. */
#include "op/list_private.h"

#include "op/cells.h"
#include "op/gather.h"
#include "op/keys.h"

void list_begin(struct list *l, struct call *c)
{
    *l = (struct list){.c = c};
    c->out->offsets = arena_zarray(c->arena, uint32_t, (size_t)c->rows + 1);
    c->out->children = arena_zarray(c->arena, struct column, c->out->type->field_count);
}

void list_open(struct list *l, uint32_t row)
{
    for (; l->next <= row; l->next++)
        l->c->out->offsets[l->next] = l->count;
}

void list_add(struct list *l, uint32_t source, uint32_t row)
{
    CHECK(l->count < UINT32_MAX / 2); /* no more than the inputs hold, or list_may_have has looked */
    if (l->count == l->capacity) {
        uint32_t capacity = l->capacity ? l->capacity * 2 : 256;
        uint32_t *sources = arena_array(l->c->arena, uint32_t, capacity),
                 *rows = arena_array(l->c->arena, uint32_t, capacity);
        if (l->count) {
            memcpy(sources, l->source, l->count * sizeof(*sources));
            memcpy(rows, l->rows, l->count * sizeof(*rows));
        }
        l->source = sources;
        l->rows = rows;
        l->capacity = capacity;
    }
    l->source[l->count] = source;
    l->rows[l->count++] = row;
}

bool list_may_have(struct list *l, uint32_t row, int64_t n)
{
    if (n <= LIST_BLOWN_UP_MAX && n <= LIST_ELEMENTS_MAX - (int64_t)l->count)
        return true;
    out_error(l->c, row, "COLLECTION_SIZE_LIMIT_EXCEEDED.FUNCTION: an array of %lld elements is too large",
              (long long)n);
    return false;
}

void list_cut(struct list *l, uint32_t count)
{
    CHECK(count <= l->count);
    l->count = count;
}

void list_close(struct list *l, uint32_t child, const struct column *const *sources, uint32_t source_count)
{
    struct column *out = l->c->out;
    const struct type *type = out->type->fields[child].type;
    list_open(l, l->c->rows);
    if (source_count == 0 || l->count == 0) {
        column_layout(&out->children[child], type, 0, l->c->arena);
        return;
    }
    out->children[child] = column_gather(type, sources, source_count, l->source, l->rows, l->count,
                                         l->c->arena);
}

/* ---- sets ---------------------------------------------------------------------------------------------- */

static void table_key(const struct column *column, uint32_t row, struct sbuf *key)
{
    sbuf_clear(key);
    cell_write(column, row, true, key);
}

bool seen_has(struct seen *s, const struct column *column, uint32_t row)
{
    if (s->table) {
        struct sbuf key = {0};
        table_key(column, row, &key);
        bool has = key_table_get(s->table, sbuf_view(&key)) != KEY_NONE;
        sbuf_fini(&key);
        return has;
    }
    for (uint32_t i = 0; i < s->count; i++)
        if (cell_equal(s->few[i].column, s->few[i].row, column, row))
            return true;
    return false;
}

static void put(struct seen *s, const struct column *column, uint32_t row)
{
    struct sbuf key = {0};
    bool is_new;
    table_key(column, row, &key);
    key_table_put(s->table, sbuf_view(&key), &is_new);
    sbuf_fini(&key);
}

bool seen_add(struct seen *s, const struct column *column, uint32_t row)
{
    if (seen_has(s, column, row))
        return false;
    if (s->table == NULL && s->count < SEEN_LINEAR) {
        s->few[s->count].column = column;
        s->few[s->count++].row = row;
        return true;
    }
    if (s->table == NULL) {
        s->table = mem_new(sizeof(*s->table));
        for (uint32_t i = 0; i < s->count; i++)
            put(s, s->few[i].column, s->few[i].row);
    }
    put(s, column, row);
    return true;
}

void seen_fini(struct seen *s)
{
    if (s->table)
        key_table_fini(s->table);
    mem_free(s->table);
    *s = (struct seen){.count = 0};
}

/* See gather.h.
 *
 * Each level first resolves every result row to (source, index into its arrays), with NULLs and encodings out
 * of the way; then one loop by width copies. Nested types go down a level with new row lists. */
#include "op/gather.h"

struct column column_nulls(const struct type *type, uint32_t rows, struct arena *arena)
{
    struct column column;
    column_layout(&column, type, 1, arena);
    if (type->kind != TYPE_NULL)
        column.validity = arena_zalloc(arena, 1);
    for (uint32_t i = 0; type->kind == TYPE_STRUCT && i < type->field_count; i++) {
        struct column *child = &column.children[i];
        *child = column_nulls(type->fields[i].type, 1, arena);
        child->encoding = COLUMN_FLAT;
    }
    column.encoding = COLUMN_CONSTANT;
    column.rows = rows;
    return column;
}

struct column column_indirect(const struct column *column, const uint32_t *rows, uint32_t count,
                              struct arena *arena)
{
    struct column out = {.type = column->type, .encoding = COLUMN_DICTIONARY, .rows = count};
    if (column->encoding == COLUMN_CONSTANT || column->type->kind == TYPE_NULL) {
        out = *column;
        out.rows = count;
        return out;
    }
    if (column->encoding == COLUMN_FLAT) {
        struct column *dictionary = arena_new(arena, struct column);
        *dictionary = *column;
        out.dictionary = dictionary;
        out.indices = (uint32_t *)rows; /* never written through */
        return out;
    }
    out.dictionary = column->dictionary;
    out.indices = arena_array(arena, uint32_t, count);
    if (column->validity)
        out.validity = arena_zalloc(arena, (count + 7) / 8);
    for (uint32_t i = 0; i < count; i++) {
        out.indices[i] = column->indices[rows[i]];
        if (out.validity && bit_get(column->validity, rows[i]))
            bit_set(out.validity, i);
    }
    return out;
}

/* Result rows of one level: at[i] in the arrays of values[from[i]], or GATHER_NULL. */
struct resolved {
    const struct column **values;
    uint32_t source_count;
    const uint32_t *from; /* NULL = all 0 */
    uint32_t *at;
    uint32_t count;
    bool any_null;
};

static uint32_t resolve_row(const struct column *column, uint32_t row)
{
    const struct column *values;
    if (row == GATHER_NULL ||
        (column->encoding == COLUMN_DICTIONARY && column->validity && !bit_get(column->validity, row)))
        return GATHER_NULL;
    uint32_t at = column_resolve(column, row, &values);
    if (values->type->kind == TYPE_NULL || (values->validity && !bit_get(values->validity, at)))
        return GATHER_NULL;
    return at;
}

static void resolve_flat(struct resolved *r, const struct column *column, const uint32_t *rows)
{
    uint32_t nulls = 0;
    for (uint32_t i = 0; i < r->count; i++) {
        r->at[i] = resolve_row(column, rows[i]);
        nulls |= r->at[i] == GATHER_NULL;
    }
    r->any_null = nulls != 0;
}

static struct resolved resolve(const struct column *const *sources, uint32_t source_count,
                               const uint32_t *from, const uint32_t *rows, uint32_t count,
                               struct arena *arena)
{
    struct resolved r = {.source_count = source_count, .from = from, .count = count};
    r.at = arena_array(arena, uint32_t, count);
    r.values = arena_array(arena, const struct column *, source_count);
    for (uint32_t s = 0; s < source_count; s++)
        r.values[s] = sources[s]->encoding == COLUMN_DICTIONARY ? sources[s]->dictionary : sources[s];
    if (from == NULL) {
        resolve_flat(&r, sources[0], rows);
        return r;
    }
    for (uint32_t i = 0; i < count; i++) {
        r.at[i] = resolve_row(sources[from[i]], rows[i]);
        r.any_null |= r.at[i] == GATHER_NULL;
    }
    return r;
}

#define COPY(bits)                                                                                           \
    static void copy_##bits(const struct resolved *r, uint##bits##_t *out)                                   \
    {                                                                                                        \
        if (r->from == NULL && !r->any_null) {                                                               \
            const uint##bits##_t *data = r->values[0]->data;                                                 \
            for (uint32_t i = 0; i < r->count; i++)                                                          \
                out[i] = data[r->at[i]];                                                                     \
            return;                                                                                          \
        }                                                                                                    \
        for (uint32_t i = 0; i < r->count; i++)                                                              \
            out[i] = r->at[i] == GATHER_NULL                                                                 \
                         ? 0                                                                                 \
                         : ((const uint##bits##_t *)r->values[r->from ? r->from[i] : 0]->data)[r->at[i]];    \
    }
COPY(8)
COPY(16)
COPY(32)
COPY(64)

struct wide {
    uint64_t half[2];
};

static void copy_wide(const struct resolved *r, struct wide *out)
{
    for (uint32_t i = 0; i < r->count; i++) {
        if (r->at[i] == GATHER_NULL)
            out[i] = (struct wide){{0, 0}};
        else
            out[i] = ((const struct wide *)r->values[r->from ? r->from[i] : 0]->data)[r->at[i]];
    }
}

static void gather_lists(struct column *out, const struct resolved *r, struct arena *arena)
{
    uint32_t total = 0;
    for (uint32_t i = 0; i < r->count; i++) {
        const struct column *values = r->values[r->from ? r->from[i] : 0];
        out->offsets[i] = total;
        if (r->at[i] != GATHER_NULL)
            total += values->offsets[r->at[i] + 1] - values->offsets[r->at[i]];
    }
    out->offsets[r->count] = total;
    uint32_t *rows = arena_array(arena, uint32_t, total);
    uint32_t *from = r->from ? arena_array(arena, uint32_t, total) : NULL;
    for (uint32_t i = 0; i < r->count; i++) {
        uint32_t n = out->offsets[i + 1] - out->offsets[i], s = r->from ? r->from[i] : 0;
        for (uint32_t k = 0; k < n; k++) {
            rows[out->offsets[i] + k] = r->values[s]->offsets[r->at[i]] + k;
            if (from)
                from[out->offsets[i] + k] = s;
        }
    }
    const struct column **children = arena_array(arena, const struct column *, r->source_count);
    for (uint32_t f = 0; f < out->type->field_count; f++) {
        for (uint32_t s = 0; s < r->source_count; s++)
            children[s] = &r->values[s]->children[f];
        out->children[f] = column_gather(out->type->fields[f].type, children, r->source_count, from, rows,
                                         total, arena);
    }
}

static void gather_fields(struct column *out, const struct resolved *r, struct arena *arena)
{
    bool variant = out->type->kind == TYPE_VARIANT;
    uint32_t fields = variant ? 2 : out->type->field_count;
    const struct column **children = arena_array(arena, const struct column *, r->source_count);
    for (uint32_t f = 0; f < fields; f++) {
        const struct type *type = variant ? type_simple(TYPE_BINARY) : out->type->fields[f].type;
        for (uint32_t s = 0; s < r->source_count; s++)
            children[s] = &r->values[s]->children[f];
        out->children[f] = column_gather(type, children, r->source_count, r->from, r->at, r->count, arena);
    }
}

static void set_validity(struct column *out, const struct resolved *r, struct arena *arena)
{
    if (!r->any_null)
        return;
    out->validity = arena_zalloc(arena, (r->count + 7) / 8);
    for (uint32_t i = 0; i < r->count; i++)
        if (r->at[i] != GATHER_NULL)
            bit_set(out->validity, i);
}

struct column column_gather(const struct type *type, const struct column *const *sources,
                            uint32_t source_count, const uint32_t *source, const uint32_t *rows,
                            uint32_t count, struct arena *arena)
{
    CHECK(source_count > 0);
    struct column out = {.type = type, .encoding = COLUMN_FLAT, .rows = count};
    if (type->kind == TYPE_NULL)
        return out;
    struct resolved r = resolve(sources, source_count, source, rows, count, arena);
    set_validity(&out, &r, arena);
    if (type->kind == TYPE_ARRAY || type->kind == TYPE_MAP) {
        out.offsets = arena_array(arena, uint32_t, (size_t)count + 1);
        out.children = arena_zarray(arena, struct column, type->field_count);
        gather_lists(&out, &r, arena);
        return out;
    }
    if (type->kind == TYPE_STRUCT || type->kind == TYPE_VARIANT) {
        out.children = arena_zarray(arena, struct column, type->kind == TYPE_VARIANT ? 2 : type->field_count);
        gather_fields(&out, &r, arena);
        return out;
    }
    out.data = arena_array(arena, uint8_t, mem_product(count, type_width(type)));
    switch (type_width(type)) {
    case 1: copy_8(&r, out.data); break;
    case 2: copy_16(&r, out.data); break;
    case 4: copy_32(&r, out.data); break;
    case 8: copy_64(&r, out.data); break;
    default: copy_wide(&r, out.data); break;
    }
    return out;
}

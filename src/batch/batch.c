/* Batches and columns: shape, reading, gathering.
 *
 * Everything that moves rows is one function, take(): rows of a column in any encoding, gathered into a
 * flat one. It resolves the encoding once, to an array of physical rows and the column that they are in,
 * and then copies type by type. Flattening is taking all rows; a deep copy is taking, and then bringing
 * the far bytes of the views along. */
#include "batch/batch.h"

#include "base/check.h"

int view_cmp(const struct view *a, const struct view *b)
{
    uint32_t n = a->size < b->size ? a->size : b->size;
    int c = memcmp(view_bytes(a), view_bytes(b), n);
    return c ? c : (a->size > b->size) - (a->size < b->size);
}

/* ---- life of a batch ----------------------------------------------------------------------------------- */

struct batch *batch_new(void)
{
    struct batch *batch = mem_new(sizeof *batch);
    batch->partition = -1;
    return batch;
}

void batch_reset(struct batch *batch)
{
    for (uint32_t i = 0; i < batch->buf_count; i++)
        buf_unref(batch->bufs[i]);
    batch->buf_count = 0;
    arena_reset(&batch->arena);
    batch->schema = NULL;
    batch->rows = 0;
    batch->columns = NULL;
    batch->change = NULL;
    batch->partition = -1;
    batch->offset = NULL;
    batch->event_time = NULL;
}

void batch_free(struct batch *batch)
{
    if (batch == NULL)
        return;
    batch_reset(batch);
    arena_fini(&batch->arena);
    mem_free(batch->bufs);
    mem_free(batch);
}

void batch_hold(struct batch *batch, struct buf *buf)
{
    if (batch->buf_count > 0 && batch->bufs[batch->buf_count - 1] == buf)
        return;
    size_t capacity = batch->buf_capacity;
    batch->bufs = mem_grow(batch->bufs, &capacity, (size_t)batch->buf_count + 1, sizeof(struct buf *));
    batch->buf_capacity = (uint32_t)capacity;
    batch->bufs[batch->buf_count++] = buf_ref(buf);
}

void batch_hold_all(struct batch *batch, const struct batch *from)
{
    CHECK(batch != from);
    for (uint32_t i = 0; i < from->buf_count; i++)
        batch_hold(batch, from->bufs[i]);
}

/* ---- shape --------------------------------------------------------------------------------------------- */

uint32_t column_child_count(const struct type *type)
{
    return type->kind == TYPE_VARIANT ? 2 : type->field_count;
}

const struct type *column_child_type(const struct type *type, uint32_t i)
{
    return type->kind == TYPE_VARIANT ? type_simple(TYPE_BINARY) : type->fields[i].type;
}

void column_layout(struct column *column, const struct type *type, uint32_t rows, struct arena *arena)
{
    DCHECK(column != NULL);
    *column = (struct column){.type = type, .encoding = COLUMN_FLAT, .rows = rows};
    size_t width = type_width(type);
    if (width > 0)
        column->data = arena_zalloc(arena, mem_product(rows, width));
    bool is_list = type->kind == TYPE_ARRAY || type->kind == TYPE_MAP;
    if (is_list)
        column->offsets = arena_zarray(arena, uint32_t, (size_t)rows + 1);
    uint32_t children = column_child_count(type);
    if (children == 0)
        return;
    column->children = arena_array(arena, struct column, children);
    for (uint32_t i = 0; i < children; i++)
        column_layout(&column->children[i], column_child_type(type, i), is_list ? 0 : rows, arena);
}

void batch_layout(struct batch *batch, const struct type *schema, uint32_t rows)
{
    CHECK(schema->kind == TYPE_STRUCT);
    batch->schema = schema;
    batch->rows = rows;
    batch->columns = arena_array(&batch->arena, struct column, schema->field_count);
    for (uint32_t i = 0; i < schema->field_count; i++)
        column_layout(&batch->columns[i], schema->fields[i].type, rows, &batch->arena);
}

/* ---- reading ------------------------------------------------------------------------------------------- */

bool column_is_null(const struct column *column, uint32_t row)
{
    DCHECK(row < column->rows);
    if (column->type->kind == TYPE_NULL)
        return true;
    const struct column *values;
    uint32_t i = column_resolve(column, row, &values);
    if (column->validity != NULL && !bit_get(column->validity, column->encoding == COLUMN_CONSTANT ? 0 : row))
        return true;
    return values != column && values->validity != NULL && !bit_get(values->validity, i);
}

static struct value nested_value(const struct column *values, uint32_t i, struct arena *arena)
{
    struct value v = {.type = values->type};
    uint32_t children = values->type->field_count;
    uint32_t from = i, count = children;
    if (values->offsets != NULL) {
        from = values->offsets[i];
        count = values->offsets[i + 1] - from;
    }
    size_t n = values->offsets != NULL ? (size_t)count * children : children;
    struct value *items = arena_array(arena, struct value, n);
    for (size_t k = 0; k < n; k++) {
        uint32_t child = (uint32_t)(k % children),
                 row = from + (uint32_t)(values->offsets ? k / children : 0);
        items[k] = column_value(&values->children[child], row, arena);
    }
    v.nested.count = count;
    v.nested.items = items;
    return v;
}

struct value column_value(const struct column *column, uint32_t row, struct arena *arena)
{
    if (column_is_null(column, row))
        return value_null(column->type);
    const struct column *values;
    uint32_t i = column_resolve(column, row, &values);
    struct value v = {.type = column->type};
    switch (column->type->kind) {
    case TYPE_BOOLEAN: v.boolean = ((const uint8_t *)values->data)[i] != 0; break;
    case TYPE_BYTE:
        v.i64 = ((const int8_t *)values->data)[i]; /* NOLINT(bugprone-signed-char-misuse): signed */
        break;
    case TYPE_SHORT: v.i64 = ((const int16_t *)values->data)[i]; break;
    case TYPE_INT:
    case TYPE_DATE:
    case TYPE_INTERVAL_YM: v.i64 = ((const int32_t *)values->data)[i]; break;
    case TYPE_LONG:
    case TYPE_TIMESTAMP:
    case TYPE_TIMESTAMP_NTZ:
    case TYPE_INTERVAL_DT: v.i64 = ((const int64_t *)values->data)[i]; break;
    case TYPE_FLOAT: v.f64 = (double)((const float *)values->data)[i]; break;
    case TYPE_DOUBLE: v.f64 = ((const double *)values->data)[i]; break;
    case TYPE_DECIMAL: v.decimal = ((const i128 *)values->data)[i]; break;
    case TYPE_STRING:
    case TYPE_BINARY: v.str = view_str(&((const struct view *)values->data)[i]); break;
    case TYPE_VARIANT:
        v.metadata = column_value(&values->children[0], i, arena).str;
        v.str = column_value(&values->children[1], i, arena).str;
        break;
    default: return nested_value(values, i, arena);
    }
    return v;
}

static uint32_t count_zero_bits(const uint8_t *bits, uint32_t n)
{
    uint32_t ones = 0, i = 0;
    for (; i + 64 <= n; i += 64) {
        uint64_t word;
        memcpy(&word, bits + i / 8, 8);
        ones += (uint32_t)__builtin_popcountll(word);
    }
    for (; i < n; i++)
        ones += bit_get(bits, i);
    return n - ones;
}

uint32_t column_null_count(const struct column *column)
{
    if (column->type->kind == TYPE_NULL)
        return column->rows;
    if (column->encoding == COLUMN_CONSTANT)
        return column->rows > 0 && column_is_null(column, 0) ? column->rows : 0;
    if (column->encoding == COLUMN_FLAT || column->dictionary->validity == NULL)
        return column->validity ? count_zero_bits(column->validity, column->rows) : 0;
    uint32_t n = 0;
    for (uint32_t i = 0; i < column->rows; i++)
        n += column_is_null(column, i);
    return n;
}

uint8_t *column_need_validity(struct column *column, struct arena *arena)
{
    if (column->validity == NULL) {
        size_t bytes = column->encoding == COLUMN_CONSTANT ? 1 : ((size_t)column->rows + 7) / 8;
        column->validity = memset(arena_alloc(arena, bytes), 0xFF, bytes);
    }
    return column->validity;
}

/* ---- gathering ----------------------------------------------------------------------------------------- */

/* The validity of rows[count] of a column in any encoding below a parent of that validity (NULL: none is
 * null): a null parent's children are null, whatever an encoding said of them below it. NULL when no row
 * is null. */
static uint8_t *take_validity(const struct column *column, const uint32_t *rows, uint32_t count,
                              const uint8_t *parent, struct arena *arena)
{
    bool in_dictionary = column->encoding == COLUMN_DICTIONARY && column->dictionary->validity != NULL;
    if (column->validity == NULL && !in_dictionary && parent == NULL)
        return NULL;
    size_t bytes = ((size_t)count + 7) / 8;
    uint8_t *validity = arena_alloc(arena, bytes);
    if (parent != NULL)
        memcpy(validity, parent, bytes);
    else
        memset(validity, 0xFF, bytes);
    if (column->validity != NULL && column->encoding != COLUMN_CONSTANT && !in_dictionary) {
        for (uint32_t i = 0; i < count; i++) {
            unsigned null = !bit_get(column->validity, rows[i]);
            validity[i >> 3] &= (uint8_t) ~(null << (i & 7));
        }
    } else if (column->validity != NULL || in_dictionary) {
        for (uint32_t i = 0; i < count; i++)
            if (column_is_null(column, rows[i]))
                bit_clear(validity, i);
    }
    return count_zero_bits(validity, count) > 0 ? validity : NULL;
}

static struct column take(const struct column *column, const uint32_t *rows, uint32_t count,
                          const uint8_t *parent, struct arena *arena);

#define GATHER(T)                                                                                            \
    do {                                                                                                     \
        T *restrict to = out->data;                                                                          \
        const T *restrict from = values->data;                                                               \
        for (uint32_t i = 0; i < count; i++)                                                                 \
            to[i] = from[rows[i]];                                                                           \
    } while (0)

static void take_fixed(struct column *out, const struct column *values, const uint32_t *rows, uint32_t count,
                       size_t width, struct arena *arena)
{
    out->data = arena_alloc(arena, mem_product(count, width));
    switch (width) {
    case 1: GATHER(uint8_t); break;
    case 2: GATHER(uint16_t); break;
    case 4: GATHER(uint32_t); break;
    case 8: GATHER(uint64_t); break;
    case 16: GATHER(i128); break;
    default: UNREACHABLE("a width is a power of two up to 16");
    }
}

static void take_list(struct column *out, const struct column *values, const uint32_t *rows,
                      struct arena *arena)
{
    uint32_t count = out->rows, children = column_child_count(values->type);
    out->offsets = arena_array(arena, uint32_t, (size_t)count + 1);
    uint64_t total = 0;
    out->offsets[0] = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (out->validity == NULL || bit_get(out->validity, i))
            total += values->offsets[rows[i] + 1] - values->offsets[rows[i]];
        CHECK(total < UINT32_MAX);
        out->offsets[i + 1] = (uint32_t)total;
    }
    uint32_t *elements = arena_array(arena, uint32_t, total), *at = elements;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t n = out->offsets[i + 1] - out->offsets[i];
        for (uint32_t k = 0; k < n; k++)
            *at++ = values->offsets[rows[i]] + k;
    }
    out->children = arena_array(arena, struct column, children);
    for (uint32_t c = 0; c < children; c++)
        out->children[c] = column_take(&values->children[c], elements, (uint32_t)total, arena);
}

static void take_struct(struct column *out, const struct column *values, const uint32_t *rows,
                        struct arena *arena)
{
    uint32_t children = column_child_count(values->type);
    out->children = arena_array(arena, struct column, children);
    for (uint32_t c = 0; c < children; c++)
        out->children[c] = take(&values->children[c], rows, out->rows, out->validity, arena);
}

/* The physical rows, in *values, of rows[count] of an encoded column. */
static const uint32_t *resolve(const struct column *column, const uint32_t *rows, uint32_t count,
                               const struct column **values, struct arena *arena)
{
    *values = column;
    if (column->encoding == COLUMN_FLAT)
        return rows;
    if (column->encoding == COLUMN_CONSTANT)
        return arena_zarray(arena, uint32_t, count);
    *values = column->dictionary;
    uint32_t *physical = arena_array(arena, uint32_t, count);
    for (uint32_t i = 0; i < count; i++)
        physical[i] = column->indices[rows[i]];
    return physical;
}

static struct column take(const struct column *column, const uint32_t *rows, uint32_t count,
                          const uint8_t *parent, struct arena *arena)
{
    struct column out = {.type = column->type, .encoding = COLUMN_FLAT, .rows = count};
    if (column->type->kind == TYPE_NULL)
        return out;
    out.validity = take_validity(column, rows, count, parent, arena);
    const struct column *values;
    rows = resolve(column, rows, count, &values, arena);
    size_t width = type_width(column->type);
    if (width > 0)
        take_fixed(&out, values, rows, count, width, arena);
    else if (column->type->kind == TYPE_ARRAY || column->type->kind == TYPE_MAP)
        take_list(&out, values, rows, arena);
    else
        take_struct(&out, values, rows, arena);
    return out;
}

struct column column_take(const struct column *column, const uint32_t *rows, uint32_t count,
                          struct arena *arena)
{
    return take(column, rows, count, NULL, arena);
}

static bool is_flat(const struct column *column)
{
    if (column->encoding != COLUMN_FLAT)
        return false;
    for (uint32_t i = 0; column->children != NULL && i < column_child_count(column->type); i++)
        if (!is_flat(&column->children[i]))
            return false;
    return true;
}

struct column column_flatten(const struct column *column, struct arena *arena)
{
    if (is_flat(column))
        return *column;
    if (column->encoding == COLUMN_FLAT) {
        struct column out = *column;
        uint32_t children = column_child_count(column->type);
        out.children = arena_array(arena, struct column, children);
        for (uint32_t i = 0; i < children; i++)
            out.children[i] = column_flatten(&column->children[i], arena);
        return out;
    }
    uint32_t *rows = arena_array(arena, uint32_t, column->rows);
    for (uint32_t i = 0; i < column->rows; i++)
        rows[i] = i;
    return column_take(column, rows, column->rows, arena);
}

/* ---- whole batches ------------------------------------------------------------------------------------- */

/* Copies what the views of a flat column point at into arena, in one piece. */
static void own_views(struct column *column, struct arena *arena)
{
    struct view *views = column->data;
    size_t total = 0;
    for (uint32_t i = 0; i < column->rows; i++)
        total += views[i].size > VIEW_INLINE ? views[i].size : 0;
    if (total == 0)
        return;
    char *at = arena_alloc(arena, total);
    for (uint32_t i = 0; i < column->rows; i++) {
        if (views[i].size <= VIEW_INLINE)
            continue;
        memcpy(at, views[i].far.p, views[i].size);
        views[i].far.p = at;
        at += views[i].size;
    }
}

void column_own_bytes(struct column *column, struct arena *arena)
{
    CHECK(column->encoding == COLUMN_FLAT);
    if (type_is_view(column->type))
        own_views(column, arena);
    for (uint32_t i = 0; column->children != NULL && i < column_child_count(column->type); i++)
        column_own_bytes(&column->children[i], arena);
}

static void set_type(struct column *column, const struct type *type)
{
    DCHECK(column != NULL);
    column->type = type;
    for (uint32_t i = 0; i < type->field_count; i++)
        set_type(&column->children[i], type->fields[i].type);
}

static void *take_array(void *from, size_t width, const uint32_t *rows, uint32_t count, struct arena *arena)
{
    if (from == NULL)
        return NULL;
    struct column in = {.data = from}, out = {0};
    take_fixed(&out, &in, rows, count, width, arena);
    return out.data;
}

void batch_take(struct batch *out, const struct batch *from, const uint32_t *rows, uint32_t count, bool deep)
{
    CHECK(out != from);
    uint32_t columns = from->schema->field_count;
    out->schema = deep ? type_copy(&out->arena, from->schema) : from->schema;
    out->rows = count;
    out->columns = arena_array(&out->arena, struct column, columns);
    for (uint32_t i = 0; i < columns; i++) {
        out->columns[i] = column_take(&from->columns[i], rows, count, &out->arena);
        if (deep) {
            column_own_bytes(&out->columns[i], &out->arena);
            set_type(&out->columns[i], out->schema->fields[i].type);
        }
    }
    out->change = take_array(from->change, sizeof *from->change, rows, count, &out->arena);
    out->offset = take_array(from->offset, sizeof *from->offset, rows, count, &out->arena);
    out->event_time = take_array(from->event_time, sizeof *from->event_time, rows, count, &out->arena);
    out->partition = from->partition;
    if (!deep)
        batch_hold_all(out, from);
}

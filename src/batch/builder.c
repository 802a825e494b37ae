/* Builders: columns that grow row by row, by doubling in the arena.
 *
 * The arena cannot give back what a doubled array leaves behind, so a builder's peak is twice its result;
 * callers that know their row count reserve it. */
#include "base/check.h"
#include "base/utf8.h"
#include "batch/batch.h"

enum {
    ROWS_MIN = 64,
    COLUMN_ROWS_MAX = 1 << 30, /* elements of the lists of one batch; capacity doubles without overflow */
};

static bool is_list(const struct type *type)
{
    return type->kind == TYPE_ARRAY || type->kind == TYPE_MAP;
}

void column_builder_init(struct column_builder *b, const struct type *type, struct arena *arena)
{
    *b = (struct column_builder){.type = type, .arena = arena};
    uint32_t children = column_child_count(type);
    b->children = children ? arena_array(arena, struct column_builder, children) : NULL;
    for (uint32_t i = 0; i < children; i++)
        column_builder_init(&b->children[i], column_child_type(type, i), arena);
    column_builder_reserve(b, 0);
}

static void *grow(struct arena *arena, const void *old, size_t used, size_t size)
{
    void *p = arena_alloc(arena, size);
    if (used > 0)
        memcpy(p, old, used);
    return p;
}

void column_builder_reserve(struct column_builder *b, uint32_t count)
{
    CHECK((uint64_t)b->rows + count <= COLUMN_ROWS_MAX);
    uint32_t wanted = b->rows + count;
    if (b->capacity > 0 && wanted <= b->capacity)
        return;
    uint64_t capacity = b->capacity ? b->capacity : ROWS_MIN;
    while (capacity < wanted)
        capacity *= 2;
    size_t width = type_width(b->type), used_bits = ((size_t)b->rows + 7) / 8;
    b->validity = grow(b->arena, b->validity, used_bits, capacity / 8);
    memset(b->validity + used_bits, 0xFF, capacity / 8 - used_bits);
    if (width > 0)
        b->data = grow(b->arena, b->data, b->rows * width, mem_product(capacity, width));
    if (is_list(b->type)) {
        size_t used = b->offsets ? (size_t)b->rows + 1 : 0;
        b->offsets = grow(b->arena, b->offsets, used * sizeof(uint32_t), (capacity + 1) * sizeof(uint32_t));
        b->offsets[0] = 0;
    }
    b->capacity = (uint32_t)capacity;
}

/* Opens one more row that is not null; returns its index. */
static inline uint32_t push(struct column_builder *b)
{
    if (__builtin_expect(b->rows == b->capacity, 0))
        column_builder_reserve(b, 1);
    return b->rows++;
}

void column_builder_null(struct column_builder *b)
{
    uint32_t i = push(b);
    bit_clear(b->validity, i);
    b->null_count++;
    size_t width = type_width(b->type);
    if (width > 0)
        memset((char *)b->data + i * width, 0, width);
    if (is_list(b->type)) {
        CHECK(b->children[0].rows == b->offsets[i]);
        b->offsets[i + 1] = b->offsets[i];
        return;
    }
    for (uint32_t c = 0; c < column_child_count(b->type); c++)
        column_builder_null(&b->children[c]);
}

void column_builder_bool(struct column_builder *b, bool v)
{
    DCHECK(b->type->kind == TYPE_BOOLEAN);
    uint32_t i = push(b);
    ((uint8_t *)b->data)[i] = v;
}

void column_builder_i64(struct column_builder *b, int64_t v)
{
    uint32_t i = push(b);
    switch (b->type->kind) {
    case TYPE_BYTE:
        DCHECK(v == (int8_t)v);
        ((int8_t *)b->data)[i] = (int8_t)v;
        break;
    case TYPE_SHORT:
        DCHECK(v == (int16_t)v);
        ((int16_t *)b->data)[i] = (int16_t)v;
        break;
    case TYPE_INT:
    case TYPE_DATE:
    case TYPE_INTERVAL_YM:
        DCHECK(v == (int32_t)v);
        ((int32_t *)b->data)[i] = (int32_t)v;
        break;
    case TYPE_LONG:
    case TYPE_TIMESTAMP:
    case TYPE_TIMESTAMP_NTZ:
    case TYPE_INTERVAL_DT: ((int64_t *)b->data)[i] = v; break;
    default: UNREACHABLE("the column is not of integers");
    }
}

void column_builder_f64(struct column_builder *b, double v)
{
    uint32_t i = push(b);
    if (b->type->kind == TYPE_FLOAT) {
        ((float *)b->data)[i] = (float)v;
    } else {
        DCHECK(b->type->kind == TYPE_DOUBLE);
        ((double *)b->data)[i] = v;
    }
}

void column_builder_decimal(struct column_builder *b, i128 v)
{
    DCHECK(b->type->kind == TYPE_DECIMAL);
    uint32_t i = push(b);
    ((i128 *)b->data)[i] = v;
}

void column_builder_str(struct column_builder *b, struct str s, bool copy)
{
    DCHECK(type_is_view(b->type));
    CHECK(s.n <= UINT32_MAX);
    uint32_t i = push(b);
    const char *p = copy && s.n > VIEW_INLINE ? arena_dup(b->arena, s.p, s.n) : s.p;
    ((struct view *)b->data)[i] = view_of(p, s.n);
}

void column_builder_nested(struct column_builder *b)
{
    uint32_t i = push(b);
    uint32_t children = column_child_count(b->type), rows = i + 1;
    if (is_list(b->type)) {
        rows = b->children[0].rows;
        CHECK(rows >= b->offsets[i]);
        b->offsets[i + 1] = rows;
    }
    for (uint32_t c = 0; c < children; c++)
        CHECK(b->children[c].rows == rows);
}

static void nested_value(struct column_builder *b, const struct value *v)
{
    uint32_t children = b->type->field_count;
    size_t n = is_list(b->type) ? (size_t)v->nested.count * children : children;
    CHECK(is_list(b->type) || v->nested.count == children);
    for (size_t i = 0; i < n; i++)
        column_builder_value(&b->children[i % children], &v->nested.items[i]);
    column_builder_nested(b);
}

void column_builder_value(struct column_builder *b, const struct value *v)
{
    if (v->is_null) {
        column_builder_null(b);
        return;
    }
    switch (b->type->kind) {
    case TYPE_BOOLEAN: column_builder_bool(b, v->boolean); break;
    case TYPE_FLOAT:
    case TYPE_DOUBLE: column_builder_f64(b, v->f64); break;
    case TYPE_DECIMAL: column_builder_decimal(b, v->decimal); break;
    case TYPE_STRING:
    case TYPE_BINARY: column_builder_str(b, v->str, true); break;
    case TYPE_VARIANT:
        column_builder_str(&b->children[0], v->metadata, true);
        column_builder_str(&b->children[1], v->str, true);
        column_builder_nested(b);
        break;
    case TYPE_ARRAY:
    case TYPE_MAP:
    case TYPE_STRUCT: nested_value(b, v); break;
    default: column_builder_i64(b, v->i64);
    }
}

/* ---- appending columns --------------------------------------------------------------------------------- */

/* Appends a flat column, whose arrays are all that it needs, to the builder. */
static void append_flat(struct column_builder *b, const struct column *from)
{
    uint32_t at = b->rows, n = from->rows;
    size_t width = type_width(b->type);
    column_builder_reserve(b, n);
    b->rows += n;
    if (b->type->kind == TYPE_NULL)
        b->null_count += n;
    for (uint32_t i = 0; from->validity != NULL && i < n; i++)
        if (!bit_get(from->validity, i)) {
            bit_clear(b->validity, at + i);
            b->null_count++;
        }
    if (width > 0 && n > 0)
        memcpy((char *)b->data + at * width, from->data, n * width);
    uint32_t base = is_list(b->type) ? b->offsets[at] : 0;
    for (uint32_t i = 0; is_list(b->type) && i < n; i++)
        b->offsets[at + i + 1] = base + from->offsets[i + 1];
    for (uint32_t c = 0; c < column_child_count(b->type); c++) {
        append_flat(&b->children[c], &from->children[c]);
        CHECK(b->children[c].rows == (is_list(b->type) ? b->offsets[b->rows] : b->rows));
    }
}

void column_builder_append(struct column_builder *b, const struct column *column, const uint32_t *rows,
                           uint32_t count, bool copy)
{
    DCHECK(type_same(b->type, column->type));
    struct arena scratch = {0};
    if (rows == NULL) {
        uint32_t *all = arena_array(&scratch, uint32_t, count);
        for (uint32_t i = 0; i < count; i++)
            all[i] = i;
        rows = all;
    }
    struct column taken = column_take(column, rows, count, &scratch);
    if (copy)
        column_own_bytes(&taken, b->arena);
    append_flat(b, &taken);
    arena_fini(&scratch);
}

void column_builder_truncate(struct column_builder *b, uint32_t rows)
{
    CHECK(rows <= b->rows);
    if (b->type->kind == TYPE_NULL)
        b->null_count = rows;
    for (uint32_t i = rows; b->null_count > 0 && i < b->rows; i++)
        if (b->type->kind != TYPE_NULL && !bit_get(b->validity, i)) {
            bit_set(b->validity, i);
            b->null_count--;
        }
    b->rows = rows;
    uint32_t child_rows = is_list(b->type) ? b->offsets[rows] : rows;
    for (uint32_t c = 0; c < column_child_count(b->type); c++)
        column_builder_truncate(&b->children[c], child_rows);
}

struct column column_builder_finish(struct column_builder *b)
{
    struct column column = {
        .type = b->type,
        .encoding = COLUMN_FLAT,
        .rows = b->rows,
        .validity = b->null_count > 0 && b->type->kind != TYPE_NULL ? b->validity : NULL,
        .data = b->data,
        .offsets = b->offsets,
    };
    uint32_t children = column_child_count(b->type);
    column.children = children ? arena_array(b->arena, struct column, children) : NULL;
    for (uint32_t c = 0; c < children; c++)
        column.children[c] = column_builder_finish(&b->children[c]);
    return column;
}

/* ---- batches ------------------------------------------------------------------------------------------- */

void batch_builder_init(struct batch_builder *b, struct batch *batch, const struct type *schema)
{
    CHECK(schema->kind == TYPE_STRUCT && batch->columns == NULL);
    *b = (struct batch_builder){.batch = batch, .partition = -1};
    batch->schema = schema;
    b->columns = arena_array(&batch->arena, struct column_builder, schema->field_count);
    for (uint32_t i = 0; i < schema->field_count; i++)
        column_builder_init(&b->columns[i], schema->fields[i].type, &batch->arena);
}

static void *hidden_grow(struct batch_builder *b, void *old, size_t width, uint32_t used, uint32_t capacity)
{
    return old ? grow(&b->batch->arena, old, used * width, capacity * width) : NULL;
}

/* Room for count more rows in those hidden columns that exist, and existence for those that `from` brings. */
static void hidden_reserve(struct batch_builder *b, const struct batch *from, uint32_t count)
{
    uint32_t used = b->hidden_rows, wanted = used + count;
    if (wanted > b->hidden_capacity) {
        uint32_t capacity = b->hidden_capacity ? b->hidden_capacity : ROWS_MIN;
        while (capacity < wanted)
            capacity *= 2;
        b->change = hidden_grow(b, b->change, sizeof *b->change, used, capacity);
        b->offset = hidden_grow(b, b->offset, sizeof *b->offset, used, capacity);
        b->event_time = hidden_grow(b, b->event_time, sizeof *b->event_time, used, capacity);
        b->hidden_capacity = capacity;
    }
    if (b->change == NULL && from->change != NULL)
        b->change = arena_zalloc(&b->batch->arena, b->hidden_capacity);
    if (b->offset == NULL && from->offset != NULL) {
        b->offset = arena_array(&b->batch->arena, int64_t, b->hidden_capacity);
        for (uint32_t i = 0; i < used; i++)
            b->offset[i] = -1;
    }
    if (b->event_time == NULL && from->event_time != NULL) {
        b->event_time = arena_array(&b->batch->arena, int64_t, b->hidden_capacity);
        for (uint32_t i = 0; i < used; i++)
            b->event_time[i] = EVENT_TIME_NONE.us;
    }
}

static void hidden_append(struct batch_builder *b, const struct batch *from, const uint32_t *rows,
                          uint32_t count)
{
    hidden_reserve(b, from, count);
    uint32_t at = b->hidden_rows;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t row = rows ? rows[i] : i;
        if (b->change != NULL)
            b->change[at + i] = from->change ? from->change[row] : CHANGE_INSERT;
        if (b->offset != NULL)
            b->offset[at + i] = from->offset ? from->offset[row] : -1;
        if (b->event_time != NULL)
            b->event_time[at + i] = from->event_time ? from->event_time[row] : EVENT_TIME_NONE.us;
    }
    if (count > 0)
        b->partition = at == 0 || b->partition == from->partition ? from->partition : -1;
    b->hidden_rows = at + count;
}

void batch_builder_append(struct batch_builder *b, const struct batch *from, const uint32_t *rows,
                          uint32_t count, bool deep)
{
    CHECK(from != b->batch && from->schema->field_count == b->batch->schema->field_count);
    CHECK(b->hidden_rows == batch_builder_rows(b));
    for (uint32_t i = 0; i < from->schema->field_count; i++)
        column_builder_append(&b->columns[i], &from->columns[i], rows, count, deep);
    hidden_append(b, from, rows, count);
    if (!deep)
        batch_hold_all(b->batch, from);
}

void batch_builder_row(struct batch_builder *b, const struct batch *from, uint32_t row)
{
    batch_builder_append(b, from, &row, 1, true);
}

uint32_t batch_builder_rows(const struct batch_builder *b)
{
    return b->batch->schema->field_count > 0 ? b->columns[0].rows : b->hidden_rows;
}

void batch_builder_truncate(struct batch_builder *b, uint32_t rows)
{
    for (uint32_t i = 0; i < b->batch->schema->field_count; i++)
        column_builder_truncate(&b->columns[i], rows);
    if (b->hidden_rows > rows)
        b->hidden_rows = rows;
}

void batch_builder_finish(struct batch_builder *b)
{
    struct batch *batch = b->batch;
    uint32_t columns = batch->schema->field_count;
    batch->rows = batch_builder_rows(b);
    batch->columns = arena_array(&batch->arena, struct column, columns);
    for (uint32_t i = 0; i < columns; i++) {
        CHECK(b->columns[i].rows == batch->rows);
        batch->columns[i] = column_builder_finish(&b->columns[i]);
    }
    if (b->hidden_rows == 0)
        return;
    CHECK(b->hidden_rows == batch->rows);
    batch->change = b->change;
    batch->offset = b->offset;
    batch->event_time = b->event_time;
    batch->partition = b->partition;
}

/* Accumulators that keep values: extremes of texts and nested values, first and last, x of the least y,
 * lists, sets, percentiles, estimates.
 *
 * A kept value is the bytes of its cell (cells.h). To compare with one, it is read back into a column of one
 * row. */
#include <math.h>

#include "op/agg.h"
#include "op/cells.h"
#include "op/eval_private.h"
#include "op/keys.h"
#include "type/decimal.h"

/* ---- blobs --------------------------------------------------------------------------------------------- */

void agg_blob_add(struct agg_blob *blob, struct str bytes, struct agg_states *states)
{
    size_t wanted = (size_t)blob->n + bytes.n;
    CHECK(wanted < UINT32_MAX);
    if (wanted > blob->capacity) {
        size_t capacity = blob->capacity ? blob->capacity : 16;
        while (capacity < wanted)
            capacity *= 2;
        CHECK(capacity < UINT32_MAX);
        states->blob_bytes += capacity - blob->capacity;
        blob->p = mem_resize(blob->p, capacity);
        blob->capacity = (uint32_t)capacity;
    }
    if (bytes.n)
        memcpy(blob->p + blob->n, bytes.p, bytes.n);
    blob->n = (uint32_t)wanted;
}

void agg_blob_set(struct agg_blob *blob, struct str bytes, struct agg_states *states)
{
    blob->n = 0;
    agg_blob_add(blob, bytes, states);
}

void agg_blob_fini(struct agg_blob *blob, struct agg_states *states)
{
    states->blob_bytes -= blob->capacity;
    mem_free(blob->p);
    *blob = (struct agg_blob){0};
}

void agg_blob_write(const struct agg_blob *blob, struct sbuf *out)
{
    sbuf_added(out, put_uvarint((uint8_t *)sbuf_reserve(out, VARINT_MAX), blob->n));
    sbuf_add(out, blob->p, blob->n);
}

bool agg_blob_read(struct agg_blob *blob, struct rd *r, struct agg_states *states)
{
    uint64_t n = rd_uvarint(r);
    const uint8_t *p = n < UINT32_MAX / 2 ? rd_take(r, n) : NULL;
    if (p == NULL)
        return false;
    agg_blob_set(blob, str_n(p, n), states);
    return true;
}

/* The cell as a column of one row. Own bytes: cannot be malformed, but a restored state might be. */
static bool cell_column(const struct type *type, struct str bytes, struct arena *arena, struct column *out)
{
    struct column_builder b;
    struct rd r = rd_of(bytes.p, bytes.n);
    column_builder_init(&b, type, arena);
    if (!cell_read(&r, &b))
        column_builder_truncate(&b, 0);
    if (b.rows == 0)
        column_builder_null(&b);
    *out = column_builder_finish(&b);
    return !r.bad;
}

static void append_cell(struct column_builder *out, struct str bytes)
{
    struct rd r = rd_of(bytes.p, bytes.n);
    uint32_t rows = out->rows;
    if (bytes.n == 0) {
        column_builder_null(out);
    } else if (!cell_read(&r, out)) {
        column_builder_truncate(out, rows);
        column_builder_null(out);
    }
}

/* ---- extremes of texts and nested values; x of the least y --------------------------------------------- */

struct cell_state {
    struct agg_blob value, order; /* empty = none yet; order: the y of min_by */
};

static bool wants_max(const struct agg *agg)
{
    return agg->id == FN_MAX || agg->id == FN_MAX_BY;
}

/* Text against a kept cell without building a column: 1, uvarint length, bytes. */
static int cmp_kept(const struct column *column, uint32_t row, struct str kept, struct arena *arena)
{
    struct column one;
    if (type_is_view(column->type) && column->type->collation == NULL) {
        struct rd r = rd_of(kept.p, kept.n);
        rd_u8(&r);
        uint64_t n = rd_uvarint(&r);
        const uint8_t *p = rd_take(&r, n);
        const struct column *values;
        uint32_t at = column_resolve(column, row, &values);
        return p ? str_cmp(view_str((const struct view *)values->data + at), str_n(p, n)) : 1;
    }
    cell_column(column->type, kept, arena, &one);
    return cell_cmp(column, row, &one, 0);
}

static void extreme_update(const struct agg *agg, struct agg_states *states, const struct column *args,
                           const struct agg_rows *rows)
{
    const struct column *value = &args[0], *order = agg->arg_count > 1 ? &args[1] : &args[0];
    bool max = wants_max(agg);
    struct sbuf bytes = {0};
    for (uint32_t k = 0; k < rows->count; k++) {
        uint32_t row = rows->rows[k];
        struct cell_state *s = (struct cell_state *)(agg_state(states, rows->groups[row]) + agg->offset);
        struct agg_blob *kept = agg->arg_count > 1 ? &s->order : &s->value;
        if (agg_null(order, row))
            continue;
        if (kept->n) {
            int c = cmp_kept(order, row, str_n(kept->p, kept->n), rows->arena);
            if (max ? c <= 0 : c >= 0)
                continue;
        }
        sbuf_clear(&bytes);
        cell_write(order, row, false, &bytes);
        agg_blob_set(kept, sbuf_view(&bytes), states);
        if (agg->arg_count == 1)
            continue;
        sbuf_clear(&bytes);
        cell_write(value, row, false, &bytes);
        agg_blob_set(&s->value, sbuf_view(&bytes), states);
    }
    sbuf_fini(&bytes);
}

static bool cell_finish(const struct agg *agg, const void *state, struct column_builder *out,
                        struct arena *arena, const char **error)
{
    const struct cell_state *s = state;
    append_cell(out, str_n(s->value.p, s->value.n));
    return true;
}

static void cell_state_write(const struct agg *agg, const void *state, struct sbuf *out)
{
    const struct cell_state *s = state;
    agg_blob_write(&s->value, out);
    agg_blob_write(&s->order, out);
}

static bool cell_state_read(const struct agg *agg, void *state, struct rd *r, struct agg_states *states)
{
    struct cell_state *s = state;
    return agg_blob_read(&s->value, r, states) && agg_blob_read(&s->order, r, states);
}

static void cell_drop(void *state, struct agg_states *states)
{
    struct cell_state *s = state;
    agg_blob_fini(&s->value, states);
    agg_blob_fini(&s->order, states);
}

static void first_update(const struct agg *agg, struct agg_states *states, const struct column *args,
                         const struct agg_rows *rows)
{
    struct sbuf bytes = {0};
    bool last = agg->id == FN_LAST;
    for (uint32_t k = 0; k < rows->count; k++) {
        uint32_t row = rows->rows[k];
        struct cell_state *s = (struct cell_state *)(agg_state(states, rows->groups[row]) + agg->offset);
        if ((!last && s->value.n) || (agg->ignore_nulls && agg_null(&args[0], row)))
            continue;
        sbuf_clear(&bytes);
        cell_write(&args[0], row, false, &bytes);
        agg_blob_set(&s->value, sbuf_view(&bytes), states);
    }
    sbuf_fini(&bytes);
}

#define CELL_KIND(update)                                                                                    \
    {                                                                                                        \
        sizeof(struct cell_state), false, update, cell_finish, cell_state_write, cell_state_read, cell_drop  \
    }
const struct agg_kind agg_min_max_cell = CELL_KIND(extreme_update);
const struct agg_kind agg_by = CELL_KIND(extreme_update);
const struct agg_kind agg_first = CELL_KIND(first_update);
const struct agg_kind agg_last = CELL_KIND(first_update);

/* ---- lists --------------------------------------------------------------------------------------------- */

/* Cells of all values that are not NULL, one after the other. */
struct list_state {
    struct agg_blob cells;
    uint32_t count;
};

static void list_add(const struct agg *agg, struct agg_states *states, const struct column *args,
                     const struct agg_rows *rows)
{
    struct sbuf bytes = {0};
    for (uint32_t k = 0; k < rows->count; k++) {
        uint32_t row = rows->rows[k];
        struct list_state *s = (struct list_state *)(agg_state(states, rows->groups[row]) + agg->offset);
        if (agg_null(&args[0], row))
            continue;
        sbuf_clear(&bytes);
        cell_write(&args[0], row, false, &bytes);
        agg_blob_add(&s->cells, sbuf_view(&bytes), states);
        s->count++;
    }
    sbuf_fini(&bytes);
}

static void list_write(const struct agg *agg, const void *state, struct sbuf *out)
{
    const struct list_state *s = state;
    agg_blob_write(&s->cells, out);
    sbuf_added(out, put_uvarint((uint8_t *)sbuf_reserve(out, VARINT_MAX), s->count));
}

static bool list_read(const struct agg *agg, void *state, struct rd *r, struct agg_states *states)
{
    struct list_state *s = state;
    if (!agg_blob_read(&s->cells, r, states))
        return false;
    uint64_t count = rd_uvarint(r);
    s->count = (uint32_t)count;
    return !r->bad && count <= s->cells.n;
}

static void list_drop(void *state, struct agg_states *states)
{
    agg_blob_fini(&((struct list_state *)state)->cells, states);
}

/* All cells as a column. */
static struct column list_column(const struct agg *agg, const struct list_state *s, struct arena *arena)
{
    struct column_builder b;
    struct rd r = rd_of(s->cells.p, s->cells.n);
    column_builder_init(&b, agg->arg_type, arena);
    for (uint32_t i = 0; i < s->count; i++)
        if (!cell_read(&r, &b))
            break;
    return column_builder_finish(&b);
}

static bool collect_finish(const struct agg *agg, const void *state, struct column_builder *out,
                           struct arena *arena, const char **error)
{
    const struct list_state *s = state;
    struct rd r = rd_of(s->cells.p, s->cells.n);
    for (uint32_t i = 0; i < s->count; i++)
        if (!cell_read(&r, &out->children[0]))
            break;
    column_builder_nested(out);
    return true;
}

static bool collect_set_finish(const struct agg *agg, const void *state, struct column_builder *out,
                               struct arena *arena, const char **error)
{
    struct key_table seen = {0};
    struct sbuf key = {0};
    struct column all = list_column(agg, state, arena);
    for (uint32_t i = 0; i < all.rows; i++) {
        bool is_new;
        sbuf_clear(&key);
        cell_write(&all, i, true, &key);
        key_table_put(&seen, sbuf_view(&key), &is_new);
        if (is_new)
            column_builder_append(&out->children[0], &all, &i, 1, true);
    }
    column_builder_nested(out);
    key_table_fini(&seen);
    sbuf_fini(&key);
    return true;
}

static bool listagg_finish(const struct agg *agg, const void *state, struct column_builder *out,
                           struct arena *arena, const char **error)
{
    const struct list_state *s = state;
    struct column all = list_column(agg, s, arena);
    struct str delimiter = STR("");
    struct sbuf text = {0};
    if (s->count == 0) {
        column_builder_null(out);
        return true;
    }
    if (agg->arg_count > 1 && !column_is_null(&agg->constants[1], 0))
        delimiter = view_str(agg->constants[1].data);
    for (uint32_t i = 0; i < all.rows; i++) {
        if (i)
            sbuf_str(&text, delimiter);
        sbuf_str(&text, view_str((struct view *)all.data + i));
    }
    column_builder_str(out, sbuf_view(&text), true);
    sbuf_fini(&text);
    return true;
}

/* The most frequent; of several the least. */
static bool mode_finish(const struct agg *agg, const void *state, struct column_builder *out,
                        struct arena *arena, const char **error)
{
    const struct list_state *s = state;
    struct column all = list_column(agg, s, arena);
    struct key_table seen = {0};
    struct sbuf key = {0};
    uint32_t *counts = arena_zarray(arena, uint32_t, all.rows + 1),
             *firsts = arena_zarray(arena, uint32_t, all.rows + 1);
    uint32_t best = 0;
    for (uint32_t i = 0; i < all.rows; i++) {
        bool is_new;
        sbuf_clear(&key);
        cell_write(&all, i, true, &key);
        uint32_t entry = key_table_put(&seen, sbuf_view(&key), &is_new);
        if (is_new)
            firsts[entry] = i;
        counts[entry]++;
    }
    for (uint32_t e = 1; e < seen.used; e++)
        if (counts[e] > counts[best] ||
            (counts[e] == counts[best] && cell_cmp(&all, firsts[e], &all, firsts[best]) < 0))
            best = e;
    if (seen.used)
        column_builder_append(out, &all, &firsts[best], 1, true);
    else
        column_builder_null(out);
    key_table_fini(&seen);
    sbuf_fini(&key);
    return true;
}

#define LIST_KIND(finish)                                                                                    \
    {                                                                                                        \
        sizeof(struct list_state), false, list_add, finish, list_write, list_read, list_drop                 \
    }
const struct agg_kind agg_collect = LIST_KIND(collect_finish);
const struct agg_kind agg_collect_set = LIST_KIND(collect_set_finish);
const struct agg_kind agg_listagg = LIST_KIND(listagg_finish);
const struct agg_kind agg_mode = LIST_KIND(mode_finish);

/* ---- percentiles --------------------------------------------------------------------------------------- */

static void sort_rows(const struct column *all, uint32_t *rows, uint32_t *scratch, uint32_t n)
{
    for (uint32_t width = 1; width < n; width *= 2) {
        for (uint32_t at = 0; at < n; at += 2 * width) {
            uint32_t mid = at + width < n ? at + width : n, end = mid + width < n ? mid + width : n;
            for (uint32_t a = at, b = mid, to = at; to < end; to++)
                scratch[to] = b >= end || (a < mid && cell_cmp(all, rows[a], all, rows[b]) <= 0) ? rows[a++]
                                                                                                 : rows[b++];
        }
        memcpy(rows, scratch, n * sizeof(*rows));
    }
}

static uint32_t *sorted_rows(const struct column *all, struct arena *arena)
{
    uint32_t *rows = arena_array(arena, uint32_t, all->rows + 1);
    for (uint32_t i = 0; i < all->rows; i++)
        rows[i] = i;
    sort_rows(all, rows, arena_array(arena, uint32_t, all->rows + 1), all->rows);
    return rows;
}

static double number_at(const struct column *all, uint32_t row)
{
    switch (type_width(all->type)) {
    case 1: return ((const int8_t *)all->data)[row];
    case 2: return ((const int16_t *)all->data)[row];
    case 4:
        return all->type->kind == TYPE_FLOAT ? (double)((const float *)all->data)[row]
                                             : ((const int32_t *)all->data)[row];
    case 16: return decimal_to_f64(((const i128 *)all->data)[row], all->type->scale);
    default:
        return all->type->kind == TYPE_DOUBLE ? ((const double *)all->data)[row]
                                              : (double)((const int64_t *)all->data)[row];
    }
}

static void append_number(struct column_builder *out, double v)
{
    if (out->type->kind == TYPE_DOUBLE || out->type->kind == TYPE_FLOAT)
        column_builder_f64(out, v);
    else
        column_builder_i64(out, (int64_t)v);
}

static bool percentile_finish(const struct agg *agg, const void *state, struct column_builder *out,
                              struct arena *arena, const char **error)
{
    struct column all = list_column(agg, state, arena);
    bool array = out->type->kind == TYPE_ARRAY;
    struct column_builder *to = array ? &out->children[0] : out;
    if (all.rows == 0) {
        column_builder_null(out);
        return true;
    }
    uint32_t *rows = sorted_rows(&all, arena);
    for (uint32_t i = 0; i < agg->fraction_count; i++) {
        double place = agg->fractions[i] * (all.rows - 1), below = floor(place);
        double low = number_at(&all, rows[(uint32_t)below]),
               high = number_at(&all, rows[(uint32_t)ceil(place)]);
        append_number(to, low == high ? low : low * (1 - (place - below)) + high * (place - below));
    }
    if (array)
        column_builder_nested(out);
    return true;
}

/* The least value whose share of rows reaches the fraction. */
static bool percentile_cell_finish(const struct agg *agg, const void *state, struct column_builder *out,
                                   struct arena *arena, const char **error)
{
    struct column all = list_column(agg, state, arena);
    bool array = out->type->kind == TYPE_ARRAY;
    if (all.rows == 0) {
        column_builder_null(out);
        return true;
    }
    uint32_t *rows = sorted_rows(&all, arena);
    for (uint32_t i = 0; i < agg->fraction_count; i++) {
        double place = ceil(agg->fractions[i] * all.rows);
        uint32_t at = place < 1 ? 0 : (uint32_t)place - 1;
        if (type_same(all.type, array ? out->children[0].type : out->type))
            column_builder_append(array ? &out->children[0] : out, &all, &rows[at], 1, true);
        else
            append_number(array ? &out->children[0] : out, number_at(&all, rows[at]));
    }
    if (array)
        column_builder_nested(out);
    return true;
}

const struct agg_kind agg_percentile = LIST_KIND(percentile_finish);
const struct agg_kind agg_percentile_cell = LIST_KIND(percentile_cell_finish);

/* ---- HyperLogLog --------------------------------------------------------------------------------------- */

struct hll_state {
    struct agg_blob registers; /* 2^bits bytes, or none yet */
};

static void hll_update(const struct agg *agg, struct agg_states *states, const struct column *args,
                       const struct agg_rows *rows)
{
    struct sbuf key = {0};
    uint32_t size = 1u << agg->hll_bits;
    for (uint32_t k = 0; k < rows->count; k++) {
        uint32_t row = rows->rows[k];
        struct hll_state *s = (struct hll_state *)(agg_state(states, rows->groups[row]) + agg->offset);
        if (agg_null(&args[0], row))
            continue;
        if (s->registers.n == 0) {
            char *zeros = arena_zalloc(rows->arena, size);
            agg_blob_set(&s->registers, str_n(zeros, size), states);
        }
        sbuf_clear(&key);
        cell_write(&args[0], row, true, &key);
        uint64_t hash = hash_bytes(key.p, key.n);
        uint32_t at = (uint32_t)(hash >> (64 - agg->hll_bits));
        uint64_t rest = hash << agg->hll_bits | UINT64_C(1) << (agg->hll_bits - 1);
        char rank = (char)(__builtin_clzll(rest) + 1);
        if (s->registers.p[at] < rank)
            s->registers.p[at] = rank;
    }
    sbuf_fini(&key);
}

static bool hll_finish(const struct agg *agg, const void *state, struct column_builder *out,
                       struct arena *arena, const char **error)
{
    const struct hll_state *s = state;
    double m = (double)(1u << agg->hll_bits), sum = 0, zeros = 0;
    for (uint32_t i = 0; i < s->registers.n; i++) {
        sum += ldexp(1, -s->registers.p[i]);
        zeros += s->registers.p[i] == 0;
    }
    double alpha = 0.7213 / (1 + 1.079 / m), estimate = s->registers.n ? alpha * m * m / sum : 0;
    if (s->registers.n && estimate <= 2.5 * m && zeros > 0)
        estimate = m * log(m / zeros);
    column_builder_i64(out, (int64_t)(estimate + 0.5));
    return true;
}

static void hll_write(const struct agg *agg, const void *state, struct sbuf *out)
{
    agg_blob_write(&((const struct hll_state *)state)->registers, out);
}

static bool hll_read(const struct agg *agg, void *state, struct rd *r, struct agg_states *states)
{
    struct hll_state *s = state;
    return agg_blob_read(&s->registers, r, states) &&
           (s->registers.n == 0 || s->registers.n == 1u << agg->hll_bits);
}

static void hll_drop(void *state, struct agg_states *states)
{
    agg_blob_fini(&((struct hll_state *)state)->registers, states);
}

const struct agg_kind agg_hll = {
    sizeof(struct hll_state), false, hll_update, hll_finish, hll_write, hll_read, hll_drop};

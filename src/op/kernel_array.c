/* Arrays: making, asking, cutting, joining; elements are named by row and gathered once. */
#include "op/cells.h"
#include "op/gather.h"
#include "op/kernels_private.h"
#include "op/list_private.h"
#include "type/timestamp.h"

static const struct column *child(const struct call *c, uint32_t arg)
{
    return &c->args[arg].children[0];
}

static uint32_t *no_rows(struct call *c)
{
    uint32_t *rows = arena_array(c->arena, uint32_t, c->rows + 1);
    memset(rows, 0xFF, (size_t)c->rows * sizeof(*rows)); /* GATHER_NULL */
    return rows;
}

/* The result is one element, rows[row] of the argument's, or NULL. */
static void out_elements(struct call *c, const struct column *from, const uint32_t *rows)
{
    *c->out = column_gather(c->out->type, &from, 1, NULL, rows, c->rows, c->arena);
}

/* ---- making -------------------------------------------------------------------------------------------- */

static const struct column **arguments(struct call *c, uint32_t from)
{
    const struct column **sources = arena_array(c->arena, const struct column *, c->arg_count + 1);
    for (uint32_t i = from; i < c->arg_count; i++)
        sources[i - from] = &c->args[i];
    return sources;
}

void kernel_array(struct call *c)
{
    struct list l;
    list_begin(&l, c);
    for (EACH_ROW(c, row)) {
        list_open(&l, row);
        for (uint32_t i = 0; i < c->arg_count; i++)
            list_add(&l, i, row);
    }
    list_close(&l, 0, arguments(c, 0), c->arg_count);
}

void kernel_array_repeat(struct call *c)
{
    struct list l;
    list_begin(&l, c);
    for (EACH_ROW(c, row)) {
        list_open(&l, row);
        if (arg_null(c, 1, row)) {
            out_null(c, row);
            continue;
        }
        int64_t n = arg_i64(c, 1, row);
        if (list_may_have(&l, row, n))
            for (int64_t i = 0; i < n; i++)
                list_add(&l, 0, row);
    }
    list_close(&l, 0, arguments(c, 0), 1);
}

/* struct(a, …): the arguments are its columns. */
void kernel_struct(struct call *c)
{
    c->out->children = arena_array(c->arena, struct column, c->arg_count + 1);
    for (uint32_t i = 0; i < c->arg_count; i++) {
        struct column *field = &c->out->children[i];
        const struct type *type = c->out->type->fields[i].type;
        *field = c->args[i].type->kind == TYPE_NULL && type->kind != TYPE_NULL
                     ? column_nulls(type, c->rows, c->arena)
                     : c->args[i];
        field->type = type;
        field->rows = c->rows;
    }
}

/* ---- asking -------------------------------------------------------------------------------------------- */

void kernel_size(struct call *c)
{
    for (EACH_ROW(c, row)) {
        uint32_t from, end = list_range(c, 0, row, &from);
        OUT(c, int32_t)[row] = (int32_t)(end - from);
    }
}

enum subscript { SUBSCRIPT_FROM_0, SUBSCRIPT_FROM_1, SUBSCRIPT_OR_NULL };

static void subscript(struct call *c, enum subscript how)
{
    uint32_t *rows = no_rows(c);
    for (EACH_ROW(c, row)) {
        uint32_t from, end = list_range(c, 0, row, &from);
        int64_t n = (int64_t)end - from, index = arg_i64(c, 1, row), at = index;
        if (how == SUBSCRIPT_FROM_1 && index == 0) {
            out_error(c, row, "INVALID_INDEX_OF_ZERO: the index 0 is invalid, indexes begin with 1 or -1");
            continue;
        }
        if (how == SUBSCRIPT_FROM_1)
            at = index > 0 ? index - 1 : n + index;
        if (at >= 0 && at < n)
            rows[row] = from + (uint32_t)at;
        else if (how != SUBSCRIPT_OR_NULL)
            out_error(c, row, "%s: the index %lld is out of bounds, the array has %lld elements",
                      how == SUBSCRIPT_FROM_0 ? "INVALID_ARRAY_INDEX" : "INVALID_ARRAY_INDEX_IN_ELEMENT_AT",
                      (long long)index, (long long)n);
    }
    out_elements(c, child(c, 0), rows);
}

void kernel_map_value(struct call *c)
{
    uint32_t *rows = no_rows(c);
    const struct column *keys = child(c, 0);
    for (EACH_ROW(c, row)) {
        uint32_t from, end = list_range(c, 0, row, &from);
        for (uint32_t k = from; k < end && rows[row] == GATHER_NULL; k++)
            if (cell_equal(keys, k, &c->args[1], row))
                rows[row] = k;
    }
    out_elements(c, &c->args[0].children[1], rows);
}

void kernel_subscript(struct call *c)
{
    subscript(c, SUBSCRIPT_FROM_0);
}
void kernel_get(struct call *c)
{
    subscript(c, SUBSCRIPT_OR_NULL);
}
static void element_at_array(struct call *c)
{
    subscript(c, SUBSCRIPT_FROM_1);
}

bool pick_element_at(struct kernel_pick *p, struct err *err)
{
    p->flags |= KERNEL_OUT;
    p->run = p->expr->args[0]->type->kind == TYPE_MAP ? kernel_map_value : element_at_array;
    return true;
}

/* Field of each struct: the same list over the field's column. */
void kernel_array_field(struct call *c)
{
    const struct column *array = &c->args[0];
    int64_t index = c->rows ? arg_i64(c, 1, 0) : 0;
    c->out->offsets = array->offsets;
    c->out->children = arena_new(c->arena, struct column);
    *c->out->children = array->children[0].children[index];
    if (array->encoding == COLUMN_CONSTANT)
        *c->out = column_flatten(&(struct column){.type = c->out->type,
                                                  .encoding = COLUMN_CONSTANT,
                                                  .rows = c->rows,
                                                  .offsets = array->offsets,
                                                  .children = c->out->children},
                                 c->arena);
}

/* Place of the first equal element + 1, 0 = none; *null: one of them is NULL. */
static uint32_t find(const struct call *c, uint32_t row, bool *null)
{
    uint32_t from, end = list_range(c, 0, row, &from);
    for (uint32_t k = from; k < end; k++) {
        if (column_is_null(child(c, 0), k))
            *null = true;
        else if (cell_equal(child(c, 0), k, &c->args[1], row))
            return k - from + 1;
    }
    return 0;
}

void kernel_array_contains(struct call *c)
{
    for (EACH_ROW(c, row)) {
        bool null = false, found = find(c, row, &null) != 0;
        if (!found && null)
            out_null(c, row);
        OUT(c, uint8_t)[row] = found;
    }
}
void kernel_array_position(struct call *c)
{
    for (EACH_ROW(c, row)) {
        bool null = false;
        OUT(c, int64_t)[row] = find(c, row, &null);
    }
}

static void best_element(struct call *c, int sign)
{
    uint32_t *rows = no_rows(c);
    for (EACH_ROW(c, row)) {
        uint32_t from, end = list_range(c, 0, row, &from);
        for (uint32_t k = from; k < end; k++)
            if (!column_is_null(child(c, 0), k) &&
                (rows[row] == GATHER_NULL || sign * cell_cmp(child(c, 0), k, child(c, 0), rows[row]) > 0))
                rows[row] = k;
    }
    out_elements(c, child(c, 0), rows);
}
void kernel_array_min(struct call *c)
{
    best_element(c, -1);
}
void kernel_array_max(struct call *c)
{
    best_element(c, 1);
}

void kernel_array_join(struct call *c)
{
    struct sbuf text = {0};
    for (EACH_ROW(c, row)) {
        uint32_t from, end = list_range(c, 0, row, &from);
        bool any = false;
        sbuf_clear(&text);
        for (uint32_t k = from; k < end; k++) {
            bool null = column_is_null(child(c, 0), k);
            if (null && c->arg_count < 3)
                continue;
            if (any)
                sbuf_str(&text, arg_str(c, 1, row));
            sbuf_str(&text, null ? arg_str(c, 2, row) : view_str((const struct view *)child(c, 0)->data + k));
            any = true;
        }
        out_copy(c, row, sbuf_view(&text));
    }
    sbuf_fini(&text);
}

/* ---- some of one array --------------------------------------------------------------------------------- */

/* The elements of argument 0 for which keep() says so. */
typedef bool keep_fn(const struct call *c, uint32_t row, uint32_t element, struct seen *seen);

static void keep_elements(struct call *c, keep_fn *keep)
{
    struct list l;
    const struct column *from_column = child(c, 0);
    list_begin(&l, c);
    for (EACH_ROW(c, row)) {
        uint32_t from, end = list_range(c, 0, row, &from);
        struct seen seen = {.count = 0};
        list_open(&l, row);
        for (uint32_t k = from; k < end; k++)
            if (keep(c, row, k, &seen))
                list_add(&l, 0, k);
        seen_fini(&seen);
    }
    list_close(&l, 0, &from_column, 1);
}

static bool keep_other(const struct call *c, uint32_t row, uint32_t element, struct seen *seen)
{
    return column_is_null(child(c, 0), element) || !cell_equal(child(c, 0), element, &c->args[1], row);
}
static bool keep_first(const struct call *c, uint32_t row, uint32_t element, struct seen *seen)
{
    return seen_add(seen, child(c, 0), element);
}
static bool keep_valid(const struct call *c, uint32_t row, uint32_t element, struct seen *seen)
{
    return !column_is_null(child(c, 0), element);
}

void kernel_array_remove(struct call *c)
{
    keep_elements(c, keep_other);
}
void kernel_array_distinct(struct call *c)
{
    keep_elements(c, keep_first);
}
void kernel_array_compact(struct call *c)
{
    keep_elements(c, keep_valid);
}

void kernel_slice(struct call *c)
{
    struct list l;
    const struct column *from_column = child(c, 0);
    list_begin(&l, c);
    for (EACH_ROW(c, row)) {
        uint32_t from, end = list_range(c, 0, row, &from);
        int64_t start = arg_i64(c, 1, row), length = arg_i64(c, 2, row), n = (int64_t)end - from;
        list_open(&l, row);
        if (start == 0 || length < 0) {
            out_error(c, row, "INVALID_PARAMETER_VALUE.%s: the %s %lld of a slice is invalid",
                      start == 0 ? "START" : "LENGTH", start == 0 ? "start" : "length",
                      (long long)(start == 0 ? start : length));
            continue;
        }
        start = start > 0 ? start - 1 : n + start;
        for (int64_t k = start; start >= 0 && k < start + length && k < n; k++)
            list_add(&l, 0, from + (uint32_t)k);
    }
    list_close(&l, 0, &from_column, 1);
}

/* ---- two arrays ---------------------------------------------------------------------------------------- */

static void fill_seen(const struct call *c, uint32_t arg, uint32_t row, struct seen *seen)
{
    uint32_t from, end = list_range(c, arg, row, &from);
    for (uint32_t k = from; k < end; k++)
        seen_add(seen, child(c, arg), k);
}

enum set_op { SET_UNION, SET_INTERSECT, SET_EXCEPT };

static void set_rows(struct call *c, enum set_op op)
{
    struct list l;
    const struct column *sources[] = {child(c, 0), child(c, 1)};
    list_begin(&l, c);
    for (EACH_ROW(c, row)) {
        struct seen other = {.count = 0}, mine = {.count = 0};
        list_open(&l, row);
        if (op != SET_UNION)
            fill_seen(c, 1, row, &other);
        for (uint32_t arg = 0; arg < (op == SET_UNION ? 2 : 1); arg++) {
            uint32_t from, end = list_range(c, arg, row, &from);
            for (uint32_t k = from; k < end; k++)
                if ((op == SET_UNION || seen_has(&other, sources[arg], k) == (op == SET_INTERSECT)) &&
                    seen_add(&mine, sources[arg], k))
                    list_add(&l, arg, k);
        }
        seen_fini(&other);
        seen_fini(&mine);
    }
    list_close(&l, 0, sources, 2);
}
void kernel_array_union(struct call *c)
{
    set_rows(c, SET_UNION);
}
void kernel_array_intersect(struct call *c)
{
    set_rows(c, SET_INTERSECT);
}
void kernel_array_except(struct call *c)
{
    set_rows(c, SET_EXCEPT);
}

void kernel_arrays_overlap(struct call *c)
{
    for (EACH_ROW(c, row)) {
        struct seen other = {.count = 0};
        uint32_t from, end = list_range(c, 0, row, &from), other_from,
                       other_end = list_range(c, 1, row, &other_from);
        bool found = false, null = false;
        for (uint32_t k = other_from; k < other_end; k++) {
            null |= column_is_null(child(c, 1), k);
            if (!column_is_null(child(c, 1), k))
                seen_add(&other, child(c, 1), k);
        }
        for (uint32_t k = from; k < end && !found; k++) {
            null |= column_is_null(child(c, 0), k);
            found = !column_is_null(child(c, 0), k) && seen_has(&other, child(c, 0), k);
        }
        seen_fini(&other);
        OUT(c, uint8_t)[row] = found;
        if (!found && null && end > from && other_end > other_from)
            out_null(c, row);
    }
}

void kernel_arrays_zip(struct call *c)
{
    struct list l;
    const struct type *element = c->out->type->fields[0].type;
    uint32_t *rows[64], capacity = 0, args = c->arg_count < 64 ? c->arg_count : 64;
    list_begin(&l, c);
    for (EACH_ROW(c, row))
        for (uint32_t i = 0; i < args; i++) {
            uint32_t from, end = list_range(c, i, row, &from);
            CHECK((uint64_t)capacity + (end - from) < UINT32_MAX);
            capacity += end - from;
        }
    for (uint32_t i = 0; i < args; i++)
        rows[i] = arena_array(c->arena, uint32_t, capacity + 1);
    uint32_t n = 0;
    for (EACH_ROW(c, row)) {
        uint32_t longest = 0, from;
        for (; l.next <= row; l.next++)
            c->out->offsets[l.next] = n;
        for (uint32_t i = 0; i < args; i++) {
            uint32_t length = list_range(c, i, row, &from) - from;
            longest = length > longest ? length : longest;
        }
        for (uint32_t k = 0; k < longest; k++, n++)
            for (uint32_t i = 0; i < args; i++)
                rows[i][n] = list_range(c, i, row, &from) - from > k ? from + k : GATHER_NULL;
    }
    for (; l.next <= c->rows; l.next++)
        c->out->offsets[l.next] = n;
    struct column *zipped = &c->out->children[0];
    *zipped = (struct column){.type = element, .encoding = COLUMN_FLAT, .rows = n};
    zipped->children = arena_array(c->arena, struct column, args + 1);
    for (uint32_t i = 0; i < args; i++) {
        const struct column *from = child(c, i);
        zipped->children[i] = column_gather(element->fields[i].type, &from, 1, NULL, rows[i], n, c->arena);
    }
}

/* ---- one more element ---------------------------------------------------------------------------------- */

static void add_element(struct call *c, bool front)
{
    struct list l;
    const struct column *sources[] = {child(c, 0), &c->args[1]};
    list_begin(&l, c);
    for (EACH_ROW(c, row)) {
        list_open(&l, row);
        if (arg_null(c, 0, row)) {
            out_null(c, row);
            continue;
        }
        uint32_t from, end = list_range(c, 0, row, &from);
        if (front)
            list_add(&l, 1, row);
        for (uint32_t k = from; k < end; k++)
            list_add(&l, 0, k);
        if (!front)
            list_add(&l, 1, row);
    }
    list_close(&l, 0, sources, 2);
}
void kernel_array_append(struct call *c)
{
    add_element(c, false);
}
void kernel_array_prepend(struct call *c)
{
    add_element(c, true);
}

void kernel_array_insert(struct call *c)
{
    struct list l;
    const struct column *sources[] = {child(c, 0), &c->args[2]};
    list_begin(&l, c);
    for (EACH_ROW(c, row)) {
        list_open(&l, row);
        if (arg_null(c, 0, row) || arg_null(c, 1, row)) {
            out_null(c, row);
            continue;
        }
        uint32_t from, end = list_range(c, 0, row, &from);
        int64_t n = (int64_t)end - from, position = arg_i64(c, 1, row), length = n + 1;
        if (position == 0) {
            out_error(c, row, "INVALID_INDEX_OF_ZERO: the index 0 is invalid, indexes begin with 1 or -1");
            continue;
        }
        int64_t at = position > 0 ? position - 1 : n + 1 + position, shift = at < 0 ? -at : 0;
        if (at >= length)
            length = at + 1;
        length += shift;
        if (length > n + 1 && !list_may_have(&l, row, length))
            continue;
        for (int64_t k = 0; k < length; k++) { /* −5 into two elements: x, NULL, NULL, a, b */
            int64_t old = at < 0 ? k - shift - 1 : k < at ? k : k - 1;
            if (k == (at < 0 ? 0 : at))
                list_add(&l, 1, row);
            else
                list_add(&l, 0, old >= 0 && old < n ? from + (uint32_t)old : GATHER_NULL);
        }
    }
    list_close(&l, 0, sources, 2);
}

/* ---- order --------------------------------------------------------------------------------------------- */

static void insertion_or_merge(const struct column *cells, uint32_t *rows, uint32_t *scratch, uint32_t n,
                               int (*order)(const struct column *cells, uint32_t a, uint32_t b))
{
    for (uint32_t width = 1; width < n; width *= 2) {
        for (uint32_t at = 0; at < n; at += 2 * width) {
            uint32_t mid = at + width < n ? at + width : n, end = mid + width < n ? mid + width : n;
            for (uint32_t a = at, b = mid, to = at; to < end; to++)
                scratch[to] = b >= end || (a < mid && order(cells, rows[a], rows[b]) <= 0) ? rows[a++]
                                                                                           : rows[b++];
        }
        memcpy(rows, scratch, n * sizeof(*rows));
    }
}

static int order_up(const struct column *cells, uint32_t a, uint32_t b)
{
    return cell_cmp(cells, a, cells, b);
}
static int order_down(const struct column *cells, uint32_t a, uint32_t b)
{
    return cell_cmp(cells, b, cells, a);
}
static int order_nulls_last(const struct column *cells, uint32_t a, uint32_t b)
{
    bool null_a = column_is_null(cells, a), null_b = column_is_null(cells, b);
    return null_a || null_b ? null_a - null_b : cell_cmp(cells, a, cells, b);
}

static void sort_rows(struct call *c, bool nulls_last)
{
    struct list l;
    const struct column *cells = child(c, 0);
    list_begin(&l, c);
    for (EACH_ROW(c, row)) {
        uint32_t from, end, before = l.count;
        list_open(&l, row);
        if (arg_null(c, 0, row)) {
            out_null(c, row);
            continue;
        }
        end = list_range(c, 0, row, &from);
        bool down = !nulls_last && c->arg_count > 1 && !ARG(c, uint8_t, 1, row);
        for (uint32_t k = from; k < end; k++)
            list_add(&l, 0, k);
        insertion_or_merge(cells, l.rows + before, arena_array(c->arena, uint32_t, end - from + 1),
                           end - from,
                           nulls_last ? order_nulls_last
                           : down     ? order_down
                                      : order_up);
    }
    list_close(&l, 0, &cells, 1);
}
void kernel_sort_array(struct call *c)
{
    sort_rows(c, false);
}
void kernel_array_sort_plain(struct call *c)
{
    sort_rows(c, true);
}

static void shuffle_rows(struct call *c)
{
    struct list l;
    const struct column *cells = child(c, 0);
    list_begin(&l, c);
    for (EACH_ROW(c, row)) {
        uint32_t from, end = list_range(c, 0, row, &from), before = l.count;
        uint64_t seed = c->arg_count > 1 ? (uint64_t)arg_i64(c, 1, row) : 0;
        list_open(&l, row);
        for (uint32_t k = from; k < end; k++)
            list_add(&l, 0, k);
        for (uint32_t n = end - from; n > 1; n--) {
            uint32_t other = (uint32_t)(random_draw(c, seed) % n), *rows = l.rows + before, t = rows[n - 1];
            rows[n - 1] = rows[other];
            rows[other] = t;
        }
    }
    list_close(&l, 0, &cells, 1);
}

bool pick_shuffle(struct kernel_pick *p, struct err *err)
{
    p->flags |= KERNEL_OUT;
    return pick_random(p, shuffle_rows);
}

/* ---- nested and made up -------------------------------------------------------------------------------- */

void kernel_flatten(struct call *c)
{
    struct list l;
    const struct column *inner = child(c, 0), *cells = &inner->children[0];
    list_begin(&l, c);
    for (EACH_ROW(c, row)) {
        uint32_t from, end = list_range(c, 0, row, &from), before = l.count;
        list_open(&l, row);
        for (uint32_t k = from; k < end; k++) {
            if (column_is_null(inner, k)) { /* one NULL array makes all NULL */
                list_cut(&l, before);
                out_null(c, row);
                break;
            }
            for (uint32_t e = inner->offsets[k]; e < inner->offsets[k + 1]; e++)
                list_add(&l, 0, e);
        }
    }
    list_close(&l, 0, &cells, 1);
}

/* Value number i of a sequence; false: out of range. Steps: a number, months, or days and µs. */
static bool sequence_value(const struct call *c, uint32_t row, int64_t i, int64_t *out)
{
    int64_t start = arg_i64(c, 0, row), step = 1, total;
    enum type_kind kind = arg_kind(c, 0), step_kind = c->arg_count > 2 ? arg_kind(c, 2) : kind;
    if (c->arg_count > 2)
        step = arg_i64(c, 2, row);
    else if (arg_i64(c, 1, row) < start)
        step = -1;
    if (c->arg_count < 3 && (kind == TYPE_TIMESTAMP || kind == TYPE_TIMESTAMP_NTZ))
        step *= US_PER_DAY;
    if (__builtin_mul_overflow(step, i, &total))
        return false;
    if (step_kind == TYPE_INTERVAL_YM && kind == TYPE_DATE) {
        int32_t day;
        bool ok = date_add_months((int32_t)start, total, &day);
        *out = day;
        return ok;
    }
    if (step_kind == TYPE_INTERVAL_YM) {
        const struct timezone_data *zone = kind == TYPE_TIMESTAMP ? c->context->zone : NULL;
        return timestamp_add_months(zone, start, total, out);
    }
    if (step_kind == TYPE_INTERVAL_DT && kind == TYPE_DATE)
        total /= US_PER_DAY;
    return !__builtin_add_overflow(start, total, out);
}

void kernel_sequence(struct call *c)
{
    struct column_builder b;
    uint32_t next = 0;
    c->out->offsets = arena_zarray(c->arena, uint32_t, (size_t)c->rows + 1);
    c->out->children = arena_new(c->arena, struct column);
    column_builder_init(&b, c->out->type->fields[0].type, c->arena);
    for (EACH_ROW(c, row)) {
        int64_t start = arg_i64(c, 0, row), stop = arg_i64(c, 1, row),
                step = c->arg_count > 2 ? arg_i64(c, 2, row) : 1, v;
        for (; next <= row; next++)
            c->out->offsets[next] = b.rows;
        bool up = c->arg_count < 3 ? start <= stop : step > 0;
        uint32_t before = b.rows;
        if (start != stop && (step == 0 || up != (start < stop))) {
            out_error(c, row,
                      "INVALID_PARAMETER_VALUE.SEQUENCE: the step leads away from the end of the sequence");
            continue;
        }
        for (int64_t i = 0; sequence_value(c, row, i, &v) && (up ? v <= stop : v >= stop); i++) {
            if (b.rows - before == LIST_BLOWN_UP_MAX || b.rows == LIST_ELEMENTS_MAX) {
                column_builder_truncate(&b, before);
                out_error(c, row,
                          "COLLECTION_SIZE_LIMIT_EXCEEDED.FUNCTION: the sequence has too many elements");
                break;
            }
            column_builder_i64(&b, v);
            if (start == stop)
                break;
        }
    }
    for (; next <= c->rows; next++)
        c->out->offsets[next] = b.rows;
    *c->out->children = column_builder_finish(&b);
}

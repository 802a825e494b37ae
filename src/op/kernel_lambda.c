/* Higher-order functions. The elements of all rows lie one behind the other, so a lambda is evaluated once
 * for a batch; columns of the rows around it are seen through a dictionary from element to row (call_lambda).
 */
#include "op/cells.h"
#include "op/gather.h"
#include "op/kernels_private.h"
#include "op/list_private.h"

/* The elements that a lambda is to see: `count` of them, element k is row items[k] of its array and belongs
 * to row owner[k]. */
struct elements {
    uint32_t *items, *owner, *index; /* index: place in its array */
    uint32_t count;
};

static void add_range(struct elements *e, uint32_t row, uint32_t from, uint32_t end)
{
    for (uint32_t k = from; k < end; k++) {
        e->items[e->count] = k;
        e->owner[e->count] = row;
        e->index[e->count++] = k - from;
    }
}

static struct elements elements_room(struct call *c, uint64_t total)
{
    struct elements e = {.count = 0};
    CHECK(total <= LIST_ELEMENTS_MAX);
    e.items = arena_array(c->arena, uint32_t, total + 1);
    e.owner = arena_array(c->arena, uint32_t, total + 1);
    e.index = arena_array(c->arena, uint32_t, total + 1);
    return e;
}

/* false: more elements than a lambda may see at once (nested ones multiply); all rows have failed. */
static bool not_too_many(struct call *c, uint64_t total)
{
    if (total <= LIST_ELEMENTS_MAX)
        return true;
    for (EACH_ROW(c, row))
        out_error(c, row,
                  "COLLECTION_SIZE_LIMIT_EXCEEDED.FUNCTION: a lambda would see %llu elements of one batch",
                  (unsigned long long)total);
    return false;
}

/* All elements of argument 0; NULL arrays have none, and their row's result is NULL. */
static struct elements elements_of(struct call *c)
{
    uint64_t total = 0;
    uint32_t from;
    for (EACH_ROW(c, row))
        if (!arg_null(c, 0, row))
            total += list_range(c, 0, row, &from) - from;
    if (!not_too_many(c, total))
        return elements_room(c, 0);
    struct elements e = elements_room(c, total);
    for (EACH_ROW(c, row)) {
        if (arg_null(c, 0, row)) {
            out_null(c, row);
            continue;
        }
        uint32_t end = list_range(c, 0, row, &from);
        add_range(&e, row, from, end);
    }
    return e;
}

static struct column pick_items(struct call *c, const struct column *from, const struct elements *e)
{
    return column_gather(from->type, &from, 1, NULL, e->items, e->count, c->arena);
}

static struct column places(struct call *c, const struct elements *e)
{
    return (struct column){
        .type = type_simple(TYPE_INT), .encoding = COLUMN_FLAT, .rows = e->count, .data = e->index};
}

static uint32_t params_of(const struct call *c, uint32_t arg)
{
    return c->step->lambdas[arg]->param_count;
}

/* f(x) or f(x, i) for all elements of argument 0. */
static struct column map_elements(struct call *c, const struct elements *e)
{
    struct column params[2] = {pick_items(c, &c->args[0].children[0], e), places(c, e)};
    CHECK(params_of(c, 1) <= 2);
    return call_lambda(c, 1, params, e->count, e->owner);
}

static bool is_true(const struct column *column, uint32_t row)
{
    const struct column *values;
    if (column_is_null(column, row))
        return false;
    uint32_t at = column_resolve(column, row, &values);
    return ((const uint8_t *)values->data)[at] != 0;
}

/* Offsets of an output whose rows have the elements of e that `keep` has (NULL = all). Returns their number;
 * kept[…] = which. */
static uint32_t offsets_of(struct call *c, const struct elements *e, const struct column *keep,
                           uint32_t *kept)
{
    uint32_t n = 0, next = 0;
    c->out->offsets = arena_zarray(c->arena, uint32_t, (size_t)c->rows + 1);
    c->out->children = arena_zarray(c->arena, struct column, c->out->type->field_count);
    for (uint32_t k = 0; k < e->count; k++) {
        for (; next <= e->owner[k]; next++)
            c->out->offsets[next] = n;
        if (keep == NULL || is_true(keep, k))
            kept[n++] = k;
    }
    for (; next <= c->rows; next++)
        c->out->offsets[next] = n;
    return n;
}

static struct column flat_child(struct call *c, uint32_t field, struct column column, uint32_t rows)
{
    const struct type *type = c->out->type->fields[field].type;
    if (column.type->kind == TYPE_NULL && type->kind != TYPE_NULL)
        column = column_nulls(type, rows, c->arena);
    column.rows = rows;
    column = column_flatten(&column, c->arena);
    column.type = type;
    return column;
}

void kernel_transform(struct call *c)
{
    struct elements e = elements_of(c);
    struct column result = map_elements(c, &e);
    offsets_of(c, &e, NULL, arena_array(c->arena, uint32_t, e.count + 1));
    c->out->children[0] = flat_child(c, 0, result, e.count);
}

static void keep_where(struct call *c, const struct elements *e, const struct column *keep)
{
    uint32_t *kept = arena_array(c->arena, uint32_t, e->count + 1), n = offsets_of(c, e, keep, kept);
    uint32_t *rows = arena_array(c->arena, uint32_t, n + 1);
    for (uint32_t k = 0; k < n; k++)
        rows[k] = e->items[kept[k]];
    for (uint32_t f = 0; f < c->out->type->field_count; f++) {
        const struct column *from = &c->args[0].children[f];
        c->out->children[f] = column_gather(c->out->type->fields[f].type, &from, 1, NULL, rows, n, c->arena);
    }
}

void kernel_filter(struct call *c)
{
    struct elements e = elements_of(c);
    struct column keep = map_elements(c, &e);
    keep_where(c, &e, &keep);
}

/* exists: true if one is; forall: false if one is not; NULL if unknown. */
static void quantify(struct call *c, bool all)
{
    struct elements e = elements_of(c);
    struct column is = map_elements(c, &e);
    uint8_t *unknown = arena_zalloc(c->arena, c->rows + 1), *out = c->out->data;
    for (EACH_ROW(c, row))
        out[row] = all;
    for (uint32_t k = 0; k < e.count; k++) {
        if (column_is_null(&is, k))
            unknown[e.owner[k]] = 1;
        else if (is_true(&is, k) != all)
            out[e.owner[k]] = !all;
    }
    for (EACH_ROW(c, row))
        if (unknown[row] && out[row] == all)
            out_null(c, row);
}
void kernel_any_match(struct call *c)
{
    quantify(c, false);
}
void kernel_all_match(struct call *c)
{
    quantify(c, true);
}

/* ---- fold ---------------------------------------------------------------------------------------------- */

static struct column typed(struct call *c, struct column column, const struct type *type, uint32_t rows)
{
    if (column.type->kind == TYPE_NULL && type->kind != TYPE_NULL)
        return column_nulls(type, rows, c->arena);
    column.rows = rows;
    return column;
}

/* Step k goes over the k-th elements of all rows that have one. */
void kernel_aggregate(struct call *c)
{
    uint32_t *active = arena_array(c->arena, uint32_t, c->rows + 1),
             *items = arena_array(c->arena, uint32_t, c->rows + 1), from;
    uint32_t *source = arena_array(c->arena, uint32_t, c->rows + 1),
             *rows = arena_array(c->arena, uint32_t, c->rows + 1);
    const struct type *type = c->args[1].type;
    struct column acc = typed(c, c->args[1], type, c->rows);
    for (uint32_t k = 0;; k++) {
        uint32_t n = 0;
        for (uint32_t row = 0; row < c->rows; row++) {
            source[row] = 0;
            rows[row] = row;
        }
        for (EACH_ROW(c, row)) {
            if (arg_null(c, 0, row) || list_range(c, 0, row, &from) - from <= k)
                continue;
            source[row] = 1;
            rows[row] = n;
            items[n] = from + k;
            active[n++] = row;
        }
        if (n == 0)
            break;
        const struct column *accs = &acc, *elements = &c->args[0].children[0];
        struct column params[2] = {column_gather(type, &accs, 1, NULL, active, n, c->arena),
                                   column_gather(elements->type, &elements, 1, NULL, items, n, c->arena)};
        struct column next = typed(c, call_lambda(c, 2, params, n, active), type, n);
        const struct column *both[] = {&acc, &next};
        acc = column_gather(type, both, 2, source, rows, c->rows, c->arena);
    }
    if (c->arg_count > 3) {
        uint32_t *self = arena_array(c->arena, uint32_t, c->rows + 1), n = 0;
        for (EACH_ROW(c, row))
            self[n++] = row;
        const struct column *accs = &acc;
        struct column param = column_gather(type, &accs, 1, NULL, self, n, c->arena);
        struct column done = typed(c, call_lambda(c, 3, &param, n, self), c->out->type, n);
        memset(rows, 0xFF, (size_t)c->rows * sizeof(*rows));
        for (uint32_t k = 0; k < n; k++)
            rows[self[k]] = k;
        const struct column *dones = &done;
        acc = column_gather(c->out->type, &dones, 1, NULL, rows, c->rows, c->arena);
    }
    for (uint32_t row = 0; row < c->rows; row++)
        rows[row] = GATHER_NULL;
    for (EACH_ROW(c, row))
        rows[row] = arg_null(c, 0, row) ? GATHER_NULL : row;
    const struct column *accs = &acc;
    *c->out = column_gather(c->out->type, &accs, 1, NULL, rows, c->rows, c->arena);
}

/* ---- two arrays ---------------------------------------------------------------------------------------- */

void kernel_zip_with(struct call *c)
{
    uint64_t total = 0;
    uint32_t from_a, from_b;
    for (EACH_ROW(c, row))
        if (!arg_null(c, 0, row) && !arg_null(c, 1, row))
            total += (uint64_t)(list_range(c, 0, row, &from_a) - from_a) +
                     (list_range(c, 1, row, &from_b) - from_b);
    bool fits = not_too_many(c, total);
    total = fits ? total : 0;
    struct elements a = elements_room(c, total), b = elements_room(c, total);
    for (EACH_ROW(c, row)) {
        if (!fits || arg_null(c, 0, row) || arg_null(c, 1, row)) {
            out_null(c, row);
            continue;
        }
        uint32_t n = list_range(c, 0, row, &from_a) - from_a, m = list_range(c, 1, row, &from_b) - from_b;
        for (uint32_t k = 0; k < (n > m ? n : m); k++) {
            a.items[a.count] = k < n ? from_a + k : GATHER_NULL;
            b.items[a.count] = k < m ? from_b + k : GATHER_NULL;
            a.owner[a.count++] = row;
        }
    }
    b.count = a.count;
    struct column params[2] = {pick_items(c, &c->args[0].children[0], &a),
                               pick_items(c, &c->args[1].children[0], &b)};
    struct column result = call_lambda(c, 2, params, a.count, a.owner);
    offsets_of(c, &a, NULL, arena_array(c->arena, uint32_t, a.count + 1));
    c->out->children[0] = flat_child(c, 0, result, a.count);
}

/* ---- sorting by a comparison --------------------------------------------------------------------------- */

enum { ARRAY_SORT_MAX = 1024 }; /* elements of an array that a lambda can sort: all pairs are compared */

static int64_t order_at(const struct column *orders, uint32_t row)
{
    const struct column *values;
    if (column_is_null(orders, row))
        return 0;
    uint32_t at = column_resolve(orders, row, &values);
    return ((const int32_t *)values->data)[at];
}

/* Insertion sort of one row's elements by the matrix of their comparisons: pair (i, j), i < j, is at first +
 * i × n − i(i+1)/2 + j − i − 1. */
static void sort_by_pairs(const struct column *orders, uint32_t first, uint32_t n, uint32_t *places_)
{
    for (uint32_t i = 0; i < n; i++) {
        uint32_t k = i;
        for (; k > 0; k--) {
            uint32_t a = places_[k - 1] < i ? places_[k - 1] : i, b = places_[k - 1] < i ? i : places_[k - 1];
            int64_t order = order_at(orders, first + a * n - a * (a + 1) / 2 + b - a - 1);
            if (a == i)
                order = -order;
            if (order <= 0)
                break;
            places_[k] = places_[k - 1];
        }
        places_[k] = i;
    }
}

static void array_sort_by(struct call *c)
{
    uint64_t pairs = 0;
    uint32_t from;
    for (EACH_ROW(c, row)) {
        uint64_t n = arg_null(c, 0, row) ? 0 : list_range(c, 0, row, &from) - from;
        pairs += n <= ARRAY_SORT_MAX ? n * n / 2 : 0;
    }
    bool fits = not_too_many(c, pairs);
    struct elements a = elements_room(c, fits ? pairs : 0), b = elements_room(c, fits ? pairs : 0);
    for (EACH_ROW(c, row)) {
        uint32_t n = !fits || arg_null(c, 0, row) ? 0 : list_range(c, 0, row, &from) - from;
        for (uint32_t i = 0; i < n && n <= ARRAY_SORT_MAX; i++)
            for (uint32_t j = i + 1; j < n; j++) {
                a.items[a.count] = from + i;
                b.items[a.count] = from + j;
                a.owner[a.count++] = row;
            }
    }
    b.count = a.count;
    const struct column *cells = &c->args[0].children[0];
    struct column params[2] = {pick_items(c, cells, &a), pick_items(c, cells, &b)};
    struct column orders = call_lambda(c, 1, params, a.count, a.owner);
    struct list l;
    uint32_t first = 0, places_[ARRAY_SORT_MAX];
    list_begin(&l, c);
    for (EACH_ROW(c, row)) {
        list_open(&l, row);
        if (!fits || arg_null(c, 0, row)) {
            out_null(c, row);
            continue;
        }
        uint32_t n = list_range(c, 0, row, &from) - from;
        if (n > ARRAY_SORT_MAX) {
            out_error(
                c, row,
                "COLLECTION_SIZE_LIMIT_EXCEEDED.FUNCTION: a comparison sorts arrays of at most %d elements",
                ARRAY_SORT_MAX);
            continue;
        }
        sort_by_pairs(&orders, first, n, places_);
        for (uint32_t k = 0; k < n; k++)
            list_add(&l, 0, from + places_[k]);
        first += n ? n * (n - 1) / 2 : 0;
    }
    list_close(&l, 0, &cells, 1);
}

bool pick_array_sort(struct kernel_pick *p, struct err *err)
{
    p->flags |= KERNEL_OUT;
    p->run = p->expr->arg_count > 1 ? array_sort_by : kernel_array_sort_plain;
    return true;
}

/* ---- maps ---------------------------------------------------------------------------------------------- */

static struct column map_pairs(struct call *c, const struct elements *e)
{
    struct column params[2] = {pick_items(c, &c->args[0].children[0], e),
                               pick_items(c, &c->args[0].children[1], e)};
    return call_lambda(c, 1, params, e->count, e->owner);
}

void kernel_map_filter(struct call *c)
{
    struct elements e = elements_of(c);
    struct column keep = map_pairs(c, &e);
    keep_where(c, &e, &keep);
}

void kernel_transform_values(struct call *c)
{
    struct elements e = elements_of(c);
    struct column values = map_pairs(c, &e);
    offsets_of(c, &e, NULL, arena_array(c->arena, uint32_t, e.count + 1));
    c->out->children[0] = flat_child(c, 0, pick_items(c, &c->args[0].children[0], &e), e.count);
    c->out->children[1] = flat_child(c, 1, values, e.count);
}

/* New keys: a NULL or repeated one fails the row, whose entries are left out. */
void kernel_transform_keys(struct call *c)
{
    struct elements e = elements_of(c);
    struct column keys = map_pairs(c, &e);
    keys = typed(c, keys, c->out->type->fields[0].type, e.count);
    const struct column *key_column = &keys, *value_column = &c->args[0].children[1];
    struct list l, values = {.c = c};
    list_begin(&l, c);
    for (uint32_t k = 0; k < e.count;) {
        uint32_t row = e.owner[k], before = l.count;
        struct seen seen = {.count = 0};
        const char *bad = NULL;
        list_open(&l, row);
        for (; k < e.count && e.owner[k] == row; k++) {
            if (column_is_null(key_column, k))
                bad = "NULL_MAP_KEY: a map cannot have a NULL as key";
            else if (!seen_add(&seen, key_column, k))
                bad = "DUPLICATED_MAP_KEY: a key is in the map twice";
            list_add(&l, 0, k);
            list_add(&values, 0, e.items[k]);
        }
        seen_fini(&seen);
        if (bad) {
            list_cut(&l, before);
            list_cut(&values, before);
            out_error(c, row, "%s", bad);
        }
    }
    list_close(&l, 0, &key_column, 1);
    values.next = c->rows + 1;
    list_close(&values, 1, &value_column, 1);
}

/* The keys of a, then those of b that a has not; f(k, value in a, value in b). */
void kernel_map_zip_with(struct call *c)
{
    struct list keys, a = {.c = c}, b = {.c = c}, owner = {.c = c};
    const struct column *key_columns[] = {&c->args[0].children[0], &c->args[1].children[0]};
    list_begin(&keys, c);
    for (EACH_ROW(c, row)) {
        uint32_t from_a, from_b;
        list_open(&keys, row);
        if (arg_null(c, 0, row) || arg_null(c, 1, row)) {
            out_null(c, row);
            continue;
        }
        uint32_t end_a = list_range(c, 0, row, &from_a), end_b = list_range(c, 1, row, &from_b);
        for (uint32_t k = from_a; k < end_a; k++) {
            uint32_t other = from_b;
            while (other < end_b && !cell_equal(key_columns[0], k, key_columns[1], other))
                other++;
            list_add(&keys, 0, k);
            list_add(&a, 0, k);
            list_add(&b, 0, other < end_b ? other : GATHER_NULL);
            list_add(&owner, 0, row);
        }
        for (uint32_t k = from_b; k < end_b; k++) {
            uint32_t other = from_a;
            while (other < end_a && !cell_equal(key_columns[1], k, key_columns[0], other))
                other++;
            if (other < end_a)
                continue;
            list_add(&keys, 1, k);
            list_add(&a, 0, GATHER_NULL);
            list_add(&b, 0, k);
            list_add(&owner, 0, row);
        }
    }
    list_close(&keys, 0, key_columns, 2);
    const struct column *x = &c->args[0].children[1], *y = &c->args[1].children[1];
    struct column params[3] = {c->out->children[0],
                               column_gather(x->type, &x, 1, NULL, a.rows, a.count, c->arena),
                               column_gather(y->type, &y, 1, NULL, b.rows, b.count, c->arena)};
    struct column values = call_lambda(c, 2, params, owner.count, owner.rows);
    c->out->children[1] = flat_child(c, 1, values, owner.count);
}

/* ORDER BY, and top-n.
 *
 * Input is kept in runs: batches of its own with all bytes copied, the sort keys as columns beside. What is
 * sorted are entries of (first eight bytes of the first key in an order-preserving form, run, row); only ties
 * look at the cells. Merge sort, so equal rows keep their order. Top-n keeps its rows to twice the limit by
 * sorting and cutting in between.
 *
 * Rows that are more than the budget go to disk, sorted (sort_spill.c); what comes out is the same. */
#include <math.h>

#include "op/cells.h"
#include "op/eval_private.h"
#include "op/gather.h"
#include "op/op_private.h"
#include "op/sort_private.h"

enum {
    SORT_CUT_ROWS = 1 << 16,    /* top-n cuts when it has so many rows past its limit */
    SORT_BATCH_BYTES = 16 << 10 /* of a batch, however few rows it has */
};

struct sort {
    struct op op;
    const struct plan *plan;
    struct evaluator *keys;
    struct sort_rows *runs; /* rows that were taken in, deep */
    uint32_t run_count;
    size_t run_capacity;
    uint64_t rows;
    size_t bytes;               /* of runs */
    struct sort_entry *entries; /* sorted, when the end came */
    uint64_t at, end;           /* of entries still to put out */
    struct spills *spills;      /* NULL: everything stays in memory */
    struct sort_spill *spilled; /* NULL: nothing is on disk */
    uint64_t spilled_rows;
    struct batch *out;
    struct arena scratch;
    bool ended;
};

/* ---- order --------------------------------------------------------------------------------------------- */

static uint64_t bits_of_f64(double v)
{
    uint64_t bits;
    if (isnan(v))
        return UINT64_MAX;
    v = v == 0 ? 0 : v;
    memcpy(&bits, &v, 8);
    return bits >> 63 ? ~bits : bits | UINT64_C(1) << 63;
}

static uint64_t bits_of_text(const struct column *values, uint32_t row)
{
    const struct view *v = (const struct view *)values->data + row;
    uint8_t head[8] = {0};
    if (values->type->collation == NULL)
        memcpy(head, view_bytes(v), v->size < 8 ? v->size : 8);
    return get_be64(head);
}

/* A number whose order is that of the cells, ties apart; halved so that NULLs have room before and behind. */
static uint64_t prefix_of(const struct column *column, uint32_t row, const struct sort_key *key)
{
    if (column_is_null(column, row))
        return key->nulls_last ? UINT64_MAX : 0;
    const struct column *values;
    uint32_t at = column_resolve(column, row, &values);
    uint64_t bits = 0, sign = UINT64_C(1) << 63;
    switch (values->type->kind) {
    case TYPE_BOOLEAN:
    case TYPE_BYTE: bits = (uint64_t)(int64_t)((const int8_t *)values->data)[at] ^ sign; break;
    case TYPE_SHORT: bits = (uint64_t)(int64_t)((const int16_t *)values->data)[at] ^ sign; break;
    case TYPE_INT:
    case TYPE_DATE:
    case TYPE_INTERVAL_YM: bits = (uint64_t)(int64_t)((const int32_t *)values->data)[at] ^ sign; break;
    case TYPE_LONG:
    case TYPE_TIMESTAMP:
    case TYPE_TIMESTAMP_NTZ:
    case TYPE_INTERVAL_DT: bits = (uint64_t)((const int64_t *)values->data)[at] ^ sign; break;
    case TYPE_FLOAT: bits = bits_of_f64(((const float *)values->data)[at]); break;
    case TYPE_DOUBLE: bits = bits_of_f64(((const double *)values->data)[at]); break;
    case TYPE_DECIMAL: bits = (uint64_t)(int64_t)(((const i128 *)values->data)[at] >> 64) ^ sign; break;
    case TYPE_STRING:
    case TYPE_BINARY: bits = bits_of_text(values, at); break;
    default: bits = 0; break;
    }
    bits = key->descending ? ~bits : bits;
    return (bits >> 1) + (UINT64_C(1) << 62);
}

struct sort_entry sort_entry_of(const struct plan *plan, const struct sort_rows *all, uint32_t rows,
                                uint32_t row)
{
    return (struct sort_entry){prefix_of(&all[rows].keys[0], row, &plan->sort[0]), rows, row};
}

int sort_compare(const struct plan *plan, const struct sort_rows *all, const struct sort_entry *a,
                 const struct sort_entry *b)
{
    if (a->prefix != b->prefix)
        return a->prefix < b->prefix ? -1 : 1;
    for (uint32_t k = 0; k < plan->sort_count; k++) {
        const struct sort_key *key = &plan->sort[k];
        const struct column *x = &all[a->rows].keys[k], *y = &all[b->rows].keys[k];
        bool null_x = column_is_null(x, a->row), null_y = column_is_null(y, b->row);
        if (null_x || null_y) {
            if (null_x != null_y)
                return (null_x ? -1 : 1) * (key->nulls_last ? -1 : 1);
            continue;
        }
        int c = cell_cmp(x, a->row, y, b->row);
        if (c)
            return key->descending ? -c : c;
    }
    return 0;
}

static int compare(const struct sort *s, const struct sort_entry *a, const struct sort_entry *b)
{
    return sort_compare(s->plan, s->runs, a, b);
}

int sort_key_column(const struct plan *plan, uint32_t key)
{
    const struct expr *e = plan->sort[key].expr;
    return e->kind == EXPR_COLUMN ? (int)e->index : -1;
}

static void merge_runs(const struct sort *s, struct sort_entry *from, struct sort_entry *to, uint64_t a,
                       uint64_t mid, uint64_t end)
{
    uint64_t b = mid, at = a;
    if (b >= end || compare(s, &from[b - 1], &from[b]) <= 0) {
        memcpy(to + a, from + a, (end - a) * sizeof(*to));
        return;
    }
    while (a < mid && b < end)
        to[at++] = compare(s, &from[a], &from[b]) <= 0 ? from[a++] : from[b++];
    memcpy(to + at, from + a, (mid - a) * sizeof(*to));
    memcpy(to + at + (mid - a), from + b, (end - b) * sizeof(*to));
}

enum { SORT_INSERTION = 16 };

static void insertion(const struct sort *s, struct sort_entry *entries, uint64_t n)
{
    for (uint64_t i = 1; i < n; i++) {
        struct sort_entry e = entries[i];
        uint64_t j = i;
        for (; j > 0 && compare(s, &entries[j - 1], &e) > 0; j--)
            entries[j] = entries[j - 1];
        entries[j] = e;
    }
}

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* All rows, sorted: s->entries[s->rows]. */
static void sort_entries(struct sort *s)
{
    struct sort_entry *a = mem_new_array(struct sort_entry, s->rows + 1),
                      *b = mem_new_array(struct sort_entry, s->rows + 1);
    uint64_t n = 0;
    for (uint32_t r = 0; r < s->run_count; r++)
        for (uint32_t row = 0; row < s->runs[r].batch->rows; row++)
            a[n++] = sort_entry_of(s->plan, s->runs, r, row);
    CHECK(n == s->rows);
    for (uint64_t at = 0; at < n; at += SORT_INSERTION)
        insertion(s, a + at, least(SORT_INSERTION, n - at));
    for (uint64_t width = SORT_INSERTION; width < n; width *= 2) {
        for (uint64_t at = 0; at < n; at += 2 * width)
            merge_runs(s, a, b, at, least(at + width, n), least(at + 2 * width, n));
        struct sort_entry *t = a;
        a = b;
        b = t;
    }
    mem_free(b);
    mem_free(s->entries);
    s->entries = a;
}

/* ---- rows ---------------------------------------------------------------------------------------------- */

static void add_run(struct sort *s, struct batch *batch, struct column *keys)
{
    s->runs = mem_grow(s->runs, &s->run_capacity, (size_t)s->run_count + 1, sizeof(*s->runs));
    s->runs[s->run_count++] = (struct sort_rows){batch, keys};
    s->rows += batch->rows;
    s->bytes += batch->arena.bytes + SORT_BATCH_BYTES;
}

static void drop_runs(struct sort *s)
{
    for (uint32_t i = 0; i < s->run_count; i++)
        batch_free(s->runs[i].batch);
    s->run_count = 0;
    s->rows = 0;
    s->bytes = 0;
}

/* entries[count] of all[all_count] as one batch's columns, and their keys' where wanted. */
static void gather_entries(const struct sort *s, const struct sort_rows *all, uint32_t all_count,
                           const struct sort_entry *entries, uint32_t count, struct batch *out,
                           struct column *keys)
{
    uint32_t columns = s->op.schema->field_count;
    struct arena *arena = &out->arena;
    uint32_t *source = arena_array(arena, uint32_t, count), *rows = arena_array(arena, uint32_t, count);
    const struct column **sources = arena_array(arena, const struct column *, all_count + 1);
    for (uint32_t i = 0; i < count; i++) {
        source[i] = entries[i].rows;
        rows[i] = entries[i].row;
    }
    out->schema = s->op.schema;
    out->rows = count;
    out->columns = arena_array(arena, struct column, columns + 1);
    for (uint32_t c = 0; c < columns; c++) {
        for (uint32_t r = 0; r < all_count; r++)
            sources[r] = &all[r].batch->columns[c];
        out->columns[c] = column_gather(s->op.schema->fields[c].type, sources, all_count, source, rows, count,
                                        arena);
    }
    for (uint32_t k = 0; keys && k < s->plan->sort_count; k++) {
        for (uint32_t r = 0; r < all_count; r++)
            sources[r] = &all[r].keys[k];
        keys[k] = column_gather(s->plan->sort[k].expr->type, sources, all_count, source, rows, count, arena);
    }
}

/* Top-n: only the first `limit` of all rows can still matter. */
static void cut(struct sort *s)
{
    uint64_t keep = least((uint64_t)s->plan->limit, s->rows);
    if (s->rows < keep + SORT_CUT_ROWS)
        return;
    sort_entries(s);
    struct batch *batch = batch_new();
    struct column *keys = arena_array(&batch->arena, struct column, s->plan->sort_count);
    gather_entries(s, s->runs, s->run_count, s->entries, (uint32_t)keep, batch, keys);
    for (uint32_t c = 0; c < s->op.schema->field_count; c++)
        column_own_bytes(&batch->columns[c], &batch->arena);
    for (uint32_t k = 0; k < s->plan->sort_count; k++)
        column_own_bytes(&keys[k], &batch->arena);
    drop_runs(s);
    add_run(s, batch, keys);
}

static uint64_t wanted_rows(const struct sort *s, uint64_t rows)
{
    return s->plan->limit >= 0 ? least((uint64_t)s->plan->limit, rows) : rows;
}

/* What is in memory goes to disk. */
static bool spill(struct sort *s, struct err *err)
{
    sort_entries(s);
    uint64_t count = wanted_rows(s, s->rows);
    if (s->spilled == NULL)
        s->spilled = sort_spill_new(s->plan, s->spills);
    bool ok = sort_spill_add(s->spilled, s->runs, s->entries, count, err);
    s->spilled_rows += count;
    mem_free(s->entries);
    s->entries = NULL;
    drop_runs(s);
    return ok || err_context(err, "sorting more rows than fit into memory");
}

static bool is_too_much(const struct sort *s)
{
    return s->spills && s->bytes + s->rows * 2 * sizeof *s->entries > s->spills->budget;
}

static void take_in(struct sort *s, const struct batch *in)
{
    uint32_t count = s->plan->sort_count;
    struct row_errors errors = {0};
    arena_reset(&s->scratch);
    struct column *keys = arena_array(&s->scratch, struct column, count);
    evaluator_run(s->keys, s->op.context, in, (struct selection){NULL, in->rows}, &s->scratch, keys, &errors);
    op_report(&s->op, in, &errors, &s->scratch);
    uint32_t *rows = arena_array(&s->scratch, uint32_t, in->rows + 1);
    uint32_t left = rows_without(NULL, in->rows, &errors, rows);
    if (left == 0)
        return;
    struct batch *batch = batch_new();
    batch_take(batch, in, rows, left, true);
    struct column *own = arena_array(&batch->arena, struct column, count);
    for (uint32_t k = 0; k < count; k++) {
        int column = sort_key_column(s->plan, k);
        if (column >= 0) {
            own[k] = batch->columns[column];
            continue;
        }
        own[k] = column_take(&keys[k], rows, left, &batch->arena);
        column_own_bytes(&own[k], &batch->arena);
    }
    add_run(s, batch, own);
    if (s->plan->limit >= 0 && s->plan->limit < INT32_MAX)
        cut(s);
}

static enum op_status put_out(struct sort *s)
{
    static const struct op_msg end = {.kind = OP_END};
    if (s->at < s->end) {
        uint32_t count = (uint32_t)least(s->end - s->at, BATCH_ROWS), all_count = s->run_count;
        const struct sort_entry *entries = s->entries + s->at;
        const struct sort_rows *all = s->runs;
        if (s->spilled) {
            entries = s->entries;
            if (!sort_spill_next(s->spilled, s->entries, count, &count, &all, &all_count, &s->op.err))
                return OP_FAILED;
            CHECK(count > 0);
        }
        batch_reset(s->out);
        gather_entries(s, all, all_count, entries, count, s->out, NULL);
        s->at += count;
        return op_emit(&s->op, s->out);
    }
    if (s->ended) {
        s->ended = false;
        drop_runs(s);
        return op_pass(&s->op, &end);
    }
    return OP_NEED_INPUT;
}

/* The end has come: what is to be put out is known. */
static bool begin_output(struct sort *s, struct err *err)
{
    if (s->spilled) {
        TRY(s->rows == 0 || spill(s, err));
        s->entries = mem_new_array(struct sort_entry, BATCH_ROWS);
    } else {
        sort_entries(s);
    }
    s->at = 0;
    s->end = wanted_rows(s, s->spilled ? s->spilled_rows : s->rows);
    s->ended = true;
    return true;
}

static enum op_status sort_step(struct op *op, uint32_t port, const struct op_msg *msg)
{
    struct sort *s = (struct sort *)op;
    if (msg == NULL)
        return put_out(s);
    if (msg->kind == OP_BATCH) {
        take_in(s, msg->batch);
        return is_too_much(s) && !spill(s, &op->err) ? OP_FAILED : OP_NEED_INPUT;
    }
    if (msg->kind != OP_END)
        return op_pass(op, msg);
    return begin_output(s, &op->err) ? put_out(s) : OP_FAILED;
}

static void sort_spill_to(struct op *op, struct spills *spills)
{
    ((struct sort *)op)->spills = spills;
}

static void sort_close(struct op *op)
{
    struct sort *s = (struct sort *)op;
    drop_runs(s);
    sort_spill_free(s->spilled);
    mem_free(s->runs);
    mem_free(s->entries);
    batch_free(s->out);
    arena_fini(&s->scratch);
}

static const struct op_kind sort_kind = {
    .name = "sort", .step = sort_step, .close = sort_close, .spill_to = sort_spill_to};

bool sort_new(struct pool *pool, const struct plan *plan, struct op **op, struct err *err)
{
    struct sort *s = pool_new_struct(pool, struct sort);
    if (plan->streaming)
        return err_set(
            err, ERR_CONFIG,
            "a stream has no end, so it cannot be sorted; sorting works over tables and topics as they are now");
    const struct expr **exprs = pool_alloc(pool, mem_product(plan->sort_count + 1, sizeof(*exprs)));
    for (uint32_t i = 0; i < plan->sort_count; i++)
        exprs[i] = plan->sort[i].expr;
    CHECK(plan->sort_count > 0);
    TRY(evaluator_new(pool, exprs, plan->sort_count, plan->inputs[0]->schema, &s->keys, err));
    s->op.kind = &sort_kind;
    s->op.schema = plan->schema;
    s->plan = plan;
    s->out = batch_new();
    *op = &s->op;
    return true;
}

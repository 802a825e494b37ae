/* GROUP BY: hash aggregation, and the keyed state of a stream.
 *
 * A group is a number: of its key's entry in the table, and of its state in the chunks. A batch goes through
 * column by column: keys, then each aggregate's arguments (under its FILTER, and for DISTINCT those rows
 * alone that are the first of their value), then one loop for each aggregate.
 *
 *   batch query   groups come out at the end, in order of their first row
 *   stream        at each barrier the groups that changed come out: +I new, −U old and +U new, −D gone; or, in
 *                 append mode, those that the watermark has passed, once
 *
 * A group has an event time when one of its keys is a window or the watermark's column. The watermark ends it: it
 * is forgotten, and rows for it that come later are late (they are not taken in).
 *
 * State bytes are records, for snapshots and changelogs alike; applying one in order gives the state:
 *   'G' key, rows, states of the aggregates      a group as it is now
 *   'R' key                                      a group that is gone
 *   'D' aggregate, key and value, count          how often a DISTINCT value is there
 *   'W' watermark                                how far event time has come
 * A key is its length (uvarint) and bytes, numbers are little endian. */
#include "op/agg.h"
#include "op/cells.h"
#include "op/eval_private.h"
#include "op/gather.h"
#include "op/keys.h"
#include "op/op_private.h"

/* At the front of a group's state. */
struct group_head {
    int64_t rows; /* taken in less taken back */
    bool dirty;   /* in this turn's list */
    bool logged;  /* in the next changelog's list */
    bool seen;    /* its row was put out */
};

struct dirty {
    uint32_t group, before; /* row of `before`; UINT32_MAX: the group is new */
};

struct distinct_values {
    struct key_table keys; /* group key, value */
    int64_t *counts;       /* [keys.used] */
    size_t capacity;
};

struct aggregate {
    struct op op;
    const struct plan *plan;
    struct agg *aggs;
    uint32_t agg_count, key_count;
    struct evaluator *main;      /* keys, arguments of aggregates without a filter, filters */
    struct evaluator **filtered; /* arguments of each aggregate that has a filter, else NULL */
    uint32_t *args_at;   /* where an aggregate's arguments begin in main's results (or filtered's: 0) */
    uint32_t *filter_at; /* where its filter is in main's results; UINT32_MAX = none */
    uint32_t main_count;
    struct key_table keys;
    struct agg_states states;
    struct distinct_values *distinct; /* [agg_count] */
    bool streaming, append;
    uint32_t window_key,
        event_key; /* which key is a window, and which has the event time; UINT32_MAX = none */
    struct event_time watermark, evicted; /* evicted: groups up to here are gone, and rows for them late */

    struct dirty *dirty;
    uint32_t dirty_count;
    size_t dirty_capacity;
    struct batch *before; /* rows of dirty groups as they were */
    struct batch_builder before_rows;
    bool before_open;
    uint32_t *logged;
    uint32_t logged_count;
    size_t logged_capacity;
    struct sbuf log, key, value; /* log: records that are not groups */

    struct batch *result, *out; /* what is put out now, and the slice of it */
    uint32_t at;
    struct op_msg after; /* passed on behind it */
    bool putting_out;
    struct arena scratch;
};

static struct group_head *head_of(struct aggregate *a, uint32_t group)
{
    return (struct group_head *)agg_state(&a->states, group);
}

static void write_bytes(struct sbuf *out, struct str bytes)
{
    sbuf_added(out, put_uvarint((uint8_t *)sbuf_reserve(out, VARINT_MAX), bytes.n));
    sbuf_str(out, bytes);
}

static struct str read_bytes(struct rd *r)
{
    uint64_t n = rd_uvarint(r);
    const uint8_t *p = rd_take(r, n);
    return p ? str_n(p, n) : STR("");
}

/* ---- groups -------------------------------------------------------------------------------------------- */

static uint32_t group_put(struct aggregate *a, struct str key)
{
    bool is_new;
    uint32_t group = key_table_put(&a->keys, key, &is_new);
    while (group / AGG_CHUNK_GROUPS >= a->states.chunk_count) {
        a->states.chunks = mem_grow(a->states.chunks, &a->states.chunk_capacity,
                                    (size_t)a->states.chunk_count + 1, sizeof(char *));
        a->states.chunks[a->states.chunk_count++] = mem_new((size_t)AGG_CHUNK_GROUPS * a->states.stride);
    }
    return group;
}

static void group_clear(struct aggregate *a, uint32_t group)
{
    for (uint32_t i = 0; i < a->agg_count; i++)
        if (a->aggs[i].kind->drop)
            a->aggs[i].kind->drop(agg_state(&a->states, group) + a->aggs[i].offset, &a->states);
    memset(agg_state(&a->states, group), 0, a->states.stride);
}

static void group_remove(struct aggregate *a, uint32_t group)
{
    group_clear(a, group);
    key_table_remove(&a->keys, group);
}

static void clear(struct aggregate *a)
{
    for (uint32_t g = 0; g < a->keys.used; g++)
        if (key_table_has(&a->keys, g))
            group_clear(a, g);
    key_table_fini(&a->keys);
    for (uint32_t i = 0; i < a->agg_count; i++) {
        key_table_fini(&a->distinct[i].keys);
        mem_free(a->distinct[i].counts);
        a->distinct[i] = (struct distinct_values){0};
    }
    for (uint32_t i = 0; i < a->states.chunk_count; i++)
        mem_free(a->states.chunks[i]);
    a->states.chunk_count = 0;
    a->dirty_count = a->logged_count = 0;
    a->watermark = a->evicted = EVENT_TIME_NONE;
    a->before_open = false;
    sbuf_clear(&a->log);
}

/* The group's row of the result: keys, then aggregates. Errors are added with the row's number in the
 * builder. */
static void finish_row(struct aggregate *a, uint32_t group, struct column_builder *columns,
                       struct row_errors *errors)
{
    struct str key = key_table_key(&a->keys, group);
    struct rd r = rd_of(key.p, key.n);
    for (uint32_t i = 0; i < a->key_count; i++)
        CHECK(cell_read(&r, &columns[i]));
    for (uint32_t i = 0; i < a->agg_count; i++) {
        const struct agg *agg = &a->aggs[i];
        const char *why = NULL;
        struct column_builder *out = &columns[a->key_count + i];
        if (!agg->kind->finish(agg, agg_state(&a->states, group) + agg->offset, out, &a->scratch, &why) &&
            errors)
            row_errors_add(errors, &a->scratch, out->rows - 1,
                           arena_printf(&a->scratch, "%s in %s", why, agg->call->function->name));
    }
}

/* ---- taking rows in ------------------------------------------------------------------------------------ */

/* Before a group changes for the first time in a turn: its row as others saw it is kept. */
static void touch(struct aggregate *a, uint32_t group)
{
    struct group_head *head = head_of(a, group);
    if (!head->logged) {
        head->logged = true;
        a->logged = mem_grow(a->logged, &a->logged_capacity, (size_t)a->logged_count + 1, sizeof(uint32_t));
        a->logged[a->logged_count++] = group;
    }
    if (head->dirty || a->append)
        return;
    head->dirty = true;
    struct dirty d = {group, UINT32_MAX};
    if (!a->before_open) {
        batch_reset(a->before);
        batch_builder_init(&a->before_rows, a->before, a->op.schema);
        a->before_open = true;
    }
    if (head->seen) {
        d.before = a->before_rows.columns[0].rows;
        finish_row(a, group, a->before_rows.columns, NULL);
    }
    a->dirty = mem_grow(a->dirty, &a->dirty_capacity, (size_t)a->dirty_count + 1, sizeof(*a->dirty));
    a->dirty[a->dirty_count++] = d;
}

/* How a key column is written into the key's bytes, as cell_write would: flat fixed widths and texts here,
 * the rest there. */
struct key_part {
    const struct column *column;
    enum { KEY_FIXED, KEY_TEXT, KEY_OTHER } how;
    size_t width;
};

static struct key_part key_part(const struct column *column)
{
    struct key_part part = {column, KEY_OTHER, type_width(column->type)};
    enum type_kind kind = column->type->kind;
    if (column->encoding != COLUMN_FLAT || kind == TYPE_FLOAT || kind == TYPE_DOUBLE || kind == TYPE_NULL)
        return part;
    if (type_is_view(column->type))
        part.how = column->type->collation ? KEY_OTHER : KEY_TEXT;
    else if (part.width > 0)
        part.how = KEY_FIXED;
    return part;
}

static void write_part(const struct key_part *part, uint32_t row, struct sbuf *key)
{
    const struct column *column = part->column;
    if (part->how == KEY_OTHER) {
        cell_write(column, row, true, key);
        return;
    }
    bool null = column->validity && !bit_get(column->validity, row);
    const struct view *v = (const struct view *)column->data + row;
    char *to = sbuf_reserve(key, part->how == KEY_FIXED || null ? part->width + 1
                                                                : (size_t)v->size + 1 + VARINT_MAX);
    size_t n = 1;
    to[0] = (char)!null;
    if (null) {
    } else if (part->how == KEY_FIXED) {
        memcpy(to + 1, (const char *)column->data + row * part->width, part->width);
        n += part->width;
    } else {
        n += put_uvarint((uint8_t *)to + 1, v->size);
        memcpy(to + n, view_bytes(v), v->size);
        n += v->size;
    }
    sbuf_added(key, n);
}

static void assign_groups(struct aggregate *a, const struct column *keys, const uint32_t *rows,
                          uint32_t count, const int8_t *sign, uint32_t *groups)
{
    struct key_part *parts = arena_array(&a->scratch, struct key_part, a->key_count + 1);
    for (uint32_t i = 0; i < a->key_count; i++)
        parts[i] = key_part(&keys[i]);
    uint32_t group = 0;
    for (uint32_t k = 0; k < count; k++) {
        uint32_t row = rows[k];
        if (a->key_count > 0 || k == 0) {
            sbuf_clear(&a->key);
            for (uint32_t i = 0; i < a->key_count; i++)
                write_part(&parts[i], row, &a->key);
            group = group_put(a, sbuf_view(&a->key));
            if (a->streaming)
                touch(a, group);
        }
        groups[row] = group;
        head_of(a, group)->rows += sign ? sign[row] : 1;
    }
}

/* Of rows[count] those whose value comes for the first time, or goes for the last. */
static uint32_t distinct_rows(struct aggregate *a, uint32_t i, const struct column *args,
                              const uint32_t *groups, const int8_t *sign, const uint32_t *rows,
                              uint32_t count, uint32_t *kept)
{
    struct distinct_values *d = &a->distinct[i];
    uint32_t n = 0;
    for (uint32_t k = 0; k < count; k++) {
        uint32_t row = rows[k];
        bool is_new, null = false;
        for (uint32_t c = 0; c < a->aggs[i].arg_count; c++)
            null |= column_is_null(&args[c], row);
        if (null)
            continue;
        sbuf_clear(&a->value);
        sbuf_str(&a->value, key_table_key(&a->keys, groups[row]));
        for (uint32_t c = 0; c < a->aggs[i].arg_count; c++)
            cell_write(&args[c], row, true, &a->value);
        uint32_t entry = key_table_put(&d->keys, sbuf_view(&a->value), &is_new);
        d->counts = mem_grow(d->counts, &d->capacity, (size_t)entry + 1, sizeof(*d->counts));
        int64_t before = is_new ? 0 : d->counts[entry], after = before + (sign ? sign[row] : 1);
        d->counts[entry] = after;
        if ((before == 0) != (after == 0))
            kept[n++] = row;
        if (a->streaming) {
            sbuf_char(&a->log, 'D');
            put_le64(sbuf_reserve(&a->log, 8), i);
            sbuf_added(&a->log, 8);
            write_bytes(&a->log, sbuf_view(&a->value));
            put_le64(sbuf_reserve(&a->log, 8), (uint64_t)after);
            sbuf_added(&a->log, 8);
        }
        if (after == 0)
            key_table_remove(&d->keys, entry);
    }
    return n;
}

/* Results of the evaluators for one batch. */
struct inputs {
    struct column *main;
    struct column **filtered; /* [agg_count] */
    uint32_t **selected;      /* rows that pass the filter [agg_count] */
    uint32_t *selected_count;
};

static void evaluate(struct aggregate *a, const struct batch *in, struct inputs *inputs,
                     struct row_errors *errors)
{
    struct arena *arena = &a->scratch;
    inputs->main = arena_array(arena, struct column, a->main_count + 1);
    inputs->filtered = arena_zarray(arena, struct column *, a->agg_count + 1);
    inputs->selected = arena_zarray(arena, uint32_t *, a->agg_count + 1);
    inputs->selected_count = arena_zarray(arena, uint32_t, a->agg_count + 1);
    evaluator_run(a->main, a->op.context, in, (struct selection){NULL, in->rows}, arena, inputs->main,
                  errors);
    for (uint32_t i = 0; i < a->agg_count; i++) {
        if (a->filter_at[i] == UINT32_MAX)
            continue;
        const struct column *filter = &inputs->main[a->filter_at[i]];
        uint32_t *rows = arena_array(arena, uint32_t, in->rows + 1), count = 0;
        for (uint32_t row = 0; row < in->rows; row++) {
            const struct column *values;
            if (column_is_null(filter, row))
                continue;
            uint32_t at = column_resolve(filter, row, &values);
            if (((const uint8_t *)values->data)[at])
                rows[count++] = row;
        }
        inputs->selected[i] = rows;
        inputs->selected_count[i] = count;
        inputs->filtered[i] = arena_array(arena, struct column, a->aggs[i].arg_count + 1);
        evaluator_run(a->filtered[i], a->op.context, in, (struct selection){rows, count}, arena,
                      inputs->filtered[i], errors);
    }
    row_errors_finish(errors, arena);
}

static void update(struct aggregate *a, uint32_t i, const struct inputs *inputs, struct agg_rows rows,
                   const struct row_errors *errors)
{
    const struct column *args = inputs->main + a->args_at[i];
    if (inputs->filtered[i]) {
        uint32_t *kept = arena_array(rows.arena, uint32_t, inputs->selected_count[i] + 1);
        args = inputs->filtered[i];
        rows.count = rows_without(inputs->selected[i], inputs->selected_count[i], errors, kept);
        rows.rows = kept;
    }
    if (a->plan->distinct && a->plan->distinct[a->key_count + i]) {
        uint32_t *kept = arena_array(rows.arena, uint32_t, rows.count + 1);
        rows.count = distinct_rows(a, i, args, rows.groups, rows.sign, rows.rows, rows.count, kept);
        rows.rows = kept;
    }
    a->aggs[i].kind->update(&a->aggs[i], &a->states, args + a->aggs[i].value_arg, &rows);
}

/* +1 and −1 of the rows' change kinds; rows that no aggregate can take back are errors. */
static int8_t *signs(struct aggregate *a, const struct batch *in, struct row_errors *errors)
{
    bool retracts = true;
    if (in->change == NULL)
        return NULL;
    for (uint32_t i = 0; i < a->agg_count; i++)
        retracts &= a->aggs[i].kind->retracts;
    int8_t *sign = arena_array(&a->scratch, int8_t, in->rows);
    for (uint32_t row = 0; row < in->rows; row++) {
        bool back = in->change[row] == CHANGE_UPDATE_BEFORE || in->change[row] == CHANGE_DELETE;
        sign[row] = back ? -1 : 1;
        if (back && !retracts)
            row_errors_add(errors, &a->scratch, row,
                           "UNSUPPORTED_STREAMING_OPERATOR: the row is taken back, which min, max and "
                           "other aggregates of this query cannot follow");
    }
    return sign;
}

/* The last moment of a key's event time: of a window its end. false: NULL, which no watermark passes. */
static bool event_time_of(const struct column *key, uint32_t row, int64_t *us)
{
    const struct column *values;
    if (column_is_null(key, row))
        return false;
    uint32_t at = column_resolve(key, row, &values);
    if (values->type->kind == TYPE_STRUCT)
        return event_time_of(&values->children[1], at, us); /* one level: a time is no struct */
    *us = ((const int64_t *)values->data)[at];
    return true;
}

/* A row without a time is in no window: it is left out, as Spark does. */
static uint32_t drop_timeless(struct aggregate *a, const struct column *keys, uint32_t *rows, uint32_t count)
{
    uint32_t kept = 0;
    if (a->window_key == UINT32_MAX ||
        (keys[a->window_key].encoding == COLUMN_FLAT && !keys[a->window_key].validity))
        return count;
    for (uint32_t k = 0; k < count; k++)
        if (!column_is_null(&keys[a->window_key], rows[k]))
            rows[kept++] = rows[k];
    return kept;
}

/* Rows for groups that are gone are left out and reported. */
static uint32_t drop_late(struct aggregate *a, const struct batch *in, const struct column *keys,
                          uint32_t *rows, uint32_t count)
{
    uint32_t kept = 0;
    int64_t us;
    if (a->event_key == UINT32_MAX || a->evicted.us == EVENT_TIME_NONE.us)
        return count;
    struct op_bad_row *bad = arena_array(&a->scratch, struct op_bad_row, (size_t)a->op.bad_count + count + 1);
    if (a->op.bad_count)
        memcpy(bad, a->op.bad, a->op.bad_count * sizeof(*bad));
    a->op.bad = bad;
    for (uint32_t k = 0; k < count; k++) {
        if (!event_time_of(&keys[a->event_key], rows[k], &us) || us > a->evicted.us) {
            rows[kept++] = rows[k];
            continue;
        }
        bad[a->op.bad_count] = bad_row_of(in, rows[k], "LATE: the watermark has passed the row's event time");
        bad[a->op.bad_count++].late = true;
    }
    return kept;
}

static void take_in(struct aggregate *a, const struct batch *in)
{
    struct row_errors errors = {0};
    struct inputs inputs;
    arena_reset(&a->scratch);
    int8_t *sign = signs(a, in, &errors);
    evaluate(a, in, &inputs, &errors);
    op_report(&a->op, in, &errors, &a->scratch);
    uint32_t *rows = arena_array(&a->scratch, uint32_t, in->rows + 1),
             *groups = arena_array(&a->scratch, uint32_t, in->rows + 1);
    uint32_t count = rows_without(NULL, in->rows, &errors, rows);
    count = drop_timeless(a, inputs.main, rows, count);
    count = drop_late(a, in, inputs.main, rows, count);
    assign_groups(a, inputs.main, rows, count, sign, groups);
    struct agg_rows all = {rows, groups, sign, count, in->rows, &a->scratch};
    for (uint32_t i = 0; i < a->agg_count; i++)
        update(a, i, &inputs, all, &errors);
}

/* ---- putting out --------------------------------------------------------------------------------------- */

static void report_groups(struct aggregate *a, const struct row_errors *errors)
{
    static const struct batch nowhere = {.partition = -1};
    op_report(&a->op, &nowhere, errors, &a->scratch);
}

/* All groups, for a batch query. */
static void finish_all(struct aggregate *a)
{
    struct batch_builder b;
    struct row_errors errors = {0};
    arena_reset(&a->scratch);
    if (a->key_count == 0) /* a query without GROUP BY has one row, come what may */
        group_put(a, STR(""));
    batch_reset(a->result);
    batch_builder_init(&b, a->result, a->op.schema);
    for (uint32_t g = 0; g < a->keys.used; g++)
        if (key_table_has(&a->keys, g))
            finish_row(a, g, b.columns, &errors);
    batch_builder_finish(&b);
    a->result->rows = a->keys.live;
    report_groups(a, &errors);
}

static bool same_row(const struct batch *a, uint32_t i, const struct batch *b, uint32_t j)
{
    for (uint32_t c = 0; c < a->schema->field_count; c++)
        if (!cell_equal(&a->columns[c], i, &b->columns[c], j))
            return false;
    return true;
}

/* What one dirty group puts out: rows of (0) before and (1) now. */
static uint32_t changes_of(struct aggregate *a, const struct dirty *d, const struct batch *now, uint32_t row,
                           uint32_t *source, uint32_t *rows, uint8_t *change)
{
    uint32_t n = 0;
    bool lives = row != UINT32_MAX, was = d->before != UINT32_MAX;
    if (lives && was && same_row(a->before, d->before, now, row))
        return 0;
    if (was) {
        source[n] = 0;
        rows[n] = d->before;
        change[n++] = lives ? CHANGE_UPDATE_BEFORE : CHANGE_DELETE;
    }
    if (lives) {
        source[n] = 1;
        rows[n] = row;
        change[n++] = was ? CHANGE_UPDATE_AFTER : CHANGE_INSERT;
    }
    return n;
}

static void forget_group(struct aggregate *a, uint32_t group)
{
    sbuf_char(&a->log, 'R');
    write_bytes(&a->log, key_table_key(&a->keys, group));
    group_remove(a, group);
}

/* The groups that changed in this turn. */
static void finish_dirty(struct aggregate *a)
{
    struct batch_builder b;
    struct row_errors errors = {0};
    arena_reset(&a->scratch);
    struct batch *now = batch_new();
    if (a->before_open) {
        a->before_open = false;
        batch_builder_finish(&a->before_rows);
    }
    batch_builder_init(&b, now, a->op.schema);
    uint32_t *row_of = arena_array(&a->scratch, uint32_t, a->dirty_count + 1), live = 0;
    for (uint32_t i = 0; i < a->dirty_count; i++) {
        struct group_head *head = head_of(a, a->dirty[i].group);
        head->dirty = false;
        row_of[i] = UINT32_MAX;
        if (head->rows <= 0 && a->key_count > 0)
            continue;
        head->seen = true;
        row_of[i] = live++;
        finish_row(a, a->dirty[i].group, b.columns, &errors);
    }
    batch_builder_finish(&b);
    batch_reset(a->result);
    struct arena *arena = &a->result->arena;
    uint32_t *source = arena_array(arena, uint32_t, 2 * a->dirty_count + 2),
             *rows = arena_array(arena, uint32_t, 2 * a->dirty_count + 2);
    uint8_t *change = arena_array(arena, uint8_t, 2 * a->dirty_count + 2);
    uint32_t n = 0;
    for (uint32_t i = 0; i < a->dirty_count; i++)
        n += changes_of(a, &a->dirty[i], now, row_of[i], source + n, rows + n, change + n);
    a->result->schema = a->op.schema;
    a->result->rows = n;
    a->result->change = change;
    a->result->columns = arena_array(arena, struct column, a->op.schema->field_count + 1);
    for (uint32_t c = 0; n && c < a->op.schema->field_count; c++) {
        const struct column *sources[] = {&a->before->columns[c], &now->columns[c]};
        a->result->columns[c] = column_gather(a->op.schema->fields[c].type, sources, 2, source, rows, n,
                                              arena);
        column_own_bytes(&a->result->columns[c], arena);
    }
    for (uint32_t i = 0; i < a->dirty_count; i++)
        if (row_of[i] == UINT32_MAX)
            forget_group(a, a->dirty[i].group);
    a->dirty_count = 0;
    batch_free(now);
    report_groups(a, &errors);
}

/* Whether the watermark has passed the group. */
static bool is_over(struct aggregate *a, uint32_t group)
{
    struct arena arena = {0};
    struct str key = key_table_key(&a->keys, group);
    struct rd r = rd_of(key.p, key.n);
    bool over = false;
    for (uint32_t i = 0; i <= a->event_key; i++) {
        struct column_builder b;
        int64_t us;
        column_builder_init(&b, a->plan->exprs[i]->type, &arena);
        CHECK(cell_read(&r, &b));
        struct column cell = column_builder_finish(&b);
        over = i == a->event_key && event_time_of(&cell, 0, &us) && us <= a->watermark.us;
    }
    arena_fini(&arena);
    return over;
}

/* DISTINCT values of groups that are gone. */
static void forget_values(struct aggregate *a)
{
    struct arena arena = {0};
    for (uint32_t i = 0; i < a->agg_count; i++) {
        struct key_table *keys = &a->distinct[i].keys;
        for (uint32_t e = 0; e < keys->used; e++) {
            if (!key_table_has(keys, e))
                continue;
            struct str key = key_table_key(keys, e);
            struct rd r = rd_of(key.p, key.n);
            arena_reset(&arena);
            for (uint32_t k = 0; k < a->key_count; k++) {
                struct column_builder b;
                column_builder_init(&b, a->plan->exprs[k]->type, &arena);
                CHECK(cell_read(&r, &b));
            }
            if (key_table_get(&a->keys, str_n(key.p, key.n - rd_left(&r))) == KEY_NONE)
                key_table_remove(keys, e);
        }
    }
    arena_fini(&arena);
}

/* Ends the groups that the watermark has passed; in append mode their rows are the result. */
static void evict(struct aggregate *a)
{
    struct batch_builder b;
    struct row_errors errors = {0};
    uint32_t count = 0;
    if (a->append) {
        arena_reset(&a->scratch);
        batch_reset(a->result);
        batch_builder_init(&b, a->result, a->op.schema);
    }
    if (a->event_key != UINT32_MAX && a->watermark.us > a->evicted.us) {
        for (uint32_t g = 0; g < a->keys.used; g++) {
            if (!key_table_has(&a->keys, g) || !is_over(a, g))
                continue;
            if (a->append && head_of(a, g)->rows > 0)
                finish_row(a, g, b.columns, &errors);
            forget_group(a, g);
            count++;
        }
        a->evicted = a->watermark;
        sbuf_char(&a->log, 'W');
        put_le64(sbuf_reserve(&a->log, 8), (uint64_t)a->evicted.us);
        sbuf_added(&a->log, 8);
    }
    if (count)
        forget_values(a);
    if (a->append) {
        batch_builder_finish(&b);
        a->result->rows = batch_builder_rows(&b);
        report_groups(a, &errors);
    }
}

static enum op_status put_out(struct aggregate *a)
{
    if (!a->putting_out)
        return OP_NEED_INPUT;
    uint32_t left = a->result->rows - a->at, count = left < BATCH_ROWS ? left : BATCH_ROWS;
    if (count == 0) {
        a->putting_out = false;
        return op_pass(&a->op, &a->after);
    }
    if (a->at == 0 && count == left) {
        a->at += count;
        return op_emit(&a->op, a->result);
    }
    batch_reset(a->out);
    uint32_t *rows = arena_array(&a->out->arena, uint32_t, count);
    for (uint32_t i = 0; i < count; i++)
        rows[i] = a->at + i;
    batch_take(a->out, a->result, rows, count, false);
    a->at += count;
    return op_emit(&a->op, a->out);
}

static enum op_status aggregate_step(struct op *op, uint32_t port, const struct op_msg *msg)
{
    struct aggregate *a = (struct aggregate *)op;
    if (msg == NULL)
        return put_out(a);
    if (msg->kind == OP_BATCH) {
        take_in(a, msg->batch);
        return OP_NEED_INPUT;
    }
    if (msg->kind == OP_WATERMARK && msg->watermark.us > a->watermark.us)
        a->watermark = msg->watermark; /* what it ends, ends at the barrier behind it */
    if (msg->kind == OP_WATERMARK || (!a->streaming && msg->kind == OP_BARRIER))
        return op_pass(op, msg);
    if (!a->streaming)
        finish_all(a);
    else if (!a->append)
        finish_dirty(a);
    if (a->streaming)
        evict(a);
    a->after = *msg;
    a->at = 0;
    a->putting_out = true;
    return put_out(a);
}

/* ---- state --------------------------------------------------------------------------------------------- */

static void write_group(struct aggregate *a, uint32_t group, struct sbuf *out)
{
    sbuf_char(out, 'G');
    write_bytes(out, key_table_key(&a->keys, group));
    put_le64(sbuf_reserve(out, 8), (uint64_t)head_of(a, group)->rows);
    sbuf_added(out, 8);
    for (uint32_t i = 0; i < a->agg_count; i++)
        a->aggs[i].kind->write(&a->aggs[i], agg_state(&a->states, group) + a->aggs[i].offset, out);
}

static void aggregate_snapshot(struct op *op, struct sbuf *out)
{
    struct aggregate *a = (struct aggregate *)op;
    sbuf_char(out, 'W');
    put_le64(sbuf_reserve(out, 8), (uint64_t)a->evicted.us);
    sbuf_added(out, 8);
    for (uint32_t g = 0; g < a->keys.used; g++)
        if (key_table_has(&a->keys, g))
            write_group(a, g, out);
    for (uint32_t i = 0; i < a->agg_count; i++)
        for (uint32_t e = 0; e < a->distinct[i].keys.used; e++) {
            if (!key_table_has(&a->distinct[i].keys, e))
                continue;
            sbuf_char(out, 'D');
            put_le64(sbuf_reserve(out, 8), i);
            sbuf_added(out, 8);
            write_bytes(out, key_table_key(&a->distinct[i].keys, e));
            put_le64(sbuf_reserve(out, 8), (uint64_t)a->distinct[i].counts[e]);
            sbuf_added(out, 8);
        }
}

/* Removals first: a key that came back since is among the groups behind them. */
static void aggregate_changelog(struct op *op, struct sbuf *out)
{
    struct aggregate *a = (struct aggregate *)op;
    sbuf_str(out, sbuf_view(&a->log));
    sbuf_clear(&a->log);
    for (uint32_t k = 0; k < a->logged_count; k++) {
        uint32_t group = a->logged[k];
        if (!key_table_has(&a->keys, group) || !head_of(a, group)->logged)
            continue;
        head_of(a, group)->logged = false;
        write_group(a, group, out);
    }
    a->logged_count = 0;
}

static bool apply_group(struct aggregate *a, struct rd *r)
{
    struct str key = read_bytes(r);
    int64_t rows = (int64_t)rd_le64(r);
    if (r->bad)
        return false;
    struct arena arena = {0}; /* the key must be one: results are built from it */
    struct rd cells = rd_of(key.p, key.n);
    bool ok = true;
    for (uint32_t i = 0; ok && i < a->key_count; i++) {
        struct column_builder b;
        column_builder_init(&b, a->plan->exprs[i]->type, &arena);
        ok = cell_read(&cells, &b);
    }
    arena_fini(&arena);
    if (!ok || rd_left(&cells))
        return false;
    uint32_t group = group_put(a, key);
    group_clear(a, group);
    head_of(a, group)->rows = rows;
    head_of(a, group)->seen = true;
    for (uint32_t i = 0; i < a->agg_count; i++)
        if (!a->aggs[i].kind->read(&a->aggs[i], agg_state(&a->states, group) + a->aggs[i].offset, r,
                                   &a->states))
            return false;
    return true;
}

static bool apply_distinct(struct aggregate *a, struct rd *r)
{
    uint64_t i = rd_le64(r);
    struct str key = read_bytes(r);
    int64_t count = (int64_t)rd_le64(r);
    bool is_new;
    if (r->bad || i >= a->agg_count)
        return false;
    struct distinct_values *d = &a->distinct[i];
    uint32_t entry = key_table_put(&d->keys, key, &is_new);
    d->counts = mem_grow(d->counts, &d->capacity, (size_t)entry + 1, sizeof(*d->counts));
    d->counts[entry] = count;
    if (count == 0)
        key_table_remove(&d->keys, entry);
    return true;
}

static bool apply_record(struct aggregate *a, struct rd *r)
{
    switch (rd_u8(r)) {
    case 'G': return apply_group(a, r);
    case 'D': return apply_distinct(a, r);
    case 'W':
        a->evicted.us = a->watermark.us = (int64_t)rd_le64(r);
        if (a->event_key != UINT32_MAX)
            forget_values(a);
        return !r->bad;
    case 'R': {
        uint32_t group = key_table_get(&a->keys, read_bytes(r));
        if (group != KEY_NONE)
            group_remove(a, group);
        return !r->bad;
    }
    default: return false;
    }
}

static bool aggregate_apply(struct op *op, struct str state, struct err *err)
{
    struct aggregate *a = (struct aggregate *)op;
    struct rd r = rd_of(state.p, state.n);
    while (rd_left(&r))
        if (!apply_record(a, &r) || r.bad)
            return err_set(err, ERR_FATAL, "the state of an aggregation is damaged before byte %zu of %zu",
                           state.n - rd_left(&r), state.n);
    return true;
}

static bool aggregate_restore(struct op *op, struct str state, struct err *err)
{
    clear((struct aggregate *)op);
    return aggregate_apply(op, state, err);
}

static size_t aggregate_memory(const struct op *op)
{
    const struct aggregate *a = (const struct aggregate *)op;
    size_t bytes = key_table_memory(&a->keys) + a->states.blob_bytes + a->log.capacity;
    bytes += (size_t)a->states.chunk_count * AGG_CHUNK_GROUPS * a->states.stride;
    for (uint32_t i = 0; i < a->agg_count; i++)
        bytes += key_table_memory(&a->distinct[i].keys) + a->distinct[i].capacity * sizeof(int64_t);
    return bytes;
}

static void aggregate_close(struct op *op)
{
    struct aggregate *a = (struct aggregate *)op;
    clear(a);
    mem_free(a->states.chunks);
    mem_free(a->dirty);
    mem_free(a->logged);
    sbuf_fini(&a->log);
    sbuf_fini(&a->key);
    sbuf_fini(&a->value);
    batch_free(a->before);
    batch_free(a->result);
    batch_free(a->out);
    arena_fini(&a->scratch);
}

static const struct op_kind aggregate_kind = {
    .name = "aggregate",
    .step = aggregate_step,
    .close = aggregate_close,
    .snapshot = aggregate_snapshot,
    .restore = aggregate_restore,
    .changelog = aggregate_changelog,
    .apply = aggregate_apply,
    .memory = aggregate_memory,
};

/* ---- making one ---------------------------------------------------------------------------------------- */

static bool make_aggs(struct aggregate *a, struct pool *pool, bool changes, struct err *err)
{
    a->states.stride = (sizeof(struct group_head) + 15) & ~15u;
    for (uint32_t i = 0; i < a->agg_count; i++) {
        struct agg *agg = &a->aggs[i];
        TRY(agg_init(pool, a->plan->exprs[a->key_count + i], agg, err));
        if (changes && !agg->kind->retracts)
            return err_set(err, ERR_CONFIG,
                           "\"%s\" cannot follow rows that are taken back, which its input does",
                           agg->call->function->name);
        agg->offset = a->states.stride;
        a->states.stride += (agg->kind->size + 15) & ~15u;
    }
    return true;
}

static bool make_evaluators(struct aggregate *a, struct pool *pool, struct err *err)
{
    const struct plan *plan = a->plan;
    const struct type *input = plan->inputs[0]->schema;
    uint32_t most = a->key_count, n = 0;
    for (uint32_t i = 0; i < a->agg_count; i++)
        most += a->aggs[i].arg_count + 1;
    const struct expr **exprs = pool_alloc(pool, mem_product(most + 1, sizeof(*exprs)));
    for (; n < a->key_count; n++)
        exprs[n] = plan->exprs[n];
    for (uint32_t i = 0; i < a->agg_count; i++) {
        const struct expr *call = a->aggs[i].call,
                          *filter = plan->filters ? plan->filters[a->key_count + i] : NULL;
        a->filter_at[i] = filter ? n : UINT32_MAX;
        if (filter) {
            exprs[n++] = filter;
            TRY(evaluator_new(pool, call->args, call->arg_count, input, &a->filtered[i], err));
            continue;
        }
        a->args_at[i] = n;
        for (uint32_t k = 0; k < call->arg_count; k++)
            exprs[n++] = call->args[k];
    }
    a->main_count = n;
    return evaluator_new(pool, exprs, n, input, &a->main, err);
}

/* The expression below that a column of a node's output is. NULL: it is made there. */
static const struct expr *below(const struct plan **plan, const struct expr *e)
{
    while (e->kind == EXPR_COLUMN && (*plan)->kind != PLAN_WATERMARK && (*plan)->input_count == 1) {
        if ((*plan)->kind == PLAN_PROJECT)
            e = (*plan)->exprs[e->index];
        else if ((*plan)->kind != PLAN_FILTER && (*plan)->kind != PLAN_LIMIT)
            break;
        *plan = (*plan)->inputs[0];
    }
    return e;
}

/* The key that is a window (there is one at most), and the one whose event time ends a group: a window over, or
 * itself, the watermark's column. */
static void find_time_keys(struct aggregate *a, const struct plan *plan)
{
    a->event_key = a->window_key = UINT32_MAX;
    for (uint32_t i = 0; i < plan->group_count; i++) {
        const struct plan *at = plan->inputs[0];
        const struct expr *e = below(&at, plan->exprs[i]);
        if (e->kind == EXPR_CALL && e->function->id == FN_WINDOW) {
            a->window_key = i;
            e = below(&at, e->args[0]);
        }
        while (e->kind == EXPR_CAST) /* the kernel takes a long */
            e = below(&at, e->args[0]);
        if (plan->streaming && e->kind == EXPR_COLUMN && at->kind == PLAN_WATERMARK &&
            at->exprs[0]->index == e->index)
            a->event_key = i;
    }
}

bool aggregate_set_append(struct op *op, struct err *err)
{
    struct aggregate *a = (struct aggregate *)op;
    if (a->event_key == UINT32_MAX)
        return err_set(err, ERR_CONFIG,
                       "STREAMING_OUTPUT_MODE.UNSUPPORTED_OPERATION: an aggregation without a window over a "
                       "watermark never ends, so it cannot append");
    a->append = true;
    return true;
}

bool aggregate_new(struct pool *pool, const struct plan *plan, bool changes, struct op **op, struct err *err)
{
    struct aggregate *a = pool_new_struct(pool, struct aggregate);
    a->plan = plan;
    a->key_count = plan->group_count;
    a->agg_count = plan->expr_count - plan->group_count;
    a->streaming = plan->streaming;
    find_time_keys(a, plan);
    a->watermark = a->evicted = EVENT_TIME_NONE;
    a->aggs = pool_alloc(pool, mem_product(a->agg_count + 1, sizeof(*a->aggs)));
    a->filtered = pool_alloc(pool, mem_product(a->agg_count + 1, sizeof(*a->filtered)));
    a->args_at = pool_alloc(pool, mem_product(a->agg_count + 1, sizeof(uint32_t)));
    a->filter_at = pool_alloc(pool, mem_product(a->agg_count + 1, sizeof(uint32_t)));
    a->distinct = pool_alloc(pool, mem_product(a->agg_count + 1, sizeof(*a->distinct)));
    TRY(make_aggs(a, pool, changes, err));
    TRY(make_evaluators(a, pool, err));
    a->op.kind = &aggregate_kind;
    a->op.schema = plan->schema;
    a->op.stateful = plan->streaming;
    a->before = batch_new();
    a->result = batch_new();
    a->out = batch_new();
    *op = &a->op;
    return true;
}

/* DISTINCT: each row the first time it comes. Where rows can be taken back, a row is counted, and taken back
 * with its last copy. The state is the set of rows, as key bytes, with their counts; a changelog holds the
 * rows whose count changed. */
#include "base/bytes.h"
#include "op/cells.h"
#include "op/gather.h"
#include "op/keys.h"
#include "op/op_private.h"

struct distinct {
    struct op op;
    struct key_table keys;
    uint64_t *counts; /* [keys.used] */
    size_t count_capacity;
    struct sbuf key, log; /* log: changes since the last changelog */
    struct batch *out;
};

static void write_count(struct sbuf *out, struct str key, uint64_t count)
{
    sbuf_added(out, put_uvarint((uint8_t *)sbuf_reserve(out, VARINT_MAX), key.n));
    sbuf_str(out, key);
    sbuf_added(out, put_uvarint((uint8_t *)sbuf_reserve(out, VARINT_MAX), count));
}

static void set_count(struct distinct *d, uint32_t entry, uint64_t count)
{
    if (count == 0)
        key_table_remove(&d->keys, entry);
    else
        d->counts[entry] = count;
}

static uint32_t find(struct distinct *d, struct str key)
{
    bool is_new;
    uint32_t entry = key_table_put(&d->keys, key, &is_new);
    d->counts = mem_grow(d->counts, &d->count_capacity, (size_t)entry + 1, sizeof(*d->counts));
    if (is_new)
        d->counts[entry] = 0;
    return entry;
}

/* Whether the row goes out. */
static bool distinct_row(struct distinct *d, const struct batch *in, uint32_t row)
{
    bool back = in->change && (in->change[row] == CHANGE_UPDATE_BEFORE || in->change[row] == CHANGE_DELETE);
    sbuf_clear(&d->key);
    for (uint32_t i = 0; i < in->schema->field_count; i++)
        cell_write(&in->columns[i], row, true, &d->key);
    struct str key = sbuf_view(&d->key);
    uint32_t entry = find(d, key);
    uint64_t before = d->counts[entry], after = back ? (before ? before - 1 : 0) : before + 1;
    if (!d->op.stateful && before) /* a batch query: nothing comes back, the first copy is all that counts */
        return false;
    set_count(d, entry, after);
    if (d->op.stateful)
        write_count(&d->log, key, after);
    return (before == 0) != (after == 0);
}

static enum op_status distinct_batch(struct distinct *d, const struct batch *in)
{
    batch_reset(d->out);
    uint32_t *rows = arena_array(&d->out->arena, uint32_t, in->rows + 1), count = 0;
    for (uint32_t row = 0; row < in->rows; row++)
        if (distinct_row(d, in, row))
            rows[count++] = row;
    if (count == 0)
        return OP_NEED_INPUT;
    d->out->schema = d->op.schema;
    d->out->rows = count;
    d->out->columns = arena_array(&d->out->arena, struct column, in->schema->field_count + 1);
    for (uint32_t i = 0; i < in->schema->field_count; i++)
        d->out->columns[i] = column_indirect(&in->columns[i], rows, count, &d->out->arena);
    batch_hidden(d->out, in, rows, count);
    for (uint32_t i = 0; d->out->change && i < count; i++) /* it is the row as such that comes or goes */
        d->out->change[i] = in->change[rows[i]] == CHANGE_INSERT || in->change[rows[i]] == CHANGE_UPDATE_AFTER
                                ? CHANGE_INSERT
                                : CHANGE_DELETE;
    return op_emit(&d->op, d->out);
}

static enum op_status distinct_step(struct op *op, uint32_t port, const struct op_msg *msg)
{
    if (msg == NULL)
        return OP_NEED_INPUT;
    return msg->kind == OP_BATCH ? distinct_batch((struct distinct *)op, msg->batch) : op_pass(op, msg);
}

static void distinct_close(struct op *op)
{
    struct distinct *d = (struct distinct *)op;
    key_table_fini(&d->keys);
    mem_free(d->counts);
    sbuf_fini(&d->key);
    sbuf_fini(&d->log);
    batch_free(d->out);
}

static void distinct_snapshot(struct op *op, struct sbuf *out)
{
    struct distinct *d = (struct distinct *)op;
    for (uint32_t i = 0; i < d->keys.used; i++)
        if (key_table_has(&d->keys, i))
            write_count(out, key_table_key(&d->keys, i), d->counts[i]);
}

static void distinct_changelog(struct op *op, struct sbuf *out)
{
    struct distinct *d = (struct distinct *)op;
    sbuf_str(out, sbuf_view(&d->log));
    sbuf_clear(&d->log);
}

static bool distinct_apply(struct op *op, struct str state, struct err *err)
{
    struct distinct *d = (struct distinct *)op;
    struct rd r = rd_of(state.p, state.n);
    while (rd_left(&r)) {
        uint64_t n = rd_uvarint(&r);
        const uint8_t *key = rd_take(&r, n);
        uint64_t count = rd_uvarint(&r);
        if (r.bad)
            return err_set(err, ERR_FATAL, "the state of a DISTINCT is damaged at byte %zu",
                           state.n - rd_left(&r));
        set_count(d, find(d, str_n(key, n)), count);
    }
    return true;
}

static bool distinct_restore(struct op *op, struct str state, struct err *err)
{
    struct distinct *d = (struct distinct *)op;
    key_table_fini(&d->keys);
    sbuf_clear(&d->log);
    return distinct_apply(op, state, err);
}

static size_t distinct_memory(const struct op *op)
{
    const struct distinct *d = (const struct distinct *)op;
    return key_table_memory(&d->keys) + d->count_capacity * sizeof(*d->counts) + d->log.capacity;
}

static const struct op_kind distinct_kind = {
    .name = "distinct",
    .step = distinct_step,
    .close = distinct_close,
    .snapshot = distinct_snapshot,
    .restore = distinct_restore,
    .changelog = distinct_changelog,
    .apply = distinct_apply,
    .memory = distinct_memory,
};

bool distinct_new(struct pool *pool, const struct plan *plan, struct op **op, struct err *err)
{
    struct distinct *d = pool_new_struct(pool, struct distinct);
    d->op.kind = &distinct_kind;
    d->op.schema = plan->schema;
    d->op.stateful = plan->streaming;
    d->out = batch_new();
    *op = &d->op;
    return true;
}

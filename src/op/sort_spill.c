/* Sorted rows on disk: an external merge sort, for ORDER BY over more than memory holds.
 *
 * Each add writes one run, a file of blocks; a block is a few hundred rows:
 *
 *     u32 bytes of the cells   u32 rows   cells of the first row, of the second …        (each row: its columns, then the keys that are computed)
 *
 * Reading back, a run has one block in memory. FAN runs in a row that were merged equally often are merged into one that lies in their place, so there
 * are at most FAN - 1 of each such level: memory grows with the logarithm of the rows, and each row is written once for each level. Runs
 * stay in the order in which they were added, and of equal rows the one of the earlier run comes first, so the sort is as stable as the one in memory. */
#include "base/bytes.h"
#include "op/cells.h"
#include "op/sort_private.h"

enum {
    BLOCK_BYTES = 64 << 10, /* a block is written when it is past this */
    BLOCK_HEAD = 8,
    FAN = 16,
};

struct run {
    struct spill *file;
    uint64_t size;
    int level;
};

/* Several runs read as one. */
struct merge {
    const struct run *runs;
    uint32_t count;
    uint64_t *at;            /* next block of each run [count] */
    struct sort_rows *rows;  /* the block of each run that is in memory [count] */
    struct sort_entry *heap; /* the next row of each run that has one, the least first */
    uint32_t heap_count;
    int64_t drained; /* the run whose block has been put out to its end, or −1 */
};

struct sort_spill {
    const struct plan *plan;
    struct spills *spills;
    struct run *runs;
    uint32_t run_count;
    size_t run_capacity;
    struct sbuf block; /* that is being written, behind room for its head */
    uint32_t block_rows;
    struct merge *merge; /* of sort_spill_next */
};

/* ---- blocks -------------------------------------------------------------------------------------------- */

static bool end_block(struct sort_spill *s, struct run *run, struct err *err)
{
    if (s->block_rows == 0)
        return true;
    put_le32(s->block.p, (uint32_t)(s->block.n - BLOCK_HEAD));
    put_le32(s->block.p + 4, s->block_rows);
    TRY(s->spills->append(run->file, s->block.p, s->block.n, err));
    run->size += s->block.n;
    s->block_rows = 0;
    return true;
}

static bool put_row(struct sort_spill *s, struct run *run, const struct sort_rows *rows, uint32_t row,
                    struct err *err)
{
    if (s->block_rows == 0) {
        sbuf_clear(&s->block);
        memset(sbuf_reserve(&s->block, BLOCK_HEAD), 0, BLOCK_HEAD);
        sbuf_added(&s->block, BLOCK_HEAD);
    }
    for (uint32_t c = 0; c < s->plan->schema->field_count; c++)
        cell_write(&rows->batch->columns[c], row, false, &s->block);
    for (uint32_t k = 0; k < s->plan->sort_count; k++)
        if (sort_key_column(s->plan, k) < 0)
            cell_write(&rows->keys[k], row, false, &s->block);
    s->block_rows++;
    if (s->block.n > UINT32_MAX)
        return err_set(err, ERR_DATA, "a row is too large to be sorted");
    return s->block.n < BLOCK_BYTES || end_block(s, run, err);
}

static bool read_row(const struct plan *plan, struct rd *r, struct batch_builder *b,
                     struct column_builder *keys)
{
    for (uint32_t c = 0; c < plan->schema->field_count; c++)
        if (!cell_read(r, &b->columns[c]))
            return false;
    for (uint32_t k = 0; k < plan->sort_count; k++)
        if (sort_key_column(plan, k) < 0 && !cell_read(r, &keys[k]))
            return false;
    return true;
}

static bool decode(const struct plan *plan, struct rd *r, uint32_t count, struct sort_rows *out)
{
    struct batch_builder b;
    batch_reset(out->batch);
    struct arena *arena = &out->batch->arena;
    struct column_builder *keys = arena_array(arena, struct column_builder, plan->sort_count);
    batch_builder_init(&b, out->batch, plan->schema);
    for (uint32_t k = 0; k < plan->sort_count; k++)
        column_builder_init(&keys[k], plan->sort[k].expr->type, arena);
    for (uint32_t row = 0; row < count; row++)
        if (!read_row(plan, r, &b, keys))
            return false;
    batch_builder_finish(&b);
    out->batch->rows = count; /* of a schema without columns, too */
    out->keys = arena_array(arena, struct column, plan->sort_count);
    for (uint32_t k = 0; k < plan->sort_count; k++) {
        int column = sort_key_column(plan, k);
        out->keys[k] = column < 0 ? column_builder_finish(&keys[k]) : out->batch->columns[column];
    }
    return rd_left(r) == 0;
}

/* The next block of run i; *more = false: there is none. */
static bool read_block(struct sort_spill *s, struct merge *m, uint32_t i, bool *more, struct err *err)
{
    const struct run *run = &m->runs[i];
    char head[BLOCK_HEAD];
    *more = m->at[i] < run->size;
    if (!*more)
        return true;
    TRY(s->spills->read(run->file, m->at[i], head, sizeof head, err));
    uint32_t n = get_le32(head), count = get_le32(head + 4);
    if (n > run->size - m->at[i] - BLOCK_HEAD)
        return err_set(err, ERR_DATA, "a temporary file is not what was written to it");
    char *bytes = mem_new(n + 1);
    struct rd r = rd_of(bytes, n);
    bool ok = s->spills->read(run->file, m->at[i] + BLOCK_HEAD, bytes, n, err) &&
              (decode(s->plan, &r, count, &m->rows[i]) ||
               err_set(err, ERR_DATA, "a temporary file is not what was written to it"));
    mem_free(bytes);
    m->at[i] += BLOCK_HEAD + (uint64_t)n;
    return ok;
}

/* ---- merging -------------------------------------------------------------------------------------------- */

static bool before(const struct sort_spill *s, const struct merge *m, uint32_t a, uint32_t b)
{
    int c = sort_compare(s->plan, m->rows, &m->heap[a], &m->heap[b]);
    return c < 0 || (c == 0 && m->heap[a].rows < m->heap[b].rows);
}

static void swap(struct merge *m, uint32_t a, uint32_t b)
{
    struct sort_entry t = m->heap[a];
    m->heap[a] = m->heap[b];
    m->heap[b] = t;
}

static void sift_down(const struct sort_spill *s, struct merge *m)
{
    for (uint32_t i = 0, least = 0;; i = least) {
        for (uint32_t child = 2 * i + 1; child <= 2 * i + 2 && child < m->heap_count; child++)
            if (before(s, m, child, least))
                least = child;
        if (least == i)
            return;
        swap(m, i, least);
    }
}

static void push(const struct sort_spill *s, struct merge *m, struct sort_entry entry)
{
    uint32_t i = m->heap_count++;
    m->heap[i] = entry;
    for (; i > 0 && before(s, m, i, (i - 1) / 2); i = (i - 1) / 2)
        swap(m, i, (i - 1) / 2);
}

static bool refill(struct sort_spill *s, struct merge *m, uint32_t i, struct err *err)
{
    bool more;
    TRY(read_block(s, m, i, &more, err));
    if (more)
        push(s, m, sort_entry_of(s->plan, m->rows, i, 0));
    return true;
}

static void merge_free(struct merge *m)
{
    if (m == NULL)
        return;
    for (uint32_t i = 0; i < m->count; i++)
        batch_free(m->rows[i].batch);
    mem_free(m->at);
    mem_free(m->rows);
    mem_free(m->heap);
    mem_free(m);
}

/* runs[count] from their beginnings. NULL: an error. */
static struct merge *merge_new(struct sort_spill *s, const struct run *runs, uint32_t count, struct err *err)
{
    struct merge *m = mem_new(sizeof *m);
    *m = (struct merge){.runs = runs,
                        .count = count,
                        .at = mem_new_array(uint64_t, count + 1),
                        .rows = mem_new_array(struct sort_rows, count + 1),
                        .heap = mem_new_array(struct sort_entry, count + 1),
                        .drained = -1};
    for (uint32_t i = 0; i < count; i++)
        m->rows[i].batch = batch_new();
    for (uint32_t i = 0; i < count; i++)
        if (!refill(s, m, i, err)) {
            merge_free(m);
            return NULL;
        }
    return m;
}

/* A block is replaced by the next call only: what was put out of it is still to be read. */
static bool merge_next(struct sort_spill *s, struct merge *m, struct sort_entry *out, uint32_t max,
                       uint32_t *count, struct err *err)
{
    *count = 0;
    if (m->drained >= 0)
        TRY(refill(s, m, (uint32_t)m->drained, err));
    m->drained = -1;
    while (*count < max && m->heap_count > 0 && m->drained < 0) {
        struct sort_entry *top = &m->heap[0];
        uint32_t i = top->rows, next = top->row + 1;
        out[(*count)++] = *top;
        if (next < m->rows[i].batch->rows) {
            *top = sort_entry_of(s->plan, m->rows, i, next);
        } else {
            m->drained = i;
            *top = m->heap[--m->heap_count];
        }
        sift_down(s, m);
    }
    return true;
}

/* ---- runs ------------------------------------------------------------------------------------------------ */

static bool merge_into(struct sort_spill *s, struct merge *m, struct run *to, struct err *err)
{
    struct sort_entry entries[256];
    uint32_t count;
    do {
        TRY(merge_next(s, m, entries, sizeof entries / sizeof *entries, &count, err));
        for (uint32_t i = 0; i < count; i++)
            TRY(put_row(s, to, &m->rows[entries[i].rows], entries[i].row, err));
    } while (count > 0);
    return end_block(s, to, err);
}

/* The last FAN runs, if they are of one level, become one of the next. */
static bool merge_level(struct sort_spill *s, bool *merged, struct err *err)
{
    struct run *last = s->runs + s->run_count;
    *merged = s->run_count >= FAN && last[-FAN].level == last[-1].level;
    if (!*merged)
        return true;
    struct run to = {.file = s->spills->open(s->spills, err), .level = last[-1].level + 1};
    struct merge *m = to.file ? merge_new(s, last - FAN, FAN, err) : NULL;
    bool ok = m && merge_into(s, m, &to, err);
    merge_free(m);
    if (!ok) {
        s->spills->close(to.file);
        return false;
    }
    for (int i = 1; i <= FAN; i++)
        s->spills->close(last[-i].file);
    s->run_count -= FAN;
    s->runs[s->run_count++] = to;
    return true;
}

bool sort_spill_add(struct sort_spill *s, const struct sort_rows *all, const struct sort_entry *entries,
                    uint64_t count, struct err *err)
{
    CHECK(s->merge == NULL);
    s->runs = mem_grow(s->runs, &s->run_capacity, (size_t)s->run_count + 1, sizeof *s->runs);
    struct run *run = &s->runs[s->run_count];
    *run = (struct run){.file = s->spills->open(s->spills, err)};
    if (run->file == NULL)
        return false;
    s->run_count++;
    for (uint64_t i = 0; i < count; i++)
        TRY(put_row(s, run, &all[entries[i].rows], entries[i].row, err));
    TRY(end_block(s, run, err));
    bool merged = true;
    while (merged)
        TRY(merge_level(s, &merged, err));
    return true;
}

bool sort_spill_next(struct sort_spill *s, struct sort_entry *entries, uint32_t max, uint32_t *count,
                     const struct sort_rows **all, uint32_t *all_count, struct err *err)
{
    if (s->merge == NULL)
        s->merge = merge_new(s, s->runs, s->run_count, err);
    if (s->merge == NULL)
        return false;
    *all = s->merge->rows;
    *all_count = s->merge->count;
    return merge_next(s, s->merge, entries, max, count, err);
}

struct sort_spill *sort_spill_new(const struct plan *plan, struct spills *spills)
{
    struct sort_spill *s = mem_new(sizeof *s);
    s->plan = plan;
    s->spills = spills;
    return s;
}

void sort_spill_free(struct sort_spill *s)
{
    if (s == NULL)
        return;
    merge_free(s->merge);
    for (uint32_t i = 0; i < s->run_count; i++)
        s->spills->close(s->runs[i].file);
    mem_free(s->runs);
    sbuf_fini(&s->block);
    mem_free(s);
}

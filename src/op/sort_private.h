/* ORDER BY: rows and their order (sort.c), and sorted rows that are on disk (sort_spill.c). */
#ifndef OP_SORT_PRIVATE_H
#define OP_SORT_PRIVATE_H

#include "batch/batch.h"
#include "sql/plan.h"
#include "state/spill.h"

/* Rows in memory, and the cells that they are sorted by. */
struct sort_rows {
    struct batch *batch;
    struct column *keys; /* [plan->sort_count], of the batch or in its arena */
};

/* One row of an array of sort_rows. */
struct sort_entry {
    uint64_t prefix; /* of its first key */
    uint32_t rows, row;
};

struct sort_entry sort_entry_of(const struct plan *plan, const struct sort_rows *all, uint32_t rows,
                                uint32_t row);
int sort_compare(const struct plan *plan, const struct sort_rows *all, const struct sort_entry *a,
                 const struct sort_entry *b);
/* The column of the input that a key is, or −1: it is computed. */
int sort_key_column(const struct plan *plan, uint32_t key);

struct sort_spill;
/* spills and plan are borrowed for its life. */
struct sort_spill *sort_spill_new(const struct plan *plan, struct spills *spills);
void sort_spill_free(struct sort_spill *s); /* NULL is fine */
/* Writes entries[count], which are sorted and come after what was added before where they are equal. Their rows are not needed any more. */
bool sort_spill_add(struct sort_spill *s, const struct sort_rows *all, const struct sort_entry *entries,
                    uint64_t count, struct err *err);
/* After the last add, again and again: the next entries[*count ≤ max] of all, of the rows in *all[*all_count]; both stay valid until the next call. *count 0: that was all. */
bool sort_spill_next(struct sort_spill *s, struct sort_entry *entries, uint32_t max, uint32_t *count,
                     const struct sort_rows **all, uint32_t *all_count, struct err *err);

#endif

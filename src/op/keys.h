/* A hash table from key bytes (cell_write with key = true) to small numbers: 0, 1, 2 … in order of arrival;
 * numbers of removed keys are used again. Aggregation, DISTINCT, count(DISTINCT …). */
#ifndef OP_KEYS_H
#define OP_KEYS_H

#include "base/map.h"
#include "base/str.h"

struct key_entry {
    uint64_t hash;
    const char *p; /* in the table's memory; NULL = free */
    uint32_t n;
    uint32_t next_free;
};

/* Zeroed = empty and valid. */
struct key_table {
    struct key_entry *entries; /* [used] */
    uint32_t used, live;
    size_t capacity;
    uint32_t *slots; /* entry + 1, 0 = free [mask + 1] */
    uint32_t mask;
    uint32_t free; /* first free entry + 1 */
    struct arena bytes;
    size_t dead_bytes; /* of removed keys, still in `bytes` */
};

enum { KEYS_MAX = 1 << 30 };
#define KEY_NONE UINT32_MAX

void key_table_fini(struct key_table *t);
/* The key's number; *is_new: it was not there. */
uint32_t key_table_put(struct key_table *t, struct str key, bool *is_new);
/* KEY_NONE where it is not there. */
uint32_t key_table_get(const struct key_table *t, struct str key);
void key_table_remove(struct key_table *t, uint32_t entry);
static inline bool key_table_has(const struct key_table *t, uint32_t entry)
{
    return t->entries[entry].p != NULL;
}
static inline struct str key_table_key(const struct key_table *t, uint32_t entry)
{
    return str_n(t->entries[entry].p, t->entries[entry].n);
}
size_t key_table_memory(const struct key_table *t);

#endif

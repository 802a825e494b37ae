/* A hash map from byte strings to pointers: open addressing, keys copied, iteration in insertion order. For catalogues
 * and configuration; keyed stream state has its own tables. */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include "base/str.h"

struct map_entry {
    struct str key; /* owned by the map */
    void *value;    /* borrowed; never NULL in a live entry */
    uint64_t hash;
};

/* Zeroed = empty and valid. Not shared between roles. */
struct map {
    struct map_entry *entries; /* entries[used]; value NULL = removed */
    uint32_t *slots;           /* slots[slot_count], index + 1 into entries, 0 = free */
    size_t used, capacity, slot_count, count;
    struct arena keys;
};

void map_fini(struct map *map);
/* The value, or NULL. */
void *map_get(const struct map *map, struct str key);
/* Returns the value that was there before, or NULL. value is not NULL. */
void *map_put(struct map *map, struct str key, void *value);
/* Returns the value that was there, or NULL. */
void *map_remove(struct map *map, struct str key);

#define MAP_EACH(entry, map)                                                                                 \
    for (struct map_entry *entry = (map)->entries; entry < (map)->entries + (map)->used; entry++)            \
        if (entry->value != NULL)

/* A good 64-bit hash of n bytes (XXH3). The same in every process: may be stored. */
uint64_t hash_bytes(const void *p, size_t n);

#endif

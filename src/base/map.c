#include "base/map.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

uint64_t hash_bytes(const void *p, size_t n)
{
    return XXH3_64bits(p, n);
}

void map_fini(struct map *map)
{
    mem_free(map->entries);
    mem_free(map->slots);
    arena_fini(&map->keys);
    *map = (struct map){0};
}

/* The slot that holds key, or the free slot where it would go. */
static size_t find_slot(const struct map *map, struct str key, uint64_t hash)
{
    size_t mask = map->slot_count - 1;
    for (size_t slot = (size_t)hash & mask;; slot = (slot + 1) & mask) {
        uint32_t index = map->slots[slot];
        if (index == 0)
            return slot;
        const struct map_entry *entry = &map->entries[index - 1];
        if (entry->hash == hash && str_eq(entry->key, key))
            return slot;
    }
}

static void rebuild(struct map *map, size_t slot_count)
{
    mem_free(map->slots);
    map->slots = mem_new_array(uint32_t, slot_count);
    map->slot_count = slot_count;
    size_t kept = 0;
    for (size_t i = 0; i < map->used; i++) {
        struct map_entry entry = map->entries[i];
        if (entry.value == NULL)
            continue;
        map->entries[kept] = entry;
        map->slots[find_slot(map, entry.key, entry.hash)] = (uint32_t)++kept;
    }
    map->used = kept;
}

void *map_get(const struct map *map, struct str key)
{
    if (map->slot_count == 0)
        return NULL;
    uint32_t index = map->slots[find_slot(map, key, hash_bytes(key.p, key.n))];
    return index ? map->entries[index - 1].value : NULL;
}

void *map_put(struct map *map, struct str key, void *value)
{
    CHECK(value != NULL);
    if ((map->used + 1) * 2 > map->slot_count)
        rebuild(map, map->count * 4 > 16 ? (size_t)1 << (64 - __builtin_clzll(map->count * 4)) : 16);
    uint64_t hash = hash_bytes(key.p, key.n);
    size_t slot = find_slot(map, key, hash);
    if (map->slots[slot] != 0) {
        struct map_entry *entry = &map->entries[map->slots[slot] - 1];
        void *before = entry->value;
        entry->value = value;
        map->count += before == NULL;
        return before;
    }
    map->entries = mem_grow(map->entries, &map->capacity, map->used + 1, sizeof *map->entries);
    map->entries[map->used] = (struct map_entry){str_n(str_dup(&map->keys, key), key.n), value, hash};
    map->slots[slot] = (uint32_t)++map->used;
    map->count++;
    return NULL;
}

void *map_remove(struct map *map, struct str key)
{
    if (map->slot_count == 0)
        return NULL;
    uint32_t index = map->slots[find_slot(map, key, hash_bytes(key.p, key.n))];
    if (index == 0)
        return NULL;
    void *before = map->entries[index - 1].value;
    map->entries[index - 1].value = NULL;
    map->count -= before != NULL;
    return before;
}

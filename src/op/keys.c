/* See keys.h. Linear probing at a load of at most one half; removal moves the followers back, so there are no
 * tombstones. Bytes of removed keys are left until they are more than half of all, then the rest is copied
 * together. */
#include "op/keys.h"

void key_table_fini(struct key_table *t)
{
    mem_free(t->entries);
    mem_free(t->slots);
    arena_fini(&t->bytes);
    *t = (struct key_table){0};
}

static uint32_t home(const struct key_table *t, uint64_t hash)
{
    return (uint32_t)(hash ^ hash >> 32) & t->mask;
}

static void insert_slot(struct key_table *t, uint32_t entry)
{
    uint32_t at = home(t, t->entries[entry].hash);
    while (t->slots[at])
        at = (at + 1) & t->mask;
    t->slots[at] = entry + 1;
}

static void grow_slots(struct key_table *t)
{
    mem_free(t->slots);
    t->mask = t->mask ? t->mask * 2 + 1 : 63;
    t->slots = mem_new_array(uint32_t, (size_t)t->mask + 1);
    for (uint32_t i = 0; i < t->used; i++)
        if (t->entries[i].p)
            insert_slot(t, i);
}

static uint32_t find_slot(const struct key_table *t, struct str key, uint64_t hash)
{
    uint32_t at = home(t, hash);
    for (; t->slots[at]; at = (at + 1) & t->mask) {
        const struct key_entry *e = &t->entries[t->slots[at] - 1];
        if (e->hash == hash && e->n == key.n && memcmp(e->p, key.p, key.n) == 0)
            break;
    }
    return at;
}

uint32_t key_table_get(const struct key_table *t, struct str key)
{
    if (t->slots == NULL)
        return KEY_NONE;
    uint32_t at = find_slot(t, key, hash_bytes(key.p, key.n));
    return t->slots[at] ? t->slots[at] - 1 : KEY_NONE;
}

static uint32_t new_entry(struct key_table *t)
{
    if (t->free) {
        uint32_t entry = t->free - 1;
        t->free = t->entries[entry].next_free;
        return entry;
    }
    CHECK(t->used < KEYS_MAX);
    t->entries = mem_grow(t->entries, &t->capacity, (size_t)t->used + 1, sizeof(*t->entries));
    return t->used++;
}

uint32_t key_table_put(struct key_table *t, struct str key, bool *is_new)
{
    CHECK(key.n < UINT32_MAX);
    key.p = key.n ? key.p : "";
    uint64_t hash = hash_bytes(key.p, key.n);
    if ((uint64_t)t->live * 2 >= t->mask)
        grow_slots(t);
    uint32_t at = find_slot(t, key, hash);
    *is_new = t->slots[at] == 0;
    if (!*is_new)
        return t->slots[at] - 1;
    uint32_t entry = new_entry(t);
    t->entries[entry] = (struct key_entry){
        .hash = hash, .p = arena_dup(&t->bytes, key.p, key.n), .n = (uint32_t)key.n};
    t->slots[at] = entry + 1;
    t->live++;
    return entry;
}

static void compact(struct key_table *t)
{
    struct arena fresh = {0};
    for (uint32_t i = 0; i < t->used; i++)
        if (t->entries[i].p)
            t->entries[i].p = arena_dup(&fresh, t->entries[i].p, t->entries[i].n);
    arena_fini(&t->bytes);
    t->bytes = fresh;
    t->dead_bytes = 0;
}

void key_table_remove(struct key_table *t, uint32_t entry)
{
    struct key_entry *e = &t->entries[entry];
    CHECK(entry < t->used && e->p);
    uint32_t at = find_slot(t, str_n(e->p, e->n), e->hash);
    CHECK(t->slots[at] == entry + 1);
    t->slots[at] = 0;
    for (uint32_t next = (at + 1) & t->mask; t->slots[next]; next = (next + 1) & t->mask) {
        uint32_t wants = home(t, t->entries[t->slots[next] - 1].hash);
        if (((next - wants) & t->mask) < ((next - at) & t->mask))
            continue; /* it lies at or behind its home */
        t->slots[at] = t->slots[next];
        t->slots[next] = 0;
        at = next;
    }
    t->dead_bytes += e->n;
    *e = (struct key_entry){.next_free = t->free};
    t->free = entry + 1;
    t->live--;
    if (t->dead_bytes > 1 << 20 && t->dead_bytes > t->bytes.bytes / 2)
        compact(t);
}

size_t key_table_memory(const struct key_table *t)
{
    return t->capacity * sizeof(*t->entries) + (t->slots ? ((size_t)t->mask + 1) * sizeof(*t->slots) : 0) +
           t->bytes.bytes;
}

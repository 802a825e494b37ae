/* Names → structs: chained buckets of structs that hold their own key, so that what comes and goes leaves nothing behind
 * (base/map copies keys into an arena, which suits catalogues). Doubles at one struct per bucket. */
#include "base/map.h"
#include "broker/groups_private.h"

static struct named **find(const struct table *table, struct str key, uint64_t hash)
{
    struct named **at = &table->buckets[hash & (table->bucket_count - 1)];
    while (*at && ((*at)->hash != hash || !str_eq((*at)->key, key)))
        at = &(*at)->next;
    return at;
}

void *table_get(const struct table *table, struct str key)
{
    return table->count ? *find(table, key, hash_bytes(key.p, key.n)) : NULL;
}

static void grow(struct table *table)
{
    struct table old = *table;
    table->bucket_count = old.bucket_count ? old.bucket_count * 2 : 4;
    table->buckets = mem_new_array(struct named *, table->bucket_count);
    TABLE_EACH(entry, &old)
    {
        struct named **at = &table->buckets[entry->hash & (table->bucket_count - 1)];
        entry->next = *at;
        *at = entry;
    }
    mem_free(old.buckets);
}

void table_put(struct table *table, struct named *named)
{
    if (table->count == table->bucket_count)
        grow(table);
    named->hash = hash_bytes(named->key.p, named->key.n);
    struct named **at = find(table, named->key, named->hash);
    CHECK(*at == NULL);
    named->next = NULL;
    *at = named;
    table->count++;
}

void table_remove(struct table *table, struct named *named)
{
    struct named **at = find(table, named->key, named->hash);
    CHECK(*at == named);
    *at = named->next;
    table->count--;
}

void table_fini(struct table *table)
{
    mem_free(table->buckets);
    *table = (struct table){0};
}

struct str str_keep(struct str s)
{
    if (s.p == NULL)
        return s;
    char *copy = mem_new(s.n + 1);
    memcpy(copy, s.p, s.n);
    return str_n(copy, s.n);
}

void str_drop(struct str *s)
{
    mem_free((char *)s->p);
    *s = (struct str){0};
}

bool uuid_is_zero(const struct kafka_uuid *id)
{
    return uuid_eq(id, &(struct kafka_uuid){{0}});
}

/* Tables of the transaction coordinator: ids and topics by name, sets of partitions, and ids by deadline.
 *
 * Ids come and go by the hundred thousand (frameworks make new ones for each run, and they live for a week), so what is
 * forgotten is freed, which base/map does not do for keys. An id takes about 200 bytes and its name. A partition in a transaction
 * takes 8 bytes, because topics are kept once. */
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "broker/txns_private.h"

/* ---- names ---------------------------------------------------------------------------------------------------- */

static uint32_t name_hash(struct str name)
{
    return (uint32_t)hash_bytes(name.p, name.n);
}

struct named *names_find(const struct names *names, struct str name)
{
    if (names->buckets == NULL)
        return NULL;
    uint32_t hash = name_hash(name);
    struct named *named = names->buckets[hash & (names->buckets_count - 1)];
    while (named && (named->hash != hash || !str_eq(named_str(named), name)))
        named = named->next;
    return named;
}

static void names_grow(struct names *names)
{
    uint32_t count = names->buckets_count ? 2 * names->buckets_count : 16;
    struct named **buckets = mem_new_array(struct named *, count);
    for (uint32_t i = 0; i < names->buckets_count; i++)
        for (struct named *named = names->buckets[i], *next; named; named = next) {
            next = named->next;
            named->next = buckets[named->hash & (count - 1)];
            buckets[named->hash & (count - 1)] = named;
        }
    mem_free(names->buckets);
    names->buckets = buckets;
    names->buckets_count = count;
}

void *names_new(struct names *names, struct str name, size_t size)
{
    DCHECK(names_find(names, name) == NULL);
    CHECK(size >= sizeof(struct named) && name.n <= KAFKA_STR_MAX);
    if (names->count >= names->buckets_count)
        names_grow(names);
    struct named *named = mem_new(size + name.n + 1);
    char *copy = (char *)named + size;
    if (name.n)
        memcpy(copy, name.p, name.n);
    named->name = copy;
    named->size = (uint32_t)name.n;
    named->hash = name_hash(name);
    struct named **bucket = &names->buckets[named->hash & (names->buckets_count - 1)];
    named->next = *bucket;
    *bucket = named;
    names->count++;
    return named;
}

void names_free(struct names *names, struct named *named)
{
    struct named **at = &names->buckets[named->hash & (names->buckets_count - 1)];
    while (*at != named) {
        CHECK(*at != NULL);
        at = &(*at)->next;
    }
    *at = named->next;
    names->count--;
    mem_free(named);
}

void names_fini(struct names *names)
{
    for (uint32_t i = 0; i < names->buckets_count; i++)
        for (struct named *named = names->buckets[i], *next; named; named = next) {
            next = named->next;
            mem_free(named);
        }
    mem_free(names->buckets);
    *names = (struct names){0};
}

/* ---- topics --------------------------------------------------------------------------------------------------- */

static uint32_t free_index(struct txns *txns)
{
    for (size_t i = txns->topics_free; i < txns->topics_count; i++)
        if (txns->topics[i] == NULL) {
            txns->topics_free = i + 1;
            return (uint32_t)i;
        }
    txns->topics = mem_grow(txns->topics, &txns->topics_capacity, txns->topics_count + 1,
                            sizeof(struct txn_topic *));
    txns->topics[txns->topics_count] = NULL;
    txns->topics_free = txns->topics_count + 1;
    return (uint32_t)txns->topics_count++;
}

uint32_t txn_topic_find(const struct txns *txns, struct str name)
{
    struct named *named = names_find(&txns->topic_names, name);
    return named ? CONTAINER_OF(named, struct txn_topic, named)->index : UINT32_MAX;
}

uint32_t txn_topic_use(struct txns *txns, struct str name)
{
    uint32_t index = txn_topic_find(txns, name);
    if (index == UINT32_MAX) {
        index = free_index(txns);
        txns->topics[index] = names_new(&txns->topic_names, name, sizeof(struct txn_topic));
        txns->topics[index]->index = index;
    }
    txns->topics[index]->uses++;
    return index;
}

void txn_topic_release(struct txns *txns, uint32_t index)
{
    struct txn_topic *topic = txns->topics[index];
    CHECK(topic->uses > 0);
    if (--topic->uses > 0)
        return;
    txns->topics[index] = NULL;
    if (index < txns->topics_free)
        txns->topics_free = index;
    names_free(&txns->topic_names, &topic->named);
}

/* ---- partitions ----------------------------------------------------------------------------------------------- */

static int compare_parts(const void *a, const void *b)
{
    const struct txn_part *x = a, *y = b;
    if (x->topic != y->topic)
        return x->topic < y->topic ? -1 : 1;
    return (x->partition > y->partition) - (x->partition < y->partition);
}

bool txn_parts_has(const struct txn_parts *parts, struct txn_part part)
{
    return parts->count > 0 && bsearch(&part, parts->items, parts->count, sizeof part, compare_parts);
}

struct txn_parts txn_parts_union(struct txns *txns, const struct txn_parts *parts,
                                 const struct txns_partition *added, size_t count)
{
    struct txn_parts all = {.items = mem_new_array(struct txn_part, parts->count + count + 1),
                            .count = parts->count};
    if (parts->count)
        memcpy(all.items, parts->items, parts->count * sizeof *all.items);
    for (size_t i = 0; i < count; i++) {
        struct txn_part part = {txn_topic_use(txns, added[i].topic), added[i].partition};
        all.items[all.count++] = part;
    }
    qsort(all.items, all.count, sizeof *all.items, compare_parts);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < all.count; i++)
        if (kept > 0 && compare_parts(&all.items[kept - 1], &all.items[i]) == 0)
            txn_topic_release(txns, all.items[i].topic);
        else
            all.items[kept++] = all.items[i];
    all.count = kept;
    return all;
}

void txn_parts_free(struct txns *txns, struct txn_parts *set, const struct txn_parts *kept)
{
    for (uint32_t i = 0; i < set->count; i++)
        if (kept == NULL || !txn_parts_has(kept, set->items[i]))
            txn_topic_release(txns, set->items[i].topic);
    mem_free(set->items);
    *set = (struct txn_parts){0};
}

/* ---- ids, by name and by deadline ----------------------------------------------------------------------------- */

static void heap_put(struct txns *txns, size_t at, struct txn *txn)
{
    txns->heap[at] = txn;
    txn->heap_index = (uint32_t)at;
}

/* Moves the one at `at` to where it belongs. */
static void heap_settle(struct txns *txns, size_t at)
{
    struct txn *txn = txns->heap[at];
    for (size_t up; at > 0 && txns->heap[up = (at - 1) / 2]->deadline_ms > txn->deadline_ms; at = up)
        heap_put(txns, at, txns->heap[up]);
    for (size_t down; (down = 2 * at + 1) < txns->heap_count; at = down) {
        if (down + 1 < txns->heap_count && txns->heap[down + 1]->deadline_ms < txns->heap[down]->deadline_ms)
            down++;
        if (txns->heap[down]->deadline_ms >= txn->deadline_ms)
            break;
        heap_put(txns, at, txns->heap[down]);
    }
    heap_put(txns, at, txn);
}

void txn_set_deadline(struct txns *txns, struct txn *txn, int64_t deadline_ms)
{
    txn->deadline_ms = deadline_ms;
    heap_settle(txns, txn->heap_index);
}

void txn_heap_build(struct txns *txns)
{
    size_t count = txns->heap_count;
    for (txns->heap_count = 0; txns->heap_count < count;) {
        txns->heap_count++;
        heap_settle(txns, txns->heap_count - 1);
    }
}

struct txn *txn_find(const struct txns *txns, struct str transactional_id)
{
    struct named *named = names_find(&txns->ids, transactional_id);
    return named ? CONTAINER_OF(named, struct txn, named) : NULL;
}

struct txn *txn_add(struct txns *txns, struct str transactional_id)
{
    struct txn *txn = names_new(&txns->ids, transactional_id, sizeof *txn);
    txn->image = (struct txn_image){
        .producer_id = -1,
        .previous_producer_id = -1,
        .next_producer_id = -1,
        .start_ms = -1,
        .epoch = -1,
        .last_epoch = -1,
        .state = TXN_EMPTY,
    };
    list_init(&txn->waiting);
    txn->deadline_ms = INT64_MAX;
    txns->heap = mem_grow(txns->heap, &txns->heap_capacity, txns->heap_count + 1, sizeof(struct txn *));
    heap_put(txns, txns->heap_count++, txn);
    return txn;
}

void txn_remove(struct txns *txns, struct txn *txn)
{
    CHECK(txn->pending == NULL && list_empty(&txn->waiting));
    txn_parts_free(txns, &txn->parts, NULL);
    size_t at = txn->heap_index;
    struct txn *last = txns->heap[--txns->heap_count];
    if (last != txn) {
        heap_put(txns, at, last);
        heap_settle(txns, at);
    }
    names_free(&txns->ids, &txn->named);
}

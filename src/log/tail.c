/* Young data: the very buffers that were journaled, and for each log the list of its appends in them.
 *
 * Groups are laid one behind the other into chunks of some MiB. A chunk goes when the tail is over its size and everything in it
 * is in segments; readers that hold a slice keep the chunk's buffer alive, and it returns to its pool with the last of them. */
#include "log/log_private.h"

static void free_chunk(struct store *store, struct chunk *chunk)
{
    list_remove(&chunk->link);
    store->chunk_total -= chunk->buf->capacity;
    buf_unref(chunk->buf);
    mem_free(chunk->logs);
    mem_free(chunk);
}

struct chunk *tail_chunk(struct store *store, size_t n)
{
    if (!list_empty(&store->chunks)) {
        struct chunk *last = CONTAINER_OF(store->chunks.prev, struct chunk, link);
        if (last->buf->capacity - last->used >= n)
            return last;
    }
    tail_drop_old(store);
    struct chunk *chunk = mem_new(sizeof *chunk);
    chunk->buf = buf_pool_take(store->chunk_pool, n);
    chunk->buf->n = chunk->buf->capacity;
    list_push_back(&store->chunks, &chunk->link);
    store->chunk_total += chunk->buf->capacity;
    return chunk;
}

static void chunk_knows(struct chunk *chunk, struct log *log)
{
    if (log->last_chunk == chunk)
        return;
    chunk->logs = mem_grow(chunk->logs, &chunk->log_capacity, chunk->log_count + 1, sizeof(struct log *));
    chunk->logs[chunk->log_count++] = log;
    log->last_chunk = chunk;
}

void chunk_hold(struct store *store, struct chunk *chunk)
{
    if (chunk->unspilled++ == 0)
        store->unspilled_bytes += chunk->buf->capacity;
}

void chunk_let(struct store *store, struct chunk *chunk)
{
    CHECK(chunk->unspilled > 0);
    if (--chunk->unspilled == 0)
        store->unspilled_bytes -= chunk->buf->capacity;
}

void tail_push(struct log *log, const struct tail_entry *entry)
{
    struct tail *tail = &log->tail;
    if (tail->count == tail->capacity) {
        size_t capacity = tail->capacity ? tail->capacity * 2 : 8;
        struct tail_entry *ring = mem_new_array(struct tail_entry, capacity);
        for (size_t i = 0; i < tail->count; i++)
            ring[i] = *tail_at(tail, i);
        mem_free(tail->ring);
        tail->ring = ring;
        tail->first = 0;
        tail->capacity = capacity;
    }
    tail->count++;
    *tail_at(tail, tail->count - 1) = *entry;
    chunk_knows(entry->chunk, log);
    chunk_hold(log->store, entry->chunk);
}

size_t tail_find(const struct tail *tail, int64_t offset)
{
    size_t low = 0, high = tail->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (tail_at(tail, middle)->next <= offset)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void drop_first(struct tail *tail)
{
    CHECK(tail->spilled > 0);
    segment_unref(tail_at(tail, 0)->segment);
    tail->first = (tail->first + 1) & (tail->capacity - 1);
    tail->count--;
    tail->spilled--;
}

void tail_drop_before(struct log *log, int64_t offset)
{
    struct tail *tail = &log->tail;
    while (tail->spilled > 0 && tail_at(tail, 0)->next <= offset)
        drop_first(tail);
}

static void drop_entries(struct log *log, const struct chunk *chunk)
{
    lock_take(log->lock);
    struct tail *tail = &log->tail;
    while (tail->count > 0 && tail_at(tail, 0)->chunk == chunk)
        drop_first(tail);
    if (log->last_chunk == chunk)
        log->last_chunk = NULL;
    lock_release(log->lock);
}

void tail_drop_old(struct store *store)
{
    while (!list_empty(&store->chunks) && store->chunk_total > store->options.tail_bytes) {
        struct chunk *oldest = CONTAINER_OF(store->chunks.next, struct chunk, link);
        if (oldest->unspilled > 0 || oldest->link.next == &store->chunks)
            break;
        for (size_t i = 0; i < oldest->log_count; i++)
            drop_entries(oldest->logs[i], oldest);
        free_chunk(store, oldest);
    }
    counter_set(&store->tail_bytes, store->chunk_total);
}

/* Of a log that is deleted: its entries go, spilled or not. With its lock held. */
void tail_drop_log(struct log *log)
{
    struct tail *tail = &log->tail;
    for (size_t i = 0; i < tail->count; i++) {
        struct tail_entry *entry = tail_at(tail, i);
        if (i >= tail->spilled)
            chunk_let(log->store, entry->chunk);
        segment_unref(entry->segment);
    }
    mem_free(tail->ring);
    *tail = (struct tail){0};
}

void tail_fini(struct store *store)
{
    while (!list_empty(&store->chunks))
        free_chunk(store, CONTAINER_OF(store->chunks.next, struct chunk, link));
}

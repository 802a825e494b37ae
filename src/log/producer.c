#include "log/producer.h"

#include <stdlib.h>

#include "base/check.h"

enum {
    LINEAR_MAX = 8, /* so many are found by looking at each */
    RECORD_VERSION = 1,
    SAMPLES = 256,
};

/* ---- the set ---------------------------------------------------------------------------------------------------------- */

void producers_fini(struct producers *p)
{
    mem_free(p->list);
    mem_free(p->slots);
    mem_free(p->open);
    *p = (struct producers){0};
}

static size_t slot_of(const struct producers *p, int64_t id)
{
    uint64_t h = (uint64_t)id * UINT64_C(0x9E3779B97F4A7C15);
    return (size_t)(h >> 32) & (p->slot_count - 1);
}

/* The slot that holds id, or the free one where it would be. */
static size_t find_slot(const struct producers *p, int64_t id)
{
    size_t slot = slot_of(p, id);
    while (p->slots[slot] != 0 && p->list[p->slots[slot] - 1].id != id)
        slot = (slot + 1) & (p->slot_count - 1);
    return slot;
}

/* Index of id; SIZE_MAX: it is not there. */
static size_t find(const struct producers *p, int64_t id)
{
    if (p->slots != NULL) {
        uint32_t slot = p->slots[find_slot(p, id)];
        return slot ? slot - 1 : SIZE_MAX;
    }
    for (size_t i = 0; i < p->count; i++)
        if (p->list[i].id == id)
            return i;
    return SIZE_MAX;
}

static void make_slots(struct producers *p, size_t slot_count)
{
    mem_free(p->slots);
    p->slots = mem_new_array(uint32_t, slot_count);
    p->slot_count = slot_count;
    for (size_t i = 0; i < p->count; i++)
        p->slots[find_slot(p, p->list[i].id)] = (uint32_t)i + 1;
}

static struct producer *add(struct producers *p, int64_t id)
{
    if (p->count == p->capacity) {
        p->capacity = p->capacity ? p->capacity * 2 : 1;
        p->list = mem_resize(p->list, p->capacity * sizeof *p->list);
    }
    size_t i = p->count++;
    p->list[i] = (struct producer){.id = id};
    if (p->slots == NULL && p->count > LINEAR_MAX)
        make_slots(p, LINEAR_MAX * 4);
    else if (p->slots != NULL && p->count * 2 > p->slot_count)
        make_slots(p, p->slot_count * 2);
    else if (p->slots != NULL)
        p->slots[find_slot(p, id)] = (uint32_t)i + 1;
    return &p->list[i];
}

/* Frees a slot; those behind it that it had pushed away move up. */
static void free_slot(struct producers *p, size_t hole)
{
    size_t mask = p->slot_count - 1;
    p->slots[hole] = 0;
    for (size_t at = (hole + 1) & mask; p->slots[at] != 0; at = (at + 1) & mask) {
        size_t home = slot_of(p, p->list[p->slots[at] - 1].id);
        if (((at - home) & mask) < ((at - hole) & mask))
            continue;
        p->slots[hole] = p->slots[at];
        p->slots[at] = 0;
        hole = at;
    }
}

/* The last one takes its place. */
static void drop(struct producers *p, size_t i)
{
    size_t last = p->count - 1;
    if (p->slots != NULL) {
        free_slot(p, find_slot(p, p->list[i].id));
        if (i != last)
            p->slots[find_slot(p, p->list[last].id)] = (uint32_t)i + 1;
    }
    p->list[i] = p->list[last];
    p->count--;
}

const struct producer *producers_find(const struct producers *p, int64_t id)
{
    size_t i = find(p, id);
    return i == SIZE_MAX ? NULL : &p->list[i];
}

struct producer producers_copy(const struct producers *p, int64_t id)
{
    const struct producer *known = producers_find(p, id);
    return known ? *known
                 : (struct producer){
                       .id = id, .txn_first = -1, .timestamp_ms = -1, .coordinator_epoch = -1, .epoch = -1};
}

/* Index of the first open transaction that begins at or after the offset. */
static size_t find_open(const struct producers *p, int64_t first)
{
    size_t low = 0, high = p->open_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (p->open[middle].first < first)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void open_txn(struct producers *p, int64_t first, int64_t id)
{
    size_t i = find_open(p, first);
    p->open = mem_grow(p->open, &p->open_capacity, p->open_count + 1, sizeof *p->open);
    memmove(&p->open[i + 1], &p->open[i], (p->open_count - i) * sizeof *p->open);
    p->open[i] = (struct open_txn){.first = first, .producer_id = id};
    p->open_count++;
}

static void close_txn(struct producers *p, int64_t first, int64_t id)
{
    size_t i = find_open(p, first);
    CHECK(i < p->open_count && p->open[i].first == first && p->open[i].producer_id == id);
    memmove(&p->open[i], &p->open[i + 1], (p->open_count - i - 1) * sizeof *p->open);
    p->open_count--;
}

void producers_set(struct producers *p, const struct producer *producer)
{
    size_t i = find(p, producer->id);
    struct producer *known = i == SIZE_MAX ? NULL : &p->list[i];
    if (known == NULL && producer->epoch < 0)
        return;
    if (known == NULL) {
        known = add(p, producer->id);
        known->txn_first = -1;
    }
    if (known->txn_first != producer->txn_first) {
        if (known->txn_first >= 0)
            close_txn(p, known->txn_first, producer->id);
        if (producer->txn_first >= 0)
            open_txn(p, producer->txn_first, producer->id);
    }
    p->changed = p->changed - known->changed + producer->changed;
    *known = *producer;
    if (known->epoch < 0) {
        CHECK(known->txn_first < 0 && !known->changed);
        drop(p, (size_t)(known - p->list));
    }
}

int64_t producers_first_open(const struct producers *p)
{
    return p->open_count > 0 ? p->open[0].first : INT64_MAX;
}

/* Forgets up to `most` of those that were touched before that. */
static size_t forget(struct producers *p, uint32_t before_s, size_t most,
                     void (*each)(void *arg, const struct producer *producer), void *arg)
{
    size_t gone = 0;
    for (size_t i = p->count; i-- > 0 && gone < most;) {
        const struct producer *producer = &p->list[i];
        if (producer->txn_first >= 0 || producer->touched_s >= before_s)
            continue;
        each(arg, producer);
        p->changed -= producer->changed;
        drop(p, i);
        gone++;
    }
    return gone;
}

void producers_expire(struct producers *p, uint32_t before_s,
                      void (*each)(void *arg, const struct producer *producer), void *arg)
{
    forget(p, before_s, SIZE_MAX, each, arg);
}

static int by_number(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

bool producers_make_room(struct producers *p, void (*each)(void *arg, const struct producer *producer),
                         void *arg)
{
    uint32_t touched[SAMPLES];
    size_t n = p->count < SAMPLES ? p->count : SAMPLES;
    CHECK(n > 0);
    for (size_t i = 0; i < n; i++)
        touched[i] = p->list[i * (p->count / n)].touched_s;
    qsort(touched, n, sizeof touched[0], by_number);
    size_t most = p->count / 8 + 1;
    size_t gone = forget(p, touched[n / 8] + 1, most, each, arg);
    return gone > 0 || forget(p, UINT32_MAX, most, each, arg) > 0;
}

static void check_one(const struct producers *p, size_t i)
{
    const struct producer *producer = &p->list[i];
    CHECK(producer->id >= 0 && producer->epoch >= 0 && producer->batch_count <= PRODUCER_BATCHES);
    CHECK(find(p, producer->id) == i);
    for (int k = 0; k < producer->batch_count; k++) {
        const struct producer_batch *batch = &producer->batches[k];
        CHECK(batch->offset_delta >= 0 && batch->last_offset >= batch->offset_delta);
        CHECK(k == 0 || batch->last_offset - batch->offset_delta > batch[-1].last_offset);
    }
    if (producer->txn_first >= 0) {
        size_t open = find_open(p, producer->txn_first);
        CHECK(open < p->open_count && p->open[open].producer_id == producer->id);
    }
}

void producers_check(const struct producers *p)
{
    size_t changed = 0, open = 0;
    CHECK(p->count <= p->capacity && (p->slots != NULL || p->count <= LINEAR_MAX));
    for (size_t i = 0; i < p->count; i++) {
        check_one(p, i);
        changed += p->list[i].changed;
        open += p->list[i].txn_first >= 0;
    }
    CHECK(changed == p->changed && open == p->open_count);
    for (size_t i = 0; i + 1 < p->open_count; i++)
        CHECK(p->open[i].first < p->open[i + 1].first);
}

/* ---- one producer ------------------------------------------------------------------------------------------------------- */

/* Sequences go from 0 to INT32_MAX, and then from 0 again. */
static int32_t sequence_after(int32_t sequence, int32_t n)
{
    return (int32_t)(((int64_t)sequence + n) & INT32_MAX);
}

static int32_t last_sequence(const struct records_batch *batch)
{
    return batch->base_sequence < 0 ? -1 : sequence_after(batch->base_sequence, batch->last_offset_delta);
}

static const struct producer_batch *find_batch(const struct producer *producer,
                                               const struct records_batch *batch)
{
    int32_t last = last_sequence(batch);
    for (int i = 0; i < producer->batch_count; i++)
        if (producer->batches[i].last_sequence == last &&
            producer->batches[i].offset_delta == batch->last_offset_delta)
            return &producer->batches[i];
    return NULL;
}

static bool is_in_sequence(const struct producer *producer, const struct records_batch *batch, unsigned flags)
{
    if (producer->epoch < 0)
        return batch->base_sequence == 0 || !(flags & PRODUCE_FROM_ZERO);
    if (batch->producer_epoch != producer->epoch || producer->batch_count == 0)
        return batch->base_sequence == 0;
    int32_t last = producer->batches[producer->batch_count - 1].last_sequence;
    return batch->base_sequence == sequence_after(last, 1);
}

enum append_error producer_check(const struct producer *producer, const struct records_batch *batch,
                                 unsigned flags, const struct producer_batch **original)
{
    bool has_sequences = !(flags & PRODUCE_NO_SEQUENCES);
    *original = NULL;
    if (has_sequences && batch->base_sequence >= 0 && batch->producer_epoch == producer->epoch)
        *original = find_batch(producer, batch);
    if (*original != NULL)
        return APPEND_DONE;
    if (batch->producer_epoch < producer->epoch)
        return APPEND_PRODUCER_FENCED;
    if (has_sequences && !is_in_sequence(producer, batch, flags))
        return APPEND_OUT_OF_ORDER;
    if (producer->txn_first >= 0 && !(batch->attributes & RECORDS_TRANSACTIONAL))
        return APPEND_TXN_STATE;
    return APPEND_DONE;
}

enum append_error producer_check_marker(const struct producer *producer, const struct txn_marker *marker,
                                        bool *is_repetition)
{
    bool same = marker->producer_epoch == producer->epoch;
    *is_repetition = marker->raises_epoch && same && producer->txn_first < 0;
    if (marker->producer_epoch < producer->epoch ||
        (marker->raises_epoch && same && producer->txn_first >= 0))
        return APPEND_PRODUCER_FENCED;
    if (marker->coordinator_epoch < producer->coordinator_epoch)
        return APPEND_COORDINATOR_FENCED;
    return APPEND_DONE;
}

static void take_epoch(struct producer *producer, int16_t epoch)
{
    if (producer->epoch != epoch)
        producer->batch_count = 0;
    producer->epoch = epoch;
    producer->changed = true;
}

void producer_apply(struct producer *producer, const struct records_batch *batch)
{
    CHECK(batch->producer_id == producer->id && batch->producer_epoch >= 0);
    take_epoch(producer, batch->producer_epoch);
    if (producer->batch_count == PRODUCER_BATCHES) {
        memmove(&producer->batches[0], &producer->batches[1],
                (PRODUCER_BATCHES - 1) * sizeof producer->batches[0]);
        producer->batch_count--;
    }
    producer->batches[producer->batch_count++] = (struct producer_batch){
        .last_offset = batch->base_offset + batch->last_offset_delta,
        .timestamp_ms = batch->max_timestamp_ms,
        .last_sequence = last_sequence(batch),
        .offset_delta = batch->last_offset_delta};
    producer->timestamp_ms = batch->max_timestamp_ms;
    if (producer->txn_first < 0 && batch->attributes & RECORDS_TRANSACTIONAL)
        producer->txn_first = batch->base_offset;
}

int64_t producer_apply_marker(struct producer *producer, const struct records_marker *marker)
{
    int64_t first = producer->txn_first;
    take_epoch(producer, marker->producer_epoch);
    producer->coordinator_epoch = marker->coordinator_epoch;
    producer->timestamp_ms = marker->timestamp_ms;
    producer->txn_first = -1;
    return first;
}

/* ---- its record ------------------------------------------------------------------------------------------------------------ */

/* version u8, batches u8, epoch le16, coordinator epoch le32, touched le32, timestamp le64, first offset of the transaction le64, then each batch: last
 * offset le64, timestamp le64, last sequence le32, offset delta le32. */
enum { RECORD_HEAD = 28, RECORD_BATCH = 24 };

void producer_encode(const struct producer *producer, struct sbuf *out)
{
    size_t n = RECORD_HEAD + (size_t)producer->batch_count * RECORD_BATCH;
    uint8_t *p = (uint8_t *)sbuf_reserve(out, n);
    p[0] = RECORD_VERSION;
    p[1] = producer->batch_count;
    put_le16(p + 2, (uint16_t)producer->epoch);
    put_le32(p + 4, (uint32_t)producer->coordinator_epoch);
    put_le32(p + 8, producer->touched_s);
    put_le64(p + 12, (uint64_t)producer->timestamp_ms);
    put_le64(p + 20, (uint64_t)producer->txn_first);
    p += RECORD_HEAD;
    for (int i = 0; i < producer->batch_count; i++, p += RECORD_BATCH) {
        put_le64(p, (uint64_t)producer->batches[i].last_offset);
        put_le64(p + 8, (uint64_t)producer->batches[i].timestamp_ms);
        put_le32(p + 16, (uint32_t)producer->batches[i].last_sequence);
        put_le32(p + 20, (uint32_t)producer->batches[i].offset_delta);
    }
    sbuf_added(out, n);
}

bool producer_decode(struct str bytes, struct producer *producer)
{
    struct rd rd = rd_of(bytes.p, bytes.n);
    uint8_t version = rd_u8(&rd);
    *producer = (struct producer){.id = producer->id, .batch_count = rd_u8(&rd), .saved = true};
    producer->epoch = (int16_t)rd_le16(&rd);
    producer->coordinator_epoch = (int32_t)rd_le32(&rd);
    producer->touched_s = rd_le32(&rd);
    producer->timestamp_ms = (int64_t)rd_le64(&rd);
    producer->txn_first = (int64_t)rd_le64(&rd);
    if (version != RECORD_VERSION || producer->batch_count > PRODUCER_BATCHES || producer->epoch < 0)
        return false;
    int64_t before = -1;
    for (int i = 0; i < producer->batch_count; i++) {
        struct producer_batch *batch = &producer->batches[i];
        batch->last_offset = (int64_t)rd_le64(&rd);
        batch->timestamp_ms = (int64_t)rd_le64(&rd);
        batch->last_sequence = (int32_t)rd_le32(&rd);
        batch->offset_delta = (int32_t)rd_le32(&rd);
        if (batch->offset_delta < 0 || batch->last_offset - batch->offset_delta <= before)
            return false;
        before = batch->last_offset;
    }
    return !rd.bad && rd_left(&rd) == 0 && producer->txn_first >= -1;
}

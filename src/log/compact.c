/* Compaction: of a compact topic's older records, only the newest of each key stays, with its offset.
 *
 * Only segments that are closed and wholly before the journal's tail are touched, never the one that is written to, nor what a pin still
 * needs, nor what is not decided yet (the last stable offset). Two passes over them: the first notes the newest offset of each key (by a 128-bit
 * hash), the second copies what is still wanted into new files, several small segments into one.
 *
 * What is left is what Kafka's cleaner leaves:
 *   - A tombstone stays for delete_retention_ms after the compaction that first met it, so that no reader misses it: that compaction writes the time when
 *     it may go, the delete horizon, into the batch.
 *   - Records of aborted transactions go at once. A marker goes when its transaction has no record left, again after a delete horizon; the entry in the
 *     index of aborted transactions as soon as there is none.
 *   - The batch with the last sequence of each producer stays, without records if need be; of one that has none, its last marker.
 *
 * The swap survives a crash at any instant (rule 3). The new files have the generation in their names and are synced, with their folder, before a
 * frame names them: that frame holds the segments' new states. When it is durable the files are renamed over the old ones; recovery does
 * the same again when it replays the frame and finds the new file still under its own name. The tail does not pass the frame before
 * the renaming is synced.
 *
 * It runs on the loop behind in steps of some MiB, so that no tail move waits long for it. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <xxhash.h>

#include "format/compress.h"
#include "log/log_private.h"

enum {
    STEP_BYTES = 4 << 20,
    KEYS_MAX = 4 << 20, /* keys noted in one run: what comes after waits for the next one */
    INPUTS_MAX = 256,   /* segments of one run */
    DIRTY_BYTES_MIN = 1 << 12,
};
struct slot {
    XXH128_hash_t key;
    int64_t offset; /* + 1; 0 = free */
};

struct output {
    struct segment *segment; /* not in any log: collects state and index entries */
    size_t first_input, input_count;
    int file;
    struct sbuf bytes; /* not written yet */
};

/* Transactions on the way through the inputs. */
struct walked {
    int64_t producer_id;
    const struct aborted *aborted; /* NULL: it is not aborted */
    bool seen;                     /* it has batches */
};
struct walk {
    size_t next; /* of the aborted ones, by first offset */
    struct walked *open;
    size_t count, capacity;
};

struct last_batch {
    int64_t producer_id, last_offset; /* −1: it has no batch, its last marker stays */
    int16_t epoch;
};

enum phase { PHASE_BEGIN, PHASE_NOTE, PHASE_COPY, PHASE_SYNC, PHASE_END };

struct compaction {
    struct msg step, done;
    struct store *store;
    struct log *log;
    struct segment *inputs[INPUTS_MAX]; /* one reference each */
    size_t input_count;
    int64_t clean_to,
        noted_to; /* offsets before clean_to were compacted earlier; keys are noted in [clean_to, noted_to) */
    int64_t segment_bytes, now_ms, delete_retention_ms;
    struct aborted *aborted; /* that concern the inputs, by first offset */
    size_t aborted_count;
    struct last_batch *producers; /* by id */
    size_t producer_count;
    struct walk walk;
    struct slot *slots;
    size_t slot_count, used;
    enum phase phase;
    size_t at; /* input */
    uint32_t position;
    struct buf *buf;
    struct output outputs[INPUTS_MAX];
    size_t output_count;
    struct compress_ctx *ctx;
    struct sbuf kept, rebased, packed;
    bool failed, begun, submitted;
    struct err err;
};

static void cleaned_path(const struct segment *s, const char *suffix, uint32_t generation, char *out,
                         size_t size)
{
    char name[64];
    snprintf(name, sizeof name, "%s.cleaned-%u", suffix, generation);
    segment_path(s, name, out, size);
}

static const char *const suffixes[] = {".log", ".index", ".timeindex", ".txnindex"};
enum { SUFFIXES = 4, TXN_INDEX = 3 };

/* ---- the swap ------------------------------------------------------------------------------------------------------------ */

/* The new file takes the old one's name, if that has not happened yet. */
bool segment_swap_in(struct segment *s, struct err *err)
{
    char from[OS_PATH_MAX], to[OS_PATH_MAX];
    if (s->state.generation == 0)
        return true;
    cleaned_path(s, ".log", s->state.generation, from, sizeof from);
    bool happens_now = os_exists(from); /* else those of a newer generation may stand there already */
    for (int i = SUFFIXES;
         i-- > 0;) { /* the data last: while it has its own name the others are looked for, too */
        cleaned_path(s, suffixes[i], s->state.generation, from, sizeof from);
        segment_path(s, suffixes[i], to, sizeof to);
        if (os_exists(from))
            TRY(os_rename(from, to, err));
        else if (i == TXN_INDEX && happens_now && s->state.aborted_count == 0)
            os_unlink(to, NULL); /* of the files that are replaced */
    }
    return true;
}

static size_t find_base(const struct log *log, int64_t base)
{
    size_t i = segment_of(log, base);
    return i != SIZE_MAX && log->segments[i]->state.base == base ? i : SIZE_MAX;
}

static void doom_replaced(struct segment *s, bool unlink) ON(disk)
{
    if (unlink) {
        segment_delete(s);
        return;
    }
    s->gone = true;
    segment_close_file(s);
    segment_unref(s);
}

bool compact_apply(struct log *log, const struct segment_state *state, bool deleted, struct err *err)
{
    lock_take(log->lock);
    size_t i = find_base(log, state->base);
    struct segment *old = i == SIZE_MAX ? NULL : log->segments[i];
    bool applies = old != NULL && i + 1 < log->segment_count &&
                   (deleted || state->generation > old->state.generation);
    lock_release(log->lock);
    if (!applies)
        return true;
    struct segment *fresh = NULL;
    if (!deleted) {
        fresh = segment_new(log, state);
        fresh->closed = fresh->settled = true;
        TRY(segment_swap_in(fresh, err));
    }
    lock_take(log->lock);
    log->swaps++;
    tail_drop_before(log, old->state.next_offset); /* nobody reads what is replaced */
    memset(log->cursors, 0, sizeof log->cursors);
    if (fresh != NULL) {
        log->segments[i] = fresh;
    } else {
        memmove(&log->segments[i], &log->segments[i + 1],
                (log->segment_count - i - 1) * sizeof log->segments[0]);
        log->segment_count--;
    }
    lock_release(log->lock);
    doom_replaced(old, deleted);
    log->folder_unsynced = true;
    log_mark_dirty(log);
    return true;
}

/* ---- transactions ---------------------------------------------------------------------------------------------------------- */

static struct walked *find_walked(struct walk *walk, int64_t producer_id, bool aborted)
{
    for (size_t i = 0; i < walk->count; i++)
        if (walk->open[i].producer_id == producer_id && (walk->open[i].aborted != NULL) == aborted)
            return &walk->open[i];
    return NULL;
}

static void add_walked(struct walk *walk, int64_t producer_id, const struct aborted *aborted)
{
    walk->open = mem_grow(walk->open, &walk->capacity, walk->count + 1, sizeof *walk->open);
    walk->open[walk->count++] = (struct walked){.producer_id = producer_id, .aborted = aborted};
}

/* Aborted transactions that have begun by then. */
static void walk_to(struct compaction *c, int64_t offset)
{
    struct walk *walk = &c->walk;
    for (; walk->next < c->aborted_count && c->aborted[walk->next].first <= offset; walk->next++) {
        const struct aborted *aborted = &c->aborted[walk->next];
        if (find_walked(walk, aborted->producer_id, true) == NULL)
            add_walked(walk, aborted->producer_id, aborted);
    }
}

/* True: its records belong to an aborted transaction. */
static bool walk_data(struct compaction *c, const struct records_batch *batch)
{
    walk_to(c, batch->base_offset + batch->last_offset_delta);
    if (!(batch->attributes & RECORDS_TRANSACTIONAL))
        return false;
    struct walked *aborted = find_walked(&c->walk, batch->producer_id, true);
    if (aborted != NULL)
        aborted->seen = true;
    else if (find_walked(&c->walk, batch->producer_id, false) == NULL)
        add_walked(&c->walk, batch->producer_id, NULL);
    return aborted != NULL;
}

/* True: no batch of the transaction that it ends is left. *aborted: the index entry that stays with it, or NULL. */
static bool walk_control(struct compaction *c, const uint8_t *p, const struct records_batch *batch,
                         const struct aborted **aborted)
{
    struct records_marker marker;
    *aborted = NULL;
    walk_to(c, batch->base_offset + batch->last_offset_delta);
    if (batch->count == 0)
        return true;
    if (!records_marker_read(p, batch->size, &marker))
        return false;
    struct walked *walked = find_walked(&c->walk, batch->producer_id, !marker.commits);
    if (walked == NULL)
        return true;
    bool seen = marker.commits || walked->seen;
    *aborted = seen ? walked->aborted : NULL;
    *walked = c->walk.open[--c->walk.count];
    return !seen;
}

static int by_producer(const void *a, const void *b)
{
    const struct last_batch *x = a, *y = b;
    return (x->producer_id > y->producer_id) - (x->producer_id < y->producer_id);
}

static void note_producers(struct compaction *c) ON(disk)
{
    const struct producers *producers = &c->log->producers;
    c->producers = mem_new_array(struct last_batch, producers->count + 1);
    for (size_t i = 0; i < producers->count; i++) {
        const struct producer *p = &producers->list[i];
        c->producers[i] = (struct last_batch){
            .producer_id = p->id,
            .epoch = p->epoch,
            .last_offset = p->batch_count ? p->batches[p->batch_count - 1].last_offset : -1};
    }
    c->producer_count = producers->count;
    qsort(c->producers, c->producer_count, sizeof *c->producers, by_producer);
}

/* It tells others who rebuild what is known of producers from the log where its producer stands. */
static bool is_last_of_producer(const struct compaction *c, const struct records_batch *batch)
{
    const struct last_batch key = {.producer_id = batch->producer_id}, *last;
    if (batch->producer_id < 0)
        return false;
    last = bsearch(&key, c->producers, c->producer_count, sizeof key, by_producer);
    if (last == NULL)
        return false;
    return last->last_offset >= 0
               ? batch->base_offset + batch->last_offset_delta == last->last_offset
               : batch->attributes & RECORDS_CONTROL && batch->producer_epoch == last->epoch;
}

/* ---- the keys ------------------------------------------------------------------------------------------------------------- */

static struct slot *find_slot(struct slot *slots, size_t slot_count, XXH128_hash_t key)
{
    size_t i = key.low64 & (slot_count - 1);
    while (slots[i].offset != 0 && (slots[i].key.low64 != key.low64 || slots[i].key.high64 != key.high64))
        i = (i + 1) & (slot_count - 1);
    return &slots[i];
}

static void grow_slots(struct compaction *c)
{
    size_t count = c->slot_count ? c->slot_count * 2 : 1024;
    struct slot *slots = mem_new_array(struct slot, count);
    for (size_t i = 0; i < c->slot_count; i++)
        if (c->slots[i].offset != 0)
            *find_slot(slots, count, c->slots[i].key) = c->slots[i];
    mem_free(c->slots);
    c->slots = slots;
    c->slot_count = count;
}

static bool note_batch(struct compaction *c, const uint8_t *p, const struct records_batch *batch,
                       struct err *err)
{
    struct records_reader reader;
    struct record record;
    struct buf *scratch;
    bool more = true;
    const struct aborted *aborted;
    if (batch->attributes & RECORDS_CONTROL) {
        walk_control(c, p, batch, &aborted);
        return true;
    }
    if (walk_data(c, batch) || batch->base_offset + batch->last_offset_delta < c->clean_to ||
        batch->base_offset >= c->noted_to)
        return true;
    TRY(records_open(p, batch->size, c->ctx, &scratch, &reader, err));
    bool done = records_next(&reader, &record, &more, err);
    for (; done && more; done = records_next(&reader, &record, &more, err)) {
        if (record.key.p == NULL)
            continue;
        if (c->used * 4 >= c->slot_count * 3)
            grow_slots(c);
        struct slot *slot = find_slot(c->slots, c->slot_count, XXH3_128bits(record.key.p, record.key.n));
        if (slot->offset == 0) {
            slot->key = XXH3_128bits(record.key.p, record.key.n);
            c->used++;
        }
        slot->offset = record.offset + 1;
    }
    buf_unref(scratch);
    if (c->used >= KEYS_MAX)
        c->noted_to = batch->base_offset + batch->last_offset_delta + 1;
    return done;
}

static bool is_past_horizon(const struct compaction *c, const struct records_batch *batch)
{
    return batch->attributes & RECORDS_DELETE_HORIZON && batch->base_timestamp_ms <= c->now_ms;
}

static bool is_wanted(const struct compaction *c, const struct records_batch *batch,
                      const struct record *record)
{
    if (record->key.p == NULL || c->slot_count == 0)
        return true;
    const struct slot *slot = find_slot(c->slots, c->slot_count, XXH3_128bits(record->key.p, record->key.n));
    if (slot->offset != 0 && slot->offset - 1 > record->offset)
        return false;
    return record->value.p != NULL || !is_past_horizon(c, batch);
}

/* ---- copying ----------------------------------------------------------------------------------------------------------------- */

static bool open_output(struct compaction *c, struct err *err)
{
    const struct segment *input = c->inputs[c->at];
    CHECK(c->output_count < INPUTS_MAX);
    struct output *out = &c->outputs[c->output_count];
    struct segment_state state = {.base = input->state.base,
                                  .next_offset = input->state.base,
                                  .max_timestamp = -1,
                                  .last_time_entry = -1,
                                  .max_timestamp_offset = input->state.base,
                                  .created_ms = input->state.created_ms};
    *out = (struct output){.segment = segment_new(c->log, &state), .first_input = c->at, .file = -1};
    c->output_count++;
    for (size_t i = 0; i < c->input_count; i++)
        if (c->inputs[i]->state.generation >= out->segment->state.generation)
            out->segment->state.generation = c->inputs[i]->state.generation + 1;
    char path[OS_PATH_MAX];
    cleaned_path(out->segment, ".log", out->segment->state.generation, path, sizeof path);
    return os_open(path, OS_READ | OS_WRITE | OS_CREATE | OS_TRUNCATE, &out->file, err);
}

/* The output that the current input goes to: the last one when both fit into one segment. */
static bool choose_output(struct compaction *c, struct err *err)
{
    const struct segment *input = c->inputs[c->at];
    struct output *out = c->output_count ? &c->outputs[c->output_count - 1] : NULL;
    bool fits = out != NULL &&
                (int64_t)out->segment->state.length + input->state.length <= c->segment_bytes &&
                input->state.next_offset - out->segment->state.base <= INT32_MAX;
    if (!fits)
        TRY(open_output(c, err));
    c->outputs[c->output_count - 1].input_count++;
    return true;
}

static bool write_out(struct output *out, struct err *err)
{
    if (out->bytes.n > 0)
        TRY(os_pwrite(out->file, out->bytes.p, out->bytes.n, out->segment->state.length - out->bytes.n, err));
    sbuf_clear(&out->bytes);
    return true;
}

static bool put_batch(struct output *out, const void *p, const struct records_batch *batch, struct err *err)
{
    struct segment *s = out->segment;
    segment_index(s, batch, s->state.length);
    s->state.length += batch->size;
    sbuf_add(&out->bytes, p, batch->size);
    return out->bytes.n < STEP_BYTES || write_out(out, err);
}

static bool pack(struct compaction *c, enum codec codec, struct err *err)
{
    size_t bound = codec_bound(codec, FORM_KAFKA, c->kept.n), n;
    uint8_t *out = (uint8_t *)sbuf_reserve(&c->packed, bound);
    TRY(codec_compress(c->ctx, codec, FORM_KAFKA, COMPRESS_LEVEL_DEFAULT, c->kept.p, c->kept.n, out, bound,
                       &n, err));
    sbuf_added(&c->packed, n);
    return true;
}

/* The records in c->kept count their times from another one. */
static void rebase(struct compaction *c, int64_t from_ms, int64_t to_ms)
{
    struct rd rd = rd_of(c->kept.p, c->kept.n);
    sbuf_clear(&c->rebased);
    while (rd_left(&rd) > 0) {
        size_t n = (size_t)rd_varint(&rd);
        const uint8_t *p = rd_take(&rd, n);
        CHECK(p != NULL && n > 1); /* they were read once before */
        struct rd record = rd_of(p + 1, n - 1);
        int64_t delta = (int64_t)((uint64_t)rd_varint(&record) + (uint64_t)from_ms - (uint64_t)to_ms);
        uint8_t *out = (uint8_t *)sbuf_reserve(&c->rebased, n + 3 * VARINT_MAX), *at = out;
        size_t rest = rd_left(&record);
        at += put_varint(at, (int64_t)(1 + varint_size(delta) + rest));
        *at++ = p[0];
        at += put_varint(at, delta);
        memcpy(at, record.p, rest);
        sbuf_added(&c->rebased, (size_t)(at - out) + rest);
    }
    struct sbuf rebased = c->rebased;
    c->rebased = c->kept;
    c->kept = rebased;
}

/* No record of it is left; it stays for its producer. */
static bool put_empty(struct output *out, const uint8_t *p, struct records_batch batch, struct err *err)
{
    uint8_t head[RECORDS_HEADER];
    records_batch_empty(head, p);
    batch.size = sizeof head;
    return put_batch(out, head, &batch, err);
}

/* The batch with the records in c->kept alone: offsets, times and producer stay as they are. horizon: it gets a delete horizon. */
static bool put_rest(struct compaction *c, struct output *out, const uint8_t *p, struct records_batch batch,
                     int32_t count, bool horizon, struct err *err)
{
    if (horizon) {
        int64_t horizon_ms = c->now_ms + c->delete_retention_ms;
        rebase(c, batch.base_timestamp_ms, horizon_ms);
        batch.base_timestamp_ms = horizon_ms;
        batch.attributes |= RECORDS_DELETE_HORIZON;
    }
    int codec = batch.attributes & RECORDS_CODEC_MASK;
    sbuf_clear(&c->packed);
    sbuf_add(&c->packed, p, RECORDS_HEADER);
    if (codec == CODEC_NONE)
        sbuf_add(&c->packed, c->kept.p, c->kept.n);
    else
        TRY(pack(c, (enum codec)codec, err));
    uint8_t *head = (uint8_t *)c->packed.p;
    batch.size = (uint32_t)c->packed.n;
    put_be32(head + 8, batch.size - 12);
    put_be16(head + 21, batch.attributes);
    put_be64(head + 27, (uint64_t)batch.base_timestamp_ms);
    put_be32(head + 57, (uint32_t)count);
    put_be32(head + 17, crc32c(0, head + 21, batch.size - 21));
    return put_batch(out, head, &batch, err);
}

static bool copy_control(struct compaction *c, struct output *out, const uint8_t *p,
                         const struct records_batch *batch, struct err *err)
{
    const struct aborted *aborted;
    bool may_go = walk_control(c, p, batch, &aborted);
    if (aborted != NULL)
        segment_add_aborted(out->segment, aborted);
    if (may_go && (batch->count == 0 || is_past_horizon(c, batch)))
        return !is_last_of_producer(c, batch) || put_empty(out, p, *batch, err);
    if (!may_go || batch->attributes & RECORDS_DELETE_HORIZON)
        return put_batch(out, p, batch, err);
    sbuf_clear(&c->kept);
    sbuf_add(&c->kept, p + RECORDS_HEADER, batch->size - RECORDS_HEADER);
    return put_rest(c, out, p, *batch, batch->count, true, err);
}

static bool copy_batch(struct compaction *c, const uint8_t *p, const struct records_batch *batch,
                       struct err *err)
{
    struct output *out = &c->outputs[c->output_count - 1];
    struct records_reader reader;
    struct record record;
    struct buf *scratch;
    bool more = true, done = true, has_tombstones = false;
    int32_t count = 0;
    if (batch->attributes & RECORDS_CONTROL)
        return copy_control(c, out, p, batch, err);
    bool aborted = walk_data(c, batch);
    TRY(records_open(p, batch->size, c->ctx, &scratch, &reader, err));
    sbuf_clear(&c->kept);
    while (!aborted) {
        const uint8_t *start = reader.rd.p;
        done = records_next(&reader, &record, &more, err);
        if (!done || !more)
            break;
        if (!is_wanted(c, batch, &record))
            continue;
        sbuf_add(&c->kept, start, (size_t)(reader.rd.p - start));
        has_tombstones = has_tombstones || (record.key.p != NULL && record.value.p == NULL);
        count++;
    }
    buf_unref(scratch);
    TRY(done);
    bool horizon = has_tombstones && !(batch->attributes & RECORDS_DELETE_HORIZON);
    if (count == 0)
        return !is_last_of_producer(c, batch) || put_empty(out, p, *batch, err);
    if (count == batch->count && !horizon)
        return put_batch(out, p, batch, err);
    return put_rest(c, out, p, *batch, count, horizon, err);
}

/* ---- steps: on the loop behind --------------------------------------------------------------------------------------------------- */

static bool each_batch(struct compaction *c, size_t n, size_t *used, struct err *err)
{
    *used = 0;
    while (*used < n) {
        struct records_batch batch;
        struct err why = {0};
        const uint8_t *p = c->buf->p + *used;
        if (!records_batch_read(p, n - *used, true, &batch, &why)) {
            if (why.code == RECORDS_CUT && *used > 0)
                return true;
            if (why.code == RECORDS_CUT && batch.size > n) {
                buf_unref(c->buf);
                c->buf = buf_new(batch.size);
                return true;
            }
            *err = why;
            return false;
        }
        TRY(c->phase == PHASE_NOTE ? note_batch(c, p, &batch, err) : copy_batch(c, p, &batch, err));
        *used += batch.size;
    }
    return true;
}

/* Some MiB of the current input. */
static bool step_input(struct compaction *c, struct err *err)
{
    struct segment *s = c->inputs[c->at];
    if (c->position == 0 && c->phase == PHASE_COPY)
        TRY(choose_output(c, err));
    size_t left = s->state.length - c->position, n = left < c->buf->capacity ? left : c->buf->capacity, got,
           used = 0;
    int file;
    TRY(segment_file_take(s, &file, err));
    bool done = os_pread(file, c->buf->p, n, c->position, &got, err);
    segment_file_give(s);
    TRY(done);
    if (got < n)
        return err_set(err, ERR_FATAL, "a segment of \"%s\" ends at byte %zu", s->log->folder,
                       c->position + got);
    TRY(each_batch(c, n, &used, err));
    c->position += (uint32_t)used;
    if (c->position < s->state.length)
        return true;
    if (c->phase == PHASE_COPY)
        c->outputs[c->output_count - 1].segment->state.next_offset = s->state.next_offset;
    c->position = 0;
    if (++c->at < c->input_count)
        return true;
    c->at = 0;
    c->phase++;
    c->walk.next = c->walk.count = 0;
    return true;
}

static bool find_aborted(struct compaction *c, struct err *err)
{
    bool cold;
    int64_t from = c->inputs[0]->state.base, to = c->inputs[c->input_count - 1]->state.next_offset;
    lock_take(c->log->lock);
    bool done = log_find_aborted(c->log, from, to, false, &c->aborted, &c->aborted_count, &cold, err);
    lock_release(c->log->lock);
    c->phase++;
    return done;
}

static bool write_file(const struct segment *s, const char *suffix, const struct sbuf *bytes, struct err *err)
{
    char path[OS_PATH_MAX];
    int file;
    cleaned_path(s, suffix, s->state.generation, path, sizeof path);
    TRY(os_open(path, OS_READ | OS_WRITE | OS_CREATE | OS_TRUNCATE, &file, err));
    bool done = (bytes->n == 0 || os_pwrite(file, bytes->p, bytes->n, 0, err)) && os_sync(file, err);
    os_close(file);
    return done;
}

static bool finish_output(struct output *out, struct err *err)
{
    struct segment *s = out->segment;
    struct sbuf index = {0}, times = {0}, aborted = {0};
    segment_close(s);
    TRY(write_out(out, err));
    if (!store_faults.name_before_sync)
        TRY(os_sync(out->file, err));
    for (size_t i = 0; i < s->index_n; i++) {
        put_be32(sbuf_reserve(&index, 8), s->index[i].relative);
        put_be32(index.p + index.n + 4, s->index[i].position);
        sbuf_added(&index, 8);
    }
    for (size_t i = 0; i < s->times_n; i++) {
        put_be64(sbuf_reserve(&times, 12), (uint64_t)s->times[i].timestamp);
        put_be32(times.p + times.n + 8, s->times[i].relative);
        sbuf_added(&times, 12);
    }
    for (size_t i = 0; i < s->aborted_n; i++) {
        aborted_put((uint8_t *)sbuf_reserve(&aborted, ABORTED_BYTES), &s->aborted[i]);
        sbuf_added(&aborted, ABORTED_BYTES);
    }
    bool done = write_file(s, ".index", &index, err) && write_file(s, ".timeindex", &times, err) &&
                (s->aborted_n == 0 || write_file(s, ".txnindex", &aborted, err));
    s->state.index_count = (uint32_t)s->index_n;
    s->state.time_count = (uint32_t)s->times_n;
    s->state.aborted_count = (uint32_t)s->aborted_n;
    sbuf_fini(&aborted);
    sbuf_fini(&index);
    sbuf_fini(&times);
    return done;
}

static bool finish_outputs(struct compaction *c, struct err *err)
{
    for (size_t i = 0; i < c->output_count; i++)
        TRY(finish_output(&c->outputs[i], err));
    c->phase = PHASE_END;
    return store_faults.name_before_sync || os_sync_folder(c->log->folder, err);
}

static void step(struct compaction *c)
{
    bool done = c->phase == PHASE_BEGIN  ? find_aborted(c, &c->err)
                : c->phase == PHASE_SYNC ? finish_outputs(c, &c->err)
                                         : step_input(c, &c->err);
    c->failed = !done;
}

static bool is_over(const struct compaction *c)
{
    return c->failed || c->phase == PHASE_END;
}

static void step_message(struct msg *msg)
{
    struct compaction *c = CONTAINER_OF(msg, struct compaction, step);
    step(c);
    if (is_over(c))
        loop_post(c->store->disk, &c->done);
    else
        loop_post(c->store->behind, &c->step);
}

/* ---- beginning and end: on the disk role ------------------------------------------------------------------------------------------ */

static void compact_free(struct compaction *c)
{
    if (c == NULL)
        return;
    for (size_t i = 0; i < c->output_count; i++) {
        os_close(c->outputs[i].file);
        sbuf_fini(&c->outputs[i].bytes);
        segment_unref(c->outputs[i].segment);
    }
    for (size_t i = 0; i < c->input_count; i++)
        segment_unref(c->inputs[i]);
    mem_free(c->slots);
    mem_free(c->aborted);
    mem_free(c->producers);
    mem_free(c->walk.open);
    buf_unref(c->buf);
    compress_ctx_free(c->ctx);
    sbuf_fini(&c->kept);
    sbuf_fini(&c->rebased);
    sbuf_fini(&c->packed);
    mem_free(c);
}

static void remove_outputs(const struct compaction *c)
{
    char path[OS_PATH_MAX];
    for (size_t i = 0; i < c->output_count; i++)
        for (int k = 0; k < SUFFIXES; k++) {
            const struct segment *s = c->outputs[i].segment;
            cleaned_path(s, suffixes[k], s->state.generation, path, sizeof path);
            os_unlink(path, NULL);
        }
}

static void compacted(struct frame *f)
{
    struct store *store = CONTAINER_OF(f, struct frame_full, f)->store;
    if (!f->durable)
        remove_outputs(store->compaction);
    compact_free(store->compaction);
    store->compaction = NULL;
    frame_free(f);
}

/* Everything is synced: a frame names it. */
static void submit(struct store *store, struct compaction *c) ON(disk)
{
    struct frame_full *frame = frame_internal(store);
    struct sbuf key = {0}, value = {0};
    for (size_t i = 0; i < c->output_count; i++) {
        const struct output *out = &c->outputs[i];
        catalog_key_segment(&key, c->log->id, out->segment->state.base);
        sbuf_clear(&value);
        catalog_put_state(&value, &out->segment->state);
        frame_catalog_put(frame, sbuf_view(&key), sbuf_view(&value));
        /* After it: a reader always finds one segment that has its offset. */
        for (size_t k = 1; k < out->input_count; k++) {
            catalog_key_segment(&key, c->log->id, c->inputs[out->first_input + k]->state.base);
            frame_catalog_put(frame, sbuf_view(&key), (struct str){0});
        }
    }
    sbuf_fini(&key);
    sbuf_fini(&value);
    frame->f.done = compacted;
    c->submitted = true;
    store_queue(store, frame);
}

static void settle(struct store *store, struct compaction *c) ON(disk)
{
    bool in_vain = c->failed || c->log->dead;
    for (size_t i = 0; i < c->input_count; i++)
        in_vain = in_vain || c->inputs[i]->gone; /* retention was faster */
    if (c->failed && c->err.code != ENOSPC && !c->log->dead)
        store_log(store, STORE_TROUBLE, "could not compact \"%s-%d\": %s", c->log->topic->info->name,
                  c->log->partition, c->err.text);
    if (!in_vain) {
        submit(store, c);
        return;
    }
    remove_outputs(c);
    compact_free(c);
    store->compaction = NULL;
}

static void done_message(struct msg *msg) ON(disk)
{
    struct compaction *c = CONTAINER_OF(msg, struct compaction, done);
    settle(c->store, c);
}

static int64_t newest_ms(const struct segment_state *s)
{
    return s->max_timestamp >= 0 ? s->max_timestamp : s->created_ms;
}

/* The segments that are worth compacting, of all or of those that the tail has passed; 0 when it is not worth it. With the log's lock. */
static size_t choose(struct log *log, struct compaction *c, int64_t pinned, bool settled)
{
    const struct topic_config *config = &log->topic->info->config;
    uint64_t dirty = 0, all = 0;
    int64_t oldest_ms = INT64_MAX;
    size_t n = 0;
    c->clean_to = log->start;
    while (n + 1 < log->segment_count && n < INPUTS_MAX && (log->segments[n]->settled || !settled) &&
           log->segments[n]->state.next_offset <= pinned &&
           log->segments[n]->state.next_offset <= log->stable) {
        const struct segment_state *s = &log->segments[n]->state;
        if (config->min_compaction_lag_ms > 0 && newest_ms(s) > c->now_ms - config->min_compaction_lag_ms)
            break;
        all += s->length;
        if (s->generation == 0 && s->created_ms < oldest_ms)
            oldest_ms = s->created_ms;
        if (s->generation == 0)
            dirty += s->length;
        else if (dirty == 0)
            c->clean_to = s->next_offset;
        n++;
    }
    bool is_due = dirty * 1000 >= all * config->min_dirty_permille ||
                  oldest_ms < c->now_ms - config->max_compaction_lag_ms;
    return dirty >= DIRTY_BYTES_MIN && is_due ? n : 0;
}

static struct compaction *begin(struct store *store, struct log *log) ON(disk)
{
    struct compaction *c = mem_new(sizeof *c);
    char owner[64];
    int64_t pinned = INT64_MAX;
    log_pinned_below(log, INT64_MAX, owner, sizeof owner, &pinned);
    c->now_ms = os_wall().us / US_PER_MS;
    lock_take(log->lock);
    size_t n = choose(log, c, pinned, true);
    if (n == 0 && !store->compaction_waits && choose(log, c, pinned, false) > 0)
        store->tail_wanted = store->compaction_waits = true;
    for (size_t i = 0; i < n; i++) {
        c->inputs[i] = log->segments[i];
        segment_ref(c->inputs[i]);
    }
    lock_release(log->lock);
    c->input_count = n;
    if (n == 0) {
        mem_free(c);
        return NULL;
    }
    c->store = store;
    c->log = log;
    c->noted_to = c->inputs[n - 1]->state.next_offset;
    c->segment_bytes = log->topic->info->config.segment_bytes;
    c->delete_retention_ms = log->topic->info->config.delete_retention_ms;
    note_producers(c);
    c->buf = buf_new(STEP_BYTES);
    c->ctx = compress_ctx_new();
    return c;
}

void compact_work(struct store *store)
{
    for (size_t id = LOG_FIRST_FREE; id < store->logs_capacity && store->compaction == NULL; id++) {
        struct log *log = store->logs[id];
        if (log == NULL || !log->topic->info->config.compact)
            continue;
        store->compaction = begin(store, log);
    }
    struct compaction *c = store->compaction;
    if (c == NULL || c->begun)
        return;
    c->begun = true;
    if (store->behind != NULL && !store->in_place) {
        msg_init(&c->step, step_message);
        msg_init(&c->done, done_message);
        loop_post(store->behind, &c->step);
        return;
    }
    while (!is_over(c))
        step(c);
    settle(store, c);
}

void compact_stop(struct store *store)
{
    if (store->compaction == NULL || store->compaction->submitted)
        return; /* its frame decides */
    remove_outputs(store->compaction);
    compact_free(store->compaction);
    store->compaction = NULL;
}

void compact_fini(struct store *store)
{
    compact_free(store->compaction);
    store->compaction = NULL;
}

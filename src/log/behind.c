/* Segments, lazily behind the journal, and the journal's tail.
 *
 * A job takes what the tail holds and no segment has yet, of all dirty logs, as it stands at one moment. Carrying it out is input
 * and output alone: it touches nothing that the disk role goes on changing, so another loop can do it while the journal is written.
 * A job that moves the tail also syncs every segment that it, or an earlier job, has written to, and every folder with a new entry (rule 2).
 * Then the states of those segments go into a root frame, together with the place that the journal's head had when the job was made: the new
 * tail. When the root frame is durable the ring before that place is free.
 *
 *     spill   memory presses: segments are written, not synced
 *     move    the ring presses, or much time has passed, or the store closes: spill, sync, root frame
 *
 * A spill starts no write-out: what the disk can do belongs to the journal while there is a burst, and the kernel has all the time until
 * the next move.
 *
 * A root frame also holds what the logs whose producers wrote since the last one know of them, as of the new tail. Their number is bounded
 * (PRODUCERS_CHANGED_MAX), and room for them is left in the ring (admit.c).
 *
 * Index entries are written too, but a disk that has no room for them is no error: they are hints. The index of aborted transactions is none:
 * it is synced like the segment. */
#include <errno.h>
#include <stdio.h>

#include "log/log_private.h"

struct piece {
    struct chunk *chunk;
    const uint8_t *p;
    uint32_t n;
};

/* What one segment gets. */
struct spill {
    struct segment *segment; /* one reference */
    uint32_t from, n;        /* bytes [from, from + n) of the segment, in pieces */
    size_t first_piece, piece_count;
    uint32_t index_from, time_from; /* numbers of the entries in the index files */
    struct index_entry *index;
    struct time_entry *times;
    size_t index_n, times_n;
    uint32_t aborted_from;
    struct aborted *aborted;
    size_t aborted_n;
    struct segment_state state; /* when the job was made, with these entries in the index files */
    bool sync, indexed, closed;
};

struct behind_job {
    struct msg run, done;
    struct store *store;
    struct arena arena;
    struct spill *spills;
    size_t spill_count, spill_capacity;
    struct piece *pieces;
    size_t piece_count, piece_capacity;
    struct buf **bufs; /* held while it runs */
    size_t buf_count, buf_capacity;
    struct log **folders; /* to sync */
    size_t folder_count, folder_capacity;
    struct log **epochs; /* whose leader epochs changed, and their text */
    struct str *epoch_texts;
    size_t epoch_count, epoch_capacity, epoch_text_capacity;
    struct sbuf producers; /* of changed producers, each: log u32, id u64, size u16 of the record, record */
    size_t producer_count;
    struct log **logs; /* of the spills, each once, with how many entries of its tail it covers */
    size_t *log_entries;
    size_t log_count, log_capacity, log_entries_capacity;
    bool moves, topics_folder, grows, prewrites, finished, settled;
    char *grown; /* path of a new ring file, when it grows */
    struct err grow_err;
    struct jf_place tail;
    struct sbuf root;
    struct err err;
};

void log_mark_dirty(struct log *log)
{
    if (!log->is_dirty)
        list_push_back(&log->store->dirty, &log->dirty_link);
    log->is_dirty = true;
}

/* ---- making a job ------------------------------------------------------------------------------------------------------- */

static void hold_buf(struct behind_job *job, struct chunk *chunk)
{
    if (job->buf_count > 0 && job->bufs[job->buf_count - 1] == chunk->buf)
        return;
    job->bufs = mem_grow(job->bufs, &job->buf_capacity, job->buf_count + 1, sizeof(struct buf *));
    job->bufs[job->buf_count++] = buf_ref(chunk->buf);
}

static struct spill *add_spill(struct behind_job *job, struct segment *s)
{
    job->spills = mem_grow(job->spills, &job->spill_capacity, job->spill_count + 1, sizeof *job->spills);
    struct spill *spill = &job->spills[job->spill_count++];
    *spill = (struct spill){.segment = s, .from = s->spilled, .first_piece = job->piece_count};
    segment_ref(s);
    spill->index_from = s->state.index_count;
    spill->time_from = s->state.time_count;
    spill->index_n = s->index_n;
    spill->times_n = s->times_n;
    spill->state = s->state;
    spill->closed = s->closed;
    spill->state.index_count += (uint32_t)s->index_n;
    spill->state.time_count += (uint32_t)s->times_n;
    spill->aborted_from = s->state.aborted_count;
    spill->aborted_n = s->aborted_new;
    spill->state.aborted_count += (uint32_t)s->aborted_new;
    if (s->aborted_new > 0)
        spill->aborted = arena_dup(&job->arena, s->aborted + s->aborted_n - s->aborted_new,
                                   s->aborted_new * sizeof *s->aborted);
    if (s->index_n > 0)
        spill->index = arena_dup(&job->arena, s->index, s->index_n * sizeof *s->index);
    if (s->times_n > 0)
        spill->times = arena_dup(&job->arena, s->times, s->times_n * sizeof *s->times);
    return spill;
}

/* The log's entries that are not in segments yet. With its lock. */
static void take_entries(struct behind_job *job, struct log *log)
{
    struct spill *spill = NULL;
    for (size_t i = log->tail.spilled; i < log->tail.count; i++) {
        const struct tail_entry *entry = tail_at(&log->tail, i);
        if (entry->segment->gone)
            continue;
        if (spill == NULL || spill->segment != entry->segment) {
            spill = add_spill(job, entry->segment);
            CHECK(spill->from == entry->position);
        }
        job->pieces = mem_grow(job->pieces, &job->piece_capacity, job->piece_count + 1, sizeof *job->pieces);
        job->pieces[job->piece_count++] = (struct piece){.chunk = entry->chunk, .p = entry->p, .n = entry->n};
        hold_buf(job, entry->chunk);
        spill->piece_count++;
        spill->n += entry->n;
    }
}

static bool job_has(const struct behind_job *job, size_t first, const struct segment *s)
{
    for (size_t i = first; i < job->spill_count; i++)
        if (job->spills[i].segment == s)
            return true;
    return false;
}

static void take_epochs(struct behind_job *job, struct log *log)
{
    struct sbuf text = {0};
    sbuf_printf(&text, "0\n%zu\n", log->epoch_count);
    for (size_t i = 0; i < log->epoch_count; i++)
        sbuf_printf(&text, "%d %lld\n", log->epochs[i].epoch, (long long)log->epochs[i].start);
    job->epochs = mem_grow(job->epochs, &job->epoch_capacity, job->epoch_count + 1, sizeof(struct log *));
    job->epoch_texts = mem_grow(job->epoch_texts, &job->epoch_text_capacity, job->epoch_count + 1,
                                sizeof(struct str));
    job->epochs[job->epoch_count] = log;
    job->epoch_texts[job->epoch_count++] = str_n(arena_dup(&job->arena, text.p, text.n), text.n);
    sbuf_fini(&text);
    log->epochs_changed = false;
    log->folder_unsynced = true;
}

/* What the log knows now of the producers that wrote since it was last written down. */
static void take_producers(struct behind_job *job, struct log *log)
{
    struct producers *producers = &log->producers;
    for (size_t i = 0; i < producers->count && producers->changed > 0; i++) {
        struct producer *producer = &producers->list[i];
        if (!producer->changed)
            continue;
        size_t at = job->producers.n;
        put_be32(sbuf_reserve(&job->producers, 14), log->id);
        put_be64(job->producers.p + at + 4, (uint64_t)producer->id);
        sbuf_added(&job->producers, 14);
        producer_encode(producer, &job->producers);
        put_be16(job->producers.p + at + 12, (uint16_t)(job->producers.n - at - 14));
        producer->changed = false;
        producer->saved = true;
        producers->changed--;
        job->producer_count++;
    }
}

static void take_log(struct behind_job *job, struct log *log)
{
    lock_take(log->lock);
    size_t first = job->spill_count;
    take_entries(job, log);
    job->logs = mem_grow(job->logs, &job->log_capacity, job->log_count + 1, sizeof(struct log *));
    job->log_entries = mem_grow(job->log_entries, &job->log_entries_capacity, job->log_count + 1,
                                sizeof(size_t));
    job->logs[job->log_count] = log;
    job->log_entries[job->log_count++] = log->tail.count - log->tail.spilled;
    for (size_t i = log->segment_count; job->moves && i > 0 && log->segments[i - 1]->unsynced; i--)
        if (!job_has(job, first, log->segments[i - 1]))
            add_spill(job, log->segments[i - 1]);
    for (size_t i = first; i < job->spill_count; i++) {
        job->spills[i].sync = job->moves;
        if (job->moves)
            job->spills[i].segment->unsynced = false;
    }
    if (job->moves && log->epochs_changed)
        take_epochs(job, log);
    if (job->moves && !store_faults.no_producers)
        take_producers(job, log);
    if (job->moves && log->folder_unsynced && log->folder_made) {
        job->folders = mem_grow(job->folders, &job->folder_capacity, job->folder_count + 1,
                                sizeof(struct log *));
        job->folders[job->folder_count++] = log;
        log->folder_unsynced = false;
    }
    lock_release(log->lock);
}

static struct behind_job *make_job(struct store *store, bool moves) ON(disk)
{
    struct behind_job *job = mem_new(sizeof *job);
    job->store = store;
    job->moves = moves;
    const struct journal *j = &store->journal;
    job->tail = (struct jf_place){.position = j->head,
                                  .lsn = j->next_lsn,
                                  .previous = j->previous,
                                  .incarnation = j->incarnation,
                                  .group_end = true};
    LIST_EACH(link, &store->dirty)
    take_log(job, CONTAINER_OF(link, struct log, dirty_link));
    if (moves) {
        while (!list_empty(&store->dirty))
            CONTAINER_OF(list_pop_front(&store->dirty), struct log, dirty_link)->is_dirty = false;
        job->topics_folder = store->topics_folder_unsynced;
        store->topics_folder_unsynced = false;
        catalog_root(store, &job->tail, &job->root);
    }
    return job;
}

/* ---- carrying it out: any loop; touches the job, files, and nothing else ----------------------------------------------------- */

static bool write_pieces(struct behind_job *job, const struct spill *spill, int file, struct err *err)
{
    enum { GATHER = 256 << 10 };
    uint8_t *gathered = NULL;
    size_t held = 0;
    uint64_t at = spill->from;
    bool done = false;
    for (size_t i = 0; i < spill->piece_count; i++) {
        const struct piece *piece = &job->pieces[spill->first_piece + i];
        if (held > 0 && held + piece->n > GATHER) {
            TRY_OUT(os_pwrite(file, gathered, held, at, err));
            at += held;
            held = 0;
        }
        if (piece->n >= GATHER / 16 && held == 0) {
            TRY_OUT(os_pwrite(file, piece->p, piece->n, at, err));
            at += piece->n;
            continue;
        }
        if (piece->n > GATHER) {
            TRY_OUT(os_pwrite(file, gathered, held, at, err));
            at += held;
            held = 0;
            i--;
            continue;
        }
        if (gathered == NULL)
            gathered = mem_new(GATHER);
        memcpy(gathered + held, piece->p, piece->n);
        held += piece->n;
    }
    if (held > 0)
        TRY_OUT(os_pwrite(file, gathered, held, at, err));
    done = true;
out:
    mem_free(gathered);
    return done;
}

/* Bytes p[n] into an index file at entry `from`. */
static bool write_index(const struct segment *s, const char *suffix, const uint8_t *p, size_t n, uint64_t at)
{
    char path[OS_PATH_MAX];
    int file;
    segment_path(s, suffix, path, sizeof path);
    if (!os_open(path, OS_READ | OS_WRITE | OS_CREATE, &file, NULL))
        return false;
    bool done = os_pwrite(file, p, n, at, NULL);
    os_close(file);
    return done;
}

static bool write_indexes(const struct spill *spill)
{
    if (spill->index_n == 0 && spill->times_n == 0 && spill->index_from > 0)
        return true;
    struct sbuf bytes = {0};
    for (size_t i = 0; i < spill->index_n; i++) {
        uint8_t *p = (uint8_t *)sbuf_reserve(&bytes, 8);
        put_be32(p, spill->index[i].relative);
        put_be32(p + 4, spill->index[i].position);
        sbuf_added(&bytes, 8);
    }
    bool done = write_index(spill->segment, ".index", (uint8_t *)bytes.p, bytes.n,
                            (uint64_t)spill->index_from * 8);
    sbuf_clear(&bytes);
    for (size_t i = 0; i < spill->times_n; i++) {
        uint8_t *p = (uint8_t *)sbuf_reserve(&bytes, 12);
        put_be64(p, (uint64_t)spill->times[i].timestamp);
        put_be32(p + 8, spill->times[i].relative);
        sbuf_added(&bytes, 12);
    }
    done = done && write_index(spill->segment, ".timeindex", (uint8_t *)bytes.p, bytes.n,
                               (uint64_t)spill->time_from * 12);
    sbuf_fini(&bytes);
    return done;
}

static bool write_aborted(const struct spill *spill, struct err *err)
{
    if (spill->aborted_n == 0)
        return true;
    char path[OS_PATH_MAX];
    int file;
    uint8_t *bytes = mem_new(spill->aborted_n * ABORTED_BYTES);
    for (size_t i = 0; i < spill->aborted_n; i++)
        aborted_put(bytes + i * ABORTED_BYTES, &spill->aborted[i]);
    segment_path(spill->segment, ".txnindex", path, sizeof path);
    bool done = os_open(path, OS_READ | OS_WRITE | OS_CREATE, &file, err);
    if (done) {
        done = os_pwrite(file, bytes, spill->aborted_n * ABORTED_BYTES,
                         (uint64_t)spill->aborted_from * ABORTED_BYTES, err);
        os_close(file);
    }
    mem_free(bytes);
    return done;
}

/* Also what an earlier job wrote. */
static bool sync_aborted(const struct spill *spill, struct err *err)
{
    if (spill->state.aborted_count == 0 || store_faults.no_txn_index_sync)
        return true;
    char path[OS_PATH_MAX];
    int file;
    segment_path(spill->segment, ".txnindex", path, sizeof path);
    TRY(os_open(path, OS_READ | OS_WRITE, &file, err));
    bool done = os_sync(file, err);
    os_close(file);
    return done;
}

static bool run_spill(struct behind_job *job, struct spill *spill, struct err *err)
{
    int file;
    if (!segment_file_take(spill->segment, &file, err))
        return segment_is_doomed(spill->segment); /* deleted meanwhile: nobody reads it again */
    bool done = write_pieces(job, spill, file, err);
    spill->indexed = done && write_indexes(spill);
    segment_file_give(spill->segment);
    return done && (write_aborted(spill, err) || segment_is_doomed(spill->segment));
}

static bool sync_spill(const struct spill *spill, struct err *err)
{
    int file;
    if (!segment_file_take(spill->segment, &file, err))
        return segment_is_doomed(spill->segment);
    bool done = os_sync(file, err);
    segment_file_give(spill->segment);
    done = done && (sync_aborted(spill, err) || segment_is_doomed(spill->segment));
    return done || store_faults.ignore_sync_error;
}

static bool is_dead(struct log *log)
{
    lock_take(log->lock);
    bool dead = log->dead;
    lock_release(log->lock);
    return dead;
}

static bool run_syncs(struct behind_job *job, struct err *err)
{
    char path[OS_PATH_MAX];
    for (size_t i = 0; i < job->spill_count && !store_faults.no_segment_sync; i++)
        TRY(sync_spill(&job->spills[i], err));
    for (size_t i = 0; i < job->epoch_count; i++) {
        snprintf(path, sizeof path, "%s/leader-epoch-checkpoint", job->epochs[i]->folder);
        os_write_file(path, job->epoch_texts[i].p, job->epoch_texts[i].n,
                      NULL); /* for other programs; ours are in the batches */
    }
    if (store_faults.no_folder_sync)
        return true;
    for (size_t i = 0; i < job->folder_count; i++)
        if (!os_sync_folder(job->folders[i]->folder, err) && !is_dead(job->folders[i]))
            return false;
    return !job->topics_folder || os_sync_folder(job->store->topics_folder, err);
}

static void run_job(struct behind_job *job)
{
    bool done = true;
    if (job->grows)
        job->grown = journal_make_file(&job->store->journal, job->prewrites, &job->grow_err);
    for (size_t i = 0; i < job->spill_count && done; i++)
        done = run_spill(job, &job->spills[i], &job->err);
    if (done && job->moves)
        done = run_syncs(job, &job->err);
    if (done)
        err_clear(&job->err);
    job->finished = true;
}

/* ---- afterwards ------------------------------------------------------------------------------------------------------------ */

static void free_job(struct behind_job *job)
{
    for (size_t i = 0; i < job->spill_count; i++)
        segment_unref(job->spills[i].segment);
    for (size_t i = 0; i < job->buf_count; i++)
        buf_unref(job->bufs[i]);
    arena_fini(&job->arena);
    sbuf_fini(&job->root);
    sbuf_fini(&job->producers);
    mem_free(job->spills);
    mem_free(job->pieces);
    mem_free(job->bufs);
    mem_free(job->folders);
    mem_free(job->epochs);
    mem_free(job->epoch_texts);
    mem_free(job->logs);
    mem_free(job->log_entries);
    mem_free(job);
}

/* Of its aborted transactions the newest stay in memory. */
static void aborted_written(struct segment *s, const struct spill *spill)
{
    CHECK(spill->aborted_n <= s->aborted_new);
    s->state.aborted_count += (uint32_t)spill->aborted_n;
    s->aborted_new -= spill->aborted_n;
    size_t old = s->aborted_n - s->aborted_new;
    if (old <= ABORTED_KEEP)
        return;
    s->aborted_before = s->aborted[old - ABORTED_KEEP - 1].last + 1;
    memmove(s->aborted, s->aborted + (old - ABORTED_KEEP),
            (s->aborted_n - (old - ABORTED_KEEP)) * sizeof *s->aborted);
    s->aborted_n -= old - ABORTED_KEEP;
}

/* Entries that the job wrote leave the segment's memory. */
static void indexed(struct segment *s, const struct spill *spill)
{
    aborted_written(s, spill);
    if (!spill->indexed)
        return;
    if (spill->index_n > 0)
        memmove(s->index, s->index + spill->index_n, (s->index_n - spill->index_n) * sizeof *s->index);
    if (spill->times_n > 0)
        memmove(s->times, s->times + spill->times_n, (s->times_n - spill->times_n) * sizeof *s->times);
    s->index_n -= spill->index_n;
    s->times_n -= spill->times_n;
    s->state.index_count += (uint32_t)spill->index_n;
    s->state.time_count += (uint32_t)spill->times_n;
}

static void spilled_log(struct store *store, struct log *log, size_t entries) ON(disk)
{
    for (size_t i = 0; i < entries; i++) {
        struct tail_entry *entry = tail_at(&log->tail, log->tail.spilled++);
        chunk_let(store, entry->chunk);
        entry->segment->spilled = entry->position + entry->n;
    }
}

/* Calls each for the producers that the job took. */
static void each_taken(struct behind_job *job,
                       void (*each)(void *arg, uint32_t log, int64_t id, struct str record), void *arg)
{
    struct rd rd = rd_of(job->producers.p, job->producers.n);
    while (rd_left(&rd) > 0) {
        uint32_t log = rd_be32(&rd);
        int64_t id = (int64_t)rd_be64(&rd);
        uint16_t n = rd_be16(&rd);
        each(arg, log, id, str_n(rd_take(&rd, n), n));
    }
    CHECK(!rd.bad);
}

static void untake_producer(void *arg, uint32_t log_id, int64_t id, struct str record) ON(disk)
{
    struct log *log = store_log_of(arg, log_id);
    (void)record;
    if (log == NULL || producers_find(&log->producers, id) == NULL)
        return;
    lock_take(log->lock);
    struct producer producer = producers_copy(&log->producers, id);
    producer.changed = true;
    log_set_producer(log, &producer);
    lock_release(log->lock);
    log_mark_dirty(log);
}

static void put_producer(void *arg, uint32_t log_id, int64_t id, struct str record) ON(disk)
{
    struct frame_full *frame = arg;
    struct log *log = store_log_of(frame->store, log_id);
    struct sbuf key = {0};
    if (log == NULL || producers_find(&log->producers, id) == NULL) /* deleted, or forgotten meanwhile */
        return;
    catalog_key_producer(&key, log_id, id);
    frame_catalog_put(frame, sbuf_view(&key), record);
    sbuf_fini(&key);
}

/* The root frame found no space: what the job synced is synced once more by the next one, when there is room again. */
static void forget_job(struct store *store, struct behind_job *job) ON(disk)
{
    for (size_t i = 0; i < job->spill_count; i++) {
        struct segment *s = job->spills[i].segment;
        if (s->gone || s->log->dead)
            continue;
        s->unsynced = true;
        log_mark_dirty(s->log);
    }
    each_taken(job, untake_producer, store);
    store->root_refused = true;
}

/* What had to stay for a recovery from the old tail can go. */
static void root_is_durable(struct store *store, const struct behind_job *job) ON(disk)
{
    store->forgotten.n -= store->forgotten_n; /* what came since waits for the next one */
    if (store->forgotten.n > 0)
        memmove(store->forgotten.p, store->forgotten.p + store->forgotten_n, store->forgotten.n);
    for (size_t i = 0; i < job->spill_count; i++)
        if (job->spills[i].closed)
            job->spills[i].segment->settled = true;
    struct log *logs[] = {store->catalog_log, store->positions_log};
    for (size_t i = 0; i < 2; i++) {
        if (logs[i]->drop_after == 0 || job->tail.position < logs[i]->drop_after)
            continue;
        logs[i]->drop_after = 0;
        log_drop_segments(logs[i]);
    }
}

static void root_done(struct frame *f) ON(disk)
{
    struct store *store = CONTAINER_OF(f, struct frame_full, f)->store;
    store->producers_changed -= store->job->producer_count;
    if (!f->durable)
        forget_job(store, store->job);
    else
        root_is_durable(store, store->job);
    free_job(store->job);
    store->job = NULL;
    frame_free(f);
    if (store->compaction_waits && !store->tail_wanted) {
        compact_work(store);
        store->compaction_waits = false; /* it asks once for each look */
    }
    store_wake(store);
}

/* The states of the segments as of the job's tail, and the tail itself. */
static void submit_root(struct store *store, struct behind_job *job) ON(disk)
{
    struct frame_full *frame = frame_internal(store);
    struct sbuf key = {0}, value = {0};
    for (size_t i = 0; i < job->spill_count; i++) {
        const struct segment *s = job->spills[i].segment;
        if (s->gone || s->log->dead || s->log == store->catalog_log)
            continue;
        catalog_key_segment(&key, s->log->id, s->state.base);
        sbuf_clear(&value);
        catalog_put_state(&value, &job->spills[i].state);
        frame_catalog_put(frame, sbuf_view(&key), sbuf_view(&value));
    }
    for (size_t at = 0; at < store->forgotten.n; at += 1 + (uint8_t)store->forgotten.p[at])
        frame_catalog_put(frame, str_n(&store->forgotten.p[at + 1], (uint8_t)store->forgotten.p[at]),
                          (struct str){0});
    store->forgotten_n = store->forgotten.n;
    each_taken(job, put_producer, frame); /* after those that were forgotten: one may be back */
    sbuf_fini(&key);
    sbuf_fini(&value);
    frame->root = &job->root;
    frame->root_tail = job->tail.position;
    frame->is_root = true;
    frame->f.done = root_done;
    store_queue(store, frame);
}

static void job_done(struct store *store, struct behind_job *job) ON(disk)
{
    job->settled = true;
    if (job->err.class != ERR_NONE) {
        store_check_folder(store);
        store_die(store, &job->err);
    }
    if (job->grows) {
        journal_add_file(&store->journal, job->grown);
        store->growing = false;
        if (job->grown == NULL)
            store_log(store, STORE_NOTE, "%s", job->grow_err.text);
    }
    for (size_t i = 0; i < job->log_count; i++) {
        struct log *log = job->logs[i];
        lock_take(log->lock);
        if (!log->dead)
            spilled_log(store, log, job->log_entries[i]);
        lock_release(log->lock);
    }
    for (size_t i = 0; i < job->spill_count; i++) {
        struct segment *s = job->spills[i].segment;
        lock_take(s->log->lock);
        indexed(s, &job->spills[i]);
        lock_release(s->log->lock);
    }
    tail_drop_old(store);
    counter_set(&store->tail_bytes, store->chunk_total);
    if (job->moves) {
        store_check_folder(store);
        submit_root(store, job);
        return;
    }
    store->job = NULL;
    free_job(job);
}

/* ---- when ---------------------------------------------------------------------------------------------------------------------- */

static uint64_t ring_target(const struct store *store)
{
    uint64_t quarter = journal_capacity(&store->journal) / 4, most = UINT64_C(256) << 20;
    return quarter < most ? quarter : most;
}

/* So many changed producers make the tail move. */
static uint64_t producers_target(const struct store *store)
{
    uint64_t most = journal_capacity(&store->journal) / 8 / PRODUCER_RECORD_MAX;
    return most < PRODUCERS_CHANGED_MAX ? most : PRODUCERS_CHANGED_MAX;
}

bool behind_is_due(const struct store *store)
{
    return store->unspilled_bytes > store->options.tail_bytes / 2;
}

/* On the loop behind. */
static void carry_out(struct msg *msg)
{
    struct behind_job *job = CONTAINER_OF(msg, struct behind_job, run);
    run_job(job);
    loop_post(job->store->disk, &job->done);
}

/* Back on the disk role. */
static void came_back(struct msg *msg) ON(disk)
{
    struct behind_job *job = CONTAINER_OF(msg, struct behind_job, done);
    struct store *store = job->store;
    job_done(store, job);
    store_wake(store);
}

static bool may_move(const struct store *store)
{
    return store->job == NULL && store->is_open && !store->root_refused;
}

bool behind_wants_move(const struct store *store)
{
    return may_move(store) && (store->tail_wanted || journal_used(&store->journal) > ring_target(store) ||
                               store->producers_changed > producers_target(store));
}

void behind_work(struct store *store, bool calm, bool pressed)
{
    if (store->job != NULL)
        return;
    bool moves = calm && (behind_wants_move(store) || (pressed && may_move(store)));
    bool grows = store->is_open && journal_wants_file(&store->journal);
    if (grows && !store_leaves_margin(store, store->journal.file_data + JF_BLOCK, NULL)) {
        store->journal.grow_refused = true;
        grows = false;
    }
    if (!moves && !grows && !behind_is_due(store))
        return;
    if (moves)
        store->tail_wanted = false;
    struct behind_job *job = store->job = make_job(store, moves);
    job->grows = store->growing = grows;
    job->prewrites = !journal_takes_bulk(&store->journal);
    if (store->behind != NULL && !store->in_place) {
        msg_init(&job->run, carry_out);
        msg_init(&job->done, came_back);
        loop_post(store->behind, &job->run);
        return;
    }
    run_job(job);
    job_done(store, job);
}

bool behind_start(struct store *store, struct err *err)
{
    return loop_new(ROLE_DISK, "segments", &store->behind, err);
}

void behind_stop(struct store *store) UNSHARED
{
    if (store->behind == NULL)
        return;
    loop_stop(store->behind);
    loop_join(store->behind);
    loop_free(store->behind);
    store->behind = NULL;
    compact_stop(store);
    struct behind_job *job = store->job;
    if (job == NULL || job->settled)
        return;
    if (!job->finished) /* its loop was never started */
        run_job(job);
    job_done(store, job);
}

void behind_finish(struct store *store)
{
    CHECK(store->in_place && store->behind == NULL);
    while (store->job != NULL) { /* its root frame is still to be written */
        store_work(store);
        CHECK(store->job == NULL || !store->blocked); /* there is a reserve for it */
    }
    store_drop_queues(store);
    store->root_refused = false;
    store->tail_wanted = true;
    do {
        store_work(store);
    } while (store->job != NULL);
}

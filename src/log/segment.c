/* Segment files, in Kafka's format: <topic>-<partition>/<base offset, 20 digits>.log with an offset index and a time index
 * beside it. An entry of .index: (last offset of a batch − base) i32, position of that batch i32; of .timeindex: largest timestamp
 * so far i64, (last offset of the batch that has it − base) i32; all big endian.
 *
 * The valid length and the number of index entries come from the catalogue and the journal, never from the files: a file is
 * allocated ahead, so it ends in zeros while it is written to, and for some seconds longer. Index files are hints: a reader checks what it finds where they
 * point, and scans when it is not a batch; so they need no sync of their own before the tail moves.
 *
 * Handles are kept open, up to OPEN_FILES_MAX idle ones; a lease (segment_file_take) keeps one open however long it is read. */
#include <errno.h>
#include <stdio.h>

#include "log/log_private.h"

struct segment *segment_new(struct log *log, const struct segment_state *state)
{
    struct segment *s = mem_new(sizeof *s);
    s->log = log;
    s->state = *state;
    s->spilled = state->length;
    s->aborted_before = state->next_offset;
    s->refs = 1;
    s->file = -1;
    list_init(&s->file_link);
    return s;
}

/* With files_lock held. */
static void close_handle(struct segment *s)
{
    if (s->file < 0)
        return;
    list_remove(&s->file_link);
    os_close(s->file);
    s->file = -1;
    s->log->store->open_count--;
}

void segment_unref(struct segment *s)
{
    if (s == NULL)
        return;
    struct store *store = s->log->store;
    lock_take(store->files_lock);
    CHECK(s->refs > 0);
    bool last = --s->refs == 0;
    if (last)
        close_handle(s);
    lock_release(store->files_lock);
    if (!last)
        return;
    mem_free(s->index);
    mem_free(s->times);
    mem_free(s->aborted);
    mem_free(s);
}

void segment_ref(struct segment *s)
{
    lock_take(s->log->store->files_lock);
    s->refs++;
    lock_release(s->log->store->files_lock);
}

void segment_path(const struct segment *s, const char *suffix, char *out, size_t size)
{
    int n = snprintf(out, size, "%s/%020lld%s", s->log->folder, (long long)s->state.base, suffix);
    CHECK(n > 0 && (size_t)n < size);
}

/* With files_lock held. */
static void use_handle(struct segment *s, int *file)
{
    s->file_users++;
    s->refs++;
    list_remove(&s->file_link);
    *file = s->file;
}

bool segment_file_take_open(struct segment *s, int *file)
{
    struct store *store = s->log->store;
    lock_take(store->files_lock);
    bool is_open = s->file >= 0;
    if (is_open)
        use_handle(s, file);
    lock_release(store->files_lock);
    return is_open;
}

bool segment_file_take(struct segment *s, int *file, struct err *err)
{
    struct store *store = s->log->store;
    bool done = true;
    lock_take(store->files_lock);
    if (s->file < 0 && s->doomed) {
        done = err_set_errno(err, ERR_RETRY, ENOENT, "the segment was deleted");
    } else if (s->file < 0) {
        /* While the journal is replayed a file may be missing because a later frame deletes it. */
        char path[OS_PATH_MAX];
        segment_path(s, ".log", path, sizeof path);
        done = os_open(path, OS_READ | OS_WRITE | (store->is_replaying ? OS_CREATE : 0), &s->file, err);
        if (!done)
            s->file = -1;
        store->open_count += done;
    }
    if (done)
        use_handle(s, file);
    while (store->open_count > OPEN_FILES_MAX && !list_empty(&store->open_files))
        close_handle(CONTAINER_OF(store->open_files.next, struct segment, file_link));
    lock_release(store->files_lock);
    return done;
}

void segment_file_give(struct segment *s)
{
    struct store *store = s->log->store;
    lock_take(store->files_lock);
    CHECK(s->file_users > 0);
    if (--s->file_users == 0) {
        if (s->doomed)
            close_handle(s);
        else
            list_push_back(&store->open_files, &s->file_link);
    }
    lock_release(store->files_lock);
    segment_unref(s);
}

bool segment_is_doomed(struct segment *s)
{
    lock_take(s->log->store->files_lock);
    bool doomed = s->doomed;
    lock_release(s->log->store->files_lock);
    return doomed;
}

/* ---- the segments of a log ------------------------------------------------------------------------------------------------ */

void log_add_segment(struct log *log, struct segment *s)
{
    CHECK(log->segment_count == 0 || log->segments[log->segment_count - 1]->state.base < s->state.base);
    log->segments = mem_grow(log->segments, &log->segment_capacity, log->segment_count + 1,
                             sizeof(struct segment *));
    log->segments[log->segment_count++] = s;
}

size_t segment_of(const struct log *log, int64_t offset)
{
    size_t low = 0, high = log->segment_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (log->segments[middle]->state.base <= offset)
            low = middle + 1;
        else
            high = middle;
    }
    return low - 1;
}

bool segment_prepare(struct log *log, int64_t base, struct segment **segment, struct err *err)
{
    struct store *store = log->store;
    if (!log->folder_made) {
        struct err why;
        if (!os_mkdir(log->folder, &why) && why.code != EEXIST) {
            *err = why;
            return false;
        }
        store->topics_folder_unsynced = true;
        log->folder_made = true;
    }
    struct segment *s = segment_new(log, &(struct segment_state){.base = base,
                                                                 .next_offset = base,
                                                                 .max_timestamp = -1,
                                                                 .last_time_entry = -1,
                                                                 .max_timestamp_offset = base,
                                                                 .created_ms = os_wall().us / US_PER_MS});
    char path[OS_PATH_MAX];
    int file;
    segment_path(s, ".log", path, sizeof path);
    if (!os_open(path, OS_READ | OS_WRITE | OS_CREATE | OS_TRUNCATE, &file, err)) {
        segment_unref(s);
        return false;
    }
    log->folder_unsynced = true;
    lock_take(store->files_lock);
    s->file = file;
    store->open_count++;
    list_push_back(&store->open_files, &s->file_link);
    lock_release(store->files_lock);
    *segment = s;
    return true;
}

/* Enough for a margin, which is left for internal frames? */
bool store_leaves_margin(struct store *store, uint64_t more, struct err *err)
{
    uint64_t left, coming = store->growing ? store->journal.file_data + JF_BLOCK : 0;
    TRY(os_disk_free(store->folder, &left, err));
    if (left >= more + coming + store->disk_margin)
        return true;
    return err_set_errno(err, ERR_RETRY, ENOSPC,
                         "could not reserve %llu bytes: only %llu MiB are free on the disk of \"%s\"",
                         (unsigned long long)more, (unsigned long long)(left >> 20), store->folder);
}

/* Built-in logs must go on when the disk is full: their space is reserved well ahead, while there is some. */
static void allocate_ahead(struct segment *s, uint64_t length)
{
    int file;
    uint64_t step = s->log->store->kv_ahead;
    if (s->allocated >= length + step / 2 || !segment_file_take(s, &file, NULL))
        return;
    if (os_allocate(file, s->allocated, step, NULL))
        s->allocated += step;
    segment_file_give(s);
}

bool segment_allocate(struct segment *s, uint64_t length, bool internal, struct err *err)
{
    bool builtin = s->log->id < LOG_FIRST_FREE;
    if (builtin && !store_faults.no_allocation)
        allocate_ahead(s, length);
    if (length <= s->allocated || store_faults.no_allocation)
        return true;
    uint64_t step = s->allocated < ALLOCATE_FIRST ? ALLOCATE_FIRST : s->allocated;
    if (step > ALLOCATE_STEP_MAX)
        step = ALLOCATE_STEP_MAX;
    uint64_t wanted = s->allocated + step;
    if (!builtin && wanted > (uint64_t)s->log->topic->info->config.segment_bytes)
        wanted = (uint64_t)s->log->topic->info->config.segment_bytes;
    if (wanted < length)
        wanted = length;
    if (!store_leaves_margin(s->log->store, wanted - s->allocated, NULL)) {
        wanted = length; /* no step ahead: recovery's would take the margin that deletions need */
        TRY(internal || store_leaves_margin(s->log->store, wanted - s->allocated, err));
    }
    int file;
    TRY(segment_file_take(s, &file, err));
    bool done = os_allocate(file, s->allocated, wanted - s->allocated, err);
    if (!done && err->code == ENOSPC && wanted > length)
        done = os_allocate(file, s->allocated, (wanted = length) - s->allocated, err);
    segment_file_give(s);
    if (done)
        s->allocated = wanted;
    return done;
}

static void segment_trim_aborted(struct segment *s)
{
    char path[OS_PATH_MAX];
    if (s->aborted_allocated == 0 && s->state.aborted_count == 0)
        return;
    segment_path(s, ".txnindex", path, sizeof path);
    int file;
    if (!os_open(path, OS_READ | OS_WRITE, &file, NULL))
        return;
    if (os_truncate(file, (uint64_t)s->state.aborted_count * ABORTED_BYTES, NULL))
        s->aborted_allocated = s->state.aborted_count * ABORTED_BYTES;
    os_close(file);
}

void segment_trim(struct segment *s)
{
    int file;
    if (!segment_file_take(s, &file, NULL))
        return;
    if (os_truncate(file, s->state.length, NULL))
        s->allocated = s->state.length;
    segment_file_give(s);
    segment_trim_aborted(s);
}

void segment_close_file(struct segment *s)
{
    struct store *store = s->log->store;
    lock_take(store->files_lock);
    s->doomed = true;
    if (s->file_users == 0)
        close_handle(s);
    lock_release(store->files_lock);
}

void segment_delete(struct segment *s)
{
    static const char *const suffixes[] = {".log", ".index", ".timeindex", ".txnindex"};
    char path[OS_PATH_MAX];
    for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++) {
        segment_path(s, suffixes[i], path, sizeof path);
        os_unlink(path, NULL); /* what cannot be unlinked is no harm: nothing refers to it */
    }
    segment_close_file(s);
    s->gone = true;
    segment_unref(s);
}

/* ---- indexes ------------------------------------------------------------------------------------------------------------------ */

static void add_time_entry(struct segment *s)
{
    if (s->state.max_timestamp <= s->state.last_time_entry)
        return;
    s->times = mem_grow(s->times, &s->times_capacity, s->times_n + 1, sizeof *s->times);
    s->times[s->times_n++] = (struct time_entry){
        .timestamp = s->state.max_timestamp,
        .relative = (uint32_t)(s->state.max_timestamp_offset - s->state.base)};
    s->state.last_time_entry = s->state.max_timestamp;
}

void segment_index(struct segment *s, const struct records_batch *batch, uint32_t position)
{
    int64_t last = batch->base_offset + batch->last_offset_delta;
    if (batch->max_timestamp_ms > s->state.max_timestamp) {
        s->state.max_timestamp = batch->max_timestamp_ms;
        s->state.max_timestamp_offset = last;
    }
    if (s->state.since_index > INDEX_INTERVAL) {
        s->index = mem_grow(s->index, &s->index_capacity, s->index_n + 1, sizeof *s->index);
        s->index[s->index_n++] = (struct index_entry){.relative = (uint32_t)(last - s->state.base),
                                                      .position = position};
        add_time_entry(s);
        s->state.since_index = 0;
    }
    s->state.since_index += batch->size;
}

void segment_close(struct segment *s)
{
    add_time_entry(s);
    s->closed = true;
    s->changed = s->unsynced = true; /* the next job settles it, though all of its bytes may be in its file */
}

/* Entry i of an index file; false when it cannot be read. */
static bool file_entry(int file, uint32_t i, size_t size, uint8_t *p)
{
    size_t got;
    return os_pread(file, p, size, (uint64_t)i * size, &got, NULL) && got == size;
}

bool segment_seek(const struct segment *s, int64_t offset, uint32_t within, struct index_entry *found)
{
    int64_t relative = offset - s->state.base;
    size_t n = s->index_n;
    while (n > 0 && (s->index[n - 1].relative > relative || s->index[n - 1].position > within))
        n--;
    *found = n > 0 ? s->index[n - 1] : (struct index_entry){0};
    return n > 0 || offset <= s->state.base || s->state.index_count == 0;
}

struct index_entry segment_seek_file(const struct segment *s, int64_t offset, uint32_t within, uint32_t count)
{
    int64_t relative = offset - s->state.base;
    struct index_entry found = {0};
    char path[OS_PATH_MAX];
    int file;
    segment_path(s, ".index", path, sizeof path);
    if (!os_open(path, OS_READ, &file, NULL))
        return found;
    uint32_t low = 0, high = count;
    while (low < high) {
        uint8_t p[8];
        uint32_t middle = low + (high - low) / 2;
        if (!file_entry(file, middle, sizeof p, p))
            break;
        if (get_be32(p) <= relative && get_be32(p + 4) <= within) {
            found = (struct index_entry){.relative = get_be32(p), .position = get_be32(p + 4)};
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    os_close(file);
    return found;
}

bool segment_seek_time(const struct segment *s, int64_t timestamp, int64_t *offset)
{
    size_t i = s->times_n;
    while (i > 0 && s->times[i - 1].timestamp >= timestamp)
        i--;
    *offset = s->state.base + (i > 0 ? s->times[i - 1].relative : 0);
    return i > 0 || s->state.time_count == 0;
}

int64_t segment_seek_time_file(const struct segment *s, int64_t timestamp, uint32_t count)
{
    int64_t relative = 0;
    char path[OS_PATH_MAX];
    int file;
    segment_path(s, ".timeindex", path, sizeof path);
    if (!os_open(path, OS_READ, &file, NULL))
        return s->state.base;
    uint32_t low = 0, high = count;
    while (low < high) {
        uint8_t p[12];
        uint32_t middle = low + (high - low) / 2;
        if (!file_entry(file, middle, sizeof p, p))
            break;
        if ((int64_t)get_be64(p) < timestamp) {
            relative = (int32_t)get_be32(p + 8);
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    os_close(file);
    return s->state.base + relative;
}

/* Aborted transactions: for each segment those whose marker is in it, in the order of their markers; Kafka's .txnindex file beside the segment.
 * An entry, big endian: version i16 = 0, producer id i64, first offset i64, last offset i64 (the marker's), last stable offset i64.
 *
 * Unlike the other indexes this one is no hint: a reader of what was committed has nothing else that tells it what was not. So its space is
 * reserved before a marker is accepted, it is synced before the tail moves, and how many entries are valid stands in the catalogue. What is
 * not in the file yet comes from the journal again. The newest entries stay in memory, where readers of the tail find them.
 *
 * Which of them a reader of [from, to) needs: those that end at or after from and begin before to. They are in the segments from the one
 * that holds `from` on; an entry behind which the last stable offset is at or after `to` is the last one that can be meant. */
#include <stdlib.h>

#include "log/log_private.h"

enum { RESERVE_STEP = 4096, READ_ENTRIES = 1024 };

void aborted_put(uint8_t p[ABORTED_BYTES], const struct aborted *aborted)
{
    put_be16(p, 0);
    put_be64(p + 2, (uint64_t)aborted->producer_id);
    put_be64(p + 10, (uint64_t)aborted->first);
    put_be64(p + 18, (uint64_t)aborted->last);
    put_be64(p + 26, (uint64_t)aborted->stable);
}

/* False: that is none. */
static bool get(const uint8_t p[ABORTED_BYTES], struct aborted *aborted)
{
    *aborted = (struct aborted){.producer_id = (int64_t)get_be64(p + 2),
                                .first = (int64_t)get_be64(p + 10),
                                .last = (int64_t)get_be64(p + 18),
                                .stable = (int64_t)get_be64(p + 26)};
    return get_be16(p) == 0 && aborted->first >= 0 && aborted->first < aborted->last;
}

/* ---- one segment's ------------------------------------------------------------------------------------------------------ */

uint32_t segment_aborted_count(const struct segment *s)
{
    return s->state.aborted_count + (uint32_t)s->aborted_new;
}

void segment_add_aborted(struct segment *s, const struct aborted *aborted)
{
    CHECK(s->aborted_n == 0 || s->aborted[s->aborted_n - 1].last < aborted->last);
    s->aborted = mem_grow(s->aborted, &s->aborted_capacity, s->aborted_n + 1, sizeof *s->aborted);
    s->aborted[s->aborted_n++] = *aborted;
    s->aborted_new++;
}

bool segment_reserve_aborted(struct segment *s, bool internal, struct err *err)
{
    if (s->aborted_reserved == 0)
        s->aborted_reserved = segment_aborted_count(s);
    uint32_t wanted = (s->aborted_reserved + 1) * ABORTED_BYTES;
    if (wanted > s->aborted_allocated && !store_faults.no_allocation) {
        char path[OS_PATH_MAX];
        int file;
        segment_path(s, ".txnindex", path, sizeof path);
        uint32_t step = wanted - s->aborted_allocated < RESERVE_STEP ? RESERVE_STEP
                                                                     : wanted - s->aborted_allocated;
        TRY(internal || store_leaves_margin(s->log->store, step, err));
        TRY(os_open(path, OS_READ | OS_WRITE | OS_CREATE, &file, err));
        bool done = os_allocate(file, s->aborted_allocated, step, err);
        os_close(file);
        TRY(done);
        s->aborted_allocated += step;
        s->log->folder_unsynced = true;
    }
    s->aborted_reserved++;
    return true;
}

static bool unreadable(const char *path, uint32_t i, struct err *err)
{
    err_set(err, ERR_FATAL, "\"%.300s\" is damaged at entry %u", path, i);
    return err_hint(err, "Restore the file from a copy, or read without isolation level read_committed.");
}

/* The first of entries [0, to) whose transaction ends at or after the offset. */
static bool search_in(int file, const char *path, uint32_t to, int64_t offset, uint32_t *found,
                      struct err *err)
{
    uint32_t low = 0, high = to;
    while (low < high) {
        uint8_t p[ABORTED_BYTES];
        size_t got;
        struct aborted aborted;
        uint32_t middle = low + (high - low) / 2;
        TRY(os_pread(file, p, sizeof p, (uint64_t)middle * ABORTED_BYTES, &got, err));
        if (got < sizeof p || !get(p, &aborted))
            return unreadable(path, middle, err);
        if (aborted.last < offset)
            low = middle + 1;
        else
            high = middle;
    }
    *found = low;
    return true;
}

/* Entries [from, to). */
static bool read_entries(int file, const char *path, uint32_t from, uint32_t to, struct aborted *aborted,
                         struct err *err)
{
    size_t n = (size_t)(to - from) * ABORTED_BYTES, got;
    uint8_t *bytes = mem_new(n);
    bool done = os_pread(file, bytes, n, (uint64_t)from * ABORTED_BYTES, &got, err);
    for (uint32_t i = from; done && i < to; i++) {
        size_t at = (size_t)(i - from) * ABORTED_BYTES;
        if (at + ABORTED_BYTES > got || !get(bytes + at, &aborted[i - from]))
            done = unreadable(path, i, err);
    }
    mem_free(bytes);
    return done;
}

bool segment_read_aborted(const struct segment *s, uint32_t from, uint32_t to, struct aborted *aborted,
                          struct err *err)
{
    char path[OS_PATH_MAX];
    int file;
    segment_path(s, ".txnindex", path, sizeof path);
    TRY(os_open(path, OS_READ, &file, err));
    bool done = read_entries(file, path, from, to, aborted, err);
    os_close(file);
    return done;
}

/* ---- of a range ----------------------------------------------------------------------------------------------------------- */

struct search {
    int64_t from, to;
    struct aborted *found;
    size_t count, capacity;
    bool over; /* nothing behind the last one looked at can be meant */
};

static void look_at(struct search *search, const struct aborted *aborted)
{
    if (aborted->last >= search->from && aborted->first < search->to) {
        search->found = mem_grow(search->found, &search->capacity, search->count + 1, sizeof *search->found);
        search->found[search->count++] = *aborted;
    }
    search->over = search->over || aborted->stable >= search->to;
}

/* Entries [0, to) of its file. */
static bool search_file(struct search *search, const struct segment *s, uint32_t to, struct err *err)
{
    char path[OS_PATH_MAX];
    int file;
    uint32_t at = 0;
    struct aborted *entries = mem_new_array(struct aborted, READ_ENTRIES);
    bool done = false;
    segment_path(s, ".txnindex", path, sizeof path);
    if (!os_open(path, OS_READ, &file, err)) {
        mem_free(entries);
        return false;
    }
    TRY_OUT(search_in(file, path, to, search->from, &at, err));
    while (at < to && !search->over) {
        uint32_t n = to - at < READ_ENTRIES ? to - at : READ_ENTRIES;
        TRY_OUT(read_entries(file, path, at, at + n, entries, err));
        for (uint32_t i = 0; i < n && !search->over; i++)
            look_at(search, &entries[i]);
        at += n;
    }
    done = true;
out:
    os_close(file);
    mem_free(entries);
    return done;
}

/* Those in memory; *in_file: how many entries of its file have to be looked at. With the log's lock. */
static void search_memory(struct search *search, const struct segment *s, uint32_t *in_file)
{
    *in_file = segment_aborted_count(s) - (uint32_t)s->aborted_n;
    if (s->aborted_before <= search->from)
        *in_file = 0;
    for (size_t i = 0; i < s->aborted_n && !search->over; i++)
        look_at(search, &s->aborted[i]);
}

/* With the log's lock, which it lets go while it reads. */
static bool search_log(struct log *log, struct search *search, bool cached, bool *cold, struct err *err)
{
    int64_t base = -1;
    size_t first = segment_of(log, search->from);
    if (first != SIZE_MAX)
        base = log->segments[first]->state.base - 1;
    while (!search->over) {
        size_t i = segment_of(log, base) + 1;
        if (i >= log->segment_count)
            return true;
        struct segment *s = log->segments[i];
        uint32_t in_file;
        base = s->state.base;
        search_memory(search, s, &in_file);
        if (in_file == 0)
            continue;
        *cold = cached;
        if (cached)
            return true;
        segment_ref(s);
        lock_release(log->lock);
        bool over = search->over;
        search->over = false;
        bool done = search_file(search, s, in_file, err);
        search->over = search->over || over;
        segment_unref(s);
        lock_take(log->lock);
        TRY(done);
    }
    return true;
}

static int by_first(const void *a, const void *b)
{
    const struct aborted *x = a, *y = b;
    return (x->first > y->first) - (x->first < y->first);
}

bool log_find_aborted(struct log *log, int64_t from, int64_t to, bool cached, struct aborted **aborted,
                      size_t *count, bool *cold, struct err *err)
{
    struct search search = {.from = from, .to = to};
    bool done;
    unsigned swaps;
    *aborted = NULL;
    *count = 0;
    *cold = false;
    if (!log->has_aborted || from >= to)
        return true;
    do { /* a file that compaction replaced meanwhile says nothing of what was read before */
        search.count = 0;
        search.over = false;
        swaps = log->swaps;
        done = search_log(log, &search, cached, cold, err);
    } while (swaps != log->swaps);
    if (!done || *cold) {
        mem_free(search.found);
        return done;
    }
    if (search.count > 0)
        qsort(search.found, search.count, sizeof *search.found, by_first);
    *aborted = search.found;
    *count = search.count;
    return true;
}

bool log_give_aborted(struct log *log, int64_t from, int64_t to, bool cached, struct arena *arena,
                      struct records_aborted **given, size_t *count, bool *cold, struct err *err)
{
    struct aborted *found;
    *given = NULL;
    TRY(log_find_aborted(log, from, to, cached, &found, count, cold, err));
    if (*count > 0)
        *given = arena_array(arena, struct records_aborted, *count);
    for (size_t i = 0; i < *count; i++)
        (*given)[i] = (struct records_aborted){.producer_id = found[i].producer_id,
                                               .first_offset = found[i].first};
    mem_free(found);
    return true;
}

bool log_aborted(struct log *log, int64_t from, int64_t to, struct arena *arena,
                 struct records_aborted **aborted, size_t *count, struct err *err)
{
    bool cold;
    lock_take(log->lock);
    bool done = log_give_aborted(log, from, to, false, arena, aborted, count, &cold, err);
    lock_release(log->lock);
    return done;
}

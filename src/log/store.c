/* The store: opening, closing, and the small questions.
 *
 * Opening: the lock, the version, the journal's newest root, the catalogue as of its tail, the frames from there on; then an opening frame begins
 * a new incarnation, so that nothing that lies beyond the end can ever count. What recovery reads is bounded by the ring's target
 * (behind.c), not by the data. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "log/log_private.h"

struct store_faults store_faults;

enum { VERSION_BYTES_MAX = 4096, VERSION_TEXT_MAX = 64, LOCK_BYTES_MAX = 64 };

void store_log(struct store *store, enum store_event event, const char *format, ...)
{
    char text[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (store->options.log_event != NULL)
        store->options.log_event(store->options.log_arg, event, text);
}

_Noreturn static void die(struct store *store, const char *why, const char *then, const char *hint)
{
    fprintf(stderr, "sluice: %s; %s%s%s\n", why, then, hint[0] ? ": " : "", hint);
    fflush(stderr);
    store_log(store, STORE_TROUBLE, "%s", why);
    os_exit(STORE_EXIT);
}

_Noreturn void store_die(struct store *store, const struct err *err)
{
    die(store, err->text, "what was acknowledged is safe, start again", err->hint);
}

void store_check_folder(struct store *store)
{
    struct os_stat now;
    char why[OS_PATH_MAX + 80];
    if (os_stat(store->folder, &now, NULL) && now.inode == store->folder_stat.inode &&
        now.device == store->folder_stat.device)
        return;
    snprintf(why, sizeof why, "the data folder \"%s\" was deleted, moved or replaced while it was in use",
             store->folder);
    die(store, why, "if it was moved, put it back and start again",
        "What was acknowledged is in it. If it was deleted, a start begins anew and refuses tables that hold its rows.");
}

/* ---- the folder -------------------------------------------------------------------------------------------------------------- */

static void path_in(const struct store *store, const char *name, char *out, size_t size)
{
    snprintf(out, size, "%s/%s", store->folder, name);
}

static bool take_lock(struct store *store, struct err *err)
{
    char path[OS_PATH_MAX], pid[LOCK_BYTES_MAX + 1] = "";
    size_t got = 0;
    struct err why;
    path_in(store, "lock", path, sizeof path);
    TRY(os_open(path, OS_READ | OS_WRITE | OS_CREATE, &store->lock_file, err));
    if (!os_lock(store->lock_file, &why)) {
        os_pread(store->lock_file, pid, LOCK_BYTES_MAX, 0, &got, NULL);
        pid[got] = '\0';
        pid[strcspn(pid, " \n")] = '\0';
        err_set(err, ERR_FATAL, "the data folder \"%s\" is in use by the process %s", store->folder,
                pid[0] ? pid : "unknown");
        return err_hint(err, "Stop that process first, or give this one another data folder.");
    }
    int n = snprintf(pid, sizeof pid, "%-10d\n", os_pid());
    TRY(os_pwrite(store->lock_file, pid, (size_t)n, 0, err));
    return os_fstat(store->lock_file, &store->folder_stat, err) &&
           os_stat(store->folder, &store->folder_stat, err);
}

static int version_text(char out[VERSION_TEXT_MAX], unsigned version, unsigned long long number)
{
    return snprintf(out, VERSION_TEXT_MAX, "%u\n%016llx\n", version, number);
}

static bool write_version(struct store *store, struct err *err)
{
    char path[OS_PATH_MAX], text[VERSION_TEXT_MAX];
    path_in(store, "VERSION", path, sizeof path);
    int n = version_text(text, STORE_FORMAT, store->journal.store);
    return os_write_file(path, text, (size_t)n, err);
}

/* *found: there is a store. Its number is set. */
static bool read_version(struct store *store, uint64_t *number, bool *found, struct err *err)
{
    char path[OS_PATH_MAX], whole[VERSION_TEXT_MAX];
    struct sbuf text = {0};
    path_in(store, "VERSION", path, sizeof path);
    *found = os_exists(path);
    if (!*found)
        return true;
    bool done = false;
    unsigned version = 0;
    unsigned long long id = 0;
    TRY_OUT(os_read_file(path, VERSION_BYTES_MAX, &text, err));
    sbuf_char(&text, '\0');
    int fields = sscanf(text.p, "%u %llx", &version, &id);
    version_text(whole, version, id);
    if (fields < 1 || (version <= STORE_FORMAT && strcmp(text.p, whole) != 0)) {
        err_set(err, ERR_FATAL, "\"%s\" does not hold a version", path);
        err_hint(err, "Restore the data folder from a copy.");
        goto out;
    }
    if (version > STORE_FORMAT) {
        err_set(err, ERR_FATAL, "the data folder \"%s\" has format %u; this program knows formats up to %d",
                store->folder, version, STORE_FORMAT);
        err_hint(err, "Use the newer version of the program that wrote it.");
        goto out;
    }
    *number = id;
    done = true;
out:
    sbuf_fini(&text);
    return done;
}

/* A start that a crash interrupted leaves a journal without VERSION: nothing was acknowledged, so it goes. Topics are another matter. */
static bool clear_half_made(struct store *store, struct err *err)
{
    char path[OS_PATH_MAX];
    struct arena arena = {0};
    char **names;
    size_t count = 0;
    bool done = !os_exists(store->topics_folder) ||
                os_list(store->topics_folder, &arena, &names, &count, err);
    for (size_t i = 0; done && i < count; i++)
        if (strcmp(names[i], "__catalog-0") != 0 && strcmp(names[i], "__positions-0") != 0) {
            done = err_set(err, ERR_FATAL, "the data folder \"%s\" has topics, but its file VERSION is gone",
                           store->folder);
            err_hint(err, "Restore the data folder from a copy, or move it away to begin anew.");
        }
    arena_fini(&arena);
    path_in(store, "journal", path, sizeof path);
    return done && os_remove_tree(path, err) && os_remove_tree(store->topics_folder, err);
}

/* Folders of deleted topics that a crash left. */
static void remove_leftovers(struct store *store)
{
    struct arena arena = {0};
    char **names;
    size_t count = 0;
    if (os_list(store->topics_folder, &arena, &names, &count, NULL))
        for (size_t i = 0; i < count; i++)
            if (str_ends(str_of(names[i]), STR("-delete"))) {
                char path[OS_PATH_MAX];
                snprintf(path, sizeof path, "%s/%s", store->topics_folder, names[i]);
                os_remove_tree(path, NULL);
            }
    arena_fini(&arena);
}

/* ---- opening ------------------------------------------------------------------------------------------------------------------- */

static uint64_t or_default(uint64_t value, uint64_t otherwise)
{
    return value ? value : otherwise;
}

/* Sizes that fit to the disk and to each other. */
static bool choose_sizes(struct store *store, struct err *err)
{
    struct store_options *o = &store->options;
    uint64_t left;
    TRY(os_disk_free(store->folder, &left, err));
    uint64_t ring = UINT64_C(1) << 30;
    if (ring > left / 16)
        ring = left / 16;
    o->ring_file_bytes = or_default(o->ring_file_bytes, 16 << 20) & ~(uint64_t)(JF_BLOCK - 1);
    if (o->ring_file_bytes < RING_FILE_BYTES_MIN)
        o->ring_file_bytes = RING_FILE_BYTES_MIN;
    o->ring_bytes = or_default(o->ring_bytes, ring);
    if (o->ring_bytes < 2 * o->ring_file_bytes)
        o->ring_bytes = 2 * o->ring_file_bytes;
    o->tail_bytes = or_default(o->tail_bytes, 64 << 20);
    o->flight_bytes = or_default(o->flight_bytes, FLIGHT_BYTES);
    if (o->producer_ms == 0)
        o->producer_ms = INT64_C(24) * 3600 * 1000;
    o->reserve_bytes = or_default(o->reserve_bytes, o->ring_bytes / 8);
    if (o->reserve_bytes > o->ring_file_bytes / 2)
        o->reserve_bytes = o->ring_file_bytes / 2;
    if (o->reserve_bytes < RESERVE_BYTES_MIN)
        o->reserve_bytes = RESERVE_BYTES_MIN;
    store->chunk_bytes = (size_t)jf_block_up(o->tail_bytes / 16);
    if (store->chunk_bytes > CHUNK_BYTES_MAX)
        store->chunk_bytes = CHUNK_BYTES_MAX;
    if (store->chunk_bytes < CHUNK_BYTES_MIN)
        store->chunk_bytes = CHUNK_BYTES_MIN;
    store->disk_margin = DISK_MARGIN_BYTES;
    if (store->disk_margin > o->ring_bytes / 4)
        store->disk_margin = o->ring_bytes / 4;
    store->kv_ahead = store->disk_margin / 4 > KV_ALLOCATE ? KV_ALLOCATE : store->disk_margin / 4;
    return true;
}

static void opened(struct store *store, const struct jf_place *tail) UNSHARED
{
    struct frame_full *frame = frame_internal(store);
    frame->is_opening = true;
    if (tail != NULL) { /* of a new store: the first root */
        catalog_root(store, tail, &store->root);
        frame->root = &store->root;
        frame->root_tail = tail->position;
    }
    store_queue(store, frame);
    store_work_until(store, frame);
    if (!frame->f.durable)
        store_die(store, &frame->f.err);
    frame_free(&frame->f);
}

static bool create(struct store *store, const char *journal_folder, struct err *err) UNSHARED
{
    uint64_t number;
    TRY(clear_half_made(store, err));
    os_random(&number, sizeof number);
    TRY(os_mkdirs(store->topics_folder, err));
    journal_init(&store->journal, journal_folder, number, store->options.ring_file_bytes,
                 store->options.ring_bytes, store->options.flush == STORE_FLUSH_OS);
    TRY(journal_create(&store->journal, err));
    store->is_open = true;
    opened(store, &(struct jf_place){.lsn = JF_LSN_FIRST, .group_end = true});
    return write_version(store, err);
}

/* Recovery goes on, as it has to after a crash, but a damaged end looks the same. */
static void say_torn(struct store *store) UNSHARED
{
    const struct journal *j = &store->journal;
    char where[512];
    if (j->torn == 0)
        return;
    journal_describe(j, j->torn - 1, where, sizeof where);
    store_log(
        store, STORE_TROUBLE,
        "the journal's last frame, %llu, is not whole (%s): a crash cut it short, or it was damaged since; all before it is there, and what it alone held is not",
        (unsigned long long)j->next_lsn, where);
}

static bool recover(struct store *store, const char *journal_folder, uint64_t number,
                    struct err *err) UNSHARED
{
    struct journal *j = &store->journal;
    struct jf_header root;
    uint8_t *frame = NULL;
    struct jf_place from;
    bool lazy = store->options.flush == STORE_FLUSH_OS;
    journal_init(j, journal_folder, number, store->options.ring_file_bytes, store->options.ring_bytes, lazy);
    /* what a killed life made in it may be in the page cache alone */
    TRY(os_sync_folder(store->folder, err));
    TRY(journal_load(j, err));
    TRY(journal_find_root(j, &root, &frame, err));
    store->is_replaying = true;
    store->topics_folder_unsynced = true; /* the same, but there is time until the tail moves */
    bool done = catalog_load(store, &root, frame, &from, err) &&
                journal_replay(j, &from, store->options.accept_damage, store_replay_frame, store, err);
    mem_free(frame);
    TRY(done);
    store_sync_ends(store); /* the replay synced what it read, and perhaps nothing follows that would be */
    store->is_replaying = false;
    TRY(catalog_check_lost(store, err));
    store->is_open = true;
    say_torn(store);
    j->incarnation++;
    if (lazy && !store_faults.same_epoch)
        j->epoch++;
    opened(store, NULL);
    return true;
}

static void init(struct store *store)
{
    struct store_options *o = &store->options;
    store->lock = lock_new();
    store->files_lock = lock_new();
    list_init(&store->open_files);
    list_init(&store->room_waits);
    list_init(&store->queue);
    list_init(&store->internal_queue);
    list_init(&store->chunks);
    list_init(&store->dirty);
    list_init(&store->unsynced_ends);
    store->chunk_pool = buf_pool_new(store->chunk_bytes, (size_t)(o->tail_bytes / store->chunk_bytes) + 2);
    store->read_pool = buf_pool_new(READ_POOL_BYTES, READ_POOL_KEEP);
    catalog_builtin(store);
}

static void fini(void *arg) UNSHARED
{
    struct store *store = arg;
    if (store->chunk_pool != NULL) {
        compact_fini(store);
        catalog_free(store);
        tail_fini(store);
        journal_fini(&store->journal);
        buf_pool_close(store->chunk_pool);
        buf_pool_close(store->read_pool);
        sbuf_fini(&store->root);
        sbuf_fini(&store->kv_key);
        sbuf_fini(&store->forgotten);
        lock_free(store->lock);
        lock_free(store->files_lock);
    }
    os_close(store->lock_file);
}

static void start_background(struct store *store);

bool store_open(struct pool *parent, const char *folder, const struct store_options *options,
                struct loop *disk, struct store **opened_store, struct err *err) UNSHARED
{
    struct pool *pool = pool_new(parent, "store");
    struct store *store = pool_alloc(pool, sizeof *store);
    *store = (struct store){
        .pool = pool, .options = *options, .disk = disk, .lock_file = -1, .in_place = true};
    store->folder = pool_strdup(pool, os_absolute(pool_arena(pool), folder));
    store->topics_folder = pool_printf(pool, "%s/topics", store->folder);
    char *journal_folder = pool_printf(pool, "%s/journal", store->folder);
    pool_on_free(pool, fini, store);
    uint64_t number = 0;
    bool found, done = false;
    TRY_OUT(os_mkdirs(store->folder, err));
    TRY_OUT(take_lock(store, err));
    TRY_OUT(read_version(store, &number, &found, err));
    TRY_OUT(choose_sizes(store, err));
    init(store);
    if (!options->read_only_attach)
        remove_leftovers(store);
    if (found)
        TRY_OUT(recover(store, journal_folder, number, err));
    else
        TRY_OUT(create(store, journal_folder, err));
    counter_set(&store->epoch, store->journal.epoch);
    store->in_place = false;
    if (disk != NULL && !options->read_only_attach)
        TRY_OUT(behind_start(store, err) && commit_start(store, err));
    start_background(store);
    *opened_store = store;
    done = true;
out:
    if (!done)
        pool_free(pool);
    return done || err_context(err, "opening the data folder \"%s\"", folder);
}

/* ---- background ------------------------------------------------------------------------------------------------------------------- */

static bool disk_step(struct task *task) ON(disk)
{
    return store_work(CONTAINER_OF(task, struct store, task));
}

static void confirm_fire(struct timer *timer)
{
    struct store *store = CONTAINER_OF(timer, struct store, confirm_timer);
    if (!list_empty(&store->queue) || !list_empty(&store->internal_queue))
        return;
    struct frame_full *frame = frame_internal(store);
    frame->f.done = frame_free;
    store_queue(store, frame);
}

static void sync_fire(struct timer *timer) ON(disk)
{
    struct store *store = CONTAINER_OF(timer, struct store, sync_timer);
    struct err err;
    if (!journal_sync(&store->journal, &err))
        store_die(store, &err);
    store_sync_ends(store);
}

static void wake_room(struct store *store)
{
    lock_take(store->lock);
    while (!list_empty(&store->room_waits))
        waker_wake(CONTAINER_OF(list_pop_front(&store->room_waits), struct log_wait, link)->waker);
    lock_release(store->lock);
}

static void room_fire(struct timer *timer)
{
    struct store *store = CONTAINER_OF(timer, struct store, room_timer);
    store->journal.grow_refused = false;
    store->root_refused = store->kv_paused = false;
    counter_set(&store->pausing, 0);
    if (counter_get(&store->full_said) && !store->refused_since) { /* a whole period */
        counter_set(&store->full_said, 0);
        store_log(store, STORE_DISK_ROOM, "there is room again on the disk of \"%s\"", store->folder);
    }
    if (counter_get(&store->full_said))
        timer_set_in(timer, ROOM_RETRY_MS * NS_PER_MS);
    store->refused_since = false;
    wake_room(store);
    store_wake(store);
}

static void tail_fire(struct timer *timer)
{
    struct store *store = CONTAINER_OF(timer, struct store, tail_timer);
    timer_set_in(timer, TAIL_MOVE_MS * NS_PER_MS);
    store_check_folder(store);
    buf_pool_trim(store->chunk_pool);
    buf_pool_trim(store->read_pool);
    store->journal.grow_refused = false;
    if (store->unspilled_bytes > 0) {
        store->tail_wanted = true;
        store_wake(store);
    }
}

static void retention_fire(struct timer *timer) ON(disk)
{
    struct store *store = CONTAINER_OF(timer, struct store, retention_timer);
    timer_set_in(timer, RETENTION_MS * NS_PER_MS);
    retain_work(store);
    retain_trim(store);
    retain_producers(store);
    compact_work(store);
}

static void on_disk(struct msg *msg)
{
    struct store *store = CONTAINER_OF(msg, struct store, start);
    store->task_ready = true;
    struct err err;
    if (!loop_start(store->behind, &err) || !commit_run(store, &err))
        store_die(store, &err);
    timer_set_in(&store->tail_timer, TAIL_MOVE_MS * NS_PER_MS);
    timer_set_in(&store->retention_timer, RETENTION_GRACE_MS * NS_PER_MS);
    store_wake(store);
}

static void start_background(struct store *store)
{
    task_init(&store->task, disk_step);
    timer_init(&store->confirm_timer, confirm_fire);
    timer_init(&store->sync_timer, sync_fire);
    timer_init(&store->room_timer, room_fire);
    timer_init(&store->tail_timer, tail_fire);
    timer_init(&store->retention_timer, retention_fire);
    msg_init(&store->start, on_disk);
    if (store->disk != NULL && !store->options.read_only_attach)
        loop_post(store->disk, &store->start);
}

/* ---- closing ------------------------------------------------------------------------------------------------------------------------ */

/* What this life has written ends where its valid bytes end, so that other programs can read it. */
static void trim_segments(struct store *store)
{
    for (size_t id = 0; id < store->logs_capacity; id++) {
        struct log *log = store->logs[id];
        if (log == NULL)
            continue;
        for (size_t i = 0; i < log->segment_count; i++)
            if (log->segments[i]->allocated > log->segments[i]->state.length ||
                log->segments[i]->aborted_allocated > 0)
                segment_trim(log->segments[i]);
    }
}

bool store_close(struct store *store, struct err *err) UNSHARED
{
    if (store == NULL)
        return true;
    store->in_place = true;
    commit_stop(store, true);
    behind_stop(store);
    if (!store->options.read_only_attach || store->unspilled_bytes > 0)
        behind_finish(store);
    trim_segments(store);
    if (store->journal.lazy && !journal_sync(&store->journal, err))
        return false;
    if (store->task_ready && loop_current() == store->disk) {
        struct timer *timers[] = {&store->confirm_timer, &store->sync_timer, &store->room_timer,
                                  &store->tail_timer, &store->retention_timer};
        for (size_t i = 0; i < sizeof timers / sizeof timers[0]; i++)
            timer_cancel(timers[i]);
        task_cancel(&store->task);
    }
    pool_free(store->pool);
    return true;
}

uint64_t store_id(const struct store *store)
{
    return store->journal.store;
}

void store_id_text(const struct store *store, char out[STORE_ID_TEXT + 1])
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    uint8_t id[16];
    size_t n = 0;
    put_be64(id, store_id(store));
    put_be64(id + 8, hash_bytes(id, 8));
    for (size_t i = 0; i < sizeof id; i += 3) {
        size_t left = sizeof id - i < 3 ? sizeof id - i : 3;
        uint32_t v = (uint32_t)id[i] << 16 | (left > 1 ? (uint32_t)id[i + 1] << 8 : 0) |
                     (left > 2 ? id[i + 2] : 0);
        for (size_t k = 0; k <= left; k++)
            out[n++] = letters[v >> (18 - 6 * k) & 63];
    }
    CHECK(n == STORE_ID_TEXT);
    out[n] = '\0';
}

/* ---- questions ------------------------------------------------------------------------------------------------------------------------ */

bool store_topic(struct store *store, const char *name, struct topic_info *info)
{
    lock_take(store->lock);
    struct topic *topic = map_get(&store->topics, str_of(name));
    if (topic != NULL && info != NULL)
        *info = *topic->info;
    lock_release(store->lock);
    return topic != NULL;
}

bool store_topic_by_id(struct store *store, const uint8_t id[16], struct topic_info *info)
{
    lock_take(store->lock);
    struct topic *topic = map_get(&store->topics_by_id, str_n(id, sizeof info->id));
    if (topic != NULL && info != NULL)
        *info = *topic->info;
    lock_release(store->lock);
    return topic != NULL;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct topic_info *)a)->name, ((const struct topic_info *)b)->name);
}

size_t store_topics(struct store *store, struct arena *arena, struct topic_info **infos)
{
    size_t n = 0;
    lock_take(store->lock);
    *infos = arena_array(arena, struct topic_info, store->topics.count + 1);
    MAP_EACH(entry, &store->topics)
    {
        const struct topic *topic = entry->value;
        (*infos)[n++] = *topic->info;
    }
    lock_release(store->lock);
    qsort(*infos, n, sizeof **infos, by_name);
    return n;
}

struct log *log_get(struct store *store, const char *name, int32_t partition)
{
    struct log *log = NULL;
    lock_take(store->lock);
    struct topic *topic = map_get(&store->topics, str_of(name));
    if (topic != NULL && partition >= 0 && partition < topic->info->partitions)
        log = topic->logs[partition];
    lock_release(store->lock);
    if (log == NULL)
        return NULL;
    lock_take(log->lock);
    log->refs++;
    lock_release(log->lock);
    return log;
}

void log_release(struct log *log)
{
    if (log == NULL)
        return;
    lock_take(log->lock);
    CHECK(log->refs > 0);
    log->refs--;
    lock_release(log->lock);
}

bool store_get(struct store *store, struct str key, struct sbuf *out)
{
    lock_take(store->lock);
    const struct kv_node *node = kv_get(&store->positions, key);
    if (node != NULL)
        sbuf_str(out, node->value);
    lock_release(store->lock);
    return node != NULL;
}

void store_each(struct store *store, struct str prefix,
                void (*each)(void *arg, struct str key, struct str value), void *arg)
{
    lock_take(store->lock);
    for (const struct kv_node *node = kv_seek(&store->positions, prefix);
         node != NULL && str_starts(node->key, prefix); node = node->next[0])
        each(arg, node->key, node->value);
    lock_release(store->lock);
}

void store_stats(struct store *store, struct store_stats *stats)
{
    *stats = (struct store_stats){
        .frames = counter_get(&store->frames),
        .writes = counter_get(&store->writes),
        .bytes = counter_get(&store->bytes),
        .syncs = counter_get(&store->syncs),
        .ring_bytes = counter_get(&store->ring_bytes),
        .ring_used = counter_get(&store->ring_used),
        .tail_bytes = counter_get(&store->tail_bytes),
        .refused = counter_get(&store->refused),
        .lsn = counter_get(&store->lsn),
        .disk_full = counter_get(&store->full_said) != 0,
    };
}

bool store_has_room(struct store *store)
{
    return counter_get(&store->pausing) == 0 && counter_get(&store->waiting) < QUEUE_BYTES_MAX;
}

void store_wait_room(struct store *store, struct log_wait *wait, struct waker *waker)
{
    *wait = (struct log_wait){.waker = waker, .store = store};
    list_init(&wait->link);
    lock_take(store->lock);
    bool now = store_has_room(store);
    if (!now)
        list_push_back(&store->room_waits, &wait->link);
    lock_release(store->lock);
    if (now)
        waker_wake(waker);
}

void store_room_back(struct store *store)
{
    lock_take(store->lock);
    bool wake = !list_empty(&store->room_waits) && store_has_room(store);
    lock_release(store->lock);
    if (wake)
        wake_room(store);
}

void store_faults_forget(struct store *store)
{
    store->in_place = true;
    commit_stop(store, false);
    behind_stop(store);
    store_drop_queues(store);
    pool_free(store->pool);
}

/* The catalogue: which topics there are, where each log begins, and what each of its segments holds. It is a kv map that lives in
 * memory and in the log "__catalog", as the keys of frame_put live in "__positions".
 *
 *     't' name                → topic: id, partitions, configuration, the id of each partition's log
 *     's' log u32             → first readable offset
 *     'g' log u32 base i64    → state of a segment as of some tail (struct segment_state)
 *     'p' log u32 id i64      → what the log knew of a producer at some tail (producer.c)
 *
 * (integers in keys big endian, so that the keys of one log stand together and in order; in values little endian)
 *
 * Where recovery begins. The segments of "__catalog" itself stand in the entry JF_ROOT of a root frame, with the tail that they belong
 * to. So: root frame → catalogue as of its tail, with the segment states that the root frame brought along → logs and segments as of the
 * tail → the frames from the tail on. */
#include <errno.h>
#include <stdio.h>

#include "format/compress.h"
#include "log/log_private.h"

enum { TOPIC_VERSION = 3, STATE_VERSION = 2, ROOT_VERSION = 1, ROOT_SEGMENTS_MAX = 4096 };

/* ---- keys and values -------------------------------------------------------------------------------------------------------- */

static void add_be32(struct sbuf *out, uint32_t v)
{
    put_be32(sbuf_reserve(out, 4), v);
    sbuf_added(out, 4);
}
static void add_be64(struct sbuf *out, uint64_t v)
{
    put_be64(sbuf_reserve(out, 8), v);
    sbuf_added(out, 8);
}
static void add_le32(struct sbuf *out, uint32_t v)
{
    put_le32(sbuf_reserve(out, 4), v);
    sbuf_added(out, 4);
}
static void add_le64(struct sbuf *out, int64_t v)
{
    put_le64(sbuf_reserve(out, 8), (uint64_t)v);
    sbuf_added(out, 8);
}

void catalog_key_segment(struct sbuf *key, uint32_t log, int64_t base)
{
    sbuf_clear(key);
    sbuf_char(key, 'g');
    add_be32(key, log);
    add_be64(key, (uint64_t)base);
}

void catalog_key_start(struct sbuf *key, uint32_t log)
{
    sbuf_clear(key);
    sbuf_char(key, 's');
    add_be32(key, log);
}

void catalog_key_producer(struct sbuf *key, uint32_t log, int64_t producer_id)
{
    sbuf_clear(key);
    sbuf_char(key, 'p');
    add_be32(key, log);
    add_be64(key, (uint64_t)producer_id);
}

void catalog_key_topic(struct sbuf *key, struct str name)
{
    sbuf_clear(key);
    sbuf_char(key, 't');
    sbuf_str(key, name);
}

void catalog_put_state(struct sbuf *value, const struct segment_state *state)
{
    sbuf_char(value, STATE_VERSION);
    add_le64(value, state->next_offset);
    add_le32(value, state->length);
    add_le32(value, state->generation);
    add_le32(value, state->index_count);
    add_le32(value, state->time_count);
    add_le32(value, state->since_index);
    add_le64(value, state->max_timestamp);
    add_le64(value, state->max_timestamp_offset);
    add_le64(value, state->last_time_entry);
    add_le64(value, state->created_ms);
    add_le32(value, state->aborted_count);
}

static void read_state(struct rd *rd, struct segment_state *state)
{
    uint8_t version = rd_u8(rd);
    if (version < 1 || version > STATE_VERSION)
        rd->bad = true;
    state->next_offset = (int64_t)rd_le64(rd);
    state->length = rd_le32(rd);
    state->generation = rd_le32(rd);
    state->index_count = rd_le32(rd);
    state->time_count = rd_le32(rd);
    state->since_index = rd_le32(rd);
    state->max_timestamp = (int64_t)rd_le64(rd);
    state->max_timestamp_offset = (int64_t)rd_le64(rd);
    state->last_time_entry = (int64_t)rd_le64(rd);
    state->created_ms = (int64_t)rd_le64(rd);
    state->aborted_count = version == 1 ? 0 : rd_le32(rd);
    if (state->next_offset < state->base)
        rd->bad = true;
}

bool catalog_get_state(struct str value, struct segment_state *state)
{
    struct rd rd = rd_of(value.p, value.n);
    read_state(&rd, state);
    return !rd.bad;
}

struct topic_record {
    struct topic_info info;
    const uint8_t *log_ids; /* le32 each, borrowed */
};

enum topic_bit {
    TOPIC_COMPACT = 1 << 0,
    TOPIC_INTERNAL = 1 << 1,
    TOPIC_DELETE_TOO = 1 << 2,
    TOPIC_LOG_TIME = 1 << 3,
    TOPIC_RECOMPRESS = 1 << 4
};

static void put_topic(struct sbuf *value, const struct topic_info *info, struct log *const *logs,
                      int32_t log_count, uint32_t new_log_id)
{
    const struct topic_config *c = &info->config;
    sbuf_char(value, TOPIC_VERSION);
    sbuf_add(value, info->id, sizeof info->id);
    add_le32(value, (uint32_t)info->partitions);
    add_le64(value, c->retention_ms);
    add_le64(value, c->retention_bytes);
    add_le64(value, c->segment_bytes);
    add_le64(value, c->segment_ms);
    add_le64(value, c->pin_bytes);
    sbuf_char(value,
              (char)((c->compact ? TOPIC_COMPACT : 0) | (c->internal ? TOPIC_INTERNAL : 0) |
                     (c->delete_too ? TOPIC_DELETE_TOO : 0) | (c->log_append_time ? TOPIC_LOG_TIME : 0) |
                     (c->recompress ? TOPIC_RECOMPRESS : 0)));
    sbuf_char(value, (char)c->compression);
    add_le64(value, c->min_compaction_lag_ms);
    add_le64(value, c->max_compaction_lag_ms);
    add_le64(value, c->delete_retention_ms);
    add_le64(value, c->timestamp_before_max_ms);
    add_le64(value, c->timestamp_after_max_ms);
    add_le32(value, (uint32_t)c->max_message_bytes);
    add_le32(value, c->min_dirty_permille);
    add_le32(value, (uint32_t)c->compression_level);
    for (int32_t i = 0; i < info->partitions; i++)
        add_le32(value, i < log_count ? logs[i]->id : new_log_id++);
}

/* Version 1 had compression in the bits, and nothing of what follows them; version 2 no level. */
static void get_config(struct rd *rd, uint8_t version, struct topic_config *c)
{
    topic_config_default(c);
    c->retention_ms = (int64_t)rd_le64(rd);
    c->retention_bytes = (int64_t)rd_le64(rd);
    c->segment_bytes = (int64_t)rd_le64(rd);
    c->segment_ms = (int64_t)rd_le64(rd);
    c->pin_bytes = (int64_t)rd_le64(rd);
    uint8_t bits = rd_u8(rd);
    c->compact = bits & TOPIC_COMPACT;
    c->internal = bits & TOPIC_INTERNAL;
    if (version == 1) {
        c->compression = bits >> 2;
        return;
    }
    c->delete_too = bits & TOPIC_DELETE_TOO;
    c->log_append_time = bits & TOPIC_LOG_TIME;
    c->recompress = bits & TOPIC_RECOMPRESS;
    c->compression = rd_u8(rd);
    c->min_compaction_lag_ms = (int64_t)rd_le64(rd);
    c->max_compaction_lag_ms = (int64_t)rd_le64(rd);
    c->delete_retention_ms = (int64_t)rd_le64(rd);
    c->timestamp_before_max_ms = (int64_t)rd_le64(rd);
    c->timestamp_after_max_ms = (int64_t)rd_le64(rd);
    c->max_message_bytes = (int32_t)rd_le32(rd);
    c->min_dirty_permille = (uint16_t)rd_le32(rd);
    if (version > 2)
        c->compression_level = (int32_t)rd_le32(rd);
}

static bool get_topic(struct str name, struct str value, struct topic_record *topic)
{
    struct rd rd = rd_of(value.p, value.n);
    struct topic_info *info = &topic->info;
    *topic = (struct topic_record){0};
    uint8_t version = rd_u8(&rd);
    if (version < 1 || version > TOPIC_VERSION || name.n > TOPIC_NAME_MAX)
        return false;
    memcpy(info->name, name.p, name.n);
    const uint8_t *id = rd_take(&rd, sizeof info->id);
    if (id != NULL)
        memcpy(info->id, id, sizeof info->id);
    info->partitions = (int32_t)rd_le32(&rd);
    get_config(&rd, version, &info->config);
    topic->log_ids = rd.p;
    return !rd.bad && info->config.compression < CODEC_COUNT && info->partitions > 0 &&
           info->partitions <= TOPIC_PARTITIONS_MAX && rd_left(&rd) == (size_t)info->partitions * 4;
}

/* ---- logs --------------------------------------------------------------------------------------------------------------------- */

struct log *store_log_of(struct store *store, uint32_t id)
{
    return id < store->logs_capacity ? store->logs[id] : NULL;
}

static struct log *add_log(struct store *store, struct topic *topic, int32_t partition, uint32_t id)
{
    struct log *log = mem_new(sizeof *log);
    log->store = store;
    log->topic = topic;
    log->partition = partition;
    log->id = id;
    log->folder = pool_printf(store->pool, "%s/%s-%d", store->topics_folder, topic->info->name, partition);
    log->lock = lock_new();
    list_init(&log->waits);
    list_init(&log->pins);
    list_init(&log->dirty_link);
    list_init(&log->unsynced_link);
    size_t before = store->logs_capacity;
    store->logs = mem_grow(store->logs, &store->logs_capacity, (size_t)id + 1, sizeof(struct log *));
    memset(store->logs + before, 0, (store->logs_capacity - before) * sizeof(struct log *));
    CHECK(store->logs[id] == NULL);
    store->logs[id] = log;
    if (id >= store->next_log_id)
        store->next_log_id = id + 1;
    return log;
}

/* A copy that lives as long as the store: readers keep pointers to it. */
static const struct topic_info *keep_info(struct store *store, const struct topic_info *info)
{
    struct topic_info *copy = pool_alloc(store->pool, sizeof *copy);
    *copy = *info;
    return copy;
}

static void add_topic(struct store *store, const struct topic_info *info, const uint8_t *log_ids)
{
    struct topic *topic = pool_alloc(store->pool, sizeof *topic);
    topic->store = store;
    topic->info = keep_info(store, info);
    topic->logs = pool_alloc(store->pool, (size_t)info->partitions * sizeof(struct log *));
    for (int32_t i = 0; i < info->partitions; i++)
        topic->logs[i] = add_log(store, topic, i, get_le32(log_ids + 4 * i));
    lock_take(store->lock);
    map_put(&store->topics, str_of(topic->info->name), topic);
    map_put(&store->topics_by_id, str_n(info->id, sizeof info->id), topic);
    lock_release(store->lock);
}

static void alter_topic(struct store *store, struct topic *topic, const struct topic_record *record)
{
    const struct topic_info *info = keep_info(store, &record->info);
    struct log **logs = pool_alloc(store->pool, (size_t)info->partitions * sizeof(struct log *));
    for (int32_t i = 0; i < info->partitions; i++)
        logs[i] = i < topic->info->partitions ? topic->logs[i]
                                              : add_log(store, topic, i, get_le32(record->log_ids + 4 * i));
    lock_take(store->lock);
    topic->logs = logs;
    topic->info = info;
    lock_release(store->lock);
}

/* Removes the log's folder; the name is free at once. */
static void remove_folder(struct store *store, struct log *log)
{
    struct sbuf away = {0};
    sbuf_printf(&away, "%s.%u-delete", log->folder, log->id);
    if (os_rename(log->folder, away.p, NULL)) {
        os_remove_tree(away.p, NULL); /* what is left is removed by the next start */
        store->topics_folder_unsynced = true;
    }
    sbuf_fini(&away);
}

static void end_log(struct store *store, struct log *log) ON(disk)
{
    store->logs[log->id] = NULL;
    list_remove(&log->dirty_link);
    log->is_dirty = false;
    list_remove(&log->unsynced_link);
    log->is_unsynced_end = false;
    store->producers_changed -= log->producers.changed;
    remove_folder(store, log);
    lock_take(log->lock);
    log->dead = true;
    producers_fini(&log->producers);
    tail_drop_log(log);
    size_t count = log->segment_count;
    log->segment_count = 0;
    LIST_EACH(link, &log->pins)
    CONTAINER_OF(link, struct log_pin, link)->broken = true;
    while (!list_empty(&log->waits))
        waker_wake(CONTAINER_OF(list_pop_front(&log->waits), struct log_wait, link)->waker);
    lock_release(log->lock);
    for (size_t i = 0; i < count; i++)
        segment_delete(log->segments[i]);
}

static void delete_topic(struct store *store, struct topic *topic) ON(disk)
{
    lock_take(store->lock);
    map_remove(&store->topics, str_of(topic->info->name));
    map_remove(&store->topics_by_id, str_n(topic->info->id, sizeof topic->info->id));
    topic->dead = true;
    lock_release(store->lock);
    for (int32_t i = 0; i < topic->info->partitions; i++) {
        struct log *log = topic->logs[i];
        log->next_dead = store->dead_logs;
        store->dead_logs = log;
        end_log(store, log);
    }
}

/* The two logs that are there before any catalogue is read. */
void catalog_builtin(struct store *store)
{
    static const char *const names[] = {"__catalog", "__positions"};
    for (uint32_t i = 0; i < 2; i++) {
        struct topic_info info = {.partitions = 1};
        uint8_t id[4];
        topic_config_default(&info.config);
        info.config.internal = info.config.compact = true;
        info.config.retention_ms = -1;
        info.config.segment_bytes = SEGMENT_BYTES_MAX;
        info.config.segment_ms = INT64_MAX;
        memcpy(info.name, names[i], strlen(names[i]));
        memset(info.id, 0, sizeof info.id);
        info.id[15] = (uint8_t)(2 + i);
        put_le32(id, LOG_CATALOG + i);
        add_topic(store, &info, id);
    }
    store->catalog_log = store_log_of(store, LOG_CATALOG);
    store->positions_log = store_log_of(store, LOG_POSITIONS);
    store->next_log_id = LOG_FIRST_FREE;
}

static void free_log(struct log *log) UNSHARED
{
    lock_take(log->lock);
    tail_drop_log(log);
    lock_release(log->lock);
    for (size_t i = 0; i < log->segment_count; i++)
        segment_unref(log->segments[i]);
    producers_fini(&log->producers);
    mem_free(log->segments);
    mem_free(log->epochs);
    lock_free(log->lock);
    mem_free(log);
}

void catalog_free(struct store *store) UNSHARED
{
    for (size_t i = 0; i < store->logs_capacity; i++)
        if (store->logs[i] != NULL)
            free_log(store->logs[i]);
    while (store->dead_logs != NULL) {
        struct log *log = store->dead_logs;
        store->dead_logs = log->next_dead;
        free_log(log);
    }
    mem_free(store->logs);
    map_fini(&store->topics);
    map_fini(&store->topics_by_id);
    kv_fini(&store->catalog);
    kv_fini(&store->positions);
}

/* ---- changes ------------------------------------------------------------------------------------------------------------------- */

static bool bad_record(struct str key, struct err *err)
{
    char hex[65];
    size_t n = key.n < 32 ? key.n : 32;
    hex_encode(hex, key.p, n);
    err_set(err, ERR_FATAL, "the catalogue has a record that this version cannot read (key %s)", hex);
    return err_hint(
        err,
        "A newer version wrote it, or the data folder is damaged; use that version, or restore it from a copy.");
}

static bool apply_topic(struct store *store, struct str name, struct str value, bool deleted, struct err *err)
    ON(disk)
{
    struct topic *topic = map_get(&store->topics, name);
    struct topic_record record;
    if (deleted) {
        if (topic != NULL)
            delete_topic(store, topic);
        return true;
    }
    if (!get_topic(name, value, &record))
        return bad_record(name, err);
    if (topic != NULL && memcmp(topic->info->id, record.info.id, sizeof record.info.id) == 0)
        alter_topic(store, topic, &record);
    else if (topic == NULL)
        add_topic(store, &record.info, record.log_ids);
    else
        return bad_record(name, err);
    return true;
}

/* A record of the catalogue's log is durable: the map, and what it means for topics and logs. */
bool catalog_apply(struct store *store, struct str key, struct str value, bool deleted, struct err *err)
{
    struct rd rd = rd_of(key.p, key.n);
    uint8_t kind = rd_u8(&rd);
    if (deleted)
        kv_remove(&store->catalog, key);
    else
        kv_put(&store->catalog, key, value);
    if (kind == 't')
        return apply_topic(store, str_n(rd.p, rd_left(&rd)), value, deleted, err);
    struct log *log = store_log_of(store, rd_be32(&rd));
    if (kind == 'p')
        return true; /* read when the store is opened; a replay comes to the same by itself */
    if (kind == 's' && value.n == 8 && !deleted) {
        if (log != NULL)
            log_set_start(log, (int64_t)get_le64(value.p));
    } else if (kind == 'g') {
        struct segment_state state = {.base = (int64_t)rd_be64(&rd)};
        if (!deleted && !catalog_get_state(value, &state))
            return bad_record(key, err);
        if (log != NULL)
            return compact_apply(log, &state, deleted, err);
    } else if (!deleted) {
        return bad_record(key, err);
    }
    return true;
}

/* ---- what frames ask for ----------------------------------------------------------------------------------------------------------- */

static bool name_is_valid(const char *name)
{
    if (name[0] == '\0' || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return false;
    return name[strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")] == '\0';
}

static bool refuse(struct err *err, int code)
{
    if (err)
        err->code = code;
    return false;
}

static bool config_is_valid(const struct topic_info *info, struct err *err)
{
    if (info->partitions < 1 || info->partitions > TOPIC_PARTITIONS_MAX)
        return err_set(err, ERR_FATAL, "the topic \"%s\" cannot have %d partitions: 1 to %d are possible",
                       info->name, info->partitions, TOPIC_PARTITIONS_MAX);
    if (info->config.segment_bytes < SEGMENT_BYTES_MIN || info->config.segment_bytes > SEGMENT_BYTES_MAX)
        return err_set(
            err, ERR_FATAL, "the topic \"%s\" cannot have segments of %lld bytes: %d to %d are possible",
            info->name, (long long)info->config.segment_bytes, SEGMENT_BYTES_MIN, SEGMENT_BYTES_MAX);
    if (info->config.compression >= CODEC_COUNT)
        return err_set(err, ERR_FATAL, "the topic \"%s\" cannot have compression codec %d", info->name,
                       info->config.compression);
    if (info->config.segment_ms <= 0)
        return err_set(err, ERR_FATAL, "the topic \"%s\" cannot have segments of %lld ms", info->name,
                       (long long)info->config.segment_ms);
    if (info->config.min_compaction_lag_ms < 0 || info->config.max_compaction_lag_ms < 1 ||
        info->config.delete_retention_ms < 0 || info->config.min_dirty_permille > 1000)
        return err_set(err, ERR_FATAL, "the topic \"%s\" cannot be compacted by these settings", info->name);
    return true;
}

/* Earlier items of the same frame count as done. */
static bool exists_by_now(struct store *store, const struct frame_full *frame, const struct frame_item *item)
{
    bool exists = map_get(&store->topics, str_of(item->topic->name)) != NULL;
    for (const struct frame_item *earlier = frame->items; earlier < item; earlier++)
        if (earlier->topic != NULL && strcmp(earlier->topic->name, item->topic->name) == 0)
            exists = earlier->kind != ITEM_DELETE;
    return exists;
}

static bool admit_create(struct store *store, struct frame_full *frame, struct frame_item *item,
                         uint32_t *next_id, struct err *err) ON(disk)
{
    struct topic_info *info = item->topic;
    if (!name_is_valid(info->name))
        return err_set(
            err, ERR_FATAL,
            "\"%s\" cannot be a topic's name: letters, digits, \".\", \"_\" and \"-\" are possible",
            info->name);
    TRY(config_is_valid(info, err));
    if (exists_by_now(store, frame, item)) {
        err_set(err, ERR_FATAL, "the topic \"%s\" exists", info->name);
        return refuse(err, EEXIST);
    }
    struct sbuf key = {0}, value = {0};
    catalog_key_topic(&key, str_of(info->name));
    put_topic(&value, info, NULL, 0, *next_id);
    *next_id += (uint32_t)info->partitions;
    frame_catalog_put(frame, sbuf_view(&key), sbuf_view(&value));
    sbuf_fini(&key);
    sbuf_fini(&value);
    return true;
}

static bool admit_alter(struct store *store, struct frame_full *frame, struct frame_item *item,
                        uint32_t *next_id, struct err *err) ON(disk)
{
    struct topic *topic = map_get(&store->topics, str_of(item->topic->name));
    struct topic_info info = *item->topic;
    if (topic == NULL || topic->logs[0]->id < LOG_FIRST_FREE) {
        err_set(err, ERR_FATAL, "there is no topic \"%s\"", item->topic->name);
        return refuse(err, ENOENT);
    }
    TRY(config_is_valid(&info, err));
    if (info.partitions < topic->info->partitions)
        return err_set(err, ERR_FATAL, "the topic \"%s\" has %d partitions and cannot have fewer", info.name,
                       topic->info->partitions);
    memcpy(info.id, topic->info->id, sizeof info.id);
    struct sbuf key = {0}, value = {0};
    catalog_key_topic(&key, str_of(info.name));
    put_topic(&value, &info, topic->logs, topic->info->partitions, *next_id);
    *next_id += (uint32_t)(info.partitions - topic->info->partitions);
    frame_catalog_put(frame, sbuf_view(&key), sbuf_view(&value));
    sbuf_fini(&key);
    sbuf_fini(&value);
    return true;
}

/* The first record of a log whose key begins like `first`, and the ones after it; NULL: no more. */
static const struct kv_node *log_record(const struct kv_node *node, const struct sbuf *first)
{
    return node != NULL && node->key.n == first->n && memcmp(node->key.p, first->p, 5) == 0 ? node : NULL;
}

/* The records that a log leaves in the catalogue. */
static void forget_log(struct store *store, struct frame_full *frame, const struct log *log) ON(disk)
{
    struct sbuf key = {0};
    catalog_key_start(&key, log->id);
    if (kv_get(&store->catalog, sbuf_view(&key)) != NULL)
        frame_catalog_put(frame, sbuf_view(&key), (struct str){0});
    for (int kind = 0; kind < 2; kind++) {
        if (kind == 0)
            catalog_key_segment(&key, log->id, 0);
        else
            catalog_key_producer(&key, log->id, 0);
        const struct kv_node *node = log_record(kv_seek(&store->catalog, sbuf_view(&key)), &key);
        for (; node != NULL; node = log_record(node->next[0], &key))
            frame_catalog_put(frame, node->key, (struct str){0});
    }
    sbuf_fini(&key);
}

static bool admit_delete(struct store *store, struct frame_full *frame, struct frame_item *item,
                         struct err *err) ON(disk)
{
    struct topic *topic = map_get(&store->topics, str_of(item->topic->name));
    if (topic == NULL || topic->logs[0]->id < LOG_FIRST_FREE) {
        err_set(err, ERR_FATAL, "there is no topic \"%s\"", item->topic->name);
        return refuse(err, ENOENT);
    }
    for (int32_t i = 0; i < topic->info->partitions; i++) {
        char owner[128];
        int64_t pinned;
        if (log_pinned_below(topic->logs[i], INT64_MAX, owner, sizeof owner, &pinned)) {
            err_set(err, ERR_FATAL,
                    "the topic \"%s\" cannot be deleted: %s still reads partition %d from offset %lld",
                    item->topic->name, owner, i, (long long)pinned);
            return refuse(err, EBUSY);
        }
    }
    struct sbuf key = {0};
    catalog_key_topic(&key, str_of(item->topic->name));
    frame_catalog_put(frame, sbuf_view(&key), (struct str){0});
    sbuf_fini(&key);
    for (int32_t i = 0; i < topic->info->partitions; i++)
        forget_log(store, frame, topic->logs[i]);
    return true;
}

static bool admit_truncate(struct frame_full *frame, struct frame_item *item, struct err *err) ON(disk)
{
    struct log *log = item->log;
    char owner[128];
    int64_t pinned;
    const char *name = log->topic->info->name;
    if (log->dead)
        return err_set(err, ERR_FATAL, "the topic \"%s\" was deleted", name);
    if (item->offset > log->next_offset) {
        err_set(err, ERR_FATAL, "\"%s-%d\" cannot begin at offset %lld: it ends at %lld", name,
                log->partition, (long long)item->offset, (long long)log->next_offset);
        return refuse(err, LOG_OUT_OF_RANGE);
    }
    if (item->offset <= log->start)
        return true;
    if (log_pinned_below(log, item->offset, owner, sizeof owner, &pinned)) {
        err_set(err, ERR_FATAL,
                "the records of \"%s-%d\" before offset %lld cannot be deleted: %s still reads from %lld",
                name, log->partition, (long long)item->offset, owner, (long long)pinned);
        return refuse(err, EBUSY);
    }
    struct sbuf key = {0};
    uint8_t value[8];
    catalog_key_start(&key, log->id);
    put_le64(value, (uint64_t)item->offset);
    frame_catalog_put(frame, sbuf_view(&key), str_n(value, sizeof value));
    sbuf_fini(&key);
    return true;
}

bool catalog_admit(struct store *store, struct frame_full *frame, struct err *err)
{
    uint32_t next_id = store->next_log_id;
    bool first = true;
    for (size_t i = 0; i < frame->item_count; i++) {
        struct frame_item *item = &frame->items[i];
        if (item->kind == ITEM_APPEND)
            continue;
        if (first)
            frame->has_catalog = false; /* made anew each time the frame is asked about */
        first = false;
        switch (item->kind) {
        case ITEM_CREATE: TRY(admit_create(store, frame, item, &next_id, err)); break;
        case ITEM_ALTER: TRY(admit_alter(store, frame, item, &next_id, err)); break;
        case ITEM_DELETE: TRY(admit_delete(store, frame, item, err)); break;
        case ITEM_TRUNCATE: TRY(admit_truncate(frame, item, err)); break;
        case ITEM_APPEND: break;
        }
    }
    return true;
}

/* ---- the root ---------------------------------------------------------------------------------------------------------------------- */

void catalog_root(struct store *store, const struct jf_place *tail, struct sbuf *root)
{
    struct log *log = store->catalog_log;
    sbuf_clear(root);
    sbuf_char(root, ROOT_VERSION);
    add_le64(root, (int64_t)tail->position);
    add_le64(root, (int64_t)tail->lsn);
    add_le32(root, tail->previous);
    add_le32(root, tail->incarnation);
    add_le32(root, store->next_log_id);
    add_le64(root, log->start);
    add_le32(root, (uint32_t)log->segment_count);
    for (size_t i = 0; i < log->segment_count; i++) {
        struct segment_state state = log->segments[i]->state;
        state.index_count += (uint32_t)log->segments[i]->index_n;
        state.time_count += (uint32_t)log->segments[i]->times_n;
        add_le64(root, state.base);
        catalog_put_state(root, &state);
    }
}

static bool read_root(struct store *store, const struct jf_entry *entry, struct jf_place *from,
                      struct err *err)
{
    struct rd rd = rd_of(entry->p, entry->size);
    struct log *log = store->catalog_log;
    uint8_t version = rd_u8(&rd);
    from->position = rd_le64(&rd);
    from->lsn = rd_le64(&rd);
    from->previous = rd_le32(&rd);
    from->incarnation = rd_le32(&rd);
    from->group_end = true;
    store->next_log_id = rd_le32(&rd);
    log->start = (int64_t)rd_le64(&rd);
    uint32_t count = rd_le32(&rd);
    if (version != ROOT_VERSION || rd.bad || count > ROOT_SEGMENTS_MAX)
        return err_set(err, ERR_FATAL, "the journal's root frame cannot be read by this version");
    for (uint32_t i = 0; i < count && !rd.bad; i++) {
        struct segment_state state = {.base = (int64_t)rd_le64(&rd)};
        read_state(&rd, &state);
        if (!rd.bad)
            log_add_segment(log, segment_new(log, &state));
    }
    return !rd.bad || err_set(err, ERR_FATAL, "the journal's root frame is malformed");
}

/* After its segments are known. */
static void set_ends(struct log *log)
{
    if (log->segment_count > 0)
        log->next_offset = log->segments[log->segment_count - 1]->state.next_offset;
    if (log->next_offset < log->start)
        log->next_offset = log->start;
    log->end = log->synced = log->stable = log->next_offset;
    log->folder_made = os_exists(log->folder);
}

/* Reads a built-in log whole and applies its records with each. */
static bool read_log(struct log *log,
                     bool (*apply)(struct store *store, const uint8_t *p, size_t n, struct err *err),
                     struct err *err)
{
    for (int64_t offset = log->start; offset < log->end;) {
        struct log_slice slice;
        TRY(log_read(log, offset, 1 << 20, &slice, err));
        bool done = slice.n == 0 || apply(log->store, slice.p, slice.n, err);
        offset = slice.next_offset;
        bool more = slice.n > 0;
        buf_unref(slice.buf);
        TRY(done);
        if (!more)
            break;
    }
    return true;
}

static bool apply_catalog_kv(struct store *store, const uint8_t *p, size_t n, struct err *err)
{
    kv_apply_batch(&store->catalog, store->lock, p, n);
    return true;
}

static bool apply_positions_kv(struct store *store, const uint8_t *p, size_t n, struct err *err)
{
    kv_apply_batch(&store->positions, store->lock, p, n);
    return true;
}

/* Test only: what rule 6 forbids. */
static void take_length_of_file(struct segment *s)
{
    char path[OS_PATH_MAX];
    struct os_stat stat;
    segment_path(s, ".log", path, sizeof path);
    if (os_stat(path, &stat, NULL))
        s->state.length = s->spilled = (uint32_t)stat.size;
}

/* The file is there, with all its bytes. What nothing was written to is made again. */
static bool is_whole(const struct segment *s)
{
    char path[OS_PATH_MAX];
    struct os_stat stat;
    int file = -1;
    segment_path(s, ".log", path, sizeof path);
    if (os_stat(path, &stat, NULL))
        return stat.size >= s->state.length;
    bool made = s->state.length == 0 && os_open(path, OS_READ | OS_WRITE | OS_CREATE, &file, NULL);
    os_close(file);
    return made;
}

static bool check_lost(struct store *store, struct segment *s, struct err *err)
{
    char path[OS_PATH_MAX];
    segment_path(s, ".log", path, sizeof path);
    if (store->options.accept_damage) {
        s->closed = true; /* what comes goes into another file */
        store_log(store, STORE_TROUBLE, "\"%s\" is gone, or has lost its end: its records cannot be read",
                  path);
        return true;
    }
    err_set(err, ERR_FATAL, "\"%s\" is gone, or shorter than the %u bytes that it had", path,
            s->state.length);
    return err_hint(
        err,
        "Put the file back or restore the data folder from a copy, or start once with --accept-loss to go on without its records.");
}

/* What lies wholly before its log's start may have been deleted without a root frame that says so. */
bool catalog_check_lost(struct store *store, struct err *err)
{
    for (size_t id = 0; id < store->logs_capacity; id++)
        for (size_t i = 0; store->logs[id] && i < store->logs[id]->segment_count; i++) {
            struct segment *s = store->logs[id]->segments[i];
            if (s->lost && s->state.next_offset > s->log->start)
                TRY(check_lost(store, s, err));
        }
    return true;
}

/* Makes a log's segments of the 'g' records; those wholly before its start are deleted already, or soon. */
static bool load_segments(struct store *store, struct log *log, struct err *err) UNSHARED
{
    struct sbuf key = {0};
    bool done = true;
    catalog_key_start(&key, log->id);
    const struct kv_node *start = kv_get(&store->catalog, sbuf_view(&key));
    if (start != NULL && start->value.n == 8 && log->start < (int64_t)get_le64(start->value.p))
        log->start = (int64_t)get_le64(start->value.p);
    catalog_key_segment(&key, log->id, 0);
    const struct kv_node *node = log_record(kv_seek(&store->catalog, sbuf_view(&key)), &key);
    for (; done && node != NULL; node = log_record(node->next[0], &key)) {
        struct segment_state state = {.base = (int64_t)get_be64(node->key.p + 5)};
        if (!catalog_get_state(node->value, &state)) {
            done = bad_record(node->key, err);
            break;
        }
        struct segment *s = segment_new(log, &state);
        if (store_faults.length_of_file)
            take_length_of_file(s);
        log_add_segment(log, s);
        done = segment_swap_in(s, err);
        s->lost = !is_whole(s); /* a frame that is still to come may delete or replace it */
        log->has_aborted = log->has_aborted || state.aborted_count > 0;
    }
    sbuf_fini(&key);
    for (size_t i = 0; i + 1 < log->segment_count; i++)
        log->segments[i]->closed = log->segments[i]->settled = true;
    set_ends(log);
    if (!store->options.read_only_attach)
        log_drop_segments(log);
    return done;
}

/* What the log knew of its producers at the tail: the 'p' records. */
static bool load_producers(struct store *store, struct log *log, struct err *err) UNSHARED
{
    struct sbuf key = {0};
    bool done = true;
    catalog_key_producer(&key, log->id, 0);
    const struct kv_node *node = log_record(kv_seek(&store->catalog, sbuf_view(&key)), &key);
    for (; done && node != NULL; node = log_record(node->next[0], &key)) {
        struct producer producer = {.id = (int64_t)get_be64(node->key.p + 5)};
        done = producer_decode(node->value, &producer) || bad_record(node->key, err);
        if (done)
            producers_set(&log->producers, &producer);
    }
    sbuf_fini(&key);
    int64_t first_open = producers_first_open(&log->producers);
    if (first_open < log->stable)
        log->stable = first_open;
    return done;
}

static bool load_topics(struct store *store, struct err *err) UNSHARED
{
    struct sbuf key = {0};
    catalog_key_topic(&key, (struct str){0});
    bool done = true;
    for (const struct kv_node *node = kv_seek(&store->catalog, sbuf_view(&key));
         done && node != NULL && node->key.p[0] == 't'; node = node->next[0])
        done = apply_topic(store, str_n(node->key.p + 1, node->key.n - 1), node->value, false, err);
    sbuf_fini(&key);
    for (uint32_t id = LOG_POSITIONS; done && id < store->logs_capacity; id++)
        if (store->logs[id] != NULL)
            done = load_segments(store, store->logs[id], err) && load_producers(store, store->logs[id], err);
    return done;
}

bool catalog_load(struct store *store, const struct jf_header *header, const uint8_t *frame,
                  struct jf_place *from, struct err *err) UNSHARED
{
    struct rd rd = rd_of(frame + JF_HEADER, header->size - JF_HEADER);
    struct jf_entry entry;
    bool has_root = false;
    while (!has_root && jf_entry_next(&rd, &entry))
        has_root = entry.kind == JF_ROOT;
    if (!has_root)
        return err_set(err, ERR_FATAL, "the journal's root frame has no root");
    TRY(read_root(store, &entry, from, err));
    set_ends(store->catalog_log);
    if (!store->options.read_only_attach)
        log_drop_segments(store->catalog_log);
    for (size_t i = 0; i + 1 < store->catalog_log->segment_count; i++)
        store->catalog_log->segments[i]->closed = true;
    TRY(read_log(store->catalog_log, apply_catalog_kv, err));
    while (jf_entry_next(&rd, &entry))
        if (entry.kind == JF_APPEND && entry.log == LOG_CATALOG)
            kv_apply_batch(&store->catalog, store->lock, entry.p, entry.size);
    TRY(load_topics(store, err));
    return read_log(store->positions_log, apply_positions_kv, err);
}

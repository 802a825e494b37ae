/* The store as its users see it, on the real file system: frames in, records out, again after a restart. */
#include "log/store.h"

#include <errno.h>

#include "base/test.h"
#include "log/log_private.h"

static struct arena scratch;

static const char *fresh_folder(const char *name)
{
    const char *base = os_env("TMPDIR") ? os_env("TMPDIR") : "/tmp";
    const char *path = arena_printf(&scratch, "%s/sluice-store-%d-%s", base, os_pid(), name);
    os_remove_tree(path, NULL);
    return path;
}

static const struct store_options small = {
    .ring_bytes = 1 << 20, .ring_file_bytes = 128 << 10, .tail_bytes = 256 << 10, .reserve_bytes = 16 << 10};

static struct store *open_store(const char *folder, const struct store_options *options)
{
    struct store *store = NULL;
    struct err err = {0};
    if (!EXPECT(store_open(NULL, folder, options, NULL, &store, &err)))
        fprintf(stderr, "%s\n", err.text);
    return store;
}

static bool commit(struct frame *frame)
{
    struct err err = {0};
    bool done = frame_commit_now(frame, &err);
    if (!done)
        fprintf(stderr, "%s\n", err.text);
    return done;
}

static void create_topic(struct store *store, const char *name, int32_t partitions, int64_t segment_bytes)
{
    struct topic_config config;
    topic_config_default(&config);
    config.segment_bytes = segment_bytes;
    struct frame *frame = frame_new(store);
    frame_topic_create(frame, name, partitions, &config);
    EXPECT(commit(frame));
    frame_free(frame);
}

/* One batch of `count` records whose values begin with `first`, first + 1, … and have `size` bytes. */
static struct str make_batch(struct records_builder *b, int64_t first, int count, size_t size)
{
    struct str batch;
    char value[8192];
    memset(value, '.', sizeof value);
    records_begin(b);
    for (int i = 0; i < count; i++) {
        snprintf(value, sizeof value, "%012lld", (long long)first + i);
        records_add(b, 1000 * (first + i), (struct str){0}, str_n(value, size), NULL, 0);
    }
    bool done = records_end(b, 0, 0, NULL, &batch, NULL);
    EXPECT(done);
    return batch;
}

/* Reads [from, end) and expects the records that make_batch made. */
static void expect_records(struct log *log, int64_t from, int64_t end, size_t max_bytes)
{
    int64_t offset = from;
    struct err err = {0};
    while (offset < end) {
        struct log_slice slice;
        if (!EXPECT(log_read(log, offset, max_bytes, &slice, &err))) {
            fprintf(stderr, "%s\n", err.text);
            return;
        }
        if (!EXPECT(slice.n > 0))
            return;
        for (size_t at = 0; at < slice.n;) {
            struct records_reader reader;
            struct record record;
            struct buf *none;
            bool more = true;
            EXPECT(records_open(slice.p + at, slice.n - at, NULL, &none, &reader, &err));
            while (records_next(&reader, &record, &more, &err) && more) {
                char wanted[16];
                snprintf(wanted, sizeof wanted, "%012lld", (long long)record.offset);
                EXPECT_MEM(record.value.p, wanted, 12);
                if (test_is_bad)
                    return;
            }
            at += reader.batch.size;
        }
        EXPECT(slice.next_offset > offset);
        offset = slice.next_offset;
        buf_unref(slice.buf);
    }
    EXPECT_EQ_INT(offset, end);
}

static void append(struct store *store, struct log *log, int64_t first, int count, size_t size)
{
    struct records_builder b = {0};
    struct frame *frame = frame_new(store);
    struct str batch = make_batch(&b, first, count, size);
    frame_append_copy(frame, log, batch.p, batch.n);
    if (EXPECT(commit(frame)))
        EXPECT_EQ_INT(frame->results[0].base_offset, first);
    frame_free(frame);
    records_builder_fini(&b);
}

TEST(appends_are_read_again)
{
    const char *folder = fresh_folder("append");
    struct store *store = open_store(folder, &small);
    create_topic(store, "t", 2, 1 << 20);
    struct log *log = log_get(store, "t", 1);
    EXPECT(log_get(store, "t", 2) == NULL && log_get(store, "u", 0) == NULL);
    for (int i = 0; i < 50; i++)
        append(store, log, i * 10, 10, 100);
    EXPECT_EQ_INT(log_end(log), 500);
    expect_records(log, 0, 500, 1 << 20);
    expect_records(log, 237, 500, 1);
    log_release(log);
    EXPECT(store_close(store, NULL));
    store = open_store(folder, &small);
    log = log_get(store, "t", 1);
    EXPECT_EQ_INT(log_end(log), 500);
    expect_records(log, 0, 500, 1 << 20);
    expect_records(log, 123, 500, 300);
    append(store, log, 500, 1, 20);
    expect_records(log, 490, 501, 1 << 20);
    log_release(log);
    EXPECT(store_close(store, NULL));
    os_remove_tree(folder, NULL);
}

/* More than ring and tail hold, over many segments; reopened without closing, as after kill -9. */
TEST(data_outgrows_ring_tail_and_segments)
{
    const char *folder = fresh_folder("outgrow");
    struct store *store = open_store(folder, &small);
    create_topic(store, "t", 1, 200 << 10);
    struct log *log = log_get(store, "t", 0);
    int64_t n = 0;
    for (int i = 0; i < 600; i++, n += 50)
        append(store, log, n, 50, 100 + (size_t)i);
    expect_records(log, 0, n, 64 << 10);
    EXPECT(log->segment_count > 10);
    store_faults_forget(store);
    store = open_store(folder, &small);
    log = log_get(store, "t", 0);
    EXPECT_EQ_INT(log_end(log), n);
    expect_records(log, 0, n, 64 << 10);
    int64_t offset, ts;
    EXPECT(log_find_time(log, 1234567, &offset, &ts, NULL));
    EXPECT_EQ_INT(offset, 1235);
    EXPECT_EQ_INT(ts, 1235000);
    EXPECT(log_find_time(log, INT64_MAX, &offset, &ts, NULL));
    EXPECT_EQ_INT(offset, -1);
    EXPECT(store_close(store, NULL));
    os_remove_tree(folder, NULL);
}

/* How many segment files a log's folder has; each must be whole batches up to its last byte, as other programs read them. */
static int expect_whole_files(const char *folder)
{
    char **names;
    size_t count;
    int files = 0;
    EXPECT(os_list(folder, &scratch, &names, &count, NULL));
    for (size_t i = 0; i < count; i++) {
        struct sbuf bytes = {0};
        struct records_batch batch;
        if (!str_ends(str_of(names[i]), STR(".log")))
            continue;
        EXPECT(os_read_file(arena_printf(&scratch, "%s/%s", folder, names[i]), 1 << 20, &bytes, NULL));
        for (size_t at = 0; at < bytes.n; at += batch.size)
            if (!EXPECT(records_batch_read((uint8_t *)bytes.p + at, bytes.n - at, true, &batch, NULL)))
                break;
        sbuf_fini(&bytes);
        files++;
    }
    return files;
}

/* No loop runs here. */
static void trim(struct store *store) UNSHARED
{
    retain_trim(store);
}

/* Each group takes a whole block of memory, however small what it holds. */
TEST(small_appends_take_no_more_memory)
{
    const char *folder = fresh_folder("little");
    struct store_options options = small;
    options.ring_bytes = 16 << 20; /* the ring does not press, nor grow */
    options.ring_file_bytes = 8 << 20;
    struct store *store = open_store(folder, &options);
    create_topic(store, "t", 1, 1 << 20);
    struct log *log = log_get(store, "t", 0);
    uint64_t most = 0;
    for (int i = 0; i < 300; i++) {
        struct store_stats stats;
        append(store, log, i, 1, 20);
        store_stats(store, &stats);
        most = stats.tail_bytes > most ? stats.tail_bytes : most;
    }
    EXPECT(most <= small.tail_bytes + CHUNK_BYTES_MIN);
    expect_records(log, 0, 300, 4096);
    log_release(log);
    EXPECT(store_close(store, NULL));
    os_remove_tree(folder, NULL);
}

TEST(segment_files_end_where_their_batches_end)
{
    const char *folder = fresh_folder("trim");
    const char *log_folder = arena_printf(&scratch, "%s/topics/t-0", folder);
    struct store *store = open_store(folder, &small);
    create_topic(store, "t", 1, 100 << 10);
    int64_t n = 0;
    for (int i = 0; i < 200; i++, n += 50)
        append(store, log_get(store, "t", 0), n, 50, 100);
    store_faults_forget(store); /* what is settled now, nobody has trimmed */
    store = open_store(folder, &small);
    trim(store);
    for (int i = 0; i < 100; i++, n += 50)
        append(store, log_get(store, "t", 0), n, 50, 100);
    EXPECT(store_close(store, NULL));
    EXPECT(expect_whole_files(log_folder) > 10);
    store = open_store(folder, &small);
    expect_records(log_get(store, "t", 0), 0, n, 64 << 10);
    EXPECT(store_close(store, NULL));
    os_remove_tree(folder, NULL);
}

/* A topic's record as it was written before there were these settings: they take their defaults. */
static void expect_old_record(struct store *store) UNSHARED
{
    uint8_t value[1 + 16 + 4 + 5 * 8 + 1 + 4] = {1, 7};
    struct topic_info info;
    put_le32(value + 17, 1); /* partitions */
    put_le64(value + 21, 11);
    put_le64(value + 29, 12);
    put_le64(value + 37, 1 << 20);
    put_le64(value + 45, 13);
    put_le64(value + 53, 14);
    value[61] = 1 | 3 << 2; /* compact, lz4 */
    put_le32(value + 62, 1000);
    struct frame_full *frame = frame_internal(store);
    frame_catalog_put(frame, STR("told"), str_n(value, sizeof value));
    EXPECT(commit(&frame->f));
    frame_free(&frame->f);
    EXPECT(store_topic(store, "old", &info) && info.partitions == 1 && info.config.retention_bytes == 12 &&
           info.config.pin_bytes == 14 && info.config.compact && !info.config.delete_too &&
           info.config.compression == 3 && info.config.max_message_bytes == 1048588 &&
           info.config.min_dirty_permille == 500 && info.config.delete_retention_ms == 24 * 3600 * 1000);
}

TEST(configuration_is_kept)
{
    const char *folder = fresh_folder("config");
    struct store *store = open_store(folder, &small);
    struct topic_config config;
    struct topic_info info;
    topic_config_default(&config);
    topic_config_retain(&config, 3600 * 1000, 8 << 20);
    EXPECT(config.segment_bytes == 1 << 20 &&
           config.segment_ms == 450 * 1000); /* so that an hour is about an hour */
    topic_config_retain(&config, 1000, 1);
    EXPECT(config.segment_bytes == 64 << 10 && config.segment_ms == 1000);
    topic_config_retain(&config, -1, -1);
    EXPECT(config.segment_bytes == SEGMENT_BYTES_MAX && config.segment_ms == INT64_C(7) * 24 * 3600 * 1000);
    config.compression = 4;
    config.recompress = true;
    config.compression_level = -7;
    config.compact = config.delete_too = config.log_append_time = true;
    config.min_compaction_lag_ms = 1;
    config.max_compaction_lag_ms = 2;
    config.delete_retention_ms = 3;
    config.timestamp_before_max_ms = 4;
    config.timestamp_after_max_ms = 5;
    config.max_message_bytes = 6;
    config.min_dirty_permille = 7;
    struct frame *frame = frame_new(store);
    frame_topic_create(frame, "t", 1, &config);
    EXPECT(commit(frame));
    frame_reset(frame);
    config.compression = 5;
    frame_topic_alter(frame, "t", 1, &config);
    EXPECT(!frame_commit_now(frame, NULL));
    frame_free(frame);
    EXPECT(store_close(store, NULL));
    store = open_store(folder, &small);
    const struct topic_config *kept = &info.config;
    EXPECT(store_topic(store, "t", &info) && kept->compression == 4 && kept->recompress &&
           kept->compression_level == -7 && !kept->internal && kept->retention_ms == -1 && kept->compact &&
           kept->delete_too && kept->log_append_time && kept->min_compaction_lag_ms == 1 &&
           kept->max_compaction_lag_ms == 2 && kept->delete_retention_ms == 3 &&
           kept->timestamp_before_max_ms == 4 && kept->timestamp_after_max_ms == 5 &&
           kept->max_message_bytes == 6 && kept->min_dirty_permille == 7);
    expect_old_record(store);
    EXPECT(store_close(store, NULL));
    os_remove_tree(folder, NULL);
}

static void count_key(void *arg, struct str key, struct str value)
{
    (void)key;
    (void)value;
    ++*(int *)arg;
}

TEST(keys_live_and_die_with_frames)
{
    const char *folder = fresh_folder("keys");
    struct store *store = open_store(folder, &small);
    struct sbuf out = {0};
    struct frame *frame = frame_new(store);
    for (int round = 0; round < 300; round++) {
        frame_reset(frame);
        for (int i = 0; i < 40; i++) {
            char key[32], value[64];
            snprintf(key, sizeof key, "key/%03d", i);
            snprintf(value, sizeof value, "value %d of round %d ........................", i, round);
            frame_put(frame, str_of(key), str_of(value));
        }
        EXPECT(commit(frame));
    }
    frame_reset(frame);
    frame_put(frame, STR("key/007"), (struct str){0});
    EXPECT(commit(frame));
    frame_free(frame);
    for (int round = 0; round < 3; round++) {
        int count = 0;
        store_each(store, STR("key/"), count_key, &count);
        EXPECT_EQ_INT(count, 39);
        EXPECT(!store_get(store, STR("key/007"), &out));
        sbuf_clear(&out);
        EXPECT(store_get(store, STR("key/008"), &out));
        EXPECT_STR(out.p, "value 8 of round 299 ........................");
        EXPECT(log_bytes(store->positions_log) < 500000);
        if (round == 0)
            store_faults_forget(store);
        else
            EXPECT(store_close(store, NULL));
        if (round < 2)
            store = open_store(folder, &small);
    }
    sbuf_fini(&out);
    os_remove_tree(folder, NULL);
}

/* A log of keys is written anew when most of it is history; what goes with the last root frame is in no later one. */
TEST(a_rewritten_log_is_read_without_writing)
{
    const char *folder = fresh_folder("rewritten");
    for (int life = 0; life < 8; life++) { /* one of them ends soon after a rewriting */
        struct store *store = open_store(folder, &small);
        for (int i = 0; i < 40 + life * 7; i++) {
            char value[2048];
            memset(value, '.', sizeof value);
            struct frame *frame = frame_new(store);
            frame_put(frame, STR("key"), str_n(value, sizeof value));
            EXPECT(commit(frame));
            frame_free(frame);
        }
        EXPECT(store_close(store, NULL));
        struct store_options look = small;
        look.read_only_attach = true;
        store = open_store(folder, &look);
        struct sbuf found = {0};
        EXPECT(store != NULL && store_get(store, STR("key"), &found));
        EXPECT_EQ_INT(found.n, 2048);
        sbuf_fini(&found);
        EXPECT(store_close(store, NULL));
        if (test_is_bad)
            return;
    }
    os_remove_tree(folder, NULL);
}

TEST(topics_come_and_go)
{
    const char *folder = fresh_folder("topics");
    struct store *store = open_store(folder, &small);
    struct topic_config config;
    struct topic_info info;
    struct err err = {0};
    topic_config_default(&config);
    create_topic(store, "a", 1, 1 << 20);
    append(store, log_get(store, "a", 0), 0, 5, 50);
    struct frame *frame = frame_new(store);
    frame_topic_create(frame, "a", 1, &config);
    EXPECT(!frame_commit_now(frame, &err));
    EXPECT_STR(err.text, "the topic \"a\" exists");
    frame_reset(frame);
    frame_topic_alter(frame, "a", 3, &config);
    EXPECT(commit(frame));
    EXPECT(store_topic(store, "a", &info) && info.partitions == 3);
    append(store, log_get(store, "a", 2), 0, 5, 50);
    frame_reset(frame);
    frame_topic_delete(frame, "a");
    EXPECT(commit(frame));
    EXPECT(!store_topic(store, "a", &info));
    frame_free(frame);
    create_topic(store, "a", 2, 1 << 20);
    EXPECT_EQ_INT(log_end(log_get(store, "a", 0)), 0);
    append(store, log_get(store, "a", 0), 0, 7, 50);
    store_faults_forget(store);
    store = open_store(folder, &small);
    EXPECT(store_topic(store, "a", &info) && info.partitions == 2);
    expect_records(log_get(store, "a", 0), 0, 7, 1 << 20);
    EXPECT(log_get(store, "a", 2) == NULL);
    EXPECT(store_close(store, NULL));
    os_remove_tree(folder, NULL);
}

TEST(a_second_process_is_refused)
{
    const char *folder = fresh_folder("lock");
    struct store *store = open_store(folder, &small), *other;
    struct err err = {0};
    EXPECT(!store_open(NULL, folder, &small, NULL, &other, &err));
    char wanted[64];
    snprintf(wanted, sizeof wanted, "is in use by the process %d", os_pid());
    EXPECT(strstr(err.text, wanted) != NULL);
    EXPECT(store_close(store, NULL));
    os_remove_tree(folder, NULL);
}

/* ---- producers and transactions ---------------------------------------------------------------------------------------- */

static void set_producer(struct records_builder *b, size_t n, int64_t producer, int16_t epoch,
                         int32_t sequence, uint16_t attributes)
{
    uint8_t *p = b->buf->p;
    put_be16(p + 21, attributes);
    put_be64(p + 43, (uint64_t)producer);
    put_be16(p + 51, (uint16_t)epoch);
    put_be32(p + 53, (uint32_t)sequence);
    put_be32(p + 17, crc32c(0, p + 21, n - 21));
}

/* A batch of one record of a producer; key NULL = none, value NULL = a tombstone. */
static void produce(struct frame *frame, struct log *log, int64_t producer, int16_t epoch, int32_t sequence,
                    bool transactional, const char *key, const char *value, int64_t timestamp_ms)
{
    struct records_builder b = {0};
    struct str batch;
    records_begin(&b);
    records_add(&b, timestamp_ms, key ? str_of(key) : (struct str){0},
                value ? str_of(value) : (struct str){0}, NULL, 0);
    bool done = records_end(&b, 0, 0, NULL, &batch, NULL);
    EXPECT(done);
    set_producer(&b, batch.n, producer, epoch, sequence, transactional ? RECORDS_TRANSACTIONAL : 0);
    frame_append_produce(frame, log, b.buf, 0, batch.n, 0);
    records_builder_fini(&b);
}

static void end_txn(struct store *store, struct log *log, int64_t producer, int16_t epoch, bool commits)
{
    struct frame *frame = frame_new(store);
    frame_append_marker(
        frame, log,
        &(struct txn_marker){.producer_id = producer, .producer_epoch = epoch, .commits = commits});
    EXPECT(commit(frame) && frame->results[0].error == APPEND_DONE);
    frame_free(frame);
}

static void produce_one(struct store *store, struct log *log, int64_t producer, int32_t sequence,
                        bool transactional, const char *key, const char *value)
{
    struct frame *frame = frame_new(store);
    produce(frame, log, producer, 0, sequence, transactional, key, value, os_wall().us / 1000);
    EXPECT(commit(frame) && frame->results[0].error == APPEND_DONE && !frame->results[0].is_duplicate);
    frame_free(frame);
}

static void expect_result(const struct frame *frame, int i, enum append_error error, int64_t base,
                          bool duplicate)
{
    EXPECT_EQ_INT(frame->results[i].error, error);
    EXPECT_EQ_INT(frame->results[i].base_offset, base);
    EXPECT_EQ_INT(frame->results[i].is_duplicate, duplicate);
}

TEST(appends_fall_out_one_by_one)
{
    const char *folder = fresh_folder("produce");
    struct store *store = open_store(folder, &small);
    create_topic(store, "t", 2, 1 << 20);
    create_topic(store, "gone", 1, 1 << 20);
    struct log *log = log_get(store, "t", 0), *gone = log_get(store, "gone", 0);
    struct frame *frame = frame_new(store);
    struct buf *bytes = buf_new(100);
    frame_topic_delete(frame, "gone");
    EXPECT(commit(frame));
    frame_reset(frame);
    produce(frame, log, 5, 0, 0, false, NULL, "a", 11);
    produce(frame, log, 5, 0, 1, false, NULL, "b", 12);
    produce(frame, log, 5, 0, 0, false, NULL, "a", 11);
    produce(frame, log, 5, 0, 7, false, NULL, "c", 13);
    frame_append_produce(frame, log, bytes, 0, 100, 0);
    produce(frame, gone, 5, 0, 2, false, NULL, "d", 14);
    produce(frame, log, -1, -1, -1, false, NULL, "e", 15);
    produce(frame, log_get(store, "t", 1), 5, 0, 2, false, NULL, "f", 16);
    EXPECT(commit(frame));
    expect_result(frame, 0, APPEND_DONE, 0, false);
    expect_result(frame, 1, APPEND_DONE, 1, false);
    expect_result(frame, 2, APPEND_DONE, 0, true);
    EXPECT_EQ_INT(frame->results[2].timestamp_ms, 11);
    expect_result(frame, 3, APPEND_OUT_OF_ORDER, -1, false);
    expect_result(frame, 4, APPEND_CORRUPT, -1, false);
    expect_result(frame, 5, APPEND_TOPIC_GONE, -1, false);
    expect_result(frame, 6, APPEND_DONE, 2, false);
    expect_result(frame, 7, APPEND_DONE, 0, false);
    EXPECT_EQ_INT(log_end(log), 3);
    EXPECT_EQ_INT(log->producers.list[0].batch_count, 2);
    uint64_t lsn = frame->lsn;
    frame_reset(frame); /* nothing of it is left to write */
    produce(frame, log, 5, 0, 1, false, NULL, "b", 12);
    EXPECT(commit(frame) && frame->lsn == lsn);
    expect_result(frame, 0, APPEND_DONE, 1, true);
    frame_reset(frame); /* refused as a whole: it has changed nothing */
    struct records_builder b = {0};
    struct str batch = make_batch(&b, 0, 1, 10);
    produce(frame, log, 5, 0, 2, true, NULL, "g", 17);
    produce(frame, log, 6, 0, 0, true, NULL, "h", 17);
    frame_append_copy(frame, gone, batch.p, batch.n);
    EXPECT(!frame_commit_now(frame, NULL));
    producers_check(&log->producers);
    EXPECT_EQ_INT(log->producers.count, 1);
    EXPECT_EQ_INT(log_stable(log), 3);
    frame_reset(frame);
    produce(frame, log, 5, 0, 2, false, NULL, "g", 17);
    EXPECT(commit(frame));
    expect_result(frame, 0, APPEND_DONE, 3, false);
    frame_reset(frame);
    frame_append(frame, log, bytes, 0, 0); /* no batch at all */
    EXPECT(!frame_commit_now(frame, NULL));
    int64_t ts, offset;
    EXPECT(log_max_timestamp(log, &ts, &offset, NULL) && ts == 17 && offset == 3);
    for (int round = 0; round < 2; round++) { /* killed, then closed */
        if (round == 0)
            store_faults_forget(store);
        else
            EXPECT(store_close(store, NULL));
        store = open_store(folder, &small);
        log = log_get(store, "t", 0);
        struct frame *again = frame_new(store);
        produce(again, log, 5, 0, 1, false, NULL, "b", 12);
        produce(again, log, 5, 0, 4, false, NULL, "b", 12);
        EXPECT(commit(again));
        expect_result(again, 0, APPEND_DONE, 1, true);
        expect_result(again, 1, APPEND_OUT_OF_ORDER, -1, false);
        frame_free(again);
    }
    struct log_producer *producers;
    EXPECT_EQ_INT(log_producers(log, &scratch, &producers), 1);
    EXPECT(producers[0].producer_id == 5 && producers[0].last_sequence == 2 &&
           producers[0].timestamp_ms == 17);
    EXPECT(store_close(store, NULL));
    frame_free(frame);
    records_builder_fini(&b);
    buf_unref(bytes);
    os_remove_tree(folder, NULL);
}

TEST(the_log_gives_the_time_where_the_topic_wants_it)
{
    const char *folder = fresh_folder("time");
    struct store *store = open_store(folder, &small);
    struct topic_config config;
    topic_config_default(&config);
    config.log_append_time = true;
    struct frame *frame = frame_new(store);
    frame_topic_create(frame, "t", 1, &config);
    EXPECT(commit(frame));
    struct log *log = log_get(store, "t", 0);
    frame_reset(frame);
    produce(frame, log, 5, 0, 0, false, NULL, "a", 11);
    produce(frame, log, 5, 0, 0, false, NULL, "a", 11);
    EXPECT(commit(frame));
    int64_t now_ms = os_wall().us / US_PER_MS, given = frame->results[0].timestamp_ms;
    EXPECT(given > now_ms - 60000 && given <= now_ms && frame->results[1].is_duplicate &&
           frame->results[1].timestamp_ms == given);
    struct log_slice slice;
    struct records_reader reader;
    struct record record;
    struct records_batch batch;
    struct buf *none;
    bool more;
    EXPECT(log_read(log, 0, 1000, &slice, NULL) && records_batch_read(slice.p, slice.n, true, &batch, NULL) &&
           records_open(slice.p, slice.n, NULL, &none, &reader, NULL) &&
           records_next(&reader, &record, &more, NULL));
    EXPECT_EQ_INT(record.timestamp_ms, given);
    buf_unref(slice.buf);
    frame_free(frame);
    EXPECT(store_close(store, NULL));
    os_remove_tree(folder, NULL);
}

/* More aborted transactions than stay in memory, over several segments. */
TEST(aborted_transactions_are_found_again)
{
    enum { TXNS = 300 };
    const char *folder = fresh_folder("aborted");
    struct store *store = open_store(folder, &small);
    create_topic(store, "t", 1, 12 << 10);
    struct log *log = log_get(store, "t", 0);
    struct loop *loop;
    struct waker waker;
    struct log_wait wait;
    EXPECT(loop_new(ROLE_NET, "net", &loop, NULL));
    waker_init(&waker, loop, NULL);
    for (int i = 0; i < TXNS; i++) { /* offsets 2 i and 2 i + 1; each other one is committed */
        produce_one(store, log, 5, i, true, NULL, "value");
        EXPECT_EQ_INT(log_stable(log), 2 * i);
        end_txn(store, log, 5, 0, i % 2);
        EXPECT_EQ_INT(log_stable(log), 2 * i + 2);
    }
    EXPECT(log->segment_count > 3);
    for (int round = 0; round < 3; round++) {
        struct records_aborted *aborted;
        size_t n;
        EXPECT(log_aborted(log, 0, 2 * TXNS, &scratch, &aborted, &n, NULL));
        EXPECT_EQ_INT(n, TXNS / 2);
        for (size_t i = 0; i < n; i++)
            EXPECT(aborted[i].producer_id == 5 && aborted[i].first_offset == (int64_t)i * 4);
        EXPECT(log_aborted(log, 401, 404, &scratch, &aborted, &n, NULL) && n == 1);
        EXPECT(log_aborted(log, 402, 404, &scratch, &aborted, &n, NULL) && n == 0);
        EXPECT(log_aborted(log, 402, 409, &scratch, &aborted, &n, NULL) && n == 2);
        struct log_fetched fetched;
        EXPECT(log_fetch(log, 0, 1 << 20, LOG_COMMITTED, &scratch, &fetched, NULL));
        EXPECT(fetched.slice.n > 0 && fetched.aborted_count == (size_t)(fetched.slice.next_offset + 3) / 4);
        buf_unref(fetched.slice.buf);
        EXPECT(log_fetch(log, 0, 1 << 20, LOG_CACHED, &scratch, &fetched, NULL) && fetched.cold);
        if (round == 0)
            store_faults_forget(store);
        else
            EXPECT(store_close(store, NULL));
        store = open_store(folder, &small);
        log = log_get(store, "t", 0);
    }
    /* the files hold as many as they say, and no more */
    struct os_stat stat;
    char path[OS_PATH_MAX];
    uint32_t in_files = 0;
    trim(store);
    for (size_t i = 0; i < log->segment_count; i++) {
        segment_path(log->segments[i], ".txnindex", path, sizeof path);
        if (os_stat(path, &stat, NULL))
            in_files += (uint32_t)stat.size / 34;
    }
    EXPECT_EQ_INT(in_files, TXNS / 2);
    /* who waits for the last stable offset is not woken before it moves */
    produce_one(store, log, 5, TXNS, true, NULL, "value");
    log_wait_stable(log, &wait, &waker, 2 * TXNS);
    EXPECT(!list_empty(&wait.link));
    produce_one(store, log, 5, TXNS + 1, true, NULL, "value");
    EXPECT(!list_empty(&wait.link));
    struct log_fetched fetched;
    EXPECT(log_fetch(log, 2 * TXNS, 1 << 20, LOG_COMMITTED | LOG_CACHED, &scratch, &fetched, NULL));
    EXPECT(fetched.slice.n == 0 && !fetched.cold && fetched.end == 2 * TXNS + 2 &&
           fetched.stable == 2 * TXNS);
    log_wait_cancel(&wait);
    store_faults_forget(store); /* an open transaction is open in the next life, too */
    store = open_store(folder, &small);
    log = log_get(store, "t", 0);
    EXPECT_EQ_INT(log_stable(log), 2 * TXNS);
    log_wait_stable(log, &wait, &waker, 2 * TXNS);
    end_txn(store, log, 5, 0, false);
    EXPECT(list_empty(&wait.link));
    EXPECT(log_fetch(log, 2 * TXNS, 1 << 20, LOG_COMMITTED | LOG_CACHED, &scratch, &fetched, NULL));
    EXPECT_EQ_INT(fetched.aborted_count, 1);
    EXPECT_EQ_INT(fetched.slice.next_offset, 2 * TXNS + 3);
    buf_unref(fetched.slice.buf);
    EXPECT(store_close(store, NULL));
    loop_free(loop);
    os_remove_tree(folder, NULL);
}

static void forget_idle(struct store *store) UNSHARED
{
    store->producers_looked.ns -= 3600 * NS_PER_S;
    retain_producers(store);
}

TEST(producers_that_were_idle_are_forgotten)
{
    const char *folder = fresh_folder("idle");
    struct store *store = open_store(folder, &small);
    create_topic(store, "t", 1, 1 << 20);
    struct log *log = log_get(store, "t", 0);
    produce_one(store, log, 5, 0, false, NULL, "value");
    produce_one(store, log, 6, 0, false, NULL, "value");
    produce_one(store, log, 7, 0, true, NULL, "value");
    EXPECT(store_close(store, NULL));
    store = open_store(folder, &small);
    log = log_get(store, "t", 0);
    EXPECT_EQ_INT(log->producers.count, 3);
    for (int i = 0; i < 3; i++)
        if (log->producers.list[i].id != 6)
            log->producers.list[i].touched_s -= 25 * 3600;
    forget_idle(store);
    EXPECT_EQ_INT(log->producers.count, 2); /* the third has an open transaction */
    EXPECT(store_close(store, NULL));
    store = open_store(folder, &small);
    log = log_get(store, "t", 0);
    EXPECT_EQ_INT(log->producers.count, 2);
    EXPECT_EQ_INT(log_stable(log), 2);
    produce_one(store, log, 5, 99, false, NULL, "value"); /* it may begin anywhere */
    EXPECT(store_close(store, NULL));
    os_remove_tree(folder, NULL);
}

static void compact(struct store *store) UNSHARED
{
    compact_work(store);
    struct frame *frame = frame_new(store);
    frame_put(frame, STR("compacted"), STR("yes"));
    EXPECT(commit(frame));
    frame_free(frame);
    EXPECT(store->compaction == NULL);
}

/* The log's batches as text: offset, what it is, how many records. */
static const char *shape(struct log *log)
{
    struct sbuf text = {0};
    for (int64_t offset = log_start(log); offset < log_end(log);) {
        struct log_slice slice;
        if (!EXPECT(log_read(log, offset, 1 << 20, &slice, NULL)) || slice.n == 0)
            break;
        for (size_t at = 0; at < slice.n;) {
            struct records_batch b;
            EXPECT(records_batch_read(slice.p + at, slice.n - at, true, &b, NULL));
            if (b.base_offset >= offset && b.base_offset < 12)
                sbuf_printf(&text, "%lld%s%s%d ", (long long)b.base_offset,
                            b.attributes & RECORDS_CONTROL ? "m" : "d",
                            b.attributes & RECORDS_DELETE_HORIZON ? "h" : ":", b.count);
            at += b.size;
        }
        offset = slice.next_offset;
        buf_unref(slice.buf);
    }
    const char *copy = arena_printf(&scratch, "%.*s", (int)text.n, text.p);
    sbuf_fini(&text);
    return copy;
}

static void retain(struct store *store) UNSHARED
{
    retain_work(store);
    store_work(store);
}

/* A record that is too old when it comes is there for a while. */
TEST(retention_leaves_time_to_read)
{
    const char *folder = fresh_folder("late");
    struct store *store = open_store(folder, &small);
    create_topic(store, "t", 1, 1 << 20);
    struct log *log = log_get(store, "t", 0);
    struct frame *frame = frame_new(store);
    produce(frame, log, 5, 0, 0, false, "a", "of long ago", 1882488631);
    EXPECT(commit(frame));
    frame_free(frame);
    retain(store);
    EXPECT_EQ_INT(log_start(log), 0);
    log->segments[0]->state.created_ms -= RETENTION_LEAST_MS + 1;
    retain(store);
    EXPECT_EQ_INT(log_start(log), 1);
    EXPECT(store_close(store, NULL));
    os_remove_tree(folder, NULL);
}

static void look_for_compaction(struct store *store) UNSHARED
{
    compact_work(store);
}

/* Nobody waits for the tail to move by itself. */
TEST(compaction_asks_for_the_tail)
{
    const char *folder = fresh_folder("asks");
    struct store *store = open_store(folder, &small);
    struct topic_config config;
    topic_config_default(&config);
    config.compact = true;
    config.segment_bytes = 8 << 10;
    struct frame *frame = frame_new(store);
    frame_topic_create(frame, "t", 1, &config);
    EXPECT(commit(frame));
    frame_free(frame);
    struct log *log = log_get(store, "t", 0);
    static char filler[3000];
    memset(filler, '.', sizeof filler - 1);
    for (int i = 0; i < 8; i++)
        produce_one(store, log, 77, i, false, "filler", filler);
    EXPECT_STR(shape(log), "0d:1 1d:1 2d:1 3d:1 4d:1 5d:1 6d:1 7d:1 ");
    store->tail_wanted = true; /* all of the last one is in its file; closing it is not */
    for (int i = 0; i < 12; i++) {
        if (i == 3)
            produce_one(store, log, 77, 8, false, "filler", filler);
        if (i == 3 || i == 6)
            look_for_compaction(store);
        frame = frame_new(store);
        frame_put(frame, STR("round"), STR("round"));
        EXPECT(commit(frame));
        frame_free(frame);
    }
    EXPECT_STR(shape(log), "7d:1 8d:1 ");
    EXPECT(store_close(store, NULL));
    os_remove_tree(folder, NULL);
}

/* What Kafka's cleaner leaves of transactions, tombstones and producers, over several compactions. */
TEST(compaction_leaves_what_is_needed)
{
    const char *folder = fresh_folder("cleaner");
    struct store *store = open_store(folder, &small);
    struct topic_config config;
    topic_config_default(&config);
    config.compact = true;
    config.segment_bytes = 8 << 10;
    config.delete_retention_ms = 0; /* it may go with the next one */
    config.min_dirty_permille = 0;
    struct frame *frame = frame_new(store);
    frame_topic_create(frame, "t", 1, &config);
    EXPECT(commit(frame));
    struct log *log = log_get(store, "t", 0);
    produce_one(store, log, 5, 0, true, "a", "aborted");  /* 0 */
    produce_one(store, log, 6, 0, true, "a", "replaced"); /* 1 */
    end_txn(store, log, 5, 0, false);                     /* 2 */
    end_txn(store, log, 6, 0, true);                      /* 3 */
    produce_one(store, log, 6, 1, true, "b", "stays");    /* 4 */
    end_txn(store, log, 6, 0, true);                      /* 5 */
    produce_one(store, log, 6, 2, false, "a", NULL);      /* 6 */
    produce_one(store, log, 6, 3, false, "c", "stays");   /* 7 */
    produce_one(store, log, 8, 0, true, "d", "aborted");  /* 8 */
    end_txn(store, log, 8, 1, false);                     /* 9: with a newer epoch */
    produce_one(store, log, 9, 0, true, "c", "aborted");  /* 10: does not hide 7 */
    end_txn(store, log, 9, 0, false);                     /* 11 */
    static char filler[4000];
    memset(filler, '.', sizeof filler - 1);
    for (int round = 0; round < 4; round++) {
        for (int i = 0; i < 4; i++)
            produce_one(store, log, 77, round * 4 + i, false, "filler", filler);
        EXPECT(store_close(store, NULL));
        store = open_store(folder, &small);
        log = log_get(store, "t", 0);
        compact(store);
        static const char *const wanted[] = {
            /* aborted records go; the last batches of their producers stay, empty; the tombstone gets its horizon */
            "0d:0 2m:1 3m:1 4d:1 5m:1 6dh1 7d:1 9m:1 10d:0 11m:1 ",
            /* it goes; markers of transactions without batches get theirs */
            "0d:0 2m:1 3mh1 4d:1 5m:1 7d:1 9mh1 10d:0 11m:1 ",
            /* they go, but for the one that says the newest epoch of its producer */
            "0d:0 2m:1 4d:1 5m:1 7d:1 9m:0 10d:0 11m:1 ", "0d:0 2m:1 4d:1 5m:1 7d:1 9m:0 10d:0 11m:1 "};
        EXPECT_STR(shape(log), wanted[round]);
    }
    EXPECT(store_close(store, NULL));
    frame_free(frame);
    os_remove_tree(folder, NULL);
}

/* ---- leases ----------------------------------------------------------------------------------------------------------------- */

/* The slice's bytes, from its file where they are there: for mem_free. */
static uint8_t *bytes_of(const struct log_slice *slice)
{
    uint8_t *p = mem_new(slice->n);
    size_t got = 0;
    if (slice->p)
        memcpy(p, slice->p, slice->n);
    else
        EXPECT(os_pread(slice->file, p, slice->n, slice->position, &got, NULL) && got == slice->n);
    return p;
}

/* Whole batches with right checksums, one behind the other, the first of which has offset. */
static void expect_batches(const struct log_slice *slice, int64_t offset, size_t max_bytes)
{
    uint8_t *p = bytes_of(slice);
    int64_t next = offset;
    for (size_t at = 0; at < slice->n;) {
        struct records_batch batch;
        if (!EXPECT(records_batch_read(p + at, slice->n - at, true, &batch, NULL)))
            break;
        EXPECT(at == 0 ? batch.base_offset <= offset : batch.base_offset == next);
        next = batch.base_offset + batch.last_offset_delta + 1;
        EXPECT(next > offset);
        at += batch.size;
        EXPECT(at <= max_bytes || at == batch.size);
    }
    EXPECT_EQ_INT(next, slice->next_offset);
    mem_free(p);
}

static struct log_slice fetch_in_place(struct log *log, int64_t offset, size_t max_bytes, unsigned flags)
{
    struct arena arena = {0};
    struct log_fetched fetched = {0};
    struct err err = {0};
    if (!EXPECT(log_fetch(log, offset, max_bytes, LOG_IN_PLACE | flags, &arena, &fetched, &err)))
        fprintf(stderr, "%s\n", err.text);
    if (EXPECT(fetched.slice.n > 0))
        expect_batches(&fetched.slice, offset, max_bytes);
    arena_fini(&arena);
    return fetched.slice;
}

/* Reads [from, end) in place. Returns how many bytes of it were leased. */
static size_t expect_in_place(struct log *log, int64_t from, int64_t end, size_t max_bytes, unsigned flags)
{
    size_t leased = 0;
    int64_t offset = from;
    while (offset < end && !test_is_bad) {
        struct log_slice slice = fetch_in_place(log, offset, max_bytes, flags);
        leased += slice.p ? 0 : slice.n;
        offset = slice.next_offset;
        buf_unref(slice.buf);
    }
    EXPECT_EQ_INT(offset, end);
    return leased;
}

/* 600 batches of 50 records, 4 to 40 KiB, in segments of half a MiB. */
static struct store *make_old_records(const char *folder, int64_t *end)
{
    struct store *store = open_store(folder, &small);
    create_topic(store, "t", 1, 512 << 10);
    *end = 0;
    for (int i = 0; i < 600; i++, *end += 50)
        append(store, log_get(store, "t", 0), *end, 50, 60 + (size_t)i);
    EXPECT(store_close(store, NULL));
    return open_store(folder, &small);
}

TEST(leases_are_whole_batches)
{
    static const size_t sizes[] = {64 << 10, 100 << 10, 333333, 1 << 20};
    const char *folder = fresh_folder("leases");
    int64_t end;
    struct store *store = make_old_records(folder, &end);
    struct log *log = log_get(store, "t", 0);
    uint64_t all = log_bytes(log);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        size_t leased = expect_in_place(log, 0, end, sizes[i], 0);
        if (i > 0)
            EXPECT(leased > all / 10 * 8);
    }
    for (int64_t from = 1; from < end; from += 997) /* the index leads there, and headers */
        buf_unref(fetch_in_place(log, from, 200 << 10, 0).buf);
    EXPECT_EQ_INT(expect_in_place(log, 0, end, (64 << 10) - 1, 0), 0);
    for (size_t i = 0; i < log->segment_count; i++)
        EXPECT_EQ_INT(log->segments[i]->file_users, 0);
    /* where memory and file meet */
    for (int i = 0; i < 20; i++, end += 50)
        append(store, log, end, 50, 400);
    EXPECT(expect_in_place(log, 0, end, 1 << 20, 0) > all / 10 * 8);
    EXPECT(store_close(store, NULL));
    os_remove_tree(folder, NULL);
}

/* What a lease holds stays as it is when its segment is deleted or replaced, and nothing stays open behind it. */
TEST(leases_outlive_their_segments)
{
    const char *folder = fresh_folder("outlive");
    int64_t end;
    struct store *store = make_old_records(folder, &end);
    struct log *log = log_get(store, "t", 0);
    struct log_slice slice = fetch_in_place(log, 0, 256 << 10, 0);
    struct segment *segment = log->segments[0];
    EXPECT(slice.p == NULL && segment->file_users == 1);
    segment_ref(segment);
    struct frame *frame = frame_new(store);
    frame_topic_delete(frame, "t");
    EXPECT(commit(frame));
    frame_free(frame);
    for (int i = 0; i < 3; i++) { /* the tail passes */
        store->tail_wanted = true;
        frame = frame_new(store);
        frame_put(frame, STR("round"), STR("round"));
        EXPECT(commit(frame));
        frame_free(frame);
    }
    EXPECT(!os_exists(arena_printf(&scratch, "%s/topics/t-0/%020d.log", folder, 0)));
    expect_batches(&slice, 0, 256 << 10);
    EXPECT(segment->doomed && segment->file >= 0 && segment->refs == 2);
    buf_unref(slice.buf);
    EXPECT(segment->file < 0 && segment->refs == 1);
    segment_unref(segment);
    EXPECT(store_close(store, NULL));
    os_remove_tree(folder, NULL);
}

TEST(leases_outlive_compaction)
{
    const char *folder = fresh_folder("swapped");
    struct store *store = open_store(folder, &small);
    struct topic_config config;
    topic_config_default(&config);
    config.compact = true;
    config.segment_bytes = 200 << 10;
    config.min_dirty_permille = 0;
    struct frame *frame = frame_new(store);
    frame_topic_create(frame, "t", 1, &config);
    EXPECT(commit(frame));
    frame_free(frame);
    static char filler[4000];
    memset(filler, '.', sizeof filler - 1);
    for (int i = 0; i < 150; i++) /* of each third one a newer value follows */
        produce_one(store, log_get(store, "t", 0), 7, i, false,
                    i % 3 && i < 90 ? arena_printf(&scratch, "%d", i) : "same", filler);
    EXPECT(store_close(store, NULL));
    store = open_store(folder, &small);
    struct log *log = log_get(store, "t", 0);
    struct log_slice slice = fetch_in_place(log, 0, 128 << 10, 0);
    EXPECT(slice.p == NULL);
    compact(store);
    EXPECT(log->swaps > 0);
    expect_batches(&slice, 0, 128 << 10);
    buf_unref(slice.buf);
    /* where compaction made holes, batches still come in order, to the end */
    int64_t offset = 0, last = -1;
    while (offset < log_end(log)) {
        struct log_fetched fetched;
        if (!EXPECT(log_fetch(log, offset, 128 << 10, LOG_IN_PLACE, &scratch, &fetched, NULL)) ||
            !EXPECT(fetched.slice.next_offset > offset))
            break;
        uint8_t *p = bytes_of(&fetched.slice);
        for (size_t at = 0; at < fetched.slice.n;) {
            struct records_batch batch;
            if (!EXPECT(records_batch_read(p + at, fetched.slice.n - at, true, &batch, NULL)))
                break;
            EXPECT(batch.base_offset > last);
            for (int64_t k = last + 1; k < batch.base_offset; k++)
                EXPECT(k % 3 == 0 || k >= 90); /* nothing else may be missing */
            last = batch.base_offset + batch.last_offset_delta;
            at += batch.size;
        }
        mem_free(p);
        offset = fetched.slice.next_offset;
        buf_unref(fetched.slice.buf);
    }
    EXPECT_EQ_INT(last, 149);
    EXPECT(store_close(store, NULL));
    os_remove_tree(folder, NULL);
}

TEST(leases_end_before_what_is_not_committed)
{
    const char *folder = fresh_folder("uncommitted");
    struct store *store = open_store(folder, &small);
    create_topic(store, "t", 1, 1 << 20);
    static char filler[4000];
    memset(filler, '.', sizeof filler - 1);
    for (int i = 0; i < 150; i++)
        produce_one(store, log_get(store, "t", 0), i == 100 ? 6 : 5, i == 100 ? 0 : i - (i > 100), i == 100,
                    NULL, filler);
    EXPECT(store_close(store, NULL));
    store = open_store(folder, &small);
    struct log *log = log_get(store, "t", 0);
    struct log_fetched fetched;
    EXPECT_EQ_INT(log_stable(log), 100);
    EXPECT(expect_in_place(log, 0, 100, 1 << 20, LOG_COMMITTED) > 350000);
    EXPECT(expect_in_place(log, 0, 150, 1 << 20, 0) > 550000);
    EXPECT(log_fetch(log, 100, 1 << 20, LOG_COMMITTED | LOG_IN_PLACE, &scratch, &fetched, NULL));
    EXPECT(fetched.slice.n == 0 && fetched.stable == 100);
    end_txn(store, log, 6, 0, false);
    EXPECT(store_close(store, NULL));
    store = open_store(folder, &small);
    log = log_get(store, "t", 0);
    EXPECT(log_fetch(log, 50, 1 << 20, LOG_COMMITTED | LOG_IN_PLACE, &scratch, &fetched, NULL));
    EXPECT(fetched.slice.p == NULL && fetched.slice.next_offset == 151 && fetched.aborted_count == 1 &&
           fetched.aborted[0].first_offset == 100);
    buf_unref(fetched.slice.buf);
    EXPECT(store_close(store, NULL));
    os_remove_tree(folder, NULL);
}

/* Each entry of an index file gets what change makes of it. */
static void change_index(const char *path, uint64_t (*change)(uint64_t entry))
{
    struct sbuf bytes = {0};
    EXPECT(os_read_file(path, 1 << 20, &bytes, NULL) && bytes.n >= 8);
    for (size_t at = 0; at + 8 <= bytes.n; at += 8)
        put_be64((uint8_t *)bytes.p + at, change(get_be64((uint8_t *)bytes.p + at)));
    EXPECT(os_write_file(path, bytes.p, bytes.n, NULL));
    sbuf_fini(&bytes);
}

static uint64_t zero(uint64_t entry)
{
    return entry * 0;
}

static uint64_t position_off_by_one(uint64_t entry)
{
    return entry + 1;
}

static uint64_t offset_off_by_one(uint64_t entry)
{
    return entry + (UINT64_C(1) << 32);
}

static uint64_t offsets_too_small(uint64_t entry)
{
    return (entry >> 33 << 32) | (uint32_t)entry;
}

TEST(leases_do_not_believe_an_index)
{
    static uint64_t (*const changes[])(uint64_t) = {zero, position_off_by_one, offset_off_by_one,
                                                    offsets_too_small};
    const char *folder = fresh_folder("wrong-index");
    int64_t end;
    struct store *store = make_old_records(folder, &end);
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        char path[OS_PATH_MAX];
        for (size_t k = 0; k < log_get(store, "t", 0)->segment_count; k++) {
            segment_path(log_get(store, "t", 0)->segments[k], ".index", path, sizeof path);
            change_index(path, changes[i]);
        }
        struct log *log = log_get(store, "t", 0);
        expect_in_place(log, 0, end, 200 << 10, 0);
        for (int64_t from = 1; from < end; from += 997)
            buf_unref(fetch_in_place(log, from, 200 << 10, 0).buf);
        EXPECT(store_close(store, NULL));
        os_remove_tree(folder, NULL);
        store = make_old_records(folder, &end);
    }
    EXPECT(store_close(store, NULL));
    os_remove_tree(folder, NULL);
}

TEST(a_file_that_was_cut_is_not_leased)
{
    const char *folder = fresh_folder("cut-lease");
    char path[OS_PATH_MAX];
    int64_t end;
    struct store *store = make_old_records(folder, &end);
    struct log *log = log_get(store, "t", 0);
    int file;
    segment_path(log->segments[1], ".log", path, sizeof path);
    EXPECT(os_open(path, OS_WRITE, &file, NULL) &&
           os_truncate(file, log->segments[1]->state.length - 1000, NULL));
    os_close(file);
    struct log_fetched fetched;
    struct err err = {0};
    int64_t offset = log->segments[1]->state.base, behind = log->segments[2]->state.base;
    bool done = true;
    while (done && offset < behind) {
        done = log_fetch(log, offset, 1 << 20, LOG_IN_PLACE, &scratch, &fetched, &err);
        if (done && EXPECT(fetched.slice.n > 0))
            expect_batches(&fetched.slice, offset, 1 << 20);
        offset = done ? fetched.slice.next_offset : offset;
        buf_unref(fetched.slice.buf);
    }
    EXPECT(!done && err.class == ERR_FATAL && strstr(err.text, "damaged at byte") != NULL);
    EXPECT_EQ_INT(log->segments[1]->file_users, 0);
    EXPECT(store_close(store, NULL));
    os_remove_tree(folder, NULL);
}

/* A reader that may not wait for the disk: it has what the system has in memory, from where another one read, or itself. */
TEST(leases_of_what_is_in_memory)
{
    const char *folder = fresh_folder("memory");
    int64_t end;
    struct store *store = make_old_records(folder, &end);
    struct log *log = log_get(store, "t", 0);
    uint64_t all = log_bytes(log);
    size_t leased = 0, colds = 0;
    for (int64_t offset = 0; offset < end && !test_is_bad;) {
        struct log_fetched fetched;
        EXPECT(log_fetch(log, offset, 200 << 10, LOG_CACHED | LOG_IN_PLACE, &scratch, &fetched, NULL));
        if (fetched.cold) {
            EXPECT(fetched.slice.n == 0 && fetched.slice.buf == NULL);
            colds++;
            EXPECT(log_fetch(log, offset, 200 << 10, LOG_IN_PLACE, &scratch, &fetched, NULL));
        } else if (fetched.slice.p == NULL) {
            leased += fetched.slice.n;
        }
        expect_batches(&fetched.slice, offset, 200 << 10);
        offset = fetched.slice.next_offset;
        buf_unref(fetched.slice.buf);
    }
    EXPECT(leased > all / 2); /* the first of each segment is not known, and a segment has three or four */
    EXPECT(colds >= log->segment_count - 1);
    for (size_t i = 0; i < log->segment_count; i++)
        EXPECT_EQ_INT(log->segments[i]->file_users, 0);
    EXPECT(store_close(store, NULL));
    os_remove_tree(folder, NULL);
}

TEST(any_call_of_a_cached_lease_may_fail)
{
    const char *folder = fresh_folder("cached-lease-fails");
    int64_t end;
    struct store *store = make_old_records(folder, &end);
    struct log *log = log_get(store, "t", 0);
    uint64_t made = 1;
    for (uint64_t n = 1; n <= made + 1; n++) {
        struct log_fetched fetched;
        struct log_slice before = fetch_in_place(log, 0, 100 << 10, 0); /* where it stops is remembered */
        os_fail_after(n, EIO);
        EXPECT(log_fetch(log, before.next_offset, 200 << 10, LOG_CACHED | LOG_IN_PLACE, &scratch, &fetched,
                         NULL));
        made = os_fail_after(0, 0);
        if (fetched.slice.n > 0) /* with fewer batches, where a later header was not to be had */
            expect_batches(&fetched.slice, before.next_offset, 200 << 10);
        EXPECT(fetched.cold == (fetched.slice.n == 0));
        if (n > made)
            EXPECT(!fetched.cold && fetched.slice.p == NULL);
        buf_unref(fetched.slice.buf);
        buf_unref(before.buf);
    }
    EXPECT(made > 3);
    EXPECT(store_close(store, NULL));
    os_remove_tree(folder, NULL);
}

TEST(bounds_alone_are_told_without_records)
{
    const char *folder = fresh_folder("bounds");
    int64_t end;
    struct store *store = make_old_records(folder, &end);
    struct log *log = log_get(store, "t", 0);
    struct log_fetched fetched;
    struct err err = {0};
    for (int64_t offset = 0; offset <= end; offset += end / 2) {
        EXPECT(log_fetch(log, offset, 1 << 20, LOG_BOUNDS | LOG_CACHED, &scratch, &fetched, &err));
        EXPECT(fetched.slice.n == 0 && !fetched.cold && fetched.start == 0 && fetched.end == end);
    }
    EXPECT(!log_fetch(log, end + 1, 1 << 20, LOG_BOUNDS, &scratch, &fetched, &err) &&
           err.code == LOG_OUT_OF_RANGE);
    EXPECT(store_close(store, NULL));
    os_remove_tree(folder, NULL);
}

TEST(any_call_of_a_lease_may_fail)
{
    const char *folder = fresh_folder("lease-fails");
    int64_t end;
    struct store *store = make_old_records(folder, &end);
    struct log *log = log_get(store, "t", 0);
    uint64_t made = 1;
    for (uint64_t n = 1; n <= made + 1; n++) {
        struct log_fetched fetched;
        struct err err = {0};
        os_fail_after(n, EIO);
        bool done = log_fetch(log, 2000, 200 << 10, LOG_IN_PLACE, &scratch, &fetched, &err);
        made = os_fail_after(0, 0);
        if (!done)
            EXPECT_EQ_INT(err.code, EIO);
        else if (EXPECT(fetched.slice.n > 0))
            expect_batches(&fetched.slice, 2000, 200 << 10);
        if (n > made)
            EXPECT(done && fetched.slice.p == NULL);
        buf_unref(fetched.slice.buf);
    }
    EXPECT(store_close(store, NULL));
    os_remove_tree(folder, NULL);
}

/* ---- on several loops -------------------------------------------------------------------------------------------------- */

enum { ROLES_FRAMES = 1500, ROLES_PRODUCERS = 4 };

struct roles {
    struct store *store;
    struct loop *disk, *work, *net;
    struct log *logs[2];
    struct roles_producer {
        struct roles *roles;
        struct frame *frame;
        struct records_builder batch;
        int32_t sequences[2];
        int index, left;
    } producers[ROLES_PRODUCERS];
    int running;
    struct task reader;
    struct waker waker;
    struct log_wait waits[2];
    int64_t at[2], wanted[2];
    uint64_t records;
    bool bad;
    struct arena arena;
    struct msg start_work, start_net;
};

static void roles_submit(struct roles_producer *p)
{
    if (p->left-- == 0) {
        if (--p->roles->running == 0)
            loop_stop(p->roles->work);
        return;
    }
    frame_reset(p->frame);
    for (int i = 0; i < 2; i++) {
        struct str batch = make_batch(&p->batch, 0, 3, 200 + (size_t)(p->left % 7) * 300);
        if (p->index % 2 == 0) {
            frame_append_copy(p->frame, p->roles->logs[i], batch.p, batch.n);
            continue;
        }
        set_producer(&p->batch, batch.n, p->index, 0, p->sequences[i], 0);
        p->sequences[i] += 3;
        frame_append_produce(p->frame, p->roles->logs[i], p->batch.buf, 0, batch.n, 0);
    }
    frame_put(p->frame, STR("roles"), STR("some value"));
    frame_submit(p->frame);
}

static void roles_done(struct frame *frame)
{
    struct roles_producer *p = frame->arg;
    if (!frame->durable || frame->results[0].error != APPEND_DONE || frame->results[1].error != APPEND_DONE)
        p->roles->bad = true;
    roles_submit(p);
}

static void roles_begin_work(struct msg *msg)
{
    struct roles *r = CONTAINER_OF(msg, struct roles, start_work);
    r->running = ROLES_PRODUCERS;
    for (int i = 0; i < ROLES_PRODUCERS; i++) {
        r->producers[i] = (struct roles_producer){
            .roles = r, .frame = frame_new(r->store), .index = i, .left = ROLES_FRAMES / ROLES_PRODUCERS};
        r->producers[i].frame->done = roles_done;
        r->producers[i].frame->arg = &r->producers[i];
        roles_submit(&r->producers[i]);
    }
}

static bool roles_read(struct task *task)
{
    struct roles *r = CONTAINER_OF(task, struct roles, reader);
    int finished = 0;
    for (int i = 0; i < 2; i++) {
        struct log_fetched fetched;
        struct err err;
        arena_reset(&r->arena);
        bool done = log_fetch(r->logs[i], r->at[i], 1 << 16, LOG_COMMITTED | LOG_CACHED, &r->arena, &fetched,
                              &err);
        if (done && fetched.cold)
            done = log_fetch(r->logs[i], r->at[i], 1 << 16, LOG_COMMITTED, &r->arena, &fetched, &err);
        struct log_slice slice = fetched.slice;
        if (!done) {
            fprintf(stderr, "%s\n", err.text);
            r->bad = true;
        }
        for (size_t at = 0; at < slice.n;) {
            struct records_batch batch;
            if (!records_batch_read(slice.p + at, slice.n - at, true, &batch, &err) ||
                batch.base_offset != r->at[i])
                r->bad = true;
            if (r->bad)
                break;
            r->at[i] += batch.count;
            r->records += (uint64_t)batch.count;
            at += batch.size;
        }
        buf_unref(slice.buf);
        finished += r->at[i] == r->wanted[i];
        if (!r->bad && slice.n == 0 && r->at[i] < r->wanted[i]) {
            log_wait_cancel(&r->waits[i]);
            log_wait_stable(r->logs[i], &r->waits[i], &r->waker, r->at[i]);
        }
        if (slice.n > 0)
            task_wake(task);
    }
    if (finished == 2 || r->bad)
        loop_stop(r->net);
    return false;
}

static void roles_begin_net(struct msg *msg)
{
    struct roles *r = CONTAINER_OF(msg, struct roles, start_net);
    task_init(&r->reader, roles_read);
    waker_init(&r->waker, r->net, &r->reader);
    task_wake(&r->reader);
}

TEST(producers_and_readers_on_loops_of_their_own)
{
    const char *folder = fresh_folder("roles");
    struct roles r = {.wanted = {3 * ROLES_FRAMES, 3 * ROLES_FRAMES}};
    struct err err;
    EXPECT(loop_new(ROLE_DISK, "disk", &r.disk, &err) && loop_new(ROLE_WORK, "work", &r.work, &err) &&
           loop_new(ROLE_NET, "net", &r.net, &err));
    EXPECT(store_open(NULL, folder, &small, r.disk, &r.store, &err));
    create_topic(r.store, "t", 2, 300 << 10);
    r.logs[0] = log_get(r.store, "t", 0);
    r.logs[1] = log_get(r.store, "t", 1);
    msg_init(&r.start_work, roles_begin_work);
    msg_init(&r.start_net, roles_begin_net);
    loop_post(r.work, &r.start_work);
    loop_post(r.net, &r.start_net);
    EXPECT(loop_start(r.disk, &err) && loop_start(r.work, &err) && loop_start(r.net, &err));
    loop_join(r.work);
    loop_join(r.net);
    loop_stop(r.disk);
    loop_join(r.disk);
    EXPECT(!r.bad);
    EXPECT_EQ_INT(r.records, 6 * ROLES_FRAMES);
    for (int i = 0; i < ROLES_PRODUCERS; i++) {
        frame_free(r.producers[i].frame);
        records_builder_fini(&r.producers[i].batch);
    }
    arena_fini(&r.arena);
    EXPECT(store_close(r.store, NULL));
    loop_free(r.disk);
    loop_free(r.work);
    loop_free(r.net);
    os_remove_tree(folder, NULL);
}

int main(void)
{
    RUN(appends_are_read_again);
    RUN(data_outgrows_ring_tail_and_segments);
    RUN(small_appends_take_no_more_memory);
    RUN(segment_files_end_where_their_batches_end);
    RUN(configuration_is_kept);
    RUN(keys_live_and_die_with_frames);
    RUN(a_rewritten_log_is_read_without_writing);
    RUN(topics_come_and_go);
    RUN(a_second_process_is_refused);
    RUN(appends_fall_out_one_by_one);
    RUN(the_log_gives_the_time_where_the_topic_wants_it);
    RUN(aborted_transactions_are_found_again);
    RUN(producers_that_were_idle_are_forgotten);
    RUN(retention_leaves_time_to_read);
    RUN(compaction_asks_for_the_tail);
    RUN(compaction_leaves_what_is_needed);
    RUN(leases_are_whole_batches);
    RUN(leases_outlive_their_segments);
    RUN(leases_outlive_compaction);
    RUN(leases_end_before_what_is_not_committed);
    RUN(leases_do_not_believe_an_index);
    RUN(a_file_that_was_cut_is_not_leased);
    RUN(leases_of_what_is_in_memory);
    RUN(any_call_of_a_cached_lease_may_fail);
    RUN(bounds_alone_are_told_without_records);
    RUN(any_call_of_a_lease_may_fail);
    RUN(producers_and_readers_on_loops_of_their_own);
    arena_fini(&scratch);
    return test_end();
}

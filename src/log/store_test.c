/* The store as its users see it, on the real file system: frames in, records out, again after a restart. */
#include "log/store.h"

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
static void expect_old_record(struct store *store)
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
    EXPECT(store_topic(store, "t", &info) && kept->compression == 4 && !kept->internal &&
           kept->retention_ms == -1 && kept->compact && kept->delete_too && kept->log_append_time &&
           kept->min_compaction_lag_ms == 1 && kept->max_compaction_lag_ms == 2 &&
           kept->delete_retention_ms == 3 && kept->timestamp_before_max_ms == 4 &&
           kept->timestamp_after_max_ms == 5 && kept->max_message_bytes == 6 &&
           kept->min_dirty_permille == 7);
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
        int index, left;
    } producers[ROLES_PRODUCERS];
    int running;
    struct task reader;
    struct waker waker;
    struct log_wait waits[2];
    int64_t at[2], wanted[2];
    uint64_t records;
    bool bad;
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
        frame_append_copy(p->frame, p->roles->logs[i], batch.p, batch.n);
    }
    frame_put(p->frame, STR("roles"), STR("some value"));
    frame_submit(p->frame);
}

static void roles_done(struct frame *frame)
{
    struct roles_producer *p = frame->arg;
    if (!frame->durable)
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
        struct log_slice slice;
        struct err err;
        if (!log_read(r->logs[i], r->at[i], 1 << 16, &slice, &err)) {
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
            log_wait(r->logs[i], &r->waits[i], &r->waker, r->at[i]);
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
    RUN(segment_files_end_where_their_batches_end);
    RUN(configuration_is_kept);
    RUN(keys_live_and_die_with_frames);
    RUN(topics_come_and_go);
    RUN(a_second_process_is_refused);
    RUN(producers_and_readers_on_loops_of_their_own);
    arena_fini(&scratch);
    return test_end();
}

/* Recovery: a data folder on the simulator's disk, damaged as the input says, is opened, read to its end, written to, closed.
 *
 * What comes of it is an error or whole frames. Where one stretch of at most 16 bytes was damaged and no checksum put right again, nothing that
 * was acknowledged is missing in silence, either: the folder is refused, or each log begins and ends where it did, and each record that
 * passes its checksum is the one that was written.
 *
 * An input is a list of changes: one byte what, one byte which file, four bytes where, then as change() reads them. */
#include <stdio.h>

#include "log/log_private.h"
#include "os/sim.h"

enum {
    FILES_MAX = 64,
    FRAMES_MAX = 256,
    PARTITIONS = 2,
    RECORDS_MAX = 512,
    CHANGES_MAX = 8,
    GENTLE_BYTES_MAX = 16,
    BATCH_HEAD = 21,
};

enum change { FLIP, CUT, ZERO, COPY, DELETE, FORGE, EXTEND, CHANGES };

static struct folder_file {
    char path[128];
    uint8_t *bytes, *changed; /* bytes[n], changed[changed_n] */
    size_t n, changed_n;
    bool gone;
} files[FILES_MAX];
static size_t file_count;

static struct known_frame {
    size_t file, offset, size;
} frames[FRAMES_MAX];
static size_t frame_count;

/* What was acknowledged. */
static struct {
    int64_t start[PARTITIONS], end[PARTITIONS];
    uint32_t sums[PARTITIONS][RECORDS_MAX]; /* of the record at each offset */
} known;

static const struct store_options plain = {
    .ring_file_bytes = 32 << 10, .ring_bytes = 128 << 10, .tail_bytes = 64 << 10, .reserve_bytes = 16 << 10};

/* ---- the folder ---------------------------------------------------------------------------------------------------- */

static struct store *open_store(struct pool *pool, bool accept_damage, struct err *err)
{
    struct store_options options = plain;
    struct loop *disk;
    struct store *store = NULL;
    options.accept_damage = accept_damage;
    CHECK(loop_new(ROLE_DISK, "disk", &disk, err));
    return store_open(pool, "/d", &options, disk, &store, err) ? store : NULL;
}

static void append(struct store *store, int32_t partition, uint32_t records, int64_t truncate_before)
{
    struct records_builder b = {0};
    struct str batch;
    struct err err;
    struct log *log = log_get(store, "t", partition);
    struct frame *frame = frame_new(store);
    records_begin(&b);
    for (uint32_t i = 0; i < records; i++) {
        char text[128];
        int n = snprintf(text, sizeof text, "record %u of %u after %lld", i, records,
                         (long long)log_end(log));
        memset(text + n, '.', sizeof text - (size_t)n);
        records_add(&b, 1000 + i, str_n(text, 7), str_n(text, sizeof text), NULL, 0);
    }
    CHECK(records_end(&b, 0, 0, NULL, &batch, &err));
    frame_append_copy(frame, log, batch.p, batch.n);
    frame_put(frame, STR("position"), str_n(batch.p, 20));
    if (truncate_before)
        frame_log_truncate_before(frame, log, truncate_before);
    CHECK(frame_commit_now(frame, &err));
    frame_free(frame);
    log_release(log);
    records_builder_fini(&b);
}

/* Something that was damaged and opened takes another frame, or says why not. */
static void write_on(struct store *store)
{
    struct err err;
    struct sbuf value = {0};
    struct frame *frame = frame_new(store);
    frame_put(frame, STR("after"), STR("all"));
    bool done = frame_commit_now(frame, &err);
    CHECK(!done || (store_get(store, STR("after"), &value) && str_is(sbuf_view(&value), "all")));
    frame_free(frame);
    sbuf_fini(&value);
}

static void make_folder(void) UNSHARED
{
    struct topic_config config;
    struct err err;
    topic_config_default(&config);
    config.segment_bytes = 6 << 10;
    config.retention_ms = -1;
    for (int life = 0; life < 3; life++) {
        struct pool *pool = pool_new(NULL, "make");
        struct store *store = open_store(pool, false, &err);
        CHECK(store != NULL);
        if (life == 0) {
            struct frame *frame = frame_new(store);
            frame_topic_create(frame, "t", PARTITIONS, &config);
            CHECK(frame_commit_now(frame, &err));
            frame_free(frame);
        }
        for (int i = 0; i < 12; i++)
            append(store, i % PARTITIONS, 1 + (uint32_t)i % 5, life == 1 && i == 6 ? 10 : 0);
        if (life < 2) {
            CHECK(store_close(store, &err));
        } else { /* as by kill -9: its frames are in the journal alone */
            write_on(
                store); /* no later frame says that this one is durable: damaged, it is missing in silence */
            store_faults_forget(store);
        }
        pool_free(pool);
        run_sim_reset();
    }
}

static void take_folder(const char *folder)
{
    struct arena arena = {0};
    struct err err;
    char **names;
    size_t count;
    CHECK(os_list(folder, &arena, &names, &count, &err));
    for (size_t i = 0; i < count; i++) {
        struct folder_file *f = &files[file_count];
        struct os_stat stat;
        struct sbuf bytes = {0};
        snprintf(f->path, sizeof f->path, "%s/%s", folder, names[i]);
        CHECK(os_stat(f->path, &stat, &err));
        if (stat.is_folder) {
            char path[sizeof f->path];
            memcpy(path, f->path, sizeof path);
            take_folder(path);
            continue;
        }
        CHECK(os_read_file(f->path, 1 << 20, &bytes, &err) && file_count < FILES_MAX - 1);
        f->n = bytes.n;
        f->bytes = mem_new(f->n + 1);
        memcpy(f->bytes, bytes.p, f->n);
        sbuf_fini(&bytes);
        file_count++;
    }
    arena_fini(&arena);
}

static void find_frames(void)
{
    for (size_t i = 0; i < file_count; i++) {
        const struct folder_file *f = &files[i];
        struct jf_file head;
        if (strncmp(f->path, "/d/journal/", 11) != 0 || f->n < JF_BLOCK || !jf_file_get(f->bytes, &head))
            continue;
        for (size_t at = JF_BLOCK; at + JF_HEADER <= f->n; at += JF_ALIGN) {
            struct jf_header header;
            uint64_t position = head.sequence * head.file_data + at - JF_BLOCK;
            if (frame_count < FRAMES_MAX && jf_header_get(f->bytes + at, head.store, position, &header) &&
                header.size <= f->n - at)
                frames[frame_count++] = (struct known_frame){i, at, header.size};
        }
    }
    CHECK(frame_count > 10);
}

/* Synced step by step: what is not would stay in the simulator's memory, since it may come back. */
static void remove_folder(const char *folder) /* as deep as a data folder */
{
    struct arena arena = {0};
    struct os_stat stat;
    struct err err;
    char **names;
    size_t count = 0;
    if (os_exists(folder))
        CHECK(os_list(folder, &arena, &names, &count, &err));
    for (size_t i = 0; i < count; i++) {
        const char *path = arena_printf(&arena, "%s/%s", folder, names[i]);
        CHECK(os_stat(path, &stat, &err));
        if (stat.is_folder) {
            remove_folder(path);
            CHECK(os_rmdir(path, &err));
        } else {
            CHECK(os_unlink(path, &err));
        }
    }
    if (count)
        CHECK(os_sync_folder(folder, &err));
    arena_fini(&arena);
}

static void put_folder(void)
{
    struct err err;
    remove_folder("/d");
    for (size_t i = 0; i < file_count; i++) {
        const struct folder_file *f = &files[i];
        char folder[sizeof f->path];
        int file;
        memcpy(folder, f->path, sizeof folder);
        for (char *slash = strchr(folder + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
            *slash = '\0'; /* os_mkdirs would sync, which takes longer than all the rest */
            (void)!os_mkdir(folder, &err);
            *slash = '/';
        }
        if (f->gone)
            continue;
        CHECK(os_open(f->path, OS_WRITE | OS_CREATE | OS_TRUNCATE, &file, &err) &&
              os_pwrite(file, f->changed, f->changed_n, 0, &err));
        os_close(file);
    }
}

/* ---- looking ---------------------------------------------------------------------------------------------------------- */

/* What is in one batch, or nothing where it is damaged; learn: it is taken down as right, else compared where it has to be the same. */
static bool see_batch(int32_t partition, const uint8_t *p, size_t n, bool learn, bool same, uint32_t *size)
{
    struct records_reader reader;
    struct record record;
    struct buf *scratch = NULL;
    struct err err;
    bool more = true, ok = records_batch_read(p, n, true, &reader.batch, &err) &&
                           records_open(p, n, NULL, &scratch, &reader, &err);
    while (ok && records_next(&reader, &record, &more, &err) && more) {
        uint32_t sum = crc32c(0, record.value.p, record.value.n);
        bool inside = record.offset >= 0 && record.offset < RECORDS_MAX;
        if (learn)
            known.sums[partition][record.offset] = sum;
        else if (same)
            CHECK(inside && known.sums[partition][record.offset] == sum);
    }
    *size = ok ? reader.batch.size : 0;
    if (scratch)
        buf_unref(scratch);
    return ok;
}

static void see_log(struct store *store, int32_t partition, bool learn, bool same)
{
    struct log *log = log_get(store, "t", partition);
    struct err err;
    if (log == NULL) {
        CHECK(!same && !learn);
        return;
    }
    int64_t at = log_start(log), end = log_end(log);
    CHECK(at <= end);
    if (learn) {
        CHECK(end < RECORDS_MAX);
        known.start[partition] = at;
        known.end[partition] = end;
    } else if (same) {
        CHECK(at == known.start[partition] && end == known.end[partition]);
    }
    while (at < end) {
        struct log_slice slice;
        uint32_t size = 0;
        if (!log_read(log, at, 4096, &slice, &err))
            break;
        bool whole = slice.n > 0;
        CHECK(whole && slice.next_offset > at && slice.next_offset <= end);
        for (size_t i = 0; whole && i < slice.n; i += size)
            whole = see_batch(partition, slice.p + i, slice.n - i, learn, same, &size);
        at = slice.next_offset;
        buf_unref(slice.buf);
        CHECK(whole || !learn);
    }
    int64_t found, timestamp;
    (void)!log_find_time(log, 1002, &found, &timestamp, &err);
    log_release(log);
}

static bool open_and_look(bool accept_damage, bool learn, bool same)
{
    struct pool *pool = pool_new(NULL, "fuzz");
    struct err err = {0};
    struct store *store = open_store(pool, accept_damage, &err);
    if (store) {
        for (int32_t p = 0; p < PARTITIONS; p++)
            see_log(store, p, learn, same);
        write_on(store);
        (void)!store_close(store, &err);
    }
    pool_free(pool);
    run_sim_reset();
    return store != NULL;
}

/* ---- changes ------------------------------------------------------------------------------------------------------------ */

/* Makes the checksums of a frame right again, as far as its lengths allow it. */
static void reseal(uint8_t *p, size_t n)
{
    size_t size = get_le32(p + 56);
    uint32_t sum = 0;
    if (size < JF_HEADER || size > n)
        size = n;
    for (size_t at = JF_HEADER; at + JF_ENTRY <= size;) {
        size_t end = at + JF_ENTRY + get_le32(p + at + 16);
        sum = crc32c(sum, p + at, JF_ENTRY);
        if (end > size || end < at)
            break;
        bool batches = p[at] == JF_APPEND;
        at += JF_ENTRY;
        if (!batches)
            sum = crc32c(sum, p + at, end - at);
        while (batches && end - at >= RECORDS_HEADER) {
            size_t batch = 12 + (size_t)get_be32(p + at + 8);
            if (batch < RECORDS_HEADER || batch > end - at)
                break;
            put_be32(p + at + 17, crc32c(0, p + at + BATCH_HEAD, batch - BATCH_HEAD));
            sum = crc32c(sum, p + at, BATCH_HEAD);
            at += batch;
        }
        at = jf_padded(end);
    }
    put_le32(p + 72, sum);
    put_le32(p + 4, crc32c(0, p + 8, JF_HEADER - 8));
}

/* One change; true: it was a gentle one. */
static bool change(struct rd *rd)
{
    enum change what = rd_u8(rd) % CHANGES;
    struct folder_file *f = &files[rd_u8(rd) % file_count];
    size_t at = rd_le32(rd), n = rd_u8(rd);
    at = f->changed_n ? at % f->changed_n : 0;
    switch (what) {
    case FLIP:
        n = 1 + n % GENTLE_BYTES_MAX;
        for (size_t i = at; i < at + n && i < f->changed_n; i++)
            f->changed[i] ^= rd_u8(rd);
        return true;
    case CUT: f->changed_n = at; break;
    case ZERO:
        n = n * 64 < f->changed_n - at ? n * 64 : f->changed_n - at;
        memset(f->changed + at, 0, n);
        break;
    case COPY: {
        size_t from = f->changed_n ? rd_le32(rd) % f->changed_n : 0,
               most = f->changed_n - (at > from ? at : from);
        n = n * 64 < most ? n * 64 : most;
        memmove(f->changed + at, f->changed + from, n);
        break;
    }
    case DELETE: f->gone = true; break;
    case FORGE: {
        const struct known_frame *frame = &frames[rd_u8(rd) % frame_count];
        uint8_t *p = files[frame->file].changed + frame->offset;
        if (frame->offset + frame->size > files[frame->file].changed_n)
            break;
        at = at % frame->size & ~(size_t)3;
        for (size_t i = at; i < at + 1 + n % 8 && i < frame->size; i++)
            p[i] ^= rd_u8(rd);
        reseal(p, frame->size);
        break;
    }
    case EXTEND: {
        n = n < rd_left(rd) ? n : rd_left(rd);
        uint8_t *more = mem_resize(f->changed, f->changed_n + n + 1);
        for (size_t i = 0; i < n; i++)
            more[f->changed_n + i] = rd_u8(rd);
        f->changed = more;
        f->changed_n += n;
        break;
    }
    case CHANGES: UNREACHABLE("change");
    }
    return false;
}

static void begin(void)
{
    sim_open(1);
    make_folder();
    take_folder("/d");
    find_frames();
    for (size_t i = 0; i < file_count; i++) {
        files[i].changed = files[i].bytes;
        files[i].changed_n = files[i].n;
    }
    put_folder();
    CHECK(open_and_look(false, true, false));
}

extern const int fuzz_runs;
const int fuzz_runs = 400; /* in the check */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rd rd = rd_of(data, size);
    bool gentle = true;
    int changes = 0;
    if (file_count == 0)
        begin();
    for (size_t i = 0; i < file_count; i++) {
        struct folder_file *f = &files[i];
        f->changed = mem_new(f->n + 1);
        memcpy(f->changed, f->bytes, f->n);
        f->changed_n = f->n;
        f->gone = false;
    }
    while (rd_left(&rd) > 0 && changes < CHANGES_MAX) {
        gentle = change(&rd) && gentle;
        changes++;
    }
    put_folder();
    if (!open_and_look(false, false, gentle && changes <= 1)) {
        put_folder();
        open_and_look(true, false, false);
    }
    for (size_t i = 0; i < file_count; i++)
        mem_free(files[i].changed);
    return 0;
}

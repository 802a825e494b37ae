/* What producers build. Everything here runs on the producer's role until frame_submit, and again in done; between them the
 * frame belongs to the disk role. Batches are checked here, their checksums too: what enters the journal with a wrong one
 * would be taken for damage by the next recovery. */
#include <errno.h>

#include "log/log_private.h"

static void submitted(struct msg *msg);
static void replied(struct msg *msg);

static struct frame_full *full(struct frame *frame)
{
    return CONTAINER_OF(frame, struct frame_full, f);
}

struct frame *frame_new(struct store *store)
{
    struct frame_full *frame = mem_new(sizeof *frame);
    frame->store = store;
    list_init(&frame->link);
    msg_init(&frame->submit, submitted);
    msg_init(&frame->reply, replied);
    return &frame->f;
}

struct frame_full *frame_internal(struct store *store)
{
    struct frame_full *frame = full(frame_new(store));
    frame->f.internal = true;
    return frame;
}

void frame_reset(struct frame *f)
{
    struct frame_full *frame = full(f);
    CHECK(!frame->in_flight);
    for (size_t i = 0; i < frame->item_count; i++) {
        buf_unref(frame->items[i].buf);
        mem_free(frame->items[i].topic);
    }
    frame->item_count = frame->append_count = frame->produce_count = frame->fallen_out = 0;
    CHECK(frame->undo_count == 0);
    sbuf_clear(&frame->copied);
    frame->has_puts = frame->has_catalog = frame->finished = false;
    frame->root = NULL;
    frame->is_root = frame->is_opening = false;
    frame->bytes = 0;
    err_clear(&frame->early);
    err_clear(&f->err);
    f->durable = false;
    f->lsn = 0;
}

void frame_free(struct frame *f)
{
    if (f == NULL)
        return;
    struct frame_full *frame = full(f);
    frame_reset(f);
    mem_free(frame->items);
    mem_free(frame->undo);
    mem_free(f->results);
    sbuf_fini(&frame->copied);
    records_builder_fini(&frame->puts);
    records_builder_fini(&frame->catalog);
    mem_free(frame);
}

static struct frame_item *add_item(struct frame_full *frame, enum item_kind kind, struct log *log)
{
    CHECK(!frame->in_flight);
    if (frame->item_count >= FRAME_APPENDS_MAX && frame->early.class == ERR_NONE)
        err_set(&frame->early, ERR_FATAL, "a frame cannot hold more than %d appends", FRAME_APPENDS_MAX);
    frame->items = mem_grow(frame->items, &frame->item_capacity, frame->item_count + 1, sizeof *frame->items);
    struct frame_item *item = &frame->items[frame->item_count++];
    *item = (struct frame_item){.kind = kind, .log = log};
    return item;
}

/* Offsets that the batches at p[n] use, if they are whole, begin at 0 and have right checksums. */
static int64_t count_offsets(struct frame_full *frame, const uint8_t *p, size_t n)
{
    int64_t offsets = 0;
    struct err err = {0};
    for (size_t at = 0; at < n;) {
        struct records_batch batch;
        if (!records_batch_read(p + at, n - at, true, &batch, &err)) {
            if (frame->early.class == ERR_NONE)
                frame->early = err;
            return 0;
        }
        if (batch.producer_id >= 0 || batch.attributes & (RECORDS_TRANSACTIONAL | RECORDS_CONTROL)) {
            if (frame->early.class == ERR_NONE)
                err_set(&frame->early, ERR_DATA,
                        "a record batch with a producer id cannot be appended unchecked");
            return 0;
        }
        at += batch.size;
        offsets += batch.last_offset_delta + INT64_C(1);
    }
    return offsets;
}

static void add_append(struct frame_full *frame, struct log *log, struct buf *buf, size_t at, size_t n,
                       const uint8_t *p)
{
    if (n == 0 || n > FRAME_BYTES_MAX) {
        if (frame->early.class == ERR_NONE)
            err_set(&frame->early, ERR_DATA, "an append of %zu bytes cannot be: 1 to %d are possible", n,
                    FRAME_BYTES_MAX);
        return;
    }
    struct frame_item *item = add_item(frame, ITEM_APPEND, log);
    item->buf = buf ? buf_ref(buf) : NULL;
    item->at = at;
    item->n = n;
    item->offset = count_offsets(frame, p, n);
    item->result = frame->append_count++;
    frame->bytes += n;
}

void frame_append(struct frame *f, struct log *log, struct buf *buf, size_t at, size_t n)
{
    CHECK(at <= buf->capacity && n <= buf->capacity - at);
    add_append(full(f), log, buf, at, n, buf->p + at);
}

void frame_append_copy(struct frame *f, struct log *log, const void *batches, size_t n)
{
    struct frame_full *frame = full(f);
    size_t at = frame->copied.n;
    if (n <= FRAME_BYTES_MAX)
        sbuf_add(&frame->copied, batches, n);
    add_append(frame, log, NULL, at, n, batches);
}

/* Of one batch that may fall out. */
static struct frame_item *add_produce(struct frame_full *frame, struct log *log, size_t n)
{
    struct frame_item *item = add_item(frame, ITEM_APPEND, log);
    item->n = n;
    item->may_fall_out = true;
    item->result = frame->append_count++;
    frame->produce_count++;
    frame->bytes += n;
    return item;
}

void frame_append_produce(struct frame *f, struct log *log, struct buf *buf, size_t at, size_t n,
                          unsigned flags)
{
    struct frame_full *frame = full(f);
    struct records_batch batch;
    CHECK(at <= buf->capacity && n <= buf->capacity - at);
    bool is_whole = n <= FRAME_BYTES_MAX && records_batch_read(buf->p + at, n, true, &batch, NULL) &&
                    batch.size == n && !(batch.attributes & RECORDS_CONTROL) &&
                    (batch.producer_id < 0 || batch.producer_epoch >= 0) &&
                    (batch.producer_id >= 0 || !(batch.attributes & RECORDS_TRANSACTIONAL));
    struct frame_item *item = add_produce(frame, log, is_whole ? n : 0);
    item->is_corrupt = !is_whole;
    if (!is_whole)
        return;
    item->buf = buf_ref(buf);
    item->at = at;
    item->flags = flags;
    item->offset = batch.last_offset_delta + INT64_C(1);
}

void frame_append_marker(struct frame *f, struct log *log, const struct txn_marker *marker)
{
    struct frame_full *frame = full(f);
    uint8_t bytes[RECORDS_MARKER_BYTES];
    CHECK(marker->producer_id >= 0 && marker->producer_epoch >= 0);
    records_marker_put(bytes, &(struct records_marker){.producer_id = marker->producer_id,
                                                       .timestamp_ms = os_wall().us / US_PER_MS,
                                                       .coordinator_epoch = marker->coordinator_epoch,
                                                       .producer_epoch = marker->producer_epoch,
                                                       .commits = marker->commits});
    struct frame_item *item = add_produce(frame, log, sizeof bytes);
    item->at = frame->copied.n;
    sbuf_add(&frame->copied, bytes, sizeof bytes);
    item->is_marker = true;
    item->raises_epoch = marker->raises_epoch;
    item->offset = 1;
}

const uint8_t *frame_item_bytes(const struct frame_full *frame, const struct frame_item *item)
{
    return (item->buf ? item->buf->p : (const uint8_t *)frame->copied.p) + item->at;
}

void frame_put(struct frame *f, struct str key, struct str value)
{
    struct frame_full *frame = full(f);
    CHECK(!frame->in_flight);
    if (key.n == 0 || key.n > STORE_KEY_MAX || value.n > STORE_VALUE_MAX) {
        if (frame->early.class == ERR_NONE)
            err_set(&frame->early, ERR_DATA,
                    "a key of %zu bytes with a value of %zu bytes cannot be stored: at most %d and %d", key.n,
                    value.n, STORE_KEY_MAX, STORE_VALUE_MAX);
        return;
    }
    if (!frame->has_puts)
        records_begin(&frame->puts);
    frame->has_puts = true;
    if (value.n == 0)
        value = (struct str){0}; /* a tombstone */
    records_add(&frame->puts, os_wall().us / US_PER_MS, key, value, NULL, 0);
    frame->bytes += key.n + value.n;
}

void frame_catalog_put(struct frame_full *frame, struct str key, struct str value)
{
    if (!frame->has_catalog)
        records_begin(&frame->catalog);
    frame->has_catalog = true;
    records_add(&frame->catalog, os_wall().us / US_PER_MS, key, value, NULL, 0);
}

static struct topic_info *topic_item(struct frame *f, enum item_kind kind, const char *name)
{
    struct frame_full *frame = full(f);
    struct frame_item *item = add_item(frame, kind, NULL);
    item->topic = mem_new(sizeof *item->topic);
    size_t n = strlen(name);
    if (n > TOPIC_NAME_MAX) {
        n = TOPIC_NAME_MAX;
        if (frame->early.class == ERR_NONE)
            err_set(&frame->early, ERR_FATAL, "the topic name \"%.32s…\" is longer than %d characters", name,
                    TOPIC_NAME_MAX);
    }
    memcpy(item->topic->name, name, n);
    frame->bytes += sizeof *item->topic;
    return item->topic;
}

void topic_config_default(struct topic_config *config)
{
    *config = (struct topic_config){
        .retention_ms = INT64_C(7) * 24 * 3600 * 1000,
        .retention_bytes = -1,
        .segment_bytes = SEGMENT_BYTES_MAX,
        .segment_ms = INT64_C(7) * 24 * 3600 * 1000,
        .pin_bytes = PIN_BYTES_DEFAULT,
        .max_compaction_lag_ms = INT64_MAX,
        .delete_retention_ms = INT64_C(24) * 3600 * 1000,
        .timestamp_before_max_ms = INT64_MAX,
        .timestamp_after_max_ms = INT64_C(3600) * 1000,
        .max_message_bytes = (1 << 20) + 12,
        .min_dirty_permille = 500,
    };
}

void topic_config_retain(struct topic_config *config, int64_t retention_ms, int64_t retention_bytes)
{
    enum { SEGMENTS = 8, LEAST_BYTES = 64 << 10, LEAST_MS = 1000 };
    struct topic_config most;
    topic_config_default(&most);
    int64_t bytes = retention_bytes < 0 ? INT64_MAX : retention_bytes / SEGMENTS;
    int64_t ms = retention_ms < 0 ? INT64_MAX : retention_ms / SEGMENTS;
    config->retention_ms = retention_ms;
    config->retention_bytes = retention_bytes;
    config->segment_bytes = bytes < LEAST_BYTES          ? LEAST_BYTES
                            : bytes < most.segment_bytes ? bytes
                                                         : most.segment_bytes;
    config->segment_ms = ms < LEAST_MS ? LEAST_MS : ms < most.segment_ms ? ms : most.segment_ms;
}

void frame_topic_create(struct frame *frame, const char *name, int32_t partitions,
                        const struct topic_config *config)
{
    struct topic_info *info = topic_item(frame, ITEM_CREATE, name);
    info->partitions = partitions;
    info->config = *config;
    os_random(info->id, sizeof info->id);
}

void frame_topic_delete(struct frame *frame, const char *name)
{
    topic_item(frame, ITEM_DELETE, name);
}

void frame_topic_alter(struct frame *frame, const char *name, int32_t partitions,
                       const struct topic_config *config)
{
    struct topic_info *info = topic_item(frame, ITEM_ALTER, name);
    info->partitions = partitions;
    info->config = *config;
}

void frame_log_truncate_before(struct frame *frame, struct log *log, int64_t offset)
{
    add_item(full(frame), ITEM_TRUNCATE, log)->offset = offset;
}

size_t frame_bytes(const struct frame *f)
{
    return full((struct frame *)f)->bytes;
}

/* ---- on its way ------------------------------------------------------------------------------------------------------- */

static struct str seal_batch(struct records_builder *builder)
{
    struct str batch = {0};
    struct err err;
    bool done = records_end(builder, 0, 0, NULL, &batch, &err);
    CHECK(done && batch.n <= FRAME_BYTES_MAX + STORE_VALUE_MAX);
    return batch;
}

void frame_seal(struct frame_full *frame)
{
    size_t n = JF_HEADER;
    frame->fallen_out = 0;
    for (size_t i = 0; i < frame->item_count; i++) {
        struct frame_item *item = &frame->items[i];
        item->has_fallen_out = item->is_corrupt;
        frame->fallen_out += item->is_corrupt;
        if (item->is_corrupt)
            frame->f.results[item->result] = (struct frame_append_result){
                .base_offset = -1, .timestamp_ms = -1, .error = APPEND_CORRUPT};
        else if (item->kind == ITEM_APPEND)
            n += JF_ENTRY + jf_padded(item->n);
    }
    frame->put_batch = frame->has_puts ? seal_batch(&frame->puts) : (struct str){0};
    frame->catalog_batch = frame->has_catalog ? seal_batch(&frame->catalog) : (struct str){0};
    frame->put_item = (struct frame_item){.kind = ITEM_APPEND,
                                          .log = frame->store->positions_log,
                                          .n = frame->put_batch.n,
                                          .offset = frame->puts.count};
    frame->catalog_item = (struct frame_item){.kind = ITEM_APPEND,
                                              .log = frame->store->catalog_log,
                                              .n = frame->catalog_batch.n,
                                              .offset = frame->catalog.count};
    if (frame->has_puts)
        n += JF_ENTRY + jf_padded(frame->put_batch.n);
    if (frame->has_catalog)
        n += JF_ENTRY + jf_padded(frame->catalog_batch.n);
    if (frame->root != NULL)
        n += JF_ENTRY + jf_padded(frame->root->n);
    frame->encoded = n;
}

static void prepare(struct frame_full *frame)
{
    CHECK(!frame->in_flight);
    frame->in_flight = true;
    frame->finished = false;
    frame->f.durable = false;
    err_clear(&frame->f.err);
    if (frame->bytes > FRAME_BYTES_MAX && frame->early.class == ERR_NONE)
        err_set(&frame->early, ERR_FATAL, "a frame of %zu bytes cannot be: at most %d", frame->bytes,
                FRAME_BYTES_MAX);
    if (frame->append_count > frame->result_capacity) {
        mem_free(frame->f.results);
        frame->f.results = mem_new_array(struct frame_append_result, frame->append_count);
        frame->result_capacity = frame->append_count;
    }
}

void frame_submit(struct frame *f)
{
    struct frame_full *frame = full(f);
    prepare(frame);
    frame->loop = loop_current();
    CHECK(frame->loop != NULL);
    loop_post(frame->store->disk, &frame->submit);
}

/* On the disk role. */
static void submitted(struct msg *msg)
{
    struct frame_full *frame = CONTAINER_OF(msg, struct frame_full, submit);
    store_queue(frame->store, frame);
}

/* On the loop that submitted. */
static void replied(struct msg *msg)
{
    struct frame_full *frame = CONTAINER_OF(msg, struct frame_full, reply);
    frame->in_flight = false;
    frame->f.done(&frame->f);
}

/* On the disk role. */
void frame_finish(struct frame_full *frame, bool durable, const struct err *err)
{
    frame->f.durable = durable;
    if (err != NULL)
        frame->f.err = *err;
    frame->finished = true;
    if (frame->loop != NULL) {
        loop_post(frame->loop, &frame->reply);
        return;
    }
    frame->in_flight = false;
    if (frame->f.done != NULL)
        frame->f.done(&frame->f);
}

bool frame_commit_now(struct frame *f, struct err *err) UNSHARED
{
    struct frame_full *frame = full(f);
    void (*done)(struct frame *) = f->done;
    prepare(frame);
    f->done = NULL;
    frame->loop = NULL;
    store_queue(frame->store, frame);
    store_work_until(frame->store, frame);
    f->done = done;
    if (!f->durable && err != NULL)
        *err = f->err;
    return f->durable;
}

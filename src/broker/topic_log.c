#include "broker/topic_log.h"

#include <errno.h>

#include "format/compress.h"
#include "obs/event.h"
#include "os/os.h"

enum { LOAD_BYTES = 1 << 20, SEGMENT_BYTES = 100 << 20 /* Kafka's offsets.topic.segment.bytes */ };

void topic_log_init(struct coordinator_topic *t, const char *name)
{
    *t = (struct coordinator_topic){.name = name};
    list_init(&t->waiting);
}

void topic_log_fini(struct coordinator_topic *t)
{
    for (int32_t i = 0; i < COORDINATOR_PARTITIONS; i++)
        log_release(t->logs[i]);
}

static bool find_logs(struct broker *b, struct coordinator_topic *t)
{
    for (int32_t i = 0; i < COORDINATOR_PARTITIONS; i++)
        if (t->logs[i] == NULL && (t->logs[i] = log_get(b->store, t->name, i)) == NULL)
            return false;
    return true;
}

/* ---- loading -------------------------------------------------------------------------------------------------------------------------- */

struct load {
    const char *topic;
    bool (*record)(void *arg, int64_t producer_id, struct str key, struct str value, struct err *err);
    void (*marker)(void *arg, const struct records_marker *marker);
    void *arg;
    struct compress_ctx *compress;
    uint64_t skipped;
};

static bool load_batch(struct load *load, const uint8_t *p, size_t n, struct err *err)
{
    struct records_reader reader;
    struct record record;
    struct records_marker marker;
    struct buf *scratch = NULL;
    bool more = true;
    TRY(records_open(p, n, load->compress, &scratch, &reader, err));
    if (reader.batch.attributes & RECORDS_CONTROL) {
        if (records_marker_read(p, n, &marker))
            load->marker(load->arg, &marker);
        buf_unref(scratch);
        return true;
    }
    bool transactional = reader.batch.attributes & RECORDS_TRANSACTIONAL, done;
    while ((done = records_next(&reader, &record, &more, err)) && more) {
        struct err why;
        if (load->record(load->arg, transactional ? reader.batch.producer_id : -1, record.key, record.value,
                         &why))
            continue;
        if (load->skipped++ == 0)
            event_err(EVENT_KAFKA_TROUBLE, load->topic, &why);
    }
    buf_unref(scratch);
    return done;
}

static bool load_slice(struct load *load, const struct log_slice *slice, struct err *err)
{
    struct records_batch batch;
    for (size_t at = 0; at < slice->n; at += batch.size) {
        TRY(records_batch_read(slice->p + at, slice->n - at, false, &batch, err));
        TRY(load_batch(load, slice->p + at, batch.size, err));
    }
    return true;
}

static bool load_log(struct load *load, struct log *log, struct err *err)
{
    int64_t at = log_start(log), end = log_end(log);
    while (at < end) {
        struct log_slice slice;
        TRY(log_read(log, at, LOAD_BYTES, &slice, err));
        if (slice.n == 0)
            return true;
        bool done = load_slice(load, &slice, err);
        at = slice.next_offset;
        buf_unref(slice.buf);
        if (!done)
            return err_context(err, "%s-%d", load->topic, log_partition(log));
    }
    return true;
}

bool topic_log_load(struct broker *b, struct coordinator_topic *t,
                    bool (*record)(void *arg, int64_t producer_id, struct str key, struct str value,
                                   struct err *err),
                    void (*marker)(void *arg, const struct records_marker *marker), void *arg,
                    struct err *err)
{
    struct load load = {.topic = t->name, .record = record, .marker = marker, .arg = arg};
    bool done = true;
    if (!find_logs(b, t))
        return true;
    load.compress = compress_ctx_new();
    for (int32_t i = 0; i < COORDINATOR_PARTITIONS && done; i++)
        done = load_log(&load, t->logs[i], err);
    compress_ctx_free(load.compress);
    if (load.skipped > 1)
        event_log(EVENT_KAFKA_TROUBLE, t->name, "%llu records were not understood, and skipped",
                  (unsigned long long)load.skipped);
    return done;
}

/* ---- writing -------------------------------------------------------------------------------------------------------------------------- */

static void topic_write_fini(struct topic_write *w)
{
    for (size_t i = 0; i < w->count; i++)
        records_builder_fini(&w->batches[i].records);
    mem_free(w->batches);
    w->batches = NULL;
    w->count = w->capacity = 0;
}

static void write_done(struct frame *frame)
{
    struct topic_write *w = frame->arg;
    struct broker *b = w->broker;
    bool ok = frame->durable;
    run_on_net();
    for (size_t i = 0; ok && i < w->count; i++)
        ok = frame->results[i].error == APPEND_DONE;
    frame_give(b, frame);
    topic_write_fini(w);
    b->running--;
    w->done(w, ok);
    broker_look_for_end(b);
}

void topic_write_init(struct topic_write *w, struct broker *b, struct coordinator_topic *topic,
                      void (*done)(struct topic_write *write, bool ok))
{
    *w = (struct topic_write){.broker = b, .topic = topic, .done = done, .producer_id = -1};
    w->frame = frame_take(b, write_done, w);
    w->frame->internal = true;
    list_init(&w->link);
}

static struct records_builder *batch_for(struct topic_write *w, int32_t partition)
{
    for (size_t i = 0; i < w->count; i++)
        if (w->batches[i].partition == partition)
            return &w->batches[i].records;
    w->batches = mem_grow(w->batches, &w->capacity, w->count + 1, sizeof *w->batches);
    struct topic_batch *batch = &w->batches[w->count++];
    *batch = (struct topic_batch){.partition = partition};
    records_begin(&batch->records);
    return &batch->records;
}

void topic_write_add(struct topic_write *w, int32_t partition, struct str key, struct str value)
{
    records_add(batch_for(w, partition), os_wall().us / US_PER_MS, key, value, NULL, 0);
}

void topic_write_stamp(struct topic_write *w, int64_t producer_id, int16_t producer_epoch)
{
    w->producer_id = producer_id;
    w->producer_epoch = producer_epoch;
}

static void lay_batches(struct topic_write *w)
{
    for (size_t i = 0; i < w->count; i++) {
        struct topic_batch *batch = &w->batches[i];
        struct str bytes;
        bool done = records_end(&batch->records, CODEC_NONE, 0, NULL, &bytes, NULL);
        CHECK(done);
        struct buf *buf = batch->records.buf;
        size_t at = (size_t)((const uint8_t *)bytes.p - buf->p);
        if (w->producer_id >= 0)
            records_batch_set_producer(buf->p + at, bytes.n, w->producer_id, w->producer_epoch);
        frame_append_produce(w->frame, w->topic->logs[batch->partition], buf, at, bytes.n,
                             PRODUCE_NO_SEQUENCES);
    }
}

static void submit_waiting(struct coordinator_topic *t) ON(net)
{
    struct list *link;
    while ((link = list_pop_front(&t->waiting)) != NULL) {
        struct topic_write *w = CONTAINER_OF(link, struct topic_write, link);
        lay_batches(w);
        if (w->lay_more)
            w->lay_more(w);
        frame_submit(w->frame);
    }
}

static void fail_waiting(struct coordinator_topic *t) ON(net)
{
    struct list *link;
    while ((link = list_pop_front(&t->waiting)) != NULL) {
        struct topic_write *w = CONTAINER_OF(link, struct topic_write, link);
        frame_give(w->broker, w->frame);
        topic_write_fini(w);
        w->broker->running--;
        w->done(w, false);
    }
}

struct making {
    struct broker *broker;
    struct coordinator_topic *topic;
};

static void topic_made(struct frame *frame)
{
    struct making *m = frame->arg;
    struct coordinator_topic *t = m->topic;
    struct broker *b = m->broker;
    run_on_net();
    t->is_making = false;
    if (!frame->durable && frame->err.code != EEXIST)
        event_err(EVENT_KAFKA_TROUBLE, t->name, &frame->err);
    frame_give(b, frame);
    mem_free(m);
    if (find_logs(b, t))
        submit_waiting(t);
    else
        fail_waiting(t);
}

static void make_topic(struct broker *b, struct coordinator_topic *t) ON(net)
{
    struct making *m = mem_new(sizeof *m);
    struct topic_config config;
    *m = (struct making){b, t};
    topic_config_default(&config);
    config.internal = config.compact = true;
    config.retention_ms = -1;
    config.segment_bytes = SEGMENT_BYTES;
    t->is_making = true;
    struct frame *frame = frame_take(b, topic_made, m);
    frame_topic_create(frame, t->name, COORDINATOR_PARTITIONS, &config);
    frame_submit(frame);
}

void topic_write_submit(struct topic_write *w)
{
    struct coordinator_topic *t = w->topic;
    w->broker->running++; /* the broker does not end before it is done */
    list_push_back(&t->waiting, &w->link);
    if (t->is_making)
        return;
    if (find_logs(w->broker, t))
        submit_waiting(t);
    else
        make_topic(w->broker, t);
}

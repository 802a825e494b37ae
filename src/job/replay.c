#include "job/replay.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/map.h"
#include "job/engine_private.h"

enum { ENVELOPE_KEY = 32, ID_BYTES = 28, QUERY_HEAD = 12, QUERY_POSITION = 16, TOPIC_ID = 16 };

/* ---- the topic ------------------------------------------------------------------------------------------------------- */

/* A topic's name may be as long as a name may be: then its hash stands for it. */
static void name_of(const char *stream, const char *topic, char name[TOPIC_NAME_MAX + 1])
{
    int n = snprintf(name, TOPIC_NAME_MAX + 1, "__replay.%s.%s", stream, topic);
    if (n > TOPIC_NAME_MAX)
        n = snprintf(name, TOPIC_NAME_MAX + 1, "__replay.%s.%016llx", stream,
                     (unsigned long long)hash_bytes(topic, strlen(topic)));
    CHECK(n <= TOPIC_NAME_MAX);
}

/* It keeps what it holds: that is how a rejected record is known to have been replayed. It grows by what a person replays. */
bool replay_topic(struct store *store, const char *stream, const char *topic, struct topic_info *info,
                  struct err *err)
{
    char name[TOPIC_NAME_MAX + 1];
    struct topic_config config;
    name_of(stream, topic, name);
    topic_config_default(&config);
    config.retention_ms = -1;
    config.segment_bytes = 64 << 20;
    return internal_topic(store, name, REPLAY_PARTITIONS, &config, info, err);
}

/* ---- what sinks remember -------------------------------------------------------------------------------------------------- */

uint64_t queries_at(struct str queries, int32_t input, int32_t partition, int64_t offset)
{
    uint64_t found = 0;
    for (size_t at = 0; at + QUERY_HEAD <= queries.n;) {
        const char *entry = queries.p + at, *end = queries.p + queries.n;
        at += QUERY_HEAD + get_be32(entry + 8) * (size_t)QUERY_POSITION;
        for (const char *p = entry + QUERY_HEAD; p + QUERY_POSITION <= end && p < queries.p + at;
             p += QUERY_POSITION)
            if ((int32_t)get_be32(p) == input && (int32_t)get_be32(p + 4) == partition &&
                (int64_t)get_be64(p + 8) <= offset)
                found = get_be64(entry);
    }
    return found;
}

uint64_t queries_last(struct str queries)
{
    uint64_t last = 0;
    for (size_t at = 0; at + QUERY_HEAD <= queries.n;
         at += QUERY_HEAD + get_be32(queries.p + at + 8) * (size_t)QUERY_POSITION)
        last = get_be64(queries.p + at);
    return last;
}

/* ---- envelopes, read ----------------------------------------------------------------------------------------------------- */

/* The first envelope of the slice at offset `from` or later; without one, no records, up to the slice's end. */
static bool next_envelope(const struct log_slice *slice, int64_t from, struct reading *out, struct err *err)
{
    *out = (struct reading){.records.buf = slice->buf, .until = INT64_MAX, .next = slice->next_offset};
    for (size_t at = 0; at < slice->n;) {
        struct records_reader reader;
        struct record record;
        struct buf *scratch;
        bool more = true;
        TRY(records_open(slice->p + at, slice->n - at, NULL, &scratch, &reader, err));
        at += reader.batch.size;
        while (records_next(&reader, &record, &more, err) && more) {
            if (record.offset < from)
                continue;
            if (record.key.n != ENVELOPE_KEY)
                return err_set(err, ERR_FATAL, "replayed record %lld is damaged", (long long)record.offset);
            out->records.p = (const uint8_t *)record.value.p;
            out->records.n = record.value.n;
            out->partition = (int32_t)get_be32(record.key.p);
            out->attempt = (int32_t)get_be32(record.key.p + 4);
            out->rejection = (struct rejection){
                true, (int32_t)get_be32(record.key.p + 8), (int32_t)get_be32(record.key.p + 12),
                (int64_t)get_be64(record.key.p + 16), get_be64(record.key.p + 24)};
            out->next = record.offset + 1;
            return true;
        }
        TRY(!more);
    }
    return true;
}

/* Of an envelope, only what the reader has left behind in the topic: the rest it has still to read there, where it may well be good today. */
bool reading_of(const struct stream_input *inputs, uint32_t count, const int64_t *next, uint32_t k,
                const struct log_slice *slice, struct reading *reading, struct err *err)
{
    const struct stream_input *input = &inputs[k];
    if (!input->replayed) {
        *reading = (struct reading){.records = *slice,
                                    .partition = input->partition,
                                    .from = next[k],
                                    .until = slice->next_offset,
                                    .next = slice->next_offset};
        return true;
    }
    TRY(next_envelope(slice, next[k], reading, err));
    for (uint32_t i = 0; i < count; i++)
        if (inputs[i].topic == input->topic && !inputs[i].replayed &&
            inputs[i].partition == reading->partition)
            reading->until = next[i];
    return true;
}

/* ---- what was replayed before ---------------------------------------------------------------------------------------------- */

/* A rejected record that a replay takes. */
struct pending {
    struct replay_record record;
    uint32_t topic;
    int to;
    struct rejection rejection;
};

struct replay {
    uint32_t topic_count;
    const char *const *topics;
    int32_t (
        *numbers)[2]; /* of each topic among the stream's inputs, and of the one that is replayed beside it */
    struct log **logs; /* logs[topic_count × REPLAY_PARTITIONS] */
    struct str bad;    /* what <stream>_bad remembers of its queries */
    struct map
        done; /* id → its envelope: 1 + offset × REPLAY_PARTITIONS + partition, as a pointer; 1: it is pending */
    struct arena arena;
    struct pending *pending; /* pending[count] */
    size_t count, capacity, bytes;
};

/* topic u32 │ partition i32 │ offset i64 │ timestamp i64 │ attempt i32. A topic that was made anew has other timestamps. */
static struct str id_of(uint32_t topic, const struct replay_record *record, int32_t attempt,
                        char id[ID_BYTES])
{
    put_be32(id, topic);
    put_be32(id + 4, (uint32_t)record->partition);
    put_be64(id + 8, (uint64_t)record->offset);
    put_be64(id + 16, (uint64_t)record->timestamp_ms);
    put_be32(id + 24, (uint32_t)attempt);
    return str_n(id, ID_BYTES);
}

static void set_done(struct replay *r, uint32_t topic, const struct replay_record *record, int32_t attempt,
                     uint64_t envelope)
{
    char id[ID_BYTES];
    map_put(&r->done, id_of(topic, record, attempt, id), (void *)(uintptr_t)(1 + envelope));
}

/* e.next: behind the envelope. */
static bool read_envelope(struct replay *r, uint32_t topic, uint32_t to, const struct reading *e,
                          struct err *err)
{
    for (size_t at = 0; at < e->records.n;) {
        struct records_reader reader;
        struct record record;
        struct buf *scratch;
        bool more = true;
        TRY(records_open(e->records.p + at, e->records.n - at, NULL, &scratch, &reader, err));
        at += reader.batch.size;
        while (more) {
            TRY(records_next(&reader, &record, &more, err));
            const struct replay_record seen = {
                .partition = e->partition, .offset = record.offset, .timestamp_ms = record.timestamp_ms};
            if (more)
                set_done(r, topic, &seen, e->attempt, (uint64_t)(e->next - 1) * REPLAY_PARTITIONS + to);
        }
    }
    return true;
}

static bool read_log(struct replay *r, uint32_t topic, uint32_t to, struct err *err)
{
    struct log *log = r->logs[topic * REPLAY_PARTITIONS + to];
    for (int64_t at = log_start(log); at < log_end(log);) {
        struct log_slice slice;
        bool ok = true;
        TRY(log_read(log, at, RUN_SLICE_BYTES, &slice, err));
        while (ok && at < slice.next_offset) {
            struct reading e;
            ok = next_envelope(&slice, at, &e, err) && read_envelope(r, topic, to, &e, err);
            at = e.next;
        }
        buf_unref(slice.buf);
        TRY(ok);
    }
    return true;
}

static int32_t number_of(struct str ids, const uint8_t *id)
{
    for (size_t at = 0; at + TOPIC_ID <= ids.n; at += TOPIC_ID)
        if (memcmp(ids.p + at, id, TOPIC_ID) == 0)
            return (int32_t)(at / TOPIC_ID);
    return -1;
}

static struct str stored(struct pool *pool, struct store *store, const char *key)
{
    struct sbuf value = {0};
    store_get(store, str_of(key), &value);
    struct str copy = str_n(arena_dup(pool_arena(pool), value.p ? value.p : "", value.n), value.n);
    sbuf_fini(&value);
    return copy;
}

bool replay_new(struct pool *pool, struct store *store, const char *stream, const char *const *topics,
                uint32_t count, struct replay **replay, struct err *err)
{
    struct replay *r = pool_new_struct(pool, struct replay);
    r->topics = topics;
    r->numbers = pool_alloc(pool, count * sizeof *r->numbers);
    r->bad = stored(pool, store, pool_printf(pool, "sink/%s/sluice.%s_bad/query", stream, stream));
    struct str ids = stored(pool, store, pool_printf(pool, "stream/%s/inputs", stream));
    r->logs = pool_alloc(pool, count * REPLAY_PARTITIONS * sizeof *r->logs);
    *replay = r;
    for (; r->topic_count < count; r->topic_count++) {
        uint32_t t = r->topic_count;
        char name[TOPIC_NAME_MAX + 1];
        struct topic_info info, input;
        name_of(stream, topics[t], name);
        if (!store_topic(store, topics[t], &input) ||
            !store_topic(store, name, &info)) /* the stream has not run since it reads that topic */
            continue;
        r->numbers[t][0] = number_of(ids, input.id);
        r->numbers[t][1] = number_of(ids, info.id);
        for (uint32_t p = 0; p < REPLAY_PARTITIONS; p++) {
            r->logs[t * REPLAY_PARTITIONS + p] = log_get(store, name, (int32_t)p);
            TRY(read_log(r, t, p, err));
        }
    }
    return true;
}

void replay_free(struct replay *r)
{
    for (uint32_t i = 0; i < r->topic_count * REPLAY_PARTITIONS; i++)
        if (r->logs[i])
            log_release(r->logs[i]);
    map_fini(&r->done);
    mem_free(r->pending);
    arena_fini(&r->arena);
}

/* ---- taking ------------------------------------------------------------------------------------------------------------------ */

static uint32_t find_topic(const struct replay *r, struct str name)
{
    uint32_t t = 0;
    while (t < r->topic_count && !(str_is(name, r->topics[t]) && r->logs[t * REPLAY_PARTITIONS]))
        t++;
    return t;
}

enum replay_state replay_state(struct replay *r, const struct replay_record *record)
{
    char id[ID_BYTES];
    uint32_t t = find_topic(r, record->topic);
    if (t == r->topic_count)
        return REPLAY_NO_TOPIC;
    return map_get(&r->done, id_of(t, record, record->attempt + 1, id)) ? REPLAY_DONE : REPLAY_NEW;
}

static struct str copy(struct replay *r, struct str s)
{
    return s.p ? str_n(arena_dup(&r->arena, s.p, s.n), s.n) : s;
}

/* Rejected in the topic, or in the envelope of the attempt before. */
static struct rejection rejection_of(struct replay *r, uint32_t topic, const struct replay_record *record)
{
    char id[ID_BYTES];
    struct rejection at = {true, r->numbers[topic][0], record->partition, record->offset, 0};
    uintptr_t envelope = (uintptr_t)map_get(&r->done, id_of(topic, record, record->attempt, id));
    if (envelope > 1)
        at = (struct rejection){true, r->numbers[topic][1], (int32_t)((envelope - 1) % REPLAY_PARTITIONS),
                                (int64_t)((envelope - 1) / REPLAY_PARTITIONS), 0};
    at.query = queries_at(r->bad, at.input, at.partition, at.offset);
    return at;
}

void replay_add(struct replay *r, const struct replay_record *record, int to)
{
    uint32_t t = find_topic(r, record->topic);
    CHECK(t < r->topic_count);
    r->pending = mem_grow(r->pending, &r->capacity, r->count + 1, sizeof *r->pending);
    struct pending *p = &r->pending[r->count++];
    *p = (struct pending){.record = *record, .topic = t, .to = to, .rejection = rejection_of(r, t, record)};
    p->record.key = copy(r, record->key);
    p->record.value = copy(r, record->value);
    r->bytes += record->key.n + record->value.n;
    set_done(r, t, record, record->attempt + 1, 0);
}

size_t replay_bytes(const struct replay *r)
{
    return r->bytes;
}

/* ---- envelopes, written --------------------------------------------------------------------------------------------------------- */

#define COMPARE(x, y)                                                                                        \
    if ((x) != (y))                                                                                          \
    return (x) < (y) ? -1 : 1

static int in_order(const void *left, const void *right)
{
    const struct pending *a = left, *b = right;
    COMPARE(a->topic, b->topic);
    COMPARE(a->to, b->to);
    COMPARE(a->record.partition, b->record.partition);
    COMPARE(a->record.attempt, b->record.attempt);
    COMPARE(a->record.offset, b->record.offset);
    COMPARE(a->record.timestamp_ms, b->record.timestamp_ms);
    return 0;
}

static bool put_envelope(const struct replay *r, const struct pending *p, struct frame *frame,
                         struct err *err)
{
    struct records_builder b = {0};
    struct sbuf record = {0};
    struct str batch;
    char key[ENVELOPE_KEY];
    put_be32(key, (uint32_t)p->record.partition);
    put_be32(key + 4, (uint32_t)p->record.attempt + 1);
    put_be32(key + 8, (uint32_t)p->rejection.input);
    put_be32(key + 12, (uint32_t)p->rejection.partition);
    put_be64(key + 16, (uint64_t)p->rejection.offset);
    put_be64(key + 24, p->rejection.query);
    records_begin(&b);
    records_add(&b, p->record.timestamp_ms, p->record.key, p->record.value, NULL, 0);
    bool ok = records_end(&b, CODEC_NONE, 0, NULL, &batch, err);
    if (ok) {
        sbuf_str(&record, batch);
        records_batch_place((uint8_t *)record.p, p->record.offset, 0);
        records_begin(&b);
        records_add(&b, os_wall().us / US_PER_MS, str_n(key, sizeof key), sbuf_view(&record), NULL, 0);
    }
    ok = ok && records_end(&b, CODEC_NONE, 0, NULL, &batch, err);
    if (ok)
        frame_append_copy(frame, r->logs[p->topic * REPLAY_PARTITIONS + (uint32_t)p->to], batch.p, batch.n);
    records_builder_fini(&b);
    sbuf_fini(&record);
    return ok;
}

bool replay_put(struct replay *r, struct frame *frame, struct err *err)
{
    qsort(r->pending, r->count, sizeof *r->pending, in_order);
    for (size_t i = 0; i < r->count; i++)
        TRY(put_envelope(r, &r->pending[i], frame, err));
    r->count = r->bytes = 0;
    arena_reset(&r->arena);
    return true;
}

/* Producers with sequences, and transactions, in the simulator. Clients live on while the program is killed or loses its power; they send
 * again what they have no reply to, sometimes also what they have, or what is not answered yet. A book in memory says what each of them sent,
 * what it was told, and which transactions it ended how. Between lives an audit:
 *
 *     - of what was acknowledged everything is there, once, at the offset that was told, now and to every repetition
 *     - sequences of a producer have no gap and no repetition in a log
 *     - the last stable offset is the first offset of an open transaction, and never goes back
 *     - a reader of what was committed sees every record of transactions that were committed and of clients without, and no other
 *     - the aborted transactions of any range are those of the book
 *
 * Each mechanism can be switched off (struct store_faults), and then something of that is found to be wrong. One of the logs is
 * compacted: there holes are no gaps.
 *
 * SEEDS=n in the environment: how many scenarios. */
#include "base/test.h"
#include "log/log_private.h"
#include "os/sim.h"

enum {
    LOGS = 3,
    COMPACTED = 2, /* this one is */
    CLIENTS = 4,   /* 0 and 1 have transactions, of version 1 and 2; 2 and 3 have none */
    BATCHES_MAX = 6000,
    TXNS_MAX = 2000,
    SLOTS = 4, /* frames of a client in flight */
    APPENDS_MAX = 3,
    KEYS = 7,
    LIVES = 7,
};

enum outcome { OPEN, COMMITTED, ABORTED };

struct booked {
    uint8_t client, log;
    int16_t epoch;
    int32_t sequence, count;
    uint32_t txn;   /* index into txns; 0 = none */
    int64_t base;   /* −1 = not known yet */
    uint32_t tries; /* how often it was submitted */
    bool acknowledged, found, visible;
    bool given_up; /* of an older epoch: it may not be sent again */
};

struct booked_txn {
    enum outcome outcome; /* OPEN until the end is known to be durable */
    enum outcome asked;
    uint8_t client;
    int64_t first[LOGS],
        last[LOGS]; /* of an ended one: its first record and its marker; −1 = it has none there */
};

struct client {
    int16_t epoch;
    int32_t next[LOGS];
    uint32_t txn; /* the open one; 0 = none */
    uint32_t touched;
    bool ends;     /* its end was submitted and is not answered */
    bool recovers; /* a new life: what has no reply is sent again first */
};

static struct book {
    uint32_t batches, txns;
    struct booked booked[BATCHES_MAX];
    struct booked_txn txn[TXNS_MAX];
    struct client clients[CLIENTS];
    int64_t stable_saw[LOGS];
    int64_t truncated[LOGS];
    uint64_t duplicates, refusals, aborts, restarts, cold, generations;
    bool created;
    struct store_faults faults;
    char complaint[512];
} * book;

__attribute__((format(printf, 1, 2))) static bool complain(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    if (book->complaint[0] == '\0')
        vsnprintf(book->complaint, sizeof book->complaint, format, args);
    va_end(args);
    return false;
}

static int64_t producer_of(uint32_t client)
{
    return 1000 + client;
}
static bool has_txns(uint32_t client)
{
    return client < 2;
}
static bool raises(uint32_t client)
{
    return client == 1;
}

/* ---- the program and its clients -------------------------------------------------------------------------------------- */

enum kind { DATA, WRONG, END, TRUNCATE };

struct slot {
    struct frame *frame;
    uint32_t client;
    bool busy;
    enum kind kind;
    uint32_t n, batches[APPENDS_MAX * SLOTS * 2];
    enum append_error wanted; /* of a wrong one */
};

static struct life {
    struct store *store;
    struct loop *disk, *work;
    struct log *logs[LOGS];
    struct task clients[CLIENTS], reader;
    struct slot slots[CLIENTS][SLOTS];
    struct records_builder batch;
    struct arena arena;
    struct msg begin;
    int left;
    bool done;
} life;

static bool start(void)
{
    struct err err = {0};
    life = (struct life){.left = 150 + (int)sim_below(150)};
    store_faults = book->faults;
    struct store_options options = {.ring_file_bytes = 64 << 10,
                                    .ring_bytes = 256 << 10,
                                    .tail_bytes = 128 << 10,
                                    .flight_bytes = JF_BLOCK};
    bool made = loop_new(ROLE_DISK, "disk", &life.disk, &err) &&
                loop_new(ROLE_WORK, "work", &life.work, &err);
    CHECK(made);
    if (!store_open(NULL, "/data", &options, life.disk, &life.store, &err))
        return complain("could not open: %s", err.text);
    for (int i = 0; book->created && i < LOGS; i++)
        life.logs[i] = log_get(life.store, i == COMPACTED ? "c" : "t", i == COMPACTED ? 0 : i);
    return true;
}

static void create_topics(void)
{
    struct topic_config config;
    topic_config_default(&config);
    config.segment_bytes = 10 << 10;
    config.retention_ms = -1;
    struct frame *frame = frame_new(life.store);
    frame_topic_create(frame, "t", LOGS - 1, &config);
    config.compact = true;
    config.delete_retention_ms = 100 * 1000;
    frame_topic_create(frame, "c", 1, &config);
    bool created = frame_commit_now(frame, NULL);
    CHECK(created);
    frame_free(frame);
    book->created = true;
    for (int i = 0; i < LOGS; i++)
        life.logs[i] = log_get(life.store, i == COMPACTED ? "c" : "t", i == COMPACTED ? 0 : i);
}

/* The bytes of a batch, and the place of each field in its header. */
static struct str make_batch(uint32_t index, int64_t producer, int16_t epoch, int32_t sequence, int32_t count,
                             bool transactional)
{
    struct str batch;
    records_begin(&life.batch);
    for (int32_t i = 0; i < count; i++) {
        char value[400], key[16];
        memset(value, '.', sizeof value);
        value[snprintf(value, 40, "%u %d ", index, i)] = '.';
        snprintf(key, sizeof key, "%u", index % KEYS);
        records_add(&life.batch, os_wall().us / 1000, str_of(key), str_n(value, 30 + sim_below(370)), NULL,
                    0);
    }
    bool ended = records_end(&life.batch, 0, 0, NULL, &batch, NULL);
    CHECK(ended);
    uint8_t *p = life.batch.buf->p;
    if (transactional)
        put_be16(p + 21, RECORDS_TRANSACTIONAL);
    put_be64(p + 43, (uint64_t)producer);
    put_be16(p + 51, (uint16_t)epoch);
    put_be32(p + 53, (uint32_t)sequence);
    put_be32(p + 17, crc32c(0, p + 21, batch.n - 21));
    return batch;
}

static void append(struct slot *slot, uint32_t log, struct str batch)
{
    struct buf *buf = buf_new(batch.n);
    memcpy(buf->p, batch.p, batch.n);
    frame_append_produce(slot->frame, life.logs[log], buf, 0, batch.n,
                         raises(slot->client) ? PRODUCE_FROM_ZERO : 0);
    buf_unref(buf);
}

static void append_booked(struct slot *slot, uint32_t index)
{
    struct booked *b = &book->booked[index];
    append(slot, b->log,
           make_batch(index, producer_of(b->client), b->epoch, b->sequence, b->count, b->txn != 0));
    b->tries++;
    slot->batches[slot->n++] = index;
}

static void check_appended(const struct slot *slot, uint32_t i)
{
    struct booked *b = &book->booked[slot->batches[i]];
    const struct frame_append_result *r = &slot->frame->results[i];
    if (r->error != APPEND_DONE)
        complain("batch %u was refused: %d", slot->batches[i], r->error);
    else if (r->is_duplicate && b->tries < 2)
        complain("batch %u is a duplicate, but was sent once", slot->batches[i]);
    else if (!r->is_duplicate && b->base >= 0)
        complain("batch %u of offset %lld was appended again at %lld", slot->batches[i], (long long)b->base,
                 (long long)r->base_offset);
    else if (b->base >= 0 && b->base != r->base_offset)
        complain("batch %u has offset %lld, now %lld was told", slot->batches[i], (long long)b->base,
                 (long long)r->base_offset);
    book->duplicates += r->is_duplicate;
    b->base = r->base_offset;
    b->acknowledged = true;
}

/* The end of a client's transaction is durable. */
static void ended(uint32_t client, const int64_t last[LOGS])
{
    struct client *c = &book->clients[client];
    struct booked_txn *txn = &book->txn[c->txn];
    txn->outcome = txn->asked;
    book->aborts += txn->asked == ABORTED;
    for (int log = 0; log < LOGS; log++) {
        txn->first[log] = txn->last[log] = -1;
        for (uint32_t i = 0; i < book->batches && txn->first[log] < 0; i++)
            if (book->booked[i].txn == c->txn && book->booked[i].log == log)
                txn->first[log] = book->booked[i].base;
        if (txn->first[log] >= 0)
            txn->last[log] = last[log];
    }
    c->txn = c->touched = 0;
    c->ends = false;
    if (!raises(client))
        return;
    c->epoch++;
    memset(c->next, 0, sizeof c->next);
}

static void check_end(const struct slot *slot)
{
    int64_t last[LOGS];
    uint32_t i = 0;
    for (int log = 0; log < LOGS; log++) {
        last[log] = -1;
        if (!(book->clients[slot->client].touched & 1u << log))
            continue;
        const struct frame_append_result *r = &slot->frame->results[i++];
        last[log] = r->base_offset;
        if (r->error != APPEND_DONE || r->is_duplicate)
            complain("a marker of client %u was refused: %d", slot->client, r->error);
    }
    ended(slot->client, last);
}

static void replied(struct frame *frame)
{
    struct slot *slot = frame->arg;
    slot->busy = false;
    if (!frame->durable && slot->kind != TRUNCATE)
        complain("refused: %s", frame->err.text);
    else if (slot->kind == END)
        check_end(slot);
    else if (slot->kind == WRONG && frame->results[0].error != slot->wanted)
        complain("client %u: %d where refusal %d is due", slot->client, frame->results[0].error,
                 slot->wanted);
    for (uint32_t i = 0; slot->kind == DATA && frame->durable && i < slot->n; i++)
        check_appended(slot, i);
    book->refusals += slot->kind == WRONG;
    task_wake(&life.clients[slot->client]);
}

static void submit(struct slot *slot, enum kind kind)
{
    slot->kind = kind;
    slot->busy = true;
    slot->frame->arg = slot;
    slot->frame->done = replied;
    life.left--;
    frame_submit(slot->frame);
}

/* As many as a log remembers may be without reply, as with any client: of more it could not tell a repetition from a gap. */
static bool may_send(uint32_t client, uint32_t log)
{
    uint32_t unanswered = 0;
    for (uint32_t i = 0; i < book->batches; i++) {
        const struct booked *b = &book->booked[i];
        unanswered += b->client == client && b->log == log && !b->acknowledged;
    }
    return unanswered < PRODUCER_BATCHES;
}

static void send_new(struct slot *slot)
{
    struct client *c = &book->clients[slot->client];
    if (has_txns(slot->client) && c->txn == 0) {
        c->txn = ++book->txns;
        book->txn[c->txn] = (struct booked_txn){.client = (uint8_t)slot->client};
    }
    for (uint64_t n = 1 + sim_below(APPENDS_MAX); n > 0 && book->batches < BATCHES_MAX; n--) {
        uint32_t log = (uint32_t)sim_below(LOGS);
        if (!may_send(slot->client, log))
            continue;
        uint32_t index = book->batches++;
        struct booked *b = &book->booked[index];
        *b = (struct booked){.client = (uint8_t)slot->client,
                             .log = (uint8_t)log,
                             .epoch = c->epoch,
                             .sequence = c->next[log],
                             .count = 1 + (int32_t)sim_below(3),
                             .txn = c->txn,
                             .base = -1};
        c->next[log] = (int32_t)(((int64_t)b->sequence + b->count) & INT32_MAX);
        c->touched |= 1u << log;
        append_booked(slot, index);
    }
    if (slot->n > 0)
        submit(slot, DATA);
}

/* One of the client's last batches again, whatever has become of it. False: there is none. */
static bool send_again(struct slot *slot)
{
    const struct client *c = &book->clients[slot->client];
    uint32_t behind[LOGS] = {0};
    for (uint32_t i = book->batches; i-- > 0;) {
        const struct booked *b = &book->booked[i];
        if (b->client != slot->client || b->epoch != c->epoch)
            continue;
        if (++behind[b->log] > PRODUCER_BATCHES)
            return false;
        if (sim_below(3) > 0)
            continue;
        append_booked(slot, i);
        submit(slot, DATA);
        return true;
    }
    return false;
}

/* What has no reply, in its order. */
static bool send_unanswered(struct slot *slot)
{
    for (uint32_t i = 0; i < book->batches; i++) {
        const struct booked *b = &book->booked[i];
        if (b->client == slot->client && !b->acknowledged)
            append_booked(slot, i);
    }
    if (slot->n > 0)
        submit(slot, DATA);
    return slot->n > 0;
}

static void send_end(struct slot *slot)
{
    struct client *c = &book->clients[slot->client];
    struct booked_txn *txn = &book->txn[c->txn];
    if (!c->ends)
        txn->asked = sim_below(2) ? COMMITTED : ABORTED;
    c->ends = true;
    for (uint32_t log = 0; log < LOGS; log++)
        if (c->touched & 1u << log)
            frame_append_marker(
                slot->frame, life.logs[log],
                &(struct txn_marker){.producer_id = producer_of(slot->client),
                                     .producer_epoch = (int16_t)(c->epoch + raises(slot->client)),
                                     .coordinator_epoch = 3,
                                     .commits = txn->asked == COMMITTED,
                                     .raises_epoch = raises(slot->client)});
    char key[32], value[32];
    snprintf(key, sizeof key, "txn/%u", slot->client);
    snprintf(value, sizeof value, "%u", c->txn);
    frame_put(slot->frame, str_of(key), str_of(value));
    submit(slot, END);
}

/* Something that has to be refused. False: nothing comes to mind. */
static bool send_wrong(struct slot *slot)
{
    const struct client *c = &book->clients[slot->client];
    uint32_t log = (uint32_t)sim_below(LOGS);
    bool is_known = false, is_open = false;
    for (uint32_t i = 0; i < book->batches; i++) {
        const struct booked *b = &book->booked[i];
        if (b->client != slot->client || b->log != log)
            continue;
        is_known = is_known || b->epoch == c->epoch;
        is_open = is_open || (c->txn != 0 && b->txn == c->txn);
    }
    if (!is_known)
        return false;
    int16_t epoch = c->epoch;
    int32_t sequence = c->next[log];
    bool transactional = has_txns(slot->client);
    uint64_t which = sim_below(3);
    if (which == 0 && epoch > 0) {
        epoch--;
        slot->wanted = APPEND_PRODUCER_FENCED;
    } else if (which == 1 && is_open) {
        transactional = false;
        slot->wanted = APPEND_TXN_STATE;
    } else {
        sequence = (int32_t)(((int64_t)sequence + 1 + (int64_t)sim_below(3)) & INT32_MAX);
        slot->wanted = APPEND_OUT_OF_ORDER;
    }
    append(slot, log, make_batch(BATCHES_MAX, producer_of(slot->client), epoch, sequence, 1, transactional));
    submit(slot, WRONG);
    return true;
}

static void send_truncation(struct slot *slot)
{
    uint32_t log = (uint32_t)sim_below(COMPACTED);
    int64_t to = log_end(life.logs[log]) - (int64_t)sim_below(60);
    if (to > book->truncated[log])
        book->truncated[log] = to;
    frame_log_truncate_before(slot->frame, life.logs[log], to > 0 ? to : 0);
    submit(slot, TRUNCATE);
}

static bool act(struct task *task)
{
    uint32_t client = (uint32_t)(task - life.clients), busy = 0;
    struct client *c = &book->clients[client];
    struct slot *slot = NULL;
    for (int i = 0; i < SLOTS; i++) {
        busy += life.slots[client][i].busy;
        if (!life.slots[client][i].busy)
            slot = &life.slots[client][i];
    }
    life.done = life.done || life.left <= 0 || book->batches + 100 > BATCHES_MAX ||
                book->txns + 10 > TXNS_MAX;
    if (life.done || slot == NULL || (busy > 0 && (c->ends || c->recovers)))
        return false;
    frame_reset(slot->frame);
    slot->n = 0;
    slot->client = client;
    sim_advance((int64_t)sim_below(1200) * NS_PER_MS);
    if (c->recovers && send_unanswered(slot))
        return false;
    c->recovers = false;
    if (c->ends || (busy == 0 && c->txn != 0 && sim_below(5) == 0)) {
        send_end(slot);
        return false;
    }
    if (busy == 0 && c->txn == 0 && sim_below(15) == 0) { /* it was restarted */
        c->epoch++;
        memset(c->next, 0, sizeof c->next);
    }
    if (busy == 0 && sim_below(10) == 0 && send_wrong(slot))
        return false;
    if (sim_below(4) == 0 && send_again(slot))
        return true;
    if (sim_below(60) == 0)
        send_truncation(slot);
    else
        send_new(slot);
    return sim_below(2) == 0;
}

/* What a client that reads what was committed makes of an answer: it marks the records that it would hand out. */
static bool take(const struct log_fetched *fetched, bool *(*mark)(uint32_t index))
{
    uint32_t aborting = 0; /* clients */
    size_t next = 0;
    for (size_t at = 0; at < fetched->slice.n;) {
        struct records_batch batch;
        struct err err;
        if (!records_batch_read(fetched->slice.p + at, fetched->slice.n - at, true, &batch, &err))
            return complain("%s", err.text);
        const uint8_t *p = fetched->slice.p + at;
        at += batch.size;
        uint32_t client = (uint32_t)(batch.producer_id - producer_of(0));
        for (; next < fetched->aborted_count &&
               fetched->aborted[next].first_offset <= batch.base_offset + batch.last_offset_delta;
             next++)
            aborting |= 1u << (fetched->aborted[next].producer_id - producer_of(0));
        struct records_marker marker;
        if (batch.attributes & RECORDS_CONTROL) {
            if (records_marker_read(p, batch.size, &marker) && !marker.commits)
                aborting &= ~(1u << client);
            continue;
        }
        if (batch.attributes & RECORDS_TRANSACTIONAL && aborting & 1u << client)
            continue;
        struct records_reader reader;
        struct record record;
        struct buf *none;
        bool more;
        if (!records_open(p, batch.size, NULL, &none, &reader, &err))
            return complain("%s", err.text);
        while (records_next(&reader, &record, &more, &err) && more) {
            bool *flag = mark((uint32_t)strtoul(record.value.p, NULL, 10));
            if (flag == NULL)
                return complain("offset %lld should not be seen", (long long)record.offset);
            *flag = true;
        }
    }
    return true;
}

/* May a reader see it now? */
static bool *mark_now(uint32_t index)
{
    static bool ignored;
    const struct booked *b = &book->booked[index];
    bool may = index < book->batches && (b->txn == 0 || book->txn[b->txn].asked == COMMITTED);
    return may ? &ignored : NULL;
}

static bool look(struct task *task)
{
    for (uint32_t i = 0; i < LOGS; i++) {
        int64_t stable = log_stable(life.logs[i]), from = log_start(life.logs[i]);
        if (stable < book->stable_saw[i])
            complain("log %u: the last stable offset went from %lld to %lld", i,
                     (long long)book->stable_saw[i], (long long)stable);
        book->stable_saw[i] = stable;
        if (stable <= from || sim_below(4) > 0)
            continue;
        struct log_fetched fetched;
        struct err err = {0};
        int64_t offset = from + (int64_t)sim_below((uint64_t)(stable - from));
        if (log_fetch(life.logs[i], offset, 20000, LOG_COMMITTED | (sim_below(2) ? LOG_CACHED : 0),
                      &life.arena, &fetched, &err))
            take(&fetched, mark_now);
        else
            complain("offset %lld: %s", (long long)offset, err.text);
        book->cold += fetched.cold;
        buf_unref(fetched.slice.buf);
        arena_reset(&life.arena);
    }
    sim_advance((int64_t)sim_below(300) * NS_PER_US);
    return !life.done;
}

static void begin(struct msg *msg)
{
    (void)msg;
    for (uint32_t i = 0; i < CLIENTS; i++) {
        for (int k = 0; k < SLOTS; k++)
            life.slots[i][k].frame = frame_new(life.store);
        book->clients[i].recovers = true;
        task_init(&life.clients[i], act);
        task_wake(&life.clients[i]);
    }
    task_init(&life.reader, look);
    task_wake(&life.reader);
}

static int run_life(void *arg)
{
    (void)arg;
    struct err err = {0};
    if (!start())
        return 1;
    if (!book->created)
        create_topics();
    bool started = loop_start(life.disk, &err) && loop_start(life.work, &err);
    CHECK(started);
    msg_init(&life.begin, begin);
    loop_post(life.work, &life.begin);
    uint64_t steps = 0;
    while (!life.done && run_sim_step() && steps++ < 200000)
        ;
    if (!life.done)
        complain("it does not go on");
    for (int i = 0; i < 50 && sim_below(2) && run_sim_step(); i++)
        ;
    for (size_t i = 0; i < life.logs[COMPACTED]->segment_count; i++)
        book->generations += life.logs[COMPACTED]->segments[i]->state.generation;
    if (sim_below(3) == 0) {
        loop_stop(life.disk);
        loop_join(life.disk);
        if (!store_close(life.store, &err))
            complain("could not close: %s", err.text);
    }
    return 0;
}

/* ---- the audit ------------------------------------------------------------------------------------------------------- */

struct scan {
    uint32_t last[CLIENTS]; /* batch, + 1 */
    int64_t marker[CLIENTS];
};

static bool audit_batch(uint32_t log, const uint8_t *p, const struct records_batch *batch, struct scan *scan)
{
    uint32_t client = (uint32_t)(batch->producer_id - producer_of(0));
    if (client >= CLIENTS)
        return complain("log %u: a batch of producer %lld", log, (long long)batch->producer_id);
    if (batch->attributes & RECORDS_CONTROL) {
        scan->marker[client] = batch->base_offset;
        return true;
    }
    struct records_reader reader;
    struct record record;
    struct buf *none;
    bool more;
    bool done = records_open(p, batch->size, NULL, &none, &reader, NULL) &&
                records_next(&reader, &record, &more, NULL);
    if (!done)
        return complain("log %u: a malformed batch", log);
    if (!more)
        return log == COMPACTED || complain("log %u: an empty batch", log);
    uint32_t index = (uint32_t)strtoul(record.value.p, NULL, 10);
    struct booked *b = &book->booked[index];
    if (index >= book->batches || b->client != client || b->log != log || b->epoch != batch->producer_epoch ||
        b->sequence != batch->base_sequence || b->count != batch->last_offset_delta + 1)
        return complain("log %u: batch %u is not what was sent", log, index);
    if (b->base >= 0 && b->base != batch->base_offset)
        return complain("log %u: batch %u at %lld, it was at %lld", log, index, (long long)batch->base_offset,
                        (long long)b->base);
    if (b->tries == 0 || scan->last[client] > index)
        return complain("log %u: batch %u after batch %u", log, index, scan->last[client] - 1);
    const struct booked *before = scan->last[client] ? &book->booked[scan->last[client] - 1] : NULL;
    if (log != COMPACTED && before != NULL && before->epoch == b->epoch &&
        (int32_t)(((int64_t)before->sequence + before->count) & INT32_MAX) != b->sequence)
        return complain("log %u: batch %u does not follow batch %u", log, index, scan->last[client] - 1);
    scan->last[client] = index + 1;
    b->base = batch->base_offset;
    b->found = true;
    return true;
}

static bool scan_log(uint32_t log, struct scan *scan)
{
    struct err err = {0};
    for (int i = 0; i < CLIENTS; i++)
        scan->marker[i] = -1;
    for (int64_t offset = log_start(life.logs[log]), end = log_end(life.logs[log]); offset < end;) {
        struct log_slice slice;
        if (!log_read(life.logs[log], offset, 1 + sim_below(20000), &slice, &err))
            return complain("log %u offset %lld: %s", log, (long long)offset, err.text);
        bool fine = true;
        for (size_t at = 0; fine && at < slice.n;) {
            struct records_batch batch;
            fine = records_batch_read(slice.p + at, slice.n - at, true, &batch, &err) ||
                   complain("log %u: %s", log, err.text);
            fine = fine && (batch.base_offset + batch.last_offset_delta < offset ||
                            audit_batch(log, slice.p + at, &batch, scan));
            at += batch.size;
        }
        bool more = slice.n > 0;
        offset = slice.next_offset;
        buf_unref(slice.buf);
        if (!fine)
            return false;
        if (!more)
            break;
    }
    return true;
}

/* Clients whose end may have become durable without a reply. */
static void settle_ends(const struct scan scans[LOGS])
{
    for (uint32_t client = 0; client < CLIENTS; client++) {
        struct client *c = &book->clients[client];
        struct sbuf value = {0};
        char key[32];
        int64_t last[LOGS];
        snprintf(key, sizeof key, "txn/%u", client);
        bool is_there = store_get(life.store, str_of(key), &value);
        sbuf_char(&value, '\0');
        if (is_there && c->ends && strtoul(value.p, NULL, 10) == c->txn) {
            for (int log = 0; log < LOGS; log++)
                last[log] = scans[log].marker[client];
            ended(client, last);
        }
        sbuf_fini(&value);
    }
}

static bool audit_stable(uint32_t log)
{
    int64_t start = log_start(life.logs[log]), end = log_end(life.logs[log]), wanted = end;
    for (uint32_t i = 0; i < book->batches; i++) {
        const struct booked *b = &book->booked[i];
        if (b->log == log && b->txn != 0 && book->txn[b->txn].outcome == OPEN && b->base >= 0 &&
            b->base < wanted)
            wanted = b->base;
    }
    if (wanted < start)
        wanted = start;
    int64_t stable = log_stable(life.logs[log]);
    if (stable != wanted)
        return complain("log %u: stable to %lld, not %lld (%lld to %lld)", log, (long long)stable,
                        (long long)wanted, (long long)start, (long long)end);
    if (stable < book->stable_saw[log])
        return complain("log %u: the last stable offset went from %lld to %lld", log,
                        (long long)book->stable_saw[log], (long long)stable);
    book->stable_saw[log] = stable;
    return true;
}

static bool audit_aborted(uint32_t log, int64_t from, int64_t to)
{
    struct records_aborted *aborted;
    size_t count, matched = 0;
    struct err err = {0};
    if (!log_aborted(life.logs[log], from, to, &life.arena, &aborted, &count, &err))
        return complain("log %u: %s", log, err.text);
    for (uint32_t i = 1; i <= book->txns; i++) {
        const struct booked_txn *txn = &book->txn[i];
        if (from >= to || txn->outcome != ABORTED || txn->last[log] < from || txn->first[log] < 0 ||
            txn->first[log] >= to)
            continue;
        bool is_there = false;
        for (size_t k = 0; k < count; k++)
            is_there = is_there || (aborted[k].producer_id == producer_of(txn->client) &&
                                    aborted[k].first_offset == txn->first[log]);
        matched += is_there;
        if (!is_there && log != COMPACTED)
            return complain(
                "log %u: the aborted transaction %u (%lld to %lld) is not among those of %lld to %lld", log,
                i, (long long)txn->first[log], (long long)txn->last[log], (long long)from, (long long)to);
    }
    return matched == count || complain("log %u: %zu aborted transactions of %lld to %lld, %zu were", log,
                                        count, (long long)from, (long long)to, matched);
}

static bool *mark_visible(uint32_t index)
{
    return index < book->batches ? &book->booked[index].visible : NULL;
}

static bool read_committed(uint32_t log)
{
    struct err err = {0};
    int64_t stable = log_stable(life.logs[log]);
    for (int64_t offset = log_start(life.logs[log]); offset < stable;) {
        struct log_fetched fetched;
        if (!log_fetch(life.logs[log], offset, 1 + sim_below(20000), LOG_COMMITTED, &life.arena, &fetched,
                       &err))
            return complain("log %u: %s", log, err.text);
        bool fine = take(&fetched, mark_visible), more = fetched.slice.next_offset > offset;
        offset = fetched.slice.next_offset;
        buf_unref(fetched.slice.buf);
        if (!fine)
            return false;
        if (!more || offset > stable)
            return complain("log %u: reading what was committed ends at %lld, not %lld", log,
                            (long long)offset, (long long)stable);
    }
    return true;
}

/* log_read_committed leaves the same records. */
static bool read_emptied(uint32_t log)
{
    struct err err = {0};
    int64_t stable = log_stable(life.logs[log]);
    for (int64_t offset = log_start(life.logs[log]); offset < stable;) {
        struct log_fetched fetched = {0};
        if (!log_read_committed(life.logs[log], offset, 1 + sim_below(20000), &fetched.slice, &err))
            return complain("log %u: %s", log, err.text);
        bool fine = take(&fetched, mark_now), more = fetched.slice.n > 0;
        offset = fetched.slice.next_offset;
        buf_unref(fetched.slice.buf);
        if (!fine)
            return false;
        if (!more && offset < stable)
            return complain("log %u: emptied reading ends at %lld", log, (long long)offset);
    }
    return true;
}

/* Of the compacted log: newest visible record of its key. */
static bool is_newest(uint32_t index)
{
    const struct booked *b = &book->booked[index];
    for (uint32_t i = 0; i < book->batches; i++) {
        const struct booked *other = &book->booked[i];
        if (i % KEYS == index % KEYS && other->log == b->log && other->base > b->base)
            return false;
    }
    return true;
}

static bool audit_booked(uint32_t index)
{
    const struct booked *b = &book->booked[index];
    struct log *log = life.logs[b->log];
    bool is_in = b->base >= log_start(log);
    bool may_miss = b->log == COMPACTED && !is_newest(index);
    if (b->acknowledged && is_in && !b->found && !may_miss &&
        !(b->log == COMPACTED && b->txn && book->txn[b->txn].outcome == ABORTED))
        return complain("log %u: batch %u, acknowledged at %lld, is gone", b->log, index, (long long)b->base);
    bool is_committed = b->txn == 0 || book->txn[b->txn].outcome == COMMITTED;
    if (b->visible && (!is_committed || b->base >= log_stable(log)))
        return complain("log %u: batch %u at %lld was seen", b->log, index, (long long)b->base);
    if (b->found && is_in && is_committed && !b->visible && b->base < log_stable(log) && !may_miss)
        return complain("log %u: batch %u at %lld was not seen", b->log, index, (long long)b->base);
    return true;
}

static int audit(void *arg)
{
    (void)arg;
    struct scan scans[LOGS] = {0};
    if (!start())
        return 1;
    if (!book->created)
        return 0;
    for (uint32_t i = 0; i < book->batches; i++)
        book->booked[i].found = book->booked[i].visible = false;
    bool fine = true;
    for (uint32_t log = 0; log < LOGS && fine; log++)
        fine = scan_log(log, &scans[log]);
    if (fine)
        settle_ends(scans);
    for (uint32_t log = 0; log < LOGS && fine; log++) {
        producers_check(&life.logs[log]->producers);
        int64_t start_offset = log_start(life.logs[log]), stable = log_stable(life.logs[log]);
        fine = audit_stable(log) && read_committed(log) && read_emptied(log) &&
               audit_aborted(log, start_offset, stable);
        for (int i = 0; i < 5 && fine && stable > start_offset; i++) {
            int64_t from = start_offset + (int64_t)sim_below((uint64_t)(stable - start_offset));
            fine = audit_aborted(log, from, from + 1 + (int64_t)sim_below((uint64_t)(stable - from)));
        }
    }
    for (uint32_t i = 0; i < book->batches && fine; i++)
        fine = audit_booked(i);
    book->restarts++;
    return !fine;
}

static bool live(int (*body)(void *arg), const struct sim_options *sim)
{
    int status = 0;
    enum sim_end end = sim_life(body, NULL, sim, &status);
    if (end == SIM_FAILED || end == SIM_EXITED)
        complain("a life ended with status %d", status);
    return book->complaint[0] == '\0';
}

static void crash(void)
{
    if (sim_below(3) == 0)
        sim_kill();
    else
        sim_power_cut();
}

struct totals {
    uint64_t duplicates, refusals, aborts, cold, generations;
};

static bool run_scenario(uint64_t seed, const struct store_faults *faults, struct totals *totals)
{
    sim_open(seed);
    book = sim_shared(sizeof *book);
    if (faults != NULL)
        book->faults = *faults;
    for (
        int i = 0; i < LOGS;
        i++) /* a client that no log knows may begin anywhere: here not far from where sequences start again */
        book->clients[3].next[i] = INT32_MAX - 20;
    bool fine = true;
    for (int i = 0; i < LIVES && fine; i++) {
        struct sim_options sim = {.crash_after = i > 0 ? 1 + sim_below(2500) : 0};
        fine = live(run_life, &sim);
        crash();
        if (fine && sim_below(4) == 0) {
            sim = (struct sim_options){.crash_after = 1 + sim_below(30)};
            fine = live(audit, &sim);
            crash();
        }
        sim = (struct sim_options){0};
        fine = fine && live(audit, &sim);
    }
    totals->duplicates += book->duplicates;
    totals->refusals += book->refusals;
    totals->aborts += book->aborts;
    totals->cold += book->cold;
    totals->generations += book->generations;
    if (!fine && faults == NULL)
        fprintf(stderr, "seed %llu: %s\n", (unsigned long long)seed, book->complaint);
    sim_close();
    return fine;
}

TEST(no_gap_no_repetition_and_nothing_that_was_aborted)
{
    const char *text = getenv("SEEDS");
    unsigned long n = text ? strtoul(text, NULL, 10) : 15;
    struct totals totals = {0};
    for (uint64_t seed = 1; seed <= n; seed++)
        if (!EXPECT(run_scenario(seed, NULL, &totals)))
            return;
    EXPECT(totals.duplicates > 10 * n && totals.refusals > 10 * n && totals.aborts > 5 * n &&
           totals.generations > n && totals.cold > 0); /* else nothing was tested */
}

static bool is_caught(const struct store_faults *faults)
{
    enum { ENOUGH = 100 };
    struct totals totals = {0};
    for (uint64_t seed = 1; seed <= ENOUGH; seed++)
        if (!run_scenario(seed, faults, &totals))
            return true;
    return false;
}

TEST(a_tail_moves_with_what_is_known_of_producers)
{
    EXPECT(is_caught(&(struct store_faults){.no_producers = true}));
}

TEST(a_transaction_is_open_until_its_marker_is_durable)
{
    EXPECT(is_caught(&(struct store_faults){.stable_when_placed = true}));
}

TEST(a_duplicate_is_answered_when_its_original_is_durable)
{
    EXPECT(is_caught(&(struct store_faults){.answer_at_once = true}));
}

TEST(the_index_of_aborted_transactions_is_synced_before_the_tail_moves)
{
    EXPECT(is_caught(&(struct store_faults){.no_txn_index_sync = true}));
}

int main(int count, char **words)
{
    if (count > 1) { /* one seed again */
        struct totals totals = {0};
        return !run_scenario(strtoull(words[1], NULL, 10), NULL, &totals);
    }
    RUN(no_gap_no_repetition_and_nothing_that_was_aborted);
    RUN(a_tail_moves_with_what_is_known_of_producers);
    RUN(a_transaction_is_open_until_its_marker_is_durable);
    RUN(a_duplicate_is_answered_when_its_original_is_durable);
    RUN(the_index_of_aborted_transactions_is_synced_before_the_tail_moves);
    return test_end();
}

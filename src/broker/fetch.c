/* Fetch: what partitions have from an offset on, or what they will have soon.
 *
 *     resolve ──> gather, from memory ──> enough? ──> answer
 *                    │  ▲       │                        ▲
 *                  cold │       └ no: wait for the logs, for at most max_wait
 *                    ▼  │
 *          gather on the block role, from the disk
 *
 * Gathering only looks: log_fetch hands out slices of the memory that was journaled, leases of segment files, or pooled buffers, and the answer sends them from
 * there. A fetch that has to wait lets go of its slices, and gathers again when one of its logs has grown. One that found nothing, and whose logs
 * say nothing until its time is over, is answered with what it found: most fetches of idle consumers with many partitions are. */
#include "broker/api.h"
#include "broker/session.h"
#include "broker/throttle.h"
#include "format/compress.h"

enum {
    ANSWER_BYTES_MAX = 8 << 20, /* of one fetch, if its first batch is not larger: others want memory too */
    SHARED_MIN =
        4 << 10,     /* smaller slices are copied, so that a slow client holds no buffer by a few bytes */
    SLICES_MAX = 64, /* of one partition in one answer */
};

struct fetch {
    struct request *request;
    const struct kafka_fetch_request *in;
    struct fetch_session *session; /* NULL: none */
    bool is_full;                  /* all partitions are answered, not only those with news */
    struct fetch_part **parts;
    struct gathered {
        int16_t error;
        int64_t start, end, stable;
        bool diverges;
        int32_t diverging_epoch;
        int64_t diverging_offset;
        struct reply_records records;
        size_t bytes;
        struct records_aborted *aborted;
        size_t aborted_count;
    } * gathered; /* [count] */
    uint32_t count;
    size_t bytes, bytes_max; /* gathered, and how many may be */
    bool has_error, is_cold, is_waiting, is_cancelled;
    bool found_nothing; /* before it began to wait: what it gathered is there still, without bytes */
    bool is_over;       /* its time, and nothing was heard of */
    struct mono_time deadline;
    struct log_wait *waits; /* [count] while it waits */
    struct list hungry;     /* broker->hungry: waits until answers have gone out */
    struct waker waker;
    struct task task;
    struct timer timer;
    struct msg cold, back; /* to the loop that reads from the disk, and back */
};

/* ---- what is asked for --------------------------------------------------------------------------------------------------------- */

static struct fetch_part part_of(const struct kafka_fetch_request_topic *topic,
                                 const struct kafka_fetch_request_partition *in)
{
    struct fetch_part part = {
        .topic_id = topic->topic_id,
        .topic = topic->topic,
        .partition = in->partition,
        .max_bytes = in->partition_max_bytes,
        .leader_epoch = in->current_leader_epoch,
        .last_epoch = in->last_fetched_epoch,
        .offset = in->fetch_offset,
    };
    list_init(&part.link);
    return part;
}

static uint32_t count_partitions(const struct kafka_fetch_request *in)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < in->topics_count; i++)
        count += in->topics[i].partitions_count;
    return count;
}

static void take_parts_of_request(struct fetch *f)
{
    struct arena *arena = &f->request->arena;
    uint32_t count = count_partitions(f->in);
    struct fetch_part *parts = arena_array(arena, struct fetch_part, count);
    f->parts = arena_array(arena, struct fetch_part *, count);
    for (uint32_t i = 0; i < f->in->topics_count; i++)
        for (uint32_t k = 0; k < f->in->topics[i].partitions_count; k++) {
            parts[f->count] = part_of(&f->in->topics[i], &f->in->topics[i].partitions[k]);
            f->parts[f->count] = &parts[f->count];
            f->count++;
        }
}

static void take_parts_of_session(struct fetch *f)
{
    f->parts = arena_array(&f->request->arena, struct fetch_part *, f->session->part_count);
    LIST_EACH(link, &f->session->parts)
    f->parts[f->count++] = CONTAINER_OF(link, struct fetch_part, link);
}

static bool put_into_session(struct fetch *f)
{
    struct fetch_sessions *all = &f->request->broker->sessions;
    for (uint32_t i = 0; i < f->in->topics_count; i++)
        for (uint32_t k = 0; k < f->in->topics[i].partitions_count; k++) {
            struct fetch_part part = part_of(&f->in->topics[i], &f->in->topics[i].partitions[k]);
            if (!session_put(all, f->session, &part))
                return false;
        }
    for (uint32_t i = 0; i < f->in->forgotten_topics_data_count; i++) {
        const struct kafka_fetch_request_forgotten *gone = &f->in->forgotten_topics_data[i];
        for (uint32_t k = 0; k < gone->partitions_count; k++)
            session_forget(all, f->session, gone->topic, &gone->topic_id, gone->partitions[k]);
    }
    return true;
}

/* Finds or makes the session that the request speaks of. Returns Kafka's error of the whole request. */
static int16_t enter_session(struct fetch *f)
{
    struct broker *b = f->request->broker;
    struct fetch_session *old = f->in->session_id ? session_find(&b->sessions, f->in->session_id) : NULL;
    bool by_id = f->request->header.version >= 13;
    f->is_full = f->in->session_epoch <= 0;
    if (f->is_full) {
        if (old && !old->busy)
            session_free(&b->sessions, old);
        if (f->in->session_epoch == 0)
            f->session = session_new(&b->sessions, by_id, os_mono());
        if (f->session && !put_into_session(f)) {
            session_free(&b->sessions, f->session);
            f->session = NULL;
        }
        if (f->session)
            f->session->epoch = 1;
        return KAFKA_ERR_NONE;
    }
    if (old == NULL || old->busy)
        return KAFKA_ERR_FETCH_SESSION_ID_NOT_FOUND;
    if (old->epoch != f->in->session_epoch)
        return KAFKA_ERR_INVALID_FETCH_SESSION_EPOCH;
    if (old->by_id != by_id)
        return KAFKA_ERR_FETCH_SESSION_TOPIC_ID_ERROR;
    f->session = old;
    session_use(&b->sessions, old, os_mono());
    old->epoch = old->epoch == INT32_MAX ? 1 : old->epoch + 1;
    if (put_into_session(f))
        return KAFKA_ERR_NONE;
    f->session = NULL;
    session_free(&b->sessions, old); /* too many: the client names them all again, and goes without */
    return KAFKA_ERR_FETCH_SESSION_ID_NOT_FOUND;
}

/* The part's log, looked up once; and again after its topic went. */
static void resolve(struct broker *b, struct fetch_part *part) ON(net)
{
    struct topic_info info;
    if (part->log && !log_is_dead(part->log))
        return;
    log_release(part->log);
    part->log = NULL;
    if (broker_topic_find(b, part->topic, &part->topic_id, &info))
        part->log = log_get(b->store, info.name, part->partition);
}

/* ---- gathering ------------------------------------------------------------------------------------------------------------------- */

static void let_go(struct fetch *f)
{
    for (uint32_t i = 0; i < f->count; i++) {
        struct gathered *g = &f->gathered[i];
        for (uint32_t k = 0; k < g->records.count; k++)
            buf_unref(g->records.slices[k].buf);
        *g = (struct gathered){0};
    }
    f->bytes = 0;
    f->has_error = f->is_cold = false;
}

static int16_t check_epochs(const struct fetch_part *part, struct gathered *g)
{
    int32_t epoch = log_epoch(part->log), found;
    int64_t end;
    if (part->leader_epoch >= 0 && part->leader_epoch != epoch)
        return part->leader_epoch < epoch ? KAFKA_ERR_FENCED_LEADER_EPOCH : KAFKA_ERR_UNKNOWN_LEADER_EPOCH;
    if (part->last_epoch >= 0 && log_epoch_end(part->log, part->last_epoch, &found, &end) &&
        (found < part->last_epoch || end < part->offset)) {
        g->diverges = true;
        g->diverging_epoch = found;
        g->diverging_offset = end;
    }
    return KAFKA_ERR_NONE;
}

static void add_slice(struct fetch *f, struct gathered *g, struct log_slice *slice)
{
    struct arena *arena = &f->request->arena;
    if (g->records.slices == NULL)
        g->records.slices = arena_array(arena, struct log_slice, SLICES_MAX);
    if (slice->n < SHARED_MIN && slice->p) {
        slice->p = arena_dup(arena, slice->p, slice->n);
        buf_unref(slice->buf);
        slice->buf = NULL;
    }
    g->records.slices[g->records.count++] = *slice;
    g->bytes += slice->n;
    f->bytes += slice->n;
}

static void add_aborted(struct fetch *f, struct gathered *g, const struct log_fetched *more)
{
    if (more->aborted_count == 0)
        return;
    struct records_aborted *all = arena_array(&f->request->arena, struct records_aborted,
                                              g->aborted_count + more->aborted_count);
    if (g->aborted_count)
        memcpy(all, g->aborted, g->aborted_count * sizeof *all);
    size_t n = g->aborted_count;
    for (size_t i = 0; i < more->aborted_count; i++) { /* one that reaches over two slices comes twice */
        bool known = false;
        for (size_t k = 0; k < g->aborted_count && !known; k++)
            known = all[k].producer_id == more->aborted[i].producer_id &&
                    all[k].first_offset == more->aborted[i].first_offset;
        if (!known)
            all[n++] = more->aborted[i];
    }
    g->aborted = all;
    g->aborted_count = n;
}

/* What still has room in the answer. The last sixteenth of it is not worth a look at the disk. */
static size_t bytes_left(const struct fetch *f)
{
    size_t left = f->bytes < f->bytes_max ? f->bytes_max - f->bytes : 0;
    return f->bytes > 0 && left < f->bytes_max / 16 ? 0 : left;
}

/* What one partition has, up to `left` bytes; but the first batch of the whole answer whatever its size. */
static int16_t gather_part(struct fetch *f, const struct fetch_part *part, struct gathered *g, size_t left,
                           unsigned flags)
{
    int64_t offset = part->offset;
    size_t limit = part->max_bytes < 0 ? 0 : (size_t)part->max_bytes;
    limit = limit < left ? limit : left;
    if (limit == 0 && f->bytes > 0)
        flags |= LOG_BOUNDS;
    do {
        struct log_fetched fetched = {0};
        struct err err;
        size_t wanted = limit > g->bytes ? limit - g->bytes : 0;
        if (!log_fetch(part->log, offset, wanted, flags, &f->request->arena, &fetched, &err))
            return err.code == LOG_OUT_OF_RANGE ? KAFKA_ERR_OFFSET_OUT_OF_RANGE
                                                : KAFKA_ERR_KAFKA_STORAGE_ERROR;
        g->start = fetched.start;
        g->end = fetched.end;
        g->stable = fetched.stable;
        f->is_cold |= fetched.cold;
        if (fetched.slice.n == 0)
            break;
        if (fetched.slice.n > wanted && f->bytes > 0) {
            buf_unref(fetched.slice.buf);
            break;
        }
        offset = fetched.slice.next_offset;
        add_slice(f, g, &fetched.slice);
        add_aborted(f, g, &fetched);
        if (fetched.slice.is_full)
            break;
    } while (g->bytes < limit && g->records.count < SLICES_MAX);
    return KAFKA_ERR_NONE;
}

enum { ZSTD_FROM_VERSION = 10 };

/* A client that does not know zstd is told so where the topic has it by its configuration, as in Kafka. */
static bool is_unreadable(const struct fetch *f, const struct fetch_part *part)
{
    const struct topic_config *config = &log_topic(part->log)->config;
    return f->request->header.version < ZSTD_FROM_VERSION && config->recompress &&
           config->compression == CODEC_ZSTD;
}

/* On net with LOG_CACHED, on block without: a fetch is in one place at a time. A connection that encrypts what it sends would do without LOG_IN_PLACE. */
static void gather(struct fetch *f, unsigned flags)
{
    if (f->in->isolation_level == 1)
        flags |= LOG_COMMITTED;
    let_go(f);
    for (uint32_t i = 0; i < f->count && !(f->is_cold && flags & LOG_CACHED); i++) {
        struct fetch_part *part = f->parts[i];
        struct gathered *g = &f->gathered[i];
        if (part->log == NULL)
            g->error = f->request->header.version >= 13 ? KAFKA_ERR_UNKNOWN_TOPIC_ID
                                                        : KAFKA_ERR_UNKNOWN_TOPIC_OR_PARTITION;
        else if (is_unreadable(f, part))
            g->error = KAFKA_ERR_UNSUPPORTED_COMPRESSION_TYPE;
        else
            g->error = check_epochs(part, g);
        if (g->error == KAFKA_ERR_NONE && !g->diverges)
            g->error = gather_part(f, part, g, bytes_left(f), flags);
        f->has_error |= g->error != KAFKA_ERR_NONE || g->diverges;
    }
}

/* ---- the answer -------------------------------------------------------------------------------------------------------------------- */

static bool has_news(const struct fetch *f, const struct fetch_part *part, const struct gathered *g)
{
    return f->is_full || !part->is_told || g->bytes > 0 || g->diverges || g->error != KAFKA_ERR_NONE ||
           g->error != part->told_error || g->start != part->told_start || g->end != part->told_end ||
           g->stable != part->told_stable;
}

static void put_part(struct fetch *f, const struct fetch_part *part, struct gathered *g,
                     struct kafka_fetch_response_partition *out)
{
    struct arena *arena = &f->request->arena;
    out->partition_index = part->partition;
    out->error_code = g->error;
    out->high_watermark = g->error == KAFKA_ERR_NONE && !g->diverges ? g->end : -1;
    out->last_stable_offset = g->error == KAFKA_ERR_NONE && !g->diverges ? g->stable : -1;
    out->log_start_offset = g->error == KAFKA_ERR_NONE && !g->diverges ? g->start : -1;
    if (g->diverges) {
        out->diverging_epoch.epoch = g->diverging_epoch;
        out->diverging_epoch.end_offset = g->diverging_offset;
    }
    out->aborted_transactions = NULL; /* who reads uncommitted records is told of none */
    if (f->in->isolation_level == 1 && g->error == KAFKA_ERR_NONE) {
        out->aborted_transactions = KAFKA_NEW(arena, kafka_fetch_response_aborted, g->aborted_count);
        out->aborted_transactions_count = (uint32_t)g->aborted_count;
        for (size_t i = 0; i < g->aborted_count; i++) {
            out->aborted_transactions[i].producer_id = g->aborted[i].producer_id;
            out->aborted_transactions[i].first_offset = g->aborted[i].first_offset;
        }
    }
    out->records = (struct str){(const char *)&g->records, g->bytes};
}

static bool same_topic(const struct fetch_part *a, const struct fetch_part *b)
{
    return str_eq(a->topic, b->topic) && memcmp(&a->topic_id, &b->topic_id, sizeof a->topic_id) == 0;
}

/* Neighbours of one topic stand together. */
static void put_parts(struct fetch *f, struct kafka_fetch_response *out)
{
    struct arena *arena = &f->request->arena;
    const struct fetch_part *last = NULL;
    struct kafka_fetch_response_topic *topic = NULL;
    struct kafka_fetch_response_partition *room = KAFKA_NEW(arena, kafka_fetch_response_partition, f->count);
    out->responses = KAFKA_NEW(arena, kafka_fetch_response_topic, f->count);
    for (uint32_t i = 0; i < f->count; i++) {
        struct fetch_part *part = f->parts[i];
        struct gathered *g = &f->gathered[i];
        if (!has_news(f, part, g))
            continue;
        if (last == NULL || !same_topic(last, part)) {
            topic = &out->responses[out->responses_count++];
            topic->topic = part->topic;
            topic->topic_id = part->topic_id;
            topic->partitions = room;
        }
        last = part;
        put_part(f, part, g, room++);
        topic->partitions_count++;
        part->is_told = true;
        part->told_error = g->error;
        part->told_start = g->start;
        part->told_end = g->end;
        part->told_stable = g->stable;
    }
}

/* The session is free again; logs that are of this request alone go. */
static void leave(struct fetch *f) ON(net)
{
    if (f->session == NULL) {
        for (uint32_t i = 0; i < f->count; i++)
            log_release(f->parts[i]->log);
        return;
    }
    for (uint32_t i = 0; i < f->count; i++)
        if (f->gathered[i].bytes > 0)
            session_served(f->session, f->parts[i]);
    f->session->busy = false;
}

/* May the client have that now? If not it is answered at once, with nothing, and asks again for the same. */
static bool may_have(struct fetch *f) ON(net)
{
    struct request *r = f->request;
    throttle_time(r);
    return r->throttle_ms == 0 && throttle_take(r, QUOTA_FETCH, (double)f->bytes);
}

static void drop_slices(struct request *r)
{
    let_go(r->work);
}

static void answer(struct fetch *f) ON(net)
{
    struct fetch_session *session = f->session;
    struct kafka_fetch_response out;
    KAFKA_INIT(kafka_fetch_response, &out);
    bool has_nothing = request_is_orphan(f->request) || !may_have(f);
    if (session && !(has_nothing && f->is_full))
        out.session_id = session->id;
    if (has_nothing)
        let_go(f);
    else
        put_parts(f, &out);
    leave(f);
    if (session && out.session_id != session->id) /* one that it never hears of */
        session_free(&f->request->broker->sessions, session);
    timer_cancel(&f->timer);
    task_cancel(&f->task);
    request_answer_records(f->request, &out, drop_slices);
}

/* ---- waiting ----------------------------------------------------------------------------------------------------------------------- */

static void stop_waiting(struct fetch *f) ON(net)
{
    list_remove(&f->hungry);
    for (uint32_t i = 0; f->is_waiting && i < f->count; i++)
        log_wait_cancel(&f->waits[i]);
    f->is_waiting = false;
}

static void wait_for_more(struct fetch *f) ON(net)
{
    if (f->waits == NULL)
        f->waits = arena_zarray(&f->request->arena, struct log_wait, f->count);
    f->is_waiting = true;
    throttle_clock_stop(f->request);
    for (uint32_t i = 0; i < f->count; i++) {
        if (f->in->isolation_level == 1)
            log_wait_stable(f->parts[i]->log, &f->waits[i], &f->waker, f->gathered[i].stable);
        else
            log_wait(f->parts[i]->log, &f->waits[i], &f->waker, f->gathered[i].end);
    }
    f->found_nothing = f->bytes == 0;
    if (!f->found_nothing)
        let_go(f);
}

static bool is_enough(const struct fetch *f)
{
    size_t wanted = f->in->min_bytes < 0 ? 0 : (size_t)f->in->min_bytes;
    return f->has_error || f->count == 0 || f->bytes >= wanted || f->bytes >= f->bytes_max ||
           f->is_cancelled || os_mono().ns >= f->deadline.ns;
}

/* What the client asks for, no more than what is good for others, nor than it may ever have at once. */
static size_t bytes_allowed(const struct fetch *f) ON(net)
{
    size_t asked = f->in->max_bytes < 0 ? 0 : (size_t)f->in->max_bytes;
    size_t quota = throttle_burst(f->request, QUOTA_FETCH);
    asked = asked < ANSWER_BYTES_MAX ? asked : ANSWER_BYTES_MAX;
    return asked < quota ? asked : quota;
}

static void look(struct fetch *f) ON(net);

static void handle_back(struct msg *msg)
{
    struct fetch *f = CONTAINER_OF(msg, struct fetch, back);
    run_on_net();
    f->is_cold = false;
    throttle_clock_start(f->request);
    look(f);
}

/* On the block role. */
static void handle_cold(struct msg *msg)
{
    struct fetch *f = CONTAINER_OF(msg, struct fetch, cold);
    run_on_block();
    gather(f, LOG_IN_PLACE);
    loop_post(f->request->broker->net, &f->back);
}

/* After gathering: answers, waits, or has the disk asked. */
static void look(struct fetch *f)
{
    struct broker *b = f->request->broker;
    if (f->is_cold && !f->is_cancelled) {
        throttle_clock_stop(f->request);
        loop_post(b->reader, &f->cold);
    } else if (is_enough(f))
        answer(f);
    else
        wait_for_more(f);
}

static bool run_again(struct task *task)
{
    struct fetch *f = CONTAINER_OF(task, struct fetch, task);
    struct broker *b = f->request->broker;
    run_on_net();
    stop_waiting(f);
    if (waker_is_pending(&f->waker)) {
        f->is_over = false;
        return false; /* its message is on its way to us, and comes back here */
    }
    if (f->is_over) {
        throttle_clock_start(f->request);
        answer(f);
        return false;
    }
    if (b->reply_bytes >= BROKER_REPLY_BYTES_MAX && !f->is_cancelled && os_mono().ns < f->deadline.ns) {
        list_push_back(&b->hungry, &f->hungry);
        return false;
    }
    throttle_clock_start(f->request);
    for (uint32_t i = 0; i < f->count; i++)
        resolve(b, f->parts[i]);
    gather(f, LOG_CACHED | LOG_IN_PLACE);
    look(f);
    return false;
}

void fetches_feed(struct broker *b)
{
    while (b->reply_bytes < BROKER_REPLY_BYTES_MAX && !list_empty(&b->hungry))
        task_wake(&CONTAINER_OF(list_pop_front(&b->hungry), struct fetch, hungry)->task);
}

static void on_deadline(struct timer *timer)
{
    struct fetch *f = CONTAINER_OF(timer, struct fetch, timer);
    f->is_over = f->is_waiting &&
                 f->found_nothing; /* what comes at this very moment comes with the next fetch */
    if (f->is_waiting || !list_empty(&f->hungry))
        task_wake(&f->task);
}

static void cancel(struct request *r)
{
    struct fetch *f = r->work;
    f->is_cancelled = true;
    if (f->is_waiting || !list_empty(&f->hungry))
        task_wake(&f->task);
}

static void refuse(struct request *r, int16_t error) ON(net)
{
    struct kafka_fetch_response out;
    KAFKA_INIT(kafka_fetch_response, &out);
    out.error_code = error;
    request_answer(r, &out);
}

void handle_fetch(struct request *r)
{
    struct fetch *f = arena_new(&r->arena, struct fetch);
    f->request = r;
    f->in = r->body;
    int16_t error = enter_session(f);
    if (error != KAFKA_ERR_NONE) {
        refuse(r, error);
        return;
    }
    if (f->session) {
        f->session->busy = true;
        take_parts_of_session(f);
    } else {
        take_parts_of_request(f);
    }
    f->bytes_max = bytes_allowed(f);
    f->gathered = arena_zarray(&r->arena, struct gathered, f->count);
    f->deadline = (struct mono_time){os_mono().ns +
                                     (f->in->max_wait_ms < 0 ? 0 : f->in->max_wait_ms) * NS_PER_MS};
    list_init(&f->hungry);
    task_init(&f->task, run_again);
    timer_init(&f->timer, on_deadline);
    waker_init(&f->waker, r->broker->net, &f->task);
    msg_init(&f->cold, handle_cold);
    msg_init(&f->back, handle_back);
    r->work = f;
    r->cancel = cancel;
    if (f->in->max_wait_ms > 0)
        timer_set(&f->timer, f->deadline);
    run_again(&f->task);
}

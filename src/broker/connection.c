/* A connection: bytes in, requests in their order, answers in the same order, bytes out.
 *
 *     recv ──> scratch, or the buffer of a large request ──> requests ──> begin, one after the other ──> answers ──> send
 *
 * A client may send its next request before it has the answer to the last, and gets the answers in order. A request begins when those before
 * it are answered; only a Produce begins behind Produces that still wait for the disk, for that is where pipelining pays, and their
 * frames are committed in the order in which they begin. A client that has a quota is read request by request, because it may have to wait.
 *
 * Memory. A connection that rests holds no buffer: all read into one scratch buffer, small requests are copied out of it, the beginning of the
 * next one stays in `rest`. A large request arrives in a buffer of its own, which its record batches never leave until the
 * journal has copied them. What requests hold, all together, is limited: past BROKER_REQUEST_BYTES_MAX nothing more is read (and the kernel's
 * window closes), until answers went out.
 *
 * Large requests that have come in part have a limit of their own, for they may stay as long as their clients like. Only what has come counts: the
 * buffer grows with it, four times as large each time, and a request of ordinary size gets one of the pool when some of it is there. So an
 * announced length takes nothing. Past BROKER_ARRIVING_BYTES_MAX large requests are not read on, but for the eldest: it gets whole
 * whatever there is, then the next one is the eldest, and so all do. A client that does not send on what is the eldest, while others wait, is cut off
 * (connections_judge). Small requests, and the beginnings of large ones, wait for none of this. */
#include <errno.h>
#include <stdio.h>

#include "broker/broker_private.h"
#include "broker/throttle.h"
#include "obs/event.h"

enum {
    READ_BUDGET = 1 << 20,       /* bytes that one connection reads before others have their turn */
    LARGE_FIRST_BYTES = 4 << 10, /* the least that a large request's buffer begins with */
    LARGE_GROWTH = 4,            /* its buffer is so many times what has come */
    LARGE_POOL_FROM = 32 << 10,  /* a buffer of the pool is taken when so much has come */
    IDLE_REQUESTS_MAX = 256,
    IDLE_ARENA_MAX = 128 << 10, /* an arena that grew beyond this is not kept */
    SIZE_BYTES = 4,
    SEND_BUFFER =
        102400, /* socket.send.buffer.bytes: the megabytes that the system would come to leave the processor's caches on their way */
};

static bool is_set(struct mono_time time)
{
    return time.ns != 0;
}

/* ---- requests ------------------------------------------------------------------------------------------------------------- */

static struct request *request_new(struct connection *c, size_t charge)
{
    struct broker *b = c->broker;
    struct list *idle = list_pop_front(&b->idle_requests);
    struct request *r = idle ? CONTAINER_OF(idle, struct request, link) : mem_new(sizeof *r);
    b->idle_request_count -= idle != NULL;
    r->connection = c;
    r->broker = b;
    r->charge = charge;
    list_init(&r->link);
    return r;
}

static void reply_clear(struct reply *reply)
{
    for (size_t i = 0; i < reply->count; i++)
        buf_unref(reply->parts[i].hold);
    reply->count = 0;
    reply->total = 0;
    kafka_out_clear(&reply->out);
    reply->out.leaves_records = false;
}

static void add_part(struct reply *reply, struct reply_part part)
{
    if (part.n == 0)
        return;
    reply->parts = mem_grow(reply->parts, &reply->capacity, reply->count + 1, sizeof *reply->parts);
    reply->parts[reply->count++] = part;
    reply->total += part.n;
}

/* What was encoded, with the record batches in its holes. */
static void lay_parts(struct reply *reply)
{
    size_t at = 0;
    for (size_t i = 0; i < reply->out.holes_count; i++) {
        const struct kafka_hole *hole = &reply->out.holes[i];
        const struct reply_records *records = (const void *)hole->records.p;
        add_part(reply, (struct reply_part){.at = at, .n = hole->at - at});
        at = hole->at;
        for (uint32_t k = 0; k < records->count; k++)
            add_part(reply, (struct reply_part){.p = records->slices[k].p,
                                                .at = records->slices[k].position,
                                                .n = records->slices[k].n,
                                                .hold = records->slices[k].buf,
                                                .file = records->slices[k].file});
    }
    add_part(reply, (struct reply_part){.at = at, .n = reply->out.bytes.n - at});
}

static void request_destroy(struct request *r)
{
    kafka_out_fini(&r->reply.out);
    mem_free(r->reply.parts);
    arena_fini(&r->arena);
    mem_free(r);
}

void requests_fini(struct broker *b)
{
    struct list *link;
    while ((link = list_pop_front(&b->idle_requests)) != NULL)
        request_destroy(CONTAINER_OF(link, struct request, link));
    while (b->idle_buf_count > 0)
        buf_unref(b->idle_bufs[--b->idle_buf_count]);
}

void request_charge(struct request *r, size_t bytes)
{
    r->charge += bytes;
    r->broker->request_bytes += bytes;
}

static struct buf *small_buf(struct broker *b) ON(net)
{
    return b->idle_buf_count > 0 ? b->idle_bufs[--b->idle_buf_count] : buf_new(SMALL_PRODUCE_BYTES);
}

/* The request's reference on its bytes: a small buffer that nobody else holds is used again. */
static void give_held(struct broker *b, struct buf *held) ON(net)
{
    if (held && held->capacity == SMALL_PRODUCE_BYTES && b->idle_buf_count < IDLE_BUFS_MAX &&
        !buf_is_shared(held))
        b->idle_bufs[b->idle_buf_count++] = held;
    else
        buf_unref(held);
}

static void request_free(struct request *r) ON(net)
{
    struct broker *b = r->broker;
    CHECK(list_empty(&r->link));
    CHECK(b->request_bytes >= r->charge && b->reply_bytes >= r->reply.total);
    b->request_bytes -= r->charge;
    b->reply_bytes -= r->reply.total;
    reply_clear(&r->reply);
    give_held(b, r->held);
    if (b->idle_request_count >= IDLE_REQUESTS_MAX || r->arena.bytes > IDLE_ARENA_MAX ||
        r->reply.out.bytes.capacity > IDLE_ARENA_MAX) {
        request_destroy(r);
    } else {
        arena_reset(&r->arena);
        *r = (struct request){.arena = r->arena, .reply = r->reply};
        list_push_back(&b->idle_requests, &r->link);
        b->idle_request_count++;
    }
    connections_feed(b);
    fetches_feed(b);
}

static void mute(struct connection *c, int32_t ms) ON(net);
static void drop_large(struct connection *c) ON(net);

/* Its answer stands in reply. */
static void request_finish(struct request *r) ON(net)
{
    struct connection *c = r->connection;
    CHECK(r->state == REQUEST_RUNNING);
    r->state = REQUEST_ANSWERED;
    r->cancel = NULL;
    struct broker *b = r->broker;
    b->reply_bytes += r->reply.total;
    b->running--;
    if (c) {
        c->running--;
        c->running_others -= !r->api->pipelines;
        if (r->throttle_ms > 0)
            mute(c, r->throttle_ms);
        task_wake(&c->flush);
    } else {
        request_free(r);
    }
    broker_look_for_end(b);
}

static void encode_answer(struct request *r, const void *response, void (*drop)(struct request *r)) ON(net)
{
    struct err err;
    if (!request_is_orphan(r))
        response = throttle_answer(r, response);
    if (request_is_orphan(r) ||
        kafka_response_encode(r->header.api, r->header.version, r->header.correlation_id, response,
                              &r->reply.out, &err)) {
        lay_parts(&r->reply);
        metrics_count(r, response);
        request_finish(r);
    } else {
        event_err(EVENT_KAFKA_TROUBLE, r->connection->peer, &err);
        if (drop)
            drop(r);
        request_refuse(r, err.text);
    }
}

void request_answer(struct request *r, const void *response)
{
    encode_answer(r, response, NULL);
}

void request_answer_records(struct request *r, const void *response, void (*drop)(struct request *r))
{
    r->reply.out.leaves_records = true;
    encode_answer(r, response, drop);
}

struct str peer_address(const char *peer)
{
    struct str address = str_of(peer);
    while (address.n > 0 && address.p[address.n - 1] != ':')
        address.n--;
    address.n -= address.n > 0;
    if (address.n > 2 && address.p[0] == '[')
        address = str_n(address.p + 1, address.n - 2);
    return address;
}

struct str request_client_host(struct request *r)
{
    struct str address = r->connection ? peer_address(r->connection->peer) : (struct str){0};
    return str_of(arena_printf(&r->arena, "/%.*s", STR_ARG(address)));
}

void request_answer_nothing(struct request *r)
{
    request_finish(r);
}

void request_refuse(struct request *r, const char *why)
{
    if (r->connection)
        event_log(EVENT_KAFKA, r->connection->peer, "connection ended: %s", why);
    r->ends = true;
    request_answer_nothing(r);
}

/* ---- its life ----------------------------------------------------------------------------------------------------------------- */

void connection_end(struct connection *c, const char *why)
{
    if (c->broken)
        return;
    event_log(EVENT_KAFKA, c->peer, "connection ended: %s", why);
    c->broken = true;
    task_wake(&c->flush);
}

/* Nothing that comes after what has been taken so far is looked at. That is done first, as it may be records that nobody wants an answer for;
 * but nothing waits any more. */
static void go_deaf(struct connection *c, const char *why) ON(net)
{
    if (c->request_count == 0) {
        connection_end(c, why);
        return;
    }
    event_log(EVENT_KAFKA, c->peer, "connection ends: %s", why);
    c->is_deaf = true;
    connection_cancel(c);
}

static void wake_by(struct connection *c, struct mono_time due) ON(net)
{
    if (!timer_is_set(&c->patience) || due.ns < c->patience.due.ns)
        timer_set(&c->patience, due);
}

static struct mono_time after(struct mono_time time, int64_t ms)
{
    return (struct mono_time){time.ns + ms * NS_PER_MS};
}

/* Nothing is read, and nothing begins that was read already, for so long. */
static void mute(struct connection *c, int32_t ms)
{
    struct mono_time until = after(os_mono(), ms);
    if (until.ns > c->muted_until.ns)
        c->muted_until = until;
    wake_by(c, c->muted_until);
}

void connection_cancel(struct connection *c)
{
    struct list *link = c->requests.next;
    while (link != &c->requests) {
        struct request *r = CONTAINER_OF(link, struct request, link);
        link = link->next;
        if (r->state == REQUEST_RUNNING && r->cancel)
            r->cancel(r);
    }
}

void connection_close(struct connection *c)
{
    struct broker *b = c->broker;
    struct err ignored;
    while (!list_empty(&c->requests)) {
        struct request *r = CONTAINER_OF(list_pop_front(&c->requests), struct request, link);
        r->connection = NULL;
        if (r->state != REQUEST_RUNNING)
            request_free(r);
        else if (r->cancel)
            r->cancel(r);
    }
    drop_large(c);
    limits_leave(c);
    list_remove(&c->link);
    list_remove(&c->starved);
    b->connection_count--;
    timer_cancel(&c->patience);
    task_cancel(&c->flush);
    loop_watch(b->net, &c->watch, c->file, 0, &ignored);
    os_close(c->file);
    sbuf_fini(&c->rest);
    mem_free(c);
    connections_feed(b);
    listener_resume(b);
}

/* ---- requests begin ------------------------------------------------------------------------------------------------------------- */

static bool may_begin(const struct connection *c, const struct request *r)
{
    return c->running == 0 || (r->api->pipelines && c->running_others == 0);
}

static void begin(struct connection *c, struct request *r) ON(net)
{
    struct err err;
    const struct kafka_type *type = r->header.api->request;
    struct rd rd = rd_of(r->bytes, r->size);
    throttle_clock_start(r);
    r->state = REQUEST_RUNNING;
    c->running++;
    c->running_others += !r->api->pipelines;
    r->broker->running++;
    r->arena.limit = REQUEST_ARENA_MAX;
    r->body = arena_alloc(&r->arena, type->size);
    if (!kafka_api_has(r->header.api, r->header.version)) /* ApiVersions: others have not come this far */
        r->body = NULL;
    else if (!kafka_decode(type, r->header.version, &rd, &r->arena, r->body, &err)) {
        request_refuse(r, err.text);
        return;
    }
    r->api->handle(r);
    throttle_clock_stop(r);
    if (c->is_deaf && r->state == REQUEST_RUNNING && r->cancel)
        r->cancel(r);
}

static void begin_ready(struct connection *c) ON(net)
{
    struct list *link = c->requests.next;
    while (link != &c->requests && !c->broken && !c->broker->stopping && !is_set(c->muted_until)) {
        struct request *r = CONTAINER_OF(link, struct request, link);
        link = link->next;
        if (r->state == REQUEST_ANSWERED && r->ends)
            return; /* nothing after it is looked at */
        if (r->state != REQUEST_ARRIVED)
            continue;
        if (!may_begin(c, r))
            return;
        begin(c, r);
        if (r->ends)
            return;
    }
}

/* Reads the header, and leaves bytes at the body. */
static bool open_request(struct request *r, struct err *err)
{
    struct rd rd = rd_of(r->bytes, r->size);
    TRY(kafka_header_decode(&rd, &r->header, err));
    r->bytes = rd.p;
    r->size = rd_left(&rd);
    r->api = r->header.api ? api_find(r->header.key) : NULL;
    if (r->api == NULL ||
        (!kafka_api_has(r->header.api, r->header.version) && r->header.key != KAFKA_API_API_VERSIONS))
        return err_set(err, ERR_DATA, "API %d in version %d is not served", r->header.key, r->header.version);
    return true;
}

/* A whole request, without its size, at p[n]; held: the buffer that it lies in, one reference, taken; or NULL: it is copied. */
static void take_request(struct connection *c, const uint8_t *p, size_t n, struct buf *held, size_t charge)
    ON(net)
{
    struct request *r = request_new(c, charge);
    struct err err;
    counter_add(&c->broker->bytes_in, SIZE_BYTES + n);
    if (held == NULL &&
        get_be16(p) == KAFKA_API_PRODUCE) { /* its batches go to the journal from where they lie */
        bool is_small = n <= SMALL_PRODUCE_BYTES;
        held = is_small ? small_buf(c->broker) : buf_new(n);
        request_charge(r, is_small ? SMALL_PRODUCE_BYTES - n : 0);
        memcpy(held->p, p, n);
        held->n = n;
        p = held->p;
    }
    r->arrived = c->heard;
    r->held = held;
    r->bytes = held ? p : arena_dup(&r->arena, p, n);
    r->size = n;
    if (!open_request(r, &err)) {
        request_free(r);
        go_deaf(c, err.text);
        return;
    }
    list_push_back(&c->requests, &r->link);
    c->request_count++;
    c->is_limited = throttle_limits(r);
}

/* ---- reading ---------------------------------------------------------------------------------------------------------------------- */

static bool has_room(const struct broker *b)
{
    return b->request_bytes < BROKER_REQUEST_BYTES_MAX;
}

static bool arriving_is_full(const struct broker *b)
{
    return b->arriving_bytes >= BROKER_ARRIVING_BYTES_MAX;
}

static bool may_read(const struct connection *c)
{
    return !c->broken && !c->is_deaf && !c->broker->stopping && !is_set(c->muted_until) &&
           c->request_count < (c->is_limited ? 1 : BROKER_PIPELINE_MAX);
}

/* The size of the request that begins at p[n], checked; 0: it is not there yet, or cannot be (the connection ends then). */
static size_t size_at(struct connection *c, const uint8_t *p, size_t n) ON(net)
{
    struct str frame;
    size_t size;
    if (n < SIZE_BYTES)
        return 0;
    if (kafka_frame_next(p, n, BROKER_FRAME_MAX, &frame, &size) != KAFKA_FRAME_BAD)
        return size - SIZE_BYTES;
    char why[96];
    snprintf(why, sizeof why, "a request of %d bytes, the limit is %d", (int)(int32_t)get_be32(p),
             BROKER_FRAME_MAX);
    go_deaf(c, why);
    return 0;
}

/* Has a whole request stayed in rest? */
static bool has_whole(const struct connection *c)
{
    return c->rest.n >= SIZE_BYTES && c->rest.n - SIZE_BYTES >= get_be32(c->rest.p);
}

/* A buffer for a request of `size` bytes of which n have come. */
static struct buf *large_buf(struct connection *c, size_t size, size_t n) ON(net)
{
    struct broker *b = c->broker;
    if (size >= REQUEST_POOL_MIN && size <= REQUEST_POOL_BYTES && n >= LARGE_POOL_FROM &&
        b->arriving_pooled < REQUEST_POOL_KEEP) {
        c->large_is_pooled = true;
        b->arriving_pooled++;
        return buf_pool_take(b->request_pool, size);
    }
    size_t capacity = LARGE_GROWTH * n < LARGE_FIRST_BYTES ? LARGE_FIRST_BYTES : LARGE_GROWTH * n;
    return buf_new(capacity < size ? capacity : size);
}

/* n bytes more of it have come. */
static void large_came(struct connection *c, size_t n) ON(net)
{
    c->large->n += n;
    c->broker->arriving_bytes += n;
    if (c->large->n - c->step_n >= BROKER_ARRIVING_STEP) {
        c->step_n = c->large->n;
        c->step = os_mono();
    }
}

/* The request of `size` bytes is a large one: what has come of it, p[n], begins its buffer. */
static void begin_large(struct connection *c, size_t size, const uint8_t *p, size_t n) ON(net)
{
    c->large = large_buf(c, size, n);
    c->large_size = size;
    c->step_n = 0;
    c->step = os_mono();
    list_push_back(&c->broker->arriving, &c->arriving);
    memcpy(c->large->p, p, n);
    large_came(c, n);
}

static void grow_large(struct connection *c) ON(net)
{
    struct buf *old = c->large;
    c->large = large_buf(c, c->large_size, old->n);
    memcpy(c->large->p, old->p, old->n);
    c->large->n = old->n;
    buf_unref(old);
}

/* It arrives no more. Returns its buffer, which is the caller's. */
static struct buf *leave_arriving(struct connection *c) ON(net)
{
    struct buf *large = c->large;
    c->broker->arriving_bytes -= large->n;
    c->broker->arriving_pooled -= c->large_is_pooled;
    c->large_is_pooled = false;
    c->large = NULL;
    list_remove(&c->arriving);
    return large;
}

static void drop_large(struct connection *c)
{
    if (c->large)
        buf_unref(leave_arriving(c));
}

static void end_large(struct connection *c) ON(net)
{
    struct buf *large = leave_arriving(c);
    c->broker->request_bytes += large->capacity;
    take_request(c, large->p, large->n, large, large->capacity);
    connections_feed(c->broker);
}

/* Takes the requests out of p[n]; returns the bytes that are used up. */
static size_t take_all(struct connection *c, const uint8_t *p, size_t n) ON(net)
{
    size_t at = 0, size;
    while (may_read(c) && c->large == NULL && (size = size_at(c, p + at, n - at)) > 0) {
        size_t there = n - at - SIZE_BYTES;
        if (size > REQUEST_COPY_MAX) {
            there = there < size ? there : size;
            begin_large(c, size, p + at + SIZE_BYTES, there);
            at += SIZE_BYTES + there;
            if (there == size)
                end_large(c);
            continue;
        }
        if (there < size)
            break;
        c->broker->request_bytes += size;
        take_request(c, p + at + SIZE_BYTES, size, NULL, size);
        at += SIZE_BYTES + size;
    }
    return at;
}

/* One recv. False: there is nothing more at present, or the connection has ended. */
static bool receive(struct connection *c, void *p, size_t n, size_t *got) ON(net)
{
    struct err err;
    if (!os_recv(c->file, p, n, got, &err)) {
        if (err.code != EAGAIN)
            connection_end(c, err.text);
        return false;
    }
    if (*got == 0) {
        go_deaf(c, "the client has closed it");
        return false;
    }
    c->heard = os_mono();
    return true;
}

static bool receive_large(struct connection *c, size_t *budget) ON(net)
{
    size_t got;
    if (c->large->n == c->large->capacity)
        grow_large(c);
    size_t end = c->large->capacity < c->large_size ? c->large->capacity
                                                    : c->large_size; /* what follows is another's */
    if (!receive(c, c->large->p + c->large->n, end - c->large->n, &got))
        return false;
    large_came(c, got);
    *budget -= got < *budget ? got : *budget;
    if (c->large->n == c->large_size)
        end_large(c);
    return true;
}

static bool receive_small(struct connection *c, size_t *budget) ON(net)
{
    struct buf *scratch = c->broker->scratch;
    size_t n = c->rest.n, got = 0;
    if (n > 0) {
        size_t used = take_all(c, (const uint8_t *)c->rest.p, n);
        n -= used;
        memcpy(scratch->p, c->rest.p + used, n);
        sbuf_clear(&c->rest);
    }
    bool more = may_read(c) && c->large == NULL;
    size_t most = scratch->capacity - n;
    if (arriving_is_full(c->broker) && most > REQUEST_COPY_MAX)
        most = REQUEST_COPY_MAX; /* it may be the beginning of a large one, which is kept */
    if (more && (more = receive(c, scratch->p + n, most, &got))) {
        n += got;
        *budget -= got < *budget ? got : *budget;
        size_t used = take_all(c, scratch->p, n);
        sbuf_add(&c->rest, scratch->p + used, n - used);
    } else {
        sbuf_add(&c->rest, scratch->p, n);
    }
    return (more && got == most) ||
           c->large != NULL; /* what was not filled is empty now: the loop says when more is there */
}

static void note_partial(struct connection *c) ON(net)
{
    bool partial = c->rest.n > 0 || c->large != NULL;
    if (!partial) {
        c->partial_since = (struct mono_time){0};
        sbuf_fini(&c->rest);
    } else if (!is_set(c->partial_since)) {
        c->partial_since = os_mono();
        wake_by(c, after(c->partial_since, BROKER_FRAME_MS));
    }
}

/* Of the large requests that have come in part, the eldest that does not wait for its own connection's answers. NULL: none. */
static struct connection *eldest(const struct broker *b)
{
    LIST_EACH(link, &b->arriving)
    {
        struct connection *c = CONTAINER_OF(link, struct connection, arriving);
        if (may_read(c))
            return c;
    }
    return NULL;
}

/* Where it has to wait until there is room; NULL: it may read. */
static struct list *queue_for(const struct connection *c)
{
    struct broker *b = c->broker;
    if (!has_room(b))
        return &b->starved;
    return c->large && arriving_is_full(b) && c != eldest(b) ? &b->starved_large : NULL;
}

static void read_requests(struct connection *c) ON(net)
{
    size_t budget = READ_BUDGET;
    bool more = true;
    struct list *queue;
    if (!may_read(c))
        return;
    if ((queue = queue_for(c)) != NULL) {
        if (list_empty(&c->starved))
            list_push_back(queue, &c->starved);
        connections_feed(c->broker);
        return;
    }
    while (more && may_read(c) && queue_for(c) == NULL && budget > 0)
        more = c->large ? receive_large(c, &budget) : receive_small(c, &budget);
    note_partial(c);
    begin_ready(c);
}

static void feed(struct connection *c) ON(net)
{
    list_remove(&c->starved);
    c->step = os_mono();
    task_wake(&c->flush);
}

/* Who is to be read of those who wait for the memory of what arrives. NULL: nobody, for now. */
static struct connection *next_large(struct broker *b) ON(net)
{
    if (!has_room(b) || list_empty(&b->starved_large))
        return NULL;
    if (!arriving_is_full(b))
        return CONTAINER_OF(b->starved_large.next, struct connection, starved);
    struct connection *c = eldest(b);
    if (c != NULL && list_empty(&c->starved)) {
        timer_set(&b->arriving_timer, after(c->step, BROKER_ARRIVING_MS));
        return NULL;
    }
    return c;
}

void connections_feed(struct broker *b)
{
    struct connection *c;
    while (has_room(b) && !list_empty(&b->starved))
        feed(CONTAINER_OF(b->starved.next, struct connection, starved));
    while ((c = next_large(b)) != NULL)
        feed(c);
}

static bool holds_others_up(const struct connection *c, struct mono_time now)
{
    struct broker *b = c->broker;
    return has_room(b) && !list_empty(&b->starved_large) && arriving_is_full(b) && c == eldest(b) &&
           list_empty(&c->starved) && after(c->step, BROKER_ARRIVING_MS).ns <= now.ns;
}

void connections_judge(struct timer *timer)
{
    struct broker *b = CONTAINER_OF(timer, struct broker, arriving_timer);
    struct mono_time now = os_mono();
    struct connection *c;
    run_on_net();
    while ((c = eldest(b)) != NULL && holds_others_up(c, now)) {
        read_requests(c); /* perhaps it was us who were slow */
        task_wake(&c->flush);
        if (!holds_others_up(c, now))
            continue;
        connection_end(c, "it sends a large request too slowly, and others wait");
        drop_large(c);
    }
    connections_feed(b);
}

/* ---- answering -------------------------------------------------------------------------------------------------------------------- */

/* What goes out next, of the answers that are ready, in order: bytes in memory, and a part that is in a file. */
struct outgoing {
    struct os_span spans[OS_SPANS_MAX];
    size_t count;
    const struct reply_part *file; /* after the spans; or NULL */
    size_t skip;                   /* bytes of it that are out, when there are no spans */
};

static void gather_answers(const struct connection *c, struct outgoing *out)
{
    out->count = 0;
    out->file = NULL;
    out->skip = c->sent;
    LIST_EACH(link, &c->requests)
    {
        const struct request *r = CONTAINER_OF(link, struct request, link);
        if (r->state != REQUEST_ANSWERED)
            return;
        for (size_t i = 0; i < r->reply.count; i++) {
            const struct reply_part *part = &r->reply.parts[i];
            if (out->skip >= part->n) {
                out->skip -= part->n;
                continue;
            }
            if (part->file) {
                out->file = part;
                return;
            }
            const uint8_t *p = part->p ? part->p : (const uint8_t *)r->reply.out.bytes.p + part->at;
            out->spans[out->count++] = (struct os_span){p + out->skip, part->n - out->skip};
            out->skip = 0;
            if (out->count == OS_SPANS_MAX)
                return;
        }
    }
}

static bool send_some(struct connection *c, const struct outgoing *out, size_t *sent, struct err *err) ON(net)
{
    const struct reply_part *file = out->file;
    if (out->count > 0)
        return os_send_spans(c->file, out->spans, out->count, file != NULL, sent, err);
    TRY(os_sendfile(c->file, file->file, file->at + out->skip, file->n - out->skip, sent, err));
    return *sent > 0 || err_set(err, ERR_DATA, "a segment's file ends before its records do");
}

/* c->sent has grown: whole answers go. */
static void drop_sent(struct connection *c) ON(net)
{
    while (!list_empty(&c->requests)) {
        struct request *r = CONTAINER_OF(c->requests.next, struct request, link);
        if (r->state != REQUEST_ANSWERED || c->sent < r->reply.total)
            return;
        c->sent -= r->reply.total;
        counter_add(&c->broker->bytes_out, r->reply.total);
        if (r->ends)
            c->broken = true;
        list_remove(&r->link);
        c->request_count--;
        request_free(r);
    }
    CHECK(c->sent == 0);
    c->broken |= c->is_deaf;
}

/* True: something is left that the client does not take. */
static bool send_answers(struct connection *c) ON(net)
{
    struct outgoing out;
    struct err err;
    size_t sent;
    drop_sent(c);
    while (!c->broken && (gather_answers(c, &out), out.count > 0 || out.file != NULL)) {
        if (!send_some(c, &out, &sent, &err)) {
            if (err.code == EAGAIN)
                return true;
            connection_end(c, err.text);
            return false;
        }
        c->stuck_since = (struct mono_time){0};
        c->sent += sent;
        drop_sent(c);
    }
    return false;
}

static bool watch_for(struct connection *c, bool stuck, struct err *err) ON(net)
{
    unsigned interest = (may_read(c) && list_empty(&c->starved) ? OS_READABLE : 0u) |
                        (stuck ? OS_WRITABLE : 0u);
    return interest == c->watch.interest || loop_watch(c->broker->net, &c->watch, c->file, interest, err);
}

/* Sends what is ready, begins what may begin, reads again what it had to leave. */
static bool run_flush(struct task *task)
{
    struct connection *c = CONTAINER_OF(task, struct connection, flush);
    struct err err;
    run_on_net();
    bool stuck = send_answers(c);
    begin_ready(c);
    if (has_whole(c))
        read_requests(c);
    if (!c->broken && !watch_for(c, stuck, &err))
        connection_end(c, err.text);
    if (stuck && !is_set(c->stuck_since)) {
        c->stuck_since = os_mono();
        wake_by(c, after(c->stuck_since, BROKER_FRAME_MS));
    }
    if (c->broken)
        connection_close(c);
    return false;
}

static void on_ready(struct watch *watch, unsigned events)
{
    struct connection *c = CONTAINER_OF(watch, struct connection, watch);
    run_on_net();
    if (events & (OS_READABLE | OS_HANGUP))
        read_requests(c);
    task_wake(&c->flush);
}

/* ---- patience ------------------------------------------------------------------------------------------------------------------- */

static bool is_over(struct connection *c, struct mono_time since, int64_t ms, struct mono_time now) ON(net)
{
    if (!is_set(since))
        return false;
    struct mono_time due = after(since, ms);
    if (due.ns <= now.ns)
        return true;
    wake_by(c, due);
    return false;
}

static void on_patience(struct timer *timer)
{
    struct connection *c = CONTAINER_OF(timer, struct connection, patience);
    struct mono_time now = os_mono();
    run_on_net();
    if (is_over(c, c->muted_until, 0, now)) {
        c->muted_until = (struct mono_time){0};
        task_wake(&c->flush);
    }
    if (is_set(c->partial_since) && (!list_empty(&c->starved) || !may_read(c)))
        c->partial_since = now; /* it waits for us */
    if (is_over(c, c->partial_since, BROKER_FRAME_MS, now))
        connection_end(c, "a request did not arrive whole in time");
    if (is_over(c, c->stuck_since, BROKER_FRAME_MS, now))
        connection_end(c, "the client does not take its answers");
    if (c->request_count > 0)
        c->heard = now;
    if (is_over(c, c->heard, BROKER_IDLE_MS, now))
        connection_end(c, "idle for too long");
}

bool connection_open(struct broker *b, int file, const char *peer, int32_t hold_ms, struct err *err)
{
    struct connection *c = mem_new(sizeof *c);
    *c = (struct connection){.broker = b, .file = file, .heard = os_mono()};
    snprintf(c->peer, sizeof c->peer, "%s", peer);
    list_init(&c->requests);
    list_init(&c->starved);
    list_init(&c->arriving);
    task_init(&c->flush, run_flush);
    timer_init(&c->patience, on_patience);
    c->watch.ready = on_ready;
    os_send_buffer_hint(file, SEND_BUFFER);
    c->is_deaf = hold_ms > 0;
    if (!c->is_deaf && !loop_watch(b->net, &c->watch, file, OS_READABLE, err)) {
        os_close(file);
        mem_free(c);
        return false;
    }
    timer_set_in(&c->patience, BROKER_IDLE_MS * NS_PER_MS);
    if (c->is_deaf)
        mute(c, hold_ms);
    list_push_back(&b->connections, &c->link);
    limits_enter(c);
    b->connection_count++;
    return true;
}

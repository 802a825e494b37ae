/* Sockets and pollers of the simulator: connections between loops of one life, in memory.
 *
 * Bytes arrive in order, after a delay, in pieces that have nothing to do with how they were sent; a send may take a part; a
 * connection to nobody is refused, at once or later; an end that is closed with bytes unread resets its peer. There is no loss: a stream
 * socket has none. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "os/sim_private.h"

enum {
    SOCKET_BUFFER = 64 * 1024, /* bytes on their way to one end; then EAGAIN */
    FIRST_PORT = 40000,
    TIME_SOCKET = 3 * 1000,
    DELAY_MIN = 10 * 1000,
    DELAY_MAX = 300 * 1000,
};

/* ---- addresses ------------------------------------------------------------------------------------------------- */

/* The port of "host:port", −1 if it is none. Hosts are all the same: there is one machine. */
static int port_of(const char *address)
{
    const char *colon = strrchr(address, ':');
    if (colon == NULL || colon[1] == '\0' || strlen(colon) > 6 ||
        strspn(colon + 1, "0123456789") != strlen(colon + 1))
        return -1;
    int port = atoi(colon + 1);
    return port < 65536 ? port : -1;
}

/* One spelling for each: unix:path, or 127.0.0.1:port. */
static int normalise(const char *address, char out[OS_NAME_MAX + 1])
{
    int n, port = port_of(address);
    if (strncmp(address, "unix:", 5) == 0)
        n = address[5] ? snprintf(out, OS_NAME_MAX + 1, "%s", address) : -1;
    else
        n = port >= 0 ? snprintf(out, OS_NAME_MAX + 1, "127.0.0.1:%d", port) : -1;
    return n < 0 ? EINVAL : n > OS_NAME_MAX ? ENAMETOOLONG : 0;
}

static struct sim_socket *listener_at(const char *address)
{
    LIST_EACH(link, &sim->sockets)
    {
        struct sim_socket *socket = CONTAINER_OF(link, struct sim_socket, all);
        if (socket->is_listener && strcmp(socket->address, address) == 0)
            return socket;
    }
    return NULL;
}

/* ---- sockets --------------------------------------------------------------------------------------------------- */

static int64_t delay(void)
{
    return DELAY_MIN + (int64_t)sim_pick(sim_one_in(32) ? 100 * DELAY_MAX : DELAY_MAX);
}

static struct sim_socket *socket_new(const char *address)
{
    struct sim_socket *socket = sim_alloc(sizeof *socket);
    snprintf(socket->address, sizeof socket->address, "%s", address);
    socket->id = ++sim->order;
    socket->end_ns = INT64_MAX;
    list_init(&socket->backlog);
    list_push_back(&sim->sockets, &socket->all);
    return socket;
}

static void socket_free(struct sim_socket *socket)
{
    while (socket->first) {
        struct sim_segment *segment = socket->first;
        socket->first = segment->next;
        sim_free(segment, sizeof *segment + segment->n);
    }
    list_remove(&socket->backlog);
    list_remove(&socket->all);
    sim_free(socket, sizeof *socket);
}

static void part_from_peer(struct sim_socket *socket, int why)
{
    struct sim_socket *peer = socket->peer;
    if (peer == NULL)
        return;
    int64_t last = peer->last ? peer->last->due_ns : 0, now = sim->clock_ns + delay();
    peer->end_ns = last > now ? last : now;
    peer->peer = NULL;
    peer->why = why;
    socket->peer = NULL;
}

void sim_socket_close(struct sim_handle *handle)
{
    struct sim_socket *socket = handle->socket;
    while (socket->is_listener && !list_empty(&socket->backlog)) {
        struct sim_socket *waiting = CONTAINER_OF(list_pop_front(&socket->backlog), struct sim_socket,
                                                  backlog);
        part_from_peer(waiting, ECONNRESET);
        socket_free(waiting);
    }
    part_from_peer(socket, socket->waiting > 0 ? ECONNRESET : 0);
    socket_free(socket);
    handle->socket = NULL;
}

static struct sim_socket *socket_of(int file, enum sim_handle_kind kind)
{
    struct sim_handle *handle = sim_handle(file);
    return handle && handle->kind == kind ? handle->socket : NULL;
}

int sim_listen(const char *address, int *file, char *bound, size_t bound_size)
{
    char own[OS_NAME_MAX + 1];
    enum sim_crash crash = sim_begin("listen", address, 0, 0, TIME_SOCKET);
    int why = normalise(address, own);
    if (why)
        return sim_end(crash, why);
    if (strcmp(own, "127.0.0.1:0") == 0)
        snprintf(own, sizeof own, "127.0.0.1:%d", FIRST_PORT + (int)(sim->next_port++ % 20000));
    if (listener_at(own))
        return sim_end(crash, EADDRINUSE);
    why = sim_handle_new(SIM_LISTENER, file);
    if (why)
        return sim_end(crash, why);
    struct sim_socket *socket = socket_new(own);
    socket->is_listener = true;
    sim_handle(*file)->socket = socket;
    if (bound)
        snprintf(bound, bound_size, "%s", own);
    return sim_end(crash, 0);
}

/* Both ends of a connection; the other waits at the listener. */
static void meet(struct sim_socket *socket, struct sim_socket *listener)
{
    struct sim_socket *other = socket_new(listener->address);
    snprintf(other->peer_address, sizeof other->peer_address, "%s", socket->address);
    socket->peer = other;
    other->peer = socket;
    other->ready_ns = socket->ready_ns;
    list_push_back(&listener->backlog, &other->backlog);
}

int sim_connect(const char *address, int *file)
{
    char to[OS_NAME_MAX + 1], own[OS_NAME_MAX + 1];
    enum sim_crash crash = sim_begin("connect", address, 0, 0, TIME_SOCKET);
    int why = normalise(address, to);
    struct sim_socket *listener = why ? NULL : listener_at(to);
    if (why == 0 && listener == NULL && (strncmp(to, "unix:", 5) == 0 || sim_one_in(2)))
        why = ECONNREFUSED;
    if (why == 0)
        why = sim_handle_new(SIM_STREAM, file);
    if (why)
        return sim_end(crash, why);
    snprintf(own, sizeof own, "127.0.0.1:%d", FIRST_PORT + (int)(sim->next_port++ % 20000));
    struct sim_socket *socket = socket_new(own);
    snprintf(socket->peer_address, sizeof socket->peer_address, "%s", to);
    socket->ready_ns = sim->clock_ns + delay();
    if (listener) {
        meet(socket, listener);
    } else {
        socket->why = ECONNREFUSED;
        socket->end_ns = socket->ready_ns;
    }
    sim_handle(*file)->socket = socket;
    return sim_end(crash, 0);
}

/* The first end that has arrived, or NULL. */
static struct sim_socket *arrived(const struct sim_socket *listener)
{
    if (list_empty(&listener->backlog))
        return NULL;
    struct sim_socket *socket = CONTAINER_OF(listener->backlog.next, struct sim_socket, backlog);
    return socket->ready_ns <= sim->clock_ns ? socket : NULL;
}

int sim_accept(int listener_file, int *file, char *peer, size_t peer_size)
{
    struct sim_socket *listener = socket_of(listener_file, SIM_LISTENER);
    if (listener == NULL)
        return EBADF;
    sim_look("accept", listener->address, 0, 0, TIME_SOCKET);
    struct sim_socket *socket = arrived(listener);
    if (socket == NULL)
        return EAGAIN;
    int why = sim_handle_new(SIM_STREAM, file);
    if (why)
        return why;
    list_remove(&socket->backlog);
    sim_handle(*file)->socket = socket;
    if (peer)
        snprintf(peer, peer_size, "%s", socket->peer_address);
    return 0;
}

/* ---- bytes ------------------------------------------------------------------------------------------------------- */

static bool is_at_end(const struct sim_socket *socket)
{
    return socket->end_ns <= sim->clock_ns;
}

static bool is_readable(const struct sim_socket *socket)
{
    return (socket->first && socket->first->due_ns <= sim->clock_ns) || is_at_end(socket);
}

static bool is_writable(const struct sim_socket *socket)
{
    if (socket->peer == NULL)
        return is_at_end(socket);
    return socket->ready_ns <= sim->clock_ns && socket->peer->waiting < SOCKET_BUFFER;
}

static size_t take(struct sim_socket *socket, uint8_t *p, size_t n)
{
    size_t all = 0;
    while (all < n && socket->first && socket->first->due_ns <= sim->clock_ns) {
        struct sim_segment *segment = socket->first;
        size_t left = segment->n - segment->taken, step = n - all < left ? n - all : left;
        memcpy(p + all, segment->data + segment->taken, step);
        segment->taken += step;
        all += step;
        if (step < left)
            break;
        socket->first = segment->next;
        if (socket->first == NULL)
            socket->last = NULL;
        sim_free(segment, sizeof *segment + segment->n);
    }
    socket->waiting -= all;
    return all;
}

int sim_recv(int file, void *p, size_t n, size_t *got)
{
    struct sim_socket *socket = socket_of(file, SIM_STREAM);
    if (socket == NULL)
        return EBADF;
    sim_look("recv", socket->address, n, 0, TIME_SOCKET);
    if (is_at_end(socket) && socket->why)
        return socket->why;
    if (n > 1 && sim_one_in(4))
        n = 1 + (size_t)sim_pick(n);
    *got = take(socket, p, n);
    return *got > 0 || is_at_end(socket) ? 0 : EAGAIN;
}

/* How many of n bytes the socket takes now; 0: none, and *why. */
static size_t room_for(const struct sim_socket *socket, size_t n, int *why)
{
    *why = EAGAIN;
    if (socket->peer == NULL && is_at_end(socket))
        *why = socket->why ? socket->why : EPIPE;
    if (socket->peer == NULL || !is_writable(socket))
        return 0;
    *why = 0;
    size_t room = SOCKET_BUFFER - socket->peer->waiting;
    n = n < room ? n : room;
    if (n > 1 && sim_one_in(4))
        n = 1 + (size_t)sim_pick(n);
    return n;
}

static struct sim_segment *segment_new(size_t n)
{
    struct sim_segment *segment = sim_alloc(sizeof *segment + n);
    segment->n = n;
    return segment;
}

static void set_out(struct sim_socket *socket, struct sim_segment *segment)
{
    struct sim_segment *last = socket->peer->last;
    segment->due_ns = sim->clock_ns + delay();
    if (last && last->due_ns > segment->due_ns)
        segment->due_ns = last->due_ns;
    if (last)
        last->next = segment;
    else
        socket->peer->first = segment;
    socket->peer->last = segment;
    socket->peer->waiting += segment->n;
}

/* Takes of the first span alone: the least that a system may do. */
int sim_send(int file, const struct os_span *spans, size_t count, bool more, size_t *sent)
{
    int why;
    (void)count, (void)more;
    struct sim_socket *socket = socket_of(file, SIM_STREAM);
    if (socket == NULL)
        return EBADF;
    enum sim_crash crash = sim_begin("send", socket->address, spans[0].n, 0, TIME_SOCKET);
    size_t n = room_for(socket, spans[0].n, &why);
    if (n == 0)
        return sim_end(crash, why);
    struct sim_segment *segment = segment_new(n);
    memcpy(segment->data, spans[0].p, n);
    set_out(socket, segment);
    *sent = n;
    return sim_end(crash, 0);
}

int sim_sendfile(int socket_file, int file, uint64_t offset, size_t n, size_t *sent)
{
    int why;
    struct sim_socket *socket = socket_of(socket_file, SIM_STREAM);
    struct sim_handle *handle = sim_handle(file);
    if (socket == NULL || handle == NULL || handle->inode == NULL || !(handle->flags & OS_READ))
        return EBADF;
    enum sim_crash crash = sim_begin("sendfile", socket->address, n, offset, TIME_SOCKET);
    uint64_t size = handle->inode->size, left = offset < size ? size - offset : 0;
    n = left < n ? (size_t)left : n;
    if (n == 0)
        return sim_end(crash, 0); /* *sent is 0 */
    n = room_for(socket, n, &why);
    if (n == 0)
        return sim_end(crash, why);
    struct sim_segment *segment = segment_new(n);
    size_t got = sim_file_read(handle->inode, segment->data, n, offset);
    CHECK(got == n);
    set_out(socket, segment);
    *sent = n;
    return sim_end(crash, 0);
}

void sim_port_holder(const char *address, char *out, size_t size)
{
    char own[OS_NAME_MAX + 1];
    if (normalise(address, own) == 0 && listener_at(own))
        snprintf(out, size, "this program");
}

static void sooner(int64_t ns, int64_t *next)
{
    if (ns > sim->clock_ns && ns < *next)
        *next = ns;
}

struct mono_time sim_next_io(void)
{
    int64_t next = INT64_MAX;
    LIST_EACH(link, &sim->sockets)
    {
        const struct sim_socket *socket = CONTAINER_OF(link, struct sim_socket, all);
        if (socket->is_listener)
            continue;
        sooner(socket->ready_ns, &next);
        sooner(socket->end_ns, &next);
        if (socket->first)
            sooner(socket->first->due_ns, &next);
    }
    return (struct mono_time){next == INT64_MAX ? next : next - sim->boot_ns};
}

/* ---- pollers ------------------------------------------------------------------------------------------------------- */

struct watched {
    int file;
    uint64_t
        id; /* of the socket that file was: a closed one is forgotten, also when its number is another's */
    unsigned interest;
    void *arg;
};

struct sim_poller {
    struct os_poller base;
    struct watched *all; /* all[count] */
    size_t count, capacity;
    bool is_woken;
};

static struct sim_poller *sim_of(struct os_poller *poller)
{
    return (struct sim_poller *)(void *)poller; /* base is the first member */
}

int sim_poller_new(struct os_poller **out)
{
    struct sim_poller *poller = mem_new(sizeof *poller);
    poller->base.table = &os_sim_table;
    *out = &poller->base;
    return 0;
}

void sim_poller_free(struct os_poller *base)
{
    mem_free(sim_of(base)->all);
    mem_free(base);
}

int sim_poller_watch(struct os_poller *base, int file, unsigned interest, void *arg)
{
    struct sim_poller *poller = sim_of(base);
    size_t i = 0;
    while (i < poller->count && poller->all[i].file != file)
        i++;
    if (interest == 0) {
        if (i < poller->count)
            memmove(poller->all + i, poller->all + i + 1, (--poller->count - i) * sizeof *poller->all);
        return 0;
    }
    if (sim_handle(file) == NULL || sim_handle(file)->socket == NULL)
        return sim_handle(file) ? EPERM : EBADF;
    poller->all = mem_grow(poller->all, &poller->capacity, poller->count + 1, sizeof *poller->all);
    poller->all[i] = (struct watched){file, sim_handle(file)->socket->id, interest, arg};
    poller->count += i == poller->count;
    return 0;
}

int sim_poller_watch_fd(struct os_poller *base, int fd, unsigned interest, void *arg)
{
    (void)base, (void)fd, (void)interest, (void)arg;
    return EOPNOTSUPP; /* there are no real descriptors here */
}

static unsigned ready_of(const struct watched *watched)
{
    const struct sim_handle *handle = sim_handle(watched->file);
    const struct sim_socket *socket = handle ? handle->socket : NULL;
    if (socket == NULL || socket->id != watched->id)
        return 0;
    if (socket->is_listener)
        return watched->interest & (arrived(socket) ? OS_READABLE : 0);
    unsigned ready = watched->interest &
                     ((is_readable(socket) ? OS_READABLE : 0) | (is_writable(socket) ? OS_WRITABLE : 0));
    if (is_at_end(socket) && socket->why)
        ready |= OS_READABLE | OS_WRITABLE | OS_HANGUP;
    return ready;
}

static int ready_now(const struct sim_poller *poller, struct os_event *events, int max)
{
    int count = 0;
    for (size_t i = 0; i < poller->count && count < max; i++) {
        unsigned ready = ready_of(&poller->all[i]);
        if (ready)
            events[count++] = (struct os_event){poller->all[i].arg, ready};
    }
    return count;
}

int sim_poller_wait(struct os_poller *base, struct os_event *events, int max, int64_t timeout_ns)
{
    struct sim_poller *poller = sim_of(base);
    int64_t end = timeout_ns < 0 ? INT64_MAX : sim->clock_ns + timeout_ns;
    for (;;) {
        int count = ready_now(poller, events, max);
        if (count > 0 || poller->is_woken || sim->clock_ns >= end) {
            poller->is_woken = false;
            return count;
        }
        int64_t next = sim_next_io().ns;
        next = next == INT64_MAX ? next : next + sim->boot_ns;
        CHECK(next != INT64_MAX || end != INT64_MAX); /* else nothing will ever end this wait */
        sim_sleep((next < end ? next : end) - sim->clock_ns);
    }
}

void sim_poller_wake(struct os_poller *base)
{
    sim_of(base)->is_woken = true;
}

int sim_signals(struct os_poller *base, void (*handler)(void *arg, int count), void *arg)
{
    (void)base, (void)handler, (void)arg; /* nobody sends one */
    return 0;
}

/* Sockets of the simulator: none yet, and its poller. */
#include <errno.h>

#include "os/sim_private.h"

struct sim_poller {
    struct os_poller base;
    bool woken;
};

int sim_listen(const char *address, int *file, char *bound, size_t bound_size)
{
    (void)address, (void)file, (void)bound, (void)bound_size;
    return EOPNOTSUPP;
}

int sim_accept(int listener, int *file, char *peer, size_t peer_size)
{
    (void)listener, (void)file, (void)peer, (void)peer_size;
    return EBADF;
}

int sim_connect(const char *address, int *file)
{
    (void)address, (void)file;
    return ECONNREFUSED;
}

int sim_recv(int file, void *p, size_t n, size_t *got)
{
    (void)file, (void)p, (void)n, (void)got;
    return EBADF;
}

int sim_send(int file, const void *p, size_t n, size_t *sent)
{
    (void)file, (void)p, (void)n, (void)sent;
    return EBADF;
}

void sim_port_holder(const char *address, char *out, size_t size)
{
    (void)address, (void)out, (void)size;
}

void sim_socket_close(struct sim_handle *handle)
{
    (void)handle;
}

struct mono_time sim_next_io(void)
{
    return (struct mono_time){INT64_MAX};
}

int sim_poller_new(struct os_poller **poller)
{
    struct sim_poller *p = mem_new(sizeof *p);
    p->base.table = &os_sim_table;
    *poller = &p->base;
    return 0;
}

void sim_poller_free(struct os_poller *poller)
{
    mem_free(poller);
}

int sim_poller_watch(struct os_poller *poller, int file, unsigned interest, void *arg)
{
    (void)poller, (void)file, (void)interest, (void)arg;
    return EBADF;
}

int sim_poller_watch_fd(struct os_poller *poller, int fd, unsigned interest, void *arg)
{
    (void)poller, (void)fd, (void)interest, (void)arg;
    return EOPNOTSUPP;
}

int sim_poller_wait(struct os_poller *base, struct os_event *events, int max, int64_t timeout_ns)
{
    struct sim_poller *poller = (struct sim_poller *)(void *)base;
    (void)events, (void)max;
    CHECK(timeout_ns >= 0 || poller->woken); /* else nothing will ever wake it */
    if (!poller->woken)
        sim_advance(timeout_ns);
    poller->woken = false;
    return 0;
}

void sim_poller_wake(struct os_poller *poller)
{
    ((struct sim_poller *)(void *)poller)->woken = true;
}

int sim_signals(struct os_poller *poller, void (*handler)(void *arg, int count), void *arg)
{
    (void)poller, (void)handler, (void)arg;
    return 0;
}

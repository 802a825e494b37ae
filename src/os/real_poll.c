/* The real system: waiting (epoll and an eventfd), signals, threads, mutexes.
 *
 * A signal's handler only counts and wakes the poller that asked for signals; what it means is decided on that poller's thread,
 * in os_poller_wait. So no thread needs to block signals, and no order of starting threads matters. */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "os/os_private.h"
#include "os/sim.h"

/* LAYERS: allow _Atomic for the count of signals, which a signal's handler writes. */

enum { WAIT_MAX = 256 }; /* events taken from the system by one wait */

struct real_poller {
    struct os_poller base;
    int epoll;
    int wake; /* eventfd; registered with a NULL arg */
};

static struct {
    struct real_poller *poller; /* the one that gets signals */
    void (*handler)(void *arg, int count);
    void *arg;
    int wake;    /* its eventfd */
    int count;   /* signals so far; written by the signal handler */
    int handled; /* of them, given to handler */
} signals = {.wake = -1};

static struct real_poller *real_of(struct os_poller *poller)
{
    return (struct real_poller *)(void *)poller; /* base is the first member */
}

int real_poller_new(struct os_poller **out)
{
    struct real_poller *poller = mem_new(sizeof *poller);
    poller->base.table = &os_real_table;
    poller->epoll = epoll_create1(EPOLL_CLOEXEC);
    poller->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = poller};
    if (poller->epoll < 0 || poller->wake < 0 ||
        epoll_ctl(poller->epoll, EPOLL_CTL_ADD, poller->wake, &event) < 0) {
        int why = errno;
        real_poller_free(&poller->base);
        return why;
    }
    *out = &poller->base;
    return 0;
}

void real_poller_free(struct os_poller *base)
{
    struct real_poller *poller = real_of(base);
    if (signals.poller == poller) {
        signal(SIGINT, SIG_DFL);
        signal(SIGTERM, SIG_DFL);
        signals.poller = NULL;
        __atomic_store_n(&signals.wake, -1, __ATOMIC_RELAXED);
    }
    if (poller->epoll >= 0)
        close(poller->epoll);
    if (poller->wake >= 0)
        close(poller->wake);
    mem_free(poller);
}

int real_poller_watch_fd(struct os_poller *base, int fd, unsigned interest, void *arg)
{
    struct real_poller *poller = real_of(base);
    if (interest == 0)
        return epoll_ctl(poller->epoll, EPOLL_CTL_DEL, fd, NULL) < 0 && errno != ENOENT ? errno : 0;
    struct epoll_event event = {.events = EPOLLRDHUP, .data.ptr = arg};
    event.events |= interest & OS_READABLE ? EPOLLIN : 0;
    event.events |= interest & OS_WRITABLE ? EPOLLOUT : 0;
    if (epoll_ctl(poller->epoll, EPOLL_CTL_MOD, fd, &event) == 0)
        return 0;
    return errno != ENOENT || epoll_ctl(poller->epoll, EPOLL_CTL_ADD, fd, &event) < 0 ? errno : 0;
}

int real_poller_watch(struct os_poller *base, int file, unsigned interest, void *arg)
{
    return real_poller_watch_fd(base, os_real_table.fd(file), interest, arg);
}

static int wait_for(int epoll, struct epoll_event *events, int max, int64_t timeout_ns)
{
    static bool without_ns; /* the kernel is older than 5.11; every role that writes it writes the same */
    if (!__atomic_load_n(&without_ns, __ATOMIC_RELAXED)) {
        struct timespec t = {timeout_ns / NS_PER_S, timeout_ns % NS_PER_S};
        int n = epoll_pwait2(epoll, events, max, timeout_ns < 0 ? NULL : &t, NULL);
        if (n >= 0 || errno != ENOSYS)
            return n;
        __atomic_store_n(&without_ns, true, __ATOMIC_RELAXED);
    }
    int64_t ms = timeout_ns < 0 ? -1 : (timeout_ns + NS_PER_MS - 1) / NS_PER_MS;
    return epoll_wait(epoll, events, max, ms > INT32_MAX ? INT32_MAX : (int)ms);
}

static unsigned ready_of(uint32_t events)
{
    unsigned ready = 0;
    ready |= events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR) ? OS_READABLE : 0;
    ready |= events & (EPOLLOUT | EPOLLERR | EPOLLHUP) ? OS_WRITABLE : 0;
    ready |= events & (EPOLLHUP | EPOLLERR) ? OS_HANGUP : 0;
    return ready;
}

int real_poller_wait(struct os_poller *base, struct os_event *events, int max, int64_t timeout_ns)
{
    struct real_poller *poller = real_of(base);
    struct epoll_event raw[WAIT_MAX];
    int n = wait_for(poller->epoll, raw, max < WAIT_MAX ? max : WAIT_MAX, timeout_ns), used = 0;
    CHECK(n >= 0 || errno == EINTR);
    for (int i = 0; i < n; i++) {
        if (raw[i].data.ptr == poller) {
            uint64_t ignored;
            (void)!read(poller->wake, &ignored, sizeof ignored);
        } else {
            events[used++] = (struct os_event){raw[i].data.ptr, ready_of(raw[i].events)};
        }
    }
    while (signals.poller == poller && signals.handled < __atomic_load_n(&signals.count, __ATOMIC_RELAXED))
        signals.handler(signals.arg, ++signals.handled);
    return used;
}

static void wake(int fd)
{
    uint64_t one = 1;
    (void)!write(fd, &one, sizeof one); /* full = woken already */
}

void real_poller_wake(struct os_poller *base)
{
    wake(real_of(base)->wake);
}

/* ---- signals --------------------------------------------------------------------------------------------------- */

static void on_signal(int number)
{
    (void)number;
    int before = errno;
    __atomic_add_fetch(&signals.count, 1, __ATOMIC_RELAXED);
    wake(__atomic_load_n(&signals.wake, __ATOMIC_RELAXED));
    errno = before;
}

int real_signals(struct os_poller *base, void (*handler)(void *arg, int count), void *arg)
{
    CHECK(signals.poller == NULL);
    struct real_poller *poller = real_of(base);
    signals.handler = handler;
    signals.arg = arg;
    signals.poller = poller;
    __atomic_store_n(&signals.wake, poller->wake, __ATOMIC_RELAXED);
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    sigemptyset(&action.sa_mask);
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    if (sigaction(SIGPIPE, &ignore, NULL) < 0 || sigaction(SIGINT, &action, NULL) < 0 ||
        sigaction(SIGTERM, &action, NULL) < 0)
        return errno;
    return 0;
}

/* ---- threads --------------------------------------------------------------------------------------------------- */

struct os_thread {
    pthread_t id;
    void (*main)(void *arg);
    void *arg;
    char name[16]; /* what the system shows: 15 bytes */
};

static void *thread_main(void *arg)
{
    struct os_thread *thread = arg;
    pthread_setname_np(pthread_self(), thread->name);
    thread->main(thread->arg);
    return NULL;
}

bool os_thread_start(const char *name, void (*main)(void *arg), void *arg, struct os_thread **out,
                     struct err *err)
{
    CHECK(!sim_is_on()); /* the simulator is one thread: run/ steps its loops */
    struct os_thread *thread = mem_new(sizeof *thread);
    thread->main = main;
    thread->arg = arg;
    snprintf(thread->name, sizeof thread->name, "%s", name);
    int why = pthread_create(&thread->id, NULL, thread_main, thread);
    if (why) {
        mem_free(thread);
        return err_set_errno(err, ERR_RETRY, why, "could not start the thread \"%s\"", name);
    }
    *out = thread;
    return true;
}

void os_thread_join(struct os_thread *thread)
{
    CHECK(pthread_join(thread->id, NULL) == 0);
    mem_free(thread);
}

struct os_mutex {
    pthread_mutex_t mutex;
};

struct os_mutex *os_mutex_new(void)
{
    struct os_mutex *mutex = mem_new(sizeof *mutex);
    CHECK(pthread_mutex_init(&mutex->mutex, NULL) == 0);
    return mutex;
}

void os_mutex_free(struct os_mutex *mutex)
{
    if (mutex == NULL)
        return;
    CHECK(pthread_mutex_destroy(&mutex->mutex) == 0);
    mem_free(mutex);
}

void os_mutex_lock(struct os_mutex *mutex)
{
    /* One thread steps all loops of the simulator: a mutex that is held there is held over a step, which would be a deadlock. */
    CHECK(sim_is_on() ? pthread_mutex_trylock(&mutex->mutex) == 0 : pthread_mutex_lock(&mutex->mutex) == 0);
}

void os_mutex_unlock(struct os_mutex *mutex)
{
    CHECK(pthread_mutex_unlock(&mutex->mutex) == 0);
}

/* CPUs' worth of time that the control group grants, rounded up; a large number when it sets no limit. */
static unsigned cpu_quota(void)
{
    unsigned long long quota, period;
    FILE *f = fopen("/sys/fs/cgroup/cpu.max", "re");
    if (f == NULL)
        return UINT32_MAX;
    int n = fscanf(f, "%llu %llu", &quota, &period); /* "max 100000" reads 0 */
    fclose(f);
    return n == 2 && period > 0 ? (unsigned)((quota + period - 1) / period) : UINT32_MAX;
}

unsigned os_cpu_count(void)
{
    cpu_set_t set;
    unsigned count = 1, quota = cpu_quota();
    if (sched_getaffinity(0, sizeof set, &set) == 0)
        count = (unsigned)CPU_COUNT(&set);
    count = count < quota ? count : quota;
    return count ? count : 1;
}

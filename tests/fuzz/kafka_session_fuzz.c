/* Whole sessions with the broker, in the simulator: whatever clients send and however they come and go, nothing breaks, all that was held for them
 * is given back, and the broker ends in order.
 *
 * An input is a list of steps. Its first byte: the connection (bits 0, 1) and what happens there (bits 2 to 4):
 *     0 … 3  a request: two bytes of length, and as many of it (with the right length in front)
 *     4      bytes as they are, in the same form        5   the world goes on for some hundred milliseconds
 *     6      what has arrived is read                    7   the connection is closed */
#include <errno.h>

#include "broker/broker_private.h"
#include "os/sim.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { CONNECTIONS = 4, STEPS_MAX = 200, INPUT_MAX = 64 << 10 };
enum { BYTES = 4, TIME, READ, CLOSE };

static struct world {
    struct loop *main, *net, *disk;
    struct store *store;
    struct broker *broker;
    struct timer timer;
    int files[CONNECTIONS];
    bool is_open[CONNECTIONS], has_ended;
} w;

static void on_time(struct timer *timer)
{
    (void)timer;
}

static void go_on(int64_t ms)
{
    int64_t end = os_mono().ns + ms * NS_PER_MS;
    timer_set(&w.timer, (struct mono_time){end});
    while (os_mono().ns < end && !w.has_ended && run_sim_step())
        ;
    timer_cancel(&w.timer);
}

static void on_ended(void *arg)
{
    (void)arg;
    w.has_ended = true;
}

static void begin(struct pool *pool)
{
    const struct store_options store_options = {
        .ring_bytes = 4 << 20, .ring_file_bytes = 256 << 10, .tail_bytes = 64 << 10, .flight_bytes = 1};
    const struct broker_options options = {.address = "127.0.0.1:9092", .partitions = 1, .auto_create = true};
    struct err err;
    w = (struct world){.is_open = {false}};
    CHECK(loop_new(ROLE_MAIN, "main", &w.main, &err) && loop_new(ROLE_NET, "net", &w.net, &err) &&
          loop_new(ROLE_DISK, "disk", &w.disk, &err) && loop_start(w.main, &err) && os_mkdirs("/d", &err) &&
          store_open(pool, "/d", &store_options, w.disk, &w.store, &err) &&
          broker_start(pool, w.net, w.store, &options, &w.broker, &err) && loop_start(w.disk, &err) &&
          loop_start(w.net, &err));
    timer_init(&w.timer, on_time);
}

static void end(void) UNSHARED
{
    struct err err;
    for (int i = 0; i < CONNECTIONS; i++)
        if (w.is_open[i])
            os_close(w.files[i]);
    go_on(2000);
    CHECK(w.broker->connection_count == 0 && list_empty(&w.broker->connections));
    broker_end(w.broker, on_ended, NULL);
    go_on(60 * 1000);
    CHECK(w.has_ended && w.broker->running == 0);
    CHECK(w.broker->request_bytes == 0 && w.broker->reply_bytes == 0);
    loop_stop(w.net);
    loop_join(w.net);
    loop_stop(w.disk);
    loop_join(w.disk);
    broker_stop(w.broker);
    CHECK(store_close(w.store, &err));
}

static void read_all(int i)
{
    uint8_t bytes[4096];
    size_t got;
    struct err err;
    while (os_recv(w.files[i], bytes, sizeof bytes, &got, &err) && got > 0)
        ;
}

static void send_all(int i, const uint8_t *p, size_t n)
{
    struct err err;
    size_t sent;
    for (int patience = 0; n > 0 && patience < 4;) {
        if (os_send(w.files[i], p, n, &sent, &err)) {
            p += sent;
            n -= sent;
        } else {
            if (err.code != EAGAIN)
                return;
            go_on(1);
            patience++;
        }
    }
}

/* One step; what is left of the input. */
static struct rd step(struct rd r)
{
    uint8_t size[4], what = rd_u8(&r), kind = what >> 2 & 7;
    int i = what & 3;
    struct err err;
    if (kind == TIME) {
        go_on(100 * (1 + (what >> 5)));
        return r;
    }
    if (!w.is_open[i]) {
        if (!os_connect("127.0.0.1:9092", &w.files[i], &err))
            return r;
        w.is_open[i] = true;
        go_on(1);
    }
    if (kind == READ) {
        read_all(i);
    } else if (kind == CLOSE) {
        os_close(w.files[i]);
        w.is_open[i] = false;
    } else {
        size_t n = rd_be16(&r), left = rd_left(&r);
        n = n < left ? n : left;
        const uint8_t *p = r.p;
        rd_take(&r, n);
        put_be32(size, (uint32_t)n);
        if (kind != BYTES)
            send_all(i, size, sizeof size);
        send_all(i, p, n);
        if (what & 0x80)
            go_on(5);
    }
    return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > INPUT_MAX)
        return 0;
    sim_open(1 + size);
    sim_live_here(NULL);
    struct pool *pool = pool_new(NULL, "fuzz");
    struct rd r = rd_of(data, size);
    begin(pool);
    for (int i = 0; i < STEPS_MAX && rd_left(&r) > 0; i++)
        r = step(r);
    end();
    run_sim_reset();
    pool_free(pool);
    sim_close();
    return 0;
}

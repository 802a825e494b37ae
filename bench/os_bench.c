/* What the door and the loops cost: synchronous direct writes beside the bare system call, messages between threads, timers, an idle
 * loop. Writes go to a file in $TMPDIR or /var/tmp. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "os/os.h"
#include "os/sim.h"
#include "run/run.h"

enum {
    WRITE = 64 * 1024,
    WRITES = 1000,
    AREA = 64 * 1024 * 1024,
    ROUNDS = 100000,
    POSTS = 2000000,
    TIMERS = 100000
};

static struct err err;
static _Alignas(OS_DIRECT_ALIGN) char block[WRITE];

static void must(bool done)
{
    if (!done) {
        fprintf(stderr, "%s\n", err.text);
        exit(1);
    }
}

static double us_since(struct mono_time then)
{
    return (double)mono_since_ns(os_mono(), then) / 1000;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static void print_latencies(const char *name, double *us, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += us[i];
    qsort(us, n, sizeof *us, compare);
    printf("%-36s mean %7.1f µs   median %7.1f   p99 %7.1f   worst %7.1f\n", name, sum / (double)n, us[n / 2],
           us[n * 99 / 100], us[n - 1]);
}

/* The two take turns, so that both see the same disk. */
static void bench_writes(void)
{
    static double ours[WRITES], bare[WRITES];
    char path[256];
    const char *folder = os_env("TMPDIR");
    snprintf(path, sizeof path, "%s/sluice_bench_%d", folder ? folder : "/var/tmp", os_pid());
    int file;
    must(os_open(path, OS_WRITE | OS_CREATE, &file, &err));
    for (uint64_t at = 0; at < AREA; at += WRITE)
        must(os_pwrite(file, block, WRITE, at, &err));
    must(os_sync(file, &err));
    os_close(file);
    if (!os_open(path, OS_WRITE | OS_DIRECT | OS_DSYNC, &file, &err)) {
        printf("this file system has no direct writes: %s\n", err.text);
        os_unlink(path, NULL);
        return;
    }
    int fd = open(path, O_WRONLY | O_DIRECT | O_DSYNC | O_CLOEXEC);
    for (int i = 0; i < 2 * WRITES; i++) {
        uint64_t offset = (uint64_t)i * WRITE % AREA;
        struct mono_time start = os_mono();
        if ((i ^ i >> 1) & 1) { /* in the order 0 1 1 0 */
            must(os_pwrite(file, block, WRITE, offset, &err));
            ours[i / 2] = us_since(start);
        } else {
            must(pwrite(fd, block, WRITE, (off_t)offset) == WRITE);
            bare[i / 2] = us_since(start);
        }
    }
    print_latencies("os_pwrite 64 KiB, direct, dsync", ours, WRITES);
    print_latencies("pwrite(2) of the same", bare, WRITES);
    printf("ratio of medians %.2f\n", ours[WRITES / 2] / bare[WRITES / 2]);
    close(fd);
    os_close(file);
    os_unlink(path, NULL);
}

/* ---- messages ---------------------------------------------------------------------------------------------------- */

static struct loop *here, *there;
static struct msg ball;
static int rounds;

static void on_back(struct msg *msg);

static void on_there(struct msg *msg)
{
    msg->handle = on_back;
    loop_post(here, msg);
}

static void on_back(struct msg *msg)
{
    if (++rounds == ROUNDS) {
        loop_stop(here);
        return;
    }
    msg->handle = on_there;
    loop_post(there, msg);
}

static void bench_ping_pong(void)
{
    struct mono_time start = os_mono();
    rounds = 0;
    must(loop_new(ROLE_MAIN, "main", &here, &err) && loop_start(here, &err));
    msg_init(&ball, on_there);
    loop_post(there, &ball);
    loop_run(here);
    printf("%-36s %7.2f µs one way\n", "loop_post between sleeping threads", us_since(start) / ROUNDS / 2);
    loop_free(here);
}

static struct msg posts[POSTS];
static int handled;

static void on_post(struct msg *msg)
{
    (void)msg;
    handled++;
}

static void bench_posts(void)
{
    struct mono_time start = os_mono();
    for (int i = 0; i < POSTS; i++) {
        msg_init(&posts[i], on_post);
        loop_post(there, &posts[i]);
    }
    double posted = us_since(start);
    loop_stop(there);
    loop_join(there);
    printf("%-36s %7.1f ns to post, %.1f ns until handled\n", "loop_post to a busy thread",
           posted * 1000 / POSTS, us_since(start) * 1000 / POSTS);
    must(handled == POSTS);
    loop_free(there);
}

/* ---- timers, idling ------------------------------------------------------------------------------------------------ */

static struct timer timers[TIMERS], end;
static int fired;

static void on_timer(struct timer *timer)
{
    (void)timer;
    fired++;
}

static void on_end(struct timer *timer)
{
    (void)timer;
    loop_stop(loop_current());
}

static void bench_timers(void)
{
    must(loop_new(ROLE_MAIN, "main", &here, &err) && loop_start(here, &err));
    struct mono_time start = os_mono();
    for (int i = 0; i < TIMERS; i++) {
        timer_init(&timers[i], on_timer);
        timer_set(&timers[i], (struct mono_time){start.ns + i * INT64_C(7919) % TIMERS});
    }
    double set = us_since(start);
    timer_init(&end, on_end);
    timer_set_in(&end, 0);
    struct mono_time firing = os_mono();
    loop_run(here);
    printf("%-36s %7.1f ns to set, %.1f ns to fire\n", "timers, 100000 of them", set * 1000 / TIMERS,
           us_since(firing) * 1000 / (fired ? fired : 1));
    loop_free(here);
}

static void bench_idle(void)
{
    must(loop_new(ROLE_MAIN, "main", &here, &err) && loop_start(here, &err));
    must(loop_new(ROLE_WORK, "work", &there, &err) && loop_start(there, &err));
    timer_init(&end, on_end);
    timer_set_in(&end, NS_PER_S);
    clock_t before = clock();
    loop_run(here);
    printf("%-36s %7.2f %% of a processor\n", "two idle loops for a second",
           (double)(clock() - before) * 100 / CLOCKS_PER_SEC);
    loop_stop(there);
    loop_join(there);
    loop_free(there);
    loop_free(here);
}

static int do_nothing(void *arg)
{
    (void)arg;
    return 0;
}

static void bench_lives(void)
{
    struct mono_time start = os_mono();
    sim_open(1);
    for (int i = 0; i < 500; i++)
        must(sim_life(do_nothing, NULL, NULL, NULL) == SIM_RETURNED);
    sim_close();
    printf("%-36s %7.0f µs\n", "a simulated life", us_since(start) / 500);
}

int main(void)
{
    bench_writes();
    must(loop_new(ROLE_WORK, "work", &there, &err) && loop_start(there, &err));
    bench_ping_pong();
    bench_posts();
    bench_timers();
    bench_idle();
    bench_lives();
    return 0;
}

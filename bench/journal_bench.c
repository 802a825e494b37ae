/* The journal against the disk itself, in the same run:
 *
 *     latency      one append of 64 KiB at a time, until it is durable   : one direct synchronous write of 64 KiB, prewritten
 *     throughput   16 producers with appends of 64 KiB, until durable     : direct synchronous writes of 1 MiB, prewritten
 *     recovery     opening after a kill -9, with N GB (argument 1, default 2) in segments
 *
 * Records of 384 bytes. Every ratio is printed with both of its figures. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "log/store.h"

enum { RECORD = 384, APPEND = 64 << 10, BIG = 1 << 20, RAW_BYTES = 256 << 20, PRODUCERS = 16 };

static double now_s(void)
{
    return (double)os_mono().ns / 1e9;
}

static void must(bool done, const struct err *err)
{
    if (done)
        return;
    fprintf(stderr, "journal_bench: %s\n", err->text);
    exit(1);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double quantile(double *values, size_t n, double q)
{
    qsort(values, n, sizeof *values, by_value);
    return values[(size_t)((double)(n - 1) * q)];
}

/* ---- the disk ------------------------------------------------------------------------------------------------------------- */

static int raw_file(const char *folder)
{
    char path[4096];
    struct err err;
    int file;
    snprintf(path, sizeof path, "%s/raw", folder);
    must(os_mkdirs(folder, &err), &err);
    must(os_open(path, OS_READ | OS_WRITE | OS_CREATE, &file, &err), &err);
    struct buf *zeros = buf_new(BIG);
    memset(zeros->p, 0, BIG);
    for (uint64_t at = 0; at < RAW_BYTES; at += BIG)
        must(os_pwrite(file, zeros->p, BIG, at, &err), &err);
    must(os_sync(file, &err), &err);
    os_close(file);
    buf_unref(zeros);
    must(os_open(path, OS_READ | OS_WRITE | OS_DIRECT | OS_DSYNC, &file, &err), &err);
    return file;
}

/* Seconds of each of `count` writes of size bytes. */
static void raw_writes(int file, size_t size, size_t count, double *seconds)
{
    struct err err;
    struct buf *buf = buf_new(size);
    memset(buf->p, 'x', size);
    for (size_t i = 0; i < count; i++) {
        double begin = now_s();
        must(os_pwrite(file, buf->p, size, (uint64_t)i * size % RAW_BYTES, &err), &err);
        seconds[i] = now_s() - begin;
    }
    buf_unref(buf);
}

/* ---- the store -------------------------------------------------------------------------------------------------------------- */

struct producer {
    struct bench *bench;
    struct frame *frame;
    double begun;
};

struct bench {
    struct store *store;
    struct loop *disk, *work, *end;
    struct log *logs[PRODUCERS];
    struct buf *batch;
    struct producer producers[PRODUCERS];
    size_t partitions, outstanding, appends, done, begun;
    double *seconds;
};

static struct buf *make_append(void)
{
    struct records_builder b = {0};
    struct str batch;
    char value[RECORD];
    struct err err;
    memset(value, 'v', sizeof value);
    records_begin(&b);
    while (records_size(&b) + RECORD + 16 < APPEND)
        records_add(&b, 1700000000000, (struct str){0}, str_n(value, sizeof value), NULL, 0);
    must(records_end(&b, 0, 0, NULL, &batch, &err), &err);
    struct buf *buf = buf_new(batch.n);
    memcpy(buf->p, batch.p, batch.n);
    buf->n = batch.n;
    records_builder_fini(&b);
    return buf;
}

static void submit(struct producer *p)
{
    struct bench *b = p->bench;
    if (b->begun == b->appends)
        return;
    size_t i = b->begun++;
    frame_reset(p->frame);
    frame_append(p->frame, b->logs[i % b->partitions], b->batch, 0, b->batch->n);
    p->begun = now_s();
    frame_submit(p->frame);
}

static void durable(struct frame *frame)
{
    struct producer *p = frame->arg;
    struct bench *b = p->bench;
    must(frame->durable, &frame->err);
    b->seconds[b->done++] = now_s() - p->begun;
    if (b->done == b->appends)
        loop_stop(b->work);
    else
        submit(p);
}

static struct bench *current;

static void begin(struct msg *msg)
{
    (void)msg;
    for (size_t i = 0; i < current->outstanding; i++) {
        struct producer *p = &current->producers[i];
        *p = (struct producer){.bench = current, .frame = frame_new(current->store)};
        p->frame->done = durable;
        p->frame->arg = p;
        submit(p);
    }
}

/* Opens a store of its own; seconds[appends] gets each append's latency; returns the seconds of all. */
static double run_store(const char *folder, size_t partitions, size_t outstanding, size_t appends,
                        double *seconds)
{
    struct bench b = {
        .partitions = partitions, .outstanding = outstanding, .appends = appends, .seconds = seconds};
    struct err err;
    struct store_options options = {0};
    struct topic_config config;
    static struct msg msg;
    must(os_remove_tree(folder, &err), &err);
    must(loop_new(ROLE_DISK, "disk", &b.disk, &err) && loop_new(ROLE_WORK, "work", &b.work, &err), &err);
    must(store_open(NULL, folder, &options, b.disk, &b.store, &err), &err);
    topic_config_default(&config);
    struct frame *frame = frame_new(b.store);
    frame_topic_create(frame, "bench", (int32_t)partitions, &config);
    must(frame_commit_now(frame, &err), &err);
    frame_free(frame);
    for (size_t i = 0; i < partitions; i++)
        b.logs[i] = log_get(b.store, "bench", (int32_t)i);
    b.batch = make_append();
    current = &b;
    msg_init(&msg, begin);
    loop_post(b.work, &msg);
    must(loop_start(b.disk, &err), &err);
    double start = now_s();
    must(loop_start(b.work, &err), &err);
    loop_join(b.work);
    double all = now_s() - start;
    loop_stop(b.disk);
    loop_join(b.disk);
    for (size_t i = 0; i < outstanding; i++)
        frame_free(b.producers[i].frame);
    must(store_close(b.store, &err), &err);
    loop_free(b.disk);
    loop_free(b.work);
    buf_unref(b.batch);
    os_remove_tree(folder, NULL);
    return all;
}

static void latency(const char *folder, int raw, size_t partitions)
{
    enum { COUNT = 2000, RAW_COUNT = 1000 };
    static double store[COUNT], disk[2 * RAW_COUNT];
    raw_writes(raw, APPEND, RAW_COUNT, disk);
    run_store(folder, partitions, 1, COUNT, store);
    raw_writes(raw, APPEND, RAW_COUNT, disk + RAW_COUNT);
    double ours = quantile(store, COUNT, 0.5), theirs = quantile(disk, 2 * RAW_COUNT, 0.5);
    printf(
        "latency p50, %2zu partition(s): %.2f x  (append until durable %.0f us, direct write %.0f us; p99 %.0f and %.0f us)\n",
        partitions, ours / theirs, ours * 1e6, theirs * 1e6, quantile(store, COUNT, 0.99) * 1e6,
        quantile(disk, 2 * RAW_COUNT, 0.99) * 1e6);
}

static void throughput(const char *folder, int raw, size_t partitions, size_t appends)
{
    enum { RAW_COUNT = 400 };
    static double disk[2 * RAW_COUNT];
    double *store = malloc(appends * sizeof *store), raw_seconds = 0;
    raw_writes(raw, BIG, RAW_COUNT, disk);
    double seconds = run_store(folder, partitions, PRODUCERS, appends, store);
    raw_writes(raw, BIG, RAW_COUNT, disk + RAW_COUNT);
    for (size_t i = 0; i < 2 * RAW_COUNT; i++)
        raw_seconds += disk[i];
    double ours = (double)appends * APPEND / seconds / 1e6,
           theirs = 2.0 * RAW_COUNT * BIG / raw_seconds / 1e6;
    printf(
        "throughput, %2zu partition(s), %4zu MiB: %.0f %%  (store %.0f MB/s, 1 MiB direct writes %.0f MB/s; append p50 %.0f us)\n",
        partitions, appends * APPEND >> 20, ours / theirs * 100, ours, theirs,
        quantile(store, appends, 0.5) * 1e6);
    free(store);
}

/* Writes `bytes` in a child that is killed, and opens again. */
static void recovery(const char *folder, uint64_t bytes)
{
    struct err err;
    struct store_options options = {0};
    os_remove_tree(folder, NULL);
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        struct topic_config config;
        struct store *store;
        must(store_open(NULL, folder, &options, NULL, &store, &err), &err);
        topic_config_default(&config);
        struct frame *frame = frame_new(store);
        frame_topic_create(frame, "bench", 4, &config);
        must(frame_commit_now(frame, &err), &err);
        struct buf *batch = make_append();
        for (uint64_t i = 0; i * APPEND < bytes; i++) {
            if (i % 16 == 0)
                frame_reset(frame);
            frame_append(frame, log_get(store, "bench", (int32_t)(i % 4)), batch, 0, batch->n);
            if (i % 16 == 15)
                must(frame_commit_now(frame, &err), &err);
        }
        kill(getpid(), SIGKILL);
    }
    waitpid(child, NULL, 0);
    struct store *store;
    double begin = now_s();
    must(store_open(NULL, folder, &options, NULL, &store, &err), &err);
    double seconds = now_s() - begin;
    uint64_t held = 0;
    for (int i = 0; i < 4; i++)
        held += log_bytes(log_get(store, "bench", i));
    printf("recovery after kill -9: %.2f s  (%.2f GB in segments)\n", seconds, (double)held / 1e9);
    must(store_close(store, &err), &err);
    os_remove_tree(folder, NULL);
}

int main(int count, char **words)
{
    const char *base = os_env("TMPDIR") ? os_env("TMPDIR") : "/var/tmp";
    char folder[256], data[300];
    double gigabytes = count > 1 ? atof(words[1]) : 2;
    snprintf(folder, sizeof folder, "%s/sluice-bench-%d", base, os_pid());
    snprintf(data, sizeof data, "%s/data", folder);
    int raw = raw_file(folder);
    latency(data, raw, 1);
    latency(data, raw, 16);
    throughput(data, raw, 1, 3000);
    throughput(data, raw, 16, 3000);
    throughput(data, raw, 16, 24000);
    recovery(data, (uint64_t)(gigabytes * 1e9));
    os_close(raw);
    os_remove_tree(folder, NULL);
    return 0;
}

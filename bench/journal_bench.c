/* The journal against the disk itself, in the same run, in turns: raw writes, then the store, and again.
 *
 *     latency      one append of 64 KiB at a time, until it is durable   : one direct synchronous write of 64 KiB, prewritten
 *     burst        16 producers with appends of 64 KiB, until durable     : direct synchronous writes of 1 MiB, prewritten
 *     sustained    the same for so long that segments are synced meanwhile: every byte goes to the disk twice, so half is the most
 *                  that a disk without spare bandwidth can give
 *     first lap    the same on a new store, whose ring grows: every byte goes to the disk three times
 *     recovery     opening after a kill -9, with N GB (argument 1, default 2) in segments
 *
 * Records of 384 bytes. Medians over the rounds; every ratio is printed with both of its figures. */
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

struct submitter {
    struct bench *bench;
    struct frame *frame;
    double begun;
};

struct bench {
    struct store *store;
    struct loop *disk, *work;
    struct log *logs[PRODUCERS];
    struct buf *batch;
    struct submitter producers[PRODUCERS];
    struct msg begin;
    size_t partitions, outstanding, appends, done, begun;
    double *seconds; /* [appends] of each */
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

static void submit(struct submitter *p)
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
    struct submitter *p = frame->arg;
    struct bench *b = p->bench;
    must(frame->durable, &frame->err);
    b->seconds[b->done++] = now_s() - p->begun;
    if (b->done == b->appends)
        loop_stop(b->work);
    else
        submit(p);
}

static void begin(struct msg *msg)
{
    struct bench *b = CONTAINER_OF(msg, struct bench, begin);
    for (size_t i = 0; i < b->outstanding; i++)
        submit(&b->producers[i]);
}

static void open_store(struct bench *b, const char *folder, size_t partitions)
{
    struct err err;
    struct store_options options = {0};
    struct topic_config config;
    *b = (struct bench){.partitions = partitions, .batch = make_append()};
    must(os_remove_tree(folder, &err), &err);
    must(loop_new(ROLE_DISK, "disk", &b->disk, &err), &err);
    must(store_open(NULL, folder, &options, b->disk, &b->store, &err), &err);
    topic_config_default(&config);
    struct frame *frame = frame_new(b->store);
    frame_topic_create(frame, "bench", (int32_t)partitions, &config);
    must(frame_commit_now(frame, &err), &err);
    frame_free(frame);
    for (size_t i = 0; i < partitions; i++)
        b->logs[i] = log_get(b->store, "bench", (int32_t)i);
    for (size_t i = 0; i < PRODUCERS; i++) {
        struct submitter *p = &b->producers[i];
        *p = (struct submitter){.bench = b, .frame = frame_new(b->store)};
        p->frame->done = durable;
        p->frame->arg = p;
    }
    must(loop_start(b->disk, &err), &err);
}

/* The seconds of so many appends; seconds[appends] gets each one's. */
static double run_store(struct bench *b, size_t outstanding, size_t appends, double *seconds)
{
    struct err err;
    b->outstanding = outstanding;
    b->appends = appends;
    b->seconds = seconds;
    b->done = b->begun = 0;
    must(loop_new(ROLE_WORK, "work", &b->work, &err), &err);
    msg_init(&b->begin, begin);
    loop_post(b->work, &b->begin);
    double start = now_s();
    must(loop_start(b->work, &err), &err);
    loop_join(b->work);
    double all = now_s() - start;
    loop_free(b->work);
    return all;
}

static void close_store(struct bench *b, const char *folder)
{
    struct err err;
    loop_stop(b->disk);
    loop_join(b->disk);
    for (size_t i = 0; i < PRODUCERS; i++)
        frame_free(b->producers[i].frame);
    must(store_close(b->store, &err), &err);
    loop_free(b->disk);
    buf_unref(b->batch);
    os_remove_tree(folder, NULL);
}

enum {
    ROUNDS = 7,
    ROUND_RAW = 100,
    ROUND_SINGLE = 300,
    ROUND_APPENDS = 1024, /* 64 MiB */
    SUSTAINED = 24000,    /* 1.5 GiB */
};
static double each[SUSTAINED];

static double raw_rate(int raw)
{
    double disk[ROUND_RAW], all = 0;
    raw_writes(raw, BIG, ROUND_RAW, disk);
    for (size_t i = 0; i < ROUND_RAW; i++)
        all += disk[i];
    return (double)ROUND_RAW * BIG / all / 1e6;
}

static void latency(struct bench *b, int raw)
{
    static double store[ROUNDS * ROUND_SINGLE], disk[ROUNDS * ROUND_SINGLE];
    for (size_t i = 0; i < ROUNDS; i++) {
        raw_writes(raw, APPEND, ROUND_SINGLE, disk + i * ROUND_SINGLE);
        run_store(b, 1, ROUND_SINGLE, store + i * ROUND_SINGLE);
    }
    size_t n = ROUNDS * ROUND_SINGLE;
    double ours = quantile(store, n, 0.5), theirs = quantile(disk, n, 0.5);
    printf(
        "latency p50,  %2zu partition(s): %.2f x  (append until durable %.0f us, direct write %.0f us; p99 %.0f and %.0f us)\n",
        b->partitions, ours / theirs, ours * 1e6, theirs * 1e6, quantile(store, n, 0.99) * 1e6,
        quantile(disk, n, 0.99) * 1e6);
}

/* Medians over rounds of appends; the disk's rate is measured before each, so that no segments are synced in it. */
static void throughput(struct bench *b, int raw, const char *what, size_t rounds, size_t appends)
{
    double ratios[ROUNDS], ours[ROUNDS], theirs[ROUNDS];
    for (size_t i = 0; i < rounds; i++) {
        theirs[i] = raw_rate(raw);
        ours[i] = (double)appends * APPEND / run_store(b, PRODUCERS, appends, each) / 1e6;
        ratios[i] = ours[i] / theirs[i];
    }
    printf(
        "%s, %2zu partition(s): %.0f %%  (store %.0f MB/s, 1 MiB direct writes %.0f MB/s; append p50 %.0f us; "
        "%zu x %zu MiB)\n",
        what, b->partitions, quantile(ratios, rounds, 0.5) * 100, quantile(ours, rounds, 0.5),
        quantile(theirs, rounds, 0.5), quantile(each, appends, 0.5) * 1e6, rounds, appends * APPEND >> 20);
}

static void of_partitions(const char *folder, int raw, size_t partitions)
{
    struct bench b;
    open_store(&b, folder, partitions);
    throughput(&b, raw, "first lap ", 1, 3000);
    run_store(&b, PRODUCERS, SUSTAINED / 2, each); /* the ring has its size, and has been once around */
    latency(&b, raw);
    throughput(&b, raw, "burst     ", ROUNDS, ROUND_APPENDS);
    throughput(&b, raw, "sustained ", 1, SUSTAINED);
    close_store(&b, folder);
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
    of_partitions(data, raw, 1);
    of_partitions(data, raw, 16);
    recovery(data, (uint64_t)(gigabytes * 1e9));
    os_close(raw);
    os_remove_tree(folder, NULL);
    return 0;
}

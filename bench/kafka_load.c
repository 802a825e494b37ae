/* Load on a Kafka broker through librdkafka: produces, then consumes, and says how many records a second went by. The broker may be librdkafka's
 * own mock, in this process, which keeps nothing: what the client can do at most.
 *
 *     kafka_load BROKERS|mock TOPIC PARTITIONS RECORDS BYTES CODEC [PID]
 *     kafka_load latency BROKERS TOPIC RATE SECONDS BYTES
 *     kafka_load write FILE RATE SECONDS         4 KiB, direct and synchronous, into a file that is written before
 *
 * PID: the broker's process, whose processor time is printed per GB. Consuming is timed from the first records on: librdkafka waits half a second
 * before it asks for a first offset. "client" is the share of a processor that the client's busiest thread takes while it consumes: near 100 % no
 * broker can be faster. Output: words and figures, one line. Built by bench/kafka.sh. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void fail(const char *what, const char *why)
{
    fprintf(stderr, "kafka_load: %s: %s\n", what, why);
    exit(1);
}

static rd_kafka_conf_t *conf_new(const char *const *pairs)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    char why[256];
    for (; pairs[0]; pairs += 2)
        if (rd_kafka_conf_set(conf, pairs[0], pairs[1], why, sizeof why) != RD_KAFKA_CONF_OK)
            fail(pairs[0], why);
    return conf;
}

static long delivered, failed;

static void on_delivery(rd_kafka_t *rk, const rd_kafka_message_t *message, void *arg)
{
    (void)rk, (void)arg;
    if (message->err)
        failed++;
    else
        delivered++;
}

/* Words like those of a log line, so that codecs have something to do. */
static void fill(char *p, size_t n, unsigned *seed)
{
    static const char *const words[] = {
        "\"view\"", "\"click\"", "\"purchase\"", "user_", "session", "Berlin", "Paris",   "0.25",
        "17",       ",\"id\":",  ",\"price\":",  "true",  "https",   "/item",  "Mozilla", "{\"ts\":"};
    for (size_t at = 0; at < n;) {
        *seed = *seed * 1103515245u + 12345u;
        const char *word = words[(*seed >> 16) % 16];
        char text[32];
        int len = (*seed >> 8) % 3 == 0 ? snprintf(text, sizeof text, "%08x", *seed)
                                        : snprintf(text, sizeof text, "%s", word);
        for (int i = 0; i < len && at < n; i++)
            p[at++] = text[i];
    }
}

/* Processor seconds of a process or thread, by its folder in /proc. */
static double processor_at(const char *folder)
{
    char path[600], line[1024];
    unsigned long user = 0, system = 0;
    snprintf(path, sizeof path, "%s/stat", folder);
    FILE *f = fopen(path, "r");
    if (f == NULL || fgets(line, sizeof line, f) == NULL)
        fail(path, "cannot be read");
    fclose(f);
    if (sscanf(strrchr(line, ')') + 2, "%*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %lu %lu", &user,
               &system) != 2)
        fail(path, "is not understood");
    return (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
}

static double processor_of(const char *pid)
{
    char folder[64];
    snprintf(folder, sizeof folder, "/proc/%s", pid);
    return pid ? processor_at(folder) : 0;
}

/* Of this process's threads, since they were last asked; a first call returns nothing of use. Returns the most that one took. */
static double busiest_thread(void)
{
    enum { THREADS = 64 };
    static struct {
        long id;
        double seconds;
    } before[THREADS];
    static int known;
    double most = 0;
    DIR *tasks = opendir("/proc/self/task");
    for (struct dirent *entry; tasks && (entry = readdir(tasks));) {
        char folder[300];
        int i = 0;
        long id = atol(entry->d_name);
        snprintf(folder, sizeof folder, "/proc/self/task/%s", entry->d_name);
        while (i < known && before[i].id != id)
            i++;
        if (id == 0 || i == THREADS)
            continue;
        double seconds = processor_at(folder), taken = i < known ? seconds - before[i].seconds : seconds;
        known += i == known;
        before[i].id = id;
        before[i].seconds = seconds;
        most = taken > most ? taken : most;
    }
    if (tasks)
        closedir(tasks);
    return most;
}

static double produce(const char *brokers, const char *topic, long count, size_t size, const char *codec)
{
    const char *const settings[] = {"bootstrap.servers",
                                    brokers,
                                    "acks",
                                    "all",
                                    "compression.codec",
                                    codec,
                                    "linger.ms",
                                    "5",
                                    "batch.size",
                                    "1000000",
                                    "batch.num.messages",
                                    "10000",
                                    "queue.buffering.max.messages",
                                    "1000000",
                                    "queue.buffering.max.kbytes",
                                    "1048576",
                                    NULL};
    char why[256];
    enum { PAYLOADS = 1000 };
    static char *payloads[PAYLOADS];
    unsigned seed = 1;
    for (int i = 0; i < PAYLOADS; i++) {
        payloads[i] = malloc(size);
        fill(payloads[i], size, &seed);
    }
    rd_kafka_conf_t *conf = conf_new(settings);
    rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
    rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof why);
    if (rk == NULL)
        fail("producer", why);
    rd_kafka_topic_t *to = rd_kafka_topic_new(rk, topic, NULL);
    double start = now();
    for (long i = 0; i < count; i++) {
        char key[16];
        int n = snprintf(key, sizeof key, "%ld", i % 100000);
        while (rd_kafka_produce(to, RD_KAFKA_PARTITION_UA, RD_KAFKA_MSG_F_COPY, payloads[i % PAYLOADS], size,
                                key, (size_t)n, NULL) != 0)
            rd_kafka_poll(rk, 10);
        if (i % 1000 == 0)
            rd_kafka_poll(rk, 0);
    }
    rd_kafka_flush(rk, 120000);
    double seconds = now() - start;
    if (delivered != count)
        fail("producing", "not everything was delivered");
    rd_kafka_topic_destroy(to);
    rd_kafka_destroy(rk);
    return seconds;
}

struct consumed {
    double rate;    /* records a second */
    double busiest; /* of a processor, by one thread */
};

static struct consumed consume(const char *brokers, const char *topic, int partitions, long count)
{
    const char *const settings[] = {"bootstrap.servers",
                                    brokers,
                                    "group.id",
                                    "load",
                                    "auto.offset.reset",
                                    "earliest",
                                    "enable.auto.commit",
                                    "false",
                                    "fetch.message.max.bytes",
                                    "1048576",
                                    "check.crcs",
                                    "true",
                                    NULL};
    char why[256];
    rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_CONSUMER, conf_new(settings), why, sizeof why);
    if (rk == NULL)
        fail("consumer", why);
    rd_kafka_poll_set_consumer(rk);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(partitions);
    for (int i = 0; i < partitions; i++)
        rd_kafka_topic_partition_list_add(list, topic, i)->offset = RD_KAFKA_OFFSET_BEGINNING;
    rd_kafka_queue_t *queue = rd_kafka_queue_get_consumer(rk);
    static rd_kafka_message_t *messages[10000];
    double start = 0;
    long got = 0, first = 0;
    rd_kafka_assign(rk, list);
    while (got < count) {
        ssize_t n = rd_kafka_consume_batch_queue(queue, 10000, messages, 10000);
        if (n <= 0)
            fail("consuming", "nothing comes");
        for (ssize_t i = 0; i < n; i++) {
            got += messages[i]->err == 0;
            rd_kafka_message_destroy(messages[i]);
        }
        if (first == 0) {
            busiest_thread();
            first = got;
            start = now();
        }
    }
    double seconds = now() - start;
    struct consumed consumed = {(double)(got - first) / seconds, busiest_thread() / seconds};
    rd_kafka_topic_partition_list_destroy(list);
    rd_kafka_queue_destroy(queue);
    rd_kafka_consumer_close(rk);
    rd_kafka_destroy(rk);
    return consumed;
}

/* ---- latency ------------------------------------------------------------------------------------------------------------------------ */

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* One thread sends at a rate, with the time in the record, and takes records in between: send → consumed. */
static void say_quantiles(double rate, double *times, long count)
{
    qsort(times, (size_t)count, sizeof *times, by_value);
    printf("rate %.0f p50 %.3f p99 %.3f p99.9 %.3f max %.3f ms\n", rate, times[count / 2] * 1e3,
           times[(long)((double)count * 0.99)] * 1e3, times[(long)((double)count * 0.999)] * 1e3,
           times[count - 1] * 1e3);
}

static void latency(const char *brokers, const char *topic, double rate, double seconds, size_t size)
{
    const char *const out[] = {"bootstrap.servers", brokers, "acks", "all", "linger.ms", "0", NULL};
    const char *const in[] = {
        "bootstrap.servers", brokers, "group.id", "latency", "auto.offset.reset", "earliest",
        "fetch.wait.max.ms", "500",   NULL};
    char why[256], *payload = calloc(1, size);
    rd_kafka_t *producer = rd_kafka_new(RD_KAFKA_PRODUCER, conf_new(out), why, sizeof why);
    rd_kafka_t *consumer = rd_kafka_new(RD_KAFKA_CONSUMER, conf_new(in), why, sizeof why);
    if (producer == NULL || consumer == NULL)
        fail("client", why);
    rd_kafka_poll_set_consumer(consumer);
    rd_kafka_topic_t *to = rd_kafka_topic_new(producer, topic, NULL);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, topic, 0)->offset = RD_KAFKA_OFFSET_BEGINNING;
    rd_kafka_assign(consumer, list);
    long count = (long)(rate * seconds), sent = 0, got = 0,
         warm = (long)rate; /* the first second does not count */
    double *times = malloc((size_t)count * sizeof *times), start = now() + 1;
    while (got < count) {
        double t = now();
        while (sent < count && t >= start + (double)sent / rate) {
            memcpy(payload, &t, sizeof t);
            if (rd_kafka_produce(to, 0, RD_KAFKA_MSG_F_COPY, payload, size, NULL, 0, NULL) != 0)
                break;
            sent++;
            t = now();
        }
        rd_kafka_message_t *m = rd_kafka_consumer_poll(consumer, 0);
        if (m && !m->err) {
            memcpy(&t, m->payload, sizeof t);
            times[got++] = now() - t;
        }
        if (m)
            rd_kafka_message_destroy(m);
        else
            usleep(20);
        rd_kafka_poll(producer, 0);
    }
    say_quantiles(rate, times + warm, count - warm);
    exit(0);
}

/* What the disk alone takes for one write of a page. */
static void bare_write(const char *path, double rate, double seconds)
{
    enum { PAGE = 4096, PAGES = 4096 };
    char *page = aligned_alloc(PAGE, PAGE);
    long count = (long)(rate * seconds);
    double *times = malloc((size_t)count * sizeof *times);
    memset(page, 1, PAGE);
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_DIRECT | O_DSYNC, 0600);
    if (fd < 0)
        fail(path, strerror(errno));
    for (long i = 0; i < PAGES; i++)
        if (pwrite(fd, page, PAGE, i * PAGE) != PAGE)
            fail(path, strerror(errno));
    double start = now(), until = start + seconds;
    long done = 0;
    for (; done < count && now() < until; done++) {
        double late = start + (double)done / rate - now();
        if (late > 0)
            usleep((useconds_t)(late * 1e6));
        double t = now();
        if (pwrite(fd, page, PAGE, done % PAGES * PAGE) != PAGE)
            fail(path, strerror(errno));
        times[done] = now() - t;
    }
    close(fd);
    unlink(path);
    say_quantiles((double)done / (now() - start), times, done);
    exit(0);
}

int main(int argc, char **argv)
{
    if (argc == 7 && strcmp(argv[1], "latency") == 0)
        latency(argv[2], argv[3], atof(argv[4]), atof(argv[5]), (size_t)atol(argv[6]));
    if (argc == 5 && strcmp(argv[1], "write") == 0)
        bare_write(argv[2], atof(argv[3]), atof(argv[4]));
    if (argc < 7)
        fail("usage", "kafka_load BROKERS|mock TOPIC PARTITIONS RECORDS BYTES CODEC [PID]");
    const char *brokers = argv[1], *topic = argv[2], *pid = argc > 7 ? argv[7] : NULL;
    int partitions = atoi(argv[3]);
    long count = atol(argv[4]);
    size_t size = (size_t)atol(argv[5]);
    char why[256];
    if (strcmp(brokers, "mock") == 0) {
        rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_PRODUCER, rd_kafka_conf_new(), why, sizeof why);
        rd_kafka_mock_cluster_t *mock = rd_kafka_mock_cluster_new(rk, 1);
        rd_kafka_mock_topic_create(mock, topic, partitions, 1);
        brokers = rd_kafka_mock_cluster_bootstraps(mock);
        double seconds = produce(brokers, topic, count, size, argv[6]);
        printf("produce %.0f records/s\n", (double)count / seconds);
        exit(0);
    }
    double gb = (double)count * (double)size / 1e9, before = processor_of(pid);
    double produced = produce(brokers, topic, count, size, argv[6]), between = processor_of(pid);
    struct consumed consumed = consume(brokers, topic, partitions, count);
    double after = processor_of(pid);
    printf("produce %.0f records/s consume %.0f records/s client %.0f %%", (double)count / produced,
           consumed.rate, consumed.busiest * 100);
    if (pid)
        printf(" processor %.2f %.2f s/GB", (between - before) / gb, (after - between) / gb);
    printf("\n");
    return 0;
}

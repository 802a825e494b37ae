/* Consumers that have nothing to do, and what a server needs that only answers.
 *
 *     kafka_idle consumers BROKERS TOPIC COUNT GROUPS     COUNT consumers of librdkafka in GROUPS groups; says "ready" when each has partitions or
 *                                                         its group has none left for it, and ends at the end of stdin
 *     kafka_idle bare CONNECTIONS RATE SECONDS            RATE requests a second over CONNECTIONS to a child that does nothing but epoll_wait,
 *                                                         read and write; prints the child's processor time in microseconds a request
 *
 * Built by bench/kafka_idle.sh. */
#include <arpa/inet.h>
#include <errno.h>
#include <librdkafka/rdkafka.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { REQUEST_BYTES = 100, ANSWER_BYTES = 60 };

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void fail(const char *what, const char *why)
{
    fprintf(stderr, "kafka_idle: %s: %s\n", what, why);
    exit(1);
}

/* ---- consumers ---------------------------------------------------------------------------------------------------------- */

static int assigned;

static void on_rebalance(rd_kafka_t *rk, rd_kafka_resp_err_t err, rd_kafka_topic_partition_list_t *partitions,
                         void *mine)
{
    bool is_assigned = err == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS;
    if (is_assigned && !*(bool *)mine)
        assigned++, *(bool *)mine = true;
    rd_kafka_assign(rk, is_assigned ? partitions : NULL);
}

static int consumers(const char *brokers, const char *topic, int count, int groups)
{
    rd_kafka_t **all = calloc((size_t)count, sizeof *all);
    bool *has = calloc((size_t)count, sizeof *has);
    char why[256], group[32];
    for (int i = 0; i < count; i++) {
        rd_kafka_conf_t *conf = rd_kafka_conf_new();
        snprintf(group, sizeof group, "idle-%d", i % groups);
        const char *const settings[] = {"bootstrap.servers",   brokers, "group.id", group,
                                        "queued.min.messages", "1",     NULL};
        for (const char *const *s = settings; s[0]; s += 2)
            if (rd_kafka_conf_set(conf, s[0], s[1], why, sizeof why) != RD_KAFKA_CONF_OK)
                fail(s[0], why);
        rd_kafka_conf_set_rebalance_cb(conf, on_rebalance);
        rd_kafka_conf_set_opaque(conf, &has[i]);
        if ((all[i] = rd_kafka_new(RD_KAFKA_CONSUMER, conf, why, sizeof why)) == NULL)
            fail("consumer", why);
        rd_kafka_poll_set_consumer(all[i]);
        rd_kafka_topic_partition_list_t *topics = rd_kafka_topic_partition_list_new(1);
        rd_kafka_topic_partition_list_add(topics, topic, RD_KAFKA_PARTITION_UA);
        rd_kafka_subscribe(all[i], topics);
        rd_kafka_topic_partition_list_destroy(topics);
    }
    for (bool is_said = false;;) {
        for (int i = 0; i < count; i++) {
            rd_kafka_message_t *message = rd_kafka_consumer_poll(all[i], 0);
            if (message != NULL)
                rd_kafka_message_destroy(message);
        }
        if (assigned == count && !is_said)
            puts("ready"), fflush(stdout), is_said = true;
        struct pollfd end = {.fd = 0, .events = POLLIN};
        if (poll(&end, 1, 200) > 0)
            _exit(0); /* closing a thousand consumers one by one would take its time */
    }
}

/* ---- the bare server ---------------------------------------------------------------------------------------------------- */

static void serve(int listener)
{
    int poller = epoll_create1(0);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = listener}, events[256];
    epoll_ctl(poller, EPOLL_CTL_ADD, listener, &event);
    for (;;) {
        int n = epoll_wait(poller, events, 256, -1);
        for (int i = 0; i < n; i++) {
            char bytes[4096];
            int fd = events[i].data.fd;
            if (fd == listener) {
                int one = 1;
                event.data.fd = accept(listener, NULL, NULL);
                setsockopt(event.data.fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
                epoll_ctl(poller, EPOLL_CTL_ADD, event.data.fd, &event);
            } else if (read(fd, bytes, sizeof bytes) <= 0 || write(fd, bytes, ANSWER_BYTES) <= 0) {
                _exit(0);
            }
        }
    }
}

static int bare(int connections, double rate, double seconds)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof at;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(listener, (struct sockaddr *)&at, n) || listen(listener, connections) ||
        getsockname(listener, (struct sockaddr *)&at, &n))
        fail("listen", strerror(errno));
    pid_t server = fork();
    if (server == 0)
        serve(listener);
    close(listener);
    int *fds = calloc((size_t)connections, sizeof *fds);
    for (int i = 0; i < connections; i++)
        if ((fds[i] = socket(AF_INET, SOCK_STREAM, 0)) < 0 ||
            connect(fds[i], (struct sockaddr *)&at, sizeof at))
            fail("connect", strerror(errno));
    long sent = 0;
    double start = now();
    for (double late; now() - start < seconds;
         sent++) { /* each connection its answer before its next request */
        char bytes[4096] = {0};
        int fd = fds[sent % connections];
        if ((late = start + (double)sent / rate - now()) > 0)
            usleep((useconds_t)(late * 1e6));
        if (write(fd, bytes, REQUEST_BYTES) != REQUEST_BYTES ||
            (sent >= connections && read(fd, bytes, sizeof bytes) <= 0))
            fail("request", strerror(errno));
    }
    double took = now() - start;
    kill(server, SIGKILL);
    struct rusage used;
    wait4(server, NULL, 0, &used);
    double processor = (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
                       (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
    printf("%.2f us a request, %.0f requests/s\n", processor / (double)sent * 1e6, (double)sent / took);
    return 0;
}

int main(int argc, char **argv)
{
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    if (argc == 6 && strcmp(argv[1], "consumers") == 0)
        return consumers(argv[2], argv[3], atoi(argv[4]), atoi(argv[5]));
    if (argc == 5 && strcmp(argv[1], "bare") == 0)
        return bare(atoi(argv[2]), atof(argv[3]), atof(argv[4]));
    fprintf(stderr,
            "usage: kafka_idle consumers BROKERS TOPIC COUNT GROUPS | bare CONNECTIONS RATE SECONDS\n");
    return 2;
}

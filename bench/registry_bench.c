/* The schema registry of a running program: durable registrations per second from many clients, reads beside them, and a start over many schemas.
 *
 *     registry_bench PORT register CLIENTS COUNT [SUBJECTS]     COUNT schemas of about 300 bytes
 *     registry_bench PORT read CLIENTS COUNT                    schemas by id, 1 … 100,000 at random
 *
 * A start is measured by whoever starts the program: bench/registry.sh does all three. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "os/os.h"
#include "ref/rest_talk.h"

enum { CLIENTS_MAX = 256 };

static int port, count, clients, subjects = 10000;
static bool reads;
static int64_t *nanoseconds; /* of each request */
static int failures;

static void make_body(struct sbuf *body, int n)
{
    sbuf_clear(body);
    sbuf_printf(
        body,
        "{\"schema\":\"{\\\"type\\\":\\\"record\\\",\\\"name\\\":\\\"Event%d\\\",\\\"namespace\\\":\\\"com.example.events\\\","
        "\\\"doc\\\":\\\"What happened, to whom, and when\\\",\\\"fields\\\":["
        "{\\\"name\\\":\\\"id\\\",\\\"type\\\":\\\"long\\\"},{\\\"name\\\":\\\"name\\\",\\\"type\\\":\\\"string\\\"},"
        "{\\\"name\\\":\\\"amount\\\",\\\"type\\\":\\\"double\\\"},{\\\"name\\\":\\\"f%d\\\",\\\"type\\\":\\\"int\\\",\\\"default\\\":%d}]}\"}",
        n % subjects, n, n);
}

static void *client(void *arg)
{
    int first = (int)(intptr_t)arg;
    struct rest_talk talk = {.port = port};
    struct sbuf body = {0};
    struct str answer;
    uint64_t random = 88172645463325252U + (uint64_t)first;
    for (int n = first; n < count; n += clients) {
        char path[64];
        random ^= random << 13, random ^= random >> 7, random ^= random << 17;
        if (reads)
            snprintf(path, sizeof path, "/schemas/ids/%d", (int)(random % 100000) + 1);
        else
            snprintf(path, sizeof path, "/subjects/subject-%d-value/versions", n % subjects);
        make_body(&body, n);
        int64_t begun = os_mono().ns;
        int status = rest_talk_ask(&talk, reads ? "GET" : "POST", path,
                                   reads ? (struct str){0} : sbuf_view(&body), &answer);
        nanoseconds[n] = os_mono().ns - begun;
        if (status != 200)
            __atomic_add_fetch(&failures, 1, __ATOMIC_RELAXED);
    }
    rest_talk_end(&talk);
    sbuf_fini(&body);
    return NULL;
}

static int ascending(const void *a, const void *b)
{
    const int64_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

int main(int argc, char **argv)
{
    pthread_t threads[CLIENTS_MAX];
    if (argc < 5) {
        fprintf(stderr, "usage: registry_bench PORT register|read CLIENTS COUNT [SUBJECTS]\n");
        return 2;
    }
    port = atoi(argv[1]);
    reads = strcmp(argv[2], "read") == 0;
    clients = atoi(argv[3]) < CLIENTS_MAX ? atoi(argv[3]) : CLIENTS_MAX;
    count = atoi(argv[4]);
    if (argc > 5)
        subjects = atoi(argv[5]);
    nanoseconds = calloc((size_t)count, sizeof *nanoseconds);
    int64_t begun = os_mono().ns;
    for (int i = 0; i < clients; i++)
        pthread_create(&threads[i], NULL, client, (void *)(intptr_t)i);
    for (int i = 0; i < clients; i++)
        pthread_join(threads[i], NULL);
    double seconds = (double)(os_mono().ns - begun) / 1e9;
    qsort(nanoseconds, (size_t)count, sizeof *nanoseconds, ascending);
    printf("%s: %d clients, %d requests, %.0f /s, p50 %.3f ms, p99 %.3f ms, %d failures\n", argv[2], clients,
           count, count / seconds, (double)nanoseconds[count / 2] / 1e6,
           (double)nanoseconds[count - 1 - count / 100] / 1e6, failures);
    free(nanoseconds);
    return failures > 0;
}

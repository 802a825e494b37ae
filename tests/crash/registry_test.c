/* Many clients register schemas at once while the program is killed, again and again: what was acknowledged is there afterwards under the same id and
 * version, a schema has one id for ever, and an id one schema.
 *
 * Half of the schemas are common: every client registers the same ones under the same subjects, at about the same time. KILLS and CLIENTS for more. */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/test.h"
#include "ref/outside.h"
#include "ref/rest_talk.h"
#include "json/tree.h"

enum { CLIENTS_MAX = 200, SCHEMAS = 40000, IDS = 2 * SCHEMAS };

/* What schema n was answered, whoever asked. */
struct acknowledged {
    int32_t id, version;
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct acknowledged known[SCHEMAS];
static int32_t owner[IDS]; /* of an id: its schema + 1 */
static int bad, acknowledgements;
static bool stopping;
static int next_common, next_own, port;

static void complain(const char *what, int n, int id)
{
    if (bad++ < 10)
        fprintf(stderr, "schema %d, id %d: %s\n", n, id, what);
}

static void see(int n, int32_t id, int32_t version)
{
    pthread_mutex_lock(&mutex);
    acknowledgements++;
    if (id < 1 || id >= IDS)
        complain("an id out of range", n, id);
    else if (owner[id] != 0 && owner[id] != n + 1)
        complain("the id has another schema", n, id);
    else
        owner[id] = n + 1;
    if (known[n].id != 0 && (known[n].id != id || known[n].version != version))
        complain("it had another id or version", n, id);
    known[n] = (struct acknowledged){id, version};
    pthread_mutex_unlock(&mutex);
}

/* Even numbers are common. Of one subject there are five versions, compatible ones. */
static void subject_of(int n, char *out, size_t size)
{
    snprintf(out, size, "/subjects/s%d", n % 2 ? n : n / 10 * 10);
}

static void body_of(struct sbuf *body, int n)
{
    sbuf_clear(body);
    sbuf_printf(
        body,
        "{\"schema\":\"{\\\"type\\\":\\\"record\\\",\\\"name\\\":\\\"R\\\",\\\"fields\\\":[{\\\"name\\\":\\\"f%d\\\","
        "\\\"type\\\":\\\"int\\\",\\\"default\\\":%d}]}\"}",
        n, n);
}

static bool ask(struct rest_talk *talk, struct sbuf *body, int n, bool registers)
{
    struct arena arena = {0};
    const struct json_node *root = NULL;
    struct str answer;
    struct err err;
    char path[64];
    int64_t id = 0, version = 0;
    subject_of(n, path, sizeof path);
    if (registers)
        strcat(path, "/versions");
    body_of(body, n);
    int status = rest_talk_ask(talk, "POST", path, sbuf_view(body), &answer);
    if (status == 200 && json_parse(&arena, answer, &root, &err) && json_i64(root, "id", &id) &&
        json_i64(root, "version", &version))
        see(n, (int32_t)id, (int32_t)version);
    else if (status >= 0)
        complain("was refused", n, status);
    arena_fini(&arena);
    return status == 200;
}

static int take_number(void)
{
    pthread_mutex_lock(&mutex);
    int n = acknowledgements % 2 ? 2 * (next_common++ / 8) : 2 * next_own++ + 1;
    if (n >= SCHEMAS)
        stopping = true;
    bool stop = stopping;
    pthread_mutex_unlock(&mutex);
    return stop ? -1 : n;
}

static void *client(void *arg)
{
    struct rest_talk talk = {.port = port};
    struct sbuf body = {0};
    int n;
    (void)arg;
    while ((n = take_number()) >= 0)
        if (!ask(&talk, &body, n, true))
            break;
    rest_talk_end(&talk);
    sbuf_fini(&body);
    return NULL;
}

static bool reads_port(void *arg)
{
    char *log = outside_read(outside_path("log"));
    char *at = log, *last = NULL;
    (void)arg;
    while ((at = strstr(at, "registry: http://127.0.0.1:")) != NULL)
        last = at++;
    int found = last ? atoi(last + strlen("registry: http://127.0.0.1:")) : 0;
    free(log);
    bool is_new = found != 0 && found != port;
    if (is_new)
        port = found;
    return is_new;
}

static int number_of(const char *name, int usual)
{
    const char *text = getenv(name);
    return text ? atoi(text) : usual;
}

TEST(what_was_acknowledged_stays)
{
    int kills = number_of("KILLS", 6), clients = number_of("CLIENTS", 32);
    pthread_t threads[CLIENTS_MAX];
    clients = clients < CLIENTS_MAX ? clients : CLIENTS_MAX;
    outside_folder();
    outside_write(
        outside_path("sluice.yaml"),
        STR("name: kills\nsettings: { listen: { http: off, kafka: off, registry: '127.0.0.1:0' } }\n"));
    for (int life = 0; life <= kills; life++) {
        pid_t pid = outside_start("up", NULL, -1);
        if (!EXPECT(outside_until(reads_port, NULL, 30000)))
            break;
        if (life == kills) {
            struct rest_talk talk = {.port = port};
            struct sbuf body = {0};
            for (int n = 0; n < SCHEMAS; n++)
                if (known[n].id != 0)
                    ask(&talk, &body, n, false);
            rest_talk_end(&talk);
            sbuf_fini(&body);
            kill(pid, SIGTERM);
            EXPECT_EQ_INT(outside_wait(pid), 0);
            break;
        }
        for (int i = 0; i < clients; i++)
            pthread_create(&threads[i], NULL, client, NULL);
        outside_sleep_ms(200 + life * 37 % 150);
        kill(pid, SIGKILL);
        outside_wait(pid);
        for (int i = 0; i < clients; i++)
            pthread_join(threads[i], NULL);
    }
    printf("%d kills, %d clients, %d acknowledgements\n", kills, clients, acknowledgements);
    EXPECT_EQ_INT(bad, 0);
    EXPECT(acknowledgements > 100);
    outside_clean();
}

int main(void)
{
    RUN(what_was_acknowledged_stays);
    return test_end();
}

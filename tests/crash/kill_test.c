/* kill -9 at any instant, again and again, of the whole program with real files: in the end every row of every source that can be replayed is in the
 * topic, in SQLite and in the Delta table once, and in the topic in order for each key.
 *
 * Five sources at once: an API with a cursor, one with pages, one with links, a file that grows, and a log that is rotated. They grow while the program lives
 * and while it does not. KILLS=200 for more lives than the check has; SEED=n for other instants. */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/test.h"
#include "os/os.h"
#include "ref/outside.h"
#include "ref/web_stand.h"
#include "json/tree.h"

enum { SOURCES = 5, KEYS = 7, PAGE = 40, KILLS = 10, ROTATE = 700 };

static const char *const source_names[SOURCES] = {"api", "pages", "links", "files", "rotated"};

/* What the world holds so far; rows 0 … made − 1 of each source. */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static int64_t made;
static uint64_t random_state = 88172645463325252U;

static uint64_t random_below(uint64_t n)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state % n;
}

static int64_t made_now(void)
{
    pthread_mutex_lock(&mutex);
    int64_t n = made;
    pthread_mutex_unlock(&mutex);
    return n;
}

static void put_row(struct sbuf *out, int64_t n)
{
    sbuf_printf(out, "{\"seq\": %lld, \"k\": %lld, \"text\": \"row %lld\"}", (long long)n,
                (long long)(n % KEYS), (long long)n);
}

static void put_rows(struct sbuf *out, int64_t from, int64_t to)
{
    sbuf_cstr(out, "{\"rows\": [");
    for (int64_t n = from; n < to; n++) {
        sbuf_cstr(out, n > from ? ", " : "");
        put_row(out, n);
    }
    sbuf_cstr(out, "]");
}

static void handle(void *arg, struct web_request *r)
{
    struct sbuf body = {0};
    int64_t end = made_now(), from = 0;
    (void)arg;
    if (strcmp(r->path, "/api") == 0)
        from = web_param(r, "after", -1) + 1;
    else
        from = (web_param(r, "page", 1) - 1) * PAGE;
    int64_t to = from + PAGE < end ? from + PAGE : end;
    put_rows(&body, from, to);
    if (strcmp(r->path, "/links") == 0 && to == from + PAGE)
        sbuf_printf(&body, ", \"next\": \"/links?page=%lld\"", (long long)web_param(r, "page", 1) + 1);
    sbuf_cstr(&body, "}");
    web_answer(r, 200, "Content-Type: application/json\r\n", sbuf_view(&body));
    sbuf_fini(&body);
}

/* More rows everywhere: in the files, and for whoever asks the server. The file ends within a line most of the time. */
static void make_rows(int64_t count)
{
    struct sbuf text = {0};
    static int rotations;
    int64_t from = made_now();
    for (int64_t n = from; n < from + count; n++) {
        put_row(&text, n);
        sbuf_char(&text, '\n');
    }
    outside_append(outside_path("in/files.jsonl"), sbuf_view(&text));
    if (from / ROTATE != (from + count) / ROTATE)
        rename(outside_path("rotated/app.log"), outside_path("rotated/app.log.%d", ++rotations));
    size_t half = text.n > 20 ? text.n - 17 : 0;
    outside_append(outside_path("rotated/app.log"), str_n(text.p, half));
    outside_append(outside_path("rotated/app.log"), str_n(text.p + half, text.n - half));
    pthread_mutex_lock(&mutex);
    made += count;
    pthread_mutex_unlock(&mutex);
    sbuf_fini(&text);
}

static void make_project(int port)
{
    struct sbuf p = {0};
    sbuf_printf(
        &p,
        "name: killed\n"
        "settings: { listen: { http: off, kafka: off, registry: off } }\n"
        "connections: { db: 'sqlite:db.sqlite', lake: 'file:lake' }\n"
        "sources:\n"
        "  api: { kind: http, url: 'http://127.0.0.1:%d/api', rows: rows, every: 20ms, cursor: { field: seq, param: after }, to: api }\n"
        "  pages: { kind: http, url: 'http://127.0.0.1:%d/pages', rows: rows, every: 20ms, page: { param: page }, to: pages }\n"
        "  links: { kind: http, url: 'http://127.0.0.1:%d/links', rows: rows, every: 20ms, next: next, to: links }\n"
        "  files: { kind: file, path: 'in/*.jsonl', watch: true, to: files }\n"
        "  rotated: { kind: file, path: 'rotated/app.log*', watch: true, to: rotated }\n"
        "topics:\n",
        port, port, port);
    for (int i = 0; i < SOURCES; i++)
        sbuf_printf(
            &p,
            "  %s: { schema: 'seq BIGINT, k BIGINT, text STRING' }\n  out_%s: { key: k, partitions: 3 }\n",
            source_names[i], source_names[i]);
    sbuf_cstr(&p, "streams:\n");
    for (int i = 0; i < SOURCES; i++)
        sbuf_printf(
            &p,
            "  copy_%s:\n    sql: SELECT seq AS n, k, upper(text) AS t FROM STREAM %s\n    to:\n      - topic: out_%s\n"
            "      - { table: db.%s }\n      - { table: db.keyed_%s, key: [n], mode: upsert }\n"
            "      - { table: lake.%s, cadence: 100ms }\n",
            source_names[i], source_names[i], source_names[i], source_names[i], source_names[i],
            source_names[i]);
    outside_write(outside_path("sluice.yaml"), sbuf_view(&p));
    sbuf_fini(&p);
}

/* ---- judging ---------------------------------------------------------------------------------------------------------- */

struct topic_check {
    struct outside_tally tally;
    int64_t last[KEYS];
    bool ordered;
};

static bool see_record(void *arg, int32_t partition, struct str key, struct str value)
{
    struct topic_check *c = arg;
    struct arena arena = {0};
    const struct json_node *node;
    struct err err;
    int64_t n = -1, k = 0;
    (void)partition, (void)key;
    if (!json_parse(&arena, value, &node, &err) || !json_i64(node, "n", &n) || !json_i64(node, "k", &k) ||
        k < 0 || k >= KEYS) {
        fprintf(stderr, "%s: %.*s\n", c->tally.where, STR_ARG(value));
        c->tally.bad++;
    } else {
        if (c->ordered && n <= c->last[k] && c->tally.bad++ < 5)
            fprintf(stderr, "%s: row %lld after row %lld\n", c->tally.where, (long long)n,
                    (long long)c->last[k]);
        c->last[k] = n;
        outside_tally_see(&c->tally, n);
    }
    arena_fini(&arena);
    return true;
}

static void see_row(void *arg, int64_t n)
{
    outside_tally_see(arg, n);
}

static int judge_source(const char *name, int64_t count)
{
    char where[64], sql[128];
    struct topic_check topic = {.ordered = true};
    struct outside_tally t;
    int bad = 0;
    memset(topic.last, 0xff, sizeof topic.last);
    snprintf(where, sizeof where, "topic out_%s", name);
    outside_tally_init(&topic.tally, where, count);
    bad += !outside_topic(where + 6, see_record, &topic);
    bad += outside_tally_end(&topic.tally);
    for (int keyed = 0; keyed < 2; keyed++) {
        snprintf(where, sizeof where, "SQLite table %s%s", keyed ? "keyed_" : "", name);
        snprintf(sql, sizeof sql, "SELECT n FROM %s%s", keyed ? "keyed_" : "", name);
        outside_tally_init(&t, where, count);
        bad += outside_sqlite(outside_path("db.sqlite"), sql, see_row, &t) < 0;
        bad += outside_tally_end(&t);
    }
    snprintf(where, sizeof where, "Delta table %s", name);
    outside_tally_init(&t, where, count);
    bad += outside_delta(outside_path("lake/%s", name), "n", see_row, &t) < 0;
    bad += outside_tally_end(&t);
    return bad;
}

/* ---- lives ------------------------------------------------------------------------------------------------------------ */

/* A life of a random length, in which the world goes on. False: it ended by itself. */
static bool live_and_die(void)
{
    pid_t pid = outside_start("up", NULL, -1);
    int64_t end = outside_now_ms() + 30 + (int64_t)random_below(UINT64_C(100) << random_below(5));
    while (outside_now_ms() < end) {
        make_rows(1 + (int64_t)random_below(10));
        outside_sleep_ms((int64_t)random_below(20));
    }
    kill(pid, SIGKILL);
    int status = outside_wait(pid);
    if (status == 128 + SIGKILL)
        return true;
    fprintf(stderr, "it ended with status %d before it was killed\n", status);
    return false;
}

TEST(each_row_is_everywhere_once)
{
    const char *kills_text = getenv("KILLS"), *seed_text = getenv("SEED");
    int kills = kills_text ? atoi(kills_text) : KILLS;
    random_state ^= (seed_text ? strtoull(seed_text, NULL, 10) : 1) * UINT64_C(0x9E3779B97F4A7C15);
    struct web_stand *stand = web_stand_new(handle, NULL);
    if (!EXPECT(stand != NULL))
        return;
    outside_folder();
    struct err err;
    EXPECT(os_mkdirs(outside_path("in"), &err) && os_mkdirs(outside_path("rotated"), &err));
    make_project(web_stand_port(stand));
    for (int i = 0; i < kills; i++) {
        make_rows((int64_t)random_below(50));
        if (!EXPECT(live_and_die()))
            break;
    }
    make_rows(3);
    int64_t begun = outside_now_ms();
    EXPECT_EQ_INT(outside_run("run", NULL), 0);
    printf("%d kills, %lld rows of each of %d sources, the last run took %lld ms\n", kills, (long long)made,
           SOURCES, (long long)(outside_now_ms() - begun));
    for (int i = 0; i < SOURCES; i++)
        EXPECT_EQ_INT(judge_source(source_names[i], made), 0);
    if (test_is_bad) {
        char *log = outside_read(outside_path("log"));
        size_t n = strlen(log);
        fprintf(stderr, "the log ends with:\n%s", log + (n > 6000 ? n - 6000 : 0));
        free(log);
    }
    web_stand_free(stand);
    outside_clean();
}

int main(void)
{
    RUN(each_row_is_everywhere_once);
    return test_end();
}

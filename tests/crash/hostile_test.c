/* Servers that do everything but what they should. After each bad answer comes a good one: its rows arrive, each once; nothing of the bad one does;
 * the reason stands in the log; and the program neither dies nor grows. */
#include <curl/curl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <zlib.h>

#include "base/test.h"
#include "os/os.h"
#include "ref/outside.h"
#include "ref/web_stand.h"
#include "run/run.h"

/* What goes wrong in the first answer. */
static void too_many(struct web_request *r)
{
    web_text(r, 429, "Retry-After: 1\r\n", "{\"error\":\"Whoa, ease up there cowboy.\"}");
}

static void broken_server(struct web_request *r)
{
    web_text(r, 503, "", "<html>no <b>bytes</b> \xff\xfe today</html>");
}

static void cut_length(struct web_request *r)
{
    web_raw(r, "HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{\"results\":[{\"n\":900},{\"n\":9", 69);
}

static void cut_chunk(struct web_request *r)
{
    static const char text[] =
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n17\r\n{\"results\":[{\"n\":900},{\r\n40\r\n\"n\":9";
    web_raw(r, text, sizeof text - 1);
}

/* No length at all: only the document says that it is cut. */
static void cut_silently(struct web_request *r)
{
    static const char text[] =
        "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{\"results\":[{\"n\":900},{\"n\":901}";
    web_raw(r, text, sizeof text - 1);
}

static void empty(struct web_request *r)
{
    web_text(r, 200, "", "");
}

static void no_results(struct web_request *r)
{
    web_text(
        r, 200, "",
        "{\"results\":[],\"info\":{\"seed\":\"d3adb33f\",\"results\":1,\"page\":1,\"version\":\"1.4\"}}");
}

static void error_key(struct web_request *r)
{
    web_text(r, 200, "", "{\"error\":\"Uh oh, something has gone wrong.\"}");
}

static void html(struct web_request *r)
{
    web_text(r, 200, "Content-Type: text/html\r\n",
             "<!DOCTYPE html><html><body>Log in to the hotel's network</body></html>");
}

static void elsewhere(struct web_request *r)
{
    web_text(r, 200, "", "{\"data\":[{\"n\":900}]}");
}

static void scalar(struct web_request *r)
{
    web_text(r, 200, "", "{\"results\":\"none today\"}");
}

static void error_beside_no_rows(struct web_request *r)
{
    web_text(r, 200, "", "{\"error\":{\"message\":\"quota\"},\"results\":[]}");
}

/* What would clear the screen of whoever reads the log, and add a line to it. */
static void steering(struct web_request *r)
{
    web_text(r, 500, "", "\x1b[2J\r\n00:00:00 info forged: line");
}

static void null_results(struct web_request *r)
{
    web_text(r, 200, "", "{\"results\":null}");
}

static void empty_rows(struct web_request *r)
{
    web_text(r, 200, "", "{\"results\":[{},{ }]}");
}

static void garbage_after(struct web_request *r)
{
    web_text(r, 200, "", "{\"results\":[{\"n\":900}]} and more");
}

static void too_long(struct web_request *r)
{
    struct sbuf text = {0};
    sbuf_cstr(&text, "{\"results\":[");
    for (int i = 0; i < 20000; i++)
        sbuf_cstr(&text, "{\"n\":900},");
    sbuf_cstr(&text, "{\"n\":901}]}");
    web_answer(r, 200, "", sbuf_view(&text));
    sbuf_fini(&text);
}

/* 8 MiB of blanks in 8 KiB: what is unpacked counts. */
static void bomb(struct web_request *r)
{
    static unsigned char blank[1 << 20], out[1 << 20];
    z_stream z = {0};
    if (deflateInit2(&z, 9, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        return;
    memset(blank, ' ', sizeof blank);
    z.next_out = out;
    z.avail_out = sizeof out;
    for (int i = 0; i < 8; i++) {
        z.next_in = blank;
        z.avail_in = sizeof blank;
        deflate(&z, i == 7 ? Z_FINISH : Z_NO_FLUSH);
    }
    web_answer(r, 200, "Content-Encoding: gzip\r\n", str_n(out, z.total_out));
    deflateEnd(&z);
}

static void no_gzip(struct web_request *r)
{
    web_text(r, 200, "Content-Encoding: gzip\r\n", "{\"results\":[{\"n\":900}]}");
}

static void garbage_after_gzip(struct web_request *r)
{
    static const unsigned char packed[] = {0x1f, 0x8b, 8,    0,    0,    0,    0, 0, 0, 3, 0xab, 0xae,
                                           5,    0,    0x43, 0xbf, 0xa6, 0xa3, 2, 0, 0, 0, 'x',  'y'};
    web_answer(r, 200, "Content-Encoding: gzip\r\n", str_n((const char *)packed, sizeof packed));
}

static void deep(struct web_request *r)
{
    struct sbuf text = {0};
    sbuf_cstr(&text, "{\"results\":");
    for (int i = 0; i < 20000; i++)
        sbuf_cstr(&text, "{\"a\":[");
    web_answer(r, 200, "", sbuf_view(&text));
    sbuf_fini(&text);
}

static void no_http(struct web_request *r)
{
    web_raw(r, "SSH-2.0-OpenSSH_9.2p1\r\n", 23);
}

static void long_header(struct web_request *r)
{
    struct sbuf text = {0};
    sbuf_cstr(&text, "HTTP/1.1 200 OK\r\nX-Long: ");
    for (int i = 0; i < 400000; i++)
        sbuf_char(&text, 'a');
    web_raw(r, text.p, text.n);
    sbuf_fini(&text);
}

static void round_and_round(struct web_request *r)
{
    web_text(r, 302, "Location: /first\r\n", "");
}

static void to_a_file(struct web_request *r)
{
    web_text(r, 302, "Location: file:///etc/passwd\r\n", "");
}

/* `always`: what it answers as long as it is asked, `first` otherwise; `said` stands in the log. */
static const struct hostile {
    const char *name;
    void (*answer)(struct web_request *r);
    const char *said;
} hostiles[] = {
    {"too_many", too_many, "429"},
    {"broken_server", broken_server, "503"},
    {"cut_length", cut_length, NULL},
    {"cut_chunk", cut_chunk, NULL},
    {"cut_silently", cut_silently, "the answer is no whole JSON document"},
    {"empty", empty, "is empty"},
    {"no_results", no_results, "holds no row"},
    {"error_key", error_key, "Uh oh, something has gone wrong"},
    {"html", html, "text/html"},
    {"elsewhere", elsewhere, "nothing at \"results\""},
    {"scalar", scalar, "the answer has a text at \"results\", not rows: \"none today\""},
    {"error_beside_no_rows", error_beside_no_rows, "the server says: {\"message\":\"quota\"}"},
    {"steering", steering, "\\x1b[2J\\r\\n00:00:00 info forged: line"},
    {"null_results", null_results, NULL},
    {"empty_rows", empty_rows, "holds no row"},
    {"garbage_after", garbage_after, "the answer is no whole JSON document"},
    {"too_long", too_long, "longer than the limit"},
    {"bomb", bomb, "longer than the limit"},
    {"no_gzip", no_gzip, NULL},
    {"garbage_after_gzip", garbage_after_gzip, "cannot be unpacked"},
    {"deep", deep, NULL},
    {"hang", web_hang, NULL},
    {"no_http", no_http, NULL},
    {"long_header", long_header, NULL},
    {"round_and_round", round_and_round, "redirects"},
    {"to_a_file", to_a_file, NULL},
};

enum { HOSTILES = sizeof hostiles / sizeof *hostiles, ROWS = 20 };

/* How a good answer comes: whole, packed, in single bytes, by way of another host. */
static void good_gzip(struct web_request *r, struct str body)
{
    unsigned char out[4096];
    z_stream z = {.next_in = (unsigned char *)body.p,
                  .avail_in = (unsigned)body.n,
                  .next_out = out,
                  .avail_out = sizeof out};
    if (deflateInit2(&z, 9, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        return;
    deflate(&z, Z_FINISH);
    web_answer(r, 200, "Content-Encoding: gzip\r\n", str_n(out, z.total_out));
    deflateEnd(&z);
}

static void good_bytes(struct web_request *r, struct str body)
{
    char chunk[16];
    web_raw(r, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", 47);
    for (size_t i = 0; i < body.n; i++)
        web_raw(r, chunk, (size_t)snprintf(chunk, sizeof chunk, "1\r\n%c\r\n", body.p[i]));
    web_raw(r, "0\r\n\r\n", 5);
}

static int asked[HOSTILES];
static bool credentials_leaked, credentials_seen;
static struct web_stand *other;

static void handle_other(void *arg, struct web_request *r)
{
    (void)arg;
    if (web_has_header(r, "secret"))
        credentials_leaked = true;
    web_text(r, 200, "", "{\"results\":[{\"n\":0},{\"n\":1}]}");
}

static void handle(void *arg, struct web_request *r)
{
    int index = (int)web_param(r, "case", -1);
    struct sbuf body = {0};
    char header[128];
    (void)arg;
    if (strcmp(r->path, "/away") == 0) {
        credentials_seen = web_has_header(r, "X-Key: secret") &&
                           web_has_header(r, "Authorization: Bearer secret");
        snprintf(header, sizeof header, "Location: http://localhost:%d/there\r\n", web_stand_port(other));
        web_text(r, 302, header, "");
        return;
    }
    if (strcmp(r->path, "/first") == 0) { /* of the redirect without an end */
        round_and_round(r);
        return;
    }
    if (index < 0 || index >= HOSTILES)
        return;
    if (asked[index]++ == 0) {
        hostiles[index].answer(r);
        return;
    }
    sbuf_cstr(&body, "{\"results\":[");
    for (int n = 0; n < ROWS; n++)
        sbuf_printf(&body, "%s{\"n\":%d,\"text\":\"]}\\\"{[\"}", n ? "," : "", n);
    sbuf_cstr(&body, "],\"info\":{\"results\":20}}");
    if (index % 3 == 0)
        web_answer(r, 200, "", sbuf_view(&body));
    else if (index % 3 == 1)
        good_gzip(r, sbuf_view(&body));
    else
        good_bytes(r, sbuf_view(&body));
    sbuf_fini(&body);
}

static bool see_record(void *arg, int32_t partition, struct str key, struct str value)
{
    int n = -1;
    char text[64];
    (void)partition, (void)key;
    snprintf(text, sizeof text, "%.*s", STR_ARG(value));
    sscanf(text, "{\"n\":%d", &n);
    outside_tally_see(arg, n);
    return true;
}

static int judge_topic(const char *name, int rows)
{
    struct outside_tally t;
    outside_tally_init(&t, name, rows);
    int bad = !outside_topic(name, see_record, &t);
    return bad + outside_tally_end(&t);
}

/* All of them at once, each against its own source, in one life of the program. */
TEST(a_bad_answer_is_said_and_the_next_one_is_taken)
{
    struct sbuf p = {0};
    struct web_stand *stand = web_stand_new(handle, NULL);
    outside_folder();
    sbuf_cstr(&p, "name: hostile\nsources:\n");
    for (int i = 0; i < HOSTILES; i++)
        sbuf_printf(
            &p,
            "  %s: { kind: http, url: 'http://127.0.0.1:%d/', query: { case: %d }, rows: results, limit: 64KiB, timeout: 2s, to: %s }\n",
            hostiles[i].name, web_stand_port(stand), i, hostiles[i].name);
    sbuf_cstr(&p, "topics:\n");
    for (int i = 0; i < HOSTILES; i++)
        sbuf_printf(&p, "  %s: {}\n", hostiles[i].name);
    outside_write(outside_path("sluice.yaml"), sbuf_view(&p));
    EXPECT_EQ_INT(outside_run("run", NULL), 0);
    char *log = outside_read(outside_path("log"));
    for (int i = 0; i < HOSTILES; i++) {
        char subject[64], *line;
        EXPECT_EQ_INT(judge_topic(hostiles[i].name, ROWS), 0);
        snprintf(subject, sizeof subject, "source \"%s\"", hostiles[i].name);
        line = strstr(log, subject);
        if (line)
            line[strcspn(line, "\n")] = '\0';
        if (!EXPECT(line != NULL))
            fprintf(stderr, "the log says nothing of %s\n", hostiles[i].name);
        else if (hostiles[i].said && !EXPECT(strstr(line, hostiles[i].said) != NULL))
            fprintf(stderr, "%s: %s\n", hostiles[i].said, line);
        if (line)
            line[strlen(line)] = '\n';
    }
    if (getenv("VERBOSE"))
        fprintf(stderr, "%s", log);
    free(log);
    sbuf_fini(&p);
    web_stand_free(stand);
    outside_clean();
}

static struct counter asked_patient, asked_pulse;

static void handle_patience(void *arg, struct web_request *r)
{
    (void)arg;
    if (strcmp(r->path, "/patient") == 0) {
        counter_add(&asked_patient, 1);
        web_text(r, 429, "Retry-After: 99999999999999999999\r\n", "");
        return;
    }
    counter_add(&asked_pulse, 1);
    web_text(r, 204, "", "");
}

static bool pulse_is(void *wanted)
{
    return counter_get(&asked_pulse) >= *(uint64_t *)wanted;
}

/* Half a second would be the pause without the header. 204 is an answer without news, not a failure. */
TEST(a_retry_after_that_no_integer_holds_is_long)
{
    struct sbuf p = {0};
    struct web_stand *stand = web_stand_new(handle_patience, NULL);
    outside_folder();
    sbuf_printf(
        &p,
        "name: patience\nsettings: { listen: { http: off, kafka: off, registry: off } }\nsources:\n"
        "  patient: { kind: http, url: 'http://127.0.0.1:%d/patient' }\n"
        "  pulse: { kind: http, url: 'http://127.0.0.1:%d/pulse', rows: data, cursor: { field: n, param: after }, every: 100ms }\n",
        web_stand_port(stand), web_stand_port(stand));
    outside_write(outside_path("sluice.yaml"), sbuf_view(&p));
    pid_t pid = outside_start("up", NULL, -1);
    uint64_t beats = 20;
    EXPECT(outside_until(pulse_is, &beats, 30000));
    EXPECT_EQ_INT(counter_get(&asked_patient), 1);
    EXPECT(!outside_log_has("pulse"));
    kill(pid, SIGTERM);
    EXPECT_EQ_INT(outside_wait_for(pid, 20000), 0);
    sbuf_fini(&p);
    web_stand_free(stand);
    outside_clean();
}

TEST(no_retries_means_one_try)
{
    struct sbuf p = {0};
    struct web_stand *stand = web_stand_new(handle_patience, NULL);
    uint64_t before = counter_get(&asked_patient);
    outside_folder();
    sbuf_printf(
        &p, "name: once\nsources: { one: { kind: http, url: 'http://127.0.0.1:%d/patient', retries: 0 } }\n",
        web_stand_port(stand));
    outside_write(outside_path("sluice.yaml"), sbuf_view(&p));
    EXPECT_EQ_INT(outside_wait_for(outside_start("run", NULL, -1), 20000), 1);
    EXPECT_EQ_INT(counter_get(&asked_patient), before + 1);
    sbuf_fini(&p);
    web_stand_free(stand);
    outside_clean();
}

TEST(credentials_stay_with_their_host)
{
    struct sbuf p = {0};
    other = web_stand_new(handle_other, NULL);
    struct web_stand *stand = web_stand_new(handle, NULL);
    outside_folder();
    sbuf_printf(
        &p,
        "name: away\nsources:\n  away: { kind: http, url: 'http://127.0.0.1:%d/away', rows: results, to: away,\n"
        "    headers: { X-Key: secret }, auth: { bearer: secret } }\ntopics: { away: {} }\n",
        web_stand_port(stand));
    outside_write(outside_path("sluice.yaml"), sbuf_view(&p));
    EXPECT_EQ_INT(outside_run("run", NULL), 0);
    web_stand_free(stand);
    web_stand_free(other);
    EXPECT(credentials_seen);
    EXPECT(!credentials_leaked);
    EXPECT_EQ_INT(judge_topic("away", 2), 0);
    sbuf_fini(&p);
    outside_clean();
}

/* ---- cursors ------------------------------------------------------------------------------------------------------------ */

enum { FEED = 50 };

/* inclusive: rows from the cursor on, not after it. deaf: all rows always. */
static void handle_feed(void *arg, struct web_request *r)
{
    struct sbuf body = {0};
    int64_t after = web_param(r, "after", -1), from = after + 1;
    (void)arg;
    if (strcmp(r->path, "/inclusive") == 0 && after >= 0)
        from = after;
    if (strcmp(r->path, "/deaf") == 0)
        from = 0;
    sbuf_cstr(&body, "[");
    int64_t page = strcmp(r->path, "/deaf") == 0 ? FEED : 7;
    for (int64_t n = from; n < FEED && n < from + page; n++)
        sbuf_printf(&body, "%s{\"n\":%lld}", n > from ? "," : "", (long long)n);
    sbuf_cstr(&body, "]");
    web_answer(r, 200, "", sbuf_view(&body));
    sbuf_fini(&body);
}

TEST(a_cursor_that_is_understood_otherwise_repeats_no_row)
{
    struct sbuf p = {0};
    struct web_stand *stand = web_stand_new(handle_feed, NULL);
    static const char *const names[] = {"exclusive", "inclusive", "deaf"};
    outside_folder();
    sbuf_cstr(&p, "name: feeds\nsources:\n");
    for (int i = 0; i < 3; i++)
        sbuf_printf(
            &p,
            "  %s: { kind: http, url: 'http://127.0.0.1:%d/%s', cursor: { field: n, param: after }, to: %s }\n",
            names[i], web_stand_port(stand), names[i], names[i]);
    sbuf_cstr(&p, "topics: { exclusive: {}, inclusive: {}, deaf: {} }\n");
    outside_write(outside_path("sluice.yaml"), sbuf_view(&p));
    for (int run = 0; run < 2; run++)
        EXPECT_EQ_INT(outside_run("run", NULL), 0);
    for (int i = 0; i < 3; i++)
        EXPECT_EQ_INT(judge_topic(names[i], FEED), 0);
    sbuf_fini(&p);
    web_stand_free(stand);
    outside_clean();
}

/* ---- records that are none ------------------------------------------------------------------------------------------------ */

static void handle_changed(void *arg, struct web_request *r)
{
    (void)arg;
    web_text(
        r, 200, "",
        web_param(r, "after", -1) < 5
            ? "[{\"n\":1,\"x\":1},{\"n\":2,\"x\":\"two\"},{\"n\":3,\"x\":3},{\"n\":4,\"x\":[4]},{\"n\":5,\"x\":5}]"
            : "[]");
}

TEST(records_of_other_types_go_to_bad_once_and_the_stream_goes_on)
{
    struct sbuf p = {0};
    struct web_stand *stand = web_stand_new(handle_changed, NULL);
    outside_folder();
    sbuf_printf(
        &p,
        "name: changed\nconnections: { db: 'sqlite:db.sqlite' }\nsources:\n"
        "  feed: { kind: http, url: 'http://127.0.0.1:%d/', cursor: { field: n, param: after }, to: feed }\n"
        "topics:\n  feed: { schema: 'n BIGINT, x BIGINT' }\n"
        "streams: { copy: { sql: 'SELECT n, x FROM STREAM feed', to: [ { table: db.copy } ] } }\n",
        web_stand_port(stand));
    outside_write(outside_path("sluice.yaml"), sbuf_view(&p));
    for (int run = 0; run < 2; run++)
        EXPECT_EQ_INT(outside_run("run", NULL), 0);
    EXPECT_EQ_INT(outside_sqlite(outside_path("db.sqlite"), "SELECT n FROM copy", NULL, NULL), 5);
    EXPECT_EQ_INT(outside_sqlite(outside_path("db.sqlite"),
                                 "SELECT n FROM copy WHERE x IS NULL AND n IN (2, 4)", NULL, NULL),
                  2);
    EXPECT_EQ_INT(outside_delta(outside_path(".sluice/tables/copy_bad"), "offset", NULL, NULL), 2);
    sbuf_fini(&p);
    web_stand_free(stand);
    outside_clean();
}

/* ---- what others see of it ------------------------------------------------------------------------------------------------ */

static _Atomic bool feed_is_up;
static char metrics_url[64];

static void handle_outage(void *arg, struct web_request *r)
{
    (void)arg;
    web_text(r, feed_is_up ? 200 : 500, "", "[]");
}

static size_t take_text(char *p, size_t size, size_t n, void *arg)
{
    sbuf_add(arg, p, size * n);
    return size * n;
}

static bool metrics_say(void *wanted)
{
    struct sbuf text = {0};
    CURL *curl = curl_easy_init();
    curl_easy_setopt(curl, CURLOPT_URL, metrics_url);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, 2000L);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_text);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &text);
    bool says = curl_easy_perform(curl) == CURLE_OK &&
                str_find(sbuf_view(&text), str_of(wanted), 0) != SIZE_MAX;
    curl_easy_cleanup(curl);
    sbuf_fini(&text);
    return says;
}

TEST(metrics_say_which_source_fails_and_when_it_is_well_again)
{
    struct sbuf p = {0};
    struct web_stand *stand = web_stand_new(handle_outage, NULL), *taken = web_stand_new(handle_outage, NULL);
    int port = web_stand_port(taken);
    web_stand_free(taken); /* a port that is free now */
    outside_folder();
    snprintf(metrics_url, sizeof metrics_url, "http://127.0.0.1:%d/metrics", port);
    sbuf_printf(
        &p,
        "name: outage\nsettings: { listen: { http: '127.0.0.1:%d', kafka: off, registry: off } }\nsources:\n"
        "  feed: { kind: http, url: 'http://127.0.0.1:%d/', cursor: { field: n, param: after }, every: 50ms, to: feed }\n"
        "topics: { feed: {} }\n",
        port, web_stand_port(stand));
    outside_write(outside_path("sluice.yaml"), sbuf_view(&p));
    pid_t pid = outside_start("up", NULL, -1);
    EXPECT(outside_until(metrics_say, (void *)"sluice_source_failing{source=\"feed\"} 1", 15000));
    EXPECT(!metrics_say((void *)"sluice_source_failures_total{source=\"feed\"} 0"));
    feed_is_up = true;
    EXPECT(outside_until(metrics_say, (void *)"sluice_source_failing{source=\"feed\"} 0", 15000));
    kill(pid, SIGTERM);
    EXPECT_EQ_INT(outside_wait_for(pid, 20000), 0);
    EXPECT(outside_log_has("works again"));
    sbuf_fini(&p);
    web_stand_free(stand);
    outside_clean();
}

int main(void)
{
    RUN(a_bad_answer_is_said_and_the_next_one_is_taken);
    RUN(a_retry_after_that_no_integer_holds_is_long);
    RUN(no_retries_means_one_try);
    RUN(credentials_stay_with_their_host);
    RUN(a_cursor_that_is_understood_otherwise_repeats_no_row);
    RUN(records_of_other_types_go_to_bad_once_and_the_stream_goes_on);
    RUN(metrics_say_which_source_fails_and_when_it_is_well_again);
    return test_end();
}

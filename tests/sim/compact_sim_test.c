/* Compaction in the simulator: whatever crash comes when, the newest acknowledged record of each key is there, offsets grow, and nothing is
 * there that was not written. And rule 3: a frame names a file only after the file and its folder entry are synced; switched off, a power cut
 * is noticed.
 *
 * ref/seeds.h says how to run more seeds, or others. */
#include "base/test.h"
#include "format/compress.h"
#include "log/log_private.h"
#include "os/sim.h"
#include "ref/seeds.h"

enum { KEYS = 12, FRAMES_MAX = 4000, LIVES = 6 };

struct book {
    uint32_t next;               /* number of the next record */
    uint32_t acknowledged[KEYS]; /* newest record of the key, + 1 */
    uint32_t submitted[KEYS];    /* of the frame in flight, + 1 */
    uint64_t compactions;
    bool created, compress;
    struct store_faults faults;
    char complaint[512];
};

static struct book *book;

__attribute__((format(printf, 1, 2))) static bool complain(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    if (book->complaint[0] == '\0')
        vsnprintf(book->complaint, sizeof book->complaint, format, args);
    va_end(args);
    return false;
}

static struct life {
    struct store *store;
    struct loop *disk, *work;
    struct log *log;
    struct frame *frame;
    struct records_builder batch;
    struct compress_ctx *ctx;
    struct msg begin;
    int left;
    bool done;
} life;

static bool start(void)
{
    struct err err = {0};
    life = (struct life){.left = 60 + (int)sim_below(60)};
    store_faults = book->faults;
    struct store_options options = {.ring_file_bytes = 64 << 10,
                                    .ring_bytes = 256 << 10,
                                    .tail_bytes = 128 << 10,
                                    .flight_bytes = JF_BLOCK};
    bool made = loop_new(ROLE_DISK, "disk", &life.disk, &err) &&
                loop_new(ROLE_WORK, "work", &life.work, &err);
    CHECK(made);
    if (!store_open(NULL, "/data", &options, life.disk, &life.store, &err))
        return complain("could not open: %s", err.text);
    life.log = log_get(life.store, "c", 0);
    return !book->created || life.log != NULL || complain("the topic is gone");
}

static void submit(void)
{
    struct str batch;
    int n = 1 + (int)sim_below(8);
    memset(book->submitted, 0, sizeof book->submitted);
    records_begin(&life.batch);
    for (int i = 0; i < n; i++) {
        uint32_t key = (uint32_t)sim_below(KEYS), number = book->next++;
        char key_text[16], value[200];
        memset(value, '.', sizeof value);
        snprintf(key_text, sizeof key_text, "key %u", key);
        value[snprintf(value, 32, "%u ", number)] = '.';
        records_add(&life.batch, os_wall().us / 1000, str_of(key_text), str_n(value, 20 + sim_below(180)),
                    NULL, 0);
        book->submitted[key] = number + 1;
    }
    bool ended = records_end(&life.batch, book->compress ? CODEC_LZ4 : 0, 0, life.ctx, &batch, NULL);
    CHECK(ended);
    frame_reset(life.frame);
    frame_append_copy(life.frame, life.log, batch.p, batch.n);
    frame_submit(life.frame);
}

static void durable(struct frame *frame)
{
    if (!frame->durable)
        complain("refused: %s", frame->err.text);
    for (uint32_t key = 0; key < KEYS; key++)
        if (book->submitted[key] != 0)
            book->acknowledged[key] = book->submitted[key];
    memset(book->submitted, 0, sizeof book->submitted);
    sim_advance((int64_t)sim_below(4) * NS_PER_S);
    if (life.left-- == 0)
        life.done = true;
    else
        submit();
}

static void begin(struct msg *msg)
{
    (void)msg;
    life.frame = frame_new(life.store);
    life.frame->done = durable;
    life.ctx = compress_ctx_new();
    submit();
}

static int run_life(void *arg)
{
    (void)arg;
    if (!start())
        return 1;
    if (life.log == NULL) {
        struct topic_config config;
        topic_config_default(&config);
        config.segment_bytes = 6 << 10;
        config.compact = true;
        struct frame *frame = frame_new(life.store);
        frame_topic_create(frame, "c", 1, &config);
        bool created = frame_commit_now(frame, NULL);
        CHECK(created);
        frame_free(frame);
        book->created = true;
        life.log = log_get(life.store, "c", 0);
    }
    struct err err;
    msg_init(&life.begin, begin);
    loop_post(life.work, &life.begin);
    bool started = loop_start(life.disk, &err) && loop_start(life.work, &err);
    CHECK(started);
    while (!life.done && run_sim_step())
        ;
    for (size_t i = 0; i < life.log->segment_count; i++)
        book->compactions += life.log->segments[i]->state.generation;
    if (sim_below(2) == 0) {
        loop_stop(life.disk);
        loop_join(life.disk);
        if (!store_close(life.store, &err))
            complain("could not close: %s", err.text);
    }
    return 0;
}

static bool audit_slice(const struct log_slice *slice, int64_t *last_offset, uint32_t found[KEYS])
{
    struct compress_ctx *ctx = compress_ctx_new();
    bool fine = true;
    for (size_t at = 0; at < slice->n && fine;) {
        struct records_reader reader;
        struct record record;
        struct buf *scratch;
        bool more = true;
        struct err err = {0};
        if (!records_open(slice->p + at, slice->n - at, ctx, &scratch, &reader, &err))
            return complain("%s", err.text);
        while (fine && records_next(&reader, &record, &more, &err) && more) {
            unsigned key, number;
            char text[32] = "", key_text[16] = "";
            memcpy(key_text, record.key.p, record.key.n < 15 ? record.key.n : 15);
            memcpy(text, record.value.p, record.value.n < 31 ? record.value.n : 31);
            fine = sscanf(key_text, "key %u", &key) == 1 && key < KEYS && sscanf(text, "%u", &number) == 1 &&
                   number < book->next;
            if (!fine || record.offset <= *last_offset || number + 1 <= found[key])
                fine = complain("offset %lld is wrong", (long long)record.offset);
            else
                found[key] = number + 1;
            *last_offset = record.offset;
        }
        if (err.class != ERR_NONE)
            fine = complain("%s", err.text);
        at += reader.batch.size;
        buf_unref(scratch);
    }
    compress_ctx_free(ctx);
    return fine;
}

static int audit(void *arg)
{
    (void)arg;
    uint32_t found[KEYS] = {0};
    int64_t last_offset = -1;
    struct err err = {0};
    if (!start())
        return 1;
    if (!book->created)
        return 0;
    for (int64_t offset = log_start(life.log), end = log_end(life.log); offset < end;) {
        struct log_slice slice;
        if (!log_read(life.log, offset, 1 + sim_below(20000), &slice, &err)) {
            complain("offset %lld of %lld cannot be read: %s", (long long)offset, (long long)end, err.text);
            return 1;
        }
        bool fine = audit_slice(&slice, &last_offset, found);
        offset = slice.next_offset;
        buf_unref(slice.buf);
        if (!fine)
            return 1;
        if (slice.n == 0)
            break;
    }
    for (uint32_t key = 0; key < KEYS; key++) {
        if (found[key] != book->acknowledged[key] &&
            (book->submitted[key] == 0 || found[key] != book->submitted[key]))
            complain("key %u has record %u, %u was acknowledged", key, found[key], book->acknowledged[key]);
        book->acknowledged[key] = found[key];
    }
    memset(book->submitted, 0, sizeof book->submitted);
    return 0;
}

static bool live(int (*body)(void *arg), const struct sim_options *sim)
{
    int status = 0;
    enum sim_end end = sim_life(body, NULL, sim, &status);
    if (end == SIM_FAILED || end == SIM_EXITED)
        complain("a life ended with status %d", status);
    return book->complaint[0] == '\0';
}

static void crash(void)
{
    if (sim_below(4) == 0)
        sim_kill();
    else
        sim_power_cut();
}

static bool run_scenario(uint64_t seed, const struct store_faults *faults, uint64_t *compactions)
{
    sim_open(seed);
    book = sim_shared(sizeof *book);
    book->compress = seed % 2;
    if (faults != NULL)
        book->faults = *faults;
    bool fine = true;
    for (int i = 0; i < LIVES && fine; i++) {
        struct sim_options sim = {.crash_after = i > 0 ? 1 + sim_below(1200) : 0};
        fine = live(run_life, &sim);
        crash();
        if (fine && sim_below(3) == 0) {
            sim = (struct sim_options){.crash_after = 1 + sim_below(30)};
            fine = live(audit, &sim);
            crash();
        }
        sim = (struct sim_options){0};
        fine = fine && live(audit, &sim);
    }
    *compactions += book->compactions;
    if (!fine && faults == NULL)
        fprintf(stderr, "seed %llu: %s\n", (unsigned long long)seed, book->complaint);
    sim_close();
    return fine;
}

TEST(the_newest_of_each_key_stays)
{
    uint64_t n = seed_count(20);
    uint64_t compactions = 0;
    for (uint64_t seed = seed_first(); seed < seed_end(n); seed++)
        if (!EXPECT(run_scenario(seed, NULL, &compactions)))
            return;
    EXPECT(compactions > n); /* else nothing was tested */
}

TEST(rule_3_a_frame_names_what_is_synced)
{
    enum { ENOUGH = 300 };
    uint64_t compactions = 0;
    for (uint64_t seed = 1; seed <= ENOUGH; seed++)
        if (!run_scenario(seed, &(struct store_faults){.name_before_sync = true}, &compactions))
            return;
    EXPECT(false);
}

int main(void)
{
    RUN(the_newest_of_each_key_stays);
    RUN(rule_3_a_frame_names_what_is_synced);
    return test_end();
}

/* The rules of the journal, each in the simulator: with the mechanism that keeps it, nothing is ever wrong; with the mechanism
 * switched off (struct store_faults), the same scenario finds something wrong within a number of seeds.
 *
 * A scenario is several lives of a program with some producers, a reader and a sink. A producer's frame appends a few records to a few logs
 * and puts a key, all with the frame's number. A book in memory that outlives the crash says which frames were submitted, acknowledged, refused,
 * and how far the reader and the sink saw each log. Between lives there is a kill, or a power cut, a full disk, a failing call. Each life
 * begins with an audit:
 *
 *     - every acknowledged frame is there, at the offsets that its producer was told, all of it
 *     - any other is there whole, or not at all; one that an audit has missed never comes back
 *     - offsets are dense, and a producer's frames stand in their order in each log
 *     - a producer's key names its last frame that is there
 *     - what the reader has seen is there (after a kill), what the sink has seen is there (always)
 *     - what a pin holds can be read
 *
 * ref/seeds.h says how to run more seeds, or others. */
#include <errno.h>

#include "base/test.h"
#include "log/log_private.h"
#include "os/sim.h"
#include "ref/seeds.h"

enum {
    LOGS = 3,
    PRODUCERS = 4,
    FRAMES_MAX = 4000, /* of one scenario */
    APPENDS_MAX = 3,
    RECORDS_MAX = 6,
    LIVES = 7,
    AUDIT_FAILED = 3,
    CANNOT_OPEN = 4,
    DISK_IS_FULL = 5,
};

enum frame_state {
    NEVER,
    SUBMITTED,
    ACKNOWLEDGED,
    GONE /* an audit did not find it: it must not come back */
};

struct booked {
    enum frame_state state;
    uint64_t lsn;
    uint32_t log_count;
    struct booked_append {
        uint32_t log, records, size;
        int64_t base; /* told to the producer, or found by an audit; −1 = unknown */
    } appends[APPENDS_MAX];
};

struct book {
    uint32_t next[PRODUCERS]; /* number of the producer's next frame */
    struct booked frames[PRODUCERS][FRAMES_MAX / PRODUCERS];
    int64_t start[LOGS]; /* acknowledged truncations */
    int64_t asked_start[LOGS];
    int64_t reader_saw[LOGS], sink_saw[LOGS], pinned[LOGS];
    int32_t epoch_saw[LOGS];
    uint64_t highest_lsn;
    bool created, lazy_cut; /* a power cut hit flush: os since the last audit */
    struct spot {
        char path[64];
        uint64_t offset, position;
    } spots[32]; /* where acknowledged groups lie in the ring */
    uint32_t spot_count;
    struct store_faults faults;
    struct scenario {
        enum store_flush flush;
        bool no_direct, truncates, pins, small_disk, large_frames, damages, tight;
        uint64_t crash_after, fail_after;
        int fail_errno;
        uint32_t frames; /* in each life */
    } scenario;
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

/* ---- the program that lives -------------------------------------------------------------------------------------------- */

struct submitter {
    struct task task;
    struct waker waker;
    struct log_wait wait;
    struct frame *frame;
    struct records_builder batch;
    uint32_t index, number;
    bool in_flight;
};

struct life {
    struct pool *pool;
    struct store *store;
    struct loop *disk, *work;
    struct log *logs[LOGS];
    struct submitter producers[PRODUCERS];
    struct task reader;
    struct log_pin pins[LOGS];
    uint32_t frames_left;
    bool done;
};

static struct life *life;

static const struct store_options *options(void)
{
    static struct store_options o;
    o = (struct store_options){
        .flush = book->scenario.flush,
        .ring_file_bytes = 64 << 10,
        .ring_bytes = 256 << 10,
        .tail_bytes = 128 << 10,
        .reserve_bytes = 32 << 10,
        .flight_bytes = sim_below(4) == 0 ? 64 << 10 : JF_BLOCK,
    };
    if (book->scenario.tight) {
        o.ring_bytes = 128 << 10;
    }
    return &o;
}

static void add_value(struct records_builder *b, uint32_t producer, uint32_t number, uint32_t record,
                      uint32_t size)
{
    char value[2048];
    memset(value, '.', sizeof value);
    int n = snprintf(value, sizeof value, "%u %u %u ", producer, number, record);
    value[n] = '.';
    records_add(b, os_wall().us / 1000, (struct str){0}, str_n(value, size), NULL, 0);
}

static void build(struct submitter *p)
{
    struct booked *booked = &book->frames[p->index][p->number];
    *booked = (struct booked){.log_count = 1 + (uint32_t)sim_below(APPENDS_MAX)};
    uint32_t first = (uint32_t)sim_below(LOGS);
    frame_reset(p->frame);
    for (uint32_t i = 0; i < booked->log_count; i++) {
        struct booked_append *append = &booked->appends[i];
        *append = (struct booked_append){
            .log = (first + i) % LOGS,
            .records = 1 + (uint32_t)sim_below(RECORDS_MAX),
            .size = 30 + (uint32_t)sim_below(book->scenario.large_frames ? 1800 : 300),
            .base = -1};
        records_begin(&p->batch);
        for (uint32_t r = 0; r < append->records; r++)
            add_value(&p->batch, p->index, p->number, r, append->size);
        struct str batch;
        bool ended = records_end(&p->batch, 0, 0, NULL, &batch, NULL);
        CHECK(ended);
        frame_append_copy(p->frame, life->logs[append->log], batch.p, batch.n);
    }
    char key[32], value[32];
    snprintf(key, sizeof key, "producer/%u", p->index);
    snprintf(value, sizeof value, "%u", p->number);
    frame_put(p->frame, str_of(key), str_of(value));
    uint32_t log = (uint32_t)sim_below(LOGS);
    if (book->scenario.truncates && sim_below(10) == 0) {
        int64_t end = log_end(life->logs[log]);
        int64_t to = book->scenario.pins ? end - (end > 30 ? 30 : end)
                                         : (int64_t)sim_below((uint64_t)end + 1);
        if (to > book->asked_start[log])
            book->asked_start[log] = to;
        frame_log_truncate_before(p->frame, life->logs[log], to);
    }
}

/* Remembers the last block of the group that was just written. */
static void note_spot(const struct journal *j)
{
    uint64_t position = j->head - JF_BLOCK;
    if (j->durable + 1 < j->next_lsn) /* another one is being written there */
        return;
    if (book->spot_count > 0 && book->spots[(book->spot_count - 1) % 32].position == position)
        return;
    for (size_t i = 0; i < j->count; i++)
        if (j->files[i].named && j->files[i].sequence == position / j->file_data) {
            struct spot *spot = &book->spots[book->spot_count++ % 32];
            snprintf(spot->path, sizeof spot->path, "%s", j->files[i].path);
            spot->offset = position % j->file_data + JF_BLOCK;
            spot->position = position;
        }
}

static void room_made(struct frame *frame)
{
    struct submitter *p = frame->arg;
    p->in_flight = false;
    if (!frame->durable && book->scenario.fail_after == 0)
        complain("the disk is full, and deletion was refused: %s", frame->err.text);
    frame->internal = false;
    store_wait_room(life->store, &p->wait, &p->waker);
}

/* The disk is full: a producer deletes old records. Deletion and the positions of sinks go on when nothing else does. */
static bool make_room(struct submitter *p)
{
    if (!book->scenario.small_disk)
        return false;
    frame_reset(p->frame);
    for (uint32_t i = 0; i < LOGS; i++) {
        int64_t to = log_end(life->logs[i]) - 10;
        if (to < log_start(life->logs[i]))
            continue;
        if (to > book->asked_start[i])
            book->asked_start[i] = to;
        frame_log_truncate_before(p->frame, life->logs[i], to);
    }
    frame_put(p->frame, STR("sink"), STR("its position"));
    p->frame->internal = true;
    p->frame->done = room_made;
    p->in_flight = true;
    frame_submit(p->frame);
    return true;
}

static void acknowledged(struct frame *frame)
{
    struct submitter *p = frame->arg;
    struct booked *booked = &book->frames[p->index][p->number];
    p->in_flight = false;
    if (frame->durable) {
        if (frame->lsn <= book->highest_lsn)
            complain("frame %u of producer %u was acknowledged with LSN %llu after %llu", p->number, p->index,
                     (unsigned long long)frame->lsn, (unsigned long long)book->highest_lsn);
        book->highest_lsn = booked->lsn = frame->lsn;
        for (uint32_t i = 0; i < booked->log_count; i++)
            booked->appends[i].base = frame->results[i].base_offset;
        booked->state = ACKNOWLEDGED;
        note_spot(&life->store->journal);
    } else {
        booked->state = GONE; /* refused: it is submitted again under a new number */
        if (frame->err.class == ERR_RETRY && frame->err.code == ENOSPC) {
            if (make_room(p))
                return;
            store_wait_room(life->store, &p->wait, &p->waker);
            return;
        }
    }
    task_wake(&p->task);
}

static bool produce(struct task *task)
{
    struct submitter *p = CONTAINER_OF(task, struct submitter, task);
    if (p->in_flight)
        return false;
    if (life->frames_left == 0 || book->next[p->index] >= FRAMES_MAX / PRODUCERS) {
        life->done = life->frames_left == 0;
        return false;
    }
    life->frames_left--;
    p->number = book->next[p->index]++;
    build(p);
    p->frame->done = acknowledged;
    p->frame->arg = p;
    p->in_flight = true;
    book->frames[p->index][p->number].state = SUBMITTED;
    frame_submit(p->frame);
    return false;
}

/* The reader reads to the end; the sink commits what cannot be lost. */
static bool look(struct task *task)
{
    for (uint32_t i = 0; i < LOGS; i++) {
        int64_t end = log_end(life->logs[i]), synced = log_synced(life->logs[i]);
        if (end > book->reader_saw[i])
            book->reader_saw[i] = end;
        if (synced > book->sink_saw[i])
            book->sink_saw[i] = synced;
    }
    sim_advance((int64_t)sim_below(300) *
                NS_PER_US); /* it looks all the time; without this no timer would ever be due */
    return !life->done;
}

static bool start(struct life *l, bool may_fail)
{
    struct err err = {0};
    life = l;
    store_faults = book->faults;
    if (!loop_new(ROLE_DISK, "disk", &l->disk, &err) || !loop_new(ROLE_WORK, "work", &l->work, &err))
        return false; /* a call was made to fail */
    if (!store_open(NULL, "/data", options(), l->disk, &l->store, &err)) {
        if (!may_fail && err.code != ENOSPC)
            complain("could not open: %s", err.text);
        return false;
    }
    return true;
}

static bool create_topics(struct life *l)
{
    struct topic_config config;
    topic_config_default(&config);
    config.segment_bytes = 12 << 10;
    config.retention_ms = -1;
    struct frame *frame = frame_new(l->store);
    if (!store_topic(l->store, "t", NULL))
        frame_topic_create(frame, "t", LOGS, &config);
    bool done = frame_commit_now(frame, NULL);
    frame_free(frame);
    if (!done)
        return false;
    for (int32_t i = 0; i < LOGS; i++)
        l->logs[i] = log_get(l->store, "t", i);
    book->created = true;
    return true;
}

/* On the work loop. */
static void begin_work(struct msg *msg)
{
    mem_free(msg);
    for (uint32_t i = 0; i < PRODUCERS; i++) {
        struct submitter *p = &life->producers[i];
        p->index = i;
        p->frame = frame_new(life->store);
        task_init(&p->task, produce);
        waker_init(&p->waker, life->work, &p->task);
        task_wake(&p->task);
    }
    task_init(&life->reader, look);
    task_wake(&life->reader);
    for (uint32_t i = 0; i < LOGS && book->scenario.pins; i++) {
        if (book->pinned[i] < log_start(life->logs[i]))
            book->pinned[i] = log_start(life->logs[i]);
        log_pin_set(&life->pins[i], life->logs[i], book->pinned[i], "the test");
    }
}

static int run_life(void *arg)
{
    (void)arg;
    struct life l = {.frames_left = book->scenario.frames};
    if (!start(&l, book->scenario.fail_after > 0))
        return book->complaint[0] ? CANNOT_OPEN : DISK_IS_FULL;
    if (!create_topics(&l))
        return DISK_IS_FULL;
    struct err err = {0};
    bool started = loop_start(l.disk, &err) && loop_start(l.work, &err);
    CHECK(started);
    struct msg *msg = mem_new(sizeof *msg);
    msg_init(msg, begin_work);
    loop_post(l.work, msg);
    uint64_t steps = 0;
    while (!l.done && run_sim_step() && steps++ < 200000)
        ;
    if (!l.done)
        complain("it does not go on: %u frames left", l.frames_left);
    if (sim_below(3) == 0) {
        if (sim_below(2) == 0)
            sim_advance((int64_t)sim_below(40) * NS_PER_S);
        for (int i = 0; i < 200 && run_sim_step(); i++)
            ;
    }
    if (sim_below(3) == 0) {
        loop_stop(l.disk);
        loop_join(l.disk);
        if (!store_close(l.store, &err))
            complain("could not close: %s", err.text);
    }
    return 0;
}

/* ---- the audit ------------------------------------------------------------------------------------------------------------- */

struct found {
    uint32_t records[APPENDS_MAX];
    int64_t base[APPENDS_MAX];
};

static struct found found[PRODUCERS][FRAMES_MAX / PRODUCERS];

static bool audit_record(uint32_t log, const struct record *record, int64_t expected,
                         uint32_t last_number[PRODUCERS])
{
    char text[64];
    unsigned producer, number, index;
    size_t n = record->value.n < sizeof text - 1 ? record->value.n : sizeof text - 1;
    memcpy(text, record->value.p, n);
    text[n] = '\0';
    if (record->offset != expected)
        return complain("log %u: offset %lld where %lld is expected", log, (long long)record->offset,
                        (long long)expected);
    if (sscanf(text, "%u %u %u ", &producer, &number, &index) != 3 || producer >= PRODUCERS ||
        number >= book->next[producer])
        return complain("log %u offset %lld holds \"%.20s\"", log, (long long)record->offset, text);
    const struct booked *booked = &book->frames[producer][number];
    for (uint32_t i = 0; i < booked->log_count; i++) {
        if (booked->appends[i].log != log)
            continue;
        struct found *f = &found[producer][number];
        if (f->records[i] == 0)
            f->base[i] = record->offset - index;
        f->records[i]++;
        if (index >= booked->appends[i].records || record->offset != f->base[i] + index ||
            record->value.n != booked->appends[i].size)
            return complain("log %u offset %lld: record %u of frame %u/%u is out of place", log,
                            (long long)record->offset, index, producer, number);
        if (index == 0 && number + 1 <= last_number[producer])
            return complain("log %u offset %lld: frame %u/%u stands behind a later one", log,
                            (long long)record->offset, producer, number);
        last_number[producer] = number + 1;
        return true;
    }
    return complain("log %u offset %lld: frame %u/%u never wrote there", log, (long long)record->offset,
                    producer, number);
}

static bool audit_slice(uint32_t log, const struct log_slice *slice, int64_t *expected,
                        uint32_t last_number[PRODUCERS])
{
    for (size_t at = 0; at < slice->n;) {
        struct records_reader reader;
        struct record record;
        struct buf *scratch;
        bool more = true;
        struct err err = {0};
        if (!records_open(slice->p + at, slice->n - at, NULL, &scratch, &reader, &err))
            return complain("log %u: %s", log, err.text);
        for (;;) {
            if (!records_next(&reader, &record, &more, &err))
                return complain("log %u: %s", log, err.text);
            if (!more)
                break;
            if (record.offset < *expected)
                continue; /* the batch begins before the start */
            if (!audit_record(log, &record, *expected, last_number))
                return false;
            ++*expected;
        }
        at += reader.batch.size;
    }
    return true;
}

static bool audit_log(struct life *l, uint32_t i)
{
    struct log *log = l->logs[i];
    struct err err = {0};
    uint32_t last_number[PRODUCERS] = {0};
    int64_t start = log_start(log), end = log_end(log), expected = start;
    if (start > book->asked_start[i])
        return complain("log %u starts at %lld, nobody asked for more than %lld", i, (long long)start,
                        (long long)book->asked_start[i]);
    if (!book->lazy_cut && book->reader_saw[i] > end)
        return complain("log %u ends at %lld, a reader saw %lld", i, (long long)end,
                        (long long)book->reader_saw[i]);
    if (book->sink_saw[i] > end)
        return complain("log %u ends at %lld, a sink saw %lld", i, (long long)end,
                        (long long)book->sink_saw[i]);
    if (book->scenario.pins && book->pinned[i] < start)
        return complain("log %u starts at %lld, a pin holds %lld", i, (long long)start,
                        (long long)book->pinned[i]);
    if (book->lazy_cut && book->reader_saw[i] > end && log_epoch(log) <= book->epoch_saw[i])
        return complain("log %u was cut and its epoch is still %d", i, log_epoch(log));
    size_t max_bytes = sim_below(2) ? 1 << 20 : 1 + sim_below(4000);
    for (int64_t offset = start; offset < end;) {
        struct log_slice slice;
        if (!log_read(log, offset, max_bytes, &slice, &err))
            return complain("log %u cannot be read at %lld: %s", i, (long long)offset, err.text);
        if (slice.n == 0)
            return complain("log %u has nothing at %lld of %lld", i, (long long)offset, (long long)end);
        bool fine = audit_slice(i, &slice, &expected, last_number);
        offset = slice.next_offset;
        buf_unref(slice.buf);
        if (!fine)
            return false;
    }
    if (expected != end)
        return complain("log %u has records up to %lld, it says %lld", i, (long long)expected,
                        (long long)end);
    book->reader_saw[i] = end;
    book->epoch_saw[i] = log_epoch(log);
    return true;
}

/* Was this append, or a part of it, deleted by a truncation? */
static bool is_truncated(struct life *l, const struct booked_append *append, int64_t base)
{
    return base >= 0 && base < log_start(l->logs[append->log]);
}

static bool audit_frame(struct life *l, uint32_t p, uint32_t number, bool *there)
{
    struct booked *booked = &book->frames[p][number];
    const struct found *f = &found[p][number];
    uint32_t whole = 0, none = 0;
    *there = false;
    for (uint32_t i = 0; i < booked->log_count; i++) {
        const struct booked_append *append = &booked->appends[i];
        int64_t base = append->base >= 0 ? append->base : f->base[i];
        if (f->records[i] > 0 && append->base >= 0 && f->base[i] != append->base)
            return complain("frame %u/%u was told offset %lld and stands at %lld", p, number,
                            (long long)append->base, (long long)f->base[i]);
        if (is_truncated(l, append, base)) {
            whole++;
            none += append->base < 0; /* nobody knows */
            continue;
        }
        whole += f->records[i] == append->records;
        none += f->records[i] == 0;
    }
    bool lost_is_fine = book->scenario.flush == STORE_FLUSH_OS && book->lazy_cut;
    if (booked->state == ACKNOWLEDGED && whole < booked->log_count && !lost_is_fine)
        return complain("frame %u/%u (LSN %llu) was acknowledged and is lost", p, number,
                        (unsigned long long)booked->lsn);
    if (whole < booked->log_count && none < booked->log_count)
        return complain("frame %u/%u is there in parts", p, number);
    *there = whole == booked->log_count && none < booked->log_count;
    if (booked->state == GONE && *there)
        return complain("frame %u/%u was gone and came back", p, number);
    if (booked->state == NEVER && *there)
        return complain("frame %u/%u was never submitted", p, number);
    for (uint32_t i = 0; i < booked->log_count && *there; i++)
        if (booked->appends[i].base < 0 && f->records[i] > 0)
            booked->appends[i].base = f->base[i];
    if (booked->state == SUBMITTED || lost_is_fine)
        booked->state = *there ? ACKNOWLEDGED : whole == booked->log_count ? booked->state : GONE;
    return true;
}

static bool audit_producer(struct life *l, uint32_t p)
{
    int64_t last = -1;
    for (uint32_t number = 0; number < book->next[p]; number++) {
        bool there;
        if (!audit_frame(l, p, number, &there))
            return false;
        if (there || book->frames[p][number].state == ACKNOWLEDGED)
            last = number;
    }
    char key[32], wanted[32] = "";
    struct sbuf value = {0};
    snprintf(key, sizeof key, "producer/%u", p);
    if (last >= 0)
        snprintf(wanted, sizeof wanted, "%lld", (long long)last);
    store_get(l->store, str_of(key), &value);
    bool fine = str_is(sbuf_view(&value), wanted) || (last >= 0 && book->frames[p][last].state == SUBMITTED);
    /* a frame whose appends were all truncated leaves only its key */
    if (!fine && value.n > 0) {
        long long number = atoll(value.p);
        fine = number > last && number < book->next[p] && book->frames[p][number].state == SUBMITTED;
        if (fine)
            book->frames[p][number].state = ACKNOWLEDGED;
    }
    if (!fine)
        complain("the key of producer %u says \"%.*s\", its last frame is \"%s\"", p,
                 STR_ARG(sbuf_view(&value)), wanted);
    sbuf_fini(&value);
    return fine;
}

static int audit(void *arg)
{
    (void)arg;
    struct life l = {0};
    if (!start(&l, false))
        return book->complaint[0] ? CANNOT_OPEN : DISK_IS_FULL;
    if (book->created && !store_topic(l.store, "t", NULL)) {
        complain("the topic is gone");
        return AUDIT_FAILED;
    }
    memset(found, 0, sizeof found);
    for (int32_t i = 0; book->created && i < LOGS; i++)
        l.logs[i] = log_get(l.store, "t", i);
    for (uint32_t i = 0; book->created && i < LOGS; i++)
        if (!audit_log(&l, i))
            return AUDIT_FAILED;
    for (uint32_t p = 0; book->created && p < PRODUCERS; p++)
        if (!audit_producer(&l, p))
            return AUDIT_FAILED;
    book->lazy_cut = false;
    book->highest_lsn = 0;
    if (sim_below(2) == 0 && !store_close(l.store, NULL)) {
        complain("could not close after the audit");
        return AUDIT_FAILED;
    }
    return 0;
}

/* ---- scenarios ----------------------------------------------------------------------------------------------------------------- */

static void crash(void)
{
    if (sim_below(4) == 0) {
        sim_kill();
        return;
    }
    sim_power_cut();
    if (book->scenario.flush == STORE_FLUSH_OS)
        book->lazy_cut = true;
}

static bool live(int (*body)(void *arg), const struct sim_options *sim, bool may_die)
{
    int status = 0;
    enum sim_end end = sim_life(body, NULL, sim, &status);
    if (book->complaint[0] != '\0')
        return false;
    if (end == SIM_FAILED || (end == SIM_EXITED && !(may_die && status == STORE_EXIT)))
        return complain("a life ended with status %d", status);
    if (end == SIM_RETURNED && status != 0 && status != DISK_IS_FULL)
        return complain("a life returned %d", status);
    return true;
}

/* A group that was acknowledged, and is not the last one, decays. It is either no longer needed, or recovery is loud. */
static bool damage(void)
{
    uint32_t n = book->spot_count < 32 ? book->spot_count : 32;
    if (n < 2)
        return true;
    const struct spot *spot = &book->spots[(book->spot_count - 2 - sim_below(n - 1)) % 32];
    for (uint32_t i = 0; i < n; i++)
        if (book->spots[i].position > spot->position && book->spots[i].offset == spot->offset &&
            strcmp(book->spots[i].path, spot->path) == 0)
            return true; /* the ring has come round: a later group lies there */
    sim_damage(spot->path, spot->offset + sim_below(200), 1 + sim_below(300));
    int status = 0;
    sim_life(audit, NULL, NULL, &status);
    bool loud = strstr(book->complaint, "damaged") != NULL;
    return loud || book->complaint[0] == '\0';
}

/* True: nothing was wrong. */
static bool run_scenario(uint64_t seed, const struct scenario *scenario, const struct store_faults *faults)
{
    sim_open(seed);
    book = sim_shared(sizeof *book);
    book->scenario = *scenario;
    if (faults != NULL)
        book->faults = *faults;
    bool fine = true;
    for (int i = 0; i < LIVES && fine; i++) {
        struct sim_options sim = {.no_direct = scenario->no_direct,
                                  .disk_bytes = scenario->small_disk ? (1100 << 10) + sim_below(900 << 10)
                                                                     : 0};
        if (i > 0 || sim_below(2) == 0)
            sim.crash_after = 1 + sim_below(scenario->crash_after);
        if (scenario->fail_after > 0 && sim_below(2) == 0) {
            sim.fail_after = 1 + sim_below(scenario->fail_after);
            sim.fail_errno = scenario->fail_errno;
            sim.fail_sync_loses = sim_below(2);
        }
        fine = live(run_life, &sim, scenario->fail_after > 0);
        if (!fine)
            break;
        crash();
        if (scenario->damages && sim_below(2) == 0) {
            fine = damage();
            break;
        }
        if (sim_below(4) == 0) { /* a crash in recovery */
            sim = (struct sim_options){.no_direct = scenario->no_direct, .crash_after = 1 + sim_below(40)};
            fine = live(audit, &sim, false);
            crash();
        }
        sim = (struct sim_options){.no_direct = scenario->no_direct};
        fine = fine && live(audit, &sim, false);
    }
    if (!fine && faults == NULL)
        fprintf(stderr, "seed %llu: %s\n", (unsigned long long)seed, book->complaint);
    sim_close();
    return fine;
}

static void never_wrong(const char *name, const struct scenario *scenario, uint64_t otherwise)
{
    for (uint64_t seed = seed_first(); seed < seed_end(seed_count(otherwise)); seed++)
        if (!EXPECT(run_scenario(seed, scenario, NULL))) {
            fprintf(stderr, "in scenario %s\n", name);
            return;
        }
}

/* The mechanism is switched off: some seed notices. */
static void caught(const char *what, const struct scenario *scenario, struct store_faults faults)
{
    enum { ENOUGH = 1000 };
    for (uint64_t seed = 1; seed <= ENOUGH; seed++)
        if (!run_scenario(seed, scenario, &faults)) {
            if (getenv("VERBOSE"))
                printf("%s: seed %llu\n", what, (unsigned long long)seed);
            return;
        }
    fprintf(stderr, "%s: not noticed by %d seeds\n", what, ENOUGH);
    EXPECT(false);
}

static const struct scenario plain = {.crash_after = 700, .frames = 60};
static const struct scenario abrupt = {.crash_after = 120, .frames = 60};
static const struct scenario truncating = {.crash_after = 700, .frames = 60, .truncates = true};
static const struct scenario pinned = {.crash_after = 700, .frames = 60, .truncates = true, .pins = true};
static const struct scenario buffered = {.crash_after = 700, .frames = 60, .no_direct = true};
static const struct scenario lazy = {.crash_after = 700, .frames = 60, .flush = STORE_FLUSH_OS};
static const struct scenario large = {.crash_after = 900, .frames = 120, .large_frames = true};
static const struct scenario full = {
    .crash_after = 900, .frames = 150, .large_frames = true, .small_disk = true, .truncates = true};
static const struct scenario tight = {.crash_after = 2000, .frames = 120, .tight = true};
static const struct scenario tight_large = {
    .crash_after = 2000, .frames = 150, .tight = true, .large_frames = true};
static const struct scenario failing = {
    .crash_after = 700, .frames = 60, .fail_after = 500, .fail_errno = EIO};
static const struct scenario failing_full = {
    .crash_after = 700, .frames = 60, .fail_after = 500, .fail_errno = ENOSPC};

static const struct scenario damaging = {.crash_after = 700, .frames = 60, .damages = true};

static const struct kind {
    const char *name;
    const struct scenario *scenario;
    unsigned long seeds;
} kinds[] = {
    {"plain", &plain, 5},
    {"abrupt", &abrupt, 13},
    {"truncating", &truncating, 5},
    {"pinned", &pinned, 5},
    {"buffered", &buffered, 5},
    {"lazy", &lazy, 8},
    {"large", &large, 5},
    {"full", &full, 5},
    {"failing", &failing, 6},
    {"tight", &tight, 4},
    {"failing_full", &failing_full, 6},
    {"damaging", &damaging, 8},
    {"tight_large", &tight_large, 4},
};

TEST(nothing_is_lost_and_nothing_comes_twice)
{
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        never_wrong(kinds[i].name, kinds[i].scenario, kinds[i].seeds);
}

TEST(rule_1_damage_is_not_an_end)
{
    caught("any_end_is_fine", &damaging, (struct store_faults){.any_end_is_fine = true});
}

TEST(rule_1_an_older_incarnation_never_counts)
{
    caught("no_chain", &lazy, (struct store_faults){.no_chain = true});
}

TEST(rule_1_acknowledged_means_written)
{
    caught("ack_before_write", &abrupt, (struct store_faults){.ack_before_write = true});
}

TEST(rule_2_the_tail_moves_behind_synced_segments)
{
    caught("no_segment_sync", &large, (struct store_faults){.no_segment_sync = true});
    caught("no_folder_sync", &large, (struct store_faults){.no_folder_sync = true});
}

/* ---- a kill, then a power cut -------------------------------------------------------------------------------------------------- */

static bool open_small(enum store_flush flush, struct store **store)
{
    const struct store_options small = {.ring_file_bytes = 64 << 10, .ring_bytes = 512 << 10, .flush = flush};
    struct err err;
    if (store_open(NULL, "/d", &small, NULL, store, &err))
        return true;
    fprintf(stderr, "%s\n", err.text);
    return false;
}

static bool make_young_topic(struct store *store)
{
    struct topic_config config;
    topic_config_default(&config);
    struct frame *frame = frame_new(store);
    frame_topic_create(frame, "young", 1, &config);
    bool done = frame_commit_now(frame, NULL);
    frame_free(frame);
    return done;
}

static bool append_young(struct store *store, struct log *log)
{
    static const char value[8 << 10];
    struct records_builder b = {0};
    struct str batch;
    struct frame *frame = frame_new(store);
    records_begin(&b);
    records_add(&b, 0, STR("k"), str_n(value, sizeof value), NULL, 0);
    CHECK(records_end(&b, 0, 0, NULL, &batch, NULL));
    frame_append_copy(frame, log, batch.p, batch.n);
    bool done = frame_commit_now(frame, NULL);
    frame_free(frame);
    records_builder_fini(&b);
    return done;
}

/* A topic, a close that moves the tail behind it, then records, until the process is killed. */
static int write_young(void *arg)
{
    int64_t *acknowledged = arg;
    struct store *store;
    if (!open_small(STORE_FLUSH_FSYNC, &store))
        return CANNOT_OPEN;
    if (!store_topic(store, "young", NULL) &&
        (!make_young_topic(store) || !store_close(store, NULL) || !open_small(STORE_FLUSH_FSYNC, &store)))
        return CANNOT_OPEN;
    struct log *log = log_get(store, "young", 0);
    for (int i = 0; i < 10; i++) {
        CHECK(append_young(store, log));
        *acknowledged = log_end(log);
    }
    sim_crash();
}

/* Opens, and closes: so the tail moves. */
static int close_young(void *arg)
{
    struct store *store;
    (void)arg;
    return open_small(STORE_FLUSH_FSYNC, &store) && store_close(store, NULL) ? 0 : CANNOT_OPEN;
}

static int read_young(void *arg)
{
    const int64_t *acknowledged = arg;
    struct store *store;
    struct log_slice slice;
    if (!open_small(STORE_FLUSH_FSYNC, &store))
        return CANNOT_OPEN;
    struct log *log = log_get(store, "young", 0);
    for (int64_t at = 0; at < *acknowledged; at = slice.next_offset)
        if (!log_read(log, at, 1 << 20, &slice, NULL) || slice.n == 0)
            return AUDIT_FAILED;
    return 0;
}

/* The first life is killed after its n-th call, and synced nothing of what it had begun. The second finds that there, as if it were durable,
 * and builds on it. False: the first life has fewer calls. */
static bool killed_then_cut(uint64_t n, uint64_t seed)
{
    const struct sim_options kill = {.crash_after = n};
    int status;
    sim_open(seed);
    int64_t *acknowledged = sim_shared(sizeof *acknowledged);
    EXPECT(sim_life(write_young, acknowledged, &kill, &status) == SIM_CRASHED);
    bool more = sim_calls() == n;
    sim_kill();
    if (seed % 2)
        EXPECT(sim_life(close_young, NULL, NULL, &status) == SIM_RETURNED && status == 0);
    else
        EXPECT(sim_life(write_young, acknowledged, NULL, &status) == SIM_CRASHED);
    sim_power_cut();
    if (!EXPECT(sim_life(read_young, acknowledged, NULL, &status) == SIM_RETURNED && status == 0))
        fprintf(stderr, "killed after call %" PRIu64 ", seed %" PRIu64 ": %d\n", n, seed, status);
    sim_close();
    return more && !test_is_bad;
}

TEST(nothing_of_a_killed_life_is_taken_for_durable)
{
    enum { SETTLED = 40, ENOUGH = 80 }; /* calls: that make the folder; that make the journal grow, too */
    bool more = true;
    for (uint64_t n = 1; more && n <= ENOUGH; n++)
        for (uint64_t seed = n; more && seed < n + (n < SETTLED ? 4 : 2); seed++)
            more = killed_then_cut(n, seed);
}

/* ---- the first start ------------------------------------------------------------------------------------------------------------- */

/* VERSION names the format and the store that the journal's files belong to. */
static int version_is_right(void *arg)
{
    struct store *store;
    struct sbuf text = {0};
    char right[64];
    (void)arg;
    if (!open_small(STORE_FLUSH_FSYNC, &store))
        return CANNOT_OPEN;
    snprintf(right, sizeof right, "%d\n%016" PRIx64 "\n", STORE_FORMAT, store->journal.store);
    bool ok = os_read_file("/d/VERSION", 64, &text, NULL) && str_is(sbuf_view(&text), right);
    sbuf_fini(&text);
    return ok ? 0 : AUDIT_FAILED;
}

/* A VERSION that is not whole is said to be just that; one of a newer format may look different. */
static int version_is_read(void *arg)
{
    static const char *const texts[] = {"", "x", "1\n12", "1\n0123456789abcdef", "99\nand more\n"};
    struct store *store;
    struct err err;
    (void)arg;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        CHECK(os_write_file("/d/VERSION", texts[i], strlen(texts[i]), &err));
        if (store_open(NULL, "/d", &(struct store_options){0}, NULL, &store, &err) ||
            !strstr(err.text, i < 4 ? "does not hold a version" : "has format 99") || !err.hint[0])
            return AUDIT_FAILED;
    }
    return 0;
}

TEST(a_version_that_is_not_whole_is_refused)
{
    int status;
    sim_open(1);
    EXPECT(sim_life(close_young, NULL, NULL, &status) == SIM_RETURNED && status == 0);
    EXPECT(sim_life(version_is_read, NULL, NULL, &status) == SIM_RETURNED && status == 0);
    sim_close();
}

/* VERSION is written when the journal is durable, and is durable before anything is acknowledged: so whatever call of the first start is the
 * last one before power fails, the next start works, and finds what the first has acknowledged. */
TEST(version_comes_after_the_journal_and_before_all_else)
{
    bool more = true;
    for (uint64_t n = 1; more; n++)
        for (uint64_t seed = n; seed < n + 3; seed++) {
            const struct sim_options cut = {.crash_after = n};
            int status, version_status = 0;
            sim_open(seed);
            int64_t *acknowledged = sim_shared(sizeof *acknowledged);
            EXPECT(sim_life(write_young, acknowledged, &cut, &status) == SIM_CRASHED);
            more = sim_calls() == n && n < 40;
            sim_power_cut();
            if (*acknowledged == 0)
                EXPECT(sim_life(close_young, NULL, NULL, &status) == SIM_RETURNED && status == 0);
            EXPECT(sim_life(version_is_right, NULL, NULL, &version_status) == SIM_RETURNED);
            EXPECT(sim_life(read_young, acknowledged, NULL, &status) == SIM_RETURNED);
            if (!EXPECT(version_status == 0 && status == 0))
                fprintf(stderr, "cut at call %" PRIu64 ", seed %" PRIu64 ": %d, %d\n", n, seed,
                        version_status, status);
            sim_close();
        }
}

/* ---- flush: os, and nothing more comes -------------------------------------------------------------------------------------------- */

static int write_lazily(void *arg)
{
    struct store *store;
    (void)arg;
    if (!open_small(STORE_FLUSH_OS, &store) || !make_young_topic(store))
        return CANNOT_OPEN;
    CHECK(append_young(store, log_get(store, "young", 0)));
    sim_crash();
}

static int find_synced(void *arg)
{
    struct store *store;
    (void)arg;
    if (!open_small(STORE_FLUSH_OS, &store))
        return CANNOT_OPEN;
    struct log *log = log_get(store, "young", 0);
    return log_end(log) == 1 && log_synced(log) == 1 ? 0 : AUDIT_FAILED;
}

/* Sinks wait for the sync: of what a start found, too, if no frame ever follows. */
TEST(what_a_lazy_start_finds_is_synced)
{
    int status;
    sim_open(1);
    EXPECT(sim_life(write_lazily, NULL, NULL, &status) == SIM_CRASHED);
    sim_kill();
    EXPECT(sim_life(find_synced, NULL, NULL, &status) == SIM_RETURNED && status == 0);
    sim_close();
}

static int put_synced(void *arg)
{
    struct store *store;
    (void)arg;
    if (!open_small(STORE_FLUSH_OS, &store))
        return CANNOT_OPEN;
    struct frame *frame = frame_new(store);
    frame_put(frame, STR("key"), STR("value"));
    frame->synced = true;
    CHECK(frame_commit_now(frame, NULL));
    sim_crash();
}

static int find_value(void *arg)
{
    struct store *store;
    struct sbuf value = {0};
    (void)arg;
    if (!open_small(STORE_FLUSH_OS, &store))
        return CANNOT_OPEN;
    int status = store_get(store, STR("key"), &value) ? 0 : AUDIT_FAILED;
    sbuf_fini(&value);
    return status;
}

TEST(a_lazy_journal_syncs_a_frame_that_asks_for_it)
{
    int status;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        sim_open(seed);
        EXPECT(sim_life(put_synced, NULL, NULL, &status) == SIM_CRASHED);
        sim_power_cut();
        EXPECT(sim_life(find_value, NULL, NULL, &status) == SIM_RETURNED && status == 0);
        sim_close();
    }
}

TEST(rule_4_a_failed_sync_is_final)
{
    caught("ignore_sync_error", &failing, (struct store_faults){.ignore_sync_error = true});
}

TEST(rule_5_space_is_there_before_an_append_is_accepted)
{
    caught("no_allocation", &full, (struct store_faults){.no_allocation = true});
    caught("no_reserve", &tight_large, (struct store_faults){.no_reserve = true});
}

TEST(rule_6_valid_length_comes_from_the_journal)
{
    caught("length_of_file", &large, (struct store_faults){.length_of_file = true});
}

TEST(rule_7_nothing_leaves_before_it_is_synced)
{
    caught("lazy_sinks", &lazy, (struct store_faults){.lazy_sinks = true});
    caught("same_epoch", &lazy, (struct store_faults){.same_epoch = true});
}

TEST(rule_8_pins_hold)
{
    caught("no_pins", &pinned, (struct store_faults){.no_pins = true});
}

int main(int count, char **words)
{
    if (count > 2) { /* one scenario again: kind, seed */
        for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
            if (strcmp(kinds[i].name, words[1]) == 0)
                return !run_scenario(strtoull(words[2], NULL, 10), kinds[i].scenario, NULL);
        return 2;
    }
    RUN(nothing_is_lost_and_nothing_comes_twice);
    RUN(rule_1_damage_is_not_an_end);
    RUN(rule_1_an_older_incarnation_never_counts);
    RUN(rule_1_acknowledged_means_written);
    RUN(rule_2_the_tail_moves_behind_synced_segments);
    RUN(nothing_of_a_killed_life_is_taken_for_durable);
    RUN(a_version_that_is_not_whole_is_refused);
    RUN(version_comes_after_the_journal_and_before_all_else);
    RUN(what_a_lazy_start_finds_is_synced);
    RUN(a_lazy_journal_syncs_a_frame_that_asks_for_it);
    RUN(rule_4_a_failed_sync_is_final);
    RUN(rule_5_space_is_there_before_an_append_is_accepted);
    RUN(rule_6_valid_length_comes_from_the_journal);
    RUN(rule_7_nothing_leaves_before_it_is_synced);
    RUN(rule_8_pins_hold);
    return test_end();
}

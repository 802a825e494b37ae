/* A member: one (stream, sink) pair. Its identity, its position, and what becomes of a batch that its run delivers.
 *
 * States:
 *
 *     IDLE ──open──→ OPENING ──opened──→ RUNNING ──┐
 *                       │  ↑                       │ failure
 *                 refused  └──timer── WAITING ←────┤ (may pass)
 *                       ↓                          │
 *                    STOPPED ←─────────────────────┘ (a person must look)
 *
 * Identity. The store knows, for each pair, a UUID, the position that the sink was last seen at, and whether its table was ever seen to
 * hold the UUID ("live"):
 *
 *     sink/<stream>/<sink>/id    36 characters of UUID, ' ', "new" or "live"
 *     sink/<stream>/<sink>/at    positions: of a topic, the truth (in the frame with the rows); of a table, a lower bound
 *     sink/<stream>/<sink>/idle  positions: nothing before them concerns this sink
 *
 * The table holds the UUID and the positions, committed with its rows. What does not fit together was deleted, restored or swapped
 * behind our back, and is refused with a choice; nothing is guessed:
 *
 *     store     table      means
 *     none      none       the first start
 *     new       none       the first start was cut short: go on
 *     any       ours       go on from the table's position, if the store could have given it
 *     live      none       the table was deleted or replaced                                  → refused
 *     none      foreign    the data folder was deleted, or the table belongs to another one   → refused                    */
#include <stdio.h>

#include "job/engine_private.h"
#include "job/engine_struct.h"
#include "obs/event.h"

enum { NOTE_MS = 5000, POSITION_BYTES = 16 };

/* ---- what the store knows -------------------------------------------------------------------------------------------- */

static struct str key_of(struct member *m, const char *what, char *out, size_t size)
{
    int n = snprintf(out, size, "sink/%s/%s/%s", m->stream->def->name, m->def->name, what);
    CHECK(n > 0 && (size_t)n < size);
    return str_n(out, (size_t)n);
}

/* Positions by the stable number of the input topic and the partition: 4 + 4 + 8 bytes each, big endian. */
static void put_positions(struct frame *frame, struct member *m, const char *what, const int64_t *next)
{
    char key[STORE_KEY_MAX];
    struct sbuf value = {0};
    for (uint32_t i = 0; i < m->stream->input_count; i++) {
        uint8_t bytes[POSITION_BYTES];
        if (next[i] < 0)
            continue;
        put_be32(bytes, (uint32_t)m->stream->inputs[i].input);
        put_be32(bytes + 4, (uint32_t)m->stream->inputs[i].partition);
        put_be64(bytes + 8, (uint64_t)next[i]);
        sbuf_add(&value, bytes, sizeof bytes);
    }
    frame_put(frame, key_of(m, what, key, sizeof key), sbuf_view(&value));
    sbuf_fini(&value);
}

static int64_t *position_of(struct member *m, int32_t input, int32_t partition, int64_t *next)
{
    for (uint32_t i = 0; i < m->stream->input_count; i++)
        if (m->stream->inputs[i].input == input && m->stream->inputs[i].partition == partition)
            return &next[i];
    return NULL;
}

/* Sets next[] to positions[count], as far as they are of today's inputs. */
static void take_positions(struct member *m, const struct position *positions, uint32_t count, int64_t *next)
{
    for (uint32_t i = 0; i < count; i++) {
        int64_t *mine = position_of(m, positions[i].input, positions[i].partition, next);
        if (mine)
            *mine = positions[i].next_offset;
    }
}

/* Raises next[] to what the store has under that key. */
static bool get_positions(struct member *m, const char *what, int64_t *next)
{
    char key[STORE_KEY_MAX];
    struct sbuf value = {0};
    bool found = store_get(m->stream->engine->store, key_of(m, what, key, sizeof key), &value);
    for (size_t at = 0; at + POSITION_BYTES <= value.n; at += POSITION_BYTES) {
        const char *p = value.p + at;
        int64_t *mine = position_of(m, (int32_t)get_be32(p), (int32_t)get_be32(p + 4), next);
        int64_t offset = (int64_t)get_be64(p + 8);
        if (mine && offset > *mine)
            *mine = offset;
    }
    sbuf_fini(&value);
    return found;
}

static void put_id(struct frame *frame, struct member *m) ON(work)
{
    char key[STORE_KEY_MAX], value[64];
    int n = snprintf(value, sizeof value, "%s %s", m->spec.uuid, m->live ? "live" : "new");
    frame_put(frame, key_of(m, "id", key, sizeof key), str_n(value, (size_t)n));
}

static bool get_id(struct member *m) ON(work)
{
    char key[STORE_KEY_MAX];
    struct sbuf value = {0};
    bool found = store_get(m->stream->engine->store, key_of(m, "id", key, sizeof key), &value) &&
                 value.n > 37;
    if (found) {
        if (memcmp(m->spec.uuid, value.p, 36) != 0) { /* the sink's thread may be reading the same one */
            memcpy(m->spec.uuid, value.p, 36);
            m->spec.uuid[36] = '\0';
        }
        m->live = str_eq(str_n(value.p + 37, value.n - 37), STR("live"));
    }
    sbuf_fini(&value);
    return found;
}

/* ---- notes: identity and progress of tables, written now and then ------------------------------------------------------ */

static const struct type *schema_of(const struct member *m)
{
    return m->wants == WANTS_ROWS ? m->stream->schema : bad_schema();
}

static void go(struct member *m, const int64_t *next) ON(work);

static void note_ended(struct frame *frame) ON(work)
{
    struct member *m = frame->arg;
    m->note_busy = false;
    if (m->note_wanted) { /* what is waited for is in the next one */
        member_note(m);
        return;
    }
    bool reset = m->after_note == NOTE_THEN_RESET,
         open = m->after_note == NOTE_THEN_OPEN && m->reset == RESET_NONE,
         on = m->after_note == NOTE_THEN_GO && m->reset == RESET_NONE;
    m->after_note = NOTE_ONLY;
    if (m->state == MEMBER_OPENING && (reset || open || on) && !m->stream->engine->stopping) {
        if (!frame->durable && on && m->runner)
            sink_runner_close(m->runner);
        if (!frame->durable)
            member_fail(m, &frame->err);
        else if (on)
            go(m, m->frame_positions);
        else if (reset)
            sink_runner_reset(m->runner, m->reset == RESET_REPLACE, schema_of(m));
        else
            sink_runner_open(m->runner, schema_of(m));
    }
    engine_look_quiet(m->stream->engine);
}

void member_note(struct member *m)
{
    m->note_wanted = m->note_busy;
    if (m->note_busy)
        return;
    if (m->note == NULL)
        m->note = frame_new(m->stream->engine->store);
    frame_reset(m->note);
    m->note->done = note_ended;
    m->note->arg = m;
    m->note->internal = true;
    m->note->synced = m->after_note != NOTE_ONLY; /* the table will hold the identity */
    put_id(m->note, m);
    put_positions(m->note, m, "at", m->committed);
    if (m->idle_moved)
        put_positions(m->note, m, "idle", m->idle);
    if (m->after_note == NOTE_THEN_GO) {
        char key[STORE_KEY_MAX];
        frame_put(m->note, key_of(m, "query", key, sizeof key), sbuf_view(&m->queries));
    }
    m->idle_moved = false;
    m->note_busy = true;
    m->noted = os_mono();
    frame_submit(m->note);
}

static void note_now_and_then(struct member *m) ON(work)
{
    if (mono_since_ns(os_mono(), m->noted) > NOTE_MS * NS_PER_MS)
        member_note(m);
}

/* What the sink has taken in: pins on the inputs move, and its lag is known. */
static void move_pins(struct member *m)
{
    uint64_t done = 0;
    for (uint32_t i = 0; i < m->stream->input_count; i++) {
        int64_t next = m->committed[i] > m->idle[i] ? m->committed[i] : m->idle[i];
        if (next >= 0)
            log_pin_set(&m->pins[i], m->stream->inputs[i].log, next, m->def->name);
        done += (uint64_t)(next >= 0 ? next : log_start(m->stream->inputs[i].log));
    }
    counter_set(&m->counters.done, done);
}

/* Grows while the sink is down, too: computed when somebody asks. */
uint64_t member_lag(const struct member *m)
{
    uint64_t done = counter_get(&m->counters.done), end = 0, start = 0;
    for (uint32_t i = 0; i < m->stream->input_count; i++) {
        end += (uint64_t)log_end(m->stream->inputs[i].log);
        start += (uint64_t)log_start(m->stream->inputs[i].log);
    }
    done = done > start ? done : start;
    return end > done ? end - done : 0;
}

/* ---- failing ------------------------------------------------------------------------------------------------------------ */

static void begin_reset(struct member *m) ON(work);
static void drop_queue(struct member *m) ON(work);

static void on_retry(struct timer *timer) ON(work)
{
    struct member *m = CONTAINER_OF(timer, struct member, retry);
    if (m->reset != RESET_NONE) {
        m->state = MEMBER_OPENING;
        begin_reset(m);
    } else {
        member_open(m);
    }
}

/* Leaves the run; comes back by itself when the failure may pass. */
void member_fail(struct member *m, const struct err *err)
{
    bool passes = err->class == ERR_RETRY;
    bool asks = passes && m->writer && err->code == SCHEMA_IS_ASKED; /* nothing is wrong */
    run_leave(m);
    m->err = asks ? (struct err){0} : *err;
    counter_add(&m->counters.failures, !asks);
    if (!passes)
        m->reset = RESET_NONE;
    if (m->state == MEMBER_STOPPED)
        return;
    m->state = passes ? MEMBER_WAITING : MEMBER_STOPPED;
    counter_set(&m->counters.running, 0);
    if (!asks)
        event_err(passes ? EVENT_SINK_RETRY : EVENT_SINK_STOPPED, m->def->name, err);
    if (asks && !m->stream->engine->stopping) {
        timer_set_in(&m->retry, ASK_MS * NS_PER_MS);
    } else if (passes && !m->stream->engine->stopping) {
        m->backoff_ms = m->backoff_ms ? m->backoff_ms * 2 : RETRY_MIN_MS;
        if (m->backoff_ms > RETRY_MAX_MS)
            m->backoff_ms = RETRY_MAX_MS;
        timer_set_in(&m->retry, m->backoff_ms * NS_PER_MS);
    }
    engine_look_quiet(m->stream->engine);
}

void member_give_up(struct member *m)
{
    struct err err;
    if (m->err.class != ERR_RETRY || m->state == MEMBER_STOPPED)
        return;
    give_up_error(m->stream->engine, &m->err, &err);
    timer_cancel(&m->retry);
    log_wait_cancel(&m->room_wait);
    if (m->frame_refused) /* it stays unwritten: its rows come again, as its position says */
        m->frame_busy = m->frame_refused = false;
    m->closing_for_reset = false;
    if (m->runner)
        sink_runner_close(m->runner);
    else
        drop_queue(m);
    member_fail(m, &err);
}

static void refuse(struct member *m, const char *what) ON(work)
{
    struct err err;
    err_set(&err, ERR_FATAL, "%s", what);
    err_hint(
        &err,
        "Choose: sluice stream reset %s --keep (go on after what is there) or --replace (write it anew).",
        m->stream->def->name);
    sink_runner_close(m->runner);
    member_fail(m, &err);
}

/* What a stream with state has put out is kept for a while, and its sinks' pins keep what they still need. Rows that are gone are nowhere else:
 * a sink that begins after that cannot have them, whatever it reads. */
bool member_lacks_rows(const struct member *m, struct err *err)
{
    const struct stream *s = m->stream;
    if (s->job == NULL || log_start(s->inputs[0].log) == 0)
        return false;
    err_set(err, ERR_FATAL,
            "\"%s\" cannot have all rows of stream \"%s\": what it put out first is not kept any more",
            m->def->name, s->def->name);
    err_hint(
        err,
        "Choose: sluice stream reset %s --sink %s --keep (begin with what is kept), or give the stream a new name.",
        s->def->name, m->def->name);
    return true;
}

/* ---- opening -------------------------------------------------------------------------------------------------------------- */

/* Where a pair that knows nothing yet begins. What was replayed before, it reads where it came from. */
static void first_positions(struct member *m, int64_t *next)
{
    const struct stream *s = m->stream;
    bool latest = s->def->conf->from == CONF_FROM_LATEST && s->job == NULL;
    for (uint32_t i = 0; i < s->input_count; i++)
        next[i] = latest || s->inputs[i].replayed ? log_end(s->inputs[i].log) : log_start(s->inputs[i].log);
}

static void fill_with_starts(struct member *m, int64_t *next)
{
    for (uint32_t i = 0; i < m->stream->input_count; i++)
        if (next[i] < 0)
            next[i] = log_start(m->stream->inputs[i].log);
}

/* What failed is over. */
static void works(struct member *m) ON(work)
{
    if (m->state != MEMBER_RUNNING)
        return; /* it has failed again since, which the other side does not know yet */
    if (m->err.class != ERR_NONE)
        event_log(EVENT_SINK_OK, m->def->name, "works again");
    m->err = (struct err){0};
    m->backoff_ms = 0;
    counter_set(&m->counters.running, 1);
}

enum {
    QUERIES_BYTES_MAX = 64 << 10
}; /* of what is remembered; then the oldest is forgotten, and nobody knows */

/* Is it remembered that the sink reads with today's query from next on? If not, it is added to what is. */
static bool knows_query(struct member *m, const int64_t *next) ON(work)
{
    const struct stream *s = m->stream;
    char key[STORE_KEY_MAX], bytes[POSITION_BYTES];
    if (s->job || m->wants == WANTS_LATE || (m->wants == WANTS_ROWS && m->def->mode == SINK_UPSERT))
        return true;
    sbuf_clear(&m->queries);
    store_get(s->engine->store, key_of(m, "query", key, sizeof key), &m->queries);
    bool known = queries_last(sbuf_view(&m->queries)) == s->query;
    for (uint32_t i = 0; i < s->input_count; i++)
        known = known && queries_at(sbuf_view(&m->queries), s->inputs[i].input, s->inputs[i].partition,
                                    next[i]) == s->query;
    if (known)
        return true;
    if (m->queries.n > QUERIES_BYTES_MAX)
        sbuf_clear(&m->queries);
    put_be64(bytes, s->query);
    put_be32(bytes + 8, s->input_count);
    sbuf_add(&m->queries, bytes, 12);
    for (uint32_t i = 0; i < s->input_count; i++) {
        put_be32(bytes, (uint32_t)s->inputs[i].input);
        put_be32(bytes + 4, (uint32_t)s->inputs[i].partition);
        put_be64(bytes + 8, (uint64_t)next[i]);
        sbuf_add(&m->queries, bytes, sizeof bytes);
    }
    return false;
}

static void go(struct member *m, const int64_t *next) ON(work)
{
    memcpy(m->committed, next, m->stream->input_count * sizeof *next);
    move_pins(m);
    if (!m->stream->paused && !knows_query(m, next)) {
        m->after_note = NOTE_THEN_GO;
        member_note(m);
        return;
    }
    if (m->stream->paused) {
        m->state = MEMBER_IDLE;
        member_close(m);
        return;
    }
    m->state = MEMBER_RUNNING;
    m->flushed = m->flushing = false;
    m->rows_sent = m->rows_committed = 0;
    if (m->err.class == ERR_NONE || m->runner == NULL || member_lag(m) == 0)
        works(m); /* after a failure when it has committed: to be open is not to have written */
    if (m->runner && m->spec.age_column)
        sink_runner_expire(m->runner);
    run_place(m, next);
}

static bool wants_reset(const struct member *m) ON(work)
{
    const struct engine_options *o = &m->stream->engine->options;
    return !m->was_reset && o->reset_stream && strcmp(o->reset_stream, m->stream->def->name) == 0 &&
           (o->reset_sink == NULL || strcmp(o->reset_sink, m->def->name) == 0);
}

static void open_topic(struct member *m) ON(work)
{
    int64_t *next = m->frame_positions;
    bool keep = m->reset == RESET_KEEP || (wants_reset(m) && !m->stream->engine->options.reset_replace);
    m->reset = RESET_NONE;
    for (uint32_t i = 0; i < m->stream->input_count; i++)
        next[i] = -1;
    if (get_positions(m, "at", next)) {
        fill_with_starts(m, next);
        go(m, next);
        return;
    }
    struct err err;
    bool lacks = member_lacks_rows(m, &err);
    if (lacks && !keep) {
        member_fail(m, &err);
        return;
    }
    first_positions(m, next);
    int64_t *starts = m->committed;
    memcpy(starts, next, m->stream->input_count * sizeof *next);
    if (m->stream->def->conf->from == CONF_FROM_LATEST || lacks)
        member_note(
            m); /* "latest" is what it was at the first start; a crash before this is durable has put out nothing */
    go(m, next);
}

void member_open(struct member *m)
{
    CHECK(m->state == MEMBER_IDLE || m->state == MEMBER_WAITING);
    m->state = MEMBER_OPENING;
    if (m->topic) {
        open_topic(m);
        return;
    }
    for (uint32_t i = 0; i < m->stream->input_count; i++)
        m->idle[i] = m->committed[i] = -1;
    if (get_id(m)) {
        get_positions(m, "at", m->committed);
        get_positions(m, "idle", m->idle);
        move_pins(m);
        sink_runner_open(m->runner, schema_of(m));
        return;
    }
    struct err err;
    if (m->wants == WANTS_ROWS && !wants_reset(m) &&
        member_lacks_rows(m, &err)) { /* what was rejected is no result */
        member_fail(m, &err);
        return;
    }
    os_uuid(m->spec.uuid);
    m->live = false;
    first_positions(m, m->committed);
    move_pins(m);
    m->after_note = NOTE_THEN_OPEN;
    member_note(m);
}

void member_open_again(struct member *m)
{
    CHECK(m->state == MEMBER_STOPPED);
    if (m->runner)
        sink_runner_close(m->runner); /* even if it is closed: then that is all that happens */
    m->state = MEMBER_IDLE;
    m->backoff_ms = 0;
    member_open(m);
}

/* ---- resetting: first the new identity is durable, then the table takes it on; each step can be repeated ------------------- */

void member_reset(struct member *m, bool replace)
{
    CHECK(m->reset == RESET_NONE);
    if (m->runner == NULL) { /* a topic's rows stay; one that was refused begins */
        m->reset = RESET_KEEP;
        m->state = MEMBER_IDLE;
        m->err = (struct err){0};
        member_open(m);
        return;
    }
    timer_cancel(&m->retry);
    run_leave(m);
    m->reset = replace ? RESET_REPLACE : RESET_KEEP;
    m->state = MEMBER_OPENING;
    m->closing_for_reset = true;
    sink_runner_close(m->runner); /* even if it is closed: its answer says that nobody looks at the spec */
}

static void begin_reset(struct member *m) ON(work)
{
    uint32_t n = m->stream->input_count;
    if (m->reset == RESET_REPLACE) {
        first_positions(m, m->committed);
        memcpy(m->idle, m->committed, n * sizeof *m->idle); /* takes back what was noted before */
    }
    for (uint32_t i = 0; i < n;
         i++) { /* keep: on from where the table is, or was last known to be, if that can still be read */
        int64_t start = log_start(m->stream->inputs[i].log), end = log_end(m->stream->inputs[i].log);
        m->committed[i] = m->committed[i] < start ? start : m->committed[i] > end ? end : m->committed[i];
        m->idle[i] = m->idle[i] > end ? end : m->idle[i];
    }
    m->idle_moved = true;
    os_uuid(m->spec.uuid);
    m->live = false;
    move_pins(m);
    m->after_note = NOTE_THEN_RESET;
    member_note(m);
}

static void end_reset(struct member *m, bool live) ON(work)
{
    event_log(EVENT_SINK_OK, m->def->name,
              m->reset == RESET_REPLACE ? "reset: the table is written anew"
                                        : "reset: goes on after what is there");
    m->reset = RESET_NONE;
    m->live = live;
    m->was_reset = true;
    member_note(m);
    if (!m->stream->engine->stopping && m->state == MEMBER_OPENING)
        sink_runner_open(m->runner, schema_of(m));
}

/* The table's positions against what the store could have given. NULL: legal. */
static const char *illegal(struct member *m, const int64_t *next, char *text, size_t size)
{
    for (uint32_t i = 0; i < m->stream->input_count; i++) {
        const struct stream_input *input = &m->stream->inputs[i];
        const char *topic = log_topic(input->log)->name;
        if (next[i] > log_end(input->log)) {
            snprintf(
                text, size,
                "the table is at offset %lld of topic \"%s\", partition %d, which ends at %lld: the data folder is older "
                "than the table, or another one",
                (long long)next[i], topic, input->partition, (long long)log_end(input->log));
            return text;
        }
        if (next[i] < m->committed[i]) {
            snprintf(
                text, size,
                "the table is at offset %lld of topic \"%s\", partition %d, but was at %lld: it was restored or replaced",
                (long long)next[i], topic, input->partition, (long long)m->committed[i]);
            return text;
        }
        if (next[i] < log_start(input->log)) {
            snprintf(text, size,
                     "rows %lld to %lld of topic \"%s\", partition %d, are gone before the table had them",
                     (long long)next[i], (long long)log_start(input->log) - 1, topic, input->partition);
            return text;
        }
    }
    return NULL;
}

static void on_opened(struct member *m, const struct sink_event *e) ON(work)
{
    char text[ERR_TEXT_MAX];
    uint32_t n = m->stream->input_count;
    int64_t *next = m->frame_positions;
    if (m->state != MEMBER_OPENING || m->reset != RESET_NONE || m->stream->engine->stopping)
        return; /* stopped, or to be reset, meanwhile: its close is on the way */
    bool lost = e->found == SINK_NEW && m->live && m->def->kind->exactly_once;
    if (wants_reset(m)) {
        struct err err;
        if (m->stream->engine->options.reset_replace && member_lacks_rows(m, &err)) {
            sink_runner_close(m->runner);
            member_fail(m, &err);
            return;
        }
        if (e->found == SINK_OURS)
            take_positions(m, e->positions, e->count, m->committed);
        member_reset(m, m->stream->engine->options.reset_replace);
        return;
    }
    if (m->stream->engine->faults.no_identity)
        lost = false;
    if ((e->found == SINK_FOREIGN || lost)) {
        snprintf(text, sizeof text,
                 e->found == SINK_FOREIGN
                     ? "the table \"%s\" holds rows of this stream from another data folder"
                     : "the table \"%s\" was deleted or replaced since rows were written to it",
                 m->def->name);
        refuse(m, text);
        return;
    }
    for (uint32_t i = 0; i < n; i++)
        next[i] = -1;
    take_positions(m, e->positions, e->count, next);
    if (e->found == SINK_NEW || e->count == 0) /* new, or just reset */
        memcpy(next, m->committed, n * sizeof *next);
    for (uint32_t i = 0; i < n; i++)
        if (m->idle[i] > next[i])
            next[i] = m->idle[i];
    fill_with_starts(m, next);
    m->live = m->live || e->found == SINK_OURS;
    if (illegal(m, next, text, sizeof text)) {
        /* for reset --keep, the table's own word: an older one was restored, or the data folder was */
        if (e->found == SINK_OURS)
            take_positions(m, e->positions, e->count, m->committed);
        refuse(m, text);
        return;
    }
    go(m, next);
}

/* ---- what the block side says ------------------------------------------------------------------------------------------- */

static void on_event(void *owner, struct sink_event *e) ON(work)
{
    struct member *m = owner;
    switch (e->kind) {
    case SINK_OPENED: on_opened(m, e); break;
    case SINK_COMMITTED:
        works(m);
        take_positions(m, e->positions, e->count, m->committed);
        m->rows_committed += e->rows;
        counter_add(&m->counters.rows, e->rows);
        counter_add(&m->counters.commits, 1);
        move_pins(m);
        if (!m->live) {
            m->live = true;
            member_note(m);
        }
        note_now_and_then(m);
        break;
    case SINK_IDLE:
        works(m);
        take_positions(m, e->positions, e->count, m->idle);
        m->idle_moved = true;
        move_pins(m);
        note_now_and_then(m);
        break;
    case SINK_FLUSHED:
        works(m);
        take_positions(m, e->positions, e->count, m->idle);
        m->idle_moved = true;
        m->flushed = m->flushing;
        m->flushing = false;
        member_note(m);
        engine_member_flushed(m->stream->engine);
        break;
    case SINK_FAILED:
        m->flushing = false;
        if (m->closing_for_reset)
            break; /* it failed before it heard of the reset, which comes next */
        member_fail(m, &e->err);
        engine_member_flushed(m->stream->engine);
        break;
    case SINK_CLOSED:
        if (m->closing_for_reset && !m->stream->engine->stopping) {
            m->closing_for_reset = false;
            begin_reset(m);
            break;
        }
        m->flushing = false;
        m->closed = true;
        engine_member_flushed(m->stream->engine);
        break;
    case SINK_WAS_RESET: end_reset(m, e->found == SINK_OURS); break;
    }
}

/* ---- deliveries ----------------------------------------------------------------------------------------------------------- */

static void came_home(struct delivery *d) ON(work)
{
    struct member *m = d->owner;
    CHECK(m->in_flight > 0);
    m->in_flight--;
    if (m->runner && m->state == MEMBER_RUNNING &&
        m->rows_sent == m->rows_committed) { /* nothing before this is still to be written */
        uint64_t done = 0;
        for (uint32_t i = 0; i < d->count; i++)
            done += (uint64_t)d->positions[i].next_offset;
        counter_set(&m->counters.done, done);
    }
    run_delivery_home(d);
    engine_look_quiet(m->stream->engine);
}

/* What waits goes home unwritten: the position in the store does not know of it. */
static void drop_queue(struct member *m) ON(work)
{
    while (m->queue) {
        struct delivery *d = m->queue;
        m->queue = d->next;
        came_home(d);
    }
    m->queue_end = &m->queue;
}

static void frame_ended(struct frame *frame) ON(work);

/* The last third of a row's way into an embedded topic: the rows of all deliveries that wait, and the position after them, in one
 * frame. */
static void job_turn(struct member *m) ON(work)
{
    struct err err;
    if (m->frame_busy || m->queue == NULL)
        return;
    frame_reset(m->frame);
    m->frame->done = frame_ended;
    m->frame->arg = m;
    int64_t now_ms = os_wall().us / US_PER_MS;
    bool ok = true;
    m->frame_rows = 0;
    while (m->queue) {
        struct delivery *d = m->queue;
        m->queue = d->next;
        if (ok && d->batch && d->batch->rows)
            ok = topic_writer_batch(m->writer, d->batch, now_ms, &err);
        take_positions(m, d->positions, d->count, m->frame_positions);
        came_home(d);
    }
    m->queue_end = &m->queue;
    if (!ok || !topic_writer_flush(m->writer, m->frame, m->topic->logs, &m->frame_rows, &err)) {
        topic_writer_drop(m->writer);
        member_fail(m, &err);
        return;
    }
    if (!m->stream->engine->faults.topic_position_apart)
        put_positions(m->frame, m, "at", m->frame_positions);
    m->frame_busy = true;
    frame_submit(m->frame);
}

static bool on_room(struct task *task) ON(work)
{
    struct member *m = CONTAINER_OF(task, struct member, room_task);
    if (m->frame_refused && !m->stream->engine->stopping) {
        m->frame_refused = false;
        frame_submit(m->frame);
    }
    return false;
}

static void frame_ended(struct frame *frame) ON(work)
{
    struct member *m = frame->arg;
    if (!frame->durable &&
        frame->err.class == ERR_RETRY) { /* the disk is full: the same frame again, when there is room */
        m->frame_refused = true;
        m->err = frame->err;
        counter_set(&m->counters.running, 0);
        log_wait_cancel(&m->room_wait);
        store_wait_room(m->stream->engine->store, &m->room_wait, &m->room_waker);
        engine_look_quiet(m->stream->engine);
        return;
    }
    m->frame_busy = false;
    if (!frame->durable) {
        drop_queue(m);
        member_fail(m, &frame->err);
        return;
    }
    m->err = (struct err){0};
    counter_set(&m->counters.running, m->state == MEMBER_RUNNING);
    memcpy(m->committed, m->frame_positions, m->stream->input_count * sizeof *m->committed);
    counter_add(&m->counters.rows, m->frame_rows);
    counter_add(&m->counters.commits, 1);
    move_pins(m);
    if (m->stream->engine->faults.topic_position_apart)
        member_note(m);
    job_turn(m);
    if (m->state == MEMBER_IDLE && m->stream->started && !m->stream->paused && !m->stream->engine->stopping &&
        !m->frame_busy)
        member_open(m); /* resumed while the frame was on its way */
    engine_look_quiet(m->stream->engine);
}

void member_deliver(struct member *m, struct delivery *d)
{
    CHECK(m->state == MEMBER_RUNNING);
    d->owner = m;
    d->home = came_home;
    d->home_loop = loop_current();
    m->in_flight++;
    m->flushed = m->flushing = false;
    if (m->runner) {
        m->rows_sent += d->batch ? d->batch->rows : 0;
        sink_runner_deliver(m->runner, d);
        return;
    }
    d->next = NULL;
    *m->queue_end = d;
    m->queue_end = &d->next;
    job_turn(m);
}

/* ---- life ------------------------------------------------------------------------------------------------------------------ */

bool member_is_idle(const struct member *m)
{
    if (m->state == MEMBER_STOPPED)
        return true;
    return m->state == MEMBER_RUNNING && m->in_flight == 0 && !m->frame_busy && m->queue == NULL;
}

void member_flush(struct member *m)
{
    m->flushing = m->runner && m->state == MEMBER_RUNNING;
    m->flushed = !m->flushing;
    if (m->flushing)
        sink_runner_flush(m->runner, false);
}

void member_close(struct member *m)
{
    timer_cancel(&m->retry);
    run_leave(m);
    m->closed = m->runner == NULL;
    if (m->runner)
        sink_runner_close(m->runner);
    else
        drop_queue(m);
}

/* After the loops' last message: threads end, frames and pins go. */
void member_fini(struct member *m)
{
    if (m->runner)
        sink_runner_stop(m->runner);
    for (uint32_t i = 0; m->pins && i < m->stream->input_count; i++)
        log_pin_drop(&m->pins[i]);
    log_wait_cancel(&m->room_wait);
    if (m->frame)
        frame_free(m->frame);
    if (m->note)
        frame_free(m->note);
    sbuf_fini(&m->queries);
    m->frame = m->note = NULL;
}

enum { SHARED_CADENCE_MS = 1 };

/* One writer at a time is SQLite's rule: sinks that share a database commit at once instead of holding it between commits. */
static int64_t cadence_of(const struct project *project, const struct sink_def *def)
{
    uint32_t sharing = 0;
    const struct sink_def *other;
    for (uint32_t i = 0; i < project->conf.stream_count; i++)
        for (uint32_t k = 0; (other = stream_sink(&project->streams[i], k)) != NULL; k++)
            sharing += other->kind == def->kind && other->url && strcmp(other->url, def->url) == 0;
    return strcmp(def->kind->name, "sqlite") == 0 && sharing > 1 ? SHARED_CADENCE_MS : def->cadence_ms;
}

bool member_new(struct stream *s, const struct sink_def *def, enum wants wants, struct err *err) UNSHARED
{
    struct engine *engine = s->engine;
    struct member *m = pool_new_struct(s->pool, struct member);
    CHECK(s->member_count < MEMBERS_MAX);
    s->members[s->member_count++] = m;
    m->stream = s;
    m->def = def;
    m->wants = wants;
    m->queue_end = &m->queue;
    list_init(&m->run_link);
    timer_init(&m->retry, on_retry);
    task_init(&m->room_task, on_room);
    waker_init(&m->room_waker, engine->options.work, &m->room_task);
    list_init(&m->room_wait.link);
    m->spec = sink_spec_of(engine->project, s->def, def);
    if (def->topic < 0)
        return sink_runner_new(s->pool, def->kind, &m->spec, cadence_of(engine->project, def),
                               engine->options.work, on_event, m, &m->runner, err);
    m->topic = topic_state_find(engine, str_of(engine->project->topics[def->topic].name));
    m->frame = frame_new(engine->store);
    struct topic_def *keyed = pool_new_struct(s->pool,
                                              struct topic_def); /* by the sink's key, if it has one */
    *keyed = *m->topic->def;
    keyed->keys = def->key;
    keyed->key_count = def->key_count;
    TRY(topic_writer_new(s->pool, keyed, &m->writer, err));
    topic_writer_skip_misfits(m->writer); /* the run tells of them */
    return true;
}

/* When the stream's inputs are known. */
void member_prepare(struct member *m)
{
    uint32_t n = m->stream->input_count;
    m->committed = pool_alloc(m->stream->pool, n * sizeof *m->committed);
    m->idle = pool_alloc(m->stream->pool, n * sizeof *m->idle);
    m->frame_positions = pool_alloc(m->stream->pool, n * sizeof *m->frame_positions);
    m->pins = pool_alloc(m->stream->pool, n * sizeof *m->pins);
    for (uint32_t i = 0; i < n; i++)
        m->committed[i] = m->idle[i] = -1;
}

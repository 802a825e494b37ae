/* A run: one reader of a stateless stream's inputs (or of a stateful one's outbox), shared by all sinks that are at the same position.
 *
 *     log_read → topic_decode → pipeline_push → a delivery to each member
 *
 * What travels is a unit: an input batch, a pipeline of its own and so the output batch in that pipeline's slot, and the positions after it. Nothing
 * is copied on the way to the sinks, and RUN_UNITS units are the bound on memory: when all of them are out, the run waits. A unit comes home
 * when the last member has given it back.
 *
 * A sink that fails leaves its run and comes back through its own position (member.c). One that holds every unit for RUN_LAG_MS
 * takes the units with it and goes on alone; runs that meet at the same position become one again. */
#include <stdio.h>

#include "format/json.h"
#include "job/engine_private.h"
#include "job/engine_struct.h"
#include "obs/event.h"

struct unit {
    struct run *run;   /* NULL: the run has gone on without it; freed when it comes home */
    struct unit *next; /* free list */
    uint32_t plan_version;
    struct pool *pool;               /* decoders and pipeline, of plan_version */
    struct topic_decoder **decoders; /* decoders[scan_count] */
    struct pipeline *pipeline;
    struct batch *in;
    struct batch *own;                /* several results of one push, put together */
    struct batch *bad, *late;         /* late: of an outbox alone */
    const struct batch *out[WANTS];   /* rows: the pipeline's, or own; NULL: none */
    struct batch_builder bad_builder; /* of bad; of an outbox of own, behind what is in bad */
    bool bad_open, own_open;
    uint32_t bad_fresh; /* of the bad records, those that no run has counted yet */
    uint32_t undecoded; /* of those, the ones that are no row of `in` */
    struct batch_builder own_builder;
    struct position *positions; /* after this unit [input_count] */
    struct delivery deliveries[MEMBERS_MAX];
    uint32_t out_count; /* deliveries that are out */
    uint32_t current_input;
    int32_t attempt; /* of replayed records */
    struct rejection rejection;
    int64_t uncounted; /* offsets from here on are not in the counters yet */
};

struct run {
    struct stream *stream;
    struct list link;    /* stream->runs */
    struct list members; /* member->run_link */
    uint32_t member_count;
    int64_t *next OWNED_BY(work); /* next offset to read [input_count] */
    uint32_t turn_input;          /* where the search for the next input begins */
    struct unit *free_units OWNED_BY(work);
    struct unit *units[RUN_UNITS]; /* all of them, out or free [unit_count] */
    uint32_t unit_count OWNED_BY(work);
    struct task task;
    struct waker waker;
    struct log_wait *waits; /* waits[input_count] */
    struct timer lag_timer OWNED_BY(work), sync_timer OWNED_BY(work);
    bool unread OWNED_BY(work); /* the last read failed, and may not fail again */
    bool at_end OWNED_BY(work); /* nothing was left to read at the last look */
};

static bool run_turn(struct task *task) ON(work);
static void on_lag(struct timer *timer) ON(work);
static void on_sync(struct timer *timer);

enum { SYNC_LOOK_MS = 2 };

/* ---- units -------------------------------------------------------------------------------------------------------- */

static void unit_free(struct unit *u)
{
    pool_free(u->pool);
    batch_free(u->in);
    batch_free(u->own);
    batch_free(u->bad);
    batch_free(u->late);
    mem_free(u->positions);
    mem_free(u);
}

/* Decoders and a pipeline for the stream's plan of today. */
static bool unit_compile(struct unit *u, struct stream *s, struct err *err)
{
    if (u->pool && u->plan_version == s->plan_version)
        return true;
    pool_free(u->pool);
    u->pool = pool_new(NULL, "unit");
    u->plan_version = s->plan_version;
    TRY(pipeline_new(u->pool, s->plan, &u->pipeline, err));
    u->decoders = pool_alloc(u->pool, s->scan_count * sizeof *u->decoders);
    for (uint32_t i = 0; i < s->scan_count; i++) {
        struct topic_state *topic = NULL;
        for (uint32_t k = 0; k < s->input_count; k++)
            if (s->inputs[k].scan == i)
                topic = s->inputs[k].topic;
        CHECK(topic != NULL);
        TRY(topic_decoder_new(u->pool, topic->def, topic->schema, s->scans[i], &u->decoders[i], err));
    }
    return true;
}

static struct unit *unit_take(struct run *run) ON(work)
{
    struct unit *u = run->free_units;
    if (u) {
        run->free_units = u->next;
        return u;
    }
    if (run->unit_count == RUN_UNITS)
        return NULL;
    u = mem_new(sizeof *u);
    run->units[run->unit_count++] = u;
    u->run = run;
    u->in = batch_new();
    u->own = batch_new();
    u->bad = batch_new();
    u->late = batch_new();
    u->positions = mem_new_array(struct position, run->stream->input_count);
    return u;
}

static void unit_give(struct unit *u) ON(work)
{
    struct run *run = u->run;
    batch_reset(u->in);
    batch_reset(u->own);
    batch_reset(u->bad);
    batch_reset(u->late);
    u->own_open = u->bad_open = false;
    u->bad_fresh = u->undecoded = 0;
    memset(u->out, 0, sizeof u->out);
    if (run == NULL) {
        unit_free(u);
        return;
    }
    u->next = run->free_units;
    run->free_units = u;
    timer_cancel(&run->lag_timer);
    task_wake(&run->task);
}

void run_delivery_home(struct delivery *d)
{
    struct unit *u = d->arg;
    CHECK(u->out_count > 0);
    if (--u->out_count == 0)
        unit_give(u);
}

/* ---- bad rows ------------------------------------------------------------------------------------------------------ */

enum bad_column {
    BAD_REASON,
    BAD_PATH,
    BAD_FOUND,
    BAD_WANTED,
    BAD_TOPIC,
    BAD_PARTITION,
    BAD_OFFSET,
    BAD_TIMESTAMP,
    BAD_KEY,
    BAD_VALUE,
    BAD_DELIVERED,
    BAD_AT,
    BAD_ATTEMPT,
    BAD_COLUMNS
};

static const struct type plain_string = {.kind = TYPE_STRING}, plain_int = {.kind = TYPE_INT},
                         plain_long = {.kind = TYPE_LONG}, plain_time = {.kind = TYPE_TIMESTAMP},
                         plain_binary = {.kind = TYPE_BINARY}, plain_bool = {.kind = TYPE_BOOLEAN};
static const struct field bad_fields[BAD_COLUMNS] = {
    [BAD_REASON] = {"reason", &plain_string, true, "why the record could not be used, or not whole"},
    [BAD_PATH] = {"path", &plain_string, true, "the field it is about"},
    [BAD_FOUND] = {"found", &plain_string, true, "what was there"},
    [BAD_WANTED] = {"wanted", &plain_string, true, "the column's type"},
    [BAD_TOPIC] = {"topic", &plain_string, true, NULL},
    [BAD_PARTITION] = {"partition", &plain_int, true, NULL},
    [BAD_OFFSET] = {"offset", &plain_long, true, NULL},
    [BAD_TIMESTAMP] = {"timestamp", &plain_time, true, "of the record"},
    [BAD_KEY] = {"key", &plain_binary, true, NULL},
    [BAD_VALUE] = {"value", &plain_binary, true, "the record, as it came"},
    [BAD_DELIVERED] = {"delivered", &plain_bool, true, "the row went on, with a NULL in place of the field"},
    [BAD_AT] = {"at", &plain_time, true, "when it was found"},
    [BAD_ATTEMPT] = {"attempt", &plain_int, true, "how often it had been replayed"},
};
static const struct type bad_type = {.kind = TYPE_STRUCT, .field_count = BAD_COLUMNS, .fields = bad_fields};

const struct type *bad_schema(void)
{
    return &bad_type;
}

static void put_text(struct column_builder *b, struct str s)
{
    if (s.p == NULL)
        column_builder_null(b);
    else
        column_builder_str(b, s, true);
}

void bad_row_add(struct batch_builder *builder, const char *topic, int32_t attempt,
                 const struct topic_bad *bad)
{
    struct column_builder *c = builder->columns;
    put_text(&c[BAD_REASON], bad->reason);
    put_text(&c[BAD_PATH], bad->path);
    put_text(&c[BAD_FOUND], bad->found);
    put_text(&c[BAD_WANTED], bad->wanted);
    put_text(&c[BAD_TOPIC], str_of(topic));
    if (topic) {
        column_builder_i64(&c[BAD_PARTITION], bad->partition);
        column_builder_i64(&c[BAD_OFFSET], bad->offset);
        column_builder_i64(&c[BAD_TIMESTAMP], bad->timestamp_ms * US_PER_MS);
    } else {
        for (int i = BAD_PARTITION; i <= BAD_TIMESTAMP; i++)
            column_builder_null(&c[i]);
    }
    put_text(&c[BAD_KEY], bad->key);
    put_text(&c[BAD_VALUE], bad->value);
    column_builder_bool(&c[BAD_DELIVERED], bad->delivered);
    column_builder_i64(&c[BAD_AT], os_wall().us);
    column_builder_i64(&c[BAD_ATTEMPT], attempt);
}

static void on_bad_record(void *arg, const struct topic_bad *bad) ON(work)
{
    struct unit *u = arg;
    struct stream *s = u->run->stream;
    if (!u->bad_open)
        batch_builder_init(&u->bad_builder, u->bad, &bad_type);
    u->bad_open = true;
    bad_row_add(&u->bad_builder, s->inputs[u->current_input].topic->def->name, u->attempt, bad);
    u->bad_fresh += bad->offset >= u->uncounted;
}

/* A row that a stream with state has put out: no record is at fault. */
static void on_bad_result(struct unit *u, const struct topic_bad *bad) ON(work)
{
    const struct batch *before = u->out[WANTS_BAD];
    if (!u->bad_open)
        batch_builder_init(&u->bad_builder, u->own, &bad_type);
    for (uint32_t row = 0; !u->bad_open && before && row < before->rows; row++)
        batch_builder_row(&u->bad_builder, before, row);
    u->bad_open = true;
    bad_row_add(&u->bad_builder, NULL, 0, bad);
    u->bad_fresh++;
}

static void on_bad_row(void *arg, const struct op_bad_row *row) ON(work)
{
    struct unit *u = arg;
    struct topic_bad bad;
    const struct stream_input *input = &u->run->stream->inputs[u->current_input];
    if (!topic_decoder_find(u->decoders[input->scan], row->offset, &bad))
        bad = (struct topic_bad){.partition = row->partition, .offset = row->offset};
    bad.reason = str_of(row->reason);
    on_bad_record(u, &bad);
}

/* ---- the turn ------------------------------------------------------------------------------------------------------- */

static void on_result(void *arg, struct batch *batch)
{
    struct unit *u = arg;
    if (u->out[WANTS_ROWS] == NULL) {
        u->out[WANTS_ROWS] = batch;
        return;
    }
    if (!u->own_open) { /* a second result of one push: the first one's slot is about to be used again */
        batch_builder_init(&u->own_builder, u->own, batch->schema);
        u->own_open = true;
        for (uint32_t row = 0; row < u->out[WANTS_ROWS]->rows; row++)
            batch_builder_row(&u->own_builder, u->out[WANTS_ROWS], row);
        u->out[WANTS_ROWS] = u->own;
    }
    for (uint32_t row = 0; row < batch->rows; row++)
        batch_builder_row(&u->own_builder, batch, row);
}

struct decode_report {
    struct unit *unit;
    bool unknown;
};

static void decode_bad(void *arg, const struct topic_bad *bad) ON(work)
{
    struct decode_report *report = arg;
    report->unit->undecoded += !bad->delivered && bad->offset >= report->unit->uncounted;
    on_bad_record(report->unit, bad);
}

static void decode_unknown(void *arg, struct str path)
{
    (void)path;
    ((struct decode_report *)arg)->unknown = true;
}

/* Decodes the records; a field that nobody knew widens the topic's schema first, and the stream's plan with it. */
static bool decode(struct unit *u, const struct stream_input *input, const struct reading *reading,
                   struct err *err) ON(work)
{
    struct stream *s = u->run->stream;
    for (;;) {
        struct decode_report found = {.unit = u};
        const struct topic_report report = {decode_bad, decode_unknown, &found};
        TRY(topic_decode(u->decoders[input->scan], &reading->records, reading->partition, reading->from,
                         reading->until, u->in, &report, err));
        bool grew = false;
        if (found.unknown)
            TRY(topic_state_grow(input->topic, u->decoders[input->scan], &reading->records, &grew, err));
        if (!grew && !stream_plan_is_old(s))
            return true;
        batch_reset(u->bad);
        u->bad_open = false;
        u->bad_fresh = u->undecoded = 0;
        TRY(stream_make_plan(s, err));
        stream_note_ran(s);
        TRY(unit_compile(u, s, err));
    }
}

/* Where the run may read its k-th input up to: what is committed. With flush: os no table may know more than the disk; of an outbox, whole turns
 * alone. */
static int64_t readable_end(struct run *run, uint32_t k) ON(work)
{
    const struct stream *s = run->stream;
    struct log *log = s->inputs[k].log;
    int64_t end = s->engine->faults.beyond_synced ? log_end(log) : log_synced(log), until;
    int64_t stable = log_stable(log);
    if (stable < end)
        end = stable;
    if (s->job) {
        run->next[k] = job_outbox_valid(s->job, run->next[k], &until);
        end = end < until ? end : until;
    }
    return end;
}

/* The next input with something to read, from turn_input on; false: none has. */
static bool find_slice(struct run *run, uint32_t *index, struct log_slice *slice, struct err *err,
                       bool *failed) ON(work)
{
    struct stream *s = run->stream;
    for (uint32_t i = 0; i < s->input_count; i++) {
        uint32_t k = (run->turn_input + i) % s->input_count;
        int64_t end = readable_end(run, k);
        if (run->next[k] >= end)
            continue;
        *failed = !log_read_committed(s->inputs[k].log, run->next[k], RUN_SLICE_BYTES, slice, err);
        if (*failed)
            return false;
        if (slice->n == 0)
            continue;
        if (slice->next_offset > end)
            slice->next_offset = end;
        *index = k;
        run->turn_input = (k + 1) % s->input_count;
        return true;
    }
    return false;
}

/* It read the record with another query than the one that rejected it. */
static bool may_have_had(const struct member *m, const struct rejection *at) ON(work)
{
    return at->known && queries_at(sbuf_view(&m->queries), at->input, at->partition, at->offset) != at->query;
}

static void deliver(struct run *run, struct unit *u) ON(work)
{
    const struct stream *s = run->stream;
    if (u->bad_open) {
        batch_builder_finish(&u->bad_builder);
        u->out[WANTS_BAD] = s->job ? u->own : u->bad;
    }
    uint32_t count = 0;
    for (uint32_t i = 0; i < s->input_count; i++) /* of what was never read, no sink needs to know */
        if (run->next[i] > 0)
            u->positions[count++] = (struct position){s->inputs[i].input, s->inputs[i].partition,
                                                      run->next[i]};
    bool keyed_only = s->inputs[u->current_input].keyed_only;
    u->out_count = run->member_count +
                   1; /* one is ours, so that a member that answers at once does not free the unit */
    uint32_t k = 0;
    for (struct list *link = run->members.next, *after; link != &run->members; link = after) {
        struct member *m = CONTAINER_OF(link, struct member, run_link);
        after = link->next; /* one that fails at once leaves the run */
        bool had = m->wants == WANTS_ROWS && m->def->mode != SINK_UPSERT &&
                   (keyed_only || may_have_had(m, &u->rejection));
        struct delivery *d = &u->deliveries[k++];
        *d = (struct delivery){
            .batch = had ? NULL : u->out[m->wants], .positions = u->positions, .count = count, .arg = u};
        member_deliver(m, d);
    }
    run_delivery_home(&(struct delivery){.arg = u});
}

/* Rows without a key have no place in a keyed table: it skips them, and they are reported like any record that could not go everywhere. */
static void report_lacking_keys(struct unit *u) ON(work)
{
    const struct stream_def *def = u->run->stream->def;
    const struct batch *out = u->out[WANTS_ROWS];
    bool elsewhere = false; /* some sink takes the row all the same */
    for (uint32_t i = 0; i < def->sink_count; i++)
        elsewhere = elsewhere || def->sinks[i].mode != SINK_UPSERT;
    for (uint32_t i = 0; i < def->sink_count; i++) {
        const struct sink_def *sink = &def->sinks[i];
        for (uint32_t k = 0; sink->mode == SINK_UPSERT && k < sink->key_count; k++) {
            int index = type_field(out->schema, str_of(sink->key[k]), true);
            const struct column *column = index < 0 ? NULL : &out->columns[index];
            for (uint32_t row = 0; column && out->offset && column_null_count(column) && row < out->rows;
                 row++) {
                struct topic_bad bad;
                const struct stream_input *input = &u->run->stream->inputs[u->current_input];
                if (!column_is_null(column, row) ||
                    !topic_decoder_find(u->decoders[input->scan], out->offset[row], &bad))
                    continue;
                char reason[256];
                int n = snprintf(reason, sizeof reason, "the key column \"%s\" of \"%s\" is NULL",
                                 sink->key[k], sink->name);
                bad.reason = str_n(reason, (size_t)n < sizeof reason ? (size_t)n : sizeof reason - 1);
                bad.path = str_of(sink->key[k]);
                bad.delivered = elsewhere;
                on_bad_record(u, &bad);
            }
        }
    }
}

struct misfits {
    struct unit *unit;
    const struct batch *out;
    struct pool *pool; /* of json, with the first row that needs it */
    struct json_encoder *json;
    struct sbuf text;
};

/* What there is of the row itself. */
static struct str row_text(struct misfits *to, uint32_t row)
{
    struct err ignored;
    if (to->pool == NULL) {
        to->pool = pool_new(NULL, "misfits");
        to->json = json_encoder_new(to->pool, to->out->schema, NULL, &ignored);
    }
    sbuf_clear(&to->text);
    if (to->json)
        json_encode(to->json, to->out, row, row + 1, 0, &to->text, NULL);
    return sbuf_view(&to->text);
}

static void on_misfit(void *arg, uint32_t row, struct str path, struct str reason) ON(work)
{
    struct misfits *to = arg;
    struct unit *u = to->unit;
    struct stream *s = u->run->stream;
    const struct stream_input *input = &s->inputs[u->current_input];
    struct topic_bad bad = {0};
    if (s->job)
        bad.value = row_text(to, row);
    else if (to->out->offset == NULL ||
             !topic_decoder_find(u->decoders[input->scan], to->out->offset[row], &bad))
        bad = (struct topic_bad){.partition = input->partition,
                                 .offset = to->out->offset ? to->out->offset[row] : 0};
    bad.path = path;
    bad.reason = reason;
    bad.delivered = s->def->sink_count > 1;
    if (s->job)
        on_bad_result(u, &bad);
    else
        on_bad_record(u, &bad);
}

/* Does the run bring rows to the sink of bad records, or may it not let one pass? */
static bool tells_of_bad(const struct run *run) ON(work)
{
    LIST_EACH(link, &run->members)
    if (CONTAINER_OF(link, struct member, run_link)->wants == WANTS_BAD)
        return true;
    return run->stream->def->conf->bad.mode == CONF_REJECTS_FAIL;
}

/* Rows that the schema of an output topic does not take are left out there, and reported: of all sinks of the stream, as the sink of bad records
 * may stand in another run than they. */
static bool report_misfits(struct unit *u, struct err *err) ON(work)
{
    const struct stream *s = u->run->stream;
    struct misfits to = {.unit = u, .out = u->out[WANTS_ROWS]};
    bool all = tells_of_bad(u->run), ok = true;
    for (uint32_t i = 0; ok && i < s->member_count; i++) {
        struct member *m = s->members[i];
        if (m->topic && m->wants == WANTS_ROWS && (all || m->run == u->run))
            ok = topic_writer_misfits(m->writer, to.out, on_misfit, &to, err);
    }
    pool_free(to.pool);
    sbuf_fini(&to.text);
    return ok;
}

/* bad: fail. */
static bool refuse_bad(struct unit *u, const char *topic, struct err *err) ON(work)
{
    const struct stream_def *def = u->run->stream->def;
    struct arena arena = {0};
    batch_builder_finish(&u->bad_builder);
    struct value reason = column_value(&(u->run->stream->job ? u->own : u->bad)->columns[BAD_REASON], 0,
                                       &arena);
    if (topic)
        err_set(err, ERR_FATAL, "a record of topic \"%s\" cannot be used: %.*s", topic, STR_ARG(reason.str));
    else
        err_set(err, ERR_FATAL, "a row cannot be written: %.*s", STR_ARG(reason.str));
    arena_fini(&arena);
    return err_hint(err, "The stream says bad: fail; without it such records go to %s_bad.", def->name);
}

static uint32_t rows_from(const struct batch *batch, int64_t offset)
{
    uint32_t n = 0;
    for (uint32_t row = 0; batch && row < batch->rows; row++)
        n += batch->offset == NULL || batch->offset[row] >= offset;
    return n;
}

/* Each record counts once, however many runs read it. */
static void count(struct unit *u, uint32_t k, const struct reading *reading) ON(work)
{
    struct stream *s = u->run->stream;
    if (reading->next <= s->counted[k])
        return;
    if (s->job) { /* its turn has counted all but what sinks cannot take */
        counter_add(&s->counters.bad, u->bad_fresh);
        s->counted[k] = reading->next;
        return;
    }
    counter_add(&s->counters.rows_in, rows_from(u->in, u->uncounted) + u->undecoded);
    counter_add(&s->counters.rows_out, rows_from(u->out[WANTS_ROWS], u->uncounted));
    counter_add(&s->counters.bad, u->bad_fresh);
    counter_add(&s->counters.bytes_in, reading->records.n);
    s->counted[k] = reading->next;
}

static bool compute(struct run *run, struct unit *u, uint32_t k, const struct log_slice *slice,
                    struct reading *reading, struct err *err) ON(work)
{
    struct stream *s = run->stream;
    const struct stream_input *input = &s->inputs[k];
    u->current_input = k;
    TRY(reading_of(s->inputs, s->input_count, run->next, k, slice, reading, err));
    u->rejection.known = false;
    if (s->job) { /* computed already, once, by the job's turn */
        TRY(job_outbox_read(slice, run->next[k], (struct batch *const[]){u->in, u->bad, u->late}, u->out,
                            err));
        TRY(u->out[WANTS_ROWS] == NULL || report_misfits(u, err));
        return !(u->bad_open && s->def->conf->bad.mode == CONF_REJECTS_FAIL) || refuse_bad(u, NULL, err);
    }
    u->attempt = reading->attempt;
    u->rejection = reading->rejection;
    u->uncounted = input->replayed ? 0 : s->counted[k];
    TRY(unit_compile(u, s, err));
    TRY(decode(u, input, reading, err));
    struct eval_context context = {.zone = s->engine->project->zone, .now = os_wall()};
    os_random(&context.seed, sizeof context.seed);
    const struct op_msg msg = {.kind = OP_BATCH, .batch = u->in};
    const struct pipeline_output output = {on_result, on_bad_row, u};
    pipeline_push(u->pipeline, &context, input->scan, &msg, &output);
    if (u->own_open)
        batch_builder_finish(&u->own_builder);
    if (u->out[WANTS_ROWS]) {
        report_lacking_keys(u);
        TRY(report_misfits(u, err));
    }
    return !(u->bad_open && s->def->conf->bad.mode == CONF_REJECTS_FAIL) ||
           refuse_bad(u, input->topic->def->name, err);
}

static void wait_for_more(struct run *run) ON(work)
{
    struct stream *s = run->stream;
    for (uint32_t i = 0; i < s->input_count; i++) {
        int64_t end = log_stable(s->inputs[i].log);
        if (run->next[i] < end && !timer_is_set(&run->sync_timer)) /* written, and not synced yet */
            timer_set_in(&run->sync_timer, SYNC_LOOK_MS * NS_PER_MS);
        log_wait_cancel(&run->waits[i]);
        log_wait_stable(s->inputs[i].log, &run->waits[i], &run->waker, end);
    }
}

static void merge_into_others(struct run *run) ON(work);

/* What the run was to read cannot be read: others, further on, are not concerned. */
static void stop_members(struct run *run, const struct err *err) ON(work)
{
    struct err copy = *err;
    copy.class = ERR_FATAL;
    while (run->member_count) {
        struct member *m = CONTAINER_OF(run->members.next, struct member, run_link);
        if (m->runner)
            sink_runner_flush(m->runner, false); /* what was delivered is good, and stays */
        member_fail(m, &copy);
    }
}

/* The first two thirds of a row's way from a topic to its tables. True: there may be more. */
static bool run_turn(struct task *task) ON(work)
{
    struct run *run = CONTAINER_OF(task, struct run, task);
    struct log_slice slice;
    struct reading reading;
    struct err err;
    uint32_t k;
    bool failed = false;
    if (run->member_count == 0 || stream_waits_for_schema(run->stream) ||
        (run->unread && timer_is_set(&run->sync_timer)))
        return false;
    struct unit *u = unit_take(run);
    if (u == NULL) {
        if (!timer_is_set(&run->lag_timer))
            timer_set_in(&run->lag_timer, RUN_LAG_MS * NS_PER_MS);
        return false;
    }
    run->at_end = !find_slice(run, &k, &slice, &err, &failed);
    if (run->at_end && !failed) {
        unit_give(u);
        task_cancel(&run->task); /* the unit's return woke us, for nothing */
        wait_for_more(run);
        merge_into_others(run);
        engine_look_quiet(run->stream->engine);
        return false;
    }
    if (failed) {
        unit_give(u);
        task_cancel(&run->task);
        run->unread = err.class == ERR_RETRY;
        if (run->unread)
            stream_retry(run->stream, &err, &run->sync_timer);
        else
            stop_members(run, &err);
        return false;
    }
    bool ok = compute(run, u, k, &slice, &reading, &err);
    buf_unref(slice.buf);
    if (!ok &&
        err.class == ERR_RETRY) { /* a record's schema is not known yet: all wait for it, in their order */
        unit_give(u);
        task_cancel(&run->task);
        run->unread = true;
        stream_ask_again(run->stream, &err, &run->sync_timer);
        return false;
    }
    if (!ok) {
        unit_give(u);
        stream_stop(run->stream, &err);
        return false;
    }
    if (run->unread)
        stream_works(run->stream);
    run->unread = false;
    if (stream_waits_for_schema(run->stream)) { /* read again when the columns that it brought are durable */
        unit_give(u);
        task_cancel(&run->task);
        return false;
    }
    count(u, k, &reading);
    run->next[k] = reading.next;
    deliver(run, u);
    return true;
}

/* ---- coming and going ---------------------------------------------------------------------------------------------- */

/* Runs are few and are used again: wakers and tasks may still be on their way to one that has ended. */
static struct run *run_new(struct stream *s) ON(work)
{
    LIST_EACH(link, &s->runs)
    {
        struct run *run = CONTAINER_OF(link, struct run, link);
        if (run->member_count == 0)
            return run;
    }
    struct run *run = mem_new(sizeof *run);
    run->stream = s;
    list_init(&run->members);
    run->next = mem_new_array(int64_t, s->input_count);
    run->waits = mem_new_array(struct log_wait, s->input_count);
    for (uint32_t i = 0; i < s->input_count; i++)
        list_init(&run->waits[i].link);
    task_init(&run->task, run_turn);
    waker_init(&run->waker, loop_current(), &run->task);
    timer_init(&run->lag_timer, on_lag);
    timer_init(&run->sync_timer, on_sync);
    list_push_back(&s->runs, &run->link);
    return run;
}

static void join(struct run *run, struct member *m) ON(work)
{
    list_push_back(&run->members, &m->run_link);
    run->member_count++;
    m->run = run;
    task_wake(&run->task);
}

void run_place(struct member *m, const int64_t *positions)
{
    struct stream *s = m->stream;
    size_t size = s->input_count * sizeof *positions;
    LIST_EACH(link, &s->runs)
    {
        struct run *run = CONTAINER_OF(link, struct run, link);
        if (run->member_count && memcmp(run->next, positions, size) == 0) {
            join(run, m);
            return;
        }
    }
    struct run *run = run_new(s);
    memcpy(run->next, positions, size);
    join(run, m);
}

/* The units become nobody's: those that are out are freed when they come home. */
static void drop_units(struct run *run) ON(work)
{
    for (uint32_t i = 0; i < run->unit_count; i++) {
        struct unit *u = run->units[i];
        u->run = NULL;
        if (u->out_count == 0)
            unit_free(u);
    }
    run->unit_count = 0;
    run->free_units = NULL;
    timer_cancel(&run->lag_timer);
    timer_cancel(&run->sync_timer);
}

void run_leave(struct member *m)
{
    struct run *run = m->run;
    if (run == NULL)
        return;
    list_remove(&m->run_link);
    m->run = NULL;
    if (--run->member_count > 0) {
        task_wake(&run->task);
        return;
    }
    drop_units(run);
    for (uint32_t i = 0; i < run->stream->input_count; i++)
        log_wait_cancel(&run->waits[i]);
}

static void on_sync(struct timer *timer)
{
    struct run *run = CONTAINER_OF(timer, struct run, sync_timer);
    task_wake(&run->task);
}

/* All units have been out for RUN_LAG_MS. Members that hold them all go on alone, if there are others that do not. */
static void on_lag(struct timer *timer) ON(work)
{
    struct run *run = CONTAINER_OF(timer, struct run, lag_timer);
    struct member *slow = NULL;
    uint32_t quick = 0;
    LIST_EACH(link, &run->members)
    {
        struct member *m = CONTAINER_OF(link, struct member, run_link);
        if (m->in_flight == 0)
            quick++;
        else if (slow == NULL || m->in_flight > slow->in_flight)
            slow = m;
    }
    if (slow == NULL || run->member_count < 2)
        return;
    if (quick == 0) { /* all are behind; the others may soon not be */
        timer_set_in(&run->lag_timer, RUN_LAG_MS * NS_PER_MS);
        return;
    }
    drop_units(run);
    list_remove(&slow->run_link);
    run->member_count--;
    struct run *own = run_new(run->stream);
    memcpy(own->next, run->next, run->stream->input_count * sizeof *run->next);
    join(own, slow);
    task_wake(&run->task);
}

/* At the end of the inputs: members whose run stands where another does join that one, unless they are still busy. */
static void merge_into_others(struct run *run) ON(work)
{
    struct stream *s = run->stream;
    LIST_EACH(link, &s->runs)
    {
        struct run *other = CONTAINER_OF(link, struct run, link);
        if (other == run || other->member_count == 0 ||
            memcmp(other->next, run->next, s->input_count * sizeof *run->next) != 0)
            continue;
        for (struct list *at = run->members.next, *after; at != &run->members; at = after) {
            struct member *m = CONTAINER_OF(at, struct member, run_link);
            after = at->next;
            if (m->in_flight)
                continue;
            run_leave(m);
            join(other, m);
        }
        return;
    }
}

static bool run_is_idle(const struct run *run) ON(work)
{
    const struct stream *s = run->stream;
    if (run->member_count == 0)
        return true;
    for (uint32_t i = 0; i < s->input_count; i++)
        if (run->next[i] < log_stable(s->inputs[i].log))
            return false;
    for (uint32_t i = 0; i < run->unit_count; i++)
        if (run->units[i]->out_count)
            return false;
    return true;
}

bool stream_runs_are_idle(const struct stream *s)
{
    LIST_EACH(link, &s->runs)
    if (!run_is_idle(CONTAINER_OF(link, struct run, link)))
        return false;
    return true;
}

void run_ask_again(struct stream *s)
{
    LIST_EACH(link, &s->runs)
    {
        struct run *run = CONTAINER_OF(link, struct run, link);
        if (run->unread)
            timer_cancel(&run->sync_timer);
        task_wake(&run->task);
    }
}

void run_wake_all(struct stream *s)
{
    LIST_EACH(link, &s->runs)
    task_wake(&CONTAINER_OF(link, struct run, link)->task);
}

void run_free_all(struct stream *s) UNSHARED
{
    for (struct list *link; (link = list_pop_front(&s->runs)) != NULL;) {
        struct run *run = CONTAINER_OF(link, struct run, link);
        for (uint32_t i = 0; i < s->input_count; i++)
            log_wait_cancel(&run->waits[i]);
        for (uint32_t i = 0; i < run->unit_count; i++)
            unit_free(run->units[i]);
        mem_free(run->next);
        mem_free(run->waits);
        mem_free(run);
    }
}

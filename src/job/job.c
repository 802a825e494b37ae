/* Stateful streams. One turn is one frame, or a group of frames that is valid only with its last (group.h):
 *
 *     topic_read → topic_decode → pipeline (state) → frame(positions, outbox rows, bad rows, changelog of the state)
 *
 * So the state, what was read and what was put out can never disagree, whatever the program's version or the order of things: a restart loads
 * the newest checkpoint, applies the changelog from there, and goes on. Nothing is computed twice.
 *
 *     __outbox.<stream>      what the turns put out; the stream's sinks read it like any topic. A record is a small Parquet file of one
 *                            batch, so every type survives; its key is "rows" (with the change kinds as a last column), "bad" or "late"
 *     __changelog.<stream>   the state's changes, in one record for each turn or several: all but the last have a key
 *     stream/<s>/turn        the turn's number and, for each input partition, the next offset to read
 *     stream/<s>/checkpoint  the two newest checkpoints: file, turn, first changelog offset that is not in it
 *
 * A checkpoint is a snapshot of the whole state in one file, synced with its folder before a frame names it. Two are kept; the changelog is kept
 * since the older one, so that a damaged newest checkpoint costs time and nothing else. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "format/parquet.h"
#include "job/checkpoint.h"
#include "job/engine_private.h"
#include "job/engine_struct.h"
#include "job/group.h"
#include "job/ran.h"
#include "obs/event.h"

enum {
    TURN_SLICES = 16, /* log slices of one turn at most: turns are short when idle and grow under backlog, */
    TURN_BYTES = 8 << 20, /* and take in no more when they have put out so much */
    RESTORE_TRIES = 5,    /* a disk that says EIO so often of a checkpoint will not give it any more */
    OUTBOX_KEPT_MS = 3600 * 1000, /* for sinks that are added later */
};
static const char CHANGE_COLUMN[] = "_change";

struct job {
    struct stream *stream;
    struct pool *pool; /* of the pipeline */
    struct pipeline *pipeline;
    struct topic_decoder **decoders;
    uint32_t plan_version;
    uint64_t fingerprint; /* of the plan */
    struct topic_state *outbox;
    struct log *changelog;
    int64_t *next OWNED_BY(work); /* next offset of each source */
    int64_t turn OWNED_BY(work);
    uint32_t turn_source; /* where the search for input begins */
    struct log_pin *pins; /* on the sources */

    struct log_pin outbox_pin; /* until the sinks have their own */

    struct task task;
    struct waker waker;
    struct timer retry OWNED_BY(work);
    struct log_wait *waits;
    struct frame *frame;
    bool frame_busy OWNED_BY(work),
        frame_refused OWNED_BY(work), started OWNED_BY(work), stopped OWNED_BY(work);
    struct log_wait room_wait;

    /* of the turn that is being made */
    struct batch *in;
    struct rejects {
        struct batch *batch;
        struct batch_builder builder;
        bool open;
    } bad, late;
    uint32_t source; /* whose rows are being pushed */
    int32_t attempt; /* of those, if they are replayed */
    uint32_t bad_count,
        undecoded;      /* of the slice that is being computed; undecoded: those that are no row of `in` */
    bool unread;        /* the last slice could not be read, so it is not in the state */
    bool new_columns;   /* the turn ends before a slice that brings some, or for whose topic others have */
    struct group group; /* what it puts out */
    bool last;          /* the frame in flight is its last */
    struct sbuf text;
    bool failed;
    struct err err;

    struct checkpoint checkpoints[CHECKPOINTS_KEPT]; /* newest first; turn 0 = none */
    uint32_t tries;                                  /* of restoring it */
    struct mono_time checkpointed;
    int64_t checkpoint_turn;   /* that the frame in flight names; 0 = none */
    struct checkpoint dropped; /* whose file goes when that frame is durable */
};

/* ---- outbox records ------------------------------------------------------------------------------------------------------ */

static bool write_text(void *arg, const void *p, size_t n, struct err *err)
{
    (void)err;
    sbuf_add(arg, p, n);
    return true;
}

/* rows first .. first + rows of the batch as a small Parquet file; with_change: and its change kinds as the last column. */
static bool outbox_encode(struct sbuf *out, const struct batch *batch, uint32_t first, uint32_t rows,
                          bool with_change, struct err *err)
{
    struct pool *pool = pool_new(NULL, "outbox");
    struct arena *arena = pool_arena(pool);
    uint32_t count = batch->schema->field_count;
    struct field *fields = arena_array(arena, struct field, count + 1);
    struct batch wide = *batch;
    memcpy(fields, batch->schema->fields, count * sizeof *fields);
    fields[count] = (struct field){CHANGE_COLUMN, type_simple(TYPE_BYTE), false, NULL};
    wide.schema = type_struct(arena, fields, count + with_change);
    wide.columns = arena_array(arena, struct column, count + 1);
    memcpy(wide.columns, batch->columns, count * sizeof *wide.columns);
    column_layout(&wide.columns[count], fields[count].type, batch->rows, arena);
    if (batch->change)
        memcpy(wide.columns[count].data, batch->change, batch->rows);
    const struct parquet_writer_options options = {
        .codec = CODEC_NONE, .no_statistics = true, .no_page_index = true, .encoding = PARQUET_PLAIN};
    struct parquet_writer *w = parquet_writer_new(pool, wide.schema, &options,
                                                  (struct parquet_output){write_text, out}, err);
    bool ok = w && parquet_writer_batch(w, &wide, NULL, first, rows, err) &&
              parquet_writer_finish(w, NULL, err);
    pool_free(pool);
    return ok;
}

static bool read_memory(void *arg, uint64_t offset, size_t n, uint8_t *out, struct err *err)
{
    (void)err;
    memcpy(out, ((const struct str *)arg)->p + offset, n);
    return true;
}

/* Appends the rows of one record to the builder's batch (begun by the first). */
static bool outbox_decode(struct str bytes, bool with_change, struct batch *into,
                          struct batch_builder *builder, bool *open, struct sbuf *changes, struct err *err)
{
    struct pool *pool = pool_new(NULL, "outbox");
    struct batch *batch = batch_new();
    const struct parquet_source source = {bytes.n, read_memory, &bytes};
    struct parquet_file *file = parquet_open(pool, &source, err);
    struct parquet_scan *scan = file ? parquet_scan_new(pool, file, NULL, err) : NULL;
    bool ok = scan != NULL, end = false;
    while (ok) {
        ok = parquet_scan_next(scan, batch, &end, err);
        if (!ok || end)
            break;
        uint32_t count = batch->schema->field_count - with_change;
        if (with_change)
            sbuf_add(changes, batch->columns[count].data, batch->rows);
        if (!*open) {
            const struct type *schema = type_struct(&into->arena, batch->schema->fields, count);
            batch_builder_init(builder, into, type_copy(&into->arena, schema));
        }
        *open = true;
        batch->schema = type_struct(&batch->arena, batch->schema->fields, count);
        for (uint32_t row = 0; row < batch->rows; row++)
            batch_builder_row(builder, batch, row);
    }
    batch_free(batch);
    pool_free(pool);
    return ok;
}

/* The keys of outbox records, by what sinks take. */
static const char *const outbox_keys[WANTS] = {"rows", "bad", "late"};

bool job_outbox_read(const struct log_slice *slice, int64_t from, struct batch *const in[],
                     const struct batch *out[], struct err *err)
{
    struct batch_builder builders[WANTS];
    struct sbuf changes = {0};
    bool open[WANTS] = {false}, ok = true;
    for (int i = 0; i < WANTS; i++)
        batch_reset(in[i]);
    for (size_t at = 0; ok && at < slice->n;) {
        struct records_reader reader;
        struct record record;
        struct buf *scratch;
        bool more = true;
        ok = records_open(slice->p + at, slice->n - at, NULL, &scratch, &reader, err);
        at += ok ? reader.batch.size : 0;
        while (ok && (ok = records_next(&reader, &record, &more, err)) && more) {
            int i = WANTS - 1;
            while (i > 0 && !str_is(record.key, outbox_keys[i]))
                i--;
            if (record.offset >= from && record.offset < slice->next_offset)
                ok = outbox_decode(record.value, i == WANTS_ROWS, in[i], &builders[i], &open[i], &changes,
                                   err);
        }
    }
    for (int i = 0; ok && i < WANTS; i++)
        if (open[i]) {
            batch_builder_finish(&builders[i]);
            out[i] = in[i];
        }
    if (ok && open[WANTS_ROWS])
        in[WANTS_ROWS]->change = arena_dup(&in[WANTS_ROWS]->arena, changes.p, changes.n);
    sbuf_fini(&changes);
    return ok;
}

/* As few records as GROUP_RECORD_BYTES allows. */
static bool put_rows(struct job *job, enum wants what, const struct batch *batch, struct err *err)
{
    uint32_t count = batch->rows;
    for (uint32_t first = 0; first < batch->rows; first += count) {
        count = count < batch->rows - first ? count : batch->rows - first;
        for (;; count = (count + 1) / 2) {
            sbuf_clear(&job->text);
            TRY(outbox_encode(&job->text, batch, first, count, what == WANTS_ROWS, err));
            if (job->text.n <= GROUP_RECORD_BYTES || count == 1)
                break;
        }
        TRY(group_add(&job->group, GROUP_OUTBOX, str_of(outbox_keys[what]), sbuf_view(&job->text), err));
    }
    return true;
}

static void put_record(struct job *job, enum wants what, const struct batch *batch)
{
    if (!job->failed)
        job->failed = !put_rows(job, what, batch, &job->err);
}

/* The state's changes, each piece behind the fingerprint of the query; a key says that more follows. */
static bool put_changes(struct job *job, struct err *err)
{
    struct sbuf changes = {0}, *text = &job->text;
    char fingerprint[8];
    bool ok = true;
    pipeline_changelog(job->pipeline, &changes);
    put_be64(fingerprint, job->fingerprint);
    for (size_t at = 0, n; ok && at < changes.n && !job->stream->engine->faults.no_changelog; at += n) {
        n = changes.n - at < GROUP_RECORD_BYTES ? changes.n - at : GROUP_RECORD_BYTES;
        sbuf_clear(text);
        sbuf_add(text, fingerprint, sizeof fingerprint);
        sbuf_add(text, changes.p + at, n);
        ok = group_add(&job->group, GROUP_CHANGELOG, at + n < changes.n ? STR("more") : (struct str){0},
                       sbuf_view(text), err);
    }
    sbuf_fini(&changes);
    return ok;
}

static void on_result(void *arg, struct batch *batch)
{
    struct job *job = arg;
    if (batch->rows)
        put_record(job, WANTS_ROWS, batch);
    counter_add(&job->stream->counters.rows_out, batch->rows);
}

/* bad: fail or late: fail. The turn is not made durable: with the cause gone, the next start computes it again. */
static void refuse_record(struct job *job, const struct topic_bad *bad)
{
    if (job->failed)
        return;
    job->failed = true;
    err_set(&job->err, ERR_FATAL, "a record of topic \"%s\" (partition %d, offset %lld) cannot be used: %.*s",
            job->stream->sources[job->source].topic->def->name, bad->partition, (long long)bad->offset,
            STR_ARG(bad->reason));
    err_hint(&job->err, "The stream says `fail`; without it such records go to %s_bad.",
             job->stream->def->name);
}

static void reject(struct job *job, struct rejects *to, int mode, const struct topic_bad *bad)
{
    job->bad_count++;
    if (mode == CONF_REJECTS_FAIL)
        refuse_record(job, bad);
    if (mode != CONF_REJECTS_KEEP)
        return;
    if (!to->open)
        batch_builder_init(&to->builder, to->batch, bad_schema());
    to->open = true;
    bad_row_add(&to->builder, job->stream->sources[job->source].topic->def->name, job->attempt, bad);
}

static void on_bad_record(void *arg, const struct topic_bad *bad)
{
    struct job *job = arg;
    reject(job, &job->bad, job->stream->def->conf->bad.mode, bad);
}

static void on_undecoded(void *arg, const struct topic_bad *bad)
{
    struct job *job = arg;
    job->undecoded += !bad->delivered;
    on_bad_record(job, bad);
}

static void on_unknown(void *arg, struct str path)
{
    (void)path;
    ((struct job *)arg)->new_columns = true;
}

static void on_bad_row(void *arg, const struct op_bad_row *row)
{
    struct job *job = arg;
    const struct stream_input *source = &job->stream->sources[job->source];
    struct topic_bad bad;
    if (!topic_decoder_find(job->decoders[source->scan], row->offset, &bad))
        bad = (struct topic_bad){.partition = row->partition, .offset = row->offset};
    bad.reason = str_of(row->late ? "the watermark has passed it" : row->reason);
    if (row->late)
        reject(job, &job->late, job->stream->def->conf->late.mode, &bad);
    else
        on_bad_record(job, &bad);
}

/* ---- checkpoints --------------------------------------------------------------------------------------------------------- */

static char *path_of(struct job *job, struct arena *arena, int64_t turn)
{
    return checkpoint_path(arena, job->stream->engine->project->data, job->stream->def->name, turn);
}

static bool write_checkpoint(struct job *job, struct err *err) ON(work)
{
    const struct stream *s = job->stream;
    struct arena arena = {0};
    struct sbuf state = {0};
    struct checkpoint_input *inputs = arena_array(&arena, struct checkpoint_input, s->source_count);
    for (uint32_t k = 0; k < s->source_count; k++) {
        inputs[k] = (struct checkpoint_input){.partition = s->sources[k].partition, .next = job->next[k]};
        memcpy(inputs[k].topic, log_topic(s->sources[k].log)->id, sizeof inputs[k].topic);
    }
    pipeline_snapshot(job->pipeline, &state);
    const struct checkpoint_data data = {job->fingerprint, job->turn, inputs, s->source_count,
                                         sbuf_view(&state)};
    bool ok = checkpoint_write(path_of(job, &arena, job->turn), &data, err);
    sbuf_fini(&state);
    arena_fini(&arena);
    return ok;
}

/* Why the state is not of today's plan. */
static bool other_state(struct job *job, struct err *err)
{
    const struct stream *s = job->stream;
    struct arena arena = {0};
    struct sbuf sql = {0};
    struct ran ran;
    project_query_text(s->engine->project, s->def, &sql);
    bool same = ran_get(s->engine->store, &arena, s->def->name, &ran) && str_eq(ran.sql, sbuf_view(&sql));
    sbuf_fini(&sql);
    arena_fini(&arena);
    if (!same) {
        err_set(err, ERR_FATAL, "the state of stream \"%s\" was made by another query", s->def->name);
        return err_hint(err, "Give the changed query a new stream name, or put the old query back.");
    }
    err_set(err, ERR_FATAL, "the state of stream \"%s\" holds columns of its topics that are others now",
            s->def->name);
    return err_hint(
        err,
        "Of new fields: name the old ones in the query, in their order. Of another type: give the stream a new name.");
}

/* ERR_DATA: damaged. ERR_RETRY: it could not be read now. ERR_FATAL: of another query. */
static bool read_checkpoint(struct job *job, int64_t turn, struct err *err)
{
    struct arena arena = {0};
    struct sbuf file = {0};
    struct checkpoint_data data;
    bool ok = checkpoint_read(&arena, path_of(job, &arena, turn), &file, &data, err);
    if (!ok && err->code == EIO && job->tries >= RESTORE_TRIES)
        err->class = ERR_DATA;
    if (!ok && err->class == ERR_DATA)
        err_hint(
            err,
            "Restore the data folder from a copy, or give the stream a new name: it then begins anew with what its topics hold.");
    ok = ok && (data.fingerprint == job->fingerprint || other_state(job, err)) &&
         pipeline_restore(job->pipeline, data.state, err);
    sbuf_fini(&file);
    arena_fini(&arena);
    return ok;
}

/* Between turns: a snapshot to disk, then a frame that names it and lets the changelog before the older one go. */
static bool make_checkpoint(struct job *job, struct err *err) ON(work)
{
    TRY(write_checkpoint(job, err));
    job->dropped = job->checkpoints[CHECKPOINTS_KEPT - 1];
    memmove(&job->checkpoints[1], &job->checkpoints[0], (CHECKPOINTS_KEPT - 1) * sizeof job->checkpoints[0]);
    job->checkpoints[0] = (struct checkpoint){job->turn, log_end(job->changelog)};
    frame_reset(job->frame);
    job->frame->internal = true;
    job->last = true;
    checkpoints_put(job->frame, job->stream->def->name, job->checkpoints);
    if (job->checkpoints[CHECKPOINTS_KEPT - 1].turn)
        frame_log_truncate_before(job->frame, job->changelog,
                                  job->checkpoints[CHECKPOINTS_KEPT - 1].changelog);
    job->checkpointed = os_mono();
    job->checkpoint_turn = job->turn;
    return true;
}

/* Gathers the pieces of a turn's changes, and applies them with the last. */
static bool apply_record(struct job *job, const struct record *record, struct sbuf *changes, struct err *err)
{
    if (record->value.n < 8)
        return true;
    TRY(get_be64(record->value.p) == job->fingerprint || other_state(job, err));
    sbuf_add(changes, record->value.p + 8, record->value.n - 8);
    if (record->key.p)
        return true;
    bool ok = pipeline_apply(job->pipeline, sbuf_view(changes), err);
    sbuf_clear(changes);
    return ok;
}

static bool apply_slice(struct job *job, const struct log_slice *slice, int64_t from, int64_t until,
                        struct sbuf *changes, struct err *err)
{
    for (size_t i = 0; i < slice->n;) {
        struct records_reader reader;
        struct record record;
        struct buf *scratch;
        bool more = true;
        TRY(records_open(slice->p + i, slice->n - i, NULL, &scratch, &reader, err));
        i += reader.batch.size;
        while (more) {
            TRY(records_next(&reader, &record, &more, err));
            if (more && record.offset >= from && record.offset < until)
                TRY(apply_record(job, &record, changes, err));
        }
    }
    return true;
}

static bool apply_changelog(struct job *job, int64_t from, struct err *err)
{
    struct sbuf changes = {0};
    int64_t until, at = group_valid(&job->group, GROUP_CHANGELOG, from, &until);
    bool ok = true;
    while (ok && at < until) {
        struct log_slice slice;
        ok = log_read(job->changelog, at, RUN_SLICE_BYTES, &slice, err);
        if (!ok)
            break;
        ok = slice.n > 0 || err_set(err, ERR_FATAL, "the changelog ends at %lld", (long long)at);
        ok = ok && apply_slice(job, &slice, at, until, &changes, err);
        at = group_valid(&job->group, GROUP_CHANGELOG, slice.next_offset < until ? slice.next_offset : until,
                         &until);
        buf_unref(slice.buf);
    }
    sbuf_fini(&changes);
    return ok;
}

static bool compile(struct job *job, struct err *err);

/* The newest checkpoint that can be read, and the changelog since. Those that cannot be read do not count any more. */
static bool restore(struct job *job, struct err *err)
{
    struct checkpoint *kept = job->checkpoints;
    uint32_t known = checkpoints_get(job->stream->engine->store, job->stream->def->name, kept), left = known;
    int64_t from = log_start(job->changelog);
    bool ok = true;
    for (; left > 0; left--) {
        from = kept[0].changelog;
        ok = read_checkpoint(job, kept[0].turn, err);
        if (ok || err->class != ERR_DATA)
            break;
        event_log(EVENT_CHECKPOINT_DAMAGE, job->stream->def->name, "%s; %s", err->text,
                  left > 1 ? "the one before it is used" : "there is none before it");
        memmove(&kept[0], &kept[1], (CHECKPOINTS_KEPT - 1) * sizeof *kept);
        kept[CHECKPOINTS_KEPT - 1] = (struct checkpoint){0};
        job->plan_version = 0; /* half restored: a pipeline anew */
        TRY(compile(job, err));
    }
    if (known == 0 && from > 0)
        ok = err_set(err, ERR_FATAL, "the changelog begins at %lld and no checkpoint is known",
                     (long long)from);
    if (left == 0 && known > 0 && from > 0 && log_start(job->changelog) == 0) {
        ok = true; /* the changelog still holds everything */
        from = 0;
    }
    ok = ok && apply_changelog(job, from, err);
    return ok || err_context(err, "state of stream \"%s\"", job->stream->def->name);
}

/* Files of checkpoints that no frame came to name: the life that wrote them ended in between. */
static void remove_unnamed_checkpoints(struct job *job)
{
    struct arena arena = {0};
    char **names, *folder = path_of(job, &arena, 0);
    size_t count = 0;
    *strrchr(folder, '/') = '\0';
    if (!os_list(folder, &arena, &names, &count, NULL))
        count = 0;
    for (size_t i = 0; i < count; i++) {
        bool named = false;
        for (int k = 0; k < CHECKPOINTS_KEPT; k++)
            named = named || (job->checkpoints[k].turn && atoll(names[i]) == job->checkpoints[k].turn &&
                              strlen(names[i]) == 20);
        if (!named)
            (void)!os_unlink(arena_printf(&arena, "%s/%s", folder, names[i]), NULL);
    }
    arena_fini(&arena);
}

/* ---- the turn ---------------------------------------------------------------------------------------------------------------- */

/* A pipeline for the stream's plan of today, between turns; the state of the one before goes over to it, if it is of the same. */
static bool compile(struct job *job, struct err *err)
{
    struct stream *s = job->stream;
    struct pipeline *pipeline;
    struct sbuf state = {0};
    bool had = job->pipeline != NULL && job->plan_version != 0;
    if (job->plan_version == s->plan_version)
        return true;
    struct pool *pool = pool_new(s->pool, "job");
    uint64_t fingerprint = state_fingerprint(s->plan);
    bool ok = pipeline_new(pool, s->plan, &pipeline, err) &&
              (!had || fingerprint == job->fingerprint || other_state(job, err));
    if (!ok) {
        pool_free(pool);
        return false;
    }
    if (had)
        pipeline_snapshot(job->pipeline, &state);
    pool_free(job->pool);
    job->pool = pool;
    job->pipeline = pipeline;
    job->plan_version = s->plan_version;
    job->fingerprint = fingerprint;
    bool append = true;
    for (uint32_t i = 0; i < s->def->sink_count; i++)
        append = append && s->def->sinks[i].mode == SINK_APPEND;
    ok = pipeline_set_mode(job->pipeline, append ? OP_MODE_APPEND : OP_MODE_UPDATE, err);
    job->decoders = pool_alloc(job->pool, s->scan_count * sizeof *job->decoders);
    for (uint32_t i = 0; ok && i < s->scan_count; i++)
        for (uint32_t k = 0; ok && k < s->source_count; k++)
            if (s->sources[k].scan == i && job->decoders[i] == NULL)
                ok = topic_decoder_new(job->pool, s->sources[k].topic->def, s->sources[k].topic->schema,
                                       s->scans[i], &job->decoders[i], err);
    ok = ok && (!had || pipeline_restore(job->pipeline, sbuf_view(&state), err));
    sbuf_fini(&state);
    return ok;
}

static void push(struct job *job, uint32_t scan, const struct op_msg *msg)
{
    struct eval_context context = {.zone = job->stream->engine->project->zone, .now = os_wall()};
    os_random(&context.seed, sizeof context.seed);
    const struct pipeline_output output = {on_result, on_bad_row, job};
    pipeline_push(job->pipeline, &context, scan, msg, &output);
}

/* Decodes the records into job->in. A field that nobody knew widens the topic's schema: then new_columns is set, and it is as if
 * they had not been read. */
static bool decode(struct job *job, const struct stream_input *source, const struct reading *reading,
                   struct err *err) ON(work)
{
    const struct topic_report report = {on_undecoded, on_unknown, job};
    uint32_t rejected = job->bad.open ? batch_builder_rows(&job->bad.builder) : 0;
    bool grew = false;
    job->bad_count = job->undecoded = 0;
    job->new_columns = false;
    if (!topic_decode(job->decoders[source->scan], &reading->records, reading->partition, reading->from,
                      reading->until, job->in, &report, err)) {
        job->unread = err->class == ERR_RETRY; /* a record's schema is not known yet */
        job->new_columns = false;
        if (job->unread && job->bad.open)
            batch_builder_truncate(&job->bad.builder, rejected);
        return false;
    }
    if (job->new_columns)
        TRY(topic_state_grow(source->topic, job->decoders[source->scan], &reading->records, &grew, err));
    job->new_columns = grew || stream_plan_is_old(job->stream);
    if (job->new_columns && job->bad.open)
        batch_builder_truncate(&job->bad.builder, rejected);
    if (job->new_columns)
        job->failed = false;
    return true;
}

static bool compute(struct job *job, uint32_t k, const struct log_slice *slice, struct err *err) ON(work)
{
    struct stream *s = job->stream;
    struct reading reading;
    TRY(reading_of(s->sources, s->source_count, job->next, k, slice, &reading, err));
    job->source = k;
    job->attempt = reading.attempt;
    TRY(decode(job, &s->sources[k], &reading, err));
    if (job->new_columns)
        return true;
    push(job, s->sources[k].scan, &(struct op_msg){.kind = OP_BATCH, .batch = job->in});
    counter_add(&s->counters.rows_in, job->in->rows + job->undecoded);
    counter_add(&s->counters.bytes_in, reading.records.n);
    counter_add(&s->counters.bad, job->bad_count);
    job->next[k] = reading.next;
    if (job->failed)
        *err = job->err;
    return !job->failed;
}

/* One slice of one source into the pipeline. *any = false: no source has anything, or none that goes into this turn. */
static bool take_slice(struct job *job, bool *any, struct err *err) ON(work)
{
    struct stream *s = job->stream;
    *any = false;
    for (uint32_t i = 0; i < s->source_count; i++) {
        uint32_t k = (job->turn_source + i) % s->source_count;
        struct log_slice slice;
        if (job->next[k] >= log_stable(s->sources[k].log))
            continue;
        job->unread = !log_read_committed(s->sources[k].log, job->next[k], RUN_SLICE_BYTES, &slice, err);
        if (job->unread)
            return false;
        if (slice.n == 0)
            continue;
        bool ok = compute(job, k, &slice, err);
        buf_unref(slice.buf);
        job->turn_source = (k + 1) % s->source_count;
        *any = ok && !job->new_columns;
        return ok;
    }
    return true;
}

static void put_positions(struct job *job) ON(work)
{
    struct sbuf value = {0};
    turn_begin(&value, job->turn);
    for (uint32_t k = 0; k < job->stream->source_count; k++)
        turn_position(&value, job->stream->sources[k].input, job->stream->sources[k].partition, job->next[k]);
    turn_put(job->frame, job->stream->def->name, &value);
    sbuf_fini(&value);
}

/* *known = false: this is the first start. */
static void get_positions(struct job *job, bool *known) ON(work)
{
    struct sbuf value = {0};
    struct stream *s = job->stream;
    bool latest = s->def->conf->from == CONF_FROM_LATEST;
    for (uint32_t k = 0; k < s->source_count; k++)
        job->next[k] = latest ? log_end(s->sources[k].log) : log_start(s->sources[k].log);
    job->turn = turn_get(s->engine->store, s->def->name, &value);
    *known = value.n > 0;
    for (size_t at = 8; at + TURN_POSITION_BYTES <= value.n; at += TURN_POSITION_BYTES)
        for (uint32_t k = 0; k < s->source_count; k++)
            if (s->sources[k].input == (int32_t)get_be32(value.p + at) &&
                s->sources[k].partition == (int32_t)get_be32(value.p + at + 4))
                job->next[k] = (int64_t)get_be64(value.p + at + 8);
    sbuf_fini(&value);
}

static void put_rejects(struct job *job, enum wants what, struct rejects *rejects)
{
    if (!rejects->open)
        return;
    batch_builder_finish(&rejects->builder);
    put_record(job, what, rejects->batch);
}

/* What comes next of the turn, into the frame; with the last of it, what makes the turn valid. */
static bool next_frame(struct job *job, struct err *err) ON(work)
{
    frame_reset(job->frame);
    job->frame->internal = false; /* a checkpoint's was */
    TRY(group_next(&job->group, job->frame, &job->last, err));
    if (job->last)
        put_positions(job);
    return true;
}

/* The barrier, and what it brings. */
static bool end_turn(struct job *job, struct err *err) ON(work)
{
    job->turn++;
    job->bad_count = 0;
    push(job, 0, &(struct op_msg){.kind = OP_BARRIER, .turn = (uint64_t)job->turn});
    counter_add(&job->stream->counters.bad, job->bad_count);
    put_rejects(job, WANTS_BAD, &job->bad);
    put_rejects(job, WANTS_LATE, &job->late);
    if (job->failed) {
        *err = job->err;
        return false;
    }
    return put_changes(job, err) && next_frame(job, err);
}

static void frame_ended(struct frame *frame) ON(work);

static void submit(struct job *job) ON(work)
{
    job->frame->done = frame_ended;
    job->frame->arg = job;
    job->frame_busy = true;
    frame_submit(job->frame);
}

static void wait_for_more(struct job *job) ON(work)
{
    struct stream *s = job->stream;
    for (uint32_t k = 0; k < s->source_count; k++) {
        log_wait_cancel(&job->waits[k]);
        log_wait_stable(s->sources[k].log, &job->waits[k], &job->waker, job->next[k]);
    }
}

static bool checkpoint_is_due(const struct job *job) ON(work)
{
    int64_t every_ns = job->stream->engine->project->conf.settings.checkpoint_ms * NS_PER_MS;
    return job->turn > job->checkpoints[0].turn && mono_since_ns(os_mono(), job->checkpointed) >= every_ns;
}

/* Between turns. */
static bool follow_columns(struct job *job, struct err *err) ON(work)
{
    if (!stream_plan_is_old(job->stream))
        return true;
    TRY(stream_make_plan(job->stream, err));
    TRY(compile(job, err));
    stream_note_ran(job->stream);
    return true;
}

static bool job_turn(struct task *task) ON(work)
{
    struct job *job = CONTAINER_OF(task, struct job, task);
    struct err err = {0};
    bool any = true, some = false;
    if (job->stopped)
        return false;
    if (job->frame_refused) {
        job->frame_refused = false;
        frame_submit(job->frame);
        return false;
    }
    if (!job->started || job->frame_busy || timer_is_set(&job->retry) || job->stream->paused ||
        stream_waits_for_schema(job->stream))
        return false;
    if (!follow_columns(job, &err)) {
        stream_stop(job->stream, &err);
        return false;
    }
    if (checkpoint_is_due(job)) {
        if (make_checkpoint(job, &err)) {
            submit(job);
            return false;
        }
        event_err(EVENT_CHECKPOINT, job->stream->def->name,
                  &err); /* the changelog holds everything: tried again later */
        job->checkpointed = os_mono();
    }
    group_begin(&job->group);
    batch_reset(job->bad.batch);
    batch_reset(job->late.batch);
    job->bad.open = job->late.open = job->failed = job->new_columns = job->unread = false;
    bool ok = true;
    for (int i = 0; ok && any && i < TURN_SLICES && group_bytes(&job->group) < TURN_BYTES; i++) {
        ok = take_slice(job, &any, &err);
        some = some || any;
    }
    if (!ok && job->unread && err.class == ERR_RETRY && !some) {
        stream_ask_again(job->stream, &err, &job->retry);
        return false;
    }
    ok = ok || (job->unread && err.class == ERR_RETRY); /* without that slice; the next turn will say why */
    if (ok && !some && job->new_columns)
        return true;
    if (ok && !some) {
        wait_for_more(job);
        engine_look_quiet(job->stream->engine);
        return false;
    }
    if (!ok || !end_turn(job, &err)) {
        stream_stop(job->stream, &err);
        return false;
    }
    submit(job);
    return false;
}

static void move_pins(struct job *job) ON(work)
{
    for (uint32_t k = 0; k < job->stream->source_count; k++)
        log_pin_set(&job->pins[k], job->stream->sources[k].log, job->next[k], job->stream->def->name);
}

static void frame_ended(struct frame *frame) ON(work)
{
    struct job *job = frame->arg;
    if (!frame->durable && frame->err.class == ERR_RETRY) {
        job->frame_refused = true;
        log_wait_cancel(&job->room_wait);
        store_wait_room(job->stream->engine->store, &job->room_wait, &job->waker);
        engine_look_quiet(job->stream->engine);
        return;
    }
    job->frame_busy = false;
    if (!frame->durable) {
        stream_stop(job->stream, &frame->err);
        return;
    }
    if (job->checkpoint_turn) {
        struct arena arena = {0};
        if (job->dropped.turn)
            (void)!os_unlink(path_of(job, &arena, job->dropped.turn), NULL);
        arena_fini(&arena);
        job->checkpoint_turn = 0;
    }
    if (!job->last) { /* also while everything stops: half a turn is none */
        struct err err;
        if (next_frame(job, &err))
            submit(job);
        else
            stream_stop(job->stream, &err);
        return;
    }
    group_ended(&job->group);
    stream_works(job->stream);
    move_pins(job);
    task_wake(&job->task);
    engine_look_quiet(job->stream->engine);
}

static void on_retry(struct timer *timer) ON(work)
{
    task_wake(&CONTAINER_OF(timer, struct job, retry)->task);
}

/* ---- life ------------------------------------------------------------------------------------------------------------------------ */

static bool internal_log(struct stream *s, const char *what, int64_t retention_ms, struct topic_info *info,
                         struct log **log, struct err *err)
{
    struct topic_config config;
    topic_config_default(&config);
    config.retention_ms = retention_ms;
    config.segment_bytes = 64 << 20;
    TRY(internal_topic(s->engine->store, pool_printf(s->pool, "__%s.%s", what, s->def->name), 1, &config,
                       info, err));
    *log = log_get(s->engine->store, info->name, 0);
    CHECK(*log != NULL);
    return true;
}

bool job_new(struct stream *s, struct err *err) UNSHARED
{
    struct job *job = pool_new_struct(s->pool, struct job);
    struct topic_state *outbox = pool_new_struct(s->pool, struct topic_state);
    struct topic_info changelog;
    bool known;
    job->stream = s;
    outbox->engine = s->engine;
    outbox->logs = pool_alloc(s->pool, sizeof *outbox->logs);
    /* pins hold what the outbox's readers have not got; the changelog is truncated by checkpoints */
    TRY(internal_log(s, "outbox", OUTBOX_KEPT_MS, &outbox->info, &outbox->logs[0], err));
    TRY(internal_log(s, "changelog", -1, &changelog, &job->changelog, err));
    outbox->own_def = (struct topic_def){
        .name = outbox->info.name, .format = TOPIC_RAW, .raw = true, .partitions = 1};
    outbox->def = &outbox->own_def;
    job->outbox = outbox;
    s->inputs = pool_new_struct(s->pool, struct stream_input);
    *s->inputs = (struct stream_input){.topic = outbox, .log = outbox->logs[0]};
    s->input_count = 1;
    job->next = pool_alloc(s->pool, s->source_count * sizeof *job->next);
    job->pins = pool_alloc(s->pool, s->source_count * sizeof *job->pins);
    job->waits = pool_alloc(s->pool, s->source_count * sizeof *job->waits);
    for (uint32_t k = 0; k < s->source_count; k++)
        list_init(&job->waits[k].link);
    list_init(&job->room_wait.link);
    task_init(&job->task, job_turn);
    timer_init(&job->retry, on_retry);
    waker_init(&job->waker, s->engine->options.work, &job->task);
    TRY(group_init(&job->group, s->engine->store, s->def->name, outbox->logs[0], job->changelog, err));
    job->frame = frame_new(s->engine->store);
    job->in = batch_new();
    job->bad.batch = batch_new();
    job->late.batch = batch_new();
    s->job = job;
    get_positions(job, &known);
    move_pins(job);
    log_pin_set(&job->outbox_pin, outbox->logs[0], log_start(outbox->logs[0]), s->def->name);
    return true;
}

bool job_start(struct stream *s, struct err *err)
{
    struct job *job = s->job;
    bool known;
    get_positions(job, &known);
    job->plan_version = 0; /* a try before may have restored a part */
    TRY(compile(job, err));
    job->tries++;
    TRY(restore(job, err));
    for (uint32_t k = 0; k < s->source_count; k++)
        if (job->next[k] > log_end(s->sources[k].log) || job->next[k] < log_start(s->sources[k].log))
            return err_set(
                err, ERR_FATAL,
                "the stream is at offset %lld of topic \"%s\", partition %d, which holds %lld to %lld",
                (long long)job->next[k], log_topic(s->sources[k].log)->name, s->sources[k].partition,
                (long long)log_start(s->sources[k].log), (long long)log_end(s->sources[k].log));
    move_pins(job);
    remove_unnamed_checkpoints(job);
    job->checkpointed = os_mono();
    job->started = true;
    if (!known && s->def->conf->from == CONF_FROM_LATEST) { /* "latest" is what it was at the first start */
        frame_reset(job->frame);
        job->last = true;
        put_positions(job);
        submit(job);
    }
    task_wake(&job->task);
    return true;
}

void job_let_outbox_go(struct job *job)
{
    log_pin_drop(&job->outbox_pin);
}

void job_stop(struct job *job)
{
    job->stopped = true;
    timer_cancel(&job->retry);
    for (uint32_t k = 0; k < job->stream->source_count; k++)
        log_wait_cancel(&job->waits[k]);
}

void job_wake(struct job *job)
{
    task_wake(&job->task);
}

void job_ask_again(struct job *job)
{
    if (!job->unread)
        return;
    timer_cancel(&job->retry);
    task_wake(&job->task);
}

bool job_is_idle(const struct job *job)
{
    if (job->frame_busy)
        return job->frame_refused && job->stopped;
    if (job->stopped || !job->started)
        return true;
    return job_lag(job) == 0;
}

int64_t job_outbox_valid(const struct job *job, int64_t offset, int64_t *until)
{
    return group_valid(&job->group, GROUP_OUTBOX, offset, until);
}

const struct err *job_waits_for_room(const struct job *job)
{
    return job->frame_refused ? &job->frame->err : NULL;
}

int64_t job_lag(const struct job *job)
{
    int64_t lag = 0;
    for (uint32_t k = 0; k < job->stream->source_count; k++)
        lag += log_end(job->stream->sources[k].log) - job->next[k];
    return lag;
}

void job_free(struct job *job) UNSHARED
{
    job_stop(job);
    log_wait_cancel(&job->room_wait);
    for (uint32_t k = 0; k < job->stream->source_count; k++)
        log_pin_drop(&job->pins[k]);
    log_pin_drop(&job->outbox_pin);
    frame_free(job->frame);
    batch_free(job->in);
    batch_free(job->bad.batch);
    batch_free(job->late.batch);
    group_fini(&job->group);
    sbuf_fini(&job->text);
    log_release(job->outbox->logs[0]);
    log_release(job->changelog);
}

/* Stateful streams. One turn is one frame:
 *
 *     topic_read → topic_decode → pipeline (state) → frame(positions, outbox rows, bad rows, changelog of the state)
 *
 * So the state, what was read and what was put out can never disagree, whatever the program's version or the order of things: a restart loads
 * the newest checkpoint, applies the changelog from there, and goes on. Nothing is computed twice.
 *
 *     __outbox.<stream>      what the turns put out; the stream's sinks read it like any topic. A record is a small Parquet file of one
 *                            batch, so every type survives; its key is "rows" (with the change kinds as a last column) or "bad"
 *     __changelog.<stream>   one record for each turn: the state's changes
 *     stream/<s>/turn        the turn's number and, for each input partition, the next offset to read
 *     stream/<s>/checkpoint  the two newest checkpoints: file, turn, first changelog offset that is not in it
 *
 * A checkpoint is a snapshot of the whole state in one file, synced with its folder before a frame names it. Two are kept; the changelog is kept
 * since the older one, so that a damaged newest checkpoint costs time and nothing else. */
#include <stdio.h>
#include <stdlib.h>

#include "base/map.h"
#include "format/json_tree.h"
#include "format/parquet.h"
#include "job/engine_private.h"
#include "job/engine_struct.h"
#include "obs/event.h"

enum {
    TURN_SLICES = 16, /* log slices of one turn at most: turns are short when idle and grow under backlog */
    CHECKPOINT_HEADER = 32,
    CHECKPOINT_BYTES_MAX = 1 << 30,
    CHECKPOINTS_KEPT = 2,
};
static const char CHECKPOINT_MAGIC[8] = "SLUICEC1";
static const char CHANGE_COLUMN[] = "_change";

struct checkpoint {
    int64_t turn, changelog; /* next changelog offset after it */
};

struct job {
    struct stream *stream;
    struct pool *pool; /* of the pipeline */
    struct pipeline *pipeline;
    struct topic_decoder **decoders;
    uint32_t plan_version;
    uint64_t fingerprint; /* of the plan: state of another query is no use */
    struct topic_state *outbox;
    struct log *changelog;
    int64_t *next; /* next offset of each source */
    int64_t turn;
    uint32_t turn_source; /* where the search for input begins */
    struct log_pin *pins; /* on the sources */

    struct task task;
    struct waker waker;
    struct log_wait *waits;
    struct frame *frame;
    bool frame_busy, frame_refused, started, stopped;
    struct log_wait room_wait;

    /* of the turn that is being made */
    struct batch *in, *bad;
    struct batch_builder bad_builder;
    bool bad_open;
    uint32_t source;            /* whose rows are being pushed */
    struct records_builder out; /* outbox records */
    struct sbuf text;
    bool failed;
    struct err err;

    struct checkpoint checkpoints[CHECKPOINTS_KEPT]; /* newest first; turn 0 = none */
    struct mono_time checkpointed;
    int64_t checkpoint_turn;   /* that the frame in flight names; 0 = none */
    struct checkpoint dropped; /* whose file goes when that frame is durable */
};

bool plan_is_stateful(const struct plan *plan, bool *stateful, struct err *err)
{
    struct pool *pool = pool_new(NULL, "probe");
    struct pipeline *pipeline;
    bool ok = pipeline_new(pool, plan, &pipeline, err);
    *stateful = ok && pipeline_is_stateful(pipeline);
    pool_free(pool);
    return ok;
}

/* ---- outbox records ------------------------------------------------------------------------------------------------------ */

static bool write_text(void *arg, const void *p, size_t n, struct err *err)
{
    (void)err;
    sbuf_add(arg, p, n);
    return true;
}

/* The batch as a small Parquet file; with_change: and its change kinds as the last column. */
static bool outbox_encode(struct sbuf *out, const struct batch *batch, bool with_change, struct err *err)
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
    bool ok = w && parquet_writer_batch(w, &wide, NULL, 0, batch->rows, err) &&
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

bool job_outbox_read(struct stream *s, const struct log_slice *slice, int64_t from, struct batch *in,
                     struct batch *bad_in, const struct batch **out, const struct batch **bad,
                     struct err *err)
{
    struct batch_builder rows, bad_rows;
    struct sbuf changes = {0};
    bool rows_open = false, bad_open = false, ok = true;
    (void)s;
    batch_reset(in);
    batch_reset(bad_in);
    for (size_t at = 0; ok && at < slice->n;) {
        struct records_reader reader;
        struct record record;
        struct buf *scratch;
        bool more = true;
        ok = records_open(slice->p + at, slice->n - at, NULL, &scratch, &reader, err);
        at += ok ? reader.batch.size : 0;
        while (ok && (ok = records_next(&reader, &record, &more, err)) && more) {
            bool is_rows = str_is(record.key, "rows");
            if (record.offset < from || record.offset >= slice->next_offset)
                continue;
            ok = is_rows ? outbox_decode(record.value, true, in, &rows, &rows_open, &changes, err)
                         : outbox_decode(record.value, false, bad_in, &bad_rows, &bad_open, NULL, err);
        }
    }
    if (ok && rows_open) {
        batch_builder_finish(&rows);
        in->change = arena_dup(&in->arena, changes.p, changes.n);
        *out = in;
    }
    if (ok && bad_open) {
        batch_builder_finish(&bad_rows);
        *bad = bad_in;
    }
    sbuf_fini(&changes);
    return ok;
}

static void put_record(struct job *job, const char *key, const struct batch *batch, bool with_change)
{
    sbuf_clear(&job->text);
    if (job->failed)
        return;
    if (!outbox_encode(&job->text, batch, with_change, &job->err)) {
        job->failed = true;
        return;
    }
    records_add(&job->out, os_wall().us / US_PER_MS, str_of(key), sbuf_view(&job->text), NULL, 0);
}

static void on_result(void *arg, struct batch *batch)
{
    struct job *job = arg;
    if (batch->rows)
        put_record(job, "rows", batch, true);
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

static void on_bad_record(void *arg, const struct topic_bad *bad)
{
    struct job *job = arg;
    if (job->stream->def->conf->bad.mode == CONF_REJECTS_FAIL)
        refuse_record(job, bad);
    if (!job->bad_open)
        batch_builder_init(&job->bad_builder, job->bad, bad_schema());
    job->bad_open = true;
    bad_row_add(&job->bad_builder, job->stream->sources[job->source].topic->def->name, bad);
    counter_add(&job->stream->counters.bad, 1);
}

static void on_undecoded(void *arg, const struct topic_bad *bad)
{
    struct job *job = arg;
    counter_add(&job->stream->counters.rows_in, !bad->delivered);
    on_bad_record(job, bad);
}

static void on_bad_row(void *arg, const struct op_bad_row *row)
{
    struct job *job = arg;
    const struct stream_input *source = &job->stream->sources[job->source];
    struct topic_bad bad;
    if (!topic_decoder_find(job->decoders[source->scan], row->offset, &bad))
        bad = (struct topic_bad){.partition = row->partition, .offset = row->offset};
    bad.reason = str_of(row->late ? "late: the watermark has passed it" : row->reason);
    if (row->late && job->stream->def->conf->late.mode == CONF_REJECTS_DROP)
        counter_add(&job->stream->counters.bad, 1);
    else if (row->late && job->stream->def->conf->late.mode == CONF_REJECTS_FAIL)
        refuse_record(job, &bad);
    else
        on_bad_record(job, &bad);
}

/* ---- checkpoints --------------------------------------------------------------------------------------------------------- */

static char *checkpoint_path(struct job *job, struct arena *arena, int64_t turn)
{
    return arena_printf(arena, "%s/checkpoints/%s/%020lld", job->stream->engine->project->data,
                        job->stream->def->name, (long long)turn);
}

static char *key_of(struct job *job, struct arena *arena, const char *what)
{
    return arena_printf(arena, "stream/%s/%s", job->stream->def->name, what);
}

/* magic 8 │ fingerprint u64 │ bytes u64 │ crc32c u32 of fingerprint, bytes and snapshot │ 0 u32 │ snapshot */
static bool write_checkpoint(struct job *job, int64_t turn, struct err *err)
{
    struct arena arena = {0};
    struct sbuf file = {0};
    char *path = checkpoint_path(job, &arena, turn);
    char *folder = arena_strdup(&arena, path);
    *strrchr(folder, '/') = '\0';
    sbuf_reserve(&file, CHECKPOINT_HEADER);
    memset(file.p, 0, CHECKPOINT_HEADER);
    sbuf_added(&file, CHECKPOINT_HEADER);
    pipeline_snapshot(job->pipeline, &file);
    memcpy(file.p, CHECKPOINT_MAGIC, sizeof CHECKPOINT_MAGIC);
    put_be64(file.p + 8, job->fingerprint);
    put_be64(file.p + 16, file.n - CHECKPOINT_HEADER);
    uint32_t crc = crc32c(crc32c(0, file.p + 8, 16), file.p + CHECKPOINT_HEADER, file.n - CHECKPOINT_HEADER);
    put_be32(file.p + 24, crc);
    bool ok = file.n <= CHECKPOINT_BYTES_MAX ||
              err_set(err, ERR_FATAL, "the state's %zu bytes are more than a checkpoint takes (%d)", file.n,
                      CHECKPOINT_BYTES_MAX);
    ok = ok && os_mkdirs(folder, err) && os_write_file(path, file.p, file.n, err);
    sbuf_fini(&file);
    arena_fini(&arena);
    return ok;
}

static bool other_query(struct job *job, struct err *err)
{
    err_set(err, ERR_FATAL, "the state of stream \"%s\" was made by another query", job->stream->def->name);
    return err_hint(err, "Give the changed query a new stream name, or put the old query back.");
}

/* ERR_DATA: damaged. ERR_FATAL: of another query. */
static bool read_checkpoint(struct job *job, int64_t turn, struct err *err)
{
    struct arena arena = {0};
    struct sbuf file = {0};
    char *path = checkpoint_path(job, &arena, turn);
    bool ok = os_read_file(path, CHECKPOINT_BYTES_MAX, &file, err);
    if (!ok)
        err->class = ERR_DATA;
    if (ok && (file.n < CHECKPOINT_HEADER || memcmp(file.p, CHECKPOINT_MAGIC, sizeof CHECKPOINT_MAGIC) != 0 ||
               get_be64(file.p + 16) != file.n - CHECKPOINT_HEADER ||
               get_be32(file.p + 24) !=
                   crc32c(crc32c(0, file.p + 8, 16), file.p + CHECKPOINT_HEADER, file.n - CHECKPOINT_HEADER)))
        ok = err_set(err, ERR_DATA, "\"%s\" is damaged", path);
    if (ok && get_be64(file.p + 8) != job->fingerprint)
        ok = other_query(job, err);
    ok = ok &&
         pipeline_restore(job->pipeline, str_n(file.p + CHECKPOINT_HEADER, file.n - CHECKPOINT_HEADER), err);
    sbuf_fini(&file);
    arena_fini(&arena);
    return ok;
}

static void put_checkpoints(struct job *job, struct frame *frame)
{
    struct arena arena = {0};
    struct sbuf text = {0};
    for (int i = 0; i < CHECKPOINTS_KEPT && job->checkpoints[i].turn; i++)
        sbuf_printf(&text, "%s{\"turn\":%lld,\"changelog\":%lld}", i ? "," : "[",
                    (long long)job->checkpoints[i].turn, (long long)job->checkpoints[i].changelog);
    sbuf_char(&text, ']');
    frame_put(frame, str_of(key_of(job, &arena, "checkpoint")), sbuf_view(&text));
    sbuf_fini(&text);
    arena_fini(&arena);
}

/* Between turns: a snapshot to disk, then a frame that names it and lets the changelog before the older one go. */
static bool make_checkpoint(struct job *job, struct err *err)
{
    TRY(write_checkpoint(job, job->turn, err));
    job->dropped = job->checkpoints[CHECKPOINTS_KEPT - 1];
    memmove(&job->checkpoints[1], &job->checkpoints[0], (CHECKPOINTS_KEPT - 1) * sizeof job->checkpoints[0]);
    job->checkpoints[0] = (struct checkpoint){job->turn, log_end(job->changelog)};
    frame_reset(job->frame);
    job->frame->internal = true;
    put_checkpoints(job, job->frame);
    if (job->checkpoints[CHECKPOINTS_KEPT - 1].turn)
        frame_log_truncate_before(job->frame, job->changelog,
                                  job->checkpoints[CHECKPOINTS_KEPT - 1].changelog);
    job->checkpointed = os_mono();
    job->checkpoint_turn = job->turn;
    return true;
}

static bool apply_changelog(struct job *job, int64_t from, struct err *err)
{
    for (int64_t at = from; at < log_end(job->changelog);) {
        struct log_slice slice;
        TRY(log_read(job->changelog, at, RUN_SLICE_BYTES, &slice, err));
        bool ok = slice.n > 0 || err_set(err, ERR_FATAL, "the changelog ends at %lld", (long long)at);
        for (size_t i = 0; ok && i < slice.n;) {
            struct records_reader reader;
            struct record record;
            struct buf *scratch;
            bool more = true;
            ok = records_open(slice.p + i, slice.n - i, NULL, &scratch, &reader, err);
            i += ok ? reader.batch.size : 0;
            while (ok && (ok = records_next(&reader, &record, &more, err)) && more) {
                if (record.offset < at || record.value.n < 8)
                    continue;
                ok = get_be64(record.value.p) == job->fingerprint || other_query(job, err);
                ok = ok && pipeline_apply(job->pipeline, str_n(record.value.p + 8, record.value.n - 8), err);
            }
        }
        at = slice.next_offset;
        buf_unref(slice.buf);
        TRY(ok);
    }
    return true;
}

static bool compile(struct job *job, struct err *err);

/* The newest checkpoint that can be read, and the changelog since. */
static bool restore(struct job *job, struct err *err)
{
    struct arena arena = {0};
    struct sbuf text = {0};
    const struct json_node *list;
    int known = 0;
    if (store_get(job->stream->engine->store, str_of(key_of(job, &arena, "checkpoint")), &text) &&
        json_parse(&arena, sbuf_view(&text), &list, NULL))
        JSON_EACH(one, list)
    if (known < CHECKPOINTS_KEPT && json_i64(one, "turn", &job->checkpoints[known].turn) &&
        json_i64(one, "changelog", &job->checkpoints[known].changelog))
        known++;
    bool ok = true;
    int64_t from = log_start(job->changelog);
    for (int i = 0; i < known; i++) {
        ok = read_checkpoint(job, job->checkpoints[i].turn, err);
        from = job->checkpoints[i].changelog;
        if (ok || err->class != ERR_DATA)
            break;
        event_log(EVENT_CHECKPOINT_DAMAGE, job->stream->def->name, "%s; %s", err->text,
                  i + 1 < known ? "the one before it is used" : "there is none before it");
        job->plan_version = 0; /* half restored: a pipeline anew */
        TRY(compile(job, err));
    }
    if (known == 0 && from > 0)
        ok = err_set(err, ERR_FATAL, "the changelog begins at %lld and no checkpoint is known",
                     (long long)from);
    if (!ok && err->class == ERR_DATA && known < CHECKPOINTS_KEPT && log_start(job->changelog) == 0) {
        ok = true; /* the changelog still holds everything */
        from = 0;
    }
    ok = ok && apply_changelog(job, from, err);
    sbuf_fini(&text);
    arena_fini(&arena);
    return ok || err_context(err, "state of stream \"%s\"", job->stream->def->name);
}

/* Files of checkpoints that no frame came to name: the life that wrote them ended in between. */
static void remove_unnamed_checkpoints(struct job *job)
{
    struct arena arena = {0};
    char **names, *folder = checkpoint_path(job, &arena, 0);
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

static bool compile(struct job *job, struct err *err)
{
    struct stream *s = job->stream;
    struct sbuf state = {0}, text = {0};
    bool had = job->pipeline != NULL && job->plan_version != 0;
    if (job->plan_version == s->plan_version)
        return true;
    if (had)
        pipeline_snapshot(job->pipeline, &state);
    pool_free(job->pool);
    job->pool = pool_new(s->pool, "job");
    job->plan_version = s->plan_version;
    plan_print(s->plan, &text);
    job->fingerprint = hash_bytes(text.p, text.n);
    sbuf_fini(&text);
    bool ok = pipeline_new(job->pool, s->plan, &job->pipeline, err);
    bool append = true;
    for (uint32_t i = 0; i < s->def->sink_count; i++)
        append = append && s->def->sinks[i].mode == SINK_APPEND;
    ok = ok && pipeline_set_mode(job->pipeline, append ? OP_MODE_APPEND : OP_MODE_UPDATE, err);
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

/* One slice of one source into the pipeline. *any = false: no source has anything. */
static bool take_slice(struct job *job, bool *any, struct err *err)
{
    struct stream *s = job->stream;
    *any = false;
    for (uint32_t i = 0; i < s->source_count; i++) {
        uint32_t k = (job->turn_source + i) % s->source_count;
        struct log_slice slice;
        if (job->next[k] >= log_end(s->sources[k].log))
            continue;
        TRY(log_read(s->sources[k].log, job->next[k], RUN_SLICE_BYTES, &slice, err));
        if (slice.n == 0)
            continue;
        const struct topic_report report = {.bad = on_undecoded, .arg = job};
        job->source = k;
        bool ok = topic_decode(job->decoders[s->sources[k].scan], &slice, s->sources[k].partition,
                               job->next[k], slice.next_offset, job->in, &report, err);
        if (ok) {
            counter_add(&s->counters.rows_in, job->in->rows);
            counter_add(&s->counters.bytes_in, slice.n);
            push(job, s->sources[k].scan, &(struct op_msg){.kind = OP_BATCH, .batch = job->in});
            job->next[k] = slice.next_offset;
        }
        buf_unref(slice.buf);
        job->turn_source = (k + 1) % s->source_count;
        *any = ok;
        return ok;
    }
    return true;
}

static void put_positions(struct job *job)
{
    struct arena arena = {0};
    struct sbuf value = {0};
    uint8_t bytes[16];
    put_be64(bytes, (uint64_t)job->turn);
    sbuf_add(&value, bytes, 8);
    for (uint32_t k = 0; k < job->stream->source_count; k++) {
        put_be32(bytes, (uint32_t)job->stream->sources[k].input);
        put_be32(bytes + 4, (uint32_t)job->stream->sources[k].partition);
        put_be64(bytes + 8, (uint64_t)job->next[k]);
        sbuf_add(&value, bytes, 16);
    }
    frame_put(job->frame, str_of(key_of(job, &arena, "turn")), sbuf_view(&value));
    sbuf_fini(&value);
    arena_fini(&arena);
}

/* *known = false: this is the first start. */
static void get_positions(struct job *job, bool *known)
{
    struct arena arena = {0};
    struct sbuf value = {0};
    struct stream *s = job->stream;
    bool latest = s->def->conf->from == CONF_FROM_LATEST;
    for (uint32_t k = 0; k < s->source_count; k++)
        job->next[k] = latest ? log_end(s->sources[k].log) : log_start(s->sources[k].log);
    *known = store_get(s->engine->store, str_of(key_of(job, &arena, "turn")), &value) && value.n >= 8;
    if (*known)
        job->turn = (int64_t)get_be64(value.p);
    for (size_t at = 8; at + 16 <= value.n; at += 16)
        for (uint32_t k = 0; k < s->source_count; k++)
            if (s->sources[k].input == (int32_t)get_be32(value.p + at) &&
                s->sources[k].partition == (int32_t)get_be32(value.p + at + 4))
                job->next[k] = (int64_t)get_be64(value.p + at + 8);
    sbuf_fini(&value);
    arena_fini(&arena);
}

static bool append(struct job *job, struct log *log, struct records_builder *b, struct err *err)
{
    struct str batch;
    if (b->count == 0)
        return true;
    TRY(records_end(b, CODEC_NONE, 0, NULL, &batch, err));
    frame_append_copy(job->frame, log, batch.p, batch.n);
    return true;
}

/* The barrier, and everything of the turn into one frame. */
static bool end_turn(struct job *job, struct err *err)
{
    struct records_builder changes = {0};
    uint8_t fingerprint[8];
    job->turn++;
    push(job, 0, &(struct op_msg){.kind = OP_BARRIER, .turn = (uint64_t)job->turn});
    if (job->bad_open) {
        batch_builder_finish(&job->bad_builder);
        put_record(job, "bad", job->bad, false);
    }
    if (job->failed) {
        *err = job->err;
        return false;
    }
    frame_reset(job->frame);
    TRY(append(job, job->outbox->logs[0], &job->out, err));
    sbuf_clear(&job->text);
    put_be64(fingerprint, job->fingerprint);
    sbuf_add(&job->text, fingerprint, sizeof fingerprint);
    pipeline_changelog(job->pipeline, &job->text);
    bool ok = true;
    if (job->text.n > sizeof fingerprint && !job->stream->engine->faults.no_changelog) {
        records_begin(&changes);
        records_add(&changes, os_wall().us / US_PER_MS, (struct str){0}, sbuf_view(&job->text), NULL, 0);
        ok = append(job, job->changelog, &changes, err);
        records_builder_fini(&changes);
    }
    put_positions(job);
    return ok;
}

static void frame_ended(struct frame *frame);

static void submit(struct job *job)
{
    job->frame->done = frame_ended;
    job->frame->arg = job;
    job->frame_busy = true;
    frame_submit(job->frame);
}

static void wait_for_more(struct job *job)
{
    struct stream *s = job->stream;
    for (uint32_t k = 0; k < s->source_count; k++) {
        log_wait_cancel(&job->waits[k]);
        log_wait(s->sources[k].log, &job->waits[k], &job->waker, job->next[k]);
    }
}

static bool checkpoint_is_due(const struct job *job)
{
    int64_t every_ns = job->stream->engine->project->conf.settings.checkpoint_ms * NS_PER_MS;
    return job->turn > job->checkpoints[0].turn && mono_since_ns(os_mono(), job->checkpointed) >= every_ns;
}

static bool job_turn(struct task *task)
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
    if (!job->started || job->frame_busy || job->stream->paused)
        return false;
    if (checkpoint_is_due(job)) {
        if (make_checkpoint(job, &err)) {
            submit(job);
            return false;
        }
        event_err(EVENT_CHECKPOINT, job->stream->def->name,
                  &err); /* the changelog holds everything: tried again later */
        job->checkpointed = os_mono();
    }
    records_begin(&job->out);
    batch_reset(job->bad);
    job->bad_open = job->failed = false;
    bool ok = true;
    for (int i = 0; ok && any && i < TURN_SLICES; i++) {
        ok = take_slice(job, &any, &err);
        some = some || any;
    }
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

static void move_pins(struct job *job)
{
    for (uint32_t k = 0; k < job->stream->source_count; k++)
        log_pin_set(&job->pins[k], job->stream->sources[k].log, job->next[k], job->stream->def->name);
}

static void frame_ended(struct frame *frame)
{
    struct job *job = frame->arg;
    if (!frame->durable && frame->err.class == ERR_RETRY) {
        job->frame_refused = true;
        log_wait_cancel(&job->room_wait);
        store_wait_room(job->stream->engine->store, &job->room_wait, &job->waker);
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
            (void)!os_unlink(checkpoint_path(job, &arena, job->dropped.turn), NULL);
        arena_fini(&arena);
        job->checkpoint_turn = 0;
    }
    move_pins(job);
    task_wake(&job->task);
    engine_look_quiet(job->stream->engine);
}

/* ---- life ------------------------------------------------------------------------------------------------------------------------ */

/* An internal topic of one partition. */
static bool internal_topic(struct stream *s, const char *what, bool keep, struct topic_info *info,
                           struct log **log, struct err *err)
{
    struct store *store = s->engine->store;
    char *name = pool_printf(s->pool, "__%s.%s", what, s->def->name);
    if (!store_topic(store, name, info)) {
        struct topic_config config;
        topic_config_default(&config);
        config.internal = true;
        config.segment_bytes = 64 << 20;
        config.retention_ms =
            keep ? -1 : 3600 * 1000; /* the outbox: what its readers are done with; pins hold the rest */
        struct frame *frame = frame_new(store);
        frame->internal = true;
        frame_topic_create(frame, name, 1, &config);
        bool ok = frame_commit_now(frame, err);
        frame_free(frame);
        TRY(ok && store_topic(store, name, info));
    }
    *log = log_get(store, name, 0);
    CHECK(*log != NULL);
    return true;
}

bool job_new(struct stream *s, struct err *err)
{
    struct job *job = pool_new_struct(s->pool, struct job);
    struct topic_state *outbox = pool_new_struct(s->pool, struct topic_state);
    job->stream = s;
    outbox->engine = s->engine;
    outbox->logs = pool_alloc(s->pool, sizeof *outbox->logs);
    TRY(internal_topic(s, "outbox", false, &outbox->info, &outbox->logs[0], err));
    struct topic_info changelog;
    TRY(internal_topic(s, "changelog", true, &changelog, &job->changelog, err));
    outbox->own_def = (struct topic_def){.name = outbox->info.name, .format = TOPIC_RAW, .partitions = 1};
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
    waker_init(&job->waker, s->engine->options.work, &job->task);
    job->frame = frame_new(s->engine->store);
    job->in = batch_new();
    job->bad = batch_new();
    s->job = job;
    return true;
}

bool job_start(struct stream *s, struct err *err)
{
    struct job *job = s->job;
    bool known;
    get_positions(job, &known);
    TRY(compile(job, err));
    TRY(restore(job, err));
    for (uint32_t k = 0; k < s->source_count; k++)
        if (job->next[k] > log_end(s->sources[k].log) || job->next[k] < log_start(s->sources[k].log))
            return err_set(
                err, ERR_FATAL,
                "the stream is at offset %lld of topic \"%s\", partition %d, which holds %lld to %lld",
                (long long)job->next[k], s->sources[k].topic->def->name, s->sources[k].partition,
                (long long)log_start(s->sources[k].log), (long long)log_end(s->sources[k].log));
    move_pins(job);
    remove_unnamed_checkpoints(job);
    job->checkpointed = os_mono();
    job->started = true;
    if (!known && s->def->conf->from == CONF_FROM_LATEST) { /* "latest" is what it was at the first start */
        frame_reset(job->frame);
        put_positions(job);
        submit(job);
    }
    task_wake(&job->task);
    return true;
}

void job_stop(struct job *job)
{
    job->stopped = true;
    for (uint32_t k = 0; k < job->stream->source_count; k++)
        log_wait_cancel(&job->waits[k]);
}

void job_wake(struct job *job)
{
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

int64_t job_lag(const struct job *job)
{
    int64_t lag = 0;
    for (uint32_t k = 0; k < job->stream->source_count; k++)
        lag += log_end(job->stream->sources[k].log) - job->next[k];
    return lag;
}

void job_free(struct job *job)
{
    job_stop(job);
    log_wait_cancel(&job->room_wait);
    for (uint32_t k = 0; k < job->stream->source_count; k++)
        log_pin_drop(&job->pins[k]);
    frame_free(job->frame);
    batch_free(job->in);
    batch_free(job->bad);
    records_builder_fini(&job->out);
    sbuf_fini(&job->text);
    log_release(job->outbox->logs[0]);
    log_release(job->changelog);
}

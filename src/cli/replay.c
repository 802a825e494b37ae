/* stream replay: what <stream>_bad holds goes to the stream once more, see job/replay.h.
 *
 * The table is read twice, so that memory is a few bytes for each of its rows and never their values: first which records to take (a record may have
 * several rows, and counts as delivered if all of them say so), then the records themselves. */
#include <stdio.h>

#include "base/bytes.h"
#include "cli/host.h"
#include "cli/relation.h"
#include "job/replay.h"
#include "op/op.h"

enum look { LOOK_DELIVERED = 1, LOOK_WANTED = 2 };
enum { COLUMN_TOPIC, COLUMN_PARTITION, COLUMN_OFFSET, COLUMN_TIMESTAMP, COLUMN_ATTEMPT, COLUMN_OTHER };
/* other columns of the first reading, and of the second */
enum { COLUMN_DELIVERED = COLUMN_OTHER, COLUMN_WANTED };
enum { COLUMN_KEY = COLUMN_OTHER, COLUMN_VALUE };

struct replaying {
    struct command_env *env;
    const struct stream_def *def;
    struct pool *pool;
    struct relations relations;
    struct pipeline *pipeline;
    struct eval_context context;
    struct pipeline_output output;
    uint32_t scan;
    struct replay *replay;
    struct map records; /* id of a record → enum look, as a pointer + 1 */
    struct sbuf id;
    struct frame *frame;
    bool has_keyed; /* rows that were delivered before have somewhere to go */
    uint64_t taken, before, delivered, lacking;
    bool failed;
    struct err err;
};

/* ---- the table, as batches ------------------------------------------------------------------------------------------------- */

static bool push_batch(void *arg, struct batch *batch)
{
    struct replaying *r = arg;
    const struct op_msg msg = {.kind = OP_BATCH, .batch = batch};
    pipeline_push(r->pipeline, &r->context, r->scan, &msg, &r->output);
    return !r->failed && !env_gone(r->env);
}

static void on_bad(void *arg, const struct op_bad_row *row)
{
    struct replaying *r = arg;
    if (!r->failed)
        err_set(&r->err, ERR_CONFIG, "%s", row->reason);
    r->failed = true;
}

static bool run_sql(struct replaying *r, const char *sql, void (*emit)(void *arg, struct batch *batch),
                    struct err *err)
{
    const struct catalogue catalogue = {.lookup = relations_lookup, .arg = &r->relations, .ansi = true};
    const struct plan *const *scans;
    struct plan *plan;
    r->output = (struct pipeline_output){.emit = emit, .bad = on_bad, .arg = r};
    r->context = (struct eval_context){.zone = r->env->project->zone, .now = os_wall()};
    TRY(sql_plan(pool_arena(r->pool), str_of(sql), &catalogue, &plan, err));
    TRY(pipeline_new(r->pool, plan, &r->pipeline, err));
    uint32_t count = pipeline_scans(r->pipeline, &scans);
    for (r->scan = 0; r->scan < count; r->scan++)
        TRY(relation_feed(&r->relations, scans[r->scan], push_batch, r, err));
    if (r->failed)
        *err = r->err;
    return !r->failed && (!env_gone(r->env) || err_set(err, ERR_FATAL, "the caller has gone"));
}

static struct value value_of(const struct batch *batch, uint32_t column, uint32_t row, struct arena *arena)
{
    return column_value(&batch->columns[column], row, arena);
}

/* false: the row does not name a record. */
static bool record_of(const struct batch *batch, uint32_t row, struct arena *arena,
                      struct replay_record *record)
{
    for (uint32_t c = COLUMN_TOPIC; c <= COLUMN_TIMESTAMP; c++)
        if (column_is_null(&batch->columns[c], row))
            return false;
    *record = (struct replay_record){
        .topic = value_of(batch, COLUMN_TOPIC, row, arena).str,
        .partition = (int32_t)value_of(batch, COLUMN_PARTITION, row, arena).i64,
        .offset = value_of(batch, COLUMN_OFFSET, row, arena).i64,
        .timestamp_ms = value_of(batch, COLUMN_TIMESTAMP, row, arena).i64 / US_PER_MS,
        .attempt = (int32_t)value_of(batch, COLUMN_ATTEMPT, row, arena).i64,
    };
    return true;
}

static struct str id_of(struct replaying *r, const struct replay_record *record)
{
    char numbers[24];
    put_be32(numbers, (uint32_t)record->partition);
    put_be32(numbers + 4, (uint32_t)record->attempt);
    put_be64(numbers + 8, (uint64_t)record->offset);
    put_be64(numbers + 16, (uint64_t)record->timestamp_ms);
    sbuf_clear(&r->id);
    sbuf_add(&r->id, numbers, sizeof numbers);
    sbuf_str(&r->id, record->topic);
    return sbuf_view(&r->id);
}

/* ---- which records ------------------------------------------------------------------------------------------------------------ */

static bool is_true(const struct batch *batch, uint32_t column, uint32_t row)
{
    struct arena arena = {0};
    bool is = !column_is_null(&batch->columns[column], row) && value_of(batch, column, row, &arena).boolean;
    arena_fini(&arena);
    return is;
}

static void look_at(void *arg, struct batch *batch)
{
    struct replaying *r = arg;
    struct arena arena = {0};
    for (uint32_t row = 0; row < batch->rows; row++, arena_reset(&arena)) {
        struct replay_record record;
        if (!record_of(batch, row, &arena, &record))
            continue;
        struct str id = id_of(r, &record);
        uintptr_t known = (uintptr_t)map_get(&r->records, id);
        uintptr_t look = known ? known - 1 : LOOK_DELIVERED;
        if (!is_true(batch, COLUMN_DELIVERED, row))
            look &= ~(uintptr_t)LOOK_DELIVERED;
        if (is_true(batch, COLUMN_WANTED, row))
            look |= LOOK_WANTED;
        map_put(&r->records, id, (void *)(look + 1));
    }
    arena_fini(&arena);
}

/* ---- taking them ---------------------------------------------------------------------------------------------------------------- */

static void commit(struct replaying *r)
{
    if (r->failed || replay_bytes(r->replay) == 0)
        return;
    frame_reset(r->frame);
    r->failed = !replay_put(r->replay, r->frame, &r->err) || !command_commit(r->env, r->frame, &r->err);
}

static void take(struct replaying *r, struct batch *batch, uint32_t row, struct replay_record *record,
                 struct arena *arena)
{
    struct str id = id_of(r, record);
    uintptr_t look = (uintptr_t)map_get(&r->records, id);
    if (look == 0 || !((look - 1) & LOOK_WANTED))
        return; /* it came after the first reading, or the condition does not hold, or this is another row of it */
    bool delivered = (look - 1) & LOOK_DELIVERED;
    map_put(&r->records, id, (void *)(look - LOOK_WANTED));
    enum replay_state state = replay_state(r->replay, record);
    bool lacking = state == REPLAY_NO_TOPIC || column_is_null(&batch->columns[COLUMN_VALUE], row);
    r->lacking += lacking;
    r->before += !lacking && state == REPLAY_DONE;
    r->delivered += !lacking && state == REPLAY_NEW && delivered && !r->has_keyed;
    if (lacking || state != REPLAY_NEW || (delivered && !r->has_keyed))
        return;
    record->value = value_of(batch, COLUMN_VALUE, row, arena).str;
    if (!column_is_null(&batch->columns[COLUMN_KEY], row)) {
        record->key = value_of(batch, COLUMN_KEY, row, arena).str;
        record->key.p = record->key.p ? record->key.p : ""; /* empty is not null */
    }
    record->value.p = record->value.p ? record->value.p : "";
    replay_add(r->replay, record, delivered ? REPLAY_TO_KEYED : REPLAY_TO_ALL);
    r->taken++;
    if (replay_bytes(r->replay) >= REPLAY_BYTES)
        commit(r);
}

static void take_rows(void *arg, struct batch *batch)
{
    struct replaying *r = arg;
    struct arena arena = {0};
    for (uint32_t row = 0; row < batch->rows && !r->failed; row++, arena_reset(&arena)) {
        struct replay_record record;
        if (record_of(batch, row, &arena, &record))
            take(r, batch, row, &record, &arena);
    }
    arena_fini(&arena);
}

/* ---- the command ------------------------------------------------------------------------------------------------------------------- */

/* The columns that name a record, cast to what they are in the program: a table of another kind has its own types. */
static char *select_from_bad(struct replaying *r, const char *more, struct err *err)
{
    struct relation_name name = {.parts = {STR("sluice"), str_of(r->def->bad.table)}, .part_count = 2};
    struct relation relation;
    if (!relations_lookup(&r->relations, &name, &relation, err))
        return NULL;
    const char *attempt = type_field(relation.schema, STR("attempt"), true) >= 0 ? "coalesce(attempt, 0)"
                                                                                 : "0";
    return pool_printf(
        r->pool,
        "SELECT topic, CAST(partition AS INT), CAST(offset AS BIGINT), CAST(timestamp AS TIMESTAMP), "
        "CAST(%s AS INT), %s FROM sluice.`%s`",
        attempt, more, r->def->bad.table);
}

static bool replay_rows(struct replaying *r, struct err *err)
{
    const struct project *project = r->env->project;
    const char *where = cli_value(r->env->args, "--where"), *sql;
    int32_t *inputs;
    uint32_t count;
    TRY(project_inputs(project, pool_arena(r->pool), r->def, &inputs, &count, err));
    const char **topics = pool_alloc(r->pool, count * sizeof *topics);
    for (uint32_t i = 0; i < count; i++)
        topics[i] = project->topics[inputs[i]].name;
    TRY(replay_new(r->pool, r->env->store, r->def->name, topics, count, &r->replay, err));
    sql = select_from_bad(
        r, pool_printf(r->pool, "CAST(delivered AS BOOLEAN), (%s\n)", where ? where : "true"), err);
    if (sql == NULL && str_starts(str_of(err->text), STR("TABLE_OR_VIEW_NOT_FOUND")))
        return true; /* nothing was rejected yet */
    if (sql == NULL || !run_sql(r, sql, look_at, err))
        return sql && where && err->class == ERR_CONFIG ? err_context(err, "--where") : false;
    sql = select_from_bad(r, "CAST(key AS BINARY), CAST(value AS BINARY)", err);
    TRY(sql != NULL && run_sql(r, sql, take_rows, err));
    commit(r);
    if (r->failed)
        *err = r->err;
    return !r->failed;
}

static bool may_replay(struct replaying *r, struct err *err)
{
    if (!cli_given(r->env->args, "--bad")) {
        err_set(err, ERR_CONFIG, "sluice stream replay takes --bad");
        return err_hint(err, "It takes the records of sluice.%s once more; --where chooses among them.",
                        r->def->bad.table);
    }
    if (r->def->conf->bad.mode != CONF_REJECTS_KEEP)
        return err_set(err, ERR_CONFIG, "stream \"%s\" keeps no rejected records: it says bad: fail",
                       r->def->name);
    TRY(command_needs_store(r->env, err));
    return r->env->engine == NULL || engine_replay_begin(r->env->engine) ||
           err_set(err, ERR_RETRY, "another replay is under way");
}

static const char *plural(uint64_t n)
{
    return n == 1 ? "" : "s";
}

static void say_what(const struct replaying *r)
{
    const char *name = r->def->bad.table;
    env_note(r->env, "%llu record%s of sluice.%s go%s to stream \"%s\" once more",
             (unsigned long long)r->taken, plural(r->taken), name, r->taken == 1 ? "es" : "", r->def->name);
    if (r->before)
        env_note(r->env, "%llu went before", (unsigned long long)r->before);
    if (r->delivered)
        env_note(r->env, "%llu had a row delivered, with a NULL, and no sink of the stream is in mode upsert",
                 (unsigned long long)r->delivered);
    if (r->lacking)
        env_note(r->env, "%llu cannot go: the stream does not read their topic, or their bytes are not there",
                 (unsigned long long)r->lacking);
}

/* No process runs: the rows are delivered here and now. */
static int deliver(struct command_env *env)
{
    struct err err;
    const struct host_options options = {.mode = HOST_ONCE, .no_sources = true, .quiet = true};
    bool ok = store_close(env->store, &err);
    env->store = NULL;
    return ok ? host_run(env->args, env->project->folder, &options) : env_fail(env, &err, NULL);
}

static int look_replay(struct command_env *env)
{
    struct replaying r = {.env = env, .pool = pool_new(env->pool, "replay")};
    struct err err = {0};
    r.def = command_stream(env, env->args->operands[0], &err);
    bool ok = r.def && may_replay(&r, &err);
    if (ok) {
        for (uint32_t i = 0; i < r.def->sink_count; i++)
            r.has_keyed = r.has_keyed || (r.def->sinks[i].mode == SINK_UPSERT && !r.def->stateful);
        r.frame = frame_new(env->store);
        relations_init(&r.relations, env, r.pool);
        ok = replay_rows(&r, &err);
        relations_fini(&r.relations);
        frame_free(r.frame);
        if (r.replay)
            replay_free(r.replay);
        if (env->engine)
            engine_replay_end(env->engine);
    }
    map_fini(&r.records);
    sbuf_fini(&r.id);
    if (ok)
        say_what(&r);
    pool_free(r.pool);
    if (!ok)
        return env_fail(env, &err, NULL);
    return env->engine == NULL && r.taken ? deliver(env) : EXIT_DONE;
}

static const struct cli_flag flags[] = {
    {"--bad", NULL, NULL, "the records of sluice.<stream>_bad"},
    {"--where", NULL, "CONDITION",
     "SQL over the columns of that table: those records only for which it holds"},
    {0},
};

extern const struct cli_command command_stream_replay;
const struct cli_command command_stream_replay = {
    .name = "stream replay",
    .operands = "STREAM [DIR]",
    .summary = "takes rejected records once more, with the columns and the query of today",
    .help =
        "  Records of which no row was delivered go to all sinks of the stream; those whose row went on, with a NULL, to its\n"
        "  sinks in mode upsert. Each goes once, however often it is asked for; one that is rejected again has a new row\n"
        "  in the table, with `attempt` one higher. A sink without a key takes a record only if it read it with the query that\n"
        "  rejected it: one that was behind when the query changed, or came later, has read it with another.\n"
        "\n"
        "    sluice stream replay created_users --bad --where \"reason LIKE 'number%'\"",
    .flags = flags,
    .operands_min = 1,
    .operands_max = 2,
    .dir_at = 1,
    .look = look_replay,
};

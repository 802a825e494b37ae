/* Transactions in a world where everything goes wrong: clients of both versions with a zombie beside each, requests and answers that
 * are lost, frames that are refused, time-outs, topics that are deleted, crashes that keep any prefix of what was in flight.
 *
 * At the end, when everybody has gone home and time has passed, the logs of the partitions are read as a consumer reads them:
 *
 *     every batch has its marker, and no transaction is open
 *     no transaction is committed in one place and aborted in another
 *     what a client was told to be committed is committed, whole; nothing that it did not commit is
 *     a producer that knows of its successor's start has written nothing since
 *
 * SEEDS=n runs n seeds, SEED=n one; VERBOSE=1 tells its story. */
#include <ref/random_batch.h>
#include <ref/txn_world.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/test.h"

enum {
    SEEDS = 1000,
    STEPS = 1000,
    IDS = 3,
    ACTORS = 2 * IDS, /* the current one of each id, and a zombie */
    TAGS_MAX = 4000,
    BATCHES_MAX = 8000,
    WRITES_MAX = 64,
    LATE_MAX = 8,
    TIMEOUT_MS = 5000,
};

enum what { NOTHING, INIT, ADD, ADD_OFFSETS, WRITE, END };

/* A producer: one life of a program with a transactional id. */
struct actor {
    bool lives;
    int id, generation;
    int order; /* of its InitProducerId among those of the id: the last one owns it, whoever that is */
    bool is_v2, is_ready;
    int64_t producer_id;
    int16_t epoch;
    bool in_txn;
    int tag, written; /* written: batches sent in this transaction */
    unsigned added;   /* version 1: logs that were added */
    /* what it waits for */
    enum what what;
    uint64_t ticket; /* 0: to be sent (again) */
    bool commit, has_expected, must_abort;
    int log, batch;
};
/* A transaction, as its client sees it. */
struct tag {
    bool commit_sent, told_commit, told_abort;
    int result; /* in the logs: 1 committed, 2 aborted, 3 both */
};
/* A batch whose durability was told. */
struct acked {
    int tag, log, batch;
};
/* A write within the broker, from its arrival until its frame is durable. */
struct server_write {
    uint64_t ticket;   /* 0: free */
    struct actor from; /* as it was */
    bool is_submitted;
};

static struct sim {
    struct rng rng;
    struct txn_world w;
    struct actor actors[ACTORS];
    int told_order[IDS], orders; /* of the newest that knows that it is ready */
    struct tag tags[TAGS_MAX];
    int tags_count;
    struct acked acked[BATCHES_MAX];
    int acked_count;
    struct server_write writes[WRITES_MAX];
    struct actor late[LATE_MAX]; /* writes that are still on their way, whatever their clients do meanwhile */
    int late_count;
    int batches;
    bool is_over;
} s;

/* VERBOSE=1 says what happens. */
static bool is_verbose;
#define SAY(...) (is_verbose ? (void)fprintf(stderr, __VA_ARGS__) : (void)0)

static uint64_t total_committed, total_aborted, total_crashes, total_fenced;

static const char *const id_names[IDS] = {"a", "b", "c"};

/* ---- the broker's side of a write ----------------------------------------------------------------------------- */

static void come_home(uint64_t ticket, struct txn_world_answer answer);

/* Is the batch in that log already; is a newer epoch? */
static int16_t look_into(int log, const struct actor *from)
{
    for (size_t i = 0; i < s.w.logs[log].count; i++) {
        const struct world_entry *e = &s.w.logs[log].entries[i];
        if (e->tag == from->tag && e->batch == from->batch)
            return KAFKA_ERR_DUPLICATE_SEQUENCE_NUMBER;
        if (e->producer_id == from->producer_id && e->epoch > from->epoch)
            return KAFKA_ERR_INVALID_PRODUCER_EPOCH;
    }
    return 0;
}

static void write_ends(struct server_write *write, int16_t error)
{
    uint64_t ticket = write->ticket;
    write->ticket = 0;
    come_home(ticket, (struct txn_world_answer){.ticket = ticket, .error = error});
}

static void write_runs(struct server_write *write)
{
    struct actor *from = &write->from;
    int version = from->log < WORLD_PARTITIONS ? (from->is_v2 ? 12 : 11) : (from->is_v2 ? 5 : 4);
    int16_t error;
    if (world_admit(&s.w, write->ticket, version, id_names[from->id], from->producer_id, from->epoch,
                    1u << from->log, &error) == TXNS_LATER)
        return;
    if (error == 0) {
        EXPECT_EQ_INT(from->order, s.told_order[from->id]); /* else fenced by its successor */
        error = look_into(from->log, from);
    }
    for (int i = 0; i < WRITES_MAX && error == 0;
         i++) /* the same batch is on its way: the client asks again */
        if (s.writes[i].ticket && s.writes[i].is_submitted && s.writes[i].from.batch == from->batch)
            error = KAFKA_ERR_NOT_ENOUGH_REPLICAS;
    if (error) {
        write_ends(write, error == KAFKA_ERR_DUPLICATE_SEQUENCE_NUMBER ? 0 : error);
        return;
    }
    write->is_submitted = true;
    world_append(&s.w, write->ticket, from->log,
                 (struct world_entry){from->producer_id, from->epoch, WORLD_BATCH, from->tag, from->batch});
}

static void write_arrives(const struct actor *from)
{
    for (int i = 0; i < WRITES_MAX; i++)
        if (s.writes[i].ticket == 0) {
            s.writes[i] = (struct server_write){.ticket = from->ticket, .from = *from};
            write_runs(&s.writes[i]);
            return;
        }
}

/* ---- the clients ---------------------------------------------------------------------------------------------- */

static void actor_new(int id, int generation)
{
    struct actor *actor = &s.actors[2 * id];
    s.actors[2 * id + 1] = *actor; /* the zombie */
    *actor = (struct actor){
        .lives = true,
        .id = id,
        .generation = generation,
        .is_v2 = rng_one_in(&s.rng, 2),
        .producer_id = -1,
        .epoch = -1,
        .what = INIT,
    };
}

static void actor_dies(struct actor *actor)
{
    actor->lives = false;
    total_fenced++;
    if (actor == &s.actors[2 * actor->id])
        actor_new(actor->id, actor->generation + 1);
}

static void send_it(struct actor *actor)
{
    const char *id = id_names[actor->id];
    if (actor->what == END && actor->commit)
        s.tags[actor->tag].commit_sent = true;
    if (rng_one_in(&s.rng, 12)) { /* lost on its way, or not yet there */
        if (actor->what == WRITE && s.late_count < LATE_MAX)
            s.late[s.late_count++] = *actor;
        return;
    }
    /* The world counts tickets too: it takes the next one for what it sends. */
    actor->ticket = s.w.next_ticket + 1;
    if (actor->what == WRITE)
        s.w.next_ticket++;
    bool old = rng_one_in(&s.rng, 2);
    SAY("%s/%d asks %llu: %s, producer %lld epoch %d, log %d batch %d commit %d expected %d\n", id,
        actor->generation, (unsigned long long)actor->ticket,
        (const char *[]){"nothing", "init", "add", "offsets", "write", "end"}[actor->what],
        (long long)actor->producer_id, actor->epoch, actor->log, actor->batch, actor->commit,
        actor->has_expected);
    switch (actor->what) {
    case INIT:
        world_init_producer_id(&s.w, 4, id, TIMEOUT_MS, actor->has_expected ? actor->producer_id : -1,
                               actor->has_expected ? actor->epoch : -1);
        return;
    case ADD:
        world_add_partitions(&s.w, old ? 1 : 3, id, actor->producer_id, actor->epoch, 1u << actor->log,
                             false);
        return;
    case ADD_OFFSETS:
        world_add_offsets(&s.w, old ? 1 : 3, id, actor->producer_id, actor->epoch, actor->log);
        return;
    case END:
        txn_world_end_txn(&s.w,
                          actor->is_v2 ? 5
                          : old        ? 1
                                       : 4,
                          id, actor->producer_id, actor->epoch, actor->commit);
        return;
    case WRITE: write_arrives(actor); return;
    case NOTHING: break;
    }
    UNREACHABLE("nothing to send");
}

static void choose(struct actor *actor)
{
    if (s.is_over)
        return;
    if (!actor->is_ready) {
        actor->what = INIT;
        return;
    }
    if (!actor->in_txn && rng_one_in(&s.rng, 10)) { /* goes on with another epoch */
        actor->what = INIT;
        actor->has_expected = true;
        return;
    }
    if (!actor->in_txn) {
        CHECK(s.tags_count < TAGS_MAX);
        actor->in_txn = true;
        actor->tag = s.tags_count++;
        actor->written = 0;
        actor->added = 0;
        actor->must_abort = false;
    }
    bool may_end = actor->written > 0 || actor->is_v2;
    if (actor->must_abort || (may_end && rng_one_in(&s.rng, 4))) {
        if (actor->must_abort && !may_end) {
            actor->in_txn = false;
            return;
        }
        actor->what = END;
        actor->commit = !actor->must_abort && actor->written > 0 && !rng_one_in(&s.rng, 4);
        return;
    }
    actor->log = (int)rng_below(&s.rng, WORLD_LOGS);
    if (!actor->is_v2 && !(actor->added & 1u << actor->log)) {
        actor->what = actor->log < WORLD_PARTITIONS ? ADD : ADD_OFFSETS;
        return;
    }
    actor->what = WRITE;
    actor->batch = s.batches++;
}

static void succeeded(struct actor *actor, const struct txn_world_answer *answer)
{
    enum what what = actor->what;
    actor->what = NOTHING;
    switch (what) {
    case INIT:
        actor->is_ready = true;
        actor->has_expected = false;
        actor->producer_id = answer->producer_id;
        actor->epoch = answer->epoch;
        s.told_order[actor->id] = actor->order = ++s.orders;
        return;
    case ADD:
    case ADD_OFFSETS:
        actor->added |= 1u << actor->log;
        actor->written++; /* it has to be ended from now on */
        return;
    case WRITE:
        actor->written++;
        CHECK(s.acked_count < BATCHES_MAX);
        s.acked[s.acked_count++] = (struct acked){actor->tag, actor->log, actor->batch};
        return;
    case END:
        if (actor->commit)
            s.tags[actor->tag].told_commit = true;
        else
            s.tags[actor->tag].told_abort = true;
        actor->in_txn = false;
        if (actor->is_v2) {
            actor->producer_id = answer->producer_id;
            actor->epoch = answer->epoch;
        }
        return;
    case NOTHING: break;
    }
    UNREACHABLE("an answer to nothing");
}

static void failed(struct actor *actor, int16_t error)
{
    switch (error) {
    case KAFKA_ERR_CONCURRENT_TRANSACTIONS:
    case KAFKA_ERR_COORDINATOR_LOAD_IN_PROGRESS:
    case KAFKA_ERR_COORDINATOR_NOT_AVAILABLE:
    case KAFKA_ERR_NOT_ENOUGH_REPLICAS: return; /* it is sent again */
    case KAFKA_ERR_UNKNOWN_TOPIC_OR_PARTITION:
    case KAFKA_ERR_TRANSACTION_ABORTABLE:
        CHECK(actor->what != END && actor->what != INIT);
        actor->what = NOTHING;
        actor->must_abort = true;
        return;
    case KAFKA_ERR_INVALID_TXN_STATE: CHECK(actor->what == END || actor->what == WRITE); break;
    case KAFKA_ERR_INVALID_PRODUCER_EPOCH:
    case KAFKA_ERR_PRODUCER_FENCED:
    case KAFKA_ERR_INVALID_PRODUCER_ID_MAPPING: break;
    default: fprintf(stderr, "error %d of request %d\n", error, actor->what); CHECK(!"an expected error");
    }
    actor_dies(actor);
}

/* An answer leaves the broker; it may be lost, or too late. */
static void come_home(uint64_t ticket, struct txn_world_answer answer)
{
    SAY("  answer %llu: error %d, producer %lld epoch %d\n", (unsigned long long)ticket, answer.error,
        (long long)answer.producer_id, answer.epoch);
    for (int i = 0; i < ACTORS; i++) {
        struct actor *actor = &s.actors[i];
        if (!actor->lives || actor->ticket != ticket)
            continue;
        actor->ticket = 0;
        if (rng_one_in(&s.rng, 12))
            return; /* lost: it is sent again */
        if (answer.error == 0)
            succeeded(actor, &answer);
        else
            failed(actor, answer.error);
        return;
    }
}

/* From the world: a reply, ready, or a batch's frame. */
static void on_answer(void *arg, const struct txn_world_answer *answer)
{
    for (int i = 0; i < WRITES_MAX; i++)
        if (s.writes[i].ticket == answer->ticket) {
            if (answer->is_ready && answer->error == 0)
                write_runs(&s.writes[i]);
            else
                write_ends(&s.writes[i], answer->error);
            return;
        }
    come_home(answer->ticket, *answer);
}

static void act(struct actor *actor)
{
    if (!actor->lives)
        return;
    if (actor->ticket && !rng_one_in(&s.rng, 8))
        return; /* waits */
    actor->ticket = 0;
    if (actor->what == WRITE && rng_one_in(&s.rng, 4)) { /* it gives up; the batch may come all the same */
        actor->what = NOTHING;
        actor->must_abort = true;
        actor->written++;
    }
    if (actor->what == NOTHING)
        choose(actor);
    if (actor->what != NOTHING)
        send_it(actor);
}

/* ---- the world ------------------------------------------------------------------------------------------------ */

static void snapshot(struct sbuf *text)
{
    struct arena arena = {0};
    struct kafka_list_transactions_request all;
    kafka_init(&kafka_list_transactions_request, &all);
    struct kafka_list_transactions_response list;
    for (int i = 0; i < IDS; i++) {
        struct str id = str_of(id_names[i]);
        struct kafka_describe_transactions_request request = {.transactional_ids = &id,
                                                              .transactional_ids_count = 1};
        struct kafka_describe_transactions_response response;
        txns_describe(s.w.txns, &request, &arena, &response);
        const struct kafka_describe_transactions_response_transaction *t = response.transaction_states;
        sbuf_printf(text, "%d %.*s %lld %d %lld\n", t->error_code, STR_ARG(t->transaction_state),
                    (long long)t->producer_id, t->producer_epoch, (long long)t->transaction_start_time_ms);
        size_t partitions = 0;
        for (uint32_t k = 0; k < t->topics_count; k++)
            partitions += t->topics[k].partitions_count;
        sbuf_printf(text, "%zu partitions\n", partitions);
    }
    txns_list(s.w.txns, s.w.now_ms, &all, &arena, &list);
    sbuf_printf(text, "%u ids\n", list.transaction_states_count);
    arena_fini(&arena);
}

static void crash(void)
{
    SAY("crash\n");
    struct sbuf before = {0}, after = {0};
    bool is_quiet = s.w.frames_count == 0;
    snapshot(&before);
    world_crash(&s.w, s.w.frames_count ? rng_below(&s.rng, s.w.frames_count + 1) : 0);
    snapshot(&after);
    if (is_quiet)
        CHECK(str_eq(sbuf_view(&before), sbuf_view(&after))); /* what it knew is what was durable */
    sbuf_fini(&before);
    sbuf_fini(&after);
    memset(s.writes, 0, sizeof s.writes);
    for (int i = 0; i < ACTORS; i++)
        s.actors[i].ticket = 0; /* connections are lost */
    total_crashes++;
}

static void pass_time(int64_t ms)
{
    s.w.now_ms += ms;
    if (txns_deadline_ms(s.w.txns) <= s.w.now_ms)
        txns_tick(s.w.txns, s.w.now_ms);
    txns_check(s.w.txns);
}

/* A write comes that nobody waits for any more. Version 1 cannot tell those of the transaction before from those of this one: there the
 * sequence numbers of batches, which are not here, do. */
static void late_write(void)
{
    if (s.late_count == 0)
        return;
    struct actor from = s.late[--s.late_count];
    for (int i = 0; i < ACTORS; i++)
        if (!from.is_v2 && s.actors[i].lives && s.actors[i].id == from.id &&
            s.actors[i].order == from.order && s.actors[i].in_txn && s.actors[i].tag != from.tag)
            return;
    SAY("late: %s/%d batch %d\n", id_names[from.id], from.generation, from.batch);
    from.ticket = ++s.w.next_ticket;
    write_arrives(&from);
}

static void step(void)
{
    uint64_t dice = rng_below(&s.rng, 1000);
    if (dice < 470)
        act(&s.actors[rng_below(&s.rng, ACTORS)]);
    else if (dice < 870 && s.w.frames_count)
        world_frame(&s.w, !rng_one_in(&s.rng, 25));
    else if (dice < 930)
        pass_time((int64_t)rng_below(&s.rng, 300));
    else if (dice < 935)
        pass_time(TIMEOUT_MS + (int64_t)rng_below(&s.rng, 3000));
    else if (dice < 950)
        crash();
    else if (dice < 960) {
        int id = (int)rng_below(&s.rng, IDS);
        actor_new(id, s.actors[2 * id].generation + 1);
    } else if (dice < 998)
        late_write();
    else if (dice == 998)
        s.w.logs[rng_below(&s.rng, WORLD_PARTITIONS)].is_gone = true;
}

/* ---- what a consumer sees ------------------------------------------------------------------------------------- */

static void read_log(int index)
{
    const struct world_log *log = &s.w.logs[index];
    size_t *open = mem_new_array(size_t, log->count + 1), open_count = 0;
    for (size_t i = 0; i < log->count; i++) {
        const struct world_entry *e = &log->entries[i];
        if (e->kind == WORLD_BATCH) {
            open[open_count++] = i;
            continue;
        }
        int tag = -1;
        size_t kept = 0;
        for (size_t k = 0; k < open_count; k++) {
            const struct world_entry *b = &log->entries[open[k]];
            if (b->producer_id != e->producer_id) {
                open[kept++] = open[k];
                continue;
            }
            EXPECT(b->epoch <= e->epoch);
            EXPECT(tag == -1 || tag == b->tag); /* one transaction at a time */
            tag = b->tag;
            s.tags[tag].result |= e->kind == WORLD_COMMIT ? 1 : 2;
        }
        open_count = kept;
    }
    EXPECT_EQ_INT(open_count, 0); /* nothing hangs */
    mem_free(open);
}

static bool has_batch(const struct world_log *log, int batch)
{
    for (size_t i = 0; i < log->count; i++)
        if (log->entries[i].kind == WORLD_BATCH && log->entries[i].batch == batch)
            return true;
    return false;
}

static void judge(void)
{
    for (int i = 0; i < WORLD_LOGS; i++)
        if (!s.w.logs[i].is_gone)
            read_log(i);
    for (int i = 0; i < s.tags_count; i++) {
        const struct tag *tag = &s.tags[i];
        EXPECT(tag->result != 3);
        EXPECT(!(tag->told_commit && tag->result == 2));
        EXPECT(!(tag->told_abort && tag->result == 1));
        EXPECT(tag->commit_sent || tag->result != 1);
        EXPECT(!(tag->told_commit && tag->told_abort));
        total_committed += tag->result == 1;
        total_aborted += tag->result == 2;
    }
    for (int i = 0; i < s.acked_count; i++) /* what was acknowledged is there */
        EXPECT(s.w.logs[s.acked[i].log].is_gone || has_batch(&s.w.logs[s.acked[i].log], s.acked[i].batch));
}

static void run_seed(uint64_t seed)
{
    memset(&s, 0, sizeof s);
    s.rng = (struct rng){seed};
    txn_world_init(&s.w, &(struct txns_options){.producer_ids_block = 1 + (int32_t)rng_below(&s.rng, 5)});
    s.w.on_answer = on_answer;
    if (rng_one_in(&s.rng, 3)) { /* epochs that will be used up */
        struct kafka_transaction_log_value value;
        kafka_init(&kafka_transaction_log_value, &value);
        value.producer_epoch = INT16_MAX - 1 - (int16_t)rng_below(&s.rng, 6);
        value.producer_id = 100;
        value.transaction_timeout_ms = TIMEOUT_MS;
        value.transaction_start_timestamp_ms = -1;
        value.transaction_last_update_timestamp_ms = s.w.now_ms;
        world_put_record(&s.w, id_names[0], &value);
        world_crash(&s.w, 0);
    }
    for (int id = 0; id < IDS; id++)
        actor_new(id, 1);
    for (int i = 0; i < STEPS; i++)
        step();
    s.is_over = true;
    struct txns_stats stats;
    int rounds = 0;
    do {
        CHECK(rounds++ < 10); /* every transaction ends */
        world_settle(&s.w);
        pass_time(TIMEOUT_MS + 1000);
        world_settle(&s.w);
        txns_stats(s.w.txns, &stats);
    } while (stats.ongoing > 0);
    EXPECT_EQ_INT(stats.waiting, 0);
    judge();
    txn_world_fini(&s.w);
}

static uint64_t number(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    return text ? strtoull(text, NULL, 10) : otherwise;
}

TEST(no_transaction_is_half)
{
    is_verbose = getenv("VERBOSE");
    uint64_t first = number("SEED", 1), count = getenv("SEED") ? 1 : number("SEEDS", SEEDS);
    for (uint64_t seed = first; seed < first + count && !test_is_bad; seed++) {
        run_seed(seed);
        if (test_is_bad)
            fprintf(stderr, "SEED=%llu\n", (unsigned long long)seed);
    }
    printf("%llu committed, %llu aborted, %llu crashes, %llu producers fenced\n",
           (unsigned long long)total_committed, (unsigned long long)total_aborted,
           (unsigned long long)total_crashes, (unsigned long long)total_fenced);
    EXPECT(count < 100 ||
           (total_committed > 0 && total_aborted > 0 && total_crashes > 0 && total_fenced > 0));
}

int main(void)
{
    RUN(no_transaction_is_half);
    return test_end();
}

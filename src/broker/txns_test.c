/* The transaction coordinator in stories: every row of the tables of requests and states, one client at a time. Many at once, with
 * crashes: tests/sim/txns_sim_test.c. */
#include <ref/txn_world.h>

#include "base/test.h"
#include "broker/txn_moves.h"

enum { MINUTE = 60000, NO = -1 };

static struct txn_world w;

static void begin(struct txns_options options)
{
    txn_world_init(&w, &options);
}

static void end(void)
{
    txns_check(w.txns);
    txn_world_fini(&w);
}

/* The answer that must have come, once all frames are durable. */
static struct txn_world_answer told(uint64_t ticket)
{
    struct txn_world_answer answer = {.error = -99};
    world_settle(&w);
    EXPECT(txn_world_answer(&w, ticket, &answer));
    EXPECT_EQ_INT(w.answers_count, 0);
    return answer;
}

static struct txn_world_answer init_as(const char *id, int64_t producer_id, int16_t epoch)
{
    return told(world_init_producer_id(&w, 5, id, MINUTE, producer_id, epoch));
}

static struct txn_world_answer init(const char *id)
{
    return init_as(id, NO, NO);
}

static int16_t add(int version, struct txn_world_answer who, unsigned logs)
{
    return told(world_add_partitions(&w, version, "x", who.producer_id, who.epoch, logs, false)).error;
}

static struct txn_world_answer finish(int version, struct txn_world_answer who, bool commit)
{
    return told(txn_world_end_txn(&w, version, "x", who.producer_id, who.epoch, commit));
}

/* Writes without more ado, or says why not. */
static int16_t write_to(int version, struct txn_world_answer who, unsigned logs)
{
    int16_t error;
    uint64_t ticket = ++w.next_ticket;
    while (world_admit(&w, ticket, version, "x", who.producer_id, who.epoch, logs, &error) == TXNS_LATER) {
        struct txn_world_answer answer = told(ticket);
        EXPECT(answer.is_ready);
        if (answer.error)
            return answer.error;
    }
    return error;
}

/* DescribeTransactions of "x". The strings are the arena's. */
static struct arena arena;
static struct kafka_describe_transactions_response_transaction describe(const char *id)
{
    struct str ids[] = {str_of(id)};
    struct kafka_describe_transactions_request request = {.transactional_ids = ids,
                                                          .transactional_ids_count = 1};
    struct kafka_describe_transactions_response response;
    arena_reset(&arena);
    txns_describe(w.txns, &request, &arena, &response);
    EXPECT_EQ_INT(response.transaction_states_count, 1);
    return response.transaction_states[0];
}

static void expect_state(const char *state)
{
    struct str is = describe("x").transaction_state;
    char text[32];
    snprintf(text, sizeof text, "%.*s", STR_ARG(is));
    EXPECT_STR(text, state);
}

/* ---- InitProducerId ------------------------------------------------------------------------------------------- */

TEST(producers_without_a_transactional_id_get_an_id_each)
{
    begin((struct txns_options){.producer_ids_block = 4});
    int64_t last = -1;
    for (int i = 0; i < 20; i++) {
        struct txn_world_answer answer = init_as(NULL, NO, NO);
        EXPECT_EQ_INT(answer.error, 0);
        EXPECT_EQ_INT(answer.epoch, 0);
        EXPECT(answer.producer_id > last);
        last = answer.producer_id;
        if (i == 9)
            world_crash(&w, 0);
    }
    EXPECT(w.ids_end > last);
    end();
}

TEST(a_block_of_ids_that_was_refused_is_asked_for_again)
{
    begin((struct txns_options){0});
    uint64_t a = world_init_producer_id(&w, 5, NULL, 0, NO, NO);
    uint64_t b = world_init_producer_id(&w, 5, "x", MINUTE, NO, NO);
    EXPECT_EQ_INT(w.frames_count, 1);
    world_frame(&w, false);
    struct txn_world_answer answer;
    EXPECT(txn_world_answer(&w, a, &answer) && answer.error == KAFKA_ERR_COORDINATOR_LOAD_IN_PROGRESS);
    EXPECT(txn_world_answer(&w, b, &answer) && answer.error == KAFKA_ERR_COORDINATOR_LOAD_IN_PROGRESS);
    EXPECT_EQ_INT(init("x").error, 0);
    end();
}

TEST(what_init_refuses)
{
    begin((struct txns_options){0});
    EXPECT_EQ_INT(init("").error, KAFKA_ERR_INVALID_REQUEST);
    EXPECT_EQ_INT(init_as("x", 5, NO).error, KAFKA_ERR_INVALID_REQUEST);
    EXPECT_EQ_INT(init_as("x", NO, 5).error, KAFKA_ERR_INVALID_REQUEST);
    EXPECT_EQ_INT(told(world_init_producer_id(&w, 5, "x", 0, NO, NO)).error,
                  KAFKA_ERR_INVALID_TRANSACTION_TIMEOUT);
    EXPECT_EQ_INT(told(world_init_producer_id(&w, 5, "x", 900001, NO, NO)).error,
                  KAFKA_ERR_INVALID_TRANSACTION_TIMEOUT);
    EXPECT_EQ_INT(told(world_init_producer_id(&w, 5, "x", 900000, NO, NO)).error, 0);
    end();
}

TEST(each_init_takes_the_next_epoch)
{
    begin((struct txns_options){0});
    struct txn_world_answer first = init("x"), second = init("x");
    EXPECT_EQ_INT(first.epoch, 0);
    EXPECT_EQ_INT(second.producer_id, first.producer_id);
    EXPECT_EQ_INT(second.epoch, 1);
    world_crash(&w, 0);
    EXPECT_EQ_INT(init("x").epoch, 2);
    end();
}

TEST(a_producer_that_says_who_it_was_goes_on_or_is_fenced)
{
    begin((struct txns_options){0});
    struct txn_world_answer a = init("x");
    struct txn_world_answer b = init_as("x", a.producer_id, a.epoch);
    EXPECT_EQ_INT(b.epoch, 1);
    /* It lost that answer, and asks again: also after a restart. */
    EXPECT_EQ_INT(init_as("x", a.producer_id, a.epoch).epoch, 1);
    world_crash(&w, 0);
    EXPECT_EQ_INT(init_as("x", a.producer_id, a.epoch).epoch, 1);
    EXPECT_EQ_INT(init_as("x", b.producer_id, b.epoch).epoch, 2);
    EXPECT_EQ_INT(init_as("x", a.producer_id, a.epoch).error, KAFKA_ERR_PRODUCER_FENCED);
    EXPECT_EQ_INT(init_as("x", a.producer_id + 7, 2).error, KAFKA_ERR_PRODUCER_FENCED);
    /* Another producer comes: nobody before it may go on. */
    EXPECT_EQ_INT(init("x").epoch, 3);
    EXPECT_EQ_INT(init_as("x", a.producer_id, 2).error, KAFKA_ERR_PRODUCER_FENCED);
    /* Versions before 4 know another word for it. */
    EXPECT_EQ_INT(told(world_init_producer_id(&w, 3, "x", MINUTE, a.producer_id, 1)).error,
                  KAFKA_ERR_INVALID_PRODUCER_EPOCH);
    end();
}

TEST(init_over_an_open_transaction_aborts_it)
{
    begin((struct txns_options){0});
    struct txn_world_answer old = init("x");
    EXPECT_EQ_INT(write_to(12, old, 1), 0);
    EXPECT_EQ_INT(init("x").error, KAFKA_ERR_CONCURRENT_TRANSACTIONS);
    expect_state("CompleteAbort");
    EXPECT_EQ_INT(w.logs[0].count, 1);
    EXPECT_EQ_INT(w.logs[0].entries[0].kind, WORLD_ABORT);
    EXPECT_EQ_INT(w.logs[0].entries[0].epoch, 1);
    EXPECT_EQ_INT(init("x").epoch, 2);
    EXPECT_EQ_INT(write_to(12, old, 1), KAFKA_ERR_INVALID_PRODUCER_EPOCH);
    EXPECT_EQ_INT(finish(4, old, true).error, KAFKA_ERR_PRODUCER_FENCED);
    EXPECT_EQ_INT(finish(1, old, true).error, KAFKA_ERR_INVALID_PRODUCER_EPOCH);
    EXPECT_EQ_INT(finish(5, old, true).error, KAFKA_ERR_PRODUCER_FENCED);
    end();
}

/* Takes "x" to an epoch by inits. */
static struct txn_world_answer at_epoch(int16_t epoch)
{
    struct txn_world_answer who = init("x");
    while (who.epoch < epoch)
        who = init_as("x", who.producer_id, who.epoch);
    return who;
}

TEST(epochs_that_are_used_up_give_way_to_another_producer_id)
{
    begin((struct txns_options){0});
    struct txn_world_answer last = at_epoch(TXN_EPOCH_MAX);
    struct txn_world_answer next = init_as("x", last.producer_id, last.epoch);
    EXPECT(next.producer_id != last.producer_id);
    EXPECT_EQ_INT(next.epoch, 0);
    /* The answer was lost; it says who it was. */
    world_crash(&w, 0);
    struct txn_world_answer again = init_as("x", last.producer_id, last.epoch);
    EXPECT_EQ_INT(again.producer_id, next.producer_id);
    EXPECT_EQ_INT(again.epoch, 0);
    EXPECT_EQ_INT(init_as("x", last.producer_id, 5).error, KAFKA_ERR_PRODUCER_FENCED);
    end();
}

TEST(the_end_of_a_transaction_may_use_the_epochs_up)
{
    begin((struct txns_options){0});
    struct txn_world_answer last = at_epoch(TXN_EPOCH_MAX);
    EXPECT_EQ_INT(write_to(12, last, 1), 0);
    struct txn_world_answer next = finish(5, last, true);
    EXPECT_EQ_INT(next.error, 0);
    EXPECT(next.producer_id != last.producer_id);
    EXPECT_EQ_INT(next.epoch, 0);
    EXPECT_EQ_INT(w.logs[0].entries[0].producer_id, last.producer_id);
    EXPECT_EQ_INT(w.logs[0].entries[0].epoch, INT16_MAX);
    /* The answer was lost. */
    world_crash(&w, 0);
    struct txn_world_answer again = finish(5, last, true);
    EXPECT_EQ_INT(again.error, 0);
    EXPECT_EQ_INT(again.producer_id, next.producer_id);
    EXPECT_EQ_INT(again.epoch, 0);
    EXPECT_EQ_INT(write_to(12, next, 1), 0);
    EXPECT_EQ_INT(finish(5, next, false).epoch, 1);
    end();
}

TEST(fencing_at_the_last_epoch_takes_another_producer_id)
{
    begin((struct txns_options){0});
    struct txn_world_answer last = at_epoch(TXN_EPOCH_MAX);
    EXPECT_EQ_INT(write_to(12, last, 1), 0);
    EXPECT_EQ_INT(init("x").error, KAFKA_ERR_CONCURRENT_TRANSACTIONS);
    struct txn_world_answer next = init("x");
    EXPECT(next.producer_id != last.producer_id);
    EXPECT_EQ_INT(next.epoch, 1);
    end();
}

/* ---- adding --------------------------------------------------------------------------------------------------- */

TEST(partitions_are_added_once)
{
    begin((struct txns_options){0});
    struct txn_world_answer who = init("x");
    size_t before = w.records_count;
    EXPECT_EQ_INT(add(3, who, 1 | 4), 0);
    expect_state("Ongoing");
    EXPECT_EQ_INT(add(3, who, 4), 0);
    EXPECT_EQ_INT(add(0, who, 1), 0);
    EXPECT_EQ_INT(w.records_count, before + 1);
    EXPECT_EQ_INT(add(3, who, 2), 0);
    struct kafka_describe_transactions_response_transaction t = describe("x");
    EXPECT_EQ_INT(t.topics_count, 2);
    EXPECT_EQ_INT(t.topics[0].partitions_count + t.topics[1].partitions_count, 3);
    EXPECT_EQ_INT(t.transaction_start_time_ms, w.now_ms);
    end();
}

TEST(what_adding_refuses)
{
    begin((struct txns_options){.partitions_max = 2});
    struct txn_world_answer who = init("x"), other = who, late = who;
    other.producer_id++;
    late.epoch = 7;
    EXPECT_EQ_INT(add(3, other, 1), KAFKA_ERR_INVALID_PRODUCER_ID_MAPPING);
    EXPECT_EQ_INT(add(3, late, 1), KAFKA_ERR_PRODUCER_FENCED);
    EXPECT_EQ_INT(add(1, late, 1), KAFKA_ERR_INVALID_PRODUCER_EPOCH);
    EXPECT_EQ_INT(told(world_add_partitions(&w, 3, "y", 0, 0, 1, false)).error,
                  KAFKA_ERR_INVALID_PRODUCER_ID_MAPPING);
    EXPECT_EQ_INT(told(world_add_partitions(&w, 3, "", 0, 0, 1, false)).error, KAFKA_ERR_INVALID_REQUEST);
    /* Clients do not write to Kafka's own topics; other brokers say so for them. */
    EXPECT_EQ_INT(add(3, who, 1 << WORLD_PARTITIONS), KAFKA_ERR_TOPIC_AUTHORIZATION_FAILED);
    EXPECT_EQ_INT(add(5, who, 1 << WORLD_PARTITIONS), 0);
    w.logs[0].is_gone = true;
    EXPECT_EQ_INT(add(3, who, 1 | 2), KAFKA_ERR_UNKNOWN_TOPIC_OR_PARTITION);
    EXPECT_EQ_INT(add(3, who, 2), 0);
    EXPECT_EQ_INT(add(3, who, 4), KAFKA_ERR_POLICY_VIOLATION);
    EXPECT_EQ_INT(write_to(12, who, 4), KAFKA_ERR_POLICY_VIOLATION);
    end();
}

TEST(several_transactions_are_added_to_by_one_request)
{
    begin((struct txns_options){0});
    struct txn_world_answer x = init("x"), y = init("y");
    int32_t zero[] = {0}, one[] = {1};
    struct kafka_add_partitions_to_txn_request_topic t0 = {
        .name = STR("t0"), .partitions = zero, .partitions_count = 1};
    struct kafka_add_partitions_to_txn_request_topic t1 = {
        .name = STR("t1"), .partitions = one, .partitions_count = 1};
    struct kafka_add_partitions_to_txn_request_transaction transactions[] = {
        {.transactional_id = STR("x"), .producer_id = x.producer_id, .topics = &t0, .topics_count = 1},
        {.transactional_id = STR("y"),
         .producer_id = y.producer_id,
         .producer_epoch = 9,
         .topics = &t1,
         .topics_count = 1},
        {.transactional_id = STR("y"),
         .producer_id = y.producer_id,
         .verify_only = true,
         .topics = &t1,
         .topics_count = 1},
    };
    struct kafka_add_partitions_to_txn_request request = {.transactions = transactions,
                                                          .transactions_count = 3};
    uint64_t ticket = world_expect(&w, KAFKA_API_ADD_PARTITIONS_TO_TXN);
    txns_add_partitions(w.txns, w.now_ms, ticket, 4, &request);
    struct txn_world_answer answer = told(ticket);
    EXPECT_STR(answer.text, "x: t0-0=0 y: t1-1=90 y: t1-1=120 ");
    request.transactions_count = 0;
    ticket = world_expect(&w, KAFKA_API_ADD_PARTITIONS_TO_TXN);
    txns_add_partitions(w.txns, w.now_ms, ticket, 4, &request);
    EXPECT_EQ_INT(told(ticket).error, 0);
    end();
}

TEST(other_brokers_may_ask_what_is_in_a_transaction)
{
    begin((struct txns_options){0});
    struct txn_world_answer x = init("x");
    EXPECT_EQ_INT(told(world_add_partitions(&w, 5, "x", x.producer_id, x.epoch, 1, true)).error,
                  KAFKA_ERR_TRANSACTION_ABORTABLE);
    EXPECT_EQ_INT(add(5, x, 1), 0);
    EXPECT_EQ_INT(told(world_add_partitions(&w, 5, "x", x.producer_id, x.epoch, 1, true)).error, 0);
    EXPECT_EQ_INT(told(world_add_partitions(&w, 5, "x", x.producer_id, 3, 1, true)).error,
                  KAFKA_ERR_PRODUCER_FENCED);
    EXPECT_EQ_INT(told(world_add_partitions(&w, 5, "z", x.producer_id, 3, 1, true)).error,
                  KAFKA_ERR_INVALID_PRODUCER_ID_MAPPING);
    end();
}

TEST(version_1_writes_where_it_said_it_would)
{
    begin((struct txns_options){0});
    struct txn_world_answer who = init("x"), other = who, late = who;
    other.producer_id++;
    late.epoch = 7;
    EXPECT_EQ_INT(write_to(11, who, 1), KAFKA_ERR_TRANSACTION_ABORTABLE);
    EXPECT_EQ_INT(write_to(10, who, 1), KAFKA_ERR_INVALID_TXN_STATE);
    EXPECT_EQ_INT(add(3, who, 1), 0);
    EXPECT_EQ_INT(write_to(10, who, 1), 0);
    EXPECT_EQ_INT(write_to(11, who, 1 | 2), KAFKA_ERR_TRANSACTION_ABORTABLE);
    EXPECT_EQ_INT(write_to(11, other, 1), KAFKA_ERR_INVALID_PRODUCER_ID_MAPPING);
    EXPECT_EQ_INT(write_to(11, late, 1), KAFKA_ERR_INVALID_PRODUCER_EPOCH);
    /* Offsets. */
    unsigned offsets = 1 << WORLD_PARTITIONS;
    EXPECT_EQ_INT(write_to(3, who, offsets), KAFKA_ERR_INVALID_TXN_STATE);
    EXPECT_EQ_INT(write_to(4, who, offsets), KAFKA_ERR_TRANSACTION_ABORTABLE);
    EXPECT_EQ_INT(told(world_add_offsets(&w, 3, "x", who.producer_id, who.epoch, WORLD_PARTITIONS)).error, 0);
    EXPECT_EQ_INT(write_to(3, who, offsets), 0);
    EXPECT_EQ_INT(told(world_add_offsets(&w, 1, "x", who.producer_id, 5, WORLD_PARTITIONS)).error,
                  KAFKA_ERR_INVALID_PRODUCER_EPOCH);
    /* And not after its end. */
    EXPECT_EQ_INT(finish(3, who, true).error, 0);
    EXPECT_EQ_INT(w.offsets_ended[true], 1);
    EXPECT_EQ_INT(write_to(11, who, 1), KAFKA_ERR_TRANSACTION_ABORTABLE);
    end();
}

TEST(version_2_adds_by_writing)
{
    begin((struct txns_options){0});
    struct txn_world_answer who = init("x");
    size_t before = w.records_count;
    EXPECT_EQ_INT(write_to(12, who, 1 | 2), 0);
    EXPECT_EQ_INT(w.records_count, before + 1);
    EXPECT_EQ_INT(write_to(13, who, 2), 0);
    EXPECT_EQ_INT(w.records_count, before + 1);
    EXPECT_EQ_INT(write_to(5, who, 1 << (WORLD_PARTITIONS + 1)), 0);
    EXPECT_EQ_INT(w.records_count, before + 2);
    struct txn_world_answer next = finish(5, who, false);
    EXPECT_EQ_INT(next.epoch, 1);
    EXPECT_EQ_INT(w.offsets_ended[false], 1);
    EXPECT_EQ_INT(w.logs[WORLD_PARTITIONS + 1].count, 1);
    EXPECT_EQ_INT(write_to(12, who, 1), KAFKA_ERR_INVALID_PRODUCER_EPOCH);
    EXPECT_EQ_INT(write_to(12, next, 1), 0);
    end();
}

TEST(what_waits_for_a_frame_is_refused_with_it)
{
    begin((struct txns_options){0});
    struct txn_world_answer who = init("x"), answer;
    int16_t error;
    EXPECT_EQ_INT(world_admit(&w, 1001, 12, "x", who.producer_id, who.epoch, 1, &error), TXNS_LATER);
    EXPECT_EQ_INT(world_admit(&w, 1002, 12, "x", who.producer_id, who.epoch, 2, &error), TXNS_LATER);
    uint64_t ticket = txn_world_end_txn(&w, 5, "x", who.producer_id, who.epoch, false);
    EXPECT_EQ_INT(w.frames_count, 1);
    world_frame(&w, false);
    /* The first is refused, the second asks again, the third runs. */
    EXPECT(txn_world_answer(&w, 1001, &answer) && answer.error == KAFKA_ERR_NOT_ENOUGH_REPLICAS);
    EXPECT(txn_world_answer(&w, 1002, &answer) && answer.error == 0);
    EXPECT_EQ_INT(w.frames_count, 1);
    EXPECT_EQ_INT(told(ticket).error, 0);
    expect_state("CompleteAbort");
    end();
}

/* A producer sends several requests before the first is answered; their sequences go on from one to the next. */
TEST(no_batch_passes_one_that_waits)
{
    begin((struct txns_options){0});
    struct txn_world_answer who = init("x"), answer;
    int16_t error;
    EXPECT_EQ_INT(write_to(12, who, 1), 0);
    EXPECT_EQ_INT(world_admit(&w, 1001, 12, "x", who.producer_id, who.epoch, 1 | 2, &error), TXNS_LATER);
    EXPECT_EQ_INT(world_admit(&w, 1002, 12, "x", who.producer_id, who.epoch, 1, &error), TXNS_LATER);
    world_frame(&w, true);
    EXPECT(txn_world_answer(&w, 1001, &answer) && answer.error == 0);
    EXPECT(txn_world_answer(&w, 1002, &answer) && answer.error == 0);
    EXPECT_EQ_INT(world_admit(&w, 1001, 12, "x", who.producer_id, who.epoch, 1 | 2, &error), TXNS_NOW);
    EXPECT_EQ_INT(world_admit(&w, 1002, 12, "x", who.producer_id, who.epoch, 1, &error), TXNS_NOW);
    end();
}

/* ---- ending --------------------------------------------------------------------------------------------------- */

TEST(end_in_version_1)
{
    begin((struct txns_options){0});
    struct txn_world_answer who = init("x");
    EXPECT_EQ_INT(finish(4, who, true).error, KAFKA_ERR_INVALID_TXN_STATE); /* Empty */
    EXPECT_EQ_INT(finish(4, who, false).error, KAFKA_ERR_INVALID_TXN_STATE);
    EXPECT_EQ_INT(add(3, who, 1 | 2), 0);
    struct txn_world_answer answer = finish(4, who, true); /* Ongoing */
    EXPECT_EQ_INT(answer.error, 0);
    EXPECT_EQ_INT(answer.producer_id, -1); /* that version is not told */
    expect_state("CompleteCommit");
    EXPECT_EQ_INT(w.logs[0].entries[0].kind, WORLD_COMMIT);
    EXPECT_EQ_INT(w.logs[1].entries[0].epoch, who.epoch);
    EXPECT_EQ_INT(finish(4, who, true).error, 0); /* CompleteCommit */
    EXPECT_EQ_INT(finish(4, who, false).error, KAFKA_ERR_INVALID_TXN_STATE);
    EXPECT_EQ_INT(w.logs[0].count, 1);
    EXPECT_EQ_INT(add(3, who, 1), 0);
    EXPECT_EQ_INT(finish(4, who, false).error, 0);
    expect_state("CompleteAbort");
    EXPECT_EQ_INT(finish(4, who, false).error, 0); /* CompleteAbort */
    EXPECT_EQ_INT(finish(4, who, true).error, KAFKA_ERR_INVALID_TXN_STATE);
    who.epoch++;
    EXPECT_EQ_INT(finish(4, who, true).error, KAFKA_ERR_PRODUCER_FENCED);
    who.producer_id++;
    EXPECT_EQ_INT(finish(4, who, true).error, KAFKA_ERR_INVALID_PRODUCER_ID_MAPPING);
    EXPECT_EQ_INT(told(txn_world_end_txn(&w, 4, "", 0, 0, true)).error, KAFKA_ERR_INVALID_REQUEST);
    end();
}

TEST(end_in_version_2)
{
    begin((struct txns_options){0});
    struct txn_world_answer who = init("x"), old;
    EXPECT_EQ_INT(finish(5, who, true).error, KAFKA_ERR_INVALID_TXN_STATE); /* Empty, current */
    who = finish(5, who, false);
    EXPECT_EQ_INT(who.error, 0);
    EXPECT_EQ_INT(who.epoch, 1);
    who = init("x"); /* Empty again, epoch 2 */
    old = who;
    old.epoch--;
    EXPECT_EQ_INT(finish(5, old, false).error, KAFKA_ERR_PRODUCER_FENCED); /* Empty, retry */
    EXPECT_EQ_INT(finish(5, old, true).error, KAFKA_ERR_PRODUCER_FENCED);

    EXPECT_EQ_INT(write_to(12, who, 1), 0);
    EXPECT_EQ_INT(finish(5, old, true).error, KAFKA_ERR_PRODUCER_FENCED); /* Ongoing, retry */
    old = who;
    who = finish(5, who, true); /* Ongoing, current */
    EXPECT_EQ_INT(who.epoch, 3);
    EXPECT_EQ_INT(w.logs[0].entries[0].kind, WORLD_COMMIT);
    EXPECT_EQ_INT(w.logs[0].entries[0].epoch, 3);

    struct txn_world_answer again = finish(5, old, true); /* CompleteCommit, retry */
    EXPECT_EQ_INT(again.error, 0);
    EXPECT_EQ_INT(again.epoch, 3);
    world_crash(&w, 0);
    EXPECT_EQ_INT(finish(5, old, true).epoch, 3);
    EXPECT_EQ_INT(finish(5, old, false).error, KAFKA_ERR_INVALID_TXN_STATE);
    EXPECT_EQ_INT(finish(5, who, true).error, KAFKA_ERR_INVALID_TXN_STATE); /* CompleteCommit, current */
    old = who;
    who = finish(5, who, false);
    EXPECT_EQ_INT(who.epoch, 4);

    EXPECT_EQ_INT(finish(5, old, false).epoch, 4); /* CompleteAbort, retry */
    EXPECT_EQ_INT(finish(5, old, true).error, KAFKA_ERR_INVALID_TXN_STATE);
    EXPECT_EQ_INT(finish(5, who, true).error, KAFKA_ERR_INVALID_TXN_STATE); /* CompleteAbort, current */
    EXPECT_EQ_INT(finish(5, who, false).epoch, 5);
    EXPECT_EQ_INT(w.logs[0].count, 1);
    old.epoch = 1;
    EXPECT_EQ_INT(finish(5, old, true).error, KAFKA_ERR_PRODUCER_FENCED);
    old.producer_id++;
    EXPECT_EQ_INT(finish(5, old, true).error, KAFKA_ERR_INVALID_PRODUCER_ID_MAPPING);
    end();
}

/* A producer of version 1 comes between: its zombie of version 2 must not be told the epoch that fences it. */
TEST(an_epoch_behind_is_no_retry_when_no_end_has_bumped_it)
{
    begin((struct txns_options){0});
    struct txn_world_answer zombie = init("x"), who = init("x");
    EXPECT_EQ_INT(add(3, who, 1), 0);
    EXPECT_EQ_INT(finish(4, who, false).error, 0);
    EXPECT_EQ_INT(finish(5, zombie, false).error, KAFKA_ERR_PRODUCER_FENCED);
    EXPECT_EQ_INT(finish(4, who, false).error, 0);
    end();
}

TEST(a_refused_end_leaves_the_transaction_open)
{
    begin((struct txns_options){0});
    struct txn_world_answer who = init("x"), answer;
    EXPECT_EQ_INT(write_to(12, who, 1), 0);
    uint64_t ticket = txn_world_end_txn(&w, 5, "x", who.producer_id, who.epoch, true);
    world_frame(&w, false);
    EXPECT(txn_world_answer(&w, ticket, &answer) && answer.error == KAFKA_ERR_COORDINATOR_NOT_AVAILABLE);
    expect_state("Ongoing");
    EXPECT_EQ_INT(w.logs[0].count, 0);
    EXPECT_EQ_INT(finish(5, who, true).epoch, 1);
    end();
}

TEST(a_deleted_topic_gets_no_marker)
{
    begin((struct txns_options){0});
    struct txn_world_answer who = init("x");
    EXPECT_EQ_INT(write_to(12, who, 1 | 4), 0);
    w.logs[0].is_gone = true;
    EXPECT_EQ_INT(finish(5, who, true).error, 0);
    EXPECT_EQ_INT(w.logs[0].count, 0);
    EXPECT_EQ_INT(w.logs[2].count, 1);
    end();
}

/* ---- time ----------------------------------------------------------------------------------------------------- */

TEST(a_transaction_that_lasts_too_long_is_aborted)
{
    begin((struct txns_options){0});
    struct txn_world_answer who = init("x");
    EXPECT_EQ_INT(write_to(12, who, 1), 0);
    int64_t due = w.now_ms + MINUTE + 1;
    EXPECT_EQ_INT(txns_deadline_ms(w.txns), due);
    w.now_ms = due - 1;
    EXPECT_EQ_INT(write_to(12, who, 2), 0); /* makes it no longer */
    txns_tick(w.txns, w.now_ms);
    EXPECT_EQ_INT(w.frames_count, 0);
    w.now_ms = due;
    txns_tick(w.txns, w.now_ms);
    EXPECT_EQ_INT(w.frames_count, 1);
    world_frame(&w, false); /* refused: tried again a second later */
    expect_state("Ongoing");
    EXPECT_EQ_INT(txns_deadline_ms(w.txns), due + TXNS_RETRY_MS);
    w.now_ms = due + TXNS_RETRY_MS;
    txns_tick(w.txns, w.now_ms);
    world_settle(&w);
    expect_state("CompleteAbort");
    EXPECT_EQ_INT(w.logs[0].entries[0].kind, WORLD_ABORT);
    EXPECT_EQ_INT(w.logs[1].entries[0].epoch, 1);
    EXPECT_EQ_INT(write_to(12, who, 1), KAFKA_ERR_INVALID_PRODUCER_EPOCH);
    EXPECT_EQ_INT(finish(5, who, true).error, KAFKA_ERR_INVALID_TXN_STATE);
    struct txn_world_answer next = finish(5, who, false); /* as if it had aborted itself */
    EXPECT_EQ_INT(next.epoch, 1);
    EXPECT_EQ_INT(init_as("x", who.producer_id, who.epoch).epoch, 1);
    struct txns_stats stats;
    txns_stats(w.txns, &stats);
    EXPECT_EQ_INT(stats.timed_out, 1);
    EXPECT_EQ_INT(stats.aborted, 1);
    EXPECT_EQ_INT(stats.ongoing, 0);
    end();
}

TEST(ids_that_nobody_uses_are_forgotten)
{
    begin((struct txns_options){.ids_max = 2});
    EXPECT_EQ_INT(init("x").error, 0);
    w.now_ms += 1000;
    EXPECT_EQ_INT(init("y").error, 0);
    EXPECT_EQ_INT(init("z").error, KAFKA_ERR_POLICY_VIOLATION);
    w.now_ms += TXNS_EXPIRATION_MS - 1000;
    EXPECT_EQ_INT(txns_deadline_ms(w.txns), w.now_ms);
    txns_tick(w.txns, w.now_ms);
    uint64_t waits = world_init_producer_id(&w, 5, "x", MINUTE, NO, NO);
    EXPECT_EQ_INT(told(waits).epoch, 0); /* it came just too late, and begins anew */
    txns_tick(w.txns, w.now_ms + 1000);
    world_settle(&w);
    EXPECT_EQ_INT(describe("y").error_code, KAFKA_ERR_TRANSACTIONAL_ID_NOT_FOUND);
    world_crash(&w, 0);
    EXPECT_EQ_INT(describe("y").error_code, KAFKA_ERR_TRANSACTIONAL_ID_NOT_FOUND);
    EXPECT_EQ_INT(init("z").error, 0);
    end();
}

/* ---- the start ------------------------------------------------------------------------------------------------ */

TEST(nothing_is_served_before_all_is_loaded)
{
    begin((struct txns_options){0});
    struct txns *loaded = w.txns;
    w.txns = world_unloaded(&w);
    EXPECT_EQ_INT(init("x").error, KAFKA_ERR_COORDINATOR_LOAD_IN_PROGRESS);
    EXPECT_EQ_INT(init_as(NULL, NO, NO).error, KAFKA_ERR_COORDINATOR_LOAD_IN_PROGRESS);
    struct txn_world_answer who = {.producer_id = 0};
    EXPECT_EQ_INT(add(3, who, 1), KAFKA_ERR_COORDINATOR_LOAD_IN_PROGRESS);
    EXPECT_EQ_INT(finish(5, who, true).error, KAFKA_ERR_COORDINATOR_LOAD_IN_PROGRESS);
    EXPECT_EQ_INT(write_to(12, who, 1), KAFKA_ERR_NOT_ENOUGH_REPLICAS);
    EXPECT_EQ_INT(write_to(5, who, 1 << WORLD_PARTITIONS), KAFKA_ERR_COORDINATOR_LOAD_IN_PROGRESS);
    EXPECT_EQ_INT(describe("x").error_code, KAFKA_ERR_COORDINATOR_LOAD_IN_PROGRESS);
    EXPECT_EQ_INT(txns_deadline_ms(w.txns), INT64_MAX);
    txns_free(w.txns);
    w.txns = loaded;
    end();
}

/* A record as Kafka writes it between "prepared" and "complete". */
static void load_prepared(int8_t status, int16_t epoch, int64_t next_producer_id)
{
    struct kafka_transaction_log_value value;
    kafka_init(&kafka_transaction_log_value, &value);
    int32_t partitions[] = {0, 1};
    struct kafka_transaction_log_value_topic topics[] = {
        {.topic = STR("t0"), .partition_ids = partitions, .partition_ids_count = 2},
        {.topic = STR("gone"), .partition_ids = partitions, .partition_ids_count = 1},
    };
    value.producer_id = 4000;
    value.producer_epoch = epoch;
    value.next_producer_id = next_producer_id;
    value.transaction_timeout_ms = MINUTE;
    value.transaction_status = status;
    value.transaction_partitions = topics;
    value.transaction_partitions_count = 2;
    value.transaction_start_timestamp_ms = w.now_ms - 10;
    value.transaction_last_update_timestamp_ms = w.now_ms - 5;
    value.client_transaction_version = 2;
    world_put_record(&w, "x", &value);
}

TEST(what_was_prepared_is_completed)
{
    for (int commit = 0; commit < 2; commit++) {
        begin((struct txns_options){0});
        load_prepared(commit ? TXN_PREPARE_COMMIT : TXN_PREPARE_ABORT, commit ? INT16_MAX : 7,
                      commit ? 5000 : -1);
        world_crash(&w, 0);
        EXPECT_EQ_INT(w.frames_count, 1);
        world_frame(&w, false);
        expect_state(commit ? "PrepareCommit" : "PrepareAbort");
        EXPECT_EQ_INT(init("x").error, KAFKA_ERR_CONCURRENT_TRANSACTIONS);
        w.now_ms += TXNS_RETRY_MS;
        txns_tick(w.txns, w.now_ms);
        uint64_t waits = world_init_producer_id(&w, 5, "x", MINUTE, NO, NO);
        struct txn_world_answer who = told(waits);
        EXPECT_EQ_INT(who.error, 0);
        EXPECT_EQ_INT(who.producer_id, commit ? 5000 : 4000);
        EXPECT_EQ_INT(who.epoch, commit ? 1 : 8);
        EXPECT_EQ_INT(w.logs[0].count + w.logs[1].count, 2);
        EXPECT_EQ_INT(w.logs[1].entries[0].kind, commit ? WORLD_COMMIT : WORLD_ABORT);
        EXPECT(init_as(NULL, NO, NO).producer_id > 5000 - !commit * 1000); /* never given away twice */
        end();
    }
}

TEST(records_that_nobody_knows_are_skipped_and_damaged_ones_are_not)
{
    begin((struct txns_options){0});
    load_prepared(TXN_PREPARE_ABORT, 7, -1);
    struct world_record r = w.records[0];
    struct str key = str_n(r.key, r.key_size), value = str_n(r.value, r.value_size);
    struct txns *txns = world_unloaded(&w);
    struct err err;
    EXPECT(txns_load(txns, STR("\0\7what"), value, &err));
    EXPECT(txns_load(txns, key, STR("\0\7what"), &err));
    struct txns_stats stats;
    txns_stats(txns, &stats);
    EXPECT_EQ_INT(stats.skipped, 2);
    EXPECT_EQ_INT(stats.ids, 0);
    for (size_t n = 2; n < value.n; n++)
        EXPECT(!txns_load(txns, key, str_n(value.p, n), &err));
    EXPECT(!txns_load(txns, str_n(key.p, key.n - 1), value, &err));
    r.value[2] = (char)0x80; /* a producer id below zero */
    EXPECT(!txns_load(txns, key, value, &err));
    EXPECT_STR(err.text, "the state of transactional id \"x\" makes no sense");
    r.value[2] = 0;
    EXPECT(txns_load(txns, key, value, &err));
    txns_stats(txns, &stats);
    EXPECT_EQ_INT(stats.ids, 1);
    EXPECT(txns_load(txns, key, (struct str){0}, &err));
    txns_stats(txns, &stats);
    EXPECT_EQ_INT(stats.ids, 0);
    txns_free(txns);
    end();
}

/* ---- list ----------------------------------------------------------------------------------------------------- */

static size_t listed(struct kafka_list_transactions_request request, int16_t error)
{
    struct kafka_list_transactions_response response;
    arena_reset(&arena);
    txns_list(w.txns, w.now_ms, &request, &arena, &response);
    EXPECT_EQ_INT(response.error_code, error);
    return response.transaction_states_count + 100 * response.unknown_state_filters_count;
}

TEST(transactions_are_listed_by_what_is_asked_for)
{
    begin((struct txns_options){0});
    struct txn_world_answer y = init("y"), x = init("x");
    EXPECT_EQ_INT(init("app-1").error, 0);
    EXPECT_EQ_INT(write_to(12, x, 1), 0);
    w.now_ms += 5000;
    EXPECT_EQ_INT(listed((struct kafka_list_transactions_request){.duration_filter = -1}, 0), 3);
    struct str ongoing[] = {STR("Ongoing"), STR("Nonsense")};
    EXPECT_EQ_INT(listed((struct kafka_list_transactions_request){.duration_filter = -1,
                                                                  .state_filters = ongoing,
                                                                  .state_filters_count = 2},
                         0),
                  101);
    EXPECT_EQ_INT(listed((struct kafka_list_transactions_request){.duration_filter = -1,
                                                                  .state_filters = ongoing + 1,
                                                                  .state_filters_count = 1},
                         0),
                  100);
    int64_t ids[] = {y.producer_id};
    EXPECT_EQ_INT(listed((struct kafka_list_transactions_request){.duration_filter = -1,
                                                                  .producer_id_filters = ids,
                                                                  .producer_id_filters_count = 1},
                         0),
                  1);
    EXPECT_EQ_INT(listed((struct kafka_list_transactions_request){.duration_filter = 5000,
                                                                  .state_filters = ongoing,
                                                                  .state_filters_count = 1},
                         0),
                  0);
    EXPECT_EQ_INT(listed((struct kafka_list_transactions_request){.duration_filter = 4999,
                                                                  .state_filters = ongoing,
                                                                  .state_filters_count = 1},
                         0),
                  1);
    struct kafka_list_transactions_request pattern = {.duration_filter = -1};
    pattern.transactional_id_pattern = STR("app-.*");
    EXPECT_EQ_INT(listed(pattern, 0), 1);
    pattern.transactional_id_pattern = STR("app"); /* the whole id, not a part of it */
    EXPECT_EQ_INT(listed(pattern, 0), 0);
    pattern.transactional_id_pattern = STR("[");
    EXPECT_EQ_INT(listed(pattern, KAFKA_ERR_INVALID_REGULAR_EXPRESSION), 0);
    EXPECT_EQ_INT(describe("").error_code, KAFKA_ERR_INVALID_REQUEST);
    EXPECT_EQ_INT(describe("nobody").error_code, KAFKA_ERR_TRANSACTIONAL_ID_NOT_FOUND);
    end();
}

int main(void)
{
    RUN(producers_without_a_transactional_id_get_an_id_each);
    RUN(a_block_of_ids_that_was_refused_is_asked_for_again);
    RUN(what_init_refuses);
    RUN(each_init_takes_the_next_epoch);
    RUN(a_producer_that_says_who_it_was_goes_on_or_is_fenced);
    RUN(init_over_an_open_transaction_aborts_it);
    RUN(epochs_that_are_used_up_give_way_to_another_producer_id);
    RUN(the_end_of_a_transaction_may_use_the_epochs_up);
    RUN(fencing_at_the_last_epoch_takes_another_producer_id);
    RUN(partitions_are_added_once);
    RUN(what_adding_refuses);
    RUN(several_transactions_are_added_to_by_one_request);
    RUN(other_brokers_may_ask_what_is_in_a_transaction);
    RUN(version_1_writes_where_it_said_it_would);
    RUN(version_2_adds_by_writing);
    RUN(what_waits_for_a_frame_is_refused_with_it);
    RUN(no_batch_passes_one_that_waits);
    RUN(end_in_version_1);
    RUN(end_in_version_2);
    RUN(an_epoch_behind_is_no_retry_when_no_end_has_bumped_it);
    RUN(a_refused_end_leaves_the_transaction_open);
    RUN(a_deleted_topic_gets_no_marker);
    RUN(a_transaction_that_lasts_too_long_is_aborted);
    RUN(ids_that_nobody_uses_are_forgotten);
    RUN(nothing_is_served_before_all_is_loaded);
    RUN(what_was_prepared_is_completed);
    RUN(records_that_nobody_knows_are_skipped_and_damaged_ones_are_not);
    RUN(transactions_are_listed_by_what_is_asked_for);
    arena_fini(&arena);
    return test_end();
}

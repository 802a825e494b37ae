/* What a log knows of its producers: Kafka's order of checks, and the set that holds them. */
#include "log/producer.h"

#include "base/test.h"

static struct producer fresh(void)
{
    struct producers none = {0};
    return producers_copy(&none, 7);
}

static struct records_batch batch_of(int16_t epoch, int32_t sequence, int32_t count, int64_t offset,
                                     unsigned attributes)
{
    return (struct records_batch){.producer_id = 7,
                                  .producer_epoch = epoch,
                                  .base_sequence = sequence,
                                  .last_offset_delta = count - 1,
                                  .count = count,
                                  .base_offset = offset,
                                  .max_timestamp_ms = offset * 10,
                                  .attributes = (uint16_t)attributes};
}

/* Is asked about, and applied when it may. The offset of the original, or −1 − the refusal. */
static int64_t give(struct producer *p, struct records_batch batch, unsigned flags)
{
    const struct producer_batch *original;
    enum append_error error = producer_check(p, &batch, flags, &original);
    if (error != APPEND_DONE)
        return -1 - (int64_t)error;
    if (original != NULL)
        return original->last_offset - original->offset_delta;
    producer_apply(p, &batch);
    return batch.base_offset;
}

enum {
    OUT_OF_ORDER = -1 - APPEND_OUT_OF_ORDER,
    FENCED = -1 - APPEND_PRODUCER_FENCED,
    TXN_STATE = -1 - APPEND_TXN_STATE
};

TEST(sequences_follow_each_other)
{
    struct producer p = fresh();
    EXPECT_EQ_INT(give(&p, batch_of(0, 5, 3, 100, 0), 0), 100); /* not known: it may begin anywhere */
    EXPECT_EQ_INT(give(&p, batch_of(0, 9, 1, 103, 0), 0), OUT_OF_ORDER);
    EXPECT_EQ_INT(give(&p, batch_of(0, 8, 1, 103, 0), 0), 103);
    EXPECT_EQ_INT(give(&p, batch_of(0, 7, 1, 104, 0), 0),
                  OUT_OF_ORDER); /* a part of the first is no repetition */
    EXPECT_EQ_INT(give(&p, batch_of(0, 0, 1, 104, 0), 0), OUT_OF_ORDER);
    EXPECT_EQ_INT(give(&p, batch_of(1, 9, 1, 104, 0), 0), OUT_OF_ORDER); /* a new epoch begins with 0 */
    EXPECT_EQ_INT(give(&p, batch_of(1, 0, 1, 104, 0), 0), 104);
    EXPECT_EQ_INT(give(&p, batch_of(0, 9, 1, 105, 0), 0), FENCED);
    EXPECT_EQ_INT(give(&p, batch_of(0, 8, 1, 105, 0), 0),
                  FENCED); /* what an older epoch wrote is not known any more */
    struct producer other = fresh();
    EXPECT_EQ_INT(give(&other, batch_of(0, 5, 3, 100, 0), PRODUCE_FROM_ZERO), OUT_OF_ORDER);
    EXPECT_EQ_INT(give(&other, batch_of(0, 0, 3, 100, 0), PRODUCE_FROM_ZERO), 100);
}

TEST(the_last_five_batches_are_known_again)
{
    struct producer p = fresh();
    for (int i = 0; i < 8; i++)
        EXPECT_EQ_INT(give(&p, batch_of(3, 2 * i, 2, 50 + 10 * i, 0), 0), 50 + 10 * i);
    for (int i = 0; i < 8; i++)
        EXPECT_EQ_INT(give(&p, batch_of(3, 2 * i, 2, 999, 0), 0), i < 3 ? OUT_OF_ORDER : 50 + 10 * i);
    EXPECT_EQ_INT(give(&p, batch_of(3, 14, 1, 999, 0), 0), OUT_OF_ORDER);
    EXPECT_EQ_INT(give(&p, batch_of(3, 16, 1, 200, 0), 0), 200);
}

TEST(after_the_highest_sequence_comes_zero)
{
    struct producer p = fresh();
    EXPECT_EQ_INT(give(&p, batch_of(0, INT32_MAX - 1, 4, 10, 0), 0), 10);
    EXPECT_EQ_INT(p.batches[0].last_sequence, 1);
    EXPECT_EQ_INT(give(&p, batch_of(0, INT32_MAX - 1, 4, 99, 0), 0), 10);
    EXPECT_EQ_INT(give(&p, batch_of(0, 2, 1, 14, 0), 0), 14);
    struct producer q = fresh();
    EXPECT_EQ_INT(give(&q, batch_of(0, INT32_MAX, 1, 10, 0), 0), 10);
    EXPECT_EQ_INT(give(&q, batch_of(0, 0, 1, 11, 0), 0), 11);
}

TEST(what_a_coordinator_writes_has_no_sequences)
{
    struct producer p = fresh();
    struct records_batch offsets = batch_of(2, -1, 1, 10, RECORDS_TRANSACTIONAL);
    EXPECT_EQ_INT(give(&p, offsets, PRODUCE_NO_SEQUENCES), 10);
    offsets.base_offset = 11;
    EXPECT_EQ_INT(give(&p, offsets, PRODUCE_NO_SEQUENCES), 11); /* no repetition */
    EXPECT_EQ_INT(p.txn_first, 10);
    offsets.producer_epoch = 1;
    EXPECT_EQ_INT(give(&p, offsets, PRODUCE_NO_SEQUENCES), FENCED);
    EXPECT_EQ_INT(give(&p, batch_of(2, -1, 1, 12, RECORDS_TRANSACTIONAL), 0), OUT_OF_ORDER);
}

static int mark(struct producer *p, int16_t epoch, int32_t coordinator, bool raises, int64_t *first)
{
    struct txn_marker marker = {
        .producer_id = 7, .producer_epoch = epoch, .coordinator_epoch = coordinator, .raises_epoch = raises};
    bool repetition;
    enum append_error error = producer_check_marker(p, &marker, &repetition);
    *first = -2;
    if (error == APPEND_DONE && !repetition)
        *first = producer_apply_marker(p, &(struct records_marker){.producer_id = 7,
                                                                   .producer_epoch = epoch,
                                                                   .coordinator_epoch = coordinator,
                                                                   .timestamp_ms = 5});
    return (int)error;
}

TEST(markers_end_transactions)
{
    struct producer p = fresh();
    int64_t first;
    EXPECT_EQ_INT(mark(&p, 0, 1, false, &first), APPEND_DONE); /* of a producer that is not known */
    EXPECT_EQ_INT(first, -1);
    EXPECT_EQ_INT(give(&p, batch_of(0, 0, 1, 20, RECORDS_TRANSACTIONAL), 0), 20);
    EXPECT_EQ_INT(give(&p, batch_of(0, 1, 1, 21, 0), 0), TXN_STATE);
    EXPECT_EQ_INT(give(&p, batch_of(0, 1, 1, 21, RECORDS_TRANSACTIONAL), 0), 21);
    EXPECT_EQ_INT(p.txn_first, 20);
    EXPECT_EQ_INT(mark(&p, 0, 0, false, &first), APPEND_COORDINATOR_FENCED);
    EXPECT_EQ_INT(mark(&p, 0, 1, true, &first), APPEND_PRODUCER_FENCED); /* version 2 raises the epoch */
    EXPECT_EQ_INT(mark(&p, 0, 2, false, &first), APPEND_DONE);
    EXPECT_EQ_INT(first, 20);
    EXPECT_EQ_INT(p.timestamp_ms, 5);
    EXPECT_EQ_INT(give(&p, batch_of(0, 1, 1, 99, RECORDS_TRANSACTIONAL), 0),
                  21); /* its batches are known still */
    EXPECT_EQ_INT(give(&p, batch_of(0, 2, 1, 30, RECORDS_TRANSACTIONAL), 0), 30);
    EXPECT_EQ_INT(mark(&p, 1, 2, true, &first), APPEND_DONE);
    EXPECT_EQ_INT(first, 30);
    EXPECT_EQ_INT(mark(&p, 1, 2, true, &first), APPEND_DONE); /* a repetition: nothing happens */
    EXPECT_EQ_INT(first, -2);
    EXPECT_EQ_INT(mark(&p, 0, 2, false, &first), APPEND_PRODUCER_FENCED);
    EXPECT_EQ_INT(give(&p, batch_of(1, 3, 1, 40, RECORDS_TRANSACTIONAL), 0), OUT_OF_ORDER);
    EXPECT_EQ_INT(give(&p, batch_of(1, 0, 1, 40, RECORDS_TRANSACTIONAL), 0), 40);
}

TEST(a_record_says_it_all)
{
    struct producer p = fresh(), back = {.id = 7};
    struct sbuf bytes = {0};
    for (int i = 0; i < 9; i++)
        give(&p, batch_of(3, 2 * i, 2, 50 + 10 * i, RECORDS_TRANSACTIONAL), 0);
    p.touched_s = 77;
    producer_encode(&p, &bytes);
    EXPECT(bytes.n + 30 < PRODUCER_RECORD_MAX);
    EXPECT(producer_decode(sbuf_view(&bytes), &back));
    EXPECT(back.saved && !back.changed && back.epoch == 3 && back.txn_first == 50 && back.touched_s == 77 &&
           back.coordinator_epoch == -1 && back.timestamp_ms == p.timestamp_ms && back.batch_count == 5);
    EXPECT_MEM(back.batches, p.batches, sizeof p.batches);
    for (size_t n = 0; n < bytes.n; n++)
        EXPECT(!producer_decode(str_n(bytes.p, n), &back));
    sbuf_fini(&bytes);
}

static void count_one(void *arg, const struct producer *producer)
{
    (void)producer;
    ++*(size_t *)arg;
}

static uint64_t random_state = 1;
static uint32_t below(uint32_t n)
{
    random_state = random_state * UINT64_C(6364136223846793005) + 1442695040888963407;
    return (uint32_t)(random_state >> 33) % n;
}

/* Any changes: the set stays whole and says what it was told. */
TEST(the_set_holds_what_it_was_told)
{
    enum { IDS = 300, STEPS = 20000 };
    static struct producer wanted[IDS];
    struct producers set = {0};
    size_t gone = 0;
    for (int i = 0; i < IDS; i++)
        wanted[i].epoch = -1;
    for (int step = 0; step < STEPS; step++) {
        uint32_t i = below(IDS);
        struct producer p = producers_copy(&set, i * 1000);
        EXPECT_EQ_INT(p.epoch, wanted[i].epoch);
        switch (below(4)) {
        case 0: /* is forgotten */ p = (struct producer){.id = p.id, .txn_first = -1, .epoch = -1}; break;
        case 1: p.txn_first = -1; break;
        default:
            p.epoch = (int16_t)below(100);
            p.changed = below(2);
            p.touched_s = below(50);
            if (below(3) == 0 && p.txn_first < 0)
                p.txn_first = step;
        }
        if (p.epoch < 0)
            p.txn_first = -1;
        producers_set(&set, &p);
        wanted[i] = p;
        if (step % 1000 == 999) {
            producers_expire(&set, 5, count_one, &gone);
            for (int k = 0; k < IDS; k++)
                if (wanted[k].epoch >= 0 && wanted[k].touched_s < 5 && wanted[k].txn_first < 0)
                    wanted[k].epoch = -1;
        }
        if (step % 100 == 0)
            producers_check(&set);
    }
    EXPECT(gone > 50 && set.slots != NULL);
    size_t before = set.count;
    gone = 0;
    EXPECT(producers_make_room(&set, count_one, &gone) && gone > 0 && gone <= before / 8 + 1);
    EXPECT_EQ_INT(set.count, before - gone);
    producers_check(&set);
    producers_fini(&set);
}

TEST(one_producer_costs_little)
{
    size_t before = mem_in_use();
    struct producers set = {0};
    struct producer p = fresh();
    EXPECT_EQ_INT(mem_in_use(), before);
    give(&p, batch_of(0, 0, 1, 1, 0), 0);
    producers_set(&set, &p);
    EXPECT(mem_in_use() - before <= 192);
    producers_fini(&set);
}

int main(void)
{
    RUN(sequences_follow_each_other);
    RUN(the_last_five_batches_are_known_again);
    RUN(after_the_highest_sequence_comes_zero);
    RUN(what_a_coordinator_writes_has_no_sequences);
    RUN(markers_end_transactions);
    RUN(a_record_says_it_all);
    RUN(the_set_holds_what_it_was_told);
    RUN(one_producer_costs_little);
    return test_end();
}

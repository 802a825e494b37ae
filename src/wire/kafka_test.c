/* Every message in every version, there and back; what is wrong is refused; the bytes are those that other programs write. */
#include "wire/kafka.h"

#include <ref/random_kafka.h>

#include "base/test.h"

enum { ROUNDS = 20 };

static struct arena arena;
static struct kafka_out out;
static struct err err;

/* Of the type's size, from the arena. */
static void *message_of(const struct kafka_type *type)
{
    return arena_zalloc(&arena, type->size);
}

static struct rd encoded(void)
{
    return rd_of(out.bytes.p, out.bytes.n);
}

static void expect_round_trip(struct rng *rng, const struct kafka_type *type, int version)
{
    void *sent = message_of(type), *got = message_of(type);
    kafka_random(rng, type, version, &arena, sent);
    kafka_out_clear(&out);
    if (!EXPECT(kafka_encode(type, version, sent, &out, &err))) {
        fprintf(stderr, "    %s\n", err.text);
        return;
    }
    EXPECT_EQ_INT(kafka_size(type, version, sent, &err), out.bytes.n);
    struct rd r = encoded();
    bool same = kafka_decode(type, version, &r, &arena, got, &err) && rd_left(&r) == 0 &&
                kafka_same(type, sent, got);
    if (!EXPECT(same))
        fprintf(stderr, "    %s version %d: %s\n", type->name, version, err.text);
}

TEST(every_message_and_version_comes_back_as_it_was)
{
    int count = 0;
    for (int i = 0; i < KAFKA_TYPES_COUNT; i++) {
        const struct kafka_type *type = kafka_types[i];
        for (int version = type->first; version <= type->last; version++, count++) {
            struct rng rng = {(uint64_t)i << 8 | (uint64_t)version};
            for (int round = 0; round < ROUNDS; round++) {
                expect_round_trip(&rng, type, version);
                arena_reset(&arena);
            }
        }
    }
    EXPECT(count > 400);
    printf("%d messages, %d versions\n", KAFKA_TYPES_COUNT, count);
}

int main(void)
{
    RUN(every_message_and_version_comes_back_as_it_was);
    kafka_out_fini(&out);
    arena_fini(&arena);
    return test_end();
}

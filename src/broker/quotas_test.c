#include "broker/quotas.h"

#include <math.h>

#include "base/test.h"

static struct arena arena;
static struct err err;
static struct quotas *q;

static const char DEFAULT[] = "(default)"; /* a name that stands for none */

/* Sets, or with a value of 0 removes. NULL: no such part. Returns the error. */
static int16_t set(const char *user, const char *client_id, const char *ip, const char *key, double value)
{
    const char *types[] = {"user", "client-id", "ip"}, *names[] = {user, client_id, ip};
    struct kafka_alter_client_quotas_request_entity entity[3];
    struct kafka_alter_client_quotas_request_entry entry = {.entity = entity};
    for (int i = 0; i < 3; i++)
        if (names[i])
            entity[entry.entity_count++] = (struct kafka_alter_client_quotas_request_entity){
                str_of(types[i]), names[i] == DEFAULT ? (struct str){0} : str_of(names[i])};
    struct kafka_alter_client_quotas_request_op op = {str_of(key), value, value == 0};
    entry.ops = &op;
    entry.ops_count = 1;
    int16_t error;
    bool ok = quotas_alter(q, &entry, false, &arena, NULL, &error, &err);
    EXPECT_EQ_INT(ok, error == 0);
    return error;
}

static double limit(enum quota_kind kind, const char *user, const char *client_id)
{
    return quotas_limit(q, kind,
                        &(struct quota_client){.user = str_of(user), .client_id = str_of(client_id)});
}

static void begin(void)
{
    q = quotas_new();
}

static void end(void)
{
    quotas_free(q);
    arena_reset(&arena);
}

TEST(the_nearest_entity_counts)
{
    begin();
    EXPECT(isinf(limit(QUOTA_PRODUCE, "ann", "c")));
    const char *key = "producer_byte_rate";
    EXPECT_EQ_INT(set(NULL, DEFAULT, NULL, key, 8), 0);
    EXPECT_EQ_DOUBLE(limit(QUOTA_PRODUCE, "ann", "c"), 8);
    EXPECT_EQ_INT(set(NULL, "c", NULL, key, 7), 0);
    EXPECT_EQ_DOUBLE(limit(QUOTA_PRODUCE, "ann", "c"), 7);
    EXPECT_EQ_INT(set(DEFAULT, NULL, NULL, key, 6), 0);
    EXPECT_EQ_DOUBLE(limit(QUOTA_PRODUCE, "ann", "c"), 6);
    EXPECT_EQ_DOUBLE(limit(QUOTA_PRODUCE, "", "c"), 7);
    EXPECT_EQ_INT(set(DEFAULT, DEFAULT, NULL, key, 5), 0);
    EXPECT_EQ_DOUBLE(limit(QUOTA_PRODUCE, "ann", "c"), 5);
    EXPECT_EQ_INT(set(DEFAULT, "c", NULL, key, 4), 0);
    EXPECT_EQ_DOUBLE(limit(QUOTA_PRODUCE, "ann", "c"), 4);
    EXPECT_EQ_INT(set("ann", NULL, NULL, key, 3), 0);
    EXPECT_EQ_DOUBLE(limit(QUOTA_PRODUCE, "ann", "c"), 3);
    EXPECT_EQ_INT(set("ann", DEFAULT, NULL, key, 2), 0);
    EXPECT_EQ_DOUBLE(limit(QUOTA_PRODUCE, "ann", "c"), 2);
    EXPECT_EQ_INT(set("ann", "c", NULL, key, 1), 0);
    EXPECT_EQ_DOUBLE(limit(QUOTA_PRODUCE, "ann", "c"), 1);
    EXPECT_EQ_DOUBLE(limit(QUOTA_PRODUCE, "ann", "d"), 2);
    EXPECT_EQ_DOUBLE(limit(QUOTA_PRODUCE, "bob", "d"), 5);
    EXPECT(isinf(limit(QUOTA_FETCH, "ann", "c")));
    /* And goes again. */
    EXPECT_EQ_INT(set("ann", "c", NULL, key, 0), 0);
    EXPECT_EQ_DOUBLE(limit(QUOTA_PRODUCE, "ann", "c"), 2);
    end();
}

TEST(what_is_no_quota)
{
    begin();
    EXPECT_EQ_INT(set(NULL, NULL, NULL, "producer_byte_rate", 1), KAFKA_ERR_INVALID_REQUEST);
    EXPECT_EQ_INT(set("", NULL, NULL, "producer_byte_rate", 1), KAFKA_ERR_INVALID_REQUEST);
    EXPECT_EQ_INT(set("ann", NULL, "10.0.0.1", "producer_byte_rate", 1), KAFKA_ERR_INVALID_REQUEST);
    EXPECT_EQ_INT(set("ann", NULL, NULL, "happiness", 1), KAFKA_ERR_INVALID_REQUEST);
    EXPECT_EQ_INT(set("ann", NULL, NULL, "connection_creation_rate", 1), KAFKA_ERR_INVALID_REQUEST);
    EXPECT_EQ_INT(set(NULL, NULL, "10.0.0.1", "producer_byte_rate", 1), KAFKA_ERR_INVALID_REQUEST);
    EXPECT_EQ_INT(set(NULL, NULL, "10.0.0.1 ", "connection_creation_rate", 1), KAFKA_ERR_INVALID_REQUEST);
    EXPECT_EQ_INT(set("ann", NULL, NULL, "producer_byte_rate", -1), KAFKA_ERR_INVALID_REQUEST);
    EXPECT_EQ_INT(set("ann", NULL, NULL, "producer_byte_rate", 1.5), KAFKA_ERR_INVALID_REQUEST);
    EXPECT_EQ_INT(set("ann", NULL, NULL, "request_percentage", NAN), KAFKA_ERR_INVALID_REQUEST);
    EXPECT_EQ_INT(set("ann", NULL, NULL, "request_percentage", 1.5), 0);
    EXPECT_EQ_INT(set("ann", NULL, NULL, "happiness", 0), 0); /* to remove what is not there is no mistake */
    EXPECT_EQ_INT(set(NULL, NULL, "10.0.0.1", "connection_creation_rate", 5), 0);
    EXPECT_EQ_INT(set(NULL, NULL, DEFAULT, "connection_creation_rate", 9), 0);
    EXPECT_EQ_DOUBLE(quotas_limit(q, QUOTA_CONNECT, &(struct quota_client){.address = STR("10.0.0.1")}), 5);
    EXPECT_EQ_DOUBLE(quotas_limit(q, QUOTA_CONNECT, &(struct quota_client){.address = STR("::1")}), 9);
    end();
}

TEST(who_uses_more_waits)
{
    begin();
    EXPECT_EQ_INT(set("ann", NULL, NULL, "consumer_byte_rate", 1000), 0);
    struct quota_client a = {.user = STR("ann"), .client_id = STR("a")}, b = a, c = {.user = STR("bob")};
    b.client_id = STR("b");
    EXPECT_EQ_INT(quotas_charge(q, QUOTA_FETCH, &a, 6000, 0), 0); /* what ten seconds allow, at once */
    EXPECT_EQ_INT(quotas_charge(q, QUOTA_FETCH, &b, 4000, 0), 0); /* shared by the user's clients */
    EXPECT_EQ_INT(quotas_charge(q, QUOTA_FETCH, &b, 500, 0), 500);
    EXPECT_EQ_INT(quotas_charge(q, QUOTA_FETCH, &a, 500, 0), 1000);
    EXPECT_EQ_INT(quotas_charge(q, QUOTA_FETCH, &c, 1e12, 0), 0);
    EXPECT_EQ_INT(quotas_charge(q, QUOTA_FETCH, &a, 1, 1001), 0);
    EXPECT_EQ_INT(quotas_charge(q, QUOTA_FETCH, &a, 10000, 100000), 0); /* and no more than that */
    EXPECT_EQ_INT(quotas_charge(q, QUOTA_FETCH, &a, 100, 100000), 100);
    EXPECT_EQ_INT(quotas_charge(q, QUOTA_FETCH, &a, 1e18, 100000), QUOTA_WAIT_MAX_MS);
    /* In a steady stream it gets what it may. */
    EXPECT_EQ_INT(set(NULL, "s", NULL, "producer_byte_rate", 50000), 0);
    struct quota_client s = {.client_id = STR("s")};
    int64_t now = 0;
    double sent = 0;
    while (now < 100000) {
        sent += 7000;
        now += 1 + quotas_charge(q, QUOTA_PRODUCE, &s, 7000, now);
    }
    EXPECT(sent > 50000.0 * 105 && sent < 50000.0 * 111);
    end();
}

TEST(who_cannot_have_it_yet_is_not_charged)
{
    begin();
    EXPECT_EQ_INT(set(NULL, "c", NULL, "consumer_byte_rate", 1000), 0);
    struct quota_client c = {.client_id = STR("c")}, other = {.client_id = STR("d")};
    EXPECT(quotas_has(q, QUOTA_FETCH) && !quotas_has(q, QUOTA_PRODUCE));
    EXPECT_EQ_DOUBLE(quotas_burst(q, QUOTA_FETCH, &c), 10000);
    EXPECT(isinf(quotas_burst(q, QUOTA_FETCH, &other)));
    EXPECT_EQ_INT(quotas_take(q, QUOTA_FETCH, &c, 9000, 0), 0);
    EXPECT_EQ_INT(quotas_take(q, QUOTA_FETCH, &c, 3000, 0), 2000);
    EXPECT_EQ_INT(quotas_take(q, QUOTA_FETCH, &c, 3000, 1000), 1000);
    EXPECT_EQ_INT(quotas_take(q, QUOTA_FETCH, &c, 3000, 2000), 0);
    EXPECT_EQ_INT(quotas_take(q, QUOTA_FETCH, &c, 1, 2000), 1);
    /* One record that is larger than what ten seconds allow comes through, once the bucket is full; and is paid for. */
    EXPECT_EQ_INT(quotas_take(q, QUOTA_FETCH, &c, 25000, 2000), 10000);
    EXPECT_EQ_INT(quotas_take(q, QUOTA_FETCH, &c, 25000, 12000), 0);
    EXPECT_EQ_INT(quotas_take(q, QUOTA_FETCH, &c, 1000, 12000), 16000);
    EXPECT_EQ_INT(quotas_take(q, QUOTA_FETCH, &other, 1e12, 0), 0);
    end();
}

TEST(kinds_differ)
{
    begin();
    EXPECT_EQ_INT(set(DEFAULT, NULL, NULL, "request_percentage", 1), 0);
    EXPECT_EQ_INT(set(DEFAULT, NULL, NULL, "controller_mutation_rate", 2), 0);
    struct quota_client ann = {.user = STR("ann")};
    EXPECT_EQ_INT(quotas_charge(q, QUOTA_REQUEST, &ann, 100, 0), 0); /* ms, of 10 a second */
    EXPECT_EQ_INT(quotas_charge(q, QUOTA_REQUEST, &ann, 1, 0), 100);
    EXPECT_EQ_INT(quotas_charge(q, QUOTA_REQUEST, &ann, 1000, 0), QUOTA_REQUEST_WAIT_MAX_MS);
    EXPECT_EQ_INT(quotas_charge(q, QUOTA_MUTATIONS, &ann, 22, 0), 0); /* eleven seconds */
    EXPECT_EQ_INT(quotas_charge(q, QUOTA_MUTATIONS, &ann, 1, 0), 500);
    end();
}

TEST(more_clients_than_are_remembered)
{
    begin();
    EXPECT_EQ_INT(set(NULL, DEFAULT, NULL, "producer_byte_rate", 100), 0);
    for (int i = 0; i < 3 * QUOTA_CLIENTS; i++) {
        char id[16];
        snprintf(id, sizeof id, "c%d", i);
        EXPECT(quotas_charge(q, QUOTA_PRODUCE, &(struct quota_client){.client_id = str_of(id)}, 1100, i) ==
               1000);
    }
    end();
}

static size_t described(const char *type, int8_t match_type, const char *match, bool strict)
{
    struct kafka_describe_client_quotas_request_component c = {str_of(type), match_type, str_of(match)};
    struct kafka_describe_client_quotas_request request = {
        .components = &c, .components_count = type != NULL, .strict = strict};
    struct kafka_describe_client_quotas_response response;
    quotas_describe(q, &request, &arena, &response);
    EXPECT_EQ_INT(response.error_code != 0, response.error_message.p != NULL);
    return response.error_code ? 1000 + (size_t)response.error_code : response.entries_count;
}

TEST(quotas_are_described)
{
    begin();
    EXPECT_EQ_INT(set("ann", NULL, NULL, "producer_byte_rate", 1), 0);
    EXPECT_EQ_INT(set("ann", "c", NULL, "producer_byte_rate", 2), 0);
    EXPECT_EQ_INT(set(DEFAULT, NULL, NULL, "producer_byte_rate", 3), 0);
    EXPECT_EQ_INT(set(NULL, "c", NULL, "producer_byte_rate", 4), 0);
    EXPECT_EQ_INT(set(NULL, "c", NULL, "request_percentage", 5), 0);
    EXPECT_EQ_INT(described(NULL, 0, NULL, false), 4);
    EXPECT_EQ_INT(described(NULL, 0, NULL, true), 0);
    EXPECT_EQ_INT(described("user", 2, NULL, false), 3);
    EXPECT_EQ_INT(described("user", 2, NULL, true), 2);
    EXPECT_EQ_INT(described("user", 0, "ann", false), 2);
    EXPECT_EQ_INT(described("user", 1, NULL, false), 1);
    EXPECT_EQ_INT(described("client-id", 0, "c", true), 1);
    EXPECT_EQ_INT(described("user", 0, NULL, false), 1000 + KAFKA_ERR_INVALID_REQUEST);
    EXPECT_EQ_INT(described("user", 3, NULL, false), 1000 + KAFKA_ERR_INVALID_REQUEST);
    EXPECT_EQ_INT(described("shoe size", 2, NULL, false), 1000 + KAFKA_ERR_UNSUPPORTED_VERSION);
    end();
}

TEST(quotas_are_kept)
{
    begin();
    struct kafka_alter_client_quotas_request_entity entity[] = {{STR("user"), STR("ann")},
                                                                {STR("client-id"), {0}}};
    struct kafka_alter_client_quotas_request_op ops[] = {{STR("producer_byte_rate"), 5, false},
                                                         {STR("request_percentage"), 0.5, false}};
    struct kafka_alter_client_quotas_request_entry entry = {entity, 2, ops, 2};
    struct str key;
    int16_t error;
    EXPECT(quotas_alter(q, &entry, true, &arena, &key, &error, &err));
    EXPECT(isinf(limit(QUOTA_PRODUCE, "ann", "x"))); /* only checked */
    EXPECT(quotas_alter(q, &entry, false, &arena, &key, &error, &err));
    struct sbuf value = {0};
    quotas_save(q, key, &value);
    struct quotas *other = quotas_new();
    EXPECT(quotas_load(other, key, sbuf_view(&value), &err));
    struct quota_client ann = {.user = STR("ann"), .client_id = STR("x")};
    EXPECT_EQ_DOUBLE(quotas_limit(other, QUOTA_PRODUCE, &ann), 5);
    EXPECT_EQ_DOUBLE(quotas_limit(other, QUOTA_REQUEST, &ann), 0.5);
    for (size_t n = 1; n < value.n; n++)
        EXPECT(n == 9 || !quotas_load(other, key, str_n(value.p, n), &err));
    for (size_t n = 0; n < key.n; n++)
        EXPECT(n == 6 || !quotas_load(other, str_n(key.p, n), sbuf_view(&value), &err));
    EXPECT(quotas_load(other, key, (struct str){0}, &err));
    EXPECT(isinf(quotas_limit(other, QUOTA_PRODUCE, &ann)));
    ops[0].remove = ops[1].remove = true;
    EXPECT(quotas_alter(q, &entry, false, &arena, &key, &error, &err));
    sbuf_clear(&value);
    quotas_save(q, key, &value);
    EXPECT_EQ_INT(value.n, 0);
    sbuf_fini(&value);
    quotas_free(other);
    end();
}

int main(void)
{
    RUN(the_nearest_entity_counts);
    RUN(what_is_no_quota);
    RUN(who_uses_more_waits);
    RUN(who_cannot_have_it_yet_is_not_charged);
    RUN(kinds_differ);
    RUN(more_clients_than_are_remembered);
    RUN(quotas_are_described);
    RUN(quotas_are_kept);
    arena_fini(&arena);
    return test_end();
}

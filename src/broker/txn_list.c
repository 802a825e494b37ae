/* DescribeTransactions and ListTransactions: what is durable now. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "broker/txns_private.h"

enum { PATTERN_STEPS_MAX = 100000 }; /* of matching one id; past it, it does not match */

/* ---- describe ------------------------------------------------------------------------------------------------- */

static void describe_partitions(const struct txns *txns, const struct txn *txn, struct arena *arena,
                                struct kafka_describe_transactions_response_transaction *out)
{
    const struct txn_parts *parts = &txn->parts;
    out->topics = KAFKA_NEW(arena, kafka_describe_transactions_response_topic, parts->count);
    int32_t *partitions = arena_array(arena, int32_t, parts->count);
    for (uint32_t i = 0; i < parts->count; i++) {
        if (i == 0 || parts->items[i].topic != parts->items[i - 1].topic) {
            out->topics[out->topics_count].topic = txn_topic_name(txns, parts->items[i].topic);
            out->topics[out->topics_count++].partitions = partitions + i;
        }
        partitions[i] = parts->items[i].partition;
        out->topics[out->topics_count - 1].partitions_count++;
    }
}

static void describe_one(const struct txns *txns, struct str id, struct arena *arena,
                         struct kafka_describe_transactions_response_transaction *out)
{
    out->transactional_id = id;
    const struct txn *txn = txn_find(txns, id);
    if (id.n == 0)
        out->error_code = KAFKA_ERR_INVALID_REQUEST;
    else if (!txns->is_loaded)
        out->error_code = KAFKA_ERR_COORDINATOR_LOAD_IN_PROGRESS;
    else if (txn == NULL || !txn->is_durable)
        out->error_code = KAFKA_ERR_TRANSACTIONAL_ID_NOT_FOUND;
    if (out->error_code)
        return;
    out->transaction_state = str_of(txn_state_name(txn->image.state));
    out->transaction_timeout_ms = txn->image.timeout_ms;
    out->transaction_start_time_ms = txn->image.start_ms;
    out->producer_id = txn->image.producer_id;
    out->producer_epoch = txn->image.epoch;
    describe_partitions(txns, txn, arena, out);
}

void txns_describe(const struct txns *txns, const struct kafka_describe_transactions_request *request,
                   struct arena *arena, struct kafka_describe_transactions_response *response)
{
    kafka_init(&kafka_describe_transactions_response, response);
    uint32_t count = request->transactional_ids_count;
    response->transaction_states = KAFKA_NEW(arena, kafka_describe_transactions_response_transaction, count);
    response->transaction_states_count = count;
    for (uint32_t i = 0; i < count; i++)
        describe_one(txns, request->transactional_ids[i], arena, &response->transaction_states[i]);
}

/* ---- list ----------------------------------------------------------------------------------------------------- */

struct filter {
    const struct kafka_list_transactions_request *request;
    unsigned states; /* bits */
    pcre2_code *pattern;
    pcre2_match_data *match;
    pcre2_match_context *context;
    int64_t now_ms;
};

/* False: the pattern is none. */
static bool filter_pattern(struct filter *filter, struct str pattern)
{
    if (pattern.n == 0)
        return true;
    int code;
    size_t at;
    filter->pattern = pcre2_compile((PCRE2_SPTR)pattern.p, pattern.n,
                                    PCRE2_UTF | PCRE2_ANCHORED | PCRE2_ENDANCHORED | PCRE2_NEVER_BACKSLASH_C,
                                    &code, &at, NULL);
    if (filter->pattern == NULL)
        return false;
    filter->match = pcre2_match_data_create_from_pattern(filter->pattern, NULL);
    filter->context = pcre2_match_context_create(NULL);
    if (filter->match == NULL || filter->context == NULL)
        mem_exhausted(pattern.n);
    pcre2_set_match_limit(filter->context, PATTERN_STEPS_MAX);
    return true;
}

static void filter_fini(struct filter *filter)
{
    pcre2_match_context_free(filter->context);
    pcre2_match_data_free(filter->match);
    pcre2_code_free(filter->pattern);
}

static bool filter_has(const struct filter *filter, const struct txn *txn)
{
    const struct kafka_list_transactions_request *request = filter->request;
    if (!txn->is_durable || !(filter->states & 1u << txn->image.state))
        return false;
    bool has_id = request->producer_id_filters_count == 0;
    for (uint32_t i = 0; i < request->producer_id_filters_count; i++)
        has_id = has_id || request->producer_id_filters[i] == txn->image.producer_id;
    if (!has_id)
        return false;
    if (request->duration_filter >= 0 && filter->now_ms - txn->image.start_ms <= request->duration_filter)
        return false;
    return filter->pattern == NULL || pcre2_match(filter->pattern, (PCRE2_SPTR)txn->named.name,
                                                  txn->named.size, 0, 0, filter->match, filter->context) >= 0;
}

/* The states asked for; names that there are not go into the response. */
static unsigned filter_states(const struct kafka_list_transactions_request *request, struct arena *arena,
                              struct kafka_list_transactions_response *response)
{
    if (request->state_filters_count == 0)
        return ~0u;
    unsigned bits = 0;
    response->unknown_state_filters = arena_array(arena, struct str, request->state_filters_count);
    for (uint32_t i = 0; i < request->state_filters_count; i++) {
        struct str name = request->state_filters[i];
        int state = txn_state_named(name.p, name.n);
        if (state < 0)
            response->unknown_state_filters[response->unknown_state_filters_count++] = name;
        else
            bits |= 1u << state;
    }
    return bits;
}

void txns_list(const struct txns *txns, int64_t now_ms, const struct kafka_list_transactions_request *request,
               struct arena *arena, struct kafka_list_transactions_response *response)
{
    kafka_init(&kafka_list_transactions_response, response);
    if (!txns->is_loaded) {
        response->error_code = KAFKA_ERR_COORDINATOR_LOAD_IN_PROGRESS;
        return;
    }
    struct filter filter = {.request = request, .now_ms = now_ms};
    filter.states = filter_states(request, arena, response);
    if (!filter_pattern(&filter, request->transactional_id_pattern)) {
        kafka_init(&kafka_list_transactions_response, response);
        response->error_code = KAFKA_ERR_INVALID_REGULAR_EXPRESSION;
        return;
    }
    response->transaction_states = KAFKA_NEW(arena, kafka_list_transactions_response_transaction,
                                             txns->ids.count);
    NAMES_EACH(named, &txns->ids)
    {
        const struct txn *txn = CONTAINER_OF(named, struct txn, named);
        if (!filter_has(&filter, txn))
            continue;
        struct kafka_list_transactions_response_transaction *out =
            &response->transaction_states[response->transaction_states_count++];
        out->transactional_id = named_str(named);
        out->producer_id = txn->image.producer_id;
        out->transaction_state = str_of(txn_state_name(txn->image.state));
    }
    filter_fini(&filter);
}

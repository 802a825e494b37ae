/* The answer to a call that failed as a whole: each API has its own place for an error, and some have many. */
#include "broker/groups_private.h"

enum { MESSAGE_MAX = 1000 }; /* bytes; ids in it can have 32 KB each */

struct str message_cut(struct str text)
{
    size_t n = text.n < MESSAGE_MAX ? text.n : MESSAGE_MAX;
    while (n < text.n && n > 0 && ((uint8_t)text.p[n] & 0xC0) == 0x80)
        n--; /* not within a character */
    return str_n(text.p, n);
}

static void *new_response(struct groups *groups, const struct kafka_type *type)
{
    return kafka_new(&groups->out, type, 1);
}

static const void *commit_error(struct groups *groups, const struct kafka_offset_commit_request_topic *topics,
                                uint32_t count, int16_t error)
{
    struct kafka_offset_commit_response_topic *out = arena_zalloc(&groups->out,
                                                                  mem_product(count, sizeof *out));
    for (uint32_t i = 0; i < count; i++) {
        out[i].name = topics[i].name;
        out[i].topic_id = topics[i].topic_id;
        out[i].partitions_count = topics[i].partitions_count;
        out[i].partitions = arena_zalloc(&groups->out,
                                         mem_product(topics[i].partitions_count, sizeof *out[i].partitions));
        for (uint32_t k = 0; k < topics[i].partitions_count; k++)
            out[i].partitions[k] = (struct kafka_offset_commit_response_partition){
                .partition_index = topics[i].partitions[k].partition_index, .error_code = error};
    }
    return out;
}

/* Version 1 has a place for errors at the partitions only, 2 to 7 at the top, later ones at each group. */
static const void *fetch_error(struct groups *groups, const struct groups_call *call, int16_t error)
{
    const struct kafka_offset_fetch_request *request = call->request;
    struct kafka_offset_fetch_response *response = new_response(groups, &kafka_offset_fetch_response);
    response->error_code = error;
    response->groups_count = request->groups_count;
    response->groups = arena_zalloc(&groups->out,
                                    mem_product(request->groups_count, sizeof *response->groups));
    for (uint32_t i = 0; i < request->groups_count; i++)
        response->groups[i] = (struct kafka_offset_fetch_response_group){
            .group_id = request->groups[i].group_id, .error_code = error};
    if (call->version >= 2)
        return response;
    response->topics_count = request->topics_count;
    response->topics = arena_zalloc(&groups->out,
                                    mem_product(request->topics_count, sizeof *response->topics));
    for (uint32_t i = 0; i < request->topics_count; i++) {
        uint32_t count = request->topics[i].partition_indexes_count;
        response->topics[i].name = request->topics[i].name;
        response->topics[i].partitions_count = count;
        response->topics[i].partitions = KAFKA_NEW(&groups->out, kafka_offset_fetch_response_partition,
                                                   count);
        for (uint32_t k = 0; k < count; k++) {
            response->topics[i].partitions[k].partition_index = request->topics[i].partition_indexes[k];
            response->topics[i].partitions[k].committed_offset = -1;
            response->topics[i].partitions[k].error_code = error;
        }
    }
    return response;
}

static const void *describe_error(struct groups *groups, const struct groups_call *call, int16_t error)
{
    const struct kafka_describe_groups_request *request = call->request;
    struct kafka_describe_groups_response *response = new_response(groups, &kafka_describe_groups_response);
    response->groups_count = request->groups_count;
    response->groups = KAFKA_NEW(&groups->out, kafka_describe_groups_response_group, request->groups_count);
    for (uint32_t i = 0; i < request->groups_count; i++) {
        response->groups[i].group_id = request->groups[i];
        response->groups[i].error_code = error;
    }
    return response;
}

static const void *describe_consumer_error(struct groups *groups, const struct groups_call *call,
                                           int16_t error)
{
    const struct kafka_consumer_group_describe_request *request = call->request;
    struct kafka_consumer_group_describe_response *response = new_response(
        groups, &kafka_consumer_group_describe_response);
    response->groups_count = request->group_ids_count;
    response->groups = KAFKA_NEW(&groups->out, kafka_consumer_group_describe_response_group,
                                 request->group_ids_count);
    for (uint32_t i = 0; i < request->group_ids_count; i++) {
        response->groups[i].group_id = request->group_ids[i];
        response->groups[i].error_code = error;
    }
    return response;
}

static const void *delete_error(struct groups *groups, const struct groups_call *call, int16_t error)
{
    const struct kafka_delete_groups_request *request = call->request;
    struct kafka_delete_groups_response *response = new_response(groups, &kafka_delete_groups_response);
    response->results_count = request->groups_names_count;
    response->results = KAFKA_NEW(&groups->out, kafka_delete_groups_response_group,
                                  request->groups_names_count);
    for (uint32_t i = 0; i < request->groups_names_count; i++) {
        response->results[i].group_id = request->groups_names[i];
        response->results[i].error_code = error;
    }
    return response;
}

static const void *error_response(struct groups *groups, const struct groups_call *call, int16_t error)
{
/* The APIs that have one place for it. */
#define TOP(name, type)                                                                                      \
    case name: {                                                                                             \
        struct type *response = new_response(groups, &type);                                                 \
        response->error_code = error;                                                                        \
        return response;                                                                                     \
    }
    switch (call->api) {
        TOP(KAFKA_API_JOIN_GROUP, kafka_join_group_response)
        TOP(KAFKA_API_SYNC_GROUP, kafka_sync_group_response)
        TOP(KAFKA_API_HEARTBEAT, kafka_heartbeat_response)
        TOP(KAFKA_API_LEAVE_GROUP, kafka_leave_group_response)
        TOP(KAFKA_API_LIST_GROUPS, kafka_list_groups_response)
        TOP(KAFKA_API_OFFSET_DELETE, kafka_offset_delete_response)
        TOP(KAFKA_API_CONSUMER_GROUP_HEARTBEAT, kafka_consumer_group_heartbeat_response)
#undef TOP
    case KAFKA_API_OFFSET_COMMIT: {
        const struct kafka_offset_commit_request *request = call->request;
        struct kafka_offset_commit_response *response = new_response(groups, &kafka_offset_commit_response);
        response->topics_count = request->topics_count;
        response->topics = (void *)commit_error(groups, request->topics, request->topics_count, error);
        return response;
    }
    case KAFKA_API_TXN_OFFSET_COMMIT: { /* the same fields; group_offset.c checks that */
        const struct kafka_txn_offset_commit_request *request = call->request;
        struct kafka_txn_offset_commit_response *response = new_response(groups,
                                                                         &kafka_txn_offset_commit_response);
        response->topics_count = request->topics_count;
        response->topics = (void *)commit_error(
            groups, (const struct kafka_offset_commit_request_topic *)request->topics, request->topics_count,
            error);
        return response;
    }
    case KAFKA_API_OFFSET_FETCH: return fetch_error(groups, call, error);
    case KAFKA_API_DESCRIBE_GROUPS: return describe_error(groups, call, error);
    case KAFKA_API_CONSUMER_GROUP_DESCRIBE: return describe_consumer_error(groups, call, error);
    case KAFKA_API_DELETE_GROUPS: return delete_error(groups, call, error);
    default: UNREACHABLE("an API that is not of groups");
    }
}

void groups_reply_error(struct groups *groups, struct groups_call *call, int16_t error)
{
    if (call->api == KAFKA_API_HEARTBEAT && error == KAFKA_ERR_COORDINATOR_LOAD_IN_PROGRESS)
        error = KAFKA_ERR_NONE; /* Kafka's, too: the member need not look for another coordinator */
    if (call->api == KAFKA_API_TXN_OFFSET_COMMIT && error == KAFKA_ERR_COORDINATOR_LOAD_IN_PROGRESS &&
        call->version < 2)
        error = KAFKA_ERR_COORDINATOR_NOT_AVAILABLE; /* old producers do not know the other */
    groups_reply(groups, call, error_response(groups, call, error));
}

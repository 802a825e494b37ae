/* The controllers, as administrators see them: a static quorum of this node alone. What Kafka has in a log of its own, __cluster_metadata, lies in the
 * store's journal here: its numbers stand for that log's offsets. */
#include "broker/api.h"

enum { FIRST_WITH_NODES = 2 };

static void put_voter(struct request *r, struct kafka_describe_quorum_response_partition *out)
{
    struct store_stats stats;
    int64_t now_ms = os_wall().us / US_PER_MS;
    store_stats(r->broker->store, &stats);
    out->leader_id = BROKER_NODE;
    out->leader_epoch = store_epoch(r->broker->store);
    out->high_watermark = (int64_t)stats.lsn + 1;
    out->current_voters = KAFKA_NEW(&r->arena, kafka_describe_quorum_response_replica, 1);
    out->current_voters_count = 1;
    out->current_voters[0].replica_id = BROKER_NODE;
    out->current_voters[0].log_end_offset = out->high_watermark;
    out->current_voters[0].last_fetch_timestamp = out->current_voters[0].last_caught_up_timestamp = now_ms;
}

static void put_node(struct request *r, struct kafka_describe_quorum_response *out)
{
    out->nodes = KAFKA_NEW(&r->arena, kafka_describe_quorum_response_node, 1);
    out->nodes_count = r->header.version >= FIRST_WITH_NODES;
    out->nodes[0].node_id = BROKER_NODE;
    out->nodes[0].listeners = KAFKA_NEW(&r->arena, kafka_describe_quorum_response_listener, 1);
    out->nodes[0].listeners_count = 1;
    out->nodes[0].listeners[0].name = STR("CONTROLLER");
    out->nodes[0].listeners[0].host = str_of(r->broker->advertised_host);
    out->nodes[0].listeners[0].port = (uint16_t)r->broker->advertised_port;
}

void handle_describe_quorum(struct request *r)
{
    const struct kafka_describe_quorum_request *in = r->body;
    struct kafka_describe_quorum_response out;
    KAFKA_INIT(kafka_describe_quorum_response, &out);
    bool is_ours = in->topics_count == 1 && str_is(in->topics[0].topic_name, "__cluster_metadata") &&
                   in->topics[0].partitions_count == 1 && in->topics[0].partitions[0].partition_index == 0;
    out.topics = KAFKA_NEW(&r->arena, kafka_describe_quorum_response_topic, in->topics_count);
    out.topics_count = in->topics_count;
    for (uint32_t i = 0; i < in->topics_count; i++) {
        uint32_t count = in->topics[i].partitions_count;
        out.topics[i].topic_name = in->topics[i].topic_name;
        out.topics[i].partitions = KAFKA_NEW(&r->arena, kafka_describe_quorum_response_partition, count);
        out.topics[i].partitions_count = count;
        for (uint32_t k = 0; k < count; k++) {
            struct kafka_describe_quorum_response_partition *to = &out.topics[i].partitions[k];
            to->partition_index = in->topics[i].partitions[k].partition_index;
            if (is_ours)
                put_voter(r, to);
            else
                to->error_code = KAFKA_ERR_UNKNOWN_TOPIC_OR_PARTITION;
        }
    }
    if (is_ours)
        put_node(r, &out);
    request_answer(r, &out);
}

void handle_unregister_broker(struct request *r)
{
    const struct kafka_unregister_broker_request *in = r->body;
    struct kafka_unregister_broker_response out;
    bool is_ours = in->broker_id == BROKER_NODE;
    KAFKA_INIT(kafka_unregister_broker_response, &out);
    out.error_code = is_ours ? KAFKA_ERR_INVALID_REQUEST : KAFKA_ERR_BROKER_ID_NOT_REGISTERED;
    out.error_message = is_ours ? STR("the only broker stays") : STR("there is no such broker");
    request_answer(r, &out);
}

/* ---- voters: a static quorum has those that it has ------------------------------------------------------------------------------------- */

static int16_t refuse_voter(struct request *r, struct str cluster_id, struct str *why)
{
    bool is_ours = cluster_id.p == NULL || str_is(cluster_id, r->broker->cluster_id);
    *why = is_ours ? STR("the quorum of controllers is a static one: kraft.version is 0")
                   : STR("that is the id of another cluster");
    return is_ours ? KAFKA_ERR_UNSUPPORTED_VERSION : KAFKA_ERR_INCONSISTENT_CLUSTER_ID;
}

void handle_add_raft_voter(struct request *r)
{
    const struct kafka_add_raft_voter_request *in = r->body;
    struct kafka_add_raft_voter_response out;
    KAFKA_INIT(kafka_add_raft_voter_response, &out);
    out.error_code = refuse_voter(r, in->cluster_id, &out.error_message);
    request_answer(r, &out);
}

void handle_remove_raft_voter(struct request *r)
{
    const struct kafka_remove_raft_voter_request *in = r->body;
    struct kafka_remove_raft_voter_response out;
    KAFKA_INIT(kafka_remove_raft_voter_response, &out);
    out.error_code = refuse_voter(r, in->cluster_id, &out.error_message);
    request_answer(r, &out);
}

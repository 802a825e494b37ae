/* What administrators ask of a cluster, answered as one of one node does: each partition has one replica, here, which is its leader. */
#include "broker/api.h"
#include "os/os.h"

/* ---- DescribeLogDirs ---------------------------------------------------------------------------------------------------------------- */

static void describe_partition(struct request *r, const struct topic_info *info, int32_t partition,
                               struct kafka_describe_log_dirs_response_topic *out)
{
    struct log *log = log_get(r->broker->store, info->name, partition);
    if (log == NULL)
        return;
    struct kafka_describe_log_dirs_response_partition *to = &out->partitions[out->partitions_count++];
    to->partition_index = partition;
    to->partition_size = (int64_t)log_bytes(log);
    log_release(log);
}

static void describe_all(struct request *r, struct kafka_describe_log_dirs_response_dir *out)
{
    struct topic_info *infos;
    size_t count = store_topics(r->broker->store, &r->arena, &infos);
    out->topics = KAFKA_NEW(&r->arena, kafka_describe_log_dirs_response_topic, count);
    for (size_t i = 0; i < count; i++) {
        if (broker_topic_is_hidden(&infos[i]))
            continue;
        struct kafka_describe_log_dirs_response_topic *to = &out->topics[out->topics_count++];
        to->name = str_of(infos[i].name);
        to->partitions = KAFKA_NEW(&r->arena, kafka_describe_log_dirs_response_partition,
                                   (size_t)infos[i].partitions);
        for (int32_t k = 0; k < infos[i].partitions; k++)
            describe_partition(r, &infos[i], k, to);
    }
}

static void describe_asked(struct request *r, struct kafka_describe_log_dirs_response_dir *out)
{
    const struct kafka_describe_log_dirs_request *in = r->body;
    out->topics = KAFKA_NEW(&r->arena, kafka_describe_log_dirs_response_topic, in->topics_count);
    for (uint32_t i = 0; i < in->topics_count; i++) {
        struct topic_info info;
        if (!broker_topic_find(r->broker, in->topics[i].topic, NULL, &info))
            continue;
        struct kafka_describe_log_dirs_response_topic *to = &out->topics[out->topics_count++];
        to->name = in->topics[i].topic;
        to->partitions = KAFKA_NEW(&r->arena, kafka_describe_log_dirs_response_partition,
                                   in->topics[i].partitions_count);
        for (uint32_t k = 0; k < in->topics[i].partitions_count; k++)
            describe_partition(r, &info, in->topics[i].partitions[k], to);
    }
}

void handle_describe_log_dirs(struct request *r)
{
    const struct kafka_describe_log_dirs_request *in = r->body;
    struct kafka_describe_log_dirs_response out;
    uint64_t usable;
    KAFKA_INIT(kafka_describe_log_dirs_response, &out);
    out.results = KAFKA_NEW(&r->arena, kafka_describe_log_dirs_response_dir, 1);
    out.results_count = 1;
    out.results[0].log_dir = str_of(store_folder(r->broker->store));
    if (os_disk_free(store_folder(r->broker->store), &usable, NULL))
        out.results[0].usable_bytes = (int64_t)usable;
    if (in->topics == NULL)
        describe_all(r, &out.results[0]);
    else
        describe_asked(r, &out.results[0]);
    request_answer(r, &out);
}

/* There is one folder: a partition that is to go there is there, and there is no other. */
void handle_alter_replica_log_dirs(struct request *r)
{
    const struct kafka_alter_replica_log_dirs_request *in = r->body;
    struct kafka_alter_replica_log_dirs_response out;
    uint32_t topics = 0;
    KAFKA_INIT(kafka_alter_replica_log_dirs_response, &out);
    for (uint32_t i = 0; i < in->dirs_count; i++)
        topics += in->dirs[i].topics_count;
    out.results = KAFKA_NEW(&r->arena, kafka_alter_replica_log_dirs_response_topic, topics);
    for (uint32_t i = 0; i < in->dirs_count; i++) {
        bool is_ours = str_is(in->dirs[i].path, store_folder(r->broker->store));
        for (uint32_t k = 0; k < in->dirs[i].topics_count; k++) {
            const struct kafka_alter_replica_log_dirs_request_topic *topic = &in->dirs[i].topics[k];
            struct kafka_alter_replica_log_dirs_response_topic *to = &out.results[out.results_count++];
            struct topic_info info;
            bool is_there = broker_topic_find(r->broker, topic->name, NULL, &info);
            to->topic_name = topic->name;
            to->partitions = KAFKA_NEW(&r->arena, kafka_alter_replica_log_dirs_response_partition,
                                       topic->partitions_count);
            to->partitions_count = topic->partitions_count;
            for (uint32_t p = 0; p < topic->partitions_count; p++) {
                bool has = is_there && topic->partitions[p] >= 0 && topic->partitions[p] < info.partitions;
                to->partitions[p].partition_index = topic->partitions[p];
                to->partitions[p].error_code = !is_ours ? KAFKA_ERR_LOG_DIR_NOT_FOUND
                                               : !has   ? KAFKA_ERR_UNKNOWN_TOPIC_OR_PARTITION
                                                        : KAFKA_ERR_NONE;
            }
        }
    }
    request_answer(r, &out);
}

/* ---- leaders and replicas ------------------------------------------------------------------------------------------------------------- */

static bool has_partition(struct broker *b, struct str topic, int32_t partition)
{
    struct topic_info info;
    return broker_topic_find(b, topic, NULL, &info) && partition >= 0 && partition < info.partitions;
}

void handle_elect_leaders(struct request *r)
{
    const struct kafka_elect_leaders_request *in = r->body;
    struct kafka_elect_leaders_response out;
    KAFKA_INIT(kafka_elect_leaders_response, &out);
    out.replica_election_results = KAFKA_NEW(&r->arena, kafka_elect_leaders_response_topic,
                                             in->topic_partitions_count);
    out.replica_election_results_count =
        in->topic_partitions_count; /* of all: those that have another leader now */
    for (uint32_t i = 0; i < in->topic_partitions_count; i++) {
        const struct kafka_elect_leaders_request_topic *topic = &in->topic_partitions[i];
        struct kafka_elect_leaders_response_topic *to = &out.replica_election_results[i];
        to->topic = topic->topic;
        to->partition_result = KAFKA_NEW(&r->arena, kafka_elect_leaders_response_partition,
                                         topic->partitions_count);
        to->partition_result_count = topic->partitions_count;
        for (uint32_t k = 0; k < topic->partitions_count; k++) {
            bool has = has_partition(r->broker, topic->topic, topic->partitions[k]);
            to->partition_result[k].partition_id = topic->partitions[k];
            to->partition_result[k].error_code = has ? KAFKA_ERR_ELECTION_NOT_NEEDED
                                                     : KAFKA_ERR_UNKNOWN_TOPIC_OR_PARTITION;
            to->partition_result[k].error_message = has ? STR("the partition has its preferred leader")
                                                        : STR("there is no such topic or partition");
        }
    }
    request_answer(r, &out);
}

static void reassign(struct request *r, struct str topic,
                     const struct kafka_alter_partition_reassignments_request_partition *in,
                     struct kafka_alter_partition_reassignments_response_partition *out)
{
    out->partition_index = in->partition_index;
    out->error_message = (struct str){0};
    if (!has_partition(r->broker, topic, in->partition_index)) {
        out->error_code = KAFKA_ERR_UNKNOWN_TOPIC_OR_PARTITION;
        out->error_message = STR("there is no such topic or partition");
    } else if (in->replicas == NULL) {
        out->error_code = KAFKA_ERR_NO_REASSIGNMENT_IN_PROGRESS;
        out->error_message = STR("nothing is being reassigned");
    } else if (in->replicas_count != 1 || in->replicas[0] != BROKER_NODE) {
        out->error_code = KAFKA_ERR_INVALID_REPLICA_ASSIGNMENT;
        out->error_message = STR("there is one broker, 1, for each partition");
    }
}

void handle_alter_partition_reassignments(struct request *r)
{
    const struct kafka_alter_partition_reassignments_request *in = r->body;
    struct kafka_alter_partition_reassignments_response out;
    KAFKA_INIT(kafka_alter_partition_reassignments_response, &out);
    out.allow_replication_factor_change = in->allow_replication_factor_change;
    out.responses = KAFKA_NEW(&r->arena, kafka_alter_partition_reassignments_response_topic,
                              in->topics_count);
    out.responses_count = in->topics_count;
    for (uint32_t i = 0; i < in->topics_count; i++) {
        uint32_t count = in->topics[i].partitions_count;
        out.responses[i].name = in->topics[i].name;
        out.responses[i].partitions = KAFKA_NEW(
            &r->arena, kafka_alter_partition_reassignments_response_partition, count);
        out.responses[i].partitions_count = count;
        for (uint32_t k = 0; k < count; k++)
            reassign(r, in->topics[i].name, &in->topics[i].partitions[k], &out.responses[i].partitions[k]);
    }
    request_answer(r, &out);
}

void handle_list_partition_reassignments(struct request *r)
{
    struct kafka_list_partition_reassignments_response out;
    KAFKA_INIT(kafka_list_partition_reassignments_response, &out);
    request_answer(r, &out);
}

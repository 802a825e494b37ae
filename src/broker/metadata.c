/* Metadata and DescribeTopicPartitions: which topics there are, and that this broker leads all their partitions. */
#include <stdlib.h>

#include "broker/api.h"
#include "broker/settings.h"
#include "broker/throttle.h"

enum {
    PARTITIONS_LIMIT_MAX = 2000
}; /* of one DescribeTopicPartitions: Kafka's max.request.partition.size.limit */

/* Everywhere there is one replica: this broker. */
static int32_t only_node[] = {BROKER_NODE};

static void put_partitions(struct request *r, const struct topic_info *info,
                           struct kafka_metadata_response_topic *out)
{
    out->partitions = KAFKA_NEW(&r->arena, kafka_metadata_response_partition, (size_t)info->partitions);
    out->partitions_count = (uint32_t)info->partitions;
    for (int32_t i = 0; i < info->partitions; i++) {
        struct kafka_metadata_response_partition *p = &out->partitions[i];
        p->partition_index = i;
        p->leader_id = BROKER_NODE;
        p->leader_epoch = store_epoch(r->broker->store);
        p->replica_nodes = p->isr_nodes = only_node;
        p->replica_nodes_count = p->isr_nodes_count = 1;
    }
}

static void put_topic(struct request *r, const struct topic_info *info,
                      struct kafka_metadata_response_topic *out)
{
    const struct kafka_metadata_request *in = r->body;
    out->name = str_of(arena_strdup(&r->arena, info->name));
    memcpy(out->topic_id.b, info->id, sizeof info->id);
    out->is_internal = broker_topic_is_internal(info->name);
    if (in->include_topic_authorized_operations)
        out->topic_authorized_operations = TOPIC_OPERATIONS;
    put_partitions(r, info, out);
}

static void put_all_topics(struct request *r, struct kafka_metadata_response *out)
{
    struct topic_info *infos;
    size_t count = store_topics(r->broker->store, &r->arena, &infos);
    out->topics = KAFKA_NEW(&r->arena, kafka_metadata_response_topic, count);
    for (size_t i = 0; i < count; i++)
        if (!broker_topic_is_hidden(&infos[i]))
            put_topic(r, &infos[i], &out->topics[out->topics_count++]);
}

static bool is_zero(const struct kafka_uuid *id)
{
    static const struct kafka_uuid zero;
    return memcmp(id, &zero, sizeof zero) == 0;
}

static bool creates(const struct request *r) ON(net)
{
    const struct kafka_metadata_request *in = r->body;
    return settings_auto_create(r->broker) && (r->header.version < 4 || in->allow_auto_topic_creation);
}

/* A topic that this very request made is not there yet for whoever asked: clients of Kafka, which answers before it has made one, ask again. */
static bool is_made(const struct request *r, uint32_t i)
{
    const bool *made = r->work;
    return made && made[i];
}

/* What a topic that is not there is answered with. */
static int16_t error_of_missing(struct request *r, const struct kafka_metadata_request_topic *asked,
                                struct topic_list *list) ON(net)
{
    if (asked->name.p == NULL)
        return KAFKA_ERR_UNKNOWN_TOPIC_ID;
    if (!broker_topic_name_is_valid(asked->name))
        return KAFKA_ERR_INVALID_TOPIC_EXCEPTION;
    return creates(r) && broker_topic_collides(r, list, asked->name) ? KAFKA_ERR_INVALID_TOPIC_EXCEPTION
                                                                     : KAFKA_ERR_UNKNOWN_TOPIC_OR_PARTITION;
}

static void put_asked_topics(struct request *r, struct kafka_metadata_response *out) ON(net)
{
    const struct kafka_metadata_request *in = r->body;
    struct topic_list list = {0};
    out->topics = KAFKA_NEW(&r->arena, kafka_metadata_response_topic, in->topics_count);
    out->topics_count = in->topics_count;
    for (uint32_t i = 0; i < in->topics_count; i++) {
        const struct kafka_metadata_request_topic *asked = &in->topics[i];
        struct topic_info info;
        if (!is_made(r, i) && broker_topic_find(r->broker, asked->name, &asked->topic_id, &info)) {
            put_topic(r, &info, &out->topics[i]);
            continue;
        }
        out->topics[i].error_code = is_made(r, i) ? KAFKA_ERR_UNKNOWN_TOPIC_OR_PARTITION
                                                  : error_of_missing(r, asked, &list);
        out->topics[i].name = asked->name.p || r->header.version >= 12 ? asked->name : STR("");
        out->topics[i].topic_id = asked->topic_id;
    }
}

static bool names_with_ids(const struct request *r)
{
    const struct kafka_metadata_request *in = r->body;
    for (uint32_t i = 0; i < in->topics_count; i++) {
        const struct kafka_metadata_request_topic *asked = &in->topics[i];
        if (asked->name.p == NULL ? r->header.version < 12 || is_zero(&asked->topic_id)
                                  : r->header.version >= 12 && !is_zero(&asked->topic_id))
            return false;
    }
    return true;
}

static void answer_metadata(struct request *r) ON(net)
{
    const struct kafka_metadata_request *in = r->body;
    struct broker *b = r->broker;
    struct kafka_metadata_response out;
    KAFKA_INIT(kafka_metadata_response, &out);
    out.brokers = KAFKA_NEW(&r->arena, kafka_metadata_response_broker, 1);
    out.brokers_count = 1;
    out.brokers[0].node_id = BROKER_NODE;
    out.brokers[0].host = str_of(b->advertised_host);
    out.brokers[0].port = b->advertised_port;
    out.cluster_id = str_of(b->cluster_id);
    out.controller_id = BROKER_NODE;
    if (in->include_cluster_authorized_operations)
        out.cluster_authorized_operations = CLUSTER_OPERATIONS;
    if (in->topics == NULL || (r->header.version == 0 && in->topics_count == 0))
        put_all_topics(r, &out);
    else
        put_asked_topics(r, &out);
    request_answer(r, &out);
}

/* ---- topics that are made by their first use ------------------------------------------------------------------------------------- */

static void created(struct frame *frame)
{
    struct request *r = frame->arg;
    run_on_net();
    frame_give(
        r->broker,
        frame); /* refused: somebody else was quicker, or there is no room: the answer says what is there now */
    answer_metadata(r);
}

static bool is_named_before(const struct kafka_metadata_request *in, uint32_t i)
{
    for (uint32_t k = 0; k < i; k++)
        if (broker_topic_names_collide(in->topics[k].name, in->topics[i].name))
            return true;
    return false;
}

enum { CREATED_MAX = 1000 }; /* topics that one request makes */

/* A frame that makes the topics that are asked for and not there; NULL: none. */
static struct frame *missing_topics(struct request *r) ON(net)
{
    const struct kafka_metadata_request *in = r->body;
    struct frame *frame = NULL;
    struct topic_config config;
    struct topic_list list = {0};
    uint32_t count = 0;
    bool *made = arena_zarray(&r->arena, bool, in->topics_count);
    int32_t partitions = settings_partitions(r->broker);
    settings_topic_default(r->broker, &config);
    for (uint32_t i = 0; i < in->topics_count && count < CREATED_MAX; i++) {
        struct str name = in->topics[i].name;
        if (name.p == NULL || !broker_topic_name_is_valid(name) || broker_topic_is_reserved(name) ||
            broker_topic_find(r->broker, name, NULL, NULL) || is_named_before(in, i) ||
            broker_topic_collides(r, &list, name) || !throttle_auto_create(r, partitions))
            continue;
        if (frame == NULL)
            frame = frame_take(r->broker, created, r);
        frame_topic_create(frame, str_dup(&r->arena, name), partitions, &config);
        made[i] = true;
        count++;
    }
    r->work = made;
    return frame;
}

void handle_metadata(struct request *r)
{
    struct frame *frame = NULL;
    if (!names_with_ids(r)) {
        request_refuse(r, "a topic is asked for by name and id, or by none");
        return;
    }
    if (creates(r))
        frame = missing_topics(r);
    if (frame)
        frame_submit(frame);
    else
        answer_metadata(r);
}

/* ---- DescribeTopicPartitions --------------------------------------------------------------------------------------------------------- */

/* Partitions [from, …) of the topic, at most *left of them. Returns the one to go on with, or −1. */
static int32_t describe_partitions(struct request *r, const struct topic_info *info, int32_t from,
                                   int32_t *left, struct kafka_describe_topic_partitions_response_topic *out)
{
    int32_t count = info->partitions - from;
    count = count < 0 ? 0 : count < *left ? count : *left;
    out->partitions = KAFKA_NEW(&r->arena, kafka_describe_topic_partitions_response_partition, (size_t)count);
    out->partitions_count = (uint32_t)count;
    for (int32_t i = 0; i < count; i++) {
        struct kafka_describe_topic_partitions_response_partition *p = &out->partitions[i];
        p->partition_index = from + i;
        p->leader_id = BROKER_NODE;
        p->leader_epoch = store_epoch(r->broker->store);
        p->replica_nodes = p->isr_nodes = p->eligible_leader_replicas = p->last_known_elr = only_node;
        p->replica_nodes_count = p->isr_nodes_count = 1;
    }
    *left -= count;
    return from + count < info->partitions ? from + count : -1;
}

static int by_text(const void *a, const void *b)
{
    return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

/* The names that are asked for, sorted, none twice; all that are there where none is. */
static uint32_t described_names(struct request *r, struct str **names)
{
    const struct kafka_describe_topic_partitions_request *in = r->body;
    struct topic_info *infos = NULL;
    size_t n = in->topics_count, count = 0;
    if (n == 0)
        n = store_topics(r->broker->store, &r->arena, &infos);
    *names = arena_array(&r->arena, struct str, n);
    for (size_t i = 0; i < n; i++)
        if (infos == NULL || !broker_topic_is_hidden(&infos[i]))
            (*names)[count++] = infos ? str_of(infos[i].name) : in->topics[i].name;
    qsort(*names, count, sizeof **names, by_text);
    uint32_t kept = 0;
    for (size_t i = 0; i < count; i++)
        if (kept == 0 || !str_eq((*names)[kept - 1], (*names)[i]))
            (*names)[kept++] = (*names)[i];
    return kept;
}

static void describe_topic(struct request *r, struct str name, const struct topic_info *info,
                           struct kafka_describe_topic_partitions_response_topic *out)
{
    out->name = name;
    if (info == NULL) {
        out->error_code = broker_topic_name_is_valid(name) ? KAFKA_ERR_UNKNOWN_TOPIC_OR_PARTITION
                                                           : KAFKA_ERR_INVALID_TOPIC_EXCEPTION;
        return;
    }
    memcpy(out->topic_id.b, info->id, sizeof info->id);
    out->is_internal = broker_topic_is_internal(info->name);
    out->topic_authorized_operations = TOPIC_OPERATIONS;
    (void)r;
}

static void set_cursor(struct request *r, struct kafka_describe_topic_partitions_response *out,
                       struct str name, int32_t partition)
{
    out->next_cursor = KAFKA_NEW(&r->arena, kafka_describe_topic_partitions_response_cursor, 1);
    out->next_cursor->topic_name = name;
    out->next_cursor->partition_index = partition;
}

void handle_describe_topic_partitions(struct request *r)
{
    const struct kafka_describe_topic_partitions_request *in = r->body;
    struct kafka_describe_topic_partitions_response out;
    struct str *names;
    KAFKA_INIT(kafka_describe_topic_partitions_response, &out);
    uint32_t count = described_names(r, &names);
    int32_t left = in->response_partition_limit < PARTITIONS_LIMIT_MAX ? in->response_partition_limit
                                                                       : PARTITIONS_LIMIT_MAX;
    out.topics = KAFKA_NEW(&r->arena, kafka_describe_topic_partitions_response_topic, count);
    for (uint32_t i = 0; i < count; i++) {
        int order = in->cursor ? str_cmp(names[i], in->cursor->topic_name) : 1;
        int32_t from = order == 0 ? in->cursor->partition_index : 0, next;
        struct topic_info info;
        if (order < 0)
            continue;
        if (left <= 0) {
            set_cursor(r, &out, names[i], from);
            break;
        }
        bool is_there = broker_topic_find(r->broker, names[i], NULL, &info);
        struct kafka_describe_topic_partitions_response_topic *to = &out.topics[out.topics_count++];
        describe_topic(r, names[i], is_there ? &info : NULL, to);
        if (!is_there)
            continue;
        next = describe_partitions(r, &info, from, &left, to);
        if (next >= 0) {
            set_cursor(r, &out, names[i], next);
            break;
        }
    }
    request_answer(r, &out);
}

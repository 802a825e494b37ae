/* Topics as clients see them: made, deleted, grown, cut. Each change of the catalogue is a frame; the answer comes when it is durable. */
#include <errno.h>

#include "broker/api.h"
#include "broker/changes.h"
#include "broker/settings.h"
#include "broker/throttle.h"

bool broker_topic_is_internal(const char *name)
{
    return strcmp(name, "__consumer_offsets") == 0 || strcmp(name, "__transaction_state") == 0;
}

bool broker_topic_is_hidden(const struct topic_info *info)
{
    return info->config.internal && !broker_topic_is_internal(info->name);
}

bool broker_topic_is_there(struct broker *b, struct str name)
{
    char text[TOPIC_NAME_MAX + 1];
    str_copy(text, sizeof text, name);
    return store_topic(b->store, text, NULL);
}

bool broker_topic_is_reserved(struct str name)
{
    return str_is(name, "__consumer_offsets") || str_is(name, "__transaction_state");
}

bool broker_topic_name_is_valid(struct str name)
{
    if (name.n == 0 || name.n > TOPIC_NAME_MAX || str_is(name, ".") || str_is(name, ".."))
        return false;
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        bool is_alnum = (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z');
        if (!is_alnum && c != '.' && c != '_' && c != '-')
            return false;
    }
    return true;
}

bool broker_topic_find(struct broker *b, struct str name, const struct kafka_uuid *id,
                       struct topic_info *info)
{
    struct topic_info found;
    char text[TOPIC_NAME_MAX + 1];
    if (name.n > TOPIC_NAME_MAX)
        return false;
    str_copy(text, sizeof text, name);
    if (name.n > 0 ? !store_topic(b->store, text, &found)
                   : id == NULL || !store_topic_by_id(b->store, id->b, &found))
        return false;
    if (info)
        *info = found;
    return !broker_topic_is_hidden(&found);
}

bool broker_topic_names_collide(struct str a, struct str b)
{
    size_t i = 0;
    while (i < a.n && i < b.n && (a.p[i] == '.' ? '_' : a.p[i]) == (b.p[i] == '.' ? '_' : b.p[i]))
        i++;
    return a.n == b.n && i == a.n;
}

bool broker_topic_collides(struct request *r, struct topic_list *list, struct str name)
{
    bool found = false;
    if (memchr(name.p, '.', name.n) == NULL && memchr(name.p, '_', name.n) == NULL)
        return false;
    if (list->infos == NULL)
        list->count = store_topics(r->broker->store, &r->arena, &list->infos);
    for (size_t i = 0; i < list->count && !found; i++)
        found = broker_topic_names_collide(name, str_of(list->infos[i].name)) &&
                !broker_topic_is_hidden(&list->infos[i]);
    return found;
}

/* From these versions on, clients know THROTTLING_QUOTA_EXCEEDED (KIP-599). */
enum { CREATE_STRICT_FROM = 6, DELETE_STRICT_FROM = 5, GROW_STRICT_FROM = 3 };
static const char TOO_MUCH[] =
    "the quota of topics and partitions that are made and deleted is used up for now";

/* ---- CreateTopics ------------------------------------------------------------------------------------------------------------------- */

static bool refuse_topic(struct kafka_create_topics_response_topic *out, int16_t error, const char *why)
{
    out->error_code = error;
    out->error_message = str_of(why);
    return false;
}

/* The partitions of a new topic by its assignments: each of this broker alone, numbered from 0 on. */
static bool partitions_assigned(const struct kafka_create_topics_request_topic *in,
                                struct kafka_create_topics_response_topic *out, int32_t *partitions)
{
    if (in->num_partitions != -1 || in->replication_factor != -1)
        return refuse_topic(out, KAFKA_ERR_INVALID_REQUEST,
                            "with assignments, partitions and replication factor must both be -1");
    for (uint32_t i = 0; i < in->assignments_count; i++) {
        bool is_there = false;
        for (uint32_t k = 0; k < in->assignments_count; k++)
            is_there |= in->assignments[k].partition_index == (int32_t)i;
        if (!is_there)
            return refuse_topic(out, KAFKA_ERR_INVALID_REPLICA_ASSIGNMENT,
                                "partitions must be numbered from 0 on, each once");
        if (in->assignments[i].broker_ids_count != 1 || in->assignments[i].broker_ids[0] != BROKER_NODE)
            return refuse_topic(out, KAFKA_ERR_INVALID_REPLICA_ASSIGNMENT,
                                "there is one broker, 1, for each partition");
    }
    *partitions = (int32_t)in->assignments_count;
    return true;
}

static bool is_asked_twice(const struct kafka_create_topics_request *in, uint32_t i)
{
    for (uint32_t k = 0; k < in->topics_count; k++)
        if (k != i && str_eq(in->topics[k].name, in->topics[i].name))
            return true;
    return false;
}

static bool check_new_topic(struct changes *changes, uint32_t i,
                            struct kafka_create_topics_response_topic *out, int32_t *partitions) ON(net)
{
    struct request *r = changes->request;
    const struct kafka_create_topics_request *all = r->body;
    const struct kafka_create_topics_request_topic *in = &all->topics[i];
    if (is_asked_twice(all, i))
        return refuse_topic(out, KAFKA_ERR_INVALID_REQUEST, "the topic is in the request more than once");
    if (!broker_topic_name_is_valid(in->name))
        return refuse_topic(out, KAFKA_ERR_INVALID_TOPIC_EXCEPTION,
                            "a topic's name has 1 to 249 letters, digits, \".\", \"_\" and \"-\"");
    if (broker_topic_is_there(r->broker, in->name))
        return refuse_topic(out, KAFKA_ERR_TOPIC_ALREADY_EXISTS, "the topic exists already");
    if (broker_topic_collides(r, &changes->topics, in->name))
        return refuse_topic(out, KAFKA_ERR_INVALID_TOPIC_EXCEPTION,
                            "there is a topic whose name differs only by \".\" and \"_\"");
    if (in->assignments_count > 0)
        return partitions_assigned(in, out, partitions);
    if (in->num_partitions == 0 || in->num_partitions < -1 || in->num_partitions > TOPIC_PARTITIONS_MAX)
        return refuse_topic(out, KAFKA_ERR_INVALID_PARTITIONS, "a topic has 1 to 10,000 partitions");
    if (in->replication_factor != -1 && in->replication_factor != 1)
        return refuse_topic(out, KAFKA_ERR_INVALID_REPLICATION_FACTOR,
                            "there is one broker: the replication factor is 1");
    *partitions = in->num_partitions == -1 ? settings_partitions(r->broker) : in->num_partitions;
    return true;
}

static void created(struct change *change, const struct frame *frame)
{
    struct kafka_create_topics_response_topic *out = change->to;
    struct topic_info info;
    if (frame->durable) {
        if (broker_topic_find(change->all->request->broker, out->name, NULL, &info))
            memcpy(out->topic_id.b, info.id, sizeof info.id);
        return;
    }
    out->error_message = str_of(arena_strdup(&change->all->request->arena, frame->err.text));
    out->error_code = frame_error(&frame->err);
    out->num_partitions = -1;
    out->replication_factor = -1;
}

static void create_topic(struct changes *all, uint32_t i, struct kafka_create_topics_response_topic *out)
    ON(net)
{
    struct request *r = all->request;
    const struct kafka_create_topics_request *in = r->body;
    struct topic_settings settings;
    int32_t partitions;
    out->name = in->topics[i].name;
    out->error_message = (struct str){0}; /* null, as Kafka has it where nothing is wrong */
    if (!check_new_topic(all, i, out, &partitions))
        return;
    if (!settings_of_new_topic(r, &in->topics[i], &settings, &out->error_code, &out->error_message))
        return;
    if (!throttle_mutations(r, partitions, CREATE_STRICT_FROM)) {
        refuse_topic(out, KAFKA_ERR_THROTTLING_QUOTA_EXCEEDED, TOO_MUCH);
        return;
    }
    out->num_partitions = partitions;
    out->replication_factor = 1;
    settings_describe_new_topic(r, &settings, out);
    if (in->validate_only)
        return;
    struct frame *frame = change_begin(all, out, created);
    frame_topic_create(frame, str_dup(&r->arena, out->name), partitions, &settings.config);
    settings_put(frame, CONFIG_TOPIC, out->name, &settings.list);
    frame_submit(frame);
}

void handle_create_topics(struct request *r)
{
    const struct kafka_create_topics_request *in = r->body;
    struct kafka_create_topics_response *out = KAFKA_NEW(&r->arena, kafka_create_topics_response, 1);
    struct changes *all = changes_new(r, out);
    out->topics = KAFKA_NEW(&r->arena, kafka_create_topics_response_topic, in->topics_count);
    out->topics_count = in->topics_count;
    for (uint32_t i = 0; i < in->topics_count; i++)
        create_topic(all, i, &out->topics[i]);
    changes_done_one(all);
}

/* ---- DeleteTopics ------------------------------------------------------------------------------------------------------------------- */

static void deleted(struct change *change, const struct frame *frame)
{
    struct kafka_delete_topics_response_topic *out = change->to;
    struct request *r = change->all->request;
    run_on_net();
    if (frame->durable) {
        coordinator_topic_deleted(r->broker, out->name, &out->topic_id);
        return;
    }
    out->error_code = frame->err.code == EBUSY ? KAFKA_ERR_POLICY_VIOLATION : frame_error(&frame->err);
    out->error_message = str_of(arena_strdup(&r->arena, frame->err.text));
}

static void delete_topic(struct changes *all, struct str name, const struct kafka_uuid *id,
                         struct kafka_delete_topics_response_topic *out) ON(net)
{
    struct request *r = all->request;
    struct topic_info info;
    bool by_id = name.p == NULL;
    out->name = name;
    if (id)
        out->topic_id = *id;
    if (!broker_topic_find(r->broker, name, id, &info)) {
        out->error_code = by_id ? KAFKA_ERR_UNKNOWN_TOPIC_ID : KAFKA_ERR_UNKNOWN_TOPIC_OR_PARTITION;
        out->error_message = by_id ? STR("there is no topic with this id") : STR("there is no such topic");
        return;
    }
    out->name = str_of(arena_strdup(&r->arena, info.name));
    memcpy(out->topic_id.b, info.id, sizeof info.id);
    if (broker_topic_is_internal(info.name)) {
        out->error_code = KAFKA_ERR_INVALID_REQUEST;
        out->error_message = STR("an internal topic cannot be deleted");
        return;
    }
    if (!throttle_mutations(r, info.partitions, DELETE_STRICT_FROM)) {
        out->error_code = KAFKA_ERR_THROTTLING_QUOTA_EXCEEDED;
        out->error_message = str_of(TOO_MUCH);
        return;
    }
    struct frame *frame = change_begin(all, out, deleted);
    frame_topic_delete(frame, info.name);
    settings_put(frame, CONFIG_TOPIC, out->name, NULL);
    frame_submit(frame);
}

void handle_delete_topics(struct request *r)
{
    const struct kafka_delete_topics_request *in = r->body;
    struct kafka_delete_topics_response *out = KAFKA_NEW(&r->arena, kafka_delete_topics_response, 1);
    struct changes *all = changes_new(r, out);
    uint32_t count = r->header.version >= 6 ? in->topics_count : in->topic_names_count;
    out->responses = KAFKA_NEW(&r->arena, kafka_delete_topics_response_topic, count);
    out->responses_count = count;
    for (uint32_t i = 0; i < count; i++) {
        if (r->header.version >= 6)
            delete_topic(all, in->topics[i].name, &in->topics[i].topic_id, &out->responses[i]);
        else
            delete_topic(all, in->topic_names[i], NULL, &out->responses[i]);
    }
    changes_done_one(all);
}

/* ---- CreatePartitions --------------------------------------------------------------------------------------------------------------- */

static void grown(struct change *change, const struct frame *frame)
{
    struct kafka_create_partitions_response_topic *out = change->to;
    struct request *r = change->all->request;
    run_on_net();
    if (frame->durable) {
        coordinator_topics_changed(r->broker);
        return;
    }
    out->error_code = frame_error(&frame->err);
    out->error_message = str_of(arena_strdup(&r->arena, frame->err.text));
}

static bool refuse_growth(struct kafka_create_partitions_response_topic *out, int16_t error, const char *why)
{
    out->error_code = error;
    out->error_message = str_of(why);
    return false;
}

static bool check_growth(struct request *r, const struct kafka_create_partitions_request_topic *in,
                         struct topic_info *info, struct kafka_create_partitions_response_topic *out)
{
    if (!broker_topic_find(r->broker, in->name, NULL, info))
        return refuse_growth(out, KAFKA_ERR_UNKNOWN_TOPIC_OR_PARTITION, "there is no such topic");
    if (broker_topic_is_internal(info->name))
        return refuse_growth(out, KAFKA_ERR_INVALID_REQUEST, "an internal topic cannot grow");
    if (in->count <= info->partitions || in->count > TOPIC_PARTITIONS_MAX)
        return refuse_growth(out, KAFKA_ERR_INVALID_PARTITIONS,
                             arena_printf(&r->arena,
                                          "the topic has %d partitions, and %d is not more, or too many",
                                          info->partitions, in->count));
    if (in->assignments == NULL)
        return true;
    if (in->assignments_count != (uint32_t)(in->count - info->partitions))
        return refuse_growth(out, KAFKA_ERR_INVALID_REPLICA_ASSIGNMENT,
                             "there must be an assignment for each new partition");
    for (uint32_t i = 0; i < in->assignments_count; i++)
        if (in->assignments[i].broker_ids_count != 1 || in->assignments[i].broker_ids[0] != BROKER_NODE)
            return refuse_growth(out, KAFKA_ERR_INVALID_REPLICA_ASSIGNMENT,
                                 "there is one broker, 1, for each partition");
    return true;
}

void handle_create_partitions(struct request *r)
{
    const struct kafka_create_partitions_request *in = r->body;
    struct kafka_create_partitions_response *out = KAFKA_NEW(&r->arena, kafka_create_partitions_response, 1);
    struct changes *all = changes_new(r, out);
    out->results = KAFKA_NEW(&r->arena, kafka_create_partitions_response_topic, in->topics_count);
    out->results_count = in->topics_count;
    for (uint32_t i = 0; i < in->topics_count; i++) {
        struct topic_info info;
        out->results[i].name = in->topics[i].name;
        if (!check_growth(r, &in->topics[i], &info, &out->results[i]))
            continue;
        if (!throttle_mutations(r, in->topics[i].count - info.partitions, GROW_STRICT_FROM)) {
            refuse_growth(&out->results[i], KAFKA_ERR_THROTTLING_QUOTA_EXCEEDED, TOO_MUCH);
            continue;
        }
        if (in->validate_only)
            continue;
        struct frame *frame = change_begin(all, &out->results[i], grown);
        frame_topic_alter(frame, info.name, in->topics[i].count, &info.config);
        frame_submit(frame);
    }
    changes_done_one(all);
}

/* ---- DeleteRecords ------------------------------------------------------------------------------------------------------------------ */

static void cut(struct change *change, const struct frame *frame)
{
    struct kafka_delete_records_response_partition *out = change->to;
    struct request *r = change->all->request;
    if (!frame->durable)
        out->error_code = frame->err.code == LOG_OUT_OF_RANGE ? KAFKA_ERR_OFFSET_OUT_OF_RANGE
                          : frame->err.code == EBUSY          ? KAFKA_ERR_POLICY_VIOLATION
                                                              : frame_error(&frame->err);
    if (out->error_code != KAFKA_ERR_NONE)
        out->low_watermark = -1;
    (void)r;
}

static void delete_records(struct changes *all, struct str name,
                           const struct kafka_delete_records_request_partition *in,
                           struct kafka_delete_records_response_partition *out) ON(net)
{
    struct request *r = all->request;
    struct topic_info info;
    struct log *log = broker_topic_find(r->broker, name, NULL, &info)
                          ? log_get(r->broker->store, info.name, in->partition_index)
                          : NULL;
    out->partition_index = in->partition_index;
    out->low_watermark = -1;
    if (log == NULL) {
        out->error_code = KAFKA_ERR_UNKNOWN_TOPIC_OR_PARTITION;
        return;
    }
    int64_t offset = in->offset == -1 ? log_end(log) : in->offset;
    if (broker_topic_is_internal(info.name)) {
        out->error_code = KAFKA_ERR_INVALID_TOPIC_EXCEPTION;
    } else if (info.config.compact && !info.config.delete_too) {
        out->error_code = KAFKA_ERR_POLICY_VIOLATION;
    } else if (offset < 0 || offset > log_end(log)) {
        out->error_code = KAFKA_ERR_OFFSET_OUT_OF_RANGE;
    } else {
        out->low_watermark = offset > log_start(log) ? offset : log_start(log);
        struct frame *frame = change_begin(all, out, cut);
        frame_log_truncate_before(frame, log, offset);
        frame_submit(frame);
    }
    log_release(log);
}

void handle_delete_records(struct request *r)
{
    const struct kafka_delete_records_request *in = r->body;
    struct kafka_delete_records_response *out = KAFKA_NEW(&r->arena, kafka_delete_records_response, 1);
    struct changes *all = changes_new(r, out);
    out->topics = KAFKA_NEW(&r->arena, kafka_delete_records_response_topic, in->topics_count);
    out->topics_count = in->topics_count;
    for (uint32_t i = 0; i < in->topics_count; i++) {
        const struct kafka_delete_records_request_topic *topic = &in->topics[i];
        out->topics[i].name = topic->name;
        out->topics[i].partitions = KAFKA_NEW(&r->arena, kafka_delete_records_response_partition,
                                              topic->partitions_count);
        out->topics[i].partitions_count = topic->partitions_count;
        for (uint32_t k = 0; k < topic->partitions_count; k++)
            delete_records(all, topic->name, &topic->partitions[k], &out->topics[i].partitions[k]);
    }
    changes_done_one(all);
}

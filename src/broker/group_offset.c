/* Requests about offsets: commit, commit within a transaction, fetch, delete; and what ends by itself, with time or with its topic.
 *
 * A commit is checked against the group as it is, written, and counts when the write is confirmed. Commits do not wait for each
 * other, nor for changes of the group: that a commit was checked before a change that is under way is no harm, since nobody has
 * been told of the change yet, and whoever is told of it and wants stable offsets waits for the commit. */
#include "base/utf8.h"
#include "broker/groups_private.h"

enum { TOPIC_DELETED_RECORDS = 10000 }; /* of one write */

/* ---- commit --------------------------------------------------------------------------------------------------- */

/* A commit of either kind. */
struct commit {
    struct groups_call *call;
    struct write *write;
    struct str group_id, member_id, instance;
    int32_t generation;
    int64_t retention_ms; /* −1 = as configured */
    bool is_txn, by_id;   /* by_id: topics are given by id */
    int64_t producer_id;
    struct group *group;
    const struct consumer_member *by_partition; /* its epoch is checked for each partition; or NULL */
};

/* Java's length: UTF-16 units. */
static size_t utf16_length(struct str s)
{
    size_t length = 0;
    for (size_t i = 0; i < s.n; i++)
        length += ((uint8_t)s.p[i] & 0xC0) != 0x80 ? 1 + ((uint8_t)s.p[i] >= 0xF0) : 0;
    return length;
}

static int16_t partition_error(const struct groups *groups, bool is_known, const struct groups_topic *topic,
                               bool by_id, const struct kafka_offset_commit_request_partition *partition)
{
    if (!is_known)
        return by_id ? KAFKA_ERR_UNKNOWN_TOPIC_ID : KAFKA_ERR_UNKNOWN_TOPIC_OR_PARTITION;
    if (partition->partition_index < 0 || partition->partition_index >= topic->partitions)
        return KAFKA_ERR_UNKNOWN_TOPIC_OR_PARTITION;
    if (utf16_length(partition->committed_metadata) > (size_t)groups->config.offset_metadata_max)
        return KAFKA_ERR_OFFSET_METADATA_TOO_LARGE;
    return KAFKA_ERR_NONE;
}

/* May the group's member commit? Finds or makes the group. */
static int16_t commit_check(struct groups *groups, struct commit *c)
{
    c->group = group_find(groups, c->group_id);
    if (c->group == NULL && c->generation >= 0)
        return !c->is_txn && c->call->version >= 9 ? KAFKA_ERR_GROUP_ID_NOT_FOUND
                                                   : KAFKA_ERR_ILLEGAL_GENERATION;
    if (c->group == NULL)
        c->group = group_get(groups, c->group_id);
    if (c->group == NULL || groups->offsets + groups->pendings >= groups->config.offsets_max)
        return KAFKA_ERR_COORDINATOR_NOT_AVAILABLE;
    if (groups_faults.ignores_generation)
        return KAFKA_ERR_NONE;
    int16_t error = c->group->consumer
                        ? consumer_may_commit(c->group->consumer, c->member_id, c->instance, c->generation,
                                              c->call->version, c->is_txn, &c->by_partition)
                        : classic_may_commit(groups, c->group, c->member_id, c->instance, c->generation,
                                             c->is_txn);
    return c->is_txn && error == KAFKA_ERR_STALE_MEMBER_EPOCH ? KAFKA_ERR_ILLEGAL_GENERATION : error;
}

static void commit_one(struct groups *groups, struct commit *c, const struct groups_topic *topic,
                       const struct kafka_offset_commit_request_partition *from)
{
    struct offset offset = {
        .offset = from->committed_offset,
        .commit_ms = groups->now.wall.us / US_PER_MS,
        .topic_id = c->is_txn ? (struct kafka_uuid){{0}}
                              : topic->id, /* Kafka, too, leaves it out of a transaction's */
        .partition = from->partition_index,
        .leader_epoch = from->committed_leader_epoch < 0 ? -1 : from->committed_leader_epoch,
    };
    int64_t expire_ms = c->retention_ms < 0          ? -1
                        : c->retention_ms > TIME_MAX ? TIME_MAX
                                                     : offset.commit_ms + c->retention_ms;
    offset.extra = offset_extra_new(from->committed_metadata, expire_ms);
    record_offset(groups, c->write, c->group, topic->name, &offset);
    if (c->is_txn)
        offsets_put_pending(groups, c->group, topic->name, &offset, c->producer_id, c->write->seq, false);
    else
        mem_free(offset.extra);
}

static bool topic_of(struct groups *groups, bool by_id, const struct kafka_offset_commit_request_topic *from,
                     struct groups_topic *topic)
{
    return by_id ? groups->slots.topic_by_id(groups->arg, &from->topic_id, topic)
                 : groups->slots.topic_by_name(groups->arg, from->name, topic);
}

/* The response with an error for each partition that cannot be committed, whoever asks. Returns how many can. */
static uint32_t commit_sort(struct groups *groups, struct commit *c,
                            const struct kafka_offset_commit_request_topic *topics, uint32_t count,
                            struct kafka_offset_commit_response_topic *out)
{
    uint32_t good = 0;
    for (uint32_t i = 0; i < count; i++) {
        const struct kafka_offset_commit_request_topic *from = &topics[i];
        struct groups_topic topic;
        bool is_known = topic_of(groups, c->by_id, from, &topic);
        out[i].name = from->name;
        out[i].topic_id = from->topic_id;
        out[i].partitions_count = from->partitions_count;
        out[i].partitions = arena_zalloc(&c->write->arena,
                                         mem_product(from->partitions_count, sizeof *out[i].partitions));
        for (uint32_t k = 0; k < from->partitions_count; k++) {
            out[i].partitions[k].partition_index = from->partitions[k].partition_index;
            out[i].partitions[k].error_code = partition_error(groups, is_known, &topic, c->by_id,
                                                              &from->partitions[k]);
            good += out[i].partitions[k].error_code == KAFKA_ERR_NONE;
        }
    }
    return good;
}

/* The epoch at which each partition was assigned, where the member's is not the current one. */
static int16_t commit_check_partitions(struct groups *groups, struct commit *c,
                                       const struct kafka_offset_commit_request_topic *topics, uint32_t count,
                                       const struct kafka_offset_commit_response_topic *out)
{
    if (c->by_partition == NULL)
        return KAFKA_ERR_NONE;
    for (uint32_t i = 0; i < count; i++) {
        struct groups_topic topic;
        if (!topic_of(groups, c->by_id, &topics[i], &topic))
            continue;
        for (uint32_t k = 0; k < out[i].partitions_count; k++) {
            if (out[i].partitions[k].error_code)
                continue;
            int16_t error = consumer_may_commit_partition(c->group->consumer, c->by_partition, &topic.id,
                                                          out[i].partitions[k].partition_index,
                                                          c->generation);
            if (error)
                return c->is_txn ? KAFKA_ERR_ILLEGAL_GENERATION : error;
        }
    }
    return KAFKA_ERR_NONE;
}

/* topics → out[count], zeroed. The write holds what can be committed. */
static void commit_topics(struct groups *groups, struct commit *c,
                          const struct kafka_offset_commit_request_topic *topics, uint32_t count,
                          struct kafka_offset_commit_response_topic *out)
{
    if (commit_sort(groups, c, topics, count, out) == 0)
        return;
    int16_t error = commit_check(groups, c);
    if (error == KAFKA_ERR_NONE)
        error = commit_check_partitions(groups, c, topics, count, out);
    for (uint32_t i = 0; i < count; i++) {
        struct groups_topic topic;
        if (!topic_of(groups, c->by_id, &topics[i], &topic))
            continue;
        for (uint32_t k = 0; k < out[i].partitions_count; k++) {
            if (out[i].partitions[k].error_code)
                continue;
            out[i].partitions[k].error_code = error;
            if (error == KAFKA_ERR_NONE)
                commit_one(groups, c, &topic, &topics[i].partitions[k]);
        }
    }
    if (error == KAFKA_ERR_NONE)
        write_concerns(c->write, c->group);
    else if (c->group)
        group_settle(groups, c->group);
}

void offsets_commit(struct groups *groups, struct groups_call *call)
{
    const struct kafka_offset_commit_request *request = call->request;
    struct commit c = {
        .call = call,
        .write = write_new(groups, WRITE_OFFSETS),
        .group_id = request->group_id,
        .member_id = request->member_id,
        .instance = request->group_instance_id,
        .generation = request->generation_id_or_member_epoch,
        .retention_ms = request->retention_time_ms,
        .by_id = call->version >= 10,
    };
    struct kafka_offset_commit_response *response = KAFKA_NEW(&c.write->arena, kafka_offset_commit_response,
                                                              1);
    response->topics_count = request->topics_count;
    response->topics = arena_zalloc(&c.write->arena,
                                    mem_product(request->topics_count, sizeof *response->topics));
    commit_topics(groups, &c, request->topics, request->topics_count, response->topics);
    write_begin(groups, c.write, call, response);
}

/* The two kinds of commit have the same fields in the same order, of different types. */
_Static_assert(sizeof(struct kafka_txn_offset_commit_request_topic) ==
                       sizeof(struct kafka_offset_commit_request_topic) &&
                   sizeof(struct kafka_txn_offset_commit_request_partition) ==
                       sizeof(struct kafka_offset_commit_request_partition) &&
                   sizeof(struct kafka_txn_offset_commit_response_topic) ==
                       sizeof(struct kafka_offset_commit_response_topic) &&
                   offsetof(struct kafka_txn_offset_commit_request_topic, partitions) ==
                       offsetof(struct kafka_offset_commit_request_topic, partitions) &&
                   offsetof(struct kafka_txn_offset_commit_request_partition, committed_metadata) ==
                       offsetof(struct kafka_offset_commit_request_partition, committed_metadata) &&
                   offsetof(struct kafka_txn_offset_commit_response_topic, partitions) ==
                       offsetof(struct kafka_offset_commit_response_topic, partitions),
               "a transaction's commit is read as a commit");

void offsets_commit_txn(struct groups *groups, struct groups_call *call)
{
    const struct kafka_txn_offset_commit_request *request = call->request;
    if (request->group_id.n == 0) {
        groups_reply_error(groups, call, KAFKA_ERR_INVALID_GROUP_ID);
        return;
    }
    struct commit c = {
        .call = call,
        .write = write_new(groups, WRITE_OFFSETS),
        .group_id = request->group_id,
        .member_id = request->member_id,
        .instance = request->group_instance_id,
        .generation = request->generation_id_or_member_epoch,
        .retention_ms = -1,
        .is_txn = true,
        .by_id = call->version >= 6,
        .producer_id = request->producer_id,
    };
    c.write->producer_id = request->producer_id;
    c.write->producer_epoch = request->producer_epoch;
    struct kafka_txn_offset_commit_response *response = KAFKA_NEW(&c.write->arena,
                                                                  kafka_txn_offset_commit_response, 1);
    response->topics_count = request->topics_count;
    response->topics = arena_zalloc(&c.write->arena,
                                    mem_product(request->topics_count, sizeof *response->topics));
    commit_topics(groups, &c, (const struct kafka_offset_commit_request_topic *)request->topics,
                  request->topics_count, (struct kafka_offset_commit_response_topic *)response->topics);
    write_begin(groups, c.write, call, response);
}

/* ---- fetch ---------------------------------------------------------------------------------------------------- */

static void fetch_partition(const struct offset_topic *topic, int32_t partition,
                            const struct kafka_uuid *topic_id, bool stable,
                            struct kafka_offset_fetch_response_group_partition *out)
{
    *out = (struct kafka_offset_fetch_response_group_partition){.partition_index = partition,
                                                                .committed_offset = -1,
                                                                .committed_leader_epoch = -1,
                                                                .metadata = STR("")};
    if (stable && offsets_is_pending(topic, partition)) {
        out->error_code = KAFKA_ERR_UNSTABLE_OFFSET_COMMIT;
        return;
    }
    const struct offset *offset = offsets_get(topic, partition);
    if (offset == NULL || (!uuid_is_zero(topic_id) && !uuid_is_zero(&offset->topic_id) &&
                           !uuid_eq(topic_id, &offset->topic_id)))
        return; /* the second: of a topic of that name that is no more */
    out->committed_offset = offset->offset;
    out->committed_leader_epoch = offset->leader_epoch;
    if (offset->extra)
        out->metadata = str_n(offset->extra->metadata, offset->extra->size);
}

static void fetch_topic(struct groups *groups, const struct groups_call *call, const struct group *group,
                        bool stable, const struct kafka_offset_fetch_request_group_topic *from,
                        struct kafka_offset_fetch_response_group_topic *out)
{
    struct groups_topic known = {.name = from->name};
    bool by_id = call->version >= 10;
    bool is_known = by_id ? groups->slots.topic_by_id(groups->arg, &from->topic_id, &known)
                          : groups->slots.topic_by_name(groups->arg, from->name, &known);
    bool is_unknown = by_id && !is_known;
    const struct offset_topic *topic = group && !is_unknown ? offsets_topic(group, known.name) : NULL;
    out->name = from->name;
    out->topic_id = from->topic_id;
    out->partitions_count = from->partition_indexes_count;
    out->partitions = arena_zalloc(&groups->out, mem_product(out->partitions_count, sizeof *out->partitions));
    for (uint32_t k = 0; k < out->partitions_count; k++) {
        fetch_partition(topic, from->partition_indexes[k], &known.id, stable, &out->partitions[k]);
        if (is_unknown)
            out->partitions[k].error_code = KAFKA_ERR_UNKNOWN_TOPIC_ID;
    }
}

/* All that the group has. */
static void fetch_all(struct groups *groups, const struct groups_call *call, const struct group *group,
                      bool stable, struct kafka_offset_fetch_response_group *out)
{
    if (group == NULL)
        return;
    out->topics = arena_zalloc(&groups->out, mem_product(group->topics_count, sizeof *out->topics));
    for (uint32_t i = 0; i < group->topics_count; i++) {
        const struct offset_topic *topic = group->topics[i];
        struct groups_topic known = {0};
        if (topic->count == 0 ||
            (call->version >= 10 && !groups->slots.topic_by_name(groups->arg, topic->name, &known)))
            continue; /* the second: it has no id any more */
        struct kafka_offset_fetch_response_group_topic *to = &out->topics[out->topics_count++];
        to->name = topic->name;
        to->topic_id = known.id;
        to->partitions_count = topic->count;
        to->partitions = arena_zalloc(&groups->out, mem_product(topic->count, sizeof *to->partitions));
        for (uint32_t k = 0; k < topic->count; k++)
            fetch_partition(topic, topic->offsets[k].partition, &(struct kafka_uuid){{0}}, stable,
                            &to->partitions[k]);
    }
}

static void fetch_group(struct groups *groups, const struct groups_call *call,
                        const struct kafka_offset_fetch_request_group *from, bool stable,
                        struct kafka_offset_fetch_response_group *out)
{
    const struct group *group = group_find(groups, from->group_id);
    *out = (struct kafka_offset_fetch_response_group){.group_id = from->group_id};
    if (group && group->consumer)
        out->error_code = consumer_may_fetch(group->consumer, from->member_id, from->member_epoch);
    if (out->error_code)
        return;
    if (from->topics == NULL) {
        fetch_all(groups, call, group, stable, out);
        return;
    }
    out->topics_count = from->topics_count;
    out->topics = arena_zalloc(&groups->out, mem_product(from->topics_count, sizeof *out->topics));
    for (uint32_t i = 0; i < from->topics_count; i++)
        fetch_topic(groups, call, group, stable, &from->topics[i], &out->topics[i]);
}

/* A fetch of stable offsets sees what was being committed when it came. */
static bool fetch_waits(struct groups *groups, struct groups_call *call,
                        const struct kafka_offset_fetch_request *request)
{
    if (!request->require_stable)
        return false;
    uint64_t token = 0;
    for (uint32_t i = 0; i < request->groups_count || (i == 0 && call->version < 8); i++) {
        const struct group *group = group_find(groups, call->version < 8 ? request->group_id
                                                                         : request->groups[i].group_id);
        if (group && group->commit_token > token)
            token = group->commit_token;
    }
    return call_waits_for(groups, call, token);
}

/* Up to version 7 a request is about one group, and topics have a struct of their own. */
static void fetch_one(struct groups *groups, struct groups_call *call,
                      const struct kafka_offset_fetch_request *request,
                      struct kafka_offset_fetch_response *response)
{
    struct kafka_offset_fetch_request_group from = {.group_id = request->group_id, .member_epoch = -1};
    from.topics_count = request->topics_count;
    if (request->topics)
        from.topics = arena_zalloc(&groups->out, mem_product(request->topics_count, sizeof *from.topics));
    for (uint32_t i = 0; i < request->topics_count; i++)
        from.topics[i] = (struct kafka_offset_fetch_request_group_topic){
            .name = request->topics[i].name,
            .partition_indexes = request->topics[i].partition_indexes,
            .partition_indexes_count = request->topics[i].partition_indexes_count,
        };
    struct kafka_offset_fetch_response_group got;
    fetch_group(groups, call, &from, request->require_stable, &got);
    response->error_code = got.error_code;
    response->topics_count = got.topics_count;
    response->topics = arena_zalloc(&groups->out, mem_product(got.topics_count, sizeof *response->topics));
    for (uint32_t i = 0; i < got.topics_count; i++) {
        uint32_t count = got.topics[i].partitions_count;
        response->topics[i].name = got.topics[i].name;
        response->topics[i].partitions_count = count;
        response->topics[i].partitions = arena_zalloc(
            &groups->out, mem_product(count, sizeof *response->topics[i].partitions));
        for (uint32_t k = 0; k < count; k++) {
            const struct kafka_offset_fetch_response_group_partition *p = &got.topics[i].partitions[k];
            response->topics[i].partitions[k] = (struct kafka_offset_fetch_response_partition){
                .partition_index = p->partition_index,
                .committed_offset = p->committed_offset,
                .committed_leader_epoch = p->committed_leader_epoch,
                .metadata = p->metadata,
                .error_code = p->error_code,
            };
        }
    }
}

void offsets_fetch(struct groups *groups, struct groups_call *call)
{
    const struct kafka_offset_fetch_request *request = call->request;
    if (fetch_waits(groups, call, request))
        return;
    struct kafka_offset_fetch_response *response = KAFKA_NEW(&groups->out, kafka_offset_fetch_response, 1);
    if (call->version < 8) {
        fetch_one(groups, call, request, response);
        if (call->version < 2 && response->error_code) {
            groups_reply_error(groups, call, response->error_code);
            return;
        }
    } else {
        response->groups_count = request->groups_count;
        response->groups = arena_zalloc(&groups->out,
                                        mem_product(request->groups_count, sizeof *response->groups));
        for (uint32_t i = 0; i < request->groups_count; i++)
            fetch_group(groups, call, &request->groups[i], request->require_stable, &response->groups[i]);
    }
    groups_reply(groups, call, response);
}

/* ---- delete --------------------------------------------------------------------------------------------------- */

static bool group_subscribed(const struct group *group, struct str topic)
{
    bool is_known;
    return group->consumer ? consumer_subscribed(group->consumer, topic)
                           : group->classic && classic_subscribed(group->classic, topic, &is_known);
}

static void delete_topic(struct groups *groups, struct write *write, struct group *group,
                         const struct kafka_offset_delete_request_topic *from,
                         struct kafka_offset_delete_response_topic *out)
{
    struct groups_topic known;
    bool is_known = groups->slots.topic_by_name(groups->arg, from->name, &known);
    bool is_subscribed = group_subscribed(group, from->name);
    const struct offset_topic *topic = offsets_topic(group, from->name);
    out->name = from->name;
    out->partitions_count = from->partitions_count;
    out->partitions = arena_zalloc(&write->arena,
                                   mem_product(out->partitions_count, sizeof *out->partitions));
    for (uint32_t k = 0; k < from->partitions_count; k++) {
        int32_t partition = from->partitions[k].partition_index;
        out->partitions[k].partition_index = partition;
        if (!is_known || partition < 0 || partition >= known.partitions)
            out->partitions[k].error_code = KAFKA_ERR_UNKNOWN_TOPIC_OR_PARTITION;
        else if (is_subscribed)
            out->partitions[k].error_code = KAFKA_ERR_GROUP_SUBSCRIBED_TO_TOPIC;
        else if (offsets_get(topic, partition) || offsets_is_pending(topic, partition))
            record_offset_gone(groups, write, group, from->name, partition);
    }
}

void offsets_delete(struct groups *groups, struct groups_call *call)
{
    const struct kafka_offset_delete_request *request = call->request;
    struct group *group = group_find(groups, request->group_id);
    int16_t error = KAFKA_ERR_NONE;
    if (request->group_id.n == 0)
        error = KAFKA_ERR_INVALID_GROUP_ID;
    else if (group == NULL)
        error = KAFKA_ERR_GROUP_ID_NOT_FOUND;
    else if (group->classic && group->classic->state != CLASSIC_EMPTY && !classic_is_consumer(group->classic))
        error = KAFKA_ERR_NON_EMPTY_GROUP;
    if (error) {
        groups_reply_error(groups, call, error);
        return;
    }
    if (call_waits_for(groups, call, group->commit_token)) /* what was committed before is deleted, too */
        return;
    struct write *write = write_new(groups, WRITE_OFFSETS);
    write_concerns(write, group);
    struct kafka_offset_delete_response *response = KAFKA_NEW(&write->arena, kafka_offset_delete_response, 1);
    response->topics_count = request->topics_count;
    response->topics = arena_zalloc(&write->arena,
                                    mem_product(request->topics_count, sizeof *response->topics));
    for (uint32_t i = 0; i < request->topics_count; i++)
        delete_topic(groups, write, group, &request->topics[i], &response->topics[i]);
    write_begin(groups, write, call, response);
}

void offsets_remove_all(struct groups *groups, struct write *write, struct group *group)
{
    for (uint32_t i = 0; i < group->topics_count; i++) {
        const struct offset_topic *topic = group->topics[i];
        for (uint32_t k = 0; k < topic->count; k++)
            record_offset_gone(groups, write, group, topic->name, topic->offsets[k].partition);
        for (const struct pending *p = topic->pendings; p; p = p->next)
            if (offsets_get(topic, p->offset.partition) == NULL)
                record_offset_gone(groups, write, group, topic->name, p->offset.partition);
    }
}

/* ---- what ends by itself -------------------------------------------------------------------------------------- */

/* Since when an offset counts as unused; INT64_MAX: it is in use. */
static int64_t unused_since(const struct group *group, const struct offset *offset)
{
    const struct classic *classic = group->classic;
    if (classic == NULL || classic->protocol_type.p == NULL)
        return offset->commit_ms;
    if (classic->state == CLASSIC_EMPTY)
        return classic->state_ms >= 0 ? classic->state_ms : offset->commit_ms;
    bool is_known = false;
    if (classic_is_consumer(classic) && classic->state == CLASSIC_STABLE)
        classic_subscribed(classic, STR(""), &is_known);
    return is_known ? offset->commit_ms : INT64_MAX;
}

bool offsets_expire(struct groups *groups, struct write *write, struct group *group)
{
    int64_t now_ms = groups->now.wall.us / US_PER_MS;
    bool is_all = group->pendings == 0;
    for (uint32_t i = 0; i < group->topics_count; i++) {
        const struct offset_topic *topic = group->topics[i];
        bool is_subscribed = group_subscribed(group, topic->name);
        for (uint32_t k = 0; k < topic->count; k++) {
            const struct offset *offset = &topic->offsets[k];
            int64_t since = unused_since(group, offset);
            bool has_ended = offset->extra && offset->extra->expire_ms >= 0
                                 ? now_ms >= offset->extra->expire_ms
                                 : since != INT64_MAX &&
                                       now_ms - since >= groups->config.offsets_retention_ms;
            if (is_subscribed || since == INT64_MAX || !has_ended ||
                offsets_is_pending(topic, offset->partition))
                is_all = false;
            else
                record_offset_gone(groups, write, group, topic->name, offset->partition);
        }
    }
    return is_all;
}

void offsets_topic_deleted(struct groups *groups, struct str name, const struct kafka_uuid *id)
{
    struct write *write = write_new(groups, WRITE_OFFSETS);
    TABLE_EACH(entry, &groups->by_name)
    {
        struct group *group = (struct group *)entry;
        const struct offset_topic *topic = offsets_topic(group, name);
        size_t before = write->records_count;
        for (uint32_t k = 0; topic && k < topic->count; k++)
            if (uuid_is_zero(&topic->offsets[k].topic_id) || uuid_eq(&topic->offsets[k].topic_id, id))
                record_offset_gone(groups, write, group, name, topic->offsets[k].partition);
        for (const struct pending *p = topic ? topic->pendings : NULL; p; p = p->next)
            if (offsets_get(topic, p->offset.partition) == NULL)
                record_offset_gone(groups, write, group, name, p->offset.partition);
        if (write->records_count > before)
            write_concerns(write, group);
        if (write->records_count >= TOPIC_DELETED_RECORDS) {
            write_begin(groups, write, NULL, NULL);
            write = write_new(groups, WRITE_OFFSETS);
        }
    }
    write_begin(groups, write, NULL, NULL);
}

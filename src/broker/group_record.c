/* The records of __consumer_offsets: made from state, and applied to it.
 *
 * Kinds (the first two bytes of a key) and what one says:
 *
 *     1  OffsetCommit                           group, topic, partition → offset, metadata
 *     2  GroupMetadata                          a classic group: its generation with all members and their assignments
 *     3  ConsumerGroupMetadata                  a consumer group: epoch, hash of its topics
 *     4  ConsumerGroupPartitionMetadata         Kafka 4.0's; read, and removed with the next change
 *     5  ConsumerGroupMemberMetadata            a member: what it subscribes to, and who it is
 *     6  ConsumerGroupTargetAssignmentMetadata  epoch of the target assignment
 *     7  ConsumerGroupTargetAssignmentMember    what a member shall have
 *     8  ConsumerGroupCurrentMemberAssignment   what a member has: epochs, state, partitions
 *    16  ConsumerGroupRegularExpression         what an expression was resolved to
 *
 * A record without value removes. A classic group's record is applied while loading only: alive, the group made the
 * record from what it is, and it has parked calls that no record knows. All others are the only way in which state changes.
 *
 * While loading, records of a member may come in any order that compaction leaves; who owns what is made of the members'
 * records at the end (consumer_loaded). */
#include "broker/groups_private.h"

#define OFFSETS_TOPIC STR("__consumer_offsets")

enum {
    OFFSET_VERSION = 4, /* 1 where the offset has a time of its own at which it ends */
    OFFSET_VERSION_EXPIRES = 1,
    CLASSIC_VERSION = 3,
};

/* ---- making --------------------------------------------------------------------------------------------------- */

static struct str keep_encoded(struct groups *groups, struct write *write, size_t from)
{
    const struct sbuf *bytes = &groups->encoded.bytes;
    return str_n(arena_dup(&write->arena, bytes->p + from, bytes->n - from), bytes->n - from);
}

/* type, version: of the value; value NULL: a tombstone. What is encoded comes from requests, whose strings were within the limits of
 * the protocol, and from here. */
static void add(struct groups *groups, struct write *write, int32_t partition, int kind, const void *key,
                const struct kafka_type *type, int version, const void *value)
{
    const struct kafka_record *record = kafka_record_of(OFFSETS_TOPIC, kind);
    CHECK(record);
    kafka_out_clear(&groups->encoded);
    CHECK(kafka_record_key_encode(record, key, &groups->encoded, NULL));
    write->records = mem_grow(write->records, &write->records_capacity, write->records_count + 1,
                              sizeof *write->records);
    struct groups_record *added = &write->records[write->records_count++];
    *added = (struct groups_record){.partition = partition, .key = keep_encoded(groups, write, 0)};
    if (value == NULL)
        return;
    kafka_out_clear(&groups->encoded);
    CHECK(kafka_versioned_encode(type, version, value, &groups->encoded, NULL));
    added->value = keep_encoded(groups, write, 0);
}

/* A string that must not be null on the wire. */
static struct str or_empty(struct str s)
{
    return s.p ? s : STR("");
}

void record_offset(struct groups *groups, struct write *write, const struct group *group, struct str topic,
                   const struct offset *offset)
{
    struct kafka_offset_commit_key key = {
        .group = group->name.key, .topic = topic, .partition = offset->partition};
    struct kafka_offset_commit_value value = {
        .offset = offset->offset,
        .leader_epoch = offset->leader_epoch,
        .metadata = STR(""),
        .commit_timestamp = offset->commit_ms,
        .expire_timestamp = -1,
        .topic_id = offset->topic_id,
    };
    int version = OFFSET_VERSION;
    if (offset->extra) {
        value.metadata = str_n(offset->extra->metadata, offset->extra->size);
        value.expire_timestamp = offset->extra->expire_ms;
        if (value.expire_timestamp >= 0)
            version = OFFSET_VERSION_EXPIRES;
    }
    add(groups, write, group->partition, KEY_OFFSET, &key, &kafka_offset_commit_value, version, &value);
}

void record_offset_gone(struct groups *groups, struct write *write, const struct group *group,
                        struct str topic, int32_t partition)
{
    struct kafka_offset_commit_key key = {.group = group->name.key, .topic = topic, .partition = partition};
    add(groups, write, group->partition, KEY_OFFSET, &key, NULL, 0, NULL);
}

static struct str assignment_of(const struct classic_member *member, const struct assignment *assignments,
                                uint32_t count)
{
    if (assignments == NULL)
        return or_empty(member->assignment);
    for (uint32_t i = count; i-- > 0;) /* the last one of an id counts */
        if (str_eq(assignments[i].member_id, member->id.key))
            return or_empty(assignments[i].bytes);
    return STR("");
}

void record_classic(struct groups *groups, struct write *write, const struct group *group,
                    const struct assignment *assignments, uint32_t assignments_count)
{
    const struct classic *classic = group->classic;
    struct kafka_group_metadata_key key = {.group = group->name.key};
    struct kafka_group_metadata_value value = {
        .protocol_type = or_empty(classic->protocol_type),
        .generation = classic->generation,
        .protocol = classic->protocol,
        .leader = classic->leader ? classic->leader->id.key : (struct str){0},
        .current_state_timestamp = classic->state_ms,
        .members = arena_zarray(&write->arena, struct kafka_group_metadata_value_member,
                                classic->by_id.count),
    };
    LIST_EACH(link, &classic->members)
    {
        const struct classic_member *member = CONTAINER_OF(link, struct classic_member, link);
        value.members[value.members_count++] = (struct kafka_group_metadata_value_member){
            .member_id = member->id.key,
            .group_instance_id = member->instance,
            .client_id = or_empty(member->client_id),
            .client_host = or_empty(member->client_host),
            .rebalance_timeout = member->rebalance_ms,
            .session_timeout = member->session_ms,
            .subscription = classic_metadata(member, classic->protocol),
            .assignment = assignment_of(member, assignments, assignments_count),
        };
    }
    add(groups, write, group->partition, KEY_CLASSIC, &key, &kafka_group_metadata_value, CLASSIC_VERSION,
        &value);
}

void record_classic_gone(struct groups *groups, struct write *write, const struct group *group)
{
    struct kafka_group_metadata_key key = {.group = group->name.key};
    add(groups, write, group->partition, KEY_CLASSIC, &key, NULL, 0, NULL);
}

void record_consumer(struct groups *groups, struct write *write, const struct group *group, int32_t epoch,
                     int64_t hash)
{
    struct kafka_consumer_group_metadata_key key = {.group_id = group->name.key};
    struct kafka_consumer_group_metadata_value value = {.epoch = epoch, .metadata_hash = hash};
    add(groups, write, group->partition, KEY_CONSUMER, &key, &kafka_consumer_group_metadata_value, 0, &value);
}

void record_partition_metadata_gone(struct groups *groups, struct write *write, const struct group *group)
{
    struct kafka_consumer_group_partition_metadata_key key = {.group_id = group->name.key};
    add(groups, write, group->partition, KEY_PARTITION_METADATA, &key, NULL, 0, NULL);
}

void record_member(struct groups *groups, struct write *write, const struct group *group,
                   const struct consumer_member *member)
{
    struct kafka_consumer_group_member_metadata_key key = {.group_id = group->name.key,
                                                           .member_id = member->id.key};
    struct kafka_consumer_group_member_metadata_value value = {
        .instance_id = member->instance,
        .rack_id = member->rack,
        .client_id = or_empty(member->client_id),
        .client_host = or_empty(member->client_host),
        .subscribed_topic_names = member->names,
        .subscribed_topic_names_count = member->names_count,
        .subscribed_topic_regex = member->regex,
        .rebalance_timeout_ms = member->rebalance_ms,
        .server_assignor = assignor_names[member->assignor],
    };
    add(groups, write, group->partition, KEY_MEMBER, &key, &kafka_consumer_group_member_metadata_value, 0,
        &value);
}

/* Partitions are sorted by topic: the next topic's end. */
static uint32_t topic_end(const struct parts *parts, uint32_t from)
{
    uint32_t end = from;
    while (end < parts->n && parts->p[end].topic == parts->p[from].topic)
        end++;
    return end;
}

static uint32_t topics_in(const struct parts *parts)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < parts->n; i = topic_end(parts, i))
        count++;
    return count;
}

static struct kafka_consumer_group_current_member_assignment_value_topic *current_topics(
    struct write *write, const struct consumer *consumer, const struct parts *parts, uint32_t *count)
{
    *count = topics_in(parts);
    struct kafka_consumer_group_current_member_assignment_value_topic *topics = arena_zalloc(
        &write->arena, mem_product(*count, sizeof *topics));
    for (uint32_t i = 0, t = 0; i < parts->n; t++) {
        uint32_t end = topic_end(parts, i);
        topics[t].topic_id = consumer->topics[parts->p[i].topic].id;
        topics[t].partitions = arena_array(&write->arena, int32_t, end - i);
        topics[t].assignment_epochs = arena_array(&write->arena, int32_t, end - i);
        for (; i < end; i++) {
            topics[t].partitions[topics[t].partitions_count++] = parts->p[i].partition;
            topics[t].assignment_epochs[topics[t].assignment_epochs_count++] = parts->p[i].epoch;
        }
    }
    return topics;
}

void record_current(struct groups *groups, struct write *write, const struct group *group,
                    const struct consumer *consumer, const struct consumer_member *member)
{
    struct kafka_consumer_group_current_member_assignment_key key = {.group_id = group->name.key,
                                                                     .member_id = member->id.key};
    struct kafka_consumer_group_current_member_assignment_value value = {
        .member_epoch = member->epoch,
        .previous_member_epoch = member->previous_epoch,
        .state = (int8_t)member->state,
    };
    value.assigned_partitions = current_topics(write, consumer, &member->assigned,
                                               &value.assigned_partitions_count);
    value.partitions_pending_revocation = current_topics(write, consumer, &member->revoking,
                                                         &value.partitions_pending_revocation_count);
    add(groups, write, group->partition, KEY_CURRENT, &key,
        &kafka_consumer_group_current_member_assignment_value, 0, &value);
}

void record_target(struct groups *groups, struct write *write, const struct group *group,
                   const struct consumer *consumer, struct str member_id, const struct parts *parts)
{
    struct kafka_consumer_group_target_assignment_member_key key = {.group_id = group->name.key,
                                                                    .member_id = member_id};
    struct kafka_consumer_group_target_assignment_member_value value = {
        .topic_partitions_count = topics_in(parts)};
    value.topic_partitions = arena_zalloc(
        &write->arena, mem_product(value.topic_partitions_count, sizeof *value.topic_partitions));
    for (uint32_t i = 0, t = 0; i < parts->n; t++) {
        uint32_t end = topic_end(parts, i);
        value.topic_partitions[t].topic_id = consumer->topics[parts->p[i].topic].id;
        int32_t *partitions = arena_array(&write->arena, int32_t, end - i);
        value.topic_partitions[t].partitions = partitions;
        while (i < end)
            partitions[value.topic_partitions[t].partitions_count++] = parts->p[i++].partition;
    }
    add(groups, write, group->partition, KEY_TARGET, &key,
        &kafka_consumer_group_target_assignment_member_value, 0, &value);
}

void record_target_epoch(struct groups *groups, struct write *write, const struct group *group, int32_t epoch,
                         int64_t time_ms)
{
    struct kafka_consumer_group_target_assignment_metadata_key key = {.group_id = group->name.key};
    struct kafka_consumer_group_target_assignment_metadata_value value = {.assignment_epoch = epoch,
                                                                          .assignment_timestamp = time_ms};
    add(groups, write, group->partition, KEY_TARGET_EPOCH, &key,
        &kafka_consumer_group_target_assignment_metadata_value, 0, &value);
}

void record_regex(struct groups *groups, struct write *write, const struct group *group,
                  const struct regex *regex)
{
    struct kafka_consumer_group_regular_expression_key key = {.group_id = group->name.key,
                                                              .regular_expression = regex->text};
    struct kafka_consumer_group_regular_expression_value value = {
        .topics = regex->topics,
        .topics_count = regex->topics_count,
        .version = regex->version,
        .timestamp = regex->time_ms,
    };
    add(groups, write, group->partition, KEY_REGEX, &key, &kafka_consumer_group_regular_expression_value, 0,
        &value);
}

void record_regex_gone(struct groups *groups, struct write *write, const struct group *group, struct str text)
{
    struct kafka_consumer_group_regular_expression_key key = {.group_id = group->name.key,
                                                              .regular_expression = text};
    add(groups, write, group->partition, KEY_REGEX, &key, NULL, 0, NULL);
}

static void current_gone(struct groups *groups, struct write *write, const struct group *group,
                         struct str member_id)
{
    struct kafka_consumer_group_current_member_assignment_key key = {.group_id = group->name.key,
                                                                     .member_id = member_id};
    add(groups, write, group->partition, KEY_CURRENT, &key, NULL, 0, NULL);
}

static void target_gone(struct groups *groups, struct write *write, const struct group *group,
                        struct str member_id)
{
    struct kafka_consumer_group_target_assignment_member_key key = {.group_id = group->name.key,
                                                                    .member_id = member_id};
    add(groups, write, group->partition, KEY_TARGET, &key, NULL, 0, NULL);
}

static void metadata_gone(struct groups *groups, struct write *write, const struct group *group,
                          struct str member_id)
{
    struct kafka_consumer_group_member_metadata_key key = {.group_id = group->name.key,
                                                           .member_id = member_id};
    add(groups, write, group->partition, KEY_MEMBER, &key, NULL, 0, NULL);
}

void record_member_gone(struct groups *groups, struct write *write, const struct group *group,
                        struct str member_id)
{
    current_gone(groups, write, group, member_id);
    target_gone(groups, write, group, member_id);
    metadata_gone(groups, write, group, member_id);
}

void record_consumer_gone(struct groups *groups, struct write *write, const struct group *group)
{
    const struct consumer *consumer = group->consumer;
    LIST_EACH(link, &consumer->members) /* Kafka's own order: its loader insists on it */
    current_gone(groups, write, group, CONTAINER_OF(link, struct consumer_member, link)->id.key);
    LIST_EACH(link, &consumer->members)
    target_gone(groups, write, group, CONTAINER_OF(link, struct consumer_member, link)->id.key);
    struct kafka_consumer_group_target_assignment_metadata_key target = {.group_id = group->name.key};
    add(groups, write, group->partition, KEY_TARGET_EPOCH, &target, NULL, 0, NULL);
    LIST_EACH(link, &consumer->members)
    metadata_gone(groups, write, group, CONTAINER_OF(link, struct consumer_member, link)->id.key);
    for (uint32_t i = 0; i < consumer->regexes_count; i++)
        record_regex_gone(groups, write, group, consumer->regexes[i].text);
    record_partition_metadata_gone(groups, write, group);
    struct kafka_consumer_group_metadata_key key = {.group_id = group->name.key};
    add(groups, write, group->partition, KEY_CONSUMER, &key, NULL, 0, NULL);
}

/* Records applied to state: while loading all of them, alive those that were confirmed. The one place where what is durable changes.
 * group_record.c says what the kinds are. */
#include "broker/groups_private.h"

static bool is_tombstone(struct str value)
{
    return value.p == NULL;
}

static bool is_partition(int32_t partition)
{
    return partition >= 0 && partition < PARTITIONS_MAX;
}

static int64_t believed_ms(int64_t ms)
{
    return ms < -1 ? -1 : ms > TIME_MAX ? TIME_MAX : ms;
}

static bool believe_epoch(int32_t epoch, struct err *err)
{
    return epoch <= EPOCH_MAX ||
           err_set(err, ERR_DATA, "an epoch or generation of %d is beyond what can be", epoch);
}

/* value → *out, of the type. The arena is groups->applying. */
static bool decode_value(struct groups *groups, const struct kafka_type *type, struct str value, int *version,
                         void *out, struct err *err)
{
    struct rd r = rd_of(value.p, value.n);
    return kafka_versioned_decode(type, &r, &groups->applying, version, out, err);
}

/* A group to apply to; NULL: there are too many, or it is of the other kind. */
static struct group *group_for(struct groups *groups, struct str name, struct err *err)
{
    struct group *group = group_get(groups, name);
    if (group == NULL)
        err_set(err, ERR_DATA, "there are %u groups already, so \"%.*s\" was left out",
                groups->config.groups_max, STR_ARG(name));
    return group;
}

/* ---- offsets and classic groups ------------------------------------------------------------------------------- */

static bool apply_offset(struct groups *groups, int64_t producer_id, uint64_t seq,
                         const struct kafka_offset_commit_key *key, struct str bytes, struct err *err)
{
    if (is_tombstone(bytes)) {
        struct group *group = group_find(groups, key->group);
        if (group) {
            offsets_remove(groups, group, key->topic, key->partition, seq);
            group_settle(groups, group);
        }
        return true;
    }
    struct kafka_offset_commit_value value;
    int version;
    TRY(decode_value(groups, &kafka_offset_commit_value, bytes, &version, &value, err));
    struct group *group = group_for(groups, key->group, err);
    if (group == NULL)
        return false;
    struct offset offset = {
        .offset = value.offset,
        .commit_ms = believed_ms(value.commit_timestamp),
        .topic_id = value.topic_id,
        .partition = key->partition,
        .leader_epoch = value.leader_epoch,
        .extra = offset_extra_new(value.metadata, believed_ms(value.expire_timestamp)),
    };
    if (producer_id >= 0)
        offsets_put_pending(groups, group, key->topic, &offset, producer_id, seq, true);
    else
        offsets_put(groups, group, key->topic, &offset, seq);
    return true;
}

static void load_classic_member(struct groups *groups, struct classic *classic,
                                const struct kafka_group_metadata_value *value,
                                const struct kafka_group_metadata_value_member *from)
{
    int32_t rebalance_ms = from->rebalance_timeout == -1 ? from->session_timeout : from->rebalance_timeout;
    struct classic_member *member = classic_member_new(from->member_id, from->group_instance_id,
                                                       from->client_id, from->client_host, rebalance_ms,
                                                       from->session_timeout);
    struct kafka_join_group_request_protocol protocol = {.name = value->protocol,
                                                         .metadata = from->subscription};
    classic_member_set_protocols(NULL, member, &protocol, 1);
    member->assignment = str_keep(from->assignment);
    classic_add(classic, member);
    if (str_eq(from->member_id, value->leader))
        classic->leader = member;
}

static bool apply_classic(struct groups *groups, const struct kafka_group_metadata_key *key, struct str bytes,
                          struct err *err)
{
    if (is_tombstone(bytes)) {
        struct group *group = group_find(groups, key->group);
        if (group == NULL)
            return true;
        classic_free(groups, group->classic);
        group->classic = NULL;
        group_settle(groups, group);
        return true;
    }
    if (!groups->is_loading)
        return true;
    struct kafka_group_metadata_value value;
    int version;
    TRY(decode_value(groups, &kafka_group_metadata_value, bytes, &version, &value, err));
    TRY(believe_epoch(value.generation, err));
    struct group *group = group_for(groups, key->group, err);
    if (group == NULL)
        return false;
    consumer_free(groups, group->consumer);
    group->consumer = NULL;
    classic_free(groups, group->classic);
    struct classic *classic = group->classic = classic_new();
    classic->generation = value.generation;
    classic->state_ms = believed_ms(value.current_state_timestamp);
    if (value.protocol_type.n)
        classic->protocol_type = str_keep(value.protocol_type);
    if (value.members_count == 0)
        return true;
    if (value.protocol.p == NULL || value.protocol_type.n == 0)
        return err_set(err, ERR_DATA, "group \"%.*s\" has members and no protocol", STR_ARG(key->group));
    classic->protocol = str_keep(value.protocol);
    classic->state = CLASSIC_STABLE;
    classic->previous = CLASSIC_COMPLETING;
    for (uint32_t i = 0; i < value.members_count; i++)
        if (classic_member_of(classic, value.members[i].member_id) == NULL)
            load_classic_member(groups, classic, &value, &value.members[i]);
    return true;
}

/* ---- consumer groups ------------------------------------------------------------------------------------------ */

/* The consumer group of that name; made if `make`. *found NULL and true: there is none. */
static bool consumer_for(struct groups *groups, struct str name, bool make, struct group **found,
                         struct err *err)
{
    *found = make ? group_for(groups, name, err) : group_find(groups, name);
    if (*found == NULL)
        return !make;
    if ((*found)->consumer)
        return true;
    if (!make) {
        *found = NULL;
        return true;
    }
    if (!classic_is_simple(*found))
        return err_set(err, ERR_DATA, "group \"%.*s\" is a classic one", STR_ARG(name));
    classic_free(groups, (*found)->classic);
    (*found)->classic = NULL;
    (*found)->consumer = consumer_new();
    return true;
}

static bool apply_consumer(struct groups *groups, const struct kafka_consumer_group_metadata_key *key,
                           struct str bytes, struct err *err)
{
    struct kafka_consumer_group_metadata_value value = {0};
    struct group *group;
    int version;
    if (!is_tombstone(bytes))
        TRY(decode_value(groups, &kafka_consumer_group_metadata_value, bytes, &version, &value, err));
    TRY(consumer_for(groups, key->group_id, !is_tombstone(bytes), &group, err));
    if (group == NULL)
        return true;
    if (is_tombstone(bytes)) {
        consumer_free(groups, group->consumer);
        group->consumer = NULL;
        group_settle(groups, group);
        return true;
    }
    TRY(believe_epoch(value.epoch, err));
    group->consumer->epoch = value.epoch;
    group->consumer->metadata_hash = value.metadata_hash;
    return true;
}

static bool apply_partition_metadata(struct groups *groups,
                                     const struct kafka_consumer_group_partition_metadata_key *key,
                                     struct str bytes, struct err *err)
{
    struct group *group;
    TRY(consumer_for(groups, key->group_id, !is_tombstone(bytes), &group, err));
    if (group)
        group->consumer->has_partition_metadata = !is_tombstone(bytes);
    return true;
}

static int compare_names(const void *a, const void *b)
{
    return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

static void set_member(struct consumer_member *member,
                       const struct kafka_consumer_group_member_metadata_value *value)
{
    struct consumer_member fresh = *member;
    fresh.instance = str_keep(value->instance_id);
    fresh.rack = str_keep(value->rack_id);
    fresh.client_id = str_keep(value->client_id);
    fresh.client_host = str_keep(value->client_host);
    fresh.regex = str_keep(value->subscribed_topic_regex);
    fresh.rebalance_ms = value->rebalance_timeout_ms;
    fresh.assignor = ASSIGNOR_NONE;
    for (enum assignor i = ASSIGNOR_NONE + 1; i < ASSIGNORS; i++)
        if (str_eq(value->server_assignor, assignor_names[i]))
            fresh.assignor = i;
    fresh.names = names_keep(value->subscribed_topic_names, value->subscribed_topic_names_count);
    fresh.names_count = value->subscribed_topic_names_count;
    qsort(fresh.names, fresh.names_count, sizeof *fresh.names, compare_names);
    fresh.has_metadata = true;
    str_drop(&member->instance);
    str_drop(&member->rack);
    str_drop(&member->client_id);
    str_drop(&member->client_host);
    str_drop(&member->regex);
    mem_free(member->names);
    *member = fresh;
}

static bool apply_member(struct groups *groups, const struct kafka_consumer_group_member_metadata_key *key,
                         struct str bytes, struct err *err)
{
    struct kafka_consumer_group_member_metadata_value value;
    struct group *group;
    int version;
    if (!is_tombstone(bytes))
        TRY(decode_value(groups, &kafka_consumer_group_member_metadata_value, bytes, &version, &value, err));
    TRY(consumer_for(groups, key->group_id, !is_tombstone(bytes), &group, err));
    if (group == NULL)
        return true;
    if (!is_tombstone(bytes)) {
        set_member(consumer_member_get(groups, group, key->member_id), &value);
        return true;
    }
    struct consumer_member *member = consumer_member_of(group->consumer, key->member_id);
    if (member)
        consumer_member_remove(groups, group->consumer, member);
    return true;
}

static bool apply_target_epoch(struct groups *groups,
                               const struct kafka_consumer_group_target_assignment_metadata_key *key,
                               struct str bytes, struct err *err)
{
    struct kafka_consumer_group_target_assignment_metadata_value value = {.assignment_epoch = 0};
    struct group *group;
    int version;
    if (!is_tombstone(bytes))
        TRY(decode_value(groups, &kafka_consumer_group_target_assignment_metadata_value, bytes, &version,
                         &value, err));
    TRY(consumer_for(groups, key->group_id, !is_tombstone(bytes), &group, err));
    if (group == NULL)
        return true;
    TRY(believe_epoch(value.assignment_epoch, err));
    group->consumer->assignment_epoch = value.assignment_epoch;
    group->consumer->assignment_ms = value.assignment_timestamp;
    return true;
}

static bool apply_target(struct groups *groups,
                         const struct kafka_consumer_group_target_assignment_member_key *key,
                         struct str bytes, struct err *err)
{
    struct kafka_consumer_group_target_assignment_member_value value = {0};
    struct group *group;
    int version;
    if (!is_tombstone(bytes))
        TRY(decode_value(groups, &kafka_consumer_group_target_assignment_member_value, bytes, &version,
                         &value, err));
    TRY(consumer_for(groups, key->group_id, !is_tombstone(bytes), &group, err));
    struct consumer_member *member = NULL;
    if (group)
        member = is_tombstone(bytes) ? consumer_member_of(group->consumer, key->member_id)
                                     : consumer_member_get(groups, group, key->member_id);
    if (member == NULL)
        return true;
    struct parts target = {0};
    for (uint32_t i = 0; i < value.topic_partitions_count; i++)
        target.n += value.topic_partitions[i].partitions_count;
    target.p = arena_array(&groups->applying, struct part, target.n);
    target.n = 0;
    for (uint32_t i = 0; i < value.topic_partitions_count; i++) {
        uint32_t topic = consumer_topic(group->consumer, &value.topic_partitions[i].topic_id);
        for (uint32_t k = 0; k < value.topic_partitions[i].partitions_count; k++)
            if (is_partition(value.topic_partitions[i].partitions[k]))
                target.p[target.n++] = (struct part){topic, value.topic_partitions[i].partitions[k], 0};
    }
    parts_sort(&target);
    parts_drop(&member->target);
    member->target = parts_keep(&target);
    return true;
}

static struct parts current_parts(
    struct groups *groups, struct consumer *consumer,
    const struct kafka_consumer_group_current_member_assignment_value_topic *topics, uint32_t count,
    int32_t epoch)
{
    struct parts parts = {0};
    for (uint32_t i = 0; i < count; i++)
        parts.n += topics[i].partitions_count;
    parts.p = arena_array(&groups->applying, struct part, parts.n);
    parts.n = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t topic = consumer_topic(consumer, &topics[i].topic_id);
        bool has_epochs = topics[i].assignment_epochs_count ==
                          topics[i].partitions_count; /* since Kafka 4.2 */
        for (uint32_t k = 0; k < topics[i].partitions_count; k++)
            if (is_partition(topics[i].partitions[k]))
                parts.p[parts.n++] = (struct part){topic, topics[i].partitions[k],
                                                   has_epochs ? topics[i].assignment_epochs[k] : epoch};
    }
    parts_sort(&parts);
    return parts;
}

static bool apply_current(struct groups *groups,
                          const struct kafka_consumer_group_current_member_assignment_key *key,
                          struct str bytes, struct err *err)
{
    struct kafka_consumer_group_current_member_assignment_value value = {
        .member_epoch = MEMBER_LEFT, .previous_member_epoch = MEMBER_LEFT};
    struct group *group;
    int version;
    if (!is_tombstone(bytes))
        TRY(decode_value(groups, &kafka_consumer_group_current_member_assignment_value, bytes, &version,
                         &value, err));
    TRY(consumer_for(groups, key->group_id, !is_tombstone(bytes), &group, err));
    struct consumer_member *member = NULL;
    if (group)
        member = is_tombstone(bytes) ? consumer_member_of(group->consumer, key->member_id)
                                     : consumer_member_get(groups, group, key->member_id);
    if (member == NULL)
        return true;
    struct consumer *consumer = group->consumer;
    TRY(believe_epoch(value.member_epoch, err));
    struct parts assigned = current_parts(groups, consumer, value.assigned_partitions,
                                          value.assigned_partitions_count, value.member_epoch);
    struct parts revoking = current_parts(groups, consumer, value.partitions_pending_revocation,
                                          value.partitions_pending_revocation_count, value.member_epoch);
    member->epoch = value.member_epoch;
    member->previous_epoch = value.previous_member_epoch;
    /* Kafka fences a member in a state that it does not know; we look at its partitions anew, which is as safe. */
    member->state = value.state == MEMBER_UNREVOKED || value.state == MEMBER_STABLE
                        ? (enum member_state)value.state
                        : MEMBER_UNRELEASED;
    consumer_member_own(groups, consumer, member, &assigned, &revoking);
    member->revoke_ms = TIME_NONE;
    if (member->state == MEMBER_UNREVOKED && !groups->is_loading) {
        member->revoke_ms = groups->now_ms + member->rebalance_ms;
        group_deadline(groups, group, member->revoke_ms);
    }
    return true;
}

static bool apply_regex(struct groups *groups, const struct kafka_consumer_group_regular_expression_key *key,
                        struct str bytes, struct err *err)
{
    struct kafka_consumer_group_regular_expression_value value = {0};
    struct group *group;
    int version;
    if (!is_tombstone(bytes))
        TRY(decode_value(groups, &kafka_consumer_group_regular_expression_value, bytes, &version, &value,
                         err));
    TRY(consumer_for(groups, key->group_id, !is_tombstone(bytes), &group, err));
    if (group == NULL)
        return true;
    if (is_tombstone(bytes)) {
        consumer_regex_remove(group->consumer, key->regular_expression);
        return true;
    }
    struct regex regex = {.text = key->regular_expression,
                          .topics = value.topics,
                          .topics_count = value.topics_count,
                          .version = value.version,
                          .time_ms = value.timestamp};
    qsort(regex.topics, regex.topics_count, sizeof *regex.topics, compare_names);
    consumer_regex_set(group->consumer, &regex);
    return true;
}

/* ---- any ------------------------------------------------------------------------------------------------------ */

static bool apply(struct groups *groups, int64_t producer_id, uint64_t seq, struct str key_bytes,
                  struct str value, struct err *err)
{
    union kafka_record_key key;
    const struct kafka_record *record;
    struct rd r = rd_of(key_bytes.p, key_bytes.n);
    TRY(kafka_record_key_decode(STR("__consumer_offsets"), &r, &groups->applying, &record, &key, err));
    if (record == NULL)
        return true;
    const void *k = &key;
    switch (record->type) {
    case KEY_OFFSET: return apply_offset(groups, producer_id, seq, k, value, err);
    case KEY_CLASSIC: return apply_classic(groups, k, value, err);
    case KEY_CONSUMER: return apply_consumer(groups, k, value, err);
    case KEY_PARTITION_METADATA: return apply_partition_metadata(groups, k, value, err);
    case KEY_MEMBER: return apply_member(groups, k, value, err);
    case KEY_TARGET_EPOCH: return apply_target_epoch(groups, k, value, err);
    case KEY_TARGET: return apply_target(groups, k, value, err);
    case KEY_CURRENT: return apply_current(groups, k, value, err);
    case KEY_REGEX: return apply_regex(groups, k, value, err);
    default: return true; /* share and streams groups */
    }
}

bool record_apply(struct groups *groups, int64_t producer_id, uint64_t seq, struct str key, struct str value,
                  struct err *err)
{
    bool ok = apply(groups, producer_id, seq, key, value, err);
    arena_rest(&groups->applying);
    return ok;
}

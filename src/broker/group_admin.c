/* Looking at groups, and deleting them: ListGroups, DescribeGroups, ConsumerGroupDescribe, DeleteGroups. */
#include "broker/groups_private.h"

/* ---- ListGroups ----------------------------------------------------------------------------------------------- */

static const char *state_name(const struct group *group)
{
    if (group->consumer)
        return consumer_state_names[consumer_state(group->consumer)];
    return classic_state_names[group->classic ? group->classic->state : CLASSIC_EMPTY];
}

/* Is it in the filter? An empty one holds everything. */
static bool is_in(const struct str *filter, uint32_t count, const char *value)
{
    for (uint32_t i = 0; i < count; i++)
        if (str_eq_nocase(str_trim(filter[i]), str_of(value)))
            return true;
    return count == 0;
}

void groups_list(struct groups *groups, struct groups_call *call)
{
    const struct kafka_list_groups_request *request = call->request;
    struct kafka_list_groups_response *response = KAFKA_NEW(&groups->out, kafka_list_groups_response, 1);
    response->groups = arena_zalloc(&groups->out,
                                    mem_product(groups->by_name.count, sizeof *response->groups));
    TABLE_EACH(entry, &groups->by_name)
    {
        const struct group *group = (const struct group *)entry;
        const char *type = group->consumer ? "consumer" : "classic";
        if (!is_in(request->states_filter, request->states_filter_count, state_name(group)) ||
            !is_in(request->types_filter, request->types_filter_count, type))
            continue;
        response->groups[response->groups_count++] = (struct kafka_list_groups_response_group){
            .group_id = group->name.key,
            .protocol_type = group->consumer  ? STR("consumer")
                             : group->classic ? group->classic->protocol_type
                                              : STR(""),
            .group_state = str_of(state_name(group)),
            .group_type = str_of(type),
        };
    }
    groups_reply(groups, call, response);
}

/* ---- DescribeGroups ------------------------------------------------------------------------------------------- */

/* Kafka's own words. wanted: "classic" or "consumer". */
static struct str not_found(struct groups *groups, const struct group *group, struct str group_id,
                            const char *wanted)
{
    const char *text = group ? arena_printf(&groups->out, "Group %.*s is not a %s group.", STR_ARG(group_id),
                                            wanted)
                             : arena_printf(&groups->out, "Group %.*s not found.", STR_ARG(group_id));
    return message_cut(str_of(text));
}

static void describe_classic(struct groups *groups, const struct classic *classic,
                             struct kafka_describe_groups_response_group *out)
{
    bool is_stable = classic->state == CLASSIC_STABLE;
    out->group_state = str_of(classic_state_names[classic->state]);
    out->protocol_type = classic->protocol_type;
    out->protocol_data = is_stable ? classic->protocol : STR("");
    out->members = arena_zalloc(&groups->out, mem_product(classic->by_id.count, sizeof *out->members));
    LIST_EACH(link, &classic->members)
    {
        const struct classic_member *member = CONTAINER_OF(link, struct classic_member, link);
        out->members[out->members_count++] = (struct kafka_describe_groups_response_member){
            .member_id = member->id.key,
            .group_instance_id = member->instance,
            .client_id = member->client_id,
            .client_host = member->client_host,
            .member_metadata = is_stable ? classic_metadata(member, classic->protocol) : STR(""),
            .member_assignment = member->assignment.p ? member->assignment : STR(""),
        };
    }
}

void groups_describe(struct groups *groups, struct groups_call *call)
{
    const struct kafka_describe_groups_request *request = call->request;
    struct kafka_describe_groups_response *response = KAFKA_NEW(&groups->out, kafka_describe_groups_response,
                                                                1);
    response->groups_count = request->groups_count;
    response->groups = KAFKA_NEW(&groups->out, kafka_describe_groups_response_group, request->groups_count);
    for (uint32_t i = 0; i < request->groups_count; i++) {
        struct kafka_describe_groups_response_group *out = &response->groups[i];
        const struct group *group = group_find(groups, request->groups[i]);
        out->group_id = request->groups[i];
        if (group && group->classic) {
            describe_classic(groups, group->classic, out);
        } else if (group && group->consumer == NULL) {
            out->group_state = STR("Empty");
        } else {
            out->group_state = STR("Dead");
            if (call->version < 6)
                continue;
            out->error_code = KAFKA_ERR_GROUP_ID_NOT_FOUND;
            out->error_message = not_found(groups, group, request->groups[i], "classic");
        }
    }
    groups_reply(groups, call, response);
}

/* ---- ConsumerGroupDescribe ------------------------------------------------------------------------------------ */

static struct kafka_consumer_group_describe_response_assignment describe_parts(
    struct groups *groups, const struct consumer *consumer, const struct parts *parts)
{
    struct kafka_consumer_group_describe_response_assignment out = {0};
    out.topic_partitions = arena_zalloc(&groups->out, mem_product(parts->n, sizeof *out.topic_partitions));
    for (uint32_t i = 0; i < parts->n;) {
        uint32_t topic = parts->p[i].topic, from = i;
        struct groups_topic known;
        while (i < parts->n && parts->p[i].topic == topic)
            i++;
        if (!groups->slots.topic_by_id(groups->arg, &consumer->topics[topic].id, &known))
            continue; /* it was deleted, and the member has not been told yet */
        struct kafka_consumer_group_describe_response_topic *to =
            &out.topic_partitions[out.topic_partitions_count++];
        to->topic_id = known.id;
        to->topic_name = str_n(arena_dup(&groups->out, known.name.p, known.name.n), known.name.n);
        to->partitions = arena_array(&groups->out, int32_t, i - from);
        for (uint32_t k = from; k < i; k++)
            to->partitions[to->partitions_count++] = parts->p[k].partition;
    }
    return out;
}

static void describe_member(struct groups *groups, const struct consumer *consumer,
                            const struct consumer_member *member,
                            struct kafka_consumer_group_describe_response_member *out)
{
    struct parts both = {
        .p = arena_array(&groups->out, struct part, member->assigned.n + member->revoking.n)};
    for (uint32_t i = 0; i < member->assigned.n; i++)
        both.p[both.n++] = member->assigned.p[i];
    for (uint32_t i = 0; i < member->revoking.n; i++)
        both.p[both.n++] = member->revoking.p[i]; /* it answers for them until it has given them back */
    parts_sort(&both);
    *out = (struct kafka_consumer_group_describe_response_member){
        .member_id = member->id.key,
        .instance_id = member->instance,
        .rack_id = member->rack,
        .member_epoch = member->epoch,
        .client_id = member->client_id,
        .client_host = member->client_host,
        .subscribed_topic_names = member->names,
        .subscribed_topic_names_count = member->names_count,
        .subscribed_topic_regex = member->regex,
        .assignment = describe_parts(groups, consumer, &both),
        .target_assignment = describe_parts(groups, consumer, &member->target),
        .member_type = 1,
    };
}

void groups_describe_consumer(struct groups *groups, struct groups_call *call)
{
    const struct kafka_consumer_group_describe_request *request = call->request;
    struct kafka_consumer_group_describe_response *response = KAFKA_NEW(
        &groups->out, kafka_consumer_group_describe_response, 1);
    response->groups_count = request->group_ids_count;
    response->groups = KAFKA_NEW(&groups->out, kafka_consumer_group_describe_response_group,
                                 request->group_ids_count);
    for (uint32_t i = 0; i < request->group_ids_count; i++) {
        struct kafka_consumer_group_describe_response_group *out = &response->groups[i];
        const struct group *group = group_find(groups, request->group_ids[i]);
        const struct consumer *consumer = group ? group->consumer : NULL;
        out->group_id = request->group_ids[i];
        if (out->group_id.n == 0) {
            out->error_code = KAFKA_ERR_INVALID_GROUP_ID;
        } else if (consumer == NULL) {
            out->error_code = KAFKA_ERR_GROUP_ID_NOT_FOUND;
            out->error_message = not_found(groups, group, out->group_id, "consumer");
        } else {
            out->group_state = str_of(consumer_state_names[consumer_state(consumer)]);
            out->group_epoch = consumer->epoch;
            out->assignment_epoch = consumer->assignment_epoch;
            out->assignor_name = assignor_names[consumer_assignor(consumer, NULL)];
            out->members = arena_zalloc(&groups->out,
                                        mem_product(consumer->by_id.count, sizeof *out->members));
            LIST_EACH(link, &consumer->members)
            describe_member(groups, consumer, CONTAINER_OF(link, struct consumer_member, link),
                            &out->members[out->members_count++]);
        }
    }
    groups_reply(groups, call, response);
}

/* ---- DeleteGroups --------------------------------------------------------------------------------------------- */

static bool has_members(const struct group *group)
{
    return group->consumer ? group->consumer->by_id.count > 0
                           : group->classic && (group->classic->state != CLASSIC_EMPTY ||
                                                group->classic->pending.count > 0);
}

void group_remove(struct groups *groups, struct write *write, struct group *group)
{
    if (has_members(group))
        return;
    if (group->consumer)
        record_consumer_gone(groups, write, group);
    else if (group->classic)
        record_classic_gone(groups, write, group);
}

void groups_delete(struct groups *groups, struct groups_call *call)
{
    const struct kafka_delete_groups_request *request = call->request;
    uint64_t token = 0;
    for (uint32_t i = 0; i < request->groups_names_count; i++) {
        struct group *group = group_find(groups, request->groups_names[i]);
        if (group && call_waits(group, call))
            return; /* and begins again */
        if (group && group->commit_token > token)
            token = group->commit_token;
    }
    if (call_waits_for(groups, call, token)) /* what was committed before is deleted, too */
        return;
    struct write *write = write_new(groups, WRITE_CHANGE);
    struct kafka_delete_groups_response *response = KAFKA_NEW(&write->arena, kafka_delete_groups_response, 1);
    response->results = KAFKA_NEW(&write->arena, kafka_delete_groups_response_group,
                                  request->groups_names_count);
    for (uint32_t i = 0; i < request->groups_names_count; i++) {
        struct kafka_delete_groups_response_group *out = &response->results[response->results_count++];
        struct group *group = group_find(groups, request->groups_names[i]);
        bool is_first = true;
        for (uint32_t k = 0; k + 1 < response->results_count; k++)
            is_first = is_first && !str_eq(response->results[k].group_id, request->groups_names[i]);
        if (!is_first) {
            response->results_count--; /* named twice */
            continue;
        }
        out->group_id = request->groups_names[i];
        if (group == NULL) {
            out->error_code = KAFKA_ERR_GROUP_ID_NOT_FOUND;
        } else if (group->consumer ? group->consumer->by_id.count > 0
                                   : group->classic && group->classic->state != CLASSIC_EMPTY) {
            out->error_code = KAFKA_ERR_NON_EMPTY_GROUP;
        } else {
            offsets_remove_all(groups, write, group);
            if (group->consumer)
                record_consumer_gone(groups, write, group);
            else
                record_classic_gone(groups, write, group);
            write_concerns(write, group);
        }
    }
    write_begin(groups, write, call, response);
}

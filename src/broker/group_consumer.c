/* ConsumerGroupHeartbeat: the new protocol (KIP-848). The group assigns; a member says what it wants and what it has, and is told what it
 * has from now on. The states of a member are drawn in group_member.c.
 *
 * Three epochs. The group's rises with every change of subscriptions, members or topics. The target assignment is computed for it at once
 * and has its epoch. A member's epoch follows when it has given back what it must. An epoch that is not the member's own
 * (or the one before, if the answer was lost) is fenced: the client drops its partitions and joins anew.
 *
 *     heartbeat ─→ valid? ─→ whose? ─→ what has changed? ─→ group's epoch ─→ target ─→ member's next step ─→ records ─→ answer
 *
 * A member that leaves, or is not heard of, only raises the group's epoch; the next heartbeat of another computes the target. */
#include "broker/group_beat_private.h"

enum { EXPIRE_RETRY_MS = 1000 }; /* members whose removal could not be written are looked at again */

/* ---- answers -------------------------------------------------------------------------------------------------- */

static void reply_error(struct groups *groups, struct groups_call *call, int16_t error, const char *format,
                        ...) __attribute__((format(printf, 4, 5)));

static void reply_error(struct groups *groups, struct groups_call *call, int16_t error, const char *format,
                        ...)
{
    struct sbuf text = {0};
    va_list args;
    va_start(args, format);
    sbuf_vprintf(&text, format, args);
    va_end(args);
    struct kafka_consumer_group_heartbeat_response *response = KAFKA_NEW(
        &groups->out, kafka_consumer_group_heartbeat_response, 1);
    response->error_code = error;
    response->error_message = message_cut(sbuf_view(&text));
    groups_reply(groups, call, response);
    sbuf_fini(&text);
}

struct write *beat_write(struct groups *groups, struct beat *b)
{
    if (b->write == NULL) {
        b->write = write_new(groups, WRITE_CHANGE);
        write_concerns(b->write, b->group);
    }
    return b->write;
}

static struct kafka_consumer_group_heartbeat_response_assignment *assignment_of(struct arena *arena,
                                                                                const struct beat *b)
{
    const struct parts *parts = &b->next.assigned;
    struct kafka_consumer_group_heartbeat_response_assignment *assignment = KAFKA_NEW(
        arena, kafka_consumer_group_heartbeat_response_assignment, 1);
    assignment->topic_partitions = arena_zalloc(arena,
                                                mem_product(parts->n, sizeof *assignment->topic_partitions));
    for (uint32_t i = 0; i < parts->n;) {
        struct kafka_consumer_group_heartbeat_response_topic *to =
            &assignment->topic_partitions[assignment->topic_partitions_count++];
        uint32_t topic = parts->p[i].topic;
        to->topic_id = b->consumer->topics[topic].id;
        to->partitions = arena_array(arena, int32_t, parts->n - i);
        for (; i < parts->n && parts->p[i].topic == topic; i++)
            to->partitions[to->partitions_count++] = parts->p[i].partition;
    }
    return assignment;
}

/* The end of a heartbeat that was taken: at once, or when its write is durable. */
static void answer(struct groups *groups, struct beat *b)
{
    const struct kafka_consumer_group_heartbeat_request *request = b->request;
    struct arena *arena = b->write ? &b->write->arena : &groups->out;
    struct kafka_consumer_group_heartbeat_response *response = KAFKA_NEW(
        arena, kafka_consumer_group_heartbeat_response, 1);
    struct parts none = {0};
    response->member_id = str_n(arena_dup(arena, b->next.id.key.p, b->next.id.key.n), b->next.id.key.n);
    response->member_epoch = b->next.epoch;
    response->heartbeat_interval_ms = groups->config.consumer_heartbeat_ms;
    bool is_full = request->rebalance_timeout_ms != -1 && request->topic_partitions &&
                   (request->subscribed_topic_names || request->subscribed_topic_regex.p);
    bool has_changed = !parts_eq(b->member     ? &b->member->assigned
                                 : b->replaced ? &b->replaced->assigned
                                               : &none,
                                 &b->next.assigned, true);
    if (request->member_epoch == 0 || is_full || has_changed)
        response->assignment = assignment_of(arena, b);
    if (b->write)
        write_begin(groups, b->write, b->call, response);
    else
        groups_reply(groups, b->call, response);
}

/* ---- what is asked -------------------------------------------------------------------------------------------- */

static bool is_empty(struct str s)
{
    return s.p && s.n == 0;
}

static size_t names_bytes(const struct kafka_consumer_group_heartbeat_request *r)
{
    size_t bytes = 0;
    for (uint32_t i = 0; i < r->subscribed_topic_names_count; i++)
        bytes += r->subscribed_topic_names[i].n;
    return bytes;
}

/* False: answered. */
static bool check_request(struct groups *groups, struct groups_call *call)
{
    const struct kafka_consumer_group_heartbeat_request *r = call->request;
    const char *wrong = NULL;
    if (r->member_id.n == 0 && (call->version >= 1 || r->member_epoch > 0 || r->member_epoch == MEMBER_LEFT))
        wrong = "MemberId can't be empty.";
    else if (r->group_id.n == 0)
        wrong = "GroupId can't be empty.";
    else if (is_empty(r->instance_id))
        wrong = "InstanceId can't be empty.";
    else if (is_empty(r->rack_id))
        wrong = "RackId can't be empty.";
    else if (r->member_epoch == 0 && r->rebalance_timeout_ms == -1)
        wrong = "RebalanceTimeoutMs must be provided in first request.";
    else if (r->member_epoch == 0 && (r->topic_partitions == NULL || r->topic_partitions_count > 0))
        wrong = "TopicPartitions must be empty when (re-)joining.";
    else if (r->member_epoch == 0 && r->subscribed_topic_names == NULL && r->subscribed_topic_regex.p == NULL)
        wrong = "Either SubscribedTopicNames or SubscribedTopicRegex must be non-null when (re-)joining.";
    else if (r->member_epoch == MEMBER_LEFT_STATIC && r->instance_id.p == NULL)
        wrong = "InstanceId can't be null.";
    else if (r->member_epoch < MEMBER_LEFT_STATIC)
        wrong = "MemberEpoch is invalid.";
    else if (r->subscribed_topic_names_count > GROUPS_SUBSCRIBED_MAX ||
             names_bytes(r) > GROUPS_MEMBER_BYTES_MAX)
        wrong = "SubscribedTopicNames has too many names.";
    if (wrong) {
        reply_error(groups, call, KAFKA_ERR_INVALID_REQUEST, "%s", wrong);
        return false;
    }
    if (r->server_assignor.p && !str_eq(r->server_assignor, assignor_names[ASSIGNOR_UNIFORM]) &&
        !str_eq(r->server_assignor, assignor_names[ASSIGNOR_RANGE])) {
        reply_error(groups, call, KAFKA_ERR_UNSUPPORTED_ASSIGNOR,
                    "ServerAssignor %.*s is not supported. Supported assignors: uniform, range.",
                    STR_ARG(r->server_assignor));
        return false;
    }
    return true;
}

/* The group; made if the member joins. NULL: answered. */
static struct group *group_of(struct groups *groups, struct groups_call *call, struct group *group)
{
    const struct kafka_consumer_group_heartbeat_request *r = call->request;
    bool joins = r->member_epoch == 0;
    if (group && group->consumer)
        return group;
    if (group == NULL && !joins)
        reply_error(groups, call, KAFKA_ERR_GROUP_ID_NOT_FOUND, "Consumer group %.*s not found.",
                    STR_ARG(r->group_id));
    else if (group && !joins)
        reply_error(groups, call, KAFKA_ERR_GROUP_ID_NOT_FOUND, "Group %.*s is not a consumer group.",
                    STR_ARG(r->group_id));
    else if (group && group->classic && group->classic->state != CLASSIC_EMPTY)
        reply_error(groups, call, KAFKA_ERR_GROUP_ID_NOT_FOUND,
                    "Cannot upgrade classic group %.*s to consumer group because online upgrade is disabled.",
                    STR_ARG(r->group_id));
    else if (group == NULL && (group = group_get(groups, r->group_id)) == NULL)
        reply_error(groups, call, KAFKA_ERR_COORDINATOR_NOT_AVAILABLE, "There are too many groups.");
    else
        return group;
    return NULL;
}

static bool is_within(const struct beat *b, const struct consumer_member *member)
{
    const struct kafka_consumer_group_heartbeat_request *r = b->request;
    if (r->topic_partitions == NULL)
        return false;
    for (uint32_t i = 0; i < r->topic_partitions_count; i++) {
        uint32_t topic = consumer_topic_find(b->consumer, &r->topic_partitions[i].topic_id);
        for (uint32_t k = 0; k < r->topic_partitions[i].partitions_count; k++)
            if (topic == UINT32_MAX ||
                !parts_find(&member->assigned, topic, r->topic_partitions[i].partitions[k]))
                return false;
    }
    return true;
}

/* Is it the member's epoch? False: answered. */
static bool check_epoch(struct groups *groups, struct beat *b, const struct consumer_member *member)
{
    int32_t epoch = b->request->member_epoch;
    bool lost_answer = epoch == member->previous_epoch && epoch < member->epoch && is_within(b, member);
    if (epoch == 0 || epoch == member->epoch || lost_answer)
        return true;
    reply_error(
        groups, b->call, KAFKA_ERR_FENCED_MEMBER_EPOCH,
        "The consumer group member has a %s member epoch (%d) than the one known by the group coordinator (%d). "
        "The member must abandon all its partitions and rejoin.",
        epoch > member->epoch ? "greater" : "smaller", epoch, member->epoch);
    return false;
}

/* Who is it? Sets member, or replaced, or neither: it is new. False: answered. */
static bool find_member(struct groups *groups, struct beat *b)
{
    const struct kafka_consumer_group_heartbeat_request *r = b->request;
    bool joins = r->member_epoch == 0;
    struct consumer_member *by_id = consumer_member_of(b->consumer, r->member_id);
    struct consumer_member *by_instance = consumer_static(b->consumer, r->instance_id);
    if (b->consumer->by_id.count >= (uint32_t)groups->config.group_size_max && by_id == NULL) {
        reply_error(groups, b->call, KAFKA_ERR_GROUP_MAX_SIZE_REACHED,
                    "The consumer group has reached its maximum capacity of %d members.",
                    groups->config.group_size_max);
        return false;
    }
    if (r->instance_id.p == NULL) {
        b->member = by_id;
        if (by_id || joins)
            return by_id == NULL || check_epoch(groups, b, by_id);
        reply_error(groups, b->call, KAFKA_ERR_UNKNOWN_MEMBER_ID,
                    "Member %.*s is not a member of group %.*s.", STR_ARG(r->member_id),
                    STR_ARG(r->group_id));
        return false;
    }
    if (joins && by_instance == NULL) {
        b->member = by_id;
        return true;
    }
    if (by_instance == NULL) {
        reply_error(groups, b->call, KAFKA_ERR_UNKNOWN_MEMBER_ID, "Instance id %.*s is unknown.",
                    STR_ARG(r->instance_id));
    } else if (joins && by_instance->epoch != MEMBER_LEFT_STATIC) {
        reply_error(
            groups, b->call, KAFKA_ERR_UNRELEASED_INSTANCE_ID,
            "Static member %.*s with instance id %.*s cannot join the group because the instance id is owned by "
            "%.*s member.",
            STR_ARG(r->member_id), STR_ARG(r->instance_id), STR_ARG(by_instance->id.key));
    } else if (joins && (by_id == NULL || by_id == by_instance)) {
        b->replaced = by_instance;
        return true;
    } else if (!str_eq(by_instance->id.key, r->member_id)) { /* also: it joins by another member's id */
        reply_error(groups, b->call, KAFKA_ERR_FENCED_INSTANCE_ID,
                    "Static member %.*s with instance id %.*s was fenced by member %.*s.",
                    STR_ARG(r->member_id), STR_ARG(r->instance_id), STR_ARG(by_instance->id.key));
    } else {
        b->member = by_instance;
        return check_epoch(groups, b, by_instance);
    }
    return false;
}

/* ---- what has changed ----------------------------------------------------------------------------------------- */

static int compare_names(const void *a, const void *b)
{
    return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

static void set_names(struct groups *groups, struct consumer_member *next, const struct str *names,
                      uint32_t count)
{
    struct str *sorted = arena_array(&groups->out, struct str, count);
    if (count)
        memcpy(sorted, names, count * sizeof *sorted);
    qsort(sorted, count, sizeof *sorted, compare_names);
    next->names = sorted;
    next->names_count = 0;
    for (uint32_t i = 0; i < count; i++)
        if (i == 0 || !str_eq(sorted[i], sorted[i - 1]))
            sorted[next->names_count++] = sorted[i];
}

static bool same_names(const struct consumer_member *a, const struct consumer_member *b)
{
    bool is_same = a->names_count == b->names_count;
    for (uint32_t i = 0; is_same && i < a->names_count; i++)
        is_same = str_eq(a->names[i], b->names[i]);
    return is_same;
}

/* next as the request has it: what it does not say stays. True: its record has to be written. */
static bool update(struct groups *groups, struct beat *b)
{
    const struct kafka_consumer_group_heartbeat_request *r = b->request;
    const struct consumer_member *before = b->member ? b->member : b->replaced;
    struct consumer_member *next = &b->next;
    if (before)
        *next = *before;
    else
        *next = (struct consumer_member){.rebalance_ms = -1, .revoke_ms = TIME_NONE};
    if (b->replaced)
        next->epoch = next->previous_epoch = 0;
    if (b->member == NULL)
        next->id.key = r->member_id;
    if (next->id.key.n == 0) { /* version 0 lets us choose */
        uint8_t random[16];
        char *id = arena_alloc(&groups->out, 2 * sizeof random + 1);
        groups->slots.random(groups->arg, random, sizeof random);
        hex_encode(id, random, sizeof random);
        next->id.key = str_n(id, 2 * sizeof random);
    }
    next->client_id = b->call->client_id.p ? b->call->client_id : STR("");
    next->client_host = b->call->client_host.p ? b->call->client_host : STR("");
    if (r->instance_id.p)
        next->instance = r->instance_id;
    if (r->rack_id.p)
        next->rack = r->rack_id;
    if (r->rebalance_timeout_ms != -1)
        next->rebalance_ms = r->rebalance_timeout_ms;
    if (r->subscribed_topic_names)
        set_names(groups, next, r->subscribed_topic_names, r->subscribed_topic_names_count);
    if (r->subscribed_topic_regex.p)
        next->regex = r->subscribed_topic_regex;
    if (r->server_assignor.p)
        next->assignor = str_eq(r->server_assignor, assignor_names[ASSIGNOR_RANGE]) ? ASSIGNOR_RANGE
                                                                                    : ASSIGNOR_UNIFORM;
    if (b->member == NULL)
        return true;
    return !str_same(before->instance, next->instance) || !str_same(before->rack, next->rack) ||
           !str_eq(before->client_id, next->client_id) || !str_eq(before->client_host, next->client_host) ||
           !str_same(before->regex, next->regex) || before->rebalance_ms != next->rebalance_ms ||
           before->assignor != next->assignor || !same_names(before, next);
}

/* Members other than the one of the heartbeat that subscribe to the expression. */
static uint32_t others_with(const struct beat *b, struct str text)
{
    uint32_t count = 0;
    LIST_EACH(link, &b->consumer->members)
    {
        const struct consumer_member *member = beat_member(b, link);
        count += member && str_same(member->regex, text);
    }
    return count;
}

static void resolve(struct groups *groups, struct beat *b, struct str text)
{
    struct regex *regex = &b->regexes[b->regexes_count++];
    regex_resolve(groups, text, &groups->out, regex);
    record_regex(groups, beat_write(groups, b), b->group, regex);
}

/* Expressions as they will be. True: what they come to has changed. */
static bool update_regexes(struct groups *groups, struct beat *b)
{
    struct consumer *consumer = b->consumer;
    const struct consumer_member *before = b->member ? b->member : b->replaced;
    struct str old = before ? before->regex : (struct str){0}, new = b->next.regex;
    bool has_changed = !str_same(old, new);
    bool is_due = consumer->regexes_count && consumer->regex_version != groups->topics_version &&
                  groups->now_ms - consumer->regex_ms >= GROUPS_REGEX_REFRESH_MS;
    b->regexes = arena_array(&groups->out, struct regex, consumer->regexes_count + 1);
    bool has_new = false, is_different = false;
    for (uint32_t i = 0; i < consumer->regexes_count; i++) {
        struct regex *known = &consumer->regexes[i];
        if (has_changed && str_eq(known->text, old) && others_with(b, old) == 0) {
            record_regex_gone(groups, beat_write(groups, b), b->group, old);
            continue;
        }
        has_new = has_new || str_eq(known->text, new);
        struct regex fresh = *known;
        if (is_due)
            regex_resolve(groups, known->text, &groups->out, &fresh);
        bool is_same = fresh.topics_count == known->topics_count;
        for (uint32_t k = 0; is_same && k < fresh.topics_count; k++)
            is_same = str_eq(fresh.topics[k], known->topics[k]);
        if (!is_same)
            record_regex(groups, beat_write(groups, b), b->group, &fresh);
        b->regexes[b->regexes_count++] = is_same ? *known : fresh;
        is_different = is_different || !is_same;
    }
    if (new.n && !has_new)
        resolve(groups, b, new);
    if (is_due && !is_different) {
        consumer->regex_version = groups->topics_version;
        consumer->regex_ms = groups->now_ms;
    }
    return has_changed || is_different;
}

/* Raises the group's epoch where something has changed: the members' subscriptions, or the topics. */
static void update_epoch(struct groups *groups, struct beat *b, bool has_changed)
{
    struct consumer *consumer = b->consumer;
    b->epoch = consumer->epoch;
    b->target_epoch = consumer->assignment_epoch;
    if (!has_changed && consumer->topics_version == groups->topics_version)
        return;
    beat_topics(groups, b);
    if (!has_changed && b->hash == consumer->metadata_hash) {
        consumer->topics_version = groups->topics_version;
        return;
    }
    b->epoch++;
    struct write *write = beat_write(groups, b);
    record_consumer(groups, write, b->group, b->epoch, b->hash);
    if (consumer->has_partition_metadata)
        record_partition_metadata_gone(groups, write, b->group);
}

/* ---- a heartbeat ---------------------------------------------------------------------------------------------- */

static bool same_current(const struct consumer_member *a, const struct consumer_member *b)
{
    return a->epoch == b->epoch && a->previous_epoch == b->previous_epoch && a->state == b->state &&
           parts_eq(&a->assigned, &b->assigned, true) && parts_eq(&a->revoking, &b->revoking, true);
}

static bool check_regex(struct groups *groups, struct beat *b)
{
    struct str regex = b->request->subscribed_topic_regex;
    const char *why;
    if (regex.n == 0 || consumer_regex(b->consumer, regex) || regex_valid(regex, &groups->out, &why))
        return true;
    reply_error(groups, b->call, KAFKA_ERR_INVALID_REGULAR_EXPRESSION,
                "SubscribedTopicRegex `%.*s` is not a valid regular expression: %s.", STR_ARG(regex), why);
    return false;
}

static void beat(struct groups *groups, struct beat *b)
{
    if (!find_member(groups, b) || !check_regex(groups, b))
        return;
    if (b->group->classic && b->group->consumer == NULL)
        record_classic_gone(groups, beat_write(groups, b), b->group);
    if (b->replaced)
        record_member_gone(groups, beat_write(groups, b), b->group, b->replaced->id.key);
    bool has_update = update(groups, b);
    const struct consumer_member *before = b->member ? b->member : b->replaced;
    bool has_names = before ? !same_names(before, &b->next) : b->next.names_count > 0;
    bool had_regex = !str_same(before ? before->regex : (struct str){0}, b->next.regex);
    b->has_subscribed = has_names || had_regex;
    if (has_update)
        record_member(groups, beat_write(groups, b), b->group, &b->next);
    bool has_topics = update_regexes(groups, b);
    update_epoch(groups, b, has_names || has_topics);
    if (b->consumer != b->group->consumer && b->epoch == 0)
        record_consumer(groups, beat_write(groups, b), b->group, 0,
                        0); /* it subscribes to nothing; the group is there */
    CHECK(b->epoch >= b->consumer->epoch && b->target_epoch <= b->epoch);
    if (b->target_epoch < b->epoch)
        beat_assign(groups, b);
    else if (b->replaced)
        record_target(groups, beat_write(groups, b), b->group, b->consumer, b->next.id.key, &b->next.target);
    beat_reconcile(groups, b);
    CHECK(b->next.epoch <= b->target_epoch);
    if (b->member == NULL || !same_current(b->member, &b->next))
        record_current(groups, beat_write(groups, b), b->group, b->consumer, &b->next);
    if (b->member)
        b->member->session_ms = groups->now_ms + groups->config.consumer_session_ms;
    answer(groups, b);
}

/* ---- leaving -------------------------------------------------------------------------------------------------- */

/* Records that remove members[count], and raise the group's epoch. */
static void record_fence(struct groups *groups, struct write *write, struct group *group,
                         struct consumer_member **members, uint32_t count)
{
    struct consumer *consumer = group->consumer;
    struct beat b = {.group = group, .consumer = consumer, .leaving = members, .leaving_count = count};
    b.regexes = arena_array(&groups->out, struct regex, consumer->regexes_count);
    for (uint32_t i = 0; i < count; i++)
        record_member_gone(groups, write, group, members[i]->id.key);
    for (uint32_t i = 0; i < consumer->regexes_count; i++) {
        if (others_with(&b, consumer->regexes[i].text) > 0)
            b.regexes[b.regexes_count++] = consumer->regexes[i];
        else
            record_regex_gone(groups, write, group, consumer->regexes[i].text);
    }
    beat_topics(groups, &b);
    record_consumer(groups, write, group, consumer->epoch + 1, b.hash);
}

/* A static member goes for a while: it keeps its place until its session ends. */
static void write_released(struct groups *groups, struct write *write, struct group *group,
                           struct consumer_member *member)
{
    struct consumer_member gone = *member;
    gone.epoch = MEMBER_LEFT_STATIC;
    gone.revoking = (struct parts){0};
    gone.assigned.p = arena_dup(&write->arena, member->assigned.p ? (void *)member->assigned.p : "",
                                mem_product(member->assigned.n, sizeof *member->assigned.p));
    for (uint32_t i = 0; i < gone.assigned.n; i++)
        gone.assigned.p[i].epoch = 0;
    record_current(groups, write, group, group->consumer, &gone);
}

static void leave(struct groups *groups, struct groups_call *call, struct group *group)
{
    const struct kafka_consumer_group_heartbeat_request *r = call->request;
    struct consumer *consumer = group ? group->consumer : NULL;
    if (consumer == NULL) {
        reply_error(groups, call, KAFKA_ERR_GROUP_ID_NOT_FOUND,
                    group ? "Group %.*s is not a consumer group." : "Group %.*s not found.",
                    STR_ARG(r->group_id));
        return;
    }
    struct consumer_member *member = r->instance_id.p ? consumer_static(consumer, r->instance_id)
                                                      : consumer_member_of(consumer, r->member_id);
    if (member == NULL) {
        reply_error(groups, call, KAFKA_ERR_UNKNOWN_MEMBER_ID, "Member %.*s is not a member of group %.*s.",
                    STR_ARG(r->member_id), STR_ARG(r->group_id));
        return;
    }
    if (!str_eq(member->id.key, r->member_id)) {
        reply_error(groups, call, KAFKA_ERR_FENCED_INSTANCE_ID,
                    "Static member %.*s with instance id %.*s was fenced by member %.*s.",
                    STR_ARG(r->member_id), STR_ARG(r->instance_id), STR_ARG(member->id.key));
        return;
    }
    struct write *write = write_new(groups, WRITE_CHANGE);
    write_concerns(write, group);
    if (r->member_epoch == MEMBER_LEFT_STATIC)
        write_released(groups, write, group, member);
    else
        record_fence(groups, write, group, &member, 1);
    struct kafka_consumer_group_heartbeat_response *response = KAFKA_NEW(
        &write->arena, kafka_consumer_group_heartbeat_response, 1);
    response->member_id = r->member_id;
    response->member_epoch = r->member_epoch;
    write_begin(groups, write, call, response);
}

void consumer_heartbeat(struct groups *groups, struct groups_call *call)
{
    const struct kafka_consumer_group_heartbeat_request *r = call->request;
    if (!check_request(groups, call))
        return;
    struct group *group = group_find(groups, r->group_id);
    if (group && call_waits(group, call))
        return;
    if (r->member_epoch < 0) {
        leave(groups, call, group);
        return;
    }
    group = group_of(groups, call, group);
    if (group == NULL)
        return;
    struct beat b = {.call = call, .request = r, .group = group, .consumer = group->consumer};
    if (b.consumer == NULL)
        b.consumer = consumer_new();
    beat(groups, &b);
    if (b.consumer != group->consumer)
        consumer_free(groups, b.consumer);
    DCHECK(group_holds(groups, group));
    group_settle(groups, group);
}

/* LeaveGroup of an administrator, who removes members by their instance, or of anybody by id. */
void consumer_leave(struct groups *groups, struct group *group, struct groups_call *call)
{
    const struct kafka_leave_group_request *request = call->request;
    struct write *write = write_new(groups, WRITE_CHANGE);
    struct kafka_leave_group_response *response = KAFKA_NEW(&write->arena, kafka_leave_group_response, 1);
    struct kafka_leave_group_request_member one = {.member_id = request->member_id};
    const struct kafka_leave_group_request_member *from = call->version < 3 ? &one : request->members;
    uint32_t count = call->version < 3 ? 1 : request->members_count, leaving = 0;
    struct consumer_member **members = arena_array(&groups->out, struct consumer_member *, count);
    response->members = arena_zalloc(&write->arena, mem_product(count, sizeof *response->members));
    for (uint32_t i = 0; i < count; i++) {
        struct consumer_member *member = from[i].group_instance_id.p
                                             ? consumer_static(group->consumer, from[i].group_instance_id)
                                             : consumer_member_of(group->consumer, from[i].member_id);
        int16_t error = member == NULL ? KAFKA_ERR_UNKNOWN_MEMBER_ID : KAFKA_ERR_NONE;
        if (member && from[i].member_id.n && !str_eq(from[i].member_id, member->id.key))
            error = KAFKA_ERR_FENCED_INSTANCE_ID;
        for (uint32_t k = 0; k < leaving && error == KAFKA_ERR_NONE; k++)
            if (members[k] == member)
                member = NULL; /* named twice */
        if (error == KAFKA_ERR_NONE && member)
            members[leaving++] = member;
        response->members[i] = (struct kafka_leave_group_response_member){
            .member_id = from[i].member_id,
            .group_instance_id = from[i].group_instance_id,
            .error_code = error};
    }
    if (call->version < 3)
        response->error_code = response->members[0].error_code;
    else
        response->members_count = count;
    write_concerns(write, group);
    if (leaving)
        record_fence(groups, write, group, members, leaving);
    write_begin(groups, write, call, response);
}

/* ---- time ----------------------------------------------------------------------------------------------------- */

void consumer_expire(struct groups *groups, struct group *group)
{
    struct consumer *consumer = group->consumer;
    struct consumer_member **due = arena_array(&groups->out, struct consumer_member *, consumer->by_id.count);
    int64_t first = TIME_NONE;
    uint32_t count = 0;
    LIST_EACH(link, &consumer->members)
    {
        struct consumer_member *member = CONTAINER_OF(link, struct consumer_member, link);
        if (member->session_ms <= groups->now_ms || member->revoke_ms <= groups->now_ms) {
            due[count++] = member;
            member->session_ms = groups->now_ms +
                                 EXPIRE_RETRY_MS; /* it is gone by then, unless the write fails */
            member->revoke_ms = TIME_NONE;
        }
        first = member->session_ms < first ? member->session_ms : first;
        first = member->revoke_ms < first ? member->revoke_ms : first;
    }
    group_deadline(groups, group, first);
    if (count == 0)
        return;
    struct write *write = write_new(groups, WRITE_CHANGE);
    write_concerns(write, group);
    record_fence(groups, write, group, due, count);
    write_begin(groups, write, NULL, NULL);
}

/* The classic protocol: JoinGroup, SyncGroup, Heartbeat, LeaveGroup. The group's states are drawn in group_classic_state.c.
 *
 * A rebalance. PREPARING parks every join until all members have joined, or the longest of their rebalance time-outs is over; who has
 * not come by then is removed, unless it is static. Then a generation begins: all are answered at once, the leader with the
 * members' metadata, and COMPLETING parks every sync until the leader brings the assignments, which become durable with
 * the group, and then everybody's sync is answered. The first rebalance of an empty group waits initial_rebalance_delay_ms,
 * and as long again while others keep coming.
 *
 * What is durable is a generation with its assignments. A group that is loaded is therefore STABLE, or EMPTY. */
#include "broker/groups_private.h"

enum {
    ID_PREFIX_MAX = 1024,      /* of a client's or instance's id that goes into a member's */
    STATIC_WAIT_MIN_MS = 1000, /* between looks at a rebalance to which nobody has come */
};

/* ---- answers -------------------------------------------------------------------------------------------------- */

static void set_deadline(struct groups *groups, struct group *group, int64_t *deadline_ms, int64_t in_ms)
{
    *deadline_ms = groups->now_ms + in_ms;
    group_deadline(groups, group, *deadline_ms);
}

static void heard_of(struct groups *groups, struct group *group, struct classic_member *member)
{
    set_deadline(groups, group, &member->deadline_ms, member->session_ms);
    member->is_silent = false;
}

static struct kafka_join_group_response *join_response(struct arena *arena, const struct classic *classic,
                                                       const struct classic_member *member)
{
    struct kafka_join_group_response *response = KAFKA_NEW(arena, kafka_join_group_response, 1);
    response->generation_id = classic->generation;
    response->protocol_type = classic->protocol_type;
    response->protocol_name = classic->protocol;
    response->leader = classic->leader ? classic->leader->id.key : STR("");
    response->member_id = member->id.key;
    return response;
}

static void join_response_members(struct arena *arena, const struct classic *classic,
                                  struct kafka_join_group_response *response)
{
    response->members = arena_zalloc(arena, mem_product(classic->by_id.count, sizeof *response->members));
    LIST_EACH(link, &classic->members)
    {
        const struct classic_member *member = CONTAINER_OF(link, struct classic_member, link);
        response->members[response->members_count++] = (struct kafka_join_group_response_member){
            .member_id = member->id.key,
            .group_instance_id = member->instance,
            .metadata = classic_metadata(member, classic->protocol),
        };
    }
}

static void reply_join(struct groups *groups, struct groups_call *call, const struct classic *classic,
                       const struct classic_member *member)
{
    struct kafka_join_group_response *response = join_response(&groups->out, classic, member);
    CHECK(classic->state == CLASSIC_COMPLETING || classic->state == CLASSIC_STABLE);
    if (classic->leader == member)
        join_response_members(&groups->out, classic, response);
    groups_reply(groups, call, response);
}

static void reply_join_error(struct groups *groups, struct groups_call *call, struct str member_id,
                             int16_t error)
{
    struct kafka_join_group_response *response = KAFKA_NEW(&groups->out, kafka_join_group_response, 1);
    response->member_id = member_id;
    response->error_code = error;
    groups_reply(groups, call, response);
}

static void reply_sync(struct groups *groups, struct groups_call *call, const struct classic *classic,
                       const struct classic_member *member)
{
    struct kafka_sync_group_response *response = KAFKA_NEW(&groups->out, kafka_sync_group_response, 1);
    response->protocol_type = classic->protocol_type;
    response->protocol_name = classic->protocol;
    response->assignment = member->assignment.p ? member->assignment : STR("");
    groups_reply(groups, call, response);
}

/* The member waits for the end of the rebalance. A join of its that waited before (on a connection that it has given up) is answered. */
static void await_join(struct groups *groups, struct classic *classic, struct classic_member *member,
                       struct groups_call *call)
{
    struct groups_call *before = call_release(&member->join);
    if (before)
        groups_reply_error(groups, before, KAFKA_ERR_REBALANCE_IN_PROGRESS);
    classic->awaiting_join += !member->awaits_join;
    member->awaits_join = true;
    call_hold(call, &member->join);
}

static struct groups_call *awaited_join(struct classic *classic, struct classic_member *member)
{
    classic->awaiting_join -= member->awaits_join;
    member->awaits_join = false;
    return call_release(&member->join);
}

static void synced(struct classic *classic, struct classic_member *member)
{
    classic->owing_sync -= member->owes_sync;
    member->owes_sync = false;
    if (classic->owing_sync == 0)
        classic->sync_ms = TIME_NONE;
}

static void drop_member(struct groups *groups, struct classic *classic, struct classic_member *member,
                        int16_t error)
{
    struct groups_call *join = awaited_join(classic, member), *sync = call_release(&member->sync);
    if (join)
        reply_join_error(groups, join, STR(""), error);
    if (sync)
        groups_reply_error(groups, sync, error);
    synced(classic, member);
    classic_remove(groups, classic, member);
}

static void pending_remove(struct classic *classic, struct classic_pending *pending)
{
    table_remove(&classic->pending, &pending->id);
    str_drop(&pending->id.key);
    mem_free(pending);
}

/* ---- a rebalance ---------------------------------------------------------------------------------------------- */

/* Everybody's parked sync is answered: with its assignment, or an error. */
static void answer_syncs(struct groups *groups, struct group *group, int16_t error)
{
    struct classic *classic = group->classic;
    CHECK(classic->state == CLASSIC_COMPLETING);
    LIST_EACH(link, &classic->members)
    {
        struct classic_member *member = CONTAINER_OF(link, struct classic_member, link);
        if (error)
            str_drop(&member->assignment);
        if (!member->awaits_sync)
            continue;
        member->awaits_sync = false;
        heard_of(groups, group, member);
        struct groups_call *call = call_release(&member->sync);
        if (call && error)
            groups_reply_error(groups, call, error);
        else if (call)
            reply_sync(groups, call, classic, member);
    }
}

/* The next generation of a group in which somebody is left. */
static void begin_generation(struct groups *groups, struct group *group)
{
    struct classic *classic = group->classic;
    CHECK(classic->leader && classic->leader->awaits_join);
    struct str protocol = str_keep(classic_vote(classic));
    str_drop(&classic->protocol);
    classic->protocol = protocol;
    classic_move(groups, classic, CLASSIC_COMPLETING);
    groups->stats.rebalances++;
    LIST_EACH(link, &classic->members)
    {
        struct classic_member *member = CONTAINER_OF(link, struct classic_member, link);
        struct groups_call *call = awaited_join(classic, member);
        if (call)
            reply_join(groups, call, classic, member);
        heard_of(groups, group, member);
        member->is_new = false;
        classic->owing_sync += !member->owes_sync;
        member->owes_sync = true;
    }
    set_deadline(groups, group, &classic->sync_ms, classic_rebalance_ms(classic));
}

/* The leader must be one that has joined; false: nobody has. */
static bool elect_leader(struct classic *classic)
{
    if (classic->leader == NULL || classic->leader->awaits_join)
        return classic->leader != NULL;
    LIST_EACH(link, &classic->members)
    {
        struct classic_member *member = CONTAINER_OF(link, struct classic_member, link);
        if (member->awaits_join) {
            classic->leader = member;
            return true;
        }
    }
    return false;
}

static void complete_join(struct groups *groups, struct group *group)
{
    struct classic *classic = group->classic;
    CHECK(classic->state == CLASSIC_PREPARING);
    classic->join_ms = TIME_NONE;
    classic->is_initial = false;
    for (struct list *link = classic->members.next, *next; link != &classic->members; link = next) {
        next = link->next;
        struct classic_member *member = CONTAINER_OF(link, struct classic_member, link);
        if (!member->awaits_join && member->instance.p == NULL)
            drop_member(groups, classic, member, KAFKA_ERR_UNKNOWN_MEMBER_ID);
    }
    if (classic->by_id.count > 0 && !elect_leader(classic)) { /* static ones only: it waits on */
        int32_t wait_ms = classic_rebalance_ms(classic);
        set_deadline(groups, group, &classic->join_ms,
                     wait_ms > STATIC_WAIT_MIN_MS ? wait_ms : STATIC_WAIT_MIN_MS);
        return;
    }
    classic->generation++;
    if (classic->by_id.count > 0) {
        begin_generation(groups, group);
        return;
    }
    str_drop(&classic->protocol);
    classic_move(groups, classic, CLASSIC_EMPTY);
    struct write *write = write_new(groups, WRITE_SYNC);
    write_concerns(write, group);
    record_classic(groups, write, group, NULL, 0);
    write_begin(groups, write, NULL, NULL);
}

static void prepare(struct groups *groups, struct group *group)
{
    struct classic *classic = group->classic;
    if (classic->state == CLASSIC_COMPLETING)
        answer_syncs(groups, group, KAFKA_ERR_REBALANCE_IN_PROGRESS);
    LIST_EACH(link, &classic->members)
    synced(classic, CONTAINER_OF(link, struct classic_member, link));
    classic->sync_ms = TIME_NONE;
    classic->is_initial = classic->state == CLASSIC_EMPTY;
    classic_move(groups, classic, CLASSIC_PREPARING);
    int32_t delay_ms = groups->config.initial_rebalance_delay_ms,
            rebalance_ms = classic_rebalance_ms(classic);
    if (classic->is_initial) {
        classic->has_new_member = false;
        classic->delay_ms = delay_ms;
        classic->remaining_ms = rebalance_ms > delay_ms ? rebalance_ms - delay_ms : 0;
        set_deadline(groups, group, &classic->join_ms, delay_ms);
    } else if (classic_all_joined(classic)) {
        complete_join(groups, group);
    } else {
        set_deadline(groups, group, &classic->join_ms, rebalance_ms);
    }
}

/* Somebody came, went, or has changed. */
static void rebalance(struct groups *groups, struct group *group)
{
    struct classic *classic = group->classic;
    if (classic->state != CLASSIC_PREPARING)
        prepare(groups, group);
    else if (!classic->is_initial && classic_all_joined(classic))
        complete_join(groups, group);
}

/* ---- JoinGroup ------------------------------------------------------------------------------------------------ */

/* <client or instance id>-<UUID>, in groups->out. */
static struct str new_member_id(struct groups *groups, struct str prefix)
{
    uint8_t b[16];
    groups->slots.random(groups->arg, b, sizeof b);
    b[6] = (uint8_t)((b[6] & 0x0F) | 0x40); /* RFC 4122, version 4 */
    b[8] = (uint8_t)((b[8] & 0x3F) | 0x80);
    char hex[33];
    hex_encode(hex, b, sizeof b);
    if (prefix.n > ID_PREFIX_MAX)
        prefix.n = ID_PREFIX_MAX;
    return str_of(arena_printf(&groups->out, "%.*s-%.8s-%.4s-%.4s-%.4s-%.12s", STR_ARG(prefix), hex, hex + 8,
                               hex + 12, hex + 16, hex + 20));
}

static int32_t rebalance_timeout(const struct kafka_join_group_request *request)
{
    return request->rebalance_timeout_ms < 0 ? request->session_timeout_ms : request->rebalance_timeout_ms;
}

static void update_member(struct classic *classic, struct classic_member *member,
                          const struct kafka_join_group_request *request)
{
    classic_member_set_protocols(classic, member, request->protocols, request->protocols_count);
    member->rebalance_ms = rebalance_timeout(request);
    member->session_ms = request->session_timeout_ms;
}

static bool same_protocols(const struct classic_member *member,
                           const struct kafka_join_group_request *request)
{
    if (member->protocols_count != request->protocols_count)
        return false;
    for (uint32_t i = 0; i < member->protocols_count; i++)
        if (!str_eq(member->protocols[i].name, request->protocols[i].name) ||
            !str_eq(member->protocols[i].metadata, request->protocols[i].metadata))
            return false;
    return true;
}

static void add_member(struct groups *groups, struct group *group, struct groups_call *call, struct str id)
{
    const struct kafka_join_group_request *request = call->request;
    struct classic *classic = group->classic;
    struct classic_pending *pending = table_get(&classic->pending, id);
    CHECK(id.n > 0 && classic_member_of(classic, id) == NULL);
    struct classic_member *member = classic_member_new(
        id, request->group_instance_id, call->client_id.p ? call->client_id : STR(""),
        call->client_host.p ? call->client_host : STR(""), rebalance_timeout(request),
        request->session_timeout_ms);
    if (pending)
        pending_remove(classic, pending);
    classic_member_set_protocols(NULL, member, request->protocols, request->protocols_count);
    member->is_new = true;
    if (classic->by_id.count == 0) {
        str_drop(&classic->protocol_type);
        classic->protocol_type = str_keep(request->protocol_type);
    }
    classic_add(classic, member);
    await_join(groups, classic, member, call);
    set_deadline(groups, group, &member->deadline_ms, GROUPS_NEW_MEMBER_JOIN_MS);
    classic->has_new_member = classic->is_initial;
    rebalance(groups, group);
}

static void update_and_rebalance(struct groups *groups, struct group *group, struct groups_call *call,
                                 struct classic_member *member)
{
    update_member(group->classic, member, call->request);
    await_join(groups, group->classic, member, call);
    rebalance(groups, group);
}

/* What a static member brings when it comes back, or what it had. In an arena. */
struct classic_return {
    struct classic_member *member;
    struct str id;
    struct kafka_join_group_request_protocol *protocols;
    uint32_t protocols_count;
    int32_t rebalance_ms, session_ms;
};

static struct str arena_str(struct arena *arena, struct str s)
{
    return str_n(arena_dup(arena, s.p ? s.p : "", s.n), s.n);
}

static struct classic_return *member_as_it_is(struct arena *arena, struct classic_member *member)
{
    struct classic_return *now = arena_new(arena, struct classic_return);
    now->member = member;
    now->id = arena_str(arena, member->id.key);
    now->rebalance_ms = member->rebalance_ms;
    now->session_ms = member->session_ms;
    now->protocols = arena_zalloc(arena, mem_product(member->protocols_count, sizeof *now->protocols));
    for (; now->protocols_count < member->protocols_count; now->protocols_count++)
        now->protocols[now->protocols_count] = (struct kafka_join_group_request_protocol){
            .name = arena_str(arena, member->protocols[now->protocols_count].name),
            .metadata = arena_str(arena, member->protocols[now->protocols_count].metadata),
        };
    return now;
}

static void make_member(struct classic *classic, const struct classic_return *as)
{
    classic_rename(classic, as->member, as->id);
    classic_member_set_protocols(classic, as->member, as->protocols, as->protocols_count);
    as->member->rebalance_ms = as->rebalance_ms;
    as->member->session_ms = as->session_ms;
}

/* The member is back, and durable as it is now. Nobody has touched it meanwhile: the group was busy. */
void classic_returned(struct groups *groups, struct write *write)
{
    struct group *group = write->groups[0];
    struct classic *classic = group->classic;
    struct classic_member *member = write->returning->member;
    struct str leader_before = arena_str(&write->arena, classic->leader->id.key);
    make_member(classic, write->returning);
    heard_of(groups, group, member);
    if (write->call == NULL)
        return;
    struct kafka_join_group_response *response = join_response(&write->arena, classic, member);
    if (write->call->version >= 9 && classic->leader == member) {
        join_response_members(&write->arena, classic, response);
        response->skip_assignment = true;
    } else if (write->call->version < 9) {
        response->leader = leader_before; /* its old id, so that it does not think that it is to assign */
    }
    write->response = response;
}

/* A static member is back. With nothing new: there is no rebalance, but the group knows it by its new id when that is durable. */
static void static_returns(struct groups *groups, struct group *group, struct groups_call *call,
                           struct classic_member *member, struct str id)
{
    struct classic *classic = group->classic;
    struct groups_call *join = awaited_join(classic, member), *sync = call_release(&member->sync);
    const struct classic_return *before = member_as_it_is(&groups->out, member);
    if (join)
        reply_join_error(groups, join, before->id, KAFKA_ERR_FENCED_INSTANCE_ID);
    if (sync)
        groups_reply_error(groups, sync, KAFKA_ERR_FENCED_INSTANCE_ID);
    member->awaits_sync = false;
    member->is_new = false;
    classic_rename(classic, member, id);
    update_member(classic, member, call->request);
    heard_of(groups, group, member);
    if (classic->state != CLASSIC_STABLE || !str_eq(classic_vote(classic), classic->protocol)) {
        await_join(groups, classic, member, call);
        rebalance(groups, group);
        return;
    }
    struct write *write = write_new(groups, WRITE_CHANGE);
    write_concerns(write, group);
    record_classic(groups, write, group, NULL, 0);
    write->returning = member_as_it_is(&write->arena, member);
    make_member(classic, before);
    write_begin(groups, write, call, NULL);
}

static void join_new(struct groups *groups, struct group *group, struct groups_call *call)
{
    const struct kafka_join_group_request *request = call->request;
    struct classic *classic = group->classic;
    bool is_static = request->group_instance_id.p != NULL;
    struct str id = new_member_id(groups, is_static ? request->group_instance_id : call->client_id);
    struct classic_member *before = classic_static(classic, request->group_instance_id);
    if (before) {
        static_returns(groups, group, call, before, id);
    } else if (is_static || call->version < 4) {
        add_member(groups, group, call, id);
    } else if (classic->pending.count >= GROUPS_PENDING_MEMBERS_MAX) {
        reply_join_error(groups, call, STR(""), KAFKA_ERR_COORDINATOR_NOT_AVAILABLE);
    } else {
        struct classic_pending *pending = mem_new(sizeof *pending);
        pending->id.key = str_keep(id);
        table_put(&classic->pending, &pending->id);
        set_deadline(groups, group, &pending->deadline_ms, request->session_timeout_ms);
        reply_join_error(groups, call, id, KAFKA_ERR_MEMBER_ID_REQUIRED);
    }
}

static void join_known(struct groups *groups, struct group *group, struct groups_call *call)
{
    const struct kafka_join_group_request *request = call->request;
    struct classic *classic = group->classic;
    if (table_get(&classic->pending, request->member_id) && request->group_instance_id.p == NULL) {
        add_member(groups, group, call, request->member_id);
        return;
    }
    int16_t error = classic_validate(classic, request->member_id, request->group_instance_id);
    if (error) {
        reply_join_error(groups, call, request->member_id, error);
        return;
    }
    struct classic_member *member = classic_member_of(classic, request->member_id);
    bool is_same = same_protocols(member, request);
    bool is_known = (classic->state == CLASSIC_COMPLETING && is_same) || /* it did not hear the answer */
                    (classic->state == CLASSIC_STABLE && is_same && classic->leader != member);
    if (!is_known)
        update_and_rebalance(groups, group, call, member);
    else
        reply_join(groups, call, classic, member);
}

/* group.max.size. A member that is over it goes. */
static bool has_room(struct groups *groups, struct classic *classic, struct str member_id)
{
    struct classic_member *member = classic_member_of(classic, member_id);
    uint32_t max = (uint32_t)groups->config.group_size_max;
    if (classic->state == CLASSIC_PREPARING ? (member && member->awaits_join) || classic->awaiting_join < max
                                            : member || classic->by_id.count < max)
        return true;
    if (member)
        drop_member(groups, classic, member, KAFKA_ERR_GROUP_MAX_SIZE_REACHED);
    return false;
}

/* The group to join; NULL: the call was answered, or waits. */
static struct group *join_group(struct groups *groups, struct groups_call *call)
{
    const struct kafka_join_group_request *request = call->request;
    struct group *group = group_find(groups, request->group_id);
    if (group && call_waits(group, call))
        return NULL;
    int16_t error = KAFKA_ERR_NONE;
    if (group && group->consumer && group->consumer->by_id.count > 0)
        error = KAFKA_ERR_INCONSISTENT_GROUP_PROTOCOL;
    else if ((group == NULL || group->consumer) && request->member_id.n > 0)
        error = KAFKA_ERR_UNKNOWN_MEMBER_ID;
    else if (group == NULL && (group = group_get(groups, request->group_id)) == NULL)
        error = KAFKA_ERR_COORDINATOR_NOT_AVAILABLE;
    if (error) {
        reply_join_error(groups, call, error == KAFKA_ERR_UNKNOWN_MEMBER_ID ? request->member_id : STR(""),
                         error);
        return NULL;
    }
    if (group->consumer) { /* an empty one: it is removed, durably, and then the call comes again */
        struct write *write = write_new(groups, WRITE_CHANGE);
        write_concerns(write, group);
        record_consumer_gone(groups, write, group);
        write_begin(groups, write, call, NULL);
        return NULL;
    }
    if (group->classic == NULL) {
        group->classic = classic_new();
        group->classic->state_ms = groups->now.wall.us / US_PER_MS;
    }
    return group;
}

static size_t protocol_bytes(const struct kafka_join_group_request *request)
{
    size_t bytes = 0;
    for (uint32_t i = 0; i < request->protocols_count; i++)
        bytes += request->protocols[i].name.n + request->protocols[i].metadata.n;
    return bytes;
}

void classic_join(struct groups *groups, struct groups_call *call)
{
    const struct kafka_join_group_request *request = call->request;
    int16_t error = KAFKA_ERR_NONE;
    if (request->group_id.n == 0)
        error = KAFKA_ERR_INVALID_GROUP_ID;
    else if (request->session_timeout_ms < groups->config.session_min_ms ||
             request->session_timeout_ms > groups->config.session_max_ms)
        error = KAFKA_ERR_INVALID_SESSION_TIMEOUT;
    else if (protocol_bytes(request) > GROUPS_MEMBER_BYTES_MAX)
        error = KAFKA_ERR_INVALID_REQUEST;
    if (error) {
        reply_join_error(groups, call, request->member_id, error);
        return;
    }
    struct group *group = join_group(groups, call);
    if (group == NULL)
        return;
    if (!has_room(groups, group->classic, request->member_id))
        reply_join_error(groups, call, STR(""), KAFKA_ERR_GROUP_MAX_SIZE_REACHED);
    else if (!classic_supports(group->classic, request->protocol_type, request->protocols,
                               request->protocols_count))
        reply_join_error(groups, call, request->member_id, KAFKA_ERR_INCONSISTENT_GROUP_PROTOCOL);
    else if (request->member_id.n == 0)
        join_new(groups, group, call);
    else
        join_known(groups, group, call);
    DCHECK(group_holds(groups, group));
    group_settle(groups, group);
}

/* ---- SyncGroup ------------------------------------------------------------------------------------------------ */

static bool is_other(struct str said, struct str has)
{
    return said.p && has.p && !str_eq(said, has);
}

/* The leader's assignments: they become durable with the generation. */
static void write_assignments(struct groups *groups, struct group *group,
                              const struct kafka_sync_group_request *request)
{
    struct classic *classic = group->classic;
    struct write *write = write_new(groups, WRITE_SYNC);
    write_concerns(write, group);
    write->generation = classic->generation;
    write->assignments_count = request->assignments_count;
    write->assignments = arena_array(&write->arena, struct assignment, request->assignments_count);
    for (uint32_t i = 0; i < request->assignments_count; i++) {
        struct str id = request->assignments[i].member_id, bytes = request->assignments[i].assignment;
        write->assignments[i].member_id = str_n(arena_dup(&write->arena, id.p, id.n), id.n);
        write->assignments[i].bytes = str_n(arena_dup(&write->arena, bytes.p, bytes.n), bytes.n);
    }
    record_classic(groups, write, group, write->assignments, write->assignments_count);
    if (write->records[0].value.n > GROUPS_RECORD_BYTES_MAX) {
        write_discard(groups, write);
        answer_syncs(groups, group, KAFKA_ERR_UNKNOWN_SERVER_ERROR);
        prepare(groups, group);
        return;
    }
    write_begin(groups, write, NULL, NULL);
    if (groups_faults.replies_early)
        classic_synced(groups, write, true);
}

void classic_synced(struct groups *groups, struct write *write, bool ok)
{
    struct group *group = write->groups[0];
    struct classic *classic = group->classic;
    if (classic == NULL || classic->state != CLASSIC_COMPLETING || classic->generation != write->generation)
        return; /* the group has moved on */
    if (!ok) {
        answer_syncs(groups, group, KAFKA_ERR_COORDINATOR_NOT_AVAILABLE);
        rebalance(groups, group);
        return;
    }
    LIST_EACH(link, &classic->members)
    {
        struct classic_member *member = CONTAINER_OF(link, struct classic_member, link);
        str_drop(&member->assignment);
        for (uint32_t i = write->assignments_count; i-- > 0 && member->assignment.p == NULL;)
            if (str_eq(write->assignments[i].member_id, member->id.key))
                member->assignment = str_keep(write->assignments[i].bytes);
    }
    answer_syncs(groups, group, KAFKA_ERR_NONE);
    classic_move(groups, classic, CLASSIC_STABLE);
}

static int16_t sync_check(const struct group *group, const struct kafka_sync_group_request *request)
{
    const struct classic *classic = group ? group->classic : NULL;
    if (request->group_id.n == 0)
        return KAFKA_ERR_INVALID_GROUP_ID;
    int16_t error = classic_validate(classic, request->member_id, request->group_instance_id);
    if (error)
        return error;
    if (request->generation_id != classic->generation)
        return KAFKA_ERR_ILLEGAL_GENERATION;
    if (is_other(request->protocol_type, classic->protocol_type) ||
        is_other(request->protocol_name, classic->protocol))
        return KAFKA_ERR_INCONSISTENT_GROUP_PROTOCOL;
    return classic->state == CLASSIC_PREPARING ? KAFKA_ERR_REBALANCE_IN_PROGRESS : KAFKA_ERR_NONE;
}

void classic_sync(struct groups *groups, struct groups_call *call)
{
    const struct kafka_sync_group_request *request = call->request;
    struct group *group = group_find(groups, request->group_id);
    if (group && call_waits(group, call))
        return;
    int16_t error = sync_check(group, request);
    if (error) {
        groups_reply_error(groups, call, error);
        return;
    }
    struct classic *classic = group->classic;
    struct classic_member *member = classic_member_of(classic, request->member_id);
    synced(classic, member);
    if (classic->state == CLASSIC_STABLE) {
        reply_sync(groups, call, classic, member);
        return;
    }
    struct groups_call *before = call_release(&member->sync);
    if (before)
        groups_reply_error(groups, before, KAFKA_ERR_REBALANCE_IN_PROGRESS);
    member->awaits_sync = true;
    call_hold(call, &member->sync);
    if (classic->leader == member)
        write_assignments(groups, group, request);
}

/* ---- Heartbeat, commits --------------------------------------------------------------------------------------- */

static int16_t heartbeat_check(const struct group *group, const struct kafka_heartbeat_request *request)
{
    const struct classic *classic = group ? group->classic : NULL;
    if (request->group_id.n == 0)
        return KAFKA_ERR_INVALID_GROUP_ID;
    int16_t error = classic_validate(classic, request->member_id, request->group_instance_id);
    if (error == KAFKA_ERR_NONE && request->generation_id != classic->generation)
        error = KAFKA_ERR_ILLEGAL_GENERATION;
    return error;
}

void classic_heartbeat(struct groups *groups, struct groups_call *call)
{
    const struct kafka_heartbeat_request *request = call->request;
    struct group *group = group_find(groups, request->group_id);
    if (group && call_waits(group, call))
        return;
    struct kafka_heartbeat_response response = {.error_code = heartbeat_check(group, request)};
    if (response.error_code == KAFKA_ERR_NONE) {
        heard_of(groups, group, classic_member_of(group->classic, request->member_id));
        if (group->classic->state == CLASSIC_PREPARING)
            response.error_code = KAFKA_ERR_REBALANCE_IN_PROGRESS;
    }
    groups_reply(groups, call, &response);
}

int16_t classic_may_commit(struct groups *groups, struct group *group, struct str member_id,
                           struct str instance, int32_t generation, bool is_txn)
{
    struct classic *classic = group->classic;
    bool is_empty = classic == NULL || classic->state == CLASSIC_EMPTY;
    if (generation < 0 && is_empty)
        return KAFKA_ERR_NONE; /* of a consumer that the group knows nothing of, or an administrator */
    if (generation >= 0 || member_id.n > 0 || instance.p) {
        int16_t error = classic_validate(classic, member_id, instance);
        if (error)
            return error;
        if (generation != classic->generation)
            return KAFKA_ERR_ILLEGAL_GENERATION;
    } else if (!is_txn && !is_empty) {
        return KAFKA_ERR_UNKNOWN_MEMBER_ID;
    }
    if (!is_txn && classic && classic->state == CLASSIC_COMPLETING)
        return KAFKA_ERR_REBALANCE_IN_PROGRESS;
    struct classic_member *member = classic_member_of(classic, member_id);
    if (!is_txn && member)
        heard_of(groups, group, member);
    return KAFKA_ERR_NONE;
}

/* ---- LeaveGroup ----------------------------------------------------------------------------------------------- */

static int16_t leave_one(struct groups *groups, struct classic *classic, struct str member_id,
                         struct str instance)
{
    struct classic_pending *pending = classic ? table_get(&classic->pending, member_id) : NULL;
    struct classic_member *member = member_id.n == 0 ? classic_static(classic, instance)
                                                     : classic_member_of(classic, member_id);
    if (member_id.n > 0 && pending) {
        pending_remove(classic, pending);
        return KAFKA_ERR_NONE;
    }
    int16_t error = member_id.n > 0 ? classic_validate(classic, member_id, instance)
                                    : (member ? KAFKA_ERR_NONE : KAFKA_ERR_UNKNOWN_MEMBER_ID);
    if (error == KAFKA_ERR_NONE)
        drop_member(groups, classic, member, KAFKA_ERR_UNKNOWN_MEMBER_ID);
    return error;
}

static void leave_members(struct groups *groups, struct group *group,
                          const struct kafka_leave_group_request *request,
                          struct kafka_leave_group_response *response)
{
    response->members_count = request->members_count;
    response->members = arena_zalloc(&groups->out,
                                     mem_product(request->members_count, sizeof *response->members));
    for (uint32_t i = 0; i < request->members_count; i++)
        response->members[i] = (struct kafka_leave_group_response_member){
            .member_id = request->members[i].member_id,
            .group_instance_id = request->members[i].group_instance_id,
            .error_code = leave_one(groups, group ? group->classic : NULL, request->members[i].member_id,
                                    request->members[i].group_instance_id),
        };
}

/* When nobody is left, the group's last generation is being written, and the answer waits for it. */
static void reply_leave(struct groups *groups, struct groups_call *call,
                        struct kafka_leave_group_response *response, uint64_t token_before)
{
    struct write *write = groups->token > token_before ? write_of(groups, groups->token) : NULL;
    if (write == NULL || write->call || groups_faults.replies_early) {
        groups_reply(groups, call, response);
        return;
    }
    size_t bytes = mem_product(response->members_count, sizeof *response->members);
    response->members = arena_dup(&write->arena, response->members ? (void *)response->members : "", bytes);
    write->response = arena_dup(&write->arena, response, sizeof *response);
    call_hold(call, &write->call);
}

void classic_leave(struct groups *groups, struct groups_call *call)
{
    const struct kafka_leave_group_request *request = call->request;
    struct group *group = group_find(groups, request->group_id);
    if (request->group_id.n == 0) {
        groups_reply_error(groups, call, KAFKA_ERR_INVALID_GROUP_ID);
        return;
    }
    if (group && call_waits(group, call))
        return;
    if (group && group->consumer) {
        consumer_leave(groups, group, call);
        return;
    }
    struct kafka_leave_group_response *response = KAFKA_NEW(&groups->out, kafka_leave_group_response, 1);
    uint64_t token = groups->token;
    bool has_left = false;
    if (call->version < 3) {
        response->error_code = leave_one(groups, group ? group->classic : NULL, request->member_id,
                                         (struct str){0});
        has_left = response->error_code == KAFKA_ERR_NONE;
    } else {
        leave_members(groups, group, request, response);
        for (uint32_t i = 0; i < response->members_count; i++)
            has_left = has_left || response->members[i].error_code == KAFKA_ERR_NONE;
    }
    if (has_left && group->classic->state != CLASSIC_EMPTY)
        rebalance(groups, group);
    DCHECK(group == NULL || group_holds(groups, group));
    reply_leave(groups, call, response, token);
    if (group)
        group_settle(groups, group);
}

/* ---- time ----------------------------------------------------------------------------------------------------- */

static void expire_pending(struct groups *groups, struct group *group)
{
    struct classic *classic = group->classic;
    bool has_ended = false;
    TABLE_EACH(entry, &classic->pending)
    {
        struct classic_pending *pending = (struct classic_pending *)entry;
        if (pending->deadline_ms > groups->now_ms)
            continue;
        pending_remove(classic, pending);
        has_ended = true;
    }
    if (has_ended && classic->state == CLASSIC_PREPARING && classic_all_joined(classic))
        complete_join(groups, group);
}

/* The first member that has to be looked at. */
static struct classic_member *due_member(const struct groups *groups, const struct classic *classic)
{
    LIST_EACH(link, &classic->members)
    {
        struct classic_member *member = CONTAINER_OF(link, struct classic_member, link);
        if (member->deadline_ms <= groups->now_ms)
            return member;
    }
    return NULL;
}

static void expire_members(struct groups *groups, struct group *group)
{
    struct classic *classic = group->classic;
    for (struct classic_member *member; (member = due_member(groups, classic)) != NULL;) {
        member->deadline_ms = TIME_NONE;
        if (!member->is_new && (member->awaits_join || member->awaits_sync))
            continue; /* it waits for us; the answer begins its session anew */
        drop_member(groups, classic, member, KAFKA_ERR_UNKNOWN_MEMBER_ID);
        if (classic->state != CLASSIC_PREPARING)
            prepare(groups, group);
        else if (classic_all_joined(classic))
            complete_join(groups, group);
    }
}

/* Those that have joined and not synced. */
static void expire_syncs(struct groups *groups, struct group *group)
{
    struct classic *classic = group->classic;
    classic->sync_ms = TIME_NONE;
    for (struct list *link = classic->members.next, *next; link != &classic->members; link = next) {
        next = link->next;
        struct classic_member *member = CONTAINER_OF(link, struct classic_member, link);
        if (member->owes_sync)
            drop_member(groups, classic, member, KAFKA_ERR_UNKNOWN_MEMBER_ID);
    }
    prepare(groups, group);
}

static void expire_join(struct groups *groups, struct group *group)
{
    struct classic *classic = group->classic;
    if (!classic->is_initial || !classic->has_new_member || classic->remaining_ms == 0) {
        complete_join(groups, group);
        return;
    }
    int32_t delay_ms = groups->config.initial_rebalance_delay_ms, remaining_ms = classic->remaining_ms;
    classic->has_new_member = false;
    classic->remaining_ms = remaining_ms > classic->delay_ms ? remaining_ms - classic->delay_ms : 0;
    classic->delay_ms = delay_ms < remaining_ms ? delay_ms : remaining_ms;
    set_deadline(groups, group, &classic->join_ms, classic->delay_ms);
}

static int64_t first_deadline(const struct classic *classic)
{
    int64_t first = classic->join_ms < classic->sync_ms ? classic->join_ms : classic->sync_ms;
    LIST_EACH(link, &classic->members)
    {
        const struct classic_member *member = CONTAINER_OF(link, struct classic_member, link);
        first = member->deadline_ms < first ? member->deadline_ms : first;
    }
    TABLE_EACH(entry, &classic->pending)
    {
        const struct classic_pending *pending = (const struct classic_pending *)entry;
        first = pending->deadline_ms < first ? pending->deadline_ms : first;
    }
    return first;
}

void classic_expire(struct groups *groups, struct group *group)
{
    struct classic *classic = group->classic;
    expire_pending(groups, group);
    expire_members(groups, group);
    if (classic->sync_ms <= groups->now_ms)
        expire_syncs(groups, group);
    if (classic->join_ms <= groups->now_ms)
        expire_join(groups, group);
    group_deadline(groups, group, first_deadline(classic));
    DCHECK(group_holds(groups, group));
}

void classic_loaded(struct groups *groups, struct group *group)
{
    struct classic *classic = group->classic;
    LIST_EACH(link, &classic->members)
    {
        struct classic_member *member = CONTAINER_OF(link, struct classic_member, link);
        heard_of(groups, group, member);
        member->is_silent = true;
    }
    if (classic->by_id.count > (uint32_t)groups->config.group_size_max)
        prepare(groups, group); /* who joins first stays */
}

/* Groups, of the classic protocol and of the new one alike: listing, looking into them, and what they have committed. */
#include <stdlib.h>

#include "topic/client_private.h"

enum {
    /* Versions that speak of topics and groups by name, one group at a time: every broker has them. */
    FIND_COORDINATOR_ONE = 3,
    OFFSET_FETCH_ONE = 7,
    OFFSET_COMMIT_NAMES = 9,
    GROUP_KEY = 0, /* of FindCoordinator */
};

/* ---- the coordinator ------------------------------------------------------------------------------------------------------- */

static bool find_coordinator(struct client *c, const char *id, int32_t *node, struct err *err)
{
    struct kafka_find_coordinator_request request;
    struct kafka_find_coordinator_response answer;
    struct retry retry;
    bool ok;
    KAFKA_INIT(kafka_find_coordinator_request, &request);
    request.key = str_of(id);
    request.key_type = GROUP_KEY;
    retry_begin(c, &retry);
    do {
        struct arena arena = {0};
        ok = client_call(c, CLIENT_ANY, KAFKA_API_FIND_COORDINATOR, FIND_COORDINATOR_ONE, &request, &arena,
                         &answer, err) &&
             client_check(answer.error_code, answer.error_message, err,
                          "could not find the coordinator of group \"%s\"", id);
        *node = answer.node_id;
        arena_fini(&arena);
    } while (!ok && err->class == ERR_RETRY && retry_again(c, &retry));
    return ok;
}

/* Asks the coordinator, once more where it has moved or is loading. result: the error code of the answer as a whole, of which a retriable one is
 * tried again. What remains is said with the words of what. */
static bool ask_coordinator(struct client *c, const char *id, int api, int version_max, const void *request,
                            struct arena *arena, void *answer, int16_t (*result)(const void *answer),
                            int32_t *coordinator, const char *what, struct err *err)
{
    struct retry retry;
    retry_begin(c, &retry);
    for (;;) {
        int32_t node;
        TRY(find_coordinator(c, id, &node, err));
        if (coordinator)
            *coordinator = node;
        TRY(client_call(c, node, api, version_max, request, arena, answer, err));
        int16_t code = result(answer);
        if (client_check(code, (struct str){0}, err, "could not %s group \"%s\"", what, id))
            return true;
        if (!is_retriable(code) || !retry_again(c, &retry))
            return false;
    }
}

/* What may have been meant. */
static bool no_group(struct client *c, const char *id, struct err *err)
{
    struct arena arena = {0};
    struct client_group *groups;
    uint32_t count;
    struct err ignored;
    const char *nearest = NULL;
    err_set(err, ERR_CONFIG, "there is no group \"%s\"", id);
    err->code = KAFKA_ERR_GROUP_ID_NOT_FOUND;
    if (client_groups(c, &arena, &groups, &count, &ignored)) {
        const char **names = arena_array(&arena, const char *, count);
        for (uint32_t i = 0; i < count; i++)
            names[i] = groups[i].id;
        nearest = str_nearest(str_of(id), names, count);
    }
    if (nearest)
        err_hint(err, "Did you mean \"%s\"?", nearest);
    else
        err_hint(err, "See: sluice group list.");
    arena_fini(&arena);
    return false;
}

/* ---- all groups -------------------------------------------------------------------------------------------------------------- */

static int by_id(const void *a, const void *b)
{
    return strcmp(((const struct client_group *)a)->id, ((const struct client_group *)b)->id);
}

bool client_groups(struct client *c, struct arena *arena, struct client_group **groups, uint32_t *count,
                   struct err *err)
{
    struct client_brokers brokers;
    size_t capacity = 0, used = 0;
    struct client_group *all = NULL;
    TRY(client_brokers(c, arena, &brokers, err));
    bool ok = true;
    for (uint32_t i = 0; ok && i < brokers.count; i++) {
        struct kafka_list_groups_request request;
        struct kafka_list_groups_response answer;
        KAFKA_INIT(kafka_list_groups_request, &request);
        struct retry retry;
        retry_begin(c, &retry);
        do
            ok = client_call(c, brokers.all[i].node, KAFKA_API_LIST_GROUPS, PEER_VERSION_ANY, &request, arena,
                             &answer, err) &&
                 client_check(answer.error_code, (struct str){0}, err, "could not list groups");
        while (!ok && err->class == ERR_RETRY && retry_again(c, &retry));
        for (uint32_t k = 0; ok && k < answer.groups_count; k++) {
            const struct kafka_list_groups_response_group *g = &answer.groups[k];
            all = mem_grow(all, &capacity, used + 1, sizeof *all);
            all[used++] = (struct client_group){.id = str_dup(arena, g->group_id),
                                                .type = str_dup(arena, g->group_type),
                                                .state = str_dup(arena, g->group_state),
                                                .protocol_type = str_dup(arena, g->protocol_type),
                                                .coordinator = brokers.all[i].node};
        }
    }
    if (used > 1)
        qsort(all, used, sizeof *all, by_id);
    *groups = arena_dup(arena, all, used * sizeof *all);
    *count = (uint32_t)used;
    mem_free(all);
    return ok;
}

/* ---- one group ------------------------------------------------------------------------------------------------------------------ */

static void add_places(struct arena *arena, struct client_member *member, struct str topic,
                       const int32_t *partitions, uint32_t count)
{
    struct client_place *places = arena_array(arena, struct client_place,
                                              (size_t)member->assigned_count + count);
    if (member->assigned_count > 0)
        memcpy(places, member->assigned, member->assigned_count * sizeof *places);
    const char *name = str_dup(arena, topic.p ? topic : STR(""));
    for (uint32_t i = 0; i < count; i++)
        places[member->assigned_count++] = (struct client_place){name, partitions[i]};
    member->assigned = places;
}

/* What a consumer was given is data of its own, which a program with another protocol fills in its own way. */
static void read_assignment(struct arena *arena, struct str bytes, struct client_member *member)
{
    struct kafka_consumer_protocol_assignment assignment;
    struct err ignored;
    struct rd r = rd_of(bytes.p, bytes.n);
    int version;
    if (bytes.n == 0 || !kafka_versioned_decode(&kafka_consumer_protocol_assignment, &r, arena, &version,
                                                &assignment, &ignored))
        return;
    for (uint32_t i = 0; i < assignment.assigned_partitions_count; i++)
        add_places(arena, member, assignment.assigned_partitions[i].topic,
                   assignment.assigned_partitions[i].partitions,
                   assignment.assigned_partitions[i].partitions_count);
}

static int16_t described_new(const void *answer)
{
    const struct kafka_consumer_group_describe_response *a = answer;
    return a->groups_count == 1 ? a->groups->error_code : KAFKA_ERR_UNKNOWN_SERVER_ERROR;
}

/* A group of the new protocol. */
static bool describe_new(struct client *c, struct arena *arena, const char *id,
                         struct client_group_info *info, struct err *err)
{
    struct kafka_consumer_group_describe_request request;
    struct kafka_consumer_group_describe_response answer;
    struct str ids = str_of(id);
    KAFKA_INIT(kafka_consumer_group_describe_request, &request);
    request.group_ids = &ids;
    request.group_ids_count = 1;
    TRY(ask_coordinator(c, id, KAFKA_API_CONSUMER_GROUP_DESCRIBE, PEER_VERSION_ANY, &request, arena, &answer,
                        described_new, &info->group.coordinator, "describe", err));
    const struct kafka_consumer_group_describe_response_group *g = answer.groups;
    info->group.type = "consumer";
    info->group.state = str_dup(arena, g->group_state);
    info->group.protocol_type = "consumer";
    info->assignor = str_dup(arena, g->assignor_name);
    info->members = arena_zarray(arena, struct client_member, g->members_count);
    info->member_count = g->members_count;
    for (uint32_t i = 0; i < g->members_count; i++) {
        const struct kafka_consumer_group_describe_response_member *m = &g->members[i];
        info->members[i] = (struct client_member){.id = str_dup(arena, m->member_id),
                                                  .instance = text_of(arena, m->instance_id),
                                                  .client = str_dup(arena, m->client_id),
                                                  .host = str_dup(arena, m->client_host)};
        for (uint32_t k = 0; k < m->assignment.topic_partitions_count; k++)
            add_places(arena, &info->members[i], m->assignment.topic_partitions[k].topic_name,
                       m->assignment.topic_partitions[k].partitions,
                       m->assignment.topic_partitions[k].partitions_count);
    }
    return true;
}

static int16_t described(const void *answer)
{
    const struct kafka_describe_groups_response *a = answer;
    return a->groups_count == 1 ? a->groups->error_code : KAFKA_ERR_UNKNOWN_SERVER_ERROR;
}

static bool describe_classic(struct client *c, struct arena *arena, const char *id,
                             struct client_group_info *info, struct err *err)
{
    struct kafka_describe_groups_request request;
    struct kafka_describe_groups_response answer;
    struct str ids = str_of(id);
    KAFKA_INIT(kafka_describe_groups_request, &request);
    request.groups = &ids;
    request.groups_count = 1;
    TRY(ask_coordinator(c, id, KAFKA_API_DESCRIBE_GROUPS, PEER_VERSION_ANY, &request, arena, &answer,
                        described, &info->group.coordinator, "describe", err));
    const struct kafka_describe_groups_response_group *g = answer.groups;
    if (str_is(g->group_state, "Dead")) { /* what older brokers say of a group that is not there */
        err->code = KAFKA_ERR_GROUP_ID_NOT_FOUND;
        return false;
    }
    info->group.type = "classic";
    info->group.state = str_dup(arena, g->group_state);
    info->group.protocol_type = str_dup(arena, g->protocol_type);
    info->assignor = str_dup(arena, g->protocol_data);
    info->members = arena_zarray(arena, struct client_member, g->members_count);
    info->member_count = g->members_count;
    for (uint32_t i = 0; i < g->members_count; i++) {
        const struct kafka_describe_groups_response_member *m = &g->members[i];
        info->members[i] = (struct client_member){.id = str_dup(arena, m->member_id),
                                                  .instance = text_of(arena, m->group_instance_id),
                                                  .client = str_dup(arena, m->client_id),
                                                  .host = str_dup(arena, m->client_host)};
        if (str_is(g->protocol_type, "consumer"))
            read_assignment(arena, m->member_assignment, &info->members[i]);
    }
    return true;
}

bool client_group(struct client *c, struct arena *arena, const char *id, struct client_group_info *info,
                  struct err *err)
{
    *info = (struct client_group_info){.group.id = id};
    if (describe_new(c, arena, id, info, err))
        return true;
    if (err->code != KAFKA_ERR_GROUP_ID_NOT_FOUND && err->code != KAFKA_ERR_UNSUPPORTED_VERSION)
        return false;
    if (describe_classic(c, arena, id, info, err))
        return true;
    return err->code == KAFKA_ERR_GROUP_ID_NOT_FOUND && no_group(c, id, err);
}

/* ---- offsets --------------------------------------------------------------------------------------------------------------------- */

static int by_place(const void *a, const void *b)
{
    const struct client_place *x = &((const struct client_committed *)a)->place,
                              *y = &((const struct client_committed *)b)->place;
    int order = strcmp(x->topic, y->topic);
    return order ? order : (x->partition > y->partition) - (x->partition < y->partition);
}

static int16_t fetched(const void *answer)
{
    const struct kafka_offset_fetch_response *a = answer;
    if (a->error_code)
        return a->error_code;
    /* version 1 has the errors of the group in its partitions */
    return a->topics_count && a->topics->partitions_count ? a->topics->partitions->error_code : 0;
}

bool client_group_offsets(struct client *c, struct arena *arena, const char *id,
                          struct client_committed **offsets, uint32_t *count, struct err *err)
{
    struct kafka_offset_fetch_request request;
    struct kafka_offset_fetch_response answer;
    KAFKA_INIT(kafka_offset_fetch_request, &request);
    request.group_id = str_of(id);
    request.topics = NULL; /* all of them */
    *count = 0;
    TRY(ask_coordinator(c, id, KAFKA_API_OFFSET_FETCH, OFFSET_FETCH_ONE, &request, arena, &answer, fetched,
                        NULL, "read the offsets of", err));
    size_t all = 0;
    for (uint32_t i = 0; i < answer.topics_count; i++)
        all += answer.topics[i].partitions_count;
    *offsets = arena_zarray(arena, struct client_committed, all);
    for (uint32_t i = 0; i < answer.topics_count; i++) {
        const char *topic = str_dup(arena, answer.topics[i].name);
        for (uint32_t k = 0; k < answer.topics[i].partitions_count; k++) {
            const struct kafka_offset_fetch_response_partition *p = &answer.topics[i].partitions[k];
            (*offsets)[(*count)++] = (struct client_committed){
                .place = {topic, p->partition_index},
                .offset = p->committed_offset < 0 ? -1 : p->committed_offset,
                .leader_epoch = p->committed_leader_epoch,
                .metadata = str_dup(arena, p->metadata.p ? p->metadata : STR("")),
                .error = p->error_code,
            };
        }
    }
    if (*count > 1)
        qsort(*offsets, *count, sizeof **offsets, by_place);
    return true;
}

/* How many of offsets[count] are of the same topic as the first: they are sorted. */
static uint32_t same_topic(const struct client_committed *offsets, uint32_t count)
{
    uint32_t n = 1;
    while (n < count && strcmp(offsets[n].place.topic, offsets[0].place.topic) == 0)
        n++;
    return n;
}

static struct client_committed *find_place(struct client_committed *offsets, uint32_t count, struct str topic,
                                           int32_t partition)
{
    for (uint32_t i = 0; i < count; i++)
        if (offsets[i].place.partition == partition && str_is(topic, offsets[i].place.topic))
            return &offsets[i];
    return NULL;
}

static int16_t committed(const void *answer)
{
    const struct kafka_offset_commit_response *a = answer;
    int16_t code = a->topics_count && a->topics->partitions_count ? a->topics->partitions->error_code : 0;
    return code == KAFKA_ERR_NOT_COORDINATOR || code == KAFKA_ERR_COORDINATOR_NOT_AVAILABLE ||
                   code == KAFKA_ERR_COORDINATOR_LOAD_IN_PROGRESS
               ? code
               : 0;
}

/* The first that was refused. */
static bool check_places(const struct client_committed *offsets, uint32_t count, const char *what,
                         const char *id, struct err *err)
{
    for (uint32_t i = 0; i < count; i++)
        TRY(client_check(offsets[i].error, (struct str){0}, err,
                         "could not %s the offset of group \"%s\" in topic \"%s\", partition %d", what, id,
                         offsets[i].place.topic, offsets[i].place.partition));
    return true;
}

bool client_group_commit(struct client *c, const char *id, struct client_committed *offsets, uint32_t count,
                         struct err *err)
{
    struct kafka_offset_commit_request request;
    struct kafka_offset_commit_response answer;
    struct arena arena = {0};
    if (count > 1)
        qsort(offsets, count, sizeof *offsets, by_place);
    KAFKA_INIT(kafka_offset_commit_request, &request);
    request.group_id = str_of(id);
    request.member_id = STR("");
    request.topics = KAFKA_NEW(&arena, kafka_offset_commit_request_topic, count);
    for (uint32_t i = 0, n; i < count; i += n) {
        struct kafka_offset_commit_request_topic *topic = &request.topics[request.topics_count++];
        n = same_topic(offsets + i, count - i);
        topic->name = str_of(offsets[i].place.topic);
        topic->partitions = KAFKA_NEW(&arena, kafka_offset_commit_request_partition, n);
        for (uint32_t k = 0; k < n; k++) {
            struct kafka_offset_commit_request_partition *p = &topic->partitions[topic->partitions_count++];
            p->partition_index = offsets[i + k].place.partition;
            p->committed_offset = offsets[i + k].offset;
            p->committed_leader_epoch = offsets[i + k].leader_epoch;
            p->committed_metadata = str_of(offsets[i + k].metadata ? offsets[i + k].metadata : "");
        }
    }
    bool ok = ask_coordinator(c, id, KAFKA_API_OFFSET_COMMIT, OFFSET_COMMIT_NAMES, &request, &arena, &answer,
                              committed, NULL, "commit offsets of", err);
    for (uint32_t i = 0; ok && i < answer.topics_count; i++)
        for (uint32_t k = 0; k < answer.topics[i].partitions_count; k++) {
            struct client_committed *to = find_place(offsets, count, answer.topics[i].name,
                                                     answer.topics[i].partitions[k].partition_index);
            if (to)
                to->error = answer.topics[i].partitions[k].error_code;
        }
    ok = ok && check_places(offsets, count, "set", id, err);
    arena_fini(&arena);
    return ok;
}

static int16_t forgotten(const void *answer)
{
    return ((const struct kafka_offset_delete_response *)answer)->error_code;
}

bool client_group_forget(struct client *c, const char *id, struct client_committed *offsets, uint32_t count,
                         struct err *err)
{
    struct kafka_offset_delete_request request;
    struct kafka_offset_delete_response answer;
    struct arena arena = {0};
    KAFKA_INIT(kafka_offset_delete_request, &request);
    request.group_id = str_of(id);
    request.topics = KAFKA_NEW(&arena, kafka_offset_delete_request_topic, count);
    for (uint32_t i = 0, n; i < count; i += n) {
        struct kafka_offset_delete_request_topic *topic = &request.topics[request.topics_count++];
        n = same_topic(offsets + i, count - i);
        topic->name = str_of(offsets[i].place.topic);
        topic->partitions = KAFKA_NEW(&arena, kafka_offset_delete_request_partition, n);
        for (uint32_t k = 0; k < n; k++)
            topic->partitions[topic->partitions_count++].partition_index = offsets[i + k].place.partition;
    }
    bool ok = ask_coordinator(c, id, KAFKA_API_OFFSET_DELETE, PEER_VERSION_ANY, &request, &arena, &answer,
                              forgotten, NULL, "forget offsets of", err);
    for (uint32_t i = 0; ok && i < answer.topics_count; i++)
        for (uint32_t k = 0; k < answer.topics[i].partitions_count; k++) {
            struct client_committed *to = find_place(offsets, count, answer.topics[i].name,
                                                     answer.topics[i].partitions[k].partition_index);
            if (to)
                to->error = answer.topics[i].partitions[k].error_code;
        }
    ok = ok && check_places(offsets, count, "forget", id, err);
    bool missing = !ok && err->code == KAFKA_ERR_GROUP_ID_NOT_FOUND;
    arena_fini(&arena);
    return missing ? no_group(c, id, err) : ok;
}

static int16_t group_deleted(const void *answer)
{
    const struct kafka_delete_groups_response *a = answer;
    return a->results_count == 1 ? a->results->error_code : KAFKA_ERR_UNKNOWN_SERVER_ERROR;
}

bool client_group_delete(struct client *c, const char *id, struct err *err)
{
    struct kafka_delete_groups_request request;
    struct kafka_delete_groups_response answer;
    struct arena arena = {0};
    struct str ids = str_of(id);
    KAFKA_INIT(kafka_delete_groups_request, &request);
    request.groups_names = &ids;
    request.groups_names_count = 1;
    bool ok = ask_coordinator(c, id, KAFKA_API_DELETE_GROUPS, PEER_VERSION_ANY, &request, &arena, &answer,
                              group_deleted, NULL, "delete", err);
    arena_fini(&arena);
    if (!ok && err->code == KAFKA_ERR_GROUP_ID_NOT_FOUND)
        return no_group(c, id, err);
    if (!ok && err->code == KAFKA_ERR_NON_EMPTY_GROUP)
        return err_hint(err, "Stop its members first; `sluice group describe %s` names them.", id);
    return ok;
}

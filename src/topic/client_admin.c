/* What is asked of topics: where they end, how large they are, their configuration; making, changing and deleting them. */
#include <stdlib.h>

#include "base/map.h"
#include "os/os.h"
#include "topic/client_private.h"

enum {
    ADMIN_MS = 30 * 1000,     /* how long the cluster may take to do it */
    LEADERLESS_MS = 2 * 1000, /* as long a new topic's partition may have no leader yet */
    RESOURCE_TOPIC = 2,       /* of DescribeConfigs */
    SOURCE_TOPIC = 1,         /* the value is the topic's own */
    OPERATION_SET = 0,        /* of IncrementalAlterConfigs */
    OPERATION_DELETE = 1,
};

/* ---- by leader ----------------------------------------------------------------------------------------------------------- */

/* One leader's part of a call about partitions. */
struct part {
    int32_t leader;
    struct client_call call;
    bool is_started;
    struct kafka_list_offsets_response offsets;
};

/* The partitions that a call is still about are those with is_pending. */
static uint32_t leaders_of(const struct client_topic *topics, uint32_t count, struct arena *arena,
                           struct part **parts)
{
    size_t capacity = 0, used = 0;
    int32_t *leaders = NULL;
    for (uint32_t i = 0; i < count; i++)
        for (int32_t p = 0; p < topics[i].partition_count; p++) {
            const struct client_partition *partition = &topics[i].partitions[p];
            size_t k = 0;
            if (!partition->is_pending || partition->leader < 0)
                continue;
            while (k < used && leaders[k] != partition->leader)
                k++;
            if (k == used) {
                leaders = mem_grow(leaders, &capacity, used + 1, sizeof *leaders);
                leaders[used++] = partition->leader;
            }
        }
    *parts = arena_zarray(arena, struct part, used);
    for (size_t k = 0; k < used; k++)
        (*parts)[k].leader = leaders[k];
    mem_free(leaders);
    return (uint32_t)used;
}

static bool is_of(const struct client_partition *p, int32_t leader)
{
    return p->is_pending && p->leader == leader;
}

static uint32_t count_of(const struct client_topic *topic, int32_t leader)
{
    uint32_t n = 0;
    for (int32_t p = 0; p < topic->partition_count; p++)
        n += is_of(&topic->partitions[p], leader);
    return n;
}

/* ---- offsets ------------------------------------------------------------------------------------------------------------- */

static void fill_offsets(const struct client_topic *topics, uint32_t count, int32_t leader, int64_t time_ms,
                         bool committed, struct arena *arena, struct kafka_list_offsets_request *request)
{
    KAFKA_INIT(kafka_list_offsets_request, request);
    request->replica_id = -1;
    request->isolation_level = committed;
    request->timeout_ms = ADMIN_MS;
    request->topics = KAFKA_NEW(arena, kafka_list_offsets_request_topic, count);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t n = count_of(&topics[i], leader);
        if (n == 0)
            continue;
        struct kafka_list_offsets_request_topic *topic = &request->topics[request->topics_count++];
        topic->name = str_of(topics[i].name);
        topic->partitions = KAFKA_NEW(arena, kafka_list_offsets_request_partition, n);
        for (int32_t p = 0; p < topics[i].partition_count; p++)
            if (is_of(&topics[i].partitions[p], leader)) {
                struct kafka_list_offsets_request_partition *partition =
                    &topic->partitions[topic->partitions_count++];
                partition->partition_index = p;
                partition->current_leader_epoch = topics[i].partitions[p].leader_epoch;
                partition->timestamp = time_ms;
            }
    }
}

static void take_offsets(const struct map *names, const struct kafka_list_offsets_response *answer)
{
    for (uint32_t i = 0; i < answer->topics_count; i++) {
        const struct kafka_list_offsets_response_topic *t = &answer->topics[i];
        struct client_topic *topic = map_get(names, t->name);
        for (uint32_t k = 0; topic && k < t->partitions_count; k++) {
            const struct kafka_list_offsets_response_partition *in = &t->partitions[k];
            if (in->partition_index < 0 || in->partition_index >= topic->partition_count)
                continue;
            struct client_partition *p = &topic->partitions[in->partition_index];
            p->error = in->error_code;
            p->is_pending = is_retriable(in->error_code);
            if (in->error_code == 0)
                p->found = in->offset < 0 ? -1 : in->offset;
        }
    }
}

/* One try for all partitions that are pending. *answered: some broker did. */
static bool try_offsets(struct client *c, struct client_topic *topics, uint32_t count, int64_t time_ms,
                        bool committed, const struct map *names, bool *answered, struct arena *arena,
                        struct err *err)
{
    struct part *parts;
    uint32_t part_count = leaders_of(topics, count, arena, &parts);
    bool ok = true;
    for (uint32_t i = 0; i < part_count; i++) {
        struct kafka_list_offsets_request request;
        fill_offsets(topics, count, parts[i].leader, time_ms, committed, arena, &request);
        parts[i].is_started = client_start(c, parts[i].leader, &parts[i].call, KAFKA_API_LIST_OFFSETS,
                                           PEER_VERSION_ANY, &request, arena, &parts[i].offsets, err);
        ok = ok && (parts[i].is_started || err->class == ERR_RETRY);
    }
    for (uint32_t i = 0; i < part_count; i++) {
        struct err lost;
        if (!parts[i].is_started)
            continue;
        if (client_wait(c, &parts[i].call, &lost)) {
            take_offsets(names, &parts[i].offsets);
            *answered = true;
        } else if (ok) {
            *err = lost;
            ok = lost.class == ERR_RETRY;
        }
    }
    return ok;
}

static bool any_pending(struct client_topic *topics, uint32_t count, bool forgive_leaderless)
{
    bool any = false;
    for (uint32_t i = 0; i < count; i++)
        for (int32_t p = 0; p < topics[i].partition_count; p++) {
            struct client_partition *partition = &topics[i].partitions[p];
            if (partition->is_pending && partition->leader < 0) {
                partition->error = KAFKA_ERR_LEADER_NOT_AVAILABLE;
                partition->is_pending = !forgive_leaderless;
            }
            any = any || partition->is_pending;
        }
    return any;
}

static bool find_offsets(struct client *c, struct client_topic *topics, uint32_t count, int64_t time_ms,
                         bool committed, const struct map *names, struct err *err)
{
    struct retry retry;
    struct mono_time begin = os_mono();
    bool answered = false, pending = true, ok = true;
    err_clear(err);
    retry_begin(c, &retry);
    while (ok && pending) {
        struct arena arena = {0};
        ok = try_offsets(c, topics, count, time_ms, committed, names, &answered, &arena, err);
        arena_fini(&arena);
        pending = ok &&
                  any_pending(topics, count, mono_since_ns(os_mono(), begin) > LEADERLESS_MS * NS_PER_MS);
        if (!pending)
            break;
        struct err ignored;
        if (!retry_again(c, &retry))
            return answered;
        (void)!client_refresh(c, topics, count, &ignored);
    }
    return ok;
}

bool client_offsets(struct client *c, struct client_topic *topics, uint32_t count, int64_t time_ms,
                    bool committed, struct err *err)
{
    struct map names = {0};
    for (uint32_t i = 0; i < count; i++) {
        map_put(&names, str_of(topics[i].name), &topics[i]);
        for (int32_t p = 0; p < topics[i].partition_count; p++) {
            topics[i].partitions[p].found = -1;
            topics[i].partitions[p].error = 0;
            topics[i].partitions[p].is_pending = true;
        }
    }
    bool ok = find_offsets(c, topics, count, time_ms, committed, &names, err);
    map_fini(&names);
    return ok;
}

/* ---- sizes ---------------------------------------------------------------------------------------------------------------- */

static void take_sizes(const struct map *names, int32_t leader,
                       const struct kafka_describe_log_dirs_response *answer)
{
    for (uint32_t d = 0; d < answer->results_count; d++)
        for (uint32_t i = 0; i < answer->results[d].topics_count; i++) {
            const struct kafka_describe_log_dirs_response_topic *t = &answer->results[d].topics[i];
            struct client_topic *topic = map_get(names, t->name);
            for (uint32_t k = 0; topic && k < t->partitions_count; k++) {
                int32_t p = t->partitions[k].partition_index;
                if (p >= 0 && p < topic->partition_count && topic->partitions[p].leader == leader &&
                    !t->partitions[k].is_future_key)
                    topic->partitions[p].bytes = t->partitions[k].partition_size;
            }
        }
}

static bool ask_sizes(struct client *c, struct client_topic *topics, uint32_t count, int32_t leader,
                      const struct map *names, struct err *err)
{
    struct kafka_describe_log_dirs_request request;
    struct kafka_describe_log_dirs_response answer;
    struct arena arena = {0};
    KAFKA_INIT(kafka_describe_log_dirs_request, &request);
    request.topics = KAFKA_NEW(&arena, kafka_describe_log_dirs_request_topic, count);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t n = count_of(&topics[i], leader);
        if (n == 0)
            continue;
        struct kafka_describe_log_dirs_request_topic *topic = &request.topics[request.topics_count++];
        topic->topic = str_of(topics[i].name);
        topic->partitions = arena_array(&arena, int32_t, n);
        for (int32_t p = 0; p < topics[i].partition_count; p++)
            if (is_of(&topics[i].partitions[p], leader))
                topic->partitions[topic->partitions_count++] = p;
    }
    bool ok = client_call(c, leader, KAFKA_API_DESCRIBE_LOG_DIRS, PEER_VERSION_ANY, &request, &arena, &answer,
                          err) &&
              client_check(answer.error_code, (struct str){0}, err, "sizes");
    if (ok)
        take_sizes(names, leader, &answer);
    arena_fini(&arena);
    return ok;
}

bool client_sizes(struct client *c, struct client_topic *topics, uint32_t count, struct err *err)
{
    struct map names = {0};
    struct arena arena = {0};
    struct part *parts;
    bool ok = true;
    for (uint32_t i = 0; i < count; i++) {
        map_put(&names, str_of(topics[i].name), &topics[i]);
        for (int32_t p = 0; p < topics[i].partition_count; p++)
            topics[i].partitions[p].is_pending = true;
    }
    uint32_t part_count = leaders_of(topics, count, &arena, &parts);
    for (uint32_t i = 0; ok && i < part_count; i++)
        ok = ask_sizes(c, topics, count, parts[i].leader, &names, err);
    arena_fini(&arena);
    map_fini(&names);
    return ok;
}

/* ---- configuration -------------------------------------------------------------------------------------------------------- */

bool client_configs(struct client *c, struct arena *arena, const struct client_topic *topics, uint32_t count,
                    const char *const *names, struct client_configs **configs, struct err *err)
{
    struct kafka_describe_configs_request request;
    struct kafka_describe_configs_response answer;
    struct map found = {0};
    uint32_t name_count = 0;
    struct str *keys = NULL;
    *configs = arena_zarray(arena, struct client_configs, count);
    if (count == 0)
        return true;
    KAFKA_INIT(kafka_describe_configs_request, &request);
    while (names && names[name_count])
        name_count++;
    if (names) {
        keys = arena_array(arena, struct str, name_count);
        for (uint32_t i = 0; i < name_count; i++)
            keys[i] = str_of(names[i]);
    }
    request.resources_count = count;
    request.resources = KAFKA_NEW(arena, kafka_describe_configs_request_resource, count);
    for (uint32_t i = 0; i < count; i++)
        request.resources[i] = (struct kafka_describe_configs_request_resource){
            .resource_type = RESOURCE_TOPIC,
            .resource_name = str_of(topics[i].name),
            .configuration_keys = keys,
            .configuration_keys_count = name_count,
        };
    TRY(client_call(c, CLIENT_ANY, KAFKA_API_DESCRIBE_CONFIGS, PEER_VERSION_ANY, &request, arena, &answer,
                    err));
    for (uint32_t i = 0; i < count; i++) {
        (*configs)[i].error = KAFKA_ERR_UNKNOWN_TOPIC_OR_PARTITION;
        map_put(&found, str_of(topics[i].name), &(*configs)[i]);
    }
    for (uint32_t i = 0; i < answer.results_count; i++) {
        const struct kafka_describe_configs_response_resource *r = &answer.results[i];
        struct client_configs *to = map_get(&found, r->resource_name);
        if (to == NULL)
            continue;
        *to = (struct client_configs){.error = r->error_code};
        to->all = arena_zarray(arena, struct client_config, r->configs_count);
        for (uint32_t k = 0; k < r->configs_count; k++)
            to->all[to->count++] = (struct client_config){.name = str_dup(arena, r->configs[k].name),
                                                          .value = text_of(arena, r->configs[k].value),
                                                          .is_topics_own = r->configs[k].config_source ==
                                                                           SOURCE_TOPIC};
    }
    map_fini(&found);
    return true;
}

const char *client_config_value(const struct client_configs *configs, const char *name)
{
    for (uint32_t i = 0; i < configs->count; i++)
        if (strcmp(configs->all[i].name, name) == 0)
            return configs->all[i].value;
    return NULL;
}

/* ---- making, changing, deleting -------------------------------------------------------------------------------------------- */

/* Asks the controller until it is the controller that was asked. each(answer, &message): the error code of the one thing that was asked for. */
static bool ask_controller(struct client *c, int api, int version_max, const void *request, void *answer,
                           int16_t (*result)(const void *answer, struct str *message), const char *what,
                           const char *name, struct err *err)
{
    struct retry retry;
    struct arena arena = {0};
    bool ok;
    retry_begin(c, &retry);
    for (;;) {
        struct str message = {0};
        ok = client_call(c, c->controller < 0 ? CLIENT_ANY : CLIENT_CONTROLLER, api, version_max, request,
                         &arena, answer, err);
        int16_t code = ok ? result(answer, &message) : 0;
        ok = ok && client_check(code, message, err, "could not %s topic \"%s\"", what, name);
        if (ok || code == KAFKA_ERR_UNKNOWN_TOPIC_OR_PARTITION || !is_retriable(code) ||
            !retry_again(c, &retry))
            break;
    }
    arena_fini(&arena);
    return ok;
}

#define RESULT(function, message_struct, list)                                                               \
    static int16_t function(const void *answer, struct str *message)                                         \
    {                                                                                                        \
        const struct message_struct *a = answer;                                                             \
        if (a->list##_count != 1)                                                                            \
            return KAFKA_ERR_UNKNOWN_SERVER_ERROR;                                                           \
        *message = a->list->error_message;                                                                   \
        return a->list->error_code;                                                                          \
    }
RESULT(created, kafka_create_topics_response, topics)
RESULT(deleted, kafka_delete_topics_response, responses)
RESULT(grown, kafka_create_partitions_response, results)
RESULT(altered, kafka_incremental_alter_configs_response, responses)

bool client_topic_create(struct client *c, const char *name, int32_t partitions, int16_t replicas,
                         const struct client_config *configs, uint32_t count, struct err *err)
{
    struct kafka_create_topics_request request;
    struct kafka_create_topics_response answer;
    struct arena arena = {0};
    KAFKA_INIT(kafka_create_topics_request, &request);
    struct kafka_create_topics_request_topic *topic = KAFKA_NEW(&arena, kafka_create_topics_request_topic, 1);
    request.topics = topic;
    request.topics_count = 1;
    request.timeout_ms = ADMIN_MS;
    topic->name = str_of(name);
    topic->num_partitions = partitions;
    topic->replication_factor = replicas;
    topic->configs = KAFKA_NEW(&arena, kafka_create_topics_request_config, count);
    for (uint32_t i = 0; i < count; i++)
        topic->configs[topic->configs_count++] = (struct kafka_create_topics_request_config){
            str_of(configs[i].name), str_of(configs[i].value)};
    bool ok = ask_controller(c, KAFKA_API_CREATE_TOPICS, PEER_VERSION_ANY, &request, &answer, created,
                             "create", name, err);
    arena_fini(&arena);
    return ok;
}

bool client_topic_delete(struct client *c, const char *name, struct err *err)
{
    struct kafka_delete_topics_request request;
    struct kafka_delete_topics_response answer;
    struct str names = str_of(name);
    KAFKA_INIT(kafka_delete_topics_request, &request);
    request.topic_names = &names;
    request.topic_names_count = 1;
    request.timeout_ms = ADMIN_MS;
    enum { BY_NAME = 5 }; /* later versions want ids, or names in other fields */
    return ask_controller(c, KAFKA_API_DELETE_TOPICS, BY_NAME, &request, &answer, deleted, "delete", name,
                          err);
}

bool client_topic_grow(struct client *c, const char *name, int32_t partitions, struct err *err)
{
    struct kafka_create_partitions_request request;
    struct kafka_create_partitions_response answer;
    struct kafka_create_partitions_request_topic topic;
    KAFKA_INIT(kafka_create_partitions_request, &request);
    KAFKA_INIT(kafka_create_partitions_request_topic, &topic);
    topic.name = str_of(name);
    topic.count = partitions;
    topic.assignments = NULL; /* the cluster's own choice */
    request.topics = &topic;
    request.topics_count = 1;
    request.timeout_ms = ADMIN_MS;
    return ask_controller(c, KAFKA_API_CREATE_PARTITIONS, PEER_VERSION_ANY, &request, &answer, grown,
                          "add partitions to", name, err);
}

bool client_topic_alter(struct client *c, const char *name, const struct client_config *configs,
                        uint32_t count, struct err *err)
{
    struct kafka_incremental_alter_configs_request request;
    struct kafka_incremental_alter_configs_response answer;
    struct kafka_incremental_alter_configs_request_resource topic;
    struct arena arena = {0};
    KAFKA_INIT(kafka_incremental_alter_configs_request, &request);
    KAFKA_INIT(kafka_incremental_alter_configs_request_resource, &topic);
    topic.resource_type = RESOURCE_TOPIC;
    topic.resource_name = str_of(name);
    topic.configs = KAFKA_NEW(&arena, kafka_incremental_alter_configs_request_config, count);
    for (uint32_t i = 0; i < count; i++)
        topic.configs[topic.configs_count++] = (struct kafka_incremental_alter_configs_request_config){
            .name = str_of(configs[i].name),
            .config_operation = configs[i].value ? OPERATION_SET : OPERATION_DELETE,
            .value = str_of(configs[i].value)};
    request.resources = &topic;
    request.resources_count = 1;
    bool ok = ask_controller(c, KAFKA_API_INCREMENTAL_ALTER_CONFIGS, PEER_VERSION_ANY, &request, &answer,
                             altered, "configure", name, err);
    arena_fini(&arena);
    return ok;
}

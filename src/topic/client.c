/* Brokers, metadata, and what is the same in every call: trying again, errors out of answers. */
#include "topic/client_private.h"

#include <stdio.h>
#include <stdlib.h>

#include "os/os.h"

enum { PAUSE_FIRST_MS = 50, PAUSE_MAX_MS = 1000, PORT = 9092 };

/* ---- brokers --------------------------------------------------------------------------------------------------------------- */

static struct node *add_node(struct client *c, int32_t id, const char *address)
{
    struct node *node = pool_new_struct(c->pool, struct node);
    *node = (struct node){.id = id, .address = address, .socket = -1};
    c->nodes = mem_grow(c->nodes, &c->node_capacity, c->node_count + 1, sizeof(struct node *));
    return c->nodes[c->node_count++] = node;
}

static void close_client(void *arg)
{
    struct client *c = arg;
    struct err err;
    err_set(&err, ERR_FATAL, "the client ends");
    for (size_t i = 0; i < c->node_count; i++)
        node_close(c, c->nodes[i], &err);
    mem_free(c->nodes);
    arena_fini(&c->scratch);
    os_poller_free(c->poller);
}

/* "host", "host:port", "[::1]:port", each behind a comma. */
static bool read_bootstrap(struct client *c, struct err *err)
{
    struct str rest = str_of(c->options.bootstrap);
    while (rest.n > 0) {
        size_t comma = str_find(rest, STR(","), 0);
        struct str one = str_trim(str_n(rest.p, comma == SIZE_MAX ? rest.n : comma));
        rest = comma == SIZE_MAX ? STR("") : str_n(rest.p + comma + 1, rest.n - comma - 1);
        if (one.n == 0)
            continue;
        size_t at = one.n;
        while (at > 0 && one.p[at - 1] != ':' && one.p[at - 1] != ']')
            at--;
        bool has_port = at > 0 && one.p[at - 1] == ':';
        uint64_t port = PORT;
        if (has_port &&
            (!str_to_u64(str_n(one.p + at, one.n - at), &port) || port == 0 || port > 65535 || at == 1)) {
            err_set(err, ERR_CONFIG, "\"%.*s\" is no address of a Kafka broker", STR_ARG(one));
            return err_hint(err, "Write host:port, several with commas: -b kafka1:9092,kafka2:9092.");
        }
        if (c->bootstrap_count == CLIENT_BOOTSTRAP_MAX)
            return err_set(err, ERR_CONFIG, "more than %d bootstrap servers", CLIENT_BOOTSTRAP_MAX);
        c->bootstrap[c->bootstrap_count++] = has_port ? str_dup(pool_arena(c->pool), one)
                                                      : pool_printf(c->pool, "%.*s:%d", STR_ARG(one), PORT);
    }
    return c->bootstrap_count > 0 || err_set(err, ERR_CONFIG, "no Kafka broker is named") ||
           err_hint(err, "Write host:port, several with commas: -b kafka1:9092,kafka2:9092.");
}

enum { ADDRESS_MAX = 300 };

static const char *put_address(char out[ADDRESS_MAX], struct str host, int32_t port)
{
    bool is_ipv6 = str_find(host, STR(":"), 0) != SIZE_MAX;
    snprintf(out, ADDRESS_MAX, "%s%.*s%s:%d", is_ipv6 ? "[" : "", STR_ARG(host), is_ipv6 ? "]" : "", port);
    return out;
}

/* What the cluster says of its brokers. A broker that moved gets a new connection. */
static bool take_brokers(struct client *c, const struct kafka_metadata_response *answer, struct err *err)
{
    if (answer->brokers_count > CLIENT_NODES_MAX)
        return err_set(err, ERR_DATA, "the cluster says that it has %u brokers", answer->brokers_count);
    for (uint32_t i = 0; i < answer->brokers_count; i++) {
        const struct kafka_metadata_response_broker *b = &answer->brokers[i];
        struct node *node = b->node_id < 0 ? NULL : client_node(c, b->node_id);
        if (b->node_id < 0 || b->port <= 0 || b->port > 65535)
            return err_set(err, ERR_DATA, "the cluster says that broker %d has the port %d", b->node_id,
                           b->port);
        char text[ADDRESS_MAX];
        put_address(text, b->host, b->port);
        if (node && strcmp(node->address, text) == 0)
            continue;
        if (node == NULL && c->nodes[0]->id == CLIENT_ANY && strcmp(c->nodes[0]->address, text) == 0) {
            c->nodes[0]->id = b->node_id; /* the one that we began with */
            continue;
        }
        if (node == NULL) {
            node = add_node(c, b->node_id, NULL);
        } else {
            struct err moved;
            err_set(&moved, ERR_RETRY, "broker %d has another address by now", b->node_id);
            node_close(c, node, &moved);
        }
        node->address = pool_strdup(c->pool, text);
        node->is_advertised = true;
    }
    c->controller = answer->controller_id;
    if (c->cluster == NULL && answer->cluster_id.p)
        c->cluster = str_dup(pool_arena(c->pool), answer->cluster_id);
    return true;
}

/* names NULL: of all topics; count 0: of none, the brokers only. In the arena. */
static bool ask_metadata_once(struct client *c, const char *const *names, uint32_t count, struct arena *arena,
                              struct kafka_metadata_response *answer, struct err *err)
{
    struct kafka_metadata_request request;
    struct client_call call;
    KAFKA_INIT(kafka_metadata_request, &request);
    request.allow_auto_topic_creation = false;
    request.topics_count = names ? count : 0;
    request.topics = names ? KAFKA_NEW(arena, kafka_metadata_request_topic, count) : NULL;
    for (uint32_t i = 0; i < request.topics_count; i++)
        request.topics[i].name = str_of(names[i]);
    TRY(client_start(c, CLIENT_ANY, &call, KAFKA_API_METADATA, PEER_VERSION_ANY, &request, arena, answer,
                     err));
    TRY(client_wait(c, &call, err));
    TRY(client_check(answer->error_code, (struct str){0}, err, "the cluster does not describe itself"));
    return take_brokers(c, answer, err);
}

/* From any broker that answers: those that are known, then those that we were given. */
static bool ask_metadata(struct client *c, const char *const *names, uint32_t count, struct arena *arena,
                         struct kafka_metadata_response *answer, struct err *err)
{
    if (ask_metadata_once(c, names, count, arena, answer, err))
        return true;
    for (size_t i = 0; err->class == ERR_RETRY && i < c->node_count; i++) {
        struct err ignored;
        if (client_node(c, CLIENT_ANY)->socket < 0 && !node_open(c, c->nodes[i], &ignored))
            continue;
        if (ask_metadata_once(c, names, count, arena, answer, err))
            return true;
    }
    return false;
}

bool client_open(struct pool *pool, const struct client_options *options, struct client **client,
                 struct err *err)
{
    struct client *c = *client = pool_new_struct(pool, struct client);
    *c = (struct client){.pool = pool, .options = *options, .controller = -1};
    c->options.connect_ms = options->connect_ms ? options->connect_ms : CLIENT_CONNECT_MS;
    c->options.request_ms = options->request_ms ? options->request_ms : CLIENT_REQUEST_MS;
    c->options.retry_ms = options->retry_ms ? options->retry_ms : CLIENT_RETRY_MS;
    c->received = pool_alloc(pool, CLIENT_RECEIVE_BYTES);
    TRY(read_bootstrap(c, err));
    TRY(os_poller_new(&c->poller, err));
    pool_on_free(pool, close_client, c);
    struct kafka_metadata_response answer;
    static const char *const none[] = {NULL};
    for (uint32_t i = 0; i < c->bootstrap_count; i++)
        add_node(c, CLIENT_ANY, c->bootstrap[i]);
    for (uint32_t i = 0; i < c->bootstrap_count; i++) {
        struct node *first = c->nodes[i];
        if (!node_open(c, first, err))
            continue;
        c->nodes[i] = c->nodes[0];
        c->nodes[0] = first;
        if (ask_metadata_once(c, none, 0, &c->scratch, &answer, err)) {
            arena_reset(&c->scratch);
            return true;
        }
        node_close(c, first, err);
    }
    if (err->hint[0] == '\0')
        err_hint(err, "Is a broker running there? Name others with -b HOST:PORT[,…].");
    return false;
}

bool client_brokers(struct client *c, struct arena *arena, struct client_brokers *brokers, struct err *err)
{
    struct kafka_metadata_response answer;
    static const char *const none[] = {NULL};
    TRY(ask_metadata(c, none, 0, arena, &answer, err));
    *brokers = (struct client_brokers){.cluster = c->cluster, .controller = c->controller};
    brokers->all = arena_zarray(arena, struct client_broker, answer.brokers_count);
    for (uint32_t i = 0; i < answer.brokers_count; i++) {
        char text[ADDRESS_MAX];
        put_address(text, answer.brokers[i].host, answer.brokers[i].port);
        brokers->all[brokers->count++] = (struct client_broker){answer.brokers[i].node_id,
                                                                arena_strdup(arena, text)};
    }
    return true;
}

/* ---- trying again, errors ---------------------------------------------------------------------------------------------------- */

void retry_begin(const struct client *c, struct retry *retry)
{
    *retry = (struct retry){mono_add_ns(os_mono(), c->options.retry_ms * NS_PER_MS), PAUSE_FIRST_MS};
}

bool retry_again(struct client *c, struct retry *retry)
{
    struct mono_time now = os_mono(), until = mono_add_ns(now, retry->pause_ms * NS_PER_MS);
    if (until.ns > retry->until.ns)
        return false;
    while (mono_since_ns(until, os_mono()) > 0)
        client_step(c, until);
    retry->pause_ms = 2 * retry->pause_ms < PAUSE_MAX_MS ? 2 * retry->pause_ms : PAUSE_MAX_MS;
    struct kafka_metadata_response answer;
    static const char *const none[] = {NULL};
    struct arena arena = {0};
    struct err ignored; /* the next try will say it */
    (void)!ask_metadata(c, none, 0, &arena, &answer, &ignored);
    arena_fini(&arena);
    return true;
}

bool client_call(struct client *c, int32_t node, int api, int version_max, const void *request,
                 struct arena *arena, void *answer, struct err *err)
{
    struct client_call call;
    struct retry retry;
    retry_begin(c, &retry);
    for (;;) {
        if (client_start(c, node, &call, api, version_max, request, arena, answer, err) &&
            client_wait(c, &call, err))
            return true;
        if (err->class != ERR_RETRY || !retry_again(c, &retry))
            return false;
    }
}

static bool names_something(int16_t code)
{
    return code == KAFKA_ERR_UNKNOWN_TOPIC_OR_PARTITION || code == KAFKA_ERR_GROUP_ID_NOT_FOUND ||
           code == KAFKA_ERR_INVALID_TOPIC_EXCEPTION || code == KAFKA_ERR_INVALID_PARTITIONS ||
           code == KAFKA_ERR_INVALID_REPLICATION_FACTOR || code == KAFKA_ERR_INVALID_CONFIG ||
           code == KAFKA_ERR_UNKNOWN_TOPIC_ID;
}

static bool is_refusal(int16_t code)
{
    return code == KAFKA_ERR_TOPIC_AUTHORIZATION_FAILED || code == KAFKA_ERR_GROUP_AUTHORIZATION_FAILED ||
           code == KAFKA_ERR_CLUSTER_AUTHORIZATION_FAILED;
}

bool client_check(int16_t code, struct str message, struct err *err, const char *format, ...)
{
    if (code == KAFKA_ERR_NONE)
        return true;
    const struct kafka_error *e = kafka_error(code);
    enum err_class class = names_something(code) ? ERR_CONFIG : e->is_retriable ? ERR_RETRY : ERR_FATAL;
    struct sbuf what = {0};
    va_list args;
    va_start(args, format);
    sbuf_vprintf(&what, format, args);
    va_end(args);
    if (message.n > 0 && message.p[message.n - 1] == '.')
        message.n--;
    struct sbuf said = {0};
    sbuf_visible(&said, message.n > 0 ? message : str_of(e->text));
    err_set(err, class, "%s: %s (%s)", what.p, said.p, e->name);
    sbuf_fini(&said);
    sbuf_fini(&what);
    err->code = code;
    if (is_refusal(code))
        err_hint(
            err,
            "The cluster has ACLs, and this connection is anonymous: ask its operator for an ACL of User:ANONYMOUS.");
    return false;
}

/* ---- topics ----------------------------------------------------------------------------------------------------------------------- */

static bool take_topic(const struct kafka_metadata_response_topic *in, struct arena *arena,
                       struct client_topic *out, struct err *err)
{
    *out = (struct client_topic){.name = str_dup(arena, in->name.p ? in->name : STR("")),
                                 .id = in->topic_id,
                                 .is_internal = in->is_internal,
                                 .error = in->error_code};
    if (in->partitions_count > CLIENT_PARTITIONS_MAX)
        return err_set(err, ERR_DATA, "the cluster says that topic \"%s\" has %u partitions", out->name,
                       in->partitions_count);
    out->partition_count = (int32_t)in->partitions_count;
    out->partitions = arena_zarray(arena, struct client_partition, in->partitions_count);
    for (uint32_t i = 0; i < in->partitions_count; i++)
        out->partitions[i].leader = INT32_MIN;
    for (uint32_t i = 0; i < in->partitions_count; i++) {
        const struct kafka_metadata_response_partition *p = &in->partitions[i];
        if (p->partition_index < 0 || p->partition_index >= out->partition_count ||
            out->partitions[p->partition_index].leader != INT32_MIN)
            return err_set(err, ERR_DATA,
                           "the cluster says that topic \"%s\" of %d partitions has a partition %d",
                           out->name, out->partition_count, p->partition_index);
        out->partitions[p->partition_index] = (struct client_partition){
            .leader = p->leader_id < 0 ? -1 : p->leader_id,
            .leader_epoch = p->leader_epoch,
            .replicas = p->replica_nodes,
            .isr = p->isr_nodes,
            .replica_count = p->replica_nodes_count,
            .isr_count = p->isr_nodes_count,
            .error = p->error_code,
            .found = -1,
            .bytes = -1,
        };
    }
    return true;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct client_topic *)a)->name, ((const struct client_topic *)b)->name);
}

bool client_topics(struct client *c, struct arena *arena, const char *const *names, uint32_t count,
                   struct client_topic **topics, uint32_t *topics_count, struct err *err)
{
    struct kafka_metadata_response answer;
    TRY(ask_metadata(c, names, count, arena, &answer, err));
    *topics_count = answer.topics_count;
    *topics = arena_zarray(arena, struct client_topic, answer.topics_count);
    for (uint32_t i = 0; i < answer.topics_count; i++)
        TRY(take_topic(&answer.topics[i], arena, &(*topics)[i], err));
    if (names == NULL && answer.topics_count > 1)
        qsort(*topics, answer.topics_count, sizeof **topics, by_name);
    return true;
}

/* What may have been meant, among the cluster's topics. */
static void hint_topic(struct client *c, const char *name, struct err *err)
{
    struct arena arena = {0};
    struct client_topic *topics;
    uint32_t count;
    struct err ignored;
    if (client_topics(c, &arena, NULL, 0, &topics, &count, &ignored)) {
        const char **names = arena_array(&arena, const char *, count);
        size_t n = 0;
        for (uint32_t i = 0; i < count; i++)
            if (!topics[i].is_internal)
                names[n++] = topics[i].name;
        const char *nearest = str_nearest(str_of(name), names, n);
        if (nearest)
            err_hint(err, "Did you mean \"%s\"?", nearest);
        else
            err_hint(err, "See: sluice topic list.");
    }
    arena_fini(&arena);
}

bool client_topic(struct client *c, struct arena *arena, const char *name, struct client_topic *topic,
                  struct err *err)
{
    struct retry retry;
    retry_begin(c, &retry);
    for (;;) {
        struct client_topic *found;
        uint32_t count;
        TRY(client_topics(c, arena, &name, 1, &found, &count, err));
        if (count != 1 || strcmp(found->name, name) != 0)
            return err_set(err, ERR_DATA, "the cluster says nothing of topic \"%s\"", name);
        *topic = *found;
        if (topic->error == KAFKA_ERR_UNKNOWN_TOPIC_OR_PARTITION) {
            err_set(err, ERR_CONFIG, "there is no topic \"%s\"", name);
            err->code = topic->error;
            hint_topic(c, name, err);
            return false;
        }
        if (client_check(topic->error, (struct str){0}, err, "topic \"%s\"", name))
            return true;
        if (!is_retriable(topic->error) || !retry_again(c, &retry))
            return false;
    }
}

bool client_refresh(struct client *c, struct client_topic *topics, uint32_t count, struct err *err)
{
    struct arena arena = {0};
    const char **names = arena_array(&arena, const char *, count);
    struct client_topic *fresh;
    uint32_t fresh_count;
    for (uint32_t i = 0; i < count; i++)
        names[i] = topics[i].name;
    bool ok = client_topics(c, &arena, names, count, &fresh, &fresh_count, err);
    for (uint32_t i = 0, k = 0; ok && i < count; i++) {
        for (k = 0; k < fresh_count && strcmp(fresh[k].name, topics[i].name) != 0; k++)
            ;
        if (k == fresh_count || fresh[k].error)
            continue;
        for (int32_t p = 0; p < topics[i].partition_count && p < fresh[k].partition_count; p++) {
            topics[i].partitions[p].leader = fresh[k].partitions[p].leader;
            topics[i].partitions[p].leader_epoch = fresh[k].partitions[p].leader_epoch;
        }
    }
    arena_fini(&arena);
    return ok;
}

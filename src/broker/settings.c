#include "broker/settings.h"

#include <stdlib.h>

#include "broker/api.h"
#include "broker/changes.h"
#include "broker/config_topic.h"
#include "broker/loggers.h"

static struct config_layers layers_of(const struct broker *b, const struct config_list *own)
{
    return (struct config_layers){.own = own,
                                  .broker = &b->settings.broker,
                                  .default_broker = &b->settings.default_broker,
                                  .fixed = &b->settings.fixed};
}

/* ---- lists in the store ----------------------------------------------------------------------------------------------------------------- */

static struct str key_of(enum config_scope scope, struct str name, struct arena *arena)
{
    return str_of(arena_printf(arena, "kafka.config.%s/%.*s", config_scope_name(scope), STR_ARG(name)));
}

static bool load_list(struct broker *b, enum config_scope scope, struct str name, struct arena *arena,
                      struct config_list *list, struct err *err)
{
    struct sbuf bytes = {0};
    bool done = true;
    *list = (struct config_list){0};
    if (store_get(b->store, key_of(scope, name, arena), &bytes))
        done = config_list_decode(str_n(arena_dup(arena, bytes.p, bytes.n), bytes.n), arena, list, err);
    sbuf_fini(&bytes);
    return done;
}

void settings_put(struct frame *frame, enum config_scope scope, struct str name,
                  const struct config_list *list)
{
    struct sbuf bytes = {0};
    struct arena arena = {0};
    if (list && list->count > 0)
        config_list_encode(list, &bytes);
    frame_put(frame, key_of(scope, name, &arena), sbuf_view(&bytes));
    sbuf_fini(&bytes);
    arena_fini(&arena);
}

static int by_name(const void *a, const void *b)
{
    return str_cmp(((const struct config_entry *)a)->name, ((const struct config_entry *)b)->name);
}

/* What was set of a topic: its list, corrected by what the log goes by. */
static bool list_of_topic(struct request *r, const struct topic_info *info, struct config_list *list,
                          struct err *err)
{
    struct arena *arena = &r->arena;
    struct config_list kept;
    size_t all, count = 0;
    const struct config_def *defs = config_defs(&all);
    TRY(load_list(r->broker, CONFIG_TOPIC, str_of(info->name), arena, &kept, err));
    struct config_layers none = layers_of(r->broker, NULL);
    struct config_entry *entries = arena_array(arena, struct config_entry, all);
    for (size_t i = 0; i < all; i++) {
        struct str name = str_of(defs[i].name), value, set = {0};
        if (defs[i].scope != CONFIG_TOPIC)
            continue;
        bool is_set = config_list_get(&kept, name, &set);
        value = config_topic_text(&info->config, defs[i].name, arena);
        if (value.p && !(is_set && str_eq(set, value))) {
            is_set = !str_eq(value, config_value(&none, CONFIG_TOPIC, defs[i].name, arena));
            set = value;
        }
        if (is_set)
            entries[count++] = (struct config_entry){name, set};
    }
    qsort(entries, count, sizeof *entries, by_name);
    *list = (struct config_list){entries, count};
    return true;
}

/* ---- the node ------------------------------------------------------------------------------------------------------------------------------ */

static bool load_node(struct broker *b, struct err *err)
{
    struct settings *s = &b->settings;
    arena_reset(&s->arena);
    char *node = arena_printf(&s->arena, "%d", BROKER_NODE);
    bool is_v6 = strchr(b->advertised_host, ':') != NULL;
    const struct config_entry fixed[] = {
        /* sorted */
        {STR("advertised.listeners"),
         str_of(arena_printf(&s->arena, is_v6 ? "PLAINTEXT://[%s]:%d" : "PLAINTEXT://%s:%d",
                             b->advertised_host, b->advertised_port))},
        {STR("auto.create.topics.enable"), b->options.auto_create ? STR("true") : STR("false")},
        {STR("listeners"), str_of(arena_printf(&s->arena, "PLAINTEXT://%s", b->address))},
        {STR("num.partitions"), str_of(arena_printf(&s->arena, "%d", b->options.partitions))},
    };
    s->fixed = (struct config_list){arena_dup(&s->arena, fixed, sizeof fixed), sizeof fixed / sizeof *fixed};
    TRY(load_list(b, CONFIG_BROKER, str_of(node), &s->arena, &s->broker, err));
    TRY(load_list(b, CONFIG_BROKER, STR(""), &s->arena, &s->default_broker, err));
    limits_load(b);
    return true;
}

bool settings_start(struct broker *b, struct err *err)
{
    return load_node(b, err);
}

void settings_stop(struct broker *b)
{
    arena_fini(&b->settings.arena);
}

int32_t settings_partitions(const struct broker *b)
{
    struct config_layers layers = layers_of(b, NULL);
    return (int32_t)config_int(&layers, CONFIG_BROKER, "num.partitions");
}

int64_t settings_number(const struct broker *b, const char *name)
{
    struct config_layers layers = layers_of(b, NULL);
    return config_int(&layers, CONFIG_BROKER, name);
}

struct str settings_text(struct broker *b, const char *name)
{
    struct config_layers layers = layers_of(b, NULL);
    return config_value(&layers, CONFIG_BROKER, name, &b->settings.arena);
}

bool settings_auto_create(const struct broker *b)
{
    struct config_layers layers = layers_of(b, NULL);
    return config_bool(&layers, CONFIG_BROKER, "auto.create.topics.enable");
}

void settings_topic_default(const struct broker *b, struct topic_config *config)
{
    struct config_layers layers = layers_of(b, NULL);
    topic_config_default(config);
    config_topic(&layers, config);
}

/* ---- new topics --------------------------------------------------------------------------------------------------------------------------- */

bool settings_of_new_topic(struct request *r, const struct kafka_create_topics_request_topic *in,
                           struct topic_settings *settings, int16_t *error, struct str *why)
{
    struct config_entry *entries = arena_array(&r->arena, struct config_entry, in->configs_count);
    struct err err;
    for (uint32_t i = 0; i < in->configs_count; i++)
        entries[i] = (struct config_entry){in->configs[i].name, in->configs[i].value};
    topic_config_default(&settings->config);
    if (!config_create(entries, in->configs_count, &r->arena, &settings->list, error, &err)) {
        *why = str_of(arena_strdup(&r->arena, err.text));
        return false;
    }
    struct config_layers layers = layers_of(r->broker, &settings->list);
    config_topic(&layers, &settings->config);
    return true;
}

void settings_describe_new_topic(struct request *r, const struct topic_settings *settings,
                                 struct kafka_create_topics_response_topic *out)
{
    struct kafka_describe_configs_response_resource all;
    struct config_layers layers = layers_of(r->broker, &settings->list);
    KAFKA_INIT(kafka_describe_configs_response_resource, &all);
    config_describe(CONFIG_TOPIC, &layers, &(struct config_wants){0}, &r->arena, &all);
    out->configs = KAFKA_NEW(&r->arena, kafka_create_topics_response_config, all.configs_count);
    out->configs_count = all.configs_count;
    for (uint32_t i = 0; i < all.configs_count; i++) {
        out->configs[i].name = all.configs[i].name;
        out->configs[i].value = all.configs[i].value;
        out->configs[i].read_only = all.configs[i].read_only;
        out->configs[i].config_source = all.configs[i].config_source;
        out->configs[i].is_sensitive = all.configs[i].is_sensitive;
    }
}

/* ---- one resource ------------------------------------------------------------------------------------------------------------------------- */

/* A resource that a request names, and what is set of it. */
struct resource {
    enum config_scope scope;
    struct str name;
    struct topic_info info; /* of a topic */
    struct config_list own; /* of a topic or group */
    struct config_layers layers;
};

static bool refuse(int16_t *error, struct str *why, int16_t code, const char *text)
{
    *error = code;
    *why = str_of(text);
    return false;
}

static bool open_broker(struct request *r, struct resource *to, int16_t *error, struct str *why)
{
    int64_t node;
    to->layers = layers_of(r->broker, NULL);
    if (to->name.n > 0 && (!str_to_i64(to->name, &node) || node != BROKER_NODE))
        return refuse(error, why, KAFKA_ERR_INVALID_REQUEST, "there is one broker, 1");
    return true;
}

enum { RESOURCE_NAME_MAX = 900 }; /* bytes of a group's name, or of another that is a key's end */

static bool open_resource(struct request *r, int8_t type, struct str name, struct resource *to,
                          int16_t *error, struct str *why)
{
    struct err err;
    bool done = true;
    *to = (struct resource){.scope = (enum config_scope)type, .name = name};
    switch (type) {
    case CONFIG_BROKER: return open_broker(r, to, error, why);
    case CONFIG_GROUP:
    case CONFIG_CLIENT_METRICS:
        if (name.n == 0 || name.n > RESOURCE_NAME_MAX || memchr(name.p, '\0', name.n) != NULL)
            return refuse(error, why, KAFKA_ERR_INVALID_REQUEST, "a name has 1 to 900 bytes, and no NUL");
        done = load_list(r->broker, to->scope, name, &r->arena, &to->own, &err);
        break;
    case CONFIG_TOPIC:
        if (!broker_topic_name_is_valid(name))
            return refuse(error, why, KAFKA_ERR_INVALID_TOPIC_EXCEPTION, "that is no topic's name");
        if (!broker_topic_find(r->broker, name, NULL, &to->info))
            return refuse(error, why, KAFKA_ERR_UNKNOWN_TOPIC_OR_PARTITION, "there is no such topic");
        done = list_of_topic(r, &to->info, &to->own, &err);
        break;
    default:
        return refuse(error, why, KAFKA_ERR_INVALID_REQUEST, "resources of this type have no configuration");
    }
    if (!done)
        return refuse(error, why, KAFKA_ERR_UNKNOWN_SERVER_ERROR, arena_strdup(&r->arena, err.text));
    to->layers = layers_of(r->broker, &to->own);
    return true;
}

/* ---- DescribeConfigs ---------------------------------------------------------------------------------------------------------------------- */

static void describe(struct request *r, const struct kafka_describe_configs_request_resource *in,
                     struct kafka_describe_configs_response_resource *out) ON(net)
{
    const struct kafka_describe_configs_request *all = r->body;
    struct resource resource;
    out->resource_type = in->resource_type;
    out->resource_name = in->resource_name;
    if (in->resource_type == BROKER_LOGGER) {
        loggers_describe(r, in, out);
        return;
    }
    if (!open_resource(r, in->resource_type, in->resource_name, &resource, &out->error_code,
                       &out->error_message))
        return;
    const struct config_wants wants = {
        .keys = in->configuration_keys,
        .keys_count = in->configuration_keys_count,
        .synonyms = all->include_synonyms,
        .documentation = all->include_documentation && r->header.version >= 3,
        .defaults_of_all_nodes = resource.scope == CONFIG_BROKER && in->resource_name.n == 0,
    };
    config_describe(resource.scope, &resource.layers, &wants, &r->arena, out);
}

void handle_describe_configs(struct request *r)
{
    const struct kafka_describe_configs_request *in = r->body;
    struct kafka_describe_configs_response out;
    KAFKA_INIT(kafka_describe_configs_response, &out);
    out.results = KAFKA_NEW(&r->arena, kafka_describe_configs_response_resource, in->resources_count);
    out.results_count = in->resources_count;
    for (uint32_t i = 0; i < in->resources_count; i++)
        describe(r, &in->resources[i], &out.results[i]);
    request_answer(r, &out);
}

/* ---- altering ------------------------------------------------------------------------------------------------------------------------------ */

/* Both requests answer alike. */
struct answer_to {
    int16_t *error;
    struct str *why;
};

static void altered(struct change *change, const struct frame *frame)
{
    struct answer_to *to = change->to;
    struct request *r = change->all->request;
    struct err ignored;
    run_on_net();
    if (frame->durable) {
        if (load_node(r->broker, &ignored))
            limits_apply(r->broker);
        return;
    }
    *to->error = frame_error(&frame->err);
    *to->why = str_of(arena_strdup(&r->arena, frame->err.text));
}

/* The node's list changes: so do the topics that have from it what they do not say themselves. A topic that goes by something else than its settings
 * say is the project's, and stays as the project has it. */
static void alter_heirs(struct request *r, const struct resource *node, const struct config_list *list,
                        struct frame *frame) ON(net)
{
    struct topic_info *infos;
    struct err ignored;
    size_t count = store_topics(r->broker->store, &r->arena, &infos);
    for (size_t i = 0; i < count; i++) {
        struct config_list own;
        struct topic_config before, after;
        if (infos[i].config.internal || !list_of_topic(r, &infos[i], &own, &ignored))
            continue;
        struct config_layers layers = layers_of(r->broker, &own);
        memcpy(&before, &infos[i].config, sizeof before);
        config_topic(&layers, &before);
        *(node->name.n > 0 ? &layers.broker : &layers.default_broker) = list;
        memcpy(&after, &before, sizeof after);
        config_topic(&layers, &after);
        if (memcmp(&before, &infos[i].config, sizeof before) == 0 &&
            memcmp(&before, &after, sizeof before) != 0)
            frame_topic_alter(frame, infos[i].name, infos[i].partitions, &after);
    }
}

/* Makes the new list count. */
static void submit(struct changes *all, const struct resource *resource, const struct config_list *list,
                   int16_t *error, struct str *why) ON(net)
{
    struct request *r = all->request;
    struct answer_to *to = arena_new(&r->arena, struct answer_to);
    *to = (struct answer_to){error, why};
    struct frame *frame = change_begin(all, to, altered);
    if (resource->scope == CONFIG_TOPIC) {
        struct config_layers layers = layers_of(r->broker, list);
        struct topic_config config = resource->info.config;
        config_topic(&layers, &config);
        frame_topic_alter(frame, resource->info.name, resource->info.partitions, &config);
    } else if (resource->scope == CONFIG_BROKER) {
        alter_heirs(r, resource, list, frame);
    }
    settings_put(frame, resource->scope, resource->name, list);
    frame_submit(frame);
}

/* A request that alters: what it wants of a resource becomes the new list. */
struct altering {
    struct changes *all;
    bool validate_only;
    bool (*make_list)(struct request *r, const struct resource *resource, const void *in,
                      struct config_list *list, int16_t *error, struct err *err);
};

static void alter(const struct altering *a, int8_t type, struct str name, const void *in, int16_t *error,
                  struct str *why) ON(net)
{
    struct request *r = a->all->request;
    struct resource resource;
    struct config_list list;
    struct err err;
    if (!open_resource(r, type, name, &resource, error, why))
        return;
    if (!a->make_list(r, &resource, in, &list, error, &err))
        *why = str_of(arena_strdup(&r->arena, err.text));
    else if (!a->validate_only)
        submit(a->all, &resource, &list, error, why);
}

static bool list_altered(struct request *r, const struct resource *resource, const void *in,
                         struct config_list *list, int16_t *error, struct err *err)
{
    return config_alter(resource->scope, &resource->layers, in, &r->arena, list, error, err);
}

static bool list_replaced(struct request *r, const struct resource *resource, const void *in,
                          struct config_list *list, int16_t *error, struct err *err)
{
    return config_replace(resource->scope, in, &r->arena, list, error, err);
}

void handle_incremental_alter_configs(struct request *r)
{
    const struct kafka_incremental_alter_configs_request *in = r->body;
    struct kafka_incremental_alter_configs_response *out = KAFKA_NEW(
        &r->arena, kafka_incremental_alter_configs_response, 1);
    const struct altering a = {changes_new(r, out), in->validate_only, list_altered};
    out->responses = KAFKA_NEW(&r->arena, kafka_incremental_alter_configs_response_resource,
                               in->resources_count);
    out->responses_count = in->resources_count;
    for (uint32_t i = 0; i < in->resources_count; i++) {
        struct kafka_incremental_alter_configs_response_resource *to = &out->responses[i];
        to->resource_type = in->resources[i].resource_type;
        to->resource_name = in->resources[i].resource_name;
        to->error_message = (struct str){0};
        if (to->resource_type == BROKER_LOGGER)
            loggers_alter(r, &in->resources[i], in->validate_only, to);
        else
            alter(&a, to->resource_type, to->resource_name, &in->resources[i], &to->error_code,
                  &to->error_message);
    }
    changes_done_one(a.all);
}

void handle_alter_configs(struct request *r)
{
    const struct kafka_alter_configs_request *in = r->body;
    struct kafka_alter_configs_response *out = KAFKA_NEW(&r->arena, kafka_alter_configs_response, 1);
    const struct altering a = {changes_new(r, out), in->validate_only, list_replaced};
    out->responses = KAFKA_NEW(&r->arena, kafka_alter_configs_response_resource, in->resources_count);
    out->responses_count = in->resources_count;
    for (uint32_t i = 0; i < in->resources_count; i++) {
        struct kafka_alter_configs_response_resource *to = &out->responses[i];
        to->resource_type = in->resources[i].resource_type;
        to->resource_name = in->resources[i].resource_name;
        to->error_message = (struct str){0};
        alter(&a, to->resource_type, to->resource_name, &in->resources[i], &to->error_code,
              &to->error_message);
    }
    changes_done_one(a.all);
}

/* ---- ListConfigResources ------------------------------------------------------------------------------------------------------------------ */

static bool is_wanted(const struct request *r, int8_t type)
{
    const struct kafka_list_config_resources_request *in = r->body;
    if (r->header.version == 0)
        return type == CONFIG_CLIENT_METRICS;
    for (uint32_t i = 0; i < in->resource_types_count; i++)
        if (in->resource_types[i] == type)
            return true;
    return in->resource_types_count == 0;
}

/* Those that somebody has set something of. */
struct listed {
    struct arena *arena;
    struct kafka_list_config_resources_response_resource *to; /* NULL: they are counted */
    enum config_scope scope;
    size_t prefix, count, capacity;
};

static void list_one(void *arg, struct str key, struct str value)
{
    struct listed *all = arg;
    (void)value;
    if (all->to && all->count == all->capacity)
        return; /* made since they were counted */
    if (all->to) {
        struct str name = str_n(key.p + all->prefix, key.n - all->prefix);
        all->to[all->count].resource_type = (int8_t)all->scope;
        all->to[all->count].resource_name = str_n(arena_dup(all->arena, name.p, name.n), name.n);
    }
    all->count++;
}

static void list_set(struct request *r, enum config_scope scope,
                     struct kafka_list_config_resources_response *out)
{
    struct str prefix = key_of(scope, STR(""), &r->arena);
    struct listed all = {.arena = &r->arena, .scope = scope, .prefix = prefix.n};
    if (!is_wanted(r, (int8_t)scope))
        return;
    store_each(r->broker->store, prefix, list_one, &all);
    struct kafka_list_config_resources_response_resource *before = out->config_resources;
    uint32_t count = out->config_resources_count;
    out->config_resources = KAFKA_NEW(&r->arena, kafka_list_config_resources_response_resource,
                                      count + all.count);
    if (count)
        memcpy(out->config_resources, before, count * sizeof *before);
    all.to = out->config_resources + count;
    all.capacity = all.count;
    all.count = 0;
    store_each(r->broker->store, prefix, list_one, &all);
    out->config_resources_count = count + (uint32_t)all.count;
}

static bool knows_types(const struct request *r)
{
    const struct kafka_list_config_resources_request *in = r->body;
    for (uint32_t i = 0; i < in->resource_types_count; i++)
        switch (in->resource_types[i]) {
        case CONFIG_TOPIC:
        case CONFIG_BROKER:
        case BROKER_LOGGER:
        case CONFIG_CLIENT_METRICS:
        case CONFIG_GROUP: continue;
        default: return false;
        }
    return true;
}

void handle_list_config_resources(struct request *r)
{
    struct kafka_list_config_resources_response out;
    struct topic_info *infos;
    KAFKA_INIT(kafka_list_config_resources_response, &out);
    if (!knows_types(r)) {
        out.error_code = KAFKA_ERR_UNSUPPORTED_VERSION;
        request_answer(r, &out);
        return;
    }
    size_t count = store_topics(r->broker->store, &r->arena, &infos);
    out.config_resources = KAFKA_NEW(&r->arena, kafka_list_config_resources_response_resource, count + 2);
    for (size_t i = 0; i < count && is_wanted(r, CONFIG_TOPIC); i++) {
        if (broker_topic_is_hidden(&infos[i]))
            continue;
        out.config_resources[out.config_resources_count].resource_type = CONFIG_TOPIC;
        out.config_resources[out.config_resources_count++].resource_name = str_of(infos[i].name);
    }
    static const int8_t of_nodes[] = {CONFIG_BROKER, BROKER_LOGGER};
    for (size_t i = 0; i < sizeof of_nodes; i++) {
        if (!is_wanted(r, of_nodes[i]))
            continue;
        out.config_resources[out.config_resources_count].resource_type = of_nodes[i];
        out.config_resources[out.config_resources_count++].resource_name = str_of(
            arena_printf(&r->arena, "%d", BROKER_NODE));
    }
    list_set(r, CONFIG_GROUP, &out);
    list_set(r, CONFIG_CLIENT_METRICS, &out);
    request_answer(r, &out);
}

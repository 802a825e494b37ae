#include "broker/loggers.h"

#include "broker/api.h"
#include "broker/configs.h"
#include "obs/event.h"

enum { DYNAMIC_BROKER_LOGGER_CONFIG = 6, NO_EVENT = EVENT_ALL - 1, NO_THRESHOLD = EVENT_TRACE - 1 };

static const char *const level_names[] = {"TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"};
_Static_assert(sizeof level_names / sizeof *level_names == EVENT_FATAL - EVENT_TRACE + 1, "a name for each");

static struct str name_of(int event)
{
    return str_of(event == EVENT_ALL ? "root" : event_table[event].name);
}

static int find_event(struct str name)
{
    for (int event = EVENT_ALL; event < EVENT_COUNT; event++)
        if (str_eq(name, name_of(event)))
            return event;
    return NO_EVENT;
}

static int find_threshold(struct str name)
{
    for (int level = EVENT_TRACE; level <= EVENT_FATAL; level++)
        if (str_is(name, level_names[level - EVENT_TRACE]))
            return level;
    return NO_THRESHOLD;
}

static bool refuse(int16_t *error, struct str *why, int16_t code, const char *text)
{
    *error = code;
    *why = str_of(text);
    return false;
}

static bool is_this_node(struct str name, int16_t *error, struct str *why)
{
    int64_t node;
    if (str_to_i64(name, &node) && node == BROKER_NODE)
        return true;
    return refuse(error, why, KAFKA_ERR_INVALID_REQUEST, "there is one broker, 1");
}

/* keys NULL: all. */
static bool is_wanted(const struct kafka_describe_configs_request_resource *in, struct str name)
{
    for (uint32_t i = 0; i < in->configuration_keys_count; i++)
        if (str_eq(in->configuration_keys[i], name))
            return true;
    return in->configuration_keys == NULL;
}

void loggers_describe(struct request *r, const struct kafka_describe_configs_request_resource *in,
                      struct kafka_describe_configs_response_resource *out)
{
    if (!is_this_node(in->resource_name, &out->error_code, &out->error_message))
        return;
    out->configs = KAFKA_NEW(&r->arena, kafka_describe_configs_response_config, EVENT_COUNT + 1);
    for (int event = EVENT_ALL; event < EVENT_COUNT; event++) {
        struct kafka_describe_configs_response_config *config = &out->configs[out->configs_count];
        if (!is_wanted(in, name_of(event)))
            continue;
        config->name = name_of(event);
        config->value = str_of(level_names[event_threshold(event) - EVENT_TRACE]);
        config->config_source = DYNAMIC_BROKER_LOGGER_CONFIG;
        out->configs_count++;
    }
}

static bool check(const struct kafka_incremental_alter_configs_request_config *op, int16_t *error,
                  struct str *why)
{
    int event = find_event(op->name);
    if (op->config_operation != CONFIG_SET && op->config_operation != CONFIG_DELETE)
        return refuse(error, why, KAFKA_ERR_INVALID_REQUEST, "a level can be set and deleted, no more");
    if (event == NO_EVENT)
        return refuse(error, why, KAFKA_ERR_INVALID_CONFIG, "there is no such logger");
    if (op->config_operation == CONFIG_DELETE && event == EVENT_ALL)
        return refuse(error, why, KAFKA_ERR_INVALID_REQUEST, "root has a level");
    if (op->config_operation == CONFIG_SET && find_threshold(op->value) == NO_THRESHOLD)
        return refuse(error, why, KAFKA_ERR_INVALID_CONFIG,
                      "levels are TRACE, DEBUG, INFO, WARN, ERROR and FATAL");
    return true;
}

void loggers_alter(struct request *r, const struct kafka_incremental_alter_configs_request_resource *in,
                   bool validate_only, struct kafka_incremental_alter_configs_response_resource *out)
{
    (void)r;
    if (!is_this_node(in->resource_name, &out->error_code, &out->error_message))
        return;
    for (uint32_t i = 0; i < in->configs_count; i++)
        if (!check(&in->configs[i], &out->error_code, &out->error_message))
            return;
    for (uint32_t i = 0; i < in->configs_count && !validate_only; i++) {
        int event = find_event(in->configs[i].name);
        if (in->configs[i].config_operation == CONFIG_DELETE)
            event_unset_threshold((enum event)event);
        else
            event_set_threshold(event, find_threshold(in->configs[i].value));
    }
}

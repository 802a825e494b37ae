#include "broker/configs.h"

#include "base/test.h"

static struct arena arena;
static struct err err;

static const struct config_def *topic(const char *name)
{
    const struct config_def *def = config_find(CONFIG_TOPIC, str_of(name));
    CHECK(def != NULL);
    return def;
}

static bool is_valid(const char *name, const char *value)
{
    err_clear(&err);
    return config_check(topic(name), str_of(value), &err);
}

static const char *text(struct str s)
{
    return s.p ? str_dup(&arena, s) : NULL;
}

static const char *value_in(const struct config_layers *layers, enum config_scope scope, const char *name)
{
    return text(config_value(layers, scope, name, &arena));
}

static struct config_list list_of(const char *const *pairs)
{
    struct config_entry *entries = arena_array(&arena, struct config_entry, 8);
    size_t count = 0;
    for (; pairs[2 * count]; count++)
        entries[count] = (struct config_entry){str_of(pairs[2 * count]), str_of(pairs[2 * count + 1])};
    return (struct config_list){entries, count};
}
#define LIST(...) list_of((const char *const[]){__VA_ARGS__, NULL})

TEST(the_table_holds_together)
{
    size_t count;
    const struct config_def *defs = config_defs(&count);
    for (size_t i = 0; i < count; i++) {
        const struct config_def *def = &defs[i];
        EXPECT(i == 0 || defs[i - 1].scope != def->scope || strcmp(defs[i - 1].name, def->name) < 0);
        EXPECT(def->help && def->help[0] && def->help[strlen(def->help) - 1] == '.');
        if (def->value && !EXPECT(config_check(def, str_of(def->value), &err)))
            fprintf(stderr, "%s: %s\n", def->name, err.text);
        char names[200];
        snprintf(names, sizeof names, "%s", def->synonyms ? def->synonyms : "");
        for (char *name = strtok(names, " ()"); name; name = strtok(NULL, " ()"))
            if (!EXPECT(config_find(CONFIG_BROKER, str_of(name))))
                fprintf(stderr, "%s has no synonym %s\n", def->name, name);
    }
    EXPECT(config_find(CONFIG_TOPIC, STR("no.such.config")) == NULL);
    EXPECT(config_find(CONFIG_TOPIC, STR("num.partitions")) == NULL);
}

TEST(values_are_checked)
{
    EXPECT(is_valid("retention.ms", "-1"));
    EXPECT(is_valid("retention.ms", " 5 "));
    EXPECT(!is_valid("retention.ms", "-2"));
    EXPECT_STR(err.text, "invalid value \"-2\" for \"retention.ms\": it must be at least -1");
    EXPECT(!is_valid("retention.ms", "soon"));
    EXPECT_STR(err.text, "invalid value \"soon\" for \"retention.ms\": it is not a number of type LONG");
    EXPECT(!is_valid("max.message.bytes", "2147483648"));
    EXPECT(is_valid("max.message.bytes", "2147483647"));
    EXPECT(!is_valid("segment.bytes", "1048575"));
    EXPECT(is_valid("segment.bytes", "1048576"));
    EXPECT(is_valid("compression.gzip.level", "-1"));
    EXPECT(!is_valid("compression.gzip.level", "0"));
    EXPECT(!is_valid("compression.gzip.level", "10"));
    EXPECT(is_valid("min.cleanable.dirty.ratio", "1"));
    EXPECT(!is_valid("min.cleanable.dirty.ratio", "1.01"));
    EXPECT(!is_valid("min.cleanable.dirty.ratio", "nan"));
    EXPECT(is_valid("preallocate", "TRUE"));
    EXPECT(!is_valid("preallocate", "yes"));
    EXPECT(is_valid("cleanup.policy", "compact, delete"));
    EXPECT(is_valid("cleanup.policy", ""));
    EXPECT(!is_valid("cleanup.policy", "compact,compact"));
    EXPECT_STR(err.text, "invalid value \"compact,compact\" for \"cleanup.policy\": an item is there twice");
    EXPECT(!is_valid("cleanup.policy", "shred"));
    EXPECT_STR(err.text,
               "invalid value \"shred\" for \"cleanup.policy\": \"shred\" is none of compact|delete");
    EXPECT(!is_valid("message.timestamp.type", "createtime"));
    EXPECT(is_valid("leader.replication.throttled.replicas", "*"));
    EXPECT(is_valid("leader.replication.throttled.replicas", "0:1,1:2"));
    EXPECT(!is_valid("leader.replication.throttled.replicas", "0:1,x"));
    const struct config_def *policy = config_find(CONFIG_BROKER, STR("group.consumer.migration.policy"));
    EXPECT(config_check(policy, STR("Upgrade"), &err));
    const struct config_def *reset = config_find(CONFIG_GROUP, STR("share.auto.offset.reset"));
    EXPECT(config_check(reset, STR("by_duration:PT1H"), &err));
    EXPECT(!config_check(reset, STR("tomorrow"), &err));
}

TEST(a_topic_has_what_the_node_says_and_what_it_says_itself)
{
    struct config_layers none = {0};
    EXPECT_STR(value_in(&none, CONFIG_TOPIC, "retention.ms"), "604800000");
    EXPECT_STR(value_in(&none, CONFIG_TOPIC, "flush.ms"), "9223372036854775807");
    EXPECT_STR(value_in(&none, CONFIG_BROKER, "log.retention.ms"), NULL);
    EXPECT_STR(value_in(&none, CONFIG_BROKER, "log.retention.hours"), "168");
    struct config_list fixed = LIST("log.retention.hours", "2");
    struct config_layers layers = {.fixed = &fixed};
    EXPECT_STR(value_in(&layers, CONFIG_TOPIC, "retention.ms"), "7200000");
    struct config_list minutes = LIST("log.retention.hours", "2", "log.retention.minutes", "3");
    layers.fixed = &minutes;
    EXPECT_STR(value_in(&layers, CONFIG_TOPIC, "retention.ms"), "180000");
    struct config_list all = LIST("log.retention.ms", "5000");
    layers.default_broker = &all;
    EXPECT_EQ_INT(config_int(&layers, CONFIG_TOPIC, "retention.ms"), 5000);
    struct config_list node = LIST("log.retention.ms", "4000");
    layers.broker = &node;
    EXPECT_EQ_INT(config_int(&layers, CONFIG_TOPIC, "retention.ms"), 4000);
    struct config_list own = LIST("cleanup.policy", " compact , delete", "min.cleanable.dirty.ratio", "1",
                                  "preallocate", "True", "retention.ms", "+7");
    layers.own = &own;
    EXPECT_STR(value_in(&layers, CONFIG_TOPIC, "retention.ms"), "7");
    EXPECT_STR(value_in(&layers, CONFIG_TOPIC, "cleanup.policy"), "compact,delete");
    EXPECT_STR(value_in(&layers, CONFIG_TOPIC, "min.cleanable.dirty.ratio"), "1.0");
    EXPECT_STR(value_in(&layers, CONFIG_TOPIC, "preallocate"), "true");
    EXPECT(config_has(&layers, CONFIG_TOPIC, "cleanup.policy", "delete"));
    EXPECT(!config_has(&none, CONFIG_TOPIC, "cleanup.policy", "compact"));
    EXPECT(config_bool(&layers, CONFIG_TOPIC, "preallocate"));
    EXPECT_EQ_DOUBLE(config_double(&none, CONFIG_TOPIC, "min.cleanable.dirty.ratio"), 0.5);
}

/* ---- altering ------------------------------------------------------------------------------------------------- */

struct op {
    const char *name;
    int8_t what;
    const char *value;
};

/* Returns the error; *list is what came of it. */
static int16_t alter(enum config_scope scope, const struct config_list *now, const struct op *ops,
                     size_t count, struct config_list *list)
{
    struct kafka_incremental_alter_configs_request_config configs[8];
    for (size_t i = 0; i < count; i++)
        configs[i] = (struct kafka_incremental_alter_configs_request_config){
            .name = str_of(ops[i].name), .config_operation = ops[i].what, .value = str_of(ops[i].value)};
    struct kafka_incremental_alter_configs_request_resource request = {.configs = configs,
                                                                       .configs_count = (uint32_t)count};
    struct config_layers layers = {0};
    if (scope == CONFIG_BROKER)
        layers.broker = now;
    else
        layers.own = now;
    int16_t error = -99;
    err_clear(&err);
    bool ok = config_alter(scope, &layers, &request, &arena, list, &error, &err);
    EXPECT_EQ_INT(ok, error == 0);
    return error;
}
#define ALTER(now, list, ...)                                                                                \
    alter(CONFIG_TOPIC, now, (const struct op[]){__VA_ARGS__},                                               \
          sizeof((const struct op[]){__VA_ARGS__}) / sizeof(struct op), list)

static const char *set_to(const struct config_list *list, const char *name)
{
    struct str value;
    return config_list_get(list, str_of(name), &value) ? text(value) : NULL;
}

TEST(configs_are_altered_one_by_one)
{
    struct config_list none = {0}, one, two, three;
    EXPECT_EQ_INT(ALTER(&none, &one, {"retention.ms", 0, "1000"}, {"cleanup.policy", 2, "compact"}), 0);
    EXPECT_EQ_INT(one.count, 2);
    EXPECT_STR(set_to(&one, "retention.ms"), "1000");
    EXPECT_STR(set_to(&one, "cleanup.policy"), "delete,compact"); /* begins with the default */
    EXPECT_EQ_INT(ALTER(&one, &two, {"cleanup.policy", 3, "delete"}, {"retention.ms", 1, NULL}), 0);
    EXPECT_EQ_INT(two.count, 1);
    EXPECT_STR(set_to(&two, "cleanup.policy"), "compact");
    EXPECT_EQ_INT(ALTER(&two, &three, {"cleanup.policy", 2, "compact"}, {"segment.ms", 0, "5"}), 0);
    EXPECT_STR(set_to(&three, "cleanup.policy"), "compact");
    EXPECT_EQ_INT(ALTER(&two, &three, {"cleanup.policy", 3, "compact"}), 0);
    EXPECT_STR(set_to(&three, "cleanup.policy"), "");
    EXPECT_EQ_INT(ALTER(&two, &three, {"cleanup.policy", 1, NULL}, {"no.such", 1, NULL}), 0);
    EXPECT_EQ_INT(three.count, 0);
}

TEST(what_alterations_are_refused)
{
    struct config_list now = LIST("retention.ms", "1000"), list;
    EXPECT_EQ_INT(ALTER(&now, &list, {"no.such", 0, "1"}), KAFKA_ERR_INVALID_CONFIG);
    EXPECT_STR(err.text, "unknown topic config name: \"no.such\"");
    EXPECT_EQ_INT(ALTER(&now, &list, {"no.such", 2, "1"}), KAFKA_ERR_INVALID_CONFIG);
    EXPECT_EQ_INT(ALTER(&now, &list, {"retention.ms", 0, "x"}), KAFKA_ERR_INVALID_CONFIG);
    EXPECT_EQ_INT(ALTER(&now, &list, {"retention.ms", 0, NULL}), KAFKA_ERR_INVALID_REQUEST);
    EXPECT_STR(err.text, "null is not a value for: \"retention.ms\"");
    EXPECT_EQ_INT(ALTER(&now, &list, {"retention.ms", 2, "1"}), KAFKA_ERR_INVALID_CONFIG);
    EXPECT_EQ_INT(ALTER(&now, &list, {"retention.ms", 3, "1"}), KAFKA_ERR_INVALID_CONFIG);
    EXPECT_EQ_INT(ALTER(&now, &list, {"retention.ms", 4, "1"}), KAFKA_ERR_INVALID_REQUEST);
    EXPECT_EQ_INT(ALTER(&now, &list, {"segment.ms", 0, "1"}, {"segment.ms", 0, "2"}),
                  KAFKA_ERR_INVALID_REQUEST);
    EXPECT_EQ_INT(ALTER(&now, &list, {"min.compaction.lag.ms", 0, "9"}, {"max.compaction.lag.ms", 0, "8"}),
                  KAFKA_ERR_INVALID_CONFIG);
    EXPECT_STR(err.text, "\"min.compaction.lag.ms\" (9) is above \"max.compaction.lag.ms\" (8)");
    EXPECT_EQ_INT(ALTER(&now, &list, {"remote.storage.enable", 0, "true"}), KAFKA_ERR_INVALID_CONFIG);
    EXPECT_EQ_INT(ALTER(&now, &list, {"internal.segment.bytes", 0, "5"}), KAFKA_ERR_INVALID_CONFIG);
    struct op session = {"consumer.session.timeout.ms", 0, "44999"};
    EXPECT_EQ_INT(alter(CONFIG_GROUP, NULL, &session, 1, &list), KAFKA_ERR_INVALID_CONFIG);
    session.value = "50000";
    EXPECT_EQ_INT(alter(CONFIG_GROUP, NULL, &session, 1, &list), 0);
    struct op broker = {"num.partitions", 0, "4"};
    EXPECT_EQ_INT(alter(CONFIG_BROKER, NULL, &broker, 1, &list), KAFKA_ERR_INVALID_REQUEST);
    broker.name = "message.max.bytes";
    EXPECT_EQ_INT(alter(CONFIG_BROKER, NULL, &broker, 1, &list), 0);
    char *long_value = arena_alloc(&arena, CONFIG_LIST_BYTES_MAX + 1);
    memset(long_value, ' ', CONFIG_LIST_BYTES_MAX);
    long_value[CONFIG_LIST_BYTES_MAX] = '\0';
    EXPECT_EQ_INT(ALTER(&now, &list, {"follower.replication.throttled.replicas", 0, long_value}),
                  KAFKA_ERR_POLICY_VIOLATION);
}

TEST(configs_are_replaced_and_created)
{
    struct kafka_alter_configs_request_config configs[] = {{STR("segment.ms"), STR("5")},
                                                           {STR("cleanup.policy"), STR("compact")}};
    struct kafka_alter_configs_request_resource request = {.configs = configs, .configs_count = 2};
    struct config_list list;
    int16_t error;
    EXPECT(config_replace(CONFIG_TOPIC, &request, &arena, &list, &error, &err));
    EXPECT_EQ_INT(list.count, 2);
    EXPECT_STR(set_to(&list, "segment.ms"), "5");
    configs[1].value = (struct str){0};
    EXPECT(!config_replace(CONFIG_TOPIC, &request, &arena, &list, &error, &err));
    EXPECT_EQ_INT(error, KAFKA_ERR_INVALID_REQUEST);
    struct config_entry given[] = {{STR("segment.ms"), STR("5")}, {STR("segment.ms"), STR("6")}};
    EXPECT(!config_create(given, 2, &arena, &list, &error, &err));
    EXPECT_EQ_INT(error, KAFKA_ERR_INVALID_REQUEST);
    EXPECT(config_create(given, 1, &arena, &list, &error, &err));
    given[0].value = (struct str){0};
    EXPECT(!config_create(given, 1, &arena, &list, &error, &err));
    EXPECT_EQ_INT(error, KAFKA_ERR_INVALID_CONFIG);
}

/* ---- describing ----------------------------------------------------------------------------------------------- */

static struct kafka_describe_configs_response_resource describe(enum config_scope scope,
                                                                const struct config_layers *layers,
                                                                struct config_wants wants)
{
    struct kafka_describe_configs_response_resource result;
    kafka_init(&kafka_describe_configs_response_resource, &result);
    config_describe(scope, layers, &wants, &arena, &result);
    return result;
}

static struct kafka_describe_configs_response_config only(const struct config_layers *layers,
                                                          enum config_scope scope, const char *name)
{
    struct str key = str_of(name);
    struct config_wants wants = {.keys = &key, .keys_count = 1, .synonyms = true, .documentation = true};
    struct kafka_describe_configs_response_resource result = describe(scope, layers, wants);
    CHECK(result.configs_count == 1);
    return result.configs[0];
}

TEST(a_topic_is_described)
{
    struct config_list own = LIST("retention.ms", " 1000"), fixed = LIST("log.retention.minutes", "3");
    struct config_layers layers = {.own = &own, .fixed = &fixed};
    struct kafka_describe_configs_response_resource all = describe(CONFIG_TOPIC, &layers,
                                                                   (struct config_wants){0});
    EXPECT_EQ_INT(all.configs_count, 33);
    EXPECT_EQ_INT(all.configs[0].synonyms_count, 0);
    EXPECT(all.configs[0].documentation.p == NULL);
    struct kafka_describe_configs_response_config config = only(&layers, CONFIG_TOPIC, "retention.ms");
    EXPECT_STR(text(config.value), "1000");
    EXPECT_EQ_INT(config.config_source, CONFIG_SOURCE_TOPIC);
    EXPECT_EQ_INT(config.config_type, CONFIG_LONG);
    EXPECT(!config.read_only && !config.is_sensitive && config.documentation.n > 0);
    EXPECT_EQ_INT(config.synonyms_count, 1); /* older names alone are not told, though they count */
    EXPECT_STR(text(config.synonyms[0].name), "retention.ms");
    layers.own = NULL;
    config = only(&layers, CONFIG_TOPIC, "retention.ms");
    EXPECT_STR(text(config.value), "180000");
    EXPECT_EQ_INT(config.synonyms_count, 0);
    EXPECT_EQ_INT(config.config_source, CONFIG_SOURCE_DEFAULT);
    /* by where they are set, then by name: as Kafka 4.3 answers */
    struct config_list node = LIST("log.retention.ms", "1000"), all_nodes = LIST("log.retention.ms", "2000");
    layers.broker = &node;
    layers.default_broker = &all_nodes;
    config = only(&layers, CONFIG_TOPIC, "retention.ms");
    EXPECT_STR(text(config.value), "1000");
    EXPECT_EQ_INT(config.config_source, CONFIG_SOURCE_BROKER);
    EXPECT_EQ_INT(config.synonyms_count, 4);
    EXPECT_STR(text(config.synonyms[0].name), "log.retention.ms");
    EXPECT_EQ_INT(config.synonyms[1].source, CONFIG_SOURCE_DEFAULT_BROKER);
    EXPECT_STR(text(config.synonyms[2].name), "log.retention.minutes");
    EXPECT_EQ_INT(config.synonyms[2].source, CONFIG_SOURCE_STATIC);
    EXPECT_STR(text(config.synonyms[3].name), "log.retention.hours");
    EXPECT_EQ_INT(config.synonyms[3].source, CONFIG_SOURCE_DEFAULT);
    EXPECT_EQ_INT(only(&layers, CONFIG_TOPIC, "flush.ms").synonyms_count, 0);
    EXPECT_EQ_INT(only(&layers, CONFIG_TOPIC, "segment.ms").synonyms_count, 0);
    EXPECT_STR(text(only(&layers, CONFIG_BROKER, "log.cleaner.io.max.bytes.per.second").value),
               "1.7976931348623157E308");
    config = only(&layers, CONFIG_TOPIC, "remote.storage.enable");
    EXPECT_EQ_INT(config.synonyms_count, 0);
    EXPECT_EQ_INT(config.config_source, CONFIG_SOURCE_DEFAULT);
}

TEST(a_broker_and_a_group_are_described)
{
    struct config_list all = LIST("message.max.bytes", "2000000"), fixed = LIST("ssl.key.password", "secret");
    struct config_layers layers = {.default_broker = &all, .fixed = &fixed};
    struct kafka_describe_configs_response_config config = only(&layers, CONFIG_BROKER, "message.max.bytes");
    EXPECT_STR(text(config.value), "2000000");
    EXPECT_EQ_INT(config.config_source, CONFIG_SOURCE_DEFAULT_BROKER);
    EXPECT_EQ_INT(config.synonyms_count, 2);
    config = only(&layers, CONFIG_BROKER, "num.partitions");
    EXPECT(config.read_only);
    config = only(&layers, CONFIG_BROKER, "ssl.key.password");
    EXPECT(config.is_sensitive && config.value.p == NULL);
    EXPECT_EQ_INT(config.synonyms_count, 1);
    EXPECT(config.synonyms[0].value.p == NULL);
    config = only(&layers, CONFIG_BROKER, "log.retention.ms");
    EXPECT(config.value.p == NULL);
    struct kafka_describe_configs_response_resource set = describe(
        CONFIG_BROKER, &layers, (struct config_wants){.defaults_of_all_nodes = true});
    EXPECT_EQ_INT(set.configs_count, 1);
    set = describe(CONFIG_BROKER, &layers,
                   (struct config_wants){.defaults_of_all_nodes = true, .synonyms = true});
    EXPECT_EQ_INT(set.configs[0].synonyms_count, 1); /* what is set for all nodes, no more */
    struct config_list own = LIST("consumer.session.timeout.ms", "50000");
    layers.own = &own;
    config = only(&layers, CONFIG_GROUP, "consumer.session.timeout.ms");
    EXPECT_STR(text(config.value), "50000");
    EXPECT_EQ_INT(config.config_source, CONFIG_SOURCE_GROUP);
    EXPECT_STR(text(config.synonyms[1].name), "group.consumer.session.timeout.ms");
}

TEST(lists_are_kept)
{
    struct config_list list = LIST("cleanup.policy", "", "retention.ms", "5"), back = {0};
    struct sbuf bytes = {0};
    config_list_encode(&list, &bytes);
    EXPECT(config_list_decode(sbuf_view(&bytes), &arena, &back, &err));
    EXPECT_EQ_INT(back.count, 2);
    EXPECT_STR(set_to(&back, "cleanup.policy"), "");
    EXPECT_STR(set_to(&back, "retention.ms"), "5");
    for (size_t n = 0; n < bytes.n; n++)
        EXPECT(!config_list_decode(str_n(bytes.p, n), &arena, &back, &err));
    bytes.p[0] = 9;
    EXPECT(!config_list_decode(sbuf_view(&bytes), &arena, &back, &err));
    sbuf_clear(&bytes);
    config_list_encode(&(struct config_list){0}, &bytes);
    EXPECT(config_list_decode(sbuf_view(&bytes), &arena, &back, &err));
    EXPECT_EQ_INT(back.count, 0);
    sbuf_fini(&bytes);
}

int main(void)
{
    RUN(the_table_holds_together);
    RUN(values_are_checked);
    RUN(a_topic_has_what_the_node_says_and_what_it_says_itself);
    RUN(configs_are_altered_one_by_one);
    RUN(what_alterations_are_refused);
    RUN(configs_are_replaced_and_created);
    RUN(a_topic_is_described);
    RUN(a_broker_and_a_group_are_described);
    RUN(lists_are_kept);
    arena_fini(&arena);
    return test_end();
}

#include "broker/config_topic.h"

#include "base/test.h"
#include "format/compress.h"

TEST(a_topic_that_says_nothing_is_the_logs_default)
{
    struct topic_config expected, config;
    topic_config_default(&expected);
    topic_config_default(&config);
    config_topic(&(struct config_layers){0}, &config);
    EXPECT_EQ_INT(config.retention_ms, expected.retention_ms);
    EXPECT_EQ_INT(config.retention_bytes, expected.retention_bytes);
    EXPECT_EQ_INT(config.segment_bytes, expected.segment_bytes);
    EXPECT_EQ_INT(config.segment_ms, expected.segment_ms);
    EXPECT_EQ_INT(config.pin_bytes, expected.pin_bytes);
    EXPECT_EQ_INT(config.min_compaction_lag_ms, expected.min_compaction_lag_ms);
    EXPECT_EQ_INT(config.max_compaction_lag_ms, expected.max_compaction_lag_ms);
    EXPECT_EQ_INT(config.delete_retention_ms, expected.delete_retention_ms);
    EXPECT_EQ_INT(config.timestamp_before_max_ms, expected.timestamp_before_max_ms);
    EXPECT_EQ_INT(config.timestamp_after_max_ms, expected.timestamp_after_max_ms);
    EXPECT_EQ_INT(config.max_message_bytes, expected.max_message_bytes);
    EXPECT_EQ_INT(config.min_dirty_permille, expected.min_dirty_permille);
    EXPECT_EQ_INT(config.compression, expected.compression);
    EXPECT_EQ_INT(config.recompress, expected.recompress);
    EXPECT_EQ_INT(config.compression_level, expected.compression_level);
    EXPECT_EQ_INT(config.compact, expected.compact);
    EXPECT_EQ_INT(config.delete_too, expected.delete_too);
    EXPECT_EQ_INT(config.log_append_time, expected.log_append_time);
}

TEST(what_a_topic_says_reaches_the_log)
{
    static const struct config_entry entries[] = {
        {STR("cleanup.policy"), STR("compact,delete")},
        {STR("compression.type"), STR("zstd")},
        {STR("compression.zstd.level"), STR("7")},
        {STR("message.timestamp.type"), STR("LogAppendTime")},
        {STR("min.cleanable.dirty.ratio"), STR("0.25")},
        {STR("retention.ms"), STR("5000")},
    };
    struct config_list own = {entries, 6};
    struct config_layers layers = {.own = &own};
    struct topic_config config;
    topic_config_default(&config);
    config_topic(&layers, &config);
    EXPECT(config.compact && config.delete_too && config.log_append_time);
    EXPECT_EQ_INT(config.min_dirty_permille, 250);
    EXPECT_EQ_INT(config.retention_ms, 5000);
    EXPECT_EQ_INT(config.compression, CODEC_ZSTD);
    EXPECT(config.recompress);
    EXPECT_EQ_INT(config.compression_level, 7);
    int level;
    EXPECT_EQ_INT(config_topic_codec(&layers, &level), CODEC_ZSTD);
    EXPECT_EQ_INT(level, 7);
    EXPECT_EQ_INT(config_topic_codec(&(struct config_layers){0}, &level), -1);
}

/* "cleanup.policy=": nothing goes, whatever retention says. */
TEST(a_topic_without_a_policy_keeps_everything)
{
    static const struct config_entry entries[] = {{STR("cleanup.policy"), STR("")},
                                                  {STR("retention.ms"), STR("5000")}};
    struct config_list own = {entries, 2};
    struct topic_config config;
    topic_config_default(&config);
    config_topic(&(struct config_layers){.own = &own}, &config);
    EXPECT_EQ_INT(config.retention_ms, -1);
    EXPECT_EQ_INT(config.retention_bytes, -1);
    EXPECT(!config.compact && !config.delete_too);
}

/* A project's topic has a codec for the project's own writers, which is no compression.type: what else is altered leaves it alone. */
TEST(what_the_project_compresses_with_stays)
{
    static const struct config_entry entries[] = {{STR("retention.ms"), STR("5000")}};
    static const struct config_entry gzip[] = {{STR("compression.type"), STR("gzip")}};
    struct config_list own = {entries, 1}, other = {gzip, 1};
    struct topic_config config;
    topic_config_default(&config);
    config.compression = CODEC_LZ4;
    config_topic(&(struct config_layers){.own = &own}, &config);
    EXPECT_EQ_INT(config.retention_ms, 5000);
    EXPECT_EQ_INT(config.compression, CODEC_LZ4);
    EXPECT(!config.recompress);
    config_topic(&(struct config_layers){.own = &other}, &config);
    EXPECT_EQ_INT(config.compression, CODEC_GZIP);
    config_topic(&(struct config_layers){.own = &own},
                 &config); /* gzip was what Kafka's clients asked for, and goes with that */
    EXPECT_EQ_INT(config.compression, CODEC_NONE);
}

int main(void)
{
    RUN(a_topic_that_says_nothing_is_the_logs_default);
    RUN(what_a_topic_says_reaches_the_log);
    RUN(a_topic_without_a_policy_keeps_everything);
    RUN(what_the_project_compresses_with_stays);
    return test_end();
}

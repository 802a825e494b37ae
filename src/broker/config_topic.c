#include "broker/config_topic.h"

#include "format/compress.h"

static int64_t number(const struct config_layers *layers, const char *name)
{
    return config_int(layers, CONFIG_TOPIC, name);
}

/* Kafka's lz4 at its default is the fast one, not the one of that level. */
enum { GZIP_DEFAULT = -1, LZ4_DEFAULT = 9 };

int config_topic_codec(const struct config_layers *layers, int *level)
{
    struct arena arena = {0};
    struct str type = config_value(layers, CONFIG_TOPIC, "compression.type", &arena);
    int codec = str_is(type, "producer") ? -1
                : str_is(type, "gzip")   ? CODEC_GZIP
                : str_is(type, "snappy") ? CODEC_SNAPPY
                : str_is(type, "lz4")    ? CODEC_LZ4
                : str_is(type, "zstd")   ? CODEC_ZSTD
                                         : CODEC_NONE;
    arena_fini(&arena);
    int64_t chosen = codec == CODEC_GZIP   ? number(layers, "compression.gzip.level")
                     : codec == CODEC_LZ4  ? number(layers, "compression.lz4.level")
                     : codec == CODEC_ZSTD ? number(layers, "compression.zstd.level")
                                           : COMPRESS_LEVEL_DEFAULT;
    if ((codec == CODEC_GZIP && chosen == GZIP_DEFAULT) || (codec == CODEC_LZ4 && chosen == LZ4_DEFAULT))
        chosen = COMPRESS_LEVEL_DEFAULT;
    *level = (int)chosen;
    return codec;
}

void config_topic(const struct config_layers *layers, struct topic_config *config)
{
    int level, codec = config_topic_codec(layers, &level);
    bool is_compact = config_has(layers, CONFIG_TOPIC, "cleanup.policy", "compact");
    bool is_deleted = config_has(layers, CONFIG_TOPIC, "cleanup.policy", "delete");
    bool keeps_all = !is_compact && !is_deleted;
    config->retention_ms = keeps_all ? -1 : number(layers, "retention.ms");
    config->retention_bytes = keeps_all ? -1 : number(layers, "retention.bytes");
    if (config->retention_bytes < 0) /* Kafka takes any such number for no limit */
        config->retention_bytes = -1;
    config->segment_bytes = number(layers, "segment.bytes");
    config->segment_ms = number(layers, "segment.ms");
    config->min_compaction_lag_ms = number(layers, "min.compaction.lag.ms");
    config->max_compaction_lag_ms = number(layers, "max.compaction.lag.ms");
    config->delete_retention_ms = number(layers, "delete.retention.ms");
    config->timestamp_before_max_ms = number(layers, "message.timestamp.before.max.ms");
    config->timestamp_after_max_ms = number(layers, "message.timestamp.after.max.ms");
    config->max_message_bytes = (int32_t)number(layers, "max.message.bytes");
    config->min_dirty_permille =
        (uint16_t)(1000 * config_double(layers, CONFIG_TOPIC, "min.cleanable.dirty.ratio") + 0.5);
    if (codec >= 0 || config->recompress) /* else it is what the project's own writers compress with */
        config->compression = (uint8_t)(codec < 0 ? CODEC_NONE : codec);
    config->recompress = codec >= 0;
    config->compression_level = codec < 0 ? 0 : level;
    config->compact = is_compact;
    config->delete_too = is_compact && is_deleted;
    config->log_append_time = config_has(layers, CONFIG_TOPIC, "message.timestamp.type", "LogAppendTime");
}

struct str config_topic_text(const struct topic_config *config, const char *name, struct arena *arena)
{
    const struct {
        const char *name;
        int64_t value;
    } numbers[] = {
        {"retention.ms", config->retention_ms},
        {"retention.bytes", config->retention_bytes},
        {"segment.bytes", config->segment_bytes},
        {"segment.ms", config->segment_ms},
        {"min.compaction.lag.ms", config->min_compaction_lag_ms},
        {"max.compaction.lag.ms", config->max_compaction_lag_ms},
        {"delete.retention.ms", config->delete_retention_ms},
        {"message.timestamp.before.max.ms", config->timestamp_before_max_ms},
        {"message.timestamp.after.max.ms", config->timestamp_after_max_ms},
        {"max.message.bytes", config->max_message_bytes},
    };
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (strcmp(name, numbers[i].name) == 0)
            return str_of(arena_printf(arena, "%lld", (long long)numbers[i].value));
    if (strcmp(name, "cleanup.policy") == 0)
        return str_of(config->delete_too ? "compact,delete" : config->compact ? "compact" : "delete");
    if (strcmp(name, "message.timestamp.type") == 0)
        return str_of(config->log_append_time ? "LogAppendTime" : "CreateTime");
    return (struct str){0};
}

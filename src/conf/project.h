/* The project file's tables: sluice.yaml → struct conf_project. What only a kind knows (a source's own keys, a connection's options) is
 * read by the kind's table, which the caller hands in: conf/ stands below source/ and sink/. */
#ifndef CONF_PROJECT_H
#define CONF_PROJECT_H

#include "conf/option.h"

/* A kind of source or of connection, as the caller knows it. */
struct conf_kind_table {
    const char *name;           /* "http"; "sqlite" */
    const char *help;           /* one sentence, or NULL */
    const char *const *schemes; /* connections: URL schemes, ends with NULL; sources: NULL */
    const struct option
        *options; /* sources: keys beside kind and to; connections: keys beside url. NULL = none */
    size_t options_size;
    const struct option
        *sink_options; /* connections: keys of a `to:` entry beside the common ones. NULL = none */
    size_t sink_options_size;
};

struct conf_kinds {
    const struct conf_kind_table *sources; /* sources[source_count] */
    uint32_t source_count;
    const struct conf_kind_table *connections;
    uint32_t connection_count;
};

enum conf_flush { CONF_FLUSH_FSYNC, CONF_FLUSH_OS };
enum conf_engine { CONF_ENGINE_SLUICE, CONF_ENGINE_SPARK };
enum conf_log_level { CONF_LOG_DEBUG, CONF_LOG_INFO, CONF_LOG_WARN, CONF_LOG_ERROR };
enum conf_log_format { CONF_LOG_TEXT, CONF_LOG_JSON };
enum conf_format {
    CONF_FORMAT_JSON,
    CONF_FORMAT_AVRO,
    CONF_FORMAT_PROTOBUF,
    CONF_FORMAT_JSON_SCHEMA,
    CONF_FORMAT_RAW
};
enum conf_subject { CONF_SUBJECT_TOPIC, CONF_SUBJECT_RECORD, CONF_SUBJECT_TOPIC_RECORD };
/* As Kafka numbers its codecs. */
enum conf_compression {
    CONF_COMPRESSION_NONE,
    CONF_COMPRESSION_GZIP,
    CONF_COMPRESSION_SNAPPY,
    CONF_COMPRESSION_LZ4,
    CONF_COMPRESSION_ZSTD
};
enum conf_from { CONF_FROM_EARLIEST, CONF_FROM_LATEST };
enum conf_mode { CONF_MODE_APPEND, CONF_MODE_UPSERT, CONF_MODE_UPDATE, CONF_MODE_COMPLETE };
enum conf_rejects { CONF_REJECTS_KEEP, CONF_REJECTS_FAIL, CONF_REJECTS_DROP };

enum {
    CONF_FOREVER = -1,           /* retention_ms, retention_bytes: no limit */
    CONF_PARTITIONS_MAX = 10000, /* of one topic */
    CONF_TARGETS_MAX = 100,      /* of one stream */
};

struct conf_log_settings {
    int level, format; /* enum conf_log_level, conf_log_format */
};

struct conf_listen_settings {
    struct conf_address kafka, registry, http, connect;
};

struct conf_broker_settings {
    struct conf_address advertised; /* host NULL: as it is written where the listener is */
    bool auto_create;
    uint64_t partitions;
};

struct conf_settings {
    const char *data; /* folder of runtime state, relative to the project's */
    const char *timezone;
    uint64_t workers;  /* 0 = one per core */
    uint64_t memory;   /* bytes; 0 = chosen from what the machine has */
    int flush, engine; /* enum conf_flush, conf_engine */
    int64_t checkpoint_ms;
    int64_t give_up_ms;
    struct conf_log_settings log;
    struct conf_listen_settings listen;
    struct conf_broker_settings broker;
    const char *registry, *registry_token; /* another schema registry than our own; NULL: none */
};

struct conf_connection {
    const char *name, *url;
    const struct conf_kind_table *kind; /* by the URL's scheme; NULL after an error */
    void *options;                      /* kind->options_size bytes, or NULL */
    const struct conf_node *key, *node;
};

struct conf_source {
    const char *name, *to; /* to: a topic; by default the one of its own name */
    const struct conf_kind_table *kind;
    void *options;
    uint32_t topic; /* index of `to` in topics */
    const struct conf_node *key, *node;
};

struct conf_topic {
    const char *name;
    uint64_t partitions;
    const char **keys; /* columns of the record key: keys[key_count] */
    uint32_t key_count;
    int format, key_format; /* enum conf_format; a key's RAW is text */
    int subject;            /* enum conf_subject */
    struct conf_sql schema; /* text: DDL; path: a file (.ddl, .avsc, .proto, .json); node NULL: not given */
    struct conf_sql key_schema;
    int compression;                       /* enum conf_compression */
    int64_t retention_ms, retention_bytes; /* CONF_FOREVER */
    bool compact, raw;
    bool implied;                       /* not under topics: a source or stream writes to it */
    const struct conf_node *key, *node; /* implied: of whoever wrote its name */
};

/* One entry of a stream's `to:`. Exactly one of topic, table, console. */
struct conf_target {
    const char *topic;      /* or NULL */
    const char *connection; /* "serving" of table: serving.created_users, or NULL */
    const char *table;      /* "created_users" */
    bool console;
    const char **key; /* key[key_count] */
    uint32_t key_count;
    int mode; /* enum conf_mode */
    const char **partition_by;
    uint32_t partition_by_count;
    int64_t cadence_ms;           /* −1: the kind's default */
    void *options;                /* of the connection's kind: sink_options_size bytes, or NULL */
    uint32_t index;               /* of topic in topics, or of connection in connections */
    const struct conf_node *node; /* the entry; conf_get(node, "key") finds places */
};

/* Where bad or late rows go. */
struct conf_rejects_to {
    int mode;               /* enum conf_rejects */
    const char *connection; /* or NULL: Delta in settings.data */
    int64_t retention_ms;
};

struct conf_stream {
    const char *name;
    struct conf_sql sql;
    struct conf_target *to; /* to[to_count] */
    uint32_t to_count;
    int from; /* enum conf_from */
    struct conf_rejects_to late, bad;
    bool enabled;
    const struct conf_node *key, *node;
};

struct conf_project {
    const char *name;
    struct conf_settings settings;
    struct conf_connection *connections;
    struct conf_source *sources;
    struct conf_topic *topics; /* declared ones first, then implied ones */
    struct conf_stream *streams;
    uint32_t connection_count, source_count, topic_count, stream_count;
    const struct conf_node *quality, *alerts, *dags, *access; /* as they are, or NULL */
    const struct conf_node *root;
};

/* What conf_project_load reads. All borrowed; what the project keeps is in the arena. */
struct conf_project_text {
    const char *folder;    /* its last part is the default of name; NULL or "." for none: then "project" */
    const char *file_name; /* as errors show it: "sluice.yaml" */
    struct str text;
    struct conf_env env;          /* get may be NULL */
    const char *const *overrides; /* overrides[override_count]: path.to.key=value, in order; later ones win */
    uint32_t override_count;
};

/* Reads, checks and links a project: ${…}, then SLUICE_SETTINGS_… variables, then --set. Fills *project as far as it could be read; false
 * when diags holds errors. */
bool conf_project_load(struct arena *arena, const struct conf_project_text *in,
                       const struct conf_kinds *kinds, struct conf_project *project,
                       struct conf_diags *diags);

/* By name, or NULL. */
const struct conf_topic *conf_project_topic(const struct conf_project *project, struct str name);
const struct conf_stream *conf_project_stream(const struct conf_project *project, struct str name);
const struct conf_source *conf_project_source(const struct conf_project *project, struct str name);
const struct conf_connection *conf_project_connection(const struct conf_project *project, struct str name);

/* The setting that an environment variable overrides: "settings.listen.kafka" of SLUICE_SETTINGS_LISTEN_KAFKA, or NULL: a caller that
 * has the whole environment warns of others that begin with SLUICE_SETTINGS_. Given in the arena. */
const char *conf_project_setting_of(struct arena *arena, const char *variable);

/* The reference page (Markdown) and the JSON Schema (draft 2020-12) of the whole file. */
void conf_project_reference(struct sbuf *out, const struct conf_kinds *kinds);
void conf_json_schema(struct sbuf *out, const struct conf_kinds *kinds);

#endif

/* The tables of the project file: every key that sluice.yaml may have, but for those that kinds of sources and sinks add. The reader,
 * the reference page, the JSON Schema, suggestions and the names of environment variables all come from here. */
#include "conf/project_private.h"

static const struct option_choice flushes[] = {
    {"fsync", CONF_FLUSH_FSYNC, "What is acknowledged survives a power cut."},
    {"os", CONF_FLUSH_OS,
     "What is acknowledged survives the process, not a power cut; syncs every few milliseconds."},
    {0},
};
static const struct option_choice engines[] = {
    {"sluice", CONF_ENGINE_SLUICE, "Streams run in this process."},
    {"spark", CONF_ENGINE_SPARK, "Streams are submitted to a Spark master."},
    {0},
};
static const struct option_choice log_levels[] = {{"debug", CONF_LOG_DEBUG, NULL},
                                                  {"info", CONF_LOG_INFO, NULL},
                                                  {"warn", CONF_LOG_WARN, NULL},
                                                  {"error", CONF_LOG_ERROR, NULL},
                                                  {0}};
static const struct option_choice log_formats[] = {
    {"text", CONF_LOG_TEXT, "Lines for people."}, {"json", CONF_LOG_JSON, "One JSON object a line."}, {0}};
static const struct option_choice autos[] = {{"auto", 0, "chosen from what the machine has"}, {0}};
static const struct option_choice forever[] = {{"forever", CONF_FOREVER, "kept for ever"}, {0}};
static const struct option_choice formats[] = {
    {"json", CONF_FORMAT_JSON, NULL},
    {"avro", CONF_FORMAT_AVRO, "Confluent's wire format with a schema id, as from a schema registry."},
    {"protobuf", CONF_FORMAT_PROTOBUF, "Confluent's wire format with a schema id."},
    {"json_schema", CONF_FORMAT_JSON_SCHEMA, "Confluent's wire format with a schema id."},
    {"raw", CONF_FORMAT_RAW, "Bytes that are not decoded."},
    {0},
};
static const struct option_choice key_formats[] = {
    {"text", CONF_FORMAT_RAW, "The text of one column, a JSON object of several."},
    {"avro", CONF_FORMAT_AVRO, "Confluent's wire format with a schema id; one column is that value alone."},
    {"protobuf", CONF_FORMAT_PROTOBUF, "Confluent's wire format with a schema id."},
    {"json_schema", CONF_FORMAT_JSON_SCHEMA, "Confluent's wire format with a schema id."},
    {0},
};
static const struct option_choice subjects[] = {
    {"topic", CONF_SUBJECT_TOPIC, "`<topic>-value` and `<topic>-key`: Confluent's TopicNameStrategy."},
    {"record", CONF_SUBJECT_RECORD, "The full name of the record: RecordNameStrategy."},
    {"topic_record", CONF_SUBJECT_TOPIC_RECORD, "`<topic>-<record>`: TopicRecordNameStrategy."},
    {0},
};
static const struct option_choice compressions[] = {
    {"none", CONF_COMPRESSION_NONE, NULL},
    {"gzip", CONF_COMPRESSION_GZIP, "Small and slow."},
    {"snappy", CONF_COMPRESSION_SNAPPY, "Fast."},
    {"lz4", CONF_COMPRESSION_LZ4, "The fastest."},
    {"zstd", CONF_COMPRESSION_ZSTD, "The smallest."},
    {0},
};
static const struct option_choice froms[] = {
    {"earliest", CONF_FROM_EARLIEST, "From the first record that its inputs hold."},
    {"latest", CONF_FROM_LATEST, "Only what comes after its first start."},
    {0},
};
static const struct option_choice modes[] = {
    {"append", CONF_MODE_APPEND, "Rows are added and never change."},
    {"upsert", CONF_MODE_UPSERT, "A row replaces the one with its key, a delete removes it."},
    {"update", CONF_MODE_UPDATE, "As Spark's update: rows that changed since the last commit."},
    {"complete", CONF_MODE_COMPLETE, "As Spark's complete: the whole result at each commit."},
    {0},
};
static const struct option_choice bad_modes[] = {
    {"keep", CONF_REJECTS_KEEP, "They go to the table, and the stream goes on."},
    {"fail", CONF_REJECTS_FAIL, "The stream stops at the first."},
    {0},
};
static const struct option_choice late_modes[] = {
    {"keep", CONF_REJECTS_KEEP, "They go to the table."},
    {"drop", CONF_REJECTS_DROP, "They are counted and dropped."},
    {0}};

/* ---- settings ------------------------------------------------------------------------------------------------ */

static const struct option log_options[] = {
    {"level", OPTION_ENUM, OPTION_AT(struct conf_log_settings, level), .default_text = "info",
     .choices = log_levels, .help = "The least important lines that are written."},
    {"format", OPTION_ENUM, OPTION_AT(struct conf_log_settings, format), .default_text = "text",
     .choices = log_formats, .help = "The form of a log line."},
    {0},
};

static const struct option listen_options[] = {
    {"kafka", OPTION_ADDRESS, OPTION_AT(struct conf_listen_settings, kafka), .default_text = "127.0.0.1:9092",
     .help = "Where the broker speaks the Kafka protocol."},
    {"registry", OPTION_ADDRESS, OPTION_AT(struct conf_listen_settings, registry),
     .default_text = "127.0.0.1:8081", .help = "Where the schema registry serves its REST API."},
    {"http", OPTION_ADDRESS, OPTION_AT(struct conf_listen_settings, http), .default_text = "127.0.0.1:8080",
     .help = "Where the console, metrics and the Airflow API are served."},
    {"connect", OPTION_ADDRESS, OPTION_AT(struct conf_listen_settings, connect),
     .default_text = "127.0.0.1:8083", .help = "Where the Kafka Connect API is served."},
    {0},
};

static const struct option broker_options[] = {
    {"advertised", OPTION_ADDRESS, OPTION_AT(struct conf_broker_settings, advertised),
     .help =
         "The address that Kafka clients are told to connect to, Kafka's advertised.listeners; by default "
         "the listener's, and localhost for one that takes connections from everywhere."},
    {"auto_create", OPTION_BOOL, OPTION_AT(struct conf_broker_settings, auto_create), .default_text = "true",
     .help = "Whether a topic that a Kafka client names and that is not there is made: Kafka's "
             "auto.create.topics.enable."},
    {"partitions", OPTION_U64, OPTION_AT(struct conf_broker_settings, partitions), .default_text = "1",
     .min = 1, .max = CONF_PARTITIONS_MAX, .unit = "partitions",
     .help =
         "Partitions of a topic that a Kafka client makes without saying how many: Kafka's num.partitions."},
    {0},
};

const struct option conf_settings_options[] = {
    {"data", OPTION_PATH, OPTION_AT(struct conf_settings, data), .default_text = ".sluice",
     .help = "Folder of everything that exists at run time: topics, state, positions."},
    {"timezone", OPTION_TEXT, OPTION_AT(struct conf_settings, timezone), .default_text = "UTC",
     .flags = OPTION_NOT_EMPTY, .help = "Time zone of SQL's dates and times, and of schedules.",
     .example = "Europe/Berlin"},
    {"workers", OPTION_U64, OPTION_AT(struct conf_settings, workers), .default_text = "auto", .min = 1,
     .max = 1024, .choices = autos, .unit = "threads",
     .help = "How many threads run streams; `auto` is one for each core."},
    {"memory", OPTION_SIZE, OPTION_AT(struct conf_settings, memory), .default_text = "auto", .min = 16 << 20,
     .max = 0, .choices = autos,
     .help =
         "How much memory may be used for state, and by a query for what it sorts, before it goes to disk."},
    {"flush", OPTION_ENUM, OPTION_AT(struct conf_settings, flush), .default_text = "fsync",
     .choices = flushes, .help = "When a record counts as written."},
    {"engine", OPTION_ENUM, OPTION_AT(struct conf_settings, engine), .default_text = "sluice",
     .choices = engines, .help = "What runs the streams."},
    {"checkpoint", OPTION_DURATION, OPTION_AT(struct conf_settings, checkpoint_ms), .default_text = "1m",
     .min = 10, .max = 86400000,
     .help = "How often the state of streams is saved as a whole; it bounds how long a restart takes."},
    {"give_up", OPTION_DURATION, OPTION_AT(struct conf_settings, give_up_ms), .default_text = "2m",
     .min = 100, .max = 86400000,
     .help =
         "When nothing has come forward for so long, `run` gives up on tables that cannot be written to and on what waits for room on the disk, "
         "and ends as failed; the next `run` goes on from there. `up` never gives up."},
    {"log", OPTION_STRUCT, OPTION_AT(struct conf_settings, log), .table = log_options,
     .size = sizeof(struct conf_log_settings), .help = "What is logged, and how."},
    {"listen", OPTION_STRUCT, OPTION_AT(struct conf_settings, listen), .table = listen_options,
     .size = sizeof(struct conf_listen_settings),
     .help = "Addresses that the program listens on; `off` closes one."},
    {"broker", OPTION_STRUCT, OPTION_AT(struct conf_settings, broker), .table = broker_options,
     .size = sizeof(struct conf_broker_settings), .help = "What the Kafka listener does by default."},
    {"registry", OPTION_URL, OPTION_AT(struct conf_settings, registry),
     .example = "https://user:password@registry:8081",
     .help =
         "Another schema registry, which is used instead of the program's own: any that speaks Confluent's REST interface."},
    {"registry_token", OPTION_TEXT, OPTION_AT(struct conf_settings, registry_token), .flags = OPTION_SECRET,
     .help = "What that registry wants as a bearer token."},
    {0},
};

/* ---- connections, sources, topics ---------------------------------------------------------------------------- */

const struct option conf_connection_options[] = {
    {"url", OPTION_URL, OPTION_AT(struct conf_connection, url), .flags = OPTION_REQUIRED,
     .example = "sqlite:serving.db", .help = "Where it is; the scheme decides the kind of store."},
    {0},
};

const struct option conf_source_options[] = {
    {"kind", OPTION_NAME, OPTION_AT(struct conf_raw_source, kind), .flags = OPTION_REQUIRED,
     .example = "http", .help = "What the rows come from; decides the other keys."},
    {"to", OPTION_TOPIC, OPTION_AT(struct conf_raw_source, to),
     .help = "The topic that the rows go to; by default the one with the source's own name."},
    {0},
};

static const struct option column = {
    .name = "column", .type = OPTION_TEXT, .flags = OPTION_NOT_EMPTY, .help = "The name of a column."};

const struct option conf_topic_options[] = {
    {"partitions", OPTION_U64, OPTION_AT(struct conf_topic, partitions), .default_text = "1", .min = 1,
     .max = CONF_PARTITIONS_MAX, .unit = "partitions",
     .help = "Rows with the same key go to the same partition, in order; partitions are read in parallel."},
    {"key", OPTION_LIST, OPTION_AT(struct conf_raw_topic, key), .of = &column, .example = "id",
     .help = "The columns whose values are the record's key: the text of one, a JSON object of several."},
    {"key_format", OPTION_ENUM, OPTION_AT(struct conf_topic, key_format), .default_text = "text",
     .choices = key_formats, .help = "How keys are encoded."},
    {"key_schema", OPTION_SQL, OPTION_AT(struct conf_topic, key_schema), .example = "user_key.avsc",
     .help =
         "The schema of keys that have one: a file or a text. Without it, it is made of the types of the key's columns."},
    {"format", OPTION_ENUM, OPTION_AT(struct conf_topic, format), .default_text = "json", .choices = formats,
     .help = "How records are encoded."},
    {"schema", OPTION_SQL, OPTION_AT(struct conf_topic, schema), .example = "id STRING, total BIGINT",
     .help =
         "The columns: a DDL text, or a file of it, or an Avro, Protobuf or JSON schema file. Without it they come from the registry "
         "or, for JSON, from the first records."},
    {"subject", OPTION_ENUM, OPTION_AT(struct conf_topic, subject), .default_text = "topic",
     .choices = subjects, .help = "Under which subject the registry has the topic's schemas."},
    {"retention", OPTION_DURATION, OPTION_AT(struct conf_topic, retention_ms), .default_text = "7d",
     .min = 1000, .max = 0, .choices = forever, .help = "How long records are kept."},
    {"retention_size", OPTION_SIZE, OPTION_AT(struct conf_topic, retention_bytes), .default_text = "forever",
     .min = 1 << 20, .max = 0, .choices = forever,
     .help = "How many bytes of each partition are kept; older ones go."},
    {"compression", OPTION_ENUM, OPTION_AT(struct conf_topic, compression), .default_text = "none",
     .choices = compressions,
     .help = "What sources and streams compress record batches with; Kafka clients read them all."},
    {"compact", OPTION_BOOL, OPTION_AT(struct conf_topic, compact), .default_text = "false",
     .help = "Keep the last record of each key for ever, instead of all for a while."},
    {"raw", OPTION_BOOL, OPTION_AT(struct conf_topic, raw), .default_text = "false",
     .help =
         "The topic's columns are those of Spark's Kafka source alone: key, value, topic, partition, offset, timestamp, headers."},
    {0},
};

/* ---- streams ------------------------------------------------------------------------------------------------- */

#define REJECT_OPTIONS(which)                                                                                \
    {"mode",                                                                                                 \
     OPTION_ENUM,                                                                                            \
     OPTION_AT(struct conf_rejects_to, mode),                                                                \
     .default_text = "keep",                                                                                 \
     .choices = which##_modes,                                                                               \
     .help = "What becomes of them."},                                                                       \
        {"connection", OPTION_NAME, OPTION_AT(struct conf_rejects_to, connection),                           \
         .help = "The connection that has their table; by default it is a Delta table in `settings.data`."}, \
        {"retention",                                                                                        \
         OPTION_DURATION,                                                                                    \
         OPTION_AT(struct conf_rejects_to, retention_ms),                                                    \
         .default_text = "30d",                                                                              \
         .min = 1000,                                                                                        \
         .max = 0,                                                                                           \
         .choices = forever,                                                                                 \
         .help =                                                                                             \
             "How long they are kept, from when they were found; in a Delta table up to an eighth longer."}, \
    {                                                                                                        \
        0                                                                                                    \
    }

static const struct option bad_options[] = {REJECT_OPTIONS(bad)};
static const struct option late_options[] = {REJECT_OPTIONS(late)};

const struct option conf_target_options[] = {
    {"topic", OPTION_TOPIC, OPTION_AT(struct conf_target, topic), .help = "A topic of this project."},
    {"table", OPTION_TEXT, OPTION_AT(struct conf_raw_target, table), .example = "serving.created_users",
     .help = "A table, as `connection.table`."},
    {"console", OPTION_BOOL, OPTION_AT(struct conf_target, console), .help = "Print the rows."},
    {"key", OPTION_LIST, OPTION_AT(struct conf_raw_target, key), .of = &column, .example = "[id]",
     .help = "The columns that name a row: needed by `upsert`; of a topic, those of the record's key."},
    {"mode", OPTION_ENUM, OPTION_AT(struct conf_target, mode), .default_text = "append", .choices = modes,
     .help = "What a change of the result does to the table."},
    {"partition_by", OPTION_LIST, OPTION_AT(struct conf_raw_target, partition_by), .of = &column,
     .example = "[year, month]", .help = "Delta: the columns whose values make folders."},
    {"cadence", OPTION_DURATION, OPTION_AT(struct conf_target, cadence_ms), .max = 86400000,
     .help =
         "How often rows are committed; the first ones are at once. By default as they come, 100 ms apart at most; Delta 10 s."},
    {0},
};

const struct option conf_stream_options[] = {
    {"sql", OPTION_SQL, OPTION_AT(struct conf_stream, sql), .flags = OPTION_REQUIRED,
     .example = "SELECT * FROM STREAM events",
     .help = "The query, in Spark's dialect, or a file of it. A text with white space in it is the query."},
    {"to", OPTION_NODE, OPTION_AT(struct conf_raw_stream, to), .table = conf_target_options,
     .size = sizeof(struct conf_raw_target), .help = "Where the rows go: one target or a list of them."},
    {"from", OPTION_ENUM, OPTION_AT(struct conf_stream, from), .default_text = "earliest", .choices = froms,
     .help = "Where a new stream begins to read."},
    {"late", OPTION_ONE_OF, OPTION_AT(struct conf_stream, late), .table = late_options,
     .size = sizeof(struct conf_rejects_to), .short_key = "mode",
     .help = "Rows that come after their window was closed; their table is `<stream>_late`."},
    {"bad", OPTION_ONE_OF, OPTION_AT(struct conf_stream, bad), .table = bad_options,
     .size = sizeof(struct conf_rejects_to), .short_key = "mode",
     .help = "Records that cannot be decoded or cast; their table is `<stream>_bad`."},
    {"enabled", OPTION_BOOL, OPTION_AT(struct conf_stream, enabled), .default_text = "true",
     .help = "Whether it runs; one that does not keeps its state and positions."},
    {0},
};

/* ---- the file ------------------------------------------------------------------------------------------------ */

static const struct option connection = {.name = "connection",
                                         .type = OPTION_NODE,
                                         .table = conf_connection_options,
                                         .help = "A URL, or a mapping with `url` and options."};
static const struct option source = {
    .name = "source", .type = OPTION_NODE, .table = conf_source_options, .help = "A source."};
static const struct option topic = {.name = "topic",
                                    .type = OPTION_STRUCT,
                                    .table = conf_topic_options,
                                    .size = sizeof(struct conf_raw_topic),
                                    .help = "A topic."};
static const struct option stream = {.name = "stream",
                                     .type = OPTION_STRUCT,
                                     .table = conf_stream_options,
                                     .size = sizeof(struct conf_raw_stream),
                                     .help = "A stream."};

const struct option conf_root_options[] = {
    {"name", OPTION_NAME, OPTION_AT(struct conf_raw_project, name),
     .help = "The project's name, part of the identity of what it writes; by default the folder's name."},
    {"settings", OPTION_STRUCT, OPTION_AT(struct conf_raw_project, settings), .table = conf_settings_options,
     .size = sizeof(struct conf_settings),
     .help = "How the program runs. An environment variable `SLUICE_SETTINGS_…` overrides each."},
    {"connections", OPTION_MAP, OPTION_AT(struct conf_raw_project, connections), .of = &connection,
     .keys = OPTION_NAME, .help = "The stores that tables are in, by name."},
    {"sources", OPTION_MAP, OPTION_AT(struct conf_raw_project, sources), .of = &source, .keys = OPTION_NAME,
     .help = "Where rows come from, by name."},
    {"topics", OPTION_MAP, OPTION_AT(struct conf_raw_project, topics), .of = &topic, .keys = OPTION_TOPIC,
     .help = "The logs of records, by name. A topic that a source or stream writes to need not be here."},
    {"streams", OPTION_MAP, OPTION_AT(struct conf_raw_project, streams), .of = &stream, .keys = OPTION_NAME,
     .help =
         "Queries over topics and other streams, by name. One that writes to no topic runs as a part of those that read it."},
    {"quality", OPTION_NODE, OPTION_AT(struct conf_raw_project, quality),
     .help = "Rules about the rows of streams."},
    {"alerts", OPTION_NODE, OPTION_AT(struct conf_raw_project, alerts),
     .help = "Conditions, and who is told."},
    {"dags", OPTION_NODE, OPTION_AT(struct conf_raw_project, dags), .help = "Schedules of tasks."},
    {"access", OPTION_NODE, OPTION_AT(struct conf_raw_project, access),
     .help = "Users, roles, tokens, ACLs, TLS."},
    {0},
};

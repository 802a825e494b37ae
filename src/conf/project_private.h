/* The tables of the project file, for its reader and its generators. */
#ifndef CONF_PROJECT_PRIVATE_H
#define CONF_PROJECT_PRIVATE_H

#include "conf/option_private.h"
#include "conf/project.h"

extern const struct option conf_root_options[], conf_settings_options[], conf_connection_options[],
    conf_source_options[], conf_topic_options[], conf_stream_options[], conf_target_options[];

/* What the tables are read into, where struct conf_project has another shape. */
struct conf_raw_project {
    const char *name;
    struct conf_settings settings;
    struct conf_map connections, sources, topics,
        streams; /* of nodes; topics of conf_raw_topic, streams of conf_raw_stream */
    const struct conf_node *quality, *alerts, *dags, *access;
};

struct conf_raw_topic {
    struct conf_topic topic;
    struct conf_list key;
};

struct conf_raw_stream {
    struct conf_stream stream;
    const struct conf_node *to;
};

struct conf_raw_target {
    struct conf_target target;
    const char *table; /* "serving.created_users" */
    struct conf_list key, partition_by;
};

struct conf_raw_source {
    const char *kind, *to;
};

/* The kind of a source by its name, or of a connection by the scheme of its URL; NULL: none. */
const struct conf_kind_table *conf_source_kind(const struct conf_kinds *kinds, struct str name);
const struct conf_kind_table *conf_connection_kind(const struct conf_kinds *kinds, struct str scheme);

/* Calls each(arg, path, path_count) for every setting that is no struct. path: "settings", "listen", "kafka". */
void conf_each_setting(void (*each)(void *arg, const struct str *path, uint32_t path_count), void *arg);
/* SLUICE_SETTINGS_LISTEN_KAFKA. */
char *conf_setting_variable(struct arena *arena, const struct str *path, uint32_t path_count);

#endif

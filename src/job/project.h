/* A project as the engine runs it: the project file, the SQL and schema files beside it, every query parsed and, as far as schemas are
 * known without running, bound. `sluice check` is this and nothing more. */
#ifndef JOB_PROJECT_H
#define JOB_PROJECT_H

#include "conf/project.h"
#include "sink/sink.h"
#include "source/source.h"
#include "topic/topic.h"

struct timezone_data;

enum { PROJECT_SQL_MAX = 1 << 20 };

/* One (stream, sink) pair. */
struct sink_def {
    const char *name;               /* "users_created", "serving.created_users", "console", "sluice.x_bad" */
    const struct conf_target *conf; /* NULL: a table of rejected rows */
    int32_t topic;                  /* index into project->topics, or −1 */
    const struct sink_kind *kind;   /* tables */
    const char *url, *table;
    enum sink_mode mode;
    const char *const *key;
    uint32_t key_count;
    const char *const *partition_by;
    uint32_t partition_by_count;
    int64_t cadence_ms;     /* 0 = the kind's */
    const char *age_column; /* of rejected rows: see sink_spec */
    int64_t retention_ms;
};

struct stream_def {
    const char *name;
    const struct conf_stream *conf;
    struct str sql;               /* text of the query */
    bool has_sql;                 /* it was read, and can be parsed as far as is known */
    const struct conf_file *file; /* where it stands, for errors; NULL: in the project file */
    struct sink_def *sinks;       /* sinks[sink_count] */
    uint32_t sink_count;
    struct sink_def bad, late; /* <stream>_bad, <stream>_late: see stream_sink */
    struct plan *plan;         /* bound, or NULL where an input's schema is inferred at run time */
    bool stateful;             /* keeps state, whatever the columns of its inputs are */
    bool
        in_order; /* nothing is wrong with its query as far as is known: others may have it in front of theirs */
};

struct project {
    struct conf_project conf;
    const char *folder;         /* absolute */
    const char *data;           /* absolute: runtime state */
    struct topic_def *topics;   /* topics[conf.topic_count], as conf.topics */
    struct stream_def *streams; /* in the order of dependencies: readers after writers [conf.stream_count] */
    const struct timezone_data *zone;
    const char *const *overrides; /* "path=value", as project_load was given them [override_count] */
    uint32_t override_count;
};

/* What the project file may say, from the lists of kinds; for conf/. In arena. */
void project_kinds(struct arena *arena, struct conf_kinds *kinds);

/* Loads, checks and binds the project in `folder`; false when diags holds errors. Reads files; connects to nothing. */
bool project_load(struct arena *arena, const char *folder, const char *const *overrides,
                  uint32_t override_count, struct project *project, struct conf_diags *diags);
/* Index of the topic that a name in FROM stands for: its own, or the one that a stream of that name writes to; −1: none. */
int32_t project_topic_of(const struct project *project, struct str name);
/* The topics that the stream's query reads, itself or through streams without a topic, each once: indexes into project->topics, in
 * arena. */
bool project_inputs(const struct project *project, struct arena *arena, const struct stream_def *stream,
                    int32_t **topics, uint32_t *count, struct err *err);
/* The stream's query, and behind it those of the streams that it has in front of it, each in canonical form: texts that differ in white space
 * and comments alone are equal. Appended. */
void project_query_text(const struct project *project, const struct stream_def *stream, struct sbuf *text);
/* What the kind of a sink is told of it, but for the uuid. Borrows from the project. */
struct sink_spec sink_spec_of(const struct project *project, const struct stream_def *stream,
                              const struct sink_def *def);
/* Does a source use an address that the program serves itself (builtin:…)? */
bool project_wants_builtin(const struct project *project);
/* Is there a project file in the folder? */
bool project_exists(const char *folder);

/* The i-th of all sinks of a stream: those of the project file, then the tables of rejected rows that it keeps. NULL: there are no more. */
const struct sink_def *stream_sink(const struct stream_def *stream, uint32_t i);

/* Resolves names in queries: topics of the project with the schemas that are known now; `schema_of(arg, topic)` gives those, or NULL. A
 * stream that writes to no topic is its query, run as a part of the query that reads it: place.file of an error in there is its name. */
struct project_catalogue {
    const struct project *project;
    const struct type *(*schema_of)(void *arg, uint32_t topic);
    void *arg;
    struct arena *arena;
    bool missing_schema; /* set when a lookup failed because a schema is not known yet */
    bool not_in_order;   /* set when a lookup failed because of a stream whose own errors were said */
};
bool project_bind(struct project_catalogue *catalogue, struct arena *arena, const struct stream_def *stream,
                  struct plan **plan, struct err *err);

#endif

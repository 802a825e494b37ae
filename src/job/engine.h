/* The engine: everything that moves rows in one process. Built from a project and an open store; lives on the work role, with each source
 * on its own role and each table sink on a thread of the block role.
 *
 *     engine_new → engine_start → (up: until engine_stop; run: until on_quiet) → engine_stop → on_stopped → engine_free
 *
 * Exactly once rests on three spines and nothing else, see docs/path-of-a-record.md:
 *     ingest_turn (ingest.c), job_turn (job.c, member.c), sink_turn (sink/turn.c) */
#ifndef JOB_ENGINE_H
#define JOB_ENGINE_H

#include "job/project.h"
#include "log/store.h"

struct metric_page;
struct registry;
struct topic_schemas;
struct engine;

struct engine_options {
    bool once;               /* `run`: sources end when what is there now has been read */
    bool sources;            /* start the sources at all */
    const char *builtin_url; /* where builtin:randomuser is served, or NULL */
    struct loop *main, *net, *work;
    const char *reset_stream,
        *reset_sink; /* `stream reset` without a running process: done when the stream starts; sink NULL: all its tables */
    bool reset_replace;
    struct registry *registry; /* of schemas, for topics whose records have them; NULL: there is none */
    /* Instead of anything else: the registry refuses a schema, for this reason. Nothing runs; on main. May be NULL. */
    void (*on_refused)(void *arg, const struct err *err);
    void (*on_quiet)(void *arg);   /* once: every row has come as far as it will; on main */
    void (*on_stopped)(void *arg); /* after engine_stop; on main */
    void *arg;
};

/* Main role, before or while the loops run. Creates the project's topics where they lack. project and store are borrowed for the engine's life. */
bool engine_new(struct pool *pool, const struct project *project, struct store *store,
                const struct engine_options *options, struct engine **engine, struct err *err);
void engine_start(struct engine *engine);
/* In order: sources, runs, sinks (what they hold is committed). on_stopped follows, always. */
void engine_stop(struct engine *engine);
/* After on_stopped and after the loops have ended. */
void engine_free(struct engine *engine);

/* Columns of a topic as they are known now, in arena; NULL: not yet, raw, or no topic of the project. Any role. */
const struct type *engine_topic_schema(struct engine *engine, struct arena *arena, const char *topic);

/* Where schemas are, for whoever can wait: threads of commands. */
const struct topic_schemas *engine_schemas(struct engine *engine);

/* The same without an engine: what the project gives, and what runs have written down in the store (NULL: there is none). */
const struct type *topic_schema_stored(struct store *store, struct arena *arena, const struct topic_def *def);

/* ---- looking in -------------------------------------------------------------------------------------------------- */

struct stream_counters {
    struct counter rows_in, rows_out, bad, bytes_in;
};
struct member_counters {
    struct counter rows, commits, failures, running;
    struct counter done; /* sum of the next offsets of all inputs */
};

struct source_status_report {
    const char *name, *kind;
    struct source_health health;
    uint64_t rows_appended; /* durable */
    bool stopped, ended;
};
struct sink_status_report {
    const char *name, *kind, *state; /* "running", "waiting", "stopped", "opening" */
    uint64_t rows, commits, failures;
    int64_t lag_records;
    struct err err; /* class ERR_NONE: fine */
};
struct stream_status_report {
    const char *name, *state; /* "running", "inferring", "paused", "stopped" */
    uint64_t rows_in, rows_out, bad;
    int64_t lag_records;
    struct err err;
    struct sink_status_report *sinks;
    uint32_t sink_count;
};
struct engine_report {
    struct source_status_report *sources;
    struct stream_status_report *streams;
    uint32_t source_count, stream_count;
    bool quiet;
};
/* A picture of everything, in arena (texts too). Any role but the engine's own loops: asks them and waits for the answer. */
void engine_report(struct engine *engine, struct arena *arena, struct engine_report *report);

/* The text of /metrics, appended. Any role. */
void engine_metrics(struct engine *engine, struct metric_page *page);
/* Every stream has begun, or waits for its first record. Any role. */
bool engine_is_ready(const struct engine *engine);

/* Commands; wait for their end. Any role but the engine's own loops. */
bool engine_stream_pause(struct engine *engine, const char *stream, bool pause, struct err *err);
/* One `stream replay` at a time looks at what was replayed before: false, while another does. Each true needs its end. Any role. */
bool engine_replay_begin(struct engine *engine);
void engine_replay_end(struct engine *engine);
/* A source, stream or sink has stopped and needs a person. Any role, after on_quiet or on_stopped. */
bool engine_has_failed(const struct engine *engine);
/* Has the stream's sinks of that name that have stopped go on; one that cannot stops again. *count: how many there were. */
bool engine_sink_reopen(struct engine *engine, const char *stream, const char *sink, uint32_t *count,
                        struct err *err);
/* Begun when it returns; status tells how it went. Accepts what the table (sink NULL: every table of the stream) and the data folder hold now: keep what is there, or replace it. */
bool engine_stream_reset(struct engine *engine, const char *stream, const char *sink, bool replace,
                         struct err *err);

#endif
